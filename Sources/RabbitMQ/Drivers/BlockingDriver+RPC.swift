// Requests and their replies.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ

extension BlockingDriver {
  /// Sends a method and waits for one of the replies, a list that ends with 0. The RPC timeout covers both halves.
  func call(
    _ id: UInt32, _ decoded: UnsafeMutableRawPointer?, channel: UInt16, replies: UnsafePointer<amqp_method_number_t>
  ) -> amqp_rpc_reply_t {
    let deadline = connection.pointee.rpcTimeout.deadline(from: Clock.now())
    let closed = receiving(until: deadline) { _ in queuedClose(channel: channel) }
    guard closed.reply_type == AMQP_RESPONSE_NONE else { return closed }
    let status = sendMethod(id, decoded, channel: channel, until: deadline)
    guard status.isOK else { return amqp_rpc_reply_t(status) }
    let reply = receiving(until: deadline) { now in
      awaitReply(channel: channel, replies: replies, until: deadline, &now)
    }
    if reply.library_error == Status.timeout.code {
      // The reply may come yet, and nobody would know what it answers.
      hangUp(.timeout)
      closeWhenAlone()
    }
    return reply
  }

  /// Waits for one of the replies off the wire; everything else is queued.
  func awaitReply(
    channel: UInt16, replies: UnsafePointer<amqp_method_number_t>, until deadline: Deadline, _ now: inout Instant
  ) -> amqp_rpc_reply_t {
    let spilled = spillContent()
    guard spilled.isOK else { return amqp_rpc_reply_t(spilled) }
    while true {
      switch nextView(until: deadline, &now) {
      case .failed(let status):
        return amqp_rpc_reply_t(status)
      case .frame(let view):
        let match = ReplyMatch(
          awaitedOn: channel, expected: replies, frameType: view.type, channel: view.channel, method: view.methodID)
        if match == .unrelated {
          let status = enqueue(view)
          guard status.isOK else { return amqp_rpc_reply_t(status) }
          continue
        }
        var frame = amqp_frame_t()
        let status = decode(view, into: &frame)
        guard status.isOK else { return amqp_rpc_reply_t(status) }
        return match == .reply
          ? amqp_rpc_reply_t(normal: frame.payload.method) : amqp_rpc_reply_t(serverException: frame.payload.method)
      }
    }
  }

  /// A close that is queued already: on a channel that the broker has closed no reply will come.
  private func queuedClose(channel: UInt16) -> amqp_rpc_reply_t {
    let close = dequeueFirst(channel: channel) { frame in
      frame.isConnectionClose || frame.channel == channel && frame.isMethod(amqp_channel_close_t.id)
    }
    return close.map { amqp_rpc_reply_t(serverException: $0.payload.method) } ?? amqp_rpc_reply_t()
  }

  /// A request whose type says what it is, with one reply or one of two.
  @inline(__always)
  func call<Method: WireMethod>(
    _ method: inout Method, channel: UInt16, reply: amqp_method_number_t, or other: amqp_method_number_t = 0
  ) -> amqp_rpc_reply_t {
    withUnsafeMutablePointer(to: &method) { call(Method.id, $0, channel: channel, reply: reply, or: other) }
  }

  private func call(
    _ id: UInt32, _ decoded: UnsafeMutableRawPointer?, channel: UInt16, reply: amqp_method_number_t,
    or other: amqp_method_number_t
  ) -> amqp_rpc_reply_t {
    withUnsafePointer(to: (reply, other, amqp_method_number_t(0))) { list in
      call(id, decoded, channel: channel, replies: UnsafeRawPointer(list).assumingMemoryBound(to: UInt32.self))
    }
  }

  /// The calls that return the reply's fields keep the reply itself for `amqp_get_rpc_reply`.
  func callDecoded(_ id: UInt32, _ decoded: UnsafeMutableRawPointer?, channel: UInt16, reply: amqp_method_number_t)
    -> UnsafeMutableRawPointer?
  {
    let result = keep(call(id, decoded, channel: channel, reply: reply, or: 0))
    return result.isNormal ? result.reply.decoded : nil
  }

  @inline(__always)
  func callDecoded<Method: WireMethod, Reply: WireMethod>(_ method: Method, channel: UInt16)
    -> UnsafeMutablePointer<Reply>?
  {
    var method = method
    let fields = withUnsafeMutablePointer(to: &method) { callDecoded(Method.id, $0, channel: channel, reply: Reply.id) }
    return fields?.assumingMemoryBound(to: Reply.self)
  }

  func keep(_ reply: amqp_rpc_reply_t) -> amqp_rpc_reply_t {
    connection.pointee.latestReply = reply
    return reply
  }

  // MARK: Waits

  /// The next frame, which must be this method; another stays for the application to read.
  func waitMethod(_ id: UInt32, channel: UInt16, until deadline: Deadline, into method: inout amqp_method_t) -> Status {
    receiving { now in
      var frame = amqp_frame_t()
      let status = waitFrame(until: deadline, &now, into: &frame)
      guard status.isOK else { return status }
      guard frame.channel == channel, frame.isMethod(id) else {
        putBack(frame)
        return .wrongMethod
      }
      method = frame.payload.method
      return .ok
    }
  }

  func waitConfirm(_ confirm: inout amqp_publisher_confirm_t, timeout: UnsafePointer<timeval>?) -> amqp_rpc_reply_t {
    receiving(timeout: timeout) { deadline, now in
      var frame = amqp_frame_t()
      let status = waitFrame(until: deadline, &now, into: &frame)
      guard status.isOK else { return amqp_rpc_reply_t(status) }
      guard confirm.take(frame) else {
        putBack(frame)
        return amqp_rpc_reply_t(.unexpectedState)
      }
      return amqp_rpc_reply_t(normal: amqp_method_t())
    }
  }
}

extension amqp_publisher_confirm_t {
  /// False for a frame that is no confirm.
  fileprivate mutating func take(_ frame: amqp_frame_t) -> Bool {
    guard frame.frame_type == Frame.method, let decoded = frame.payload.method.decoded else { return false }
    switch frame.payload.method.id {
    case amqp_basic_ack_t.id: payload.ack = decoded.load(as: amqp_basic_ack_t.self)
    case amqp_basic_nack_t.id: payload.nack = decoded.load(as: amqp_basic_nack_t.self)
    case amqp_basic_reject_t.id: payload.reject = decoded.load(as: amqp_basic_reject_t.self)
    default: return false
    }
    channel = frame.channel
    method = frame.payload.method.id
    return true
  }
}
