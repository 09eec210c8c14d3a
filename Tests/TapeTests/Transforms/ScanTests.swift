import Runtime
import Tape
import XCTest

/// Loops against the same statements unrolled, values to the bit, derivatives to second order.
final class ScanTests: XCTestCase {
  /// c' = tanh(c k + s), y = c' c, over `n` steps; unrolled when `loop` is false.
  private func build(_ t: Tape, _ c0: NodeID, _ xs: NodeID, _ k: NodeID, _ n: Int, reverse: Bool, loop: Bool) -> [NodeID] {
    if loop {
      let b = Tape(parent: t), c = b.input(t.type(c0)), s = b.input(t.type(c0))
      let next = b.unary(.tanh, b.add(b.mul(c, b.resolve(serial: t.serial, index: k.index)), s))
      return t.parts(t.scan(body: b, inputs: [c, s], outputs: [next, b.mul(next, c)], init: [c0], xs: [xs], ys: 1, length: n, reverse: reverse))
    }
    var c = c0, ys = [NodeID](repeating: .none, count: n)
    for i in reverse ? Array((0 ..< n).reversed()) : Array(0 ..< n) {
      let s = t.reshape(t.slice(xs, axis: -2, start: i, count: 1), t.shape(c0)), next = t.unary(.tanh, t.add(t.mul(c, k), s))
      ys[i] = t.reshape(t.mul(next, c), [1] + t.shape(c0))
      c = next
    }
    return [c, n == 0 ? t.zeros(xs) : t.concat(ys, axis: -2)]
  }

  func testAgainstUnrolled() throws {
    for n in [0, 1, 2, 5] {
      for reverse in [false, true] {
        var g = Random(UInt64(n))
        var results: [[Doubles]] = []
        let data = [g.signed(2), g.signed(2 * n), g.signed(2)], weights = g.values(2 * n + 2), dirs = [g.signed(2), g.signed(2 * n), g.signed(2)]
        for loop in [true, false] {
          let t = Tape(), x = [t.f64(2), t.f64(n, 2), t.f64(2)], y = build(t, x[0], x[1], x[2], n, reverse: reverse, loop: loop)
          let v = x.map { t.input(t.type($0)) }
          let loss = t.add(t.total(t.mul(y[0], t.literal(Array(weights[..<2])))), t.total(t.mul(y[1], t.literal(Array(weights[2...]), [n, 2]))))
          let all = y + t.grad(loss, x) + t.hvp(loss, x, v) + t.hessian(loss, x) + t.jvp(y, x, v) + t.jacobian(y, x, mode: .forward) + t.jacobian(y, x, mode: .reverse)
          t.typecheck()
          results.append(try evaluate(t, all, Array(zip(x, data)) + Array(zip(v, dirs))))
        }
        XCTAssertTrue(sameBits(Array(results[0].prefix(2)), Array(results[1].prefix(2))), "length \(n): values")
        XCTAssertLessThan(distance(results[0], results[1]), 1e-14, "length \(n), reverse \(reverse)")
      }
    }
  }

  /// A batch over carries, slices or captured nodes, each alone and together; y's keep their axis in front of time.
  func testBatchedLoops() throws {
    for mask in 1 ..< 8 {
      var g = Random(UInt64(mask))
      let t = Tape(), x = [t.f64(2), t.f64(3, 2), t.f64(2)], y = build(t, x[0], x[1], x[2], 3, reverse: false, loop: true)
      let gr = t.grad(t.add(t.total(y[0]), t.total(t.unary(.square, y[1]))), x)
      let chosen = x.indices.filter { mask >> $0 & 1 == 1 }, wide = chosen.map { t.input(TensorType(.f64, [4] + t.shape(x[$0]))) }
      let many = t.batch(y + gr, chosen.map { x[$0] }, wide, size: 4)
      let base = x.map { g.signed(t.type($0).count) }, rows = (0 ..< 4).map { _ in x.map { g.signed(t.type($0).count) } }
      let rest = x.indices.filter { !chosen.contains($0) }
      let got = try evaluate(t, many, chosen.enumerated().map { k, i in (wide[k], rows.flatMap { $0[i] }) } + rest.map { (x[$0], base[$0]) })
      let one = try rows.map { r in try evaluate(t, y + gr, x.indices.map { (x[$0], chosen.contains($0) ? r[$0] : base[$0]) }) }
      XCTAssertTrue(sameBits(Array(got.prefix(2)), (0 ..< 2).map { k in one.flatMap { $0[k] } }), "operands \(chosen): values")
      XCTAssertLessThan(distance(got, (0 ..< 5).map { k in one.flatMap { $0[k] } }), 1e-14, "operands \(chosen)")
    }
  }

