// Frames onto the wire.
//
// Everything is encoded, or refused, before the first octet leaves. Then the whole message goes in as few system calls as
// the socket allows. A publisher that has to wait for room keeps reading while nobody else does, because a broker that
// has stopped reading may still be alive, and says so.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ

extension BlockingDriver {
  func sendMethod(_ id: UInt32, _ decoded: UnsafeMutableRawPointer?, channel: UInt16, until deadline: Deadline = .never)
    -> Status
  {
    sending(until: deadline) { now in
      let status = connection.pointee.send.outbox.encode(
        method: id, decoded, channel: channel, frameMax: connection.pointee.tuning.frameMax)
      return status.isOK ? transmit(until: deadline, &now) : status
    }
  }

  /// The same where the method is known when the program is compiled.
  @inline(__always)
  func send<Method: WireMethod>(_ method: inout Method, channel: UInt16) -> Status {
    sending { now in
      let status = connection.pointee.send.outbox.encode(
        &method, channel: channel, frameMax: connection.pointee.tuning.frameMax)
      return status.isOK ? transmit(until: .never, &now) : status
    }
  }

  func sendFrame(_ frame: UnsafePointer<amqp_frame_t>) -> Status {
    sending { now in
      let status = connection.pointee.send.outbox.encode(frame, frameMax: connection.pointee.tuning.frameMax)
      return status.isOK ? transmit(until: .never, &now) : status
    }
  }

  func sendProtocolHeader(until deadline: Deadline = .never) -> Status {
    sending(until: deadline) { now in
      var status = connection.pointee.send.outbox.encodeProtocolHeader()
      if status.isOK { status = transmit(until: deadline, &now) }
      if status.isOK { note(.headerSent) }
      return status
    }
  }

  @inline(__always)
  func publish(
    _ publish: inout amqp_basic_publish_t, properties: UnsafePointer<amqp_basic_properties_t>,
    body: UnsafeRawBufferPointer, channel: UInt16
  ) -> Status {
    // A message that joins others which are held needs the time for heartbeats alone.
    sending(at: connection.pointee.send.outbox.isHolding ? Clock.nowRoughly() : nil) { now in
      let wasHolding = connection.pointee.send.outbox.isHolding
      if !wasHolding, monitor.lookDue(at: now), isPeerGone() { return .connectionClosed }
      if state.phase == .closing { return .connectionClosed }
      let status = connection.pointee.send.outbox.encode(
        &publish, properties: properties, body: body, channel: channel, frameMax: connection.pointee.tuning.frameMax)
      guard status.isOK else { return status }
      // Nobody else may call for as long as the program corks: what is held leaves when a heartbeat is due.
      if connection.pointee.send.isCorked, !connection.pointee.monitor.nextSend.hasPassed(at: now),
        connection.pointee.send.outbox.hold()
      {
        return .ok
      }
      if wasHolding {
        now = Clock.now()
        if monitor.lookDue(at: now), isPeerGone() { return abandon(.connectionClosed) }
      }
      return transmit(until: .never, &now)
    }
  }

  // MARK: Cork

  /// From now on small messages are held, until something has to leave: `uncork`, a call that sends anything else, a wait, a
  /// heartbeat that is due, or enough of them.
  func cork() -> Status {
    sending { _ in
      connection.pointee.send.isCorked = true
      return .ok
    }
  }

  func uncork() -> Status {
    sending { now in
      connection.pointee.send.isCorked = false
      guard connection.pointee.send.outbox.isHolding else { return .ok }
      if monitor.lookDue(at: now), isPeerGone() { return abandon(.connectionClosed) }
      return transmit(until: .never, &now)
    }
  }

