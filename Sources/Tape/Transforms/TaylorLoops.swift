/// Taylor coefficients through loops and branches: other loops and branches, over bodies that compute values and coefficients side by side.
extension Tape {
  /// Results by member of `n`: coefficients of t ... t^K; `given` those of its operands.
  func tupleTaylor(_ n: NodeID, _ given: [[NodeID?]], order K: Int) -> [[NodeID?]] {
    switch structural(n) {
    case .cond: condTaylor(n, given, order: K)
    case .whileLoop: whileTaylor(n, given, order: K)
    default: scanTaylor(n, given, order: K)
    }
  }

  private func scanTaylor(_ n: NodeID, _ given: [[NodeID?]], order K: Int) -> [[NodeID?]] {
    let s = scanShape(n), x = inputs(n), members = s.carries + s.ys
    let none = [[NodeID?]](repeating: [NodeID?](repeating: nil, count: K), count: members)
    let (on, reach) = spread(s.body, carries: s.carries, given.map { $0.contains { $0 != nil } }, floats: true)
    adopt(s.body.tape)
    if failure != nil || !on.contains(true) { return none }
    let inner = Tape(), ins = s.body.inputs.map { inner.input(s.body.tape.type($0)) }
    let dots = ins.indices.map { i in on[i] ? (0 ..< K).map { _ in inner.input(inner.type(ins[i])) } : [] }
    let outs = inner.inline(s.body, ins), active = ins.indices.filter { on[$0] }
    let d = inner.failure == nil ? inner.taylorNodes(outs, active.map { ins[$0] }, active.map { dots[$0] }, order: K) : []
    if let f = inner.failure { fail(f.code, f.message); return none }
    func dot(_ i: Int) -> [NodeID] { d[i].map { $0 ?? inner.zeros(outs[i]) } }
    let cs = (0 ..< s.carries).filter { on[$0] }, ys = (s.carries ..< members).filter { reach[$0] }
    func joined(_ values: [NodeID], _ more: [[NodeID]]) -> (carries: [NodeID], xs: [NodeID], consts: [NodeID]) {
      func from(_ r: Range<Int>) -> [NodeID] { Array(values[r]) + r.flatMap { more[$0] } }
      return (from(0 ..< s.carries), from(s.carries ..< s.carries + s.xs), from(s.carries + s.xs ..< values.count))
    }
    let parameters = joined(ins, dots)
    let operands = joined(x, x.indices.map { i in on[i] ? given[i].map { $0 ?? zeros(x[i]) } : [] })
    let outputs: [NodeID] = Array(outs[..<s.carries]) + cs.flatMap(dot) + Array(outs[s.carries...]) + ys.flatMap(dot)
    let body = Body(tape: inner, inputs: parameters.carries + parameters.xs + parameters.consts, outputs: outputs)
    let y = scan(body, operands.carries, operands.xs, operands.consts, length: s.length, reverse: s.reverse, slots: s.slots)
    guard contains(y) else { return none }
    var result = none, at = s.carries
    for i in cs { result[i] = (0 ..< K).map { part(y, at + $0) }; at += K }
    at += s.ys
    for i in ys { result[i] = (0 ..< K).map { part(y, at + $0) }; at += K }
    return result
  }

  private func whileTaylor(_ n: NodeID, _ given: [[NodeID?]], order K: Int) -> [[NodeID?]] {
    let s = whileShape(n), x = inputs(n), C = s.carries, N = s.carries + s.consts
    let none = [[NodeID?]](repeating: [NodeID?](repeating: nil, count: K), count: C)
    let (on, _) = spread(s.body, carries: C, given[..<N].map { $0.contains { $0 != nil } }, floats: true)
    adopt(s.body.tape)
    let inner = Tape(), ins = s.body.inputs.map { inner.input(s.body.tape.type($0)) }, live = ins.indices.filter { on[$0] }, cs = live.filter { $0 < C }
    if failure != nil || cs.isEmpty { return none }
    let dots = live.map { i in (0 ..< K).map { _ in inner.input(inner.type(ins[i])) } }, outs = inner.inline(s.body, ins)
    let d = inner.failure == nil ? inner.taylorNodes(outs, live.map { ins[$0] }, dots, order: K) : []
    if let f = inner.failure { fail(f.code, f.message); return none }
    let moved = cs.flatMap { i in d[i].map { $0 ?? inner.zeros(outs[i]) } }
    let parameters = Array(ins[..<C]) + dots[..<cs.count].flatMap { $0 } + Array(ins[C...]) + dots[cs.count...].flatMap { $0 }
    let body = Body(tape: inner, inputs: parameters, outputs: Array(outs[..<C]) + moved + [outs[C]])
    let terms = live.map { i in given[i].map { $0 ?? zeros(x[i]) } }
    let carries = Array(x[..<C]) + terms[..<cs.count].flatMap { $0 }, consts = Array(x[C ..< N]) + terms[cs.count...].flatMap { $0 }
    let y = whileLoop(body, carries, consts, begin: x[N], limit: s.limit, slots: s.slots)
    guard contains(y) else { return none }
    var result = none
    for (j, i) in cs.enumerated() { result[i] = (0 ..< K).map { part(y, C + j * K + $0) } }
    return result
  }

  private func condTaylor(_ n: NodeID, _ given: [[NodeID?]], order K: Int) -> [[NodeID?]] {
    let x = inputs(n), members = memberCount(n), on = (1 ..< x.count).filter { given[$0].contains { $0 != nil } }
    let none = [[NodeID?]](repeating: [NodeID?](repeating: nil, count: K), count: members)
    var bodies: [Body] = [], floats: [Int] = []
    for b in condShape(n).bodies {
      let inner = Tape(), ins = b.inputs.map { inner.input(b.tape.type($0)) }, outs = inner.inline(b, ins)
      let dots = on.map { i in (0 ..< K).map { _ in inner.input(inner.type(ins[i - 1])) } }
      let d = inner.failure == nil && !on.isEmpty ? inner.taylorNodes(outs, on.map { ins[$0 - 1] }, dots, order: K) : []
      if let f = inner.failure { fail(f.code, f.message); return none }
      if d.isEmpty { return none }
      floats = outs.indices.filter { inner.dtype(outs[$0]).isFloat }
      bodies.append(Body(tape: inner, inputs: ins + dots.flatMap { $0 }, outputs: outs + floats.flatMap { i in d[i].map { $0 ?? inner.zeros(outs[i]) } }))
    }
    let y = cond(x[0], bodies, Array(x[1...]) + on.flatMap { i in given[i].map { $0 ?? zeros(x[i]) } })
    guard contains(y) else { return none }
    var result = none
    for (j, i) in floats.enumerated() { result[i] = (0 ..< K).map { part(y, members + j * K + $0) } }
    return result
  }
}
