import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPEngine

private typealias Machine = EventConnectionState
private typealias State = Machine.State
private typealias Event = Machine.Event
private typealias Action = Machine.Action

private let start = Instant(nanoseconds: 1_000_000)
private func after(_ nanoseconds: UInt64) -> Instant { start.adding(nanoseconds: nanoseconds) }

private let eof = Event.lost(.failed(.connectionClosed))
private let pointless = Event.lost(.refusedByServer(replyCode: UInt16(truncatingIfNeeded: AMQP_NOT_ALLOWED)))
private let limited = Event.lost(.refusedByServer(replyCode: UInt16(truncatingIfNeeded: AMQP_ACCESS_REFUSED)))

private func machine(
  hosts: Int = 1, isSecure: Bool = true, recovery: Machine.Recovery = .topology, refusalLimit: UInt32 = 3,
  attemptLimit: UInt32 = 0
) -> Machine {
  Machine(
    Machine.Settings(
      hostCount: hosts, isSecure: isSecure, recovery: recovery, connectNanoseconds: 3_000,
      handshakeNanoseconds: 500, closeNanoseconds: 50, refusalLimit: refusalLimit),
    backoff: Backoff(firstNanoseconds: 100, longestNanoseconds: 1_000, attemptLimit: attemptLimit))
}

extension EventConnectionState {
  /// The actions of several events at one time.
  @discardableResult
  fileprivate mutating func run(_ events: Event..., at now: Instant = start) -> [Action] {
    events.map { receive($0, at: now) }
  }

  fileprivate mutating func becomeReady(at now: Instant = start) {
    if state == .idle { run(.open, at: now) } else { run(.time, at: now) }
    run(.resolved, .connected, .secured, .loggedIn, .recovered, at: now)
  }
}

private let states: [State] = [
  .idle, .resolving, .connecting, .securing, .handshaking, .recovering, .ready, .waiting, .closing, .closed,
]
private let events: [Event] = [
  .open, .close, .resolved, .connected, .secured, .loggedIn, .recovered, .closeOk, eof, pointless, .time,
]

/// A machine that has come to a state with one host; `isLater`: it was ready before.
private func machine(in state: State, isLater: Bool = false) -> Machine {
  var machine = machine()
  if isLater || state == .recovering {
    machine.becomeReady()
    machine.run(eof)
    if state == .waiting { return machine }
    machine.run(.time, at: after(100))
  }
  let way: [Event] =
    switch state {
    case .idle: []
    case .resolving: [.open]
    case .connecting: [.open, .resolved]
    case .securing: [.open, .resolved, .connected]
    case .handshaking, .recovering: [.open, .resolved, .connected, .secured]
    case .ready: [.open, .resolved, .connected, .secured, .loggedIn, .recovered]
    case .waiting: [.open, eof]
    case .closing: [.open, .resolved, .connected, .secured, .loggedIn, .recovered, .close]
    case .closed: [.close]
    }
  for event in way { _ = machine.receive(event, at: start) }
  if state == .recovering { machine.run(.loggedIn) }
  return machine
}

private let wait = Action.drop(wasOpen: false, then: .wait)
private let end = Action.drop(wasOpen: false, then: .end)
private let endOfOpen = Action.drop(wasOpen: true, then: .end)

