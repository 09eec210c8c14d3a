import CKernels

/// `cond` is a tuple of what one of its branches gives; operands: the choice (bool: branch 1 where true; i32, i64: the branch's number, the
/// nearest one where there is none of that number), then what any branch reads. attrs: the bodies.
/// `while` is a tuple of its final carries; operands: carries, captured nodes, whether to begin; the body's outputs: carries, whether to go
/// on. attrs: [body, carries, captured, most steps or -1, slots]. `revolve` is how many of l steps to go on before the next checkpoint, s of them left.
func branchRow(_ s: Structural) -> Row {
  if s == .revolve { return revolveRow }
  let name = s == .cond ? "cond" : "while"
  return Row(name: name, infer: { _, _ in .fail(.invalid, "is built by camber_\(name)") }, derivative: .loop) { _ in "\(name): has no kernel" }
}

private let revolveRow = Row(
  name: "revolve",
  infer: { x, _ in x[0].dtype == .i64 && x[0] == x[1] ? .type(x[0]) : .fail(.dtype, "takes two i64 of one shape") },
  derivative: .zero
) { c in
  let l = c.input(0, as: Int64.self), s = c.input(1, as: Int64.self), out = c.out.assumingMemoryBound(to: Int64.self)
  for i in 0 ..< c.type.count { out[i] = Int64(revolveAdvance(steps: Int(l[i]), slots: Int(s[i]))) }
  return nil
}

/// Of `steps` to be reversed from a kept state with `slots` left, that state's own among them: how many to go on before the next is kept, so
/// that fewest steps are run again (Griewank and Walther's binomial schedule).
package func revolveAdvance(steps: Int, slots: Int) -> Int {
  if steps <= 1 { return 0 }
  if slots <= 1 { return steps - 1 }
  // Any numbers may stand in a file: what follows neither overflows nor takes long.
  let l = min(steps, 1 << 40), s = min(slots, 1 << 20)
  if s >= l { return 1 }
  // r: the least with C(s + r, s) >= l; `whole` = C(s + r - 1, s), `part` = C(s + r - 2, s - 1).
  var r = 1, whole = 1, next = s + 1
  while next < l {
    r += 1
    whole = next
    next = next * (s + r) / r
  }
  let part = r == 1 ? 1 : whole / (s + r - 1) * s + whole % (s + r - 1) * s / (s + r - 1)
  return max(1, min(whole, l - part, l - 1))
}

package struct CondShape {
  package let bodies: [Body]
}

package struct WhileShape {
  package let body: Body
  package let carries: Int, consts: Int
  /// -1: any number.
  package let limit: Int
  /// Carries kept at once when it is run backwards; 0: as many as seem good.
  package let slots: Int
}

extension Tape {
  package static let branchLimit = 1024
  package func condShape(_ n: NodeID) -> CondShape { CondShape(bodies: attrs(n).map { bodies[$0] }) }
  package func whileShape(_ n: NodeID) -> WhileShape {
    let a = attrs(n)
    return WhileShape(body: bodies[a[0]], carries: a[1], consts: a[2], limit: a[3], slots: a[4])
  }

  /// The number of an equal body, filed under it if new.
  func file(_ body: Body) -> Int {
    let h = body.hash
    if let known = bodyIndex[h]?.first(where: { bodies[$0].equals(body) }) { return known }
    bodyIndex[h, default: []].append(bodies.count)
    bodies.append(body)
    return bodies.count - 1
  }

  // MARK: checked, over a host's sub-tapes

  /// What `outputs` of a host's sub-tape read of outer tapes, in order of first visit; nil on error.
  func captured(_ name: String, _ what: String, _ body: Tape, _ inputs: [NodeID], _ outputs: [NodeID]) -> [NodeID]? {
    guard let nodes = body.order(outputs) else { adopt(body); return nil }
    let known = Set(inputs)
    var list: [NodeID] = []
    for k in 0 ..< nodes.count {
      switch body.structural(nodes[k]) {
      case .capture: list.append(nodes[k])
      case .input where !known.contains(nodes[k]):
        fail(.invalid, "\(name): \(what) depends on an input of type \(body.type(nodes[k]).description) that is not among its parameters")
        return nil
      default: break
      }
    }
    return list
  }

