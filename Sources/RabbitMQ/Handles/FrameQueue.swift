import CMemory
import CRabbitMQ

/// Frames that were decoded but not handed out yet, in wire order: a ring that grows by doubling.
///
/// The frames point into the pools of their channels; who adds or removes one keeps the count in `ChannelPools`.
struct FrameQueue: ~Copyable {
  private var frames: UnsafeMutablePointer<amqp_frame_t>?
  private var capacity = 0
  private var head = 0
  private(set) var count = 0

  /// Frames: a message put back takes three, and the one that was read another.
  private static var reserved: Int { 4 }

  init() {}

  deinit { free(frames) }

  var isEmpty: Bool { count == 0 }

  /// The frame at `index`, counted from the oldest; `index` is below `count`.
  @inline(__always)
  func frame(at index: Int) -> UnsafeMutablePointer<amqp_frame_t>? {
    guard index >= 0, index < count, let frames else { return nil }
    return frames + slot(index)
  }

  /// Makes sure of the room for what may follow from one frame off the wire. False when there is no memory; so no frame is taken
  /// that could not be kept.
  @inline(__always)
  mutating func reserve() -> Bool { capacity &- count >= Self.reserved || grow() }

  /// Into room that was reserved.
  mutating func append(_ frame: amqp_frame_t) {
    guard let frames, count < capacity else { return }
    (frames + slot(count)).initialize(to: frame)
    count &+= 1
  }

  /// Puts a frame back in front of all others, into room that was reserved or that it was just taken from.
  mutating func prepend(_ frame: amqp_frame_t) {
    guard let frames, count < capacity else { return }
    head = (head &+ capacity &- 1) & (capacity &- 1)
    (frames + head).initialize(to: frame)
    count &+= 1
  }

  /// Takes one frame out; those behind it move up.
  mutating func remove(at index: Int) -> amqp_frame_t? {
    guard index >= 0, index < count, let frames else { return nil }
    let frame = frames[slot(index)]
    if index == 0 {
      head = slot(1)
    } else {
      for position in index..<(count &- 1) { frames[slot(position)] = frames[slot(position &+ 1)] }
    }
    count &-= 1
    return frame
  }

  @inline(__always)
  private func slot(_ index: Int) -> Int { (head &+ index) & (capacity &- 1) }

  @inline(never)
  private mutating func grow() -> Bool {
    let stride = MemoryLayout<amqp_frame_t>.stride
    let (doubled, overflow) = max(capacity, 4).multipliedReportingOverflow(by: 2)
    guard !overflow, doubled <= Int.max / stride, let memory = malloc(doubled &* stride) else { return false }
    let grown = memory.bindMemory(to: amqp_frame_t.self, capacity: doubled)
    if let frames {
      for index in 0..<count { (grown + index).initialize(to: frames[slot(index)]) }
      free(frames)
    }
    frames = grown
    capacity = doubled
    head = 0
    return true
  }
}
