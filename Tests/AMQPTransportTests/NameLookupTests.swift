import AMQPBase
import CSystem
import Testing

@testable import AMQPTransport

/// Knows every name, and says so when it is let.
private final class Names: Seam, @unchecked Sendable {
  let mayAnswer = Gate()
  let notified = Gate()
  let gone: Gate
  var code: Int32 = 0
  var threadFault: Int32 = 0
  private(set) var freed = 0

  init(gone: Gate = Gate()) { self.gone = gone }
  deinit { gone.open() }

  override func lookUp(
    _ host: UnsafePointer<CChar>?, _ service: UnsafePointer<CChar>, _ hints: UnsafePointer<addrinfo>,
    _ addresses: UnsafeMutablePointer<UnsafeMutablePointer<addrinfo>?>
  ) -> Int32 {
    if hints.pointee.ai_flags & AI_NUMERICHOST != 0 { return super.lookUp(host, service, hints, addresses) }
    mayAnswer.pass()
    return code == 0 ? super.lookUp("127.0.0.1", service, hints, addresses) : code
  }

  override func startThread(
    _ attributes: UnsafePointer<pthread_attr_t>, _ start: ThreadStart, _ argument: UnsafeMutableRawPointer
  ) -> Int32 {
    threadFault == 0 ? super.startThread(attributes, start, argument) : threadFault
  }

  override func freeAddresses(_ addresses: UnsafeMutablePointer<addrinfo>) {
    super.freeAddresses(addresses)
    freed += 1
  }

  func start(_ host: String) -> NameLookup.Answer {
    Seam.with(self) {
      NameLookup.start(host: host, port: 5672, context: Unmanaged.passUnretained(notified).toOpaque()) {
        Unmanaged<Gate>.fromOpaque($0!).takeUnretainedValue().open()
      }
    }
  }
}

@Suite struct NameLookupTests {
  @Test func aNameIsAnsweredAfterTheNoticeAndNotBefore() {
    let names = Names()
    guard case .pending(let lookup) = names.start("broker.test") else {
      Issue.record("not pending")
      return
    }
    guard case .pending = lookup.take() else {
      Issue.record("answered before it was asked")
      return
    }
    names.mayAnswer.open()
    names.notified.pass()
    guard case .addresses(var list) = lookup.take() else {
      Issue.record("no answer")
      return
    }
    #expect(list.left == 1)
    Seam.with(names) { list.free() }
    #expect(names.freed == 1)
  }

  @Test func numbersNeedNoThread() {
    let names = Names()
    names.threadFault = EAGAIN
    guard case .addresses(var list) = names.start("127.0.0.1") else {
      Issue.record("no answer")
      return
    }
    Seam.with(names) { list.free() }
  }

  @Test func refusalsKeepTheirKind() {
    for (code, status) in [(EAI_NONAME, Status.hostnameResolutionFailed), (EAI_MEMORY, .noMemory)] {
      let names = Names()
      names.code = code
      names.mayAnswer.open()
      guard case .pending(let lookup) = names.start("broker.test") else {
        Issue.record("not pending")
        return
      }
      names.notified.pass()
      guard case .failed(status) = lookup.take() else {
        Issue.record("\(status)")
        return
      }
    }
  }

  @Test func aProcessWithoutThreadsIsToldAtOnce() {
    let names = Names()
    names.threadFault = EAGAIN
    guard case .failed(.noMemory) = names.start("broker.test") else {
      Issue.record("a loop must not wait")
      return
    }
  }

  @Test func whatIsGivenUpIsFreedWhicheverSideComesLast() {
    for isAnswered in [false, true] {
      let gone = Gate()
      do {
        let names = Names(gone: gone)
        if isAnswered { names.mayAnswer.open() }
        guard case .pending(let lookup) = names.start("broker.test") else {
          Issue.record("not pending")
          return
        }
        if isAnswered { names.notified.pass() }
        Seam.with(names) { lookup.abandon() }
        names.mayAnswer.open()
      }
      // The request holds the last reference, and is freed with its addresses.
      gone.pass()
    }
  }
}
