// The way back after a loss: the engine's RecoveryPlan names a step, this sends it, and its reply leads to the next one.
//
// Exchanges, queues and bindings go over a channel that no program sees, consumers over their own.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ

/// What a recovery under way has to know besides the plan.
struct EventRecovery: ~Copyable {
  var topologyChannel: EventChannel.Handle?
  /// Whether the program was told that the connection is usable again.
  var isTold = true
  /// When a queue that was refused for a while is asked for again.
  var nextRound = Deadline.never
  /// The first thing that was refused for good; its text is memory of its own.
  var refusal: EventError?

  init() {}

  deinit { refusal?.replyText.deallocate() }

  mutating func note(_ error: EventError) {
    guard refusal == nil else { return }
    refusal = error
    refusal?.replyText = error.replyText.duplicated() ?? .empty
  }

  mutating func reset() {
    refusal?.replyText.deallocate()
    refusal = nil
    topologyChannel = nil
    isTold = true
    nextRound = .never
  }
}

struct RecoveryDriver {
  let connection: EventConnection.Handle

  init(_ connection: EventConnection.Handle) { self.connection = connection }

  private var driver: EventDriver { EventDriver(connection) }

  func begin() {
    guard connection.pointee.options.plain.recovery == AMQP_EVENT_RECOVERY_TOPOLOGY else {
      return driver.topologyRecovered(nil)
    }
    connection.pointee.recovery.reset()
    connection.pointee.recovery.isTold = false
    connection.pointee.plan.begin()
    advance()
  }

  // MARK: Replies

  /// `name`: what the broker called a queue, if it was one.
  func replied(queue name: amqp_bytes_t?) {
    if let name {
      if let old = connection.pointee.plan.awaitedQueue { rename(old, to: name) }
      _ = connection.pointee.plan.receive(.queueDeclared(name: name), at: Clock.now())
    } else {
      _ = connection.pointee.plan.receive(.succeeded, at: Clock.now())
    }
    advance()
  }

  /// channel.close of the broker over a step. The channel is answered and gone on the wire.
  func refused(_ error: EventError, on channel: ChannelDriver) {
    if channel.channel.pointee.isInternal {
      connection.pointee.recovery.topologyChannel = nil
      channel.completeAll(error)
      channel.leave()
    } else {
      channel.channel.pointee.tags.lost()
      channel.completeAll(error)
    }
    switch connection.pointee.plan.receive(.refused(replyCode: error.replyCode), at: Clock.now()) {
    case .proceed, .renamed, .deferred: break
    case .givenUp: connection.pointee.recovery.note(error)
    case .channelLost(let number):
      connection.pointee.recovery.note(error)
      if let lost = connection.pointee.channels[number] {
        ChannelDriver(lost).end(error, pending: error)
        ChannelDriver(lost).leave()
      }
    }
    advance()
  }

  /// A queue that the broker names has another name than before. The plan follows by itself.
  private func rename(_ old: amqp_bytes_t, to new: amqp_bytes_t) {
    if old.equals(new) { return }
    driver.forEachChannel { channel in
      replace(&channel.pointee.latestQueue, old, new)
      var next = channel.pointee.firstConsumer
      while let consumer = next {
        replace(&consumer.pointee.method.queue, old, new)
        next = consumer.pointee.next
      }
    }
  }

  /// Without memory for the new name the old one stays, which the broker will not know.
  private func replace(_ name: inout amqp_bytes_t, _ old: amqp_bytes_t, _ new: amqp_bytes_t) {
    guard name.len > 0, name.equals(old), let copy = new.duplicated() else { return }
    name.deallocate()
    name = copy
  }

  // MARK: Rounds

  /// The time of the next round may have come; answers when to ask again.
  func checkRound(at now: Instant) -> Deadline {
    if connection.pointee.recovery.nextRound.hasPassed(at: now) {
      connection.pointee.recovery.nextRound = .never
      advance()
    }
    return connection.pointee.recovery.nextRound
  }

  private func finish() {
    guard !connection.pointee.recovery.isTold else { return }
    connection.pointee.recovery.isTold = true
    driver.topologyRecovered(connection.pointee.recovery.refusal)
  }

  // MARK: Steps

  private enum Progress {
    /// A reply will come.
    case sent(Status)
    /// There was nothing to send.
    case over(RecoveryPlan.Reply)
    /// All is there, for now.
    case complete
  }

  private func advance() {
    while connection.pointee.isLoggedIn, driver.state == .recovering || driver.state == .ready {
      switch take(connection.pointee.plan.next(at: Clock.now())) {
      case .sent(let status):
        if !status.isOK { driver.lost(status, at: Clock.now()) }
        return
      case .over(let reply): _ = connection.pointee.plan.receive(reply, at: Clock.now())
      case .complete: return finish()
      }
    }
  }

