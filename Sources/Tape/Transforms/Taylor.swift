import CKernels

/// Taylor mode: the coefficients of nodes along a curve, as nodes of the same tape. A product costs k + 1 products at order k, so all
/// orders together cost a quadratic number. Linear and bilinear rows, quotients, roots, logarithms and powers have recurrences of their
/// own; every other row is y' = p x', coefficient by coefficient (Griewank and Walther, Evaluating Derivatives, chapter 13).
extension Tape {
  /// coefficients[i][k - 1] is that of t^k of inputs[i] (none: 0). Results [output][k - 1], k = 1 ... order; nil: structurally 0.
  func taylorNodes(_ outputs: [NodeID], _ inputs: [NodeID], _ coefficients: [[NodeID]], order: Int) -> [[NodeID?]] {
    let nothing = [[NodeID?]](repeating: [NodeID?](repeating: nil, count: order), count: outputs.count)
    guard failure == nil, order > 0, let first = inputs.map(\.index).min() else { return nothing }
    let jets = Taylor(self, order: order, first: first)
    for (n, c) in zip(inputs, coefficients) { for k in 1 ... order { jets.set(n, k, k <= c.count && !c[k - 1].isNone ? c[k - 1] : nil) } }
    for n in outputs { for k in 1 ... order { jets.compute(n, k) } }
    return failure == nil ? outputs.map { n in (1 ... order).map { jets[n, $0] } } : nothing
  }
}

final class Taylor {
  private let t: Tape, order: Int, first: Int32, original: Int
  /// By node from `first` on: where its coefficients begin in `known`, -1: nowhere. There: a node, -1 for 0, -2 for not known.
  private var place = Buffer<Int32>(), known = Buffer<Int32>()
  private struct Item: BitwiseCopyable { let n: NodeID, k: Int32 }
  private var stack = Buffer<Item>()
  /// Rows with a jvp only: the jvp, by member, at placeholders for the coefficients of the tangent.
  private struct Custom { let values: [NodeID?], base: Int32, placeholders: [(slot: Int, nodes: [NodeID])] }
  private var customs: [NodeID: Custom] = [:]
  private var loops: [NodeID: (order: Int, members: [[NodeID?]])] = [:]

  init(_ tape: Tape, order: Int, first: Int32) {
    t = tape
    self.order = order
    self.first = first
    original = tape.count
  }

  // MARK: what is known

  private func slot(_ n: NodeID) -> Int {
    let i = n.i - Int(first)
    if i >= place.count, !place.resize(max(t.count - Int(first), i + 1), filling: -1) { _ = t.outOfMemory(); return -1 }
    if place[i] < 0 {
      guard known.count < Int(Int32.max) - order, known.resize(known.count + order, filling: -2) else { _ = t.outOfMemory(); return -1 }
      place[i] = Int32(known.count - order)
    }
    return Int(place[i])
  }
  func set(_ n: NodeID, _ k: Int, _ c: NodeID?) {
    let s = slot(n)
    if s >= 0 { known[s + k - 1] = c?.index ?? -1 }
  }
  private func isKnown(_ n: NodeID, _ k: Int) -> Bool {
    if k == 0 || n.index < first { return true }
    let i = n.i - Int(first)
    return i < place.count && place[i] >= 0 && known[Int(place[i]) + k - 1] != -2
  }
  /// The coefficient of t^k; nil: 0.
  subscript(_ n: NodeID, _ k: Int) -> NodeID? {
    if k == 0 { return n }
    let i = n.i - Int(first)
    guard i >= 0, i < place.count, place[i] >= 0 else { return nil }
    let c = known[Int(place[i]) + k - 1]
    return c < 0 ? nil : NodeID(c)
  }
  private func moves(_ n: NodeID, upTo k: Int) -> Bool { k > 0 && (1 ... k).contains { self[n, $0] != nil } }
  private func isFloat(_ n: NodeID) -> Bool { t.record(n).type >= 0 && t.dtype(n).isFloat }

  // MARK: the walk

  private func need(_ n: NodeID, _ k: Int) -> Bool {
    if isKnown(n, k) { return false }
    if !stack.append(Item(n: n, k: Int32(k))) { _ = t.outOfMemory() }
    return true
  }

