import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CRabbitMQ
import CSystem
import Testing

@testable import RabbitMQ

@Suite struct TraceTests {
  private final class Listener {
    var lines: [String] = []
  }

  private final class Moment: Seam, @unchecked Sendable {
    override func now() -> Instant { Instant(nanoseconds: 12345_067_890_999) }
  }

  /// What a trace tells while `tell` runs.
  private func lines(_ tell: (Trace) -> Void) -> [String] {
    let listener = Listener()
    var trace = Trace()
    trace.set(
      { _, line, context in
        guard let line, let context else { return }
        Unmanaged<Listener>.fromOpaque(context).takeUnretainedValue().lines.append(String(cString: line))
      }, owner: nil, context: Unmanaged.passUnretained(listener).toOpaque())
    Seam.with(Moment()) { tell(trace) }
    return listener.lines
  }

  private func frame(_ type: UInt8, channel: UInt16 = 1, _ payload: [UInt8]) -> String {
    let told = payload.withUnsafeBytes { bytes in
      lines { $0.frame(.received, FrameView(type: type, channel: channel, payload: bytes), on: 7) }
    }
    return told.first.map { String($0.dropFirst("12345.067890 [fd 7] <-- ".count)) } ?? ""
  }

  private func method(_ id: amqp_method_number_t) -> String {
    frame(Frame.method, withUnsafeBytes(of: id.bigEndian) { [UInt8]($0) })
  }

  @Test func aLineBeginsWithTimeAndDescriptor() {
    #expect(lines { $0.heartbeat(.sent, on: 7) } == ["12345.067890 [fd 7] --> heartbeat"])
    #expect(lines { $0.heartbeat(.received, on: -1) } == ["12345.067890 [fd -1] <-- heartbeat"])
    #expect(lines { $0.heartbeat(.sent, on: .min) } == ["12345.067890 [fd -2147483648] --> heartbeat"])
  }

  @Test func methodsAreSpelledAsInTheSpecification() {
    #expect(method(amqp_basic_get_empty_t.id) == "basic.get-empty channel 1, 4 bytes")
    #expect(method(amqp_tx_select_t.id) == "tx.select channel 1, 4 bytes")
    #expect(method(amqp_basic_recover_async_t.id) == "basic.recover-async channel 1, 4 bytes")
    #expect(method(amqp_connection_update_secret_ok_t.id) == "connection.update-secret-ok channel 1, 4 bytes")
    #expect(method(amqp_access_request_t.id) == "access.request channel 1, 4 bytes")
    #expect(method(0x0032_0099) == "method 50.153 channel 1, 4 bytes")
    #expect(method(.max) == "method 65535.65535 channel 1, 4 bytes")
  }

  @Test func framesThatEndTooSoonAreToldOfAsFarAsTheyGo() {
    #expect(frame(Frame.method, []) == "method 0.0 channel 1, 0 bytes")
    #expect(frame(Frame.method, [0, 10, 0]) == "method 0.0 channel 1, 3 bytes")
    #expect(frame(Frame.method, [0, 10, 0, 50, 1]) == "connection.close channel 1, 5 bytes")
    #expect(frame(Frame.method, [0, 10, 0, 50, 1, 64]) == "connection.close channel 1, 6 bytes, reply code 320")
    #expect(frame(Frame.header, [0, 60, 0, 0]) == "content header channel 1, 4 bytes")
    #expect(
      frame(Frame.header, [0, 60, 0, 0] + [UInt8](repeating: 255, count: 8))
        == "content header channel 1, 12 bytes, body size 18446744073709551615")
    #expect(frame(Frame.body, channel: .max, []) == "body channel 65535, 0 bytes")
    #expect(frame(Frame.body, [42]) == "body channel 1, 1 byte")
    #expect(frame(77, [42]) == "frame")
  }

  @Test func endsHaveTheirReason() {
    #expect(
      lines { $0.death(after: 60_999_999_999, on: 7) } == ["12345.067890 [fd 7] nothing received for 60 s: peer dead"])
    #expect(
      lines { $0.state("open", "closed", because: .heartbeatTimeout, on: 7) } == [
        "12345.067890 [fd 7] state  open ==> closed: heartbeat timeout, connection closed"
      ])
    #expect(lines { $0.failure(errno: ECONNRESET, on: 7) } == ["12345.067890 [fd 7] the socket failed: errno 104"])
  }

  /// Every status fits, and so does what follows a line that says how many were lost.
  @Test func theLongestLineIsWhole() {
    let longest = lines { trace in
      for code in Int32(-1000)...0 {
        trace.state("awaitingOpenOk", "inputEnded", because: Status(code), on: .min)
      }
    }.map(\.utf8.count).max()
    #expect((longest ?? 0) &+ " (18446744073709551615 lines before this one are lost)".utf8.count < 255)
  }

  @Test func nobodyListensUntilSomebodyDoes() {
    var trace = Trace()
    #expect(!trace.isOn)
    trace.set({ _, _, _ in }, owner: nil, context: nil)
    #expect(trace.isOn)
    trace.set(nil, owner: nil, context: nil)
    #expect(!trace.isOn)
    #expect(Trace(to: LineFile(descriptor: 3, device: 0, inode: 0)).isOn)
    #expect(!Trace(to: .none).isOn)
  }
}

/// A file that takes lines, or not, as the test says.
@Suite struct LineFileTests {
  private final class Disk: Seam, @unchecked Sendable {
    var written: [String] = []
    var answer: Int?
    var found = FileIdentity(device: 1, inode: 2)

    override func now() -> Instant { Instant(nanoseconds: 1_000_000_000) }
    override func identity(_ descriptor: Int32) -> FileIdentity? { found }

    override func writeLine(_ descriptor: Int32, _ line: UnsafeRawBufferPointer) -> Int {
      if let answer { return answer }
      written.append(String(decoding: line, as: UTF8.self))
      return line.count
    }
  }

  private let file = LineFile(descriptor: 200, device: 1, inode: 2)

  private func write(_ disk: Disk) -> Bool {
    Seam.with(disk) { [UInt8]("x\n".utf8).withUnsafeBytes { file.write($0) } }
  }

  @Test func aLineIsWrittenWholeOrLost() {
    let disk = Disk()
    #expect(write(disk))
    #expect(disk.written == ["x\n"])
    for answer in [-Int(EAGAIN), -Int(ENOSPC), -Int(EPIPE), 1, 0] {
      disk.answer = answer
      #expect(!write(disk))
    }
  }

  @Test func aNumberThatIsAnotherFilesIsLeftAlone() {
    let disk = Disk()
    disk.found.inode = 3
    #expect(!write(disk))
    disk.found = FileIdentity(device: 2, inode: 2)
    #expect(!write(disk))
    #expect(disk.written.isEmpty)
  }
}
