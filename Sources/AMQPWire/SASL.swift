// The two SASL mechanisms of the interface: PLAIN (RFC 4616) and EXTERNAL (RFC 4422, appendix A).
import AMQPBase
public import CRabbitMQ

public enum SASL {
  /// The mechanism's name on the wire, nil for a value that is no mechanism.
  public static func name(_ method: amqp_sasl_method_enum) -> StaticString? {
    switch method {
    case AMQP_SASL_METHOD_PLAIN: "PLAIN"
    case AMQP_SASL_METHOD_EXTERNAL: "EXTERNAL"
    default: nil
    }
  }

  /// Whether the server's list, names with a space between, holds this name as a whole word.
  public static func offers(_ mechanism: StaticString, in list: amqp_bytes_t) -> Bool {
    let octets = list.buffer
    var start = 0
    while start < octets.count {
      var end = start
      while end < octets.count, octets[end] != UInt8(ascii: " ") { end &+= 1 }
      let word = amqp_bytes_t(UnsafeRawBufferPointer(rebasing: octets[start..<end]))
      if word.equals(amqp_bytes_t(mechanism)) { return true }
      start = end &+ 1
    }
    return false
  }

  /// NUL user NUL password: an empty authorisation identity, then the two.
  public static func plainResponse(
    user: UnsafeRawBufferPointer, password: UnsafeRawBufferPointer, pool: UnsafeMutablePointer<amqp_pool_t>
  ) -> amqp_bytes_t? {
    let (both, overflow) = user.count.addingReportingOverflow(password.count)
    guard !overflow, both <= Limit.longstrOctets &- 2, let memory = pool.allocate(both &+ 2) else { return nil }
    var encoder = Encoder(UnsafeMutableRawBufferPointer(start: memory, count: both &+ 2))
    encoder.put(UInt8(0))
    encoder.putBytes(user)
    encoder.put(UInt8(0))
    encoder.putBytes(password)
    return amqp_bytes_t(len: both &+ 2, bytes: memory)
  }

  /// The identity to act as; empty where the server is to take it from the certificate.
  public static func externalResponse(
    identity: UnsafeRawBufferPointer, pool: UnsafeMutablePointer<amqp_pool_t>
  ) -> amqp_bytes_t? {
    pool.copy(identity)
  }
}