  func compute(_ n: NodeID, _ k: Int) {
    _ = need(n, k)
    while stack.count > 0, t.failure == nil {
      let top = stack[stack.count - 1], n = top.n, k = Int(top.k)
      if isKnown(n, k) {
        stack.removeLast()
      } else if let c = coefficient(n, k) {
        set(n, k, c.isNone ? nil : c)
        stack.removeLast()
      }
    }
  }

  /// The coefficient, `.none` where it is 0, or nil: what it needs has been put on the stack.
  private func coefficient(_ n: NodeID, _ k: Int) -> NodeID? {
    let r = t.record(n)
    if r.arity == 0 || !isFloat(n) { return NodeID.none }
    if k > 1, need(n, k - 1) { return nil }
    if r.op == Structural.part.rawValue { return member(n, k) }
    var waits = false, moving = false
    for slot in 0 ..< Int(r.arity) {
      let x = t.input(of: r, slot)
      if isFloat(x), need(x, k) { waits = true }
    }
    if waits { return nil }
    for slot in 0 ..< Int(r.arity) where moves(t.input(of: r, slot), upTo: k) { moving = true }
    if !moving { return NodeID.none }
    return OpCode(raw: r.op).isElementwise ? elementwise(n, r, k) : structural(n, k)
  }

  // MARK: sums of products

  private func plus(_ a: NodeID?, _ b: NodeID?) -> NodeID? {
    guard let a else { return b }
    return b.map { t.add(a, $0) } ?? a
  }
  private func minus(_ a: NodeID?, _ b: NodeID?) -> NodeID? {
    guard let b else { return a }
    return a.map { t.sub($0, b) } ?? t.neg(b)
  }
  /// The sum over i in `range` of product(a_i, b_(k - i)).
  private func convolved(_ a: NodeID, _ b: NodeID, _ k: Int, _ range: ClosedRange<Int>, _ product: (NodeID, NodeID) -> NodeID) -> NodeID? {
    var sum: NodeID?
    for i in range { if let x = self[a, i], let y = self[b, k - i] { sum = plus(sum, product(x, y)) } }
    return sum
  }
  private func square(_ x: NodeID, _ k: Int, _ range: Range<Int>) -> NodeID? {
    var sum: NodeID?
    for i in range where 2 * i < k { if let a = self[x, i], let b = self[x, k - i] { sum = plus(sum, t.mul(a, b)) } }
    sum = sum.map { t.scale($0, 2) }
    return k % 2 == 0 && range.contains(k / 2) ? plus(sum, self[x, k / 2].map { t.unary(.square, $0) }) : sum
  }
  /// y' = f x': y_k = x_k f + (sum of j x_j f_(k - j), 0 < j < k) / k.
  private func integrated(_ x: NodeID, _ f: NodeID, _ k: Int) -> NodeID? {
    var sum: NodeID?
    for j in 1 ..< max(k, 1) { if let a = self[x, j], let b = self[f, k - j] { sum = plus(sum, t.mul(t.scale(a, Double(j)), b)) } }
    return plus(self[x, k].map { t.mul($0, f) }, sum.map { t.scale($0, 1 / Double(k)) })
  }

  // MARK: elementwise rows

