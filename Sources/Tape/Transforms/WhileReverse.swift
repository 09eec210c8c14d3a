import CKernels

/// `while` run backwards. Its steps are counted; then a loop goes back over them, from states kept in a fixed number of slots: where the state
/// before the step to be reversed is kept, it reverses it; else it goes on from the latest kept one and keeps another on the way, at the place that
/// the binomial schedule says. All of it is nodes, with derivatives of their own.
extension Tape {
  func whileReverse(_ n: NodeID, _ cts: [Masked?], _ active: [Bool], linear: Bool) -> [Masked?] {
    let s = whileShape(n), x = inputs(n), C = s.carries, K = s.consts
    let none = [Masked?](repeating: nil, count: x.count), masked = cts.contains { $0?.mask != nil }
    let (on, _) = spread(s.body, carries: C, Array(active[..<(C + K)]), floats: true)
    adopt(s.body.tape)
    if failure != nil { return none }
    let inner = Tape(), ins = s.body.inputs.map { inner.input(s.body.tape.type($0)) }, outs = inner.inline(s.body, ins)
    if let f = inner.failure { fail(f.code, f.message); return none }
    // A carry that no cotangent gets back to takes no part.
    let live = inner.comesBack(Array(ins[..<C]), Array(outs[..<C]), on: Array(on[..<C]), live: (0 ..< C).map { on[$0] && cts[$0] != nil }, others: [])
    let carries = (0 ..< C).filter { live[$0] }, consts = (C ..< C + K).filter { on[$0] }
    if carries.isEmpty { return none }
    func seeds(_ nodes: [NodeID], bool: Bool = false) -> [NodeID] { nodes.map { inner.input(bool ? inner.type($0).with(.bool) : inner.type($0)) } }
    let ctCarries = seeds(carries.map { outs[$0] }), maskCarries = masked ? seeds(ctCarries, bool: true) : []
    let given = carries.enumerated().map { k, i in (outs[i], Masked(ctCarries[k], masked ? maskCarries[k] : nil)) }
    let wrt = (carries + consts).map { ins[$0] }, pulled = inner.reverse(given, wrt: wrt, linear: linear)
    if let f = inner.failure { fail(f.code, f.message); return none }
    let reached = consts.indices.filter { pulled[carries.count + $0] != nil }, ofConsts = reached.map { consts[$0] }
    let ctConsts = seeds(ofConsts.map { ins[$0] }), maskConsts = masked ? seeds(ctConsts, bool: true) : []
    var back = carries.indices.map { pulled[$0]?.value ?? inner.zeros(wrt[$0]) }
    back += reached.indices.map { k in inner.add(ctConsts[k], pulled[carries.count + reached[k]]?.value ?? .none) }
    if masked {
      back += carries.indices.map { inner.present(pulled[$0], like: wrt[$0]) }
      back += reached.indices.map { k in inner.or(maskConsts[k], inner.present(pulled[carries.count + reached[k]], like: ctConsts[k])) }
    }
    if let f = inner.failure { fail(f.code, f.message); return none }
    // Which carries a step back reads, and those that take part in computing them again.
    let used = inner.inputsReached(back)
    let kept = inner.comesBack(Array(ins[..<C]), Array(outs[..<C]), on: [Bool](repeating: true, count: C), live: (0 ..< C).map { used.contains(ins[$0]) }, others: [], floats: false)
    let states = (0 ..< C).filter { kept[$0] }
    guard let step = rebuilt(inner, states.map { ins[$0] } + ins[C...], states.map { outs[$0] }),
          let adjoint = rebuilt(inner, ctCarries + ctConsts + maskCarries + maskConsts + states.map { ins[$0] } + ins[C...], back), let count = counted(n) else { return none }
    var start = carries.map { cts[$0]?.value ?? zeros(part(n, $0)) } + ofConsts.map { zeros(x[$0]) }
    if masked { start += carries.map { present(cts[$0], like: part(n, $0)) } + ofConsts.map { present(nil, like: x[$0]) } }
    let y = unwound(count, start, step, adjoint, states.map { x[$0] }, Array(x[C ..< C + K]), s)
    guard y.count == start.count else { return none }
    var result = none
    let all = carries + ofConsts
    for (k, i) in all.enumerated() where active[i] { result[i] = Masked(y[k], masked ? y[all.count + k] : nil) }
    return result
  }

  /// The number of steps of a loop: a carry beside its own.
  private func counted(_ n: NodeID) -> NodeID? {
    let s = whileShape(n), x = inputs(n), C = s.carries
    let inner = Tape(), ins = s.body.inputs.map { inner.input(s.body.tape.type($0)) }, i = inner.input(TensorType(.i64, [])), outs = inner.inline(s.body, ins)
    let body = Body(tape: inner, inputs: ins[..<C] + [i] + ins[C...], outputs: outs[..<C] + [inner.add(i, inner.constant(.i64, integer: 1)), outs[C]])
    let y = whileLoop(body, x[..<C] + [constant(.i64, integer: 0)], Array(x[C ..< C + s.consts]), begin: x[C + s.consts], limit: s.limit, slots: s.slots)
    return contains(y) ? part(y, C) : nil
  }

  /// How many states are kept where nobody says: small ones are cheap to keep, and to move.
  private func slots(_ states: [NodeID], _ s: WhileShape) -> Int {
    let bytes = states.reduce(0) { $0 &+ type($1).bytes }
    let n = s.slots > 0 ? s.slots : max(8, min(64, 65536 / max(bytes, 1)))
    return max(1, s.limit >= 0 ? min(n, s.limit) : n)
  }

