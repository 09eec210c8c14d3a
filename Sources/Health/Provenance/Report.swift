package import Tape

extension Label {
  package var words: String { text + (file.isEmpty ? "" : (text.isEmpty ? "" : ", ") + file + (line > 0 ? ":\(line)" : "")) }
}

/// A birth in words.
extension Birth {
  package func sentence(_ all: [Birth]) -> String {
    var text = what(isFirst: true)
    if behind >= 0, behind < all.count {
      text += "; the \(all[behind].value.isNaN ? "NaN" : "infinity") behind it: " + all[behind].what(isFirst: false)
    }
    return text
  }

  package var place: String { origin.label?.words ?? "" }

  private func what(isFirst: Bool) -> String {
    var s = ""
    if input >= 0 {
      s = "input \(input)" + at(element, type) + " is \(shown(value))"
      if kind == .uninitialised { s += ", of a bit pattern that no arithmetic makes: memory that was never filled" }
    } else if kind == .constant {
      s = "a constant" + at(element, type) + " is \(shown(value))"
    } else {
      s = op.name + (operands.isEmpty ? "" : "(" + operands.map { shown($0.value) }.joined(separator: ", ") + ")")
      s += " = \(shown(value))" + at(element, type) + ", \(kind.name)"
      if kind == .overflow, let d = largest { s += " of \(type.dtype.name) (largest \(d))" }
      for (k, o) in operands.enumerated() where o.shape != type.shape { s += ", operand \(k)" + at(o.element, TensorType(o.dtype, o.shape)) }
      for o in operands where o.input >= 0 { s += ", reads input \(o.input)" }
    }
    switch origin.sweep {
    case .reverse: s += ", in the reverse sweep of \(origin.op.name)"
    case .forward: s += ", in the forward sweep of \(origin.op.name)"
    default: break
    }
    if !steps.isEmpty { s += ", at step " + steps.map(String.init).joined(separator: ", step ") + " of the loop" }
    if !place.isEmpty { s += ", at " + place }
    return s
  }

  private var largest: String? {
    switch type.dtype {
    case .f16: "65504"
    case .f32: "3.4e38"
    case .bf16: "3.39e38"
    case .f64: "1.8e308"
    default: nil
    }
  }
}

private func shown(_ v: Double) -> String { v.isNaN ? "NaN" : v == .infinity ? "inf" : v == -.infinity ? "-inf" : v == v.rounded() && abs(v) < 1e15 ? "\(Int(v))" : "\(v)" }

/// The place of an element, by axis; nothing for single numbers.
private func at(_ i: Int, _ t: TensorType) -> String {
  if t.rank == 0 { return "" }
  var index = [Int](repeating: 0, count: t.rank), rest = i
  for d in t.shape.indices.reversed() where t.shape[d] > 0 {
    index[d] = rest % t.shape[d]
    rest /= t.shape[d]
  }
  return " at \(place(index)) of \(t.description)"
}
private func place(_ s: [Int]) -> String { text(s) }

extension Trace {
  /// The findings in words, one to a line, with their remedies.
  package var report: String {
    if findings == 0 { return "all outputs are finite" + (kills > 0 ? " (\(kills) operators took a NaN or an infinity and gave finite numbers)" : "") }
    var s = ""
    for (k, b) in births.prefix(findings).enumerated() {
      s += (k == 0 ? "" : "\n") + b.sentence(births) + " -> output" + (b.outputs.count > 1 ? "s " : " ") + b.outputs.prefix(8).map(String.init).joined(separator: ", ")
      s += "\n  remedy: \(b.kind.remedy)"
      if b.behind >= 0, b.behind < births.count { s += "; behind it: \(births[b.behind].kind.remedy)" }
    }
    return s
  }
}

extension Trace {
  /// The findings as rows for reports: what reaches an output, then the infinities behind.
  package var rows: [Finding] {
    births.enumerated().map { k, b in
      var numbers: [(name: String, value: Double)] = [("value", b.value), ("element", Double(b.element)), ("node", Double(b.node.index))]
      for (i, o) in b.operands.enumerated() { numbers.append(("operand \(i)", o.value)) }
      if b.behind >= 0 { numbers.append(("behind", Double(b.behind))) }
      return Finding("\(b.kind.name)", k < findings ? .error : .warning, place: b.place.isEmpty ? b.op.name : b.place, step: b.steps.last ?? -1, b.sentence(births), numbers, advice: "\(b.kind.remedy)")
    }
  }
}
