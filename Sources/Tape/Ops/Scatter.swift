package import CKernels

/// Elements put where indices say. Functional updates: the operand stays what it was.
func scatterRow(_ s: Structural) -> Row {
  switch s {
  case .scatterSet: setRow
  case .segmentProd: segment("segment_prod", .prod, prodDerivative)
  case .segmentMax: segment("segment_max", .max, extremum)
  case .segmentMin: segment("segment_min", .min, extremum)
  case .dynamicSlice: dynamicSliceRow
  default: dynamicUpdateRow
  }
}

/// batch, outer, n, m, inner of an array [batch…, outer…, n, inner…] with indices [batch…, index…].
private func table(_ x: TensorType, _ axis: Int, _ b: Int, _ index: TensorType) -> [Int] {
  let s = x.shape, k = s.count + axis
  return [s[..<b].reduce(1, &*), s[b ..< k].reduce(1, &*), s[k], index.shape[b...].reduce(1, &*), s[(k + 1)...].reduce(1, &*)]
}
private func outside(_ name: String, _ at: Int64, _ s: [Int], _ axis: Int) -> String? {
  at < 0 ? nil : "\(name): index at position \(at) lies outside the \(s[s.count + axis]) along axis \(s.count + axis) of shape \(text(s))"
}

/// x [batch…, outer…, n, inner…], indices [batch…, index…], updates [batch…, outer…, index…, inner…]; attrs: [axis of x from the end,
/// number of batch axes]. Where indices repeat, the last update stays. Linear in x and updates.
private let setRow = Row(
  name: "scatter_set",
  infer: { x, a in
    let (t, i, u, b, k) = (x[0], x[1], x[2], a[1], x[0].rank + a[0])
    guard i.dtype.isInteger else { return .fail(.dtype, "indices are i64 or i32, not \(i.dtype.name)") }
    guard t.dtype == u.dtype else { return .fail(.dtype, "dtypes \(t.dtype.name) and \(u.dtype.name) differ; cast one first") }
    guard k >= b, k < t.rank, i.rank >= b, t.shape.prefix(b) == i.shape.prefix(b) else {
      return .fail(.shape, "axis \(a[0]) of shape \(text(t.shape)) with indices of shape \(text(i.shape))")
    }
    let wanted = Array(t.shape[..<k]) + Array(i.shape[b...]) + Array(t.shape[(k + 1)...])
    guard u.shape == wanted else { return .fail(.shape, "updates of shape \(text(u.shape)), not \(text(wanted)), for shape \(text(t.shape)) and indices \(text(i.shape))") }
    return .type(t)
  },
  derivative: .linear { t, y, ct, slot in
    let a = t.attrs(y), i = t.input(y, 1), u = t.type(t.input(y, 2)).with(t.dtype(ct))
    if slot == 0 { return t.apply(.scatterSet, [ct, i, t.full(u, 0)], a) }
    if slot == 1 { return .none }
    let taken = t.apply(.gather, [ct, i], a)
    guard let stays = t.lastOnes(i, t.shape(y), a) else { return taken }
    let k = t.shape(y).count + a[0], b = a[1], s = t.shape(i)
    let lined = t.reshape(stays, Array(s.prefix(b)) + [Int](repeating: 1, count: k - b) + Array(s.dropFirst(b)) + [Int](repeating: 1, count: -a[0] - 1))
    let mask = t.broadcast(lined, to: u.shape)
    return t.dtype(ct) == .bool ? t.and(mask, taken) : t.select(mask, taken, t.zeros(taken))
  },
  batching: .custom { t, n, ops, x, size in
    let a = t.attrs(n), shared = ops[1] == nil && a[1] == 0
    return t.apply(.scatterSet, x.indices.map { $0 == 1 && shared ? x[1] : ops[$0] ?? t.addLeading(x[$0], size) }, [a[0], a[1] + (shared ? 0 : 1)])
  },
  geometry: { x, a, _ in table(x[0], a[0], a[1], x[1]) }
) { c in
  let g = c.geometry
  c.out.copyMemory(from: c.x[0], byteCount: c.type.bytes)
  return outside("scatter_set", ck_scatter_set(c.type.dtype.size, c.types[1].dtype.rawValue, c.x[1], c.x[2], c.out, g[0], g[1], g[2], g[3], g[4]), c.type.shape, c.attrs[0])
}

