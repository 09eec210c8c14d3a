import CKernels
import Glibc
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
  private var scalars: [UnsafeMutablePointer<Double>] = []
  private static let common: [(String, Double)] = [("l1", 0), ("l2", 0), ("clip_value", 0), ("clip_norm", 0), ("clip_global_norm", 0)]

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
    if isPlanned, name != "learning_rate" { return Failure(.invalid, "\(method.name): \(name) cannot change after the first step or state") }
    if (name == "beta1" || name == "beta2"), value >= 1 { return Failure(.invalid, "\(method.name): \(name) = \(value) is not in [0, 1)") }
    return options.set(name, value) ? nil : Failure(.invalid, "\(method.name): no option \"\(name)\"; it has \(options.names)")
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
    for p in parameters { for s in method.state(options) { try keep("\(p.name).\(s)", p.type.dtype.compute, p.type.count) } }
    let t = Tape()
    // Flat vectors: shapes do not matter to an update.
    let ps = parameters.map { t.input(TensorType($0.type.dtype, [$0.type.count])) }, gs = ps.map { t.input(t.type($0)) }
    let kept = arrays.dropFirst().map { t.input(TensorType($0.dtype, [$0.count])) }
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
    } catch {
      for a in arrays { ck_free(a.data) }
      ck_free(places)
      workspace = nil
      throw error
    }
    state = arrays
    scalars = numbers.indices.map { places + $0 }
  }

  private func record(_ t: Tape, _ ps: [NodeID], _ gs: [NodeID], _ kept: [NodeID], _ numbers: [NodeID]) -> ([NodeID], Int) {
    let per = method.state(options).count
    var params: [NodeID] = [], states: [NodeID] = []
    for (i, p) in ps.enumerated() {
      let d = t.dtype(p).compute, wide = t.cast(p, d)
      var g = t.cast(gs[i], d)
      // The last number is the factor of clipping by global norm.
      if options["clip_global_norm"] > 0 { g = t.mul(g, t.splat(t.cast(numbers[numbers.count - 1], d), t.shape(p))) }
      if options["clip_norm"] > 0 { g = t.clipByNorm([g], options["clip_norm"])[0] }
      if options["clip_value"] > 0 { g = t.clipByValue([g], options["clip_value"])[0] }
      if options["l2"] > 0 { g = t.add(g, t.scale(wide, options["l2"])) }
      if options["l1"] > 0 { g = t.add(g, t.scale(t.unary(.sign, wide), options["l1"])) }
      let s = numbers.dropLast().map { t.splat(t.cast($0, d), t.shape(p)) }
      let (q, new) = method.update(t, options, p: wide, g: g, state: Array(kept[i * per ..< (i + 1) * per]), scalars: s)
      params.append(t.contains(q) ? t.cast(q, t.dtype(p)) : .none)
      states += new
    }
    return (params + states, params.count + states.count)
  }

  /// Squares of f64 may leave their range, so that norm is scaled; narrower ones are summed in f64.
  private func norm(_ g: UnsafeRawPointer, _ t: TensorType) -> Double {
    guard t.dtype == .f64 else { return ck_sum_squares(t.dtype.rawValue, g, t.count).squareRoot() }
    var n = 0.0
    ck_reduce(.norm, t.dtype.rawValue, g, &n, 1, t.count, 1)
    return n
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
    let count = min(steps, .max - 1) + 1, rate = options["learning_rate"] * (schedule?.value(count - 1) ?? 1)
    let limit = options["clip_global_norm"]
    scalars.withUnsafeBufferPointer { s in
      guard let base = s.baseAddress else { return }
      method.scalars(options, step: count, rate: rate, into: base)
      s[s.count - 1].pointee = limit > 0 && gradientNorm > limit ? limit / gradientNorm : 1
    }
    let n = parameters.count, s = state.count - 1, total = 2 * n + s + scalars.count
    let code = withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: total) { inputs in
      withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: n + s) { outputs in
        for i in 0 ..< n { inputs[i] = UnsafeRawPointer(params[i]); outputs[i] = params[i]; inputs[n + s + i] = gradients[i] }
        for i in 0 ..< s { inputs[n + i] = UnsafeRawPointer(state[i + 1].data); outputs[n + i] = state[i + 1].data }
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
