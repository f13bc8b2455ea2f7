public import CSystem

/// A stream socket without encryption. No call waits.
///
/// The flags of the descriptor are left as they are: a program may have handed in its own, blocking or not. Receiving and
/// sending touch nothing but the descriptor, so that one thread may do the one while another does the other.
public struct TCPTransport {
  /// -1 when there is none (any more).
  public private(set) var descriptor: Int32

  @inline(__always) public init(descriptor: Int32 = -1) { self.descriptor = descriptor }

  /// One `recv` into `room`, which must not be empty.
  @inline(__always) public func receive(into room: UnsafeMutableRawBufferPointer) -> IOResult {
    // The kernel's answer to an empty room would look like the end of the stream.
    guard room.count > 0 else { return .bytes(0) }
    return outcome(Syscalls.receive(descriptor, room))
  }

  /// One `recvmsg` into `room`, and what it does not hold into `rest`. Neither may be empty.
  public func receive(into room: UnsafeMutableRawBufferPointer, then rest: UnsafeMutableRawBufferPointer) -> IOResult {
    guard room.count > 0, rest.count > 0 else { return .bytes(0) }
    return outcome(Syscalls.receive(descriptor, room, rest))
  }

  @inline(__always) private func outcome(_ count: Int) -> IOResult {
    if count > 0 { return .bytes(count) }
    if count == 0 { return .closed }
    return TCPTransport.failure(count, wants: .read)
  }

  /// One `sendmsg`, which takes all of the pieces, some of them, or part of one.
  @inline(__always) public func send(_ pieces: UnsafeMutablePointer<iovec>, count: Int) -> IOResult {
    let sent = Syscalls.send(descriptor, pieces, count)
    if sent >= 0 { return .bytes(sent) }
    return TCPTransport.failure(sent, wants: .write)
  }

  /// Whether the peer has ended the stream, without taking a byte from it.
  public func peekEnd() -> PeekResult {
    let count = Syscalls.peek(descriptor)
    if count > 0 { return .data }
    if count == 0 { return .closed }
    switch TCPTransport.failure(count, wants: .read) {
    case .wouldBlock: return .nothing
    case .failed(let errno): return .failed(errno: errno)
    case .bytes, .closed: return .nothing
    }
  }

  /// The kernel's account of the peer; nil where it keeps none (a socket that is not TCP, a closed one).
  public func liveness() -> Liveness? { Syscalls.liveness(descriptor) }

  /// Ends both directions and keeps the number: whoever waits on the descriptor wakes up.
  public func shutdown() {
    if descriptor >= 0 { Syscalls.shutdown(descriptor) }
  }

  /// Gives the descriptor back. Once: later calls do nothing.
  public mutating func close() {
    let number = descriptor
    descriptor = -1
    if number >= 0 { Syscalls.close(number) }
  }

  /// Leaves the descriptor open and forgets it.
  public mutating func release() -> Int32 {
    let number = descriptor
    descriptor = -1
    return number
  }

  @inline(__always) private static func failure(_ result: Int, wants interest: Interest) -> IOResult {
    let code = Int32(truncatingIfNeeded: 0 &- result)
    return code == EAGAIN || code == EWOULDBLOCK ? .wouldBlock(interest) : .failed(errno: code)
  }
}
