import CKernels

func matrixFunctionRow(_ s: Structural) -> Row {
  switch s {
  case .det: detRow
  case .slogdet: slogdetRow
  case .cofactor: cofactorRow
  case .pinv: pinvRow
  case .expm: expmRow
  case .sqrtm: sqrtmRow
  case .sylvester: sylvesterRow
  default: bandedRow
  }
}

private func sameDType(_ x: [TensorType]) -> Inferred? {
  for y in x.dropFirst() where y.dtype != x[0].dtype { return .fail(.dtype, "dtypes \(x[0].dtype.name) and \(y.dtype.name) differ; cast one first") }
  return nil
}

private let detRow = Row(
  name: "det", infer: { x, _ in lapack(x[0], square: true) ?? .type(TensorType(x[0].dtype, Array(x[0].shape.dropLast(2)))) },
  derivative: .custom(jvp: { t, y, d in
    d[0].map { Masked(t.sum(t.mul(t.apply(.cofactor, [t.input(y, 0)]), $0.value), axes: [-2, -1], keep: false)) }
  }, transpose: nil),
  masks: .dense, scratch: { x, _, _ in ck_det_scratch(matrixSize(x[0]).n) }
) { c in
  let (count, _, n) = matrixSize(c.types[0])
  ck_det(c.type.dtype.rawValue, count, n, false, c.x[0], c.out, c.scratch)
  return nil
}

/// [.., 2]: the sign and log |det|.
private let slogdetRow = Row(
  name: "slogdet", infer: { x, _ in lapack(x[0], square: true) ?? .type(TensorType(x[0].dtype, x[0].shape.dropLast(2) + [2])) },
  derivative: .custom(jvp: { t, y, d in
    guard let dA = d[0]?.value else { return nil }
    let trace = t.reduce(.sum, t.diagonal(t.apply(.solve, [t.input(y, 0), dA], [0])), axes: [-1], keep: true)
    return Masked(t.concat([t.zeros(trace), trace], axis: -1))
  }, transpose: nil),
  masks: .dense, scratch: { x, _, _ in ck_det_scratch(matrixSize(x[0]).n) }
) { c in
  let (count, _, n) = matrixSize(c.types[0])
  ck_det(c.type.dtype.rawValue, count, n, true, c.x[0], c.out, c.scratch)
  return nil
}

/// det(A) A^-T, finite where A is singular; its own derivative is that of the formula.
private let cofactorRow = Row(
  name: "cofactor", infer: { x, _ in lapack(x[0], square: true) ?? .type(x[0]) },
  derivative: .custom(jvp: { t, y, d in
    guard let dA = d[0]?.value else { return nil }
    let A = t.input(y, 0), trace = t.reduce(.sum, t.diagonal(t.apply(.solve, [A, dA], [0])), axes: [-1], keep: true)
    guard t.contains(trace) else { return Masked(.none) }
    let wide = t.broadcast(t.reshape(trace, t.shape(trace) + [1]), to: t.shape(y))
    return Masked(t.sub(t.mul(y, wide), t.apply(.solve, [A, t.matmul(dA, y, true, false)], [1])))
  }, transpose: nil),
  masks: .dense, scratch: { x, _, _ in ck_cofactor_scratch(matrixSize(x[0]).n) }
) { c in
  let (count, _, n) = matrixSize(c.types[0])
  ck_cofactor(c.type.dtype.rawValue, count, n, c.x[0], c.out, c.scratch)
  return nil
}

/// attrs: [bits of the cut]. At a fixed rank: Golub and Pereyra, SIAM J. Numer. Anal. 10, 1973, eq. 4.12.
private let pinvRow = Row(
  name: "pinv",
  infer: { x, _ in
    if let bad = lapack(x[0]) { return bad }
    let (_, m, n) = matrixSize(x[0])
    return .type(TensorType(x[0].dtype, x[0].shape.dropLast(2) + [n, m]))
  },
  derivative: .custom(jvp: { t, P, d in
    guard let dA = d[0]?.value else { return nil }
    let A = t.input(P, 0), G = t.matrixTranspose(dA)
    let inside = t.neg(t.matmul(P, t.matmul(dA, P)))
    let left = t.matmul(P, t.matmul(P, t.sub(G, t.matmul(t.matmul(G, A), P)), true, false))
    let right = t.matmul(t.matmul(t.sub(G, t.matmul(P, t.matmul(A, G))), P, false, true), P)
    return Masked(t.add(inside, t.add(left, right)))
  }, transpose: nil),
  masks: .dense, scratch: { x, _, _ in ck_pinv_scratch(matrixSize(x[0]).m, matrixSize(x[0]).n) }
) { c in
  let (count, m, n) = matrixSize(c.types[0])
  ck_pinv(c.type.dtype.rawValue, count, m, n, Double(bitPattern: UInt64(bitPattern: Int64(c.attrs[0]))), c.x[0], c.out, c.scratch)
  return nil
}

