// A stream socket with TLS on it, by OpenSSL. No call waits.
//
// One lock guards the SSL object, because a thread may read while another publishes; it is held for one attempt and never
// while somebody waits.
//
// Sending. The pieces of a message become records of up to 16 KiB: what is small is copied together, what fills a record is
// encrypted from where it lies. A record may have been encrypted and not yet taken by the socket (see TLSState). Then all of
// its octets but the last count as sent. So the caller, who sends what is left, cannot think that he is done, nor that he
// has not begun; the attempt that gets the rest of the record out drops that octet from the front of what it is given.
//
// Receiving. OpenSSL may hold more than fits the caller's room, and then a poll of the descriptor does not tell:
// `receiveHeld` does. Whenever `receive` left room unused, nothing complete is held.
import AMQPBase
public import CSystem

/// Octets that one call of `send` encrypts before it gives the lock to others.
private let sendLimit = 262_144
/// Octets of plaintext in a record.
private let recordSize = Int(system_tls_record_octets)

public struct TLSTransport {
  let state: UnsafeMutablePointer<TLSState>

  /// Settings without a connection; nil when there is no memory or OpenSSL fails.
  public static func make() -> TLSTransport? {
    defer { ERR_clear_error() }
    guard let context = SSL_CTX_new(TLS_client_method()) else { return nil }
    guard system_tls_set_least(context, Int32(system_tls_1_2)) == 1 else {
      SSL_CTX_free(context)
      return nil
    }
    return make(owning: context)
  }

  /// The same with a context of the program's, of which a reference is kept.
  public static func make(sharing context: OpaquePointer) -> TLSTransport? {
    SSL_CTX_up_ref(context) == 1 ? make(owning: context) : nil
  }

  private static func make(owning context: OpaquePointer) -> TLSTransport? {
    guard let method = TLSStream.makeMethod() else {
      SSL_CTX_free(context)
      return nil
    }
    guard let memory = malloc(MemoryLayout<TLSState>.stride) else {
      BIO_meth_free(method)
      SSL_CTX_free(context)
      return nil
    }
    let state = memory.bindMemory(to: TLSState.self, capacity: 1)
    system_tls_prepare(context)
    state.initialize(to: TLSState(context: context, method: method))
    _ = pthread_mutex_init(&state.pointee.lock, nil)
    return TLSTransport(state: state)
  }

  /// Closes the connection, forgets the settings, and gives the memory back.
  public func destroy() {
    close()
    forgetPassword()
    SSL_CTX_free(state.pointee.context)
    BIO_meth_free(state.pointee.method)
    _ = pthread_mutex_destroy(&state.pointee.lock)
    state.deinitialize(count: 1)
    free(state)
  }

  /// -1 when there is none (any more).
  @inline(__always) public var descriptor: Int32 { state.pointee.descriptor }

  @inline(__always) func locked<Result>(_ work: () -> Result) -> Result {
    _ = pthread_mutex_lock(&state.pointee.lock)
    let result = work()
    _ = pthread_mutex_unlock(&state.pointee.lock)
    return result
  }

  // MARK: Receiving

  /// As much as fits into `room`, which must not be empty, and is there.
  public func receive(into room: UnsafeMutableRawBufferPointer) -> IOResult {
    guard let target = room.baseAddress, room.count > 0 else { return .bytes(0) }
    return locked {
      if state.pointee.ahead != nil, let early = receiveAhead(room) { return early }
      _ = state.flush()
      guard let ssl = usable else { return .failed(errno: state.pointee.descriptor < 0 ? EBADF : EPROTO) }
      var total = 0
      while total < room.count {
        let wanted = Int32(truncatingIfNeeded: min(room.count &- total, Int(Int32.max)))
        let count = SSL_read(ssl, target + total, wanted)
        if count <= 0 {
          let ending = ending(ssl, count)
          return total > 0 ? .bytes(total) : ending
        }
        total &+= Int(count)
        if SSL_has_pending(ssl) == 0 { break }
      }
      return .bytes(total)
    }
  }

  /// First what was looked at ahead, and the kernel's copy of it goes.
  private func receiveAhead(_ room: UnsafeMutableRawBufferPointer) -> IOResult? {
    let settled = state.settle()
    guard settled > 0 else { return settled == 0 ? .closed : .failed(errno: Int32(truncatingIfNeeded: 0 &- settled)) }
    let count = state.takeAhead(room)
    if count > 0 { return .bytes(count) }
    state.dropAhead()
    return nil
  }

  private var usable: OpaquePointer? {
    @inline(__always) get { state.pointee.isBroken ? nil : clean(state.pointee.ssl) }
  }

