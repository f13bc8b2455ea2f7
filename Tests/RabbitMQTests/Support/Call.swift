// Every call of the C API that takes the connection and may wait, poll or do I/O.

import AMQPBase
import CRabbitMQ

enum Call: String, CaseIterable, CustomStringConvertible {
  // Waits.
  case simpleWaitFrame, simpleWaitFrameNoblock, simpleWaitMethod, consumeMessage, consumeMessageTimeout, readMessage
  case publisherConfirmWait, publisherConfirmWaitTimeout, simpleRPC, simpleRPCDecoded, channelOpen, queueDeclare
  case basicGet, basicConsume, confirmSelect, channelClose, connectionClose
  // Sends.
  case basicPublish, basicAck, basicNack, basicReject, sendMethod, sendFrame
  // Polls.
  case framesEnqueued, dataInBuffer

  var description: String { rawValue }

  static let waits: [Call] = [
    .simpleWaitFrame, .simpleWaitFrameNoblock, .simpleWaitMethod, .consumeMessage, .consumeMessageTimeout, .readMessage,
    .publisherConfirmWait, .publisherConfirmWaitTimeout, .simpleRPC, .simpleRPCDecoded, .channelOpen, .queueDeclare,
    .basicGet, .basicConsume, .confirmSelect, .channelClose, .connectionClose,
  ]
  static let sends: [Call] = [.basicPublish, .basicAck, .basicNack, .basicReject, .sendMethod, .sendFrame]
  static let polls: [Call] = [.framesEnqueued, .dataInBuffer]
  /// The waits that can be told how long.
  static let timed: [Call] = [.simpleWaitFrameNoblock, .consumeMessageTimeout, .publisherConfirmWaitTimeout]
  static let requests: [Call] = [
    .simpleRPC, .simpleRPCDecoded, .channelOpen, .queueDeclare, .basicGet, .basicConsume, .confirmSelect, .channelClose,
    .connectionClose,
  ]

  /// Makes the call; a wait that takes a timeout gets this one. A poll answers `.ok`, whatever it saw.
  func make(_ pair: Pair, timeout: Double = 1e6) -> Status {
    let connection = pair.connection
    switch self {
    case .simpleWaitFrame:
      var frame = amqp_frame_t()
      return Status(amqp_simple_wait_frame(connection, &frame))
    case .simpleWaitFrameNoblock: return pair.waitFrame(timeout).status
    case .simpleWaitMethod:
      var method = amqp_method_t()
      return Status(amqp_simple_wait_method(connection, 1, AMQP_BASIC_ACK_METHOD, &method))
    case .consumeMessage: return pair.consume().outcome.status
    case .consumeMessageTimeout: return pair.consume(timeout).outcome.status
    case .readMessage: return pair.read().outcome.status
    case .publisherConfirmWait: return confirm(pair, nil)
    case .publisherConfirmWaitTimeout: return confirm(pair, timeout)
    case .simpleRPC: return request(pair, decoded: false)
    case .simpleRPCDecoded: return request(pair, decoded: true)
    case .channelOpen:
      _ = amqp_channel_open(connection, 1)
      return latestReply(pair)
    case .queueDeclare: return pair.declare().status
    case .basicGet: return Outcome(amqp_basic_get(connection, 1, text("queue"), 1)).status
    case .basicConsume:
      _ = amqp_basic_consume(connection, 1, text("queue"), text(""), 0, 0, 0, amqp_table_t())
      return latestReply(pair)
    case .confirmSelect:
      _ = amqp_confirm_select(connection, 1)
      return latestReply(pair)
    case .channelClose: return Outcome(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS)).status
    case .connectionClose: return Outcome(amqp_connection_close(connection, AMQP_REPLY_SUCCESS)).status
    case .basicPublish: return pair.publish()
    case .basicAck: return Status(amqp_basic_ack(connection, 1, 1, 0))
    case .basicNack: return Status(amqp_basic_nack(connection, 1, 1, 0, 0))
    case .basicReject: return Status(amqp_basic_reject(connection, 1, 1, 0))
    case .sendMethod:
      var ack = amqp_basic_ack_t(delivery_tag: 1, multiple: 0)
      return Status(amqp_send_method(connection, 1, AMQP_BASIC_ACK_METHOD, &ack))
    case .sendFrame:
      var frame = amqp_frame_t()
      frame.frame_type = UInt8(AMQP_FRAME_HEARTBEAT)
      return Status(amqp_send_frame(connection, &frame))
    case .framesEnqueued:
      _ = amqp_frames_enqueued(connection)
      return .ok
    case .dataInBuffer:
      _ = amqp_data_in_buffer(connection)
      return .ok
    }
  }

  private func latestReply(_ pair: Pair) -> Status { Outcome(amqp_get_rpc_reply(pair.connection)).status }

  private func confirm(_ pair: Pair, _ timeout: Double?) -> Status {
    var confirm = amqp_publisher_confirm_t()
    return Outcome(withTimeout(timeout) { amqp_publisher_confirm_wait(pair.connection, $0, &confirm) }).status
  }

  private func request(_ pair: Pair, decoded: Bool) -> Status {
    var purge = amqp_queue_purge_t(ticket: 0, queue: text("queue"), nowait: 0)
    if decoded {
      _ = amqp_simple_rpc_decoded(
        pair.connection, 1, AMQP_QUEUE_PURGE_METHOD, AMQP_QUEUE_PURGE_OK_METHOD, &purge)
      return latestReply(pair)
    }
    var replies: [amqp_method_number_t] = [AMQP_QUEUE_PURGE_OK_METHOD, 0]
    return Outcome(amqp_simple_rpc(pair.connection, 1, AMQP_QUEUE_PURGE_METHOD, &replies, &purge)).status
  }
}
