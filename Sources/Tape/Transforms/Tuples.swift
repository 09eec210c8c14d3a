/// Nodes with several results, by kind: loops and branches. Derivatives by member of `n`, or by its operands.
extension Tape {
  func tupleForward(_ n: NodeID, _ tangents: [Masked?]) -> [Masked?] {
    switch structural(n) {
    case .cond: condForward(n, tangents)
    case .whileLoop: whileForward(n, tangents)
    case .checkpoint: checkpointForward(n, tangents)
    case .custom: customForward(n, tangents)
    case .host: []   // its members say that they have none
    default: scanForward(n, tangents)
    }
  }

  func tupleReverse(_ n: NodeID, _ cts: [Masked?], _ active: [Bool], linear: Bool) -> [Masked?] {
    switch structural(n) {
    case .cond: condReverse(n, cts, active, linear: linear)
    case .whileLoop: whileReverse(n, cts, active, linear: linear)
    case .custom: customReverse(n, cts, active, linear: linear)
    case .host: hostReverse(n, cts)
    default: scanReverse(n, cts, active, linear: linear)
    }
  }

  /// The members, each with a leading axis of length `size`; nil on error.
  func tupleBatch(_ n: NodeID, _ operands: [NodeID?], size: Int) -> [NodeID]? {
    switch structural(n) {
    case .cond: return condBatch(n, operands, size: size)
    case .whileLoop: return whileBatch(n, operands, size: size)
    case .host: return hostBatch(n, operands, size: size)
    case .custom: return customBatch(n, operands, size: size)
    default:
      let (y, reach) = scanBatch(n, operands, size: size)
      guard contains(y) else { return nil }
      let c = scanShape(n).carries
      // A member that stayed as it was still comes from the new loop: the old one reads what the seeds replace.
      return reach.indices.map { i in
        let p = part(y, i)
        return !reach[i] ? addLeading(p, size) : i < c ? p : swapLeading(p)
      }
    }
  }

  /// `n` of `source` on this tape, over operands `x`.
  package func tupleAgain(_ n: NodeID, from source: Tape, _ x: [NodeID], _ body: (Body) -> Body? = { $0 }) -> NodeID {
    switch source.structural(n) {
    case .cond:
      let bodies = source.condShape(n).bodies.compactMap(body)
      return bodies.count == source.attrs(n).count ? cond(x[0], bodies, Array(x[1...])) : .none
    case .whileLoop:
      let s = source.whileShape(n), c = s.carries
      guard let b = body(s.body) else { return .none }
      return whileLoop(b, Array(x[..<c]), Array(x[c ..< c + s.consts]), begin: x[c + s.consts], limit: s.limit, slots: s.slots)
    default:
      let s = source.scanShape(n), c = s.carries
      guard let b = body(s.body) else { return .none }
      return scan(b, Array(x[..<c]), Array(x[c ..< c + s.xs]), Array(x[(c + s.xs)...]), length: s.length, reverse: s.reverse, slots: s.slots)
    }
  }

  /// Of a node's members those that are `read`, and those that these depend on.
  package func needed(_ n: NodeID, _ read: [Bool]) -> [Bool] {
    switch structural(n) {
    case .cond: return read
    case .whileLoop:
      let s = whileShape(n), outs = s.body.outputs
      return s.body.tape.comesBack(Array(s.body.inputs[..<s.carries]), Array(outs[..<s.carries]), on: read.map { _ in true }, live: read, others: [outs[s.carries]], floats: false)
    default: return scanNeeded(n, read)
    }
  }

  /// Whether `b` may compute all that `a` does.
  package func mayContain(_ b: NodeID, _ a: NodeID) -> Bool {
    guard structural(a) == structural(b) else { return false }
    switch structural(a) {
    case .cond: return input(a, 0) == input(b, 0) && attrs(a).count == attrs(b).count && memberCount(a) <= memberCount(b)
    case .whileLoop:
      let s = whileShape(a), t = whileShape(b)
      return s.limit == t.limit && s.carries <= t.carries && (0 ..< s.carries).allSatisfy { input(a, $0) == input(b, $0) }
    case .scan: return scanMayContain(b, a)
    default: return false
    }
  }

  /// Where the members of `a` stand among those of `b`, which may contain it; nil where b does not compute them all.
  /// Extensions do: with stacked carries, with tangents, with both.
  package func members(of a: NodeID, in b: NodeID) -> [Int]? {
    switch structural(a) {
    case .cond: return condMembers(of: a, in: b)
    case .whileLoop: return whileMembers(of: a, in: b)
    default: return scanMembers(of: a, in: b)
    }
  }

  /// The bodies of `n` as a program runs them: without the members that nothing needs, with captured constants in them, simplified; and the
  /// numbers of the operands that each still reads.
  package func bareBranches(_ n: NodeID, needed: [Bool]) -> [(body: Body, inputs: [Int])] {
    condShape(n).bodies.map { b in
      let outputs = b.outputs.indices.filter { needed[$0] }.map { b.outputs[$0] }
      return bare(b, outputs, keeps: { _ in false }) { self.input(n, $0 + 1) }
    }
  }
  package func bareWhile(_ n: NodeID, needed: [Bool]) -> (body: Body, inputs: [Int]) {
    let s = whileShape(n), outputs = s.body.outputs.indices.filter { $0 == s.carries || needed[$0] }.map { s.body.outputs[$0] }
    return bare(s.body, outputs, keeps: { $0 < s.carries && needed[$0] }) { $0 < s.carries ? nil : self.input(n, $0) }
  }

  func bare(_ b: Body, _ outputs: [NodeID], keeps: (Int) -> Bool, operand: (Int) -> NodeID?) -> (body: Body, inputs: [Int]) {
    let own = Tape(), used = b.tape.inputsReached(outputs)
    var seeds: [NodeID: NodeID] = [:], inputs: [Int] = []
    for (i, x) in b.inputs.enumerated() where keeps(i) || used.contains(x) {
      if let c = operand(i).flatMap({ uniformConstant($0) }) {
        seeds[x] = own.splat(own.constant(dtype(c), bits: constantBits(c)), b.tape.shape(x))
      } else {
        seeds[x] = own.input(b.tape.type(x))
        inputs.append(i)
      }
    }
    let made = own.simplify(own.rewrite(b.tape, outputs, seeds) { _, _ in nil })
    return (Body(tape: own, inputs: inputs.map { seeds[b.inputs[$0]] ?? .none }, outputs: made), inputs)
  }
}
