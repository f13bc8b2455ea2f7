import AMQPBase
import AMQPTransport
import CRabbitMQ

@_cdecl("amqp_ssl_socket_set_key_passwd") @implementation
public func amqp_ssl_socket_set_key_passwd(_ self: OpaquePointer!, _ passwd: UnsafePointer<CChar>!) {
  Socket.tls(self)?.setPassword(passwd)
}

@_cdecl("amqp_ssl_socket_set_key") @implementation
public func amqp_ssl_socket_set_key(
  _ self: OpaquePointer!, _ cert: UnsafePointer<CChar>!, _ key: UnsafePointer<CChar>!
) -> Int32 {
  guard let socket = Socket.tls(self), let cert, let key else { return Status.invalidParameter.code }
  return socket.setKey(certificate: cert, file: key).code
}

@_cdecl("amqp_ssl_socket_set_key_engine") @implementation
public func amqp_ssl_socket_set_key_engine(
  _ self: OpaquePointer!, _ cert: UnsafePointer<CChar>!, _ key: UnsafePointer<CChar>!
) -> Int32 {
  guard let socket = Socket.tls(self), let cert, let key else { return Status.invalidParameter.code }
  return socket.setKey(certificate: cert, engineKey: key).code
}

@_cdecl("amqp_ssl_socket_set_key_buffer") @implementation
public func amqp_ssl_socket_set_key_buffer(
  _ self: OpaquePointer!, _ cert: UnsafePointer<CChar>!, _ key: UnsafeRawPointer!, _ n: Int
) -> Int32 {
  guard let socket = Socket.tls(self), let cert, let key, n >= 0 else { return Status.invalidParameter.code }
  return socket.setKey(certificate: cert, text: UnsafeRawBufferPointer(start: key, count: n)).code
}
