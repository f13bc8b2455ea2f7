import CRabbitMQ
import Testing

@testable import AMQPEngine

@Suite struct TuningTests {
  // MARK: channel_max: the smaller, 0 leaves it to the other

  @Test(
    arguments: [
      (0, 0, 65_535), (0, 1, 1), (1, 0, 1), (0, 2047, 2047), (2047, 0, 2047), (10, 2047, 10), (2047, 10, 10),
      (7, 7, 7), (65_535, 65_535, 65_535), (65_535, 0, 65_535), (65_535, 1, 1),
    ] as [(UInt16, UInt16, UInt16)])
  func channelMax(client: UInt16, server: UInt16, agreed: UInt16) {
    let (classic, event) = both {
      $0.channelMax = client
    } server: {
      $0.channelMax = server
    }
    #expect(classic.channelMax == agreed)
    #expect(event.channelMax == agreed)
    #expect(classic.highestChannel == agreed)
  }

  // MARK: frame_max: the smaller, at least 4096

  @Test(
    arguments: [
      (131_072, 131_072, 131_072), (131_072, 8192, 8192), (8192, 131_072, 8192), (131_072, 0, 131_072),
      (4096, 131_072, 4096), (4095, 131_072, 4096), (1, 131_072, 4096), (131_072, 4095, 4096), (131_072, 1, 4096),
      (4097, 131_072, 4097), (1, 0, 4096), (1, 1, 4096), (2_147_483_647, 4_294_967_295, 2_147_483_647),
      (2_147_483_647, 0, 2_147_483_647),
    ] as [(UInt32, UInt32, UInt32)])
  func frameMax(client: UInt32, server: UInt32, agreed: UInt32) {
    let (classic, event) = both {
      $0.frameMax = client
    } server: {
      $0.frameMax = server
    }
    #expect(classic.frameMax == agreed)
    #expect(event.frameMax == agreed)
  }

  /// Existing programs that pass 0 get the smallest; the event API leaves it to the server.
  @Test(arguments: [(0, 4096, 0), (131_072, 4096, 131_072), (100, 4096, 4096)] as [(UInt32, UInt32, UInt32)])
  func aClientsFrameMaxOfZero(server: UInt32, classicAgreed: UInt32, eventAgreed: UInt32) {
    let (classic, event) = both {
      $0.frameMax = 0
    } server: {
      $0.frameMax = server
    }
    #expect(classic.frameMax == classicAgreed)
    #expect(event.frameMax == (server == 0 ? UInt32(AMQP_DEFAULT_FRAME_SIZE) : eventAgreed))
  }

  // MARK: heartbeat

  /// The client's 0 is a veto, the server's leaves it to the client.
  @Test(
    arguments: [
      (0, 0, 0), (0, 60, 0), (60, 0, 60), (60, 60, 60), (10, 60, 10), (60, 10, 10), (65_535, 60, 60), (1, 65_535, 1),
      (65_535, 65_535, 65_535), (65_535, 0, 65_535),
    ] as [(UInt16, UInt16, UInt16)])
  func classicHeartbeat(client: UInt16, server: UInt16, agreed: UInt16) {
    #expect(
      both {
        $0.heartbeat = client
      } server: {
        $0.heartbeat = server
      }.classic.heartbeat == agreed)
  }

  /// 0 leaves it to the other; both 0 is off.
  @Test(
    arguments: [
      (0, 0, 0), (0, 60, 60), (60, 0, 60), (60, 60, 60), (10, 60, 10), (60, 10, 10), (65_535, 60, 60),
      (0, 65_535, 65_535),
      (65_535, 65_535, 65_535),
    ] as [(UInt16, UInt16, UInt16)])
  func eventHeartbeat(client: UInt16, server: UInt16, agreed: UInt16) {
    #expect(
      both {
        $0.heartbeat = client
      } server: {
        $0.heartbeat = server
      }.event.heartbeat == agreed)
  }

  @Test func theThreeNumbersKeepTheirPlaces() {
    var (client, server) = (Tuning.usual, Tuning.usual)
    (client.channelMax, client.frameMax, client.heartbeat) = (10, 5000, 20)
    (server.channelMax, server.frameMax, server.heartbeat) = (11, 5001, 21)
    #expect(Tuning.classic(client: client, server: server) == client)
    #expect(Tuning.event(client: server, server: client) == client)
  }

  // MARK: Numbers of C callers

  @Test(
    arguments: [
      (0, 0, 0), (65_535, .max, 65_535), (1, 4095, 1), (2047, 131_072, 60),
    ] as [(Int32, Int32, Int32)])
  func numbersInRangeAreTaken(channelMax: Int32, frameMax: Int32, heartbeat: Int32) throws {
    let tuning = try #require(Tuning(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat))
    #expect(Int32(tuning.channelMax) == channelMax)
    #expect(Int64(tuning.frameMax) == Int64(frameMax))
    #expect(Int32(tuning.heartbeat) == heartbeat)
  }

  @Test(
    arguments: [
      (-1, 4096, 1), (65_536, 4096, 1), (.min, 4096, 1), (.max, 4096, 1), (1, -1, 1), (1, .min, 1), (1, 4096, -1),
      (1, 4096, 65_536), (1, 4096, .min), (1, 4096, .max), (-1, -1, -1),
    ] as [(Int32, Int32, Int32)])
  func numbersOutOfRangeAreRefused(channelMax: Int32, frameMax: Int32, heartbeat: Int32) {
    #expect(Tuning(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat) == nil)
    #expect(Tuning.agreedElsewhere(channelMax: channelMax, frameMax: frameMax, heartbeat: heartbeat) == nil)
  }

  @Test(
    arguments: [(0, 4096), (1, 4096), (4095, 4096), (4096, 4096), (4097, 4097), (.max, 2_147_483_647)]
      as [(Int32, UInt32)])
  func whatAProgramAgreedByItselfHoldsButForTheSmallestFrame(frameMax: Int32, effective: UInt32) throws {
    let tuning = try #require(Tuning.agreedElsewhere(channelMax: 0, frameMax: frameMax, heartbeat: 3))
    #expect(tuning == Tuning(channelMax: UInt16(0), frameMax: effective, heartbeat: 3))
  }

  @Test func noChannelMaxIsNoLimit() {
    #expect(Tuning(channelMax: UInt16(0), frameMax: 4096, heartbeat: 0).highestChannel == 65_535)
    #expect(Tuning(channelMax: UInt16(1), frameMax: 4096, heartbeat: 0).highestChannel == 1)
  }

  @Test func beforeTuneThereIsRoomAndNoHeartbeat() {
    #expect(Tuning.beforeTune == Tuning(channelMax: UInt16(0), frameMax: 65_536, heartbeat: 0))
    #expect(Tuning.smallestFrameMax == 4096)
  }

  private func both(
    _ client: (inout Tuning) -> Void, server: (inout Tuning) -> Void
  ) -> (classic: Tuning, event: Tuning) {
    var (ours, theirs) = (Tuning.usual, Tuning.usual)
    client(&ours)
    server(&theirs)
    return (.classic(client: ours, server: theirs), .event(client: ours, server: theirs))
  }
}

extension Tuning {
  fileprivate static var usual: Tuning { Tuning(channelMax: UInt16(2047), frameMax: 131_072, heartbeat: 60) }
}