  /// What an earlier call of anybody left in OpenSSL's queue of errors would be taken for the outcome of the next.
  @inline(__always) private func clean(_ ssl: OpaquePointer?) -> OpaquePointer? {
    if ERR_peek_error() != 0 { ERR_clear_error() }
    state.pointee.sawEnd = false
    state.pointee.receiveFault = 0
    return ssl
  }

  /// Why `call` of OpenSSL took nothing.
  private func ending(_ ssl: OpaquePointer, _ result: Int32) -> IOResult {
    let reason = SSL_get_error(ssl, result)
    ERR_clear_error()
    switch reason {
    case SSL_ERROR_WANT_READ: return .wouldBlock(state.pointee.backlog.count == 0 ? .read : .readOrWrite)
    case SSL_ERROR_WANT_WRITE: return .wouldBlock(.readOrWrite)
    case SSL_ERROR_ZERO_RETURN: return .closed
    default: break
    }
    // A peer that just closes its socket has ended the stream as well: frames say themselves how long they are.
    if state.pointee.sawEnd { return .closed }
    if state.pointee.receiveFault != 0 { return .failed(errno: state.pointee.receiveFault) }
    if state.pointee.sendFault != 0 { return .failed(errno: state.pointee.sendFault) }
    state.pointee.isBroken = true
    return .failed(errno: EPROTO)
  }

  // MARK: Sending

  /// Takes all of the pieces, some of them, or part of one. What it did not take has to come first in the next call.
  public func send(_ pieces: UnsafeMutablePointer<iovec>, count: Int) -> IOResult {
    locked {
      guard state.flush() else { return state.pointee.sendFault == 0 ? .wouldBlock(.write) : sendFailure() }
      if state.pointee.sendFault != 0 { return sendFailure() }
      guard let ssl = usable else { return .failed(errno: state.pointee.descriptor < 0 ? EBADF : EPROTO) }
      var rest = Pieces(pieces, count)
      var total = 0
      if state.pointee.holdsOctet {
        state.pointee.holdsOctet = false
        rest.drop(1)
        total = 1
      }
      while !rest.isEmpty, total < sendLimit {
        let record = rest.record(staging)
        let taken = SSL_write(ssl, record.baseAddress, Int32(truncatingIfNeeded: record.count))
        if taken <= 0 {
          let ending = ending(ssl, taken)
          return total > 0 ? .bytes(total) : state.pointee.sendFault != 0 ? sendFailure() : ending
        }
        rest.drop(Int(taken))
        total &+= Int(taken)
        if state.pointee.backlog.count > 0 {
          state.pointee.holdsOctet = true
          return total > 1 ? .bytes(total &- 1) : .wouldBlock(.write)
        }
      }
      return .bytes(total)
    }
  }

  /// The peer may have said why it hung up: with TLS 1.3 it refuses a client's certificate after the handshake.
  private func sendFailure() -> IOResult {
    state.lookAhead()
    return .failed(errno: state.pointee.isBroken ? EPROTO : state.pointee.sendFault)
  }

  /// Room for a record that is put together; nil when there is no memory, and the pieces then go one by one.
  private func staging() -> UnsafeMutableRawPointer? {
    if state.pointee.staging == nil { state.pointee.staging = malloc(recordSize) }
    return state.pointee.staging
  }

  // MARK: The end

  /// Ends both directions and keeps the number: whoever waits on the descriptor wakes up.
  public func shutdown() {
    let descriptor = state.pointee.descriptor
    if descriptor >= 0 { Syscalls.shutdown(descriptor) }
  }

  /// Says goodbye to the peer, as far as that goes without waiting, and gives the descriptor back. Once: later calls do nothing.
  ///
  /// In a child of fork() another thread of the parent may have had the lock, and the child has no thread to give it back.
  /// What that one was at work on is left as it is then.
  public func close() {
    let isOurs = state.pointee.process == getpid()
    if isOurs {
      _ = pthread_mutex_lock(&state.pointee.lock)
    } else if pthread_mutex_trylock(&state.pointee.lock) != 0 {
      if state.pointee.descriptor >= 0 { Syscalls.close(state.pointee.descriptor) }
      return state.pointee.descriptor = -1
    }
    defer { _ = pthread_mutex_unlock(&state.pointee.lock) }
    if let ssl = state.pointee.ssl {
      if isOurs, SSL_is_init_finished(ssl) == 1, !state.pointee.isBroken, state.flush() { _ = SSL_shutdown(ssl) }
      SSL_free(ssl)
      ERR_clear_error()
    }
    if state.pointee.descriptor >= 0 { Syscalls.close(state.pointee.descriptor) }
    state.dropAhead()
    free(state.pointee.staging)
    free(state.pointee.host)
    (state.pointee.ssl, state.pointee.staging, state.pointee.host) = (nil, nil, nil)
    state.pointee.descriptor = -1
    state.pointee.backlog.reset()
    (state.pointee.credit, state.pointee.holdsOctet, state.pointee.isBroken) = (0, false, false)
    (state.pointee.sendFault, state.pointee.hostIsChecked, state.pointee.refusal) = (0, false, .ok)
  }

