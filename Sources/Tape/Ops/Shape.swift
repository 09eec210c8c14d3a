import CKernels

/// Movement of elements. All are linear; attributes speak of trailing axes, so that a new leading axis leaves them as they are.
func shapeRow(_ s: Structural) -> Row {
  switch s {
  case .cast: castRow
  case .reshape: reshapeRow
  case .broadcast: broadcastRow
  case .transpose: transposeRow
  case .slice: sliceRow
  case .pad: padRow
  case .roll: rollRow
  default: concatRow
  }
}

/// attrs: [dtype].
private let castRow = Row(
  name: "cast",
  infer: { x, a in .type(x[0].with(DType(rawValue: Int32(a[0])) ?? .f64)) },
  derivative: .linear { t, y, ct, _ in
    let x = t.dtype(t.input(y, 0))
    return t.dtype(ct) == .bool ? ct : t.cast(ct, x)
  }, masks: .same
) { c in
  ck_cast_kernel(c.types[0].dtype.rawValue, c.type.dtype.rawValue)?(c.x[0], nil, nil, c.out, c.type.count)
  return nil
}

/// attrs: [k, extents…]: the last k axes become these.
private let reshapeRow = Row(
  name: "reshape",
  infer: { x, a in
    let head = x[0].shape.dropLast(a[0]), tail = x[0].shape.suffix(a[0])
    guard let t = TensorType(x[0].dtype, checking: Array(head) + Array(a.dropFirst())) else { return .fail(.shape, "shape \(text(a.dropFirst())) cannot exist") }
    guard t.count == x[0].count else { return .fail(.shape, "\(text(tail)) has \(tail.reduce(1, &*)) elements, \(text(a.dropFirst())) has \(a.dropFirst().reduce(1, &*))") }
    return .type(t)
  },
  derivative: .linear { t, y, ct, _ in
    let k = t.attrs(y)[0], x = t.shape(t.input(y, 0))
    return t.apply(.reshape, [ct], [t.attrs(y).count - 1] + x.suffix(k))
  }
) { c in
  c.out.copyMemory(from: c.x[0], byteCount: c.type.bytes)
  return nil
}

/// attrs: the extents of the last axes; where they differ from the operand's, that is 1.
private let broadcastRow = Row(
  name: "broadcast",
  infer: { x, a in
    guard x[0].rank >= a.count else { return .fail(.shape, "rank \(x[0].rank) is less than \(a.count)") }
    let tail = x[0].shape.suffix(a.count)
    guard zip(tail, a).allSatisfy({ $0 == $1 || $0 == 1 }) else { return .fail(.shape, "shape \(text(tail)) does not stretch to \(text(a))") }
    guard let t = TensorType(x[0].dtype, checking: x[0].shape.dropLast(a.count) + a) else { return .fail(.memory, "shape \(text(a)) is too large") }
    return .type(t)
  },
  derivative: .linear { t, y, ct, _ in
    let a = t.attrs(y), x = Array(t.shape(t.input(y, 0)).suffix(a.count))
    return t.sum(ct, axes: a.indices.filter { x[$0] != a[$0] }.map { $0 - a.count }, keep: true)
  },
  geometry: { x, _, out in
    let from = strides(x[0].shape)
    return Copy(out.shape, from: out.shape.indices.map { x[0].shape[$0] == 1 ? 0 : from[$0] }, to: strides(out.shape)).numbers
  }
) { c in move(c) }

/// attrs: a permutation of the last axes: out axis i is axis a[i].
private let transposeRow = Row(
  name: "transpose",
  infer: { x, a in
    guard a.sorted() == Array(a.indices), a.count <= x[0].rank else { return .fail(.shape, "\(text(a)) is no order of \(x[0].rank) axes") }
    let head = x[0].rank - a.count
    return .type(x[0].with(shape: x[0].shape.prefix(head) + a.map { x[0].shape[head + $0] }))
  },
  derivative: .linear { t, y, ct, _ in
    var inverse = t.attrs(y)
    for (i, p) in t.attrs(y).enumerated() { inverse[p] = i }
    return t.apply(.transpose, [ct], inverse)
  },
  geometry: { x, a, out in
    let head = out.rank - a.count, from = strides(x[0].shape)
    return Copy(out.shape, from: (0 ..< head).map { from[$0] } + a.map { from[head + $0] }, to: strides(out.shape)).numbers
  }
) { c in move(c) }

