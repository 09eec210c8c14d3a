// swift-tools-version: 6.2
import PackageDescription

// The Swift examples: swift run --package-path examples -c release quickstart (or fashion).
let camber = Target.Dependency.product(name: "Camber", package: "camber")
let swift: [SwiftSetting] = [.swiftLanguageMode(.v5)]

let package = Package(
  name: "examples",
  dependencies: [.package(name: "camber", path: "..")],
  targets: [
    .systemLibrary(name: "CZlib", path: "zlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .executableTarget(name: "quickstart", dependencies: [camber], path: "quickstart",
                      exclude: ["main.c", "main.cpp", "main.py", "expected.txt"], swiftSettings: swift),
    .executableTarget(name: "custom", dependencies: [camber], path: "custom",
                      exclude: ["main.c", "main.cpp", "main.py", "expected.txt"], swiftSettings: swift),
    .executableTarget(name: "linalg", dependencies: [camber], path: "linalg",
                      exclude: ["main.c", "main.cpp", "main.py", "expected.txt"], swiftSettings: swift),
    .executableTarget(name: "sparse", dependencies: [camber], path: "sparse",
                      exclude: ["main.c", "main.cpp", "main.py", "expected.txt"], swiftSettings: swift),
    .executableTarget(name: "health", dependencies: [camber], path: "health",
                      exclude: ["main.c", "main.cpp", "main.py", "expected.txt"], swiftSettings: swift),
    .executableTarget(name: "taylor", dependencies: [camber], path: "taylor",
                      exclude: ["main.c", "main.cpp", "main.py", "expected.txt"], swiftSettings: swift),
    .executableTarget(name: "fit", dependencies: [camber], path: "fit",
                      exclude: ["main.c", "main.cpp", "main.py", "expected.txt"], swiftSettings: swift),
    .executableTarget(name: "saved", dependencies: [camber], path: "saved",
                      exclude: ["main.c", "main.cpp", "main.py"], swiftSettings: swift),
    .executableTarget(name: "control", dependencies: [camber], path: "control",
                      exclude: ["main.c", "main.cpp", "main.py", "expected.txt"], swiftSettings: swift),
    .executableTarget(name: "checkpoint", dependencies: [camber], path: "checkpoint",
                      exclude: ["main.c", "main.cpp", "main.py", "expected.txt"], swiftSettings: swift),
    .executableTarget(name: "sick", dependencies: [camber, "CZlib"], path: "sick",
                      exclude: ["main.c", "main.cpp", "main.py"], swiftSettings: swift),
    .executableTarget(name: "fashion", dependencies: [camber, "CZlib"], path: "fashion",
                      exclude: ["main.c", "main.cpp", "main.py"], swiftSettings: swift),
  ]
)
