// One attempt to receive. Large bodies go from the socket straight into the memory of their message.
//
// Octets come into the inbound buffer, and from there into a message. Where a body frame lacks much, that is a copy too many: the
// part of it that is in the buffer goes to the message at once, and what is missing is received there, together with what
// comes behind it, which goes to the buffer. There, after each step, lies a shorter frame, a header for what has not been taken.
// So the end of the frame is checked like any other, and a program that goes on by frames finds one, wherever the call ended.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ

/// Octets that a body frame must lack. For fewer, a receive of its own costs more than the copy.
private let smallestGap = 32_768
/// The same when nothing but the frame's header has to be taken out of the buffer.
private let smallestRest = 512
/// Octets behind a body frame that the same receive takes: the next frame's header, or the next message's method and header, and
/// not much of its body.
private let behindLimit = 512

extension BlockingDriver {
  /// Nil when there is no memory.
  @inline(__always)
  func receiveOnce() -> IOResult? {
    if connection.pointee.receive.assembler.missingBytes >= smallestRest, let body = largeBody() {
      return receive(body)
    }
    guard var room = connection.pointee.receive.assembler.room() else { return nil }
    if let limit = limitForLargeBodies() { room = UnsafeMutableRawBufferPointer(rebasing: room.prefix(limit)) }
    let result = transport.receive(into: room)
    if case .bytes(let count) = result { connection.pointee.receive.assembler.filled(count) }
    return result
  }

  /// The frame in progress, if it belongs to the message that is being read and is worth it. A trace tells of whole frames.
  private func largeBody() -> PartialBody? {
    guard connection.pointee.receive.content.isActive, !isTraced,
      let body = connection.pointee.receive.assembler.partialBody,
      body.missing >= (body.arrived.count > 0 ? smallestGap : smallestRest),
      body.channel == connection.pointee.receive.content.envelope.channel,
      connection.pointee.receive.content.awaitsBody(of: body.arrived.count &+ body.missing)
    else { return nil }
    return body
  }

  /// How much to receive in a stream of large bodies: the next one can be received directly if not too much of it comes here.
  @inline(__always)
  private func limitForLargeBodies() -> Int? {
    guard connection.pointee.receive.content.largestPart >= smallestGap, !isTraced else { return nil }
    return connection.pointee.receive.assembler.missingBytes &+ behindLimit
  }

  @inline(never)
  private func receive(_ body: PartialBody) -> IOResult? {
    guard connection.pointee.receive.content.receiveBody(body.arrived).isOK else { return nil }
    connection.pointee.receive.assembler.shorten(by: body.arrived.count)
    // The last octet comes with the end of the frame.
    let wanted = body.missing &- 1
    guard let room = connection.pointee.receive.content.bodyRoom(wanted) else { return nil }
    let result: IOResult
    if room.count == wanted {
      guard let behind = connection.pointee.receive.assembler.room(elsewhere: wanted) else { return nil }
      result = transport.receive(
        into: room, then: UnsafeMutableRawBufferPointer(rebasing: behind[..<min(behind.count, behindLimit)]))
    } else {
      result = transport.receive(into: room)
    }
    if case .bytes(let count) = result {
      let direct = min(count, room.count)
      connection.pointee.receive.content.filledBody(direct)
      connection.pointee.receive.assembler.shorten(by: direct)
      connection.pointee.receive.assembler.filled(count &- direct)
    }
    return result
  }
}
