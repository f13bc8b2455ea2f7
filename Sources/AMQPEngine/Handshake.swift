// The login, from the moment when the protocol header is on its way until connection.open-ok.
//
//   awaitingStart ── start ──> awaitingTune ── tune ──> awaitingOpenOk ── open-ok ──> open
//        └────────────────────────┴────────────────────────┴── anything else ──> failed
//
// Until tune the server has nothing else to say, so any other method is its fault. Then it may have: what comes before
// open-ok and is no part of the login is kept for later, as in any wait for a reply.

public import AMQPBase

public struct Handshake: Sendable {
  public enum State: Equatable, Sendable {
    case awaitingStart
    case awaitingTune
    case awaitingOpenOk(Tuning)
    case open(Tuning)
    case failed(Status)
  }

  public enum Event: Equatable, Sendable {
    case start(major: UInt8, minor: UInt8, mechanismOffered: Bool)
    case secure
    case tune(Tuning)
    case openOk
    case connectionClose
    /// Eight bytes instead of a frame: the server names the version that it would have spoken.
    case protocolHeader
    /// Any other frame but a heartbeat.
    case otherFrame
    /// The connection ended or the time is up: what the caller shall hear.
    case ended(Status)
  }

  public enum Action: Equatable, Sendable {
    case sendStartOk
    case sendTuneOkThenOpen(Tuning)
    case opened(Tuning)
    case keepForLater
    /// The connection.close that came says why. The descriptor stays open, as it does after any connection.close.
    case serverRefused
    /// Close the descriptor and report this.
    case fail(Status)
  }

  public enum Negotiation: Equatable, Sendable { case classic, event }

  public private(set) var state: State
  private let wanted: Tuning
  private let negotiation: Negotiation

  public init(wanted: Tuning, negotiation: Negotiation) {
    state = .awaitingStart
    self.wanted = wanted
    self.negotiation = negotiation
  }

  public mutating func receive(_ event: Event) -> Action {
    switch (state, event) {
    case (.awaitingStart, .start(let major, let minor, let mechanismOffered)):
      return started(major: major, minor: minor, mechanismOffered: mechanismOffered)
    case (.awaitingStart, .protocolHeader):
      return fail(.incompatibleAMQPVersion)
    // A close before start is answered like any other method there: existing programs know it so.
    case (.awaitingStart, .secure), (.awaitingStart, .tune), (.awaitingStart, .openOk),
      (.awaitingStart, .connectionClose), (.awaitingStart, .otherFrame):
      return fail(.wrongMethod)

    case (.awaitingTune, .tune(let offer)):
      return tuned(offer)
    case (.awaitingTune, .connectionClose):
      return refused()
    case (.awaitingTune, .start), (.awaitingTune, .secure), (.awaitingTune, .openOk), (.awaitingTune, .otherFrame):
      return fail(.wrongMethod)

    case (.awaitingOpenOk(let agreed), .openOk):
      state = .open(agreed)
      return .opened(agreed)
    case (.awaitingOpenOk, .connectionClose):
      return refused()
    case (.awaitingOpenOk, .otherFrame):
      return .keepForLater
    case (.awaitingOpenOk, .start), (.awaitingOpenOk, .secure), (.awaitingOpenOk, .tune):
      return fail(.wrongMethod)

    // A header can only be the first thing that a server says; later these eight bytes are a broken frame.
    case (.awaitingTune, .protocolHeader), (.awaitingOpenOk, .protocolHeader):
      return fail(.badAMQPData)
    case (.awaitingStart, .ended(let status)), (.awaitingTune, .ended(let status)),
      (.awaitingOpenOk, .ended(let status)):
      return fail(status)

    // The login is over: what comes now is for others to judge.
    case (.open, .start), (.open, .secure), (.open, .tune), (.open, .openOk), (.open, .connectionClose),
      (.open, .protocolHeader), (.open, .otherFrame):
      return .keepForLater
    case (.open, .ended(let status)):
      return fail(status)

    case (.failed(let status), .start), (.failed(let status), .secure), (.failed(let status), .tune),
      (.failed(let status), .openOk), (.failed(let status), .connectionClose), (.failed(let status), .protocolHeader),
      (.failed(let status), .otherFrame), (.failed(let status), .ended):
      return .fail(status)
    }
  }

  private mutating func started(major: UInt8, minor: UInt8, mechanismOffered: Bool) -> Action {
    guard major == 0, minor == 9 else { return fail(.incompatibleAMQPVersion) }
    guard mechanismOffered else { return fail(.brokerUnsupportedSASLMethod) }
    state = .awaitingTune
    return .sendStartOk
  }

  private mutating func tuned(_ offer: Tuning) -> Action {
    let agreed: Tuning
    switch negotiation {
    case .classic: agreed = .classic(client: wanted, server: offer)
    case .event: agreed = .event(client: wanted, server: offer)
    }
    state = .awaitingOpenOk(agreed)
    return .sendTuneOkThenOpen(agreed)
  }

  private mutating func refused() -> Action {
    state = .failed(.connectionClosed)
    return .serverRefused
  }

  private mutating func fail(_ status: Status) -> Action {
    state = .failed(status)
    return .fail(status)
  }
}
