public import CCamber
import Tape

@_cdecl("camber_cond") @implementation public func camber_cond(
  _ tape: OpaquePointer!, _ predicate: camber_node, _ true_branch: OpaquePointer!, _ true_outputs: Nodes!, _ false_branch: OpaquePointer!, _ false_outputs: Nodes!,
  _ output_count: Int, _ out: MutableNodes!
) -> camber_status {
  transform(tape, out, output_count, "cond") { h, t in
    guard let yes = tapeHandle(true_branch) else { t.fail(.handle, "cond: the true branch is NULL, freed or no tape"); return nil }
    guard let no = tapeHandle(false_branch) else { t.fail(.handle, "cond: the false branch is NULL, freed or no tape"); return nil }
    guard let a = h.nodes(true_outputs, output_count, "cond", of: yes), let b = h.nodes(false_outputs, output_count, "cond", of: no) else { return nil }
    return t.parts(t.cond("cond", choice: h.node(predicate), branches: [(no.tape, b), (yes.tape, a)]))
  }
}

@_cdecl("camber_switch") @implementation public func camber_switch(
  _ tape: OpaquePointer!, _ index: camber_node, _ branch_count: Int, _ branches: UnsafePointer<OpaquePointer?>!, _ outputs: Nodes!, _ output_count: Int, _ out: MutableNodes!
) -> camber_status {
  transform(tape, out, output_count, "switch") { h, t in
    guard branch_count >= 1, branch_count <= Tape.branchLimit else {
      t.fail(.invalid, "switch: \(UInt(bitPattern: branch_count)) branches; 1 to \(Tape.branchLimit) are taken")
      return nil
    }
    guard let branches else { t.fail(.invalid, "switch: the array of \(branch_count) branches is NULL"); return nil }
    guard output_count == 0 || outputs != nil else { t.fail(.invalid, "switch: the array of outputs is NULL"); return nil }
    var list: [(tape: Tape, outputs: [NodeID])] = []
    for k in 0 ..< branch_count {
      guard let b = tapeHandle(branches[k]) else { t.fail(.handle, "switch: branch \(k) is NULL, freed or no tape"); return nil }
      guard let y = h.nodes(outputs.map { $0 + k * output_count }, output_count, "switch", of: b) else { return nil }
      list.append((b.tape, y))
    }
    return t.parts(t.cond("switch", choice: h.node(index), branches: list))
  }
}

@_cdecl("camber_while") @implementation public func camber_while(
  _ tape: OpaquePointer!, _ body: OpaquePointer!, _ body_inputs: Nodes!, _ go: camber_node, _ body_outputs: Nodes!, _ carry_count: Int, _ `init`: Nodes!,
  _ max_steps: Int64, _ slots: Int64, _ out: MutableNodes!
) -> camber_status {
  transform(tape, out, carry_count, "while") { h, t in
    guard let b = tapeHandle(body) else { t.fail(.handle, "while: the body is NULL, freed or no tape"); return nil }
    guard let start = h.nodes(`init`, carry_count, "while"), let ins = h.nodes(body_inputs, carry_count, "while", of: b),
          let outs = h.nodes(body_outputs, carry_count, "while", of: b) else { return nil }
    let p = b.node(go)
    b.settle()
    return t.parts(t.whileLoop(body: b.tape, inputs: ins, go: p, outputs: outs, init: start, limit: Int(max_steps), slots: Int(slots)))
  }
}

@_cdecl("camber_map") @implementation public func camber_map(
  _ tape: OpaquePointer!, _ body: OpaquePointer!, _ body_inputs: Nodes!, _ body_outputs: Nodes!, _ x_count: Int, _ xs: Nodes!, _ output_count: Int, _ block: Int64, _ out: MutableNodes!
) -> camber_status {
  transform(tape, out, output_count, "map") { h, t in
    guard let b = tapeHandle(body) else { t.fail(.handle, "map: the body is NULL, freed or no tape"); return nil }
    guard let x = h.nodes(xs, x_count, "map"), let ins = h.nodes(body_inputs, x_count, "map", of: b), let outs = h.nodes(body_outputs, output_count, "map", of: b) else { return nil }
    return t.map(body: b.tape, inputs: ins, outputs: outs, over: x, block: Int(block))
  }
}

@_cdecl("camber_capture") @implementation public func camber_capture(_ tape: OpaquePointer!, _ outer: camber_node) -> camber_node {
  build(tape) { h, t in
    let n = h.node(outer)
    return t.contains(n) ? n : t.fail(.node, "capture: the node is of no tape around this one")
  }
}

@_cdecl("camber_guard") @implementation public func camber_guard(
  _ tape: OpaquePointer!, _ condition: camber_node, _ expected: Int32, _ label: UnsafePointer<CChar>!
) -> camber_status {
  transform(tape, nil, 0, "guard") { h, t in
    t.guarding(h.node(condition), expected != 0, label.map { String(cString: $0) } ?? "")
    return []
  }
}
