// Requests and their replies.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ

extension BlockingDriver {
  /// Sends a method and waits for one of the replies, a list that ends with 0. The RPC timeout covers both halves.
  func call(
    _ id: UInt32, _ decoded: UnsafeMutableRawPointer?, channel: UInt16, replies: UnsafePointer<amqp_method_number_t>,
    until limit: Deadline? = nil
  ) -> amqp_rpc_reply_t {
    let deadline = limit ?? connection.pointee.rpcTimeout.deadline(from: Clock.now())
    if let close = receiving({ _ in queuedClose(channel: channel) }) { return amqp_rpc_reply_t(serverException: close) }
    let status = sendMethod(id, decoded, channel: channel, until: deadline)
    guard status.isOK else { return amqp_rpc_reply_t(status) }
    return receiving { now in
      let reply = awaitReply(channel: channel, replies: replies, until: deadline, &now)
      // The reply may come yet, and nobody would know what it answers.
      if reply.library_error == Status.timeout.code { hangUp(.timeout) }
      return reply
    }
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
  private func queuedClose(channel: UInt16) -> amqp_method_t? {
    dequeueFirst { frame in
      frame.isConnectionClose || frame.channel == channel && frame.isMethod(amqp_channel_close_t.id)
    }?.payload.method
  }

  /// A call of the API that keeps its reply for `amqp_get_rpc_reply`.
  func callDecoded(_ id: UInt32, _ decoded: UnsafeMutableRawPointer?, channel: UInt16, reply: amqp_method_number_t)
    -> UnsafeMutableRawPointer?
  {
    let result = withUnsafePointer(to: (reply, amqp_method_number_t(0))) { pair in
      call(id, decoded, channel: channel, replies: UnsafeRawPointer(pair).assumingMemoryBound(to: UInt32.self))
    }
    connection.pointee.latestReply = result
    return result.isNormal ? result.reply.decoded : nil
  }

  // MARK: Waits

  /// The next frame, which must be this method; another stays for the application to read.
  func waitMethod(_ id: UInt32, channel: UInt16, until deadline: Deadline, into method: inout amqp_method_t) -> Status {
    receiving { now in
      var frame = amqp_frame_t()
      let status = waitFrame(until: deadline, &now, into: &frame)
      guard status.isOK else { return status }
      guard frame.channel == channel, frame.isMethod(id) else {
        let kept = putBack(frame)
        return kept.isOK ? .wrongMethod : kept
      }
      method = frame.payload.method
      return .ok
    }
  }

  func waitConfirm(_ confirm: inout amqp_publisher_confirm_t, timeout: UnsafePointer<timeval>?) -> amqp_rpc_reply_t {
    receiving { now in
      guard let deadline = Deadline(timeout, from: now) else { return amqp_rpc_reply_t(.invalidParameter) }
      var frame = amqp_frame_t()
      let status = waitFrame(until: deadline, &now, into: &frame)
      guard status.isOK else { return amqp_rpc_reply_t(status) }
      guard confirm.take(frame) else {
        let kept = putBack(frame)
        return amqp_rpc_reply_t(kept.isOK ? .unexpectedState : kept)
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
