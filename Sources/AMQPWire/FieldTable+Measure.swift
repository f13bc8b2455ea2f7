import AMQPBase
import CRabbitMQ

extension FieldTable {
  static func measure(_ table: amqp_table_t, depth: Int, into sizer: inout Sizer) {
    guard depth < Limit.fieldDepth, let entries = entries(table) else { return sizer.fail(.badAMQPData) }
    sizer.add(4)
    for index in 0..<entries.count {
      sizer.bytes(entries[index].key, prefix: 1, limit: Limit.shortstrOctets)
      measure(entries[index].value, depth: depth, into: &sizer)
      guard sizer.failure.isOK else { return }
    }
  }

  private static func measure(_ array: amqp_array_t, depth: Int, into sizer: inout Sizer) {
    guard depth < Limit.fieldDepth, let entries = entries(array) else { return sizer.fail(.badAMQPData) }
    sizer.add(4)
    for index in 0..<entries.count {
      measure(entries[index], depth: depth, into: &sizer)
      guard sizer.failure.isOK else { return }
    }
  }

  private static func measure(_ field: amqp_field_value_t, depth: Int, into sizer: inout Sizer) {
    sizer.add(1)
    switch field.kind {
    case FieldKind.void: break
    case FieldKind.boolean, FieldKind.i8, FieldKind.u8: sizer.add(1)
    case FieldKind.i16, FieldKind.u16: sizer.add(2)
    case FieldKind.i32, FieldKind.u32, FieldKind.f32: sizer.add(4)
    case FieldKind.decimal: sizer.add(5)
    case FieldKind.i64, FieldKind.u64, FieldKind.f64, FieldKind.timestamp: sizer.add(8)
    case FieldKind.utf8, FieldKind.bytes: sizer.bytes(field.value.bytes, prefix: 4, limit: Limit.longstrOctets)
    case FieldKind.array: measure(field.value.array, depth: depth &+ 1, into: &sizer)
    case FieldKind.table: measure(field.value.table, depth: depth &+ 1, into: &sizer)
    default: sizer.fail(.invalidParameter)
    }
  }
}
