public import AMQPBase
import CSystem

/// From a host and a port to a connected descriptor.
public enum Connector {
  /// Tries every address of `host` in turn, each with an equal share of the time that is then left, so that one that does not
  /// answer cannot use up the time of those behind it. The name is resolved within the same deadline.
  ///
  /// A deadline in the past makes one attempt that does not wait. `host` nil is this machine. Fails with
  /// hostnameResolutionFailed (also for a negative port), socketError (nobody would have us; also a port above 65535),
  /// timeout, noMemory.
  public static func connect(
    host: UnsafePointer<CChar>?, port: Int32, until deadline: Deadline, loop: inout EventLoop
  ) -> ConnectResult {
    guard let port = UInt16(exactly: port) else { return .failed(port < 0 ? .hostnameResolutionFailed : .socketError) }
    switch Resolver.resolve(host: host, port: port, until: deadline) {
    case .failed(let status):
      return .failed(status)
    case .addresses(let first):
      let result = connect(toFirstOf: first, until: deadline, loop: &loop)
      Syscalls.freeAddresses(first)
      return result
    }
  }

  /// For `amqp_open_socket`: a descriptor or a negative status code, without a deadline.
  public static func openSocket(host: UnsafePointer<CChar>?, port: Int32) -> Int32 {
    var loop = EventLoop()
    switch connect(host: host, port: port, until: .never, loop: &loop) {
    case .connected(let descriptor): return descriptor
    case .failed(let status): return status.code
    }
  }

  private static func connect(
    toFirstOf first: UnsafeMutablePointer<addrinfo>, until deadline: Deadline, loop: inout EventLoop
  ) -> ConnectResult {
    var left: UInt64 = 0
    var next: UnsafeMutablePointer<addrinfo>? = first
    while let address = next {
      left &+= 1
      next = address.pointee.ai_next
    }
    var failure = Status.socketError
    next = first
    while let address = next {
      let result = attempt(address.pointee, until: share(of: deadline, among: left), loop: &loop)
      guard case .failed(let status) = result else { return result }
      if status == .timeout {
        // More time might have helped: that is what the caller should hear, whatever the other addresses say.
        failure = .timeout
        if deadline.hasPassed(at: Clock.now()) { break }
      }
      left &-= 1
      next = address.pointee.ai_next
    }
    return .failed(failure)
  }

  private static func share(of deadline: Deadline, among count: UInt64) -> Deadline {
    guard !deadline.isNever, count > 1 else { return deadline }
    let now = Clock.now()
    return Deadline(now.adding(nanoseconds: deadline.remaining(from: now) / count))
  }

  private static func attempt(
    _ address: addrinfo, until deadline: Deadline, loop: inout EventLoop
  ) -> ConnectResult {
    guard let location = address.ai_addr else { return .failed(.socketError) }
    let descriptor = Syscalls.openSocket(address.ai_family)
    guard descriptor >= 0 else { return .failed(.socketError) }
    let status = finish(
      descriptor, Syscalls.connect(descriptor, location, address.ai_addrlen), until: deadline, loop: &loop)
    if status.isOK { return .connected(descriptor: descriptor) }
    Syscalls.close(descriptor)
    return .failed(status)
  }

  private static func finish(
    _ descriptor: Int32, _ code: Int32, until deadline: Deadline, loop: inout EventLoop
  ) -> Status {
    if code == 0 { return .ok }
    guard code == EINPROGRESS else { return .socketError }
    switch loop.wait(descriptor: descriptor, interest: .write, until: deadline) {
    case .timedOut: return .timeout
    case .failed: return .socketError
    case .ready: return Syscalls.socketError(descriptor) == 0 ? .ok : .socketError
    }
  }
}
