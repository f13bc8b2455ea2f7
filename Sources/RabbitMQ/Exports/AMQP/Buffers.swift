import AMQPBase
public import CRabbitMQ

@_cdecl("amqp_release_buffers_ok") @implementation
public func amqp_release_buffers_ok(_ state: amqp_connection_state_t!) -> amqp_boolean_t {
  guard let driver = BlockingDriver(state) else { return 0 }
  return driver.isBetweenFrames ? 1 : 0
}

@_cdecl("amqp_release_buffers") @implementation
public func amqp_release_buffers(_ state: amqp_connection_state_t!) {
  BlockingDriver(state)?.release()
}

@_cdecl("amqp_maybe_release_buffers") @implementation
public func amqp_maybe_release_buffers(_ state: amqp_connection_state_t!) {
  BlockingDriver(state)?.release()
}

@_cdecl("amqp_maybe_release_buffers_on_channel") @implementation
public func amqp_maybe_release_buffers_on_channel(_ state: amqp_connection_state_t!, _ channel: amqp_channel_t) {
  BlockingDriver(state)?.release(channel)
}
