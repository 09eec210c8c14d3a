import CKernels

/// Factorisations of matrices [.., m, n]. A row has one result: the parts of a factorisation stand one after another along one last axis,
/// and `parts` cuts them out. So a factorisation is run once whatever is read of it, and slices are all the transforms need to know.
func factorRow(_ s: Structural) -> Row {
  switch s {
  case .lu: luRow
  case .qr: qrRow
  case .eigh: eighRow
  case .eigvalsh: eigvalshRow
  case .svd: svdRow
  default: svdvalsRow
  }
}

/// LAPACK counts in 32 bits, workspaces of four matrices too.
let matrixLimit = 1 << 28

func lapack(_ x: TensorType, square: Bool = false, times: Int = 1) -> Inferred? {
  guard x.dtype == .f64 || x.dtype == .f32 else { return .fail(.dtype, "takes f64 or f32, not \(x.dtype.name)") }
  guard x.rank >= 2, !square || x.shape[x.rank - 1] == x.shape[x.rank - 2] else { return .fail(.shape, "takes \(square ? "square " : "")matrices, not shape \(text(x.shape))") }
  let m = x.shape[x.rank - 2], n = x.shape[x.rank - 1]
  guard m <= matrixLimit, n <= matrixLimit, m * n <= matrixLimit / times else { return .fail(.memory, "matrices of \(m) by \(n); LAPACK takes up to \(matrixLimit / times) elements here") }
  return nil
}

/// The batch in front, rows, columns.
package func matrixSize(_ x: TensorType) -> (count: Int, m: Int, n: Int) {
  (x.shape.dropLast(2).reduce(1, &*), x.shape[x.rank - 2], x.shape[x.rank - 1])
}

private func packed(_ x: TensorType, _ sizes: Int...) -> Inferred {
  guard sizes.allSatisfy({ $0 <= matrixLimit }), let t = TensorType(x.dtype, checking: x.shape.dropLast(2) + [sizes.reduce(0, +)]) else {
    return .fail(.memory, "the factors of shape \(text(x.shape)) are too large")
  }
  return .type(t)
}

extension Tape {
  /// The arrays that lie one after another along the last axis of y, of these shapes behind its leading axes.
  func cut(_ y: NodeID, _ shapes: [Int]...) -> [NodeID] {
    guard contains(y) else { return shapes.map { _ in .none } }
    let lead = Array(shape(y).dropLast())
    var start = 0
    return shapes.map { s in
      let n = s.reduce(1, &*)
      defer { start += n }
      return reshape(slice(y, axis: -1, start: start, count: n), lead + s)
    }
  }
  private func pack(_ parts: [(NodeID, rank: Int)]) -> Masked {
    guard parts.allSatisfy({ contains($0.0) }) else { return Masked(.none) }
    return Masked(concat(parts.map { x, rank in
      let s = shape(x), lead = Array(s.dropLast(rank))
      return reshape(x, lead + [s.suffix(rank).reduce(1, &*)])
    }, axis: -1))
  }

