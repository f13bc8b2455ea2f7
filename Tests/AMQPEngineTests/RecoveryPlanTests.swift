import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPEngine

private let locked = UInt16(truncatingIfNeeded: AMQP_RESOURCE_LOCKED)
private let notFound = UInt16(truncatingIfNeeded: AMQP_NOT_FOUND)
private let preconditionFailed = UInt16(truncatingIfNeeded: AMQP_PRECONDITION_FAILED)
private let accessRefused = UInt16(truncatingIfNeeded: AMQP_ACCESS_REFUSED)

/// A bit of everything.
private func everything() -> RecoveryPlan {
  var plan = RecoveryPlan.forTests()
  plan.open(1)
  plan.open(2)
  plan.prefetchLimited(1, to: RecoveryPlan.Prefetch(count: 9), global: true)
  plan.modeSelected(2, .confirm)
  plan.exchange("x", arguments: "alternate")
  plan.exchange("y")
  plan.bindExchange("x", "y", "#")
  plan.queue("", named: "gen-old")
  plan.bind("x", "gen-old", "k", arguments: "match")
  plan.prefetchLimited(1, to: RecoveryPlan.Prefetch(count: 5), global: false)
  plan.consumer("one", of: "gen-old", on: 1)
  plan.queue("q", arguments: "quorum")
  plan.bind("y", "q")
  plan.consumer("two", of: "q", on: 2, arguments: "priority")
  return plan
}

private let everythingAgain = [
  "topology", "exchange x?alternate", "exchange y", "queue ", "queue q?quorum", "bind x exchange y #",
  "bind x queue gen-1 k?match", "bind y queue q", "topology ends", "open 1", "qos 1 9 all", "open 2", "confirms 2",
  "qos 1 5", "consume 1 gen-1 one", "consume 2 q two?priority", "done",
]

@Suite struct RecoveryPlanTests {
  @Test func everythingComesBackInOrder() {
    var plan = everything()
    var broker = RecoveryBroker()
    #expect(broker.recover(&plan) == everythingAgain)
    #expect(broker.outcomes.filter { $0 != .proceed } == [.renamed])
    // And again after the next loss, with the name of then.
    let lines = broker.recover(&plan)
    let expected = everythingAgain.map { $0.replacing("gen-1", with: "gen-2") }
    #expect(lines == expected)
  }

  @Test func nothingIsDoneAtOnce() {
    var plan = RecoveryPlan.forTests()
    var broker = RecoveryBroker()
    #expect(broker.round(&plan) == ["done"])
    #expect(broker.recover(&plan) == ["done"])
    plan.open(7)
    plan.modeSelected(7, .transactional)
    #expect(broker.recover(&plan) == ["open 7", "transactions 7", "done"])
  }

  /// Wherever the connection is lost, the next one brings everything.
  @Test func aLossAtEveryStep() {
    for cut in 0..<everythingAgain.count {
      var plan = everything()
      var broker = RecoveryBroker()
      plan.begin()
      for _ in 0..<cut { _ = broker.answer(&plan) }
      broker.namesGiven = 0
      let lines = broker.recover(&plan)
      #expect(lines == everythingAgain, "cut at \(cut)")
    }
  }

  @Test func aLossBetweenAStepAndItsReply() {
    for cut in 0..<everythingAgain.count {
      var plan = everything()
      var broker = RecoveryBroker()
      plan.begin()
      for _ in 0..<cut { _ = broker.answer(&plan) }
      _ = plan.next(at: recoveryStart)
      broker.namesGiven = 0
      let lines = broker.recover(&plan)
      #expect(lines == everythingAgain, "cut at \(cut)")
    }
  }

  // MARK: What is remembered

  @Test func aPassiveDeclarationMakesNothing() {
    var plan = RecoveryPlan.forTests()
    var broker = RecoveryBroker()
    var (exchange, queue) = (amqp_exchange_declare_t(), amqp_queue_declare_t())
    (exchange.exchange, exchange.passive, queue.queue, queue.passive) = (bytes("x"), 1, bytes("q"), 1)
    let (one, other) = (
      plan.exchangeDeclared(exchange, arguments: .empty), plan.queueDeclared(queue, arguments: .empty, name: bytes("q"))
    )
    #expect(one == .ok && other == .ok)
    #expect(broker.recover(&plan) == ["done"])
  }

