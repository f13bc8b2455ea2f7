import AMQPBase
import CSystem
import Testing

@testable import AMQPTransport

@Suite struct TLSTransportTests {
  static let versions = [Int32(system_tls_1_2), Int32(system_tls_1_3)]

  @Test(arguments: versions, [1, 7, Int.max])
  func handshakeAtAnyPace(version: Int32, slice: Int) throws {
    let chopper = Chopper()
    chopper.slice = slice
    let peer = try TLSPeer(.unix(), version: version)
    let client = try peer.client(chopper)
    #expect(client.send([numbered(100)]) == .bytes(100))
    #expect(peer.received() == numbered(100))
    #expect(ERR_peek_error() == 0)
    client.destroy()
  }

  @Test(arguments: versions)
  func thePeerHasToBeTrusted(version: Int32) throws {
    let peer = try TLSPeer(.unix(), version: version)
    let client = try #require(TLSTransport.make())
    #expect(client.begin(peer.pair.near, host: "localhost") == .ok)
    var outcome: Status?
    while outcome == nil {
      if case .failed(let status) = client.handshake() { outcome = status }
      peer.exchange()
    }
    #expect(outcome == .sslPeerVerifyFailed)
    #expect(ERR_peek_error() == 0)
    client.destroy()
  }

  // MARK: Sending

  @Test(arguments: [
    [0], [1], [1, 1], [16_383], [16_384], [16_385], [60, 16_324], [60, 16_325], [60, 16_324, 1],
    [60, 131_064, 8, 131_064, 1], [8, 0, 42, 0, 5000, 1], [20_000, 1, 1, 1, 20_000], [100, 40_000], [1, 16_384, 1],
  ])
  func piecesBecomeOneStream(sizes: [Int]) throws {
    let peer = try TLSPeer(.unix())
    let client = try peer.client()
    let all = numbered(sizes.reduce(0, +))
    var pieces: [[UInt8]] = []
    for size in sizes { pieces.append(Array(all[pieces.joined().count..<pieces.joined().count + size])) }
    var taken = 0
    var seen: [UInt8] = []
    while taken < all.count {
      guard case .bytes(let count) = client.send(dropping(taken, pieces)) else { break }
      taken += count
      seen += try #require(peer.received())
    }
    #expect(seen == all)
    client.destroy()
  }

  @Test func smallPiecesShareARecord() throws {
    let chopper = Chopper()
    let peer = try TLSPeer(.unix())
    let client = try peer.client(chopper)
    let before = chopper.sends
    Seam.with(chopper) {
      #expect(client.send([numbered(50), numbered(3000), numbered(1)]) == .bytes(3051))
    }
    #expect(chopper.sends == before + 1)
    client.destroy()
  }

  /// Wherever the socket stops: all but an octet counts as sent until the record is out, and it goes out once.
  @Test(arguments: versions)
  func aRecordThatIsCut(version: Int32) throws {
    let chopper = Chopper()
    let peer = try TLSPeer(.unix(), version: version)
    let client = try peer.client(chopper)
    let bytes = numbered(40)
    for room in 0..<61 {
      chopper.room = room
      Seam.with(chopper) {
        #expect(client.send([bytes]) == .bytes(39))
        #expect(peer.received() == [])
        #expect(client.send([[bytes[39]]]) == .wouldBlock(.write))
        #expect(client.send([[bytes[39]]]) == .wouldBlock(.write))
        chopper.room = nil
        #expect(client.send([[bytes[39]], [9, 8]]) == .bytes(3))
      }
      #expect(peer.received() == bytes + [9, 8])
    }
    client.destroy()
  }

  @Test func aSingleOctetThatIsCut() throws {
    let chopper = Chopper()
    let peer = try TLSPeer(.unix())
    let client = try peer.client(chopper)
    chopper.room = 3
    Seam.with(chopper) {
      #expect(client.send([[7]]) == .wouldBlock(.write))
      chopper.room = nil
      #expect(client.send([[7]]) == .bytes(1))
    }
    #expect(peer.received() == [7])
    client.destroy()
  }

