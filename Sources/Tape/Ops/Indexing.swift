import CKernels

func indexRow(_ s: Structural) -> Row { s == .gather ? gatherRow : scatterRow }

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
) { c in
  let b = c.attrs[1], axis = c.types[0].rank + c.attrs[0], s = c.types[0].shape
  let m = c.types[1].shape[b...].reduce(1, &*)
  let at = ck_gather(c.type.dtype.size, c.x[0], c.types[1].dtype.rawValue, c.x[1], c.out,
                     s[..<b].reduce(1, &*), s[b ..< axis].reduce(1, &*), s[axis], m, s[(axis + 1)...].reduce(1, &*))
  return at < 0 ? nil : "gather: index at position \(at) lies outside the \(s[axis]) along axis \(axis) of shape \(text(s))"
}

/// Zeros with updates added: indices [batch…, index…], updates [batch…, outer…, index…, inner…]; attrs: [axis of the result from the
/// end, number of batch axes, extent n]. Linear in the updates.
private let scatterRow = Row(
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
  scratch: { _, _, out in out.dtype.isHalf ? out.count * 4 : 0 }
) { c in
  let b = c.attrs[1], axis = c.type.rank + c.attrs[0], s = c.type.shape
  let at = ck_scatter_add(c.type.dtype.rawValue, c.types[0].dtype.rawValue, c.x[0], c.x[1], c.out, c.scratch?.assumingMemoryBound(to: Float.self),
                          s[..<b].reduce(1, &*), s[b ..< axis].reduce(1, &*), s[axis], c.types[0].shape[b...].reduce(1, &*), s[(axis + 1)...].reduce(1, &*))
  return at < 0 ? nil : "scatter_add: index at position \(at) lies outside the \(s[axis]) along axis \(axis) of shape \(text(s))"
}

extension Tape {
  /// x with a new leading axis of `size` equal slices.
  package func addLeading(_ x: NodeID, _ size: Int) -> NodeID {
    guard contains(x) else { return .none }
    return broadcast(x, to: [size] + shape(x))
  }

  package func gather(_ x: NodeID, _ indices: NodeID, axis: Int) -> NodeID { apply(.gather, [x, indices], [axis, 0]) }

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
