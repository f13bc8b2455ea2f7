public import CRabbitMQ

/// Every error of the library: a value of `amqp_status_enum`, 0 or negative, as the C API hands it out.
///
/// The values are computed and not stored, so that no use of one runs a global's initialiser.
public struct Status: Error, Equatable, Sendable {
  public let code: Int32

  @inline(__always) public init(_ code: Int32) { self.code = code }
  @inline(__always) public init(_ status: amqp_status_enum) { code = status.rawValue }
  @inline(__always) public init(_ status: amqp_event_status_enum) { code = status.rawValue }

  public var isOK: Bool { code == AMQP_STATUS_OK.rawValue }

  public static var ok: Status { Status(AMQP_STATUS_OK) }
  public static var noMemory: Status { Status(AMQP_STATUS_NO_MEMORY) }
  public static var badAMQPData: Status { Status(AMQP_STATUS_BAD_AMQP_DATA) }
  public static var unknownClass: Status { Status(AMQP_STATUS_UNKNOWN_CLASS) }
  public static var unknownMethod: Status { Status(AMQP_STATUS_UNKNOWN_METHOD) }
  public static var hostnameResolutionFailed: Status { Status(AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED) }
  public static var incompatibleAMQPVersion: Status { Status(AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION) }
  public static var connectionClosed: Status { Status(AMQP_STATUS_CONNECTION_CLOSED) }
  public static var badURL: Status { Status(AMQP_STATUS_BAD_URL) }
  public static var socketError: Status { Status(AMQP_STATUS_SOCKET_ERROR) }
  public static var invalidParameter: Status { Status(AMQP_STATUS_INVALID_PARAMETER) }
  public static var tableTooBig: Status { Status(AMQP_STATUS_TABLE_TOO_BIG) }
  public static var wrongMethod: Status { Status(AMQP_STATUS_WRONG_METHOD) }
  public static var timeout: Status { Status(AMQP_STATUS_TIMEOUT) }
  public static var timerFailure: Status { Status(AMQP_STATUS_TIMER_FAILURE) }
  public static var heartbeatTimeout: Status { Status(AMQP_STATUS_HEARTBEAT_TIMEOUT) }
  public static var unexpectedState: Status { Status(AMQP_STATUS_UNEXPECTED_STATE) }
  public static var socketClosed: Status { Status(AMQP_STATUS_SOCKET_CLOSED) }
  public static var socketInUse: Status { Status(AMQP_STATUS_SOCKET_INUSE) }
  public static var brokerUnsupportedSASLMethod: Status { Status(AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD) }
  public static var unsupported: Status { Status(AMQP_STATUS_UNSUPPORTED) }

  public static var tcpError: Status { Status(AMQP_STATUS_TCP_ERROR) }
  public static var tcpSocketLibraryInitError: Status { Status(AMQP_STATUS_TCP_SOCKETLIB_INIT_ERROR) }

  public static var sslError: Status { Status(AMQP_STATUS_SSL_ERROR) }
  public static var sslHostnameVerifyFailed: Status { Status(AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED) }
  public static var sslPeerVerifyFailed: Status { Status(AMQP_STATUS_SSL_PEER_VERIFY_FAILED) }
  public static var sslConnectionFailed: Status { Status(AMQP_STATUS_SSL_CONNECTION_FAILED) }
  public static var sslSetEngineFailed: Status { Status(AMQP_STATUS_SSL_SET_ENGINE_FAILED) }
  public static var sslUnimplemented: Status { Status(AMQP_STATUS_SSL_UNIMPLEMENTED) }

  // Of the event API.
  public static var full: Status { Status(AMQP_EVENT_STATUS_FULL) }
  public static var stale: Status { Status(AMQP_EVENT_STATUS_STALE) }
  public static var refused: Status { Status(AMQP_EVENT_STATUS_REFUSED) }
  public static var cancelled: Status { Status(AMQP_EVENT_STATUS_CANCELLED) }
}

extension Status {
  /// What `amqp_error_string2` says. Programs log these words and tests of theirs compare them, so they do not change.
  public var text: StaticString {
    switch self {
    case .ok: "operation completed successfully"
    case .noMemory: "could not allocate memory"
    case .badAMQPData: "invalid AMQP data"
    case .unknownClass: "unknown AMQP class id"
    case .unknownMethod: "unknown AMQP method id"
    case .hostnameResolutionFailed: "hostname lookup failed"
    case .incompatibleAMQPVersion: "incompatible AMQP version"
    case .connectionClosed: "connection closed unexpectedly"
    case .badURL: "could not parse AMQP URL"
    case .socketError: "a socket error occurred"
    case .invalidParameter: "invalid parameter"
    case .tableTooBig: "table too large for buffer"
    case .wrongMethod: "unexpected method received"
    case .timeout: "request timed out"
    case .timerFailure: "system timer has failed"
    case .heartbeatTimeout: "heartbeat timeout, connection closed"
    case .unexpectedState: "unexpected protocol state"
    case .socketClosed: "socket is closed"
    case .socketInUse: "socket already open"
    case .brokerUnsupportedSASLMethod: "unsupported sasl method requested"
    case .unsupported: "parameter value is unsupported"
    case .tcpError: "a socket error occurred"
    case .tcpSocketLibraryInitError: "socket library initialization failed"
    case .sslError: "a SSL error occurred"
    case .sslHostnameVerifyFailed: "SSL hostname verification failed"
    case .sslPeerVerifyFailed: "SSL peer cert verification failed"
    case .sslConnectionFailed: "SSL handshake failed"
    case .sslSetEngineFailed: "SSL setting engine failed"
    case .sslUnimplemented: "SSL API is not implemented"
    case .full: "too much waits to be sent"
    case .stale: "delivery tag from before a recovery"
    case .refused: "refused by the broker"
    case .cancelled: "cancelled"
    default: "(unknown error)"
    }
  }
}
