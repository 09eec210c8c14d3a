public import CCamber
import Sparse
import Tape

func eliminationOrder(_ t: Tape, _ name: UnsafePointer<CChar>?, _ what: StaticString) -> EliminationOrder? {
  guard let name else { return .best }
  let s = String(cString: name)
  for o in EliminationOrder.allCases where o.name == s { return o }
  t.fail(.invalid, "\(what): the order \(s) is none of best, forward, reverse, markowitz, relative_markowitz, min_fill, annealing")
  return nil
}

@_cdecl("camber_elimination") @implementation public func camber_elimination(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int, _ order: UnsafePointer<CChar>!, _ blocks: MutableNodes!
) -> camber_status {
  transform(tape, blocks, blockCount(output_count, input_count), "elimination") { h, t in
    guard let o = eliminationOrder(t, order, "elimination") else { return nil }
    guard let y = h.nodes(outputs, output_count, "elimination"), let x = h.nodes(inputs, input_count, "elimination") else { return nil }
    return t.eliminatedBlocks(y, x, o, name: "elimination")
  }
}

@_cdecl("camber_elimination_cost") @implementation public func camber_elimination_cost(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int, _ order: UnsafePointer<CChar>!, _ every: Int32,
  _ costs: UnsafeMutablePointer<Int64>!
) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  counted(h, outputs, output_count, inputs, input_count, order, every != 0, costs)
  return h.status
}

@inline(never) private func counted(_ h: TapeHandle, _ outputs: Nodes?, _ m: Int, _ inputs: Nodes?, _ n: Int, _ order: UnsafePointer<CChar>?, _ every: Bool,
                                    _ costs: UnsafeMutablePointer<Int64>?) {
  let t = h.tape
  guard t.failure == nil, let o = eliminationOrder(t, order, "elimination_cost") else { return }
  guard let y = h.nodes(outputs, m, "elimination_cost"), let x = h.nodes(inputs, n, "elimination_cost") else { return }
  guard let costs else { t.fail(.invalid, "elimination_cost: the array for 4 numbers is NULL"); return }
  guard let e = t.eliminationCosts(y, x, o, every: every, name: "elimination_cost") else { return }
  costs[0] = Int64(e.vertices)
  costs[1] = Int64(e.edges)
  costs[2] = Int64(e.cost.products)
  costs[3] = Int64(e.cost.sums)
}

@_cdecl("camber_edge_pushing_cost") @implementation public func camber_edge_pushing_cost(
  _ tape: OpaquePointer!, _ output: camber_node, _ inputs: Nodes!, _ input_count: Int, _ costs: UnsafeMutablePointer<Int64>!
) -> camber_status {
  guard let h = tapeHandle(tape) else { return CAMBER_EHANDLE.raw }
  pushing(h, output, inputs, input_count, costs)
  return h.status
}

@inline(never) private func pushing(_ h: TapeHandle, _ output: camber_node, _ inputs: Nodes?, _ n: Int, _ costs: UnsafeMutablePointer<Int64>?) {
  let t = h.tape
  guard t.failure == nil, let x = h.nodes(inputs, n, "edge_pushing_cost") else { return }
  guard let costs else { t.fail(.invalid, "edge_pushing_cost: the array for 4 numbers is NULL"); return }
  guard let e = t.edgePushingCost(h.node(output), x) else { return }
  for (k, v) in [e.vertices, e.edges, e.cost.products, e.cost.sums].enumerated() { costs[k] = Int64(v) }
}

@_cdecl("camber_preaccumulate") @implementation public func camber_preaccumulate(
  _ tape: OpaquePointer!, _ outputs: Nodes!, _ output_count: Int, _ inputs: Nodes!, _ input_count: Int, _ results: MutableNodes!
) -> camber_status {
  transform(tape, results, output_count, "preaccumulate") { h, t in
    guard let y = h.nodes(outputs, output_count, "preaccumulate"), let x = h.nodes(inputs, input_count, "preaccumulate") else { return nil }
    return t.preaccumulate(y, x)
  }
}
