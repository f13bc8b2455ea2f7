import AMQPBase
import CMemory
public import CRabbitMQ

// What programs hand in can claim anything. `buffer` (AMQPBase) takes a NULL with a length for no bytes; where that would
// hide a fault of the caller, these tell it apart.
extension amqp_bytes_t {
  /// The bytes, or nil for what no object can be: a length without bytes, or one past the address space (`size_t` is Int
  /// in Swift, so that shows as a negative length).
  @inline(__always)
  public var readable: UnsafeRawBufferPointer? {
    guard let start = bytes else { return len == 0 ? UnsafeRawBufferPointer(start: nil, count: 0) : nil }
    return len >= 0 ? UnsafeRawBufferPointer(start: start, count: len) : nil
  }

  /// The same for a buffer that the caller wants filled.
  @inline(__always)
  public var writable: UnsafeMutableRawBufferPointer? {
    guard let start = bytes else { return len == 0 ? UnsafeMutableRawBufferPointer(start: nil, count: 0) : nil }
    return len >= 0 ? UnsafeMutableRawBufferPointer(start: start, count: len) : nil
  }

  /// Borrows a literal.
  @inline(__always)
  public init(_ literal: StaticString) {
    self.init(len: literal.utf8CodeUnitCount, bytes: UnsafeMutableRawPointer(mutating: literal.utf8Start))
  }

  /// Octet by octet the same.
  public func equals(_ other: amqp_bytes_t) -> Bool {
    let (mine, others) = (buffer, other.buffer)
    guard mine.count == others.count else { return false }
    guard let a = mine.baseAddress, let b = others.baseAddress else { return true }
    return memcmp(a, b, mine.count) == 0
  }
}

extension UnsafeMutablePointer where Pointee == amqp_pool_t {
  /// Uninitialised memory for so many values; nil for none and when there is no memory.
  @inline(__always)
  func allocate<T>(_ count: Int, of type: T.Type) -> UnsafeMutablePointer<T>? {
    let (octets, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<T>.stride)
    guard !overflow else { return nil }
    return allocate(octets)?.bindMemory(to: type, capacity: count)
  }
}

extension UnsafeMutablePointer where Pointee == amqp_table_entry_t {
  /// Where the value of an entry lies.
  @inline(__always)
  var value: UnsafeMutablePointer<amqp_field_value_t> {
    (UnsafeMutableRawPointer(self) + MemoryLayout<amqp_bytes_t>.stride)
      .assumingMemoryBound(to: amqp_field_value_t.self)
  }
}
