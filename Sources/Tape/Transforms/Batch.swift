import CKernels

/// Batching: each node that depends on a batched input is made once more with a new leading axis.
extension Tape {
  /// The batched outputs; nil where an output does not depend on a seed.
  func batched(_ outputs: [NodeID], _ seeds: [NodeID: NodeID], size: Int) -> [NodeID?] {
    let none = [NodeID?](repeating: nil, count: outputs.count)
    guard let first = seeds.keys.map(\.index).min(), let nodes = order(outputs, from: first), var map = PerNode<Int32>(self, -1, from: first) else { return none }
    for (n, b) in seeds { map[n] = b.index }
    var tuples: [NodeID: [NodeID?]] = [:]
    let outer = labels.current
    defer { labels.restore(count, outer) }
    for k in 0 ..< nodes.count where map[nodes[k]] < 0 {
      let n = nodes[k], r = record(n)
      labels.source(count, n.index, .copy)
      if r.op == Structural.part.rawValue {
        if let b = tuples[NodeID(r.a)]?[attrs(n)[0]] { map[n] = b.index }
        continue
      }
      var any = false
      for slot in 0 ..< Int(r.arity) {
        let x = input(of: r, slot)
        if x.index >= first, map[x] >= 0 { any = true; break }
      }
      guard any else { continue }
      let x = inputs(n), b: [NodeID?] = x.map { $0.index >= first && map[$0] >= 0 ? NodeID(map[$0]) : nil }
      if r.op == Structural.checkpoint.rawValue {
        tuples[n] = checkpointBatch(n, b, size: size)
        if failure != nil { return none }
        continue
      }
      if r.type <= -2 {
        guard let members = tupleBatch(n, b, size: size) else { return none }
        tuples[n] = members
        continue
      }
      let y: NodeID
      if let s = Structural(rawValue: r.op) {
        switch row(s).batching {
        case .leading: y = apply(s, x.indices.map { b[$0] ?? addLeading(x[$0], size) }, attrs(n))
        case .custom(let f): y = f(self, n, b, x, size)
        }
      } else {
        let full = x.indices.map { b[$0] ?? addLeading(x[$0], size) }
        y = elementwise(OpCode(raw: r.op), full[0], full.count > 1 ? full[1] : .none, full.count > 2 ? full[2] : .none)
      }
      if y.isNone { return none }
      map[n] = y.index
    }
    return outputs.map { $0.index >= first && map[$0] >= 0 ? NodeID(map[$0]) : nil }
  }

  /// `outputs` for a batch: inputs[j] becomes wide[j], which has one more, leading, axis of length `size`.
  package func batch(_ outputs: [NodeID], _ inputs: [NodeID], _ wide: [NodeID], size: Int) -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count)
    guard check("batch", outputs, "output"), check("batch", inputs, "input"), check("batch", wide, "batched input"), checkDistinct("batch", inputs) else { return none }
    guard size >= 0, size <= TensorType.countLimit else {
      fail(.invalid, "batch: size \(size)")
      return none
    }
    for (i, (n, b)) in zip(inputs, wide).enumerated() where dtype(n) != dtype(b) || [size] + shape(n) != shape(b) {
      fail(.shape, "batch: input \(i) is \(type(n).description), its batch of \(size) \(type(b).description)")
      return none
    }
    let seeds = Dictionary(uniqueKeysWithValues: zip(inputs, wide)), y = batched(outputs, seeds, size: size)
    carryGuards { batched($0, seeds, size: size) }
    guard failure == nil else { return none }
    return outputs.indices.map { y[$0] ?? addLeading(outputs[$0], size) }
  }
}
