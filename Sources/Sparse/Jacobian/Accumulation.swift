import CKernels
import Runtime
package import Tape

/// The entries of each value's Jacobian as arrays on the tape: a value's derivative is a sum of terms, each an array of numbers (a node) and, an entry each, the
/// element of the value and the column that it belongs to. Read off the tangent half of a jvp, where everything is linear in the tangents: a factor multiplies
/// the arrays, and what moves elements moves the arrays and the lists of columns alike. Stencils, maps over instances and straight-line scalar code so become one
/// batched program of their local derivatives, with no colours and no sweeps.
final class Accumulation {
  /// `rows` -1: entry e belongs to element e, and the array has the value's shape; else it is flat. Columns count from 1, 0: no entry. No node: every entry is `scale`.
  struct Term {
    var rows: Int32, columns: Int32
    var scale: Double
    var node: NodeID
    var count: Int
    /// The array is zero wherever there is no entry.
    var clean = true
  }

  let t: Tape
  private var lists: [IDs] = [], byHash: [UInt64: [Int32]] = [:]
  /// Of each list: whether elements without an entry are in it; of pairs of lists that agree where both have entries, the two together (-1: they do not).
  private var gaps: [Bool] = [], unions: [UInt64: Int32] = [:]
  private var terms: [Int32: [Term]] = [:], members: [Int32: [[Term]]] = [:]
  private var active: Set<Int32> = []
  private let known = Known()
  /// Entries made so far, elements of values looked at, and when to give up.
  private(set) var entries = 0, elements = 0
  private let patience: Int
  static let termLimit = 512

  init(_ t: Tape, patience: Int) {
    self.t = t
    self.patience = patience
  }

  private func intern(_ ids: IDs) -> Int32 {
    var h: UInt64 = UInt64(ids.count)
    for i in 0 ..< ids.count { h = (h ^ UInt64(UInt32(bitPattern: ids.p[i]))) &* 0x9E37_79B9_7F4A_7C15; h ^= h >> 32 }
    for k in byHash[h] ?? [] {
      let other = lists[Int(k)]
      if other.count == ids.count, memcmpEqual(other, ids) { return k }
    }
    lists.append(ids)
    var gap = false
    for i in 0 ..< ids.count where ids.p[i] == 0 { gap = true; break }
    gaps.append(gap)
    byHash[h, default: []].append(Int32(lists.count - 1))
    return Int32(lists.count - 1)
  }
  /// Both lists as one, where no element has two columns.
  private func union(_ a: Int32, _ b: Int32) throws(Failure) -> Int32? {
    guard gaps[Int(a)], gaps[Int(b)] else { return nil }
    let key = UInt64(UInt32(bitPattern: min(a, b))) << 32 | UInt64(UInt32(bitPattern: max(a, b)))
    if let known = unions[key] { return known < 0 ? nil : known }
    let x = lists[Int(a)], y = lists[Int(b)]
    unions[key] = -1
    for i in 0 ..< x.count where x.p[i] != y.p[i] && x.p[i] != 0 && y.p[i] != 0 { return nil }
    let both = try IDs(x.count)
    for i in 0 ..< x.count { both[i] = max(x.p[i], y.p[i]) }
    let made = intern(both)
    unions[key] = made
    return made
  }
  /// A term's array that is zero where it has no entries; nil where that takes more than it gives.
  private func cleaned(_ m: Term, like n: NodeID) throws(Failure) -> NodeID? {
    if !m.node.isNone { return m.clean ? settled(m) : nil }
    guard gaps[Int(m.columns)] else { return filled(m, like: n) }
    let columns = lists[Int(m.columns)], d = t.dtype(n), wide = try Cells<Double>(m.count)
    for i in 0 ..< m.count { wide[i] = columns.p[i] != 0 ? m.scale : 0 }
    if d == .f64 { return t.array(t.type(n), wide.p) }
    let narrow = try Cells<Float>(m.count)
    for i in 0 ..< m.count { narrow[i] = Float(wide[i]) }
    return d == .f32 ? t.array(t.type(n), narrow.p) : nil
  }
  private func memcmpEqual(_ a: IDs, _ b: IDs) -> Bool {
    for i in 0 ..< a.count where a.p[i] != b.p[i] { return false }
    return true
  }
  private func isEmpty(_ ids: IDs) -> Bool {
    for i in 0 ..< ids.count where ids.p[i] != 0 { return false }
    return true
  }

