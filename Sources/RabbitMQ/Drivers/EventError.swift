import AMQPBase
import AMQPEngine
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

/// What went wrong, as a value; `amqp_event_error_t` is made of it for the time of a callback.
struct EventError {
  var status: Status
  var kind: amqp_event_error_kind_t
  var replyCode: UInt16 = 0
  var classID: UInt16 = 0
  var methodID: UInt16 = 0
  var osError: Int32 = 0
  var canRetry = false
  /// The broker's words, borrowed.
  var replyText = amqp_bytes_t.empty
  /// Of a connection: what the engine has to know of it; nil: the status says it.
  var cause: Loss?

  var loss: Loss { cause ?? .failed(status) }

  init(_ status: Status, canRetry: Bool = false) {
    self.status = status
    self.canRetry = canRetry
    kind =
      switch status {
      case .timeout, .heartbeatTimeout: AMQP_EVENT_ERROR_TIMEOUT
      case .sslError, .sslHostnameVerifyFailed, .sslPeerVerifyFailed, .sslConnectionFailed: AMQP_EVENT_ERROR_TLS
      default: AMQP_EVENT_ERROR_LIBRARY
      }
  }

  /// A system call that failed.
  init(errno: Int32, _ status: Status = .socketError) {
    self.init(status, canRetry: true)
    kind = AMQP_EVENT_ERROR_OS
    osError = errno
  }

  /// connection.close of the broker, and what it means to the engine.
  init(_ close: amqp_connection_close_t, _ cause: Loss) {
    self.init(.connectionClosed)
    kind = AMQP_EVENT_ERROR_CONNECTION_CLOSE
    self.cause = cause
    (replyCode, classID, methodID) = (close.reply_code, close.class_id, close.method_id)
    replyText = close.reply_text
  }

  init(_ close: amqp_channel_close_t) {
    self.init(.refused)
    kind = AMQP_EVENT_ERROR_CHANNEL_CLOSE
    (replyCode, classID, methodID) = (close.reply_code, close.class_id, close.method_id)
    replyText = close.reply_text
  }

  /// Octets of a text with its end: the longest reply text and the words before it.
  static var textCapacity: Int { 384 }

  /// Fills in the struct of the C interface, with the text in `room`, of `textCapacity` octets.
  func fill(_ error: inout amqp_event_error_t, text room: UnsafeMutablePointer<CChar>) {
    error.status = status.code
    error.kind = kind
    error.reply_code = replyCode
    error.class_id = classID
    error.method_id = methodID
    error.os_error = osError
    error.can_retry = canRetry ? 1 : 0
    error.text = UnsafePointer(room)
    let target = UnsafeMutableRawBufferPointer(start: room, count: EventError.textCapacity &- 1)
    var encoder = Encoder(target)
    let words = status.text
    encoder.putBytes(UnsafeRawBufferPointer(start: words.utf8Start, count: words.utf8CodeUnitCount))
    if osError != 0, kind == AMQP_EVENT_ERROR_OS {
      put(UnsafeRawBufferPointer(cString: strerror(osError)), &encoder)
    }
    put(replyText.buffer, &encoder)
    room[encoder.written] = 0
    // One line, whatever the broker says.
    for index in 0..<encoder.written where UInt8(bitPattern: room[index]) < 0x20 { room[index] = 0x20 }
  }

  private func put(_ more: UnsafeRawBufferPointer, _ encoder: inout Encoder) {
    guard more.count > 0 else { return }
    encoder.putBytes(amqp_bytes_t(": ").buffer)
    encoder.putBytes(UnsafeRawBufferPointer(rebasing: more.prefix(encoder.remaining)))
  }

  /// Runs `body` with the C struct; nil becomes NULL.
  @inline(never)
  static func with(_ error: EventError?, _ body: (UnsafePointer<amqp_event_error_t>?) -> Void) {
    guard let error else { return body(nil) }
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: textCapacity) { room in
      guard let base = room.baseAddress else { return }
      var filled = amqp_event_error_t()
      error.fill(&filled, text: base)
      withUnsafePointer(to: filled) { body($0) }
    }
  }
}
