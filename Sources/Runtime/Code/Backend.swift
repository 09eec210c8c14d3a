import CKernels
import Machine

/// What runs the steps of single numbers and the simple operators of clusters; the option "backend". Both give the same bits.
enum Backend: Int {
  case auto, kernels, machine

  /// Below it kernels are as fast; above it code takes 200 MB and translating seconds.
  static let few = 4, many = 16_000_000
  /// Simple instructions of a cluster in a row that are worth a loop of their own.
  static let fewInParts = 2
}

/// A plan's scalar steps as machine code, or why there is none. Made once, by the first workspace that asks.
enum Translation {
  case untried, done(MachineCode), none(String)
}

extension Plan {
  /// The scalar steps as machine code, by number; otherwise the reason.
  func machine(_ backend: Backend) -> Translation {
    let n = structure.scalars.operations
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
    guard structure.scalars.ranges.count > 0, let ranges = structure.scalars.ranges.p else { return .none("no scalar step") }
    let code = structure.scalars.code.p
    let made = MachineCode(parts: structure.scalars.ranges.count, slots: structure.scalars.slots,
                           transfers: UnsafeBufferPointer(start: transfers.p, count: transfers.count), eager: overlaps) { n in
      let r = ranges[n]
      return MachineCode.Part(code.map { UnsafePointer($0) + r.code }, count: r.codeCount, kept: UnsafeBufferPointer(start: nil, count: 0), near: r.near)
    }
    return made.map { .done($0) } ?? .none("executable memory was refused")
  }
}
