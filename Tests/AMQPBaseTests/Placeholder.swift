import Testing
@testable import AMQPBase
