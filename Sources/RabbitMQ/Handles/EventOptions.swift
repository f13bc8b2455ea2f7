import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

/// A C string that its owner frees.
typealias OwnedText = UnsafeMutablePointer<CChar>?

/// One of the hosts to try.
struct EventHost {
  var name: OwnedText
  /// 0: the usual one.
  var port: Int32
}

struct EventProperty {
  var name: OwnedText
  var value: OwnedText
}

/// What `amqp_event_options_t *` points to. A connection has a copy of its own.
struct EventOptions: ~Copyable {
  typealias Handle = UnsafeMutablePointer<EventOptions>

  /// None: this machine.
  var hosts = OwnedList<EventHost>()
  var properties = OwnedList<EventProperty>()
  var vhost: OwnedText = nil
  var user: OwnedText = nil
  var password: OwnedText = nil
  /// Of EXTERNAL; with PLAIN it is not used.
  var identity: OwnedText = nil
  var connectionName: OwnedText = nil
  var authorities: OwnedText = nil
  var certificate: OwnedText = nil
  var key: OwnedText = nil
  /// `SSL_CTX *` of the program, with a reference of ours.
  var tlsContext: OpaquePointer?
  var plain = Plain()

  /// What owns no memory.
  struct Plain {
    var mechanism = AMQP_SASL_METHOD_PLAIN
    var credentials: amqp_event_credentials_callback?
    var credentialsContext: UnsafeMutableRawPointer?
    var wanted = Tuning(channelMax: UInt16(2047), frameMax: UInt32(131_072), heartbeat: UInt16(0))

    var isSecure = false
    var verifiesPeer = true
    var verifiesHost = true

    // Milliseconds; 0: no limit.
    var connectTimeout: Int32 = 10_000
    var handshakeTimeout: Int32 = 10_000
    var rpcTimeout: Int32 = 60_000
    var closeTimeout: Int32 = 5_000
    var blockedTimeout: Int32 = 0
    var confirmTimeout: Int32 = 0
    /// Seconds; 0: off.
    var keepalive: Int32 = 0

    // Milliseconds, percent, rounds.
    var firstWait: Int32 = 500
    var longestWait: Int32 = 30_000
    var jitter: Int32 = 30
    var attempts: Int32 = 0
    var recovery = AMQP_EVENT_RECOVERY_TOPOLOGY

    // Octets.
    var highWater = 1 << 20
    var lowWater = 256 << 10
    var mostWaiting = 16 << 20
    var bodyMax: UInt64 = 128 << 20

    var trace: amqp_event_trace_callback?
    var traceContext: UnsafeMutableRawPointer?
  }

  init() {}
}

/// A list that grows one by one and is short. Its elements are freed by who knows what they hold.
struct OwnedList<Element: BitwiseCopyable>: ~Copyable {
  private var elements: UnsafeMutablePointer<Element>?
  private(set) var count = 0

  init() {}

  deinit { free(elements) }

  /// False without memory.
  mutating func append(_ element: Element) -> Bool {
    let (size, overflow) = (count &+ 1).multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    guard !overflow, let memory = realloc(elements, size) else { return false }
    let grown = memory.bindMemory(to: Element.self, capacity: count &+ 1)
    (grown + count).initialize(to: element)
    elements = grown
    count &+= 1
    return true
  }

  func element(at index: Int) -> UnsafeMutablePointer<Element>? {
    guard index >= 0, index < count, let elements else { return nil }
    return elements + index
  }

  mutating func removeAll() { count = 0 }
}

extension EventOptions {
  static var guest: UnsafePointer<CChar> {
    let text: StaticString = "guest"
    return UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
  }

  // MARK: Memory

  static func make() -> Handle? {
    guard let memory = malloc(MemoryLayout<EventOptions>.stride) else { return nil }
    let options = memory.bindMemory(to: EventOptions.self, capacity: 1)
    options.initialize(to: EventOptions())
    return options
  }

  static func destroy(_ options: Handle) {
    options.pointee.release()
    options.deinitialize(count: 1)
    free(options)
  }

  /// Replaces a text by a copy of another; false without memory, and nothing has changed.
  static func set(_ text: inout OwnedText, to new: UnsafePointer<CChar>?) -> Bool {
    var copy: OwnedText = nil
    if let new {
      copy = strdup(new)
      guard copy != nil else { return false }
    }
    release(&text)
    text = copy
    return true
  }

