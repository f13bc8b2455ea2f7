// The cursor that reads. It is one concrete struct, and every read is one comparison (`end &- offset >= n`), one unaligned
// load and one byte swap. The first failure moves the cursor to the end, so that nothing after it can succeed, and is
// remembered; reads after it give zeros.
public import AMQPBase
public import CRabbitMQ

public struct Decoder: FieldCoder {
  @inline(__always) public static var decodes: Bool { true }

  /// Nil only when there is nothing to read, and then no guard passes.
  let base: UnsafeRawPointer?
  let end: Int
  public private(set) var offset: Int
  public private(set) var failure = Status.ok
  /// Where the entries of tables go. Strings are not copied: they point into the input.
  let pool: UnsafeMutablePointer<amqp_pool_t>?

  @inline(__always)
  public init(_ bytes: UnsafeRawBufferPointer, pool: UnsafeMutablePointer<amqp_pool_t>?, offset: Int = 0) {
    base = bytes.baseAddress
    end = bytes.count
    self.pool = pool
    self.offset = min(max(offset, 0), bytes.count)
  }

  /// Octets that are left to read; 0 after a failure.
  @inline(__always) public var remaining: Int { end &- offset }

  @inline(__always)
  public mutating func octet(_ value: inout UInt8) {
    guard let start = advance(1) else { return }
    value = start.load(as: UInt8.self)
  }

  @inline(__always)
  public mutating func short(_ value: inout UInt16) {
    guard let start = advance(2) else { return }
    value = UInt16(bigEndian: start.loadUnaligned(as: UInt16.self))
  }

  @inline(__always)
  public mutating func long(_ value: inout UInt32) {
    guard let start = advance(4) else { return }
    value = UInt32(bigEndian: start.loadUnaligned(as: UInt32.self))
  }

  @inline(__always)
  public mutating func longlong(_ value: inout UInt64) {
    guard let start = advance(8) else { return }
    value = UInt64(bigEndian: start.loadUnaligned(as: UInt64.self))
  }

  @inline(__always)
  public mutating func shortstr(_ value: inout amqp_bytes_t) {
    var length: UInt8 = 0
    octet(&length)
    guard let start = advance(Int(length)) else { return }
    value = amqp_bytes_t(len: Int(length), bytes: UnsafeMutableRawPointer(mutating: start))
  }

  @inline(__always)
  public mutating func longstr(_ value: inout amqp_bytes_t) {
    var length: UInt32 = 0
    long(&length)
    guard let start = advance(Int(length)) else { return }
    value = amqp_bytes_t(len: Int(length), bytes: UnsafeMutableRawPointer(mutating: start))
  }

  public mutating func table(_ value: inout amqp_table_t) {
    FieldTable.decode(into: &value, from: &self)
  }

  /// The start of the next `count` octets, which are then behind the cursor; nil, and failed, where there are fewer.
  @inline(__always)
  mutating func advance(_ count: Int) -> UnsafeRawPointer? {
    guard end &- offset >= count, let base else {
      fail(.badAMQPData)
      return nil
    }
    let start = base + offset
    offset = offset &+ count
    return start
  }

  @inline(never)
  mutating func fail(_ status: Status) {
    if failure.isOK { failure = status }
    offset = end
  }
}
