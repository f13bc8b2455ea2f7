// The other end: reads what the client sends, frame by frame, and answers what a broker would unless told otherwise.

import CRabbitMQ
import Testing

struct SentFrame: Equatable {
  var at: UInt64
  var type: UInt8
  var channel: UInt16
  var payload: [UInt8]

  /// 0 for a frame that is no method.
  var method: UInt32 { type == 1 ? payload.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } : 0 }
  var arguments: [UInt8] { Array(payload.dropFirst(4)) }
  var isHeartbeat: Bool { type == 8 }
}

final class ScriptedBroker {
  private unowned let wire: FakeWire
  private var stream: [UInt8] = []
  private var parsed = 0
  private var hasHeader = false

  private(set) var frames: [SentFrame] = []
  private(set) var protocolHeader: [UInt8] = []

  /// What connection.tune offers.
  var channelMax: UInt16 = 2047
  var frameMax: UInt32 = 131_072
  var heartbeatSeconds: UInt16 = 60
  /// The arguments of connection.start.
  var start: [UInt8] = [0, 9] + longstr("\u{1}p" + "S\0\0\0\u{1}v") + longstr("PLAIN EXTERNAL") + longstr("en_US")
  /// Says nothing and answers nothing any more; its kernel may still acknowledge.
  private(set) var isMute = false
  private var isHostDead = false
  /// Sees each method first; true when it has dealt with it.
  var intercept: (SentFrame) -> Bool = { _ in false }
  private(set) var beatsSent = 0

  init(_ wire: FakeWire) {
    self.wire = wire
    wire.deliver = { [unowned self] octets in receive(octets) }
  }

  // MARK: Speaking

  func say(_ octets: [UInt8]) { if !isMute { wire.arrive(octets) } }
  func say(_ octets: [UInt8], after seconds: Double) { wire.after(seconds) { [unowned self] in say(octets) } }

  /// A stopped program still has a kernel that acknowledges; a host without power has none.
  func mute(withHost: Bool = false) {
    isMute = true
    isHostDead = withHost
  }

  /// A heartbeat every so many seconds, the first one after that time.
  func beat(every seconds: Double) {
    wire.after(seconds) { [unowned self] in
      guard !isMute, wire.end == .open else { return }
      beatsSent += 1
      say(heartbeat)
      beat(every: seconds)
    }
  }

  /// Leaves every method unanswered.
  func answerNothing() { intercept = { _ in true } }

  /// For another connection.
  func restart() {
    (stream, parsed, hasHeader, isMute, intercept) = ([], 0, false, false, { _ in false })
    frames = []
  }

  // MARK: Listening

  func forgetFrames() { frames = [] }

  var methods: [UInt32] { frames.filter { $0.type == 1 }.map(\.method) }
  var heartbeats: [SentFrame] { frames.filter(\.isHeartbeat) }
  /// Octets of a frame that has not arrived whole.
  var pendingOctets: Int { stream.count - parsed }

  private func receive(_ octets: [UInt8]) {
    if !isHostDead { wire.lastAcknowledgement = wire.time }
    stream.append(contentsOf: octets)
    if !hasHeader {
      guard stream.count >= 8 else { return }
      hasHeader = true
      protocolHeader = Array(stream[..<8])
      parsed = 8
      if protocolHeader == Array("AMQP".utf8) + [0, 0, 9, 1] { answer(0) }
    }
    while let frame = nextFrame() {
      frames.append(frame)
      if frame.type == 1, !intercept(frame) { answer(frame.method, frame.channel) }
    }
    if parsed == stream.count {
      stream.removeAll(keepingCapacity: true)
      parsed = 0
    }
  }

  private func nextFrame() -> SentFrame? {
    guard stream.count - parsed >= 7 else { return nil }
    let size = stream[parsed + 3..<parsed + 7].reduce(0) { $0 << 8 | Int($1) }
    guard stream.count - parsed >= size + 8 else { return nil }
    let start = parsed
    parsed += size + 8
    if stream[parsed - 1] != 0xCE || ![1, 2, 3, 8].contains(stream[start]) {
      Issue.record("the client sent a broken frame")
    }
    return SentFrame(
      at: wire.time, type: stream[start], channel: UInt16(stream[start + 1]) << 8 | UInt16(stream[start + 2]),
      payload: Array(stream[start + 7..<start + 7 + size]))
  }

  private func answer(_ id: UInt32, _ channel: UInt16 = 0) {
    guard let (reply, arguments) = reply(to: id) else { return }
    say(method(channel, reply, arguments))
  }

  private func reply(to id: UInt32) -> (UInt32, [UInt8])? {
    switch id {
    case 0: (AMQP_CONNECTION_START_METHOD, start)
    case AMQP_CONNECTION_START_OK_METHOD:
      (AMQP_CONNECTION_TUNE_METHOD, big(channelMax) + big(frameMax) + big(heartbeatSeconds))
    case AMQP_CONNECTION_OPEN_METHOD: (AMQP_CONNECTION_OPEN_OK_METHOD, [0])
    case AMQP_CHANNEL_OPEN_METHOD: (AMQP_CHANNEL_OPEN_OK_METHOD, big(UInt32(0)))
    case AMQP_QUEUE_DECLARE_METHOD: (AMQP_QUEUE_DECLARE_OK_METHOD, shortstr("queue") + big(UInt32(7)) + big(UInt32(1)))
    case AMQP_BASIC_CONSUME_METHOD: (AMQP_BASIC_CONSUME_OK_METHOD, shortstr("consumer"))
    case AMQP_BASIC_CANCEL_METHOD: (AMQP_BASIC_CANCEL_OK_METHOD, shortstr("consumer"))
    case AMQP_BASIC_GET_METHOD: (AMQP_BASIC_GET_EMPTY_METHOD, [0])
    case AMQP_CHANNEL_FLOW_METHOD: (AMQP_CHANNEL_FLOW_OK_METHOD, [1])
    case AMQP_QUEUE_PURGE_METHOD: (AMQP_QUEUE_PURGE_OK_METHOD, big(UInt32(3)))
    case AMQP_QUEUE_DELETE_METHOD: (AMQP_QUEUE_DELETE_OK_METHOD, big(UInt32(3)))
    case AMQP_EXCHANGE_UNBIND_METHOD: (AMQP_EXCHANGE_UNBIND_OK_METHOD, [])
    case AMQP_CHANNEL_CLOSE_METHOD, AMQP_CONNECTION_CLOSE_METHOD, AMQP_EXCHANGE_DECLARE_METHOD,
      AMQP_EXCHANGE_DELETE_METHOD, AMQP_EXCHANGE_BIND_METHOD, AMQP_QUEUE_BIND_METHOD, AMQP_QUEUE_UNBIND_METHOD,
      AMQP_BASIC_QOS_METHOD, AMQP_BASIC_RECOVER_METHOD, AMQP_CONFIRM_SELECT_METHOD, AMQP_TX_SELECT_METHOD,
      AMQP_TX_COMMIT_METHOD, AMQP_TX_ROLLBACK_METHOD:
      (id + 1, [])
    default: nil
    }
  }
}