/// attrs: (start, extent, step) of each of the last axes.
private let sliceRow = Row(
  name: "slice",
  infer: { x, a in
    let k = a.count / 3, tail = Array(x[0].shape.suffix(k))
    for i in 0 ..< k {
      let (start, n, step) = (a[3 * i], a[3 * i + 1], a[3 * i + 2])
      let (span, over) = (n &- 1).multipliedReportingOverflow(by: step), last = start &+ span
      guard n == 0 || (n > 0 && start >= 0 && start < tail[i] && !over && span > -tail[i] && span < tail[i] && last >= 0 && last < tail[i]) else {
        return .fail(.shape, "axis \(i - k): \(n) elements from \(start) by \(step) leave the \(tail[i]) there are")
      }
    }
    return .type(x[0].with(shape: x[0].shape.dropLast(k) + (0 ..< k).map { a[3 * $0 + 1] }))
  },
  derivative: .linear { t, y, ct, _ in
    let a = t.attrs(y), k = a.count / 3, x = Array(t.shape(t.input(y, 0)).suffix(k))
    var pads: [Int] = [], down: [Int] = []
    for i in 0 ..< k {
      let (start, n, step) = (a[3 * i], a[3 * i + 1], a[3 * i + 2])
      if n == 0 { pads += [x[i], 0, 0]; continue }
      let last = start + (n - 1) * step
      if step < 0 { down.append(i - k) }
      pads += [min(start, last), x[i] - 1 - max(start, last), abs(step) - 1]
    }
    return t.apply(.pad, [t.reverse(ct, axes: down)], pads)
  },
  geometry: { x, a, out in
    let k = a.count / 3, head = out.rank - k, s = strides(x[0].shape)
    var offset = 0, from = Array(s.prefix(head))
    for i in 0 ..< k {
      if a[3 * i + 1] > 0 { offset += a[3 * i] * s[head + i] }
      from.append(a[3 * i + 2] &* s[head + i])   // where it overflows, one element is taken
    }
    return Copy(out.shape, from: from, to: strides(out.shape), source: offset).numbers
  }
) { c in move(c) }

/// attrs: (low, high, interior) zeros of each of the last axes.
private let padRow = Row(
  name: "pad",
  infer: { x, a in
    let k = a.count / 3, tail = Array(x[0].shape.suffix(k))
    var shape = Array(x[0].shape.dropLast(k))
    for i in 0 ..< k {
      guard a[3 * i] >= 0, a[3 * i + 1] >= 0, a[3 * i + 2] >= 0 else { return .fail(.shape, "axis \(i - k): negative padding") }
      guard a[3 * i + 2] < TensorType.countLimit else { return .fail(.memory, "axis \(i - k): \(a[3 * i + 2]) zeros between elements") }
      shape.append(padded(tail[i], a[3 * i], a[3 * i + 1], a[3 * i + 2]))
    }
    guard let t = TensorType(x[0].dtype, checking: shape) else { return .fail(.memory, "shape \(text(shape)) is too large") }
    return .type(t)
  },
  derivative: .linear { t, y, ct, _ in
    let a = t.attrs(y), k = a.count / 3, x = Array(t.shape(t.input(y, 0)).suffix(k))
    var cut: [Int] = []
    for i in 0 ..< k { cut += [a[3 * i], x[i], a[3 * i + 2] + 1] }
    return t.apply(.slice, [ct], cut)
  },
  geometry: { x, a, out in
    let k = a.count / 3, head = out.rank - k, s = strides(out.shape)
    var offset = 0, to = Array(s.prefix(head))
    for i in 0 ..< k {
      offset += a[3 * i] * s[head + i]
      to.append((a[3 * i + 2] &+ 1) &* s[head + i])
    }
    return Copy(x[0].shape, from: strides(x[0].shape), to: to, destination: offset).numbers
  }
) { c in
  var zero: UInt64 = 0
  ck_fill(c.type.dtype.size, &zero, c.out, c.type.count)
  return move(c)
}

func padded(_ n: Int, _ low: Int, _ high: Int, _ interior: Int) -> Int {
  let (inside, o1) = max(n - 1, 0).multipliedReportingOverflow(by: interior)
  let (a, o2) = n.addingReportingOverflow(inside)
  let (b, o3) = a.addingReportingOverflow(low)
  let (c, o4) = b.addingReportingOverflow(high)
  return o1 || o2 || o3 || o4 ? TensorType.countLimit &* 2 : c
}

