// The cursor that writes: one comparison and one unaligned store per primitive. The first failure closes the room, so that
// nothing after it is written, and is remembered.
public import AMQPBase
public import CRabbitMQ
internal import CMemory

public struct Encoder: FieldCoder {
  @inline(__always) public static var decodes: Bool { false }

  /// Nil only when there is no room, and then no guard passes.
  let base: UnsafeMutableRawPointer?
  private let capacity: Int
  private(set) var end: Int
  /// Octets written so far. After a failure it is what stood before the primitive that failed.
  public private(set) var written: Int
  public private(set) var failure = Status.ok
  /// Whether it failed for want of room that a larger buffer would have: not at a limit, not for what it was given.
  public private(set) var lackedRoom = false
  /// What lack of room is called: tables have a code of their own.
  var noRoom = Status.badAMQPData

  @inline(__always)
  public init(_ room: UnsafeMutableRawBufferPointer, offset: Int = 0) {
    base = room.baseAddress
    end = room.count
    capacity = room.count
    written = min(max(offset, 0), room.count)
  }

  /// Octets that can still be written.
  @inline(__always) public var remaining: Int { end &- written }

  @inline(__always)
  public mutating func octet(_ value: inout UInt8) { put(value) }
  @inline(__always)
  public mutating func short(_ value: inout UInt16) { put(value) }
  @inline(__always)
  public mutating func long(_ value: inout UInt32) { put(value) }
  @inline(__always)
  public mutating func longlong(_ value: inout UInt64) { put(value) }

  @inline(__always)
  public mutating func shortstr(_ value: inout amqp_bytes_t) { putShortstr(value) }
  @inline(__always)
  public mutating func longstr(_ value: inout amqp_bytes_t) { putLongstr(value) }

  public mutating func table(_ value: inout amqp_table_t) {
    FieldTable.encode(value, depth: 0, into: &self)
  }

  @inline(__always)
  public mutating func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    guard let start = advance(MemoryLayout<T>.size) else { return }
    start.storeBytes(of: value.bigEndian, as: T.self)
  }

  @inline(__always)
  public mutating func putShortstr(_ value: amqp_bytes_t) {
    guard let source = value.readable, source.count <= Limit.shortstrOctets else { return fail(.badAMQPData) }
    put(UInt8(truncatingIfNeeded: source.count))
    putBytes(source)
  }

  @inline(__always)
  public mutating func putLongstr(_ value: amqp_bytes_t) {
    guard let source = value.readable, source.count <= Limit.longstrOctets else { return fail(.badAMQPData) }
    put(UInt32(truncatingIfNeeded: source.count))
    putBytes(source)
  }

  /// The octets alone, without a length.
  @inline(__always)
  public mutating func putBytes(_ source: UnsafeRawBufferPointer) {
    guard let start = advance(source.count), let from = source.baseAddress else { return }
    memcpy(start, from, source.count)
  }

  /// Writes a length at `position`, which was left open before the octets that it counts.
  @inline(__always)
  mutating func patchLong(at position: Int, _ value: Int) {
    guard failure.isOK, position >= 0, written &- position >= 4, let base else { return }
    (base + position).storeBytes(of: UInt32(truncatingIfNeeded: value).bigEndian, as: UInt32.self)
  }

  /// Leaves at most `count` more octets of room; answers the old end for `restoreRoom`.
  @inline(__always)
  mutating func limitRoom(to count: Int) -> Int {
    let before = end
    if count < end &- written { end = written &+ max(count, 0) }
    return before
  }

  @inline(__always)
  mutating func restoreRoom(_ before: Int) {
    if failure.isOK { end = before }
  }

  @inline(__always)
  mutating func advance(_ count: Int) -> UnsafeMutableRawPointer? {
    guard end &- written >= count, let base else {
      // No octets need no room, and an encoder without memory is no failure by itself.
      if count > end &- written { lackRoom() }
      return nil
    }
    let start = base + written
    written = written &+ count
    return start
  }

  @inline(never)
  private mutating func lackRoom() {
    if failure.isOK { lackedRoom = end == capacity }
    fail(noRoom)
  }

  @inline(never)
  mutating func fail(_ status: Status) {
    if failure.isOK { failure = status }
    end = written
  }
}