/// For each state what the events of `events` do, in their order; `.time` long after every deadline.
private let table: [(State, [(Action, State)])] = [
  (
    .idle,
    [
      (.resolve(host: 0), .resolving), (end, .closed), (.none, .idle), (.none, .idle), (.none, .idle), (.none, .idle),
      (.none, .idle), (.none, .idle), (.none, .idle), (.none, .idle), (.none, .idle),
    ]
  ),
  (
    .resolving,
    [
      (.refuse(.socketInUse), .resolving), (end, .closed), (.connect, .connecting), (.none, .resolving),
      (.none, .resolving), (.none, .resolving), (.none, .resolving), (.none, .resolving), (wait, .waiting),
      (end, .closed), (wait, .waiting),
    ]
  ),
  (
    .connecting,
    [
      (.refuse(.socketInUse), .connecting), (end, .closed), (.none, .connecting), (.secure, .securing),
      (.none, .connecting), (.none, .connecting), (.none, .connecting), (.none, .connecting), (wait, .waiting),
      (end, .closed), (wait, .waiting),
    ]
  ),
  (
    .securing,
    [
      (.refuse(.socketInUse), .securing), (end, .closed), (.none, .securing), (.none, .securing),
      (.logIn, .handshaking), (.none, .securing), (.none, .securing), (.none, .securing), (wait, .waiting),
      (end, .closed), (wait, .waiting),
    ]
  ),
  (
    .handshaking,
    [
      (.refuse(.socketInUse), .handshaking), (end, .closed), (.none, .handshaking), (.none, .handshaking),
      (.none, .handshaking), (.ready, .ready), (.none, .handshaking), (.none, .handshaking), (wait, .waiting),
      (end, .closed), (wait, .waiting),
    ]
  ),
  (
    .recovering,
    [
      (.refuse(.socketInUse), .recovering), (.sendClose, .closing), (.none, .recovering), (.none, .recovering),
      (.none, .recovering), (.none, .recovering), (.ready, .ready), (.none, .recovering),
      (.drop(wasOpen: true, then: .wait), .waiting), (endOfOpen, .closed), (.none, .recovering),
    ]
  ),
  (
    .ready,
    [
      (.refuse(.socketInUse), .ready), (.sendClose, .closing), (.none, .ready), (.none, .ready), (.none, .ready),
      (.none, .ready), (.none, .ready), (.none, .ready), (.drop(wasOpen: true, then: .wait), .waiting),
      (endOfOpen, .closed), (.none, .ready),
    ]
  ),
  (
    .waiting,
    [
      (.refuse(.socketInUse), .waiting), (end, .closed), (.none, .waiting), (.none, .waiting), (.none, .waiting),
      (.none, .waiting), (.none, .waiting), (.none, .waiting), (.none, .waiting), (.none, .waiting),
      (.resolve(host: 0), .resolving),
    ]
  ),
  (
    .closing,
    [
      (.refuse(.socketInUse), .closing), (.refuse(.connectionClosed), .closing), (.none, .closing), (.none, .closing),
      (.none, .closing), (.none, .closing), (.none, .closing), (endOfOpen, .closed), (endOfOpen, .closed),
      (endOfOpen, .closed), (endOfOpen, .closed),
    ]
  ),
  (
    .closed,
    [
      (.refuse(.connectionClosed), .closed), (.refuse(.connectionClosed), .closed), (.none, .closed), (.none, .closed),
      (.none, .closed), (.none, .closed), (.none, .closed), (.none, .closed), (.none, .closed), (.none, .closed),
      (.none, .closed),
    ]
  ),
]

@Suite struct EventConnectionStateTests {
  @Test func everyPair() {
    #expect(table.map(\.0) == states)
    for (state, row) in table {
      #expect(row.count == events.count)
      for (event, (action, next)) in zip(events, row) {
        var machine = machine(in: state)
        #expect(machine.state == state)
        #expect(machine.receive(event, at: after(1_000_000)) == action, "\(state), \(event)")
        #expect(machine.state == next, "\(state), \(event)")
      }
    }
  }

  /// From the second login on what the program built comes first.
  @Test func afterALossTheTopologyComesBackFirst() {
    var machine = machine(in: .handshaking, isLater: true)
    #expect(machine.run(.loggedIn, .recovered) == [.recover, .ready])
    var other = EventConnectionStateTests.lostOnce(.connection)
    #expect(other.run(.time, .resolved, .connected, .secured, .loggedIn, at: after(100)).last == .ready)
  }

  @Test func withoutRecoveryALossIsTheEnd() {
    let machine = EventConnectionStateTests.lostOnce(.none)
    #expect(machine.state == .closed)
    #expect(machine.deadline == .never)
  }

  private static func lostOnce(_ recovery: Machine.Recovery) -> Machine {
    var lost = machine(recovery: recovery)
    lost.becomeReady()
    lost.run(eof)
    return lost
  }

