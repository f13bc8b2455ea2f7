import AMQPBase
import CSystem

@testable import AMQPTransport

/// A network of addresses that every look-up finds, with a clock that moves when somebody waits. To be asked for by a numeric
/// host: a name would be looked up on a thread, whose time is real.
final class FakeNetwork: Seam, @unchecked Sendable {
  enum Host { case accepts, acceptsAfter(UInt64), refuses, refusesAfter(UInt64), unreachable, silent }
  struct Attempt: Equatable {
    var host: Int
    var waited: UInt64
  }

  private let hosts: [Host]
  private(set) var time = Instant(nanoseconds: 1_000_000_000_000)
  private(set) var attempts: [Attempt] = []
  private(set) var open: Set<Int32> = []
  private(set) var listsGivenBack = 0
  private var hostOf: [Int32: Int] = [:]
  var socketFault: Int32 = 0
  var interruptConnect = false

  init(_ hosts: [Host]) { self.hosts = hosts }

  func after(_ count: UInt64) -> Deadline { Deadline(time.adding(nanoseconds: milliseconds(count))) }

  override func now() -> Instant { time }

  override func lookUp(
    _ host: UnsafePointer<CChar>?, _ service: UnsafePointer<CChar>, _ hints: UnsafePointer<addrinfo>,
    _ addresses: UnsafeMutablePointer<UnsafeMutablePointer<addrinfo>?>
  ) -> Int32 {
    var list: UnsafeMutablePointer<addrinfo>?
    for number in hosts.indices.reversed() {
      var one: UnsafeMutablePointer<addrinfo>?
      let code = super.lookUp("10.0.0.\(number)", service, hints, &one)
      guard code == 0, let one else { return code }
      one.pointee.ai_next = list
      list = one
    }
    addresses.pointee = list
    return 0
  }

  override func freeAddresses(_ addresses: UnsafeMutablePointer<addrinfo>) {
    listsGivenBack += 1
    super.freeAddresses(addresses)
  }

  override func openSocket(_ family: Int32) -> Int32 {
    if socketFault != 0 { return -socketFault }
    let descriptor = Int32(1000 + hostOf.count)
    open.insert(descriptor)
    hostOf[descriptor] = -1
    return descriptor
  }

  override func close(_ descriptor: Int32) { open.remove(descriptor) }

  override func connect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    let number = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
      Int(UInt32(bigEndian: $0.pointee.sin_addr.s_addr) & 255)
    }
    hostOf[descriptor] = number
    attempts.append(Attempt(host: number, waited: 0))
    switch hosts[number] {
    case .accepts: return interruptConnect ? EINTR : 0
    case .unreachable: return ENETUNREACH
    case .acceptsAfter, .refuses, .refusesAfter, .silent: return EINPROGRESS
    }
  }

  override func wait(_ descriptor: Int32, _ interest: Interest, until deadline: Deadline) -> WaitResult {
    let answer: UInt64
    switch hosts[hostOf[descriptor] ?? 0] {
    case .acceptsAfter(let delay), .refusesAfter(let delay): answer = milliseconds(delay)
    case .silent: answer = .max
    case .accepts, .refuses, .unreachable: answer = 0
    }
    let left = deadline.remaining(from: time)
    let pause = min(answer, left)
    attempts[attempts.count - 1].waited += pause
    time = time.adding(nanoseconds: pause)
    return answer <= left ? .ready(interest) : .timedOut
  }

  override func socketError(_ descriptor: Int32) -> Int32 {
    switch hosts[hostOf[descriptor] ?? 0] {
    case .refuses, .refusesAfter: ECONNREFUSED
    case .accepts, .acceptsAfter, .unreachable, .silent: 0
    }
  }

  /// Connects to all of it.
  func connect(until deadline: Deadline) -> ConnectResult {
    Seam.with(self) {
      var loop = EventLoop()
      return Connector.connect(host: "10.0.0.1", port: 5672, until: deadline, loop: &loop)
    }
  }
}
