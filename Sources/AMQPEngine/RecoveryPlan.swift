// What a program has built through the event API, in order, and the way to build it again on a new connection.
//
// This file is the memory: the driver reports each success, and each end. RecoveryPlan+Steps.swift is the way.
//
// Forgotten is what the program deletes, unbinds, cancels or closes, and what goes with it: the bindings and consumers of a
// queue, the bindings of an exchange, the consumers of a channel; an auto-delete queue with the last of its consumers and an
// auto-delete exchange with the last of its bindings, as far as they are recorded. What others do to the broker is not
// known here: a queue that another client deleted is declared again, and one that lives on because another client consumes
// from it is not.
//
// A queue named by the broker gets a new name, which its bindings and consumers follow at once, since they point to it. Room
// for the longest name is kept with it: a new name needs no memory.

public import AMQPBase
public import CRabbitMQ

public struct RecoveryPlan: ~Copyable {
  /// What basic.qos limits.
  public struct Prefetch: Equatable, Sendable, BitwiseCopyable {
    /// Octets; 0 = no limit, here and in the count.
    public var size: UInt32
    public var count: UInt16

    public init(size: UInt32 = 0, count: UInt16 = 0) {
      self.size = size
      self.count = count
    }
  }

  public enum ChannelMode: Equatable, Sendable, BitwiseCopyable { case plain, confirm, transactional }

  var exchanges = RecoveryList<RecordedExchange>()
  var queues = RecoveryList<RecordedQueue>()
  var bindings = RecoveryList<RecordedBinding>()
  var channels = RecoveryList<RecordedChannel>()
  var consumers = RecoveryList<RecordedConsumer>()

  var way: Way

  /// A queue that is held by a connection not yet known to be dead, or whose node is down, is asked for again every
  /// `retryNanoseconds`, for at most `patienceNanoseconds` in all.
  public init(retryNanoseconds: UInt64, patienceNanoseconds: UInt64) {
    way = Way(retryNanoseconds: retryNanoseconds, patienceNanoseconds: patienceNanoseconds)
  }

  // MARK: Channels

  public mutating func channelOpened(_ number: UInt16) -> Status {
    if channel(number) != nil { return .ok }
    let channel = RecordedChannel(
      number: number, mode: .plain, channelPrefetch: Prefetch(), consumerPrefetch: Prefetch(),
      restoredConsumerPrefetch: Prefetch(), part: .nothing, progress: .restored)
    return channels.append(channel) == nil ? .noMemory : .ok
  }

  /// The program closed it, or the broker did and the program was told so.
  public mutating func channelClosed(_ number: UInt16) {
    guard let channel = channel(number) else { return }
    while let consumer = consumers.firstWhere({ $0.channel == number }) { forget(consumer) }
    channels.remove(channel)
  }

  public mutating func prefetchLimited(_ number: UInt16, to prefetch: Prefetch, global: Bool) {
    guard let channel = channel(number) else { return }
    if global {
      channel.pointee.record.channelPrefetch = prefetch
    } else {
      channel.pointee.record.consumerPrefetch = prefetch
      channel.pointee.record.restoredConsumerPrefetch = prefetch
    }
  }

  /// confirm.select or tx.select.
  public mutating func modeSelected(_ number: UInt16, _ mode: ChannelMode) {
    channel(number)?.pointee.record.mode = mode
  }

  // MARK: Exchanges

  /// `arguments`: the encoded field table of the method. Copied, as are the names. A passive declaration makes nothing.
  public mutating func exchangeDeclared(_ method: amqp_exchange_declare_t, arguments: amqp_bytes_t) -> Status {
    if method.passive != 0 { return .ok }
    var method = method
    method.arguments = amqp_table_t(num_entries: 0, entries: nil)
    guard let size = Copy.size(method.exchange, method.type, arguments: arguments) else { return .invalidParameter }
    let record = RecordedExchange(method: method, arguments: .empty, isUnused: false, progress: .restored)
    guard let link = exchanges.append(record, extraCount: size) else { return .noMemory }
    var copy = Copy(to: Chain.extra(of: link))
    link.pointee.record.method.exchange = copy.add(method.exchange)
    link.pointee.record.method.type = copy.add(method.type)
    link.pointee.record.arguments = copy.add(arguments)
    // Declared once more: the older record has had its use.
    if let older = exchange(method.exchange), older != link { exchanges.remove(older) }
    return .ok
  }

  public mutating func exchangeDeleted(_ name: amqp_bytes_t) {
    forgetBindings(ofExchange: name)
    if let exchange = exchange(name) { exchanges.remove(exchange) }
    forgetUnusedExchanges()
  }

  // MARK: Queues

