import AMQPBase
import AMQPEngine
import AMQPWire
import CMemory
import CRabbitMQ

/// What `amqp_event_channel_t *` points to: what is outstanding on a channel, and who wants to hear of it.
///
/// It stays the same over a recovery; the channel on the wire is then another one with the same number. Its memory goes in a
/// turn of the loop of its own, so that nobody who works with it finds it gone.
struct EventChannel: ~Copyable {
  typealias Handle = UnsafeMutablePointer<EventChannel>

  /// First, so that the link is where the channel is.
  var deferred: Deferred
  var isDeferred = false
  let connection: EventConnection.Handle
  var number: UInt16 = 0
  /// Carries the topology of a recovery; no program sees it.
  var isInternal = false
  var callbacks = amqp_event_channel_callbacks_t()
  var context: UnsafeMutableRawPointer?

  var state = ChannelState()
  var wasOpened = false
  /// The end has begun, and no operation is accepted any more.
  var isEnding = false
  /// `on_closed` has been called.
  var isEnded = false
  /// Sent, in the order of their replies.
  var operations = Chain<EventOperation>()
  /// The name that an empty queue name stands for.
  var latestQueue = amqp_bytes_t.empty

  // Publishing.
  var isConfirming = false
  var confirms: ConfirmTracker<EventConfirm>
  var drains = Chain<EventDrain>()
  /// A publish was not welcome, so `on_writable` is owed.
  var wantsWritable = false

  // Consuming.
  var tags = DeliveryTags()
  var content = EventContent()
  var firstConsumer: EventConsumer.Handle?
  var latestConsumer: EventConsumer.Handle?
  var consumersMade: UInt64 = 0

  init(connection: EventConnection.Handle, confirmTimeoutNanoseconds: UInt64) {
    deferred = Deferred { ChannelDriver.runDeferred($0.assumingMemoryBound(to: EventChannel.self)) }
    self.connection = connection
    confirms = ConfirmTracker(timeoutNanoseconds: confirmTimeoutNanoseconds)
  }

  deinit { latestQueue.deallocate() }

  static func make(for connection: EventConnection.Handle) -> Handle? {
    guard let memory = malloc(MemoryLayout<EventChannel>.stride) else { return nil }
    let handle = memory.bindMemory(to: EventChannel.self, capacity: 1)
    let milliseconds = connection.pointee.options.plain.confirmTimeout
    handle.initialize(
      to: EventChannel(
        connection: connection, confirmTimeoutNanoseconds: milliseconds > 0 ? UInt64(milliseconds) &* 1_000_000 : .max))
    return handle
  }

  static func destroy(_ channel: Handle) {
    channel.deinitialize(count: 1)
    free(channel)
  }
}

/// What the outcome of a publish is for.
struct EventConfirm: BitwiseCopyable {
  var callback: amqp_event_confirm_callback?
  var context: UnsafeMutableRawPointer?
}

/// Who waits for the outcomes of all publishes so far.
struct EventDrain: BitwiseCopyable {
  var done: amqp_event_done?
  var context: UnsafeMutableRawPointer?
  /// The last publish, in confirm mode.
  var sequence: UInt64
  /// Octets that the connection will have sent by then.
  var sent: UInt64
  var deadline: Deadline
}

/// A request that was sent and has no reply yet. Its arguments lie behind it, as they are on the wire.
struct EventOperation: BitwiseCopyable {
  enum Completion: BitwiseCopyable {
    case done(amqp_event_done?, UnsafeMutableRawPointer?)
    case queue(amqp_event_queue_done?, UnsafeMutableRawPointer?)
    case get(amqp_event_get_done?, UnsafeMutableRawPointer?)
    /// basic.consume and basic.cancel, of the program's and for a pause.
    case consume(EventConsumer.Handle)
    case cancel(EventConsumer.Handle)
    case close
    /// A step of the recovery.
    case recovery
    /// The time was up: the reply that comes yet is swallowed.
    case expired
  }

  var method: amqp_method_number_t
  var reply: amqp_method_number_t
  var argumentCount: Int
  var completion: Completion
  var deadline: Deadline

  /// Whether a reply may be overtaken by those to later requests.
  static func isLoose(_ reply: amqp_method_number_t) -> Bool {
    reply == amqp_basic_consume_ok_t.id || reply == amqp_basic_cancel_ok_t.id
  }

  var isOfRecovery: Bool {
    if case .recovery = completion { return true }
    return false
  }
  var isExpired: Bool {
    if case .expired = completion { return true }
    return false
  }

  static func arguments(of position: Chain<EventOperation>.Position) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: Chain<EventOperation>.extra(of: position), count: position.pointee.record.argumentCount)
  }
}
