import CKernels

/// The loop run backwards: an ordinary scan over what the loop kept of each step.
extension Tape {
  /// The backward body while it is made, on a tape of its own that begins with the loop's body.
  private struct Backward {
    var inputs: [NodeID] = [], outputs: [NodeID] = []
    /// Nodes of the loop's body that it reads: inputs, and what is dearer to compute again than to keep.
    var saved: [NodeID] = [], kept: [NodeID] = []
  }

  /// A captured matrix whose gradient is a sum of products over the steps: their factors are stacked, and one product follows the loop.
  private struct Stacked {
    let const: Int
    let left: NodeID, right: NodeID
  }

  /// Cotangents of the operands of `n`, given those of its members. The primal loop is extended to stack what the backward body reads.
  func scanReverse(_ n: NodeID, _ cts: [Masked?], _ active: [Bool], linear: Bool) -> [Masked?] {
    let s = scanShape(n), x = inputs(n), C = s.carries
    let none = [Masked?](repeating: nil, count: x.count), masked = cts.contains { $0?.mask != nil }
    let (on, reach) = spread(s.body, carries: C, active, floats: true)
    adopt(s.body.tape)
    if failure != nil { return none }
    let inner = Tape(), ins = s.body.inputs.map { inner.input(s.body.tape.type($0)) }
    let outs = inner.inline(s.body, ins)
    let ys = (C ..< C + s.ys).filter { cts[$0] != nil && reach[$0] }
    guard inner.failure == nil else { if let f = inner.failure { fail(f.code, f.message) }; return none }
    let primalEnd = Int32(inner.count)
    // A carry that no cotangent gets back to takes no part.
    let live = inner.comesBack(Array(ins[..<C]), Array(outs[..<C]), on: on, live: (0 ..< C).map { on[$0] && cts[$0] != nil }, others: ys.map { outs[$0] })
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
    func ofConst(_ k: Int) -> Int { carries.count + xs.count + k }
    let reached = consts.indices.filter { pulled[ofConst($0)] != nil }
    // Stacks of factors, and of what is dear, would take the memory that slots are to save.
    let stacked = masked || s.slots > 0 ? [] : reached.compactMap { inner.factors(pulled[ofConst($0)], const: $0, ins, varying: C + s.xs) }, apart = Set(stacked.map(\.const))
    let ofConsts = reached.filter { !apart.contains($0) }
    // Factors that are inputs of the body are stacked already.
    let factors = Array(Set(stacked.flatMap { [$0.left, $0.right] })).filter { f in !ins.contains(f) }.sorted { $0.index < $1.index }
    var b = Backward()
    b.outputs = ofCarries.map(gradient) + ofConsts.map { inner.add(ctConsts[$0], gradient(ofConst($0))) }
    if masked { b.outputs += ofCarries.map(mask) + ofConsts.map { inner.or(maskConsts[$0], mask(ofConst($0))) } }
    let carried = b.outputs.count
    b.outputs += ofXs.map(gradient) + (masked ? ofXs.map(mask) : []) + factors
    if let f = inner.failure { fail(f.code, f.message); return none }
    if b.outputs.isEmpty, stacked.isEmpty { return none }
    // Only what the backward body reads is saved or passed.
    b.kept = s.slots > 0 ? [] : inner.worthKeeping(b.outputs, before: primalEnd, varying: ins[..<(C + s.xs)])
    let used = inner.inputsReached(b.outputs, cut: b.kept).union(stacked.flatMap { [$0.left, $0.right] })
    b.saved = (0 ..< C).filter { used.contains(ins[$0]) }.map { ins[$0] }
    let passedXs = (C ..< C + s.xs).filter { used.contains(ins[$0]) }, passedConsts = (C + s.xs ..< x.count).filter { used.contains(ins[$0]) }
    guard let stacks = keep(n, s, x, inner, ins, outs, b) else { return none }
    let keptConsts = ofConsts.map { ctConsts[$0] }, keptMasks = masked ? ofConsts.map { maskConsts[$0] } : []
    b.inputs = [ctCarries, keptConsts, maskCarries, keptMasks, b.saved, b.kept, passedXs.map { ins[$0] }, ctYs, maskYs, passedConsts.map { ins[$0] }].flatMap { $0 }
    var start = carries.map { cts[$0]?.value ?? zeros(part(n, $0)) } + ofConsts.map { zeros(x[consts[$0]]) }
    if masked { start += carries.map { present(cts[$0], like: part(n, $0)) } + ofConsts.map { present(nil, like: x[consts[$0]]) } }
    let cotangents = ys.map { cts[$0]?.value ?? .none } + (masked ? ys.map { present(cts[$0], like: part(n, $0)) } : [])
    guard let body = own(inner, b) else { return none }
    let back = scan(body, start, stacks + passedXs.map { x[$0] } + cotangents, passedConsts.map { x[$0] }, length: s.length, reverse: !s.reverse)
    guard contains(back) else { return none }
    var result = none
    let c = carries.count + ofConsts.count
    for (k, i) in (carries + ofConsts.map { consts[$0] }).enumerated() where active[i] {
      if k < carries.count, cts[i] == nil, pulled[k] == nil { continue }
      result[i] = Masked(part(back, k), masked ? part(back, c + k) : nil)
    }
    for (k, p) in ofXs.enumerated() where active[xs[p - carries.count]] {
      result[xs[p - carries.count]] = Masked(part(back, carried + k), masked ? part(back, carried + ofXs.count + k) : nil)
    }
    func stack(_ f: NodeID) -> NodeID {
      if let k = factors.firstIndex(of: f) { return part(back, carried + ofXs.count + k) }
      if let k = b.saved.firstIndex(of: f) { return stacks[k] }
      return ins.firstIndex(of: f).map { x[$0] } ?? .none
    }
    for p in stacked where active[consts[p.const]] { result[consts[p.const]] = Masked(sumOfProducts(stack(p.left), stack(p.right))) }
    return result
  }

