import CMemory
import CRabbitMQ
import Testing

@testable import AMQPBase

@Suite struct PoolTests {
  @Test func aNewPoolOwnsNothing() {
    let pool = TestPool(pageSize: 100)
    #expect(pool.pointer.pointee.pagesize == 100)
    #expect(pool.pages == 0 && pool.largeBlocks == 0)
    #expect(pool.pointer.pointee.pages.blocklist == nil && pool.pointer.pointee.large_blocks.blocklist == nil)
    #expect(pool.page == 0)
    #expect(!pool.pointer.isInUse)
  }

  @Test func aPageSizeOfZeroLeavesTheChoice() {
    let pool = TestPool(pageSize: 0)
    #expect(pool.pointer.pointee.pagesize == 4096)
    #expect(pool.allocate(4096) != nil)
    #expect(pool.pages == 1 && pool.largeBlocks == 0)
  }

  // MARK: Pages

  @Test func everythingStartsAtAMultipleOfEight() {
    let pool = TestPool(pageSize: 1000)
    var last: UInt = 0
    for count in (1...40).map({ $0 }) + [999, 1000, 1001, 5000, 5001] {
      let address = pool.address(count)
      #expect(address != 0 && address % 8 == 0, "\(count)")
      #expect(address != last)
      last = address
    }
  }

  @Test func neighboursDoNotOverlap() {
    let pool = TestPool()
    let first = pool.address(1)
    #expect(pool.address(8) == first + 8)
    #expect(pool.address(9) == first + 16)
    #expect(pool.address(1) == first + 32)
    #expect(pool.pointer.pointee.alloc_used == 40)
  }

