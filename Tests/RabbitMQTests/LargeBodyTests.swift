// Bodies that are received into the memory of their message: whole, whatever comes in their way.

import AMQPBase
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

@Suite("Large bodies")
struct LargeBodyTests {
  private static let largestPayload = 131_064
  /// One body of two frames.
  private static let content = pattern(200_000)
  private static let octets = delivery(1, tag: 9, content, fragment: largestPayload)

  /// Where to cut it: around everything that has a border, and in between.
  private static var splits: [Int] {
    let first = deliver(1, tag: 9).count + header(1, bodySize: 0, flags: 0x8000, shortstr("text/plain")).count
    let second = first + 8 + largestPayload
    let borders = [first, second, octets.count].flatMap { border in (-9...9).map { border + $0 } }
    let others = [first + 16_384, first + 60_000, first + 98_000, first + 126_000, second + 16_384, second + 40_000]
    return (borders + others).filter { $0 > 0 && $0 < octets.count }
  }

  @Test("any size, in frames and pieces of any size", arguments: [4096, 65_536, Int.max])
  func sizes(_ limit: Int) throws {
    try Pair.open { pair in
      pair.wire.receiveLimit = limit
      for (index, size) in [40_000, 1, 131_064, 131_065, 32_768, 600, 1_048_577, 0, 2_200_000, 131_063].enumerated() {
        let content = pattern(size, seed: index)
        for fragment in [40_000, Self.largestPayload] {
          pair.broker.say(delivery(3, tag: UInt64(index), content, fragment: fragment))
          #expect(pair.consume(1) == Consumed(3, tag: UInt64(index), content))
        }
      }
      #expect(pair.wire.dividedReceives > 20)
    }
  }

  @Test("octet by octet")
  func octetByOctet() throws {
    try Pair.open { pair in
      pair.wire.receiveLimit = 1
      for tag in 1...2 as ClosedRange<UInt64> {
        pair.broker.say(delivery(1, tag: tag, pattern(40_000), fragment: 36_000))
        #expect(pair.consume(0) == Consumed(1, tag: tag, pattern(40_000)))
      }
    }
  }

