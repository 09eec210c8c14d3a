import CKernels

/// Derivatives that the host gives, as nodes from nodes: so they have derivatives themselves, to any order.
package class Rule: @unchecked Sendable {
  package let name: String
  package init(_ name: String) { self.name = name }
  /// What is given. From one the other follows by transposing its nodes.
  package var hasJVP: Bool { false }
  package var hasVJP: Bool { false }
  /// Made of nodes alone: a file can hold it.
  package var isPortable: Bool { false }
  /// Calls the host for numbers: its nodes tell nothing of a pattern.
  package var isNumeric: Bool { false }
  /// The outputs are linear in these inputs together.
  package func isLinear(in slots: [Int]) -> Bool { false }
  /// Tangents of the outputs. `dx`: nil where structurally zero; so are results.
  package func jvp(_ t: Tape, _ x: [NodeID], _ y: [NodeID], _ dx: [NodeID?]) -> [NodeID?] { y.map { _ in nil } }
  /// Cotangents of the inputs that are wanted.
  package func vjp(_ t: Tape, _ x: [NodeID], _ y: [NodeID], _ ct: [NodeID?], _ wanted: [Bool]) -> [NodeID?] { x.map { _ in nil } }
  package func sparsity(output: Int, input: Int) -> HostPattern? { nil }
  package var declaresSparsity: Bool { false }
}

/// A rule recorded on tapes: bodies of inputs, outputs and directions (those of floats) to results (those of floats).
package final class RecordedRule: Rule, @unchecked Sendable {
  package let forward: Body?, backward: Body?
  package init(_ name: String, jvp: Body?, vjp: Body?) {
    forward = jvp
    backward = vjp
    super.init(name)
  }
  package override var hasJVP: Bool { forward != nil }
  package override var hasVJP: Bool { backward != nil }
  package override var isPortable: Bool { (forward.map { $0.tape.hostsOwn($0.outputs) == nil } ?? true) && (backward.map { $0.tape.hostsOwn($0.outputs) == nil } ?? true) }

  package override func jvp(_ t: Tape, _ x: [NodeID], _ y: [NodeID], _ dx: [NodeID?]) -> [NodeID?] { apply(t, forward, x, y, t.instantiated(dx, like: x), y) }
  package override func vjp(_ t: Tape, _ x: [NodeID], _ y: [NodeID], _ ct: [NodeID?], _ wanted: [Bool]) -> [NodeID?] {
    apply(t, backward, x, y, t.instantiated(ct, like: y), x)
  }
  private func apply(_ t: Tape, _ b: Body?, _ x: [NodeID], _ y: [NodeID], _ d: [NodeID], _ like: [NodeID]) -> [NodeID?] {
    guard let b else { return like.map { _ in nil } }
    var made = t.inline(b, x + y + d.filter { !$0.isNone })[...]
    return like.map { t.contains($0) && t.dtype($0).isFloat ? made.popFirst() : nil }
  }
}

/// A rule that the host applies when a derivative is asked for.
package final class HostRule: Rule, @unchecked Sendable {
  package typealias Forward = (_ t: Tape, _ x: [NodeID], _ y: [NodeID], _ dx: [NodeID?]) -> [NodeID?]
  package typealias Backward = (_ t: Tape, _ x: [NodeID], _ y: [NodeID], _ ct: [NodeID?], _ wanted: [Bool]) -> [NodeID?]
  private let forward: Forward?, backward: Backward?
  private let linear: Range<Int>
  private let pattern: ((_ output: Int, _ input: Int) -> HostPattern?)?

  private let numbers: Bool
  package init(_ name: String, jvp: Forward?, vjp: Backward?, linear: Range<Int> = 0 ..< 0, numbers: Bool = false, pattern: ((Int, Int) -> HostPattern?)? = nil) {
    self.numbers = numbers || !linear.isEmpty
    forward = jvp
    backward = vjp
    self.linear = linear
    self.pattern = pattern
    super.init(name)
  }
  package override var hasJVP: Bool { forward != nil }
  package override var hasVJP: Bool { backward != nil }
  package override var isNumeric: Bool { numbers }
  package override func isLinear(in slots: [Int]) -> Bool { slots.allSatisfy(linear.contains) }
  package override func jvp(_ t: Tape, _ x: [NodeID], _ y: [NodeID], _ dx: [NodeID?]) -> [NodeID?] { forward?(t, x, y, dx) ?? y.map { _ in nil } }
  package override func vjp(_ t: Tape, _ x: [NodeID], _ y: [NodeID], _ ct: [NodeID?], _ wanted: [Bool]) -> [NodeID?] { backward?(t, x, y, ct, wanted) ?? x.map { _ in nil } }
  package override func sparsity(output: Int, input: Int) -> HostPattern? { pattern?(output, input) }
  package override var declaresSparsity: Bool { pattern != nil }
}

