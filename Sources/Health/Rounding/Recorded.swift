import CKernels
package import Tape

/// The weighted bound as nodes: compiled, batched and differentiated like everything else.
extension Tape {
  /// Of a scalar y: [1.01 sum |w| e], and with `estimate` [that, sum of w d over the operators whose rounding error a few operations give exactly,
  /// sum of |w| e over the rest]. f64 scalars.
  package func roundingBound(_ y: NodeID, _ inputs: [NodeID], estimate: Bool) -> [NodeID] {
    let none = [NodeID](repeating: .none, count: estimate ? 3 : 1), name = estimate ? "rounding_estimate" : "rounding_bound"
    guard failure == nil else { return none }
    guard contains(y), record(y).type >= 0, dtype(y).isFloat, shape(y).isEmpty else {
      fail(contains(y) && record(y).type >= 0 ? .shape : .node, "\(name): the output is \(contains(y) && record(y).type >= 0 ? type(y).description : "not a node of this tape"); one float scalar is asked about: weigh and sum the others")
      return none
    }
    for (i, n) in inputs.enumerated() where !contains(n) || record(n).type < 0 || !dtype(n).isFloat {
      fail(.dtype, "\(name): input \(i) is not a float node of this tape")
      return none
    }
    guard Set(inputs).count == inputs.count, let nodes = order([y]), var live = PerNode<UInt8>(self, 0) else {
      if failure == nil { fail(.invalid, "\(name): an input is given twice") }
      return none
    }
    var leaves = inputs
    for n in inputs { live[n] = 1 }
    for k in 0 ..< nodes.count where live[nodes[k]] == 0 {
      let n = nodes[k], r = record(n)
      guard r.type >= 0, r.op != Structural.part.rawValue else {
        fail(.derivative, "\(name): \(self.name(of: n)) is a loop, a branch or a function of the host; camber_rounding unrolls those")
        return none
      }
      if r.arity == 0 || !dtype(n).isFloat { continue }
      guard r.op != OpCode(Unary.stop_gradient).raw else {
        fail(.derivative, "\(name): stop_gradient hides what lies before it; camber_rounding sees that")
        return none
      }
      var any = false
      for slot in 0 ..< Int(r.arity) where live[input(of: r, slot)] != 0 { any = true }
      if !any, rounds(n) { leaves.append(n) }
      live[n] = any || rounds(n) ? 1 : 0
    }
    var terms = Terms(self, name, estimate)
    let cut = Set(leaves), given = Set(inputs)
    var between: [NodeID] = []
    for k in 0 ..< nodes.count where live[nodes[k]] != 0 && !cut.contains(nodes[k]) && dtype(nodes[k]).isFloat && rounds(nodes[k]) { between.append(nodes[k]) }
    let back = reverse([(y, Masked(like(y, 1)))], wrt: leaves, watched: between)
    if failure != nil { return none }
    for (n, g) in zip(leaves + between, back) where !given.contains(n) { if let g { terms.add(n, g.value) } }
    return failure == nil ? terms.results : none
  }

  /// Whether an operator rounds at all.
  private func rounds(_ n: NodeID) -> Bool {
    let op = self.op(n)
    if op.isElementwise { return roundoffs(op) > 0 }
    switch op.structural {
    case .reshape, .broadcast, .transpose, .slice, .pad, .concat, .roll, .gather, .dynamicSlice, .dynamicUpdate, .scatterSet, .sort, .max, .min, .cummax, .cummin,
         .segmentMax, .segmentMin, .random, .after: return false
    case .cast:
      let x = dtype(input(n, 0))
      guard let f = Format(dtype(n)), let g = Format(x) else { return x != .bool }
      return g.unit < f.unit || g.tiny < f.tiny
    default: return true
    }
  }

  fileprivate func roundsHere(_ n: NodeID) -> Bool { rounds(n) }
}

/// Terms of the sums, added as in a binary counter: what is recorded together is added together, to a depth of log n.
private struct Terms {
  private let t: Tape, name: String, estimate: Bool
  /// By factor: partial sums, of one term, two, four...
  private var groups: [(factor: Double, sums: [NodeID])] = []
  private var errors: [NodeID] = []
  private var rest: [(factor: Double, sums: [NodeID])] = []

  init(_ t: Tape, _ name: String, _ estimate: Bool) {
    self.t = t
    self.name = name
    self.estimate = estimate
  }

