import AMQPBase
import CMemory
import CRabbitMQ
import CSystem

@_cdecl("amqp_error_string2") @implementation
public func amqp_error_string2(_ err: Int32) -> UnsafePointer<CChar>! {
  UnsafeRawPointer(Status(err).text.utf8Start).assumingMemoryBound(to: CChar.self)
}

/// The old form: the caller frees the text, and the code may come with either sign.
@_cdecl("amqp_error_string") @implementation
public func amqp_error_string(_ err: Int32) -> UnsafeMutablePointer<CChar>! {
  strdup(amqp_error_string2(err > 0 ? 0 &- err : err))
}
