// connection.update-secret: a new token before the old one expires. The broker answers in order.

import AMQPBase
import AMQPEngine
import AMQPTransport
import AMQPWire
import CMemory
import CRabbitMQ
import CSystem

/// The updates that have no answer yet, oldest first.
struct SecretQueue {
  typealias Link = UnsafeMutablePointer<PendingSecret>

  var first: Link?
  var last: Link?
}

struct PendingSecret {
  var next: SecretQueue.Link?
  /// NULL once the program knows.
  var done: amqp_event_connection_done?
  var context: UnsafeMutableRawPointer?
  var deadline: Deadline
}

extension EventDriver {
  func updateSecret(
    _ secret: amqp_bytes_t, reason: amqp_bytes_t, _ done: amqp_event_connection_done?,
    _ context: UnsafeMutableRawPointer?
  ) -> Status {
    let status = operationStatus
    guard status.isOK else { return status }
    guard let memory = malloc(MemoryLayout<PendingSecret>.stride) else { return .noMemory }
    var update = amqp_connection_update_secret_t(new_secret: secret, reason: reason)
    let sent = send(&update, channel: 0)
    guard sent.isOK else {
      free(memory)
      return sent == .badAMQPData ? .invalidParameter : sent
    }
    connection.pointee.queue.markSecret()
    let deadline = Deadline(milliseconds: connection.pointee.options.plain.rpcTimeout, from: Clock.now())
    let link = memory.bindMemory(to: PendingSecret.self, capacity: 1)
    link.initialize(to: PendingSecret(next: nil, done: done, context: context, deadline: deadline))
    if let last = connection.pointee.secrets.last {
      last.pointee.next = link
    } else {
      connection.pointee.secrets.first = link
    }
    connection.pointee.secrets.last = link
    wake(by: deadline)
    return .ok
  }

  func secretUpdated() -> Status {
    guard let link = takeSecret() else { return .unexpectedState }
    complete(link, nil)
    return .ok
  }

  /// Completes what has waited too long, and leaves it to swallow the late answer.
  func secretDeadlines(at now: Instant) -> Deadline {
    var link = connection.pointee.secrets.first
    while let current = link {
      link = current.pointee.next
      guard current.pointee.deadline.hasPassed(at: now) else { return current.pointee.deadline }
      current.pointee.deadline = .never
      tell(current, EventError(.timeout, canRetry: true))
      if connection.pointee.isDoomed { return .never }
    }
    return .never
  }

  func endSecrets(_ error: EventError) {
    while let link = takeSecret() { complete(link, error) }
  }

  private func takeSecret() -> SecretQueue.Link? {
    guard let link = connection.pointee.secrets.first else { return nil }
    connection.pointee.secrets.first = link.pointee.next
    if connection.pointee.secrets.first == nil { connection.pointee.secrets.last = nil }
    return link
  }

  private func complete(_ link: SecretQueue.Link, _ error: EventError?) {
    tell(link, error)
    free(link)
  }

  private func tell(_ link: SecretQueue.Link, _ error: EventError?) {
    guard let done = link.pointee.done else { return }
    let context = link.pointee.context
    link.pointee.done = nil
    EventError.with(error) { done(handle, $0, context) }
  }
}
