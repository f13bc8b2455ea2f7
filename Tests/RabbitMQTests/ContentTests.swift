// Messages come out whole, however they arrive and whoever reads them.

import AMQPBase
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

@Suite("Messages")
struct ContentTests {
  @Test("bodies of any size, in frames and pieces of any size", arguments: [1, 7, 4096, Int.max])
  func sizes(_ limit: Int) throws {
    try Pair.open { pair in
      pair.wire.receiveLimit = limit
      for (index, size) in [0, 1, 4087, 4088, 4089, 20_000].enumerated() {
        let content = pattern(size)
        for fragment in [1000, 4088, 131_064] {
          pair.broker.say(delivery(3, tag: UInt64(index), content, fragment: fragment))
          #expect(pair.consume(0) == Consumed(3, tag: UInt64(index), content))
        }
      }
    }
  }

  @Test("empty body frames are no end and no harm")
  func emptyFragments() throws {
    try Pair.open { pair in
      let octets =
        deliver(1, tag: 1) + header(1, bodySize: 4, flags: 0x8000, shortstr("text/plain")) + body(1, [])
        + body(1, [1, 2])
        + body(1, []) + body(1, [3, 4])
      pair.broker.say(octets)
      #expect(pair.consume(0) == Consumed(1, tag: 1, [1, 2, 3, 4]))
    }
  }