  /// The diagonal of matrices [.., m, n]: [.., min(m, n)].
  func diagonal(_ x: NodeID) -> NodeID {
    guard contains(x) else { return .none }
    let s = shape(x), m = s[s.count - 2], n = s[s.count - 1]
    return slice(reshape(x, s.dropLast(2) + [m * n]), axis: -1, start: 0, count: Swift.min(m, n), step: n + 1)
  }
  /// Diagonal matrices of vectors [.., n].
  func diagonalMatrix(_ v: NodeID) -> NodeID {
    guard contains(v) else { return .none }
    let s = shape(v), n = s[s.count - 1]
    return within(broadcast(reshape(v, s.dropLast() + [1, n]), to: s.dropLast() + [n, n]), .eq)
  }
  /// x where row and column compare as `c` says, 0 (structurally) elsewhere.
  func within(_ x: NodeID, _ c: Binary) -> NodeID {
    guard contains(x) else { return .none }
    let s = shape(x), index = TensorType(.i64, Array(s.suffix(2)))
    return select(broadcast(binary(c, iota(index, axis: -2), iota(index, axis: -1)), to: s), x, zeros(x))
  }
  func eye(_ d: DType, _ n: Int) -> NodeID {
    let index = TensorType(.i64, [n, n])
    return cast(binary(.eq, iota(index, axis: -2), iota(index, axis: -1)), d)
  }
  func symmetrized(_ x: NodeID) -> NodeID { scale(add(x, matrixTranspose(x)), 0.5) }
  /// X with X A = B.
  func divideRight(_ b: NodeID, _ a: NodeID, lower: Bool, unit: Bool = false) -> NodeID {
    matrixTranspose(apply(.triangularSolve, [a, matrixTranspose(b)], [lower ? 1 : 0, 1, unit ? 1 : 0]))
  }
  /// v [.., n] as rows, that is v_j, or columns, v_i, of [.., m, n].
  private func rows(_ v: NodeID, _ m: Int) -> NodeID {
    guard contains(v) else { return .none }
    let s = shape(v)
    return broadcast(reshape(v, s.dropLast() + [1, s[s.count - 1]]), to: s.dropLast() + [m, s[s.count - 1]])
  }
  private func columns(_ v: NodeID) -> NodeID { contains(v) ? matrixTranspose(rows(v, shape(v)[shape(v).count - 1])) : .none }

  /// 1 / gap, and structurally 0 where |gap| is at most 32 sqrt(n) roundings of the largest of |w|: what is not told apart does not turn.
  private func inverse(gap: NodeID, _ w: NodeID, size n: Int) -> NodeID {
    guard contains(gap), contains(w) else { return .none }
    if type(gap).count == 0 { return gap }
    let epsilon = dtype(w) == .f64 ? 0x1p-52 : 0x1p-23
    let largest = unary(.stop_gradient, scale(reduce(.max, unary(.abs, w), axes: [-1], keep: true), 32 * epsilon * Double(n).squareRoot()))
    let limit = broadcast(reshape(largest, shape(largest) + [1]), to: shape(gap))
    let apart = binary(.gt, unary(.abs, gap), limit)
    return select(apart, unary(.reciprocal, select(apart, gap, like(gap, 1))), zeros(gap))
  }

  /// The eigenvalues w, ascending, and V, of the symmetric matrices whose lower (upper) triangle is read.
  package func eigh(_ a: NodeID, lower: Bool = true) -> [NodeID] {
    let y = apply(.eigh, [a], [lower ? 1 : 0])
    guard contains(y) else { return [.none, .none] }
    let n = shape(a)[shape(a).count - 1]
    return cut(y, [n], [n, n])
  }
  /// Q [.., m, q] and R [.., q, n].
  package func qr(_ a: NodeID, full: Bool = false) -> [NodeID] {
    let y = apply(.qr, [a], [full ? 1 : 0])
    guard contains(y) else { return [.none, .none] }
    let (_, m, n) = matrixSize(type(a)), q = full ? m : Swift.min(m, n)
    return cut(y, [m, q], [q, n])
  }
  /// U [.., m, p], s [.., k], V^T [.., q, n].
  package func svd(_ a: NodeID, full: Bool = false) -> [NodeID] {
    let y = apply(.svd, [a], [full ? 1 : 0])
    guard contains(y) else { return [.none, .none, .none] }
    let (_, m, n) = matrixSize(type(a)), k = Swift.min(m, n)
    return cut(y, [m, full ? m : k], [k], [full ? n : k, n])
  }
  /// L [.., m, k] with ones on its diagonal, U [.., k, n], and the permutation p [.., m], i64: row i of L U is row p[i] of A.
  package func lu(_ a: NodeID) -> [NodeID] {
    let y = apply(.lu, [a], [])
    guard contains(y) else { return [.none, .none, .none] }
    let (_, m, n) = matrixSize(type(a)), k = Swift.min(m, n), both = cut(y, [m, n], [m])
    guard contains(both[0]) else { return [.none, .none, .none] }
    let left = slice(both[0], axis: -1, start: 0, count: k), right = slice(both[0], axis: -2, start: 0, count: k)
    return [add(within(left, .gt), within(like(left, 1), .eq)), within(right, .le), cast(both[1], .i64)]
  }
}

