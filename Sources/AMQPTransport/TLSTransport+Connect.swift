// The TLS handshake, and who may be at the other end.
//
// The certificate is judged during the handshake, so that a stranger is refused before he sees who we are. OpenSSL calls back
// for every certificate of the chain, root first, and for every fault that it finds; the server's own, at depth 0, comes
// last, and there the name is compared. After the handshake everything is looked at once more, for what can keep OpenSSL
// from calling back: a cipher suite without certificates, or a program that has replaced the verification in the context.
public import AMQPBase
import CSystem

extension TLSTransport {
  /// How one step of the handshake ended. It never waited.
  public enum Step {
    case done
    case wouldBlock(Interest)
    case failed(Status)
  }

  /// TCP connect and TLS handshake within one deadline. What fails leaves nothing open.
  public func connect(
    host: UnsafePointer<CChar>?, port: Int32, until deadline: Deadline, loop: inout EventLoop
  ) -> Status {
    switch Connector.connect(host: host, port: port, until: deadline, loop: &loop) {
    case .failed(let status):
      return status
    case .connected(let descriptor):
      var status = begin(descriptor, host: host)
      if status.isOK { status = complete(until: deadline, loop: &loop) }
      if !status.isOK { close() }
      return status
    }
  }

  /// Takes over the descriptor, whatever comes of it.
  public func begin(_ descriptor: Int32, host: UnsafePointer<CChar>?) -> Status {
    state.pointee.descriptor = descriptor
    state.pointee.process = getpid()
    defer { ERR_clear_error() }
    guard let name = TLSName.make(host) else { return .noMemory }
    state.pointee.host = name
    guard let ssl = SSL_new(state.pointee.context) else { return .sslError }
    state.pointee.ssl = ssl
    guard let stream = TLSStream.make(state) else { return .noMemory }
    SSL_set_bio(ssl, stream, stream)
    if !TLSName.isAddress(name), system_tls_name_server(ssl, name) != 1 { return .sslError }
    if state.pointee.verifiesPeer || state.pointee.verifiesHost {
      SSL_set_verify(ssl, SSL_VERIFY_PEER) { isTrusted, store in TLSTransport.judge(isTrusted, store) }
    }
    return .ok
  }

  private func complete(until deadline: Deadline, loop: inout EventLoop) -> Status {
    while true {
      switch handshake() {
      case .done: return .ok
      case .failed(let status): return status
      case .wouldBlock(let interest):
        switch loop.wait(descriptor: descriptor, interest: interest, until: deadline) {
        case .ready: break
        case .timedOut: return .timeout
        case .failed: return .socketError
        }
      }
    }
  }

