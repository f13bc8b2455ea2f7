// Frames (specification section 4.2.3): type octet, channel short, size long, payload, end octet.
//
// Frames are built in place: `begin` leaves the size open, the caller encodes the payload, `end` fills the size in. So
// nothing is measured first and nothing copied.
public import AMQPBase
public import CRabbitMQ

public enum Frame {
  /// Octets before the payload.
  public static var headerSize: Int { 7 }
  /// The end octet.
  public static var footerSize: Int { 1 }
  /// What frame_max counts beside the payload.
  public static var overhead: Int { headerSize &+ footerSize }
  /// "AMQP" 0 0 9 1.
  public static var protocolHeaderSize: Int { 8 }
  /// Octets of a content header before its property flags: class, weight, body size.
  public static var contentHeaderSize: Int { 12 }
  /// Octets of a method before its arguments.
  public static var methodHeaderSize: Int { 4 }
  /// `frame_type` of a protocol header that is handed out as a frame: its first octet.
  public static var protocolHeaderType: UInt8 { UInt8(ascii: "A") }

  public static var method: UInt8 { UInt8(truncatingIfNeeded: AMQP_FRAME_METHOD) }
  public static var header: UInt8 { UInt8(truncatingIfNeeded: AMQP_FRAME_HEADER) }
  public static var body: UInt8 { UInt8(truncatingIfNeeded: AMQP_FRAME_BODY) }
  public static var heartbeat: UInt8 { UInt8(truncatingIfNeeded: AMQP_FRAME_HEARTBEAT) }
  public static var endOctet: UInt8 { UInt8(truncatingIfNeeded: AMQP_FRAME_END) }

  // MARK: Building

  // What every frame of a kind begins with is written in one piece: one look for room, and stores.

  /// Starts a frame; answers where it starts, which `end` wants back.
  @inline(__always)
  public static func begin(_ type: UInt8, channel: amqp_channel_t, _ encoder: inout Encoder) -> Int {
    let position = encoder.written
    if let start = encoder.advance(headerSize) { putPrefix(type, channel, count: 0, at: start) }
    return position
  }

  @inline(__always)
  public static func beginMethod(
    channel: amqp_channel_t, _ id: amqp_method_number_t, _ encoder: inout Encoder
  ) -> Int {
    let position = encoder.written
    if let start = encoder.advance(headerSize &+ methodHeaderSize) {
      putPrefix(method, channel, count: 0, at: start)
      start.storeBytes(of: id.bigEndian, toByteOffset: headerSize, as: UInt32.self)
    }
    return position
  }

  /// The property list is to follow.
  @inline(__always)
  public static func beginHeader(
    channel: amqp_channel_t, classID: UInt16, bodySize: UInt64, _ encoder: inout Encoder
  ) -> Int {
    let position = encoder.written
    if let start = encoder.advance(headerSize &+ contentHeaderSize) {
      putPrefix(header, channel, count: 0, at: start)
      let weight: UInt16 = 0
      start.storeBytes(of: classID.bigEndian, toByteOffset: headerSize, as: UInt16.self)
      start.storeBytes(of: weight, toByteOffset: headerSize &+ 2, as: UInt16.self)
      start.storeBytes(of: bodySize.bigEndian, toByteOffset: headerSize &+ 4, as: UInt64.self)
    }
    return position
  }

  @inline(__always)
  private static func putPrefix(
    _ type: UInt8, _ channel: amqp_channel_t, count: UInt32, at start: UnsafeMutableRawPointer
  ) {
    start.storeBytes(of: type, as: UInt8.self)
    start.storeBytes(of: channel.bigEndian, toByteOffset: 1, as: UInt16.self)
    start.storeBytes(of: count.bigEndian, toByteOffset: 3, as: UInt32.self)
  }

  @inline(__always)
  public static func end(_ start: Int, _ encoder: inout Encoder) {
    encoder.patchLong(at: start &+ 3, encoder.written &- start &- headerSize)
    encoder.put(endOctet)
  }

  /// The seven octets before a body fragment that is sent from where it lies, without a copy; `endOctet` goes behind it.
  @inline(__always)
  public static func bodyPrefix(channel: amqp_channel_t, count: UInt32, _ encoder: inout Encoder) {
    if let start = encoder.advance(headerSize) { putPrefix(body, channel, count: count, at: start) }
  }

  /// A whole method frame, where the method is known when the program is compiled.
  @inline(__always)
  public static func encode<M: WireMethod>(
    _ arguments: inout M, channel: amqp_channel_t, frameMax: UInt32, into encoder: inout Encoder
  ) -> Status {
    let room = limit(&encoder, frameMax)
    let start = beginMethod(channel: channel, M.id, &encoder)
    arguments.code(&encoder)
    encoder.restoreRoom(room)
    end(start, &encoder)
    return encoder.failure
  }

