public import CCamber
import Sparse
import Tape

public typealias Nodes = UnsafePointer<camber_node>
public typealias MutableNodes = UnsafeMutablePointer<camber_node>

@_cdecl("camber_jvp") @implementation public func camber_jvp(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ tangents: Nodes!, _ input_count: Int, _ out_tangents: MutableNodes!
) -> camber_status {
  transform(tape, out_tangents, output_count, "jvp") { h, t in
    guard let y = h.nodes(outputs, output_count, "jvp"), let x = h.nodes(inputs, input_count, "jvp"), let d = h.nodes(tangents, input_count, "jvp") else { return nil }
    return t.jvp(y, x, d)
  }
}

private func vjp(_ tape: OpaquePointer?, _ outputs: Nodes?, _ cotangents: Nodes?, _ output_count: Int, _ inputs: Nodes?, _ input_count: Int,
                 _ gradients: MutableNodes?, linear: Bool, _ name: StaticString) -> camber_status {
  transform(tape, gradients, input_count, name) { h, t in
    guard let y = h.nodes(outputs, output_count, name), let x = h.nodes(inputs, input_count, name), let c = h.nodes(cotangents, output_count, name) else { return nil }
    return t.vjp(y, c, x, linear: linear)
  }
}

@_cdecl("camber_vjp") @implementation public func camber_vjp(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ cotangents: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int, _ gradients: MutableNodes!
) -> camber_status {
  vjp(tape, outputs, cotangents, output_count, inputs, input_count, gradients, linear: false, "vjp")
}

@_cdecl("camber_linear_transpose") @implementation public func camber_linear_transpose(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ cotangents: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int, _ gradients: MutableNodes!
) -> camber_status {
  vjp(tape, outputs, cotangents, output_count, inputs, input_count, gradients, linear: true, "transpose")
}

@_cdecl("camber_grad") @implementation public func camber_grad(
  _ tape: OpaquePointer!, _ output: camber_node, _ inputs: Nodes!, _ input_count: Int, _ gradients: MutableNodes!
) -> camber_status {
  transform(tape, gradients, input_count, "grad") { h, t in h.nodes(inputs, input_count, "grad").map { t.grad(h.node(output), $0) } }
}

@_cdecl("camber_hvp") @implementation public func camber_hvp(
  _ tape: OpaquePointer!, _ output: camber_node, _ inputs: Nodes!, _ vectors: Nodes!, _ input_count: Int, _ products: MutableNodes!
) -> camber_status {
  transform(tape, products, input_count, "hvp") { h, t in
    guard let x = h.nodes(inputs, input_count, "hvp"), let v = h.nodes(vectors, input_count, "hvp") else { return nil }
    return t.hvp(h.node(output), x, v)
  }
}

/// a * b for counts of results; -1 where that is absurd, which `transform` reports.
func blockCount(_ a: Int, _ b: Int) -> Int {
  guard a >= 0, b >= 0, a <= 1 << 28, b <= 1 << 28 else { return -1 }
  return a * b
}

@_cdecl("camber_jacobian") @implementation public func camber_jacobian(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int, _ mode: Int32, _ blocks: MutableNodes!
) -> camber_status {
  transform(tape, blocks, blockCount(output_count, input_count), "jacobian") { h, t in
    guard mode == CAMBER_ELIMINATION || mode == CAMBER_STAGEWISE || JacobianMode(rawValue: mode) != nil else { t.fail(.invalid, "jacobian: mode \(mode) is none of auto, forward, reverse, elimination, stagewise"); return nil }
    guard let y = h.nodes(outputs, output_count, "jacobian"), let x = h.nodes(inputs, input_count, "jacobian") else { return nil }
    guard let m = JacobianMode(rawValue: mode) else { return mode == CAMBER_STAGEWISE ? t.stagedBlocks(y, x) : t.eliminatedBlocks(y, x) }
    return t.jacobian(y, x, mode: m)
  }
}

@_cdecl("camber_hessian") @implementation public func camber_hessian(
  _ tape: OpaquePointer!, _ output: camber_node, _ inputs: Nodes!, _ input_count: Int, _ blocks: MutableNodes!
) -> camber_status {
  transform(tape, blocks, blockCount(input_count, input_count), "hessian") { h, t in h.nodes(inputs, input_count, "hessian").map { t.hessian(h.node(output), $0) } }
}

