import Camber
import Glibc
import XCTest

/// Optimizers against their published updates written out in Double, schedules, loss scaling, saved tensors.
final class TrainingTests: XCTestCase {
  private static let start = [0.5, -1.25, 2, 0.01, -3]

  /// A gradient of some function of the parameters that also changes with the step.
  private func gradient(_ p: [Double], _ step: Int) -> [Double] { p.indices.map { sin(3 * p[$0]) + 0.3 * Double($0 - step % 4) } }

  private func optimize(_ method: String, _ options: [String: Double], schedule: Schedule? = nil, steps: Int = 25) throws -> [Double] {
    let o = try Optimizer(method, options, schedule: schedule)
    try o.add("w", .f64, [3])
    try o.add("b", .f64, [2])
    var p = Self.start
    for k in 0 ..< steps {
      let g = gradient(p, k)
      let fine = try p.withUnsafeMutableBufferPointer { p in try g.withUnsafeBufferPointer { g in
        try o.step([UnsafeMutableRawPointer(p.baseAddress!), UnsafeMutableRawPointer(p.baseAddress! + 3)], [UnsafeRawPointer(g.baseAddress!), UnsafeRawPointer(g.baseAddress! + 3)])
      } }
      XCTAssertTrue(fine)
      XCTAssertEqual(o.steps, k + 1)
      assertClose([o.gradientNorm], [g.map { $0 * $0 }.reduce(0, +).squareRoot()])
    }
    return p
  }

  private func reference(steps: Int = 25, _ update: (_ p: inout [Double], _ g: [Double], _ step: Int) -> Void) -> [Double] {
    var p = Self.start
    for k in 0 ..< steps { update(&p, gradient(p, k), k + 1) }
    return p
  }

  func testGradientDescent() throws {
    for (momentum, nesterov, decay) in [(0.0, 0.0, 0.0), (0, 0, 0.1), (0.9, 0, 0), (0.9, 1, 0), (0.8, 1, 0.05)] {
      var b = [Double](repeating: 0, count: 5)
      let want = reference { p, g, _ in
        for i in p.indices {
          let d = g[i] + decay * p[i]
          b[i] = momentum * b[i] + d
          p[i] -= 0.05 * (nesterov != 0 ? d + momentum * b[i] : momentum != 0 ? b[i] : d)
        }
      }
      assertClose(try optimize("sgd", ["learning_rate": 0.05, "momentum": momentum, "nesterov": nesterov, "weight_decay": decay]), want, 1e-12)
    }
  }

