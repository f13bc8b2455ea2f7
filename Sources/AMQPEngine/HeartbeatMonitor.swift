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
  private let halfInterval: UInt64
  /// Nanoseconds of silence that a peer is granted.
  private var grantedSilence: UInt64
  private var lastSent: Instant
  /// As `lastSent`, without our own heartbeats.
  private var lastSpoken: Instant
  private var lastReceived: Instant

  /// Starts both clocks: at tune, with the negotiated heartbeat.
  public init(intervalSeconds: UInt16, at now: Instant) {
    halfInterval = UInt64(intervalSeconds) &* 500_000_000
    grantedSilence = halfInterval &* 5
    lastSent = now
    lastSpoken = now
    lastReceived = now
  }

  public var isOn: Bool { halfInterval != 0 }

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

  /// `sendPending`: part of a frame is still to be written. That will do as a heartbeat, so none is asked for.
  public func check(at now: Instant, sendPending: Bool = false) -> Verdict {
    let death = deathDeadline
    if death.hasPassed(at: now) { return .peerDead }
    if sendPending { return .idle(until: death) }
    let send = nextSend
    if send.hasPassed(at: now) { return .sendHeartbeat }
    return .idle(until: min(send, death))
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
