// Frames come out whole, once, and in the order of the wire.

import AMQPBase
import CRabbitMQ
import Testing

@testable import RabbitMQ

@Suite("Receiving frames")
struct ReceivingTests {
  /// What a frame says, as something to compare: type, channel, and the method or the size.
  struct Seen: Equatable {
    var type: Int32
    var channel: UInt16
    var value: UInt64

    init(_ type: Int32, _ channel: UInt16, _ value: UInt64) {
      (self.type, self.channel, self.value) = (type, channel, value)
    }

    init(_ frame: amqp_frame_t) {
      (type, channel) = (Int32(frame.frame_type), frame.channel)
      switch type {
      case AMQP_FRAME_METHOD: value = UInt64(frame.payload.method.id)
      case AMQP_FRAME_HEADER: value = frame.payload.properties.body_size
      case AMQP_FRAME_BODY: value = UInt64(frame.payload.body_fragment.len)
      default: value = 0
      }
    }
  }

  private static let stream =
    heartbeat + ack(1, 1) + delivery(2, tag: 7, pattern(5000)) + heartbeat + body(3, []) + ack(65535, 2) + heartbeat
  private static let frames = [
    Seen(AMQP_FRAME_METHOD, 1, UInt64(AMQP_BASIC_ACK_METHOD)),
    Seen(AMQP_FRAME_METHOD, 2, UInt64(AMQP_BASIC_DELIVER_METHOD)),
    Seen(AMQP_FRAME_HEADER, 2, 5000), Seen(AMQP_FRAME_BODY, 2, 4088), Seen(AMQP_FRAME_BODY, 2, 912),
    Seen(AMQP_FRAME_BODY, 3, 0), Seen(AMQP_FRAME_METHOD, 65535, UInt64(AMQP_BASIC_ACK_METHOD)),
  ]

  /// channel_max is no limit here.
  private func open<Result>(_ body: (Pair) throws -> Result) throws -> Result {
    try Pair.connected { pair in
      pair.broker.channelMax = 0
      #expect(pair.login() == .normal(0))
      pair.broker.forgetFrames()
      pair.wire.forgetRecords()
      return try body(pair)
    }
  }

  @Test("by a wait, in pieces of any size", arguments: [1, 2, 3, 5, 8, 13, 100, Int.max])
  func pieces(_ limit: Int) throws {
    try open { pair in
      pair.wire.receiveLimit = limit
      pair.broker.say(Self.stream)
      for expected in Self.frames {
        let (status, frame) = pair.waitFrame(0)
        #expect(status == .ok)
        #expect(Seen(frame) == expected)
      }
      #expect(pair.waitFrame(0).status == .timeout)
    }
  }

