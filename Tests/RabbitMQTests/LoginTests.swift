import AMQPBase
import CRabbitMQ
import Testing

@testable import RabbitMQ

@Suite("Login")
struct LoginTests {
  @Test("the whole conversation, in pieces of any size, in the order of the specification")
  func conversation() throws {
    for piece in [1, 2, 3, 7, 8, 64, Int.max] {
      try Pair.connected { pair in
        pair.wire.receiveLimit = piece
        pair.wire.sendLimit = { piece }
        #expect(pair.login(vhost: "/here", heartbeat: 30) == .normal(0))
        #expect(pair.broker.protocolHeader == Array("AMQP".utf8) + [0, 0, 9, 1])
        #expect(
          pair.broker.methods == [
            AMQP_CONNECTION_START_OK_METHOD, AMQP_CONNECTION_TUNE_OK_METHOD, AMQP_CONNECTION_OPEN_METHOD,
          ])
        try #require(pair.broker.frames.count == 3)
        let response = longstr("\0guest\0secret")
        let startOk = pair.broker.frames[0].arguments
        #expect(Array(startOk.suffix(response.count + 6)) == response + shortstr("en_US"))
        #expect(pair.broker.frames[1].arguments == big(UInt16(2047)) + big(UInt32(131_072)) + big(UInt16(30)))
        #expect(Array(pair.broker.frames[2].arguments.prefix(6)) == shortstr("/here"))
        #expect(pair.broker.frames.allSatisfy { $0.channel == 0 })
        #expect(pair.descriptor == FakeWire.descriptor)
        #expect(amqp_get_server_properties(pair.connection).pointee.num_entries == 1)
        #expect(string(amqp_get_server_properties(pair.connection).pointee.entries[0].key) == "p")
        #expect(amqp_get_client_properties(pair.connection).pointee.num_entries > 0)
      }
    }
  }

  @Test(
    "both ends' limits meet",
    arguments: [
      // client: channel_max, frame_max, heartbeat; server; agreed
      (0, 131_072, 60, 0, 0, 0, 65535, 131_072, 60), (100, 8192, 0, 2047, 131_072, 60, 100, 8192, 0),
      (3000, 131_072, 60, 2047, 65536, 10, 2047, 65536, 10), (0, 4096, 5, 2047, 131_072, 10, 2047, 4096, 5),
      (5, 100, 5, 0, 131_072, 0, 5, 4096, 5),
      (65535, 2_147_483_647, 65535, 65535, 0, 65535, 65535, 2_147_483_647, 65535),
    ])
  func negotiation(_ row: (Int, Int, Int, Int, Int, Int, Int, Int, Int)) throws {
    try Pair.connected { pair in
      pair.broker.channelMax = UInt16(row.3)
      pair.broker.frameMax = UInt32(row.4)
      pair.broker.heartbeatSeconds = UInt16(row.5)
      #expect(
        pair.login(channelMax: Int32(row.0), frameMax: Int32(row.1), heartbeat: Int32(row.2)) == .normal(0))
      #expect(pair.broker.frames[1].arguments == big(UInt16(row.6)) + big(UInt32(row.7)) + big(UInt16(row.8)))
      #expect(amqp_get_channel_max(pair.connection) == row.6)
      #expect(amqp_get_frame_max(pair.connection) == row.7)
      #expect(amqp_get_heartbeat(pair.connection) == row.8)
    }
  }

  @Test("a wrong argument is refused before anything is sent")
  func wrongArguments() throws {
    try Pair.connected { pair in
      let invalid = Outcome.library(.invalidParameter)
      #expect(pair.login(vhost: nil) == invalid)
      #expect(pair.login(user: nil) == invalid)
      #expect(pair.login(password: nil) == invalid)
      #expect(pair.login(channelMax: -1) == invalid)
      #expect(pair.login(channelMax: 65536) == invalid)
      #expect(pair.login(frameMax: -1) == invalid)
      #expect(pair.login(heartbeat: -1) == invalid)
      #expect(pair.login(heartbeat: 65536) == invalid)
      #expect(pair.login(method: AMQP_SASL_METHOD_UNDEFINED) == invalid)
      #expect(pair.login(method: amqp_sasl_method_enum(rawValue: 99)) == invalid)
      #expect(pair.wire.sends.isEmpty)
      #expect(pair.login() == .normal(0))
    }
  }

  @Test("EXTERNAL without an identity logs in with an empty response")
  func external() throws {
    for identity in [nil, ""] {
      try Pair.connected { pair in
        let outcome = pair.login(method: AMQP_SASL_METHOD_EXTERNAL, user: identity, password: nil)
        #expect(outcome == .normal(0))
        let tail = shortstr("EXTERNAL") + longstr("") + shortstr("en_US")
        #expect(Array(pair.broker.frames[0].arguments.suffix(tail.count)) == tail)
      }
    }
  }

  @Test("a second login is refused and does no harm")
  func second() throws {
    try Pair.open { pair in
      #expect(pair.login() == .library(.unexpectedState))
      #expect(pair.wire.sends.isEmpty)
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
    }
  }

  // MARK: Servers that do not oblige

  @Test("another version is refused", arguments: [[0, 8], [1, 0], [9, 9]] as [[UInt8]])
  func version(_ numbers: [UInt8]) throws {
    try Pair.connected { pair in
      pair.broker.start.replaceSubrange(0..<2, with: numbers)
      #expect(pair.login() == .library(.incompatibleAMQPVersion))
      expectEnd(of: pair)
    }
  }

  @Test("a protocol header for an answer is another version")
  func protocolHeader() throws {
    for piece in [1, 3, 8, 100] {
      try Pair.connected { pair in
        pair.wire.receiveLimit = piece
        pair.wire.deliver = { _ in pair.wire.arrive(Array("AMQP".utf8) + [1, 1, 0, 10]) }
        #expect(pair.login() == .library(.incompatibleAMQPVersion))
        expectEnd(of: pair)
      }
    }
  }

  @Test("a mechanism that is not offered", arguments: ["AMQPLAIN", "", "PLAINTEXT XPLAIN", "plain"])
  func mechanism(_ offer: String) throws {
    try Pair.connected { pair in
      pair.broker.start = [0, 9] + longstr("") + longstr(offer) + longstr("en_US")
      #expect(pair.login() == .library(.brokerUnsupportedSASLMethod))
      #expect(pair.broker.frames.isEmpty)
      expectEnd(of: pair)
    }
  }

  @Test("a refusal comes with its reason, and leaves the descriptor", arguments: [1, 2])
  func refused(at step: Int) throws {
    try Pair.connected { pair in
      pair.broker.intercept = { _ in
        guard pair.broker.frames.count == (step == 1 ? 1 : 3) else { return false }
        pair.broker.say(connectionClose)
        return true
      }
      #expect(pair.login() == .server(AMQP_CONNECTION_CLOSE_METHOD))
      #expect(pair.descriptor == FakeWire.descriptor)
      var closeOk = amqp_connection_close_ok_t()
      #expect(amqp_send_method(pair.connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &closeOk) == 0)
    }
  }

  @Test(
    "another method than the one that is due",
    arguments: [
      AMQP_CONNECTION_START_METHOD, AMQP_CONNECTION_SECURE_METHOD, AMQP_CONNECTION_OPEN_OK_METHOD,
      AMQP_CHANNEL_OPEN_OK_METHOD,
    ])
  func wrongMethod(_ id: UInt32) throws {
    try Pair.connected { pair in
      let arguments = id == AMQP_CONNECTION_START_METHOD ? pair.broker.start : [UInt8](repeating: 0, count: 4)
      pair.broker.intercept = { _ in
        pair.broker.say(method(0, id, arguments))
        return true
      }
      #expect(pair.login() == .library(.wrongMethod))
      expectEnd(of: pair)
    }
  }

  @Test("heartbeats before tune and frames before open-ok do not disturb")
  func asides() throws {
    try Pair.connected { pair in
      pair.broker.intercept = { frame in
        pair.broker.say(heartbeat)
        if frame.method == AMQP_CONNECTION_OPEN_METHOD {
          pair.broker.say(method(0, AMQP_CONNECTION_BLOCKED_METHOD, [0]))
        }
        return false
      }
      #expect(pair.login() == .normal(0))
      #expect(amqp_frames_enqueued(pair.connection) != 0)
      #expect(pair.waitFrame(0).frame.payload.method.id == AMQP_CONNECTION_BLOCKED_METHOD)
      #expect(pair.waitFrame(0).status == .timeout)
    }
  }

  @Test("EOF or a reset at every octet of what the server says")
  func endAtEveryOctet() throws {
    let whole = try Pair.connected { pair in
      pair.wire.cut = (1_000_000, .finished)
      #expect(pair.login() == .normal(0))
      return 1_000_000 - (pair.wire.cut?.left ?? 0)
    }
    #expect(whole > 80)
    for end in [FakeWire.End.finished, .reset] {
      for limit in 0..<whole {
        try Pair.connected { pair in
          pair.wire.cut = (limit, end)
          #expect(pair.login() == .library(end == .finished ? .connectionClosed : .socketError))
          expectEnd(of: pair)
        }
      }
    }
  }

  @Test("the handshake timeout covers every step, to the nanosecond", arguments: [0, 1, 2, 3])
  func timeout(step: Int) throws {
    for seconds in [nil, 0.25, 3] as [Double?] {
      try Pair.connected { pair in
        if let seconds {
          #expect(withTimeout(seconds) { amqp_set_handshake_timeout(pair.connection, $0) } == 0)
        }
        let start = pair.wire.time
        switch step {
        case 0: pair.wire.room = 3
        case 1: pair.broker.mute()
        case 2: pair.broker.answerNothing()
        default: pair.broker.intercept = { $0.method == AMQP_CONNECTION_OPEN_METHOD }
        }
        #expect(pair.login() == .library(.timeout))
        #expect(pair.wire.seconds(since: start) == seconds ?? 12)
        expectEnd(of: pair)
      }
    }
  }

  @Test("without a handshake timeout the login waits as long as it takes")
  func noTimeout() throws {
    try Pair.connected { pair in
      #expect(amqp_set_handshake_timeout(pair.connection, nil) == 0)
      #expect(amqp_get_handshake_timeout(pair.connection) == nil)
      pair.broker.intercept = { frame in
        pair.broker.say(
          method(0, AMQP_CONNECTION_TUNE_METHOD, big(UInt16(0)) + big(UInt32(0)) + big(UInt16(0))), after: 1e6)
        return frame.method == AMQP_CONNECTION_START_OK_METHOD
      }
      #expect(pair.login() == .normal(0))
    }
  }

  @Test("a dead server is found by its heartbeat before open-ok, 2.5 H after tune")
  func deadBeforeOpenOk() throws {
    try Pair.connected { pair in
      #expect(amqp_set_handshake_timeout(pair.connection, nil) == 0)
      pair.broker.heartbeatSeconds = 4
      pair.broker.intercept = { $0.method == AMQP_CONNECTION_OPEN_METHOD }
      let start = pair.wire.time
      #expect(pair.login(heartbeat: 4) == .library(.heartbeatTimeout))
      #expect(pair.wire.seconds(since: start) == 10)
      #expect(pair.wire.longestSilence(from: start) <= 2)
      expectEnd(of: pair)
    }
  }

  private func expectEnd(of pair: Pair, _ location: SourceLocation = #_sourceLocation) {
    #expect(pair.descriptor == -1, sourceLocation: location)
    #expect(pair.wire.isClosed, sourceLocation: location)
    #expect(!pair.publish().isOK, sourceLocation: location)
    #expect(!pair.waitFrame(0).status.isOK, sourceLocation: location)
  }
}
