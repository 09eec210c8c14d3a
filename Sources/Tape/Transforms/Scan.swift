/// Derivatives and batches of loops: other loops, over bodies derived from the body.
extension Tape {
  func split(_ s: ScanShape, _ x: [NodeID]) -> (carries: [NodeID], xs: [NodeID], consts: [NodeID]) {
    (Array(x[..<s.carries]), Array(x[s.carries ..< s.carries + s.xs]), Array(x[(s.carries + s.xs)...]))
  }

  /// One fused loop: primal carries and their tangents side by side, with the tangents' masks where there are any. Results by member of `n`.
  func scanForward(_ n: NodeID, _ tangents: [Masked?]) -> [Masked?] {
    let s = scanShape(n), x = inputs(n), members = s.carries + s.ys
    let none = [Masked?](repeating: nil, count: members), masked = tangents.contains { $0?.mask != nil }
    let (on, reach) = spread(s.body, carries: s.carries, tangents.map { $0 != nil }, floats: true)
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
    let y = scan(body, c + live(tc + pc), xs + live(tx + px), ks + live(tk + pk), length: s.length, reverse: s.reverse, slots: s.slots)
    guard contains(y) else { return none }
    var result = none
    for (k, i) in cs.enumerated() { result[i] = Masked(part(y, s.carries + k), masked ? part(y, s.carries + cs.count + k) : nil) }
    let first = s.carries + cs.count * (masked ? 2 : 1) + s.ys
    for (k, i) in ys.enumerated() { result[i] = Masked(part(y, first + k), masked ? part(y, first + ys.count + k) : nil) }
    return result
  }

  /// Where a tangent or cotangent of `x` is present, as a node.
  func present(_ m: Masked?, like x: NodeID) -> NodeID {
    guard contains(x) else { return .none }
    return m.map { $0.mask ?? ones(mask: x) } ?? full(type(x).with(.bool), 0)
  }

  /// Whether the carries and x's of loop `b` begin with those of `a`.
  func scanMayContain(_ b: NodeID, _ a: NodeID) -> Bool {
    let s = scanShape(a), t = scanShape(b)
    guard s.length == t.length, s.reverse == t.reverse, s.carries <= t.carries, s.xs <= t.xs, s.carries + s.ys <= t.carries + t.ys else { return false }
    return (0 ..< s.carries).allSatisfy { input(a, $0) == input(b, $0) } && (0 ..< s.xs).allSatisfy { input(a, s.carries + $0) == input(b, t.carries + $0) }
  }

  /// Where the members of loop `a` stand among those of `b`, which may contain it; nil where b does not compute them all.
  /// So do a loop's extensions: with stacked carries, with tangents, with both.
  func scanMembers(of a: NodeID, in b: NodeID) -> [Int]? {
    let s = scanShape(a), t = scanShape(b), p = inputs(a), q = inputs(b)
    let common = Tape(), ins = t.body.inputs.map { common.input(t.body.tape.type($0)) }
    var shared = Array(ins[..<s.carries] + ins[t.carries...].prefix(s.xs))
    // What is captured twice is given twice, in the same order.
    var captured: [NodeID: [NodeID]] = [:]
    for k in (t.carries + t.xs ..< q.count).reversed() { captured[q[k], default: []].append(ins[k]) }
    for c in p[(s.carries + s.xs)...] {
      guard let x = captured[c]?.popLast() else { return nil }
      shared.append(x)
    }
    let x = common.inline(s.body, shared), y = common.inline(t.body, ins)
    guard common.failure == nil, x[..<s.carries] == y[..<s.carries] else { return nil }
    var place: [NodeID: Int] = [:]
    for k in (t.carries ..< y.count).reversed() { place[y[k]] = k }
    let ys = x[s.carries...].compactMap { place[$0] }
    return ys.count == s.ys ? Array(0 ..< s.carries) + ys : nil
  }

  /// The loop over batched values: which carries are batched is a fixpoint. Members of the result: batched (true) or as they were.
  func scanBatch(_ n: NodeID, _ operands: [NodeID?], size: Int) -> (NodeID, [Bool]) {
    let s = scanShape(n), x = inputs(n), C = s.carries, t = s.body.tape
    var (on, reach) = spread(s.body, carries: C, operands.map { $0 != nil }, floats: false)
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
    return (scan(Body(tape: inner, inputs: wide, outputs: outputs), cs, xs, ks, length: s.length, reverse: s.reverse, slots: s.slots), reach)
  }

  func swapLeading(_ x: NodeID) -> NodeID {
    guard contains(x) else { return .none }
    return transpose(x, [1, 0] + Array(2 ..< max(shape(x).count, 2)))
  }
}
