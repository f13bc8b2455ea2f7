import AMQPBase
public import CRabbitMQ

@_cdecl("init_amqp_pool") @implementation
public func init_amqp_pool(_ pool: UnsafeMutablePointer<amqp_pool_t>!, _ pagesize: Int) {
  pool?.initialize(pageSize: pagesize)
}

@_cdecl("recycle_amqp_pool") @implementation
public func recycle_amqp_pool(_ pool: UnsafeMutablePointer<amqp_pool_t>!) {
  pool?.recycle()
}

@_cdecl("empty_amqp_pool") @implementation
public func empty_amqp_pool(_ pool: UnsafeMutablePointer<amqp_pool_t>!) {
  pool?.empty()
}

@_cdecl("amqp_pool_alloc") @implementation
public func amqp_pool_alloc(_ pool: UnsafeMutablePointer<amqp_pool_t>!, _ amount: Int) -> UnsafeMutableRawPointer! {
  pool?.allocateZeroed(amount)
}

@_cdecl("amqp_pool_alloc_bytes") @implementation
public func amqp_pool_alloc_bytes(
  _ pool: UnsafeMutablePointer<amqp_pool_t>!, _ amount: Int, _ output: UnsafeMutablePointer<amqp_bytes_t>!
) {
  output?.pointee = amqp_bytes_t(len: amount, bytes: pool?.allocateZeroed(amount))
}
