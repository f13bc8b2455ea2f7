import Testing

@testable import AMQPBase

private let second: UInt64 = 1_000_000_000
private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }

@Suite struct InstantTests {
  @Test func addingStopsAtTheEndOfTime() {
    #expect(at(3).adding(nanoseconds: 4) == at(7))
    #expect(at(.max - 4).adding(nanoseconds: 4) == at(.max))
    #expect(at(.max - 4).adding(nanoseconds: 5) == at(.max))
    #expect(at(.max).adding(nanoseconds: .max) == at(.max))
  }

  @Test func subtractingStopsAtTheBeginning() {
    #expect(at(7).subtracting(nanoseconds: 4) == at(3))
    #expect(at(7).subtracting(nanoseconds: 7) == at(0))
    #expect(at(7).subtracting(nanoseconds: 8) == at(0))
    #expect(at(0).subtracting(nanoseconds: .max) == at(0))
    #expect(at(.max).subtracting(nanoseconds: .max) == at(0))
  }

  @Test func whatIsNotPastIsZeroAgo() {
    #expect(at(9).nanoseconds(since: at(4)) == 5)
    #expect(at(4).nanoseconds(since: at(4)) == 0)
    #expect(at(4).nanoseconds(since: at(9)) == 0)
    #expect(at(.max).nanoseconds(since: at(0)) == .max)
  }

  @Test func earlierIsLess() {
    #expect(at(1) < at(2))
    #expect(!(at(2) < at(2)))
    #expect(max(at(1), at(2)) == at(2))
  }
}

@Suite struct DeadlineTests {
  @Test func passesAtItsInstantAndNotBefore() {
    let deadline = Deadline(at(100))
    #expect(!deadline.hasPassed(at: at(99)))
    #expect(deadline.hasPassed(at: at(100)))
    #expect(deadline.hasPassed(at: at(.max)))
    #expect(deadline.instant == at(100))
    #expect(Deadline(at(0)).hasPassed(at: at(0)))
  }

  @Test func remainingEndsAtZero() {
    let deadline = Deadline(at(100))
    #expect(deadline.remaining(from: at(0)) == 100)
    #expect(deadline.remaining(from: at(99)) == 1)
    #expect(deadline.remaining(from: at(100)) == 0)
    #expect(deadline.remaining(from: at(.max)) == 0)
  }

  @Test func neverNeverPasses() {
    #expect(Deadline.never.isNever)
    #expect(!Deadline.never.hasPassed(at: at(.max)))
    #expect(Deadline.never.remaining(from: at(0)) == .max)
    #expect(Deadline.never.remaining(from: at(.max)) == .max)
    #expect(Deadline.never.instant == nil)
    #expect(Deadline(at(.max)) == .never)
  }

  @Test func neverIsLaterThanAnyTime() {
    let last = Deadline(at(.max - 1))
    #expect(!last.isNever)
    #expect(last < .never)
    #expect(min(.never, last) == last)
    #expect(min(last, .never) == last)
    #expect(!(Deadline.never < .never))
  }
}

/// `struct timeval` as programs fill it.
@Suite struct TimevalTests {
  @Test(
    arguments: [
      (0, 0, 0), (0, 1, 1_000), (1, 0, second), (1, 500_000, 1_500_000_000),
      // Microseconds that are more than a second count as what they add up to.
      (0, 1_000_000, second), (2, 1_000_000, 3 * second), (0, 5_000_001, 5_000_001_000),
      // 2^31 ms are 24.8 days.
      (2_147_483, 647_000, 2_147_483_647_000_000), (2_147_483, 648_000, 2_147_483_648_000_000),
      (4_294_967, 296_000, 4_294_967_296_000_000), (365 * 86_400, 0, 31_536_000 * second),
    ] as [(Int, Int, UInt64)])
  func countsFromNow(seconds: Int, microseconds: Int, nanoseconds: UInt64) {
    #expect(Deadline.nanoseconds(seconds: seconds, microseconds: microseconds) == nanoseconds)
    let deadline = Deadline(seconds: seconds, microseconds: microseconds, from: at(70))
    #expect(deadline == Deadline(at(70 + nanoseconds)))
  }

  @Test(arguments: [(-1, 0), (0, -1), (-1, -1), (5, -1), (-1, 2_000_000), (.min, 0), (0, .min), (.max, .min)])
  func negativeFieldsAreRefused(seconds: Int, microseconds: Int) {
    #expect(Deadline.nanoseconds(seconds: seconds, microseconds: microseconds) == nil)
    #expect(Deadline(seconds: seconds, microseconds: microseconds, from: at(70)) == nil)
  }

  /// 18446744073 s + 709551615 ns is the end of time.
  @Test func endsExactlyWhereTheClockDoes() {
    #expect(Deadline.nanoseconds(seconds: 18_446_744_073, microseconds: 709_551) == UInt64.max - 615)
    #expect(Deadline.nanoseconds(seconds: 18_446_744_073, microseconds: 709_552) == UInt64.max)
    #expect(Deadline.nanoseconds(seconds: 18_446_744_074, microseconds: 0) == UInt64.max)
    #expect(Deadline(seconds: 18_446_744_073, microseconds: 709_551, from: at(614)) == Deadline(at(.max - 1)))
    #expect(Deadline(seconds: 18_446_744_073, microseconds: 709_551, from: at(615)) == .never)
  }

  @Test(arguments: [(.max, 0), (0, .max), (.max, .max), (1 << 40, 0), (0, 1 << 60)])
  func whatTheClockCannotExpressIsNever(seconds: Int, microseconds: Int) {
    #expect(Deadline(seconds: seconds, microseconds: microseconds, from: at(1)) == .never)
  }

  @Test func zeroHasPassedAtOnce() throws {
    let deadline = try #require(Deadline(seconds: 0, microseconds: 0, from: at(70)))
    #expect(deadline.hasPassed(at: at(70)))
    #expect(!deadline.hasPassed(at: at(69)))
  }
}
