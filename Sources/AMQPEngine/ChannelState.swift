// The life of a channel of the event API.
//
//   closed ── open ──> opening ── open-ok ──> open ── close ──> closing ── close-ok ──> closed
//     ^                   │                     │
//     └──── close-ok ─────┴── channel.close ────┘         from everywhere: connectionLost ──> closed
//
// A channel that is opening takes work already: the broker reads in order. One that is closing only waits for close-ok;
// what the broker sent before that is thrown away (specification section 1.5.2.5, channel.close).

public import AMQPBase

public struct ChannelState: Sendable {
  public enum State: Equatable, Sendable {
    case closed
    case opening
    case open
    /// We asked for the end and wait for close-ok.
    case closing
    /// The broker closed it and has our close-ok still to come, from the driver.
    case closedByPeer
  }

  public enum Event: Equatable, Sendable {
    /// Of the program, and of a recovery.
    case open
    case close
    /// Of the broker.
    case openOk
    case closeOk
    case peerClose
    case flow(active: Bool)
    /// Any other method, and content.
    case method
    /// The driver has encoded the close-ok that it was asked for.
    case closeOkSent
    case connectionLost
  }

  public enum Action: Equatable, Sendable {
    case none
    case sendOpen
    case sendClose
    /// The channel can be used.
    case opened
    /// All is over as the program wished.
    case closed
    /// Send close-ok, then tell the program; what was outstanding on the channel is lost.
    case sendCloseOk
    /// Both sides closed at once: send close-ok, and go on waiting for the broker's.
    case sendCloseOkAndWait
    case sendFlowOk(active: Bool)
    /// Hand it to whoever waits for it.
    case accept
    /// It crossed our close: drop it.
    case discard
    /// What was outstanding on the channel is lost.
    case lost
    /// The program may not do this now: nothing happened.
    case refuse(Status)
    /// The broker may not do this now: the connection cannot go on.
    case fault
  }

  public private(set) var state: State
  /// False while the broker wants no content (channel.flow).
  public private(set) var isFlowActive: Bool

  public init() {
    state = .closed
    isFlowActive = true
  }

  /// `.ok`, or what an operation of the program's is to be refused with.
  public var operationStatus: Status {
    switch state {
    case .opening, .open: .ok
    case .closed, .closing, .closedByPeer: .connectionClosed
    }
  }

  public var maySendContent: Bool { operationStatus.isOK && isFlowActive }

  public mutating func receive(_ event: Event) -> Action {
    switch (state, event) {
    case (.closed, .open):
      isFlowActive = true
      return move(to: .opening, .sendOpen)
    case (.opening, .open), (.open, .open), (.closing, .open), (.closedByPeer, .open):
      return .refuse(.unexpectedState)

    case (.opening, .close), (.open, .close):
      return move(to: .closing, .sendClose)
    case (.closed, .close), (.closing, .close), (.closedByPeer, .close):
      return .refuse(.connectionClosed)

    case (.opening, .openOk):
      return move(to: .open, .opened)
    // Our close was on its way already.
    case (.closing, .openOk):
      return .discard
    case (.closing, .closeOk):
      return move(to: .closed, .closed)
    case (.opening, .peerClose), (.open, .peerClose):
      return move(to: .closedByPeer, .sendCloseOk)
    case (.closing, .peerClose):
      return .sendCloseOkAndWait
    case (.closedByPeer, .closeOkSent):
      return move(to: .closed, .none)
    case (.closed, .closeOkSent), (.opening, .closeOkSent), (.open, .closeOkSent), (.closing, .closeOkSent):
      return .none

    case (.open, .flow(let active)):
      isFlowActive = active
      return .sendFlowOk(active: active)
    case (.open, .method):
      return .accept
    case (.closing, .flow), (.closing, .method):
      return .discard

    case (.closed, .openOk), (.closed, .closeOk), (.closed, .peerClose), (.closed, .flow), (.closed, .method),
      (.opening, .closeOk), (.opening, .flow), (.opening, .method),
      (.open, .openOk), (.open, .closeOk),
      (.closedByPeer, .openOk), (.closedByPeer, .closeOk), (.closedByPeer, .peerClose), (.closedByPeer, .flow),
      (.closedByPeer, .method):
      return .fault

    case (.opening, .connectionLost), (.open, .connectionLost), (.closing, .connectionLost):
      return move(to: .closed, .lost)
    // The program knows that it is closed.
    case (.closedByPeer, .connectionLost):
      return move(to: .closed, .none)
    case (.closed, .connectionLost):
      return .none
    }
  }

  private mutating func move(to next: State, _ action: Action) -> Action {
    state = next
    return action
  }
}
