import AMQPBase
import CSystem
import Testing

@testable import AMQPTransport

/// Knows "slow.test", but says so only when it is let. Numeric hosts are the C library's.
private final class SlowNames: Seam, @unchecked Sendable {
  let asked = Gate()
  let mayAnswer = Gate()
  let givenBack = Gate()
  let gone: Gate
  var code: Int32 = 0
  var threadFault: Int32 = 0
  /// What the thread found: whether it was another one, and whether it could take a signal.
  private(set) var caller: pthread_t?
  private(set) var threads = 0
  private(set) var wasOtherThread = false
  private(set) var blocksSignals = false

  init(gone: Gate = Gate()) {
    self.gone = gone
    super.init()
    caller = pthread_self()
  }

  deinit { gone.open() }

  override func lookUp(
    _ host: UnsafePointer<CChar>?, _ service: UnsafePointer<CChar>, _ hints: UnsafePointer<addrinfo>,
    _ addresses: UnsafeMutablePointer<UnsafeMutablePointer<addrinfo>?>
  ) -> Int32 {
    if hints.pointee.ai_flags & AI_NUMERICHOST != 0 { return super.lookUp(host, service, hints, addresses) }
    wasOtherThread = pthread_equal(caller ?? pthread_self(), pthread_self()) == 0
    blocksSignals = isBlocked(SIGTERM) && isBlocked(SIGUSR2)
    asked.open()
    mayAnswer.pass()
    return code == 0 ? super.lookUp("127.0.0.1", service, hints, addresses) : code
  }

  override func startThread(
    _ attributes: UnsafePointer<pthread_attr_t>, _ start: ThreadStart, _ argument: UnsafeMutableRawPointer
  ) -> Int32 {
    threads += 1
    return threadFault == 0 ? super.startThread(attributes, start, argument) : threadFault
  }

  override func freeAddresses(_ addresses: UnsafeMutablePointer<addrinfo>) {
    super.freeAddresses(addresses)
    givenBack.open()
  }
}

@Suite struct ResolverTests {
  @Test func aNameThatIsNotAnsweredIsATimeoutAndTheLateAnswerIsFreed() {
    let gone = Gate()
    do {
      let names = SlowNames(gone: gone)
      let deadline = soon(20)
      #expect(resolve(names, until: deadline) == .timeout)
      #expect(deadline.hasPassed(at: Clock.now()))
      names.mayAnswer.open()
      names.givenBack.pass()
      #expect(names.wasOtherThread)
      #expect(names.blocksSignals)
    }
    // The thread's request holds the last reference: it has freed the request, too.
    gone.pass()
  }

  @Test func anAnswerInTimeIsTaken() {
    let gone = Gate()
    do {
      let names = SlowNames(gone: gone)
      names.mayAnswer.open()
      #expect(resolve(names, until: soon(5_000)) == .ok)
      names.givenBack.pass()
      #expect(names.wasOtherThread)
      #expect(names.threads == 1)
    }
    gone.pass()
  }

  @Test func refusalsKeepTheirKind() {
    let kinds: [(Int32, Status)] = [
      (EAI_NONAME, .hostnameResolutionFailed), (EAI_AGAIN, .hostnameResolutionFailed), (EAI_MEMORY, .noMemory),
    ]
    for (code, status) in kinds {
      for deadline in [Deadline.never, soon(5_000)] {
        let names = SlowNames()
        names.code = code
        names.mayAnswer.open()
        #expect(resolve(names, until: deadline) == status)
      }
    }
  }

  @Test func withoutADeadlineThereIsNoThread() {
    let names = SlowNames()
    names.mayAnswer.open()
    #expect(resolve(names, until: .never) == .ok)
    #expect(names.threads == 0)
    #expect(!names.wasOtherThread)
    #expect(!names.blocksSignals, "the caller's signals are its own")
  }

  @Test func numericHostsNeedNoThread() {
    for host in ["127.0.0.1", "::1"] {
      let names = SlowNames()
      #expect(resolve(names, host, until: Deadline(Instant(nanoseconds: 0))) == .ok)
      #expect(resolve(names, host, until: soon(1_000)) == .ok)
      #expect(names.threads == 0)
    }
  }

  @Test func aNameWithNoTimeIsNotAskedFor() {
    let names = SlowNames()
    #expect(resolve(names, until: Deadline(Instant(nanoseconds: 0))) == .timeout)
    #expect(names.threads == 0)
  }

  @Test func aProcessWithoutThreadsStillGetsItsAnswer() {
    let gone = Gate()
    do {
      let names = SlowNames(gone: gone)
      names.threadFault = EAGAIN
      names.mayAnswer.open()
      #expect(resolve(names, until: soon(5_000)) == .ok)
      #expect(names.threads == 2, "with the stack of its own, then with the default one")
      #expect(!names.wasOtherThread)
      #expect(!names.blocksSignals, "the mask is put back")
    }
    gone.pass()
  }

  @Test func everyPortIsSpelled() {
    for port in [0, 1, 9, 10, 5672, 65_535] as [UInt16] {
      guard case .addresses(let list) = Resolver.resolve(host: "127.0.0.1", port: port, until: .never) else {
        Issue.record("\(port)")
        continue
      }
      let found = list.pointee.ai_addr.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        UInt16(bigEndian: $0.pointee.sin_port)
      }
      #expect(found == port)
      #expect(list.pointee.ai_socktype == system_socket_type)
      Syscalls.freeAddresses(list)
    }
  }

  @Test func aRealNameThatCannotExist() {
    for deadline in [Deadline.never, soon(10_000)] {
      #expect(resolve(Seam(), "no.such.host.invalid", until: deadline) == .hostnameResolutionFailed)
    }
    #expect(resolve(Seam(), "", until: .never) == .hostnameResolutionFailed)
  }

  /// On a thread that takes signals, as a program's does and those of the test runner do not.
  private func resolve(_ seam: Seam, _ host: String = "slow.test", until deadline: Deadline) -> Status {
    takingSignals {
      Seam.with(seam) { answer(host, until: deadline) }
    }
  }

  private func answer(_ host: String, until deadline: Deadline) -> Status {
    switch Resolver.resolve(host: host, port: 5672, until: deadline) {
    case .failed(let status): return status
    case .addresses(let list):
      Syscalls.freeAddresses(list)
      return .ok
    }
  }
}