@_cdecl("camber_batch") @implementation public func camber_batch(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ batched: Nodes!, _ input_count: Int, _ size: Int64, _ results: MutableNodes!
) -> camber_status {
  transform(tape, results, output_count, "batch") { h, t in
    guard let y = h.nodes(outputs, output_count, "batch"), let x = h.nodes(inputs, input_count, "batch"), let b = h.nodes(batched, input_count, "batch") else { return nil }
    return t.batch(y, x, b, size: Int(size))
  }
}

@_cdecl("camber_substitute") @implementation public func camber_substitute(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ replacements: Nodes!, _ input_count: Int, _ results: MutableNodes!
) -> camber_status {
  transform(tape, results, output_count, "substitute") { h, t in
    guard let y = h.nodes(outputs, output_count, "substitute"), let x = h.nodes(inputs, input_count, "substitute"), let r = h.nodes(replacements, input_count, "substitute") else { return nil }
    return t.substitute(y, x, r)
  }
}

@_cdecl("camber_simplify") @implementation public func camber_simplify(_ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ results: MutableNodes!) -> camber_status {
  transform(tape, results, output_count, "simplify") { h, t in h.nodes(outputs, output_count, "simplify").map { t.simplify($0) } }
}

@_cdecl("camber_precision") @implementation public func camber_precision(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int, _ compute: camber_dtype, _ output: camber_dtype, _ results: MutableNodes!
) -> camber_status {
  transform(tape, results, output_count, "precision") { h, t in
    guard let c = h.dtype(compute, "precision"), let o = h.dtype(output, "precision"),
          let y = h.nodes(outputs, output_count, "precision"), let x = h.nodes(inputs, input_count, "precision") else { return nil }
    return t.precision(y, x, compute: c, output: o)
  }
}

@_cdecl("camber_l1_penalty") @implementation public func camber_l1_penalty(_ tape: OpaquePointer!, _ nodes: Nodes!, _ count: Int) -> camber_node {
  build(tape) { h, t in h.nodes(nodes, count, "l1_penalty").map { t.penalty($0, squared: false) } ?? .none }
}
@_cdecl("camber_l2_penalty") @implementation public func camber_l2_penalty(_ tape: OpaquePointer!, _ nodes: Nodes!, _ count: Int) -> camber_node {
  build(tape) { h, t in h.nodes(nodes, count, "l2_penalty").map { t.penalty($0, squared: true) } ?? .none }
}
@_cdecl("camber_gradient_penalty") @implementation public func camber_gradient_penalty(_ tape: OpaquePointer!, _ loss: camber_node, _ nodes: Nodes!, _ count: Int) -> camber_node {
  build(tape) { h, t in h.nodes(nodes, count, "gradient_penalty").map { t.gradientPenalty(h.node(loss), $0) } ?? .none }
}
@_cdecl("camber_clip_by_global_norm") @implementation public func camber_clip_by_global_norm(
  _ tape: OpaquePointer!, _ nodes: Nodes!, _ count: Int, _ limit: Double, _ results: MutableNodes!
) -> camber_status {
  transform(tape, results, count, "clip_by_global_norm") { h, t in h.nodes(nodes, count, "clip_by_global_norm").map { t.clipByGlobalNorm($0, limit) } }
}
@_cdecl("camber_clip_by_value") @implementation public func camber_clip_by_value(
  _ tape: OpaquePointer!, _ nodes: Nodes!, _ count: Int, _ limit: Double, _ results: MutableNodes!
) -> camber_status {
  transform(tape, results, count, "clip_by_value") { h, t in h.nodes(nodes, count, "clip_by_value").map { t.clipByValue($0, limit) } }
}
@_cdecl("camber_clip_by_norm") @implementation public func camber_clip_by_norm(
  _ tape: OpaquePointer!, _ nodes: Nodes!, _ count: Int, _ limit: Double, _ results: MutableNodes!
) -> camber_status {
  transform(tape, results, count, "clip_by_norm") { h, t in h.nodes(nodes, count, "clip_by_norm").map { t.clipByNorm($0, limit) } }
}
