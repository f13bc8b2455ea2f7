// From a host of the options to a stream: the name, TCP, TLS. Each step ends in the next event for the machine.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

extension EventDriver {
  private var host: EventHost {
    connection.pointee.options.hosts.element(at: connection.pointee.life.host)?.pointee
      ?? EventHost(name: nil, port: 0)
  }

  private var port: Int32 {
    let port = host.port
    if port > 0 { return port }
    return connection.pointee.options.plain.isSecure ? 5671 : AMQP_PROTOCOL_PORT
  }

  /// Runs `body` with the name of the host.
  private func withHost<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let local: StaticString = "localhost"
    return body(
      host.name.map { UnsafePointer($0) }
        ?? UnsafeRawPointer(local.utf8Start).assumingMemoryBound(to: CChar.self))
  }

  // MARK: The name

  func resolve(_ index: Int, at now: Instant) {
    if connection.pointee.wasReady {
      let attempt = Int32(clamping: connection.pointee.life.attempt)
      withHost { name in
        connection.pointee.callbacks.on_recovering?(handle, attempt, name, port, connection.pointee.context)
      }
      guard state == .resolving, !connection.pointee.isDoomed else { return }
    }
    let answer = withHost { name in
      NameLookup.start(
        host: name, port: UInt16(truncatingIfNeeded: port), context: connection,
        notify: { EventDriver.lookupEnded($0) })
    }
    resolved(answer, at: now)
  }

  private func resolved(_ answer: NameLookup.Answer, at now: Instant) {
    switch answer {
    case .pending(let lookup): connection.pointee.lookup = lookup
    case .failed(let status): lost(status, at: now)
    case .addresses(let list):
      connection.pointee.addresses.free()
      connection.pointee.addresses = list
      note(.resolved, at: now)
    }
  }

  /// On the thread of the lookup.
  private static func lookupEnded(_ argument: UnsafeMutableRawPointer?) {
    guard let connection = argument?.assumingMemoryBound(to: EventConnection.self) else { return }
    EventHub.lookupEnded(connection)
  }

  /// On the loop's thread.
  func takeLookup() {
    guard let lookup = connection.pointee.lookup else { return }
    connection.pointee.lookup = nil
    resolved(lookup.take(), at: Clock.now())
  }

  // MARK: TCP

  func connect(at now: Instant) {
    connection.pointee.lastErrno = 0
    connectNext(at: now)
  }

  /// Tries the next address, with an equal share of the host's time.
  func connectNext(at now: Instant) {
    closeSocket()
    connection.pointee.addressDeadline = .never
    while true {
      let left = connection.pointee.addresses.left
      switch connection.pointee.addresses.connect() {
      case .failed(let errno):
        connection.pointee.lastErrno = errno
      case .exhausted:
        let errno = connection.pointee.lastErrno
        return lost(errno == 0 ? EventError(.timeout) : EventError(errno: errno), at: now)
      case .connected(let descriptor):
        return adopt(descriptor, at: now)
      case .underWay(let descriptor):
        return awaitConnection(descriptor, among: left, at: now)
      }
    }
  }

  private func awaitConnection(_ descriptor: Int32, among left: UInt64, at now: Instant) {
    connection.pointee.tcp = TCPTransport(descriptor: descriptor)
    let deadline = connection.pointee.life.deadline
    if left > 1, !deadline.isNever {
      connection.pointee.addressDeadline = Deadline(now.adding(nanoseconds: deadline.remaining(from: now) / left))
    }
    guard watch(descriptor), awaitRoom() else { return lost(.noMemory, at: now) }
    arm(now)
  }

  /// The socket is writable for the first time.
  private func connectEnded() {
    let now = Clock.now()
    let descriptor = connection.pointee.tcp.descriptor
    let errno = AddressList.outcome(descriptor)
    guard errno == 0 else {
      connection.pointee.lastErrno = errno
      return connectNext(at: now)
    }
    connection.pointee.addressDeadline = .never
    _ = connection.pointee.tcp.release()
    adopt(descriptor, at: now)
  }

  /// The descriptor is connected. TLS takes it over.
  private func adopt(_ descriptor: Int32, at now: Instant) {
    AddressList.setKeepalive(descriptor, seconds: connection.pointee.options.plain.keepalive)
    connection.pointee.addresses.free()
    var status = Status.ok
    if let tls = connection.pointee.tls {
      status = withHost { tls.begin(descriptor, host: $0) }
    } else {
      connection.pointee.tcp = TCPTransport(descriptor: descriptor)
    }
    guard status.isOK, watch(descriptor) else { return lost(status.isOK ? .noMemory : status, at: now) }
    note(.connected, at: now)
  }

  // MARK: TLS

  func secure(at now: Instant) {
    guard let tls = connection.pointee.tls else { return }
    switch tls.handshake() {
    case .done:
      stopAwaitingRoom()
      note(.secured, at: now)
    case .failed(let status):
      var error = EventError(status)
      error.kind = AMQP_EVENT_ERROR_TLS
      lost(error, at: now)
    case .wouldBlock(let interest):
      if interest == .read { stopAwaitingRoom() } else if !awaitRoom() { lost(.noMemory, at: now) }
    }
  }

  // MARK: libevent

  /// Hears of what comes in, and can be asked to hear of room.
  private func watch(_ descriptor: Int32) -> Bool {
    let base = connection.pointee.hub.pointee.base
    if connection.pointee.events.read != nil { return true }
    connection.pointee.events.read = event_new(
      base, descriptor, Int16(EV_READ) | Int16(EV_PERSIST), { _, _, connection in EventDriver.readable(connection) },
      connection)
    connection.pointee.events.write = event_new(
      base, descriptor, Int16(EV_WRITE) | Int16(EV_PERSIST), { _, _, connection in EventDriver.writable(connection) },
      connection)
    return connection.pointee.events.write != nil && event_add(connection.pointee.events.read, nil) == 0
  }

  /// False when libevent has no memory.
  func awaitRoom() -> Bool {
    if connection.pointee.isWaitingForRoom { return true }
    guard event_add(connection.pointee.events.write, nil) == 0 else { return false }
    connection.pointee.isWaitingForRoom = true
    return true
  }

  func stopAwaitingRoom() {
    guard connection.pointee.isWaitingForRoom else { return }
    connection.pointee.isWaitingForRoom = false
    event_del(connection.pointee.events.write)
  }

  private static func readable(_ argument: UnsafeMutableRawPointer?) {
    guard let connection = argument?.assumingMemoryBound(to: EventConnection.self) else { return }
    let driver = EventDriver(connection)
    switch driver.state {
    // Errors show as readable too; what came of the attempt shows when it is writable.
    case .connecting: break
    case .securing: driver.secure(at: Clock.now())
    case .handshaking, .recovering, .ready, .closing: driver.receive()
    case .idle, .resolving, .waiting, .closed: break
    }
  }

  private static func writable(_ argument: UnsafeMutableRawPointer?) {
    guard let connection = argument?.assumingMemoryBound(to: EventConnection.self) else { return }
    let driver = EventDriver(connection)
    switch driver.state {
    case .connecting: driver.connectEnded()
    case .securing: driver.secure(at: Clock.now())
    case .handshaking, .recovering, .ready, .closing: driver.roomHasCome()
    case .idle, .resolving, .waiting, .closed: break
    }
  }

  /// Takes the socket away, with what libevent knows of it.
  func closeSocket() {
    if let event = connection.pointee.events.read { event_free(event) }
    if let event = connection.pointee.events.write { event_free(event) }
    (connection.pointee.events.read, connection.pointee.events.write) = (nil, nil)
    connection.pointee.isWaitingForRoom = false
    connection.pointee.tcp.close()
    connection.pointee.tls?.close()
  }
}