/// indices [batch…, index…], updates [batch…, outer…, index…, inner…]; attrs: [axis of the result from the end, number of batch axes, n].
private func segment(_ name: String, _ op: Reduction, _ derivative: Derivative) -> Row {
  Row(name: name, infer: scatterAddRow.infer, derivative: derivative,
      batching: .custom { t, n, ops, x, size in
        let a = t.attrs(n), s: Structural = op == .prod ? .segmentProd : op == .max ? .segmentMax : .segmentMin
        if ops[0] == nil, a[1] == 0 { return t.apply(s, [x[0], ops[1] ?? x[1]], a) }
        return t.apply(s, [ops[0] ?? t.addLeading(x[0], size), ops[1] ?? t.addLeading(x[1], size)], [a[0], a[1] + 1, a[2]])
      },
      scratch: { _, _, out in out.dtype.isHalf ? out.count * 4 : 0 },
      geometry: { x, a, out in table(out, a[0], a[1], x[0]) },
      kernel: { c in
        let g = c.geometry, d = c.type.dtype
        if d.isHalf, c.type.count > 0, c.scratch == nil { return "\(name): no scratch" }
        let sums = d.isHalf ? c.scratch?.assumingMemoryBound(to: Float.self) : nil
        return outside(name, ck_segment(op, d.rawValue, c.types[0].dtype.rawValue, c.x[0], c.x[1], c.out, sums, g[0], g[1], g[2], g[3], g[4]), c.type.shape, c.attrs[0])
      })
}

/// Where the extremum of the segment is reached; ties share it.
private let extremum = Derivative.custom(jvp: { t, y, tangents in
  guard let du = tangents[1] else { return nil }
  let a = t.attrs(y), i = t.input(y, 0), u = t.input(y, 1), back = [a[0], a[1]]
  let hit = t.binary(.eq, u, t.apply(.gather, [y, i], back))
  let count = t.apply(.gather, [t.apply(.scatterAdd, [i, t.cast(hit, t.dtype(u))], a), i], back)
  guard let g = t.product(.gated(hit, t.unary(.reciprocal, count)), du) else { return nil }
  return Masked(t.apply(.scatterAdd, [i, g.value], a), g.mask.map { t.apply(.scatterAdd, [i, $0], a) })
}, transpose: nil)

/// The updates in the order of their segments, multiplied up as a recurrence that begins anew with each: right at zeros, to every order.
private let prodDerivative = Derivative.custom(jvp: { t, y, tangents in
  guard let du = tangents[1], du.value != .none else { return nil }
  let a = t.attrs(y), u = t.input(y, 1), g = table(t.type(y), a[0], a[1], t.type(t.input(y, 0)))
  let (batch, outer, n, m, inner) = (g[0], g[1], g[2], g[3], g[4])
  if t.type(u).count == 0 || t.type(y).count == 0 { return nil }
  let raw = t.cast(t.reshape(t.input(y, 0), [batch, m]), .i64), i = t.select(t.binary(.lt, raw, t.zeros(raw)), t.add(raw, t.like(raw, Double(n))), raw)
  let order = t.argsort(i, axis: -1, descending: false), sorted = t.apply(.gather, [i, order], [-1, 1])
  func over(_ mask: NodeID) -> NodeID {   // [batch, m] to [batch, outer, m, inner]
    t.broadcast(t.reshape(mask, [batch, 1, t.shape(mask)[1], 1]), to: [batch, outer, t.shape(mask)[1], inner])
  }
  guard t.contains(sorted) else { return nil }
  let begins = over(t.binary(.ne, sorted, t.shifted(sorted, [-1, 0], -1)))
  let v = t.apply(.gather, [t.reshape(u, [batch, outer, m, inner]), order], [-2, 1])
  let p = t.apply(.recurrence, [t.select(begins, t.zeros(v), v), t.select(begins, v, t.zeros(v))], [-2, 0])
  let counts = t.apply(.scatterAdd, [i, t.like(i, 1)], [-1, 0 + 1, n]), ends = t.apply(.cumsum, [counts], [-1, 0])
  let last = t.binary(.maximum, t.sub(ends, t.like(ends, 1)), t.zeros(ends))
  let taken = t.apply(.gather, [p, last], [-2, 1])
  let full = t.select(over(t.binary(.gt, counts, t.zeros(counts))), taken, t.like(taken, 1))
  guard t.contains(full) else { return nil }
  return t.forward([t.reshape(full, t.shape(y))], [u: du])[0]
}, transpose: nil)