/// exp(A), or with directions E1 ... Ek its k-th derivative along them, which is symmetric, linear in each, and with A^T, E^T the adjoint in
/// the last. So the row is its own derivative at every order.
private let expmRow = Row(
  name: "expm",
  infer: { x, _ in
    guard x.count <= 9 else { return .fail(.derivative, "has derivatives to order 8") }
    if let bad = sameDType(x) ?? lapack(x[0], square: true, times: 1 << (x.count - 1)) { return bad }
    return x.allSatisfy { $0.shape == x[0].shape } ? .type(x[0]) : .fail(.shape, "a direction of another shape than \(text(x[0].shape))")
  },
  derivative: .custom(jvp: { t, y, d in
    let x = t.inputs(y)
    var total: NodeID?
    for (slot, tangent) in d.enumerated() {
      guard let tangent else { continue }
      var operands = x
      if slot == 0 { operands.append(tangent.value) } else { operands[slot] = tangent.value }
      let term = t.apply(.expm, operands)
      total = total.map { t.add($0, term) } ?? term
    }
    return total.map { Masked($0) }
  }, transpose: { t, y, ct, slot in
    guard slot > 0 else { return nil }
    var operands = t.inputs(y).map { t.matrixTranspose($0) }
    operands[slot] = ct
    return t.apply(.expm, operands)
  }),
  masks: .dense, scratch: { x, _, _ in ck_expm_scratch(matrixSize(x[0]).n, x.count - 1) }
) { c in
  let (count, _, n) = matrixSize(c.types[0])
  UnsafeRawPointer(c.x).withMemoryRebound(to: UnsafeRawPointer?.self, capacity: c.types.count) {
    ck_expm(c.type.dtype.rawValue, count, n, c.types.count - 1, $0, c.out, c.scratch)
  }
  return nil
}

/// X X = A: X dX + dX X = dA.
private let sqrtmRow = Row(
  name: "sqrtm", infer: { x, _ in lapack(x[0], square: true) ?? .type(x[0]) },
  derivative: .custom(jvp: { t, X, d in d[0].map { Masked(t.apply(.sylvester, [X, X, $0.value], [0, 0, 0])) } }, transpose: nil),
  masks: .dense, scratch: { x, _, _ in ck_sqrtm_scratch(matrixSize(x[0]).n) }
) { c in
  let (count, _, n) = matrixSize(c.types[0])
  ck_sqrtm(c.type.dtype.rawValue, count, n, c.x[0], c.out, c.scratch)
  return nil
}

/// op(A) X + X op(B) = C, or (discrete) X - op(A) X op(B) = C. attrs: [A transposed, B transposed, discrete].
private let sylvesterRow = Row(
  name: "sylvester",
  infer: { x, _ in
    if let bad = sameDType(x) ?? lapack(x[0], square: true) ?? lapack(x[1], square: true) ?? lapack(x[2]) { return bad }
    let (m, n) = (matrixSize(x[0]).m, matrixSize(x[1]).m)
    guard matrixSize(x[2]).m == m, matrixSize(x[2]).n == n, x[0].shape.dropLast(2) == x[2].shape.dropLast(2), x[1].shape.dropLast(2) == x[2].shape.dropLast(2) else {
      return .fail(.shape, "shapes \(text(x[0].shape)), \(text(x[1].shape)) and \(text(x[2].shape)) do not fit")
    }
    return .type(x[2])
  },
  derivative: .custom(jvp: { t, y, d in
    let a = t.attrs(y), A = t.input(y, 0), B = t.input(y, 1), ta = a[0] != 0, tb = a[1] != 0, discrete = a[2] != 0
    var rhs = d[2]?.value
    func add(_ term: NodeID) {
      let signed = discrete ? term : t.neg(term)
      rhs = rhs.map { t.add($0, signed) } ?? signed
    }
    if let dA = d[0]?.value { add(t.matmul(dA, discrete ? t.matmul(y, B, false, tb) : y, ta, false)) }
    if let dB = d[1]?.value { add(t.matmul(discrete ? t.matmul(A, y, ta, false) : y, dB, false, tb)) }
    return rhs.map { Masked(t.apply(.sylvester, [A, B, $0], a)) }
  }, transpose: { t, y, ct, slot in
    let a = t.attrs(y)
    return slot == 2 ? t.apply(.sylvester, [t.input(y, 0), t.input(y, 1), ct], [1 - a[0], 1 - a[1], a[2]]) : nil
  }),
  masks: .dense, scratch: { x, _, _ in ck_sylvester_scratch(matrixSize(x[0]).m, matrixSize(x[1]).m) }
) { c in
  let (count, m, n) = matrixSize(c.type)
  ck_sylvester(c.type.dtype.rawValue, count, c.attrs[2] != 0, c.attrs[0] != 0, c.attrs[1] != 0, m, n, c.x[0], c.x[1], c.x[2], c.out, c.scratch)
  return nil
}

