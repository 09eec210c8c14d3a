/// Derivatives and batches of loops: other loops, over bodies derived from the body.
extension Tape {
  /// Which body inputs a differentiable change reaches when it enters at `seeds`; carries feed back until nothing changes.
  private func activity(_ s: ScanShape, _ seeds: [Bool]) -> (inputs: [Bool], outputs: [Bool]) {
    let t = s.body.tape
    var on = seeds
    while true {
      let reach = t.reached(s.body.outputs, from: zip(s.body.inputs, on).filter(\.1).map(\.0))
      var grew = false
      for i in 0 ..< s.carries where reach[i] && !on[i] { on[i] = true; grew = true }
      if !grew { return (on, reach) }
    }
  }

  /// Which outputs depend on `inputs` through float values.
  func reached(_ outputs: [NodeID], from inputs: [NodeID]) -> [Bool] {
    guard let first = inputs.map(\.index).min(), let nodes = order(outputs, from: first), var on = PerNode<UInt8>(self, 0, from: first) else {
      return outputs.map { _ in false }
    }
    for n in inputs { on[n] = 1 }
    for k in 0 ..< nodes.count where on[nodes[k]] == 0 {
      let r = record(nodes[k])
      if r.type >= 0, !types[Int(r.type)].dtype.isFloat { continue }
      for slot in 0 ..< Int(r.arity) {
        let x = input(of: r, slot)
        if x.index >= first, on[x] != 0 { on[nodes[k]] = 1; break }
      }
    }
    return outputs.map { $0.index >= first && on[$0] != 0 }
  }

  private func split(_ s: ScanShape, _ x: [NodeID]) -> (carries: [NodeID], xs: [NodeID], consts: [NodeID]) {
    (Array(x[..<s.carries]), Array(x[s.carries ..< s.carries + s.xs]), Array(x[(s.carries + s.xs)...]))
  }

  /// One fused loop: primal carries and their tangents side by side. Results by member of `n`.
  func scanForward(_ n: NodeID, _ tangents: [Masked?]) -> [Masked?] {
    let s = scanShape(n), x = inputs(n), members = s.carries + s.ys
    let none = [Masked?](repeating: nil, count: members)
    let (on, reach) = activity(s, tangents.map { $0 != nil })
    let inner = Tape(), ins = s.body.inputs.map { inner.input(s.body.tape.type($0)) }
    let dots = ins.indices.map { on[$0] ? inner.input(inner.type(ins[$0])) : NodeID.none }
    let outs = inner.inline(s.body, ins)
    let seeds = Dictionary(uniqueKeysWithValues: ins.indices.filter { on[$0] }.map { (ins[$0], Masked(dots[$0])) })
    let d = inner.forward(outs, seeds)
    func dot(_ i: Int) -> NodeID { d[i]?.value ?? inner.zeros(outs[i]) }
    let (c0, x0, k0) = split(s, ins), (dc, dx, dk) = split(s, dots)
    let live = { (list: [NodeID]) in list.filter { !$0.isNone } }
    let ys = (s.carries ..< members).filter { reach[$0] }
    let body = Body(tape: inner, inputs: c0 + live(dc) + x0 + live(dx) + k0 + live(dk),
                    outputs: outs[..<s.carries] + (0 ..< s.carries).filter { on[$0] }.map(dot) + outs[s.carries...] + ys.map(dot))
    let operandDots = x.indices.map { i in on[i] ? tangents[i]?.value ?? zeros(x[i]) : NodeID.none }
    let (cs, xs, ks) = split(s, x), (tc, tx, tk) = split(s, operandDots)
    let y = scan(body, cs + live(tc), xs + live(tx), ks + live(tk), length: s.length, reverse: s.reverse)
    guard contains(y) else { return none }
    extensions[n.index] = y.index
    var result = none, next = s.carries
    for i in 0 ..< s.carries where on[i] { result[i] = Masked(part(y, next)); next += 1 }
    next += s.ys
    for k in ys { result[k] = Masked(part(y, next)); next += 1 }
    return result
  }

