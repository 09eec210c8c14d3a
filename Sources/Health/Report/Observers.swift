import Glibc
package import Runtime
package import Tape

/// What observers of this module tell a report: sections, and findings on top.
extension Report {
  package func add(_ f: Finding) { add(Notice(kind: f.kind, severity: f.severity.rawValue, place: f.place, evidence: f.evidence, advice: f.advice)) }

  /// Values by name, beneath each other; many are curves over their numbers, and a table beside has the names.
  func bars(_ title: String, _ names: [String], _ series: [Series], unit: String, log: Bool, _ what: String = "number") {
    if series.isEmpty { return }
    var c = Chart(title)
    (c.kind, c.names, c.y, c.logY, c.series) = (.rows, names, unit, log, series)
    if names.count > 16 {
      (c.kind, c.names, c.x) = (.line, [], what + ", counted from 1")
      c.series = series.map { Series($0.name, $0.y.indices.map { Double($0 + 1) }, $0.y) }
    }
    chart(c)
  }
  /// One curve over 0, 1, ...
  package func curve(_ title: String, x: String, _ unit: String, _ name: String, _ y: [Double], from: Int = 0, log: Bool = false) {
    var c = Chart(title)
    (c.x, c.y, c.logY) = (x, unit, log)
    c.series = [Series(name, y.indices.map { Double(from + $0) }, y)]
    chart(c)
  }

  package func program(_ p: Program) {
    let lines = p.explanation.split(separator: "\n").map { String($0) }, live = p.liveBytes
    section("Program", "\(lines.count) lines of steps; a workspace takes \(p.memory) bytes.")
    curve("Bytes over a run", x: "step", "bytes alive", "alive", live.map { Double($0) })
    table("What runs", ["step"], lines.prefix(200).map { [.text($0)] })
  }
}

/// How the host knows a node: its label, its place, or its number.
func called(_ t: Tape, _ n: NodeID) -> String {
  guard let l = t.origin(n).label else { return "node \(n.index)" }
  return l.text.isEmpty ? l.file + (l.line > 0 ? ":\(l.line)" : "") : l.text
}

extension Rounding {
  /// The last answer: what it is, which operators cost digits, which comparisons may turn.
  package func describe(_ r: Report) throws(Failure) {
    guard trace != nil, figures.value == figures.value || !notes.isEmpty else { throw Failure(.invalid, "report: the rounding was not asked about an output yet") }
    let f = figures, lines = report { called(source, $0) }.split(separator: "\n")
    r.section("Rounding error", lines.first.map { String($0) } ?? "")
    switch f.level {
    case .unbounded:
      r.add(Report.Notice(kind: "unbounded rounding", severity: 3, place: "", evidence: "Nothing can be said about the rounding error of \(f.value)\(notes.isEmpty ? "" : ": " + notes).", advice: "Ask where the first NaN was born, or widen the dtype."))
    default:
      guard f.bitsLost > 10 else { break }
      let worst = contributions.first.map { "\($0.op.name) at \(called(source, $0.node))" } ?? ""
      r.add(Report.Notice(kind: "rounding", severity: 2, place: worst, evidence: "\(f.value) has lost \(brief(f.bitsLost)) bits to rounding; without it, the result is \(f.corrected).", advice: "Rewrite the expression (stabilize), or widen its dtype."))
    }
    for u in unstable {
      r.add(Report.Notice(kind: "unstable comparison", severity: u.turns ? 2 : 1, place: called(source, u.node), evidence: "Rounding \(u.turns ? "turns" : "may turn") \(u.op.name)\(u.elements > 1 ? " in \(u.elements) elements" : ""); on the other side the result is \(u.other).",
                          advice: "Compare with a tolerance, or widen the operands."))
    }
    let names = ["value", "bound", "estimate", "remainder", "corrected", "weighted_bound", "statistical", "condition", "input_sensitivity", "bits_lost", "digits"]
    r.table("Figures", ["figure", "value"], names.map { [.text($0), .number(figure($0))] })
    let top = contributions.filter { $0.bound > 0 || $0.error != 0 }
    guard !top.isEmpty else { return }
    // Digits that the bound of one operator alone would take off.
    let own = top.map { "\($0.op.name) \(called(source, $0.node))\($0.inLoop ? " (in a loop)" : "")" }
    r.bars("Digits lost by operator", own, [Report.Series("digits", [], top.map { max(0, log10($0.bound / max(f.unit * abs(f.value), .leastNonzeroMagnitude))) })], unit: "decimal digits", log: false)
    r.table("Operators", ["operator", "error", "bound", "share", "condition"], top.enumerated().map { i, c in
      [.text(own[i]), .number(c.error), .number(c.bound), .number(c.share), .number(c.condition)]
    })
  }
}

