// What the connections of one event_base share: the way in from other threads, and memory that is needed for a turn only.
//
// The base is the program's, and belongs to its thread. It may not be touched from another one (a program need not have told
// libevent about threads), so other threads leave their posts in a list here and wake the loop by an eventfd. A hub is made
// with the first connection of a base and goes with the last.

import AMQPBase
import AMQPTransport
import CMemory
import CRabbitMQ
import CSystem

/// Octets that are read at once.
private let inboundCapacity = 131_072 &+ 16_384
/// Pieces for one sendmsg.
private let pieceLimit = 64

struct EventHub: ~Copyable {
  typealias Handle = UnsafeMutablePointer<EventHub>

  let base: OpaquePointer
  fileprivate var next: Handle?
  fileprivate var connections = 0
  /// Connections that are not at their end. While there is none, the hub does not keep the loop running.
  fileprivate var lively = 0
  fileprivate let wakeup: Int32
  fileprivate var event: OpaquePointer?
  fileprivate var turn = Turn()
  fileprivate var firstPost: Post.Link?
  fileprivate var lastPost: Post.Link?
  var spares = SpareBlocks()
  /// All connections read into this, one after another.
  let inbound: UnsafeMutableRawBufferPointer
  let pieces: UnsafeMutableBufferPointer<iovec>
}

/// Something that another thread leaves for the loop's thread: the first field of whatever carries it.
struct Post {
  typealias Link = UnsafeMutablePointer<Post>
  typealias Work = @convention(c) (UnsafeMutableRawPointer) -> Void

  fileprivate var next: Link?
  fileprivate var isQueued = false
  let connection: EventConnection.Handle
  /// Gets the post and frees it.
  let work: Work

  init(for connection: EventConnection.Handle, _ work: @escaping Work) {
    self.connection = connection
    self.work = work
  }
}

/// As `hubs` in hubs.c.
private struct HubList {
  var turn: pthread_mutex_t
  var first: EventHub.Handle?
}

@_silgen_name("pulse_hubs")
private func pulse_hubs() -> UnsafeMutableRawPointer

extension EventHub {
  // MARK: Life

  /// The hub of a base, for one connection more; nil without memory or descriptor.
  static func join(_ base: OpaquePointer) -> Handle? {
    let list = pulse_hubs().assumingMemoryBound(to: HubList.self)
    pthread_mutex_lock(&list.pointee.turn)
    defer { pthread_mutex_unlock(&list.pointee.turn) }
    var hub = list.pointee.first
    while let current = hub, current.pointee.base != base { hub = current.pointee.next }
    if hub == nil, let made = make(base) {
      made.pointee.next = list.pointee.first
      list.pointee.first = made
      hub = made
    }
    hub?.pointee.connections &+= 1
    return hub
  }

  static func leave(_ hub: Handle) {
    let list = pulse_hubs().assumingMemoryBound(to: HubList.self)
    pthread_mutex_lock(&list.pointee.turn)
    hub.pointee.connections &-= 1
    let isLast = hub.pointee.connections == 0
    if isLast {
      if list.pointee.first == hub {
        list.pointee.first = hub.pointee.next
      } else {
        var before = list.pointee.first
        while let current = before, current.pointee.next != hub { before = current.pointee.next }
        before?.pointee.next = hub.pointee.next
      }
    }
    pthread_mutex_unlock(&list.pointee.turn)
    if isLast { destroy(hub) }
  }

  private static func make(_ base: OpaquePointer) -> Handle? {
    let piecesSize = pieceLimit &* MemoryLayout<iovec>.stride
    let hubSize = MemoryLayout<EventHub>.stride
    guard let memory = malloc(hubSize &+ piecesSize &+ inboundCapacity) else { return nil }
    let wakeup = Wakeup.open()
    guard wakeup >= 0 else {
      free(memory)
      return nil
    }
    let hub = memory.bindMemory(to: EventHub.self, capacity: 1)
    let pieces = (memory + hubSize).bindMemory(to: iovec.self, capacity: pieceLimit)
    hub.initialize(
      to: EventHub(
        base: base, wakeup: wakeup,
        inbound: UnsafeMutableRawBufferPointer(start: memory + (hubSize &+ piecesSize), count: inboundCapacity),
        pieces: UnsafeMutableBufferPointer(start: pieces, count: pieceLimit)))
    let isReady = hub.pointee.turn.prepare()
    hub.pointee.event = event_new(
      base, wakeup, Int16(EV_READ) | Int16(EV_PERSIST), { _, _, hub in EventHub.woken(hub) }, hub)
    guard isReady, hub.pointee.event != nil else {
      destroy(hub)
      return nil
    }
    return hub
  }

