import CKernels
import Runtime
package import Tape

typealias IDs = Cells<Int32>
/// A mark an element: the number of its set of columns, or 64 columns as bits.
typealias Marks = Cells<Int64>

/// What each element of each value depends on: a set of columns an element, or 64 columns as bits. The tape is read forwards once; what moves elements about moves
/// numbers of sets, by the operators' own kernels. Made for the tangent half of a jvp, where everything is linear in what has sets; elsewhere
/// it takes each operator to depend on all of its differentiable operands.
final class Propagation {
  let sets: Sets
  /// Element visits, against loops that would take for ever.
  private var work = 0
  /// Rules inside of rules that are being read.
  var ruling = 0

  private struct Passage: Hashable { let tape: ObjectIdentifier, node: NodeID, slot: Int }
  private var passages: [Passage: Lists?] = [:]
  /// Arrays that nothing reads any more, by size: a pass after the first makes few new ones.
  private var spare: [Int: [Marks]] = [:]
  private func fresh(_ n: Int) throws(Failure) -> Marks {
    if let m = spare[n]?.popLast() { return m }
    return try Marks(n)
  }

  init(_ sets: Sets) { self.sets = sets }

  /// A body's step is run over as often as the loop has steps up to here; beyond, to its fixed point.
  static let stepBudget = 1 << 24

  /// The sets of `outputs` for those of `seeds`; nil: none at all. `values` are what nodes are known to be.
  func run(_ t: Tape, _ outputs: [NodeID], _ seeds: [NodeID: Marks], _ values: Known) throws(Failure) -> [Marks?] {
    guard let first = seeds.keys.map(\.index).min() else { return outputs.map { _ in nil } }
    let list: [NodeID], uses: [Int32: Int32]
    guard let nodes = t.order(outputs, from: first) else { throw t.failure ?? Failure(.memory, "pattern: memory was refused") }
    var order: [NodeID] = [], readers: [Int32: Int32] = [:]
    order.reserveCapacity(nodes.count)
    for k in 0 ..< nodes.count {
      order.append(nodes[k])
      let r = t.record(nodes[k])
      for slot in 0 ..< Int(r.arity) { readers[t.input(of: r, slot).index, default: 0] += 1 }
    }
    for o in outputs { readers[o.index, default: 0] += 1 }
    (list, uses) = (order, readers)
    var sets: [Int32: Marks] = [:], members: [Int32: [Marks?]] = [:], left = uses
    for (n, s) in seeds { sets[n.index] = s }
    for n in list where seeds[n] == nil {
      let r = t.record(n)
      if r.arity == 0 { continue }
      var active = false
      for slot in 0 ..< Int(r.arity) {
        let x = t.input(of: r, slot)
        if sets[x.index] != nil || members[x.index] != nil { active = true }
      }
      if active {
        if r.type <= -2 {
          members[n.index] = try tuple(t, n, t.inputs(n).map { sets[$0.index] }, values)
        } else if r.op == Structural.part.rawValue {
          if let m = members[r.a]?[t.attrs(n)[0]] { sets[n.index] = m }
        } else if t.dtype(n).isFloat {
          if let s = try value(t, n, r, { sets[$0.index] }, values) { sets[n.index] = s }
        }
        if self.sets.refused { throw Failure(.memory, Sets.outgrew) }
      }
      for slot in 0 ..< Int(r.arity) {
        let x = t.input(of: r, slot)
        if let k = left[x.index] {
          left[x.index] = k - 1
          if k == 1, var m = sets.removeValue(forKey: x.index), isKnownUniquelyReferenced(&m), m.count >= 64, spare[m.count, default: []].count < 16 { spare[m.count]?.append(m) }
        }
      }
    }
    return outputs.map { sets[$0.index] }
  }

  // MARK: one operator

