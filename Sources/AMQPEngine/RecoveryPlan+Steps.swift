// The way back, one step at a time: `begin`, then in turn `next` and the reply to that step. A loss at any point: `begin`
// once more on the next connection.
//
//   exchanges ──> queues ──> bindings ──> channels ──> consumers ──> prefetch ──> done
//       ^          on the topology channel                              │
//       └──────────────────────────── waiting <── a queue was deferred ─┘
//
// Exchanges, queues and bindings go over a channel that no program sees: a refusal closes a channel, and so it is none of
// the program's. The consumers follow on their own channels, each behind the prefetch limit that held when it was started.
//
// A queue may be refused for a while: exclusive ones are held by the dead connection until the broker too finds it dead
// (405), and a classic queue is away with its node (404). Nothing waits for it: it is deferred with what depends on it, the
// rest goes on, and a later round asks again. What is refused otherwise is given up for this connection. A consumer that is
// refused is cancelled, and its channel, which the broker closed over it, is built again.

public import AMQPBase
public import CRabbitMQ

extension RecoveryPlan {
  /// Names and arguments in a step are borrowed until the reply to it is given.
  public enum Step {
    /// Any number will do that is not in use on this connection; in the first round none is.
    case openTopologyChannel
    case closeTopologyChannel
    case declareExchange(RecordedExchange)
    case declareQueue(RecordedQueue)
    case bind(RecordedBinding)
    case openChannel(UInt16)
    case limitPrefetch(UInt16, Prefetch, global: Bool)
    case selectConfirms(UInt16)
    case selectTransactions(UInt16)
    case consume(RecordedConsumer)
    /// Nothing to send: tell the program that its consumer is cancelled.
    case abandonConsumer(RecordedConsumer)
    /// All but some queues is there, and the connection is ready for use. Ask again then.
    case wait(until: Deadline)
    case done
  }

  public enum Reply: Equatable {
    case succeeded
    /// declare-ok; the name is copied.
    case queueDeclared(name: amqp_bytes_t)
    /// channel.close with this reply code instead. The channel of the step is gone. One of the program's is opened again
    /// by the steps that follow, or lost; either way, what was outstanding on it is lost.
    case refused(replyCode: UInt16)
    /// No number is free for the topology channel.
    case noChannelFree

    public static func == (left: Reply, right: Reply) -> Bool {
      switch (left, right) {
      case (.succeeded, .succeeded), (.noChannelFree, .noChannelFree): true
      case (.queueDeclared(let one), .queueDeclared(let other)): one.hasSameBytes(as: other)
      case (.refused(let one), .refused(let other)): one == other
      case (.succeeded, _), (.queueDeclared, _), (.refused, _), (.noChannelFree, _): false
      }
    }
  }

  public enum Outcome: Equatable, Sendable {
    case proceed
    /// The queue has another name than before.
    case renamed
    /// Refused, and asked for again later.
    case deferred
    /// Refused, and left out on this connection: worth a report. A consumer's `abandonConsumer` follows.
    case givenUp
    /// The channel could not be built again and is forgotten: tell the program that it is closed.
    case channelLost(UInt16)
  }

  enum Stage: Equatable, Sendable {
    case exchanges, queues, bindings, topologyEnd, channels, consumers, prefetch, waiting, done
  }

  struct Way: Sendable {
    let retryNanoseconds: UInt64
    let patienceNanoseconds: UInt64
    var stage = Stage.done
    var topologyChannelIsOpen = false
    var nextRound = Deadline.never
    /// The channel that the last step went to, for the replies to what the program forgot meanwhile.
    var channel: UInt16 = 0
    /// The limit for consumers in the last step, if it was one.
    var limit: Prefetch?
  }

  /// On a new connection.
  public mutating func begin() {
    exchanges.restart()
    queues.restart()
    queues.forEach { $0.firstRefused = nil }
    bindings.restart()
    channels.restart()
    channels.forEach { $0.forgetConnection() }
    consumers.restart()
    consumers.forEach { $0.isRefused = false }
    way.topologyChannelIsOpen = false
    way.stage = .exchanges
  }

  /// The name, until now, of the queue whose declare-ok is awaited; nil where the program has given it up meanwhile.
  public var awaitedQueue: amqp_bytes_t? { queues.current?.pointee.record.name }

  /// The step to take now: after `begin`, and after each reply. Asking twice is harmless.
  public mutating func next(at now: Instant) -> Step {
    while true {
      if let step = stepOfStage(at: now) { return step }
    }
  }

