// Frames off the wire.
//
// `nextView` is the one place where frames are read off the wire: it drops heartbeats, notes a connection.close, and turns a
// peer's garbage into the end of the connection. A view lies in the inbound buffer until the next read. What is handed to the
// application or queued is decoded into the pool of its channel first; a delivery that is consumed whole never is.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ

/// Octets that one call takes from the socket after its deadline, because they are there: what it waits for may be among them.
private let overdueLimit = 1_048_576

enum Received {
  case frame(FrameView)
  case failed(Status)
}

extension BlockingDriver {
  /// The next frame off the wire that is not a heartbeat. The queue is the caller's business.
  @inline(__always)
  func nextView(until deadline: Deadline, _ now: inout Instant) -> Received {
    if state.failure == .badAMQPData { return .failed(.badAMQPData) }
    guard connection.pointee.receive.queue.reserve() else { return .failed(.noMemory) }
    while true {
      switch nextAssembly() {
      case .frame(let view):
        if view.type == Frame.heartbeat {
          heartbeatArrived()
          continue
        }
        frameArrived(view)
        return .frame(view)
      case .protocolHeader(let view):
        if isTraced { traceReceived(view) }
        return .frame(view)
      case .malformed:
        return .failed(hangUp(.badAMQPData))
      case .incomplete:
        let status = fill(until: deadline, &now)
        guard status.isOK else { return .failed(status) }
      }
    }
  }

  /// What the buffer holds next, by the limits that were agreed on.
  @inline(__always)
  private func nextAssembly() -> Assembly {
    connection.pointee.receive.assembler.next(
      frameMax: connection.pointee.tuning.frameMax, channelMax: connection.pointee.tuning.highestChannel)
  }

  @inline(__always)
  private func frameArrived(_ view: FrameView) {
    connection.pointee.receive.isMidFrame = false
    if isTraced { traceReceived(view) }
    if view.channel == 0, view.methodID == amqp_connection_close_t.id { note(.closing) }
  }

  /// Reads once; waits for it if there is nothing yet.
  private func fill(until deadline: Deadline, _ now: inout Instant) -> Status {
    connection.pointee.receive.isMidFrame = connection.pointee.receive.assembler.isMidFrame
    var hasWaited = false
    if expectsToWait(until: deadline, now) {
      let status = wait(for: .read, until: deadline, &now)
      guard status.isOK else { return status }
      hasWaited = true
    }
    while true {
      let status = state.receiveStatus
      // Over but not closed yet: what had arrived comes first, as it does when it was kept.
      guard status.isOK else { return isOver && keepReceived() ? .ok : status }
      guard connection.pointee.receive.overdueBytes < overdueLimit else { return .timeout }
      guard let result = receiveOnce() else { return .noMemory }
      switch result {
      case .bytes(let count):
        // A peer that never stops talking must not keep us from the clock: heartbeats and the deadline hold for it too.
        if !hasWaited {
          connection.pointee.receive.forecast.found()
          now = Clock.now()
        }
        didReceive(now)
        serviceSend(now)
        if deadline.hasPassed(at: now) { connection.pointee.receive.overdueBytes &+= count }
        return .ok
      case .wouldBlock(let interest):
        if !hasWaited { connection.pointee.receive.forecast.missed() }
        let status = wait(for: interest, until: deadline, &now)
        guard status.isOK else { return status }
        hasWaited = true
      case .closed:
        // So does a socket read that we have shut down ourselves; the state knows.
        note(.inputEnded)
        return state.receiveStatus
      case .failed(let errno):
        let status = state.receiveStatus
        if isTraced, status.isOK { traceFailure(errno) }
        return status.isOK ? transport.status(of: errno) : status
      }
    }
  }