  private func elementwise(_ n: NodeID, _ r: Record, _ k: Int) -> NodeID? {
    let a = NodeID(r.a), b = NodeID(r.b), c = NodeID(r.c), mul = { [t] in t.mul($0, $1) }
    var sum: NodeID?
    switch OpCode(raw: r.op).elementwise {
    case .unary(.square): sum = square(a, k, 0 ..< k + 1)
    case .unary(.reciprocal): sum = convolved(a, n, k, 1 ... k, mul).map { t.neg(t.mul(n, $0)) }
    case .unary(.sqrt): sum = minus(self[a, k], square(n, k, 1 ..< k)).map { t.div($0, t.scale(n, 2)) }
    case .unary(.log):
      var inner: NodeID?
      for j in 1 ..< k { if let y = self[n, j], let x = self[a, k - j] { inner = plus(inner, t.mul(t.scale(y, Double(j)), x)) } }
      sum = minus(self[a, k], inner.map { t.scale($0, 1 / Double(k)) }).map { t.div($0, a) }
    case .binary(.mul): sum = a == b ? square(a, k, 0 ..< k + 1) : convolved(a, b, k, 0 ... k, mul)
    case .binary(.div): sum = minus(self[a, k], convolved(b, n, k, 1 ... k, mul)).map { t.div($0, b) }
    case .binary(.pow): if let e = t.uniformConstant(b) { return power(n, a, Double(bitPattern: t.constantBits(e)), k) } else { return general(n, r, k) }
    case .ternary(.fma): sum = plus(convolved(a, b, k, 0 ... k, mul), self[c, k])
    case .ternary(.select):
      guard self[b, k] != nil || self[c, k] != nil else { return NodeID.none }
      sum = t.select(a, self[b, k] ?? t.zeros(b), self[c, k] ?? t.zeros(c))
    case .ternary(.gate): sum = convolved(b, c, k, 0 ... k) { [t] in t.gate(a, $0, $1) }
    default: return general(n, r, k)
    }
    return sum ?? NodeID.none
  }

  /// y = x^e: of small whole exponents by products, which hold at 0 as well; else x y' = e x' y.
  private func power(_ n: NodeID, _ x: NodeID, _ e: Double, _ k: Int) -> NodeID? {
    if e == 0 { return NodeID.none }
    if e == e.rounded(), abs(e) <= 64 {
      var m = Int(abs(e)), base = x, product: NodeID?
      while m > 0 {
        if m & 1 == 1 { product = product.map { t.mul($0, base) } ?? base }
        m >>= 1
        if m > 0 { base = t.unary(.square, base) }
      }
      guard var y = product else { return NodeID.none }
      if e < 0 { y = t.unary(.reciprocal, y) }
      return need(y, k) ? nil : self[y, k] ?? NodeID.none
    }
    if k == 1 { return general(n, t.record(n), k) }
    var sum: NodeID?
    for j in 1 ... k {
      if let a = self[x, j], let y = self[n, k - j] { sum = plus(sum, t.scale(t.mul(a, y), (e * Double(j) - Double(k - j)) / Double(k))) }
    }
    return sum.map { t.div($0, x) } ?? NodeID.none
  }

  private func general(_ n: NodeID, _ r: Record, _ k: Int) -> NodeID? {
    var sum: NodeID?, waits = false
    for slot in 0 ..< Int(r.arity) {
      let x = t.input(of: r, slot)
      guard isFloat(x), moves(x, upTo: k) else { continue }
      guard var p = t.partial(n, slot) else { return t.fail(.derivative, "\(t.op(n).name): has no derivative in operand \(slot)") }
      // The power's own partial is another power, of one less: a chain as long as the order.
      if r.op == OpCode(Binary.pow).raw, slot == 0, case .gated(let c, _) = p { p = .gated(c, t.div(t.mul(NodeID(r.b), n), x)) }
      switch term(p, x, k) {
      case .waits: waits = true
      case .value(let v): sum = plus(sum, v)
      }
    }
    return waits ? nil : sum ?? NodeID.none
  }

  private enum Term { case waits, value(NodeID?) }
  private func term(_ p: Partial, _ x: NodeID, _ k: Int) -> Term {
    switch p {
    case .zero: return .value(nil)
    case .one: return .value(self[x, k])
    case .minusOne: return .value(self[x, k].map { t.neg($0) })
    case .route(let c): return .value(self[x, k].map { t.select(c, $0, t.zeros($0)) })
    case .factor(let f): return need(f, k - 1) ? .waits : .value(integrated(x, f, k))
    case .gated(let c, let f): return need(f, k - 1) ? .waits : .value(integrated(x, f, k).map { t.select(c, $0, t.zeros($0)) })
    }
  }

  // MARK: other rows

