// The client's longest silence is H/2, whatever it is doing.

import AMQPBase
import CRabbitMQ
import Testing

@testable import RabbitMQ

@Suite("Heartbeats: what the client sends")
struct HeartbeatSendTests {
  /// Seconds of fake time that a wake-up may be late.
  private static let slack = 0.001

  @Test("every wait sends within H/2 and not more often", arguments: Call.waits, [1, 2, 3, 7, 60] as [UInt16])
  func waits(_ call: Call, _ interval: UInt16) throws {
    try Pair.open(heartbeat: interval) { pair in
      let half = Double(interval) / 2
      let start = pair.wire.time
      pair.broker.answerNothing()
      pair.broker.beat(every: half)
      pair.wire.after(half * 20.5) { pair.wire.finish() }
      #expect(call.make(pair) == .connectionClosed)
      #expect(pair.wire.seconds(since: start) == half * 20.5)
      #expect(pair.wire.longestSilence(from: start) <= half + Self.slack)
      #expect((20...21).contains(pair.broker.heartbeats.count))
    }
  }

  @Test("so it does while frames for somebody else keep coming", arguments: Call.requests)
  func busyWaits(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      let start = pair.wire.time
      pair.broker.answerNothing()
      for step in 1...200 { pair.broker.say(delivery(5, tag: UInt64(step), [1, 2]), after: Double(step) * 0.05) }
      pair.wire.after(10.02) { pair.wire.finish() }
      #expect(call.make(pair) == .connectionClosed)
      #expect(pair.wire.longestSilence(from: start) <= 1 + Self.slack)
      #expect(pair.broker.heartbeats.count <= 10)
    }
  }

  @Test(
    "and at its entry when there is enough to hand out without a wait",
    arguments: [
      Call.simpleWaitFrame, .simpleWaitFrameNoblock, .simpleWaitMethod, .consumeMessage, .consumeMessageTimeout,
      .publisherConfirmWait, .publisherConfirmWaitTimeout,
    ])
  func buffered(_ call: Call) throws {
    for queued in [false, true] {
      try Pair.open(heartbeat: 2) { pair in
        let isConsume = call == .consumeMessage || call == .consumeMessageTimeout
        let start = pair.wire.time
        for tag in 1...100 as ClosedRange<UInt64> {
          pair.broker.say(isConsume ? delivery(1, tag: tag, [1]) : ack(1, tag))
        }
        if queued { #expect(pair.declare(2) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD)) }
        for _ in 1...100 {
          pair.broker.say(heartbeat)
          pair.wire.pass(0.1)
          #expect(call.make(pair) == .ok)
        }
        #expect(pair.wire.longestSilence(from: start) <= 1.1 + Self.slack)
        #expect(pair.wire.waits.isEmpty)
      }
    }
  }

  @Test("every poll sends what is due and reads nothing", arguments: Call.polls)
  func polls(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      let start = pair.wire.time
      pair.broker.beat(every: 1)
      for _ in 0..<1000 {
        pair.wire.pass(0.01)
        _ = call.make(pair)
      }
      #expect(pair.wire.longestSilence(from: start) <= 1.01 + Self.slack)
      #expect((9...10).contains(pair.broker.heartbeats.count))
      #expect(pair.wire.receiveCalls == 0)
      #expect(pair.wire.waits.isEmpty)
      #expect(pair.wire.unread == 8 * pair.broker.beatsSent)
    }
  }

  @Test("a wait of {0,0} sends what is due and never waits", arguments: Call.timed)
  func zeroTimeout(_ call: Call) throws {
    for room in [Int.max, 0] {
      try Pair.open(heartbeat: 2) { pair in
        let start = pair.wire.time
        pair.broker.beat(every: 1)
        pair.wire.room = room
        for _ in 0..<1000 {
          pair.wire.pass(0.01)
          #expect(call.make(pair, timeout: 0) == .timeout)
        }
        #expect(pair.wire.waits.isEmpty)
        #expect(pair.wire.seconds(since: start) == 10)
        if room > 0 { #expect(pair.wire.longestSilence(from: start) <= 1.01 + Self.slack) }
      }
    }
  }

  @Test("what a program sends serves as well: no heartbeat in between", arguments: Call.sends)
  func sends(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.beat(every: 1)
      for _ in 0..<40 {
        #expect(pair.waitFrame(0.5).status == .timeout)
        #expect(call.make(pair) == .ok)
      }
      #expect(pair.broker.heartbeats.count == (call == .sendFrame ? 40 : 0))
    }
  }

  @Test("H = 0 sends nothing and waits for ever", arguments: Call.waits)
  func off(_ call: Call) throws {
    try Pair.open(heartbeat: 0) { pair in
      let start = pair.wire.time
      pair.broker.answerNothing()
      pair.wire.after(1e5) { pair.wire.finish() }
      #expect(call.make(pair) == .connectionClosed)
      #expect(pair.wire.seconds(since: start) == 1e5)
      #expect(pair.broker.heartbeats.isEmpty)
    }
  }

  @Test("heartbeats never reach the application", arguments: Call.waits)
  func neverSurface(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      for _ in 0..<5 { pair.broker.say(heartbeat) }
      pair.broker.answerNothing()
      pair.broker.beat(every: 0.1)
      pair.wire.after(5) { pair.wire.finish() }
      #expect(call.make(pair) == .connectionClosed)
      #expect(amqp_frames_enqueued(pair.connection) == 0)
    }
  }

  @Test("a heartbeat that a full socket cut is completed before anything else", arguments: 0...8)
  func cut(_ taken: Int) throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.beat(every: 1)
      pair.wire.room = taken
      #expect(pair.waitFrame(2.5).status == .timeout)
      #expect(pair.broker.heartbeats.count == (taken == 8 ? 1 : 0))
      #expect(pair.broker.pendingOctets == taken % 8)
      pair.wire.room = .max
      #expect(pair.publish() == .ok)
      let types = pair.broker.frames.map(\.type)
      #expect(types == (taken == 0 ? [1, 2, 3] : [8, 1, 2, 3]))
      #expect(pair.broker.pendingOctets == 0)
    }
  }

  @Test("and by the next heartbeat, when nothing else is sent", arguments: 1...7)
  func cutThenIdle(_ taken: Int) throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.beat(every: 1)
      pair.wire.room = taken
      pair.wire.after(1.5) { pair.wire.room = .max }
      #expect(pair.waitFrame(4.5).status == .timeout)
      #expect(pair.broker.heartbeats.count >= 3)
      #expect(pair.broker.pendingOctets == 0)
    }
  }

  @Test("a full socket does not end a connection whose peer lives, and no wait spins")
  func fullSocket() throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.beat(every: 1)
      pair.wire.room = 0
      #expect(pair.waitFrame(40).status == .timeout)
      #expect(pair.wire.waits.count < 200)
      pair.wire.room = .max
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
    }
  }
}
