import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

@Suite struct SASLTests {
  let pool = TestPool()

  @Test func plain() {
    let user = pool.bytes("guest").buffer
    let password = pool.bytes("s3cret").buffer
    let response = SASL.plainResponse(user: user, password: password, pool: pool.pointer)
    #expect(response.map { array($0) } == [0] + Array("guest".utf8) + [0] + Array("s3cret".utf8))
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(SASL.plainResponse(user: nothing, password: nothing, pool: pool.pointer).map { array($0) } == [0, 0])
  }

  @Test func external() {
    #expect(SASL.externalResponse(identity: pool.bytes("cn").buffer, pool: pool.pointer).map { text($0) } == "cn")
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    let empty = SASL.externalResponse(identity: nothing, pool: pool.pointer)
    #expect(empty?.len == 0)
    #expect(SASL.externalResponse(identity: pool.bytes("").buffer, pool: pool.pointer)?.len == 0)
  }

  @Test func names() {
    #expect(SASL.name(AMQP_SASL_METHOD_PLAIN).map { "\($0)" } == "PLAIN")
    #expect(SASL.name(AMQP_SASL_METHOD_EXTERNAL).map { "\($0)" } == "EXTERNAL")
    for value in [-1, 2, 100, Int32.min, .max] {
      #expect(SASL.name(amqp_sasl_method_enum(rawValue: value)) == nil)
    }
  }

  @Test func mechanismsAreWholeWords() {
    for list in ["PLAIN", "PLAIN AMQPLAIN", "AMQPLAIN PLAIN", "A PLAIN B", " PLAIN ", "  PLAIN", "EXTERNAL  PLAIN"] {
      #expect(SASL.offers("PLAIN", in: pool.bytes(list)), "\(list)")
    }
    for list in [
      "", " ", "AMQPLAIN", "PLAINX", "XPLAIN", "plain", "PLAI", "PLAIN,AMQPLAIN", "PLAIN\0", "AMQPLAIN PLAI",
    ] {
      #expect(!SASL.offers("PLAIN", in: pool.bytes(list)), "\(list)")
    }
    #expect(!SASL.offers("PLAIN", in: amqp_bytes_t(len: 5, bytes: nil)))
  }
}

@Suite struct ClientPropertiesTests {
  let pool = TestPool()
  private let own = ["product", "version", "platform", "copyright", "information", "capabilities"]

  private func build(_ user: amqp_table_t) -> [Value.Entry] {
    var table = amqp_table_t()
    #expect(ClientProperties.build(user: user, pool: pool.pointer, into: &table).isOK)
    return Value.entries(table)
  }

  private func keys(_ entries: [Value.Entry]) -> [String] {
    entries.map { String(decoding: $0.key, as: UTF8.self) }
  }

  private func string(_ text: String) -> amqp_field_value_t { .make("S") { $0.value.bytes = pool.bytes(text) } }
  private func boolean(_ value: Bool) -> amqp_field_value_t { .make("t") { $0.value.boolean = value ? 1 : 0 } }
  private func octets(_ text: String) -> Value { .octets(kind: UInt8(ascii: "S"), Array(text.utf8)) }
  private func bit(_ value: Bool) -> Value { .bits(kind: UInt8(ascii: "t"), value ? 1 : 0) }
  private func entry(_ key: String, _ value: Value) -> Value.Entry { Value.Entry(key: Array(key.utf8), value: value) }

  @Test func withoutAUserTable() {
    let entries = build(pool.table([]))
    #expect(keys(entries) == own)
    #expect(entries[0].value == octets("rabbitmq-c"))
    #expect(entries[1].value == octets("0.16.0"))
    #expect(entries[2].value == octets("Linux"))
    #expect(
      entries[5].value
        == .table([
          entry("authentication_failure_close", bit(true)), entry("exchange_exchange_bindings", bit(true)),
        ]))
  }

  @Test func theUsersComeBehindAndReplace() {
    let entries = build(
      pool.table([("zeta", string("1")), ("product", string("mine")), ("alpha", string("2")), ("zeta", string("3"))]))
    #expect(keys(entries) == own + ["zeta", "alpha"])
    #expect(entries[0].value == octets("mine"))
    #expect(entries[6].value == octets("3"))
    #expect(entries[7].value == octets("2"))
  }

  @Test func capabilitiesAreMerged() {
    let more = pool.table([("consumer_cancel_notify", boolean(true)), ("exchange_exchange_bindings", boolean(false))])
    let table: amqp_field_value_t = .make("F") { $0.value.table = more }
    let merged = build(pool.table([("x", string("1")), ("capabilities", table)]))
    #expect(keys(merged) == own + ["x"])
    #expect(
      merged[5].value
        == .table([
          entry("authentication_failure_close", bit(true)), entry("exchange_exchange_bindings", bit(false)),
          entry("consumer_cancel_notify", bit(true)),
        ]))
    #expect(build(pool.table([("capabilities", string("none"))]))[5].value == octets("none"))
    let replaced = build(pool.table([("capabilities", string("none")), ("capabilities", table)]))
    #expect(
      replaced[5].value
        == .table([entry("consumer_cancel_notify", bit(true)), entry("exchange_exchange_bindings", bit(false))]))
    #expect(Value.entries(more).count == 2, "the user's table is left alone")
  }

  @Test func theResultSharesNothingWithTheUsersTable() {
    let value = pool.bytes("mine")
    let user = pool.table([("product", .make("S") { $0.value.bytes = value })])
    var table = amqp_table_t()
    #expect(ClientProperties.build(user: user, pool: pool.pointer, into: &table).isOK)
    value.bytes?.storeBytes(of: 0xFF, as: UInt8.self)
    #expect(Value.entries(table)[0].value == octets("mine"))
  }

  @Test func tablesThatCannotBe() {
    var table = amqp_table_t(num_entries: 3, entries: nil)
    for user in [amqp_table_t(num_entries: 1, entries: nil), amqp_table_t(num_entries: -1, entries: nil)] {
      #expect(ClientProperties.build(user: user, pool: pool.pointer, into: &table) == .invalidParameter)
      let inner = pool.table([("capabilities", .make("F") { $0.value.table = user })])
      #expect(ClientProperties.build(user: inner, pool: pool.pointer, into: &table) == .invalidParameter)
    }
    #expect(table.num_entries == 3)
  }
}

@Suite struct ReplyCodeTests {
  @Test func names() {
    #expect(ReplyCode.name(1).map { "\($0)" } == "AMQP_FRAME_METHOD")
    #expect(ReplyCode.name(200).map { "\($0)" } == "AMQP_REPLY_SUCCESS")
    #expect(ReplyCode.name(541).map { "\($0)" } == "AMQP_INTERNAL_ERROR")
    #expect(ReplyCode.name(4096).map { "\($0)" } == "AMQP_FRAME_MIN_SIZE")
    #expect(ReplyCode.name(0) == nil && ReplyCode.name(-1) == nil && ReplyCode.name(.max) == nil)
    #expect((-10...5000).filter { ReplyCode.name($0) != nil }.count == 25)
  }

  @Test func hardErrors() {
    #expect(
      (-10...5000).filter(ReplyCode.isHardError)
        == [320, 402, 501, 502, 503, 504, 505, 506, 530, 540, 541])
  }
}
