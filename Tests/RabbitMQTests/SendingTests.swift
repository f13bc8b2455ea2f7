// What leaves is exactly the frames that were asked for, however the socket takes them; or nothing at all.

import AMQPBase
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

@Suite("Sending")
struct SendingTests {
  @Test(
    "bodies around every limit arrive whole, in the frames of the specification",
    arguments: [4096, 8192, 131_072] as [UInt32]
  )
  func bodySizes(_ frameMax: UInt32) throws {
    let limit = Int(frameMax) - 8
    let sizes = [0, 1, 2047, 2048, 2049] + (1...3).flatMap { [limit * $0 - 1, limit * $0, limit * $0 + 1] }
    try Pair.open(frameMax: frameMax) { pair in
      for size in sizes {
        pair.wire.forgetRecords()
        expectMessage(pair, size, limit)
        #expect(pair.wire.sendCalls == 1)
      }
    }
  }

  @Test("so they do when the socket takes one octet at a time")
  func octetByOctet() throws {
    try Pair.open(frameMax: 4096) { pair in
      pair.wire.sendLimit = { 1 }
      for size in [0, 1, 2048, 2049, 4087, 4088, 4089, 8176, 8177, 12_264] { expectMessage(pair, size, 4088) }
    }
  }

  @Test("and when it takes any number", arguments: 1...20 as ClosedRange<UInt64>)
  func anyPortions(_ seed: UInt64) throws {
    try Pair.open(frameMax: 4096) { pair in
      var random = Random(state: seed)
      pair.wire.sendLimit = {
        Int.random(in: 1...[3, 20, 5000, 100_000].randomElement(using: &random)!, using: &random)
      }
      for _ in 0..<20 { expectMessage(pair, Int.random(in: 0...40_000, using: &random), 4088) }
    }
  }

  @Test("a body of more fragments than one system call gathers")
  func manyFragments() throws {
    try Pair.open(frameMax: 4096) { pair in
      for fragments in [30, 31, 32, 62, 63, 64, 200] {
        for difference in [-1, 0, 1] { expectMessage(pair, fragments * 4088 + difference, 4088) }
      }
    }
  }

