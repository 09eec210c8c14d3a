import CKernels
import Glibc
package import Tape

/// A rewriting that was found: what it is, where, what is lost before and after, and whether it was made.
package struct Rewrite {
  package let number: Int, rule: String
  package let node: NodeID
  package let label: Label?
  /// Bits lost at the samples, at most: the first-order bound of the expression's own rounding, over its value. NaN where nothing was measured; infinite where
  /// the value, or its derivative, is not finite and the other's is.
  package let before: Double, after: Double
  package let isMade: Bool
  package let reason: String
}

/// Looks at nothing but what reaches the bodies of loops: the first points, then fewer and fewer.
private final class Silent: Observer {
  var points: [ObjectIdentifier: (seen: Int, list: [[Value]])] = [:], collects = false
  func entered(_ b: Body, _ x: [Value]) {
    guard collects else { return }
    var p = points[ObjectIdentifier(b)] ?? (0, [])
    p.seen += 1
    if p.seen <= 16 || p.seen & (p.seen - 1) == 0 || p.seen % 37 == 0, p.list.count < 64 { p.list.append(x) }
    points[ObjectIdentifier(b)] = p
  }
  func made(_ t: Tape, _ n: NodeID, _ y: Value, _ x: [Value], _ steps: [Int]) throws(Failure) {}
  func leaf(_ t: Tape, _ n: NodeID, _ y: Value, _ input: Int, _ steps: [Int]) throws(Failure) {}
}

