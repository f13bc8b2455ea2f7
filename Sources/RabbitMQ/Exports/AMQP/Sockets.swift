import AMQPBase
import AMQPTransport
public import CRabbitMQ

extension Socket {
  @inline(__always)
  static func handle(_ socket: OpaquePointer?) -> Handle? {
    guard let socket else { return nil }
    return Handle(socket)
  }
}

@_cdecl("amqp_socket_open") @implementation
public func amqp_socket_open(_ socket: OpaquePointer!, _ host: UnsafePointer<CChar>!, _ port: Int32) -> Int32 {
  guard let socket = Socket.handle(socket) else { return Status.invalidParameter.code }
  return Socket.open(socket, host: host, port: port, timeout: nil).code
}

@_cdecl("amqp_socket_open_noblock") @implementation
public func amqp_socket_open_noblock(
  _ socket: OpaquePointer!, _ host: UnsafePointer<CChar>!, _ port: Int32, _ timeout: UnsafePointer<timeval>!
) -> Int32 {
  guard let socket = Socket.handle(socket) else { return Status.invalidParameter.code }
  return Socket.open(socket, host: host, port: port, timeout: timeout).code
}

@_cdecl("amqp_socket_get_sockfd") @implementation
public func amqp_socket_get_sockfd(_ socket: OpaquePointer!) -> Int32 {
  guard let socket = Socket.handle(socket) else { return -1 }
  return Socket.transport(of: socket).descriptor
}

@_cdecl("amqp_open_socket") @implementation
public func amqp_open_socket(_ hostname: UnsafePointer<CChar>!, _ portnumber: Int32) -> Int32 {
  Connector.openSocket(host: hostname, port: portnumber)
}
