import CKernels

package enum JacobianMode: Int32, Sendable { case auto, forward, reverse }

/// The derivative transforms as hosts call them: checked arguments, zeros where nothing depends.
extension Tape {
  private func floats(_ name: String, _ nodes: [NodeID], _ what: String) -> Bool {
    for (i, n) in nodes.enumerated() where !dtype(n).isFloat {
      fail(.dtype, "\(name): \(what) \(i) is \(type(n).description); derivatives need a float")
      return false
    }
    return true
  }
  private func nothing(_ n: Int) -> [NodeID] { [NodeID](repeating: .none, count: n) }

  package func jvp(_ outputs: [NodeID], _ inputs: [NodeID], _ tangents: [NodeID]) -> [NodeID] {
    guard check("jvp", outputs, "output"), check("jvp", inputs, "input"), check("jvp", tangents, "tangent"), checkDistinct("jvp", inputs),
          floats("jvp", inputs, "input"), checkTypes("jvp", tangents, like: inputs, "tangent") else { return nothing(outputs.count) }
    let d = forward(outputs, Dictionary(uniqueKeysWithValues: zip(inputs, tangents.map { Masked($0) })))
    guard failure == nil else { return nothing(outputs.count) }
    return outputs.indices.map { d[$0]?.value ?? zeros(outputs[$0]) }
  }

  package func vjp(_ outputs: [NodeID], _ cotangents: [NodeID], _ inputs: [NodeID], linear: Bool = false) -> [NodeID] {
    let name = linear ? "transpose" : "vjp"
    guard check(name, outputs, "output"), check(name, inputs, "input"), check(name, cotangents, "cotangent"), checkDistinct(name, inputs),
          floats(name, inputs, "input"), floats(name, outputs, "output"), checkTypes(name, cotangents, like: outputs, "cotangent") else { return nothing(inputs.count) }
    let g = reverse(zip(outputs, cotangents).map { ($0, Masked($1)) }, wrt: inputs, linear: linear)
    guard failure == nil else { return nothing(inputs.count) }
    return inputs.indices.map { g[$0]?.value ?? zeros(inputs[$0]) }
  }

  private func scalar(_ name: String, _ y: NodeID) -> Bool {
    guard check(name, [y], "output"), floats(name, [y], "output") else { return false }
    guard shape(y).isEmpty else {
      fail(.shape, "\(name): the output is \(type(y).description), not a scalar; sum it, or use vjp or jacobian")
      return false
    }
    return true
  }

  package func grad(_ y: NodeID, _ inputs: [NodeID], name: String = "grad") -> [NodeID] {
    guard scalar(name, y) else { return nothing(inputs.count) }
    return vjp([y], [like(y, 1)], inputs)
  }

  package func hvp(_ y: NodeID, _ inputs: [NodeID], _ vectors: [NodeID]) -> [NodeID] {
    let g = grad(y, inputs, name: "hvp")
    guard failure == nil else { return g }
    return jvp(g, inputs, vectors)
  }

  package func jacobianArguments(_ outputs: [NodeID], _ inputs: [NodeID], _ name: String) -> Bool {
    check(name, outputs, "output") && check(name, inputs, "input") && checkDistinct(name, inputs) && floats(name, inputs, "input") && floats(name, outputs, "output")
  }

  /// Blocks [output][input] of shape output.shape + input.shape, row after row.
  package func jacobian(_ outputs: [NodeID], _ inputs: [NodeID], mode: JacobianMode, name: String = "jacobian") -> [NodeID] {
    let none = nothing(outputs.count * inputs.count)
    guard jacobianArguments(outputs, inputs, name) else { return none }
    let n = inputs.reduce(0) { $0 &+ type($1).count }, m = outputs.reduce(0) { $0 &+ type($1).count }
    let forwards = mode == .forward || mode == .auto && n <= m
    var blocks = none
    let seeds = forwards ? inputs : outputs
    for (k, s) in seeds.enumerated() {
      let others = forwards ? outputs : inputs
      let d = sweeps(s, others, forwards)
      guard failure == nil else { return none }
      for (l, o) in others.enumerated() {
        let block = d[l] ?? full(TensorType(dtype(o), [type(s).count] + shape(o)), 0)
        let os = shape(o), ss = shape(s)
        // d is [seed elements] + the other's shape; an input's elements come last.
        let b = forwards ? reshape(transpose(block, Array(1 ..< os.count + 1) + [0]), os + ss) : reshape(block, ss + os)
        blocks[forwards ? l * inputs.count + k : k * inputs.count + l] = b
      }
    }
    return failure == nil ? blocks : none
  }

  /// All unit tangents (cotangents) of `seed` at once, as a batch: [elements of seed] + shape of each of `others`; nil where nothing depends.
  private func sweeps(_ seed: NodeID, _ others: [NodeID], _ forwards: Bool) -> [NodeID?] {
    let t = type(seed), count = t.count
    if t.rank == 0 {
      let one = Masked(like(seed, 1))
      let d = forwards ? forward(others, [seed: one]) : reverse([(seed, one)], wrt: others)
      return d.map { $0.map { reshape($0.value, [1] + shape($0.value)) } }
    }
    let unit = input(t), live = input(t.with(.bool))
    let d = forwards ? forward(others, [seed: Masked(unit, live)]) : reverse([(seed, Masked(unit, live))], wrt: others)
    let index = TensorType(.i64, [count, count])
    let diagonal = reshape(binary(.eq, iota(index, axis: -2), iota(index, axis: -1)), [count] + t.shape)
    guard failure == nil else { return others.map { _ in nil } }
    let values = d.map { $0?.value ?? unit }
    let wide = batched(values, [unit: cast(diagonal, t.dtype), live: diagonal], size: count)
    return others.indices.map { i in
      guard d[i] != nil else { return nil }
      return wide[i] ?? addLeading(values[i], count)
    }
  }

  /// Blocks [i][j] of a scalar's Hessian: forward over reverse.
  package func hessian(_ y: NodeID, _ inputs: [NodeID]) -> [NodeID] {
    let g = grad(y, inputs, name: "hessian")
    guard failure == nil else { return nothing(inputs.count * inputs.count) }
    return jacobian(g, inputs, mode: .forward, name: "hessian")
  }
}
