public import CCamber
import Tape

@_cdecl("camber_cast") @implementation public func camber_cast(_ tape: OpaquePointer!, _ x: camber_node, _ dtype: camber_dtype) -> camber_node {
  build(tape) { h, t in h.dtype(dtype, "cast").map { t.cast(h.node(x), $0) } ?? .none }
}

@_cdecl("camber_reshape") @implementation public func camber_reshape(_ tape: OpaquePointer!, _ x: camber_node, _ shape: UnsafePointer<Int64>!, _ rank: Int) -> camber_node {
  build(tape) { h, t in
    guard var s = h.shape(shape, rank, "reshape") else { return .none }
    let n = h.node(x)
    guard t.contains(n) else { return t.fail(.node, "reshape: the operand is not a node of this tape") }
    if let free = s.firstIndex(of: -1) {
      s[free] = 1
      guard let rest = TensorType(.bool, checking: s)?.count, rest > 0, t.type(n).count % rest == 0, !s.contains(-1) else {
        s[free] = -1
        return t.fail(.shape, "reshape: \(shapeText(t.shape(n))) does not divide into \(shapeText(s))")
      }
      s[free] = t.type(n).count / rest
    }
    return t.reshape(n, s)
  }
}

@_cdecl("camber_broadcast") @implementation public func camber_broadcast(_ tape: OpaquePointer!, _ x: camber_node, _ shape: UnsafePointer<Int64>!, _ rank: Int) -> camber_node {
  build(tape) { h, t in h.shape(shape, rank, "broadcast").map { t.broadcast(h.node(x), to: $0) } ?? .none }
}

@_cdecl("camber_transpose") @implementation public func camber_transpose(_ tape: OpaquePointer!, _ x: camber_node, _ order: UnsafePointer<Int64>!, _ rank: Int) -> camber_node {
  build(tape) { h, t in
    let n = h.node(x)
    guard t.contains(n) else { return t.fail(.node, "transpose: the operand is not a node of this tape") }
    let r = t.shape(n).count
    guard order != nil else { return t.transpose(n, Array((0 ..< r).reversed())) }
    guard rank == r else { return t.fail(.shape, "transpose: an order of \(UInt(bitPattern: rank)) axes for shape \(shapeText(t.shape(n)))") }
    guard let o = h.shape(order, rank, "transpose") else { return .none }
    let axes = o.map { $0 < 0 ? $0 &+ r : $0 }
    guard axes.sorted() == Array(0 ..< r) else { return t.fail(.shape, "transpose: \(shapeText(o)) is no order of \(r) axes") }
    return t.transpose(n, axes)
  }
}

@_cdecl("camber_slice") @implementation public func camber_slice(
  _ tape: OpaquePointer!, _ x: camber_node, _ start: UnsafePointer<Int64>!, _ stop: UnsafePointer<Int64>!, _ step: UnsafePointer<Int64>!, _ rank: Int
) -> camber_node {
  build(tape) { h, t in
    let n = h.node(x)
    guard t.contains(n) else { return t.fail(.node, "slice: the operand is not a node of this tape") }
    let s = t.shape(n)
    guard rank == s.count else { return t.fail(.shape, "slice: \(UInt(bitPattern: rank)) ranges for shape \(shapeText(s))") }
    guard let a = h.shape(start, rank, "slice"), let b = h.shape(stop, rank, "slice"), let d = h.shape(step, rank, "slice") else { return .none }
    var attrs: [Int] = []
    for i in 0 ..< rank {
      guard d[i] != 0, a[i] >= 0, a[i] <= s[i], b[i] >= -1, b[i] <= s[i], d[i] > 0 ? b[i] >= 0 : a[i] < max(s[i], 1), d[i] > -(1 << 40), d[i] < 1 << 40 else {
        return t.fail(.shape, "slice: axis \(i) of shape \(shapeText(s)): start \(a[i]), stop \(b[i]), step \(d[i])")
      }
      let span = d[i] > 0 ? b[i] - a[i] : a[i] - b[i]
      attrs += [a[i], span <= 0 || s[i] == 0 ? 0 : (span + abs(d[i]) - 1) / abs(d[i]), d[i]]
    }
    return t.apply(.slice, [n], attrs)
  }
}

