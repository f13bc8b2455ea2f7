// The login: protocol header, start, tune, open. The engine's Handshake says what comes next; this sends and waits.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ

/// What a program passes to `amqp_login`.
struct LoginRequest {
  var vhost: UnsafePointer<CChar>
  var wanted: Tuning
  var properties: amqp_table_t
  var mechanism: amqp_sasl_method_enum
  var identity: UnsafeRawBufferPointer
  var password: UnsafeRawBufferPointer
}

/// The methods that a login sends, made and measured before anything is sent.
private struct LoginMethods {
  var startOk: amqp_connection_start_ok_t
  var open: amqp_connection_open_t

  /// What could not be encoded later: a vhost or a key over 255 octets, properties or credentials above a frame.
  mutating func check() -> Status {
    var (first, second) = (Sizer(), Sizer())
    startOk.code(&first)
    open.code(&second)
    guard first.failure.isOK, second.failure.isOK else { return first.failure.isOK ? second.failure : first.failure }
    let room = Int(Tuning.beforeTune.frameMax) &- Frame.overhead &- Frame.methodHeaderSize
    return first.count <= room ? .ok : .tableTooBig
  }
}

extension BlockingDriver {
  func login(_ request: LoginRequest) -> amqp_rpc_reply_t {
    let deadline = connection.pointee.handshakeTimeout.deadline(from: Clock.now())
    guard state.phase != .open else { return amqp_rpc_reply_t(.unexpectedState) }
    guard var methods = makeMethods(request) else { return amqp_rpc_reply_t(.noMemory) }
    var status = prepareProperties(request)
    if status.isOK {
      methods.startOk.client_properties = connection.pointee.clientProperties
      status = methods.check()
    }
    let reply = status.isOK ? login(methods, request, until: deadline) : amqp_rpc_reply_t(status)
    wipe(methods.startOk.response)
    // The keeper uses the outbox, so not before. Without a thread the login is as good as without the wish.
    if reply.isNormal { updateKeeper() }
    return reply
  }

  private func login(_ methods: LoginMethods, _ request: LoginRequest, until deadline: Deadline) -> amqp_rpc_reply_t {
    let status = sendProtocolHeader(until: deadline)
    guard status.isOK else { return failed(status) }
    var handshake = Handshake(wanted: request.wanted, negotiation: .classic)
    while true {
      var frame = amqp_frame_t()
      let before = handshake.state
      let action = handshake.receive(nextEvent(until: deadline, request.mechanism, &frame))
      if isTraced, handshake.state != before { trace(before, handshake.state) }
      switch action {
      case .sendStartOk:
        var startOk = methods.startOk
        let status = sendMethod(amqp_connection_start_ok_t.id, &startOk, channel: 0, until: deadline)
        if !status.isOK { return failed(status) }
      case .sendTuneOkThenOpen(let tuning):
        let status = sendTuneOkThenOpen(tuning, methods.open, until: deadline)
        if !status.isOK { return failed(status) }
      case .keepForLater:
        _ = receiving { _ -> Status in
          putBehind(frame)
          return .ok
        }
      case .opened:
        note(.loggedIn)
        release()
        return amqp_rpc_reply_t(normal: amqp_method_t())
      case .serverRefused:
        return amqp_rpc_reply_t(serverException: frame.payload.method)
      case .fail(let status):
        return failed(status)
      }
    }
  }

  /// The password does not stay in memory for the life of the connection.
  private func wipe(_ response: amqp_bytes_t) {
    if let bytes = response.bytes { memset(bytes, 0, response.len) }
    connection.pointee.send.outbox.wipe()
  }

  /// A login that fails half-way leaves nothing to go on with.
  private func failed(_ status: Status) -> amqp_rpc_reply_t {
    hangUp(status)
    closeWhenAlone()
    return amqp_rpc_reply_t(status)
  }

  // MARK: What comes

