/// How other threads wake a loop: an eventfd.
public enum Wakeup {
  /// A descriptor or a negative errno.
  public static func open() -> Int32 { Syscalls.below.openWakeup() }
  /// Makes it readable until `clear`.
  public static func wake(_ descriptor: Int32) { Syscalls.below.wake(descriptor) }
  public static func clear(_ descriptor: Int32) { Syscalls.below.clearWakeup(descriptor) }
  public static func close(_ descriptor: Int32) { Syscalls.close(descriptor) }
}
