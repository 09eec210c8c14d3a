import CKernels

func linearAlgebraRow(_ s: Structural) -> Row {
  switch s {
  case .matmul: matmulRow
  case .cholesky: choleskyRow
  case .triangularSolve: triangularRow
  default: solveRow
  }
}

/// What goes to LAPACK: f64 or f32, dear to compute again.
package func isLapack(_ s: Structural) -> Bool {
  switch s {
  case .cholesky, .triangularSolve, .solve, .lu, .qr, .eigh, .eigvalsh, .svd, .svdvals, .det, .slogdet, .cofactor, .pinv, .expm, .sqrtm, .sylvester, .solveBanded: true
  default: false
  }
}

/// Batches in front: equal, or none on one side, which is then shared.
private func batch(_ a: TensorType, _ b: TensorType, _ name: String) -> [Int]? {
  let x = Array(a.shape.dropLast(2)), y = Array(b.shape.dropLast(2))
  return x == y || y.isEmpty ? x : x.isEmpty ? y : nil
}

private func square(_ a: TensorType) -> Inferred? {
  guard a.dtype == .f64 || a.dtype == .f32 else { return .fail(.dtype, "takes f64 or f32, not \(a.dtype.name)") }
  guard a.rank >= 2, a.shape[a.rank - 1] == a.shape[a.rank - 2] else { return .fail(.shape, "takes square matrices, not shape \(text(a.shape))") }
  return nil
}

/// attrs: [lower, transposed, unit].
private let triangularRow = Row(
  name: "triangular_solve", infer: inferSolve,
  derivative: .custom(jvp: { t, y, d in
    let a = t.attrs(y), A = t.input(y, 0)
    var rhs = d[1]?.value
    if let dA = d[0] {
      let triangle = t.mul(dA.value, t.triangle(A, lower: a[0] != 0, diagonal: a[2] != 0 ? 0 : 1))
      let product = t.neg(t.matmul(triangle, y, a[1] != 0, false))
      rhs = rhs.map { t.add($0, product) } ?? product
    }
    return rhs.map { Masked(t.apply(.triangularSolve, [A, $0], a)) }
  }, transpose: { t, y, ct, slot in
    let a = t.attrs(y)
    return slot == 1 ? t.apply(.triangularSolve, [t.input(y, 0), ct], [a[0], 1 - a[1], a[2]]) : nil
  }),
  batching: .custom { t, n, ops, x, size in t.solveBatch(n, ops, x, size) },
  masks: .dense
) { c in
  matrices(c) { a, b, x, n, m in
    _ = ck_triangular_solve(c.type.dtype.rawValue, c.attrs[0] != 0, c.attrs[1] != 0, c.attrs[2] != 0, n, m, a, b, x)
  }
}

/// attrs: [transposed].
private let solveRow = Row(
  name: "solve", infer: inferSolve,
  derivative: .custom(jvp: { t, y, d in
    let a = t.attrs(y), A = t.input(y, 0)
    var rhs = d[1]?.value
    if let dA = d[0] {
      let product = t.neg(t.matmul(dA.value, y, a[0] != 0, false))
      rhs = rhs.map { t.add($0, product) } ?? product
    }
    return rhs.map { Masked(t.apply(.solve, [A, $0], a)) }
  }, transpose: { t, y, ct, slot in
    slot == 1 ? t.apply(.solve, [t.input(y, 0), ct], [1 - t.attrs(y)[0]]) : nil
  }),
  batching: .custom { t, n, ops, x, size in t.solveBatch(n, ops, x, size) },
  masks: .dense,
  scratch: { x, _, out in
    let n = x[0].shape[x[0].rank - 1], m = x[1].shape[x[1].rank - 1]
    return (n * n + n * m) * out.dtype.size + n * 4 + 64
  }
) { c in
  guard let scratch = c.scratch else { return "solve: no scratch" }
  let size = c.type.dtype.size
  return matrices(c) { a, b, x, n, m in
    let t = scratch + n * n * size, pivots = (t + n * m * size).alignedUp(toMultipleOf: 16).assumingMemoryBound(to: Int32.self)
    _ = ck_solve(c.type.dtype.rawValue, c.attrs[0] != 0, n, m, a, b, x, scratch, pivots, t)
  }
}

