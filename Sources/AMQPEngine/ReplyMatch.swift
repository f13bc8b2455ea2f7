import CRabbitMQ

/// What a frame is to a call that waits for the reply to its method.
public enum ReplyMatch: Equatable, Sendable {
  case reply
  /// The server closed the channel instead.
  case channelClose
  /// The server closed the connection instead; it says so on channel 0.
  case connectionClose
  /// Not for this call: keep it.
  case unrelated

  /// `expected`: method ids, ended by 0. NULL expects none.
  public init(
    awaitedOn awaited: UInt16, expected: UnsafePointer<UInt32>?, frameType: UInt8, channel: UInt16, method: UInt32
  ) {
    guard frameType == UInt8(truncatingIfNeeded: AMQP_FRAME_METHOD) else {
      self = .unrelated
      return
    }
    if channel == awaited, ReplyMatch.list(expected, contains: method) {
      self = .reply
    } else if channel == awaited, method == AMQP_CHANNEL_CLOSE_METHOD {
      self = .channelClose
    } else if channel == 0, method == AMQP_CONNECTION_CLOSE_METHOD {
      self = .connectionClose
    } else {
      self = .unrelated
    }
  }

  private static func list(_ expected: UnsafePointer<UInt32>?, contains method: UInt32) -> Bool {
    guard var next = expected else { return false }
    while next.pointee != 0 {
      if next.pointee == method { return true }
      next += 1
    }
    return false
  }
}
