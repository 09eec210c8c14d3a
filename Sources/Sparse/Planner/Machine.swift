import CKernels
import Glibc
package import Runtime
package import Tape

/// What this machine takes, measured once a process by running small programs; a host may keep it in a file (`PlanMemory`).
package struct Calibration: Sendable {
  /// Nanoseconds of an addition in an array, of one among single numbers in machine code, of a step over arrays, of a byte that is moved, of
  /// an operation of a matrix product, of a call.
  package var flop = 0.25, scalar = 0.25, step = 40.0, byte = 0.05, product = 0.05, call = 60.0
  /// Of a reference network: the cost of one more tangent, of a vjp, of a Hessian times a vector, each over the function's own.
  package var lane = 1.0, vjp = 2.0, hvp = 4.0

  package init() {}
  static let known = Guarded<Calibration?>(nil)

  package static var shared: Calibration {
    if let c = known.withLock({ $0 }) { return c }
    let c = measured()
    known.withLock { $0 = c }
    return c
  }

  static func now() -> Double {
    var t = timespec()
    clock_gettime(CLOCK_MONOTONIC, &t)
    return Double(t.tv_sec) * 1e9 + Double(t.tv_nsec)
  }

  private static func measured() -> Calibration {
    var c = Calibration()
    let long = 4096, t = Tape(), v = t.input(TensorType(.f64, [long])), small = t.input(TensorType(.f64, [8]))
    /// The least time of a program over its own buffers, of ones.
    func time(_ inputs: [NodeID], _ outputs: [NodeID], _ times: Int = 24) -> Double {
      guard t.failure == nil, let p = try? Program(t, inputs: inputs, outputs: outputs), let r = Runner(p, nil) else { return 0 }
      _ = p.set("threads", 1)
      return r.least(times)
    }
    func chain(_ x: NodeID, _ n: Int) -> NodeID {
      var y = x
      for i in 0 ..< n { y = t.add(t.mul(y, x), t.like(x, Double(i))) }
      return y
    }
    let empty = time([small], [t.neg(small)]), long2 = time([v], [chain(v, 2)]), long34 = time([v], [chain(v, 34)])
    c.call = max(empty, 10)
    c.flop = bounded((long34 - long2) / (64 * Double(long)), 0.01, 10)
    // Shapes that keep steps from fusing: sums between them.
    var s = small
    for _ in 0 ..< 16 { s = t.mul(s, t.splat(t.sum(s, axes: [-1], keep: false), [8])) }
    c.step = bounded((time([small], [s]) - empty) / 48, 1, 2000)
    let x = t.input(TensorType(.f64, []))
    var y = x
    for i in 0 ..< 256 { y = t.add(t.mul(y, t.constant(.f64, 0.999)), t.mul(x, t.constant(.f64, Double(i)))) }
    c.scalar = bounded((time([x], [y]) - 40) / 768, 0.02, 10)
    let a = t.input(TensorType(.f64, [64, 64])), many = t.input(TensorType(.f64, [256, 256]))
    c.product = bounded((time([a], [t.matmul(a, a)]) - empty) / (2 * 64 * 64 * 64), 0.005, 5)
    c.byte = bounded((time([many], [t.apply(.transpose, [many], [1, 0])]) - empty) / (2 * 8 * 256 * 256), 0.005, 5)
    // A network of 64 units: the published ways to choose know these three numbers alone.
    let w = t.input(TensorType(.f64, [64, 64])), h = t.input(TensorType(.f64, [64])), d = t.input(TensorType(.f64, [64]))
    let out = t.unary(.tanh, t.matmul(numpy: w, t.unary(.tanh, t.matmul(numpy: w, h)))), f = t.sum(t.mul(out, out), axes: [-1], keep: false)
    let one = time([w, h], [f])
    if one > 0 {
      c.lane = bounded(time([w, h, d], [f] + t.jvp([f], [h], [d])) / one - 1, 0.01, 20)
      c.vjp = bounded(time([w, h], [f] + t.grad(f, [h])) / one, 0.1, 40)
      c.hvp = bounded(time([w, h, d], t.hvp(f, [h], [d])) / one, 0.1, 80)
    }
    return c
  }

  private static func bounded(_ v: Double, _ low: Double, _ high: Double) -> Double { v.isFinite ? min(max(v, low), high) : low }

  /// What `w` takes, about, in nanoseconds.
  package func predicted(_ w: Work) -> Double {
    call + w.scalars * scalar + (w.flops - w.products) * flop * (w.steps > 0 ? 1 : 0) + (w.flops - w.products) * scalar * (w.steps > 0 ? 0 : 0.25)
      + w.products * product + w.bytes * byte * 0.25 + w.steps * step
  }
}

/// A program with memory of its own for what it reads and writes: for timing it.
package final class Runner {
  private let workspace: Workspace
  private let memory: UnsafeMutableRawPointer
  private let inputs: UnsafeMutablePointer<UnsafeRawPointer?>, outputs: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  package private(set) var times: [Double] = []

  /// With the host's arrays, or ones where it gives none.
  package init?(_ p: Program, _ point: [UnsafeRawPointer?]?) {
    guard let w = try? Workspace(p) else { return nil }
    let ins = p.inputTypes[0], outs = p.outputTypes[0]
    var bytes = 64
    for t in outs + (point == nil ? ins : []) { bytes += (t.bytes + 127) & ~63 }
    guard let m = ck_alloc(bytes) else { return nil }
    workspace = w
    memory = m
    inputs = .allocate(capacity: max(ins.count, 1))
    outputs = .allocate(capacity: max(outs.count, 1))
    inputs.initialize(repeating: nil, count: max(ins.count, 1))
    outputs.initialize(repeating: nil, count: max(outs.count, 1))
    var at = m
    for (i, t) in outs.enumerated() {
      outputs[i] = at
      at += (t.bytes + 127) & ~63
    }
    for (i, t) in ins.enumerated() {
      if let point { inputs[i] = point[i]; continue }
      var slot: UInt64 = t.dtype == .f64 ? (1.0).bitPattern : t.dtype == .f32 ? UInt64(Float(1).bitPattern) : t.dtype == .f16 ? 0x3C00 : t.dtype == .bf16 ? 0x3F80 : 1
      ck_fill(t.dtype.size, &slot, at, t.count)
      inputs[i] = UnsafeRawPointer(at)
      at += (t.bytes + 127) & ~63
    }
  }
  deinit {
    ck_free(memory)
    inputs.deallocate()
    outputs.deallocate()
  }

  /// One run; its nanoseconds, or nil where it failed.
  package func run() -> Double? {
    let begin = Calibration.now()
    guard workspace.run(inputs: UnsafePointer(inputs), outputs: UnsafePointer(outputs)).rawValue >= 0 else { return nil }
    let t = Calibration.now() - begin
    times.append(t)
    return t
  }
  package func least(_ n: Int) -> Double {
    var best = Double.infinity
    for _ in 0 ..< n { best = min(best, run() ?? .infinity) }
    return best.isFinite ? best : 0
  }
}
