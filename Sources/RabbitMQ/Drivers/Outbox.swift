// What is on its way to the peer.
//
// A message is first encoded whole, or refused, into `buffer`: method frame, content header frame, and the header of the
// first body frame. A small body is copied behind them; a large one stays where the caller has it, and goes out by
// reference. The stream that results is
//
//   head | fragment 0 | seam | fragment 1 | seam | ... | last fragment | frame-end
//
// where a seam is the frame-end of one body frame and the header of the next: 8 octets, the same between all fragments
// but the last two. `position` says how much of that stream the socket has taken, so that a send can be taken up again
// at any octet; `gather` lays out what is left for one sendmsg.
//
// Small messages may be held instead of sent: they stay at the front of the head, and whatever is sent next takes them with
// it. A heartbeat that was cut by a full socket is part of the stream too: what is owed of it goes first.

import AMQPBase
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem
import Synchronization

/// Octets; below this a copy costs less than another piece for sendmsg to gather.
private let copiedBodyLimit = 2048
/// Pieces for one sendmsg. 62 of them are 31 fragments: 4 MB with the usual frame_max, more than a socket takes at once.
private let pieceLimit = 64
/// Octets of the buffer that the first message finds.
private let firstCapacity = 1024
/// Octets of held messages from which on they leave.
private let heldLimit = 65_536
/// Octets kept free behind the head for the two kinds of seam and the last frame-end.
private let seamRoom = 24

struct Outbox: ~Copyable {
  private var buffer: UnsafeMutablePointer<UInt8>?
  private var capacity = 0
  private var head = 0
  private var body = UnsafeRawBufferPointer(start: nil, count: 0)
  /// Octets of the body in each body frame but the last; 0 when nothing goes by reference.
  private var fragment = 0
  private var total = 0
  private var position = 0
  private var heartbeatOwed = 0
  private(set) var pieces: UnsafeMutablePointer<iovec>?
  /// Octets of the messages that are held.
  private var held = 0
  private let isHeld = Atomic<Bool>(false)

  init() {}

  deinit {
    free(buffer)
    free(pieces)
  }

  /// Whether the peer has part of a frame and waits for the rest.
  var isMidFrame: Bool { heartbeatOwed > 0 && heartbeatOwed < Frame.overhead || position > 0 && position < total }
  var isDone: Bool { heartbeatOwed == 0 && position == total }
  /// Whether messages are held. Any thread may ask.
  var isHolding: Bool {
    @inline(__always) get { isHeld.load(ordering: .relaxed) }
  }

  /// For another connection: the peer has nothing of a frame.
  mutating func reset() {
    clear()
    heartbeatOwed = 0
  }

  /// Forgets all messages, sent or not.
  @inline(__always)
  mutating func clear() {
    if held > 0 { release() }
    position = 0
    restart()
  }

  /// Forgets what was encoded behind the messages that are held, of which a part may have been sent.
  @inline(__always)
  private mutating func restart() {
    head = held
    total = held
    fragment = 0
  }

  /// Keeps what was just encoded for a later send. False when it is to leave now, with all that is held: its body goes by
  /// reference, or there is enough.
  mutating func hold() -> Bool {
    guard fragment == 0, head < heldLimit else { return false }
    if held == 0 { isHeld.store(true, ordering: .relaxed) }
    held = head
    return true
  }

  private mutating func release() {
    held = 0
    isHeld.store(false, ordering: .relaxed)
  }

  /// As `clear`, and nothing of it stays in memory.
  mutating func wipe() {
    clear()
    if let buffer { memset(buffer, 0, capacity) }
  }

  /// The frames of what was encoded, as they go out.
  func forEachFrame(_ use: (FrameView) -> Void) {
    guard let buffer else { return }
    let octets = UnsafeRawBufferPointer(start: buffer, count: head)
    var at = 0
    while at &+ Frame.headerSize <= head {
      let type = octets[at]
      if type == Frame.protocolHeaderType { return use(FrameView(type: type, channel: 0, payload: octets)) }
      let channel = UInt16(bigEndian: octets.loadUnaligned(fromByteOffset: at &+ 1, as: UInt16.self))
      let size = Int(UInt32(bigEndian: octets.loadUnaligned(fromByteOffset: at &+ 3, as: UInt32.self)))
      at &+= Frame.headerSize
      if at == head { return forEachFragment { use(FrameView(type: type, channel: channel, payload: $0)) } }
      guard size <= head &- at else { return }
      use(FrameView(type: type, channel: channel, payload: UnsafeRawBufferPointer(rebasing: octets[at..<(at &+ size)])))
      at &+= size &+ Frame.footerSize
    }
  }

