// swift-tools-version: 6.2
// A package outside Camber's tree that uses it: the tests copy it away and give CAMBER_PATH, or CAMBER_URL with the tag 0.1.0.
// CAMBER_PROGRAMS names the folders of Sources to build.
import PackageDescription

let environment = Context.environment
let programs = (environment["CAMBER_PROGRAMS"] ?? "client").split(separator: ",").map(String.init)
let camber: Package.Dependency =
  if let url = environment["CAMBER_URL"] { .package(url: url, exact: "0.1.0") } else { .package(name: "camber", path: environment["CAMBER_PATH"] ?? "../..") }

let package = Package(
  name: "swift-client",
  dependencies: [camber],
  targets: programs.map { .executableTarget(name: $0, dependencies: [.product(name: "Camber", package: "camber")], swiftSettings: [.swiftLanguageMode(.v5)]) }
)
