import AMQPBase
import Testing

@testable import AMQPEngine

private typealias Phase = ConnectionState.Phase
private typealias Event = ConnectionState.Event
private typealias Action = ConnectionState.Action

private let phases: [Phase] = [.new, .connected, .headerSent, .open, .closing, .inputEnded, .closed]
private let events: [Event] = [
  .connected, .headerSent, .loggedIn, .closing, .inputEnded, .failed(.timeout), .failed(.heartbeatTimeout),
  .failed(.badAMQPData), .socketClosed,
]

/// A connection that has come to a phase, without a failure.
private func connection(_ phase: Phase) -> ConnectionState {
  let way: [Event] =
    switch phase {
    case .new: []
    case .connected: [.connected]
    case .headerSent: [.connected, .headerSent]
    case .open: [.connected, .headerSent, .loggedIn]
    case .closing: [.connected, .headerSent, .loggedIn, .closing]
    case .inputEnded: [.connected, .headerSent, .loggedIn, .inputEnded]
    case .closed: [.connected, .socketClosed]
    }
  var state = ConnectionState()
  for event in way { _ = state.receive(event) }
  return state
}

/// For each phase what the events of `events` do, in their order.
private let table: [(Phase, [(Action, Phase)])] = [
  (
    .new,
    [
      (.none, .connected), (.refuse(.socketClosed), .new), (.refuse(.socketClosed), .new),
      (.refuse(.socketClosed), .new), (.refuse(.socketClosed), .new), (.none, .new), (.none, .new),
      // Octets that are no AMQP, of a program that receives them by itself.
      (.closeDescriptor, .closed), (.none, .new),
    ]
  ),
  (
    .connected,
    [
      (.refuse(.socketInUse), .connected), (.none, .headerSent), (.none, .open), (.none, .closing),
      (.none, .inputEnded), (.closeDescriptor, .closed), (.closeDescriptor, .closed), (.closeDescriptor, .closed),
      (.closeDescriptor, .closed),
    ]
  ),
  (
    .headerSent,
    [
      (.refuse(.socketInUse), .headerSent), (.none, .headerSent), (.none, .open), (.none, .closing),
      (.none, .inputEnded), (.closeDescriptor, .closed), (.closeDescriptor, .closed), (.closeDescriptor, .closed),
      (.closeDescriptor, .closed),
    ]
  ),
  (
    .open,
    [
      (.refuse(.socketInUse), .open), (.none, .open), (.none, .open), (.none, .closing), (.none, .inputEnded),
      (.closeDescriptor, .closed), (.closeDescriptor, .closed), (.closeDescriptor, .closed),
      (.closeDescriptor, .closed),
    ]
  ),
  (
    .closing,
    [
      (.refuse(.socketInUse), .closing), (.none, .closing), (.none, .closing), (.none, .closing),
      (.none, .inputEnded), (.closeDescriptor, .closed), (.closeDescriptor, .closed), (.closeDescriptor, .closed),
      (.closeDescriptor, .closed),
    ]
  ),
  (
    .inputEnded,
    [
      (.refuse(.socketInUse), .inputEnded), (.refuse(.connectionClosed), .inputEnded),
      (.refuse(.connectionClosed), .inputEnded), (.refuse(.connectionClosed), .inputEnded), (.none, .inputEnded),
      // The peer said goodbye before it fell silent.
      (.closeDescriptor, .closed), (.none, .inputEnded), (.closeDescriptor, .closed), (.closeDescriptor, .closed),
    ]
  ),
  (
    .closed,
    [
      (.none, .connected), (.refuse(.socketClosed), .closed), (.refuse(.socketClosed), .closed),
      (.refuse(.socketClosed), .closed), (.refuse(.socketClosed), .closed), (.none, .closed), (.none, .closed),
      (.none, .closed), (.none, .closed),
    ]
  ),
]

