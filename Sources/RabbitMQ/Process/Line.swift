import CMemory

/// A line of text in the making, in memory that its maker lends. What does not fit is cut off.
struct Line {
  private let memory: UnsafeMutableRawBufferPointer
  /// Octets. What is behind is forgotten when it becomes less.
  var count = 0

  init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

  var text: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

  mutating func put(_ octet: UInt8) {
    guard count < memory.count else { return }
    memory.storeBytes(of: octet, toByteOffset: count, as: UInt8.self)
    count &+= 1
  }

  mutating func put(_ text: StaticString) { put(text.utf8Start, text.utf8CodeUnitCount) }

  private mutating func put(_ start: UnsafePointer<UInt8>, _ length: Int) {
    let fitting = min(length, memory.count &- count)
    guard fitting > 0, let base = memory.baseAddress else { return }
    memcpy(base + count, start, fitting)
    count &+= fitting
  }

  /// Somebody else's text: at most `limit` octets of it, and `?` for what could steer a terminal.
  mutating func put(_ text: UnsafePointer<CChar>, limit: Int) {
    var next = text
    var left = limit
    while next.pointee != 0, left > 0 {
      let octet = UInt8(bitPattern: next.pointee)
      put(octet < 0x20 || octet >= 0x7F ? UInt8(ascii: "?") : octet)
      next += 1
      left &-= 1
    }
    if next.pointee != 0 { put("...") }
  }

  mutating func put(decimal value: UInt64, digits: Int = 1) {
    var (rest, unit, length) = (value / 10, UInt64(1), 1)
    while rest > 0 || length < digits {
      rest /= 10
      unit &*= 10
      length &+= 1
    }
    while unit > 0 {
      put(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value / unit % 10))
      unit /= 10
    }
  }
}