  @Test("with a timeout at every octet")
  func timeoutAtEveryOctet() throws {
    try open { pair in
      var seen: [Seen] = []
      for octet in Self.stream {
        pair.broker.say([octet])
        let (status, frame) = pair.waitFrame(0)
        if status == .ok { seen.append(Seen(frame)) } else { #expect(status == .timeout) }
      }
      #expect(seen == Self.frames)
    }
  }

  @Test("those that an RPC left in the queue first, and still in order")
  func queueOrder() throws {
    for limit in [1, 11, Int.max] {
      try open { pair in
        pair.wire.receiveLimit = limit
        pair.broker.intercept = { _ in
          pair.broker.say(Self.stream)
          pair.broker.say(method(9, AMQP_QUEUE_DECLARE_OK_METHOD, shortstr("queue") + [UInt8](repeating: 0, count: 8)))
          pair.broker.say(Self.stream)
          return true
        }
        for round in 0..<3 {
          #expect(pair.declare(9) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD), "round \(round)")
          #expect(amqp_frames_enqueued(pair.connection) != 0)
        }
        for _ in 0..<6 {
          for expected in Self.frames { #expect(Seen(pair.waitFrame(0).frame) == expected) }
        }
        #expect(amqp_frames_enqueued(pair.connection) == 0)
      }
    }
  }

  @Test("a method that was not expected stays: WRONG_METHOD, then the frame")
  func wrongMethod() throws {
    for queued in [false, true] {
      try open { pair in
        pair.broker.say(ack(1, 1) + ack(1, 2))
        if queued { #expect(pair.declare(9) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD)) }
        var method = amqp_method_t()
        for (channel, id) in [(1, AMQP_BASIC_NACK_METHOD), (2, AMQP_BASIC_ACK_METHOD)] as [(UInt16, UInt32)] {
          #expect(amqp_simple_wait_method(pair.connection, channel, id, &method) == Status.wrongMethod.code)
        }
        for tag in [1, 2] as [UInt64] {
          #expect(amqp_simple_wait_method(pair.connection, 1, AMQP_BASIC_ACK_METHOD, &method) == 0)
          #expect(method.decoded.load(as: amqp_basic_ack_t.self).delivery_tag == tag)
        }
        #expect(pair.waitFrame(0).status == .timeout)
      }
    }
  }

  @Test("confirms of every kind; anything else stays")
  func confirms() throws {
    try open { pair in
      pair.broker.say(ack(1, 5) + method(2, AMQP_BASIC_NACK_METHOD, big(UInt64(6)) + [3]) + body(3, [1]) + ack(1, 8))
      var confirm = amqp_publisher_confirm_t()
      func wait() -> Outcome {
        Outcome(withTimeout(0) { amqp_publisher_confirm_wait(pair.connection, $0, &confirm) })
      }
      #expect(wait() == .normal(0))
      #expect(confirm.method == AMQP_BASIC_ACK_METHOD)
      #expect(confirm.channel == 1)
      #expect(confirm.payload.ack.delivery_tag == 5)
      #expect(wait() == .normal(0))
      #expect(confirm.method == AMQP_BASIC_NACK_METHOD)
      #expect(confirm.channel == 2)
      #expect(confirm.payload.nack.delivery_tag == 6)
      #expect(confirm.payload.nack.multiple != 0)
      for _ in 0..<2 { #expect(wait() == .library(.unexpectedState)) }
      #expect(Seen(pair.waitFrame(0).frame) == Seen(AMQP_FRAME_BODY, 3, 1))
      #expect(wait() == .normal(0))
      #expect(wait() == .library(.timeout))
    }
  }

  @Test("a timeout lasts exactly as long as it says", arguments: Call.timed)
  func exactTimeout(_ call: Call) throws {
    for (interval, seconds) in [(0, 0.000_001), (0, 5), (2, 0.25), (2, 33.3), (3, 1000)] as [(UInt16, Double)] {
      try Pair.open(heartbeat: interval) { pair in
        let start = pair.wire.time
        pair.broker.beat(every: 0.7)
        #expect(call.make(pair, timeout: seconds) == .timeout)
        #expect(abs(pair.wire.seconds(since: start) - seconds) < 1e-6)
        #expect(pair.descriptor == FakeWire.descriptor)
      }
    }
  }

  @Test("frames_enqueued and data_in_buffer tell the truth")
  func truth() throws {
    try open { pair in
      func look() -> [Bool] {
        [amqp_frames_enqueued(pair.connection) != 0, amqp_data_in_buffer(pair.connection) != 0]
      }
      #expect(look() == [false, false])
      pair.broker.say(ack(1, 1))
      #expect(look() == [false, false])
      pair.broker.say(ack(1, 2) + ack(1, 3).prefix(9))
      #expect(pair.waitFrame(0).status == .ok)
      #expect(look() == [false, true])
      #expect(pair.waitFrame(0).status == .ok)
      #expect(pair.waitFrame(0).status == .timeout)
      #expect(look() == [false, false])
      pair.broker.say(Array(ack(1, 3).dropFirst(9)))
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
      #expect(look() == [true, false])
      #expect(pair.waitFrame(0).status == .ok)
      #expect(look() == [false, false])
    }
  }

  @Test("negative timeouts are refused, huge ones are not", arguments: Call.timed)
  func oddTimeouts(_ call: Call) throws {
    try Pair.open { pair in
      #expect(call.make(pair, timeout: -1) == .invalidParameter)
      pair.wire.after(1e8) { pair.wire.finish() }
      #expect(call.make(pair, timeout: 9e12) == .connectionClosed)
    }
  }

  @Test("EOF after the last octet: what came before is handed out first")
  func endOfStream() throws {
    for isCut in [false, true] {
      try open { pair in
        pair.broker.say(Self.stream + (isCut ? [1, 0, 0] : []))
        pair.wire.finish()
        for expected in Self.frames { #expect(Seen(pair.waitFrame().frame) == expected) }
        for _ in 0..<3 { #expect(pair.waitFrame().status == .connectionClosed) }
        #expect(pair.descriptor == FakeWire.descriptor)
        #expect(pair.publish() == .connectionClosed)
      }
    }
  }

  @Test("a new socket brings nothing over from the old connection")
  func newSocket() throws {
    try Pair.open(heartbeat: 5, frameMax: 4096) { pair in
      pair.broker.say(ack(1, 1) + connectionClose + deliver(1, tag: 3))
      #expect(pair.declare(9).status == .ok)
      pair.broker.say(Array(deliver(1, tag: 4).prefix(20)))
      while pair.waitFrame(0).status == .ok && amqp_frames_enqueued(pair.connection) != 0 {}
      pair.broker.say([1, 2, 3])
      pair.wire.room = 2
      pair.setRPCTimeout(0)
      #expect(pair.declare() == .library(.timeout))
      pair.setRPCTimeout(nil)

      _ = amqp_tcp_socket_new(pair.connection)
      pair.wire.reopen()
      pair.broker.restart()
      amqp_tcp_socket_set_sockfd(amqp_get_socket(pair.connection), FakeWire.descriptor)
      #expect(amqp_frames_enqueued(pair.connection) == 0)
      #expect(amqp_data_in_buffer(pair.connection) == 0)
      pair.broker.frameMax = 131_072
      #expect(pair.login() == .normal(0))
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
      #expect(pair.waitFrame(0).status == .timeout)
      pair.broker.say(delivery(1, tag: 5, pattern(100_000), fragment: 100_000))
      #expect(pair.consume(0) == Consumed(1, tag: 5, pattern(100_000)))
    }
  }

  @Test("frames that were queued on the old connection are gone with it")
  func newSocketWithQueue() throws {
    for octets in [ack(1, 1), channelClose(1), connectionClose, delivery(1, tag: 1, [1, 2])] {
      try Pair.open { pair in
        pair.broker.say(ack(7, 1) + octets)
        #expect(pair.declare(9).status == .ok)
        pair.broker.say(deliver(5, tag: 1) + header(5, bodySize: 9))
        #expect(!pair.consume(0).outcome.status.isOK)
        _ = amqp_tcp_socket_new(pair.connection)
        pair.wire.reopen()
        pair.broker.restart()
        amqp_tcp_socket_set_sockfd(amqp_get_socket(pair.connection), FakeWire.descriptor)
        #expect(pair.login() == .normal(0))
        #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
        #expect(pair.waitFrame(0).status == .timeout)
        #expect(pair.consume(0).outcome == .library(.timeout))
      }
    }
  }
}
