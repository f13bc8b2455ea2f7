import CMemory
import CRabbitMQ

@testable import AMQPBase

/// A pool where a program would have it, emptied with its test.
final class TestPool {
  let pointer: UnsafeMutablePointer<amqp_pool_t>

  init(pageSize: Int = 4096) {
    pointer = .allocate(capacity: 1)
    pointer.initialize(pageSize: pageSize)
  }

  deinit {
    pointer.empty()
    pointer.deallocate()
  }

  var pages: Int32 { pointer.pointee.pages.num_blocks }
  var largeBlocks: Int32 { pointer.pointee.large_blocks.num_blocks }

  /// Where the page now handed out from is.
  var page: UInt { UInt(bitPattern: pointer.pointee.alloc_block) }

  func allocate(_ count: Int) -> UnsafeMutableRawPointer? { pointer.allocate(count) }
  func address(_ count: Int) -> UInt { UInt(bitPattern: pointer.allocate(count)) }
}

/// The pools of a connection. A value that cannot be copied is none for the testing macros.
final class TestPools {
  private var pools = ChannelPools()

  func pool(for channel: UInt16) -> UnsafeMutablePointer<amqp_pool_t>? { pools.pool(for: channel) }
  func existing(_ channel: UInt16) -> UnsafeMutablePointer<amqp_pool_t>? { pools.existing(channel) }
  func frameQueued(on channel: UInt16) { pools.frameQueued(on: channel) }
  func frameDequeued(on channel: UInt16) { pools.frameDequeued(on: channel) }
  func queuedFrames(on channel: UInt16) -> Int { pools.queuedFrames(on: channel) }
  func recycle(_ channel: UInt16) { pools.recycle(channel) }
  func recycleAll(exceptQueued: Bool) { pools.recycleAll(exceptQueued: exceptQueued) }
}

extension UnsafeMutablePointer where Pointee == amqp_pool_t {
  var pages: Int32 { pointee.pages.num_blocks }
}

func isAllZero(_ start: UnsafeMutableRawPointer, _ count: Int) -> Bool {
  UnsafeRawBufferPointer(start: start, count: count).allSatisfy { $0 == 0 }
}

func text(_ value: StaticString) -> String { "\(value)" }

/// Leaves freed memory of a size behind that is not zero, for a careless allocation to pick up.
func soilHeap(_ size: Int) {
  let blocks = (0..<8).map { _ in malloc(size)! }
  for block in blocks { memset(block, 0xA5, size) }
  for block in blocks { free(block) }
}
