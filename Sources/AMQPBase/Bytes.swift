import CMemory
public import CRabbitMQ

extension amqp_bytes_t {
  public static var empty: amqp_bytes_t { amqp_bytes_t(len: 0, bytes: nil) }

  /// Borrows: the bytes stay whose they are.
  @inline(__always) public init(_ buffer: UnsafeRawBufferPointer) {
    self.init(len: buffer.count, bytes: UnsafeMutableRawPointer(mutating: buffer.baseAddress))
  }

  /// What a caller passed, as something safe to read: a NULL pointer has no bytes, whatever `len` says.
  @inline(__always) public var buffer: UnsafeRawBufferPointer {
    guard let bytes, len > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: bytes, count: len)
  }

  /// A malloc of its own, `bytes` NULL when there is no memory. A length of 0 gives a pointer that can be freed.
  public static func allocated(_ count: Int) -> amqp_bytes_t { amqp_bytes_t(len: count, bytes: malloc(count)) }

  /// A copy in a malloc of its own, nil when there is no memory. Goes with plain `free`.
  public func duplicated() -> amqp_bytes_t? {
    // A `size_t` beyond `Int.max`: no memory holds so much, and a copy without bytes would hide that.
    guard len >= 0 else { return nil }
    let source = buffer
    guard let bytes = malloc(source.count) else { return nil }
    if let start = source.baseAddress { memcpy(bytes, start, source.count) }
    return amqp_bytes_t(len: source.count, bytes: bytes)
  }

  public func deallocate() { free(bytes) }

  /// Whether the bytes are the same, wherever they lie.
  public func hasSameBytes(as other: amqp_bytes_t) -> Bool {
    let (left, right) = (buffer, other.buffer)
    guard left.count == right.count else { return false }
    guard let start = left.baseAddress, let otherStart = right.baseAddress else { return true }
    return memcmp(start, otherStart, left.count) == 0
  }
}

extension UnsafeRawBufferPointer {
  /// The bytes of a C string without its end; none for NULL.
  @inline(__always) public init(cString: UnsafePointer<CChar>?) {
    guard let cString else {
      self.init(start: nil, count: 0)
      return
    }
    self.init(start: cString, count: Int(truncatingIfNeeded: strlen(cString)))
  }
}
