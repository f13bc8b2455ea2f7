// Heartbeats, as every call services them: at its entry and inside its waits.
//
// Sending needs the send side alone. The receive half has two forms. A call that receives declares the peer dead only
// after it has read all there was, so that nothing received is lost. A call that sends, and one that only looks, must not
// read what the program would then wait for in vain: they ask the kernel when it last heard from the peer.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ
import CSystem

extension BlockingDriver {
  // MARK: The program's calls

  /// For the calls that only look at the connection: sends what is due, and hangs up on a dead peer. When somebody is
  /// receiving, that is his business.
  func service() {
    guard monitor.isOn || connection.pointee.send.outbox.isHolding else { return }
    receivingIfFree(else: ()) {
      let now = Clock.now()
      serviceSend(now)
      if connection.pointee.monitor.deathDeadline.hasPassed(at: now) { confirmDeath(now) }
    }
  }

  /// Sends what is held, or a heartbeat if one is due. When somebody else is sending, what he sends serves as well.
  @inline(__always)
  func serviceSend(_ now: Instant) {
    if connection.pointee.monitor.nextSend.hasPassed(at: now) || connection.pointee.send.outbox.isHolding {
      sendHeartbeat(now)
    }
  }

  /// When a wait must be interrupted for the sake of heartbeats.
  func nextService(after now: Instant) -> Deadline { monitor.nextLook(after: now) }

  @inline(never)
  private func sendHeartbeat(_ now: Instant) {
    guard state.isAlive, connection.pointee.send.turn.tryTake() else { return }
    defer { connection.pointee.send.turn.give() }
    writeHeartbeat(now)
  }

  /// For who has the turn to send.
  private func writeHeartbeat(_ now: Instant) {
    let isHolding = connection.pointee.send.outbox.isHolding
    connection.pointee.send.outbox.beginHeartbeat()
    let count = connection.pointee.send.outbox.gather()
    var isWritten = false
    if let pieces = connection.pointee.send.outbox.pieces,
      case .bytes(let sent) = transport.send(pieces, count: count)
    {
      connection.pointee.send.outbox.advance(sent)
      let isDone = connection.pointee.send.outbox.isDone
      isWritten = isDone && !isHolding
      if isHolding { connection.pointee.monitor.didSend(at: now) }
      if isDone, isHolding { finishSending() }
    } else {
      // The octets that fill the socket serve as well. And a heartbeat that cannot be written never ends a connection:
      // there may be something left to read. What is held stays for the call that has to answer for it.
      connection.pointee.send.outbox.withdrawHeartbeat()
    }
    connection.pointee.monitor.didSendHeartbeat(at: now, isWritten: isWritten)
    if isTraced, isWritten { traceHeartbeat(.sent) }
  }

  /// What a call that sends must hear before it does. It does not read what the program would then wait for in vain.
  @inline(__always)
  func checkPeer(_ now: Instant) -> Status {
    if connection.pointee.monitor.deathDeadline.hasPassed(at: now) {
      // Somebody who is receiving may have what has come in hand, and judges himself.
      receivingIfFree(else: confirmDeath(now, isListening: false)) {
        confirmDeath(now)
        dropHeartbeats()
      }
    }
    return state.sendStatus
  }

  /// A program that only publishes never reads: the peer's heartbeats would fill the socket in the end, and then the peer
  /// could not send any more. Those that lie in front, with nothing between them that the program waits for, are taken.
  private func dropHeartbeats() {
    guard state.isAlive, connection.pointee.receive.assembler.bufferedBytes == 0 else { return }
    withUnsafeTemporaryAllocation(byteCount: 64 &* Frame.overhead, alignment: 8) { scratch in
      guard case .bytes(let count) = transport.peek(into: scratch) else { return }
      let heartbeats = Frame.leadingHeartbeats(in: UnsafeRawBufferPointer(rebasing: scratch[..<count]))
      if heartbeats > 0 {
        _ = transport.receive(into: UnsafeMutableRawBufferPointer(rebasing: scratch[..<(heartbeats &* Frame.overhead)]))
        for _ in 0..<heartbeats { heartbeatArrived() }
      }
    }
  }

