// The methods of class confirm: RabbitMQ's publisher confirms.
public import CRabbitMQ

extension amqp_confirm_select_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_CONFIRM_SELECT_METHOD }
  public static var name: StaticString { "AMQP_CONFIRM_SELECT_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.bits(&nowait)
  }
}

extension amqp_confirm_select_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_CONFIRM_SELECT_OK_METHOD }
  public static var name: StaticString { "AMQP_CONFIRM_SELECT_OK_METHOD" }
}