// MARK: LU

private let luRow = Row(
  name: "lu",
  infer: { x, _ in lapack(x[0]) ?? packed(x[0], matrixSize(x[0]).m * matrixSize(x[0]).n, matrixSize(x[0]).m) },
  derivative: .custom(jvp: { t, y, d in d[0].map { t.luForward(y, $0.value) } }, transpose: nil),
  masks: .dense,
  scratch: { x, _, out in ck_lu_scratch(out.dtype.rawValue, matrixSize(x[0]).m, matrixSize(x[0]).n) }
) { c in
  let (count, m, n) = matrixSize(c.types[0])
  ck_lu(c.type.dtype.rawValue, count, m, n, c.x[0], c.out, c.scratch)
  return nil
}

extension Tape {
  /// With F = P A = L U, square part first: M = L^-1 dF U^-1 splits into L^-1 dL below the diagonal and dU U^-1 on and above it.
  fileprivate func luForward(_ y: NodeID, _ dA: NodeID) -> Masked {
    let (_, m, n) = matrixSize(type(input(y, 0))), k = Swift.min(m, n), both = cut(y, [m, n], [m])
    guard contains(both[0]), contains(dA) else { return Masked(.none) }
    let order = cast(both[1], .i64), dF = matmul(oneHot(order, depth: m, dtype(dA)), dA)
    let left = slice(both[0], axis: -1, start: 0, count: k), right = slice(both[0], axis: -2, start: 0, count: k)
    let L = add(within(left, .gt), within(like(left, 1), .eq)), U = within(right, .le)
    let dLU: NodeID
    if m >= n {
      let X = divideRight(dF, U, lower: false)
      let M = apply(.triangularSolve, [slice(L, axis: -2, start: 0, count: k), slice(X, axis: -2, start: 0, count: k)], [1, 0, 1]), top = within(M, .le)
      let dU = matmul(top, U), dL = within(sub(X, matmul(L, top)), .gt)
      dLU = m == n ? add(dL, dU) : add(dL, concat([dU, full(TensorType(dtype(dU), shape(dU).dropLast(2) + [m - n, n]), 0)], axis: -2))
    } else {
      let M = apply(.triangularSolve, [L, dF], [1, 0, 1])
      let below = within(divideRight(slice(M, axis: -1, start: 0, count: k), slice(U, axis: -1, start: 0, count: k), lower: false), .gt)
      let dU = within(sub(M, matmul(below, U)), .le), dL = matmul(L, below)
      dLU = add(dU, concat([dL, full(TensorType(dtype(dL), shape(dL).dropLast(2) + [m, n - m]), 0)], axis: -1))
    }
    return pack([(dLU, 2), (zeros(both[1]), 1)])
  }
}

// MARK: QR

/// attrs: [full].
private let qrRow = Row(
  name: "qr",
  infer: { x, a in
    if let bad = lapack(x[0]) { return bad }
    let (_, m, n) = matrixSize(x[0]), q = a[0] != 0 ? m : min(m, n)
    return packed(x[0], m * q, q * n)
  },
  derivative: .custom(jvp: { t, y, d in d[0].map { t.qrForward(y, $0.value) } }, transpose: nil),
  masks: .dense,
  scratch: { x, a, out in ck_qr_scratch(out.dtype.rawValue, matrixSize(x[0]).m, matrixSize(x[0]).n, a[0] != 0) }
) { c in
  let (count, m, n) = matrixSize(c.types[0])
  ck_qr(c.type.dtype.rawValue, count, m, n, c.attrs[0] != 0, c.x[0], c.out, c.scratch)
  return nil
}

