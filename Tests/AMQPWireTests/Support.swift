import AMQPBase
import CMemory
import CRabbitMQ
import Testing

@testable import AMQPWire

/// A pool that is emptied with its test.
final class TestPool {
  let pointer: UnsafeMutablePointer<amqp_pool_t>

  init(pageSize: Int = 4096) {
    pointer = .allocate(capacity: 1)
    pointer.initialize(pageSize: pageSize)
  }

  deinit {
    pointer.empty()
    pointer.deallocate()
  }

  /// A text that lives as long as the pool.
  func bytes(_ text: String) -> amqp_bytes_t { bytes(Array(text.utf8)) }

  func bytes(_ octets: [UInt8]) -> amqp_bytes_t {
    octets.withUnsafeBytes { pointer.copy($0) ?? .empty }
  }

  func table(_ entries: [(String, amqp_field_value_t)]) -> amqp_table_t {
    guard !entries.isEmpty else { return amqp_table_t(num_entries: 0, entries: nil) }
    let memory = pointer.allocate(entries.count, of: amqp_table_entry_t.self)!
    for (index, entry) in entries.enumerated() {
      (memory + index).initialize(to: amqp_table_entry_t(key: bytes(entry.0), value: entry.1))
    }
    return amqp_table_t(num_entries: Int32(entries.count), entries: memory)
  }

  func array(_ values: [amqp_field_value_t]) -> amqp_array_t {
    guard !values.isEmpty else { return amqp_array_t(num_entries: 0, entries: nil) }
    let memory = pointer.allocate(values.count, of: amqp_field_value_t.self)!
    for (index, value) in values.enumerated() { (memory + index).initialize(to: value) }
    return amqp_array_t(num_entries: Int32(values.count), entries: memory)
  }
}

extension amqp_field_value_t {
  static func make(_ kind: Character, _ set: (inout amqp_field_value_t) -> Void = { _ in }) -> amqp_field_value_t {
    var value = amqp_field_value_t()
    value.kind = kind.asciiValue!
    set(&value)
    return value
  }
}

/// Octets in memory of exactly their size.
final class Octets {
  let buffer: UnsafeMutableRawBufferPointer

  init(_ octets: [UInt8]) {
    buffer = .allocate(byteCount: octets.count, alignment: 1)
    buffer.copyBytes(from: octets)
  }

  deinit { buffer.deallocate() }

  var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(buffer) }
}

func array(_ bytes: amqp_bytes_t) -> [UInt8] { Array(bytes.buffer) }
func text(_ bytes: amqp_bytes_t) -> String { String(decoding: bytes.buffer, as: UTF8.self) }
func big<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
func shortstr(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
func longstr(_ text: String) -> [UInt8] { big(UInt32(text.utf8.count)) + Array(text.utf8) }

/// What an encoder writes into room of this size.
func encoded(room: Int = 1 << 16, _ body: (inout Encoder) -> Void) -> (octets: [UInt8], failure: Status) {
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 1)
  defer { memory.deallocate() }
  memory.initializeMemory(as: UInt8.self, repeating: 0xEE)
  var encoder = Encoder(memory)
  body(&encoder)
  return (Array(memory.prefix(encoder.written)), encoder.failure)
}

