import CRabbitMQ
import Testing

@testable import AMQPBase

@Suite struct ChannelPoolsTests {
  @Test func poolsAreMadeWhenAskedFor() throws {
    let pools = TestPools()
    #expect(pools.existing(0) == nil)
    #expect(pools.existing(513) == nil)
    let pool = try #require(pools.pool(for: 513))
    #expect(pools.existing(513) == pool)
    #expect(pools.pool(for: 513) == pool)
    #expect(pools.existing(512) == nil, "nor its neighbours")
    #expect(pools.existing(514) == nil)
    #expect(pools.existing(1) == nil)
    #expect(pool.pages == 0, "nor any page")
  }

  @Test func everyChannelHasItsOwn() {
    let pools = TestPools()
    var all: Set<UInt> = []
    for channel in UInt16.min ... .max {
      guard let pool = pools.pool(for: channel) else { continue }
      all.insert(UInt(bitPattern: pool))
    }
    #expect(all.count == 65_536)
    let first = pools.pool(for: 0)?.allocate(8)
    let last = pools.pool(for: .max)?.allocate(8)
    #expect(first != nil && last != nil && first != last)
    #expect(pools.existing(1)?.pages == 0 && pools.existing(.max)?.pages == 1)
  }

  /// Frames point into it.
  @Test func aPoolNeverMoves() throws {
    let pools = TestPools()
    let pool = try #require(pools.pool(for: 7))
    for channel in UInt16(0)..<2_000 { _ = pools.pool(for: channel) }
    pools.recycleAll(exceptQueued: true)
    pools.recycleAll(exceptQueued: true)
    #expect(pools.pool(for: 7) == pool)
  }

  // MARK: Queued frames

  @Test func queuedFramesAreCountedByChannel() {
    let pools = TestPools()
    #expect(pools.queuedFrames(on: 3) == 0)
    pools.frameQueued(on: 3)
    pools.frameQueued(on: 3)
    pools.frameQueued(on: 259)
    #expect(pools.queuedFrames(on: 3) == 2)
    #expect(pools.queuedFrames(on: 259) == 1)
    #expect(pools.queuedFrames(on: 4) == 0)
    pools.frameDequeued(on: 3)
    #expect(pools.queuedFrames(on: 3) == 1)
    #expect(pools.queuedFrames(on: 259) == 1)
  }

  @Test func theCountStopsAtZero() {
    let pools = TestPools()
    pools.frameDequeued(on: 3)
    #expect(pools.queuedFrames(on: 3) == 0)
    #expect(pools.existing(3) == nil)
    pools.frameQueued(on: 3)
    pools.frameDequeued(on: 3)
    pools.frameDequeued(on: 3)
    pools.frameQueued(on: 3)
    #expect(pools.queuedFrames(on: 3) == 1)
  }

  // MARK: One channel

