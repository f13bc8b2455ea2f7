// From a method's number to its C struct. `dispatch` is the one place that lists the methods; what is done with the struct
// is a visitor, which the compiler specialises, so that each visitor becomes one switch over straight-line code.
public import AMQPBase
public import CRabbitMQ

public enum MethodTable {
  /// Decodes the arguments of a method into a C struct from `pool`. Its strings point into `payload`. Octets behind the
  /// last argument are left alone, and so is `decoded` after a failure.
  public static func decode(
    _ id: amqp_method_number_t, _ payload: UnsafeRawBufferPointer, pool: UnsafeMutablePointer<amqp_pool_t>,
    decoded: inout UnsafeMutableRawPointer?
  ) -> Status {
    var visitor = MethodDecoder(decoder: Decoder(payload, pool: pool), pool: pool)
    guard let status = dispatch(id, &visitor) else { return .unknownMethod }
    if status.isOK { decoded = visitor.decoded }
    return status
  }

  /// Encodes the arguments. The struct is read only if the method has arguments, and never written to.
  public static func encode(
    _ id: amqp_method_number_t, _ decoded: UnsafeMutableRawPointer?, into encoder: inout Encoder
  ) -> Status {
    var visitor = MethodEncoder(encoder: encoder, decoded: decoded)
    let status = dispatch(id, &visitor)
    encoder = visitor.encoder
    return status ?? .unknownMethod
  }

  /// The octets that `encode` would write.
  public static func size(
    _ id: amqp_method_number_t, _ decoded: UnsafeMutableRawPointer?, octets: inout Int
  ) -> Status {
    var visitor = MethodSizer(sizer: Sizer(), decoded: decoded)
    guard let status = dispatch(id, &visitor) else { return .unknownMethod }
    if status.isOK { octets = visitor.sizer.count }
    return status
  }

  /// The name of the method's constant in the header, nil for a number that is no method.
  public static func name(_ id: amqp_method_number_t) -> StaticString? {
    var visitor = MethodNamer()
    return dispatch(id, &visitor)
  }

  /// Whether a content header and a body follow the method.
  public static func hasContent(_ id: amqp_method_number_t) -> Bool {
    switch id {
    case AMQP_BASIC_PUBLISH_METHOD, AMQP_BASIC_RETURN_METHOD, AMQP_BASIC_DELIVER_METHOD, AMQP_BASIC_GET_OK_METHOD: true
    default: false
    }
  }
}

/// Something done with the C struct of a method.
protocol MethodVisitor {
  associatedtype Result
  mutating func visit<M: WireMethod>(_ method: M.Type) -> Result
}

private struct MethodDecoder: MethodVisitor {
  var decoder: Decoder
  let pool: UnsafeMutablePointer<amqp_pool_t>
  var decoded: UnsafeMutableRawPointer?

  @inline(__always)
  mutating func visit<M: WireMethod>(_ method: M.Type) -> Status {
    guard let memory = pool.allocate(MemoryLayout<M>.size) else { return .noMemory }
    var arguments = M()
    arguments.code(&decoder)
    memory.bindMemory(to: M.self, capacity: 1).initialize(to: arguments)
    decoded = memory
    return decoder.failure
  }
}

private struct MethodEncoder: MethodVisitor {
  var encoder: Encoder
  let decoded: UnsafeMutableRawPointer?

  @inline(__always)
  mutating func visit<M: WireMethod>(_ method: M.Type) -> Status {
    guard M.hasFields else { return encoder.failure }
    guard let decoded else { return .invalidParameter }
    decoded.assumingMemoryBound(to: M.self).pointee.code(&encoder)
    return encoder.failure
  }
}

private struct MethodSizer: MethodVisitor {
  var sizer: Sizer
  let decoded: UnsafeMutableRawPointer?

  @inline(__always)
  mutating func visit<M: WireMethod>(_ method: M.Type) -> Status {
    guard M.hasFields else { return .ok }
    guard let decoded else { return .invalidParameter }
    decoded.assumingMemoryBound(to: M.self).pointee.code(&sizer)
    return sizer.failure
  }
}

