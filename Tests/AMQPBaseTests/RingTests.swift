import AMQPBase
import Testing

@Suite struct RingTests {
  @Test func firstInFirstOut() {
    var ring = Ring<Int>()
    let whenNew = ring.capacity
    #expect(whenNew == 0)
    for number in 0..<1_000 {
      let appended = ring.append(number)
      #expect(appended)
    }
    for number in 0..<1_000 {
      let (front, back, beyond) = (ring.record(at: 0), ring.record(at: 999 - number), ring.record(at: 1_000 - number))
      #expect(front?.pointee == number)
      #expect(back?.pointee == 999)
      #expect(beyond == nil)
      ring.removeFirst()
    }
    ring.removeFirst()
    let count = ring.count
    #expect(count == 0)
  }

  @Test func nowhereIsNoRecord() {
    var ring = Ring<Int>()
    let inEmpty = ring.record(at: 0)
    #expect(inEmpty == nil)
    _ = ring.append(1)
    let (before, behind, extreme) = (ring.record(at: -1), ring.record(at: 1), ring.record(at: .max))
    #expect(before == nil && behind == nil && extreme == nil)
  }

  /// The front wanders through the block, so growing finds it at every place.
  @Test func growsAndShrinksWhereverTheFrontIs() {
    for shift in 0..<40 {
      var ring = Ring<Int>()
      for number in 0..<shift {
        _ = ring.append(number)
        ring.removeFirst()
      }
      for number in 0..<300 { _ = ring.append(number) }
      for number in 0..<300 {
        let front = ring.record(at: 0)?.pointee
        #expect(front == number)
        ring.removeFirst()
        let last = ring.record(at: ring.count - 1)?.pointee
        #expect(last == (number < 299 ? 299 : nil))
      }
    }
  }

  @Test func aBurstIsNotPaidForEver() {
    var ring = Ring<UInt64>()
    for number in 0..<100_000 as Range<UInt64> { _ = ring.append(number) }
    let inUse = ring.capacity
    #expect(inUse == 131_072)
    for _ in 0..<100_000 { ring.removeFirst() }
    let after = ring.capacity
    #expect(after == 16)
  }

  /// Between the sizes at which it grows and shrinks lies a factor of eight.
  @Test func aLevelThatSwingsDoesNotReallocate() {
    var ring = Ring<Int>()
    for number in 0..<1_000 { _ = ring.append(number) }
    let capacity = ring.capacity
    for _ in 0..<100 {
      for _ in 0..<800 { ring.removeFirst() }
      for number in 0..<800 { _ = ring.append(number) }
      let now = ring.capacity
      #expect(now == capacity)
    }
  }

  @Test func whatWasReservedIsThere() {
    var ring = Ring<Int>()
    for number in 0..<16 { _ = ring.append(number) }
    let reserved = ring.reserve()
    let (capacity, count) = (ring.capacity, ring.count)
    #expect(reserved && capacity == 32 && count == 16)
    _ = ring.append(16)
    let unchanged = ring.capacity
    #expect(unchanged == 32)
  }
}

@Suite struct ChainTests {
  private func numbers(_ chain: borrowing Chain<Int>) -> [Int] {
    var found: [Int] = []
    var next = chain.first
    while let link = next {
      found.append(link.pointee.record)
      next = link.pointee.next
    }
    return found
  }

  @Test func removingAnyKeepsTheOrder() {
    for removed in 0..<5 {
      var chain = Chain<Int>()
      var links: [Chain<Int>.Position] = []
      for number in 0..<5 {
        if let link = chain.append(number) { links.append(link) }
      }
      chain.remove(links[removed])
      let left = numbers(chain)
      #expect(left == (0..<5).filter { $0 != removed })
      _ = chain.append(9)
      let more = numbers(chain)
      #expect(more.last == 9 && more.count == 5)
      let count = chain.count
      #expect(count == 5)
    }
  }

  @Test func whatFollows() {
    var chain = Chain<Int>()
    let none = chain.after(nil)
    #expect(none == nil)
    let (one, two) = (chain.append(1), chain.append(2))
    let (first, second, end) = (chain.after(nil), chain.after(one), chain.after(two))
    #expect(first == one && second == two && end == nil)
  }

  @Test func extraBytesAreItsOwn() throws {
    var chain = Chain<Int>()
    let (first, second) = (chain.append(1, extraCount: 3), chain.append(2, extraCount: 3))
    let (one, two) = (try #require(first), try #require(second))
    Chain.extra(of: one).initializeMemory(as: UInt8.self, repeating: 0xff, count: 3)
    Chain.extra(of: two).initializeMemory(as: UInt8.self, repeating: 0xee, count: 3)
    #expect(one.pointee.record == 1 && two.pointee.record == 2 && two.pointee.next == nil)
    let impossible = chain.append(3, extraCount: .max)
    let negative = chain.append(3, extraCount: -1)
    #expect(impossible == nil && negative == nil)
    let count = chain.count
    #expect(count == 2)
  }
}