  private func value(_ t: Tape, _ n: NodeID, _ r: Record, _ of: (NodeID) -> Marks?, _ values: Known) throws(Failure) -> Marks? {
    let op = OpCode(raw: r.op)
    if op.isElementwise { return try elementwise(t, n, r, of, values) }
    let x = t.inputs(n), s = Structural(rawValue: r.op).unsafelyUnwrapped
    switch s {
    case .cast, .reshape: return of(x[0])
    case .after: return of(x[0])
    case .broadcast, .transpose, .slice, .pad, .concat, .roll: return try moved(t, n, x, of)
    case .gather:
      if of(x[1]) == nil, let index = values.data(t, x[1]) { return try moved(t, n, x, of, index: (1, index)) }
      guard let a = of(x[0]) else { return nil }
      return try gathered(t, n, x, a)
    case .scatterAdd:
      guard let u = of(x[1]) else { return nil }
      return try added(t, n, x, u, values)
    case .scatterSet:
      if let index = values.data(t, x[1]) { return try moved(t, n, x, of, index: (1, index)) }
    case .dynamicSlice:
      if let index = values.data(t, x[1]) { return try moved(t, n, x, of, index: (1, index)) }
    case .dynamicUpdate:
      if let index = values.data(t, x[2]) { return try moved(t, n, x, of, index: (2, index)) }
    case .sum, .prod, .max, .min, .logsumexp, .norm:
      guard let a = of(x[0]) else { return nil }
      return try reduced(t.type(x[0]), t.attrs(n), a, t.type(n).count)
    case .softmax: 
      guard let a = of(x[0]) else { return nil }
      return try along(t.type(x[0]), t.attrs(n)[0], a)
    case .cumsum, .cumprod, .cummax, .cummin, .cumlogsumexp:
      guard let a = of(x[0]) else { return nil }
      return try running(t.type(x[0]), t.attrs(n)[0], backwards: t.attrs(n).count > 1 && t.attrs(n)[1] != 0, a)
    case .recurrence:
      // y_i = a_i y_{i-1} + b_i: attrs are an axis and a direction, as of a running sum.
      guard let a = try joined(of(x[0]), of(x[1])) else { return nil }
      return try running(t.type(n), t.attrs(n)[0], backwards: t.attrs(n).count > 1 && t.attrs(n)[1] != 0, a)
    case .sort:
      guard let a = of(x[0]) else { return nil }
      return try along(t.type(x[0]), t.attrs(n)[0], a)
    case .matmul: return try product(t, n, x, of, values)
    case .triangularSolve, .solve, .cholesky, .cofactor, .pinv, .expm, .sqrtm, .lu, .qr, .eigh, .eigvalsh, .svd, .svdvals, .det, .slogdet, .sylvester, .solveBanded:
      return try matrices(t, n, x, of)
    case .argmax, .argmin, .argsort, .poolIndex, .searchsorted, .cumargmax, .cumargmin, .random, .revolve, .iota: return nil
    case .conv:
      return try convolved(t, n, x, of)
    default: break
    }
    return try everything(t, n, x.compactMap(of))
  }

  func charge(_ n: Int) throws(Failure) {
    work += n
    if work > 1 << 36 { throw Failure(.invalid, "pattern: more than 2^36 elements would be visited") }
  }

  func joined(_ a: Marks?, _ b: Marks?) throws(Failure) -> Marks? {
    guard let a else { return b }
    guard let b, a !== b else { return a }
    let out = try fresh(a.count)
    try charge(a.count)
    if sets.isWords {
      let x = a.p, y = b.p, z = out.p
      for i in 0 ..< a.count { z[i] = x[i] | y[i] }
    } else {
      for i in 0 ..< a.count { out[i] = sets.union(a[i], b[i]) }
    }
    return out
  }

  private func elementwise(_ t: Tape, _ n: NodeID, _ r: Record, _ of: (NodeID) -> Marks?, _ values: Known) throws(Failure) -> Marks? {
    let a = NodeID(r.a), b = NodeID(r.b), c = NodeID(r.c)
    switch OpCode(raw: r.op).elementwise {
    case .unary(let u):
      switch u {
      case .sign, .floor, .ceil, .round, .trunc, .stop_gradient, .isnan, .isfinite, .logical_not: return nil
      default: return of(a)
      }
    case .binary(let op):
      switch op {
      case .floor_divide: return nil
      // x - x is nothing, and x + (-x) too.
      case .sub where a == b: return nil
      case .div where a == b: return nil
      case .add where negates(t, a, b) || negates(t, b, a): return nil
      case .mul: return try joined(kept(t, of(a), unless: b, values), kept(t, of(b), unless: a, values))
      default: return try joined(of(a), of(b))
      }
    case .ternary(let op):
      switch op {
      case .select:
        if let m = values.data(t, a) { return try chosen(m, of(b), of(c), t.type(n).count) }
        return try joined(of(b), of(c))
      case .gate:
        let both = try joined(kept(t, of(b), unless: c, values), kept(t, of(c), unless: b, values))
        if let both, let m = values.data(t, a) { return try chosen(m, both, nil, both.count) }
        return both
      case .fma: return try joined(joined(kept(t, of(a), unless: b, values), kept(t, of(b), unless: a, values)), of(c))
      default: return try joined(joined(of(a), of(b)), of(c))
      }
    }
  }
  private func negates(_ t: Tape, _ a: NodeID, _ b: NodeID) -> Bool { t.op(a) == OpCode(Unary.neg) && t.input(a, 0) == b }

