import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

@Suite struct FrameTests {
  let pool = TestPool()

  private func encode(_ frame: amqp_frame_t, frameMax: UInt32 = 4096, room: Int = 1 << 16) -> (
    octets: [UInt8], status: Status
  ) {
    var (frame, status) = (frame, Status.ok)
    let result = encoded(room: room) { status = Frame.encode(&frame, frameMax: frameMax, into: &$0) }
    return (status.isOK ? result.octets : [], status)
  }

  private func decode(_ octets: [UInt8]) -> (status: Status, frame: amqp_frame_t) {
    var assembler = FrameAssembler()
    assembler.room()!.copyBytes(from: octets)
    assembler.filled(octets.count)
    var frame = amqp_frame_t()
    switch assembler.next(frameMax: 0, channelMax: 65535) {
    case .frame(let view), .protocolHeader(let view):
      return (Frame.decode(view, pool: pool.pointer, into: &frame), frame)
    case .incomplete, .malformed:
      Issue.record("not one frame")
      return (.badAMQPData, frame)
    }
  }

  private func methodFrame<M: WireMethod>(_ arguments: UnsafeMutablePointer<M>, channel: UInt16) -> amqp_frame_t {
    var frame = amqp_frame_t()
    frame.frame_type = Frame.method
    frame.channel = channel
    frame.payload.method = amqp_method_t(id: M.id, decoded: arguments)
    return frame
  }

  private func bodyFrame(_ fragment: amqp_bytes_t) -> amqp_frame_t {
    var frame = amqp_frame_t()
    frame.frame_type = Frame.body
    frame.channel = 1
    frame.payload.body_fragment = fragment
    return frame
  }

