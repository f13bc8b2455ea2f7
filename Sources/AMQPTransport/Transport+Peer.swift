import CSystem

extension Transport {
  /// Nanoseconds since the peer showed that it lives, by the kernel's account; nil where there is none.
  ///
  /// Data counts. When the receive buffer is full, because the application does not read, the peer cannot send any, and its
  /// acknowledgements count instead.
  public func peerSilence() -> UInt64? {
    guard let liveness = liveness() else { return nil }
    let data = liveness.millisecondsSinceData
    let milliseconds =
      liveness.receiveBufferIsFull ? min(data, liveness.millisecondsSinceAcknowledgement) : data
    return UInt64(milliseconds) &* 1_000_000
  }
}

extension Transport {
  /// What could be received, without taking it.
  public func peek(into room: UnsafeMutableRawBufferPointer) -> IOResult {
    if case .tls(let transport) = self { return transport.peek(into: room) }
    let count = Syscalls.peek(descriptor, room)
    if count > 0 { return .bytes(count) }
    if count == 0 { return .closed }
    let code = Int32(truncatingIfNeeded: 0 &- count)
    return code == EAGAIN ? .wouldBlock(.read) : .failed(errno: code)
  }

  /// Whether the peer has ended its side of the stream, even if there is something to read before the end.
  public func hasPeerFinished() -> Bool {
    if case .tls(let transport) = self { return transport.hasPeerFinished() }
    return Syscalls.hasPeerFinished(descriptor)
  }

  /// Octets that have left the descriptor and that nobody has received, so that a poll of it would not tell. 0: none.
  public func receiveHeld(into room: UnsafeMutableRawBufferPointer) -> Int {
    if case .tls(let transport) = self { return transport.receiveHeld(into: room) }
    return 0
  }
}
