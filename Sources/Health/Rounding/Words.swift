import CKernels
package import Tape

/// A number in three digits, as reports show it.
package func brief(_ x: Double) -> String {
  if x != x { return "nan" }
  if x.isInfinite { return x < 0 ? "-inf" : "inf" }
  if x == 0 { return "0" }
  var m = abs(x), e = 0
  if m < 0x1p-900 { m *= 1e200; e -= 200 }
  while m >= 1e16 { m /= 1e16; e += 16 }
  while m < 1e-16 { m *= 1e16; e -= 16 }
  while m >= 10 { m /= 10; e += 1 }
  while m < 1 { m *= 10; e -= 1 }
  var d = Int((m * 100).rounded())
  if d >= 1000 { d /= 10; e += 1 }
  let sign = x < 0 ? "-" : ""
  func pad(_ n: Int, _ width: Int) -> String { let s = String(n); return String(repeating: "0", count: max(0, width - s.count)) + s }
  func trimmed(_ whole: Int, _ rest: Int, _ width: Int) -> String {
    var r = rest, w = width
    while w > 0, r % 10 == 0 { r /= 10; w -= 1 }
    return w == 0 ? String(whole) : "\(whole).\(pad(r, w))"
  }
  switch e {
  case 0: return sign + trimmed(d / 100, d % 100, 2)
  case 1: return sign + trimmed(d / 10, d % 10, 1)
  case 2: return sign + String(d)
  case -3 ... -1: return sign + trimmed(0, d, 2 - e)
  default: return sign + trimmed(d / 100, d % 100, 2) + "e\(e)"
  }
}

extension Rounding {
  /// By the names of camber_health.h; NaN where there is none.
  package func figure(_ name: String) -> Double {
    let f = figures
    switch name {
    case "value": return f.value
    case "bound": return f.bound
    case "weighted_bound": return f.adjoint
    case "statistical": return f.statistical
    case "estimate": return f.estimate
    case "remainder": return f.remainder
    case "corrected": return f.corrected
    case "first_order": return f.firstOrder
    case "change": return f.change
    case "condition": return f.condition
    case "input_sensitivity": return f.sensitivity
    case "bits_lost": return f.bitsLost
    case "digits": return f.digits
    case "unit": return f.unit
    case "nodes": return Double(nodeCount)
    default: return .nan
    }
  }

  /// What was found, in words; the tape names nodes.
  package func report(_ name: (NodeID) -> String) -> String {
    let f = figures
    var s = ""
    switch f.level {
    case .exact: s = "\(f.value): exact\n"
    case .unbounded: s = "\(f.value): nothing can be said about its rounding error"
      s += notes.isEmpty ? "\n" : " (\(notes))\n"
    default:
      s = "\(f.value) +- \(brief(f.bound)): \(digits(f)), \(brief(f.bitsLost)) bits lost"
      s += f.level == .shadow ? " (measured against a wide run)\n" : " (adjoint-weighted bound)\n"
    }
    if f.estimate == f.estimate, f.level != .exact { s += "  error \(brief(f.estimate)) +- \(brief(f.remainder)), corrected \(f.corrected)\n" }
    if f.adjoint.isFinite { s += "  bound from weights \(brief(f.adjoint)), three standard deviations \(brief(f.statistical))\n" }
    if f.condition == f.condition { s += "  condition number \(brief(f.condition)): inputs rounded once would cost \(brief(f.sensitivity))\n" }
    for (k, c) in contributions.prefix(5).enumerated() where c.bound > 0 || c.error != 0 {
      if k == 0 { s += "  by operator:\n" }
      s += "    " + c.members.prefix(4).map { "\($0.op.name) \(called($0.node, $0.label, name))" }.joined(separator: " and ") + (c.members.count > 4 ? " and \(c.members.count - 4) more" : "")
      s += "\(c.inLoop ? " (in a loop)" : ""): error \(brief(c.error)), \(brief(c.share * 100)) % of the bound"
      s += c.condition >= 64 ? ", condition \(brief(c.condition))\n" : "\n"
    }
    for u in unstable { s += "  \(u.op.name) \(called(u.node, u.label, name)): rounding \(u.turns ? "turns" : "may turn") this comparison\(u.elements > 1 ? " in \(u.elements) elements" : ""); on the other side the result is \(u.other)\n" }
    return s
  }
  private func called(_ n: NodeID, _ l: Label?, _ name: (NodeID) -> String) -> String { l.map { "at " + $0.words } ?? name(n) }
  private func digits(_ f: Figures) -> String {
    let d = (f.digits * 10).rounded(.down) / 10
    return d <= 0 ? "no digit is sure" : "\(brief(d)) digits are sure"
  }
}
