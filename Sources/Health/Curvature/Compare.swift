import Runtime
import Glibc
package import Tape

/// B - H.
private final class Difference: Operator {
  let b: Operator, h: Operator, scratch: Lines
  init(_ b: Operator, _ h: Operator) throws(Failure) {
    (self.b, self.h) = (b, h)
    scratch = try Lines(8, b.n)
    super.init(b.n)
  }
  override func apply(_ v: Vector, _ w: Vector) throws(Failure) {
    try h.apply(v, scratch.p)
    try b.apply(v, w)
    add(-1, scratch.p, to: w, n)
  }
  override func apply(_ v: Lines, _ w: Lines, _ count: Int) throws(Failure) {
    let own = try Lines(count, n)
    try h.apply(v, own, count)
    try b.apply(v, w, count)
    add(-1, own.p, to: w.p, count * n)
  }
}

/// a / b of two figures that are not negative.
private func ratio(_ a: Figure, _ b: Figure) -> Figure {
  guard b.value > 0 else { return a.value == 0 ? Figure(0, 0) : Figure(.infinity, 0, .infinity) }
  return Figure(a.value / b.value, max(a.low, 0) / b.high, b.low > 0 ? a.high / b.low : .infinity)
}

extension Curvature {
  package static let errorNames = ["operator", "frobenius", "trace", "diagonal", "spectrum", "newton_step", "decrease_ratio", "preconditioner", "angle", "covariance", "evidence", "trace_ratio"]

  /// What can be asked of an approximation: the errors, and figures of its own kind.
  package func errorNames(of name: String) throws(Failure) -> [String] { Curvature.errorNames + (try approximation(name).ownNames) }

  package func pair(_ name: String, _ i: Int) throws(Failure) -> Pair? {
    try ready()
    let a = try approximation(name)
    try a.prepare()
    return a.pair(i)
  }

  package func error(_ name: String, _ figure: String) throws(Failure) -> Figure {
    try ready()
    let b = try approximation(name), key = name + "/" + figure
    if let known = cache.first(where: { $0.name == key }) { return known.figure }
    try b.prepare()
    if b.isGiven, !cache.contains(where: { $0.name == name + "/symmetric" }) {
      let a = try asymmetry(b)
      guard a.value < 1e-3 else { throw Failure(.invalid, "curvature: \"\(name)\" is not symmetric: uᵀ B v and vᵀ B u differ by \(a.value) of their size") }
      cache.append((name + "/symmetric", a))
    }
    var f: Figure
    if let own = try b.own(figure) { f = own } else {
      guard Curvature.errorNames.contains(figure) else { throw Failure(.invalid, "curvature: no error \"\(figure)\" of \"\(name)\"; there are \((Curvature.errorNames + b.ownNames).joined(separator: ", "))") }
      f = n == 0 ? Figure(0, 0) : isDense ? try exactly(b, figure) : try estimated(b, figure)
    }
    if f.value.isNaN { f = .unknown }
    cache.append((key, f))
    return f
  }

  // MARK: by the whole matrices

