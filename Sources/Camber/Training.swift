import Optimize
import Runtime
import Tape

/// A factor of the learning rate by step: "constant", "cosine" (steps, final), "step" (every, factor), each with warmup.
public struct Schedule {
  var core: Optimize.Schedule
  public init(_ kind: String, _ options: [String: Double] = [:]) throws {
    guard let s = Optimize.Schedule(kind) else { throw CamberError(Failure(.invalid, "schedule: no kind \"\(kind)\"; there are constant, cosine, step")) }
    core = s
    for (name, value) in options { if let f = core.set(name, value) { throw CamberError(f) } }
  }
  public func value(_ step: Int) -> Double { core.value(Int64(step)) }
}

/// "sgd", "adam" or "adamw" over parameters in the host's memory, updated in place. Options and their defaults stand in camber.h.
public final class Optimizer {
  let core: Optimize.Optimizer
  public init(_ method: String, _ options: [String: Double] = [:], schedule: Schedule? = nil) throws {
    guard let o = Optimize.Optimizer(method) else { throw CamberError(Failure(.invalid, "optimizer: no method \"\(method)\"; there are sgd, adam, adamw")) }
    core = o
    for (name, value) in options { try raise(core.set(name, value)) }
    core.set(schedule?.core)
  }
  private func raise(_ f: Failure?) throws { if let f { throw CamberError(f) } }

  public func add(_ name: String, _ dtype: DType, _ shape: [Int]) throws {
    guard let t = TensorType(dtype.core, checking: shape) else { throw CamberError(Failure(.shape, "optimizer: shape \(shape) cannot exist")) }
    try raise(core.add(name, t))
  }
  /// False when a gradient was not finite and nothing was changed.
  @discardableResult
  public func step(_ parameters: [UnsafeMutableRawPointer?], _ gradients: [UnsafeRawPointer?]) throws -> Bool {
    guard parameters.count == core.parameters.count, gradients.count == core.parameters.count else {
      throw CamberError(Failure(.invalid, "optimizer: \(parameters.count) parameters and \(gradients.count) gradients for \(core.parameters.count)"))
    }
    return try translated {
      try parameters.withUnsafeBufferPointer { p in
        try gradients.withUnsafeBufferPointer { g in
          guard let a = p.baseAddress, let b = g.baseAddress else { return true }
          return try core.step(a, b) == .ok
        }
      }
    }
  }
  public var steps: Int { Int(core.steps) }
  public var gradientNorm: Double { core.gradientNorm }
  /// The state as named arrays, to save and to put back by writing through the pointers.
  public func state() throws -> [(name: String, dtype: DType, count: Int, data: UnsafeMutableRawPointer)] {
    try translated { try core.plan() }
    return core.state.map { ($0.name, DType($0.dtype), $0.count, $0.data) }
  }
}

/// Dynamic loss scaling by powers of two; options initial, growth, backoff, interval, minimum, maximum, hysteresis, guarded: see camber.h.
public struct LossScaler {
  /// What no scale helps: not finite at a scale of 1 either; eight overflows on end at the minimum (guarded).
  public enum Fault: Sendable { case nonfinite, minimum }
  private var core = Optimize.LossScaler()
  public init(_ options: [String: Double] = [:]) throws {
    for (name, value) in options.sorted(by: { $0.key < $1.key }) { if let f = core.set(name, value) { throw CamberError(f) } }
  }
  public var scale: Double { core.scale }
  public var skipped: Int { Int(core.skipped) }
  /// Unscales in place; false when a gradient is not finite and the step is to be skipped.
  public mutating func unscale(_ gradients: [(pointer: UnsafeMutableRawPointer, dtype: DType, count: Int)]) -> Bool {
    core.unscale(gradients.map { ($0.pointer, $0.dtype.core, $0.count) })
  }
  /// After a skipped step: whether it was an overflow, by the same step's gradients computed anew, of the loss times 1, in f64, f32 or bf16. Else the function itself has
  /// a NaN or an infinity: the scale is again what it was, and `fault` says so.
  public mutating func classify(_ gradients: [(pointer: UnsafeRawPointer, dtype: DType, count: Int)]) throws -> Bool {
    try translated { try core.classify(gradients.map { (UnsafeMutableRawPointer(mutating: $0.pointer), $0.dtype.core, $0.count) }) }
  }
  /// Of the last step.
  public var fault: Fault? { core.fault == .none ? nil : core.fault == .minimum ? .minimum : .nonfinite }
  /// The first gradient that was not finite in the last step.
  public var tensor: Int? { core.tensor < 0 ? nil : core.tensor }
}

/// Named arrays to a safetensors file, written aside and renamed.
public func saveTensors(_ path: String, _ tensors: [(name: String, dtype: DType, shape: [Int], data: UnsafeRawPointer)]) throws {
  let items = try tensors.map { t -> (name: String, type: TensorType, data: UnsafeRawPointer) in
    guard let type = TensorType(t.dtype.core, checking: t.shape) else { throw CamberError(Failure(.shape, "tensors: shape \(t.shape) cannot exist")) }
    return (t.name, type, t.data)
  }
  try translated { try Tensors.save(path, items) }
}
