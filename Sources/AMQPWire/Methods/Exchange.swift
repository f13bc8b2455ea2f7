// The methods of class exchange, with RabbitMQ's exchange-to-exchange bindings.
public import CRabbitMQ

extension amqp_exchange_declare_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_EXCHANGE_DECLARE_METHOD }
  public static var name: StaticString { "AMQP_EXCHANGE_DECLARE_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&exchange)
    c.shortstr(&type)
    c.bits(&passive, &durable, &auto_delete, &self.internal, &nowait)
    c.table(&arguments)
  }
}

extension amqp_exchange_declare_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_EXCHANGE_DECLARE_OK_METHOD }
  public static var name: StaticString { "AMQP_EXCHANGE_DECLARE_OK_METHOD" }
}

extension amqp_exchange_delete_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_EXCHANGE_DELETE_METHOD }
  public static var name: StaticString { "AMQP_EXCHANGE_DELETE_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&exchange)
    c.bits(&if_unused, &nowait)
  }
}

extension amqp_exchange_delete_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_EXCHANGE_DELETE_OK_METHOD }
  public static var name: StaticString { "AMQP_EXCHANGE_DELETE_OK_METHOD" }
}

extension amqp_exchange_bind_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_EXCHANGE_BIND_METHOD }
  public static var name: StaticString { "AMQP_EXCHANGE_BIND_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&destination)
    c.shortstr(&source)
    c.shortstr(&routing_key)
    c.bits(&nowait)
    c.table(&arguments)
  }
}

extension amqp_exchange_bind_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_EXCHANGE_BIND_OK_METHOD }
  public static var name: StaticString { "AMQP_EXCHANGE_BIND_OK_METHOD" }
}

extension amqp_exchange_unbind_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_EXCHANGE_UNBIND_METHOD }
  public static var name: StaticString { "AMQP_EXCHANGE_UNBIND_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&destination)
    c.shortstr(&source)
    c.shortstr(&routing_key)
    c.bits(&nowait)
    c.table(&arguments)
  }
}

extension amqp_exchange_unbind_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_EXCHANGE_UNBIND_OK_METHOD }
  public static var name: StaticString { "AMQP_EXCHANGE_UNBIND_OK_METHOD" }
}