  /// Carries that do not change, that feed each other late, or that are integers.
  func testActivityIsAFixpoint() throws {
    let t = Tape(), x = t.f64(), a = t.f64(), b = t.f64(), i0 = t.constant(.i64, integer: 0)
    let s = Tape(parent: t), p = s.input(TensorType(.f64, [])), q = s.input(TensorType(.f64, [])), r = s.input(TensorType(.f64, [])), i = s.input(TensorType(.i64, []))
    let next = s.binary(.add, i, s.constant(.i64, integer: 1)), out = [s.unary(.sin, p), s.mul(q, p), s.add(r, s.mul(q, s.cast(i, .f64))), next]
    let y = t.parts(t.scan(body: s, inputs: [p, q, r, i], outputs: out, init: [x, a, b, i0], xs: [], ys: 0, length: 4, reverse: false))
    XCTAssertEqual(t.dtype(y[3]), .i64)
    let v = 0.8, got = try evaluate(t, y + t.grad(y[2], [x, a, b]) + t.hessian(y[2], [x]), [(x, [v]), (a, [1.5]), (b, [0.25])])
    // r = b + sum_i i a prod_{j<i} sin^j(x), by hand in duals of second order.
    typealias D = (f: Double, d: Double, h: Double)
    func mul(_ x: D, _ y: D) -> D { (x.f * y.f, x.f * y.d + x.d * y.f, x.f * y.h + 2 * x.d * y.d + x.h * y.f) }
    func sine(_ x: D) -> D { (sin(x.f), cos(x.f) * x.d, cos(x.f) * x.h - sin(x.f) * x.d * x.d) }
    var pd: D = (v, 1, 0), qd: D = (1.5, 0, 0), rd: D = (0.25, 0, 0)
    for k in 0 ..< 4 {
      rd = (rd.f + qd.f * Double(k), rd.d + qd.d * Double(k), rd.h + qd.h * Double(k))
      qd = mul(qd, pd)
      pd = sine(pd)
    }
    XCTAssertEqual(got[3], [4])
    XCTAssertLessThan(distance([got[2], got[4], got[6], got[7]], [[rd.f], [rd.d], [1], [rd.h]]), 1e-14)
    XCTAssertLessThan(abs(got[5][0] - (rd.f - 0.25) / 1.5), 1e-14)
  }

  /// A gradient runs the loop once forward, with its carries stacked, and once back: the plain loop is not run beside it.
  func testDerivativesExtendTheLoop() throws {
    let t = Tape(), x = [t.f64(2), t.f64(3, 2), t.f64(2)], y = build(t, x[0], x[1], x[2], 3, reverse: false, loop: true)
    func loops(_ outputs: [NodeID]) throws -> Int {
      try Runner(t, x, outputs).program.explanation.split(separator: "\n").filter { $0.hasPrefix("scan:") }.count
    }
    let loss = t.total(y[0]), g = t.grad(loss, x), d = t.jvp(y, x, x)
    XCTAssertEqual(try loops(y), 1)
    XCTAssertEqual(try loops(y + g), 2)
    XCTAssertEqual(try loops(y + d), 1)
    // Tangents of the loop and of the loop extended for the gradient are one.
    let both = t.add(loss, t.total(t.unary(.square, y[1])))
    XCTAssertEqual(try loops(t.hvp(loss, x, x)), 2)
    XCTAssertEqual(try loops(t.hvp(both, x, x)), 2)
    XCTAssertEqual(try loops(y + t.grad(both, x) + t.jvp(y, x, x) + t.hvp(both, x, x)), 2)
    XCTAssertEqual(t.grad(loss, x), g, "asked again: the same nodes")
    XCTAssertEqual(t.jvp(y, x, x), d)
  }

  /// h' = tanh(h U + x W + b) over rows: unrolled when `loop` is false.
  private func network(_ t: Tape, _ x: [NodeID], _ n: Int, loop: Bool) -> NodeID {
    func step(_ t: Tape, _ h: NodeID, _ s: NodeID, _ w: [NodeID]) -> NodeID {
      t.unary(.tanh, t.add(t.add(t.matmul(h, w[0]), t.matmul(s, w[1])), t.broadcast(w[2], to: t.shape(h))))
    }
    if loop {
      let b = Tape(parent: t), h = b.input(t.type(x[0])), s = b.input(TensorType(.f64, Array(t.shape(x[1]).dropFirst())))
      let w = x[2...].map { b.resolve(serial: t.serial, index: $0.index) }
      return t.parts(t.scan(body: b, inputs: [h, s], outputs: [step(b, h, s, w)], init: [x[0]], xs: [x[1]], ys: 0, length: n, reverse: false))[0]
    }
    var h = x[0]
    for i in 0 ..< n { h = step(t, h, t.reshape(t.slice(x[1], axis: -3, start: i, count: 1), Array(t.shape(x[1]).dropFirst())), Array(x[2...])) }
    return h
  }

