// The RPC calls, one for each request of the protocol that has one reply: the fields in, the reply's fields out.

import AMQPWire
public import CRabbitMQ

@_cdecl("amqp_channel_open") @implementation
public func amqp_channel_open(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t
) -> UnsafeMutablePointer<amqp_channel_open_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_channel_open_t(out_of_band: amqp_bytes_t()), channel: channel)
}

@_cdecl("amqp_channel_flow") @implementation
public func amqp_channel_flow(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ active: amqp_boolean_t
) -> UnsafeMutablePointer<amqp_channel_flow_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_channel_flow_t(active: active), channel: channel)
}

@_cdecl("amqp_exchange_declare") @implementation
public func amqp_exchange_declare(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ exchange: amqp_bytes_t, _ type: amqp_bytes_t,
  _ passive: amqp_boolean_t, _ durable: amqp_boolean_t, _ auto_delete: amqp_boolean_t, _ `internal`: amqp_boolean_t,
  _ arguments: amqp_table_t
) -> UnsafeMutablePointer<amqp_exchange_declare_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_exchange_declare_t(
      ticket: 0, exchange: exchange, type: type, passive: passive, durable: durable, auto_delete: auto_delete,
      internal: `internal`, nowait: 0, arguments: arguments),
    channel: channel)
}

@_cdecl("amqp_exchange_delete") @implementation
public func amqp_exchange_delete(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ exchange: amqp_bytes_t,
  _ if_unused: amqp_boolean_t
) -> UnsafeMutablePointer<amqp_exchange_delete_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_exchange_delete_t(ticket: 0, exchange: exchange, if_unused: if_unused, nowait: 0), channel: channel)
}

@_cdecl("amqp_exchange_bind") @implementation
public func amqp_exchange_bind(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ destination: amqp_bytes_t, _ source: amqp_bytes_t,
  _ routing_key: amqp_bytes_t, _ arguments: amqp_table_t
) -> UnsafeMutablePointer<amqp_exchange_bind_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_exchange_bind_t(
      ticket: 0, destination: destination, source: source, routing_key: routing_key, nowait: 0, arguments: arguments),
    channel: channel)
}

@_cdecl("amqp_exchange_unbind") @implementation
public func amqp_exchange_unbind(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ destination: amqp_bytes_t, _ source: amqp_bytes_t,
  _ routing_key: amqp_bytes_t, _ arguments: amqp_table_t
) -> UnsafeMutablePointer<amqp_exchange_unbind_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_exchange_unbind_t(
      ticket: 0, destination: destination, source: source, routing_key: routing_key, nowait: 0, arguments: arguments),
    channel: channel)
}

@_cdecl("amqp_queue_declare") @implementation
public func amqp_queue_declare(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ queue: amqp_bytes_t, _ passive: amqp_boolean_t,
  _ durable: amqp_boolean_t, _ exclusive: amqp_boolean_t, _ auto_delete: amqp_boolean_t, _ arguments: amqp_table_t
) -> UnsafeMutablePointer<amqp_queue_declare_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_queue_declare_t(
      ticket: 0, queue: queue, passive: passive, durable: durable, exclusive: exclusive, auto_delete: auto_delete,
      nowait: 0, arguments: arguments),
    channel: channel)
}

@_cdecl("amqp_queue_bind") @implementation
public func amqp_queue_bind(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ queue: amqp_bytes_t, _ exchange: amqp_bytes_t,
  _ routing_key: amqp_bytes_t, _ arguments: amqp_table_t
) -> UnsafeMutablePointer<amqp_queue_bind_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_queue_bind_t(
      ticket: 0, queue: queue, exchange: exchange, routing_key: routing_key, nowait: 0, arguments: arguments),
    channel: channel)
}

@_cdecl("amqp_queue_purge") @implementation
public func amqp_queue_purge(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ queue: amqp_bytes_t
) -> UnsafeMutablePointer<amqp_queue_purge_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_queue_purge_t(ticket: 0, queue: queue, nowait: 0), channel: channel)
}

