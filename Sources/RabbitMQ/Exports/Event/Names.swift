import AMQPEngine
import CMemory
import CRabbitMQ

extension EventConnectionState.State {
  /// The state as the C interface has it.
  var number: amqp_event_state_t {
    switch self {
    case .idle: AMQP_EVENT_STATE_IDLE
    case .resolving: AMQP_EVENT_STATE_RESOLVING
    case .connecting: AMQP_EVENT_STATE_CONNECTING
    case .securing: AMQP_EVENT_STATE_SECURING
    case .handshaking: AMQP_EVENT_STATE_LOGGING_IN
    case .recovering: AMQP_EVENT_STATE_RECOVERING
    case .ready: AMQP_EVENT_STATE_READY
    case .waiting: AMQP_EVENT_STATE_WAITING
    case .closing: AMQP_EVENT_STATE_CLOSING
    case .closed: AMQP_EVENT_STATE_CLOSED
    }
  }
}

extension amqp_event_state_t {
  var name: StaticString {
    switch self {
    case AMQP_EVENT_STATE_IDLE: "idle"
    case AMQP_EVENT_STATE_RESOLVING: "resolving"
    case AMQP_EVENT_STATE_CONNECTING: "connecting"
    case AMQP_EVENT_STATE_SECURING: "securing"
    case AMQP_EVENT_STATE_LOGGING_IN: "logging in"
    case AMQP_EVENT_STATE_RECOVERING: "recovering"
    case AMQP_EVENT_STATE_READY: "ready"
    case AMQP_EVENT_STATE_WAITING: "waiting"
    case AMQP_EVENT_STATE_CLOSING: "closing"
    case AMQP_EVENT_STATE_CLOSED: "closed"
    default: "unknown"
    }
  }
}

/// Structs whose first member says how large the program's version of them is: older programs know fewer members, newer ones
/// more.
enum Sized {
  /// Takes what both sides know; the rest stays as it is. False for a size that not even the first member has.
  static func read<Struct: BitwiseCopyable>(_ source: UnsafePointer<Struct>?, into target: inout Struct) -> Bool {
    guard let source else { return false }
    let size = UnsafeRawPointer(source).load(as: Int.self)
    guard size >= MemoryLayout<Int>.size else { return false }
    memcpy(&target, source, min(size, MemoryLayout<Struct>.size))
    return true
  }

  /// Fills in what both sides know, but not the size. False for one that is smaller than the first version.
  static func write<Struct: BitwiseCopyable>(_ source: Struct, to target: UnsafeMutablePointer<Struct>) -> Bool {
    let size = UnsafeRawPointer(target).load(as: Int.self)
    guard size >= MemoryLayout<Struct>.size else { return false }
    var source = source
    withUnsafeMutableBytes(of: &source) { $0.storeBytes(of: size, as: Int.self) }
    memcpy(target, &source, MemoryLayout<Struct>.size)
    return true
  }
}
