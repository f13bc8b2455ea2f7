public import AMQPBase
import CRabbitMQ

/// Why a connection, or an attempt to have one, came to its end.
public enum Loss: Equatable, Sendable {
  /// The network, TLS, the login or a time limit.
  case failed(Status)
  /// connection.close with this reply code, before and after open-ok.
  case refusedByServer(replyCode: UInt16)
  case closedByServer(replyCode: UInt16)

  public enum Retry: Equatable, Sendable {
    /// It can be better next time, as often as the waits allow.
    case worthwhile
    /// It may be better elsewhere or with new credentials, but it is not tried for ever.
    case limited
    /// The same words get the same answer.
    case pointless
  }

  public var retry: Retry {
    switch self {
    case .failed(let status): Loss.retry(after: status)
    case .refusedByServer(let replyCode): Loss.retry(afterRefusal: replyCode)
    case .closedByServer(let replyCode): Loss.retry(afterClose: replyCode)
    }
  }

  private static func retry(after status: Status) -> Retry {
    switch status {
    // What the program asked for cannot be done at all.
    case .invalidParameter, .badURL, .unsupported, .sslUnimplemented, .tableTooBig, .ok: .pointless
    // The other end is no broker of ours, or not yet: each host may be another one.
    case .incompatibleAMQPVersion, .brokerUnsupportedSASLMethod, .badAMQPData, .wrongMethod, .unexpectedState,
      .unknownClass, .unknownMethod, .sslHostnameVerifyFailed, .sslPeerVerifyFailed, .sslConnectionFailed,
      .sslSetEngineFailed:
      .limited
    // Ends of the stream, silence, names that do not resolve, no memory.
    default: .worthwhile
    }
  }

  /// During the login. RabbitMQ: 403 wrong credentials, 530 no such vhost or no right to it, 541 the vhost is down on this
  /// node, 320 the node is shutting down or its vhost starts.
  private static func retry(afterRefusal replyCode: UInt16) -> Retry {
    switch Int32(replyCode) {
    case AMQP_CONNECTION_FORCED, AMQP_INTERNAL_ERROR, AMQP_RESOURCE_ERROR: .worthwhile
    case AMQP_INVALID_PATH, AMQP_NOT_ALLOWED: .pointless
    default: .limited
    }
  }

  /// Later. What we did wrong is not done again by itself, but a program may do it again: not for ever.
  private static func retry(afterClose replyCode: UInt16) -> Retry {
    switch Int32(replyCode) {
    case AMQP_REPLY_SUCCESS, AMQP_CONNECTION_FORCED, AMQP_INTERNAL_ERROR, AMQP_RESOURCE_ERROR: .worthwhile
    default: .limited
    }
  }
}