  /// Whether an attempt to receive would be in vain, most likely. Who is asked for no more than a look takes it, and a peer is not
  /// called dead before that. With TLS there may be more than a poll tells.
  @inline(__always)
  private func expectsToWait(until deadline: Deadline, _ now: Instant) -> Bool {
    guard connection.pointee.receive.forecast.isWait, case .tcp = transport, !isOver,
      !min(deadline, connection.pointee.monitor.deathDeadline).hasPassed(at: now)
    else { return false }
    connection.pointee.receive.forecast.waits()
    return true
  }

  /// Waits until the socket is ready or something is due; ok means: try again.
  private func wait(for interest: Interest, until deadline: Deadline, _ now: inout Instant) -> Status {
    serviceSend(now)
    if connection.pointee.monitor.deathDeadline.hasPassed(at: now) { confirmDeath(now) }
    let status = state.receiveStatus
    guard status.isOK else { return status }
    if deadline.hasPassed(at: now) { return .timeout }
    let wake = min(deadline, nextService(after: now))
    // What the socket had no room for is sent from here as soon as it has: the answer to it may be what is waited for.
    let isHolding = connection.pointee.send.outbox.isHolding
    let result = connection.pointee.receive.loop.wait(
      descriptor: transport.descriptor, interest: isHolding ? .readOrWrite : interest, until: wake)
    now = Clock.now()
    switch result {
    case .ready, .timedOut: return .ok
    case .failed: return .socketError
    }
  }

  // MARK: Frames for the application

  /// Decodes a view into the pool of its channel. A frame that cannot be read ends the connection.
  func decode(_ view: FrameView, into frame: inout amqp_frame_t) -> Status {
    var status = Status.noMemory
    if let pool = connection.pointee.receive.pools.pool(for: view.channel) {
      status = Frame.decode(view, pool: pool, into: &frame)
    }
    // There may be memory when the program comes again.
    if status == .noMemory { connection.pointee.receive.assembler.putBack(view) }
    return status == .badAMQPData ? hangUp(status) : status
  }

  /// The oldest queued frame, else the next off the wire.
  func waitFrame(until deadline: Deadline, _ now: inout Instant, into frame: inout amqp_frame_t) -> Status {
    let status = spillContent()
    guard status.isOK else { return status }
    connection.pointee.receive.content.forgetParts()
    if let queued = dequeue(0) {
      frame = queued
      return .ok
    }
    switch nextView(until: deadline, &now) {
    case .frame(let view): return decode(view, into: &frame)
    case .failed(let status): return status
    }
  }

  func waitFrame(into frame: inout amqp_frame_t, timeout: UnsafePointer<timeval>?) -> Status {
    receiving(timeout: timeout) { deadline, now in waitFrame(until: deadline, &now, into: &frame) }
  }

  /// Octets that the program has received itself; `taken` says how many were used. The frame's type is 0 until a frame is whole.
  func handleInput(_ data: UnsafeRawBufferPointer, taken: inout Int, into frame: inout amqp_frame_t) -> Status {
    receiving { now in
      frame = amqp_frame_t()
      while true {
        if state.failure == .badAMQPData { return .badAMQPData }
        switch nextAssembly() {
        case .frame(let view), .protocolHeader(let view):
          if view.type == Frame.heartbeat {
            connection.pointee.receive.isMidFrame = false
            heartbeatArrived()
            return .ok
          }
          frameArrived(view)
          return decode(view, into: &frame)
        case .malformed:
          hangUp(.badAMQPData)
          return .badAMQPData
        case .incomplete:
          connection.pointee.receive.isMidFrame = connection.pointee.receive.assembler.isMidFrame
          let left = UnsafeRawBufferPointer(rebasing: data[taken...])
          if left.count == 0 { return .ok }
          guard let room = connection.pointee.receive.assembler.room() else { return .noMemory }
          let count = min(left.count, room.count, max(connection.pointee.receive.assembler.missingBytes, 1))
          room.copyMemory(from: UnsafeRawBufferPointer(rebasing: left[..<count]))
          connection.pointee.receive.assembler.filled(count)
          didReceive(now)
          taken &+= count
        }
      }
    }
  }

