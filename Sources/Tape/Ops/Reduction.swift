import CKernels

/// Reductions over axes, and what runs along one axis. attrs of reductions: the axes from the end, ascending.
func reductionRow(_ s: Structural) -> Row {
  switch s {
  case .sum: sumRow
  case .prod: reduction("prod", .prod, prodDerivative)
  case .max: reduction("max", .max, .reducing(shared))
  case .min: reduction("min", .min, .reducing(shared))
  case .logsumexp: reduction("logsumexp", .logsumexp, .reducing { t, x, y, axes in
      // exp(x - y) is the softmax; a row of -inf has no gradient (NUMERICS: limit 0).
      let wide = t.spread(y, over: x, axes), live = t.binary(.ne, wide, t.like(x, -.infinity))
      return .gated(live, t.unary(.exp, t.sub(x, wide)))
    }, floats: true)
  case .norm: reduction("norm", .norm, .reducing { t, x, y, axes in
      // x / |x|; the minimum-norm subgradient at 0 is 0.
      let wide = t.spread(y, over: x, axes)
      return .gated(t.binary(.ne, wide, t.zeros(x)), t.div(x, wide))
    }, floats: true)
  case .argmax: argRow("argmax", minimum: false)
  case .argmin: argRow("argmin", minimum: true)
  case .softmax: softmaxRow
  default: cumsumRow
  }
}

private func inferred(_ x: TensorType, _ axes: [Int]) -> Inferred {
  guard axes.allSatisfy({ $0 < 0 && -$0 <= x.rank }), Set(axes).count == axes.count else {
    return .fail(.shape, "axes \(text(axes)) of rank \(x.rank)")
  }
  return .type(x.with(shape: x.shape.indices.filter { !axes.contains($0 - x.rank) }.map { x.shape[$0] }))
}

/// The reduction cut into [outer, n, inner] where the axes lie together; else they are moved to the end of a copy in scratch, which
/// the numbers after the first four describe.
private func cut(_ x: TensorType, _ a: [Int], _ out: TensorType) -> [Int] {
  let axes = a.map { x.rank + $0 }, n = axes.reduce(1) { $0 &* x.shape[$1] }
  if axes.isEmpty { return [0, x.count, 1, 1] }
  if adjacent(axes, x.shape) { return [0, x.shape[..<axes[0]].reduce(1, &*), n, x.shape[(axes[axes.count - 1] + 1)...].reduce(1, &*)] }
  let order = x.shape.indices.filter { !axes.contains($0) } + axes, from = strides(x.shape), shape = order.map { x.shape[$0] }
  return [1, out.count, n, 1] + Copy(shape, from: order.map { from[$0] }, to: strides(shape)).numbers
}

private func reduce(_ op: Reduction, _ c: borrowing Call) -> String? {
  let x = c.types[0], d = x.dtype.rawValue, g = c.geometry
  if c.attrs.isEmpty, op != .norm {
    c.out.copyMemory(from: c.x[0], byteCount: x.bytes)
    return nil
  }
  guard g[0] == 1 else {
    ck_reduce(op, d, c.x[0], c.out, g[1], g[2], g[3])
    return nil
  }
  if x.count == 0 {   // nothing to move, and no scratch
    ck_reduce(op, d, c.x[0], c.out, g[1], g[2], g[3])
    return nil
  }
  guard let scratch = c.scratch else { return "reduction: no scratch" }
  Copy.run(g, from: 4, rank: x.rank, size: x.dtype.size, c.x[0], scratch)
  ck_reduce(op, d, scratch, c.out, g[1], g[2], g[3])
  return nil
}

private func adjacent(_ axes: [Int], _ shape: [Int]) -> Bool { axes[axes.count - 1] - axes[0] == axes.count - 1 }

private func reduction(_ name: String, _ op: Reduction, _ derivative: Derivative, floats: Bool = false) -> Row {
  Row(name: name,
      infer: { x, a in
        if floats, !x[0].dtype.isFloat { return .fail(.dtype, "takes a float, not \(x[0].description)") }
        return inferred(x[0], a)
      },
      derivative: derivative, masks: .same,
      scratch: { x, a, _ in a.isEmpty || adjacent(a.map { x[0].rank + $0 }, x[0].shape) ? 0 : x[0].bytes },
      geometry: { x, a, out in cut(x[0], a, out) },
      kernel: { c in reduce(op, c) })
}

private let sumRow: Row = reduction("sum", .sum, .linear { t, y, ct, _ in t.spread(ct, over: t.input(y, 0), t.attrs(y)) })

/// As a tree of products of halves: right at zeros, to every order.
private let prodDerivative = Derivative.custom(jvp: { t, y, tangents in
  let x = t.input(y, 0)
  guard let dx = tangents[0] else { return nil }
  var v = t.collapse(x, t.attrs(y))
  while let n = t.contains(v) ? t.shape(v).last : nil, n > 1 {
    let h = n / 2
    let pairs = t.mul(t.slice(v, axis: -1, start: 0, count: h), t.slice(v, axis: -1, start: h, count: h))
    v = n % 2 == 0 ? pairs : t.concat([pairs, t.slice(v, axis: -1, start: n - 1, count: 1)], axis: -1)
  }
  guard t.contains(v), t.shape(v).last == 1 else { return nil }
  return t.forward([t.reshape(v, t.shape(y))], [x: dx])[0]
}, transpose: nil)

