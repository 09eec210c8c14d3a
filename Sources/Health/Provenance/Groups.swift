import CKernels
import Tape

/// Which elements of its operands an element of a row's result is made of, for rows that are not elementwise; wholly, where the row says
/// nothing finer.
struct Groups {
  private enum Form { case moved([Int]), reduced(Int, extents: [Int], strides: [Int], kept: [Int], keptStrides: [Int]), line(n: Int, inner: Int), product, whole }
  private let t: Tape, n: NodeID, s: Structural?, y: Value, x: [Value]
  private let form: Form, interpreter: Interpreter

  init(_ t: Tape, _ n: NodeID, _ s: Structural?, _ y: Value, _ x: [Value], _ i: Interpreter) {
    (self.t, self.n, self.s, self.y, self.x, interpreter) = (t, n, s, y, x, i)
    let a = t.attrs(n)
    switch s {
    case .broadcast, .transpose, .slice, .pad, .roll: form = .moved([0])
    case .concat: form = .moved(Array(x.indices))
    case .gather, .dynamicSlice: form = .moved([0])
    case .scatterSet: form = .moved([0, 2])
    case .dynamicUpdate: form = .moved([0, 1])
    case .sum, .prod, .max, .min, .logsumexp, .norm:
      let shape = x[0].type.shape, all = strides(shape), gone = Set(a.map { shape.count + $0 })
      let axes = shape.indices.filter { gone.contains($0) }, rest = shape.indices.filter { !gone.contains($0) }
      form = .reduced(axes.reduce(1) { $0 * shape[$1] }, extents: axes.map { shape[$0] }, strides: axes.map { all[$0] }, kept: rest.map { shape[$0] }, keptStrides: rest.map { all[$0] })
    case .softmax, .cumsum, .cumprod, .cummax, .cummin, .cumlogsumexp, .sort, .recurrence:
      let (_, m, inner) = around(y.type.shape, axis: a[0])
      form = .line(n: m, inner: inner)
    case .matmul: form = .product
    default: form = .whole
    }
  }

  /// Elements of operand k that element i reads.
  private func each(_ i: Int, _ k: Int, _ body: (Int) -> Bool) {
    switch form {
    case .reduced(let count, let extents, let steps, let kept, let keptSteps):
      var at = 0, rest = i
      for d in kept.indices.reversed() {
        at += rest % kept[d] * keptSteps[d]
        rest /= kept[d]
      }
      for j in 0 ..< count {
        var p = at, q = j
        for d in extents.indices.reversed() {
          p += q % extents[d] * steps[d]
          q /= extents[d]
        }
        if !body(p) { return }
      }
    case .line(let m, let inner):
      let start = i / (m * inner) * m * inner + i % inner
      for j in 0 ..< m { if !body(start + j * inner) { return } }
    case .product:
      guard k < 2 else { return }
      let a = t.attrs(n), sa = x[0].type.shape, sb = x[1].type.shape, rows = y.type.shape[y.type.rank - 2], columns = y.type.shape[y.type.rank - 1]
      let depth = sa[sa.count - 1 - a[0]], cell = i % (rows * columns), batch = i / (rows * columns)
      let r = cell / columns, c = cell % columns
      if k == 0 {
        let base = sa.count > 2 ? batch * rows * depth : 0
        for j in 0 ..< depth { if !body(base + (a[0] != 0 ? j * rows + r : r * depth + j)) { return } }
      } else {
        let base = sb.count > 2 ? batch * depth * columns : 0
        for j in 0 ..< depth { if !body(base + (a[1] != 0 ? c * depth + j : j * columns + c)) { return } }
      }
    default:
      for j in 0 ..< x[k].type.count { if !body(j) { return } }
    }
  }

  /// The earliest NaN and the earliest infinity among what element i reads of operand k.
  private func earliest(_ i: Int, _ k: Int) -> (nan: Int64, inf: Int64) {
    guard let m = x[k].marks else { return (0, 0) }
    var nan: Int64 = 0, inf: Int64 = 0
    each(i, k) { j in
      let id = m.p[j]
      if id == 0 { return true }
      if x[k].number(j).isNaN { if nan == 0 || id < nan { nan = id } } else if inf == 0 || id < inf { inf = id }
      return true
    }
    return (nan, inf)
  }

