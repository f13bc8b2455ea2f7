// Records in the order in which they came, each a block of its own, so that one stays where it is until it is removed and
// the others do not notice. Bytes that belong to a record lie behind it in its block.

import CMemory

public struct Chain<Record: BitwiseCopyable>: ~Copyable {
  public struct Link: BitwiseCopyable {
    public var record: Record
    public fileprivate(set) var next: UnsafeMutablePointer<Link>?
    public fileprivate(set) var previous: UnsafeMutablePointer<Link>?
  }

  public typealias Position = UnsafeMutablePointer<Link>

  public private(set) var first: Position?
  private var last: Position?
  public private(set) var count: Int

  public init() {
    first = nil
    last = nil
    count = 0
  }

  deinit {
    var link = first
    while let current = link {
      link = current.pointee.next
      free(current)
    }
  }

  /// Nil when there is no memory. `extraCount`: bytes behind the record, not initialised.
  public mutating func append(_ record: Record, extraCount: Int = 0) -> Position? {
    guard extraCount >= 0, extraCount <= Int.max / 2,
      let memory = malloc(MemoryLayout<Link>.stride &+ extraCount)
    else { return nil }
    let link = memory.bindMemory(to: Link.self, capacity: 1)
    link.initialize(to: Link(record: record, next: nil, previous: last))
    if let last { last.pointee.next = link } else { first = link }
    last = link
    count &+= 1
    return link
  }

  /// Where the extra bytes of a record begin.
  public static func extra(of link: Position) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(link) + MemoryLayout<Link>.stride
  }

  /// The next one after a position, the first one after none.
  public func after(_ position: Position?) -> Position? {
    guard let position else { return first }
    return position.pointee.next
  }

  public mutating func remove(_ link: Position) {
    detach(link)
    free(link)
  }

  /// Takes a record out and leaves its block, which is the caller's from then on: `release` frees it.
  public mutating func detach(_ link: Position) {
    let (previous, next) = (link.pointee.previous, link.pointee.next)
    if let previous { previous.pointee.next = next } else { first = next }
    if let next { next.pointee.previous = previous } else { last = previous }
    count &-= 1
  }

  public static func release(_ link: Position) { free(link) }
}