/// A deterministic source of values (SplitMix64).
struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A value of any kind as something to compare.
indirect enum Value: Equatable {
  case bits(kind: UInt8, UInt64)
  case decimal(UInt8, UInt32)
  case octets(kind: UInt8, [UInt8])
  case table([Entry])
  case array([Value])
  case void

  struct Entry: Equatable {
    let key: [UInt8]
    let value: Value
  }

  init(_ field: amqp_field_value_t) {
    switch Character(UnicodeScalar(field.kind)) {
    case "t": self = .bits(kind: field.kind, field.value.boolean == 0 ? 0 : 1)
    case "b", "B": self = .bits(kind: field.kind, UInt64(field.value.u8))
    case "s", "u": self = .bits(kind: field.kind, UInt64(field.value.u16))
    case "I", "i", "f": self = .bits(kind: field.kind, UInt64(field.value.u32))
    case "D": self = .decimal(field.value.decimal.decimals, field.value.decimal.value)
    case "S", "x": self = .octets(kind: field.kind, AMQPWireTests.array(field.value.bytes))
    case "F": self = .table(Value.entries(field.value.table))
    case "A": self = .array((0..<Int(field.value.array.num_entries)).map { Value(field.value.array.entries[$0]) })
    case "V": self = .void
    default: self = .bits(kind: field.kind, field.value.u64)
    }
  }

  static func entries(_ table: amqp_table_t) -> [Entry] {
    (0..<Int(table.num_entries)).map {
      Entry(key: AMQPWireTests.array(table.entries[$0].key), value: Value(table.entries[$0].value))
    }
  }
}

/// Fills every field of a struct with something.
struct Filler: FieldCoder {
  static var decodes: Bool { true }
  var random: Random
  let pool: TestPool

  mutating func octet(_ value: inout UInt8) { value = UInt8.random(in: 0...255, using: &random) }
  mutating func short(_ value: inout UInt16) { value = UInt16.random(in: 0...UInt16.max, using: &random) }
  mutating func long(_ value: inout UInt32) { value = UInt32.random(in: 0...UInt32.max, using: &random) }
  mutating func longlong(_ value: inout UInt64) { value = random.next() }
  mutating func shortstr(_ value: inout amqp_bytes_t) {
    value = pool.bytes(octets(upTo: [0, 1, 20, 255].randomElement(using: &random)!))
  }
  mutating func longstr(_ value: inout amqp_bytes_t) {
    value = pool.bytes(octets(upTo: [0, 1, 300, 5000].randomElement(using: &random)!))
  }
  mutating func table(_ value: inout amqp_table_t) { value = table(depth: 0) }

  mutating func octets(upTo limit: Int) -> [UInt8] {
    (0..<Int.random(in: 0...limit, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  mutating func table(depth: Int) -> amqp_table_t {
    pool.table(
      (0..<Int.random(in: 0...6, using: &random)).map { index in
        ("key\(index)", field(depth: depth))
      })
  }

  mutating func field(depth: Int) -> amqp_field_value_t {
    let kinds: [Character] = depth < 3 ? Array("tbBsuIilLfdDSATFVx") : Array("tbBsuIilLfdDSTVx")
    let kind = kinds.randomElement(using: &random)!
    var value = amqp_field_value_t()
    value.kind = kind.asciiValue!
    switch kind {
    case "t": value.value.boolean = Int32.random(in: 0...1, using: &random)
    case "D": value.value.decimal = amqp_decimal_t(decimals: 2, value: 31415)
    case "S", "x": longstr(&value.value.bytes)
    case "F": value.value.table = table(depth: depth + 1)
    case "A":
      value.value.array = pool.array(
        (0..<Int.random(in: 0...4, using: &random)).map { _ in field(depth: depth + 1) })
    default: value.value.u64 = random.next()
    }
    return value
  }
}

/// The fields of a struct as something to compare.
struct Collector: FieldCoder {
  static var decodes: Bool { false }
  var fields: [Value] = []

  mutating func octet(_ value: inout UInt8) { fields.append(.bits(kind: 1, UInt64(value))) }
  mutating func short(_ value: inout UInt16) { fields.append(.bits(kind: 2, UInt64(value))) }
  mutating func long(_ value: inout UInt32) { fields.append(.bits(kind: 4, UInt64(value))) }
  mutating func longlong(_ value: inout UInt64) { fields.append(.bits(kind: 8, value)) }
  mutating func shortstr(_ value: inout amqp_bytes_t) { fields.append(.octets(kind: 1, array(value))) }
  mutating func longstr(_ value: inout amqp_bytes_t) { fields.append(.octets(kind: 4, array(value))) }
  mutating func table(_ value: inout amqp_table_t) { fields.append(.table(Value.entries(value))) }
}
