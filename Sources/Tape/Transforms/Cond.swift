/// Derivatives and batches of branches: other branches, over bodies derived from theirs, chosen alike.
extension Tape {
  /// A branch on a tape of its own, with what was derived from it.
  private struct Arm {
    let tape: Tape
    let ins: [NodeID], outs: [NodeID]
    let end: Int32
    var values: [NodeID] = [], masks: [NodeID] = []
    var derived: [Masked?] = []
  }

  private func arm(_ b: Body) -> Arm? {
    let t = Tape(), ins = b.inputs.map { t.input(b.tape.type($0)) }, outs = t.inline(b, ins)
    adopt(b.tape)
    if let f = t.failure { fail(f.code, f.message) }
    return failure == nil ? Arm(tape: t, ins: ins, outs: outs, end: Int32(t.count)) : nil
  }

  /// What some branch gives, and where it needs a mask: branches differ in what is structurally zero.
  private func united(_ arms: [Arm], _ count: Int) -> (present: [Int], veiled: [Int]) {
    let present = (0 ..< count).filter { i in arms.contains { $0.derived[i] != nil } }
    return (present, present.filter { i in arms.contains { $0.derived[i] == nil || $0.derived[i]?.mask != nil } })
  }

  /// One choice: primal members and their tangents side by side.
  func condForward(_ n: NodeID, _ tangents: [Masked?]) -> [Masked?] {
    let x = inputs(n), members = memberCount(n), none = [Masked?](repeating: nil, count: members), masked = tangents.contains { $0?.mask != nil }
    let on = (1 ..< x.count).filter { tangents[$0] != nil }
    if on.isEmpty { return none }
    var arms: [Arm] = []
    for b in condShape(n).bodies {
      guard var a = arm(b) else { return none }
      let t = a.tape
      a.values = on.map { t.input(t.type(a.ins[$0 - 1])) }
      a.masks = masked ? on.map { t.input(t.type(a.ins[$0 - 1]).with(.bool)) } : []
      var seeds: [NodeID: Masked] = [:]
      for (k, i) in on.enumerated() { seeds[a.ins[i - 1]] = Masked(a.values[k], masked ? a.masks[k] : nil) }
      a.derived = t.forward(a.outs, seeds)
      if let f = t.failure { fail(f.code, f.message); return none }
      arms.append(a)
    }
    let (present, veiled) = united(arms, members)
    if present.isEmpty { return none }
    let bodies = arms.map { a in
      Body(tape: a.tape, inputs: a.ins + a.values + a.masks,
           outputs: a.outs + present.map { a.derived[$0]?.value ?? a.tape.zeros(a.outs[$0]) } + veiled.map { a.tape.present(a.derived[$0], like: a.outs[$0]) })
    }
    let dots = on.map { tangents[$0]?.value ?? .none }, masks = masked ? on.map { self.present(tangents[$0], like: x[$0]) } : []
    return taken(cond(x[0], bodies, Array(x[1...]) + dots + masks), from: members, present, veiled, of: members)
  }

  private func taken(_ y: NodeID, from first: Int, _ present: [Int], _ veiled: [Int], of count: Int) -> [Masked?] {
    var result = [Masked?](repeating: nil, count: count)
    guard contains(y) else { return result }
    for (k, i) in present.enumerated() { result[i] = Masked(part(y, first + k)) }
    for (k, i) in veiled.enumerated() { result[i]?.mask = part(y, first + present.count + k) }
    return result
  }

  /// Cotangents of the operands. Each branch computes again what it needs of its own; what is dear is kept by the primal choice, in
  /// members that the branches share.
  func condReverse(_ n: NodeID, _ cts: [Masked?], _ active: [Bool], linear: Bool) -> [Masked?] {
    let x = inputs(n), none = [Masked?](repeating: nil, count: x.count), masked = cts.contains { $0?.mask != nil }
    let given = cts.indices.filter { cts[$0] != nil }, wrt = (1 ..< x.count).filter { active[$0] }
    if given.isEmpty || wrt.isEmpty { return none }
    var arms: [Arm] = []
    for b in condShape(n).bodies {
      guard var a = arm(b) else { return none }
      let t = a.tape
      a.values = given.map { t.input(t.type(a.outs[$0])) }
      a.masks = masked ? given.map { t.input(t.type(a.outs[$0]).with(.bool)) } : []
      let seeds = given.indices.map { k in (a.outs[given[k]], Masked(a.values[k], masked ? a.masks[k] : nil)) }
      a.derived = t.reverse(seeds, wrt: wrt.map { a.ins[$0 - 1] }, linear: linear)
      if let f = t.failure { fail(f.code, f.message); return none }
      arms.append(a)
    }
    let (present, veiled) = united(arms, wrt.count)
    if present.isEmpty { return none }
    // By branch: what it keeps, and in which of the shared members.
    var kept: [[NodeID]] = [], places: [[Int]] = [], shared: [TensorType] = [], outputs: [[NodeID]] = []
    for a in arms {
      let t = a.tape
      let outs = present.map { a.derived[$0]?.value ?? t.zeros(a.ins[wrt[$0] - 1]) } + veiled.map { t.present(a.derived[$0], like: a.ins[wrt[$0] - 1]) }
      outputs.append(outs)
      let dear = t.worthKeeping(outs, before: a.end)
      var taken = Set<Int>(), mine: [Int] = []
      for d in dear {
        let k = shared.indices.first { !taken.contains($0) && shared[$0] == t.type(d) } ?? shared.count
        if k == shared.count { shared.append(t.type(d)) }
        taken.insert(k)
        mine.append(k)
      }
      kept.append(dear)
      places.append(mine)
      if let f = t.failure { fail(f.code, f.message); return none }
    }
    var residuals: [NodeID] = []
    if !shared.isEmpty {
      var bodies: [Body] = []
      for (a, (list, place)) in zip(arms, zip(kept, places)) {
        var extra = shared.map { a.tape.full($0, 0) }
        for (d, k) in zip(list, place) { extra[k] = d }
        guard let b = rebuilt(a.tape, a.ins, a.outs + extra) else { return none }
        bodies.append(b)
      }
      let y = cond(x[0], bodies, Array(x[1...]))
      guard contains(y) else { return none }
      residuals = shared.indices.map { part(y, memberCount(n) + $0) }
    }
    var bodies: [Body] = []
    for (k, a) in arms.enumerated() {
      var ins = a.ins
      for s in shared.indices { ins.append(places[k].firstIndex(of: s).map { kept[k][$0] } ?? a.tape.input(shared[s])) }
      guard let b = rebuilt(a.tape, ins + a.values + a.masks, outputs[k]) else { return none }
      bodies.append(b)
    }
    let seeds = given.map { cts[$0]?.value ?? .none } + (masked ? given.map { self.present(cts[$0], like: part(n, $0)) } : [])
    let pulled = taken(cond(x[0], bodies, Array(x[1...]) + residuals + seeds), from: 0, present, veiled, of: wrt.count)
    var result = none
    for (k, slot) in wrt.enumerated() { result[slot] = pulled[k] }
    return result
  }

