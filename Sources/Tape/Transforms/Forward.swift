import CKernels

/// Forward mode: tangents pushed along the tape, one visit a node.
extension Tape {
  /// The tangents of `outputs` for the seeds; nil where there is none. Seeded nodes are cut off from what they depend on.
  package func forward(_ outputs: [NodeID], _ seeds: [NodeID: Masked]) -> [Masked?] {
    let none = [Masked?](repeating: nil, count: outputs.count)
    guard let first = seeds.keys.map(\.index).min(), failure == nil,
          let nodes = order(outputs, from: first, derivatives: true), var d = Tangents(self, first) else { return none }
    for (n, s) in seeds where s.value != .none { d[n] = s }
    let outer = labels.current
    defer { labels.restore(count, outer) }
    for k in 0 ..< nodes.count {
      let n = nodes[k]
      if seeds[n] != nil { continue }
      let r = record(n)
      if r.arity == 0 { continue }
      labels.source(count, n.index, .forward)
      if OpCode(raw: r.op).isElementwise { push(n, r, &d) } else { pushStructural(n, r, &d) }
      if failure != nil { return none }
    }
    return outputs.map { $0.index >= first ? d[$0] : nil }
  }

  private func push(_ n: NodeID, _ r: Record, _ d: inout Tangents) {
    guard types[Int(r.type)].dtype.isFloat else { return }
    var sum: Masked?
    let slots = Int(r.arity)
    if r.op == OpCode(Ternary.select).raw, let x = d[NodeID(r.b)], let y = d[NodeID(r.c)] {
      let c = NodeID(r.a), masks = x.mask == nil && y.mask == nil
      d[n] = Masked(select(c, x.value, y.value), masks ? nil : select(c, x.mask ?? ones(mask: n), y.mask ?? ones(mask: n)))
      return
    }
    for slot in 0 ..< slots {
      guard let t = d[input(of: r, slot)] else { continue }
      guard let p = partial(n, slot) else {
        fail(.derivative, "\(op(n).name): has no derivative in operand \(slot)")
        return
      }
      sum = plus(sum, product(p, t))
    }
    if let sum { d[n] = sum }
  }

  private func pushStructural(_ n: NodeID, _ r: Record, _ d: inout Tangents) {
    let x = inputs(n)
    if r.op == Structural.part.rawValue {
      if structural(x[0]) == .host {
        if dtype(n).isFloat, inputs(x[0]).contains(where: { d[$0] != nil }) { hostFails(x[0]) }
      } else if let m = d.tuples[x[0]]?[attrs(n)[0]] { d[n] = m }
      return
    }
    let tangents = x.map { d[$0] }
    guard tangents.contains(where: { $0 != nil }), let s = Structural(rawValue: r.op) else { return }
    if r.type >= 0, !dtype(n).isFloat { return }
    let rule = row(s)
    switch rule.derivative {
    case .zero: return
    case .reducing(let f):
      guard let t = tangents[0] else { return }
      if let g = product(f(self, x[0], n, attrs(n)), t) {
        d[n] = Masked(sum(g.value, axes: attrs(n), keep: false), g.mask.map { sum($0, axes: attrs(n), keep: false) })
      }
    case .linear where s == .after:
      // Tangents are computed again too.
      d[n] = tangents[0].map { Masked(after($0.value, x[1]), $0.mask.map { after($0, x[1]) }) }
    case .linear: d[n] = linear(n, s, x, tangents, rule.masks)
    case .bilinear:
      var total: Masked?
      for slot in 0 ..< 2 { if let t = tangents[slot] { total = plus(total, s == .conv ? convForward(n, slot, t) : matmulForward(n, slot, t)) } }
      d[n] = total
    case .custom(let jvp, _): d[n] = jvp(self, n, tangents)
    case .loop: d.tuples[n] = tupleForward(n, tangents)
    }
  }

  func hostReverse(_ n: NodeID, _ cts: [Masked?]) -> [Masked?] {
    hostFails(n)
    return inputs(n).map { _ in nil }
  }
  func hostFails(_ n: NodeID) { fail(.derivative, "\(hostShape(n).function.name): has no derivative: the host gives neither a jvp nor a vjp") }

