/// A point on the monotonic clock.
public struct Instant: Comparable, Equatable, Sendable, BitwiseCopyable {
  public var nanoseconds: UInt64

  @inline(__always) public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// Stops at the end of time instead of wrapping.
  @inline(__always) public func adding(nanoseconds count: UInt64) -> Instant {
    let (sum, overflow) = nanoseconds.addingReportingOverflow(count)
    return Instant(nanoseconds: overflow ? .max : sum)
  }

  /// Stops at the beginning of time instead of wrapping.
  @inline(__always) public func subtracting(nanoseconds count: UInt64) -> Instant {
    Instant(nanoseconds: nanoseconds > count ? nanoseconds &- count : 0)
  }

  /// How long ago `earlier` was; 0 when it is not in the past (two threads read the clock, the later one stores first).
  @inline(__always) public func nanoseconds(since earlier: Instant) -> UInt64 {
    nanoseconds > earlier.nanoseconds ? nanoseconds &- earlier.nanoseconds : 0
  }

  @inline(__always) public static func < (left: Instant, right: Instant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }
}

/// When a wait ends. The end of time means never, so `min` and `<` need no special case.
public struct Deadline: Comparable, Equatable, Sendable, BitwiseCopyable {
  private var nanoseconds: UInt64

  @inline(__always) private init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
  @inline(__always) public init(_ instant: Instant) { nanoseconds = instant.nanoseconds }

  /// The fields of a C `struct timeval`, counted from `now`; nil when one of them is negative.
  ///
  /// Microseconds of a second or more count as what they add up to. What the clock cannot express is never.
  public init?(seconds: Int, microseconds: Int, from now: Instant) {
    guard let nanoseconds = Deadline.nanoseconds(seconds: seconds, microseconds: microseconds) else { return nil }
    self.init(now.adding(nanoseconds: nanoseconds))
  }

  public static var never: Deadline { Deadline(nanoseconds: .max) }

  @inline(__always) public var isNever: Bool { nanoseconds == .max }
  @inline(__always) public var instant: Instant? { isNever ? nil : Instant(nanoseconds: nanoseconds) }

  @inline(__always) public func hasPassed(at now: Instant) -> Bool { !isNever && now.nanoseconds >= nanoseconds }

  /// Nanoseconds left, 0 when it has passed, `UInt64.max` for never.
  @inline(__always) public func remaining(from now: Instant) -> UInt64 {
    if isNever { return .max }
    return nanoseconds > now.nanoseconds ? nanoseconds &- now.nanoseconds : 0
  }

  @inline(__always) public static func < (left: Deadline, right: Deadline) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  /// The length of a C `struct timeval`, saturating; nil when a field is negative.
  public static func nanoseconds(seconds: Int, microseconds: Int) -> UInt64? {
    guard seconds >= 0, microseconds >= 0 else { return nil }
    let (whole, overflowA) = UInt64(truncatingIfNeeded: seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (part, overflowB) = UInt64(truncatingIfNeeded: microseconds).multipliedReportingOverflow(by: 1_000)
    let (sum, overflowC) = whole.addingReportingOverflow(part)
    return overflowA || overflowB || overflowC ? .max : sum
  }
}
