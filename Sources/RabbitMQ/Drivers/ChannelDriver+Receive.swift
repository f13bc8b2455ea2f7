// What the broker says on a channel.

import AMQPBase
import AMQPEngine
import AMQPWire
import CRabbitMQ

/// Bytes of a page for the tables of a message's headers.
private let headersPageSize = 1024

extension ChannelDriver {
  /// A frame as it lies in the inbound buffer. Not ok: the connection cannot go on.
  @inline(__always)
  func receive(_ view: FrameView) -> Status {
    switch view.type {
    case Frame.body:
      let status = channel.pointee.content.receiveBody(view.payload)
      return status.isOK && channel.pointee.content.isComplete ? receivedMessage() : status
    case Frame.header:
      let status = channel.pointee.content.receiveHeader(
        view.payload, bodyMax: connection.pointee.options.plain.bodyMax)
      return status.isOK && channel.pointee.content.isComplete ? receivedMessage() : status
    case Frame.method:
      var decoder = Decoder(view.payload, pool: nil)
      var id: amqp_method_number_t = 0
      decoder.long(&id)
      return receive(id, UnsafeRawBufferPointer(rebasing: view.payload[Frame.methodHeaderSize...]))
    default: return .unexpectedState
    }
  }

  @inline(__always)
  private func receive(_ id: amqp_method_number_t, _ arguments: UnsafeRawBufferPointer) -> Status {
    if channel.pointee.content.isActive { return .unexpectedState }
    if channel.pointee.isEnded { return receivedAfterEnd(id, arguments) }
    switch id {
    case amqp_basic_deliver_t.id, amqp_basic_return_t.id, amqp_basic_get_ok_t.id:
      return channel.pointee.content.begin(id, arguments)
    case amqp_basic_ack_t.id:
      var (ack, decoder) = (amqp_basic_ack_t(), Decoder(arguments, pool: nil))
      ack.code(&decoder)
      guard decoder.failure.isOK else { return decoder.failure }
      return settle(.ack(deliveryTag: ack.delivery_tag, multiple: ack.multiple != 0)) ? .ok : .unexpectedState
    case amqp_basic_nack_t.id:
      var (nack, decoder) = (amqp_basic_nack_t(), Decoder(arguments, pool: nil))
      nack.code(&decoder)
      guard decoder.failure.isOK else { return decoder.failure }
      return settle(.nack(deliveryTag: nack.delivery_tag, multiple: nack.multiple != 0)) ? .ok : .unexpectedState
    case amqp_channel_close_t.id: return receivedClose(arguments)
    case amqp_channel_flow_t.id: return receivedFlow(arguments)
    case amqp_basic_cancel_t.id: return receivedCancel(arguments)
    default: return received(reply: id, arguments)
    }
  }

  /// The program was told of the end, and the broker has still to say close-ok: what comes before it is nobody's.
  @inline(never)
  private func receivedAfterEnd(_ id: amqp_method_number_t, _ arguments: UnsafeRawBufferPointer) -> Status {
    switch id {
    case amqp_basic_deliver_t.id, amqp_basic_return_t.id, amqp_basic_get_ok_t.id:
      return channel.pointee.content.begin(id, arguments)
    case amqp_channel_close_t.id: return receivedClose(arguments)
    case amqp_channel_close_ok_t.id: closed()
    default: break
    }
    return .ok
  }

  // MARK: Content

  @inline(__always)
  private func receivedMessage() -> Status {
    defer { channel.pointee.content.discard() }
    if channel.pointee.isEnded { return .ok }
    var message = amqp_event_message_t()
    var properties = amqp_basic_properties_t()
    var pool = amqp_pool_t()
    // For header tables alone: without one it takes no memory.
    defer { withUnsafeMutablePointer(to: &pool) { if $0.isInUse { $0.empty() } } }
    var status = withUnsafeMutablePointer(to: &pool) {
      $0.initialize(pageSize: headersPageSize)
      return BasicProperties.decode(channel.pointee.content.propertyList, pool: $0, into: &properties)
    }
    guard status.isOK else { return status }
    message.body = amqp_bytes_t(channel.pointee.content.body)
    var decoder = Decoder(channel.pointee.content.arguments, pool: nil)
    status = withUnsafePointer(to: properties) {
      message.properties = $0
      switch channel.pointee.content.method {
      case amqp_basic_deliver_t.id: return delivered(&message, &decoder)
      case amqp_basic_return_t.id: return returned(&message, &decoder)
      default: return got(&message, &decoder)
      }
    }
    return status
  }

  @inline(__always)
  private func delivered(_ message: inout amqp_event_message_t, _ decoder: inout Decoder) -> Status {
    var deliver = amqp_basic_deliver_t()
    deliver.code(&decoder)
    guard decoder.failure.isOK else { return decoder.failure }
    // After channel.close the broker has them back anyway.
    if channel.pointee.state.state != .open { return .ok }
    guard let tag = channel.pointee.tags.delivered(deliver.delivery_tag) else { return .badAMQPData }
    // One that started too late for its time limit: its messages go back.
    guard let consumer = find(deliver.consumer_tag) else { return giveBack(deliver.delivery_tag) }
    message.delivery_tag = tag
    message.redelivered = deliver.redelivered
    message.consumer_tag = deliver.consumer_tag
    message.exchange = deliver.exchange
    message.routing_key = deliver.routing_key
    connection.pointee.counters.delivered &+= 1
    consumer.pointee.callbacks.onMessage(OpaquePointer(consumer), &message, consumer.pointee.callbacks.context)
    return .ok
  }

