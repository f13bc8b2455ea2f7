// A peer is dead 2H after its last octet: not before, not later, for every call, and for good.

import AMQPBase
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

@Suite("Heartbeats: a peer that falls silent")
struct HeartbeatDeathTests {
  /// Seconds of fake time.
  private static let slack = 0.003

  @Test("every wait says so 2H after the last octet", arguments: Call.waits, [1, 2, 3, 60] as [UInt16])
  func waits(_ call: Call, _ interval: UInt16) throws {
    for lastBeat in [0, 0.3, 0.9] as [Double] {
      try Pair.open(heartbeat: interval) { pair in
        let start = pair.wire.time
        pair.broker.answerNothing()
        if lastBeat > 0 { pair.broker.say(heartbeat, after: lastBeat) }
        #expect(call.make(pair) == .heartbeatTimeout)
        expectDeath(pair, after: Double(interval) * 2 + lastBeat, since: start)
        #expect(pair.wire.longestSilence(from: start) <= Double(interval) / 2 + Self.slack)
      }
    }
  }

  @Test("octets of a frame in progress count as life", arguments: Call.waits)
  func octetsCount(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      let start = pair.wire.time
      pair.broker.answerNothing()
      for (index, octet) in deliver(5, tag: 1).dropLast().enumerated() {
        pair.broker.say([octet], after: Double(index + 1) * 3.9)
      }
      let last = Double(deliver(5, tag: 1).count - 1) * 3.9
      #expect(call.make(pair) == .heartbeatTimeout)
      expectDeath(pair, after: last + 4, since: start)
    }
  }

  @Test("sends and polls say so when they are made", arguments: Call.sends + Call.polls)
  func sendsAndPolls(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      let start = pair.wire.time
      while pair.wire.seconds(since: start) < 3.985 {
        pair.wire.pass(0.01)
        #expect(call.make(pair) == .ok)
        #expect(pair.descriptor == FakeWire.descriptor)
      }
      pair.wire.pass(0.02)
      #expect(call.make(pair) == (Call.polls.contains(call) ? .ok : .heartbeatTimeout))
      expectDeath(pair, after: pair.wire.seconds(since: start), since: start)
      #expect(pair.wire.waits.isEmpty)
    }
  }

  @Test("a {0,0} wait too, without waiting", arguments: Call.timed)
  func zeroTimeout(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.wire.pass(3.999)
      #expect(call.make(pair, timeout: 0) == .timeout)
      pair.wire.pass(0.001)
      #expect(call.make(pair, timeout: 0) == .heartbeatTimeout)
      #expect(pair.wire.waits.isEmpty)
      #expect(pair.descriptor == -1)
    }
  }

  @Test("it is sticky: from every later call, at once, and nothing is sent", arguments: Call.allCases)
  func sticky(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      #expect(pair.waitFrame().status == .heartbeatTimeout)
      pair.wire.forgetRecords()
      for _ in 0..<3 {
        #expect(call.make(pair) == (Call.polls.contains(call) ? .ok : .heartbeatTimeout))
        pair.wire.pass(1)
      }
      #expect(pair.wire.waits.isEmpty)
      #expect(pair.wire.sendCalls == 0)
      #expect(pair.login() == .library(.heartbeatTimeout))
    }
  }

  @Test("a new socket makes a new start")
  func newSocket() throws {
    try Pair.open(heartbeat: 2) { pair in
      #expect(pair.waitFrame().status == .heartbeatTimeout)
      _ = amqp_tcp_socket_new(pair.connection)
      #expect(pair.descriptor == -1)
      pair.wire.reopen()
      pair.broker.restart()
      amqp_tcp_socket_set_sockfd(amqp_get_socket(pair.connection), FakeWire.descriptor)
      #expect(pair.login(heartbeat: 2) == .normal(0))
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
    }
  }

  @Test("before the first octet after tune the peer has H/2 more")
  func firstOctet() throws {
    try Pair.connected { pair in
      // As a program does that logs in by itself.
      pair.broker.say(method(0, AMQP_CONNECTION_TUNE_METHOD, big(UInt64(0))))
      #expect(pair.waitFrame().status == .ok)
      #expect(amqp_tune_connection(pair.connection, 0, 131_072, 2) == 0)
      let start = pair.wire.time
      #expect(pair.waitFrame(4.9).status == .timeout)
      #expect(pair.waitFrame().status == .heartbeatTimeout)
      expectDeath(pair, after: 5, since: start)
    }
  }

  @Test("H = 0: silence proves nothing", arguments: Call.timed)
  func off(_ call: Call) throws {
    try Pair.open(heartbeat: 0) { pair in
      #expect(call.make(pair, timeout: 1e5) == .timeout)
      #expect(pair.publish() == .ok)
    }
  }

  // MARK: What was received before

  @Test("queued frames and octets come out first, whichever call finds the peer dead", arguments: Call.allCases)
  func receivedFirst(_ call: Call) throws {
    // Calls that would read the frames themselves find nothing dead before they have.
    guard Call.sends.contains(call) || Call.polls.contains(call) || Call.requests.contains(call) else { return }
    for queued in [false, true] {
      try Pair.open(heartbeat: 2) { pair in
        pair.broker.say(delivery(5, tag: 1, [1, 2, 3]) + delivery(6, tag: 2, [4]) + ack(7, 9))
        if queued { #expect(pair.declare(2) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD)) }
        pair.broker.say([1, 0])
        pair.broker.answerNothing()
        pair.wire.pass(4.5)
        let status = call.make(pair)
        #expect(status == (Call.polls.contains(call) ? .ok : .heartbeatTimeout))
        #expect(pair.descriptor == -1)
        #expect(pair.consume() == Consumed(5, tag: 1, [1, 2, 3]))
        #expect(pair.consume() == Consumed(6, tag: 2, [4]))
        #expect(pair.waitFrame().frame.payload.method.id == AMQP_BASIC_ACK_METHOD)
        for _ in 0..<3 { #expect(pair.waitFrame().status == .heartbeatTimeout) }
        #expect(pair.consume().outcome == .library(.heartbeatTimeout))
      }
    }
  }

  @Test("a program that slept 10H reads what came, then hears of the death")
  func sleptWhilePeerDied() throws {
    for keepsAccount in [true, false] {
      try Pair.open(heartbeat: 2) { pair in
        pair.wire.keepsAccount = keepsAccount
        pair.broker.say(delivery(1, tag: 1, [1]) + delivery(1, tag: 2, [2]))
        pair.wire.pass(20)
        #expect(pair.consume(0) == Consumed(1, tag: 1, [1]))
        #expect(pair.consume(0) == Consumed(1, tag: 2, [2]))
        if keepsAccount {
          #expect(pair.consume(0).outcome == .library(.heartbeatTimeout))
        } else {
          let start = pair.wire.time
          #expect(pair.consume().outcome == .library(.heartbeatTimeout))
          #expect(pair.wire.seconds(since: start) == 4)
        }
      }
    }
  }

  @Test("where the kernel keeps no account, what lies unread is life", arguments: Call.sends + Call.polls)
  func unreadWithoutAccount(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.wire.keepsAccount = false
      pair.broker.beat(every: 1)
      for _ in 0..<40 {
        pair.wire.pass(0.5)
        #expect(call.make(pair) == .ok)
        #expect(pair.descriptor == FakeWire.descriptor)
      }
      // A program that only sends has taken them; one that polls may not.
      guard Call.sends.contains(call) else { return }
      pair.broker.mute(withHost: true)
      pair.wire.pass(4.1)
      _ = call.make(pair)
      pair.wire.pass(4.1)
      #expect(call.make(pair) == .heartbeatTimeout)
    }
  }

  // MARK: The kernel knows better

  @Test("a program that slept 10H finds its peer alive when data came lately", arguments: Call.allCases)
  func sleptWhilePeerLived(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.beat(every: 1)
      pair.wire.pass(20.5)
      pair.wire.after(1.1) {
        pair.broker.intercept = { _ in true }
        pair.wire.finish()
      }
      pair.broker.answerNothing()
      let status = call.make(pair)
      #expect(status == (Call.sends.contains(call) || Call.polls.contains(call) ? .ok : .connectionClosed))
    }
  }

  @Test("death counts from the kernel's last data, not from when it was read")
  func lateReading() throws {
    try Pair.open(heartbeat: 2) { pair in
      let start = pair.wire.time
      pair.broker.beat(every: 1)
      pair.wire.after(9.5) { pair.broker.mute() }
      pair.wire.pass(12)
      #expect(pair.waitFrame().status == .heartbeatTimeout)
      expectDeath(pair, after: 13, since: start)
    }
  }

  @Test("unread data alone is no life, a full receive buffer with acknowledgements is")
  func fullReceiveBuffer() throws {
    for acknowledged in [false, true] {
      try Pair.open(heartbeat: 2) { pair in
        pair.broker.say(delivery(1, tag: 1, [1]))
        pair.wire.receiveBuffer = pair.wire.unread
        pair.broker.mute(withHost: !acknowledged)
        for _ in 0..<40 {
          pair.wire.pass(0.25)
          _ = amqp_frames_enqueued(pair.connection)
        }
        #expect(pair.descriptor == (acknowledged ? FakeWire.descriptor : -1))
        #expect(pair.publish() == (acknowledged ? .ok : .heartbeatTimeout))
        #expect(pair.consume(0) == Consumed(1, tag: 1, [1]))
      }
    }
  }

  @Test("a broker that said goodbye before it fell silent has closed, not died", arguments: Call.waits + Call.sends)
  func goodbye(_ call: Call) throws {
    for isReset in [false, true] {
      try Pair.open(heartbeat: 2) { pair in
        pair.wire.pass(1)
        if isReset { pair.wire.reset() } else { pair.wire.finish() }
        pair.wire.pass(30)
        // A send does not look for the peer's end, which TCP lets pass; a publish does, and whatever waits for an answer.
        let isBlind = Call.sends.contains(call) && call != .basicPublish && !isReset
        #expect((isBlind ? [.ok] : [.connectionClosed, .socketError]).contains(call.make(pair)))
      }
    }
  }

  private func expectDeath(
    _ pair: Pair, after seconds: Double, since start: UInt64, _ location: SourceLocation = #_sourceLocation
  ) {
    #expect(abs(pair.wire.seconds(since: start) - seconds) <= Self.slack, sourceLocation: location)
    #expect(pair.descriptor == -1, sourceLocation: location)
    #expect(pair.wire.isClosed, sourceLocation: location)
  }
}
