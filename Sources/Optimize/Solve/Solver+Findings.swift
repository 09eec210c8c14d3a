package import Health
package import Tape

/// A solve's diagnosis, its remedies, and its journal in a report.
extension Solver {
  package var findings: [Finding] {
    guard let o = outcome, o.rawValue > 1 else { return [] }
    let last = journal.last, numbers = [("iterations", Double(iterations)), ("gradient", gradient), ("value", value)].map { (name: $0.0, value: $0.1) }
    let evidence = explanation + "; after \(iterations) iterations the gradient's largest entry is \(sixDigits(last?.gradient ?? .nan))"
    switch o {
    case .steps: return [Finding("out of steps", .warning, evidence, numbers, remedy: "steps", advice: "Allow ten times the steps, or look at the curvature: a large condition number asks for newton-cg or for scaling.")]
    case .stalled: return [Finding("stalled", .warning, evidence, numbers, remedy: hasDamping ? "damping" : "", advice: "Damp the first steps, or ask for the gradient's rounding error: widen the dtype or rescale.")]
    case .nonfinite: return [Finding("nonfinite", .error, evidence, numbers, remedy: "", advice: "Start elsewhere; ask where the first NaN was born.")]
    default: return [Finding("unbounded", .warning, evidence, numbers, remedy: "", advice: "Bound the variables or check the sign of the objective.")]
    }
  }
  private var hasDamping: Bool { option("radius") != nil || option("radius_factor") != nil }

  /// Sets options for the next run; what was done, as a sentence.
  package func prescribe(_ remedy: String) throws(Failure) -> String {
    switch remedy {
    case "steps":
      let n = min(10 * (option("steps") ?? 1000), 1e9)
      if let f = set("steps", n) { throw f }
      return "at most \(Int(n)) steps"
    case "damping":
      // A smaller region is a larger multiple of the identity (Moré 1978).
      if let r = option("radius_factor") {
        if let f = set("radius_factor", r / 10) { throw f }
        return "the first steps are damped ten times as much (radius_factor \(sixDigits(r / 10)))"
      }
      if let r = option("radius") {
        let n = r > 0 ? r / 10 : 0.1
        if let f = set("radius", n) { throw f }
        return "the first steps are at most \(sixDigits(n)) long"
      }
      throw Failure(.invalid, "prescribe: a line search has no damping")
    default: throw Failure(.invalid, "prescribe: no remedy of a solver is called \(remedy); there are damping, steps")
    }
  }

  package func describe(_ r: Report) {
    let j = journal
    r.section("Optimizer", explanation)
    for f in findings { r.add(f) }
    let wide = j.allSatisfy { $0.value > 0 } && (j.first?.value ?? 0) > 1000 * (j.last?.value ?? 0)
    r.curve("Value", x: "iteration", "value", "value", j.map(\.value), log: wide)
    r.curve("Gradient", x: "iteration", "largest entry of the gradient", "largest entry of the gradient", j.map(\.gradient), log: true)
    r.curve("Steps", x: "iteration", "length of the step", "length of the step", j.map(\.step), log: true)
    r.table("Journal", ["iteration", "value", "gradient", "step", "control", "evaluations", "products"], j.indices.map { i in
      [.number(Double(i)), .number(j[i].value), .number(j[i].gradient), .number(j[i].step), .number(j[i].control), .number(Double(j[i].evaluations)), .number(Double(j[i].products))]
    })
  }
}