  /// The terms of `outputs`; nil where the tape has what cannot be carried this way, or it would take too much.
  func run(_ outputs: [NodeID], _ seeds: [NodeID], _ starts: [Int]) throws(Failure) -> [[Term]]? {
    for (k, s) in seeds.enumerated() {
      let ids = try IDs(t.type(s).count)
      for i in 0 ..< ids.count { ids[i] = Int32(starts[k] + i + 1) }
      terms[s.index] = ids.count == 0 ? [] : [Term(rows: -1, columns: intern(ids), scale: 1, node: .none, count: ids.count)]
      active.insert(s.index)
    }
    guard let first = seeds.map(\.index).min() else { return outputs.map { _ in [] } }
    guard try evaluate(outputs, from: first) else { return nil }
    return outputs.map { terms[$0.index] ?? [] }
  }

  private func evaluate(_ outputs: [NodeID], from first: Int32) throws(Failure) -> Bool {
    guard let nodes = t.order(outputs, from: first) else { throw t.failure ?? Failure(.memory, "sparse: memory was refused") }
    for k in 0 ..< nodes.count {
      let n = nodes[k], r = t.record(n)
      if r.arity == 0 || active.contains(n.index) { continue }
      var any = false
      for slot in 0 ..< Int(r.arity) where active.contains(t.input(of: r, slot).index) { any = true; break }
      guard any else { continue }
      if r.type <= -2 {
        guard t.structural(n) == .checkpoint else { return false }
        active.insert(n.index)
        members[n.index] = t.inputs(n).prefix(t.attrs(n)[0]).map { terms[$0.index] ?? [] }
        continue
      }
      if r.op == Structural.part.rawValue {
        if let m = members[r.a]?[t.attrs(n)[0]] {
          terms[n.index] = m
          active.insert(n.index)
        }
        continue
      }
      guard t.dtype(n).isFloat else { continue }
      elements += t.type(n).count
      guard let made = try value(n, r, first) else { return false }
      terms[n.index] = made
      active.insert(n.index)
      for m in made { entries += m.count }
      if made.count > Accumulation.termLimit || entries > patience * (elements + 65536) { return false }
      if let f = t.failure { throw f }
    }
    return true
  }

  // MARK: one operator

  private func value(_ n: NodeID, _ r: Record, _ first: Int32) throws(Failure) -> [Term]? {
    let op = OpCode(raw: r.op), a = NodeID(r.a), b = NodeID(r.b), c = NodeID(r.c)
    func of(_ x: NodeID) -> [Term]? { active.contains(x.index) ? terms[x.index] ?? [] : nil }
    if op.isElementwise {
      switch op.elementwise {
      case .unary(.neg): return (of(a) ?? []).map(negated)
      case .unary(.stop_gradient): return []
      case .binary(.add): return try sum(of(a) ?? [], of(b) ?? [], n)
      case .binary(.sub): return try sum(of(a) ?? [], (of(b) ?? []).map(negated), n)
      case .binary(.mul):
        if let x = of(a) { return of(b) == nil ? try times(x, b) : nil }
        return try times(of(b) ?? [], a)
      case .binary(.div):
        guard let x = of(a), of(b) == nil else { return nil }
        return try divided(x, b)
      case .ternary(.select):
        guard of(a) == nil else { return nil }
        return try chosen(a, of(b) ?? [], of(c) ?? [], n)
      case .ternary(.gate):
        guard of(a) == nil else { return nil }
        if let x = of(b) { return of(c) == nil ? try gated(a, x, c) : nil }
        return try gated(a, of(c) ?? [], b)
      case .ternary(.fma):
        var result = of(c) ?? []
        if let x = of(a) {
          guard of(b) == nil else { return nil }
          result = try sum(try times(x, b), result, n)
        } else if let x = of(b) { result = try sum(try times(x, a), result, n) }
        return result
      default: return nil
      }
    }
    let x = t.inputs(n)
    switch Structural(rawValue: r.op).unsafelyUnwrapped {
    case .after: return of(a) ?? []
    case .cast:
      let d = t.dtype(n)
      return (of(a) ?? []).map { m in
        var m = m
        if !m.node.isNone { m.node = t.cast(m.node, d) }
        return m
      }
    case .concat: return try joined(n, x, x.map { of($0) ?? [] })
    case .reshape, .broadcast, .transpose, .slice, .pad, .roll: return try moved(n, x, 0, of(a) ?? [], index: nil)
    case .gather:
      guard of(b) == nil, let index = known.data(t, b) else { return nil }
      return try moved(n, x, 0, of(a) ?? [], index: (1, index))
    case .dynamicSlice:
      guard of(b) == nil, let index = known.data(t, b) else { return nil }
      return try moved(n, x, 0, of(a) ?? [], index: (1, index))
    case .dynamicUpdate:
      guard let index = known.data(t, c) else { return nil }
      guard let u = try moved(n, x, 0, of(a) ?? [], index: (2, index)), let v = try moved(n, x, 1, of(b) ?? [], index: (2, index)) else { return nil }
      return try sum(u, v, n)
    case .scatterSet:
      guard of(b) == nil, let index = known.data(t, b) else { return nil }
      guard let u = try moved(n, x, 0, of(a) ?? [], index: (1, index)), let v = try moved(n, x, 2, of(c) ?? [], index: (1, index)) else { return nil }
      return try sum(u, v, n)
    case .scatterAdd:
      guard of(a) == nil, let index = known.data(t, a) else { return nil }
      return try added(n, of(b) ?? [], scatterPlaces(t, n, index))
    case .sum: return try reduced(n, a, of(a) ?? [], first)
    case .matmul: return try product(n, x, [of(a), of(b)], first)
    default: return nil
    }
  }

