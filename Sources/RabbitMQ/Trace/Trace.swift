// What happens on a connection, a line each, for people who look for a fault:
//
//   12345.678901 [fd 7] state  awaitingTune ==> awaitingOpenOk
//   12345.678950 [fd 7] --> connection.tune-ok channel 0, 12 bytes
//   12360.680127 [fd 7] <-- heartbeat
//   12420.680333 [fd 7] nothing received for 60 s: peer dead
//
// Seconds of the monotonic clock; the descriptor; what was sent, what was received, and with how many bytes of payload. This is
// the one place that looks into a payload, and all that it looks at are numbers: the method, a reply code, the size of
// a body. No field with a name, a text, a table or a credential, and nothing of a body, ever gets into a line.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ
import CSystem

/// Octets of a line, its end included.
private let lineLimit = 256

/// Where the lines of one connection go: a file, a callback, or both. Knows nothing of the connection: whoever has something
/// to tell says on which descriptor.
struct Trace {
  typealias Callback = @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, UnsafeMutableRawPointer?) -> Void

  enum Direction { case sent, received }

  /// What the hot paths ask before they tell anything.
  private(set) var isOn = false
  private var file = LineFile.none
  private var callback: Callback?
  private var owner: OpaquePointer?
  private var context: UnsafeMutableRawPointer?

  init() {}

  init(to file: LineFile) {
    self.file = file
    isOn = !file.isNone
  }

  /// `owner` and `context` come back with each line; nil for no callback any more.
  mutating func set(_ callback: Callback?, owner: OpaquePointer?, context: UnsafeMutableRawPointer?) {
    self.callback = callback
    self.owner = owner
    self.context = context
    isOn = callback != nil || !file.isNone
  }

  // MARK: What there is to tell

  @inline(never)
  func frame(_ direction: Direction, _ view: FrameView, on descriptor: Int32) {
    tell(on: descriptor) { line in
      line.put(direction)
      switch view.type {
      case Frame.method: line.putMethod(view)
      case Frame.header: line.putContentHeader(view)
      case Frame.body:
        line.put("body")
        line.putSize(view)
      case Frame.heartbeat: line.put("heartbeat")
      case Frame.protocolHeaderType: line.put("protocol header")
      default: line.put("frame")
      }
    }
  }

  @inline(never)
  func heartbeat(_ direction: Direction, on descriptor: Int32) {
    frame(
      direction, FrameView(type: Frame.heartbeat, channel: 0, payload: UnsafeRawBufferPointer(start: nil, count: 0)),
      on: descriptor)
  }

  @inline(never)
  func state(_ from: StaticString, _ to: StaticString, because reason: Status?, on descriptor: Int32) {
    tell(on: descriptor) { line in
      line.put("state  ")
      line.put(from)
      line.put(" ==> ")
      line.put(to)
      if let reason {
        line.put(": ")
        line.put(reason.text)
      }
    }
  }

  /// `silence` in nanoseconds.
  @inline(never)
  func death(after silence: UInt64, on descriptor: Int32) {
    tell(on: descriptor) { line in
      line.put("nothing received for ")
      line.put(decimal: silence / 1_000_000_000)
      line.put(" s: peer dead")
    }
  }

  @inline(never)
  func failure(errno: Int32, on descriptor: Int32) {
    tell(on: descriptor) { line in
      line.put("the socket failed: errno ")
      line.put(decimal: UInt64(errno.magnitude))
    }
  }

  @inline(never)
  func destruction(on descriptor: Int32) {
    tell(on: descriptor) { $0.put("destroyed by the program") }
  }

  // MARK: Lines

  private func tell(on descriptor: Int32, _ put: (inout Line) -> Void) {
    let now = Clock.now()
    withUnsafeTemporaryAllocation(byteCount: lineLimit, alignment: 1) { memory in
      // The last octet is for the newline, or the end of the C string.
      var line = Line(UnsafeMutableRawBufferPointer(rebasing: memory[..<(lineLimit &- 1)]))
      line.put(decimal: now.nanoseconds / 1_000_000_000)
      line.put(".")
      line.put(decimal: now.nanoseconds / 1_000 % 1_000_000, digits: 6)
      line.put(" [fd ")
      if descriptor < 0 { line.put("-") }
      line.put(decimal: UInt64(descriptor.magnitude))
      line.put("] ")
      put(&line)
      let count = line.count
      if let callback {
        memory[count] = 0
        callback(owner, UnsafePointer(memory.bindMemory(to: CChar.self).baseAddress), context)
      }
      if !file.isNone { write(line, memory) }
    }
  }

  private func write(_ line: Line, _ memory: UnsafeMutableRawBufferPointer) {
    var line = line
    let lost = process_lost_lines()
    if lost > 0 {
      line.put(" (")
      line.put(decimal: lost)
      line.put(" lines before this one are lost)")
    }
    memory[line.count] = UInt8(ascii: "\n")
    let isWritten = file.write(UnsafeRawBufferPointer(rebasing: memory[...line.count]))
    if !isWritten {
      process_add_lost_lines(1)
    } else if lost > 0 {
      process_add_lost_lines(0 &- Int64(truncatingIfNeeded: lost))
    }
  }
}

extension Line {
  fileprivate mutating func put(_ direction: Trace.Direction) {
    switch direction {
    case .sent: put("--> ")
    case .received: put("<-- ")
    }
  }

  fileprivate mutating func putSize(_ view: FrameView) {
    put(" channel ")
    put(decimal: UInt64(view.channel))
    put(", ")
    put(decimal: UInt64(truncatingIfNeeded: view.payload.count))
    put(view.payload.count == 1 ? " byte" : " bytes")
  }

  fileprivate mutating func putMethod(_ view: FrameView) {
    let id = view.methodID
    if let constant = MethodTable.name(id) {
      put(methodConstant: constant)
    } else {
      put("method ")
      put(decimal: UInt64(id >> 16))
      put(".")
      put(decimal: UInt64(id & 0xFFFF))
    }
    putSize(view)
    switch id {
    case amqp_connection_close_t.id, amqp_channel_close_t.id, amqp_basic_return_t.id:
      guard view.payload.count >= Frame.methodHeaderSize &+ 2 else { return }
      let code = view.payload.loadUnaligned(fromByteOffset: Frame.methodHeaderSize, as: UInt16.self)
      put(", reply code ")
      put(decimal: UInt64(UInt16(bigEndian: code)))
    default: break
    }
  }

  /// `basic.get-empty` for `AMQP_BASIC_GET_EMPTY_METHOD`: so the specification spells it.
  private mutating func put(methodConstant name: StaticString) {
    let (prefix, suffix) = (5, 7)  // "AMQP_" and "_METHOD"
    var isInClass = true
    for index in prefix..<max(prefix, name.utf8CodeUnitCount &- suffix) {
      let octet = name.utf8Start[index]
      if octet == UInt8(ascii: "_") {
        put(UInt8(ascii: isInClass ? "." : "-"))
        isInClass = false
      } else {
        put(octet | 0x20)
      }
    }
  }

  fileprivate mutating func putContentHeader(_ view: FrameView) {
    put("content header")
    putSize(view)
    guard view.payload.count >= Frame.contentHeaderSize else { return }
    // Behind class and weight.
    let bodySize = view.payload.loadUnaligned(fromByteOffset: 4, as: UInt64.self)
    put(", body size ")
    put(decimal: UInt64(bigEndian: bodySize))
  }
}