  /// `s` without the elements where the factor is known to be zero.
  private func kept(_ t: Tape, _ s: Marks?, unless factor: NodeID, _ values: Known) throws(Failure) -> Marks? {
    guard let s else { return nil }
    if let k = t.uniformConstant(factor) { return t.constantBits(k) & ~(1 << 63) == 0 ? nil : s }
    guard let p = values.data(t, factor) else { return s }
    let d = t.dtype(factor), n = s.count
    var any = false
    for i in 0 ..< n where isZero(p, d, i) { any = true; break }
    if !any { return s }
    let out = try Marks(n)
    for i in 0 ..< n { out[i] = isZero(p, d, i) ? 0 : s[i] }
    return out
  }

  private func chosen(_ m: UnsafeRawPointer, _ a: Marks?, _ b: Marks?, _ n: Int) throws(Failure) -> Marks? {
    if a == nil && b == nil { return nil }
    let out = try Marks(n), bits = m.assumingMemoryBound(to: UInt8.self)
    var any = false
    for i in 0 ..< n {
      out[i] = bits[i] != 0 ? a?[i] ?? 0 : b?[i] ?? 0
      if out[i] != 0 { any = true }
    }
    return any ? out : nil
  }

  // MARK: movement

  /// The operator's own kernel on numbers of sets.
  private func moved(_ t: Tape, _ n: NodeID, _ x: [NodeID], _ of: (NodeID) -> Marks?, index: (slot: Int, data: UnsafeRawPointer)? = nil) throws(Failure) -> Marks? {
    var ids: [Marks?] = [], any = false
    for (slot, node) in x.enumerated() {
      if slot == index?.slot { ids.append(nil); continue }
      let s = of(node)
      if s != nil { any = true }
      if let s { ids.append(s) } else { ids.append(try Marks(t.type(node).count, filling: 0)) }
    }
    guard any else { return nil }
    try charge(t.type(n).count)
    return try moveMarks(t, n, x, ids, index: index, into: fresh(t.type(n).count))
  }

  /// Groups of elements: [outer, n, inner] around an axis.
  private func around(_ shape: [Int], _ axis: Int) -> (outer: Int, n: Int, inner: Int) {
    let a = shape.count + axis
    return (shape[..<a].reduce(1, &*), shape[a], shape[(a + 1)...].reduce(1, &*))
  }

  /// Along an axis, each element depends on all.
  private func along(_ type: TensorType, _ axis: Int, _ a: Marks) throws(Failure) -> Marks {
    let (outer, n, inner) = around(type.shape, axis), out = try fresh(a.count)
    try charge(a.count)
    for o in 0 ..< outer {
      for i in 0 ..< inner {
        let u = sets.union(of: a.p + (o * n * inner + i), stride: inner, count: n)
        for k in 0 ..< n { out[(o * n + k) * inner + i] = u }
      }
    }
    return out
  }

  private func running(_ type: TensorType, _ axis: Int, backwards: Bool, _ a: Marks) throws(Failure) -> Marks {
    let (outer, n, inner) = around(type.shape, axis), out = try fresh(a.count)
    try charge(a.count)
    for o in 0 ..< outer {
      for i in 0 ..< inner {
        var u: Int64 = 0
        for k in 0 ..< n {
          let at = (o * n + (backwards ? n - 1 - k : k)) * inner + i
          u = sets.union(u, a[at])
          out[at] = u
        }
      }
    }
    return out
  }

