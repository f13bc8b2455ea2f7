// The methods of class connection: the handshake, the end, and RabbitMQ's blocked and update-secret.
public import CRabbitMQ

extension amqp_connection_start_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_START_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_START_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.octet(&version_major)
    c.octet(&version_minor)
    c.table(&server_properties)
    c.longstr(&mechanisms)
    c.longstr(&locales)
  }
}

extension amqp_connection_start_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_START_OK_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_START_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.table(&client_properties)
    c.shortstr(&mechanism)
    c.longstr(&response)
    c.shortstr(&locale)
  }
}

extension amqp_connection_secure_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_SECURE_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_SECURE_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.longstr(&challenge)
  }
}

extension amqp_connection_secure_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_SECURE_OK_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_SECURE_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.longstr(&response)
  }
}

extension amqp_connection_tune_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_TUNE_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_TUNE_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&channel_max)
    c.long(&frame_max)
    c.short(&heartbeat)
  }
}

extension amqp_connection_tune_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_TUNE_OK_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_TUNE_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&channel_max)
    c.long(&frame_max)
    c.short(&heartbeat)
  }
}

extension amqp_connection_open_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_OPEN_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_OPEN_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&virtual_host)
    c.shortstr(&capabilities)
    c.bits(&insist)
  }
}

extension amqp_connection_open_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_OPEN_OK_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_OPEN_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&known_hosts)
  }
}

extension amqp_connection_close_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_CLOSE_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_CLOSE_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&reply_code)
    c.shortstr(&reply_text)
    c.short(&class_id)
    c.short(&method_id)
  }
}

extension amqp_connection_close_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_CLOSE_OK_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_CLOSE_OK_METHOD" }
}

extension amqp_connection_blocked_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_BLOCKED_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_BLOCKED_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&reason)
  }
}

extension amqp_connection_unblocked_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_UNBLOCKED_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_UNBLOCKED_METHOD" }
}

extension amqp_connection_update_secret_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_UPDATE_SECRET_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_UPDATE_SECRET_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.longstr(&new_secret)
    c.shortstr(&reason)
  }
}

extension amqp_connection_update_secret_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_CONNECTION_UPDATE_SECRET_OK_METHOD }
  public static var name: StaticString { "AMQP_CONNECTION_UPDATE_SECRET_OK_METHOD" }
}
