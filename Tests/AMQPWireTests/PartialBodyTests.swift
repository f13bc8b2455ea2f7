// A body frame that is taken in parts.

import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

@Suite struct PartialBodyTests {
  private let payload = (0..<100).map { UInt8($0) }

  /// An assembler with the first octets of a body frame, `next` asked once.
  private func withPartial(_ count: Int, _ body: (inout FrameAssembler) -> Void) {
    var assembler = FrameAssembler()
    assembler.take(frame(8, 0, []) + frame(3, 7, payload).prefix(count))
    #expect(Said(assembler.next(frameMax: 131072, channelMax: 2047)) == .frame(8, 0, []))
    #expect(Said(assembler.next(frameMax: 131072, channelMax: 2047)) == .incomplete)
    body(&assembler)
  }

  @Test func tellsWhatHasArrived() {
    withPartial(37) { assembler in
      #expect(assembler.partialBody?.channel == 7)
      #expect(assembler.partialBody.map { Array($0.arrived) } == Array(payload.prefix(30)))
      #expect(assembler.partialBody?.missing == 70)
    }
    withPartial(6) { #expect($0.partialBody == nil) }
    withPartial(107) { #expect($0.partialBody == nil) }
  }

  @Test func whatIsLeftIsAShorterFrame() {
    for (arrived, taken) in [(0, 1), (0, 99), (30, 1), (30, 30), (30, 31), (30, 99)] {
      withPartial(7 + arrived) { assembler in
        assembler.shorten(by: taken)
        #expect(assembler.missingBytes == 101 - max(arrived, taken))
        assembler.take(frame(3, 7, payload).dropFirst(7 + max(arrived, taken)) + frame(1, 1, [0, 60, 0, 60]))
        #expect(assembler.drain() == [.frame(3, 7, Array(payload.dropFirst(taken))), .frame(1, 1, [0, 60, 0, 60])])
      }
    }
  }

  @Test func theLastOctetStays() {
    withPartial(37) { assembler in
      assembler.shorten(by: 100)
      #expect(assembler.partialBody?.missing == 70)
    }
  }

  @Test func whatComesElsewhereNeedsNoRoom() {
    var assembler = FrameAssembler()
    assembler.take(frame(3, 7, [UInt8](repeating: 1, count: 131_064)).prefix(7))
    #expect(Said(assembler.next(frameMax: 131072, channelMax: 2047)) == .incomplete)
    let room = assembler.room(elsewhere: 131_063)
    #expect(room.map { $0.count } == FrameAssembler.initialCapacity - 7)
  }
}
