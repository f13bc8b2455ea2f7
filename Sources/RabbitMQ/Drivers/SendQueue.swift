// What an event connection still has to write: a list of pieces, written from the first on.
//
// A piece is a block of octets with room behind what it holds, so that frames are encoded where they are sent from: the
// messages of a turn of the loop lie in one piece and leave in one system call. Or it stands for octets of the program's, a
// body that was published by reference. Blocks of the common size go back to the loop's spares, so that publishing
// allocates nothing once it runs, and a connection that has nothing to write has no block.

import AMQPBase
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

/// Octets of the block that most pieces are.
private let blockCapacity = 65_536 - 128
/// Octets of room below which a frame goes to a new piece without a try.
private let smallestRoom = 64
/// Octets besides method and properties for which a message's first block has room.
private let headRoom = 1024

struct SendPiece {
  typealias Link = UnsafeMutablePointer<SendPiece>

  var next: Link?
  var octets: UnsafeMutablePointer<UInt8>
  /// Octets; equal to `end` where the octets are the program's.
  var capacity: Int
  var end = 0
  var position = 0
  /// A password: nothing of it stays in memory.
  var isSecret = false
  /// For the last piece of a body of the program's.
  var release: SendRelease?

  /// Whether the octets lie behind the piece and not with the program.
  static func isOwner(_ piece: Link) -> Bool {
    UnsafeMutableRawPointer(piece) + MemoryLayout<SendPiece>.stride == UnsafeMutableRawPointer(piece.pointee.octets)
  }
}

/// How a body that was published by reference goes back to the program.
struct SendRelease {
  var work: amqp_event_release
  var bytes: UnsafeMutableRawPointer?
  var length: Int
  var context: UnsafeMutableRawPointer?
}

/// Blocks of the common size that nobody uses, for all connections of a loop.
struct SpareBlocks: ~Copyable {
  private var first: SendPiece.Link?
  private var count = 0
  /// Blocks: what a burst leaves behind is bounded.
  private static var limit: Int { 16 }

  init() {}

  deinit {
    var piece = first
    while let current = piece {
      piece = current.pointee.next
      free(current)
    }
  }

  mutating func take(_ capacity: Int) -> SendPiece.Link? {
    if capacity <= blockCapacity, let piece = first {
      first = piece.pointee.next
      count &-= 1
      piece.initialize(to: SendPiece(next: nil, octets: piece.pointee.octets, capacity: blockCapacity))
      return piece
    }
    return SpareBlocks.make(max(capacity, blockCapacity))
  }

  /// A piece with room for so many octets and no more; nil without memory.
  static func make(_ capacity: Int) -> SendPiece.Link? {
    let (size, overflow) = capacity.addingReportingOverflow(MemoryLayout<SendPiece>.stride)
    guard !overflow, let memory = malloc(size) else { return nil }
    let piece = memory.bindMemory(to: SendPiece.self, capacity: 1)
    let octets = (memory + MemoryLayout<SendPiece>.stride).assumingMemoryBound(to: UInt8.self)
    piece.initialize(to: SendPiece(next: nil, octets: octets, capacity: capacity))
    return piece
  }

  mutating func give(_ piece: SendPiece.Link) {
    if piece.pointee.isSecret { memset(piece.pointee.octets, 0, piece.pointee.end) }
    guard piece.pointee.capacity == blockCapacity, count < SpareBlocks.limit, SendPiece.isOwner(piece) else {
      free(piece)
      return
    }
    piece.pointee.next = first
    first = piece
    count &+= 1
  }
}

struct SendQueue: ~Copyable {
  private var first: SendPiece.Link?
  private var last: SendPiece.Link?
  /// Octets that wait to be written.
  private(set) var count = 0
  /// Bodies that the program can have back, in order.
  private var released: SendPiece.Link?
  private var lastReleased: SendPiece.Link?
  // A var: for the thread sanitizer, a change through a constant of a struct that is not copied is compiled wrongly.
  private var spares: UnsafeMutablePointer<SpareBlocks>

  init(spares: UnsafeMutablePointer<SpareBlocks>) { self.spares = spares }

  @inline(__always) var isEmpty: Bool { count == 0 }

  /// Forgets what was not written, of a connection that is gone.
  mutating func clear() {
    while let piece = first { drop(piece) }
    count = 0
  }

  // MARK: Encoding

  @inline(__always)
  mutating func encode<Method: WireMethod>(_ method: inout Method, channel: UInt16, frameMax: UInt32) -> Status {
    append(room: smallestRoom) { Frame.encode(&method, channel: channel, frameMax: frameMax, into: &$0) }
  }

  /// A method whose arguments are encoded, and known to fit into a frame.
  mutating func encode(_ id: amqp_method_number_t, arguments: UnsafeRawBufferPointer, channel: UInt16) -> Status {
    append(room: smallestRoom) { encoder in
      let start = Frame.beginMethod(channel: channel, id, &encoder)
      encoder.putBytes(arguments)
      Frame.end(start, &encoder)
      return encoder.failure
    }
  }

