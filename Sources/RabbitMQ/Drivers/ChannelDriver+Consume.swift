// Messages in: consumers, from basic.consume to the last callback, and the answers to their messages.

import AMQPBase
import AMQPEngine
import AMQPWire
import CMemory
import CRabbitMQ

/// Octets of a tag of the library's own: "c" and a number.
private let tagCapacity = 24

extension ChannelDriver {
  func consume(
    _ queue: amqp_bytes_t, _ options: UnsafePointer<amqp_event_consume_options_t>?,
    _ onMessage: @escaping amqp_event_message_callback, _ onCancelled: amqp_event_cancelled_callback?,
    _ context: UnsafeMutableRawPointer?, _ consumer: UnsafeMutablePointer<OpaquePointer?>?
  ) -> Status {
    let status = status
    guard status.isOK else { return status }
    var method = amqp_basic_consume_t()
    method.queue = resolved(queue)
    if let options = options?.pointee {
      guard options.size >= MemoryLayout<amqp_event_consume_options_t>.size else { return .invalidParameter }
      method.consumer_tag = options.consumer_tag
      (method.no_ack, method.exclusive, method.no_local) = (options.no_ack, options.exclusive, options.no_local)
      method.arguments = options.arguments
    }
    let callbacks = EventConsumer.Callbacks(
      onMessage: onMessage, onCancelled: onCancelled, onConsuming: options?.pointee.on_consuming, context: context)
    var made: EventConsumer.Handle?
    let started =
      method.consumer_tag.len == 0 ? startWithTag(method, callbacks, &made) : start(method, callbacks, &made)
    if started.isOK { consumer?.pointee = made.map { OpaquePointer($0) } }
    return started
  }

  /// Under a tag of our own, which no consumer of the channel has.
  private func startWithTag(
    _ method: amqp_basic_consume_t, _ callbacks: EventConsumer.Callbacks, _ made: inout EventConsumer.Handle?
  ) -> Status {
    withUnsafeTemporaryAllocation(byteCount: tagCapacity, alignment: 1) { room in
      var method = method
      repeat {
        channel.pointee.consumersMade &+= 1
        method.consumer_tag = tag(channel.pointee.consumersMade, in: room)
      } while find(method.consumer_tag) != nil
      return start(method, callbacks, &made)
    }
  }

  private func start(
    _ method: amqp_basic_consume_t, _ callbacks: EventConsumer.Callbacks, _ made: inout EventConsumer.Handle?
  ) -> Status {
    // The broker would close the connection over it.
    if find(method.consumer_tag) != nil { return .invalidParameter }
    guard let consumer = EventConsumer.make(on: channel, method, callbacks) else { return .noMemory }
    var method = method
    let status = request(&method, amqp_basic_consume_ok_t.id, .consume(consumer))
    guard status.isOK else {
      EventConsumer.destroy(consumer)
      return status
    }
    consumer.pointee.next = channel.pointee.firstConsumer
    channel.pointee.firstConsumer = consumer
    made = consumer
    return .ok
  }