  @Test func theSameTwiceIsOne() {
    var plan = RecoveryPlan.forTests()
    var broker = RecoveryBroker()
    plan.open(1)
    for _ in 0..<3 {
      plan.exchange("x")
      plan.queue("q")
      plan.bind("x", "q", "k")
      plan.open(1)
    }
    plan.consumer("c", of: "q", on: 1)
    plan.consumer("c", of: "q", on: 1)
    // Again, with other arguments: the broker took them, so the queue had gone in between.
    plan.queue("q", arguments: "new")
    #expect(
      broker.recover(&plan) == [
        "topology", "exchange x", "queue q?new", "bind x queue q k", "topology ends", "open 1", "consume 1 q c", "done",
      ])
    plan.deleteQueue("q")
    #expect(broker.recover(&plan) == ["topology", "exchange x", "topology ends", "open 1", "done"])
  }

  @Test func bindingsDifferByTheirArguments() {
    var plan = RecoveryPlan.forTests()
    var broker = RecoveryBroker()
    for arguments in ["", "a", "b"] { plan.bind("x", "q", "k", arguments: arguments) }
    plan.unbind("x", "q", "k", arguments: "a")
    plan.unbind("x", "q", "other")
    plan.unbindExchange("x", "q", "k")
    #expect(broker.recover(&plan) == ["topology", "bind x queue q k", "bind x queue q k?b", "topology ends", "done"])
  }

  @Test func namesNoMethodCanHave() {
    var plan = RecoveryPlan.forTests()
    let long = String(repeating: "n", count: 256)
    plan.open(1)
    let statuses = [
      plan.exchange(long), plan.queue(long), plan.bind("x", long), plan.bindExchange(long, "x"),
      plan.consumer("c", of: long, on: 1), plan.consumer(long, of: "q", on: 1), plan.consumer("c", of: "q", on: 9),
    ]
    #expect(statuses.allSatisfy { $0 == .invalidParameter })
    let longest = plan.queue(String(repeating: "n", count: 255))
    #expect(longest == .ok)
  }

  // MARK: What is forgotten

  @Test func aQueueTakesItsBindingsAndConsumersAlong() {
    var plan = everything()
    var broker = RecoveryBroker()
    plan.deleteQueue("gen-old")
    plan.cancel("two", on: 1)
    let lines = broker.recover(&plan)
    #expect(!lines.contains("queue ") && !lines.contains { $0.hasPrefix("bind x queue") || $0.hasSuffix(" one") })
    #expect(lines.contains("consume 2 q two?priority"))
  }

  @Test func anExchangeTakesItsBindingsAlong() {
    var plan = everything()
    var broker = RecoveryBroker()
    plan.deleteExchange("y")
    let lines = broker.recover(&plan)
    #expect(lines.filter { $0.hasPrefix("bind") } == ["bind x queue gen-1 k?match"])
    plan.deleteExchange("x")
    let rest = broker.recover(&plan)
    #expect(rest.contains { $0.hasPrefix("bind") || $0.hasPrefix("exchange") } == false)
  }

  @Test func aChannelTakesItsConsumersAlong() {
    var plan = everything()
    var broker = RecoveryBroker()
    plan.channelClosed(2)
    plan.channelClosed(2)
    plan.cancel("one", on: 1)
    let lines = broker.recover(&plan)
    #expect(lines.contains("open 1") && !lines.contains("open 2"))
    #expect(!lines.contains { $0.hasPrefix("consume") })
  }

  @Test func autoDeleteFollows() {
    var plan = RecoveryPlan.forTests()
    var broker = RecoveryBroker()
    plan.open(1)
    plan.exchange("upper", autoDelete: true)
    plan.exchange("lower", autoDelete: true)
    plan.exchange("unused", autoDelete: true)
    plan.bindExchange("upper", "lower")
    plan.queue("q", autoDelete: true)
    plan.bind("lower", "q", "1")
    plan.bind("lower", "q", "2")
    plan.consumer("one", of: "q", on: 1)
    plan.consumer("two", of: "q", on: 1)
    plan.cancel("one", on: 1)
    let before = broker.recover(&plan)
    #expect(before.filter { $0.hasPrefix("exchange") || $0.hasPrefix("queue") }.count == 4)
    // The last consumer, then the queue, its two bindings, then the exchange that has no binding left.
    plan.cancel("two", on: 1)
    let after = broker.recover(&plan)
    #expect(after.filter { $0.hasPrefix("queue") || $0.hasPrefix("bind ") } == [])
    // And the one above it, whose only binding led there.
    #expect(after.filter { $0.hasPrefix("exchange") } == ["exchange unused"])
  }

  // MARK: Names given by the broker

  @Test func bindingsThatCameFirstFollowToo() {
    var plan = RecoveryPlan.forTests()
    var broker = RecoveryBroker()
    plan.open(1)
    plan.bind("x", "gen-old")
    plan.consumer("c", of: "gen-old", on: 1)
    plan.queue("", named: "gen-old")
    let lines = broker.recover(&plan)
    #expect(lines.contains("bind x queue gen-1") && lines.contains("consume 1 gen-1 c"))
    plan.unbind("x", "gen-1")
    plan.deleteQueue("gen-1")
    #expect(broker.recover(&plan) == ["open 1", "done"])
  }

  @Test func aNameHasRoomForTheLongest() {
    var plan = RecoveryPlan.forTests()
    plan.queue("", named: "g", arguments: "arguments")
    for length in [255, 1, 256] {
      plan.begin()
      _ = plan.next(at: recoveryStart)
      _ = plan.receive(.succeeded, at: recoveryStart)
      let outcome = Array(repeating: UInt8(ascii: "n"), count: length).withUnsafeBytes {
        plan.receive(.queueDeclared(name: amqp_bytes_t($0)), at: recoveryStart)
      }
      #expect(outcome == (length == 256 ? .proceed : .renamed))
      plan.begin()
      _ = plan.next(at: recoveryStart)
      _ = plan.receive(.succeeded, at: recoveryStart)
      guard case .declareQueue(let queue) = plan.next(at: recoveryStart) else { continue }
      #expect(queue.name.len == (length == 256 ? 1 : length))
      #expect(text(queue.arguments) == "arguments")
    }
  }

  // MARK: Prefetch

  @Test func eachConsumerHasTheLimitOfItsTime() {
    var plan = RecoveryPlan.forTests()
    var broker = RecoveryBroker()
    plan.open(3)
    plan.consumer("a", of: "q", on: 3)
    for (count, tag) in [(5, "b"), (5, "c"), (1, "d")] as [(UInt16, String)] {
      plan.prefetchLimited(3, to: RecoveryPlan.Prefetch(count: count), global: false)
      plan.consumer(tag, of: "q", on: 3)
    }
    plan.prefetchLimited(3, to: RecoveryPlan.Prefetch(count: 8), global: false)
    let expected = [
      "open 3", "consume 3 q a", "qos 3 5", "consume 3 q b", "consume 3 q c", "qos 3 1", "consume 3 q d", "qos 3 8",
      "done",
    ]
    for _ in 0..<2 { #expect(broker.recover(&plan) == expected) }
  }

  // MARK: Refusals

  @Test func whatIsRefusedIsLeftOutAndTheRestGoesOn() {
    for (line, code) in [
      ("exchange y", preconditionFailed), ("bind y queue q", notFound), ("bind x exchange y #", accessRefused),
    ] {
      var plan = everything()
      var broker = RecoveryBroker()
      broker.refusals = [line: [code]]
      let lines = broker.recover(&plan)
      #expect(broker.outcomes.filter { $0 == .givenUp }.count == 1)
      // The refusal closed the topology channel.
      let place = lines.firstIndex(of: line) ?? 0
      var expected = everythingAgain
      expected.insert("topology", at: place + 1)
      if line == "bind y queue q" { expected.removeAll { $0 == "topology ends" || $0 == "topology" } }
      if line == "bind y queue q" { expected.insert("topology", at: 0) }
      #expect(lines == expected, "\(line)")
      // And is tried again after the next loss.
      #expect(broker.recover(&plan).contains(line))
    }
  }

  @Test func aQueueThatIsHeldComesLater() {
    var plan = everything()
    var broker = RecoveryBroker()
    broker.refusals = ["queue q?quorum": [locked, notFound]]
    var lines = broker.recover(&plan)
    #expect(lines.last == "wait" && lines.contains("consume 1 gen-1 one"))
    #expect(!lines.contains("bind y queue q") && !lines.contains("consume 2 q two?priority"))
    #expect(broker.outcomes.filter { $0 == .deferred }.count == 1)
    #expect(broker.round(&plan, at: recoveryStart.adding(nanoseconds: 99)) == ["wait"])
    #expect(
      broker.round(&plan, at: recoveryStart.adding(nanoseconds: 100)) == ["topology", "queue q?quorum", "wait"])
    lines = broker.round(&plan, at: recoveryStart.adding(nanoseconds: 200))
    #expect(
      lines == [
        "topology", "queue q?quorum", "bind y queue q", "topology ends", "consume 2 q two?priority", "done",
      ])
  }

  @Test func patienceEnds() {
    var plan = everything()
    var broker = RecoveryBroker()
    broker.refusals = ["queue ": Array(repeating: locked, count: 100)]
    var (now, rounds) = (recoveryStart, 1)
    var lines = broker.recover(&plan)
    while lines.last == "wait" {
      now = now.adding(nanoseconds: 100)
      lines = broker.round(&plan, at: now)
      rounds += 1
    }
    #expect(rounds == 11)
    #expect(lines == ["topology", "queue ", "abandon one", "done"])
    #expect(broker.outcomes.contains(.givenUp))
    // The consumer is gone for good, the queue is not.
    broker.refusals = [:]
    lines = broker.recover(&plan)
    #expect(lines.contains("bind x queue gen-1 k?match") && !lines.contains("consume 1 gen-1 one"))
  }

  @Test func aQueueThatIsRefusedForGoodTakesItsConsumersAlong() {
    var plan = everything()
    var broker = RecoveryBroker()
    broker.refusals = ["queue q?quorum": [preconditionFailed]]
    let lines = broker.recover(&plan)
    #expect(lines.suffix(4) == ["qos 1 5", "consume 1 gen-1 one", "abandon two", "done"])
    #expect(!lines.contains("bind y queue q"))
  }

  @Test func aRefusedConsumerDoesNotTakeItsChannelAlong() {
    var plan = everything()
    var broker = RecoveryBroker()
    plan.consumer("three", of: "q", on: 1)
    plan.consumer("four", of: "q", on: 1)
    broker.refusals = ["consume 1 q three": [accessRefused]]
    let lines = broker.recover(&plan)
    #expect(
      lines.suffix(9) == [
        "consume 2 q two?priority", "consume 1 q three", "open 1", "qos 1 9 all", "qos 1 5", "consume 1 gen-1 one",
        "abandon three", "consume 1 q four", "done",
      ])
    #expect(lines.filter { $0 == "consume 2 q two?priority" }.count == 1)
    #expect(!broker.recover(&plan).contains("consume 1 q three"))
  }

  @Test(arguments: ["open 2", "confirms 2"])
  func aChannelThatCannotComeBackIsLost(line: String) {
    var plan = everything()
    var broker = RecoveryBroker()
    broker.refusals = [line: [accessRefused]]
    let lines = broker.recover(&plan)
    #expect(broker.outcomes.contains(.channelLost(2)))
    #expect(!lines.contains("consume 2 q two?priority") && lines.contains("consume 1 gen-1 one"))
    #expect(!broker.recover(&plan).contains("open 2"))
  }

  @Test func aLimitThatIsRefusedLosesTheChannel() {
    for line in ["qos 1 9 all", "qos 1 5"] {
      var plan = everything()
      var broker = RecoveryBroker()
      broker.refusals = [line: [preconditionFailed]]
      let lines = broker.recover(&plan)
      #expect(broker.outcomes.contains(.channelLost(1)), "\(line)")
      #expect(lines.last == "done" && lines.contains("consume 2 q two?priority"))
    }
  }

  @Test func withoutAChannelForItTheTopologyIsGivenUp() {
    for isRefused in [false, true] {
      var plan = everything()
      var broker = RecoveryBroker()
      broker.hasFreeChannel = isRefused
      broker.refusals = ["topology": [accessRefused]]
      let lines = broker.recover(&plan)
      #expect(
        lines == [
          "topology", "open 1", "qos 1 9 all", "open 2", "confirms 2", "abandon one", "abandon two", "qos 1 5", "done",
        ])
      #expect(broker.outcomes.first == .givenUp)
    }
  }

  @Test func aTopologyChannelThatClosesItselfIsClosed() {
    var plan = everything()
    var broker = RecoveryBroker()
    broker.refusals = ["topology ends": [accessRefused]]
    #expect(broker.recover(&plan) == everythingAgain)
  }
}