  /// `name`: what declare-ok said.
  public mutating func queueDeclared(
    _ method: amqp_queue_declare_t, arguments: amqp_bytes_t, name: amqp_bytes_t
  ) -> Status {
    if method.passive != 0 { return .ok }
    var method = method
    method.arguments = amqp_table_t(num_entries: 0, entries: nil)
    guard let size = Copy.size(name, arguments: arguments) else { return .invalidParameter }
    let spare = method.queue.len == 0 ? RecordedQueue.longestName &- name.len : 0
    let record = RecordedQueue(
      method: method, arguments: .empty, name: .empty, firstRefused: nil, progress: .restored)
    let older = queue(name)
    guard let link = queues.append(record, extraCount: size &+ spare) else { return .noMemory }
    var copy = Copy(to: Chain.extra(of: link))
    link.pointee.record.arguments = copy.add(arguments)
    link.pointee.record.name = copy.add(name)
    if method.queue.len != 0 { link.pointee.record.method.queue = link.pointee.record.name }
    adopt(link, instead: older)
    if let older { queues.remove(older) }
    return .ok
  }

  public mutating func queueDeleted(_ name: amqp_bytes_t) {
    while let consumer = consumers.firstWhere({ $0.method.queue.hasSameBytes(as: name) }) { consumers.remove(consumer) }
    while let binding = bindings.firstWhere({ $0.isOfQueue && $0.destination.hasSameBytes(as: name) }) {
      forget(binding)
    }
    // Last, for `name` may be its own.
    if let queue = queue(name) { queues.remove(queue) }
    forgetUnusedExchanges()
  }

  // MARK: Bindings

  public mutating func queueBound(_ method: amqp_queue_bind_t, arguments: amqp_bytes_t) -> Status {
    bound(
      RecordedBinding(
        isOfQueue: true, source: method.exchange, routingKey: method.routing_key, arguments: arguments,
        ownDestination: method.queue, queue: queue(method.queue), progress: .restored))
  }

  public mutating func exchangeBound(_ method: amqp_exchange_bind_t, arguments: amqp_bytes_t) -> Status {
    bound(
      RecordedBinding(
        isOfQueue: false, source: method.source, routingKey: method.routing_key, arguments: arguments,
        ownDestination: method.destination, queue: nil, progress: .restored))
  }

  public mutating func queueUnbound(_ method: amqp_queue_unbind_t, arguments: amqp_bytes_t) {
    unbound(
      RecordedBinding(
        isOfQueue: true, source: method.exchange, routingKey: method.routing_key, arguments: arguments,
        ownDestination: method.queue, queue: nil, progress: .restored))
  }

  public mutating func exchangeUnbound(_ method: amqp_exchange_unbind_t, arguments: amqp_bytes_t) {
    unbound(
      RecordedBinding(
        isOfQueue: false, source: method.source, routingKey: method.routing_key, arguments: arguments,
        ownDestination: method.destination, queue: nil, progress: .restored))
  }

  // MARK: Consumers

  /// `tag`: what consume-ok said; the consumer keeps it over a recovery. Started once more it takes the place of the older
  /// record: a broker takes no tag twice.
  public mutating func consumerStarted(
    _ method: amqp_basic_consume_t, on number: UInt16, arguments: amqp_bytes_t, tag: amqp_bytes_t
  ) -> Status {
    guard let channel = channel(number) else { return .invalidParameter }
    var method = method
    method.arguments = amqp_table_t(num_entries: 0, entries: nil)
    guard let size = Copy.size(method.queue, tag, arguments: arguments) else { return .invalidParameter }
    let record = RecordedConsumer(
      channel: number, arguments: .empty, ownMethod: method, queue: queue(method.queue),
      prefetch: channel.pointee.record.consumerPrefetch, isRefused: false, progress: .restored)
    let older = consumer(tag, on: number)
    guard let link = consumers.append(record, extraCount: size) else { return .noMemory }
    var copy = Copy(to: Chain.extra(of: link))
    link.pointee.record.ownMethod.queue = copy.add(method.queue)
    link.pointee.record.ownMethod.consumer_tag = copy.add(tag)
    link.pointee.record.arguments = copy.add(arguments)
    if let older { consumers.remove(older) }
    return .ok
  }

  /// The program cancelled it, or the broker did.
  public mutating func consumerCancelled(_ tag: amqp_bytes_t, on number: UInt16) {
    if let consumer = consumer(tag, on: number) { forget(consumer) }
  }
}

// MARK: - Finding and forgetting

extension RecoveryPlan {
  // Linear: a comparison of names costs nothing beside the round trip that led here.

  func channel(_ number: UInt16) -> Chain<RecordedChannel>.Position? { channels.firstWhere { $0.number == number } }

  private func exchange(_ name: amqp_bytes_t) -> Chain<RecordedExchange>.Position? {
    exchanges.firstWhere { $0.method.exchange.hasSameBytes(as: name) }
  }