  @Test("a timeout at every octet loses nothing: the next consume returns the message whole")
  func resumed() throws {
    let content = pattern(6000)
    let octets = delivery(1, tag: 9, content)
    for split in 1..<octets.count where split < 150 || split % 61 == 0 || split > octets.count - 30 {
      try Pair.open { pair in
        pair.broker.say(Array(octets[..<split]))
        for _ in 0..<2 { #expect(pair.consume(0) == Consumed(failed: .library(.timeout))) }
        pair.broker.say(Array(octets[split...]) + delivery(1, tag: 10, [7]))
        #expect(pair.consume(0) == Consumed(1, tag: 9, content))
        #expect(pair.consume(0) == Consumed(1, tag: 10, [7]))
      }
    }
    try Pair.open { pair in
      for octet in octets.dropLast() {
        pair.broker.say([octet])
        #expect(pair.consume(0).outcome == .library(.timeout))
      }
      pair.broker.say(Array(octets.suffix(1)))
      #expect(pair.consume(0) == Consumed(1, tag: 9, content))
    }
  }

  @Test("a program that goes on by frames gets every frame of it")
  func resumedByFrames() throws {
    let content = pattern(6000)
    let octets = delivery(1, tag: 9, content)
    for split in 1..<octets.count where split < 150 || split % 61 == 0 || split > octets.count - 30 {
      try Pair.open { pair in
        pair.broker.say(Array(octets[..<split]))
        #expect(pair.consume(0).outcome == .library(.timeout))
        pair.broker.say(Array(octets[split...]) + ack(1, 1))
        var frame = pair.waitFrame(0).frame
        #expect(frame.payload.method.id == AMQP_BASIC_DELIVER_METHOD)
        let deliver = frame.payload.method.decoded.load(as: amqp_basic_deliver_t.self)
        #expect(deliver.delivery_tag == 9)
        #expect(string(deliver.consumer_tag) == "consumer")
        #expect(string(deliver.exchange) == "exchange")
        #expect(string(deliver.routing_key) == "key")
        frame = pair.waitFrame(0).frame
        #expect(Int32(frame.frame_type) == AMQP_FRAME_HEADER)
        #expect(frame.payload.properties.body_size == 6000)
        let properties = frame.payload.properties.decoded.load(as: amqp_basic_properties_t.self)
        #expect(string(properties.content_type) == "text/plain")
        var received: [UInt8] = []
        while received.count < 6000 {
          let (status, frame) = pair.waitFrame(0)
          try #require(status == .ok && Int32(frame.frame_type) == AMQP_FRAME_BODY && frame.channel == 1)
          received += RabbitMQTests.octets(frame.payload.body_fragment)
        }
        #expect(received == content)
        #expect(pair.waitFrame(0).frame.payload.method.id == AMQP_BASIC_ACK_METHOD)
        #expect(pair.waitFrame(0).status == .timeout)
      }
    }
  }

  @Test("an RPC in the middle of a message leaves it whole, wherever the reply comes")
  func rpcInTheMiddle() throws {
    let content = pattern(6000)
    let frames = [deliver(1, tag: 9), header(1, bodySize: 6000, flags: 0x8000, shortstr("text/plain"))]
    for count in 1...2 {
      try Pair.open { pair in
        let begun = Array(frames[..<count].joined())
        pair.broker.say(begun)
        #expect(pair.consume(0).outcome == .library(.timeout))
        #expect(pair.declare(1) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
        pair.broker.say(Array(delivery(1, tag: 9, content).dropFirst(begun.count)))
        #expect(pair.declare(1) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
        #expect(pair.consume(0) == Consumed(1, tag: 9, content))
      }
    }
  }

  @Test("messages of several channels, frame by frame in between")
  func interleaved() throws {
    for limit in [3, Int.max] {
      for seed in 1...20 as ClosedRange<UInt64> {
        try Pair.open { pair in
          pair.wire.receiveLimit = limit
          var random = Random(state: seed)
          var streams = (1...4).map { channel in
            let channel = UInt16(channel)
            let content = pattern(3000, seed: Int(channel))
            return [deliver(channel, tag: UInt64(channel))] + [
              header(channel, bodySize: 3000, flags: 0x8000, shortstr("text/plain"))
            ]
              + stride(from: 0, to: 3000, by: 500).map { body(channel, Array(content[$0..<$0 + 500])) }
          }
          var order: [UInt16] = []
          while let index = streams.indices.filter({ !streams[$0].isEmpty }).randomElement(using: &random) {
            let frame = streams[index].removeFirst()
            if frame[0] == 1 { order.append(UInt16(index + 1)) }
            pair.broker.say(frame)
          }
          for channel in order {
            #expect(pair.consume(0) == Consumed(channel, tag: UInt64(channel), pattern(3000, seed: Int(channel))))
          }
          #expect(pair.consume(0).outcome == .library(.timeout))
        }
      }
    }
  }

  // MARK: amqp_read_message

  @Test("read_message is bounded by the RPC timeout and taken up again")
  func readMessage() throws {
    let content = pattern(6000)
    let octets = message(1, content)
    for split in stride(from: 0, to: octets.count, by: 97) {
      try Pair.open { pair in
        pair.setRPCTimeout(2.5)
        let start = pair.wire.time
        pair.broker.say(Array(octets[..<split]) + [])
        #expect(pair.read() == Consumed(failed: .library(.timeout)))
        #expect(pair.wire.seconds(since: start) == 2.5)
        #expect(pair.descriptor == FakeWire.descriptor)
        pair.broker.say(Array(octets[split...]))
        let read = pair.read()
        #expect(read.outcome == .normal(0))
        #expect(read.body == content)
        #expect(read.contentType == "text/plain")
      }
    }
  }

  @Test("read_message takes its own channel's frames, out of the queue too")
  func readAmongOthers() throws {
    for queued in [false, true] {
      try Pair.open { pair in
        pair.broker.say(delivery(2, tag: 5, [9]) + message(1, pattern(5000)) + ack(3, 1))
        if queued { #expect(pair.declare(4) == .normal(AMQP_QUEUE_DECLARE_OK_METHOD)) }
        #expect(pair.read(1).body == pattern(5000))
        #expect(pair.consume(0) == Consumed(2, tag: 5, [9]))
        #expect(pair.waitFrame(0).frame.payload.method.id == AMQP_BASIC_ACK_METHOD)
      }
    }
  }

  @Test("basic.get and its message")
  func get() throws {
    try Pair.open { pair in
      pair.broker.intercept = { _ in
        let getOk = big(UInt64(4)) + [0] + shortstr("exchange") + shortstr("key") + big(UInt32(0))
        pair.broker.say(method(1, AMQP_BASIC_GET_OK_METHOD, getOk) + message(1, [1, 2, 3]))
        return true
      }
      #expect(Outcome(amqp_basic_get(pair.connection, 1, text("queue"), 1)) == .normal(AMQP_BASIC_GET_OK_METHOD))
      #expect(pair.read(1).body == [1, 2, 3])
    }
  }

  // MARK: What ends a message early

  @Test("another frame than basic.deliver stays for the program")
  func unexpectedFrame() throws {
    for queued in [false, true] {
      for first in [ack(1, 1), channelClose(1), connectionClose, header(1, bodySize: 1), body(1, [1])] {
        try Pair.open { pair in
          pair.broker.say(first)
          if queued { pair.broker.say(delivery(2, tag: 1, [1])) }
          for _ in 0..<2 { #expect(pair.consume(0) == Consumed(failed: .library(.unexpectedState))) }
          #expect(pair.waitFrame(0).frame.frame_type == first[0])
          if queued { #expect(pair.consume(0) == Consumed(2, tag: 1, [1])) }
        }
      }
    }
  }

  @Test("a close in the middle is the answer; another method is put back")
  func interrupted() throws {
    let begun = [
      deliver(1, tag: 1), deliver(1, tag: 1) + header(1, bodySize: 9),
      deliver(1, tag: 1) + header(1, bodySize: 9) + body(1, [1]),
    ]
    for start in begun {
      for paused in [false, true] {
        try expectInterruption(start, paused, by: channelClose(1), .server(AMQP_CHANNEL_CLOSE_METHOD))
        try expectInterruption(start, paused, by: connectionClose, .server(AMQP_CONNECTION_CLOSE_METHOD))
        try expectInterruption(start, paused, by: ack(1, 1), .library(.unexpectedState), stays: AMQP_BASIC_ACK_METHOD)
        try expectInterruption(
          start, paused, by: channelClose(2) + channelClose(1), .server(AMQP_CHANNEL_CLOSE_METHOD),
          stays: AMQP_CHANNEL_CLOSE_METHOD)
      }
    }
  }

  private func expectInterruption(
    _ start: [UInt8], _ paused: Bool, by octets: [UInt8], _ outcome: Outcome, stays id: UInt32 = 0
  ) throws {
    try Pair.open { pair in
      pair.broker.say(start)
      if paused { #expect(pair.consume(0).outcome == .library(.timeout)) }
      pair.broker.say(octets)
      #expect(pair.consume(0) == Consumed(failed: outcome))
      if id != 0 { #expect(pair.waitFrame(0).frame.payload.method.id == id) }
      #expect(pair.waitFrame(0).status == .timeout)
    }
  }

  @Test("EOF in the middle: CONNECTION_CLOSED, and nothing is left dangling")
  func endInTheMiddle() throws {
    let octets = delivery(1, tag: 1, pattern(50))
    for split in 1..<octets.count {
      try Pair.open { pair in
        pair.broker.say(Array(octets[..<split]))
        pair.wire.finish()
        for _ in 0..<2 { #expect(pair.consume() == Consumed(failed: .library(.connectionClosed))) }
      }
    }
  }

  @Test("a message that announces more than there is memory for costs only what arrives")
  func hugeBodySize() throws {
    for size in [1 << 62, UInt64.max, 1 << 40] {
      try Pair.open { pair in
        pair.broker.say(deliver(1, tag: 1) + header(1, bodySize: size) + body(1, pattern(4000)))
        for _ in 0..<20 {
          #expect(pair.consume(0).outcome == .library(.timeout))
          pair.broker.say(body(1, pattern(4000)))
        }
        #expect(pair.waitFrame(0).status == .ok)
        let header = pair.waitFrame(0).frame
        #expect(header.payload.properties.body_size == size)
        #expect(pair.waitFrame(0).frame.payload.body_fragment.len == 80_000)
      }
    }
  }
}
