import CSystem

extension Kernel {
  /// Nil where the kernel keeps no such account: not a TCP socket, or not connected.
  func liveness(_ descriptor: Int32) -> Liveness? {
    withUnsafeTemporaryAllocation(byteCount: system_tcp_info_room, alignment: 8) { room in
      guard let base = room.baseAddress else { return nil }
      var size = socklen_t(truncatingIfNeeded: room.count)
      guard getsockopt(descriptor, system_protocol_tcp, TCP_INFO, base, &size) == 0,
        Int(size) >= MemoryLayout<tcp_info>.size
      else { return nil }
      let known = base.loadUnaligned(as: tcp_info.self)
      let unread = max(0, Int(system_unread(descriptor)))
      return Liveness(
        millisecondsSinceData: known.tcpi_last_data_recv,
        millisecondsSinceAcknowledgement: known.tcpi_last_ack_recv,
        unreadBytes: unread,
        receiveBufferIsFull: unread > 0
          && offersNoWindow(descriptor, UnsafeRawBufferPointer(room), Int(size), unread: unread))
    }
  }

  /// Whether the peer is kept from sending. In doubt the answer is yes: acknowledgements then decide whether it lives, and
  /// a dead peer sends none of those either.
  func offersNoWindow(
    _ descriptor: Int32, _ account: UnsafeRawBufferPointer, _ size: Int, unread: Int = 0
  ) -> Bool {
    let offset = system_tcp_info_receive_window
    if size >= offset &+ 4, account.count >= offset &+ 4, let base = account.baseAddress {
      let known = base.loadUnaligned(as: tcp_info.self)
      return Kernel.isTooSmall(
        window: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self), unread: unread,
        estimatedSegment: known.tcpi_rcv_mss, largestSegment: known.tcpi_advmss)
    }
    return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 16) { memory in
      guard let base = memory.baseAddress else { return true }
      var length = socklen_t(truncatingIfNeeded: memory.count &* 4)
      guard getsockopt(descriptor, SOL_SOCKET, system_so_meminfo, base, &length) == 0, length >= 8 else { return true }
      // The kernel closes the window before the last byte of the buffer is taken, and charges more than the bytes themselves.
      let (charged, limit) = (base[0], base[1])
      return charged >= limit &- limit / 4
    }
  }

  /// Whether a window may stay unused because the peer waits until a whole segment fits. How large its segments are is only
  /// estimated; they can be as large as we said at the start. A window that large or smaller counts as closed when more
  /// than it could bring lies unread already.
  static func isTooSmall(window: UInt32, unread: Int, estimatedSegment: UInt32, largestSegment: UInt32) -> Bool {
    window < estimatedSegment || window < largestSegment && unread > Int(window)
  }
}
