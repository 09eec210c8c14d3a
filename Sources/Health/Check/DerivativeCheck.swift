import CKernels
import Runtime
package import Tape

/// Derivatives held against differences: of a weighted sum phi of all outputs' elements, along random directions in one input at a time. All is
/// computed in f64, whatever the tape's dtypes (functions of the host keep theirs).
package final class DerivativeCheck {
  package enum Verdict: Int32 { case right, wrong, kink, undecided }
  package enum Kind: Int32 { case jvp, vjp, hvp }
  package struct Entry {
    package var input = 0, kind = Kind.jvp, verdict = Verdict.undecided
    /// The derivative, the difference quotient and what that may be off by; the slope of the Taylor remainder (NaN: it vanishes).
    package var derivative = Double.nan, difference = Double.nan, error = Double.nan, slope = Double.nan
    /// One-sided quotients.
    package var above = Double.nan, below = Double.nan
    /// Steps and remainders, for a picture.
    package var steps: [Double] = [], remainders: [Double] = []
  }

  private let source: Tape, outputs: [NodeID], inputs: [NodeID]
  private var directions = 2, seed: UInt64 = 1, tolerance = 1e-6, order = 2, locating = 1000
  package private(set) var entries: [Entry] = [], verdict = Verdict.undecided, sentence = "nothing was checked yet"
  package var inputTypes: [TensorType] { inputs.map { source.type($0) } }

  package init(_ t: Tape, outputs: [NodeID], inputs: [NodeID]) throws(Failure) {
    for (i, n) in outputs.enumerated() {
      guard t.contains(n), t.record(n).type >= 0 else { throw Failure(.node, "check: output \(i) is not a node of this tape") }
      guard t.dtype(n).isFloat else { throw Failure(.dtype, "check: output \(i) is \(t.type(n).description); derivatives need a float") }
    }
    for (i, n) in inputs.enumerated() { guard t.contains(n), t.record(n).type >= 0 else { throw Failure(.node, "check: input \(i) is not a node of this tape") } }
    guard Set(inputs).count == inputs.count else { throw Failure(.invalid, "check: an input is given twice") }
    guard t.parent == nil else { throw Failure(.invalid, "check: the tape is the body of a loop or branch; ask for the outermost tape's nodes") }
    guard !outputs.isEmpty, inputs.contains(where: { t.dtype($0).isFloat }) else { throw Failure(.invalid, "check: an output and a float input are needed") }
    source = t
    self.outputs = outputs
    self.inputs = inputs
  }

  package func set(_ name: String, _ value: Double) -> Failure? {
    switch name {
    case "directions":
      guard let n = Int(exactly: value), n >= 1, n <= 1000 else { return Failure(.invalid, "check: directions is a whole number from 1 to 1000, not \(value)") }
      directions = n
    case "seed":
      guard let n = UInt64(exactly: value) else { return Failure(.invalid, "check: seed is a whole number, not \(value)") }
      seed = n
    case "tolerance":
      guard value > 0, value < 1 else { return Failure(.invalid, "check: tolerance lies between 0 and 1, not \(value)") }
      tolerance = value
    case "order":
      guard value == 1 || value == 2 else { return Failure(.invalid, "check: order is 1 or 2, not \(value)") }
      order = Int(value)
    case "locate":
      guard let n = Int(exactly: value), n >= 0 else { return Failure(.invalid, "check: locate is a whole number, not \(value)") }
      locating = n
    default: return Failure(.invalid, "check: no option is called \(name); there are directions, locate, order, seed, tolerance")
    }
    return nil
  }

  package func run(_ data: (Int) -> UnsafeRawPointer?) throws(Failure) {
    entries = []
    verdict = .undecided
    for (i, n) in inputs.enumerated() where source.type(n).count > 0 && data(i) == nil { throw Failure(.invalid, "check: the data of input \(i) is NULL") }
    let c = try Comparison(source, outputs, inputs, data, order: order, tolerance: tolerance, seed: seed)
    entries = try c.all(directions)
    let bad = entries.first { $0.verdict == .wrong }, kink = entries.first { $0.verdict == .kink }, open = entries.first { $0.verdict == .undecided }
    verdict = bad != nil ? .wrong : kink != nil ? .kink : open != nil ? .undecided : .right
    if let e = bad {
      sentence = "\(words(e.kind)) in input \(e.input) is wrong: it gives \(brief(e.derivative)), differences \(brief(e.difference)) +- \(brief(e.error))"
      if e.slope == e.slope { sentence += " (the Taylor remainder shrinks with slope \(brief(e.slope)), not \(e.kind == .hvp ? 3 : 2))" }
      if let name = try culprit(data, e) { sentence += "; the fault lies in \(name)" }
    } else if let e = kink {
      sentence = "input \(e.input) stands at a kink: slopes \(brief(e.below)) below and \(brief(e.above)) above; \(words(e.kind)) gives \(brief(e.derivative)), which \(between(e) ? "lies between" : "is neither")"
    } else if let e = open {
      sentence = c.note.isEmpty ? "\(words(e.kind)) in input \(e.input) cannot be told: differences \(brief(e.difference)) +- \(brief(e.error)) against \(brief(e.derivative))" : c.note
    } else {
      let worst = entries.map { abs($0.derivative - $0.difference) / max(abs($0.derivative), abs($0.difference), .leastNonzeroMagnitude) }.max() ?? 0
      sentence = "the derivatives are right: differences agree to \(brief(worst)) in \(inputs.count) input\(inputs.count == 1 ? "" : "s")"
      if !c.note.isEmpty { sentence += " (\(c.note))" }
    }
  }

  private func between(_ e: Entry) -> Bool { e.derivative >= min(e.above, e.below) - 1e-6 * abs(e.above) && e.derivative <= max(e.above, e.below) + 1e-6 * abs(e.above) }
  private func words(_ k: Kind) -> String { k == .jvp ? "the jvp" : k == .vjp ? "the vjp" : "the Hessian product" }

  // MARK: which operator

  /// The first operator whose own derivative is wrong at the values that reach it; the host's own first.
  private func culprit(_ data: (Int) -> UnsafeRawPointer?, _ e: Entry) throws(Failure) -> String? {
    guard locating > 0, let nodes = source.order(outputs) else { return nil }
    var own: [NodeID] = [], rest: [NodeID] = [], parts: [NodeID: [NodeID]] = [:]
    for k in 0 ..< nodes.count {
      let n = nodes[k]
      switch source.structural(n) {
      case .part: parts[source.input(n, 0), default: []].append(n)
      case .custom, .host: own.append(n)
      case .checkpoint, .after: break
      default: if source.arity(n) > 0 { rest.append(n) }
      }
    }
    for n in (own + rest).prefix(locating) {
      let outs = (parts[n] ?? [n]).filter { source.record($0).type >= 0 && source.dtype($0).isFloat }
      var x = source.structural(n) == .custom ? Array(source.inputs(n).prefix(source.attrs(n)[1] + source.attrs(n)[2])) : source.inputs(n)
      x = x.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
      guard !outs.isEmpty, x.contains(where: { source.dtype($0).isFloat }) else { continue }
      let found: [Entry]
      do { found = try local(outs, x, data).all(1) } catch where error.code != .memory { continue }
      if found.contains(where: { $0.verdict == .wrong }) {
        return source.structural(n) == .custom || source.structural(n) == .host ? "\(source.name(of: n)), an operator of the host's" : "\(source.name(of: n)), node \(n.index)"
      }
    }
    return nil
  }

  private func local(_ outs: [NodeID], _ x: [NodeID], _ data: (Int) -> UnsafeRawPointer?) throws(Failure) -> Comparison {
    let p = try Program(source, inputs: inputs, outputs: x), w = try Workspace(p)
    var memory: [UnsafeMutableRawPointer] = []
    defer { memory.forEach { ck_free($0) } }
    for n in x {
      guard let m = ck_alloc(max(source.type(n).bytes, 8)) else { throw Failure(.memory, "check: memory was refused") }
      memory.append(m)
    }
    let ins = inputs.indices.map { data($0) }, results = memory.map { $0 as UnsafeMutableRawPointer? }
    let code = ins.withUnsafeBufferPointer { a in results.withUnsafeBufferPointer { b in a.baseAddress.flatMap { i in b.baseAddress.map { w.run(inputs: i, outputs: $0) } } } }
    guard code == .ok || code == .nonfinite else { throw Failure(code ?? .invalid, w.message) }
    return try Comparison(source, outs, x, { UnsafeRawPointer(memory[$0]) }, order: order, tolerance: tolerance, seed: seed)
  }
}
