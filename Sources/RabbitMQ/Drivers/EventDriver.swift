// The event API: a connection on the program's loop.
//
// The engine's EventConnectionState says what comes next, and `perform` does it: +Connect (names, TCP, TLS), +Login, +Receive,
// +Send, +End. Everything that the program hears of comes from the loop: from an event of libevent's, never from inside a call
// of the program's. What a call causes at once is put off to the end of the turn, an event of the connection's that is made
// active: first what was put off is done, then all that was written in the turn leaves in one system call.
//
// Callbacks of one connection therefore never nest. After each of them the connection may be lost, closed or freed; it goes in
// a turn of its own, so that the memory is there as long as anything of ours is on the stack.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

struct EventDriver {
  let connection: EventConnection.Handle

  @inline(__always)
  init(_ connection: EventConnection.Handle) { self.connection = connection }

  var transport: Transport {
    @inline(__always) get {
      if let tls = connection.pointee.tls { return .tls(tls) }
      return withUnsafeMutablePointer(to: &connection.pointee.tcp) { .tcp($0) }
    }
  }

  var state: EventConnectionState.State {
    @inline(__always) get { connection.pointee.life.state }
  }

  /// The connection as callbacks get it.
  var handle: OpaquePointer { OpaquePointer(connection) }

  // MARK: Calls of the program

  /// What an operation has to answer before anything else; ok when it may be accepted.
  var operationStatus: Status {
    @inline(__always) get {
      switch state {
      case .ready: connection.pointee.isDoomed ? .unexpectedState : .ok
      case .idle, .closing, .closed: .unexpectedState
      case .resolving, .connecting, .securing, .handshaking, .recovering, .waiting: .connectionClosed
      }
    }
  }

  func open() -> Status { ask(.open) }

  func close(code: UInt16, text: UnsafePointer<CChar>?) -> Status {
    guard state != .idle, state != .closed, !connection.pointee.isClosing else { return .unexpectedState }
    var copy: OwnedText = nil
    if let text {
      copy = strdup(text)
      guard copy != nil else { return .noMemory }
    }
    let status = ask(.close)
    guard status.isOK else {
      free(copy)
      return status
    }
    connection.pointee.isClosing = true
    connection.pointee.closeCode = code
    connection.pointee.closeText = copy
    return .ok
  }

  /// From any thread.
  func post(_ work: @escaping amqp_event_work, _ context: UnsafeMutableRawPointer?) -> Status {
    guard let memory = malloc(MemoryLayout<PostedWork>.stride) else { return .noMemory }
    let posted = memory.bindMemory(to: PostedWork.self, capacity: 1)
    let post = Post(for: connection) { PostedWork.run($0) }
    posted.initialize(to: PostedWork(post: post, work: work, context: context))
    let link = UnsafeMutableRawPointer(posted).assumingMemoryBound(to: Post.self)
    if EventHub.post(link, to: connection.pointee.hub) { return .ok }
    free(memory)
    return .unexpectedState
  }

  func stats() -> amqp_event_stats_t {
    var stats = amqp_event_stats_t()
    let counters = connection.pointee.counters
    stats.bytes_sent = counters.bytesSent
    stats.bytes_received = counters.bytesReceived
    stats.heartbeats_sent = counters.heartbeatsSent
    stats.heartbeats_received = counters.heartbeatsReceived
    stats.published = counters.published
    stats.confirmed = counters.confirmed
    stats.nacked = counters.nacked
    stats.returned = counters.returned
    stats.lost = counters.lost
    stats.delivered = counters.delivered
    stats.recoveries = counters.recoveries
    stats.bytes_waiting = UInt64(truncatingIfNeeded: connection.pointee.queue.count)
    if connection.pointee.isLoggedIn {
      let silence = connection.pointee.monitor.silence(at: Clock.now())
      stats.milliseconds_since_sent = silence.sent / 1_000_000
      stats.milliseconds_since_received = silence.received / 1_000_000
    }
    return stats
  }

