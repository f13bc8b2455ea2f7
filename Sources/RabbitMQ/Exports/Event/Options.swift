import AMQPBase
import AMQPEngine
import AMQPWire
import CMemory
public import CRabbitMQ
import CSystem

extension EventOptions {
  @inline(__always)
  fileprivate static func handle(_ options: OpaquePointer?) -> Handle? {
    guard let options else { return nil }
    return Handle(options)
  }

  /// Runs a setter on options that are not NULL.
  @inline(__always)
  fileprivate static func set(_ options: OpaquePointer?, _ body: (Handle) -> Status) -> Int32 {
    guard let options = handle(options) else { return Status.invalidParameter.code }
    return body(options).code
  }

  /// Runs a setter whose numbers have to be at least their smallest values.
  @inline(__always)
  fileprivate static func set(_ options: OpaquePointer?, if isValid: Bool, _ body: (inout Plain) -> Void) -> Int32 {
    guard let options = handle(options), isValid else { return Status.invalidParameter.code }
    body(&options.pointee.plain)
    return Status.ok.code
  }
}

/// What a setter that only copies has to say.
private func outcome(_ isCopied: Bool) -> Status { isCopied ? .ok : .noMemory }

/// Octets that go into a short string.
private func isShort(_ text: UnsafePointer<CChar>?) -> Bool { UnsafeRawBufferPointer(cString: text).count <= 255 }

@_cdecl("amqp_event_options_new") @implementation
public func amqp_event_options_new() -> OpaquePointer! {
  EventOptions.make().map { OpaquePointer($0) }
}

@_cdecl("amqp_event_options_free") @implementation
public func amqp_event_options_free(_ options: OpaquePointer!) {
  if let options = EventOptions.handle(options) { EventOptions.destroy(options) }
}

@_cdecl("amqp_event_options_set_url") @implementation
public func amqp_event_options_set_url(_ options: OpaquePointer!, _ url: UnsafePointer<CChar>!) -> Int32 {
  guard let url else { return Status.invalidParameter.code }
  return EventOptions.set(options) { $0.pointee.set(url: url) }
}

@_cdecl("amqp_event_options_add_host") @implementation
public func amqp_event_options_add_host(_ options: OpaquePointer!, _ host: UnsafePointer<CChar>!, _ port: Int32)
  -> Int32
{
  guard let host, host.pointee != 0, port >= 0, port <= 65_535 else { return Status.invalidParameter.code }
  return EventOptions.set(options) { outcome($0.pointee.addHost(host, port: port)) }
}

@_cdecl("amqp_event_options_set_vhost") @implementation
public func amqp_event_options_set_vhost(_ options: OpaquePointer!, _ vhost: UnsafePointer<CChar>!) -> Int32 {
  guard let vhost, isShort(vhost) else { return Status.invalidParameter.code }
  return EventOptions.set(options) { outcome(EventOptions.set(&$0.pointee.vhost, to: vhost)) }
}

@_cdecl("amqp_event_options_set_login") @implementation
public func amqp_event_options_set_login(
  _ options: OpaquePointer!, _ user: UnsafePointer<CChar>!, _ password: UnsafePointer<CChar>!
) -> Int32 {
  guard let user, let password else { return Status.invalidParameter.code }
  return EventOptions.set(options) { $0.pointee.setLogin(user, password) }
}

@_cdecl("amqp_event_options_set_sasl_external") @implementation
public func amqp_event_options_set_sasl_external(_ options: OpaquePointer!, _ identity: UnsafePointer<CChar>!) -> Int32
{
  EventOptions.set(options) { options in
    guard EventOptions.set(&options.pointee.identity, to: identity) else { return .noMemory }
    options.pointee.plain.mechanism = AMQP_SASL_METHOD_EXTERNAL
    return .ok
  }
}

@_cdecl("amqp_event_options_set_credentials_callback") @implementation
public func amqp_event_options_set_credentials_callback(
  _ options: OpaquePointer!, _ callback: amqp_event_credentials_callback!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  EventOptions.set(options, if: true) { ($0.credentials, $0.credentialsContext) = (callback, ctx) }
}

@_cdecl("amqp_event_options_set_heartbeat") @implementation
public func amqp_event_options_set_heartbeat(_ options: OpaquePointer!, _ seconds: Int32) -> Int32 {
  EventOptions.set(options, if: UInt16(exactly: seconds) != nil) {
    $0.wanted.heartbeat = UInt16(truncatingIfNeeded: seconds)
  }
}

@_cdecl("amqp_event_options_set_connection_name") @implementation
public func amqp_event_options_set_connection_name(_ options: OpaquePointer!, _ name: UnsafePointer<CChar>!) -> Int32 {
  EventOptions.set(options) { outcome(EventOptions.set(&$0.pointee.connectionName, to: name)) }
}

@_cdecl("amqp_event_options_set_client_property") @implementation
public func amqp_event_options_set_client_property(
  _ options: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: UnsafePointer<CChar>!
) -> Int32 {
  guard let name, let value, isShort(name) else { return Status.invalidParameter.code }
  return EventOptions.set(options) { outcome($0.pointee.addProperty(name, value)) }
}

