import Clinic
import Health
import Optimize
import Tape

/// One row of a diagnosis: what was found, where, with which numbers, and what to do.
public struct Finding: Sendable {
  public enum Severity: Int, Sendable { case note = 1, warning, error }
  public let kind: String, severity: Severity, place: String, step: Int, confidence: Double, evidence: String
  public let numbers: [(name: String, value: Double)]
  public let remedy: String, advice: String

  init(_ f: Health.Finding) {
    (kind, place, step, confidence, evidence, numbers, remedy, advice) = (f.kind, f.place, f.step, f.confidence, f.evidence, f.numbers, f.remedy, f.advice)
    severity = Severity(rawValue: f.severity.rawValue) ?? .note
  }
}

/// The loss and its gradients, with statistics of layers, parameters and updates; options, statistics and remedies stand in camber_health.h.
public final class Flow {
  let core: Health.Flow
  private let tape: Tape
  public init(_ tape: Tape, loss: Node, parameters: [Node], data: [Node] = [], options: KeyValuePairs<String, Double> = [:]) throws {
    try tape.check()
    self.tape = tape
    core = try translated { try Health.Flow(tape.core, tape.id(loss), params: parameters.map(tape.id), data: data.map(tape.id)) }
    for (name, value) in options { try set(name, value) }
  }
  private func raise(_ f: Failure?) throws { if let f { throw CamberError(f) } }
  public func set(_ option: String, _ value: Double) throws { try raise(core.set(option, value)) }
  /// Names a layer by its result; with `steps`, each index of its first axis is a level: a time step.
  public func layer(_ name: String, _ node: Node, steps: Bool = false) throws { try raise(core.add(name, tape.id(node), steps: steps)) }
  public func name(_ parameter: Int, _ name: String) throws { try raise(core.name(parameter, name)) }

  /// False where the loss or a gradient is not finite; all is written.
  @discardableResult
  public func run(_ parameters: [UnsafeRawPointer?], data: [UnsafeRawPointer?] = [], loss: UnsafeMutableRawPointer? = nil, gradients: [UnsafeMutableRawPointer?] = []) throws -> Bool {
    guard parameters.count == core.parameterCount, data.count == core.dataCount, gradients.isEmpty || gradients.count == parameters.count else {
      throw CamberError(Failure(.invalid, "flow: \(parameters.count) parameters, \(data.count) data and \(gradients.count) gradients for \(core.parameterCount) and \(core.dataCount)"))
    }
    return try translated {
      try parameters.withUnsafeBufferPointer { p in
        try data.withUnsafeBufferPointer { d in
          try gradients.withUnsafeBufferPointer { g in
            guard let a = p.baseAddress else { return true }
            return try core.run(params: a, data: d.baseAddress, loss: loss, gradients: gradients.isEmpty ? nil : g.baseAddress) == .ok
          }
        }
      }
    }
  }
  /// Gravest first.
  public var findings: [Finding] { core.findings().map { Finding($0) } }
  public var levels: [String] { (0 ..< core.levelCount).map { core.level($0) } }
  public func statistic(_ name: String) -> [Double]? { core.statistic(name) }
  public var slope: Double { core.slope }
  public var lossScale: Double { core.scale }

  /// Re-runs: training steps on copies of parameters and optimizer, through the batches that were seen; what is then found. See camber_flow_verify.
  public func verify(_ parameters: [UnsafeMutableRawPointer?], data: [UnsafeRawPointer?] = [], optimizer: Optimizer? = nil, steps: Int = 24) throws -> [Finding] {
    try translated {
      guard parameters.count == core.parameterCount, parameters.allSatisfy({ $0 != nil }), core.batchCount > 0 || data.count == core.dataCount, steps >= 1 else {
        throw Failure(.invalid, "verify: \(parameters.count) parameters and \(data.count) data for \(core.parameterCount) and \(core.dataCount), or one is nil, or \(steps) steps")
      }
      if let o = optimizer?.core, o.parameters.map(\.type) != (0 ..< core.parameterCount).map({ core.parameterType($0) }) { throw Failure(.shape, "verify: the optimizer's parameters are not the flow's") }
      return try parameters.withUnsafeBufferPointer { p in
        try data.withUnsafeBufferPointer { d in
          guard let a = p.baseAddress else { return [] }
          return try Prescription(core, optimizer?.core, nil, a, d.baseAddress).verify(steps).map { Finding($0) }
        }
      }
    }
  }
  /// Nodes with what remedies put into the program, for the one that uses the trained network.
  public func treat(_ nodes: [Node]) throws -> [Node] { try translated { try core.treat(nodes.map(tape.id)) }.map { tape.node($0) } }
  /// The gradient's noise scale, |G|² and tr(S): see camber_flow_noise.
  public func noise(_ parameters: [UnsafeMutableRawPointer?]) throws -> (scale: Double, gradient: Double, variance: Double) {
    guard parameters.count == core.parameterCount, parameters.allSatisfy({ $0 != nil }) else { throw CamberError(Failure(.invalid, "noise: \(parameters.count) parameters for \(core.parameterCount), or one is nil")) }
    return try translated { try parameters.withUnsafeBufferPointer { p in try p.baseAddress.map { try core.noise($0) } ?? (.nan, .nan, .nan) } }
  }