  private func reduced(_ type: TensorType, _ axes: [Int], _ a: Marks, _ count: Int) throws(Failure) -> Marks {
    if axes.isEmpty { return a }
    try charge(a.count)
    let gone = axes.map { type.rank + $0 }, out = try fresh(count)
    if gone[gone.count - 1] - gone[0] == gone.count - 1 {
      let outer = type.shape[..<gone[0]].reduce(1, &*), n = gone.reduce(1) { $0 &* type.shape[$1] }, inner = type.shape[(gone[gone.count - 1] + 1)...].reduce(1, &*)
      for o in 0 ..< outer { for i in 0 ..< inner { out[o * inner + i] = sets.union(of: a.p + (o * n * inner + i), stride: inner, count: n) } }
      return out
    }
    let groups = try collapsedPlaces(type, gone)
    return try grouped(a, groups, count)
  }

  /// Unions of the elements that fall into each group; a negative number is none.
  private func grouped(_ a: Marks, _ groups: IDs, _ count: Int) throws(Failure) -> Marks {
    let starts = try Cells<Int>(count + 1, filling: 0), list = try Marks(a.count), out = try Marks(count)
    try charge(a.count)
    for i in 0 ..< a.count where groups[i] >= 0 { starts[Int(groups[i]) + 1] += 1 }
    for g in 0 ..< count { starts[g + 1] += starts[g] }
    let next = try Cells<Int>(count + 1)
    for g in 0 ... count { next[g] = starts[g] }
    for i in 0 ..< a.count where groups[i] >= 0 {
      let g = Int(groups[i])
      list[next[g]] = a[i]
      next[g] += 1
    }
    for g in 0 ..< count { out[g] = sets.union(of: list.p + starts[g], count: starts[g + 1] - starts[g]) }
    return out
  }

  private func added(_ t: Tape, _ n: NodeID, _ x: [NodeID], _ u: Marks, _ values: Known) throws(Failure) -> Marks {
    let out = t.type(n)
    guard let index = values.data(t, x[0]) else { return try lines(t, n, out, t.attrs(n)[0], u) }
    let places = try scatterPlaces(t, n, index)
    return try grouped(u, places, out.count)
  }

  /// Scattered to places that are not known: along the axis anything may land anywhere.
  private func lines(_ t: Tape, _ n: NodeID, _ out: TensorType, _ axis: Int, _ u: Marks) throws(Failure) -> Marks {
    let zeros = try Cells<UInt8>(t.type(t.input(n, 0)).bytes, filling: 0), places = try scatterPlaces(t, n, UnsafeRawPointer(zeros.p))
    return try along(out, axis, grouped(u, places, out.count))
  }

  /// Gathered from places that are not known: any along the axis.
  private func gathered(_ t: Tape, _ n: NodeID, _ x: [NodeID], _ a: Marks) throws(Failure) -> Marks {
    let spread = try along(t.type(x[0]), t.attrs(n)[0], a)
    // With every element along the axis the same, the first one stands for all.
    let zeros = try Cells<UInt8>(t.type(x[1]).bytes, filling: 0)
    return try moveMarks(t, n, x, [spread, nil], index: (1, UnsafeRawPointer(zeros.p)), into: fresh(t.type(n).count))
  }

  private func everything(_ t: Tape, _ n: NodeID, _ parts: [Marks]) throws(Failure) -> Marks? {
    var u: Int64 = 0
    for p in parts {
      try charge(p.count)
      u = sets.union(u, sets.union(of: p.p, count: p.count))
    }
    return u == 0 ? nil : try Marks(t.type(n).count, filling: u)
  }

  // MARK: products and matrices

  /// Result and operands are stacks of blocks over their first `lead` elements: each block depends on all of its own.
  private func blocks(_ t: Tape, _ parts: [Marks], _ types: [TensorType], lead: Int, _ out: TensorType) throws(Failure) -> Marks {
    let batch = out.shape.prefix(lead).reduce(1, &*), each = batch == 0 ? 0 : out.count / batch, result = try Marks(out.count)
    for b in 0 ..< batch {
      var u: Int64 = 0
      for (p, type) in zip(parts, types) {
        let shared = Array(type.shape.prefix(lead)) != Array(out.shape.prefix(lead)), size = shared ? p.count : p.count / batch
        try charge(size)
        u = sets.union(u, sets.union(of: p.p + (shared ? 0 : b * size), count: size))
      }
      for i in b * each ..< (b + 1) * each { result[i] = u }
    }
    return result
  }