// MARK: slices that begin where a node says

private func starts(_ i: TensorType, _ x: TensorType, _ b: Int, _ k: Int) -> Inferred? {
  guard i.dtype.isInteger else { return .fail(.dtype, "the start is i64 or i32, not \(i.dtype.name)") }
  guard i.shape == Array(x.shape.prefix(b)) + [k], b + k <= x.rank else { return .fail(.shape, "a start of shape \(text(i.shape)) for shape \(text(x.shape)); one number an axis is wanted") }
  return nil
}

/// Where a slice of `sizes` begins in its last axes: negative starts count from the end, then all are moved inside.
private func offset(_ c: borrowing Call, _ operand: Int, _ item: Int, _ extents: ArraySlice<Int>, _ sizes: ArraySlice<Int>, _ steps: ArraySlice<Int>) -> Int {
  let k = extents.count, wide = c.types[operand].dtype == .i64
  var sum = 0
  for i in 0 ..< k {
    let at = item * k + i, n = extents[extents.startIndex + i], size = sizes[sizes.startIndex + i]
    var s = wide ? Int(c.input(operand, as: Int64.self)[at]) : Int(c.input(operand, as: Int32.self)[at])
    if s < 0 { s = s &+ n }
    sum += min(max(s, 0), n - size) * steps[steps.startIndex + i]
  }
  return sum
}

/// x [batch…, outer…, last…], start [batch…, k]; attrs: [number of batch axes, sizes of the last k axes…].
private let dynamicSliceRow = Row(
  name: "dynamic_slice",
  infer: { x, a in
    let k = a.count - 1, tail = x[0].shape.suffix(k)
    if let bad = starts(x[1], x[0], a[0], k) { return bad }
    guard zip(tail, a.dropFirst()).allSatisfy({ $1 >= 0 && $1 <= $0 }) else { return .fail(.shape, "sizes \(text(a.dropFirst())) of an array of shape \(text(x[0].shape))") }
    return .type(x[0].with(shape: x[0].shape.dropLast(k) + a.dropFirst()))
  },
  derivative: .linear { t, y, ct, slot in
    guard slot == 0 else { return .none }
    let a = t.attrs(y)
    return t.dynamicUpdate(t.full(t.type(t.input(y, 0)).with(t.dtype(ct)), 0), ct, t.input(y, 1), batch: a[0])
  },
  batching: .custom { t, n, ops, x, size in
    var a = t.attrs(n)
    if ops[1] == nil, a[0] == 0 { return t.apply(.dynamicSlice, [ops[0] ?? x[0], x[1]], a) }
    a[0] += 1
    return t.apply(.dynamicSlice, [ops[0] ?? t.addLeading(x[0], size), ops[1] ?? t.addLeading(x[1], size)], a)
  },
  // An item's elements in x and in the result, then extents, sizes and steps of the last axes, then the copy of one item.
  geometry: { x, a, out in
    let b = a[0], k = a.count - 1, from = Array(x[0].shape.dropFirst(b)), to = Array(out.shape.dropFirst(b)), s = strides(from)
    return [from.reduce(1, &*), to.reduce(1, &*), k] + from.suffix(k) + to.suffix(k) + s.suffix(k) + Copy(to, from: s, to: strides(to)).numbers
  }
) { c in
  let g = c.geometry, k = g[2], size = c.type.dtype.size
  if c.type.count == 0 { return nil }
  for item in 0 ..< c.type.count / g[1] {
    let at = offset(c, 1, item, g[3 ..< 3 + k], g[(3 + k) ..< (3 + 2 * k)], g[(3 + 2 * k) ..< (3 + 3 * k)])
    Copy.run(g, from: 3 + 3 * k, rank: c.type.rank - c.attrs[0], size: size, c.x[0] + (item * g[0] + at) * size, c.out + item * g[1] * size)
  }
  return nil
}

