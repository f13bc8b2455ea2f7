import AMQPTransport
import CSystem
import Testing

@testable import RabbitMQ

@Suite struct SettingsTests {
  @Test(arguments: [
    ("0", 0), ("1", 1), ("60", 60), ("007", 7), ("65534", 65534), ("65535", 65535),
    ("0000000000000000000000065535", 65535),
  ])
  func heartbeatIsANumberOfSeconds(text: String, seconds: UInt16) {
    #expect(Settings.heartbeat(text) == seconds)
  }

  @Test(arguments: [
    "", " ", "ten", "65536", "-1", "-0", "+5", " 7", "7 ", "7\n", "5s", "0x5", "5.0", "5,0", "\u{661}", "/", ":",
    "18446744073709551616", "18446744073709551621",
  ])
  func anythingElseIsNoHeartbeat(text: String) {
    #expect(Settings.heartbeat(text) == nil)
  }

  @Test func backgroundIsOnOrOff() {
    #expect(Settings.isOn("1") == true)
    #expect(Settings.isOn("0") == false)
    #expect(Settings.isOn("") == false)
    for text in ["2", "10", "01", "on", "yes", " 1", "1 ", "/"] { #expect(Settings.isOn(text) == nil) }
  }

  @Test func unsetVariablesLeaveTheProgramsChoice() {
    let settings = Settings.read { _ in nil }
    #expect(settings.is_background == 0)
    #expect(settings.trace.isNone)
    #expect(settings.heartbeat(passed: 0) == 0)
    #expect(settings.heartbeat(passed: 30) == 30)
  }

  @Test func setVariablesTakeItsPlace() {
    let values = ["LIBRABBITMQ_HEARTBEAT": "7", "LIBRABBITMQ_HEARTBEAT_BACKGROUND": "1"]
    let settings = Settings.read { name in values[String(cString: name)].map { UnsafePointer(strdup($0)) } }
    #expect(settings.is_background == 1)
    #expect(settings.heartbeat(passed: 0) == 7)
    #expect(settings.heartbeat(passed: 30) == 7)
  }
}

@Suite struct LineTests {
  private func line(room: Int = 64, _ put: (inout Line) -> Void) -> String {
    withUnsafeTemporaryAllocation(byteCount: room, alignment: 1) { memory in
      var line = Line(memory)
      put(&line)
      return String(decoding: line.text, as: UTF8.self)
    }
  }

  @Test func numbersAreDecimal() {
    #expect(line { $0.put(decimal: 0) } == "0")
    #expect(line { $0.put(decimal: 10) } == "10")
    #expect(line { $0.put(decimal: 4294967295) } == "4294967295")
    #expect(line { $0.put(decimal: .max) } == "18446744073709551615")
    #expect(line { $0.put(decimal: 42, digits: 6) } == "000042")
    #expect(line { $0.put(decimal: 1_234_567, digits: 6) } == "1234567")
    #expect(line { $0.put(decimal: 0, digits: 6) } == "000000")
  }

  @Test func whatDoesNotFitIsCutOff() {
    #expect(line(room: 5) { $0.put("12345678") } == "12345")
    #expect(line(room: 3) { $0.put(decimal: 12345) } == "123")
    #expect(line(room: 0) { $0.put("x") } == "")
  }

  @Test func textOfOthersIsCutAndMadeHarmless() {
    #expect(line { $0.put("abc", limit: 3) } == "abc")
    #expect(line { $0.put("abcd", limit: 3) } == "abc...")
    #expect(line { $0.put("a\u{1b}\u{7f}\u{9b}~ ", limit: 9) } == "a????~ ")
  }
}