/// attrs: [axis]. Any number of operands.
private let concatRow = Row(
  name: "concat",
  infer: { x, a in
    guard let first = x.first else { return .fail(.invalid, "needs at least one part") }
    let axis = first.rank + a[0]
    guard axis >= 0, axis < first.rank else { return .fail(.shape, "axis \(a[0]) of rank \(first.rank)") }
    var shape = first.shape
    for p in x.dropFirst() {
      guard p.dtype == first.dtype else { return .fail(.dtype, "dtypes \(first.dtype.name) and \(p.dtype.name) differ; cast one first") }
      guard p.rank == first.rank, p.shape.indices.allSatisfy({ $0 == axis || p.shape[$0] == first.shape[$0] }) else {
        return .fail(.shape, "shapes \(text(first.shape)) and \(text(p.shape)) do not fit along axis \(axis)")
      }
      shape[axis] += p.shape[axis]
    }
    guard let t = TensorType(first.dtype, checking: shape) else { return .fail(.memory, "shape \(text(shape)) is too large") }
    return .type(t)
  },
  derivative: .linear { t, y, ct, slot in
    let axis = t.attrs(y)[0], starts = t.partStarts(y)
    return t.slice(ct, axis: axis, start: starts[slot], count: starts[slot + 1] - starts[slot])
  },
  // outer, bytes of a row of the result, then bytes of a row of each part.
  geometry: { x, a, out in
    let (outer, n, inner) = around(out.shape, axis: a[0]), size = out.dtype.size
    return [outer, n * inner * size] + x.map { $0.shape[$0.rank + a[0]] * inner * size }
  }
) { c in
  let g = c.geometry, outer = g[0], row = g[1]
  var done = 0
  for i in 2 ..< g.count {
    let bytes = g[i], part = c.x[i - 2], to = c.out + done
    if bytes == 8 {
      for o in 0 ..< outer { (to + o * row).storeBytes(of: (part + o * 8).loadUnaligned(as: UInt64.self), as: UInt64.self) }
    } else {
      for o in 0 ..< outer { (to + o * row).copyMemory(from: part + o * bytes, byteCount: bytes) }
    }
    done += bytes
  }
  return nil
}

/// attrs: [axis, k]: element i of the result is element i + k of the operand, round the end; 0 <= k < the axis' length. No element is
/// left out, so that its transpose makes no structural zeros.
private let rollRow = Row(
  name: "roll",
  infer: { x, a in
    let axis = x[0].rank + a[0]
    guard axis >= 0, axis < x[0].rank else { return .fail(.shape, "axis \(a[0]) of rank \(x[0].rank)") }
    guard a[1] >= 0, a[1] < max(x[0].shape[axis], 1) else { return .fail(.shape, "by \(a[1]) of \(x[0].shape[axis]) elements") }
    return .type(x[0])
  },
  derivative: .linear { t, y, ct, _ in t.roll(ct, axis: t.attrs(y)[0], by: -t.attrs(y)[1]) },
  // outer, bytes of a row, bytes that go to its end.
  geometry: { x, a, out in
    let (outer, n, inner) = around(out.shape, axis: a[0]), size = out.dtype.size
    return [outer, n * inner * size, a[1] * inner * size]
  }
) { c in
  let outer = c.geometry[0], row = c.geometry[1], cut = c.geometry[2]
  for o in 0 ..< outer {
    let x = c.x[0] + o * row, y = c.out + o * row
    y.copyMemory(from: x + cut, byteCount: row - cut)
    (y + (row - cut)).copyMemory(from: x, byteCount: cut)
  }
  return nil
}

/// A strided copy, as the numbers that its kernel reads: source and destination offset, then extents, source and destination strides.
struct Copy {
  let numbers: [Int]
  init(_ shape: [Int], from: [Int], to: [Int], source: Int = 0, destination: Int = 0) {
    numbers = [source, destination] + shape + from + to
  }
  /// `numbers` from `first` on, over `rank` axes.
  static func run(_ numbers: [Int], from first: Int, rank: Int, size: Int, _ x: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    numbers.withUnsafeBytes { raw in
      guard let base = raw.baseAddress else { return }
      let p = (base + first * 8).assumingMemoryBound(to: Int64.self)
      for i in 0 ..< rank where p[2 + i] == 0 { return }
      ck_copy_strided(size, rank, p + 2, x + Int(p[0]) * size, p + 2 + rank, out + Int(p[1]) * size, p + 2 + 2 * rank)
    }
  }
}