  /// A whole method frame. The struct is read only if the method has arguments.
  public static func encodeMethod(
    _ id: amqp_method_number_t, _ decoded: UnsafeMutableRawPointer?, channel: amqp_channel_t, frameMax: UInt32,
    into encoder: inout Encoder
  ) -> Status {
    let room = limit(&encoder, frameMax)
    let start = beginMethod(channel: channel, id, &encoder)
    let status = MethodTable.encode(id, decoded, into: &encoder)
    guard status.isOK else {
      encoder.fail(status)
      return status
    }
    encoder.restoreRoom(room)
    end(start, &encoder)
    return encoder.failure
  }

  /// A whole content header frame of class basic.
  @inline(__always)
  public static func encodeHeader(
    _ properties: UnsafePointer<amqp_basic_properties_t>, bodySize: UInt64, channel: amqp_channel_t,
    frameMax: UInt32, into encoder: inout Encoder
  ) -> Status {
    let room = limit(&encoder, frameMax)
    let start = beginHeader(
      channel: channel, classID: UInt16(truncatingIfNeeded: AMQP_BASIC_CLASS), bodySize: bodySize, &encoder)
    let status = BasicProperties.encode(properties, into: &encoder)
    guard status.isOK else {
      encoder.fail(status)
      return status
    }
    encoder.restoreRoom(room)
    end(start, &encoder)
    return encoder.failure
  }

  public static func encodeHeartbeat(into encoder: inout Encoder) {
    let start = begin(heartbeat, channel: 0, &encoder)
    end(start, &encoder)
  }

  /// How many heartbeats the octets begin with, before anything else.
  public static func leadingHeartbeats(in octets: UnsafeRawBufferPointer) -> Int {
    guard let base = octets.baseAddress else { return 0 }
    // The eight octets of a heartbeat, as the wire has them.
    let whole = UInt64(bigEndian: UInt64(heartbeat) &<< 56 | UInt64(endOctet))
    var count = 0
    while octets.count &- count &* overhead >= overhead,
      base.loadUnaligned(fromByteOffset: count &* overhead, as: UInt64.self) == whole
    {
      count &+= 1
    }
    return count
  }

  public static func encodeProtocolHeader(into encoder: inout Encoder) {
    encoder.putBytes(amqp_bytes_t("AMQP").buffer)
    encoder.put(UInt8(0))
    encoder.put(UInt8(truncatingIfNeeded: AMQP_PROTOCOL_VERSION_MAJOR))
    encoder.put(UInt8(truncatingIfNeeded: AMQP_PROTOCOL_VERSION_MINOR))
    encoder.put(UInt8(truncatingIfNeeded: AMQP_PROTOCOL_VERSION_REVISION))
  }

  /// Any frame that a program describes. What does not fit into `frameMax` octets is refused.
  public static func encode(
    _ frame: UnsafePointer<amqp_frame_t>, frameMax: UInt32, into encoder: inout Encoder
  ) -> Status {
    let channel = frame.pointee.channel
    switch frame.pointee.frame_type {
    case method:
      let call = frame.pointee.payload.method
      return encodeMethod(call.id, call.decoded, channel: channel, frameMax: frameMax, into: &encoder)
    case header:
      let content = frame.pointee.payload.properties
      let room = limit(&encoder, frameMax)
      let start = beginHeader(
        channel: channel, classID: content.class_id, bodySize: content.body_size, &encoder)
      let status = BasicProperties.encode(classID: content.class_id, content.decoded, into: &encoder)
      guard status.isOK else {
        encoder.fail(status)
        return status
      }
      encoder.restoreRoom(room)
      end(start, &encoder)
    case body:
      guard let fragment = frame.pointee.payload.body_fragment.readable else { return .invalidParameter }
      guard frameMax == 0 || fragment.count <= Int(frameMax) &- overhead, fragment.count <= Limit.longstrOctets
      else { return .invalidParameter }
      bodyPrefix(channel: channel, count: UInt32(truncatingIfNeeded: fragment.count), &encoder)
      encoder.putBytes(fragment)
      encoder.put(endOctet)
    case heartbeat:
      encodeHeartbeat(into: &encoder)
    default: return .invalidParameter
    }
    return encoder.failure
  }

  /// Leaves the room of one frame up to its end octet, so that a table that does not fit is told from the octet.
  @inline(__always)
  private static func limit(_ encoder: inout Encoder, _ frameMax: UInt32) -> Int {
    encoder.limitRoom(to: frameMax == 0 ? Int.max : Int(frameMax) &- footerSize)
  }
}
