import Testing

@testable import AMQPEngine

@Suite struct BackoffTests {
  private func waits(_ backoff: inout Backoff, _ count: Int, random: UInt64 = 0) -> [UInt64] {
    (0..<count).map { _ in
      if case .wait(let nanoseconds) = backoff.next(random: random) { nanoseconds } else { .max }
    }
  }

  @Test func doublesToTheLongest() {
    var backoff = Backoff(firstNanoseconds: 100, longestNanoseconds: 1_000)
    #expect(waits(&backoff, 7) == [100, 200, 400, 800, 1_000, 1_000, 1_000])
    #expect(backoff.attempts == 7)
    backoff.succeeded(stood: true)
    #expect(backoff.attempts == 0)
    #expect(waits(&backoff, 2) == [100, 200])
    backoff.succeeded(stood: false)
    #expect(backoff.attempts == 0)
    #expect(waits(&backoff, 1) == [400])
  }

  @Test func attemptsAreUsedUp() {
    var backoff = Backoff(firstNanoseconds: 1, longestNanoseconds: 1, attemptLimit: 3)
    #expect(waits(&backoff, 3) == [1, 1, 1])
    #expect(backoff.next(random: 0) == .exhausted)
    #expect(backoff.next(random: 0) == .exhausted)
    backoff.succeeded(stood: false)
    #expect(backoff.next(random: 0) == .wait(nanoseconds: 1))
  }

  @Test func theVeryFirstAttemptCountsToo() {
    var backoff = Backoff(firstNanoseconds: 5, longestNanoseconds: 9, attemptLimit: 2)
    backoff.attemptedAtOnce()
    #expect(waits(&backoff, 1) == [5])
    #expect(backoff.next(random: 0) == .exhausted)
  }

  @Test func chanceShortensByAtMostItsPercent() {
    for percent in [0, 1, 30, 99, 100, 255] as [UInt8] {
      let share = min(UInt64(percent), 100)
      for random in [0, 1, .max / 2, .max - 1, .max] as [UInt64] {
        for wait in [0, 1, 99, 1_000_000, .max / 2, .max] as [UInt64] {
          var backoff = Backoff(firstNanoseconds: wait, longestNanoseconds: wait, jitterPercent: percent)
          let got = waits(&backoff, 1, random: random)[0]
          let chance = wait / 100 * share + wait % 100 * share / 100
          #expect(got <= wait && got >= wait - chance, "\(percent) % of \(wait)")
        }
      }
    }
  }

  @Test func chanceReachesBothEnds() {
    var backoff = Backoff(firstNanoseconds: 1_000, longestNanoseconds: 1_000, jitterPercent: 20)
    #expect(waits(&backoff, 1, random: 0) == [1_000])
    #expect(waits(&backoff, 1, random: .max) == [800])
    #expect(waits(&backoff, 1, random: 1 << 63) == [900])
  }

  @Test func theLongestIsAtLeastTheFirst() {
    var backoff = Backoff(firstNanoseconds: 50, longestNanoseconds: 10)
    #expect(waits(&backoff, 3) == [50, 50, 50])
  }

  @Test func neverWraps() {
    var backoff = Backoff(firstNanoseconds: .max / 2 + 5, longestNanoseconds: .max)
    #expect(waits(&backoff, 3) == [.max / 2 + 5, .max, .max])
  }

  @Test func randomNumbersRepeatAndSpread() {
    var (one, other) = (RandomSource(seed: 1), RandomSource(seed: 1))
    var bits: UInt64 = 0
    for _ in 0..<1_000 {
      let number = one.next()
      #expect(number == other.next())
      bits |= number
    }
    #expect(bits == .max)
    // The published sequence of SplitMix64 for the seed 1234567.
    var known = RandomSource(seed: 1_234_567)
    #expect(known.next() == 6_457_827_717_110_365_317)
    #expect(known.next() == 3_203_168_211_198_807_973)
  }
}

@Suite struct DeliveryTagsTests {
  @Test func theFirstConnectionChangesNothing() {
    var tags = DeliveryTags()
    for tag in 1...5 as ClosedRange<UInt64> {
      #expect(tags.delivered(tag) == tag)
      #expect(tags.brokerTag(for: tag, multiple: false) == .current(tag))
    }
    #expect(tags.brokerTag(for: 6, multiple: false) == .unknown)
    #expect(tags.brokerTag(for: .max, multiple: true) == .unknown)
  }

  @Test func aLossMakesThemStale() {
    var tags = DeliveryTags()
    for tag in 1...3 as ClosedRange<UInt64> { _ = tags.delivered(tag) }
    tags.lost()
    for tag in 1...3 as ClosedRange<UInt64> { #expect(tags.brokerTag(for: tag, multiple: false) == .stale) }
    #expect(tags.brokerTag(for: 4, multiple: false) == .unknown)
    #expect(tags.delivered(1) == 4)
    #expect(tags.brokerTag(for: 4, multiple: true) == .current(1))
    #expect(tags.brokerTag(for: 3, multiple: true) == .stale)
    tags.lost()
    tags.lost()
    #expect(tags.brokerTag(for: 4, multiple: false) == .stale)
    #expect(tags.delivered(1) == 5)
  }

  @Test func zeroMeansAllOrNothing() {
    var tags = DeliveryTags()
    _ = tags.delivered(1)
    tags.lost()
    #expect(tags.brokerTag(for: 0, multiple: true) == .current(0))
    #expect(tags.brokerTag(for: 0, multiple: false) == .unknown)
  }

  @Test func tagsThatNoBrokerMeans() {
    var tags = DeliveryTags()
    #expect(tags.delivered(0) == nil)
    #expect(tags.delivered(.max) == .max)
    tags.lost()
    #expect(tags.delivered(1) == nil)
    #expect(tags.brokerTag(for: .max, multiple: false) == .stale)
  }
}
