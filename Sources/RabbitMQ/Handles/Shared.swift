// What more than one thread may look at without having a turn: the state of the connection and the times of its heartbeats.
//
// The engine's machines are plain values. Here they lie in words that are read and written whole: whoever asks gets a copy,
// whoever changes something does it to a copy and puts that back. No order between the words is needed: what else a thread
// touches, it touches while it has a turn.

import AMQPBase
import AMQPEngine
import Synchronization

/// A `ConnectionState` in one word.
struct SharedState: ~Copyable {
  private let word = Atomic<UInt64>(ConnectionState().bits)

  init() {}

  var current: ConnectionState {
    @inline(__always) get { ConnectionState(bits: word.load(ordering: .relaxed)) }
  }

  /// What an event does, and from where to where it leads.
  struct Change {
    let action: ConnectionState.Action
    let from: ConnectionState.Phase
    let to: ConnectionState.Phase
  }

  /// Nothing comes between the state that an event meets and the one that it leaves behind.
  func receive(_ event: ConnectionState.Event) -> Change {
    var bits = word.load(ordering: .relaxed)
    while true {
      var state = ConnectionState(bits: bits)
      let from = state.phase
      let action = state.receive(event)
      let (isExchanged, found) = word.compareExchange(
        expected: bits, desired: state.bits, ordering: .acquiringAndReleasing)
      if isExchanged { return Change(action: action, from: from, to: state.phase) }
      bits = found
    }
  }
}

/// A `HeartbeatMonitor` and the counts of heartbeats, in words.
///
/// Two threads that write the same word at once may leave the earlier of two times, which are then hardly apart.
struct SharedMonitor: ~Copyable {
  private let halfInterval = Atomic<UInt64>(0)
  private let grantedSilence = Atomic<UInt64>(0)
  private let lastSent = Atomic<UInt64>(0)
  private let lastSpoken = Atomic<UInt64>(0)
  private let lastReceived = Atomic<UInt64>(0)
  private let heartbeatsSent = Atomic<UInt64>(0)
  private let heartbeatsReceived = Atomic<UInt64>(0)

  init() {}

  /// All of it.
  var current: HeartbeatMonitor {
    @inline(__always) get {
      HeartbeatMonitor(
        halfInterval: halfInterval.load(ordering: .relaxed), grantedSilence: grantedSilence.load(ordering: .relaxed),
        lastSent: Instant(nanoseconds: lastSent.load(ordering: .relaxed)),
        lastSpoken: Instant(nanoseconds: lastSpoken.load(ordering: .relaxed)),
        lastReceived: Instant(nanoseconds: lastReceived.load(ordering: .relaxed)))
    }
  }

  var nextSend: Deadline {
    @inline(__always) get { sending(halfInterval: halfInterval.load(ordering: .relaxed)).nextSend }
  }

  var deathDeadline: Deadline {
    @inline(__always) get { receiving(halfInterval: halfInterval.load(ordering: .relaxed)).deathDeadline }
  }

  // Every call looks at these two halves: at no word more than it needs.

  @inline(__always) private func sending(halfInterval: UInt64 = 0) -> HeartbeatMonitor {
    let start = Instant(nanoseconds: 0)
    return HeartbeatMonitor(
      halfInterval: halfInterval, grantedSilence: 0, lastSent: Instant(nanoseconds: lastSent.load(ordering: .relaxed)),
      lastSpoken: Instant(nanoseconds: lastSpoken.load(ordering: .relaxed)), lastReceived: start)
  }

  @inline(__always) private func receiving(halfInterval: UInt64) -> HeartbeatMonitor {
    let start = Instant(nanoseconds: 0)
    return HeartbeatMonitor(
      halfInterval: halfInterval, grantedSilence: grantedSilence.load(ordering: .relaxed), lastSent: start,
      lastSpoken: start, lastReceived: Instant(nanoseconds: lastReceived.load(ordering: .relaxed)))
  }

  /// Starts both clocks and both counts.
  func restart(intervalSeconds: UInt16, at now: Instant) {
    let monitor = HeartbeatMonitor(intervalSeconds: intervalSeconds, at: now)
    storeReceived(monitor)
    storeSent(monitor)
    halfInterval.store(monitor.halfInterval, ordering: .relaxed)
    heartbeatsSent.store(0, ordering: .relaxed)
    heartbeatsReceived.store(0, ordering: .relaxed)
  }

  @inline(__always) func didSend(at now: Instant) {
    var monitor = sending()
    monitor.didSend(at: now)
    storeSent(monitor)
  }

  /// `isWritten`: not when there was no room for it, or when what was left of an earlier one took its place.
  func didSendHeartbeat(at now: Instant, isWritten: Bool) {
    var monitor = sending()
    monitor.didSendHeartbeat(at: now)
    storeSent(monitor)
    if isWritten { heartbeatsSent.wrappingAdd(1, ordering: .relaxed) }
  }

  @inline(__always) func didReceive(at now: Instant) {
    var monitor = receiving(halfInterval: halfInterval.load(ordering: .relaxed))
    monitor.didReceive(at: now)
    storeReceived(monitor)
  }

  func didReceiveHeartbeat() { heartbeatsReceived.wrappingAdd(1, ordering: .relaxed) }

  /// Heartbeats since the last restart.
  var counts: (sent: UInt64, received: UInt64) {
    (heartbeatsSent.load(ordering: .relaxed), heartbeatsReceived.load(ordering: .relaxed))
  }

  @inline(__always) private func storeSent(_ monitor: HeartbeatMonitor) {
    lastSent.store(monitor.lastSent.nanoseconds, ordering: .relaxed)
    lastSpoken.store(monitor.lastSpoken.nanoseconds, ordering: .relaxed)
  }

  @inline(__always) private func storeReceived(_ monitor: HeartbeatMonitor) {
    lastReceived.store(monitor.lastReceived.nanoseconds, ordering: .relaxed)
    grantedSilence.store(monitor.grantedSilence, ordering: .relaxed)
  }
}
