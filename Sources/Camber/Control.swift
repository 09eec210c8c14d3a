import Tape

/// Branches, loops of unknown length, and a function of each slice. Bodies are closures that record on a tape of their own; they may read
/// nodes of the tapes around them.
extension Tape {
  private func results(_ list: [NodeID], _ count: Int) -> [Node] { list.count == count ? list.map(node) : (0 ..< count).map { _ in node(.none) } }

  private func branch(_ operands: [Node], _ body: ([Node]) -> [Node]) -> (tape: Tape, results: [Node]) {
    let inner = Tape(CoreTape(parent: core))
    return (inner, body(operands.map { inner.node(inner.id($0)) }))
  }

  /// The results of `then` where `predicate`, a single bool, holds, else those of `else`. Only the branch taken runs: what it makes of its operands.
  /// What it makes of other nodes around it alone is recorded outside.
  public func cond(_ predicate: Node, _ operands: [Node], then yes: ([Node]) -> [Node], else no: ([Node]) -> [Node]) -> [Node] {
    let a = branch(operands, yes), b = branch(operands, no)
    return results(core.parts(core.cond("cond", choice: id(predicate), branches: [b, a].map { ($0.tape.core, $0.results.map($0.tape.id)) })), a.results.count)
  }

  /// The results of the branch of that number, an i32 or i64; the nearest where there is none.
  public func choose(_ index: Node, _ operands: [Node], _ branches: [([Node]) -> [Node]]) -> [Node] {
    let list = branches.map { branch(operands, $0) }
    return results(core.parts(core.cond("switch", choice: id(index), branches: list.map { ($0.tape.core, $0.results.map($0.tape.id)) })), list.first?.results.count ?? 0)
  }

  /// while condition(carry): carry = body(carry). Gives the final carries. `maxSteps` ends it whatever the condition says; `slots` states are kept at once
  /// when it is run backwards, as many as seem good by default.
  public func loop(_ carry: [Node], while condition: ([Node]) -> Node, maxSteps: Int? = nil, slots: Int = 0, _ body: ([Node]) -> [Node]) -> [Node] {
    let inner = Tape(CoreTape(parent: core)), c = carry.map { inner.input($0.dtype, $0.shape) }, go = condition(c), next = body(c)
    return results(core.parts(core.whileLoop(body: inner.core, inputs: c.map(\.id), go: inner.id(go), outputs: next.map(inner.id), init: carry.map(id), limit: maxSteps ?? -1, slots: slots)),
                   carry.count)
  }

  /// The body of each slice of `xs` along their leading axis, results stacked; `block` slices at once, chosen by default.
  public func map(_ xs: [Node], block: Int = 0, _ body: ([Node]) -> [Node]) -> [Node] {
    let inner = Tape(CoreTape(parent: core)), s = xs.map { inner.input($0.dtype, Array($0.shape.dropFirst())) }, y = body(s)
    return results(core.map(body: inner.core, inputs: s.map(\.id), outputs: y.map(inner.id), over: xs.map(id), block: block), y.count)
  }

  /// Says that `condition` had this value where the host branched on it while recording: runs where it has another report a flip.
  public func expect(_ condition: Node, _ value: Bool = true, label: String = "") { core.guarding(id(condition), value, label) }
}
