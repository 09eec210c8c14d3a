import CKernels

func windowRow(_ s: Structural) -> Row {
  switch s {
  case .conv: convRow
  case .poolIndex: poolIndexRow
  default: searchRow
  }
}

/// x[i] w[k] is added to y[p] where b i = s p + d k - low, along each spatial axis; s and d may be negative, b > 0. The relation is one of
/// three numbers, so that the derivatives are the same operator with the numbers exchanged.
struct ConvAxis {
  var s: Int, d: Int, b: Int, low: Int, p: Int
  init(s: Int, d: Int, b: Int, low: Int, p: Int) {
    let sign = b < 0 ? -1 : 1
    (self.s, self.d, self.b, self.low, self.p) = (s &* sign, d &* sign, b &* sign, low &* sign, p)
  }
}

/// Where the two axes before the spatial ones stand: x has (n, c), w (o, c), y (n, o), or exchanged; the groups are on one of them.
struct ConvLayout: Equatable {
  var swapped: Bool, groupsLast: Bool
  var number: Int { (swapped ? 1 : 0) + (groupsLast ? 2 : 0) }
  var exchanged: ConvLayout { ConvLayout(swapped: !swapped, groupsLast: groupsLast) }
}

/// attrs: [spatial axes, groups, layouts of x, w, y, x masked, w masked, then s, d, b, low, p of each axis].
package struct ConvAttrs {
  var groups: Int
  var x: ConvLayout, w: ConvLayout, y: ConvLayout
  var maskX = false, maskW = false
  var axes: [ConvAxis]
  var rank: Int { axes.count }

  init(groups: Int, x: ConvLayout, w: ConvLayout, y: ConvLayout, axes: [ConvAxis]) {
    (self.groups, self.x, self.w, self.y, self.axes) = (groups, x, w, y, axes)
  }
  package init(_ a: [Int]) {
    func layout(_ n: Int) -> ConvLayout { ConvLayout(swapped: n & 1 != 0, groupsLast: n & 2 != 0) }
    groups = a[1]
    (x, w, y) = (layout(a[2]), layout(a[3]), layout(a[4]))
    (maskX, maskW) = (a[5] != 0, a[6] != 0)
    axes = (0 ..< a[0]).map { let i = 7 + 5 * $0; return ConvAxis(s: a[i], d: a[i + 1], b: a[i + 2], low: a[i + 3], p: a[i + 4]) }
  }
  var list: [Int] {
    [rank, groups, x.number, w.number, y.number, maskX ? 1 : 0, maskW ? 1 : 0] + axes.flatMap { [$0.s, $0.d, $0.b, $0.low, $0.p] }
  }
  /// The two axes of an operand, without groups, as its layout names them.
  func pair(_ t: TensorType, _ l: ConvLayout) -> (Int, Int) {
    let i = t.rank - rank - 2, f = t.shape[i] / (l.groupsLast ? 1 : groups), g = t.shape[i + 1] / (l.groupsLast ? groups : 1)
    return l.swapped ? (g, f) : (f, g)
  }
  func lead(_ t: TensorType) -> [Int] { Array(t.shape.dropLast(rank + 2)) }

  func result(_ x: TensorType, _ w: TensorType) -> [Int] {
    let n = pair(x, self.x).0, o = pair(w, self.w).0
    let (f, g) = y.swapped ? (o, n) : (n, o), b = lead(x)
    return (b.isEmpty ? lead(w) : b) + [y.groupsLast ? f : f * groups, y.groupsLast ? g * groups : g] + axes.map(\.p)
  }

  /// What the kernels read: see ckernels.h.
  package func geometry(_ x: TensorType, _ w: TensorType, _ y: TensorType) -> [Int] {
    func inner(_ t: TensorType) -> Int { t.shape.suffix(rank).reduce(1, &*) }
    /// Strides by batch, group and the two axes of the layout.
    func strides(_ t: TensorType, _ l: ConvLayout) -> [Int] {
      let i = t.rank - rank - 2, v = inner(t), last = v, first = t.shape[i + 1] &* v
      let group = l.groupsLast ? t.shape[i + 1] / groups &* last : t.shape[i] / groups &* first
      return [lead(t).isEmpty ? 0 : t.shape[i] &* first, group] + (l.swapped ? [last, first] : [first, last])
    }
    let (n, c) = pair(x, self.x), o = pair(w, self.w).0, extra = 3 - rank
    var g = [lead(y).reduce(1, &*), groups, n, o, c] + strides(x, self.x) + strides(w, self.w) + strides(y, self.y)
    for _ in 0 ..< extra { g += [1, 1, 1, 1, 1, 1, 0] }
    for (a, v) in axes.enumerated() { g += [x.shape[x.rank - rank + a], w.shape[w.rank - rank + a], v.p, v.s, v.d, v.b, v.low] }
    return g
  }

  /// Of the pull-back to x: y and w are convolved.
  func toX(_ extents: [Int]) -> ConvAttrs {
    ConvAttrs(groups: groups, x: y, w: w.exchanged, y: x, axes: zip(axes, extents).map { a, i in ConvAxis(s: a.b, d: -a.d, b: a.s, low: -a.low, p: i) })
  }
  /// Of the pull-back to w: x and y are convolved.
  func toW(_ extents: [Int]) -> ConvAttrs {
    ConvAttrs(groups: groups, x: x.exchanged, w: y.exchanged, y: w.exchanged, axes: zip(axes, extents).map { a, k in ConvAxis(s: a.d, d: a.s, b: a.b, low: a.low, p: k) })
  }
}

