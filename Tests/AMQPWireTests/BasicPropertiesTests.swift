import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

@Suite struct BasicPropertiesTests {
  let pool = TestPool()

  /// A property's flag, how to set it, and its octets, in wire order.
  private var everyProperty: [(flag: UInt32, set: (inout amqp_basic_properties_t) -> Void, octets: [UInt8])] {
    [
      (1 << 15, { $0.content_type = pool.bytes("text/plain") }, shortstr("text/plain")),
      (1 << 14, { $0.content_encoding = pool.bytes("gzip") }, shortstr("gzip")),
      (1 << 13, { $0.headers = pool.table([("k", .make("V"))]) }, [0, 0, 0, 3, 1, 0x6B, 0x56]),
      (1 << 12, { $0.delivery_mode = 2 }, [2]),
      (1 << 11, { $0.priority = 9 }, [9]),
      (1 << 10, { $0.correlation_id = pool.bytes("c") }, shortstr("c")),
      (1 << 9, { $0.reply_to = pool.bytes("r") }, shortstr("r")),
      (1 << 8, { $0.expiration = pool.bytes("60000") }, shortstr("60000")),
      (1 << 7, { $0.message_id = pool.bytes("m") }, shortstr("m")),
      (1 << 6, { $0.timestamp = 0x0102_0304_0506_0708 }, [1, 2, 3, 4, 5, 6, 7, 8]),
      (1 << 5, { $0.type = pool.bytes("t") }, shortstr("t")),
      (1 << 4, { $0.user_id = pool.bytes("u") }, shortstr("u")),
      (1 << 3, { $0.app_id = pool.bytes("a") }, shortstr("a")),
      (1 << 2, { $0.cluster_id = pool.bytes("l") }, shortstr("l")),
    ]
  }

  /// As a program leaves it that sets flagged fields alone.
  private func uninitialised() -> UnsafeMutablePointer<amqp_basic_properties_t> {
    let memory = pool.pointer.allocate(MemoryLayout<amqp_basic_properties_t>.size)!
    memory.initializeMemory(as: UInt8.self, repeating: 0xAA, count: MemoryLayout<amqp_basic_properties_t>.size)
    return memory.bindMemory(to: amqp_basic_properties_t.self, capacity: 1)
  }

  private func decode(_ octets: [UInt8], classID: Int32 = AMQP_BASIC_CLASS) -> (
    status: Status, decoded: UnsafeMutableRawPointer?
  ) {
    var decoded: UnsafeMutableRawPointer?
    let status = BasicProperties.decode(
      classID: UInt16(classID), pool.bytes(octets).buffer, pool: pool.pointer, decoded: &decoded)
    return (status, decoded)
  }

