import Glibc
import Tape

/// Digits that a sentence needs.
func short(_ v: Double) -> String {
  if v.isNaN { return "NaN" }
  if v.isInfinite { return v < 0 ? "-inf" : "inf" }
  let a = abs(v)
  if a == 0 { return "0" }
  let e = Int(floor(log10(a)))
  if e < -3 || e > 5 { return "\(trimmed(v / pow(10, Double(e))))e\(e)" }
  return trimmed(v)
}
private func trimmed(_ v: Double) -> String {
  let a = abs(v), d = a >= 100 ? 0 : a >= 10 ? 1 : a >= 1 ? 2 : 4, s = pow(10, Double(d)), r = (v * s).rounded() / s
  return r == r.rounded() && abs(r) < 1e15 ? "\(Int(r))" : "\(r)"
}
func percent(_ v: Double) -> String { "\(short(100 * v)) %" }

extension Flow {
  /// What the runs so far show, gravest first.
  package func findings() -> [Finding] {
    guard seen > 0 else { return [] }
    var found: [Finding] = []
    if let f = explosion() { found.append(f) }
    if let f = vanishing() { found.append(f) }
    return found.sorted { ($0.severity.rawValue, $0.confidence) > ($1.severity.rawValue, $1.confidence) }
  }

  /// Levels from the loss back, with adjoints.
  private func adjoints() -> [(level: Int, rms: Double)] {
    (0 ..< levelCount).reversed().compactMap { l in
      let g = early(l) { $0.gradient }
      return g > 0 ? (l, g) : nil
    }
  }
  private func total(_ g: [(level: Int, rms: Double)]) -> Double { g.count < 2 ? 0 : log2(g[g.count - 1].rms / g[0].rms) }

  /// Where the change that `total` tells begins: the step between levels that makes the largest part of it.
  private func start(_ g: [(level: Int, rms: Double)], _ sign: Double) -> Int {
    var best = 0.0, at = g.last?.level ?? 0
    for k in 1 ..< max(g.count, 1) where k < g.count {
      let d = sign * log2(g[k].rms / g[k - 1].rms)
      if d > best { (best, at) = (d, g[k - 1].level) }
    }
    return at
  }

  private func explosion() -> Finding? {
    let g = adjoints(), t = total(g), s = slope
    guard g.count >= 2, t > 10 else { return nil }
    let at = start(g, 1), top = Format(places.first?.type.dtype ?? .f32)?.largest ?? 3.4e38
    let more = s > 0 ? (log(top) - log(g.map(\.rms).max() ?? 1)) / s : .infinity
    return Finding("explode", .error, place: level(at), step: 0, confidence: min(t / 20, 1),
                   "gradients grow by 2^\(short(t)) from the last layer to the first (e^\(short(s)) a layer), from \(level(at)) on;"
                     + " at this slope they overflow \(places[0].type.dtype.name) after \(short(more.rounded())) more layers.",
                   [("growth", t), ("slope", s), ("layers_to_overflow", more)], remedy: "lsuv", advice: "Scale the weights of \(level(at)) so that its results have unit variance (LSUV).")
  }
  private func vanishing() -> Finding? {
    let g = adjoints(), t = total(g), s = slope
    guard g.count >= 2, t < -10 else { return nil }
    let at = start(g, -1)
    return Finding("vanish", .error, place: level(at), step: 0, confidence: min(-t / 20, 1),
                   "gradients shrink by 2^\(short(t)) from the last layer to the first (e^\(short(s)) a layer), from \(level(at)) on.",
                   [("growth", t), ("slope", s)], remedy: "lsuv", advice: "Scale the weights of \(level(at)) so that its results have unit variance (LSUV).")
  }
}