  private func forEachFragment(_ use: (UnsafeRawBufferPointer) -> Void) {
    for index in 0..<fragmentCount {
      let start = index &* fragment
      use(UnsafeRawBufferPointer(rebasing: body[start..<min(start &+ fragment, body.count)]))
    }
  }

  // MARK: Encoding

  mutating func encode(method id: UInt32, _ decoded: UnsafeMutableRawPointer?, channel: UInt16, frameMax: UInt32)
    -> Status
  {
    restart()
    let status = encodeFrame {
      Frame.encodeMethod(id, decoded, channel: channel, frameMax: frameMax, into: &$0)
    }
    return sealed(status)
  }

  @inline(__always)
  mutating func encode<Method: WireMethod>(_ method: inout Method, channel: UInt16, frameMax: UInt32) -> Status {
    restart()
    let status = encodeFrame { Frame.encode(&method, channel: channel, frameMax: frameMax, into: &$0) }
    return sealed(status)
  }

  mutating func encode(_ frame: UnsafePointer<amqp_frame_t>, frameMax: UInt32) -> Status {
    restart()
    let status = encodeFrame { Frame.encode(frame, frameMax: frameMax, into: &$0) }
    return sealed(status)
  }

  mutating func encodeProtocolHeader() -> Status {
    restart()
    let status = encodeFrame { encoder in
      Frame.encodeProtocolHeader(into: &encoder)
      return encoder.failure
    }
    return sealed(status)
  }

  /// basic.publish with its content. The body is borrowed until the outbox is done.
  @inline(__always)
  mutating func encode(
    _ publish: inout amqp_basic_publish_t, properties: UnsafePointer<amqp_basic_properties_t>,
    body content: UnsafeRawBufferPointer, channel: UInt16, frameMax: UInt32
  ) -> Status {
    restart()
    var status = encodeFrame {
      Frame.encode(&publish, channel: channel, frameMax: frameMax, into: &$0)
    }
    guard status.isOK else { return sealed(status) }
    let bodySize = UInt64(truncatingIfNeeded: content.count)
    status = encodeFrame {
      Frame.encodeHeader(properties, bodySize: bodySize, channel: channel, frameMax: frameMax, into: &$0)
    }
    guard status.isOK else { return sealed(status) }
    return sealed(append(content, channel: channel, fragment: Int(frameMax) &- Frame.overhead))
  }

  private mutating func append(_ content: UnsafeRawBufferPointer, channel: UInt16, fragment limit: Int) -> Status {
    if content.count == 0 { return .ok }
    if content.count <= min(copiedBodyLimit, limit) {
      guard makeRoom(content.count &+ Frame.overhead) else { return .noMemory }
      var encoder = Encoder(room)
      Frame.bodyPrefix(channel: channel, count: UInt32(truncatingIfNeeded: content.count), &encoder)
      encoder.putBytes(content)
      encoder.put(Frame.endOctet)
      head &+= encoder.written
      return encoder.failure
    }
    guard makeRoom(Frame.headerSize) else { return .noMemory }
    body = content
    fragment = limit
    let last = content.count &- (fragmentCount &- 1) &* limit
    var encoder = Encoder(UnsafeMutableRawBufferPointer(start: buffer.map { $0 + head }, count: capacity &- head))
    Frame.bodyPrefix(channel: channel, count: UInt32(truncatingIfNeeded: min(limit, content.count)), &encoder)
    head &+= encoder.written
    encoder.put(Frame.endOctet)
    Frame.bodyPrefix(channel: channel, count: UInt32(truncatingIfNeeded: limit), &encoder)
    encoder.put(Frame.endOctet)
    Frame.bodyPrefix(channel: channel, count: UInt32(truncatingIfNeeded: last), &encoder)
    encoder.put(Frame.endOctet)
    return encoder.failure
  }

  private var fragmentCount: Int { fragment == 0 ? 0 : (body.count &+ fragment &- 1) / fragment }

  /// Fixes the length of the stream; of a message that was refused nothing is left to send.
  @inline(__always)
  private mutating func sealed(_ status: Status) -> Status {
    if status.isOK {
      total = head &+ (fragment == 0 ? 0 : body.count &+ (fragmentCount &- 1) &* Frame.overhead &+ 1)
    } else {
      restart()
    }
    return status
  }

