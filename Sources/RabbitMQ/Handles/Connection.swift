import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

/// What `amqp_connection_state_t` points to: the owner of everything a connection has.
///
/// The send side and the receive side are disjoint, so that one thread may read while another publishes. Each belongs to the
/// call that has its turn. What both look at is in words of its own: the state, the times of the monitor.
struct Connection: ~Copyable {
  var socket: UnsafeMutablePointer<Socket>?
  let state = SharedState()
  let monitor = SharedMonitor()
  /// The program's wish for a keeper in the background; nil when it has said nothing.
  var wantsKeeper: Bool?
  var keeping = KeeperPlace()
  var trace = Trace()
  var tuning = Tuning.beforeTune
  var send = SendSide()
  var receive = ReceiveSide()
  var latestReply = amqp_rpc_reply_t()
  var handshakeTimeout = Timeout(seconds: 12)
  var rpcTimeout = Timeout()
  /// Holds the two tables below from login to login.
  var propertiesPool = amqp_pool_t()
  var serverProperties = amqp_table_t()
  var clientProperties = amqp_table_t()

  init() {}
}

struct SendSide: ~Copyable {
  var turn = Turn()
  var outbox = Outbox()
  /// Whether small messages are held until there is a reason to send them.
  var isCorked = false
  /// For a publisher that waits for room: the other loop may be in use by the thread that reads.
  var loop = EventLoop()
}

struct ReceiveSide: ~Copyable {
  var turn = Turn()
  var assembler = FrameAssembler()
  /// Whether the last look at the assembler found a part of a frame.
  var isMidFrame = false
  var forecast = Forecast()
  /// What the call that has the turn has read after its deadline.
  var overdueBytes = 0
  var queue = FrameQueue()
  var pools = ChannelPools()
  var loop = EventLoop()
  /// A message of which the content has not arrived whole.
  var content = ContentReader()
}

/// A timeout as the C API keeps it: the caller may look at the value through a pointer, NULL when there is none.
struct Timeout {
  private var value = timeval()
  private var isSet = false

  init() {}

  init(seconds: Int) {
    value.tv_sec = seconds
    isSet = true
  }

  /// False for a negative value, which changes nothing.
  mutating func set(_ timeout: UnsafePointer<timeval>?) -> Bool {
    guard let timeout else {
      isSet = false
      return true
    }
    guard Deadline.nanoseconds(seconds: timeout.pointee.tv_sec, microseconds: timeout.pointee.tv_usec) != nil else {
      return false
    }
    value = timeout.pointee
    isSet = true
    return true
  }

  func deadline(from now: Instant) -> Deadline {
    guard isSet else { return .never }
    return Deadline(seconds: value.tv_sec, microseconds: value.tv_usec, from: now) ?? .never
  }

  /// Borrowed: the timeout lies in its connection.
  static func pointer(to timeout: UnsafeMutablePointer<Timeout>) -> UnsafeMutablePointer<timeval>? {
    guard timeout.pointee.isSet else { return nil }
    return UnsafeMutableRawPointer(timeout).assumingMemoryBound(to: timeval.self)
  }
}

/// Bytes of a page in the pool of the properties.
private let propertiesPageSize = 512

extension Connection {
  typealias Handle = UnsafeMutablePointer<Connection>

  static func make() -> Handle? {
    guard let memory = malloc(MemoryLayout<Connection>.stride) else { return nil }
    let handle = memory.bindMemory(to: Connection.self, capacity: 1)
    handle.initialize(to: Connection())
    withUnsafeMutablePointer(to: &handle.pointee.propertiesPool) { $0.initialize(pageSize: propertiesPageSize) }
    handle.pointee.trace = Trace(to: Settings.current.trace)
    guard handle.pointee.send.turn.prepare(), handle.pointee.receive.turn.prepare() else { return abandon(handle) }
    return handle
  }

  /// Sends nothing and does not wait.
  static func destroy(_ handle: Handle) {
    HeartbeatKeeper.leave(handle)
    BlockingDriver(handle).traceDestruction()
    Socket.destroy(handle.pointee.socket)
    handle.pointee.receive.content.discard()
    withUnsafeMutablePointer(to: &handle.pointee.propertiesPool) { $0.empty() }
    handle.pointee.send.turn.dispose()
    handle.pointee.receive.turn.dispose()
    _ = abandon(handle)
  }

  private static func abandon(_ handle: Handle) -> Handle? {
    handle.deinitialize(count: 1)
    free(handle)
    return nil
  }
}
