import CKernels
import Runtime
import Tape

/// phi and its derivatives along one direction, as programs in f64; differences of it with steps that balance truncation and noise.
final class Comparison {
  private let value: Workspace, slopes: Workspace
  private let data: [UnsafeMutableRawPointer], moved: [UnsafeMutableRawPointer], along: [UnsafeMutableRawPointer], types: [TensorType]
  private let live: [Int]
  private let hasSecond: Bool
  private let tolerance: Double
  private var state: UInt64
  private(set) var note = ""
  /// The rounding error of phi at the point, bounded: what cancels inside it is noise of the differences.
  private var grain = 0.0
  private var results: [Double] = [0, 0, 0, 0, 0]

  init(_ source: Tape, _ outputs: [NodeID], _ inputs: [NodeID], _ host: (Int) -> UnsafeRawPointer?, order: Int, tolerance: Double, seed: UInt64) throws(Failure) {
    self.tolerance = tolerance
    state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1
    let t = Tape()
    var seeds: [NodeID: NodeID] = [:], x: [NodeID] = [], kinds: [TensorType] = []
    for n in inputs {
      let k = source.type(n), f = k.dtype.isFloat
      let i = t.input(f ? k.with(.f64) : k)
      x.append(i)
      kinds.append(f ? k.with(.f64) : k)
      seeds[n] = f ? t.cast(i, k.dtype) : i
    }
    types = kinds
    let copies = t.rewrite(source, outputs, seeds) { _, _ in nil }
    let wide = t.precision(copies, x, compute: .f64, output: .f64)
    // Weights that no symmetry of the outputs cancels.
    var phi = NodeID.none, size = NodeID.none
    for (k, y) in wide.enumerated() where t.contains(y) {
      let s = t.type(y), count = s.count
      var w = [Double](repeating: 0, count: max(count, 1))
      for i in 0 ..< count { w[i] = 0.5 + Comparison.random(&state) * 0.5 + Double(k) * 0.125 }
      let weights = w.withUnsafeBytes { b in b.baseAddress.map { t.array(s, $0) } ?? .none }
      let term = t.mul(y, weights), axes = (0 ..< s.rank).map { $0 - s.rank }
      let sum = t.sum(term, axes: axes, keep: false), whole = t.sum(t.unary(.abs, term), axes: axes, keep: false)
      phi = phi.isNone ? sum : t.add(phi, sum)
      size = size.isNone ? whole : t.add(size, whole)
    }
    if let f = t.failure { throw f }
    live = kinds.indices.filter { kinds[$0].dtype.isFloat && kinds[$0].count > 0 }
    let on = live.map { x[$0] }, v = on.map { t.input(t.type($0)) }
    if let f = t.failure { throw f }
    func dot(_ a: [NodeID]) -> NodeID {
      var s = t.constant(.f64, 0.0)
      for (g, d) in zip(a, v) { s = t.add(s, t.sum(t.mul(g, d), axes: (0 ..< t.type(d).rank).map { $0 - t.type(d).rank }, keep: false)) }
      return s
    }
    let first = t.jvp([phi], on, v)[0], back = dot(t.grad(phi, on, name: "check"))
    if let f = t.failure { throw f }
    var second = t.constant(.f64, 0.0), has = order > 1
    if has {
      second = dot(t.hvp(phi, on, v))
      if let f = t.failure {
        if f.code == .memory { throw f }
        note = "no second derivatives: \(f.message)"
        t.failure = nil
        second = t.constant(.f64, 0.0)
        has = false
      }
    }
    hasSecond = has
    value = try Workspace(try Program(t, inputs: x, outputs: [phi, size]))
    slopes = try Workspace(try Program(t, inputs: x + v, outputs: [phi, size, first, back, second]))
    var a: [UnsafeMutableRawPointer] = [], b: [UnsafeMutableRawPointer] = [], c: [UnsafeMutableRawPointer] = []
    var refused = false
    for (i, k) in kinds.enumerated() {
      guard let p = ck_alloc(max(k.bytes, 8)) else { refused = true; break }
      a.append(p)
      guard let q = ck_alloc(max(k.bytes, 8)) else { refused = true; break }
      b.append(q)
      if let h = host(i) { ck_cast_kernel(source.dtype(inputs[i]).rawValue, k.dtype.rawValue)?(h, nil, nil, p, k.count) }
      q.copyMemory(from: p, byteCount: k.bytes)
    }
    for i in live where !refused {
      guard let p = ck_alloc(kinds[i].bytes) else { refused = true; break }
      c.append(p)
    }
    data = a
    moved = b
    along = c
    if refused { throw Failure(.memory, "check: memory was refused") }
    let bounded = try Rounding(t, outputs: [phi], inputs: x)
    do {
      try bounded.run { UnsafeRawPointer(a[$0]) }
      try bounded.at(output: 0, element: 0)
      if bounded.figures.adjoint.isFinite { grain = bounded.figures.adjoint }
    } catch {
      // No bound (too large a function, or no memory for it): the differences' own noise is the grain.
    }
  }
  deinit { for p in data + moved + along { ck_free(p) } }