  @Test func withoutTLSTheLoginFollowsTheConnection() {
    var machine = machine(isSecure: false)
    #expect(machine.run(.open, .resolved, .connected, .loggedIn) == [.resolve(host: 0), .connect, .logIn, .ready])
  }

  @Test func timeThatIsNotUpChangesNothing() {
    for state in states {
      var machine = machine(in: state)
      let deadline = machine.deadline
      guard let instant = deadline.instant else { continue }
      #expect(machine.receive(.time, at: instant.subtracting(nanoseconds: 1)) == .none, "\(state)")
      #expect(machine.state == state && machine.deadline == deadline)
      #expect(machine.receive(.time, at: instant) != .none, "\(state)")
    }
  }

  /// Only what waits for nobody, and what others time, has no limit.
  @Test func everyWaitHasItsLimit() {
    for state in states {
      let isOpenEnded = [.idle, .recovering, .ready, .closed].contains(state)
      #expect(machine(in: state).deadline.isNever == isOpenEnded, "\(state)")
    }
    #expect(machine(in: .connecting).deadline == Deadline(after(3_000)))
    #expect(machine(in: .securing).deadline == Deadline(after(3_000)))
    #expect(machine(in: .handshaking).deadline == Deadline(after(500)))
    #expect(machine(in: .closing).deadline == Deadline(after(50)))
    #expect(machine(in: .waiting).deadline == Deadline(after(100)))
  }
}

@Suite struct HostRotationTests {
  @Test func eachHostHasItsShareOfWhatIsLeft() {
    var machine = machine(hosts: 3)
    machine.run(.open)
    #expect(machine.deadline == Deadline(after(1_000)))
    // Refused at once: its time goes to the others.
    #expect(machine.run(eof, at: after(200)) == [.drop(wasOpen: false, then: .resolve(host: 1))])
    #expect(machine.deadline == Deadline(after(200 + 1_400)))
    #expect(machine.run(.time, at: after(1_600)) == [.drop(wasOpen: false, then: .resolve(host: 2))])
    #expect(machine.deadline == Deadline(after(3_000)))
    #expect(machine.run(.time, at: after(3_000)) == [.drop(wasOpen: false, then: .wait)])
    #expect(machine.deadline == Deadline(after(3_100)))
    #expect(machine.run(.time, at: after(3_100)) == [.resolve(host: 0)])
    #expect(machine.attempt == 2)
  }

  @Test func afterALossTheNextHostIsFirst() {
    var machine = machine(hosts: 3)
    machine.run(.open, eof)
    machine.run(.resolved, .connected, .secured, .loggedIn)
    #expect(machine.host == 1)
    #expect(machine.run(eof) == [.drop(wasOpen: true, then: .wait)])
    machine.run(.time, at: after(100))
    #expect(machine.host == 2)
    machine.run(eof, at: after(100))
    #expect(machine.host == 0)
    machine.run(eof, at: after(100))
    #expect(machine.host == 1)
    #expect(machine.run(eof, at: after(100)) == [.drop(wasOpen: false, then: .wait)])
  }

  @Test func noHostsCountAsOne() {
    var machine = machine(hosts: -5)
    #expect(machine.run(.open, eof) == [.resolve(host: 0), .drop(wasOpen: false, then: .wait)])
  }

  @Test func withoutALimitNothingIsShared() {
    var machine = Machine(
      Machine.Settings(hostCount: 3), backoff: Backoff(firstNanoseconds: 1, longestNanoseconds: 1))
    machine.run(.open)
    #expect(machine.deadline == .never)
  }
}

@Suite struct ReconnectTests {
  @Test func waitsDoubleWhileAttemptsFail() {
    var (machine, now) = (machine(), start)
    machine.run(.open)
    for expected in [100, 200, 400, 800, 1_000, 1_000] as [UInt64] {
      machine.run(eof, at: now)
      #expect(machine.deadline.remaining(from: now) == expected)
      now = now.adding(nanoseconds: expected)
      machine.run(.time, at: now)
    }
  }