  /// Sends what the outbox holds, whole.
  private func transmit(until deadline: Deadline, _ now: inout Instant) -> Status {
    while true {
      let count = connection.pointee.send.outbox.gather()
      guard count > 0, let pieces = connection.pointee.send.outbox.pieces else { return abandon(.noMemory) }
      switch transport.send(pieces, count: count) {
      case .bytes(let sent):
        connection.pointee.send.outbox.advance(sent)
        connection.pointee.monitor.didSend(at: now)
        if connection.pointee.send.outbox.isDone {
          finishSending()
          return .ok
        }
        // More may fit at once; but a peer that takes it in sips must not outlast the deadline.
        now = Clock.now()
        if deadline.hasPassed(at: now) { return abandon(.timeout) }
      case .wouldBlock(let interest):
        let status = waitForRoom(interest, until: deadline, &now)
        if !status.isOK { return abandon(status) }
      case .closed:
        return abandon(.connectionClosed)
      case .failed(let errno):
        if isTraced { traceFailure(errno) }
        return abandon(transport.status(of: errno))
      }
    }
  }

  /// All that the outbox holds has left.
  @inline(__always)
  func finishSending() {
    if isTraced { traceSent() }
    connection.pointee.send.outbox.clear()
  }

  /// A message that is not sent whole. Nothing can follow it on the wire once the peer has a part of it.
  private func abandon(_ status: Status) -> Status {
    let isMidFrame = connection.pointee.send.outbox.isMidFrame
    connection.pointee.send.outbox.clear()
    if status == .timeout || isMidFrame { hangUp(status) }
    return state.failure.isOK ? status : state.failure
  }

  /// The socket is full. Ends when it may have room again, at the deadline, or when the peer has been silent for 2H.
  @inline(never)
  private func waitForRoom(_ interest: Interest, until deadline: Deadline, _ now: inout Instant) -> Status {
    let mayRead = receivingIfFree(else: false) { if case .wouldBlock = readAhead(now) { true } else { false } }
    let status = checkPeer(now)
    guard status.isOK else { return status }
    // There may be something to read before the end, but nobody will make room any more.
    if transport.hasPeerFinished() { return .connectionClosed }
    if deadline.hasPassed(at: now) { return .timeout }
    let result = connection.pointee.send.loop.wait(
      descriptor: transport.descriptor, interest: mayRead ? .readOrWrite : interest,
      until: min(deadline, connection.pointee.monitor.deathDeadline))
    now = Clock.now()
    if case .failed = result { return .socketError }
    return state.sendStatus
  }

  /// Reads what is there into the one inbound buffer. Answers how the last attempt ended; `bytes` when the buffer must not
  /// become any fuller.
  func readAhead(_ now: Instant) -> IOResult {
    while connection.pointee.receive.assembler.bufferedBytes < readAheadLimit,
      let room = connection.pointee.receive.assembler.room()
    {
      let result = transport.receive(into: room)
      guard case .bytes(let count) = result else { return result }
      connection.pointee.receive.assembler.filled(count)
      connection.pointee.receive.isMidFrame = false
      didReceive(now)
    }
    return .bytes(0)
  }

  /// After an idle time: whether the peer has closed the connection, so that a message would be lost. Takes nothing out of
  /// the socket: a program may be polling it.
  @inline(never)
  private func isPeerGone() -> Bool {
    receivingIfFree(else: false) { transport.hasPeerFinished() || isCloseUnread() }
  }

  /// Whether a connection.close lies unread, in the inbound buffer or in the socket behind it.
  private func isCloseUnread() -> Bool {
    // Without memory for a look the message is sent unlooked, as it is most of the time.
    guard let scratch = malloc(peekLimit) else { return false }
    defer { free(scratch) }
    var unread = UnsafeRawBufferPointer(start: nil, count: 0)
    if case .bytes(let count) = transport.peek(into: UnsafeMutableRawBufferPointer(start: scratch, count: peekLimit)) {
      unread = UnsafeRawBufferPointer(start: scratch, count: count)
    }
    return CloseScan.containsClose(connection.pointee.receive.assembler.buffered, unread)
  }
}

/// Octets that are read before somebody waits for them: by a publisher that waits for room, or for a program with its own loop.
private let readAheadLimit = 131_072
/// Octets of unread input in which a connection.close is looked for.
private let peekLimit = 8192
