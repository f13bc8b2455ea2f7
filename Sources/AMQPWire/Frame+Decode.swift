public import AMQPBase
public import CRabbitMQ

extension Frame {
  /// Makes the C struct of a frame, with all that it points at in `pool`: the payload is copied there once, and what is
  /// decoded points into the copy.
  public static func decode(
    _ view: FrameView, pool: UnsafeMutablePointer<amqp_pool_t>, into frame: inout amqp_frame_t
  ) -> Status {
    var decoded = amqp_frame_t()
    decoded.frame_type = view.type
    decoded.channel = view.channel
    let status: Status
    switch view.type {
    case method: status = decodeMethod(view.payload, pool, &decoded)
    case header: status = decodeHeader(view.payload, pool, &decoded)
    case body: status = decodeBody(view.payload, pool, &decoded)
    case heartbeat: status = .ok
    case protocolHeaderType: status = decodeProtocolHeader(view.payload, &decoded)
    default: status = .badAMQPData
    }
    if status.isOK { frame = decoded }
    return status
  }

  @inline(__always)
  private static func decodeMethod(
    _ payload: UnsafeRawBufferPointer, _ pool: UnsafeMutablePointer<amqp_pool_t>, _ frame: inout amqp_frame_t
  ) -> Status {
    var arguments = UnsafeRawBufferPointer(start: nil, count: 0)
    var id: amqp_method_number_t = 0
    let status = copy(payload, behind: methodHeaderSize, pool, &arguments) { $0.long(&id) }
    guard status.isOK else { return status }
    frame.payload.method = amqp_method_t(id: id, decoded: nil)
    return MethodTable.decode(id, arguments, pool: pool, decoded: &frame.payload.method.decoded)
  }

  @inline(__always)
  private static func decodeHeader(
    _ payload: UnsafeRawBufferPointer, _ pool: UnsafeMutablePointer<amqp_pool_t>, _ frame: inout amqp_frame_t
  ) -> Status {
    var list = UnsafeRawBufferPointer(start: nil, count: 0)
    var classID: UInt16 = 0
    var bodySize: UInt64 = 0
    let status = copy(payload, behind: contentHeaderSize, pool, &list) { fields in
      var weight: UInt16 = 0
      fields.short(&classID)
      fields.short(&weight)
      fields.longlong(&bodySize)
    }
    guard status.isOK else { return status }
    frame.payload.properties.class_id = classID
    frame.payload.properties.body_size = bodySize
    frame.payload.properties.raw = amqp_bytes_t(list)
    frame.payload.properties.decoded = nil
    return BasicProperties.decode(
      classID: classID, list, pool: pool, decoded: &frame.payload.properties.decoded)
  }

  @inline(__always)
  private static func decodeBody(
    _ payload: UnsafeRawBufferPointer, _ pool: UnsafeMutablePointer<amqp_pool_t>, _ frame: inout amqp_frame_t
  ) -> Status {
    guard let fragment = pool.copy(payload) else { return .noMemory }
    frame.payload.body_fragment = fragment
    return .ok
  }

  private static func decodeProtocolHeader(
    _ payload: UnsafeRawBufferPointer, _ frame: inout amqp_frame_t
  ) -> Status {
    guard payload.count == protocolHeaderSize else { return .badAMQPData }
    frame.channel = 0
    frame.payload.protocol_header.transport_high = payload[4]
    frame.payload.protocol_header.transport_low = payload[5]
    frame.payload.protocol_header.protocol_version_major = payload[6]
    frame.payload.protocol_header.protocol_version_minor = payload[7]
    return .ok
  }

  /// Reads the fixed part of a payload where it lies and copies the rest, so that what is decoded outlives the view.
  @inline(__always)
  private static func copy(
    _ payload: UnsafeRawBufferPointer, behind count: Int, _ pool: UnsafeMutablePointer<amqp_pool_t>,
    _ rest: inout UnsafeRawBufferPointer, fixed: (inout Decoder) -> Void
  ) -> Status {
    var fields = Decoder(payload, pool: nil)
    fixed(&fields)
    guard fields.failure.isOK, fields.offset == count else { return .badAMQPData }
    guard let copied = pool.copy(UnsafeRawBufferPointer(rebasing: payload[count...])) else { return .noMemory }
    rest = copied.buffer
    return .ok
  }
}