  private func matrices(_ t: Tape, _ n: NodeID, _ x: [NodeID], _ of: (NodeID) -> Marks?) throws(Failure) -> Marks? {
    let live = x.filter { of($0) != nil }
    guard !live.isEmpty else { return nil }
    let out = t.type(n), lead = live.map { t.type($0).rank - 2 }.min().map { Swift.max(0, min($0, out.rank)) } ?? 0
    let sound = live.allSatisfy { Array(t.shape($0).prefix(lead)) == Array(out.shape.prefix(lead)) }
    return try blocks(t, live.compactMap(of), live.map { t.type($0) }, lead: sound ? lead : 0, out)
  }

  private func product(_ t: Tape, _ n: NodeID, _ x: [NodeID], _ of: (NodeID) -> Marks?, _ values: Known) throws(Failure) -> Marks? {
    let f = t.attrs(n), out = t.type(n), rows = out.shape[out.rank - 2], columns = out.shape[out.rank - 1]
    let ta = t.type(x[0]), tb = t.type(x[1]), k = ta.shape[ta.rank - 1 - f[0]]
    let batch = out.shape.dropLast(2).reduce(1, &*)
    var result: Marks?
    for slot in 0 ..< 2 {
      guard let a = of(x[slot]) else { continue }
      let other = x[1 - slot], type = t.type(x[slot]), each = type.rank > 2 ? rowsColumns(slot, rows, columns, k) : 0
      // Strides of this operand's line (its row of A, or its column of B), and along it.
      let turned = f[slot] != 0
      let line = slot == 0 ? (turned ? 1 : k) : (turned ? k : 1), step = slot == 0 ? (turned ? rows : 1) : (turned ? 1 : columns)
      let lineCount = slot == 0 ? rows : columns, otherCount = slot == 0 ? columns : rows
      let known = values.data(t, other), d = t.dtype(other), own = t.type(other).rank > 2 ? rowsColumns(1 - slot, rows, columns, k) : 0
      let otherTurned = f[1 - slot] != 0
      let part = try Marks(out.count)
      // Where the other factor is known to be zero, nothing passes.
      let otherLine = slot == 0 ? (otherTurned ? k : 1) : (otherTurned ? 1 : k), otherStep = slot == 0 ? (otherTurned ? 1 : columns) : (otherTurned ? rows : 1)
      let passes = try known.flatMap { p throws(Failure) in own == 0 ? try places(t, n, slot, p, d, otherCount, otherLine, k, otherStep) : nil }
      let line1 = try Marks(k)
      for b in 0 ..< batch {
        for i in 0 ..< lineCount {
          let base = b * each + i * line
          try charge(k)
          let u = passes == nil ? sets.union(of: a.p + base, stride: step, count: k) : 0
          for j in 0 ..< otherCount {
            var v = u
            if let passes {
              let first = passes.first(j), count = passes.size(j)
              try charge(count)
              if sets.isWords {
                v = 0
                for m in 0 ..< count { v |= a[base + Int(passes.items.p[first + m]) * step] }
              } else {
                for m in 0 ..< count { line1[m] = a[base + Int(passes.items.p[first + m]) * step] }
                v = sets.union(of: line1.p, count: count)
              }
            }
            part[b * rows * columns + (slot == 0 ? i * columns + j : j * columns + i)] = v
          }
        }
      }
      result = try joined(result, part)
    }
    _ = tb
    return result
  }
  /// Of a factor that is known: for each of its lines the places that are not zero; nil where none is zero. Kept for the next pass.
  private func places(_ t: Tape, _ n: NodeID, _ slot: Int, _ p: UnsafeRawPointer, _ d: DType, _ lines: Int, _ line: Int, _ k: Int, _ step: Int) throws(Failure) -> Lists? {
    let key = Passage(tape: ObjectIdentifier(t), node: n, slot: slot)
    if let known = passages[key] { return known }
    var count = 0
    for j in 0 ..< lines { for l in 0 ..< k where !isZero(p, d, j * line + l * step) { count += 1 } }
    let made = count == lines * k ? nil : try Lists(count: lines, entries: count)
    if let made {
      var next = 0
      for j in 0 ..< lines {
        for l in 0 ..< k where !isZero(p, d, j * line + l * step) {
          made.items[next] = Int32(truncatingIfNeeded: l)
          next += 1
        }
        made.starts[j + 1] = next
      }
    }
    passages[key] = .some(made)
    return made
  }
  private func rowsColumns(_ slot: Int, _ rows: Int, _ columns: Int, _ k: Int) -> Int { slot == 0 ? rows * k : k * columns }