  private func exactly(_ op: Approximation, _ figure: String) throws(Failure) -> Figure {
    if figure == "decrease_ratio" { return try decrease(op) }
    let h = try whole()
    let b: Dense
    if let kept = op.dense { b = kept } else {
      b = try Dense(op)
      op.dense = b
    }
    let noise = h.noise(unit) + b.noise(unit), shift = option("damping")
    switch figure {
    case "operator", "frobenius":
      let d = try Lines(n, n), values = try Lines(1, n)
      for i in 0 ..< n * n { d.p[i] = b.h.p[i] - h.h.p[i] }
      let scale = figure == "operator" ? h.size : h.frobenius
      let e: Double
      if figure == "frobenius" { e = norm(d.p, n * n) } else {
        try symmetricEigen(d.p, n, values.p, nil)
        e = max(abs(values.p[0]), abs(values.p[n - 1]))
      }
      return ratio(Figure(e, noise), Figure(scale, 0))
    case "trace":
      let s = h.sum { $0 }
      return ratio(Figure(abs(b.sum { $0 } - s), noise), Figure(abs(s), 0))
    case "trace_ratio":
      let s = h.sum { $0 }, r = b.sum { $0 } / s
      return Figure(r, noise * (1 + abs(r)) / abs(s))
    case "diagonal":
      var e = 0.0, s = 0.0
      for i in 0 ..< n {
        e += (b.h[i][i] - h.h[i][i]) * (b.h[i][i] - h.h[i][i])
        s += h.h[i][i] * h.h[i][i]
      }
      return ratio(Figure(e.squareRoot(), noise), Figure(s.squareRoot(), 0))
    case "spectrum":
      var e = 0.0
      for i in 0 ..< n { e = max(e, abs(b.values.p[i] - h.values.p[i])) }
      return ratio(Figure(e, noise), Figure(h.size, 0))
    case "newton_step":
      let x = try Lines(2, n)
      let (c1, c2) = (solve(h, shift, x[0]), solve(b, shift, x[1]))
      let s = norm(x[0], n)
      add(-1, x[0], to: x[1], n)
      let e = norm(x[1], n)
      return s > 0 ? Figure(e / s, 4 * unit * (c1 * (1 + e / s) + c2 * (1 + e / s))) : Figure(0, 0)
    case "preconditioner":
      let l = try Lines(n, n), m = try Lines(n, n), values = try Lines(1, n)
      copy(b.h.p, l.p, n * n)
      for i in 0 ..< n { l[i][i] += shift }
      guard cholesky(l.p, n) else { return .unknown }
      copy(h.h.p, m.p, n * n)
      for i in 0 ..< n { m[i][i] += shift }
      for i in 0 ..< n { forwardSolve(l.p, n, m[i]) }
      for i in 0 ..< n { for j in 0 ..< i { (m[i][j], m[j][i]) = (m[j][i], m[i][j]) } }
      for i in 0 ..< n { forwardSolve(l.p, n, m[i]) }
      try symmetricEigen(m.p, n, values.p, nil)
      var most = 0.0, least = Double.infinity
      for i in 0 ..< n {
        most = max(most, abs(values.p[i]))
        least = min(least, abs(values.p[i]))
      }
      let k = most / least
      return Figure(k, k - 8 * unit * k * k, k + 8 * unit * k * k)
    case "angle":
      let k = min(max(Int(option("top")), 1), n)
      return try angle(k, h.frobenius, { top(h, $0) }, { top(b, $0) }, [0, 0])
    case "covariance":
      let x = try Lines(n, n), y = try Lines(n, n)
      for (d, out) in [(h, x), (b, y)] {
        for k in 0 ..< n {
          let l = d.values.p[k] + shift
          for i in 0 ..< n { add(d.vectors[k][i] / l, d.vectors[k], to: out[i], n) }
        }
      }
      let s = norm(x.p, n * n)
      add(-1, x.p, to: y.p, n * n)
      let e = norm(y.p, n * n) / s, c = (0 ..< n).reduce(0.0) { max($0, 1 / abs(h.values.p[$1] + shift), 1 / abs(b.values.p[$1] + shift)) }
      return Figure(e, noise * c * (1 + e))
    default:
      let x = try evidence(op), y = try self.figure("evidence")
      return Figure(x.value - y.value, x.low - y.high, x.high - y.low)
    }
  }
  /// (D + shift)⁻¹ g by eigenvectors, and the condition.
  private func solve(_ d: Dense, _ shift: Double, _ x: Vector) -> Double {
    x.update(repeating: 0, count: n)
    var most = 0.0, least = Double.infinity
    for k in 0 ..< n {
      let l = d.values.p[k] + shift
      most = max(most, abs(l))
      least = min(least, abs(l))
      add(dot(d.vectors[k], gradient.p, n) / l, d.vectors[k], to: x, n)
    }
    return most / least
  }
  /// Eigenvector number `i` by magnitude of its eigenvalue, and the magnitude.
  private func top(_ d: Dense, _ i: Int) -> (Vector, Double) {
    let order = (0 ..< n).sorted { abs(d.values.p[$0]) > abs(d.values.p[$1]) }
    return i < n ? (d.vectors[order[i]], abs(d.values.p[order[i]])) : (d.vectors[0], 0)
  }
  /// The largest angle between the spans of both sides' leading k vectors, in radians; within residual over gap (Davis & Kahan).
  private func angle(_ k: Int, _ size: Double, _ u: (Int) -> (Vector, Double), _ v: (Int) -> (Vector, Double), _ residuals: [Double]) throws(Failure) -> Figure {
    let outside = try Lines(k, n), g = try Lines(k, k), values = try Lines(1, k)
    // The sine by what of v lies outside span(u): the cosine is blind to small angles, and so are differences of squares.
    for a in 0 ..< k {
      copy(v(a).0, outside[a], n)
      for _ in 0 ..< 2 { for i in 0 ..< k { add(-dot(u(i).0, outside[a], n), u(i).0, to: outside[a], n) } }
    }
    for a in 0 ..< k { for b in 0 ..< k { g[a][b] = dot(outside[a], outside[b], n) } }
    try symmetricEigen(g.p, k, values.p, nil)
    let sine = min(max(values.p[k - 1], 0).squareRoot(), 1), gaps = [u(k - 1).1 - (k < n ? u(k).1 : 0), v(k - 1).1 - (k < n ? v(k).1 : 0)]
    // The next Ritz value may be off by as much as these.
    let doubt = zip(gaps, residuals).reduce(0.0) { s, x in
      let gap = x.0 - 2 * x.1, r = x.1 + 8 * unit * size
      return s + (gap > r ? asin(r / gap) : .infinity)
    }, a = asin(sine)
    return Figure(a, max(a - doubt, 0), min(a + doubt, Double.pi / 2))
  }

