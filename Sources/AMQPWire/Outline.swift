// Methods whose field table stays as it is on the wire: what is only remembered need not be taken apart.
public import AMQPBase
public import CRabbitMQ

/// Reads the fields of a method; the entries of its table stay octets.
public struct OutlineDecoder: FieldCoder {
  @inline(__always) public static var decodes: Bool { true }
  private var decoder: Decoder
  /// The table of the method, its length included; empty where it has none.
  public private(set) var table = amqp_bytes_t.empty
  public var failure: Status { decoder.failure }

  public init(_ arguments: UnsafeRawBufferPointer) { decoder = Decoder(arguments, pool: nil) }

  public mutating func octet(_ value: inout UInt8) { decoder.octet(&value) }
  public mutating func short(_ value: inout UInt16) { decoder.short(&value) }
  public mutating func long(_ value: inout UInt32) { decoder.long(&value) }
  public mutating func longlong(_ value: inout UInt64) { decoder.longlong(&value) }
  public mutating func shortstr(_ value: inout amqp_bytes_t) { decoder.shortstr(&value) }
  public mutating func longstr(_ value: inout amqp_bytes_t) { decoder.longstr(&value) }

  public mutating func table(_ value: inout amqp_table_t) {
    let start = decoder.offset
    var entries = amqp_bytes_t.empty
    decoder.longstr(&entries)
    guard failure.isOK, let base = decoder.base else { return }
    table = amqp_bytes_t(UnsafeRawBufferPointer(start: base + start, count: decoder.offset &- start))
  }
}
