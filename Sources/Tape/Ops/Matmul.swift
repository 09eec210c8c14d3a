import CKernels

/// C = op(A) op(B) over matrices in the last two axes; leading axes equal, or none on one side, which is then shared.
/// attrs: [transpose A, transpose B, A masked, B masked]; operands: A, B, then the masks that the flags announce. A product of two
/// entries counts only where both masks hold: `gate` for contractions. A masked operand is 0 where its mask is not set.
let matmulRow = Row(
  name: "matmul",
  infer: { x, a in
    let (l, r) = (x[0], x[1])
    guard l.dtype == r.dtype else { return .fail(.dtype, "dtypes \(l.dtype.name) and \(r.dtype.name) differ; cast one first") }
    guard l.dtype != .bool else { return .fail(.dtype, "takes numbers, not bool") }
    guard l.rank >= 2, r.rank >= 2 else { return .fail(.shape, "shapes \(text(l.shape)) and \(text(r.shape)) are not matrices") }
    let (m, k) = (l.shape[l.rank - 2 + a[0]], l.shape[l.rank - 1 - a[0]])
    let (k2, n) = (r.shape[r.rank - 2 + a[1]], r.shape[r.rank - 1 - a[1]])
    let x0 = Array(l.shape.dropLast(2)), x1 = Array(r.shape.dropLast(2))
    guard k == k2, x0 == x1 || x0.isEmpty || x1.isEmpty else { return .fail(.shape, "shapes \(text(l.shape)) and \(text(r.shape)) do not fit\(a[0] + a[1] > 0 ? " (transposed: \(a[0]), \(a[1]))" : "")") }
    guard let t = TensorType(l.dtype, checking: (x0.isEmpty ? x1 : x0) + [m, n]) else { return .fail(.memory, "the result is too large") }
    return .type(t)
  },
  derivative: .bilinear { t, y, ct, slot in t.matmulTranspose(y, ct, slot) },
  batching: .custom { t, n, ops, x, size in t.matmulBatch(n, ops, x, size) },
  scratch: { x, a, out in
    let m = out.shape[out.rank - 2], n = out.shape[out.rank - 1], k = x[0].shape[x[0].rank - 1 - a[0]]
    return ck_gemm_scratch(out.dtype.rawValue, a[0] != 0, a[1] != 0, flatRows(x, a, out) ?? m, n, k)
  }
) { c in
  if c.attrs.count > 4 { return sum(c) }
  let out = c.type, size = out.dtype.size, d = out.dtype.rawValue
  let m = out.shape[out.rank - 2], n = out.shape[out.rank - 1], k = c.types[0].shape[c.types[0].rank - 1 - c.attrs[0]]
  let ta = c.attrs[0] != 0, tb = c.attrs[1] != 0
  let x = c.x, y = c.out, scratch = c.scratch, ma = c.attrs[2] != 0 ? x[2] : nil, mb = c.attrs[3] != 0 ? x[c.attrs[2] != 0 ? 3 : 2] : nil
  let bitsA = c.attrs[2] == 2, bitsB = c.attrs[3] == 2   // as programs keep masks for long
  func product(_ rows: Int, _ i: Int, _ j: Int, _ o: Int) {
    let a = x[0] + i * size, b = x[1] + j * size, p = y + o * size
    if ma == nil, mb == nil {
      ck_gemm(d, ta, tb, rows, n, k, a, b, p, scratch)
    } else {
      ck_gemm_masked(d, ta, tb, rows, n, k, a, ck_mask(p: ma?.assumingMemoryBound(to: UInt8.self), first: i, bits: bitsA),
                     b, ck_mask(p: mb?.assumingMemoryBound(to: UInt8.self), first: j, bits: bitsB), p, scratch)
    }
  }
  if let rows = flatRows(c.types, c.attrs, out) {
    product(rows, 0, 0, 0)
    return nil
  }
  let batch = out.shape.dropLast(2).reduce(1, &*), stepA = c.types[0].rank > 2 ? m * k : 0, stepB = c.types[1].rank > 2 ? k * n : 0
  if ma == nil, mb == nil {
    ck_gemm_batch(d, ta, tb, m, n, k, x[0], stepA, x[1], stepB, y, m * n, batch, ck_range(i: 0, i_end: m, j: 0, j_end: n), scratch)
    return nil
  }
  for i in 0 ..< batch { product(m, i * stepA, i * stepB, i * m * n) }
  return nil
}

