import CRabbitMQ

/// What connection.tune settles.
public struct Tuning: Equatable, Sendable {
  /// 0 = no limit.
  public var channelMax: UInt16
  /// Bytes of a whole frame, its header and end octet included.
  public var frameMax: UInt32
  /// Seconds, 0 = off.
  public var heartbeat: UInt16

  /// Bytes. Each peer takes frames of this size, whatever was agreed.
  public static var smallestFrameMax: UInt32 { UInt32(truncatingIfNeeded: AMQP_FRAME_MIN_SIZE) }

  /// What holds before anything was agreed.
  public static var beforeTune: Tuning { Tuning(channelMax: 0, frameMax: 65536, heartbeat: 0) }

  public init(channelMax: UInt16, frameMax: UInt32, heartbeat: UInt16) {
    self.channelMax = channelMax
    self.frameMax = frameMax
    self.heartbeat = heartbeat
  }

  /// The numbers of a C caller; nil when one of them is negative or has no place in connection.tune-ok.
  public init?(channelMax: Int32, frameMax: Int32, heartbeat: Int32) {
    guard let channelMax = UInt16(exactly: channelMax), let frameMax = UInt32(exactly: frameMax),
      let heartbeat = UInt16(exactly: heartbeat)
    else { return nil }
    self.init(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat)
  }

  /// For a program that negotiates by itself and then tells us the result.
  public static func agreedElsewhere(channelMax: Int32, frameMax: Int32, heartbeat: Int32) -> Tuning? {
    guard var tuning = Tuning(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat) else { return nil }
    tuning.frameMax = max(tuning.frameMax, smallestFrameMax)
    return tuning
  }

  public var highestChannel: UInt16 { channelMax == 0 ? .max : channelMax }

  /// As existing programs know it: a client's heartbeat of 0 is a veto, and its frame_max of 0 means the smallest.
  public static func classic(client: Tuning, server: Tuning) -> Tuning {
    Tuning(
      channelMax: agreedChannelMax(client, server),
      frameMax: max(server.frameMax == 0 ? client.frameMax : min(client.frameMax, server.frameMax), smallestFrameMax),
      heartbeat: server.heartbeat == 0 ? client.heartbeat : min(client.heartbeat, server.heartbeat))
  }

  /// As RabbitMQ's own clients do it: 0 leaves the choice to the other side.
  public static func event(client: Tuning, server: Tuning) -> Tuning {
    let standardFrameMax = UInt32(truncatingIfNeeded: AMQP_DEFAULT_FRAME_SIZE)
    return Tuning(
      channelMax: agreedChannelMax(client, server),
      frameMax: max(smallerUnlessZero(client.frameMax, server.frameMax, bothZero: standardFrameMax), smallestFrameMax),
      heartbeat: smallerUnlessZero(client.heartbeat, server.heartbeat, bothZero: 0))
  }

  private static func agreedChannelMax(_ client: Tuning, _ server: Tuning) -> UInt16 {
    smallerUnlessZero(client.channelMax, server.channelMax, bothZero: .max)
  }

  private static func smallerUnlessZero<T: FixedWidthInteger>(_ left: T, _ right: T, bothZero: T) -> T {
    if left == 0 { return right == 0 ? bothZero : right }
    return right == 0 ? left : min(left, right)
  }
}
