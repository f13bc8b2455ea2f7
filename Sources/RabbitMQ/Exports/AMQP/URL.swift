import AMQPBase
import AMQPWire
public import CRabbitMQ

@_cdecl("amqp_default_connection_info") @implementation
public func amqp_default_connection_info(_ parsed: UnsafeMutablePointer<amqp_connection_info>!) {
  guard let parsed else { return }
  ConnectionURL.setDefaults(&parsed.pointee)
}

@_cdecl("amqp_parse_url") @implementation
public func amqp_parse_url(
  _ url: UnsafeMutablePointer<CChar>!, _ parsed: UnsafeMutablePointer<amqp_connection_info>!
) -> Int32 {
  guard let url, let parsed else { return Status.invalidParameter.code }
  return ConnectionURL.parse(url, into: &parsed.pointee).code
}
