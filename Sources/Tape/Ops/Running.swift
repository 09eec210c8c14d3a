import CKernels

/// What runs along one axis in order. attrs: [axis, reverse].
func runningRow(_ s: Structural) -> Row {
  switch s {
  // dy[i] = x[i] dy[i-1] + y[i-1] dx[i]: right at zeros, to every order.
  case .cumprod: running("cumprod", .prod, .custom(jvp: { t, y, tangents in
      guard let dx = tangents[0] else { return nil }
      let a = t.attrs(y), before = t.shifted(y, a, 1), x = t.input(y, 0)
      return t.product(.factor(before), dx).map { t.recur(x, $0, a) }
    }, transpose: nil))
  case .cummax: running("cummax", .max, extremum(.cumargmax))
  case .cummin: running("cummin", .min, extremum(.cumargmin))
  case .cumargmax: running("cumargmax", .argmax, .zero)
  case .cumargmin: running("cumargmin", .argmin, .zero)
  // dy[i] = exp(y[i-1] - y[i]) dy[i-1] + exp(x[i] - y[i]) dx[i], both factors at most 1; none where all so far is -inf.
  case .cumlogsumexp: running("cumlogsumexp", .logsumexp, .custom(jvp: { t, y, tangents in
      guard let dx = tangents[0] else { return nil }
      let a = t.attrs(y), x = t.input(y, 0), live = t.binary(.ne, y, t.like(y, -.infinity))
      let keep = t.select(live, t.unary(.exp, t.sub(t.shifted(y, a, -.infinity), y)), t.zeros(y))
      guard let own = t.product(.gated(live, t.unary(.exp, t.sub(x, y))), dx) else { return nil }
      return t.recur(keep, own, a)
    }, transpose: nil))
  default: recurrenceRow
  }
}

private func along(_ x: TensorType, _ a: [Int]) -> Inferred {
  a[0] < 0 && -a[0] <= x.rank ? .type(x) : .fail(.shape, "axis \(a[0]) of rank \(x.rank)")
}

private func running(_ name: String, _ op: Running, _ derivative: Derivative) -> Row {
  let places = op == .argmax || op == .argmin
  return Row(name: name,
      infer: { x, a in
        if op == .logsumexp, !x[0].dtype.isFloat { return .fail(.dtype, "takes a float, not \(x[0].description)") }
        guard case .type(let t) = along(x[0], a) else { return along(x[0], a) }
        return .type(places ? t.with(.i64) : t)
      },
      derivative: derivative
  ) { c in
    let (outer, n, inner) = around(c.type.shape, axis: c.attrs[0])
    if c.type.count > 0 { ck_running(op, c.types[0].dtype.rawValue, c.x[0], c.out, outer, n, inner, c.attrs[1] != 0) }
    return nil
  }
}

/// The element that is the extremum; of equals the first.
private func extremum(_ place: Structural) -> Derivative {
  .custom(jvp: { t, y, tangents in
    guard let dx = tangents[0] else { return nil }
    let a = t.attrs(y), at = t.apply(place, [t.input(y, 0)], a)
    return t.takeAlong(dx, at, axis: a[0])
  }, transpose: nil)
}

/// h[i] = a[i] h[i-1] + b[i]; where a[i] is 0, b[i]. Linear in b.
private let recurrenceRow = Row(
  name: "linear_recurrence",
  infer: { x, a in
    guard x[0].dtype == x[1].dtype else { return .fail(.dtype, "dtypes \(x[0].dtype.name) and \(x[1].dtype.name) differ; cast one first") }
    guard x[0].shape == x[1].shape else { return .fail(.shape, "shapes \(text(x[0].shape)) and \(text(x[1].shape)) differ; broadcast one first") }
    return along(x[0], a)
  },
  derivative: .custom(jvp: { t, y, tangents in
    let a = t.attrs(y), x = t.input(y, 0)
    var own = tangents[1]
    if let da = tangents[0] { own = t.plus(own, t.product(.factor(t.shifted(y, a, 0)), da)) }
    return own.map { t.recur(x, $0, a) }
  }, transpose: { t, y, ct, slot in
    slot == 1 ? t.recurBack(y, Masked(ct)).value : nil
  })
) { c in
  let (outer, n, inner) = around(c.type.shape, axis: c.attrs[0])
  if c.type.count > 0 { ck_recurrence_strips(c.type.dtype.rawValue, c.x[0], c.x[1], c.out, outer, n, inner, c.attrs[1] != 0, 0, ck_running_count(outer, inner)) }
  return nil
}

extension Tape {
  /// What stands before each element on the way of a running result; `first` before the first. a: [axis, reverse].
  func shifted(_ x: NodeID, _ a: [Int], _ first: Double) -> NodeID {
    guard contains(x) else { return .none }
    var s = shape(x)
    let k = s.count + a[0], n = s[k]
    if n == 0 { return x }
    s[k] = 1
    let edge = full(TensorType(dtype(x), s), first), rest = slice(x, axis: a[0], start: a[1] != 0 ? 1 : 0, count: n - 1)
    return n == 1 ? edge : concat(a[1] != 0 ? [rest, edge] : [edge, rest], axis: a[0])
  }

  /// The recurrence of b. Its mask is set from where b's is first set on, whatever the factors are: one that is 0 has a derivative. Factors of
  /// what is not there yet are structurally none.
  func recur(_ x: NodeID, _ b: Masked, _ a: [Int]) -> Masked {
    guard let m = b.mask else { return Masked(apply(.recurrence, [x, b.value], a)) }
    let reached = apply(.cumsum, [m], a)
    return Masked(apply(.recurrence, [select(shifted(reached, a, 0), x, zeros(x)), b.value], a), reached)
  }
  /// A cotangent of y, a recurrence, pulled back to what is added in it.
  func recurBack(_ y: NodeID, _ ct: Masked) -> Masked {
    let a = attrs(y), back = [a[0], 1 - a[1]]
    return recur(shifted(input(y, 0), back, 0), ct, back)
  }

  /// Value and mask of x at indices along `axis`, element by element.
  func takeAlong(_ x: Masked, _ indices: NodeID, axis: Int) -> Masked {
    Masked(takeAlong(x.value, indices, axis: axis), x.mask.map { takeAlong($0, indices, axis: axis) })
  }

  /// x[.., indices[.., j, ..], ..]: NumPy's take_along_axis; shapes agree but for the axis.
  package func takeAlong(_ x: NodeID, _ indices: NodeID, axis: Int) -> NodeID {
    guard contains(x), contains(indices) else { return failure == nil ? fail(.node, "take_along: an operand is not a node of this tape") : .none }
    let s = shape(x), i = shape(indices), k = s.count + axis
    guard dtype(indices).isInteger else { return fail(.dtype, "take_along: indices are i64 or i32, not \(dtype(indices).name)") }
    guard k >= 0, k < s.count, i.count == s.count, s.indices.allSatisfy({ $0 == k || s[$0] == i[$0] }) else {
      return fail(.shape, "take_along: indices of shape \(text(i)) along axis \(axis) of shape \(text(s))")
    }
    let rest = s.indices.filter { $0 != k }, order = rest + [k], lead = rest.reduce(1) { $0 &* s[$1] }
    let table = reshape(transpose(x, order), [lead, s[k]]), at = reshape(transpose(indices, order), [lead, i[k]])
    var back = order
    for (p, q) in order.enumerated() { back[q] = p }
    return transpose(reshape(apply(.gather, [table, at], [-1, 1]), rest.map { s[$0] } + [i[k]]), back)
  }
}
