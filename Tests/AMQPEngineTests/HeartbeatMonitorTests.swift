import AMQPBase
import Testing

@testable import AMQPEngine

private let second: UInt64 = 1_000_000_000
/// When tune came; nothing here depends on it.
private let start = Instant(nanoseconds: 1_000 * second)

private func monitor(_ seconds: UInt16) -> HeartbeatMonitor { HeartbeatMonitor(intervalSeconds: seconds, at: start) }
private func after(_ nanoseconds: UInt64) -> Instant { start.adding(nanoseconds: nanoseconds) }
private func half(_ seconds: UInt16) -> UInt64 { UInt64(seconds) * 500_000_000 }

@Suite struct HeartbeatSendingTests {
  @Test(arguments: [1, 2, 3, 5, 7, 60, 579, 65_535] as [UInt16])
  func oneIsDueAfterHalfTheInterval(seconds: UInt16) {
    var monitor = monitor(seconds)
    let due = after(half(seconds))
    #expect(monitor.nextSend == Deadline(due))
    #expect(monitor.check(at: due.subtracting(nanoseconds: 1)) == .idle(until: Deadline(due)))
    #expect(monitor.check(at: due) == .sendHeartbeat)
    monitor.didSend(at: due)
    let next = due.adding(nanoseconds: half(seconds))
    #expect(monitor.check(at: due) == .idle(until: Deadline(next)))
    #expect(monitor.check(at: next.subtracting(nanoseconds: 1)) == .idle(until: Deadline(next)))
    #expect(monitor.check(at: next) == .sendHeartbeat)
  }

  @Test func oneSecondMeansHalfASecond() {
    #expect(monitor(1).nextSend == Deadline(after(500_000_000)))
    #expect(monitor(3).nextSend == Deadline(after(1_500_000_000)))
  }

  @Test func itIsAskedForUntilSomethingIsSent() {
    var monitor = monitor(10)
    for late in [5, 6, 9, 19] as [UInt64] { #expect(monitor.check(at: after(late * second)) == .sendHeartbeat) }
    monitor.didSend(at: after(19 * second))
    #expect(monitor.check(at: after(19 * second)) == .idle(until: Deadline(after(24 * second))))
  }

  @Test func whatIsReceivedDoesNotCount() {
    var monitor = monitor(10)
    monitor.didReceive(at: after(4 * second))
    #expect(monitor.check(at: after(5 * second)) == .sendHeartbeat)
  }

  @Test func anythingSentCountsAndSoDoesAHeartbeat() {
    var monitor = monitor(10)
    monitor.didSend(at: after(3 * second))
    #expect(monitor.nextSend == Deadline(after(8 * second)))
    monitor.didSendHeartbeat(at: after(8 * second))
    #expect(monitor.nextSend == Deadline(after(13 * second)))
  }

  /// Whoever serves many sends a little early, and not twice.
  @Test func anEarlyOneMovesTheNext() {
    var monitor = monitor(16)
    #expect(monitor.check(at: after(7 * second - 1), early: second) == .idle(until: Deadline(after(8 * second))))
    #expect(monitor.check(at: after(7 * second), early: second) == .sendHeartbeat)
    monitor.didSendHeartbeat(at: after(7 * second))
    #expect(monitor.check(at: after(7 * second), early: second) == .idle(until: Deadline(after(15 * second))))
  }

  /// The question of death too may be asked a little early.
  @Test func deathMayBeLookedForEarly() {
    var monitor = monitor(16)
    monitor.didReceive(at: start)
    monitor.didSend(at: after(31 * second))
    #expect(monitor.check(at: after(31 * second - 1), early: second) != .peerDead)
    #expect(monitor.check(at: after(31 * second), early: second) == .peerDead)
    monitor.didReceive(at: after(25 * second))
    #expect(monitor.check(at: after(31 * second), early: second) == .idle(until: Deadline(after(39 * second))))
  }

  /// What was left to somebody else is looked at again after H/8, and not at once.
  @Test func whatIsOverdueIsLookedAtSoon() {
    var monitor = monitor(8)
    #expect(monitor.nextLook(after: after(4 * second - 1)) == Deadline(after(4 * second)))
    #expect(monitor.nextLook(after: after(4 * second)) == Deadline(after(5 * second)))
    #expect(monitor.nextLook(after: after(30 * second)) == Deadline(after(31 * second)))
    monitor.didSend(at: after(19 * second))
    #expect(monitor.nextLook(after: after(19 * second)) == Deadline(after(20 * second)))
  }

  @Test func anEarlierTimeThatComesLateChangesNothing() {
    var monitor = monitor(10)
    monitor.didSend(at: after(4 * second))
    monitor.didSend(at: after(1 * second))
    monitor.didSendHeartbeat(at: after(2 * second))
    #expect(monitor.nextSend == Deadline(after(9 * second)))
    monitor.didSend(at: Instant(nanoseconds: 0))
    #expect(monitor.silence(at: after(5 * second)).sent == second)
  }
}

@Suite struct HeartbeatDeathTests {
  @Test(arguments: [1, 2, 3, 7, 60, 65_535] as [UInt16])
  func beforeTheFirstByteThePeerHasHalfAnIntervalMore(seconds: UInt16) {
    var monitor = monitor(seconds)
    let death = after(5 * half(seconds))
    monitor.didSend(at: death)
    #expect(monitor.deathDeadline == Deadline(death))
    #expect(monitor.check(at: death.subtracting(nanoseconds: 1)) != .peerDead)
    #expect(monitor.check(at: death) == .peerDead)
  }

