import AMQPBase
import Testing

@testable import AMQPEngine

private typealias Tracker = ConfirmTracker<UInt64>

private let start = Instant(nanoseconds: 1_000)
private func after(_ nanoseconds: UInt64) -> Instant { start.adding(nanoseconds: nanoseconds) }

private struct Result: Equatable, CustomStringConvertible {
  let sequence: UInt64
  let outcome: Tracker.Outcome
  var description: String { "\(sequence) \(outcome)" }
}

extension ConfirmTracker where Context == UInt64 {
  /// Publishes in a row; the context of each is its number.
  fileprivate mutating func publish(_ count: Int, at now: Instant = start) {
    for _ in 0..<count {
      let expected = nextSequence
      let sequence = published(expected, at: now)
      #expect(sequence == expected)
    }
  }

  /// All outcomes of an event; nil for a fault.
  fileprivate mutating func outcomes(_ event: Event) -> [Result]? {
    guard case .settles(var settlement) = receive(event) else { return nil }
    var results: [Result] = []
    while let settled = next(&settlement) {
      #expect(settled.context == settled.sequence)
      results.append(Result(sequence: settled.sequence, outcome: settled.outcome))
    }
    let end = next(&settlement)
    #expect(end == nil && settlement.isEmpty)
    return results
  }
}

private func results(_ numbers: some Sequence<UInt64>, _ outcome: Tracker.Outcome) -> [Result] {
  numbers.map { Result(sequence: $0, outcome: outcome) }
}

private func print(of words: String...) -> MessageFingerprint {
  var fingerprint = MessageFingerprint()
  for word in words { Array(word.utf8).withUnsafeBytes { fingerprint.add($0) } }
  return fingerprint
}

@Suite struct ConfirmTrackerTests {
  @Test func oneByOneAndInAnyOrder() {
    var tracker = Tracker()
    tracker.publish(4)
    var found = tracker.outcomes(.ack(deliveryTag: 3, multiple: false))
    #expect(found == results([3], .acked))
    found = tracker.outcomes(.nack(deliveryTag: 1, multiple: false))
    #expect(found == results([1], .nacked))
    found = tracker.outcomes(.ack(deliveryTag: 4, multiple: true))
    #expect(found == results([2, 4], .acked))
    let outstanding = tracker.outstanding
    #expect(outstanding == 0)
  }

  @Test func severalAtOnceAreSaidToBe() {
    var tracker = Tracker()
    tracker.publish(2)
    for multiple in [false, true] {
      guard case .settles(var settlement) = tracker.receive(.ack(deliveryTag: multiple ? 2 : 1, multiple: multiple))
      else {
        Issue.record("a fault")
        return
      }
      let settled = tracker.next(&settlement)
      #expect(settled?.multiple == multiple)
    }
  }

  @Test func aSecondConfirmChangesNothing() {
    var tracker = Tracker()
    tracker.publish(3)
    _ = tracker.outcomes(.ack(deliveryTag: 2, multiple: false))
    for event in [.ack(deliveryTag: 2, multiple: false), .nack(deliveryTag: 2, multiple: false)] as [Tracker.Event] {
      let found = tracker.outcomes(event)
      #expect(found == [])
    }
    let outstanding = tracker.outstanding
    #expect(outstanding == 2)
  }

  @Test func whatWasNeverPublishedIsTheBrokersFault() {
    var tracker = Tracker()
    for tag in [0, 1, .max] as [UInt64] {
      let verdict = tracker.receive(.ack(deliveryTag: tag, multiple: false))
      #expect(verdict == .unknownDeliveryTag)
    }
    tracker.publish(1)
    for multiple in [false, true] {
      for tag in [2, .max - 1, .max] as [UInt64] {
        let verdict = tracker.receive(.nack(deliveryTag: tag, multiple: multiple))
        #expect(verdict == .unknownDeliveryTag)
      }
    }
    let zero = tracker.receive(.ack(deliveryTag: 0, multiple: false))
    #expect(zero == .unknownDeliveryTag)
    let outstanding = tracker.outstanding
    #expect(outstanding == 1)
  }

  @Test func zeroOfSeveralMeansAll() {
    var tracker = Tracker()
    tracker.publish(3)
    var found = tracker.outcomes(.nack(deliveryTag: 0, multiple: true))
    #expect(found == results(1...3, .nacked))
    found = tracker.outcomes(.nack(deliveryTag: 0, multiple: true))
    #expect(found == [])
  }

  // MARK: Loss

  @Test func aLossSettlesAllAndTheBrokerCountsAnew() {
    var tracker = Tracker()
    tracker.publish(5)
    _ = tracker.outcomes(.ack(deliveryTag: 2, multiple: false))
    var found = tracker.outcomes(.lost)
    #expect(found == results([1, 3, 4, 5], .lost))
    found = tracker.outcomes(.lost)
    #expect(found == [])
    let early = tracker.receive(.ack(deliveryTag: 1, multiple: false))
    #expect(early == .unknownDeliveryTag)
    tracker.publish(2)
    found = tracker.outcomes(.ack(deliveryTag: 2, multiple: false))
    #expect(found == results([7], .acked))
    found = tracker.outcomes(.ack(deliveryTag: 2, multiple: true))
    #expect(found == results([6], .acked))
  }