  private func negated(_ m: Term) -> Term {
    var m = m
    m.scale = -m.scale
    return m
  }

  /// The array with its scale in it.
  func settled(_ m: Term) -> NodeID {
    if m.scale == 1 { return m.node }
    return m.scale == -1 ? t.neg(m.node) : t.mul(m.node, t.like(m.node, m.scale))
  }
  /// An array of the term's shape whatever the term has.
  private func filled(_ m: Term, like n: NodeID) -> NodeID {
    m.node.isNone ? t.full(m.rows < 0 ? t.type(n) : TensorType(t.dtype(n), [m.count]), m.scale) : settled(m)
  }

  private func sum(_ a: [Term], _ b: [Term], _ n: NodeID) throws(Failure) -> [Term] {
    if a.isEmpty { return b }
    var result = a
    for m in b {
      guard let k = result.firstIndex(where: { $0.rows == m.rows && $0.columns == m.columns }) else {
        if try !merged(m, into: &result, n) { result.append(m) }
        continue
      }
      var x = result[k]
      let clean = x.clean && m.clean && (!x.node.isNone && !m.node.isNone || !gaps[Int(m.columns)])
      if x.node == m.node {
        x.scale += m.scale
        if x.scale == 0 { result.remove(at: k) } else { result[k] = x }
        continue
      }
      if !x.node.isNone, !m.node.isNone, x.scale == m.scale { x.node = t.add(x.node, m.node) }
      else if !x.node.isNone, !m.node.isNone, x.scale == -m.scale { x.node = t.sub(x.node, m.node) }
      else {
        x.node = t.add(filled(x, like: n), filled(m, like: n))
        x.scale = 1
      }
      x.clean = clean
      result[k] = x
    }
    return result
  }

  /// Laid over a term that has its entries elsewhere, or the same ones where both have some.
  private func merged(_ m: Term, into list: inout [Term], _ n: NodeID) throws(Failure) -> Bool {
    guard m.rows < 0, m.count > 1, gaps[Int(m.columns)] else { return false }
    for k in list.indices where list[k].rows < 0 && (m.node.isNone || m.clean) && (list[k].node.isNone || list[k].clean) {
      guard let both = try union(list[k].columns, m.columns), let x = try cleaned(list[k], like: n), let y = try cleaned(m, like: n) else { continue }
      list[k] = Term(rows: -1, columns: both, scale: 1, node: t.add(x, y), count: m.count)
      return true
    }
    return false
  }

