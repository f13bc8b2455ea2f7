import CSystem
import Testing

@testable import AMQPTransport

/// Spoils the calls that pass through it.
private final class FaultySeam: Seam, @unchecked Sendable {
  var interruptions = 0
  var bytesBeforeReset = Int.max
  var longestSend = Int.max
  private(set) var calls = 0

  private func interrupted() -> Bool {
    calls += 1
    guard interruptions > 0 else { return false }
    interruptions -= 1
    return true
  }

  override func receive(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
    if interrupted() { return -Int(EINTR) }
    if bytesBeforeReset == 0 { return -Int(ECONNRESET) }
    let part = UnsafeMutableRawBufferPointer(rebasing: room[..<min(room.count, bytesBeforeReset)])
    let count = super.receive(descriptor, part)
    if count > 0 { bytesBeforeReset -= count }
    return count
  }

  override func send(_ descriptor: Int32, _ pieces: UnsafeMutablePointer<iovec>, _ count: Int) -> Int {
    if interrupted() { return -Int(EINTR) }
    guard longestSend < pieces[0].iov_len else { return super.send(descriptor, pieces, count) }
    var part = iovec(iov_base: pieces[0].iov_base, iov_len: longestSend)
    return super.send(descriptor, &part, 1)
  }

  override func peek(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
    interrupted() ? -Int(EINTR) : super.peek(descriptor, room)
  }

  override func peek(_ descriptor: Int32) -> Int {
    interrupted() ? -Int(EINTR) : super.peek(descriptor)
  }
}

@Suite struct TCPTransportTests {
  @Test func takesWhatIsThereAndNeverWaits() throws {
    for pair in [try SocketPair.unix(), try SocketPair.tcp()] {
      let near = TCPTransport(descriptor: pair.near)
      let far = TCPTransport(descriptor: pair.far)
      #expect(near.receiveText().0 == .wouldBlock(.read))
      #expect(far.sendText("head", "er", " and body") == .bytes(15))
      #expect(near.receiveText(6) == (.bytes(6), "header"))
      #expect(near.receiveText() == (.bytes(9), " and body"))
      #expect(near.receiveText().0 == .wouldBlock(.read))
    }
  }

  @Test func leavesTheFlagsOfADescriptorAlone() throws {
    let pair = try SocketPair.unix()
    let before = descriptorFlags(pair.near)
    let near = TCPTransport(descriptor: pair.near)
    _ = near.receiveText()
    _ = near.sendText("x")
    _ = near.peekEnd()
    #expect(before == O_RDWR)
    #expect(descriptorFlags(pair.near) == before)
  }

