import AMQPBase
import AMQPWire
public import CRabbitMQ

@_cdecl("amqp_event_confirm_select") @implementation
public func amqp_event_confirm_select(
  _ channel: OpaquePointer!, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  ChannelDriver(channel)?.selectConfirms(done, ctx).code ?? Status.invalidParameter.code
}

@_cdecl("amqp_event_publish") @implementation
public func amqp_event_publish(
  _ channel: OpaquePointer!, _ exchange: amqp_bytes_t, _ routing_key: amqp_bytes_t, _ mandatory: amqp_boolean_t,
  _ properties: UnsafePointer<amqp_basic_properties_t>!, _ body: amqp_bytes_t, _ confirm: amqp_event_confirm_callback!,
  _ ctx: UnsafeMutableRawPointer!, _ sequence: UnsafeMutablePointer<UInt64>!
) -> Int32 {
  guard let driver = ChannelDriver(channel), let content = body.readable else { return Status.invalidParameter.code }
  return driver.publish(
    exchange, routing_key, mandatory, properties, content, release: nil,
    EventConfirm(callback: confirm, context: ctx), sequence
  ).code
}

@_cdecl("amqp_event_publish_ref") @implementation
public func amqp_event_publish_ref(
  _ channel: OpaquePointer!, _ exchange: amqp_bytes_t, _ routing_key: amqp_bytes_t, _ mandatory: amqp_boolean_t,
  _ properties: UnsafePointer<amqp_basic_properties_t>!, _ body: amqp_bytes_t, _ release: amqp_event_release!,
  _ release_ctx: UnsafeMutableRawPointer!, _ confirm: amqp_event_confirm_callback!, _ ctx: UnsafeMutableRawPointer!,
  _ sequence: UnsafeMutablePointer<UInt64>!
) -> Int32 {
  guard let driver = ChannelDriver(channel), let content = body.readable, let release else {
    return Status.invalidParameter.code
  }
  return driver.publish(
    exchange, routing_key, mandatory, properties, content,
    release: SendRelease(work: release, bytes: body.bytes, length: content.count, context: release_ctx),
    EventConfirm(callback: confirm, context: ctx), sequence
  ).code
}

@_cdecl("amqp_event_outstanding") @implementation
public func amqp_event_outstanding(_ channel: OpaquePointer!) -> Int {
  ChannelDriver(channel)?.outstanding ?? 0
}

@_cdecl("amqp_event_drain") @implementation
public func amqp_event_drain(
  _ channel: OpaquePointer!, _ milliseconds: Int32, _ done: amqp_event_done!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = ChannelDriver(channel), milliseconds >= 0 else { return Status.invalidParameter.code }
  return driver.drain(milliseconds: milliseconds, done, ctx).code
}

@_cdecl("amqp_event_can_publish") @implementation
public func amqp_event_can_publish(_ channel: OpaquePointer!) -> amqp_boolean_t {
  ChannelDriver(channel)?.canPublish() == true ? 1 : 0
}