  /// A body over batched inputs where `on` says so: its outputs, and which of them have the leading axis; all of `all` get it.
  func batchedBody(_ b: Body, _ on: [Bool], _ all: [Bool], size: Int) -> (body: Body, wide: [Bool])? {
    let t = Tape(), plain = b.inputs.map { t.input(b.tape.type($0)) }
    let wide = plain.indices.map { i in on[i] ? t.input(TensorType(t.dtype(plain[i]), [size] + t.shape(plain[i]))) : plain[i] }
    let outs = t.inline(b, plain), seeds = plain.indices.filter { on[$0] }.map { (plain[$0], wide[$0]) }
    adopt(b.tape)
    let y = t.failure == nil ? t.batched(outs, Dictionary(uniqueKeysWithValues: seeds), size: size) : []
    if let f = t.failure { fail(f.code, f.message); return nil }
    let reach = outs.indices.map { all[$0] || y[$0] != nil }
    let made = outs.indices.map { y[$0] ?? (reach[$0] ? t.addLeading(outs[$0], size) : outs[$0]) }
    if let f = t.failure { fail(f.code, f.message); return nil }
    return failure == nil ? (Body(tape: t, inputs: wide, outputs: made), reach) : nil
  }

  /// One choice for all: the branches batched. A choice each: all branches, and a selection.
  func condBatch(_ n: NodeID, _ operands: [NodeID?], size: Int) -> [NodeID]? {
    let c = condShape(n), x = inputs(n), on = operands.dropFirst().map { $0 != nil }, members = memberCount(n)
    let given = (1 ..< x.count).map { operands[$0] ?? x[$0] }
    var reach = [Bool](repeating: operands[0] != nil, count: members)
    if operands[0] == nil {
      for b in c.bodies {
        let (_, outs) = spread(b, carries: 0, on, floats: false)
        adopt(b.tape)
        for i in 0 ..< members where outs[i] { reach[i] = true }
      }
    }
    var bodies: [Body] = []
    for b in c.bodies {
      guard let (body, _) = batchedBody(b, on, reach, size: size) else { return nil }
      bodies.append(body)
    }
    guard let choice = operands[0] else {
      let y = cond(x[0], bodies, given)
      return contains(y) ? reach.indices.map { reach[$0] ? part(y, $0) : addLeading(part(y, $0), size) } : nil
    }
    let results = bodies.map { inline($0, given) }
    guard failure == nil, var y = results.last else { return nil }
    for k in (0 ..< results.count - 1).reversed() {
      let number = constant(dtype(choice), integer: Int64(k))
      let here = dtype(choice) == .bool ? not(choice) : binary(.le, choice, splat(number, [size]))
      y = y.indices.map { i in y[i] == results[k][i] ? y[i] : select(spreadLeading(here, like: y[i]), results[k][i], y[i]) }
    }
    return failure == nil ? y : nil
  }

  /// A vector over the leading axis of `x`, spread over x's shape.
  func spreadLeading(_ v: NodeID, like x: NodeID) -> NodeID {
    guard contains(v), contains(x) else { return .none }
    let s = shape(x)
    return s.count == 1 ? v : broadcast(reshape(v, [s[0]] + s.dropFirst().map { _ in 1 }), to: s)
  }

  func condMembers(of a: NodeID, in b: NodeID) -> [Int]? {
    let common = Tape(), p = inputs(a), q = inputs(b), m = memberCount(a)
    var place: [NodeID: NodeID] = [:]
    for n in p.dropFirst() + q.dropFirst() where place[n] == nil { place[n] = common.input(type(n)) }
    func ins(_ list: [NodeID]) -> [NodeID] { list.dropFirst().map { place[$0] ?? .none } }
    for (s, t) in zip(condShape(a).bodies, condShape(b).bodies) {
      let x = common.inline(s, ins(p)), y = common.inline(t, ins(q))
      guard common.failure == nil, x[...] == y[..<m] else { return nil }
    }
    return Array(0 ..< m)
  }
}