  @Test("messages, methods and heartbeats follow one another whole")
  func mixture() throws {
    try Pair.open(heartbeat: 2, frameMax: 4096) { pair in
      pair.broker.beat(every: 1)
      for step in 0..<30 {
        for call in Call.sends { #expect(call.make(pair) == .ok) }
        expectMessage(pair, step * 1000, 4088)
        if step % 3 == 0 { #expect(pair.waitFrame(1.2).status == .timeout) }
      }
      #expect(pair.broker.pendingOctets == 0)
    }
  }

  // MARK: Refusals

  @Test("what cannot be encoded is refused before the first octet leaves, and does no harm")
  func refusals() throws {
    try Pair.open(frameMax: 4096) { pair in
      let long = Long(256)
      let refusals: [Status] = [
        Status(amqp_basic_publish(pair.connection, 1, long.bytes, text("key"), 0, 0, nil, text("body"))),
        Status(amqp_basic_publish(pair.connection, 1, text("x"), long.bytes, 0, 0, nil, text("body"))),
        publish(pair) {
          $0._flags = UInt32(AMQP_BASIC_CONTENT_TYPE_FLAG)
          $0.content_type = long.bytes
        },
        publish(pair) {
          $0._flags = UInt32(AMQP_BASIC_HEADERS_FLAG)
          $0.headers = Long(5000).table
        },
        publish(pair) {
          $0._flags = UInt32(AMQP_BASIC_HEADERS_FLAG)
          $0.headers = Long(4064).table
        },
        Outcome(callDeclare(pair, text("queue"), Long(5000).table)).status,
        Outcome(callDeclare(pair, long.bytes, amqp_table_t())).status,
        Status(amqp_send_method(pair.connection, 1, 0xDEAD_BEEF, nil)),
        sendFrame(pair) { $0.frame_type = 99 },
        sendFrame(pair) {
          $0.frame_type = UInt8(AMQP_FRAME_BODY)
          $0.payload.body_fragment = Long(4089).bytes
        },
        sendFrame(pair) {
          $0.frame_type = UInt8(AMQP_FRAME_BODY)
          $0.payload.body_fragment = amqp_bytes_t(len: 10, bytes: nil)
        },
        Status(
          amqp_basic_publish(pair.connection, 1, text("x"), text("k"), 0, 0, nil, amqp_bytes_t(len: 10, bytes: nil))),
      ]
      for (index, status) in refusals.enumerated() { #expect(status.code < 0, "refusal \(index)") }
      #expect(pair.wire.sendCalls == 0)
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
      expectMessage(pair, 10_000, 4088)
    }
  }

  @Test("what just fits is sent")
  func justFits() throws {
    try Pair.open(frameMax: 4096) { pair in
      let longest = Long(255)
      #expect(amqp_basic_publish(pair.connection, 1, longest.bytes, longest.bytes, 0, 0, nil, text("b")) == 0)
      let isFull = publish(pair) {
        $0._flags = UInt32(AMQP_BASIC_HEADERS_FLAG)
        $0.headers = Long(4063).table
      }
      #expect(isFull == .ok)
      #expect(pair.broker.frames.map(\.payload.count).max() == 4088)
      let fragment = Long(4088)
      #expect(
        sendFrame(pair) {
          $0.frame_type = UInt8(AMQP_FRAME_BODY)
          $0.channel = 9
          $0.payload.body_fragment = fragment.bytes
        } == .ok)
      #expect(pair.broker.frames.last?.payload.count == 4088)
      #expect(pair.broker.frames.last?.channel == 9)
    }
  }

  @Test("only flagged properties are read")
  func uninitialisedProperties() throws {
    try Pair.open { pair in
      var properties = amqp_basic_properties_t()
      _ = withUnsafeMutableBytes(of: &properties) { $0.initializeMemory(as: UInt8.self, repeating: 0xFF) }
      properties._flags = UInt32(AMQP_BASIC_DELIVERY_MODE_FLAG)
      properties.delivery_mode = 2
      #expect(amqp_basic_publish(pair.connection, 1, text("x"), text("k"), 0, 0, &properties, text("b")) == 0)
      #expect(pair.broker.frames[1].payload == big(UInt16(60)) + [0, 0] + big(UInt64(1)) + [0x10, 0, 2])
      #expect(amqp_send_method(pair.connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, .init(bitPattern: 16)) == 0)
    }
  }

  // MARK: A broken connection

  @Test("a reset at any octet of a message", arguments: [ECONNRESET, EPIPE, ETIMEDOUT])
  func resetUnderWay(_ fault: Int32) throws {
    for octets in [0, 1, 7, 30, 60, 2500, 5000] {
      try Pair.open(frameMax: 4096) { pair in
        var left = octets
        pair.wire.sendLimit = {
          defer { left = 0 }
          if left == 0 { pair.wire.sendFault = fault }
          return left
        }
        if octets == 0 { pair.wire.sendFault = fault }
        #expect(pair.publish(pattern(6000)) == .socketError)
        // Nothing can follow a message of which the peer has a part.
        #expect(pair.descriptor == (octets == 0 ? FakeWire.descriptor : -1))
        let next = pair.publish()
        #expect([.socketError, .socketClosed, .connectionClosed].contains(next))
        #expect(pair.broker.pendingOctets <= octets)
      }
    }
  }

  @Test("no call sends without a socket", arguments: Call.allCases)
  func withoutSocket(_ call: Call) throws {
    try Pair.connected { pair in
      _ = amqp_tcp_socket_new(pair.connection)
      #expect(pair.descriptor == -1)
      let status = call.make(pair)
      #expect(Call.polls.contains(call) || !status.isOK)
      #expect(pair.wire.waits.isEmpty)
      #expect(pair.wire.sendCalls + pair.wire.receiveCalls == 0)
    }
  }

  // MARK: -

  private func expectMessage(
    _ pair: Pair, _ size: Int, _ limit: Int, _ location: SourceLocation = #_sourceLocation
  ) {
    pair.broker.forgetFrames()
    let content = pattern(size, seed: size)
    #expect(pair.publish(content, channel: 3) == .ok, sourceLocation: location)
    let pieces = stride(from: 0, to: size, by: limit).map { Array(content[$0..<min($0 + limit, size)]) }
    let publish = big(AMQP_BASIC_PUBLISH_METHOD) + [0, 0] + shortstr("exchange") + shortstr("key") + [0]
    let header = big(UInt16(60)) + [0, 0] + big(UInt64(size)) + [0x10, 0, 2]
    let isRight =
      pair.broker.frames.map(\.type) == [1, 2] + pieces.map { _ in 3 }
      && pair.broker.frames.map(\.payload) == [publish, header] + pieces
      && pair.broker.frames.allSatisfy { $0.channel == 3 }
    #expect(isRight, "a body of \(size)", sourceLocation: location)
    #expect(pair.broker.pendingOctets == 0, sourceLocation: location)
  }

  private func publish(_ pair: Pair, _ set: (inout amqp_basic_properties_t) -> Void) -> Status {
    var properties = amqp_basic_properties_t()
    set(&properties)
    return Status(amqp_basic_publish(pair.connection, 1, text("x"), text("k"), 0, 0, &properties, text("body")))
  }

  private func sendFrame(_ pair: Pair, _ set: (inout amqp_frame_t) -> Void) -> Status {
    var frame = amqp_frame_t()
    set(&frame)
    return Status(amqp_send_frame(pair.connection, &frame))
  }

  private func callDeclare(_ pair: Pair, _ name: amqp_bytes_t, _ arguments: amqp_table_t) -> amqp_rpc_reply_t {
    _ = amqp_queue_declare(pair.connection, 1, name, 0, 0, 0, 0, arguments)
    return amqp_get_rpc_reply(pair.connection)
  }
}

/// A long text, and a table with it for its only value; kept for the rest of the run.
private struct Long {
  let bytes: amqp_bytes_t
  let table: amqp_table_t

  init(_ count: Int) {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 1)
    memory.initializeMemory(as: UInt8.self, repeating: 0x61, count: count)
    bytes = amqp_bytes_t(len: count, bytes: memory)
    let entry = UnsafeMutablePointer<amqp_table_entry_t>.allocate(capacity: 1)
    var value = amqp_field_value_t()
    value.kind = UInt8(ascii: "S")
    value.value.bytes = bytes
    entry.initialize(to: amqp_table_entry_t(key: text("k"), value: value))
    table = amqp_table_t(num_entries: 1, entries: entry)
  }
}