@_cdecl("amqp_event_options_set_frame_max") @implementation
public func amqp_event_options_set_frame_max(_ options: OpaquePointer!, _ bytes: Int32) -> Int32 {
  EventOptions.set(options, if: bytes >= AMQP_FRAME_MIN_SIZE) { $0.wanted.frameMax = UInt32(truncatingIfNeeded: bytes) }
}

@_cdecl("amqp_event_options_set_channel_max") @implementation
public func amqp_event_options_set_channel_max(_ options: OpaquePointer!, _ channels: Int32) -> Int32 {
  EventOptions.set(options, if: channels >= 1 && channels <= 65_535) {
    $0.wanted.channelMax = UInt16(truncatingIfNeeded: channels)
  }
}

@_cdecl("amqp_event_options_set_tls") @implementation
public func amqp_event_options_set_tls(
  _ options: OpaquePointer!, _ ca: UnsafePointer<CChar>!, _ cert: UnsafePointer<CChar>!, _ key: UnsafePointer<CChar>!
) -> Int32 {
  guard (cert == nil) == (key == nil) else { return Status.invalidParameter.code }
  return EventOptions.set(options) { $0.pointee.setTLS(authorities: ca, certificate: cert, key: key) }
}

@_cdecl("amqp_event_options_set_tls_context") @implementation
public func amqp_event_options_set_tls_context(_ options: OpaquePointer!, _ context: OpaquePointer!) -> Int32 {
  EventOptions.set(options) { $0.pointee.setTLS(context: context) }
}

@_cdecl("amqp_event_options_set_verify") @implementation
public func amqp_event_options_set_verify(
  _ options: OpaquePointer!, _ peer: amqp_boolean_t, _ host: amqp_boolean_t
) -> Int32 {
  EventOptions.set(options, if: true) { ($0.verifiesPeer, $0.verifiesHost) = (peer != 0, host != 0) }
}

@_cdecl("amqp_event_options_set_timeouts") @implementation
public func amqp_event_options_set_timeouts(
  _ options: OpaquePointer!, _ connect: Int32, _ handshake: Int32, _ rpc: Int32, _ close: Int32, _ blocked: Int32
) -> Int32 {
  EventOptions.set(options, if: min(connect, handshake, rpc, close, blocked) >= 0) {
    ($0.connectTimeout, $0.handshakeTimeout, $0.rpcTimeout) = (connect, handshake, rpc)
    ($0.closeTimeout, $0.blockedTimeout) = (close, blocked)
  }
}

@_cdecl("amqp_event_options_set_confirm_timeout") @implementation
public func amqp_event_options_set_confirm_timeout(_ options: OpaquePointer!, _ milliseconds: Int32) -> Int32 {
  EventOptions.set(options, if: milliseconds >= 0) { $0.confirmTimeout = milliseconds }
}

@_cdecl("amqp_event_options_set_keepalive") @implementation
public func amqp_event_options_set_keepalive(_ options: OpaquePointer!, _ seconds: Int32) -> Int32 {
  EventOptions.set(options, if: seconds >= 0) { $0.keepalive = seconds }
}

@_cdecl("amqp_event_options_set_reconnect") @implementation
public func amqp_event_options_set_reconnect(
  _ options: OpaquePointer!, _ first: Int32, _ longest: Int32, _ jitter: Int32, _ attempts: Int32
) -> Int32 {
  EventOptions.set(options, if: min(first, longest, jitter, attempts) >= 0 && jitter <= 100) {
    ($0.firstWait, $0.longestWait, $0.jitter, $0.attempts) = (first, longest, jitter, attempts)
  }
}

@_cdecl("amqp_event_options_set_recovery") @implementation
public func amqp_event_options_set_recovery(_ options: OpaquePointer!, _ recovery: amqp_event_recovery_t) -> Int32 {
  EventOptions.set(options, if: recovery.rawValue <= AMQP_EVENT_RECOVERY_TOPOLOGY.rawValue) { $0.recovery = recovery }
}

@_cdecl("amqp_event_options_set_write_limits") @implementation
public func amqp_event_options_set_write_limits(_ options: OpaquePointer!, _ high: Int, _ low: Int, _ max: Int) -> Int32
{
  // A `size_t` beyond `Int.max` arrives as a negative number.
  EventOptions.set(options, if: low >= 0 && low <= high && high <= max) {
    ($0.highWater, $0.lowWater, $0.mostWaiting) = (high, low, max)
  }
}

@_cdecl("amqp_event_options_set_body_max") @implementation
public func amqp_event_options_set_body_max(_ options: OpaquePointer!, _ bytes: UInt64) -> Int32 {
  EventOptions.set(options, if: true) { $0.bodyMax = bytes == 0 ? .max : bytes }
}

@_cdecl("amqp_event_options_set_trace") @implementation
public func amqp_event_options_set_trace(
  _ options: OpaquePointer!, _ callback: amqp_event_trace_callback!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  EventOptions.set(options, if: true) { ($0.trace, $0.traceContext) = (callback, ctx) }
}
