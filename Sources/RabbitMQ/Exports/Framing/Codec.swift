import AMQPBase
import AMQPWire
public import CRabbitMQ

@_cdecl("amqp_constant_name") @implementation
public func amqp_constant_name(_ constantNumber: Int32) -> UnsafePointer<CChar>! {
  cString(ReplyCode.name(constantNumber) ?? "(unknown)")
}

@_cdecl("amqp_constant_is_hard_error") @implementation
public func amqp_constant_is_hard_error(_ constantNumber: Int32) -> amqp_boolean_t {
  ReplyCode.isHardError(constantNumber) ? 1 : 0
}

@_cdecl("amqp_method_name") @implementation
public func amqp_method_name(_ methodNumber: amqp_method_number_t) -> UnsafePointer<CChar>! {
  guard let name = MethodTable.name(methodNumber) else { return nil }
  return cString(name)
}

@_cdecl("amqp_method_has_content") @implementation
public func amqp_method_has_content(_ methodNumber: amqp_method_number_t) -> amqp_boolean_t {
  MethodTable.hasContent(methodNumber) ? 1 : 0
}

@_cdecl("amqp_decode_method") @implementation
public func amqp_decode_method(
  _ methodNumber: amqp_method_number_t, _ pool: UnsafeMutablePointer<amqp_pool_t>!, _ encoded: amqp_bytes_t,
  _ decoded: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> Int32 {
  guard let pool, let decoded, let octets = encoded.readable else { return Status.invalidParameter.code }
  return MethodTable.decode(methodNumber, octets, pool: pool, decoded: &decoded.pointee).code
}

@_cdecl("amqp_decode_properties") @implementation
public func amqp_decode_properties(
  _ class_id: UInt16, _ pool: UnsafeMutablePointer<amqp_pool_t>!, _ encoded: amqp_bytes_t,
  _ decoded: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> Int32 {
  guard let pool, let decoded, let octets = encoded.readable else { return Status.invalidParameter.code }
  return BasicProperties.decode(classID: class_id, octets, pool: pool, decoded: &decoded.pointee).code
}

@_cdecl("amqp_encode_method") @implementation
public func amqp_encode_method(
  _ methodNumber: amqp_method_number_t, _ decoded: UnsafeMutableRawPointer!, _ encoded: amqp_bytes_t
) -> Int32 {
  guard let room = encoded.writable else { return Status.invalidParameter.code }
  var encoder = Encoder(room)
  let status = MethodTable.encode(methodNumber, decoded, into: &encoder)
  return written(encoder, status)
}

@_cdecl("amqp_encode_properties") @implementation
public func amqp_encode_properties(
  _ class_id: UInt16, _ decoded: UnsafeMutableRawPointer!, _ encoded: amqp_bytes_t
) -> Int32 {
  guard let room = encoded.writable else { return Status.invalidParameter.code }
  var encoder = Encoder(room)
  let status = BasicProperties.encode(classID: class_id, decoded, into: &encoder)
  return written(encoder, status)
}

/// The octets written, or what went wrong. What an `int` cannot count is too much for one method.
private func written(_ encoder: Encoder, _ status: Status) -> Int32 {
  guard status.isOK else { return status.code }
  return Int32(exactly: encoder.written) ?? Status.badAMQPData.code
}

private func cString(_ text: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}
