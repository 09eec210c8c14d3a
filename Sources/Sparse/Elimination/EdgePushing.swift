import CKernels
package import Tape

/// A Hessian by edge pushing: its lower triangle's entries as scalar nodes, row by row, and what they cost.
package struct PushedHessian {
  package var count = 0
  package var rows: [Int32] = [], columns: [Int32] = [], values: [NodeID] = []
  package var dtype = DType.f64
  package var vertices = 0, edges = 0
  /// By the convention of eliminations: products with +-1 and of two constants are free.
  package var cost = EliminationCost()
}

extension Tape {
  /// Gower and Mello, A new framework for the computation of Hessians (Optimization Methods and Software 27, 2012), algorithm edge_pushing, on the program taken
  /// apart into scalars: backwards, a symmetric matrix over what is alive, from which each vertex pushes its row to its operands, and to which it adds its
  /// own second derivatives times its adjoint. A sum couples nothing: the elements of a partially separable sum are pushed each by itself.
  package func pushedHessian(_ y: NodeID, _ x: [NodeID], name: String = "hessian") -> PushedHessian? {
    guard failure == nil, jacobianArguments([y], x, name), let l = Linearized(self, [y], x, name: name, curved: true) else { return nil }
    let g = l.graph, n = g.count
    var result = PushedHessian()
    result.count = g.inputs
    result.dtype = l.dtype
    result.vertices = g.inner.count
    result.edges = g.from.count - 1
    var into = [[(from: Int32, edge: Edge)]](repeating: [], count: n), curves = [[(a: Int32, b: Int32, edge: Edge)]](repeating: [], count: n)
    for e in l.edges.indices { into[Int(g.to[e])].append((g.from[e], l.edges[e])) }
    for c in l.curves { curves[Int(c.of)].append((c.a, c.b, c.edge)) }
    var adjoint = [Edge?](repeating: nil, count: n)
    /// Entries by their larger vertex; where each of them is in that list.
    var rows = [[(other: Int32, edge: Edge)]](repeating: [], count: n), place: [UInt64: Int32] = [:]
    var cost = EliminationCost()
    func times(_ a: Edge, _ b: Edge) -> Edge {
      if a.kind != .unit, b.kind != .unit, a.kind == .varying || b.kind == .varying { cost.products += 1 }
      return l.product(a, b)
    }
    func plus(_ a: Edge, _ b: Edge) -> Edge {
      cost.sums += 1
      return l.sum(a, b)
    }
    func add(_ p: Int32, _ q: Int32, _ e: Edge) {
      let a = min(p, q), b = max(p, q), key = UInt64(a) << 32 | UInt64(b)
      if let k = place[key] {
        rows[Int(b)][Int(k)].edge = plus(rows[Int(b)][Int(k)].edge, e)
      } else {
        place[key] = Int32(rows[Int(b)].count)
        rows[Int(b)].append((a, e))
      }
    }
    func gone(_ e: Edge) -> Bool { e.node.isNone && e.factor == 0 }
    adjoint[n - 1] = Edge(1)
    for i in stride(from: n - 1, through: g.inputs, by: -1) {
      let own = Int32(i), row = rows[i], args = into[i]
      rows[i] = []
      for (p, w) in row where !gone(w) {
        if p == own {
          for j in args.indices {
            let d = times(args[j].edge, w)
            for k in j ..< args.count { add(args[j].from, args[k].from, times(args[k].edge, d)) }
          }
        } else {
          for (a, d) in args {
            let v = times(d, w)
            add(a, p, a == p ? times(Edge(2), v) : v)
          }
        }
      }
      if let w = adjoint[i] {
        for c in curves[i] { add(c.a, c.b, times(w, c.edge)) }
        // The gradient itself is not asked for.
        for (a, d) in args where Int(a) >= g.inputs {
          let v = times(w, d)
          adjoint[Int(a)] = adjoint[Int(a)].map { plus($0, v) } ?? v
        }
      }
      adjoint[i] = nil
      guard failure == nil else { return nil }
      guard cost.products + cost.sums <= 1 << 20 else {
        fail(.invalid, "\(name): more than \(1 << 20) operations by edge pushing; take a method with colors")
        return nil
      }
    }
    for i in 0 ..< g.inputs {
      rows[i].sort { $0.other < $1.other }
      for (p, e) in rows[i] where !gone(e) {
        result.rows.append(Int32(i))
        result.columns.append(p)
        result.values.append(l.value(e))
      }
    }
    result.cost = cost
    return failure == nil ? result : nil
  }
}