  private func structural(_ n: NodeID, _ k: Int) -> NodeID? {
    guard let s = t.structural(n) else { return NodeID.none }
    let x = t.inputs(n), attrs = t.attrs(n)
    switch row(s).derivative {
    case .zero: return NodeID.none
    case .linear where s == .after: return self[x[0], k].map { t.after($0, x[1]) } ?? NodeID.none
    case .linear:
      guard x.contains(where: { isFloat($0) && self[$0, k] != nil }) else { return NodeID.none }
      return t.apply(s, x.map { isFloat($0) ? self[$0, k] ?? t.zeros($0) : $0 }, attrs)
    case .bilinear: return convolved(x[0], x[1], k, 0 ... k) { [t] in t.apply(s, [$0, $1] + x[2...], attrs) } ?? NodeID.none
    case .reducing(let f):
      switch term(f(t, x[0], n, attrs), x[0], k) {
      case .waits: return nil
      case .value(let v): return v.map { t.sum($0, axes: attrs, keep: false) } ?? NodeID.none
      }
    case .custom(let jvp, _): return implicit(s, n, x, attrs, jvp, k) ?? custom(n, x, Array(x.indices), 0, k) { [t] in [jvp(t, n, $0)] }
    case .loop: return t.fail(.derivative, "taylor: \(row(s).name) has no Taylor rule")
    }
  }

  private typealias Jvp = (_ t: Tape, _ y: NodeID, _ tangents: [Masked?]) -> Masked?

  /// A y = b and L L^T = A: the jvp at b_k or A_k less what the lower orders make.
  private func implicit(_ s: Structural, _ n: NodeID, _ x: [NodeID], _ attrs: [Int], _ jvp: Jvp, _ k: Int) -> NodeID? {
    var lower: NodeID?
    switch s {
    case .solve, .triangularSolve:
      let transposed = attrs[s == .solve ? 0 : 1] != 0
      let triangle = s == .solve ? nil : t.triangle(x[0], lower: attrs[0] != 0, diagonal: attrs[2] != 0 ? 0 : 1)
      lower = convolved(x[0], n, k, 1 ... k) { [t] a, y in t.matmul(triangle.map { t.mul(a, $0) } ?? a, y, transposed, false) }
      return minus(self[x[1], k], lower).map { t.apply(s, [x[0], $0], attrs) } ?? NodeID.none
    case .cholesky:
      if k > 1 { lower = convolved(n, n, k, 1 ... k - 1) { [t] in t.matmul($0, $1, false, true) } }
      return minus(self[x[0], k], lower).flatMap { jvp(t, n, [Masked($0)])?.value } ?? NodeID.none
    default: return nil
    }
  }

  /// y' = J(x, y) x': the coefficients of the jvp along a tangent that is itself a curve, v_j = (j + 1) x_(j + 1). `among`: the operands
  /// that have tangents; `m`: the member of `n` asked for.
  private func custom(_ n: NodeID, _ x: [NodeID], _ among: [Int], _ m: Int, _ k: Int, _ jvp: ([Masked?]) -> [Masked?]) -> NodeID? {
    if customs[n] == nil {
      let base = Int32(t.count), slots = among.filter { isFloat(x[$0]) && x[$0].index >= first }
      let made = slots.map { s in (slot: s, nodes: (0 ..< order).map { _ in t.input(t.type(x[s])) }) }
      var tangents = [Masked?](repeating: nil, count: x.count)
      for p in made {
        tangents[p.slot] = Masked(p.nodes[0])
        for j in 1 ..< max(order, 1) { set(p.nodes[0], j, p.nodes[j]) }
        set(p.nodes[0], order, nil)
        for v in p.nodes.dropFirst() { for j in 1 ... order { set(v, j, nil) } }
      }
      customs[n] = Custom(values: jvp(tangents).map { $0?.value }, base: base, placeholders: made)
      if t.failure != nil { return nil }
    }
    guard let c = customs[n], let value = c.values[m] else { return NodeID.none }
    if need(value, k - 1) { return nil }
    guard let g = self[value, k - 1] else { return NodeID.none }
    var seeds: [NodeID: NodeID] = [:]
    for p in c.placeholders {
      for j in 0 ..< k { seeds[p.nodes[j]] = self[x[p.slot], j + 1].map { t.scale($0, Double(j + 1)) } ?? t.zeros(x[p.slot]) }
    }
    let y = t.replaced(g, seeds, from: c.base)
    return t.failure == nil ? t.scale(y, 1 / Double(k)) : nil
  }