/// In programs: what is added to the product of all rows stands behind the masks, its own rows attrs[4] elements apart.
private func sum(_ c: borrowing Call) -> String? {
  let out = c.type, n = out.shape[out.rank - 1], rows = out.count / max(n, 1), masked = (c.attrs[2] != 0, c.attrs[3] != 0), at = masked.0 ? 3 : 2
  let ma = masked.0 ? c.x[2].assumingMemoryBound(to: UInt8.self) : nil, mb = masked.1 ? c.x[at].assumingMemoryBound(to: UInt8.self) : nil
  ck_gemm_sum(out.dtype.rawValue, c.attrs[0] != 0, c.attrs[1] != 0, rows, n, c.types[0].shape[c.types[0].rank - 1 - c.attrs[0]],
              c.x[0], ck_mask(p: ma, first: 0, bits: c.attrs[2] == 2), c.x[1], ck_mask(p: mb, first: 0, bits: c.attrs[3] == 2),
              c.x[masked.1 ? at + 1 : at], c.attrs[4], c.out, ck_range(i: 0, i_end: rows, j: 0, j_end: n), c.scratch)
  return nil
}

/// A batch of left matrices with one right matrix is one product of all rows.
private func flatRows(_ x: [TensorType], _ a: [Int], _ out: TensorType) -> Int? {
  out.rank > 2 && x[1].rank == 2 && a[0] == 0 ? out.shape.dropLast().reduce(1, &*) : nil
}

extension Tape {
  /// NumPy's matmul: rank 1 is a row on the left, a column on the right; leading axes broadcast.
  package func matmul(numpy a: NodeID, _ b: NodeID) -> NodeID {
    guard contains(a), contains(b) else { return failure == nil ? fail(.node, "matmul: an operand is not a node of this tape") : .none }
    let sa = shape(a), sb = shape(b)
    guard sa.count > 0, sb.count > 0 else { return fail(.shape, "matmul: a scalar operand; use mul") }
    guard dtype(a) == dtype(b) else { return fail(.dtype, "matmul: dtypes \(dtype(a).name) and \(dtype(b).name) differ; cast one first") }
    guard sa[sa.count - 1] == sb[max(sb.count - 2, 0)] else { return fail(.shape, "matmul: shapes \(text(sa)) and \(text(sb)) do not fit") }
    let l = sa.count == 1 ? reshape(a, [1] + sa) : a, r = sb.count == 1 ? reshape(b, sb + [1]) : b
    var y: NodeID
    let x0 = Array(shape(l).dropLast(2)), x1 = Array(shape(r).dropLast(2))
    if x0 == x1 || x0.isEmpty || x1.isEmpty {
      y = matmul(l, r)
    } else {
      guard let lead = broadcastShapes(x0, x1) else { return fail(.shape, "matmul: shapes \(text(sa)) and \(text(sb)) do not fit") }
      y = matmul(broadcast(l, to: lead + shape(l).suffix(2)), broadcast(r, to: lead + shape(r).suffix(2)))
    }
    guard contains(y) else { return .none }
    var s = shape(y)
    if sb.count == 1 { s.removeLast() }
    if sa.count == 1 { s.remove(at: s.count - (sb.count == 1 ? 1 : 2)) }
    y = reshape(y, s)
    return y
  }

  package func matmul(_ a: NodeID, _ b: NodeID, _ ta: Bool = false, _ tb: Bool = false, maskA: NodeID? = nil, maskB: NodeID? = nil) -> NodeID {
    let (x, fa) = maskA == nil ? untransposed(a, ta) : (a, ta), (y, fb) = maskB == nil ? untransposed(b, tb) : (b, tb)
    return apply(.matmul, [x, y] + [maskA, maskB].compactMap { $0 }, [fa ? 1 : 0, fb ? 1 : 0, maskA == nil ? 0 : 1, maskB == nil ? 0 : 1])
  }

  /// An operand that is a transposed matrix, or a batch of them, is the matrix with its flag turned over.
  private func untransposed(_ x: NodeID, _ flag: Bool) -> (NodeID, Bool) {
    guard contains(x), structural(x) == .transpose else { return (x, flag) }
    let p = attrs(x), n = p.count
    guard n >= 2, p[n - 1] == n - 2, p[n - 2] == n - 1, p.dropLast(2).enumerated().allSatisfy({ $0.offset == $0.element }) else { return (x, flag) }
    return (input(x, 0), !flag)
  }