  /// The reader gets the rest of a record out as well; who sends then goes on where he was.
  @Test func readingFlushes() throws {
    let chopper = Chopper()
    let peer = try TLSPeer(.unix())
    let client = try peer.client(chopper)
    chopper.room = 5
    Seam.with(chopper) {
      #expect(client.send([numbered(10)]) == .bytes(9))
      #expect(client.receive().0 == .wouldBlock(.readOrWrite))
      chopper.room = nil
      #expect(client.receive().0 == .wouldBlock(.read))
      #expect(peer.received() == numbered(10))
      #expect(client.send([[numbered(10)[9]], [1]]) == .bytes(2))
    }
    #expect(peer.received() == [1])
    client.destroy()
  }

  /// A peer that asks for new keys again and again and does not read gets no more memory than the limit.
  @Test func answersDoNotPileUp() throws {
    let chopper = Chopper()
    let peer = try TLSPeer(.unix())
    let client = try peer.client(chopper)
    chopper.room = 0
    var (asked, heard) = (0, 0)
    var result = IOResult.bytes(0)
    Seam.with(chopper) {
      while case .bytes(let count) = result, asked < 10_000 {
        heard += count
        peer.askForNewKeys()
        peer.send([1])
        asked += 1
        result = client.receive().0
      }
    }
    #expect(result == .wouldBlock(.readOrWrite))
    #expect((50_000...65_536).contains(client.state.pointee.backlog.count))
    Seam.with(chopper) {
      chopper.room = nil
      while case .bytes(let count) = client.receive().0 { heard += count }
      #expect(client.send([[5]]) == .bytes(1))
    }
    #expect(heard == asked)
    #expect(peer.received() == [5])
    client.destroy()
  }

  @Test func aBrokenSocketStaysBroken() throws {
    let chopper = Chopper()
    let peer = try TLSPeer(.unix())
    let client = try peer.client(chopper)
    chopper.room = 10
    Seam.with(chopper) {
      #expect(client.send([numbered(10)]) == .bytes(9))
      chopper.fault = ECONNRESET
      #expect(client.send([[0]]) == .failed(errno: ECONNRESET))
      chopper.room = nil
      #expect(client.send([[0]]) == .failed(errno: ECONNRESET))
    }
    // What the peer has said before is not lost.
    peer.send([1, 2])
    #expect(client.receive().1 == [1, 2])
    #expect(ERR_peek_error() == 0)
    client.destroy()
  }

