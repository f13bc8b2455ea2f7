import AMQPBase
import AMQPTransport
public import CRabbitMQ

@_cdecl("amqp_ssl_socket_enable_default_verify_paths") @implementation
public func amqp_ssl_socket_enable_default_verify_paths(_ self: OpaquePointer!) -> Int32 {
  guard let socket = Socket.tls(self) else { return Status.invalidParameter.code }
  return socket.trustSystem().code
}

@_cdecl("amqp_ssl_socket_set_cacert") @implementation
public func amqp_ssl_socket_set_cacert(_ self: OpaquePointer!, _ cacert: UnsafePointer<CChar>!) -> Int32 {
  guard let socket = Socket.tls(self), let cacert else { return Status.invalidParameter.code }
  return socket.trust(file: cacert).code
}

@_cdecl("amqp_ssl_socket_set_verify") @implementation
public func amqp_ssl_socket_set_verify(_ self: OpaquePointer!, _ verify: amqp_boolean_t) {
  guard let socket = Socket.tls(self) else { return }
  socket.setVerifiesPeer(verify != 0)
  socket.setVerifiesHost(verify != 0)
}

@_cdecl("amqp_ssl_socket_set_verify_peer") @implementation
public func amqp_ssl_socket_set_verify_peer(_ self: OpaquePointer!, _ verify: amqp_boolean_t) {
  Socket.tls(self)?.setVerifiesPeer(verify != 0)
}

@_cdecl("amqp_ssl_socket_set_verify_hostname") @implementation
public func amqp_ssl_socket_set_verify_hostname(_ self: OpaquePointer!, _ verify: amqp_boolean_t) {
  Socket.tls(self)?.setVerifiesHost(verify != 0)
}
