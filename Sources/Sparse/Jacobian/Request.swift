package import Tape

/// What is wanted: of which nodes, by which, in which form.
package struct Request {
  package enum Kind: Sendable { case jacobian, hessian, lagrangian, combination, normal }
  package enum Format: Int32, Sendable { case csr, csc, coo, blocks }
  package enum Triangle: Int32, Sendable { case full, lower, upper }
  package enum Method: Int32, CaseIterable, Sendable {
    case auto, accumulate, forward, reverse, star, acyclic, starBicolouring, acyclicBicolouring, elimination, edgePushing
    package var name: String {
      switch self {
      case .auto: "auto"
      case .accumulate: "accumulate"
      case .forward: "forward"
      case .reverse: "reverse"
      case .star: "star"
      case .acyclic: "acyclic"
      case .starBicolouring: "star_bicoloring"
      case .acyclicBicolouring: "acyclic_bicoloring"
      case .elimination: "elimination"
      case .edgePushing: "edge_pushing"
      }
    }
    package var kind: ColouringKind? {
      switch self {
      case .auto, .accumulate, .elimination, .edgePushing: nil
      case .forward: .column
      case .reverse: .row
      case .star: .star
      case .acyclic: .acyclic
      case .starBicolouring: .starBicolouring
      case .acyclicBicolouring: .acyclicBicolouring
      }
    }
  }

  package var kind: Kind
  package var outputs: [NodeID], variables: [NodeID], data: [NodeID]
  /// Of a combination: the second list of variables, whose Jacobian is added, scaled.
  package var rates: [NodeID] = []
  /// Of a normal matrix: with a weight a residual.
  package var weighted = false
  package var detection = Detection.auto
  package var method = Method.auto, order: Order?, format = Format.csr, triangle = Triangle.full
  package var threads = 0
  /// For a plan: one order of colouring, elimination without annealing, and of no more operations than these.
  package var hurried = false, most = Int.max
  /// Of blocks: the sizes of groups of rows and of columns.
  package var rowGroups: [Int] = [], columnGroups: [Int] = []
  /// The host's own pattern, in rows; nil: found.
  package var pattern: Pattern?
  package var rowColours: [Int32]?, columnColours: [Int32]?
  /// Values of variables and data at which the pattern is taken; nil: everywhere.
  package var point: [UnsafeRawPointer]?
  package init(_ kind: Kind, outputs: [NodeID], variables: [NodeID], data: [NodeID]) {
    (self.kind, self.outputs, self.variables, self.data) = (kind, outputs, variables, data)
  }
  package var name: String {
    switch kind {
    case .jacobian: "sparse_jacobian"
    case .hessian: "sparse_hessian"
    case .lagrangian: "sparse_lagrangian"
    case .combination: "sparse_combination"
    case .normal: "sparse_normal"
    }
  }
  package var isSymmetric: Bool { kind == .hessian || kind == .lagrangian }
}

