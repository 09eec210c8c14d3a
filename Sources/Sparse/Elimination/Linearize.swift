import CKernels
package import Tape

/// What stands on an edge: a factor, times a node where it is not constant (then the factor is +-1). The node's value is 0 where the mask,
/// if there is one, is not set: a structural zero.
package struct Edge {
  package var factor: Double, node: NodeID, mask: NodeID
  /// Of a factor that varies and whose node is not recorded yet: its number among those that wait.
  var waits: Int32 = -1
  init(_ factor: Double, _ node: NodeID = .none, mask: NodeID = .none) {
    self.factor = factor
    self.node = node
    self.mask = mask
  }
  var kind: LinearGraph.Kind { !node.isNone || waits >= 0 ? .varying : factor == 1 || factor == -1 ? .unit : .constant }
}

/// A program taken apart into scalars: a vertex for each element that is computed, an edge for each partial. Movement of elements (slices,
/// transposes, concats, ...) makes neither. Operators without partials of their own (solves, loops, calls of the host, ...) come in by
/// their Jacobians.
package struct Linearized {
  package let tape: Tape
  package private(set) var graph = LinearGraph()
  package private(set) var edges: [Edge] = []
  /// The dtype of all edges: the widest there is.
  package private(set) var dtype = DType.f64
  /// Vertices of values, element by element: from `first` on in `places`; a vertex is -1 where nothing depends on an input.
  private var first: [Int32: Int] = [:], places: [Int32] = []
  /// Where asked for: second partials of the vertex `of` in its operands' vertices a and b, each pair once.
  package private(set) var curves: [(of: Int32, a: Int32, b: Int32, edge: Edge)] = []
  private let curved: Bool
  /// Partials, and elements of them, that are no nodes before `settle`: a graph that is only counted leaves none on the tape.
  private var waiting: [(Partial, Int)] = []
  /// Nodes as lists of elements.
  private final class Flat { var of: [Int32: NodeID] = [:] }
  private let flat = Flat()
  package static let vertexLimit = 4096, elementLimit = 1 << 20, edgeLimit = 1 << 18

  package init?(_ t: Tape, _ outputs: [NodeID], _ inputs: [NodeID], name: String, curved: Bool = false) {
    tape = t
    self.curved = curved
    for n in inputs {
      let c = t.type(n).count
      guard let v = vertices(c, name) else { return nil }
      first[n.index] = places.count
      places += v
    }
    graph.inputs = graph.count
    dtype = widest(outputs + inputs)
    guard let nodes = t.order(outputs, derivatives: true) else { return nil }
    for k in 0 ..< nodes.count where first[nodes[k].index] == nil {
      let before = graph.count
      guard visit(nodes[k], name), !curved || graph.count == before || bend(nodes[k], before, name), t.failure == nil, edges.count <= Linearized.edgeLimit, curves.count <= Linearized.edgeLimit else {
        t.fail(.invalid, "\(name): more than \(Linearized.edgeLimit) partials; elimination is for straight-line programs of some thousand of them")
        return nil
      }
    }
    // A sink for each element of an output, over a free edge.
    var ends: [(Int32, Edge)] = []
    for o in outputs {
      // Nothing was counted yet of an output that depends on no input.
      guard t.type(o).count <= Linearized.vertexLimit else { _ = vertices(t.type(o).count, name); return nil }
      for v in ids(o) ?? [Int32](repeating: -1, count: t.type(o).count) { ends.append((v, Edge(1))) }
    }
    let base = graph.count
    guard vertices(ends.count, name) != nil else { return nil }
    graph.outputs = ends.count
    for (i, e) in ends.enumerated() where e.0 >= 0 { connect(Int(e.0), base + i, e.1) }
  }

  private func widest(_ list: [NodeID]) -> DType {
    var d = DType.f64, size = 0
    for n in list where tape.dtype(n).isFloat && tape.dtype(n).size > size { (d, size) = (tape.dtype(n), tape.dtype(n).size) }
    return d
  }

  private mutating func vertices(_ n: Int, _ name: String) -> [Int32]? {
    guard n <= Linearized.vertexLimit, graph.count + n <= Linearized.vertexLimit else {
      tape.fail(.invalid, "\(name): more than \(Linearized.vertexLimit) scalars are computed; elimination is for small straight-line programs")
      return nil
    }
    graph.count += n
    return (graph.count - n ..< graph.count).map { Int32($0) }
  }

  private mutating func connect(_ p: Int, _ s: Int, _ e: Edge) {
    graph.from.append(Int32(p))
    graph.to.append(Int32(s))
    graph.kinds.append(e.kind)
    edges.append(e)
  }

  private func ids(_ n: NodeID) -> [Int32]? {
    guard let f = first[n.index] else { return nil }
    return Array(places[f ..< f + tape.type(n).count])
  }

  private mutating func place(_ n: NodeID, _ v: [Int32]) {
    guard v.contains(where: { $0 >= 0 }) else { return }
    first[n.index] = places.count
    places += v
  }

  // MARK: elements of nodes

  /// Element e of n as a scalar of the edges' dtype.
  private func element(_ n: NodeID, _ e: Int) -> NodeID {
    if tape.type(n).rank == 0 { return n }
    if let f = flat.of[n.index] { return tape.element(f, e) }
    let f = tape.reshape(n, [tape.type(n).count])
    flat.of[n.index] = f
    return tape.element(f, e)
  }
  private func number(_ n: NodeID, _ e: Int) -> NodeID { tape.cast(element(n, e), dtype) }

  /// Of a partial's element; nil where it is none.
  private func edge(_ p: Partial, _ e: Int) -> Edge? {
    switch p {
    case .zero: return nil
    case .one: return Edge(1)
    case .minusOne: return Edge(-1)
    case .factor(let f):
      if let c = tape.uniformConstant(f) {
        let v = Double(bitPattern: tape.constantBits(c))
        return v == 0 ? nil : Edge(v)
      }
      return Edge(1, number(f, e))
    case .route(let c):
      if let k = tape.uniformConstant(c) { return tape.constantBits(k) == 0 ? nil : Edge(1) }
      let m = element(c, e)
      return Edge(1, tape.select(m, tape.constant(dtype, 1), tape.constant(dtype, 0)), mask: m)
    case .gated(let c, let f):
      if let k = tape.uniformConstant(c) { return tape.constantBits(k) == 0 ? nil : edge(.factor(f), e) }
      let m = element(c, e)
      return Edge(1, tape.gate(m, tape.constant(dtype, 1), number(f, e)), mask: m)
    }
  }

  /// The same, without a node where one would be recorded.
  private mutating func late(_ p: Partial, _ e: Int) -> Edge? {
    if curved { return edge(p, e) }
    switch p {
    case .zero, .one, .minusOne: return edge(p, e)
    case .factor(let f): if tape.uniformConstant(f) != nil { return edge(p, e) }
    case .route(let c): if tape.uniformConstant(c) != nil { return edge(p, e) }
    case .gated(let c, let f): if let k = tape.uniformConstant(c) { return tape.constantBits(k) == 0 ? nil : late(.factor(f), e) }
    }
    var made = Edge(1)
    made.waits = Int32(waiting.count)
    waiting.append((p, e))
    return made
  }
  private func recorded(_ e: Edge) -> Edge { e.waits < 0 ? e : edge(waiting[Int(e.waits)].0, waiting[Int(e.waits)].1) ?? Edge(0) }
  /// Records the nodes of all edges.
  mutating func settle() {
    for i in edges.indices { edges[i] = recorded(edges[i]) }
    waiting = []
  }

  // MARK: operators

  private mutating func visit(_ n: NodeID, _ name: String) -> Bool {
    let r = tape.record(n)
    guard r.arity > 0, r.type >= 0, tape.dtype(n).isFloat, tape.type(n).count <= Linearized.elementLimit, places.count <= Linearized.elementLimit else {
      if r.arity > 0, r.type >= 0, tape.dtype(n).isFloat {
        tape.fail(.invalid, "\(name): arrays of more than \(Linearized.elementLimit) elements")
        return false
      }
      return true
    }
    let x = tape.inputs(n), op = OpCode(raw: r.op)
    if op.isElementwise {
      var parts: [(Partial, [Int32])] = []
      for slot in x.indices {
        guard let v = ids(x[slot]) else { continue }
        guard let p = tape.partial(n, slot) else {
          tape.fail(.derivative, "\(op.name): has no derivative in operand \(slot)")
          return false
        }
        if case .zero = p { continue }
        parts.append((p, v))
      }
      return join(n, (0 ..< tape.type(n).count).map { e in parts.map { ($0.0, e, $0.1[e]) } }, name)
    }
    guard let s = op.structural else { return true }
    if s == .part {
      // The operands of what it is a part of.
      return tape.inputs(x[0]).contains { first[$0.index] != nil } ? opaque(n, name) : true
    }
    guard x.contains(where: { first[$0.index] != nil }) else { return true }
    switch s {
    case .cast, .after: place(n, ids(x[0]) ?? [])
    case .reshape, .broadcast, .transpose, .slice, .pad, .concat, .roll: return moved(n, s, x, name)
    case .sum: return reduced(n, x[0], .one, name)
    case .matmul where tape.attrs(n)[2] + tape.attrs(n)[3] == 0 && tape.type(n).rank == 2: return product(n, x, name)
    default:
      switch row(s).derivative {
      case .zero: break
      case .reducing(let f): return reduced(n, x[0], f(tape, x[0], n, tape.attrs(n)), name)
      default: return opaque(n, name)
      }
    }
    return true
  }

  /// A vertex for each element of n, with its edges; where all there is is one edge of +1, the vertex at its other end.
  private mutating func join(_ n: NodeID, _ elements: [[(Partial, Int, Int32)]], _ name: String) -> Bool {
    var result: [Int32] = []
    for list in elements {
      var found: [(Int32, Edge)] = []
      for (p, e, v) in list where v >= 0 { if let d = late(p, e) { found.append((v, d)) } }
      if found.isEmpty {
        result.append(-1)
      } else if found.count == 1, found[0].1.factor == 1, found[0].1.kind == .unit {
        result.append(found[0].0)
      } else {
        guard let v = vertices(1, name) else { return false }
        // An operand that is there twice has two partials: one edge, their sum.
        for (i, f) in found.enumerated() {
          if found[..<i].contains(where: { $0.0 == f.0 }) { continue }
          var e = f.1
          for g in found[(i + 1)...] where g.0 == f.0 { e = sum(recorded(e), recorded(g.1)) }
          if e.node.isNone, e.waits < 0, e.factor == 0 { continue }
          connect(Int(f.0), Int(v[0]), e)
        }
        result.append(v[0])
      }
    }
    place(n, result)
    return true
  }

  /// Where elements go: the operator on the vertices' numbers.
  private mutating func moved(_ n: NodeID, _ s: Structural, _ x: [NodeID], _ name: String) -> Bool {
    let t = tape.type(n).with(.i64), types = x.map { tape.type($0).with(.i64) }, a = tape.attrs(n), r = row(s)
    guard r.scratch(types, a, t) == 0, t.count > 0 else { return t.count == 0 }
    guard !types.contains(where: { $0.count > Linearized.elementLimit }) else {
      tape.fail(.invalid, "\(name): arrays of more than \(Linearized.elementLimit) elements")
      return false
    }
    var numbers: [[Int64]] = x.map { o in ids(o)?.map { Int64($0) + 1 } ?? [Int64](repeating: 0, count: max(tape.type(o).count, 1)) }
    var out = [Int64](repeating: 0, count: t.count)
    let said = numbers.withUnsafeMutableBufferPointer { lists -> String? in
      var table: [UnsafeRawPointer?] = []
      for i in 0 ..< lists.count { table.append(lists[i].withUnsafeBufferPointer { UnsafeRawPointer($0.baseAddress) }) }
      return out.withUnsafeMutableBufferPointer { o in
        table.append(UnsafeRawPointer(o.baseAddress))
        table.append(nil)
        return table.withUnsafeMutableBytes { p in
          p.baseAddress.map { r.kernel(Call(x: UnsafePointer($0.assumingMemoryBound(to: UnsafeRawPointer.self)), types: types, type: t, attrs: a, geometry: r.geometry(types, a, t))) } ?? nil
        }
      }
    }
    guard said == nil else { return true }
    place(n, out.map { Int32($0 - 1) })
    return true
  }

  /// The element of the result that each element of x goes into.
  private func targets(_ n: NodeID, _ x: NodeID) -> [Int] {
    let s = tape.shape(x), gone = tape.attrs(n).map { s.count + $0 }, kept = strides(tape.shape(n))
    var step = [Int](repeating: 0, count: s.count), k = 0
    for i in s.indices where !gone.contains(i) {
      step[i] = kept[k]
      k += 1
    }
    let own = strides(s)
    return (0 ..< tape.type(x).count).map { e in
      var t = 0
      for i in s.indices { t += e / own[i] % s[i] * step[i] }
      return t
    }
  }

  private mutating func reduced(_ n: NodeID, _ x: NodeID, _ p: Partial, _ name: String) -> Bool {
    guard let v = ids(x) else { return true }
    var lists = [[(Partial, Int, Int32)]](repeating: [], count: tape.type(n).count)
    for (e, t) in targets(n, x).enumerated() { lists[t].append((p, e, v[e])) }
    return join(n, lists, name)
  }

  private mutating func product(_ n: NodeID, _ x: [NodeID], _ name: String) -> Bool {
    let a = tape.attrs(n), s = tape.shape(n), inner = tape.shape(x[0])[1 - a[0]], left = ids(x[0]), right = ids(x[1])
    guard s[0] * s[1] * inner <= Linearized.edgeLimit else { return false }
    let sa = tape.shape(x[0])[1], sb = tape.shape(x[1])[1]
    var lists: [[(Partial, Int, Int32)]] = []
    for i in 0 ..< s[0] {
      for j in 0 ..< s[1] {
        var list: [(Partial, Int, Int32)] = []
        for k in 0 ..< inner {
          let l = a[0] == 0 ? i * sa + k : k * sa + i, r = a[1] == 0 ? k * sb + j : j * sb + k
          if let left { list.append((.factor(x[1]), r, left[l])) }
          if let right { list.append((.factor(x[0]), l, right[r])) }
        }
        lists.append(list)
      }
    }
    return join(n, lists, name)
  }

  /// Any other operator: all entries of its Jacobian, taken with its operands cut off from each other.
  private mutating func opaque(_ n: NodeID, _ name: String) -> Bool {
    let whole = tape.structural(n) == .part ? tape.input(n, 0) : n
    var operands: [NodeID] = []
    for o in tape.inputs(whole) where tape.contains(o) && !tape.isTuple(o) && tape.dtype(o).isFloat && first[o.index] != nil && !operands.contains(o) { operands.append(o) }
    let count = tape.type(n).count
    var size = 0
    for o in operands { size += tape.type(o).count * count }
    guard size <= Linearized.edgeLimit else {
      tape.fail(.invalid, "\(name): \(tape.op(whole).name) has a Jacobian of \(size) entries; elimination takes \(Linearized.edgeLimit)")
      return false
    }
    let stand = operands.map { tape.input(tape.type($0)) }
    let again = tape.substitute([n], operands, stand)
    let blocks = tape.jacobian(again, stand, mode: .auto, name: name)
    guard tape.failure == nil else { return false }
    let back = tape.substitute(blocks, stand, operands)
    var lists = [[(Partial, Int, Int32)]](repeating: [], count: count)
    for (k, o) in operands.enumerated() {
      guard let v = ids(o) else { continue }
      if let c = tape.uniformConstant(back[k]), Double(bitPattern: tape.constantBits(c)) == 0 { continue }
      let own = tape.structural(n) == .part ? reach(again[0], stand[k]) : nil
      for e in 0 ..< count {
        if let own { for j in own.row(e) { lists[e].append((.factor(back[k]), e * v.count + Int(j), v[Int(j)])) } } else {
          for j in v.indices { lists[e].append((.factor(back[k]), e * v.count + j, v[j])) }
        }
      }
    }
    return join(n, lists, name)
  }

  /// Where the Jacobian of a part of a loop, a branch or a call may have entries; nil where that is not told.
  private func reach(_ y: NodeID, _ x: NodeID) -> Pattern? {
    guard tape.failure == nil else { return nil }
    do throws(Failure) { return try Linearised(tape, Request(.jacobian, outputs: [y], variables: [x], data: [])).detect().pattern } catch {
      tape.failure = nil
      return nil
    }
  }

  // MARK: second partials

  private func isLinear(_ op: OpCode) -> Bool {
    switch op.elementwise {
    case .unary(let u):
      switch u {
      case .neg, .abs, .relu, .stop_gradient, .sign, .floor, .ceil, .round, .trunc: true
      default: false
      }
    case .binary(let b):
      switch b {
      case .add, .sub, .maximum, .minimum, .fmax, .fmin: true
      default: false
      }
    case .ternary(let x): x == .select
    }
  }

  /// Second partials of n's own vertices, those from `before` on.
  private mutating func bend(_ n: NodeID, _ before: Int, _ name: String) -> Bool {
    guard let own = ids(n) else { return true }
    let op = OpCode(raw: tape.record(n).op), t = tape
    if op.isElementwise {
      if isLinear(op) { return true }
      var x: [NodeID] = []
      for o in t.inputs(n) where first[o.index] != nil && !x.contains(o) { x.append(o) }
      if op == OpCode(Binary.mul) {
        bend(own, before, x[0], x.count == 1 ? x[0] : x[1], t.like(n, x.count == 1 && t.input(n, 0) == t.input(n, 1) ? 2 : 1), unless: x.count == 1 && t.input(n, 0) != t.input(n, 1))
        return t.failure == nil
      }
      let stand = x.map { t.input(t.type($0)) }, again = t.substitute([n], x, stand), ones = x.map { t.like($0, 1) }
      guard t.failure == nil else { return false }
      for i in x.indices {
        let d = t.jvp(again, [stand[i]], [ones[i]])
        for j in i ..< x.count {
          let dd = t.substitute(t.simplify(t.jvp(d, [stand[j]], [ones[j]])), stand, x)
          guard t.failure == nil else { return false }
          bend(own, before, x[i], x[j], dd[0])
        }
      }
      return true
    }
    switch op.structural.unsafelyUnwrapped {
    case .cast, .after, .reshape, .broadcast, .transpose, .slice, .pad, .concat, .roll, .sum, .gather, .dynamicSlice, .scatterAdd, .cumsum, .sort, .max, .min, .cummax, .cummin: return true
    case .matmul where t.attrs(n)[2] + t.attrs(n)[3] == 0 && t.type(n).rank == 2:
      let x = t.inputs(n)
      guard let left = ids(x[0]), let right = ids(x[1]) else { return true }
      let a = t.attrs(n), s = t.shape(n), inner = t.shape(x[0])[1 - a[0]], sa = t.shape(x[0])[1], sb = t.shape(x[1])[1]
      for i in 0 ..< s[0] {
        for j in 0 ..< s[1] {
          for k in 0 ..< inner { curve(own[i * s[1] + j], before, left[a[0] == 0 ? i * sa + k : k * sa + i], right[a[1] == 0 ? k * sb + j : j * sb + k], Edge(1)) }
        }
      }
      return curves.count <= Linearized.edgeLimit
    default: break
    }
    // Any other: all second derivatives, its operands cut off from each other.
    let whole = t.structural(n) == .part ? t.input(n, 0) : n
    var x: [NodeID] = []
    for o in t.inputs(whole) where t.contains(o) && !t.isTuple(o) && t.dtype(o).isFloat && first[o.index] != nil && !x.contains(o) { x.append(o) }
    let count = own.count, stand = x.map { t.input(t.type($0)) }, again = t.substitute([n], x, stand)
    for i in x.indices {
      for j in i ..< x.count {
        let k = t.type(x[i]).count, m = t.type(x[j]).count
        guard count * k <= Linearized.edgeLimit, count * k * m <= Linearized.edgeLimit else {
          t.fail(.invalid, "\(name): \(t.op(whole).name) has \(count) x \(k) x \(m) second derivatives; edge pushing takes \(Linearized.edgeLimit)")
          return false
        }
        let d = t.jacobian(again, [stand[i]], mode: .auto, name: name), dd = t.substitute(t.simplify(t.jacobian(d, [stand[j]], mode: .auto, name: name)), stand, x)
        guard t.failure == nil, let u = ids(x[i]), let v = ids(x[j]) else { return t.failure == nil }
        if let c = t.uniformConstant(dd[0]), t.constantBits(c) & ~(1 << 63) == 0 { continue }
        let seen = t.structural(n) == .part ? reach(d[0], stand[j]) : nil
        for e in 0 ..< count {
          for p in 0 ..< k {
            for q in i == j ? p ..< m : 0 ..< m where seen == nil || seen?.entry(e * k + p, q) != nil { if let d = edge(.factor(dd[0]), (e * k + p) * m + q) { pair(own[e], before, u[p], v[q], d, same: i == j && p == q) } }
          }
        }
      }
    }
    return true
  }

  /// Elementwise: the second partial in operands a and b, of which one stands for both where they are the same.
  private mutating func bend(_ own: [Int32], _ before: Int, _ a: NodeID, _ b: NodeID, _ d: NodeID, unless: Bool = false) {
    guard !unless, tape.failure == nil, let u = ids(a), let v = ids(b) else { return }
    if let c = tape.uniformConstant(d), tape.constantBits(c) & ~(1 << 63) == 0 { return }
    for e in own.indices where Int(own[e]) >= before { if let x = edge(.factor(d), e) { pair(own[e], before, u[e], v[e], x, same: a == b) } }
  }
  /// A second partial in two operands' elements: of two that are one vertex it counts twice.
  private mutating func pair(_ of: Int32, _ before: Int, _ a: Int32, _ b: Int32, _ e: Edge, same: Bool) {
    if same { curve(of, before, a, b, e, twice: false) } else { curve(of, before, a, b, e) }
  }
  private mutating func curve(_ of: Int32, _ before: Int, _ a: Int32, _ b: Int32, _ e: Edge, twice: Bool = true) {
    guard Int(of) >= before, a >= 0, b >= 0 else { return }
    curves.append((of, min(a, b), max(a, b), a == b && twice ? product(Edge(2), e) : e))
  }

  // MARK: arithmetic on edges

  func scalar(_ v: Double) -> NodeID { tape.constant(dtype, v) }

  func product(_ a: Edge, _ b: Edge) -> Edge {
    if a.node.isNone { return b.node.isNone ? Edge(a.factor * b.factor) : scaled(b, a.factor) }
    if b.node.isNone { return scaled(a, b.factor) }
    let f = a.factor * b.factor
    if a.mask.isNone, b.mask.isNone { return Edge(f, tape.mul(a.node, b.node)) }
    let m = a.mask.isNone ? b.mask : b.mask.isNone ? a.mask : tape.and(a.mask, b.mask)
    return Edge(f, tape.gate(m, a.node, b.node), mask: m)
  }
  private func scaled(_ e: Edge, _ c: Double) -> Edge {
    if c == 1 || c == -1 { return Edge(e.factor * c, e.node, mask: e.mask) }
    return Edge(e.factor, e.mask.isNone ? tape.mul(e.node, scalar(c)) : tape.gate(e.mask, e.node, scalar(c)), mask: e.mask)
  }

  func sum(_ a: Edge, _ b: Edge) -> Edge {
    if a.node.isNone, b.node.isNone { return Edge(a.factor + b.factor) }
    if a.node.isNone { return Edge(b.factor, tape.add(b.node, scalar(a.factor * b.factor))) }
    if b.node.isNone { return Edge(a.factor, tape.add(a.node, scalar(b.factor * a.factor))) }
    let m: NodeID = a.mask.isNone || b.mask.isNone ? .none : tape.or(a.mask, b.mask)
    if a.factor == b.factor { return Edge(a.factor, tape.add(a.node, b.node), mask: m) }
    return a.factor > 0 ? Edge(1, tape.sub(a.node, b.node), mask: m) : Edge(1, tape.sub(b.node, a.node), mask: m)
  }

  func value(_ e: Edge) -> NodeID { e.node.isNone ? scalar(e.factor) : e.factor < 0 ? tape.neg(e.node) : e.node }
}