/// How the host computes derivatives as numbers: functions of the point, its results and a direction.
package struct HostDerivatives {
  /// x, y, tangents of x's floats -> tangents of y's floats.
  package var jvp: HostFunction?
  /// x, y, cotangents of y's floats -> cotangents of x's floats.
  package var vjp: HostFunction?
  package init(jvp: HostFunction?, vjp: HostFunction?) {
    self.jvp = jvp
    self.vjp = vjp
  }

  /// The rule that calls them. They are linear in the direction and have that derivative again; in the point they have none.
  package func rule(_ name: String, jvp: HostRule.Forward? = nil, vjp: HostRule.Backward? = nil, pattern: ((Int, Int) -> HostPattern?)? = nil) -> HostRule {
    HostRule(name, jvp: jvp ?? (vjp != nil && self.jvp == nil ? nil : { t, x, y, dx in push(name, t, x, y, dx) }), vjp: vjp ?? (jvp != nil && self.vjp == nil ? nil : { t, x, y, ct, _ in pull(name, t, x, y, ct) }), numbers: self.jvp != nil || self.vjp != nil, pattern: pattern)
  }

  private func missing(_ t: Tape, _ name: String, _ mode: String, _ given: String, _ wanted: String) {
    t.fail(.derivative, "\(name): only a \(given) is given as numbers; \(mode) mode needs a \(wanted) (a \(given) as nodes gives both)")
  }

  private func floats(_ t: Tape, _ n: [NodeID]) -> [Int] { n.indices.filter { t.contains(n[$0]) && t.dtype(n[$0]).isFloat } }
  /// By place: the results of floats.
  private func spread(_ r: [NodeID], _ places: [Int], _ n: Int) -> [NodeID?] {
    var all = [NodeID?](repeating: nil, count: n)
    for (k, p) in places.enumerated() { all[p] = r[k] }
    return all
  }

  func push(_ name: String, _ t: Tape, _ x: [NodeID], _ y: [NodeID], _ dx: [NodeID?]) -> [NodeID?] {
    guard let f = jvp else {
      if vjp != nil { missing(t, name, "forward", "vjp", "jvp") } else { t.fail(.derivative, "\(name): has no derivative: the host gives neither a jvp nor a vjp") }
      return y.map { _ in nil }
    }
    let places = floats(t, y), d = t.instantiated(dx, like: x).filter { !$0.isNone }, all = x + y + d
    let r = t.hostCall(f, all, places.map { t.type(y[$0]) }), n = x.count + y.count, inputs = floats(t, x)
    let again = HostRule(f.name, jvp: { t, z, _, dz in
      guard !dz[..<n].contains(where: { $0 != nil }) else { pointFails(t, f); return places.map { _ in nil } }
      let dx = spread(dz[n...].map { $0 ?? .none }, inputs, x.count).map { $0.flatMap { $0.isNone ? nil : $0 } }
      let r = push(name, t, Array(z[..<x.count]), Array(z[x.count ..< n]), dx)
      return places.map { r[$0] }
    }, vjp: { t, z, _, ct, wanted in
      guard !wanted[..<n].contains(true) else { pointFails(t, f); return z.map { _ in nil } }
      let g = pull(name, t, Array(z[..<x.count]), Array(z[x.count ..< n]), spread(ct.map { $0 ?? .none }, places, y.count).map { $0.flatMap { $0.isNone ? nil : $0 } })
      return z[..<n].map { _ in nil } + inputs.map { g[$0] }
    }, linear: n ..< all.count)
    return t.failure == nil ? spread(t.custom(again, all, r), places, y.count) : y.map { _ in nil }
  }

  func pull(_ name: String, _ t: Tape, _ x: [NodeID], _ y: [NodeID], _ ct: [NodeID?]) -> [NodeID?] {
    guard let f = vjp else {
      if jvp != nil { missing(t, name, "reverse", "jvp", "vjp") } else { t.fail(.derivative, "\(name): has no derivative: the host gives neither a jvp nor a vjp") }
      return x.map { _ in nil }
    }
    let places = floats(t, x), c = t.instantiated(ct, like: y).filter { !$0.isNone }, all = x + y + c
    let r = t.hostCall(f, all, places.map { t.type(x[$0]) }), n = x.count + y.count, outputs = floats(t, y)
    let again = HostRule(f.name, jvp: { t, z, _, dz in
      guard !dz[..<n].contains(where: { $0 != nil }) else { pointFails(t, f); return places.map { _ in nil } }
      let g = pull(name, t, Array(z[..<x.count]), Array(z[x.count ..< n]), spread(dz[n...].map { $0 ?? .none }, outputs, y.count).map { $0.flatMap { $0.isNone ? nil : $0 } })
      return places.map { g[$0] }
    }, vjp: { t, z, _, w, wanted in
      guard !wanted[..<n].contains(true) else { pointFails(t, f); return z.map { _ in nil } }
      let d = push(name, t, Array(z[..<x.count]), Array(z[x.count ..< n]), spread(w.map { $0 ?? .none }, places, x.count).map { $0.flatMap { $0.isNone ? nil : $0 } })
      return z[..<n].map { _ in nil } + outputs.map { d[$0] }
    }, linear: n ..< all.count)
    return t.failure == nil ? spread(t.custom(again, all, r), places, x.count) : x.map { _ in nil }
  }

  private func pointFails(_ t: Tape, _ f: HostFunction) {
    t.fail(.derivative, "\(f.name): has no derivative in the point: it is given as numbers; given as nodes it has derivatives of any order")
  }
}