  public func handshake() -> Step {
    locked {
      _ = state.flush()
      guard let ssl = state.pointee.ssl else { return .failed(.socketClosed) }
      ERR_clear_error()
      let result = SSL_connect(ssl)
      let reason = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, result)
      ERR_clear_error()
      switch reason {
      case SSL_ERROR_NONE:
        let status = verdict(ssl)
        return status.isOK ? .done : .failed(status)
      // Without what could not be sent, the peer will say nothing more.
      case SSL_ERROR_WANT_READ where state.pointee.sendFault == 0:
        return .wouldBlock(state.pointee.backlog.count == 0 ? .read : .readOrWrite)
      case SSL_ERROR_WANT_WRITE where state.pointee.sendFault == 0: return .wouldBlock(.write)
      default:
        state.pointee.isBroken = true
        return .failed(refusal(ssl))
      }
    }
  }

  // MARK: Who is there

  /// OpenSSL's verify callback: 0 refuses.
  private static func judge(_ isTrusted: Int32, _ store: OpaquePointer?) -> Int32 {
    guard let store, let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
      let state = TLSStream.state(of: SSL_get_rbio(OpaquePointer(ssl)))
    else { return 0 }
    if let programs = SSL_CTX_get_verify_callback(state.pointee.context) {
      if programs(isTrusted, store) == 0 {
        state.pointee.refusal = .sslPeerVerifyFailed
        return 0
      }
    } else if isTrusted == 0, state.pointee.verifiesPeer {
      state.pointee.refusal = .sslPeerVerifyFailed
      return 0
    }
    guard state.pointee.verifiesHost, X509_STORE_CTX_get_error_depth(store) == 0 else { return 1 }
    state.pointee.hostIsChecked = true
    if let host = state.pointee.host, TLSName.matches(X509_STORE_CTX_get0_cert(store), host) { return 1 }
    X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH)
    state.pointee.refusal = .sslHostnameVerifyFailed
    return 0
  }

  /// After a handshake that OpenSSL is content with.
  private func verdict(_ ssl: OpaquePointer) -> Status {
    guard state.pointee.verifiesPeer || state.pointee.verifiesHost else { return .ok }
    let certificate = SSL_get1_peer_certificate(ssl)
    defer { X509_free(certificate) }
    if state.pointee.verifiesPeer {
      guard certificate != nil, SSL_get_verify_result(ssl) == Int(X509_V_OK) else { return .sslPeerVerifyFailed }
    }
    guard state.pointee.verifiesHost, !state.pointee.hostIsChecked else { return .ok }
    guard let host = state.pointee.host, TLSName.matches(certificate, host) else { return .sslHostnameVerifyFailed }
    return .ok
  }

  /// Why there is no connection.
  private func refusal(_ ssl: OpaquePointer) -> Status {
    if !state.pointee.refusal.isOK { return state.pointee.refusal }
    let result = SSL_get_verify_result(ssl)
    return state.pointee.verifiesPeer && result != Int(X509_V_OK) ? .sslPeerVerifyFailed : .sslConnectionFailed
  }
}

/// The name of the host, as certificates spell it.
enum TLSName {
  /// A copy to be freed; nil when there is no memory. The dot that ends an absolute name is not part of it, and no host is
  /// this one.
  static func make(_ host: UnsafePointer<CChar>?) -> UnsafeMutablePointer<CChar>? {
    guard let host else { return strdup("localhost") }
    guard let name = strdup(host) else { return nil }
    let length = strlen(name)
    if length > 1, name[length &- 1] == 0x2E { name[length &- 1] = 0 }
    // The zone of a link-local address says where to send, not who is there.
    if let zone = strchr(name, 0x25) { zone.pointee = 0 }
    return name
  }

  static func isAddress(_ name: UnsafePointer<CChar>) -> Bool { address(name) { _ in true } ?? false }

  /// Addresses are compared with the addresses of the certificate, and where it has none, with its names.
  static func matches(_ certificate: OpaquePointer?, _ name: UnsafePointer<CChar>) -> Bool {
    guard let certificate else { return false }
    let matched = address(name) { octets in
      X509_check_ip(certificate, octets.baseAddress?.assumingMemoryBound(to: UInt8.self), octets.count, 0) == 1
    }
    guard let matched else {
      return X509_check_host(certificate, name, 0, UInt32(system_host_whole_wildcards), nil) == 1
    }
    if matched { return true }
    return system_certificate_has_addresses(certificate) == 0
      && X509_check_host(certificate, name, 0, UInt32(system_host_no_wildcards), nil) == 1
  }

  /// Runs `body` on the 4 or 16 octets of an address; nil when the name is none.
  private static func address(_ name: UnsafePointer<CChar>, _ body: (UnsafeRawBufferPointer) -> Bool) -> Bool? {
    var octets: (UInt64, UInt64) = (0, 0)
    return withUnsafeMutableBytes(of: &octets) { octets in
      if inet_pton(AF_INET, name, octets.baseAddress) == 1 {
        return body(UnsafeRawBufferPointer(rebasing: octets[..<4]))
      }
      if inet_pton(AF_INET6, name, octets.baseAddress) == 1 { return body(UnsafeRawBufferPointer(octets)) }
      return nil
    }
  }
}
