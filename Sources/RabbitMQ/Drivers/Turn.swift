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
  mutating func take() { _ = pthread_mutex_lock(&mutex) }
  mutating func tryTake() -> Bool { pthread_mutex_trylock(&mutex) == 0 }
  mutating func give() { _ = pthread_mutex_unlock(&mutex) }
}