  /// A result of a function with the host's own derivative: that derivative's coefficients, whatever its values are made of.
  private func hosted(_ tuple: NodeID, _ m: Int, _ k: Int) -> NodeID? {
    let x = t.inputs(tuple), arguments = Array(0 ..< t.attrs(tuple)[1]), captured = arguments.count ..< arguments.count + t.attrs(tuple)[2]
    var waits = false
    for i in 0 ..< captured.upperBound where isFloat(x[i]) { for j in 1 ... (captured.contains(i) ? order : k) where !waits { waits = need(x[i], j) } }
    if waits { return nil }
    let blind = captured.filter { isFloat(x[$0]) && moves(x[$0], upTo: order) }
    guard blind.isEmpty else {
      var tangents = [Masked?](repeating: nil, count: x.count)
      for i in blind { tangents[i] = Masked(t.zeros(x[i])) }
      _ = t.customForward(tuple, tangents)   // says what is wrong
      return nil
    }
    guard arguments.contains(where: { isFloat(x[$0]) && moves(x[$0], upTo: k) }) else { return NodeID.none }
    return custom(tuple, x, arguments, m, k) { [t] in t.customForward(tuple, $0) }
  }

  /// A member of a tuple. A loop of the function itself is built once, for all orders; one in a derivative as far as is asked, since
  /// its operands may need the lower orders of its results.
  private func member(_ n: NodeID, _ k: Int) -> NodeID? {
    let tuple = t.input(n, 0), m = t.attrs(n)[0]
    if t.structural(tuple) == .checkpoint {
      let x = t.input(tuple, m)
      return need(x, k) ? nil : self[x, k] ?? NodeID.none
    }
    if t.structural(tuple) == .custom { return hosted(tuple, m, k) }
    guard [.scan, .cond, .whileLoop].contains(t.structural(tuple)) else { return t.fail(.derivative, "taylor: \(t.op(tuple).name) has no Taylor rule") }
    if let known = loops[tuple], known.order >= k { return known.members[m][k - 1] ?? NodeID.none }
    let x = t.inputs(tuple), reach = tuple.i < original ? order : k
    var waits = false
    for i in x where isFloat(i) { for j in 1 ... reach where !waits { waits = need(i, j) } }
    if waits { return nil }
    loops[tuple] = (reach, t.tupleTaylor(tuple, x.map { i in isFloat(i) ? (1 ... reach).map { self[i, $0] } : [NodeID?](repeating: nil, count: reach) }, order: reach))
    return t.failure == nil ? loops[tuple]?.members[m][k - 1] ?? NodeID.none : nil
  }
}

extension Tape {
  /// `n` with seeds replaced, among the nodes from `base` on.
  fileprivate func replaced(_ n: NodeID, _ seeds: [NodeID: NodeID], from base: Int32) -> NodeID {
    guard n.index >= base, let nodes = order([n], from: base), var map = PerNode<Int32>(self, -1, from: base) else { return n }
    for (old, new) in seeds { map[old] = new.index }
    for k in 0 ..< nodes.count where map[nodes[k]] < 0 {
      let m = nodes[k], x = inputs(m), y = x.map { $0.index >= base && map[$0] >= 0 ? NodeID(map[$0]) : $0 }
      map[m] = (x == y ? m : again(m, from: self, y)).index
      if failure != nil { return .none }
    }
    return map[n] >= 0 ? NodeID(map[n]) : n
  }
}

// MARK: as hosts call them

extension Tape {
  package static let taylorLimit = 64

  private func sound(_ name: String, _ outputs: [NodeID], _ inputs: [NodeID]) -> Bool {
    guard check(name, outputs, "output"), check(name, inputs, "input"), checkDistinct(name, inputs) else { return false }
    for (what, nodes) in [("input", inputs), ("output", outputs)] {
      for (i, n) in nodes.enumerated() where !dtype(n).isFloat {
        fail(.dtype, "\(name): \(what) \(i) is \(type(n).description); derivatives need a float")
        return false
      }
    }
    return true
  }

