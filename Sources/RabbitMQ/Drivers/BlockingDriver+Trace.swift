// What the driver tells the trace. Every call asks `isTraced` first, where it happens: when nobody wants to know, that is all
// it costs.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire

extension BlockingDriver {
  var isTraced: Bool {
    @inline(__always) get { connection.pointee.trace.isOn }
  }

  /// The keeper, who may be at work, tells what he has to tell as the one who sends.
  func setTrace(_ callback: Trace.Callback?, context: UnsafeMutableRawPointer?) {
    guard connection.pointee.send.turn.take(until: .never) else { return }
    defer { connection.pointee.send.turn.give() }
    connection.pointee.trace.set(callback, owner: OpaquePointer(connection), context: context)
  }

  @inline(never)
  func trace(_ event: ConnectionState.Event, _ change: SharedState.Change) {
    var reason: Status?
    if case .failed(let status) = event { reason = status }
    connection.pointee.trace.state(change.from.name, change.to.name, because: reason, on: transport.descriptor)
  }

  @inline(never)
  func trace(_ before: Handshake.State, _ after: Handshake.State) {
    var reason: Status?
    if case .failed(let status) = after { reason = status }
    connection.pointee.trace.state(before.name, after.name, because: reason, on: transport.descriptor)
  }

  /// The message that the outbox has just sent.
  @inline(never)
  func traceSent() {
    let descriptor = transport.descriptor
    connection.pointee.send.outbox.forEachFrame { connection.pointee.trace.frame(.sent, $0, on: descriptor) }
  }

  @inline(never)
  func traceReceived(_ view: FrameView) {
    connection.pointee.trace.frame(.received, view, on: transport.descriptor)
  }

  @inline(never)
  func traceHeartbeat(_ direction: Trace.Direction) {
    connection.pointee.trace.heartbeat(direction, on: transport.descriptor)
  }

  /// `silence` in nanoseconds.
  @inline(never)
  func traceDeath(after silence: UInt64) {
    connection.pointee.trace.death(after: silence, on: transport.descriptor)
  }

  @inline(never)
  func traceFailure(_ errno: Int32) {
    connection.pointee.trace.failure(errno: errno, on: transport.descriptor)
  }

  func traceDestruction() {
    if isTraced { connection.pointee.trace.destruction(on: transport.descriptor) }
  }
}