extension Tape {
  /// Directions as nodes: zeros where there is none, `none` where `n` is no float.
  package func instantiated(_ d: [NodeID?], like n: [NodeID]) -> [NodeID] {
    zip(d, n).map { d, n in contains(n) && dtype(n).isFloat ? d ?? zeros(n) : .none }
  }

  /// `y` as outputs of a function of `x` whose derivatives are the rule's. Derivatives in what is `captured` are errors.
  package func custom(_ rule: Rule, _ x: [NodeID], captured: [NodeID] = [], _ y: [NodeID]) -> [NodeID] {
    parts(custom(rule, x + captured + y, [x.count, captured.count]), y.count)
  }

  func custom(_ rule: Rule, _ operands: [NodeID], _ rest: [Int]) -> NodeID {
    guard failure == nil else { return .none }
    guard !operands.contains(where: { !contains($0) }) else { return fail(.node, "\(rule.name): an operand is not a node of this tape") }
    let number: Int
    if let i = ruleIndex[ObjectIdentifier(rule)] { number = i } else {
      number = rules.count
      ruleIndex[ObjectIdentifier(rule)] = number
      rules.append(rule)
    }
    return add(OpCode(.custom), operands, type: tupleType(operands[(rest[0] + rest[1])...].map { records[$0.i].type }), attrs: [number] + rest)
  }

  /// A function recorded on a sub-tape, here, with a rule for its derivatives.
  package func custom(_ rule: Rule, body: Tape, inputs: [NodeID], outputs: [NodeID], _ x: [NodeID]) -> [NodeID] {
    let none = [NodeID](repeating: .none, count: outputs.count), name = rule.name
    guard failure == nil else { return none }
    if let f = body.failure { fail(f.code, "\(name): the function failed: \(f.message)"); return none }
    guard body.parent === self else { fail(.node, "\(name): the function is not on a sub-tape of this tape"); return none }
    guard check(name, x, "argument"), let b = self.body(name, body, inputs, outputs) else { return none }
    for (i, (n, p)) in zip(x, inputs).enumerated() where type(n) != body.type(p) {
      fail(shape(n) == body.shape(p) ? .dtype : .shape, "\(name): argument \(i) is \(type(n).description), the function takes \(body.type(p).description)")
      return none
    }
    guard x.count == inputs.count else { fail(.invalid, "\(name): \(x.count) arguments for \(inputs.count) inputs"); return none }
    guard let nodes = body.order(outputs) else { adopt(body); return none }
    var captures: [NodeID] = []
    for k in 0 ..< nodes.count where body.structural(nodes[k]) == .capture { captures.append(nodes[k]) }
    let captured = captures.map { NodeID(body.record($0).a) }
    let y = rewrite(body, b.outputs, Dictionary(uniqueKeysWithValues: zip(b.inputs + captures, x + captured))) { _, _ in nil }
    return failure == nil ? custom(rule, x, captured: captured, y) : none
  }