  @Test func aFullBufferTakesPartThenBlocks() throws {
    for pair in [try SocketPair.unix(), try SocketPair.tcp()] {
      let near = TCPTransport(descriptor: pair.near)
      let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 20, alignment: 16)
      defer { block.deallocate() }
      var sent = 0
      sending: while true {
        var piece = iovec(iov_base: block.baseAddress, iov_len: block.count)
        switch near.send(&piece, count: 1) {
        case .bytes(let count):
          #expect(count < block.count)
          sent += count
        case let other:
          #expect(other == .wouldBlock(.write))
          break sending
        }
      }
      #expect(sent > 0)
    }
  }

  @Test func tellsTheEndOfTheStreamFromAFault() throws {
    let pair = try SocketPair.tcp()
    let near = TCPTransport(descriptor: pair.near)
    var far = TCPTransport(descriptor: dup(pair.far))
    _ = far.sendText("last")
    shutdown(pair.far, Int32(system_shut_both))
    far.close()
    #expect(near.receiveText() == (.bytes(4), "last"))
    #expect(near.receiveText().0 == .closed)
    #expect(TCPTransport(descriptor: -1).receiveText().0 == .failed(errno: EBADF))
    #expect(TCPTransport(descriptor: -1).sendText("x") == .failed(errno: EBADF))
  }

  @Test func sendingToAClosedPeerFailsAndRaisesNoSignal() throws {
    let pair = try SocketPair.unix()
    shutdown(pair.far, Int32(system_shut_both))
    #expect(TCPTransport(descriptor: pair.near).sendText("x") == .failed(errno: EPIPE))
  }

  @Test func aDescriptorThatIsNoSocketIsAnErrorAndNotAnEnd() {
    let file = TCPTransport(descriptor: openFile("/dev/null", O_RDWR))
    defer { close(file.descriptor) }
    #expect(file.receiveText().0 == .failed(errno: ENOTSOCK))
    #expect(file.sendText("x") == .failed(errno: ENOTSOCK))
    #expect(file.peekEnd() == .failed(errno: ENOTSOCK))
    #expect(file.liveness() == nil)
  }

  @Test func anEmptyRoomIsNotAnEnd() throws {
    let pair = try SocketPair.tcp()
    let room = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    #expect(TCPTransport(descriptor: pair.near).receive(into: room) == .bytes(0))
  }

  @Test func peeksWithoutTaking() throws {
    for pair in [try SocketPair.unix(), try SocketPair.tcp()] {
      let near = TCPTransport(descriptor: pair.near)
      #expect(near.peekEnd() == .nothing)
      _ = TCPTransport(descriptor: pair.far).sendText("ab")
      #expect(near.peekEnd() == .data)
      #expect(near.peekEnd() == .data)
      #expect(near.receiveText() == (.bytes(2), "ab"))
      #expect(near.peekEnd() == .nothing)
      shutdown(pair.far, Int32(system_shut_both))
      #expect(near.peekEnd() == .closed)
    }
    #expect(TCPTransport().peekEnd() == .failed(errno: EBADF))
  }

  @Test func looksFurtherThanOneByteWithoutTaking() throws {
    for pair in [try SocketPair.unix(), try SocketPair.tcp()] {
      withTransport(pair.near) { near in
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { room in
          #expect(near.peek(into: room) == .wouldBlock(.read))
          _ = TCPTransport(descriptor: pair.far).sendText("closing")
          let seam = FaultySeam()
          seam.interruptions = 3
          Seam.with(seam) { #expect(near.peek(into: room) == .bytes(7)) }
          #expect(String(decoding: room[..<7], as: UTF8.self) == "closing")
          #expect(near.receive(into: room) == .bytes(7))
          shutdown(pair.far, Int32(system_shut_both))
          #expect(near.peek(into: room) == .closed)
        }
      }
    }
    withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { room in
      #expect(Transport.none.peek(into: room) == .failed(errno: EBADF))
    }
  }

  @Test func seesTheEndBehindWhatIsUnread() throws {
    let pair = try SocketPair.tcp()
    withTransport(pair.near) { near in
      #expect(!near.hasPeerFinished())
      _ = TCPTransport(descriptor: pair.far).sendText("unread")
      #expect(!near.hasPeerFinished())
      shutdown(pair.far, Int32(system_shut_both))
      #expect(near.peekEnd() == .data)
      #expect(near.hasPeerFinished())
    }
    let reset = try SocketPair.tcp()
    withTransport(reset.near) { near in
      // Closing with unread bytes resets the connection.
      _ = TCPTransport(descriptor: reset.near).sendText("unread")
      var far = TCPTransport(descriptor: dup(reset.far))
      reset.closeFar()
      far.close()
      #expect(near.hasPeerFinished())
    }
    let local = try SocketPair.unix()
    withTransport(local.near) { near in
      #expect(!near.hasPeerFinished())
      shutdown(local.far, Int32(system_shut_both))
      #expect(near.hasPeerFinished())
    }
  }

  private func withTransport(_ descriptor: Int32, _ body: (Transport) throws -> Void) rethrows {
    var storage = TCPTransport(descriptor: descriptor)
    try withUnsafeMutablePointer(to: &storage) { try body(.tcp($0)) }
  }

  @Test func closesOnce() throws {
    let pair = try SocketPair.unix()
    // A number that no test beside this one is given.
    let number: Int32 = 900
    dup2(pair.near, number)
    var first = TCPTransport(descriptor: number)
    first.close()
    #expect(first.descriptor == -1)
    #expect(dup(number) == -1)
    // The number is taken again; a second close must not hit it.
    dup2(pair.near, number)
    defer { close(number) }
    first.close()
    first.shutdown()
    #expect(TCPTransport(descriptor: number).sendText("x") == .bytes(1))
  }

  @Test func shutdownWakesAndKeepsTheNumber() throws {
    let pair = try SocketPair.tcp()
    let near = TCPTransport(descriptor: pair.near)
    near.shutdown()
    var loop = EventLoop()
    #expect(loop.wait(descriptor: pair.near, interest: .read, until: .never) == .ready(.read))
    #expect(near.receiveText().0 == .closed)
    #expect(near.descriptor == pair.near)
  }

  @Test func interruptedCallsAreRepeated() throws {
    let pair = try SocketPair.tcp()
    let seam = FaultySeam()
    Seam.with(seam) {
      seam.interruptions = 3
      #expect(TCPTransport(descriptor: pair.far).sendText("x") == .bytes(1))
      seam.interruptions = 3
      #expect(TCPTransport(descriptor: pair.near).peekEnd() == .data)
      seam.interruptions = 3
      #expect(TCPTransport(descriptor: pair.near).receiveText() == (.bytes(1), "x"))
    }
    #expect(seam.calls == 12)
    #expect(TCPTransport(descriptor: pair.far).sendText("y") == .bytes(1))
    #expect(seam.calls == 12, "the seam is taken away again")
  }

  @Test func shortWritesAndResetsPassThrough() throws {
    let pair = try SocketPair.tcp()
    let seam = FaultySeam()
    seam.longestSend = 1
    seam.bytesBeforeReset = 2
    Seam.with(seam) {
      let far = TCPTransport(descriptor: pair.far)
      #expect(far.sendText("abc") == .bytes(1))
      #expect(far.sendText("bc") == .bytes(1))
      #expect(far.sendText("c") == .bytes(1))
      let near = TCPTransport(descriptor: pair.near)
      #expect(near.receiveText() == (.bytes(2), "ab"))
      #expect(near.receiveText().0 == .failed(errno: ECONNRESET))
    }
  }

  @Test func theTransportEnumDispatches() throws {
    let pair = try SocketPair.tcp()
    let storage = UnsafeMutablePointer<TCPTransport>.allocate(capacity: 1)
    defer { storage.deallocate() }
    storage.initialize(to: TCPTransport(descriptor: dup(pair.near)))
    let transport = Transport.tcp(storage)
    #expect(transport.descriptor == storage.pointee.descriptor)
    #expect(transport.peekEnd() == .nothing)
    #expect(transport.liveness() != nil)
    _ = TCPTransport(descriptor: pair.far).sendText("in")
    withUnsafeTemporaryAllocation(byteCount: 8, alignment: 1) { room in
      #expect(transport.receive(into: room) == .bytes(2))
      var piece = iovec(iov_base: room.baseAddress, iov_len: 2)
      #expect(transport.send(&piece, count: 1) == .bytes(2))
    }
    #expect(TCPTransport(descriptor: pair.far).receiveText() == (.bytes(2), "in"))
    transport.shutdown()
    #expect(transport.peekEnd() == .closed)
    transport.close()
    #expect(transport.descriptor == -1)

    var piece = iovec()
    #expect(Transport.none.descriptor == -1)
    #expect(Transport.none.send(&piece, count: 1) == .failed(errno: EBADF))
    #expect(Transport.none.peekEnd() == .failed(errno: EBADF))
    #expect(Transport.none.liveness() == nil)
  }
}