/// Replaces expressions that lose digits by others that do not.
package final class Stabilizer {
  package let tape: Tape
  package let inputs: [NodeID], outputs: [NodeID]
  package private(set) var journal: [Rewrite] = []
  /// Bits that must be gained; bits that may be lost anywhere.
  package var threshold = 4.0, slack = 1.0
  package var rounds = 4
  private var samples: [[Value]] = []
  private let silent = Silent()
  /// The handle's own: kept for the process they would look leaked, for their enums mark pointers.
  private let rewritings: [Rewriting] = ruleTable.map { Rewriting($0) }
  /// Elements of a value that are looked at in each sample.
  private static let elements = 64, candidatesLimit = 1 << 16

  package init(_ t: Tape, inputs: [NodeID], outputs: [NodeID]) throws(Failure) {
    if let f = t.failure { throw f }
    for (what, list) in [("input", inputs), ("output", outputs)] {
      for (i, n) in list.enumerated() where !t.contains(n) || t.isTuple(n) { throw Failure(.node, "stabilize: \(what) \(i) is not a node of this tape") }
    }
    guard Set(inputs).count == inputs.count else { throw Failure(.invalid, "stabilize: an input is given twice") }
    tape = t
    self.inputs = inputs
    self.outputs = outputs
  }

  /// A point at which the outputs will be wanted; copied.
  package func sample(_ given: [UnsafeRawPointer?]) throws(Failure) {
    guard samples.count < 256 else { throw Failure(.invalid, "stabilize: 256 samples are taken at most") }
    var list: [Value] = []
    for (i, n) in inputs.enumerated() {
      let v = try Value(tape.type(n))
      if v.type.bytes > 0 {
        guard let p = given[i] else { throw Failure(.invalid, "stabilize: input \(i) is NULL") }
        v.data.copyMemory(from: p, byteCount: v.type.bytes)
      }
      list.append(v)
    }
    samples.append(list)
  }

  private var ranges: [Int: (low: Double, high: Double)] = [:]
  /// Where input i will lie.
  package func range(_ i: Int, _ low: Double, _ high: Double) throws(Failure) {
    guard inputs.indices.contains(i), tape.dtype(inputs[i]).isFloat else { throw Failure(.invalid, "stabilize: input \(i) is none of floats of \(inputs.count) inputs") }
    guard low <= high, low.isFinite, high.isFinite else { throw Failure(.invalid, "stabilize: the range from \(low) to \(high) of input \(i)") }
    ranges[i] = (low, high)
  }

  /// Samples out of the ranges: their ends, what lies near them and near 0 in powers of ten, and points between. Inputs without a range are 1.
  private func draw() throws(Failure) {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    func next() -> Double {
      state = state &* 6364136223846793005 &+ 1442695040888963407
      return Double(state >> 11) * 0x1p-53
    }
    for k in 0 ..< 48 {
      var list: [Value] = []
      for (i, n) in inputs.enumerated() {
        let d = tape.dtype(n), wide = try Value(tape.type(n).with(.f64)), v = try Value(tape.type(n)), p = wide.data.assumingMemoryBound(to: Double.self)
        let r = ranges[i] ?? (1, 1), width = r.high - r.low
        for j in 0 ..< wide.type.count {
          let u = next(), kind = (k + j) % 6, small = pow(10, -18 * next())
          var x = r.low + u * width
          if kind == 0 { x = u < 0.5 ? r.low : r.high }
          if kind == 1 { x = u < 0.5 ? r.low + width * small : r.high - width * small }
          if kind == 2 || kind == 3, r.low <= 0, r.high >= 0 { x = (u < 0.5 ? r.low : r.high) * small }
          if kind == 2, r.low > 0 { x = r.low * exp(u * log(r.high / r.low)) }
          p[j] = min(max(x, r.low), r.high)
        }
        ck_cast_kernel(DType.f64.rawValue, d.rawValue)?(wide.data, nil, nil, v.data, v.type.count)
        list.append(v)
      }
      samples.append(list)
    }
  }

  private struct Candidate { let node: NodeID, rule: Int, bindings: Bindings; var variables: [NodeID] = [], rest: NodeID = .none }

  package func run() throws(Failure) -> [NodeID] {
    journal = []
    if samples.isEmpty, !ranges.isEmpty { try draw() }
    var outs = try inside(outputs)
    for _ in 0 ..< rounds {
      let (next, made) = try once(outs)
      outs = next
      if !made { break }
    }
    if let f = tape.failure { throw f }
    return outs
  }

  /// The same within the bodies of loops and branches, at the points that reach them from the first samples.
  private func inside(_ outs: [NodeID]) throws(Failure) -> [NodeID] {
    let l = try Layout(tape, outs, cut: inputs), loops = (0 ..< l.nodes.count).map { l.nodes[$0] }.filter { !tape.bodies(of: $0).isEmpty }
    if loops.isEmpty || depth > 8 { return outs }
    silent.points = [:]
    silent.collects = true
    defer { (silent.collects, silent.points) = (false, [:]) }
    for s in samples.prefix(8) {
      // Outputs that read more than the inputs listed cannot be run.
      do throws(Failure) { _ = try Interpreter(silent).run(tape, inputs, s, outs) } catch { if error.code != .invalid { throw error } }
    }
    var made: [ObjectIdentifier: Body] = [:]
    for n in loops {
      for b in tape.bodies(of: n) where made[ObjectIdentifier(b)] == nil {
        let inner = Tape(), ins = b.inputs.map { inner.input(b.tape.type($0)) }
        let same = inner.rewrite(b.tape, b.outputs, Dictionary(uniqueKeysWithValues: zip(b.inputs, ins))) { _, _ in nil }
        if let f = inner.failure { throw f }
        let own = try Stabilizer(inner, inputs: ins, outputs: same)
        (own.threshold, own.slack, own.rounds, own.depth, own.samples) = (threshold, slack, rounds, depth + 1, silent.points[ObjectIdentifier(b)]?.list ?? [])
        let next = try own.run()
        for r in own.journal {
          let label = r.label ?? tape.origin(n).label
          journal.append(Rewrite(number: r.number, rule: r.rule, node: n, label: label, before: r.before, after: r.after, isMade: r.isMade, reason: r.reason + ", in the \(tape.op(n).name)"))
        }
        if next != same { made[ObjectIdentifier(b)] = Body(tape: inner, inputs: ins, outputs: next) }
      }
    }
    if made.isEmpty { return outs }
    return tape.rewrite(tape, outs, Dictionary(uniqueKeysWithValues: inputs.map { ($0, $0) })) { n, x in
      if self.tape.bodies(of: n).contains(where: { made[ObjectIdentifier($0)] != nil }) { return self.tape.tupleAgain(n, from: self.tape, x) { made[ObjectIdentifier($0)] ?? $0 } }
      return x.indices.allSatisfy { x[$0] == self.tape.input(n, $0) } ? n : nil
    }
  }
  private var depth = 0

  private func once(_ outs: [NodeID]) throws(Failure) -> ([NodeID], Bool) {
    let nodes = try Layout(tape, outs, cut: inputs), matcher = Matcher(t: tape)
    var found: [Int32: [Candidate]] = [:], total = 0
    for k in 0 ..< nodes.nodes.count {
      let n = nodes.nodes[k]
      guard tape.record(n).type >= 0, tape.dtype(n).isFloat, tape.record(n).arity > 0, total < Stabilizer.candidatesLimit else { continue }
      for (i, r) in rewritings.enumerated() {
        var bound: Bindings?
        guard matcher.root(r, n, Then { b in
          if !self.isSound(r, b) { return false }
          bound = b
          return true
        }), let b = bound else { continue }
        found[n.index, default: []].append(Candidate(node: n, rule: i, bindings: b))
        total += 1
      }
    }
    let long = chains(nodes)
    if total == 0, long.isEmpty { return (outs, false) }
    // The variables as nodes, and what they are at the samples.
    var wanted: [NodeID] = [], place: [NodeID: Int] = [:]
    for n in Array(found.keys) {
      for k in found[n, default: []].indices {
        guard var c = found[n]?[k] else { continue }
        let r = rewritings[c.rule]
        var nodesOf: [NodeID] = []
        for t in c.bindings.terms { nodesOf.append(t.map { node($0, like: c.node, r.isElementwise) } ?? tape.like(c.node, 0)) }
        c.variables = nodesOf
        if !c.bindings.rest.isEmpty { c.rest = node(.product(false, c.bindings.rest), like: c.node, true) }
        found[n]?[k] = c
        for v in nodesOf where place[v] == nil && !samples.isEmpty { place[v] = wanted.count; wanted.append(v) }
      }
    }
    if let f = tape.failure { throw f }
    let values: [[Double]]
    do throws(Failure) { values = try seen(wanted) } catch {
      // Outputs that read more than the inputs listed cannot be measured.
      guard error.code == .invalid else { throw error }
      samples = []
      values = []
    }
    let lie = ranges.isEmpty ? nil : Ranges(tape, try Layout(tape, wanted, cut: inputs), ranges.map { (node: inputs[$0.key], low: $0.value.low, high: $0.value.high) })
    // From the outputs down: what a rewriting swallows is not looked at.
    var chosen: [Int32: Candidate] = [:], refused: Set<Int32> = []
    var stack = outs, visited: Set<Int32> = Set(inputs.map(\.index))
    while let n = stack.popLast() {
      guard visited.insert(n.index).inserted else { continue }
      if let terms = long[n.index] {
        let count = Double(terms.count), before = log2(count - 1), after = log2(log2(count).rounded(.up)), good = before - after > threshold
        journal.append(Rewrite(number: 57, rule: "x + y + ... -> pairwise", node: n, label: tape.origin(n).label, before: before, after: after, isMade: good,
                               reason: "\(terms.count) terms one after another: gains \(shown(before - after)) bits"))
        if good { chosen[n.index] = Candidate(node: n, rule: -1, bindings: Bindings(terms: []), variables: terms) }
      }
      if let list = found[n.index] {
        for c in list {
          let r = rewritings[c.rule]
          guard fits(c, r) else { continue }
          // A logarithm that becomes another function is no logarithm of x log y.
          if r.text.number == 54, tape.inputs(n).contains(where: { found[$0.index] != nil }) { continue }
          let (before, after, good, why) = try judge(c, r, values, place, lie)
          if good || !refused.contains(n.index) {
            journal.append(Rewrite(number: r.text.number, rule: "\(r.text.pattern) -> \(r.text.replacement)", node: n, label: tape.origin(n).label, before: before, after: after, isMade: good, reason: why))
          }
          if good { chosen[n.index] = c; break }
          refused.insert(n.index)
        }
      }
      if let c = chosen[n.index] {
        stack += c.variables
        if !c.rest.isNone { stack.append(c.rest) }
      } else {
        for m in tape.inputs(n) { stack.append(m) }
      }
    }
    if chosen.isEmpty { return (outs, false) }
    return (rebuilt(outs, chosen), true)
  }

  /// Long sums recorded term by term: their last nodes with their terms.
  private func chains(_ l: Layout) -> [Int32: [NodeID]] {
    var uses: [Int32: Int] = [:], depth: [Int32: Int] = [:]
    func isSum(_ n: NodeID) -> Bool { tape.op(n) == OpCode(Binary.add) && tape.dtype(n).isFloat }
    for k in 0 ..< l.nodes.count where tape.record(l.nodes[k]).type >= 0 && tape.arity(l.nodes[k]) > 0 {
      let n = l.nodes[k]
      for m in tape.inputs(n) where tape.record(m).type >= 0 && isSum(m) { uses[m.index, default: 0] += 1 }
      if isSum(n) { depth[n.index] = 1 + max(depth[tape.input(n, 0).index] ?? 0, depth[tape.input(n, 1).index] ?? 0) }
    }
    var found: [Int32: [NodeID]] = [:], inside: Set<Int32> = []
    for k in stride(from: l.nodes.count - 1, through: 0, by: -1) {
      let n = l.nodes[k]
      guard let d = depth[n.index], d >= 32, !inside.contains(n.index) else { continue }
      var terms: [NodeID] = [], stack = [n]
      while let m = stack.popLast() {
        if m == n || (depth[m.index] != nil && uses[m.index] == 1) {
          inside.insert(m.index)
          stack.append(tape.input(m, 1))
          stack.append(tape.input(m, 0))
        } else {
          terms.append(m)
        }
      }
      if terms.count >= 32 { found[n.index] = terms }
    }
    return found
  }

  private func isSound(_ r: Rewriting, _ b: Bindings) -> Bool {
    // Softmax has one axis; the mean's square has the mean's factor twice.
    if r.text.number == 46 || r.text.number == 45 { return (b.axes?.count ?? 0) == 1 }
    // A root of x x + k with k > 0 only.
    if r.text.number == 28, r.variables == 2, b.terms.count == 2, case .constant(let k)? = b.terms[1] { return k > 0 && k.isFinite }
    if r.text.number == 40, case .constant(let k)? = b.terms[0], case .constant(let kk)? = b.terms[2] { return abs(kk - k * k) <= 1e-12 * kk }
    return true
  }

  /// Variables of elementwise rules have the result's shape.
  private func fits(_ c: Candidate, _ r: Rewriting) -> Bool {
    for v in c.variables where !tape.contains(v) { return false }
    guard r.isElementwise else { return true }
    let want = tape.typeID(c.node)
    for v in c.variables where tape.typeID(v) != want { return false }
    return true
  }

  private func node(_ x: Term, like n: NodeID, _ isElementwise: Bool) -> NodeID {
    switch x {
    case .node(let m): return m
    case .constant(let v): return tape.like(n, v)
    case .sum(let parts):
      var y = NodeID.none
      for p in parts {
        let m = node(p.t, like: first(parts) ?? n, isElementwise)
        y = y.isNone ? (p.flip ? tape.neg(m) : m) : p.flip ? tape.sub(y, m) : tape.add(y, m)
      }
      return y
    case .product(let negative, let parts):
      var y = NodeID.none
      for p in parts.filter({ !$0.flip }) + parts.filter({ $0.flip }) {
        let m = node(p.t, like: first(parts) ?? n, isElementwise)
        y = y.isNone ? (p.flip ? tape.div(tape.like(m, 1), m) : m) : p.flip ? tape.div(y, m) : tape.mul(y, m)
      }
      return negative ? tape.neg(y) : y
    }
  }
  private func first(_ parts: [Term.Part]) -> NodeID? {
    for p in parts {
      switch p.t {
      case .node(let n): return n
      case .sum(let q): if let n = first(q) { return n }
      case .product(_, let q): if let n = first(q) { return n }
      default: break
      }
    }
    return nil
  }

  /// By wanted node and sample: up to 64 of its elements.
  private func seen(_ wanted: [NodeID]) throws(Failure) -> [[Double]] {
    var list = [[Double]](repeating: [], count: wanted.count)
    if wanted.isEmpty { return list }
    let runner = Interpreter(silent)
    for s in samples {
      let out = try runner.run(tape, inputs, s, wanted)
      for (k, v) in out.enumerated() {
        let n = v.type.count, step = max(1, (n + Stabilizer.elements - 1) / Stabilizer.elements)
        var i = 0
        while i < n {
          list[k].append(v.number(i))
          i += step
        }
      }
    }
    return list
  }

  // MARK: is it worth it?

  private func judge(_ c: Candidate, _ r: Rewriting, _ values: [[Double]], _ place: [NodeID: Int], _ lie: Ranges?) throws(Failure) -> (Double, Double, Bool, String) {
    let always = r.text.always
    guard r.isElementwise, !samples.isEmpty else {
      if !always, !samples.isEmpty, let found = try bounded(c, r) { return found }
      return (.nan, .nan, always, always ? "always" : samples.isEmpty ? "no samples to measure at" : "not measured")
    }
    var x: [[Double]] = []
    for v in c.variables { x.append(place[v].map { values[$0] } ?? []) }
    var n = x.map(\.count).max() ?? 0
    let real = n
    if n == 0 { return (.nan, .nan, always, always ? "always" : "no elements") }
    // What the ranges allow says whether it is worth it; whether it does harm only points that there are.
    if !always, let more = lie?.points(c.variables), more.count == x.count, let m = more.first?.count {
      for k in x.indices { x[k] += [Double](repeating: x[k].last ?? 0, count: n - x[k].count) + more[k] }
      n += m
    }
    let old = try losses(r.pattern, r, x, n, tape.dtype(c.node)), new = try losses(r.replacement, r, x, n, tape.dtype(c.node))
    var before = -Double.infinity, after = -Double.infinity, gain = -Double.infinity, worst = -Double.infinity
    for i in 0 ..< n {
      // Where neither gives a number there is nothing to compare.
      let size = new.value[i].isFinite ? abs(new.value[i]) : abs(old.value[i])
      let bothDead = !new.value[i].isFinite && !old.value[i].isFinite
      if bothDead { continue }
      func bits(_ l: Losses) -> Double {
        if !l.value[i].isFinite { return .infinity }
        if size == 0 { return l.value[i] == 0 && l.error[i] == 0 ? 0 : l.error[i] == 0 ? 0 : 53 }
        let b = l.error[i] / size
        return b.isNaN ? 53 : max(0, min(b > 1 ? log2(b) : 0, 1100))
      }
      var p = bits(old), q = bits(new)
      if !old.isSmooth[i], new.isSmooth[i] { p = .infinity }
      if !new.isSmooth[i], old.isSmooth[i] { q = .infinity }
      before = max(before, p)
      after = max(after, q)
      if p == q { gain = max(gain, 0); worst = max(worst, 0); continue }
      gain = max(gain, p - q)
      if i < real { worst = max(worst, q - p) }
    }
    if before == -.infinity { return (.nan, .nan, false, "not a number at the samples either way") }
    if worst > slack { return (before, after, false, "it would lose \(shown(worst)) bits at a sample") }
    if always { return (before, after, true, "always") }
    if gain > threshold { return (before, after, true, "gains \(shown(gain)) bits") }
    return (before, after, false, "gains \(shown(gain)) bits, less than \(shown(threshold))")
  }
  /// Expressions with reductions: the weighted bounds (`Rounding`) of what was found and of what would be put in, from its variables on, at the first samples.
  private func bounded(_ c: Candidate, _ r: Rewriting) throws(Failure) -> (Double, Double, Bool, String)? {
    let y = replaced(c, c.variables, c.rest)
    var from: [NodeID] = []
    for v in c.variables + (c.rest.isNone ? [] : [c.rest]) where !from.contains(v) && tape.uniformConstant(v) == nil { from.append(v) }
    guard tape.failure == nil, tape.contains(y), tape.typeID(y) == tape.typeID(c.node), !from.isEmpty, from.allSatisfy({ tape.type($0).count <= 1 << 16 }) else { return nil }
    let count = tape.type(y).count, bounds = try Rounding(tape, outputs: [c.node, y], inputs: from)
    var worst = [0.0, 0.0], gain = -Double.infinity, loss = -Double.infinity
    for s in samples.prefix(4) {
      let values: [Value]
      do throws(Failure) {
        values = try Interpreter(silent).run(tape, inputs, s, from)
        try bounds.run { UnsafeRawPointer(values[$0].data) }
      } catch {
        if error.code == .memory { throw error }
        return nil
      }
      for k in 0 ..< min(count, 4) {
        var bits = [0.0, 0.0]
        for side in 0 ..< 2 {
          try bounds.at(output: side, element: k * (count - 1) / max(min(count, 4) - 1, 1))
          let f = bounds.figures, b = f.adjoint / (f.unit * abs(f.corrected))
          bits[side] = !f.value.isFinite && f.corrected.isFinite ? .infinity : f.adjoint == 0 ? 0 : b.isNaN ? 53 : max(0, log2(min(b, 0x1p1000)))
          worst[side] = max(worst[side], bits[side])
        }
        if bits[0] == bits[1] { bits = [0, 0] }
        gain = max(gain, bits[0] - bits[1])
        loss = max(loss, bits[1] - bits[0])
      }
    }
    if count == 0 { return nil }
    if loss > slack { return (worst[0], worst[1], false, "it would lose \(shown(loss)) bits at a sample") }
    return (worst[0], worst[1], gain > threshold, gain > threshold ? "gains \(shown(gain)) bits" : "gains \(shown(gain)) bits, less than \(shown(threshold))")
  }

  /// What stands for a candidate, of these variables.
  private func replaced(_ c: Candidate, _ variables: [NodeID], _ rest: NodeID) -> NodeID {
    var b = Builder(tape, variables, like: c.node)
    b.axes = c.bindings.axes ?? []
    var y = b.make(rewritings[c.rule].replacement)
    if c.bindings.negative { y = tape.neg(y) }
    return rest.isNone ? y : tape.mul(rest, y)
  }

  private func shown(_ v: Double) -> String { v.isInfinite ? "all" : "\((v * 10).rounded() / 10)" }

  private struct Losses { var value: [Double], error: [Double], isSmooth: [Bool] }

  /// The value, the bound of its own rounding in units of u, and whether its derivatives are numbers, at each sample.
  private func losses(_ p: Pattern, _ r: Rewriting, _ x: [[Double]], _ n: Int, _ d: DType) throws(Failure) -> Losses {
    let t = Tape(), type = TensorType(.f64, [n])
    let vs = (0 ..< r.variables).map { _ in t.input(type) }
    var b = Builder(t, vs, like: vs.first ?? t.full(type, 0))
    b.injects = true
    let y = b.make(p)
    guard t.contains(y) else { throw t.failure ?? Failure(.invalid, "stabilize: a rule could not be built") }
    let slopes = t.vjp([y], [t.like(y, 1)], b.errors + vs)
    if let f = t.failure { throw f }
    var given: [Value] = []
    for k in 0 ..< r.variables {
      let v = try Value(type), p = v.data.assumingMemoryBound(to: Double.self)
      for i in 0 ..< n { p[i] = x[k].isEmpty ? 0 : x[k][min(i, x[k].count - 1)] }
      given.append(v)
    }
    for _ in b.errors {
      let v = try Value(type)
      v.data.assumingMemoryBound(to: Double.self).initialize(repeating: 0, count: n)
      given.append(v)
    }
    let out = try Interpreter(silent).run(t, vs + b.errors, given, [y] + slopes)
    var l = Losses(value: [], error: [], isSmooth: [])
    for i in 0 ..< n {
      var e = 0.0, smooth = true
      for k in b.errors.indices { e += abs(out[1 + k].number(i)) * b.units[k] }
      for k in vs.indices where !out[1 + b.errors.count + k].number(i).isFinite { smooth = false }
      l.value.append(out[0].number(i))
      l.error.append(e)
      l.isSmooth.append(smooth)
    }
    if d != .f64 { try narrow(p, r, x, n, d, &l) }
    return l
  }

  /// In a narrower format the value may be infinite where f64 has a number.
  private func narrow(_ p: Pattern, _ r: Rewriting, _ x: [[Double]], _ n: Int, _ d: DType, _ l: inout Losses) throws(Failure) {
    let t = Tape(), type = TensorType(.f64, [n]), vs = (0 ..< r.variables).map { _ in t.input(type) }
    let low = vs.map { t.cast($0, d) }
    var b = Builder(t, low, like: low.first ?? t.full(TensorType(d, [n]), 0))
    let y = t.cast(b.make(p), .f64)
    if let f = t.failure { throw f }
    var given: [Value] = []
    for k in 0 ..< r.variables {
      let v = try Value(type), p = v.data.assumingMemoryBound(to: Double.self)
      for i in 0 ..< n { p[i] = x[k].isEmpty ? 0 : x[k][min(i, x[k].count - 1)] }
      given.append(v)
    }
    let out = try Interpreter(silent).run(t, vs, given, [y])
    for i in 0 ..< n where !out[0].number(i).isFinite { l.value[i] = out[0].number(i) }
  }

  // MARK: made

  /// The outputs with what was chosen in the place of what was found.
  private func rebuilt(_ outs: [NodeID], _ chosen: [Int32: Candidate]) -> [NodeID] {
    var map: [Int32: NodeID] = [:], stack: [(NodeID, Bool)] = []
    for n in inputs { map[n.index] = n }
    // What is put in stands where what it replaces stood; then the host's place again, which a node of its own tells.
    let here = tape.origin(tape.input(TensorType(.f64, []))).label
    for o in outs { stack.append((o, false)) }
    while let (n, isReady) = stack.popLast() {
      if map[n.index] != nil { continue }
      let c = chosen[n.index], needs = c.map { $0.rest.isNone ? $0.variables : $0.variables + [$0.rest] } ?? tape.inputs(n)
      if !isReady {
        stack.append((n, true))
        for m in needs where map[m.index] == nil { stack.append((m, false)) }
        continue
      }
      let x = needs.map { map[$0.index] ?? $0 }
      if let c, c.rule < 0 {
        var level = x
        while level.count > 1 {
          var next: [NodeID] = []
          for k in stride(from: 0, to: level.count, by: 2) { next.append(k + 1 < level.count ? tape.add(level[k], level[k + 1]) : level[k]) }
          level = next
        }
        map[n.index] = level[0]
      } else if let c {
        tape.label(from: tape.origin(n).label)
        map[n.index] = replaced(c, Array(x.prefix(c.variables.count)), c.rest.isNone ? .none : x[x.count - 1])
      } else if zip(x, needs).allSatisfy({ $0 == $1 }) {
        map[n.index] = n
      } else {
        tape.label(from: tape.origin(n).label)
        map[n.index] = tape.again(n, from: tape, x)
      }
    }
    tape.label(from: here)
    return outs.map { map[$0.index] ?? .none }
  }
}