  private func octets(of properties: UnsafePointer<amqp_basic_properties_t>) -> [UInt8] {
    encoded { #expect(BasicProperties.encode(properties, into: &$0).isOK) }.octets
  }

  private func check(_ flags: UInt32, _ properties: UnsafeMutablePointer<amqp_basic_properties_t>, _ octets: [UInt8]) {
    let whole = big(UInt16(flags)) + octets
    let result = encoded {
      #expect(BasicProperties.encode(classID: 60, properties, into: &$0).isOK)
    }
    #expect(result.octets == whole)
    for tail in [[], [0, 0, 0]] as [[UInt8]] {
      let decoded = decode(whole + tail)
      #expect(decoded.status.isOK)
      guard let copy = decoded.decoded?.assumingMemoryBound(to: amqp_basic_properties_t.self) else { continue }
      #expect(copy.pointee._flags == flags)
      #expect(self.octets(of: copy) == whole)
    }
    for count in 0..<whole.count {
      let cut = decode(Array(whole.prefix(count)))
      #expect(cut.status == .badAMQPData && cut.decoded == nil)
      let tight = encoded(room: count) { _ = BasicProperties.encode(properties, into: &$0) }
      #expect(tight.failure == .badAMQPData || tight.failure == .tableTooBig)
    }
  }

  @Test func eachFlagAlone() {
    for property in everyProperty {
      let properties = uninitialised()
      properties.pointee._flags = property.flag
      property.set(&properties.pointee)
      check(property.flag, properties, property.octets)
    }
  }

  @Test func everyFlagAtOnceAndNone() {
    let properties = uninitialised()
    properties.pointee._flags = 0xFFFC
    for property in everyProperty { property.set(&properties.pointee) }
    check(0xFFFC, properties, everyProperty.flatMap(\.octets))
    properties.pointee._flags = 0
    check(0, properties, [])
  }

  @Test func randomFlags() {
    var random = Random(state: 7)
    for _ in 0..<200 {
      let flags = UInt32.random(in: 0...0xFFFF, using: &random) & 0xFFFC
      let properties = uninitialised()
      properties.pointee._flags = flags
      for property in everyProperty where flags & property.flag != 0 { property.set(&properties.pointee) }
      check(flags, properties, everyProperty.filter { flags & $0.flag != 0 }.flatMap(\.octets))
    }
  }

  @Test func whatIsNotFlaggedIsZero() throws {
    _ = try #require(pool.pointer.allocate(64)).initializeMemory(as: UInt8.self, repeating: 0xAA, count: 64)
    pool.pointer.recycle()
    let decoded = try #require(decode([0x10, 0, 2]).decoded).assumingMemoryBound(to: amqp_basic_properties_t.self)
    #expect(decoded.pointee.delivery_mode == 2)
    #expect(decoded.pointee.content_type.bytes == nil && decoded.pointee.content_type.len == 0)
    #expect(decoded.pointee.headers.entries == nil && decoded.pointee.headers.num_entries == 0)
    #expect(decoded.pointee.timestamp == 0 && decoded.pointee.priority == 0)
    #expect(decoded.pointee.cluster_id.bytes == nil)
  }

  @Test func moreWordsOfFlags() throws {
    let two = try #require(decode([0x10, 0x01, 0x80, 0x04, 2]).decoded)
      .assumingMemoryBound(to: amqp_basic_properties_t.self)
    #expect(two.pointee._flags == 0x8004_1001 && two.pointee.delivery_mode == 2)
    let many = try #require(decode([0x10, 0x01, 0, 1, 0xFF, 0xFF, 0x80, 0, 2]).decoded)
      .assumingMemoryBound(to: amqp_basic_properties_t.self)
    #expect(many.pointee._flags == 0x0001_1001 && many.pointee.delivery_mode == 2)
    #expect(decode([0x10, 0x01]).status == .badAMQPData)
    #expect(decode([0x10, 0x01, 0, 1]).status == .badAMQPData)
    #expect(decode([UInt8](repeating: 0xFF, count: 1000)).status == .badAMQPData)
    // As the words are written.
    let cases: [(UInt32, [UInt8])] = [
      (0, [0, 0]), (1, [0, 0]), (2, [0, 2]), (3, [0, 2]), (0x10000, [0, 1, 0, 0]), (0x30000, [0, 1, 0, 2]),
      (0x8004_0000, [0, 1, 0x80, 4]),
    ]
    for (flags, octets) in cases {
      let properties = uninitialised()
      properties.pointee._flags = flags
      #expect(self.octets(of: properties) == octets)
    }
  }

  @Test(arguments: [
    AMQP_CONNECTION_CLASS, AMQP_CHANNEL_CLASS, AMQP_ACCESS_CLASS, AMQP_EXCHANGE_CLASS,
    AMQP_QUEUE_CLASS, AMQP_TX_CLASS, AMQP_CONFIRM_CLASS,
  ])
  func classesWithoutProperties(classID: Int32) throws {
    let decoded = try #require(decode([0x80, 0x01, 0x12, 0x34], classID: classID).decoded)
    #expect(decoded.load(as: UInt32.self) == 0x1234_8001)
    let octets = encoded { #expect(BasicProperties.encode(classID: UInt16(classID), decoded, into: &$0).isOK) }.octets
    #expect(octets == [0x80, 0x01, 0x12, 0x34])
    #expect(decode([0x80], classID: classID).status == .badAMQPData)
  }

  @Test func unknownClassesAndNoStruct() {
    for classID in [0, 1, 59, 61, 65535] as [Int32] {
      #expect(decode([0, 0], classID: classID).status == .unknownClass)
      var properties = amqp_basic_properties_t()
      let octets = encoded {
        #expect(BasicProperties.encode(classID: UInt16(classID), &properties, into: &$0) == .unknownClass)
      }.octets
      #expect(octets == [])
    }
    _ = encoded { #expect(BasicProperties.encode(classID: 60, nil, into: &$0) == .invalidParameter) }
  }

  @Test func whatIsFlaggedMustBeRight() {
    for bytes in [amqp_bytes_t(len: 3, bytes: nil), pool.bytes([UInt8](repeating: 1, count: 256))] {
      let properties = uninitialised()
      properties.pointee._flags = 1 << 7
      properties.pointee.message_id = bytes
      _ = encoded { #expect(BasicProperties.encode(properties, into: &$0) == .badAMQPData) }
    }
    let properties = uninitialised()
    properties.pointee._flags = 1 << 13
    properties.pointee.headers = amqp_table_t(num_entries: 1, entries: nil)
    _ = encoded { #expect(BasicProperties.encode(properties, into: &$0) == .badAMQPData) }
    properties.pointee.headers = pool.table([("k", .make("S") { $0.value.bytes = pool.bytes("long") })])
    _ = encoded(room: 12) { #expect(BasicProperties.encode(properties, into: &$0) == .tableTooBig) }
  }
}
