/// Derivatives forward and batches of `while`: other such loops, over bodies derived from the body.
extension Tape {
  /// One fused loop: primal carries and their tangents side by side. Results by member of `n`.
  func whileForward(_ n: NodeID, _ tangents: [Masked?]) -> [Masked?] {
    let s = whileShape(n), x = inputs(n), C = s.carries, K = s.consts
    let none = [Masked?](repeating: nil, count: C), masked = tangents.contains { $0?.mask != nil }
    let (on, _) = spread(s.body, carries: C, tangents[..<(C + K)].map { $0 != nil }, floats: true)
    adopt(s.body.tape)
    if failure != nil { return none }
    let inner = Tape(), ins = s.body.inputs.map { inner.input(s.body.tape.type($0)) }
    let live = ins.indices.filter { on[$0] }
    let dots = live.map { inner.input(inner.type(ins[$0])) }, masks = masked ? live.map { inner.input(inner.type(ins[$0]).with(.bool)) } : []
    let outs = inner.inline(s.body, ins)
    if let f = inner.failure { fail(f.code, f.message); return none }
    var seeds: [NodeID: Masked] = [:]
    for (k, i) in live.enumerated() { seeds[ins[i]] = Masked(dots[k], masked ? masks[k] : nil) }
    let d = inner.forward(outs, seeds)
    let cs = live.filter { $0 < C }, c = cs.count
    if c == 0 { return none }
    var outputs: [NodeID] = outs[..<C] + cs.map { d[$0]?.value ?? inner.zeros(outs[$0]) }
    if masked { outputs += cs.map { inner.present(d[$0], like: outs[$0]) } }
    outputs.append(outs[C])
    if let f = inner.failure { fail(f.code, f.message); return none }
    let body = Body(tape: inner, inputs: [Array(ins[..<C]), Array(dots[..<c]), Array(masks.prefix(c)), Array(ins[C...]), Array(dots[c...]), Array(masks.dropFirst(c))].flatMap { $0 }, outputs: outputs)
    let given = live.map { tangents[$0]?.value ?? zeros(x[$0]) }, there = masked ? live.map { present(tangents[$0], like: x[$0]) } : []
    let carries = x[..<C] + given[..<c] + there.prefix(c), consts = x[C ..< C + K] + given[c...] + there.dropFirst(c)
    let y = whileLoop(body, Array(carries), Array(consts), begin: x[C + K], limit: s.limit, slots: s.slots)
    guard contains(y) else { return none }
    var result = none
    for (k, i) in cs.enumerated() { result[i] = Masked(part(y, C + k), masked ? part(y, C + c + k) : nil) }
    return result
  }

  /// The loop over batched values. Where elements end at different steps, the loop goes on while any does, and those that have ended stay as they are.
  func whileBatch(_ n: NodeID, _ operands: [NodeID?], size: Int) -> [NodeID]? {
    let s = whileShape(n), x = inputs(n), C = s.carries, K = s.consts
    var (on, reach) = spread(s.body, carries: C, operands[..<(C + K)].map { $0 != nil }, floats: false)
    adopt(s.body.tape)
    if failure != nil { return nil }
    for i in 0 ..< C where on[i] { reach[i] = true }
    let apart = reach[C] || operands[C + K] != nil
    if apart {
      // Each carry stays as it is in some elements and goes on in others.
      for i in 0 ..< C { on[i] = true }
      reach = reach.map { _ in true }
    }
    guard let (body, _) = batchedBody(s.body, on, reach, size: size) else { return nil }
    let given = (0 ..< C + K).map { i in on[i] ? operands[i] ?? addLeading(x[i], size) : x[i] }
    let carries = Array(given[..<C]), consts = Array(given[C...])
    guard apart else {
      let y = whileLoop(body, carries, consts, begin: x[C + K], limit: s.limit, slots: s.slots)
      return contains(y) ? (0 ..< C).map { reach[$0] ? part(y, $0) : addLeading(part(y, $0), size) } : nil
    }
    let inner = Tape(), ins = body.inputs.map { inner.input(body.tape.type($0)) }, going = inner.input(TensorType(.bool, [size]))
    let outs = inner.inline(body, ins)
    var outputs = (0 ..< C).map { inner.select(inner.spreadLeading(going, like: ins[$0]), outs[$0], ins[$0]) }
    let next = inner.and(going, outs[C])
    outputs += [next, inner.contains(next) ? inner.sum(next, axes: [-1], keep: false) : .none]
    if let f = inner.failure { fail(f.code, f.message); return nil }
    let begin = operands[C + K] ?? addLeading(x[C + K], size)
    guard contains(begin) else { return nil }
    let y = whileLoop(Body(tape: inner, inputs: ins[..<C] + [going] + ins[C...], outputs: outputs), carries + [begin], consts,
                      begin: sum(begin, axes: [-1], keep: false), limit: s.limit, slots: s.slots)
    return contains(y) ? (0 ..< C).map { part(y, $0) } : nil
  }

  func whileMembers(of a: NodeID, in b: NodeID) -> [Int]? {
    let s = whileShape(a), t = whileShape(b), p = inputs(a), q = inputs(b), C = s.carries
    guard p[C + s.consts] == q[t.carries + t.consts] else { return nil }
    let common = Tape(), ins = t.body.inputs.map { common.input(t.body.tape.type($0)) }
    var captured: [NodeID: [NodeID]] = [:], shared = Array(ins[..<C])
    for k in (t.carries ..< t.carries + t.consts).reversed() { captured[q[k], default: []].append(ins[k]) }
    for c in p[C ..< C + s.consts] {
      guard let x = captured[c]?.popLast() else { return nil }
      shared.append(x)
    }
    let x = common.inline(s.body, shared), y = common.inline(t.body, ins)
    guard common.failure == nil, x[..<C] == y[..<C], x[C] == y[t.carries] else { return nil }
    return Array(0 ..< C)
  }
}
