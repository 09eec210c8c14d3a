import CKernels

/// Parts of a tape that the way back computes again. `checkpoint` is a tuple: results, then what they are to be computed from again; attrs: [results, kept].
/// It is the identity, but for its derivative: that reads copies of the nodes between, made from `after(input, cotangent)`. `after(x, token)` shows x to whoever
/// runs after the token, and being another node than x it keeps the copies apart from what they are copies of, whatever is simplified or shared later.
package enum Keeping: Int32, Sendable { case nothing, products }

extension Tape {
  /// `outputs`, whose derivatives compute again what depends on `inputs`.
  package func checkpoint(_ outputs: [NodeID], _ inputs: [NodeID], keeping: Keeping = .nothing) -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count)
    guard check("checkpoint", outputs, "output"), check("checkpoint", inputs, "input") else { return none }
    if inputs.isEmpty || outputs.isEmpty { return outputs }
    let y = marked(outputs, inputs, Int(keeping.rawValue))
    return contains(y) ? parts(y) : none
  }

  func marked(_ outputs: [NodeID], _ inputs: [NodeID], _ keeping: Int) -> NodeID {
    guard failure == nil else { return .none }
    for n in outputs + inputs { guard contains(n), records[n.i].type >= 0 else { return fail(.node, "checkpoint: an operand is not a node of this tape") } }
    return add(OpCode(.checkpoint), outputs + inputs, type: tupleType(outputs.map(typeID)), attrs: [outputs.count, keeping])
  }

  func after(_ x: NodeID, _ token: NodeID) -> NodeID { apply(.after, [x, token]) }

  /// Tangents of a checkpoint's members: they are computed again as well.
  func checkpointForward(_ n: NodeID, _ tangents: [Masked?]) -> [Masked?] {
    let k = attrs(n)[0], x = inputs(n), live = (0 ..< k).filter { tangents[$0] != nil }
    var result = [Masked?](repeating: nil, count: k)
    var outs: [NodeID] = [], ins = Array(x[k...])
    for i in live { if let d = tangents[i] { outs += [d.value] + (d.mask.map { [$0] } ?? []) } }
    for d in tangents[k...] { if let d { ins += [d.value] + (d.mask.map { [$0] } ?? []) } }
    let y = marked(outs, ins, attrs(n)[1])
    guard contains(y) else { return result }
    var at = 0
    func next() -> NodeID {
      at += 1
      return part(y, at - 1)
    }
    for i in live {
      let value = next()
      result[i] = Masked(value, tangents[i]?.mask == nil ? nil : next())
    }
    return result
  }

  func checkpointBatch(_ n: NodeID, _ operands: [NodeID?], size: Int) -> [NodeID] {
    let k = attrs(n)[0], x = inputs(n), given = x.indices.map { operands[$0] ?? x[$0] }
    let y = marked(Array(given[..<k]), Array(given[k...]), attrs(n)[1])
    guard contains(y) else { return [NodeID](repeating: .none, count: k) }
    return (0 ..< k).map { operands[$0] == nil ? addLeading(part(y, $0), size) : part(y, $0) }
  }

  /// What comes back to the inputs of a checkpoint, and to what the nodes between read beside them, through copies of those nodes.
  /// `state`: 0 where no cotangent is wanted, 2 where one is and the node is cut off from what it depends on.
  func checkpointReverse(_ n: NodeID, _ cts: [Masked?], linear: Bool, state: (NodeID) -> UInt8) -> [(NodeID, Masked)] {
    let k = attrs(n)[0], keeping = attrs(n)[1], x = inputs(n), ins = Array(x[k...])
    let live = (0 ..< k).filter { cts[$0] != nil && dtype(x[$0]).isFloat && state(x[$0]) != 0 }
    guard let first = ins.map(\.index).min(), !live.isEmpty, let nodes = order(live.map { x[$0] }, from: first), var map = PerNode<Int32>(self, -1, from: first) else { return [] }
    // The copies stand on a tape of their own first, which knows what lies outside as inputs.
    let inner = Tape()
    var outside: [NodeID: NodeID] = [:], wrt: [(inner: NodeID, outer: NodeID)] = [], seeds: [NodeID: NodeID] = [:]
    let token = live.compactMap { cts[$0]?.value }.first { uniformConstant($0) == nil } ?? cts[live[0]]?.value ?? .none
    for n in ins where map[n] < 0 {
      let i = inner.input(type(n))
      map[n] = i.index
      seeds[i] = after(n, token)
      if dtype(n).isFloat, state(n) != 0 { wrt.append((i, n)) }
    }
    func foreign(_ o: NodeID) -> NodeID {
      if let known = outside[o] { return known }
      let made: NodeID
      if let c = uniformConstant(o) {
        made = inner.splat(inner.constant(dtype(c), bits: constantBits(c)), shape(o))
      } else {
        made = inner.input(type(o))
        seeds[made] = o
        if dtype(o).isFloat, state(o) != 0 { wrt.append((made, o)) }
      }
      outside[o] = made
      return made
    }
    for j in 0 ..< nodes.count where map[nodes[j]] < 0 {
      let m = nodes[j], r = record(m), operands = (0 ..< Int(r.arity)).map { input(of: r, $0) }
      if state(m) == 2 || !operands.contains(where: { $0.index >= first && map[$0] >= 0 }) { continue }
      let made = inner.again(m, from: self, operands.map { $0.index >= first && map[$0] >= 0 ? NodeID(map[$0]) : foreign($0) })
      map[m] = made.index
      if keeping == Int(Keeping.products.rawValue), r.op == Structural.matmul.rawValue { seeds[made] = after(m, token) }
      if inner.failure != nil { break }
    }
    var given: [(node: NodeID, ct: Masked)] = [], direct: [(NodeID, Masked)] = []
    for i in live {
      guard let c = cts[i] else { continue }
      if x[i].index < first || map[x[i]] < 0 { direct.append((x[i], c)); continue }
      let value = inner.input(type(x[i])), mask = c.mask.map { inner.input(type($0)) }
      seeds[value] = c.value
      if let m = mask { seeds[m] = c.mask }
      given.append((NodeID(map[x[i]]), Masked(value, mask)))
    }
    let pulled = given.isEmpty ? [] : inner.reverse(given, wrt: wrt.map(\.inner), linear: linear)
    var made: [NodeID] = []
    for g in pulled { if let g { made += [g.value] + (g.mask.map { [$0] } ?? []) } }
    if let f = inner.failure {
      fail(f.code, f.message)
      return []
    }
    var results = rewrite(inner, made, seeds) { _, _ in nil }[...]
    guard failure == nil else { return [] }
    for (w, g) in zip(wrt, pulled) {
      guard let g, let value = results.popFirst() else { continue }
      direct.append((w.outer, Masked(value, g.mask == nil ? nil : results.popFirst())))
    }
    return direct
  }

  /// The same without marks, as programs run it; nil where there are none, or memory was refused.
  package func unmarked(_ stages: [(inputs: [NodeID], outputs: [NodeID])]) -> (tape: Tape, stages: [(inputs: [NodeID], outputs: [NodeID])])? {
    guard let base = recordBase, (0 ..< count).contains(where: { base[$0].op == Structural.checkpoint.rawValue }) else { return nil }
    let new = Tape()
    var seeds: [NodeID: NodeID] = [:]
    for n in stages.flatMap(\.inputs) where seeds[n] == nil { seeds[n] = new.input(type(n)) }
    // A mark stands for its first result, and is never asked for itself.
    var members: [NodeID: [NodeID]] = [:]
    let made = new.rewrite(self, stages.flatMap(\.outputs), seeds) { n, x in
      if structural(n) == .checkpoint {
        members[n] = x
        return x[0]
      }
      return structural(n) == .part ? members[input(n, 0)].map { $0[attrs(n)[0]] } : nil
    }
    guard failure == nil, new.failure == nil else { return nil }
    var left = made[...]
    return (new, stages.map { s in
      defer { left = left.dropFirst(s.outputs.count) }
      return (s.inputs.map { seeds[$0] ?? .none }, Array(left.prefix(s.outputs.count)))
    })
  }
}

/// `checkpoint` and `after`.
func checkpointRow(_ s: Structural) -> Row {
  if s == .checkpoint { return Row(name: "checkpoint", infer: { _, _ in .fail(.invalid, "is built by camber_checkpoint") }, derivative: .loop) { _ in "checkpoint: has no kernel" } }
  return Row(name: "after", infer: { x, _ in x.count == 2 ? .type(x[0]) : .fail(.invalid, "takes a value and a token") },
             derivative: .linear { _, _, ct, slot in slot == 0 ? ct : .none },
             batching: .custom { t, _, operands, x, size in t.after(operands[0] ?? t.addLeading(x[0], size), operands[1] ?? x[1]) }) { c in
    c.out.copyMemory(from: c.x[0], byteCount: c.type.bytes)
    return nil
  }
}