  private static func random(_ s: inout UInt64) -> Double {
    s ^= s << 13
    s ^= s >> 7
    s ^= s << 17
    return Double(s >> 11) * 0x1p-53
  }

  private func call(_ w: Workspace, _ ins: [UnsafeMutableRawPointer], _ count: Int) throws(Failure) {
    let i = ins.map { UnsafeRawPointer($0) as UnsafeRawPointer? }
    var code = Code.ok
    results.withUnsafeMutableBytes { r in
      var out: [UnsafeMutableRawPointer?] = []
      for k in 0 ..< count { out.append(r.baseAddress.map { $0 + k * 8 }) }
      i.withUnsafeBufferPointer { a in out.withUnsafeBufferPointer { b in
        if let x = a.baseAddress, let y = b.baseAddress { code = w.run(inputs: x, outputs: y) }
      } }
    }
    guard code == .ok || code == .nonfinite else { throw Failure(code, w.message) }
  }

  /// phi at x + h v, and the sum of its terms' magnitudes.
  private func phi(_ h: Double) throws(Failure) -> (Double, Double) {
    for (k, i) in live.enumerated() {
      let x = data[i].assumingMemoryBound(to: Double.self), v = along[k].assumingMemoryBound(to: Double.self), y = moved[i].assumingMemoryBound(to: Double.self)
      for j in 0 ..< types[i].count { y[j] = x[j] + h * v[j] }
    }
    try call(value, moved, 2)
    return (results[0], results[1])
  }

  func all(_ directions: Int) throws(Failure) -> [DerivativeCheck.Entry] {
    var list: [DerivativeCheck.Entry] = []
    for (k, i) in live.enumerated() { for d in 0 ..< directions { list += try one(k, i, d) } }
    return list
  }

  private func one(_ k: Int, _ i: Int, _ d: Int) throws(Failure) -> [DerivativeCheck.Entry] {
    direct(k)
    try call(slopes, data + along, 5)
    let at = results[0], size = results[1], first = results[2], back = results[3], second = results[4]
    let noise = max(0x1p-50 * max(size, abs(at)), grain), n = 24
    var h = 0.0625, up: [Double] = [], down: [Double] = [], steps: [Double] = []
    for _ in 0 ..< n {
      let (a, _) = try phi(h), (b, _) = try phi(-h)
      if a.isFinite, b.isFinite {
        steps.append(h)
        up.append(a)
        down.append(b)
      }
      h /= 2
    }
    var e = DerivativeCheck.Entry()
    e.input = i
    if !at.isFinite || !first.isFinite || !back.isFinite || steps.count < 6 {
      note = "input \(i): the function or its derivative is not finite at this point"
      e.derivative = first
      return [e]
    }
    let (quotient, error) = extrapolated(steps, steps.indices.map { (up[$0] - down[$0]) / (2 * steps[$0]) }, noise)
    let sided = oneSided(at, steps, up, down, noise)
    let kinked = abs(sided.above - sided.below) > 20 * sided.error + 1e-4 * max(abs(sided.above), abs(sided.below))
    e.difference = quotient
    e.error = error
    e.above = sided.above
    e.below = sided.below
    let scale = max(abs(quotient), noise)
    func judged(_ v: Double) -> DerivativeCheck.Verdict {
      if abs(v - quotient) <= 10 * error + tolerance * max(scale, abs(v)), !kinked { return .right }
      if kinked { return v >= min(sided.above, sided.below) - 20 * sided.error - tolerance * scale && v <= max(sided.above, sided.below) + 20 * sided.error + tolerance * scale ? .kink : .wrong }
      return error > 0.03 * max(abs(v - quotient), scale) && error > abs(v - quotient) / 20 ? .undecided : .wrong
    }
    var list: [DerivativeCheck.Entry] = []
    for (kind, v) in [(DerivativeCheck.Kind.jvp, first), (.vjp, back)] {
      e.kind = kind
      e.derivative = v
      e.verdict = judged(v)
      e.steps = steps
      e.remainders = steps.indices.map { abs(up[$0] - at - steps[$0] * v) }
      e.slope = slope(e.steps, e.remainders, noise)
      list.append(e)
    }
    guard hasSecond, second.isFinite, !kinked, list[0].verdict == .right else { return list }
    let halves = steps.indices.map { ((up[$0] - at) + (down[$0] - at)) / (steps[$0] * steps[$0]) }
    let (q, r) = extrapolated(steps, halves, 4 * noise, squared: true)
    e.kind = .hvp
    e.derivative = second
    e.difference = q
    e.error = r
    e.remainders = steps.indices.map { abs(up[$0] - at - steps[$0] * first - 0.5 * steps[$0] * steps[$0] * second) }
    e.slope = slope(e.steps, e.remainders, noise)
    let off = abs(second - q)
    e.verdict = off <= 10 * r + 100 * tolerance * max(abs(q), abs(second)) + 1e-9 * abs(first) ? .right : r > 0.03 * off ? .undecided : .wrong
    if e.verdict == .undecided, !(e.slope < 2.6) { e.verdict = .right }
    list.append(e)
    return list
  }

