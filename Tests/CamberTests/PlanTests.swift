import Camber
import XCTest

/// Elimination, stages, local Jacobians and the planner from Swift.
final class PlanTests: XCTestCase {
  func testMethods() throws {
    let tape = Tape(), x = tape.input(.f64, [3]), y = sin(x) * x
    let want = try tape.jacobian([y], [x])[0][0]
    var made = [want]
    made.append(try tape.jacobian([y], [x], sweep: .elimination)[0][0])
    made.append(try tape.jacobian([y], [x], sweep: .stagewise)[0][0])
    made.append(try tape.jacobian(try tape.preaccumulate([y], [x]), [x])[0][0])
    for method in ["forward", "reverse", "elimination", "stagewise"] { made.append(try tape.planBlocks(.jacobian, method: method, [y], [x])[0][0]) }
    XCTAssertThrowsError(try tape.planBlocks(.jacobian, method: "guess", [y], [x]))
    let out = try evaluate(tape, [(x, [0.5, 1, 2])], made)
    for block in out { for (a, b) in zip(block, out[0]) { XCTAssertEqual(a, b, accuracy: 1e-14) } }
    let cost = try tape.eliminationCost([y], [x], order: .reverse)
    XCTAssertEqual(cost.vertices, 6)
    XCTAssertGreaterThanOrEqual(cost.products, try tape.eliminationCost([y], [x]).products)
  }

  func testPlan() throws {
    let tape = Tape(), x = tape.input(.f64, [40]), y = sin(x) * x
    let plan = try Plan(tape, .sparseJacobian, [y], [x])
    XCTAssertEqual(plan.method, "")
    let point = [Double](repeating: 0.5, count: 40)
    let method = try point.withUnsafeBytes { try plan.run([$0.baseAddress]) }
    XCTAssertTrue(plan.table.contains { $0.method == method && $0.applies })
    XCTAssertTrue(plan.explanation.contains(method) && plan.json.contains("methods"))
    let few = try Plan(tape, .jacobian, [y], [x], rounding: true, evaluations: 1)
    XCTAssertNotEqual(try point.withUnsafeBytes { try few.run([$0.baseAddress]) }, "")
    XCTAssertThrowsError(try Plan(tape, .jacobian, [y], [x], evaluations: -1))
    XCTAssertThrowsError(try plan.run([]))
    XCTAssertThrowsError(try plan.run([nil]))
    XCTAssertThrowsError(try Plan(tape, .hessian, [y], [x]))
  }
}