  func testAdam() throws {
    for decoupled in [false, true] {
      for decay in [0.0, 0.1] {
        var m = [Double](repeating: 0, count: 5), v = m
        let want = reference { p, g, t in
          for i in p.indices {
            let d = decoupled ? g[i] : g[i] + decay * p[i]
            m[i] = 0.8 * m[i] + 0.2 * d
            v[i] = 0.95 * v[i] + 0.05 * d * d
            let mh = m[i] / (1 - pow(0.8, Double(t))), vh = v[i] / (1 - pow(0.95, Double(t)))
            if decoupled { p[i] -= 0.02 * decay * p[i] }
            p[i] -= 0.02 * mh / (vh.squareRoot() + 1e-6)
          }
        }
        let options = ["learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6, "weight_decay": decay]
        assertClose(try optimize(decoupled ? "adamw" : "adam", options), want, 1e-12)
      }
    }
  }

  func testPenaltiesAndClipping() throws {
    func clipped(_ rule: @escaping ([Double]) -> [Double]) -> [Double] { reference { p, g, _ in for (i, d) in rule(g).enumerated() { p[i] -= 0.05 * d } } }
    func scale(_ g: [Double], _ limit: Double) -> [Double] {
      let n = g.map { $0 * $0 }.reduce(0, +).squareRoot()
      return n > limit ? g.map { $0 * limit / n } : g
    }
    assertClose(try optimize("sgd", ["learning_rate": 0.05, "clip_value": 0.3]), clipped { $0.map { min(max($0, -0.3), 0.3) } }, 1e-12)
    assertClose(try optimize("sgd", ["learning_rate": 0.05, "clip_global_norm": 0.5]), clipped { scale($0, 0.5) }, 1e-12)
    assertClose(try optimize("sgd", ["learning_rate": 0.05, "clip_norm": 0.5]), clipped { scale(Array($0[..<3]), 0.5) + scale(Array($0[3...]), 0.5) }, 1e-12)
    let penalised = reference { p, g, _ in for i in p.indices { p[i] -= 0.05 * (g[i] + 0.2 * p[i] + 0.1 * (p[i] > 0 ? 1 : p[i] < 0 ? -1 : 0)) } }
    assertClose(try optimize("sgd", ["learning_rate": 0.05, "l2": 0.2, "l1": 0.1]), penalised, 1e-12)
  }

  /// Norms whose squares leave the range of doubles.
  func testExtremeGradientNorms() throws {
    for scale in [1e200, 1e-200] {
      let o = try Optimizer("sgd", ["learning_rate": 1, "clip_global_norm": 5 * scale / 10])
      try o.add("a", .f64, [1])
      try o.add("b", .f64, [1])
      var p = [0.0, 0.0]
      let g = [3 * scale, 4 * scale]
      let fine = try p.withUnsafeMutableBufferPointer { p in try g.withUnsafeBufferPointer { g in
        try o.step([UnsafeMutableRawPointer(p.baseAddress!), UnsafeMutableRawPointer(p.baseAddress! + 1)], [UnsafeRawPointer(g.baseAddress!), UnsafeRawPointer(g.baseAddress! + 1)])
      } }
      XCTAssertTrue(fine)
      XCTAssertEqual(o.gradientNorm / scale, 5, accuracy: 1e-14)
      XCTAssertEqual(p[0] / scale, -0.3, accuracy: 1e-15)
      XCTAssertEqual(p[1] / scale, -0.4, accuracy: 1e-15)
    }
  }

  func testSchedulesDriveTheRate() throws {
    let s = try Schedule("cosine", ["steps": 20, "warmup": 5, "final": 0.1])
    let want = reference { p, g, t in for i in p.indices { p[i] -= 0.05 * s.value(t - 1) * g[i] } }
    assertClose(try optimize("sgd", ["learning_rate": 0.05], schedule: s), want, 1e-12)
  }

  func testScheduleValues() throws {
    XCTAssertEqual(try Schedule("constant").value(1_000_000), 1)
    let w = try Schedule("constant", ["warmup": 4])
    XCTAssertEqual((0 ..< 6).map(w.value), [0.25, 0.5, 0.75, 1, 1, 1])
    let c = try Schedule("cosine", ["steps": 100, "final": 0.2])
    assertClose([0, 25, 50, 75, 100, 500].map(c.value), [1, 0.2 + 0.4 * (1 + cos(.pi / 4)), 0.6, 0.2 + 0.4 * (1 + cos(3 * .pi / 4)), 0.2, 0.2])
    let s = try Schedule("step", ["every": 10, "factor": 0.5])
    XCTAssertEqual([0, 9, 10, 19, 20, 35].map(s.value), [1, 1, 0.5, 0.5, 0.25, 0.125])
    XCTAssertThrowsError(try Schedule("linear"))
    XCTAssertThrowsError(try Schedule("step", ["steps": 3]))
    XCTAssertThrowsError(try Schedule("step", ["every": 0]))
    XCTAssertThrowsError(try Schedule("cosine", ["final": .nan]))
  }

  func testNonfiniteGradientsChangeNothing() throws {
    for bad in [Double.nan, .infinity, -.infinity] {
      let o = try Optimizer("adam", ["learning_rate": 0.1])
      try o.add("x", .f64, [2])
      var p = [1.0, 2]
      func step(_ g: [Double]) throws -> Bool {
        try p.withUnsafeMutableBytes { p in try g.withUnsafeBytes { g in try o.step([p.baseAddress], [g.baseAddress]) } }
      }
      XCTAssertTrue(try step([0.5, -0.5]))
      let before = p, state = try o.state().map { Array(UnsafeRawBufferPointer(start: $0.data, count: 16 / max(1, 2 / $0.count))) }
      XCTAssertFalse(try step([0.5, bad]))
      XCTAssertEqual(p, before)
      XCTAssertEqual(o.steps, 1)
      XCTAssertEqual(try o.state().map { Array(UnsafeRawBufferPointer(start: $0.data, count: 16 / max(1, 2 / $0.count))) }, state)
      XCTAssertTrue(try step([0.5, -0.5]))
      XCTAssertEqual(o.steps, 2)
    }
  }

  /// State saved after some steps and put into a new optimizer: the rest is the same to the bit.
  func testStateRoundTrip() throws {
    for (method, names) in [("adamw", ["step", "x.m", "x.v"]), ("sgd", ["step", "x.momentum"])] {
      let options = method == "sgd" ? ["momentum": 0.9] : [:]
      let o = try Optimizer(method, options)
      try o.add("x", .f64, [5])
      var p = Self.start
      func steps(_ o: Optimizer, _ p: inout [Double], _ range: Range<Int>) throws {
        for k in range {
          let g = gradient(p, k)
          _ = try p.withUnsafeMutableBytes { p in try g.withUnsafeBytes { g in try o.step([p.baseAddress], [g.baseAddress]) } }
        }
      }
      try steps(o, &p, 0 ..< 7)
      let fresh = try Optimizer(method, options)
      try fresh.add("x", .f64, [5])
      let from = try o.state(), to = try fresh.state()
      XCTAssertEqual(from.map(\.name), names)
      for (a, b) in zip(from, to) {
        XCTAssertEqual(a.name, b.name)
        XCTAssertEqual(a.count, b.count)
        b.data.copyMemory(from: a.data, byteCount: a.count * 8)
      }
      XCTAssertEqual(fresh.steps, 7)
      var q = p
      try steps(o, &p, 7 ..< 15)
      try steps(fresh, &q, 7 ..< 15)
      XCTAssertEqual(p, q)
    }
  }

  /// 16-bit parameters: computed in f32, rounded once a step.
  func testHalfPrecisionParameters() throws {
    let o = try Optimizer("sgd", ["learning_rate": 0.5])
    try o.add("x", .f16, [2])
    var p: [Float16] = [1, 2]
    let g: [Float16] = [0.25, -0.5]
    _ = try p.withUnsafeMutableBytes { p in try g.withUnsafeBytes { g in try o.step([p.baseAddress], [g.baseAddress]) } }
    XCTAssertEqual(p, [0.875, 2.25])
  }

  func testOptimizerErrors() throws {
    XCTAssertThrowsError(try Optimizer("lion")) { XCTAssertEqual("\($0)", "optimizer: no method \"lion\"; there are sgd, adam, adamw") }
    XCTAssertThrowsError(try Optimizer("adam", ["beta1": 1]))
    XCTAssertThrowsError(try Optimizer("sgd", ["learning_rate": -1]))
    XCTAssertThrowsError(try Optimizer("sgd", ["beta1": 0.5]))
    let o = try Optimizer("sgd")
    XCTAssertThrowsError(try o.state())
    XCTAssertThrowsError(try o.add("x", .i64, [2]))
    XCTAssertThrowsError(try o.add("x", .f64, [-2]))
    try o.add("x", .f64, [2])
    XCTAssertThrowsError(try o.add("x", .f64, [2]))
    XCTAssertThrowsError(try o.step([], []))
    XCTAssertThrowsError(try o.step([nil], [nil]))
    _ = try o.state()
    XCTAssertThrowsError(try o.add("y", .f64, [2]))
  }

  func testLossScaler() throws {
    var s = try LossScaler(["initial": 1024, "interval": 3, "minimum": 256, "maximum": 4096])
    XCTAssertEqual(s.scale, 1024)
    func unscale(_ g: inout [Double]) -> Bool { g.withUnsafeMutableBytes { s.unscale([(pointer: $0.baseAddress!, dtype: .f64, count: 2)]) } }
    var g = [2048.0, -512]
    XCTAssertTrue(unscale(&g))
    XCTAssertEqual(g, [2, -0.5])
    XCTAssertTrue(unscale(&g))
    XCTAssertEqual(s.scale, 1024)
    XCTAssertTrue(unscale(&g))
    XCTAssertEqual(s.scale, 2048, "grows after the interval")
    var bad = [1.0, .infinity]
    XCTAssertFalse(unscale(&bad))
    XCTAssertEqual(bad, [1, .infinity], "left as they are")
    XCTAssertEqual(s.scale, 1024, "backs off")
    for _ in 0 ..< 5 { XCTAssertFalse(unscale(&bad)) }
    XCTAssertEqual(s.scale, 256, "never below its minimum")
    XCTAssertEqual(s.skipped, 6)
    for _ in 0 ..< 30 { XCTAssertTrue(unscale(&g)) }
    XCTAssertEqual(s.scale, 4096, "never above its maximum")
    XCTAssertEqual(s.skipped, 6)
    var h: [Float16] = [4096, 0x1p-14]
    XCTAssertTrue(h.withUnsafeMutableBytes { s.unscale([(pointer: $0.baseAddress!, dtype: .f16, count: 2)]) })
    XCTAssertEqual(h[0], 1)
    XCTAssertThrowsError(try LossScaler(["initial": 1000])) { XCTAssertEqual("\($0)", "loss scaler: initial = 1000.0 is not a power of two") }
    XCTAssertThrowsError(try LossScaler(["growth": 0.5]))
    XCTAssertThrowsError(try LossScaler(["interval": 0]))
    XCTAssertThrowsError(try LossScaler(["speed": 2]))
    // Limits come before the start that they allow.
    XCTAssertEqual(try LossScaler(["initial": 0x1p30, "maximum": 0x1p40]).scale, 0x1p30)
    XCTAssertEqual(try LossScaler(["initial": 0x1p-3, "minimum": 0x1p-4]).scale, 0x1p-3)
  }

  func testGuardedLossScaler() throws {
    var s = try LossScaler(["initial": 8, "interval": 1, "guarded": 1, "hysteresis": 2, "minimum": 2])
    func unscale(_ v: Float) -> Bool {
      var g = [v]
      return g.withUnsafeMutableBytes { s.unscale([(pointer: $0.baseAddress!, dtype: .f32, count: 1)]) }
    }
    func again(_ v: Double) throws -> Bool {
      let g = [v]
      return try g.withUnsafeBytes { try s.classify([(pointer: $0.baseAddress!, dtype: .f64, count: 1)]) }
    }
    // Grows while twice as much leaves a factor of two below 65504.
    XCTAssertTrue(unscale(16376))
    XCTAssertEqual(s.scale, 8)
    XCTAssertTrue(unscale(16375))
    XCTAssertEqual(s.scale, 16)
    XCTAssertThrowsError(try again(1), "nothing to classify")
    // The first overflow is passed over, the second backs off.
    XCTAssertFalse(unscale(.infinity))
    XCTAssertEqual(s.scale, 16)
    XCTAssertEqual(s.tensor, 0)
    XCTAssertTrue(try again(1))
    XCTAssertFalse(unscale(.nan))
    XCTAssertEqual(s.scale, 8)
    XCTAssertNil(s.fault)
    // A NaN of the function's own: as if the step had not been, however often.
    XCTAssertFalse(try again(.nan))
    XCTAssertEqual(s.fault, .nonfinite)
    XCTAssertEqual(s.scale, 16)
    for _ in 0 ..< 20 {
      XCTAssertFalse(unscale(.nan))
      XCTAssertFalse(try again(.infinity))
    }
    XCTAssertEqual(s.scale, 16)
    XCTAssertThrowsError(try again(.nan), "classified once")
    XCTAssertTrue(unscale(20000))
    XCTAssertNil(s.fault)
    XCTAssertNil(s.tensor)
    // Eight overflows on end at the minimum.
    var steps = 0
    while s.fault == nil, steps < 100 {
      XCTAssertFalse(unscale(.infinity))
      steps += 1
    }
    XCTAssertEqual(s.fault, .minimum)
    XCTAssertEqual(s.scale, 2)
    XCTAssertEqual(steps, 5 + 8, "one left of the pair, two pairs, eight")
    var half: [Float16] = [1]
    XCTAssertThrowsError(try half.withUnsafeMutableBytes { try s.classify([(pointer: UnsafeRawPointer($0.baseAddress!), dtype: .f16, count: 1)]) })
    XCTAssertThrowsError(try LossScaler(["guarded": 2]))
    XCTAssertThrowsError(try LossScaler(["hysteresis": 0]))
  }

  func testSaveTensors() throws {
    let path = "/tmp/camber-\(getpid()).safetensors"
    defer { unlink(path) }
    let a: [Double] = [1, -2.5, 3], b: [Float] = [0.5], c: [Int64] = []
    try a.withUnsafeBytes { a in try b.withUnsafeBytes { b in try c.withUnsafeBytes { c in
      try saveTensors(path, [("a", .f64, [3, 1], a.baseAddress!), ("b \"quoted\"", .f32, [], b.baseAddress!), ("c", .i64, [0, 2], c.baseAddress ?? a.baseAddress!)])
    } } }
    guard let f = fopen(path, "rb") else { return XCTFail("no file") }
    var bytes = [UInt8](repeating: 0, count: 4096)
    bytes.removeLast(4096 - fread(&bytes, 1, 4096, f))
    fclose(f)
    let n = bytes.withUnsafeBytes { Int($0.loadUnaligned(as: UInt64.self)) }
    XCTAssertEqual(n % 8, 0)
    let header = String(decoding: bytes[8 ..< 8 + n], as: UTF8.self)
    XCTAssertTrue(header.hasPrefix("{\"a\":{\"dtype\":\"F64\",\"shape\":[3,1],\"data_offsets\":[0,24]},\"b \\\"quoted\\\"\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[24,28]},"), header)
    XCTAssertTrue(header.contains("\"c\":{\"dtype\":\"I64\",\"shape\":[0,2],\"data_offsets\":[28,28]}}"), header)
    XCTAssertEqual(bytes.count, 8 + n + 28)
    XCTAssertEqual(bytes[(8 + n)...].withUnsafeBytes { p in (0 ..< 3).map { p.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) } }, a)
    XCTAssertThrowsError(try saveTensors("/nowhere/at/all", []))
    XCTAssertThrowsError(try a.withUnsafeBytes { p in try saveTensors(path, [("a", .f64, [1], p.baseAddress!), ("a", .f64, [1], p.baseAddress!)]) })
  }

