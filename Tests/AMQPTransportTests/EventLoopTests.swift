import AMQPBase
import CSystem
import Testing

@testable import AMQPTransport

private final class CountingInterruptions: Seam, @unchecked Sendable {
  private(set) var count = 0

  override func wait(_ descriptor: Int32, _ interest: Interest, until deadline: Deadline) -> WaitResult {
    let result = super.wait(descriptor, interest, until: deadline)
    if result == .failed(errno: EINTR) { count += 1 }
    return result
  }
}

@Suite struct EventLoopTests {
  @Test func saysWhichSideIsReady() throws {
    let pair = try SocketPair.unix()
    var loop = EventLoop()
    #expect(loop.wait(descriptor: pair.near, interest: .write, until: .never) == .ready(.write))
    #expect(loop.wait(descriptor: pair.near, interest: .readOrWrite, until: .never) == .ready(.write))
    #expect(loop.wait(descriptor: pair.near, interest: .read, until: soon(1)) == .timedOut)
    _ = TCPTransport(descriptor: pair.far).sendText("x")
    #expect(loop.wait(descriptor: pair.near, interest: .read, until: .never) == .ready(.read))
    #expect(loop.wait(descriptor: pair.near, interest: .readOrWrite, until: .never) == .ready(.readOrWrite))
    fill(pair.near)
    #expect(loop.wait(descriptor: pair.near, interest: .readOrWrite, until: .never) == .ready(.read))
    #expect(loop.wait(descriptor: pair.near, interest: .write, until: soon(1)) == .timedOut)
  }

  @Test func aBrokenConnectionIsReadyForEverything() throws {
    for interest in [Interest.read, .write, .readOrWrite] {
      let pair = try SocketPair.unix()
      shutdown(pair.far, Int32(system_shut_both))
      var loop = EventLoop()
      #expect(loop.wait(descriptor: pair.near, interest: interest, until: .never) == .ready(interest))
    }
  }

  @Test func aDescriptorThatIsClosedFailsInsteadOfWaiting() throws {
    var loop = EventLoop()
    #expect(loop.wait(descriptor: -1, interest: .read, until: .never) == .failed(errno: EBADF))
    #expect(loop.wait(descriptor: 1_000_000, interest: .read, until: .never) == .failed(errno: EBADF))
  }

  @Test(arguments: [0, 1, 999_999, 1_000_000, 3_300_000] as [UInt64])
  func neverWakesEarly(nanoseconds: UInt64) throws {
    let pair = try SocketPair.unix()
    var loop = EventLoop()
    for _ in 0..<5 {
      let start = Clock.now()
      let deadline = Deadline(start.adding(nanoseconds: nanoseconds))
      #expect(loop.wait(descriptor: pair.near, interest: .read, until: deadline) == .timedOut)
      #expect(deadline.hasPassed(at: Clock.now()))
    }
  }

  @Test func aDeadlineInThePastIsOneLook() throws {
    let pair = try SocketPair.unix()
    var loop = EventLoop()
    let past = Deadline(Instant(nanoseconds: 0))
    #expect(loop.wait(descriptor: pair.near, interest: .read, until: past) == .timedOut)
    _ = TCPTransport(descriptor: pair.far).sendText("x")
    #expect(loop.wait(descriptor: pair.near, interest: .read, until: past) == .ready(.read))
  }

  /// 2^31 ms is 24.8 days, where a wait in milliseconds wraps.
  @Test(arguments: [25, 60, 40_000, 200_000] as [UInt64])
  func farDeadlinesDoNotWrap(days: UInt64) throws {
    let pair = try SocketPair.unix()
    let far = pair.far
    let start = Clock.now()
    let writer = Thread {
      pause(milliseconds: 10)
      _ = TCPTransport(descriptor: far).sendText("x")
    }
    var loop = EventLoop()
    let deadline = Deadline(start.adding(nanoseconds: days * 86_400 * 1_000_000_000))
    #expect(loop.wait(descriptor: pair.near, interest: .read, until: deadline) == .ready(.read))
    #expect(Clock.now().nanoseconds(since: start) >= milliseconds(10))
    writer.join()
  }

