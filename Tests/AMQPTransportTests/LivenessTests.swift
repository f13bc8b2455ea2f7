import CSystem
import Testing

@testable import AMQPTransport

@Suite struct LivenessTests {
  @Test func aFreshConnectionIsAliveAndEmpty() throws {
    let pair = try SocketPair.tcp()
    let known = try #require(TCPTransport(descriptor: pair.near).liveness())
    #expect(known.unreadBytes == 0)
    #expect(!known.receiveBufferIsFull)
    #expect(known.millisecondsSinceData < 5_000)
    #expect(known.millisecondsSinceAcknowledgement < 5_000)
  }

  @Test func arrivalsCountWithoutBeingRead() throws {
    let pair = try SocketPair.tcp()
    let near = TCPTransport(descriptor: pair.near)
    pause(milliseconds: 40)
    #expect(try #require(near.liveness()).millisecondsSinceData >= 30)
    _ = TCPTransport(descriptor: pair.far).sendText("heartbeat")
    let known = try #require(near.liveness())
    #expect(known.millisecondsSinceData < 30)
    #expect(known.unreadBytes == 9)
    #expect(!known.receiveBufferIsFull)
  }

  /// While the peer cannot send, only its kernel's acknowledgements of what we send say that it is there.
  @Test func aFullBufferIsSeenAndAcknowledgementsGoOn() throws {
    let pair = try SocketPair.tcp()
    let near = TCPTransport(descriptor: pair.near)
    stuff(pair.far) { near.liveness()?.receiveBufferIsFull == true }
    let full = try #require(near.liveness())
    #expect(full.unreadBytes > 0)
    #expect(full.receiveBufferIsFull)
    pause(milliseconds: 60)
    let quiet = try #require(near.liveness())
    #expect(quiet.millisecondsSinceAcknowledgement >= 40)
    _ = near.sendText("heartbeat")
    let answered = try #require(near.liveness())
    #expect(answered.millisecondsSinceAcknowledgement < 40)
    #expect(answered.millisecondsSinceData >= 40)
    #expect(answered.receiveBufferIsFull)

    var room = [UInt8](repeating: 0, count: 1 << 20)
    var loop = EventLoop()
    while case .ready = loop.wait(descriptor: pair.near, interest: .read, until: soon(100)) {
      guard case .bytes = room.withUnsafeMutableBytes({ near.receive(into: $0) }) else { break }
    }
    let drained = try #require(near.liveness())
    #expect(drained.unreadBytes == 0)
    #expect(!drained.receiveBufferIsFull)
  }

  /// Kernels before 6.2 do not tell the window.
  @Test func anOlderKernelsAccountWillDo() throws {
    let pair = try SocketPair.tcp()
    let account = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(!Kernel().offersNoWindow(pair.near, account, 104))
    _ = TCPTransport(descriptor: pair.far).sendText("heartbeat")
    #expect(!Kernel().offersNoWindow(pair.near, account, 104))
    stuff(pair.far) { Kernel().offersNoWindow(pair.near, account, 104) }
    #expect(Kernel().offersNoWindow(pair.near, account, 104))
    #expect(Kernel().offersNoWindow(-1, account, 104), "in doubt, yes")
  }

  /// The peer waits until one of its own segments fits, whose size we can only guess. Seen with a real broker: 1024 octets of
  /// window, 69 KB unread, an estimate of 756.
  @Test func aWindowThatStaysUnused() {
    func isTooSmall(_ window: UInt32, unread: Int) -> Bool {
      Kernel.isTooSmall(window: window, unread: unread, estimatedSegment: 756, largestSegment: 65483)
    }
    #expect(isTooSmall(0, unread: 1))
    #expect(isTooSmall(755, unread: 8))
    #expect(isTooSmall(1024, unread: 69_000))
    #expect(!isTooSmall(1024, unread: 1024))
    #expect(isTooSmall(1024, unread: 1025))
    #expect(!isTooSmall(65472, unread: 80), "a few unread heartbeats leave room")
    #expect(isTooSmall(65482, unread: 70_000))
    #expect(!isTooSmall(65483, unread: 1_000_000))
  }

  /// What the heartbeat rule asks: data, or acknowledgements while the peer is kept from sending data.
  @Test func silenceIsCountedByDataUnlessThePeerCannotSend() throws {
    final class Told: Seam, @unchecked Sendable {
      var answer: Liveness?
      override func liveness(_ descriptor: Int32) -> Liveness? { answer }
    }
    let told = Told()
    var storage = TCPTransport(descriptor: 0)
    withUnsafeMutablePointer(to: &storage) { pointer in
      let transport = Transport.tcp(pointer)
      Seam.with(told) {
        #expect(transport.peerSilence() == nil)
        for (data, acknowledgement, isFull, silence) in [
          (70, 20, false, 70), (70, 20, true, 20), (20, 70, true, 20), (20, 70, false, 20),
        ] as [(UInt32, UInt32, Bool, UInt64)] {
          told.answer = Liveness(
            millisecondsSinceData: data, millisecondsSinceAcknowledgement: acknowledgement, unreadBytes: 1,
            receiveBufferIsFull: isFull)
          #expect(transport.peerSilence() == milliseconds(silence))
        }
      }
    }
  }

  @Test func othersKeepNoAccount() throws {
    let pair = try SocketPair.unix()
    #expect(TCPTransport(descriptor: pair.near).liveness() == nil)
    #expect(TCPTransport(descriptor: -1).liveness() == nil)
  }

  /// Sends until `isFull`, for 5 s at most: where the peer's next segment is larger than the window, its kernel waits a moment
  /// before it sends a part of one.
  private func stuff(_ descriptor: Int32, until isFull: () -> Bool) {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 10_000, alignment: 16)
    defer { block.deallocate() }
    var loop = EventLoop()
    let end = soon(5_000)
    while !isFull() && !end.hasPassed(at: Clock.now()) {
      var piece = iovec(iov_base: block.baseAddress, iov_len: block.count)
      while case .bytes = TCPTransport(descriptor: descriptor).send(&piece, count: 1) {}
      _ = loop.wait(descriptor: descriptor, interest: .write, until: soon(10))
    }
  }
}
