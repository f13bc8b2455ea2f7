// Requests of the program and of a recovery, and their replies.
//
// They are sent in the order of the calls, without waiting for one another, and the broker replies in that order: the
// first reply belongs to the first request. A request whose time is up is told so and stays in the row, for its reply may
// come yet.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ

extension ChannelDriver {
  /// Sends a request of the program's. Not ok: nothing happened.
  func perform<Method: WireMethod>(
    _ method: inout Method, _ reply: amqp_method_number_t, _ completion: EventOperation.Completion
  ) -> Status {
    let status = status
    return status.isOK ? request(&method, reply, completion) : status
  }

  @inline(__always)
  func request<Method: WireMethod>(
    _ method: inout Method, _ reply: amqp_method_number_t, _ completion: EventOperation.Completion,
    timeoutMilliseconds: Int32? = nil
  ) -> Status {
    let milliseconds = timeoutMilliseconds ?? connection.pointee.options.plain.rpcTimeout
    return withUnsafeMutablePointer(to: &method) {
      request(Method.id, UnsafeMutableRawPointer($0), reply, completion, milliseconds: milliseconds)
    }
  }

  /// The arguments are encoded once, to lie with the operation, and sent from there.
  @inline(never)
  private func request(
    _ id: amqp_method_number_t, _ method: UnsafeMutableRawPointer, _ reply: amqp_method_number_t,
    _ completion: EventOperation.Completion, milliseconds: Int32
  ) -> Status {
    let frameMax = connection.pointee.tuning.frameMax
    var count = 0
    guard MethodTable.size(id, method, octets: &count).isOK else { return .invalidParameter }
    guard count <= Int(frameMax) &- Frame.overhead &- Frame.methodHeaderSize else { return .tableTooBig }
    let operation = EventOperation(
      method: id, reply: reply, argumentCount: count, completion: completion,
      deadline: Deadline(milliseconds: milliseconds, from: Clock.now()))
    guard let position = channel.pointee.operations.append(operation, extraCount: count) else { return .noMemory }
    let arguments = UnsafeMutableRawBufferPointer(start: Chain<EventOperation>.extra(of: position), count: count)
    var encoder = Encoder(arguments)
    var status = MethodTable.encode(id, method, into: &encoder)
    let waiting = connection.pointee.queue.count
    if status.isOK {
      status = connection.pointee.queue.encode(
        id, arguments: UnsafeRawBufferPointer(arguments), channel: channel.pointee.number)
    }
    guard status.isOK else {
      channel.pointee.operations.remove(position)
      return status
    }
    if driver.isTraced { driver.traceSent(since: waiting) }
    driver.scheduleTurn()
    driver.wake(by: operation.deadline)
    return .ok
  }

  /// A method without a reply.
  @inline(__always)
  func send<Method: WireMethod>(_ method: inout Method) -> Status {
    let status = connection.pointee.queue.encode(
      &method, channel: channel.pointee.number, frameMax: connection.pointee.tuning.frameMax)
    if status.isOK { driver.scheduleTurn() }
    return status
  }

  /// The queue that an empty name means. What is declared and not answered yet the broker knows better.
  func resolved(_ queue: amqp_bytes_t) -> amqp_bytes_t {
    if queue.len != 0 { return queue }
    var next = channel.pointee.operations.first
    while let operation = next {
      if operation.pointee.record.method == amqp_queue_declare_t.id { return queue }
      next = operation.pointee.next
    }
    return channel.pointee.latestQueue
  }

  // MARK: Replies

