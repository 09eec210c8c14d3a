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
    /// More than one where only together they are to blame; the largest first.
    package let members: [Member]
  }
  package struct Member { package let node: NodeID, op: OpCode, error: Double, label: Label? }
  package struct Unstable {
    package let node: NodeID, op: OpCode, elements: Int, turns: Bool, label: Label?
    package let other: Double
  }

  let source: Tape, inputs: [NodeID], outputs: [NodeID]
  var memoryLimit = 4 << 30, nodeLimit = 1 << 24, wideQuad: Bool?, top = 16, others = 8, reading = 1
  var trace: Unrolled?
  var roots: [NodeID] = [], leaves: [NodeID] = []
  var truth: Unrolled?, truthRoots: [NodeID] = []
  var others_: [NodeID: (Unrolled, [NodeID])] = [:]
  /// Local errors by node: known (wide, value - exact) and bounds (f64).
  var deltas: [UnsafeMutableRawPointer?] = [], bounds: [UnsafeMutablePointer<Double>?] = []
  var nearly: [UnsafeMutableRawPointer?] = []
  var sweeps: [Int: Sweep] = [:]
  var data: [UnsafeRawPointer?] = []
  var copies: Pool?
  package internal(set) var figures = Figures(), contributions: [Contribution] = [], unstable: [Unstable] = [], notes = ""
  package var inputTypes: [TensorType] { inputs.map { source.type($0) } }
  package var outputTypes: [TensorType] { outputs.map { source.type($0) } }
  package var nodeCount: Int { trace?.tape.count ?? 0 }

  /// The adjoints of one output, or of all (-1), as nodes of the trace.
  struct Sweep {
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

  func forget() {
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
  func hasDouble() -> Bool {
    guard let order = source.order(outputs) else { return true }
    for k in 0 ..< order.count where source.record(order[k]).type >= 0 && source.dtype(order[k]) == .f64 { return true }
    return false
  }

  func traced(_ d: Unrolled.Driver, quad: Bool, flip: NodeID? = nil, _ flags: UnsafePointer<UInt8>? = nil) throws(Failure) -> (Unrolled, [NodeID]) {
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
  func locals(_ t: Unrolled) throws(Failure) {
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
          unhide(t, n, low, v.assumingMemoryBound(to: Double.self), e, d)
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

  func isExact(_ t: Tape, _ n: NodeID) -> Bool {
    let op = t.op(n)
    if op.isElementwise { return roundoffs(op) == 0 }
    switch op.structural {
    case .reshape, .broadcast, .transpose, .slice, .pad, .concat, .roll, .gather, .dynamicSlice, .dynamicUpdate, .scatterSet, .sort, .max, .min, .cummax, .cummin, .segmentMax, .segmentMin, .random: return true
    default: return false
    }
  }

  func isZero(_ d: UnsafeRawPointer, _ n: Int, _ quad: Bool) -> Bool {
    for i in 0 ..< n * (quad ? 2 : 1) where d.load(fromByteOffset: i * 8, as: UInt64.self) << (quad && i % 2 == 0 ? 0 : 1) != 0 { return false }
    return true
  }
  func difference(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ out: UnsafeMutableRawPointer, _ n: Int, _ quad: Bool) {
    if quad { ck_quad_sub(a, b, out, n); return }
    let p = a.assumingMemoryBound(to: Double.self), q = b.assumingMemoryBound(to: Double.self), r = out.assumingMemoryBound(to: Double.self)
    for i in 0 ..< n { r[i] = p[i] == q[i] ? 0 : p[i] - q[i] }
  }

  // MARK: sweeps

  func sweep(_ output: Int, constants: Bool = true) throws(Failure) -> Sweep {
    if let s = sweeps[output] { return s }
    guard let t = trace else { throw Failure(.invalid, "rounding: nothing was run yet") }
    let tape = t.tape, chosen = output < 0 ? Array(outputs.indices) : [output]
    let seeds = chosen.map { (output: $0, node: tape.input(tape.type(roots[$0]))) }
    var pairs: [(node: NodeID, weight: NodeID)] = [], why: String?
    let leaves = constants ? self.leaves : self.leaves.filter { t.uncertain[$0] == nil }
    let cut = Set(leaves), between = bounds.indices.filter { bounds[$0] != nil }.map { NodeID($0) }.filter { !cut.contains($0) }
    let back = tape.reverse(seeds.map { (roots[$0.output], Masked($0.node)) }, wrt: leaves, watched: between)
    if let f = tape.failure {
      tape.failure = nil
      if f.code == .memory { throw f }
      // An operator may lack the derivative in an operand that is a constant.
      if constants, f.code == .derivative, leaves.contains(where: { t.uncertain[$0] != nil }) { return try sweep(output, constants: false) }
      why = f.message
      pairs = []
    } else {
      for (n, g) in zip(leaves + between, back) { if let g { pairs.append((n, g.value)) } }
    }
    pairs = pairs.filter { $0.node.i < bounds.count }
    var order: [NodeID] = []
    if let o = tape.order(pairs.map(\.weight), from: Int32(bounds.count)) { order = (0 ..< o.count).map { o[$0] } } else {
      tape.failure = nil
      throw Failure(.memory, "rounding: memory was refused")
    }
    let s = Sweep(seeds: seeds, pairs: pairs, order: order, why: why)
    sweeps[output] = s
    return s
  }

  /// Evaluates the adjoint nodes over own or wide values: by node, from the first that is no node of the trace.
  func adjoints(_ s: Sweep, _ weights: [UnsafeRawPointer?], atOwn: Bool, _ pool: Pool) throws(Failure) -> [UnsafeMutableRawPointer?] {
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
  func base(_ n: NodeID, _ atOwn: Bool) -> UnsafeMutableRawPointer? {
    guard let t = trace else { return nil }
    if !atOwn { return t.truths[n.i] }
    if nearly[n.i] == nil { nearly[n.i] = t.widened(n, t.keep) }
    return nearly[n.i]
  }
}
