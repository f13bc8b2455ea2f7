// In: what lies in the socket, frame by frame, each where it lies.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

/// Reads in one turn, so that one busy connection leaves time for the others of its loop.
private let readLimit = 8

extension EventDriver {
  /// Takes what there is and handles it. From the loop alone.
  func receive() {
    guard connection.pointee.isReceiving else { return }
    connection.pointee.assembler.borrow(connection.pointee.hub.pointee.inbound)
    for _ in 0..<readLimit {
      guard readOnce() else { break }
    }
    let isSettled = connection.pointee.assembler.settle()
    if !isSettled { lost(.noMemory, at: Clock.now()) }
  }

  /// False when there is nothing more to read for now.
  private func readOnce() -> Bool {
    let now = Clock.now()
    guard let room = connection.pointee.assembler.room() else {
      lost(.noMemory, at: now)
      return false
    }
    switch transport.receive(into: room) {
    case .bytes(let count):
      connection.pointee.assembler.filled(count)
      connection.pointee.monitor.didReceive(at: now)
      connection.pointee.counters.bytesReceived &+= UInt64(truncatingIfNeeded: count)
      return handleFrames(now) && count == room.count
    case .wouldBlock(let interest):
      if interest != .read, !awaitRoom() { lost(.noMemory, at: now) }
    case .closed:
      lost(.connectionClosed, at: now)
    case .failed(let errno):
      lost(EventError(errno: errno, transport.status(of: errno)), at: now)
    }
    return false
  }

  /// False when the connection is not to be read any further.
  private func handleFrames(_ now: Instant) -> Bool {
    while connection.pointee.isReceiving {
      let tuning = connection.pointee.tuning
      switch connection.pointee.assembler.next(frameMax: tuning.frameMax, channelMax: tuning.highestChannel) {
      case .frame(let view):
        if isTraced { traceReceived(view) }
        if view.channel != 0 {
          let status = channelFrame(view, now)
          if !status.isOK { lost(status, at: now) }
        } else {
          connectionFrame(view, now)
        }
      case .protocolHeader: loginReceived(.protocolHeader, at: now)
      case .malformed: lost(.badAMQPData, at: now)
      case .incomplete:
        if keepContent() { return true }
        lost(.noMemory, at: now)
      }
    }
    return false
  }

  @inline(__always)
  private func channelFrame(_ view: FrameView, _ now: Instant) -> Status {
    connection.pointee.isLoggedIn ? channelReceived(view, at: now) : .unexpectedState
  }

  private func connectionFrame(_ view: FrameView, _ now: Instant) {
    if view.type == Frame.heartbeat {
      connection.pointee.counters.heartbeatsReceived &+= 1
      return
    }
    guard view.type == Frame.method else { return lost(.badAMQPData, at: now) }
    if state == .handshaking { return loginReceived(view, at: now) }
    let status = EventDriver.withMethod(view) { method in
      connectionReceived(method, at: now)
    }
    if !status.isOK { lost(status, at: now) }
  }

  /// Decodes a method for as long as `body` runs. Not ok: there is no such method, or it is cut short.
  static func withMethod(_ view: FrameView, _ body: (amqp_method_t) -> Status) -> Status {
    var pool = amqp_pool_t()
    var frame = amqp_frame_t()
    return withUnsafeMutablePointer(to: &pool) { pool in
      pool.initialize(pageSize: 512)
      defer { pool.empty() }
      let status = Frame.decode(view, pool: pool, into: &frame)
      return status.isOK ? body(frame.payload.method) : status
    }
  }

  /// A method of class connection, after the login.
  private func connectionReceived(_ method: amqp_method_t, at now: Instant) -> Status {
    switch method.id {
    case amqp_connection_close_t.id:
      guard let close = method.decoded?.load(as: amqp_connection_close_t.self) else { return .badAMQPData }
      closedByBroker(close, at: now)
    case amqp_connection_close_ok_t.id:
      note(.closeOk, at: now)
    case amqp_connection_blocked_t.id:
      guard let blocked = method.decoded?.load(as: amqp_connection_blocked_t.self) else { return .badAMQPData }
      connection.pointee.isBlocked = true
      connection.pointee.blockedSince = now
      arm(now)
      connection.pointee.callbacks.on_blocked?(handle, blocked.reason, connection.pointee.context)
    case amqp_connection_unblocked_t.id:
      connection.pointee.isBlocked = false
      connection.pointee.callbacks.on_unblocked?(handle, connection.pointee.context)
      if !connection.pointee.isDoomed, state == .ready { channelsMayPublish() }
    case amqp_connection_update_secret_ok_t.id:
      return secretUpdated()
    default:
      return .unexpectedState
    }
    return .ok
  }

  private func closedByBroker(_ close: amqp_connection_close_t, at now: Instant) {
    var closeOk = amqp_connection_close_ok_t()
    if send(&closeOk, channel: 0).isOK { writeLast(now) }
    // Both sides said goodbye at once.
    if state == .closing { return note(.closeOk, at: now) }
    lost(EventError(close, .closedByServer(replyCode: close.reply_code)), at: now)
  }
}
