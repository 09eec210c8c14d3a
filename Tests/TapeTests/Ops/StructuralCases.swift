import CKernels
import Tape

private func f(_ s: Int...) -> TensorType { TensorType(.f64, s) }
private func draw(_ types: [TensorType]) -> (inout Random) -> [Doubles] { { g in types.map { g.signed($0.count) } } }

/// One case of one operand per entry: shape and attributes.
private func unary(_ s: Structural, _ list: [(shape: [Int], attrs: [Int])]) -> [Case] {
  list.map { shape, attrs in
    let t = [TensorType(.f64, shape)]
    return Case(name: "\(row(s).name) \(text(shape)) \(text(attrs))", types: t, active: [0], sample: draw(t)) { t, x in [t.apply(s, [x[0]], attrs)] }
  }
}

/// Diagonally dominant, or positive definite, so that conditions stay small.
func matrices(_ g: inout Random, _ batch: Int, _ n: Int, symmetric: Bool = false) -> Doubles {
  (0 ..< batch).flatMap { _ in
    var a = g.values(n * n, -0.5, 0.5)
    for i in 0 ..< n {
      if symmetric { for j in 0 ..< i { a[i * n + j] = a[j * n + i] } }
      a[i * n + i] = g.between(2, 3)
    }
    return a
  }
}

