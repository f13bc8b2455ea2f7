public import CSystem

/// Where lines of text for people go. They are worth less than the program that has them written: a line is lost rather than
/// that it makes anybody wait, or that a signal comes of it.
public typealias LineFile = process_file

/// Which file a descriptor stands for.
public struct FileIdentity: Equatable, Sendable {
  public var device: UInt64
  public var inode: UInt64

  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}

extension LineFile {
  public static var none: LineFile { LineFile(descriptor: -1, device: 0, inode: 0) }

  /// Standard error as it is now, whatever becomes of its number. Nil when the program has none.
  public static func standardError() -> LineFile? { kept(STDERR_FILENO) }

  /// A file to append to, made if need be for its owner alone. Nil when that cannot be.
  public static func appending(to path: UnsafePointer<CChar>) -> LineFile? {
    let descriptor = Syscalls.openForLines(path)
    guard descriptor >= 0 else { return nil }
    defer { Syscalls.close(descriptor) }
    return kept(descriptor)
  }

  private static func kept(_ descriptor: Int32) -> LineFile? {
    let high = Syscalls.duplicateHigh(descriptor)
    guard high >= 0, let identity = Syscalls.identity(high) else { return nil }
    return LineFile(descriptor: high, device: identity.device, inode: identity.inode)
  }

  public var isNone: Bool { descriptor < 0 }

  /// In one write. False when the line is lost.
  public func write(_ line: UnsafeRawBufferPointer) -> Bool {
    guard Syscalls.identity(descriptor) == FileIdentity(device: device, inode: inode) else { return false }
    return Syscalls.writeLine(descriptor, line)
  }

  /// For the few words that are said once.
  public static func writeToStandardError(_ line: UnsafeRawBufferPointer) -> Bool {
    Syscalls.writeLine(STDERR_FILENO, line)
  }
}
