import Runtime
import Glibc
import Tape

/// Lanczos with full re-orthogonalisation, twice at each step: Ritz values, ascending, each within `residuals[i]` of an eigenvalue (rigorous up to rounding); weights are the
/// squares of the first entries (Gauss quadrature of the start's spectral measure).
struct Lanczos {
  private(set) var count = 0
  private(set) var values: [Double] = [], residuals: [Double] = [], weights: [Double] = []
  /// The basis (rows) and the Ritz vectors in it (rows); what is left of the last product; ||QᵀQ - I|| by its largest entry.
  let basis: Lines
  private(set) var inside: Lines?
  private(set) var alpha: [Double] = [], beta: [Double] = []
  private(set) var looseness = 0.0
  /// Of rounding, in values and residuals.
  private(set) var noise = 0.0
  /// The Krylov space is all that the start reaches: values are eigenvalues.
  private(set) var isClosed = false

  init(_ a: Operator, _ start: Vector, steps: Int, unit: Double) throws(Failure) {
    let n = a.n, m = min(max(steps, 1), max(n, 1))
    basis = try Lines(m, n)
    let w = try Lines(1, n), s = norm(start, n)
    guard s > 0, s.isFinite, n > 0 else { return }
    for i in 0 ..< n { basis[0][i] = start[i] / s }
    var size = 0.0
    for j in 0 ..< m {
      try a.apply(basis[j], w.p)
      let al = dot(w.p, basis[j], n)
      guard al.isFinite else { throw Failure(.nonfinite, "curvature: a product with the Hessian is not finite") }
      alpha.append(al)
      count = j + 1
      for _ in 0 ..< 2 { for i in 0 ... j { add(-dot(w.p, basis[i], n), basis[i], to: w.p, n) } }
      let b = norm(w.p, n)
      size = max(size, abs(al) + b + (beta.last ?? 0))
      beta.append(b)
      if j + 1 == n || b <= max(pow(unit, 2.0 / 3), 4 * unit * Double(n).squareRoot()) * size {
        isClosed = true
        break
      }
      if j + 1 < m { for i in 0 ..< n { basis[j + 1][i] = w.p[i] / b } }
    }
    for j in 0 ..< count { for i in 0 ..< j { looseness = max(looseness, abs(dot(basis[i], basis[j], n))) } }
    let d = try Lines(2, count), v = try Lines(count, count)
    for i in 0 ..< count {
      d[0][i] = alpha[i]
      d[1][i] = beta[i]
      v[i][i] = 1
    }
    try tridiagonalEigen(d[0], d[1], count, v.p, columns: count)
    noise = roundingNoise(n, unit, size)
    for i in 0 ..< count {
      values.append(d[0][i])
      residuals.append(abs(beta[count - 1] * v[i][count - 1]) + noise)
      weights.append(v[i][0] * v[i][0])
    }
    inside = v
  }

  /// Ritz vector i in R^n.
  func vector(_ i: Int, _ out: Vector) {
    out.update(repeating: 0, count: basis.n)
    for j in 0 ..< count { add(inside.unsafelyUnwrapped[i][j], basis[j], to: out, basis.n) }
  }

  /// The extreme eigenvalues. They are no less extreme than the Ritz values; how much more, holds with probability `level` over the start
  /// (Kuczyński & Woźniakowski 1992, theorem 4.2: P(loss > e of the spread) <= 1.648 sqrt(n) exp(-sqrt(e) (2 m - 1)), at either end).
  func extremes(_ level: Double) -> (smallest: Figure, largest: Figure) {
    guard let a = values.first, let b = values.last, let ra = residuals.first, let rb = residuals.last else { return (Figure(0, 0), Figure(0, 0)) }
    if isClosed, count == basis.n { return (Figure(a, noise), Figure(b, noise)) }
    let n = Double(basis.n), x = log(1.648 * n.squareRoot() * 2 / (1 - level)) / Double(2 * count - 1), e = x * x
    let more = isClosed ? noise : e < 0.5 ? e * (b - a + ra + rb) / (1 - 2 * e) : .infinity
    return (Figure(a, a - max(more, noise), a + noise), Figure(b, b - noise, b + max(more, noise)))
  }
}

extension Operator {
  /// From a random direction.
  func lanczos(_ steps: Int, _ probes: Probes, _ i: Int, unit: Double) throws(Failure) -> Lanczos {
    let s = try Lines(1, n)
    probes.normal(s.p, n, 6, i)
    return try Lanczos(self, s.p, steps: steps, unit: unit)
  }
  /// ||A||_2.
  func spectralNorm(_ steps: Int, _ probes: Probes, _ level: Double, unit: Double) throws(Failure) -> Figure {
    let (a, b) = try lanczos(steps, probes, 0, unit: unit).extremes(level)
    return Curvature.larger(a, b)
  }
}

extension Curvature {
  /// The larger of two ends' magnitudes.
  static func larger(_ a: Figure, _ b: Figure) -> Figure {
    let x = a.value < 0 ? a.scaled(-1) : Figure(abs(a.value), max(a.low, 0), max(abs(a.low), abs(a.high)))
    let y = b.value < 0 ? Figure(abs(b.value), 0, max(abs(b.low), abs(b.high))) : Figure(b.value, max(b.low, 0), b.high)
    return Figure(max(x.value, y.value), max(x.low, y.low), max(x.high, y.high))
  }
}