  /// The loop run backwards over saved carries. The primal loop is extended to stack those that the backward body reads.
  func scanReverse(_ n: NodeID, _ cts: [Masked?], _ active: [Bool], linear: Bool) -> [Masked?] {
    let s = scanShape(n), x = inputs(n), C = s.carries
    let none = [Masked?](repeating: nil, count: x.count)
    let (on, reach) = activity(s, active)
    let inner = Tape(), ins = s.body.inputs.map { inner.input(s.body.tape.type($0)) }
    let outs = inner.inline(s.body, ins)
    let carries = (0 ..< C).filter { on[$0] }, xs = (C ..< C + s.xs).filter { on[$0] }, consts = (C + s.xs ..< x.count).filter { on[$0] }
    let ys = (C ..< C + s.ys).filter { cts[$0] != nil && reach[$0] }
    guard inner.failure == nil else { if let f = inner.failure { fail(f.code, f.message) }; return none }
    let ctCarries = carries.map { inner.input(inner.type(outs[$0])) }, ctConsts = consts.map { inner.input(inner.type(ins[$0])) }
    let ctYs = ys.map { inner.input(inner.type(outs[$0])) }
    let wrt = (carries + xs + consts).map { ins[$0] }
    let pulled = inner.reverse(zip(carries, ctCarries).map { (outs[$0], Masked($1)) } + zip(ys, ctYs).map { (outs[$0], Masked($1)) }, wrt: wrt, linear: linear)
    func gradient(_ k: Int) -> NodeID { pulled[k]?.value ?? inner.zeros(wrt[k]) }
    let newCarries = carries.indices.map(gradient)
    let newXs = xs.indices.map { gradient(carries.count + $0) }
    let newConsts = consts.indices.map { k in
      let g = pulled[carries.count + xs.count + k]
      return g.map { inner.add(ctConsts[k], $0.value) } ?? ctConsts[k]
    }
    let outputs = newCarries + newConsts + newXs
    if let f = inner.failure { fail(f.code, f.message); return none }
    // Only what the backward body reads is saved or passed.
    let used = inner.inputsReached(outputs)
    let saved = (0 ..< C).filter { used.contains(ins[$0]) }, passedXs = (C ..< C + s.xs).filter { used.contains(ins[$0]) }
    let passedConsts = (C + s.xs ..< x.count).filter { used.contains(ins[$0]) }
    var stacks: [NodeID] = []
    if !saved.isEmpty {
      let t = s.body.tape
      let whole = Body(tape: t, inputs: s.body.inputs, outputs: s.body.outputs + saved.map { s.body.inputs[$0] })
      let (cs, xx, ks) = split(s, x)
      let y = scan(whole, cs, xx, ks, length: s.length, reverse: s.reverse)
      guard contains(y) else { return none }
      extensions[n.index] = y.index
      stacks = saved.indices.map { part(y, C + s.ys + $0) }
    }
    let body = Body(tape: inner, inputs: ctCarries + ctConsts + saved.map { ins[$0] } + passedXs.map { ins[$0] } + ctYs + passedConsts.map { ins[$0] }, outputs: outputs)
    let start = carries.map { cts[$0]?.value ?? zeros(part(n, $0)) } + consts.map { zeros(x[$0]) }
    let back = scan(body, start, stacks + passedXs.map { x[$0] } + ys.map { cts[$0]?.value ?? .none }, passedConsts.map { x[$0] }, length: s.length, reverse: !s.reverse)
    guard contains(back) else { return none }
    var result = none
    for (k, i) in (carries + consts + xs).enumerated() where active[i] { result[i] = Masked(part(back, k)) }
    return result
  }

  func inputsReached(_ outputs: [NodeID]) -> Set<NodeID> {
    guard let nodes = order(outputs) else { return [] }
    var set = Set<NodeID>()
    for k in 0 ..< nodes.count where structural(nodes[k]) == .input { set.insert(nodes[k]) }
    return set
  }

  /// The loop over batched values: which carries are batched is a fixpoint. Members of the result: batched (true) or as they were.
  func scanBatch(_ n: NodeID, _ operands: [NodeID?], size: Int) -> (NodeID, [Bool]) {
    let s = scanShape(n), x = inputs(n), C = s.carries, t = s.body.tape
    var on = operands.map { $0 != nil }, reach: [Bool]
    repeat {
      reach = t.depends(s.body.outputs, on: zip(s.body.inputs, on).filter(\.1).map(\.0))
      let more = (0 ..< C).filter { reach[$0] && !on[$0] }
      for i in more { on[i] = true }
      if more.isEmpty { break }
    } while true
    for i in 0 ..< C where on[i] { reach[i] = true }
    let inner = Tape()
    let plain = s.body.inputs.map { inner.input(t.type($0)) }
    let wide = plain.indices.map { i in on[i] ? inner.input(TensorType(inner.dtype(plain[i]), [size] + inner.shape(plain[i]))) : plain[i] }
    let outs = inner.inline(s.body, plain)
    let seeds = plain.indices.filter { on[$0] }
    let batched = inner.batched(outs, Dictionary(uniqueKeysWithValues: seeds.map { (plain[$0], wide[$0]) }), size: size)
    let outputs = outs.indices.map { i in batched[i] ?? (reach[i] ? inner.addLeading(outs[i], size) : outs[i]) }
    for i in outs.indices where batched[i] != nil { reach[i] = true }
    if let f = inner.failure { fail(f.code, f.message); return (.none, reach) }
    let given = x.indices.map { i -> NodeID in
      guard on[i] else { return x[i] }
      guard let b = operands[i] else { return addLeading(x[i], size) }
      // Time stays in front of the batch.
      return i >= C && i < C + s.xs ? swapLeading(b) : b
    }
    let (cs, xs, ks) = split(s, given)
    return (scan(Body(tape: inner, inputs: wide, outputs: outputs), cs, xs, ks, length: s.length, reverse: s.reverse), reach)
  }

  func swapLeading(_ x: NodeID) -> NodeID {
    guard contains(x) else { return .none }
    return transpose(x, [1, 0] + Array(2 ..< max(shape(x).count, 2)))
  }

  /// Which outputs depend on `inputs` at all.
  func depends(_ outputs: [NodeID], on inputs: [NodeID]) -> [Bool] {
    guard let first = inputs.map(\.index).min(), let nodes = order(outputs, from: first), var on = PerNode<UInt8>(self, 0, from: first) else { return outputs.map { _ in false } }
    for n in inputs { on[n] = 1 }
    for k in 0 ..< nodes.count where on[nodes[k]] == 0 {
      let r = record(nodes[k])
      for slot in 0 ..< Int(r.arity) {
        let x = input(of: r, slot)
        if x.index >= first, on[x] != 0 { on[nodes[k]] = 1; break }
      }
    }
    return outputs.map { $0.index >= first && on[$0] != 0 }
  }
}
