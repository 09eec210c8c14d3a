import Runtime
import Glibc
import Tape

/// The quadratic model at a point: its value, gradient and curvature along a vector.
protocol Model: AnyObject {
  var problem: Problem { get }
  /// The value and gradient at x; products are at the last x asked for.
  func evaluate(_ x: Vector, _ gradient: Vector) throws(Failure) -> Double
  func curvature(_ v: Vector, _ product: Vector) throws(Failure)
}

final class ExactHessian: Model {
  let problem: Problem
  private let vectors = Vectors()
  private let number: Vector
  init(_ p: Problem) throws(Failure) {
    problem = p
    number = try vectors.make(1)
  }
  func evaluate(_ x: Vector, _ gradient: Vector) throws(Failure) -> Double {
    try problem.evaluate(x, number, gradient)
    return number[0]
  }
  func curvature(_ v: Vector, _ product: Vector) throws(Failure) { try problem.product(v, product) }
}

/// JᵀJ of residuals, never formed: value |r|²/2, gradient Jᵀr.
final class GaussNewton: Model {
  let problem: Problem
  private let vectors = Vectors()
  private let residuals: Vector, along: Vector
  init(_ p: Problem) throws(Failure) {
    problem = p
    residuals = try vectors.make(p.m)
    along = try vectors.make(p.m)
  }
  func evaluate(_ x: Vector, _ gradient: Vector) throws(Failure) -> Double {
    try problem.evaluate(x, residuals)
    try problem.transposed(residuals, gradient)
    return 0.5 * dot(residuals, residuals, problem.m)
  }
  func curvature(_ v: Vector, _ product: Vector) throws(Failure) {
    try problem.product(v, along)
    try problem.transposed(along, product)
  }
}

/// Trust region × conjugate gradients: Steihaug (1983); Conn, Gould & Toint, Trust-Region Methods (2000), §7.5 and, for values that differ by rounding alone, §17.4.2.
/// The Hessian is met only as products, exact ones.
final class TrustRegion: Strategy {
  static let defaults: [(String, Double)] = [("radius", 0), ("largest_radius", 1e10), ("products_a_step", 0)]
  private let model: any Model, box: OptionBox, n: Int
  private let vectors = Vectors()
  let x: Vector
  private let gradient: Vector, trial: Vector, nextGradient: Vector, p: Vector, r: Vector, d: Vector, hd: Vector
  private var radius = 0.0
  /// The model's products are at x.
  private var isHere = false
  private(set) var entry = Entry()

  init(_ m: any Model, _ box: OptionBox) throws(Failure) {
    model = m
    self.box = box
    n = m.problem.n
    x = try vectors.make(n)
    gradient = try vectors.make(n)
    trial = try vectors.make(n)
    nextGradient = try vectors.make(n)
    p = try vectors.make(n)
    r = try vectors.make(n)
    d = try vectors.make(n)
    hd = try vectors.make(n)
  }

  private func note(_ step: Double) {
    entry.gradient = largest(gradient, n)
    entry.step = step
    entry.control = radius
    entry.evaluations = model.problem.evaluations
    entry.products = model.problem.products
  }
  private var isFlat: Bool { entry.gradient <= box["gradient_tolerance"] * max(1, abs(entry.value)) }

  func begin() throws(Failure) -> Outcome? {
    entry = Entry()
    entry.value = try model.evaluate(x, gradient)
    isHere = true
    radius = box["radius"] > 0 ? box["radius"] : max(1, 0.1 * norm(x, n))
    note(0)
    guard entry.value.isFinite, entry.gradient.isFinite else { return .nonfinite }
    return isFlat ? .converged : nil
  }

  func step() throws(Failure) -> Outcome? {
    if !isHere {
      _ = try model.evaluate(x, nextGradient)
      isHere = true
    }
    let (predicted, isAtBorder) = try subproblem()
    let length = norm(p, n)
    guard predicted > 0, length.isFinite else {
      // Nothing to gain, or products that are not finite: nearer, or never.
      radius = min(radius, length.isFinite && length > 0 ? length : radius) * 0.25
      return radius <= box["step_tolerance"] * max(norm(x, n), 1e-300) ? .stalled : nil
    }
    sum(x, 1, p, trial, n)
    let value = try model.evaluate(trial, nextGradient)
    isHere = false
    let noise = 1e-15 * max(abs(entry.value), abs(value)) * 10
    let ratio = value.isFinite && largest(nextGradient, n).isFinite ? (entry.value - value + noise) / (predicted + noise) : -1
    if ratio < 0.25 { radius = 0.25 * length } else if ratio > 0.75, isAtBorder { radius = min(2 * radius, box["largest_radius"]) }
    // Where values are equal but for rounding, the gradient decides.
    let isLower = value < entry.value - noise || norm(nextGradient, n) < norm(gradient, n)
    guard ratio > 1e-4, isLower else {
      if !isLower { radius = min(radius, 0.25 * length) }
      note(0)
      return radius <= box["step_tolerance"] * max(norm(x, n), 1e-300) || predicted <= noise && !(value < entry.value) ? .stalled : nil
    }
    copy(trial, x, n)
    copy(nextGradient, gradient, n)
    isHere = true
    entry.value = value
    note(length)
    if isFlat { return .converged }
    if value < -1e300 { return .unbounded }
    return length <= box["step_tolerance"] * max(norm(x, n), 1e-300) ? .smallStep : nil
  }

  /// p: minimises g·p + p·Hp/2 within the radius; what the model gains, and whether the border was met.
  private func subproblem() throws(Failure) -> (Double, Bool) {
    let length = norm(gradient, n), enough = min(0.5, length.squareRoot()) * length
    let most = box["products_a_step"] > 0 ? Int(min(box["products_a_step"], 1e9)) : max(2 * n, 20)
    var rr = dot(gradient, gradient, n), gain = 0.0
    for i in 0 ..< n { (p[i], r[i], d[i]) = (0, gradient[i], -gradient[i]) }
    for _ in 0 ..< most {
      try model.curvature(d, hd)
      let dhd = dot(d, hd, n)
      if !dhd.isFinite { return (gain, false) }
      let alpha = rr / dhd
      if dhd <= 0 || norm(p, n, plus: alpha, d) >= radius {
        let tau = border()
        gain += -tau * dot(r, d, n) - 0.5 * tau * tau * dhd
        add(tau, d, to: p, n)
        return (gain, true)
      }
      gain += 0.5 * alpha * rr
      add(alpha, d, to: p, n)
      add(alpha, hd, to: r, n)
      let next = dot(r, r, n)
      if next.squareRoot() <= enough { break }
      for i in 0 ..< n { d[i] = -r[i] + next / rr * d[i] }
      rr = next
    }
    return (gain, false)
  }

  private func norm(_ p: Vector, _ n: Int, plus a: Double, _ d: Vector) -> Double {
    var s = 0.0
    for i in 0 ..< n { s += (p[i] + a * d[i]) * (p[i] + a * d[i]) }
    return s.squareRoot()
  }
  private func norm(_ v: Vector, _ n: Int) -> Double { Runtime.norm(v, n) }

  /// The positive tau with |p + tau d| = radius.
  private func border() -> Double {
    let a = dot(d, d, n), b = dot(p, d, n), c = dot(p, p, n) - radius * radius, root = max(b * b - a * c, 0).squareRoot()
    return b > 0 ? -c / (b + root) : (root - b) / a
  }
}
