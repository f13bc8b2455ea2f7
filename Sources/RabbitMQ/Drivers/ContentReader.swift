import AMQPBase
import AMQPEngine
import AMQPWire
import CMemory
import CRabbitMQ

/// A content that is arriving: the memory that will be the caller's, and how far it has come.
///
/// A call that runs out of time leaves it here, and the next one goes on from there.
struct ContentReader {
  enum Kind {
    case none
    /// basic.deliver was read as part of it: the envelope's fields are filled.
    case delivery
    /// The application has the method itself and reads the message alone.
    case message
  }

  private(set) var kind = Kind.none
  var envelope = amqp_envelope_t()
  private var progress = ContentProgress(awaitingHeader: true)
  private var classID: UInt16 = 0
  private var bodyCapacity = 0
  /// The most octets of the body that came at once. Of the last message as long as there is no other: what follows a large body
  /// is another one, most likely.
  private(set) var largestPart = 0
  /// The properties as they came, in the pool of the message; their decoded strings point into it.
  private var rawProperties = amqp_bytes_t()

  init() {}

  var isActive: Bool { kind != .none }
  var isComplete: Bool { progress.state == .complete }

  // MARK: Beginning and end

  mutating func beginMessage(channel: UInt16) {
    startOver()
    kind = .message
    envelope.channel = channel
  }

  /// Takes the fields of a basic.deliver over into memory of their own; false when there is none.
  mutating func beginDelivery(_ deliver: amqp_basic_deliver_t, channel: UInt16) -> Bool {
    beginMessage(channel: channel)
    kind = .delivery
    envelope.delivery_tag = deliver.delivery_tag
    envelope.redelivered = deliver.redelivered
    guard let consumerTag = deliver.consumer_tag.duplicated() else { return refuse() }
    envelope.consumer_tag = consumerTag
    guard let exchange = deliver.exchange.duplicated() else { return refuse() }
    envelope.exchange = exchange
    guard let routingKey = deliver.routing_key.duplicated() else { return refuse() }
    envelope.routing_key = routingKey
    return true
  }

  /// Hands the memory over; the reader is free for the next content.
  mutating func take() -> amqp_envelope_t {
    let taken = envelope
    startOver()
    return taken
  }

  /// What comes next is not read as messages.
  mutating func forgetParts() { largestPart = 0 }

  private mutating func startOver() {
    let part = largestPart
    self = ContentReader()
    largestPart = part
  }

  mutating func discard() {
    if isActive { envelope.release() }
    self = ContentReader()
  }

  private mutating func refuse() -> Bool {
    discard()
    return false
  }

  // MARK: Arriving

  /// After a failure the reader is as it was: without memory the same frame may come again.
  mutating func receiveHeader(classID: UInt16, bodySize: UInt64, raw: UnsafeRawBufferPointer) -> Status {
    var progress = progress
    guard progress.receive(.header(bodySize: bodySize)) != .unexpectedFrame else { return .unexpectedState }
    let status = takeProperties(classID: classID, raw: raw)
    if status.isOK {
      self.classID = classID
      self.progress = progress
      largestPart = Int(truncatingIfNeeded: min(UInt64(truncatingIfNeeded: largestPart), bodySize))
    } else {
      withUnsafeMutablePointer(to: &envelope.message.pool) { $0.empty() }
      envelope.message.properties = amqp_basic_properties_t()
    }
    return status
  }

  private mutating func takeProperties(classID: UInt16, raw: UnsafeRawBufferPointer) -> Status {
    let pageSize = min(raw.count &* memoryPerPropertyOctet, largestMessagePage)
    return withUnsafeMutablePointer(to: &envelope.message.pool) { pool in
      guard let copy = pool.initialize(pageSize: pageSize, holding: raw) else { return .noMemory }
      rawProperties = copy
      if Int32(classID) == AMQP_BASIC_CLASS {
        return BasicProperties.decode(copy.buffer, pool: pool, into: &envelope.message.properties)
      }
      var unused: UnsafeMutableRawPointer?
      return BasicProperties.decode(classID: classID, copy.buffer, pool: pool, decoded: &unused)
    }
  }

  /// After a failure the reader is as it was.
  @inline(__always)
  mutating func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Status {
    let count = envelope.message.body.len
    var progress = progress
    switch progress.receive(.body(count: UInt64(truncatingIfNeeded: bytes.count))) {
    case .unexpectedFrame: return .unexpectedState
    case .bodyTooLong: return .badAMQPData
    case .awaitingMore, .complete: break
    }
    if let source = bytes.baseAddress, bytes.count > 0 {
      guard grow(to: count &+ bytes.count), let body = envelope.message.body.bytes else { return .noMemory }
      memcpy(body + count, source, bytes.count)
      envelope.message.body.len = count &+ bytes.count
      largestPart = max(largestPart, bytes.count)
    }
    self.progress = progress
    return .ok
  }

