// The methods of class channel.
public import CRabbitMQ

extension amqp_channel_open_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CHANNEL_OPEN_METHOD }
  public static var name: StaticString { "AMQP_CHANNEL_OPEN_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&out_of_band)
  }
}

extension amqp_channel_open_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CHANNEL_OPEN_OK_METHOD }
  public static var name: StaticString { "AMQP_CHANNEL_OPEN_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.longstr(&channel_id)
  }
}

extension amqp_channel_flow_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CHANNEL_FLOW_METHOD }
  public static var name: StaticString { "AMQP_CHANNEL_FLOW_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.bits(&active)
  }
}

extension amqp_channel_flow_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CHANNEL_FLOW_OK_METHOD }
  public static var name: StaticString { "AMQP_CHANNEL_FLOW_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.bits(&active)
  }
}

extension amqp_channel_close_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CHANNEL_CLOSE_METHOD }
  public static var name: StaticString { "AMQP_CHANNEL_CLOSE_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&reply_code)
    c.shortstr(&reply_text)
    c.short(&class_id)
    c.short(&method_id)
  }
}

extension amqp_channel_close_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_CHANNEL_CLOSE_OK_METHOD }
  public static var name: StaticString { "AMQP_CHANNEL_CLOSE_OK_METHOD" }
}
