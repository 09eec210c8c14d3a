/// Penalties and clipping, composed of other rows.
extension Tape {
  package func penalty(_ nodes: [NodeID], squared: Bool) -> NodeID {
    let name = squared ? "l2_penalty" : "l1_penalty"
    guard check(name, nodes, "node") else { return .none }
    guard !nodes.isEmpty else { return fail(.invalid, "\(name): needs at least one node") }
    var total: NodeID?
    for n in nodes {
      guard dtype(n).isFloat else { return fail(.dtype, "\(name): takes floats, not \(type(n).description)") }
      let s = sum(unary(squared ? .square : .abs, n), axes: allAxes(n), keep: false)
      let term = squared ? scale(s, 0.5) : s
      total = total.map { binary(.add, $0, term) } ?? term
    }
    return total ?? .none
  }

  /// Half the sum of squares of d loss / d nodes (Drucker & LeCun 1992).
  package func gradientPenalty(_ loss: NodeID, _ nodes: [NodeID]) -> NodeID {
    guard check("gradient_penalty", [loss], "loss"), check("gradient_penalty", nodes, "node") else { return .none }
    guard dtype(loss).isFloat, type(loss).count == 1 else { return fail(.shape, "gradient_penalty: the loss is \(type(loss).description), not a float scalar") }
    return penalty(vjp([loss], [like(loss, 1)], nodes), squared: true)
  }

  package func allAxes(_ n: NodeID) -> [Int] { contains(n) ? Array(-shape(n).count ..< 0) : [] }

  package func clipByValue(_ nodes: [NodeID], _ limit: Double) -> [NodeID] {
    guard ready("clip_by_value", nodes, limit) else { return nodes.map { _ in .none } }
    return nodes.map { ternary(.clamp, $0, like($0, -limit), like($0, limit)) }
  }

  package func clipByNorm(_ nodes: [NodeID], _ limit: Double) -> [NodeID] {
    guard ready("clip_by_norm", nodes, limit) else { return nodes.map { _ in .none } }
    return nodes.map { clip($0, globalNorm([$0]), limit) }
  }

  package func clipByGlobalNorm(_ nodes: [NodeID], _ limit: Double) -> [NodeID] {
    guard ready("clip_by_global_norm", nodes, limit) else { return nodes.map { _ in .none } }
    let norm = globalNorm(nodes)
    return nodes.map { clip($0, norm, limit) }
  }

  /// The norm of all together, in f32 or wider.
  package func globalNorm(_ nodes: [NodeID]) -> NodeID {
    guard let first = nodes.first, contains(first) else { return .none }
    let d: DType = nodes.contains { dtype($0) == .f64 } ? .f64 : .f32
    if nodes.count == 1 { return reduce(.norm, cast(first, d), axes: allAxes(first), keep: false) }
    let norms = nodes.map { n -> NodeID in
      let s = cast(reduce(.norm, cast(n, d), axes: allAxes(n), keep: false), d)
      return contains(s) ? reshape(s, [1]) : .none
    }
    return reduce(.norm, concat(norms, axis: -1), axes: [-1], keep: false)
  }

  /// x * min(1, limit / norm) in the norm's dtype, which may hold what x's cannot; a norm of 0 leaves x.
  private func clip(_ x: NodeID, _ norm: NodeID, _ limit: Double) -> NodeID {
    guard contains(norm) else { return .none }
    let factor = select(binary(.gt, norm, like(norm, limit)), div(like(norm, limit), norm), like(norm, 1))
    return contains(factor) ? cast(binary(.mul, cast(x, dtype(norm)), splat(factor, shape(x))), dtype(x)) : .none
  }

  private func ready(_ name: String, _ nodes: [NodeID], _ limit: Double) -> Bool {
    guard check(name, nodes, "node") else { return false }
    for n in nodes where !dtype(n).isFloat {
      fail(.dtype, "\(name): takes floats, not \(type(n).description)")
      return false
    }
    guard limit > 0 else {
      fail(.invalid, "\(name): limit \(limit) is not positive")
      return false
    }
    return true
  }
}
