// The login: protocol header, start, tune, open. The engine's Handshake says what comes next.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

extension EventDriver {
  func logIn(at now: Instant) {
    connection.pointee.handshake = Handshake(wanted: connection.pointee.options.plain.wanted, negotiation: .event)
    connection.pointee.tuning = .beforeTune
    connection.pointee.isReceiving = true
    guard connection.pointee.queue.encodeProtocolHeader().isOK else { return lost(.noMemory, at: now) }
    if isTraced { traceSent(since: 0) }
    flush()
  }

  /// A method on channel 0 before open-ok.
  func loginReceived(_ view: FrameView, at now: Instant) {
    let pool = withUnsafeMutablePointer(to: &connection.pointee.propertiesPool) { $0 }
    guard view.methodID == amqp_connection_start_t.id else {
      let status = EventDriver.withMethod(view) { method in
        loginReceived(event(of: method), method, at: now)
        return .ok
      }
      if !status.isOK { lost(status, at: now) }
      return
    }
    // Its properties stay for the program to look at.
    pool.empty()
    var frame = amqp_frame_t()
    let status = Frame.decode(view, pool: pool, into: &frame)
    guard status.isOK else { return lost(status, at: now) }
    loginReceived(event(of: frame.payload.method), frame.payload.method, at: now)
  }

  func loginReceived(_ event: Handshake.Event, _ method: amqp_method_t = amqp_method_t(), at now: Instant) {
    var status = Status.ok
    switch connection.pointee.handshake.receive(event) {
    case .sendStartOk: status = sendStartOk()
    case .sendTuneOkThenOpen(let tuning): status = sendTuneOkThenOpen(tuning, at: now)
    case .opened:
      connection.pointee.isLoggedIn = true
      note(.loggedIn, at: now)
    // Nothing that a broker may say here is for later.
    case .keepForLater: status = .unexpectedState
    case .serverRefused: return refused(method, at: now)
    case .fail(let failure): status = failure
    }
    if !status.isOK { lost(status, at: now) }
  }

  private func event(of method: amqp_method_t) -> Handshake.Event {
    switch method.id {
    case amqp_connection_start_t.id:
      guard let start = method.decoded?.load(as: amqp_connection_start_t.self) else { return .otherFrame }
      connection.pointee.serverProperties = start.server_properties
      let name = SASL.name(connection.pointee.options.plain.mechanism)
      return .start(
        major: start.version_major, minor: start.version_minor,
        mechanismOffered: name.map { SASL.offers($0, in: start.mechanisms) } ?? false)
    case amqp_connection_tune_t.id:
      guard let tune = method.decoded?.load(as: amqp_connection_tune_t.self) else { return .otherFrame }
      return .tune(Tuning(channelMax: tune.channel_max, frameMax: tune.frame_max, heartbeat: tune.heartbeat))
    case amqp_connection_secure_t.id: return .secure
    case amqp_connection_open_ok_t.id: return .openOk
    case amqp_connection_close_t.id: return .connectionClose
    default: return .otherFrame
    }
  }

  private func refused(_ method: amqp_method_t, at now: Instant) {
    guard let close = method.decoded?.load(as: amqp_connection_close_t.self) else { return lost(.badAMQPData, at: now) }
    var closeOk = amqp_connection_close_ok_t()
    if send(&closeOk, channel: 0).isOK { writeLast(now) }
    lost(EventError(close, .refusedByServer(replyCode: close.reply_code)), at: now)
  }

  // MARK: What goes

  private func sendStartOk() -> Status {
    var credentials = amqp_event_credentials_t(
      user: UnsafePointer(connection.pointee.options.user) ?? EventOptions.guest,
      password: UnsafePointer(connection.pointee.options.password) ?? EventOptions.guest)
    if let ask = connection.pointee.options.plain.credentials {
      let answer = ask(handle, &credentials, connection.pointee.options.plain.credentialsContext)
      guard connection.pointee.isReceiving else { return .ok }
      guard answer == 0 else { return .unexpectedState }
    }
    var pool = amqp_pool_t()
    return withUnsafeMutablePointer(to: &pool) { pool in
      pool.initialize(pageSize: 4096)
      defer { pool.empty() }
      return sendStartOk(credentials, pool)
    }
  }

  private func sendStartOk(_ credentials: amqp_event_credentials_t, _ pool: UnsafeMutablePointer<amqp_pool_t>) -> Status
  {
    let mechanism = connection.pointee.options.plain.mechanism
    let response =
      mechanism == AMQP_SASL_METHOD_PLAIN
      ? SASL.plainResponse(
        user: UnsafeRawBufferPointer(cString: credentials.user),
        password: UnsafeRawBufferPointer(cString: credentials.password), pool: pool)
      : SASL.externalResponse(
        identity: UnsafeRawBufferPointer(cString: connection.pointee.options.identity), pool: pool)
    guard let response, let name = SASL.name(mechanism) else { return .noMemory }
    defer { if let bytes = response.bytes { memset(bytes, 0, response.len) } }
    var startOk = amqp_connection_start_ok_t(
      client_properties: amqp_table_t(), mechanism: amqp_bytes_t(name), response: response,
      locale: amqp_bytes_t("en_US"))
    guard let own = connection.pointee.options.clientProperties(pool) else { return .noMemory }
    var status = ClientProperties.build(user: own, for: .event, pool: pool, into: &startOk.client_properties)
    if status.isOK { status = send(&startOk, channel: 0) }
    connection.pointee.queue.markSecret()
    return status
  }

  private func sendTuneOkThenOpen(_ tuning: Tuning, at now: Instant) -> Status {
    connection.pointee.tuning = tuning
    connection.pointee.monitor = HeartbeatMonitor(intervalSeconds: tuning.heartbeat, at: now)
    var tuneOk = amqp_connection_tune_ok_t(
      channel_max: tuning.channelMax, frame_max: tuning.frameMax, heartbeat: tuning.heartbeat)
    let status = send(&tuneOk, channel: 0)
    guard status.isOK else { return status }
    let vhost = connection.pointee.options.vhost
    var open = amqp_connection_open_t(
      virtual_host: vhost == nil ? amqp_bytes_t("/") : amqp_bytes_t(UnsafeRawBufferPointer(cString: vhost)),
      capabilities: amqp_bytes_t(), insist: 1)
    return send(&open, channel: 0)
  }
}
