/// How long to wait before each attempt to connect again: doubling up to a limit, with some of it left to chance, so that
/// the clients of a broker that restarts do not all come back at once.
public struct Backoff: Sendable {
  public enum Verdict: Equatable, Sendable {
    case wait(nanoseconds: UInt64)
    /// There were as many attempts as are allowed.
    case exhausted
  }

  private let first: UInt64
  private let longest: UInt64
  /// Percent of a wait, at most 100.
  private let jitterPercent: UInt64
  /// 0 = no limit.
  private let attemptLimit: UInt32
  /// The wait before the next attempt, without chance.
  private var current: UInt64
  /// Attempts since they were last counted anew.
  public private(set) var attempts: UInt32

  /// A wait is shortened by at most `jitterPercent`, never lengthened. `longest` counts at least as `first`.
  public init(
    firstNanoseconds: UInt64, longestNanoseconds: UInt64, jitterPercent: UInt8 = 0, attemptLimit: UInt32 = 0
  ) {
    first = firstNanoseconds
    longest = max(firstNanoseconds, longestNanoseconds)
    self.jitterPercent = UInt64(min(jitterPercent, 100))
    self.attemptLimit = attemptLimit
    current = firstNanoseconds
    attempts = 0
  }

  /// The wait before the next attempt. `random`: any number, evenly spread over all there are.
  public mutating func next(random: UInt64) -> Verdict {
    if attemptLimit != 0, attempts >= attemptLimit { return .exhausted }
    attempts = attempts == .max ? .max : attempts &+ 1
    let wait = current
    let (doubled, overflow) = current.multipliedReportingOverflow(by: 2)
    current = overflow ? longest : min(doubled, longest)
    // Divided before it is multiplied: exact, and never more than the wait.
    let chance = wait / 100 &* jitterPercent &+ wait % 100 &* jitterPercent / 100
    let off = chance == .max ? random : random.multipliedFullWidth(by: chance &+ 1).high
    return .wait(nanoseconds: wait &- off)
  }

  /// An attempt that nothing was waited for: the first of all.
  public mutating func attemptedAtOnce() { attempts = 1 }

  /// The connection was there again. The waits begin anew only if it stood for long enough.
  public mutating func succeeded(stood: Bool) {
    attempts = 0
    if stood { current = first }
  }
}

/// Random numbers for waits: spread evenly and cheap, not secret. The seed comes from outside, so a test repeats itself.
public struct RandomSource: Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  /// SplitMix64 (Steele, Lea, Flood 2014).
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