  private func nextEvent(
    until deadline: Deadline, _ mechanism: amqp_sasl_method_enum, _ frame: inout amqp_frame_t
  ) -> Handshake.Event {
    let status = receiving(until: deadline) { now -> Status in
      switch nextView(until: deadline, &now) {
      case .frame(let view): decode(view, into: &frame)
      case .failed(let status): status
      }
    }
    guard status.isOK else { return .ended(status) }
    if frame.frame_type == Frame.protocolHeaderType { return .protocolHeader }
    guard frame.frame_type == Frame.method, frame.channel == 0 else { return .otherFrame }
    let decoded = frame.payload.method.decoded
    switch frame.payload.method.id {
    case amqp_connection_start_t.id:
      guard let start = decoded?.load(as: amqp_connection_start_t.self) else { return .otherFrame }
      return started(start, mechanism)
    case amqp_connection_tune_t.id:
      guard let tune = decoded?.load(as: amqp_connection_tune_t.self) else { return .otherFrame }
      return .tune(Tuning(channelMax: tune.channel_max, frameMax: tune.frame_max, heartbeat: tune.heartbeat))
    case amqp_connection_secure_t.id: return .secure
    case amqp_connection_open_ok_t.id: return .openOk
    case amqp_connection_close_t.id: return .connectionClose
    default: return .otherFrame
    }
  }

  private func started(_ start: amqp_connection_start_t, _ mechanism: amqp_sasl_method_enum) -> Handshake.Event {
    let status = withUnsafeMutablePointer(to: &connection.pointee.propertiesPool) { pool in
      FieldTable.clone(start.server_properties, into: &connection.pointee.serverProperties, pool: pool)
    }
    guard status.isOK else { return .ended(status) }
    let name = SASL.name(mechanism)
    return .start(
      major: start.version_major, minor: start.version_minor,
      mechanismOffered: name.map { SASL.offers($0, in: start.mechanisms) } ?? false)
  }

  // MARK: What goes

  /// Takes the place of the tables of an earlier login.
  private func prepareProperties(_ request: LoginRequest) -> Status {
    connection.pointee.serverProperties = amqp_table_t()
    connection.pointee.clientProperties = amqp_table_t()
    return withUnsafeMutablePointer(to: &connection.pointee.propertiesPool) { pool in
      ClientProperties.build(user: request.properties, pool: pool, into: &connection.pointee.clientProperties)
    }
  }

  private func makeMethods(_ request: LoginRequest) -> LoginMethods? {
    withUnsafeMutablePointer(to: &connection.pointee.propertiesPool) { pool in
      pool.recycle()
      let response =
        request.mechanism == AMQP_SASL_METHOD_PLAIN
        ? SASL.plainResponse(user: request.identity, password: request.password, pool: pool)
        : SASL.externalResponse(identity: request.identity, pool: pool)
      guard let response, let name = SASL.name(request.mechanism) else { return nil }
      return LoginMethods(
        startOk: amqp_connection_start_ok_t(
          client_properties: amqp_table_t(), mechanism: amqp_bytes_t(name), response: response,
          locale: amqp_bytes_t("en_US")),
        open: amqp_connection_open_t(
          virtual_host: amqp_bytes_t(UnsafeRawBufferPointer(cString: request.vhost)), capabilities: amqp_bytes_t(),
          insist: 1))
    }
  }

  private func sendTuneOkThenOpen(_ tuning: Tuning, _ open: amqp_connection_open_t, until deadline: Deadline) -> Status
  {
    tune(tuning)
    var tuneOk = amqp_connection_tune_ok_t(
      channel_max: tuning.channelMax, frame_max: tuning.frameMax, heartbeat: tuning.heartbeat)
    let status = sendMethod(amqp_connection_tune_ok_t.id, &tuneOk, channel: 0, until: deadline)
    guard status.isOK else { return status }
    var open = open
    return sendMethod(amqp_connection_open_t.id, &open, channel: 0, until: deadline)
  }
}
