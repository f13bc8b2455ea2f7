// Out: the queue into the socket, once per turn of the loop, and heartbeats when nothing else goes.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

/// Octets written in one turn, so that one busy connection leaves time for the others of its loop.
private let turnLimit = 1 << 20

extension EventDriver {
  /// Encodes a method; it leaves at the end of the turn.
  @inline(__always)
  func send<Method: WireMethod>(_ method: inout Method, channel: UInt16) -> Status {
    let before = connection.pointee.queue.count
    let status = connection.pointee.queue.encode(
      &method, channel: channel, frameMax: connection.pointee.tuning.frameMax)
    guard status.isOK else { return status }
    if isTraced { traceSent(since: before) }
    scheduleTurn()
    return status
  }

  /// Writes what waits, as much as the socket takes.
  func flush() {
    guard !connection.pointee.queue.isEmpty, connection.pointee.isReceiving, !connection.pointee.isWaitingForRoom
    else { return }
    let wasAboveLow = connection.pointee.isAboveHighWater
    let now = Clock.now()
    let written = write(now)
    giveBackBodies()
    if case .failed(let error) = written { return sendFailed(error, at: now) }
    channelsWritten()
    guard !connection.pointee.isDoomed else { return }
    arm(now)
    if wasAboveLow, connection.pointee.queue.count <= connection.pointee.options.plain.lowWater {
      connection.pointee.isAboveHighWater = false
      channelsMayPublish()
    }
  }

  private enum Written {
    case whatFits
    case failed(EventError)
  }

  private func write(_ now: Instant) -> Written {
    let pieces = connection.pointee.hub.pointee.pieces
    guard let base = pieces.baseAddress else { return .whatFits }
    var budget = turnLimit
    while !connection.pointee.queue.isEmpty, budget > 0 {
      let count = connection.pointee.queue.gather(pieces)
      switch transport.send(base, count: count) {
      case .bytes(let sent):
        connection.pointee.queue.advance(sent)
        connection.pointee.monitor.didSend(at: now)
        connection.pointee.counters.bytesSent &+= UInt64(truncatingIfNeeded: sent)
        budget &-= sent
      case .wouldBlock:
        return awaitRoom() ? .whatFits : .failed(EventError(.noMemory))
      case .closed:
        return .failed(EventError(.connectionClosed))
      case .failed(let errno):
        return .failed(EventError(errno: errno, transport.status(of: errno)))
      }
    }
    if connection.pointee.queue.isEmpty {
      stopAwaitingRoom()
    } else if !awaitRoom() {
      return .failed(EventError(.noMemory))
    }
    return .whatFits
  }

  /// The broker may have said why before it closed: what it said still lies in the socket.
  private func sendFailed(_ error: EventError, at now: Instant) {
    let epoch = connection.pointee.epoch
    receive()
    if connection.pointee.epoch == epoch { lost(error, at: now) }
  }

  /// libevent says that the socket has room again.
  func roomHasCome() {
    stopAwaitingRoom()
    // TLS may have something of its own to write, an answer to new keys: it does so before it reads.
    if connection.pointee.queue.isEmpty { receive() } else { flush() }
  }

  /// Bodies that were published by reference and are written go back to the program.
  func giveBackBodies() {
    while let release = connection.pointee.queue.takeReleased() {
      release.work(release.bytes, release.length, release.context)
    }
  }

  // MARK: Heartbeats

  func serviceHeartbeat(_ now: Instant) {
    // What waits to be written serves as one.
    if connection.pointee.monitor.nextSend.hasPassed(at: now), connection.pointee.queue.isEmpty {
      guard connection.pointee.queue.encodeHeartbeat().isOK else { return lost(.noMemory, at: now) }
      if isTraced { traceSent(since: 0) }
      connection.pointee.counters.heartbeatsSent &+= 1
      flush()
    }
    guard isPeerSilent(at: now) else { return }
    // A loop that was busy for long finds what came meanwhile in the socket.
    receive()
    if isPeerSilent(at: now) { lost(.heartbeatTimeout, at: now) }
  }

  private func isPeerSilent(at now: Instant) -> Bool {
    connection.pointee.isLoggedIn && connection.pointee.monitor.deathDeadline.hasPassed(at: now)
  }
}
