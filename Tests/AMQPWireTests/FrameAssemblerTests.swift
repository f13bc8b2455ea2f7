import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

/// What the assembler said, with the payload copied out of its buffer.
enum Said: Equatable {
  case frame(UInt8, UInt16, [UInt8])
  case protocolHeader([UInt8])
  case incomplete
  case malformed

  init(_ assembly: Assembly) {
    switch assembly {
    case .frame(let view): self = .frame(view.type, view.channel, Array(view.payload))
    case .protocolHeader(let view): self = .protocolHeader(Array(view.payload))
    case .incomplete: self = .incomplete
    case .malformed: self = .malformed
    }
  }
}

func frame(_ type: UInt8, _ channel: UInt16, _ payload: [UInt8], end: UInt8 = 0xCE) -> [UInt8] {
  [type] + big(channel) + big(UInt32(payload.count)) + payload + [end]
}

extension FrameAssembler {
  /// Puts octets into as much room as there is, as often as needed.
  mutating func take(_ octets: some Collection<UInt8>) {
    var rest = ArraySlice(octets)
    while !rest.isEmpty {
      guard let room = room() else {
        Issue.record("no room")
        return
      }
      #expect(room.count >= 1)
      let count = min(room.count, rest.count)
      room.copyBytes(from: rest.prefix(count))
      filled(count)
      rest = rest.dropFirst(count)
    }
  }

  mutating func drain(frameMax: UInt32 = 131072, channelMax: UInt16 = 2047) -> [Said] {
    var said: [Said] = []
    while true {
      let one = Said(next(frameMax: frameMax, channelMax: channelMax))
      if one == .incomplete { return said }
      said.append(one)
      if one == .malformed { return said }
    }
  }
}

@Suite struct FrameAssemblerTests {
  private let stream: [UInt8] =
    frame(1, 0, [0, 10, 0, 10]) + frame(8, 0, []) + frame(2, 7, [UInt8](repeating: 1, count: 14))
    + frame(3, 7, Array(0..<100)) + frame(3, 2047, []) + frame(1, 1, [0, 60, 0, 60, 0xCE, 0xCE])
  private let frames: [Said] = [
    .frame(1, 0, [0, 10, 0, 10]), .frame(8, 0, []), .frame(2, 7, [UInt8](repeating: 1, count: 14)),
    .frame(3, 7, Array(0..<100)), .frame(3, 2047, []), .frame(1, 1, [0, 60, 0, 60, 0xCE, 0xCE]),
  ]

  @Test func whole() {
    var assembler = FrameAssembler()
    assembler.take(stream)
    #expect(assembler.bufferedBytes == stream.count)
    #expect(assembler.drain() == frames)
    #expect(assembler.bufferedBytes == 0 && !assembler.isMidFrame)
    #expect(assembler.drain() == [])
  }

  @Test func octetByOctet() {
    var assembler = FrameAssembler()
    var said: [Said] = []
    for octet in stream {
      assembler.take([octet])
      said += assembler.drain()
    }
    #expect(said == frames)
  }

  @Test func everySplitInTwo() {
    for split in 0...stream.count {
      var assembler = FrameAssembler()
      assembler.take(stream[..<split])
      var said = assembler.drain()
      #expect(said == Array(frames.prefix(said.count)))
      assembler.take(stream[split...])
      said += assembler.drain()
      #expect(said == frames, "split at \(split)")
    }
  }

  @Test func everySplitInThree() {
    let stream = frame(1, 0, [0, 10, 0, 10]) + frame(8, 0, []) + frame(3, 7, [1, 2, 3])
    for first in 0...stream.count {
      for second in first...stream.count {
        var assembler = FrameAssembler()
        var said: [Said] = []
        for piece in [stream[..<first], stream[first..<second], stream[second...]] {
          assembler.take(piece)
          said += assembler.drain()
        }
        #expect(said == [.frame(1, 0, [0, 10, 0, 10]), .frame(8, 0, []), .frame(3, 7, [1, 2, 3])])
      }
    }
  }

  @Test func aViewLiesInTheBufferAndHoldsUntilTheNextRoom() throws {
    var assembler = FrameAssembler()
    assembler.take(frame(3, 1, [1, 2, 3]) + frame(3, 1, [4, 5, 6]))
    guard case .frame(let first) = assembler.next(frameMax: 4096, channelMax: 10),
      case .frame(let second) = assembler.next(frameMax: 4096, channelMax: 10)
    else {
      Issue.record("no frames")
      return
    }
    #expect(Array(first.payload) == [1, 2, 3] && Array(second.payload) == [4, 5, 6])
    #expect(second.payload.baseAddress! - first.payload.baseAddress! == 11)
  }

