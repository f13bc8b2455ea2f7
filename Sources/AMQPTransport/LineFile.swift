import CSystem

/// Where lines of text for people go. They are worth less than the program that has them written: a line is lost rather than
/// that it makes anybody wait, or that a signal comes of it.
public enum LineFile {
  /// In one write. False when it is lost.
  public static func writeToStandardError(_ line: UnsafeRawBufferPointer) -> Bool {
    Syscalls.writeLine(STDERR_FILENO, line)
  }
}
