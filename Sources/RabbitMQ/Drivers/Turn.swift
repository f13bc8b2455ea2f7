import AMQPBase
import CRabbitMQ
import CSystem

/// Whose turn it is on one side of a connection. Lives at a fixed address, in the connection.
///
/// Held by the call that sends or receives for as long as it does so, waits included: frames must not mix. Who only wants
/// to serve heartbeats tries, and leaves it when the side is busy.
struct Turn: ~Copyable {
  private var mutex = pthread_mutex_t()

  init() {}

  mutating func prepare() -> Bool { pthread_mutex_init(&mutex, nil) == 0 }
  mutating func dispose() { _ = pthread_mutex_destroy(&mutex) }
  mutating func tryTake() -> Bool { pthread_mutex_trylock(&mutex) == 0 }

  /// Waits for it; false when it was not to be had in time.
  @inline(__always)
  mutating func take(until deadline: Deadline) -> Bool { tryTake() || takeLater(until: deadline) }

  @inline(never)
  private mutating func takeLater(until deadline: Deadline) -> Bool {
    guard let instant = deadline.instant else { return pthread_mutex_lock(&mutex) == 0 }
    let (seconds, nanoseconds) = instant.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    var time = timespec(tv_sec: Int(truncatingIfNeeded: seconds), tv_nsec: Int(truncatingIfNeeded: nanoseconds))
    return pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &time) == 0
  }

  mutating func give() { _ = pthread_mutex_unlock(&mutex) }
}