  /// (f(x) - f(x + p)) / (-g.p - p.B p / 2) for p = -(B + damping)⁻¹ g.
  private func decrease(_ op: Approximation) throws(Failure) -> Figure {
    let w = try Lines(4, n), shift = option("damping"), p = w[0]
    var residual = 0.0
    if isDense {
      let b: Dense
      if let kept = op.dense { b = kept } else {
        b = try Dense(op)
        op.dense = b
      }
      _ = solve(b, shift, p)
    } else {
      let inverse = Inverse(op, shift: shift, steps: 2 * max(Int(option("steps")), 20), unit: unit)
      try inverse.apply(gradient.p, p)
      residual = inverse.residual
    }
    scale(p, -1, n)
    try op.apply(p, w[1])
    for i in 0 ..< n { w[2][i] = point.p[i] + p[i] }
    let predicted = -dot(gradient.p, p, n) - dot(p, w[1], n) / 2, f = try moved(w[2], nil), actual = value - f
    _ = residual
    let noise = 8 * unit * (abs(value) + abs(f)), rho = actual / predicted
    return Figure(rho, (noise + 8 * unit * abs(rho) * norm(gradient.p, n) * norm(p, n)) / abs(predicted))
  }

  // MARK: by products

  private func estimated(_ op: Approximation, _ figure: String) throws(Failure) -> Figure {
    let probes = Int(option("probes")), steps = Int(option("steps")), shift = option("damping"), d = try Difference(op, hessian)
    switch figure {
    case "operator": return ratio(try d.spectralNorm(steps, seed, level, unit: unit), try self.figure("norm"))
    case "frobenius": return spread(try d.frobenius(probes, seed, level), try self.figure("frobenius"))
    case "trace", "trace_ratio":
      let e = try d.tracePlus(probes, seed, level), t = try self.figure("trace")
      if figure == "trace_ratio" {
        let r = 1 + e.value / t.value, half = (pow(e.half, 2) + pow(e.value / t.value * t.half, 2)).squareRoot() / abs(t.value)
        return Figure(r, half)
      }
      return spread(Figure(abs(e.value), max(abs(e.value) - e.half, 0), abs(e.value) + e.half), Figure(abs(t.value), t.half))
    case "diagonal": return spread(try d.diagonalNorm(max(probes, 10), seed, level), try hessian.diagonalNorm(max(probes, 10), seed, level))
    case "spectrum":
      let a = try extremes(op), l = try self.figure("smallest"), u = try self.figure("largest"), size = try self.figure("norm")
      func gap(_ x: Figure, _ y: Figure) -> Figure { Figure(abs(x.value - y.value), max(x.low - y.high, y.low - x.high, 0), max(x.high - y.low, y.high - x.low)) }
      let p = gap(a.0, l), q = gap(a.1, u)
      // What lies between the ends is no farther apart than ||B - H|| (Weyl).
      let all = try d.spectralNorm(steps, seed, level, unit: unit)
      return ratio(Figure(max(p.value, q.value), max(p.low, q.low), max(p.high, q.high, all.high)), size)
    case "newton_step":
      let a = Inverse(hessian, shift: shift, steps: 2 * steps, unit: unit), b = Inverse(op, shift: shift, steps: 2 * steps, unit: unit), x = try Lines(2, n)
      try a.apply(gradient.p, x[0])
      try b.apply(gradient.p, x[1])
      let s = norm(x[0], n)
      add(-1, x[0], to: x[1], n)
      let e = norm(x[1], n), doubt = a.residual / a.least + b.residual / b.least
      return s > 0 ? ratio(Figure(e, max(e - doubt, 0), e + doubt), Figure(s, max(s - a.residual / a.least, 0), s + a.residual / a.least)) : Figure(0, 0)
    case "decrease_ratio": return try decrease(op)
    case "preconditioner": return try generalized(op, shift)
    case "angle":
      let k = min(Int(option("top")), 32), a = try leading(hessian, k), b = try leading(op, k)
      guard a.sizes.count > k - 1, b.sizes.count > k - 1 else { return .unknown }
      return try angle(k, a.sizes[0], { (a.vectors[min($0, k - 1)], $0 < a.sizes.count ? a.sizes[$0] : 0) }, { (b.vectors[min($0, k - 1)], $0 < b.sizes.count ? b.sizes[$0] : 0) }, [a.residual, b.residual])
    case "covariance":
      let a = Inverse(hessian, shift: shift, steps: 2 * steps, unit: unit), b = Inverse(op, shift: shift, steps: 2 * steps, unit: unit)
      let e = try Difference(b, a).frobenius(max(probes / 4, 12), seed, level), s = try a.frobenius(max(probes / 4, 12), seed, level)
      return spread(e, s)
    default:
      // Of the same probes on both sides, whose scatter cancels.
      let x = try quadrature(op), y = try quadrature(hessian)
      func mean(_ r: (values: [Double], weights: [Double])) -> Double { (0 ..< r.values.count).reduce(0) { $0 + r.weights[$1] * log(max(r.values[$1] + shift, 1e-300)) } }
      return meanInterval(zip(x, y).map { (mean($1) - mean($0)) * Double(n) / 2 }, level, inflation: 1.25)
    }
  }
  /// a / b of two independent estimates.
  private func spread(_ a: Figure, _ b: Figure) -> Figure {
    guard b.value > 0 else { return ratio(a, b) }
    let r = a.value / b.value, low = a.value - a.low, high = a.high - a.value, other = r * b.half
    return Figure(r, max(r - (low * low + other * other).squareRoot() / b.value, 0), r + (high * high + other * other).squareRoot() / b.value)
  }
  /// The leading Ritz vectors by magnitude, one magnitude more, and the largest residual among them.
  private func leading(_ a: Operator, _ k: Int) throws(Failure) -> (vectors: Lines, sizes: [Double], residual: Double) {
    let l = try a.lanczos(Int(option("steps")), seed, 0, unit: unit), order = (0 ..< l.count).sorted { abs(l.values[$0]) > abs(l.values[$1]) }
    let v = try Lines(k, n)
    var r = 0.0
    for (i, o) in order.prefix(k + 1).enumerated() {
      if i < k { l.vector(o, v[i]) }
      r = max(r, l.residuals[o])
    }
    return (v, order.prefix(k + 1).map { abs(l.values[$0]) }, r)
  }
  /// The condition of B⁻¹ H by Lanczos in B's inner product; B positive definite.
  private func generalized(_ op: Operator, _ shift: Double) throws(Failure) -> Figure {
    let steps = min(Int(option("steps")), n), v = try Lines(steps + 1, n), bv = try Lines(steps + 1, n), w = try Lines(2, n)
    let inverse = Inverse(op, shift: shift, steps: 3 * steps, unit: unit)
    func b(_ x: Vector, _ y: Vector) throws(Failure) {
      try op.apply(x, y)
      add(shift, x, to: y, n)
    }
    seed.normal(v[0], n, 10, 0)
    try b(v[0], bv[0])
    var s = dot(v[0], bv[0], n), alpha: [Double] = [], beta: [Double] = []
    guard s > 0 else { return .unknown }
    scale(v[0], 1 / s.squareRoot(), n)
    scale(bv[0], 1 / s.squareRoot(), n)
    for j in 0 ..< steps {
      try hessian.apply(v[j], w[0])
      add(shift, v[j], to: w[0], n)
      alpha.append(dot(v[j], w[0], n))
      try inverse.apply(w[0], w[1])
      for _ in 0 ..< 2 { for i in 0 ... j { add(-dot(bv[i], w[1], n), v[i], to: w[1], n) } }
      copy(w[1], v[j + 1], n)
      try b(v[j + 1], bv[j + 1])
      s = dot(v[j + 1], bv[j + 1], n)
      guard s > -1e-12 else { return .unknown }
      let root = max(s, 0).squareRoot()
      beta.append(root)
      if root <= 1e-10 * (alpha.reduce(0) { max($0, abs($1)) }) { break }
      scale(v[j + 1], 1 / root, n)
      scale(bv[j + 1], 1 / root, n)
    }
    let m = alpha.count, d = try Lines(2, m), z = try Lines(m, m)
    for i in 0 ..< m {
      (d[0][i], d[1][i]) = (alpha[i], beta[i])
      z[i][i] = 1
    }
    try tridiagonalEigen(d[0], d[1], m, z.p, columns: m)
    var most = (0.0, 0.0), least = (Double.infinity, 0.0)
    for i in 0 ..< m {
      let t = abs(d[0][i]), r = abs(beta[m - 1] * z[i][m - 1])
      if t > most.0 { most = (t, r) }
      if t < least.0 { least = (t, r) }
    }
    // Ritz values lie inside the spectrum: the condition is no smaller than theirs, less what residuals say.
    return Figure(most.0 / least.0, max(most.0 - most.1, 0) / (least.0 + least.1), least.0 > least.1 ? (most.0 + most.1) / (least.0 - least.1) : .infinity)
  }
}

