// What the thread in the background does for one connection, and a program's own loop, with a clock that only they move.

import AMQPBase
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

@Suite("Heartbeats: in the background and in a loop of the program's own")
struct KeeperTests {
  private static let slack = 0.003

  /// Serves the connection as the keeper does, alone, for so many seconds; false when its life is over.
  private func keep(_ pair: Pair, for seconds: Double) -> Bool {
    guard let driver = BlockingDriver(pair.connection) else { return false }
    let end = pair.wire.time + UInt64(seconds * 1e9)
    while let next = driver.keep(Instant(nanoseconds: pair.wire.time)) {
      let wake = min(next.instant?.nanoseconds ?? .max, end)
      pair.wire.pass(max(Double(wake - pair.wire.time) / 1e9, 0.02))
      if pair.wire.time >= end { return true }
    }
    return false
  }

  @Test("a busy program is kept, and nothing is read", arguments: [1, 2, 5, 60] as [UInt16])
  func busy(_ interval: UInt16) throws {
    try Pair.open(heartbeat: interval) { pair in
      let start = pair.wire.time
      pair.broker.beat(every: Double(interval) / 2)
      #expect(keep(pair, for: Double(interval) * 20))
      #expect(pair.wire.longestSilence(from: start) <= Double(interval) / 2 + Self.slack)
      #expect((38...46).contains(pair.wire.sends.count))
      #expect(pair.wire.receiveCalls == 0)
      #expect(pair.publish() == .ok)
    }
  }

  @Test("a dead peer is shut down after 2H, and closed by the next call", arguments: Call.allCases)
  func death(_ call: Call) throws {
    try Pair.open(heartbeat: 2) { pair in
      let start = pair.wire.time
      pair.broker.answerNothing()
      #expect(!keep(pair, for: 100))
      #expect(abs(pair.wire.seconds(since: start) - 4) <= 0.02 + Self.slack)
      #expect(pair.wire.isShutDown)
      #expect(!pair.wire.isClosed)
      #expect(pair.descriptor == -1)
      #expect(call.make(pair) == (Call.polls.contains(call) ? .ok : .heartbeatTimeout))
      #expect(pair.wire.isClosed)
    }
  }

  @Test("what had arrived before the death comes first")
  func lastWords() throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.say(delivery(5, tag: 1, [1, 2, 3]))
      pair.broker.answerNothing()
      #expect(!keep(pair, for: 100))
      #expect(pair.consume() == Consumed(5, tag: 1, [1, 2, 3]))
      #expect(pair.consume().outcome == .library(.heartbeatTimeout))
    }
  }

  @Test("a peer that cannot send because nobody reads is alive while its kernel acknowledges")
  func fullReceiveBuffer() throws {
    for acknowledged in [true, false] {
      try Pair.open(heartbeat: 2) { pair in
        pair.broker.say(delivery(1, tag: 1, [1]))
        pair.wire.receiveBuffer = pair.wire.unread
        pair.broker.mute(withHost: !acknowledged)
        #expect(keep(pair, for: 40) == acknowledged)
      }
    }
  }

  @Test("where the kernel keeps no account, silence that nobody listened to proves nothing")
  func noAccount() throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.wire.keepsAccount = false
      pair.broker.answerNothing()
      #expect(keep(pair, for: 40))
      #expect(!pair.wire.isShutDown)
    }
  }

  @Test("a full socket loses no heartbeat that was begun, and adds none")
  func fullSocket() throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.broker.beat(every: 1)
      pair.wire.room = 3
      #expect(keep(pair, for: 10))
      pair.wire.room = .max
      #expect(keep(pair, for: 2))
      #expect(pair.publish() == .ok)
      #expect(pair.declare() == .normal(AMQP_QUEUE_DECLARE_OK_METHOD))
    }
  }

  @Test("a connection that has ended is left to the program")
  func ended() throws {
    try Pair.open(heartbeat: 2) { pair in
      pair.wire.finish()
      #expect(keep(pair, for: 40))
      #expect(!pair.wire.isShutDown)
      #expect(pair.waitFrame(0).status == .connectionClosed)
      #expect(!keep(pair, for: 1))
    }
  }

  // MARK: The program's own loop

  @Test("a loop that sleeps as long as it may lives, and hears of a death", arguments: [1, 2, 60] as [UInt16])
  func ownLoop(_ interval: UInt16) throws {
    try Pair.open(heartbeat: interval) { pair in
      let start = pair.wire.time
      let seconds = Double(interval)
      pair.broker.beat(every: seconds / 2)
      pair.wire.after(seconds * 10.1) { pair.broker.mute() }
      var wakes = 0
      while amqp_heartbeat_service(pair.connection) == 0, wakes < 1000 {
        var sleep = timeval()
        #expect(amqp_heartbeat_next(pair.connection, &sleep) == 0)
        pair.wire.pass(Double(sleep.tv_sec) + Double(sleep.tv_usec) / 1e6)
        wakes += 1
      }
      #expect(amqp_heartbeat_service(pair.connection) == AMQP_STATUS_HEARTBEAT_TIMEOUT.rawValue)
      #expect(abs(pair.wire.seconds(since: start) - seconds * 12) <= seconds / 2 + Self.slack)
      #expect(pair.wire.longestSilence(from: start) <= seconds / 2 + Self.slack)
      #expect((24...40).contains(wakes))
      #expect(pair.wire.isClosed)
      #expect(pair.wire.waits.isEmpty)
    }
  }

  @Test("a service reads within limits and leaves the frames to the program")
  func serviceReads() throws {
    try Pair.open(heartbeat: 2) { pair in
      for tag in 1...200 as ClosedRange<UInt64> {
        pair.broker.say(delivery(1, tag: tag, [UInt8](repeating: 7, count: 2000)))
      }
      #expect(amqp_heartbeat_service(pair.connection) == 0)
      #expect(pair.wire.unread > 100_000)
      #expect(amqp_data_in_buffer(pair.connection) != 0)
      for tag in 1...200 as ClosedRange<UInt64> {
        #expect(pair.consume(0) == Consumed(1, tag: tag, [UInt8](repeating: 7, count: 2000)))
      }
    }
  }

  @Test("counts and times")
  func stats() throws {
    try Pair.open(heartbeat: 10) { pair in
      pair.broker.beat(every: 4)
      pair.wire.pass(6)
      #expect(amqp_heartbeat_service(pair.connection) == 0)
      pair.wire.pass(1.5)
      var stats = amqp_heartbeat_stats_t()
      stats.size = MemoryLayout<amqp_heartbeat_stats_t>.size
      #expect(amqp_heartbeat_stats(pair.connection, &stats) == 0)
      #expect(amqp_data_in_buffer(pair.connection) == 0)
      #expect(amqp_heartbeat_stats(pair.connection, &stats) == 0)
      #expect((stats.sent, stats.received, stats.interval_seconds) == (1, 1, 10))
      #expect((stats.milliseconds_since_sent, stats.milliseconds_since_received) == (1500, 1500))
    }
  }
}
