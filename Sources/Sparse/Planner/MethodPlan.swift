import CKernels
package import Runtime
package import Tape

/// Ways to compute a Jacobian or Hessian.
package enum PlanMethod: Int32, CaseIterable, Sendable {
  case forward, reverse, compressedForward, compressedReverse, starBicolouring, acyclicBicolouring, star, acyclic, accumulate, elimination, stagewise, finiteDifferences, edgePushing, preaccumulate
  package var name: String {
    switch self {
    case .forward: "forward"
    case .reverse: "reverse"
    case .compressedForward: "compressed_forward"
    case .compressedReverse: "compressed_reverse"
    case .starBicolouring: "star_bicoloring"
    case .acyclicBicolouring: "acyclic_bicoloring"
    case .star: "star"
    case .acyclic: "acyclic"
    case .accumulate: "accumulate"
    case .elimination: "elimination"
    case .stagewise: "stagewise"
    case .finiteDifferences: "finite_differences"
    case .edgePushing: "edge_pushing"
    case .preaccumulate: "preaccumulate"
    }
  }
}

/// What a method takes.
package struct PlanEntry: Sendable {
  package var method: PlanMethod
  /// Why it does not apply; empty where it does.
  package var reason = ""
  package var flops = 0.0, bytes = 0.0
  package var colours = 0, passes = 0
  /// Bytes at once: estimated, exact where the method was tasted.
  package var memory = 0.0
  /// Nanoseconds of an evaluation; measured: 0 where it was not tasted.
  package var predicted = 0.0, measured = 0.0
  /// A bound on the relative rounding error, as far as nothing cancels.
  package var error = 0.0
  package var applies: Bool { reason.isEmpty }
  /// Its nodes were made and counted; else its counts alone, or bounds of them, left it behind.
  package var made = false
  init(_ m: PlanMethod) { method = m }

  /// Counted by what an elimination takes.
  mutating func count(_ c: EliminationCost, machine: Calibration) {
    flops = Double(c.products + c.sums)
    passes = 1
    predicted = machine.call + flops * machine.scalar * 1.25
  }
}

