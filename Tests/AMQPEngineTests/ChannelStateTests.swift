import AMQPBase
import Testing

@testable import AMQPEngine

private typealias State = ChannelState.State
private typealias Event = ChannelState.Event
private typealias Action = ChannelState.Action

private let states: [State] = [.closed, .opening, .open, .closing, .closedByPeer]
private let events: [Event] = [
  .open, .close, .openOk, .closeOk, .peerClose, .flow(active: false), .method, .closeOkSent, .connectionLost,
]

private func channel(_ state: State) -> ChannelState {
  let way: [Event] =
    switch state {
    case .closed: []
    case .opening: [.open]
    case .open: [.open, .openOk]
    case .closing: [.open, .openOk, .close]
    case .closedByPeer: [.open, .openOk, .peerClose]
    }
  var channel = ChannelState()
  for event in way { _ = channel.receive(event) }
  return channel
}

/// For each state what the events of `events` do, in their order.
private let table: [(State, [(Action, State)])] = [
  (
    .closed,
    [
      (.sendOpen, .opening), (.refuse(.connectionClosed), .closed), (.fault, .closed), (.fault, .closed),
      (.fault, .closed), (.fault, .closed), (.fault, .closed), (.none, .closed), (.none, .closed),
    ]
  ),
  (
    .opening,
    [
      (.refuse(.unexpectedState), .opening), (.sendClose, .closing), (.opened, .open), (.fault, .opening),
      (.sendCloseOk, .closedByPeer), (.fault, .opening), (.fault, .opening), (.none, .opening), (.lost, .closed),
    ]
  ),
  (
    .open,
    [
      (.refuse(.unexpectedState), .open), (.sendClose, .closing), (.fault, .open), (.fault, .open),
      (.sendCloseOk, .closedByPeer), (.sendFlowOk(active: false), .open), (.accept, .open), (.none, .open),
      (.lost, .closed),
    ]
  ),
  (
    .closing,
    [
      (.refuse(.unexpectedState), .closing), (.refuse(.connectionClosed), .closing), (.discard, .closing),
      (.closed, .closed), (.sendCloseOkAndWait, .closing), (.discard, .closing), (.discard, .closing),
      (.none, .closing), (.lost, .closed),
    ]
  ),
  (
    .closedByPeer,
    [
      (.refuse(.unexpectedState), .closedByPeer), (.refuse(.connectionClosed), .closedByPeer),
      (.fault, .closedByPeer), (.fault, .closedByPeer), (.fault, .closedByPeer), (.fault, .closedByPeer),
      (.fault, .closedByPeer), (.none, .closed), (.none, .closed),
    ]
  ),
]

@Suite struct ChannelStateTests {
  @Test func everyPair() {
    #expect(table.map(\.0) == states)
    for (state, row) in table {
      #expect(row.count == events.count)
      for (event, (action, next)) in zip(events, row) {
        var channel = channel(state)
        #expect(channel.state == state)
        #expect(channel.receive(event) == action, "\(state), \(event)")
        #expect(channel.state == next, "\(state), \(event)")
      }
    }
  }

  @Test func workIsTakenFromOpenOn() {
    for state in states {
      let isUsable = state == .opening || state == .open
      #expect(channel(state).operationStatus == (isUsable ? .ok : .connectionClosed), "\(state)")
      #expect(channel(state).maySendContent == isUsable, "\(state)")
    }
  }

  @Test func flowStopsContentAloneAndEndsWithTheChannel() {
    var channel = channel(.open)
    #expect(channel.receive(.flow(active: false)) == .sendFlowOk(active: false))
    #expect(!channel.maySendContent && channel.operationStatus == .ok)
    #expect(channel.receive(.flow(active: true)) == .sendFlowOk(active: true))
    #expect(channel.maySendContent)
    _ = channel.receive(.flow(active: false))
    _ = channel.receive(.connectionLost)
    _ = channel.receive(.open)
    #expect(channel.maySendContent)
  }

  /// An end of the channel is told once, whatever follows.
  @Test func oneEnd() {
    for state in states {
      for first in events {
        for second in events {
          var channel = channel(state)
          var ends = 0
          for event in [first, second] {
            let action = channel.receive(event)
            if action == .lost || action == .closed || action == .sendCloseOk { ends += 1 }
          }
          #expect(ends <= 1, "\(state), \(first), \(second)")
        }
      }
    }
  }
}
