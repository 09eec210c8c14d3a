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

  /// One fused loop: primal carries and their tangents side by side, with the tangents' masks where there are any. Results by member of `n`.
  func scanForward(_ n: NodeID, _ tangents: [Masked?]) -> [Masked?] {
    let s = scanShape(n), x = inputs(n), members = s.carries + s.ys
    let none = [Masked?](repeating: nil, count: members), masked = tangents.contains { $0?.mask != nil }
    let (on, reach) = activity(s, tangents.map { $0 != nil })
    adopt(s.body.tape)
    if failure != nil { return none }
    let inner = Tape(), ins = s.body.inputs.map { inner.input(s.body.tape.type($0)) }
    let dots = ins.indices.map { on[$0] ? inner.input(inner.type(ins[$0])) : NodeID.none }
    let masks = ins.indices.map { on[$0] && masked ? inner.input(inner.type(ins[$0]).with(.bool)) : NodeID.none }
    let outs = inner.inline(s.body, ins)
    if let f = inner.failure { fail(f.code, f.message); return none }
    let seeds = Dictionary(uniqueKeysWithValues: ins.indices.filter { on[$0] }.map { (ins[$0], Masked(dots[$0], masked ? masks[$0] : nil)) })
    let d = inner.forward(outs, seeds)
    if let f = inner.failure { fail(f.code, f.message); return none }
    func dot(_ i: Int) -> NodeID { d[i]?.value ?? inner.zeros(outs[i]) }
    func mask(_ i: Int) -> NodeID { inner.present(d[i], like: outs[i]) }
    let (c0, x0, k0) = split(s, ins), (dc, dx, dk) = split(s, dots), (mc, mx, mk) = split(s, masks)
    let live = { (list: [NodeID]) in list.filter { !$0.isNone } }
    let cs = (0 ..< s.carries).filter { on[$0] }, ys = (s.carries ..< members).filter { reach[$0] }
    let bodyInputs: [NodeID] = [c0, live(dc), live(mc), x0, live(dx), live(mx), k0, live(dk), live(mk)].flatMap { $0 }
    var outputs: [NodeID] = outs[..<s.carries] + cs.map(dot)
    if masked { outputs += cs.map(mask) }
    outputs += outs[s.carries...] + ys.map(dot)
    if masked { outputs += ys.map(mask) }
    let body = Body(tape: inner, inputs: bodyInputs, outputs: outputs)
    let operandDots = x.indices.map { i in on[i] ? tangents[i]?.value ?? zeros(x[i]) : NodeID.none }
    let operandMasks = x.indices.map { i in on[i] && masked ? present(tangents[i], like: x[i]) : NodeID.none }
    let (c, xs, ks) = split(s, x), (tc, tx, tk) = split(s, operandDots), (pc, px, pk) = split(s, operandMasks)
    let y = scan(body, c + live(tc + pc), xs + live(tx + px), ks + live(tk + pk), length: s.length, reverse: s.reverse)
    guard contains(y) else { return none }
    extend(n, y)
    var result = none
    for (k, i) in cs.enumerated() { result[i] = Masked(part(y, s.carries + k), masked ? part(y, s.carries + cs.count + k) : nil) }
    let first = s.carries + cs.count * (masked ? 2 : 1) + s.ys
    for (k, i) in ys.enumerated() { result[i] = Masked(part(y, first + k), masked ? part(y, first + ys.count + k) : nil) }
    return result
  }

  /// Where a tangent or cotangent of `x` is present, as a node.
  private func present(_ m: Masked?, like x: NodeID) -> NodeID {
    guard contains(x) else { return .none }
    return m.map { $0.mask ?? ones(mask: x) } ?? full(type(x).with(.bool), 0)
  }

  /// The loop run backwards over saved carries. The primal loop is extended to stack those that the backward body reads.
  func scanReverse(_ n: NodeID, _ cts: [Masked?], _ active: [Bool], linear: Bool) -> [Masked?] {
    let s = scanShape(n), x = inputs(n), C = s.carries
    let none = [Masked?](repeating: nil, count: x.count), masked = cts.contains { $0?.mask != nil }
    let (on, reach) = activity(s, active)
    adopt(s.body.tape)
    if failure != nil { return none }
    let inner = Tape(), ins = s.body.inputs.map { inner.input(s.body.tape.type($0)) }
    let outs = inner.inline(s.body, ins)
    let ys = (C ..< C + s.ys).filter { cts[$0] != nil && reach[$0] }
    guard inner.failure == nil else { if let f = inner.failure { fail(f.code, f.message) }; return none }
    // A carry that no cotangent gets back to takes no part.
    var live = (0 ..< C).map { on[$0] && cts[$0] != nil }, found = true
    while found {
      found = false
      let from = (live.indices.filter { live[$0] } + ys).map { outs[$0] }
      for i in 0 ..< C where on[i] && !live[i] && inner.reached(from, from: [ins[i]]).contains(true) { live[i] = true; found = true }
    }
    let carries = (0 ..< C).filter { live[$0] }, xs = (C ..< C + s.xs).filter { on[$0] }, consts = (C + s.xs ..< x.count).filter { on[$0] }
    func seeds(_ nodes: [NodeID], bool: Bool = false) -> [NodeID] { nodes.map { inner.input(bool ? inner.type($0).with(.bool) : inner.type($0)) } }
    let ctCarries = seeds(carries.map { outs[$0] }), ctConsts = seeds(consts.map { ins[$0] }), ctYs = seeds(ys.map { outs[$0] })
    let maskCarries = masked ? seeds(ctCarries, bool: true) : [], maskConsts = masked ? seeds(ctConsts, bool: true) : [], maskYs = masked ? seeds(ctYs, bool: true) : []
    let wrt = (carries + xs + consts).map { ins[$0] }
    var given: [(node: NodeID, ct: Masked)] = []
    for (k, i) in carries.enumerated() { given.append((outs[i], Masked(ctCarries[k], masked ? maskCarries[k] : nil))) }
    for (k, i) in ys.enumerated() { given.append((outs[i], Masked(ctYs[k], masked ? maskYs[k] : nil))) }
    let pulled = inner.reverse(given, wrt: wrt, linear: linear)
    func gradient(_ k: Int) -> NodeID { pulled[k]?.value ?? inner.zeros(wrt[k]) }
    func mask(_ k: Int) -> NodeID { inner.present(pulled[k], like: wrt[k]) }
    // x's and captured nodes that nothing comes back to have no gradient: not zeros.
    let ofCarries = Array(carries.indices), ofXs = xs.indices.map { carries.count + $0 }.filter { pulled[$0] != nil }
    let ofConsts = consts.indices.filter { pulled[carries.count + xs.count + $0] != nil }
    func ofConst(_ k: Int) -> Int { carries.count + xs.count + k }
    var outputs = ofCarries.map(gradient) + ofConsts.map { inner.add(ctConsts[$0], gradient(ofConst($0))) }
    if masked { outputs += ofCarries.map(mask) + ofConsts.map { inner.or(maskConsts[$0], mask(ofConst($0))) } }
    outputs += ofXs.map(gradient) + (masked ? ofXs.map(mask) : [])
    if let f = inner.failure { fail(f.code, f.message); return none }
    if outputs.isEmpty { return none }
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
      extend(n, y)
      stacks = saved.indices.map { part(y, C + s.ys + $0) }
    }
    let keptConsts = ofConsts.map { ctConsts[$0] }, keptMasks = masked ? ofConsts.map { maskConsts[$0] } : []
    let bodyInputs: [NodeID] = [ctCarries, keptConsts, maskCarries, keptMasks, saved.map { ins[$0] }, passedXs.map { ins[$0] }, ctYs, maskYs, passedConsts.map { ins[$0] }].flatMap { $0 }
    let body = Body(tape: inner, inputs: bodyInputs, outputs: outputs)
    var start = carries.map { cts[$0]?.value ?? zeros(part(n, $0)) } + ofConsts.map { zeros(x[consts[$0]]) }
    if masked { start += carries.map { present(cts[$0], like: part(n, $0)) } + ofConsts.map { present(nil, like: x[consts[$0]]) } }
    let cotangents = ys.map { cts[$0]?.value ?? .none } + (masked ? ys.map { present(cts[$0], like: part(n, $0)) } : [])
    let back = scan(body, start, stacks + passedXs.map { x[$0] } + cotangents, passedConsts.map { x[$0] }, length: s.length, reverse: !s.reverse)
    guard contains(back) else { return none }
    var result = none
    let c = carries.count + ofConsts.count
    for (k, i) in (carries + ofConsts.map { consts[$0] }).enumerated() where active[i] {
      if k < carries.count, cts[i] == nil, pulled[k] == nil { continue }
      result[i] = Masked(part(back, k), masked ? part(back, c + k) : nil)
    }
    for (k, p) in ofXs.enumerated() where active[xs[p - carries.count]] {
      result[xs[p - carries.count]] = Masked(part(back, (masked ? 2 : 1) * c + k), masked ? part(back, 2 * c + ofXs.count + k) : nil)
    }
    return result
  }

  /// `longer` computes what `n` does, and more.
  private func extend(_ n: NodeID, _ longer: NodeID) {
    if !extensions.contains(where: { $0.0 == n.index && $0.1 == longer.index }) { extensions.append((n.index, longer.index)) }
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
    adopt(t)
    for i in 0 ..< C where on[i] { reach[i] = true }
    let inner = Tape()
    let plain = s.body.inputs.map { inner.input(t.type($0)) }
    let wide = plain.indices.map { i in on[i] ? inner.input(TensorType(inner.dtype(plain[i]), [size] + inner.shape(plain[i]))) : plain[i] }
    let outs = inner.inline(s.body, plain)
    if let f = inner.failure { fail(f.code, f.message); return (.none, reach) }
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
