import Camber
import XCTest

final class RoundingTests: XCTestCase {
  func testCancellation() throws {
    let t = Tape(), x = t.input(.f64)
    let y = sqrt(x + 1) - sqrt(x)
    let r = try Rounding(t, [y], [x])
    try r.run([[1e12]])
    try r.at()
    XCTAssertEqual(r.level, .measured)
    XCTAssertEqual(r.corrected, 4.99999999999875e-07, accuracy: 1e-20)
    XCTAssertLessThanOrEqual(abs(r.estimate), r.bound)
    XCTAssertGreaterThan(r.bitsLost, 10)
    XCTAssertEqual(r.contributions.first?.op, "sqrt")
    XCTAssertEqual(r["value"], r.value)
    XCTAssertThrowsError(try r.at(output: 3))
    XCTAssertThrowsError(try r.run([[1], [2]]))
    XCTAssertThrowsError(try Rounding(t, [y], [x], options: ["hurry": 1]))
  }

  func testChecks() throws {
    let t = Tape(), x = t.input(.f64)
    let c = try DerivativeCheck(t, [sin(x) * exp(x)], [x])
    var at = 0.7
    XCTAssertEqual(try withUnsafePointer(to: &at) { try c.run([UnsafeRawPointer($0)]) }, .right)
    XCTAssertEqual(c.entries.count, 6)
    for e in c.entries { XCTAssertEqual(e.slope, e.kind == .hvp ? 3 : 2, accuracy: 0.2) }
    let k = try DerivativeCheck(t, [abs(x)], [x])
    at = 0
    XCTAssertEqual(try withUnsafePointer(to: &at) { try k.run([UnsafeRawPointer($0)]) }, .kink)
  }

  func testBoundsAsNodes() throws {
    let t = Tape(), x = t.input(.f64), y = sqrt(x + 1) - sqrt(x)
    let bound = try t.roundingBound(y, [x]), e = try t.roundingEstimate(y, [x])
    let r = try evaluate(t, [(x, [1e12])], [y, bound, e.bound, e.estimate, e.remainder]).map { $0[0] }
    let error = abs(r[0] - 4.99999999999875e-07)
    XCTAssertGreaterThan(error, 0)
    XCTAssertGreaterThanOrEqual(r[1], error)
    XCTAssertLessThan(r[1], 1e-9)
    XCTAssertEqual(r[1], r[2])
    XCTAssertEqual(r[0] - r[3], 4.99999999999875e-07, accuracy: 2 * r[4] + 1e-18)
  }

  func testSpectra() throws {
    let t = Tape(), x = t.input(.f64, [2]), y = t.array([2, 1, 0, 0.5], [2, 2]).matmul(x)
    let at = [0.3, 0.1]
    let e = try at.withUnsafeBytes { try lyapunovExponents(y, of: x, at: $0.baseAddress!, steps: 200, count: 2) }
    XCTAssertEqual(e[0], 0.6931471805599453, accuracy: 0.01)
    XCTAssertEqual(e[0] + e[1], 0, accuracy: 1e-12)
    let s = try at.withUnsafeBytes { try singularValues(y, of: x, at: $0.baseAddress!) }
    XCTAssertEqual(s.largest * s.smallest, 1, accuracy: 1e-12)
    XCTAssertEqual(s.largest * s.largest + s.smallest * s.smallest, 5.25, accuracy: 1e-12)
    XCTAssertThrowsError(try at.withUnsafeBytes { try singularValues(y, of: x, at: $0.baseAddress!, steps: 0) })
  }
}
