// The methods of class access: reserved since 0-9-1, still part of the interface.
public import CRabbitMQ

extension amqp_access_request_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_ACCESS_REQUEST_METHOD }
  public static var name: StaticString { "AMQP_ACCESS_REQUEST_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&realm)
    c.bits(&exclusive, &passive, &active, &write, &read)
  }
}

extension amqp_access_request_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_ACCESS_REQUEST_OK_METHOD }
  public static var name: StaticString { "AMQP_ACCESS_REQUEST_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
  }
}
