// Every system call that the library makes for a connection passes through here, so that tests can make each of them fail. In
// the shipped library `below` is the empty `Kernel` and everything inlines to the bare call; in test builds it is the seam of
// the calling thread.
public import AMQPBase
import CSystem

public enum Syscalls {
  #if SYSCALL_SEAM
    @inline(__always) static var below: Seam { Seam.current }
  #else
    @inline(__always) static var below: Kernel { Kernel() }
  #endif

  @inline(__always) static func receive(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      let count = below.receive(descriptor, room)
      if count != -Int(EINTR) { return count }
    }
  }

  @inline(__always) static func receive(
    _ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer, _ rest: UnsafeMutableRawBufferPointer
  ) -> Int {
    while true {
      let count = below.receive(descriptor, room, rest)
      if count != -Int(EINTR) { return count }
    }
  }

  @inline(__always)
  static func send(_ descriptor: Int32, _ pieces: UnsafeMutablePointer<iovec>, _ count: Int) -> Int {
    while true {
      let sent = below.send(descriptor, pieces, count)
      if sent != -Int(EINTR) { return sent }
    }
  }

  static func peek(_ descriptor: Int32) -> Int {
    while true {
      let count = below.peek(descriptor)
      if count != -Int(EINTR) { return count }
    }
  }

  static func peek(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      let count = below.peek(descriptor, room)
      if count != -Int(EINTR) { return count }
    }
  }

  static func hasPeerFinished(_ descriptor: Int32) -> Bool { below.hasPeerFinished(descriptor) }

  /// Signals do not end a wait; the time left is worked out anew after each.
  @inline(__always)
  static func wait(_ descriptor: Int32, _ interest: Interest, until deadline: Deadline) -> WaitResult {
    while true {
      let result = below.wait(descriptor, interest, until: deadline)
      if result != .failed(errno: EINTR) { return result }
    }
  }

  /// A connect that a signal interrupts goes on without us, as one that takes its time does.
  static func connect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    let code = below.connect(descriptor, address, length)
    return code == EINTR ? EINPROGRESS : code
  }

  /// False when the line was not written, or not the whole of it.
  static func writeLine(_ descriptor: Int32, _ line: UnsafeRawBufferPointer) -> Bool {
    while true {
      let count = below.writeLine(descriptor, line)
      if count != -Int(EINTR) { return count == line.count }
    }
  }

  static func openForLines(_ path: UnsafePointer<CChar>) -> Int32 { below.openForLines(path) }
  static func duplicateHigh(_ descriptor: Int32) -> Int32 { below.duplicateHigh(descriptor) }
  static func identity(_ descriptor: Int32) -> FileIdentity? { below.identity(descriptor) }
  static func openSocket(_ family: Int32) -> Int32 { below.openSocket(family) }
  static func socketError(_ descriptor: Int32) -> Int32 { below.socketError(descriptor) }
  static func liveness(_ descriptor: Int32) -> Liveness? { below.liveness(descriptor) }
  static func shutdown(_ descriptor: Int32) { below.shutdown(descriptor) }
  static func close(_ descriptor: Int32) { below.close(descriptor) }
  static func freeAddresses(_ addresses: UnsafeMutablePointer<addrinfo>) { below.freeAddresses(addresses) }
  @inline(__always) static func now() -> Instant { below.now() }
  @inline(__always) static func nowRoughly() -> Instant { below.nowRoughly() }
}

/// The monotonic clock, read without entering the kernel.
public enum Clock {
  @inline(__always) public static func now() -> Instant { Syscalls.now() }
  /// The same as of the kernel's last tick, some milliseconds ago, for a fraction of the price.
  @inline(__always) public static func nowRoughly() -> Instant { Syscalls.nowRoughly() }
}
