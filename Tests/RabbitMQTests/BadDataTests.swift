// A peer that sends garbage: AMQP_STATUS_BAD_AMQP_DATA from the call that meets it and from every later one.

import AMQPBase
import CRabbitMQ
import Testing

@testable import RabbitMQ

@Suite("Bad data")
struct BadDataTests {
  /// With channel_max 2047 and frame_max 4096.
  private static let garbage: [(String, [UInt8])] = [
    ("frame type", frame(4, 0, [])), ("frame type 0", frame(0, 0, [])),
    ("channel above channel_max", frame(3, 2048, [1])),
    ("frame above frame_max", frame(3, 1, [UInt8](repeating: 0, count: 4089))),
    ("size of 4 GB", [1, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]), ("end octet", Array(ack(1, 1).dropLast()) + [0xCD]),
    ("short method", frame(1, 1, [0, 60, 0])), ("short header", frame(2, 1, [UInt8](repeating: 0, count: 11))),
    ("heartbeat with a payload", frame(8, 0, [0])), ("heartbeat on a channel", frame(8, 1, [])),
    ("late protocol header", Array("AMQP".utf8) + [0, 0, 9, 1]),
    ("method cut short", method(1, AMQP_BASIC_ACK_METHOD, [0, 0])),
    ("string longer than its frame", method(1, AMQP_BASIC_CANCEL_METHOD, [200, 1, 2])),
    ("HTTP", Array("HTTP/1.1 400".utf8)),
  ]

  @Test("every kind of garbage, from every wait, sticky, and the descriptor gone", arguments: garbage)
  func everyWait(_ name: String, _ octets: [UInt8]) throws {
    for call in Call.waits {
      for limit in [1, Int.max] {
        try Pair.open(heartbeat: 2, frameMax: 4096) { pair in
          pair.wire.receiveLimit = limit
          pair.broker.answerNothing()
          pair.broker.beat(every: 1)
          pair.broker.say(octets, after: 2.5)
          #expect(call.make(pair) == .badAMQPData, "\(call)")
          #expect(pair.descriptor == -1)
          #expect(pair.wire.isClosed)
          for later in Call.allCases where !Call.polls.contains(later) {
            #expect(later.make(pair) == .badAMQPData, "\(call), then \(later)")
          }
          #expect(pair.login() == .library(.badAMQPData))
        }
      }
    }
  }

  @Test("frames that were queued before are not handed out any more", arguments: Call.waits)
  func queuedBefore(_ call: Call) throws {
    try Pair.open { pair in
      pair.broker.intercept = { _ in
        pair.broker.say(delivery(1, tag: 1, [1, 2, 3]) + ack(1, 2) + frame(99, 0, []))
        return true
      }
      #expect(pair.declare(7) == .library(.badAMQPData))
      #expect(call.make(pair) == .badAMQPData)
      #expect(call.make(pair) == .badAMQPData)
    }
  }

  @Test("a body longer than announced", arguments: [false, true])
  func bodyTooLong(_ queued: Bool) throws {
    for pieces in [[[1, 2, 3, 4]], [[1, 2], [3, 4]], [[1], [], [2, 3, 4, 5]]] as [[[UInt8]]] {
      try Pair.open { pair in
        pair.broker.say(deliver(1, tag: 1) + header(1, bodySize: 3) + pieces.flatMap { body(1, $0) })
        if queued { #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD)) }
        for _ in 0..<3 { #expect(pair.consume(0) == Consumed(failed: .library(.badAMQPData))) }
        #expect(pair.publish() == .badAMQPData)
        #expect(pair.descriptor == -1)
      }
    }
  }

  @Test("broken properties of a message that is consumed")
  func brokenProperties() throws {
    try Pair.open { pair in
      pair.broker.say(deliver(1, tag: 1) + header(1, bodySize: 0, flags: 0x8000, [200, 1]))
      for _ in 0..<2 { #expect(pair.consume(0) == Consumed(failed: .library(.badAMQPData))) }
      #expect(pair.descriptor == -1)
      #expect(pair.publish() == .badAMQPData)
    }
  }

  @Test("a basic.deliver that is cut short")
  func brokenDeliver() throws {
    let whole = Array(deliver(1, tag: 1).dropFirst(11).dropLast())
    for count in 0..<whole.count {
      try Pair.open { pair in
        pair.broker.say(method(1, AMQP_BASIC_DELIVER_METHOD, Array(whole[..<count])))
        for _ in 0..<2 { #expect(pair.consume(0) == Consumed(failed: .library(.badAMQPData))) }
        #expect(pair.descriptor == -1)
      }
    }
  }

  @Test("methods that nobody knows do not pass for others")
  func unknownMethods() throws {
    try Pair.open { pair in
      pair.broker.say(method(1, 0x003C_00FF))
      #expect([.unknownMethod, .badAMQPData].contains(pair.waitFrame(0).status))
      pair.broker.say(method(1, 0x00FF_0001))
      #expect([.unknownMethod, .unknownClass, .badAMQPData].contains(pair.waitFrame(0).status))
    }
  }

  @Test("random octets never do more than end the connection", arguments: 1...200 as ClosedRange<UInt64>)
  func noise(_ seed: UInt64) throws {
    var random = Random(state: seed)
    let noise = (0..<300).map { _ in UInt8.random(in: 0...255, using: &random) }
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.say(noise)
      pair.wire.finish()
      for call in Call.waits.shuffled(using: &random) { #expect(!call.make(pair).isOK) }
    }
  }

  @Test(
    "a good stream with one octet changed never does more than that either", arguments: 1...300 as ClosedRange<UInt64>)
  func oneOctet(_ seed: UInt64) throws {
    var random = Random(state: seed)
    var octets =
      delivery(1, tag: 1, pattern(40)) + ack(1, 1) + delivery(2, tag: 2, pattern(60), fragment: 20) + heartbeat
    octets[Int.random(in: octets.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
    try Pair.open { pair in
      pair.broker.say(octets)
      pair.wire.finish()
      for call in (Call.timed + [.simpleWaitMethod, .readMessage]).shuffled(using: &random) {
        _ = call.make(pair, timeout: 0)
        _ = pair.waitFrame(0)
      }
    }
  }
}