  /// Nil when the stage is over or a record was passed over: look again.
  private mutating func stepOfStage(at now: Instant) -> Step? {
    switch way.stage {
    case .exchanges:
      guard let exchange = exchanges.seek() else { return enter(.queues) }
      return overTopologyChannel(.declareExchange(exchange.pointee.record))
    case .queues:
      guard let queue = queues.seek() else { return enter(.bindings) }
      return overTopologyChannel(.declareQueue(queue.pointee.record))
    case .bindings:
      guard let binding = bindings.seek() else { return enter(.topologyEnd) }
      return step(for: binding.pointee.record)
    case .topologyEnd:
      return way.topologyChannelIsOpen ? .closeTopologyChannel : enter(.channels)
    case .channels:
      guard let channel = channels.seek() else { return enter(.consumers) }
      return step(for: channel)
    case .consumers:
      guard let consumer = consumers.seek() else { return enter(.prefetch) }
      return step(for: consumer.pointee.record)
    case .prefetch:
      let channel = channels.firstWhere {
        $0.progress == .restored && $0.restoredConsumerPrefetch != $0.consumerPrefetch
      }
      guard let channel else { return endRound(at: now) }
      return limit(channel.pointee.record.number, to: channel.pointee.record.consumerPrefetch)
    case .waiting:
      guard way.nextRound.hasPassed(at: now) else { return .wait(until: way.nextRound) }
      return beginRound()
    case .done:
      return .done
    }
  }

  public mutating func receive(_ reply: Reply, at now: Instant) -> Outcome {
    let limited = way.limit
    way.limit = nil
    switch reply {
    case .succeeded: return succeeded(name: nil, limited)
    case .queueDeclared(let name): return succeeded(name: name, limited)
    case .refused(let replyCode): return refused(replyCode, limited, at: now)
    case .noChannelFree: return giveUpTopology()
    }
  }
}

// MARK: - Steps

extension RecoveryPlan {
  private mutating func enter(_ stage: Stage) -> Step? {
    way.stage = stage
    return nil
  }

  private func overTopologyChannel(_ step: Step) -> Step { way.topologyChannelIsOpen ? step : .openTopologyChannel }

  private mutating func limit(_ channel: UInt16, to prefetch: Prefetch) -> Step {
    way.channel = channel
    way.limit = prefetch
    return .limitPrefetch(channel, prefetch, global: false)
  }

  private mutating func step(for binding: RecordedBinding) -> Step? {
    switch binding.queue?.pointee.record.progress {
    case nil, .restored:
      return overTopologyChannel(.bind(binding))
    case .pending, .deferred:
      bindings.pass()
      return nil
    case .givenUp:
      bindings.pass(.givenUp)
      return nil
    }
  }

  private mutating func step(for channel: Chain<RecordedChannel>.Position) -> Step? {
    let record = channel.pointee.record
    way.channel = record.number
    switch record.part {
    case .nothing:
      return .openChannel(record.number)
    case .opened:
      if record.channelPrefetch != Prefetch() {
        return .limitPrefetch(record.number, record.channelPrefetch, global: true)
      }
      channel.pointee.record.part = .limited
      return nil
    case .limited:
      switch record.mode {
      case .confirm: return .selectConfirms(record.number)
      case .transactional: return .selectTransactions(record.number)
      case .plain:
        channels.pass(.restored)
        return nil
      }
    }
  }

  private mutating func step(for consumer: RecordedConsumer) -> Step? {
    if isAbandoned(consumer) { return .abandonConsumer(consumer) }
    let channel = channel(consumer.channel)?.pointee.record
    let queue = consumer.queue?.pointee.record
    guard let channel, channel.progress == .restored, queue == nil || queue?.progress == .restored else {
      consumers.pass()
      return nil
    }
    if channel.restoredConsumerPrefetch != consumer.prefetch { return limit(consumer.channel, to: consumer.prefetch) }
    way.channel = consumer.channel
    return .consume(consumer)
  }

  private func isAbandoned(_ consumer: RecordedConsumer) -> Bool {
    consumer.isRefused || consumer.queue?.pointee.record.progress == .givenUp
  }

  // MARK: Rounds

  private mutating func endRound(at now: Instant) -> Step? {
    guard queues.firstWhere({ $0.progress == .deferred }) != nil else { return enter(.done) }
    way.nextRound = Deadline(now.adding(nanoseconds: way.retryNanoseconds))
    return enter(.waiting)
  }

  private mutating func beginRound() -> Step? {
    queues.forEach { if $0.progress == .deferred { $0.progress = .pending } }
    exchanges.rewind()
    queues.rewind()
    bindings.rewind()
    channels.rewind()
    consumers.rewind()
    return enter(.exchanges)
  }
}

