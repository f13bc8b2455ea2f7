import AMQPBase
import AMQPEngine
public import CRabbitMQ

extension Connection {
  /// What a caller passes as `amqp_connection_state_t`.
  @inline(__always)
  static func handle(_ state: amqp_connection_state_t?) -> Handle? {
    guard let state else { return nil }
    return Handle(state)
  }
}

extension BlockingDriver {
  @inline(__always)
  init?(_ state: amqp_connection_state_t?) {
    guard let connection = Connection.handle(state) else { return nil }
    self.init(connection)
  }
}

@_cdecl("amqp_new_connection") @implementation
public func amqp_new_connection() -> amqp_connection_state_t! {
  guard let connection = Connection.make() else { return nil }
  return amqp_connection_state_t(connection)
}

@_cdecl("amqp_destroy_connection") @implementation
public func amqp_destroy_connection(_ state: amqp_connection_state_t!) -> Int32 {
  if let connection = Connection.handle(state) { Connection.destroy(connection) }
  return Status.ok.code
}

@_cdecl("amqp_get_sockfd") @implementation
public func amqp_get_sockfd(_ state: amqp_connection_state_t!) -> Int32 {
  BlockingDriver(state)?.descriptor ?? -1
}

@_cdecl("amqp_set_sockfd") @implementation
public func amqp_set_sockfd(_ state: amqp_connection_state_t!, _ sockfd: Int32) {
  guard let connection = Connection.handle(state), let socket = Socket.make(for: connection) else { return }
  Socket.adopt(socket, descriptor: sockfd)
}

@_cdecl("amqp_get_socket") @implementation
public func amqp_get_socket(_ state: amqp_connection_state_t!) -> OpaquePointer! {
  guard let connection = Connection.handle(state), let socket = connection.pointee.socket else { return nil }
  return OpaquePointer(socket)
}

@_cdecl("amqp_tune_connection") @implementation
public func amqp_tune_connection(
  _ state: amqp_connection_state_t!, _ channel_max: Int32, _ frame_max: Int32, _ heartbeat: Int32
) -> Int32 {
  guard let driver = BlockingDriver(state),
    let tuning = Tuning.agreedElsewhere(channelMax: channel_max, frameMax: frame_max, heartbeat: heartbeat)
  else { return Status.invalidParameter.code }
  guard driver.isBetweenFrames else { return Status.unexpectedState.code }
  driver.tune(tuning)
  driver.updateKeeper()
  return Status.ok.code
}

@_cdecl("amqp_get_channel_max") @implementation
public func amqp_get_channel_max(_ state: amqp_connection_state_t!) -> Int32 {
  Connection.handle(state).map { Int32($0.pointee.tuning.channelMax) } ?? 0
}

@_cdecl("amqp_get_frame_max") @implementation
public func amqp_get_frame_max(_ state: amqp_connection_state_t!) -> Int32 {
  Connection.handle(state).map { Int32(truncatingIfNeeded: $0.pointee.tuning.frameMax) } ?? 0
}

@_cdecl("amqp_get_heartbeat") @implementation
public func amqp_get_heartbeat(_ state: amqp_connection_state_t!) -> Int32 {
  Connection.handle(state).map { Int32($0.pointee.tuning.heartbeat) } ?? 0
}

@_cdecl("amqp_get_server_properties") @implementation
public func amqp_get_server_properties(_ state: amqp_connection_state_t!) -> UnsafeMutablePointer<amqp_table_t>! {
  guard let connection = Connection.handle(state) else { return nil }
  return withUnsafeMutablePointer(to: &connection.pointee.serverProperties) { $0 }
}

@_cdecl("amqp_get_client_properties") @implementation
public func amqp_get_client_properties(_ state: amqp_connection_state_t!) -> UnsafeMutablePointer<amqp_table_t>! {
  guard let connection = Connection.handle(state) else { return nil }
  return withUnsafeMutablePointer(to: &connection.pointee.clientProperties) { $0 }
}

@_cdecl("amqp_get_handshake_timeout") @implementation
public func amqp_get_handshake_timeout(_ state: amqp_connection_state_t!) -> UnsafeMutablePointer<timeval>! {
  guard let connection = Connection.handle(state) else { return nil }
  return withUnsafeMutablePointer(to: &connection.pointee.handshakeTimeout) { Timeout.pointer(to: $0) }
}

@_cdecl("amqp_set_handshake_timeout") @implementation
public func amqp_set_handshake_timeout(_ state: amqp_connection_state_t!, _ timeout: UnsafePointer<timeval>!) -> Int32 {
  guard let connection = Connection.handle(state), connection.pointee.handshakeTimeout.set(timeout) else {
    return Status.invalidParameter.code
  }
  return Status.ok.code
}

@_cdecl("amqp_get_rpc_timeout") @implementation
public func amqp_get_rpc_timeout(_ state: amqp_connection_state_t!) -> UnsafeMutablePointer<timeval>! {
  guard let connection = Connection.handle(state) else { return nil }
  return withUnsafeMutablePointer(to: &connection.pointee.rpcTimeout) { Timeout.pointer(to: $0) }
}

@_cdecl("amqp_set_rpc_timeout") @implementation
public func amqp_set_rpc_timeout(_ state: amqp_connection_state_t!, _ timeout: UnsafePointer<timeval>!) -> Int32 {
  guard let connection = Connection.handle(state), connection.pointee.rpcTimeout.set(timeout) else {
    return Status.invalidParameter.code
  }
  return Status.ok.code
}
