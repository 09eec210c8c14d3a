import Glibc
import Runtime
import Tape

/// A matrix that stands in for the Hessian: its products, and what is known of its making.
class Approximation: Operator {
  let name: String
  unowned let c: Curvature
  init(_ name: String, _ c: Curvature) {
    (self.name, self.c) = (name, c)
    super.init(c.n)
  }
  /// The whole of it, once that was asked for.
  var dense: Dense?
  /// What it keeps of a point goes.
  func forget() { dense = nil }
  func prepare() throws(Failure) {}
  /// Figures of its own, by name.
  func own(_ figure: String) throws(Failure) -> Figure? { nil }
  var ownNames: [String] { [] }
  /// One entry a pair, of secants.
  func pair(_ i: Int) -> Pair? { nil }
  /// Products by the host are checked for symmetry.
  var isGiven: Bool { false }
}

/// A diagonal: the host's, or the Hessian's own.
final class DiagonalApproximation: Approximation {
  private let d: Lines, given: Bool
  private var known: Bool
  init(_ name: String, _ c: Curvature, _ values: UnsafePointer<Double>?) throws(Failure) {
    d = try Lines(1, c.n)
    given = values != nil
    known = given
    if let values { d.p.update(from: values, count: c.n) }
    super.init(name, c)
  }
  override func forget() {
    super.forget()
    known = given
  }
  override func prepare() throws(Failure) {
    if known { return }
    let half = try Lines(1, n)
    try c.diagonal(d.p, half.p)
    known = true
  }
  override func apply(_ v: Vector, _ w: Vector) throws(Failure) { for i in 0 ..< n { w[i] = d.p[i] * v[i] } }
}

final class MatrixApproximation: Approximation {
  private let b: Lines
  init(_ name: String, _ c: Curvature, _ rows: UnsafePointer<Double>) throws(Failure) {
    b = try Lines(c.n, c.n)
    b.p.update(from: rows, count: c.n * c.n)
    super.init(name, c)
  }
  override func apply(_ v: Vector, _ w: Vector) throws(Failure) { for i in 0 ..< n { w[i] = dot(b[i], v, n) } }
  override var isGiven: Bool { true }
}

/// By the host's own products.
final class CallbackApproximation: Approximation {
  private let f: (UnsafePointer<Double>, UnsafeMutablePointer<Double>) -> Failure?
  init(_ name: String, _ c: Curvature, _ f: @escaping (UnsafePointer<Double>, UnsafeMutablePointer<Double>) -> Failure?) {
    self.f = f
    super.init(name, c)
  }
  override func apply(_ v: Vector, _ w: Vector) throws(Failure) { if let e = f(UnsafePointer(v), w) { throw e } }
  override var isGiven: Bool { true }
}

/// Differences of the exact gradient with an automatic step (NUMERICS 9): the step balances the gradient's noise, which is measured (Moré & Wild 2011), against the truncation.
final class DifferencesApproximation: Approximation {
  private let central: Bool
  private var noise = -1.0, stretch = 1.0
  private let work: Lines
  init(_ name: String, _ c: Curvature, central: Bool) throws(Failure) {
    self.central = central
    work = try Lines(3, c.n)
    super.init(name, c)
  }
  override func forget() {
    super.forget()
    noise = -1
  }
  /// The size that noise is relative to: the gradient's, or that of its change over the reach of x where that is larger (at a minimum the gradient is all noise).
  private var scale = 0.0
  override func prepare() throws(Failure) {
    if noise >= 0 { return }
    noise = try c.gradientNoise()
    let v = work[0], w = work[1]
    c.seed.normal(v, n, 12, 0)
    try c.product(v, w)
    let size = norm(v, n)
    scale = max(norm(c.gradient.p, n), size > 0 ? norm(w, n) / size * (1 + norm(c.point.p, n)) : 0)
  }
  private func step(_ v: Vector) -> Double {
    let size = norm(v, n)
    // The relative noise stands for the unit roundoff where it is larger.
    let u = max(c.unit, min(scale > 0 ? noise / scale : 0, 1e-2)), reach = 1 + norm(c.point.p, n)
    return size > 0 ? (central ? Glibc.cbrt(u) : 2 * u.squareRoot()) * reach / size : 1
  }
  override func apply(_ v: Vector, _ w: Vector) throws(Failure) {
    try prepare()
    var h = step(v) * stretch
    // A power of two changes no bit of v.
    h = Double(sign: .plus, exponent: h.exponent, significand: 1)
    let x = work[0], a = work[1]
    for i in 0 ..< n { x[i] = c.point.p[i] + h * v[i] }
    _ = try c.moved(x, w)
    if central {
      for i in 0 ..< n { x[i] = c.point.p[i] - h * v[i] }
      _ = try c.moved(x, a)
      for i in 0 ..< n { w[i] = (w[i] - a[i]) / (2 * h) }
    } else { for i in 0 ..< n { w[i] = (w[i] - c.gradient.p[i]) / h } }
  }
  override var ownNames: [String] { ["noise", "step", "predicted"] }
  override func own(_ figure: String) throws(Failure) -> Figure? {
    try prepare()
    let v = try Lines(3, n)
    c.seed.normal(v[0], n, 8, 0)
    switch figure {
    case "noise": return Figure(noise, 0, noise * 4)
    case "step": return Figure(step(v[0]) * norm(v[0], n), 0)
    case "predicted":
      // Noise over the step, and the truncation by differences over twice the step, relative to the product.
      let h = step(v[0]), factor = central ? 4.0 : 2
      try apply(v[0], v[1])
      stretch = 2
      defer { stretch = 1 }
      try apply(v[0], v[2])
      add(-1, v[1], to: v[2], n)
      let size = norm(v[1], n), all = (central ? noise / h / 2.0.squareRoot() : noise * 2.0.squareRoot() / h) + norm(v[2], n) / (factor - 1)
      return Figure(size > 0 ? all / size : 0, 0, size > 0 ? 4 * all / size : 0)
    default: return nil
    }
  }
}

extension Curvature {
  /// The norm of the gradient's noise at the point: differences of high order along a short line see only what is not smooth (Moré & Wild, Estimating computational
  /// noise, SIAM J. Sci. Comput. 33, 2011), here over all components at once.
  func gradientNoise() throws(Failure) -> Double {
    let m = 7, rows = try Lines(m, n), d = try Lines(2, n), reach = 1 + norm(point.p, n)
    seed.rademacher(d[0], n, 9, 0)
    let root = Double(max(n, 1)).squareRoot(), h = max(unit * 64, 1e-13) * reach / root
    for k in 0 ..< m {
      for i in 0 ..< n { d[1][i] = point.p[i] + Double(k - m / 2) * h * d[0][i] }
      _ = try moved(d[1], rows[k])
    }
    var weight = 1.0, best = Double.infinity
    for k in 1 ..< m {
      var s = 0.0
      for j in 0 ..< m - k {
        add(-1, rows[j + 1], to: rows[j], n)
        s += dot(rows[j], rows[j], n)
      }
      weight *= Double(k * k) / Double((2 * k) * (2 * k - 1))
      if k >= 3 { best = min(best, (weight * s / Double(m - k)).squareRoot()) }
    }
    return max(best, 0.3 * unit * norm(gradient.p, n))
  }
}
