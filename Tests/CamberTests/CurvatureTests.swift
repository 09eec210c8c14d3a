import Camber
import Foundation
import XCTest

/// Curvature and reports by the Swift face.
final class CurvatureTests: XCTestCase {
  private func quadratic() throws -> (Tape, Curvature) {
    let t = Tape(), x = t.input(.f64, [3]), a = t.array([4, 1, 0, 1, 3, 0.5, 0, 0.5, 2], [3, 3])
    let y = (x * a.matmul(x)).sum() * 0.5
    return (t, try Curvature(t, y, [x]))
  }

  func testFiguresAndApproximations() throws {
    let (_, c) = try quadratic()
    XCTAssertThrowsError(try c.figure("trace")) { XCTAssertTrue("\($0)".hasPrefix("curvature: no point")) }
    try c.at([[1, -1, 2]])
    XCTAssertEqual(try c.figure("trace").value, 9, accuracy: 1e-13)
    XCTAssertEqual(try c.diagonal().values, [4, 3, 2])
    XCTAssertEqual(try c.product([1, 0, 0]), [4, 1, 0])
    XCTAssertEqual(try c.eigenvalues().values.count, 3)
    try c.addDiagonal("diagonal", [4, 3, 2])
    try c.addProduct("twice") { v in [8 * v[0] + 2 * v[1], 2 * v[0] + 6 * v[1] + v[2], v[1] + 4 * v[2]] }
    XCTAssertEqual(try c.error("twice", "operator").value, 1, accuracy: 1e-12)
    XCTAssertEqual(try c.error("diagonal", "diagonal").value, 0, accuracy: 1e-12)
    XCTAssertThrowsError(try c.addMatrix("m", [1]))
    XCTAssertEqual(c.approximations, ["diagonal", "twice"])
    XCTAssertThrowsError(try c.at([[1]]))
  }

  func testReports() throws {
    let (_, c) = try quadratic()
    try c.at([[1, -1, 2]])
    let r = Report("A & B")
    try r.add(c)
    try r.series("curve", [1, 2, 4], low: [0, 1, 2], high: [2, 3, 6])
    r.finding("note", .note, evidence: "<for the test>")
    XCTAssertThrowsError(try r.series("curve", [1], x: [1, 2]))
    let page = r.render(.html)
    XCTAssertTrue(page.hasPrefix("<!DOCTYPE html>"))
    XCTAssertTrue(page.utf8.count < 1_000_000)
    XCTAssertNotNil(page.range(of: "&lt;for the test&gt;"))
    XCTAssertNil(page.range(of: "<script"))
    XCTAssertNotNil(r.render().range(of: "[note] note"))
  }
}
