// When to send a heartbeat and when the peer is dead: arithmetic on points in time that others read from the clock.
//
//   outward   a heartbeat is due when nothing was written for H/2
//   inward    the peer is dead when nothing came for 2H; for 2H + H/2 before its first byte after tune
//
// Any byte counts, in both directions. The two directions share no field: one thread may call `didSend` while another
// calls `didReceive`. Each of them read the clock a while ago, so an earlier time may come after a later one; it then
// changes nothing. A dead peer is a question and not yet an answer, since the driver looks once more into the socket.

public import AMQPBase

public struct HeartbeatMonitor: Sendable {
  public enum Verdict: Equatable, Sendable {
    case idle(until: Deadline)
    /// Repeated until `didSend`.
    case sendHeartbeat
    /// Repeated until `didReceive`.
    case peerDead
  }

  /// Nanoseconds; half of H, exact for an odd H too. 0 = heartbeats are off.
  public let halfInterval: UInt64
  /// Nanoseconds of silence that a peer is granted.
  public private(set) var grantedSilence: UInt64
  public private(set) var lastSent: Instant
  /// As `lastSent`, without our own heartbeats.
  public private(set) var lastSpoken: Instant
  public private(set) var lastReceived: Instant

  /// As it was kept by its owner.
  @inline(__always)
  public init(
    halfInterval: UInt64, grantedSilence: UInt64, lastSent: Instant, lastSpoken: Instant, lastReceived: Instant
  ) {
    self.halfInterval = halfInterval
    self.grantedSilence = grantedSilence
    self.lastSent = lastSent
    self.lastSpoken = lastSpoken
    self.lastReceived = lastReceived
  }

  /// Starts both clocks: at tune, with the negotiated heartbeat.
  public init(intervalSeconds: UInt16, at now: Instant) {
    halfInterval = UInt64(intervalSeconds) &* 500_000_000
    grantedSilence = halfInterval &* 5
    lastSent = now
    lastSpoken = now
    lastReceived = now
  }

  public var isOn: Bool { halfInterval != 0 }
  /// Nanoseconds of H.
  public var interval: UInt64 { halfInterval &* 2 }

  @inline(__always) public mutating func didSend(at now: Instant) {
    lastSent = max(lastSent, now)
    lastSpoken = max(lastSpoken, now)
  }

  /// A heartbeat of our own was sent. The program's idle time goes on: a connection that the peer has closed takes a
  /// heartbeat as readily as a message.
  @inline(__always) public mutating func didSendHeartbeat(at now: Instant) { lastSent = max(lastSent, now) }

  @inline(__always) public mutating func didReceive(at now: Instant) {
    lastReceived = max(lastReceived, now)
    grantedSilence = halfInterval &* 4
  }

  /// When the next heartbeat is due if nothing else is written before.
  public var nextSend: Deadline {
    isOn ? Deadline(lastSent.adding(nanoseconds: halfInterval)) : .never
  }

  /// When the peer counts as dead if nothing comes before.
  public var deathDeadline: Deadline {
    isOn ? Deadline(lastReceived.adding(nanoseconds: grantedSilence)) : .never
  }

  /// What is due. A heartbeat comes first: it does no harm to a dead peer.
  ///
  /// `early`: nanoseconds by which both may be asked for before their time, to save whoever serves many from getting up for each.
  public func check(at now: Instant, early: UInt64 = 0) -> Verdict {
    let (send, death) = (nextSend, deathDeadline)
    if send.hasPassed(at: now.adding(nanoseconds: early)) { return .sendHeartbeat }
    if death.hasPassed(at: now.adding(nanoseconds: early)) { return .peerDead }
    return .idle(until: min(send, death))
  }

  /// When to look again. What is still due was left to somebody who is busy, and that is soon settled.
  public func nextLook(after now: Instant) -> Deadline {
    let next = min(nextSend, deathDeadline)
    return next.hasPassed(at: now) ? Deadline(now.adding(nanoseconds: halfInterval / 4)) : next
  }

  /// Whether a publish must first look for the end of the connection: nothing but heartbeats of ours went either way for
  /// H/2 or 1 s, whichever is shorter. Otherwise it could write into a connection that the broker closed long ago.
  @inline(__always) public func lookDue(at now: Instant) -> Bool {
    let second: UInt64 = 1_000_000_000
    let idleLimit = isOn ? min(halfInterval, second) : second
    return now.nanoseconds(since: max(lastSpoken, lastReceived)) >= idleLimit
  }

  /// Nanoseconds since the last byte out and in.
  public func silence(at now: Instant) -> (sent: UInt64, received: UInt64) {
    (now.nanoseconds(since: lastSent), now.nanoseconds(since: lastReceived))
  }
}