  @Test("a stream costs a receive for each frame, and hardly one more")
  func stream() throws {
    try Pair.open { pair in
      for tag in 1...20 as ClosedRange<UInt64> {
        pair.broker.say(delivery(1, tag: tag, Self.content, fragment: Self.largestPayload))
      }
      pair.wire.forgetRecords()
      for tag in 1...20 as ClosedRange<UInt64> { #expect(pair.consume(0) == Consumed(1, tag: tag, Self.content)) }
      #expect(pair.wire.receiveCalls <= 45)
      #expect(pair.wire.dividedReceives >= 35)
    }
  }

  @Test("small messages behind a large one come many at a time again")
  func smallAgain() throws {
    try Pair.open { pair in
      pair.broker.say(delivery(1, tag: 1, Self.content, fragment: Self.largestPayload))
      for tag in 2...101 as ClosedRange<UInt64> { pair.broker.say(delivery(1, tag: tag, pattern(100))) }
      #expect(pair.consume(0) == Consumed(1, tag: 1, Self.content))
      pair.wire.forgetRecords()
      for tag in 2...101 as ClosedRange<UInt64> { #expect(pair.consume(0) == Consumed(1, tag: tag, pattern(100))) }
      #expect(pair.wire.receiveCalls <= 4)
    }
  }

  @Test("a timeout anywhere loses nothing: the next consume returns the message whole")
  func resumed() throws {
    for split in Self.splits {
      try Pair.open { pair in
        pair.broker.say(Array(Self.octets[..<split]))
        for _ in 0..<2 { #expect(pair.consume(0) == Consumed(failed: .library(.timeout))) }
        _ = amqp_data_in_buffer(pair.connection)
        amqp_maybe_release_buffers(pair.connection)
        pair.broker.say(Array(Self.octets[split...]) + delivery(1, tag: 10, [7]))
        #expect(pair.consume(0) == Consumed(1, tag: 9, Self.content))
        #expect(pair.consume(0) == Consumed(1, tag: 10, [7]))
      }
    }
  }

  @Test("a program that goes on by frames gets all of it, and no frame without octets")
  func resumedByFrames() throws {
    for split in Self.splits {
      try Pair.open { pair in
        pair.broker.say(Array(Self.octets[..<split]))
        #expect(pair.consume(0).outcome == .library(.timeout))
        pair.broker.say(Array(Self.octets[split...]) + ack(1, 1))
        #expect(pair.waitFrame(0).frame.payload.method.id == AMQP_BASIC_DELIVER_METHOD)
        #expect(pair.waitFrame(0).frame.payload.properties.body_size == 200_000)
        var received: [UInt8] = []
        while received.count < Self.content.count {
          let (status, frame) = pair.waitFrame(0)
          try #require(status == .ok && Int32(frame.frame_type) == AMQP_FRAME_BODY && frame.channel == 1)
          try #require(frame.payload.body_fragment.len > 0)
          received += RabbitMQTests.octets(frame.payload.body_fragment)
        }
        #expect(received == Self.content)
        #expect(pair.waitFrame(0).frame.payload.method.id == AMQP_BASIC_ACK_METHOD)
      }
    }
  }

  @Test("a request in the middle leaves it whole")
  func requestInTheMiddle() throws {
    for split in Self.splits where split > 100 {
      try Pair.open { pair in
        pair.broker.say(Array(Self.octets[..<split]))
        #expect(pair.consume(0).outcome == .library(.timeout))
        pair.broker.say(Array(Self.octets[split...]))
        #expect(pair.declare(1) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
        #expect(pair.consume(0) == Consumed(1, tag: 9, Self.content))
      }
    }
  }

  @Test("frames of other channels in between, and a body of another channel behind")
  func interleaved() throws {
    for limit in [30_000, Int.max] {
      try Pair.open { pair in
        pair.wire.receiveLimit = limit
        let other = pattern(150_000, seed: 5)
        var stream = deliver(1, tag: 1) + header(1, bodySize: 200_000, flags: 0x8000, shortstr("text/plain"))
        stream += deliver(2, tag: 2) + body(1, Array(Self.content[..<100_000]))
        stream += header(2, bodySize: 150_000, flags: 0x8000, shortstr("text/plain")) + heartbeat
        stream += body(2, Array(other[..<90_000])) + body(1, Array(Self.content[100_000...]))
        stream += body(2, Array(other[90_000...]))
        pair.broker.say(stream)
        #expect(pair.consume(0) == Consumed(1, tag: 1, Self.content))
        #expect(pair.consume(0) == Consumed(2, tag: 2, other))
      }
    }
  }

  @Test("the end of the stream anywhere: CONNECTION_CLOSED, and nothing is left dangling")
  func endInTheMiddle() throws {
    for split in Self.splits {
      for isReset in [false, true] where !isReset || split % 3 == 0 {
        try Pair.open { pair in
          pair.broker.say(Array(Self.octets[..<split]))
          #expect(pair.consume(0).outcome == .library(.timeout))
          if isReset { pair.wire.reset() } else { pair.wire.finish() }
          let consumed = pair.consume()
          #expect(consumed == Consumed(failed: consumed.outcome))
          #expect(isReset ? consumed.outcome != .normal(0) : consumed.outcome == .library(.connectionClosed))
        }
      }
    }
  }

  @Test("a frame without its end, and a body longer than announced")
  func malformed() throws {
    var noEnd = Self.octets
    noEnd[Self.octets.count - 1] = 0
    let start = deliver(1, tag: 9) + header(1, bodySize: 100_000)
    let tooLong = [start + body(1, pattern(100_001)), start + body(1, pattern(60_000)) + body(1, pattern(60_000))]
    for stream in [noEnd] + tooLong {
      for split in [stream.count, stream.count - 1, stream.count - 33_000] {
        try Pair.open { pair in
          pair.broker.say(Array(stream[..<split]))
          if split < stream.count { #expect(pair.consume(0).outcome == .library(.timeout)) }
          pair.broker.say(Array(stream[split...]))
          for _ in 0..<2 { #expect(pair.consume(0) == Consumed(failed: .library(.badAMQPData))) }
        }
      }
    }
  }

  @Test("a dead peer in the middle of a body is noticed in time")
  func death() throws {
    try Pair.open(heartbeat: 2) { pair in
      let start = pair.wire.time
      pair.broker.say(Array(Self.octets[..<100_000]))
      pair.broker.mute(withHost: true)
      #expect(pair.consume().outcome == .library(.heartbeatTimeout))
      #expect(pair.wire.seconds(since: start) <= 5)
    }
  }

  @Test("what announces more than comes costs only what comes")
  func announced() throws {
    try Pair.open { pair in
      pair.broker.say(deliver(1, tag: 1) + header(1, bodySize: 1 << 40) + body(1, pattern(100_000)).dropLast(50_000))
      #expect(pair.consume(0).outcome == .library(.timeout))
      pair.broker.say(Array(body(1, pattern(100_000)).suffix(50_000)))
      for _ in 0..<20 {
        #expect(pair.consume(0).outcome == .library(.timeout))
        pair.broker.say(body(1, pattern(100_000)))
      }
      #expect(pair.waitFrame(0).status == .ok)
      #expect(pair.waitFrame(0).frame.payload.properties.body_size == 1 << 40)
      #expect(pair.waitFrame(0).frame.payload.body_fragment.len == 2_000_000)
    }
  }
}
