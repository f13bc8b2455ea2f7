// What the client says about itself in connection.start-ok. Programs and brokers' operators look for the product by name,
// so it is the name of the interface. The capabilities are no more than an interface handles: a broker sends frames by them
// that a program of the classic one would not expect.
public import AMQPBase
public import CRabbitMQ

public enum ClientProperties {
  /// Whose capabilities are said.
  public enum Interface: Sendable { case classic, event }

  /// The library's own properties with the user's over them, copied into `pool`: what is new is appended in the user's
  /// order, what has the name of one before replaces it in its place, and two tables of one name are put together by the
  /// same rules.
  public static func build(
    user: amqp_table_t, for interface: Interface = .classic, pool: UnsafeMutablePointer<amqp_pool_t>,
    into table: inout amqp_table_t
  ) -> Status {
    withUnsafeTemporaryAllocation(of: amqp_table_entry_t.self, capacity: 6) { capabilities in
      capabilities.initialize(repeating: amqp_table_entry_t())
      capabilities[0] = entry("authentication_failure_close", true)
      capabilities[1] = entry("exchange_exchange_bindings", true)
      capabilities[2] = entry("consumer_cancel_notify", true)
      capabilities[3] = entry("connection.blocked", true)
      capabilities[4] = entry("basic.nack", true)
      capabilities[5] = entry("publisher_confirms", true)
      return withUnsafeTemporaryAllocation(of: amqp_table_entry_t.self, capacity: 6) { own in
        own.initialize(repeating: amqp_table_entry_t())
        own[0] = entry("product", "rabbitmq-c")
        own[1] = entry("version", "0.16.0")
        own[2] = entry("platform", "Linux")
        own[3] = entry("copyright", "Copyright (c) the Pulse authors; MIT license")
        own[4] = entry("information", "Pulse, the rabbitmq-c interface on a Swift core")
        own[5].key = amqp_bytes_t("capabilities")
        own[5].value.kind = FieldKind.table
        own[5].value.value.table = amqp_table_t(
          num_entries: interface == .classic ? 2 : 6, entries: capabilities.baseAddress)
        var merged = amqp_table_t(num_entries: 6, entries: own.baseAddress)
        let status = merge(user, over: &merged, depth: 0, pool)
        return status.isOK ? FieldTable.clone(merged, into: &table, pool: pool) : status
      }
    }
  }

  /// Lists of entries are new, from `pool`; what they point at is not copied.
  private static func merge(
    _ additions: amqp_table_t, over table: inout amqp_table_t, depth: Int, _ pool: UnsafeMutablePointer<amqp_pool_t>
  ) -> Status {
    guard depth < Limit.fieldDepth, let old = FieldTable.entries(table), let new = FieldTable.entries(additions)
    else { return .invalidParameter }
    let capacity = old.count &+ new.count
    guard capacity > 0 else { return .ok }
    guard capacity <= Int(Int32.max) else { return .invalidParameter }
    guard let entries = pool.allocate(capacity, of: amqp_table_entry_t.self) else { return .noMemory }
    var count = old.count
    for index in 0..<count { (entries + index).initialize(to: old[index]) }
    for addition in new {
      guard let present = position(of: addition.key, entries, count) else {
        (entries + count).initialize(to: addition)
        count &+= 1
        continue
      }
      if entries[present].value.kind == FieldKind.table, addition.value.kind == FieldKind.table {
        let status = merge(
          addition.value.value.table, over: &entries[present].value.value.table, depth: depth &+ 1, pool)
        guard status.isOK else { return status }
      } else {
        entries[present].value = addition.value
      }
    }
    table = amqp_table_t(num_entries: Int32(truncatingIfNeeded: count), entries: entries)
    return .ok
  }

  private static func position(
    of key: amqp_bytes_t, _ entries: UnsafeMutablePointer<amqp_table_entry_t>, _ count: Int
  ) -> Int? {
    for index in 0..<count where entries[index].key.equals(key) { return index }
    return nil
  }

  private static func entry(_ key: StaticString, _ text: StaticString) -> amqp_table_entry_t {
    var entry = amqp_table_entry_t()
    entry.key = amqp_bytes_t(key)
    entry.value.kind = FieldKind.utf8
    entry.value.value.bytes = amqp_bytes_t(text)
    return entry
  }

  private static func entry(_ key: StaticString, _ value: Bool) -> amqp_table_entry_t {
    var entry = amqp_table_entry_t()
    entry.key = amqp_bytes_t(key)
    entry.value.kind = FieldKind.boolean
    entry.value.value.boolean = value ? 1 : 0
    return entry
  }
}
