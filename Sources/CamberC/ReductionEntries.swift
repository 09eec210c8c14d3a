public import CCamber
import Tape

/// The axes of x from the end; all when NULL.
func axesOf(_ h: TapeHandle, _ x: camber_node, _ p: UnsafePointer<Int64>?, _ count: Int, _ name: StaticString) -> (NodeID, [Int])? {
  let t = h.tape, n = h.node(x)
  guard t.contains(n) else { t.fail(.node, "\(name): the operand is not a node of this tape"); return nil }
  guard let p else { return (n, t.allAxes(n)) }
  guard count >= 0, count <= 32 else { t.fail(.invalid, "\(name): \(UInt(bitPattern: count)) axes"); return nil }
  var result: [Int] = []
  for i in 0 ..< count {
    guard let a = h.axis(p[i], rank: t.shape(n).count, name) else { return nil }
    guard !result.contains(a) else { t.fail(.shape, "\(name): axis \(p[i]) is given twice"); return nil }
    result.append(a)
  }
  return (n, result)
}

private func reduce(_ tape: OpaquePointer?, _ s: Structural, _ x: camber_node, _ p: UnsafePointer<Int64>?, _ count: Int, _ keep: Int32, _ name: StaticString) -> camber_node {
  build(tape) { h, t in
    guard let (n, a) = axesOf(h, x, p, count, name) else { return .none }
    if t.dtype(n) == .bool { return t.fail(.dtype, "\(name): takes a number, not \(t.type(n).description); cast first") }
    return t.reduce(s, n, axes: a, keep: keep != 0)
  }
}

private func test(_ tape: OpaquePointer?, _ s: Structural, _ x: camber_node, _ p: UnsafePointer<Int64>?, _ count: Int, _ keep: Int32, _ name: StaticString) -> camber_node {
  build(tape) { h, t in
    guard let (n, a) = axesOf(h, x, p, count, name) else { return .none }
    guard t.dtype(n) == .bool else { return t.fail(.dtype, "\(name): takes bool, not \(t.type(n).description)") }
    return t.reduce(s, n, axes: a, keep: keep != 0)
  }
}

@_cdecl("camber_sum") @implementation public func camber_sum(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ keep: Int32) -> camber_node {
  reduce(tape, .sum, x, axes, count, keep, "sum")
}
@_cdecl("camber_mean") @implementation public func camber_mean(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ keep: Int32) -> camber_node {
  build(tape) { h, t in
    guard let (n, a) = axesOf(h, x, axes, count, "mean") else { return .none }
    return t.mean(n, axes: a, keep: keep != 0)
  }
}
@_cdecl("camber_var") @implementation public func camber_var(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ ddof: Double, _ keep: Int32) -> camber_node {
  build(tape) { h, t in
    guard let (n, a) = axesOf(h, x, axes, count, "var") else { return .none }
    return t.variance(n, axes: a, ddof: ddof, keep: keep != 0)
  }
}
@_cdecl("camber_std") @implementation public func camber_std(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ ddof: Double, _ keep: Int32) -> camber_node {
  build(tape) { h, t in
    guard let (n, a) = axesOf(h, x, axes, count, "std") else { return .none }
    return t.deviation(n, axes: a, ddof: ddof, keep: keep != 0)
  }
}
@_cdecl("camber_prod") @implementation public func camber_prod(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ keep: Int32) -> camber_node {
  reduce(tape, .prod, x, axes, count, keep, "prod")
}
@_cdecl("camber_max") @implementation public func camber_max(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ keep: Int32) -> camber_node {
  reduce(tape, .max, x, axes, count, keep, "max")
}
@_cdecl("camber_min") @implementation public func camber_min(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ keep: Int32) -> camber_node {
  reduce(tape, .min, x, axes, count, keep, "min")
}
@_cdecl("camber_any") @implementation public func camber_any(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ keep: Int32) -> camber_node {
  test(tape, .sum, x, axes, count, keep, "any")
}
@_cdecl("camber_all") @implementation public func camber_all(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ keep: Int32) -> camber_node {
  test(tape, .prod, x, axes, count, keep, "all")
}
@_cdecl("camber_logsumexp") @implementation public func camber_logsumexp(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ keep: Int32) -> camber_node {
  reduce(tape, .logsumexp, x, axes, count, keep, "logsumexp")
}
@_cdecl("camber_norm") @implementation public func camber_norm(_ tape: OpaquePointer!, _ x: camber_node, _ axes: UnsafePointer<Int64>!, _ count: Int, _ keep: Int32) -> camber_node {
  reduce(tape, .norm, x, axes, count, keep, "norm")
}

func along(_ tape: OpaquePointer?, _ x: camber_node, _ axis: Int64, _ name: StaticString, _ body: (Tape, NodeID, Int) -> NodeID) -> camber_node {
  build(tape) { h, t in
    let n = h.node(x)
    guard t.contains(n) else { return t.fail(.node, "\(name): the operand is not a node of this tape") }
    guard let a = h.axis(axis, rank: t.shape(n).count, name) else { return .none }
    return body(t, n, a)
  }
}

@_cdecl("camber_argmax") @implementation public func camber_argmax(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64) -> camber_node {
  along(tape, x, axis, "argmax") { t, n, a in t.apply(.argmax, [n], [a]) }
}
@_cdecl("camber_argmin") @implementation public func camber_argmin(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64) -> camber_node {
  along(tape, x, axis, "argmin") { t, n, a in t.apply(.argmin, [n], [a]) }
}
@_cdecl("camber_softmax") @implementation public func camber_softmax(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64) -> camber_node {
  along(tape, x, axis, "softmax") { t, n, a in t.apply(.softmax, [n], [a]) }
}
@_cdecl("camber_log_softmax") @implementation public func camber_log_softmax(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64) -> camber_node {
  along(tape, x, axis, "log_softmax") { t, n, a in t.logSoftmax(n, axis: a) }
}
@_cdecl("camber_cumsum") @implementation public func camber_cumsum(_ tape: OpaquePointer!, _ x: camber_node, _ axis: Int64, _ reverse: Int32) -> camber_node {
  along(tape, x, axis, "cumsum") { t, n, a in
    t.dtype(n) == .bool ? t.fail(.dtype, "cumsum: takes a number, not \(t.type(n).description); cast first") : t.apply(.cumsum, [n], [a, reverse != 0 ? 1 : 0])
  }
}