  /// A body of this tape's own, over a host's sub-tape. `captures` maps nodes of this tape to the new inputs behind the parameters.
  func closed(_ body: Tape, _ inputs: [NodeID], _ outputs: [NodeID], captures: [NodeID]) -> Body? {
    let own = Tape(), parameters = inputs.map { own.input(body.type($0)) }, rest = captures.map { own.input(type($0)) }
    var seeds = Dictionary(uniqueKeysWithValues: zip(inputs, parameters))
    let place = Dictionary(uniqueKeysWithValues: zip(captures, rest))
    guard let nodes = body.order(outputs) else { adopt(body); return nil }
    for k in 0 ..< nodes.count where body.structural(nodes[k]) == .capture { seeds[nodes[k]] = place[NodeID(body.record(nodes[k]).a)] }
    let made = own.rewrite(body, outputs, seeds) { _, _ in nil }
    adopt(body)
    if let f = own.failure { fail(f.code, f.message) }
    return failure == nil ? Body(tape: own, inputs: parameters + rest, outputs: made) : nil
  }

  func sound(_ name: String, _ what: String, _ body: Tape) -> Bool {
    if let f = body.failure { fail(f.code, "\(name): \(what) failed: \(f.message)"); return false }
    guard body.parent === self else { fail(.node, "\(name): \(what) is not a sub-tape of this tape"); return false }
    return true
  }

  /// What branch `choice` gives: each branch is a sub-tape and its outputs. The members as nodes.
  package func cond(_ name: String, choice: NodeID, branches: [(tape: Tape, outputs: [NodeID])]) -> NodeID {
    guard failure == nil else { return .none }
    let isCond = name == "cond"
    func called(_ k: Int) -> String { isCond ? (k == 1 ? "the true branch" : "the false branch") : "branch \(k)" }
    guard contains(choice), records[choice.i].type >= 0 else { return fail(.node, "\(name): the \(isCond ? "predicate" : "index") is not a node of this tape") }
    let c = type(choice)
    guard c.rank == 0, isCond ? c.dtype == .bool : c.dtype.isInteger else {
      return fail(c.rank == 0 ? .dtype : .shape, isCond
        ? "cond: the predicate is \(c.description), not a single bool; compare, or reduce with any or all (select chooses element by element)"
        : "switch: the index is \(c.description), not a single i32 or i64")
    }
    guard !branches.isEmpty, branches.count <= Tape.branchLimit else { return fail(.invalid, "\(name): \(branches.count) branches; 1 to \(Tape.branchLimit) are taken") }
    for (k, b) in branches.enumerated() {
      guard sound(name, called(k), b.tape) else { return .none }
      guard b.outputs.count == branches[0].outputs.count else {
        return fail(.invalid, "\(name): \(called(k)) gives \(b.outputs.count) results, \(called(0)) \(branches[0].outputs.count)")
      }
      for (i, o) in b.outputs.enumerated() where !b.tape.contains(o) || b.tape.isTuple(o) { return fail(.node, "\(name): output \(i) of \(called(k)) is not a node of it") }
      for (i, o) in b.outputs.enumerated() where b.tape.type(o) != branches[0].tape.type(branches[0].outputs[i]) {
        let t = b.tape.type(o), u = branches[0].tape.type(branches[0].outputs[i])
        return fail(t.shape == u.shape ? .dtype : .shape, "\(name): result \(i) is \(t.description) in \(called(k)) and \(u.description) in \(called(0)); they must be of one type")
      }
    }
    var outer: [NodeID] = [], seen = Set<NodeID>()
    for (k, b) in branches.enumerated() {
      guard let list = captured(name, called(k), b.tape, [], b.outputs) else { return .none }
      for n in list { let o = NodeID(b.tape.record(n).a); if seen.insert(o).inserted { outer.append(o) } }
    }
    var bodies: [Body] = []
    for b in branches {
      guard let body = closed(b.tape, [], b.outputs, captures: outer) else { return .none }
      bodies.append(body)
    }
    return cond(choice, bodies, outer)
  }

