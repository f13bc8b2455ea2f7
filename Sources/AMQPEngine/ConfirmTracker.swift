// The outstanding publishes of a channel in confirm mode, and the one outcome of each.
//
// The broker numbers the publishes of a channel from 1, in the order in which they were sent, and says a number no more
// than once. So the records form a queue without gaps: a number leads to its record by subtraction. A record that is
// settled before older ones stays, marked, until these are settled too. After a loss the broker begins again at 1; the
// sequence numbers that the program sees go on.
//
//   published ──> outstanding ── ack, nack ──────> acked, nacked
//                      ├──────── basic.return ───> returned      (its ack, which follows, changes nothing)
//                      ├──────── the time is up ─> timedOut      (an ack that comes after all changes nothing)
//                      └──────── channel gone ───> lost, or cancelled where the program ended it
//
// One event may settle many records, and each outcome is a callback, in which a program may publish, close or free. So an
// event answers with a `Settlement`, a range, and `next` takes the outcomes out of it one by one: each exactly once,
// whatever happened in between.
//
// What basic.return cannot say is which publish it belongs to. A message comes back whole and before its ack, so it is one
// of the outstanding mandatory ones with the same `MessageFingerprint`; of several alike it is taken for the oldest. Messages
// that are alike and of which only some come back (a binding changed meanwhile) can thus exchange their outcomes; their
// number of each outcome is still right.

public import AMQPBase

/// `Context`: what the driver wants back with the outcome: a callback and its argument, say.
public struct ConfirmTracker<Context: BitwiseCopyable>: ~Copyable {
  public enum Outcome: Equatable, Sendable { case acked, nacked, returned, timedOut, lost, cancelled }

  public enum Event: Equatable, Sendable {
    case ack(deliveryTag: UInt64, multiple: Bool)
    case nack(deliveryTag: UInt64, multiple: Bool)
    case returned(MessageFingerprint)
    /// To be asked when `nextDeadline` has passed.
    case time(Instant)
    /// The channel is gone: closed by the broker, or lost with its connection.
    case lost
    /// The program closed or freed the channel or its connection.
    case cancelled
  }

  /// What an event settles; nothing where `isEmpty`.
  public struct Settlement: Equatable, Sendable {
    public fileprivate(set) var next: UInt64
    public let last: UInt64
    public let outcome: Outcome
    /// Whether the broker said it of several at once.
    public let multiple: Bool
    /// The broker's tags are smaller than the sequence numbers by so much.
    fileprivate let offset: UInt64

    public var isEmpty: Bool { next > last }
  }

  public enum Verdict: Equatable, Sendable {
    case settles(Settlement)
    /// The broker confirms what was never published: the peer's fault.
    case unknownDeliveryTag
    /// A message came back that was not sent as mandatory: nothing to settle, and no harm.
    case unknownReturn
  }

  public struct Settled {
    public let sequence: UInt64
    /// The number that the broker knew it by.
    public let deliveryTag: UInt64
    public let outcome: Outcome
    public let multiple: Bool
    public let context: Context
  }

  private struct Record: BitwiseCopyable {
    var context: Context
    /// Nil once it is settled.
    var deadline: Deadline?
    /// Nil where the broker need not return it.
    var fingerprint: MessageFingerprint?
  }

  private var records: Ring<Record>
  /// The sequence number of the front of the ring.
  private var first: UInt64
  /// What the broker's tag 0 would be: its tags are smaller than the sequence numbers by so much.
  private var offset: UInt64
  /// Where to begin to look for a returned message: messages come back in the order of their publishes.
  private var returnSearch: UInt64
  /// How long a publish may stay outstanding; `UInt64.max` = for ever.
  private let timeoutNanoseconds: UInt64
  private var latestDeadline: Deadline
  /// Publishes without an outcome.
  public private(set) var outstanding: Int

  public init(timeoutNanoseconds: UInt64 = .max) {
    records = Ring()
    first = 1
    offset = 0
    returnSearch = 1
    self.timeoutNanoseconds = timeoutNanoseconds
    latestDeadline = Deadline(Instant(nanoseconds: 0))
    outstanding = 0
  }

  /// The number that the next publish will have.
  public var nextSequence: UInt64 { first &+ UInt64(records.count) }

  /// The number of the oldest publish without an outcome; that of the next publish when there is none.
  public var oldestOutstanding: UInt64 { first }

  /// Makes room for one publish, so that `published` cannot fail once the message is on its way.
  public mutating func reserve() -> Status { records.reserve() ? .ok : .noMemory }

  /// The sequence number; nil when there is no memory (not after `reserve`), and then nothing was noted.
  public mutating func published(
    _ context: Context, mandatory fingerprint: MessageFingerprint? = nil, at now: Instant
  ) -> UInt64? {
    let sequence = nextSequence
    // In the order of the records, so that the front is always the first to expire.
    let deadline = max(latestDeadline, Deadline(now.adding(nanoseconds: timeoutNanoseconds)))
    guard records.append(Record(context: context, deadline: deadline, fingerprint: fingerprint)) else { return nil }
    latestDeadline = deadline
    outstanding &+= 1
    return sequence
  }