  @Test(arguments: [1, 2, 3, 7, 60, 65_535] as [UInt16])
  func thenItHasTwoIntervals(seconds: UInt16) {
    var monitor = monitor(seconds)
    let arrival = after(half(seconds) - 1)
    monitor.didReceive(at: arrival)
    let death = arrival.adding(nanoseconds: 4 * half(seconds))
    monitor.didSend(at: death)
    #expect(monitor.deathDeadline == Deadline(death))
    #expect(monitor.check(at: death.subtracting(nanoseconds: 1)) != .peerDead)
    #expect(monitor.check(at: death) == .peerDead)
  }

  @Test func itIsAskedUntilSomethingComes() {
    var monitor = monitor(2)
    monitor.didSend(at: after(100 * second))
    for late in [5, 6, 100] as [UInt64] { #expect(monitor.check(at: after(late * second)) == .peerDead) }
    monitor.didReceive(at: after(100 * second))
    #expect(monitor.check(at: after(100 * second)) == .idle(until: Deadline(after(101 * second))))
  }

  @Test func whatIsSentDoesNotCount() {
    var monitor = monitor(2)
    for elapsed in 1...4 as ClosedRange<UInt64> { monitor.didSend(at: after(elapsed * second)) }
    #expect(monitor.deathDeadline == Deadline(after(5 * second)))
  }

  /// It does no harm to the dead, and the living need it.
  @Test func aHeartbeatThatIsDueComesFirst() {
    var monitor = monitor(2)
    #expect(monitor.check(at: after(5 * second)) == .sendHeartbeat)
    monitor.didSendHeartbeat(at: after(5 * second))
    #expect(monitor.check(at: after(5 * second)) == .peerDead)
  }

  /// A wait ends at whichever comes first.
  @Test func anIdleWaitEndsAtDeathWhenThatIsNearer() {
    var monitor = monitor(2)
    monitor.didReceive(at: after(0))
    monitor.didSend(at: after(3_500_000_000))
    #expect(monitor.check(at: after(3_500_000_000)) == .idle(until: Deadline(after(4 * second))))
  }

  @Test func anEarlierTimeThatComesLateChangesNothing() {
    var monitor = monitor(2)
    monitor.didReceive(at: after(3 * second))
    monitor.didReceive(at: after(1 * second))
    #expect(monitor.deathDeadline == Deadline(after(7 * second)))
    #expect(monitor.silence(at: after(4 * second)).received == second)
  }

  /// The first byte ends the longer grant even when its time is that of tune.
  @Test func aByteAtTheTimeOfTuneIsTheFirst() {
    var monitor = monitor(2)
    monitor.didReceive(at: start)
    #expect(monitor.deathDeadline == Deadline(after(4 * second)))
  }

  @Test func theOrderOfTheTwoDirectionsDoesNotMatter() {
    var (one, other) = (monitor(4), monitor(4))
    one.didSend(at: after(1))
    one.didReceive(at: after(2))
    other.didReceive(at: after(2))
    other.didSend(at: after(1))
    #expect(one.nextSend == other.nextSend)
    #expect(one.deathDeadline == other.deathDeadline)
    #expect(one.silence(at: after(9)) == other.silence(at: after(9)))
    #expect(one.silence(at: after(9)) == (8, 7))
  }

  @Test func timeThatGoesBackIsNoSilence() {
    var monitor = monitor(2)
    monitor.didSend(at: after(second))
    monitor.didReceive(at: after(second))
    #expect(monitor.silence(at: start) == (0, 0))
    #expect(monitor.check(at: start) == .idle(until: Deadline(after(2 * second))))
    #expect(!monitor.lookDue(at: start))
  }
}

@Suite struct HeartbeatExtremesTests {
  @Test func offMeansNever() {
    var monitor = monitor(0)
    #expect(!monitor.isOn)
    for late in [0, second, .max] as [UInt64] {
      #expect(monitor.check(at: after(late)) == .idle(until: .never))
      #expect(monitor.check(at: after(late), early: .max) == .idle(until: .never))
      #expect(monitor.nextLook(after: after(late)) == .never)
    }
    monitor.didReceive(at: after(1))
    monitor.didSend(at: after(1))
    #expect(monitor.nextSend == .never)
    #expect(monitor.deathDeadline == .never)
    #expect(monitor.check(at: Instant(nanoseconds: .max)) == .idle(until: .never))
    #expect(HeartbeatMonitor(intervalSeconds: 1, at: start).isOn)
  }