@_cdecl("amqp_queue_delete") @implementation
public func amqp_queue_delete(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ queue: amqp_bytes_t, _ if_unused: amqp_boolean_t,
  _ if_empty: amqp_boolean_t
) -> UnsafeMutablePointer<amqp_queue_delete_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_queue_delete_t(
      ticket: 0, queue: queue, if_unused: if_unused, if_empty: if_empty, nowait: 0),
    channel: channel)
}

@_cdecl("amqp_queue_unbind") @implementation
public func amqp_queue_unbind(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ queue: amqp_bytes_t, _ exchange: amqp_bytes_t,
  _ routing_key: amqp_bytes_t, _ arguments: amqp_table_t
) -> UnsafeMutablePointer<amqp_queue_unbind_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_queue_unbind_t(
      ticket: 0, queue: queue, exchange: exchange, routing_key: routing_key, arguments: arguments),
    channel: channel)
}

@_cdecl("amqp_basic_qos") @implementation
public func amqp_basic_qos(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ prefetch_size: UInt32, _ prefetch_count: UInt16,
  _ global: amqp_boolean_t
) -> UnsafeMutablePointer<amqp_basic_qos_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_basic_qos_t(prefetch_size: prefetch_size, prefetch_count: prefetch_count, global: global), channel: channel)
}

@_cdecl("amqp_basic_consume") @implementation
public func amqp_basic_consume(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ queue: amqp_bytes_t, _ consumer_tag: amqp_bytes_t,
  _ no_local: amqp_boolean_t, _ no_ack: amqp_boolean_t, _ exclusive: amqp_boolean_t, _ arguments: amqp_table_t
) -> UnsafeMutablePointer<amqp_basic_consume_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_basic_consume_t(
      ticket: 0, queue: queue, consumer_tag: consumer_tag, no_local: no_local, no_ack: no_ack, exclusive: exclusive,
      nowait: 0, arguments: arguments),
    channel: channel)
}

@_cdecl("amqp_basic_cancel") @implementation
public func amqp_basic_cancel(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ consumer_tag: amqp_bytes_t
) -> UnsafeMutablePointer<amqp_basic_cancel_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_basic_cancel_t(consumer_tag: consumer_tag, nowait: 0), channel: channel)
}

@_cdecl("amqp_basic_recover") @implementation
public func amqp_basic_recover(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ requeue: amqp_boolean_t
) -> UnsafeMutablePointer<amqp_basic_recover_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_basic_recover_t(requeue: requeue), channel: channel)
}

@_cdecl("amqp_tx_select") @implementation
public func amqp_tx_select(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t
) -> UnsafeMutablePointer<amqp_tx_select_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_tx_select_t(dummy: 0), channel: channel)
}

@_cdecl("amqp_tx_commit") @implementation
public func amqp_tx_commit(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t
) -> UnsafeMutablePointer<amqp_tx_commit_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_tx_commit_t(dummy: 0), channel: channel)
}

@_cdecl("amqp_tx_rollback") @implementation
public func amqp_tx_rollback(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t
) -> UnsafeMutablePointer<amqp_tx_rollback_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_tx_rollback_t(dummy: 0), channel: channel)
}

@_cdecl("amqp_confirm_select") @implementation
public func amqp_confirm_select(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t
) -> UnsafeMutablePointer<amqp_confirm_select_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_confirm_select_t(nowait: 0), channel: channel)
}

@_cdecl("amqp_connection_update_secret") @implementation
public func amqp_connection_update_secret(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ new_secret: amqp_bytes_t, _ reason: amqp_bytes_t
) -> UnsafeMutablePointer<amqp_connection_update_secret_ok_t>! {
  BlockingDriver(state)?.callDecoded(
    amqp_connection_update_secret_t(new_secret: new_secret, reason: reason), channel: channel)
}
