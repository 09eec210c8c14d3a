import CKernels
package import Tape

/// How far outputs of a tape lie from what exact arithmetic would give from the same inputs.
///
/// A run evaluates every node at one point, as programs do and wide (binary128 for f64, f64 for narrower formats): a shadow, whose own error is
/// bounded by the adjoint-weighted sum of its roundings. A figure of one output element, or of a weighted sum of elements, takes a reverse sweep
/// over the nodes, itself evaluated wide: weights of the local errors (NUMERICS 1-3). Derivatives are nodes like others.
package final class Rounding {
  package enum Level: Int32 { case exact, bound, shadow, unbounded }

  /// Of one output element, or sum.
  package struct Figures {
    package var value = Double.nan, bound = Double.infinity, level = Level.unbounded
    /// Adjoint-weighted: 1.01 times the sum of |weight| e; and three standard deviations of it.
    package var adjoint = Double.infinity, statistical = Double.infinity
    /// value - exact, as far as the shadow (to first order where there is none) tells, and what that may be off by.
    package var estimate = Double.nan, remainder = Double.infinity, corrected = Double.nan
    /// The sum of weight * local error, signed; and how much of the weights changes between the rounded and the wide point.
    package var firstOrder = Double.nan, change = Double.infinity
    package var condition = Double.nan, sensitivity = Double.nan
    package var unit = 0x1p-53
    package var bitsLost: Double {
      let e = abs(estimate), v = max(abs(corrected), .leastNonzeroMagnitude)
      if e == 0 { return 0 }
      if !(e > 0) { return .nan }
      return max(0, min(-log2_(unit), log2_(e) - log2_(v) - log2_(unit)))
    }
    /// Decimal digits that are sure.
    package var digits: Double {
      if bound == 0 { return -log2_(unit) * 0.30102999566398120 }
      let v = abs(value)
      return !(bound < v) ? 0 : min(-log2_(unit), log2_(v) - log2_(bound)) * 0.30102999566398120
    }
  }
  /// What one recorded operator contributes.
  package struct Contribution {
    package let node: NodeID, op: OpCode, inLoop: Bool
    /// Signed; of the bound; of the bound of all.
    package let error: Double, bound: Double, share: Double
    /// The largest condition number in one operand, NaN where it is not looked at.
    package let condition: Double
  }
  package struct Unstable {
    package let node: NodeID, op: OpCode, elements: Int, turns: Bool
    package let other: Double
  }

  private let source: Tape, inputs: [NodeID], outputs: [NodeID]
  private var memoryLimit = 4 << 30, nodeLimit = 1 << 24, wideQuad: Bool?, top = 16, others = 8, reading = 1
  private(set) var trace: Unrolled?
  private var roots: [NodeID] = [], leaves: [NodeID] = []
  private var truth: Unrolled?, truthRoots: [NodeID] = []
  private var others_: [NodeID: (Unrolled, [NodeID])] = [:]
  /// Local errors by node: known (wide, value - exact) and bounds (f64).
  private var deltas: [UnsafeMutableRawPointer?] = [], bounds: [UnsafeMutablePointer<Double>?] = []
  private var nearly: [UnsafeMutableRawPointer?] = []
  private var sweeps: [Int: Sweep] = [:]
  private var data: [UnsafeRawPointer?] = []
  private var copies: Pool?
  package private(set) var figures = Figures(), contributions: [Contribution] = [], unstable: [Unstable] = [], notes = ""
  package var inputTypes: [TensorType] { inputs.map { source.type($0) } }
  package var outputTypes: [TensorType] { outputs.map { source.type($0) } }
  package var nodeCount: Int { trace?.tape.count ?? 0 }

  /// The adjoints of one output, or of all (-1), as nodes of the trace.
  private struct Sweep {
    let seeds: [(output: Int, node: NodeID)]
    let pairs: [(node: NodeID, weight: NodeID)]
    let order: [NodeID]
    let why: String?
  }

  package init(_ t: Tape, outputs: [NodeID], inputs: [NodeID]) throws(Failure) {
    for (i, n) in outputs.enumerated() {
      guard t.contains(n), t.record(n).type >= 0 else { throw Failure(.node, "rounding: output \(i) is not a node of this tape") }
      guard t.dtype(n).isFloat else { throw Failure(.dtype, "rounding: output \(i) is \(t.type(n).description); only floats are rounded") }
    }
    for (i, n) in inputs.enumerated() {
      guard t.contains(n), t.record(n).type >= 0 else { throw Failure(.node, "rounding: input \(i) is not a node of this tape") }
    }
    guard Set(inputs).count == inputs.count else { throw Failure(.invalid, "rounding: an input is given twice") }
    guard t.parent == nil else { throw Failure(.invalid, "rounding: the tape is the body of a loop or branch; ask for the outermost tape's nodes") }
    source = t
    self.inputs = inputs
    self.outputs = outputs
  }

  package func set(_ name: String, _ value: Double) -> Failure? {
    func whole(_ least: Int) -> Int? { Int(exactly: value).flatMap { $0 >= least ? $0 : nil } }
    switch name {
    case "memory_limit":
      guard let n = whole(1 << 16) else { return Failure(.invalid, "rounding: memory_limit is a number of bytes, 65536 or more, not \(value)") }
      memoryLimit = n
    case "node_limit":
      guard let n = whole(1), n < Int(Int32.max) else { return Failure(.invalid, "rounding: node_limit is a whole number from 1 on, not \(value)") }
      nodeLimit = n
    case "wide":
      guard let n = whole(0), n <= 2 else { return Failure(.invalid, "rounding: wide is 0 (by the dtypes), 1 (f64) or 2 (binary128), not \(value)") }
      wideQuad = n == 0 ? nil : n == 2
    case "top":
      guard let n = whole(0) else { return Failure(.invalid, "rounding: top is a whole number, not \(value)") }
      top = n
    case "branches":
      guard let n = whole(0) else { return Failure(.invalid, "rounding: branches is a whole number, not \(value)") }
      others = n
    case "literals":
      guard let n = whole(0), n <= 2 else { return Failure(.invalid, "rounding: literals is 0 (constants are what they hold), 1 (or what they may stand for) or 2 (what they stand for), not \(value)") }
      reading = n
    default: return Failure(.invalid, "rounding: no option is called \(name); there are branches, literals, memory_limit, node_limit, top, wide")
    }
    return nil
  }

  // MARK: the run

  package func run(_ host: (Int) -> UnsafeRawPointer?) throws(Failure) {
    forget()
    let pool = Pool(limit: memoryLimit)
    copies = pool
    for (i, n) in inputs.enumerated() {
      let t = source.type(n)
      guard t.count == 0 || host(i) != nil else { throw Failure(.invalid, "rounding: the data of input \(i) is NULL") }
      guard let p = pool.take(t.bytes) else { throw Failure(.memory, "rounding: memory was refused for input \(i)") }
      if let h = host(i), t.bytes > 0 { p.copyMemory(from: h, byteCount: t.bytes) }
      data.append(UnsafeRawPointer(p))
    }
    let saved = ck_fenv_enter()
    defer { ck_fenv_leave(saved) }
    let quad = wideQuad ?? hasDouble()
    let (t, y) = try traced(.own, quad: quad)
    trace = t
    roots = y
    if !t.turned.isEmpty {
      // Exact arithmetic goes another way: its values come from a run of its own.
      let (w, z) = try traced(.wide, quad: quad)
      truth = w
      truthRoots = z
    } else {
      truth = t
      truthRoots = y
    }
    try locals(t)
  }

  private func forget() {
    trace = nil
    truth = nil
    others_ = [:]
    sweeps = [:]
    deltas = []
    bounds = []
    nearly = []
    data = []
    figures = Figures()
    contributions = []
    unstable = []
    notes = ""
  }

  /// Whether some float is f64: then the wide format is binary128.
  private func hasDouble() -> Bool {
    guard let order = source.order(outputs) else { return true }
    for k in 0 ..< order.count where source.record(order[k]).type >= 0 && source.dtype(order[k]) == .f64 { return true }
    return false
  }

  private func traced(_ d: Unrolled.Driver, quad: Bool, flip: NodeID? = nil, _ flags: UnsafePointer<UInt8>? = nil) throws(Failure) -> (Unrolled, [NodeID]) {
    let t = Unrolled(d, quad: quad, memory: memoryLimit, nodes: nodeLimit, reading: reading, flip: flip)
    t.turning = flags
    var seeds: [NodeID: NodeID] = [:]
    for (i, n) in inputs.enumerated() { seeds[n] = t.input(source.type(n), data[i]) }
    if t.failure == nil {
      let y = t.run(source, outputs, seeds)
      if t.failure == nil { return (t, y) }
    }
    throw t.failure ?? Failure(.invalid, "rounding: the trace failed")
  }

  /// The local error of every node: from its own operands in wide arithmetic, and by rule.
  private func locals(_ t: Unrolled) throws(Failure) {
    let refused = Failure(.memory, "rounding: memory was refused, or the limit of \(memoryLimit) bytes is reached (option memory_limit)")
    let work = Pool(limit: memoryLimit), plainScratch = Pool(limit: memoryLimit)
    let model = ErrorModel(plain: Evaluator(width: .f64, scratch: plainScratch), keep: t.keep)
    let count = t.tape.count
    deltas = [UnsafeMutableRawPointer?](repeating: nil, count: count)
    bounds = [UnsafeMutablePointer<Double>?](repeating: nil, count: count)
    nearly = [UnsafeMutableRawPointer?](repeating: nil, count: count)
    var live = [Bool](repeating: false, count: count)
    var holes: [NodeID: Bool] = [:]
    for h in t.holes { holes[h.node] = true }
    leaves = []
    for i in 0 ..< count {
      let n = NodeID(i), type = t.tape.type(n), x = t.tape.inputs(n)
      guard type.dtype.isFloat, type.count > 0 else { continue }
      if t.tape.structural(n) == .input {
        live[i] = true
        leaves.append(n)
        continue
      }
      if let u = t.uncertain[n] {
        guard let e = t.keep.take(8)?.assumingMemoryBound(to: Double.self), let d = t.keep.take(16), let own = t.widened(n, work) else { throw refused }
        e.pointee = u
        difference(own, UnsafeRawPointer(t.truths[i].unsafelyUnwrapped), d, 1, t.quad)
        bounds[i] = e
        deltas[i] = d
        live[i] = true
        leaves.append(n)
        continue
      }
      if x.isEmpty { continue }
      work.reset()
      plainScratch.reset()
      // Operands and result in f64.
      var low: [UnsafeRawPointer] = []
      func narrow(_ m: NodeID) -> UnsafeRawPointer? {
        let k = t.tape.type(m)
        guard let v = t.values[m.i] else { return nil }
        if !k.dtype.isFloat || k.dtype == .f64 { return UnsafeRawPointer(v) }
        guard let p = work.take(k.count * 8) else { return nil }
        ck_cast_kernel(k.dtype.rawValue, DType.f64.rawValue)?(v, nil, nil, p, k.count)
        return UnsafeRawPointer(p)
      }
      let lively = x.contains { live[$0.i] }
      if isExact(t.tape, n) { live[i] = lively; continue }
      for m in x { guard let p = narrow(m) else { throw refused }; low.append(p) }
      guard let v = narrow(n) else { throw refused }
      var e: UnsafeMutablePointer<Double>?
      var measured = false
      switch model.of(t.tape, n, low, v.assumingMemoryBound(to: Double.self)) {
      case .exact: break
      case .bound(let p): e = p
      case .measured: measured = true
      case .refused: throw refused
      }
      // A wide run in f64 says nothing of f64.
      if e != nil || measured, holes[n] == nil, t.quad || type.dtype != .f64 {
        guard let d = t.keep.take(t.wide.bytes(type)), let exact = work.take(t.wide.bytes(type)), let own = t.widened(n, work) else { throw refused }
        var operands: [UnsafeRawPointer] = []
        for m in x { guard let p = t.widened(m, work) else { throw refused }; operands.append(UnsafeRawPointer(p)) }
        t.scratch.reset()
        if t.wide.apply(t.tape, n, operands, exact) == nil {
          difference(own, exact, d, type.count, t.quad)
          deltas[i] = d
        }
      }
      if measured {
        guard let p = t.keep.take(type.count * 8)?.assumingMemoryBound(to: Double.self) else { throw refused }
        let u = Format(type.dtype)?.unit ?? 0x1p-53, w = v.assumingMemoryBound(to: Double.self)
        var most = 0.0
        if let d = deltas[i] {
          guard let q = work.take(type.count * 8)?.assumingMemoryBound(to: Double.self) else { throw refused }
          if t.quad { ck_quad_to(d, q, type.count) } else { q.update(from: d.assumingMemoryBound(to: Double.self), count: type.count) }
          for k in 0 ..< type.count { most = max(most, abs(q[k]), abs(w[k]) * u) }
        } else {
          most = .infinity
        }
        for k in 0 ..< type.count { p[k] = most }
        e = p
      }
      if !lively, e != nil, let d = deltas[i], isZero(d, type.count, t.quad) {
        deltas[i] = nil
        continue
      }
      bounds[i] = e
      // Rounded constants have no operands that are looked at: they are leaves.
      if e != nil, !lively { leaves.append(n) }
      live[i] = lively || e != nil
    }
  }

  private func isExact(_ t: Tape, _ n: NodeID) -> Bool {
    let op = t.op(n)
    if op.isElementwise { return roundoffs(op) == 0 }
    switch op.structural {
    case .reshape, .broadcast, .transpose, .slice, .pad, .concat, .roll, .gather, .dynamicSlice, .dynamicUpdate, .scatterSet, .sort, .max, .min, .cummax, .cummin, .segmentMax, .segmentMin, .random: return true
    default: return false
    }
  }

  private func isZero(_ d: UnsafeRawPointer, _ n: Int, _ quad: Bool) -> Bool {
    for i in 0 ..< n * (quad ? 2 : 1) where d.load(fromByteOffset: i * 8, as: UInt64.self) << (quad && i % 2 == 0 ? 0 : 1) != 0 { return false }
    return true
  }
  private func difference(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ out: UnsafeMutableRawPointer, _ n: Int, _ quad: Bool) {
    if quad { ck_quad_sub(a, b, out, n); return }
    let p = a.assumingMemoryBound(to: Double.self), q = b.assumingMemoryBound(to: Double.self), r = out.assumingMemoryBound(to: Double.self)
    for i in 0 ..< n { r[i] = p[i] == q[i] ? 0 : p[i] - q[i] }
  }

  // MARK: sweeps

  private func sweep(_ output: Int, constants: Bool = true) -> Sweep? {
    if let s = sweeps[output] { return s }
    guard let t = trace else { return nil }
    let tape = t.tape, chosen = output < 0 ? Array(outputs.indices) : [output]
    let seeds = chosen.map { (output: $0, node: tape.input(tape.type(roots[$0]))) }
    var pairs: [(node: NodeID, weight: NodeID)] = [], why: String?
    let leaves = constants ? self.leaves : self.leaves.filter { t.uncertain[$0] == nil }
    let cut = Set(leaves), between = bounds.indices.filter { bounds[$0] != nil }.map { NodeID($0) }.filter { !cut.contains($0) }
    let back = tape.reverse(seeds.map { (roots[$0.output], Masked($0.node)) }, wrt: leaves, watched: between)
    if let f = tape.failure {
      tape.failure = nil
      // An operator may lack the derivative in an operand that is a constant.
      if constants, f.code == .derivative, leaves.contains(where: { t.uncertain[$0] != nil }) { return sweep(output, constants: false) }
      why = f.message
      pairs = []
    } else {
      for (n, g) in zip(leaves + between, back) { if let g { pairs.append((n, g.value)) } }
    }
    pairs = pairs.filter { $0.node.i < bounds.count }
    var order: [NodeID] = []
    if let o = tape.order(pairs.map(\.weight), from: Int32(bounds.count)) { order = (0 ..< o.count).map { o[$0] } } else { why = why ?? "memory was refused" }
    let s = Sweep(seeds: seeds, pairs: pairs, order: order, why: why)
    sweeps[output] = s
    return s
  }

  /// Evaluates the adjoint nodes over own or wide values: by node, from the first that is no node of the trace.
  private func adjoints(_ s: Sweep, _ weights: [UnsafeRawPointer?], atOwn: Bool, _ pool: Pool) throws(Failure) -> [UnsafeMutableRawPointer?] {
    guard let t = trace else { return [] }
    let tape = t.tape, first = bounds.count
    let refused = Failure(.memory, "rounding: memory was refused, or the limit of \(memoryLimit) bytes is reached (option memory_limit)")
    var at = [UnsafeMutableRawPointer?](repeating: nil, count: tape.count - first)
    for (k, seed) in s.seeds.enumerated() {
      let type = tape.type(seed.node)
      guard let p = pool.take(t.wide.bytes(type)) else { throw refused }
      if let w = weights[k] { t.wide.convert(.f64, w, .f64, p, type.count) }
      at[seed.node.i - first] = p
    }
    for n in s.order where at[n.i - first] == nil {
      let type = tape.type(n)
      guard let p = pool.take(t.wide.bytes(type)) else { throw refused }
      var x: [UnsafeRawPointer] = []
      for slot in 0 ..< tape.arity(n) {
        let m = tape.input(n, slot)
        if m.i >= first {
          guard let q = at[m.i - first] else { throw Failure(.invalid, "rounding: the sweep lost a node") }
          x.append(UnsafeRawPointer(q))
        } else {
          guard let q = base(m, atOwn) else { throw refused }
          x.append(UnsafeRawPointer(q))
        }
      }
      t.scratch.reset()
      if let said = t.wide.apply(tape, n, x, p) { throw Failure(.derivative, said) }
      at[n.i - first] = p
    }
    return at
  }

  /// A node of the trace as the sweep reads it.
  private func base(_ n: NodeID, _ atOwn: Bool) -> UnsafeMutableRawPointer? {
    guard let t = trace else { return nil }
    if !atOwn { return t.truths[n.i] }
    if nearly[n.i] == nil { nearly[n.i] = t.widened(n, t.keep) }
    return nearly[n.i]
  }

  // MARK: figures

  /// The output's element.
  package func at(output: Int, element: Int) throws(Failure) {
    guard trace != nil else { throw Failure(.invalid, "rounding: nothing was run yet") }
    guard outputs.indices.contains(output) else { throw Failure(.invalid, "rounding: output \(output) of \(outputs.count)") }
    let count = source.type(outputs[output]).count
    guard element >= 0, element < count else { throw Failure(.invalid, "rounding: element \(element) of the \(count) of output \(output)") }
    let w = Pool(limit: memoryLimit)
    guard let p = w.take(count * 8)?.assumingMemoryBound(to: Double.self) else { throw Failure(.memory, "rounding: memory was refused") }
    p.update(repeating: 0, count: count)
    p[element] = 1
    try weigh(output, [UnsafeRawPointer(p)])
  }

  /// The sum of all outputs' elements with these weights.
  package func along(_ weights: (Int) -> UnsafePointer<Double>?) throws(Failure) {
    guard trace != nil else { throw Failure(.invalid, "rounding: nothing was run yet") }
    var list: [UnsafeRawPointer?] = []
    for (k, n) in outputs.enumerated() {
      guard source.type(n).count == 0 || weights(k) != nil else { throw Failure(.invalid, "rounding: the weights of output \(k) are NULL") }
      list.append(weights(k).map { UnsafeRawPointer($0) })
    }
    try weigh(-1, list)
  }

  private func weigh(_ output: Int, _ weights: [UnsafeRawPointer?]) throws(Failure) {
    guard let t = trace, let truth, let s = sweep(output) else { return }
    let saved = ck_fenv_enter()
    defer { ck_fenv_leave(saved) }
    var f = Figures()
    f.unit = s.seeds.map { Format(t.tape.dtype(roots[$0.output]))?.unit ?? 0x1p-53 }.max() ?? 0x1p-53
    let sums = Sums(t.quad)
    for (k, seed) in s.seeds.enumerated() {
      guard let w = weights[k] else { continue }
      let type = t.tape.type(seed.node)
      sums.add(w.assumingMemoryBound(to: Double.self), t.values[roots[seed.output].i], type, truth.truths[truthRoots[seed.output].i], t)
    }
    f.value = sums.value
    f.corrected = sums.exact
    let miss = sums.error
    notes = ""
    contributions = []
    var wide = Double.infinity
    if let why = s.why {
      notes = "no adjoint sweep: \(why)"
    } else {
      wide = try swept(s, weights, t, &f)
    }
    settle(&f, t, miss, wide)
    try branches(s, weights, t, f)
    figures = f
  }

  /// The sweeps; gives what the shadow may be off by.
  private func swept(_ s: Sweep, _ weights: [UnsafeRawPointer?], _ t: Unrolled, _ f: inout Figures) throws(Failure) -> Double {
    let pool = Pool(limit: memoryLimit), first = bounds.count
    let own: [UnsafeMutableRawPointer?], there: [UnsafeMutableRawPointer?]
    do {
      own = try adjoints(s, weights, atOwn: true, pool)
      there = try adjoints(s, weights, atOwn: false, pool)
    } catch where error.code == .derivative {
      notes = "no adjoint sweep: \(error.message)"
      return .infinity
    }
    var total = 0.0, squares = 0.0, signed = 0.0, shadow = 0.0, changed = 0.0, shadowTotal = 0.0, meant = 0.0
    var spots: [Int32: Int] = [:], list: [(place: Int32, signed: Double, bound: Double, node: NodeID)] = []
    f.condition = 0
    f.sensitivity = 0
    for (n, w) in s.pairs {
      func weight(_ at: [UnsafeMutableRawPointer?], _ o: Bool) -> UnsafeMutableRawPointer? { w.i >= first ? at[w.i - first] : base(w, o) }
      guard let a = weight(own, true), let b = weight(there, false) else { continue }
      let count = t.tape.type(n).count
      if t.tape.structural(n) == .input {
        guard let x = base(n, true) else { continue }
        let c = dot(a, x, count, t.quad)
        f.condition += c
        f.sensitivity += c * (Format(t.tape.dtype(n))?.unit ?? 0)
        continue
      }
      guard let e = bounds[n.i] else { continue }
      let p = weighed(a, deltas[n.i], e, count, t.quad), q = weighed(b, nil, e, count, t.quad)
      // What the wide run rounds does not underflow where the own one does.
      t.scratch.reset()
      guard let quiet = t.scratch.take(count * 8)?.assumingMemoryBound(to: Double.self) else { throw Failure(.memory, "rounding: memory was refused") }
      let tiny = Format(t.tape.dtype(n))?.tiny ?? 0
      for k in 0 ..< count { quiet[k] = max(e[k] - tiny, 0) }
      let near = weighed(a, deltas[n.i], quiet, count, t.quad), far = weighed(b, deltas[n.i], quiet, count, t.quad)
      if t.uncertain[n] != nil {
        if reading == 1 { meant += max(p.all, q.all) }
        total += p.all
        signed += p.signed
        shadow += max(p.all, q.all) * 0x1p-40
        continue
      }
      total += p.bound
      squares += p.squares
      signed += p.signed
      // What the wide run itself rounds: as the own one, in wide units.
      let u = Format(t.tape.dtype(n))?.unit ?? 0x1p-53
      let ratio = t.quad ? (isSummed(t.tape.op(n)) ? 0x1p-88 : 0x1p-110) / u : 0x1p-51 / u
      shadow += deltas[n.i] == nil ? max(p.all, q.all) : ratio * (max(near.all, far.all) + max(near.seen, far.seen))
      changed += abs(p.all - q.all)
      shadowTotal += p.all
      let place = t.sites[n.i]
      if place >= 0, p.bound > 0 || p.signed != 0 {
        if let k = spots[place] {
          list[k].signed += p.signed
          list[k].bound += p.bound
        } else {
          spots[place] = list.count
          list.append((place, p.signed, p.bound, n))
        }
      }
    }
    f.condition = f.value == 0 ? .infinity : f.condition / abs(f.value)
    f.firstOrder = signed
    f.adjoint = 1.01 * total
    f.statistical = min(3 * squares.squareRoot(), f.adjoint)
    f.change = changed == 0 ? 0 : shadowTotal.isFinite && changed.isFinite ? changed / shadowTotal : .infinity
    for h in t.holes where s.pairs.contains(where: { $0.node == h.node }) {
      notes = h.why
      shadow = .infinity
    }
    rank(list, signed, total, t)
    return 2 * shadow + meant
  }

  private func isSummed(_ op: OpCode) -> Bool {
    guard op.isElementwise else { return false }
    switch op.elementwise {
    case .unary(let u):
      switch u {
      case .erfcx, .erfinv, .erfcinv, .normal_quantile, .log_normal_cdf, .digamma, .i0, .i1, .i0e, .i1e, .lgamma, .gamma: return true
      default: return false
      }
    case .binary(let b):
      switch b {
      case .add, .sub, .mul, .div, .fmod, .mod, .floor_divide, .pow, .maximum, .minimum, .fmax, .fmin, .atan2, .hypot, .logaddexp, .logaddexp2, .xlogy, .xlog1py: return false
      default: return true
      }
    case .ternary(let q): return q == .betainc || q == .beta_density || q == .polygamma_drop
    }
  }

  /// Operators by how much smaller the error would be without theirs.
  private func rank(_ list: [(place: Int32, signed: Double, bound: Double, node: NodeID)], _ signed: Double, _ total: Double, _ t: Unrolled) {
    let keyed = list.map { (c: $0, key: abs(signed) - abs(signed - $0.signed)) }
    let sorted = keyed.sorted { $0.key != $1.key ? $0.key > $1.key : $0.c.bound > $1.c.bound }
    contributions = sorted.prefix(top).map { k in
      var place = t.places[Int(k.c.place)], inLoop = false
      let op = place.op
      while place.outer >= 0 {
        place = t.places[Int(place.outer)]
        inLoop = true
      }
      return Contribution(node: place.node, op: op, inLoop: inLoop, error: k.c.signed, bound: k.c.bound, share: total > 0 ? k.c.bound / total : 0, condition: condition(t, k.c.node))
    }
  }

  private func condition(_ t: Unrolled, _ n: NodeID) -> Double {
    let op = t.tape.op(n)
    guard t.quad, op.isElementwise, t.tape.dtype(n).isFloat else { return .nan }
    var p: [UnsafeRawPointer?] = [nil, nil, nil], most = Double.nan
    let x = t.tape.inputs(n)
    for (i, m) in x.enumerated() { p[i] = base(m, true).map { UnsafeRawPointer($0) } }
    guard x.allSatisfy({ t.tape.dtype($0).isFloat }) else { return .nan }
    for slot in x.indices {
      let k = ck_quad_condition(Int32(op.raw), Int32(slot), p[0], p[1], p[2], t.tape.type(n).count)
      if !(k <= most) { most = k == k ? k : most }
    }
    return most
  }

  /// From what is known to what is said.
  private func settle(_ f: inout Figures, _ t: Unrolled, _ miss: Double, _ wide: Double) {
    f.estimate = miss
    f.remainder = wide
    let straight = t.turned.isEmpty && !turns(t)
    if !f.value.isFinite {
      f.bound = .infinity
      f.level = .unbounded
      if notes.isEmpty { notes = f.value != f.value ? "the result is a NaN" : f.corrected.isFinite ? "the result overflowed; without rounding it would be \(f.corrected)" : "the result is infinite" }
      return
    }
    let first = straight && f.change <= 0.25 ? f.adjoint : .infinity
    let shadow = miss == miss && wide == wide ? abs(miss) * (1 + 0x1p-40) + wide : .infinity
    if f.adjoint == 0, straight, miss == 0 {
      f.bound = 0
      f.level = .exact
    } else if shadow <= first, shadow.isFinite {
      f.bound = shadow
      f.level = .shadow
    } else if first.isFinite {
      f.bound = first
      f.level = .bound
    } else {
      f.bound = .infinity
      f.level = .unbounded
      if notes.isEmpty { notes = f.change > 0.25 ? "the weights change by more than a quarter between the rounded and the exact point" : "the exact result is not finite here" }
    }
  }
  private func turns(_ t: Unrolled) -> Bool { t.close.contains { turned(t, $0.node) } }
  private func turned(_ t: Unrolled, _ n: NodeID) -> Bool { t.values[n.i] != t.truths[n.i] }

  /// Comparisons that rounding may turn, with what the result would be.
  private func branches(_ s: Sweep, _ weights: [UnsafeRawPointer?], _ t: Unrolled, _ f: Figures) throws(Failure) {
    unstable = []
    for c in t.close {
      var other = Double.nan
      if others_[c.node] == nil, others_.count < others, let flags = t.closeFlags[c.node] {
        do { others_[c.node] = try traced(.wide, quad: t.quad, flip: c.node, flags) } catch where error.code == .memory { throw error } catch { notes = error.message }
      }
      if let (o, y) = others_[c.node] {
        let sums = Sums(t.quad)
        for (k, seed) in s.seeds.enumerated() {
          guard let w = weights[k] else { continue }
          sums.add(w.assumingMemoryBound(to: Double.self), nil, t.tape.type(seed.node), o.truths[y[seed.output].i], o)
        }
        other = sums.exact
        // The branch that the wide run takes is the exact one: then the other is the rounded one.
        if turned(t, c.node) { other = f.corrected }
      }
      var place = t.sites[c.node.i] >= 0 ? t.places[Int(t.sites[c.node.i])] : (outer: -1, node: NodeID.none, op: t.tape.op(c.node))
      let op = place.op
      while place.outer >= 0 { place = t.places[Int(place.outer)] }
      unstable.append(Unstable(node: place.node, op: op, elements: c.elements, turns: turned(t, c.node), other: other))
    }
  }

  private func dot(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ n: Int, _ quad: Bool) -> Double {
    if quad { return ck_quad_dot(a, b, n) }
    let p = a.assumingMemoryBound(to: Double.self), q = b.assumingMemoryBound(to: Double.self)
    var sum = 0.0
    for i in 0 ..< n { let k = abs(p[i] * q[i]); if k == k { sum += k } }
    return sum
  }
  private func weighed(_ w: UnsafeRawPointer, _ d: UnsafeRawPointer?, _ e: UnsafeMutablePointer<Double>, _ n: Int, _ quad: Bool) -> (signed: Double, bound: Double, squares: Double, all: Double, seen: Double) {
    if quad {
      var s = (0.0, 0.0, 0.0, 0.0, 0.0)
      withUnsafeMutableBytes(of: &s) { p in
        if let q = p.baseAddress { ck_quad_weigh(w, d, e, n, q.assumingMemoryBound(to: Double.self)) }
      }
      return (s.0, s.1, s.2, s.4, s.3)
    }
    let p = w.assumingMemoryBound(to: Double.self), q = d?.assumingMemoryBound(to: Double.self)
    var r = (signed: 0.0, bound: 0.0, squares: 0.0, all: 0.0, seen: 0.0)
    for i in 0 ..< n where p[i] != 0 && !(e[i] == 0 && (q.map { $0[i] == 0 } ?? true)) {
      let b = abs(p[i]) * e[i]
      r.all += b
      if let q {
        if q[i] == 0 { continue }
        r.signed += p[i] * q[i]
        r.seen += abs(p[i] * q[i])
      }
      r.bound += b
      r.squares += b * b
    }
    return r
  }
}

