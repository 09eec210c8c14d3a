import CKernels

func indexRow(_ s: Structural) -> Row { s == .gather ? gatherRow : scatterAddRow }

/// x [batch…, outer…, n, inner…], indices [batch…, index…]; attrs: [axis of x from the end, number of batch axes].
/// Result [batch…, outer…, index…, inner…].
private let gatherRow = Row(
  name: "gather",
  infer: { x, a in
    let (t, i, axis, b) = (x[0], x[1], x[0].rank + a[0], a[1])
    guard i.dtype.isInteger else { return .fail(.dtype, "indices are i64 or i32, not \(i.dtype.name)") }
    guard axis >= b, axis < t.rank, i.rank >= b, t.shape.prefix(b) == i.shape.prefix(b) else {
      return .fail(.shape, "axis \(a[0]) of shape \(text(t.shape)) with indices of shape \(text(i.shape))")
    }
    let shape: [Int] = Array(t.shape[..<axis]) + Array(i.shape[b...]) + Array(t.shape[(axis + 1)...])
    guard let r = TensorType(t.dtype, checking: shape) else { return .fail(.memory, "the result is too large") }
    return .type(r)
  },
  derivative: .linear { t, y, ct, slot in
    guard slot == 0 else { return .none }
    let x = t.shape(t.input(y, 0)), a = t.attrs(y)
    return t.apply(.scatterAdd, [t.input(y, 1), ct], [a[0], a[1], x[x.count + a[0]]])
  },
  batching: .custom { t, n, ops, x, size in
    let a = t.attrs(n)
    if ops[1] == nil, a[1] == 0 { return t.apply(.gather, [ops[0] ?? x[0], x[1]], a) }
    let index = ops[1] ?? t.addLeading(x[1], size)
    if ops[0] == nil, a[1] == 0 {
      // The new axis arrives among the indices' axes: behind the outer ones; bring it to the front.
      let y = t.apply(.gather, [x[0], index], a), outer = t.shape(x[0]).count + a[0]
      return t.transpose(y, [outer] + (0 ..< outer) + ((outer + 1) ..< t.shape(y).count))
    }
    return t.apply(.gather, [ops[0] ?? t.addLeading(x[0], size), index], [a[0], a[1] + 1])
  }
,
  geometry: { x, a, _ in indexed(x[0], a, x[1]) }
) { c in
  let g = c.geometry
  let at = ck_gather(g[5], c.x[0], Int32(g[6]), c.x[1], c.out, g[0], g[1], g[2], g[3], g[4])
  return at < 0 ? nil : outside("gather", at, c.types[0].shape, c.attrs[0])
}

/// What the kernels read of an array [batch…, outer…, n, inner…] and indices [batch…, m…]: batch, outer, n, m, inner, the element's
/// size, the indices' dtype.
private func indexed(_ x: TensorType, _ a: [Int], _ index: TensorType) -> [Int] {
  let s = x.shape, b = a[1], axis = s.count + a[0]
  return [s[..<b].reduce(1, &*), s[b ..< axis].reduce(1, &*), s[axis], index.shape[b...].reduce(1, &*), s[(axis + 1)...].reduce(1, &*), x.dtype.size, Int(index.dtype.rawValue)]
}
private func outside(_ name: String, _ at: Int64, _ s: [Int], _ axis: Int) -> String {
  "\(name): index at position \(at) lies outside the \(s[s.count + axis]) along axis \(s.count + axis) of shape \(text(s))"
}