  /// Encodes one frame behind the head. A frame that lacks room gets more, up to frame_max, before it is refused.
  @inline(__always)
  private mutating func encodeFrame(_ encode: (inout Encoder) -> Status) -> Status {
    var wanted = 0
    while true {
      guard makeRoom(wanted) else { return .noMemory }
      let room = room
      var encoder = Encoder(room)
      let status = encode(&encoder)
      if status.isOK {
        head &+= encoder.written
        return .ok
      }
      if !encoder.lackedRoom { return status }
      wanted = room.count &* 2
    }
  }

  private var room: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: buffer.map { $0 + head }, count: capacity &- seamRoom &- head)
  }

  /// Makes sure of `count` octets behind the head, besides those for the seams.
  @inline(__always)
  private mutating func makeRoom(_ count: Int) -> Bool {
    let (needed, overflow) = head.addingReportingOverflow(max(count, 64) &+ seamRoom)
    if overflow { return false }
    if needed <= capacity, pieces != nil { return true }
    return grow(to: needed)
  }

  @inline(never)
  private mutating func grow(to needed: Int) -> Bool {
    if pieces == nil, !makePieces() { return false }
    if needed <= capacity { return true }
    // Behind messages that are held come more of their kind.
    let size = max(needed, held > 0 ? min(capacity &* 2, heldLimit &* 2) : firstCapacity)
    guard let memory = realloc(buffer, size) else { return false }
    buffer = memory.assumingMemoryBound(to: UInt8.self)
    capacity = size
    return true
  }

  /// The pieces, and behind them the octets of a heartbeat, for a piece to point to.
  private mutating func makePieces() -> Bool {
    let size = pieceLimit &* MemoryLayout<iovec>.stride
    guard let memory = malloc(size &+ Frame.overhead) else { return false }
    pieces = memory.bindMemory(to: iovec.self, capacity: pieceLimit)
    var encoder = Encoder(UnsafeMutableRawBufferPointer(start: memory + size, count: Frame.overhead))
    Frame.encodeHeartbeat(into: &encoder)
    return true
  }

  // MARK: Sending

  /// Lays out what is left for one sendmsg, and says in how many pieces; in none only without memory.
  mutating func gather() -> Int {
    guard pieces != nil || makePieces(), let pieces else { return 0 }
    var count = 0
    if heartbeatOwed > 0 {
      let rest = UnsafeMutableRawPointer(pieces + pieceLimit) + (Frame.overhead &- heartbeatOwed)
      pieces[count] = iovec(iov_base: rest, iov_len: heartbeatOwed)
      count &+= 1
    }
    guard let buffer else { return count }
    var at = position
    if at < head {
      pieces[count] = iovec(iov_base: buffer + at, iov_len: head &- at)
      count &+= 1
      at = head
    }
    guard fragment > 0, let start = body.baseAddress else { return count }
    let lastFragment = fragmentCount &- 1
    while at < total, count &+ 1 < pieceLimit {
      let (index, offset) = (at &- head).quotientAndRemainder(dividingBy: fragment &+ Frame.overhead)
      let size = min(fragment, body.count &- index &* fragment)
      if offset < size {
        let piece = UnsafeMutableRawPointer(mutating: start) + (index &* fragment &+ offset)
        pieces[count] = iovec(iov_base: piece, iov_len: size &- offset)
        count &+= 1
        at &+= size &- offset
      }
      let taken = max(offset &- size, 0)
      let (seam, length) = index == lastFragment ? (16, 1) : index &+ 1 == lastFragment ? (8, 8) : (0, 8)
      pieces[count] = iovec(iov_base: buffer + head + seam + taken, iov_len: length &- taken)
      count &+= 1
      at &+= length &- taken
    }
    return count
  }

  /// The socket took `count` octets of what `gather` laid out.
  @inline(__always)
  mutating func advance(_ count: Int) {
    let owed = min(count, heartbeatOwed)
    heartbeatOwed &-= owed
    position &+= count &- owed
  }

  /// Owes the peer a heartbeat, or what is left of the one before. Messages that are held serve as well.
  mutating func beginHeartbeat() {
    if heartbeatOwed == 0, held == 0 { heartbeatOwed = Frame.overhead }
  }

  /// A heartbeat that was not begun need not follow; the rest of one that was must.
  mutating func withdrawHeartbeat() {
    if heartbeatOwed == Frame.overhead { heartbeatOwed = 0 }
  }
}
