// What a TLS socket keeps, and the stream of ciphertext below OpenSSL.
//
// OpenSSL reads and writes through a BIO of ours, whose two callbacks are here. They make the same non-blocking calls as a
// TCP socket, so that the flags of the descriptor do not matter, and add what OpenSSL lacks:
//
// Writing. A record that has been encrypted must go out, whole and next. What the socket does not take of it is kept in
// `backlog`, so that OpenSSL itself never has a write pending: no call ever has to be repeated with the same arguments,
// and reading cannot disturb a write that has to wait. The backlog is flushed before anything else is written.
//
// Looking ahead. A publisher wants to know whether a connection.close lies unread, but must leave the descriptor readable,
// since a program may be polling it. So the ciphertext is peeked at and stays in the kernel, `credit` octets of it that
// OpenSSL has had already; the next real receive throws them away first. The plaintext waits in `ahead`.
import AMQPBase
import CSystem

/// Octets of ciphertext that may wait for the socket. Above one record they are answers to a peer that asks for new keys and
/// does not read.
private let backlogLimit = 65_536
/// Octets of ciphertext that may be peeked at.
private let creditLimit = 32_768
/// Octets of plaintext that may be looked at ahead.
private let aheadLimit = 8192

struct TLSState: ~Copyable {
  // Settings.
  let context: OpaquePointer
  let method: OpaquePointer
  var verifiesPeer = true
  var verifiesHost = true
  var password: UnsafeMutablePointer<CChar>?

  // The connection. Two threads may use it: whatever is below belongs to who holds `lock`.
  var lock = pthread_mutex_t()
  var descriptor: Int32 = -1
  var ssl: OpaquePointer?
  /// Who may say goodbye to the peer: a child that was forked has a copy of the connection, and must not end it.
  var process: pid_t = 0
  /// The name that the certificate has to bear.
  var host: UnsafeMutablePointer<CChar>?
  var hostIsChecked = false
  var refusal = Status.ok
  /// OpenSSL must not be called again.
  var isBroken = false

  // Below OpenSSL.
  var reading = ReadingMode.taking
  /// Of the call in progress: the peer has ended the stream, or the errno.
  var sawEnd = false
  var receiveFault: Int32 = 0
  /// The errno that ended all sending.
  var sendFault: Int32 = 0
  var backlog = Backlog()
  var credit = 0

  // Above OpenSSL.
  var ahead: UnsafeMutableRawPointer?
  var aheadCount = 0
  var aheadTaken = 0
  /// The last octet of what was encrypted does not count as sent while the backlog lasts.
  var holdsOctet = false
  var staging: UnsafeMutableRawPointer?

  init(context: OpaquePointer, method: OpaquePointer) {
    self.context = context
    self.method = method
  }
}

enum ReadingMode { case taking, peeking, offline }

/// Octets that wait for the socket to take them.
struct Backlog: ~Copyable {
  private var memory: UnsafeMutableRawPointer?
  private var capacity = 0
  private var start = 0
  private var end = 0

  init() {}

  deinit { free(memory) }

  @inline(__always) var count: Int { end &- start }
  var octets: UnsafeMutableRawPointer? { memory.map { $0 + start } }

  mutating func drop(_ count: Int) {
    start &+= count
    if start >= end { (start, end) = (0, 0) }
  }

  /// False when there is no memory.
  mutating func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if bytes.count > capacity &- end {
      let size = count &+ bytes.count
      guard let grown = malloc(size) else { return false }
      if let octets { memcpy(grown, octets, count) }
      free(memory)
      (memory, capacity, end, start) = (grown, size, count, 0)
    }
    guard let memory, let source = bytes.baseAddress else { return bytes.count == 0 }
    memcpy(memory + end, source, bytes.count)
    end &+= bytes.count
    return true
  }

  mutating func reset() {
    free(memory)
    memory = nil
    (capacity, start, end) = (0, 0, 0)
  }
}

/// The BIO below OpenSSL, and its way back to the state that it belongs to.
enum TLSStream {
  static func makeMethod() -> OpaquePointer? {
    guard let method = BIO_meth_new(Int32(system_bio_kind), "librabbitmq") else { return nil }
    _ = BIO_meth_set_read(method) { stream, room, count in
      guard let state = TLSStream.state(of: stream), let room, count > 0 else { return 0 }
      system_bio_no_retry(stream)
      return state.read(UnsafeMutableRawBufferPointer(start: room, count: Int(count)), stream)
    }
    _ = BIO_meth_set_write(method) { stream, bytes, count in
      guard let state = TLSStream.state(of: stream), let bytes, count > 0 else { return 0 }
      system_bio_no_retry(stream)
      return state.write(UnsafeRawBufferPointer(start: bytes, count: Int(count)), stream)
    }
    _ = BIO_meth_set_ctrl(method) { _, command, _, _ in command == Int32(system_bio_flush) ? 1 : 0 }
    return method
  }

  static func make(_ state: UnsafeMutablePointer<TLSState>) -> OpaquePointer? {
    guard let stream = BIO_new(state.pointee.method) else { return nil }
    BIO_set_data(stream, state)
    BIO_set_init(stream, 1)
    return stream
  }

  static func state(of stream: OpaquePointer?) -> UnsafeMutablePointer<TLSState>? {
    guard let stream, let data = BIO_get_data(stream) else { return nil }
    return data.assumingMemoryBound(to: TLSState.self)
  }
}

