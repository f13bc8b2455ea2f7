// The methods of class basic, with RabbitMQ's nack.
public import CRabbitMQ

extension amqp_basic_qos_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_QOS_METHOD }
  public static var name: StaticString { "AMQP_BASIC_QOS_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.long(&prefetch_size)
    c.short(&prefetch_count)
    c.bits(&global)
  }
}

extension amqp_basic_qos_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_QOS_OK_METHOD }
  public static var name: StaticString { "AMQP_BASIC_QOS_OK_METHOD" }
}

extension amqp_basic_consume_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_CONSUME_METHOD }
  public static var name: StaticString { "AMQP_BASIC_CONSUME_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&queue)
    c.shortstr(&consumer_tag)
    c.bits(&no_local, &no_ack, &exclusive, &nowait)
    c.table(&arguments)
  }
}

extension amqp_basic_consume_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_CONSUME_OK_METHOD }
  public static var name: StaticString { "AMQP_BASIC_CONSUME_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&consumer_tag)
  }
}

extension amqp_basic_cancel_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_CANCEL_METHOD }
  public static var name: StaticString { "AMQP_BASIC_CANCEL_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&consumer_tag)
    c.bits(&nowait)
  }
}

extension amqp_basic_cancel_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_CANCEL_OK_METHOD }
  public static var name: StaticString { "AMQP_BASIC_CANCEL_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&consumer_tag)
  }
}

extension amqp_basic_publish_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_PUBLISH_METHOD }
  public static var name: StaticString { "AMQP_BASIC_PUBLISH_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&exchange)
    c.shortstr(&routing_key)
    c.bits(&mandatory, &immediate)
  }
}

extension amqp_basic_return_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_RETURN_METHOD }
  public static var name: StaticString { "AMQP_BASIC_RETURN_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&reply_code)
    c.shortstr(&reply_text)
    c.shortstr(&exchange)
    c.shortstr(&routing_key)
  }
}

extension amqp_basic_deliver_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_DELIVER_METHOD }
  public static var name: StaticString { "AMQP_BASIC_DELIVER_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&consumer_tag)
    c.longlong(&delivery_tag)
    c.bits(&redelivered)
    c.shortstr(&exchange)
    c.shortstr(&routing_key)
  }
}

extension amqp_basic_get_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_GET_METHOD }
  public static var name: StaticString { "AMQP_BASIC_GET_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.short(&ticket)
    c.shortstr(&queue)
    c.bits(&no_ack)
  }
}

extension amqp_basic_get_ok_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_GET_OK_METHOD }
  public static var name: StaticString { "AMQP_BASIC_GET_OK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.longlong(&delivery_tag)
    c.bits(&redelivered)
    c.shortstr(&exchange)
    c.shortstr(&routing_key)
    c.long(&message_count)
  }
}

extension amqp_basic_get_empty_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_GET_EMPTY_METHOD }
  public static var name: StaticString { "AMQP_BASIC_GET_EMPTY_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.shortstr(&cluster_id)
  }
}

extension amqp_basic_ack_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_ACK_METHOD }
  public static var name: StaticString { "AMQP_BASIC_ACK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.longlong(&delivery_tag)
    c.bits(&multiple)
  }
}

extension amqp_basic_reject_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_REJECT_METHOD }
  public static var name: StaticString { "AMQP_BASIC_REJECT_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.longlong(&delivery_tag)
    c.bits(&requeue)
  }
}

extension amqp_basic_recover_async_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_RECOVER_ASYNC_METHOD }
  public static var name: StaticString { "AMQP_BASIC_RECOVER_ASYNC_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.bits(&requeue)
  }
}

extension amqp_basic_recover_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_RECOVER_METHOD }
  public static var name: StaticString { "AMQP_BASIC_RECOVER_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.bits(&requeue)
  }
}

extension amqp_basic_recover_ok_t: FieldlessMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_RECOVER_OK_METHOD }
  public static var name: StaticString { "AMQP_BASIC_RECOVER_OK_METHOD" }
}

extension amqp_basic_nack_t: WireMethod {
  public static var id: amqp_method_number_t { AMQP_BASIC_NACK_METHOD }
  public static var name: StaticString { "AMQP_BASIC_NACK_METHOD" }
  @inline(__always) public mutating func code<C: FieldCoder>(_ c: inout C) {
    c.longlong(&delivery_tag)
    c.bits(&multiple, &requeue)
  }
}
