import Runtime
import Glibc
package import Tape

/// Rounding of eigenvalues and entries of a matrix of n rows: errors of products and rotations add up like a random walk's steps (Higham & Mary 2019, "A new approach to
/// probabilistic rounding error analysis"). Errors of 180 matrices of
/// up to 256 rows, against extended precision and eigvalsh, were at most 0.6 of it.
func roundingNoise(_ n: Int, _ unit: Double, _ size: Double) -> Double { (8 + 4 * Double(n).squareRoot()) * unit * size }

/// The whole Hessian, symmetrized, with its eigenvalues (ascending) and eigenvectors (rows).
final class Dense {
  let h: Lines, values: Lines, vectors: Lines
  /// ||H - Hᵀ||_F / ||H||_F before: rounding.
  let skew: Double
  init(_ a: Operator) throws(Failure) {
    let n = a.n, units = try Lines(n, n)
    h = try Lines(n, n)
    values = try Lines(1, n)
    vectors = try Lines(n, n)
    for i in 0 ..< n { units[i][i] = 1 }
    try a.apply(units, h, n)
    var s = 0.0, all = 0.0
    for i in 0 ..< n {
      for j in 0 ... i {
        let m = (h[i][j] + h[j][i]) / 2, d = h[i][j] - h[j][i]
        guard m.isFinite else { throw Failure(.nonfinite, "curvature: a matrix is not finite at row \(i), column \(j)") }
        s += d * d
        all += (i == j ? 1 : 2) * m * m
        h[i][j] = m
        h[j][i] = m
      }
    }
    skew = all > 0 ? (s / all).squareRoot() : 0
    copy(h.p, units.p, n * n)
    try symmetricEigen(units.p, n, values.p, vectors.p)
  }
  func sum(_ f: (Double) -> Double) -> Double {
    var s = 0.0
    for i in 0 ..< values.n { s += f(values.p[i]) }
    return s
  }
  var frobenius: Double { norm(values.p, values.n) }
  func noise(_ unit: Double) -> Double { roundingNoise(values.n, unit, frobenius) }
  var size: Double { values.n == 0 ? 0 : max(abs(values.p[0]), abs(values.p[values.n - 1])) }
}

extension Curvature {
  package static let figureNames = ["value", "gradient_norm", "trace", "trace_hutchinson", "trace_hutch++", "trace_xtrace", "frobenius", "largest", "smallest", "norm", "condition",
                                    "negative", "log_determinant", "evidence", "asymmetry"]

  func whole() throws(Failure) -> Dense {
    if let dense { return dense }
    let d = try Dense(hessian)
    dense = d
    return d
  }

  package func figure(_ name: String) throws(Failure) -> Figure {
    try ready()
    if let known = cache.first(where: { $0.name == name }) { return known.figure }
    guard Curvature.figureNames.contains(name) else { throw Failure(.invalid, "curvature: no figure \"\(name)\"; there are \(Curvature.figureNames.joined(separator: ", "))") }
    let f = try computed(name)
    cache.append((name, f))
    return f
  }

