public import AMQPBase
public import CRabbitMQ

/// Measures what the Encoder would write.
public struct Sizer: FieldCoder {
  @inline(__always) public static var decodes: Bool { false }
  public private(set) var count = 0
  /// Set by what cannot be encoded however large the room.
  public private(set) var failure = Status.ok

  public init() {}

  @inline(__always) public mutating func octet(_ value: inout UInt8) { add(1) }
  @inline(__always) public mutating func short(_ value: inout UInt16) { add(2) }
  @inline(__always) public mutating func long(_ value: inout UInt32) { add(4) }
  @inline(__always) public mutating func longlong(_ value: inout UInt64) { add(8) }
  @inline(__always) public mutating func shortstr(_ value: inout amqp_bytes_t) {
    bytes(value, prefix: 1, limit: Limit.shortstrOctets)
  }
  @inline(__always) public mutating func longstr(_ value: inout amqp_bytes_t) {
    bytes(value, prefix: 4, limit: Limit.longstrOctets)
  }
  public mutating func table(_ value: inout amqp_table_t) {
    FieldTable.measure(value, depth: 0, into: &self)
  }

  @inline(__always)
  mutating func bytes(_ value: amqp_bytes_t, prefix: Int, limit: Int) {
    guard let source = value.readable, source.count <= limit else { return fail(.badAMQPData) }
    add(prefix &+ source.count)
  }

  /// Saturates: the strings of one struct may claim the same memory many times.
  @inline(__always)
  mutating func add(_ octets: Int) {
    let (sum, overflow) = count.addingReportingOverflow(octets)
    count = overflow ? Int.max : sum
  }

  mutating func fail(_ status: Status) {
    if failure.isOK { failure = status }
  }
}