  /// Each element of the result against the windows that it is made of, as the operator's kernel walks them.
  private func convolved(_ t: Tape, _ n: NodeID, _ x: [NodeID], _ of: (NodeID) -> Marks?) throws(Failure) -> Marks? {
    let out = t.type(n), g = row(.conv).geometry(x.map { t.type($0) }, t.attrs(n), out)
    var result: Marks?
    for slot in 0 ..< 2 {
      guard let a = of(x[slot]) else { continue }
      let part = try Marks(out.count, filling: 0), C = g[4], other = slot == 0 ? g[3] : g[2], own = slot == 0 ? g[2] : g[3]
      let from = slot == 0 ? 5 : 9, line = try Marks(C * g[18] * g[25] * g[32])
      for b in 0 ..< g[0] {
        for group in 0 ..< g[1] {
          for i in 0 ..< own {
            let base = b * g[from] + group * g[from + 1] + i * g[from + 2]
            for p0 in 0 ..< g[19] {
              for p1 in 0 ..< g[26] {
                for p2 in 0 ..< g[33] {
                  var m = 0
                  func at(_ axis: Int, _ p: Int, _ k: Int) -> Int? {
                    let q = 17 + 7 * axis, v = g[q + 3] * p + g[q + 4] * k - g[q + 6]
                    return v % g[q + 5] == 0 && v >= 0 && v / g[q + 5] < g[q] ? v / g[q + 5] : nil
                  }
                  for k0 in 0 ..< g[18] {
                    guard let i0 = at(0, p0, k0) else { continue }
                    for k1 in 0 ..< g[25] {
                      guard let i1 = at(1, p1, k1) else { continue }
                      for k2 in 0 ..< g[32] {
                        guard let i2 = at(2, p2, k2) else { continue }
                        let inner = slot == 0 ? (i0 * g[24] + i1) * g[31] + i2 : (k0 * g[25] + k1) * g[32] + k2
                        for c in 0 ..< C {
                          line[m] = a[base + c * g[from + 3] + inner]
                          m += 1
                        }
                      }
                    }
                  }
                  try charge(m)
                  let u = sets.union(of: line.p, count: m)
                  for o in 0 ..< other {
                    let (first, second) = slot == 0 ? (i, o) : (o, i)
                    part[b * g[13] + group * g[14] + first * g[15] + second * g[16] + (p0 * g[26] + p1) * g[33] + p2] = u
                  }
                }
              }
            }
          }
        }
      }
      result = try joined(result, part)
    }
    return result
  }

  // MARK: loops and branches

  private func tuple(_ t: Tape, _ n: NodeID, _ x: [Marks?], _ values: Known) throws(Failure) -> [Marks?] {
    let nodes = t.inputs(n)
    switch t.structural(n) {
    case .scan: return try scan(t, n, x, values)
    case .whileLoop:
      let s = t.whileShape(n)
      let consts = Array(x[s.carries ..< s.carries + s.consts])
      return try fixed(s.body, Array(x[..<s.carries]), consts, consts: { nodes[s.carries + $0] }, t, values, "while").carries
    case .cond:
      let s = t.condShape(n), choice = values.data(t, nodes[0])
      var result = [Marks?](repeating: nil, count: t.memberCount(n))
      let only = choice.map { min(Swift.max(t.dtype(nodes[0]) == .bool ? Int($0.load(as: UInt8.self)) : t.dtype(nodes[0]) == .i64 ? Int($0.load(as: Int64.self)) : Int($0.load(as: Int32.self)), 0), s.bodies.count - 1) }
      for (k, b) in s.bodies.enumerated() where only == nil || only == k {
        let outs = try body(b, Array(x.dropFirst()), { nodes[1 + $0] }, t, values)
        for i in result.indices { result[i] = try joined(result[i], outs[i]) }
      }
      return result
    case .checkpoint: return Array(x[..<t.attrs(n)[0]])
    case .custom:
      if let declared = try declared(t, n, x) { return declared }
      if let made = try ruled(t, n, x, values) { return made }
      fallthrough
    default:
      let types = t.tupleMembers(n)
      var all: Int64 = 0
      for p in x { if let p { all = sets.union(all, sets.union(of: p.p, count: p.count)) } }
      var list: [Marks?] = []
      for type in types { list.append(type.dtype.isFloat && all != 0 ? try Marks(type.count, filling: all) : nil) }
      return list
    }
  }

