// Delivery tags that outlive a connection.
//
// The broker counts the deliveries of a channel from 1, and again from 1 when the channel was opened anew. The program must
// not acknowledge a new message with the tag of an old one. So it sees the broker's tag plus an offset: the highest tag it
// was shown before the loss. What lies at or below the offset is stale; the broker has put those messages back already.

public struct DeliveryTags: Sendable {
  public enum Verdict: Equatable, Sendable {
    /// The tag to send.
    case current(UInt64)
    /// From before the last recovery: nothing to send.
    case stale
    /// No message had this tag. The broker would close the channel over it.
    case unknown
  }

  private var offset: UInt64
  private var highest: UInt64

  public init() {
    offset = 0
    highest = 0
  }

  /// The tag to show to the program; nil for one that no broker can mean (0, or past the end of numbers).
  public mutating func delivered(_ brokerTag: UInt64) -> UInt64? {
    let (tag, overflow) = brokerTag.addingReportingOverflow(offset)
    guard brokerTag > 0, !overflow else { return nil }
    highest = max(highest, tag)
    return tag
  }

  /// The connection or the channel is gone: every tag shown so far is stale.
  public mutating func lost() { offset = highest }

  /// What to send for a tag of the program's. 0 means all messages so far, where several may be meant at once.
  public func brokerTag(for tag: UInt64, multiple: Bool) -> Verdict {
    if tag == 0 { return multiple ? .current(0) : .unknown }
    if tag <= offset { return .stale }
    return tag <= highest ? .current(tag &- offset) : .unknown
  }
}