  /// Whether the body goes on, by so many octets or more.
  func awaitsBody(of count: Int) -> Bool {
    guard case .awaitingBody(let remaining) = progress.state else { return false }
    return UInt64(truncatingIfNeeded: count) <= remaining
  }

  /// Where the next octets of the body may be put: room for at least one of them and at most `count`; nil when there is no
  /// memory.
  mutating func bodyRoom(_ count: Int) -> UnsafeMutableRawBufferPointer? {
    let received = envelope.message.body.len
    guard grow(to: received &+ 1), let body = envelope.message.body.bytes else { return nil }
    return UnsafeMutableRawBufferPointer(start: body + received, count: min(count, bodyCapacity &- received))
  }

  /// So many octets were put there.
  mutating func filledBody(_ count: Int) {
    _ = progress.receive(.body(count: UInt64(truncatingIfNeeded: count)))
    envelope.message.body.len &+= count
    largestPart = max(largestPart, count)
  }

  private mutating func grow(to count: Int) -> Bool {
    if count <= bodyCapacity { return true }
    let (needed, now) = (UInt64(truncatingIfNeeded: count), UInt64(truncatingIfNeeded: bodyCapacity))
    guard let capacity = progress.capacity(holding: needed, now: now),
      let memory = realloc(envelope.message.body.bytes, capacity)
    else { return false }
    envelope.message.body.bytes = memory
    bodyCapacity = capacity
    return true
  }

  // MARK: Back to frames

  /// Rewrites what has arrived as frames of the pool, for an application that reads on by frames: the method of a delivery, the
  /// header, and the body so far in one piece. `put` gets them last first; none of them when there is no memory for all.
  func makeFrames(in pool: UnsafeMutablePointer<amqp_pool_t>, _ put: (amqp_frame_t) -> Void) -> Bool {
    var (method, header, body) = (
      makeFrame(AMQP_FRAME_METHOD), makeFrame(AMQP_FRAME_HEADER), makeFrame(AMQP_FRAME_BODY)
    )
    let hasHeader = progress.state != .awaitingHeader
    guard kind != .delivery || makeMethod(in: pool, &method), !hasHeader || makeHeader(in: pool, &header),
      let bytes = pool.copy(envelope.message.body.buffer)
    else { return false }
    body.payload.body_fragment = bytes
    if bytes.len > 0 { put(body) }
    if hasHeader { put(header) }
    if kind == .delivery { put(method) }
    return true
  }

  private func makeHeader(in pool: UnsafeMutablePointer<amqp_pool_t>, _ frame: inout amqp_frame_t) -> Bool {
    guard let raw = pool.copy(rawProperties.buffer) else { return false }
    var decoded: UnsafeMutableRawPointer?
    guard BasicProperties.decode(classID: classID, raw.buffer, pool: pool, decoded: &decoded).isOK else { return false }
    frame.payload.properties.class_id = classID
    frame.payload.properties.body_size = progress.bodySize
    frame.payload.properties.decoded = decoded
    frame.payload.properties.raw = raw
    return true
  }

  private func makeMethod(in pool: UnsafeMutablePointer<amqp_pool_t>, _ frame: inout amqp_frame_t) -> Bool {
    guard let tag = pool.copy(envelope.consumer_tag.buffer), let exchange = pool.copy(envelope.exchange.buffer),
      let routingKey = pool.copy(envelope.routing_key.buffer),
      let memory = pool.allocate(MemoryLayout<amqp_basic_deliver_t>.size)
    else { return false }
    memory.bindMemory(to: amqp_basic_deliver_t.self, capacity: 1).initialize(
      to: amqp_basic_deliver_t(
        consumer_tag: tag, delivery_tag: envelope.delivery_tag, redelivered: envelope.redelivered, exchange: exchange,
        routing_key: routingKey))
    frame.payload.method.id = amqp_basic_deliver_t.id
    frame.payload.method.decoded = memory
    return true
  }

  private func makeFrame(_ type: Int32) -> amqp_frame_t {
    var frame = amqp_frame_t()
    frame.frame_type = UInt8(truncatingIfNeeded: type)
    frame.channel = envelope.channel
    return frame
  }
}

/// Octets of memory that a message takes for each octet of its property list, at most as a rule: the strings stay where they
/// came in the list, and an entry of a header table is 48 octets for a dozen.
private let memoryPerPropertyOctet = 8
/// Octets of a page in the pool of a message, unless its property list alone is longer.
private let largestMessagePage = 4096

extension amqp_message_t {
  mutating func release() {
    withUnsafeMutablePointer(to: &pool) { $0.empty() }
    body.deallocate()
    self = amqp_message_t()
  }
}

extension amqp_envelope_t {
  mutating func release() {
    consumer_tag.deallocate()
    exchange.deallocate()
    routing_key.deallocate()
    message.release()
    self = amqp_envelope_t()
  }
}