  /// One step of a body; `consts(i)` is the outer node that its input i stands for, for what is known of it.
  private func body(_ b: Body, _ x: [Marks?], _ outer: (Int) -> NodeID?, _ t: Tape, _ values: Known) throws(Failure) -> [Marks?] {
    var seeds: [NodeID: Marks] = [:]
    let inner = Known()
    for (i, n) in b.inputs.enumerated() {
      if let s = x[i] { seeds[n] = s } else if let o = outer(i), let p = values.data(t, o) { inner.give(n, p) }
    }
    if seeds.isEmpty { return b.outputs.map { _ in nil } }
    return try run(b.tape, b.outputs, seeds, inner)
  }

  private func fixed(_ b: Body, _ carries: [Marks?], _ rest: [Marks?], consts: (Int) -> NodeID?, _ t: Tape, _ values: Known, _ name: String) throws(Failure) -> (carries: [Marks?], outs: [Marks?]) {
    var now = carries
    for _ in 0 ..< 4096 {
      let outs = try body(b, now + rest, { $0 < carries.count ? nil : consts($0 - carries.count) }, t, values)
      var same = true
      for i in now.indices {
        let next = try joined(now[i], outs[i])
        if let next { if let before = now[i] { for k in 0 ..< next.count where next[k] != before[k] && !sets.equal(next[k], before[k]) { same = false; break } } else { same = false } }
        now[i] = next
      }
      if same { return (now, outs) }
    }
    throw Failure(.invalid, "pattern: a \(name) of unknown length has carries that depend on more after each of 4096 steps; give the pattern, or a scan of known length")
  }

  private func scan(_ t: Tape, _ n: NodeID, _ x: [Marks?], _ values: Known) throws(Failure) -> [Marks?] {
    let s = t.scanShape(n), nodes = t.inputs(n), C = s.carries
    let elements = s.body.outputs.reduce(s.body.tape.count) { $0 + s.body.tape.type($1).count }
    let consts = Array(x[(C + s.xs)...])
    func outer(_ i: Int) -> NodeID? { i < C + s.xs ? nil : nodes[i] }
    guard s.length * elements <= Propagation.stepBudget else {
      // Every step reads what any step may.
      var rest: [Marks?] = []
      for k in 0 ..< s.xs {
        guard let a = x[C + k] else { rest.append(nil); continue }
        let each = a.count / s.length, u = try Marks(each)
        for i in 0 ..< each { u[i] = sets.union(of: a.p + i, stride: each, count: s.length) }
        rest.append(u)
      }
      let f = try fixed(s.body, Array(x[..<C]), rest + consts, consts: { outer(C + $0) }, t, values, "scan")
      var result = f.carries
      for y in f.outs[C...] {
        guard let y else { result.append(nil); continue }
        let all = try Marks(y.count * s.length)
        for k in 0 ..< s.length { for i in 0 ..< y.count { all[k * y.count + i] = y[i] } }
        result.append(all)
      }
      return result
    }
    var carries = Array(x[..<C]), ys = [Marks?](repeating: nil, count: s.ys)
    for step in 0 ..< s.length {
      let k = s.reverse ? s.length - 1 - step : step
      var slices: [Marks?] = []
      for i in 0 ..< s.xs {
        guard let a = x[C + i] else { slices.append(nil); continue }
        let each = a.count / s.length, piece = try Marks(each)
        for j in 0 ..< each { piece[j] = a[k * each + j] }
        slices.append(piece)
      }
      let outs = try body(s.body, carries + slices + consts, outer, t, values)
      carries = Array(outs[..<C])
      for i in 0 ..< s.ys {
        guard let y = outs[C + i] else { continue }
        let all: Marks
        if let known = ys[i] { all = known } else { all = try Marks(y.count * s.length, filling: 0) }
        for j in 0 ..< y.count { all[k * y.count + j] = y[j] }
        ys[i] = all
      }
    }
    return carries + ys
  }
}
