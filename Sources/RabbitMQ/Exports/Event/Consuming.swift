import AMQPBase
import AMQPWire
public import CRabbitMQ

@_cdecl("amqp_event_consume") @implementation
public func amqp_event_consume(
  _ channel: OpaquePointer!, _ queue: amqp_bytes_t, _ options: UnsafePointer<amqp_event_consume_options_t>!,
  _ on_message: amqp_event_message_callback!, _ on_cancelled: amqp_event_cancelled_callback!,
  _ ctx: UnsafeMutableRawPointer!, _ consumer: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
  guard let driver = ChannelDriver(channel), let on_message else { return Status.invalidParameter.code }
  return driver.consume(queue, options, on_message, on_cancelled, ctx, consumer).code
}

@_cdecl("amqp_event_cancel") @implementation
public func amqp_event_cancel(_ consumer: OpaquePointer!) -> Int32 {
  guard let consumer else { return Status.invalidParameter.code }
  let handle = EventConsumer.Handle(consumer)
  return ChannelDriver(handle.pointee.channel).cancel(handle).code
}

@_cdecl("amqp_event_pause") @implementation
public func amqp_event_pause(_ consumer: OpaquePointer!) -> Int32 {
  guard let consumer else { return Status.invalidParameter.code }
  let handle = EventConsumer.Handle(consumer)
  return ChannelDriver(handle.pointee.channel).pause(handle).code
}

@_cdecl("amqp_event_resume") @implementation
public func amqp_event_resume(_ consumer: OpaquePointer!) -> Int32 {
  guard let consumer else { return Status.invalidParameter.code }
  let handle = EventConsumer.Handle(consumer)
  return ChannelDriver(handle.pointee.channel).resume(handle).code
}

@_cdecl("amqp_event_consumer_channel") @implementation
public func amqp_event_consumer_channel(_ consumer: OpaquePointer!) -> OpaquePointer! {
  guard let consumer else { return nil }
  return OpaquePointer(EventConsumer.Handle(consumer).pointee.channel)
}

@_cdecl("amqp_event_consumer_tag") @implementation
public func amqp_event_consumer_tag(_ consumer: OpaquePointer!) -> amqp_bytes_t {
  guard let consumer else { return .empty }
  return EventConsumer.Handle(consumer).pointee.method.consumer_tag
}

@_cdecl("amqp_event_ack") @implementation
public func amqp_event_ack(
  _ channel: OpaquePointer!, _ delivery_tag: UInt64, _ multiple: amqp_boolean_t
) -> Int32 {
  guard let driver = ChannelDriver(channel) else { return Status.invalidParameter.code }
  return driver.acknowledge(delivery_tag, multiple: multiple != 0) {
    var ack = amqp_basic_ack_t(delivery_tag: $0, multiple: multiple)
    return driver.send(&ack)
  }.code
}

@_cdecl("amqp_event_nack") @implementation
public func amqp_event_nack(
  _ channel: OpaquePointer!, _ delivery_tag: UInt64, _ multiple: amqp_boolean_t, _ requeue: amqp_boolean_t
) -> Int32 {
  guard let driver = ChannelDriver(channel) else { return Status.invalidParameter.code }
  return driver.acknowledge(delivery_tag, multiple: multiple != 0) {
    var nack = amqp_basic_nack_t(delivery_tag: $0, multiple: multiple, requeue: requeue)
    return driver.send(&nack)
  }.code
}

@_cdecl("amqp_event_reject") @implementation
public func amqp_event_reject(
  _ channel: OpaquePointer!, _ delivery_tag: UInt64, _ requeue: amqp_boolean_t
) -> Int32 {
  guard let driver = ChannelDriver(channel) else { return Status.invalidParameter.code }
  return driver.acknowledge(delivery_tag, multiple: false) {
    var reject = amqp_basic_reject_t(delivery_tag: $0, requeue: requeue)
    return driver.send(&reject)
  }.code
}

@_cdecl("amqp_event_get") @implementation
public func amqp_event_get(
  _ channel: OpaquePointer!, _ queue: amqp_bytes_t, _ no_ack: amqp_boolean_t, _ done: amqp_event_get_done!,
  _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = ChannelDriver(channel) else { return Status.invalidParameter.code }
  var get = amqp_basic_get_t(ticket: 0, queue: driver.resolved(queue), no_ack: no_ack)
  return driver.perform(&get, amqp_basic_get_ok_t.id, .get(done, ctx)).code
}
