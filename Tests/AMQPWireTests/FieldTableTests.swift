import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

@Suite struct FieldTableTests {
  let pool = TestPool()

  private func decode(_ octets: [UInt8], offset: Int = 0) -> (status: Status, table: amqp_table_t, offset: Int) {
    var table = amqp_table_t(num_entries: 77, entries: nil)
    var offset = offset
    let status = FieldTable.decode(pool.bytes(octets).buffer, offset: &offset, pool: pool.pointer, into: &table)
    return (status, table, offset)
  }

  private func encode(_ table: amqp_table_t, room: Int = 1 << 20, offset: Int = 0) -> (
    status: Status, octets: [UInt8], offset: Int
  ) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 1)
    defer { memory.deallocate() }
    var end = offset
    let status = FieldTable.encode(table, into: memory, offset: &end)
    return (status, status.isOK ? Array(memory[offset..<end]) : [], end)
  }

  /// A kind, its value, and the octets of the value behind the kind.
  private var everyKind: [(kind: Character, value: amqp_field_value_t, octets: [UInt8])] {
    [
      ("t", .make("t") { $0.value.boolean = 1 }, [1]),
      ("b", .make("b") { $0.value.i8 = -2 }, [0xFE]),
      ("B", .make("B") { $0.value.u8 = 254 }, [0xFE]),
      ("s", .make("s") { $0.value.i16 = -2 }, [0xFF, 0xFE]),
      ("u", .make("u") { $0.value.u16 = 0x0102 }, [1, 2]),
      ("I", .make("I") { $0.value.i32 = -2 }, [0xFF, 0xFF, 0xFF, 0xFE]),
      ("i", .make("i") { $0.value.u32 = 0x0102_0304 }, [1, 2, 3, 4]),
      ("l", .make("l") { $0.value.i64 = -2 }, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE]),
      ("L", .make("L") { $0.value.u64 = 0x0102_0304_0506_0708 }, [1, 2, 3, 4, 5, 6, 7, 8]),
      ("f", .make("f") { $0.value.f32 = 1.5 }, [0x3F, 0xC0, 0, 0]),
      ("d", .make("d") { $0.value.f64 = -2 }, [0xC0, 0, 0, 0, 0, 0, 0, 0]),
      ("D", .make("D") { $0.value.decimal = amqp_decimal_t(decimals: 2, value: 314) }, [2, 0, 0, 1, 0x3A]),
      ("S", .make("S") { $0.value.bytes = pool.bytes("abc") }, [0, 0, 0, 3, 0x61, 0x62, 0x63]),
      ("x", .make("x") { $0.value.bytes = pool.bytes([0, 255]) }, [0, 0, 0, 2, 0, 255]),
      ("T", .make("T") { $0.value.u64 = 1_700_000_000 }, [0, 0, 0, 0, 0x65, 0x53, 0xF1, 0x00]),
      ("V", .make("V"), []),
      (
        "A",
        .make("A") { $0.value.array = pool.array([.make("t") { $0.value.boolean = 1 }, .make("V")]) },
        [0, 0, 0, 3, 0x74, 1, 0x56]
      ),
      (
        "F", .make("F") { $0.value.table = pool.table([("k", .make("B") { $0.value.u8 = 9 })]) },
        [0, 0, 0, 4, 1, 0x6B, 0x42, 9]
      ),
      ("A", .make("A"), [0, 0, 0, 0]),
      ("F", .make("F"), [0, 0, 0, 0]),
      ("S", .make("S"), [0, 0, 0, 0]),
    ]
  }

  private func tableOctets(_ kind: Character, _ octets: [UInt8]) -> [UInt8] {
    big(UInt32(octets.count + 4)) + [2, 0x61, 0x62, kind.asciiValue!] + octets
  }

  @Test func everyKindIsWrittenAndRead() {
    for (kind, value, octets) in everyKind {
      let whole = tableOctets(kind, octets)
      let original = pool.table([("ab", value)])
      let result = encode(original)
      #expect(result.status.isOK && result.octets == whole, "\(kind)")
      for tail in [[], [1, 2, 3]] as [[UInt8]] {
        let decoded = decode(whole + tail)
        #expect(decoded.status.isOK && decoded.offset == whole.count, "\(kind)")
        #expect(Value.entries(decoded.table) == Value.entries(original), "\(kind)")
      }
      for count in 0..<whole.count {
        let cut = decode(Array(whole.prefix(count)))
        #expect(cut.status == .badAMQPData && cut.offset == 0 && cut.table.num_entries == 77, "\(kind) \(count)")
        let tight = encode(original, room: count)
        #expect(tight.status == .tableTooBig && tight.offset == 0, "\(kind) in \(count)")
      }
      #expect(encode(original, room: whole.count).status.isOK)
    }
  }

  @Test func aWholeTableCutAnywhere() {
    let fields = everyKind.enumerated().map { ("key\($0.offset)", $0.element.value) }
    let original = pool.table(fields)
    let whole = encode(original).octets
    let decoded = decode(whole)
    #expect(decoded.status.isOK)
    #expect(Value.entries(decoded.table) == Value.entries(original))
    for count in 0..<whole.count {
      #expect(decode(Array(whole.prefix(count))).status == .badAMQPData)
      // The same with a length that fits the cut: only a cut between two entries is a table.
      if count >= 4 {
        let cut = big(UInt32(count - 4)) + whole[4..<count]
        let result = decode(Array(cut))
        if result.status.isOK {
          #expect(Value.entries(result.table) == Array(Value.entries(original).prefix(Int(result.table.num_entries))))
        } else {
          #expect(result.status == .badAMQPData)
        }
      }
    }
  }

  @Test func anyNonZeroBooleanIsOne() {
    let decoded = decode(tableOctets("t", [0x80]))
    #expect(decoded.table.entries[0].value.value.boolean == 1)
    let value = amqp_field_value_t.make("t") { $0.value.boolean = 256 }
    #expect(encode(pool.table([("ab", value)])).octets.last == 1)
  }

  @Test func unknownKinds() {
    let known = Set("tbBsuIilLfdDSxATFV".map { $0.asciiValue! })
    for kind in (UInt8(0)...255) where !known.contains(kind) {
      let octets: [UInt8] = [0, 0, 0, 4, 2, 0x61, 0x62, kind]
      #expect(decode(octets).status == .badAMQPData)
      #expect(decode([0, 0, 0, 16] + octets[4...] + [UInt8](repeating: 0, count: 12)).status == .badAMQPData)
      var value = amqp_field_value_t()
      value.kind = kind
      let table = pool.table([("a", value)])
      #expect(encode(table).status == .invalidParameter)
      var clone = amqp_table_t()
      #expect(FieldTable.clone(table, into: &clone, pool: pool.pointer) == .invalidParameter)
    }
  }

  @Test func anEmptyTableHasNoEntries() {
    let decoded = decode([0, 0, 0, 0])
    #expect(decoded.status.isOK && decoded.offset == 4)
    #expect(decoded.table.num_entries == 0 && decoded.table.entries == nil)
    #expect(encode(amqp_table_t(num_entries: 0, entries: nil)).octets == [0, 0, 0, 0])
  }

  @Test func entriesThatOverrunTheirContainer() {
    // The last value reaches one octet past the table, which the buffer has.
    #expect(decode([0, 0, 0, 6, 1, 0x61, 0x49, 0, 0, 0, 1]).status == .badAMQPData)
    #expect(decode([0, 0, 0, 7, 1, 0x61, 0x49, 0, 0, 0, 1]).status.isOK)
    #expect(decode([0, 0, 0, 8, 1, 0x61, 0x49, 0, 0, 0, 1, 9]).status == .badAMQPData)
    // The same of an array in a table.
    #expect(decode([0, 0, 0, 9, 1, 0x61, 0x41, 0, 0, 0, 2, 0x74, 1]).status.isOK)
    #expect(decode([0, 0, 0, 9, 1, 0x61, 0x41, 0, 0, 0, 1, 0x74, 1]).status == .badAMQPData)
    #expect(decode([0, 0, 0, 9, 1, 0x61, 0x41, 0, 0, 0, 3, 0x74, 1]).status == .badAMQPData)
    // Lengths as large as they go.
    #expect(decode([0xFF, 0xFF, 0xFF, 0xFF, 1, 0x61, 0x56]).status == .badAMQPData)
    #expect(decode([0, 0, 0, 7, 1, 0x61, 0x53, 0xFF, 0xFF, 0xFF, 0xFF]).status == .badAMQPData)
    #expect(decode([0, 0, 0, 7, 255, 0x61, 0x53, 0, 0, 0, 0]).status == .badAMQPData)
  }

  @Test func theOffsetIsWhereTheTableStarts() {
    let octets: [UInt8] = [9, 9, 0, 0, 0, 3, 1, 0x61, 0x56, 7]
    let decoded = decode(octets, offset: 2)
    #expect(decoded.status.isOK && decoded.offset == 9 && decoded.table.num_entries == 1)
    let empty = amqp_table_t(num_entries: 0, entries: nil)
    for offset in [7, 9, 10, 11, 1000, Int.max, -1, Int.min] {
      let decoded = decode(octets, offset: offset)
      #expect(decoded.status == .badAMQPData && decoded.offset == offset)
      let encoded = encode(empty, room: 10, offset: offset)
      #expect(encoded.status == .tableTooBig && encoded.offset == offset)
    }
    #expect(encode(empty, room: 10, offset: 6).offset == 10)
  }

  @Test func stringsAreBorrowedAndEntriesAreFromThePool() {
    let input = pool.bytes([0, 0, 0, 10, 1, 0x61, 0x53, 0, 0, 0, 2, 0x78, 0x79, 0]).buffer
    var (table, offset) = (amqp_table_t(), 0)
    #expect(FieldTable.decode(input, offset: &offset, pool: pool.pointer, into: &table) == .badAMQPData)
    let good = pool.bytes([0, 0, 0, 9, 1, 0x61, 0x53, 0, 0, 0, 2, 0x78, 0x79]).buffer
    #expect(FieldTable.decode(good, offset: &offset, pool: pool.pointer, into: &table).isOK)
    #expect(table.entries[0].key.bytes == UnsafeMutableRawPointer(mutating: good.baseAddress! + 5))
    #expect(table.entries[0].value.value.bytes.bytes == UnsafeMutableRawPointer(mutating: good.baseAddress! + 11))
  }

  // MARK: Depth

  private func nested(_ depth: Int, array: Bool) -> [UInt8] {
    var octets: [UInt8] = array ? [] : [0, 0, 0, 0]
    if array {
      octets = [0, 0, 0, 0]
      for _ in 2..<depth { octets = big(UInt32(octets.count + 1)) + [0x41] + octets }
      return big(UInt32(octets.count + 3)) + [1, 0x6B, 0x41] + octets
    }
    for _ in 1..<depth { octets = big(UInt32(octets.count + 3)) + [1, 0x6B, 0x46] + octets }
    return octets
  }

  @Test(arguments: [true, false]) func decodingGoesToAnyDepth(array: Bool) {
    for depth in [2, 99, 100, 101, 1000, 5000] {
      let decoded = decode(nested(depth, array: array))
      #expect(decoded.status.isOK)
      var (reached, field) = (1, decoded.table.entries?[0].value)
      while let value = field {
        reached += 1
        field =
          value.kind == 0x46 ? value.value.table.entries?[0].value : value.value.array.entries.map { $0[0] }
      }
      #expect(reached == depth)
    }
  }

  @Test(arguments: [true, false]) func whatProgramsHandInIsLimitedInDepth(array: Bool) {
    for (depth, fits) in [(Limit.fieldDepth - 1, true), (Limit.fieldDepth, true), (Limit.fieldDepth + 1, false)] {
      let octets = nested(depth, array: array)
      let table = decode(octets).table
      let result = encode(table)
      #expect(result.status == (fits ? .ok : .badAMQPData))
      if fits { #expect(result.octets == octets) }
      var clone = amqp_table_t()
      #expect(FieldTable.clone(table, into: &clone, pool: pool.pointer) == (fits ? .ok : .invalidParameter))
      var sizer = Sizer()
      var arguments = table
      sizer.table(&arguments)
      #expect(sizer.failure == (fits ? .ok : .badAMQPData))
      if fits { #expect(sizer.count == octets.count) }
    }
  }

  @Test func aTableThatHoldsItself() {
    let table = pool.table([("me", .make("F"))])
    table.entries[0].value.value.table = table
    #expect(encode(table).status == .badAMQPData)
    var clone = amqp_table_t()
    #expect(FieldTable.clone(table, into: &clone, pool: pool.pointer) == .invalidParameter)
  }

  // MARK: What programs get wrong

  @Test func tablesThatCannotBe() {
    let entries = UnsafeMutablePointer<amqp_table_entry_t>(bitPattern: 64)
    let broken = [
      amqp_table_t(num_entries: 1, entries: nil), amqp_table_t(num_entries: .max, entries: nil),
      amqp_table_t(num_entries: -1, entries: nil), amqp_table_t(num_entries: -1, entries: entries),
      amqp_table_t(num_entries: .min, entries: entries),
    ]
    for table in broken {
      #expect(encode(table).status == .badAMQPData)
      var clone = amqp_table_t(num_entries: 5, entries: nil)
      #expect(FieldTable.clone(table, into: &clone, pool: pool.pointer) == .invalidParameter)
      #expect(clone.num_entries == 5)
      let inner = pool.table([("t", .make("F") { $0.value.table = table })])
      #expect(encode(inner).status == .badAMQPData)
      #expect(FieldTable.clone(inner, into: &clone, pool: pool.pointer) == .invalidParameter)
    }
    for count in [Int32(1), -1, .min] {
      let array = pool.table([("a", .make("A") { $0.value.array = amqp_array_t(num_entries: count, entries: nil) })])
      #expect(encode(array).status == .badAMQPData)
    }
    for bytes in [amqp_bytes_t(len: 3, bytes: nil), amqp_bytes_t(len: -3, bytes: UnsafeMutableRawPointer(entries))] {
      let value = pool.table([("s", .make("S") { $0.value.bytes = bytes })])
      #expect(encode(value).status == .badAMQPData)
      var clone = amqp_table_t()
      #expect(FieldTable.clone(value, into: &clone, pool: pool.pointer) == .invalidParameter)
      let key = pool.table([("s", .make("V"))])
      key.entries[0].key = bytes
      #expect(encode(key).status == .badAMQPData)
      #expect(FieldTable.clone(key, into: &clone, pool: pool.pointer) == .invalidParameter)
    }
  }

  @Test func keysOf255OctetsAreTheLongest() {
    #expect(encode(pool.table([(String(repeating: "k", count: 255), .make("V"))])).status.isOK)
    #expect(encode(pool.table([(String(repeating: "k", count: 256), .make("V"))])).status == .badAMQPData)
  }

  // MARK: Clone and compare

  @Test func aCloneSharesNothing() {
    let original = pool.table(everyKind.enumerated().map { ("key\($0.offset)", $0.element.value) })
    let expected = Value.entries(original)
    let other = TestPool()
    var clone = amqp_table_t()
    #expect(FieldTable.clone(original, into: &clone, pool: other.pointer).isOK)
    #expect(Value.entries(clone) == expected)
    scribble(original)
    #expect(Value.entries(clone) == expected)
    #expect(Value.entries(original) != expected)
  }

  private func scribble(_ table: amqp_table_t) {
    for index in 0..<Int(table.num_entries) {
      let entry = table.entries + index
      entry.pointee.key.bytes?.storeBytes(of: 0xFF, as: UInt8.self)
      switch Character(UnicodeScalar(entry.pointee.value.kind)) {
      case "S", "x": entry.pointee.value.value.bytes.bytes?.storeBytes(of: 0xFF, as: UInt8.self)
      case "F": scribble(entry.pointee.value.value.table)
      case "A": entry.pointee.value.value.array.entries?[0].kind = 0
      default: break
      }
    }
  }

  @Test func anEmptyCloneHasNoEntries() {
    var clone = amqp_table_t(num_entries: 5, entries: UnsafeMutablePointer(bitPattern: 64))
    #expect(FieldTable.clone(amqp_table_t(num_entries: 0, entries: nil), into: &clone, pool: pool.pointer).isOK)
    #expect(clone.num_entries == 0 && clone.entries == nil)
  }

  @Test func entriesAreOrderedByKey() {
    let keys = ["", "B", "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "ab", "abc", "b"]
    for (i, left) in keys.enumerated() {
      for (j, right) in keys.enumerated() {
        let order = FieldTable.compareEntries(
          amqp_table_entry_t(key: pool.bytes(left), value: .make("V")),
          amqp_table_entry_t(key: pool.bytes(right), value: .make("V")))
        #expect(order.signum() == Int32(i - j).signum(), "\(left) \(right)")
      }
    }
    let high = amqp_table_entry_t(key: pool.bytes([0xFF]), value: .make("V"))
    let low = amqp_table_entry_t(key: pool.bytes([0x7F]), value: .make("V"))
    #expect(FieldTable.compareEntries(high, low) > 0)
    #expect(FieldTable.compareEntries(amqp_table_entry_t(), low) == -1)
  }

  @Test func lookingUpAKey() {
    let table = pool.table([("a", .make("B") { $0.value.u8 = 1 }), ("a", .make("B") { $0.value.u8 = 2 })])
    #expect(FieldTable.value(pool.bytes("a"), in: table)?.value.u8 == 1)
    #expect(FieldTable.value(pool.bytes("b"), in: table) == nil)
    #expect(FieldTable.value(pool.bytes("a"), in: amqp_table_t(num_entries: 9, entries: nil)) == nil)
  }

  @Test func anyOctetsEitherDecodeOrAreRefused() {
    var random = Random(state: 42)
    for round in 0..<3000 {
      let count = Int.random(in: 0...60, using: &random)
      let alphabet = Array("tbBsuIilLfdDSxATFV\u{0}\u{1}\u{2}\u{3}\u{4}\u{8}".utf8)
      let payload = (0..<count).map { _ in alphabet.randomElement(using: &random)! }
      let decoded = decode((round % 2 == 0 ? big(UInt32(count)) : []) + payload)
      guard decoded.status.isOK else {
        #expect(decoded.status == .badAMQPData)
        continue
      }
      let again = encode(decoded.table)
      #expect(again.status.isOK)
      #expect(Value.entries(decode(again.octets).table) == Value.entries(decoded.table))
    }
  }
}
