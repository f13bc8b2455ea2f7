import AMQPBase
import AMQPEngine
public import CRabbitMQ

/// What the two variadic functions of the C API come to; they are in C.
@_cdecl("pulse_login")
public func pulse_login(
  _ state: amqp_connection_state_t?, _ vhost: UnsafePointer<CChar>?, _ channel_max: Int32, _ frame_max: Int32,
  _ heartbeat: Int32, _ properties: UnsafePointer<amqp_table_t>?, _ sasl_method: amqp_sasl_method_enum,
  _ identity: UnsafePointer<CChar>?, _ password: UnsafePointer<CChar>?
) -> amqp_rpc_reply_t {
  guard let driver = BlockingDriver(state), let vhost,
    let wanted = Tuning(
      channelMax: channel_max, frameMax: frame_max, heartbeat: Settings.current.heartbeat(passed: heartbeat))
  else { return amqp_rpc_reply_t(.invalidParameter) }
  switch sasl_method {
  case AMQP_SASL_METHOD_PLAIN where identity != nil && password != nil, AMQP_SASL_METHOD_EXTERNAL: break
  default: return amqp_rpc_reply_t(.invalidParameter)
  }
  return driver.login(
    LoginRequest(
      vhost: vhost, wanted: wanted, properties: properties?.pointee ?? amqp_table_t(), mechanism: sasl_method,
      identity: UnsafeRawBufferPointer(cString: identity), password: UnsafeRawBufferPointer(cString: password)))
}
