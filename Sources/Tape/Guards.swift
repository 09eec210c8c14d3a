/// A host's branch while it recorded: `node` had the value `expected` in all its elements. What was recorded after holds where it has.
package struct Guard {
  package let node: NodeID
  package let expected: Bool
  package let label: String
}

extension Tape {
  package func guarding(_ node: NodeID, _ expected: Bool, _ label: String) {
    guard failure == nil else { return }
    guard parent == nil else { fail(.invalid, "guard: a loop's body has no branches of the host's; use cond in it"); return }
    guard check("guard", [node], "condition") else { return }
    guard dtype(node) == .bool else { fail(.dtype, "guard: the condition is \(type(node).description), not bool"); return }
    if let c = uniformConstant(node), (constantBits(c) != 0) == expected { return }
    if guards.contains(where: { $0.node == node && $0.expected == expected }) { return }
    guards.append(Guard(node: node, expected: expected, label: label))
  }

  /// The same guards over nodes that stand in for others: those that a transform of inputs changes.
  func carryGuards(_ transform: ([NodeID]) -> [NodeID?]) {
    if guards.isEmpty { return }
    let list = guards
    for (g, n) in zip(list, transform(list.map(\.node))) {
      if let n, contains(n), n != g.node { guarding(n, g.expected, g.label) }
    }
  }

  /// By guard the latest stage among the inputs that it depends on; nil where it depends on others. Inputs by stage.
  package func stages(ofGuards stages: [[NodeID]]) -> [Int?] {
    guard !guards.isEmpty, let nodes = order(guards.map(\.node)), var stage = PerNode<UInt8>(self, 0), var given = PerNode<UInt8>(self, 0) else { return [] }
    for (k, list) in stages.enumerated() { for n in list where given[n] == 0 { given[n] = UInt8(k + 1) } }
    for k in 0 ..< nodes.count {
      let n = nodes[k], r = record(n)
      if given[n] > 0 { stage[n] = given[n] - 1; continue }
      var s: UInt8 = r.op == Structural.input.rawValue ? 255 : 0
      for slot in 0 ..< Int(r.arity) { s = max(s, stage[input(of: r, slot)]) }
      stage[n] = s
    }
    return guards.map { stage[$0.node] == 255 ? nil : Int(stage[$0.node]) }
  }
}