  /// What a term reads of an array of the value's shape.
  private func seen(_ f: NodeID, _ m: Term) throws(Failure) -> NodeID {
    if m.rows < 0 { return f }
    return t.gather(t.reshape(f, [t.type(f).count]), try constant(lists[Int(m.rows)]), axis: -1)
  }
  private func constant(_ ids: IDs) throws(Failure) -> NodeID {
    let n = t.array(TensorType(.i32, [ids.count]), ids.p)
    if let f = t.failure { throw f }
    return n
  }

  private func times(_ list: [Term], _ f: NodeID) throws(Failure) -> [Term] {
    if let c = t.uniformConstant(f) {
      let v = Double(bitPattern: t.constantBits(c))
      return v == 0 ? [] : list.map { m in
        var m = m
        m.scale *= v
        return m
      }
    }
    let zeros = try zeroes(f)
    var result: [Term] = []
    for m in list {
      var m = m
      if let zeros, let left = try without(m, zeros) { m = left } else if zeros != nil { continue }
      let g = try seen(f, m)
      m.node = m.node.isNone ? g : t.mul(m.node, g)
      m.clean = !gaps[Int(m.columns)]
      result.append(m)
    }
    return result
  }
  /// 1 where a constant array is zero; nil where it is none or has none.
  private func zeroes(_ f: NodeID) throws(Failure) -> Cells<UInt8>? {
    switch t.structural(f) {
    case .array, .broadcast, .reshape, .slice, .transpose, .roll, .concat, .pad, .gather, .cast: break
    default: return nil
    }
    guard let p = known.data(t, f) else { return nil }
    let n = t.type(f).count, d = t.dtype(f), flags = try Cells<UInt8>(n)
    var any = false
    for i in 0 ..< n {
      flags[i] = isZero(p, d, i) ? 1 : 0
      if flags[i] != 0 { any = true }
    }
    return any ? flags : nil
  }
  /// The term without the entries of flagged elements; nil where none is left.
  private func without(_ m: Term, _ flags: Cells<UInt8>) throws(Failure) -> Term? {
    let columns = lists[Int(m.columns)], kept = try IDs(m.count)
    for e in 0 ..< m.count { kept[e] = flags[m.rows < 0 ? e : Int(lists[Int(m.rows)][e])] != 0 ? 0 : columns[e] }
    if isEmpty(kept) { return nil }
    var m = m
    m.columns = intern(kept)
    m.clean = false
    return m
  }

  private func divided(_ list: [Term], _ f: NodeID) throws(Failure) -> [Term] {
    var result: [Term] = []
    for m in list {
      var m = m
      if let c = t.uniformConstant(f), m.node.isNone {
        m.scale /= Double(bitPattern: t.constantBits(c))
      } else {
        let g = try seen(f, m)
        if m.node.isNone { (m.node, m.scale) = (t.div(t.like(g, m.scale), g), 1) } else { m.node = t.div(m.node, g) }
        m.clean = !gaps[Int(m.columns)]
      }
      result.append(m)
    }
    return result
  }

  private func gated(_ mask: NodeID, _ list: [Term], _ f: NodeID) throws(Failure) -> [Term] {
    if t.isUniform(mask, 1) { return try times(list, f) }
    let off = try unset(mask)
    if let c = t.uniformConstant(f), Double(bitPattern: t.constantBits(c)) == 0 { return [] }
    var result: [Term] = []
    for m in list {
      var m = m
      if let off {
        guard let left = try without(m, off) else { continue }
        m = left
      }
      let k = try seen(mask, m), g = try seen(f, m)
      if m.node.isNone { m.node = t.select(k, g, t.zeros(g)) } else { m.node = t.gate(k, m.node, g) }
      m.clean = !gaps[Int(m.columns)]
      result.append(m)
    }
    return result
  }
  private func unset(_ mask: NodeID) throws(Failure) -> Cells<UInt8>? {
    guard let p = known.data(t, mask) else { return nil }
    let n = t.type(mask).count, flags = try Cells<UInt8>(n)
    for i in 0 ..< n { flags[i] = isZero(p, .bool, i) ? 1 : 0 }
    return flags
  }

