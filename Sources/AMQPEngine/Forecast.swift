/// Whether an attempt to receive would find nothing, by how the last attempts ended.
///
/// Who finds nothing has to wait, and then the attempt was a system call too many. After one that was in vain so many waits come
/// first, without an attempt, and more of them each time that the next attempt is in vain as well; one that is not ends that. So
/// question and answer cost hardly an attempt too many, and a stream, where now and then nothing is there, hardly a wait.
public struct Forecast: Sendable {
  private static var longestRun: UInt8 { 31 }

  private var run: UInt8 = 0
  private var left: UInt8 = 0

  @inline(__always) public init() {}

  @inline(__always) public var isWait: Bool { left > 0 }

  /// One waits as expected.
  @inline(__always) public mutating func waits() { left = left &- 1 }

  /// An attempt found nothing.
  public mutating func missed() {
    run = min(run &* 2 &+ 1, Self.longestRun)
    left = run
  }

  /// An attempt found something.
  @inline(__always) public mutating func found() { run = 0 }
}
