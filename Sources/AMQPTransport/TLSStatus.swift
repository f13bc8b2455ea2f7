public import AMQPBase
import CSystem

extension Transport {
  /// What a program hears of a transport that `failed`: a fault of the TLS protocol is named as such.
  public func status(of errno: Int32) -> Status {
    if case .tls = self, errno == EPROTO { return .sslError }
    return .socketError
  }
}
