// Names to addresses, under a deadline.
//
// `getaddrinfo` cannot be told when to stop. Numeric hosts never reach a name server and are converted in place; so are names
// when there is no deadline. Otherwise a detached thread asks, and the caller waits for it on a condition variable as long
// as it may. The two share one malloc'ed request: whichever of them is done with it last frees it, the thread if the
// caller has given up (under the mutex that decides which it is).
public import AMQPBase
import CSystem

enum Resolution {
  /// To be given back by `Syscalls.freeAddresses`.
  case addresses(UnsafeMutablePointer<addrinfo>)
  case failed(Status)
}

enum Resolver {
  /// `host` nil is this machine, as `getaddrinfo` has it.
  static func resolve(host: UnsafePointer<CChar>?, port: UInt16, until deadline: Deadline) -> Resolution {
    withService(port, else: .failed(.noMemory)) { service in
      guard let host, !isAddress(host) else { return ask(host, service, flags: AI_NUMERICHOST | AI_NUMERICSERV) }
      if deadline.isNever { return ask(host, service, flags: AI_NUMERICSERV) }
      if deadline.hasPassed(at: Clock.now()) { return .failed(.timeout) }
      guard let request = ResolverRequest.make(host, service) else { return .failed(.noMemory) }
      guard ResolverThread.start(request) else {
        // A process that may not have another thread still gets its answer, be it late.
        ResolverRequest.free(request)
        return ask(host, service, flags: AI_NUMERICSERV)
      }
      return ResolverRequest.answer(request, until: deadline)
    }
  }

  /// Whether the host is written as numbers, an IPv6 address with the name of its interface included.
  fileprivate static func isAddress(_ host: UnsafePointer<CChar>) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { binary in
      inet_pton(AF_INET, host, binary.baseAddress) == 1 || inet_pton(AF_INET6, host, binary.baseAddress) == 1
        || strchr(host, Int32(UInt8(ascii: "%"))) != nil
    }
  }

  fileprivate static func hints(_ flags: Int32) -> addrinfo {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = system_socket_type
    hints.ai_protocol = system_protocol_tcp
    hints.ai_flags = flags
    return hints
  }

  fileprivate static func ask(
    _ host: UnsafePointer<CChar>?, _ service: UnsafePointer<CChar>, flags: Int32
  ) -> Resolution {
    var wanted = hints(flags)
    var addresses: UnsafeMutablePointer<addrinfo>?
    let code = Syscalls.below.lookUp(host, service, &wanted, &addresses)
    return resolution(code, addresses)
  }

  fileprivate static func resolution(_ code: Int32, _ addresses: UnsafeMutablePointer<addrinfo>?) -> Resolution {
    if code == 0, let addresses { return .addresses(addresses) }
    return .failed(code == EAI_MEMORY ? .noMemory : .hostnameResolutionFailed)
  }

  /// The port in decimal digits: with no service, `getaddrinfo` refuses a host that is nil.
  fileprivate static func withService<Result>(
    _ port: UInt16, else failure: Result, _ body: (UnsafePointer<CChar>) -> Result
  ) -> Result {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 8) { digits in
      guard let base = digits.baseAddress else { return failure }
      var position = 7
      var rest = port
      base[position] = 0
      repeat {
        position &-= 1
        base[position] = CChar(truncatingIfNeeded: 48 &+ rest % 10)
        rest /= 10
      } while rest > 0
      return body(UnsafePointer(base + position))
    }
  }
}

/// What the caller and the thread share.
struct ResolverRequest {
  let mutex: UnsafeMutablePointer<pthread_mutex_t>
  let answered: UnsafeMutablePointer<pthread_cond_t>
  let host: UnsafeMutablePointer<CChar>
  let service: UnsafeMutablePointer<CChar>
  var isAnswered = false
  var isAbandoned = false
  var code: Int32 = 0
  var addresses: UnsafeMutablePointer<addrinfo>?
  /// Called by the thread instead of the condition, for a caller that does not wait. It must not take long.
  var notify: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
  var context: UnsafeMutableRawPointer?
  #if SYSCALL_SEAM
    let seam = Unmanaged.passRetained(Seam.current)
  #endif

