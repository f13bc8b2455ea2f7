// Whole messages: consume and read.
//
// A content is read for one channel. Frames of other channels that come in between are queued, in their order. What ends a
// content early is a method on its channel, or a connection.close: the closes are the answer, anything else is put back.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ

extension BlockingDriver {
  func consume(_ envelope: inout amqp_envelope_t, timeout: UnsafePointer<timeval>?) -> amqp_rpc_reply_t {
    receiving(timeout: timeout) { deadline, now in
      if connection.pointee.receive.content.kind != .delivery {
        let status = beginDelivery(until: deadline, &now)
        guard status.isOK else { return amqp_rpc_reply_t(status) }
      }
      let reply = readContent(until: deadline, &now)
      if reply.isNormal { envelope = connection.pointee.receive.content.take() }
      return reply
    }
  }

  func read(_ message: inout amqp_message_t, channel: UInt16) -> amqp_rpc_reply_t {
    let deadline = connection.pointee.rpcTimeout.deadline(from: Clock.now())
    return receiving(until: deadline) { now in
      let content = connection.pointee.receive.content
      if content.kind != .message || content.envelope.channel != channel {
        let status = spillContent()
        guard status.isOK else { return amqp_rpc_reply_t(status) }
        connection.pointee.receive.content.beginMessage(channel: channel)
      }
      let reply = readContent(until: deadline, &now)
      if reply.isNormal { message = connection.pointee.receive.content.take().message }
      return reply
    }
  }

  /// A content that an earlier call did not finish goes back in front of the queue, for a call that reads otherwise.
  func spillContent() -> Status {
    guard connection.pointee.receive.content.isActive else { return .ok }
    let content = connection.pointee.receive.content
    guard let pool = connection.pointee.receive.pools.pool(for: content.envelope.channel),
      connection.pointee.receive.queue.reserve(), content.makeFrames(in: pool, { putBack($0) })
    else { return .noMemory }
    connection.pointee.receive.content.discard()
    return .ok
  }

  // MARK: basic.deliver

  /// Takes the basic.deliver that begins a delivery. Anything else stays for the application to read.
  private func beginDelivery(until deadline: Deadline, _ now: inout Instant) -> Status {
    let status = spillContent()
    guard status.isOK else { return status }
    if let queued = connection.pointee.receive.queue.frame(at: 0) {
      guard let deliver = queued.pointee.delivery else { return .unexpectedState }
      guard connection.pointee.receive.content.beginDelivery(deliver, channel: queued.pointee.channel) else {
        return .noMemory
      }
      _ = dequeue(0)
      return .ok
    }
    switch nextView(until: deadline, &now) {
    case .failed(let status): return status
    case .frame(let view):
      guard view.methodID == amqp_basic_deliver_t.id else {
        var frame = amqp_frame_t()
        let status = decode(view, into: &frame)
        guard status.isOK else { return status }
        putBack(frame)
        return .unexpectedState
      }
      return beginDelivery(view)
    }
  }

  /// Straight from the inbound buffer into the memory of the envelope.
  @inline(__always)
  private func beginDelivery(_ view: FrameView) -> Status {
    var deliver = amqp_basic_deliver_t()
    var decoder = Decoder(view.payload, pool: nil, offset: Frame.methodHeaderSize)
    deliver.code(&decoder)
    guard decoder.failure.isOK else { return hangUp(decoder.failure) }
    if connection.pointee.receive.content.beginDelivery(deliver, channel: view.channel) { return .ok }
    connection.pointee.receive.assembler.putBack(view)
    return .noMemory
  }

  // MARK: Header and body

  private func readContent(until deadline: Deadline, _ now: inout Instant) -> amqp_rpc_reply_t {
    let channel = connection.pointee.receive.content.envelope.channel
    while !connection.pointee.receive.content.isComplete {
      var reply: amqp_rpc_reply_t?
      if let queued = dequeueFirst(channel: channel, { $0.channel == channel || $0.isConnectionClose }) {
        reply = receive(queued)
      } else {
        switch nextView(until: deadline, &now) {
        case .failed(let status): reply = ended(status)
        case .frame(let view): reply = receive(view, channel: channel)
        }
      }
      if let reply { return reply }
    }
    return amqp_rpc_reply_t(normal: amqp_method_t())
  }

  /// One frame of the content off the wire; nil to go on.
  @inline(__always)
  private func receive(_ view: FrameView, channel: UInt16) -> amqp_rpc_reply_t? {
    guard view.channel == channel || view.channel == 0 && view.methodID == amqp_connection_close_t.id else {
      let status = enqueue(view)
      return status.isOK ? nil : ended(status)
    }
    if view.type == Frame.body {
      let status = connection.pointee.receive.content.receiveBody(view.payload)
      if status != .unexpectedState { return advanced(status, with: view) }
    }
    if view.type == Frame.header {
      var (classID, weight, bodySize) = (UInt16(0), UInt16(0), UInt64(0))
      var decoder = Decoder(view.payload, pool: nil)
      decoder.short(&classID)
      decoder.short(&weight)
      decoder.longlong(&bodySize)
      let raw = UnsafeRawBufferPointer(rebasing: view.payload[decoder.offset...])
      let status = connection.pointee.receive.content.receiveHeader(classID: classID, bodySize: bodySize, raw: raw)
      if status != .unexpectedState { return advanced(status, with: view) }
    }
    var frame = amqp_frame_t()
    let status = decode(view, into: &frame)
    return status.isOK ? interrupted(by: frame) : ended(status)
  }

  /// The same for a frame out of the queue.
  private func receive(_ frame: amqp_frame_t) -> amqp_rpc_reply_t? {
    if frame.frame_type == Frame.body {
      let status = connection.pointee.receive.content.receiveBody(frame.payload.body_fragment.buffer)
      if status == .noMemory { putBack(frame) }
      if status != .unexpectedState { return advanced(status) }
    }
    if frame.frame_type == Frame.header {
      let header = frame.payload.properties
      let status = connection.pointee.receive.content.receiveHeader(
        classID: header.class_id, bodySize: header.body_size, raw: header.raw.buffer)
      if status == .noMemory { putBack(frame) }
      if status != .unexpectedState { return advanced(status) }
    }
    return interrupted(by: frame)
  }

  @inline(__always)
  private func advanced(_ status: Status, with view: FrameView) -> amqp_rpc_reply_t? {
    if status == .noMemory { connection.pointee.receive.assembler.putBack(view) }
    return advanced(status)
  }

  private func advanced(_ status: Status) -> amqp_rpc_reply_t? {
    if status.isOK { return nil }
    return ended(status == .badAMQPData ? hangUp(status) : status)
  }

  /// Time may bring the rest, and memory the room for it; any other end leaves half a message, which is no use to anybody.
  private func ended(_ status: Status) -> amqp_rpc_reply_t {
    if status != .timeout, status != .noMemory { connection.pointee.receive.content.discard() }
    return amqp_rpc_reply_t(status)
  }

  private func interrupted(by frame: amqp_frame_t) -> amqp_rpc_reply_t {
    connection.pointee.receive.content.discard()
    if frame.isConnectionClose || frame.isMethod(amqp_channel_close_t.id) {
      return amqp_rpc_reply_t(serverException: frame.payload.method)
    }
    putBack(frame)
    return amqp_rpc_reply_t(.unexpectedState)
  }
}
