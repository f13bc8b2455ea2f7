// Heartbeats in the background: one thread for the process, for the connections that asked for it, while there are any.
//
// It waits on a condition variable and so needs no descriptor, whose number a program could close. It goes round the
// connections when the first of them is due, and serves those too whose time is near, so that thousands cost a few rounds
// per heartbeat interval. It works on a connection while it holds the lock: who has left the list is left alone.
//
// It never waits for a turn, since who has one may wait for the lock, or for a broker.

import AMQPBase
import AMQPEngine
import AMQPTransport
import CSystem

/// A connection's place in the keeper's list. Belongs to who holds the lock.
struct KeeperPlace {
  var previous: Connection.Handle?
  var next: Connection.Handle?
  /// Of the process in whose list the connection is; 0: in none.
  var generation: UInt32 = 0
}

enum HeartbeatKeeper {
  /// Bytes. What TLS needs is far less, and only what is touched costs memory.
  private static var stackSize: Int { 128 * 1024 &+ process_thread_local_octets() }
  /// Nanoseconds between two rounds, at least.
  private static var step: UInt64 { 20_000_000 }
  /// Connections that are looked at before others may have the lock.
  private static var batch: Int { 64 }

  private static var keeper: UnsafeMutablePointer<process_keeper> {
    @inline(__always) get { process_get_keeper() }
  }

  private static func locked<Result>(_ work: () -> Result) -> Result {
    _ = pthread_mutex_lock(&keeper.pointee.lock)
    defer { _ = pthread_mutex_unlock(&keeper.pointee.lock) }
    return work()
  }

  // MARK: The list

  /// Has the connection kept from now on. It must not be in use by another thread for anything but sending and receiving.
  static func join(_ connection: Connection.Handle) -> Status {
    process_watch_fork()
    if case .tls = Socket.transport(of: connection.pointee.socket) { process_watch_exit() }
    let monitor = connection.pointee.monitor.current
    return locked {
      if keeper.pointee.is_over { return .ok }
      if !isListed(connection) { enter(connection) }
      guard keeper.pointee.is_running || start() else {
        remove(connection)
        return .noMemory
      }
      call(at: min(monitor.nextSend, monitor.deathDeadline))
      return .ok
    }
  }

  /// When this returns the keeper is not in the connection and does not come back.
  static func leave(_ connection: Connection.Handle) {
    locked {
      guard isListed(connection) else { return }
      remove(connection)
      if first == nil { call(at: Deadline(Instant(nanoseconds: 0))) }
    }
  }

  private static var first: Connection.Handle? { keeper.pointee.first?.assumingMemoryBound(to: Connection.self) }
  private static var next: Connection.Handle? { keeper.pointee.next?.assumingMemoryBound(to: Connection.self) }

  private static func isListed(_ connection: Connection.Handle) -> Bool {
    connection.pointee.keeping.generation == keeper.pointee.generation
  }

  private static func enter(_ connection: Connection.Handle) {
    connection.pointee.keeping = KeeperPlace(previous: nil, next: first, generation: keeper.pointee.generation)
    first?.pointee.keeping.previous = connection
    keeper.pointee.first = UnsafeMutableRawPointer(connection)
  }

  private static func remove(_ connection: Connection.Handle) {
    let place = connection.pointee.keeping
    let following = place.next.map { UnsafeMutableRawPointer($0) }
    if let previous = place.previous {
      previous.pointee.keeping.next = place.next
    } else {
      keeper.pointee.first = following
    }
    place.next?.pointee.keeping.previous = place.previous
    if next == connection { keeper.pointee.next = following }
    connection.pointee.keeping = KeeperPlace()
  }

  /// Sees to it that the next round begins at `deadline` or before.
  private static func call(at deadline: Deadline) {
    let wake = deadline.instant?.nanoseconds ?? .max
    guard wake < keeper.pointee.wake else { return }
    keeper.pointee.wake = wake
    _ = pthread_cond_signal(&keeper.pointee.changed)
  }

  // MARK: The thread

  private static func start() -> Bool {
    keeper.pointee.is_running = DetachedThread.start(stackSize: stackSize, run, UnsafeMutableRawPointer(keeper))
    return keeper.pointee.is_running
  }

  private static var run: ThreadStart {
    { _ in
      HeartbeatKeeper.serve()
      return nil
    }
  }

  private static func serve() {
    process_keeper_begin()
    locked {
      while first != nil, !keeper.pointee.is_over {
        if Clock.now().nanoseconds >= keeper.pointee.wake { goRound() } else { process_keeper_wait() }
      }
      keeper.pointee.is_running = false
    }
  }

  private static func goRound() {
    var now = Clock.now()
    let begin = now
    var wake = Deadline.never
    var looks = 0
    keeper.pointee.wake = .max
    keeper.pointee.next = keeper.pointee.first
    while let connection = next, !keeper.pointee.is_over {
      keeper.pointee.next = connection.pointee.keeping.next.map { UnsafeMutableRawPointer($0) }
      if let deadline = BlockingDriver(connection).keep(now) {
        wake = min(wake, deadline)
      } else {
        remove(connection)
      }
      looks &+= 1
      if looks % batch == 0 {
        letOthersIn()
        now = Clock.now()
      }
    }
    wake = max(wake, Deadline(begin.adding(nanoseconds: step)))
    keeper.pointee.wake = min(keeper.pointee.wake, wake.instant?.nanoseconds ?? .max)
  }

  private static func letOthersIn() {
    _ = pthread_mutex_unlock(&keeper.pointee.lock)
    _ = sched_yield()
    _ = pthread_mutex_lock(&keeper.pointee.lock)
  }
}