extension Tape {
  /// What edge pushing costs: made on a tape of its own, by inputs that stand for `x`.
  package func edgePushingCost(_ y: NodeID, _ x: [NodeID]) -> PushedHessian? {
    guard jacobianArguments([y], x, "edge_pushing_cost") else { return nil }
    guard shape(y).isEmpty else {
      fail(.shape, "edge_pushing_cost: the output is \(type(y).description), not a scalar")
      return nil
    }
    guard let nodes = order([y]) else { return nil }
    var free: [NodeID] = []
    for k in 0 ..< nodes.count where structural(nodes[k]) == .input && !x.contains(nodes[k]) { free.append(nodes[k]) }
    let stand = x.map { input(type($0)) }, moved = substitute([y], x, stand), own = Tape(), all = stand + free
    guard failure == nil else { return nil }
    let parameters = all.map { own.input(type($0)) }, z = own.simplify(own.copy(Body(tape: self, inputs: all, outputs: moved), parameters))
    guard own.failure == nil, let h = own.pushedHessian(z[0], Array(parameters[..<x.count]), name: "edge_pushing_cost") else {
      if let f = own.failure { fail(f.code, f.message) }
      return nil
    }
    return h
  }
}

extension SparseMatrix {
  /// Entries of a Hessian by edge pushing.
  func pushed() throws(Failure) -> (Pattern, Sources) {
    let t = linear.tape
    guard request.pattern == nil, request.rowColours == nil, request.columnColours == nil else { throw Failure(.invalid, "\(request.name): method edge_pushing finds its own pattern, and takes no colors") }
    guard request.isSymmetric else { throw Failure(.invalid, "\(request.name): method edge_pushing is for Hessians") }
    var y = request.outputs[0]
    if request.kind == .lagrangian {
      let weights = linear.inputs.suffix(request.outputs.count)
      let parts = zip(request.outputs, weights).map { f, w in t.cast(t.sum(t.mul(f, w), axes: (0 ..< t.type(f).rank).map { $0 - t.type(f).rank }, keep: false), dtype) }
      y = parts[1...].reduce(parts[0]) { t.add($0, $1) }
    }
    guard let h = t.pushedHessian(y, linear.variables, name: request.name) else { throw t.failure ?? Failure(.invalid, request.name) }
    var rows: [Int32] = [], columns: [Int32] = []
    for k in h.rows.indices {
      rows.append(h.rows[k])
      columns.append(h.columns[k])
      if h.rows[k] != h.columns[k] {
        rows.append(h.columns[k])
        columns.append(h.rows[k])
      }
    }
    let p = Pattern(rowCount: linear.rowCount, columnCount: linear.columnCount, rows: rows, columns: columns)
    var s = Sources(try Cells<Int32>(p.count))
    if !h.values.isEmpty { s.outputs = [t.cast(t.chained(h.values.map { t.reshape($0, [1]) }, axis: -1), dtype)] }
    if let f = t.failure { throw f }
    for k in h.rows.indices {
      let (i, j) = (Int(h.rows[k]), Int(h.columns[k]))
      if let e = p.entry(i, j) { s.index[e] = Int32(k) }
      if let e = p.entry(j, i) { s.index[e] = Int32(k) }
    }
    return (p, s)
  }
}