  static func make(
    _ host: UnsafePointer<CChar>, _ service: UnsafePointer<CChar>
  ) -> UnsafeMutablePointer<ResolverRequest>? {
    let memory = malloc(MemoryLayout<ResolverRequest>.size)
    let mutex = malloc(MemoryLayout<pthread_mutex_t>.size)
    let answered = malloc(MemoryLayout<pthread_cond_t>.size)
    let host = strdup(host)
    let service = strdup(service)
    guard let memory, let mutex, let answered, let host, let service else {
      CSystem.free(memory)
      CSystem.free(mutex)
      CSystem.free(answered)
      CSystem.free(host)
      CSystem.free(service)
      return nil
    }
    let request = memory.assumingMemoryBound(to: ResolverRequest.self)
    request.initialize(
      to: ResolverRequest(
        mutex: mutex.assumingMemoryBound(to: pthread_mutex_t.self),
        answered: answered.assumingMemoryBound(to: pthread_cond_t.self), host: host, service: service))
    pthread_mutex_init(request.pointee.mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    // Setting the wall clock must not change how long a connect may take.
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(request.pointee.answered, &attributes)
    pthread_condattr_destroy(&attributes)
    return request
  }

  static func free(_ request: UnsafeMutablePointer<ResolverRequest>) {
    #if SYSCALL_SEAM
      request.pointee.seam.release()
    #endif
    pthread_cond_destroy(request.pointee.answered)
    pthread_mutex_destroy(request.pointee.mutex)
    CSystem.free(request.pointee.host)
    CSystem.free(request.pointee.service)
    CSystem.free(request.pointee.answered)
    CSystem.free(request.pointee.mutex)
    CSystem.free(request)
  }

  /// The caller's half: waits, then takes the answer or leaves the request to the thread.
  static func answer(_ request: UnsafeMutablePointer<ResolverRequest>, until deadline: Deadline) -> Resolution {
    var end = timespec(nanoseconds: deadline.remaining(from: Instant(nanoseconds: 0)))
    pthread_mutex_lock(request.pointee.mutex)
    var outcome: Int32 = 0
    while !request.pointee.isAnswered && outcome == 0 {
      outcome = pthread_cond_timedwait(request.pointee.answered, request.pointee.mutex, &end)
    }
    let isAnswered = request.pointee.isAnswered
    request.pointee.isAbandoned = !isAnswered
    pthread_mutex_unlock(request.pointee.mutex)
    guard isAnswered else { return .failed(.timeout) }
    let resolution = Resolver.resolution(request.pointee.code, request.pointee.addresses)
    free(request)
    return resolution
  }

  /// The thread's half.
  static func serve(_ request: UnsafeMutablePointer<ResolverRequest>) {
    var wanted = Resolver.hints(AI_NUMERICSERV)
    var addresses: UnsafeMutablePointer<addrinfo>?
    let code = Syscalls.below.lookUp(request.pointee.host, request.pointee.service, &wanted, &addresses)
    pthread_mutex_lock(request.pointee.mutex)
    let isAbandoned = request.pointee.isAbandoned
    request.pointee.code = code
    request.pointee.addresses = addresses
    request.pointee.isAnswered = true
    if !isAbandoned {
      // Under the mutex: once the request is given up, what `context` points to may be gone.
      if let notify = request.pointee.notify {
        notify(request.pointee.context)
      } else {
        pthread_cond_signal(request.pointee.answered)
      }
    }
    pthread_mutex_unlock(request.pointee.mutex)
    // Not abandoned: the request is the caller's from the unlock on.
    guard isAbandoned else { return }
    if code == 0, let addresses { Syscalls.freeAddresses(addresses) }
    free(request)
  }
}

enum ResolverThread {
  /// Bytes. Name service modules are other people's code and keep buffers on the stack; only what is touched costs memory.
  private static var stackSize: Int { 512 * 1024 }

  /// False when there can be no thread; the request is then still the caller's.
  static func start(_ request: UnsafeMutablePointer<ResolverRequest>) -> Bool {
    DetachedThread.start(stackSize: stackSize, run, request)
  }

  private static var run: ThreadStart {
    { argument in
      guard let request = argument?.assumingMemoryBound(to: ResolverRequest.self) else { return nil }
      #if SYSCALL_SEAM
        let seam = request.pointee.seam.takeUnretainedValue()
        Seam.with(seam) { ResolverRequest.serve(request) }
      #else
        ResolverRequest.serve(request)
      #endif
      return nil
    }
  }
}

/// A name that is looked up while its caller does something else.
public struct NameLookup {
  fileprivate let request: UnsafeMutablePointer<ResolverRequest>

