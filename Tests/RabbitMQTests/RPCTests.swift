// Requests, their replies, and what may come instead.

import AMQPBase
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

@Suite("Requests and replies")
struct RPCTests {
  @Test("a reply in pieces of any size, among frames for others", arguments: [1, 3, Int.max])
  func reply(_ limit: Int) throws {
    try Pair.open { pair in
      pair.wire.receiveLimit = limit
      pair.broker.say(
        ack(1, 1) + heartbeat + delivery(2, tag: 1, [1])
          + method(2, AMQP_QUEUE_DECLARE_OK_METHOD, shortstr("x") + big(UInt64(0))))
      let declareOk = try #require(
        amqp_queue_declare(pair.connection, 1, text("q"), 0, 1, 0, 1, amqp_table_t()))
      #expect(string(declareOk.pointee.queue) == "queue")
      #expect(declareOk.pointee.message_count == 7)
      #expect(declareOk.pointee.consumer_count == 1)
      #expect(pair.broker.frames.last?.arguments == [0, 0] + shortstr("q") + [0b01010] + big(UInt32(0)))
      #expect(pair.waitFrame(0).frame.payload.method.id == AMQP_BASIC_ACK_METHOD)
      #expect(pair.consume(0) == Consumed(2, tag: 1, [1]))
      #expect(pair.waitFrame(0).frame.payload.method.id == AMQP_QUEUE_DECLARE_OK_METHOD)
    }
  }

  @Test("every request of the API gets its reply")
  func everyRequest() throws {
    try Pair.open { pair in
      let (connection, none) = (pair.connection, amqp_table_t())
      let replies: [Bool] = [
        amqp_channel_open(connection, 1) != nil, amqp_channel_flow(connection, 1, 1) != nil,
        amqp_exchange_declare(connection, 1, text("x"), text("direct"), 0, 0, 0, 0, none) != nil,
        amqp_exchange_bind(connection, 1, text("x"), text("y"), text("k"), none) != nil,
        amqp_exchange_unbind(connection, 1, text("x"), text("y"), text("k"), none) != nil,
        amqp_exchange_delete(connection, 1, text("x"), 0) != nil,
        amqp_queue_declare(connection, 1, text("q"), 0, 0, 0, 0, none) != nil,
        amqp_queue_bind(connection, 1, text("q"), text("x"), text("k"), none) != nil,
        amqp_queue_unbind(connection, 1, text("q"), text("x"), text("k"), none) != nil,
        amqp_queue_purge(connection, 1, text("q")) != nil, amqp_queue_delete(connection, 1, text("q"), 0, 0) != nil,
        amqp_basic_qos(connection, 1, 0, 10, 0) != nil,
        amqp_basic_consume(connection, 1, text("q"), text(""), 0, 0, 0, none) != nil,
        amqp_basic_cancel(connection, 1, text("c")) != nil, amqp_basic_recover(connection, 1, 1) != nil,
        amqp_confirm_select(connection, 1) != nil, amqp_tx_select(connection, 1) != nil,
        amqp_tx_commit(connection, 1) != nil, amqp_tx_rollback(connection, 1) != nil,
      ]
      #expect(replies.allSatisfy { $0 })
      #expect(pair.broker.methods.count == replies.count)
      #expect(Outcome(amqp_channel_close(connection, 1, 200)) == .normal(AMQP_CHANNEL_CLOSE_OK_METHOD))
      #expect(pair.broker.frames.last?.arguments == big(UInt16(200)) + shortstr("200") + big(UInt32(0)))
      #expect(Outcome(amqp_connection_close(connection, 200)) == .normal(AMQP_CONNECTION_CLOSE_OK_METHOD))
      #expect(pair.wire.sendCalls == replies.count + 2)
    }
  }

  @Test("the broker closes instead", arguments: [false, true])
  func closedInstead(_ isQueued: Bool) throws {
    for (octets, id) in [
      (channelClose(1), AMQP_CHANNEL_CLOSE_METHOD), (connectionClose, AMQP_CONNECTION_CLOSE_METHOD),
    ] {
      for call in Call.requests {
        try Pair.open { pair in
          pair.broker.say(ack(3, 1) + octets + ack(3, 2))
          if isQueued {
            // Queued by a request on another channel, which a channel.close does not concern.
            guard id == AMQP_CHANNEL_CLOSE_METHOD else { return }
            #expect(pair.declare(2) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
          }
          pair.broker.answerNothing()
          pair.wire.after(50) { pair.wire.finish() }
          let start = pair.wire.time
          let status = call.make(pair)
          // A request on channel 0 is not answered by the end of channel 1.
          let isConcerned = call != .connectionClose || id == AMQP_CONNECTION_CLOSE_METHOD
          #expect(status == (isConcerned ? .ok : .connectionClosed), "\(call)")
          #expect(pair.wire.seconds(since: start) == (isConcerned ? 0 : 50), "\(call)")
          #expect(pair.descriptor == FakeWire.descriptor)
          #expect(pair.waitFrame(0).frame.payload.method.id == AMQP_BASIC_ACK_METHOD)
        }
      }
    }
  }

  @Test("a close tells its reason")
  func reason() throws {
    try Pair.open { pair in
      pair.broker.intercept = { _ in
        pair.broker.say(channelClose(1))
        return true
      }
      #expect(amqp_queue_declare(pair.connection, 1, text("q"), 1, 0, 0, 0, amqp_table_t()) == nil)
      let reply = amqp_get_rpc_reply(pair.connection)
      #expect(Outcome(reply) == .server(AMQP_CHANNEL_CLOSE_METHOD))
      let close = try #require(reply.reply.decoded).load(as: amqp_channel_close_t.self)
      #expect(close.reply_code == 404)
      #expect(string(close.reply_text) == "NOT_FOUND")
    }
  }

  @Test("get_rpc_reply speaks of the last call that keeps its reply, and of no other")
  func latestReply() throws {
    try Pair.open { pair in
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
      #expect(pair.publish() == .ok)
      _ = amqp_channel_close(pair.connection, 1, 200)
      #expect(pair.consume(0).outcome == .library(.timeout))
      #expect(Outcome(amqp_get_rpc_reply(pair.connection)) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
      _ = amqp_basic_get(pair.connection, 1, text("queue"), 1)
      #expect(Outcome(amqp_get_rpc_reply(pair.connection)) == .normal(AMQP_BASIC_GET_EMPTY_METHOD))
    }
  }

  @Test("the RPC timeout is exact, and closes", arguments: Call.requests)
  func timeout(_ call: Call) throws {
    for (interval, seconds) in [(0, 0), (0, 0.5), (2, 0.5), (2, 30)] as [(UInt16, Double)] {
      try Pair.open(heartbeat: interval) { pair in
        let start = pair.wire.time
        pair.setRPCTimeout(seconds)
        pair.broker.answerNothing()
        pair.broker.beat(every: 1)
        #expect(call.make(pair) == .timeout)
        #expect(pair.wire.seconds(since: start) == seconds)
        if interval > 0 { #expect(pair.wire.longestSilence(from: start) <= 1.001) }
        #expect(pair.descriptor == -1)
        #expect(pair.wire.isClosed)
        #expect(!call.make(pair).isOK)
        #expect(!pair.waitFrame().status.isOK)
      }
    }
  }

  @Test("a reply in time leaves everything as it was, and a timeout can be taken back")
  func inTime() throws {
    try Pair.open { pair in
      let reply = method(1, AMQP_QUEUE_DECLARE_OK_METHOD, shortstr("queue") + big(UInt64(0)))
      pair.broker.intercept = { _ in
        pair.broker.say(reply, after: 4.9)
        return true
      }
      pair.setRPCTimeout(5)
      #expect(amqp_get_rpc_timeout(pair.connection).pointee.tv_sec == 5)
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
      pair.setRPCTimeout(nil)
      #expect(amqp_get_rpc_timeout(pair.connection) == nil)
      pair.broker.intercept = { _ in
        pair.broker.say(reply, after: 1e6)
        return true
      }
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
      #expect(withTimeout(-1) { amqp_set_rpc_timeout(pair.connection, $0) } == Status.invalidParameter.code)
    }
  }

  @Test("wrong arguments are refused before anything is sent")
  func wrongArguments() throws {
    try Pair.open { pair in
      let invalid = Outcome.library(.invalidParameter)
      #expect(Outcome(amqp_channel_close(pair.connection, 1, -1)) == invalid)
      #expect(Outcome(amqp_channel_close(pair.connection, 1, 65536)) == invalid)
      #expect(Outcome(amqp_connection_close(pair.connection, 70000)) == invalid)
      #expect(Outcome(amqp_simple_rpc(pair.connection, 1, AMQP_QUEUE_PURGE_METHOD, nil, nil)) == invalid)
      #expect(pair.wire.sendCalls == 0)
    }
  }
}
