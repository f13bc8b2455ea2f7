// One list of fields per method serves reading, writing and measuring: `code(_:)` walks the fields of a C struct in wire
// order and hands each to a coder, which is the Decoder, the Encoder or the Sizer. A coder never throws, because a throwing
// requirement is not inlined: it remembers the first failure, and the caller looks once per method.
public import CRabbitMQ

/// The primitives of AMQP 0-9-1 (specification section 4.2.5), by their names there.
public protocol FieldCoder {
  /// Whether values flow from the wire into the struct. A coder that does not decode must not write to the struct: the
  /// caller's may be constant.
  static var decodes: Bool { get }
  mutating func octet(_ value: inout UInt8)
  mutating func short(_ value: inout UInt16)
  mutating func long(_ value: inout UInt32)
  mutating func longlong(_ value: inout UInt64)
  mutating func shortstr(_ value: inout amqp_bytes_t)
  mutating func longstr(_ value: inout amqp_bytes_t)
  mutating func table(_ value: inout amqp_table_t)
}

/// A method of the protocol, whose arguments are the fields of the C struct.
public protocol WireMethod {
  static var id: amqp_method_number_t { get }
  static var name: StaticString { get }
  /// False for methods without arguments: their C struct holds nothing, and callers may pass NULL for it.
  static var hasFields: Bool { get }
  init()
  mutating func code<C: FieldCoder>(_ c: inout C)
}

extension WireMethod {
  @inline(__always) public static var hasFields: Bool { true }
}

/// A method without arguments.
public protocol FieldlessMethod: WireMethod {}

extension FieldlessMethod {
  @inline(__always) public static var hasFields: Bool { false }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {}
}

// Consecutive bits share an octet, the first in the lowest bit (section 4.2.5.2): a list of fields names all bits of an
// octet in one call. No method has more than five.
extension FieldCoder {
  @inline(__always)
  public mutating func bits(_ a: inout amqp_boolean_t) {
    var packed = Self.packed(a, at: 0)
    octet(&packed)
    Self.unpack(packed, at: 0, into: &a)
  }

  @inline(__always)
  public mutating func bits(_ a: inout amqp_boolean_t, _ b: inout amqp_boolean_t) {
    var packed = Self.packed(a, at: 0) | Self.packed(b, at: 1)
    octet(&packed)
    Self.unpack(packed, at: 0, into: &a)
    Self.unpack(packed, at: 1, into: &b)
  }

  @inline(__always)
  public mutating func bits(_ a: inout amqp_boolean_t, _ b: inout amqp_boolean_t, _ c: inout amqp_boolean_t) {
    var packed = Self.packed(a, at: 0) | Self.packed(b, at: 1) | Self.packed(c, at: 2)
    octet(&packed)
    Self.unpack(packed, at: 0, into: &a)
    Self.unpack(packed, at: 1, into: &b)
    Self.unpack(packed, at: 2, into: &c)
  }

  @inline(__always)
  public mutating func bits(
    _ a: inout amqp_boolean_t, _ b: inout amqp_boolean_t, _ c: inout amqp_boolean_t, _ d: inout amqp_boolean_t
  ) {
    var packed = Self.packed(a, at: 0) | Self.packed(b, at: 1) | Self.packed(c, at: 2) | Self.packed(d, at: 3)
    octet(&packed)
    Self.unpack(packed, at: 0, into: &a)
    Self.unpack(packed, at: 1, into: &b)
    Self.unpack(packed, at: 2, into: &c)
    Self.unpack(packed, at: 3, into: &d)
  }

  @inline(__always)
  public mutating func bits(
    _ a: inout amqp_boolean_t, _ b: inout amqp_boolean_t, _ c: inout amqp_boolean_t, _ d: inout amqp_boolean_t,
    _ e: inout amqp_boolean_t
  ) {
    var packed =
      Self.packed(a, at: 0) | Self.packed(b, at: 1) | Self.packed(c, at: 2) | Self.packed(d, at: 3)
      | Self.packed(e, at: 4)
    octet(&packed)
    Self.unpack(packed, at: 0, into: &a)
    Self.unpack(packed, at: 1, into: &b)
    Self.unpack(packed, at: 2, into: &c)
    Self.unpack(packed, at: 3, into: &d)
    Self.unpack(packed, at: 4, into: &e)
  }

  @inline(__always)
  static func packed(_ value: amqp_boolean_t, at position: UInt8) -> UInt8 {
    decodes || value == 0 ? 0 : 1 &<< position
  }

  @inline(__always)
  static func unpack(_ octet: UInt8, at position: UInt8, into value: inout amqp_boolean_t) {
    if decodes { value = amqp_boolean_t((octet &>> position) & 1) }
  }
}
