// A queue of fixed-size records in one block of memory: in at the end, out at the front, any of them by its place.
//
// The capacity is a power of two. It doubles when the ring is full and halves when it is an eighth full, so both cost a
// constant per record, a burst is not paid for ever, and one that comes and goes does not reallocate at each turn.

import CMemory

/// Records; a ring that was used once keeps room for so many.
private let smallestCapacity = 16

public struct Ring<Record: BitwiseCopyable>: ~Copyable {
  private var records: UnsafeMutablePointer<Record>?
  /// Records; 0 or a power of two.
  public private(set) var capacity: Int
  private var head: Int
  public private(set) var count: Int

  public init() {
    records = nil
    capacity = 0
    head = 0
    count = 0
  }

  deinit { free(records) }

  /// Room for one more record. False when there is no memory; the ring is as it was.
  public mutating func reserve() -> Bool {
    if count < capacity { return true }
    let (doubled, overflow) = capacity.multipliedReportingOverflow(by: 2)
    return !overflow && resize(to: max(doubled, smallestCapacity))
  }

  /// False when there is no memory.
  public mutating func append(_ record: Record) -> Bool {
    guard reserve(), let records else { return false }
    (records + place(count)).initialize(to: record)
    count &+= 1
    return true
  }

  /// The record at a distance from the front; nil beyond the end. Stays until the next `append` or `removeFirst`.
  public func record(at distance: Int) -> UnsafeMutablePointer<Record>? {
    guard distance >= 0, distance < count, let records else { return nil }
    return records + place(distance)
  }

  public mutating func removeFirst() {
    guard count > 0 else { return }
    head = place(1)
    count &-= 1
    // Where there is no memory for less memory, the larger block stays.
    if capacity > smallestCapacity, count <= capacity / 8 { _ = resize(to: capacity / 2) }
  }

  private func place(_ distance: Int) -> Int { (head &+ distance) & (capacity &- 1) }

  private mutating func resize(to wanted: Int) -> Bool {
    let (size, overflow) = wanted.multipliedReportingOverflow(by: MemoryLayout<Record>.stride)
    guard !overflow, let memory = malloc(size) else { return false }
    let target = memory.bindMemory(to: Record.self, capacity: wanted)
    if let records, count > 0 {
      let beforeTheEnd = min(count, capacity &- head)
      target.initialize(from: records + head, count: beforeTheEnd)
      (target + beforeTheEnd).initialize(from: records, count: count &- beforeTheEnd)
    }
    free(records)
    records = target
    capacity = wanted
    head = 0
    return true
  }
}
