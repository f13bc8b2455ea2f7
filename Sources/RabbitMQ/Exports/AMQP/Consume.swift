import AMQPBase
public import CRabbitMQ

@_cdecl("amqp_consume_message") @implementation
public func amqp_consume_message(
  _ state: amqp_connection_state_t!, _ envelope: UnsafeMutablePointer<amqp_envelope_t>!,
  _ timeout: UnsafePointer<timeval>!, _ flags: Int32
) -> amqp_rpc_reply_t {
  guard let envelope else { return amqp_rpc_reply_t(.invalidParameter) }
  envelope.initialize(to: amqp_envelope_t())
  guard let driver = BlockingDriver(state) else { return amqp_rpc_reply_t(.invalidParameter) }
  return driver.consume(&envelope.pointee, timeout: timeout)
}

@_cdecl("amqp_read_message") @implementation
public func amqp_read_message(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ message: UnsafeMutablePointer<amqp_message_t>!,
  _ flags: Int32
) -> amqp_rpc_reply_t {
  guard let message else { return amqp_rpc_reply_t(.invalidParameter) }
  message.initialize(to: amqp_message_t())
  guard let driver = BlockingDriver(state) else { return amqp_rpc_reply_t(.invalidParameter) }
  return driver.read(&message.pointee, channel: channel)
}

@_cdecl("amqp_destroy_message") @implementation
public func amqp_destroy_message(_ message: UnsafeMutablePointer<amqp_message_t>!) {
  message?.pointee.release()
}

@_cdecl("amqp_destroy_envelope") @implementation
public func amqp_destroy_envelope(_ envelope: UnsafeMutablePointer<amqp_envelope_t>!) {
  envelope?.pointee.release()
}
