import AMQPBase
import Testing

@testable import AMQPEngine

private typealias Change = (inout RecoveryPlan) -> Void

/// What a program may forget while its topology comes back, and how that shows in a line.
private var changes: [(Change, (String) -> Bool)] {
  [
    ({ $0.deleteExchange("x") }, { $0.hasPrefix("exchange x") || $0.hasPrefix("bind x") }),
    ({ $0.deleteQueue("q") }, { $0 == "queue q" || $0.hasSuffix(" queue q") || $0 == "consume 2 q d" }),
    (
      {
        $0.deleteQueue("gen-old")
        $0.deleteQueue("gen-1")
      }, { $0 == "queue " || $0.contains("gen-") }
    ),
    ({ $0.unbind("y", "q") }, { $0.hasPrefix("bind y") }),
    ({ $0.unbindExchange("x", "y", "k") }, { $0.hasPrefix("bind x exchange") }),
    ({ $0.cancel("c", on: 1) }, { $0.hasPrefix("consume 1") }),
    ({ $0.channelClosed(2) }, { $0 == "open 2" || $0 == "confirms 2" || $0.hasPrefix("consume 2") }),
  ]
}

private func plan() -> RecoveryPlan {
  var plan = RecoveryPlan.forTests()
  plan.open(1)
  plan.open(2)
  plan.modeSelected(2, .confirm)
  plan.prefetchLimited(2, to: RecoveryPlan.Prefetch(count: 3), global: false)
  plan.exchange("x")
  plan.exchange("y")
  plan.queue("", named: "gen-old")
  plan.queue("q")
  plan.bindExchange("x", "y", "k")
  plan.bind("x", "gen-old")
  plan.bind("y", "q")
  plan.consumer("c", of: "gen-old", on: 1)
  plan.consumer("d", of: "q", on: 2)
  return plan
}

@Suite struct RecoveryRunsTests {
  /// Between any step and its reply, be it a yes or a no: the way goes on to its end, and what was forgotten stays so.
  @Test func forgettingAtEveryStep() {
    var whole = RecoveryBroker()
    var first = plan()
    let count = whole.recover(&first).count
    for (change, shows) in changes {
      for cut in 0..<(count - 1) {
        for isRefused in [false, true] {
          var plan = plan()
          var broker = RecoveryBroker()
          plan.begin()
          for _ in 0..<cut { _ = broker.answer(&plan) }
          if isRefused { broker.refusals = [plan.next(at: recoveryStart).line: [405]] }
          _ = broker.answer(&plan, meanwhile: change)
          broker.refusals = [:]
          if isRefused, cut == 1 { #expect(broker.outcomes.last == (shows("exchange x") ? .proceed : .givenUp)) }
          var now = recoveryStart
          repeat {
            let lines = broker.round(&plan, at: now)
            #expect(!lines.contains(where: shows), "\(lines)")
            now = now.adding(nanoseconds: 100)
          } while broker.lines.last == "wait" && now < recoveryStart.adding(nanoseconds: 10_000)
          #expect(broker.lines.last == "done", "cut at \(cut)")
          let lines = broker.recover(&plan)
          #expect(!lines.contains(where: shows), "\(lines)")
        }
      }
    }
  }

  /// Whatever is built and torn down, what comes back is what a plain model of the broker holds.
  @Test(arguments: 1...30 as ClosedRange<UInt64>)
  func randomPrograms(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var plan = RecoveryPlan.forTests()
    var (broker, model) = (RecoveryBroker(), Model())
    func pick(_ prefix: String, _ count: UInt64) -> String { "\(prefix)\(random.next() % count)" }
    for turn in 0..<1_500 {
      let (exchange, queue, key, tag) = (pick("x", 4), pick("q", 5), pick("k", 2), pick("t", 6))
      let channel = UInt16(1 + random.next() % 3)
      let isAutoDelete = (exchange.last?.hexDigitValue ?? 0) % 2 == 0
      switch random.next() % 14 {
      case 0, 1:
        plan.exchange(exchange, autoDelete: isAutoDelete)
        model.exchanges[exchange] = isAutoDelete
      case 2, 3:
        plan.queue(queue, autoDelete: queue == "q0" || queue == "q1")
        model.queues[queue] = queue == "q0" || queue == "q1"
      case 4, 5:
        plan.bind(exchange, queue, key)
        model.bindings.insert([exchange, "queue", queue, key])
      case 6:
        let other = pick("x", 4)
        plan.bindExchange(exchange, other, key)
        model.bindings.insert([exchange, "exchange", other, key])
      case 7, 8:
        plan.open(channel)
        model.channels.insert(channel)
        if model.consumers[[String(channel), tag]] == nil {
          plan.consumer(tag, of: queue, on: channel)
          model.consumers[[String(channel), tag]] = queue
        }
      case 9:
        plan.deleteExchange(exchange)
        model.deleteExchange(exchange)
      case 10:
        plan.deleteQueue(queue)
        model.deleteQueue(queue)
      case 11:
        plan.unbind(exchange, queue, key)
        model.unbind([exchange, "queue", queue, key])
      case 12:
        plan.cancel(tag, on: channel)
        model.cancel([String(channel), tag])
      default:
        guard random.next() % 4 == 0 else { continue }
        plan.channelClosed(channel)
        model.closeChannel(channel)
      }
      if turn % 50 == 0 {
        let lines = Set(broker.recover(&plan))
        #expect(lines.subtracting(["topology", "topology ends", "done"]) == model.lines, "turn \(turn)")
      }
    }
  }
}

/// The rules once more, over sets of strings.
private struct Model {
  /// Name to whether it is auto-delete.
  var exchanges: [String: Bool] = [:]
  var queues: [String: Bool] = [:]
  var bindings: Set<[String]> = []
  /// Channel and tag to queue.
  var consumers: [[String]: String] = [:]
  var channels: Set<UInt16> = []

  var lines: Set<String> {
    var lines = Set(exchanges.keys.map { "exchange \($0)" }).union(queues.keys.map { "queue \($0)" })
    lines.formUnion(bindings.map { "bind " + $0.joined(separator: " ") })
    lines.formUnion(consumers.map { "consume \($0.key[0]) \($0.value) \($0.key[1])" })
    lines.formUnion(channels.map { "open \($0)" })
    return lines
  }

  mutating func deleteExchange(_ name: String) {
    bindings = bindings.filter { $0[0] != name }
    exchanges[name] = nil
    for binding in bindings where binding[1] == "exchange" && binding[2] == name { unbind(binding) }
  }

  mutating func deleteQueue(_ name: String) {
    consumers = consumers.filter { $0.value != name }
    queues[name] = nil
    for binding in bindings where binding[1] == "queue" && binding[2] == name { unbind(binding) }
  }

  mutating func unbind(_ binding: [String]) {
    guard bindings.remove(binding) != nil, exchanges[binding[0]] == true else { return }
    if !bindings.contains(where: { $0[0] == binding[0] }) { deleteExchange(binding[0]) }
  }

  mutating func cancel(_ consumer: [String]) {
    guard let queue = consumers.removeValue(forKey: consumer), queues[queue] == true else { return }
    if !consumers.values.contains(queue) { deleteQueue(queue) }
  }

  mutating func closeChannel(_ channel: UInt16) {
    for consumer in consumers.keys where consumer[0] == String(channel) { cancel(consumer) }
    channels.remove(channel)
  }
}
