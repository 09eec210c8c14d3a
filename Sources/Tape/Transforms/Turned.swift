/// Turned arrays, as programs read them: slices of the array with its ends repeated round it, which need no copies of their own.
extension Tape {
  private struct Turn: Hashable {
    let x: NodeID
    let axis: Int
  }

  /// The same on a tape of its own, without `roll` where that pays; nil where it does not, or memory was refused.
  package func turnedInPlace(_ stages: [(inputs: [NodeID], outputs: [NodeID])]) -> (tape: Tape, stages: [(inputs: [NodeID], outputs: [NodeID])])? {
    guard let base = recordBase, (0 ..< count).contains(where: { base[$0].op == Structural.roll.rawValue }) else { return nil }
    let inputs = stages.flatMap(\.inputs), outputs = stages.flatMap(\.outputs)
    guard failure == nil, let nodes = order(outputs), var given = PerNode<UInt8>(self, 0) else { return nil }
    for n in inputs { given[n] = 1 }
    // How far round each end is read, by what is turned.
    var reach: [Turn: (low: Int, high: Int, count: Int)] = [:]
    for k in 0 ..< nodes.count where given[nodes[k]] == 0 && structural(nodes[k]) == .roll {
      let n = nodes[k], by = shift(n)
      var r = reach[turn(n)] ?? (0, 0, 0)
      r = (max(r.low, -by), max(r.high, by), r.count + 1)
      reach[turn(n)] = r
    }
    // Rows of a matrix would be copied for one turned view of them.
    reach = reach.filter { $0.value.count > 1 || around(shape($0.key.x), axis: $0.key.axis).outer == 1 }
    if reach.isEmpty { return nil }
    let new = Tape()
    var seeds: [NodeID: NodeID] = [:]
    for n in inputs where seeds[n] == nil { seeds[n] = new.input(type(n)) }
    let made = new.rewrite(self, outputs, seeds) { n, x in
      guard structural(n) == .roll, let r = reach[turn(n)] else { return nil }
      let axis = attrs(n)[0], size = shape(n)[shape(n).count + axis]
      var parts = [x[0]]
      if r.low > 0 { parts.insert(new.slice(x[0], axis: axis, start: size - r.low, count: r.low), at: 0) }
      if r.high > 0 { parts.append(new.slice(x[0], axis: axis, start: 0, count: r.high)) }
      return new.slice(new.concat(parts, axis: axis), axis: axis, start: r.low + shift(n), count: size)
    }
    guard failure == nil, new.failure == nil else { return nil }
    var left = made[...]
    return (new, stages.map { s in
      defer { left = left.dropFirst(s.outputs.count) }
      return (s.inputs.map { seeds[$0] ?? .none }, Array(left.prefix(s.outputs.count)))
    })
  }

  private func turn(_ n: NodeID) -> Turn { Turn(x: input(n, 0), axis: attrs(n)[0]) }
  /// By how much, the shorter way round.
  private func shift(_ n: NodeID) -> Int {
    let k = attrs(n)[1], size = shape(n)[shape(n).count + attrs(n)[0]]
    return k > size / 2 ? k - size : k
  }
}
