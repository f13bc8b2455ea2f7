import AMQPBase
import Testing

@testable import AMQPEngine

private typealias State = Handshake.State
private typealias Event = Handshake.Event
private typealias Action = Handshake.Action

private func tuning(_ channelMax: UInt16, _ frameMax: UInt32, _ heartbeat: UInt16) -> Tuning {
  Tuning(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat)
}
private let wanted = tuning(0, 131_072, 10)
private let offer = tuning(2047, 65_536, 60)
private let agreed = tuning(2047, 65_536, 10)
private let start = Event.start(major: 0, minor: 9, mechanismOffered: true)

/// A login that has come to a state.
private func handshake(_ state: State, _ negotiation: Handshake.Negotiation = .classic) -> Handshake {
  let way: [Event] =
    switch state {
    case .awaitingStart: []
    case .awaitingTune: [start]
    case .awaitingOpenOk: [start, .tune(offer)]
    case .open: [start, .tune(offer), .openOk]
    case .failed(let status): [.ended(status)]
    }
  var handshake = Handshake(wanted: wanted, negotiation: negotiation)
  for event in way { _ = handshake.receive(event) }
  return handshake
}

private let events: [Event] = [
  start, .secure, .tune(offer), .openOk, .connectionClose, .protocolHeader, .otherFrame, .ended(.timeout),
]

private let wrong = (Action.fail(.wrongMethod), State.failed(.wrongMethod))
private let garbage = (Action.fail(.badAMQPData), State.failed(.badAMQPData))
private let late = (Action.fail(.timeout), State.failed(.timeout))
private let refused = (Action.serverRefused, State.failed(.connectionClosed))
private let forOthers = (Action.keepForLater, State.open(agreed))
private let still = (Action.fail(.socketError), State.failed(.socketError))

/// For each state what the events of `events` do, in their order.
private let table: [(State, [(Action, State)])] = [
  (
    .awaitingStart,
    [
      (.sendStartOk, .awaitingTune), wrong, wrong, wrong, wrong,
      (.fail(.incompatibleAMQPVersion), .failed(.incompatibleAMQPVersion)), wrong, late,
    ]
  ),
  (
    .awaitingTune,
    [
      wrong, wrong, (.sendTuneOkThenOpen(agreed), .awaitingOpenOk(agreed)), wrong, refused, garbage, wrong, late,
    ]
  ),
  (
    .awaitingOpenOk(agreed),
    [
      wrong, wrong, wrong, (.opened(agreed), .open(agreed)), refused, garbage,
      (.keepForLater, .awaitingOpenOk(agreed)), late,
    ]
  ),
  (.open(agreed), [forOthers, forOthers, forOthers, forOthers, forOthers, forOthers, forOthers, late]),
  (.failed(.socketError), [still, still, still, still, still, still, still, still]),
]

@Suite struct HandshakeTests {
  @Test func everyPair() {
    for (state, row) in table {
      #expect(row.count == events.count)
      for (event, (action, next)) in zip(events, row) {
        var login = handshake(state)
        #expect(login.state == state)
        #expect(login.receive(event) == action, "\(state), \(event)")
        #expect(login.state == next, "\(state), \(event)")
      }
    }
  }

  @Test func aLoginFromStartToEnd() {
    var login = Handshake(wanted: wanted, negotiation: .classic)
    #expect(login.receive(start) == .sendStartOk)
    #expect(login.receive(.tune(offer)) == .sendTuneOkThenOpen(agreed))
    #expect(login.receive(.otherFrame) == .keepForLater)
    #expect(login.receive(.openOk) == .opened(agreed))
    #expect(login.state == .open(agreed))
  }

  @Test(arguments: [(0, 8), (0, 10), (0, 0), (0, 91), (1, 9), (8, 0), (9, 0), (255, 255)] as [(UInt8, UInt8)])
  func onlyVersion09WillDo(major: UInt8, minor: UInt8) {
    for mechanismOffered in [true, false] {
      var login = handshake(.awaitingStart)
      let event = Event.start(major: major, minor: minor, mechanismOffered: mechanismOffered)
      #expect(login.receive(event) == .fail(.incompatibleAMQPVersion))
      #expect(login.state == .failed(.incompatibleAMQPVersion))
    }
  }

  @Test func aMechanismThatTheServerDoesNotKnow() {
    var login = handshake(.awaitingStart)
    let action = login.receive(.start(major: 0, minor: 9, mechanismOffered: false))
    #expect(action == .fail(.brokerUnsupportedSASLMethod))
    #expect(login.state == .failed(.brokerUnsupportedSASLMethod))
  }

  /// How a broker answers a wrong password or an unknown vhost; what it says next is no part of the login.
  @Test func aServerThatRefusesIsHeardOnce() {
    for state in [.awaitingTune, .awaitingOpenOk(agreed)] as [State] {
      var login = handshake(state)
      #expect(login.receive(.connectionClose) == .serverRefused)
      #expect(login.receive(.connectionClose) == .fail(.connectionClosed))
      #expect(login.receive(.openOk) == .fail(.connectionClosed))
    }
  }

  @Test func theCallerHearsWhatEndedIt() {
    for state in [.awaitingStart, .awaitingTune, .awaitingOpenOk(agreed), .open(agreed)] as [State] {
      for status in [Status.timeout, .connectionClosed, .heartbeatTimeout, .badAMQPData, .noMemory] {
        var login = handshake(state)
        #expect(login.receive(.ended(status)) == .fail(status))
        #expect(login.receive(.ended(.socketError)) == .fail(status), "the first reason stays")
        #expect(login.state == .failed(status))
      }
    }
  }

  /// The two differ where one side says 0.
  @Test func eachApiNegotiatesInItsWay() {
    for (negotiation, heartbeat) in [(.classic, 0), (.event, 60)] as [(Handshake.Negotiation, UInt16)] {
      var login = Handshake(wanted: tuning(0, 131_072, 0), negotiation: negotiation)
      _ = login.receive(start)
      let expected = tuning(2047, 65_536, heartbeat)
      #expect(login.receive(.tune(offer)) == .sendTuneOkThenOpen(expected))
      #expect(login.receive(.openOk) == .opened(expected))
    }
  }
}
