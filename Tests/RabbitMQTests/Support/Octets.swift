// Frames as a broker writes them, made without the library's own encoder.

import CRabbitMQ

func big<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
func shortstr(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
func longstr(_ text: String) -> [UInt8] { big(UInt32(text.utf8.count)) + Array(text.utf8) }

func frame(_ type: UInt8, _ channel: UInt16, _ payload: [UInt8]) -> [UInt8] {
  [type] + big(channel) + big(UInt32(payload.count)) + payload + [0xCE]
}

func method(_ channel: UInt16, _ id: UInt32, _ arguments: [UInt8] = []) -> [UInt8] {
  frame(1, channel, big(id) + arguments)
}

func header(_ channel: UInt16, bodySize: UInt64, flags: UInt16 = 0, _ list: [UInt8] = []) -> [UInt8] {
  frame(2, channel, big(UInt16(60)) + [0, 0] + big(bodySize) + big(flags) + list)
}

func body(_ channel: UInt16, _ octets: [UInt8]) -> [UInt8] { frame(3, channel, octets) }

let heartbeat = frame(8, 0, [])

func deliver(_ channel: UInt16, tag: UInt64, key: String = "key") -> [UInt8] {
  method(
    channel, AMQP_BASIC_DELIVER_METHOD, shortstr("consumer") + big(tag) + [0] + shortstr("exchange") + shortstr(key))
}

/// A whole delivery with the property content_type, its body in pieces of at most `fragment` octets.
func delivery(_ channel: UInt16, tag: UInt64, _ content: [UInt8], fragment: Int = 4088) -> [UInt8] {
  deliver(channel, tag: tag) + message(channel, content, fragment: fragment)
}

func message(_ channel: UInt16, _ content: [UInt8], fragment: Int = 4088) -> [UInt8] {
  var octets = header(channel, bodySize: UInt64(content.count), flags: 0x8000, shortstr("text/plain"))
  for start in stride(from: 0, to: content.count, by: fragment) {
    octets += body(channel, Array(content[start..<min(start + fragment, content.count)]))
  }
  return octets
}

func ack(_ channel: UInt16, _ tag: UInt64) -> [UInt8] { method(channel, AMQP_BASIC_ACK_METHOD, big(tag) + [0]) }

func channelClose(_ channel: UInt16) -> [UInt8] {
  method(channel, AMQP_CHANNEL_CLOSE_METHOD, big(UInt16(404)) + shortstr("NOT_FOUND") + big(UInt32(0)))
}

let connectionClose = method(
  0, AMQP_CONNECTION_CLOSE_METHOD, big(UInt16(320)) + shortstr("CONNECTION_FORCED") + big(UInt32(0)))

/// Octets that tell where they come from.
func pattern(_ count: Int, seed: Int = 1) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: count) { room, size in
    var value = UInt8(truncatingIfNeeded: seed)
    for index in 0..<count {
      room[index] = value
      value = value &* 31 &+ 7 &+ UInt8(truncatingIfNeeded: index &>> 8)
    }
    size = count
  }
}

/// A deterministic source of values (SplitMix64).
struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
