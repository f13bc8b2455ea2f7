import AMQPBase
import AMQPWire
public import CRabbitMQ

@_cdecl("amqp_decode_table") @implementation
public func amqp_decode_table(
  _ encoded: amqp_bytes_t, _ pool: UnsafeMutablePointer<amqp_pool_t>!, _ output: UnsafeMutablePointer<amqp_table_t>!,
  _ offset: UnsafeMutablePointer<Int>!
) -> Int32 {
  guard let pool, let output, let offset, let octets = encoded.readable else { return Status.invalidParameter.code }
  return FieldTable.decode(octets, offset: &offset.pointee, pool: pool, into: &output.pointee).code
}

@_cdecl("amqp_encode_table") @implementation
public func amqp_encode_table(
  _ encoded: amqp_bytes_t, _ input: UnsafeMutablePointer<amqp_table_t>!, _ offset: UnsafeMutablePointer<Int>!
) -> Int32 {
  guard let input, let offset, let room = encoded.writable else { return Status.invalidParameter.code }
  return FieldTable.encode(input.pointee, into: room, offset: &offset.pointee).code
}

@_cdecl("amqp_table_clone") @implementation
public func amqp_table_clone(
  _ original: UnsafePointer<amqp_table_t>!, _ clone: UnsafeMutablePointer<amqp_table_t>!,
  _ pool: UnsafeMutablePointer<amqp_pool_t>!
) -> Int32 {
  guard let original, let clone, let pool else { return Status.invalidParameter.code }
  return FieldTable.clone(original.pointee, into: &clone.pointee, pool: pool).code
}

@_cdecl("amqp_table_entry_cmp") @implementation
public func amqp_table_entry_cmp(_ entry1: UnsafeRawPointer!, _ entry2: UnsafeRawPointer!) -> Int32 {
  guard let entry1, let entry2 else { return 0 }
  return FieldTable.compareEntries(
    entry1.assumingMemoryBound(to: amqp_table_entry_t.self).pointee,
    entry2.assumingMemoryBound(to: amqp_table_entry_t.self).pointee)
}
