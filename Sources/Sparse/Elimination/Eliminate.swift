import CKernels
package import Tape

/// A Jacobian accumulated by vertex elimination: its entries as scalar nodes, row by row, and what they cost.
package struct Eliminated {
  package var rowCount = 0, columnCount = 0
  package var rows: [Int32] = [], columns: [Int32] = [], values: [NodeID] = []
  package var dtype = DType.f64
  package var vertices = 0, edges = 0
  package var used = EliminationOrder.forward, cost = EliminationCost()
  package var costs: [(EliminationOrder, EliminationCost)] = []
  /// More operations than were allowed: nothing was made.
  package var exceeds = false
}

extension Tape {
  /// What each order costs, without any code. With `every`, products with +-1 and of constants count like others: as published figures do.
  package func eliminationCosts(_ outputs: [NodeID], _ inputs: [NodeID], _ order: EliminationOrder, every: Bool, name: String) -> Eliminated? {
    guard let l = linearized(outputs, inputs, name) else { return nil }
    var g = l.graph
    if every { for i in g.kinds.indices where g.to[i] < g.count - g.outputs { g.kinds[i] = .varying } }
    guard let search = EliminationSearch(g) else { _ = refused(name); return nil }
    let found = search.run(order)
    return described(l, found.costs, found.used)
  }

  private func refused(_ name: String) -> NodeID { fail(.memory, "\(name): memory was refused for the linearised graph") }

  private func linearized(_ outputs: [NodeID], _ inputs: [NodeID], _ name: String) -> Linearized? {
    guard failure == nil, jacobianArguments(outputs, inputs, name) else { return nil }
    return Linearized(self, outputs, inputs, name: name)
  }

  private func described(_ l: Linearized, _ costs: [(EliminationOrder, EliminationCost)], _ used: EliminationOrder) -> Eliminated {
    var e = Eliminated()
    e.rowCount = l.graph.outputs
    e.columnCount = l.graph.inputs
    e.dtype = l.dtype
    e.vertices = l.graph.inner.count
    for to in l.graph.to where to < l.graph.count - l.graph.outputs { e.edges += 1 }
    e.costs = costs
    e.used = used
    e.cost = costs.first { $0.0 == used }?.1 ?? EliminationCost()
    return e
  }

  /// The entries of the Jacobian by the cheapest order found, as straight-line nodes. nil on error. Without annealing the order is found at once; what takes
  /// more than `most` operations is counted only.
  package func eliminate(_ outputs: [NodeID], _ inputs: [NodeID], _ order: EliminationOrder = .best, anneal: Bool = true, most: Int = .max, name: String = "jacobian") -> Eliminated? {
    guard var l = linearized(outputs, inputs, name) else { return nil }
    guard let search = EliminationSearch(l.graph) else { _ = refused(name); return nil }
    let found = search.run(order, anneal: anneal), g = l.graph
    var result = described(l, found.costs, found.used)
    if result.cost.products + result.cost.sums > most {
      result.exceeds = true
      return result
    }
    l.settle()
    // Edges by their start; those that end in each vertex, in order of their making and as bits.
    var out = [[(to: Int32, edge: Edge)]](repeating: [], count: g.count), into = [[Int32]](repeating: [], count: g.count)
    let width = (g.count + 63) / 64
    var listed = [UInt64](repeating: 0, count: g.count * width)
    func list(_ s: Int, _ p: Int) {
      let k = s * width + p >> 6, bit = UInt64(1) << UInt64(p & 63)
      if listed[k] & bit == 0 { into[s].append(Int32(p)) }
      listed[k] |= bit
    }
    for e in l.edges.indices {
      out[Int(g.from[e])].append((g.to[e], l.edges[e]))
      list(Int(g.to[e]), Int(g.from[e]))
    }
    for v32 in found.order {
      let v = Int(v32)
      for p32 in into[v] {
        let p = Int(p32)
        guard let k = out[p].firstIndex(where: { $0.to == v32 }) else { continue }
        let over = out[p][k].edge
        out[p].remove(at: k)
        for (s, e) in out[v] {
          let d = l.product(over, e)
          if let j = out[p].firstIndex(where: { $0.to == s }) {
            let both = l.sum(out[p][j].edge, d)
            // What cancels for certain is no entry: the edge stays out of `out`, and `into` is looked up there.
            if both.node.isNone, both.factor == 0 { out[p].remove(at: j) } else { out[p][j].edge = both }
          } else if !(d.node.isNone && d.factor == 0) {
            out[p].append((s, d))
            list(Int(s), p)
          }
        }
        if failure != nil { return nil }
      }
      out[v] = []
    }
    let sinks = g.count - g.outputs
    var entries: [(row: Int32, column: Int32, node: NodeID)] = []
    for j in 0 ..< g.inputs { for (to, e) in out[j] where to >= sinks { entries.append((to - Int32(sinks), Int32(j), l.value(e))) } }
    entries.sort { ($0.row, $0.column) < ($1.row, $1.column) }
    for e in entries {
      result.rows.append(e.row)
      result.columns.append(e.column)
      result.values.append(e.node)
    }
    return failure == nil ? result : nil
  }

  /// Dense blocks [output][input] as `jacobian` gives them, by elimination.
  package func eliminatedBlocks(_ outputs: [NodeID], _ inputs: [NodeID], _ order: EliminationOrder = .best, name: String = "jacobian") -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count * inputs.count)
    guard let e = eliminate(outputs, inputs, order, name: name) else { return none }
    return blocks(e, outputs, inputs, name)
  }
  package func blocks(_ e: Eliminated, _ outputs: [NodeID], _ inputs: [NodeID], _ name: String) -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count * inputs.count)
    guard e.rowCount * e.columnCount <= 1 << 24 else {
      fail(.invalid, "\(name): a dense Jacobian of \(e.rowCount) x \(e.columnCount); ask for a sparse one")
      return none
    }
    var blocks: [NodeID] = [], row = 0, at = 0
    var starts = [Int](repeating: 0, count: e.rowCount + 1)
    for i in 0 ..< e.rowCount {
      while at < e.rows.count, e.rows[at] <= i { at += 1 }
      starts[i + 1] = at
    }
    for o in outputs {
      let m = type(o).count
      var column = 0
      for x in inputs {
        let n = type(x).count
        var parts: [NodeID] = [], zeros = 0
        func flush() {
          if zeros > 0 { parts.append(full(TensorType(e.dtype, [zeros]), 0)) }
          zeros = 0
        }
        for i in row ..< row + m {
          var next = column
          for k in starts[i] ..< starts[i + 1] where e.columns[k] >= column && e.columns[k] < column + n {
            zeros += Int(e.columns[k]) - next
            flush()
            parts.append(reshape(e.values[k], [1]))
            next = Int(e.columns[k]) + 1
          }
          zeros += column + n - next
        }
        flush()
        let t = TensorType(dtype(o), shape(o) + shape(x))
        blocks.append(parts.isEmpty ? full(t, 0) : cast(reshape(chained(parts, axis: -1), t.shape), t.dtype))
        column += n
      }
      row += m
    }
    return failure == nil ? blocks : none
  }
}
