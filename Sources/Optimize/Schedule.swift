package import Tape
import Glibc

/// A factor of the learning rate as a function of the step.
package struct Schedule: Sendable {
  package enum Kind: String, CaseIterable, Sendable { case constant, cosine, step }
  package let kind: Kind
  package private(set) var warmup = 0.0, steps = 1000.0, final = 0.0, every = 1000.0, factor = 0.1

  package init?(_ kind: String) {
    guard let k = Kind(rawValue: kind) else { return nil }
    self.kind = k
  }

  package mutating func set(_ name: String, _ value: Double) -> Failure? {
    guard value.isFinite, value >= 0 else { return Failure(.invalid, "schedule: \(name) = \(value) is not a finite number >= 0") }
    switch (kind, name) {
    case (_, "warmup"): warmup = value
    case (.cosine, "steps"): steps = value
    case (.cosine, "final"): final = value
    case (.step, "every") where value >= 1: every = value
    case (.step, "factor"): factor = value
    case (.step, "every"): return Failure(.invalid, "schedule: every = \(value) is less than 1")
    default:
      let known = ["warmup"] + (kind == .cosine ? ["steps", "final"] : kind == .step ? ["every", "factor"] : [])
      return Failure(.invalid, "schedule \(kind.rawValue): no option \"\(name)\"; it has \(known.joined(separator: ", "))")
    }
    return nil
  }

  /// Warm-up rises linearly from 1/warmup to 1; the rest counts from its end (cosine: Loshchilov & Hutter, SGDR 2017, eq. 5).
  package func value(_ step: Int64) -> Double {
    let t = Double(max(step, 0))
    if t < warmup { return (t + 1) / warmup }
    let after = t - warmup
    switch kind {
    case .constant: return 1
    case .cosine:
      let span = max(steps - warmup, 1), x = min(after / span, 1)
      return final + (1 - final) * 0.5 * (1 + cos(.pi * x))
    case .step: return pow(factor, (after / every).rounded(.down))
    }
  }
}
