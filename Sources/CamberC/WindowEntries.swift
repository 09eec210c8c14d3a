public import CCamber
import Tape

/// One number an axis; `otherwise` where the array is NULL.
private func list(_ p: UnsafePointer<Int64>?, _ rank: Int, _ otherwise: Int) -> [Int] { (0 ..< rank).map { i in p.map { Int($0[i]) } ?? otherwise } }

/// The spatial axes of x.
private func spatial(_ h: TapeHandle, _ x: camber_node, _ name: StaticString) -> (NodeID, Int)? {
  let t = h.tape, n = h.node(x)
  guard t.contains(n) else { t.fail(.node, "\(name): operand 0 is not a node of this tape"); return nil }
  guard (3 ... 5).contains(t.shape(n).count) else { t.fail(.shape, "\(name): x of shape \(shapeText(t.shape(n))); two axes and then one to three spatial ones are taken"); return nil }
  return (n, t.shape(n).count - 2)
}

@_cdecl("camber_conv") @implementation public func camber_conv(
  _ tape: OpaquePointer!, _ x: camber_node, _ w: camber_node, _ stride: UnsafePointer<Int64>!, _ low: UnsafePointer<Int64>!, _ high: UnsafePointer<Int64>!,
  _ dilation: UnsafePointer<Int64>!, _ input_dilation: UnsafePointer<Int64>!, _ groups: Int64
) -> camber_node {
  build(tape) { h, t in
    guard let (n, k) = spatial(h, x, "conv") else { return .none }
    return t.convolution(n, h.node(w), stride: list(stride, k, 1), low: list(low, k, 0), high: list(high, k, 0), dilation: list(dilation, k, 1),
                         inputDilation: list(input_dilation, k, 1), groups: Int(groups))
  }
}
@_cdecl("camber_conv_transpose") @implementation public func camber_conv_transpose(
  _ tape: OpaquePointer!, _ x: camber_node, _ w: camber_node, _ stride: UnsafePointer<Int64>!, _ low: UnsafePointer<Int64>!, _ high: UnsafePointer<Int64>!,
  _ extra: UnsafePointer<Int64>!, _ dilation: UnsafePointer<Int64>!, _ groups: Int64
) -> camber_node {
  build(tape) { h, t in
    guard let (n, k) = spatial(h, x, "conv_transpose") else { return .none }
    return t.convolutionTransposed(n, h.node(w), stride: list(stride, k, 1), low: list(low, k, 0), high: list(high, k, 0), extra: list(extra, k, 0),
                                   dilation: list(dilation, k, 1), groups: Int(groups))
  }
}

/// What the pools share: the node, then window, stride, low, high, dilation.
private func pool(_ h: TapeHandle, _ x: camber_node, _ window: UnsafePointer<Int64>?, _ stride: UnsafePointer<Int64>?, _ low: UnsafePointer<Int64>?,
                  _ high: UnsafePointer<Int64>?, _ dilation: UnsafePointer<Int64>?, _ rank: Int, _ name: StaticString) -> (NodeID, [[Int]])? {
  guard (1 ... 3).contains(rank), window != nil else {
    h.tape.fail(.invalid, "\(name): \(rank > 0 && rank < 4 ? "the window is NULL" : "windows over \(UInt(bitPattern: rank)) axes; one to three are taken")")
    return nil
  }
  let w = list(window, rank, 1)
  return (h.node(x), [w, stride == nil ? w : list(stride, rank, 1), list(low, rank, 0), list(high, rank, 0), list(dilation, rank, 1)])
}
@_cdecl("camber_max_pool") @implementation public func camber_max_pool(
  _ tape: OpaquePointer!, _ x: camber_node, _ window: UnsafePointer<Int64>!, _ stride: UnsafePointer<Int64>!, _ low: UnsafePointer<Int64>!, _ high: UnsafePointer<Int64>!,
  _ dilation: UnsafePointer<Int64>!, _ rank: Int
) -> camber_node {
  build(tape) { h, t in
    guard let (n, p) = pool(h, x, window, stride, low, high, dilation, rank, "max_pool") else { return .none }
    return t.maxPool(n, window: p[0], stride: p[1], low: p[2], high: p[3], dilation: p[4])
  }
}
@_cdecl("camber_max_pool_index") @implementation public func camber_max_pool_index(
  _ tape: OpaquePointer!, _ x: camber_node, _ window: UnsafePointer<Int64>!, _ stride: UnsafePointer<Int64>!, _ low: UnsafePointer<Int64>!, _ high: UnsafePointer<Int64>!,
  _ dilation: UnsafePointer<Int64>!, _ rank: Int
) -> camber_node {
  build(tape) { h, t in
    guard let (n, p) = pool(h, x, window, stride, low, high, dilation, rank, "max_pool_index") else { return .none }
    return t.poolIndex(n, "max_pool_index", window: p[0], stride: p[1], low: p[2], high: p[3], dilation: p[4])
  }
}
@_cdecl("camber_avg_pool") @implementation public func camber_avg_pool(
  _ tape: OpaquePointer!, _ x: camber_node, _ window: UnsafePointer<Int64>!, _ stride: UnsafePointer<Int64>!, _ low: UnsafePointer<Int64>!, _ high: UnsafePointer<Int64>!,
  _ dilation: UnsafePointer<Int64>!, _ rank: Int, _ count_padding: Int32
) -> camber_node {
  build(tape) { h, t in
    guard let (n, p) = pool(h, x, window, stride, low, high, dilation, rank, "avg_pool") else { return .none }
    return t.averagePool(n, window: p[0], stride: p[1], low: p[2], high: p[3], dilation: p[4], countPadding: count_padding != 0)
  }
}

@_cdecl("camber_searchsorted") @implementation public func camber_searchsorted(_ tape: OpaquePointer!, _ knots: camber_node, _ x: camber_node, _ right: Int32) -> camber_node {
  build(tape) { h, t in t.apply(.searchsorted, [h.node(knots), h.node(x)], [0, right != 0 ? 1 : 0, 0]) }
}

/// The three choices of an interpolation.
private func choices(_ t: Tape, _ method: Int32, _ ends: Int32, _ outside: Int32, _ name: StaticString) -> (Tape.Method, Tape.Ends, Tape.Outside)? {
  guard let m = Tape.Method(rawValue: Int(method)), let e = Tape.Ends(rawValue: Int(ends)), let o = Tape.Outside(rawValue: Int(outside)) else {
    t.fail(.invalid, "\(name): method \(method), ends \(ends), outside \(outside); camber.h lists what there is")
    return nil
  }
  return (m, e, o)
}
@_cdecl("camber_interp") @implementation public func camber_interp(
  _ tape: OpaquePointer!, _ x: camber_node, _ knots: camber_node, _ values: camber_node, _ method: Int32, _ ends: Int32, _ outside: Int32
) -> camber_node {
  build(tape) { h, t in choices(t, method, ends, outside, "interp").map { t.interpolate(h.node(x), h.node(knots), h.node(values), $0.0, $0.1, $0.2) } ?? .none }
}
@_cdecl("camber_interpn") @implementation public func camber_interpn(
  _ tape: OpaquePointer!, _ x: camber_node, _ knots: UnsafePointer<camber_node>!, _ axes: Int, _ values: camber_node, _ method: Int32, _ ends: Int32, _ outside: Int32
) -> camber_node {
  build(tape) { h, t in
    guard let c = choices(t, method, ends, outside, "interpn"), let k = h.nodes(knots, axes, "interpn") else { return .none }
    return t.interpolate(h.node(x), grid: k, h.node(values), c.0, c.1, c.2)
  }
}
