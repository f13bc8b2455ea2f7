import Testing
@testable import AMQPEngine