  /// Any of them may be a secret.
  private static func release(_ text: inout OwnedText) {
    guard let octets = text else { return }
    OPENSSL_cleanse(octets, strlen(octets))
    free(octets)
    text = nil
  }

  /// Frees what it owns, and has it no more.
  mutating func release() {
    removeHosts()
    for index in 0..<properties.count {
      guard let property = properties.element(at: index) else { continue }
      free(property.pointee.name)
      free(property.pointee.value)
    }
    properties.removeAll()
    EventOptions.release(&vhost)
    EventOptions.release(&user)
    EventOptions.release(&password)
    EventOptions.release(&identity)
    EventOptions.release(&connectionName)
    EventOptions.release(&authorities)
    EventOptions.release(&certificate)
    EventOptions.release(&key)
    SSL_CTX_free(tlsContext)
    tlsContext = nil
  }

  mutating func removeHosts() {
    for index in 0..<hosts.count { free(hosts.element(at: index)?.pointee.name) }
    hosts.removeAll()
  }

  mutating func addHost(_ name: UnsafePointer<CChar>, port: Int32) -> Bool {
    guard let copy = strdup(name) else { return false }
    if hosts.append(EventHost(name: copy, port: port)) { return true }
    free(copy)
    return false
  }

  mutating func addProperty(_ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>) -> Bool {
    guard let name = strdup(name) else { return false }
    if let value = strdup(value) {
      if properties.append(EventProperty(name: name, value: value)) { return true }
      free(value)
    }
    free(name)
    return false
  }

  /// A copy of everything into `copy`, which is new; false without memory.
  func copy(into copy: inout EventOptions) -> Bool {
    for index in 0..<hosts.count {
      guard let host = hosts.element(at: index)?.pointee, let name = host.name, copy.addHost(name, port: host.port)
      else { return false }
    }
    for index in 0..<properties.count {
      guard let property = properties.element(at: index)?.pointee, let name = property.name, let value = property.value,
        copy.addProperty(name, value)
      else { return false }
    }
    guard EventOptions.set(&copy.vhost, to: vhost), EventOptions.set(&copy.user, to: user),
      EventOptions.set(&copy.password, to: password), EventOptions.set(&copy.identity, to: identity),
      EventOptions.set(&copy.connectionName, to: connectionName), EventOptions.set(&copy.authorities, to: authorities),
      EventOptions.set(&copy.certificate, to: certificate), EventOptions.set(&copy.key, to: key)
    else { return false }
    if let tlsContext, SSL_CTX_up_ref(tlsContext) == 1 { copy.tlsContext = tlsContext }
    copy.plain = plain
    return true
  }

  // MARK: Setting

  /// All that an URL says, or nothing of it.
  mutating func set(url: UnsafePointer<CChar>) -> Status {
    guard let text = strdup(url) else { return .noMemory }
    defer {
      OPENSSL_cleanse(text, strlen(url))
      free(text)
    }
    var parts = amqp_connection_info()
    let status = ConnectionURL.parse(text, into: &parts)
    guard status.isOK else { return status }
    guard let name = parts.host, let user = parts.user, let password = parts.password, let vhost = parts.vhost,
      strlen(vhost) <= 255
    else { return .badURL }
    var list = OwnedList<EventHost>()
    guard let host = strdup(name), list.append(EventHost(name: host, port: parts.port)),
      EventOptions.set(&self.vhost, to: vhost)
    else { return .noMemory }
    let login = setLogin(user, password)
    guard login.isOK else {
      free(host)
      return login
    }
    removeHosts()
    hosts = list
    plain.isSecure = parts.ssl != 0
    return .ok
  }

  mutating func setLogin(_ user: UnsafePointer<CChar>, _ password: UnsafePointer<CChar>) -> Status {
    var copy: OwnedText = nil
    guard EventOptions.set(&copy, to: password) else { return .noMemory }
    guard EventOptions.set(&self.user, to: user) else {
      EventOptions.release(&copy)
      return .noMemory
    }
    EventOptions.release(&self.password)
    self.password = copy
    plain.mechanism = AMQP_SASL_METHOD_PLAIN
    return .ok
  }

