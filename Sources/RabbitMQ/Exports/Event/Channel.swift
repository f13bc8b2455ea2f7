import AMQPBase
import AMQPWire
public import CRabbitMQ

@_cdecl("amqp_event_channel_open") @implementation
public func amqp_event_channel_open(
  _ connection: OpaquePointer!, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!,
  _ channel: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  guard let connection, let channel else { return Status.invalidParameter.code }
  return ChannelDriver.open(
    on: EventConnection.Handle(connection), done: done, context: ctx, channel: &channel.pointee
  ).code
}

@_cdecl("amqp_event_channel_close") @implementation
public func amqp_event_channel_close(_ channel: OpaquePointer!) -> Int32 {
  ChannelDriver(channel)?.close().code ?? Status.invalidParameter.code
}

@_cdecl("amqp_event_channel_set_callbacks") @implementation
public func amqp_event_channel_set_callbacks(
  _ channel: OpaquePointer!, _ callbacks: UnsafePointer<amqp_event_channel_callbacks_t>!,
  _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = ChannelDriver(channel) else { return Status.invalidParameter.code }
  return driver.setCallbacks(callbacks, ctx).code
}

@_cdecl("amqp_event_channel_connection") @implementation
public func amqp_event_channel_connection(_ channel: OpaquePointer!) -> OpaquePointer! {
  ChannelDriver(channel).map { OpaquePointer($0.connection) }
}

@_cdecl("amqp_event_channel_number") @implementation
public func amqp_event_channel_number(_ channel: OpaquePointer!) -> amqp_channel_t {
  ChannelDriver(channel)?.channel.pointee.number ?? 0
}

@_cdecl("amqp_event_qos") @implementation
public func amqp_event_qos(
  _ channel: OpaquePointer!, _ prefetch_count: UInt16, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  var qos = amqp_basic_qos_t(prefetch_size: 0, prefetch_count: prefetch_count, global: 0)
  return perform(channel, &qos, amqp_basic_qos_ok_t.id, .done(done, ctx))
}

@_cdecl("amqp_event_exchange_declare") @implementation
public func amqp_event_exchange_declare(
  _ channel: OpaquePointer!, _ exchange: amqp_bytes_t, _ type: amqp_bytes_t, _ flags: Int32,
  _ arguments: UnsafePointer<amqp_table_t>!, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  var declare = amqp_exchange_declare_t()
  (declare.exchange, declare.type) = (exchange, type)
  declare.passive = flag(AMQP_EVENT_PASSIVE, in: flags)
  declare.durable = flag(AMQP_EVENT_DURABLE, in: flags)
  declare.auto_delete = flag(AMQP_EVENT_AUTO_DELETE, in: flags)
  declare.internal = flag(AMQP_EVENT_INTERNAL, in: flags)
  if let arguments { declare.arguments = arguments.pointee }
  return perform(channel, &declare, amqp_exchange_declare_ok_t.id, .done(done, ctx))
}

@_cdecl("amqp_event_exchange_delete") @implementation
public func amqp_event_exchange_delete(
  _ channel: OpaquePointer!, _ exchange: amqp_bytes_t, _ if_unused: amqp_boolean_t, _ done: amqp_event_done!,
  _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  var delete = amqp_exchange_delete_t(ticket: 0, exchange: exchange, if_unused: if_unused, nowait: 0)
  return perform(channel, &delete, amqp_exchange_delete_ok_t.id, .done(done, ctx))
}

@_cdecl("amqp_event_exchange_bind") @implementation
public func amqp_event_exchange_bind(
  _ channel: OpaquePointer!, _ destination: amqp_bytes_t, _ source: amqp_bytes_t, _ routing_key: amqp_bytes_t,
  _ arguments: UnsafePointer<amqp_table_t>!, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  var bind = amqp_exchange_bind_t()
  (bind.destination, bind.source, bind.routing_key) = (destination, source, routing_key)
  if let arguments { bind.arguments = arguments.pointee }
  return perform(channel, &bind, amqp_exchange_bind_ok_t.id, .done(done, ctx))
}

@_cdecl("amqp_event_exchange_unbind") @implementation
public func amqp_event_exchange_unbind(
  _ channel: OpaquePointer!, _ destination: amqp_bytes_t, _ source: amqp_bytes_t, _ routing_key: amqp_bytes_t,
  _ arguments: UnsafePointer<amqp_table_t>!, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  var unbind = amqp_exchange_unbind_t()
  (unbind.destination, unbind.source, unbind.routing_key) = (destination, source, routing_key)
  if let arguments { unbind.arguments = arguments.pointee }
  return perform(channel, &unbind, amqp_exchange_unbind_ok_t.id, .done(done, ctx))
}

