import CKernels

/// Rebuilding: outputs made again from other operands, on this tape or another.
extension Tape {
  /// Memory that was refused on a body is this tape's failure; what a host's call got wrong on it stays where it is.
  func adopt(_ source: Tape) {
    guard source !== self, let f = source.failure, f.code == .memory else { return }
    source.failure = nil
    fail(f.code, f.message)
  }

  /// `n` with other operands; `self` is the tape that gets the node, `source` holds `n`.
  package func again(_ n: NodeID, from source: Tape, _ x: [NodeID]) -> NodeID {
    guard failure == nil else { return .none }
    let r = source.record(n), op = OpCode(raw: r.op)
    if op.isElementwise { return elementwise(op, x[0], x.count > 1 ? x[1] : .none, x.count > 2 ? x[2] : .none) }
    guard let s = Structural(rawValue: r.op) else { return .none }
    switch s {
    case .input, .capture: return fail(.invalid, "a node depends on an input that is not listed")
    case .constant: return source === self ? n : constant(source.dtype(n), bits: source.constantBits(n))
    case .array: return source === self ? n : array(source.type(n), source.arrays[Int(r.a)].data)
    case .iota: return source === self ? n : iota(source.type(n), axis: source.attrs(n)[0])
    case .part: return part(x[0], source.attrs(n)[0])
    case .checkpoint: return marked(Array(x[..<source.attrs(n)[0]]), Array(x[source.attrs(n)[0]...]), source.attrs(n)[1])
    case .scan, .cond, .whileLoop: return tupleAgain(n, from: source, x)
    case .host: return hostCall(source.functions[source.attrs(n)[0]], x, source.tupleMembers(n), Array(source.attrs(n).dropFirst()))
    case .custom: return custom(source.rules[source.attrs(n)[0]], x, Array(source.attrs(n).dropFirst()))
    default: return apply(s, x, source.attrs(n))
    }
  }

  /// `outputs` of `source` built here, `seeds` standing in for its nodes. `visit` may return another node than `again` would.
  package func rewrite(_ source: Tape, _ outputs: [NodeID], _ seeds: [NodeID: NodeID],
               _ visit: (NodeID, [NodeID]) -> NodeID?) -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count)
    guard let nodes = source.order(outputs), var map = PerNode<Int32>(source, -1) else { adopt(source); return none }
    for (old, new) in seeds { map[old] = new.index }
    var x: [NodeID] = []
    let outer = labels.current, carries = source !== self && source.labels.isUsed
    defer { labels.restore(count, outer) }
    for k in 0 ..< nodes.count where map[nodes[k]] < 0 {
      let n = nodes[k], r = source.record(n)
      x.removeAll(keepingCapacity: true)
      for slot in 0 ..< Int(r.arity) { x.append(NodeID(map[source.input(of: r, slot)])) }
      // An operand that could not be made belongs to a branch that only a seed's own operands need.
      if x.contains(where: \.isNone) { continue }
      if r.arity == 0, source === self { map[n] = (visit(n, x) ?? n).index; continue }
      if r.arity == 0, r.op == Structural.input.rawValue || r.op == Structural.capture.rawValue { continue }
      if carries { labels.carry(from: source, n, count) } else if source === self { labels.source(count, n.index, .copy) }
      map[n] = (visit(n, x) ?? again(n, from: source, x)).index
      if failure != nil { return none }
    }
    return outputs.map { o in
      let m = map[o]
      return m < 0 ? fail(.invalid, "a node depends on an input that is not listed") : NodeID(m)
    }
  }

  /// `body`'s outputs on this tape, from these operands.
  func inline(_ body: Body, _ operands: [NodeID]) -> [NodeID] {
    guard failure == nil else { return body.outputs.map { _ in .none } }
    return rewrite(body.tape, body.outputs, Dictionary(uniqueKeysWithValues: zip(body.inputs, operands))) { _, _ in nil }
  }

  package func substitute(_ outputs: [NodeID], _ inputs: [NodeID], _ replacements: [NodeID]) -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count)
    guard check("substitute", outputs, "output"), check("substitute", inputs, "input"), check("substitute", replacements, "replacement"),
          checkDistinct("substitute", inputs), checkTypes("substitute", replacements, like: inputs, "replacement") else { return none }
    let seeds = Dictionary(uniqueKeysWithValues: zip(inputs, replacements))
    func replaced(_ list: [NodeID]) -> [NodeID] {
      rewrite(self, list, seeds) { n, x in x.indices.allSatisfy { x[$0] == self.input(n, $0) } ? n : nil }
    }
    carryGuards { replaced($0) }
    return replaced(outputs)
  }

  /// A precision policy: every float operator behind `inputs` computes in `compute`; results are cast to `output`.
  package func precision(_ outputs: [NodeID], _ inputs: [NodeID], compute: DType, output: DType) -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count)
    guard check("precision", outputs, "output"), check("precision", inputs, "input"), checkDistinct("precision", inputs) else { return none }
    guard compute.isFloat, output.isFloat else {
      fail(.dtype, "precision: \(compute.name), \(output.name): floats are taken")
      return none
    }
    let seeds = Dictionary(uniqueKeysWithValues: inputs.map { ($0, dtype($0).isFloat ? cast($0, compute) : $0) })
    let results = rewrite(self, outputs, seeds) { n, x in self.inPrecision(n, x, compute) }
    return results.map { contains($0) && dtype($0).isFloat ? cast($0, output) : $0 }
  }

  private func inPrecision(_ n: NodeID, _ x: [NodeID], _ d: DType) -> NodeID? {
    switch structural(n) {
    case .input, .capture, .array, .iota: return dtype(n).isFloat ? cast(n, d) : n
    case .constant: return dtype(n).isFloat ? constant(d, Double(bitPattern: constantBits(n))) : n
    case .cast: return attrs(n)[0] < 4 ? cast(x[0], d) : nil
    case .random: return cast(n, d)     // the same numbers in every precision
    case let s? where isLapack(s):
      // LAPACK knows f64 and f32.
      let wide = d.isHalf ? DType.f32 : d
      if s == .lu, d.isHalf, let m = shape(x[0]).dropLast().last, m > (d == .f16 ? 2048 : 256) {
        return fail(.dtype, "lu: a permutation of \(m) rows does not fit into \(d.name)")
      }
      return cast(again(n, from: self, x.map { cast($0, wide) }), d)
    case .scan, .cond, .whileLoop:
      // What they read, and carries between steps, keep their own dtype.
      let operands = zip(x, inputs(n)).map { contains($0) && contains($1) ? cast($0, dtype($1)) : .none }
      return tupleAgain(n, from: self, operands) { b in
        let inner = Tape(), ins = b.inputs.map { inner.input(b.tape.type($0)) }, outs = inner.inline(b, ins)
        var low = inner.precision(outs, ins, compute: d, output: d)
        low = zip(low, outs).map { inner.contains($0) && inner.contains($1) ? inner.cast($0, inner.dtype($1)) : .none }
        if let f = inner.failure { fail(f.code, f.message); return nil }
        return Body(tape: inner, inputs: ins, outputs: low)
      }
    case .host, .custom: return again(n, from: self, zip(x, inputs(n)).map { contains($0) && contains($1) ? cast($0, dtype($1)) : .none })
    case .part: return cast(part(x[0], attrs(n)[0]), dtype(n).isFloat ? d : dtype(n))
    default: return nil
    }
  }
}
