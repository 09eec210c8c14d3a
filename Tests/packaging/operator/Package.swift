// swift-tools-version: 6.2
// The patched tree from two sides: as the Swift product, and as libcamber.so for C, C++ and Python.
import PackageDescription

let tree = Context.environment["CAMBER_PATH"] ?? "../../.."
let package = Package(
  name: "operator",
  dependencies: [.package(name: "camber", path: tree)],
  targets: [
    .executableTarget(name: "face", dependencies: [.product(name: "Camber", package: "camber")], swiftSettings: [.swiftLanguageMode(.v5)]),
    .executableTarget(name: "library", dependencies: [.product(name: "camber", package: "camber")]),
  ]
)
