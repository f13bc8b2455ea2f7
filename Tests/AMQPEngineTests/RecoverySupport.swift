import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPEngine

let recoveryStart = Instant(nanoseconds: 1_000)

func bytes(_ text: StaticString) -> amqp_bytes_t {
  amqp_bytes_t(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
}

func text(_ bytes: amqp_bytes_t) -> String { String(decoding: bytes.buffer, as: UTF8.self) }

private func with<T>(_ words: [String], _ body: ([amqp_bytes_t]) -> T) -> T {
  var memory: [amqp_bytes_t] = []
  for word in words {
    let copied = Array(word.utf8).withUnsafeBytes { amqp_bytes_t($0).duplicated() }
    memory.append(copied ?? .empty)
  }
  defer {
    // What the plan kept a pointer to would show.
    for bytes in memory {
      bytes.bytes?.initializeMemory(as: UInt8.self, repeating: 0x2a, count: bytes.len)
      bytes.deallocate()
    }
  }
  return body(memory)
}

/// Calls as the driver makes them, with names in Swift strings.
extension RecoveryPlan {
  static func forTests() -> RecoveryPlan { RecoveryPlan(retryNanoseconds: 100, patienceNanoseconds: 1_000) }

  @discardableResult
  mutating func exchange(_ name: String, autoDelete: Bool = false, arguments: String = "") -> Status {
    with([name, "topic", arguments]) {
      var method = amqp_exchange_declare_t()
      (method.exchange, method.type, method.durable, method.auto_delete) = ($0[0], $0[1], 1, autoDelete ? 1 : 0)
      return exchangeDeclared(method, arguments: $0[2])
    }
  }

  @discardableResult
  mutating func queue(_ name: String, named: String? = nil, autoDelete: Bool = false, arguments: String = "") -> Status
  {
    with([name, named ?? name, arguments]) {
      var method = amqp_queue_declare_t()
      (method.queue, method.exclusive, method.auto_delete) = ($0[0], 1, autoDelete ? 1 : 0)
      return queueDeclared(method, arguments: $0[2], name: $0[1])
    }
  }

  @discardableResult
  mutating func bind(_ source: String, _ queue: String, _ key: String = "", arguments: String = "") -> Status {
    with([source, queue, key, arguments]) {
      queueBound(
        amqp_queue_bind_t(
          ticket: 0, queue: $0[1], exchange: $0[0], routing_key: $0[2], nowait: 0, arguments: amqp_table_t()),
        arguments: $0[3])
    }
  }

  @discardableResult
  mutating func bindExchange(_ source: String, _ destination: String, _ key: String = "") -> Status {
    with([source, destination, key]) {
      exchangeBound(
        amqp_exchange_bind_t(
          ticket: 0, destination: $0[1], source: $0[0], routing_key: $0[2], nowait: 0, arguments: amqp_table_t()),
        arguments: .empty)
    }
  }

  mutating func unbind(_ source: String, _ queue: String, _ key: String = "", arguments: String = "") {
    with([source, queue, key, arguments]) {
      queueUnbound(
        amqp_queue_unbind_t(
          ticket: 0, queue: $0[1], exchange: $0[0], routing_key: $0[2], arguments: amqp_table_t()),
        arguments: $0[3])
    }
  }

  mutating func unbindExchange(_ source: String, _ destination: String, _ key: String = "") {
    with([source, destination, key]) {
      exchangeUnbound(
        amqp_exchange_unbind_t(
          ticket: 0, destination: $0[1], source: $0[0], routing_key: $0[2], nowait: 0, arguments: amqp_table_t()),
        arguments: .empty)
    }
  }

  @discardableResult
  mutating func consumer(_ tag: String, of queue: String, on channel: UInt16, arguments: String = "") -> Status {
    with([queue, tag, arguments]) {
      var method = amqp_basic_consume_t()
      method.queue = $0[0]
      return consumerStarted(method, on: channel, arguments: $0[2], tag: $0[1])
    }
  }

  mutating func deleteExchange(_ name: String) { with([name]) { exchangeDeleted($0[0]) } }
  mutating func deleteQueue(_ name: String) { with([name]) { queueDeleted($0[0]) } }
  mutating func cancel(_ tag: String, on channel: UInt16) { with([tag]) { consumerCancelled($0[0], on: channel) } }
  mutating func open(_ channel: UInt16) { #expect(channelOpened(channel) == .ok) }
}

extension RecoveryPlan.Step {
  /// One line, with the arguments behind a question mark.
  var line: String {
    switch self {
    case .openTopologyChannel: "topology"
    case .closeTopologyChannel: "topology ends"
    case .declareExchange(let exchange): "exchange \(text(exchange.method.exchange))" + rest(exchange.arguments)
    case .declareQueue(let queue): "queue \(text(queue.method.queue))" + rest(queue.arguments)
    case .bind(let binding):
      "bind \(text(binding.source)) \(binding.isOfQueue ? "queue" : "exchange") \(text(binding.destination))"
        + (binding.routingKey.len > 0 ? " " + text(binding.routingKey) : "") + rest(binding.arguments)
    case .openChannel(let number): "open \(number)"
    case .limitPrefetch(let number, let prefetch, let global):
      "qos \(number) \(prefetch.count)" + (global ? " all" : "")
    case .selectConfirms(let number): "confirms \(number)"
    case .selectTransactions(let number): "transactions \(number)"
    case .consume(let consumer):
      "consume \(consumer.channel) \(text(consumer.method.queue)) \(text(consumer.method.consumer_tag))"
        + rest(consumer.arguments)
    case .abandonConsumer(let consumer): "abandon \(text(consumer.method.consumer_tag))"
    case .wait: "wait"
    case .done: "done"
    }
  }

  private func rest(_ arguments: amqp_bytes_t) -> String { arguments.len > 0 ? "?" + text(arguments) : "" }
}

/// Answers the steps of a plan, and notes them.
struct RecoveryBroker {
  /// Reply codes for steps to be refused, once each, by their lines.
  var refusals: [String: [UInt16]] = [:]
  var hasFreeChannel = true
  var namesGiven = 0
  var lines: [String] = []
  var outcomes: [RecoveryPlan.Outcome] = []

  /// One step; false at the end of a round. `meanwhile` happens between the step and its reply.
  mutating func answer(
    _ plan: inout RecoveryPlan, at now: Instant = recoveryStart, meanwhile: (inout RecoveryPlan) -> Void = { _ in }
  ) -> Bool {
    let step = plan.next(at: now)
    let line = step.line
    let again = plan.next(at: now).line
    #expect(again == line, "asking twice changes the answer")
    lines.append(line)
    switch step {
    case .done, .wait: return false
    default: break
    }
    let named = if case .declareQueue(let queue) = step { text(queue.method.queue) } else { nil as String? }
    meanwhile(&plan)
    if line == "topology", !hasFreeChannel {
      outcomes.append(plan.receive(.noChannelFree, at: now))
    } else if let code = refusals[line]?.first {
      refusals[line]?.removeFirst()
      outcomes.append(plan.receive(.refused(replyCode: code), at: now))
    } else if let named {
      if named.isEmpty { namesGiven += 1 }
      let name = named.isEmpty ? "gen-\(namesGiven)" : named
      Array(name.utf8).withUnsafeBytes {
        outcomes.append(plan.receive(.queueDeclared(name: amqp_bytes_t($0)), at: now))
      }
    } else {
      outcomes.append(plan.receive(.succeeded, at: now))
    }
    return true
  }

  /// A round, as its lines.
  mutating func round(_ plan: inout RecoveryPlan, at now: Instant = recoveryStart) -> [String] {
    lines = []
    outcomes = []
    while answer(&plan, at: now) {
      guard lines.count < 10_000 else {
        Issue.record("a plan without an end")
        return lines
      }
    }
    return lines
  }

  mutating func recover(_ plan: inout RecoveryPlan) -> [String] {
    plan.begin()
    return round(&plan)
  }
}
