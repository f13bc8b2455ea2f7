import CRabbitMQ
import Testing

@testable import AMQPWire

/// A buffer that a reader lends, with what it lent before made unreadable.
private final class Lender {
  let buffer: UnsafeMutableRawBufferPointer

  init(_ count: Int) {
    buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
    scribble()
  }

  deinit { buffer.deallocate() }

  func scribble() { for index in buffer.indices { buffer[index] = 0xEE } }

  func holds(_ payload: UnsafeRawBufferPointer) -> Bool {
    guard let start = payload.baseAddress, let base = buffer.baseAddress else { return false }
    return start >= UnsafeRawPointer(base) && start < UnsafeRawPointer(base) + buffer.count
  }
}

private func frame(_ channel: UInt16, _ payload: [UInt8]) -> [UInt8] {
  [3] + big(channel) + big(UInt32(payload.count)) + payload + [0xCE]
}

@Suite struct LentBufferTests {
  /// Reads `octets` in one turn of a loop; answers the payloads, and whether all of them lay in the lent buffer.
  private func turn(
    _ assembler: inout FrameAssembler, _ lender: Lender, _ octets: ArraySlice<UInt8>
  ) -> (payloads: [[UInt8]], inPlace: Bool) {
    var payloads: [[UInt8]] = []
    var inPlace = true
    var rest = octets
    assembler.borrow(lender.buffer)
    repeat {
      guard let room = assembler.room() else { break }
      let count = min(room.count, rest.count)
      room.copyBytes(from: rest.prefix(count))
      assembler.filled(count)
      rest = rest.dropFirst(count)
      while case .frame(let view) = assembler.next(frameMax: 1 << 20, channelMax: 10) {
        payloads.append(Array(view.payload))
        inPlace = inPlace && lender.holds(view.payload)
      }
    } while !rest.isEmpty
    let isSettled = assembler.settle()
    #expect(isSettled)
    lender.scribble()
    return (payloads, inPlace)
  }

  @Test func framesLieInTheLentBufferAndAPartOfOneOutlivesIt() {
    let contents: [[UInt8]] = [Array(0..<40), [], Array(100..<200), [7]]
    let stream = contents.flatMap { frame(1, $0) }
    for cut in 0...stream.count {
      let lender = Lender(512)
      var assembler = FrameAssembler()
      let first = turn(&assembler, lender, stream[..<cut])
      let second = turn(&assembler, lender, stream[cut...])
      #expect(first.payloads + second.payloads == contents)
      #expect(first.inPlace && second.inPlace)
      #expect(assembler.bufferedBytes == 0)
    }
  }

  @Test func aFrameThatTheLentBufferCannotHoldIsAssembledElsewhere() {
    let large = [UInt8](repeating: 5, count: 5_000)
    let stream = frame(1, [1]) + frame(1, large) + frame(1, [2])
    for cut in stride(from: 0, through: stream.count, by: 97) {
      let lender = Lender(512)
      var assembler = FrameAssembler()
      let said = turn(&assembler, lender, stream[..<cut]).payloads + turn(&assembler, lender, stream[cut...]).payloads
      #expect(said == [[1], large, [2]])
      let next = turn(&assembler, lender, frame(1, [3])[...])
      #expect(next.inPlace, "the large buffer is gone")
    }
  }

  @Test func whatWasAbandonedIsForgotten() {
    let lender = Lender(512)
    var assembler = FrameAssembler()
    _ = turn(&assembler, lender, frame(1, Array(0..<50))[..<20])
    assembler.abandon()
    let first = turn(&assembler, lender, frame(2, [9])[...])
    #expect(first.payloads == [[9]])
    assembler.borrow(lender.buffer)
    assembler.abandon()
    let second = turn(&assembler, lender, frame(2, [8])[...])
    #expect(second.payloads == [[8]])
  }
}
