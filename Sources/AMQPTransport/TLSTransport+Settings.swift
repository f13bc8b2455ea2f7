// Whom to trust, and what to prove who one is with. What is set counts for connections that are made afterwards.
public import AMQPBase
import CSystem

extension TLSTransport {
  /// OpenSSL's `SSL_CTX *`, for a program to set what is not here.
  public var context: UnsafeMutableRawPointer { UnsafeMutableRawPointer(state.pointee.context) }

  public func setVerifiesPeer(_ verifies: Bool) { state.pointee.verifiesPeer = verifies }
  public func setVerifiesHost(_ verifies: Bool) { state.pointee.verifiesHost = verifies }

  public func trustSystem() -> Status { outcome(SSL_CTX_set_default_verify_paths(state.pointee.context)) }

  public func trust(file: UnsafePointer<CChar>) -> Status {
    outcome(SSL_CTX_load_verify_locations(state.pointee.context, file, nil))
  }

  /// nil: the newest there is.
  public func setVersions(least: TLSVersion?, greatest: TLSVersion?) -> Status {
    let context = state.pointee.context
    let status = outcome(system_tls_set_greatest(context, greatest?.number ?? 0))
    guard status.isOK else { return status }
    return outcome(system_tls_set_least(context, (least ?? .tls13).number))
  }

  // MARK: The client's certificate

  /// Copied. Without a password OpenSSL asks at the terminal for one, if the key needs it.
  public func setPassword(_ password: UnsafePointer<CChar>?) {
    forgetPassword()
    guard let password, let copy = strdup(password) else { return }
    state.pointee.password = copy
    SSL_CTX_set_default_passwd_cb_userdata(state.pointee.context, copy)
  }

  func forgetPassword() {
    guard let password = state.pointee.password else { return }
    SSL_CTX_set_default_passwd_cb_userdata(state.pointee.context, nil)
    OPENSSL_cleanse(password, strlen(password))
    free(password)
    state.pointee.password = nil
  }

  public func setKey(certificate: UnsafePointer<CChar>, file: UnsafePointer<CChar>) -> Status {
    withCertificate(certificate) { context in SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) }
  }

  public func setKey(certificate: UnsafePointer<CChar>, text: UnsafeRawBufferPointer) -> Status {
    guard let count = Int32(exactly: text.count) else { return .invalidParameter }
    return withCertificate(certificate) { context in
      use(system_key_from_memory(text.baseAddress, count, nil, state.pointee.password), context)
    }
  }

  /// `name` as the engine of the process knows the key.
  public func setKey(certificate: UnsafePointer<CChar>, engineKey name: UnsafePointer<CChar>) -> Status {
    guard TLSEngine.isThere else { return .sslUnimplemented }
    guard let engine = TLSEngine.chosen else { return .sslError }
    return withCertificate(certificate) { context in use(system_engine_key(engine, name), context) }
  }

  private func use(_ key: OpaquePointer?, _ context: OpaquePointer) -> Int32 {
    guard let key else { return 0 }
    defer { EVP_PKEY_free(key) }
    return SSL_CTX_use_PrivateKey(context, key)
  }

  private func withCertificate(_ file: UnsafePointer<CChar>, _ setKey: (OpaquePointer) -> Int32) -> Status {
    let context = state.pointee.context
    let isSet =
      SSL_CTX_use_certificate_chain_file(context, file) == 1 && setKey(context) == 1
      && SSL_CTX_check_private_key(context) == 1
    return outcome(isSet ? 1 : 0)
  }

  private func outcome(_ result: Int32) -> Status {
    ERR_clear_error()
    return result == 1 ? .ok : .sslError
  }
}

public enum TLSVersion {
  case tls12, tls13

  var number: Int32 {
    switch self {
    case .tls12: Int32(system_tls_1_2)
    case .tls13: Int32(system_tls_1_3)
    }
  }
}

/// The engine that keeps private keys, for the whole process. To be chosen before other threads use it.
public enum TLSEngine {
  public static var isThere: Bool { system_has_engines != 0 }

  nonisolated(unsafe) fileprivate static var chosen: UnsafeMutableRawPointer?

  public static func choose(_ name: UnsafePointer<CChar>) -> Status {
    guard isThere else { return .sslUnimplemented }
    let engine = system_engine_start(name)
    ERR_clear_error()
    guard let engine else { return .sslSetEngineFailed }
    if let earlier = chosen { system_engine_finish(earlier) }
    chosen = engine
    return .ok
  }
}