/// max, min: where the extremum is reached; ties share it.
private func shared(_ t: Tape, _ x: NodeID, _ y: NodeID, _ axes: [Int]) -> Partial {
  let hit = t.binary(.eq, x, t.spread(y, over: x, axes))
  guard t.contains(x), t.dtype(x).isFloat else { return .zero }
  let count = t.sum(t.cast(hit, t.dtype(x)), axes: axes, keep: false)
  return .gated(hit, t.spread(t.unary(.reciprocal, count), over: x, axes))
}

private func argRow(_ name: String, minimum: Bool) -> Row {
  Row(name: name,
      infer: { x, a in
        guard a[0] < 0, -a[0] <= x[0].rank else { return .fail(.shape, "axis \(a[0]) of rank \(x[0].rank)") }
        guard x[0].shape[x[0].rank + a[0]] > 0 else { return .fail(.shape, "axis \(a[0]) of shape \(text(x[0].shape)) is empty") }
        guard case .type(let t) = inferred(x[0], a) else { return inferred(x[0], a) }
        return .type(t.with(.i64))
      },
      derivative: .zero
  ) { c in
    let (outer, n, inner) = around(c.types[0].shape, axis: c.attrs[0])
    ck_argmax(c.types[0].dtype.rawValue, minimum, c.x[0], c.out.assumingMemoryBound(to: Int64.self), outer, n, inner)
    return nil
  }
}

private func along(_ x: [TensorType], _ a: [Int]) -> Inferred {
  a[0] < 0 && -a[0] <= x[0].rank ? .type(x[0]) : .fail(.shape, "axis \(a[0]) of rank \(x[0].rank)")
}

/// attrs: [axis]. dy = y (dx - sum y dx).
private let softmaxRow = Row(
  name: "softmax",
  infer: { x, a in x[0].dtype.isFloat ? along(x, a) : .fail(.dtype, "takes a float, not \(x[0].description)") },
  derivative: .custom(jvp: { t, y, tangents in
    guard let dx = tangents[0] else { return nil }
    let inner = t.sum(t.mul(y, dx.value), axes: t.attrs(y), keep: true)
    return Masked(t.mul(y, t.sub(dx.value, t.broadcast(inner, to: t.shape(y)))))
  }, transpose: nil)
) { c in
  let (outer, n, inner) = around(c.type.shape, axis: c.attrs[0])
  ck_softmax(c.type.dtype.rawValue, c.x[0], c.out, outer, n, inner)
  return nil
}

/// attrs: [axis, reverse].
private let cumsumRow = Row(
  name: "cumsum", infer: { x, a in along(x, a) },
  derivative: .linear { t, y, ct, _ in t.apply(.cumsum, [ct], [t.attrs(y)[0], 1 - t.attrs(y)[1]]) }
) { c in
  let (outer, n, inner) = around(c.type.shape, axis: c.attrs[0])
  ck_cumsum(c.type.dtype.rawValue, c.x[0], c.out, outer, n, inner, c.attrs[1] != 0)
  return nil
}

extension Tape {
  /// A reduction by its row; `keep` leaves the axes with length 1.
  package func reduce(_ s: Structural, _ x: NodeID, axes: [Int], keep: Bool) -> NodeID {
    guard contains(x) else { return failure == nil ? fail(.node, "\(row(s).name): the operand is not a node of this tape") : .none }
    let y = apply(s, [x], axes.sorted())
    guard keep, !y.isNone else { return y }
    var kept = shape(x)
    for a in axes { kept[kept.count + a] = 1 }
    return reshape(y, kept)
  }
  package func sum(_ x: NodeID, axes: [Int], keep: Bool) -> NodeID { axes.isEmpty ? x : reduce(.sum, x, axes: axes, keep: keep) }
  package func mean(_ x: NodeID, axes: [Int], keep: Bool) -> NodeID {
    let s = reduce(.sum, x, axes: axes, keep: keep)
    guard !s.isNone else { return .none }
    guard dtype(s).isFloat else { return fail(.dtype, "mean: takes a float, not \(type(x).description)") }
    let n = axes.reduce(1.0) { $0 * Double(shape(x)[shape(x).count + $1]) }
    // A 16-bit dtype cannot hold every count: divide in f32 there.
    if dtype(s).isHalf { return cast(div(cast(s, .f32), full(type(s).with(.f32), n)), dtype(s)) }
    return div(s, like(s, n))
  }
  package func logSoftmax(_ x: NodeID, axis: Int) -> NodeID {
    guard contains(x), dtype(x).isFloat else { return contains(x) ? fail(.dtype, "log_softmax: takes a float, not \(type(x).description)") : .none }
    let l = reduce(.logsumexp, x, axes: [axis], keep: true)
    return l.isNone ? .none : sub(x, broadcast(l, to: shape(x)))
  }
  /// y, a reduction of x over `axes`, stretched back to x's shape.
  package func spread(_ y: NodeID, over x: NodeID, _ axes: [Int]) -> NodeID {
    guard contains(y), contains(x) else { return .none }
    var kept = shape(x)
    for a in axes { kept[kept.count + a] = 1 }
    return broadcast(reshape(y, kept), to: shape(x))
  }
  /// x with `axes` moved to the end and made one.
  func collapse(_ x: NodeID, _ axes: [Int]) -> NodeID {
    guard contains(x) else { return .none }
    let s = shape(x), gone = axes.map { s.count + $0 }, rest = s.indices.filter { !gone.contains($0) }
    return reshape(transpose(x, rest + gone), rest.map { s[$0] } + [gone.reduce(1) { $0 &* s[$1] }])
  }
}