  private func linear(_ n: NodeID, _ s: Structural, _ x: [NodeID], _ t: [Masked?], _ masks: MaskRule) -> Masked {
    let value = apply(s, x.indices.map { i in dtype(x[i]).isFloat ? t[i]?.value ?? zeros(x[i]) : x[i] }, attrs(n))
    let makesZeros = s == .pad || s == .scatterAdd
    guard case .same = masks, makesZeros || t.contains(where: { $0?.mask != nil }) || x.indices.contains(where: { t[$0] == nil && dtype(x[$0]).isFloat }) else {
      return Masked(value)
    }
    if s == .cast { return Masked(value, t[0]?.mask) }
    let m = apply(s, x.indices.map { i in
      dtype(x[i]).isFloat ? (t[i].map { $0.mask ?? ones(mask: x[i]) } ?? full(type(x[i]).with(.bool), 0)) : x[i]
    }, attrs(n))
    return Masked(value, m)
  }

  private func matmulForward(_ n: NodeID, _ slot: Int, _ t: Masked) -> Masked {
    let f = attrs(n), a = input(n, 0), b = input(n, 1)
    var ma = f[2] != 0 ? input(n, 2) : nil, mb = f[3] != 0 ? input(n, 2 + f[2]) : nil
    let own = slot == 0 ? ma : mb
    let m = t.mask.map { m in own.map { and(m, $0) } ?? m } ?? own
    let v = own.map { select($0, t.value, zeros(t.value)) } ?? t.value
    if slot == 0 { ma = m } else { mb = m }
    let value = matmul(slot == 0 ? v : a, slot == 0 ? b : v, f[0] != 0, f[1] != 0, maskA: ma, maskB: mb)
    guard let m = t.mask, contains(value) else { return Masked(value) }
    // A row (column) of the result is there where any entry of the row (column) of the operand is.
    let transposed = f[slot] != 0, gone = (slot == 0) != transposed ? -1 : -2
    var line = sum(m, axes: [gone], keep: false)
    guard contains(line) else { return Masked(.none) }
    line = reshape(line, Array(shape(line).dropLast()) + (slot == 0 ? [shape(line).last ?? 1, 1] : [1, shape(line).last ?? 1]))
    return Masked(value, broadcast(line, to: shape(value)))
  }

  /// A partial times a tangent or cotangent; nil is structurally none.
  func product(_ p: Partial, _ t: Masked) -> Masked? {
    switch p {
    case .zero: return nil
    case .one: return t
    case .minusOne: return Masked(neg(t.value), t.mask)
    case .factor(let f):
      guard let m = t.mask else { return Masked(mul(t.value, f)) }
      return Masked(gate(m, t.value, f), m)
    case .route(let c): return Masked(select(c, t.value, zeros(t.value)), t.mask.map { and(c, $0) } ?? c)
    case .gated(let c, let f):
      let m = t.mask.map { and(c, $0) } ?? c
      return Masked(gate(m, t.value, f), m)
    }
  }

  func plus(_ a: Masked?, _ b: Masked?) -> Masked? {
    guard let a else { return b }
    guard let b else { return a }
    if let c = joined(a, b) { return c }
    let mask: NodeID? = if let x = a.mask, let y = b.mask { or(x, y) } else { nil }
    return Masked(add(a.value, b.value), mask)
  }
}

/// Tangents or cotangents by node: value and mask, -1 where there is none.
struct Tangents: ~Copyable {
  private var values: PerNode<Int32>, masks: PerNode<Int32>
  private let first: Int32
  var tuples: [NodeID: [Masked?]] = [:]

  init?(_ tape: Tape, _ first: Int32) {
    guard let v = PerNode<Int32>(tape, -1, from: first), let m = PerNode<Int32>(tape, -1, from: first) else { return nil }
    values = v
    masks = m
    self.first = first
  }
  subscript(_ n: NodeID) -> Masked? {
    get {
      guard n.index >= first, values[n] >= 0 else { return nil }
      return Masked(NodeID(values[n]), masks[n] >= 0 ? NodeID(masks[n]) : nil)
    }
    set {
      values[n] = newValue?.value.index ?? -1
      masks[n] = newValue?.mask?.index ?? -1
    }
  }
}
