import CKernels
package import Runtime
package import Tape

/// How the values of a pattern's entries, in its order, come from what a program writes: entry k is buffer[index[k]], where the buffer holds the
/// program's outputs one after the other, then the values of substitution steps, then constants. `also` adds further elements to entries.
package struct Sources {
  package var outputs: [NodeID] = []
  package var index: Cells<Int32>
  package var also: [(entry: Int32, index: Int32)] = []
  package var constants: [Double] = []
  package var steps: [(source: Int32, leaf: Int32, to: Int32, ends: Bool)] = []
  /// Vertices of the substitution.
  package var vertices = 0
  package init(_ index: Cells<Int32>) { self.index = index }
}

extension Linearised {
  /// Products with the colours' seeds, all of a side at once, as nodes; and where in them each entry lies.
  package func compressed(_ p: Pattern, _ c: Colouring) throws(Failure) -> Sources {
    let t = tape
    var s = Sources(try Cells(p.count)), forwardAt: [Int] = [], reverseAt: [Int] = [], at = 0
    if c.columnCount > 0 {
      let wide = try seeds(tangents, c.columnColours, c.columnCount, columnStarts)
      let made = t.batch(results, tangents, wide, size: c.columnCount)
      if let f = t.failure { throw f }
      for (k, n) in made.enumerated() {
        s.outputs.append(t.cast(n, dtype))
        forwardAt.append(at)
        at += t.type(results[k]).count * c.columnCount
      }
    }
    if c.rowCount > 0 {
      let cotangents = outputs.map { t.input(t.type($0)) }
      var back: [NodeID]
      if let scales {
        let both = t.vjp(outputs, cotangents, variables + rates), n = variables.count
        func scaled(_ d: NodeID, _ s: NodeID) -> NodeID { t.mul(t.splat(t.cast(s, t.dtype(d)), t.shape(d)), d) }
        if let f = t.failure { throw f }
        back = (0 ..< n).map { t.add(scaled(both[$0], scales.0), scaled(both[n + $0], scales.1)) }
      } else {
        back = t.vjp(outputs, cotangents, variables)
      }
      back = t.simplify(back)
      let wide = try seeds(cotangents, c.rowColours, c.rowCount, rowStarts)
      let made = t.batch(back, cotangents, wide, size: c.rowCount)
      if let f = t.failure { throw f }
      for (k, n) in made.enumerated() {
        s.outputs.append(t.cast(n, dtype))
        reverseAt.append(at)
        at += t.type(variables[k]).count * c.rowCount
      }
    }
    if let f = t.failure { throw f }
    let steps = c.reading.steps
    guard at + steps.count < Int(Int32.max) else { throw Failure(.memory, "sparse: the products with \(c.count) colors have 2^31 elements or more") }
    func place(_ side: UInt8, _ colour: Int32, _ line: Int32) -> Int32 {
      let starts = side == 0 ? rowStarts : columnStarts, i = Int(line)
      var low = 0, high = starts.count - 2
      while low < high {
        let m = (low + high + 1) / 2
        if starts[m] <= i { low = m } else { high = m - 1 }
      }
      return Int32((side == 0 ? forwardAt : reverseAt)[low] + Int(colour) * (starts[low + 1] - starts[low]) + i - starts[low])
    }
    for x in steps { s.steps.append((place(x.side, x.colour, x.line), x.leaf, x.to, x.ends)) }
    s.vertices = steps.isEmpty ? 0 : rowCount + columnCount
    for k in 0 ..< p.count {
      s.index[k] = c.reading.sides[k] == 2 ? Int32(at) + c.reading.lines[k] : place(c.reading.sides[k], c.reading.colours[k], c.reading.lines[k])
    }
    return s
  }

  /// For each node a constant [colours] + shape: 1 where the element has the colour.
  private func seeds(_ nodes: [NodeID], _ colours: [Int32], _ count: Int, _ starts: [Int]) throws(Failure) -> [NodeID] {
    let t = tape
    var list: [NodeID] = []
    for (k, n) in nodes.enumerated() {
      let type = t.type(n)
      guard let wide = TensorType(.i32, checking: [count] + type.shape) else { throw Failure(.memory, "sparse: \(count) colors of \(type.description) are too large") }
      let own = try Cells(Array(colours[starts[k] ..< starts[k + 1]]))
      let names = t.array(TensorType(.i32, [1] + type.shape), own.p)
      let numbers = t.add(t.iota(TensorType(.i32, [count] + type.shape.map { _ in 1 }), axis: -type.rank - 1), t.full(TensorType(.i32, [count] + type.shape.map { _ in 1 }), 1))
      list.append(t.cast(t.binary(.eq, t.broadcast(numbers, to: wide.shape), t.broadcast(names, to: wide.shape)), type.dtype))
      if let f = t.failure { throw f }
    }
    return list
  }
}
