public import AMQPBase
public import CRabbitMQ

extension FieldTable {
  /// Encodes the table at `offset` of `room`, and moves `offset` behind it.
  public static func encode(
    _ table: amqp_table_t, into room: UnsafeMutableRawBufferPointer, offset: inout Int
  ) -> Status {
    guard offset >= 0, offset <= room.count else { return .tableTooBig }
    var encoder = Encoder(room, offset: offset)
    encode(table, depth: 0, into: &encoder)
    guard encoder.failure.isOK else { return encoder.failure }
    offset = encoder.written
    return .ok
  }

  static func encode(_ table: amqp_table_t, depth: Int, into encoder: inout Encoder) {
    guard depth < Limit.fieldDepth, let entries = entries(table) else { return encoder.fail(.badAMQPData) }
    let outside = encoder.noRoom
    encoder.noRoom = .tableTooBig
    let start = encoder.openContainer()
    for index in 0..<entries.count {
      encoder.putShortstr(entries[index].key)
      encode(entries[index].value, depth: depth, into: &encoder)
      guard encoder.failure.isOK else { return }
    }
    encoder.closeContainer(start)
    encoder.noRoom = outside
  }

  private static func encode(_ array: amqp_array_t, depth: Int, into encoder: inout Encoder) {
    guard depth < Limit.fieldDepth, let entries = entries(array) else { return encoder.fail(.badAMQPData) }
    let start = encoder.openContainer()
    for index in 0..<entries.count {
      encode(entries[index], depth: depth, into: &encoder)
      guard encoder.failure.isOK else { return }
    }
    encoder.closeContainer(start)
  }

  private static func encode(_ field: amqp_field_value_t, depth: Int, into encoder: inout Encoder) {
    encoder.put(field.kind)
    switch field.kind {
    case FieldKind.boolean: encoder.put(UInt8(field.value.boolean == 0 ? 0 : 1))
    case FieldKind.i8, FieldKind.u8: encoder.put(field.value.u8)
    case FieldKind.i16, FieldKind.u16: encoder.put(field.value.u16)
    case FieldKind.i32, FieldKind.u32, FieldKind.f32: encoder.put(field.value.u32)
    case FieldKind.i64, FieldKind.u64, FieldKind.f64, FieldKind.timestamp: encoder.put(field.value.u64)
    case FieldKind.decimal:
      encoder.put(field.value.decimal.decimals)
      encoder.put(field.value.decimal.value)
    case FieldKind.utf8, FieldKind.bytes: encoder.putLongstr(field.value.bytes)
    case FieldKind.array: encode(field.value.array, depth: depth &+ 1, into: &encoder)
    case FieldKind.table: encode(field.value.table, depth: depth &+ 1, into: &encoder)
    case FieldKind.void: break
    default: encoder.fail(.invalidParameter)
    }
  }
}

extension Encoder {
  /// Leaves the length of a table or an array open; answers where it stands.
  @inline(__always)
  fileprivate mutating func openContainer() -> Int {
    let start = written
    put(UInt32(0))
    return start
  }

  @inline(__always)
  fileprivate mutating func closeContainer(_ start: Int) {
    let length = written &- start &- 4
    guard length <= Limit.longstrOctets else { return fail(.tableTooBig) }
    patchLong(at: start, length)
  }
}
