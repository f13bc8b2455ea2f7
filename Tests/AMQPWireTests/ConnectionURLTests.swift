import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

/// The parts of a URL, nil where it is none.
private struct Parts: Equatable, CustomStringConvertible {
  var user = "guest"
  var password = "guest"
  var host = "localhost"
  var vhost = "/"
  var port: Int32 = 5672
  var tls = false

  var description: String { "\(user):\(password)@\(host):\(port)/\(vhost) \(tls)" }
}

@Suite struct ConnectionURLTests {
  private func parse(_ url: String) -> Parts? { parse(Array(url.utf8)) }

  /// In memory of just its size, so that a tool for it sees a read behind the end.
  private func parse(_ url: [UInt8]) -> Parts? {
    let memory = UnsafeMutablePointer<CChar>.allocate(capacity: url.count + 1)
    defer { memory.deallocate() }
    for (index, octet) in (url + [0]).enumerated() { memory[index] = CChar(bitPattern: octet) }
    var info = amqp_connection_info()
    let status = ConnectionURL.parse(memory, into: &info)
    let parts = Parts(
      user: String(cString: info.user), password: String(cString: info.password), host: String(cString: info.host),
      vhost: String(cString: info.vhost), port: info.port, tls: info.ssl != 0)
    #expect(status == .ok || status == .badURL)
    if !status.isOK { #expect(parts == Parts(), "a refused URL leaves the defaults") }
    return status.isOK ? parts : nil
  }

  @Test func defaults() {
    var info = amqp_connection_info()
    ConnectionURL.setDefaults(&info)
    #expect(String(cString: info.user) == "guest" && String(cString: info.password) == "guest")
    #expect(String(cString: info.host) == "localhost" && String(cString: info.vhost) == "/")
    #expect(info.port == 5672 && info.ssl == 0)
    #expect(parse("amqp://") == Parts())
    #expect(parse("amqps://") == Parts(port: 5671, tls: true))
  }

  @Test func everyPart() {
    #expect(
      parse("amqp://u:p@host:1/vh") == Parts(user: "u", password: "p", host: "host", vhost: "vh", port: 1))
    #expect(
      parse("amqps://u:p@host/v")
        == Parts(user: "u", password: "p", host: "host", vhost: "v", port: 5671, tls: true))
    #expect(parse("amqp://host") == Parts(host: "host"))
    #expect(parse("amqp://host/") == Parts(host: "host", vhost: ""))
    #expect(parse("amqp:///") == Parts(vhost: ""))
    #expect(parse("amqp:///vh") == Parts(vhost: "vh"))
    #expect(parse("amqp://:5") == Parts(port: 5))
    #expect(parse("amqp://u@host") == Parts(user: "u", host: "host"))
    #expect(parse("amqp://u:@host") == Parts(user: "u", password: "", host: "host"))
    #expect(parse("amqp://:@host") == Parts(user: "", password: "", host: "host"))
    #expect(parse("amqp://u:p@") == Parts(user: "u", password: "p"))
    #expect(parse("amqp://u:p@:5") == Parts(user: "u", password: "p", port: 5))
    #expect(parse("amqp://u:p@/vh") == Parts(user: "u", password: "p", vhost: "vh"))
    #expect(parse("amqp://h:5@") == Parts(user: "h", password: "5"))
  }

  @Test func addressesInBrackets() {
    #expect(parse("amqp://[::1]") == Parts(host: "::1"))
    #expect(parse("amqp://[::1]:5/vh") == Parts(host: "::1", vhost: "vh", port: 5))
    #expect(
      parse("amqp://u:p@[::1]:5/vh") == Parts(user: "u", password: "p", host: "::1", vhost: "vh", port: 5))
    #expect(parse("amqp://u@[a]") == Parts(user: "u", host: "a"))
    #expect(parse("amqp://[fe80::1%25eth0]/") == Parts(host: "fe80::1%eth0", vhost: ""))
    #expect(parse("amqp://[]") == Parts(host: ""))
    #expect(parse("amqp://[a:b@c]:5") == Parts(host: "a:b@c", port: 5))
    for url in [
      "[::1", "[::1]x", "x[::1]", "[a]b:5", "[a]]", "[[a]]", "[a/b]", "[", "]", "[][", "[]@", "[::1]@host",
      "u:[x]@host", "[u]:p@host", "u:p@[::1]@x", "a:b@x[a]", "[::1]:", "[::1]:x", "[::1]:5:6", "[::1]?",
      "[fe80::1%eth0]/",
    ] {
      #expect(parse("amqp://" + url) == nil, "\(url)")
    }
  }

  @Test func percentEncoding() {
    #expect(
      parse("amqp://u%40x:p%3aq@h%6fst:5%30/%2f%2F")
        == Parts(user: "u@x", password: "p:q", host: "host", vhost: "//", port: 50))
    #expect(parse("amqp://%00u:p@h") == Parts(user: "", password: "p", host: "h"))
    #expect(parse("amqp://h/%3a%2f%40%5b%5d%3f%23%25") == Parts(host: "h", vhost: ":/@[]?#%"))
    for url in [
      "h/%", "h/%1", "h/%zz", "h/%g1", "h/%1g", "h%", "h%4", "%", "u%2:p@h", "u:p%4@h", "u:p%41@h%", "h/%80", "h/%fF",
    ] {
      #expect(parse("amqp://" + url) == nil, "\(url)")
    }
  }

  /// Every pair of octets behind the percent sign, against a rule that is written differently.
  @Test func everyPairOfDigits() {
    let digits = Array("0123456789abcdef".utf8)
    func value(_ octet: UInt8) -> UInt8? {
      digits.firstIndex(of: octet | (octet >= 0x41 && octet <= 0x46 ? 0x20 : 0)).map(UInt8.init)
    }
    var accepted = 0
    for first in UInt8(1)...255 {
      for second in UInt8(1)...255 {
        let parts = parse(Array("amqp://h/".utf8) + [0x25, first, second])
        guard let parts else { continue }
        accepted += 1
        if let high = value(first), let low = value(second) {
          #expect(high < 8)
          #expect(Array(parts.vhost.utf8) == (high * 16 + low == 0 ? [] : [high * 16 + low]))
        }
      }
    }
    // 128 octets of ASCII with each digit in either case, 7 spaces and signs before a digit, "0x", "0X" and "-0".
    #expect(accepted == 8 * 22 + 7 * 22 + 3)
  }

  /// A space counts as one of the two characters only where a single digit follows it.
  @Test(arguments: ["% 41", "%\u{0B}30", "% 0x"]) func aSpaceBeforeTwoDigitsIsNoOctet(octet: String) {
    #expect(parse("amqp://h/" + octet) == nil)
  }
  @Test func aSpaceBeforeOneDigit() {
    #expect(parse("amqp://h/% 4g") == Parts(host: "h", vhost: "\u{04}g"))
  }

  @Test func ports() {
    let good: [(String, Int32)] = [
      ("0", 0), ("1", 1), ("65535", 65535), ("00005", 5), ("+5", 5), (" 5", 5), ("\t5", 5), ("-0", 0),
      (String(repeating: "0", count: 100) + "7", 7), ("5%00x", 5),
    ]
    for (text, port) in good { #expect(parse("amqp://h:\(text)") == Parts(host: "h", port: port), "\(text)") }
    for text in [
      "", "x", "5x", "65536", "-1", "+", " ", "++5", "5 ", "0x10", "99999999999999999999", "18446744073709551621",
      "4294967301", "%005", "/",
    ] {
      #expect(parse("amqp://h:\(text)") == nil, "\(text)")
    }
  }

  @Test func secondColons() {
    #expect(parse("amqp://a:5:6") == Parts(host: "a", port: 6))
    #expect(parse("amqp://a:x:6/v") == Parts(host: "a", vhost: "v", port: 6))
    #expect(parse("amqp://::6") == Parts(port: 6))
    for url in ["a:5:6:7", "a:b:c", "a:b:c@d", "a:5:", "a::", "::", "u:p@a:5:6", "u@a:5:6", "a:5:6@x", "u@p:q@x"] {
      #expect(parse("amqp://" + url) == nil, "\(url)")
    }
  }

  @Test func notAMQP() {
    for url in [
      "", "a", "amqp", "amqp:", "amqp:/", "AMQP://h", "http://h", "amqpss://h", " amqp://h", "amqps:/h", "amqp//h",
    ] {
      #expect(parse(url) == nil, "\(url)")
    }
  }

  @Test func whatDoesNotBelongThere() {
    for url in [
      "//", "h/vh/x", "h/vh?x=1", "h?x", "h#f", "h/#f", "?", "#", "u/p@h", "u:p/q@h", "u:p@h@x", "h/v@x", "h/v:x", "@@",
      "@:", ":", ":/", "h]x", "h/[x]", "h//", "a?b:c@x", ":@:",
    ] {
      #expect(parse("amqp://" + url) == nil, "\(url)")
    }
  }

  @Test func anyOctetsAtAll() {
    var random = Random(state: 11)
    let alphabet = Array("amqps:/@[]?#%0189afAFx +-\u{7F}".utf8) + [0x80, 0xFF]
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...24, using: &random)
      let tail = (0..<count).map { _ in alphabet.randomElement(using: &random)! }
      _ = parse((Bool.random(using: &random) ? Array("amqp://".utf8) : []) + tail)
    }
  }
}
