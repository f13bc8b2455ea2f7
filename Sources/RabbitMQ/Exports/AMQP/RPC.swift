import AMQPBase
import AMQPWire
public import CRabbitMQ

@_cdecl("amqp_simple_rpc") @implementation
public func amqp_simple_rpc(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ request_id: amqp_method_number_t,
  _ expected_reply_ids: UnsafeMutablePointer<amqp_method_number_t>!, _ decoded_request_method: UnsafeMutableRawPointer!
) -> amqp_rpc_reply_t {
  guard let driver = BlockingDriver(state), let expected_reply_ids else { return amqp_rpc_reply_t(.invalidParameter) }
  return driver.call(request_id, decoded_request_method, channel: channel, replies: expected_reply_ids)
}

@_cdecl("amqp_simple_rpc_decoded") @implementation
public func amqp_simple_rpc_decoded(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ request_id: amqp_method_number_t,
  _ reply_id: amqp_method_number_t, _ decoded_request_method: UnsafeMutableRawPointer!
) -> UnsafeMutableRawPointer! {
  BlockingDriver(state)?.callDecoded(request_id, decoded_request_method, channel: channel, reply: reply_id)
}

@_cdecl("amqp_get_rpc_reply") @implementation
public func amqp_get_rpc_reply(_ state: amqp_connection_state_t!) -> amqp_rpc_reply_t {
  guard let connection = Connection.handle(state) else { return amqp_rpc_reply_t(.invalidParameter) }
  return connection.pointee.latestReply
}

@_cdecl("amqp_channel_close") @implementation
public func amqp_channel_close(_ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ code: Int32)
  -> amqp_rpc_reply_t
{
  guard let driver = BlockingDriver(state), let code = UInt16(exactly: code) else {
    return amqp_rpc_reply_t(.invalidParameter)
  }
  return code.withDecimalDigits { digits in
    var close = amqp_channel_close_t(reply_code: code, reply_text: digits, class_id: 0, method_id: 0)
    return driver.call(&close, channel: channel, reply: amqp_channel_close_ok_t.id)
  }
}

@_cdecl("amqp_connection_close") @implementation
public func amqp_connection_close(_ state: amqp_connection_state_t!, _ code: Int32) -> amqp_rpc_reply_t {
  guard let driver = BlockingDriver(state), let code = UInt16(exactly: code) else {
    return amqp_rpc_reply_t(.invalidParameter)
  }
  return code.withDecimalDigits { digits in
    var close = amqp_connection_close_t(reply_code: code, reply_text: digits, class_id: 0, method_id: 0)
    return driver.call(&close, channel: 0, reply: amqp_connection_close_ok_t.id)
  }
}

@_cdecl("amqp_basic_get") @implementation
public func amqp_basic_get(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ queue: amqp_bytes_t, _ no_ack: amqp_boolean_t
) -> amqp_rpc_reply_t {
  guard let driver = BlockingDriver(state) else { return amqp_rpc_reply_t(.invalidParameter) }
  var get = amqp_basic_get_t(ticket: 0, queue: queue, no_ack: no_ack)
  return driver.keep(
    driver.call(&get, channel: channel, reply: amqp_basic_get_ok_t.id, or: amqp_basic_get_empty_t.id))
}

extension UInt16 {
  /// The reply text of a close that a program asks for: its code in digits.
  fileprivate func withDecimalDigits<Result>(_ body: (amqp_bytes_t) -> Result) -> Result {
    withUnsafeTemporaryAllocation(byteCount: 5, alignment: 1) { digits in
      var (start, rest) = (digits.count, self)
      repeat {
        start &-= 1
        digits[start] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest > 0
      return body(amqp_bytes_t(UnsafeRawBufferPointer(rebasing: digits[start...])))
    }
  }
}
