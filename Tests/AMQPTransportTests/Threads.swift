import CSystem

@testable import AMQPTransport

/// A thread of the C library: Swift's own pool must not be blocked.
final class Thread {
  private var thread = pthread_t()

  init(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Box(body))
    pthread_create(&thread, nil, { Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().run() }, box.toOpaque())
  }

  func join() { pthread_join(thread, nil) }

  private final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    func run() -> UnsafeMutableRawPointer? {
      body()
      return nil
    }
  }
}

func pause(milliseconds count: UInt64) {
  var time = timespec(nanoseconds: milliseconds(count))
  var left = timespec()
  while nanosleep(&time, &left) != 0 { time = left }
}

func processorTime() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

func isBlocked(_ signal: Int32) -> Bool {
  var mask = sigset_t()
  pthread_sigmask(SIG_BLOCK, nil, &mask)
  return sigismember(&mask, signal) == 1
}

/// Runs `body` with SIGUSR1, SIGUSR2 and SIGTERM let through: the threads of the test runner block all signals.
func takingSignals<R>(_ body: () throws -> R) rethrows -> R {
  var some = sigset_t()
  var before = sigset_t()
  for signal in [SIGUSR1, SIGUSR2, SIGTERM] { sigaddset(&some, signal) }
  pthread_sigmask(SIG_UNBLOCK, &some, &before)
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  return try body()
}

/// Swift refuses `fork` by name; the child may do nothing but what is safe after it.
@_silgen_name("fork") func forkProcess() -> Int32

@_silgen_name("waitpid")
func waitForProcess(_ child: Int32, _ status: UnsafeMutablePointer<Int32>, _ options: Int32) -> Int32

/// `open` is variadic, which Swift does not import.
@_silgen_name("open") func openFile(_ path: UnsafePointer<CChar>, _ flags: Int32) -> Int32