@Suite struct ConnectionStateTests {
  @Test func aStateIsTheSameAfterItWasAWord() {
    for status in [.ok, .heartbeatTimeout, .badAMQPData] as [Status] {
      var failed = ConnectionState()
      _ = failed.receive(.connected)
      if !status.isOK { _ = failed.receive(.failed(status)) }
      for state in [failed, connection(.inputEnded), connection(.new), connection(.open)] {
        let copy = ConnectionState(bits: state.bits)
        #expect((copy.phase, copy.failure) == (state.phase, state.failure))
      }
    }
  }

  @Test func everyPair() {
    #expect(table.map(\.0) == phases)
    for (phase, row) in table {
      #expect(row.count == events.count)
      for (event, (action, next)) in zip(events, row) {
        var state = connection(phase)
        #expect(state.phase == phase)
        #expect(state.receive(event) == action, "\(phase), \(event)")
        #expect(state.phase == next, "\(phase), \(event)")
      }
    }
  }

  /// Only what a program must tell from an ordinary end is remembered, and only where there was a connection to lose;
  /// octets that are no AMQP need none.
  @Test func stickyFailuresOfEveryPhase() {
    for phase in phases {
      for status in [Status.heartbeatTimeout, .badAMQPData, .timeout, .connectionClosed, .socketError] {
        var state = connection(phase)
        _ = state.receive(.failed(status))
        let isSticky =
          switch phase {
          case .closed: false
          case .new, .inputEnded: status == .badAMQPData
          case .connected, .headerSent, .open, .closing: status == .heartbeatTimeout || status == .badAMQPData
          }
        #expect(state.failure == (isSticky ? status : .ok), "\(phase), \(status.text)")
      }
    }
  }

  // MARK: What the calls answer

  @Test func theCodesOfEachPhase() {
    for (phase, send, receive) in [
      (.new, .socketClosed, .socketClosed), (.connected, .ok, .ok), (.headerSent, .ok, .ok), (.open, .ok, .ok),
      (.closing, .ok, .ok), (.inputEnded, .connectionClosed, .connectionClosed),
      (.closed, .socketClosed, .connectionClosed),
    ] as [(Phase, Status, Status)] {
      let state = connection(phase)
      #expect(state.sendStatus == send, "\(phase)")
      #expect(state.receiveStatus == receive, "\(phase)")
      #expect(state.isAlive == (send == .ok), "\(phase)")
    }
  }

  @Test(arguments: [Status.heartbeatTimeout, .badAMQPData])
  func aStickyFailureIsTheAnswerOfEveryCall(status: Status) {
    var state = connection(.open)
    #expect(state.receive(.failed(status)) == .closeDescriptor)
    for event in events where event != .connected {
      _ = state.receive(event)
      #expect(state.sendStatus == status, "\(event)")
      #expect(state.receiveStatus == status, "\(event)")
      #expect(state.failure == status, "\(event)")
      #expect(!state.isAlive)
    }
    #expect(state.receive(.headerSent) == .refuse(status))
  }

  @Test func ofSeveralFailuresTheFirstCounts() {
    var state = connection(.open)
    _ = state.receive(.failed(.heartbeatTimeout))
    #expect(state.receive(.failed(.badAMQPData)) == .none)
    #expect(state.failure == .heartbeatTimeout)
    var other = connection(.open)
    _ = other.receive(.failed(.timeout))
    _ = other.receive(.failed(.badAMQPData))
    #expect(other.failure == .ok)
    #expect(other.receiveStatus == .connectionClosed)
  }

  @Test func aNewSocketForgetsTheFailure() {
    var state = connection(.open)
    _ = state.receive(.failed(.heartbeatTimeout))
    _ = state.receive(.socketClosed)
    #expect(state.failure == .heartbeatTimeout)
    #expect(state.receive(.connected) == .none)
    #expect(state.failure == .ok)
    #expect(state.sendStatus == .ok && state.receiveStatus == .ok)
  }

  @Test func theDescriptorIsClosedOnce() {
    for phase in phases {
      for first in events {
        var state = connection(phase)
        guard state.receive(first) == .closeDescriptor else { continue }
        for second in events where second != .connected {
          #expect(state.receive(second) != .closeDescriptor, "\(phase), \(first), \(second)")
        }
      }
    }
  }
}