  /// The state changes at once; what follows is for the loop to do.
  private func ask(_ event: EventConnectionState.Event) -> Status {
    let before = state
    let action = connection.pointee.life.receive(event, at: Clock.now())
    if isTraced { trace(before, event, EventError(.cancelled)) }
    if case .refuse = action { return .unexpectedState }
    connection.pointee.pendingAction = action
    scheduleTurn()
    return .ok
  }

  /// Has the loop do a piece of work when it is the connection's turn.
  func putOff(_ work: Deferred.Link) {
    EventConnection.push(work, to: connection)
    scheduleTurn()
  }

  /// Something was written to the queue, or is to be done: the turn comes when the present callbacks have returned.
  @inline(__always)
  func scheduleTurn() {
    guard !connection.pointee.isTurnScheduled else { return }
    connection.pointee.isTurnScheduled = true
    event_active(connection.pointee.events.turn, Int32(EV_TIMEOUT), 0)
  }

  /// Makes sure that `channelDeadlines` is asked by then.
  @inline(__always)
  func wake(by deadline: Deadline) {
    if deadline < connection.pointee.timerDeadline { setTimer(deadline, now: Clock.now()) }
  }

  // MARK: The turn

  static func turnHasCome(_ argument: UnsafeMutableRawPointer?) {
    guard let connection = argument?.assumingMemoryBound(to: EventConnection.self) else { return }
    EventDriver(connection).runTurn()
  }

  static func timerHasGoneOff(_ argument: UnsafeMutableRawPointer?) {
    guard let connection = argument?.assumingMemoryBound(to: EventConnection.self) else { return }
    EventDriver(connection).timeHasCome()
  }

  func runTurn() {
    connection.pointee.isTurnScheduled = false
    let action = connection.pointee.pendingAction
    if action != .none {
      let now = Clock.now()
      connection.pointee.pendingAction = .none
      perform(action, EventError(.cancelled), at: now)
      arm(now)
    }
    runDeferred()
    flush()
  }

  /// What is put off by this work itself waits for the next turn.
  func runDeferred() {
    let last = connection.pointee.lastDeferred
    while let work = EventConnection.popDeferred(connection) {
      work.pointee.work(work)
      if work == last { break }
    }
    if connection.pointee.firstDeferred != nil, !connection.pointee.isDoomed { scheduleTurn() }
  }

  // MARK: Life

  /// Tells the machine what has happened, and does what follows. From the loop alone.
  @inline(never)
  func note(
    _ event: EventConnectionState.Event, at now: Instant, _ error: EventError = EventError(.timeout, canRetry: true)
  ) {
    guard !connection.pointee.isDoomed else { return }
    let random = connection.pointee.random.next()
    let before = state
    let action = connection.pointee.life.receive(event, at: now, random: random)
    if isTraced { trace(before, event, error) }
    if case .none = action { return }
    connection.pointee.pendingAction = .none
    perform(action, error, at: now)
    arm(Clock.now())
  }

  @inline(never)
  func lost(_ status: Status, at now: Instant) { lost(EventError(status), at: now) }

  @inline(never)
  func lost(_ error: EventError, at now: Instant) {
    var error = error
    error.canRetry = error.loss.retry != .pointless
    note(.lost(error.loss), at: now, error)
  }

  @inline(never)
  private func perform(_ action: EventConnectionState.Action, _ error: EventError, at now: Instant) {
    switch action {
    case .none, .refuse: break
    case .resolve(let host): resolve(host, at: now)
    case .connect: connect(at: now)
    case .secure: secure(at: now)
    case .logIn: logIn(at: now)
    case .recover: recoverChannels()
    case .ready: ready()
    case .sendClose: sendClose(at: now)
    case .drop(let wasOpen, let next): drop(wasOpen: wasOpen, then: next, error, at: now)
    }
  }

