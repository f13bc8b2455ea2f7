import AMQPBase
public import CRabbitMQ

@_cdecl("amqp_publish_cork") @implementation
public func amqp_publish_cork(_ state: amqp_connection_state_t!) -> Int32 {
  guard let driver = BlockingDriver(state) else { return Status.invalidParameter.code }
  return driver.cork().code
}

@_cdecl("amqp_publish_uncork") @implementation
public func amqp_publish_uncork(_ state: amqp_connection_state_t!) -> Int32 {
  guard let driver = BlockingDriver(state) else { return Status.invalidParameter.code }
  return driver.uncork().code
}
