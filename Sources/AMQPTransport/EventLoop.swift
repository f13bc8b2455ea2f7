// Where a blocking call waits for its one socket.
//
// One `ppoll` per wait and no state at all, on purpose. A private libevent base would do the same `poll` underneath, but it
// brings a pipe with it, two descriptors for each loop, whose numbers a program that closes its socket twice can close under
// us; it ends the process when it cannot have them; and it has memory to run out of. Here there is nothing to create, to
// repair after fork, or to free. libevent serves where many descriptors share a loop.
public import AMQPBase

/// Not for use by two threads at once: a side of a connection (receiving, sending) has one of its own.
public struct EventLoop: ~Copyable {
  @inline(__always) public init() {}

  /// Waits until an attempt on `descriptor` would not block. A deadline in the past makes it one look that does not wait.
  ///
  /// Never early, late only by the kernel's timer slack; any distance in time is fine; signals do not end it.
  @inline(__always)
  public mutating func wait(descriptor: Int32, interest: Interest, until deadline: Deadline) -> WaitResult {
    Syscalls.wait(descriptor, interest, until: deadline)
  }
}