  private func take(_ step: RecoveryPlan.Step) -> Progress {
    switch step {
    case .openTopologyChannel: return openTopologyChannel()
    case .closeTopologyChannel: return onTopologyChannel { $0.sendClose(.recovery) }
    case .declareExchange(let record):
      var declare = record.method
      return withTable(record.arguments) { table in
        declare.arguments = table
        return onTopologyChannel { $0.request(&declare, amqp_exchange_declare_ok_t.id, .recovery) }
      }
    case .declareQueue(let record):
      var declare = record.method
      return withTable(record.arguments) { table in
        declare.arguments = table
        return onTopologyChannel { $0.request(&declare, amqp_queue_declare_ok_t.id, .recovery) }
      }
    case .bind(let record): return withTable(record.arguments) { bind(record, $0) }
    case .openChannel(let number): return on(number) { $0.sendOpen(.recovery) }
    case .limitPrefetch(let number, let prefetch, let global):
      var qos = amqp_basic_qos_t(
        prefetch_size: prefetch.size, prefetch_count: prefetch.count, global: global ? 1 : 0)
      return on(number) { $0.request(&qos, amqp_basic_qos_ok_t.id, .recovery) }
    case .selectConfirms(let number):
      var select = amqp_confirm_select_t(nowait: 0)
      return on(number) { $0.request(&select, amqp_confirm_select_ok_t.id, .recovery) }
    case .selectTransactions(let number):
      var select = amqp_tx_select_t(dummy: 0)
      return on(number) { $0.request(&select, amqp_tx_select_ok_t.id, .recovery) }
    case .consume(let record): return consume(record)
    case .abandonConsumer(let record):
      if let channel = connection.pointee.channels[record.channel],
        let consumer = ChannelDriver(channel).find(record.method.consumer_tag)
      {
        ChannelDriver(channel).end(consumer, connection.pointee.recovery.refusal ?? EventError(.refused))
      }
      return .over(.succeeded)
    case .wait(let deadline):
      connection.pointee.recovery.nextRound = deadline
      driver.wake(by: deadline)
      return .complete
    case .done: return .complete
    }
  }

  private func openTopologyChannel() -> Progress {
    var made: EventChannel.Handle?
    let status = ChannelDriver.make(on: connection, .recovery, &made)
    if status == .full { return .over(.noChannelFree) }
    made?.pointee.isInternal = true
    connection.pointee.recovery.topologyChannel = made
    return .sent(status)
  }

  private func bind(_ record: RecordedBinding, _ table: amqp_table_t) -> Progress {
    if record.isOfQueue {
      var bind = amqp_queue_bind_t(
        ticket: 0, queue: record.destination, exchange: record.source, routing_key: record.routingKey, nowait: 0,
        arguments: table)
      return onTopologyChannel { $0.request(&bind, amqp_queue_bind_ok_t.id, .recovery) }
    }
    var bind = amqp_exchange_bind_t(
      ticket: 0, destination: record.destination, source: record.source, routing_key: record.routingKey, nowait: 0,
      arguments: table)
    return onTopologyChannel { $0.request(&bind, amqp_exchange_bind_ok_t.id, .recovery) }
  }

  private func consume(_ record: RecordedConsumer) -> Progress {
    guard let channel = connection.pointee.channels[record.channel],
      let consumer = ChannelDriver(channel).find(record.method.consumer_tag)
    else { return .over(.succeeded) }
    return .sent(ChannelDriver(channel).sendConsume(consumer, .recovery))
  }

  private func on(_ number: UInt16, _ send: (ChannelDriver) -> Status) -> Progress {
    guard let channel = connection.pointee.channels[number] else { return .sent(.unexpectedState) }
    return .sent(send(ChannelDriver(channel)))
  }

  private func onTopologyChannel(_ send: (ChannelDriver) -> Status) -> Progress {
    guard let channel = connection.pointee.recovery.topologyChannel else { return .sent(.unexpectedState) }
    return .sent(send(ChannelDriver(channel)))
  }

  private func withTable(_ encoded: amqp_bytes_t, _ body: (amqp_table_t) -> Progress) -> Progress {
    FieldTable.withDecoded(encoded) { status, table in status.isOK ? body(table) : .sent(status) }
  }
}

extension FieldTable {
  /// Decodes a table for as long as `body` runs; no octets are an empty one.
  static func withDecoded<Result>(_ encoded: amqp_bytes_t, _ body: (Status, amqp_table_t) -> Result) -> Result {
    var (pool, table, offset) = (amqp_pool_t(), amqp_table_t(num_entries: 0, entries: nil), 0)
    if encoded.len == 0 { return body(.ok, table) }
    return withUnsafeMutablePointer(to: &pool) { pool in
      pool.initialize(pageSize: 512)
      defer { pool.empty() }
      let status = decode(encoded.buffer, offset: &offset, pool: pool, into: &table)
      return body(status, table)
    }
  }
}
