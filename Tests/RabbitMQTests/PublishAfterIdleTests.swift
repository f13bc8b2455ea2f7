// A message is not written into a connection that the broker has already closed.

import AMQPBase
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

@Suite("Publish after an idle time")
struct PublishAfterIdleTests {
  /// Heartbeat, and seconds of silence after which a publish must look.
  private static let idleTimes: [(UInt16, Double)] = [(0, 1), (1, 0.5), (2, 1), (60, 1), (60, 29)]

  @Test("EOF: CONNECTION_CLOSED, and nothing is sent", arguments: idleTimes)
  func endOfStream(_ interval: UInt16, _ idle: Double) throws {
    try expectRefusal(interval, idle) { $0.wire.finish() }
  }

  @Test("EOF behind unread data", arguments: idleTimes)
  func endBehindData(_ interval: UInt16, _ idle: Double) throws {
    try expectRefusal(interval, idle) {
      $0.broker.say(delivery(1, tag: 1, pattern(50_000)))
      $0.wire.finish()
    }
  }

  @Test("a reset", arguments: idleTimes)
  func reset(_ interval: UInt16, _ idle: Double) throws {
    try expectRefusal(interval, idle) { $0.wire.reset() }
  }

  @Test("an unread connection.close, which a wait can still read", arguments: idleTimes)
  func unreadClose(_ interval: UInt16, _ idle: Double) throws {
    for ends in [false, true] {
      for data in [[], heartbeat, delivery(1, tag: 1, pattern(500)) + heartbeat] {
        try Pair.open(heartbeat: interval) { pair in
          pair.broker.say(data + connectionClose)
          if ends { pair.wire.finish() }
          pair.wire.pass(idle)
          #expect(pair.publish() == .connectionClosed)
          #expect(pair.wire.sendCalls == 0)
          #expect(pair.wire.receiveCalls == 0)
          if data.count > 8 { #expect(pair.consume(0) == Consumed(1, tag: 1, pattern(500))) }
          #expect(pair.waitFrame(0).frame.payload.method.id == AMQP_CONNECTION_CLOSE_METHOD)
        }
      }
    }
  }

  @Test("a connection.close that is half in the inbound buffer and half in the socket")
  func splitClose() throws {
    let octets = ack(1, 1) + connectionClose
    for split in 1..<octets.count {
      try Pair.open { pair in
        pair.broker.say(Array(octets[..<split]))
        #expect(pair.waitFrame(0).status == (split >= ack(1, 1).count ? .ok : .timeout))
        pair.broker.say(Array(octets[split...]))
        pair.wire.pass(1)
        #expect(pair.publish() == .connectionClosed)
        #expect(pair.wire.sendCalls == 0)
      }
    }
  }

  @Test("a connection.close that a call has read or queued")
  func readClose() throws {
    try Pair.open { pair in
      pair.broker.say(connectionClose)
      #expect(pair.waitFrame().status == .ok)
      #expect(pair.publish() == .connectionClosed)
      #expect(pair.wire.sendCalls == 0)
      #expect(pair.descriptor == FakeWire.descriptor)
      var closeOk = amqp_connection_close_ok_t()
      #expect(amqp_send_method(pair.connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &closeOk) == 0)
    }
  }

  @Test("what only looks like a close does no harm, and nothing is taken out of the socket")
  func falseAlarms() throws {
    // The octets of a close inside a body, on another channel, and a frame that is cut off in front of its method.
    for octets in [
      delivery(1, tag: 1, connectionClose), method(3, AMQP_CONNECTION_CLOSE_METHOD), Array(connectionClose.prefix(10)),
      pattern(9000),
    ] {
      try Pair.open { pair in
        pair.broker.say(octets)
        pair.wire.pass(5)
        #expect(pair.publish() == .ok)
        #expect(pair.wire.unread == octets.count)
        #expect(pair.broker.frames.count == 3)
      }
    }
  }

  @Test("while messages follow one another nobody looks")
  func busy() throws {
    try Pair.open(heartbeat: 60) { pair in
      #expect(pair.publish() == .ok)
      pair.wire.finish()
      pair.wire.pass(0.9)
      #expect(pair.publish() == .ok)
      #expect(pair.wire.sendCalls == 2)
    }
  }

  private func expectRefusal(
    _ interval: UInt16, _ idle: Double, _ location: SourceLocation = #_sourceLocation, _ end: (Pair) -> Void
  ) throws {
    try Pair.open(heartbeat: interval) { pair in
      #expect(pair.publish() == .ok, sourceLocation: location)
      pair.wire.forgetRecords()
      end(pair)
      pair.wire.pass(idle)
      #expect(pair.publish() == .connectionClosed, sourceLocation: location)
      #expect(pair.wire.sendCalls == 0, sourceLocation: location)
      #expect(pair.wire.receiveCalls == 0, sourceLocation: location)
    }
  }
}