extension DerivativeCheck {
  package func describe(_ r: Report) throws(Failure) {
    guard !entries.isEmpty else { throw Failure(.invalid, "report: the derivatives were not checked yet") }
    r.section("Derivative check", sentence)
    if verdict != .right {
      r.add(Report.Notice(kind: verdict == .wrong ? "wrong derivative" : verdict == .kink ? "kink" : "undecided derivative", severity: verdict == .wrong ? 3 : 1, place: "", evidence: sentence,
                          advice: verdict == .wrong ? "Mend the rule of the operator that is named." : verdict == .kink ? "The derivative there is one of several: move off the kink, or smooth it." : "Check at another point, or in a wider dtype."))
    }
    let kinds = ["jvp", "vjp", "hvp"], verdicts = ["right", "wrong", "kink", "undecided"]
    func name(_ e: Entry) -> String { "input \(e.input), \(kinds[Int(e.kind.rawValue)])" }
    r.table("Comparisons", ["derivative of", "verdict", "derivative", "difference", "within", "Taylor slope"], entries.map { e in
      [.text(name(e)), .text(verdicts[Int(e.verdict.rawValue)]), .number(e.derivative), .number(e.difference), .number(e.error), .number(e.slope)]
    })
    var c = Report.Chart("Taylor remainder"), shown: [String] = []
    (c.x, c.y, c.logX, c.logY) = ("step", "remainder", true, true)
    for e in entries where shown.count < 6 && e.steps.count > 1 && !shown.contains(name(e)) {
      shown.append(name(e))
      c.series.append(Report.Series(name(e) + (e.slope == e.slope ? ", slope \(brief(e.slope))" : ""), e.steps, e.remainders))
    }
    if !c.series.isEmpty { r.chart(c) }
  }
}

extension Trace {
  /// The findings, and the first one as a graph: what the infinity behind it was made of, its operands, itself, and the outputs that it reaches.
  package func describe(_ r: Report) {
    for f in rows.prefix(findings) { r.add(f) }
    r.section("Births of NaN and infinity", findings == 0 ? "All outputs are finite, or meant to be as they are." : "\(findings) of them reach an output.")
    guard let b = births.first, findings > 0 else { return }
    var labels: [String] = [], details: [String] = [], edges: [(from: Int, to: Int)] = []
    func node(_ label: String, _ detail: String) -> Int {
      labels.append(label)
      details.append(detail)
      return labels.count - 1
    }
    func grown(_ b: Birth, _ deep: Bool) -> Int {
      var from: [Int] = []
      let behind = deep && b.behind >= 0 && b.behind < births.count ? births[b.behind] : nil
      for (k, o) in b.operands.prefix(8).enumerated() {
        if let behind, !o.value.isFinite, !from.contains(where: { labels[$0] == behind.op.name }) { from.append(grown(behind, false)) } else {
          from.append(node(o.input >= 0 ? "input \(o.input)" : o.op.name, "operand \(k): \(brief(o.value))"))
        }
      }
      let me = node(b.op.name, "\(b.kind.name): \(brief(b.value))")
      for f in from { edges.append((f, me)) }
      return me
    }
    let me = grown(b, true)
    for o in b.outputs.prefix(8) { edges.append((me, node("output \(o)", ""))) }
    r.graph("Origin of the first", labels, details, edges, origin: me)
    r.table("Births", ["operator", "kind", "value", "element", "place"], births.map { [.text($0.op.name), .text("\($0.kind.name)"), .number($0.value), .number(Double($0.element)), .text($0.place)] })
  }
}

