// amqp[s]://[user[:password]@][host][:port][/vhost]
//
// The URL is taken apart in the caller's own buffer: parts end where their delimiter stood, and percent-encoded octets
// shrink in place, so that what is read is never before what is written. The grammar is that of the interface this library
// keeps, with its liberties: a port may be written with spaces and a sign before it, a user without a password has the
// default one, and a second port after an untouched first part wins.
public import AMQPBase
public import CRabbitMQ

public enum ConnectionURL {
  public static func setDefaults(_ info: inout amqp_connection_info) {
    info.user = text("guest")
    info.password = text("guest")
    info.host = text("localhost")
    info.vhost = text("/")
    info.port = AMQP_PROTOCOL_PORT
    info.ssl = 0
  }

  /// Splits `url`, which is written to. The parts of `info` point into it or at constants. Where it is no AMQP URL, `info`
  /// holds the defaults.
  public static func parse(_ url: UnsafeMutablePointer<CChar>, into info: inout amqp_connection_info) -> Status {
    setDefaults(&info)
    var parsed = info
    var scanner = Scanner(url)
    guard parse(&scanner, into: &parsed) else { return .badURL }
    info = parsed
    return .ok
  }

  private static func parse(_ scanner: inout Scanner, into info: inout amqp_connection_info) -> Bool {
    if scanner.skip("amqps://") {
      info.ssl = 1
      info.port = tlsPort
    } else if !scanner.skip("amqp://") {
      return false
    }
    guard var part = scanner.part() else { return false }
    if part.delimiter == .colon {
      guard let second = scanner.part() else { return false }
      if second.delimiter == .at {
        info.user = part.start
        info.password = second.start
        guard let host = scanner.part() else { return false }
        part = host
      } else {
        // It was a port, or with one more colon behind it nothing at all.
        if !part.isEmpty { info.host = part.start }
        return parseBehindHost(second, isPort: second.delimiter != .colon, &scanner, &info)
      }
    } else if part.delimiter == .at {
      info.user = part.start
      guard let host = scanner.part() else { return false }
      part = host
    }
    if part.delimiter == .openBracket {
      guard part.isEmpty, let address = scanner.part(colonAndAtDelimit: false), address.delimiter == .closeBracket
      else { return false }
      info.host = address.start
      guard let behind = scanner.part(), behind.isEmpty else { return false }
      part = behind
    } else if !part.isEmpty {
      info.host = part.start
    }
    return parseBehindHost(part, isPort: false, &scanner, &info)
  }

  /// The port, if `part` is one or a colon announces it, and the virtual host.
  private static func parseBehindHost(
    _ part: Part, isPort: Bool, _ scanner: inout Scanner, _ info: inout amqp_connection_info
  ) -> Bool {
    var port: Part? = isPort ? part : nil
    if !isPort, part.delimiter == .colon {
      port = scanner.part()
      if port == nil { return false }
    }
    if let port {
      guard let number = decimal(port.start), number <= Int32(UInt16.max) else { return false }
      info.port = number
    }
    var last = (port ?? part).delimiter
    if last == .slash {
      guard let vhost = scanner.part() else { return false }
      info.vhost = vhost.start
      last = vhost.delimiter
    }
    return last == .end
  }

  private static var tlsPort: Int32 { 5671 }

  private static func text(_ literal: StaticString) -> UnsafeMutablePointer<CChar> {
    UnsafeMutableRawPointer(mutating: literal.utf8Start).assumingMemoryBound(to: CChar.self)
  }
}

extension ConnectionURL {
  enum Delimiter { case end, colon, at, slash, openBracket, closeBracket, other }

  /// A part of the URL: decoded, ended by a NUL, with what delimited it.
  struct Part {
    let start: UnsafeMutablePointer<CChar>
    let delimiter: Delimiter
    var isEmpty: Bool { start.pointee == 0 }
  }

  struct Scanner {
    private var cursor: UnsafeMutablePointer<CChar>

    init(_ text: UnsafeMutablePointer<CChar>) { cursor = text }