  /// The clock says that the peer is dead. The kernel knows better when the application has not been reading; where it says
  /// nothing, what lies unread is a sign of life, and silence proves something only to who has been listening.
  @inline(never)
  func confirmDeath(_ now: Instant, isListening: Bool = true) {
    // Cut off is not silent: whoever reads or writes next hears the right code.
    guard state.isAlive, !transport.hasPeerFinished() else { return }
    let silence = transport.peerSilence()
    if let silence, silence < monitor.interval &* 2 {
      connection.pointee.monitor.didReceive(at: now.subtracting(nanoseconds: silence))
    } else if silence == nil, transport.peekEnd() == .data {
      // It may have come at any time, and so at this.
      connection.pointee.monitor.didReceive(at: now)
    } else if silence != nil || isListening, connection.pointee.monitor.deathDeadline.hasPassed(at: now) {
      if isTraced { traceDeath(after: silence ?? monitor.silence(at: now).received) }
      hangUp(.heartbeatTimeout)
    }
  }

  /// One that will not be handed out.
  func heartbeatArrived() {
    connection.pointee.monitor.didReceiveHeartbeat()
    if isTraced { traceHeartbeat(.received) }
  }

  /// Octets were read: they may have arrived long before, while the application did something else.
  @inline(__always)
  func didReceive(_ now: Instant) {
    var arrival = now
    if connection.pointee.monitor.deathDeadline.hasPassed(at: now), let silence = transport.peerSilence() {
      arrival = now.subtracting(nanoseconds: silence)
    }
    connection.pointee.monitor.didReceive(at: arrival)
  }

  // MARK: The program's own loop

  /// Does what heartbeats need, at once: reads what is there, sends what is due, and hangs up on a dead peer.
  ///
  /// When another thread is receiving, it reads and judges; so does one that sends, and there the kernel is asked.
  func serviceNow() -> Status {
    receivingIfFree(else: serviceWhileReceiving()) {
      let now = Clock.now()
      guard state.receiveStatus.isOK else { return state.receiveStatus }
      let outcome = readAhead(now)
      serviceSend(now)
      switch outcome {
      case .bytes, .wouldBlock:
        if connection.pointee.monitor.deathDeadline.hasPassed(at: now) { confirmDeath(now) }
      case .closed:
        note(.inputEnded)
      case .failed(let errno):
        if state.receiveStatus.isOK { return transport.status(of: errno) }
      }
      return state.receiveStatus
    }
  }

  private func serviceWhileReceiving() -> Status {
    serviceSend(Clock.now())
    return state.receiveStatus
  }

  /// Nanoseconds that the program may sleep; nil: heartbeats ask for nothing.
  func sleepLimit() -> UInt64? {
    let now = Clock.now()
    guard monitor.isOn, state.isAlive else { return nil }
    return monitor.nextLook(after: now).remaining(from: now)
  }

  func stats() -> amqp_heartbeat_stats_t {
    let monitor = monitor
    guard state.phase != .new else { return amqp_heartbeat_stats_t() }
    let (sent, received) = connection.pointee.monitor.counts
    let silence = monitor.silence(at: Clock.now())
    return amqp_heartbeat_stats_t(
      size: 0, sent: sent, received: received, milliseconds_since_sent: silence.sent / 1_000_000,
      milliseconds_since_received: silence.received / 1_000_000, interval_seconds: monitor.interval / 1_000_000_000)
  }

  // MARK: The keeper

  /// What `HeartbeatKeeper` does for this connection; answers when he has to come again, nil when its life is over.
  ///
  /// He uses the send side, and only if nobody else does: whoever sends looks after the connection himself.
  func keep(_ now: Instant) -> Deadline? {
    guard state.isAlive else { return nil }
    let early = monitor.interval / 16
    if case .idle(let until) = monitor.check(at: now, early: early) { return until }
    if connection.pointee.send.turn.tryTake() {
      defer { connection.pointee.send.turn.give() }
      if monitor.check(at: now, early: early) == .sendHeartbeat { writeHeartbeat(now) }
      if monitor.check(at: now, early: early) == .peerDead { confirmDeath(now, isListening: false) }
    }
    return state.isAlive ? monitor.nextLook(after: now) : nil
  }

  /// Lets the keeper look after this connection if the program wishes so and there is anything to do for it.
  @discardableResult
  func updateKeeper() -> Status {
    let isWanted = connection.pointee.wantsKeeper ?? (Settings.current.is_background != 0)
    guard isWanted, monitor.isOn, state.isAlive else {
      HeartbeatKeeper.leave(connection)
      return .ok
    }
    return HeartbeatKeeper.join(connection)
  }
}
