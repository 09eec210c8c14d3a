import CKernels
package import Tape

/// Local Jacobians accumulated once, by elimination, where derivatives would carry every tangent or cotangent through all of a body.
extension Tape {
  /// The same values. Derivatives through them use the Jacobian of `outputs` by `inputs`, accumulated as straight-line nodes; in loops on
  /// the way, that of a step by what the step reads, where it has fewer entries than the step has partials. Where elimination does not
  /// apply (large arrays), nodes stay as they are.
  package func preaccumulate(_ outputs: [NodeID], _ inputs: [NodeID]) -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count)
    guard failure == nil, jacobianArguments([], inputs, "preaccumulate"), jacobianArguments(outputs.filter { contains($0) && !isTuple($0) && dtype($0).isFloat }, [], "preaccumulate") else { return none }
    for (i, o) in outputs.enumerated() where !contains(o) || isTuple(o) {
      fail(.node, "preaccumulate: output \(i) is not a node of this tape")
      return none
    }
    var loops = false
    let seeds = Dictionary(uniqueKeysWithValues: inputs.map { ($0, $0) })
    let turned = rewrite(self, outputs, seeds) { n, x in
      let s = self.structural(n)
      if s == .scan || s == .whileLoop || s == .cond {
        loops = true
        return self.tupleAgain(n, from: self, x) { self.local($0) ?? $0 }
      }
      return x.indices.allSatisfy { x[$0] == self.input(n, $0) } ? n : nil
    }
    guard failure == nil else { return none }
    return loops ? turned : wrapped(turned, inputs, always: true) ?? turned
  }

  /// A body whose derivatives are by its local Jacobian; nil where that is not worth it.
  private func local(_ b: Body) -> Body? {
    let inner = Tape(), ins = b.inputs.map { inner.input(b.tape.type($0)) }, outs = inner.copy(b, ins)
    guard inner.failure == nil else { return nil }
    let floats = ins.filter { inner.dtype($0).isFloat }
    var loops = false
    if let nodes = inner.order(outs) { for k in 0 ..< nodes.count { if let s = inner.structural(nodes[k]), s == .scan || s == .whileLoop || s == .cond { loops = true } } }
    let made = loops ? inner.preaccumulate(outs, floats) : inner.wrapped(outs, floats, always: false)
    guard inner.failure == nil, let made else { return nil }
    return Body(tape: inner, inputs: ins, outputs: made)
  }

  /// `outputs` behind a rule that multiplies by their Jacobian; nil where there is none to be had.
  private func wrapped(_ outputs: [NodeID], _ inputs: [NodeID], always: Bool) -> [NodeID]? {
    let given = Set(inputs)
    guard let nodes = order(outputs) else { return nil }
    // Other leaves count as inputs: a rule reads nothing else.
    var x = inputs
    var reached = Set<NodeID>()
    for k in stride(from: nodes.count - 1, through: 0, by: -1) {
      let n = nodes[k]
      guard outputs.contains(n) || reached.contains(n), !given.contains(n) else { continue }
      if structural(n) == .input || structural(n) == .capture { x.append(n) }
      for slot in 0 ..< arity(n) { reached.insert(input(n, slot)) }
    }
    let chosen = outputs.indices.filter { dtype(outputs[$0]).isFloat && !x.contains(outputs[$0]) }
    guard !chosen.isEmpty, x.count + chosen.count < 4096 else { return nil }
    let d = dtype(outputs[chosen[0]]), y = Array(Set(chosen.map { outputs[$0] })).sorted { $0.index < $1.index }
    let floats = x.filter { dtype($0).isFloat }
    guard y.allSatisfy({ dtype($0) == d }), floats.allSatisfy({ dtype($0) == d }) else { return nil }
    let own = Tape(), stand = x.map { own.input(type($0)) }
    let again = own.copy(Body(tape: self, inputs: x, outputs: y), stand)
    let wrt = stand.filter { own.dtype($0).isFloat }
    guard own.failure == nil, let e = own.eliminate(again, wrt, name: "preaccumulate"), own.failure == nil, always || e.values.count < e.edges else { return nil }
    func body(_ transposed: Bool) -> Body {
      let results = y.map { own.input(type($0)) }, from = transposed ? y : floats, to = transposed ? floats : y
      let direction = from.map { own.input(type($0)) }
      var element: [NodeID] = []
      for n in direction {
        let flat = own.reshape(n, [own.type(n).count])
        for i in 0 ..< own.type(n).count { element.append(own.reshape(own.slice(flat, axis: -1, start: i, count: 1), [])) }
      }
      var sums = [NodeID](repeating: .none, count: transposed ? e.columnCount : e.rowCount)
      for k in e.values.indices {
        let i = Int(transposed ? e.columns[k] : e.rows[k]), j = Int(transposed ? e.rows[k] : e.columns[k])
        let term = own.mul(e.values[k], element[j])
        sums[i] = sums[i].isNone ? term : own.add(sums[i], term)
      }
      var at = 0
      let made = to.map { n in
        let t = type(n), list = sums[at ..< at + t.count].map { $0.isNone ? own.constant(d, 0) : $0 }
        at += t.count
        return list.isEmpty ? own.full(t, 0) : own.reshape(own.chained(list.map { own.reshape($0, [1]) }, axis: -1), t.shape)
      }
      return Body(tape: own, inputs: stand + results + direction, outputs: made)
    }
    let rule = RecordedRule("preaccumulated", jvp: body(false), vjp: body(true))
    guard own.failure == nil else { return nil }
    let made = custom(rule, x, y)
    var by: [NodeID: NodeID] = [:]
    for (n, m) in zip(y, made) { by[n] = m }
    return outputs.map { by[$0] ?? $0 }
  }
}
