// Messages out: publishes, their outcomes, and who waits for them.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ

extension ChannelDriver {
  func selectConfirms(_ done: amqp_event_done?, _ context: UnsafeMutableRawPointer?) -> Status {
    var select = amqp_confirm_select_t(nowait: 0)
    let status = perform(&select, amqp_confirm_select_ok_t.id, .done(done, context))
    if status.isOK { channel.pointee.isConfirming = true }
    return status
  }

  @inline(__always)
  func publish(
    _ exchange: amqp_bytes_t, _ routingKey: amqp_bytes_t, _ mandatory: amqp_boolean_t,
    _ properties: UnsafePointer<amqp_basic_properties_t>?, _ body: UnsafeRawBufferPointer, release: SendRelease?,
    _ confirm: EventConfirm, _ sequence: UnsafeMutablePointer<UInt64>?
  ) -> Status {
    var method = amqp_basic_publish_t(
      ticket: 0, exchange: exchange, routing_key: routingKey, mandatory: mandatory, immediate: 0)
    guard let properties else {
      var none = amqp_basic_properties_t()
      return publish(&method, &none, body, release: release, confirm, sequence)
    }
    return publish(&method, properties, body, release: release, confirm, sequence)
  }

  @inline(__always)
  private func publish(
    _ method: inout amqp_basic_publish_t, _ properties: UnsafePointer<amqp_basic_properties_t>,
    _ body: UnsafeRawBufferPointer, release: SendRelease?, _ confirm: EventConfirm,
    _ sequence: UnsafeMutablePointer<UInt64>?
  ) -> Status {
    var status = status
    if status.isOK { status = room(for: body.count) }
    guard status.isOK else {
      owesWritable()
      return status
    }
    let isConfirming = channel.pointee.isConfirming
    guard isConfirming || confirm.callback == nil else { return .unexpectedState }
    if isConfirming {
      status = channel.pointee.confirms.reserve()
      guard status.isOK else { return status }
    }
    let (number, frameMax) = (channel.pointee.number, connection.pointee.tuning.frameMax)
    let waiting = connection.pointee.queue.count
    if let release {
      status = connection.pointee.queue.encode(
        &method, properties: properties, body: body, channel: number, frameMax: frameMax, release: release)
    } else {
      status = connection.pointee.queue.encode(
        &method, properties: properties, body: body, channel: number, frameMax: frameMax)
    }
    // What it can hold against the arguments is the length of a name.
    guard status.isOK else { return status == .badAMQPData ? .invalidParameter : status }
    if driver.isTraced { driver.traceSent(since: waiting) }
    driver.scheduleTurn()
    connection.pointee.counters.published &+= 1
    let given = isConfirming ? published(method, body, confirm) : 0
    sequence?.pointee = given
    return .ok
  }

  @inline(__always)
  private func published(
    _ method: amqp_basic_publish_t, _ body: UnsafeRawBufferPointer, _ confirm: EventConfirm
  ) -> UInt64 {
    // Without a time limit the clock need not be read.
    let isTimed = connection.pointee.options.plain.confirmTimeout > 0
    let now = isTimed ? Clock.now() : Instant(nanoseconds: 0)
    let fingerprint = method.mandatory == 0 ? nil : fingerprint(method.exchange, method.routing_key, body)
    let sequence = channel.pointee.confirms.published(confirm, mandatory: fingerprint, at: now)
    if isTimed { driver.wake(by: channel.pointee.confirms.nextDeadline) }
    return sequence ?? 0
  }

  func fingerprint(
    _ exchange: amqp_bytes_t, _ routingKey: amqp_bytes_t, _ body: UnsafeRawBufferPointer
  ) -> MessageFingerprint {
    var fingerprint = MessageFingerprint()
    fingerprint.add(exchange.buffer)
    fingerprint.add(routingKey.buffer)
    fingerprint.add(body)
    return fingerprint
  }

  // MARK: Back-pressure

  /// One message is taken when nothing waits, whatever its size.
  @inline(__always)
  private func room(for count: Int) -> Status {
    guard channel.pointee.state.isFlowActive else { return .full }
    let waiting = connection.pointee.queue.count
    if waiting == 0 { return .ok }
    let (needed, overflow) = waiting.addingReportingOverflow(count)
    return overflow || needed > connection.pointee.options.plain.mostWaiting ? .full : .ok
  }

  private var isWelcome: Bool {
    status.isOK && channel.pointee.state.isFlowActive && !connection.pointee.isBlocked
      && connection.pointee.queue.count < connection.pointee.options.plain.highWater
  }

  /// For the program, who is told once it may go on.
  func canPublish() -> Bool {
    if isWelcome { return true }
    owesWritable()
    return false
  }

  private func owesWritable() {
    channel.pointee.wantsWritable = true
    connection.pointee.isAboveHighWater = true
  }