  @Test func theBrokersTagIsTold() {
    var tracker = Tracker()
    tracker.publish(2)
    for (event, tag) in [(.lost, 1), (.ack(deliveryTag: 2, multiple: true), 1)] as [(Tracker.Event, UInt64)] {
      guard case .settles(var settlement) = tracker.receive(event) else { return }
      let (one, other) = (tracker.next(&settlement), tracker.next(&settlement))
      #expect(one?.deliveryTag == tag && other?.deliveryTag == tag + 1)
      tracker.publish(2)
    }
  }

  @Test func anEndByTheProgramIsACancellation() {
    var tracker = Tracker()
    tracker.publish(2)
    let found = tracker.outcomes(.cancelled)
    #expect(found == results([1, 2], .cancelled))
    let oldest = tracker.oldestOutstanding
    #expect(oldest == 3)
  }

  /// The outcomes of a loss are callbacks; while they come, the next connection may confirm already.
  @Test func confirmsWhileALossIsBeingTold() {
    var tracker = Tracker()
    tracker.publish(4)
    guard case .settles(var loss) = tracker.receive(.lost) else { return }
    let one = tracker.next(&loss)
    #expect(one?.sequence == 1)
    tracker.publish(2)
    let found = tracker.outcomes(.ack(deliveryTag: 2, multiple: true))
    #expect(found == results([5, 6], .acked))
    var rest: [UInt64] = []
    while let settled = tracker.next(&loss) { rest.append(settled.sequence) }
    #expect(rest == [2, 3, 4])
    let outstanding = tracker.outstanding
    #expect(outstanding == 0)
  }

  /// A callback of the first settlement settles what a second one still holds.
  @Test func overlappingSettlementsTellEachOnce() {
    var tracker = Tracker()
    tracker.publish(6)
    guard case .settles(var acks) = tracker.receive(.ack(deliveryTag: 4, multiple: true)) else { return }
    let one = tracker.next(&acks)
    let lost = tracker.outcomes(.lost)
    let none = tracker.next(&acks)
    #expect(one?.sequence == 1 && one?.outcome == .acked)
    #expect(lost == results(2...6, .lost))
    #expect(none == nil)
  }

  // MARK: Time

  @Test func timeRunsOutInOrder() {
    var tracker = Tracker(timeoutNanoseconds: 100)
    let whenEmpty = tracker.nextDeadline
    #expect(whenEmpty == .never)
    tracker.publish(2, at: after(0))
    tracker.publish(2, at: after(50))
    let first = tracker.nextDeadline
    #expect(first == Deadline(after(100)))
    var found = tracker.outcomes(.time(after(99)))
    #expect(found == [])
    _ = tracker.outcomes(.ack(deliveryTag: 1, multiple: false))
    found = tracker.outcomes(.time(after(100)))
    #expect(found == results([2], .timedOut))
    let second = tracker.nextDeadline
    #expect(second == Deadline(after(150)))
    // Late, but not wrong.
    found = tracker.outcomes(.ack(deliveryTag: 3, multiple: true))
    #expect(found == results([3], .acked))
    found = tracker.outcomes(.ack(deliveryTag: 2, multiple: false))
    #expect(found == [])
    found = tracker.outcomes(.time(after(1_000)))
    #expect(found == results([4], .timedOut))
    let end = tracker.nextDeadline
    #expect(end == .never)
  }

  @Test func withoutALimitTimeDoesNothing() {
    var tracker = Tracker()
    tracker.publish(1)
    let (deadline, found) = (tracker.nextDeadline, tracker.outcomes(.time(Instant(nanoseconds: .max))))
    #expect(deadline == .never)
    #expect(found == [])
  }

  @Test func aClockThatGoesBackKeepsTheOrder() {
    var tracker = Tracker(timeoutNanoseconds: 100)
    tracker.publish(1, at: after(50))
    tracker.publish(1, at: after(0))
    let found = tracker.outcomes(.time(after(149)))
    #expect(found == [])
    let both = tracker.outcomes(.time(after(150)))
    #expect(both == results([1, 2], .timedOut))
  }

  // MARK: Returns

  @Test func aReturnedMessageIsTheOldestLikeIt() {
    var tracker = Tracker()
    _ = tracker.published(1, mandatory: print(of: "x", "key", "one"), at: start)
    _ = tracker.published(2, at: start)
    _ = tracker.published(3, mandatory: print(of: "x", "key", "two"), at: start)
    _ = tracker.published(4, mandatory: print(of: "x", "key", "one"), at: start)
    var found = tracker.outcomes(.returned(print(of: "x", "key", "two")))
    #expect(found == results([3], .returned))
    // Its ack follows.
    found = tracker.outcomes(.ack(deliveryTag: 3, multiple: false))
    #expect(found == [])
    found = tracker.outcomes(.returned(print(of: "x", "key", "one")))
    #expect(found == results([4], .returned))
    found = tracker.outcomes(.returned(print(of: "x", "key", "one")))
    #expect(found == results([1], .returned))
    let unknown = tracker.receive(.returned(print(of: "x", "key", "one")))
    #expect(unknown == .unknownReturn)
  }

