import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

/// What `amqp_event_connection_t *` points to: the owner of everything that an event connection has.
///
/// All of it belongs to the thread of its base, save the posts, which lie in the hub.
struct EventConnection: ~Copyable {
  typealias Handle = UnsafeMutablePointer<EventConnection>

  let hub: EventHub.Handle
  var options: EventOptions
  var callbacks = amqp_event_connection_callbacks_t()
  var context: UnsafeMutableRawPointer?

  // Its life.
  var life: EventConnectionState
  var random: RandomSource
  var handshake: Handshake
  /// Freed by the program: what is left to do comes from the loop. Read by other threads, so changed by the hub.
  var isDoomed = false
  /// Whether it counts among those for which the hub keeps the loop running.
  var isLively = false
  var lookup: NameLookup?
  /// Comes when a lookup has ended.
  var lookupPost: Post
  var addresses = AddressList()
  /// When the next address gets its chance.
  var addressDeadline = Deadline.never
  /// Of the last address that failed.
  var lastErrno: Int32 = 0

  // The wire.
  var tcp = TCPTransport()
  var tls: TLSTransport?
  var tuning = Tuning.beforeTune
  var monitor = HeartbeatMonitor(intervalSeconds: 0, at: Instant(nanoseconds: 0))
  var assembler = FrameAssembler()
  var queue: SendQueue
  /// Set by connection.blocked.
  var isBlocked = false
  var blockedSince = Instant(nanoseconds: 0)

  /// Counts the streams that came to their end.
  var epoch: UInt32 = 0
  /// Frames may come, and are to be handled.
  var isReceiving = false
  /// From open-ok to the end of the connection.
  var isLoggedIn = false
  /// A publish was turned away, or would be: `channelsMayPublish` is due when less waits.
  var isAboveHighWater = false

  // What the program was told.
  var wasReady = false
  var isToldReady = false
  var isToldClosed = false
  /// What a call of the program's has caused and the loop will do.
  var pendingAction = EventConnectionState.Action.none
  var recoveryRefusal: EventError?
  var isClosing = false
  var closeCode: UInt16 = 200
  var closeText: OwnedText = nil

  // libevent's.
  var events = EventSet()
  /// When the timer is set to go off.
  var timerDeadline = Deadline.never
  var isTurnScheduled = false
  var isWaitingForRoom = false
  var firstDeferred: Deferred.Link?
  var lastDeferred: Deferred.Link?

  var channels = ChannelTable()
  /// The one that the last frame was for.
  var latestChannel: EventChannel.Handle?
  /// Of all channels together.
  var drains = 0
  var plan = RecoveryPlan(retryNanoseconds: recoveryRetryNanoseconds, patienceNanoseconds: recoveryPatienceNanoseconds)
  var recovery = EventRecovery()
  var secrets = SecretQueue()
  var counters = EventCounters()
  var trace = Trace()
  /// Of the last loss; its text lies behind it.
  var lastError: UnsafeMutablePointer<amqp_event_error_t>?
  /// Holds the server's properties from login to loss.
  var propertiesPool = amqp_pool_t()
  var serverProperties = amqp_table_t()

  init(at handle: Handle, hub: EventHub.Handle, options: consuming EventOptions) {
    self.hub = hub
    lookupPost = Post(for: handle) { post in
      EventDriver(post.assumingMemoryBound(to: Post.self).pointee.connection).takeLookup()
    }
    life = EventConnectionState(EventConnectionState.Settings(options), backoff: Backoff(options.plain))
    random = RandomSource(seed: 0)
    handshake = Handshake(wanted: options.plain.wanted, negotiation: .event)
    self.options = options
    queue = SendQueue(spares: withUnsafeMutablePointer(to: &hub.pointee.spares) { $0 })
  }
}

/// How often, and for how long in all, a queue is asked for that is away for a while after a loss.
private let recoveryRetryNanoseconds: UInt64 = 500_000_000
private let recoveryPatienceNanoseconds: UInt64 = 120_000_000_000

/// libevent's objects of a connection; NULL before they are made.
struct EventSet {
  var read: OpaquePointer?
  var write: OpaquePointer?
  var timer: OpaquePointer?
  /// The end of a turn: what was put off is done, and what was written in the turn leaves.
  var turn: OpaquePointer?
}

/// Counts since the connection was made.
struct EventCounters {
  var bytesSent: UInt64 = 0
  var bytesReceived: UInt64 = 0
  var heartbeatsSent: UInt64 = 0
  var heartbeatsReceived: UInt64 = 0
  var published: UInt64 = 0
  var confirmed: UInt64 = 0
  var nacked: UInt64 = 0
  var returned: UInt64 = 0
  var lost: UInt64 = 0
  var delivered: UInt64 = 0
  var recoveries: UInt64 = 0
}

/// A piece of work that a call of the program's leaves for the loop: the first field of whatever carries it, so that putting it
/// off needs no memory.
struct Deferred {
  typealias Link = UnsafeMutablePointer<Deferred>
  typealias Work = @convention(c) (UnsafeMutableRawPointer) -> Void

  fileprivate var next: Link?
  /// Gets what it lies in, which is its own from then on.
  var work: Work

  init(_ work: @escaping Work) { self.work = work }
}