/// Operands: x, w, then the masks that the attributes announce. Leading axes equal, or none on one side, which is then shared.
private let convRow = Row(
  name: "conv",
  infer: { x, list in
    guard list.count >= 7, (1 ... 3).contains(list[0]), list.count == 7 + 5 * list[0] else { return .fail(.invalid, "1 to 3 spatial axes are taken") }
    let a = ConvAttrs(list), (l, r) = (x[0], x[1]), least = a.rank + 2
    guard l.dtype == r.dtype else { return .fail(.dtype, "dtypes \(l.dtype.name) and \(r.dtype.name) differ; cast one first") }
    guard l.rank >= least, r.rank >= least else { return .fail(.shape, "shapes \(text(l.shape)) and \(text(r.shape)) have not \(a.rank) spatial axes behind two others") }
    let far = 1 << 31
    guard a.groups > 0, (l.shape + r.shape).allSatisfy({ $0 < far }) else { return .fail(.invalid, "\(a.groups) groups over shapes \(text(l.shape)) and \(text(r.shape))") }
    for v in a.axes {
      guard v.s != 0, v.d != 0, v.b > 0, [v.s, v.d, v.b, v.low].allSatisfy({ $0.magnitude < far }), v.p >= 0, v.p < far else {
        return .fail(.invalid, "strides and dilations are 1 and more and below 2^31, as are paddings and extents")
      }
    }
    func grouped(_ t: TensorType, _ y: ConvLayout) -> Bool { t.shape[t.rank - least + (y.groupsLast ? 1 : 0)] % a.groups == 0 }
    guard grouped(l, a.x), grouped(r, a.w) else { return .fail(.shape, "channels of \(text(l.shape)) and \(text(r.shape)) do not divide into \(a.groups) groups") }
    guard a.pair(l, a.x).1 == a.pair(r, a.w).1 else {
      return .fail(.shape, "\(text(l.shape)) has \(a.pair(l, a.x).1) channels\(a.groups > 1 ? " a group" : ""), weights of shape \(text(r.shape)) take \(a.pair(r, a.w).1)")
    }
    let b = a.lead(l), c = a.lead(r)
    guard b == c || b.isEmpty || c.isEmpty else { return .fail(.shape, "leading axes of \(text(l.shape)) and \(text(r.shape)) differ") }
    guard let t = TensorType(l.dtype, checking: a.result(l, r)) else { return .fail(.memory, "the result is too large") }
    return .type(t)
  },
  derivative: .bilinear { t, y, ct, slot in t.convTranspose(y, ct, slot) },
  batching: .custom { t, n, ops, x, size in t.convBatch(n, ops, x, size) },
  scratch: { x, a, out in
    let g = ConvAttrs(a).geometry(x[0], x[1], out).map { Int64($0) }
    return ck_conv_scratch(out.dtype.rawValue, g)
  },
  geometry: { x, a, out in ConvAttrs(a).geometry(x[0], x[1], out) },
  loads: { x, a in
    guard a.count >= 7, a[2 ... 4].allSatisfy({ (0 ... 3).contains($0) }), a[5 ... 6].allSatisfy({ (0 ... 1).contains($0) }), x.count == 2 + a[5] + a[6] else { return false }
    return zip((a[5] == 1 ? [0] : []) + (a[6] == 1 ? [1] : []), x[2...]).allSatisfy { $1 == x[$0].with(.bool) }
  }
) { c in
  let x = c.x, y = c.out, scratch = c.scratch, d = c.type.dtype.rawValue, a = c.attrs
  let masked = a[5] + a[6] > 0, mx = a[5] != 0 ? x[2] : nil, mw = a[6] != 0 ? x[2 + a[5]] : nil
  c.geometry.withUnsafeBytes { raw in
    guard let g = raw.baseAddress?.assumingMemoryBound(to: Int64.self) else { return }
    ck_convolve(d, g, x[0], x[1], y, 0, ck_conv_units(d, g), scratch)
    if masked { ck_conv_mend(d, g, x[0], mx?.assumingMemoryBound(to: UInt8.self), x[1], mw?.assumingMemoryBound(to: UInt8.self), y) }
  }
  return nil
}

