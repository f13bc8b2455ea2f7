import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

/// Octets written out by hand from the specification's list of arguments; the round trip cannot see an order that is wrong
/// both ways.
@Suite struct MethodGoldenTests {
  let pool = TestPool()

  private func expect<M: WireMethod>(_ arguments: M, _ octets: [UInt8]) {
    var arguments = arguments
    let written = withUnsafeMutablePointer(to: &arguments) { pointer in
      encoded { #expect(MethodTable.encode(M.id, pointer, into: &$0).isOK, "\(M.name)") }.octets
    }
    #expect(written == octets, "\(M.name)")
  }

  @Test func connection() {
    expect(
      amqp_connection_start_t(
        version_major: 0, version_minor: 9,
        server_properties: pool.table([("a", .make("t") { $0.value.boolean = 1 })]),
        mechanisms: pool.bytes("PLAIN AMQPLAIN"), locales: pool.bytes("en_US")),
      [0, 9] + [0, 0, 0, 4, 1, 0x61, 0x74, 1] + longstr("PLAIN AMQPLAIN") + longstr("en_US"))
    expect(
      amqp_connection_start_ok_t(
        client_properties: pool.table([]), mechanism: pool.bytes("PLAIN"), response: pool.bytes("\0u\0p"),
        locale: pool.bytes("en_US")),
      [0, 0, 0, 0, 5] + Array("PLAIN".utf8) + [0, 0, 0, 4, 0, 0x75, 0, 0x70, 5] + Array("en_US".utf8))
    expect(amqp_connection_secure_t(challenge: pool.bytes("who")), longstr("who"))
    expect(amqp_connection_secure_ok_t(response: pool.bytes("me")), longstr("me"))
    expect(
      amqp_connection_tune_t(channel_max: 0x07FF, frame_max: 0x0002_0000, heartbeat: 60),
      [0x07, 0xFF, 0, 2, 0, 0, 0, 60])
    expect(
      amqp_connection_tune_ok_t(channel_max: 1, frame_max: 0x1000, heartbeat: 0x0102), [0, 1, 0, 0, 0x10, 0, 1, 2])
    expect(
      amqp_connection_open_t(virtual_host: pool.bytes("/"), capabilities: pool.bytes(""), insist: 1),
      [1, 0x2F, 0, 1])
    expect(amqp_connection_open_ok_t(known_hosts: pool.bytes("h")), [1, 0x68])
    expect(
      amqp_connection_close_t(reply_code: 320, reply_text: pool.bytes("bye"), class_id: 10, method_id: 40),
      [0x01, 0x40, 3] + Array("bye".utf8) + [0, 10, 0, 40])
    expect(amqp_connection_close_ok_t(), [])
    expect(amqp_connection_blocked_t(reason: pool.bytes("low on memory")), shortstr("low on memory"))
    expect(
      amqp_connection_update_secret_t(new_secret: pool.bytes("s3"), reason: pool.bytes("old")),
      longstr("s3") + shortstr("old"))
  }

  @Test func channelAndAccess() {
    expect(amqp_channel_open_t(out_of_band: pool.bytes("")), [0])
    expect(amqp_channel_open_ok_t(channel_id: pool.bytes("")), [0, 0, 0, 0])
    expect(amqp_channel_flow_t(active: 1), [1])
    expect(amqp_channel_flow_ok_t(active: 0), [0])
    expect(
      amqp_channel_close_t(reply_code: 404, reply_text: pool.bytes("no"), class_id: 50, method_id: 10),
      [0x01, 0x94, 2, 0x6E, 0x6F, 0, 50, 0, 10])
    expect(
      amqp_access_request_t(
        realm: pool.bytes("r"), exclusive: 1, passive: 0, active: 1, write: 0, read: 1),
      [1, 0x72, 0b10101])
    expect(amqp_access_request_ok_t(ticket: 0x0102), [1, 2])
  }

  @Test func exchange() {
    let arguments = pool.table([("x", .make("V"))])
    let table: [UInt8] = [0, 0, 0, 3, 1, 0x78, 0x56]
    expect(
      amqp_exchange_declare_t(
        ticket: 0, exchange: pool.bytes("e"), type: pool.bytes("fanout"), passive: 0, durable: 1, auto_delete: 0,
        internal: 0, nowait: 1, arguments: arguments),
      [0, 0] + shortstr("e") + shortstr("fanout") + [0b10010] + table)
    expect(
      amqp_exchange_delete_t(ticket: 1, exchange: pool.bytes("e"), if_unused: 1, nowait: 0), [0, 1, 1, 0x65, 0b01])
    expect(
      amqp_exchange_bind_t(
        ticket: 0, destination: pool.bytes("d"), source: pool.bytes("s"), routing_key: pool.bytes("k"), nowait: 1,
        arguments: arguments),
      [0, 0, 1, 0x64, 1, 0x73, 1, 0x6B, 1] + table)
    expect(
      amqp_exchange_unbind_t(
        ticket: 0, destination: pool.bytes("d"), source: pool.bytes("s"), routing_key: pool.bytes("k"), nowait: 0,
        arguments: arguments),
      [0, 0, 1, 0x64, 1, 0x73, 1, 0x6B, 0] + table)
  }

  @Test func queue() {
    let arguments = pool.table([("x", .make("V"))])
    let table: [UInt8] = [0, 0, 0, 3, 1, 0x78, 0x56]
    expect(
      amqp_queue_declare_t(
        ticket: 0, queue: pool.bytes("q"), passive: 1, durable: 0, exclusive: 1, auto_delete: 0, nowait: 0,
        arguments: arguments),
      [0, 0, 1, 0x71, 0b00101] + table)
    expect(
      amqp_queue_declare_ok_t(queue: pool.bytes("q"), message_count: 5, consumer_count: 0x0102_0304),
      [1, 0x71, 0, 0, 0, 5, 1, 2, 3, 4])
    expect(
      amqp_queue_bind_t(
        ticket: 0, queue: pool.bytes("q"), exchange: pool.bytes("e"), routing_key: pool.bytes("k"), nowait: 1,
        arguments: arguments),
      [0, 0, 1, 0x71, 1, 0x65, 1, 0x6B, 1] + table)
    expect(amqp_queue_purge_t(ticket: 0, queue: pool.bytes("q"), nowait: 1), [0, 0, 1, 0x71, 1])
    expect(amqp_queue_purge_ok_t(message_count: 9), [0, 0, 0, 9])
    expect(
      amqp_queue_delete_t(ticket: 0, queue: pool.bytes("q"), if_unused: 0, if_empty: 1, nowait: 0),
      [0, 0, 1, 0x71, 0b010])
    expect(amqp_queue_delete_ok_t(message_count: 9), [0, 0, 0, 9])
    expect(
      amqp_queue_unbind_t(
        ticket: 0, queue: pool.bytes("q"), exchange: pool.bytes("e"), routing_key: pool.bytes("k"),
        arguments: arguments),
      [0, 0, 1, 0x71, 1, 0x65, 1, 0x6B] + table)
  }

  @Test func basicConsuming() {
    expect(
      amqp_basic_qos_t(prefetch_size: 0x0102_0304, prefetch_count: 0x0506, global: 1), [1, 2, 3, 4, 5, 6, 1])
    expect(
      amqp_basic_consume_t(
        ticket: 0, queue: pool.bytes("q"), consumer_tag: pool.bytes("t"), no_local: 0, no_ack: 1, exclusive: 0,
        nowait: 1, arguments: pool.table([])),
      [0, 0, 1, 0x71, 1, 0x74, 0b1010, 0, 0, 0, 0])
    expect(amqp_basic_consume_ok_t(consumer_tag: pool.bytes("t")), [1, 0x74])
    expect(amqp_basic_cancel_t(consumer_tag: pool.bytes("t"), nowait: 1), [1, 0x74, 1])
    expect(amqp_basic_cancel_ok_t(consumer_tag: pool.bytes("t")), [1, 0x74])
    expect(
      amqp_basic_deliver_t(
        consumer_tag: pool.bytes("t"), delivery_tag: 0x0102_0304_0506_0708, redelivered: 1, exchange: pool.bytes("e"),
        routing_key: pool.bytes("k")),
      [1, 0x74, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 0x65, 1, 0x6B])
    expect(amqp_basic_get_t(ticket: 0, queue: pool.bytes("q"), no_ack: 1), [0, 0, 1, 0x71, 1])
    expect(
      amqp_basic_get_ok_t(
        delivery_tag: 1, redelivered: 0, exchange: pool.bytes("e"), routing_key: pool.bytes("k"), message_count: 2),
      [0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x65, 1, 0x6B, 0, 0, 0, 2])
    expect(amqp_basic_get_empty_t(cluster_id: pool.bytes("")), [0])
  }

  @Test func basicPublishingAndAnswering() {
    expect(
      amqp_basic_publish_t(
        ticket: 0x0102, exchange: pool.bytes("ex"), routing_key: pool.bytes("key"), mandatory: 1, immediate: 0),
      [1, 2, 2, 0x65, 0x78, 3, 0x6B, 0x65, 0x79, 0b01])
    expect(
      amqp_basic_publish_t(
        ticket: 0, exchange: pool.bytes(""), routing_key: pool.bytes("k"), mandatory: 0, immediate: 7),
      [0, 0, 0, 1, 0x6B, 0b10])
    expect(
      amqp_basic_return_t(
        reply_code: 312, reply_text: pool.bytes("NO_ROUTE"), exchange: pool.bytes("e"), routing_key: pool.bytes("k")),
      [0x01, 0x38] + shortstr("NO_ROUTE") + [1, 0x65, 1, 0x6B])
    expect(amqp_basic_ack_t(delivery_tag: 1, multiple: 1), [0, 0, 0, 0, 0, 0, 0, 1, 1])
    expect(amqp_basic_reject_t(delivery_tag: 2, requeue: 1), [0, 0, 0, 0, 0, 0, 0, 2, 1])
    expect(amqp_basic_nack_t(delivery_tag: 3, multiple: 0, requeue: 1), [0, 0, 0, 0, 0, 0, 0, 3, 0b10])
    expect(amqp_basic_recover_async_t(requeue: 1), [1])
    expect(amqp_basic_recover_t(requeue: 1), [1])
    expect(amqp_confirm_select_t(nowait: 1), [1])
  }

  @Test func bitsDecodeToOneOrZero() throws {
    var decoded: UnsafeMutableRawPointer?
    let input = pool.bytes([0, 0, 1, 0x71, 0b1111_0101, 0, 0, 0, 0]).buffer
    #expect(MethodTable.decode(AMQP_QUEUE_DECLARE_METHOD, input, pool: pool.pointer, decoded: &decoded).isOK)
    let declare = try #require(decoded).assumingMemoryBound(to: amqp_queue_declare_t.self).pointee
    #expect(declare.passive == 1)
    #expect(declare.durable == 0)
    #expect(declare.exclusive == 1)
    #expect(declare.auto_delete == 0)
    #expect(declare.nowait == 1)
  }

  @Test func encodingDoesNotWriteToTheStruct() {
    var declare = amqp_queue_declare_t()
    declare.durable = 12345
    declare.nowait = -1
    let result = encoded { #expect(MethodTable.encode(AMQP_QUEUE_DECLARE_METHOD, &declare, into: &$0).isOK) }
    #expect(result.octets == [0, 0, 0, 0b10010, 0, 0, 0, 0])
    #expect(declare.durable == 12345 && declare.nowait == -1)
  }
}
