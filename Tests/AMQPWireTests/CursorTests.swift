import AMQPBase
import CRabbitMQ
import Testing

@testable import AMQPWire

/// The two cursors by themselves: what a failure leaves behind.
@Suite struct CursorTests {
  let pool = TestPool()

  @Test func nothingIsReadAfterAFailure() {
    let octets = Octets([1, 2, 3, 4, 5])
    var decoder = Decoder(octets.raw, pool: nil)
    var (long, longlong, octet): (UInt32, UInt64, UInt8) = (0, 7, 9)
    decoder.long(&long)
    #expect(long == 0x0102_0304 && decoder.offset == 4 && decoder.remaining == 1)
    decoder.longlong(&longlong)
    #expect(longlong == 7 && decoder.failure == .badAMQPData && decoder.remaining == 0)
    decoder.octet(&octet)
    #expect(octet == 9, "one octet was left, but not after a failure")
    decoder.fail(.noMemory)
    #expect(decoder.failure == .badAMQPData, "the first failure counts")
  }

  @Test func nothingIsWrittenAfterAFailure() {
    let memory = Octets([UInt8](repeating: 0xEE, count: 5))
    var encoder = Encoder(memory.buffer)
    encoder.put(UInt32(0x0102_0304))
    encoder.put(UInt64(5))
    #expect(encoder.failure == .badAMQPData && encoder.written == 4 && encoder.remaining == 0)
    encoder.put(UInt8(6))
    #expect(Array(memory.raw) == [1, 2, 3, 4, 0xEE])
    encoder.fail(.noMemory)
    #expect(encoder.failure == .badAMQPData)
  }

  @Test func cursorsOverNothing() {
    var decoder = Decoder(UnsafeRawBufferPointer(start: nil, count: 0), pool: nil)
    var (bytes, table) = (amqp_bytes_t(), amqp_table_t())
    decoder.shortstr(&bytes)
    #expect(decoder.failure == .badAMQPData)
    decoder = Decoder(UnsafeRawBufferPointer(start: nil, count: 0), pool: nil)
    decoder.table(&table)
    #expect(decoder.failure == .badAMQPData)
    var encoder = Encoder(UnsafeMutableRawBufferPointer(start: nil, count: 0))
    encoder.putBytes(UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(encoder.failure.isOK && encoder.written == 0)
    encoder.put(UInt8(1))
    #expect(encoder.failure == .badAMQPData && encoder.written == 0)
  }

  @Test func offsetsAreKeptInside() {
    let octets = Octets([1, 2, 3])
    for (offset, remaining) in [(0, 3), (2, 1), (3, 0), (4, 0), (Int.max, 0), (-1, 3), (Int.min, 3)] {
      #expect(Decoder(octets.raw, pool: nil, offset: offset).remaining == remaining)
      #expect(Encoder(octets.buffer, offset: offset).remaining == remaining)
    }
  }

  @Test func aTableNeedsAPool() {
    let octets = Octets([0, 0, 0, 3, 1, 0x61, 0x56])
    var decoder = Decoder(octets.raw, pool: nil)
    var table = amqp_table_t()
    decoder.table(&table)
    #expect(decoder.failure == .invalidParameter)
  }

  @Test func lackOfRoomHasItsNameBackBehindATable() {
    var startOK = amqp_connection_start_ok_t(
      client_properties: pool.table([("k", .make("V"))]), mechanism: pool.bytes("PLAIN"), response: pool.bytes("r"),
      locale: pool.bytes("en_US"))
    for room in 0..<24 {
      let status = encoded(room: room) { startOK.code(&$0) }.failure
      #expect(status == (room < 7 ? .tableTooBig : .badAMQPData), "\(room)")
    }
    #expect(encoded(room: 24) { startOK.code(&$0) }.failure.isOK)
  }

  @Test func aSizeSaturates() {
    var sizer = Sizer()
    var long = amqp_bytes_t(len: Limit.longstrOctets, bytes: UnsafeMutableRawPointer(bitPattern: 64))
    for _ in 0..<3 { sizer.longstr(&long) }
    #expect(sizer.count == 3 * (Limit.longstrOctets + 4) && sizer.failure.isOK)
    sizer.add(Int.max)
    #expect(sizer.count == Int.max)
    sizer.add(1)
    #expect(sizer.count == Int.max)
    long.len += 1
    sizer.longstr(&long)
    #expect(sizer.failure == .badAMQPData)
  }

  @Test("an encoder says whether a larger buffer would have helped")
  func lackOfRoom() {
    withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { room in
      var small = Encoder(room)
      small.put(UInt64(1))
      small.put(UInt8(2))
      small.put(UInt8(3))
      #expect(small.failure == .badAMQPData && small.lackedRoom)

      var limited = Encoder(room)
      var open = amqp_channel_open_t()
      let status = Frame.encode(&open, channel: 1, frameMax: 4, into: &limited)
      #expect(status == .badAMQPData && !limited.lackedRoom)

      var refused = Encoder(room)
      refused.putShortstr(amqp_bytes_t(len: 1, bytes: nil))
      #expect(refused.failure == .badAMQPData && !refused.lackedRoom)
    }
  }
}
