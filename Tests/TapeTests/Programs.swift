import CKernels
import Tape

private func f(_ s: Int...) -> TensorType { TensorType(.f64, s) }
private func make(_ name: String, _ types: [TensorType], slack: Double = 4, sample: ((inout Random) -> [Doubles])? = nil,
                  active: [Int]? = nil, _ build: @escaping (Tape, [NodeID]) -> [NodeID]) -> Case {
  Case(name: name, types: types, active: active ?? types.indices.filter { types[$0].dtype == .f64 }, slack: slack,
       sample: sample ?? { g in types.map { g.signed($0.count) } }, build: build)
}

/// Small programs over every family, for tests that compose transforms.
let programs: [Case] = [
  make("elementwise chain", [f(3), f(3)]) { t, x in
    let s = t.unary(.sin, t.mul(x[0], x[1])), e = t.unary(.softplus, t.sub(s, x[1]))
    return [t.div(e, t.add(t.unary(.square, x[0]), t.like(x[0], 1.5))), t.unary(.tanh, e)]
  },
  make("branches", [f(4), f(4)]) { t, x in
    let c = t.binary(.gt, x[0], t.zeros(x[0]))
    return [t.select(c, t.unary(.log, t.select(c, x[0], t.like(x[0], 1))), t.mul(x[0], x[1])), t.ternary(.clamp, t.mul(x[0], x[1]), t.like(x[0], -0.5), t.like(x[0], 0.5))]
  },
  make("double where", [f(4)]) { t, x in
    [t.select(t.binary(.gt, x[0], t.zeros(x[0])), t.unary(.sqrt, x[0]), t.unary(.square, x[0]))]
  },
  make("layer", [f(2, 3), f(3, 4), f(4)]) { t, x in
    [t.unary(.gelu, t.add(t.matmul(x[0], x[1]), t.broadcast(x[2], to: [2, 4])))]
  },
  make("shared batch operand", [f(2, 2, 3), f(3, 2)]) { t, x in [t.matmul(x[0], x[1]), t.matmul(x[1], x[0], true, true)] },
  make("transposed flags", [f(3, 2), f(4, 3)]) { t, x in [t.matmul(x[0], x[1], true, true), t.matmul(t.matrixTranspose(x[0]), t.matrixTranspose(x[1]))] },
  make("einsum", [f(2, 3), f(3, 2, 2), f(2)]) { t, x in [t.einsum("ij,jkl,l->ik", x), t.einsum("ij,ij->", [x[0], x[0]])] },
  make("softmax", [f(2, 3)]) { t, x in [t.apply(.softmax, [x[0]], [-1]), t.logSoftmax(x[0], axis: -2)] },
  make("cross entropy", [f(2, 3), TensorType(.i64, [2])], sample: { g in [g.signed(6), [Double(g.below(3)), Double(g.below(3))]] }) { t, x in
    let l = t.logSoftmax(x[0], axis: -1)
    return [t.neg(t.mean(t.apply(.gather, [l, x[1]], [-1, 1]), axes: [-1], keep: false)), t.sum(t.mul(l, t.oneHot(x[1], depth: 3, .f64)), axes: [-2, -1], keep: false)]
  },
  make("logsumexp and norm", [f(2, 3)]) { t, x in [t.reduce(.logsumexp, x[0], axes: [-1], keep: false), t.reduce(.norm, x[0], axes: [-2, -1], keep: false)] },
  make("product with zeros", [f(3, 4)], sample: { g in
    var v = g.signed(12)
    v[1] = 0
    v[4] = 0
    v[6] = 0
    return [v]
  }) { t, x in [t.reduce(.prod, x[0], axes: [-1], keep: false)] },
  make("max and min with ties", [f(2, 3), f(2, 3)]) { t, x in
    let twice = t.concat([x[0], x[0], x[1]], axis: -1)
    return [t.reduce(.max, twice, axes: [-1], keep: false), t.reduce(.min, t.mul(twice, twice), axes: [-1], keep: true), t.binary(.maximum, x[0], x[1])]
  },
  make("gather and scatter", [f(4, 2), f(3, 2)]) { t, x in
    let i = t.indices([3, 0, 3])
    return [t.mul(t.gather(x[0], i, axis: -2), x[1]), t.scatterAdd(x[0], i, t.unary(.square, x[1]), axis: -2)]
  },
  make("cholesky", [f(3, 3)], slack: 32, sample: { g in [matrices(&g, 1, 3)] }) { t, x in
    [t.apply(.cholesky, [t.add(t.matmul(x[0], x[0], false, true), t.matmul(x[0], x[0], true, false))])]
  },
  make("solve", [f(3, 3), f(3, 2)], slack: 32, sample: { g in [matrices(&g, 1, 3), g.signed(6)] }) { t, x in [t.apply(.solve, [x[0], x[1]], [0]), t.matmul(x[0], t.apply(.solve, [x[0], x[1]], [1]))] },
  make("triangular solve", [f(3, 3), f(3, 2)], slack: 32, sample: { g in [matrices(&g, 1, 3), g.signed(6)] }) { t, x in [t.apply(.triangularSolve, [x[0], x[1]], [1, 0, 0]), t.apply(.triangularSolve, [x[0], x[1]], [0, 1, 1])] },
  make("shapes", [f(2, 3), f(2, 2)]) { t, x in
    let c = t.concat([x[0], x[1]], axis: -1), p = t.apply(.pad, [t.transpose(c, [1, 0])], [1, 0, 0, 0, 1, 1])
    return [t.apply(.slice, [t.unary(.sin, p)], [4, 3, -1, 0, 2, 2]), t.apply(.cumsum, [t.mul(c, c)], [-1, 1]), t.reshape(t.broadcast(t.mul(x[0], x[0]), to: [2, 2, 3]), [4, 3])]
  },
  make("dropout and noise", [f(2, 4), TensorType(.i64, [])], sample: { g in [g.signed(8), [Double(g.below(99))]] }) { t, x in
    [t.dropout(t.unary(.square, x[0]), x[1], rate: 0.3), t.mul(x[0], t.mul(x[0], t.randomNormal(t.binary(.fold_key, x[1], t.constant(.i64, integer: 7)), .f64, [2, 4])))]
  },
  make("statistics", [f(3, 3)]) { t, x in
    let m = t.mean(x[0], axes: [-1], keep: true), c = t.sub(x[0], t.broadcast(m, to: [3, 3]))
    let v = t.mean(t.unary(.square, c), axes: [-1], keep: true)
    return [t.div(c, t.broadcast(t.unary(.sqrt, t.add(v, t.like(v, 1e-3))), to: [3, 3]))]
  },
  make("special", [f(3), f(3)], sample: { g in [g.values(3, 0.5, 2), g.values(3, 0.5, 2)] }) { t, x in
    [t.add(t.unary(.lgamma, x[0]), t.binary(.pow, x[0], x[1])), t.binary(.hypot, t.unary(.erf, x[0]), t.binary(.atan2, x[0], x[1]))]
  },
  make("clipping and penalties", [f(3), f(2, 2)]) { t, x in t.clipByGlobalNorm(x, 0.5) + t.clipByNorm([x[0]], 0.3) + [t.penalty(x, squared: true)] },
  make("a loop in a loop", [f(2), f(3, 2), f(2)]) { t, x in
    let outer = Tape(parent: t), c = outer.input(TensorType(.f64, [2])), s = outer.input(TensorType(.f64, [2]))
    let inner = Tape(parent: outer), d = inner.input(TensorType(.f64, [2]))
    let k = inner.resolve(serial: t.serial, index: x[2].index), local = inner.resolve(serial: outer.serial, index: s.index)
    let next = inner.unary(.tanh, inner.add(inner.mul(d, k), local))
    let r = outer.parts(outer.scan(body: inner, inputs: [d], outputs: [next, inner.mul(next, d)], init: [c], xs: [], ys: 1, length: 2, reverse: false))
    let y = outer.sum(r[1], axes: [-2], keep: false)
    return t.parts(t.scan(body: outer, inputs: [c, s], outputs: [r[0], outer.mul(y, s)], init: [x[0]], xs: [x[1]], ys: 1, length: 3, reverse: true))
  },
] + scanCases() + branchCases()
