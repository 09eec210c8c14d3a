// swift-tools-version: 6.2
import PackageDescription

let swift: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .swiftLanguageMode(.v5),
]
/// What does not run at each of a program's runs is made small in the shared library (make lib sets this; packages that depend on a version may not have such flags).
let seldom = swift + (Context.environment["CAMBER_SMALL"] == nil ? [] : [.unsafeFlags(["-Osize"])])

let package = Package(
  name: "camber",
  products: [
    .library(name: "Camber", targets: ["Camber"]),
    .library(name: "camber", type: .dynamic, targets: ["CamberC"]),
  ],
  targets: [
    // The contract: include/camber.h as a module.
    .systemLibrary(name: "CCamber", path: "include"),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .target(name: "CKernels", dependencies: ["COpenBLAS"], exclude: ["kernels.inc", "gemm.inc", "conv.inc"],
            linkerSettings: [.linkedLibrary("sleef"), .linkedLibrary("m")]),
    .target(name: "CBuilders", dependencies: ["CCamber"]),
    .target(name: "Tape", dependencies: ["CKernels"], swiftSettings: seldom),
    .target(name: "Machine", dependencies: ["CKernels"], swiftSettings: swift),
    .target(name: "Runtime", dependencies: ["Tape", "CKernels", "Machine"], swiftSettings: swift),
    .target(name: "Sparse", dependencies: ["Runtime", "Tape", "CKernels"], swiftSettings: seldom),
    .target(name: "Health", dependencies: ["Runtime", "Tape", "CKernels"], swiftSettings: seldom),
    .target(name: "Optimize", dependencies: ["Health", "Runtime", "Tape", "CKernels"], swiftSettings: seldom),
    .target(name: "Clinic", dependencies: ["Optimize", "Health", "Runtime", "Tape", "CKernels"], swiftSettings: seldom),
    .target(name: "Camber", dependencies: ["Clinic", "Optimize", "Health", "Sparse", "Runtime", "Tape", "CKernels"], swiftSettings: swift),
    .target(name: "CamberC", dependencies: ["Clinic", "Optimize", "Health", "Sparse", "Runtime", "Tape", "CKernels", "CCamber", "CBuilders"], exclude: ["exports.map"], swiftSettings: seldom),
    .testTarget(name: "TapeTests", dependencies: ["Tape", "Runtime", "CKernels"], swiftSettings: swift),
    .testTarget(name: "MachineTests", dependencies: ["Machine", "CKernels"], swiftSettings: swift),
    .testTarget(name: "RuntimeTests", dependencies: ["Tape", "Runtime", "CKernels"], swiftSettings: swift),
    .testTarget(name: "CamberTests", dependencies: ["Camber", "Optimize", "Runtime", "Tape"], swiftSettings: swift),
  ]
)