private func move(_ c: borrowing Call) -> String? {
  Copy.run(c.geometry, from: 0, rank: c.type.rank, size: c.type.dtype.size, c.x[0], c.out)
  return nil
}

extension Tape {
  package func cast(_ x: NodeID, _ d: DType) -> NodeID { contains(x) && dtype(x) == d ? x : apply(.cast, [x], [Int(d.rawValue)]) }
  package func reshape(_ x: NodeID, _ shape: [Int]) -> NodeID {
    guard contains(x) else { return .none }
    if self.shape(x) == shape { return x }
    return apply(.reshape, [x], [self.shape(x).count] + shape)
  }
  /// One element along the last axes `axes` (from the end), reversed there.
  package func reverse(_ x: NodeID, axes: [Int]) -> NodeID {
    guard contains(x), let first = axes.min() else { return x }
    let tail = shape(x).suffix(-first)
    var a: [Int] = []
    for (i, n) in tail.enumerated() { a += axes.contains(i + first) ? [max(n - 1, 0), n, -1] : [0, n, 1] }
    return apply(.slice, [x], a)
  }
  package func slice(_ x: NodeID, axis: Int, start: Int, count n: Int, step: Int = 1) -> NodeID {
    guard contains(x) else { return .none }
    var a: [Int] = []
    for (i, extent) in shape(x).suffix(-axis).enumerated() { a += i == 0 ? [start, n, step] : [0, extent, 1] }
    return apply(.slice, [x], a)
  }
  /// Element e of a vector as a scalar: what slice and reshape record, without inferring their types again for each of thousands.
  package func element(_ vector: NodeID, _ e: Int) -> NodeID {
    guard contains(vector), type(vector).rank == 1, e >= 0, e < type(vector).count else { return failure == nil ? fail(.invalid, "slice: there is no element \(e)") : .none }
    let d = dtype(vector), one = add(OpCode(.slice), [vector], type: intern(TensorType(d, [1])), attrs: [e, 1, 1])
    return one.isNone ? one : add(OpCode(.reshape), [one], type: d.rawValue, attrs: [1])
  }
  /// NumPy's rule: aligned at the end, 1 stretches.
  package func broadcast(_ x: NodeID, to shape: [Int]) -> NodeID {
    guard contains(x) else { return failure == nil ? fail(.node, "broadcast: the operand is not a node of this tape") : .none }
    let s = self.shape(x)
    if s == shape { return x }
    guard s.count <= shape.count else { return fail(.shape, "broadcast: shape \(text(s)) does not stretch to \(text(shape))") }
    let lifted = s.count == shape.count ? x : reshape(x, [Int](repeating: 1, count: shape.count - s.count) + s)
    return apply(.broadcast, [lifted], shape)
  }
  package func transpose(_ x: NodeID, _ order: [Int]) -> NodeID {
    order == Array(order.indices) && contains(x) && order.count <= shape(x).count ? x : apply(.transpose, [x], order)
  }
  /// Where the parts of a concat begin along its axis, and where the last ends; those of the latest one asked for are kept.
  func partStarts(_ y: NodeID) -> [Int] {
    if starts.node == y { return starts.list }
    let axis = attrs(y)[0]
    var list = [0]
    for x in inputs(y) { list.append(list[list.count - 1] + shape(x)[shape(x).count + axis]) }
    starts = (y, list)
    return list
  }
  /// Element i of the result is element i + k of x along `axis`, round the end, for any k.
  package func roll(_ x: NodeID, axis: Int, by k: Int) -> NodeID {
    guard contains(x), shape(x).count + axis >= 0 else { return .none }
    let n = max(shape(x)[shape(x).count + axis], 1), cut = (k % n + n) % n
    return cut == 0 ? x : apply(.roll, [x], [axis, cut])
  }
  /// The last two axes exchanged.
  package func matrixTranspose(_ x: NodeID) -> NodeID { apply(.transpose, [x], [1, 0]) }
  package func concat(_ parts: [NodeID], axis: Int) -> NodeID { parts.count == 1 ? parts[0] : apply(.concat, parts, [axis]) }
  /// Of any number of parts, at least one: a node takes no more than 65,535, so concats of concats.
  package func chained(_ parts: [NodeID], axis: Int) -> NodeID {
    let most = 60_000
    var parts = parts
    while parts.count > most { parts = stride(from: 0, to: parts.count, by: most).map { concat(Array(parts[$0 ..< Swift.min($0 + most, parts.count)]), axis: axis) } }
    return concat(parts, axis: axis)
  }
}
