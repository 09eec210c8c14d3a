import CKernels
import Tape

/// What a call of a test's function knows: its types, and the batch.
private final class Known {
  let x: [TensorType], y: [TensorType], batch: Int, flags: [Bool]
  init(_ x: [TensorType], _ y: [TensorType], _ batch: Int, _ flags: [Bool]) { (self.x, self.y, self.batch, self.flags) = (x, y, batch, flags) }
}

/// A function of the host's that computes in doubles.
func hostFunction(_ name: String, pure: Bool = false, takesBatches: Bool = false, _ compute: @escaping ([Doubles]) throws -> [Doubles]) -> HostFunction {
  HostFunction(name, pure: pure, takesBatches: takesBatches, prepare: { Known($0, $1, $2, $3) }, call: { context, x, y in
    guard let k = context as? Known else { return HostFailure(.callback, "no context") }
    let values = k.x.enumerated().map { i, t in
      var v = Doubles(repeating: 0, count: t.count)
      if let p = x[i] { ck_cast_kernel(t.dtype.rawValue, DType.f64.rawValue)?(p, nil, nil, &v, t.count) }
      return v
    }
    var results = k.y.map { _ in Doubles() }
    do {
      for b in 0 ..< max(k.batch, k.batch < 0 ? 1 : 0) {
        let one = values.indices.map { i -> Doubles in
          guard k.batch >= 0, k.flags[i] else { return values[i] }
          let n = values[i].count / k.batch
          return Array(values[i][b * n ..< (b + 1) * n])
        }
        for (o, r) in try compute(one).enumerated() { results[o] += r }
      }
    } catch { return HostFailure(.callback, "\(error)", thrown: error) }
    for (o, t) in k.y.enumerated() {
      var v = results[o]
      if let p = y[o] { ck_cast_kernel(DType.f64.rawValue, t.dtype.rawValue)?(&v, nil, nil, p, t.count) }
    }
    return nil
  })
}

/// y0 = sin(x0) x1, y1 = the sum of x0 x1: with its derivatives in nodes.
private struct SinesAndSum {
  static func compute(_ x: [Doubles]) -> [Doubles] {
    [zip(x[0], x[1]).map { sinOf($0) * $1 }, [zip(x[0], x[1]).reduce(0) { $0 + $1.0 * $1.1 }]]
  }
  private static func sinOf(_ v: Double) -> Double {
    var x = v, y = 0.0
    ck_row_kernel(Int32(OpCode(Unary.sin).raw), DType.f64.rawValue)?(&x, nil, nil, &y, 1)
    return y
  }
  static func jvp(_ t: Tape, _ x: [NodeID], _ y: [NodeID], _ dx: [NodeID?]) -> [NodeID?] {
    let d = t.instantiated(dx, like: x)
    return [t.add(t.mul(t.mul(t.unary(.cos, x[0]), x[1]), d[0]), t.mul(t.unary(.sin, x[0]), d[1])), t.total(t.add(t.mul(x[1], d[0]), t.mul(x[0], d[1])))]
  }
  static func vjp(_ t: Tape, _ x: [NodeID], _ y: [NodeID], _ ct: [NodeID?], _ wanted: [Bool]) -> [NodeID?] {
    let c = t.instantiated(ct, like: y), wide = t.splat(c[1], t.shape(x[0]))
    return [t.add(t.mul(t.mul(t.unary(.cos, x[0]), x[1]), c[0]), t.mul(wide, x[1])), t.add(t.mul(t.unary(.sin, x[0]), c[0]), t.mul(wide, x[0]))]
  }
  static func nodes(_ t: Tape, _ x: [NodeID]) -> [NodeID] { [t.mul(t.unary(.sin, x[0]), x[1]), t.total(t.mul(x[0], x[1]))] }

