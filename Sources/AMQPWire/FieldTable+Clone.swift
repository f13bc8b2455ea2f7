public import AMQPBase
public import CRabbitMQ

extension FieldTable {
  /// A deep copy: every key, every string and every list of entries is memory of its own in `pool`.
  public static func clone(
    _ original: amqp_table_t, into clone: inout amqp_table_t, pool: UnsafeMutablePointer<amqp_pool_t>
  ) -> Status {
    var copied = amqp_table_t(num_entries: 0, entries: nil)
    let status = copy(original, into: &copied, depth: 0, pool)
    if status.isOK { clone = copied }
    return status
  }

  private static func copy(
    _ table: amqp_table_t, into clone: inout amqp_table_t, depth: Int, _ pool: UnsafeMutablePointer<amqp_pool_t>
  ) -> Status {
    guard depth < Limit.fieldDepth, let source = entries(table) else { return .invalidParameter }
    guard source.count > 0 else { return .ok }
    guard let target = pool.allocate(source.count, of: amqp_table_entry_t.self) else { return .noMemory }
    for index in 0..<source.count {
      var entry = amqp_table_entry_t()
      var status = copy(source[index].key, into: &entry.key, pool)
      if status.isOK { status = copy(source[index].value, into: &entry.value, depth: depth, pool) }
      guard status.isOK else { return status }
      (target + index).initialize(to: entry)
    }
    clone = amqp_table_t(num_entries: table.num_entries, entries: target)
    return .ok
  }

  private static func copy(
    _ array: amqp_array_t, into clone: inout amqp_array_t, depth: Int, _ pool: UnsafeMutablePointer<amqp_pool_t>
  ) -> Status {
    guard depth < Limit.fieldDepth, let source = entries(array) else { return .invalidParameter }
    guard source.count > 0 else { return .ok }
    guard let target = pool.allocate(source.count, of: amqp_field_value_t.self) else { return .noMemory }
    for index in 0..<source.count {
      var value = amqp_field_value_t()
      let status = copy(source[index], into: &value, depth: depth, pool)
      guard status.isOK else { return status }
      (target + index).initialize(to: value)
    }
    clone = amqp_array_t(num_entries: array.num_entries, entries: target)
    return .ok
  }

  private static func copy(
    _ field: amqp_field_value_t, into clone: inout amqp_field_value_t, depth: Int,
    _ pool: UnsafeMutablePointer<amqp_pool_t>
  ) -> Status {
    clone.kind = field.kind
    switch field.kind {
    case FieldKind.boolean: clone.value.boolean = field.value.boolean
    case FieldKind.i8, FieldKind.u8: clone.value.u8 = field.value.u8
    case FieldKind.i16, FieldKind.u16: clone.value.u16 = field.value.u16
    case FieldKind.i32, FieldKind.u32, FieldKind.f32: clone.value.u32 = field.value.u32
    case FieldKind.i64, FieldKind.u64, FieldKind.f64, FieldKind.timestamp: clone.value.u64 = field.value.u64
    case FieldKind.decimal: clone.value.decimal = field.value.decimal
    case FieldKind.utf8, FieldKind.bytes: return copy(field.value.bytes, into: &clone.value.bytes, pool)
    case FieldKind.array: return copy(field.value.array, into: &clone.value.array, depth: depth &+ 1, pool)
    case FieldKind.table: return copy(field.value.table, into: &clone.value.table, depth: depth &+ 1, pool)
    case FieldKind.void: break
    default: return .invalidParameter
    }
    return .ok
  }

  private static func copy(
    _ bytes: amqp_bytes_t, into clone: inout amqp_bytes_t, _ pool: UnsafeMutablePointer<amqp_pool_t>
  ) -> Status {
    guard let source = bytes.readable else { return .invalidParameter }
    guard let copied = pool.copy(source) else { return .noMemory }
    clone = copied
    return .ok
  }
}