/// The place, in the last k axes taken as one, of the first largest element of each window. attrs: [k, window, step, dilation, low, extent
/// of the result of each].
private let poolIndexRow = Row(
  name: "pool_index",
  infer: { x, a in
    guard let k = a.first, (1 ... 3).contains(k), a.count == 1 + 5 * k, x[0].rank >= k else { return .fail(.shape, "1 to 3 axes of shape \(text(x[0].shape)) have windows") }
    let tail = Array(x[0].shape.suffix(k)), far = 1 << 31
    for i in 0 ..< k {
      let w = a[1 + 5 * i], s = a[2 + 5 * i], d = a[3 + 5 * i], low = a[4 + 5 * i], p = a[5 + 5 * i]
      guard w > 0, s > 0, d > 0, p >= 0, [w, s, d, p, tail[i]].allSatisfy({ $0 < far }), low >= 0, low <= (w - 1) * d, low < far else {
        return .fail(.invalid, "windows, strides and dilations are 1 and more and below 2^31, paddings below what a window spans")
      }
      func alone(_ q: Int) -> Inferred { .fail(.shape, "axis \(i - k): window \(q) of \(w) covers nothing but padding") }
      // The last one begins furthest on; one that begins in the padding may step over a short axis.
      if p > 0, (p - 1) * s - low >= tail[i] { return alone(p - 1) }
      if tail[i] < d {
        guard low <= 1 << 24 else { return .fail(.invalid, "axis \(i - k): padding \(low) with a dilation beyond the axis") }
        for q in 0 ..< min(p, low / s + 1) where q * s < low && (d - (low - q * s) % d) % d >= tail[i] { return alone(q) }
      }
    }
    let shape = x[0].shape.dropLast(k) + (0 ..< k).map { a[5 + 5 * $0] }
    return .type(TensorType(tail.reduce(1, &*) < far ? .i32 : .i64, Array(shape)))
  },
  derivative: .zero,
  geometry: { x, a, out in
    let k = a[0], tail = Array(x[0].shape.suffix(k))
    var g = [Int](repeating: 1, count: 6 * (3 - k))
    for i in 0 ..< 3 - k { g[6 * i + 5] = 0 }
    for i in 0 ..< k { g += [tail[i], a[5 + 5 * i], a[1 + 5 * i], a[2 + 5 * i], a[3 + 5 * i], a[4 + 5 * i]] }
    return g
  },
  loads: { x, _ in x.count == 1 }
) { c in
  let x = c.x[0], y = c.out, d = c.types[0].dtype.rawValue, wide = c.type.dtype == .i64
  let planes = c.type.shape.dropLast(c.attrs[0]).reduce(1, &*)
  c.geometry.withUnsafeBytes { raw in
    if let g = raw.baseAddress?.assumingMemoryBound(to: Int64.self) { ck_pool_index(d, g, x, wide, y, 0, planes) }
  }
  return nil
}