  // MARK: What is there

  var hasQueuedFrames: Bool {
    service()
    return !connection.pointee.receive.queue.isEmpty
  }

  /// Whether a wait would find a frame without reading. Heartbeats are none; what another thread is receiving is its own.
  var hasBufferedData: Bool {
    service()
    return receivingIfFree(else: false) { findBufferedFrame() }
  }

  private func findBufferedFrame() -> Bool {
    while true {
      switch nextAssembly() {
      case .frame(let view) where view.type == Frame.heartbeat: heartbeatArrived()
      case .frame(let view), .protocolHeader(let view):
        connection.pointee.receive.assembler.putBack(view)
        return true
      case .malformed: return true
      case .incomplete:
        if let room = connection.pointee.receive.assembler.room() {
          let held = transport.receiveHeld(into: room)
          connection.pointee.receive.assembler.filled(held)
          if held > 0 { continue }
        }
        connection.pointee.receive.isMidFrame = connection.pointee.receive.assembler.isMidFrame
        return false
      }
    }
  }

  /// Whether frames have come, and none is half read: when the C API lets memory be released and limits be changed.
  var isBetweenFrames: Bool {
    // The rest of a frame that the end of the connection has cut will never come.
    let isMidFrame = connection.pointee.receive.isMidFrame && state.receiveStatus.isOK
    return !isMidFrame && connection.pointee.receive.assembler.hasSeenFrame
  }

  /// Nothing while somebody is receiving: what he has decoded is not his yet.
  func release() {
    receivingIfFree(else: ()) {
      if isBetweenFrames { connection.pointee.receive.pools.recycleAll(exceptQueued: true) }
    }
  }

  func release(_ channel: UInt16) {
    receivingIfFree(else: ()) {
      guard isBetweenFrames, connection.pointee.receive.pools.queuedFrames(on: channel) == 0 else { return }
      connection.pointee.receive.pools.recycle(channel)
    }
  }

  // MARK: The queue

  func enqueue(_ view: FrameView) -> Status {
    var frame = amqp_frame_t()
    let status = decode(view, into: &frame)
    if status.isOK { putBehind(frame) }
    return status
  }

  func putBehind(_ frame: amqp_frame_t) {
    connection.pointee.receive.queue.append(frame)
    connection.pointee.receive.pools.frameQueued(on: frame.channel)
  }

  func putBack(_ frame: amqp_frame_t) {
    connection.pointee.receive.queue.prepend(frame)
    connection.pointee.receive.pools.frameQueued(on: frame.channel)
  }

  func dequeue(_ index: Int) -> amqp_frame_t? {
    guard let frame = connection.pointee.receive.queue.remove(at: index) else { return nil }
    connection.pointee.receive.pools.frameDequeued(on: frame.channel)
    return frame
  }

  func dropQueue() {
    while dequeue(0) != nil {}
  }

  /// The first queued frame of a channel, or of channel 0, that answers `isWanted`, taken out; the others stay in their order.
  @inline(__always)
  func dequeueFirst(channel: UInt16, _ isWanted: (borrowing amqp_frame_t) -> Bool) -> amqp_frame_t? {
    let queued = connection.pointee.receive.pools.queuedFrames(on: channel)
    guard queued > 0 || connection.pointee.receive.pools.queuedFrames(on: 0) > 0 else { return nil }
    for index in 0..<connection.pointee.receive.queue.count {
      if let frame = connection.pointee.receive.queue.frame(at: index), isWanted(frame.pointee) {
        return dequeue(index)
      }
    }
    return nil
  }
}

extension FrameView {
  /// 0 for a frame that is no method.
  @inline(__always)
  var methodID: amqp_method_number_t {
    guard type == Frame.method, payload.count >= Frame.methodHeaderSize else { return 0 }
    return UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self))
  }
}
