// From the octets of a stream, in whatever pieces they come, to frames.
//
//      memory            consumed            filled                capacity
//        |  handed out     |  not looked at    |  room()             |
//        +-----------------+-------------------+---------------------+
//
// The reader asks for `room`, puts octets there, says how many (`filled`), and takes frames with `next` until it answers
// `incomplete`. A frame is never copied: a view lies in the buffer, and holds until the next `room`, which alone moves
// octets. There is one buffer. It is made at first use, grows so that the frame in progress fits, and shrinks again when
// nothing large has come for a while. A frame's size is what the peer says: beyond `trustedOctets` the buffer
// grows with what has arrived, not with what was announced.
//
// A reader with many connections lends them all one buffer: `borrow` before it reads, `settle` when it is done. What is left
// then, a part of a frame as a rule, moves to a buffer of the assembler's own, which goes when the rest has come.
//
// A large body frame may also be taken in parts, as they come: each leaves a shorter frame behind (`shorten`), so that whatever
// happens then, it finds frames.
//
// What is malformed stays so: there is no way to find the next frame behind a broken one.
import CMemory
public import CRabbitMQ

/// A frame as it lies in the assembler's buffer. A protocol header has the type `Frame.protocolHeaderType` and its eight
/// octets as payload.
public struct FrameView {
  public let type: UInt8
  public let channel: amqp_channel_t
  public let payload: UnsafeRawBufferPointer

  @inline(__always)
  public init(type: UInt8, channel: amqp_channel_t, payload: UnsafeRawBufferPointer) {
    self.type = type
    self.channel = channel
    self.payload = payload
  }
}

public enum Assembly {
  case frame(FrameView)
  case incomplete
  case protocolHeader(FrameView)
  case malformed
}

/// A body frame of which a part is missing.
public struct PartialBody {
  public let channel: amqp_channel_t
  /// The part of the payload that has arrived. A view.
  public let arrived: UnsafeRawBufferPointer
  /// Octets of payload that are still to come.
  public let missing: Int
}

public struct FrameAssembler: ~Copyable {
  /// Octets that a buffer starts with and shrinks to.
  public static var initialCapacity: Int { 16 * 1024 }
  /// Octets that a buffer grows to while reads fill it: fewer reads, each for more.
  public static var streamingCapacity: Int { 128 * 1024 }
  /// Octets that are taken on trust when a frame announces them.
  public static var trustedOctets: Int { 1024 * 1024 }
  /// Times in a row that a large buffer is found empty and too large before it shrinks.
  static var patience: Int { 32 }

  private var memory: UnsafeMutableRawPointer?
  private var capacity = 0
  private var consumed = 0
  private var end = 0
  /// Octets that the frame in progress takes as a whole, as far as known: at least its header.
  private var wanted = Frame.headerSize
  private var isMalformed = false
  /// A protocol header can only be the first thing that a server sends.
  public private(set) var hasSeenFrame = false
  private var roomsWithoutNeed = 0
  /// Whether the memory is somebody else's.
  private var isBorrowed = false

  public init() {}

  deinit { if !isBorrowed { free(memory) } }

  /// Octets that have arrived and are not handed out.
  @inline(__always) public var bufferedBytes: Int { end &- consumed }

