import CKernels

/// Linear algebra made of other operators: derivatives of any order follow.
extension Tape {
  /// Operands for which the batch in front is stretched to one; nil with a failure where that cannot be.
  private func aligned(_ x: [NodeID], _ name: String) -> [NodeID]? {
    guard x.allSatisfy(contains) else {
      if failure == nil { fail(.node, "\(name): an operand is not a node of this tape") }
      return nil
    }
    var lead: [Int] = []
    for n in x {
      guard shape(n).count >= 2 else { fail(.shape, "\(name): takes matrices, not shape \(text(shape(n)))"); return nil }
      guard let l = broadcastShapes(lead, Array(shape(n).dropLast(2))) else {
        fail(.shape, "\(name): the batches of shapes \(x.map { text(shape($0)) }.joined(separator: ", ")) do not fit")
        return nil
      }
      lead = l
    }
    let y = x.map { broadcast($0, to: lead + shape($0).suffix(2)) }
    return y.allSatisfy(contains) ? y : nil
  }
  private func isMatrices(_ a: NodeID, _ name: String, square: Bool = false) -> Bool {
    guard contains(a) else {
      if failure == nil { fail(.node, "\(name): the operand is not a node of this tape") }
      return false
    }
    guard case .fail(let code, let message)? = lapack(type(a), square: square) else { return true }
    fail(code, "\(name): \(message)")
    return false
  }
  private func nothing(_ n: Int) -> [NodeID] { [NodeID](repeating: .none, count: n) }

  package func inverse(_ a: NodeID) -> NodeID {
    guard isMatrices(a, "inv", square: true) else { return .none }
    return apply(.solve, [a, broadcast(eye(dtype(a), shape(a)[shape(a).count - 1]), to: shape(a))], [0])
  }

  /// By cofactors to 3 by 3, where every derivative is right for singular matrices too.
  package func determinant(_ a: NodeID) -> NodeID {
    guard isMatrices(a, "det", square: true) else { return .none }
    let s = shape(a), n = s[s.count - 1], lead = Array(s.dropLast(2))
    if n > 3 { return apply(.det, [a]) }
    func at(_ i: Int, _ j: Int) -> NodeID { reshape(slice(reshape(a, lead + [n * n]), axis: -1, start: i * n + j, count: 1), lead) }
    func minor(_ i: Int, _ j: Int, _ k: Int, _ l: Int) -> NodeID { sub(mul(at(i, k), at(j, l)), mul(at(i, l), at(j, k))) }
    switch n {
    case 0: return full(TensorType(dtype(a), lead), 1)
    case 1: return at(0, 0)
    case 2: return minor(0, 1, 0, 1)
    default: return add(sub(mul(at(0, 0), minor(1, 2, 1, 2)), mul(at(0, 1), minor(1, 2, 0, 2))), mul(at(0, 2), minor(1, 2, 0, 1)))
    }
  }

  /// The sign and log |det|.
  package func slogdet(_ a: NodeID) -> [NodeID] {
    let y = apply(.slogdet, [a])
    return contains(y) ? cut(y, [], []) : nothing(2)
  }

  /// A v = w B v with V^T B V = 1, through B = L L^T.
  package func eigh(_ a: NodeID, _ b: NodeID) -> [NodeID] {
    guard let x = aligned([a, b], "eigh"), isMatrices(x[0], "eigh", square: true), isMatrices(x[1], "eigh", square: true) else { return nothing(2) }
    guard type(x[0]) == type(x[1]) else {
      fail(.shape, "eigh: \(type(x[0]).description) and \(type(x[1]).description) differ")
      return nothing(2)
    }
    let L = apply(.cholesky, [x[1]]), half = apply(.triangularSolve, [L, symmetrized(x[0])], [1, 0, 0])
    let f = eigh(apply(.triangularSolve, [L, matrixTranspose(half)], [1, 0, 0]))
    return [f[0], apply(.triangularSolve, [L, f[1]], [1, 1, 0])]
  }

