// The blocking API. A driver decides who waits; what is right is decided by the engine, and what the bytes mean by Wire.
//
// Each call of the C API takes the turn of the side that it uses, services heartbeats, does its work, and gives the turn
// back. Reading: BlockingDriver+Receive and +Content. Writing: +Send. Both: +RPC, +Login. Heartbeats, which concern every
// call: +Heartbeat. The life of the connection: here.
//
// The driver is a pointer, copied freely. It changes the connection field by field and never holds the whole of it, since
// a thread that publishes and a thread that reads are inside it at the same time.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ

struct BlockingDriver {
  let connection: Connection.Handle

  @inline(__always)
  init(_ connection: Connection.Handle) { self.connection = connection }

  var transport: Transport {
    @inline(__always) get { Socket.transport(of: connection.pointee.socket) }
  }

  var state: ConnectionState {
    @inline(__always) get { connection.pointee.state.current }
  }

  var monitor: HeartbeatMonitor {
    @inline(__always) get { connection.pointee.monitor.current }
  }

  /// -1 when there is no socket, or none worth waiting for any more.
  var descriptor: Int32 { isOver ? -1 : transport.descriptor }

  var isOver: Bool {
    @inline(__always) get { state.phase == .closed }
  }

  // MARK: Turns

  /// Runs `work` as the one who sends; it gets the time of the call's entry, or a rougher one that will do.
  @inline(__always)
  func sending(
    until deadline: Deadline = .never, at time: @autoclosure () -> Instant? = nil, _ work: (inout Instant) -> Status
  ) -> Status {
    guard connection.pointee.send.turn.take(until: deadline) else { return .timeout }
    var now = time() ?? Clock.now()
    var status = checkPeer(now)
    if status.isOK { status = work(&now) }
    leaveSend()
    return status
  }

  /// Runs `work` as the one who receives. A turn that another thread does not give in time is a timeout like any other.
  @inline(__always)
  func receiving<Result: Answer>(until deadline: Deadline = .never, _ work: (inout Instant) -> Result) -> Result {
    guard connection.pointee.receive.turn.take(until: deadline) else { return Result(.timeout) }
    defer { leaveReceive() }
    connection.pointee.receive.overdueBytes = 0
    var now = Clock.now()
    serviceSend(now)
    return work(&now)
  }

  /// The same for the calls that the program gives a time.
  @inline(__always)
  func receiving<Result: Answer>(
    timeout: UnsafePointer<timeval>?, _ work: (Deadline, inout Instant) -> Result
  ) -> Result {
    if timeout == nil { return receiving { work(.never, &$0) } }
    guard let deadline = Deadline(timeout, from: Clock.now()) else { return Result(.invalidParameter) }
    return receiving(until: deadline) { work(deadline, &$0) }
  }

  /// Runs `work` as the one who receives if nobody else is; else answers what was given for that.
  @inline(__always)
  func receivingIfFree<Result>(else busy: @autoclosure () -> Result, _ work: () -> Result) -> Result {
    guard connection.pointee.receive.turn.tryTake() else { return busy() }
    defer { leaveReceive() }
    return work()
  }

  @inline(__always)
  private func leaveSend() {
    connection.pointee.send.turn.give()
    if isOver { closeWhenAlone() }
  }

  @inline(__always)
  private func leaveReceive() {
    connection.pointee.receive.turn.give()
    if isOver { closeWhenAlone() }
  }

  // MARK: Life

  /// The one place where the connection's state changes: any thread may have something to say about it.
  @discardableResult
  func note(_ event: ConnectionState.Event) -> ConnectionState.Action {
    let change = connection.pointee.state.receive(event)
    if isTraced, change.from != change.to { trace(event, change) }
    return change.action
  }

  func socketReplaced() {
    note(.socketClosed)
    connection.pointee.send.outbox.reset()
    connection.pointee.send.isCorked = false
    connection.pointee.receive.assembler.reset()
    connection.pointee.receive.isMidFrame = false
    connection.pointee.receive.content.discard()
    dropQueue()
    connection.pointee.tuning = .beforeTune
  }

  func connected() {
    socketReplaced()
    note(.connected)
    connection.pointee.monitor.restart(intervalSeconds: 0, at: Clock.now())
  }

  /// What both sides agreed on; heartbeats are due from now on.
  func tune(_ tuning: Tuning) {
    connection.pointee.tuning = tuning
    connection.pointee.monitor.restart(intervalSeconds: tuning.heartbeat, at: Clock.now())
  }

  /// Ends the connection for the reason that `status` names; answers what calls that wait have to say from now on.
  ///
  /// The socket is shut down at once, which wakes the other side if it waits, and closed by whoever leaves last, so that
  /// nobody is left waiting on a descriptor whose number is somebody else's by then.
  @inline(never)
  @discardableResult
  func hangUp(_ status: Status) -> Status {
    if note(.failed(status)) == .closeDescriptor { transport.shutdown() }
    if status == .badAMQPData {
      // Nothing that such a peer has said is worth handing out: from now on every call says so.
      dropQueue()
    }
    return state.receiveStatus
  }

  /// What had arrived before the end is not lost with the socket: the waits to come find it in the buffer.
  /// True when there was any.
  @discardableResult
  func keepReceived() -> Bool {
    guard state.failure != .badAMQPData, transport.descriptor >= 0 else { return false }
    var wasAny = false
    while let room = connection.pointee.receive.assembler.room(),
      case .bytes(let count) = transport.receive(into: room)
    {
      connection.pointee.receive.assembler.filled(count)
      connection.pointee.receive.isMidFrame = false
      wasAny = true
    }
    return wasAny
  }

  /// Every turn ends here once the connection is over.
  @inline(never)
  func closeWhenAlone() {
    guard connection.pointee.receive.turn.tryTake() else { return }
    defer { connection.pointee.receive.turn.give() }
    guard connection.pointee.send.turn.tryTake() else { return }
    defer { connection.pointee.send.turn.give() }
    guard transport.descriptor >= 0 else { return }
    keepReceived()
    transport.close()
  }
}