extension UnsafeMutablePointer where Pointee == TLSState {
  // MARK: Reading

  fileprivate func read(_ room: UnsafeMutableRawBufferPointer, _ stream: OpaquePointer?) -> Int32 {
    let count =
      switch pointee.reading {
      case .taking: Syscalls.receive(pointee.descriptor, room)
      case .peeking: look(room)
      case .offline: -Int(EAGAIN)
      }
    if count > 0 { return Int32(truncatingIfNeeded: count) }
    if count == 0 {
      pointee.sawEnd = true
      return 0
    }
    if count == -Int(EAGAIN) {
      system_bio_retry_read(stream)
    } else {
      pointee.receiveFault = Int32(truncatingIfNeeded: 0 &- count)
    }
    return -1
  }

  /// Takes out of the kernel what OpenSSL has had already. Positive when that is done.
  func settle() -> Int {
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { scratch in
      while pointee.credit > 0 {
        let count = Syscalls.receive(
          pointee.descriptor, UnsafeMutableRawBufferPointer(rebasing: scratch[..<min(scratch.count, pointee.credit)]))
        if count <= 0 { return count }
        pointee.credit &-= count
      }
      return 1
    }
  }

  private func look(_ room: UnsafeMutableRawBufferPointer) -> Int {
    let known = pointee.credit
    let size = min(known &+ room.count, creditLimit)
    guard size > known, let target = room.baseAddress, let scratch = malloc(size) else { return -Int(EAGAIN) }
    defer { free(scratch) }
    let count = Syscalls.peek(pointee.descriptor, UnsafeMutableRawBufferPointer(start: scratch, count: size))
    if count <= 0 { return count }
    guard count > known else { return -Int(EAGAIN) }
    memcpy(target, scratch + known, count &- known)
    pointee.credit = count
    return count &- known
  }

  // MARK: Writing

  /// Takes everything, or nothing: what does not go out now is kept.
  fileprivate func write(_ bytes: UnsafeRawBufferPointer, _ stream: OpaquePointer?) -> Int32 {
    if pointee.sendFault != 0 { return -1 }
    var sent = 0
    if pointee.backlog.count == 0 {
      sent = push(bytes)
      if sent < 0 {
        pointee.sendFault = Int32(truncatingIfNeeded: 0 &- sent)
        return -1
      }
    } else if pointee.backlog.count &+ bytes.count > backlogLimit {
      system_bio_retry_write(stream)
      return -1
    }
    if sent < bytes.count, !pointee.backlog.append(UnsafeRawBufferPointer(rebasing: bytes[sent...])) {
      pointee.sendFault = ENOMEM
      return -1
    }
    return Int32(truncatingIfNeeded: bytes.count)
  }

  /// How much the socket took, which may be nothing, or a negative errno.
  private func push(_ bytes: UnsafeRawBufferPointer) -> Int {
    var piece = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    let count = Syscalls.send(pointee.descriptor, &piece, 1)
    return count == -Int(EAGAIN) ? 0 : count
  }

  /// Whether nothing is left to go out. A fault is kept in `sendFault`, and what it stopped is dropped: nobody may wait for room
  /// for it.
  @inline(__always)
  func flush() -> Bool {
    pointee.backlog.count == 0 || flushBacklog()
  }

  private func flushBacklog() -> Bool {
    while pointee.backlog.count > 0, pointee.sendFault == 0 {
      let count = push(UnsafeRawBufferPointer(start: pointee.backlog.octets, count: pointee.backlog.count))
      if count == 0 { return false }
      if count < 0 {
        pointee.sendFault = Int32(truncatingIfNeeded: 0 &- count)
        pointee.backlog.reset()
        return false
      }
      pointee.backlog.drop(count)
    }
    return pointee.sendFault == 0
  }

  // MARK: Looking ahead

  /// Decrypts what has arrived and is not taken yet, within limits, into `ahead`.
  func lookAhead() {
    guard let ssl = pointee.ssl, !pointee.isBroken else { return }
    if pointee.ahead == nil {
      pointee.ahead = malloc(aheadLimit)
      (pointee.aheadCount, pointee.aheadTaken) = (0, 0)
    }
    guard let ahead = pointee.ahead else { return }
    pointee.reading = .peeking
    while pointee.aheadCount < aheadLimit {
      let room = aheadLimit &- pointee.aheadCount
      let count = SSL_read(ssl, ahead + pointee.aheadCount, Int32(truncatingIfNeeded: room))
      if count <= 0 {
        // A fault is met again by who reads: here it only must not pass for a connection that can go on.
        if SSL_get_error(ssl, count) == SSL_ERROR_SSL { pointee.isBroken = true }
        ERR_clear_error()
        break
      }
      pointee.aheadCount &+= Int(count)
    }
    pointee.reading = .taking
  }

  /// What was looked at ahead, handed out; 0 when there is none.
  func takeAhead(_ room: UnsafeMutableRawBufferPointer) -> Int {
    guard let ahead = pointee.ahead, let target = room.baseAddress else { return 0 }
    let count = min(room.count, pointee.aheadCount &- pointee.aheadTaken)
    memcpy(target, ahead + pointee.aheadTaken, count)
    pointee.aheadTaken &+= count
    if pointee.aheadTaken == pointee.aheadCount { dropAhead() }
    return count
  }

  func dropAhead() {
    free(pointee.ahead)
    pointee.ahead = nil
    (pointee.aheadCount, pointee.aheadTaken) = (0, 0)
  }
}