extension EventConnection {
  /// Nil without memory or descriptors, or where the files of TLS cannot be used.
  static func make(_ base: OpaquePointer, _ options: consuming EventOptions) -> Handle? {
    guard let hub = EventHub.join(base) else { return nil }
    guard let memory = malloc(MemoryLayout<EventConnection>.stride) else {
      EventHub.leave(hub)
      return nil
    }
    let connection = memory.bindMemory(to: EventConnection.self, capacity: 1)
    connection.initialize(to: EventConnection(at: connection, hub: hub, options: options))
    withUnsafeMutablePointer(to: &connection.pointee.propertiesPool) { $0.initialize(pageSize: 1024) }
    guard prepare(connection) else {
      destroy(connection)
      return nil
    }
    return connection
  }

  private static func prepare(_ connection: Handle) -> Bool {
    let seed = Clock.now().nanoseconds ^ UInt64(truncatingIfNeeded: UInt(bitPattern: connection))
    connection.pointee.random = RandomSource(seed: seed)
    connection.pointee.trace = Trace(to: Settings.current.trace)
    if let callback = connection.pointee.options.plain.trace {
      let context = connection.pointee.options.plain.traceContext
      connection.pointee.trace.set(callback, owner: OpaquePointer(connection), context: context)
    }
    if connection.pointee.options.plain.isSecure {
      guard let tls = connection.pointee.options.makeTLS() else { return false }
      connection.pointee.tls = tls
    }
    guard let error = malloc(MemoryLayout<amqp_event_error_t>.stride &+ EventError.textCapacity) else { return false }
    connection.pointee.lastError = error.bindMemory(to: amqp_event_error_t.self, capacity: 1)
    connection.pointee.lastError?.initialize(to: amqp_event_error_t())
    let base = connection.pointee.hub.pointee.base
    connection.pointee.events.turn = event_new(
      base, -1, 0, { _, _, argument in EventDriver.turnHasCome(argument) }, connection)
    connection.pointee.events.timer = event_new(
      base, -1, 0, { _, _, argument in EventDriver.timerHasGoneOff(argument) }, connection)
    guard connection.pointee.events.turn != nil, connection.pointee.events.timer != nil else { return false }
    connection.pointee.isLively = EventHub.enliven(connection.pointee.hub)
    return connection.pointee.isLively
  }

  /// Gives all memory back. Of libevent's objects the one of the turn goes here only if it never ran.
  static func destroy(_ connection: Handle) {
    if !connection.pointee.isDoomed, let turn = connection.pointee.events.turn { event_free(turn) }
    if let timer = connection.pointee.events.timer { event_free(timer) }
    connection.pointee.tls?.destroy()
    connection.pointee.queue.clear()
    withUnsafeMutablePointer(to: &connection.pointee.propertiesPool) { $0.empty() }
    free(connection.pointee.closeText)
    free(connection.pointee.lastError)
    connection.pointee.options.release()
    let hub = connection.pointee.hub
    connection.deinitialize(count: 1)
    free(connection)
    EventHub.leave(hub)
  }

  /// Puts a piece of work at the end of what the loop has to do for the connection.
  static func push(_ link: Deferred.Link, to connection: Handle) {
    link.pointee.next = nil
    if let last = connection.pointee.lastDeferred {
      last.pointee.next = link
    } else {
      connection.pointee.firstDeferred = link
    }
    connection.pointee.lastDeferred = link
  }

  static func popDeferred(_ connection: Handle) -> Deferred.Link? {
    guard let link = connection.pointee.firstDeferred else { return nil }
    connection.pointee.firstDeferred = link.pointee.next
    if connection.pointee.firstDeferred == nil { connection.pointee.lastDeferred = nil }
    return link
  }
}

/// The channels of a connection by their numbers, 1 to 65535.
struct ChannelTable: ~Copyable {
  private var slots: UnsafeMutablePointer<EventChannel.Handle?>?
  private var capacity = 0
  private(set) var count = 0
  /// No channel has a free number below it.
  private var firstFree = 1

  init() {}

  deinit { free(slots) }

  @inline(__always)
  subscript(number: UInt16) -> EventChannel.Handle? {
    guard Int(number) < capacity, let slots else { return nil }
    return slots[Int(number)]
  }

  /// The highest number in use or more; 0: none.
  var highest: UInt16 { UInt16(truncatingIfNeeded: max(capacity &- 1, 0)) }

  enum Place {
    case at(UInt16)
    case full
    case noMemory
  }

  /// Gives the channel the lowest number that is free.
  mutating func insert(_ channel: EventChannel.Handle, highest: UInt16) -> Place {
    var number = firstFree
    while number < capacity, slots?[number] != nil { number &+= 1 }
    firstFree = number
    guard number <= Int(highest) else { return .full }
    if number >= capacity, !grow(to: number &+ 1) { return .noMemory }
    slots?[number] = channel
    count &+= 1
    return .at(UInt16(truncatingIfNeeded: number))
  }

  mutating func remove(_ number: UInt16) {
    guard self[number] != nil else { return }
    slots?[Int(number)] = nil
    count &-= 1
    firstFree = min(firstFree, Int(number))
  }

  private mutating func grow(to needed: Int) -> Bool {
    let size = max(needed, min(capacity &* 2, 65_536), 8)
    guard let memory = realloc(slots, size &* MemoryLayout<EventChannel.Handle?>.stride) else { return false }
    let grown = memory.bindMemory(to: EventChannel.Handle?.self, capacity: size)
    (grown + capacity).initialize(repeating: nil, count: size &- capacity)
    slots = grown
    capacity = size
    return true
  }
}