  /// The channels are there again. `refusal`: the first thing that the broker did not want to bring back.
  func topologyRecovered(_ refusal: EventError?) {
    // The error's words lie in a frame that is still in the buffer, or nowhere.
    connection.pointee.recoveryRefusal = refusal
    note(.recovered, at: Clock.now())
    connection.pointee.recoveryRefusal = nil
  }

  private func ready() {
    let isFirst = !connection.pointee.wasReady
    connection.pointee.wasReady = true
    connection.pointee.isToldReady = true
    if isFirst {
      connection.pointee.callbacks.on_ready?(handle, connection.pointee.context)
    } else {
      connection.pointee.counters.recoveries &+= 1
      EventError.with(connection.pointee.recoveryRefusal) {
        connection.pointee.callbacks.on_recovered?(handle, $0, connection.pointee.context)
      }
    }
    if state == .ready, !connection.pointee.isDoomed { channelsMayPublish() }
  }

  // MARK: Time

  func timeHasCome() {
    connection.pointee.timerDeadline = .never
    let now = Clock.now()
    note(.time, at: now)
    if connection.pointee.isLoggedIn { serviceHeartbeat(now) }
    if connection.pointee.addressDeadline.hasPassed(at: now) { connectNext(at: now) }
    if blockedDeadline.hasPassed(at: now) { lost(.timeout, at: now) }
    let secrets = secretDeadlines(at: now)
    let channels = channelDeadlines(at: now)
    guard !connection.pointee.isDoomed else { return }
    arm(Clock.now(), min(secrets, channels))
  }

  /// Sets the timer for the first of all that is due, unless it goes off before anyway.
  @inline(never)
  func arm(_ now: Instant, _ others: Deadline = .never) {
    guard !connection.pointee.isDoomed else { return }
    var first = min(connection.pointee.life.deadline, connection.pointee.addressDeadline, others)
    if connection.pointee.isLoggedIn {
      let monitor = connection.pointee.monitor
      first = min(first, monitor.deathDeadline, blockedDeadline)
      // What waits to be written serves as a heartbeat.
      if connection.pointee.queue.isEmpty { first = min(first, monitor.nextSend) }
    }
    if first < connection.pointee.timerDeadline { setTimer(first, now: now) }
  }

  private func setTimer(_ deadline: Deadline, now: Instant) {
    // Rounded up: a timer that goes off too early would only be set again.
    let microseconds = deadline.remaining(from: now) / 1000 &+ 1
    var left = timeval()
    left.tv_sec = Int(truncatingIfNeeded: microseconds / 1_000_000)
    left.tv_usec = Int(truncatingIfNeeded: microseconds % 1_000_000)
    if event_add(connection.pointee.events.timer, &left) == 0 { connection.pointee.timerDeadline = deadline }
  }

  private var blockedDeadline: Deadline {
    let limit = connection.pointee.options.plain.blockedTimeout
    guard connection.pointee.isBlocked, limit > 0 else { return .never }
    return Deadline(connection.pointee.blockedSince.adding(milliseconds: limit))
  }
}

/// What `amqp_event_post` leaves in the hub.
private struct PostedWork {
  let post: Post
  let work: amqp_event_work
  let context: UnsafeMutableRawPointer?

  static func run(_ memory: UnsafeMutableRawPointer) {
    let posted = memory.assumingMemoryBound(to: PostedWork.self).pointee
    free(memory)
    posted.work(OpaquePointer(posted.post.connection), posted.context)
  }
}

extension Instant {
  func adding(milliseconds: Int32) -> Instant { adding(nanoseconds: UInt64(max(milliseconds, 0)) &* 1_000_000) }
}

extension Deadline {
  /// So many milliseconds from now; 0: never.
  init(milliseconds: Int32, from now: Instant) {
    self = milliseconds > 0 ? Deadline(now.adding(milliseconds: milliseconds)) : .never
  }
}
