public import AMQPBase

/// What a wait is for.
public enum Interest: Equatable, Sendable {
  case read, write, readOrWrite
}

/// How one attempt to read or write ended. It never waited.
public enum IOResult: Equatable, Sendable {
  case bytes(Int)
  case wouldBlock(Interest)
  /// The peer has ended its side of the stream.
  case closed
  case failed(errno: Int32)
}

/// How a wait ended.
public enum WaitResult: Equatable, Sendable {
  /// An attempt will not block. True of a broken connection too: the attempt then names the fault.
  case ready(Interest)
  case timedOut
  case failed(errno: Int32)
}

/// What lies next in the receive buffer; nothing was taken from it.
public enum PeekResult: Equatable, Sendable {
  case data, nothing, closed
  case failed(errno: Int32)
}

/// What the kernel knows of a connection, whether or not the application has been reading.
public struct Liveness: Equatable, Sendable {
  /// Since the last segment with data arrived from the peer.
  public var millisecondsSinceData: UInt32
  /// Since the peer's kernel last acknowledged something. It does so for what this side sends (a heartbeat, say), not when
  /// it probes a closed window.
  public var millisecondsSinceAcknowledgement: UInt32
  /// Received and not yet read.
  public var unreadBytes: Int
  /// The unread bytes leave no room, so that the peer cannot send even if it is alive.
  public var receiveBufferIsFull: Bool

  public init(
    millisecondsSinceData: UInt32, millisecondsSinceAcknowledgement: UInt32, unreadBytes: Int,
    receiveBufferIsFull: Bool
  ) {
    self.millisecondsSinceData = millisecondsSinceData
    self.millisecondsSinceAcknowledgement = millisecondsSinceAcknowledgement
    self.unreadBytes = unreadBytes
    self.receiveBufferIsFull = receiveBufferIsFull
  }
}

/// How an attempt to connect ended.
public enum ConnectResult: Equatable, Sendable {
  /// An open descriptor, which now belongs to the caller.
  case connected(descriptor: Int32)
  case failed(Status)
}