  @Test func methodFrames() {
    var ack = amqp_basic_ack_t(delivery_tag: 5, multiple: 1)
    let octets: [UInt8] = [1, 0x01, 0x02, 0, 0, 0, 13, 0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0xCE]
    #expect(encode(methodFrame(&ack, channel: 0x0102)).octets == octets)
    var typed: [UInt8] = []
    typed = encoded { #expect(Frame.encode(&ack, channel: 0x0102, frameMax: 4096, into: &$0).isOK) }.octets
    #expect(typed == octets)
    let decoded = decode(octets)
    #expect(decoded.status.isOK && decoded.frame.frame_type == 1 && decoded.frame.channel == 0x0102)
    #expect(decoded.frame.payload.method.id == AMQP_BASIC_ACK_METHOD)
    let copy = decoded.frame.payload.method.decoded?.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
    #expect(copy?.delivery_tag == 5 && copy?.multiple == 1)
  }

  @Test func methodFramesWithoutArguments() {
    var frame = amqp_frame_t()
    frame.frame_type = Frame.method
    frame.channel = 1
    frame.payload.method = amqp_method_t(id: AMQP_TX_SELECT_METHOD, decoded: nil)
    let octets: [UInt8] = [1, 0, 1, 0, 0, 0, 4, 0, 90, 0, 10, 0xCE]
    #expect(encode(frame).octets == octets)
    let decoded = decode(octets)
    #expect(decoded.status.isOK && decoded.frame.payload.method.decoded != nil)
  }

  @Test func contentHeaders() {
    var properties = amqp_basic_properties_t()
    properties._flags = 1 << 12
    properties.delivery_mode = 2
    let octets: [UInt8] = [2, 0, 1, 0, 0, 0, 15, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0x10, 0, 2, 0xCE]
    let direct = encoded {
      #expect(Frame.encodeHeader(&properties, bodySize: 0x0102, channel: 1, frameMax: 4096, into: &$0).isOK)
    }
    #expect(direct.octets == octets)
    let decoded = decode(octets)
    #expect(decoded.status.isOK)
    let content = decoded.frame.payload.properties
    #expect(content.class_id == 60 && content.body_size == 0x0102)
    #expect(array(content.raw) == [0x10, 0, 2], "from the flags to the end of the payload")
    #expect(content.decoded?.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee.delivery_mode == 2)
    #expect(encode(decoded.frame).octets == octets)
    var unknown = octets
    unknown[8] = 61
    #expect(decode(unknown).status == .unknownClass)
    #expect(decode([2, 0, 1, 0, 0, 0, 13] + octets[7..<20] + [0xCE]).status == .badAMQPData)
  }

  @Test func bodies() {
    for text in ["", "x", "hello"] {
      let octets = [3, 0, 1] + big(UInt32(text.utf8.count)) + Array(text.utf8) + [0xCE]
      #expect(encode(bodyFrame(pool.bytes(text))).octets == octets)
      let decoded = decode(octets)
      #expect(decoded.status.isOK && AMQPWireTests.text(decoded.frame.payload.body_fragment) == text)
    }
  }

  @Test func bodiesUpToFrameMax() {
    for (count, fits) in [(4087, true), (4088, true), (4089, false), (100_000, false)] {
      let result = encode(bodyFrame(pool.bytes([UInt8](repeating: 1, count: count))))
      #expect(result.status == (fits ? .ok : .invalidParameter))
      #expect(result.octets.count == (fits ? count + 8 : 0))
    }
    for fragment in [amqp_bytes_t(len: 5, bytes: nil), amqp_bytes_t(len: -5, bytes: pool.bytes("x").bytes)] {
      #expect(encode(bodyFrame(fragment)).status == .invalidParameter)
      #expect(encode(bodyFrame(fragment), frameMax: 0).status == .invalidParameter)
    }
    #expect(encode(bodyFrame(pool.bytes("hello")), room: 12).status == .badAMQPData)
    #expect(encode(bodyFrame(pool.bytes("hello")), room: 13).status == .ok)
  }

  @Test func methodsUpToFrameMax() {
    // 7 + 4 + (4 + n) + (1 + 0) + 1 octets.
    for (count, status) in [(4078, Status.ok), (4079, .ok), (4080, .badAMQPData)] {
      var update = amqp_connection_update_secret_t(
        new_secret: pool.bytes([UInt8](repeating: 1, count: count)), reason: .empty)
      let result = encode(methodFrame(&update, channel: 0))
      #expect(result.status == status && result.octets.count == (status.isOK ? count + 17 : 0))
      #expect(encode(methodFrame(&update, channel: 0), frameMax: 0).status == .ok)
    }
  }

  @Test func headersUpToFrameMax() {
    // 7 + 12 + 2 + (4 + 2 + 1 + 4 + n) + 1 octets.
    for (count, status) in [(4063, Status.ok), (4064, .tableTooBig)] {
      var properties = amqp_basic_properties_t()
      properties._flags = 1 << 13
      properties.headers = pool.table([
        ("k", .make("x") { $0.value.bytes = pool.bytes([UInt8](repeating: 1, count: count)) })
      ])
      _ = encoded {
        #expect(Frame.encodeHeader(&properties, bodySize: 0, channel: 1, frameMax: 4096, into: &$0) == status)
        #expect($0.written == (status.isOK ? 4096 : $0.written))
      }
    }
  }

  @Test func aRefusedFrameClosesTheEncoder() {
    var update = amqp_connection_update_secret_t(new_secret: amqp_bytes_t(len: 1, bytes: nil), reason: .empty)
    _ = encoded {
      #expect(Frame.encode(&update, channel: 0, frameMax: 0, into: &$0) == .badAMQPData)
      Frame.encodeHeartbeat(into: &$0)
      #expect($0.failure == .badAMQPData)
    }
    _ = encoded {
      #expect(Frame.encodeMethod(99, nil, channel: 0, frameMax: 0, into: &$0) == .unknownMethod)
      Frame.encodeHeartbeat(into: &$0)
      #expect($0.failure == .unknownMethod)
    }
  }

  @Test func framesOneAfterAnother() {
    var ack = amqp_basic_ack_t(delivery_tag: 1, multiple: 0)
    let result = encoded {
      #expect(Frame.encode(&ack, channel: 1, frameMax: 30, into: &$0).isOK)
      #expect(Frame.encode(&ack, channel: 1, frameMax: 30, into: &$0).isOK)
      Frame.bodyPrefix(channel: 1, count: 9, &$0)
    }
    #expect(result.failure.isOK)
    #expect(result.octets.count == 2 * 21 + 7)
    #expect(Array(result.octets[42...]) == [3, 0, 1, 0, 0, 0, 9])
  }

  @Test func heartbeatsAndProtocolHeaders() {
    #expect(encoded { Frame.encodeHeartbeat(into: &$0) }.octets == [8, 0, 0, 0, 0, 0, 0, 0xCE])
    #expect(encoded { Frame.encodeProtocolHeader(into: &$0) }.octets == Array("AMQP".utf8) + [0, 0, 9, 1])
    var frame = amqp_frame_t()
    frame.frame_type = Frame.heartbeat
    #expect(encode(frame).octets == [8, 0, 0, 0, 0, 0, 0, 0xCE])
    #expect(decode([8, 0, 0, 0, 0, 0, 0, 0xCE]).frame.frame_type == 8)
    let header = decode(Array("AMQP".utf8) + [1, 2, 3, 4])
    #expect(header.status.isOK && header.frame.frame_type == UInt8(ascii: "A") && header.frame.channel == 0)
    #expect(header.frame.payload.protocol_header.transport_high == 1)
    #expect(header.frame.payload.protocol_header.transport_low == 2)
    #expect(header.frame.payload.protocol_header.protocol_version_major == 3)
    #expect(header.frame.payload.protocol_header.protocol_version_minor == 4)
  }

  @Test func heartbeatsInFront() {
    let heartbeat: [UInt8] = [8, 0, 0, 0, 0, 0, 0, 0xCE]
    func count(_ octets: [UInt8]) -> Int {
      let memory = Octets(octets)
      return withExtendedLifetime(memory) { Frame.leadingHeartbeats(in: memory.raw) }
    }
    for number in 0...3 {
      let heartbeats = [[UInt8]](repeating: heartbeat, count: number).flatMap { $0 }
      #expect(count(heartbeats) == number)
      for length in 0..<8 { #expect(count(heartbeats + heartbeat.prefix(length)) == number) }
      #expect(count(heartbeats + [3, 0, 1, 0, 0, 0, 0, 0xCE] + heartbeat) == number)
    }
    for index in 0..<8 {
      var other = heartbeat
      other[index] ^= 1
      #expect(count(other) == 0)
    }
    #expect(Frame.leadingHeartbeats(in: UnsafeRawBufferPointer(start: nil, count: 0)) == 0)
  }

  @Test func unknownFrames() {
    for type in [0, 4, 7, 9, 65, 255] as [UInt8] {
      var frame = amqp_frame_t()
      frame.frame_type = type
      #expect(encode(frame).status == .invalidParameter)
    }
    #expect(decode([1, 0, 1, 0, 0, 0, 4, 0, 60, 0, 255, 0xCE]).status == .unknownMethod)
    #expect(decode([1, 0, 1, 0, 0, 0, 4, 0, 60, 0, 60, 0xCE]).status == .badAMQPData)
  }

  @Test func whatIsNotDecodedLeavesTheFrameAlone() {
    let octets = Octets([0, 60, 0, 60])
    let view = FrameView(type: Frame.method, channel: 3, payload: octets.raw)
    var frame = amqp_frame_t()
    frame.channel = 77
    #expect(Frame.decode(view, pool: pool.pointer, into: &frame) == .badAMQPData)
    #expect(frame.channel == 77 && frame.frame_type == 0)
  }

  @Test func theCopyOutlivesTheBuffer() {
    let octets: [UInt8] =
      [1, 0, 1] + big(UInt32(4 + 4)) + [0, 60, 0, 21] + shortstr("tag") + [0xCE]
    var assembler = FrameAssembler()
    let room = assembler.room()!
    room.copyBytes(from: octets)
    assembler.filled(octets.count)
    guard case .frame(let view) = assembler.next(frameMax: 0, channelMax: 1) else {
      Issue.record("no frame")
      return
    }
    var frame = amqp_frame_t()
    #expect(Frame.decode(view, pool: pool.pointer, into: &frame).isOK)
    room.initializeMemory(as: UInt8.self, repeating: 0xFF)
    let decoded = frame.payload.method.decoded?.assumingMemoryBound(to: amqp_basic_consume_ok_t.self).pointee
    #expect(decoded.map { text($0.consumer_tag) } == "tag")
  }
}
