// Field tables and field arrays (specification section 4.2.5.5), with the field kinds that RabbitMQ and its clients use
// (where they differ from the specification's grammar, they won).
//
// Decoding goes over each container twice: once to count and check its outline, stepping over nested containers by their
// length, and once to fill the entries, which are therefore one allocation of the right size. An octet is passed at most
// twice per level, and nothing is allocated for a container whose outline is broken. Strings are not copied.
//
// How deep a peer nests is not limited, for a message that cannot be decoded would end the connection of everyone who
// consumes it. So decoding does not recurse: containers met on the way are noted and gone into later. What a program
// hands in to be encoded or cloned is followed by recursion, to a depth that fits a small stack.
import AMQPBase
import CMemory
public import CRabbitMQ

/// The kinds of a field value, as the octet on the wire.
enum FieldKind {
  static var boolean: UInt8 { octet(AMQP_FIELD_KIND_BOOLEAN) }
  static var i8: UInt8 { octet(AMQP_FIELD_KIND_I8) }
  static var u8: UInt8 { octet(AMQP_FIELD_KIND_U8) }
  static var i16: UInt8 { octet(AMQP_FIELD_KIND_I16) }
  static var u16: UInt8 { octet(AMQP_FIELD_KIND_U16) }
  static var i32: UInt8 { octet(AMQP_FIELD_KIND_I32) }
  static var u32: UInt8 { octet(AMQP_FIELD_KIND_U32) }
  static var i64: UInt8 { octet(AMQP_FIELD_KIND_I64) }
  static var u64: UInt8 { octet(AMQP_FIELD_KIND_U64) }
  static var f32: UInt8 { octet(AMQP_FIELD_KIND_F32) }
  static var f64: UInt8 { octet(AMQP_FIELD_KIND_F64) }
  static var decimal: UInt8 { octet(AMQP_FIELD_KIND_DECIMAL) }
  static var utf8: UInt8 { octet(AMQP_FIELD_KIND_UTF8) }
  static var array: UInt8 { octet(AMQP_FIELD_KIND_ARRAY) }
  static var timestamp: UInt8 { octet(AMQP_FIELD_KIND_TIMESTAMP) }
  static var table: UInt8 { octet(AMQP_FIELD_KIND_TABLE) }
  static var void: UInt8 { octet(AMQP_FIELD_KIND_VOID) }
  static var bytes: UInt8 { octet(AMQP_FIELD_KIND_BYTES) }

  @inline(__always)
  private static func octet(_ kind: amqp_field_value_kind_t) -> UInt8 { UInt8(truncatingIfNeeded: kind.rawValue) }
}

public enum FieldTable {
  /// Orders entries by key: octet by octet, then the shorter first, as `amqp_table_entry_cmp`.
  public static func compareEntries(_ a: amqp_table_entry_t, _ b: amqp_table_entry_t) -> Int32 {
    let (first, second) = (a.key.buffer, b.key.buffer)
    if let left = first.baseAddress, let right = second.baseAddress {
      let difference = memcmp(left, right, min(first.count, second.count))
      if difference != 0 { return difference }
    }
    return Int32(clamping: first.count &- second.count)
  }

  /// The value under a key, the first where it occurs twice.
  public static func value(_ key: amqp_bytes_t, in table: amqp_table_t) -> amqp_field_value_t? {
    guard let entries = entries(table) else { return nil }
    for entry in entries where entry.key.equals(key) { return entry.value }
    return nil
  }

  /// The entries as a buffer, or nil where the struct contradicts itself.
  @inline(__always)
  static func entries(_ table: amqp_table_t) -> UnsafeBufferPointer<amqp_table_entry_t>? {
    buffer(table.num_entries, table.entries)
  }

  @inline(__always)
  static func entries(_ array: amqp_array_t) -> UnsafeBufferPointer<amqp_field_value_t>? {
    buffer(array.num_entries, array.entries)
  }

  @inline(__always)
  private static func buffer<T>(_ count: Int32, _ start: UnsafeMutablePointer<T>?) -> UnsafeBufferPointer<T>? {
    guard let start else { return count == 0 ? UnsafeBufferPointer(start: nil, count: 0) : nil }
    return count >= 0 ? UnsafeBufferPointer(start: start, count: Int(count)) : nil
  }
}
