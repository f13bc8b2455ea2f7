import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

/// Every number that names a method.
private let everyMethod: [amqp_method_number_t] = (0..<UInt32(100)).flatMap { classID in
  (0..<UInt32(200)).map { classID << 16 | $0 }
}.filter { MethodTable.name($0) != nil }

/// There and back, whole, cut at every octet, with a tail, and with too little room.
private struct RoundTrip: MethodVisitor {
  let seed: UInt64

  mutating func visit<M: WireMethod>(_ method: M.Type) -> Bool {
    let pool = TestPool()
    var original = M()
    var filler = Filler(random: Random(state: seed ^ UInt64(M.id)), pool: pool)
    original.code(&filler)
    let expected = fields(&original)
    let octets = encode(&original)
    var sizer = Sizer()
    original.code(&sizer)
    #expect(sizer.count == octets.count && sizer.failure.isOK, "\(M.name)")

    for tail in [[], [0], [0xCE, 1, 2, 3]] as [[UInt8]] {
      var decoded = decode(M.self, octets + tail, pool)
      #expect(decoded.status.isOK, "\(M.name)")
      if var arguments = decoded.arguments?.pointee { #expect(fields(&arguments) == expected, "\(M.name)") }
      decoded.arguments = nil
    }
    for count in 0..<octets.count {
      let cut = decode(M.self, Array(octets.prefix(count)), pool)
      #expect(cut.status == .badAMQPData && cut.arguments == nil, "\(M.name) cut to \(count)")
    }
    for room in stride(from: 0, to: octets.count, by: max(1, octets.count / 50)) {
      let result = encoded(room: room) { original.code(&$0) }
      #expect(result.failure == .badAMQPData || result.failure == .tableTooBig, "\(M.name) in \(room)")
      #expect(Array(octets.prefix(result.octets.count)) == result.octets || result.failure == .tableTooBig)
    }
    return true
  }

  private func fields<M: WireMethod>(_ arguments: inout M) -> [Value] {
    var collector = Collector()
    arguments.code(&collector)
    return collector.fields
  }

  private func encode<M: WireMethod>(_ arguments: inout M) -> [UInt8] {
    withUnsafeMutablePointer(to: &arguments) { pointer in
      encoded { #expect(MethodTable.encode(M.id, pointer, into: &$0).isOK) }.octets
    }
  }

  private func decode<M: WireMethod>(
    _ method: M.Type, _ octets: [UInt8], _ pool: TestPool
  ) -> (status: Status, arguments: UnsafeMutablePointer<M>?) {
    let input = pool.bytes(octets).buffer
    var decoded: UnsafeMutableRawPointer?
    let status = MethodTable.decode(M.id, input, pool: pool.pointer, decoded: &decoded)
    return (status, decoded?.assumingMemoryBound(to: M.self))
  }
}

/// The name and the id that a struct gives itself, and whether it looks at its fields.
private struct Identity: MethodVisitor {
  mutating func visit<M: WireMethod>(_ method: M.Type) -> (id: UInt32, hasFields: Bool, coded: Bool) {
    var arguments = M()
    var sizer = Sizer()
    arguments.code(&sizer)
    return (M.id, M.hasFields, sizer.count > 0)
  }
}

@Suite struct MethodTests {
  @Test func thereAre66Methods() { #expect(everyMethod.count == 66) }

  @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
  func everyMethodComesBackAsItWent(seed: UInt64) {
    for id in everyMethod {
      var visitor = RoundTrip(seed: seed)
      #expect(MethodTable.dispatch(id, &visitor) == true)
    }
  }

  @Test func everyMethodIsWhatItsNumberSays() {
    for id in everyMethod {
      var visitor = Identity()
      let identity = MethodTable.dispatch(id, &visitor)
      #expect(identity?.id == id)
      #expect(identity?.hasFields == identity?.coded)
      let name = MethodTable.name(id).map { "\($0)" } ?? ""
      #expect(name.hasPrefix("AMQP_") && name.hasSuffix("_METHOD"))
    }
    #expect(Set(everyMethod.map { "\(MethodTable.name($0)!)" }).count == 66)
  }

  @Test func namesAreThoseOfTheHeader() {
    #expect(MethodTable.name(0x000A_000A).map { "\($0)" } == "AMQP_CONNECTION_START_METHOD")
    #expect(MethodTable.name(0x003C_003C).map { "\($0)" } == "AMQP_BASIC_DELIVER_METHOD")
    #expect(MethodTable.name(0x0028_0033).map { "\($0)" } == "AMQP_EXCHANGE_UNBIND_OK_METHOD")
    #expect(MethodTable.name(0x0055_000B).map { "\($0)" } == "AMQP_CONFIRM_SELECT_OK_METHOD")
    #expect(MethodTable.name(0x0028_0029) == nil)
    #expect(MethodTable.name(0) == nil)
    #expect(MethodTable.name(.max) == nil)
  }

  @Test func contentFollowsFourMethods() {
    #expect(
      everyMethod.filter(MethodTable.hasContent) == [
        AMQP_BASIC_PUBLISH_METHOD, AMQP_BASIC_RETURN_METHOD, AMQP_BASIC_DELIVER_METHOD, AMQP_BASIC_GET_OK_METHOD,
      ])
    #expect(!MethodTable.hasContent(0))
  }

  @Test func unknownMethodTouchesNothing() {
    let pool = TestPool()
    var decoded = UnsafeMutableRawPointer(bitPattern: 0x1234)
    #expect(
      MethodTable.decode(0x003C_00FF, pool.bytes([1, 2, 3]).buffer, pool: pool.pointer, decoded: &decoded)
        == .unknownMethod)
    #expect(decoded == UnsafeMutableRawPointer(bitPattern: 0x1234))
    let result = encoded { #expect(MethodTable.encode(0x003C_00FF, nil, into: &$0) == .unknownMethod) }
    #expect(result.octets == [])
    var octets = 77
    #expect(MethodTable.size(0x003C_00FF, nil, octets: &octets) == .unknownMethod)
    #expect(octets == 77)
  }

  @Test func aMethodWithoutFieldsNeedsNoStruct() {
    let pool = TestPool()
    let junk = UnsafeMutableRawPointer(bitPattern: 8)
    for decoded in [nil, junk] {
      let result = encoded { #expect(MethodTable.encode(AMQP_TX_COMMIT_METHOD, decoded, into: &$0).isOK) }
      #expect(result.octets == [])
    }
    var decoded: UnsafeMutableRawPointer?
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(MethodTable.decode(AMQP_TX_COMMIT_OK_METHOD, nothing, pool: pool.pointer, decoded: &decoded).isOK)
    #expect(decoded != nil, "programs take NULL for a failed call")
  }

  @Test func aMethodWithFieldsNeedsOne() {
    let result = encoded {
      #expect(MethodTable.encode(AMQP_BASIC_PUBLISH_METHOD, nil, into: &$0) == .invalidParameter)
    }
    #expect(result.octets == [])
    var octets = 0
    #expect(MethodTable.size(AMQP_BASIC_PUBLISH_METHOD, nil, octets: &octets) == .invalidParameter)
  }

  @Test func stringsOf255OctetsAreTheLongest() {
    let pool = TestPool()
    for (count, status) in [(255, Status.ok), (256, .badAMQPData), (70000, .badAMQPData)] {
      var publish = amqp_basic_publish_t()
      publish.routing_key = pool.bytes([UInt8](repeating: 65, count: count))
      _ = encoded { #expect(MethodTable.encode(AMQP_BASIC_PUBLISH_METHOD, &publish, into: &$0) == status) }
      var octets = 0
      #expect(MethodTable.size(AMQP_BASIC_PUBLISH_METHOD, &publish, octets: &octets) == status)
    }
  }

  @Test func stringsThatCannotBeAreRefused() {
    let somewhere = UnsafeMutableRawPointer(bitPattern: 64)
    for impossible in [
      amqp_bytes_t(len: 1, bytes: nil), amqp_bytes_t(len: .max, bytes: nil), amqp_bytes_t(len: -1, bytes: nil),
      amqp_bytes_t(len: -1, bytes: somewhere), amqp_bytes_t(len: .min, bytes: somewhere),
      amqp_bytes_t(len: 0x1_0000_0000, bytes: somewhere), amqp_bytes_t(len: .max, bytes: somewhere),
    ] {
      var publish = amqp_basic_publish_t()
      publish.exchange = impossible
      _ = encoded { #expect(MethodTable.encode(AMQP_BASIC_PUBLISH_METHOD, &publish, into: &$0) == .badAMQPData) }
      var secure = amqp_connection_secure_ok_t(response: impossible)
      _ = encoded { #expect(MethodTable.encode(AMQP_CONNECTION_SECURE_OK_METHOD, &secure, into: &$0) == .badAMQPData) }
      var octets = 0
      #expect(MethodTable.size(AMQP_CONNECTION_SECURE_OK_METHOD, &secure, octets: &octets) == .badAMQPData)
    }
  }

  @Test func theStringsPointIntoTheInput() throws {
    let pool = TestPool()
    let input = pool.bytes(shortstr("tag") + big(UInt64(7)) + [1] + shortstr("") + shortstr("key")).buffer
    var decoded: UnsafeMutableRawPointer?
    #expect(MethodTable.decode(AMQP_BASIC_DELIVER_METHOD, input, pool: pool.pointer, decoded: &decoded).isOK)
    let deliver = try #require(decoded).assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee
    #expect(deliver.consumer_tag.bytes == UnsafeMutableRawPointer(mutating: input.baseAddress! + 1))
    #expect(deliver.exchange.len == 0)
    #expect(deliver.routing_key.bytes == UnsafeMutableRawPointer(mutating: input.baseAddress! + 15))
  }
}