  mutating func setTLS(
    authorities: UnsafePointer<CChar>?, certificate: UnsafePointer<CChar>?, key: UnsafePointer<CChar>?
  ) -> Status {
    guard EventOptions.set(&self.authorities, to: authorities), EventOptions.set(&self.certificate, to: certificate),
      EventOptions.set(&self.key, to: key)
    else { return .noMemory }
    return setTLS(context: nil, isSecure: true)
  }

  /// nil: TLS is not used.
  mutating func setTLS(context: OpaquePointer?) -> Status { setTLS(context: context, isSecure: context != nil) }

  private mutating func setTLS(context: OpaquePointer?, isSecure: Bool) -> Status {
    if let context, SSL_CTX_up_ref(context) != 1 { return .sslError }
    SSL_CTX_free(tlsContext)
    tlsContext = context
    plain.isSecure = isSecure
    return .ok
  }

  // MARK: For the connection

  /// What the program sets in the client properties, in `pool`; nil without memory.
  func clientProperties(_ pool: UnsafeMutablePointer<amqp_pool_t>) -> amqp_table_t? {
    let size = (properties.count &+ 1) &* MemoryLayout<amqp_table_entry_t>.stride
    guard let memory = pool.allocate(size) else { return nil }
    let entries = memory.bindMemory(to: amqp_table_entry_t.self, capacity: properties.count &+ 1)
    var count = 0
    for index in 0..<properties.count {
      guard let property = properties.element(at: index)?.pointee else { continue }
      (entries + count).initialize(to: EventOptions.entry(property.name, property.value))
      count &+= 1
    }
    if connectionName != nil {
      let key: StaticString = "connection_name"
      (entries + count).initialize(to: EventOptions.entry(nil, connectionName))
      entries[count].key = amqp_bytes_t(key)
      count &+= 1
    }
    return amqp_table_t(num_entries: Int32(truncatingIfNeeded: count), entries: entries)
  }

  private static func entry(_ name: OwnedText, _ value: OwnedText) -> amqp_table_entry_t {
    var entry = amqp_table_entry_t()
    entry.key = amqp_bytes_t(UnsafeRawBufferPointer(cString: name))
    entry.value.kind = UInt8(truncatingIfNeeded: AMQP_FIELD_KIND_UTF8.rawValue)
    entry.value.value.bytes = amqp_bytes_t(UnsafeRawBufferPointer(cString: value))
    return entry
  }

  /// Nil where the files cannot be used.
  func makeTLS() -> TLSTransport? {
    guard let tls = tlsContext.map({ TLSTransport.make(sharing: $0) }) ?? TLSTransport.make() else { return nil }
    tls.setVerifiesPeer(plain.verifiesPeer)
    tls.setVerifiesHost(plain.verifiesHost)
    var status = Status.ok
    if tlsContext == nil {
      status = authorities.map { tls.trust(file: $0) } ?? tls.trustSystem()
      if status.isOK, let certificate, let key { status = tls.setKey(certificate: certificate, file: key) }
    }
    if status.isOK { return tls }
    tls.destroy()
    return nil
  }
}

extension EventConnectionState.Settings {
  init(_ options: borrowing EventOptions) {
    let recovery: EventConnectionState.Recovery =
      switch options.plain.recovery {
      case AMQP_EVENT_RECOVERY_NONE: .none
      case AMQP_EVENT_RECOVERY_CONNECTION: .connection
      default: .topology
      }
    self.init(
      hostCount: options.hosts.count, isSecure: options.plain.isSecure, recovery: recovery,
      connectNanoseconds: UInt64(limitMilliseconds: options.plain.connectTimeout),
      handshakeNanoseconds: UInt64(limitMilliseconds: options.plain.handshakeTimeout),
      closeNanoseconds: UInt64(limitMilliseconds: options.plain.closeTimeout))
  }
}

extension Backoff {
  init(_ options: EventOptions.Plain) {
    self.init(
      firstNanoseconds: UInt64(max(options.firstWait, 0)) &* 1_000_000,
      longestNanoseconds: UInt64(max(options.longestWait, 0)) &* 1_000_000,
      jitterPercent: UInt8(truncatingIfNeeded: options.jitter), attemptLimit: UInt32(max(options.attempts, 0)))
  }
}

extension UInt64 {
  /// Nanoseconds of a limit in milliseconds; 0: no limit.
  fileprivate init(limitMilliseconds: Int32) {
    self = limitMilliseconds > 0 ? UInt64(limitMilliseconds) &* 1_000_000 : .max
  }
}