/// Valid uses of every structural row. A new row does not compile until it is here.
func cases(_ s: Structural) -> [Case] {
  switch s {
  case .input, .capture: return [Case(name: row(s).name, types: [f(3)], active: [0], sample: draw([f(3)])) { _, x in x }]
  case .constant, .array, .iota:
    return [Case(name: row(s).name, types: [f(2, 3)], active: [0], sample: draw([f(2, 3)])) { t, x in
      let k = s == .constant ? t.full(t.type(x[0]), 0.75) : s == .array ? t.literal([1, -2, 0.5, 3, 4, -5], [2, 3], t.dtype(x[0])) : t.iota(t.type(x[0]), axis: -2)
      return [t.mul(t.mul(x[0], x[0]), k), k]
    }]
  case .cast:
    return [DType.f64, .f32].map { d in
      Case(name: "cast through \(d.name)", types: [f(4)], active: [0], stops: true, dtypes: d == .f32 ? [.f32, .f16, .bf16] : DType.allCases.filter(\.isFloat), sample: draw([f(4)])) { t, x in
        [t.cast(t.cast(x[0], d), t.dtype(x[0])), t.cast(t.cast(x[0], .i32), t.dtype(x[0]))]
      }
    }
  case .reshape: return unary(s, [([2, 3], [2, 3, 2]), ([2, 3], [1, 3, 1]), ([1], [1]), ([], [0, 1, 1])])
  case .broadcast: return unary(s, [([1, 3], [2, 3]), ([2, 1, 1], [2, 3, 2]), ([2, 1], [4])])
  case .transpose: return unary(s, [([2, 3], [1, 0]), ([2, 3, 2], [2, 0, 1]), ([2, 3, 2], [1, 0])])
  case .slice: return unary(s, [([5], [1, 3, 1]), ([5], [4, 3, -2]), ([2, 4], [1, 2, 2]), ([3, 4], [2, 2, -1, 1, 2, 1]), ([4], [0, 0, 1])])
  case .pad: return unary(s, [([3], [1, 2, 0]), ([3], [0, 1, 2]), ([2, 2], [1, 0, 1, 0, 1, 0])])
  case .roll: return unary(s, [([5], [-1, 2]), ([2, 3], [-1, 1]), ([3, 2], [-2, 2]), ([2, 3, 2], [-2, 1]), ([1], [-1, 0])])
  case .concat:
    return [([2, 2], [2, 3], -1), ([1, 3], [2, 3], -2), ([0, 3], [2, 3], -2)].map { a, b, axis in
      let types = [TensorType(.f64, a), TensorType(.f64, b)]
      return Case(name: "concat \(text(a)) \(text(b))", types: types, active: [0, 1], sample: draw(types)) { t, x in [t.apply(s, [x[0], x[1], x[0]], [axis])] }
    }
  case .gather:
    let i = TensorType(.i64, [4]), types = [f(3, 2), i], batched = [f(2, 3, 2), TensorType(.i32, [2, 3])]
    return [
      Case(name: "gather rows", types: types, active: [0], sample: { g in [g.signed(6), (0 ..< 4).map { _ in Double(g.below(6) - 3) }] }) { t, x in [t.gather(x[0], x[1], axis: -2)] },
      Case(name: "gather columns", types: types, active: [0], sample: { g in [g.signed(6), (0 ..< 4).map { _ in Double(g.below(2)) }] }) { t, x in [t.gather(x[0], x[1], axis: -1)] },
      Case(name: "gather batched", types: batched, active: [0], sample: { g in [g.signed(12), (0 ..< 6).map { _ in Double(g.below(3)) }] }) { t, x in
        [t.apply(.gather, [x[0], x[1]], [-2, 1])]
      },
    ]
  case .scatterAdd:
    let i = TensorType(.i64, [4]), types = [f(3, 2), i, f(4, 2)], batched = [TensorType(.i32, [2, 3]), f(2, 3, 2)]
    return [
      Case(name: "scatter_add rows", types: types, active: [0, 2], sample: { g in [g.signed(6), (0 ..< 4).map { _ in Double(g.below(3)) }, g.signed(8)] }) { t, x in
        [t.scatterAdd(x[0], x[1], x[2], axis: -2)]
      },
      Case(name: "scatter_add batched", types: batched, active: [1], sample: { g in [(0 ..< 6).map { _ in Double(g.below(4)) }, g.signed(12)] }) { t, x in
        [t.apply(.scatterAdd, [x[0], x[1]], [-2, 1, 4])]
      },
    ]
  case .sum, .prod, .max, .min, .logsumexp, .norm:
    return unary(s, [([4], [-1]), ([2, 3], [-2]), ([2, 3, 2], [-3, -1]), ([2, 3], [-2, -1])])
  case .argmax, .argmin: return unary(s, [([4], [-1]), ([2, 3], [-2])])
  case .softmax: return unary(s, [([4], [-1]), ([2, 3], [-2])])
  case .cumsum: return unary(s, [([4], [-1, 0]), ([4], [-1, 1]), ([3, 2], [-2, 0])])
  case .cumprod, .cummax, .cummin, .cumargmax, .cumargmin, .cumlogsumexp:
    return unary(s, [([4], [-1, 0]), ([4], [-1, 1]), ([3, 2], [-2, 0]), ([2, 3], [-1, 1]), ([1], [-1, 0])])
  case .recurrence:
    return [([4], [-1, 0]), ([4], [-1, 1]), ([3, 2], [-2, 0]), ([2, 3], [-1, 1])].map { shape, attrs in
      let types = [TensorType(.f64, shape), TensorType(.f64, shape)]
      return Case(name: "linear_recurrence \(text(shape)) \(text(attrs))", types: types, active: [0, 1], sample: draw(types)) { t, x in [t.apply(s, [x[0], x[1]], attrs)] }
    }
  case .sort: return unary(s, [([5], [-1, 0]), ([3, 2], [-2, 1]), ([2, 3], [-1, 0]), ([1], [-1, 0])])
  case .argsort: return unary(s, [([5], [-1, 0, 5]), ([3, 2], [-2, 1, 3]), ([2, 4], [-1, 1, 2])])
  case .scatterSet:
    let batched = [f(2, 3, 2), TensorType(.i32, [2, 4]), f(2, 4, 2)]
    return [
      Case(name: "scatter_set", types: [f(3, 2), TensorType(.i64, [4]), f(4, 2)], active: [0, 2], sample: { g in [g.signed(6), (0 ..< 4).map { _ in Double(g.below(6) - 3) }, g.signed(8)] }) { t, x in
        [t.apply(s, x, [-2, 0])]
      },
      Case(name: "scatter_set columns", types: [f(2, 3), TensorType(.i64, [2]), f(2, 2)], active: [0, 2], sample: { g in [g.signed(6), (0 ..< 2).map { _ in Double(g.below(3)) }, g.signed(4)] }) { t, x in
        [t.apply(s, x, [-1, 0])]
      },
      Case(name: "scatter_set batched", types: batched, active: [0, 2], sample: { g in [g.signed(12), (0 ..< 8).map { _ in Double(g.below(3)) }, g.signed(16)] }) { t, x in [t.apply(s, x, [-2, 1])] },
      Case(name: "scatter_set at constants", types: [f(3, 2), f(2, 2)], active: [0, 1], sample: draw([f(3, 2), f(2, 2)])) { t, x in [t.apply(s, [x[0], t.indices([2, -3]), x[1]], [-2, 0])] },
    ]
  case .segmentProd, .segmentMax, .segmentMin:
    return [
      Case(name: "\(row(s).name) of rows", types: [TensorType(.i64, [5]), f(5, 2)], active: [1], slack: 4, sample: { g in [(0 ..< 5).map { _ in Double(g.below(3)) }, g.signed(10)] }) { t, x in
        [t.apply(s, [x[0], x[1]], [-2, 0, 3])].map { t.select(t.binary(.eq, t.unary(.abs, $0), t.like($0, .infinity)), t.zeros($0), $0) }
      },
      Case(name: "\(row(s).name) batched", types: [TensorType(.i32, [2, 4]), f(2, 3, 4)], active: [1], slack: 4, sample: { g in [(0 ..< 8).map { _ in Double(g.below(4) - 2) }, g.signed(24)] }) { t, x in
        [t.apply(s, [x[0], x[1]], [-1, 1, 2])].map { t.select(t.binary(.eq, t.unary(.abs, $0), t.like($0, .infinity)), t.zeros($0), $0) }
      },
    ]
  case .dynamicSlice:
    return [
      Case(name: "dynamic_slice", types: [f(4, 3), TensorType(.i64, [2])], active: [0], sample: { g in [g.signed(12), (0 ..< 2).map { _ in Double(g.below(8) - 4) }] }) { t, x in [t.apply(s, x, [0, 2, 2])] },
      Case(name: "dynamic_slice of the last axis", types: [f(2, 4), TensorType(.i32, [1])], active: [0], sample: { g in [g.signed(8), [Double(g.below(6))]] }) { t, x in [t.apply(s, x, [0, 2])] },
      Case(name: "dynamic_slice batched", types: [f(2, 4, 3), TensorType(.i64, [2, 1])], active: [0], sample: { g in [g.signed(24), (0 ..< 2).map { _ in Double(g.below(3)) }] }) { t, x in [t.apply(s, x, [1, 2])] },
    ]
  case .dynamicUpdate:
    return [
      Case(name: "dynamic_update", types: [f(4, 3), f(2, 2), TensorType(.i64, [2])], active: [0, 1], sample: { g in [g.signed(12), g.signed(4), (0 ..< 2).map { _ in Double(g.below(8) - 4) }] }) { t, x in [t.apply(s, x, [0, 2])] },
      Case(name: "dynamic_update batched", types: [f(2, 4, 3), f(2, 4, 2), TensorType(.i64, [2, 1])], active: [0, 1], sample: { g in [g.signed(24), g.signed(16), (0 ..< 2).map { _ in Double(g.below(3)) }] }) { t, x in
        [t.apply(s, x, [1, 1])]
      },
      Case(name: "dynamic_update at constants", types: [f(3, 2), f(2, 1)], active: [0, 1], sample: draw([f(3, 2), f(2, 1)])) { t, x in [t.dynamicUpdate(x[0], x[1], t.indices([-1, 1]))] },
    ]
  case .matmul:
    return [([2, 3], [3, 2], 0, 0), ([3, 2], [3, 2], 1, 0), ([2, 3], [2, 3], 0, 1), ([3, 2], [2, 3], 1, 1), ([2, 2, 3], [2, 3, 2], 0, 0),
            ([2, 2, 3], [3, 2], 0, 0), ([2, 3, 2], [3, 2], 1, 0), ([2, 2, 3], [2, 3], 0, 1), ([2, 3], [2, 3, 2], 0, 0), ([2, 3], [2, 2, 3], 0, 1),
            ([3, 2], [2, 2, 3], 1, 1), ([2, 0], [0, 3], 0, 0)].map { a, b, ta, tb in
      let types = [TensorType(.f64, a), TensorType(.f64, b)]
      return Case(name: "matmul \(text(a)) \(text(b)) \(ta)\(tb)", types: types, active: [0, 1], sample: draw(types)) { t, x in [t.matmul(x[0], x[1], ta == 1, tb == 1)] }
    } + [Case(name: "matmul masked", types: [f(2, 3), f(3, 2), TensorType(.bool, [2, 3]), TensorType(.bool, [3, 2])], active: [0, 1],
              sample: { g in [g.signed(6), g.signed(6), (0 ..< 6).map { _ in Double(g.below(2)) }, (0 ..< 6).map { _ in Double(g.below(2)) }] }) { t, x in
      [t.matmul(t.select(x[2], x[0], t.zeros(x[0])), t.select(x[3], x[1], t.zeros(x[1])), maskA: x[2], maskB: x[3])]
    }]
  case .cholesky:
    return [1, 2].map { b in
      let types = [b == 1 ? f(3, 3) : f(2, 3, 3)]
      return Case(name: "cholesky batch \(b)", types: types, active: [0], slack: 8, stops: true, dtypes: [.f64, .f32], sample: { g in [matrices(&g, b, 3, symmetric: true)] }) { t, x in
        [t.apply(.cholesky, [x[0]])]
      }
    }
  case .triangularSolve:
    return (0 ..< 8).map { k in
      let types = k == 7 ? [f(2, 3, 3), f(2, 3, 2)] : [f(3, 3), f(3, 2)], attrs = [k & 1, k >> 1 & 1, k >> 2 & 1]
      return Case(name: "triangular_solve \(text(attrs))", types: types, active: [0, 1], slack: 8, dtypes: [.f64, .f32],
                  sample: { g in [matrices(&g, k == 7 ? 2 : 1, 3), g.signed(k == 7 ? 12 : 6)] }) { t, x in [t.apply(s, [x[0], x[1]], attrs)] }
    }
  case .solve:
    return (0 ..< 3).map { k in
      let types = k == 2 ? [f(2, 3, 3), f(2, 3, 2)] : [f(3, 3), f(3, 2)]
      return Case(name: "solve \(k)", types: types, active: [0, 1], slack: 8, dtypes: [.f64, .f32],
                  sample: { g in [matrices(&g, k == 2 ? 2 : 1, 3), g.signed(k == 2 ? 12 : 6)] }) { t, x in [t.apply(s, [x[0], x[1]], [k & 1])] }
    }
  case .conv:
    // attributes behind the layouts: masks, then s, d, b, low, p of each axis.
    return [(f(2, 2, 4), f(3, 2, 2), [1, 1, 2, 0, 2, 0, 0, 1, 1, 1, 0, 3]), (f(1, 2, 5), f(2, 1, 3), [1, 2, 2, 0, 2, 0, 0, 2, 1, 1, 1, 3]),
            (f(1, 1, 3), f(1, 1, 2), [1, 1, 2, 0, 2, 0, 0, 1, 1, 2, 1, 6]), (f(2, 1, 3), f(2, 3, 2), [1, 1, 3, 1, 3, 0, 0, 2, -1, 1, -1, 2]),
            (f(2, 1, 2, 4), f(2, 1, 2, 2), [1, 1, 2, 0, 2, 0, 0, 1, 2, 1, 1, 3]), (f(2, 1, 1, 4), f(1, 1, 2), [1, 1, 2, 0, 2, 0, 0, 1, 1, 1, 0, 3]),
            (f(1, 1, 4), f(2, 1, 1, 2), [1, 1, 2, 0, 2, 0, 0, 1, 1, 1, 0, 3]), (f(1, 2, 3, 3), f(2, 2, 2, 2), [2, 1, 2, 0, 2, 0, 0, 1, 1, 1, 0, 2, 1, 1, 1, 1, 3]),
            (f(1, 1, 2, 2, 3), f(1, 1, 2, 1, 2), [3, 1, 2, 0, 2, 0, 0, 1, 1, 1, 1, 3, 1, 1, 1, 0, 2, 1, 1, 1, 0, 2])].map { x, w, attrs in
      Case(name: "conv \(text(x.shape)) \(text(w.shape)) \(text(attrs))", types: [x, w], active: [0, 1], sample: draw([x, w])) { t, n in [t.apply(s, [n[0], n[1]], attrs)] }
    } + [Case(name: "conv masked", types: [f(1, 2, 4), f(2, 2, 2), TensorType(.bool, [1, 2, 4]), TensorType(.bool, [2, 2, 2])], active: [0, 1],
              sample: { g in [g.signed(8), g.signed(8), (0 ..< 8).map { _ in Double(g.below(2)) }, (0 ..< 8).map { _ in Double(g.below(2)) }] }) { t, x in
      [t.apply(s, [t.select(x[2], x[0], t.zeros(x[0])), t.select(x[3], x[1], t.zeros(x[1])), x[2], x[3]], [1, 1, 2, 0, 2, 1, 1, 1, 1, 1, 1, 5])]
    }]
  case .poolIndex:
    let types = [f(2, 4, 5)]
    return [Case(name: "max_pool", types: types, active: [0], sample: { g in [(0 ..< 40).map { Double($0 * 7 % 40) / 20 - 1 }.shuffled(using: &g)] }) { t, x in
      [t.maxPool(x[0], window: [2, 3], stride: [1, 2], low: [1, 0], high: [0, 1], dilation: [2, 1])]
    }, Case(name: "avg_pool", types: types, active: [0], slack: 4, sample: draw(types)) { t, x in
      [t.averagePool(x[0], window: [2, 3], stride: [1, 2], low: [1, 0], high: [0, 1], dilation: [2, 1], countPadding: false)]
    }]
  case .searchsorted:
    let types = [f(3), f(4), f(4, 2)]
    return [(Tape.Method.linear, Tape.Ends.natural), (.cubic, .notAKnot), (.cubic, .periodic)].map { method, ends in
      Case(name: "interpolation \(method) \(ends)", types: types, active: [0, 1, 2], slack: 64,
           sample: { g in [[0.3, 1.4, 2.6], [0, 0.9, 2.1, 3.3], g.signed(8)] }) { t, x in [t.interpolate(x[0], x[1], x[2], method, ends, .extrapolate)] }
    }
  case .lu, .qr, .eigh, .eigvalsh, .svd, .svdvals, .det, .slogdet, .cofactor, .pinv, .expm, .sqrtm, .sylvester, .solveBanded: return lapackCases(s)
  case .random:
    return [Case(name: "random_uniform", types: [f(2, 3), TensorType(.i64, [])], active: [0], elementwise: true, sample: { g in [g.signed(6), [Double(g.below(1000))]] }) { t, x in
      [t.mul(t.unary(.square, x[0]), t.randomUniform(x[1], t.dtype(x[0]), [2, 3]))]
    }]
  case .cond, .whileLoop: return branchCases()
  case .revolve: return [Case(name: "revolve", types: [f(3), TensorType(.i64, [3])], active: [0], elementwise: true, sample: { g in [g.signed(3), [1, 7, 90]] }) { t, x in
    let n = t.apply(.revolve, [x[1], t.full(TensorType(.i64, [3]), 4)])
    return [t.mul(t.unary(.square, x[0]), t.cast(n, t.dtype(x[0])))]
  }]
  case .scan, .part: return scanCases() + scanCases(slots: 1)
  case .after: return [Case(name: "after", types: [f(4), f(2)], active: [0, 1], sample: draw([f(4), f(2)])) { t, x in [t.apply(.after, [t.unary(.sin, x[0]), x[1]])] }]
  case .checkpoint:
    return [Keeping.nothing, .products].map { keeping in
      Case(name: "checkpoint \(keeping)", types: [f(3, 3), f(3)], active: [0, 1], slack: 2, sample: draw([f(3, 3), f(3)])) { t, x in
        let y = t.unary(.sin, t.matmul(x[0], x[0])), z = t.mul(t.broadcast(t.unary(.cos, x[1]), to: [3, 3]), t.matmul(y, x[0]))
        return t.checkpoint([y, z], [x[0]], keeping: keeping)
      }
    }
  case .host: return hostCases()
  case .custom: return customCases()
  }
}