  /// A side that stays as it was is shared where it is one matrix. A side of one matrix against a batch stretches over it.
  func matmulBatch(_ n: NodeID, _ ops: [NodeID?], _ x: [NodeID], _ size: Int) -> NodeID {
    let a = attrs(n)
    let sides = [[0] + (a[2] != 0 ? [2] : []), [1] + (a[3] != 0 ? [2 + a[2]] : [])]
    var y = x
    for side in sides where side.contains(where: { ops[$0] != nil }) || shape(x[side[0]]).count > 2 {
      for i in side { y[i] = ops[i] ?? addLeading(x[i], size) }
    }
    guard y.allSatisfy(contains) else { return .none }
    let ranks = sides.map { shape(y[$0[0]]).count }
    for k in 0 ..< 2 where ranks[k] > 2 && ranks[k] < ranks[1 - k] {
      let other = shape(y[sides[1 - k][0]])
      for i in sides[k] {
        let m = shape(y[i]).suffix(2)
        y[i] = broadcast(reshape(y[i], [size] + [Int](repeating: 1, count: other.count - 3) + m), to: other.dropLast(2) + m)
      }
    }
    return apply(.matmul, y, a)
  }

  /// The pull-back of a cotangent of y = op(A) op(B) to operand `slot`, with its mask.
  func matmulTranspose(_ y: NodeID, _ ct: Masked, _ slot: Int) -> Masked {
    let f = attrs(y), ta = f[0] != 0, tb = f[1] != 0, a = input(y, 0), b = input(y, 1)
    let ma = f[2] != 0 ? input(y, 2) : nil, mb = f[3] != 0 ? input(y, 2 + f[2]) : nil
    let target = slot == 0 ? a : b, own = slot == 0 ? ma : mb
    guard contains(ct.value) else { return Masked(.none) }
    var value: NodeID
    if slot == 0 {
      value = ta ? matmul(b, ct.value, tb, true, maskA: mb, maskB: ct.mask) : matmul(ct.value, b, false, !tb, maskA: ct.mask, maskB: mb)
    } else if shape(b).count == 2, shape(a).count > 2, !ta {
      // A shared right factor: one product over all rows of the batch.
      func flat(_ x: NodeID) -> NodeID { reshape(x, [shape(x).dropLast().reduce(1, &*), shape(x)[shape(x).count - 1]]) }
      let c = flat(ct.value), l = flat(a), mc = ct.mask.map(flat), ml = ma.map(flat)
      value = tb ? matmul(c, l, true, false, maskA: mc, maskB: ml) : matmul(l, c, true, false, maskA: ml, maskB: mc)
    } else {
      value = tb ? matmul(ct.value, a, true, ta, maskA: ct.mask, maskB: ma) : matmul(a, ct.value, !ta, false, maskA: ma, maskB: ct.mask)
    }
    guard contains(value) else { return Masked(.none) }
    let extra = shape(value).count - shape(target).count
    if extra > 0 { value = sum(value, axes: (0 ..< extra).map { $0 - shape(value).count }, keep: false) }
    var mask = ct.mask.map { contractedMask($0, target, slot, transposed: slot == 0 ? ta : tb) }
    if let own {
      value = select(own, value, zeros(value))
      mask = mask.map { and($0, own) } ?? own
    }
    return Masked(value, mask)
  }

  /// any(mask) over the axes that a contraction removes, stretched over the operand.
  private func contractedMask(_ m: NodeID, _ target: NodeID, _ slot: Int, transposed: Bool) -> NodeID {
    guard contains(m) else { return .none }
    let rank = shape(m).count, lead = rank - shape(target).count
    // Slot 0 keeps the rows of the cotangent (axis -2), slot 1 its columns (axis -1).
    let gone = (0 ..< max(lead, 0)).map { $0 - rank } + [slot == 0 ? -1 : -2]
    var s = Array(shape(m).dropFirst(max(lead, 0)).dropLast(2))
    let kept = shape(m)[rank - (slot == 0 ? 2 : 1)]
    s += (slot == 0) != transposed ? [kept, 1] : [1, kept]
    return broadcast(reshape(sum(m, axes: gone, keep: false), s), to: shape(target))
  }
}