private func inferSolve(_ x: [TensorType], _ a: [Int]) -> Inferred {
  if let bad = square(x[0]) { return bad }
  guard x[0].dtype == x[1].dtype else { return .fail(.dtype, "dtypes \(x[0].dtype.name) and \(x[1].dtype.name) differ; cast one first") }
  guard x[1].rank >= 2, x[1].shape[x[1].rank - 2] == x[0].shape[x[0].rank - 1], x[1].rank == x[0].rank, x[1].shape.dropLast(2) == x[0].shape.dropLast(2) else {
    return .fail(.shape, "matrix \(text(x[0].shape)) and right-hand sides \(text(x[1].shape)) do not fit")
  }
  guard x[1].shape[x[1].rank - 1] < Int(Int32.max) else { return .fail(.memory, "\(x[1].shape[x[1].rank - 1]) right-hand sides; LAPACK takes fewer than 2^31") }
  return .type(x[1])
}

private func matrices(_ c: borrowing Call, _ body: (UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, Int, Int) -> Void) -> String? {
  let s = c.types[0].shape, n = s[s.count - 1], m = c.type.shape[s.count - 1], size = c.type.dtype.size
  for i in 0 ..< s.dropLast(2).reduce(1, &*) {
    body(c.x[0] + i * n * n * size, c.x[1] + i * n * m * size, c.out + i * n * m * size, n, m)
  }
  return nil
}

/// L of A = L L^T. dL = L Phi(L^-1 sym(dA) L^-T), Phi = lower triangle with half the diagonal (Murray, arXiv:1602.07527, eq. 8).
private let choleskyRow = Row(
  name: "cholesky", infer: { x, _ in square(x[0]) ?? .type(x[0]) },
  derivative: .custom(jvp: { t, L, d in
    guard let dA = d[0]?.value else { return nil }
    let s = t.scale(t.add(dA, t.matrixTranspose(dA)), 0.5)
    let half = t.apply(.triangularSolve, [L, s], [1, 0, 0])
    let whole = t.apply(.triangularSolve, [L, t.matrixTranspose(half)], [1, 0, 0])
    return Masked(t.matmul(L, t.mul(whole, t.triangle(L, lower: true, diagonal: 0.5))))
  }, transpose: nil),
  masks: .dense
) { c in
  let s = c.type.shape, n = s[s.count - 1], size = c.type.dtype.size
  for i in 0 ..< s.dropLast(2).reduce(1, &*) { _ = ck_cholesky(c.type.dtype.rawValue, n, c.x[0] + i * n * n * size, c.out + i * n * n * size) }
  return nil
}

extension Tape {
  /// Ones in the lower (upper) triangle, `diagonal` on the diagonal, zeros elsewhere, of x's type.
  func triangle(_ x: NodeID, lower: Bool, diagonal: Double) -> NodeID {
    guard contains(x) else { return .none }
    let t = type(x), index = TensorType(.i64, Array(t.shape.suffix(2)))
    let row = iota(index, axis: -2), column = iota(index, axis: -1)
    let m = TensorType(t.dtype, index.shape)
    let inside = binary(lower ? .gt : .lt, row, column)
    let v = select(inside, full(m, 1), select(binary(.eq, row, column), full(m, diagonal), full(m, 0)))
    return broadcast(v, to: t.shape)
  }

  /// NumPy's solve for right-hand sides of matrices; batches broadcast.
  package func solve(_ a: NodeID, _ b: NodeID, _ s: Structural, _ attrs: [Int]) -> NodeID {
    guard contains(a), contains(b) else { return failure == nil ? fail(.node, "\(row(s).name): an operand is not a node of this tape") : .none }
    let x = shape(a), y = shape(b)
    guard x.count >= 2, y.count >= 2, let lead = broadcastShapes(Array(x.dropLast(2)), Array(y.dropLast(2))) else { return apply(s, [a, b], attrs) }
    return apply(s, [broadcast(a, to: lead + x.suffix(2)), broadcast(b, to: lead + y.suffix(2))], attrs)
  }
}

/// NumPy's rule for two shapes.
package func broadcastShapes(_ a: [Int], _ b: [Int]) -> [Int]? {
  let n = max(a.count, b.count)
  let x = [Int](repeating: 1, count: n - a.count) + a, y = [Int](repeating: 1, count: n - b.count) + b
  var out: [Int] = []
  for (p, q) in zip(x, y) {
    guard p == q || p == 1 || q == 1 else { return nil }
    out.append(p == 1 ? q : p)
  }
  return out
}

extension UnsafeMutableRawPointer {
  func alignedUp(toMultipleOf n: Int) -> UnsafeMutableRawPointer { self + (n - Int(bitPattern: self) % n) % n }
}
