import AMQPEngine

extension ConnectionState.Phase {
  /// As the engine calls it.
  var name: StaticString {
    switch self {
    case .new: "new"
    case .connected: "connected"
    case .headerSent: "headerSent"
    case .open: "open"
    case .closing: "closing"
    case .inputEnded: "inputEnded"
    case .closed: "closed"
    }
  }
}

extension Handshake.State {
  var name: StaticString {
    switch self {
    case .awaitingStart: "awaitingStart"
    case .awaitingTune: "awaitingTune"
    case .awaitingOpenOk: "awaitingOpenOk"
    case .open: "open"
    case .failed: "failed"
    }
  }
}
