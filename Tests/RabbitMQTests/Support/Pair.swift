// A connection of the C API and a scripted broker, on one fake wire.

import AMQPBase
import AMQPTransport
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

final class Pair {
  let wire: FakeWire
  let broker: ScriptedBroker
  let connection: amqp_connection_state_t

  private init(_ wire: FakeWire, _ connection: amqp_connection_state_t) {
    self.wire = wire
    self.connection = connection
    broker = ScriptedBroker(wire)
  }

  /// Runs `body` with a connection that has a socket and is not logged in.
  static func connected<Result>(_ body: (Pair) throws -> Result) throws -> Result {
    let wire = FakeWire()
    return try Seam.with(wire) {
      let connection = try #require(amqp_new_connection())
      defer {
        _ = amqp_destroy_connection(connection)
        #expect(wire.isClosed)
      }
      amqp_tcp_socket_set_sockfd(amqp_tcp_socket_new(connection), FakeWire.descriptor)
      let pair = Pair(wire, connection)
      defer {
        pair.broker.restart()
        wire.retire()
      }
      return try body(pair)
    }
  }

  /// Runs `body` with a connection that is logged in; both ends want this heartbeat and this frame_max.
  static func open<Result>(
    heartbeat: UInt16 = 0, frameMax: UInt32 = 131_072, _ body: (Pair) throws -> Result
  ) throws -> Result {
    try connected { pair in
      pair.broker.frameMax = frameMax
      pair.broker.heartbeatSeconds = heartbeat
      try #require(pair.login(frameMax: Int32(frameMax), heartbeat: Int32(heartbeat)) == .normal(0))
      pair.broker.forgetFrames()
      pair.wire.forgetRecords()
      return try body(pair)
    }
  }

  func login(
    vhost: String? = "/", channelMax: Int32 = 0, frameMax: Int32 = 131_072, heartbeat: Int32 = 0,
    method: amqp_sasl_method_enum = AMQP_SASL_METHOD_PLAIN, user: String? = "guest", password: String? = "secret"
  ) -> Outcome {
    func call(_ vhost: UnsafePointer<CChar>?, _ user: UnsafePointer<CChar>?, _ password: UnsafePointer<CChar>?)
      -> Outcome
    {
      Outcome(pulse_login(connection, vhost, channelMax, frameMax, heartbeat, nil, method, user, password))
    }
    return withOptional(vhost) { vhost in
      withOptional(user) { user in withOptional(password) { call(vhost, user, $0) } }
    }
  }

  private func withOptional<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let text else { return body(nil) }
    return text.withCString { body($0) }
  }

  var descriptor: Int32 { amqp_get_sockfd(connection) }

  // MARK: Calls, with their results as values

  func waitFrame(_ seconds: Double? = nil) -> (status: Status, frame: amqp_frame_t) {
    var frame = amqp_frame_t()
    let code = withTimeout(seconds) { amqp_simple_wait_frame_noblock(connection, &frame, $0) }
    return (Status(code), frame)
  }

  func consume(_ seconds: Double? = nil) -> Consumed {
    var envelope = amqp_envelope_t()
    defer { amqp_destroy_envelope(&envelope) }
    let reply = withTimeout(seconds) { amqp_consume_message(connection, &envelope, $0, 0) }
    return Consumed(Outcome(reply), envelope)
  }

  func read(_ channel: UInt16 = 1) -> Consumed {
    var envelope = amqp_envelope_t()
    defer { amqp_destroy_envelope(&envelope) }
    let reply = amqp_read_message(connection, channel, &envelope.message, 0)
    return Consumed(Outcome(reply), envelope)
  }

  func publish(_ content: [UInt8] = [1, 2, 3], channel: UInt16 = 1) -> Status {
    var properties = amqp_basic_properties_t()
    properties._flags = UInt32(AMQP_BASIC_DELIVERY_MODE_FLAG)
    properties.delivery_mode = 2
    return content.withUnsafeBytes { octets in
      let body = amqp_bytes_t(len: octets.count, bytes: UnsafeMutableRawPointer(mutating: octets.baseAddress))
      return Status(amqp_basic_publish(connection, channel, text("exchange"), text("key"), 0, 0, &properties, body))
    }
  }

  func declare(_ channel: UInt16 = 1) -> Outcome {
    _ = amqp_queue_declare(connection, channel, text("queue"), 0, 0, 0, 0, amqp_table_t())
    return Outcome(amqp_get_rpc_reply(connection))
  }

  func setRPCTimeout(_ seconds: Double?) {
    #expect(withTimeout(seconds) { amqp_set_rpc_timeout(connection, $0) } == 0)
  }
}

/// NULL for nil.
func withTimeout<Result>(_ seconds: Double?, _ body: (UnsafePointer<timeval>?) -> Result) -> Result {
  guard let seconds else { return body(nil) }
  let microseconds = Int((seconds * 1e6).rounded())
  var timeout = timeval(tv_sec: microseconds / 1_000_000, tv_usec: microseconds % 1_000_000)
  return body(&timeout)
}

/// A text that is never freed.
func text(_ literal: StaticString) -> amqp_bytes_t {
  amqp_bytes_t(len: literal.utf8CodeUnitCount, bytes: UnsafeMutableRawPointer(mutating: literal.utf8Start))
}

func string(_ bytes: amqp_bytes_t) -> String { String(decoding: octets(bytes), as: UTF8.self) }

func octets(_ bytes: amqp_bytes_t) -> [UInt8] {
  Array(UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len))
}

enum Outcome: Equatable {
  /// With the id of the reply.
  case normal(UInt32)
  case library(Status)
  /// With the id of the method that says why.
  case server(UInt32)
  case none

  init(_ reply: amqp_rpc_reply_t) {
    switch reply.reply_type {
    case AMQP_RESPONSE_NORMAL: self = .normal(reply.reply.id)
    case AMQP_RESPONSE_LIBRARY_EXCEPTION: self = .library(Status(reply.library_error))
    case AMQP_RESPONSE_SERVER_EXCEPTION: self = .server(reply.reply.id)
    default: self = .none
    }
  }

  /// `.ok` for any answer of the server.
  var status: Status { if case .library(let status) = self { status } else { .ok } }
}

/// What is left of an envelope after it was destroyed.
struct Consumed: Equatable {
  var outcome: Outcome
  var channel: UInt16 = 0
  var tag: UInt64 = 0
  var key = ""
  var contentType = ""
  var body: [UInt8] = []

  init(_ outcome: Outcome, _ envelope: amqp_envelope_t) {
    self.outcome = outcome
    channel = envelope.channel
    tag = envelope.delivery_tag
    key = string(envelope.routing_key)
    body = octets(envelope.message.body)
    if envelope.message.properties._flags & UInt32(AMQP_BASIC_CONTENT_TYPE_FLAG) != 0 {
      contentType = string(envelope.message.properties.content_type)
    }
  }

  /// What a consume of `delivery(channel, tag:, content)` gives.
  init(_ channel: UInt16, tag: UInt64, _ content: [UInt8]) {
    outcome = .normal(0)
    self.channel = channel
    self.tag = tag
    key = "key"
    contentType = "text/plain"
    body = content
  }

  /// What a call that failed leaves behind: nothing.
  init(failed outcome: Outcome) { self.outcome = outcome }
}