  mutating func encodeProtocolHeader() -> Status {
    append(room: smallestRoom) { encoder in
      Frame.encodeProtocolHeader(into: &encoder)
      return encoder.failure
    }
  }

  mutating func encodeHeartbeat() -> Status {
    append(room: smallestRoom) { encoder in
      Frame.encodeHeartbeat(into: &encoder)
      return encoder.failure
    }
  }

  /// What was encoded last holds a password.
  mutating func markSecret() { last?.pointee.isSecret = true }

  /// basic.publish with its content, copied: whole, or refused and nothing.
  @inline(__always)
  mutating func encode(
    _ publish: inout amqp_basic_publish_t, properties: UnsafePointer<amqp_basic_properties_t>,
    body: UnsafeRawBufferPointer, channel: UInt16, frameMax: UInt32
  ) -> Status {
    let fragment = max(Int(frameMax), Int(AMQP_FRAME_MIN_SIZE)) &- Frame.overhead
    let (room, overflow) = body.count.addingReportingOverflow(
      (body.count / fragment &+ 1) &* Frame.overhead &+ headRoom)
    if overflow { return .noMemory }
    // A small message that finds little room may still fit: the encoder says.
    return append(room: room > blockCapacity ? room : smallestRoom) { encoder in
      SendQueue.encodeHead(&publish, properties, body.count, channel, frameMax, &encoder)
      var rest = body
      while rest.count > 0, encoder.failure.isOK {
        let count = min(rest.count, fragment)
        Frame.bodyPrefix(channel: channel, count: UInt32(truncatingIfNeeded: count), &encoder)
        encoder.putBytes(UnsafeRawBufferPointer(rebasing: rest[..<count]))
        encoder.put(Frame.endOctet)
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
      return encoder.failure
    }
  }

  /// The same with the body where the program has it. `release` counts as taken only when the answer is ok.
  mutating func encode(
    _ publish: inout amqp_basic_publish_t, properties: UnsafePointer<amqp_basic_properties_t>,
    body: UnsafeRawBufferPointer, channel: UInt16, frameMax: UInt32, release: SendRelease
  ) -> Status {
    let mark = mark()
    let status = appendByReference(&publish, properties, body, channel, frameMax, release)
    if !status.isOK { rollBack(to: mark) }
    return status
  }

  private mutating func appendByReference(
    _ publish: inout amqp_basic_publish_t, _ properties: UnsafePointer<amqp_basic_properties_t>,
    _ body: UnsafeRawBufferPointer, _ channel: UInt16, _ frameMax: UInt32, _ release: SendRelease
  ) -> Status {
    let fragment = max(Int(frameMax), Int(AMQP_FRAME_MIN_SIZE)) &- Frame.overhead
    var status = append(room: smallestRoom) { encoder in
      SendQueue.encodeHead(&publish, properties, body.count, channel, frameMax, &encoder)
      return encoder.failure
    }
    guard status.isOK else { return status }
    var rest = body
    var isFirst = true
    repeat {
      let count = min(rest.count, fragment)
      status = appendSeam(closes: !isFirst, opens: count, channel)
      guard status.isOK else { return status }
      let isLast = count == rest.count
      guard appendBorrowed(UnsafeRawBufferPointer(rebasing: rest[..<count]), isLast ? release : nil) else {
        return .noMemory
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      isFirst = false
    } while rest.count > 0
    return body.count > 0 ? appendSeam(closes: true, opens: 0, channel) : .ok
  }

  /// The end of one body frame and the beginning of the next.
  private mutating func appendSeam(closes: Bool, opens count: Int, _ channel: UInt16) -> Status {
    if (last.map { $0.pointee.capacity &- $0.pointee.end } ?? 0) < Frame.overhead {
      guard let piece = SpareBlocks.make(Frame.overhead) else { return .noMemory }
      link(piece)
    }
    return append(room: Frame.overhead) { encoder in
      if closes { encoder.put(Frame.endOctet) }
      if count > 0 { Frame.bodyPrefix(channel: channel, count: UInt32(truncatingIfNeeded: count), &encoder) }
      return encoder.failure
    }
  }

  @inline(__always)
  private static func encodeHead(
    _ publish: inout amqp_basic_publish_t, _ properties: UnsafePointer<amqp_basic_properties_t>, _ bodySize: Int,
    _ channel: UInt16, _ frameMax: UInt32, _ encoder: inout Encoder
  ) {
    guard Frame.encode(&publish, channel: channel, frameMax: frameMax, into: &encoder).isOK else { return }
    _ = Frame.encodeHeader(
      properties, bodySize: UInt64(truncatingIfNeeded: bodySize), channel: channel, frameMax: frameMax, into: &encoder)
  }

  /// Encodes into the last piece, or where it lacks room into a new one: whole, or refused and nothing.
  @inline(__always)
  private mutating func append(room wanted: Int, _ encode: (inout Encoder) -> Status) -> Status {
    var wanted = wanted
    while true {
      guard let piece = piece(room: wanted) else { return .noMemory }
      let room = piece.pointee.capacity &- piece.pointee.end
      var encoder = Encoder(UnsafeMutableRawBufferPointer(start: piece.pointee.octets + piece.pointee.end, count: room))
      let status = encode(&encoder)
      if status.isOK {
        piece.pointee.end &+= encoder.written
        count &+= encoder.written
        return .ok
      }
      guard encoder.lackedRoom else { return status }
      let (doubled, overflow) = room.multipliedReportingOverflow(by: 2)
      if overflow { return .noMemory }
      wanted = max(wanted, doubled, smallestRoom)
    }
  }

  @inline(__always)
  private mutating func piece(room: Int) -> SendPiece.Link? {
    if let last, last.pointee.capacity &- last.pointee.end >= room { return last }
    return newPiece(room: room)
  }

  @inline(never)
  private mutating func newPiece(room: Int) -> SendPiece.Link? {
    guard let piece = spares.pointee.take(room) else { return nil }
    link(piece)
    return piece
  }

  private mutating func appendBorrowed(_ octets: UnsafeRawBufferPointer, _ release: SendRelease?) -> Bool {
    guard let piece = SpareBlocks.make(0) else { return false }
    if let start = octets.baseAddress {
      piece.pointee.octets = UnsafeMutableRawPointer(mutating: start).assumingMemoryBound(to: UInt8.self)
    }
    piece.pointee.capacity = octets.count
    piece.pointee.end = octets.count
    piece.pointee.release = release
    count &+= octets.count
    link(piece)
    return true
  }

  private mutating func link(_ piece: SendPiece.Link) {
    if let last { last.pointee.next = piece } else { first = piece }
    last = piece
  }

  /// The frames that were appended last, so many octets of them: whole, as far as they lie in one piece.
  func forEachFrame(inLast octetCount: Int, _ use: (FrameView) -> Void) {
    guard let last, octetCount > 0, octetCount <= last.pointee.end else { return }
    let start = last.pointee.octets + (last.pointee.end &- octetCount)
    let octets = UnsafeRawBufferPointer(start: start, count: octetCount)
    var at = 0
    while at &+ Frame.headerSize <= octets.count {
      let type = octets[at]
      if type == Frame.protocolHeaderType { return use(FrameView(type: type, channel: 0, payload: octets)) }
      let channel = UInt16(bigEndian: octets.loadUnaligned(fromByteOffset: at &+ 1, as: UInt16.self))
      let size = Int(UInt32(bigEndian: octets.loadUnaligned(fromByteOffset: at &+ 3, as: UInt32.self)))
      at &+= Frame.headerSize
      guard size <= octets.count &- at else { return }
      use(FrameView(type: type, channel: channel, payload: UnsafeRawBufferPointer(rebasing: octets[at..<(at &+ size)])))
      at &+= size &+ Frame.footerSize
    }
  }

  // MARK: Taking back

  struct Mark {
    fileprivate var last: SendPiece.Link?
    fileprivate var end: Int
    fileprivate var count: Int
  }

  /// Where the queue ends now. Holds until something is written.
  func mark() -> Mark { Mark(last: last, end: last?.pointee.end ?? 0, count: count) }

  /// Takes out what was appended since. Nobody gets a body back by it.
  mutating func rollBack(to mark: Mark) {
    var piece = mark.last == nil ? first : mark.last?.pointee.next
    while let current = piece {
      piece = current.pointee.next
      spares.pointee.give(current)
    }
    last = mark.last
    if let last {
      last.pointee.next = nil
      last.pointee.end = mark.end
    } else {
      first = nil
    }
    count = mark.count
  }

  // MARK: Writing

  /// Lays out what waits for one sendmsg: as many pieces as there is room for.
  mutating func gather(_ pieces: UnsafeMutableBufferPointer<iovec>) -> Int {
    var found = 0
    var piece = first
    while let current = piece, found < pieces.count {
      let length = current.pointee.end &- current.pointee.position
      if length > 0 {
        pieces[found] = iovec(iov_base: current.pointee.octets + current.pointee.position, iov_len: length)
        found &+= 1
      }
      piece = current.pointee.next
    }
    return found
  }

  /// The socket took so many octets of what was laid out.
  mutating func advance(_ taken: Int) {
    var left = taken
    count &-= taken
    while let piece = first {
      let step = min(left, piece.pointee.end &- piece.pointee.position)
      piece.pointee.position &+= step
      left &-= step
      guard piece.pointee.position == piece.pointee.end else { return }
      drop(piece)
    }
  }

  /// The piece is the first one.
  private mutating func drop(_ piece: SendPiece.Link) {
    first = piece.pointee.next
    if first == nil { last = nil }
    guard piece.pointee.release != nil else {
      spares.pointee.give(piece)
      return
    }
    piece.pointee.next = nil
    if let lastReleased { lastReleased.pointee.next = piece } else { released = piece }
    lastReleased = piece
  }

  /// A body that is not needed any more; nil when there is none.
  mutating func takeReleased() -> SendRelease? {
    guard let piece = released else { return nil }
    released = piece.pointee.next
    if released == nil { lastReleased = nil }
    let release = piece.pointee.release
    free(piece)
    return release
  }
}