  @Test func recyclingOneChannelLeavesTheOthers() throws {
    let pools = TestPools()
    let (one, two) = (try #require(pools.pool(for: 1)), try #require(pools.pool(for: 2)))
    _ = (one.allocate(4096), one.allocate(4096), two.allocate(8))
    pools.recycle(1)
    #expect(!one.isInUse && one.pages == 1)
    #expect(two.isInUse)
    pools.recycle(999)
    #expect(pools.existing(999) == nil)
  }

  /// The caller asks first.
  @Test func recyclingOneChannelDoesNotAskForQueuedFrames() throws {
    let pools = TestPools()
    let pool = try #require(pools.pool(for: 1))
    _ = pool.allocate(8)
    pools.frameQueued(on: 1)
    pools.recycle(1)
    #expect(!pool.isInUse)
    #expect(pools.queuedFrames(on: 1) == 1)
  }

  /// A program that never recycles all its channels at once shall not keep a page for each of them.
  @Test func aChannelThatWasNotUsedSinceGivesItsLastPageBack() throws {
    let pools = TestPools()
    let pool = try #require(pools.pool(for: 1))
    _ = pool.allocate(8)
    pools.recycle(1)
    #expect(pool.pages == 1)
    pools.recycle(1)
    #expect(pool.pages == 0)
    _ = try #require(pools.pool(for: 1)).allocate(8)
    #expect(pool.pages == 1)
    pools.recycleAll(exceptQueued: true)
    #expect(!pool.isInUse, "it is still among those that are walked")
  }

  // MARK: All channels

  @Test func aBurstIsForgottenAtOnceAndTheLastPageOneWalkLater() throws {
    let pools = TestPools()
    let pool = try #require(pools.pool(for: 1))
    for _ in 0..<10 { _ = (pool.allocate(4096), pool.allocate(100_000)) }
    #expect(pool.pages == 10)
    pools.recycleAll(exceptQueued: true)
    #expect(pool.pages == 1 && pool.pointee.large_blocks.num_blocks == 0)
    #expect(!pool.isInUse)
    pools.recycleAll(exceptQueued: true)
    #expect(pool.pages == 0)
  }

  @Test func aChannelInUseKeepsItsPage() throws {
    let pools = TestPools()
    var page: UnsafeMutableRawPointer?
    for round in 0..<10 {
      let memory = try #require(pools.pool(for: 1)).allocate(8)
      if round > 0 { #expect(memory == page, "no malloc for each message") }
      page = memory
      pools.recycleAll(exceptQueued: true)
    }
  }

  @Test func askingAgainBeforeAWalkChangesNothing() throws {
    let pools = TestPools()
    for channel in [1, 2, 1, 1, 3, 2] as [UInt16] { _ = try #require(pools.pool(for: channel)).allocate(8) }
    _ = pools.existing(2)
    pools.recycleAll(exceptQueued: true)
    for channel in 1...3 as ClosedRange<UInt16> { #expect(pools.existing(channel)?.pages == 1, "visited once") }
    pools.recycleAll(exceptQueued: true)
    for channel in 1...3 as ClosedRange<UInt16> { #expect(pools.existing(channel)?.pages == 0) }
  }

  @Test func channelsWithQueuedFramesAreSparedAndSeenLater() throws {
    let pools = TestPools()
    let (one, two) = (try #require(pools.pool(for: 1)), try #require(pools.pool(for: 2)))
    _ = (one.allocate(8), two.allocate(8))
    pools.frameQueued(on: 1)
    for _ in 0..<3 { pools.recycleAll(exceptQueued: true) }
    #expect(one.isInUse && one.pages == 1)
    #expect(!two.isInUse && two.pages == 0)
    pools.frameDequeued(on: 1)
    pools.recycleAll(exceptQueued: true)
    #expect(!one.isInUse && one.pages == 1)
    pools.recycleAll(exceptQueued: true)
    #expect(one.pages == 0)
  }

  @Test func withoutExceptionQueuedChannelsGoToo() throws {
    let pools = TestPools()
    let pool = try #require(pools.pool(for: 1))
    _ = pool.allocate(8)
    pools.frameQueued(on: 1)
    pools.recycleAll(exceptQueued: false)
    #expect(!pool.isInUse)
    #expect(pools.queuedFrames(on: 1) == 1)
  }

  @Test func aPoolThatWasTakenOutComesBack() throws {
    let pools = TestPools()
    let pool = try #require(pools.pool(for: 1))
    for ask in [true, false, true, false] {
      for _ in 0..<2 { pools.recycleAll(exceptQueued: true) }
      let again = try #require(ask ? pools.pool(for: 1) : pools.existing(1))
      #expect(again == pool)
      #expect(again.allocate(8) != nil)
      #expect(pool.isInUse && pool.pages == 1)
      pools.recycleAll(exceptQueued: true)
      #expect(!pool.isInUse)
    }
  }

  @Test func manyChannelsAreAllRecycled() throws {
    let pools = TestPools()
    let channels = stride(from: UInt16(0), to: 60_000, by: 7)
    for channel in channels { _ = pools.pool(for: channel)?.allocate(8) }
    for channel in channels where channel % 2 == 0 { pools.frameQueued(on: channel) }
    pools.recycleAll(exceptQueued: true)
    let left = channels.filter { pools.existing($0)?.isInUse == true }
    #expect(left == channels.filter { $0 % 2 == 0 })
  }

  /// Seen by what a walk does not find: memory taken from a pool that nobody has asked for since it was taken out.
  @Test func idleChannelsAreNotWalked() throws {
    let pools = TestPools()
    let idle = try #require(pools.pool(for: 1))
    pools.recycleAll(exceptQueued: true)
    _ = idle.allocate(8)
    for _ in 0..<3 {
      _ = pools.pool(for: 2)?.allocate(8)
      pools.recycleAll(exceptQueued: true)
    }
    #expect(idle.isInUse)
    _ = pools.pool(for: 1)
    pools.recycleAll(exceptQueued: true)
    #expect(!idle.isInUse)
  }
}