  private func chosen(_ c: NodeID, _ a: [Term], _ b: [Term], _ n: NodeID) throws(Failure) -> [Term] {
    if let off = try unset(c) {
      let on = try Cells<UInt8>(off.count)
      for i in 0 ..< off.count { on[i] = 1 - off[i] }
      var left: [Term] = [], right: [Term] = []
      for m in a { if let k = try without(m, off) { left.append(k) } }
      for m in b { if let k = try without(m, on) { right.append(k) } }
      return try sum(left, right, n)
    }
    var result: [Term] = [], rest = b
    for m in a {
      var m = m
      let k = try seen(c, m), x = filled(m, like: n)
      if let j = rest.firstIndex(where: { $0.rows == m.rows && $0.columns == m.columns }) {
        let other = rest.remove(at: j)
        if other.node == m.node, other.scale == m.scale { result.append(m); continue }
        m.clean = !gaps[Int(m.columns)] || m.clean && other.clean && !m.node.isNone && !other.node.isNone
        m.node = t.select(k, x, filled(other, like: n))
      } else {
        m.clean = !gaps[Int(m.columns)] || m.clean && !m.node.isNone
        m.node = t.select(k, x, t.zeros(x))
      }
      m.scale = 1
      result.append(m)
    }
    for m in rest {
      var m = m
      let x = filled(m, like: n)
      m.clean = !gaps[Int(m.columns)] || m.clean && !m.node.isNone
      m.node = t.select(try seen(c, m), t.zeros(x), x)
      m.scale = 1
      result.append(m)
    }
    return result
  }

  // MARK: movement

