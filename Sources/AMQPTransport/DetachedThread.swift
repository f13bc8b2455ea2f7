import CSystem

/// A thread that nobody joins. The process's signals belong to its own threads: here all are blocked.
public enum DetachedThread {
  /// `stackSize` in bytes. False when there can be no thread.
  public static func start(stackSize: Int, _ run: ThreadStart, _ argument: UnsafeMutableRawPointer) -> Bool {
    var attributes = pthread_attr_t()
    guard pthread_attr_init(&attributes) == 0 else { return false }
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, system_thread_detached)
    pthread_attr_setstacksize(&attributes, stackSize)
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    if Syscalls.below.startThread(&attributes, run, argument) == 0 { return true }
    // A program with much thread-local storage needs a larger stack than ours.
    var plain = pthread_attr_t()
    guard pthread_attr_init(&plain) == 0 else { return false }
    defer { pthread_attr_destroy(&plain) }
    pthread_attr_setdetachstate(&plain, system_thread_detached)
    return Syscalls.below.startThread(&plain, run, argument) == 0
  }
}
