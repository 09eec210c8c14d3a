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
  var lists: [IDs] = [], byHash: [UInt64: [Int32]] = [:]
  /// Of each list: whether elements without an entry are in it; of pairs of lists that agree where both have entries, the two together (-1: they do not).
  var gaps: [Bool] = [], unions: [UInt64: Int32] = [:]
  var terms: [Int32: [Term]] = [:], members: [Int32: [[Term]]] = [:]
  var active: Set<Int32> = []
  let known = Known()
  /// Entries made so far, elements of values looked at, and when to give up.
  var entries = 0, elements = 0
  let patience: Int
  static let termLimit = 512

  init(_ t: Tape, patience: Int) {
    self.t = t
    self.patience = patience
  }

  func intern(_ ids: IDs) -> Int32 {
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
  func union(_ a: Int32, _ b: Int32) throws(Failure) -> Int32? {
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
  func cleaned(_ m: Term, like n: NodeID) throws(Failure) -> NodeID? {
    if !m.node.isNone { return m.clean ? settled(m) : nil }
    guard gaps[Int(m.columns)] else { return filled(m, like: n) }
    let columns = lists[Int(m.columns)], d = t.dtype(n), wide = try Cells<Double>(m.count)
    for i in 0 ..< m.count { wide[i] = columns.p[i] != 0 ? m.scale : 0 }
    if d == .f64 { return t.array(t.type(n), wide.p) }
    let narrow = try Cells<Float>(m.count)
    for i in 0 ..< m.count { narrow[i] = Float(wide[i]) }
    return d == .f32 ? t.array(t.type(n), narrow.p) : nil
  }
  func memcmpEqual(_ a: IDs, _ b: IDs) -> Bool {
    for i in 0 ..< a.count where a.p[i] != b.p[i] { return false }
    return true
  }
  func isEmpty(_ ids: IDs) -> Bool {
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

  func evaluate(_ outputs: [NodeID], from first: Int32) throws(Failure) -> Bool {
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

  func value(_ n: NodeID, _ r: Record, _ first: Int32) throws(Failure) -> [Term]? {
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

  func negated(_ m: Term) -> Term {
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
  func filled(_ m: Term, like n: NodeID) -> NodeID {
    m.node.isNone ? t.full(m.rows < 0 ? t.type(n) : TensorType(t.dtype(n), [m.count]), m.scale) : settled(m)
  }

  func sum(_ a: [Term], _ b: [Term], _ n: NodeID) throws(Failure) -> [Term] {
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
  func merged(_ m: Term, into list: inout [Term], _ n: NodeID) throws(Failure) -> Bool {
    guard m.rows < 0, m.count > 1, gaps[Int(m.columns)] else { return false }
    for k in list.indices where list[k].rows < 0 && (m.node.isNone || m.clean) && (list[k].node.isNone || list[k].clean) {
      guard let both = try union(list[k].columns, m.columns), let x = try cleaned(list[k], like: n), let y = try cleaned(m, like: n) else { continue }
      list[k] = Term(rows: -1, columns: both, scale: 1, node: t.add(x, y), count: m.count)
      return true
    }
    return false
  }

  /// What a term reads of an array of the value's shape.
  func seen(_ f: NodeID, _ m: Term) throws(Failure) -> NodeID {
    if m.rows < 0 { return f }
    return t.gather(t.reshape(f, [t.type(f).count]), try constant(lists[Int(m.rows)]), axis: -1)
  }
  func constant(_ ids: IDs) throws(Failure) -> NodeID {
    let n = t.array(TensorType(.i32, [ids.count]), ids.p)
    if let f = t.failure { throw f }
    return n
  }

  func times(_ list: [Term], _ f: NodeID) throws(Failure) -> [Term] {
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
  func zeroes(_ f: NodeID) throws(Failure) -> Cells<UInt8>? {
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
  func without(_ m: Term, _ flags: Cells<UInt8>) throws(Failure) -> Term? {
    let columns = lists[Int(m.columns)], kept = try IDs(m.count)
    for e in 0 ..< m.count { kept[e] = flags[m.rows < 0 ? e : Int(lists[Int(m.rows)][e])] != 0 ? 0 : columns[e] }
    if isEmpty(kept) { return nil }
    var m = m
    m.columns = intern(kept)
    m.clean = false
    return m
  }

  func divided(_ list: [Term], _ f: NodeID) throws(Failure) -> [Term] {
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

  func gated(_ mask: NodeID, _ list: [Term], _ f: NodeID) throws(Failure) -> [Term] {
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
  func unset(_ mask: NodeID) throws(Failure) -> Cells<UInt8>? {
    guard let p = known.data(t, mask) else { return nil }
    let n = t.type(mask).count, flags = try Cells<UInt8>(n)
    for i in 0 ..< n { flags[i] = isZero(p, .bool, i) ? 1 : 0 }
    return flags
  }

  func chosen(_ c: NodeID, _ a: [Term], _ b: [Term], _ n: NodeID) throws(Failure) -> [Term] {
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

  // MARK: the end

  /// A term's array without what only moved it last: its entries are read where they lie. With it, for each entry, the element plus one; nil: each its own.
  func peeled(_ m: Term) throws(Failure) -> (node: NodeID, places: IDs?) {
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
