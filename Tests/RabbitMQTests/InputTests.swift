// amqp_handle_input: the program receives, the library decodes.

import AMQPBase
import CRabbitMQ
import Testing

@testable import RabbitMQ

@Suite("Octets that the program has received itself")
struct InputTests {
  /// Hands over as much as `limit` allows at a time; the frames that came of it, and the first error.
  private func feed(_ connection: amqp_connection_state_t, _ octets: [UInt8], limit: Int) -> (
    frames: [[UInt64]], error: Status
  ) {
    var (frames, start) = ([[UInt64]](), 0)
    while start < octets.count {
      let end = min(octets.count, start + limit)
      var frame = amqp_frame_t()
      let taken = octets[start..<end].withUnsafeBytes { piece in
        amqp_handle_input(
          connection, amqp_bytes_t(len: piece.count, bytes: UnsafeMutableRawPointer(mutating: piece.baseAddress)),
          &frame)
      }
      guard taken > 0 else { return (frames, Status(taken)) }
      #expect(Int(taken) <= end - start)
      start += Int(taken)
      switch Int32(frame.frame_type) {
      case 0: break
      case AMQP_FRAME_METHOD: frames.append([1, UInt64(frame.channel), UInt64(frame.payload.method.id)])
      case AMQP_FRAME_HEADER: frames.append([2, UInt64(frame.channel), frame.payload.properties.body_size])
      case AMQP_FRAME_BODY: frames.append([3, UInt64(frame.channel), UInt64(frame.payload.body_fragment.len)])
      default: frames.append([UInt64(frame.frame_type), UInt64(frame.channel)])
      }
    }
    return (frames, .ok)
  }

  private func withConnection<Result>(_ body: (amqp_connection_state_t) throws -> Result) throws -> Result {
    let connection = try #require(amqp_new_connection())
    defer { _ = amqp_destroy_connection(connection) }
    return try body(connection)
  }

  private static let stream = ack(1, 1) + heartbeat + delivery(2, tag: 1, pattern(9000)) + heartbeat + ack(3, 2)
  private static let frames: [[UInt64]] = [
    [1, 1, UInt64(AMQP_BASIC_ACK_METHOD)], [1, 2, UInt64(AMQP_BASIC_DELIVER_METHOD)], [2, 2, 9000], [3, 2, 4088],
    [3, 2, 4088], [3, 2, 824], [1, 3, UInt64(AMQP_BASIC_ACK_METHOD)],
  ]

  @Test("whole, octet by octet, and in pieces of any size", arguments: [1, 2, 3, 7, 8, 9, 100, 4096, Int.max / 2])
  func pieces(_ limit: Int) throws {
    try withConnection { connection in
      let (frames, error) = feed(connection, Self.stream, limit: limit)
      #expect(error == .ok)
      #expect(frames == Self.frames)
    }
  }

  @Test("one frame at a time: what follows it is left")
  func oneAtATime() throws {
    try withConnection { connection in
      var frame = amqp_frame_t()
      let octets = ack(1, 1) + ack(2, 2)
      let taken = octets.withUnsafeBytes {
        amqp_handle_input(connection, amqp_bytes_t(len: $0.count, bytes: .init(mutating: $0.baseAddress)), &frame)
      }
      #expect(Int(taken) == ack(1, 1).count)
      #expect(frame.channel == 1)
      #expect(amqp_handle_input(connection, amqp_bytes_t(), &frame) == 0)
      #expect(frame.frame_type == 0)
    }
  }

  @Test("garbage is BAD_AMQP_DATA, also from the next call", arguments: [1, 1000])
  func garbage(_ limit: Int) throws {
    for octets in [
      frame(4, 0, []), frame(8, 1, []), Array(ack(1, 1).dropLast()) + [0], frame(1, 1, [1]),
      method(1, AMQP_BASIC_ACK_METHOD),
    ] {
      try withConnection { connection in
        #expect(feed(connection, octets, limit: limit).error == .badAMQPData)
        #expect(feed(connection, ack(1, 1), limit: limit).error == .badAMQPData)
      }
    }
  }

  @Test("a protocol header comes first or not at all")
  func protocolHeader() throws {
    let header = Array("AMQP".utf8) + [0, 0, 9, 1] as [UInt8]
    for limit in [1, 8, 100] {
      try withConnection { connection in
        let (frames, error) = feed(connection, header + ack(1, 1), limit: limit)
        #expect(error == .ok)
        #expect(frames == [[65, 0], [1, 1, UInt64(AMQP_BASIC_ACK_METHOD)]])
        #expect(feed(connection, header, limit: limit).error == .badAMQPData)
      }
    }
  }

  @Test("wrong arguments")
  func wrongArguments() throws {
    try withConnection { connection in
      var frame = amqp_frame_t()
      #expect(amqp_handle_input(nil, amqp_bytes_t(), &frame) == Status.invalidParameter.code)
      #expect(amqp_handle_input(connection, amqp_bytes_t(), nil) == Status.invalidParameter.code)
      #expect(amqp_handle_input(connection, amqp_bytes_t(len: 5, bytes: nil), &frame) == Status.invalidParameter.code)
    }
  }

  @Test("it feeds the same frames that a wait would read on from")
  func mixed() throws {
    try Pair.open { pair in
      let octets = delivery(1, tag: 1, pattern(300))
      for split in 1..<octets.count {
        let (frames, error) = feed(pair.connection, Array(octets[..<split]), limit: .max / 2)
        #expect(error == .ok)
        pair.broker.say(Array(octets[split...]))
        for _ in frames.count..<3 { #expect(pair.waitFrame(0).status == .ok) }
      }
      #expect(pair.waitFrame(0).status == .timeout)
    }
  }
}
