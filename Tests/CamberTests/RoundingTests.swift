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
}