  private func queue(_ name: amqp_bytes_t) -> Chain<RecordedQueue>.Position? {
    queues.firstWhere { $0.name.hasSameBytes(as: name) }
  }

  private func consumer(_ tag: amqp_bytes_t, on number: UInt16) -> Chain<RecordedConsumer>.Position? {
    consumers.firstWhere { $0.channel == number && $0.ownMethod.consumer_tag.hasSameBytes(as: tag) }
  }

  private func binding(_ wanted: RecordedBinding) -> Chain<RecordedBinding>.Position? {
    bindings.firstWhere { $0.isSame(as: wanted) }
  }

  /// Hands over the bindings and consumers of an older declaration, or those that were there before any.
  private mutating func adopt(_ queue: Chain<RecordedQueue>.Position, instead older: Chain<RecordedQueue>.Position?) {
    let name = queue.pointee.record.name
    bindings.forEach { binding in
      if binding.isOfQueue, binding.queue == older, binding.destination.hasSameBytes(as: name) { binding.queue = queue }
    }
    consumers.forEach { consumer in
      if consumer.queue == older, consumer.method.queue.hasSameBytes(as: name) { consumer.queue = queue }
    }
  }

  private mutating func bound(_ wanted: RecordedBinding) -> Status {
    if let known = binding(wanted) {
      known.pointee.record.progress = .restored
      return .ok
    }
    guard let size = Copy.size(wanted.source, wanted.ownDestination, wanted.routingKey, arguments: wanted.arguments)
    else { return .invalidParameter }
    guard let link = bindings.append(wanted, extraCount: size) else { return .noMemory }
    var copy = Copy(to: Chain.extra(of: link))
    link.pointee.record.source = copy.add(wanted.source)
    link.pointee.record.ownDestination = copy.add(wanted.ownDestination)
    link.pointee.record.routingKey = copy.add(wanted.routingKey)
    link.pointee.record.arguments = copy.add(wanted.arguments)
    return .ok
  }

  private mutating func unbound(_ wanted: RecordedBinding) {
    if let known = binding(wanted) { forget(known) }
    forgetUnusedExchanges()
  }

  /// Marks an auto-delete exchange whose last binding it was.
  private mutating func forget(_ binding: Chain<RecordedBinding>.Position) {
    let source = exchange(binding.pointee.record.source)
    bindings.remove(binding)
    guard let source, source.pointee.record.method.auto_delete != 0 else { return }
    let name = source.pointee.record.method.exchange
    source.pointee.record.isUnused = bindings.firstWhere({ $0.source.hasSameBytes(as: name) }) == nil
  }

  private mutating func forgetBindings(ofExchange name: amqp_bytes_t) {
    while let binding = bindings.firstWhere({ $0.source.hasSameBytes(as: name) }) { bindings.remove(binding) }
    while let binding = bindings.firstWhere({ !$0.isOfQueue && $0.destination.hasSameBytes(as: name) }) {
      forget(binding)
    }
  }

  /// One may leave the next without a binding, however long a chain of them is.
  private mutating func forgetUnusedExchanges() {
    while let exchange = exchanges.firstWhere({ $0.isUnused }) {
      forgetBindings(ofExchange: exchange.pointee.record.method.exchange)
      exchanges.remove(exchange)
    }
  }

  /// With an auto-delete queue whose last consumer it was.
  mutating func forget(_ consumer: Chain<RecordedConsumer>.Position) {
    let queue = consumer.pointee.record.queue
    consumers.remove(consumer)
    guard let queue, queue.pointee.record.method.auto_delete != 0 else { return }
    if consumers.firstWhere({ $0.queue == queue }) == nil { queueDeleted(queue.pointee.record.name) }
  }
}

/// Bytes one after another into the block of a record.
private struct Copy {
  private var target: UnsafeMutableRawPointer

  init(to target: UnsafeMutableRawPointer) { self.target = target }

  mutating func add(_ bytes: amqp_bytes_t) -> amqp_bytes_t {
    let source = bytes.buffer
    if let start = source.baseAddress { target.copyMemory(from: start, byteCount: source.count) }
    defer { target += source.count }
    return amqp_bytes_t(len: source.count, bytes: target)
  }

  /// Bytes in all; nil when a name is none that was ever sent.
  static func size(
    _ first: amqp_bytes_t, _ second: amqp_bytes_t = .empty, _ third: amqp_bytes_t = .empty, arguments: amqp_bytes_t
  ) -> Int? {
    let table = arguments.len
    guard first.isName, second.isName, third.isName, table >= 0, table <= Int(Int32.max) else { return nil }
    return first.len &+ second.len &+ third.len &+ table
  }
}

extension amqp_bytes_t {
  fileprivate var isName: Bool { len >= 0 && len <= RecordedQueue.longestName }
}
