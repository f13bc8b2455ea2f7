// The ends: of an attempt, of a connection, and of its handle.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

extension EventDriver {
  // MARK: Goodbye

  func sendClose(at now: Instant) {
    let text = connection.pointee.closeText
    var close = amqp_connection_close_t(
      reply_code: connection.pointee.closeCode,
      reply_text: amqp_bytes_t(UnsafeRawBufferPointer(cString: text)), class_id: 0, method_id: 0)
    let status = send(&close, channel: 0)
    free(text)
    connection.pointee.closeText = nil
    if !status.isOK { lost(status, at: now) }
  }

  /// A last word to a broker that will not wait for more: what the socket takes of it at once.
  func writeLast(_ now: Instant) {
    let pieces = connection.pointee.hub.pointee.pieces
    guard let base = pieces.baseAddress else { return }
    let count = connection.pointee.queue.gather(pieces)
    if case .bytes(let sent) = transport.send(base, count: count) { connection.pointee.queue.advance(sent) }
  }

  // MARK: Losses

  func drop(wasOpen: Bool, then next: EventConnectionState.Next, _ error: EventError, at now: Instant) {
    let wasToldReady = connection.pointee.isToldReady
    let isWanted = error.status == .cancelled || state == .closed && connection.pointee.isClosing
    if !isWanted { keep(error) }
    tearDown()
    giveBackBodies()
    let isEnd = next == .end
    if isEnd {
      endSecrets(EventError(.cancelled))
      endChannels(isWanted ? nil : error)
    } else if wasOpen {
      endSecrets(error)
      channelsLost(error, isRecoverable: true)
    }
    if isEnd { EventHub.settle(connection, in: connection.pointee.hub) }
    guard !connection.pointee.isDoomed else { return }
    switch next {
    case .wait, .resolve:
      if wasToldReady {
        connection.pointee.callbacks.on_lost?(handle, connection.pointee.lastError, connection.pointee.context)
      }
      // The program may have closed it in a callback.
      if case .resolve(let host) = next, state == .resolving, !connection.pointee.isDoomed { resolve(host, at: now) }
    case .end:
      rest()
      tellClosed(isWanted ? nil : connection.pointee.lastError)
    }
  }

  /// Leaves nothing of a connection or of an attempt to have one. The program hears nothing.
  private func tearDown() {
    connection.pointee.epoch &+= 1
    connection.pointee.isReceiving = false
    connection.pointee.isLoggedIn = false
    connection.pointee.isBlocked = false
    connection.pointee.isToldReady = false
    connection.pointee.isAboveHighWater = false
    connection.pointee.addressDeadline = .never
    closeSocket()
    connection.pointee.lookup?.abandon()
    connection.pointee.lookup = nil
    connection.pointee.addresses.free()
    connection.pointee.assembler.abandon()
    connection.pointee.queue.clear()
    connection.pointee.serverProperties = amqp_table_t()
    withUnsafeMutablePointer(to: &connection.pointee.propertiesPool) { $0.empty() }
    connection.pointee.tuning = .beforeTune
  }

  private func tellClosed(_ error: UnsafePointer<amqp_event_error_t>?) {
    guard !connection.pointee.isToldClosed else { return }
    connection.pointee.isToldClosed = true
    connection.pointee.callbacks.on_closed?(handle, error, connection.pointee.context)
  }

  /// The loop need not run for the sake of this connection any more.
  private func rest() {
    event_del(connection.pointee.events.timer)
    connection.pointee.timerDeadline = .never
    guard connection.pointee.isLively else { return }
    connection.pointee.isLively = false
    EventHub.rest(connection.pointee.hub)
  }

  /// For `amqp_event_connection_last_error`.
  private func keep(_ error: EventError) {
    guard let kept = connection.pointee.lastError else { return }
    let text = UnsafeMutableRawPointer(kept + 1).assumingMemoryBound(to: CChar.self)
    error.fill(&kept.pointee, text: text)
  }

  // MARK: The handle

  /// `amqp_event_connection_free`: the socket goes at once, the rest from the loop, or with the base.
  func doom() {
    guard !connection.pointee.isDoomed else { return }
    EventHub.doom(connection, in: connection.pointee.hub)
    connection.pointee.isReceiving = false
    closeSocket()
    connection.pointee.lookup?.abandon()
    connection.pointee.lookup = nil
    if let timer = connection.pointee.events.timer { event_free(timer) }
    connection.pointee.events.timer = nil
    event_free_finalize(0, connection.pointee.events.turn) { _, connection in EventDriver.finalize(connection) }
  }

  private static func finalize(_ argument: UnsafeMutableRawPointer?) {
    guard let connection = argument?.assumingMemoryBound(to: EventConnection.self) else { return }
    let driver = EventDriver(connection)
    driver.tearDown()
    driver.giveBackBodies()
    while connection.pointee.firstDeferred != nil { driver.runDeferred() }
    EventHub.settle(connection, in: connection.pointee.hub)
    driver.endSecrets(EventError(.cancelled))
    driver.endChannels(nil)
    while connection.pointee.firstDeferred != nil { driver.runDeferred() }
    if driver.state != .idle { driver.tellClosed(nil) }
    if connection.pointee.isLively { EventHub.rest(connection.pointee.hub) }
    EventConnection.destroy(connection)
  }
}