  /// Gives the elements of the result that are not finite the marks of what they come from.
  func fill(_ marks: Marks) throws(Failure) -> Groups {
    if !x.contains(where: { $0.marks != nil }) { return self }
    if case .moved(let slots) = form {
      // The same movement, of the marks.
      var ids = x
      for k in slots {
        let v: Value
        if let m = x[k].marks {
          v = Value(x[k].type.with(.i64), at: UnsafeMutableRawPointer(m.p), of: m)
        } else {
          let zeros = try Marks(x[k].type.count)
          v = Value(x[k].type.with(.i64), at: UnsafeMutableRawPointer(zeros.p), of: zeros)
        }
        ids[k] = v
      }
      if let s { try interpreter.apply(s, ids, t.attrs(n), Value(y.type.with(.i64), at: UnsafeMutableRawPointer(marks.p), of: marks)) }
      return self
    }
    // By group rather than by element: lines, rows and columns are read once.
    var cache: [Int: (nan: Int64, inf: Int64)] = [:]
    for i in 0 ..< marks.count {
      let v = y.number(i)
      if v.isFinite { continue }
      var id: Int64 = 0
      for k in x.indices where x[k].marks != nil {
        let key = group(i, k) * max(x.count, 1) + k
        let e: (nan: Int64, inf: Int64)
        if let known = cache[key] { e = known } else {
          e = earliest(i, k)
          cache[key] = e
        }
        let m = v.isNaN ? e.nan : e.inf
        if m != 0, id == 0 || m < id { id = m }
      }
      marks.p[i] = id
    }
    return self
  }

  private func group(_ i: Int, _ k: Int) -> Int {
    switch form {
    case .line(let m, let inner): return i / (m * inner) * inner + i % inner
    case .product:
      let rows = y.type.shape[y.type.rank - 2], columns = y.type.shape[y.type.rank - 1]
      return k == 0 ? i / columns : i / (rows * columns) * columns + i % columns
    case .whole: return 0
    default: return i
    }
  }

  /// Of each operand the element that tells most: an infinity, else the largest.
  func representatives(_ i: Int) -> [(Int, Int)] {
    if case .product = form, let j = factor(i) { return j }
    var list: [(Int, Int)] = []
    for k in x.indices where x[k].type.count > 0 {
      var best = -1, size = -1.0
      each(i, k) { j in
        let v = abs(x[k].number(j))
        if v > size || best < 0 { (best, size) = (j, v) }
        return size < .infinity
      }
      if best >= 0 { list.append((k, best)) }
      if case .reduced = form, y.number(i).isNaN, k == 0, best >= 0, size == .infinity {
        // The infinity of the other sign.
        let sign = x[0].number(best).sign
        each(i, 0) { j in
          let v = x[0].number(j)
          if v.isInfinite, v.sign != sign { list.append((0, j)); return false }
          return true
        }
      }
    }
    return list
  }

  /// The first pair of a product's entries that is an infinity times zero, or the largest.
  private func factor(_ i: Int) -> [(Int, Int)]? {
    var left: [Int] = [], right: [Int] = []
    each(i, 0) { left.append($0); return true }
    each(i, 1) { right.append($0); return true }
    var best = -1, size = -1.0
    for p in left.indices {
      let v = x[0].number(left[p]) * x[1].number(right[p])
      if v.isNaN { return [(0, left[p]), (1, right[p])] }
      if abs(v) > size { (best, size) = (p, abs(v)) }
    }
    return best < 0 ? nil : [(0, left[best]), (1, right[best])]
  }

  func kind(_ v: Double) -> BirthKind {
    let hasInf = x.contains { $0.marks != nil }
    switch s {
    case .sum, .cumsum, .logsumexp, .cumlogsumexp, .softmax: return v.isNaN && hasInf ? .infMinusInf : .overflow
    case .prod, .cumprod: return v.isNaN && hasInf ? .zeroTimesInf : .overflow
    case .max, .min, .segmentMax, .segmentMin: return .empty
    case .matmul, .conv, .recurrence, .scatterAdd, .segmentProd:
      if !v.isNaN { return .overflow }
      guard hasInf else { return .overflow }
      for k in x.indices where x[k].type.dtype.isFloat && x[k].marks == nil {
        for j in 0 ..< x[k].type.count where x[k].number(j) == 0 { return s == .scatterAdd ? .infMinusInf : .zeroTimesInf }
      }
      return .infMinusInf
    case .cholesky, .solve, .triangularSolve, .lu, .qr, .eigh, .eigvalsh, .svd, .svdvals, .det, .slogdet, .cofactor, .pinv, .sqrtm, .sylvester, .solveBanded: return .singular
    case .host: return .host
    default: return v.isNaN ? .domain : .overflow
    }
  }
}