  @Test func aPageIsUsedUpToItsLastByte() {
    let pool = TestPool(pageSize: 64)
    for _ in 0..<8 { #expect(pool.allocate(8) != nil) }
    #expect(pool.pages == 1 && pool.pointer.pointee.alloc_used == 64)
    #expect(pool.allocate(1) != nil)
    #expect(pool.pages == 2 && pool.pointer.pointee.alloc_used == 8)
  }

  /// Whether a request fits into a page is asked after rounding: 97 bytes take 104.
  @Test func whatFitsNoPageIsALargeBlock() {
    let pool = TestPool(pageSize: 100)
    _ = pool.allocate(96)
    #expect(pool.pages == 1 && pool.largeBlocks == 0)
    _ = pool.allocate(97)
    #expect(pool.pages == 1 && pool.largeBlocks == 1)
    let whole = TestPool(pageSize: 104)
    _ = whole.allocate(104)
    #expect(whole.pages == 1 && whole.largeBlocks == 0)
    _ = whole.allocate(105)
    #expect(whole.pages == 1 && whole.largeBlocks == 1)
  }

  /// A page of 100 bytes has room for 12 times 8; what is left is never handed out.
  @Test func nothingReachesOverTheEndOfAnOddPage() {
    let pool = TestPool(pageSize: 100)
    _ = pool.allocate(96)
    _ = pool.allocate(3)
    #expect(pool.pages == 2 && pool.pointer.pointee.alloc_used == 8)
  }

  @Test func aLargeBlockLeavesThePageInUse() {
    let pool = TestPool(pageSize: 64)
    let first = pool.address(8)
    _ = pool.allocate(1000)
    #expect(pool.address(8) == first + 8)
  }

  @Test func growsOverThousandsOfPages() {
    let pool = TestPool(pageSize: 16)
    var all: Set<UInt> = []
    for index in 0..<5_000 {
      let memory = pool.allocate(16)
      memory?.storeBytes(of: UInt64(index), as: UInt64.self)
      all.insert(UInt(bitPattern: memory))
    }
    #expect(all.count == 5_000 && !all.contains(0))
    #expect(pool.pages == 5_000)
    let kept = (0..<5_000).allSatisfy { index in
      pool.pointer.pointee.pages.blocklist[index]?.load(as: UInt64.self) == UInt64(index)
    }
    #expect(kept, "no page is lost while the list grows")
  }

  @Test(arguments: [3, 4, 5, 7, 8, 9, 15, 16, 17, 64, 65] as [Int32])
  func theListOfLargeBlocksGrowsWithoutLoss(count: Int32) {
    let pool = TestPool(pageSize: 8)
    let addresses = (0..<count).map { _ in pool.address(100) }
    #expect(pool.largeBlocks == count)
    let listed = (0..<Int(count)).map { UInt(bitPattern: pool.pointer.pointee.large_blocks.blocklist[$0]) }
    #expect(listed == addresses)
    #expect(pool.pages == 0)
  }

  @Test func pagesComeZeroed() {
    soilHeap(2048)
    let pool = TestPool(pageSize: 2048)
    for _ in 0..<8 { #expect(pool.allocate(2048).map { isAllZero($0, 2048) } == true) }
  }

  @Test func largeBlocksComeZeroedWhereAsked() {
    soilHeap(3000)
    let pool = TestPool(pageSize: 64)
    for _ in 0..<8 { #expect(pool.pointer.allocateZeroed(3000).map { isAllZero($0, 3000) } == true) }
    #expect(pool.largeBlocks == 8)
  }

  // MARK: Recycling

  @Test func recyclingKeepsPagesAndHandsThemOutInTheirOrder() {
    let pool = TestPool(pageSize: 64)
    let first = (0..<5).map { _ in pool.address(64) }
    pool.pointer.recycle()
    #expect(pool.pages == 5)
    #expect(!pool.pointer.isInUse)
    #expect(pool.pointer.pointee.next_page == 0 && pool.pointer.pointee.alloc_used == 0)
    #expect((0..<5).map { _ in pool.address(64) } == first)
    #expect(pool.pages == 5)
    _ = pool.allocate(64)
    #expect(pool.pages == 6)
  }

  @Test func recyclingFreesLargeBlocks() {
    let pool = TestPool(pageSize: 64)
    for _ in 0..<9 { _ = pool.allocate(1000) }
    #expect(pool.pointer.isInUse)
    pool.pointer.recycle()
    #expect(pool.largeBlocks == 0 && pool.pointer.pointee.large_blocks.blocklist == nil)
    #expect(!pool.pointer.isInUse)
  }

  @Test(arguments: [(0, 0), (1, 1), (3, 3), (4, 4), (8, 8), (9, 9), (10, 9), (.max, 9), (-1, 0)] as [(Int32, Int32)])
  func recyclingKeepsAsManyPagesAsAllowed(limit: Int32, kept: Int32) {
    let pool = TestPool(pageSize: 64)
    let first = (0..<9).map { _ in pool.address(64) }
    pool.pointer.recycle(keepingPages: limit)
    #expect(pool.pages == kept)
    #expect((pool.pointer.pointee.pages.blocklist == nil) == (kept == 0))
    // A list that was shortened grows again without loss.
    let second = (0..<20).map { _ in pool.address(64) }
    #expect(Array(second[..<Int(kept)]) == Array(first[..<Int(kept)]))
    #expect(Set(second).count == 20)
    #expect(pool.pages == 20)
  }

  @Test func emptyingFreesAllAndThePoolGoesOn() {
    let pool = TestPool(pageSize: 64)
    for _ in 0..<9 { _ = (pool.allocate(64), pool.allocate(1000)) }
    pool.pointer.empty()
    pool.pointer.empty()
    #expect(pool.pages == 0 && pool.pointer.pointee.pages.blocklist == nil)
    #expect(pool.largeBlocks == 0 && pool.pointer.pointee.large_blocks.blocklist == nil)
    #expect(!pool.pointer.isInUse)
    #expect(pool.allocate(64) != nil)
    #expect(pool.pages == 1)
  }

  /// What a program gets from memset or `= {0}` instead of init_amqp_pool.
  @Test func aPoolOfZerosIsAPool() {
    var pool = amqp_pool_t()
    withUnsafeMutablePointer(to: &pool) { pointer in
      pointer.recycle()
      pointer.empty()
      #expect(pointer.allocate(5) != nil)
      #expect(pointer.pointee.large_blocks.num_blocks == 1)
      pointer.empty()
    }
  }

  // MARK: What cannot be had

  @Test(arguments: [0, -1, -8, .min, .max, .max - 6, .max - 7, .max - 8, 1 << 62])
  func noMemoryLeavesThePoolAsItWas(count: Int) {
    let pool = TestPool(pageSize: 64)
    _ = (pool.allocate(8), pool.allocate(100))
    let (page, used) = (pool.page, pool.pointer.pointee.alloc_used)
    #expect(pool.allocate(count) == nil)
    #expect(pool.pointer.allocateZeroed(count) == nil)
    #expect(pool.pages == 1 && pool.largeBlocks == 1)
    #expect(pool.page == page && pool.pointer.pointee.alloc_used == used)
    #expect(pool.address(8) == page + 8)
  }

  @Test func noMemoryForTheFirstBlockLeavesNothingBehind() {
    let pool = TestPool(pageSize: 64)
    #expect(pool.allocate(.max - 8) == nil)
    #expect(pool.largeBlocks == 0)
    #expect(!pool.pointer.isInUse)
    for _ in 0..<5 { #expect(pool.allocate(100) != nil) }
    #expect(pool.largeBlocks == 5)
  }

  /// `(size_t)-1`: no request is larger than such a page, and no memory holds one.
  @Test(arguments: [-1, .min, .max, 1 << 62])
  func aPageSizeThatNoMemoryHoldsFails(pageSize: Int) {
    let pool = TestPool(pageSize: pageSize)
    #expect(pool.allocate(8) == nil)
    #expect(pool.pages == 0)
    #expect(!pool.pointer.isInUse)
  }

  // MARK: Copies

  @Test func copiesAreIndependent() throws {
    let pool = TestPool(pageSize: 64)
    for count in [1, 7, 64, 65, 5000] {
      var source = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
      let expected = source
      let copy = try #require(source.withUnsafeBytes { pool.pointer.copy($0) })
      source[0] = 99
      #expect(Array(copy.buffer) == expected)
      #expect(UInt(bitPattern: copy.bytes) % 8 == 0)
    }
  }

  @Test func aCopyOfNothingIsEmptyAndCostsNothing() throws {
    let pool = TestPool()
    let copy = try #require(pool.pointer.copy(UnsafeRawBufferPointer(start: nil, count: 0)))
    #expect(copy.len == 0 && copy.bytes == nil)
    #expect(!pool.pointer.isInUse && pool.pages == 0)
  }

  /// The memory of a message: its property list first, then what is decoded from it.
  @Test(arguments: [(1, 64, 64), (9, 64, 64), (64, 64, 64), (61, 16, 64), (5000, 64, 5000)])
  func aPoolCanStartWithACopy(count: Int, pageSize: Int, page: Int) throws {
    let source = [UInt8](repeating: 7, count: count)
    let pool = TestPool()
    let copy = try #require(source.withUnsafeBytes { pool.pointer.initialize(pageSize: pageSize, holding: $0) })
    #expect(Array(copy.buffer) == source)
    #expect(pool.pages == 1 && pool.pointer.pointee.pagesize == page)
    #expect(pool.page == UInt(bitPattern: copy.bytes))
    let rest = UnsafeRawBufferPointer(start: copy.bytes, count: page)[count...]
    #expect(rest.allSatisfy { $0 == 0 })
    if page - count >= 8 { #expect(pool.address(8) == pool.page + UInt((count + 7) & ~7)) }
    #expect(pool.allocate(page) != nil)
    #expect(pool.pages == 2 && pool.largeBlocks == 0)
  }

  @Test func aPoolThatStartsWithNothingOwnsNothing() throws {
    let pool = TestPool()
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    let copy = try #require(pool.pointer.initialize(pageSize: 64, holding: nothing))
    #expect(copy.len == 0 && !pool.pointer.isInUse && pool.pages == 0)
  }

  @Test func noMemoryForACopyIsSaid() {
    let pool = TestPool(pageSize: -1)
    #expect([UInt8(1)].withUnsafeBytes { pool.pointer.copy($0) } == nil)
  }
}
