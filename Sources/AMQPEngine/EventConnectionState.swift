// The life of a connection of the event API. What the driver does is named by the action; what came of it is the next
// event. While the machine waits for the driver, `deadline` says until when.
//
//   idle ── open ──> resolving ──> connecting ──> securing ──> handshaking ──> ready
//                     ^  ^  │            │        (with TLS)        │            │
//         next host   │  └──┴────────────┴───────────┴──────────────┘            │ lost
//                     │              lost                      (from the second   │
//                     │                │                       time on by way of   │
//                     │                v                       recovering)         │
//                     └── time ──── waiting <─────────────────────────────────────┘
//
//   close:  ready, recovering ──> closing ──> closed;  from everywhere else at once closed
//   No way on (recovery is off, attempts are used up, a retry is pointless): closed, which is the end.
//
// Hosts are tried in turn. One turn through all of them is an attempt; it has `connectNanoseconds`, of which each host gets
// an equal share of what is left, so a host that does not answer cannot use up the time of the others. After a loss the
// turn begins behind the host that was lost. Waits lie between the attempts, not between the hosts.
//
// The waits begin anew once a connection stood for longer than the wait that led to it: a broker that accepts each
// login and then falls over is not hammered. Refusals (`Loss.Retry.limited`) are counted alike.

public import AMQPBase

public struct EventConnectionState: Sendable {
  public enum State: Equatable, Sendable {
    case idle
    case resolving
    case connecting
    case securing
    case handshaking
    /// Logged in; the `RecoveryPlan` is being carried out.
    case recovering
    case ready
    /// Until `deadline`, then the next attempt.
    case waiting
    /// connection.close is sent.
    case closing
    case closed
  }

  public enum Event: Equatable, Sendable {
    /// Of the program.
    case open
    case close
    /// What the driver was asked for is done.
    case resolved
    case connected
    case secured
    case loggedIn
    case recovered
    case closeOk
    /// The connection or the attempt came to its end, whatever of it was under way.
    case lost(Loss)
    /// The `deadline` may have passed.
    case time
  }

  /// What follows once the socket is gone.
  public enum Next: Equatable, Sendable {
    case resolve(host: Int)
    /// Until `deadline`; then say `.time`.
    case wait
    /// The end: the program is told once, last of all.
    case end
  }

  public enum Action: Equatable, Sendable {
    case none
    case refuse(Status)
    /// Look up the name of a host, by its place in the list of hosts.
    case resolve(host: Int)
    case connect
    case secure
    /// Send the protocol header and begin a `Handshake`.
    case logIn
    /// Begin the `RecoveryPlan`.
    case recover
    /// The program may use the connection.
    case ready
    case sendClose
    /// Drop the socket, or what was to become one. `wasOpen`: the login had succeeded, so what is outstanding completes
    /// as lost; the program hears of the loss if it had been told that the connection was ready.
    case drop(wasOpen: Bool, then: Next)
  }

  /// What comes back after a loss: nothing, the login, or what the program had built too.
  public enum Recovery: Equatable, Sendable { case none, connection, topology }

  public struct Settings: Sendable {
    /// At least 1 counts.
    public var hostCount: Int
    public var isSecure: Bool
    public var recovery: Recovery
    /// For one turn through all hosts: names, TCP and TLS. `UInt64.max` = no limit, here and below.
    public var connectNanoseconds: UInt64
    /// From the protocol header to open-ok.
    public var handshakeNanoseconds: UInt64
    /// From close to close-ok.
    public var closeNanoseconds: UInt64
    /// Refusals in a row after which there is no further attempt. 0 counts as 1.
    public var refusalLimit: UInt32

    public init(
      hostCount: Int, isSecure: Bool = false, recovery: Recovery = .topology, connectNanoseconds: UInt64 = .max,
      handshakeNanoseconds: UInt64 = .max, closeNanoseconds: UInt64 = .max, refusalLimit: UInt32 = 5
    ) {
      self.hostCount = max(hostCount, 1)
      self.isSecure = isSecure
      self.recovery = recovery
      self.connectNanoseconds = connectNanoseconds
      self.handshakeNanoseconds = handshakeNanoseconds
      self.closeNanoseconds = closeNanoseconds
      self.refusalLimit = max(refusalLimit, 1)
    }
  }

  public private(set) var state: State
  /// When `.time` is to be said if nothing else happens before.
  public private(set) var deadline: Deadline
  /// The place of the host in use, or tried now or next.
  public private(set) var host: Int
  /// Whether the connection was ready before: from then on an attempt is a recovery.
  public private(set) var hasBeenReady: Bool

  private let settings: Settings
  private var backoff: Backoff
  /// Hosts of this turn that were not tried yet, without the present one.
  private var hostsLeft: Int
  /// The end of this turn.
  private var turnDeadline: Deadline
  private var refusals: UInt32
  private var lastWaitNanoseconds: UInt64
  private var readySince: Instant

  public init(_ settings: Settings, backoff: Backoff) {
    state = .idle
    deadline = .never
    host = 0
    hasBeenReady = false
    self.settings = settings
    self.backoff = backoff
    hostsLeft = 0
    turnDeadline = .never
    refusals = 0
    lastWaitNanoseconds = 0
    readySince = Instant(nanoseconds: 0)
  }

  /// The number of the attempt, from 1: since the connection was last ready, or since it was opened.
  public var attempt: UInt32 { backoff.attempts }

  /// `random`: any number, evenly spread; used for the jitter of a wait.
  public mutating func receive(_ event: Event, at now: Instant, random: UInt64 = 0) -> Action {
    switch event {
    case .open: return askedToOpen(at: now)
    case .close: return askedToClose(at: now)
    case .lost(let loss): return lost(loss, at: now, random)
    case .time: return deadline.hasPassed(at: now) ? timeIsUp(at: now, random) : .none
    case .resolved, .connected, .secured, .loggedIn, .recovered, .closeOk: return succeeded(event, at: now)
    }
  }