/// op(A) X = B for banded A. attrs: [l, u, transposed]; ab [.., l + u + 1, n] with A[i, j] = ab[u + i - j, j].
private let bandedRow = Row(
  name: "solve_banded",
  infer: { x, a in
    if let bad = sameDType(x) ?? lapack(x[0], times: 2) ?? lapack(x[1]) { return bad }
    let (_, w, n) = matrixSize(x[0])
    guard a[0] >= 0, a[1] >= 0, a[0] < w, a[1] < w, a[0] + a[1] + 1 == w else { return .fail(.shape, "\(a[0]) diagonals below and \(a[1]) above do not make the \(w) of shape \(text(x[0].shape))") }
    guard x[0].shape.dropLast(2) == x[1].shape.dropLast(2), matrixSize(x[1]).m == n else {
      return .fail(.shape, "bands \(text(x[0].shape)) and right-hand sides \(text(x[1].shape)) do not fit")
    }
    return .type(x[1])
  },
  derivative: .custom(jvp: { t, y, d in
    let a = t.attrs(y), ab = t.input(y, 0)
    var rhs = d[1]?.value
    if let dab = d[0]?.value {
      let product = t.neg(t.bandedProduct(dab, y, a[1], transposed: a[2] != 0))
      rhs = rhs.map { t.add($0, product) } ?? product
    }
    return rhs.map { Masked(t.apply(.solveBanded, [ab, $0], a)) }
  }, transpose: { t, y, ct, slot in
    let a = t.attrs(y)
    return slot == 1 ? t.apply(.solveBanded, [t.input(y, 0), ct], [a[0], a[1], 1 - a[2]]) : nil
  }),
  batching: .custom { t, n, ops, x, size in t.solveBatch(n, ops, x, size) },
  masks: .dense,
  scratch: { x, a, out in ck_banded_scratch(out.dtype.rawValue, matrixSize(out).m, matrixSize(out).n, a[0], a[1]) }
) { c in
  let (count, n, m) = matrixSize(c.type)
  ck_banded(c.type.dtype.rawValue, count, c.attrs[2] != 0, n, m, c.attrs[0], c.attrs[1], c.x[0], c.x[1], c.out, c.scratch)
  return nil
}

extension Tape {
  /// op(A) x for banded A [.., w, n] and x [.., n, m], in a fixed number of nodes: rows of w (n + w) entries read w - 1 entries apart are skewed.
  func bandedProduct(_ ab: NodeID, _ x: NodeID, _ u: Int, transposed: Bool) -> NodeID {
    guard contains(ab), contains(x) else { return .none }
    let (_, w, n) = matrixSize(type(ab)), m = matrixSize(type(x)).n, lead = Array(shape(x).dropLast(2))
    let band = broadcast(reshape(ab, lead + [w, n, 1]), to: lead + [w, n, m]), long = n + w - 1
    func pad(_ y: NodeID, axis: Int, low: Int, high: Int) -> NodeID {
      guard contains(y) else { return .none }
      return apply(.pad, [y], (0 ..< -axis).flatMap { $0 == 0 ? [low, high, 0] : [0, 0, 0] })
    }
    if transposed {
      // y_j = sum_d ab[d, j] x[j + d - u]
      let tall = pad(x, axis: -2, low: u, high: w - 1 - u)
      guard contains(tall) else { return .none }
      let copies = reshape(broadcast(reshape(tall, lead + [1, long, m]), to: lead + [w, long, m]), lead + [w * long, m])
      let windows = slice(reshape(pad(copies, axis: -2, low: 0, high: w), lead + [w, n + w, m]), axis: -2, start: 0, count: n)
      return reduce(.sum, mul(band, windows), axes: [-3], keep: false)
    }
    // y_i = sum_d ab[d, j] x[j], i = j + d - u
    let across = broadcast(reshape(x, lead + [1, n, m]), to: lead + [w, n, m])
    let rows = reshape(pad(mul(band, across), axis: -2, low: 0, high: w), lead + [w * (n + w), m])
    let skewed = reshape(slice(rows, axis: -2, start: 0, count: w * long), lead + [w, long, m])
    return slice(reduce(.sum, skewed, axes: [-3], keep: false), axis: -2, start: u, count: n)
  }

  /// A matrix shared by a batch of right-hand sides is factored once: the batch becomes columns.
  func solveBatch(_ n: NodeID, _ ops: [NodeID?], _ x: [NodeID], _ size: Int) -> NodeID {
    guard let s = structural(n) else { return .none }
    if ops[0] == nil, let b = ops[1], contains(b), size > 0 {
      let r = shape(x[1]).count, m = shape(x[1])[r - 1], (columns, over) = m.multipliedReportingOverflow(by: size)
      if !over, columns < Int(Int32.max), type(b).count > 0 {
        let wide = transpose(b, Array(1 ..< r) + [0, r])
        let y = apply(s, [x[0], reshape(wide, shape(x[1]).dropLast() + [columns])], attrs(n))
        return contains(y) ? transpose(reshape(y, shape(x[1]).dropLast() + [size, m]), [r - 1] + Array(0 ..< r - 1) + [r]) : .none
      }
    }
    return apply(s, x.indices.map { ops[$0] ?? addLeading(x[$0], size) }, attrs(n))
  }
}