  /// Coefficients [output * order + k - 1] along x + sum of coefficients[input * order + k - 1] t^k; a coefficient may be `.none`: 0.
  package func taylor(_ outputs: [NodeID], _ inputs: [NodeID], _ coefficients: [NodeID], order: Int) -> [NodeID] {
    let nothing = [NodeID](repeating: .none, count: outputs.count * max(order, 0))
    guard sound("taylor", outputs, inputs) else { return nothing }
    guard (1 ... Tape.taylorLimit).contains(order) else { fail(.invalid, "taylor: order \(order); 1 to \(Tape.taylorLimit) are taken"); return nothing }
    guard coefficients.count == inputs.count * order else {
      fail(.invalid, "taylor: \(coefficients.count) coefficients for \(inputs.count) inputs and order \(order)")
      return nothing
    }
    for (i, c) in coefficients.enumerated() where !c.isNone {
      guard contains(c), records[c.i].type >= 0 else { fail(.node, "taylor: coefficient \(i) is not a node of this tape"); return nothing }
      guard typeID(c) == typeID(inputs[i / order]) else {
        fail(.shape, "taylor: coefficient \(i % order + 1) of input \(i / order) is \(type(c).description), not \(type(inputs[i / order]).description)")
        return nothing
      }
    }
    let d = taylorNodes(outputs, inputs, inputs.indices.map { Array(coefficients[$0 * order ..< ($0 + 1) * order]) }, order: order)
    guard failure == nil else { return nothing }
    return outputs.indices.flatMap { i in d[i].map { $0 ?? zeros(outputs[i]) } }
  }

  /// Derivatives of mixed order along directions: results[derivative * outputs + output] is that of order orders[derivative * D + j] along
  /// directions[j * inputs + input], j < D. A mixed derivative is a sum of Taylor coefficients of its total order along sums of its
  /// directions (Griewank, Utke and Walther 2000): all rays of a total order are one batch.
  package func mixed(_ outputs: [NodeID], _ inputs: [NodeID], _ directions: [NodeID], _ orders: [Int], directionCount D: Int) -> [NodeID] {
    let wanted = D > 0 ? orders.count / D : 0
    let nothing = [NodeID](repeating: .none, count: outputs.count * wanted)
    guard sound("directional", outputs, inputs), check("directional", directions, "direction") else { return nothing }
    guard D > 0, directions.count == D * inputs.count, orders.count == wanted * D else {
      fail(.invalid, "directional: \(directions.count) directions of \(inputs.count) inputs and \(orders.count) orders for \(D)")
      return nothing
    }
    for j in 0 ..< D { guard checkTypes("directional", Array(directions[j * inputs.count ..< (j + 1) * inputs.count]), like: inputs, "direction") else { return nothing } }
    var results = nothing
    let indices = (0 ..< wanted).map { Array(orders[$0 * D ..< ($0 + 1) * D]) }
    for i in indices where !i.allSatisfy({ $0 >= 0 }) || i.reduce(0, { $0 &+ Swift.min($1, 1 << 20) }) > 16 {
      fail(.invalid, "directional: orders \(text(i)); 0 or more are taken, 16 together")
      return nothing
    }
    for (w, i) in indices.enumerated() where i.allSatisfy({ $0 == 0 }) { for o in outputs.indices { results[w * outputs.count + o] = outputs[o] } }
    for total in 1 ..< 17 {
      let group = (0 ..< wanted).filter { indices[$0].reduce(0, +) == total }
      if group.isEmpty { continue }
      let live = (0 ..< D).filter { p in group.contains { indices[$0][p] > 0 } }
      guard rayCount(total, live.count) <= 1 << 16 else { fail(.memory, "directional: order \(total) in \(live.count) directions needs more than 65536 rays"); return nothing }
      let made = rays(group.map { w in live.map { indices[w][$0] } }, total)
      guard contract(outputs, inputs, live.map { p in Array(directions[p * inputs.count ..< (p + 1) * inputs.count]) }, made, total, { g, o, n in results[group[g] * outputs.count + o] = n })
      else { return nothing }
    }
    return failure == nil ? results : nothing
  }