private struct MethodNamer: MethodVisitor {
  @inline(__always)
  mutating func visit<M: WireMethod>(_ method: M.Type) -> StaticString { M.name }
}

extension MethodTable {
  @inline(__always)
  static func dispatch<V: MethodVisitor>(_ id: amqp_method_number_t, _ visitor: inout V) -> V.Result? {
    switch id {
    case AMQP_CONNECTION_START_METHOD: visitor.visit(amqp_connection_start_t.self)
    case AMQP_CONNECTION_START_OK_METHOD: visitor.visit(amqp_connection_start_ok_t.self)
    case AMQP_CONNECTION_SECURE_METHOD: visitor.visit(amqp_connection_secure_t.self)
    case AMQP_CONNECTION_SECURE_OK_METHOD: visitor.visit(amqp_connection_secure_ok_t.self)
    case AMQP_CONNECTION_TUNE_METHOD: visitor.visit(amqp_connection_tune_t.self)
    case AMQP_CONNECTION_TUNE_OK_METHOD: visitor.visit(amqp_connection_tune_ok_t.self)
    case AMQP_CONNECTION_OPEN_METHOD: visitor.visit(amqp_connection_open_t.self)
    case AMQP_CONNECTION_OPEN_OK_METHOD: visitor.visit(amqp_connection_open_ok_t.self)
    case AMQP_CONNECTION_CLOSE_METHOD: visitor.visit(amqp_connection_close_t.self)
    case AMQP_CONNECTION_CLOSE_OK_METHOD: visitor.visit(amqp_connection_close_ok_t.self)
    case AMQP_CONNECTION_BLOCKED_METHOD: visitor.visit(amqp_connection_blocked_t.self)
    case AMQP_CONNECTION_UNBLOCKED_METHOD: visitor.visit(amqp_connection_unblocked_t.self)
    case AMQP_CONNECTION_UPDATE_SECRET_METHOD: visitor.visit(amqp_connection_update_secret_t.self)
    case AMQP_CONNECTION_UPDATE_SECRET_OK_METHOD: visitor.visit(amqp_connection_update_secret_ok_t.self)
    case AMQP_CHANNEL_OPEN_METHOD: visitor.visit(amqp_channel_open_t.self)
    case AMQP_CHANNEL_OPEN_OK_METHOD: visitor.visit(amqp_channel_open_ok_t.self)
    case AMQP_CHANNEL_FLOW_METHOD: visitor.visit(amqp_channel_flow_t.self)
    case AMQP_CHANNEL_FLOW_OK_METHOD: visitor.visit(amqp_channel_flow_ok_t.self)
    case AMQP_CHANNEL_CLOSE_METHOD: visitor.visit(amqp_channel_close_t.self)
    case AMQP_CHANNEL_CLOSE_OK_METHOD: visitor.visit(amqp_channel_close_ok_t.self)
    case AMQP_ACCESS_REQUEST_METHOD: visitor.visit(amqp_access_request_t.self)
    case AMQP_ACCESS_REQUEST_OK_METHOD: visitor.visit(amqp_access_request_ok_t.self)
    case AMQP_EXCHANGE_DECLARE_METHOD: visitor.visit(amqp_exchange_declare_t.self)
    case AMQP_EXCHANGE_DECLARE_OK_METHOD: visitor.visit(amqp_exchange_declare_ok_t.self)
    case AMQP_EXCHANGE_DELETE_METHOD: visitor.visit(amqp_exchange_delete_t.self)
    case AMQP_EXCHANGE_DELETE_OK_METHOD: visitor.visit(amqp_exchange_delete_ok_t.self)
    case AMQP_EXCHANGE_BIND_METHOD: visitor.visit(amqp_exchange_bind_t.self)
    case AMQP_EXCHANGE_BIND_OK_METHOD: visitor.visit(amqp_exchange_bind_ok_t.self)
    case AMQP_EXCHANGE_UNBIND_METHOD: visitor.visit(amqp_exchange_unbind_t.self)
    case AMQP_EXCHANGE_UNBIND_OK_METHOD: visitor.visit(amqp_exchange_unbind_ok_t.self)
    case AMQP_QUEUE_DECLARE_METHOD: visitor.visit(amqp_queue_declare_t.self)
    case AMQP_QUEUE_DECLARE_OK_METHOD: visitor.visit(amqp_queue_declare_ok_t.self)
    case AMQP_QUEUE_BIND_METHOD: visitor.visit(amqp_queue_bind_t.self)
    case AMQP_QUEUE_BIND_OK_METHOD: visitor.visit(amqp_queue_bind_ok_t.self)
    case AMQP_QUEUE_PURGE_METHOD: visitor.visit(amqp_queue_purge_t.self)
    case AMQP_QUEUE_PURGE_OK_METHOD: visitor.visit(amqp_queue_purge_ok_t.self)
    case AMQP_QUEUE_DELETE_METHOD: visitor.visit(amqp_queue_delete_t.self)
    case AMQP_QUEUE_DELETE_OK_METHOD: visitor.visit(amqp_queue_delete_ok_t.self)
    case AMQP_QUEUE_UNBIND_METHOD: visitor.visit(amqp_queue_unbind_t.self)
    case AMQP_QUEUE_UNBIND_OK_METHOD: visitor.visit(amqp_queue_unbind_ok_t.self)
    case AMQP_BASIC_QOS_METHOD: visitor.visit(amqp_basic_qos_t.self)
    case AMQP_BASIC_QOS_OK_METHOD: visitor.visit(amqp_basic_qos_ok_t.self)
    case AMQP_BASIC_CONSUME_METHOD: visitor.visit(amqp_basic_consume_t.self)
    case AMQP_BASIC_CONSUME_OK_METHOD: visitor.visit(amqp_basic_consume_ok_t.self)
    case AMQP_BASIC_CANCEL_METHOD: visitor.visit(amqp_basic_cancel_t.self)
    case AMQP_BASIC_CANCEL_OK_METHOD: visitor.visit(amqp_basic_cancel_ok_t.self)
    case AMQP_BASIC_PUBLISH_METHOD: visitor.visit(amqp_basic_publish_t.self)
    case AMQP_BASIC_RETURN_METHOD: visitor.visit(amqp_basic_return_t.self)
    case AMQP_BASIC_DELIVER_METHOD: visitor.visit(amqp_basic_deliver_t.self)
    case AMQP_BASIC_GET_METHOD: visitor.visit(amqp_basic_get_t.self)
    case AMQP_BASIC_GET_OK_METHOD: visitor.visit(amqp_basic_get_ok_t.self)
    case AMQP_BASIC_GET_EMPTY_METHOD: visitor.visit(amqp_basic_get_empty_t.self)
    case AMQP_BASIC_ACK_METHOD: visitor.visit(amqp_basic_ack_t.self)
    case AMQP_BASIC_REJECT_METHOD: visitor.visit(amqp_basic_reject_t.self)
    case AMQP_BASIC_RECOVER_ASYNC_METHOD: visitor.visit(amqp_basic_recover_async_t.self)
    case AMQP_BASIC_RECOVER_METHOD: visitor.visit(amqp_basic_recover_t.self)
    case AMQP_BASIC_RECOVER_OK_METHOD: visitor.visit(amqp_basic_recover_ok_t.self)
    case AMQP_BASIC_NACK_METHOD: visitor.visit(amqp_basic_nack_t.self)
    case AMQP_TX_SELECT_METHOD: visitor.visit(amqp_tx_select_t.self)
    case AMQP_TX_SELECT_OK_METHOD: visitor.visit(amqp_tx_select_ok_t.self)
    case AMQP_TX_COMMIT_METHOD: visitor.visit(amqp_tx_commit_t.self)
    case AMQP_TX_COMMIT_OK_METHOD: visitor.visit(amqp_tx_commit_ok_t.self)
    case AMQP_TX_ROLLBACK_METHOD: visitor.visit(amqp_tx_rollback_t.self)
    case AMQP_TX_ROLLBACK_OK_METHOD: visitor.visit(amqp_tx_rollback_ok_t.self)
    case AMQP_CONFIRM_SELECT_METHOD: visitor.visit(amqp_confirm_select_t.self)
    case AMQP_CONFIRM_SELECT_OK_METHOD: visitor.visit(amqp_confirm_select_ok_t.self)
    default: nil
    }
  }
}
