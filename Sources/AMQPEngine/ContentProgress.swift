/// How much of one message has come: its content header, then body frames until the announced size is reached.
///
/// A frame that does not fit changes nothing, so that the caller can put it back and later go on.
public struct ContentProgress: Sendable {
  public enum State: Equatable, Sendable {
    case idle
    case awaitingHeader
    /// Bytes still to come, at least one.
    case awaitingBody(remaining: UInt64)
    case complete
  }

  public enum Event: Equatable, Sendable {
    /// The method that announces content: basic.deliver, basic.return, basic.get-ok.
    case contentMethod
    case otherMethod
    case header(bodySize: UInt64)
    case body(count: UInt64)
  }

  public enum Verdict: Equatable, Sendable {
    case awaitingMore
    case complete
    /// A method, header or body frame where another kind was due.
    case unexpectedFrame
    /// A body frame with more bytes than the header announced.
    case bodyTooLong
  }

  /// Bytes. What a header announces is believed up to here; memory beyond grows with what really comes.
  public static var trustedBodySize: UInt64 { 1 << 20 }

  public private(set) var state: State
  /// Bytes, as the header announced them; 0 before.
  public private(set) var bodySize: UInt64

  /// `awaitingHeader: true` where the method was read by someone else.
  public init(awaitingHeader: Bool = false) {
    state = awaitingHeader ? .awaitingHeader : .idle
    bodySize = 0
  }

  public mutating func receive(_ event: Event) -> Verdict {
    switch (state, event) {
    case (.idle, .contentMethod), (.complete, .contentMethod):
      bodySize = 0
      state = .awaitingHeader
      return .awaitingMore
    case (.awaitingHeader, .header(let size)):
      bodySize = size
      return expect(size)
    case (.awaitingBody(let remaining), .body(let count)):
      guard count <= remaining else { return .bodyTooLong }
      return expect(remaining &- count)
    case (.idle, .otherMethod), (.idle, .header), (.idle, .body),
      (.awaitingHeader, .contentMethod), (.awaitingHeader, .otherMethod), (.awaitingHeader, .body),
      (.awaitingBody, .contentMethod), (.awaitingBody, .otherMethod), (.awaitingBody, .header),
      (.complete, .otherMethod), (.complete, .header), (.complete, .body):
      return .unexpectedFrame
    }
  }

  /// Bytes of the body that have come.
  public var received: UInt64 {
    switch state {
    case .idle, .awaitingHeader: 0
    case .awaitingBody(let remaining): bodySize &- remaining
    case .complete: bodySize
    }
  }

  /// Bytes to have for the body when `needed` of them are to be stored: doubling, never more than was announced.
  ///
  /// Nil when it cannot be addressed.
  public func capacity(holding needed: UInt64, now capacity: UInt64) -> Int? {
    if needed <= capacity { return Int(exactly: capacity) }
    let (doubled, overflow) = capacity.multipliedReportingOverflow(by: 2)
    let wanted = max(needed, ContentProgress.trustedBodySize, overflow ? .max : doubled)
    return Int(exactly: max(needed, min(wanted, bodySize)))
  }

  private mutating func expect(_ remaining: UInt64) -> Verdict {
    if remaining == 0 {
      state = .complete
      return .complete
    }
    state = .awaitingBody(remaining: remaining)
    return .awaitingMore
  }
}
