import Camber
import Glibc
import XCTest

/// Derivatives, programs, loops and linearisation through the product's face.
final class TransformTests: XCTestCase {
  /// f = sum(sin x) exp(-sum x^2).
  private func f(_ x: Node) -> Node { sin(x).sum() * exp(-square(x).sum()) }
  private let point = [0.1, 0.2, 0.3]

  private func closed() -> (f: Double, g: [Double], H: [[Double]]) {
    let s = point.map { sin($0) }.reduce(0, +), e = exp(-point.map { $0 * $0 }.reduce(0, +))
    let c = point.map { cos($0) }
    let g = (0 ..< 3).map { (c[$0] - 2 * point[$0] * s) * e }
    let H = (0 ..< 3).map { i in (0 ..< 3).map { j in
      let diagonal = i == j ? -sin(point[i]) - 2 * s : 0
      return (diagonal - 2 * point[i] * c[j] - 2 * point[j] * (c[i] - 2 * point[i] * s)) * e
    } }
    return (s * e, g, H)
  }

  func testDerivatives() throws {
    let t = Tape(), x = t.input(.f64, [3]), v = t.input(.f64, [3]), y = f(x), d = [1.0, -1, 2], want = closed()
    let blocks = try t.hessian(y, [x])
    XCTAssertEqual(blocks.count, 1)
    let r = try evaluate(t, [(x, point), (v, d)], [
      y, try t.grad(y, [x])[0], try t.jvp([y], [x], [v])[0], try t.hvp(y, [x], [v])[0], blocks[0][0], try t.vjp([y], [t.constant(2)], [x])[0],
      try t.jacobian([sin(x)], [x], sweep: .forward)[0][0], try t.jacobian([sin(x)], [x], sweep: .reverse)[0][0], try t.simplify([y])[0],
      try t.linearTranspose([x * 3], [v], [x])[0], try t.substitute([y], [x], [v])[0],
    ])
    assertClose(r[0], [want.f])
    assertClose(r[1], want.g)
    assertClose(r[2], [zip(want.g, d).map(*).reduce(0, +)])
    assertClose(r[3], want.H.map { zip($0, d).map(*).reduce(0, +) })
    assertClose(r[4], want.H.flatMap { $0 })
    assertClose(r[5], want.g.map { 2 * $0 })
    let diagonal = (0 ..< 9).map { $0 % 4 == 0 ? cos(point[$0 / 4]) : 0 }
    assertClose(r[6], diagonal)
    assertClose(r[7], diagonal)
    XCTAssertEqual(r[8], r[0])
    XCTAssertEqual(r[9], d.map { 3 * $0 })
    assertClose(r[10], [d.map { sin($0) }.reduce(0, +) * exp(-6)])
  }

  func testBatch() throws {
    let t = Tape(), x = t.input(.f64, [3]), k = t.input(), y = f(x) * k, wide = t.input(.f64, [4, 3])
    let b = try t.batch([y], [x], [wide], size: 4)[0]
    XCTAssertEqual(b.shape, [4])
    let rows = (0 ..< 4).map { i in point.map { $0 * Double(i) } }
    let got = try evaluate(t, [(wide, rows.flatMap { $0 }), (k, [2])], [b])[0]
    assertClose(got, try rows.map { try evaluate(t, [(x, $0), (k, [2])], [y])[0][0] }, 1e-15)
  }

  func testScan() throws {
    let t = Tape(), x0 = t.input(), a = t.input(), xs = t.input(.f64, [4])
    let r = t.scan(carry: [x0], over: [xs]) { _, c, x in
      let next = c[0] * a + x[0]
      return (carry: [next], y: [next * next])
    }
    XCTAssertEqual(r.carry[0].shape, [])
    XCTAssertEqual(r.y[0].shape, [4])
    var c = 2.0, ys: [Double] = []
    for v in [1.0, 2, 3, 4] { c = c * 0.5 + v; ys.append(c * c) }
    let d = [(x0, [2.0]), (a, [0.5]), (xs, [1.0, 2, 3, 4])]
    let got = try evaluate(t, d, [r.carry[0], r.y[0]] + (try t.grad(r.carry[0], [x0, xs])))
    XCTAssertEqual(got, [[c], ys, [0.0625], [0.125, 0.25, 0.5, 1]])
    let none = t.scan(carry: [x0], length: 0) { _, c, _ in (carry: [sin(c[0])], y: [c[0]]) }
    XCTAssertEqual(try evaluate(t, d, [none.carry[0], none.y[0]]), [[2], []])
    let backward = t.scan(carry: [x0], over: [xs], reverse: true) { _, c, x in (carry: [c[0] - x[0]], y: [c[0]]) }
    XCTAssertEqual(try evaluate(t, d, [backward.carry[0], backward.y[0]]), [[-8], [-7, -5, -2, 2]])
    let bad = t.scan(carry: [x0], over: [xs]) { body, c, x in (carry: [c[0] + body.input(.f64, [2])], y: []) }
    XCTAssertFalse(bad.carry[0].isValid)
    XCTAssertEqual(t.error?.status, -2)
  }

