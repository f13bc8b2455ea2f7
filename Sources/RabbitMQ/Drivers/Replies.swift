import AMQPBase
import AMQPWire
import CRabbitMQ

/// What a call of the API answers, and can say no with.
protocol Answer {
  init(_ status: Status)
}

extension Status: Answer {
  init(_ status: Status) { self = status }
}

extension amqp_rpc_reply_t: Answer {
  init(_ status: Status) {
    self.init()
    reply_type = AMQP_RESPONSE_LIBRARY_EXCEPTION
    library_error = status.code
  }

  init(normal method: amqp_method_t) {
    self.init()
    reply_type = AMQP_RESPONSE_NORMAL
    reply = method
  }

  init(serverException method: amqp_method_t) {
    self.init()
    reply_type = AMQP_RESPONSE_SERVER_EXCEPTION
    reply = method
  }

  var isNormal: Bool { reply_type == AMQP_RESPONSE_NORMAL }
}

extension amqp_frame_t {
  func isMethod(_ id: amqp_method_number_t) -> Bool { frame_type == Frame.method && payload.method.id == id }

  var isConnectionClose: Bool { channel == 0 && isMethod(amqp_connection_close_t.id) }

  var delivery: amqp_basic_deliver_t? {
    guard isMethod(amqp_basic_deliver_t.id), let decoded = payload.method.decoded else { return nil }
    return decoded.load(as: amqp_basic_deliver_t.self)
  }
}

extension Deadline {
  /// NULL is for ever; nil for a negative value.
  init?(_ timeout: UnsafePointer<timeval>?, from now: Instant) {
    guard let timeout else {
      self = .never
      return
    }
    self.init(seconds: timeout.pointee.tv_sec, microseconds: timeout.pointee.tv_usec, from: now)
  }
}
