// Where the life of a connection meets its channels: each function here is called by the connection's driver, from the loop,
// never from inside a call of the program's.

import AMQPBase
import AMQPEngine
import AMQPWire
import CRabbitMQ

extension EventDriver {
  /// A frame of a channel, as it lies in the inbound buffer. Not ok: the connection is lost for that reason.
  func channelReceived(_ view: FrameView, at now: Instant) -> Status {
    // A channel that is gone: what was on its way still comes.
    connection.pointee.channels[view.channel] == nil ? .unexpectedState : .ok
  }

  /// The connection is lost: everything outstanding completes with `error`. `isRecoverable`: the connection comes back,
  /// and with recovery of the topology the channels with it; otherwise they end, with their `on_closed`.
  func channelsLost(_ error: EventError, isRecoverable: Bool) {}

  /// The connection is logged in again. Ends with `topologyRecovered`, at once or later.
  func recoverChannels() { topologyRecovered(nil) }

  /// Closed or freed: everything outstanding completes as cancelled, the channels end, with `on_closed`, and are gone.
  func endChannels(_ error: EventError?) {}

  /// Completes what has waited too long; answers when to ask again.
  func channelDeadlines(at now: Instant) -> Deadline { .never }

  /// Publishes may be welcome again: what waited was written, the broker is unblocked, or the connection is ready.
  func channelsMayPublish() {}
}
