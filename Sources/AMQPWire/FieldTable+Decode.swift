public import AMQPBase
public import CRabbitMQ

extension FieldTable {
  /// Decodes the table that starts at `offset`, and moves `offset` behind it. After a failure `table` is as it was.
  public static func decode(
    _ bytes: UnsafeRawBufferPointer, offset: inout Int, pool: UnsafeMutablePointer<amqp_pool_t>,
    into table: inout amqp_table_t
  ) -> Status {
    guard offset >= 0, offset <= bytes.count else { return .badAMQPData }
    var decoder = Decoder(bytes, pool: pool, offset: offset)
    var decoded = amqp_table_t(num_entries: 0, entries: nil)
    decode(into: &decoded, from: &decoder)
    guard decoder.failure.isOK else { return decoder.failure }
    table = decoded
    offset = decoder.offset
    return .ok
  }

  static func decode(into table: inout amqp_table_t, from decoder: inout Decoder) {
    var octets = amqp_bytes_t()
    decoder.longstr(&octets)
    guard octets.len > 0 else {
      table = amqp_table_t(num_entries: 0, entries: nil)
      return
    }
    guard let pool = decoder.pool else { return decoder.fail(.invalidParameter) }
    var unfilled = Unfilled(pool)
    var status = decodeTable(octets, into: &table, &unfilled)
    while status.isOK, let field = unfilled.pop() {
      let octets = field.pointee.value.bytes
      if field.pointee.kind == FieldKind.table {
        status = decodeTable(octets, into: &field.pointee.value.table, &unfilled)
      } else {
        status = decodeArray(octets, into: &field.pointee.value.array, &unfilled)
      }
    }
    if !status.isOK { decoder.fail(status) }
  }

  private static func decodeTable(
    _ octets: amqp_bytes_t, into table: inout amqp_table_t, _ unfilled: inout Unfilled
  ) -> Status {
    table = amqp_table_t(num_entries: 0, entries: nil)
    var decoder = Decoder(octets.buffer, pool: unfilled.pool)
    guard let count = countEntries(keyed: true, decoder) else { return .badAMQPData }
    guard count > 0 else { return .ok }
    guard let entries = unfilled.pool.allocate(Int(count), of: amqp_table_entry_t.self) else { return .noMemory }
    for index in 0..<Int(count) {
      let entry = entries + index
      entry.initialize(to: amqp_table_entry_t())
      decoder.shortstr(&entry.pointee.key)
      guard decode(entry.value, &decoder, &unfilled) else { return .noMemory }
    }
    table = amqp_table_t(num_entries: count, entries: entries)
    return decoder.failure
  }

  private static func decodeArray(
    _ octets: amqp_bytes_t, into array: inout amqp_array_t, _ unfilled: inout Unfilled
  ) -> Status {
    array = amqp_array_t(num_entries: 0, entries: nil)
    var decoder = Decoder(octets.buffer, pool: unfilled.pool)
    guard let count = countEntries(keyed: false, decoder) else { return .badAMQPData }
    guard count > 0 else { return .ok }
    guard let entries = unfilled.pool.allocate(Int(count), of: amqp_field_value_t.self) else { return .noMemory }
    for index in 0..<Int(count) {
      let value = entries + index
      value.initialize(to: amqp_field_value_t())
      guard decode(value, &decoder, &unfilled) else { return .noMemory }
    }
    array = amqp_array_t(num_entries: count, entries: entries)
    return decoder.failure
  }

  /// How many entries the decoder holds; nil unless the last of them ends just at its end.
  private static func countEntries(keyed: Bool, _ decoder: Decoder) -> Int32? {
    var scan = decoder
    var count: Int32 = 0
    while scan.remaining > 0, count < Int32.max {
      var key = amqp_bytes_t()
      if keyed { scan.shortstr(&key) }
      var kind: UInt8 = 0
      scan.octet(&kind)
      guard let octets = octetsAfter(kind: kind, &scan) else { return nil }
      _ = scan.advance(octets)
      count &+= 1
    }
    return scan.failure.isOK && scan.remaining == 0 ? count : nil
  }

  /// The octets of a value that follow its kind; for strings and containers those that follow the length too.
  @inline(__always)
  private static func octetsAfter(kind: UInt8, _ scan: inout Decoder) -> Int? {
    switch kind {
    case FieldKind.void: return 0
    case FieldKind.boolean, FieldKind.i8, FieldKind.u8: return 1
    case FieldKind.i16, FieldKind.u16: return 2
    case FieldKind.i32, FieldKind.u32, FieldKind.f32: return 4
    case FieldKind.decimal: return 5
    case FieldKind.i64, FieldKind.u64, FieldKind.f64, FieldKind.timestamp: return 8
    case FieldKind.utf8, FieldKind.bytes, FieldKind.array, FieldKind.table:
      var length: UInt32 = 0
      scan.long(&length)
      return Int(length)
    default: return nil
    }
  }

  /// Decodes a value, or notes a container for later; false when there is no memory for the note.
  private static func decode(
    _ field: UnsafeMutablePointer<amqp_field_value_t>, _ decoder: inout Decoder, _ unfilled: inout Unfilled
  ) -> Bool {
    decoder.octet(&field.pointee.kind)
    switch field.pointee.kind {
    case FieldKind.boolean:
      var octet: UInt8 = 0
      decoder.octet(&octet)
      field.pointee.value.boolean = octet == 0 ? 0 : 1
    case FieldKind.i8, FieldKind.u8: decoder.octet(&field.pointee.value.u8)
    case FieldKind.i16, FieldKind.u16: decoder.short(&field.pointee.value.u16)
    case FieldKind.i32, FieldKind.u32, FieldKind.f32: decoder.long(&field.pointee.value.u32)
    case FieldKind.i64, FieldKind.u64, FieldKind.f64, FieldKind.timestamp:
      decoder.longlong(&field.pointee.value.u64)
    case FieldKind.decimal:
      decoder.octet(&field.pointee.value.decimal.decimals)
      decoder.long(&field.pointee.value.decimal.value)
    case FieldKind.utf8, FieldKind.bytes: decoder.longstr(&field.pointee.value.bytes)
    case FieldKind.array, FieldKind.table:
      decoder.longstr(&field.pointee.value.bytes)
      return unfilled.push(field)
    case FieldKind.void: break
    default: decoder.fail(.badAMQPData)
    }
    return true
  }
}

/// The containers that were met and not yet gone into. Until then their value holds their octets.
private struct Unfilled {
  struct Note {
    let field: UnsafeMutablePointer<amqp_field_value_t>
    let next: UnsafeMutablePointer<Note>?
  }

  let pool: UnsafeMutablePointer<amqp_pool_t>
  private var first: UnsafeMutablePointer<Note>?
  /// Notes are used again: a table has as many as it has containers side by side, not as it has in all.
  private var spare: UnsafeMutablePointer<Note>?

  init(_ pool: UnsafeMutablePointer<amqp_pool_t>) { self.pool = pool }

  mutating func push(_ field: UnsafeMutablePointer<amqp_field_value_t>) -> Bool {
    guard let note = spare ?? pool.allocate(1, of: Note.self) else { return false }
    if spare != nil { spare = note.pointee.next }
    note.initialize(to: Note(field: field, next: first))
    first = note
    return true
  }

  mutating func pop() -> UnsafeMutablePointer<amqp_field_value_t>? {
    guard let note = first else { return nil }
    let field = note.pointee.field
    first = note.pointee.next
    note.initialize(to: Note(field: field, next: spare))
    spare = note
    return field
  }
}