/// Zeros with updates added: indices [batch…, index…], updates [batch…, outer…, index…, inner…]; attrs: [axis of the result from the
/// end, number of batch axes, extent n]. Linear in the updates.
let scatterAddRow = Row(
  name: "scatter_add",
  infer: { x, a in
    let (i, u, b) = (x[0], x[1], a[1])
    let inner = -a[0] - 1, k = i.rank - b, outer = u.rank - inner - k
    guard i.dtype.isInteger else { return .fail(.dtype, "indices are i64 or i32, not \(i.dtype.name)") }
    let sound = k >= 0 && inner >= 0 && outer >= b && a[2] >= 0
    guard sound, u.shape.prefix(b) == i.shape.prefix(b), Array(u.shape[outer ..< outer + k]) == Array(i.shape.suffix(k)) else {
      return .fail(.shape, "updates of shape \(text(u.shape)) do not fit indices of shape \(text(i.shape))")
    }
    let shape: [Int] = Array(u.shape[..<outer]) + [a[2]] + Array(u.shape.suffix(inner))
    guard let r = TensorType(u.dtype, checking: shape) else { return .fail(.memory, "the result is too large") }
    return .type(r)
  },
  derivative: .linear { t, y, ct, slot in
    slot == 0 ? .none : t.apply(.gather, [ct, t.input(y, 0)], Array(t.attrs(y).prefix(2)))
  },
  batching: .custom { t, n, ops, x, size in
    let a = t.attrs(n)
    if ops[0] == nil, a[1] == 0 { return t.apply(.scatterAdd, [x[0], ops[1] ?? x[1]], a) }
    return t.apply(.scatterAdd, [ops[0] ?? t.addLeading(x[0], size), ops[1] ?? t.addLeading(x[1], size)], [a[0], a[1] + 1, a[2]])
  },
  scratch: { _, _, out in out.dtype.isHalf ? out.count * 4 : 0 },
  geometry: { x, a, out in indexed(out, a, x[0]) }
) { c in
  let g = c.geometry
  let at = ck_scatter_add(c.type.dtype.rawValue, Int32(g[6]), c.x[0], c.x[1], c.out, c.scratch?.assumingMemoryBound(to: Float.self), g[0], g[1], g[2], g[3], g[4])
  return at < 0 ? nil : outside("scatter_add", at, c.type.shape, c.attrs[0])
}

extension Tape {
  /// x with a new leading axis of `size` equal slices.
  package func addLeading(_ x: NodeID, _ size: Int) -> NodeID {
    guard contains(x) else { return .none }
    return broadcast(x, to: [size] + shape(x))
  }

  package func gather(_ x: NodeID, _ indices: NodeID, axis: Int) -> NodeID {
    if contains(x), contains(indices), -axis <= shape(x).count, let k = turn(indices, shape(x)[shape(x).count + axis]) { return roll(x, axis: axis, by: k) }
    return apply(.gather, [x, indices], [axis, 0])
  }

  /// k where `indices` are the constants k, k + 1, … round the end of n; nil otherwise.
  private func turn(_ indices: NodeID, _ n: Int) -> Int? {
    guard failure == nil, shape(indices) == [n], n > 0 else { return nil }
    switch structural(indices) {
    case .capture: return parent?.turn(NodeID(record(indices).a), n)
    case .array: break
    default: return nil
    }
    let p = arrays[Int(record(indices).a)].data, wide = dtype(indices) == .i64
    guard wide || dtype(indices) == .i32 else { return nil }
    func at(_ i: Int) -> Int {
      let v = wide ? Int(p.load(fromByteOffset: 8 * i, as: Int64.self)) : Int(p.load(fromByteOffset: 4 * i, as: Int32.self))
      return v < 0 ? v &+ n : v
    }
    let k = at(0)
    guard k >= 0, k < n else { return nil }
    for i in 1 ..< n where at(i) != (i < n - k ? i + k : i + k - n) { return nil }
    return k
  }

  package func scatterAdd(_ x: NodeID, _ indices: NodeID, _ updates: NodeID, axis: Int) -> NodeID {
    guard contains(x), contains(updates), -axis <= shape(x).count else { return failure == nil ? fail(.node, "scatter_add: an operand is not a node of this tape") : .none }
    guard contains(indices) else { return failure == nil ? fail(.node, "scatter_add: the indices are not a node of this tape") : .none }
    guard dtype(indices).isInteger else { return fail(.dtype, "scatter_add: indices are i64 or i32, not \(dtype(indices).name)") }
    let s = shape(x), wanted = s.dropLast(-axis) + shape(indices) + s.suffix(-axis - 1)
    guard shape(updates) == Array(wanted) else {
      return fail(.shape, "scatter_add: updates of shape \(text(shape(updates))), not \(text(wanted)), for shape \(text(s)) and indices \(text(shape(indices)))")
    }
    guard dtype(updates) == dtype(x) else { return fail(.dtype, "scatter_add: dtypes \(dtype(x).name) and \(dtype(updates).name) differ; cast one first") }
    let added = apply(.scatterAdd, [indices, updates], [axis, 0, s[s.count + axis]])
    return added.isNone ? .none : add(x, added)
  }

  package func oneHot(_ indices: NodeID, depth: Int, _ d: DType) -> NodeID {
    guard contains(indices) else { return .none }
    guard dtype(indices).isInteger else { return fail(.dtype, "one_hot: indices are i64 or i32, not \(dtype(indices).name)") }
    guard let t = TensorType(dtype(indices), checking: shape(indices) + [depth]) else { return fail(.shape, "one_hot: depth \(depth)") }
    return cast(binary(.eq, iota(t, axis: -1), broadcast(reshape(indices, shape(indices) + [1]), to: t.shape)), d)
  }
}
