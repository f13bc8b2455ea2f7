import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPEngine

@Suite struct LossTests {
  private func code(_ value: Int32) -> UInt16 { UInt16(truncatingIfNeeded: value) }

  @Test func theNetworkIsWorthAnotherTry() {
    for status in [
      Status.connectionClosed, .socketError, .heartbeatTimeout, .timeout, .hostnameResolutionFailed, .tcpError,
      .sslError, .noMemory, Status(-12_345),
    ] {
      #expect(Loss.failed(status).retry == .worthwhile, "\(status.text)")
    }
  }

  @Test func anotherHostMayBeBetter() {
    for status in [
      Status.incompatibleAMQPVersion, .brokerUnsupportedSASLMethod, .badAMQPData, .wrongMethod,
      .sslHostnameVerifyFailed, .sslPeerVerifyFailed, .sslConnectionFailed,
    ] {
      #expect(Loss.failed(status).retry == .limited, "\(status.text)")
    }
  }

  @Test func theSameWordsGetTheSameAnswer() {
    for status in [Status.invalidParameter, .badURL, .unsupported, .sslUnimplemented, .tableTooBig, .ok] {
      #expect(Loss.failed(status).retry == .pointless, "\(status.text)")
    }
  }

  @Test func replyCodes() {
    let table: [(Int32, refused: Loss.Retry, closed: Loss.Retry)] = [
      (AMQP_REPLY_SUCCESS, .limited, .worthwhile), (AMQP_CONNECTION_FORCED, .worthwhile, .worthwhile),
      (AMQP_INTERNAL_ERROR, .worthwhile, .worthwhile), (AMQP_RESOURCE_ERROR, .worthwhile, .worthwhile),
      (AMQP_ACCESS_REFUSED, .limited, .limited), (AMQP_NOT_ALLOWED, .pointless, .limited),
      (AMQP_INVALID_PATH, .pointless, .limited), (AMQP_FRAME_ERROR, .limited, .limited),
      (AMQP_SYNTAX_ERROR, .limited, .limited), (AMQP_COMMAND_INVALID, .limited, .limited),
      (AMQP_CHANNEL_ERROR, .limited, .limited), (AMQP_UNEXPECTED_FRAME, .limited, .limited),
      (AMQP_NOT_IMPLEMENTED, .limited, .limited), (0, .limited, .limited), (65_535, .limited, .limited),
    ]
    for (value, refused, closed) in table {
      #expect(Loss.refusedByServer(replyCode: code(value)).retry == refused, "\(value)")
      #expect(Loss.closedByServer(replyCode: code(value)).retry == closed, "\(value)")
    }
  }
}
