import CKernels
import Runtime
import Tape

/// What moves elements, sums them up or multiplies matrices: the lists of columns go along.
extension Accumulation {
  /// `slot` is the operand that moves; of the others nothing is active.
  func moved(_ n: NodeID, _ x: [NodeID], _ slot: Int, _ list: [Term], index: (slot: Int, data: UnsafeRawPointer)?) throws(Failure) -> [Term]? {
    if list.isEmpty { return [] }
    let s = t.structural(n).unsafelyUnwrapped, attrs = t.attrs(n), count = t.type(n).count
    func numbers(_ own: IDs) throws(Failure) -> IDs {
      var ids: [IDs?] = []
      for (k, y) in x.enumerated() { if k == slot { ids.append(own) } else if k == index?.slot { ids.append(nil) } else { ids.append(try IDs(t.type(y).count, filling: 0)) } }
      return try moveNumbers(t, n, x, ids, index: index)
    }
    var result: [Term] = [], source: IDs?
    for m in list {
      if m.rows < 0 {
        let columns = try numbers(lists[Int(m.columns)])
        if isEmpty(columns) { continue }
        var node = NodeID.none
        if !m.node.isNone {
          node = t.apply(s, x.indices.map { $0 == slot ? m.node : $0 == index?.slot ? x[$0] : t.zeros(x[$0]) }, attrs)
        }
        result = try sum(result, [Term(rows: -1, columns: intern(columns), scale: m.scale, node: node, count: count, clean: m.clean)], n)
        continue
      }
      // Which element of the operand each element of the result is: 0 for none.
      if source == nil {
        let own = try IDs(t.type(x[slot]).count)
        for i in 0 ..< own.count { own[i] = Int32(i + 1) }
        source = try numbers(own)
      }
      if let made = try spread(m, source.unsafelyUnwrapped, t.type(x[slot]).count) { result.append(made) } 
      if entries + (result.last?.count ?? 0) > patience * (elements + 65536) { return nil }
    }
    return result
  }

  /// A flat term after a movement: its entries in the order of the result's elements.
  func spread(_ m: Term, _ source: IDs, _ operand: Int) throws(Failure) -> Term? {
    let rows = lists[Int(m.rows)], columns = lists[Int(m.columns)], starts = try Cells<Int>(operand + 1, filling: 0), list = try IDs(m.count)
    for e in 0 ..< m.count { starts[Int(rows[e]) + 1] += 1 }
    for i in 0 ..< operand { starts[i + 1] += starts[i] }
    let next = try Cells<Int>(operand + 1)
    for i in 0 ... operand { next[i] = starts[i] }
    for e in 0 ..< m.count {
      list[next[Int(rows[e])]] = Int32(e)
      next[Int(rows[e])] += 1
    }
    var total = 0
    for i in 0 ..< source.count where source[i] != 0 { total += starts[Int(source[i])] - starts[Int(source[i]) - 1] }
    if total == 0 { return nil }
    let newRows = try IDs(total), newColumns = try IDs(total), picked = try IDs(total)
    var k = 0, same = total == m.count
    for i in 0 ..< source.count where source[i] != 0 {
      for j in starts[Int(source[i]) - 1] ..< starts[Int(source[i])] {
        let e = list[j]
        if Int(e) != k { same = false }
        (newRows[k], newColumns[k], picked[k]) = (Int32(i), columns[Int(e)], e)
        k += 1
      }
    }
    var node = m.node
    if !node.isNone, !same { node = t.gather(node, try constant(picked), axis: -1) }
    return Term(rows: intern(newRows), columns: intern(newColumns), scale: m.scale, node: node, count: total)
  }

  func flat(_ m: Term) -> NodeID { m.node.isNone ? m.node : t.reshape(m.node, [m.count]) }

