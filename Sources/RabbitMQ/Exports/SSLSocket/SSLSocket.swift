import AMQPBase
import AMQPTransport
public import CRabbitMQ

extension Socket {
  /// Nil for no socket, and for one of another class.
  static func tls(_ socket: OpaquePointer?) -> TLSTransport? {
    handle(socket)?.pointee.tls
  }
}

@_cdecl("amqp_ssl_socket_new") @implementation
public func amqp_ssl_socket_new(_ state: amqp_connection_state_t!) -> OpaquePointer! {
  guard let connection = Connection.handle(state), let tls = TLSTransport.make() else { return nil }
  guard let socket = Socket.make(for: connection, tls: tls) else {
    tls.destroy()
    return nil
  }
  return OpaquePointer(socket)
}

@_cdecl("amqp_ssl_socket_get_context") @implementation
public func amqp_ssl_socket_get_context(_ self: OpaquePointer!) -> UnsafeMutableRawPointer! {
  Socket.tls(self)?.context
}
