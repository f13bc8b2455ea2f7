// What a `RecoveryPlan` remembers: for each thing the method that made it, with names of its own, and its arguments as the
// encoded table that the driver handed in and will decode again: the engine compares tables and does not read them.

import AMQPBase
public import CRabbitMQ

/// How far a thing has come in the present recovery.
enum RecoveryProgress: BitwiseCopyable {
  case pending
  case restored
  /// Refused, and to be asked for again in the next round.
  case deferred
  /// Refused for good: tried again after the next loss only.
  case givenUp
}

protocol RecoveryRecord: BitwiseCopyable {
  var progress: RecoveryProgress { get set }
}

public struct RecordedExchange: RecoveryRecord {
  /// To be sent once `arguments` were put in. Borrows from the plan, as all that follow.
  public internal(set) var method: amqp_exchange_declare_t
  /// An encoded field table.
  public internal(set) var arguments: amqp_bytes_t
  /// An auto-delete exchange that has lost its last binding.
  var isUnused: Bool
  var progress: RecoveryProgress
}

public struct RecordedQueue: RecoveryRecord {
  /// Its name is empty where the broker chose one.
  public internal(set) var method: amqp_queue_declare_t
  public internal(set) var arguments: amqp_bytes_t
  /// The name that the queue has, or had before the loss.
  public internal(set) var name: amqp_bytes_t
  var firstRefused: Instant?
  var progress: RecoveryProgress

  var isNamedByServer: Bool { method.queue.len == 0 }

  /// Octets of a short string (specification section 4.2.5.3): the room that a name given by the broker has.
  static var longestName: Int { 255 }

  /// Into the room kept for it. False where the name is the same, or none that a broker can give.
  mutating func rename(_ new: amqp_bytes_t) -> Bool {
    let source = new.buffer
    guard !name.hasSameBytes(as: new), source.count <= RecordedQueue.longestName, let start = source.baseAddress,
      let target = name.bytes
    else { return false }
    target.copyMemory(from: start, byteCount: source.count)
    name.len = source.count
    return true
  }
}

public struct RecordedBinding: RecoveryRecord {
  public let isOfQueue: Bool
  public internal(set) var source: amqp_bytes_t
  public internal(set) var routingKey: amqp_bytes_t
  public internal(set) var arguments: amqp_bytes_t
  var ownDestination: amqp_bytes_t
  /// The queue bound, where it is recorded: its name may change.
  var queue: Chain<RecordedQueue>.Position?
  var progress: RecoveryProgress

  public var destination: amqp_bytes_t { queue?.pointee.record.name ?? ownDestination }

  func isSame(as other: RecordedBinding) -> Bool {
    isOfQueue == other.isOfQueue && source.hasSameBytes(as: other.source)
      && destination.hasSameBytes(as: other.destination) && routingKey.hasSameBytes(as: other.routingKey)
      && arguments.hasSameBytes(as: other.arguments)
  }
}

public struct RecordedConsumer: RecoveryRecord {
  public let channel: UInt16
  /// To be sent once `arguments` were put in, with the name that the queue has now.
  public var method: amqp_basic_consume_t {
    var method = ownMethod
    if let queue { method.queue = queue.pointee.record.name }
    return method
  }
  public internal(set) var arguments: amqp_bytes_t
  var ownMethod: amqp_basic_consume_t
  var queue: Chain<RecordedQueue>.Position?
  /// The prefetch limit that held for consumers when this one was started.
  var prefetch: RecoveryPlan.Prefetch
  var isRefused: Bool
  var progress: RecoveryProgress
}

struct RecordedChannel: RecoveryRecord {
  /// What the broker has been told of it: nothing, channel.open, the prefetch limit of the channel.
  enum Part: BitwiseCopyable { case nothing, opened, limited }

  let number: UInt16
  var mode: RecoveryPlan.ChannelMode
  /// basic.qos with `global`: for all consumers of the channel together.
  var channelPrefetch: RecoveryPlan.Prefetch
  /// basic.qos without it: for each consumer that is started from then on.
  var consumerPrefetch: RecoveryPlan.Prefetch
  /// What the broker has been told of it on this connection.
  var restoredConsumerPrefetch: RecoveryPlan.Prefetch
  var part: Part
  var progress: RecoveryProgress
}

/// Records of one kind in order, and how far a recovery has come with them.
struct RecoveryList<Record: RecoveryRecord>: ~Copyable {
  typealias Position = Chain<Record>.Position

  private var chain = Chain<Record>()
  /// Up to here this round is done.
  private var cursor: Position?
  /// The one whose reply is awaited. Nil too when it was removed meanwhile.
  private(set) var current: Position?

  var first: Position? { chain.first }
  var count: Int { chain.count }

  mutating func append(_ record: Record, extraCount: Int = 0) -> Position? {
    chain.append(record, extraCount: extraCount)
  }

  mutating func remove(_ position: Position) {
    if cursor == position { cursor = position.pointee.previous }
    if current == position { current = nil }
    chain.remove(position)
  }

  /// The next pending one, which becomes the current one.
  mutating func seek() -> Position? {
    if let current { return current }
    var next = chain.after(cursor)
    while let position = next, position.pointee.record.progress != .pending {
      cursor = position
      next = position.pointee.next
    }
    current = next
    return next
  }

  /// On to the next one. Without `progress` the current one stays pending, for a later round.
  mutating func pass(_ progress: RecoveryProgress? = nil) {
    guard let current else { return }
    if let progress { current.pointee.record.progress = progress }
    cursor = current
    self.current = nil
  }

  /// Back to the first.
  mutating func rewind() {
    cursor = nil
    current = nil
  }

  /// Back to the first, and all of them anew.
  mutating func restart() {
    rewind()
    forEach { $0.progress = .pending }
  }

  func firstWhere(_ fits: (Record) -> Bool) -> Position? {
    var next = chain.first
    while let position = next {
      if fits(position.pointee.record) { return position }
      next = position.pointee.next
    }
    return nil
  }

  func forEach(_ change: (inout Record) -> Void) {
    var next = chain.first
    while let position = next {
      change(&position.pointee.record)
      next = position.pointee.next
    }
  }
}