  private func computed(_ name: String) throws(Failure) -> Figure {
    let probes = Int(option("probes"))
    switch name {
    case "value": return Figure(value, unit * abs(value))
    case "gradient_norm":
      let g = norm(gradient.p, n)
      return Figure(g, 4 * unit * g)
    case "trace_hutchinson": return try hessian.traceHutchinson(probes, seed, level)
    case "trace_hutch++" where n > 1: return try hessian.tracePlus(min(probes, 3 * (n - 1)), seed, level)
    case "trace_xtrace" where n > 5: return try hessian.traceExchange(min(probes, n), seed, level)
    case "asymmetry": return try asymmetry(hessian)
    case "evidence": return try evidence(nil)
    default: break
    }
    if isDense || name.hasPrefix("trace_") {
      let d = try whole(), noise = d.noise(unit)
      switch name {
      case "frobenius": return Figure(d.frobenius, noise)
      case "largest": return Figure(n == 0 ? 0 : d.values.p[n - 1], noise)
      case "smallest": return Figure(n == 0 ? 0 : d.values.p[0], noise)
      case "norm": return Figure(d.size, noise)
      case "condition":
        let least = d.values.n == 0 ? 0 : (0 ..< n).reduce(Double.infinity) { min($0, abs(d.values.p[$1])) }
        return Figure(d.size / least, (d.size - noise) / (least + noise), least > noise ? (d.size + noise) / (least - noise) : .infinity)
      case "negative": return Figure(n == 0 ? 0 : d.sum { $0 < 0 ? 1 : 0 } / Double(n), n == 0 ? 0 : d.sum { $0 < -noise ? 1 : 0 } / Double(n), n == 0 ? 0 : d.sum { $0 < noise ? 1 : 0 } / Double(n))
      case "log_determinant": return determinant(d, shift: option("damping"))
      default: return Figure(d.sum { $0 }, noise * Double(n).squareRoot())
      }
    }
    switch name {
    case "frobenius": return try hessian.frobenius(probes, seed, level)
    case "largest", "smallest", "norm", "condition":
      let (a, b) = try extremes(hessian)
      cache.append(("smallest", a))
      cache.append(("largest", b))
      let size = Curvature.larger(a, b)
      if name == "norm" { return size }
      // Of a definite matrix; an eigenvalue inside the spectrum may be as small as any.
      if name == "condition" {
        let least = a.low > 0 ? a : b.high < 0 ? b.scaled(-1) : Figure(a.value > 0 ? a.value : 0, 0, max(a.high, 0))
        return Figure(least.value > 0 ? size.value / least.value : .infinity, least.high > 0 ? size.low / least.high : 1, least.low > 0 ? size.high / least.low : .infinity)
      }
      return name == "largest" ? b : a
    case "negative": return try spectralMean(hessian, shift: 0) { $0 < 0 ? 1 : 0 }
    case "log_determinant": return try spectralMean(hessian, shift: option("damping")) { log(abs($0)) }.scaled(Double(n))
    default: return try hessian.traceExchange(probes, seed, level)
    }
  }

  func determinant(_ d: Dense, shift: Double) -> Figure {
    let noise = d.noise(unit)
    var s = 0.0, half = 0.0
    for i in 0 ..< n {
      let l = abs(d.values.p[i] + shift)
      s += log(l)
      half += l > noise ? -log(1 - noise / l) : .infinity
    }
    return Figure(s, half)
  }

  func extremes(_ a: Operator) throws(Failure) -> (Figure, Figure) {
    let e = try a.lanczos(Int(option("steps")), seed, 0, unit: unit).extremes(level)
    return (e.smallest, e.largest)
  }

  /// |uᵀ A v - vᵀ A u| beside their size, of two probes.
  func asymmetry(_ a: Operator) throws(Failure) -> Figure {
    let b = try Lines(4, n)
    seed.normal(b[0], n, 7, 0)
    seed.normal(b[1], n, 7, 1)
    try a.apply(b[0], b[2])
    try a.apply(b[1], b[3])
    let x = dot(b[1], b[2], n), y = dot(b[0], b[3], n), size = max(norm(b[2], n) * norm(b[1], n), norm(b[3], n) * norm(b[0], n))
    return Figure(size > 0 ? abs(x - y) / size : 0, 0)
  }

  /// Runs of Lanczos for quadrature.
  func quadrature(_ a: Operator) throws(Failure) -> [(values: [Double], weights: [Double])] {
    var runs: [(values: [Double], weights: [Double])] = []
    for i in 0 ..< max(Int(option("probes")) / 5, 8) {
      // The basis goes at once: it is as large as all else.
      let l = try a.lanczos(Int(option("steps")), seed, 1 + i, unit: unit)
      runs.append((l.values, l.weights))
    }
    return runs
  }
  /// The mean of f over the spectrum of A + shift by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017).
  func spectralMean(_ a: Operator, shift: Double, _ f: (Double) -> Double) throws(Failure) -> Figure {
    let runs = try quadrature(a)
    return spectralInterval(runs, level) { f($0 + shift) }
  }
  /// The variance also by the mean of f²: 2 / (n + 2) (mean f² - (mean f)²) over the sphere.
  private func spectralInterval(_ runs: [(values: [Double], weights: [Double])], _ level: Double, _ f: (Double) -> Double) -> Figure {
    var each: [Double] = [], mean = 0.0, squares = 0.0
    for r in runs {
      var s = 0.0
      for i in 0 ..< r.values.count {
        let v = f(r.values[i])
        s += r.weights[i] * v
        squares += r.weights[i] * v * v / Double(runs.count)
      }
      each.append(s)
      mean += s / Double(runs.count)
    }
    return meanInterval(each, level, inflation: Inflation.density, variance: 2 / Double(n + 2) * max(squares - mean * mean, 0))
  }

