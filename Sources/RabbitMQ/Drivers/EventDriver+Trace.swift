// What the driver tells the trace. Every call asks `isTraced` first, where it happens: when nobody wants to know, that is all
// it costs.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ

extension EventDriver {
  var isTraced: Bool {
    @inline(__always) get { connection.pointee.trace.isOn }
  }

  /// The frames that were appended to the queue since so many octets waited in it.
  @inline(never)
  func traceSent(since before: Int) {
    let descriptor = transport.descriptor
    connection.pointee.queue.forEachFrame(inLast: connection.pointee.queue.count &- before) {
      connection.pointee.trace.frame(.sent, $0, on: descriptor)
    }
  }

  @inline(never)
  func traceReceived(_ view: FrameView) { connection.pointee.trace.frame(.received, view, on: transport.descriptor) }

  @inline(never)
  func trace(_ from: EventConnectionState.State, _ event: EventConnectionState.Event, _ error: EventError) {
    guard from != state else { return }
    var reason: Status?
    if case .lost = event { reason = error.status }
    if case .time = event, from != .waiting { reason = error.status }
    connection.pointee.trace.state(from.number.name, state.number.name, because: reason, on: transport.descriptor)
  }
}