  @Test func aWaitThatNobodyEndsCostsNoProcessorTime() throws {
    let pair = try SocketPair.unix()
    var loop = EventLoop()
    let before = processorTime()
    #expect(loop.wait(descriptor: pair.near, interest: .read, until: soon(60)) == .timedOut)
    #expect(processorTime() - before < milliseconds(20))
  }

  @Test func signalsDoNotEndAWait() throws {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(SIGUSR1, &action, nil)
    let pair = try SocketPair.unix()
    let waiter = pthread_self()
    let start = Clock.now()
    let signaller = Thread {
      for _ in 0..<3 {
        pause(milliseconds: 5)
        pthread_kill(waiter, SIGUSR1)
      }
    }
    var loop = EventLoop()
    let deadline = Deadline(start.adding(nanoseconds: milliseconds(40)))
    let seam = CountingInterruptions()
    let result = takingSignals {
      Seam.with(seam) { loop.wait(descriptor: pair.near, interest: .read, until: deadline) }
    }
    #expect(result == .timedOut)
    #expect(seam.count == 3)
    #expect(deadline.hasPassed(at: Clock.now()))
    #expect(Clock.now().nanoseconds(since: start) < milliseconds(400), "the time left is worked out anew")
    signaller.join()
  }

  @Test func aFakeClockIsAsGoodAsTheKernels() throws {
    final class Ticking: Seam, @unchecked Sendable {
      var time = Instant(nanoseconds: 5)
      var interruptions = 2
      override func now() -> Instant { time }
      override func wait(_: Int32, _: Interest, until deadline: Deadline) -> WaitResult {
        time = time.adding(nanoseconds: 10)
        interruptions -= 1
        if interruptions >= 0 { return .failed(errno: EINTR) }
        time = deadline.instant ?? time
        return .timedOut
      }
    }
    let seam = Ticking()
    Seam.with(seam) {
      var loop = EventLoop()
      let hour = Deadline(Instant(nanoseconds: 3_600_000_000_000))
      #expect(loop.wait(descriptor: 0, interest: .read, until: hour) == .timedOut)
      #expect(Clock.now() == Instant(nanoseconds: 3_600_000_000_000))
    }
    #expect(seam.interruptions == -1)
  }

  @Test func needsNoDescriptorAndNoRepairAfterFork() throws {
    let pair = try SocketPair.tcp()
    var loop = EventLoop()
    #expect(loop.wait(descriptor: pair.near, interest: .read, until: soon(1)) == .timedOut)
    let child = forkProcess()
    if child == 0 {
      // The child's own loop, then one that it has inherited, on the connection that it has inherited.
      var own = EventLoop()
      var verdict: Int32 = 0
      let lowest = dup(pair.near)
      close(lowest)
      if own.wait(descriptor: pair.near, interest: .read, until: soon(2)) != .timedOut { verdict |= 1 }
      // A loop that has waited holds no descriptor; only here is no other test at work.
      if dup(pair.near) != lowest { verdict |= 8 }
      if loop.wait(descriptor: pair.near, interest: .write, until: .never) != .ready(.write) { verdict |= 2 }
      if TCPTransport(descriptor: pair.near).sendText("child") != .bytes(5) { verdict |= 4 }
      _exit(verdict)
    }
    try #require(child > 0)
    var status: Int32 = -1
    while waitForProcess(child, &status, 0) < 0 && system_errno() == EINTR {}
    #expect(status == 0)
    #expect(loop.wait(descriptor: pair.far, interest: .read, until: .never) == .ready(.read))
    #expect(TCPTransport(descriptor: pair.far).receiveText() == (.bytes(5), "child"))
    _ = TCPTransport(descriptor: pair.far).sendText("parent")
    #expect(loop.wait(descriptor: pair.near, interest: .read, until: .never) == .ready(.read))
  }

  private func fill(_ descriptor: Int32) {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { block.deallocate() }
    var length = block.count
    while length > 0 {
      var piece = iovec(iov_base: block.baseAddress, iov_len: length)
      if case .wouldBlock = TCPTransport(descriptor: descriptor).send(&piece, count: 1) { length /= 2 }
    }
  }
}