  /// The factors of a step's addend to the gradient of a captured matrix, where stacks of them take no more memory a step than the matrix.
  private func factors(_ g: Masked?, const: Int, _ ins: [NodeID], varying: Int) -> Stacked? {
    guard let g, g.mask == nil, op(g.value) == OpCode(.matmul), attrs(g.value) == [1, 0, 0, 0], shape(g.value).count == 2 else { return nil }
    let a = input(g.value, 0), b = input(g.value, 1)
    guard shape(a).count == 2, shape(b).count == 2, !ins[varying...].contains(a), !ins[varying...].contains(b) else { return nil }
    let new = Set([a, b]).filter { f in !ins.contains(f) }.reduce(0) { $0 + type($1).count }
    return new <= type(g.value).count ? Stacked(const: const, left: a, right: b) : nil
  }

  /// The sum over time of a[t]^T b[t]: one product over time and rows.
  private func sumOfProducts(_ a: NodeID, _ b: NodeID) -> NodeID {
    guard contains(a), contains(b) else { return .none }
    func flat(_ x: NodeID) -> NodeID { reshape(x, [shape(x)[0] &* shape(x)[1], shape(x)[2]]) }
    return matmul(flat(a), flat(b), true, false)
  }

  private func worthKeeping(_ outputs: [NodeID], before end: Int32, varying: ArraySlice<NodeID>) -> [NodeID] {
    let dear = worthKeeping(outputs, before: end)
    if dear.isEmpty { return [] }
    guard let nodes = order(dear), var on = PerNode<UInt8>(self, 0) else { return [] }
    for n in varying { on[n] = 1 }
    for k in 0 ..< nodes.count where on[nodes[k]] == 0 {
      let r = record(nodes[k])
      for slot in 0 ..< Int(r.arity) where on[input(of: r, slot)] != 0 { on[nodes[k]] = 1 }
      if r.op == Structural.host.rawValue, !hostShape(nodes[k]).function.isPure { on[nodes[k]] = 1 }
    }
    // What stays the same from step to step needs no stack.
    return dear.filter { on[$0] != 0 }
  }

  /// Stacks of what the backward body reads: the loop extended. nil on error.
  private func keep(_ n: NodeID, _ s: ScanShape, _ x: [NodeID], _ inner: Tape, _ ins: [NodeID], _ outs: [NodeID], _ b: Backward) -> [NodeID]? {
    if b.saved.isEmpty, b.kept.isEmpty { return [] }
    var whole = Backward()
    whole.inputs = ins
    whole.outputs = outs + b.saved + b.kept
    guard let body = own(inner, whole) else { return nil }
    let (cs, xx, ks) = split(s, x), y = scan(body, cs, xx, ks, length: s.length, reverse: s.reverse, slots: s.slots)
    guard contains(y) else { return nil }
    return (b.saved + b.kept).indices.map { part(y, s.carries + s.ys + $0) }
  }

  /// A body with a tape of its own, which holds nothing else.
  private func own(_ inner: Tape, _ b: Backward) -> Body? {
    let tape = Tape(), inputs = b.inputs.map { tape.input(inner.type($0)) }
    let outputs = tape.rewrite(inner, b.outputs, Dictionary(uniqueKeysWithValues: zip(b.inputs, inputs))) { _, _ in nil }
    if let f = inner.failure ?? tape.failure { fail(f.code, f.message) }
    return failure == nil ? Body(tape: tape, inputs: inputs, outputs: outputs) : nil
  }

  /// The inputs that `outputs` read, not looking behind `cut`.
  func inputsReached(_ outputs: [NodeID], cut: [NodeID] = []) -> Set<NodeID> {
    var set = Set<NodeID>()
    guard var seen = PerNode<UInt8>(self, 0) else { return set }
    for n in cut { seen[n] = 1 }
    var stack = Buffer<NodeID>()
    for o in outputs where seen[o] == 0 {
      seen[o] = 1
      guard stack.append(o) else { _ = outOfMemory(); return set }
    }
    while stack.count > 0 {
      let n = stack[stack.count - 1], r = record(n)
      stack.removeLast()
      if r.op == Structural.input.rawValue { set.insert(n) }
      for slot in 0 ..< Int(r.arity) {
        let x = input(of: r, slot)
        if seen[x] != 0 { continue }
        seen[x] = 1
        guard stack.append(x) else { _ = outOfMemory(); return set }
      }
    }
    return set
  }
}