  private func tag(_ number: UInt64, in room: UnsafeMutableRawBufferPointer) -> amqp_bytes_t {
    guard let base = room.baseAddress else { return .empty }
    var (at, rest) = (room.count, number)
    repeat {
      at &-= 1
      base.storeBytes(of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10), toByteOffset: at, as: UInt8.self)
      rest /= 10
    } while rest > 0
    at &-= 1
    base.storeBytes(of: UInt8(ascii: "c"), toByteOffset: at, as: UInt8.self)
    return amqp_bytes_t(len: room.count &- at, bytes: base + at)
  }

  // MARK: Finding

  /// Mostly the same one again.
  @inline(__always)
  func find(_ tag: amqp_bytes_t) -> EventConsumer.Handle? {
    if let latest = channel.pointee.latestConsumer, latest.pointee.method.consumer_tag.equals(tag) { return latest }
    return search(tag)
  }

  @inline(never)
  private func search(_ tag: amqp_bytes_t) -> EventConsumer.Handle? {
    var next = channel.pointee.firstConsumer
    while let consumer = next {
      if consumer.pointee.method.consumer_tag.equals(tag) {
        channel.pointee.latestConsumer = consumer
        return consumer
      }
      next = consumer.pointee.next
    }
    return nil
  }

  // MARK: The program's calls

  func cancel(_ consumer: EventConsumer.Handle) -> Status {
    guard !channel.pointee.isEnding else { return .unexpectedState }
    switch consumer.pointee.state {
    case .consuming where isConnected && channel.pointee.state.operationStatus.isOK:
      let status = sendCancel(consumer)
      guard status.isOK else { return status }
    // There is nothing to tell the broker, or no broker: the end comes from the loop.
    case .consuming, .paused: putOff(consumer)
    case .cancelling, .ended: return .unexpectedState
    }
    consumer.pointee.state = .cancelling
    forget(consumer)
    return .ok
  }

  func pause(_ consumer: EventConsumer.Handle) -> Status {
    let status = status
    guard status.isOK else { return status }
    guard consumer.pointee.state == .consuming else { return .unexpectedState }
    let sent = sendCancel(consumer)
    if sent.isOK { consumer.pointee.state = .paused }
    return sent
  }

  func resume(_ consumer: EventConsumer.Handle) -> Status {
    let status = status
    guard status.isOK else { return status }
    guard consumer.pointee.state == .paused else { return .unexpectedState }
    let sent = sendConsume(consumer, .consume(consumer))
    if sent.isOK { consumer.pointee.state = .consuming }
    return sent
  }

  private func sendCancel(_ consumer: EventConsumer.Handle) -> Status {
    var cancel = amqp_basic_cancel_t(consumer_tag: consumer.pointee.method.consumer_tag, nowait: 0)
    return request(&cancel, amqp_basic_cancel_ok_t.id, .cancel(consumer))
  }

  /// basic.consume once more, with what the consumer remembers.
  func sendConsume(_ consumer: EventConsumer.Handle, _ completion: EventOperation.Completion) -> Status {
    FieldTable.withDecoded(consumer.pointee.table) { status, table in
      guard status.isOK else { return status }
      var consume = consumer.pointee.method
      consume.arguments = table
      return request(&consume, amqp_basic_consume_ok_t.id, completion)
    }
  }

  // MARK: What comes of them

  func started(_ consumer: EventConsumer.Handle) {
    guard consumer.pointee.state != .ended else { return }
    consumer.pointee.isStarted = true
    // Known by now, and not meant again when it is started anew.
    if consumer.pointee.method.queue.len == 0, let queue = channel.pointee.latestQueue.duplicated() {
      consumer.pointee.method.queue.deallocate()
      consumer.pointee.method.queue = queue
    }
    let callbacks = consumer.pointee.callbacks
    callbacks.onConsuming?(OpaquePointer(consumer), callbacks.context)
  }

  /// cancel-ok: of a pause, or of the end.
  func cancelled(_ consumer: EventConsumer.Handle) {
    if consumer.pointee.state == .cancelling { end(consumer, nil) }
  }

  /// The last callback of a consumer. What the broker still sends to it finds nobody.
  func end(_ consumer: EventConsumer.Handle, _ error: EventError?) {
    guard consumer.pointee.state != .ended else { return }
    consumer.pointee.state = .ended
    unlink(consumer)
    forget(consumer)
    forgetRequests(of: consumer)
    if let callback = consumer.pointee.callbacks.onCancelled {
      EventError.with(error) { callback(OpaquePointer(consumer), $0, consumer.pointee.callbacks.context) }
    }
    putOff(consumer)
  }

  /// A recovery does not bring it back.
  func forget(_ consumer: EventConsumer.Handle) {
    connection.pointee.plan.consumerCancelled(consumer.pointee.method.consumer_tag, on: channel.pointee.number)
  }

  /// A recovery brings it back.
  func remember(_ consumer: EventConsumer.Handle) -> Status {
    connection.pointee.plan.consumerStarted(
      consumer.pointee.method, on: channel.pointee.number, arguments: consumer.pointee.table,
      tag: consumer.pointee.method.consumer_tag)
  }

  private func unlink(_ consumer: EventConsumer.Handle) {
    if channel.pointee.latestConsumer == consumer { channel.pointee.latestConsumer = nil }
    if channel.pointee.firstConsumer == consumer {
      channel.pointee.firstConsumer = consumer.pointee.next
      return
    }
    var before = channel.pointee.firstConsumer
    while let current = before, current.pointee.next != consumer { before = current.pointee.next }
    before?.pointee.next = consumer.pointee.next
  }

  /// Their replies find nobody either.
  private func forgetRequests(of consumer: EventConsumer.Handle) {
    var next = channel.pointee.operations.first
    while let operation = next {
      switch operation.pointee.record.completion {
      case .consume(consumer), .cancel(consumer): operation.pointee.record.completion = .expired
      default: break
      }
      next = operation.pointee.next
    }
  }

  private func putOff(_ consumer: EventConsumer.Handle) {
    if consumer.pointee.isDeferred { return }
    consumer.pointee.isDeferred = true
    driver.putOff(UnsafeMutableRawPointer(consumer).assumingMemoryBound(to: Deferred.self))
  }

  static func runDeferred(_ consumer: EventConsumer.Handle) {
    consumer.pointee.isDeferred = false
    guard consumer.pointee.state == .ended else {
      return ChannelDriver(consumer.pointee.channel).end(consumer, nil)
    }
    EventConsumer.destroy(consumer)
  }

  // MARK: Acknowledgements

  @inline(__always)
  func acknowledge(_ tag: UInt64, multiple: Bool, _ send: (UInt64) -> Status) -> Status {
    let status = status
    switch channel.pointee.tags.brokerTag(for: tag, multiple: multiple) {
    case .stale: return .stale
    case .current(let brokerTag): return status.isOK ? send(brokerTag) : status
    case .unknown: return status.isOK ? .invalidParameter : status
    }
  }
}