  /// A sound function on a tape: inputs that are distinct inputs, outputs that need no others.
  package func body(_ name: String, _ t: Tape, _ inputs: [NodeID], _ outputs: [NodeID], captures: Bool = true) -> Body? {
    if let f = t.failure { fail(f.code, "\(name): the function failed: \(f.message)"); return nil }
    for (i, n) in inputs.enumerated() where !t.contains(n) || t.structural(n) != .input { fail(.node, "\(name): input \(i) of the function is not an input of its tape"); return nil }
    for (i, n) in outputs.enumerated() where !t.contains(n) || t.isTuple(n) { fail(.node, "\(name): output \(i) of the function is not a node of its tape"); return nil }
    let known = Set(inputs)
    guard known.count == inputs.count else { fail(.invalid, "\(name): an input of the function is given twice"); return nil }
    guard let nodes = t.order(outputs) else { adopt(t); return nil }
    for k in 0 ..< nodes.count {
      let s = t.structural(nodes[k])
      if s == .input, !known.contains(nodes[k]) { fail(.invalid, "\(name): the function depends on an input that is not among its parameters"); return nil }
      if s == .capture, !captures { fail(.invalid, "\(name): a recorded rule may not read nodes of outer tapes; give them as inputs"); return nil }
    }
    return Body(tape: t, inputs: inputs, outputs: outputs)
  }

  private func parted(_ n: NodeID) -> (rule: Rule, x: [NodeID], y: [NodeID], levels: [(size: Int, flags: [Bool])], captured: Range<Int>) {
    let a = attrs(n), all = inputs(n), c = a[1] + a[2]
    var levels: [(Int, [Bool])] = []
    for k in stride(from: 3, to: a.count, by: 1 + a[1]) { levels.append((a[k], a[(k + 1)...].prefix(a[1]).map { $0 != 0 })) }
    // The outputs that a rule reads have its derivatives themselves.
    return (rules[a[0]], Array(all[..<a[1]]), all[c...].indices.map { part(n, $0 - c) }, levels, a[1] ..< c)
  }

  /// A body's outputs on this tape.
  package func copy(_ b: Body, _ operands: [NodeID]) -> [NodeID] { inline(b, operands) }

  /// Of an output with a rule: its elements, those of an operand, and the pattern of its derivative there (nil: dense). nil: it is none.
  package func patternOf(_ n: NodeID, input i: Int) -> (rows: Int, columns: Int, pattern: HostPattern?)? {
    guard structural(n) == .part, structural(input(n, 0)) == .custom else { return nil }
    let tuple = input(n, 0), a = attrs(tuple)
    guard i >= 0, i < a[1] else { return nil }
    let x = type(input(tuple, i)).count, y = type(n).count
    return (y, x, a.count > 3 ? nil : rules[a[0]].sparsity(output: attrs(n)[0], input: i))
  }

  // MARK: forward

  func customForward(_ n: NodeID, _ tangents: [Masked?]) -> [Masked?] {
    let (rule, x, y, levels, captured) = parted(n), none = [Masked?](repeating: nil, count: y.count)
    guard !captured.contains(where: { tangents[$0] != nil }) else { capturedFails(rule); return none }
    let dx = x.indices.map { tangents[$0]?.value }
    var dy: [NodeID?]
    if rule.hasJVP {
      dy = pushed(rule, levels[...], x, y, dx)
    } else if rule.hasVJP {
      // The vjp is linear in the cotangents; transposed, it is the jvp.
      let slots = y.indices.filter { contains(y[$0]) && dtype(y[$0]).isFloat }, seeds = slots.map { input(type(y[$0])) }
      var ct = [NodeID?](repeating: nil, count: y.count)
      for (k, s) in zip(slots, seeds) { ct[k] = s }
      let g = pulled(rule, levels[...], x, y, ct, dx.map { $0 != nil })
      dy = y.map { _ in nil }
      if failure == nil {
        let back = reverse(x.indices.compactMap { i in if let g = g[i], let d = dx[i] { (g, Masked(d)) } else { nil } }, wrt: seeds, linear: true)
        for (k, m) in zip(slots, back) { dy[k] = m?.value }
      }
      explain(rule, "has a vjp alone; forward mode transposes it")
    } else {
      fail(.derivative, "\(rule.name): has no derivative: \(rule is RecordedRule ? "its rule was of the host that saved it" : "neither a jvp nor a vjp is given")")
      return none
    }
    return failure == nil ? dy.map { $0.map { Masked($0) } } : none
  }

