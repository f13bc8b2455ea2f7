// Pools: the memory that a program sees.
//
// `amqp_pool_t` is a public struct. Programs place it where they like, hand it to the four pool functions and look at
// its fields, so everything a pool knows fits into them:
//
//   pages         blocks of `pagesize` bytes, handed out from front to back, kept over a recycle
//   large_blocks  a block each for what does not fit into a page, freed by a recycle
//   next_page     the first page not handed out from since the last recycle
//   alloc_block   the page handed out from now, NULL when there is none yet
//   alloc_used    how much of it is given away
//
// The lists have a count and no capacity. The capacity follows from the count: it is the next power of two, at least
// `shortestBlockList`, and a list grows when its count is just that. So a thousand blocks cost ten reallocations.
//
// Pages come zeroed, as programs know it. A request that fails leaves the pool as it was.

import CMemory
public import CRabbitMQ

/// Bytes; every allocation starts at a multiple of it.
private let alignment = 8
/// Blocks.
private let shortestBlockList: Int32 = 4
/// Bytes, where a program leaves the choice to us.
private let standardPageSize = 4096

extension UnsafeMutablePointer where Pointee == amqp_pool_t {
  public func initialize(pageSize: Int) {
    initialize(
      to: amqp_pool_t(
        pagesize: pageSize == 0 ? standardPageSize : pageSize,
        pages: amqp_pool_blocklist_t(num_blocks: 0, blocklist: nil),
        large_blocks: amqp_pool_blocklist_t(num_blocks: 0, blocklist: nil),
        next_page: 0, alloc_block: nil, alloc_used: 0))
  }

  /// A new pool with a copy of `bytes` as its first allocation, and pages of at least their size; nil when there is no memory.
  /// Of the first page only what is behind them needs to be zeroed.
  @inline(__always)
  public func initialize(pageSize: Int, holding bytes: UnsafeRawBufferPointer) -> amqp_bytes_t? {
    let amount = aligned(bytes.count)
    initialize(pageSize: max(pageSize, amount))
    guard let source = bytes.baseAddress, bytes.count > 0 else { return .empty }
    let pageSize = pointee.pagesize
    guard let page = pointee.pages.append(pageSize, zeroed: false) else { return nil }
    memcpy(page, source, bytes.count)
    memset(page + bytes.count, 0, pageSize &- bytes.count)
    handOut(page, amount)
    return amqp_bytes_t(len: bytes.count, bytes: page)
  }

  /// Takes back all that was handed out. The pages stay for the next round.
  public func recycle() {
    pointee.large_blocks.release(keeping: 0)
    pointee.next_page = 0
    pointee.alloc_block = nil
    pointee.alloc_used = 0
  }

  /// As `recycle`, but a burst does not stay: at most `pageLimit` pages are kept.
  public func recycle(keepingPages pageLimit: Int32) {
    recycle()
    pointee.pages.release(keeping: pageLimit)
  }

  /// Takes back all that was handed out and frees all memory. The pool can be used again.
  public func empty() {
    recycle()
    pointee.pages.release(keeping: 0)
  }

  /// Whether something was handed out since the last recycle.
  public var isInUse: Bool { pointee.alloc_block != nil || pointee.large_blocks.num_blocks > 0 }

  /// Memory that lives until the next recycle; nil for 0 bytes and when there is no memory.
  @inline(__always) public func allocate(_ count: Int) -> UnsafeMutableRawPointer? {
    allocate(count, zeroingLarge: false)
  }

  /// As `allocate`, with large blocks zeroed too. Ours are written over whole and need no second pass.
  @inline(__always) public func allocateZeroed(_ count: Int) -> UnsafeMutableRawPointer? {
    allocate(count, zeroingLarge: true)
  }

