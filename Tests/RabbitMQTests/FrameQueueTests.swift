import AMQPWire
import CRabbitMQ
import Testing

@testable import RabbitMQ

@Suite("The frame queue")
struct FrameQueueTests {
  /// A queue beside an array that does the same.
  private struct Both: ~Copyable {
    var queue = FrameQueue()
    var model: [UInt16] = []

    mutating func append(_ number: UInt16) {
      let hasRoom = queue.reserve()
      #expect(hasRoom)
      queue.append(frame(number))
      model.append(number)
    }

    mutating func prepend(_ number: UInt16) {
      let hasRoom = queue.reserve()
      #expect(hasRoom)
      queue.prepend(frame(number))
      model.insert(number, at: 0)
    }

    mutating func remove(at index: Int) {
      let removed = queue.remove(at: index)?.channel
      #expect(removed == model.remove(at: index))
    }

    func check(_ location: SourceLocation = #_sourceLocation) {
      let (count, isEmpty) = (queue.count, queue.isEmpty)
      #expect(count == model.count, sourceLocation: location)
      #expect(isEmpty == model.isEmpty, sourceLocation: location)
      let channels = (0..<queue.count).map { queue.frame(at: $0)?.pointee.channel }
      #expect(channels == model, sourceLocation: location)
    }

    private func frame(_ number: UInt16) -> amqp_frame_t {
      var frame = amqp_frame_t()
      frame.frame_type = Frame.body
      frame.channel = number
      return frame
    }
  }

  @Test("nothing is in it at first")
  func empty() {
    var queue = FrameQueue()
    let isEmpty = queue.isEmpty
    #expect(isEmpty)
    for index in [-1, 0, 1, Int.max, Int.min] {
      let found = queue.frame(at: index) != nil
      let removed = queue.remove(at: index) != nil
      #expect(!found && !removed)
    }
  }

  @Test("first in, first out, through growth and wherever the ring begins", arguments: 0...17)
  func order(_ start: Int) {
    var both = Both()
    for number in 0..<UInt16(start) { both.append(number) }
    for _ in 0..<start { both.remove(at: 0) }
    for number in 0..<100 as Range<UInt16> { both.append(number) }
    both.check()
    for _ in 0..<100 { both.remove(at: 0) }
    both.check()
  }

  @Test("put back goes first", arguments: 0...17)
  func putBack(_ count: Int) {
    var both = Both()
    for number in 0..<UInt16(count) { both.append(number) }
    for number in 100..<140 as Range<UInt16> { both.prepend(number) }
    both.check()
  }

  @Test("one taken out of the middle leaves the order of the others", arguments: 0..<20)
  func middle(_ index: Int) {
    for start in 0..<16 as Range<Int> {
      var both = Both()
      for number in 0..<UInt16(start) { both.append(number) }
      for _ in 0..<start { both.remove(at: 0) }
      for number in 0..<20 as Range<UInt16> { both.append(number) }
      both.remove(at: index)
      both.check()
      let isBehindTheEnd = both.queue.frame(at: 19) == nil
      #expect(isBehindTheEnd)
    }
  }

  @Test("any sequence of both", arguments: 1...20 as ClosedRange<UInt64>)
  func anySequence(_ seed: UInt64) {
    var random = Random(state: seed)
    var both = Both()
    for number in 0..<500 as Range<UInt16> {
      switch Int.random(in: 0..<5, using: &random) {
      case 0, 1: both.append(number)
      case 2: both.prepend(number)
      default: if let index = (0..<both.model.count).randomElement(using: &random) { both.remove(at: index) }
      }
    }
    both.check()
  }
}