  /// Parts put together. A few parts whose terms lie along their elements stay so, term beside term; else the entries are strung together.
  func joined(_ n: NodeID, _ x: [NodeID], _ parts: [[Term]]) throws(Failure) -> [Term] {
    let aligned = parts.allSatisfy { $0.allSatisfy { $0.rows < 0 } }, out = t.type(n), axis = t.attrs(n)[0]
    if aligned, x.count <= 16 {
      var result: [Term] = []
      for k in 0 ..< (parts.map(\.count).max() ?? 0) {
        let own = parts.map { k < $0.count ? $0[k] : nil }
        var ids: [IDs?] = []
        for (p, m) in own.enumerated() { if let m { ids.append(lists[Int(m.columns)]) } else { ids.append(try IDs(t.type(x[p]).count, filling: 0)) } }
        let columns = intern(try moveNumbers(t, n, x, ids)), there = own.compactMap { $0 }
        var term = Term(rows: -1, columns: columns, scale: there[0].scale, node: .none, count: out.count)
        if there.contains(where: { !$0.node.isNone || $0.scale != there[0].scale }) {
          term.node = t.concat(own.enumerated().map { p, m in m.map { filled($0, like: x[p]) } ?? t.zeros(x[p]) }, axis: axis)
          term.scale = 1
          term.clean = there.allSatisfy { $0.clean && !$0.node.isNone }
        }
        result = try sum(result, [term], n)
      }
      return result
    }
    // Entries by what they are: constants by their number, arrays one after the other.
    var rows: [UInt64: [Int32]] = [:], columns: [UInt64: [Int32]] = [:], order: [UInt64] = [], nodes: [NodeID] = [], nodeRows: [Int32] = [], nodeColumns: [Int32] = []
    let shape = out.shape, at = shape.count + axis, inner = shape[(at + 1)...].reduce(1, &*), whole = shape[at]
    var start = 0
    for (p, list) in parts.enumerated() {
      let own = t.shape(x[p])[at]
      func place(_ i: Int32) -> Int32 {
        let line = own * inner
        return line == 0 ? 0 : Int32((Int(i) / line) * whole * inner + start * inner + Int(i) % line)
      }
      for m in list {
        let own = lists[Int(m.columns)]
        if m.node.isNone {
          let key = m.scale.bitPattern
          if rows[key] == nil { order.append(key) }
          for e in 0 ..< m.count where own[e] != 0 {
            rows[key, default: []].append(place(m.rows < 0 ? Int32(e) : lists[Int(m.rows)][e]))
            columns[key, default: []].append(own[e])
          }
        } else {
          nodes.append(t.reshape(settled(m), [m.count]))
          for e in 0 ..< m.count {
            nodeRows.append(place(m.rows < 0 ? Int32(e) : lists[Int(m.rows)][e]))
            nodeColumns.append(own[e])
          }
        }
      }
      start += own
    }
    var result: [Term] = []
    for key in order {
      guard let r = rows[key], let c = columns[key], !r.isEmpty else { continue }
      result.append(Term(rows: intern(try IDs(r)), columns: intern(try IDs(c)), scale: Double(bitPattern: key), node: .none, count: r.count))
    }
    if !nodes.isEmpty { result.append(Term(rows: intern(try IDs(nodeRows)), columns: intern(try IDs(nodeColumns)), scale: 1, node: t.chained(nodes, axis: -1), count: nodeRows.count)) }
    return result
  }

  /// Entries whose elements fall onto others.
  func folded(_ list: [Term], _ places: IDs) throws(Failure) -> [Term] {
    var result: [Term] = []
    for m in list {
      let rows = try IDs(m.count)
      for e in 0 ..< m.count { rows[e] = places[m.rows < 0 ? e : Int(lists[Int(m.rows)][e])] }
      result.append(Term(rows: intern(rows), columns: m.columns, scale: m.scale, node: flat(m), count: m.count))
    }
    return result
  }

  func added(_ n: NodeID, _ list: [Term], _ places: IDs) throws(Failure) -> [Term] {
    let out = t.type(n), taken = try Cells<UInt8>(out.count, filling: 0)
    var once = out.count <= 4 * places.count
    for i in 0 ..< places.count where once {
      if taken[Int(places[i])] != 0 { once = false }
      taken[Int(places[i])] = 1
    }
    guard once, list.allSatisfy({ $0.rows < 0 }) else { return try folded(list, places) }
    // Each lands in a place of its own: the array may move as a whole.
    var result: [Term] = []
    for m in list {
      let columns = try IDs(out.count, filling: 0)
      for i in 0 ..< places.count { columns[Int(places[i])] = lists[Int(m.columns)][i] }
      let node = m.node.isNone ? m.node : t.apply(.scatterAdd, [t.input(n, 0), m.node], t.attrs(n))
      result.append(Term(rows: -1, columns: intern(columns), scale: m.scale, node: node, count: out.count, clean: m.clean))
    }
    return result
  }

  func reduced(_ n: NodeID, _ x: NodeID, _ list: [Term], _ first: Int32) throws(Failure) -> [Term]? {
    let axes = t.attrs(n), type = t.type(x), length = axes.reduce(1) { $0 &* type.shape[type.rank + $1] }
    if axes.isEmpty { return list }
    if axes.count == 1, length >= 1, length <= 8, type.count > 8 * length, list.allSatisfy({ $0.rows < 0 }) {
      var total = NodeID.none
      let shape = t.shape(n)
      for k in 0 ..< length {
        let piece = t.reshape(t.slice(x, axis: axes[0], start: k, count: 1), shape)
        total = total.isNone ? piece : t.add(total, piece)
      }
      return try lowered(total, first)
    }
    let gone = axes.map { type.rank + $0 }, places = try collapsedPlaces(type, gone)
    return try folded(list, places)
  }

  /// The terms of nodes made now, out of ones that are known.
  func lowered(_ n: NodeID, _ first: Int32) throws(Failure) -> [Term]? {
    if let f = t.failure { throw f }
    return try evaluate([n], from: first) ? terms[n.index] ?? [] : nil
  }

