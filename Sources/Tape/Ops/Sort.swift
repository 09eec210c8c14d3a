import CKernels

/// Sorting. NaN comes last (descending: first), equal elements keep their order.
func orderRow(_ s: Structural) -> Row {
  s == .sort ? sortRow : argsortRow
}

private func line(_ x: TensorType, _ a: [Int]) -> Inferred? {
  guard a[0] < 0, -a[0] <= x.rank else { return .fail(.shape, "axis \(a[0]) of rank \(x.rank)") }
  let n = x.shape[x.rank + a[0]]
  return n < Int(UInt32.max) ? nil : .fail(.memory, "\(n) elements along axis \(a[0]); fewer than 2^32 are sorted")
}

/// attrs: [axis, descending].
private let sortRow = Row(
  name: "sort",
  infer: { x, a in line(x[0], a) ?? .type(x[0]) },
  derivative: .custom(jvp: { t, y, tangents in
    guard let dx = tangents[0] else { return nil }
    let a = t.attrs(y), x = t.input(y, 0)
    return t.takeAlong(dx, t.argsort(x, axis: a[0], descending: a[1] != 0), axis: a[0])
  }, transpose: nil),
  scratch: { x, a, _ in ck_sort_scratch(x[0].dtype.rawValue, false, x[0].shape[x[0].rank + a[0]]) }
) { c in
  let (outer, n, inner) = around(c.type.shape, axis: c.attrs[0])
  guard c.type.count > 0, let scratch = c.scratch else { return c.type.count > 0 ? "sort: no scratch" : nil }
  ck_sort(c.type.dtype.rawValue, c.attrs[1] != 0, c.x[0], c.out, n, inner, scratch, 0, outer * inner)
  return nil
}

/// The first `count` places of the order; attrs: [axis, descending, count].
private let argsortRow = Row(
  name: "argsort",
  infer: { x, a in
    if let bad = line(x[0], a) { return bad }
    var s = x[0].shape
    let k = x[0].rank + a[0]
    guard a[2] >= 0, a[2] <= s[k] else { return .fail(.shape, "the first \(a[2]) of \(s[k]) elements") }
    s[k] = a[2]
    return .type(TensorType(.i64, s))
  },
  derivative: .zero,
  scratch: { x, a, _ in ck_sort_scratch(x[0].dtype.rawValue, true, x[0].shape[x[0].rank + a[0]]) }
) { c in
  let (outer, n, inner) = around(c.types[0].shape, axis: c.attrs[0])
  guard c.type.count > 0, let scratch = c.scratch else { return c.type.count > 0 ? "argsort: no scratch" : nil }
  ck_argsort(c.types[0].dtype.rawValue, c.attrs[1] != 0, c.x[0], c.out.assumingMemoryBound(to: Int64.self), n, c.attrs[2], inner, scratch, 0, outer * inner)
  return nil
}

extension Tape {
  package func argsort(_ x: NodeID, axis: Int, descending: Bool) -> NodeID {
    guard contains(x), shape(x).count + axis >= 0 else { return apply(.argsort, [x], [axis, 0, 0]) }
    return apply(.argsort, [x], [axis, descending ? 1 : 0, shape(x)[shape(x).count + axis]])
  }
  /// The k largest (smallest) along an axis, best first, and where they stand.
  package func topK(_ x: NodeID, _ k: Int, axis: Int, largest: Bool) -> (values: NodeID, indices: NodeID) {
    let at = apply(.argsort, [x], [axis, largest ? 1 : 0, k])
    return (at.isNone ? .none : takeAlong(x, at, axis: axis), at)
  }
  /// Which elements of x equal one of `set`'s.
  package func isIn(_ x: NodeID, _ set: NodeID) -> NodeID {
    guard contains(x), contains(set) else { return failure == nil ? fail(.node, "isin: an operand is not a node of this tape") : .none }
    guard dtype(x) == dtype(set) else { return fail(.dtype, "isin: dtypes \(dtype(x).name) and \(dtype(set).name) differ; cast one first") }
    let n = type(set).count
    if n == 0 { return full(type(x).with(.bool), 0) }
    let sorted = apply(.sort, [reshape(set, [n])], [-1, 0]), at = apply(.searchsorted, [sorted, x], [0, 0, 0])
    return equal(apply(.gather, [sorted, binary(.minimum, at, like(at, Double(n - 1)))], [-1, 0]), x)
  }
  /// Which elements along an axis equal an earlier one.
  package func duplicated(_ x: NodeID, axis: Int) -> NodeID {
    let order = argsort(x, axis: axis, descending: false)
    guard contains(order) else { return .none }
    let n = shape(x)[shape(x).count + axis]
    if n < 2 { return full(type(x).with(.bool), 0) }
    let s = takeAlong(x, order, axis: axis)
    let same = equal(slice(s, axis: axis, start: 1, count: n - 1), slice(s, axis: axis, start: 0, count: n - 1))
    let first = slice(like(same, 0), axis: axis, start: 0, count: 1)
    return takeAlong(concat([first, same], axis: axis), argsort(order, axis: axis, descending: false), axis: axis)
  }
  private func equal(_ x: NodeID, _ y: NodeID) -> NodeID {
    guard contains(x) else { return .none }
    return dtype(x) == .bool ? not(binary(.logical_xor, x, y)) : binary(.eq, x, y)
  }
}
