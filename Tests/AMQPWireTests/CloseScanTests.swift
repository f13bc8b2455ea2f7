import CRabbitMQ
import Testing

@testable import AMQPWire

@Suite struct CloseScanTests {
  private let close: [UInt8] =
    [1, 0, 0] + big(UInt32(11)) + [0, 10, 0, 50, 0x01, 0x40, 0, 0, 0, 0, 0] + [0xCE]
  private let body: [UInt8] = [3, 0, 1] + big(UInt32(4)) + [1, 2, 3, 4, 0xCE]
  private let heartbeat: [UInt8] = [8, 0, 0, 0, 0, 0, 0, 0xCE]

  private func scan(_ first: [UInt8], _ second: [UInt8] = []) -> Bool {
    let (one, two) = (Octets(first), Octets(second))
    return withExtendedLifetime((one, two)) { CloseScan.containsClose(one.raw, two.raw) }
  }

  @Test func aCloseAnywhereInTheStream() {
    #expect(scan(close))
    #expect(scan([], close))
    #expect(scan(body + heartbeat + close))
    #expect(scan(body, body + close + body))
    let stream = body + heartbeat + close
    for split in 0...stream.count {
      #expect(scan(Array(stream[..<split]), Array(stream[split...])), "split at \(split)")
    }
  }

  @Test func whatIsNoClose() {
    #expect(!scan([]))
    #expect(!scan(body + heartbeat, body))
    var other = close
    other[2] = 1
    #expect(!scan(other), "channel 1")
    other = close
    other[0] = 3
    #expect(!scan(other), "a body that looks like one")
    other = close
    other[10] = 51
    #expect(!scan(other), "close-ok")
    #expect(!scan([3, 0, 1] + big(UInt32(close.count)) + close + [0xCE]), "a close inside a body")
  }

  @Test func whatIsCutOff() {
    let stream = body + close
    for count in 0..<(body.count + 11) { #expect(!scan(Array(stream.prefix(count)))) }
    for count in (body.count + 11)...stream.count { #expect(scan(Array(stream.prefix(count)))) }
    #expect(!scan([3, 0, 1] + big(UInt32.max) + close))
  }
}
