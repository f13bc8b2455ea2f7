import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
public import CRabbitMQ
import CSystem

extension EventDriver {
  @inline(__always)
  init?(_ connection: OpaquePointer?) {
    guard let connection else { return nil }
    self.init(EventConnection.Handle(connection))
  }
}

@_cdecl("amqp_event_connection_new") @implementation
public func amqp_event_connection_new(_ base: OpaquePointer!, _ options: OpaquePointer!) -> OpaquePointer! {
  guard let base else { return nil }
  var copy = EventOptions()
  if let options, !EventOptions.Handle(options).pointee.copy(into: &copy) {
    copy.release()
    return nil
  }
  return EventConnection.make(base, copy).map { OpaquePointer($0) }
}

@_cdecl("amqp_event_connection_set_callbacks") @implementation
public func amqp_event_connection_set_callbacks(
  _ connection: OpaquePointer!, _ callbacks: UnsafePointer<amqp_event_connection_callbacks_t>!,
  _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = EventDriver(connection) else { return Status.invalidParameter.code }
  var taken = amqp_event_connection_callbacks_t()
  guard callbacks == nil || Sized.read(callbacks, into: &taken) else { return Status.invalidParameter.code }
  driver.connection.pointee.callbacks = taken
  driver.connection.pointee.context = ctx
  return Status.ok.code
}

@_cdecl("amqp_event_connection_open") @implementation
public func amqp_event_connection_open(_ connection: OpaquePointer!) -> Int32 {
  EventDriver(connection).map { $0.open().code } ?? Status.invalidParameter.code
}

@_cdecl("amqp_event_connection_close") @implementation
public func amqp_event_connection_close(
  _ connection: OpaquePointer!, _ code: Int32, _ text: UnsafePointer<CChar>!
) -> Int32 {
  guard let driver = EventDriver(connection), let code = UInt16(exactly: code),
    UnsafeRawBufferPointer(cString: text).count <= 255
  else { return Status.invalidParameter.code }
  return driver.close(code: code, text: text).code
}

@_cdecl("amqp_event_connection_free") @implementation
public func amqp_event_connection_free(_ connection: OpaquePointer!) {
  EventDriver(connection)?.doom()
}

@_cdecl("amqp_event_connection_state") @implementation
public func amqp_event_connection_state(_ connection: OpaquePointer!) -> amqp_event_state_t {
  EventDriver(connection)?.state.number ?? AMQP_EVENT_STATE_CLOSED
}

@_cdecl("amqp_event_state_name") @implementation
public func amqp_event_state_name(_ state: amqp_event_state_t) -> UnsafePointer<CChar>! {
  UnsafeRawPointer(state.name.utf8Start).assumingMemoryBound(to: CChar.self)
}

@_cdecl("amqp_event_connection_last_error") @implementation
public func amqp_event_connection_last_error(_ connection: OpaquePointer!) -> UnsafePointer<amqp_event_error_t>! {
  guard let error = EventDriver(connection)?.connection.pointee.lastError, error.pointee.text != nil else { return nil }
  return UnsafePointer(error)
}

@_cdecl("amqp_event_connection_heartbeat") @implementation
public func amqp_event_connection_heartbeat(_ connection: OpaquePointer!) -> Int32 {
  guard let driver = EventDriver(connection), driver.connection.pointee.isLoggedIn else { return 0 }
  return Int32(driver.connection.pointee.tuning.heartbeat)
}

@_cdecl("amqp_event_connection_is_blocked") @implementation
public func amqp_event_connection_is_blocked(_ connection: OpaquePointer!) -> amqp_boolean_t {
  EventDriver(connection)?.connection.pointee.isBlocked == true ? 1 : 0
}

@_cdecl("amqp_event_connection_server_properties") @implementation
public func amqp_event_connection_server_properties(_ connection: OpaquePointer!) -> UnsafePointer<amqp_table_t>! {
  guard let driver = EventDriver(connection), driver.connection.pointee.isLoggedIn else { return nil }
  return withUnsafePointer(to: &driver.connection.pointee.serverProperties) { $0 }
}

@_cdecl("amqp_event_connection_stats") @implementation
public func amqp_event_connection_stats(
  _ connection: OpaquePointer!, _ stats: UnsafeMutablePointer<amqp_event_stats_t>!
) -> Int32 {
  guard let driver = EventDriver(connection), let stats else { return Status.invalidParameter.code }
  return Sized.write(driver.stats(), to: stats) ? Status.ok.code : Status.invalidParameter.code
}

@_cdecl("amqp_event_connection_update_secret") @implementation
public func amqp_event_connection_update_secret(
  _ connection: OpaquePointer!, _ secret: amqp_bytes_t, _ reason: amqp_bytes_t, _ done: amqp_event_connection_done!,
  _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = EventDriver(connection) else { return Status.invalidParameter.code }
  return driver.updateSecret(secret, reason: reason, done, ctx).code
}

@_cdecl("amqp_event_post") @implementation
public func amqp_event_post(
  _ connection: OpaquePointer!, _ work: amqp_event_work!, _ ctx: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = EventDriver(connection), let work else { return Status.invalidParameter.code }
  return driver.post(work, ctx).code
}