extension Stabilizer {
  package func describe(_ r: Report) {
    let made = journal.filter(\.isMade)
    r.section("Stable rewritings", journal.isEmpty ? "No pattern was found." : "\(made.count) of \(journal.count) patterns were replaced.")
    for w in journal where !w.isMade && w.before > 10 {
      r.add(Report.Notice(kind: "unstable expression", severity: 1, place: w.label?.text ?? "", evidence: "\(w.rule) loses \(brief(w.before)) bits and was left: \(w.reason).", advice: "Give samples where it will be wanted, or a wider dtype."))
    }
    guard !journal.isEmpty else { return }
    r.table("Patterns", ["rule", "bits lost before", "after", "made", "place"], journal.map { w in
      [.text("\(w.number): \(w.rule)"), .number(w.before), .number(w.after), .text(w.isMade ? "made" : "left: \(w.reason)"), .text(w.label.map { $0.text.isEmpty ? $0.file + ":\($0.line)" : $0.text } ?? "")]
    })
  }
}

extension Flow {
  /// Layers, parameters, the loss, and magnitudes over the ranges of formats.
  package func describe(_ r: Report) {
    for f in findings() { r.add(f) }
    let s = slope
    r.section("Gradient flow", "Medians over the last runs, layer by layer from the input to the loss." + (s.isFinite ? " On the way back gradients change by a factor of \(digits6(exp(s))) a layer." : ""))
    guard seen > 0 else { return r.text("Nothing has run.") }
    r.curve("Loss", x: "run", "loss", "loss", losses, from: runs - losses.count, log: (losses.min() ?? 0) > 0 && (losses.max() ?? 0) > 100 * (losses.min() ?? 0))
    func rows(_ title: String, _ what: String, _ names: [String], _ list: [String], _ unit: String, _ log: Bool) {
      var all: [Report.Series] = []
      for name in list {
        if let v = statistic(name), v.contains(where: \.isFinite) { all.append(Report.Series(name, [], v)) }
      }
      r.bars(title, names, all, unit: unit, log: log, what)
    }
    func table(_ title: String, _ what: String, _ names: [String], _ list: [String]) {
      let columns = list.map { statistic($0) ?? [] }
      r.table(title, [what] + list, names.indices.map { i in [.text(names[i])] + columns.map { i < $0.count ? .number($0[i]) : .none } })
    }
    if levelCount > 0 {
      rows("Gradient and value by layer", "layer", levelNames, ["gradient_rms", "value_rms"], "root mean square", true)
      rows("Shares by layer", "layer", levelNames, ["value_zeros", "gradient_zeros", "gradient_low", "saturated", "dead"], "share of elements (0 to 1)", false)
      table("Layers", "layer", levelNames, ["value_rms", "value_max", "gradient_rms", "gradient_max", "gradient_zeros", "gradient_low"])
    }
    let names = parameters.map(\.name)
    rows("Updates by parameter", "parameter", names, ["update_ratio", "stalled"], "share of the weights", true)
    table("Parameters", "parameter", names, ["weight_rms", "weight_gain", "weight_gradient_rms", "update_ratio", "stalled"])
    for (title, slot) in [("Gradients of parameters", 1), ("Parameters' values", 0)] {
      var all: [Double] = []
      for (i, q) in parameters.enumerated() {
        let p = sampled[i].p.assumingMemoryBound(to: Double.self) + slot * q.samples
        for k in 0 ..< q.samples { all.append(p[k]) }
      }
      all.withUnsafeBufferPointer { r.histogram(title, $0) }
    }
  }
}
