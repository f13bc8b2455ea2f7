// A channel of the event API, from its opening to its end.
//
// Whoever calls an operation gets an answer at once and a completion later, exactly once, from the loop. What completes is
// taken out of the channel first and told then, so that a program may do in the callback whatever it likes. It cannot take
// the channel's memory from under us: that goes in a later piece of the loop's work.
//
// Requests and replies: ChannelDriver+Requests. Messages out: +Publish, in: +Consume. What the wire says: +Receive. After a
// loss: RecoveryDriver.

import AMQPBase
import AMQPEngine
import AMQPWire
import CMemory
import CRabbitMQ

struct ChannelDriver {
  let channel: EventChannel.Handle

  @inline(__always)
  init(_ channel: EventChannel.Handle) { self.channel = channel }

  /// Of a pointer of the program's.
  @inline(__always)
  init?(_ pointer: OpaquePointer?) {
    guard let pointer else { return nil }
    channel = EventChannel.Handle(pointer)
  }

  var connection: EventConnection.Handle {
    @inline(__always) get { channel.pointee.connection }
  }
  var driver: EventDriver {
    @inline(__always) get { EventDriver(connection) }
  }
  var handle: OpaquePointer { OpaquePointer(channel) }

  /// `.ok`, or why an operation of the program's is refused.
  @inline(__always)
  var status: Status {
    if channel.pointee.isEnding { return .unexpectedState }
    let status = driver.operationStatus
    guard status.isOK else { return status }
    return channel.pointee.state.operationStatus.isOK ? .ok : .unexpectedState
  }

  /// Whether frames with its number come here.
  private var hasNumber: Bool { connection.pointee.channels[channel.pointee.number] == channel }

  /// False in the callbacks of a loss as well, for a channel that is told of it only later: what it sent now would be the
  /// first that the next connection sends.
  var isConnected: Bool { connection.pointee.isLoggedIn }

  // MARK: Opening

  static func open(
    on connection: EventConnection.Handle, done: amqp_event_done?, context: UnsafeMutableRawPointer?,
    channel: inout OpaquePointer?
  ) -> Status {
    var status = EventDriver(connection).operationStatus
    guard status.isOK else { return status }
    var opened: EventChannel.Handle?
    status = make(on: connection, .done(done, context), &opened)
    if status.isOK { channel = opened.map { OpaquePointer($0) } }
    return status
  }

  /// A new channel, for which channel.open is sent.
  static func make(
    on connection: EventConnection.Handle, _ completion: EventOperation.Completion, _ made: inout EventChannel.Handle?
  ) -> Status {
    guard let channel = EventChannel.make(for: connection) else { return .noMemory }
    let place = connection.pointee.channels.insert(channel, highest: connection.pointee.tuning.highestChannel)
    guard case .at(let number) = place else {
      EventChannel.destroy(channel)
      if case .full = place { return .full }
      return .noMemory
    }
    channel.pointee.number = number
    let status = ChannelDriver(channel).sendOpen(completion)
    guard status.isOK else {
      connection.pointee.channels.remove(number)
      EventChannel.destroy(channel)
      return status
    }
    made = channel
    return .ok
  }

  /// channel.open, for a new channel or one that a recovery builds again.
  func sendOpen(_ completion: EventOperation.Completion) -> Status {
    var open = amqp_channel_open_t(out_of_band: .empty)
    let status = request(&open, amqp_channel_open_ok_t.id, completion)
    if status.isOK { _ = channel.pointee.state.receive(.open) }
    return status
  }

  // MARK: Closing

  func close() -> Status {
    guard !channel.pointee.isEnding else { return .unexpectedState }
    switch channel.pointee.state.state {
    case .opening where isConnected, .open where isConnected:
      let status = sendClose(.close)
      guard status.isOK else { return status }
    case .closing, .closedByPeer: return .unexpectedState
    case .opening, .open, .closed: putOff()
    }
    channel.pointee.isEnding = true
    connection.pointee.plan.channelClosed(channel.pointee.number)
    return .ok
  }

  /// The replies to what was sent before come first.
  func sendClose(_ completion: EventOperation.Completion) -> Status {
    var close = amqp_channel_close_t()
    close.reply_code = UInt16(truncatingIfNeeded: AMQP_REPLY_SUCCESS)
    close.reply_text = amqp_bytes_t("Goodbye")
    let status = request(
      &close, amqp_channel_close_ok_t.id, completion, timeoutMilliseconds: connection.pointee.options.plain.closeTimeout
    )
    if status.isOK { _ = channel.pointee.state.receive(.close) }
    return status
  }

