import CSystem
import Testing

@testable import AMQPTransport

/// OpenSSL's server side at the far end of a socket pair, on the same thread: it moves when it is told to.
final class TLSPeer {
  let pair: SocketPair
  private let context: OpaquePointer
  private let ssl: OpaquePointer
  private let input: OpaquePointer
  private let output: OpaquePointer
  let certificate: OpaquePointer

  init(_ pair: SocketPair, version: Int32 = Int32(system_tls_1_3)) throws {
    self.pair = pair
    let key = try #require(TLSPeer.makeKey())
    defer { EVP_PKEY_free(key) }
    certificate = try #require(TLSPeer.makeCertificate(key))
    context = try #require(SSL_CTX_new(TLS_server_method()))
    _ = system_tls_set_greatest(context, version)
    SSL_CTX_use_certificate(context, certificate)
    SSL_CTX_use_PrivateKey(context, key)
    ssl = try #require(SSL_new(context))
    input = try #require(BIO_new(BIO_s_mem()))
    output = try #require(BIO_new(BIO_s_mem()))
    SSL_set_bio(ssl, input, output)
    SSL_set_accept_state(ssl)
  }

  deinit {
    SSL_free(ssl)
    SSL_CTX_free(context)
    X509_free(certificate)
    ERR_clear_error()
  }

  /// A client that trusts this peer, connected to it; its handshake is done if `seam` lets it.
  func client(_ seam: Seam = Seam()) throws -> TLSTransport {
    let client = try #require(TLSTransport.make())
    X509_STORE_add_cert(SSL_CTX_get_cert_store(OpaquePointer(client.context)), certificate)
    try Seam.with(seam) {
      #expect(client.begin(pair.near, host: "localhost") == .ok)
      for _ in 0..<20_000 {
        switch client.handshake() {
        case .done:
          exchange()
          return
        case .failed(let status): throw status
        case .wouldBlock: exchange()
        }
      }
      throw Unexpected.result
    }
    return client
  }

  /// Takes what has arrived, and sends what is due.
  func exchange() {
    fetch()
    _ = SSL_do_handshake(ssl)
    ERR_clear_error()
    deliver()
  }

  func send(_ bytes: [UInt8]) {
    #expect(SSL_write(ssl, bytes, Int32(bytes.count)) == bytes.count)
    deliver()
  }

  /// Octets that are no TLS of this connection.
  func sendPlain(_ bytes: [UInt8]) {
    var bytes = bytes
    bytes.withUnsafeMutableBytes { bytes in
      var piece = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
      #expect(Kernel().send(pair.far, &piece, 1) == bytes.count)
    }
  }

  /// What the client has sent since the last look; nil when it was not TLS of this connection.
  func received() -> [UInt8]? {
    fetch()
    var all: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 20_000)
    while true {
      let count = SSL_read(ssl, &room, Int32(room.count))
      let reason = count > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, count)
      ERR_clear_error()
      if count > 0 { all += room[..<Int(count)] } else { return reason == SSL_ERROR_SSL ? nil : all }
    }
  }

  var hasHeardGoodbye: Bool { system_tls_has_ended(ssl) == 1 }

  func sayGoodbye() {
    SSL_shutdown(ssl)
    deliver()
  }

  func askForNewKeys() {
    #expect(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
  }

  private func fetch() {
    var room = [UInt8](repeating: 0, count: 65_536)
    while case let count = recv(pair.far, &room, room.count, system_message_look), count > 0 {
      BIO_write(input, room, Int32(count))
    }
  }

  private func deliver() {
    var room = [UInt8](repeating: 0, count: 65_536)
    while case let count = BIO_read(output, &room, Int32(room.count)), count > 0 {
      room.withUnsafeMutableBytes { bytes in
        var piece = iovec(iov_base: bytes.baseAddress, iov_len: Int(count))
        #expect(Kernel().send(pair.far, &piece, 1) == Int(count))
      }
    }
  }

  private static func makeKey() -> OpaquePointer? {
    let maker = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil)
    defer { EVP_PKEY_CTX_free(maker) }
    var key: OpaquePointer?
    guard EVP_PKEY_keygen_init(maker) == 1, EVP_PKEY_keygen(maker, &key) == 1 else { return nil }
    return key
  }

  private static func makeCertificate(_ key: OpaquePointer) -> OpaquePointer? {
    guard let certificate = X509_new() else { return nil }
    X509_set_version(certificate, 2)
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1)
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60)
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600)
    X509_set_pubkey(certificate, key)
    let name = X509_get_subject_name(certificate)
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, "localhost", -1, -1, 0)
    X509_set_issuer_name(certificate, name)
    let names = X509V3_EXT_conf_nid(nil, nil, NID_subject_alt_name, "DNS:localhost")
    X509_add_ext(certificate, names, -1)
    X509_EXTENSION_free(names)
    return X509_sign(certificate, key, nil) > 0 ? certificate : nil
  }
}

/// A socket that takes and gives as little as it is told to.
final class Chopper: Seam, @unchecked Sendable {
  /// Octets that go out before the socket is full; nil: it never is.
  var room: Int?
  /// Octets in one call, each way.
  var slice = Int.max
  /// Once `room` is used up.
  var fault = EAGAIN
  private(set) var sends = 0

  override func send(_ descriptor: Int32, _ pieces: UnsafeMutablePointer<iovec>, _ count: Int) -> Int {
    sends += 1
    var piece = pieces[0]
    let size = min(piece.iov_len, slice, room ?? .max)
    if size == 0 { return -Int(fault) }
    piece.iov_len = size
    let sent = super.send(descriptor, &piece, 1)
    if sent > 0, let left = room { room = left - sent }
    return sent
  }

  override func receive(_ descriptor: Int32, _ room: UnsafeMutableRawBufferPointer) -> Int {
    super.receive(descriptor, UnsafeMutableRawBufferPointer(rebasing: room[..<min(room.count, slice)]))
  }
}

extension TLSTransport {
  func send(_ pieces: [[UInt8]]) -> IOResult {
    var copies = pieces.map { UnsafeMutableBufferPointer<UInt8>.allocate(capacity: $0.count).initialized(from: $0) }
    defer { copies.forEach { $0.deallocate() } }
    var vectors = copies.map { iovec(iov_base: $0.baseAddress, iov_len: $0.count) }
    defer { copies.removeAll() }
    return send(&vectors, count: vectors.count)
  }

  func receive(_ limit: Int = 65_536) -> (IOResult, [UInt8]) { take(limit) { receive(into: $0) } }
  func peek(_ limit: Int = 8192) -> (IOResult, [UInt8]) { take(limit) { peek(into: $0) } }

  func held(_ limit: Int = 65_536) -> [UInt8] { take(limit) { .bytes(receiveHeld(into: $0)) }.1 }

  private func take(_ limit: Int, _ call: (UnsafeMutableRawBufferPointer) -> IOResult) -> (IOResult, [UInt8]) {
    var room = [UInt8](repeating: 0, count: limit)
    let result = room.withUnsafeMutableBytes { call($0) }
    guard case .bytes(let count) = result else { return (result, []) }
    return (result, Array(room[..<count]))
  }
}

extension UnsafeMutableBufferPointer<UInt8> {
  fileprivate func initialized(from bytes: [UInt8]) -> Self {
    _ = update(fromContentsOf: bytes)
    return self
  }
}

func numbered(_ count: Int, from start: Int = 0) -> [UInt8] {
  (start..<start + count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
}

func isReadable(_ descriptor: Int32) -> Bool {
  Kernel().wait(descriptor, .read, until: soon(0)) == .ready(.read)
}