/// Weighted sums of outputs, own and wide, and their difference, in f64 with an exact head: weights are few.
private final class Sums {
  let quad: Bool
  var value = 0.0, exact = 0.0, error = 0.0
  init(_ q: Bool) { quad = q }

  func add(_ w: UnsafePointer<Double>, _ v: UnsafeMutableRawPointer?, _ type: TensorType, _ x: UnsafeMutableRawPointer?, _ t: Unrolled) {
    let pool = Pool(limit: 1 << 40), n = type.count
    guard n > 0, let x, let own = pool.take(n * 8)?.assumingMemoryBound(to: Double.self), let wide = pool.take(n * 8)?.assumingMemoryBound(to: Double.self),
          let near = pool.take(t.wide.bytes(type)), let d = pool.take(t.wide.bytes(type)), let miss = pool.take(n * 8)?.assumingMemoryBound(to: Double.self) else { return }
    func low(_ p: UnsafeRawPointer, _ to: UnsafeMutablePointer<Double>) {
      if quad { ck_quad_to(p, to, n) } else { to.update(from: p.assumingMemoryBound(to: Double.self), count: n) }
    }
    low(x, wide)
    if let v {
      t.wide.convert(type.dtype, v, type.dtype, near, n)
      low(near, own)
      if quad { ck_quad_sub(near, x, d, n) } else {
        let a = near.assumingMemoryBound(to: Double.self), b = x.assumingMemoryBound(to: Double.self), c = d.assumingMemoryBound(to: Double.self)
        for i in 0 ..< n { c[i] = a[i] == b[i] ? 0 : a[i] - b[i] }
      }
      low(d, miss)
    }
    for i in 0 ..< n where w[i] != 0 {
      exact += w[i] * wide[i]
      if v != nil {
        value += w[i] * own[i]
        error += w[i] * miss[i]
      }
    }
  }
}

func log2_(_ x: Double) -> Double {
  var a = x, r = 0.0
  ck_row_kernel(Int32(OpCode(Unary.log2).raw), DType.f64.rawValue)?(&a, nil, nil, &r, 1)
  return r
}
