import AMQPBase
import AMQPWire
public import CRabbitMQ

@_cdecl("amqp_basic_publish") @implementation
public func amqp_basic_publish(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ exchange: amqp_bytes_t, _ routing_key: amqp_bytes_t,
  _ mandatory: amqp_boolean_t, _ immediate: amqp_boolean_t, _ properties: UnsafePointer<amqp_basic_properties_t>!,
  _ body: amqp_bytes_t
) -> Int32 {
  guard let driver = BlockingDriver(state), let content = body.readable else { return Status.invalidParameter.code }
  var publish = amqp_basic_publish_t(
    ticket: 0, exchange: exchange, routing_key: routing_key, mandatory: mandatory, immediate: immediate)
  guard let properties else {
    var none = amqp_basic_properties_t()
    return driver.publish(&publish, properties: &none, body: content, channel: channel).code
  }
  return driver.publish(&publish, properties: properties, body: content, channel: channel).code
}

@_cdecl("amqp_basic_ack") @implementation
public func amqp_basic_ack(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ delivery_tag: UInt64, _ multiple: amqp_boolean_t
) -> Int32 {
  guard let driver = BlockingDriver(state) else { return Status.invalidParameter.code }
  var ack = amqp_basic_ack_t(delivery_tag: delivery_tag, multiple: multiple)
  return driver.send(&ack, channel: channel).code
}

@_cdecl("amqp_basic_reject") @implementation
public func amqp_basic_reject(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ delivery_tag: UInt64, _ requeue: amqp_boolean_t
) -> Int32 {
  guard let driver = BlockingDriver(state) else { return Status.invalidParameter.code }
  var reject = amqp_basic_reject_t(delivery_tag: delivery_tag, requeue: requeue)
  return driver.send(&reject, channel: channel).code
}

@_cdecl("amqp_basic_nack") @implementation
public func amqp_basic_nack(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ delivery_tag: UInt64, _ multiple: amqp_boolean_t,
  _ requeue: amqp_boolean_t
) -> Int32 {
  guard let driver = BlockingDriver(state) else { return Status.invalidParameter.code }
  var nack = amqp_basic_nack_t(delivery_tag: delivery_tag, multiple: multiple, requeue: requeue)
  return driver.send(&nack, channel: channel).code
}

@_cdecl("amqp_publisher_confirm_wait") @implementation
public func amqp_publisher_confirm_wait(
  _ state: amqp_connection_state_t!, _ timeout: UnsafePointer<timeval>!,
  _ result: UnsafeMutablePointer<amqp_publisher_confirm_t>!
) -> amqp_rpc_reply_t {
  guard let result else { return amqp_rpc_reply_t(.invalidParameter) }
  result.initialize(to: amqp_publisher_confirm_t())
  guard let driver = BlockingDriver(state) else { return amqp_rpc_reply_t(.invalidParameter) }
  return driver.waitConfirm(&result.pointee, timeout: timeout)
}