extension Tape {
  /// S = Q^T dA R^-1 over the first min(m, n) columns; Q^T dQ is antisymmetric with S's part below the diagonal, and dR upper triangular.
  /// Columns of a full Q beyond them turn no more than they have to.
  fileprivate func qrForward(_ y: NodeID, _ dA: NodeID) -> Masked {
    let (_, m, n) = matrixSize(type(input(y, 0))), k = Swift.min(m, n), full = attrs(y)[0] != 0, q = full ? m : k
    let p = cut(y, [m, q], [q, n])
    guard contains(p[0]), contains(p[1]), contains(dA) else { return Masked(.none) }
    if k == 0 { return Masked(zeros(y)) }
    let Q = p[0], R = p[1], R1 = slice(slice(R, axis: -2, start: 0, count: k), axis: -1, start: 0, count: k)
    let C = divideRight(slice(dA, axis: -1, start: 0, count: k), R1, lower: false), S = matmul(Q, C, true, false)
    var L = within(S, .gt)
    guard contains(L) else { return Masked(.none) }
    if q > k { L = concat([L, self.full(TensorType(dtype(L), shape(L).dropLast() + [q - k]), 0)], axis: -1) }
    let turning = sub(L, matrixTranspose(L))
    let dQ = q == m ? matmul(Q, turning) : add(C, matmul(Q, sub(turning, S)))
    let dR = within(sub(matmul(Q, dA, true, false), matmul(turning, R)), .le)
    return pack([(dQ, 2), (dR, 2)])
  }
}

// MARK: symmetric eigenvalues

/// attrs: [lower].
private let eighRow = Row(
  name: "eigh",
  infer: { x, _ in lapack(x[0], square: true) ?? packed(x[0], matrixSize(x[0]).n, matrixSize(x[0]).n * matrixSize(x[0]).n) },
  derivative: .custom(jvp: { t, y, d in d[0].map { t.eighForward(y, $0.value) } }, transpose: nil),
  masks: .dense,
  scratch: { x, _, out in ck_eigh_scratch(out.dtype.rawValue, matrixSize(x[0]).n, true) }
) { c in
  let (count, _, n) = matrixSize(c.types[0])
  ck_eigh(c.type.dtype.rawValue, count, n, true, c.attrs[0] != 0, c.x[0], c.out, c.scratch)
  return nil
}

/// attrs: [lower].
private let eigvalshRow = Row(
  name: "eigvalsh",
  infer: { x, _ in lapack(x[0], square: true) ?? packed(x[0], matrixSize(x[0]).n) },
  derivative: .custom(jvp: { t, y, d in
    guard let dA = d[0]?.value else { return nil }
    let V = t.eigh(t.input(y, 0), lower: t.attrs(y)[0] != 0)[1]
    return Masked(t.reduce(.sum, t.mul(V, t.matmul(t.symmetrized(dA), V)), axes: [-2], keep: false))
  }, transpose: nil),
  masks: .dense,
  scratch: { x, _, out in ck_eigh_scratch(out.dtype.rawValue, matrixSize(x[0]).n, false) }
) { c in
  let (count, _, n) = matrixSize(c.types[0])
  ck_eigh(c.type.dtype.rawValue, count, n, false, c.attrs[0] != 0, c.x[0], c.out, c.scratch)
  return nil
}

extension Tape {
  /// M = V^T dA V: dw is its diagonal, V^T dV its other entries over w_j - w_i.
  fileprivate func eighForward(_ y: NodeID, _ dA: NodeID) -> Masked {
    let (_, n, _) = matrixSize(type(input(y, 0))), p = cut(y, [n], [n, n]), w = p[0], V = p[1]
    guard contains(w), contains(V), contains(dA) else { return Masked(.none) }
    let M = matmul(V, matmul(symmetrized(dA), V), true, false)
    let turning = mul(inverse(gap: sub(rows(w, n), columns(w)), w, size: n), M)
    return pack([(diagonal(M), 1), (matmul(V, turning), 2)])
  }
}

// MARK: singular values

