// A message on its way in: the arguments of the method that announced it, the property list of its content header, and its
// body.
//
// Each of the three is borrowed from the inbound buffer as long as it lies there in one piece. A message that came whole in
// one read is so decoded and handed out without a copy. Before the buffer moves, `keep` takes over what has come so far.

import AMQPBase
import AMQPEngine
import AMQPWire
import CMemory
import CRabbitMQ

struct EventContent: ~Copyable {
  /// basic.deliver, basic.return or basic.get-ok; 0 when no message is on its way.
  private(set) var method: amqp_method_number_t = 0
  private(set) var arguments = UnsafeRawBufferPointer(start: nil, count: 0)
  private(set) var propertyList = UnsafeRawBufferPointer(start: nil, count: 0)
  private(set) var body = UnsafeRawBufferPointer(start: nil, count: 0)
  private var progress = ContentProgress()
  private var argumentsMemory: UnsafeMutableRawPointer?
  private var propertyMemory: UnsafeMutableRawPointer?
  private var bodyMemory: UnsafeMutableRawPointer?
  private var bodyCapacity = 0

  init() {}

  deinit {
    free(argumentsMemory)
    free(propertyMemory)
    free(bodyMemory)
  }

  var isActive: Bool {
    @inline(__always) get { method != 0 }
  }

  @inline(__always)
  mutating func begin(_ id: amqp_method_number_t, _ payload: UnsafeRawBufferPointer) -> Status {
    guard !isActive else { return .unexpectedState }
    _ = progress.receive(.contentMethod)
    method = id
    arguments = payload
    return .ok
  }

  /// `bodyMax`: octets of the largest body that is taken; 0 = no limit.
  @inline(__always)
  mutating func receiveHeader(_ payload: UnsafeRawBufferPointer, bodyMax: UInt64) -> Status {
    guard isActive else { return .unexpectedState }
    var (classID, weight, bodySize) = (UInt16(0), UInt16(0), UInt64(0))
    var decoder = Decoder(payload, pool: nil)
    decoder.short(&classID)
    decoder.short(&weight)
    decoder.longlong(&bodySize)
    guard decoder.failure.isOK, Int32(classID) == AMQP_BASIC_CLASS, bodyMax == 0 || bodySize <= bodyMax else {
      return .badAMQPData
    }
    guard progress.receive(.header(bodySize: bodySize)) != .unexpectedFrame else { return .unexpectedState }
    propertyList = UnsafeRawBufferPointer(rebasing: payload[decoder.offset...])
    return .ok
  }

  @inline(__always)
  mutating func receiveBody(_ payload: UnsafeRawBufferPointer) -> Status {
    guard isActive else { return .unexpectedState }
    switch progress.receive(.body(count: UInt64(truncatingIfNeeded: payload.count))) {
    case .unexpectedFrame: return .unexpectedState
    case .bodyTooLong: return .badAMQPData
    case .complete where body.count == 0: body = payload
    case .awaitingMore, .complete: return append(payload) ? .ok : .noMemory
    }
    return .ok
  }

  var isComplete: Bool {
    @inline(__always) get { isActive && progress.state == .complete }
  }

  /// Borrows no more. False when there is no memory.
  mutating func keep() -> Bool {
    guard isActive else { return true }
    guard let keptArguments = Self.keep(arguments, &argumentsMemory) else { return false }
    arguments = keptArguments
    guard let keptList = Self.keep(propertyList, &propertyMemory) else { return false }
    propertyList = keptList
    return true
  }

  /// The message is done with, or will never be whole.
  @inline(__always)
  mutating func discard() {
    method = 0
    arguments = UnsafeRawBufferPointer(start: nil, count: 0)
    propertyList = arguments
    body = arguments
    if argumentsMemory != nil || propertyMemory != nil || bodyMemory != nil { release() }
    progress = ContentProgress()
  }

  @inline(never)
  private mutating func release() {
    free(argumentsMemory)
    free(propertyMemory)
    free(bodyMemory)
    argumentsMemory = nil
    propertyMemory = nil
    bodyMemory = nil
    bodyCapacity = 0
  }

  /// A body in several frames is always put together in memory of its own.
  @inline(never)
  private mutating func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return true }
    let count = body.count &+ bytes.count
    if count > bodyCapacity {
      let (needed, now) = (UInt64(truncatingIfNeeded: count), UInt64(truncatingIfNeeded: bodyCapacity))
      guard let capacity = progress.capacity(holding: needed, now: now), let memory = realloc(bodyMemory, capacity)
      else { return false }
      bodyMemory = memory
      bodyCapacity = capacity
    }
    guard let bodyMemory else { return false }
    memcpy(bodyMemory + body.count, source, bytes.count)
    body = UnsafeRawBufferPointer(start: bodyMemory, count: count)
    return true
  }

  private static func keep(
    _ bytes: UnsafeRawBufferPointer, _ memory: inout UnsafeMutableRawPointer?
  ) -> UnsafeRawBufferPointer? {
    guard memory == nil, let source = bytes.baseAddress, bytes.count > 0 else { return bytes }
    guard let copy = malloc(bytes.count) else { return nil }
    memcpy(copy, source, bytes.count)
    memory = copy
    return UnsafeRawBufferPointer(start: copy, count: bytes.count)
  }
}