/// x with an update written over it: x [batch…, outer…, last…], update [batch…, outer…, sizes…], start [batch…, k]; attrs: [number of batch
/// axes, k]. Linear in x and the update.
private let dynamicUpdateRow = Row(
  name: "dynamic_update",
  infer: { x, a in
    let k = a[1], (t, u) = (x[0], x[1])
    guard t.dtype == u.dtype else { return .fail(.dtype, "dtypes \(t.dtype.name) and \(u.dtype.name) differ; cast one first") }
    if let bad = starts(x[2], t, a[0], k) { return bad }
    guard u.rank == t.rank, u.shape.dropLast(k) == t.shape.dropLast(k), zip(u.shape, t.shape).allSatisfy({ $0 <= $1 }) else {
      return .fail(.shape, "an update of shape \(text(u.shape)) of an array of shape \(text(t.shape))")
    }
    return .type(t)
  },
  derivative: .linear { t, y, ct, slot in
    let a = t.attrs(y), u = t.type(t.input(y, 1)), start = t.input(y, 2)
    if slot == 0 { return t.dynamicUpdate(ct, t.full(u.with(t.dtype(ct)), 0), start, batch: a[0]) }
    return slot == 1 ? t.dynamicSlice(ct, start, Array(u.shape.suffix(a[1])), batch: a[0]) : .none
  },
  batching: .custom { t, n, ops, x, size in
    let a = t.attrs(n), shared = ops[2] == nil && a[0] == 0
    return t.apply(.dynamicUpdate, x.indices.map { $0 == 2 && shared ? x[2] : ops[$0] ?? t.addLeading(x[$0], size) }, [a[0] + (shared ? 0 : 1), a[1]])
  },
  geometry: { x, a, out in
    let b = a[0], k = a[1], to = Array(out.shape.dropFirst(b)), from = Array(x[1].shape.dropFirst(b)), s = strides(to)
    return [to.reduce(1, &*), from.reduce(1, &*), k] + to.suffix(k) + from.suffix(k) + s.suffix(k) + Copy(from, from: strides(from), to: s).numbers
  }
) { c in
  let g = c.geometry, k = g[2], size = c.type.dtype.size
  c.out.copyMemory(from: c.x[0], byteCount: c.type.bytes)
  if c.types[1].count == 0 { return nil }
  for item in 0 ..< c.types[1].count / g[1] {
    let at = offset(c, 2, item, g[3 ..< 3 + k], g[(3 + k) ..< (3 + 2 * k)], g[(3 + 2 * k) ..< (3 + 3 * k)])
    Copy.run(g, from: 3 + 3 * k, rank: c.type.rank - c.attrs[0], size: size, c.x[1] + item * g[1] * size, c.out + (item * g[0] + at) * size)
  }
  return nil
}

extension Tape {
  /// The numbers of a constant array of integers; nil where it is none.
  func constants(_ n: NodeID) -> [Int]? {
    guard contains(n), dtype(n).isInteger, type(n).count <= 1 << 20 else { return nil }
    if let c = uniformConstant(n) { return [Int](repeating: Int(truncatingIfNeeded: Int64(bitPattern: constantBits(c))), count: type(n).count) }
    switch structural(n) {
    case .capture: return parent?.constants(NodeID(record(n).a))
    case .reshape: return constants(input(n, 0))
    case .array: break
    default: return nil
    }
    let p = arrays[Int(record(n).a)].data, wide = dtype(n) == .i64
    return (0 ..< type(n).count).map { wide ? Int(p.load(fromByteOffset: 8 * $0, as: Int64.self)) : Int(p.load(fromByteOffset: 4 * $0, as: Int32.self)) }
  }

  /// Which of the indices are not overruled by a later equal one, of the indices' shape; nil where all stand.
  func lastOnes(_ i: NodeID, _ s: [Int], _ a: [Int]) -> NodeID? {
    let n = s[s.count + a[0]], b = a[1], index = shape(i)
    if type(i).count < 2 { return nil }
    if b == 0, let list = constants(i), Set(list.map { $0 < 0 ? $0 &+ n : $0 }).count == list.count { return nil }
    let batch = Array(index.prefix(b)), m = index.dropFirst(b).reduce(1, &*)
    let place = reshape(iota(TensorType(.i64, batch + [m]), axis: -1), index)
    let last = apply(.scatterSet, [full(TensorType(.i64, batch + [n]), 0), i, place], [-1, b])
    return binary(.eq, apply(.gather, [last, i], [-1, b]), place)
  }

  /// Where `start` is known, as a static slice.
  package func dynamicSlice(_ x: NodeID, _ start: NodeID, _ sizes: [Int], batch: Int = 0) -> NodeID {
    if batch == 0, contains(x), let at = inside(start, Array(shape(x).suffix(sizes.count)), sizes) {
      return apply(.slice, [x], sizes.indices.flatMap { [at[$0], sizes[$0], 1] })
    }
    return apply(.dynamicSlice, [x, start], [batch] + sizes)
  }

