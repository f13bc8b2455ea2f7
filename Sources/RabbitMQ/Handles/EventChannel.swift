import AMQPBase
import AMQPEngine
import AMQPWire
import CRabbitMQ

/// What `amqp_event_channel_t *` points to.
struct EventChannel: ~Copyable {
  typealias Handle = UnsafeMutablePointer<EventChannel>

  let connection: EventConnection.Handle
  var number: UInt16 = 0
  var callbacks = amqp_event_channel_callbacks_t()
  var context: UnsafeMutableRawPointer?
}