  /// Them, for a look. Ends like a view.
  public var buffered: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: memory.map { UnsafeRawPointer($0) + consumed }, count: bufferedBytes)
  }

  /// Whether part of a frame has arrived, as of the last `next`.
  @inline(__always) public var isMidFrame: Bool { end > consumed }

  /// Octets that are missing to the frame in progress, as far as it is known: first to the end of its header, then to its
  /// own end. 0 when it is there.
  public var missingBytes: Int { max(wanted &- bufferedBytes, 0) }

  /// Forgets what has arrived, for another connection. The buffer stays.
  public mutating func reset() {
    consumed = 0
    end = 0
    wanted = Frame.headerSize
    isMalformed = false
    hasSeenFrame = false
  }

  /// Uses a buffer of the reader's until `settle`. What has arrived of a frame moves there, if the frame fits.
  public mutating func borrow(_ buffer: UnsafeMutableRawBufferPointer) {
    guard !isBorrowed, let base = buffer.baseAddress, max(wanted, bufferedBytes) < buffer.count else { return }
    let count = bufferedBytes
    if let memory, count > 0 { memcpy(base, memory + consumed, count) }
    free(memory)
    (memory, capacity, consumed, end) = (base, buffer.count, 0, count)
    isBorrowed = true
  }

  /// Leaves the buffer of the reader's, and has none of its own unless something is left. False when there is no memory for what is left in it: the stream cannot go on.
  public mutating func settle() -> Bool {
    let count = bufferedBytes
    guard count > 0 else {
      dropMemory()
      return true
    }
    guard isBorrowed else { return true }
    guard let own = malloc(count) else { return false }
    if let memory { memcpy(own, memory + consumed, count) }
    (memory, capacity, consumed, end) = (own, count, 0, count)
    isBorrowed = false
    return true
  }

  /// Forgets what has arrived, and has no memory any more.
  public mutating func abandon() {
    reset()
    dropMemory()
  }

  /// There is nothing in it.
  private mutating func dropMemory() {
    if !isBorrowed { free(memory) }
    isBorrowed = false
    (memory, capacity, consumed, end) = (nil, 0, 0, 0)
  }

  /// Where to put what arrives next: at least one octet, enough for the frame in progress if that is small; nil when there
  /// is no memory. Ends the life of all views.
  ///
  /// `elsewhere`: octets of the frame in progress that will not come here.
  public mutating func room(elsewhere: Int = 0) -> UnsafeMutableRawBufferPointer? {
    let wanted = wanted &- elsewhere
    let wasFilled = end == capacity && capacity > 0
    if consumed == end { restart() }
    // A small rest of room would mean many small reads. What is moved is less than a frame, and only once per frame.
    if consumed > 0, capacity &- end < capacity / 2 || wanted > capacity &- consumed { compact() }
    if end == capacity || wanted > capacity &- consumed || wasFilled && capacity < Self.streamingCapacity {
      guard grow(for: wanted) else { return nil }
    }
    guard let memory, end < capacity else { return nil }
    return UnsafeMutableRawBufferPointer(start: memory + end, count: capacity &- end)
  }

  /// So many octets were put into the room.
  @inline(__always)
  public mutating func filled(_ count: Int) {
    end = end &+ min(max(count, 0), capacity &- end)
  }

  @inline(__always)
  public mutating func next(frameMax: UInt32, channelMax: UInt16) -> Assembly {
    let available = end &- consumed
    guard available >= Frame.headerSize, !isMalformed, let memory else {
      return nextWithoutHeader(available)
    }
    let start = UnsafeRawPointer(memory) + consumed
    let type = start.load(as: UInt8.self)
    let channel = UInt16(bigEndian: start.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
    let size = UInt32(bigEndian: start.loadUnaligned(fromByteOffset: 3, as: UInt32.self))
    guard
      Self.isWellFormed(type: type, channel: channel, size: size, frameMax: frameMax, channelMax: channelMax)
    else { return nextOutOfForm(type, available) }
    let whole = Int(size) &+ Frame.overhead
    guard available >= whole else {
      wanted = whole
      return .incomplete
    }
    guard (start + (whole &- 1)).load(as: UInt8.self) == Frame.endOctet else { return malformed() }
    consumed = consumed &+ whole
    wanted = Frame.headerSize
    hasSeenFrame = true
    return .frame(
      FrameView(
        type: type, channel: channel,
        payload: UnsafeRawBufferPointer(start: start + Frame.headerSize, count: Int(size))))
  }

  /// The body frame that `next` found incomplete, if it did and that was one.
  public var partialBody: PartialBody? {
    let arrived = bufferedBytes &- Frame.headerSize
    let missing = wanted &- Frame.overhead &- arrived
    guard arrived >= 0, missing > 0, !isMalformed, let memory else { return nil }
    let start = UnsafeRawPointer(memory) + consumed
    guard start.load(as: UInt8.self) == Frame.body else { return nil }
    return PartialBody(
      channel: UInt16(bigEndian: start.loadUnaligned(fromByteOffset: 1, as: UInt16.self)),
      arrived: UnsafeRawBufferPointer(start: start + Frame.headerSize, count: arrived), missing: missing)
  }

  /// The first octets of the partial body frame have been taken, those in the buffer before those that never came here. What
  /// is left is a shorter frame. The last octet of payload cannot be taken so: it comes with the frame's end.
  public mutating func shorten(by count: Int) {
    guard let memory, let partial = partialBody, count > 0, count < partial.arrived.count &+ partial.missing else {
      return
    }
    let cut = min(count, partial.arrived.count)
    memmove(memory + (consumed &+ cut), memory + consumed, Frame.headerSize)
    consumed = consumed &+ cut
    wanted = wanted &- count
    let size = UInt32(truncatingIfNeeded: wanted &- Frame.overhead)
    (memory + consumed).storeBytes(of: size.bigEndian, toByteOffset: 3, as: UInt32.self)
  }

  /// Makes the frame that `next` answered last the next one again; only before the next `room`.
  public mutating func putBack(_ view: FrameView) {
    let isProtocolHeader = view.type == Frame.protocolHeaderType
    let whole = view.payload.count &+ (isProtocolHeader ? 0 : Frame.overhead)
    consumed = max(consumed &- whole, 0)
    // It was the first thing in the stream, and is to be so again.
    if isProtocolHeader { hasSeenFrame = false }
  }

  @inline(__always)
  private static func isWellFormed(
    type: UInt8, channel: UInt16, size: UInt32, frameMax: UInt32, channelMax: UInt16
  ) -> Bool {
    guard channel <= channelMax, frameMax == 0 || Int(size) <= Int(frameMax) &- Frame.overhead else { return false }
    switch type {
    case Frame.body: return true
    case Frame.method: return size >= UInt32(Frame.methodHeaderSize)
    case Frame.header: return size >= UInt32(Frame.contentHeaderSize)
    case Frame.heartbeat: return size == 0 && channel == 0
    default: return false
    }
  }

  /// Fewer octets than a frame's header: wait, unless they already cannot become a protocol header.
  @inline(never)
  private mutating func nextWithoutHeader(_ available: Int) -> Assembly {
    if isMalformed { return .malformed }
    wanted = Frame.headerSize
    guard available > 0, let memory, (memory + consumed).load(as: UInt8.self) == Frame.protocolHeaderType else {
      return .incomplete
    }
    return nextOutOfForm(Frame.protocolHeaderType, available)
  }

  /// What is not a frame is a protocol header at the start of the stream, or malformed.
  @inline(never)
  private mutating func nextOutOfForm(_ type: UInt8, _ available: Int) -> Assembly {
    guard type == Frame.protocolHeaderType, !hasSeenFrame, let memory else { return malformed() }
    let start = UnsafeRawPointer(memory) + consumed
    let magic: StaticString = "AMQP"
    guard memcmp(start, magic.utf8Start, min(available, magic.utf8CodeUnitCount)) == 0 else { return malformed() }
    guard available >= Frame.protocolHeaderSize else {
      wanted = Frame.protocolHeaderSize
      return .incomplete
    }
    consumed = consumed &+ Frame.protocolHeaderSize
    wanted = Frame.headerSize
    hasSeenFrame = true
    return .protocolHeader(
      FrameView(
        type: Frame.protocolHeaderType, channel: 0,
        payload: UnsafeRawBufferPointer(start: start, count: Frame.protocolHeaderSize)))
  }

  private mutating func malformed() -> Assembly {
    isMalformed = true
    return .malformed
  }

  // MARK: The buffer

  private mutating func compact() {
    guard let memory else { return }
    let count = end &- consumed
    memmove(memory, memory + consumed, count)
    consumed = 0
    end = count
  }

  /// Nothing is consumed yet. Makes room for the frame in progress, or for more of it.
  private mutating func grow(for wanted: Int) -> Bool {
    var needed = max(Self.initialCapacity, min(wanted, Self.trustedOctets))
    // Full of frames that nobody has taken yet, or filled by the last read without need.
    if end == capacity || wanted <= capacity {
      let (doubled, overflow) = capacity.multipliedReportingOverflow(by: 2)
      guard !overflow else { return false }
      needed = max(needed, wanted > capacity ? min(wanted, doubled) : doubled)
    }
    guard needed > capacity else { return true }
    if isBorrowed { return outgrowBorrowed(needed) }
    guard let grown = realloc(memory, needed) else { return false }
    memory = grown
    capacity = needed
    return true
  }

  private mutating func outgrowBorrowed(_ needed: Int) -> Bool {
    guard let own = malloc(needed) else { return false }
    let count = bufferedBytes
    if let memory { memcpy(own, memory + consumed, count) }
    (memory, capacity, consumed, end) = (own, needed, 0, count)
    isBorrowed = false
    return true
  }

  /// The buffer is empty: the next octets go to its start.
  private mutating func restart() {
    let used = end
    consumed = 0
    end = 0
    guard capacity > Self.initialCapacity, !isBorrowed else { return }
    // A stream of large frames must not pay for a new buffer each time: only a run of small ones gives it back.
    roomsWithoutNeed = used > Self.initialCapacity ? 0 : roomsWithoutNeed &+ 1
    guard roomsWithoutNeed >= Self.patience else { return }
    roomsWithoutNeed = 0
    free(memory)
    memory = nil
    capacity = 0
  }
}
