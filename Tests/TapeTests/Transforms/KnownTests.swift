import CKernels
import Tape
import XCTest

/// Small arrays known to `simplify`: computed there, to the bit.
final class KnownTests: XCTestCase {
  func testFolds() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [3, 3]))
    let rows = t.iota(TensorType(.i64, [3, 3]), axis: -2), columns = t.iota(TensorType(.i64, [3, 3]), axis: -1)
    let lower = t.binary(.ge, rows, columns), diagonal = t.binary(.eq, rows, columns)
    let table = t.array(TensorType(.f64, [3, 3]), [0.1, -0.0, .infinity, 1e300, 5e-324, .nan, -2, 3.5, 7])
    let square = t.binary(.mul, table, table), moved = t.transpose(t.slice(t.concat([square, table], axis: -1), axis: -1, start: 1, count: 3), [1, 0])
    let all = t.or(lower, t.not(lower)), none = t.and(diagonal, t.not(lower))
    let outputs = [
      t.mul(t.cast(diagonal, .f64), x), t.gate(lower, x, square), t.gate(all, x, x), t.gate(none, x, x), t.add(x, t.unary(.exp, moved)),
      t.select(t.binary(.lt, table, square), x, moved), t.reshape(square, [9]), t.cast(t.reverse(rows, axes: [-1]), .f32),
    ]
    let simple = t.simplify(outputs)
    XCTAssertNil(t.failure)
    let data = [1.5, -0.0, .infinity, 2, -3, .nan, 1e-310, 8, 9]
    XCTAssertTrue(sameBits(try Runner(t, [x], outputs)([data]), try Runner(t, [x], simple)([data])))
    for (k, n) in [(6, Structural.array), (7, .array)] { XCTAssertEqual(t.structural(simple[k]), n, "output \(k)") }
    XCTAssertEqual(t.op(simple[2]), OpCode(Binary.mul), "a mask that is set everywhere")
    XCTAssertTrue(t.isUniform(simple[3], 0), "a mask that is set nowhere")
    for (k, slot) in [(0, 0), (1, 0), (1, 2), (5, 2)] { XCTAssertEqual(t.structural(t.input(simple[k], slot)), .array, "output \(k), operand \(slot)") }
  }

  /// What is large, of 16 bits, or depends on an input stays.
  func testLeaves() {
    let t = Tape(), x = t.input(TensorType(.f64, [4]))
    let large = t.unary(.sin, t.cast(t.iota(TensorType(.i64, [2000]), axis: -1), .f64))
    let half = t.unary(.neg, t.cast(t.iota(TensorType(.i32, [4]), axis: -1), .bf16)), own = t.unary(.sin, x)
    let simple = t.simplify([large, half, own])
    XCTAssertEqual(t.op(simple[0]), OpCode(Unary.sin))
    XCTAssertEqual(t.op(simple[1]), OpCode(Unary.neg))
    XCTAssertEqual(simple[2], own)
  }
}
