import AMQPBase
public import CRabbitMQ

@_cdecl("amqp_cstring_bytes") @implementation
public func amqp_cstring_bytes(_ cstr: UnsafePointer<CChar>!) -> amqp_bytes_t {
  amqp_bytes_t(UnsafeRawBufferPointer(cString: cstr))
}

@_cdecl("amqp_bytes_malloc_dup") @implementation
public func amqp_bytes_malloc_dup(_ src: amqp_bytes_t) -> amqp_bytes_t {
  src.duplicated() ?? .empty
}

@_cdecl("amqp_bytes_malloc") @implementation
public func amqp_bytes_malloc(_ amount: Int) -> amqp_bytes_t {
  .allocated(amount)
}

@_cdecl("amqp_bytes_free") @implementation
public func amqp_bytes_free(_ bytes: amqp_bytes_t) {
  bytes.deallocate()
}
