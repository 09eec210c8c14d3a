import CKernels
package import Tape

/// What running some nodes takes: operations (a transcendental function counts what it takes in additions), bytes read and written, steps,
/// and how often results are rounded on the longest way from an input: a bound on the relative error in units of the dtype's rounding, as
/// far as nothing cancels.
package struct Work: Sendable {
  package var flops = 0.0, bytes = 0.0, scalars = 0.0, steps = 0.0, products = 0.0
  package var roundings = 0.0
  /// Bytes of values that wait for a reader, at their most: what a plan without fusion would hold.
  package var live = 0.0

  /// Of everything behind `outputs`; loops count their bodies as often as they run.
  package init(_ t: Tape, _ outputs: [NodeID], depth: Int = 0) {
    guard let nodes = t.order(outputs), var rounds = PerNode<Float>(t, 0) else { return }
    for k in 0 ..< nodes.count {
      let n = nodes[k], r = t.record(n)
      var deepest: Float = 0
      for slot in 0 ..< Int(r.arity) { deepest = max(deepest, rounds[t.input(of: r, slot)]) }
      rounds[n] = deepest
      if r.arity == 0 { continue }
      guard r.type >= 0 else {
        add(loop: t, n, depth)
        rounds[n] += Float(Work.length(t, n))
        continue
      }
      let type = t.type(n), c = Double(type.count), size = Double(type.dtype.size)
      let op = OpCode(raw: r.op)
      // Single numbers run in machine code, where moving them costs little; so do copies of a step, once they are rolled up.
      let single = type.count == 1
      if !op.isElementwise, single { scalars += 0.25 } else if single { scalars += 1 } else { steps += 1 }
      if op.isElementwise {
        let w = Work.weight(op)
        flops += c * w
        bytes += single ? 0 : c * size * Double(r.arity + 1)
        if type.dtype.isFloat { rounds[n] += Float(ulpBound(op) * 2) }
        continue
      }
      switch op.structural {
      case .reshape, .part, .after: break
      case .matmul:
        let a = t.shape(t.input(n, 0)), inner = Double(a[a.count - 1 - t.attrs(n)[0]])
        products += 2 * c * inner
        flops += 2 * c * inner
        bytes += size * (c + Double(t.type(t.input(n, 0)).count + t.type(t.input(n, 1)).count))
        rounds[n] += Float(inner)
      case .sum, .max, .min, .prod, .logsumexp, .norm:
        let m = Double(t.type(t.input(n, 0)).count)
        flops += m * (op.structural == .logsumexp ? 20 : 1)
        bytes += size * m
        // Trees of eight lanes.
        var levels: Float = 0, terms = c > 0 ? m / c : 1
        while terms > 1 { levels += 1; terms /= 2 }
        rounds[n] += levels
      case .cholesky, .lu, .qr, .solve, .triangularSolve, .eigh, .svd, .pinv, .expm, .sqrtm, .det, .slogdet, .cofactor, .eigvalsh, .svdvals, .sylvester, .solveBanded:
        let m = Double(t.shape(t.input(n, 0)).last ?? 1)
        flops += Double(t.type(t.input(n, 0)).count) * m
        rounds[n] += Float(3 * m)
      case .conv: flops += c * Double(t.type(t.input(n, 1)).count)
      default:
        bytes += single ? 0 : 2 * size * c
        if op.structural == .cumsum || op.structural == .scatterAdd || op.structural == .recurrence { flops += c; rounds[n] += 8 }
      }
    }
    // Backwards: what is read from here on is alive.
    guard var read = PerNode<UInt8>(t, 0) else { return }
    var alive = 0.0
    func begin(_ n: NodeID) {
      guard read[n] == 0 else { return }
      read[n] = 1
      if t.structural(n) != .constant, !t.isTuple(n) { alive += Double(t.type(n).bytes) }
    }
    for o in outputs where t.contains(o) { begin(o) }
    for k in stride(from: nodes.count - 1, through: 0, by: -1) {
      let n = nodes[k]
      for slot in 0 ..< t.arity(n) { begin(t.input(n, slot)) }
      live = max(live, alive)
      if !t.isTuple(n), t.structural(n) != .constant { alive -= Double(t.type(n).bytes) }
    }
    for o in outputs where t.contains(o) && !t.isTuple(o) { roundings = max(roundings, Double(rounds[o])) }
  }

  /// So many times.
  func repeated(_ n: Double) -> Work {
    var w = self
    w.flops *= n
    w.bytes *= n
    w.scalars *= n
    w.steps *= n
    w.products *= n
    return w
  }

  private static func length(_ t: Tape, _ n: NodeID) -> Double { t.structural(n) == .scan ? Double(t.scanShape(n).length) : 1 }

  private mutating func add(loop t: Tape, _ n: NodeID, _ depth: Int) {
    guard depth < 8 else { return }
    let times = Work.length(t, n)
    for b in t.bodies(of: n) {
      let w = Work(b.tape, b.outputs, depth: depth + 1)
      flops += w.flops * times
      bytes += w.bytes * times
      scalars += w.scalars * times
      steps += w.steps * times
      products += w.products * times
    }
  }

  /// In additions.
  static func weight(_ op: OpCode) -> Double {
    switch op.elementwise {
    case .unary(let u):
      switch u {
      case .neg, .abs, .square, .relu, .stop_gradient, .logical_not, .sign, .isnan, .isfinite, .floor, .ceil, .round, .trunc: 1
      case .reciprocal, .sqrt: 4
      case .rsqrt: 8
      case .exp, .log, .sigmoid, .tanh, .sin, .cos, .exp2, .expm1, .log1p, .log2, .log10: 16
      default: 30
      }
    case .binary(let b):
      switch b {
      case .add, .sub, .mul, .maximum, .minimum, .fmax, .fmin, .eq, .ne, .lt, .le, .gt, .ge, .logical_and, .logical_or, .logical_xor: 1
      case .div: 4
      case .pow, .atan2, .hypot: 30
      default: 60
      }
    case .ternary(let x):
      switch x {
      case .select, .gate, .fma, .clamp: 1
      default: 100
      }
    }
  }
}