@_cdecl("camber_pad") @implementation public func camber_pad(
  _ tape: OpaquePointer!, _ x: camber_node, _ low: UnsafePointer<Int64>!, _ high: UnsafePointer<Int64>!, _ interior: UnsafePointer<Int64>!, _ rank: Int
) -> camber_node {
  build(tape) { h, t in
    let n = h.node(x)
    guard t.contains(n) else { return t.fail(.node, "pad: the operand is not a node of this tape") }
    guard rank == t.shape(n).count else { return t.fail(.shape, "pad: \(UInt(bitPattern: rank)) paddings for shape \(shapeText(t.shape(n)))") }
    guard let a = h.shape(low, rank, "pad"), let b = h.shape(high, rank, "pad"), let d = h.shape(interior, rank, "pad") else { return .none }
    return t.apply(.pad, [n], (0 ..< rank).flatMap { [a[$0], b[$0], d[$0]] })
  }
}

@_cdecl("camber_roll") @implementation public func camber_roll(_ tape: OpaquePointer!, _ x: camber_node, _ shift: Int64, _ axis: Int64) -> camber_node {
  along(tape, x, axis, "roll") { t, n, a in t.roll(n, axis: a, by: -(Int(shift) % max(t.shape(n)[t.shape(n).count + a], 1))) }
}

@_cdecl("camber_concat") @implementation public func camber_concat(_ tape: OpaquePointer!, _ parts: UnsafePointer<camber_node>!, _ count: Int, _ axis: Int64) -> camber_node {
  build(tape) { h, t in
    guard let p = h.nodes(parts, count, "concat") else { return .none }
    guard let first = p.first else { return t.fail(.invalid, "concat: needs at least one part") }
    guard t.contains(first) else { return t.fail(.node, "concat: part 0 is not a node of this tape") }
    guard let a = h.axis(axis, rank: t.shape(first).count, "concat") else { return .none }
    return t.concat(p, axis: a)
  }
}

@_cdecl("camber_stack") @implementation public func camber_stack(_ tape: OpaquePointer!, _ parts: UnsafePointer<camber_node>!, _ count: Int, _ axis: Int64) -> camber_node {
  build(tape) { h, t in
    guard let p = h.nodes(parts, count, "stack") else { return .none }
    guard let first = p.first else { return t.fail(.invalid, "stack: needs at least one part") }
    for (i, n) in p.enumerated() {
      guard t.contains(n) else { return t.fail(.node, "stack: part \(i) is not a node of this tape") }
      guard t.type(n) == t.type(first) else { return t.fail(t.shape(n) == t.shape(first) ? .dtype : .shape, "stack: parts of \(t.type(first).description) and \(t.type(n).description) differ") }
    }
    let rank = t.shape(first).count + 1
    guard let a = h.axis(axis, rank: rank, "stack") else { return .none }
    var s = t.shape(first)
    s.insert(1, at: rank + a)
    return t.concat(p.map { t.reshape($0, s) }, axis: a)
  }
}

@_cdecl("camber_gather") @implementation public func camber_gather(_ tape: OpaquePointer!, _ x: camber_node, _ indices: camber_node, _ axis: Int64) -> camber_node {
  build(tape) { h, t in
    let n = h.node(x)
    guard t.contains(n) else { return t.fail(.node, "gather: operand 0 is not a node of this tape") }
    guard let a = h.axis(axis, rank: t.shape(n).count, "gather") else { return .none }
    return t.gather(n, h.node(indices), axis: a)
  }
}

@_cdecl("camber_scatter_add") @implementation public func camber_scatter_add(
  _ tape: OpaquePointer!, _ x: camber_node, _ indices: camber_node, _ updates: camber_node, _ axis: Int64
) -> camber_node {
  build(tape) { h, t in
    let n = h.node(x)
    guard t.contains(n) else { return t.fail(.node, "scatter_add: operand 0 is not a node of this tape") }
    guard let a = h.axis(axis, rank: t.shape(n).count, "scatter_add") else { return .none }
    return t.scatterAdd(n, h.node(indices), h.node(updates), axis: a)
  }
}

@_cdecl("camber_one_hot") @implementation public func camber_one_hot(_ tape: OpaquePointer!, _ indices: camber_node, _ depth: Int64, _ dtype: camber_dtype) -> camber_node {
  build(tape) { h, t in
    guard let d = h.dtype(dtype, "one_hot") else { return .none }
    let n = h.node(indices)
    guard t.contains(n) else { return t.fail(.node, "one_hot: the operand is not a node of this tape") }
    guard depth >= 0 else { return t.fail(.shape, "one_hot: depth \(depth)") }
    return t.oneHot(n, depth: Int(depth), d)
  }
}