  private func direct(_ k: Int) {
    for (j, i) in live.enumerated() {
      let v = along[j].assumingMemoryBound(to: Double.self), x = data[i].assumingMemoryBound(to: Double.self), n = types[i].count
      var mean = 0.0
      for q in 0 ..< n where x[q].isFinite { mean += abs(x[q]) / Double(n) }
      for q in 0 ..< n {
        let r = Comparison.random(&state), s = Comparison.random(&state) < 0.5 ? -1.0 : 1.0
        v[q] = j == k ? s * (0.5 + 0.5 * r) * (mean == 0 ? 1 : max(abs(x[q]), 1e-3 * mean)) : 0
      }
    }
  }

  /// Ridders' table over quotients with errors even in the step: the entry of least doubt, and the doubt.
  private func extrapolated(_ h: [Double], _ f: [Double], _ noise: Double, squared: Bool = false) -> (Double, Double) {
    var best = f[0], doubt = Double.infinity, before: [Double] = []
    for i in f.indices {
      var row = [f[i]], power = 1.0
      let grain = squared ? noise / (h[i] * h[i]) : noise / h[i]
      if i > 0, h[i] < h[i - 1] * 0.75 {
        for j in 1 ... min(i, 6) where j <= before.count {
          power *= 4
          let a = row[j - 1], next = a + (a - before[j - 1]) / (power - 1)
          row.append(next)
          let d = max(abs(next - a), abs(next - before[j - 1])) + grain
          if d <= doubt {
            doubt = d
            best = next
          }
        }
      }
      before = row
    }
    return (best, doubt)
  }

  private func oneSided(_ at: Double, _ h: [Double], _ up: [Double], _ down: [Double], _ noise: Double) -> (above: Double, below: Double, error: Double) {
    // (4 (f(h/2) - f) - (f(h) - f)) / h at the step where noise and curvature are both small.
    var best = (above: Double.nan, below: Double.nan, error: Double.infinity), last = (0.0, 0.0)
    for i in 1 ..< h.count where h[i] < h[i - 1] * 0.75 {
      let a = (4 * (up[i] - at) - (up[i - 1] - at)) / h[i - 1], b = (4 * (at - down[i]) - (at - down[i - 1])) / h[i - 1]
      let d = max(abs(a - last.0), abs(b - last.1)) + 6 * noise / h[i - 1]
      if i > 1, d < best.error { best = (a, b, d) }
      last = (a, b)
    }
    return best
  }

  /// Of log remainder over log step, where the remainder stands out of the noise, small steps first.
  private func slope(_ h: [Double], _ r: [Double], _ noise: Double) -> Double {
    var x: [Double] = [], y: [Double] = []
    for i in h.indices.reversed() where r[i] > 100 * noise && r[i].isFinite {
      x.append(log2_(h[i]))
      y.append(log2_(r[i]))
      if x.count == 5 { break }
    }
    guard x.count >= 3 else { return .nan }
    let n = Double(x.count), mx = x.reduce(0, +) / n, my = y.reduce(0, +) / n
    var xy = 0.0, xx = 0.0
    for i in x.indices {
      xy += (x[i] - mx) * (y[i] - my)
      xx += (x[i] - mx) * (x[i] - mx)
    }
    return xy / xx
  }
}