  /// A reply, where one is awaited. Not ok: the broker's fault.
  func received(reply id: amqp_method_number_t, _ payload: UnsafeRawBufferPointer) -> Status {
    guard let position = awaited(id, payload) else { return .unexpectedState }
    let operation = position.pointee.record
    let isEmpty = id == amqp_basic_get_empty_t.id && operation.method == amqp_basic_get_t.id
    guard operation.reply == id || isEmpty else { return .unexpectedState }
    var decoder = Decoder(payload, pool: nil)
    var declared = amqp_queue_declare_ok_t()
    switch id {
    case amqp_channel_open_ok_t.id:
      _ = channel.pointee.state.receive(.openOk)
      channel.pointee.wasOpened = true
    case amqp_queue_declare_ok_t.id: declared.code(&decoder)
    case amqp_queue_delete_ok_t.id, amqp_queue_purge_ok_t.id: decoder.long(&declared.message_count)
    default: break
    }
    guard decoder.failure.isOK else { return decoder.failure }
    if id == amqp_queue_declare_ok_t.id, !channel.pointee.isInternal, !rememberQueue(declared.queue) {
      return .noMemory
    }
    if operation.isOfRecovery, id == amqp_basic_consume_ok_t.id { restarted(position) }
    var error: EventError?
    if !channel.pointee.isInternal, !operation.isOfRecovery, !operation.isExpired {
      let status = record(operation.method, EventOperation.arguments(of: position), declared.queue)
      if !status.isOK { error = EventError(status) }
    }
    // The name lies in the request, which lives until the callback has returned.
    if id != amqp_queue_declare_ok_t.id { declared.queue = requestedQueue(position) }
    channel.pointee.operations.detach(position)
    complete(operation.completion, error, declared)
    Chain<EventOperation>.release(position)
    if id == amqp_channel_close_ok_t.id { closed() }
    return .ok
  }

  /// The request that a reply is to: the oldest. Save that RabbitMQ leaves basic.consume and basic.cancel to the process of
  /// the queue: their replies may come behind those to later requests, and are known by their tags.
  func awaited(_ id: amqp_method_number_t, _ payload: UnsafeRawBufferPointer) -> Chain<EventOperation>.Position? {
    let isLoose = EventOperation.isLoose(id)
    var (tag, decoder) = (amqp_bytes_t.empty, Decoder(payload, pool: nil))
    if isLoose { decoder.shortstr(&tag) }
    var next = channel.pointee.operations.first
    while let position = next {
      let reply = position.pointee.record.reply
      if isLoose ? reply == id && consumerTag(position).equals(tag) : !EventOperation.isLoose(reply) { return position }
      next = position.pointee.next
    }
    return nil
  }

  private func consumerTag(_ position: Chain<EventOperation>.Position) -> amqp_bytes_t {
    var decoder = OutlineDecoder(EventOperation.arguments(of: position))
    if position.pointee.record.method == amqp_basic_cancel_t.id {
      var cancel = amqp_basic_cancel_t()
      cancel.code(&decoder)
      return cancel.consumer_tag
    }
    var consume = amqp_basic_consume_t()
    consume.code(&decoder)
    return consume.consumer_tag
  }

  /// A consumer that a recovery has brought back.
  private func restarted(_ position: Chain<EventOperation>.Position) {
    var (consume, decoder) = (amqp_basic_consume_t(), OutlineDecoder(EventOperation.arguments(of: position)))
    consume.code(&decoder)
    if let consumer = find(consume.consumer_tag) { started(consumer) }
  }

  private func requestedQueue(_ position: Chain<EventOperation>.Position) -> amqp_bytes_t {
    guard
      position.pointee.record.method == amqp_queue_delete_t.id
        || position.pointee.record.method == amqp_queue_purge_t.id
    else { return .empty }
    var decoder = Decoder(EventOperation.arguments(of: position), pool: nil)
    var ticket: UInt16 = 0
    var queue = amqp_bytes_t.empty
    decoder.short(&ticket)
    decoder.shortstr(&queue)
    return queue.len == 0 ? channel.pointee.latestQueue : queue
  }

  private func rememberQueue(_ name: amqp_bytes_t) -> Bool {
    guard let copy = name.duplicated() else { return false }
    channel.pointee.latestQueue.deallocate()
    channel.pointee.latestQueue = copy
    return true
  }

