import AMQPBase
import AMQPWire
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

/// A queue with its spares, and the octets that it writes.
private final class Line {
  var spares = UnsafeMutablePointer<SpareBlocks>.allocate(capacity: 1)
  var queue: SendQueue
  let pieces = UnsafeMutableBufferPointer<iovec>.allocate(capacity: 4)

  init() {
    spares.initialize(to: SpareBlocks())
    queue = SendQueue(spares: spares)
  }

  deinit {
    queue.clear()
    while queue.takeReleased() != nil {}
    pieces.deallocate()
    spares.deinitialize(count: 1)
    spares.deallocate()
  }

  /// Writes all there is, as a socket does that takes at most `step` octets at once.
  func written(step: Int = .max) -> [UInt8] {
    var octets: [UInt8] = []
    while !queue.isEmpty {
      let count = queue.gather(pieces)
      var left = step
      for piece in pieces[..<count] {
        let taken = UnsafeRawBufferPointer(start: piece.iov_base, count: min(left, piece.iov_len))
        octets += taken
        left -= taken.count
      }
      queue.advance(step - left)
    }
    return octets
  }

  func publish(_ content: [UInt8], key: String = "key", frameMax: UInt32 = 4096, releaseOf counter: Counter? = nil)
    -> Status
  {
    var properties = amqp_basic_properties_t()
    properties._flags = 0x8000
    return withBytes("text/plain") { type in
      withBytes(key) { key in
        properties.content_type = type
        var publish = amqp_basic_publish_t()
        publish.routing_key = key
        guard let counter else {
          return content.withUnsafeBytes {
            queue.encode(&publish, properties: &properties, body: $0, channel: 7, frameMax: frameMax)
          }
        }
        let release = SendRelease(
          work: { _, _, context in Unmanaged<Counter>.fromOpaque(context!).takeUnretainedValue().count += 1 },
          bytes: counter.octets.baseAddress, length: counter.octets.count,
          context: Unmanaged.passUnretained(counter).toOpaque())
        return queue.encode(
          &publish, properties: &properties, body: UnsafeRawBufferPointer(counter.octets), channel: 7,
          frameMax: frameMax, release: release)
      }
    }
  }

  func giveBack() {
    while let release = queue.takeReleased() { release.work(release.bytes, release.length, release.context) }
  }
}

/// A body of the program's, and how often it came back.
private final class Counter {
  let octets: UnsafeMutableRawBufferPointer
  var count = 0

  init(_ content: [UInt8]) {
    octets = .allocate(byteCount: max(content.count, 1), alignment: 1)
    octets.copyBytes(from: content)
  }

  deinit { octets.deallocate() }
}

private func withBytes<R>(_ text: String, _ body: (amqp_bytes_t) -> R) -> R {
  var text = text
  return text.withUTF8 { body(amqp_bytes_t(UnsafeRawBufferPointer($0))) }
}

private func expected(_ content: [UInt8]) -> [UInt8] {
  method(7, AMQP_BASIC_PUBLISH_METHOD, [0, 0] + shortstr("") + shortstr("key") + [0]) + message(7, content)
}

@Suite struct SendQueueTests {
  private let sizes = [0, 1, 4087, 4088, 4089, 8176, 20_000, 70_000]

  @Test func messagesLeaveAsFramesInOrderHoweverTheSocketTakesThem() {
    for step in [1, 7, 4096, .max] {
      let line = Line()
      var wanted: [UInt8] = []
      for size in sizes where step > 1 || size < 9_000 {
        #expect(line.publish(pattern(size)) == .ok)
        wanted += expected(pattern(size))
      }
      let count = line.queue.count
      #expect(count == wanted.count)
      #expect(line.written(step: step) == wanted)
      let left = line.queue.gather(line.pieces)
      #expect(left == 0)
    }
  }

  @Test func aBodyByReferenceMakesTheSameFramesAndComesBackOnceItIsWritten() {
    for size in sizes where size > 0 {
      for step in [5, .max] {
        let line = Line()
        let counter = Counter(pattern(size))
        #expect(line.publish([], releaseOf: counter) == .ok)
        #expect(line.publish([1, 2, 3]) == .ok)
        line.giveBack()
        #expect(counter.count == 0)
        #expect(line.written(step: step) == expected(pattern(size)) + expected([1, 2, 3]))
        line.giveBack()
        line.giveBack()
        #expect(counter.count == 1)
      }
    }
  }

  @Test func whatIsRefusedLeavesNothing() {
    let line = Line()
    let counter = Counter(pattern(10_000))
    let long = String(repeating: "k", count: 256)
    #expect(line.publish([1]) == .ok)
    #expect(line.publish([2], key: long) == .badAMQPData)
    #expect(line.publish([], key: long, releaseOf: counter) == .badAMQPData)
    #expect(line.publish([3]) == .ok)
    #expect(line.written() == expected([1]) + expected([3]))
    line.giveBack()
    #expect(counter.count == 0, "a body that was refused is still the program's")
  }

  @Test func whatIsForgottenGivesBodiesBack() {
    let line = Line()
    let counter = Counter(pattern(10_000))
    #expect(line.publish([], releaseOf: counter) == .ok)
    line.queue.clear()
    line.giveBack()
    #expect(counter.count == 1)
    let isEmpty = line.queue.isEmpty
    #expect(isEmpty)
    #expect(line.publish([4]) == .ok)
    #expect(line.written() == expected([4]))
  }

  @Test func aPasswordDoesNotStayInABlockThatIsUsedAgain() {
    let line = Line()
    #expect(line.publish(Array("secret".utf8)) == .ok)
    line.queue.markSecret()
    let count = line.queue.gather(line.pieces)
    #expect(count == 1)
    let octets = UnsafeRawBufferPointer(start: line.pieces[0].iov_base, count: line.pieces[0].iov_len)
    line.queue.advance(octets.count)
    #expect(octets.allSatisfy { $0 == 0 })
  }
}