  /// The density of eigenvalues (its integral is 1), smoothed by a Gaussian of `smoothing` of the spread, at `count` places that cover it.
  package func density(_ count: Int, _ grid: UnsafeMutablePointer<Double>, _ out: UnsafeMutablePointer<Double>, _ low: UnsafeMutablePointer<Double>, _ high: UnsafeMutablePointer<Double>) throws(Failure) {
    try ready()
    guard count > 1, count <= 1 << 20 else { throw Failure(.invalid, "curvature: a density at \(UInt(bitPattern: count)) places; 2 to 1048576 are taken") }
    var measures: [(values: [Double], weights: [Double])] = []
    if isDense {
      let d = try whole()
      measures = [((0 ..< n).map { d.values.p[$0] }, [Double](repeating: 1 / Double(max(n, 1)), count: n))]
    } else {
      measures = try quadrature(hessian)
    }
    var a = Double.infinity, b = -Double.infinity
    for m in measures { for v in m.values { (a, b) = (min(a, v), max(b, v)) } }
    if !(a <= b) { (a, b) = (0, 0) }
    let spread = b > a ? b - a : max(abs(b), 1e-300), s = max(option("smoothing"), 1e-6) * spread
    (a, b) = (a - 4 * s, b + 4 * s)
    for k in 0 ..< count {
      let x = a + (b - a) * Double(k) / Double(count - 1)
      let f = spectralInterval(measures, level) { v in
        let u = (x - v) / s
        return exp(-u * u / 2) / (s * (2 * Double.pi).squareRoot())
      }
      (grid[k], out[k], low[k], high[k]) = (x, f.value, measures.count > 1 ? max(f.low, 0) : f.value, measures.count > 1 ? f.high : f.value)
    }
  }

  /// Eigenvalues (all of a small matrix; else Ritz values), ascending, each with an eigenvalue within `residuals`.
  package func eigenvalues() throws(Failure) -> (values: [Double], residuals: [Double]) {
    try ready()
    if isDense {
      let d = try whole(), noise = d.noise(unit)
      return ((0 ..< n).map { d.values.p[$0] }, [Double](repeating: noise, count: n))
    }
    let r = try hessian.lanczos(Int(option("steps")), seed, 0, unit: unit)
    return (r.values, r.residuals)
  }

  /// The diagonal and the half widths of its intervals.
  package func diagonal(_ d: UnsafeMutablePointer<Double>, _ half: UnsafeMutablePointer<Double>) throws(Failure) {
    try ready()
    if isDense || n <= 6 {
      let w = try whole(), noise = w.noise(unit)
      for i in 0 ..< n { (d[i], half[i]) = (w.h[i][i], noise) }
    } else { try hessian.diagonal(min(Int(option("probes")), n), seed, level, d, half) }
  }

  /// The evidence of Laplace's approximation: log of the integral of exp(-f), with a Gaussian prior of precision "damping" round 0 where that is not 0; of `b` in place of H.
  func evidence(_ b: Operator?) throws(Failure) -> Figure {
    let shift = option("damping"), m = b ?? hessian
    let f: Figure
    if isDense {
      let d = b == nil ? try whole() : try Dense(m)
      if n > 0, d.values.p[0] + shift <= 0 { return Figure.unknown }
      f = determinant(d, shift: shift)
    } else { f = try spectralMean(m, shift: shift) { log(max($0, 1e-300)) }.scaled(Double(n)) }
    let prior = shift > 0 ? Double(n) / 2 * log(shift) - shift / 2 * dot(point.p, point.p, n) : Double(n) / 2 * log(2 * Double.pi)
    let base = -value + prior
    return Figure(base - f.value / 2, base - f.high / 2, base - f.low / 2)
  }

