import Tape

/// The guards that a program can check: those that depend on its inputs alone. Their nodes, and the single numbers that they compare, are
/// outputs of its structure behind the host's.
struct Watch {
  struct Look {
    let node: Int, stage: Int, output: Int, count: Int
    let expected: Bool
    let name: String, label: String
    /// Outputs and dtypes of the operands that are single numbers.
    var operands: [(output: Int, dtype: DType)] = []
  }
  private(set) var looks: [Look] = []
  /// By stage: the outputs that the host does not see.
  private(set) var hidden: [[TensorType]]

  init(_ t: Tape, _ stages: inout [Stage]) {
    hidden = stages.map { _ in [] }
    if t.guards.isEmpty { return }
    for s in stages { for n in s.inputs where !t.contains(n) || t.isTuple(n) { return } }
    for (g, stage) in zip(t.guards, t.stages(ofGuards: stages.map(\.inputs))) {
      guard let stage else { continue }
      func add(_ n: NodeID) -> Int {
        stages[stage].outputs.append(n)
        hidden[stage].append(t.type(n))
        return stages[stage].outputs.count - 1
      }
      var look = Look(node: g.node.i, stage: stage, output: add(g.node), count: t.type(g.node).count, expected: g.expected, name: t.op(g.node).name, label: g.label)
      if t.op(g.node).isElementwise, look.count == 1 {
        for x in t.inputs(g.node) { look.operands.append((add(x), t.dtype(x))) }
      }
      looks.append(look)
    }
  }

  var isEmpty: Bool { looks.isEmpty }

  /// What a guard that is not as it was says; nil where it is.
  func flipped(_ look: Look, _ outputs: UnsafePointer<UnsafeMutableRawPointer?>) -> String? {
    guard let p = outputs[look.output] else { return nil }
    for i in 0 ..< look.count where (p.load(fromByteOffset: i, as: UInt8.self) != 0) != look.expected {
      let values = look.operands.map { number(outputs[$0.output], $0.dtype) }.joined(separator: ", ")
      return "run: a branch of the host's went the other way: node \(look.node)\(look.label.isEmpty ? "" : " (\(look.label))"), "
        + "\(look.name)\(values.isEmpty ? "" : "(\(values))")\(look.count > 1 ? " at element \(i)" : ""), is \(!look.expected) here and was \(look.expected) when recorded"
    }
    return nil
  }

  private func number(_ p: UnsafeMutableRawPointer?, _ d: DType) -> String {
    guard let p else { return "?" }
    switch d {
    case .f64: return "\(p.load(as: Double.self))"
    case .f32: return "\(p.load(as: Float.self))"
    case .f16, .bf16: return "\(wide(p.load(as: UInt16.self), d))"
    case .i64: return "\(p.load(as: Int64.self))"
    case .i32: return "\(p.load(as: Int32.self))"
    case .bool: return "\(p.load(as: UInt8.self) != 0)"
    }
  }
}
