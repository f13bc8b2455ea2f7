// The property list of a content header (specification section 4.2.6.1): words of fifteen property flags, whose lowest
// bit says that another word follows, and then the properties that are flagged. Class basic has fourteen properties, all
// in the first word; the other classes have none, and their structs hold the flags alone.
//
// A struct's `_flags` is the first word, with a second word in its upper half. Words beyond the second have no place in
// it and are passed over.
public import AMQPBase
public import CRabbitMQ

public enum BasicProperties {
  /// Decodes the property list of a content header of any class into its C struct, from `pool`. Strings point into
  /// `payload`. What is not flagged is zero. After a failure `decoded` is as it was.
  public static func decode(
    classID: UInt16, _ payload: UnsafeRawBufferPointer, pool: UnsafeMutablePointer<amqp_pool_t>,
    decoded: inout UnsafeMutableRawPointer?
  ) -> Status {
    guard isKnown(classID) else { return .unknownClass }
    if Int32(classID) == AMQP_BASIC_CLASS {
      var properties = amqp_basic_properties_t()
      let status = decode(payload, pool: pool, into: &properties)
      return store(properties, status, pool, &decoded)
    }
    var decoder = Decoder(payload, pool: pool)
    var properties = amqp_tx_properties_t()
    decoder.flags(&properties._flags)
    return store(properties, decoder.failure, pool, &decoded)
  }

  /// The same for class basic, into a struct that is all zero. After a failure it holds what came before the fault.
  @inline(__always)
  public static func decode(
    _ payload: UnsafeRawBufferPointer, pool: UnsafeMutablePointer<amqp_pool_t>,
    into properties: inout amqp_basic_properties_t
  ) -> Status {
    var decoder = Decoder(payload, pool: pool)
    decoder.flags(&properties._flags)
    properties.codeFlagged(&decoder)
    return decoder.failure
  }

  /// Encodes the flags and the flagged properties, and reads no other field: programs leave those uninitialised.
  public static func encode(
    classID: UInt16, _ decoded: UnsafeMutableRawPointer?, into encoder: inout Encoder
  ) -> Status {
    guard isKnown(classID) else { return .unknownClass }
    guard let decoded else { return .invalidParameter }
    if Int32(classID) == AMQP_BASIC_CLASS {
      return encode(decoded.assumingMemoryBound(to: amqp_basic_properties_t.self), into: &encoder)
    }
    encoder.putFlags(decoded.loadUnaligned(as: amqp_flags_t.self))
    return encoder.failure
  }

  /// The same for class basic, which is what there is to publish.
  public static func encode(
    _ properties: UnsafePointer<amqp_basic_properties_t>, into encoder: inout Encoder
  ) -> Status {
    encoder.putFlags(properties.pointee._flags)
    // The coder takes fields inout for the decoder's sake; an encoder does not write to them.
    UnsafeMutablePointer(mutating: properties).pointee.codeFlagged(&encoder)
    return encoder.failure
  }

  @inline(__always)
  private static func isKnown(_ classID: UInt16) -> Bool {
    switch Int32(classID) {
    case AMQP_CONNECTION_CLASS, AMQP_CHANNEL_CLASS, AMQP_ACCESS_CLASS, AMQP_EXCHANGE_CLASS, AMQP_QUEUE_CLASS,
      AMQP_BASIC_CLASS, AMQP_TX_CLASS, AMQP_CONFIRM_CLASS:
      true
    default: false
    }
  }

  @inline(__always)
  private static func store<T>(
    _ properties: T, _ status: Status, _ pool: UnsafeMutablePointer<amqp_pool_t>,
    _ decoded: inout UnsafeMutableRawPointer?
  ) -> Status {
    guard status.isOK else { return status }
    guard let memory = pool.allocate(MemoryLayout<T>.size) else { return .noMemory }
    memory.bindMemory(to: T.self, capacity: 1).initialize(to: properties)
    decoded = memory
    return .ok
  }
}

extension amqp_basic_properties_t {
  @inline(__always)
  mutating func codeFlagged<C: FieldCoder>(_ c: inout C) {
    // The bits between the highest and the lowest property; most messages have few or none.
    guard _flags & 0xFFFC != 0 else { return }
    if has(AMQP_BASIC_CONTENT_TYPE_FLAG) { c.shortstr(&content_type) }
    if has(AMQP_BASIC_CONTENT_ENCODING_FLAG) { c.shortstr(&content_encoding) }
    if has(AMQP_BASIC_HEADERS_FLAG) { c.table(&headers) }
    if has(AMQP_BASIC_DELIVERY_MODE_FLAG) { c.octet(&delivery_mode) }
    if has(AMQP_BASIC_PRIORITY_FLAG) { c.octet(&priority) }
    if has(AMQP_BASIC_CORRELATION_ID_FLAG) { c.shortstr(&correlation_id) }
    if has(AMQP_BASIC_REPLY_TO_FLAG) { c.shortstr(&reply_to) }
    if has(AMQP_BASIC_EXPIRATION_FLAG) { c.shortstr(&expiration) }
    if has(AMQP_BASIC_MESSAGE_ID_FLAG) { c.shortstr(&message_id) }
    if has(AMQP_BASIC_TIMESTAMP_FLAG) { c.longlong(&timestamp) }
    if has(AMQP_BASIC_TYPE_FLAG) { c.shortstr(&type) }
    if has(AMQP_BASIC_USER_ID_FLAG) { c.shortstr(&user_id) }
    if has(AMQP_BASIC_APP_ID_FLAG) { c.shortstr(&app_id) }
    if has(AMQP_BASIC_CLUSTER_ID_FLAG) { c.shortstr(&cluster_id) }
  }

  @inline(__always)
  private func has(_ flag: Int32) -> Bool { _flags & amqp_flags_t(truncatingIfNeeded: flag) != 0 }
}

/// The bit of a word of property flags that announces another word.
private let continuation: UInt16 = 1

extension Decoder {
  @inline(__always)
  fileprivate mutating func flags(_ flags: inout amqp_flags_t) {
    var word: UInt16 = 0
    short(&word)
    flags = amqp_flags_t(word)
    guard word & continuation != 0 else { return }
    short(&word)
    flags |= amqp_flags_t(word) &<< 16
    while word & continuation != 0, failure.isOK { short(&word) }
  }
}

extension Encoder {
  @inline(__always)
  fileprivate mutating func putFlags(_ flags: amqp_flags_t) {
    let first = UInt16(truncatingIfNeeded: flags) & ~continuation
    let second = UInt16(truncatingIfNeeded: flags &>> 16)
    guard second != 0 else { return put(first) }
    put(first | continuation)
    put(second & ~continuation)
  }
}
