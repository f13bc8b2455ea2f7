import CRabbitMQ
import Testing

@testable import AMQPEngine

private let declareOk = UInt32(AMQP_QUEUE_DECLARE_OK_METHOD)
private let getOk = UInt32(AMQP_BASIC_GET_OK_METHOD)
private let getEmpty = UInt32(AMQP_BASIC_GET_EMPTY_METHOD)
private let channelClose = UInt32(AMQP_CHANNEL_CLOSE_METHOD)
private let connectionClose = UInt32(AMQP_CONNECTION_CLOSE_METHOD)

private func match(
  _ method: UInt32, on channel: UInt16, awaitedOn awaited: UInt16 = 3, expecting list: [UInt32]? = [declareOk],
  type: Int32 = AMQP_FRAME_METHOD
) -> ReplyMatch {
  func ask(_ expected: UnsafePointer<UInt32>?) -> ReplyMatch {
    ReplyMatch(awaitedOn: awaited, expected: expected, frameType: UInt8(type), channel: channel, method: method)
  }
  guard let list else { return ask(nil) }
  return (list + [0]).withUnsafeBufferPointer { ask($0.baseAddress) }
}

@Suite struct ReplyMatchTests {
  @Test func theReplyOnItsChannel() {
    #expect(match(declareOk, on: 3) == .reply)
    #expect(match(declareOk, on: 4) == .unrelated)
    #expect(match(declareOk, on: 0) == .unrelated)
    #expect(match(getOk, on: 3) == .unrelated)
  }

  @Test func anyOfSeveralReplies() {
    for method in [getOk, getEmpty] { #expect(match(method, on: 3, expecting: [getOk, getEmpty]) == .reply) }
    #expect(match(declareOk, on: 3, expecting: [getOk, getEmpty]) == .unrelated)
  }

  @Test func aLongListIsReadToItsEndAndNoFurther() {
    let long = (1...10_000).map { UInt32($0) }
    #expect(match(10_000, on: 3, expecting: long) == .reply)
    #expect(match(10_001, on: 3, expecting: long) == .unrelated)
    #expect(match(declareOk, on: 3, expecting: [getOk, 0, declareOk]) == .unrelated, "0 ends the list")
  }

  @Test func anEmptyListAndNoListExpectNothing() {
    for list in [nil, []] as [[UInt32]?] {
      #expect(match(declareOk, on: 3, expecting: list) == .unrelated)
      #expect(match(0, on: 3, expecting: list) == .unrelated)
      #expect(match(channelClose, on: 3, expecting: list) == .channelClose)
      #expect(match(connectionClose, on: 0, expecting: list) == .connectionClose)
    }
    #expect(match(0, on: 3) == .unrelated)
  }

  @Test func aCloseOfTheChannelAwaited() {
    #expect(match(channelClose, on: 3) == .channelClose)
    #expect(match(channelClose, on: 4) == .unrelated)
    #expect(match(channelClose, on: 0) == .unrelated)
  }

  @Test func aCloseOfTheConnectionEndsEveryWait() {
    for awaited in [0, 1, 3, .max] as [UInt16] {
      #expect(match(connectionClose, on: 0, awaitedOn: awaited) == .connectionClose)
    }
    #expect(match(connectionClose, on: 3) == .unrelated, "only channel 0 speaks for the connection")
  }

  @Test func aCloseThatIsAwaitedIsTheReply() {
    #expect(match(channelClose, on: 3, expecting: [channelClose]) == .reply)
    #expect(match(connectionClose, on: 0, awaitedOn: 0, expecting: [connectionClose]) == .reply)
    #expect(match(connectionClose, on: 0, expecting: [connectionClose]) == .connectionClose)
  }

  @Test func aReplyOnChannelZero() {
    let closeOk = UInt32(AMQP_CONNECTION_CLOSE_OK_METHOD)
    #expect(match(closeOk, on: 0, awaitedOn: 0, expecting: [closeOk]) == .reply)
    #expect(match(closeOk, on: 1, awaitedOn: 0, expecting: [closeOk]) == .unrelated)
  }

  @Test func frameOfOtherKindsNeverMatch() {
    for type in Int32(0)...255 where type != AMQP_FRAME_METHOD {
      #expect(match(declareOk, on: 3, type: type) == .unrelated)
      #expect(match(channelClose, on: 3, type: type) == .unrelated)
      #expect(match(connectionClose, on: 0, type: type) == .unrelated)
    }
  }
}