// MARK: - Replies

extension RecoveryPlan {
  private mutating func succeeded(name: amqp_bytes_t?, _ limited: Prefetch?) -> Outcome {
    switch way.stage {
    case .exchanges, .queues, .bindings:
      guard way.topologyChannelIsOpen else {
        way.topologyChannelIsOpen = true
        return .proceed
      }
      var isRenamed = false
      if let name { isRenamed = renameQueue(name) }
      passTopology(.restored)
      return isRenamed ? .renamed : .proceed
    case .topologyEnd:
      way.topologyChannelIsOpen = false
    case .channels:
      if let channel = channels.current, channel.pointee.record.advance() { channels.pass(.restored) }
    case .consumers, .prefetch:
      if let limited {
        channel(way.channel)?.pointee.record.restoredConsumerPrefetch = limited
      } else if let consumer = consumers.current {
        if isAbandoned(consumer.pointee.record) { consumers.remove(consumer) } else { consumers.pass(.restored) }
      }
    case .waiting, .done:
      break
    }
    return .proceed
  }

  private mutating func passTopology(_ progress: RecoveryProgress) {
    exchanges.pass(progress)
    queues.pass(progress)
    bindings.pass(progress)
  }

  private mutating func renameQueue(_ name: amqp_bytes_t) -> Bool {
    guard let queue = queues.current, queue.pointee.record.isNamedByServer else { return false }
    return queue.pointee.record.rename(name)
  }

  private mutating func refused(_ replyCode: UInt16, _ limited: Prefetch?, at now: Instant) -> Outcome {
    switch way.stage {
    case .exchanges, .queues, .bindings:
      // Refused to open a channel: nothing to build with.
      guard way.topologyChannelIsOpen else { return giveUpTopology() }
      way.topologyChannelIsOpen = false
      return refusedTopology(replyCode, at: now)
    case .topologyEnd:
      way.topologyChannelIsOpen = false
      return .proceed
    case .consumers where limited == nil:
      // Without this consumer the channel can be built again, with all others that were on it.
      consumers.current?.pointee.record.isRefused = true
      rebuild(way.channel)
      return .givenUp
    case .channels, .consumers, .prefetch:
      channelClosed(way.channel)
      return .channelLost(way.channel)
    case .waiting, .done:
      return .proceed
    }
  }

  private mutating func refusedTopology(_ replyCode: UInt16, at now: Instant) -> Outcome {
    if let queue = queues.current,
      queue.pointee.record.mayComeBack(after: replyCode, at: now, way.patienceNanoseconds)
    {
      queues.pass(.deferred)
      return .deferred
    }
    // What the program gave up meanwhile is no news to it.
    let isForgotten = exchanges.current == nil && queues.current == nil && bindings.current == nil
    passTopology(.givenUp)
    return isForgotten ? .proceed : .givenUp
  }

  private mutating func rebuild(_ number: UInt16) {
    guard let channel = channel(number) else { return }
    channel.pointee.record.progress = .pending
    channel.pointee.record.forgetConnection()
    consumers.forEach { if $0.channel == number, $0.progress == .restored { $0.progress = .pending } }
    channels.rewind()
    consumers.rewind()
    way.stage = .channels
  }

  private mutating func giveUpTopology() -> Outcome {
    way.topologyChannelIsOpen = false
    exchanges.giveUp()
    queues.giveUp()
    bindings.giveUp()
    way.stage = .channels
    return .givenUp
  }
}

extension RecoveryList {
  fileprivate mutating func giveUp() {
    rewind()
    forEach { if $0.progress != .restored { $0.progress = .givenUp } }
  }
}

extension RecordedChannel {
  fileprivate mutating func forgetConnection() {
    part = .nothing
    restoredConsumerPrefetch = RecoveryPlan.Prefetch()
  }

  /// The step before succeeded; whether it was the last one.
  fileprivate mutating func advance() -> Bool {
    switch part {
    case .nothing: part = .opened
    case .opened: part = .limited
    case .limited: return true
    }
    return false
  }
}

extension RecordedQueue {
  /// Whether a refusal is one that passes, and has not lasted too long.
  fileprivate mutating func mayComeBack(
    after replyCode: UInt16, at now: Instant, _ patienceNanoseconds: UInt64
  ) -> Bool {
    switch Int32(replyCode) {
    case AMQP_RESOURCE_LOCKED, AMQP_NOT_FOUND:
      let first = firstRefused ?? now
      firstRefused = first
      return now.nanoseconds(since: first) < patienceNanoseconds
    default: return false
    }
  }
}
