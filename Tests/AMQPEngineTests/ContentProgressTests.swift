import Testing

@testable import AMQPEngine

private typealias Progress = ContentProgress

/// A content in a state, `bodySize` 100 once there was a header, 60 of it still to come.
private func content(_ state: Progress.State) -> Progress {
  var content = Progress(awaitingHeader: state == .awaitingHeader)
  if state == .idle || state == .awaitingHeader { return content }
  _ = content.receive(.contentMethod)
  _ = content.receive(.header(bodySize: 100))
  _ = content.receive(.body(count: state == .complete ? 100 : 40))
  return content
}

@Suite struct ContentProgressTests {
  @Test(
    arguments: [
      (.idle, .contentMethod, .awaitingMore, .awaitingHeader),
      (.idle, .otherMethod, .unexpectedFrame, .idle),
      (.idle, .header(bodySize: 1), .unexpectedFrame, .idle),
      (.idle, .body(count: 1), .unexpectedFrame, .idle),

      (.awaitingHeader, .contentMethod, .unexpectedFrame, .awaitingHeader),
      (.awaitingHeader, .otherMethod, .unexpectedFrame, .awaitingHeader),
      (.awaitingHeader, .header(bodySize: 0), .complete, .complete),
      (.awaitingHeader, .header(bodySize: 1), .awaitingMore, .awaitingBody(remaining: 1)),
      (.awaitingHeader, .header(bodySize: .max), .awaitingMore, .awaitingBody(remaining: .max)),
      (.awaitingHeader, .body(count: 0), .unexpectedFrame, .awaitingHeader),
      (.awaitingHeader, .body(count: 1), .unexpectedFrame, .awaitingHeader),

      (.awaitingBody(remaining: 60), .contentMethod, .unexpectedFrame, .awaitingBody(remaining: 60)),
      (.awaitingBody(remaining: 60), .otherMethod, .unexpectedFrame, .awaitingBody(remaining: 60)),
      (.awaitingBody(remaining: 60), .header(bodySize: 60), .unexpectedFrame, .awaitingBody(remaining: 60)),
      (.awaitingBody(remaining: 60), .body(count: 0), .awaitingMore, .awaitingBody(remaining: 60)),
      (.awaitingBody(remaining: 60), .body(count: 59), .awaitingMore, .awaitingBody(remaining: 1)),
      (.awaitingBody(remaining: 60), .body(count: 60), .complete, .complete),
      (.awaitingBody(remaining: 60), .body(count: 61), .bodyTooLong, .awaitingBody(remaining: 60)),
      (.awaitingBody(remaining: 60), .body(count: .max), .bodyTooLong, .awaitingBody(remaining: 60)),

      (.complete, .contentMethod, .awaitingMore, .awaitingHeader),
      (.complete, .otherMethod, .unexpectedFrame, .complete),
      (.complete, .header(bodySize: 0), .unexpectedFrame, .complete),
      (.complete, .body(count: 0), .unexpectedFrame, .complete),
      (.complete, .body(count: 1), .unexpectedFrame, .complete),
    ] as [(ContentProgress.State, ContentProgress.Event, ContentProgress.Verdict, ContentProgress.State)])
  func everyPair(
    state: ContentProgress.State, event: ContentProgress.Event, verdict: ContentProgress.Verdict,
    next: ContentProgress.State
  ) {
    var progress = content(state)
    #expect(progress.state == state)
    let before = progress
    #expect(progress.receive(event) == verdict)
    #expect(progress.state == next)
    if verdict == .unexpectedFrame || verdict == .bodyTooLong {
      #expect(progress.bodySize == before.bodySize, "a frame that does not fit changes nothing")
      #expect(progress.received == before.received)
    }
  }

