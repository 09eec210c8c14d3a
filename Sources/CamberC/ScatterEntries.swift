public import CCamber
import Tape

// MARK: indices

@_cdecl("camber_take_along") @implementation public func camber_take_along(_ tape: OpaquePointer!, _ x: camber_node, _ indices: camber_node, _ axis: Int64) -> camber_node {
  along(tape, x, axis, "take_along") { t, n, a in t.takeAlong(n, tapeHandle(tape)?.node(indices) ?? .none, axis: a) }
}
private func scatter(_ tape: OpaquePointer?, _ x: camber_node, _ axis: Int64, _ name: StaticString, _ indices: camber_node, _ updates: camber_node, _ body: (Tape, NodeID, NodeID, NodeID, Int) -> NodeID) -> camber_node {
  along(tape, x, axis, name) { t, n, a in
    guard let h = tapeHandle(tape) else { return .none }
    if t.dtype(n) == .bool, !name.isSet { return t.fail(.dtype, "\(name): takes a number, not \(t.type(n).description)") }
    return body(t, n, h.node(indices), h.node(updates), a)
  }
}
extension StaticString { fileprivate var isSet: Bool { utf8CodeUnitCount == 11 && description == "scatter_set" } }
@_cdecl("camber_scatter_set") @implementation public func camber_scatter_set(
  _ tape: OpaquePointer!, _ x: camber_node, _ indices: camber_node, _ updates: camber_node, _ axis: Int64
) -> camber_node {
  scatter(tape, x, axis, "scatter_set", indices, updates) { t, n, i, u, a in t.apply(.scatterSet, [n, i, u], [a, 0]) }
}
@_cdecl("camber_scatter_mul") @implementation public func camber_scatter_mul(
  _ tape: OpaquePointer!, _ x: camber_node, _ indices: camber_node, _ updates: camber_node, _ axis: Int64
) -> camber_node {
  scatter(tape, x, axis, "scatter_mul", indices, updates) { t, n, i, u, a in t.scatter(.segmentProd, .mul, n, i, u, axis: a) }
}
@_cdecl("camber_scatter_max") @implementation public func camber_scatter_max(
  _ tape: OpaquePointer!, _ x: camber_node, _ indices: camber_node, _ updates: camber_node, _ axis: Int64
) -> camber_node {
  scatter(tape, x, axis, "scatter_max", indices, updates) { t, n, i, u, a in t.scatter(.segmentMax, .maximum, n, i, u, axis: a) }
}
@_cdecl("camber_scatter_min") @implementation public func camber_scatter_min(
  _ tape: OpaquePointer!, _ x: camber_node, _ indices: camber_node, _ updates: camber_node, _ axis: Int64
) -> camber_node {
  scatter(tape, x, axis, "scatter_min", indices, updates) { t, n, i, u, a in t.scatter(.segmentMin, .minimum, n, i, u, axis: a) }
}

@_cdecl("camber_dynamic_slice") @implementation public func camber_dynamic_slice(
  _ tape: OpaquePointer!, _ x: camber_node, _ start: camber_node, _ sizes: UnsafePointer<Int64>!, _ rank: Int
) -> camber_node {
  build(tape) { h, t in
    let n = h.node(x)
    guard t.contains(n) else { return t.fail(.node, "dynamic_slice: operand 0 is not a node of this tape") }
    guard let s = h.shape(sizes, rank, "dynamic_slice") else { return .none }
    guard s.count == t.shape(n).count else { return t.fail(.shape, "dynamic_slice: \(s.count) sizes for shape \(shapeText(t.shape(n)))") }
    return t.dynamicSlice(n, h.node(start), s)
  }
}
@_cdecl("camber_dynamic_update") @implementation public func camber_dynamic_update(_ tape: OpaquePointer!, _ x: camber_node, _ update: camber_node, _ start: camber_node) -> camber_node {
  build(tape) { h, t in t.dynamicUpdate(h.node(x), h.node(update), h.node(start)) }
}

// MARK: segments