@_cdecl("amqp_event_queue_declare") @implementation
public func amqp_event_queue_declare(
  _ channel: OpaquePointer!, _ queue: amqp_bytes_t, _ options: UnsafePointer<amqp_event_queue_options_t>!,
  _ done: amqp_event_queue_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  if let options, options.pointee.size < MemoryLayout<amqp_event_queue_options_t>.size {
    return Status.invalidParameter.code
  }
  let flags = options?.pointee.flags ?? Int32(AMQP_EVENT_DURABLE)
  var declare = amqp_queue_declare_t()
  declare.queue = queue
  declare.passive = flag(AMQP_EVENT_PASSIVE, in: flags)
  declare.durable = flag(AMQP_EVENT_DURABLE, in: flags)
  declare.exclusive = flag(AMQP_EVENT_EXCLUSIVE, in: flags)
  declare.auto_delete = flag(AMQP_EVENT_AUTO_DELETE, in: flags)
  if let options { declare.arguments = options.pointee.arguments }
  return perform(channel, &declare, amqp_queue_declare_ok_t.id, .queue(done, ctx))
}

@_cdecl("amqp_event_queue_delete") @implementation
public func amqp_event_queue_delete(
  _ channel: OpaquePointer!, _ queue: amqp_bytes_t, _ if_unused: amqp_boolean_t, _ if_empty: amqp_boolean_t,
  _ done: amqp_event_queue_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = ChannelDriver(channel) else { return Status.invalidParameter.code }
  var delete = amqp_queue_delete_t(
    ticket: 0, queue: driver.resolved(queue), if_unused: if_unused, if_empty: if_empty, nowait: 0)
  return driver.perform(&delete, amqp_queue_delete_ok_t.id, .queue(done, ctx)).code
}

@_cdecl("amqp_event_queue_purge") @implementation
public func amqp_event_queue_purge(
  _ channel: OpaquePointer!, _ queue: amqp_bytes_t, _ done: amqp_event_queue_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = ChannelDriver(channel) else { return Status.invalidParameter.code }
  var purge = amqp_queue_purge_t(ticket: 0, queue: driver.resolved(queue), nowait: 0)
  return driver.perform(&purge, amqp_queue_purge_ok_t.id, .queue(done, ctx)).code
}

@_cdecl("amqp_event_queue_bind") @implementation
public func amqp_event_queue_bind(
  _ channel: OpaquePointer!, _ queue: amqp_bytes_t, _ exchange: amqp_bytes_t, _ routing_key: amqp_bytes_t,
  _ arguments: UnsafePointer<amqp_table_t>!, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = ChannelDriver(channel) else { return Status.invalidParameter.code }
  var bind = amqp_queue_bind_t()
  (bind.queue, bind.exchange, bind.routing_key) = (driver.resolved(queue), exchange, routing_key)
  if let arguments { bind.arguments = arguments.pointee }
  return driver.perform(&bind, amqp_queue_bind_ok_t.id, .done(done, ctx)).code
}

@_cdecl("amqp_event_queue_unbind") @implementation
public func amqp_event_queue_unbind(
  _ channel: OpaquePointer!, _ queue: amqp_bytes_t, _ exchange: amqp_bytes_t, _ routing_key: amqp_bytes_t,
  _ arguments: UnsafePointer<amqp_table_t>!, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = ChannelDriver(channel) else { return Status.invalidParameter.code }
  var unbind = amqp_queue_unbind_t()
  (unbind.queue, unbind.exchange, unbind.routing_key) = (driver.resolved(queue), exchange, routing_key)
  if let arguments { unbind.arguments = arguments.pointee }
  return driver.perform(&unbind, amqp_queue_unbind_ok_t.id, .done(done, ctx)).code
}

@_cdecl("amqp_event_tx_select") @implementation
public func amqp_event_tx_select(
  _ channel: OpaquePointer!, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  var select = amqp_tx_select_t(dummy: 0)
  return perform(channel, &select, amqp_tx_select_ok_t.id, .done(done, ctx))
}

@_cdecl("amqp_event_tx_commit") @implementation
public func amqp_event_tx_commit(
  _ channel: OpaquePointer!, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  var commit = amqp_tx_commit_t(dummy: 0)
  return perform(channel, &commit, amqp_tx_commit_ok_t.id, .done(done, ctx))
}

@_cdecl("amqp_event_tx_rollback") @implementation
public func amqp_event_tx_rollback(
  _ channel: OpaquePointer!, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  var rollback = amqp_tx_rollback_t(dummy: 0)
  return perform(channel, &rollback, amqp_tx_rollback_ok_t.id, .done(done, ctx))
}

private func perform<Method: WireMethod>(
  _ channel: OpaquePointer?, _ method: inout Method, _ reply: amqp_method_number_t,
  _ completion: EventOperation.Completion
) -> Int32 {
  ChannelDriver(channel)?.perform(&method, reply, completion).code ?? Status.invalidParameter.code
}

private func flag(_ flag: Int, in flags: Int32) -> amqp_boolean_t { Int(flags) & flag != 0 ? 1 : 0 }