  func testPrecision() throws {
    let t = Tape(), x = t.input(.f32, [3]), y = (x * 0.1).sum(), low = try t.precision([y], [x], compute: .bf16, output: .f32)[0]
    XCTAssertEqual(low.dtype, .f32)
    XCTAssertEqual(try t.grad(low, [x])[0].dtype, .f32)
    let r = try evaluate(t, [(x, [1, 2, 3])], [y, low])
    XCTAssertNotEqual(r[0], r[1])
    assertClose(r[1], r[0], 1e-2)
  }

  func testProgramsAndRuns() throws {
    let t = Tape(), x = t.input(.f32, [2]), i = t.input(.i64), p = try Program(t, inputs: [x, i], outputs: [x * x, i + 1])
    XCTAssertEqual(try p([[1.5, 2], [41]]), [[2.25, 4], [42]])
    XCTAssertFalse(p.explanation.isEmpty)
    XCTAssertThrowsError(try p([[1.5], [41]])) { XCTAssertEqual("\($0)", "run: input 0 has 1 elements, the program takes f32[2]") }
    XCTAssertThrowsError(try p([[1.5, 2]])) { XCTAssertEqual("\($0)", "run: 1 inputs for 2") }
    let run = try p.makeRun()
    var a: [Float] = [3, 4], n: Int64 = 1, out: [Float] = [0, 0], m: Int64 = 0
    try a.withUnsafeMutableBytes { a in try out.withUnsafeMutableBytes { o in try withUnsafeMutableBytes(of: &n) { n in try withUnsafeMutableBytes(of: &m) { m in
      try run(inputs: [UnsafeRawPointer(a.baseAddress), UnsafeRawPointer(n.baseAddress)], outputs: [o.baseAddress, m.baseAddress])
    } } } }
    XCTAssertEqual(out, [9, 16])
    XCTAssertEqual(m, 2)
    XCTAssertThrowsError(try run(inputs: [], outputs: []))
    let other = t.input()
    XCTAssertThrowsError(try Program(t, inputs: [x], outputs: [other + 1]))
  }

  func testLinearized() throws {
    let t = Tape(), x = t.input(.f64, [3]), k = t.input(), y = sin(x) * k, l = try Linearized(t, inputs: [x, k], outputs: [y, f(x)])
    XCTAssertThrowsError(try l.jvp([[1, 0, 0], [0]]))
    let want = closed()
    for scale in [2.0, 3.0] {
      let v = try l.at([point, [scale]])
      assertClose(v[0], point.map { sin($0) * scale })
      assertClose(v[1], [want.f])
      for unit in 0 ..< 3 {
        let d = try l.jvp([(0 ..< 3).map { $0 == unit ? 1 : 0 }, [0]])
        assertClose(d[0], (0 ..< 3).map { $0 == unit ? cos(point[$0]) * scale : 0 })
        assertClose(d[1], [want.g[unit]])
      }
      let g = try l.vjp([[1, 1, 1], [1]])
      assertClose(g[0], (0 ..< 3).map { cos(point[$0]) * scale + want.g[$0] })
      assertClose(g[1], [point.map { sin($0) }.reduce(0, +)])
    }
    XCTAssertThrowsError(try l.vjp([[1, 1], [1]]))
  }

  func testHashes() throws {
    func program(_ late: Bool) throws -> UInt64 {
      let t = Tape(), x = t.input(.f64, [3]), a = late ? cos(x) : sin(x), b = late ? sin(x) : cos(x)
      return try t.hash([x], [late ? b * a : a * b])
    }
    XCTAssertEqual(try program(true), try program(false))
    let t = Tape(), x = t.input(), z = t.input()
    XCTAssertNotEqual(try t.hash([x], [x + 0.0]), try t.hash([x], [x + -0.0]))
    XCTAssertThrowsError(try t.hash([x], [x + z]))
  }
}
