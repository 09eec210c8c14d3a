import CKernels

/// Reverse mode: each row's linearisation, transposed at once, visiting only nodes between inputs and outputs. (vjp is transpose after
/// jvp; that composition is the test of this file.)
extension Tape {
  /// The cotangents of `inputs`; nil where no output depends on one. Inputs are cut off from what they depend on. With `linear`, an
  /// operator that is not linear in what depends on the inputs is an error.
  /// Behind them come the cotangents of `watched` nodes, which are not cut off.
  package func reverse(_ outputs: [(node: NodeID, ct: Masked)], wrt inputs: [NodeID], watched: [NodeID] = [], linear: Bool = false) -> [Masked?] {
    let none = [Masked?](repeating: nil, count: inputs.count + watched.count)
    guard let first = inputs.map(\.index).min(), failure == nil, let nodes = order(outputs.map(\.node), from: first, derivatives: true),
          var active = PerNode<UInt8>(self, 0, from: first), var ct = Tangents(self, first) else { return none }
    // 2 = an input, 1 = depends on one through differentiable values.
    for n in inputs { active[n] = 2 }
    for k in 0 ..< nodes.count where active[nodes[k]] == 0 {
      let n = nodes[k], r = record(n)
      if r.type >= 0, !types[Int(r.type)].dtype.isFloat || r.op == OpCode(Unary.stop_gradient).raw { continue }
      for slot in 0 ..< Int(r.arity) {
        let x = input(of: r, slot)
        if x.index >= first, active[x] != 0 { active[n] = 1; break }
      }
    }
    for (n, c) in outputs where n.index >= first && active[n] != 0 { ct[n] = plus(ct[n], c) }
    // What slices give back waits until all have: together they are one array.
    var pieces: [NodeID: [Piece]] = [:]
    let outer = labels.current
    defer { labels.restore(count, outer) }
    for k in stride(from: nodes.count - 1, through: 0, by: -1) {
      let n = nodes[k]
      guard active[n] == 1 else { continue }
      labels.source(count, n.index, .reverse)
      if let p = pieces.removeValue(forKey: n) { ct[n] = plus(ct[n], together(p, like: n)) }
      let r = record(n)
      func isActive(_ slot: Int) -> Bool {
        let x = input(of: r, slot)
        return x.index >= first && active[x] != 0
      }
      if r.type <= -2 {
        if let cts = ct.tuples[n] {
          if r.op == Structural.checkpoint.rawValue {
            for (m, g) in checkpointReverse(n, cts, linear: linear, state: { $0.index >= first ? active[$0] : 0 }) { ct[m] = plus(ct[m], g) }
            if failure != nil { return none }
            continue
          }
          let flags = (0 ..< Int(r.arity)).map(isActive)
          for (slot, g) in tupleReverse(n, cts, flags, linear: linear).enumerated() where g != nil { ct[input(of: r, slot)] = plus(ct[input(of: r, slot)], g) }
        }
      } else if let c = ct[n] {
        if OpCode(raw: r.op).isElementwise {
          for slot in 0 ..< Int(r.arity) where isActive(slot) {
            if linear, !isLinear(r, slot, isActive) { notLinear(n); return none }
            guard let p = partial(n, slot) else {
              fail(.derivative, "\(op(n).name): has no derivative in operand \(slot)")
              return none
            }
            if let g = product(p, c) { ct[input(of: r, slot)] = plus(ct[input(of: r, slot)], g) }
          }
        } else if r.op == Structural.part.rawValue {
          let tuple = input(of: r, 0), member = attrs(n)[0]
          // In place: a copy for each member would be quadratic.
          let before = ct.tuples[tuple]?[member] ?? nil
          ct.tuples[tuple, default: [Masked?](repeating: nil, count: memberCount(tuple))][member] = plus(before, c)
        } else if r.op == Structural.slice.rawValue, isActive(0), let cut = oneCut(n) {
          pieces[NodeID(r.a), default: []].append(Piece(slice: n, axis: cut.axis, start: cut.start, end: cut.start + cut.count, ct: c))
        } else {
          for (slot, g) in pull(n, r, c, (0 ..< Int(r.arity)).map(isActive), linear).enumerated() where g != nil {
            ct[input(of: r, slot)] = plus(ct[input(of: r, slot)], g)
          }
        }
      }
      if failure != nil { return none }
    }
    for n in inputs { if let p = pieces.removeValue(forKey: n) { ct[n] = plus(ct[n], together(p, like: n)) } }
    return (inputs + watched).map { $0.index >= first ? ct[$0] : nil }
  }

