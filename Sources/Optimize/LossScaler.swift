package import Tape
import CKernels

/// Dynamic loss scaling: powers of two, growth after `interval` clean steps, back-off at an overflow, never below the minimum.
package struct LossScaler: Sendable {
  package private(set) var scale = 65536.0, skipped: Int64 = 0
  private var growth = 2.0, backoff = 0.5, interval = 2000.0, minimum = 1.0, maximum = 16_777_216.0
  private var clean = 0.0

  package init() {}

  package mutating func set(_ name: String, _ value: Double) -> Failure? {
    func powerOfTwo() -> Bool { value.isFinite && value > 0 && value.significand == 1 }
    switch name {
    case "interval":
      guard value >= 1 else { return Failure(.invalid, "loss scaler: interval \(value) is less than 1") }
      interval = value
      return nil
    case "initial", "growth", "backoff", "minimum", "maximum":
      guard powerOfTwo() else { return Failure(.invalid, "loss scaler: \(name) = \(value) is not a power of two") }
      if name == "growth", value < 1 { return Failure(.invalid, "loss scaler: growth \(value) is less than 1") }
      if name == "backoff", value > 1 { return Failure(.invalid, "loss scaler: backoff \(value) is more than 1") }
    default:
      return Failure(.invalid, "loss scaler: no option \"\(name)\"; it has initial, growth, backoff, interval, minimum, maximum")
    }
    switch name {
    case "initial": scale = value
    case "growth": growth = value
    case "backoff": backoff = value
    case "minimum": minimum = value
    default: maximum = value
    }
    scale = min(max(scale, minimum), maximum)
    return nil
  }

  /// True and unscaled in place when every gradient is finite; else the step is to be skipped.
  package mutating func unscale(_ gradients: [(pointer: UnsafeMutableRawPointer, dtype: DType, count: Int)]) -> Bool {
    guard gradients.allSatisfy({ ck_all_finite($0.dtype.rawValue, $0.pointer, $0.count) }) else {
      scale = max(scale * backoff, minimum)
      clean = 0
      skipped += 1
      return false
    }
    let factor = 1 / scale
    for g in gradients { multiply(g.pointer, g.dtype, g.count, factor) }
    clean += 1
    if clean >= interval {
      scale = min(scale * growth, maximum)
      clean = 0
    }
    return true
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
