// Test builds only: what stands between `Syscalls` and the kernel. Each thread has its own, so that suites may run side by
// side; a resolver thread takes on the seam of the call that started it. Everything not overridden goes to the kernel.
#if SYSCALL_SEAM
  public import AMQPBase
  public import CSystem

  open class Seam: @unchecked Sendable {
    public init() {}

    /// Runs `body` with `seam` in the place of the kernel, on this thread.
    public static func with<R>(_ seam: Seam, _ body: () throws -> R) rethrows -> R {
      let outer = pthread_getspecific(key)
      pthread_setspecific(key, Unmanaged.passUnretained(seam).toOpaque())
      defer {
        pthread_setspecific(key, outer)
        withExtendedLifetime(seam) {}
      }
      return try body()
    }

    static var current: Seam {
      guard let installed = pthread_getspecific(key) else { return kernel }
      return Unmanaged<Seam>.fromOpaque(installed).takeUnretainedValue()
    }

    private static let kernel = Seam()
    private static let key: pthread_key_t = {
      var key = pthread_key_t()
      pthread_key_create(&key, nil)
      return key
    }()

    open func now() -> Instant { Kernel().now() }

    final func nowRoughly() -> Instant { now() }

    /// The count of bytes (0 = the peer has closed) or a negative errno. So for `send` and `peek`.
    open func receive(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
      Kernel().receive(descriptor, room)
    }

    open func receive(
      _ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer, _ rest: UnsafeMutableRawBufferPointer
    ) -> Int {
      Kernel().receive(descriptor, room, rest)
    }

    open func send(_ descriptor: Int32, _ pieces: UnsafeMutablePointer<iovec>, _ count: Int) -> Int {
      Kernel().send(descriptor, pieces, count)
    }

    open func peek(_ descriptor: Int32) -> Int { Kernel().peek(descriptor) }

    open func peek(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
      Kernel().peek(descriptor, room)
    }

    open func hasPeerFinished(_ descriptor: Int32) -> Bool { Kernel().hasPeerFinished(descriptor) }

    /// A fake moves its clock on, at most to `deadline`. `failed(EINTR)` is retried above, as a signal would be.
    open func wait(_ descriptor: Int32, _ interest: Interest, until deadline: Deadline) -> WaitResult {
      Kernel().wait(descriptor, interest, until: deadline)
    }

    open func openForLines(_ path: UnsafePointer<CChar>) -> Int32 { Kernel().openForLines(path) }
    open func duplicateHigh(_ descriptor: Int32) -> Int32 { Kernel().duplicateHigh(descriptor) }
    open func identity(_ descriptor: Int32) -> FileIdentity? { Kernel().identity(descriptor) }

    open func writeLine(_ descriptor: Int32, _ line: UnsafeRawBufferPointer) -> Int {
      Kernel().writeLine(descriptor, line)
    }

    /// A descriptor or a negative errno.
    open func openSocket(_ family: Int32) -> Int32 { Kernel().openSocket(family) }

    /// 0 or an errno; EINPROGRESS leads to a wait for writing and then to `socketError`.
    open func connect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
      Kernel().connect(descriptor, address, length)
    }

    open func socketError(_ descriptor: Int32) -> Int32 { Kernel().socketError(descriptor) }
    open func liveness(_ descriptor: Int32) -> Liveness? { Kernel().liveness(descriptor) }
    open func shutdown(_ descriptor: Int32) { Kernel().shutdown(descriptor) }
    open func close(_ descriptor: Int32) { Kernel().close(descriptor) }

    open func openWakeup() -> Int32 { Kernel().openWakeup() }
    open func wake(_ descriptor: Int32) { Kernel().wake(descriptor) }
    open func clearWakeup(_ descriptor: Int32) { Kernel().clearWakeup(descriptor) }
    open func setKeepalive(_ descriptor: Int32, _ seconds: Int32) { Kernel().setKeepalive(descriptor, seconds) }

    /// `getaddrinfo`. Called with AI_NUMERICHOST first; for names on a thread of its own if there is a deadline.
    open func lookUp(
      _ host: UnsafePointer<CChar>?, _ service: UnsafePointer<CChar>, _ hints: UnsafePointer<addrinfo>,
      _ addresses: UnsafeMutablePointer<UnsafeMutablePointer<addrinfo>?>
    ) -> Int32 {
      Kernel().lookUp(host, service, hints, addresses)
    }

    /// `pthread_create`: 0 or an errno.
    open func startThread(
      _ attributes: UnsafePointer<pthread_attr_t>, _ start: ThreadStart, _ argument: UnsafeMutableRawPointer
    ) -> Int32 {
      Kernel().startThread(attributes, start, argument)
    }

    open func freeAddresses(_ addresses: UnsafeMutablePointer<addrinfo>) { Kernel().freeAddresses(addresses) }
  }
#endif
