// The wire between a client and a scripted broker, with a clock that moves only while somebody waits.
//
// One descriptor. What the broker says lies in `inbox` until the client receives it; what the client sends goes straight
// to the broker, as far as the socket has room. Everything that happens by itself is an event at a point in time: a wait
// runs the events that come before its end, and nothing here ever sleeps.

import AMQPBase
import AMQPTransport
import CSystem
import Testing

final class FakeWire: Seam, @unchecked Sendable {
  enum End { case open, finished, reset }

  struct Wait: Equatable {
    var at: UInt64
    var interest: Interest
  }

  static let descriptor: Int32 = 1000
  static let second: UInt64 = 1_000_000_000

  /// Nanoseconds on the clock.
  private(set) var time: UInt64 = 1_000_000 * FakeWire.second

  // Towards the client.
  private var inbox: [UInt8] = []
  private var taken = 0
  private(set) var end = End.open
  /// Octets that one receive hands over at most.
  var receiveLimit = Int.max
  /// After so many more octets from the broker, the stream ends thus.
  var cut: (left: Int, end: End)?
  /// Octets the kernel would keep for a client that does not read.
  var receiveBuffer = 1 << 20
  /// When the peer's kernel last acknowledged something, and when data last arrived.
  var lastAcknowledgement: UInt64
  var lastArrival: UInt64
  var keepsAccount = true

  // Towards the broker.
  var deliver: ([UInt8]) -> Void = { _ in }
  /// Octets that the socket takes before it is full.
  var room = Int.max
  /// Octets that one send takes at most.
  var sendLimit: () -> Int = { .max }
  /// An errno for every send from now on.
  var sendFault: Int32 = 0

  // What the client did.
  private(set) var waits: [Wait] = []
  /// When octets went out, and how many.
  private(set) var sends: [(at: UInt64, count: Int)] = []
  private(set) var sendCalls = 0
  private(set) var receiveCalls = 0
  /// Of these, those with two places to put octets.
  private(set) var dividedReceives = 0
  private(set) var isShutDown = false
  private(set) var isClosed = false

  private var events: [(at: UInt64, action: () -> Void)] = []

  override init() {
    lastAcknowledgement = time
    lastArrival = time
  }

  func forgetRecords() {
    waits = []
    sends = []
    sendCalls = 0
    receiveCalls = 0
    dividedReceives = 0
  }

  /// A new connection, under the old number.
  func reopen() {
    (isClosed, isShutDown, end, inbox, taken) = (false, false, .open, [], 0)
    (lastArrival, lastAcknowledgement) = (time, time)
    room = .max
  }

  /// Lets go of whoever is referred to by what was still to happen.
  func retire() {
    events = []
    deliver = { _ in }
    sendLimit = { .max }
  }

  // MARK: Time

  /// Runs `action` so many seconds from now.
  func after(_ seconds: Double, _ action: @escaping () -> Void) {
    let at = time + UInt64(seconds * 1e9)
    let index = events.firstIndex { $0.at > at } ?? events.endIndex
    events.insert((at, action), at: index)
  }

  /// The application does something else for a while.
  func pass(_ seconds: Double) { pass(to: time + UInt64(seconds * 1e9)) }

  private func pass(to target: UInt64) {
    while let next = events.first, next.at <= target { runNextEvent() }
    time = max(time, target)
  }

  private func runNextEvent() {
    let next = events.removeFirst()
    time = max(time, next.at)
    next.action()
  }

  func seconds(since start: UInt64) -> Double { Double(time - start) / 1e9 }

  // MARK: The broker's end

  func arrive(_ octets: [UInt8]) {
    guard end == .open, !octets.isEmpty else { return }
    inbox.append(contentsOf: octets.prefix(cut?.left ?? .max))
    if let (left, next) = cut {
      cut = (max(0, left - octets.count), next)
      if left <= octets.count { end = next }
    }
    lastArrival = time
    lastAcknowledgement = time
  }

  func finish() { if end == .open { end = .finished } }
  func reset() { end = .reset }

  var unread: Int { inbox.count - taken }

  /// The longest time between two sends from `start` on, the time since the last one included, in seconds.
  func longestSilence(from start: UInt64) -> Double {
    let moments = [start] + sends.map(\.at).filter { $0 > start } + [time]
    return zip(moments, moments.dropFirst()).map { Double($1 - $0) / 1e9 }.max() ?? 0
  }

  // MARK: The client's end

  override func now() -> Instant { Instant(nanoseconds: time) }