    mutating func skip(_ prefix: StaticString) -> Bool {
      for index in 0..<prefix.utf8CodeUnitCount
      where UInt8(bitPattern: cursor[index]) != prefix.utf8Start[index] {
        return false
      }
      cursor += prefix.utf8CodeUnitCount
      return true
    }

    /// Reads to the next delimiter and steps over it; nil at a broken percent encoding. An address in brackets holds
    /// colons of its own.
    mutating func part(colonAndAtDelimit: Bool = true) -> Part? {
      let start = cursor
      var target = cursor
      while true {
        let octet = UInt8(bitPattern: cursor.pointee)
        if let delimiter = Self.delimiter(octet), colonAndAtDelimit || (delimiter != .colon && delimiter != .at) {
          if delimiter != .end { cursor += 1 }
          target.pointee = 0
          return Part(start: start, delimiter: delimiter)
        }
        if octet == UInt8(ascii: "%") {
          let first = UInt8(bitPattern: cursor[1])
          guard first != 0, let decoded = Self.decoded(first, cursor + 2) else { return nil }
          target.pointee = CChar(bitPattern: decoded)
          cursor += 3
        } else {
          target.pointee = cursor.pointee
          cursor += 1
        }
        target += 1
      }
    }

    private static func delimiter(_ octet: UInt8) -> Delimiter? {
      switch octet {
      case 0: .end
      case UInt8(ascii: ":"): .colon
      case UInt8(ascii: "@"): .at
      case UInt8(ascii: "/"): .slash
      case UInt8(ascii: "["): .openBracket
      case UInt8(ascii: "]"): .closeBracket
      case UInt8(ascii: "?"), UInt8(ascii: "#"): .other
      default: nil
      }
    }

    /// Two digits make an octet of ASCII. As `sscanf` reads them: a plus may stand for the first, or a space if one digit
    /// follows and no second.
    private static func decoded(_ first: UInt8, _ following: UnsafeMutablePointer<CChar>) -> UInt8? {
      let second = UInt8(bitPattern: following[0])
      if first == UInt8(ascii: "0"), second | 0x20 == UInt8(ascii: "x") { return 0 }
      guard let low = hexadecimal(second) else { return nil }
      if let high = hexadecimal(first) { return high < 8 ? high &<< 4 | low : nil }
      if isSpace(first) {
        let third = UInt8(bitPattern: following[1])
        return hexadecimal(third) == nil && !(low == 0 && third | 0x20 == UInt8(ascii: "x")) ? low : nil
      }
      return first == UInt8(ascii: "+") || (first == UInt8(ascii: "-") && low == 0) ? low : nil
    }

    private static func hexadecimal(_ octet: UInt8) -> UInt8? {
      switch octet {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): octet &- UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): octet &- UInt8(ascii: "a") &+ 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): octet &- UInt8(ascii: "A") &+ 10
      default: nil
      }
    }
  }

  static func isSpace(_ octet: UInt8) -> Bool { octet == UInt8(ascii: " ") || (octet >= 9 && octet <= 13) }

  /// A number as `strtol` takes it, whole, and not negative.
  fileprivate static func decimal(_ text: UnsafeMutablePointer<CChar>) -> Int32? {
    var cursor = UnsafeMutableRawPointer(text).assumingMemoryBound(to: UInt8.self)
    while isSpace(cursor.pointee) { cursor += 1 }
    let negative = cursor.pointee == UInt8(ascii: "-")
    if negative || cursor.pointee == UInt8(ascii: "+") { cursor += 1 }
    guard cursor.pointee != 0 else { return nil }
    var value: Int32 = 0
    while cursor.pointee != 0 {
      guard cursor.pointee >= UInt8(ascii: "0"), cursor.pointee <= UInt8(ascii: "9") else { return nil }
      // Saturates: the digits may be many.
      value = min(value &* 10 &+ Int32(cursor.pointee &- UInt8(ascii: "0")), 1_000_000)
      cursor += 1
    }
    return negative && value != 0 ? nil : value
  }
}
