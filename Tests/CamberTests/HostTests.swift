import Camber
import Glibc
import XCTest

/// Functions and derivatives of Swift's own, through the product's face.
final class HostTests: XCTestCase {
  private struct Diverged: Error, Equatable { let at: Double }

  private func sine(_ t: Tape, _ x: Node, limit: Double = 10) -> Node {
    t.hostCall("sine", [x], results: [(x.dtype, x.shape)], jvp: { x, _, d in [d[0].map { cos(x[0]) * $0 }] }) { call in
      let x = try call.input(0), y = try call.output(0)
      for i in x.indices {
        guard x[i] < limit else { throw Diverged(at: x[i]) }
        y[i] = sin(x[i])
      }
    }[0]
  }

  func testDerivativesAndBatches() throws {
    let t = Tape(), x = t.input(.f64, [3]), wide = t.input(.f64, [2, 3]), y = sine(t, x), z = sin(x), at = [0.3, -1, 2]
    func both(_ f: (Node) throws -> [Node]) throws {
      let a = try f(y), b = try f(z)
      let p = try evaluate(t, [(x, at), (wide, at + at.map { $0 + 1 })], a), q = try evaluate(t, [(x, at), (wide, at + at.map { $0 + 1 })], b)
      for (u, v) in zip(p, q) { assertClose(u, v) }
    }
    try both { [$0] }
    try both { try t.grad(($0 * $0).sum(), [x]) }
    try both { try t.hessian(($0 * $0 * $0).sum(), [x]).flatMap { $0 } }
    try both { try t.batch([$0], [x], [wide], size: 2) }
    try both { try t.batch(try t.grad(($0 * $0).sum(), [x]), [x], [wide], size: 2) }
    try both { try t.jacobian([$0], [x], sweep: .reverse).flatMap { $0 } }
  }

  func testErrorsComeBack() throws {
    let t = Tape(), x = t.input(), y = sine(t, x, limit: 1), f = try Program(t, inputs: [x], outputs: [exp(y)])
    XCTAssertThrowsError(try f([[7]])) { XCTAssertEqual($0 as? Diverged, Diverged(at: 7)) }
    XCTAssertEqual(try f([[0]]), [[1]])
    let l = try Linearized(t, inputs: [x], outputs: [y])
    XCTAssertThrowsError(try l.at([[2]])) { XCTAssertEqual($0 as? Diverged, Diverged(at: 2)) }
    let wrong = t.hostCall("wrong", [x], results: [(.f64, [])]) { call in try call.output(0, as: Float.self)[0] = 1 }
    XCTAssertThrowsError(try Program(t, inputs: [x], outputs: wrong)([[0]])) { XCTAssertTrue("\($0)".contains("8 bytes, not 4"), "\($0)") }
    let beyond = t.hostCall("beyond", [x], results: [(.f64, [])]) { call in _ = try call.input(3) }
    XCTAssertThrowsError(try Program(t, inputs: [x], outputs: beyond)([[0]])) { XCTAssertTrue("\($0)".contains("input 3 of 1"), "\($0)") }
    // Rules that throw, or give what does not fit.
    let thrower = t.custom("thrower", [x], jvp: { _, _, _ in throw Diverged(at: 0) }) { _, p in [p[0] * 2] }
    XCTAssertThrowsError(try t.grad(thrower[0], [x])) { XCTAssertEqual($0 as? Diverged, Diverged(at: 0)) }
    t.clearError()
    let few = t.custom("few", [x], jvp: { _, _, _ in [] }) { _, p in [p[0] * 2] }
    XCTAssertThrowsError(try t.grad(few[0], [x])) { XCTAssertTrue("\($0)".contains("few: its rule gives 0 results, not 1"), "\($0)") }
    t.clearError()
    _ = t.custom("none", [x]) { _, p in p }
    XCTAssertEqual(t.error?.description, "none: neither a jvp nor a vjp is given")
    t.clearError()
    _ = t.hostCall("far", [Tape().input()], results: [(.f64, [])]) { _ in }
    XCTAssertEqual(t.error?.status, -4)
    t.clearError()
    XCTAssertThrowsError(try t.grad(wrong[0], [x])) { XCTAssertTrue("\($0)".contains("wrong: has no derivative"), "\($0)") }
  }

