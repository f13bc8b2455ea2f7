import AMQPBase
import AMQPEngine
import CMemory
public import CRabbitMQ

/// What a program may sleep when heartbeats do not matter: a day.
private let longestSleep: UInt64 = 86_400_000_000_000

@_cdecl("amqp_heartbeat_service") @implementation
public func amqp_heartbeat_service(_ state: amqp_connection_state_t!) -> Int32 {
  BlockingDriver(state)?.serviceNow().code ?? Status.invalidParameter.code
}

@_cdecl("amqp_heartbeat_next") @implementation
public func amqp_heartbeat_next(_ state: amqp_connection_state_t!, _ timeout: UnsafeMutablePointer<timeval>!) -> Int32 {
  guard let driver = BlockingDriver(state), let timeout else { return Status.invalidParameter.code }
  let microseconds = ((driver.sleepLimit() ?? longestSleep) &+ 999) / 1000
  timeout.pointee.tv_sec = .init(truncatingIfNeeded: microseconds / 1_000_000)
  timeout.pointee.tv_usec = .init(truncatingIfNeeded: microseconds % 1_000_000)
  return Status.ok.code
}

@_cdecl("amqp_heartbeat_background") @implementation
public func amqp_heartbeat_background(_ state: amqp_connection_state_t!, _ on: Int32) -> Int32 {
  guard let driver = BlockingDriver(state) else { return Status.invalidParameter.code }
  driver.connection.pointee.wantsKeeper = on != 0
  return driver.updateKeeper().code
}

@_cdecl("amqp_heartbeat_stats") @implementation
public func amqp_heartbeat_stats(
  _ state: amqp_connection_state_t!, _ stats: UnsafeMutablePointer<amqp_heartbeat_stats_t>!
) -> Int32 {
  guard let driver = BlockingDriver(state), let stats, stats.pointee.size >= firstStatsSize else {
    return Status.invalidParameter.code
  }
  var filled = driver.stats()
  filled.size = min(stats.pointee.size, MemoryLayout<amqp_heartbeat_stats_t>.size)
  memcpy(stats, &filled, filled.size)
  return Status.ok.code
}

/// Bytes of the first version of the struct, which is the only one so far.
private var firstStatsSize: Int { MemoryLayout<amqp_heartbeat_stats_t>.size }

@_cdecl("amqp_heartbeat_trace") @implementation
public func amqp_heartbeat_trace(
  _ state: amqp_connection_state_t!, _ callback: amqp_trace_callback!, _ context: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = BlockingDriver(state) else { return Status.invalidParameter.code }
  driver.setTrace(callback, context: context)
  return Status.ok.code
}
