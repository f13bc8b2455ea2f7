// What the environment says, for programs that cannot be changed.
//
// All of it is read at once, at the first connection of the process, and kept: a program that changes its environment
// meanwhile, in another thread, is met by that one look at most. Programs that run with more rights than their user has are
// not the user's to set: `secure_getenv` finds nothing there.

import AMQPTransport
public import CSystem

typealias Settings = process_settings

/// Called once, by `process_get_settings`.
@_cdecl("pulse_read_settings")
public func pulse_read_settings(_ settings: UnsafeMutablePointer<process_settings>) {
  settings.pointee = Settings.read { name in secure_getenv(name).map { UnsafePointer($0) } }
}

extension Settings {
  static var current: Settings { process_get_settings().pointee }

  /// The heartbeat that a login goes by, in seconds; `passed` is what the program says.
  func heartbeat(passed: Int32) -> Int32 { heartbeat_seconds < 0 ? passed : heartbeat_seconds }

  /// `value` answers a variable's value, nil where it is not set. What cannot be used is reported and ignored.
  static func read(_ value: (UnsafePointer<CChar>) -> UnsafePointer<CChar>?) -> Settings {
    var settings = Settings(heartbeat_seconds: -1, is_background: 0, trace: .none)
    withVariable("LIBRABBITMQ_HEARTBEAT", value) { name, text in
      if let seconds = heartbeat(text) {
        settings.heartbeat_seconds = Int32(seconds)
      } else {
        report(name, text, "is not a number of seconds from 0 to 65535")
      }
    }
    withVariable("LIBRABBITMQ_HEARTBEAT_BACKGROUND", value) { name, text in
      if let isOn = isOn(text) {
        settings.is_background = isOn ? 1 : 0
      } else {
        report(name, text, "is neither 1 nor 0")
      }
    }
    withVariable("LIBRABBITMQ_TRACE", value) { name, text in
      guard text.pointee != 0 else { return }
      if let file = strcmp(text, "stderr") == 0 ? LineFile.standardError() : LineFile.appending(to: text) {
        settings.trace = file
      } else {
        report(name, text, "cannot be written to")
      }
    }
    return settings
  }

  private static func withVariable(
    _ name: StaticString, _ value: (UnsafePointer<CChar>) -> UnsafePointer<CChar>?,
    _ use: (StaticString, UnsafePointer<CChar>) -> Void
  ) {
    if let text = value(UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)) { use(name, text) }
  }

  // MARK: Values

  /// Digits alone: no sign, no space, no unit.
  static func heartbeat(_ text: UnsafePointer<CChar>) -> UInt16? {
    guard text.pointee != 0 else { return nil }
    var seconds = 0
    var next = text
    while next.pointee != 0 {
      let digit = UInt8(bitPattern: next.pointee) &- UInt8(ascii: "0")
      guard digit <= 9 else { return nil }
      seconds = seconds &* 10 &+ Int(digit)
      guard seconds <= Int(UInt16.max) else { return nil }
      next += 1
    }
    return UInt16(truncatingIfNeeded: seconds)
  }

  static func isOn(_ text: UnsafePointer<CChar>) -> Bool? {
    if text.pointee == 0 { return false }
    guard text[1] == 0 else { return nil }
    switch UInt8(bitPattern: text.pointee) {
    case UInt8(ascii: "0"): return false
    case UInt8(ascii: "1"): return true
    default: return nil
    }
  }

  // MARK: Complaints

  /// Octets of a value that a complaint repeats.
  private static var quotedLimit: Int { 80 }

  private static func report(_ name: StaticString, _ text: UnsafePointer<CChar>, _ complaint: StaticString) {
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { memory in
      var line = Line(memory)
      line.put("librabbitmq: ")
      line.put(name)
      line.put("=")
      line.put(text, limit: quotedLimit)
      line.put(" ")
      line.put(complaint)
      line.put(": ignored\n")
      // Who has no standard error does not read it.
      _ = LineFile.writeToStandardError(line.text)
    }
  }
}
