import AMQPBase
import CSystem
import Testing

@testable import AMQPTransport

private typealias Attempt = FakeNetwork.Attempt

@Suite struct ConnectorTests {
  @Test func everyAddressHasItsShareOfTheTime() {
    let network = FakeNetwork([.silent, .silent, .silent])
    #expect(network.connect(until: network.after(900)) == .failed(.timeout))
    #expect(network.attempts.map(\.host) == [0, 1, 2])
    #expect(network.attempts.map(\.waited) == [300, 300, 300].map(milliseconds))
    #expect(network.open.isEmpty)
    #expect(network.listsGivenBack == 1)
  }

  @Test func timeThatOneAddressDoesNotUseGoesToTheRest() {
    let network = FakeNetwork([.refusesAfter(100), .silent, .acceptsAfter(350)])
    let result = network.connect(until: network.after(900))
    #expect(network.attempts.map(\.waited) == [100, 400, 350].map(milliseconds))
    guard case .connected(let descriptor) = result else {
      Issue.record("\(result)")
      return
    }
    #expect(network.open == [descriptor])
    #expect(network.listsGivenBack == 1)
  }

  @Test func theFirstThatAnswersIsTaken() {
    let network = FakeNetwork([.unreachable, .accepts, .silent])
    guard case .connected = network.connect(until: .never) else {
      Issue.record("not connected")
      return
    }
    #expect(network.attempts.map(\.host) == [0, 1])
    #expect(network.open.count == 1)
  }

  @Test func nobodyWouldHaveUs() {
    for deadline in [Deadline.never, Deadline(Instant(nanoseconds: 0))] {
      let network = FakeNetwork([.refuses, .unreachable, .refuses])
      // The clock stands at 1000 s, so that the second deadline is in the past: a name would not be asked for.
      #expect(Seam.with(network) { connectNumeric(until: deadline) } == .failed(.socketError))
      #expect(network.attempts.map(\.host) == [0, 1, 2])
      #expect(network.open.isEmpty)
    }
  }

  @Test func oneSilentAddressMakesItATimeout() {
    let network = FakeNetwork([.silent, .refuses])
    #expect(network.connect(until: network.after(100)) == .failed(.timeout))
    #expect(network.attempts.map(\.host) == [0, 1])
  }

  @Test func noTimeIsOneAttemptThatDoesNotWait() {
    let network = FakeNetwork([.silent, .accepts])
    let before = network.time
    #expect(Seam.with(network) { connectNumeric(until: Deadline(before)) } == .failed(.timeout))
    #expect(network.attempts == [Attempt(host: 0, waited: 0)])
    let prompt = FakeNetwork([.acceptsAfter(0)])
    guard case .connected = Seam.with(prompt, { connectNumeric(until: Deadline(prompt.time)) }) else {
      Issue.record("a connection that is there at once must be taken")
      return
    }
  }

  @Test func aSignalDoesNotBreakAConnect() {
    let network = FakeNetwork([.accepts])
    network.interruptConnect = true
    guard case .connected = network.connect(until: .never) else {
      Issue.record("not connected")
      return
    }
    #expect(network.attempts == [Attempt(host: 0, waited: 0)])
  }

  @Test func noDescriptorLeftIsASocketError() {
    let network = FakeNetwork([.accepts, .accepts])
    network.socketFault = EMFILE
    #expect(network.connect(until: .never) == .failed(.socketError))
    #expect(network.listsGivenBack == 1)
  }

  @Test(arguments: [-1, -65536, 65536, 111_207, Int32.max, Int32.min] as [Int32])
  func aPortThatCannotExist(port: Int32) {
    var loop = EventLoop()
    let result = Connector.connect(host: "127.0.0.1", port: port, until: .never, loop: &loop)
    let status = port < 0 ? Status.hostnameResolutionFailed : .socketError
    #expect(result == .failed(status))
    #expect(Connector.openSocket(host: "127.0.0.1", port: port) == status.code)
  }

  /// As programs find it behind `amqp_get_sockfd`.
  @Test func theDescriptorIsSetUp() throws {
    let listener = try Listener()
    let descriptor = Connector.openSocket(host: "127.0.0.1", port: listener.port)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    #expect(descriptorFlags(descriptor) == O_RDWR | O_NONBLOCK | 0o2_000_000)
    #expect(socketOption(descriptor, system_protocol_tcp, TCP_NODELAY) == 1)
    #expect(socketOption(descriptor, SOL_SOCKET, SO_KEEPALIVE) == 1)
  }

  @Test func realAnswers() throws {
    let listener = try Listener()
    for host in ["127.0.0.1", "localhost"] {
      for deadline in [Deadline.never, soon(2_000)] {
        var loop = EventLoop()
        let result = Connector.connect(host: host, port: listener.port, until: deadline, loop: &loop)
        guard case .connected(let descriptor) = result else {
          Issue.record("\(host): \(result)")
          continue
        }
        close(descriptor)
      }
    }
    let here = Connector.openSocket(host: nil, port: listener.port)
    #expect(here >= 0, "no host is this machine")
    close(here)
    let refused = try Listener().port
    #expect(Connector.openSocket(host: "127.0.0.1", port: refused) == Status.socketError.code)
  }

  /// The kernel drops what does not fit into the backlog: nobody answers.
  @Test func aListenerThatDoesNotAnswerIsATimeout() throws {
    let listener = try Listener(backlog: 0)
    var queued: [Int32] = []
    defer { for descriptor in queued { close(descriptor) } }
    var loop = EventLoop()
    for _ in 0..<8 {
      let start = Clock.now()
      let deadline = Deadline(start.adding(nanoseconds: milliseconds(30)))
      switch Connector.connect(host: "127.0.0.1", port: listener.port, until: deadline, loop: &loop) {
      case .connected(let descriptor):
        queued.append(descriptor)
      case .failed(let status):
        #expect(status == .timeout)
        #expect(deadline.hasPassed(at: Clock.now()))
        #expect(Clock.now().nanoseconds(since: start) < milliseconds(500))
        return
      }
    }
    Issue.record("the backlog never filled")
  }

  private func connectNumeric(until deadline: Deadline) -> ConnectResult {
    var loop = EventLoop()
    return Connector.connect(host: "10.0.0.1", port: 5672, until: deadline, loop: &loop)
  }
}