/// How many knots lie below x. Operands: knots [batch…, n], ascending, x [batch…, any…]; attrs: [batch axes, those equal to x count too,
/// values outside the knots are an error].
private let searchRow = Row(
  name: "searchsorted",
  infer: { x, a in
    let b = a[0]
    guard x[0].dtype == x[1].dtype else { return .fail(.dtype, "dtypes \(x[0].dtype.name) and \(x[1].dtype.name) differ; cast one first") }
    guard x[0].rank == b + 1, x[1].rank >= b, x[0].shape.prefix(b) == x[1].shape.prefix(b) else {
      return .fail(.shape, "knots of shape \(text(x[0].shape)) and values of shape \(text(x[1].shape)) do not fit")
    }
    return .type(x[1].with(.i64))
  },
  derivative: .zero,
  batching: .custom { t, n, ops, x, size in
    let a = t.attrs(n)
    if ops[0] == nil, a[0] == 0 { return t.apply(.searchsorted, [x[0], ops[1] ?? x[1]], a) }
    return t.apply(.searchsorted, [ops[0] ?? t.addLeading(x[0], size), ops[1] ?? t.addLeading(x[1], size)], [a[0] + 1, a[1], a[2]])
  },
  geometry: { x, a, _ in [x[0].shape.prefix(a[0]).reduce(1, &*), x[0].shape[a[0]], x[1].shape.dropFirst(a[0]).reduce(1, &*)] },
  loads: { x, a in x.count == 2 && a.count == 3 && (0 ... TensorType.rankLimit).contains(a[0]) && a[1...].allSatisfy { (0 ... 1).contains($0) } }
) { c in
  let (batch, n, m) = (c.geometry[0], c.geometry[1], c.geometry[2]), d = c.types[0].dtype, right = c.attrs[1] != 0
  for i in 0 ..< batch {
    let knots = c.x[0] + i * n * d.size, x = c.x[1] + i * m * d.size
    let bad = c.attrs[2] != 0 ? ck_outside(d.rawValue, knots, n, x, m) : -1
    guard bad < 0 else { return "interpolation: the place at position \(bad) lies outside the knots" }
    ck_searchsorted(d.rawValue, knots, n, x, c.out.assumingMemoryBound(to: Int64.self) + i * m, m, right)
  }
  return nil
}

// MARK: derivatives of convolutions

extension Tape {
  func conv(_ x: NodeID, _ w: NodeID, _ attrs: ConvAttrs, maskX: NodeID? = nil, maskW: NodeID? = nil) -> NodeID {
    var a = attrs
    (a.maskX, a.maskW) = (maskX != nil, maskW != nil)
    return apply(.conv, [x, w] + [maskX, maskW].compactMap { $0 }, a.list)
  }

  private func ownMasks(_ n: NodeID, _ a: ConvAttrs) -> (NodeID?, NodeID?) {
    (a.maskX ? input(n, 2) : nil, a.maskW ? input(n, a.maskX ? 3 : 2) : nil)
  }

  func convForward(_ n: NodeID, _ slot: Int, _ t: Masked) -> Masked {
    let a = ConvAttrs(attrs(n)), x = input(n, 0), w = input(n, 1)
    var (mx, mw) = ownMasks(n, a)
    let own = slot == 0 ? mx : mw
    let m = t.mask.map { m in own.map { and(m, $0) } ?? m } ?? own
    let v = own.map { select($0, t.value, zeros(t.value)) } ?? t.value
    if slot == 0 { mx = m } else { mw = m }
    let value = conv(slot == 0 ? v : x, slot == 0 ? w : v, a, maskX: mx, maskW: mw)
    guard let mask = t.mask, contains(value) else { return Masked(value) }
    return Masked(value, reached(a, slot, mask, value))
  }

  /// The pull-back of a cotangent to operand `slot`, with its mask.
  func convTranspose(_ y: NodeID, _ ct: Masked, _ slot: Int) -> Masked {
    let a = ConvAttrs(attrs(y)), x = input(y, 0), w = input(y, 1), target = slot == 0 ? x : w
    let (mx, mw) = ownMasks(y, a), own = slot == 0 ? mx : mw
    guard contains(ct.value) else { return Masked(.none) }
    let extents = Array(shape(target).suffix(a.rank)), back = slot == 0 ? a.toX(extents) : a.toW(extents)
    var value = slot == 0 ? conv(ct.value, w, back, maskX: ct.mask, maskW: mw) : conv(x, ct.value, back, maskX: mx, maskW: ct.mask)
    guard contains(value) else { return Masked(.none) }
    var mask = ct.mask.map { reached(back, slot, $0, value) }
    let extra = shape(value).count - shape(target).count
    if extra > 0 {
      let axes = (0 ..< extra).map { $0 - shape(value).count }
      value = sum(value, axes: axes, keep: false)
      mask = mask.map { sum($0, axes: axes, keep: false) }
    }
    if let own {
      value = select(own, value, zeros(value))
      mask = mask.map { and($0, own) } ?? own
    }
    return Masked(value, mask)
  }

