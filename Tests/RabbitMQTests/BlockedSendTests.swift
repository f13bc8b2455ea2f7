// A broker in a memory or disk alarm stops reading and keeps sending heartbeats: it lives. So does its publisher.

import AMQPBase
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

@Suite("Blocked senders")
struct BlockedSendTests {
  private static let large = pattern(100_000)
  private static let blockable: [Call] = Call.sends + Call.requests

  @Test("a blocked publisher outlives an alarm of 10H and then sends its message whole")
  func alarm() throws {
    try Pair.open(heartbeat: 2) { pair in
      let start = pair.wire.time
      pair.broker.beat(every: 1)
      pair.wire.room = 5000
      pair.wire.after(20) { pair.wire.room = .max }
      #expect(pair.publish(Self.large) == .ok)
      #expect(pair.wire.seconds(since: start) == 20)
      #expect(pair.broker.frames.map(\.type) == [1, 2, 3])
      #expect(pair.broker.frames.last?.payload == Self.large)
      #expect(pair.wire.waits.count < 100)
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
    }
  }

  @Test("every call that sends is bounded by a silent peer, 2H after its last octet", arguments: blockable)
  func silent(_ call: Call) throws {
    for room in [0, 5, 7] {
      try Pair.open(heartbeat: 2) { pair in
        let start = pair.wire.time
        pair.broker.say(heartbeat, after: 2.5)
        pair.wire.room = room
        #expect(call.make(pair) == .heartbeatTimeout)
        #expect(pair.wire.seconds(since: start) == 6.5)
        #expect(pair.descriptor == -1)
        #expect(call.make(pair) == .heartbeatTimeout)
      }
    }
  }

  @Test("what came in while it was blocked is read later, in order")
  func readMeanwhile() throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.beat(every: 1)
      pair.wire.room = 100
      for tag in 1...20 as ClosedRange<UInt64> {
        pair.broker.say(delivery(2, tag: tag, pattern(500)), after: Double(tag))
      }
      pair.wire.after(21.5) { pair.wire.room = .max }
      #expect(pair.publish(Self.large) == .ok)
      #expect(amqp_data_in_buffer(pair.connection) != 0)
      for tag in 1...20 as ClosedRange<UInt64> { #expect(pair.consume(0) == Consumed(2, tag: tag, pattern(500))) }
      #expect(pair.consume(0).outcome == .library(.timeout))
      #expect(amqp_data_in_buffer(pair.connection) == 0)
    }
  }

  @Test("data_in_buffer is true of a frame whose second half came while a publisher was blocked")
  func halfFrameCompleted() throws {
    try Pair.open { pair in
      let frame = ack(1, 5)
      pair.broker.say(Array(frame.prefix(9)))
      #expect(pair.waitFrame(0).status == .timeout)
      #expect(amqp_data_in_buffer(pair.connection) == 0)
      pair.wire.room = 100
      pair.broker.say(Array(frame.dropFirst(9)), after: 1)
      pair.wire.after(2) { pair.wire.room = .max }
      #expect(pair.publish(Self.large) == .ok)
      // The socket is empty now: a program that polls the descriptor would wait for ever.
      #expect(pair.wire.unread == 0)
      #expect(amqp_data_in_buffer(pair.connection) != 0)
      #expect(pair.waitFrame(0).status == .ok)
    }
  }

  @Test("what it reads is bounded; then the kernel tells whether the peer lives")
  func boundedReading() throws {
    for lives in [true, false] {
      try Pair.open(heartbeat: 2) { pair in
        let start = pair.wire.time
        pair.wire.room = 100
        pair.broker.say(delivery(2, tag: 1, pattern(400_000)))
        if lives { pair.broker.beat(every: 1) }
        pair.wire.after(20) { pair.wire.room = .max }
        #expect(pair.publish(Self.large) == (lives ? .ok : .heartbeatTimeout))
        #expect(pair.wire.seconds(since: start) == (lives ? 20 : 4))
        #expect(pair.wire.unread > 100_000 || !lives)
        #expect(pair.wire.waits.count < 100)
        #expect(pair.consume(0) == Consumed(2, tag: 1, pattern(400_000)))
      }
    }
  }

  @Test("the end of the connection ends a blocked publish, with and without heartbeats", arguments: [0, 2] as [UInt16])
  func cut(_ interval: UInt16) throws {
    for isReset in [false, true] {
      try Pair.open(heartbeat: interval) { pair in
        let start = pair.wire.time
        pair.broker.beat(every: 1)
        pair.wire.room = 100
        pair.wire.after(8.5) { if isReset { pair.wire.reset() } else { pair.wire.finish() } }
        pair.wire.after(1000) { pair.wire.room = .max }
        #expect(pair.publish(Self.large) == (isReset ? .socketError : .connectionClosed))
        #expect(pair.wire.seconds(since: start) == 8.5)
        #expect(!pair.publish().isOK)
      }
    }
  }

  @Test("the RPC timeout covers the send half", arguments: Call.requests)
  func rpcTimeout(_ call: Call) throws {
    for room in [0, 5] {
      for interval in [0, 2] as [UInt16] {
        try Pair.open(heartbeat: interval) { pair in
          let start = pair.wire.time
          pair.broker.beat(every: 1)
          pair.wire.room = room
          pair.setRPCTimeout(7.25)
          #expect(call.make(pair) == .timeout)
          #expect(pair.wire.seconds(since: start) == 7.25)
          #expect(pair.descriptor == -1)
          #expect(!call.make(pair).isOK)
        }
      }
    }
  }

  @Test("both halves of an RPC share one timeout", arguments: Call.requests)
  func rpcTimeoutShared(_ call: Call) throws {
    try Pair.open { pair in
      let start = pair.wire.time
      pair.wire.room = 5
      pair.wire.after(4) { pair.wire.room = .max }
      pair.broker.answerNothing()
      pair.setRPCTimeout(7)
      #expect(call.make(pair) == .timeout)
      #expect(pair.wire.seconds(since: start) == 7)
      #expect(pair.broker.methods.count == 1)
      #expect(pair.descriptor == -1)
    }
  }

  @Test("a socket that takes a little at a time delays, and that is all", arguments: [1, 3, 7, 100])
  func trickle(_ portion: Int) throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.beat(every: 1)
      pair.wire.room = 0
      func refill() {
        pair.wire.room += portion
        pair.wire.after(0.01, refill)
      }
      pair.wire.after(0.01, refill)
      let content = pattern(3000)
      #expect(pair.publish(content) == .ok)
      #expect(pair.broker.frames.map(\.type) == [1, 2, 3])
      #expect(pair.broker.frames.last?.payload == content)
    }
  }

  @Test("a program that only publishes does not let unread heartbeats pile up, and reads nothing else")
  func onlyPublishing() throws {
    for other in [[], ack(1, 1)] {
      try Pair.open(heartbeat: 2) { pair in
        pair.broker.say(other)
        pair.broker.beat(every: 0.9)
        for _ in 0..<1000 {
          pair.wire.pass(0.5)
          #expect(pair.publish() == .ok)
        }
        if other.isEmpty { #expect(pair.wire.unread < 1000) } else { #expect(pair.wire.unread > 4000) }
        #expect(pair.waitFrame(0).status == (other.isEmpty ? .timeout : .ok))
        #expect(pair.wire.waits.isEmpty)
      }
    }
  }
}