  @Test func theEndOfTimeIsNever() {
    let end = Instant(nanoseconds: .max)
    var monitor = HeartbeatMonitor(intervalSeconds: 65_535, at: end.subtracting(nanoseconds: 1))
    #expect(monitor.nextSend == .never)
    #expect(monitor.deathDeadline == .never)
    #expect(monitor.check(at: end) == .idle(until: .never))
    monitor.didReceive(at: end)
    monitor.didSend(at: end)
    #expect(monitor.check(at: end) == .idle(until: .never))
    #expect(!monitor.lookDue(at: end))
    #expect(monitor.silence(at: end) == (0, 0))
  }

  @Test func itIsTheSameAfterItWasKeptInParts() {
    var monitor = monitor(7)
    monitor.didSend(at: after(1))
    monitor.didSendHeartbeat(at: after(2))
    monitor.didReceive(at: after(3))
    let copy = HeartbeatMonitor(
      halfInterval: monitor.halfInterval, grantedSilence: monitor.grantedSilence, lastSent: monitor.lastSent,
      lastSpoken: monitor.lastSpoken, lastReceived: monitor.lastReceived)
    #expect((copy.nextSend, copy.deathDeadline) == (monitor.nextSend, monitor.deathDeadline))
    #expect(copy.lookDue(at: after(1_000_000_002)) == monitor.lookDue(at: after(1_000_000_002)))
    #expect(copy.interval == 7 * second)
  }

  @Test func theBeginningOfTimeIsATimeLikeAnother() {
    let monitor = HeartbeatMonitor(intervalSeconds: 2, at: Instant(nanoseconds: 0))
    #expect(monitor.check(at: Instant(nanoseconds: second - 1)) == .idle(until: Deadline(Instant(nanoseconds: second))))
    #expect(monitor.check(at: Instant(nanoseconds: second)) == .sendHeartbeat)
    #expect(monitor.check(at: Instant(nanoseconds: .max)) == .sendHeartbeat)
    #expect(monitor.deathDeadline.hasPassed(at: Instant(nanoseconds: .max)))
    #expect(monitor.silence(at: Instant(nanoseconds: .max)) == (.max, .max))
  }
}

@Suite struct HeartbeatLookTests {
  /// H/2, at most 1 s; 1 s where heartbeats are off.
  @Test(
    arguments: [(0, second), (1, second / 2), (2, second), (3, second), (60, second), (65_535, second)]
      as [(UInt16, UInt64)])
  func aPublishLooksAfterAnIdleTime(seconds: UInt16, limit: UInt64) {
    let monitor = monitor(seconds)
    #expect(!monitor.lookDue(at: after(0)))
    #expect(!monitor.lookDue(at: after(limit - 1)))
    #expect(monitor.lookDue(at: after(limit)))
    #expect(monitor.lookDue(at: after(limit + 1)))
    #expect(monitor.lookDue(at: after(1_000 * second)))
  }

  @Test func trafficInEitherDirectionPutsItOff() {
    var monitor = monitor(60)
    monitor.didSend(at: after(second))
    #expect(!monitor.lookDue(at: after(2 * second - 1)))
    #expect(monitor.lookDue(at: after(2 * second)))
    monitor.didReceive(at: after(2 * second))
    #expect(!monitor.lookDue(at: after(3 * second - 1)))
    #expect(monitor.lookDue(at: after(3 * second)))
    monitor.didReceive(at: after(second))
    #expect(!monitor.lookDue(at: after(3 * second - 1)))
  }

  @Test func anEarlierTimeThatComesLateDoesNotBringItOn() {
    var monitor = monitor(60)
    monitor.didSend(at: after(2 * second))
    monitor.didSend(at: after(second))
    #expect(!monitor.lookDue(at: after(3 * second - 1)))
  }

  /// A connection that the peer has closed takes a heartbeat too.
  @Test func aHeartbeatOfOursDoesNotPutItOff() {
    var monitor = monitor(60)
    monitor.didSendHeartbeat(at: after(30 * second))
    #expect(monitor.lookDue(at: after(30 * second)))
    #expect(monitor.check(at: after(30 * second)) == .idle(until: Deadline(after(60 * second))))
    monitor.didSend(at: after(31 * second))
    #expect(!monitor.lookDue(at: after(31 * second)))
  }
}