  /// The coefficients of one total order along all rays, as one batch, and the weighted sums of them.
  private func contract(_ outputs: [NodeID], _ inputs: [NodeID], _ directions: [[NodeID]], _ rays: (used: [[Int]], weights: [[Double]]), _ total: Int,
                        _ take: (Int, Int, NodeID) -> Void) -> Bool {
    if inputs.isEmpty {   // a function of nothing
      for o in outputs.indices { for g in rays.weights.indices { take(g, o, zeros(outputs[o])) } }
      return failure == nil
    }
    let along = inputs.map { input(type($0)) }, size = rays.used.count
    let d = taylorNodes(outputs, inputs, along.map { [$0] }, order: total)
    guard failure == nil else { return false }
    let wide = inputs.indices.map { x -> NodeID in
      let rows = rays.used.map { j -> NodeID in
        var sum: NodeID?
        for (p, m) in j.enumerated() where m > 0 {
          let v = scale(directions[p][x], Double(m))
          sum = sum.map { add($0, v) } ?? v
        }
        return addLeading(sum ?? zeros(inputs[x]), 1)
      }
      return rows.count == 1 ? rows[0] : apply(.concat, rows, [-(shape(inputs[x]).count + 1)])
    }
    let values = outputs.indices.map { d[$0][total - 1] }
    let batch = batched(values.map { $0 ?? along[0] }, Dictionary(uniqueKeysWithValues: zip(along, wide)), size: size)
    guard failure == nil else { return false }
    for o in outputs.indices {
      for g in rays.weights.indices {
        guard values[o] != nil, let b = batch[o] else { take(g, o, zeros(outputs[o])); continue }
        let w = TensorType(.f64, [size] + shape(outputs[o]).map { _ in 1 })
        let weight = rays.weights[g].withUnsafeBytes { array(w, $0.baseAddress.unsafelyUnwrapped) }
        take(g, o, sum(mul(b, broadcast(cast(weight, dtype(outputs[o])), to: shape(b))), axes: [-shape(b).count], keep: false))
      }
    }
    return failure == nil
  }
}

/// The rays that derivatives of these orders need, and for each of them the weights of the rays.
private func rays(_ orders: [[Int]], _ total: Int) -> (used: [[Int]], weights: [[Double]]) {
  let all = compositions(total, orders[0].count), weights = orders.map { i in all.map { interpolation(i, $0, total) } }
  let keep = all.indices.filter { r in weights.contains { $0[r] != 0 } }
  return (keep.map { all[$0] }, weights.map { w in keep.map { w[$0] } })
}

/// C(total + parts - 1, total), or more than it may be.
private func rayCount(_ total: Int, _ parts: Int) -> Int {
  var n = 1
  for k in 0 ..< total {
    n = n * (parts + k) / (k + 1)
    if n > 1 << 20 { return n }
  }
  return n
}

/// All ways to write `total` as an ordered sum of `parts` numbers >= 0.
private func compositions(_ total: Int, _ parts: Int) -> [[Int]] {
  var all: [[Int]] = [[]]
  for p in 0 ..< parts {
    all = all.flatMap { head -> [[Int]] in
      let left = total - head.reduce(0, +)
      return p == parts - 1 ? [head + [left]] : (0 ... left).map { head + [$0] }
    }
  }
  return all
}

/// The weight of the coefficient along ray j in the derivative of order i, both of total order d: the sum over 0 < m <= i of
/// (-1)^|i - m| C(i, m) C(d m / |m|, j) (|m| / d)^d.
private func interpolation(_ i: [Int], _ j: [Int], _ d: Int) -> Double {
  func binomial(_ x: Double, _ k: Int) -> Double { (0 ..< k).reduce(1) { $0 * (x - Double($1)) / Double($1 + 1) } }
  var sum = 0.0, m = [Int](repeating: 0, count: i.count)
  while true {
    var p = 0
    while p < m.count, m[p] == i[p] { m[p] = 0; p += 1 }
    if p == m.count { return sum }
    m[p] += 1
    let size = m.reduce(0, +), share = Double(size) / Double(d)
    var term = (d - size) % 2 == 0 ? 1.0 : -1.0
    for _ in 0 ..< d { term *= share }
    for q in m.indices { term *= binomial(Double(i[q]), m[q]) * binomial(Double(d * m[q]) / Double(size), j[q]) }
    sum += term
  }
}