  private static func carry(_ t: Tape, _ n: NodeID, _ sums: inout [NodeID]) {
    var n = n, k = 0
    while k < sums.count, !sums[k].isNone {
      n = t.binary(.add, sums[k], n)
      sums[k] = .none
      k += 1
    }
    if k == sums.count { sums.append(n) } else { sums[k] = n }
  }
  private static func put(_ t: Tape, _ n: NodeID, _ factor: Double, _ groups: inout [(factor: Double, sums: [NodeID])]) {
    for g in groups.indices where groups[g].factor == factor && !(groups[g].sums.contains { !$0.isNone && t.typeID($0) != t.typeID(n) }) {
      carry(t, n, &groups[g].sums)
      return
    }
    groups.append((factor, [n]))
  }
  private func total(_ sums: [NodeID]) -> NodeID {
    var s = NodeID.none
    for n in sums where !n.isNone { s = s.isNone ? n : t.binary(.add, s, n) }
    return s.isNone ? t.constant(.f64, 0.0) : t.cast(s, .f64)
  }
  private func scaled(_ groups: [(factor: Double, sums: [NodeID])]) -> NodeID {
    var s = t.constant(.f64, 0.0)
    for g in groups { s = t.add(s, t.mul(total(g.sums), t.constant(.f64, g.factor))) }
    return s
  }
  var results: [NodeID] {
    let b = t.mul(scaled(groups), t.constant(.f64, 1.01))
    return estimate ? [b, total(errors), t.mul(scaled(rest), t.constant(.f64, 1.01))] : [b]
  }

  /// All elements in one scalar, of at least f32.
  private func whole(_ x: NodeID) -> NodeID {
    t.contains(x) ? t.sum(x, axes: (0 ..< t.shape(x).count).map { $0 - t.shape(x).count }, keep: false) : x
  }
  private func wide(_ x: NodeID) -> NodeID { t.contains(x) && t.dtype(x).isHalf ? t.cast(x, .f32) : x }
  private func mag(_ x: NodeID) -> NodeID { t.unary(.abs, x) }

  mutating func add(_ n: NodeID, _ weight: NodeID) {
    guard t.failure == nil, t.roundsHere(n), let f = Format(t.dtype(n)) else { return }
    let op = t.op(n), w = wide(weight), v = wide(n), half = t.dtype(n).isHalf
    let u = half ? 0x1p-24 : f.unit, store = half ? f.unit : 0
    if op.isElementwise {
      if scales(op, n) {
        // Exact but for what underflows; the factor is large enough not to vanish against small weights.
        let term = whole(mag(w)), eta = max(f.tiny, 0x1p-1040)
        Terms.put(t, term, eta, &groups)
        if estimate { Terms.put(t, term, eta, &rest) }
        return
      }
      let sums = op == OpCode(Binary.add) || op == OpCode(Binary.sub), c = roundoffs(op) * u + store
      // |v| is at least the smallest normal number: then u |v| covers what underflows. Where normal numbers are small, a sum is as good as the larger of both,
      // and takes one instruction for six.
      let least = t.like(v, f.normal), size = sums ? v : half ? t.binary(.maximum, mag(v), least) : t.binary(.add, mag(v), least)
      let term = whole(mag(t.mul(w, size)))
      Terms.put(t, term, c, &groups)
      let k = absoluteRoundoffs(op)
      if k > 0 { Terms.put(t, whole(mag(w)), k * u, &groups) }
      if estimate {
        if !half, let d = residual(op, n) { Terms.carry(t, t.cast(whole(t.mul(w, d)), .f64), &errors) } else {
          Terms.put(t, term, c, &rest)
          if k > 0 { Terms.put(t, whole(mag(w)), k * u, &rest) }
        }
      }
      return
    }
    guard let terms = structural(n, op, w, v, u) else { return }
    for (m, c) in terms + (store > 0 ? [(whole(mag(t.mul(w, v))), store)] : []) {
      Terms.put(t, m, c, &groups)
      if estimate { Terms.put(t, m, c, &rest) }
    }
  }

  /// Whether it only makes smaller by a power of two: what makes larger may overflow, and the bound is to say so.
  private func scales(_ op: OpCode, _ n: NodeID) -> Bool {
    let product = op == OpCode(Binary.mul)
    guard product || op == OpCode(Binary.div) else { return false }
    for slot in product ? 0 ..< 2 : 1 ..< 2 {
      if let c = t.uniformConstant(t.input(n, slot)), t.dtype(c).isFloat {
        let v = Double(bitPattern: t.constantBits(c))
        if v.isNormal, v.significand == 1, product ? v.exponent <= 0 : v.exponent >= 0 { return true }
      }
    }
    return false
  }

