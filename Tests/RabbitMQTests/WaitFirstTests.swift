// Whether a call that receives tries first or waits first: a system call less for who has to wait each time, none more for
// who finds something.

import CRabbitMQ
import Testing

@testable import RabbitMQ

@Suite("Wait first, or try first")
struct WaitFirstTests {
  /// Waits for an acknowledgement that comes a while later; answers what that took.
  private func round(_ pair: Pair, _ tag: UInt64 = 1, after seconds: Double = 0.01) -> (waits: Int, receives: Int) {
    pair.wire.forgetRecords()
    pair.broker.say(ack(1, tag), after: seconds)
    #expect(pair.waitFrame().frame.payload.method.id == AMQP_BASIC_ACK_METHOD)
    return (pair.wire.waits.count, pair.wire.receiveCalls)
  }

  @Test("who has to wait each time waits first: an attempt in vain becomes rare")
  func answers() throws {
    try Pair.open { pair in
      var inVain = 0
      for tag in 1...200 as ClosedRange<UInt64> {
        let (waits, receives) = round(pair, tag)
        #expect(waits == 1)
        inVain += receives - 1
      }
      #expect(inVain >= 1 && inVain <= 10)
    }
  }

  @Test("who finds something there tries first from then on: one wait too many for each time that he had to")
  func stream() throws {
    try Pair.open { pair in
      for _ in 0..<5 {
        _ = round(pair)
        for count in 0..<9 {
          pair.wire.forgetRecords()
          pair.broker.say(ack(1, 1))
          #expect(pair.waitFrame().status == .ok)
          #expect(pair.wire.waits.count == (count == 0 ? 1 : 0))
          #expect(pair.wire.receiveCalls == 1)
        }
      }
    }
  }

  @Test("a look takes what is there and waits for nothing")
  func look() throws {
    try Pair.open { pair in
      _ = round(pair)
      pair.wire.forgetRecords()
      pair.broker.say(ack(1, 2))
      #expect(pair.waitFrame(0).status == .ok)
      #expect(pair.waitFrame(0).status == .timeout)
      #expect(pair.wire.waits.isEmpty)
    }
  }

  @Test("a peer whose last words lie unread is not dead before they are read")
  func lastWords() throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.say(ack(1, 1), after: 0.5)
      #expect(pair.waitFrame().status == .ok)
      pair.broker.say(ack(1, 2), after: 0.5)
      pair.broker.mute(withHost: true)
      pair.wire.arrive(ack(1, 2))
      pair.wire.pass(30)
      #expect(pair.waitFrame().status == .ok)
      #expect(pair.waitFrame().status == .heartbeatTimeout)
    }
  }

  @Test("the end of the time is the end of the wait, and what came with it is received")
  func deadline() throws {
    try Pair.open { pair in
      _ = round(pair)
      let start = pair.wire.time
      #expect(pair.waitFrame(1.5).status == .timeout)
      #expect(pair.wire.seconds(since: start) == 1.5)
      pair.broker.say(ack(1, 1), after: 1.5)
      #expect(pair.waitFrame(1.5).status == .ok)
      #expect(pair.wire.seconds(since: start) == 3)
    }
  }

  @Test("the end of the connection ends a wait that comes first")
  func closed() throws {
    try Pair.open { pair in
      _ = round(pair)
      pair.wire.after(1) { pair.wire.finish() }
      #expect(pair.waitFrame().status == .connectionClosed)
    }
  }
}