  /// while go(carry): carry = body(carry). `go` and `outputs` are nodes of a sub-tape with parameters `inputs`.
  package func whileLoop(body: Tape, inputs: [NodeID], go: NodeID, outputs: [NodeID], init carries: [NodeID], limit: Int, slots: Int) -> NodeID {
    guard failure == nil else { return .none }
    guard sound("while", "its body", body) else { return .none }
    guard limit >= -1, limit < Int(Int32.max) else { return fail(.invalid, "while: at most \(limit) steps") }
    guard slots >= 0, slots <= 1 << 20 else { return fail(.invalid, "while: \(slots) slots; 1 to \(1 << 20) are taken, 0 for as many as seem good") }
    guard inputs.count == carries.count, outputs.count == carries.count else {
      return fail(.invalid, "while: \(inputs.count) body inputs and \(outputs.count) outputs for \(carries.count) carries")
    }
    guard !carries.isEmpty else { return fail(.invalid, "while: needs at least one carry; without any nothing could end it") }
    guard check("while", carries, "carry") else { return .none }
    for (i, n) in inputs.enumerated() where !body.contains(n) || body.structural(n) != .input { return fail(.node, "while: body input \(i) is not an input of the body") }
    for (i, n) in outputs.enumerated() where !body.contains(n) || body.isTuple(n) { return fail(.node, "while: body output \(i) is not a node of the body") }
    guard Set(inputs).count == inputs.count else { return fail(.invalid, "while: a body input is given twice") }
    guard body.contains(go), !body.isTuple(go) else { return fail(.node, "while: the predicate is not a node of the body") }
    let p = body.type(go)
    guard p.rank == 0, p.dtype == .bool else {
      return fail(p.rank == 0 ? .dtype : .shape, "while: the predicate is \(p.description), not a single bool; compare, or reduce with any or all")
    }
    for (i, c) in carries.enumerated() {
      let want = type(c), takes = body.type(inputs[i]), gives = body.type(outputs[i])
      guard takes == want else { return fail(takes.shape == want.shape ? .dtype : .shape, "while: carry \(i) starts as \(want.description), the body takes \(takes.description)") }
      guard gives == want else { return fail(gives.shape == want.shape ? .dtype : .shape, "while: carry \(i) is \(want.description), the body gives \(gives.description); a carry keeps its type") }
    }
    guard let list = captured("while", "the body", body, inputs, outputs + [go]) else { return .none }
    let outer = list.map { NodeID(body.record($0).a) }
    guard let test = closed(body, inputs, [go], captures: outer), let step = closed(body, inputs, outputs, captures: outer) else { return .none }
    // The predicate of what a step gives is computed with the step.
    let own = Tape(), ins = step.inputs.map { own.input(step.tape.type($0)) }
    let next = own.inline(step, ins), on = own.inline(test, next + ins[carries.count...])
    if let f = own.failure { return fail(f.code, f.message) }
    let first = inline(test, carries + outer)
    return whileLoop(Body(tape: own, inputs: ins, outputs: next + on), carries, outer, begin: first.first ?? .none, limit: limit, slots: slots)
  }

  // MARK: over sound bodies

  func cond(_ choice: NodeID, _ given: [Body], _ operands: [NodeID]) -> NodeID {
    guard failure == nil else { return .none }
    for b in given { if let f = b.tape.failure { return fail(f.code, f.message) } }
    guard operands.count < 65535 else { return fail(.invalid, "cond: its branches read \(operands.count) nodes; at most 65534 are taken") }
    // Operands that no branch reads would be computed and kept for nothing.
    var used = [Bool](repeating: false, count: operands.count)
    for b in given {
      let reached = b.tape.inputsReached(b.outputs)
      for (i, x) in b.inputs.enumerated() where reached.contains(x) { used[i] = true }
    }
    let kept = operands.indices.filter { used[$0] }
    let bodies = kept.count == operands.count ? given : given.compactMap { b in rebuilt(b.tape, kept.map { b.inputs[$0] }, b.outputs) }
    guard failure == nil, bodies.count == given.count, let first = bodies.first else { return .none }
    let members = first.outputs.map { intern(first.tape.type($0)) }
    return add(OpCode(.cond), [choice] + kept.map { operands[$0] }, type: tupleType(members), attrs: bodies.map(file))
  }

  func whileLoop(_ body: Body, _ carries: [NodeID], _ consts: [NodeID], begin: NodeID, limit: Int, slots: Int) -> NodeID {
    guard failure == nil else { return .none }
    if let f = body.tape.failure { return fail(f.code, f.message) }
    let members = carries.map { records[$0.i].type }
    return add(OpCode(.whileLoop), carries + consts + [begin], type: tupleType(members), attrs: [file(body), carries.count, consts.count, limit, slots])
  }

  /// A body on a tape of its own that holds nothing else; nil, with the failure adopted, on error. `inputs` may be any nodes: what lies behind them is cut off.
  func rebuilt(_ source: Tape, _ inputs: [NodeID], _ outputs: [NodeID]) -> Body? {
    if let f = source.failure { fail(f.code, f.message); return nil }
    let tape = Tape(), ins = inputs.map { tape.input(source.type($0)) }
    let outs = tape.rewrite(source, outputs, Dictionary(zip(inputs, ins)) { a, _ in a }) { _, _ in nil }
    adopt(source)
    if let f = tape.failure { fail(f.code, f.message) }
    return failure == nil ? Body(tape: tape, inputs: ins, outputs: outs) : nil
  }
}
