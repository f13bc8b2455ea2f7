import AMQPBase
import AMQPWire
import CMemory
import CRabbitMQ

/// What `amqp_event_consumer_t *` points to: who gets the messages of a consumer, and what it takes to start it again.
struct EventConsumer: ~Copyable {
  typealias Handle = UnsafeMutablePointer<EventConsumer>

  struct Callbacks {
    let onMessage: amqp_event_message_callback
    let onCancelled: amqp_event_cancelled_callback?
    let onConsuming: (@convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Void)?
    let context: UnsafeMutableRawPointer?
  }

  enum State: Equatable {
    /// basic.consume is sent, or answered, or a recovery will send it.
    case consuming
    case paused
    /// The program wants the end.
    case cancelling
    /// `on_cancelled` has been called.
    case ended
  }

  /// First, so that the link is where the consumer is.
  var deferred: Deferred
  var isDeferred = false
  let channel: EventChannel.Handle
  var next: Handle?
  var state = State.consuming
  /// Whether basic.consume was answered; only then a recovery knows of it.
  var isStarted = false
  let callbacks: Callbacks
  /// Of basic.consume, with strings of its own and without its table.
  var method: amqp_basic_consume_t
  /// The table, encoded.
  var table = amqp_bytes_t.empty

  deinit {
    method.queue.deallocate()
    method.consumer_tag.deallocate()
    table.deallocate()
  }

  /// Nil when there is no memory. Everything is copied.
  static func make(
    on channel: EventChannel.Handle, _ method: amqp_basic_consume_t, _ callbacks: Callbacks
  ) -> Handle? {
    guard let memory = malloc(MemoryLayout<EventConsumer>.stride) else { return nil }
    let handle = memory.bindMemory(to: EventConsumer.self, capacity: 1)
    var owned = method
    owned.queue = .empty
    owned.consumer_tag = .empty
    owned.arguments = amqp_table_t(num_entries: 0, entries: nil)
    handle.initialize(
      to: EventConsumer(
        deferred: Deferred { ChannelDriver.runDeferred($0.assumingMemoryBound(to: EventConsumer.self)) },
        channel: channel, callbacks: callbacks, method: owned))
    guard let queue = method.queue.duplicated(), let table = encodedTable(method.arguments) else {
      destroy(handle)
      return nil
    }
    handle.pointee.method.queue = queue
    handle.pointee.table = table
    guard let tag = method.consumer_tag.duplicated() else {
      destroy(handle)
      return nil
    }
    handle.pointee.method.consumer_tag = tag
    return handle
  }

  static func destroy(_ consumer: Handle) {
    consumer.deinitialize(count: 1)
    free(consumer)
  }

  private static func encodedTable(_ table: amqp_table_t) -> amqp_bytes_t? {
    var (table, sizer) = (table, Sizer())
    sizer.table(&table)
    // What cannot be encoded is refused when it is sent.
    guard sizer.failure.isOK, sizer.count <= Int(Int32.max) else { return .empty }
    let bytes = amqp_bytes_t.allocated(sizer.count)
    guard let memory = bytes.bytes else { return nil }
    var encoder = Encoder(UnsafeMutableRawBufferPointer(start: memory, count: sizer.count))
    encoder.table(&table)
    return bytes
  }
}
