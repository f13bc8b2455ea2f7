// The methods of class queue.
public import CRabbitMQ

extension amqp_queue_declare_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_QUEUE_DECLARE_METHOD }
  public static var name: StaticString { "AMQP_QUEUE_DECLARE_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&queue)
    c.bits(&passive, &durable, &exclusive, &auto_delete, &nowait)
    c.table(&arguments)
  }
}

extension amqp_queue_declare_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_QUEUE_DECLARE_OK_METHOD }
  public static var name: StaticString { "AMQP_QUEUE_DECLARE_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&queue)
    c.long(&message_count)
    c.long(&consumer_count)
  }
}

extension amqp_queue_bind_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_QUEUE_BIND_METHOD }
  public static var name: StaticString { "AMQP_QUEUE_BIND_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&queue)
    c.shortstr(&exchange)
    c.shortstr(&routing_key)
    c.bits(&nowait)
    c.table(&arguments)
  }
}

extension amqp_queue_bind_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_QUEUE_BIND_OK_METHOD }
  public static var name: StaticString { "AMQP_QUEUE_BIND_OK_METHOD" }
}

extension amqp_queue_purge_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_QUEUE_PURGE_METHOD }
  public static var name: StaticString { "AMQP_QUEUE_PURGE_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&queue)
    c.bits(&nowait)
  }
}

extension amqp_queue_purge_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_QUEUE_PURGE_OK_METHOD }
  public static var name: StaticString { "AMQP_QUEUE_PURGE_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.long(&message_count)
  }
}

extension amqp_queue_delete_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_QUEUE_DELETE_METHOD }
  public static var name: StaticString { "AMQP_QUEUE_DELETE_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&queue)
    c.bits(&if_unused, &if_empty, &nowait)
  }
}

extension amqp_queue_delete_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_QUEUE_DELETE_OK_METHOD }
  public static var name: StaticString { "AMQP_QUEUE_DELETE_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.long(&message_count)
  }
}

extension amqp_queue_unbind_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_QUEUE_UNBIND_METHOD }
  public static var name: StaticString { "AMQP_QUEUE_UNBIND_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&queue)
    c.shortstr(&exchange)
    c.shortstr(&routing_key)
    c.table(&arguments)
  }
}

extension amqp_queue_unbind_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_QUEUE_UNBIND_OK_METHOD }
  public static var name: StaticString { "AMQP_QUEUE_UNBIND_OK_METHOD" }
}