  /// computed - exact, where fma and TwoSum (Knuth) give it.
  private func residual(_ op: OpCode, _ n: NodeID) -> NodeID? {
    let a = t.input(n, 0), b = t.arity(n) > 1 ? t.input(n, 1) : a
    switch op {
    case OpCode(Binary.add), OpCode(Binary.sub):
      let minus = op == OpCode(Binary.sub), s = t.binary(.sub, n, a), back = t.binary(.sub, n, s)
      // a + b: s = v - a, the error (a - (v - s)) + (b - s); of a - b, b is -b.
      let x = t.binary(.sub, a, back), y = minus ? t.unary(.neg, t.binary(.add, b, s)) : t.binary(.sub, b, s)
      return t.unary(.neg, t.binary(.add, x, y))
    case OpCode(Binary.mul), OpCode(Unary.square): return t.ternary(.fma, t.unary(.neg, a), b, n)
    case OpCode(Binary.div): return t.binary(.div, t.unary(.neg, t.ternary(.fma, t.unary(.neg, n), b, a)), b)
    case OpCode(Unary.reciprocal): return t.binary(.div, t.ternary(.fma, n, a, t.like(a, -1)), a)
    case OpCode(Unary.sqrt):
      let r = t.ternary(.fma, n, n, t.unary(.neg, a)), d = t.binary(.div, r, t.binary(.add, n, n))
      return t.select(t.binary(.gt, n, t.zeros(n)), d, t.zeros(n))
    default: return nil
    }
  }

  private func structural(_ n: NodeID, _ op: OpCode, _ w: NodeID, _ v: NodeID, _ u: Double) -> [(NodeID, Double)]? {
    let x = t.inputs(n), a = t.attrs(n), d = t.dtype(n), x0 = t.type(x[0])
    func along(_ axes: [Int]) -> Int { axes.reduce(1) { $0 &* x0.shape[x0.rank + $1] } }
    func itself(_ depth: Double) -> [(NodeID, Double)]? {
      guard let s = op.structural, depth > 0 else { return nil }
      return [(whole(t.mul(mag(w), wide(t.apply(s, x.map { t.dtype($0).isFloat ? mag($0) : $0 }, a)))), depth * u * 1.01)]
    }
    switch op.structural {
    case .cast: return [(whole(mag(t.mul(w, v))), d.isHalf ? 0 : u)]
    case .sum:
      let depth = sumDepth(along(a), d)
      if depth == 0 { return nil }
      // One scalar of a sum over all needs no spreading.
      return [(whole(t.mul(mag(w), wide(t.sum(mag(wide(x[0])), axes: a, keep: false)))), depth * u)]
    case .prod: return [(whole(mag(t.mul(w, v))), max(1, sumDepth(along(a), d)) * u)]
    case .norm: return [(whole(mag(t.mul(w, v))), (d == .f64 ? sumDepth(along(a), d) / 2 + 3 : 1.01) * u)]
    case .logsumexp: return [(whole(mag(t.mul(w, v))), u), (whole(mag(w)), (sumDepth(along(a), d) + 8) * u)]
    case .softmax:
      let m = x0.shape[x0.rank + a[0]], c = sumDepth(m, d) + 10 + Double(Int.bitWidth - m.leadingZeroBitCount)
      let far = t.sub(t.broadcast(wide(t.reduce(.max, x[0], axes: [a[0]], keep: true)), to: x0.shape), wide(x[0]))
      return [(whole(mag(t.mul(w, v))), c * u), (whole(mag(t.mul(t.mul(w, v), far))), u)]
    case .cumsum: return itself(Double(x0.shape[x0.rank + a[0]] - 1))
    case .cumprod: return [(whole(mag(t.mul(w, v))), Double(x0.shape[x0.rank + a[0]]) * u)]
    case .scatterAdd: return itself(Double(x0.shape[a[1]...].reduce(1, &*) - 1))
    case .conv:
      let k = t.type(x[1])
      return itself(Double(k.count / max(1, k.shape.first ?? 1)) + 2)
    case .matmul:
      // |sum_p a_ip b_pj| of magnitudes is at most ||a_i|| ||b_j||.
      let k = x0.shape[x0.rank - 1 - a[0]], p = wide(x[0]), q = wide(x[1])
      let left = t.reduce(.norm, p, axes: [a[0] != 0 ? -2 : -1], keep: false), right = t.reduce(.norm, q, axes: [a[1] != 0 ? -1 : -2], keep: false)
      guard t.contains(left), t.contains(right) else { return nil }
      let columns = t.matmul(mag(w), t.reshape(right, t.shape(right) + [1]))
      guard t.contains(columns) else { return nil }
      let rows = t.reshape(columns, Array(t.shape(columns).dropLast()))
      return [(whole(t.mul(rows, t.broadcast(left, to: t.shape(rows)))), productDepth(k) * u * 1.01)]
    default:
      t.fail(.derivative, "\(name): \(op.name) has no recorded bound; camber_rounding measures it")
      return nil
    }
  }
}
