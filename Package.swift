// swift-tools-version: 6.1
// The layers of docs/ARCHITECTURE.md as targets: an import that is not listed here does not compile.
import PackageDescription

let swift: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableExperimentalFeature("Embedded", .when(traits: ["Embedded"])),
  // A function that nothing calls is dropped by the linker: 40 % of the size.
  .unsafeFlags(["-wmo", "-Xfrontend", "-function-sections"], .when(traits: ["Embedded"])),
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
  .define("SYSCALL_SEAM", .when(configuration: .debug)),
]

func layer(_ name: String, _ dependencies: Target.Dependency..., libraries: [String] = []) -> Target {
  .target(
    name: name, dependencies: dependencies, swiftSettings: swift,
    linkerSettings: libraries.map { .linkedLibrary($0) })
}

func suite(_ layer: String, _ others: Target.Dependency...) -> Target {
  .testTarget(name: layer + "Tests", dependencies: [.target(name: layer)] + others)
}

let package = Package(
  name: "Pulse",
  products: [.library(name: "rabbitmq", type: .dynamic, targets: ["LibRabbitMQ"])],
  traits: [
    .trait(name: "Embedded", description: "Embedded Swift: the shipped library, which needs no Swift runtime."),
    .trait(name: "StaticStdlib", description: "Ordinary Swift with the standard library linked in: the fallback."),
  ],
  targets: [
    .target(name: "CRabbitMQ", cSettings: [.unsafeFlags(["-std=c99", "-fvisibility=hidden"])]),
    .systemLibrary(name: "CMemory"),
    .systemLibrary(name: "CSystem"),
    layer("AMQPBase", "CRabbitMQ", "CMemory"),
    layer("AMQPWire", "AMQPBase", "CRabbitMQ", "CMemory"),
    layer("AMQPEngine", "AMQPBase", "CRabbitMQ"),
    layer("AMQPTransport", "AMQPBase", "CSystem", libraries: ["ssl", "crypto"]),
    layer(
      "RabbitMQ", "AMQPWire", "AMQPEngine", "AMQPTransport", "AMQPBase", "CRabbitMQ", "CSystem",
      libraries: ["event_core"]),
    // Carries the link flags alone: `-static-stdlib` on a target that tests depend on breaks `swift test`.
    .target(
      name: "LibRabbitMQ", dependencies: ["RabbitMQ"], swiftSettings: swift,
      linkerSettings: [
        .unsafeFlags([
          "-use-ld=lld", "-Xlinker", "-soname", "-Xlinker", "librabbitmq.so.4",
          "-Xlinker", "--version-script=\(Context.packageDirectory)/cmake/librabbitmq.map",
          "-Xlinker", "-z", "-Xlinker", "relro", "-Xlinker", "-z", "-Xlinker", "now", "-Xlinker", "--as-needed",
          // A resolver thread that its caller gave up may still be in our code after dlclose.
          "-Xlinker", "-z", "-Xlinker", "nodelete",
        ]),
        .unsafeFlags(["-Xlinker", "-z", "-Xlinker", "defs"], .when(configuration: .release)),
        .unsafeFlags(["-static-stdlib"], .when(traits: ["StaticStdlib"])),
      ]),
    suite("AMQPBase", "CRabbitMQ", "CMemory"),
    suite("AMQPWire", "AMQPBase", "CRabbitMQ", "CMemory"),
    suite("AMQPEngine", "AMQPBase", "CRabbitMQ"),
    suite("AMQPTransport", "AMQPBase", "CSystem"),
    suite("RabbitMQ", "AMQPWire", "AMQPEngine", "AMQPTransport", "AMQPBase", "CRabbitMQ", "CSystem"),
  ],
  swiftLanguageModes: [.v6]
)