  /// The results of a rule that gives derivatives as nodes along such tangents; nil where it gives none, or as numbers alone.
  package func ruleTangents(_ n: NodeID, _ d: [NodeID?]) -> [NodeID?]? {
    let (rule, x, y, _, captured) = parted(n)
    guard failure == nil, !rule.isNumeric else { return nil }
    let r = customForward(n, x.indices.map { i in d[i].map { Masked($0) } } + [Masked?](repeating: nil, count: captured.count + y.count))
    guard failure == nil else { failure = nil; return nil }
    return r.map { $0?.value }
  }

  private func capturedFails(_ rule: Rule) {
    fail(.derivative, "\(rule.name): has no derivative in what its function reads beside its arguments; make that an argument")
  }
  /// What went wrong while one mode was made from the other.
  private func explain(_ rule: Rule, _ what: String) {
    guard let f = failure, f.code != .memory, f.code != .callback, !f.message.hasPrefix(rule.name) else { return }
    failure = Failure(.derivative, "\(rule.name): \(what), which fails: \(f.message)")
  }

  // MARK: reverse

  func customReverse(_ n: NodeID, _ cts: [Masked?], _ active: [Bool], linear: Bool) -> [Masked?] {
    let (rule, x, y, levels, captured) = parted(n), none = [Masked?](repeating: nil, count: active.count)
    guard !captured.contains(where: { active[$0] }) else { capturedFails(rule); return none }
    let slots = x.indices.filter { active[$0] && dtype(x[$0]).isFloat }
    if linear, !rule.isLinear(in: slots) {
      fail(.invalid, "transpose: \(rule.name) is not linear in what depends on the inputs")
      return none
    }
    var result = none
    if rule.hasVJP {
      let g = pulled(rule, levels[...], x, y, y.indices.map { cts[$0]?.value }, x.indices.map { slots.contains($0) })
      for i in slots { result[i] = g[i].map { Masked($0) } }
    } else if rule.hasJVP {
      let seeds = slots.map { input(type(x[$0])) }
      var dx = [NodeID?](repeating: nil, count: x.count)
      for (i, s) in zip(slots, seeds) { dx[i] = s }
      let dy = pushed(rule, levels[...], x, y, dx)
      if failure == nil {
        let back = reverse(y.indices.compactMap { k in if let d = dy[k], let c = cts[k] { (d, c) } else { nil } }, wrt: seeds, linear: true)
        for (i, m) in zip(slots, back) { result[i] = m }
      }
      explain(rule, "has a jvp alone; reverse mode transposes it")
    } else {
      fail(.derivative, "\(rule.name): has no derivative: \(rule is RecordedRule ? "its rule was of the host that saved it" : "neither a jvp nor a vjp is given")")
    }
    return failure == nil ? result : none
  }

  /// The rule's cotangents; of a batch, those of inputs that have no batch are summed.
  private func pulled(_ rule: Rule, _ levels: ArraySlice<(size: Int, flags: [Bool])>, _ x: [NodeID], _ y: [NodeID], _ ct: [NodeID?], _ wanted: [Bool]) -> [NodeID?] {
    guard let last = levels.last else { return failure == nil ? checked(rule, "gradient", rule.vjp(self, x, y, ct, wanted), like: x, wanted) : x.map { _ in nil } }
    let r = lift(last, x, y, ct, ofOutputs: true) { x, y, d in pulled(rule, levels.dropLast(), x, y, d, wanted) }
    return r.indices.map { i in r[i].map { last.flags[i] ? $0 : sum($0, axes: [-shape($0).count], keep: false) } }
  }