  @Test func messagesAlikeComeBackInOrder() {
    var tracker = Tracker()
    for number in 1...3 as ClosedRange<UInt64> { _ = tracker.published(number, mandatory: print(of: "a"), at: start) }
    for number in 1...3 as ClosedRange<UInt64> {
      let found = tracker.outcomes(.returned(print(of: "a")))
      #expect(found == results([number], .returned))
    }
  }

  @Test func aMessageOfALostChannelDoesNotComeBack() {
    var tracker = Tracker()
    _ = tracker.published(1, mandatory: print(of: "a"), at: start)
    guard case .settles(var loss) = tracker.receive(.lost) else { return }
    let verdict = tracker.receive(.returned(print(of: "a")))
    #expect(verdict == .unknownReturn)
    let settled = tracker.next(&loss)
    #expect(settled?.outcome == .lost)
  }

  @Test func fingerprintsTellMessagesApart() {
    var all: [MessageFingerprint] = []
    let bodies = ["", "a", "b", "abcdefgh", "abcdefgi", "abcdefgha", "abcdefghabcdefgh", "abcdefghabcdefgz"]
    for body in bodies {
      for key in ["", "k", "abcdefgh"] { all.append(print(of: "exchange", key, body)) }
    }
    for (place, one) in all.enumerated() {
      for other in all[(place + 1)...] { #expect(one != other) }
    }
    #expect(print(of: "ab", "c") != print(of: "a", "bc"))
    #expect(print(of: "ab", "c") == print(of: "ab", "c"))
  }

  // MARK: Many

  /// Every publish has one outcome, whatever comes in which order; a model in plain sets says which.
  @Test(arguments: 1...30 as ClosedRange<UInt64>)
  func eachExactlyOnce(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var tracker = Tracker(timeoutNanoseconds: 500)
    var open: Set<UInt64> = []
    var told: [UInt64: Int] = [:]
    var (offset, clock) = (0 as UInt64, start)
    for _ in 0..<2_000 {
      clock = clock.adding(nanoseconds: random.next() % 20)
      let next = tracker.nextSequence
      let tag = next - offset > 1 ? 1 + random.next() % (next - offset - 1) : 0
      var expected: Set<UInt64> = []
      var event: Tracker.Event
      switch random.next() % 8 {
      case 0:
        event = .ack(deliveryTag: tag, multiple: true)
        expected = open.filter { $0 > offset && (tag == 0 || $0 <= tag + offset) }
      case 1, 2:
        guard tag > 0 else { continue }
        event = .nack(deliveryTag: tag, multiple: false)
        expected = open.intersection([tag + offset])
      case 3 where random.next() % 20 == 0:
        event = .lost
        expected = open
        offset = next - 1
      case 4:
        event = .time(clock)
        expected = []
      default:
        for _ in 0..<random.next() % 5 {
          open.insert(tracker.nextSequence)
          tracker.publish(1, at: clock)
        }
        continue
      }
      let found = tracker.outcomes(event)
      let numbers = Set((found ?? []).map(\.sequence))
      if case .time = event {
        #expect(numbers.isSubset(of: open))
      } else {
        #expect(numbers == expected)
      }
      for result in found ?? [] { told[result.sequence, default: 0] += 1 }
      open.subtract(numbers)
      let outstanding = tracker.outstanding
      #expect(outstanding == open.count)
    }
    _ = tracker.outcomes(.lost).map { $0.forEach { told[$0.sequence, default: 0] += 1 } }
    #expect(told.count == Int(tracker.nextSequence) - 1)
    #expect(told.values.allSatisfy { $0 == 1 })
  }

  /// 100,000 outstanding, confirmed in the order that is worst for each way. Anything above linear takes minutes.
  @Test(.timeLimit(.minutes(1)))
  func aHundredThousandOutstanding() {
    let count: UInt64 = 100_000
    var tracker = Tracker(timeoutNanoseconds: 1)
    var told: UInt64 = 0
    for way in 0..<5 {
      let base = tracker.nextSequence - 1
      for number in 0..<count {
        let fingerprint = way == 3 ? print(of: "x") : nil
        _ = tracker.published(base + number + 1, mandatory: fingerprint, at: start)
      }
      for number in 0..<count {
        let event: Tracker.Event =
          switch way {
          case 0: .ack(deliveryTag: base + number + 1, multiple: false)
          case 1: .ack(deliveryTag: base + count - number, multiple: false)
          case 2: .ack(deliveryTag: base + number + 1, multiple: true)
          case 3: .returned(print(of: "x"))
          default: .time(Instant(nanoseconds: .max))
          }
        guard case .settles(var settlement) = tracker.receive(event) else {
          Issue.record("a fault")
          return
        }
        while tracker.next(&settlement) != nil { told += 1 }
      }
      let outstanding = tracker.outstanding
      #expect(outstanding == 0)
    }
    #expect(told == 5 * count)
  }
}