  /// `slot` is the operand that moves; of the others nothing is active.
  private func moved(_ n: NodeID, _ x: [NodeID], _ slot: Int, _ list: [Term], index: (slot: Int, data: UnsafeRawPointer)?) throws(Failure) -> [Term]? {
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
  private func spread(_ m: Term, _ source: IDs, _ operand: Int) throws(Failure) -> Term? {
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

  private func flat(_ m: Term) -> NodeID { m.node.isNone ? m.node : t.reshape(m.node, [m.count]) }

  /// Parts put together. A few parts whose terms lie along their elements stay so, term beside term; else the entries are strung together.
  private func joined(_ n: NodeID, _ x: [NodeID], _ parts: [[Term]]) throws(Failure) -> [Term] {
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
  private func folded(_ list: [Term], _ places: IDs) throws(Failure) -> [Term] {
    var result: [Term] = []
    for m in list {
      let rows = try IDs(m.count)
      for e in 0 ..< m.count { rows[e] = places[m.rows < 0 ? e : Int(lists[Int(m.rows)][e])] }
      result.append(Term(rows: intern(rows), columns: m.columns, scale: m.scale, node: flat(m), count: m.count))
    }
    return result
  }

  private func added(_ n: NodeID, _ list: [Term], _ places: IDs) throws(Failure) -> [Term] {
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

  private func reduced(_ n: NodeID, _ x: NodeID, _ list: [Term], _ first: Int32) throws(Failure) -> [Term]? {
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
  private func lowered(_ n: NodeID, _ first: Int32) throws(Failure) -> [Term]? {
    if let f = t.failure { throw f }
    return try evaluate([n], from: first) ? terms[n.index] ?? [] : nil
  }

  private func product(_ n: NodeID, _ x: [NodeID], _ of: [[Term]?], _ first: Int32) throws(Failure) -> [Term]? {
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

  // MARK: the end

  /// A term's array without what only moved it last: its entries are read where they lie. With it, for each entry, the element plus one; nil: each its own.
  private func peeled(_ m: Term) throws(Failure) -> (node: NodeID, places: IDs?) {
    guard m.rows < 0 else { return (m.node, nil) }
    var node = m.node, places: IDs?
    let columns = lists[Int(m.columns)]
    while let s = t.structural(node) {
      switch s {
      case .pad, .roll, .transpose, .slice, .broadcast: break
      case .reshape:
        node = t.input(node, 0)
        continue
      default: return (node, places)
      }
      let inner = t.input(node, 0), count = t.type(inner).count
      guard count <= m.count + m.count / 8 + 8 else { return (node, places) }
      let own = try IDs(count)
      for i in 0 ..< count { own[i] = Int32(i + 1) }
      let moved = try moveNumbers(t, node, [inner], [own]), next = try IDs(m.count, filling: 0)
      for e in 0 ..< m.count where columns[e] != 0 {
        let at = places.map { Int($0[e]) } ?? e + 1
        next[e] = moved[at - 1]
        // An entry that is a zero of the padding stays where it is.
        if next[e] == 0 { return (node, places) }
      }
      (node, places) = (inner, next)
    }
    return (node, places)
  }

  /// Pattern and sources of what was accumulated.
  func gathered(_ found: [[Term]], _ l: Linearised) throws(Failure) -> (Pattern, Sources) {
    var offsets: [Int32: Int] = [:], outputs: [NodeID] = [], at = 0, constants: [Double] = [], constantAt: [UInt64: Int] = [:]
    var bare: [[(node: NodeID, places: IDs?)]] = []
    for list in found {
      var own: [(node: NodeID, places: IDs?)] = []
      for m in list {
        guard !m.node.isNone else { own.append((.none, nil)); continue }
        var x = m
        let places: IDs?
        (x.node, places) = try peeled(m)
        let s = t.cast(settled(x), l.dtype)
        if let f = t.failure { throw f }
        own.append((s, places))
        if offsets[s.index] == nil {
          offsets[s.index] = at
          outputs.append(s)
          at += t.type(s).count
        }
      }
      bare.append(own)
    }
    guard at < Int(Int32.max) - (1 << 20) else { throw Failure(.memory, "sparse: the arrays of entries have 2^31 elements or more") }
    let m = l.rowCount, starts = try Cells<Int>(m + 1, filling: 0)
    func each(_ body: (Int, Int32, Int32) -> Void) {
      for (k, list) in found.enumerated() {
        for (q, term) in list.enumerated() {
          let columns = lists[Int(term.columns)].p, places = bare[k][q].places?.p, rows = term.rows < 0 ? nil : lists[Int(term.rows)].p
          var source = 0, step = 1
          if term.node.isNone {
            if constantAt[term.scale.bitPattern] == nil {
              constantAt[term.scale.bitPattern] = constants.count
              constants.append(term.scale)
            }
            source = at + (constantAt[term.scale.bitPattern] ?? 0)
            step = 0
          } else {
            source = offsets[bare[k][q].node.index] ?? 0
          }
          for e in 0 ..< term.count where columns[e] != 0 { body(l.rowStarts[k] + (rows.map { Int($0[e]) } ?? e), columns[e] - 1, Int32(source + step * (places.map { Int($0[e]) - 1 } ?? e))) }
        }
      }
    }
    var total = 0
    each { i, _, _ in
      starts.p[i + 1] += 1
      total += 1
    }
    guard total < Int(Int32.max), constants.count < 1 << 20 else { throw Failure(.memory, "sparse: \(total) entries; fewer than 2^31 are taken") }
    for i in 0 ..< m { starts.p[i + 1] += starts.p[i] }
    let next = try Cells<Int>(m + 1), list = try Cells<UInt64>(total)
    for i in 0 ... m { next[i] = starts[i] }
    // Column above, source below: sorted together.
    each { i, j, s in
      list.p[next.p[i]] = UInt64(UInt32(bitPattern: j)) << 32 | UInt64(UInt32(bitPattern: s))
      next.p[i] += 1
    }
    var ends = [Int](), columns = [Int32]()
    ends.reserveCapacity(m + 1)
    columns.reserveCapacity(total)
    ends.append(0)
    let index = try Cells<Int32>(total)
    var also: [(entry: Int32, index: Int32)] = []
    for i in 0 ..< m {
      let a = starts.p[i], b = starts.p[i + 1], p = list.p
      if b - a <= 24 {
        for k in stride(from: a + 1, to: b, by: 1) {
          let v = p[k]
          var q = k
          while q > a, p[q - 1] > v { p[q] = p[q - 1]; q -= 1 }
          p[q] = v
        }
      } else {
        var line = UnsafeMutableBufferPointer(start: p + a, count: b - a)
        line.sort()
      }
      let first = columns.count
      for k in a ..< b {
        let j = Int32(truncatingIfNeeded: p[k] >> 32), s = Int32(truncatingIfNeeded: p[k])
        if columns.count > first, columns[columns.count - 1] == j {
          also.append((Int32(columns.count - 1), s))
        } else {
          index.p[columns.count] = s
          columns.append(j)
        }
      }
      ends.append(columns.count)
    }
    var sources = Sources(index)
    sources.outputs = outputs
    sources.also = also
    sources.constants = constants
    return (Pattern(rowCount: m, columnCount: l.columnCount, starts: ends, columns: columns), sources)
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
