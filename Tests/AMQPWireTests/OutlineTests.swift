import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

/// A declaration as it lies on the wire, its table on its own, and the fields that are not the table.
private func declaration(_ pool: TestPool) -> (octets: [UInt8], table: [UInt8]) {
  var declare = amqp_queue_declare_t()
  declare.queue = pool.bytes("jobs")
  declare.durable = 1
  declare.arguments = pool.table([("x-queue-type", .make("S") { $0.value.bytes = pool.bytes("quorum") })])
  let octets = encoded(room: 4096) { declare.code(&$0) }.octets
  let table = encoded(room: 4096) { $0.table(&declare.arguments) }.octets
  return (octets, table)
}

@Test func theTableOfAMethodStaysAsItIs() {
  let pool = TestPool()
  let (octets, table) = declaration(pool)
  octets.withUnsafeBytes { octets in
    var (declare, decoder) = (amqp_queue_declare_t(), OutlineDecoder(octets))
    declare.code(&decoder)
    #expect(decoder.failure.isOK)
    #expect(declare.queue.buffer.elementsEqual("jobs".utf8))
    #expect(declare.durable == 1 && declare.exclusive == 0)
    #expect(declare.arguments.num_entries == 0)
    #expect(Array(decoder.table.buffer) == table)
  }
}

@Test func aMethodThatIsCutShortHasNoTable() {
  let (octets, _) = declaration(TestPool())
  for count in 0..<octets.count {
    octets.prefix(count).withUnsafeBytes { octets in
      var (declare, decoder) = (amqp_queue_declare_t(), OutlineDecoder(octets))
      declare.code(&decoder)
      #expect(decoder.failure == .badAMQPData)
      #expect(decoder.table.len == 0)
    }
  }
}

@Test func aMethodWithoutATableHasNone() {
  let octets: [UInt8] = [0, 0, 0, 0, 0, 5, 1]
  octets.withUnsafeBytes { octets in
    var (qos, decoder) = (amqp_basic_qos_t(), OutlineDecoder(octets))
    qos.code(&decoder)
    #expect(decoder.failure.isOK && decoder.table.len == 0)
    #expect(qos.prefetch_count == 5 && qos.global == 1)
  }
}
