import CRabbitMQ

@_cdecl("amqp_version_number") @implementation
public func amqp_version_number() -> UInt32 {
  // As AMQP_VERSION_CODE, whose macro does not reach Swift.
  UInt32(truncatingIfNeeded: AMQP_VERSION_MAJOR) << 24 | UInt32(truncatingIfNeeded: AMQP_VERSION_MINOR) << 16
    | UInt32(truncatingIfNeeded: AMQP_VERSION_PATCH) << 8 | UInt32(truncatingIfNeeded: AMQP_VERSION_IS_RELEASE)
}

@_cdecl("amqp_version") @implementation
public func amqp_version() -> UnsafePointer<CChar>! {
  let text: StaticString = "0.16.0"
  return UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}