  /// argmin |A X - B| by QR of A or, where A is wide, the shortest X by QR of A^T. A has full rank.
  package func lstsq(_ a: NodeID, _ b: NodeID) -> NodeID {
    guard let x = aligned([a, b], "lstsq"), isMatrices(x[0], "lstsq"), isMatrices(x[1], "lstsq") else { return .none }
    let (_, m, n) = matrixSize(type(x[0]))
    guard dtype(x[0]) == dtype(x[1]), matrixSize(type(x[1])).m == m else {
      return fail(.shape, "lstsq: \(type(x[0]).description) and right-hand sides \(type(x[1]).description) do not fit")
    }
    if m >= n {
      let f = qr(x[0])
      return apply(.triangularSolve, [f[1], matmul(f[0], x[1], true, false)], [0, 0, 0])
    }
    let f = qr(matrixTranspose(x[0]))
    return matmul(f[0], apply(.triangularSolve, [f[1], x[1]], [0, 1, 0]))
  }

  /// `cut` < 0: the dtype's rounding times the longer side.
  package func pinv(_ a: NodeID, cut: Double = -1) -> NodeID {
    guard !cut.isNaN else { return fail(.invalid, "pinv: a cut of NaN") }
    return apply(.pinv, [a], [Int(bitPattern: UInt(truncatingIfNeeded: (cut < 0 ? -1 : cut).bitPattern))])
  }

  /// L^-T L^-1 B.
  package func choleskySolve(_ l: NodeID, _ b: NodeID) -> NodeID { solve(l, solve(l, b, .triangularSolve, [1, 0, 0]), .triangularSolve, [1, 1, 0]) }

  /// NumPy's kron: axes aligned at the end.
  package func kron(_ a: NodeID, _ b: NodeID) -> NodeID {
    guard contains(a), contains(b) else { return failure == nil ? fail(.node, "kron: an operand is not a node of this tape") : .none }
    guard dtype(a) == dtype(b), dtype(a) != .bool else { return fail(.dtype, "kron: takes numbers of one dtype, not \(dtype(a).name) and \(dtype(b).name)") }
    let r = Swift.max(shape(a).count, shape(b).count)
    let x = [Int](repeating: 1, count: r - shape(a).count) + shape(a), y = [Int](repeating: 1, count: r - shape(b).count) + shape(b)
    let both = zip(x, y).flatMap { [$0, $1] }
    guard TensorType(dtype(a), checking: both) != nil, both.count <= 64 else { return fail(.memory, "kron: the result of shapes \(text(x)) and \(text(y)) is too large") }
    let left = broadcast(reshape(a, x.flatMap { [$0, 1] }), to: both), right = broadcast(reshape(b, y.flatMap { [1, $0] }), to: both)
    return reshape(mul(left, right), zip(x, y).map { $0 * $1 })
  }

  /// A X + X B = C.
  package func sylvester(_ a: NodeID, _ b: NodeID, _ c: NodeID) -> NodeID {
    aligned([a, b, c], "sylvester").map { apply(.sylvester, $0, [0, 0, 0]) } ?? .none
  }
  /// A X + X A^T = Q, or (discrete) X - A X A^T = Q.
  package func lyapunov(_ a: NodeID, _ q: NodeID, discrete: Bool) -> NodeID {
    aligned([a, q], "lyapunov").map { apply(.sylvester, [$0[0], $0[0], $0[1]], [0, 1, discrete ? 1 : 0]) } ?? .none
  }

  package func solveBanded(_ ab: NodeID, _ b: NodeID, below l: Int, above u: Int) -> NodeID {
    aligned([ab, b], "solve_banded").map { apply(.solveBanded, $0, [l, u, 0]) } ?? .none
  }
  /// dl[i], d[i], du[i] stand in row i; dl[0] and du[n - 1] are not read. b [.., n, m].
  package func solveTridiagonal(_ dl: NodeID, _ d: NodeID, _ du: NodeID, _ b: NodeID) -> NodeID {
    guard [dl, d, du, b].allSatisfy(contains) else { return failure == nil ? fail(.node, "solve_tridiagonal: an operand is not a node of this tape") : .none }
    guard let n = shape(d).last, type(dl) == type(d), type(du) == type(d) else {
      return fail(.shape, "solve_tridiagonal: diagonals \(type(dl).description), \(type(d).description) and \(type(du).description) differ or are scalars")
    }
    if n == 0 { return solveBanded(reshape(d, shape(d).dropLast() + [1, 0]), b, below: 0, above: 0) }
    /// A[i, i + 1] = du[i] stands in column i + 1, A[i, i - 1] = dl[i] in column i - 1.
    func line(_ x: NodeID, from: Int, to: Int) -> NodeID {
      let s = shape(x)
      return reshape(apply(.pad, [slice(x, axis: -1, start: from, count: n - 1)], [to, 1 - to, 0]), s.dropLast() + [1, n])
    }
    return solveBanded(concat([line(du, from: 0, to: 1), reshape(d, shape(d).dropLast() + [1, n]), line(dl, from: 1, to: 0)], axis: -2), b, below: 1, above: 1)
  }