  override func receive(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
    guard isUsable(descriptor) else { return -Int(EBADF) }
    receiveCalls += 1
    if end == .reset { return -Int(ECONNRESET) }
    let count = min(unread, room.count, receiveLimit)
    guard count > 0 else { return end == .finished || isShutDown ? 0 : -Int(EAGAIN) }
    copy(count, to: room)
    taken += count
    if unread == 0 {
      inbox.removeAll(keepingCapacity: true)
      taken = 0
    }
    return count
  }

  override func receive(
    _ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer, _ rest: UnsafeMutableRawBufferPointer
  ) -> Int {
    dividedReceives += 1
    let (limit, calls) = (receiveLimit, receiveCalls)
    defer { (receiveLimit, receiveCalls) = (limit, calls + 1) }
    let count = receive(descriptor, room)
    guard count == room.count, unread > 0, limit > count else { return count }
    receiveLimit = limit - count
    return count + receive(descriptor, rest)
  }

  override func send(_ descriptor: Int32, _ pieces: UnsafeMutablePointer<iovec>, _ count: Int) -> Int {
    guard isUsable(descriptor) else { return -Int(EBADF) }
    sendCalls += 1
    if sendFault != 0 { return -Int(sendFault) }
    if isShutDown { return -Int(EPIPE) }
    if end == .reset { return -Int(ECONNRESET) }
    var octets: [UInt8] = []
    let limit = min(room, sendLimit())
    for index in 0..<count where octets.count < limit {
      let piece = UnsafeRawBufferPointer(start: pieces[index].iov_base, count: pieces[index].iov_len)
      octets.append(contentsOf: piece.prefix(limit - octets.count))
    }
    guard !octets.isEmpty else { return -Int(EAGAIN) }
    if room != .max { room -= octets.count }
    sends.append((time, octets.count))
    deliver(octets)
    return octets.count
  }

  override func peek(_ descriptor: Int32) -> Int {
    var octet: UInt8 = 0
    return withUnsafeMutableBytes(of: &octet) { peek(descriptor, $0) }
  }

  override func peek(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
    guard isUsable(descriptor) else { return -Int(EBADF) }
    if end == .reset { return -Int(ECONNRESET) }
    let count = min(unread, room.count)
    guard count > 0 else { return end == .finished ? 0 : -Int(EAGAIN) }
    copy(count, to: room)
    return count
  }

  override func hasPeerFinished(_ descriptor: Int32) -> Bool { isUsable(descriptor) && end != .open }

  override func wait(_ descriptor: Int32, _ interest: Interest, until deadline: Deadline) -> WaitResult {
    guard isUsable(descriptor) else { return .failed(errno: EBADF) }
    waits.append(Wait(at: time, interest: interest))
    let isSpinning = waits.count > 10_000 && waits[waits.count - 10_000].at == time
    if isSpinning {
      Issue.record("waits again and again, and does nothing")
      return .failed(errno: EDEADLK)
    }
    while true {
      if let ready = readiness(for: interest) { return .ready(ready) }
      if deadline.hasPassed(at: now()) { return .timedOut }
      if let next = events.first, next.at <= deadline.instant?.nanoseconds ?? .max {
        runNextEvent()
      } else if let instant = deadline.instant {
        time = max(time, instant.nanoseconds)
      } else {
        Issue.record("waits for ever: nothing is going to happen")
        return .failed(errno: EDEADLK)
      }
    }
  }

  override func liveness(_ descriptor: Int32) -> Liveness? {
    guard keepsAccount, isUsable(descriptor) else { return nil }
    return Liveness(
      millisecondsSinceData: UInt32((time - lastArrival) / 1_000_000),
      millisecondsSinceAcknowledgement: UInt32((time - lastAcknowledgement) / 1_000_000),
      unreadBytes: unread, receiveBufferIsFull: unread >= receiveBuffer)
  }

  override func shutdown(_ descriptor: Int32) { if isUsable(descriptor) { isShutDown = true } }

  override func close(_ descriptor: Int32) { if isUsable(descriptor) { isClosed = true } }

  // MARK: -

  private func readiness(for interest: Interest) -> Interest? {
    let canRead = interest != .write && (unread > 0 || end != .open || isShutDown)
    let canWrite = interest != .read && (room > 0 || end == .reset || isShutDown)
    switch (canRead, canWrite) {
    case (true, true): return .readOrWrite
    case (true, false): return .read
    case (false, true): return .write
    case (false, false): return nil
    }
  }

  private func copy(_ count: Int, to room: UnsafeMutableRawBufferPointer) {
    inbox.withUnsafeBytes { room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[taken..<taken + count])) }
  }

  private func isUsable(_ descriptor: Int32) -> Bool {
    if descriptor == FakeWire.descriptor, !isClosed { return true }
    Issue.record("descriptor \(descriptor) is used after its end")
    return false
  }
}
