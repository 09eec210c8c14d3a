import CKernels
import Glibc
package import Health
import Runtime
package import Tape

/// A method applied to a list of parameters. The update of all parameters is one program over (parameter, gradient, state, scalars),
/// written in place; penalties and clipping are nodes of it. Nothing changes at a step whose gradients are not finite.
package final class Optimizer {
  package struct Parameter { package let name: String, type: TensorType }
  package struct StateArray { package let name: String, dtype: DType, count: Int, data: UnsafeMutableRawPointer }

  private let method: any Method
  private var options: Options
  private var schedule: Schedule?
  package private(set) var parameters: [Parameter] = []
  package private(set) var state: [StateArray] = []
  package private(set) var gradientNorm = 0.0
  private var program: Program?, workspace: Workspace?
  /// The update as it was recorded: parameters, state, gradients, numbers to parameters, state.
  private var recorded: (tape: Tape, inputs: [NodeID], outputs: [NodeID])?
  private var scalars: [UnsafeMutablePointer<Double>] = []
  /// Arrays of the state that no program reads: the step, and what ZClip has seen.
  private var lead = 1
  private static let common: [(String, Double)] = [("l1", 0), ("l2", 0), ("clip_value", 0), ("clip_norm", 0), ("clip_global_norm", 0), ("agc", 0), ("zclip", 0),
                                                    ("compensate", 0), ("spectral_norm", 0)]
  /// What may change after the first step: the program is made anew, the state stays.
  private static let changeable = ["clip_value", "clip_norm", "clip_global_norm", "agc", "zclip", "compensate", "spectral_norm", "l1", "l2", "weight_decay", "epsilon"]

  package init?(_ name: String) {
    guard let m = methods.first(where: { $0.name == name }) else { return nil }
    method = m
    options = Options(m.defaults + Optimizer.common)
  }

  deinit {
    for s in state { ck_free(s.data) }
    ck_free(scalars.first)
  }

  private var isPlanned: Bool { program != nil }
  /// The host may have written any number there.
  package var steps: Int64 { max(state.first?.data.load(as: Int64.self) ?? 0, 0) }

  package func set(_ name: String, _ value: Double) -> Failure? {
    guard value.isFinite, value >= 0 else { return Failure(.invalid, "\(method.name): \(name) = \(value) is not a finite number >= 0") }
    if isPlanned, name != "learning_rate", !Optimizer.changeable.contains(name) { return Failure(.invalid, "\(method.name): \(name) cannot change after the first step or state") }
    if (name == "beta1" || name == "beta2"), value >= 1 { return Failure(.invalid, "\(method.name): \(name) = \(value) is not in [0, 1)") }
    let before = options
    guard options.set(name, value) else { return Failure(.invalid, "\(method.name): no option \"\(name)\"; it has \(options.names)") }
    if isPlanned, name != "learning_rate", before[name] != value { return replan { self.options = before } }
    return nil
  }
  package func option(_ name: String) -> Double { options[name] }
  /// Another optimizer of this method and these options, without state, for the same parameters.
  package func copy() -> Optimizer? {
    guard let o = Optimizer(method.name) else { return nil }
    o.options = options
    o.parameters = parameters
    return o
  }

  /// The program for changed options; arrays of the state keep what they hold.
  private func replan(_ undo: () -> Void) -> Failure? {
    let (p, w, old, places, first) = (program, workspace, state, scalars, lead)
    program = nil
    do throws(Failure) { try plan() } catch {
      (program, workspace, state, scalars, lead) = (p, w, old, places, first)
      undo()
      return error
    }
    for a in state {
      guard let b = old.first(where: { $0.name == a.name && $0.count == a.count && $0.dtype == a.dtype }) else { continue }
      a.data.copyMemory(from: b.data, byteCount: a.count * a.dtype.size)
    }
    for b in old { ck_free(b.data) }
    ck_free(places.first)
    return nil
  }

  package func set(_ s: Schedule?) { schedule = s }

  package func add(_ name: String, _ type: TensorType) -> Failure? {
    if isPlanned { return Failure(.invalid, "\(method.name): parameter \"\(name)\" comes after the first step or state") }
    guard type.dtype.isFloat else { return Failure(.dtype, "\(method.name): parameter \"\(name)\" is \(type.description), not a float") }
    guard !parameters.contains(where: { $0.name == name }) else { return Failure(.invalid, "\(method.name): there is a parameter \"\(name)\" already") }
    parameters.append(Parameter(name: name, type: type))
    return nil
  }

  /// Makes the state and the update program, once.
  package func plan() throws(Failure) {
    if isPlanned { return }
    guard !parameters.isEmpty else { throw Failure(.invalid, "\(method.name): no parameters were added") }
    var arrays: [StateArray] = []
    func keep(_ name: String, _ d: DType, _ n: Int) throws(Failure) {
      guard let p = ck_alloc(max(n, 1) * d.size) else {
        for a in arrays { ck_free(a.data) }
        throw Failure(.memory, "\(method.name): memory for \(name) was refused")
      }
      // Large blocks come as zeros: writing them would only use up memory that the host may not have.
      if max(n, 1) * d.size < 1 << 20 { p.initializeMemory(as: UInt8.self, repeating: 0, count: max(n, 1) * d.size) }
      arrays.append(StateArray(name: name, dtype: d, count: n, data: p))
    }
    try keep("step", .i64, 1)
    if options["zclip"] > 0 { try keep("zclip", .f64, ZClip.size) }
    let lead = arrays.count
    for p in parameters {
      for s in method.state(options) { try keep("\(p.name).\(s)", p.type.dtype.compute, p.type.count) }
      if isCompensated(p) { try keep("\(p.name).rest", p.type.dtype.compute, p.type.count) }
      if isSpectral(p) {
        let a = matrix(p.type.shape), d = p.type.dtype.compute
        try keep("\(p.name).direction", d, a.columns)
        ck_random_uniform_part(d.rawValue, 1, arrays[arrays.count - 1].data, 0, a.columns)
      }
    }
    let t = Tape()
    // Flat vectors: shapes do not matter to an update.
    let ps = parameters.map { t.input(TensorType($0.type.dtype, [$0.type.count])) }, gs = ps.map { t.input(t.type($0)) }
    let kept = arrays[lead...].map { t.input(TensorType($0.dtype, [$0.count])) }
    let numbers = (0 ..< method.scalarCount(options) + 1).map { _ in t.input(TensorType(.f64, [])) }
    let (outputs, aliases) = record(t, ps, gs, Array(kept), numbers)
    guard let places = ck_alloc(8 * numbers.count)?.bindMemory(to: Double.self, capacity: numbers.count) else {
      for a in arrays { ck_free(a.data) }
      throw Failure(.memory, "\(method.name): memory was refused")
    }
    do throws(Failure) {
      let p = try Program(t, inputs: ps + kept + gs + numbers, outputs: outputs)
      for i in 0 ..< aliases { if let f = p.alias(output: i, input: i) { throw f } }
      workspace = try Workspace(p)
      program = p
      recorded = (t, ps + kept + gs + numbers, outputs)
    } catch {
      for a in arrays { ck_free(a.data) }
      ck_free(places)
      workspace = nil
      throw error
    }
    state = arrays
    self.lead = lead
    scalars = numbers.indices.map { places + $0 }
  }

  private func record(_ t: Tape, _ ps: [NodeID], _ gs: [NodeID], _ kept: [NodeID], _ numbers: [NodeID]) -> ([NodeID], Int) {
    let per = method.state(options).count
    var params: [NodeID] = [], states: [NodeID] = [], at = 0
    for (i, p) in ps.enumerated() {
      let d = t.dtype(p).compute, own = Array(kept[at ..< at + per]), rest = isCompensated(parameters[i]) ? kept[at + per] : nil
      at += per + (rest == nil ? 0 : 1)
      let direction = isSpectral(parameters[i]) ? kept[at] : nil
      if direction != nil { at += 1 }
      // What the narrow parameter could not hold is kept beside it: together they are the parameter.
      let wide = rest.map { t.add(t.cast(p, d), $0) } ?? t.cast(p, d)
      var g = t.cast(gs[i], d)
      // The last number is the factor of clipping by global norm.
      if options["clip_global_norm"] > 0 || options["zclip"] > 0 { g = t.mul(g, t.splat(t.cast(numbers[numbers.count - 1], d), t.shape(p))) }
      if options["clip_norm"] > 0 { g = t.clipByNorm([g], options["clip_norm"])[0] }
      if options["agc"] > 0 { g = adaptive(t, g, wide, parameters[i].type.shape, options["agc"]) }
      if options["clip_value"] > 0 { g = t.clipByValue([g], options["clip_value"])[0] }
      if options["l2"] > 0 { g = t.add(g, t.scale(wide, options["l2"])) }
      if options["l1"] > 0 { g = t.add(g, t.scale(t.unary(.sign, wide), options["l1"])) }
      let s = numbers.dropLast().map { t.splat(t.cast($0, d), t.shape(p)) }
      var (q, new) = method.update(t, options, p: wide, g: g, state: own, scalars: s)
      var turned: NodeID?
      if let direction { (q, turned) = bounded(t, q, direction, parameters[i].type.shape, options["spectral_norm"]) }
      let narrow = t.contains(q) ? t.cast(q, t.dtype(p)) : .none
      params.append(narrow)
      states += new
      if rest != nil { states.append(t.sub(q, t.cast(narrow, d))) }
      if let turned { states.append(turned) }
    }
    return (params + states, params.count + states.count)
  }
  private func isCompensated(_ p: Parameter) -> Bool { options["compensate"] > 0 && p.type.dtype.isHalf }

  /// Adaptive clipping (Brock et al. 2021): the gradient of a unit is at most `limit` times as long as its weights. Units are the columns of a matrix, the
  /// first axis of a convolution's weights, and a vector as a whole.
  private func adaptive(_ t: Tape, _ g: NodeID, _ w: NodeID, _ shape: [Int], _ limit: Double) -> NodeID {
    guard t.contains(g), t.type(g).count > 0 else { return g }
    let s = shape.isEmpty ? [1] : shape, axes = s.count == 1 ? [-1] : s.count == 2 ? [-2] : Array(-(s.count - 1) ..< 0)
    let x = t.reshape(g, s), weights = t.reduce(.norm, t.reshape(w, s), axes: axes, keep: true), slope = t.reduce(.norm, x, axes: axes, keep: true)
    let most = t.scale(t.binary(.maximum, weights, t.like(weights, 1e-3)), limit)
    let factor = t.binary(.minimum, t.like(slope, 1), t.div(most, t.binary(.maximum, slope, t.like(slope, 1e-6))))
    return t.reshape(t.mul(x, t.broadcast(factor, to: s)), t.shape(g))
  }

  private func isSpectral(_ p: Parameter) -> Bool { options["spectral_norm"] > 0 && p.type.rank >= 2 && p.type.count > 0 }
  /// A convolution's weights as a matrix: units, and all that feeds one.
  private func matrix(_ shape: [Int]) -> (rows: Int, columns: Int) { (shape[0], shape.dropFirst().reduce(1, &*)) }
  /// The matrix scaled to a largest singular value of at most `limit` (Gouk et al. 2021), which one step of the power method a step follows (Miyato et al. 2018).
  private func bounded(_ t: Tape, _ q: NodeID, _ u: NodeID, _ shape: [Int], _ limit: Double) -> (NodeID, NodeID) {
    guard t.contains(q) else { return (q, .none) }
    let a = matrix(shape), w = t.reshape(q, [a.rows, a.columns]), tiny = 1e-30
    func unit(_ x: NodeID) -> (NodeID, NodeID) {
      let n = t.reduce(.norm, x, axes: [-2, -1], keep: true)
      return (t.div(x, t.broadcast(t.binary(.maximum, n, t.like(n, tiny)), to: t.shape(x))), n)
    }
    let v = unit(t.matmul(w, t.reshape(u, [a.columns, 1]))).0
    let (next, sigma) = unit(t.matmul(t.transpose(v, [1, 0]), w))
    let factor = t.binary(.minimum, t.like(sigma, 1), t.div(t.like(sigma, limit), t.binary(.maximum, sigma, t.like(sigma, tiny))))
    return (t.reshape(t.mul(w, t.broadcast(factor, to: [a.rows, a.columns])), t.shape(q)), t.reshape(next, [a.columns]))
  }

  /// Squares of f64 may leave their range, so that norm is scaled; narrower ones are summed in f64.
  private func norm(_ g: UnsafeRawPointer, _ t: TensorType) -> Double {
    guard t.dtype == .f64 else { return ck_sum_squares(t.dtype.rawValue, g, t.count).squareRoot() }
    var n = 0.0
    ck_reduce(.norm, t.dtype.rawValue, g, &n, 1, t.count, 1)
    return n
  }

  /// The numbers that step `count` reads.
  private func prepare(_ count: Int64, spike: Double) {
    let rate = options["learning_rate"] * (schedule?.value(count - 1) ?? 1), limit = options["clip_global_norm"]
    scalars.withUnsafeBufferPointer { s in
      guard let base = s.baseAddress else { return }
      method.scalars(options, step: count, rate: rate, into: base)
      s[s.count - 1].pointee = spike * (limit > 0 && gradientNorm * spike > limit ? limit / (gradientNorm * spike) : 1)
    }
  }

  /// ZClip's factor; what it has seen lies in the state.
  private func spike(_ norm: Double, kept: Bool) -> Double {
    guard options["zclip"] > 0, lead > 1 else { return 1 }
    let p = state[1].data.assumingMemoryBound(to: Double.self)
    var z = ZClip(p)
    let f = z.factor(norm, options["zclip"])
    if kept { z.save(p) }
    return f
  }

  /// The next step, looked at and not made: where a number of it would not be finite.
  package func trace(_ params: UnsafePointer<UnsafeMutableRawPointer?>, _ gradients: UnsafePointer<UnsafeRawPointer?>) throws(Failure) -> (Trace, Bool) {
    try plan()
    guard let recorded else { throw Failure(.invalid, "\(method.name): there is no update") }
    var given: [UnsafeRawPointer?] = [], joint = 0.0
    for (i, p) in parameters.enumerated() {
      guard let x = params[i], let g = gradients[i] else { throw Failure(.invalid, "\(method.name): parameter \"\(p.name)\" or its gradient is NULL") }
      given.append(UnsafeRawPointer(x))
      joint = hypot(joint, norm(g, p.type))
    }
    gradientNorm = joint
    prepare(min(steps, .max - 1) + 1, spike: spike(joint, kept: false))
    for s in state[lead...] { given.append(UnsafeRawPointer(s.data)) }
    for i in parameters.indices { given.append(gradients[i]) }
    for s in scalars { given.append(UnsafeRawPointer(s)) }
    let t = try Trace(recorded.tape, inputs: recorded.inputs, outputs: recorded.outputs)
    return (t, try t.run(given))
  }

  package func step(_ params: UnsafePointer<UnsafeMutableRawPointer?>, _ gradients: UnsafePointer<UnsafeRawPointer?>) throws(Failure) -> Code {
    try plan()
    guard let workspace else { return .invalid }
    var joint = 0.0
    for (i, p) in parameters.enumerated() {
      guard params[i] != nil, let g = gradients[i] else { throw Failure(.invalid, "\(method.name): parameter \"\(p.name)\" or its gradient is NULL") }
      // Squares of narrower numbers than f64 stay in its range: their sum is finite where all of them are.
      let own = norm(g, p.type)
      if !own.isFinite, p.type.dtype != .f64 || !ck_all_finite(p.type.dtype.rawValue, g, p.type.count) { gradientNorm = .nan; return .nonfinite }
      joint = hypot(joint, own)
    }
    gradientNorm = joint
    let count = min(steps, .max - 1) + 1
    prepare(count, spike: spike(joint, kept: true))
    let n = parameters.count, first = lead, s = state.count - first, total = 2 * n + s + scalars.count
    let code = withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: total) { inputs in
      withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: n + s) { outputs in
        for i in 0 ..< n { inputs[i] = UnsafeRawPointer(params[i]); outputs[i] = params[i]; inputs[n + s + i] = gradients[i] }
        for i in 0 ..< s { inputs[n + i] = UnsafeRawPointer(state[first + i].data); outputs[n + i] = state[first + i].data }
        for i in scalars.indices { inputs[2 * n + s + i] = UnsafeRawPointer(scalars[i]) }
        guard let a = inputs.baseAddress, let b = outputs.baseAddress else { return Code.invalid }
        return workspace.run(inputs: a, outputs: b)
      }
    }
    if code.rawValue < 0 { throw Failure(code, workspace.message) }
    state[0].data.storeBytes(of: count, as: Int64.self)
    return code
  }
}