  @Test func attemptsAreUsedUpTheFirstIncluded() {
    var machine = machine(attemptLimit: 2)
    #expect(machine.run(.open, eof) == [.resolve(host: 0), wait])
    machine.run(.time, at: after(100))
    #expect(machine.attempt == 2)
    #expect(machine.run(eof, at: after(100)) == [end])
  }

  @Test func aGoodConnectionHasAllAttemptsAgain() {
    var machine = machine(attemptLimit: 2)
    machine.becomeReady()
    for _ in 0..<5 {
      #expect(machine.run(eof, at: after(0)) == [.drop(wasOpen: true, then: .wait)])
      #expect(machine.attempt == 1)
      machine.becomeReady(at: after(10_000))
      #expect(machine.state == .ready)
    }
  }

  /// A broker that takes each login and then falls over is given time.
  @Test func theWaitsBeginAnewOnlyAfterTheConnectionStood() {
    var (machine, now) = (machine(), start)
    machine.becomeReady()
    machine.run(eof)
    for expected in [100, 200, 400] as [UInt64] {
      #expect(machine.deadline.remaining(from: now) == expected)
      now = now.adding(nanoseconds: expected)
      machine.becomeReady(at: now)
      now = now.adding(nanoseconds: expected)
      machine.run(eof, at: now)
    }
    now = now.adding(nanoseconds: 800)
    machine.becomeReady(at: now)
    now = now.adding(nanoseconds: 801)
    machine.run(eof, at: now)
    #expect(machine.deadline.remaining(from: now) == 100)
  }

  @Test func refusedLoginsAreNotRetriedForEver() {
    var (machine, now) = (machine(refusalLimit: 3), start)
    machine.run(.open)
    for round in 1...3 {
      machine.run(.resolved, .connected, .secured, at: now)
      let action = machine.run(limited, at: now)
      #expect(action == [round < 3 ? wait : end])
      now = machine.deadline.instant ?? now
      machine.run(.time, at: now)
    }
    #expect(machine.state == .closed)
  }

  /// A revoked password must end it although the connection was good before.
  @Test func refusalsAfterALossCountAlike() {
    var machine = machine(refusalLimit: 1)
    machine.becomeReady()
    machine.run(eof, at: after(5_000))
    machine.run(.time, at: after(5_100))
    machine.run(.resolved, .connected, .secured, at: after(5_100))
    #expect(machine.run(limited, at: after(5_100)) == [end])
  }

  @Test func aPointlessRetryIsNotMadeElsewhereEither() {
    var machine = machine(hosts: 3)
    machine.run(.open, .resolved, .connected, .secured)
    #expect(machine.run(pointless) == [end])
  }

  /// Whatever comes, the end comes once and nothing comes after it.
  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func randomRuns(seed: UInt64) {
    var (random, now) = (RandomSource(seed: seed), start)
    var machine = machine(hosts: Int(seed % 4), isSecure: seed % 2 == 0, attemptLimit: UInt32(seed % 7))
    var (ends, isOpen) = (0, false)
    let all = events + [limited]
    for _ in 0..<3_000 {
      now = now.adding(nanoseconds: random.next() % 400)
      var event = all[Int(random.next() % UInt64(all.count))]
      if event == .close || event == pointless || event == limited, random.next() % 50 != 0 { event = .time }
      let before = machine.state
      let action = machine.receive(event, at: now, random: random.next())
      switch action {
      case .drop(let wasOpen, let next):
        #expect(wasOpen == isOpen, "\(before), \(event)")
        isOpen = false
        if next == .end { ends += 1 }
        if next == .wait { #expect(machine.state == .waiting && !machine.deadline.isNever) }
      case .recover, .ready:
        isOpen = true
      case .none, .refuse:
        #expect(machine.state == before)
      case .resolve, .connect, .secure, .logIn, .sendClose:
        break
      }
      #expect(machine.host >= 0 && machine.host < max(Int(seed % 4), 1))
      if before == .closed { #expect(machine.state == .closed) }
    }
    #expect(ends == (machine.state == .closed ? 1 : 0))
  }
}
