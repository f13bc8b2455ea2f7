import Testing

@testable import AMQPEngine

@Suite struct ForecastTests {
  private func waits(_ forecast: inout Forecast) -> Int {
    var count = 0
    while forecast.isWait {
      forecast.waits()
      count += 1
    }
    return count
  }

  @Test func nothingIsExpectedAtFirst() {
    #expect(!Forecast().isWait)
  }

  @Test func runsGrowWhileAttemptsAreInVain() {
    var forecast = Forecast()
    for expected in [1, 3, 7, 15, 31, 31] {
      forecast.missed()
      #expect(waits(&forecast) == expected)
    }
  }

  @Test func anAttemptThatIsNotInVainEndsThat() {
    var forecast = Forecast()
    for _ in 0..<5 { forecast.missed() }
    _ = waits(&forecast)
    forecast.found()
    #expect(!forecast.isWait)
    forecast.missed()
    #expect(waits(&forecast) == 1)
  }
}