  /// Variances of Laplace's posterior: the diagonal of (H + damping)⁻¹, with half widths.
  package func posterior(_ v: UnsafeMutablePointer<Double>, _ half: UnsafeMutablePointer<Double>) throws(Failure) {
    try ready()
    let shift = option("damping")
    if isDense {
      let d = try whole(), noise = d.noise(unit)
      guard n == 0 || d.values.p[0] + shift > noise else { throw Failure(.nonfinite, "curvature: H + damping is not positive definite (smallest eigenvalue \(n == 0 ? 0 : d.values.p[0])); there is no Gaussian posterior") }
      for i in 0 ..< n { (v[i], half[i]) = (0, 0) }
      for k in 0 ..< n {
        let l = d.values.p[k] + shift, row = d.vectors[k]
        for i in 0 ..< n {
          v[i] += row[i] * row[i] / l
          half[i] += row[i] * row[i] * noise / (l * (l - noise))
        }
      }
      return
    }
    let inverse = Inverse(hessian, shift: shift, steps: max(Int(option("steps")), 20) * 2, unit: unit)
    try inverse.diagonal(min(Int(option("probes")), 24), seed, level, v, half)
  }
}

/// (A + shift)⁻¹ by minimal residuals over a Lanczos basis.
final class Inverse: Operator {
  let a: Operator, shift: Double, steps: Int, unit: Double
  private(set) var residual = 0.0, least = 0.0
  init(_ a: Operator, shift: Double, steps: Int, unit: Double) {
    (self.a, self.shift, self.steps, self.unit) = (a, shift, steps, unit)
    super.init(a.n)
  }
  override func apply(_ v: Vector, _ w: Vector) throws(Failure) {
    let size = norm(v, n)
    w.update(repeating: 0, count: n)
    (residual, least) = (0, .infinity)
    guard size > 0 else { return }
    let l = try Lanczos(a, v, steps: steps, unit: unit), m = l.count
    var largest = 0.0
    for t in l.values {
      least = min(least, abs(t + shift))
      largest = max(largest, abs(t + shift))
    }
    // The (m + 1) x m least squares problem by Givens rotations.
    let r = try Lines(m + 1, 3), rhs = try Lines(1, m + 1), y = try Lines(1, m)
    rhs.p[0] = size
    // Row j of R: entries j, j + 1, j + 2.
    var c1 = 1.0, s1 = 0.0, c2 = 1.0, s2 = 0.0
    for j in 0 ..< m {
      let above = j > 0 ? l.beta[j - 1] : 0, d = l.alpha[j] + shift, below = l.isClosed && j == m - 1 ? 0 : l.beta[j]
      let up2 = s2 * above, mid = c2 * above
      let up1 = c1 * mid + s1 * d, dd = c1 * d - s1 * mid
      if j > 1 { r[j - 2][2] = up2 }
      if j > 0 { r[j - 1][1] = up1 }
      let rho = hypot(dd, below)
      (c2, s2) = (c1, s1)
      (c1, s1) = rho > 0 ? (dd / rho, below / rho) : (1, 0)
      r[j][0] = rho
      let t = rhs.p[j]
      rhs.p[j] = c1 * t
      rhs.p[j + 1] = -s1 * t
    }
    residual = abs(rhs.p[m])
    for j in (0 ..< m).reversed() {
      var t = rhs.p[j]
      if j + 1 < m { t -= r[j][1] * y.p[j + 1] }
      if j + 2 < m { t -= r[j][2] * y.p[j + 2] }
      y.p[j] = r[j][0] > 1e-14 * largest ? t / r[j][0] : 0
      add(y.p[j], l.basis[j], to: w, n)
    }
  }
}