/// Loops over small bodies: carries and slices, a captured node, stacked results, backwards, of lengths 0 and 1.
func scanCases(slots: Int = 0) -> [Case] {
  [(3, false), (4, true), (1, false), (0, false)].map { n, reverse in
    let types = [f(2), f(n, 2), f(2)]
    return Case(name: "scan \(n)\(reverse ? " backwards" : "")\(slots > 0 ? " in \(slots) slots" : "")", types: types, active: [0, 1, 2], slack: 2, sample: draw(types)) { t, x in
      let body = Tape(parent: t), c = body.input(t.type(x[0])), s = body.input(TensorType(t.dtype(x[0]), [2]))
      let k = body.resolve(serial: t.serial, index: x[2].index)
      let next = body.unary(.sin, body.add(body.mul(c, k), s)), y = body.mul(next, c)
      let tuple = t.scan(body: body, inputs: [c, s], outputs: [next, y], init: [x[0]], xs: [x[1]], ys: 1, length: n, reverse: reverse, slots: slots)
      return t.parts(tuple)
    }
  }
}

/// A choice by what the operands hold, and loops by number and by value; a choice in a loop.
func branchCases() -> [Case] {
  func branches(_ t: Tape, _ p: NodeID, _ x: [NodeID]) -> [NodeID] {
    let yes = Tape(parent: t), no = Tape(parent: t)
    func outer(_ b: Tape, _ n: NodeID) -> NodeID { b.resolve(serial: t.serial, index: n.index) }
    let (a, b, c) = (outer(yes, x[0]), outer(yes, x[1]), outer(no, x[0]))
    return t.parts(t.cond("cond", choice: p, branches: [(no, [no.mul(c, c), outer(no, x[1])]), (yes, [yes.mul(yes.unary(.sin, a), b), yes.neg(a)])]))
  }
  let types = [f(2), f(2)]
  var list = [1.0, -1].map { sign in
    Case(name: "cond \(sign)", types: types, active: [0, 1], slack: 2, sample: draw(types)) { t, x in
      let far = t.mul(t.sum(t.mul(x[0], x[0]), axes: [-1], keep: false), t.constant(t.dtype(x[0]), sign))   // far from 0
      return branches(t, t.binary(.gt, far, t.zeros(far)), x)
    }
  }
  for (n, slots) in [(0, 0), (1, 1), (3, 2), (4, 0)] {
    list.append(Case(name: "while \(n)", types: types, active: [0, 1], slack: 4, sample: draw(types)) { t, x in
      let b = Tape(parent: t), c = b.input(t.type(x[0])), i = b.input(TensorType(.i32, []))
      let k = b.resolve(serial: t.serial, index: x[1].index), next = b.unary(.sin, b.add(b.mul(c, k), c))
      let y = t.whileLoop(body: b, inputs: [i, c], go: b.binary(.lt, i, b.constant(.i32, integer: Int64(n))), outputs: [b.add(i, b.constant(.i32, integer: 1)), next],
                          init: [t.constant(.i32, integer: 0), x[0]], limit: n == 4 ? 3 : -1, slots: slots)
      return [t.parts(y)[1]]
    })
  }
  list.append(Case(name: "cond in while", types: types, active: [0, 1], slack: 4, sample: draw(types)) { t, x in
    let b = Tape(parent: t), c = b.input(t.type(x[0])), i = b.input(TensorType(.i64, []))
    let y = branches(b, b.binary(.eq, i, b.constant(.i64, integer: 1)), [c, b.resolve(serial: t.serial, index: x[1].index)])
    let w = t.whileLoop(body: b, inputs: [i, c], go: b.binary(.lt, i, b.constant(.i64, integer: 3)), outputs: [b.add(i, b.constant(.i64, integer: 1)), b.add(y[0], y[1])],
                        init: [t.constant(.i64, integer: 0), x[0]], limit: -1, slots: 2)
    return [t.parts(w)[1]]
  })
  return list
}