  package func dynamicUpdate(_ x: NodeID, _ u: NodeID, _ start: NodeID, batch: Int = 0) -> NodeID {
    guard contains(x), contains(u), contains(start), let k = shape(start).last else {
      return failure == nil ? fail(contains(start) && contains(x) && contains(u) ? .shape : .node, "dynamic_update: an operand is not a node of this tape, or the start is a scalar") : .none
    }
    let s = Array(shape(x).suffix(k)), sizes = Array(shape(u).suffix(k))
    if batch == 0, isUniform(x, 0), uniformConstant(x).map({ !dtype($0).isFloat || constantBits($0) == 0 }) == true, type(x).dtype == type(u).dtype,
       shape(x).count == shape(u).count, shape(x).dropLast(k) == shape(u).dropLast(k), let at = inside(start, s, sizes) {
      return apply(.pad, [u], sizes.indices.flatMap { [at[$0], s[$0] - sizes[$0] - at[$0], 0] })
    }
    return apply(.dynamicUpdate, [x, u, start], [batch, k])
  }

  private func inside(_ start: NodeID, _ extents: [Int], _ sizes: [Int]) -> [Int]? {
    guard shape(start) == [extents.count], sizes.count == extents.count, zip(sizes, extents).allSatisfy({ $0 >= 0 && $0 <= $1 }), let list = constants(start) else { return nil }
    return list.indices.map { min(max(list[$0] < 0 ? list[$0] &+ extents[$0] : list[$0], 0), extents[$0] - sizes[$0]) }
  }

  /// `op` of x and updates at indices along `axis`, every one of those that repeat.
  package func scatter(_ s: Structural, _ op: Binary, _ x: NodeID, _ indices: NodeID, _ updates: NodeID, axis: Int) -> NodeID {
    let name = "scatter_\(s == .segmentProd ? "mul" : s == .segmentMax ? "max" : "min")"
    guard contains(x), contains(updates), contains(indices), -axis <= shape(x).count else { return failure == nil ? fail(.node, "\(name): an operand is not a node of this tape") : .none }
    // The set row's rule holds here too.
    if case .fail(let code, let why) = row(.scatterSet).infer([type(x), type(indices), type(updates)], [axis, 0]) {
      return fail(code, "\(name): \(why)")
    }
    return binary(op, x, apply(s, [indices, updates], [axis, 0, shape(x)[shape(x).count + axis]]))
  }

  /// Of data [index…, inner…] what stands in each of `count` segments: [count, inner…].
  package func segment(_ s: Structural, _ data: NodeID, _ segments: NodeID, count: Int) -> NodeID {
    let name = s == .scatterAdd ? "segment_sum" : row(s).name
    guard contains(data), contains(segments) else { return failure == nil ? fail(.node, "\(name): an operand is not a node of this tape") : .none }
    let k = shape(segments).count
    guard dtype(segments).isInteger else { return fail(.dtype, "\(name): segments are i64 or i32, not \(dtype(segments).name)") }
    guard k <= shape(data).count, Array(shape(data).prefix(k)) == shape(segments), count >= 0 else {
      return fail(.shape, "\(name): data of shape \(text(shape(data))), segments of shape \(text(shape(segments))), \(count) of them")
    }
    guard TensorType(dtype(data), checking: [count] + shape(data).dropFirst(k)) != nil else { return fail(.memory, "\(name): \(count) segments of data of shape \(text(shape(data)))") }
    return apply(s, [segments, data], [-(shape(data).count - k) - 1, 0, count])
  }

  /// How often each of 0 ..< length stands among x, or the sum of the weights there.
  package func bincount(_ x: NodeID, weights: NodeID?, length: Int) -> NodeID {
    guard contains(x), weights.map(contains) ?? true else { return failure == nil ? fail(.node, "bincount: an operand is not a node of this tape") : .none }
    guard dtype(x).isInteger else { return fail(.dtype, "bincount: takes i64 or i32, not \(dtype(x).name)") }
    let w = weights ?? full(type(x).with(.i64), 1)
    guard shape(w) == shape(x) else { return fail(.shape, "bincount: weights of shape \(text(shape(w))) for shape \(text(shape(x)))") }
    return segment(.scatterAdd, w, x, count: length)
  }
}
