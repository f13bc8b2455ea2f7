import AMQPBase
import AMQPTransport
public import CRabbitMQ

extension TLSVersion {
  /// Outer nil: not offered; inner nil: the newest.
  fileprivate static func of(_ version: amqp_tls_version_t) -> TLSVersion?? {
    switch version {
    case AMQP_TLSv1_2: .some(.tls12)
    case AMQP_TLSv1_3: .some(.tls13)
    case AMQP_TLSvLATEST: .some(nil)
    default: .none
    }
  }
}

@_cdecl("amqp_ssl_socket_set_ssl_versions") @implementation
public func amqp_ssl_socket_set_ssl_versions(
  _ self: OpaquePointer!, _ min: amqp_tls_version_t, _ max: amqp_tls_version_t
) -> Int32 {
  guard let socket = Socket.tls(self), min.rawValue <= max.rawValue else { return Status.invalidParameter.code }
  guard let least = TLSVersion.of(min), let greatest = TLSVersion.of(max) else { return Status.unsupported.code }
  return socket.setVersions(least: least, greatest: greatest).code
}
