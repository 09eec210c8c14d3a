import Runtime
import Tape

/// Damping × the linearised residuals, solved by orthogonal factors: Levenberg (1944), Marquardt (1963), in the form of Moré (1978): a radius in the scaled variables
/// fixes the damping, columns are scaled by the largest norm that they have had, and the normal equations are never formed.
final class Marquardt: Strategy {
  static let defaults: [(String, Double)] = [("value_tolerance", 1e-24), ("radius_factor", 100)]
  private let problem: Problem, box: OptionBox, n: Int, m: Int
  private let vectors = Vectors()
  let x: Vector
  private let r: Vector, j: Vector, q: Vector, trial: Vector, nextResiduals: Vector, gradient: Vector, scaling: Vector, p: Vector
  private let factor: OrthogonalFactor
  private var radius = 0.0, damping = 0.0
  /// Iterations so far, and those at the end whose values differ by rounding alone.
  private var count = 0, quiet = 0
  private(set) var entry = Entry()

  init(_ problem: Problem, _ box: OptionBox) throws(Failure) {
    self.problem = problem
    self.box = box
    (n, m) = (problem.n, problem.m)
    guard n == 0 || (m + n) < (1 << 40) / n else { throw Failure(.memory, "least_squares: a Jacobian of \(m) x \(n) numbers is too large; \"gauss-newton-cg\" makes none") }
    x = try vectors.make(n)
    trial = try vectors.make(n)
    gradient = try vectors.make(n)
    scaling = try vectors.make(n)
    p = try vectors.make(n)
    r = try vectors.make(m)
    nextResiduals = try vectors.make(m)
    q = try vectors.make(m)
    j = try vectors.make(m * n)
    factor = try OrthogonalFactor(m, n)
  }

  private func note(_ step: Double) {
    entry.gradient = largest(gradient, n)
    entry.step = step
    entry.control = damping
    entry.evaluations = problem.evaluations
    entry.products = problem.products
  }
  /// Largest cosine between the residuals and a column.
  private func cosine() -> Double {
    let length = norm(r, m)
    var c = 0.0
    for k in 0 ..< n where factor.norms[k] > 0 && length > 0 { c = max(c, abs(gradient[k]) / (factor.norms[k] * length)) }
    return c
  }
  /// J, its factor and the gradient at x, where `r` are the residuals.
  private func linearize() throws(Failure) {
    try problem.jacobian(j)
    for k in 0 ..< n { gradient[k] = 0 }
    for i in 0 ..< m { add(r[i], j + i * n, to: gradient, n) }
    copy(r, q, m)
    factor.set(j, q)
  }

  func begin() throws(Failure) -> Outcome? {
    entry = Entry()
    (damping, count, quiet) = (0, 0, 0)
    try problem.evaluate(x, r)
    entry.value = 0.5 * dot(r, r, m)
    guard entry.value.isFinite else { return .nonfinite }
    try linearize()
    note(0)
    guard entry.gradient.isFinite else { return .nonfinite }
    for k in 0 ..< n { scaling[k] = factor.norms[k] > 0 ? factor.norms[k] : 1 }
    let length = scaled(x)
    radius = max(box["radius_factor"], 1e-3) * (length > 0 ? length : 1)
    return isFlat ? .converged : nil
  }
  private var isFlat: Bool { entry.value == 0 || cosine() <= box["gradient_tolerance"] * 1e-4 }

  private func scaled(_ v: Vector) -> Double {
    var s = 0.0
    for k in 0 ..< n { s += (scaling[k] * v[k]) * (scaling[k] * v[k]) }
    return s.squareRoot()
  }

  func step() throws(Failure) -> Outcome? {
    damping = factor.solve(q, scaling, radius, damping, p)
    let length = scaled(p)
    guard length.isFinite else { return .stalled }
    if count == 0 { radius = min(radius, length) }
    count += 1
    sum(x, -1, p, trial, n)
    try problem.evaluate(trial, nextResiduals)
    let value = 0.5 * dot(nextResiduals, nextResiduals, m)
    // |Jp|² / 2 + λ|Dp|² is what the model gains, in sums that do not cancel (Moré, eq. 4.4).
    let slope = factor.image(p), predicted = 0.5 * slope * slope + damping * length * length, actual = entry.value - value
    // Values closer than their rounding errors tell nothing: the model is then believed.
    let noise = 1e-14 * entry.value, ratio = value.isFinite && predicted > 0 ? (actual + noise) / (predicted + noise) : -1
    if ratio <= 0.25 {
      let along = -(slope * slope + damping * length * length)
      let shrink = actual >= 0 || !value.isFinite ? 0.5 : 0.5 * along / (along + actual)
      let factor = value.isFinite && 0.1 * value.squareRoot() < entry.value.squareRoot() ? min(max(shrink, 0.1), 0.5) : 0.1
      radius = factor * min(radius, length * 10)
      damping /= factor
    } else if damping == 0 || ratio >= 0.75 {
      radius = 2 * length
      damping *= 0.5
    }
    let size = scaled(x)
    if ratio >= 1e-4, value.isFinite {
      let before = norm(gradient, n)
      swapPoints()
      try linearize()
      if abs(actual) > noise || norm(gradient, n) < before {
        quiet = abs(actual) <= noise ? quiet + 1 : 0
        entry.value = value
        for k in 0 ..< n { scaling[k] = max(scaling[k], factor.norms[k]) }
        note(norm(p, n))
        guard entry.gradient.isFinite else { return .stalled }
        if isFlat { return .converged }
        if length <= box["step_tolerance"] * size { return .smallStep }
        return predicted <= box["value_tolerance"] * entry.value || quiet > 10 ? .smallStep : nil
      }
      // No lower and no flatter: the step was too long.
      swapPoints()
      try problem.evaluate(x, r)
      try linearize()
      radius = 0.25 * min(radius, length)
    }
    note(0)
    return !(predicted > 0) || radius <= box["step_tolerance"] * max(size, 1e-300) ? .stalled : nil
  }

  private func swapPoints() {
    for k in 0 ..< n { (x[k], trial[k]) = (trial[k], x[k]) }
    for i in 0 ..< m { (r[i], nextResiduals[i]) = (nextResiduals[i], r[i]) }
  }
}