private func segment(_ tape: OpaquePointer?, _ s: Structural, _ data: camber_node, _ segments: camber_node, _ count: Int64, _ name: StaticString) -> camber_node {
  build(tape) { h, t in
    let n = h.node(data)
    guard t.contains(n) else { return t.fail(.node, "\(name): operand 0 is not a node of this tape") }
    guard t.dtype(n) != .bool else { return t.fail(.dtype, "\(name): takes a number, not \(t.type(n).description)") }
    return t.segment(s, n, h.node(segments), count: Int(count))
  }
}
@_cdecl("camber_segment_sum") @implementation public func camber_segment_sum(_ tape: OpaquePointer!, _ data: camber_node, _ segments: camber_node, _ count: Int64) -> camber_node {
  segment(tape, .scatterAdd, data, segments, count, "segment_sum")
}
@_cdecl("camber_segment_prod") @implementation public func camber_segment_prod(_ tape: OpaquePointer!, _ data: camber_node, _ segments: camber_node, _ count: Int64) -> camber_node {
  segment(tape, .segmentProd, data, segments, count, "segment_prod")
}
@_cdecl("camber_segment_max") @implementation public func camber_segment_max(_ tape: OpaquePointer!, _ data: camber_node, _ segments: camber_node, _ count: Int64) -> camber_node {
  segment(tape, .segmentMax, data, segments, count, "segment_max")
}
@_cdecl("camber_segment_min") @implementation public func camber_segment_min(_ tape: OpaquePointer!, _ data: camber_node, _ segments: camber_node, _ count: Int64) -> camber_node {
  segment(tape, .segmentMin, data, segments, count, "segment_min")
}
@_cdecl("camber_bincount") @implementation public func camber_bincount(_ tape: OpaquePointer!, _ x: camber_node, _ weights: camber_node, _ length: Int64) -> camber_node {
  build(tape) { h, t in t.bincount(h.node(x), weights: weights == -1 ? nil : h.node(weights), length: Int(length)) }
}

// MARK: shapes

@_cdecl("camber_reverse") @implementation public func camber_reverse(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int) -> camber_node {
  build(tape) { h, t in
    guard let (n, a) = axesOf(h, x, axes, count, "reverse") else { return .none }
    return t.reverse(n, axes: a)
  }
}
@_cdecl("camber_split") @implementation public func camber_split(
  _ tape: OpaquePointer!, _ x: camber_node, _ sizes: UnsafePointer<Int64>!, _ count: Int, _ axis: Int64, _ out: UnsafeMutablePointer<camber_node>!
) -> camber_status {
  transform(tape, out, count, "split") { h, t in
    let n = h.node(x)
    guard t.contains(n) else { t.fail(.node, "split: the operand is not a node of this tape"); return nil }
    guard let a = h.axis(axis, rank: t.shape(n).count, "split"), let s = h.list(sizes, count, "split") else { return nil }
    return t.split(n, s, axis: a)
  }
}
@_cdecl("camber_tile") @implementation public func camber_tile(_ tape: OpaquePointer!, _ x: camber_node, _ counts: UnsafePointer<Int64>!, _ rank: Int) -> camber_node {
  build(tape) { h, t in h.shape(counts, rank, "tile").map { t.tile(h.node(x), $0) } ?? .none }
}
@_cdecl("camber_repeat") @implementation public func camber_repeat(_ tape: OpaquePointer!, _ x: camber_node, _ counts: UnsafePointer<Int64>!, _ count: Int, _ axis: Int64) -> camber_node {
  along(tape, x, axis, "repeat") { t, n, a in tapeHandle(tape)?.list(counts, count, "repeat").map { t.repeated(n, $0, axis: a) } ?? .none }
}
private func matrix(_ tape: OpaquePointer?, _ x: camber_node, _ k: Int64, _ name: StaticString, _ body: (Tape, NodeID, Int) -> NodeID) -> camber_node {
  build(tape) { h, t in
    let n = h.node(x)
    guard t.contains(n) else { return t.fail(.node, "\(name): the operand is not a node of this tape") }
    guard k > -(1 << 40), k < 1 << 40 else { return t.fail(.invalid, "\(name): diagonal \(k)") }
    return body(t, n, Int(k))
  }
}
@_cdecl("camber_tril") @implementation public func camber_tril(_ tape: OpaquePointer!, _ x: camber_node, _ k: Int64) -> camber_node {
  matrix(tape, x, k, "tril") { t, n, k in t.triangle(n, lower: true, k) }
}
@_cdecl("camber_triu") @implementation public func camber_triu(_ tape: OpaquePointer!, _ x: camber_node, _ k: Int64) -> camber_node {
  matrix(tape, x, k, "triu") { t, n, k in t.triangle(n, lower: false, k) }
}
@_cdecl("camber_diag") @implementation public func camber_diag(_ tape: OpaquePointer!, _ v: camber_node, _ k: Int64) -> camber_node {
  matrix(tape, v, k, "diag") { t, n, k in t.diag(n, k) }
}
@_cdecl("camber_diagonal") @implementation public func camber_diagonal(_ tape: OpaquePointer!, _ x: camber_node, _ k: Int64) -> camber_node {
  matrix(tape, x, k, "diagonal") { t, n, k in t.diagonal(n, k) }
}
