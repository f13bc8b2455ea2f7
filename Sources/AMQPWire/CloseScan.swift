import CRabbitMQ

/// Looks for a connection.close among frames that are not to be taken yet: those in the inbound buffer, and behind them
/// what lies in the socket.
public enum CloseScan {
  /// `first` begins with a frame and `second` goes on where `first` ends. What is cut off or broken ends the search.
  public static func containsClose(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Bool {
    let stream = TwoPieces(first: first, second: second)
    var start = 0
    while let size = stream.long(at: start &+ 3) {
      if stream.octet(at: start) == Frame.method, stream.octet(at: start &+ 1) == 0, stream.octet(at: start &+ 2) == 0,
        stream.long(at: start &+ Frame.headerSize) == amqp_connection_close_t.id
      {
        return true
      }
      start = start &+ Frame.overhead &+ Int(size)
    }
    return false
  }
}

/// Two buffers read as one.
private struct TwoPieces {
  let first: UnsafeRawBufferPointer
  let second: UnsafeRawBufferPointer

  func octet(at index: Int) -> UInt8? {
    if index < first.count { return first[index] }
    let offset = index &- first.count
    return offset < second.count ? second[offset] : nil
  }

  func long(at index: Int) -> UInt32? {
    var value: UInt32 = 0
    for offset in 0..<4 {
      guard let octet = octet(at: index &+ offset) else { return nil }
      value = value &<< 8 | UInt32(octet)
    }
    return value
  }
}