  /// Least squares by gradient steps finds the answer: program, gradient and optimizer together.
  func testFitsALine() throws {
    let t = Tape(), x = t.input(.f64, [8]), y = t.input(.f64, [8]), a = t.input(), b = t.input(), loss = square(x * a + b - y).mean()
    let p = try Program(t, inputs: [x, y, a, b], outputs: [loss] + (try t.grad(loss, [a, b])))
    let xs = (0 ..< 8).map { Double($0) / 4 - 1 }, ys = xs.map { 3 * $0 - 0.5 }
    let o = try Optimizer("adam", ["learning_rate": 0.05])
    try o.add("a", .f64, [])
    try o.add("b", .f64, [])
    var w = [0.0, 0]
    for _ in 0 ..< 1500 {
      let r = try p([xs, ys, [w[0]], [w[1]]])
      let g = [r[1][0], r[2][0]]
      _ = try w.withUnsafeMutableBufferPointer { w in try g.withUnsafeBufferPointer { g in
        try o.step([UnsafeMutableRawPointer(w.baseAddress!), UnsafeMutableRawPointer(w.baseAddress! + 1)], [UnsafeRawPointer(g.baseAddress!), UnsafeRawPointer(g.baseAddress! + 1)])
      } }
    }
    assertClose(w, [3, -0.5], 1e-6)
  }
}