  /// Where a result can be present: any channel of x under the window; of weights, any channel and tap.
  private func reached(_ a: ConvAttrs, _ slot: Int, _ mask: NodeID, _ y: NodeID) -> NodeID {
    guard contains(mask), contains(y) else { return .none }
    let rank = a.rank, l = slot == 0 ? a.x : a.w
    // The axis of the layout's second name goes; the first is n (of x) or o (of w).
    let first = -rank - (l.swapped ? 1 : 2), second = -rank - (l.swapped ? 2 : 1)
    var m = sum(mask, axes: [second] + (slot == 1 ? Array(-rank ..< 0) : []), keep: true)
    guard contains(m) else { return .none }
    let target = -rank - (slot == 0 ? (a.y.swapped ? 1 : 2) : (a.y.swapped ? 2 : 1)), s = shape(y)
    if shape(m)[shape(m).count + first] != s[s.count + target] { m = sum(m, axes: [first], keep: true) }
    if slot == 0 {
      let plain = ConvLayout(swapped: l.swapped, groupsLast: false), out = ConvLayout(swapped: a.y.swapped, groupsLast: false)
      let k = (0 ..< rank).map { tapExtent(a, $0, y) }
      let window = full(TensorType(.bool, [1, 1] + k), 1)
      m = conv(m, window, ConvAttrs(groups: 1, x: plain, w: ConvLayout(swapped: false, groupsLast: false), y: out, axes: a.axes))
    } else if first != target {
      let r = shape(m).count
      m = transpose(m, Array(0 ..< r - rank - 2) + [r - rank - 1, r - rank - 2] + Array(r - rank ..< r))
    }
    return contains(m) ? broadcast(m, to: s) : .none
  }

  /// The extent of the other operand along a spatial axis: that of the weights, which the attributes do not tell.
  private func tapExtent(_ a: ConvAttrs, _ axis: Int, _ y: NodeID) -> Int {
    let w = input(y, 1)
    return shape(w)[shape(w).count - a.rank + axis]
  }

  /// A side that stays as it was is shared; a batch of x alone is more of x.
  func convBatch(_ n: NodeID, _ ops: [NodeID?], _ x: [NodeID], _ size: Int) -> NodeID {
    let a = ConvAttrs(attrs(n)), base = a.rank + 2, iw = [1] + (a.maskW ? [a.maskX ? 3 : 2] : []), ix = [0] + (a.maskX ? [2] : [])
    var y = x
    let shared = iw.allSatisfy { ops[$0] == nil } && shape(x[1]).count == base
    for side in [ix, iw] where side.contains(where: { ops[$0] != nil }) || shape(x[side[0]]).count > base {
      for i in side { y[i] = ops[i] ?? addLeading(x[i], size) }
    }
    guard y.allSatisfy(contains) else { return .none }
    if shared, !a.x.swapped, !a.y.swapped, a.x.groupsLast || a.groups == 1, a.y.groupsLast || a.groups == 1 {
      let lead = shape(y[0]).dropLast(base - 1)
      for i in ix { y[i] = reshape(y[i], [lead.reduce(1, &*)] + shape(y[i]).suffix(base - 1)) }
      let z = apply(.conv, y, a.list)
      return contains(z) ? reshape(z, lead + shape(z).suffix(base - 1)) : .none
    }
    let ranks = [shape(y[0]).count, shape(y[1]).count]
    for (k, side) in [ix, iw].enumerated() where ranks[k] > base && ranks[k] < ranks[1 - k] {
      let other = shape(y[1 - k])
      for i in side {
        let m = shape(y[i]).suffix(base)
        y[i] = broadcast(reshape(y[i], [size] + [Int](repeating: 1, count: other.count - base - 1) + m), to: other.dropLast(base) + m)
      }
    }
    return apply(.conv, y, a.list)
  }
}
