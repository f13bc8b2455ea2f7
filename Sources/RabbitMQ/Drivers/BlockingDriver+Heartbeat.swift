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
  /// For the calls that only look at the connection: sends what is due, and hangs up on a dead peer. When somebody is
  /// receiving, that is his business.
  func service() {
    guard monitor.isOn else { return }
    receivingIfFree(else: ()) {
      let now = Clock.now()
      serviceSend(now)
      if monitor.deathDeadline.hasPassed(at: now) { confirmDeath(now) }
    }
  }

  /// Sends a heartbeat if one is due. When somebody else is sending, what he sends serves as well.
  @inline(__always)
  func serviceSend(_ now: Instant) {
    if monitor.nextSend.hasPassed(at: now) { sendHeartbeat(now) }
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
    connection.pointee.send.outbox.beginHeartbeat()
    let count = connection.pointee.send.outbox.gather()
    var isWritten = false
    if let pieces = connection.pointee.send.outbox.pieces,
      case .bytes(let sent) = transport.send(pieces, count: count)
    {
      connection.pointee.send.outbox.advance(sent)
      isWritten = connection.pointee.send.outbox.isDone
    } else {
      // The octets that fill the socket serve as well. And a heartbeat that cannot be written never ends a connection:
      // there may be something left to read.
      connection.pointee.send.outbox.withdrawHeartbeat()
    }
    connection.pointee.monitor.didSendHeartbeat(at: now, isWritten: isWritten)
  }

  /// What a call that sends must hear before it does. It does not read what the program would then wait for in vain.
  @inline(__always)
  func checkPeer(_ now: Instant) -> Status {
    if monitor.deathDeadline.hasPassed(at: now) {
      confirmDeath(now)
      receivingIfFree(else: ()) { dropHeartbeats() }
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
        connection.pointee.monitor.didReceiveHeartbeats(heartbeats)
      }
    }
  }

  /// The clock says that the peer is dead. The kernel knows better when the application has not been reading.
  @inline(never)
  func confirmDeath(_ now: Instant) {
    // Cut off is not silent: whoever reads or writes next hears the right code.
    guard state.isAlive, !transport.hasPeerFinished() else { return }
    if let silence = transport.peerSilence(), silence < monitor.interval &* 2 {
      connection.pointee.monitor.didReceive(at: now.subtracting(nanoseconds: silence))
    } else {
      hangUp(.heartbeatTimeout)
    }
  }

  /// Octets were read: they may have arrived long before, while the application did something else.
  @inline(__always)
  func didReceive(_ now: Instant) {
    var arrival = now
    if monitor.deathDeadline.hasPassed(at: now), let silence = transport.peerSilence() {
      arrival = now.subtracting(nanoseconds: silence)
    }
    connection.pointee.monitor.didReceive(at: arrival)
  }
}