  package func matrixPower(_ a: NodeID, _ n: Int) -> NodeID {
    guard contains(a) else { return failure == nil ? fail(.node, "matrix_power: the operand is not a node of this tape") : .none }
    guard shape(a).count >= 2, shape(a)[shape(a).count - 1] == shape(a)[shape(a).count - 2], dtype(a) != .bool else {
      return fail(.shape, "matrix_power: takes square matrices of numbers, not \(type(a).description)")
    }
    if n == 0 { return broadcast(eye(dtype(a), shape(a)[shape(a).count - 1]), to: shape(a)) }
    var base = n < 0 ? inverse(a) : a, left = n.magnitude, y: NodeID?
    while left > 0, contains(base) {
      if left & 1 == 1 { y = y.map { matmul($0, base) } ?? base }
      left >>= 1
      if left > 0 { base = matmul(base, base) }
    }
    return contains(base) ? y ?? .none : .none
  }

  package enum MatrixNorm: String, CaseIterable { case fro, nuc, two = "2", minusTwo = "-2", one = "1", minusOne = "-1", infinity = "inf", minusInfinity = "-inf" }

  package func matrixNorm(_ a: NodeID, _ kind: MatrixNorm, name: String = "matrix_norm") -> NodeID {
    guard contains(a) else { return failure == nil ? fail(.node, "\(name): the operand is not a node of this tape") : .none }
    guard shape(a).count >= 2, dtype(a).isFloat else { return fail(.shape, "\(name): takes matrices of floats, not \(type(a).description)") }
    func lines(_ axis: Int) -> NodeID { reduce(.sum, unary(.abs, a), axes: [axis], keep: false) }
    func values(_ s: Structural) -> NodeID { reduce(s, apply(.svdvals, [a]), axes: [-1], keep: false) }
    switch kind {
    case .fro: return reduce(.norm, a, axes: [-2, -1], keep: false)
    case .nuc: return values(.sum)
    case .two: return values(.max)
    case .minusTwo: return values(.min)
    case .one: return reduce(.max, lines(-2), axes: [-1], keep: false)
    case .minusOne: return reduce(.min, lines(-2), axes: [-1], keep: false)
    case .infinity: return reduce(.max, lines(-1), axes: [-1], keep: false)
    case .minusInfinity: return reduce(.min, lines(-1), axes: [-1], keep: false)
    }
  }
  package func cond(_ a: NodeID, _ kind: MatrixNorm) -> NodeID {
    switch kind {
    case .two: return div(matrixNorm(a, .two, name: "matrix_cond"), matrixNorm(a, .minusTwo, name: "matrix_cond"))
    case .minusTwo: return div(matrixNorm(a, .minusTwo, name: "matrix_cond"), matrixNorm(a, .two, name: "matrix_cond"))
    default:
      guard isMatrices(a, "matrix_cond", square: true) else { return .none }
      return mul(matrixNorm(a, kind, name: "matrix_cond"), matrixNorm(inverse(a), kind, name: "matrix_cond"))
    }
  }
  /// How many singular values are above `tolerance`; below 0: the largest, times the longer side, times the dtype's rounding. i64.
  package func matrixRank(_ a: NodeID, tolerance: Double = -1) -> NodeID {
    guard isMatrices(a, "matrix_rank") else { return .none }
    let (_, m, n) = matrixSize(type(a)), s = apply(.svdvals, [a])
    guard Swift.min(m, n) > 0 else { return full(TensorType(.i64, Array(shape(a).dropLast(2))), 0) }
    let limit: NodeID
    if tolerance >= 0 {
      limit = like(s, tolerance)
    } else {
      let largest = reduce(.max, s, axes: [-1], keep: true)
      limit = contains(largest) ? broadcast(scale(largest, Double(Swift.max(m, n)) * (dtype(a) == .f64 ? 0x1p-52 : 0x1p-23)), to: shape(s)) : .none
    }
    return reduce(.sum, cast(binary(.gt, s, limit), .i64), axes: [-1], keep: false)
  }
}