  /// NULL: none. A program built against an earlier header sets fewer.
  func setCallbacks(
    _ callbacks: UnsafePointer<amqp_event_channel_callbacks_t>?, _ context: UnsafeMutableRawPointer?
  ) -> Status {
    let size = MemoryLayout<amqp_event_channel_callbacks_t>.size
    guard callbacks.map({ $0.pointee.size >= size }) ?? true else { return .invalidParameter }
    channel.pointee.callbacks = callbacks?.pointee ?? amqp_event_channel_callbacks_t()
    channel.pointee.context = context
    return .ok
  }

  // MARK: The end

  /// The end of the channel for the program: everything completes with `pending`, then `on_closed` gets `error`.
  func end(_ error: EventError?, pending: EventError) {
    guard !channel.pointee.isEnded else { return }
    channel.pointee.isEnding = true
    connection.pointee.plan.channelClosed(channel.pointee.number)
    completeAll(pending)
    while let consumer = channel.pointee.firstConsumer {
      end(consumer, consumer.pointee.state == .cancelling ? nil : pending)
    }
    channel.pointee.isEnded = true
    if let closed = channel.pointee.callbacks.on_closed {
      EventError.with(error) { closed(handle, $0, channel.pointee.context) }
    }
  }

  /// close-ok has come.
  func closed() {
    _ = channel.pointee.state.receive(.closeOk)
    if channel.pointee.isInternal { return leave() }
    end(nil, pending: EventError(.cancelled))
    leave()
  }

  /// The number is free again, and the memory goes.
  func leave() {
    if connection.pointee.latestChannel == channel { connection.pointee.latestChannel = nil }
    if connection.pointee.recovery.topologyChannel == channel { connection.pointee.recovery.topologyChannel = nil }
    if hasNumber { connection.pointee.channels.remove(channel.pointee.number) }
    channel.pointee.isEnded = true
    channel.pointee.isEnding = true
    putOff()
  }

  /// Requests, publishes and drains, not the consumers.
  func completeAll(_ error: EventError) {
    channel.pointee.content.discard()
    while let operation = channel.pointee.operations.first {
      let completion = operation.pointee.record.completion
      channel.pointee.operations.remove(operation)
      fail(completion, error)
    }
    settle(error.status == .cancelled ? .cancelled : .lost, error)
    while let drain = channel.pointee.drains.first { finish(drain, error) }
  }

  /// The connection is gone. `isKept`: a recovery brings the channel back.
  func connectionLost(_ error: EventError, isKept: Bool) {
    _ = channel.pointee.state.receive(.connectionLost)
    channel.pointee.tags.lost()
    completeAll(error)
    if channel.pointee.isInternal || channel.pointee.isEnded { return leave() }
    let wasClosing = channel.pointee.isEnding
    // A recovery knows nothing of one whose opening was never answered.
    if wasClosing || !isKept || !channel.pointee.wasOpened {
      end(wasClosing ? nil : error, pending: error)
      return leave()
    }
    // Asked for, so that what is published from then on is confirmed, answered or not.
    if channel.pointee.isConfirming { connection.pointee.plan.modeSelected(channel.pointee.number, .confirm) }
    var next = channel.pointee.firstConsumer
    while let consumer = next {
      next = consumer.pointee.next
      if consumer.pointee.state == .cancelling { end(consumer, nil) }
    }
  }

  // MARK: Put off

  /// What a call of the program's has settled is told from the loop.
  func putOff() {
    if channel.pointee.isDeferred { return }
    channel.pointee.isDeferred = true
    driver.putOff(UnsafeMutableRawPointer(channel).assumingMemoryBound(to: Deferred.self))
  }

  static func runDeferred(_ channel: EventChannel.Handle) {
    channel.pointee.isDeferred = false
    let driver = ChannelDriver(channel)
    if channel.pointee.isEnded {
      // Else the number is still the broker's, and the channel stays for what comes.
      if !driver.hasNumber { EventChannel.destroy(channel) }
      return
    }
    driver.checkDrains()
    // Closed by the program while there was no connection.
    if channel.pointee.isEnding, channel.pointee.state.state == .closed {
      driver.end(nil, pending: EventError(.cancelled))
      driver.leave()
    }
  }
}