  /// Products are kept for the way back, not computed again, as one sum; gradients of captured matrices are one product after the loop.
  func testProductsInLoops() throws {
    for n in [0, 1, 4] {
      var g = Random(UInt64(n)), results: [[Doubles]] = []
      let shapes = [[2, 32], [n, 2, 33], [32, 32], [33, 32], [32]], data = shapes.map { g.values($0.reduce(1, *), -0.3, 0.3) }, dirs = shapes.map { g.values($0.reduce(1, *)) }
      for loop in [true, false] {
        let t = Tape(), x = shapes.map { t.input(TensorType(.f64, $0)) }, v = x.map { t.input(t.type($0)) }
        let loss = t.total(t.unary(.square, network(t, x, n, loop: loop))), d = t.grad(loss, x)
        if loop, n == 4 {
          let back = try XCTUnwrap(t.bodies.indices.map { t.bodies[$0] }.first { b in b.inputs.count > 4 && b.outputs.count > 2 }), tape = back.tape
          let products = (0 ..< tape.count).filter { tape.structural(NodeID($0)) == .matmul }
          XCTAssertEqual(products.count, 2, "the cotangents of h and x alone")
          XCTAssertFalse(back.outputs.contains { tape.shape($0) == [32, 32] }, "no matrix is carried")
        }
        let all = d + t.jvp(d, x, v)
        t.typecheck()
        results.append(try evaluate(t, all, Array(zip(x, data)) + Array(zip(v, dirs))))
      }
      XCTAssertLessThan(distance(results[0], results[1]), 1e-13, "length \(n)")
    }
  }

  /// 1,500 carries in a chain: which of them matter is found in one pass, not in one a carry.
  func testManyCarries() throws {
    let n = 1500, t = Tape(), x = (0 ..< n).map { _ in t.f64() }, b = Tape(parent: t), c = x.map { _ in b.f64() }
    let next = c.indices.map { $0 == 0 ? c[0] : b.add(c[$0], c[$0 - 1]) }
    let y = t.scan(body: b, inputs: c, outputs: next, init: x, xs: [], ys: 0, length: 3, reverse: false)
    let clock = ContinuousClock(), begin = clock.now
    let g = t.grad(t.parts(y)[n - 1], x), d = t.jvp(t.parts(y), [x[0]], [x[0]]), w = t.batch(t.parts(y), [x[0]], [t.f64(2)], size: 2)
    XCTAssertLessThan(clock.now - begin, .seconds(3))
    if let f = t.failure { throw f }
    XCTAssertEqual([g.count, d.count, w.count], [n, n, n])
    let r = try evaluate(t, Array(g.suffix(5)) + Array(d.prefix(5)), x.map { ($0, [1]) })
    XCTAssertEqual(r.map { $0[0] }, [0, 1, 3, 3, 1, 1, 3, 3, 1, 0])
  }

  /// What the body makes of captured nodes alone is made once, outside; broadcasts and constants are not.
  func testInvariantsAreHoisted() throws {
    var results: [[Doubles]] = []
    for inside in [true, false] {
      let t = Tape(), x = t.f64(3), k = t.f64(2, 3), w = t.f64(), b = Tape(parent: t), c = b.f64(3)
      func scale(_ t: Tape, _ k: NodeID, _ w: NodeID) -> NodeID {
        let row = t.reshape(t.slice(k, axis: -2, start: 1, count: 1), [3]), rate = t.mul(w, t.constant(.f64, 0.5))
        return t.mul(t.unary(.exp, row), t.broadcast(rate, to: [3]))
      }
      let s = inside ? scale(b, b.resolve(serial: t.serial, index: k.index), b.resolve(serial: t.serial, index: w.index)) : b.resolve(serial: t.serial, index: scale(t, k, w).index)
      let y = t.scan(body: b, inputs: [c], outputs: [b.unary(.sin, b.mul(c, s))], init: [x], xs: [], ys: 0, length: 4, reverse: false), loss = t.total(t.parts(y)[0])
      XCTAssertEqual(t.inputs(y).count, 2)
      XCTAssertEqual(t.type(t.inputs(y)[1]).shape, [3])
      t.typecheck()
      results.append(try evaluate(t, [loss] + t.grad(loss, [x, k, w]) + t.hvp(loss, [x, k, w], [x, k, w]), [(x, [0.3, -0.2, 0.9]), (k, [9, 9, 9, 0.1, 0.4, -0.3]), (w, [1.7])]))
    }
    XCTAssertEqual(results[0], results[1])
    let t = Tape(), x = t.f64(3), w = t.f64(), b = Tape(parent: t), c = b.f64(3), k = b.resolve(serial: t.serial, index: w.index)
    let y = t.scan(body: b, inputs: [c], outputs: [b.add(b.add(c, b.broadcast(k, to: [3])), b.iota(b.type(c), axis: -1))], init: [x], xs: [], ys: 0, length: 4, reverse: false)
    XCTAssertEqual(t.inputs(y), [x, w])
  }

  func testCapturedNodesAreSharedOnce() throws {
    let t = Tape(), x = t.f64(), k = t.f64(), b = Tape(parent: t), c = b.input(TensorType(.f64, []))
    let k1 = b.resolve(serial: t.serial, index: k.index), k2 = b.resolve(serial: t.serial, index: k.index)
    XCTAssertEqual(k1, k2)
    let y = t.scan(body: b, inputs: [c], outputs: [b.mul(b.mul(c, k1), k2)], init: [x], xs: [], ys: 0, length: 3, reverse: false)
    XCTAssertEqual(t.inputs(y), [x, k])
    let r = try evaluate(t, t.grad(t.parts(y)[0], [x, k]), [(x, [2]), (k, [3])])
    XCTAssertEqual(r, [[729], [12 * 243]])
  }
}
