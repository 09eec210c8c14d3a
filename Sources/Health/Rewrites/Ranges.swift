import CKernels
import Tape

/// Where values lie, from where the inputs do: interval arithmetic over a tape, ends computed by the rows' kernels. No more than that: x - x is no point.
struct Ranges {
  struct Span { var low: Double, high: Double, inputs: UInt64 }
  private let t: Tape
  private var known: [Int32: Span] = [:]

  /// `given` by node; a node that depends on anything else has none.
  init(_ t: Tape, _ order: Layout, _ given: [(node: NodeID, low: Double, high: Double)]) {
    self.t = t
    for (i, g) in given.enumerated() { known[g.node.index] = Span(low: g.low, high: g.high, inputs: 1 << UInt64(i % 64)) }
    for k in 0 ..< order.nodes.count {
      let n = order.nodes[k]
      if known[n.index] == nil, t.record(n).type >= 0, t.dtype(n).isFloat, let s = made(n), s.low <= s.high { known[n.index] = s }
    }
  }
  subscript(_ n: NodeID) -> Span? { known[n.index] }

  private func value(_ op: OpCode, _ x: Double, _ y: Double = 0) -> Double {
    var a = x, b = y, r = Double.nan
    ck_row_kernel(Int32(op.raw), DType.f64.rawValue)?(&a, &b, nil, &r, 1)
    return r
  }
  /// The least and the largest of a function monotone in each operand: at corners.
  private func corners(_ op: OpCode, _ a: Span, _ b: Span) -> Span? {
    var s = Span(low: .infinity, high: -.infinity, inputs: a.inputs | b.inputs)
    for x in [a.low, a.high] {
      for y in [b.low, b.high] {
        let v = value(op, x, y)
        if v.isNaN { return nil }
        s.low = min(s.low, v)
        s.high = max(s.high, v)
      }
    }
    return s
  }

  private func made(_ n: NodeID) -> Span? {
    let op = t.op(n), x = t.inputs(n)
    if let c = t.uniformConstant(n), t.dtype(c).isFloat {
      let v = Double(bitPattern: t.constantBits(c))
      return v.isFinite ? Span(low: v, high: v, inputs: 0) : nil
    }
    guard let last = x.last, let b = known[last.index], var a = known[x[0].index] ?? (op == OpCode(Ternary.select) ? known[x[1].index] : nil) else { return nil }
    guard op.isElementwise else {
      switch op.structural {
      case .reshape, .broadcast, .transpose, .slice, .roll, .max, .min, .sort, .cummax, .cummin, .after: return a
      case .concat:
        for m in x { guard let s = known[m.index] else { return nil }; a = Span(low: min(a.low, s.low), high: max(a.high, s.high), inputs: a.inputs | s.inputs) }
        return a
      case .pad: return Span(low: min(a.low, 0), high: max(a.high, 0), inputs: a.inputs)
      case .sum:
        let k = Double(t.type(x[0]).count / max(t.type(n).count, 1))
        return Span(low: a.low * k, high: a.high * k, inputs: a.inputs)
      case .softmax: return Span(low: 0, high: 1, inputs: a.inputs)
      default: return nil
      }
    }
    switch op.elementwise {
    case .unary(let u):
      switch u {
      case .neg: return Span(low: -a.high, high: -a.low, inputs: a.inputs)
      case .sin, .cos: return Span(low: -1, high: 1, inputs: a.inputs)
      case .abs, .square, .cosh, .sech_squared, .reciprocal, .logistic_density:
        guard var s = corners(op, a, a) else { return nil }
        if a.low < 0, a.high > 0 {
          if u == .reciprocal { return nil }
          let v = value(op, 0)
          s = Span(low: min(s.low, v), high: max(s.high, v), inputs: s.inputs)
        }
        return u == .reciprocal && a.low * a.high == 0 ? nil : s
      case .floor, .ceil, .round, .trunc, .sqrt, .rsqrt, .cbrt, .exp, .exp2, .expm1, .log, .log2, .log10, .log1p, .asin, .acos, .atan, .sinh, .tanh, .asinh, .acosh, .atanh, .sigmoid,
           .softplus, .log_sigmoid, .logit, .log1mexp, .relu, .erf, .erfc, .erfcx, .normal_cdf, .log_normal_cdf: return corners(op, a, a)
      default: return nil
      }
    case .binary(let f):
      switch f {
      case .add, .sub, .maximum, .minimum, .fmax, .fmin, .logaddexp: return corners(op, a, b)
      case .mul:
        guard var s = corners(op, a, b) else { return nil }
        if x[0] == x[1] { s = Span(low: a.low < 0 && a.high > 0 ? 0 : min(a.low * a.low, a.high * a.high), high: s.high, inputs: s.inputs) }
        return s
      case .div: return b.low > 0 || b.high < 0 ? corners(op, a, b) : nil
      case .pow: return a.low > 0 || (a.low >= 0 && b.low > 0) ? corners(op, a, b) : b.low == 2 && b.high == 2 ? Span(low: 0, high: max(a.low * a.low, a.high * a.high), inputs: a.inputs) : nil
      default: return nil
      }
    case .ternary(let f):
      guard f == .select, let s = known[x[1].index] else { return nil }
      return Span(low: min(s.low, b.low), high: max(s.high, b.high), inputs: s.inputs | b.inputs)
    }
  }

  /// Points of a candidate's variables: ends, what lies near them, powers of ten between and near 0, and where two are nearly equal. Only of variables that can
  /// lie anywhere in their ranges: each of other inputs.
  func points(_ variables: [NodeID]) -> [[Double]] {
    var spans: [Span] = [], seen: UInt64 = 0
    for v in variables {
      guard let s = known[v.index], s.low.isFinite, s.high.isFinite, s.inputs & seen == 0 else { return [] }
      seen |= s.inputs
      spans.append(s)
    }
    if seen == 0 { return [] }
    var out = [[Double]](repeating: [], count: spans.count)
    for k in 0 ..< 36 {
      for (i, s) in spans.enumerated() {
        let width = s.high - s.low, j = (k + i * 7) % 12, small = [1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 0.1][k % 6]
        var v = s.low + width * Double((k * 5 + i * 3) % 11) / 10
        if j == 0 { v = s.low } else if j == 1 { v = s.high } else if j < 4 { v = s.low + width * small } else if j < 6 { v = s.high - width * small }
        else if j < 9, s.low <= 0, s.high >= 0 { v = (j == 6 ? s.low : s.high) * small }
        else if j == 9, s.low > 0 { v = s.low * value(OpCode(Binary.pow), s.high / s.low, Double(k) / 36) }
        if i > 0, k % 4 == 3 { v = out[i - 1][k] * (1 + small * 1e-3) }
        out[i].append(min(max(v, s.low), s.high))
      }
    }
    return out
  }
}
