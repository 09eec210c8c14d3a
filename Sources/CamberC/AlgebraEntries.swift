public import CCamber
import Tape

@_cdecl("camber_matmul") @implementation public func camber_matmul(_ tape: OpaquePointer!, _ a: camber_node, _ b: camber_node) -> camber_node {
  build(tape) { h, t in t.matmul(numpy: h.node(a), h.node(b)) }
}
@_cdecl("camber_einsum") @implementation public func camber_einsum(
  _ tape: OpaquePointer!, _ subscripts: UnsafePointer<CChar>!, _ operands: UnsafePointer<camber_node>!, _ count: Int
) -> camber_node {
  build(tape) { h, t in
    guard let subscripts else { return t.fail(.invalid, "einsum: the subscripts are NULL") }
    return h.nodes(operands, count, "einsum").map { t.einsum(String(cString: subscripts), $0) } ?? .none
  }
}
@_cdecl("camber_cholesky") @implementation public func camber_cholesky(_ tape: OpaquePointer!, _ a: camber_node) -> camber_node {
  build(tape) { h, t in t.apply(.cholesky, [h.node(a)]) }
}
@_cdecl("camber_triangular_solve") @implementation public func camber_triangular_solve(
  _ tape: OpaquePointer!, _ a: camber_node, _ b: camber_node, _ lower: Int32, _ transposed: Int32, _ unit: Int32
) -> camber_node {
  build(tape) { h, t in t.solve(h.node(a), h.node(b), .triangularSolve, [lower != 0 ? 1 : 0, transposed != 0 ? 1 : 0, unit != 0 ? 1 : 0]) }
}
@_cdecl("camber_solve") @implementation public func camber_solve(_ tape: OpaquePointer!, _ a: camber_node, _ b: camber_node) -> camber_node {
  build(tape) { h, t in t.solve(h.node(a), h.node(b), .solve, [0]) }
}

@_cdecl("camber_random_uniform") @implementation public func camber_random_uniform(
  _ tape: OpaquePointer!, _ key: camber_node, _ dtype: camber_dtype, _ shape: UnsafePointer<Int64>!, _ rank: Int
) -> camber_node {
  build(tape) { h, t in h.type(dtype, shape, rank, "random_uniform").map { t.randomUniform(h.node(key), $0.dtype, $0.shape) } ?? .none }
}
@_cdecl("camber_random_normal") @implementation public func camber_random_normal(
  _ tape: OpaquePointer!, _ key: camber_node, _ dtype: camber_dtype, _ shape: UnsafePointer<Int64>!, _ rank: Int
) -> camber_node {
  build(tape) { h, t in
    guard let type = h.type(dtype, shape, rank, "random_normal") else { return .none }
    guard type.dtype.isFloat else { return t.fail(.dtype, "random_normal: gives floats only, not \(type.dtype.name)") }
    return t.randomNormal(h.node(key), type.dtype, type.shape)
  }
}
@_cdecl("camber_dropout") @implementation public func camber_dropout(_ tape: OpaquePointer!, _ x: camber_node, _ key: camber_node, _ rate: Double) -> camber_node {
  build(tape) { h, t in t.dropout(h.node(x), h.node(key), rate: rate) }
}

@_cdecl("camber_scan") @implementation public func camber_scan(
  _ tape: OpaquePointer!, _ body: OpaquePointer!, _ body_inputs: UnsafePointer<camber_node>!, _ body_outputs: UnsafePointer<camber_node>!,
  _ carry_count: Int, _ `init`: UnsafePointer<camber_node>!, _ x_count: Int, _ xs: UnsafePointer<camber_node>!, _ y_count: Int,
  _ length: Int64, _ reverse: Int32, _ out: UnsafeMutablePointer<camber_node>!
) -> camber_status {
  camber_scan_slots(tape, body, body_inputs, body_outputs, carry_count, `init`, x_count, xs, y_count, length, reverse, 0, out)
}

@_cdecl("camber_scan_slots") @implementation public func camber_scan_slots(
  _ tape: OpaquePointer!, _ body: OpaquePointer!, _ body_inputs: UnsafePointer<camber_node>!, _ body_outputs: UnsafePointer<camber_node>!,
  _ carry_count: Int, _ `init`: UnsafePointer<camber_node>!, _ x_count: Int, _ xs: UnsafePointer<camber_node>!, _ y_count: Int,
  _ length: Int64, _ reverse: Int32, _ slots: Int64, _ out: UnsafeMutablePointer<camber_node>!
) -> camber_status {
  let limit = 1 << 20
  guard carry_count >= 0, x_count >= 0, y_count >= 0, carry_count < limit, x_count < limit, y_count < limit else {
    guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
    h.tape.fail(.invalid, "scan: \(UInt(bitPattern: carry_count)) carries, \(UInt(bitPattern: x_count)) x's, \(UInt(bitPattern: y_count)) y's")
    return h.status
  }
  return transform(tape, out, carry_count + y_count, "scan") { h, t in
    guard let b = tapeHandle(body) else { t.fail(.handle, "scan: the body is NULL, freed or no tape"); return nil }
    guard let inner = h.nodes(`init`, carry_count, "scan"), let stacked = h.nodes(xs, x_count, "scan"),
          let ins = h.nodes(body_inputs, carry_count + x_count, "scan", of: b), let outs = h.nodes(body_outputs, carry_count + y_count, "scan", of: b) else { return nil }
    return t.parts(t.scan(body: b.tape, inputs: ins, outputs: outs, init: inner, xs: stacked, ys: y_count, length: Int(length), reverse: reverse != 0, slots: Int(slots)))
  }
}

@_cdecl("camber_checkpoint") @implementation public func camber_checkpoint(
  _ tape: OpaquePointer!, _ outputs: UnsafePointer<camber_node>!, _ output_count: Int, _ inputs: UnsafePointer<camber_node>!, _ input_count: Int,
  _ keep: Int32, _ results: UnsafeMutablePointer<camber_node>!
) -> camber_status {
  transform(tape, results, output_count, "checkpoint") { h, t in
    guard let k = Keeping(rawValue: keep) else { t.fail(.invalid, "checkpoint: keep \(keep) is none of CAMBER_KEEP_NOTHING, CAMBER_KEEP_PRODUCTS"); return nil }
    guard let y = h.nodes(outputs, output_count, "checkpoint"), let x = h.nodes(inputs, input_count, "checkpoint") else { return nil }
    return t.checkpoint(y, x, keeping: k)
  }
}
