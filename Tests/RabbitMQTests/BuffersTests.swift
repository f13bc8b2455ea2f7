// The memory of decoded frames belongs to their channel until the program releases it.

import AMQPBase
import CRabbitMQ
import Testing

@testable import RabbitMQ

@Suite("Releasing buffers")
struct BuffersTests {
  private func deliverFrame(_ pair: Pair, _ channel: UInt16) throws -> amqp_basic_deliver_t {
    let frame = pair.waitFrame(0).frame
    #expect(frame.channel == channel)
    return try #require(frame.payload.method.decoded).load(as: amqp_basic_deliver_t.self)
  }

  @Test("later waits, requests and contents leave earlier frames alone")
  func outlives() throws {
    try Pair.open { pair in
      pair.broker.say(deliver(1, tag: 1, key: "first") + deliver(2, tag: 2, key: "second"))
      let first = try deliverFrame(pair, 1)
      let second = try deliverFrame(pair, 2)
      for tag in 3..<50 as Range<UInt64> {
        pair.broker.say(delivery(1, tag: tag, pattern(3000)) + ack(2, tag))
        #expect(pair.declare(1) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
        #expect(pair.consume(0) == Consumed(1, tag: tag, pattern(3000)))
        #expect(pair.waitFrame(0).status == .ok)
      }
      amqp_maybe_release_buffers_on_channel(pair.connection, 2)
      #expect(string(first.routing_key) == "first")
      _ = second
    }
  }

  @Test("queued frames survive every kind of release")
  func queuedSurvive() throws {
    try Pair.open { pair in
      pair.broker.say(
        deliver(1, tag: 1, key: "first") + deliver(2, tag: 2, key: "second") + deliver(1, tag: 3, key: "third"))
      #expect(pair.declare(9) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
      for step in 0..<3 {
        amqp_release_buffers(pair.connection)
        amqp_maybe_release_buffers(pair.connection)
        for channel in [0, 1, 2, 9, 77] as [UInt16] { amqp_maybe_release_buffers_on_channel(pair.connection, channel) }
        // What was released is used again.
        for channel in [1, 2, 9] as [UInt16] {
          for _ in 0..<20 { #expect(pair.declare(channel) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD)) }
        }
        let deliver = try deliverFrame(pair, [1, 2, 1][step])
        #expect(string(deliver.routing_key) == ["first", "second", "third"][step])
        #expect(deliver.delivery_tag == UInt64(step + 1))
      }
    }
  }

  @Test("maybe_release does nothing in the middle of a frame")
  func midFrame() throws {
    try Pair.open { pair in
      #expect(amqp_release_buffers_ok(pair.connection) != 0)
      pair.broker.say(deliver(1, tag: 1, key: "first") + [1, 0])
      let first = try deliverFrame(pair, 1)
      #expect(pair.waitFrame(0).status == .timeout)
      #expect(amqp_release_buffers_ok(pair.connection) == 0)
      amqp_maybe_release_buffers(pair.connection)
      amqp_maybe_release_buffers_on_channel(pair.connection, 1)
      pair.broker.say(Array(deliver(1, tag: 2, key: "other").dropFirst(2)))
      #expect(try string(deliverFrame(pair, 1).routing_key) == "other")
      #expect(string(first.routing_key) == "first")
      #expect(amqp_release_buffers_ok(pair.connection) != 0)
    }
  }

  @Test("a content in progress survives a release")
  func contentInProgress() throws {
    let octets = delivery(1, tag: 1, pattern(10_000))
    for split in stride(from: 1, to: octets.count, by: 211) {
      try Pair.open { pair in
        pair.broker.say(Array(octets[..<split]))
        #expect(pair.consume(0).outcome == .library(.timeout))
        amqp_release_buffers(pair.connection)
        amqp_maybe_release_buffers(pair.connection)
        amqp_maybe_release_buffers_on_channel(pair.connection, 1)
        pair.broker.say(Array(octets[split...]))
        #expect(pair.declare(9) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
        amqp_release_buffers(pair.connection)
        for _ in 0..<3 { #expect(pair.declare(9) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD)) }
        #expect(pair.consume(0) == Consumed(1, tag: 1, pattern(10_000)))
      }
    }
  }
}