  private static func destroy(_ hub: Handle) {
    if let event = hub.pointee.event { event_free(event) }
    Wakeup.close(hub.pointee.wakeup)
    hub.pointee.turn.dispose()
    hub.deinitialize(count: 1)
    free(hub)
  }

  /// A connection has begun to live. False when libevent has no memory.
  static func enliven(_ hub: Handle) -> Bool {
    if hub.pointee.lively == 0, event_add(hub.pointee.event, nil) != 0 { return false }
    hub.pointee.lively &+= 1
    return true
  }

  /// A connection that had begun to live has come to its end.
  static func rest(_ hub: Handle) {
    hub.pointee.lively &-= 1
    if hub.pointee.lively == 0 { event_del(hub.pointee.event) }
  }

  // MARK: Posts

  /// From any thread. False when the connection is being freed: the post is still the caller's.
  static func post(_ post: Post.Link, to hub: Handle) -> Bool {
    guard hub.pointee.turn.take(until: .never) else { return false }
    defer { hub.pointee.turn.give() }
    guard !post.pointee.connection.pointee.isDoomed else { return false }
    guard !post.pointee.isQueued else { return true }
    post.pointee.isQueued = true
    post.pointee.next = nil
    if let last = hub.pointee.lastPost {
      last.pointee.next = post
    } else {
      hub.pointee.firstPost = post
      Wakeup.wake(hub.pointee.wakeup)
    }
    hub.pointee.lastPost = post
    return true
  }

  /// A lookup of the connection's has ended; on the thread of the lookup, which is held meanwhile. The post of one that was
  /// given up may still be on its way, and serves as well.
  static func lookupEnded(_ connection: EventConnection.Handle) {
    let post = withUnsafeMutablePointer(to: &connection.pointee.lookupPost) { $0 }
    _ = EventHub.post(post, to: connection.pointee.hub)
  }

  /// From here on the connection takes no posts.
  static func doom(_ connection: EventConnection.Handle, in hub: Handle) {
    guard hub.pointee.turn.take(until: .never) else { return }
    connection.pointee.isDoomed = true
    hub.pointee.turn.give()
  }

  /// Runs what was posted to one connection so far.
  static func settle(_ connection: EventConnection.Handle, in hub: Handle) {
    guard let last = latestPost(of: connection, in: hub) else { return }
    while let post = takePost(from: hub, of: connection) {
      let isLast = post == last
      post.pointee.work(post)
      if isLast { return }
    }
  }

  private static func latestPost(of connection: EventConnection.Handle, in hub: Handle) -> Post.Link? {
    guard hub.pointee.turn.take(until: .never) else { return nil }
    defer { hub.pointee.turn.give() }
    var (latest, next): (Post.Link?, Post.Link?) = (nil, hub.pointee.firstPost)
    while let post = next {
      if post.pointee.connection == connection { latest = post }
      next = post.pointee.next
    }
    return latest
  }

  private static func woken(_ argument: UnsafeMutableRawPointer?) {
    guard let hub = argument?.assumingMemoryBound(to: EventHub.self) else { return }
    Wakeup.clear(hub.pointee.wakeup)
    // What is posted by the work itself waits for the next turn: the loop has others to serve.
    guard hub.pointee.turn.take(until: .never) else { return }
    let last = hub.pointee.lastPost
    hub.pointee.turn.give()
    while let post = takePost(from: hub) {
      let isLast = post == last
      // The hub stays: a connection goes in a turn of its own.
      post.pointee.work(post)
      if isLast { break }
    }
    guard hub.pointee.turn.take(until: .never) else { return }
    if hub.pointee.firstPost != nil { Wakeup.wake(hub.pointee.wakeup) }
    hub.pointee.turn.give()
  }

  /// The oldest post, or the oldest of one connection, taken out.
  private static func takePost(from hub: Handle, of connection: EventConnection.Handle? = nil) -> Post.Link? {
    guard hub.pointee.turn.take(until: .never) else { return nil }
    defer { hub.pointee.turn.give() }
    var before: Post.Link?
    var post = hub.pointee.firstPost
    while let current = post, let connection, current.pointee.connection != connection {
      before = current
      post = current.pointee.next
    }
    guard let found = post else { return nil }
    if let before { before.pointee.next = found.pointee.next } else { hub.pointee.firstPost = found.pointee.next }
    if hub.pointee.lastPost == found { hub.pointee.lastPost = before }
    found.pointee.isQueued = false
    return found
  }
}
