import CRabbitMQ
import Testing

@testable import AMQPBase

/// What the C API has always numbered and said: facts that programs and their logs rely on.
private let facts: [(status: Status, constant: amqp_status_enum, code: Int32, text: String)] = [
  (.ok, AMQP_STATUS_OK, 0, "operation completed successfully"),
  (.noMemory, AMQP_STATUS_NO_MEMORY, -1, "could not allocate memory"),
  (.badAMQPData, AMQP_STATUS_BAD_AMQP_DATA, -2, "invalid AMQP data"),
  (.unknownClass, AMQP_STATUS_UNKNOWN_CLASS, -3, "unknown AMQP class id"),
  (.unknownMethod, AMQP_STATUS_UNKNOWN_METHOD, -4, "unknown AMQP method id"),
  (.hostnameResolutionFailed, AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED, -5, "hostname lookup failed"),
  (.incompatibleAMQPVersion, AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION, -6, "incompatible AMQP version"),
  (.connectionClosed, AMQP_STATUS_CONNECTION_CLOSED, -7, "connection closed unexpectedly"),
  (.badURL, AMQP_STATUS_BAD_URL, -8, "could not parse AMQP URL"),
  (.socketError, AMQP_STATUS_SOCKET_ERROR, -9, "a socket error occurred"),
  (.invalidParameter, AMQP_STATUS_INVALID_PARAMETER, -10, "invalid parameter"),
  (.tableTooBig, AMQP_STATUS_TABLE_TOO_BIG, -11, "table too large for buffer"),
  (.wrongMethod, AMQP_STATUS_WRONG_METHOD, -12, "unexpected method received"),
  (.timeout, AMQP_STATUS_TIMEOUT, -13, "request timed out"),
  (.timerFailure, AMQP_STATUS_TIMER_FAILURE, -14, "system timer has failed"),
  (.heartbeatTimeout, AMQP_STATUS_HEARTBEAT_TIMEOUT, -15, "heartbeat timeout, connection closed"),
  (.unexpectedState, AMQP_STATUS_UNEXPECTED_STATE, -16, "unexpected protocol state"),
  (.socketClosed, AMQP_STATUS_SOCKET_CLOSED, -17, "socket is closed"),
  (.socketInUse, AMQP_STATUS_SOCKET_INUSE, -18, "socket already open"),
  (.brokerUnsupportedSASLMethod, AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD, -19, "unsupported sasl method requested"),
  (.unsupported, AMQP_STATUS_UNSUPPORTED, -20, "parameter value is unsupported"),
  (.tcpError, AMQP_STATUS_TCP_ERROR, -256, "a socket error occurred"),
  (.tcpSocketLibraryInitError, AMQP_STATUS_TCP_SOCKETLIB_INIT_ERROR, -257, "socket library initialization failed"),
  (.sslError, AMQP_STATUS_SSL_ERROR, -512, "a SSL error occurred"),
  (.sslHostnameVerifyFailed, AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED, -513, "SSL hostname verification failed"),
  (.sslPeerVerifyFailed, AMQP_STATUS_SSL_PEER_VERIFY_FAILED, -514, "SSL peer cert verification failed"),
  (.sslConnectionFailed, AMQP_STATUS_SSL_CONNECTION_FAILED, -515, "SSL handshake failed"),
  (.sslSetEngineFailed, AMQP_STATUS_SSL_SET_ENGINE_FAILED, -516, "SSL setting engine failed"),
  (.sslUnimplemented, AMQP_STATUS_SSL_UNIMPLEMENTED, -517, "SSL API is not implemented"),
]

/// Of amqp_event.h.
private let eventFacts: [(status: Status, code: Int32, text: String)] = [
  (.full, -0x300, "too much waits to be sent"),
  (.stale, -0x301, "delivery tag from before a recovery"),
  (.refused, -0x302, "refused by the broker"),
  (.cancelled, -0x303, "cancelled"),
]

@Suite struct StatusTests {
  @Test func numbersAreThoseOfTheCAPI() {
    for fact in facts {
      #expect(fact.status.code == fact.code, "\(fact.text)")
      #expect(Status(fact.constant) == fact.status, "\(fact.text)")
      #expect(Status(fact.code) == fact.status, "\(fact.text)")
    }
  }

  @Test func wordsAreThoseOfTheCAPI() {
    for fact in facts { #expect(text(fact.status.text) == fact.text) }
    for fact in eventFacts {
      #expect(fact.status.code == fact.code)
      #expect(text(fact.status.text) == fact.text)
    }
  }

  @Test func theHeaderNamesNoOtherValue() {
    for (first, next) in [
      (0, _AMQP_STATUS_NEXT_VALUE.rawValue), (-0x100, _AMQP_STATUS_TCP_NEXT_VALUE.rawValue),
      (-0x200, _AMQP_STATUS_SSL_NEXT_VALUE.rawValue),
    ] as [(Int32, Int32)] {
      #expect(facts.map(\.code).filter { $0 <= first && $0 > first - 0x100 } == Array((next + 1...first).reversed()))
    }
    #expect(Set(facts.map(\.code)).count == facts.count)
  }

  @Test func otherNumbersHaveWordsToo() {
    let known = Set(facts.map(\.code)).union(eventFacts.map(\.code))
    for code in Int32(-0x400)...0x400 where !known.contains(code) {
      #expect(text(Status(code).text) == "(unknown error)", "\(code)")
    }
    for code in [Int32.min, Int32.min + 1, -0x10000, Int32.max] {
      #expect(text(Status(code).text) == "(unknown error)", "\(code)")
    }
  }

  @Test func onlyZeroIsOK() {
    for fact in facts { #expect(fact.status.isOK == (fact.code == 0)) }
    #expect(!Status(1).isOK)
  }

  /// They are handed out as C strings.
  @Test func textsEndWithZero() {
    for fact in facts + [(Status(77), AMQP_STATUS_OK, 77, "")] {
      let text = fact.status.text
      #expect(text.utf8Start[text.utf8CodeUnitCount] == 0)
    }
  }
}
