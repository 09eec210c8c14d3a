/// Whether a node of a file may be given to its type rule. Builders make sound operands and attributes; a file may hold anything, and rules,
/// kernels and derivatives index both without looking. So a row that is read from files says here how many operands and which attributes it
/// takes (a row of its own may say it in `Row.loads`); the type rule then says whether they fit. `nil`: nothing is known of the row.
package func mayLoad(_ s: Structural, _ x: [TensorType], _ a: [Int]) -> Bool? {
  func takes(_ operands: Int, _ attributes: Int) -> Bool { x.count == operands && a.count == attributes }
  func hasAxis(_ slot: Int, _ axis: Int) -> Bool { axis < 0 && axis >= -x[slot].rank }
  func flags(_ values: ArraySlice<Int>) -> Bool { values.allSatisfy { $0 == 0 || $0 == 1 } }
  func extents(_ values: ArraySlice<Int>) -> Bool { values.count <= TensorType.rankLimit && values.allSatisfy { $0 >= 0 && $0 <= TensorType.countLimit } }
  switch s {
  case .cast: return takes(1, 1) && a[0] >= 0 && a[0] < DType.allCases.count
  case .reshape: return x.count == 1 && a.count >= 1 && a[0] >= 0 && a[0] <= x[0].rank && extents(a[1...])
  case .broadcast: return x.count == 1 && extents(a[...])
  case .transpose: return x.count == 1 && a.count <= x[0].rank
  case .slice: return x.count == 1 && a.count % 3 == 0 && a.count / 3 <= x[0].rank && stride(from: 2, to: a.count, by: 3).allSatisfy { a[$0] != .min }
  case .pad: return x.count == 1 && a.count % 3 == 0 && a.count / 3 <= x[0].rank
  case .concat: return x.count >= 1 && a.count == 1 && hasAxis(0, a[0])
  case .roll: return takes(1, 2) && hasAxis(0, a[0])
  case .gather: return takes(2, 2) && hasAxis(0, a[0]) && a[1] >= 0 && a[1] <= x[0].rank
  case .scatterAdd: return takes(2, 3) && a[0] < 0 && a[0] >= -TensorType.rankLimit && a[1] >= 0 && a[1] <= x[0].rank && a[2] <= TensorType.countLimit
  case .sum, .prod, .max, .min, .logsumexp, .norm:
    return x.count == 1 && a.count <= x[0].rank && a.allSatisfy { hasAxis(0, $0) } && zip(a, a.dropFirst()).allSatisfy { $0 < $1 }
  case .argmax, .argmin, .softmax: return takes(1, 1) && hasAxis(0, a[0])
  case .cumsum: return takes(1, 2) && hasAxis(0, a[0]) && flags(a[1...])
  case .cumprod, .cummax, .cummin, .cumargmax, .cumargmin, .cumlogsumexp, .sort: return takes(1, 2) && hasAxis(0, a[0]) && flags(a[1...])
  case .recurrence: return takes(2, 2) && hasAxis(0, a[0]) && flags(a[1...])
  case .argsort: return takes(1, 3) && hasAxis(0, a[0]) && flags(a[1 ..< 2])
  case .scatterSet: return takes(3, 2) && hasAxis(0, a[0]) && a[1] >= 0 && a[1] <= x[0].rank
  case .segmentProd, .segmentMax, .segmentMin: return mayLoad(.scatterAdd, x, a)
  case .dynamicSlice: return x.count == 2 && a.count >= 1 && a[0] >= 0 && a[0] <= x[0].rank && extents(a[1...])
  case .dynamicUpdate: return takes(3, 2) && a[0] >= 0 && a[0] <= x[0].rank && a[1] >= 0 && a[1] <= x[0].rank
  case .matmul:
    // Masks are bools of their operand's shape.
    guard a.count == 4, flags(a[...]), x.count == 2 + a[2] + a[3] else { return false }
    let masked = (a[2] == 1 ? [0] : []) + (a[3] == 1 ? [1] : [])
    return zip(masked, x[2...]).allSatisfy { $1 == x[$0].with(.bool) }
  case .cholesky, .lu, .svdvals, .det, .slogdet, .cofactor, .sqrtm: return takes(1, 0)
  case .qr, .eigh, .eigvalsh, .svd: return takes(1, 1) && flags(a[...])
  case .pinv: return takes(1, 1)
  case .expm: return x.count >= 1 && a.isEmpty
  case .sylvester: return takes(3, 3) && flags(a[...])
  case .solveBanded: return takes(2, 3) && a[2] >= 0 && a[2] <= 1
  case .revolve: return takes(2, 0)
  case .after: return takes(2, 0)
  case .triangularSolve: return takes(2, 3) && flags(a[...])
  case .solve: return takes(2, 1) && flags(a[...])
  case .random: return x.count == 1 && a.count >= 1 && a[0] >= 0 && a[0] < DType.allCases.count && extents(a[1...])
  // Leaves, loops, marks and their members are read by themselves: Decode.swift.
  default: return row(s).loads?(x, a)
  }
}