  func mayPublish() {
    guard channel.pointee.wantsWritable else { return }
    guard isWelcome else {
      // Another channel, which was told first, may have filled the queue again.
      if connection.pointee.queue.count >= connection.pointee.options.plain.highWater {
        connection.pointee.isAboveHighWater = true
      }
      return
    }
    channel.pointee.wantsWritable = false
    channel.pointee.callbacks.on_writable?(handle, channel.pointee.context)
  }

  // MARK: Outcomes

  var outstanding: Int { channel.pointee.confirms.outstanding }

  /// Tells the outcomes that an event settles. False: the broker confirmed what was never published.
  @discardableResult
  func settle(_ event: ConfirmTracker<EventConfirm>.Event, _ error: EventError? = nil) -> Bool {
    switch channel.pointee.confirms.receive(event) {
    case .settles(var settlement):
      while let settled = channel.pointee.confirms.next(&settlement) { tell(settled, error) }
      // With the channel what waits for its publishes ends too, and not well.
      if event != .lost, event != .cancelled { checkDrains() }
    case .unknownDeliveryTag: return false
    case .unknownReturn: break
    }
    return true
  }

  @inline(__always)
  private func tell(
    _ settled: ConfirmTracker<EventConfirm>.Settled, _ error: EventError?,
    returned: UnsafePointer<amqp_event_message_t>? = nil
  ) {
    let outcome: amqp_event_outcome_t
    switch settled.outcome {
    case .acked:
      outcome = AMQP_EVENT_ACKED
      connection.pointee.counters.confirmed &+= 1
    case .nacked:
      outcome = AMQP_EVENT_NACKED
      connection.pointee.counters.nacked &+= 1
    case .returned: outcome = AMQP_EVENT_RETURNED
    case .timedOut:
      outcome = AMQP_EVENT_TIMED_OUT
      connection.pointee.counters.lost &+= 1
    case .lost:
      outcome = AMQP_EVENT_LOST
      connection.pointee.counters.lost &+= 1
    case .cancelled:
      outcome = AMQP_EVENT_CANCELLED
      connection.pointee.counters.lost &+= 1
    }
    guard let callback = settled.context.callback else { return }
    var confirm = amqp_event_confirm_t()
    confirm.outcome = outcome
    confirm.sequence = settled.sequence
    confirm.delivery_tag = settled.deliveryTag
    confirm.multiple = settled.multiple ? 1 : 0
    confirm.returned = returned
    guard outcome == AMQP_EVENT_LOST, let error else { return callback(handle, &confirm, settled.context.context) }
    EventError.with(error) {
      confirm.error = $0
      callback(handle, &confirm, settled.context.context)
    }
  }

  /// A message came back. Where a publish waits for its outcome, this is it.
  func returned(_ message: UnsafePointer<amqp_event_message_t>) {
    connection.pointee.counters.returned &+= 1
    let (exchange, key, body) = (message.pointee.exchange, message.pointee.routing_key, message.pointee.body)
    if channel.pointee.isConfirming,
      case .settles(var settlement) = channel.pointee.confirms.receive(
        .returned(fingerprint(exchange, key, body.buffer))),
      let settled = channel.pointee.confirms.next(&settlement)
    {
      if settled.context.callback != nil {
        tell(settled, nil, returned: message)
        return checkDrains()
      }
      checkDrains()
    }
    channel.pointee.callbacks.on_return?(handle, message, channel.pointee.context)
  }

  // MARK: Drains

  func drain(milliseconds: Int32, _ done: amqp_event_done?, _ context: UnsafeMutableRawPointer?) -> Status {
    let status = status
    guard status.isOK else { return status }
    let waiting = UInt64(truncatingIfNeeded: connection.pointee.queue.count)
    let drain = EventDrain(
      done: done, context: context, sequence: channel.pointee.confirms.nextSequence &- 1,
      sent: connection.pointee.counters.bytesSent &+ waiting,
      deadline: Deadline(milliseconds: milliseconds, from: Clock.now()))
    guard channel.pointee.drains.append(drain) != nil else { return .noMemory }
    connection.pointee.drains &+= 1
    driver.wake(by: drain.deadline)
    putOff()
    return .ok
  }

  /// Completes the drains that have nothing left to wait for.
  func checkDrains() {
    while let drain = channel.pointee.drains.first {
      let record = drain.pointee.record
      guard record.sequence < channel.pointee.confirms.oldestOutstanding,
        record.sent <= connection.pointee.counters.bytesSent
      else { return }
      finish(drain, nil)
    }
  }

  func finish(_ drain: Chain<EventDrain>.Position, _ error: EventError?) {
    let record = drain.pointee.record
    channel.pointee.drains.remove(drain)
    connection.pointee.drains &-= 1
    guard let done = record.done else { return }
    EventError.with(error) { done(handle, $0, record.context) }
  }
}
