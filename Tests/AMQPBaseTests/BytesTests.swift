import CMemory
import CRabbitMQ
import Testing

@testable import AMQPBase

@Suite struct BytesTests {
  private var nowhere: UnsafeMutableRawPointer { UnsafeMutableRawPointer(bitPattern: 16)! }

  @Test func emptyIsNullAndNothing() {
    #expect(amqp_bytes_t.empty.len == 0)
    #expect(amqp_bytes_t.empty.bytes == nil)
    #expect(amqp_bytes_t.empty.buffer.count == 0)
  }

  @Test func borrowsWithoutACopy() {
    [UInt8]("routing".utf8).withUnsafeBytes { source in
      let bytes = amqp_bytes_t(source)
      #expect(bytes.len == 7)
      #expect(bytes.bytes == UnsafeMutableRawPointer(mutating: source.baseAddress))
      #expect(bytes.buffer.baseAddress == source.baseAddress)
      #expect(bytes.buffer.count == 7)
    }
    #expect(amqp_bytes_t(UnsafeRawBufferPointer(start: nil, count: 0)).bytes == nil)
  }

  @Test func whatCannotBeReadHasNoBytes() {
    #expect(amqp_bytes_t(len: 5, bytes: nil).buffer.count == 0)
    #expect(amqp_bytes_t(len: .max, bytes: nil).buffer.count == 0)
    #expect(amqp_bytes_t(len: 0, bytes: nowhere).buffer.count == 0)
    #expect(amqp_bytes_t(len: 0, bytes: nowhere).buffer.baseAddress == nil)
    #expect(amqp_bytes_t(len: -1, bytes: nowhere).buffer.count == 0)
    #expect(amqp_bytes_t(len: .min, bytes: nowhere).buffer.count == 0)
  }

  @Test func aDuplicateHasMemoryOfItsOwn() throws {
    var original: [UInt8] = [1, 0, 255]
    let copy = try #require(original.withUnsafeBytes { amqp_bytes_t($0).duplicated() })
    original[0] = 9
    #expect(Array(copy.buffer) == [1, 0, 255])
    copy.deallocate()
  }

  @Test func aDuplicateOfNothingCanBeFreed() throws {
    for nothing in [amqp_bytes_t.empty, amqp_bytes_t(len: 0, bytes: nowhere), amqp_bytes_t(len: 8, bytes: nil)] {
      let copy = try #require(nothing.duplicated())
      #expect(copy.len == 0)
      #expect(copy.bytes != nil)
      copy.deallocate()
    }
  }

  /// A `size_t` beyond `Int.max`.
  @Test func aDuplicateThatNoMemoryHoldsIsRefused() {
    #expect(amqp_bytes_t(len: -1, bytes: nowhere).duplicated() == nil)
    #expect(amqp_bytes_t(len: .min, bytes: nowhere).duplicated() == nil)
    #expect(amqp_bytes_t(len: .max, bytes: nowhere).duplicated() == nil)
  }

  @Test func allocatesWhatWasAskedFor() {
    let bytes = amqp_bytes_t.allocated(100_000)
    #expect(bytes.len == 100_000)
    #expect(bytes.bytes != nil)
    if let memory = bytes.bytes { memset(memory, 1, 100_000) }
    #expect(bytes.buffer[99_999] == 1)
    bytes.deallocate()
    let none = amqp_bytes_t.allocated(0)
    #expect(none.bytes != nil)
    none.deallocate()
  }

  @Test func noMemoryIsNull() {
    for count in [Int.max, -1, .min] {
      let bytes = amqp_bytes_t.allocated(count)
      #expect(bytes.bytes == nil)
      #expect(bytes.buffer.count == 0)
      bytes.deallocate()
    }
  }

  @Test func aCStringEndsBeforeItsZero() {
    "guest".withCString { #expect(Array(UnsafeRawBufferPointer(cString: $0)) == Array("guest".utf8)) }
    "".withCString { #expect(UnsafeRawBufferPointer(cString: $0).count == 0) }
    "a\0b".withCString { #expect(UnsafeRawBufferPointer(cString: $0).count == 1) }
    #expect(UnsafeRawBufferPointer(cString: nil).baseAddress == nil)
    #expect(UnsafeRawBufferPointer(cString: nil).count == 0)
  }
}
