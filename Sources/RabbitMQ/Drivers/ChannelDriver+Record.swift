// What the program has built goes into the recovery plan once the broker has agreed to it: out of the request, which lies
// with the operation as it was sent.

import AMQPBase
import AMQPEngine
import AMQPWire
import CRabbitMQ

extension ChannelDriver {
  private var plan: UnsafeMutablePointer<RecoveryPlan> {
    withUnsafeMutablePointer(to: &connection.pointee.plan) { $0 }
  }

  /// `queue`: the name in declare-ok.
  func record(_ id: amqp_method_number_t, _ arguments: UnsafeRawBufferPointer, _ queue: amqp_bytes_t) -> Status {
    let number = channel.pointee.number
    switch id {
    case amqp_channel_open_t.id:
      return plan.pointee.channelOpened(number)
    case amqp_basic_qos_t.id:
      let (qos, _) = read(amqp_basic_qos_t.self, arguments)
      let prefetch = RecoveryPlan.Prefetch(size: qos.prefetch_size, count: qos.prefetch_count)
      plan.pointee.prefetchLimited(number, to: prefetch, global: qos.global != 0)
    case amqp_confirm_select_t.id: plan.pointee.modeSelected(number, .confirm)
    case amqp_tx_select_t.id: plan.pointee.modeSelected(number, .transactional)
    case amqp_exchange_declare_t.id, amqp_exchange_delete_t.id, amqp_exchange_bind_t.id, amqp_exchange_unbind_t.id:
      return recordExchange(id, arguments)
    case amqp_queue_declare_t.id, amqp_queue_delete_t.id, amqp_queue_bind_t.id, amqp_queue_unbind_t.id:
      return recordQueue(id, arguments, queue)
    case amqp_basic_consume_t.id:
      var (consume, table) = read(amqp_basic_consume_t.self, arguments)
      consume.queue = named(consume.queue)
      return plan.pointee.consumerStarted(consume, on: number, arguments: table, tag: consume.consumer_tag)
    case amqp_basic_cancel_t.id:
      plan.pointee.consumerCancelled(read(amqp_basic_cancel_t.self, arguments).0.consumer_tag, on: number)
    default: break
    }
    return .ok
  }

  private func recordExchange(_ id: amqp_method_number_t, _ arguments: UnsafeRawBufferPointer) -> Status {
    switch id {
    case amqp_exchange_declare_t.id:
      let (declare, table) = read(amqp_exchange_declare_t.self, arguments)
      return plan.pointee.exchangeDeclared(declare, arguments: table)
    case amqp_exchange_delete_t.id:
      plan.pointee.exchangeDeleted(read(amqp_exchange_delete_t.self, arguments).0.exchange)
    case amqp_exchange_bind_t.id:
      let (bind, table) = read(amqp_exchange_bind_t.self, arguments)
      return plan.pointee.exchangeBound(bind, arguments: table)
    default:
      let (unbind, table) = read(amqp_exchange_unbind_t.self, arguments)
      plan.pointee.exchangeUnbound(unbind, arguments: table)
    }
    return .ok
  }

  private func recordQueue(
    _ id: amqp_method_number_t, _ arguments: UnsafeRawBufferPointer, _ name: amqp_bytes_t
  ) -> Status {
    switch id {
    case amqp_queue_declare_t.id:
      let (declare, table) = read(amqp_queue_declare_t.self, arguments)
      return plan.pointee.queueDeclared(declare, arguments: table, name: name)
    case amqp_queue_delete_t.id:
      plan.pointee.queueDeleted(named(read(amqp_queue_delete_t.self, arguments).0.queue))
    case amqp_queue_bind_t.id:
      var (bind, table) = read(amqp_queue_bind_t.self, arguments)
      bind.queue = named(bind.queue)
      return plan.pointee.queueBound(bind, arguments: table)
    default:
      var (unbind, table) = read(amqp_queue_unbind_t.self, arguments)
      unbind.queue = named(unbind.queue)
      plan.pointee.queueUnbound(unbind, arguments: table)
    }
    return .ok
  }

  /// The declarations before this request are answered, those behind it are not: the latest queue is the one it meant.
  private func named(_ queue: amqp_bytes_t) -> amqp_bytes_t {
    queue.len == 0 ? channel.pointee.latestQueue : queue
  }

  private func read<Method: WireMethod>(_ type: Method.Type, _ arguments: UnsafeRawBufferPointer) -> (
    Method, amqp_bytes_t
  ) {
    var (method, decoder) = (Method(), OutlineDecoder(arguments))
    method.code(&decoder)
    return (method, decoder.table)
  }
}
