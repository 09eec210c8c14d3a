import CKernels

/// What a loop's body computes from captured nodes alone, computed once outside.
extension Tape {
  /// The body and what it captures, with such nodes as captured ones; unless they are larger than what they are made from (a
  /// broadcast is read in place), the same elements, or constants.
  func hoisted(_ b: Body, _ consts: [NodeID]) -> (Body, [NodeID]) {
    let t = b.tape, first = b.inputs.count - consts.count
    if consts.isEmpty { return (b, consts) }
    guard let nodes = t.order(b.outputs), var varies = PerNode<UInt8>(t, 0), var captures = PerNode<UInt8>(t, 0), var seen = PerNode<UInt8>(t, 0) else {
      adopt(t)
      return (b, consts)
    }
    for (i, n) in b.inputs.enumerated() { if i < first { varies[n] = 1 } else { captures[n] = 1 } }
    var found: [NodeID] = []
    func want(_ top: NodeID) {
      var stack = [top]
      while let n = stack.popLast() {
        let r = t.record(n)
        if seen[n] != 0 || r.arity == 0 || captures[n] == 0 { continue }
        seen[n] = 1
        if r.op == Structural.reshape.rawValue || r.type >= 0 && t.grows(n) { stack += t.inputs(n).reversed() } else { found.append(n) }
      }
    }
    for k in 0 ..< nodes.count {
      let n = nodes[k], r = t.record(n)
      for slot in 0 ..< Int(r.arity) {
        let x = t.input(of: r, slot)
        varies[n] |= varies[x]
        captures[n] |= captures[x]
      }
      // The host's own function is called in each step, unless it is pure.
      if r.op == Structural.host.rawValue, !t.hostShape(n).function.isPure { varies[n] = 1 }
      if varies[n] != 0 { for slot in 0 ..< Int(r.arity) where varies[t.input(of: r, slot)] == 0 { want(t.input(of: r, slot)) } }
    }
    for o in b.outputs where varies[o] == 0 { want(o) }
    // A loop's members, not the loop.
    found.removeAll { t.record($0).type < 0 }
    if found.isEmpty { return (b, consts) }
    let made = rewrite(t, found, Dictionary(uniqueKeysWithValues: zip(b.inputs[first...], consts))) { _, _ in nil }
    guard failure == nil else { return (b, consts) }
    let own = Tape()
    var seeds: [NodeID: NodeID] = [:], inputs: [NodeID] = [], operands: [NodeID] = []
    let left = t.inputsReached(b.outputs, cut: found)
    func add(_ n: NodeID) {
      let x = own.input(t.type(n))
      seeds[n] = x
      inputs.append(x)
    }
    b.inputs[..<first].forEach(add)
    for (n, c) in zip(b.inputs[first...], consts) where left.contains(n) {
      add(n)
      operands.append(c)
    }
    for (n, c) in zip(found, made) {
      add(n)
      operands.append(c)
    }
    let outputs = own.rewrite(t, b.outputs, seeds) { _, _ in nil }
    if let f = own.failure { fail(f.code, f.message) }
    return (Body(tape: own, inputs: inputs, outputs: outputs), operands)
  }

  /// Whether a node is larger than what it reads, broadcasts seen through.
  private func grows(_ n: NodeID) -> Bool {
    var read = 0
    for x in inputs(n) {
      var m = x
      while structural(m) == .broadcast || structural(m) == .reshape { m = input(m, 0) }
      read = isTuple(m) ? Int.max / 2 : max(read, type(m).count)
    }
    return type(n).count > read
  }
}