/// The table of all methods for one derivative, and the choice among them.
package final class MethodPlan {
  package enum Kind: Int32, Sendable { case jacobian, hessian, sparseJacobian, sparseHessian }
  package let kind: Kind
  package private(set) var entries: [PlanEntry] = []
  package private(set) var chosen: PlanMethod?
  /// How it was chosen: by the prediction alone, by runs at the host's point, by an earlier verdict.
  package enum Ground: String, Sendable { case predicted, tasted, remembered, accurate }
  package private(set) var ground = Ground.predicted
  /// Time of tasting, in evaluations of the method chosen.
  package private(set) var spent = 0.0
  /// Nanoseconds that planning took: making and counting the methods' nodes, compiling those that are near, their runs (first ones included).
  package private(set) var took = (counting: 0.0, compiling: 0.0, running: 0.0)
  package var taste = true, accurate = false
  /// Evaluations that the host expects: planning takes a tenth of their predicted time, as far as it can stop. 0: planning goes to its end.
  package var evaluations = 0.0
  /// Bounds of rounding errors at the point instead of counted roundings, by who knows them: of outputs on a tape, at inputs' values, relative to the largest.
  package typealias Weigher = (_ t: Tape, _ inputs: [NodeID], _ outputs: [NodeID], _ point: [UnsafeRawPointer?]) -> Double?
  package var weigh: Weigher?
  package var rounding = false

  /// A copy of the function: its nodes are this plan's. Of a function with a verdict it is made when it is asked for, from `source`.
  let tape = Tape()
  private(set) var outputs: [NodeID] = [], variables: [NodeID] = [], data: [NodeID] = []
  private var source: (tape: Tape, outputs: [NodeID], variables: [NodeID], data: [NodeID])?
  private let bytes: [Int]
  package let rowCount: Int, columnCount: Int
  package let hash: UInt64
  var isSparse: Bool { kind == .sparseJacobian || kind == .sparseHessian }
  var isHessian: Bool { kind == .hessian || kind == .sparseHessian }
  private var lanes = 0
  /// The matrix's entries, once a method has found them.
  var pattern: Pattern?
  /// Operations that an elimination may take to be worth its nodes.
  var most = Int.max
  private var nodes = 0, loops = false
  /// When planning began, and what the best method found takes, by prediction.
  private var begun = 0.0, least = Double.infinity
  /// Up to which prediction a method is tasted: predictions are good to a factor of two or so, and half a microsecond is what calls differ by.
  private func near(_ least: Double) -> Double { MethodPlan.window * least + 500 }
  private static let window = 2.5
  private var isSpent: Bool { evaluations > 0 && Calibration.now() - begun > 0.1 * evaluations * least }
  /// Methods' nodes by entry, until they are tasted.
  private var ready: [Int: Made] = [:]

  package init(_ t: Tape, _ kind: Kind, _ y: [NodeID], _ x: [NodeID], _ d: [NodeID]) throws(Failure) {
    self.kind = kind
    if let f = t.failure { throw f }
    guard t.jacobianArguments(y, x, "plan") else { throw t.failure ?? Failure(.invalid, "plan") }
    guard !y.isEmpty, !x.isEmpty else { throw Failure(.invalid, "plan: there are no \(y.isEmpty ? "outputs" : "variables")") }
    for (i, n) in (x + d).enumerated() where !t.contains(n) || t.structural(n) != .input {
      throw Failure(.invalid, "plan: \(i < x.count ? "variable \(i)" : "data \(i - x.count)") is not an input of the tape")
    }
    guard Set(x + d).count == x.count + d.count else { throw Failure(.invalid, "plan: an input is given twice") }
    let hessian = kind == .hessian || kind == .sparseHessian
    if hessian, y.count != 1 || !t.shape(y[0]).isEmpty { throw Failure(.shape, "plan: a Hessian is of one scalar, not of \(y.count == 1 ? t.type(y[0]).description : "\(y.count) outputs")") }
    guard let h = t.fingerprint(x + d, y) else { throw t.failure ?? Failure(.invalid, "plan") }
    hash = (h ^ UInt64(kind.rawValue + 1)) &* 0x9E37_79B9_7F4A_7C15
    bytes = (x + d).map { t.type($0).bytes }
    columnCount = x.reduce(0) { $0 + t.type($1).count }
    rowCount = hessian ? columnCount : y.reduce(0) { $0 + t.type($1).count }
    source = (t, y, x, d)
    if PlanMemory.verdict(hash) == nil { try copy() }
  }

  /// The function's nodes on this plan's tape.
  private func copy() throws(Failure) {
    guard let (t, y, x, d) = source else { return }
    if let f = t.failure { throw f }
    let stand = (x + d).map { tape.input(t.type($0)) }
    outputs = tape.simplify(tape.copy(Body(tape: t, inputs: x + d, outputs: y), stand))
    variables = Array(stand[..<x.count])
    data = Array(stand[x.count...])
    if let f = tape.failure { throw f }
    source = nil
  }

  package func inputBytes(_ i: Int) -> Int { bytes[i] }

  // MARK: candidates

  /// What computes a method: nodes, and how many passes they make.
  struct Made {
    var tape: Tape, inputs: [NodeID], outputs: [NodeID]
    var colours = 0, passes = 0
    var sparse: SparseMatrix?
    /// Operations beside the program's.
    var extra = 0.0
    var amplification = 1.0
  }

  /// On a tape of its own: what a method leaves on one, others do not see, and what one cannot do does not fail others.
  func copied() -> (tape: Tape, y: [NodeID], x: [NodeID], d: [NodeID])? {
    let own = Tape(), stand = (variables + data).map { own.input(tape.type($0)) }
    let y = own.copy(Body(tape: tape, inputs: variables + data, outputs: outputs), stand)
    return own.failure == nil ? (own, y, Array(stand[..<variables.count]), Array(stand[variables.count...])) : nil
  }

  var methods: [PlanMethod] {
    switch kind {
    case .jacobian: [.forward, .reverse, .compressedForward, .compressedReverse, .starBicolouring, .elimination, .stagewise, .preaccumulate, .finiteDifferences]
    case .hessian: [.forward, .reverse, .star, .elimination, .edgePushing, .preaccumulate, .finiteDifferences]
    case .sparseJacobian: [.compressedForward, .compressedReverse, .starBicolouring, .acyclicBicolouring, .accumulate, .elimination, .finiteDifferences]
    case .sparseHessian: [.compressedForward, .star, .acyclic, .accumulate, .elimination, .edgePushing, .finiteDifferences]
    }
  }

  /// Why a method does not apply, as far as its nodes need not be made for that.
  private func excluded(_ m: PlanMethod) -> String? {
    switch m {
    case .forward, .reverse, .stagewise, .preaccumulate:
      if Double(rowCount) * Double(columnCount) > 64e6 { return "a dense matrix of \(rowCount) x \(columnCount)" }
      return m == .preaccumulate && !loops ? "there is no loop or branch whose body could have its local Jacobian" : nil
    case .elimination, .edgePushing:
      if loops { return "there are loops or branches, whose bodies it does not enter" }
      return nodes > 4096 ? "more than 4096 scalars are computed" : nil
    default: return nil
    }
  }

  /// The method's nodes; or why there are none.
  private func make(_ m: PlanMethod, _ e: inout PlanEntry) -> Made? {
    if let why = excluded(m) { e.reason = why; return nil }
    if m == .edgePushing, let other = entries.first(where: { $0.method == .elimination }), other.applies, !other.made {
      // Elimination of the gradient's graph was left behind by its count; symmetry halves that at the most.
      (e.flops, e.passes, e.predicted) = (other.flops / 2, 1, other.predicted / 2)
      return nil
    }
    switch m {
    case .forward, .reverse, .stagewise, .preaccumulate, .finiteDifferences: break
    case .elimination where !isSparse: break
    default: return sparse(m, &e)
    }
    guard let (t, y, x, d) = copied() else { e.reason = "memory was refused"; return nil }
    func refused() -> Made? {
      e.reason = t.failure?.message ?? "does not apply"
      return nil
    }
    let function = isHessian ? t.grad(y[0], x) : y
    guard t.failure == nil else { return refused() }
    switch m {
    case .forward, .reverse:
      let b = t.jacobian(function, x, mode: m == .forward ? .forward : .reverse, name: "plan")
      return t.failure == nil ? Made(tape: t, inputs: x + d, outputs: t.simplify(b), colours: m == .forward ? columnCount : rowCount, passes: m == .forward ? columnCount : rowCount) : refused()
    case .stagewise:
      guard nodes <= 100_000, let s = Stages(t, function, x), s.count > 1 else { e.reason = "no place where fewer values cross makes a stage worth its product"; return nil }
      let b = s.blocks(t, function, x, name: "plan")
      return t.failure == nil ? Made(tape: t, inputs: x + d, outputs: t.simplify(b), passes: s.count) : refused()
    case .preaccumulate:
      let local = t.preaccumulate(function, x), b = t.jacobian(local, x, mode: .auto, name: "plan")
      return t.failure == nil ? Made(tape: t, inputs: x + d, outputs: t.simplify(b), passes: min(rowCount, columnCount)) : refused()
    case .elimination:
      guard let found = t.eliminate(function, x, .best, anneal: false, most: most, name: "plan") else { return refused() }
      if found.exceeds {
        e.count(found.cost, machine: Calibration.shared)
        return nil
      }
      if pattern == nil {
        let p = Pattern(rowCount: found.rowCount, columnCount: found.columnCount, rows: found.rows, columns: found.columns)
        pattern = isHessian ? p.symmetrised : p
      }
      let b = t.blocks(found, function, x, "plan")
      return t.failure == nil ? Made(tape: t, inputs: x + d, outputs: t.simplify(b), passes: 1) : refused()
    default: return Made(tape: t, inputs: x + d, outputs: t.simplify(function), colours: differences, passes: differences + 1)
    }
  }
  /// Calls of the function beside the one at the point that its differences take: one for each column, or colour of columns.
  private var differences: Int { lanes > 0 ? min(lanes, columnCount) : columnCount }

  private func analyse(_ point: [UnsafeRawPointer?]? = nil) {
    guard entries.isEmpty else { return }
    do throws(Failure) { try copy() } catch { return }
    let machine = Calibration.shared, begin = Calibration.now()
    defer { took.counting += Calibration.now() - begin }
    (begun, nodes, loops, least) = (begin, 0, false, .infinity)
    if let o = tape.order(outputs) {
      for k in 0 ..< o.count {
        let s = tape.structural(o[k])
        if s == .scan || s == .whileLoop || s == .cond { loops = true }
      }
      for k in 0 ..< o.count where tape.arity(o[k]) > 0 { nodes += tape.isTuple(o[k]) ? 1 : tape.type(o[k]).count }
    }
    let unit = tape.dtype(outputs[0]) == .f64 ? 0x1p-53 : tape.dtype(outputs[0]) == .f32 ? 0x1p-24 : 0x1p-11
    var own = Work(tape, outputs)
    if isHessian, let (t, y, x, _) = copied() { own = Work(t, t.simplify(t.grad(y[0], x))) }
    let order = order(own.products), weighs = accurate || rounding, first = bound(order[0], own, machine).1
    least = max(first, machine.predicted(own))
    // Not even one method pays for being counted: then the first, where it applies for certain.
    let hasty = !accurate && !isSparse && tape.rules.isEmpty && isSpent
    if !hasty { least = .infinity }
    // An elimination that goes first is as good as the bounds of dense ways let hope.
    most = accurate || isSparse ? .max : Int(min((20 * min(bound(.forward, own, machine).1, 2 * bound(.reverse, own, machine).1) + 4000) / machine.scalar, 1e15))
    for m in order {
      var e = PlanEntry(m)
      if !accurate, hasty || least.isFinite {
        most = Int(min(near(least) / machine.scalar, 1e15))
        let (passes, bound) = self.bound(m, own, machine)
        // What its passes take at the least is too much already, or nothing is left to look closer.
        if bound > near(least) || isSpent {
          e.flops = own.flops * Double(passes)
          e.bytes = own.bytes * Double(passes)
          (e.colours, e.passes, e.predicted, e.memory, e.error) = (passes, passes, max(bound, m == order[0] ? least : 0, machine.predicted(own)), own.live, unit * max(own.roundings, 1))
          if m == .finiteDifferences { e.error = 2 * unit.squareRoot() }
          if m == .compressedForward || m == .star { lanes = passes }
          entries.append(e)
          continue
        }
      }
      if m == .finiteDifferences, !weighs {
        // For comparison only: forward differences, a call of the function for each column (colour) and one more. The best step leaves half the digits.
        let calls = Double(differences + 1)
        (e.flops, e.bytes, e.memory, e.error) = (calls * own.flops, calls * own.bytes, own.live, 2 * unit.squareRoot())
        (e.colours, e.passes, e.predicted, e.made) = (differences, differences + 1, machine.predicted(own.repeated(calls)), true)
      } else if let made = make(m, &e) {
        var w = Work(made.tape, made.outputs)
        // Substitution adds up rounding along its trees.
        e.error = unit * max(w.roundings, 1) * made.amplification
        if weighs, let weigh, let point, let at = weigh(made.tape, made.inputs, made.outputs, point) { e.error = max(at, unit) * made.amplification }
        if m == .finiteDifferences {
          w = w.repeated(Double(made.passes))
          e.error = 2 * max(e.error, unit).squareRoot()
        }
        e.flops = w.flops + made.extra
        e.bytes = w.bytes + 8 * made.extra
        e.colours = made.colours
        e.passes = made.passes
        e.memory = w.live
        e.predicted = machine.predicted(w) + made.extra * machine.flop * 2
        if m != .finiteDifferences {
          least = min(least, e.predicted)
          if taste, !accurate { ready[entries.count] = made }
        }
        e.made = true
        if m == .compressedForward || m == .star { lanes = made.colours }
      } else if e.applies {
        e.error = unit * max(own.roundings, 1)
      }
      entries.append(e)
    }
  }

  /// The likely one first: what it takes spares others. Differences use the colours that compression finds.
  private func order(_ weight: Double) -> [PlanMethod] {
    var early: [PlanMethod] = []
    if isSparse { early = [.accumulate] } else if !loops, nodes <= 600, nodes + rowCount + columnCount <= 2000, weight <= 2000 { early = [.elimination] }
    if !isSparse { early += rowCount < columnCount ? [.reverse, .forward] : [.forward, .reverse] }
    early += [.compressedForward, .compressedReverse, .star]
    return early.filter(methods.contains) + methods.filter { !early.contains($0) }
  }

  /// Passes of a method at the least, and what they take: an operation of an array for each element that the function computes.
  private func bound(_ m: PlanMethod, _ own: Work, _ machine: Calibration) -> (Int, Double) {
    let passes: Int
    switch m {
    case .forward: passes = columnCount
    case .reverse: passes = rowCount
    case .compressedForward: passes = pattern?.longestRow ?? 1
    case .compressedReverse: passes = pattern?.transposed.longestRow ?? 1
    case .star, .acyclic, .starBicolouring, .acyclicBicolouring: passes = 2
    default: return (1, 0)
    }
    return (passes, machine.call + Double(passes) * (own.bytes / 24 * machine.flop + own.scalars * machine.scalar))
  }

  // MARK: choice

  private func best(of key: (PlanEntry) -> Double) -> Double? {
    var found: Double?
    for e in entries where e.applies && e.made && e.method != .finiteDifferences { found = min(found ?? .infinity, key(e)) }
    return found
  }
  private var best: PlanMethod? {
    var found: PlanEntry?
    for e in entries where e.applies && (e.made || found == nil) && e.method != .finiteDifferences {
      guard let f = found, f.made else { found = e; continue }
      if accurate ? (e.error, e.predicted) < (f.error, f.predicted) : e.predicted < f.predicted { found = e }
    }
    return found?.method
  }

  /// Chooses: by prediction, then, where methods are near each other, by running them at the point.
  package func run(point: [UnsafeRawPointer?]?) throws(Failure) {
    chosen = nil
    spent = 0
    took = (0, 0, 0)
    if !accurate, !rounding, taste, point != nil, let m = PlanMemory.verdict(hash), methods.contains(m) {
      (chosen, ground) = (m, .remembered)
      return
    }
    if accurate || rounding || evaluations > 0 { entries = [] }
    try copy()
    analyse(point)
    guard let first = best else {
      let why = entries.first { !$0.applies }?.reason ?? "there is none"
      throw Failure(.invalid, "plan: no method applies: \(why)")
    }
    (chosen, ground) = (first, accurate ? .accurate : .predicted)
    defer { ready = [:] }
    if !accurate, taste, let point, !isSpent { try tasted(point) }
  }

  /// Interleaved runs; what is clearly slower drops out; medians decide.
  private func tasted(_ point: [UnsafeRawPointer?]) throws(Failure) {
    var least = Double.infinity
    for e in entries where e.applies && e.made && e.method != .finiteDifferences { least = min(least, e.predicted) }
    let candidates = entries.indices.filter { entries[$0].applies && entries[$0].made && entries[$0].method != .finiteDifferences && entries[$0].predicted <= near(least) }
      .sorted { entries[$0].predicted < entries[$1].predicted }.prefix(5)
    guard candidates.count > 1 else {
      PlanMemory.keep(hash, entries[candidates[0]].method)
      return
    }
    let begin = Calibration.now()
    var runners: [(entry: Int, runner: Taster, times: [Double])] = []
    for i in candidates {
      var e = PlanEntry(entries[i].method)
      guard let made = ready[i] ?? make(entries[i].method, &e), let r = Taster(made, point) else { continue }
      entries[i].memory = Double(r.memory)
      runners.append((i, r, []))
    }
    let compiled = Calibration.now()
    took.compiling += compiled - begin
    defer { took.running += Calibration.now() - compiled }
    guard !runners.isEmpty else { return }
    var total = 0.0
    // The first run loads code and memory: it says nothing.
    var cold = 0.0
    for k in runners.indices { cold += runners[k].runner.run() ?? 0 }
    func median(_ v: [Double]) -> Double {
      let s = v.sorted()
      return s.isEmpty ? .infinity : s[s.count / 2]
    }
    var left = Array(runners.indices), fastest = Double.infinity
    for round in 0 ..< 200 where left.count > 1 || round < 1 {
      for k in left {
        guard let t = runners[k].runner.run() else { left.removeAll { $0 == k }; continue }
        runners[k].times.append(t)
        total += t
      }
      fastest = left.map { median(runners[$0].times) }.min() ?? fastest
      left = left.filter { median(runners[$0].times) <= fastest * (round < 4 ? 1.8 : 1.15) }
      // No more than ten evaluations of the one chosen; of short ones as many as make 60 us, or the clock would choose.
      if round >= 1, total + Double(left.count) * fastest > max(10 * fastest, 60_000) || isSpent { break }
    }
    var winner: (Int, Double)?
    for r in runners {
      let m = median(r.times)
      if m.isFinite { entries[r.entry].measured = m }
      if m.isFinite, winner.map({ m < $0.1 }) ?? true { winner = (r.entry, m) }
    }
    guard let (i, time) = winner else { return }
    (chosen, ground) = (entries[i].method, .tasted)
    spent = (total + cold) / max(time, 1)
    PlanMemory.keep(hash, entries[i].method)
  }

  /// The table, made now where a remembered verdict spared it.
  package var table: [PlanEntry] {
    analyse()
    return entries
  }
}
