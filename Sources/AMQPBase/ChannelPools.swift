// The pools of a connection, one for each channel that something was received on.
//
// A table of 256 tables of 256 pointers finds the entry of a channel in two loads; both levels and the entries are
// allocated when first needed, so a connection with a few channels pays 4 KiB and the entries. An entry never moves:
// frames point into its pool.
//
// The entries whose pools hold something are chained. Recycling all walks that chain, not the channels there are: a
// program with thousands of channels that recycles after each message touches the one that is in use. A pool that was
// recycled keeps one page and its place in the chain; the next recycle that finds it unused frees the page, and the next
// walk that does takes it out. A burst on a channel is thus forgotten at once, the last page one recycle later.
//
// Each entry also counts the frames of its channel in the connection's queue. Memory that a queued frame points into
// must not be recycled, and the count answers that without a walk through the queue.

import CMemory
public import CRabbitMQ

/// Bytes. Small, since a page per channel stays; a body that does not fit has a block of its own.
private let pageSize = 4096
/// Pages that a recycled pool keeps while it is in use.
private let keptPages: Int32 = 1
/// Pointers in each of the two levels: one byte of the channel number each.
private let tableLength = 256

public struct ChannelPools: ~Copyable {
  fileprivate struct Entry {
    var pool: amqp_pool_t
    var queuedFrames: Int
    var nextChained: UnsafeMutablePointer<Entry>?
    var isChained: Bool
  }

  private typealias EntryPointer = UnsafeMutablePointer<Entry>
  private typealias Table = UnsafeMutablePointer<EntryPointer?>

  private var root: UnsafeMutablePointer<Table?>?
  private var firstChained: EntryPointer?

  public init() {}

  deinit {
    guard let root else { return }
    for high in 0..<tableLength {
      guard let table = root[high] else { continue }
      for low in 0..<tableLength {
        guard let entry = table[low] else { continue }
        ChannelPools.pool(of: entry).empty()
        free(entry)
      }
      free(table)
    }
    free(root)
  }

  /// The pool of a channel, made if need be; nil when there is no memory.
  ///
  /// Ask before each round of allocations and do not keep the pointer over a recycle: asking is what puts the channel
  /// into the chain.
  public mutating func pool(for channel: UInt16) -> UnsafeMutablePointer<amqp_pool_t>? {
    guard let entry = find(channel) ?? make(channel) else { return nil }
    enchain(entry)
    return ChannelPools.pool(of: entry)
  }

  /// The pool of a channel if there is one.
  public mutating func existing(_ channel: UInt16) -> UnsafeMutablePointer<amqp_pool_t>? {
    guard let entry = find(channel) else { return nil }
    enchain(entry)
    return ChannelPools.pool(of: entry)
  }

  public mutating func frameQueued(on channel: UInt16) {
    guard let entry = find(channel) ?? make(channel) else { return }
    entry.pointee.queuedFrames &+= 1
  }

  public mutating func frameDequeued(on channel: UInt16) {
    guard let entry = find(channel), entry.pointee.queuedFrames > 0 else { return }
    entry.pointee.queuedFrames &-= 1
  }

  public func queuedFrames(on channel: UInt16) -> Int { find(channel)?.pointee.queuedFrames ?? 0 }

  /// Whether or not frames are queued: that is for the caller to ask.
  public mutating func recycle(_ channel: UInt16) {
    guard let entry = find(channel) else { return }
    ChannelPools.recycle(ChannelPools.pool(of: entry))
  }

  /// Linear in the channels used since the last time.
  public mutating func recycleAll(exceptQueued: Bool) {
    var entry = firstChained
    firstChained = nil
    while let current = entry {
      entry = current.pointee.nextChained
      if exceptQueued, current.pointee.queuedFrames > 0 {
        chain(current)
      } else if ChannelPools.recycle(ChannelPools.pool(of: current)) {
        chain(current)
      } else {
        current.pointee.isChained = false
        current.pointee.nextChained = nil
      }
    }
  }

  /// False for a pool that was not used since the last time: it owns nothing any more.
  @discardableResult
  private static func recycle(_ pool: UnsafeMutablePointer<amqp_pool_t>) -> Bool {
    guard pool.isInUse else {
      pool.empty()
      return false
    }
    pool.recycle(keepingPages: keptPages)
    return true
  }

  private mutating func enchain(_ entry: EntryPointer) {
    if !entry.pointee.isChained { chain(entry) }
  }

  private mutating func chain(_ entry: EntryPointer) {
    entry.pointee.isChained = true
    entry.pointee.nextChained = firstChained
    firstChained = entry
  }

  @inline(__always) private func find(_ channel: UInt16) -> EntryPointer? {
    root?[Int(channel >> 8)]?[Int(channel & 0xff)]
  }

  private mutating func make(_ channel: UInt16) -> EntryPointer? {
    if root == nil {
      let size = MemoryLayout<Table?>.stride
      root = calloc(tableLength, size)?.bindMemory(to: Table?.self, capacity: tableLength)
    }
    guard let root else { return nil }
    let high = Int(channel >> 8)
    if root[high] == nil {
      let size = MemoryLayout<EntryPointer?>.stride
      root[high] = calloc(tableLength, size)?.bindMemory(to: EntryPointer?.self, capacity: tableLength)
    }
    guard let table = root[high], let memory = malloc(MemoryLayout<Entry>.size) else { return nil }
    let entry = memory.bindMemory(to: Entry.self, capacity: 1)
    entry.initialize(to: Entry(pool: amqp_pool_t(), queuedFrames: 0, nextChained: nil, isChained: false))
    ChannelPools.pool(of: entry).initialize(pageSize: pageSize)
    table[Int(channel & 0xff)] = entry
    return entry
  }

  @inline(__always) private static func pool(of entry: EntryPointer) -> UnsafeMutablePointer<amqp_pool_t> {
    // The pool is the first field of the entry, at its very address.
    UnsafeMutableRawPointer(entry).assumingMemoryBound(to: amqp_pool_t.self)
  }
}