  @Test func whatIsMissing() {
    var assembler = FrameAssembler()
    #expect(assembler.missingBytes == 7 && !assembler.isMidFrame)
    let octets = frame(3, 1, [1, 2, 3, 4, 5])
    for (index, octet) in octets.enumerated() {
      let expected = index < 7 ? 7 - index : octets.count - index
      #expect(assembler.missingBytes == expected)
      assembler.take([octet])
      if index < octets.count - 1 {
        #expect(Said(assembler.next(frameMax: 4096, channelMax: 10)) == .incomplete)
        #expect(assembler.isMidFrame == true)
      }
    }
    #expect(assembler.missingBytes == 0)
    #expect(Said(assembler.next(frameMax: 4096, channelMax: 10)) == .frame(3, 1, [1, 2, 3, 4, 5]))
    #expect(assembler.missingBytes == 7)
  }

  /// As `amqp_handle_input` feeds it: never more than is missing.
  @Test func fedWithWhatIsMissing() {
    var assembler = FrameAssembler()
    var (rest, said) = (ArraySlice(stream), [Said]())
    while !rest.isEmpty {
      let count = min(assembler.missingBytes, rest.count)
      #expect(count > 0)
      assembler.take(rest.prefix(count))
      rest = rest.dropFirst(count)
      let one = Said(assembler.next(frameMax: 131072, channelMax: 2047))
      if one != .incomplete {
        said.append(one)
        #expect(assembler.bufferedBytes == 0)
      }
    }
    #expect(said == frames)
  }

  // MARK: Limits

  private func said(_ octets: [UInt8], frameMax: UInt32 = 4096, channelMax: UInt16 = 10) -> [Said] {
    var assembler = FrameAssembler()
    assembler.take(octets)
    return assembler.drain(frameMax: frameMax, channelMax: channelMax)
  }

  @Test func frameMaxCountsTheWholeFrame() {
    for (count, fits) in [(4087, true), (4088, true), (4089, false)] {
      let payload = [UInt8](repeating: 7, count: count)
      #expect(said(frame(3, 1, payload)) == [fits ? .frame(3, 1, payload) : .malformed])
    }
    #expect(said([3, 0, 1] + big(UInt32(4089))) == [.malformed], "as soon as the size is there")
    #expect(said([3, 0, 1] + big(UInt32.max)) == [.malformed])
    #expect(said([3, 0, 1] + big(UInt32.max), frameMax: .max) == [.malformed])
    #expect(said([3, 0, 1] + big(UInt32.max), frameMax: 0) == [], "0 is no limit")
    for frameMax in [1, 7, 8] as [UInt32] {
      #expect(said(frame(3, 1, []), frameMax: frameMax) == [frameMax == 8 ? .frame(3, 1, []) : .malformed])
    }
  }

  @Test func channels() {
    for (channel, fits) in [(0, true), (9, true), (10, true), (11, false), (65535, false)] as [(UInt16, Bool)] {
      #expect(said(frame(3, channel, [1])) == [fits ? .frame(3, channel, [1]) : .malformed])
    }
    #expect(said(frame(3, 65535, []), channelMax: 65535) == [.frame(3, 65535, [])])
    #expect(said(frame(3, 1, []), channelMax: 0) == [.malformed])
  }

  @Test func types() {
    let payload = [UInt8](repeating: 0, count: 12)
    for type in UInt8(0)...255 {
      let known = [1, 2, 3].contains(type)
      #expect(said(frame(type, 1, payload)) == [known ? .frame(type, 1, payload) : .malformed], "\(type)")
    }
  }

  @Test func shortPayloads() {
    for count in 0...14 {
      let payload = [UInt8](repeating: 0, count: count)
      #expect(said(frame(1, 1, payload)) == [count >= 4 ? .frame(1, 1, payload) : .malformed])
      #expect(said(frame(2, 1, payload)) == [count >= 12 ? .frame(2, 1, payload) : .malformed])
      #expect(said(frame(3, 1, payload)) == [.frame(3, 1, payload)])
    }
  }

  @Test func heartbeats() {
    #expect(said(frame(8, 0, [])) == [.frame(8, 0, [])])
    #expect(said(frame(8, 1, [])) == [.malformed])
    #expect(said(frame(8, 0, [0])) == [.malformed])
  }

  @Test func endOctets() {
    for end in UInt8(0)...255 where end != 0xCE {
      #expect(said(frame(3, 1, [1, 2], end: end)) == [.malformed])
      #expect(said(frame(8, 0, [], end: end)) == [.malformed])
    }
  }