/// Clipping of outliers of the global norm (Kumar et al. 2025, ZClip), started from the median and the median deviation of the first 25 norms, so that an
/// early spike is none; norms that are not finite never enter.
struct ZClip {
  private var first: [Double] = [], mean = 0.0, variance = 0.0
  /// How many norms were seen (up to 25), mean, variance, and those norms. The host may have written any number there.
  static let size = 28
  init(_ p: UnsafePointer<Double>) {
    let n = p[0] >= 0 && p[0] <= 25 ? Int(p[0]) : 0
    first = (0 ..< n).map { p[3 + $0] }
    if p[1] > 0, p[1].isFinite, p[2] >= 0, p[2].isFinite { (mean, variance) = (p[1], p[2]) } else if n == 25 { first = [] }
  }
  func save(_ p: UnsafeMutablePointer<Double>) {
    (p[0], p[1], p[2]) = (Double(first.count), mean, variance)
    for (i, v) in first.enumerated() { p[3 + i] = v }
  }

  mutating func factor(_ g: Double, _ limit: Double) -> Double {
    guard g.isFinite, g > 0 else { return 1 }
    if first.count < 25 {
      first.append(g)
      if first.count == 25 {
        let s = first.sorted()
        mean = s[12]
        let d = s.map { abs($0 - mean) }.sorted()[12] * 1.4826
        variance = d * d
      }
      return 1
    }
    let deviation = variance.squareRoot(), z = (g - mean) / (deviation + 1e-6 * mean)
    let kept = z > limit ? min(mean + limit * limit * (deviation + 1e-6 * mean) / z, g) : g
    mean = 0.97 * mean + 0.03 * kept
    variance = 0.97 * variance + 0.03 * (kept - mean) * (kept - mean)
    return kept / g
  }
}
