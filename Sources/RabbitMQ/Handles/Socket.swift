import AMQPBase
import AMQPTransport
import CMemory
import CRabbitMQ

/// What `amqp_socket_t *` points to. Owned by its connection, which it knows: to open it is an event in the life of that.
struct Socket: ~Copyable {
  typealias Handle = UnsafeMutablePointer<Socket>

  let connection: Connection.Handle
  /// Nil for a TCP socket, which then has `tcp`.
  let tls: TLSTransport?
  var tcp = TCPTransport()

  /// Gives the connection a new socket; an earlier one is closed and gone.
  static func make(for connection: Connection.Handle, tls: TLSTransport? = nil) -> Handle? {
    guard let memory = malloc(MemoryLayout<Socket>.stride) else { return nil }
    let socket = memory.bindMemory(to: Socket.self, capacity: 1)
    socket.initialize(to: Socket(connection: connection, tls: tls))
    HeartbeatKeeper.leave(connection)
    destroy(connection.pointee.socket)
    connection.pointee.socket = socket
    BlockingDriver(connection).socketReplaced()
    return socket
  }

  static func destroy(_ socket: Handle?) {
    guard let socket else { return }
    socket.pointee.tcp.close()
    socket.pointee.tls?.destroy()
    socket.deinitialize(count: 1)
    free(socket)
  }

  /// The transport to send and receive by.
  @inline(__always)
  static func transport(of socket: Handle?) -> Transport {
    guard let socket else { return .none }
    if let tls = socket.pointee.tls { return .tls(tls) }
    return withUnsafeMutablePointer(to: &socket.pointee.tcp) { .tcp($0) }
  }

  /// Takes over a descriptor that the program has connected. One that the socket had before is the program's again. A TLS
  /// socket connects itself or not at all.
  static func adopt(_ socket: Handle, descriptor: Int32) {
    guard socket.pointee.tls == nil else { return }
    HeartbeatKeeper.leave(socket.pointee.connection)
    _ = socket.pointee.tcp.release()
    socket.pointee.tcp = TCPTransport(descriptor: max(descriptor, -1))
    let driver = BlockingDriver(socket.pointee.connection)
    if descriptor >= 0 { driver.connected() } else { driver.socketReplaced() }
  }

  static func open(_ socket: Handle, host: UnsafePointer<CChar>?, port: Int32, timeout: UnsafePointer<timeval>?)
    -> Status
  {
    let connection = socket.pointee.connection
    if BlockingDriver(connection).isOver {
      // The keeper shuts down and leaves it to a call to close; he may still be there.
      HeartbeatKeeper.leave(connection)
      BlockingDriver(connection).closeWhenAlone()
    }
    guard transport(of: socket).descriptor < 0 else { return .socketInUse }
    guard let deadline = Deadline(timeout, from: Clock.now()) else { return .invalidParameter }
    if let tls = socket.pointee.tls {
      let status = tls.connect(host: host, port: port, until: deadline, loop: &connection.pointee.receive.loop)
      if status.isOK { BlockingDriver(connection).connected() }
      return status
    }
    switch Connector.connect(host: host, port: port, until: deadline, loop: &connection.pointee.receive.loop) {
    case .connected(let descriptor):
      adopt(socket, descriptor: descriptor)
      return .ok
    case .failed(let status):
      return status
    }
  }
}