  private func pushed(_ rule: Rule, _ levels: ArraySlice<(size: Int, flags: [Bool])>, _ x: [NodeID], _ y: [NodeID], _ dx: [NodeID?]) -> [NodeID?] {
    guard let last = levels.last else { return failure == nil ? checked(rule, "tangent", rule.jvp(self, x, y, dx), like: y, y.map { _ in true }) : y.map { _ in nil } }
    return lift(last, x, y, dx, ofOutputs: false) { x, y, d in pushed(rule, levels.dropLast(), x, y, d) }
  }

  /// A rule for one instance, made a rule for a batch. Directions are those of the outputs or of the inputs; all results get the axis.
  private func lift(_ level: (size: Int, flags: [Bool]), _ x: [NodeID], _ y: [NodeID], _ d: [NodeID?], ofOutputs: Bool,
                    _ rule: ([NodeID], [NodeID], [NodeID?]) -> [NodeID?]) -> [NodeID?] {
    var seeds: [NodeID: NodeID] = [:]
    func one(_ n: NodeID) -> NodeID {
      guard contains(n) else { return .none }
      let p = input(TensorType(dtype(n), Array(shape(n).dropFirst())))
      if contains(p) { seeds[p] = n }
      return p
    }
    let px = x.indices.map { level.flags[$0] ? one(x[$0]) : x[$0] }, py = y.map(one)
    let pd = d.indices.map { i in d[i].map { ofOutputs || level.flags[i] ? one($0) : $0 } }
    let r = rule(px, py, pd), known = r.map { $0 ?? .none }
    guard failure == nil else { return r.map { _ in nil } }
    let wide = batched(known.filter { !$0.isNone }, seeds, size: level.size)
    var rest = wide[...]
    return known.map { n in n.isNone ? nil : (rest.popFirst() ?? nil) ?? addLeading(n, level.size) }
  }

  /// What a rule gave, of the right number and types.
  private func checked(_ rule: Rule, _ what: String, _ r: [NodeID?], like n: [NodeID], _ wanted: [Bool]) -> [NodeID?] {
    guard failure == nil else { return n.map { _ in nil } }
    for (i, g) in r.enumerated() where wanted[i] {
      guard let g, contains(n[i]), dtype(n[i]).isFloat else { continue }
      guard contains(g), !isTuple(g) else { fail(.node, "\(rule.name): \(what) \(i) of the rule is not a node of the tape it was given"); break }
      guard type(g) == type(n[i]) else {
        fail(shape(g) == shape(n[i]) ? .dtype : .shape, "\(rule.name): \(what) \(i) of the rule is \(type(g).description), not \(type(n[i]).description)")
        break
      }
    }
    return failure == nil ? zip(r, n).map { g, n in contains(n) && dtype(n).isFloat ? g : nil } : n.map { _ in nil }
  }

  // MARK: batches, programs

  /// The outputs of a batch as results of a rule for batches.
  func customBatch(_ n: NodeID, _ operands: [NodeID?], size: Int) -> [NodeID]? {
    let a = attrs(n), x = inputs(n), c = a[1] + a[2]
    let given = x.indices.map { i in operands[i] ?? (i < c ? x[i] : addLeading(x[i], size)) }
    let y = custom(rules[a[0]], given, Array(a[1...]) + [size] + (0 ..< a[1]).map { operands[$0] == nil ? 0 : 1 })
    return contains(y) ? parts(y) : nil
  }

  /// The stages on this tape without rules, which a run has no use for; nil where there are none.
  package func withoutRules(_ stages: [(inputs: [NodeID], outputs: [NodeID])]) -> (tape: Tape, stages: [(inputs: [NodeID], outputs: [NodeID])])? {
    guard !rules.isEmpty, failure == nil else { return nil }
    let new = Tape()
    var seeds: [NodeID: NodeID] = [:]
    for n in stages.flatMap(\.inputs) where seeds[n] == nil { seeds[n] = new.input(type(n)) }
    let made = new.rewrite(self, stages.flatMap(\.outputs), seeds) { n, x in
      guard structural(n) == .part, structural(input(n, 0)) == .custom else { return nil }
      let t = input(n, 0), a = attrs(t)
      return new.input(x[0], a[1] + a[2] + attrs(n)[0])
    }
    guard failure == nil, new.failure == nil else { return nil }
    var left = made[...]
    return (new, stages.map { s in
      defer { left = left.dropFirst(s.outputs.count) }
      return (s.inputs.map { seeds[$0] ?? .none }, Array(left.prefix(s.outputs.count)))
    })
  }
}