  private func complete(
    _ completion: EventOperation.Completion, _ error: EventError?, _ queue: amqp_queue_declare_ok_t
  ) {
    switch completion {
    case .done(let done, let context):
      guard let done else { return }
      EventError.with(error) { done(handle, $0, context) }
    case .queue(let done, let context):
      guard let done else { return }
      EventError.with(error) { done(handle, $0, queue.queue, queue.message_count, queue.consumer_count, context) }
    case .get(let done, let context):
      // basic.get-empty; a message comes as content.
      guard let done else { return }
      done(handle, nil, nil, context)
    case .consume(let consumer): started(consumer)
    case .cancel(let consumer): cancelled(consumer)
    case .recovery: RecoveryDriver(connection).replied(queue: queue.queue.len > 0 ? queue.queue : nil)
    case .close, .expired: break
    }
  }

  /// The one completion of a request that has no reply.
  func fail(_ completion: EventOperation.Completion, _ error: EventError) {
    switch completion {
    case .done(let done, let context):
      guard let done else { return }
      EventError.with(error) { done(handle, $0, context) }
    case .queue(let done, let context):
      guard let done else { return }
      EventError.with(error) { done(handle, $0, .empty, 0, 0, context) }
    case .get(let done, let context):
      guard let done else { return }
      EventError.with(error) { done(handle, $0, nil, context) }
    case .consume(let consumer):
      if !consumer.pointee.isStarted {
        end(consumer, consumer.pointee.state == .cancelling ? nil : error)
      } else if consumer.pointee.state == .consuming {
        // Resumed, and the broker does not know: a recovery will see to it.
        _ = remember(consumer)
      }
    case .cancel(let consumer): if consumer.pointee.state == .paused { forget(consumer) }
    case .close, .recovery, .expired: return
    }
  }

  /// The broker closed the channel and answers nothing more, save the close of ours that crossed its own.
  func failBeforeClose(_ error: EventError) {
    while let operation = channel.pointee.operations.first, operation.pointee.record.method != amqp_channel_close_t.id {
      let completion = operation.pointee.record.completion
      channel.pointee.operations.remove(operation)
      fail(completion, error)
    }
  }

  // MARK: Deadlines

  /// Completes what has waited too long; answers when to ask again.
  func checkDeadlines(at now: Instant) -> Deadline {
    var next = channel.pointee.operations.first
    var earliest = Deadline.never
    while let operation = next {
      // A callback can append, but only what stands before it could go; it is looked at from the start again.
      next = operation.pointee.next
      let deadline = operation.pointee.record.deadline
      if deadline.hasPassed(at: now) {
        expire(operation)
        next = channel.pointee.operations.first
      } else {
        earliest = min(earliest, deadline)
      }
    }
    if channel.pointee.confirms.nextDeadline.hasPassed(at: now) { settle(.time(now), EventError(.timeout)) }
    var drain = channel.pointee.drains.first
    while let position = drain {
      drain = position.pointee.next
      if position.pointee.record.deadline.hasPassed(at: now) {
        finish(position, EventError(.timeout))
        drain = channel.pointee.drains.first
      } else {
        earliest = min(earliest, position.pointee.record.deadline)
      }
    }
    return min(earliest, channel.pointee.confirms.nextDeadline)
  }

  private func expire(_ position: Chain<EventOperation>.Position) {
    let completion = position.pointee.record.completion
    position.pointee.record.completion = .expired
    position.pointee.record.deadline = .never
    switch completion {
    case .close:
      // The number stays the broker's until its close-ok comes.
      end(nil, pending: EventError(.cancelled))
    case .consume(let consumer) where !consumer.pointee.isStarted:
      // It may start yet; then it is to end at once.
      var cancel = amqp_basic_cancel_t(consumer_tag: consumer.pointee.method.consumer_tag, nowait: 1)
      _ = send(&cancel)
      end(consumer, EventError(.timeout))
    // It ends as the program wants it, answered or not.
    case .cancel(let consumer) where consumer.pointee.state == .cancelling: end(consumer, nil)
    case .recovery: driver.lost(.timeout, at: Clock.now())
    case .done, .queue, .get, .consume, .cancel, .expired: fail(completion, EventError(.timeout, canRetry: true))
    }
  }
}