  func testSparsity() {
    let t = Tape(), x = t.input(.f64, [2])
    let y = t.hostCall("pair", [x], results: [(.f64, [2])], sparsity: { _, _ in [(0, 0), (1, 1)] }) { _ in }[0]
    XCTAssertEqual(t.sparsity(y, input: 0)?.map(\.column), [0, 1])
    XCTAssertEqual(t.sparsity(sine(t, x), input: 0)?.count, 4)
    XCTAssertNil(t.sparsity(x, input: 0))
    XCTAssertNil(t.sparsity(y, input: 1))
  }

  func testSparseDerivativesTakeIt() throws {
    let t = Tape(), n = 6, x = t.input(.f64, [n])
    let y = t.hostCall("squares", [x], results: [(.f64, [n])], jvpNumbers: { call in
      let x = try call.input(0), d = try call.input(2), out = try call.output(0)
      for i in x.indices { out[i] = 2 * x[i] * d[i] }
    }, sparsity: { _, _ in (0 ..< n).map { ($0, $0) } }) { call in
      let x = try call.input(0), y = try call.output(0)
      for i in x.indices { y[i] = x[i] * x[i] }
    }[0]
    let j = try SparseDerivative.jacobian(t, [y], [x])
    XCTAssertEqual(j.count, n)
    XCTAssertEqual(try j.values([[1, 2, 3, 4, 5, 6]]), [2, 4, 6, 8, 10, 12])
    let running = (x * x * x).sum()
    let h = try SparseDerivative.hessian(t, running, [x], method: .edgePushing)
    XCTAssertEqual(h.method, .edgePushing)
    XCTAssertEqual(try h.values([[1, 2, 3, 4, 5, 6]]), [6, 12, 18, 24, 30, 36])
    XCTAssertEqual(try t.edgePushingCost(running, [x]).vertices > 0, true)
    let words = try SparseDerivative.hessian(t, running, [x], method: .star, detection: .words)
    XCTAssertEqual(words.detection, .words)
    XCTAssertEqual(words.count, n)
  }

  func testCustomAndNumbers() throws {
    let t = Tape(), x = t.input(), v = t.input()
    let square = t.custom("square", [x], vjp: { x, _, w in [w[0].map { x[0] * 20 * $0 }] }) { _, p in [p[0] * p[0]] }
    XCTAssertEqual(try evaluate(t, [(x, [3]), (v, [2])], [square[0]] + (try t.grad(square[0], [x])) + (try t.jvp(square, [x], [v])) + (try t.hessian(square[0], [x])[0])), [[9], [60], [120], [20]])
    let numbers = t.hostCall("cube", [x], results: [(.f64, [])], pure: true, jvpNumbers: { c in
      try c.output(0)[0] = 3 * c.input(0)[0] * c.input(0)[0] * c.input(2)[0]
    }, vjpNumbers: { c in
      try c.output(0)[0] = 3 * c.input(0)[0] * c.input(0)[0] * c.input(2)[0]
    }) { c in try c.output(0)[0] = pow(c.input(0)[0], 3) }
    XCTAssertEqual(try evaluate(t, [(x, [2]), (v, [5])], numbers + (try t.grad(numbers[0], [x])) + (try t.jvp(numbers, [x], [v]))), [[8], [12], [60]])
    XCTAssertThrowsError(try t.hessian(numbers[0], [x])) { XCTAssertTrue("\($0)".contains("cube.vjp: has no derivative in the point"), "\($0)") }
  }
}
