import Runtime
import Tape

/// The search along a line for a point that satisfies the strong Wolfe conditions: Nocedal & Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6, with the
/// approximate conditions of Hager & Zhang (2005, eq. 4.1) once differences of values are rounding errors.
struct Wolfe {
  static let defaults: [(String, Double)] = [("decrease", 1e-4), ("curvature", 0.9), ("evaluations_a_step", 40)]
  struct Trial { var step: Double, value: Double, slope: Double }
  let decrease: Double, curvature: Double, most: Int

  /// `at(step)` evaluates; nil where no point is lower. A trial that is not finite counts as too far.
  func search(_ value: Double, _ slope: Double, first: Double, _ at: (Double) throws(Failure) -> Trial) throws(Failure) -> Trial? {
    let start = Trial(step: 0, value: value, slope: slope), noise = 1e-14 * max(abs(value), 1e-300)
    func isGood(_ t: Trial) -> Bool {
      if t.value <= value + decrease * t.step * slope, abs(t.slope) <= -curvature * slope { return true }
      return t.value <= value + noise && t.slope >= curvature * slope && t.slope <= (2 * decrease - 1) * slope
    }
    func isHigh(_ t: Trial, _ low: Trial) -> Bool {
      !t.value.isFinite || !t.slope.isFinite || t.value > value + decrease * t.step * slope + noise || t.value >= low.value + noise && low.step > 0
    }
    var low = start, high: Trial?, next = first
    for _ in 0 ..< most {
      let t = try at(next)
      if t.value.isFinite, isGood(t) { return t }
      if isHigh(t, low) {
        high = t
      } else {
        if (high.map { $0.step - low.step } ?? 1) * t.slope >= 0 { high = low }
        low = t
      }
      guard let h = high else {
        next = 4 * next
        if !next.isFinite { break }
        continue
      }
      if abs(h.step - low.step) <= 1e-16 * max(abs(h.step), abs(low.step)) { break }
      next = Self.between(low, h)
    }
    return low.step > 0 && low.value < value ? low : nil
  }

  /// The minimum of the cubic through both, kept off the ends.
  static func between(_ a: Trial, _ b: Trial) -> Double {
    let w = b.step - a.step, middle = a.step + 0.5 * w
    guard b.value.isFinite, b.slope.isFinite else { return a.step + 0.1 * w }
    let d = a.slope + b.slope - 3 * (b.value - a.value) / w, root = d * d - a.slope * b.slope
    guard root >= 0 else { return middle }
    let s = root.squareRoot() * (w < 0 ? -1 : 1), t = b.step - w * (b.slope + s - d) / (b.slope - a.slope + 2 * s)
    guard t.isFinite else { return middle }
    let near = 0.1 * abs(w)
    return min(max(t, min(a.step, b.step) + near), max(a.step, b.step) - near)
  }
}

/// Line search × L-BFGS.
final class LineSearch: Strategy {
  private let problem: Problem, box: OptionBox, n: Int
  private let vectors = Vectors()
  let x: Vector
  private let gradient: Vector, trial: Vector, slopes: Vector, direction: Vector, number: Vector
  private let descent: LBFGS
  private(set) var entry = Entry()

  init(_ p: Problem, _ box: OptionBox) throws(Failure) {
    problem = p
    self.box = box
    n = p.n
    x = try vectors.make(n)
    gradient = try vectors.make(n)
    trial = try vectors.make(n)
    slopes = try vectors.make(n)
    direction = try vectors.make(n)
    number = try vectors.make(1)
    descent = LBFGS(n)
  }

  private func note(_ step: Double, _ control: Double) {
    entry.gradient = largest(gradient, n)
    entry.step = step
    entry.control = control
    entry.evaluations = problem.evaluations
  }
  private var isFlat: Bool { entry.gradient <= box["gradient_tolerance"] * max(1, abs(entry.value)) }

  func begin() throws(Failure) -> Outcome? {
    try descent.forget(memory: Int(min(max(box["memory"], 1), 1000)))
    entry = Entry()
    try problem.evaluate(x, number, gradient)
    entry.value = number[0]
    note(0, 0)
    guard entry.value.isFinite, entry.gradient.isFinite else { return .nonfinite }
    return isFlat ? .converged : nil
  }

  func step() throws(Failure) -> Outcome? {
    descent.direction(gradient, direction)
    var slope = dot(gradient, direction, n)
    if !(slope < 0) {
      try descent.forget()
      descent.direction(gradient, direction)
      slope = dot(gradient, direction, n)
    }
    // Without curvature the length of the gradient says nothing: the first trial moves x by about its own size.
    let unit = descent.isEmpty ? min(1, max(norm(x, n), 1) / norm(gradient, n)) : 1
    let wolfe = Wolfe(decrease: box["decrease"], curvature: box["curvature"], most: Int(min(max(box["evaluations_a_step"], 1), 1e6)))
    var last = 0.0
    let found = try wolfe.search(entry.value, slope, first: unit) { (a) throws(Failure) in
      last = a
      sum(x, a, direction, trial, n)
      try problem.evaluate(trial, number, slopes)
      return Wolfe.Trial(step: a, value: number[0], slope: dot(slopes, direction, n))
    }
    guard let found else {
      if descent.isEmpty { return .stalled }
      try descent.forget()
      return nil
    }
    if found.step != last {   // not the last that was tried
      sum(x, found.step, direction, trial, n)
      try problem.evaluate(trial, number, slopes)
    }
    let length = found.step * norm(direction, n)
    descent.learn(x, trial, gradient, slopes)
    copy(trial, x, n)
    copy(slopes, gradient, n)
    entry.value = found.value
    note(length, found.step)
    if isFlat { return .converged }
    if found.value < -1e300 { return .unbounded }
    return length <= box["step_tolerance"] * max(norm(x, n), 1e-300) ? .smallStep : nil
  }
}
