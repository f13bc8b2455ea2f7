import AMQPBase
import AMQPWire
import CRabbitMQ
import Testing

@testable import RabbitMQ

/// A content that arrives in a buffer which is used again for each read.
private final class Arrival {
  var content = EventContent()
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
  private var used = 0

  var isActive: Bool { content.isActive }
  var isComplete: Bool { content.isComplete }

  deinit { buffer.deallocate() }

  func place(_ octets: [UInt8]) -> UnsafeRawBufferPointer {
    let start = used
    used += octets.count
    buffer[start..<used].copyBytes(from: octets)
    return UnsafeRawBufferPointer(rebasing: buffer[start..<used])
  }

  /// The next read writes over everything.
  func read() -> Bool {
    let kept = content.keep()
    buffer.initializeMemory(as: UInt8.self, repeating: 0xEE)
    used = 0
    return kept
  }

  func isBorrowed(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.baseAddress, let base = buffer.baseAddress else { return false }
    return start >= base && start < base + buffer.count
  }
}

private let arguments: [UInt8] = [1, 2, 3, 4]
private let properties: [UInt8] = [0x80, 0, 1, 120]

private func header(_ size: UInt8, classID: UInt8 = 60) -> [UInt8] {
  [0, classID, 0, 0, 0, 0, 0, 0, 0, 0, 0, size] + properties
}

/// A message of three body frames with a read before those frames that are named, by their place.
private func assemble(readBefore places: Set<Int>) -> (Arrival, Bool) {
  let arrival = Arrival()
  var isGood = arrival.content.begin(amqp_basic_deliver_t.id, arrival.place(arguments)).isOK
  if places.contains(0) { isGood = arrival.read() && isGood }
  isGood = arrival.content.receiveHeader(arrival.place(header(9)), bodyMax: 9).isOK && isGood
  for (index, piece) in [[1, 2, 3, 4], [5], [6, 7, 8, 9]].enumerated() {
    if places.contains(index + 1) { isGood = arrival.read() && isGood }
    isGood = arrival.content.receiveBody(arrival.place(piece.map { UInt8($0) })).isOK && isGood
  }
  return (arrival, isGood)
}

@Test func aContentInOneReadIsBorrowedWhole() {
  let arrival = Arrival()
  #expect(arrival.content.begin(amqp_basic_deliver_t.id, arrival.place(arguments)).isOK)
  #expect(arrival.content.receiveHeader(arrival.place(header(3)), bodyMax: 0).isOK)
  #expect(!arrival.isComplete)
  #expect(arrival.content.receiveBody(arrival.place([7, 8, 9])).isOK)
  #expect(arrival.isComplete)
  #expect(arrival.isBorrowed(arrival.content.arguments))
  #expect(arrival.isBorrowed(arrival.content.propertyList))
  #expect(arrival.isBorrowed(arrival.content.body))
  #expect(Array(arrival.content.body) == [7, 8, 9])
  arrival.content.discard()
  #expect(!arrival.isActive)
}

@Test func aContentOutlivesEveryRead() {
  for choice in 0..<16 {
    let places = Set((0..<4).filter { choice & 1 << $0 != 0 })
    let (arrival, isGood) = assemble(readBefore: places)
    #expect(isGood && arrival.isComplete, "\(places)")
    #expect(Array(arrival.content.arguments) == arguments, "\(places)")
    #expect(Array(arrival.content.propertyList) == properties, "\(places)")
    #expect(Array(arrival.content.body) == [1, 2, 3, 4, 5, 6, 7, 8, 9], "\(places)")
    arrival.content.discard()
    #expect(arrival.content.begin(amqp_basic_return_t.id, arrival.place(arguments)).isOK)
  }
}

@Test func whatWasKeptOfOneMessageIsNotTakenForTheNext() {
  let arrival = Arrival()
  // Cut off behind its header, and announced without arguments: nothing but the property list was kept.
  #expect(arrival.content.begin(amqp_basic_deliver_t.id, arrival.place([])).isOK)
  #expect(arrival.content.receiveHeader(arrival.place(header(9)), bodyMax: 9).isOK)
  #expect(arrival.read())
  arrival.content.discard()
  #expect(arrival.content.begin(amqp_basic_deliver_t.id, arrival.place(arguments)).isOK)
  #expect(arrival.content.receiveHeader(arrival.place(header(9)), bodyMax: 9).isOK)
  #expect(arrival.read())
  #expect(!arrival.isBorrowed(arrival.content.propertyList))
  #expect(Array(arrival.content.propertyList) == properties)
}

@Test func anEmptyBodyIsCompleteWithItsHeader() {
  let arrival = Arrival()
  #expect(arrival.content.begin(amqp_basic_get_ok_t.id, arrival.place(arguments)).isOK)
  #expect(arrival.content.receiveHeader(arrival.place(header(0)), bodyMax: 1).isOK)
  #expect(arrival.isComplete && arrival.content.body.count == 0)
}

@Test func whatDoesNotFitIsTheBrokersFault() {
  let arrival = Arrival()
  #expect(arrival.content.receiveBody(arrival.place([1])) == .unexpectedState)
  #expect(arrival.content.receiveHeader(arrival.place(header(3)), bodyMax: 0) == .unexpectedState)
  #expect(arrival.content.begin(amqp_basic_deliver_t.id, arrival.place(arguments)).isOK)
  #expect(arrival.content.begin(amqp_basic_deliver_t.id, arrival.place(arguments)) == .unexpectedState)
  #expect(arrival.content.receiveBody(arrival.place([1])) == .unexpectedState)
  #expect(arrival.content.receiveHeader(arrival.place(header(3)), bodyMax: 2) == .badAMQPData)
  #expect(arrival.content.receiveHeader(arrival.place(header(3, classID: 50)), bodyMax: 3) == .badAMQPData)
  #expect(arrival.content.receiveHeader(arrival.place(header(3)), bodyMax: 3).isOK)
  #expect(arrival.content.receiveHeader(arrival.place(header(3)), bodyMax: 3) == .unexpectedState)
  #expect(arrival.content.receiveBody(arrival.place([1, 2, 3, 4])) == .badAMQPData)
}