  /// A peer that hangs up may have said why, though nobody has read it yet.
  @Test func theReasonOfAHangUp() throws {
    let chopper = Chopper()
    let peer = try TLSPeer(.unix())
    let client = try peer.client(chopper)
    peer.sendPlain(numbered(100))
    (chopper.room, chopper.fault) = (0, EPIPE)
    Seam.with(chopper) { #expect(client.send([[1]]) == .failed(errno: EPROTO)) }
    #expect(ERR_peek_error() == 0)
    client.destroy()
  }

  // MARK: Receiving

  @Test(arguments: versions)
  func aSmallRoomLeavesInputBehind(version: Int32) throws {
    let peer = try TLSPeer(.unix(), version: version)
    let client = try peer.client()
    #expect(client.held() == [])
    peer.send(numbered(100))
    peer.send(numbered(100, from: 100))
    // What is in the socket is left there.
    #expect(client.held() == [])
    #expect(client.receive(10).1 == numbered(10))
    #expect(client.held(20) == numbered(20, from: 10))
    #expect(client.held() == numbered(70, from: 30))
    var rest = client.held()
    #expect(!rest.isEmpty || isReadable(client.descriptor))
    while case (.bytes, let more) = client.receive(30) { rest += more }
    #expect(rest == numbered(100, from: 100))
    #expect(client.held() == [])
    #expect(client.receive(1).0 == .wouldBlock(.read))
    client.destroy()
  }

  @Test(arguments: versions)
  func halfARecordIsNoInput(version: Int32) throws {
    let chopper = Chopper()
    let peer = try TLSPeer(.unix(), version: version)
    let client = try peer.client()
    peer.send(numbered(1000))
    chopper.slice = 300
    Seam.with(chopper) {
      #expect(client.receive(0).0 == .bytes(0))
      #expect(client.receive(1000).1 == numbered(1000))
    }
    #expect(client.held() == [])
    client.destroy()
  }

  @Test(arguments: versions, [true, false])
  func theEnd(version: Int32, goodbye: Bool) throws {
    let peer = try TLSPeer(.unix(), version: version)
    let client = try peer.client()
    peer.send([1, 2, 3])
    if goodbye { peer.sayGoodbye() }
    #expect(CSystem.shutdown(peer.pair.far, system_shut_both) == 0)
    #expect(client.peekEnd() == .data)
    #expect(client.hasPeerFinished() == goodbye || client.hasPeerFinished())
    #expect(client.receive().1 == [1, 2, 3])
    #expect(client.receive().0 == .closed)
    #expect(client.receive().0 == .closed)
    #expect(ERR_peek_error() == 0)
    client.destroy()
  }

  @Test func garbageEndsEverything() throws {
    let peer = try TLSPeer(.unix())
    let client = try peer.client()
    peer.send([1])
    peer.sendPlain(numbered(100))
    #expect(client.receive().1 == [1])
    #expect(client.receive().0 == .failed(errno: EPROTO))
    #expect(client.receive().0 == .failed(errno: EPROTO))
    #expect(client.send([[1]]) == .failed(errno: EPROTO))
    #expect(Transport.tls(client).status(of: EPROTO) == .sslError)
    #expect(ERR_peek_error() == 0)
    client.destroy()
  }

  // MARK: Looking ahead

  @Test(arguments: versions)
  func peekingTakesNothing(version: Int32) throws {
    let peer = try TLSPeer(.unix(), version: version)
    let client = try peer.client()
    #expect(client.peek().0 == .wouldBlock(.read))
    for start in [0, 10, 20] { peer.send(numbered(10, from: start)) }
    #expect(client.peek().1 == numbered(30))
    #expect(isReadable(client.descriptor))
    #expect(client.held() == [])
    peer.send(numbered(70, from: 30))
    #expect(client.peek(5).1 == numbered(5))
    #expect(client.peek().1 == numbered(100))
    #expect(client.receive(25).1 == numbered(25))
    peer.send(numbered(20, from: 100))
    var rest = client.held(10)
    #expect(rest == numbered(10, from: 25))
    while case (.bytes, let more) = client.receive(7) { rest += more }
    #expect(rest == numbered(95, from: 25))
    #expect(client.held() == [])
    client.destroy()
  }

  @Test(arguments: versions)
  func peekingHasALimit(version: Int32) throws {
    let peer = try TLSPeer(.unix(), version: version)
    let client = try peer.client()
    for index in 0..<12 { peer.send(numbered(10_000, from: index * 10_000)) }
    #expect(client.peek(65_536).1 == numbered(8192))
    #expect(client.state.pointee.credit <= 32_768)
    #expect(isReadable(client.descriptor))
    var all: [UInt8] = []
    while case (.bytes, let more) = client.receive() { all += more }
    #expect(all == numbered(120_000))
    client.destroy()
  }

  // MARK: The end

  @Test func closingSaysGoodbyeOnce() throws {
    let peer = try TLSPeer(.unix())
    let copy = dup(peer.pair.near)
    let client = try peer.client()
    client.close()
    client.close()
    #expect(client.descriptor == -1)
    #expect(client.send([[1]]) == .failed(errno: EBADF))
    #expect(client.receive().0 == .failed(errno: EBADF))
    #expect(peer.received() == [])
    #expect(peer.hasHeardGoodbye)
    #expect(ERR_peek_error() == 0)
    // The pair closes the number again.
    #expect(dup2(copy, peer.pair.near) == peer.pair.near)
    CSystem.close(copy)
    client.destroy()
  }

  private func dropping(_ count: Int, _ pieces: [[UInt8]]) -> [[UInt8]] {
    var left = count
    return pieces.compactMap { piece in
      let cut = min(left, piece.count)
      left -= cut
      return cut == piece.count && cut > 0 ? nil : Array(piece[cut...])
    }
  }
}