  // MARK: Looking

  /// Octets that have left the descriptor and that nobody has received, so that a poll of it would not tell. 0: none.
  ///
  /// The socket is not read: what there is of it belongs to whoever waits for it.
  public func receiveHeld(into room: UnsafeMutableRawBufferPointer) -> Int {
    guard let target = room.baseAddress, room.count > 0 else { return 0 }
    return locked {
      // What was only looked at ahead has not left the descriptor.
      guard state.pointee.credit == 0, let ssl = usable else { return 0 }
      let early = state.takeAhead(room)
      if early > 0 { return early }
      guard SSL_has_pending(ssl) == 1 else { return 0 }
      state.pointee.reading = .offline
      let count = SSL_read(ssl, target, Int32(truncatingIfNeeded: min(room.count, Int(Int32.max))))
      state.pointee.reading = .taking
      if count <= 0 { _ = ending(ssl, count) }
      return max(0, Int(count))
    }
  }

  /// What could be received, without taking it: the descriptor stays readable.
  public func peek(into room: UnsafeMutableRawBufferPointer) -> IOResult {
    locked {
      guard let ssl = usable else { return .failed(errno: EBADF) }
      state.lookAhead()
      let count = min(room.count, state.pointee.aheadCount &- state.pointee.aheadTaken)
      if count > 0, let ahead = state.pointee.ahead, let target = room.baseAddress {
        memcpy(target, ahead + state.pointee.aheadTaken, count)
        return .bytes(count)
      }
      if state.pointee.isBroken { return .failed(errno: EPROTO) }
      return state.pointee.sawEnd || system_tls_has_ended(ssl) == 1 ? .closed : .wouldBlock(.read)
    }
  }

  /// Whether the peer has ended the stream, without taking an octet from it.
  public func peekEnd() -> PeekResult {
    var octet: UInt8 = 0
    return withUnsafeMutableBytes(of: &octet) { room in
      switch peek(into: room) {
      case .bytes: .data
      case .wouldBlock: .nothing
      case .closed: .closed
      case .failed(let errno): .failed(errno: errno)
      }
    }
  }

  /// Whether the peer has ended its side of the stream, even if there is something to read before the end.
  public func hasPeerFinished() -> Bool {
    if Syscalls.hasPeerFinished(descriptor) { return true }
    if case .closed = peekEnd() { return true }
    return locked { state.pointee.ssl.map { system_tls_has_ended($0) == 1 } ?? false }
  }

  public func liveness() -> Liveness? { Syscalls.liveness(descriptor) }
}

/// What is left of the pieces of a message.
private struct Pieces {
  private let pieces: UnsafeMutablePointer<iovec>
  private let count: Int
  private var index = 0
  private var offset = 0

  init(_ pieces: UnsafeMutablePointer<iovec>, _ count: Int) {
    self.pieces = pieces
    self.count = count
    drop(0)
  }

  var isEmpty: Bool { index >= count }

  mutating func drop(_ octets: Int) {
    offset &+= octets
    while index < count, offset >= pieces[index].iov_len {
      offset &-= pieces[index].iov_len
      index &+= 1
    }
  }

  /// The octets of the next record: where they lie, or copied together into `staging`.
  func record(_ staging: () -> UnsafeMutableRawPointer?) -> UnsafeRawBufferPointer {
    let piece = pieces[index]
    let first = UnsafeRawBufferPointer(start: piece.iov_base.map { $0 + offset }, count: piece.iov_len &- offset)
    if first.count >= recordSize { return UnsafeRawBufferPointer(rebasing: first[..<recordSize]) }
    guard index &+ 1 < count, let memory = staging() else { return first }
    var filled = 0
    var at = self
    while !at.isEmpty, filled < recordSize {
      let piece = at.pieces[at.index]
      let size = min(piece.iov_len &- at.offset, recordSize &- filled)
      if let base = piece.iov_base { memcpy(memory + filled, base + at.offset, size) }
      filled &+= size
      at.drop(size)
    }
    return UnsafeRawBufferPointer(start: memory, count: filled)
  }
}
