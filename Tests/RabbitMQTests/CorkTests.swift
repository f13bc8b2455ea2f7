// Corked publishes: held together, sent in one call, in order, and never behind something that waits for their answer.

import AMQPBase
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

@Suite("Corked publishers")
struct CorkTests {
  @Test("messages are held until uncork and leave in one system call, in order, whatever their frames")
  func oneSend() throws {
    try corked { pair in
      for index in 0..<100 as Range<UInt8> { #expect(pair.publish([index], channel: 1 + UInt16(index % 3)) == .ok) }
      #expect(pair.wire.sendCalls == 0)
      #expect(amqp_publish_uncork(pair.connection) == 0)
      #expect(pair.wire.sendCalls == 1)
      #expect(pair.bodies == (0..<100).map { [$0] })
      #expect(pair.broker.frames.map(\.type) == (0..<100).flatMap { _ in [1, 2, 3] as [UInt8] })
      #expect(pair.publish([7]) == .ok)
      #expect(pair.bodies.last == [7])
    }
  }

  @Test("uncork without a message sends nothing; corks are not counted; every publish after it leaves at once")
  func flag() throws {
    try corked { pair in
      #expect(amqp_publish_cork(pair.connection) == 0)
      #expect(pair.publish() == .ok)
      #expect(amqp_publish_uncork(pair.connection) == 0)
      #expect(pair.bodies.count == 1)
      #expect(amqp_publish_uncork(pair.connection) == 0)
      #expect(pair.wire.sendCalls == 1)
      #expect(pair.publish() == .ok)
      #expect(pair.wire.sendCalls == 2)
    }
    #expect(amqp_publish_cork(nil) == AMQP_STATUS_INVALID_PARAMETER.rawValue)
    #expect(amqp_publish_uncork(nil) == AMQP_STATUS_INVALID_PARAMETER.rawValue)
  }

  @Test("64 KB leave by themselves")
  func threshold() throws {
    try corked { pair in
      var count = 0
      while pair.wire.sendCalls == 0, count < 100 {
        #expect(pair.publish(pattern(1024)) == .ok)
        count += 1
      }
      #expect(pair.wire.sends.map(\.count).allSatisfy { (65_536..<68_000).contains($0) })
      #expect(pair.bodies.count == count && count > 50)
      #expect(pair.publish(pattern(1024)) == .ok)
      #expect(pair.wire.sendCalls == 1)
    }
  }

  @Test("a large body leaves at once, with all that is held before it", arguments: [2049, 5000, 20_000])
  func largeBody(_ size: Int) throws {
    try corked { pair in
      #expect(pair.publish([1]) == .ok)
      #expect(pair.publish(pattern(size)) == .ok)
      #expect(pair.wire.sendCalls == 1)
      #expect(pair.bodies == [[1], pattern(size)])
      #expect(pair.publish([2]) == .ok)
      #expect(amqp_publish_uncork(pair.connection) == 0)
      #expect(pair.bodies == [[1], pattern(size), [2]])
    }
  }

  @Test("whatever else is sent goes behind what is held, and takes it along", arguments: Call.sends + Call.requests)
  func otherCalls(_ call: Call) throws {
    try corked { pair in
      #expect(pair.publish([1]) == .ok)
      #expect(pair.publish([2]) == .ok)
      // Publishes are themselves among the calls.
      #expect(call.make(pair, timeout: 1) == .ok)
      _ = pair.waitFrame(0)
      #expect(Array(pair.bodies.prefix(2)) == [[1], [2]])
      #expect(Array(pair.broker.frames.prefix(6).map(\.type)) == [1, 2, 3, 1, 2, 3])
      #expect(pair.broker.pendingOctets == 0)
    }
  }

  @Test("every call that waits or polls sends what is held first", arguments: Call.waits + Call.polls)
  func waits(_ call: Call) throws {
    try corked { pair in
      #expect(pair.publish([1]) == .ok)
      pair.wire.after(1) { pair.wire.finish() }
      _ = call.make(pair, timeout: 0.001)
      #expect(pair.bodies == [[1]])
    }
  }

  @Test("a wait sends the rest when the socket has room, and so hears the answer to it", arguments: [0, 1, 30, 100])
  func partial(_ room: Int) throws {
    try corked { pair in
      for index in 0..<10 as Range<UInt8> { #expect(pair.publish([index]) == .ok) }
      pair.wire.room = room
      pair.wire.after(3) { pair.wire.room = .max }
      var left = 10
      pair.broker.intercept = { frame in
        left -= 1
        if left == 0 { pair.broker.say(ack(1, 10)) }
        return false
      }
      let start = pair.wire.time
      #expect(pair.waitFrame(60).status == .ok)
      #expect(pair.wire.seconds(since: start) == 3)
      #expect(pair.bodies == (0..<10).map { [$0] })
      #expect(pair.wire.waits.count < 10)
    }
  }

  @Test("a poll that the socket has no room for loses nothing; later messages go behind", arguments: [0, 1, 50])
  func partialPoll(_ room: Int) throws {
    try corked { pair in
      for index in 0..<5 as Range<UInt8> { #expect(pair.publish([index]) == .ok) }
      pair.wire.room = room
      #expect(pair.waitFrame(0).status == .timeout)
      for index in 5..<10 as Range<UInt8> { #expect(pair.publish([index]) == .ok) }
      #expect(pair.publish([UInt8](repeating: 0, count: 2048), channel: 0xFFFF) == .ok)
      pair.wire.room = .max
      #expect(amqp_publish_uncork(pair.connection) == 0)
      #expect(Array(pair.bodies.prefix(10)) == (0..<10).map { [$0] })
      #expect(pair.broker.pendingOctets == 0)
    }
  }

  @Test("a message that is refused leaves what is held as it was")
  func refusal() throws {
    try corked { pair in
      var name = [UInt8](repeating: 0, count: 256)
      #expect(pair.publish([1]) == .ok)
      let refused = name.withUnsafeMutableBytes { bytes in
        let key = amqp_bytes_t(UnsafeRawBufferPointer(bytes))
        return amqp_basic_publish(pair.connection, 1, text("x"), key, 0, 0, nil, text("b"))
      }
      #expect(refused < 0)
      #expect(pair.publish([2]) == .ok)
      #expect(amqp_publish_uncork(pair.connection) == 0)
      #expect(pair.bodies == [[1], [2]])
      #expect(pair.broker.pendingOctets == 0)
    }
  }

  @Test("what is held serves as the heartbeat that is due")
  func heartbeats() throws {
    try corked(heartbeat: 2) { pair in
      #expect(pair.publish([1]) == .ok)
      pair.wire.pass(1.5)
      #expect(amqp_frames_enqueued(pair.connection) == 0)
      #expect(pair.bodies == [[1]])
      #expect(pair.broker.heartbeats.isEmpty)
      pair.wire.pass(1.2)
      #expect(amqp_frames_enqueued(pair.connection) == 0)
      #expect(pair.broker.heartbeats.count == 1)
    }
  }

  @Test("who publishes now and then, and calls nothing else, is kept alive by it", arguments: [1, 2, 60] as [UInt16])
  func slowPublisher(_ interval: UInt16) throws {
    try corked(heartbeat: interval) { pair in
      let start = pair.wire.time
      for _ in 0..<100 {
        pair.broker.say(heartbeat)
        #expect(pair.publish([1]) == .ok)
        pair.wire.pass(Double(interval) / 10)
      }
      #expect(pair.wire.longestSilence(from: start) <= Double(interval) * 0.6 + 0.01)
      #expect(amqp_publish_uncork(pair.connection) == 0)
      #expect(pair.bodies.count == 100)
      #expect(pair.broker.heartbeats.isEmpty)
    }
  }

  @Test("and hears that the peer is dead")
  func slowPublisherOfADeadPeer() throws {
    try corked(heartbeat: 2) { pair in
      pair.broker.answerNothing()
      for _ in 0..<39 {
        #expect(pair.publish([1]) == .ok)
        pair.wire.pass(0.1)
      }
      pair.wire.pass(0.2)
      #expect(pair.publish([1]) == .heartbeatTimeout)
    }
  }

  @Test("a failure is the answer of the call that meets it", arguments: [0, 1, 40])
  func failure(_ room: Int) throws {
    try corked { pair in
      for _ in 0..<5 { #expect(pair.publish() == .ok) }
      pair.wire.room = room
      if room > 0 { #expect(pair.waitFrame(0).status == .timeout) }
      pair.wire.room = .max
      pair.wire.sendFault = EPIPE
      #expect(amqp_publish_uncork(pair.connection) != 0)
      pair.wire.sendFault = 0
      #expect(amqp_publish_uncork(pair.connection) == 0 || room > 0)
      #expect(pair.bodies.isEmpty)
    }
  }

  @Test("a wait that cannot send says what it reads, and the sender hears of it")
  func failureInAWait() throws {
    try corked { pair in
      #expect(pair.publish() == .ok)
      pair.wire.sendFault = EPIPE
      pair.broker.say(ack(1, 1))
      #expect(pair.waitFrame(0).status == .ok)
      #expect(amqp_publish_uncork(pair.connection) != 0)
    }
  }

  @Test("a batch after an idle time looks for the end of the connection once, and not for every message")
  func idle() throws {
    try corked { pair in
      pair.wire.pass(30)
      pair.wire.finish()
      #expect(pair.publish() == .connectionClosed)
    }
    try corked { pair in
      #expect(pair.publish() == .ok)
      pair.wire.pass(30)
      pair.wire.finish()
      #expect(amqp_publish_uncork(pair.connection) == AMQP_STATUS_CONNECTION_CLOSED.rawValue)
      #expect(pair.wire.sendCalls == 0)
    }
  }

  private func corked(heartbeat: UInt16 = 0, _ body: (Pair) throws -> Void) throws {
    try Pair.open(heartbeat: heartbeat, frameMax: 4096) { pair in
      #expect(amqp_publish_cork(pair.connection) == 0)
      pair.wire.forgetRecords()
      pair.broker.forgetFrames()
      try body(pair)
    }
  }
}

extension Pair {
  /// The bodies that the broker has received whole.
  fileprivate var bodies: [[UInt8]] {
    var bodies: [[UInt8]] = []
    for frame in broker.frames {
      if frame.type == 2 { bodies.append([]) }
      if frame.type == 3 { bodies[bodies.count - 1] += frame.payload }
    }
    return bodies
  }
}
