// The system calls, bare: one call each, the answer or a negative errno, no retry, no policy. Nothing else in the library calls
// the operating system for a connection. `Syscalls` stands above; in tests a `Seam` stands between the two.
import AMQPBase
import CSystem

public typealias ThreadStart = @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?

struct Kernel {
  @inline(__always) init() {}

  @inline(__always) func now() -> Instant { now(by: CLOCK_MONOTONIC) }

  @inline(__always) func nowRoughly() -> Instant { now(by: CLOCK_MONOTONIC_COARSE) }

  @inline(__always) private func now(by clock: clockid_t) -> Instant {
    var time = timespec()
    _ = clock_gettime(clock, &time)
    let seconds = UInt64(truncatingIfNeeded: time.tv_sec)
    return Instant(nanoseconds: seconds &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec))
  }

  @inline(__always) func receive(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
    let count = recv(descriptor, room.baseAddress, room.count, system_message_look)
    return count >= 0 ? count : failure()
  }

  /// Into `room`, and what it does not hold into `rest`.
  @inline(__always) func receive(
    _ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer, _ rest: UnsafeMutableRawBufferPointer
  ) -> Int {
    var pieces = (
      iovec(iov_base: room.baseAddress, iov_len: room.count), iovec(iov_base: rest.baseAddress, iov_len: rest.count)
    )
    let count = withUnsafeMutableBytes(of: &pieces) { pieces in
      var message = msghdr()
      message.msg_iov = pieces.baseAddress?.assumingMemoryBound(to: iovec.self)
      message.msg_iovlen = 2
      return recvmsg(descriptor, &message, system_message_look)
    }
    return count >= 0 ? count : failure()
  }

  @inline(__always) func send(_ descriptor: Int32, _ pieces: UnsafeMutablePointer<iovec>, _ count: Int) -> Int {
    // The kernel copies less of a plain send than of a message header and its vector.
    if count == 1 {
      let sent = CSystem.send(descriptor, pieces.pointee.iov_base, pieces.pointee.iov_len, system_message_send)
      return sent >= 0 ? sent : failure()
    }
    var message = msghdr()
    message.msg_iov = pieces
    message.msg_iovlen = .init(truncatingIfNeeded: count)
    let sent = sendmsg(descriptor, &message, system_message_send)
    return sent >= 0 ? sent : failure()
  }

  func peek(_ descriptor: Int32) -> Int {
    var octet: UInt8 = 0
    let count = recv(descriptor, &octet, 1, system_message_peek)
    return count >= 0 ? count : failure()
  }

  func peek(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
    let count = recv(descriptor, room.baseAddress, room.count, system_message_peek)
    return count >= 0 ? count : failure()
  }

  /// Wherever the reader is: the peer's FIN or RST shows before what was sent in front of it is read.
  func hasPeerFinished(_ descriptor: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: system_poll_peer_closed, revents: 0)
    var none = timespec()
    return ppoll(&entry, 1, &none, nil) == 1 && entry.revents & system_poll_invalid == 0
  }

  /// One `ppoll`: exact to the kernel's timer, and never shorter than asked. A signal makes it `failed(EINTR)`.
  @inline(__always) func wait(_ descriptor: Int32, _ interest: Interest, until deadline: Deadline) -> WaitResult {
    // A negative descriptor would be skipped by the kernel, and the wait would last for ever.
    guard descriptor >= 0 else { return .failed(errno: EBADF) }
    var entry = pollfd(fd: descriptor, events: interest.pollEvents, revents: 0)
    let ready: Int32
    if deadline.isNever {
      ready = ppoll(&entry, 1, nil, nil)
    } else {
      var left = timespec(nanoseconds: deadline.remaining(from: now()))
      ready = ppoll(&entry, 1, &left, nil)
    }
    if ready < 0 { return .failed(errno: system_errno()) }
    if ready == 0 { return .timedOut }
    return interest.outcome(entry.revents)
  }

  /// A new TCP socket, as programs expect to find it behind `amqp_get_sockfd`: non-blocking, closed on exec, no delay, keepalive.
  func openSocket(_ family: Int32) -> Int32 {
    let descriptor = socket(family, system_socket_stream, system_protocol_tcp)
    guard descriptor >= 0 else { return -system_errno() }
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    guard setsockopt(descriptor, system_protocol_tcp, TCP_NODELAY, &on, size) == 0,
      setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, size) == 0
    else {
      let code = system_errno()
      close(descriptor)
      return -code
    }
    return descriptor
  }

  /// 0 or an errno.
  func connect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    CSystem.connect(descriptor, address, length) == 0 ? 0 : system_errno()
  }

  /// The outcome of a connect that has been waited for: 0 or an errno.
  func socketError(_ descriptor: Int32) -> Int32 {
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : system_errno()
  }

  func shutdown(_ descriptor: Int32) {
    _ = CSystem.shutdown(descriptor, system_shut_both)
  }

  /// Not repeated after EINTR: Linux has given the number back by then, and another thread may own it already.
  func close(_ descriptor: Int32) {
    _ = CSystem.close(descriptor)
  }

  func lookUp(
    _ host: UnsafePointer<CChar>?, _ service: UnsafePointer<CChar>, _ hints: UnsafePointer<addrinfo>,
    _ addresses: UnsafeMutablePointer<UnsafeMutablePointer<addrinfo>?>
  ) -> Int32 {
    getaddrinfo(host, service, hints, addresses)
  }

  func freeAddresses(_ addresses: UnsafeMutablePointer<addrinfo>) {
    freeaddrinfo(addresses)
  }

  /// 0 or an errno. The thread is never joined: `attributes` must say detached.
  func startThread(
    _ attributes: UnsafePointer<pthread_attr_t>, _ start: ThreadStart, _ argument: UnsafeMutableRawPointer
  ) -> Int32 {
    var thread = pthread_t()
    return pthread_create(&thread, attributes, start, argument)
  }

  /// A descriptor or a negative errno.
  func openForLines(_ path: UnsafePointer<CChar>) -> Int32 {
    let descriptor = system_open_for_lines(path)
    return descriptor >= 0 ? descriptor : -system_errno()
  }

  /// As `openForLines`.
  func duplicateHigh(_ descriptor: Int32) -> Int32 {
    let high = system_duplicate_high(descriptor)
    return high >= 0 ? high : -system_errno()
  }

  /// Nil for a number that stands for no file.
  func identity(_ descriptor: Int32) -> FileIdentity? {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }

  /// All of a short text into a descriptor that may be anything, or a negative errno. Does not wait, and raises none of the signals
  /// that end or stop a process: those of a pipe that nobody reads, of a file at the limit of its size, and of a terminal that
  /// another process group has.
  func writeLine(_ descriptor: Int32, _ line: UnsafeRawBufferPointer) -> Int {
    var entry = pollfd(fd: descriptor, events: system_poll_out, revents: 0)
    var none = timespec()
    guard ppoll(&entry, 1, &none, nil) == 1 else { return -Int(EAGAIN) }
    var (raised, before, pending) = (sigset_t(), sigset_t(), sigset_t())
    sigemptyset(&raised)
    sigaddset(&raised, SIGPIPE)
    sigaddset(&raised, SIGXFSZ)
    sigaddset(&raised, SIGTTOU)
    guard pthread_sigmask(SIG_BLOCK, &raised, &before) == 0 else { return -Int(EAGAIN) }
    sigpending(&pending)
    let count = write(descriptor, line.baseAddress, line.count)
    let code = count < 0 ? system_errno() : 0
    // Ours and not one that the program held back before.
    let signal = code == EPIPE ? SIGPIPE : code == EFBIG ? SIGXFSZ : 0
    if signal != 0, sigismember(&pending, signal) == 0 {
      sigemptyset(&raised)
      sigaddset(&raised, signal)
      sigtimedwait(&raised, nil, &none)
    }
    pthread_sigmask(SIG_SETMASK, &before, nil)
    return count < 0 ? -Int(code) : count
  }

  /// A descriptor or a negative errno.
  func openWakeup() -> Int32 {
    let descriptor = eventfd(0, system_wakeup_flags)
    return descriptor >= 0 ? descriptor : -system_errno()
  }

  func wake(_ descriptor: Int32) { _ = eventfd_write(descriptor, 1) }

  func clearWakeup(_ descriptor: Int32) {
    var count: eventfd_t = 0
    _ = eventfd_read(descriptor, &count)
  }

  /// Seconds before the first probe of a silent peer, and between probes; 0: none.
  func setKeepalive(_ descriptor: Int32, _ seconds: Int32) {
    var isOn: Int32 = seconds > 0 ? 1 : 0
    var interval = seconds
    let size = socklen_t(MemoryLayout<Int32>.size)
    _ = setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &isOn, size)
    guard seconds > 0 else { return }
    _ = setsockopt(descriptor, system_protocol_tcp, TCP_KEEPIDLE, &interval, size)
    _ = setsockopt(descriptor, system_protocol_tcp, TCP_KEEPINTVL, &interval, size)
  }

  @inline(__always) private func failure() -> Int {
    -Int(system_errno())
  }
}

extension Interest {
  @inline(__always) fileprivate var pollEvents: Int16 {
    switch self {
    case .read: system_poll_in
    // A peer that has gone will make no room: the writer wakes too.
    case .write: system_poll_out | system_poll_peer_closed
    case .readOrWrite: system_poll_in | system_poll_out
    }
  }

  /// Errors and hang-ups count as ready for whatever was asked.
  @inline(__always) fileprivate func outcome(_ events: Int16) -> WaitResult {
    if events & system_poll_invalid != 0 { return .failed(errno: EBADF) }
    guard self == .readOrWrite else { return .ready(self) }
    switch (events & system_poll_in != 0, events & system_poll_out != 0) {
    case (true, false): return .ready(.read)
    case (false, true): return .ready(.write)
    case (true, true), (false, false): return .ready(.readOrWrite)
    }
  }
}

extension timespec {
  @inline(__always) init(nanoseconds: UInt64) {
    self.init(
      tv_sec: .init(truncatingIfNeeded: nanoseconds / 1_000_000_000),
      tv_nsec: .init(truncatingIfNeeded: nanoseconds % 1_000_000_000))
  }
}
