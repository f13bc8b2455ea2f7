import AMQPBase
import AMQPTransport
public import CRabbitMQ

@_cdecl("amqp_set_initialize_ssl_library") @implementation
public func amqp_set_initialize_ssl_library(_ do_initialize: amqp_boolean_t) {}

@_cdecl("amqp_initialize_ssl_library") @implementation
public func amqp_initialize_ssl_library() -> Int32 { Status.ok.code }

@_cdecl("amqp_set_ssl_engine") @implementation
public func amqp_set_ssl_engine(_ engine: UnsafePointer<CChar>!) -> Int32 {
  guard let engine else { return Status.invalidParameter.code }
  return TLSEngine.choose(engine).code
}

@_cdecl("amqp_uninitialize_ssl_library") @implementation
public func amqp_uninitialize_ssl_library() -> Int32 { Status.ok.code }
