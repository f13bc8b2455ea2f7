// The way back, one step at a time: `begin`, then in turn `next` and the reply to that step. A loss at any point: `begin`
// once more on the next connection.
//
//   exchanges ──> queues ──> bindings ──> channels ──> consumers ──> prefetch ──> done
//       ^          on the topology channel                              │
//       └──────────────────────────── waiting <── a queue was deferred ─┘
//
// Exchanges, queues and bindings go over a channel that no program sees: a refusal closes a channel, and so it is none of
// the program's. The consumers follow on their own channels, each behind the prefetch limit that held when it was started.
//
// A queue may be refused for a while: exclusive ones are held by the dead connection until the broker too finds it dead
// (405), and a classic queue is away with its node (404). Nothing waits for it: it is deferred with what depends on it, the
// rest goes on, and a later round asks again. What is refused otherwise is given up for this connection. A consumer that is
// refused is cancelled, and its channel, which the broker closed over it, is built again.

public import AMQPBase
public import CRabbitMQ

extension RecoveryPlan {
  /// Names and arguments in a step are borrowed until the reply to it is given.
  public enum Step {
    /// Any number will do that is not in use on this connection; in the first round none is.
    case openTopologyChannel
    case closeTopologyChannel
    case declareExchange(RecordedExchange)
    case declareQueue(RecordedQueue)
    case bind(RecordedBinding)
    case openChannel(UInt16)
    case limitPrefetch(UInt16, Prefetch, global: Bool)
    case selectConfirms(UInt16)
    case selectTransactions(UInt16)
    case consume(RecordedConsumer)
    /// Nothing to send: tell the program that its consumer is cancelled.
    case abandonConsumer(RecordedConsumer)
    /// All but some queues is there, and the connection is ready for use. Ask again then.
    case wait(until: Deadline)
    case done
  }

  public enum Reply: Equatable {
    case succeeded
    /// declare-ok; the name is copied.
    case queueDeclared(name: amqp_bytes_t)
    /// channel.close with this reply code instead. The channel is gone.
    case refused(replyCode: UInt16)
    /// No number is free for the topology channel.
    case noChannelFree

    public static func == (left: Reply, right: Reply) -> Bool {
      switch (left, right) {
      case (.succeeded, .succeeded), (.noChannelFree, .noChannelFree): true
      case (.queueDeclared(let one), .queueDeclared(let other)): one.hasSameBytes(as: other)
      case (.refused(let one), .refused(let other)): one == other
      case (.succeeded, _), (.queueDeclared, _), (.refused, _), (.noChannelFree, _): false
      }
    }
  }

  public enum Outcome: Equatable, Sendable {
    case proceed
    /// The queue has another name than before.
    case renamed
    /// Refused, and asked for again later.
    case deferred
    /// Refused, and left out on this connection: worth a report.
    case givenUp
    /// The channel could not be built again and is forgotten: tell the program that it is closed.
    case channelLost(UInt16)
  }

  enum Stage: Equatable, Sendable {
    case exchanges, queues, bindings, channels, consumers, prefetch, waiting, done
  }

  struct Way: Sendable {
    let retryNanoseconds: UInt64
    let patienceNanoseconds: UInt64
    var stage = Stage.done
    var restoresTopology = true
    var topologyChannelIsOpen = false
    var nextRound = Deadline.never
    /// The channel whose prefetch limit for consumers was last asked for.
    var limiting: UInt16 = 0
  }

  /// On a new connection. Without `topology` only the channels come back, and consumers are abandoned.
  public mutating func begin(topology: Bool) {
    way.restoresTopology = topology
    way.stage = topology ? .exchanges : .channels
    way.topologyChannelIsOpen = false
  }

  public mutating func next(at now: Instant) -> Step { .done }

  public mutating func receive(_ reply: Reply, at now: Instant) -> Outcome { .proceed }
}