  private mutating func askedToOpen(at now: Instant) -> Action {
    switch state {
    case .idle:
      backoff.attemptedAtOnce()
      return .resolve(host: beginTurn(at: now))
    case .resolving, .connecting, .securing, .handshaking, .recovering, .ready, .waiting, .closing:
      return .refuse(.socketInUse)
    case .closed: return .refuse(.connectionClosed)
    }
  }

  private mutating func askedToClose(at now: Instant) -> Action {
    switch state {
    case .recovering, .ready:
      state = .closing
      deadline = Deadline(now.adding(nanoseconds: settings.closeNanoseconds))
      return .sendClose
    // Before open-ok there is no connection to close.
    case .idle, .resolving, .connecting, .securing, .handshaking, .waiting: return end(wasOpen: false)
    case .closing, .closed: return .refuse(.connectionClosed)
    }
  }

  private mutating func lost(_ loss: Loss, at now: Instant, _ random: UInt64) -> Action {
    switch state {
    case .resolving, .connecting, .securing, .handshaking: return attemptFailed(loss, at: now, random)
    case .recovering, .ready: return connectionLost(loss, at: now, random)
    case .closing: return end(wasOpen: true)
    case .idle, .waiting, .closed: return .none
    }
  }

  private mutating func timeIsUp(at now: Instant, _ random: UInt64) -> Action {
    switch state {
    case .resolving, .connecting, .securing, .handshaking: return attemptFailed(.failed(.timeout), at: now, random)
    case .waiting: return .resolve(host: beginTurn(at: now))
    case .closing: return end(wasOpen: true)
    case .idle, .recovering, .ready, .closed: return .none
    }
  }

  /// Success elsewhere than where it is waited for is the news of something that was dropped meanwhile.
  private mutating func succeeded(_ event: Event, at now: Instant) -> Action {
    switch state {
    case .resolving:
      guard event == .resolved else { return .none }
      state = .connecting
      return .connect
    case .connecting:
      guard event == .connected else { return .none }
      guard settings.isSecure else { return beginLogin(at: now) }
      state = .securing
      return .secure
    case .securing: return event == .secured ? beginLogin(at: now) : .none
    case .handshaking: return event == .loggedIn ? loggedIn(at: now) : .none
    case .recovering: return event == .recovered ? becomeReady(at: now) : .none
    case .closing: return event == .closeOk ? end(wasOpen: true) : .none
    case .idle, .ready, .waiting, .closed: return .none
    }
  }

  // MARK: Attempts

  private mutating func beginTurn(at now: Instant) -> Int {
    hostsLeft = settings.hostCount &- 1
    turnDeadline = Deadline(now.adding(nanoseconds: settings.connectNanoseconds))
    return beginHost(at: now)
  }

  private mutating func beginHost(at now: Instant) -> Int {
    state = .resolving
    let left = turnDeadline.remaining(from: now)
    deadline =
      turnDeadline.isNever
      ? .never : Deadline(now.adding(nanoseconds: left / UInt64(truncatingIfNeeded: hostsLeft &+ 1)))
    return host
  }

  private mutating func beginLogin(at now: Instant) -> Action {
    state = .handshaking
    deadline = Deadline(now.adding(nanoseconds: settings.handshakeNanoseconds))
    return .logIn
  }

  private mutating func loggedIn(at now: Instant) -> Action {
    guard hasBeenReady, settings.recovery == .topology else { return becomeReady(at: now) }
    state = .recovering
    deadline = .never
    return .recover
  }

  private mutating func becomeReady(at now: Instant) -> Action {
    state = .ready
    deadline = .never
    hasBeenReady = true
    readySince = now
    return .ready
  }

  // MARK: Losses

  private mutating func attemptFailed(_ loss: Loss, at now: Instant, _ random: UInt64) -> Action {
    guard mayGoOn(after: loss) else { return end(wasOpen: false) }
    nextHost()
    guard hostsLeft > 0 else { return wait(wasOpen: false, at: now, random) }
    hostsLeft &-= 1
    return .drop(wasOpen: false, then: .resolve(host: beginHost(at: now)))
  }

  private mutating func connectionLost(_ loss: Loss, at now: Instant, _ random: UInt64) -> Action {
    if state == .ready {
      let stood = now.nanoseconds(since: readySince) > lastWaitNanoseconds
      backoff.succeeded(stood: stood)
      if stood { refusals = 0 }
    }
    guard mayGoOn(after: loss) else { return end(wasOpen: true) }
    nextHost()
    return wait(wasOpen: true, at: now, random)
  }

  private mutating func mayGoOn(after loss: Loss) -> Bool {
    switch loss.retry {
    case .worthwhile: return true
    case .pointless: return false
    case .limited:
      refusals = refusals == .max ? .max : refusals &+ 1
      return refusals < settings.refusalLimit
    }
  }

  private mutating func nextHost() { host = host &+ 1 < settings.hostCount ? host &+ 1 : 0 }

  private mutating func wait(wasOpen: Bool, at now: Instant, _ random: UInt64) -> Action {
    guard settings.recovery != .none, case .wait(let nanoseconds) = backoff.next(random: random) else {
      return end(wasOpen: wasOpen)
    }
    state = .waiting
    lastWaitNanoseconds = nanoseconds
    deadline = Deadline(now.adding(nanoseconds: nanoseconds))
    return .drop(wasOpen: wasOpen, then: .wait)
  }

  private mutating func end(wasOpen: Bool) -> Action {
    state = .closed
    deadline = .never
    return .drop(wasOpen: wasOpen, then: .end)
  }
}
