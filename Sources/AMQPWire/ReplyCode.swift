import CRabbitMQ

/// The constants of the specification: frame types and reply codes.
public enum ReplyCode {
  /// The name of the constant in the header; nil for a number that has none.
  public static func name(_ code: Int32) -> StaticString? {
    switch code {
    case AMQP_FRAME_METHOD: "AMQP_FRAME_METHOD"
    case AMQP_FRAME_HEADER: "AMQP_FRAME_HEADER"
    case AMQP_FRAME_BODY: "AMQP_FRAME_BODY"
    case AMQP_FRAME_HEARTBEAT: "AMQP_FRAME_HEARTBEAT"
    case AMQP_FRAME_MIN_SIZE: "AMQP_FRAME_MIN_SIZE"
    case AMQP_FRAME_END: "AMQP_FRAME_END"
    case AMQP_REPLY_SUCCESS: "AMQP_REPLY_SUCCESS"
    case AMQP_CONTENT_TOO_LARGE: "AMQP_CONTENT_TOO_LARGE"
    case AMQP_NO_ROUTE: "AMQP_NO_ROUTE"
    case AMQP_NO_CONSUMERS: "AMQP_NO_CONSUMERS"
    case AMQP_CONNECTION_FORCED: "AMQP_CONNECTION_FORCED"
    case AMQP_INVALID_PATH: "AMQP_INVALID_PATH"
    case AMQP_ACCESS_REFUSED: "AMQP_ACCESS_REFUSED"
    case AMQP_NOT_FOUND: "AMQP_NOT_FOUND"
    case AMQP_RESOURCE_LOCKED: "AMQP_RESOURCE_LOCKED"
    case AMQP_PRECONDITION_FAILED: "AMQP_PRECONDITION_FAILED"
    case AMQP_FRAME_ERROR: "AMQP_FRAME_ERROR"
    case AMQP_SYNTAX_ERROR: "AMQP_SYNTAX_ERROR"
    case AMQP_COMMAND_INVALID: "AMQP_COMMAND_INVALID"
    case AMQP_CHANNEL_ERROR: "AMQP_CHANNEL_ERROR"
    case AMQP_UNEXPECTED_FRAME: "AMQP_UNEXPECTED_FRAME"
    case AMQP_RESOURCE_ERROR: "AMQP_RESOURCE_ERROR"
    case AMQP_NOT_ALLOWED: "AMQP_NOT_ALLOWED"
    case AMQP_NOT_IMPLEMENTED: "AMQP_NOT_IMPLEMENTED"
    case AMQP_INTERNAL_ERROR: "AMQP_INTERNAL_ERROR"
    default: nil
    }
  }

  /// Whether the code ends the connection and not only the channel (specification section 1.2, "hard error").
  public static func isHardError(_ code: Int32) -> Bool {
    switch code {
    case AMQP_CONNECTION_FORCED, AMQP_INVALID_PATH, AMQP_FRAME_ERROR, AMQP_SYNTAX_ERROR, AMQP_COMMAND_INVALID,
      AMQP_CHANNEL_ERROR, AMQP_UNEXPECTED_FRAME, AMQP_RESOURCE_ERROR, AMQP_NOT_ALLOWED, AMQP_NOT_IMPLEMENTED,
      AMQP_INTERNAL_ERROR:
      true
    default: false
    }
  }
}