  @Test func malformedIsForEver() {
    let broken: [[UInt8]] = [
      frame(9, 1, []), frame(3, 11, []), frame(8, 1, []), frame(1, 1, [0]), frame(3, 1, [1], end: 0),
      frame(3, 1, [UInt8](repeating: 0, count: 4089)), Array("HTTP/1.1 400".utf8),
    ]
    for octets in broken {
      var assembler = FrameAssembler()
      assembler.take(frame(3, 1, [5]) + octets)
      #expect(assembler.drain(frameMax: 4096, channelMax: 10) == [.frame(3, 1, [5]), .malformed])
      assembler.take(frame(3, 1, [6]) + frame(3, 1, [7]))
      for _ in 0..<3 { #expect(assembler.drain(frameMax: 4096, channelMax: 10) == [.malformed]) }
      #expect(assembler.drain(frameMax: 0, channelMax: 65535) == [.malformed], "with other limits too")
      assembler.reset()
      assembler.take(frame(3, 1, [8]))
      #expect(assembler.drain() == [.frame(3, 1, [8])])
    }
  }

  @Test func everyOctetOfAFrameFlipped() {
    let good = frame(1, 1, [0, 60, 0, 60])
    for index in 0..<good.count {
      for bit in 0..<8 {
        var octets = good
        octets[index] ^= 1 << bit
        let result = said(octets + [UInt8](repeating: 0, count: 8))
        let isPayload = (7..<11).contains(index)
        if isPayload {
          #expect(result.first == .frame(1, 1, Array(octets[7..<11])))
        } else if index == 2, UInt16(octets[2]) <= 10 {
          #expect(result.first == .frame(1, UInt16(octets[2]), [0, 60, 0, 60]))
        } else if index == 0, octets[0] == 3 {
          #expect(result.first == .frame(3, 1, [0, 60, 0, 60]))
        } else {
          #expect(result == [.malformed] || result == [], "octet \(index) bit \(bit): \(result)")
        }
      }
    }
  }

  // MARK: Protocol headers

  @Test func aProtocolHeaderIsTheFirstThing() {
    let header = Array("AMQP".utf8) + [0, 0, 9, 1]
    #expect(said(header) == [.protocolHeader(header)])
    #expect(said(header + frame(3, 1, [1])) == [.protocolHeader(header), .frame(3, 1, [1])])
    #expect(said(header + header) == [.protocolHeader(header), .malformed])
    #expect(said(frame(3, 1, []) + header) == [.frame(3, 1, []), .malformed])
    for count in 0..<8 { #expect(said(Array(header.prefix(count))) == []) }
    var assembler = FrameAssembler()
    var heard: [Said] = []
    for (index, octet) in header.enumerated() {
      assembler.take([octet])
      heard += assembler.drain()
      if index < 7 { #expect(assembler.missingBytes == 7 - index) }
    }
    #expect(heard == [.protocolHeader(header)])
  }

  @Test func whatIsNearlyAProtocolHeader() {
    #expect(said(Array("AMQX".utf8)) == [.malformed], "as soon as it can be seen")
    #expect(said(Array("AB".utf8)) == [.malformed])
    #expect(said(Array("BMQP\0\0\u{9}\u{1}".utf8)) == [.malformed])
    #expect(said(Array("amqp\0\0\u{9}\u{1}".utf8)) == [.malformed])
  }

  // MARK: The buffer

  @Test func framesUpToAMegabyteFitAtOnce() {
    for size in [100, 16 * 1024, 131064, 1 << 20] {
      var assembler = FrameAssembler()
      let whole = frame(3, 1, (0..<size).map { UInt8(truncatingIfNeeded: $0) })
      assembler.take(whole.prefix(7))
      #expect(assembler.drain(frameMax: 0) == [])
      let room = assembler.room()
      #expect((room?.count ?? 0) >= min(whole.count, 1 << 20) - 7)
      assembler.take(whole.dropFirst(7))
      #expect(assembler.drain(frameMax: 0) == [.frame(3, 1, Array(whole[7..<(7 + size)]))])
    }
  }

  @Test func memoryGrowsWithWhatHasArrived() {
    var assembler = FrameAssembler()
    assembler.take([3, 0, 1] + big(UInt32(0x7FFF_FFF0)))
    #expect(assembler.drain(frameMax: 0) == [])
    let room = assembler.room()
    #expect((room?.count ?? 0) <= FrameAssembler.trustedOctets, "2 GB were announced and 7 octets came")
    let chunk = [UInt8](repeating: 0, count: 1 << 20)
    for _ in 0..<5 {
      assembler.take(chunk)
      #expect(assembler.drain(frameMax: 0) == [])
    }
    #expect((assembler.room()?.count ?? 0) <= 16 << 20)
  }

  @Test func aLargeBufferIsGivenBackAfterAWhile() {
    var assembler = FrameAssembler()
    let large = frame(3, 1, [UInt8](repeating: 1, count: 131064))
    for _ in 0..<100 {
      assembler.take(large)
      #expect(assembler.drain().count == 1)
    }
    #expect((assembler.room()?.count ?? 0) > FrameAssembler.initialCapacity, "not while large frames come")
    for _ in 0..<FrameAssembler.patience {
      assembler.take(frame(8, 0, []))
      #expect(assembler.drain() == [.frame(8, 0, [])])
    }
    #expect(assembler.room()?.count == FrameAssembler.initialCapacity)
  }

  @Test func aReaderThatFillsTheRoomGetsMore() {
    var assembler = FrameAssembler()
    var sizes: [Int] = []
    for _ in 0..<8 {
      guard let room = assembler.room() else { return }
      sizes.append(room.count)
      // Every size is a multiple of this frame's.
      let whole = frame(3, 1, [UInt8](repeating: 0, count: 2040))
      for start in stride(from: 0, to: room.count, by: whole.count) {
        UnsafeMutableRawBufferPointer(rebasing: room[start...]).copyBytes(from: whole)
      }
      assembler.filled(room.count)
      #expect(assembler.drain().count == room.count / whole.count)
    }
    #expect(sizes.first == FrameAssembler.initialCapacity)
    #expect(sizes.last == FrameAssembler.streamingCapacity)
    #expect(sizes == sizes.sorted())
  }

  @Test func aFrameIsPutBack() {
    let header = Array("AMQP".utf8) + [0, 0, 9, 1]
    var assembler = FrameAssembler()
    assembler.take(header + stream)
    for expected in [.protocolHeader(header)] + frames {
      for time in 0..<3 {
        let assembly = assembler.next(frameMax: 131072, channelMax: 2047)
        #expect(Said(assembly) == expected)
        switch assembly {
        case .frame(let view), .protocolHeader(let view): if time < 2 { assembler.putBack(view) }
        case .incomplete, .malformed: return
        }
      }
    }
    #expect(assembler.drain() == [])
  }

  @Test func aLookAtWhatIsThere() {
    var assembler = FrameAssembler()
    #expect(assembler.buffered.count == 0)
    assembler.take(frame(3, 1, [1]) + [3, 0])
    #expect(Array(assembler.buffered) == frame(3, 1, [1]) + [3, 0])
    #expect(assembler.drain() == [.frame(3, 1, [1])])
    #expect(Array(assembler.buffered) == [3, 0])
  }

  @Test func theRestOfAFrameGoesToTheFront() {
    var assembler = FrameAssembler()
    let whole = frame(3, 1, [UInt8](repeating: 0, count: 992))
    for round in 0..<40 {
      assembler.take(whole.prefix(600))
      for _ in 0..<14 { assembler.take(whole.dropFirst(600) + whole.prefix(600)) }
      #expect(assembler.drain().count == 14)
      let (room, buffered) = (assembler.room()?.count ?? 0, assembler.bufferedBytes)
      #expect(room + buffered == FrameAssembler.initialCapacity, "in round \(round)")
      assembler.take(whole.dropFirst(600))
      #expect(assembler.drain().count == 1)
    }
  }

  @Test func thereIsRoomEvenForAReaderThatTakesNoFrames() {
    var assembler = FrameAssembler()
    for _ in 0..<50 {
      guard let room = assembler.room() else { return }
      #expect(room.count > 0)
      room.initializeMemory(as: UInt8.self, repeating: 0)
      assembler.filled(room.count)
      if assembler.bufferedBytes > 1 << 24 { return }
    }
    Issue.record("the buffer grows by too little")
  }

  @Test func filledIsTakenWithCare() {
    var assembler = FrameAssembler()
    assembler.filled(100)
    #expect(assembler.bufferedBytes == 0)
    let room = assembler.room()!.count
    assembler.filled(-5)
    #expect(assembler.bufferedBytes == 0)
    assembler.filled(Int.max)
    #expect(assembler.bufferedBytes == room)
  }

  @Test func aRandomStreamInRandomPieces() {
    var random = Random(state: 3)
    for _ in 0..<20 {
      var (stream, expected): ([UInt8], [Said]) = ([], [])
      for _ in 0..<60 {
        let size = [0, 5, 100, 4000, 20000, 131064].randomElement(using: &random)!
        let payload = [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: size)
        stream += frame(3, 5, payload)
        expected.append(.frame(3, 5, payload))
      }
      var assembler = FrameAssembler()
      var (heard, rest) = ([Said](), ArraySlice(stream))
      while !rest.isEmpty {
        let room = assembler.room()!
        let count = min(Int.random(in: 1...room.count, using: &random), rest.count)
        room.copyBytes(from: rest.prefix(count))
        assembler.filled(count)
        rest = rest.dropFirst(count)
        heard += assembler.drain()
      }
      #expect(heard == expected)
    }
  }
}