  /// `adjoint` of each of `count` steps from the last, on `start`; the steps' states from `first` by `step`.
  private func unwound(_ count: NodeID, _ start: [NodeID], _ step: Body, _ adjoint: Body, _ first: [NodeID], _ consts: [NodeID], _ s: WhileShape) -> [NodeID] {
    let S = slots(first, s), D = start.count, T = first.count
    let int = TensorType(.i64, []), body = Tape()
    let left = body.input(int), top = body.input(int), at = body.input(TensorType(.i64, [S]))
    let stacks = first.map { body.input(TensorType(dtype($0), [S] + shape($0))) }, cts = start.map { body.input(type($0)) }, captured = consts.map { body.input(type($0)) }
    let one = body.constant(.i64, integer: 1), zero = body.constant(.i64, integer: 0)
    var outputs: [NodeID]
    if T == 0 {
      // No step back reads a state.
      outputs = [body.sub(left, one)] + body.inline(adjoint, cts + captured)
    } else {
      let from = body.gather(at, top, axis: -1), need = body.sub(body.sub(left, one), from)
      let states = stacks.map { body.gather($0, top, axis: -body.shape($0).count) }
      let onward = body.and(body.binary(.gt, need, zero), body.binary(.lt, top, body.constant(.i64, integer: Int64(S - 1))))
      let ins = [left, top, at] + stacks + cts + [from, need] + states + captured
      func arm(_ make: (_ t: Tape, _ in: [NodeID]) -> [NodeID]) -> Body {
        let t = Tape(), i = ins.map { t.input(body.type($0)) }
        return Body(tape: t, inputs: i, outputs: make(t, i))
      }
      func ownConsts(_ i: [NodeID]) -> [NodeID] { Array(i[(5 + 2 * T + D)...]) }
      func ownStates(_ i: [NodeID]) -> [NodeID] { Array(i[(5 + T + D) ..< (5 + 2 * T + D)]) }
      let keep = arm { t, i in
        let one = t.constant(.i64, integer: 1), need = i[4 + T + D], slots = t.constant(.i64, integer: Int64(S))
        let go = t.apply(.revolve, [t.add(need, one), t.sub(slots, i[1])]), reached = t.advanced(ownStates(i), by: go, step, ownConsts(i)), next = t.add(i[1], one)
        return [i[0], next, t.put(i[2], next, t.add(i[3 + T + D], go))] + reached.indices.map { t.put(i[3 + $0], next, reached[$0]) } + i[(3 + T) ..< (3 + T + D)]
      }
      let undo = arm { t, i in
        let one = t.constant(.i64, integer: 1), zero = t.constant(.i64, integer: 0), need = i[4 + T + D]
        let reached = t.advanced(ownStates(i), by: need, step, ownConsts(i))
        let top = t.select(t.binary(.gt, need, zero), i[1], t.binary(.maximum, t.sub(i[1], one), zero))
        return [t.sub(i[0], one), top] + i[2 ..< (3 + T)] + t.inline(adjoint, i[(3 + T) ..< (3 + T + D)] + reached + ownConsts(i))
      }
      let y = body.cond(onward, [undo, keep], ins)
      outputs = body.parts(y)
    }
    guard body.failure == nil, let next = outputs.first else { if let f = body.failure { fail(f.code, f.message) }; return [] }
    outputs.append(body.binary(.gt, next, zero))
    if let f = body.failure { fail(f.code, f.message); return [] }
    let nothing = constant(.i64, integer: 0), begin = binary(.gt, count, nothing)
    let given: [NodeID], inputs: [NodeID]
    if T == 0 {
      (given, inputs) = ([count] + start, [left] + cts)
    } else {
      let kept = first.map { f in addLeading(f, S) }
      given = [count, nothing, full(TensorType(.i64, [S]), 0)] + kept + start
      inputs = [left, top, at] + stacks + cts
    }
    guard failure == nil else { return [] }
    let y = whileLoop(Body(tape: body, inputs: inputs + captured, outputs: outputs), given, consts, begin: begin, limit: -1, slots: s.slots)
    return contains(y) ? (given.count - D ..< given.count).map { part(y, $0) } : []
  }

  /// `states` after `count` steps.
  private func advanced(_ states: [NodeID], by count: NodeID, _ step: Body, _ consts: [NodeID]) -> [NodeID] {
    let t = Tape(), left = t.input(TensorType(.i64, [])), ins = step.inputs.map { t.input(step.tape.type($0)) }
    let less = t.sub(left, t.constant(.i64, integer: 1)), outs = t.inline(step, ins), n = states.count
    let body = Body(tape: t, inputs: [left] + ins, outputs: [less] + outs + [t.binary(.gt, less, t.constant(.i64, integer: 0))])
    guard contains(count) else { return states.map { _ in .none } }
    let y = whileLoop(body, [count] + states, consts, begin: binary(.gt, count, constant(.i64, integer: 0)), limit: -1, slots: 0)
    return contains(y) ? (1 ... n).map { part(y, $0) } : states.map { _ in .none }
  }

  /// `x` with `value` at `place` of its first axis.
  private func put(_ x: NodeID, _ place: NodeID, _ value: NodeID) -> NodeID {
    guard contains(x), contains(place), contains(value) else { return .none }
    let s = shape(x), here = binary(.eq, iota(TensorType(.i64, [s[0]]), axis: -1), splat(place, [s[0]]))
    return select(spreadLeading(here, like: x), addLeading(value, s[0]), x)
  }
}