/// attrs: [full].
private let svdRow = Row(
  name: "svd",
  infer: { x, a in
    if let bad = lapack(x[0]) { return bad }
    let (_, m, n) = matrixSize(x[0]), k = min(m, n)
    return packed(x[0], m * (a[0] != 0 ? m : k), k, n * (a[0] != 0 ? n : k))
  },
  derivative: .custom(jvp: { t, y, d in d[0].map { t.svdForward(y, $0.value) } }, transpose: nil),
  masks: .dense,
  scratch: { x, a, out in ck_svd_scratch(out.dtype.rawValue, matrixSize(x[0]).m, matrixSize(x[0]).n, true, a[0] != 0) }
) { c in
  let (count, m, n) = matrixSize(c.types[0])
  ck_svd(c.type.dtype.rawValue, count, m, n, true, c.attrs[0] != 0, c.x[0], c.out, c.scratch)
  return nil
}

private let svdvalsRow = Row(
  name: "svdvals",
  infer: { x, _ in lapack(x[0]) ?? packed(x[0], min(matrixSize(x[0]).m, matrixSize(x[0]).n)) },
  derivative: .custom(jvp: { t, y, d in
    guard let dA = d[0]?.value else { return nil }
    let f = t.svd(t.input(y, 0))
    return Masked(t.reduce(.sum, t.mul(f[0], t.matmul(dA, f[2], false, true)), axes: [-2], keep: false))
  }, transpose: nil),
  masks: .dense,
  scratch: { x, _, out in ck_svd_scratch(out.dtype.rawValue, matrixSize(x[0]).m, matrixSize(x[0]).n, false, false) }
) { c in
  let (count, m, n) = matrixSize(c.types[0])
  ck_svd(c.type.dtype.rawValue, count, m, n, false, false, c.x[0], c.out, c.scratch)
  return nil
}

extension Tape {
  /// M = U^T dA V. The turns X = U^T dU and Y = V^T dV are antisymmetric: X + Y = (M + M^T) / (s_j - s_i), X - Y = (M - M^T) / (s_j + s_i),
  /// which loses no digits, and keeps X - Y, the turn of U V^T, where singular values meet.
  fileprivate func svdForward(_ y: NodeID, _ dA: NodeID) -> Masked {
    let (_, m, n) = matrixSize(type(input(y, 0))), k = Swift.min(m, n), full = attrs(y)[0] != 0
    let p = full ? cut(y, [m, m], [k], [n, n]) : cut(y, [m, k], [k], [k, n]), s = p[1]
    guard p.allSatisfy(contains), contains(dA) else { return Masked(.none) }
    if k == 0 { return Masked(zeros(y)) }
    let U = slice(p[0], axis: -1, start: 0, count: k), Vt = slice(p[2], axis: -2, start: 0, count: k), size = Swift.max(m, n)
    let AV = matmul(dA, Vt, false, true), M = matmul(U, AV, true, false), Mt = matrixTranspose(M)
    let sum = mul(add(M, Mt), inverse(gap: sub(rows(s, k), columns(s)), s, size: size))
    let difference = mul(sub(M, Mt), inverse(gap: add(rows(s, k), columns(s)), s, size: size))
    let X = scale(add(sum, difference), 0.5), Y = scale(sub(sum, difference), 0.5)
    var dU = matmul(U, X), dVt = matmul(Y, Vt, true, false)
    if m > k {
      let C = mul(sub(AV, matmul(U, M)), inverse(gap: rows(s, m), s, size: size))
      dU = add(dU, C)
      if full {
        let rest = slice(p[0], axis: -1, start: k, count: m - k)
        dU = concat([dU, neg(matmul(U, matmul(C, rest, true, false)))], axis: -1)
      }
    }
    if n > k {
      let C = mul(sub(matmul(U, dA, true, false), matmul(M, Vt)), matrixTranspose(inverse(gap: rows(s, n), s, size: size)))
      dVt = add(dVt, C)
      if full {
        let rest = slice(p[2], axis: -2, start: k, count: n - k)
        dVt = concat([dVt, neg(matmul(matmul(rest, C, false, true), Vt))], axis: -2)
      }
    }
    return pack([(dU, 2), (diagonal(M), 1), (dVt, 2)])
  }
}