  private func pull(_ n: NodeID, _ r: Record, _ c: Masked, _ active: [Bool], _ linear: Bool) -> [Masked?] {
    var result = [Masked?](repeating: nil, count: active.count)
    guard let s = Structural(rawValue: r.op) else { return result }
    let rule = row(s), x = inputs(n)
    switch rule.derivative {
    case .zero, .loop: break
    case .reducing(let f):
      if linear { notLinear(n); return result }
      let axes = attrs(n)
      let wide = Masked(spread(c.value, over: x[0], axes), c.mask.map { spread($0, over: x[0], axes) })
      result[0] = product(f(self, x[0], n, axes), wide)
    case .linear(let transpose):
      // These leave elements of an operand out: structural zeros of their transposes.
      let partial = s == .slice || s == .gather || s == .dynamicSlice || s == .scatterSet || s == .dynamicUpdate
      let mask: NodeID? = if case .same = rule.masks { c.mask ?? (partial ? ones(mask: n) : nil) } else { nil }
      for slot in x.indices where active[slot] && dtype(x[slot]).isFloat {
        let g = transpose(self, n, c.value, slot)
        if !g.isNone { result[slot] = Masked(g, mask.map { transpose(self, n, $0, slot) }) }
      }
    case .bilinear(let transpose):
      if linear, active[0], active[1] { notLinear(n); return result }
      for slot in 0 ..< 2 where active[slot] { result[slot] = transpose(self, n, c, slot) }
    case .custom(let jvp, let transpose):
      let slots = active.indices.filter { active[$0] && dtype(x[$0]).isFloat }
      if s == .recurrence, slots == [1] {
        result[1] = recurBack(n, c)
        return result
      }
      if slots.count == 1, let g = transpose?(self, n, c.value, slots[0]) {
        result[slots[0]] = Masked(g)
        return result
      }
      if linear { notLinear(n); return result }
      // The jvp at placeholder tangents, which is linear in them, transposed.
      let placeholders = slots.map { input(type(x[$0])) }
      var tangents = [Masked?](repeating: nil, count: x.count)
      for (slot, p) in zip(slots, placeholders) { tangents[slot] = Masked(p) }
      guard let d = jvp(self, n, tangents) else { return result }
      for (slot, g) in zip(slots, reverse([(d.value, c)], wrt: placeholders, linear: true)) { result[slot] = g }
    }
    return result
  }

  private func notLinear(_ n: NodeID) { fail(.invalid, "transpose: \(op(n).name) is not linear in what depends on the inputs") }

  private func isLinear(_ r: Record, _ slot: Int, _ active: (Int) -> Bool) -> Bool {
    switch OpCode(raw: r.op).elementwise {
    case .unary(let u): u == .neg || u == .stop_gradient
    case .binary(let b):
      switch b {
      case .add, .sub: true
      case .mul: !active(1 - slot)
      case .div: slot == 0 && !active(1)
      default: false
      }
    case .ternary(let t):
      switch t {
      case .select: true
      case .gate: !active(3 - slot)
      case .fma: slot == 2 || !active(1 - slot)
      case .clamp, .betainc, .beta_density, .polygamma_drop: false
      }
    }
  }
}
