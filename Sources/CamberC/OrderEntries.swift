public import CCamber
import Tape

// MARK: running results

private func running(_ tape: OpaquePointer?, _ s: Structural, _ x: camber_node, _ axis: Int64, _ reverse: Int32, _ name: StaticString) -> camber_node {
  along(tape, x, axis, name) { t, n, a in
    t.dtype(n) == .bool ? t.fail(.dtype, "\(name): takes a number, not \(t.type(n).description); cast first") : t.apply(s, [n], [a, reverse != 0 ? 1 : 0])
  }
}
@_cdecl("camber_cumprod") @implementation public func camber_cumprod(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64, _ reverse: Int32) -> camber_node {
  running(tape, .cumprod, x, axis, reverse, "cumprod")
}
@_cdecl("camber_cummax") @implementation public func camber_cummax(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64, _ reverse: Int32) -> camber_node {
  running(tape, .cummax, x, axis, reverse, "cummax")
}
@_cdecl("camber_cummin") @implementation public func camber_cummin(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64, _ reverse: Int32) -> camber_node {
  running(tape, .cummin, x, axis, reverse, "cummin")
}
@_cdecl("camber_cumargmax") @implementation public func camber_cumargmax(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64, _ reverse: Int32) -> camber_node {
  running(tape, .cumargmax, x, axis, reverse, "cumargmax")
}
@_cdecl("camber_cumargmin") @implementation public func camber_cumargmin(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64, _ reverse: Int32) -> camber_node {
  running(tape, .cumargmin, x, axis, reverse, "cumargmin")
}
@_cdecl("camber_cumlogsumexp") @implementation public func camber_cumlogsumexp(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64, _ reverse: Int32) -> camber_node {
  running(tape, .cumlogsumexp, x, axis, reverse, "cumlogsumexp")
}
@_cdecl("camber_linear_recurrence") @implementation public func camber_linear_recurrence(
  _ tape: OpaquePointer!, _ a: camber_node, _ b: camber_node, _ axis: Int64, _ reverse: Int32
) -> camber_node {
  build(tape) { h, t in
    let n = h.node(b)
    guard t.contains(n) else { return t.fail(.node, "linear_recurrence: operand 1 is not a node of this tape") }
    guard t.dtype(n) != .bool else { return t.fail(.dtype, "linear_recurrence: takes numbers, not \(t.type(n).description)") }
    guard let k = h.axis(axis, rank: t.shape(n).count, "linear_recurrence") else { return .none }
    return t.apply(.recurrence, [h.node(a), n], [k, reverse != 0 ? 1 : 0])
  }
}

@_cdecl("camber_associative_scan") @implementation public func camber_associative_scan(
  _ tape: OpaquePointer!, _ body: OpaquePointer!, _ inputs: UnsafePointer<camber_node>!, _ outputs: UnsafePointer<camber_node>!,
  _ elements: UnsafePointer<camber_node>!, _ count: Int, _ axis: Int64, _ reverse: Int32, _ out: UnsafeMutablePointer<camber_node>!
) -> camber_status {
  transform(tape, out, count, "associative_scan") { h, t in
    guard let b = tapeHandle(body) else { t.fail(.handle, "associative_scan: the body is no tape"); return nil }
    guard count <= 1 << 16, axis >= -64, axis < 64 else { t.fail(.invalid, "associative_scan: \(count) elements along axis \(axis)"); return nil }
    guard let ins = h.nodes(inputs, 2 * count, "associative_scan", of: b), let outs = h.nodes(outputs, count, "associative_scan", of: b),
          let xs = h.nodes(elements, count, "associative_scan") else { return nil }
    return t.associativeScan(body: b.tape, inputs: ins, outputs: outs, xs, axis: Int(axis), reverse: reverse != 0)
  }
}

// MARK: order

@_cdecl("camber_sort") @implementation public func camber_sort(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64, _ descending: Int32) -> camber_node {
  along(tape, x, axis, "sort") { t, n, a in t.apply(.sort, [n], [a, descending != 0 ? 1 : 0]) }
}
@_cdecl("camber_argsort") @implementation public func camber_argsort(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64, _ descending: Int32) -> camber_node {
  along(tape, x, axis, "argsort") { t, n, a in t.argsort(n, axis: a, descending: descending != 0) }
}
@_cdecl("camber_top_k") @implementation public func camber_top_k(
  _ tape: OpaquePointer!, _ x: camber_node, _ k: Int64, _ axis: Int64, _ largest: Int32, _ values: UnsafeMutablePointer<camber_node>!, _ indices: UnsafeMutablePointer<camber_node>!
) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  let t = h.tape
  values?.pointee = -1
  indices?.pointee = -1
  guard values != nil || indices != nil else {
    t.fail(.invalid, "top_k: both results are NULL")
    return h.status
  }
  guard t.failure == nil else { return h.status }
  let n = h.node(x)
  guard t.contains(n) else { t.fail(.node, "top_k: the operand is not a node of this tape"); return h.status }
  guard let a = h.axis(axis, rank: t.shape(n).count, "top_k") else { return h.status }
  let s = t.shape(n)
  guard k >= 0, k <= Int64(s[s.count + a]) else { t.fail(.shape, "top_k: \(k) of the \(s[s.count + a]) along axis \(axis) of shape \(shapeText(s))"); return h.status }
  let r = t.topK(n, Int(k), axis: a, largest: largest != 0)
  if t.failure == nil {
    values?.pointee = h.pack(r.values)
    indices?.pointee = h.pack(r.indices)
  }
  return h.status
}
@_cdecl("camber_isin") @implementation public func camber_isin(_ tape: OpaquePointer!, _ x: camber_node, _ set: camber_node) -> camber_node {
  build(tape) { h, t in t.isIn(h.node(x), h.node(set)) }
}
@_cdecl("camber_duplicated") @implementation public func camber_duplicated(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64) -> camber_node {
  along(tape, x, axis, "duplicated") { t, n, a in t.duplicated(n, axis: a) }
}
