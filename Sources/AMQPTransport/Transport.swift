public import CSystem

/// The stream under a connection, whatever it is made of. The transport itself lives in memory of the socket handle.
public enum Transport {
  case none
  case tcp(UnsafeMutablePointer<TCPTransport>)
  case tls(TLSTransport)

  /// -1 when closed.
  @inline(__always) public var descriptor: Int32 {
    switch self {
    case .none: -1
    case .tcp(let transport): transport.pointee.descriptor
    case .tls(let transport): transport.descriptor
    }
  }

  @inline(__always) public func receive(into room: UnsafeMutableRawBufferPointer) -> IOResult {
    switch self {
    case .none: .failed(errno: EBADF)
    case .tcp(let transport): transport.pointee.receive(into: room)
    case .tls(let transport): transport.receive(into: room)
    }
  }

  /// Into `room`, and what it does not hold into `rest` if that goes at once. Neither may be empty.
  public func receive(into room: UnsafeMutableRawBufferPointer, then rest: UnsafeMutableRawBufferPointer) -> IOResult {
    switch self {
    case .none: .failed(errno: EBADF)
    case .tcp(let transport): transport.pointee.receive(into: room, then: rest)
    case .tls(let transport): transport.receive(into: room)
    }
  }

  @inline(__always) public func send(_ pieces: UnsafeMutablePointer<iovec>, count: Int) -> IOResult {
    switch self {
    case .none: .failed(errno: EBADF)
    case .tcp(let transport): transport.pointee.send(pieces, count: count)
    case .tls(let transport): transport.send(pieces, count: count)
    }
  }

  public func peekEnd() -> PeekResult {
    switch self {
    case .none: .failed(errno: EBADF)
    case .tcp(let transport): transport.pointee.peekEnd()
    case .tls(let transport): transport.peekEnd()
    }
  }

  public func liveness() -> Liveness? {
    switch self {
    case .none: nil
    case .tcp(let transport): transport.pointee.liveness()
    case .tls(let transport): transport.liveness()
    }
  }

  public func shutdown() {
    switch self {
    case .none: break
    case .tcp(let transport): transport.pointee.shutdown()
    case .tls(let transport): transport.shutdown()
    }
  }

  public func close() {
    switch self {
    case .none: break
    case .tcp(let transport): transport.pointee.close()
    case .tls(let transport): transport.close()
    }
  }
}