  /// Applies a finding's remedy in one call; what was done, as a sentence. The flow forgets its runs.
  public func prescribe(_ f: Finding, _ parameters: [UnsafeMutableRawPointer?], data: [UnsafeRawPointer?] = [], optimizer: Optimizer? = nil) throws -> String {
    try prescribe(f.remedy, at: f.place, parameters, data: data, optimizer: optimizer)
  }
  public func prescribe(_ remedy: String, at place: String = "", _ parameters: [UnsafeMutableRawPointer?], data: [UnsafeRawPointer?] = [], optimizer: Optimizer? = nil) throws -> String {
    if let o = optimizer?.core, o.parameters.map(\.type) != (0 ..< core.parameterCount).map({ core.parameterType($0) }) { throw CamberError(Failure(.shape, "prescribe: the optimizer's parameters are not the flow's")) }
    guard parameters.count == core.parameterCount, data.count == core.dataCount, parameters.allSatisfy({ $0 != nil }) else {
      throw CamberError(Failure(.invalid, "prescribe: \(parameters.count) parameters and \(data.count) data for \(core.parameterCount) and \(core.dataCount), or one is nil"))
    }
    return try translated {
      try parameters.withUnsafeBufferPointer { p in
        try data.withUnsafeBufferPointer { d in
          guard let a = p.baseAddress else { return "" }
          return try Prescription(core, optimizer?.core, nil, a, d.baseAddress).apply(remedy, place)
        }
      }
    }
  }
}

/// Fills a float array with initial weights: "he", "lecun", "xavier", "orthogonal" or "zeros"; see camber_initialize.
public func initialize(_ method: String, _ dtype: DType, _ shape: [Int], _ data: UnsafeMutableRawPointer, gain: Double = 0, seed: Int = 0) throws {
  guard let how = Initializer.named(method) else { throw CamberError(Failure(.invalid, "initialize: no method \"\(method)\"; there are he, lecun, orthogonal, xavier, zeros")) }
  guard let t = TensorType(dtype.core, checking: shape) else { throw CamberError(Failure(.shape, "initialize: shape \(shape) cannot exist")) }
  try translated { try Clinic.initialize(how, t, data, gain: gain, seed: Int64(seed)) }
}

/// The largest Lyapunov exponents of iterating input -> output, per step; `arrays`: of the other inputs `data`. camber_lyapunov_exponents says how.
public func lyapunovExponents(_ output: Node, of input: Node, at point: UnsafeRawPointer, steps: Int, count: Int = 1, transposed: Bool = false,
                              data: [Node] = [], arrays: [UnsafeRawPointer?] = []) throws -> [Double] {
  let tape = input.tape
  try tape.check()
  return try translated {
    let j = try JacobianProducts(tape.core, tape.id(output), tape.id(input), data.map(tape.id))
    guard data.count == arrays.count, steps >= 1, count >= 1, count <= j.n else { throw Failure(.invalid, "lyapunovExponents: \(count) exponents over \(steps) steps, \(arrays.count) arrays for \(data.count) inputs") }
    return try lyapunov(j, j.load(point), arrays, steps: steps, count: count, back: transposed)
  }
}

/// Mean field of a wide network of "tanh", "relu", "erf" or "linear": see camber_mean_field.
public func meanField(_ activation: String, weight: Double, bias: Double = 0) throws -> (q: Double, chi: Double, depth: Double) {
  guard let m = Health.meanField(named: activation, weight: weight, bias: bias) else { throw CamberError(Failure(.invalid, "meanField: takes tanh, relu, erf or linear, and finite numbers")) }
  return m
}

/// Extreme singular values of d output / d input, each with a bound: one lies within it.
public func singularValues(_ output: Node, of input: Node, at point: UnsafeRawPointer, steps: Int = 40, data: [Node] = [], arrays: [UnsafeRawPointer?] = []) throws
  -> (largest: Double, largestError: Double, smallest: Double, smallestError: Double) {
  let tape = input.tape
  try tape.check()
  return try translated {
    let j = try JacobianProducts(tape.core, tape.id(output), tape.id(input), data.map(tape.id))
    guard data.count == arrays.count, steps >= 1, steps <= 512 else { throw Failure(.invalid, "singularValues: \(steps) steps, \(arrays.count) arrays for \(data.count) inputs") }
    let s = try Health.singularValues(j, j.load(point), arrays, steps: steps)
    return (s.largest, s.largestError, s.smallest, s.smallestError)
  }
}
