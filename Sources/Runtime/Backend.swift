import CKernels
import Machine

/// What runs the steps of single numbers; the option "backend". Both give the same bits.
enum Backend: Int {
  case auto, kernels, machine

  /// Below it kernels are as fast; above it translating takes half a second, and code larger than
  /// the caches gains little.
  static let few = 4, many = 4_000_000
}

/// A structure's scalar steps as machine code, or why there is none. Made once, by the first workspace that asks.
enum Translation {
  case untried, done(MachineCode), none(String)
}

extension Structure {
  /// The scalar steps as machine code, by number; otherwise the reason.
  func machine(_ backend: Backend) -> Translation {
    let n = scalars.code.count
    if backend == .kernels { return .none("by option") }
    if backend == .auto, n < Backend.few { return .none("fewer than \(Backend.few) instructions") }
    if backend == .auto, n > Backend.many { return .none("more than \(Backend.many) instructions") }
    return translated.withLock { known in
      if case .untried = known { known = translate() }
      return known
    }
  }

  private func translate() -> Translation {
    guard MachineCode.available else { return .none("no AVX2") }
    guard scalars.ranges.count > 0, let ranges = scalars.ranges.p else { return .none("no scalar step") }
    guard let kept = try? Memory<Int32>(unset: scalars.exports.count) else { return .none("memory was refused") }
    for i in 0 ..< scalars.exports.count { kept[i] = scalars.exports[i].slot }
    let code = scalars.code.p
    let made = MachineCode(parts: scalars.ranges.count, slots: scalars.slots) { n in
      let r = ranges[n]
      return MachineCode.Part(code.map { UnsafePointer($0) + r.code }, count: r.codeCount,
                              kept: UnsafeBufferPointer(start: UnsafePointer(kept.p) + r.exports, count: r.exportCount))
    }
    return made.map { .done($0) } ?? .none("executable memory was refused")
  }
}
