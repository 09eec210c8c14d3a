package import Tape
import CKernels

/// Dynamic loss scaling: powers of two, growth after `interval` clean steps, back-off at an overflow, never below the minimum. `guarded`: it does not grow where twice as
/// much would come within a factor of two of f16's largest number, and `faultsAfter` overflows on end at the minimum are a fault.
package struct LossScaler: Sendable {
  /// What no scale helps in the last step: `nonfinite`: not finite at a scale of 1 either; `minimum`: overflows at the minimum.
  package enum Fault: Int32, Sendable { case none, nonfinite, minimum }
  package typealias Gradient = (pointer: UnsafeMutableRawPointer, dtype: DType, count: Int)

  package private(set) var scale = 65536.0, skipped: Int64 = 0
  package private(set) var fault = Fault.none
  /// The first gradient of the last step that was not finite; -1: all were.
  package private(set) var tensor = -1
  private var initial = 65536.0, growth = 2.0, backoff = 0.5, interval = 2000.0, minimum = 1.0, maximum = 16_777_216.0
  private var guarded = false, hysteresis = 1.0
  private var clean = 0.0, begun = false
  /// What a skipped step changes.
  private struct State: Sendable { var scale: Double, left: Double, lowest: Int, count: Int }
  /// Overflows left before it backs off; overflows on end at the minimum.
  private var left = 1.0, lowest = 0
  /// As the last skipped step found it, until it is classified.
  private var before: State?
  private static var faultsAfter: Int { 8 }

  package init() {}

  package mutating func set(_ name: String, _ value: Double) -> Failure? {
    func powerOfTwo() -> Bool { value.isFinite && value > 0 && value.significand == 1 }
    switch name {
    case "interval":
      guard value >= 1 else { return Failure(.invalid, "loss scaler: interval \(value) is less than 1") }
      interval = value
      return nil
    case "hysteresis":
      guard value >= 1 else { return Failure(.invalid, "loss scaler: hysteresis \(value) is less than 1") }
      hysteresis = value
      left = value
      return nil
    case "guarded":
      guard value == 0 || value == 1 else { return Failure(.invalid, "loss scaler: guarded = \(value) is neither 0 nor 1") }
      guarded = value == 1
      return nil
    case "initial", "growth", "backoff", "minimum", "maximum":
      guard powerOfTwo() else { return Failure(.invalid, "loss scaler: \(name) = \(value) is not a power of two") }
      if name == "growth", value < 1 { return Failure(.invalid, "loss scaler: growth \(value) is less than 1") }
      if name == "backoff", value > 1 { return Failure(.invalid, "loss scaler: backoff \(value) is more than 1") }
    default:
      return Failure(.invalid, "loss scaler: no option \"\(name)\"; it has initial, growth, backoff, interval, minimum, maximum, hysteresis, guarded")
    }
    switch name {
    case "initial":
      initial = value
      scale = value
    case "growth": growth = value
    case "backoff": backoff = value
    case "minimum": minimum = value
    default: maximum = value
    }
    // Until the first step, options may come in any order.
    scale = min(max(begun ? scale : initial, minimum), maximum)
    return nil
  }

  /// True and unscaled in place when every gradient is finite; else the step is to be skipped.
  package mutating func unscale(_ gradients: [Gradient]) -> Bool {
    begun = true
    (before, fault) = (nil, .none)
    tensor = LossScaler.firstNonfinite(gradients)
    guard tensor < 0 else {
      before = State(scale: scale, left: left, lowest: lowest, count: gradients.count)
      clean = 0
      skipped += 1
      lowest = scale <= minimum ? lowest + 1 : 0
      if guarded, lowest >= LossScaler.faultsAfter { fault = .minimum }
      left -= 1
      if left <= 0 {
        scale = max(scale * backoff, minimum)
        left = hysteresis
      }
      return false
    }
    lowest = 0
    clean += 1
    let grows = clean >= interval && (!guarded || LossScaler.hasRoom(gradients, 2 * growth)), factor = 1 / scale
    for g in gradients { multiply(g.pointer, g.dtype, g.count, factor) }
    if grows {
      scale = min(scale * growth, maximum)
      left = hysteresis
      clean = 0
    }
    return true
  }

  /// The gradients of the step that was skipped, of the loss itself and in a format that holds them. True: they are finite, so it was an overflow. Else the scale is as it was.
  package mutating func classify(_ gradients: [Gradient]) throws(Failure) -> Bool {
    guard let before else { throw Failure(.invalid, "loss scaler: no skipped step waits to be classified: the last one was finite, or is classified") }
    guard gradients.count == before.count else { throw Failure(.invalid, "loss scaler: \(gradients.count) gradients are classified, but the skipped step had \(before.count)") }
    for (i, g) in gradients.enumerated() where g.dtype == .f16 { throw Failure(.dtype, "loss scaler: gradient \(i) is f16, which overflows by itself; compute it anew in f32 or f64") }
    self.before = nil
    let first = LossScaler.firstNonfinite(gradients)
    if first < 0 { return true }
    (scale, left, lowest) = (before.scale, before.left, before.lowest)
    fault = .nonfinite
    tensor = first
    return false
  }

  private static func firstNonfinite(_ gradients: [Gradient]) -> Int { gradients.firstIndex { !ck_all_finite($0.dtype.rawValue, $0.pointer, $0.count) } ?? -1 }

  /// Whether all of them, times a factor, lie in f16's range.
  private static func hasRoom(_ gradients: [Gradient], _ factor: Double) -> Bool { gradients.allSatisfy { largest($0) * factor < 65504 } }
  private static func largest(_ g: Gradient) -> Double {
    func most<T: BinaryFloatingPoint>(_ type: T.Type) -> Double {
      let x = g.pointer.assumingMemoryBound(to: T.self)
      var m: T = 0
      for i in 0 ..< g.count { m = max(m, abs(x[i])) }
      return Double(m)
    }
    switch g.dtype {
    case .f64: return most(Double.self)
    case .f32: return most(Float.self)
    default:
      // Of numbers of one format and sign, the larger has the larger bits.
      let x = g.pointer.assumingMemoryBound(to: UInt16.self)
      var m: UInt16 = 0
      for i in 0 ..< g.count { m = max(m, x[i] & 0x7FFF) }
      var wide: Float = 0
      ck_cast_kernel(g.dtype.rawValue, DType.f32.rawValue)?(&m, nil, nil, &wide, 1)
      return Double(wide)
    }
  }
}

/// x *= factor in place, rounded once.
package func multiply(_ p: UnsafeMutableRawPointer, _ d: DType, _ n: Int, _ factor: Double) {
  switch d {
  case .f64:
    let x = p.assumingMemoryBound(to: Double.self)
    for i in 0 ..< n { x[i] *= factor }
  case .f32:
    let x = p.assumingMemoryBound(to: Float.self), f = Float(factor)
    for i in 0 ..< n { x[i] *= f }
  case .f16, .bf16:
    let x = p.assumingMemoryBound(to: UInt16.self), f = Float(factor)
    guard let widen = ck_cast_kernel(d.rawValue, DType.f32.rawValue), let narrow = ck_cast_kernel(DType.f32.rawValue, d.rawValue) else { return }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 256) { block in
      guard let b = block.baseAddress else { return }
      for start in stride(from: 0, to: n, by: 256) {
        let m = min(256, n - start)
        widen(x + start, nil, nil, b, m)
        for i in 0 ..< m { b[i] *= f }
        narrow(b, nil, nil, x + start, m)
      }
    }
  default: break
  }
}
