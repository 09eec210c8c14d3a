import Runtime
import Glibc
package import Tape

extension Curvature {
  /// The curvature at its point as a section of a report.
  package func describe(_ r: Report) throws(Failure) {
    try ready()
    r.section("Curvature", "The Hessian of \(n) variables\(isDense ? ", formed whole: intervals are rounding" : ", by \(Int(option("probes"))) probes and \(Int(option("steps"))) steps of Lanczos: intervals hold with probability \(digits6(level))").")
    var rows: [[Report.Cell]] = []
    for name in ["value", "gradient_norm", "trace", "frobenius", "smallest", "largest", "condition", "negative", "log_determinant"] {
      let f = try figure(name)
      rows.append([.text(name), .number(f.value), .number(f.low), .number(f.high)])
    }
    r.table("Figures", ["figure", "value", "low", "high"], rows)
    if n > 0 {
      let count = 201
      var x = [Double](repeating: 0, count: count), y = x, low = x, high = x
      try density(count, &x, &y, &low, &high)
      var c = Report.Chart("Spectrum of the Hessian")
      (c.x, c.y) = ("eigenvalue", "density of eigenvalues, smoothed by \(digits6(100 * option("smoothing"))) % of the spread")
      c.series = [Report.Series("density", x, y, low: low, high: high)]
      r.chart(c)
      let e = try eigenvalues(), most = min(e.values.count, 512)
      var d = Report.Chart(isDense ? "Eigenvalues" : "Ritz values")
      (d.kind, d.x, d.y) = (.dots, "number, ascending", "eigenvalue")
      d.series = [Report.Series("eigenvalue", (0 ..< most).map { Double($0 * e.values.count / most) }, (0 ..< most).map { e.values[$0 * e.values.count / most] })]
      r.chart(d)
    }
    let noise = 4 * unit * (try figure("norm")).value, g = try figure("gradient_norm"), k = try figure("condition"), least = try figure("smallest")
    if least.high < -noise {
      r.add(Report.Notice(kind: "saddle", severity: g.value < 1e-6 * max(1, abs(value)) ? 2 : 1, place: "", evidence: "The Hessian has negative curvature: its smallest eigenvalue is \(digits6(least.value)) (at most \(digits6(least.high))).",
                          advice: "Use a method that follows negative curvature (newton-cg), or damping above \(digits6(-least.value))."))
    }
    if k.low.isFinite, k.low * unit > 1e-4 || k.low > 1e10 {
      r.add(Report.Notice(kind: "ill-conditioned", severity: 2, place: "", evidence: "The Hessian's condition number is at least \(digits6(k.low)): a Newton step keeps about \(Int(min(max(-log10(unit * k.low), 0), 16))) digits.",
                          advice: "Rescale the variables, add damping of about \(digits6(unit.squareRoot() * (try figure("norm")).value)), or precondition."))
    }
    guard !approximationNames.isEmpty else { return }
    var table: [[Report.Cell]] = []
    for name in approximationNames {
      for one in try errorNames(of: name) {
        let f = try error(name, one)
        table.append([.text(name), .text(one), .number(f.value), .number(f.low), .number(f.high)])
      }
      let f = try error(name, "newton_step"), d = try error(name, "decrease_ratio")
      if f.low > 0.5 {
        r.add(Report.Notice(kind: "approximation", severity: 1, place: name, evidence: "Its Newton step is off by \(digits6(100 * f.value)) % of the exact one (at least \(digits6(100 * f.low)) %); the decrease is \(digits6(d.value)) of what it promises.",
                            advice: "Take exact products, more pairs, or damping."))
      }
    }
    for one in ["operator", "frobenius", "newton_step"] {
      r.with(chart: "Errors of approximations against the exact Hessian") { c in
        (c.kind, c.y, c.logY, c.names) = (.rows, "relative error", true, approximationNames)
        c.series.append(Report.Series(one, [], approximationNames.map { name in cache.first { $0.name == name + "/" + one }?.figure.value ?? .nan }))
      }
    }
    r.table("Approximations", ["approximation", "error", "value", "low", "high"], table)
  }
}