  /// When the oldest outstanding publish has waited long enough.
  public var nextDeadline: Deadline { records.record(at: 0)?.pointee.deadline ?? .never }

  public mutating func receive(_ event: Event) -> Verdict {
    switch event {
    case .ack(let tag, let multiple): return confirmed(tag, multiple, .acked)
    case .nack(let tag, let multiple): return confirmed(tag, multiple, .nacked)
    case .returned(let fingerprint): return returned(fingerprint)
    case .time(let now): return .settles(settlement(first, lastExpired(at: now), .timedOut))
    case .lost: return ended(.lost)
    case .cancelled: return ended(.cancelled)
    }
  }

  /// The next outcome of a settlement, nil when it has no more.
  public mutating func next(_ settlement: inout Settlement) -> Settled? {
    while !settlement.isEmpty {
      // What left the ring meanwhile is settled.
      let sequence = max(settlement.next, first)
      guard sequence <= settlement.last else { break }
      settlement.next = sequence &+ 1
      guard let record = record(sequence), record.pointee.deadline != nil else { continue }
      let context = record.pointee.context
      record.pointee.deadline = nil
      outstanding &-= 1
      dropSettled()
      return Settled(
        sequence: sequence, deliveryTag: sequence &- settlement.offset, outcome: settlement.outcome,
        multiple: settlement.multiple, context: context)
    }
    settlement.next = settlement.last &+ 1
    return nil
  }

  private mutating func ended(_ outcome: Outcome) -> Verdict {
    let all = settlement(first, nextSequence &- 1, outcome)
    offset = all.last
    return .settles(all)
  }

  private mutating func confirmed(_ tag: UInt64, _ multiple: Bool, _ outcome: Outcome) -> Verdict {
    let oldest = max(first, offset &+ 1)
    let newest = nextSequence &- 1
    if tag == 0 {
      // Specification, basic.ack: with `multiple`, 0 means all that are outstanding.
      return multiple ? .settles(settlement(oldest, newest, outcome, multiple: true)) : .unknownDeliveryTag
    }
    guard tag <= newest &- offset else { return .unknownDeliveryTag }
    let sequence = tag &+ offset
    return .settles(settlement(multiple ? oldest : sequence, sequence, outcome, multiple: multiple))
  }

  private mutating func returned(_ fingerprint: MessageFingerprint) -> Verdict {
    let oldest = max(first, offset &+ 1)
    let begin = max(returnSearch, oldest)
    guard
      let sequence = search(fingerprint, from: begin, to: nextSequence) ?? search(fingerprint, from: oldest, to: begin)
    else { return .unknownReturn }
    returnSearch = sequence &+ 1
    return .settles(settlement(sequence, sequence, .returned))
  }

  private func search(_ fingerprint: MessageFingerprint, from begin: UInt64, to end: UInt64) -> UInt64? {
    var sequence = begin
    while sequence < end {
      if let record = record(sequence), record.pointee.deadline != nil, record.pointee.fingerprint == fingerprint {
        return sequence
      }
      sequence &+= 1
    }
    return nil
  }

  /// The last record of which the time is up, below `first` when there is none.
  private func lastExpired(at now: Instant) -> UInt64 {
    var sequence = first
    while let record = record(sequence) {
      if let deadline = record.pointee.deadline, !deadline.hasPassed(at: now) { break }
      sequence &+= 1
    }
    return sequence &- 1
  }

  private func settlement(
    _ next: UInt64, _ last: UInt64, _ outcome: Outcome, multiple: Bool = false
  ) -> Settlement {
    Settlement(next: next, last: last, outcome: outcome, multiple: multiple, offset: offset)
  }

  private func record(_ sequence: UInt64) -> UnsafeMutablePointer<Record>? {
    guard sequence >= first else { return nil }
    return records.record(at: Int(truncatingIfNeeded: sequence &- first))
  }

  private mutating func dropSettled() {
    while let front = records.record(at: 0), front.pointee.deadline == nil {
      records.removeFirst()
      first &+= 1
    }
  }
}

/// What is left of a message to know it by when it comes back: exchange, routing key and body, in this order, each added
/// whole. The properties are not part of it, for a broker may change headers.
public struct MessageFingerprint: Equatable, Sendable, BitwiseCopyable {
  private var hash: UInt64

  public init() { hash = 0xcbf2_9ce4_8422_2325 }

  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    // FNV-1a in steps of eight octets, with the length, so that bytes cannot move from one part into the next.
    mix(UInt64(truncatingIfNeeded: bytes.count))
    guard let start = bytes.baseAddress else { return }
    var offset = 0
    while bytes.count &- offset >= 8 {
      mix((start + offset).loadUnaligned(as: UInt64.self))
      offset &+= 8
    }
    while offset < bytes.count {
      mix(UInt64(start.load(fromByteOffset: offset, as: UInt8.self)))
      offset &+= 1
    }
  }

  private mutating func mix(_ word: UInt64) {
    hash = (hash ^ word) &* 0x0000_0100_0000_01b3
    hash ^= hash >> 32
  }
}
