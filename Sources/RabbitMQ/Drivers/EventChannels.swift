// Where the life of a connection meets its channels: each function here is called by the connection's driver, from the loop,
// never from inside a call of the program's.

import AMQPBase
import AMQPEngine
import AMQPWire
import CRabbitMQ

extension EventDriver {
  /// A frame of a channel, as it lies in the inbound buffer. Not ok: the connection is lost for that reason.
  @inline(__always)
  func channelReceived(_ view: FrameView, at now: Instant) -> Status {
    guard let channel = connection.pointee.channels[view.channel] else { return .unexpectedState }
    if connection.pointee.latestChannel != channel {
      guard keepContent() else { return .noMemory }
      connection.pointee.latestChannel = channel
    }
    return ChannelDriver(channel).receive(view)
  }

  /// The inbound buffer is about to move: a message that has come in part is kept elsewhere. False when there is no memory.
  func keepContent() -> Bool {
    guard let channel = connection.pointee.latestChannel else { return true }
    return channel.pointee.content.keep()
  }

  /// The connection is lost: everything outstanding completes with `error`. `isRecoverable`: the connection comes back,
  /// and with recovery of the topology the channels with it; otherwise they end, with their `on_closed`.
  func channelsLost(_ error: EventError, isRecoverable: Bool) {
    let isKept = isRecoverable && connection.pointee.options.plain.recovery == AMQP_EVENT_RECOVERY_TOPOLOGY
    connection.pointee.recovery.reset()
    forEachChannel { ChannelDriver($0).connectionLost(error, isKept: isKept) }
  }

  /// The connection is logged in again. Ends with `topologyRecovered`, at once or later.
  func recoverChannels() { RecoveryDriver(connection).begin() }

  /// Closed or freed: everything outstanding completes as cancelled, the channels end, with `on_closed`, and are gone.
  func endChannels(_ error: EventError?) {
    channelsLost(error ?? EventError(.cancelled), isRecoverable: false)
  }

  /// Completes what has waited too long; answers when to ask again.
  func channelDeadlines(at now: Instant) -> Deadline {
    var earliest = RecoveryDriver(connection).checkRound(at: now)
    forEachChannel { earliest = min(earliest, ChannelDriver($0).checkDeadlines(at: now)) }
    return earliest
  }

  /// Publishes may be welcome again: what waited was written, the broker is unblocked, or the connection is ready.
  func channelsMayPublish() {
    forEachChannel { ChannelDriver($0).mayPublish() }
  }

  /// Octets were written, for which somebody may wait.
  func channelsWritten() {
    guard connection.pointee.drains > 0 else { return }
    forEachChannel { ChannelDriver($0).checkDrains() }
  }

  /// Channels may come and go meanwhile.
  func forEachChannel(_ body: (EventChannel.Handle) -> Void) {
    guard connection.pointee.channels.count > 0 else { return }
    var number: UInt16 = 0
    while number < connection.pointee.channels.highest {
      number &+= 1
      if let channel = connection.pointee.channels[number] { body(channel) }
    }
  }
}