  func product(_ n: NodeID, _ x: [NodeID], _ of: [[Term]?], _ first: Int32) throws(Failure) -> [Term]? {
    guard of[0] == nil || of[1] == nil else { return nil }
    let slot = of[0] == nil ? 1 : 0, f = t.attrs(n), out = t.type(n), list = of[slot] ?? []
    let m = out.shape[out.rank - 2], k = out.shape[out.rank - 1]
    var operands = [x[0], x[1]]
    for i in 0 ..< 2 where f[2 + i] != 0 {
      let mask = x[2 + (i == 1 ? (f[2] != 0 ? 1 : 0) : 0)]
      operands[i] = t.select(mask, operands[i], t.zeros(operands[i]))
    }
    let a = f[0] != 0 ? t.matrixTranspose(operands[0]) : operands[0], b = f[1] != 0 ? t.matrixTranspose(operands[1]) : operands[1]
    guard t.contains(a), t.contains(b) else { throw t.failure ?? Failure(.invalid, "sparse: matmul") }
    let length = t.shape(a)[t.shape(a).count - 1]
    if length <= 8, list.allSatisfy({ $0.rows < 0 }), out.count >= 1, length >= 1 {
      var total = NodeID.none
      for l in 0 ..< length {
        let p = t.mul(t.broadcast(t.slice(a, axis: -1, start: l, count: 1), to: out.shape), t.broadcast(t.slice(b, axis: -2, start: l, count: 1), to: out.shape))
        total = total.isNone ? p : t.add(total, p)
      }
      return try lowered(total, first)
    }
    guard f[2] == 0, f[3] == 0 else { return nil }
    // Entry by entry, against the row or column of the other factor that it meets, without that factor's zeros.
    let own = t.type(x[slot]), other = x[1 - slot], od = t.type(other), turned = f[slot] != 0, otherTurned = f[1 - slot] != 0
    let each = slot == 0 ? m * length : length * k, otherEach = slot == 0 ? length * k : m * length, batch = out.shape.dropLast(2).reduce(1, &*)
    guard own.rank == 2 && batch == 1 || own.rank > 2, each > 0 else { return nil }
    let values = known.data(t, other), d = od.dtype
    var result: [Term] = []
    for term in list {
      let columns = lists[Int(term.columns)], rows = term.rows < 0 ? nil : lists[Int(term.rows)]
      var newRows: [Int32] = [], newColumns: [Int32] = [], picked: [Int32] = [], met: [Int32] = []
      for e in 0 ..< term.count where columns[e] != 0 {
        let i = rows.map { Int($0[e]) } ?? e, item = i / each, r = i % each
        // The line of the result that this element is in, and which of the products over `length` it takes part in.
        let (line, l) = slot == 0 ? (turned ? (r % m, r / m) : (r / length, r % length)) : (turned ? (r / length, r % length) : (r % k, r / k))
        let across = slot == 0 ? k : m
        for j in 0 ..< across {
          let at = slot == 0 ? (otherTurned ? j * length + l : l * k + j) : (otherTurned ? l * m + j : j * length + l)
          let o = (od.rank > 2 ? item * otherEach : 0) + at
          if let values, isZero(values, d, o) { continue }
          newRows.append(Int32(item * m * k + (slot == 0 ? line * k + j : j * k + line)))
          newColumns.append(columns[e])
          picked.append(Int32(e))
          met.append(Int32(o))
        }
        if entries + newRows.count > patience * (elements + 65536) { return nil }
      }
      if newRows.isEmpty { continue }
      let factor = t.gather(t.reshape(other, [od.count]), try constant(IDs(met)), axis: -1)
      var node = factor
      if !term.node.isNone { node = t.mul(t.gather(flat(term), try constant(IDs(picked)), axis: -1), factor) }
      result.append(Term(rows: intern(try IDs(newRows)), columns: intern(try IDs(newColumns)), scale: term.scale, node: node, count: newRows.count))
    }
    return result
  }
}

/// The number of the result's element that each element of a reduced array falls onto.
func collapsedPlaces(_ type: TensorType, _ gone: [Int]) throws(Failure) -> IDs {
  let groups = try IDs(type.count)
  var steps = [Int](repeating: 0, count: type.rank), step = 1
  for k in stride(from: type.rank - 1, through: 0, by: -1) where !gone.contains(k) {
    steps[k] = step
    step *= type.shape[k]
  }
  var at = [Int](repeating: 0, count: type.rank), g = 0
  for i in 0 ..< type.count {
    groups[i] = Int32(g)
    var k = type.rank - 1
    while k >= 0 {
      at[k] += 1
      g += steps[k]
      if at[k] < type.shape[k] { break }
      g -= steps[k] * type.shape[k]
      at[k] = 0
      k -= 1
    }
  }
  return groups
}
