import AMQPBase
public import CRabbitMQ

@_cdecl("amqp_tcp_socket_new") @implementation
public func amqp_tcp_socket_new(_ state: amqp_connection_state_t!) -> OpaquePointer! {
  guard let connection = Connection.handle(state), let socket = Socket.make(for: connection) else { return nil }
  return OpaquePointer(socket)
}

@_cdecl("amqp_tcp_socket_set_sockfd") @implementation
public func amqp_tcp_socket_set_sockfd(_ base: OpaquePointer!, _ sockfd: Int32) {
  if let socket = Socket.handle(base) { Socket.adopt(socket, descriptor: sockfd) }
}