  @Test func oneContentFollowsAnother() {
    var progress = Progress()
    for size in [5, 0, 7] as [UInt64] {
      #expect(progress.receive(.contentMethod) == .awaitingMore)
      #expect(progress.bodySize == 0 && progress.received == 0)
      #expect(progress.receive(.header(bodySize: size)) == (size == 0 ? .complete : .awaitingMore))
      for count in 0..<size { #expect(progress.received == count && progress.receive(.body(count: 1)) != .bodyTooLong) }
      #expect(progress.state == .complete)
      #expect(progress.bodySize == size && progress.received == size)
    }
  }

  /// 2^64 - 1 bytes, as the wire can announce them.
  @Test func theLargestBodyDoesNotWrap() {
    var progress = Progress(awaitingHeader: true)
    _ = progress.receive(.header(bodySize: .max))
    #expect(progress.receive(.body(count: .max - 1)) == .awaitingMore)
    #expect(progress.received == UInt64.max - 1)
    #expect(progress.receive(.body(count: 2)) == .bodyTooLong)
    #expect(progress.receive(.body(count: 1)) == .complete)
    #expect(progress.received == UInt64.max)
  }
}

@Suite struct ContentCapacityTests {
  private let trusted = Int(ContentProgress.trustedBodySize)

  private func announced(_ size: UInt64) -> ContentProgress {
    var progress = ContentProgress(awaitingHeader: true)
    _ = progress.receive(.header(bodySize: size))
    return progress
  }

  @Test func aSmallBodyIsHadWholeAtOnce() {
    #expect(announced(10).capacity(holding: 1, now: 0) == 10)
    #expect(announced(UInt64(trusted)).capacity(holding: 1, now: 0) == trusted)
    #expect(announced(UInt64(trusted) - 1).capacity(holding: 1, now: 0) == trusted - 1)
  }

  /// What is announced beyond a megabyte has to come first.
  @Test func aLargeOneGrowsWithWhatComes() {
    let progress = announced(.max)
    #expect(trusted == 1_048_576)
    #expect(progress.capacity(holding: 1, now: 0) == trusted)
    #expect(announced(UInt64(trusted) + 1).capacity(holding: 1, now: 0) == trusted)
    #expect(progress.capacity(holding: UInt64(trusted), now: UInt64(trusted)) == trusted)
    #expect(progress.capacity(holding: UInt64(trusted) + 1, now: UInt64(trusted)) == 2 * trusted)
    #expect(progress.capacity(holding: UInt64(trusted) * 9, now: UInt64(trusted)) == 9 * trusted)
  }

  @Test func neverMoreThanAnnounced() {
    let progress = announced(UInt64(trusted) * 3)
    #expect(progress.capacity(holding: UInt64(trusted) * 2 + 1, now: UInt64(trusted) * 2) == trusted * 3)
    #expect(progress.capacity(holding: UInt64(trusted) * 3, now: UInt64(trusted) * 2) == trusted * 3)
  }

  @Test func neverLessThanNeeded() {
    #expect(announced(0).capacity(holding: 0, now: 0) == 0)
    #expect(announced(5).capacity(holding: 9, now: 5) == 9)
    for needed in [1, 100, 1 << 20, 1 << 21, 1 << 40] as [UInt64] {
      #expect(announced(needed).capacity(holding: needed, now: 0) == max(Int(needed), min(Int(needed), trusted)))
    }
  }

  @Test func whatCannotBeAddressedIsNil() {
    let progress = announced(.max)
    #expect(progress.capacity(holding: UInt64(Int.max), now: 0) == Int.max)
    #expect(progress.capacity(holding: UInt64(Int.max) + 1, now: 0) == nil)
    #expect(progress.capacity(holding: .max, now: 0) == nil)
    #expect(progress.capacity(holding: .max, now: .max) == nil)
    #expect(progress.capacity(holding: .max, now: .max - 1) == nil)
  }

  /// A 64 MB body in frames of 128 KB: 7 times, not 512.
  @Test func growthIsRareEnough() {
    let progress = announced(64 << 20)
    var (capacity, growths) = (0, 0)
    for needed in stride(from: 131_064, through: 64 << 20, by: 131_064) where needed > capacity {
      capacity = progress.capacity(holding: UInt64(needed), now: UInt64(capacity)) ?? 0
      growths += 1
    }
    #expect(growths == 7)
  }
}