  private func giveBack(_ deliveryTag: UInt64) -> Status {
    var reject = amqp_basic_reject_t(delivery_tag: deliveryTag, requeue: 1)
    return send(&reject)
  }

  private func returned(_ message: inout amqp_event_message_t, _ decoder: inout Decoder) -> Status {
    var back = amqp_basic_return_t()
    back.code(&decoder)
    guard decoder.failure.isOK else { return decoder.failure }
    message.reply_code = back.reply_code
    message.reply_text = back.reply_text
    message.exchange = back.exchange
    message.routing_key = back.routing_key
    withUnsafePointer(to: message) { returned($0) }
    return .ok
  }

  private func got(_ message: inout amqp_event_message_t, _ decoder: inout Decoder) -> Status {
    var answer = amqp_basic_get_ok_t()
    answer.code(&decoder)
    guard decoder.failure.isOK else { return decoder.failure }
    guard let position = awaited(amqp_basic_get_ok_t.id, UnsafeRawBufferPointer(start: nil, count: 0)),
      position.pointee.record.method == amqp_basic_get_t.id,
      let tag = channel.pointee.tags.delivered(answer.delivery_tag)
    else { return .unexpectedState }
    message.delivery_tag = tag
    message.redelivered = answer.redelivered
    message.exchange = answer.exchange
    message.routing_key = answer.routing_key
    message.message_count = answer.message_count
    let operation = position.pointee.record
    let isAcknowledged = EventOperation.arguments(of: position).last != 0
    channel.pointee.operations.remove(position)
    guard case .get(let done, let context) = operation.completion else {
      // Nobody waits for it any more.
      return isAcknowledged ? .ok : giveBack(answer.delivery_tag)
    }
    connection.pointee.counters.delivered &+= 1
    done?(handle, nil, &message, context)
    return .ok
  }

  // MARK: Events

  private func receivedClose(_ arguments: UnsafeRawBufferPointer) -> Status {
    var (close, decoder) = (amqp_channel_close_t(), Decoder(arguments, pool: nil))
    close.code(&decoder)
    guard decoder.failure.isOK else { return decoder.failure }
    var closeOk = amqp_channel_close_ok_t()
    switch channel.pointee.state.receive(.peerClose) {
    case .sendCloseOkAndWait:
      failBeforeClose(EventError(close))
      return send(&closeOk)
    case .sendCloseOk: break
    default: return .unexpectedState
    }
    let status = send(&closeOk)
    guard status.isOK else { return status }
    _ = channel.pointee.state.receive(.closeOkSent)
    let error = EventError(close)
    if channel.pointee.isInternal || isRecovering {
      RecoveryDriver(connection).refused(error, on: self)
      return .ok
    }
    // Over a request of the program's, with which a step of a recovery may go unanswered.
    let hadStep = awaitsStep
    end(error, pending: error)
    leave()
    if hadStep { RecoveryDriver(connection).replied(queue: nil) }
    return .ok
  }

  /// Whether the broker's answer is to a step of a recovery.
  private var isRecovering: Bool { channel.pointee.operations.first?.pointee.record.isOfRecovery == true }

  private var awaitsStep: Bool {
    var next = channel.pointee.operations.first
    while let operation = next, !operation.pointee.record.isOfRecovery { next = operation.pointee.next }
    return next != nil
  }

  private func receivedFlow(_ arguments: UnsafeRawBufferPointer) -> Status {
    var (flow, decoder) = (amqp_channel_flow_t(), Decoder(arguments, pool: nil))
    flow.code(&decoder)
    guard decoder.failure.isOK else { return decoder.failure }
    switch channel.pointee.state.receive(.flow(active: flow.active != 0)) {
    case .sendFlowOk(let active):
      var flowOk = amqp_channel_flow_ok_t(active: active ? 1 : 0)
      let status = send(&flowOk)
      guard status.isOK else { return status }
      channel.pointee.callbacks.on_flow?(handle, flow.active, channel.pointee.context)
      mayPublish()
      return .ok
    case .discard: return .ok
    default: return .unexpectedState
    }
  }

  /// The broker ends a consumer: its queue is gone.
  private func receivedCancel(_ arguments: UnsafeRawBufferPointer) -> Status {
    var (cancel, decoder) = (amqp_basic_cancel_t(), Decoder(arguments, pool: nil))
    cancel.code(&decoder)
    guard decoder.failure.isOK else { return decoder.failure }
    if cancel.nowait == 0 {
      var cancelOk = amqp_basic_cancel_ok_t(consumer_tag: cancel.consumer_tag)
      let status = send(&cancelOk)
      guard status.isOK else { return status }
    }
    // One that crossed our own cancel finds nobody, or the end that the program asked for.
    guard let consumer = find(cancel.consumer_tag) else { return .ok }
    end(consumer, consumer.pointee.state == .cancelling ? nil : EventError(.refused))
    return .ok
  }
}