  public enum Answer {
    case addresses(AddressList)
    /// `notify` will be called, on another thread: then `take` has the answer.
    case pending(NameLookup)
    case failed(Status)
  }

  /// `notify` is called while the lookup is held: it must neither take long nor end it. Numbers are answered at once.
  public static func start(
    host: UnsafePointer<CChar>, port: UInt16, context: UnsafeMutableRawPointer?,
    notify: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Void
  ) -> Answer {
    Resolver.withService(port, else: .failed(.noMemory)) { service in
      if Resolver.isAddress(host) {
        return answer(Resolver.ask(host, service, flags: AI_NUMERICHOST | AI_NUMERICSERV))
      }
      guard let request = ResolverRequest.make(host, service) else { return .failed(.noMemory) }
      request.pointee.notify = notify
      request.pointee.context = context
      guard ResolverThread.start(request) else {
        ResolverRequest.free(request)
        return .failed(.noMemory)
      }
      return .pending(NameLookup(request: request))
    }
  }

  /// The end of the lookup, with its answer; before `notify` only `pending`.
  public func take() -> Answer {
    pthread_mutex_lock(request.pointee.mutex)
    let isAnswered = request.pointee.isAnswered
    pthread_mutex_unlock(request.pointee.mutex)
    guard isAnswered else { return .pending(self) }
    let resolution = Resolver.resolution(request.pointee.code, request.pointee.addresses)
    ResolverRequest.free(request)
    return NameLookup.answer(resolution)
  }

  /// The end of the lookup without its answer. After it `notify` is not called any more.
  public func abandon() {
    pthread_mutex_lock(request.pointee.mutex)
    let isAnswered = request.pointee.isAnswered
    request.pointee.isAbandoned = true
    pthread_mutex_unlock(request.pointee.mutex)
    guard isAnswered else { return }
    if let addresses = request.pointee.addresses { Syscalls.freeAddresses(addresses) }
    ResolverRequest.free(request)
  }

  private static func answer(_ resolution: Resolution) -> Answer {
    switch resolution {
    case .addresses(let first): .addresses(AddressList(first))
    case .failed(let status): .failed(status)
    }
  }
}

/// The addresses of a host, tried from the first on.
public struct AddressList {
  private var first: UnsafeMutablePointer<addrinfo>?
  private var next: UnsafeMutablePointer<addrinfo>?

  public enum Attempt {
    case connected(descriptor: Int32)
    /// Writable when it has come to something: then `outcome` says to what.
    case underWay(descriptor: Int32)
    case failed(errno: Int32)
    /// There is no further address.
    case exhausted
  }

  public init() {}

  fileprivate init(_ list: UnsafeMutablePointer<addrinfo>) {
    first = list
    next = list
  }

  /// Addresses that were not tried yet.
  public var left: UInt64 {
    var count: UInt64 = 0
    var address = next
    while let current = address {
      count &+= 1
      address = current.pointee.ai_next
    }
    return count
  }

  /// Begins to connect to the next address.
  public mutating func connect() -> Attempt {
    guard let address = next else { return .exhausted }
    next = address.pointee.ai_next
    guard let location = address.pointee.ai_addr else { return .failed(errno: EADDRNOTAVAIL) }
    let descriptor = Syscalls.openSocket(address.pointee.ai_family)
    guard descriptor >= 0 else { return .failed(errno: 0 &- descriptor) }
    let code = Syscalls.connect(descriptor, location, address.pointee.ai_addrlen)
    if code == 0 { return .connected(descriptor: descriptor) }
    if code == EINPROGRESS { return .underWay(descriptor: descriptor) }
    Syscalls.close(descriptor)
    return .failed(errno: code)
  }

  /// What became of an attempt that was under way: 0 or an errno.
  public static func outcome(_ descriptor: Int32) -> Int32 { Syscalls.socketError(descriptor) }

  public static func setKeepalive(_ descriptor: Int32, seconds: Int32) {
    Syscalls.below.setKeepalive(descriptor, seconds)
  }

  public mutating func free() {
    if let first { Syscalls.freeAddresses(first) }
    (first, next) = (nil, nil)
  }
}