extension Operator {
  /// The norm of the diagonal, unbiased in its square: products of different probes' estimates; its interval by the jackknife.
  func diagonalNorm(_ m: Int, _ probes: Probes, _ level: Double) throws(Failure) -> Figure {
    let z = try Lines(m, n), d = try Lines(m, n), total = try Lines(1, n)
    for i in 0 ..< m { probes.rademacher(z[i], n, 11, i) }
    try apply(z, d, m)
    var own: [Double] = []
    for i in 0 ..< m {
      for j in 0 ..< n { d[i][j] *= z[i][j] }
      add(1, d[i], to: total.p, n)
      own.append(dot(d[i], d[i], n))
    }
    let all = dot(total.p, total.p, n), mine = own.reduce(0, +), k = Double(m)
    let square = (all - mine) / (k * (k - 1))
    var left: [Double] = []
    for i in 0 ..< m {
      let t = all - 2 * dot(total.p, d[i], n) + own[i]
      left.append((t - (mine - own[i])) / ((k - 1) * (k - 2)))
    }
    let mean = left.reduce(0, +) / k, variance = (k - 1) / k * left.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let half = 1.05 * studentCritical(level, m - 1) * variance.squareRoot()
    return Figure(max(square, 0).squareRoot(), max(square - half, 0).squareRoot(), max(square + half, 0).squareRoot())
  }
}
