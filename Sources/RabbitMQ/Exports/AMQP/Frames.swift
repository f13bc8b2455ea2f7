import AMQPBase
import AMQPWire
public import CRabbitMQ

@_cdecl("amqp_handle_input") @implementation
public func amqp_handle_input(
  _ state: amqp_connection_state_t!, _ received_data: amqp_bytes_t, _ decoded_frame: UnsafeMutablePointer<amqp_frame_t>!
) -> Int32 {
  guard let driver = BlockingDriver(state), let decoded_frame, let data = received_data.readable else {
    return Status.invalidParameter.code
  }
  var taken = 0
  let status = driver.handleInput(data, taken: &taken, into: &decoded_frame.pointee)
  // What was taken before memory ran out must not come again; the next call will say so.
  return status.isOK || status == .noMemory && taken > 0 ? Int32(truncatingIfNeeded: taken) : status.code
}

@_cdecl("amqp_send_frame") @implementation
public func amqp_send_frame(_ state: amqp_connection_state_t!, _ frame: UnsafePointer<amqp_frame_t>!) -> Int32 {
  guard let driver = BlockingDriver(state), let frame else { return Status.invalidParameter.code }
  return driver.sendFrame(frame).code
}

@_cdecl("amqp_send_header") @implementation
public func amqp_send_header(_ state: amqp_connection_state_t!) -> Int32 {
  guard let driver = BlockingDriver(state) else { return Status.invalidParameter.code }
  return driver.sendProtocolHeader().code
}

@_cdecl("amqp_send_method") @implementation
public func amqp_send_method(
  _ state: amqp_connection_state_t!, _ channel: amqp_channel_t, _ id: amqp_method_number_t,
  _ decoded: UnsafeMutableRawPointer!
) -> Int32 {
  guard let driver = BlockingDriver(state) else { return Status.invalidParameter.code }
  return driver.sendMethod(id, decoded, channel: channel).code
}

@_cdecl("amqp_frames_enqueued") @implementation
public func amqp_frames_enqueued(_ state: amqp_connection_state_t!) -> amqp_boolean_t {
  guard let driver = BlockingDriver(state) else { return 0 }
  return driver.hasQueuedFrames ? 1 : 0
}

@_cdecl("amqp_data_in_buffer") @implementation
public func amqp_data_in_buffer(_ state: amqp_connection_state_t!) -> amqp_boolean_t {
  guard let driver = BlockingDriver(state) else { return 0 }
  return driver.hasBufferedData ? 1 : 0
}

@_cdecl("amqp_simple_wait_frame") @implementation
public func amqp_simple_wait_frame(
  _ state: amqp_connection_state_t!, _ decoded_frame: UnsafeMutablePointer<amqp_frame_t>!
) -> Int32 {
  guard let driver = BlockingDriver(state), let decoded_frame else { return Status.invalidParameter.code }
  return driver.waitFrame(into: &decoded_frame.pointee, timeout: nil).code
}

@_cdecl("amqp_simple_wait_frame_noblock") @implementation
public func amqp_simple_wait_frame_noblock(
  _ state: amqp_connection_state_t!, _ decoded_frame: UnsafeMutablePointer<amqp_frame_t>!, _ tv: UnsafePointer<timeval>!
) -> Int32 {
  guard let driver = BlockingDriver(state), let decoded_frame else { return Status.invalidParameter.code }
  return driver.waitFrame(into: &decoded_frame.pointee, timeout: tv).code
}

@_cdecl("amqp_simple_wait_method") @implementation
public func amqp_simple_wait_method(
  _ state: amqp_connection_state_t!, _ expected_channel: amqp_channel_t, _ expected_method: amqp_method_number_t,
  _ output: UnsafeMutablePointer<amqp_method_t>!
) -> Int32 {
  guard let driver = BlockingDriver(state), let output else { return Status.invalidParameter.code }
  return driver.waitMethod(expected_method, channel: expected_channel, until: .never, into: &output.pointee).code
}