/// The function whose Jacobian is the matrix, on its tape: rows are elements of `outputs`, columns elements of `variables`; its tangent half,
/// linear in `tangents`.
package struct Linearised {
  package let tape: Tape
  package let outputs: [NodeID], variables: [NodeID]
  /// Everything that a run is given, in this order.
  package let inputs: [NodeID]
  package let tangents: [NodeID]
  package let results: [NodeID]
  package let dtype: DType
  /// How outputs and variables become rows and columns: the number of elements before each.
  package let rowStarts: [Int], columnStarts: [Int]
  /// Nodes by which the tangents of `rates` are those of the variables, scaled (combination only).
  package let scales: (NodeID, NodeID)?
  package let rates: [NodeID]
  /// Why there is no forward mode, and no `results`; nil: there is.
  package private(set) var forwardFails: Failure?

  package init(_ t: Tape, _ q: Request) throws(Failure) {
    func refuse(_ code: Code, _ s: String) -> Failure { Failure(code, "\(q.name): \(s)") }
    if let f = t.failure { throw f }
    guard !q.variables.isEmpty else { throw refuse(.invalid, "there are no variables") }
    guard !q.outputs.isEmpty else { throw refuse(.invalid, "there are no outputs") }
    for (list, what) in [(q.outputs, "output"), (q.variables, "variable"), (q.rates, "rate"), (q.data, "data")] {
      for (i, n) in list.enumerated() where !t.contains(n) || t.record(n).type < 0 { throw refuse(.node, "\(what) \(i) is no node of this tape") }
    }
    for (list, what) in [(q.outputs, "output"), (q.variables, "variable"), (q.rates, "rate")] {
      for (i, n) in list.enumerated() where t.dtype(n) != .f64 && t.dtype(n) != .f32 {
        throw refuse(.dtype, "\(what) \(i) is \(t.type(n).description); sparse derivatives are of f64 or f32")
      }
    }
    for (list, what) in [(q.variables, "variable"), (q.rates, "rate"), (q.data, "data")] {
      for (i, n) in list.enumerated() where t.structural(n) != .input { throw refuse(.invalid, "\(what) \(i) is not an input of the tape") }
    }
    guard Set(q.variables + q.rates + q.data).count == q.variables.count + q.rates.count + q.data.count else { throw refuse(.invalid, "an input is given twice") }
    tape = t
    var more: [NodeID] = []
    switch q.kind {
    case .hessian:
      guard q.outputs.count == 1, t.shape(q.outputs[0]).isEmpty else {
        throw refuse(.shape, "the output is \(t.type(q.outputs[0]).description), not a scalar; sum it, or use sparse_lagrangian for a weighted sum of many")
      }
      variables = q.variables
      outputs = t.grad(q.outputs[0], q.variables)
    case .lagrangian:
      more = q.outputs.map { t.input(t.type($0)) }
      variables = q.variables
      outputs = t.vjp(q.outputs, more, q.variables)
    case .combination:
      guard q.rates.count == q.variables.count, zip(q.rates, q.variables).allSatisfy({ t.typeID($0) == t.typeID($1) }) else {
        throw refuse(.shape, "the two lists of variables must have the same types, one after the other")
      }
      more = [t.input(TensorType(.f64, [])), t.input(TensorType(.f64, []))]
      variables = q.variables
      outputs = q.outputs
    case .jacobian, .normal:
      variables = q.variables
      outputs = q.outputs
    }
    if let f = t.failure { throw f }
    rates = q.rates
    inputs = q.variables + q.rates + q.data + more
    dtype = (outputs + variables).allSatisfy { t.dtype($0) == .f32 } ? .f32 : .f64
    tangents = variables.map { t.input(t.type($0)) }
    var results: [NodeID]
    if q.kind == .combination {
      scales = (more[0], more[1])
      func scaled(_ d: NodeID, _ s: NodeID) -> NodeID { t.mul(t.splat(t.cast(s, t.dtype(d)), t.shape(d)), d) }
      results = t.jvp(outputs, variables + q.rates, tangents.map { scaled($0, more[0]) } + tangents.map { scaled($0, more[1]) })
    } else {
      scales = nil
      results = t.jvp(outputs, variables, tangents)
    }
    if let f = t.failure {
      // An operator of the host's may have reverse mode alone.
      guard f.code == .derivative, q.kind == .jacobian || q.kind == .normal else { throw f }
      forwardFails = f
      t.failure = nil
      results = []
      _ = t.vjp(outputs, outputs.map { t.input(t.type($0)) }, variables)
      guard t.failure == nil else { throw f }
    }
    self.results = t.simplify(results)
    if let f = t.failure { throw f }
    rowStarts = try Linearised.starts(t, outputs)
    columnStarts = try Linearised.starts(t, variables)
  }

  package var rowCount: Int { rowStarts[rowStarts.count - 1] }
  package var columnCount: Int { columnStarts[columnStarts.count - 1] }

  private static func starts(_ t: Tape, _ nodes: [NodeID]) throws(Failure) -> [Int] {
    var list = [0]
    for n in nodes {
      list.append(list[list.count - 1] + t.type(n).count)
      guard list[list.count - 1] < 1 << 30 else { throw Failure(.invalid, "sparse: more than 2^30 rows or columns") }
    }
    return list
  }
}
