// The life of a connection as the calls of the C API see it.
//
//   new ──> connected ──> headerSent ──> open ──> closing ──> closed
//             └──────────────┴────────────┴──────────┴──> inputEnded ──> closed
//
// Programs may do the login by themselves, so everything that has a socket can send and receive. What counts is the
// other end: which code a call gets once the connection is gone.
//
//   phase                  a call that sends            a call that receives      descriptor
//   new                    SOCKET_CLOSED                SOCKET_CLOSED             -1
//   inputEnded             CONNECTION_CLOSED            CONNECTION_CLOSED         stays: programs poll it
//   closed                 SOCKET_CLOSED                CONNECTION_CLOSED         -1
//   closed, sticky         the failure itself           the failure itself        -1
//
// Sticky are the failures that a program must be able to tell from an ordinary end, whichever call meets them first:
// a silent peer and bytes that are no AMQP. Of several failures the first counts, and a new socket forgets it.

public import AMQPBase

public struct ConnectionState: Sendable {
  public enum Phase: UInt8, Equatable, Sendable {
    case new
    case connected
    case headerSent
    case open
    case closing
    /// The peer has ended or reset the connection. What it said before may still lie in our buffer.
    case inputEnded
    case closed
  }

  public enum Event: Equatable, Sendable {
    /// A socket was connected, or the program passed a connected descriptor.
    case connected
    case headerSent
    case loggedIn
    /// connection.close was received.
    case closing
    case inputEnded
    /// The connection cannot go on: a dead or faulty peer, a login that failed, an RPC that timed out.
    case failed(Status)
    /// The program is done with the socket.
    case socketClosed
  }

  public enum Action: Equatable, Sendable {
    case none
    case closeDescriptor
    /// There is no socket, or there already is one: nothing happened.
    case refuse(Status)
  }

  public private(set) var phase: Phase
  /// The sticky failure, `.ok` when there is none.
  public private(set) var failure: Status

  public init() {
    phase = .new
    failure = .ok
  }

  /// The state as one word, and back.
  @inline(__always) public var bits: UInt64 {
    UInt64(UInt32(bitPattern: failure.code)) << 32 | UInt64(phase.rawValue)
  }

  @inline(__always) public init(bits: UInt64) {
    phase = Phase(rawValue: UInt8(truncatingIfNeeded: bits)) ?? .closed
    failure = Status(Int32(truncatingIfNeeded: bits >> 32))
  }

  /// `.ok`, or what a call that sends has to answer.
  public var sendStatus: Status {
    switch phase {
    case .connected, .headerSent, .open, .closing: .ok
    case .inputEnded: .connectionClosed
    case .new, .closed: failure.isOK ? .socketClosed : failure
    }
  }

  /// `.ok`, or what a call that receives has to answer once it has handed out what was received before.
  public var receiveStatus: Status {
    switch phase {
    case .connected, .headerSent, .open, .closing: .ok
    case .inputEnded: .connectionClosed
    case .new: .socketClosed
    case .closed: failure.isOK ? .connectionClosed : failure
    }
  }

  /// Whether heartbeats are sent and awaited. After the end of the input silence proves nothing.
  public var isAlive: Bool { sendStatus.isOK }

  public mutating func receive(_ event: Event) -> Action {
    switch (phase, event) {
    case (.new, .connected), (.closed, .connected):
      failure = .ok
      return move(to: .connected)
    case (.connected, .connected), (.headerSent, .connected), (.open, .connected), (.closing, .connected),
      (.inputEnded, .connected):
      return .refuse(.socketInUse)

    case (.connected, .headerSent), (.headerSent, .headerSent):
      return move(to: .headerSent)
    case (.connected, .loggedIn), (.headerSent, .loggedIn), (.open, .loggedIn):
      return move(to: .open)
    case (.connected, .closing), (.headerSent, .closing), (.open, .closing), (.closing, .closing):
      return move(to: .closing)
    case (.connected, .inputEnded), (.headerSent, .inputEnded), (.open, .inputEnded), (.closing, .inputEnded),
      (.inputEnded, .inputEnded):
      return move(to: .inputEnded)

    // A program may repeat the header; the broker will have its say about that.
    case (.open, .headerSent), (.closing, .headerSent), (.closing, .loggedIn):
      return .none
    case (.inputEnded, .headerSent), (.inputEnded, .loggedIn), (.inputEnded, .closing):
      return .refuse(sendStatus)
    case (.new, .headerSent), (.new, .loggedIn), (.new, .closing), (.new, .inputEnded),
      (.closed, .headerSent), (.closed, .loggedIn), (.closed, .closing), (.closed, .inputEnded):
      return .refuse(sendStatus)

    case (.connected, .failed(let status)), (.headerSent, .failed(let status)), (.open, .failed(let status)),
      (.closing, .failed(let status)):
      return fail(status)
    // The peer said goodbye before it fell silent.
    case (.inputEnded, .failed(.heartbeatTimeout)):
      return .none
    case (.inputEnded, .failed(let status)):
      return fail(status)
    // Octets that are no AMQP, of a program that receives them by itself.
    case (.new, .failed(.badAMQPData)):
      return fail(.badAMQPData)
    case (.new, .failed), (.closed, .failed):
      return .none

    case (.connected, .socketClosed), (.headerSent, .socketClosed), (.open, .socketClosed), (.closing, .socketClosed),
      (.inputEnded, .socketClosed):
      phase = .closed
      return .closeDescriptor
    case (.new, .socketClosed), (.closed, .socketClosed):
      return .none
    }
  }

  private mutating func move(to next: Phase) -> Action {
    phase = next
    return .none
  }

  private mutating func fail(_ status: Status) -> Action {
    if status == .heartbeatTimeout || status == .badAMQPData { failure = status }
    phase = .closed
    return .closeDescriptor
  }
}