  /// Both recorded.
  static func recorded(_ d: DType, _ shape: [Int]) -> RecordedRule {
    func body(forward: Bool) -> Body {
      let t = Tape(), v = TensorType(d, shape), s = TensorType(d, []), x = [t.input(v), t.input(v)], y = [t.input(v), t.input(s)]
      let dir = forward ? [t.input(v), t.input(v)] : [t.input(v), t.input(s)]
      let out = forward ? jvp(t, x, y, dir) : vjp(t, x, y, dir, [true, true])
      return Body(tape: t, inputs: x + y + dir, outputs: out.map { $0 ?? .none })
    }
    return RecordedRule("recorded", jvp: body(forward: true), vjp: body(forward: false))
  }
}

private let both = [TensorType(.f64, [3]), TensorType(.f64, [3])]

func hostCases() -> [Case] {
  [(true, false, false), (false, true, false), (true, true, true)].map { jvp, vjp, batches in
    let f = hostFunction("host", takesBatches: batches, SinesAndSum.compute)
    let rule = HostRule("host", jvp: jvp ? SinesAndSum.jvp : nil, vjp: vjp ? SinesAndSum.vjp : nil)
    return Case(name: "host\(jvp ? " jvp" : "")\(vjp ? " vjp" : "")\(batches ? " batches" : "")", types: both, active: [0, 1], slack: 2,
                sample: { g in [g.signed(3), g.signed(3)] }) { t, x in
      t.custom(rule, x, t.hostCall(f, x, [t.type(x[0]), TensorType(t.dtype(x[0]), [])]))
    }
  }
}

func customCases() -> [Case] {
  var list = [(true, false), (false, true), (true, true)].map { jvp, vjp in
    let rule = HostRule("custom", jvp: jvp ? SinesAndSum.jvp : nil, vjp: vjp ? SinesAndSum.vjp : nil)
    return Case(name: "custom\(jvp ? " jvp" : "")\(vjp ? " vjp" : "")", types: both, active: [0, 1], slack: 2, sample: { g in [g.signed(3), g.signed(3)] }) { t, x in
      t.custom(rule, x, SinesAndSum.nodes(t, x))
    }
  }
  list.append(Case(name: "custom recorded", types: both, active: [0, 1], slack: 2, sample: { g in [g.signed(3), g.signed(3)] }) { t, x in
    t.custom(SinesAndSum.recorded(t.dtype(x[0]), [3]), x, SinesAndSum.nodes(t, x))
  })
  // In a loop, with a loop inside, and one in the other.
  let f = hostFunction("inner", SinesAndSum.compute), inner = HostRule("inner", jvp: SinesAndSum.jvp, vjp: nil), outer = HostRule("outer", jvp: nil, vjp: { t, x, y, ct, wanted in
    let v = t.splat(t.instantiated(ct, like: y)[0], t.shape(x[0]))
    return [t.mul(t.mul(v, t.unary(.cos, x[0])), t.unary(.cos, x[0])), nil]
  })
  list.append(Case(name: "custom in a loop", types: [TensorType(.f64, [2]), TensorType(.f64, [3, 2])], active: [0, 1], slack: 8, sample: { g in [g.signed(2), g.signed(6)] }) { t, x in
    let b = Tape(parent: t), c = b.input(t.type(x[0])), s = b.input(t.type(x[0]))
    let r = b.custom(inner, [c, s], b.hostCall(f, [c, s], [b.type(c), TensorType(b.dtype(c), [])]))
    return t.parts(t.scan(body: b, inputs: [c, s], outputs: [r[0], b.mul(r[1], b.reduce(.max, s, axes: [-1], keep: false))], init: [x[0]], xs: [x[1]], ys: 1, length: 3, reverse: false))
  })
  list.append(Case(name: "custom of a custom", types: both, active: [0], slack: 4, stops: true, sample: { g in [g.signed(3), g.signed(3)] }) { t, x in
    let r = t.custom(inner, x, t.hostCall(f, x, [t.type(x[0]), TensorType(t.dtype(x[0]), [])]))
    return t.custom(outer, x, [t.total(r[0])])
  })
  return list
}