  /// Nil when there is no memory. Nothing to copy gives the empty bytes, without an allocation.
  public func copy(_ bytes: UnsafeRawBufferPointer) -> amqp_bytes_t? {
    guard bytes.count > 0, let source = bytes.baseAddress else { return .empty }
    guard let target = allocate(bytes.count) else { return nil }
    memcpy(target, source, bytes.count)
    return amqp_bytes_t(len: bytes.count, bytes: target)
  }

  @inline(__always) private func allocate(_ count: Int, zeroingLarge: Bool) -> UnsafeMutableRawPointer? {
    // A `size_t` beyond `Int.max` arrives here as a negative count.
    guard count > 0, count <= Int.max &- alignment else { return nil }
    let amount = aligned(count)
    if let block = pointee.alloc_block {
      let used = pointee.alloc_used
      if used >= 0, used <= pointee.pagesize, amount <= pointee.pagesize &- used {
        pointee.alloc_used = used &+ amount
        return UnsafeMutableRawPointer(block) + used
      }
    }
    return allocateBlock(amount, zeroingLarge: zeroingLarge)
  }

  /// The slow half of `allocate`: the page handed out from does not have the room.
  @inline(never) private func allocateBlock(_ amount: Int, zeroingLarge: Bool) -> UnsafeMutableRawPointer? {
    let pageSize = pointee.pagesize
    if UInt(bitPattern: amount) > UInt(bitPattern: pageSize) {
      return pointee.large_blocks.append(amount, zeroed: zeroingLarge)
    }
    let page: UnsafeMutableRawPointer
    if let kept = pointee.pages.block(at: pointee.next_page) {
      page = kept
    } else if let fresh = pointee.pages.append(pageSize, zeroed: true) {
      page = fresh
    } else {
      return nil
    }
    handOut(page, amount)
    return page
  }

  /// The first allocation from a page.
  private func handOut(_ page: UnsafeMutableRawPointer, _ amount: Int) {
    pointee.next_page &+= 1
    pointee.alloc_block = page.assumingMemoryBound(to: CChar.self)
    pointee.alloc_used = amount
  }

  @inline(__always) private func aligned(_ count: Int) -> Int { (count &+ (alignment &- 1)) & ~(alignment &- 1) }
}

extension amqp_pool_blocklist_t {
  fileprivate func block(at index: Int32) -> UnsafeMutableRawPointer? {
    guard index >= 0, index < num_blocks, let blocklist else { return nil }
    return blocklist[Int(index)]
  }

  fileprivate mutating func append(_ count: Int, zeroed: Bool) -> UnsafeMutableRawPointer? {
    guard makeRoom(), let blocklist, let block = zeroed ? calloc(1, count) : malloc(count) else { return nil }
    blocklist[Int(num_blocks)] = block
    num_blocks &+= 1
    return block
  }

  private mutating func makeRoom() -> Bool {
    guard num_blocks >= 0, num_blocks < Int32.max / 2 else { return false }
    let capacity: Int32
    if num_blocks == 0 || blocklist == nil {
      num_blocks = 0
      capacity = shortestBlockList
    } else if num_blocks >= shortestBlockList, num_blocks & (num_blocks &- 1) == 0 {
      capacity = num_blocks &* 2
    } else {
      return true
    }
    let stride = MemoryLayout<UnsafeMutableRawPointer?>.stride
    guard let grown = realloc(blocklist, Int(capacity) &* stride) else { return false }
    blocklist = grown.assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
    return true
  }

  /// Frees the blocks from `limit` on; the list itself goes with the last of them.
  ///
  /// A list that is shortened keeps its memory. Its capacity is then taken for less than it is, which wastes nothing:
  /// the next growth is a `realloc` like any other.
  fileprivate mutating func release(keeping limit: Int32) {
    guard let blocklist else {
      num_blocks = 0
      return
    }
    while num_blocks > limit, num_blocks > 0 {
      num_blocks &-= 1
      free(blocklist[Int(num_blocks)])
    }
    if num_blocks <= 0 {
      num_blocks = 0
      free(blocklist)
      self.blocklist = nil
    }
  }
}
