import AMQPBase
import CSystem
import Testing

@testable import AMQPTransport

/// Two connected descriptors, closed with the test.
final class SocketPair {
  let near: Int32
  private(set) var far: Int32

  private init(_ near: Int32, _ far: Int32) { (self.near, self.far) = (near, far) }

  /// Blocking ones, as a program would hand them in.
  static func unix() throws -> SocketPair {
    var both: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(system_socket_type), 0, &both) == 0)
    return SocketPair(both[0], both[1])
  }

  static func tcp() throws -> SocketPair {
    let listener = try Listener()
    var loop = EventLoop()
    let result = Connector.connect(host: "127.0.0.1", port: listener.port, until: .never, loop: &loop)
    guard case .connected(let near) = result else { throw Unexpected.result }
    return SocketPair(near, accept(listener.descriptor, nil, nil))
  }

  func closeFar() {
    close(far)
    far = -1
  }

  deinit {
    close(near)
    close(far)
  }
}

enum Unexpected: Error { case result }

final class Listener {
  let descriptor: Int32
  let port: Int32

  init(backlog: Int32 = 8) throws {
    descriptor = socket(AF_INET, Int32(system_socket_type), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let outcome = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name -> Int32 in
        guard bind(descriptor, name, size) == 0, listen(descriptor, backlog) == 0 else { return -1 }
        return getsockname(descriptor, name, &size)
      }
    }
    port = Int32(UInt16(bigEndian: address.sin_port))
    try #require(outcome == 0)
  }

  deinit { close(descriptor) }
}

/// A binary semaphore of two threads: `open` lets one `pass` through.
final class Gate: Sendable {
  private let pair: [Int32]

  init() {
    var both: [Int32] = [-1, -1]
    pipe(&both)
    pair = both
  }

  func open() { _ = write(pair[1], "g", 1) }

  func pass() {
    var octet: UInt8 = 0
    while read(pair[0], &octet, 1) < 0 {}
  }

  deinit { for descriptor in pair { close(descriptor) } }
}

func milliseconds(_ count: UInt64) -> UInt64 { count * 1_000_000 }

func soon(_ count: UInt64) -> Deadline { Deadline(Kernel().now().adding(nanoseconds: milliseconds(count))) }

extension TCPTransport {
  func sendText(_ pieces: StaticString...) -> IOResult {
    var vectors = pieces.map {
      iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.utf8Start), iov_len: $0.utf8CodeUnitCount)
    }
    return send(&vectors, count: vectors.count)
  }

  func receiveText(_ limit: Int = 64) -> (IOResult, String) {
    withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { room in
      let result = receive(into: room)
      guard case .bytes(let count) = result else { return (result, "") }
      return (result, String(decoding: UnsafeRawBufferPointer(room)[..<count], as: UTF8.self))
    }
  }
}

/// What the kernel says of a descriptor: the `flags` line of its fdinfo.
func descriptorFlags(_ descriptor: Int32) -> Int32? {
  let file = openFile("/proc/self/fdinfo/\(descriptor)", O_RDONLY)
  defer { close(file) }
  let text = withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { room in
    String(decoding: UnsafeRawBufferPointer(room)[..<max(0, read(file, room.baseAddress, 512))], as: UTF8.self)
  }
  for line in text.split(separator: "\n") where line.hasPrefix("flags:") {
    return Int32(line.dropFirst(6).drop { $0 == "\t" || $0 == " " }, radix: 8)
  }
  return nil
}

func socketOption(_ descriptor: Int32, _ level: Int32, _ name: Int32) -> Int32 {
  var value: Int32 = -1
  var size = socklen_t(4)
  return getsockopt(descriptor, level, name, &value, &size) == 0 ? value : -1
}
