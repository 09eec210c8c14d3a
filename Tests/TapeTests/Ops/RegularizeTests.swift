import Tape
import XCTest

/// Penalties and clipping by their definition, also where 16 bits cannot hold a norm.
final class RegularizeTests: XCTestCase {
  func testPenalties() throws {
    let t = Tape(), x = t.f64(3), y = t.f64(), data: [(NodeID, Doubles)] = [(x, [1, -2, 0]), (y, [-4])]
    let l1 = t.penalty([x, y], squared: false), l2 = t.penalty([x, y], squared: true)
    XCTAssertEqual(try evaluate(t, [l1, l2] + t.grad(l1, [x, y]) + t.grad(l2, [x, y]), data), [[7], [10.5], [1, -1, 0], [-1], [1, -2, 0], [-4]])
    XCTAssertTrue(t.penalty([], squared: true).isNone)
    XCTAssertEqual(t.failure?.message, "l2_penalty: needs at least one node")
  }

  func testClipping() throws {
    for d in [DType.f64, .f32, .f16, .bf16] {
      let t = Tape(), x = t.input(TensorType(d, [2])), y = t.input(TensorType(d, []))
      let all = t.clipByGlobalNorm([x, y], 6.5) + t.clipByNorm([x, y], 2.5) + t.clipByValue([x, y], 3.5) + t.clipByGlobalNorm([x, y], 100) + t.clipByNorm([x], 100)
      XCTAssertEqual(all.map(t.dtype), all.map { _ in d })
      let r = try evaluate(t, all, [(x, [3, -4]), (y, [12])])
      XCTAssertLessThan(distance(r, [[1.5, -2], [6], [1.5, -2], [2.5], [3, -3.5], [3.5], [3, -4], [12], [3, -4]]), 2 * unit(d), d.name)
      let zero = try evaluate(t, all + t.grad(t.total(all[0]), [x]), [(x, [0, 0]), (y, [0])])
      XCTAssertTrue(zero.joined().dropLast(2).allSatisfy { $0 == 0 })
      XCTAssertEqual(zero.last, [1, 1], "a norm of 0 leaves x")
    }
  }

  /// |(60000, 60000)| is no f16; the clipped vector is.
  func testNormsBeyondTheFormat() throws {
    let t = Tape(), x = t.input(TensorType(.f16, [2])), want = 5 / (2.0).squareRoot()
    let r = try evaluate(t, t.clipByGlobalNorm([x], 5) + t.clipByNorm([x], 5) + t.clipByGlobalNorm([x, t.neg(x)], 5), [(x, [60000, 60000])])
    XCTAssertLessThan(distance(Array(r[..<2]), [[want, want], [want, want]]), 2 * unit(.f16))
    XCTAssertLessThan(distance(Array(r[2...]), [[2.5, 2.5], [-2.5, -2.5]]), 2 * unit(.f16))
    let y = t.f64(2), big = try evaluate(t, t.clipByGlobalNorm([y], 5), [(y, [3e200, 4e200])])[0]
    XCTAssertLessThan(distance([big], [[3, 4]]), 1e-15)
  }

  func testErrors() {
    for (limit, text) in [(0.0, "clip_by_norm: limit 0.0 is not positive"), (-1, "clip_by_norm: limit -1.0 is not positive"), (.nan, "clip_by_norm: limit nan is not positive")] {
      let t = Tape(), x = t.f64(2)
      XCTAssertTrue(t.clipByNorm([x], limit)[0].isNone)
      XCTAssertEqual(t.failure?.message, text)
    }
    let t = Tape()
    _ = t.clipByValue([t.indices([1])], 2)
    XCTAssertEqual(t.failure?.message, "clip_by_value: takes floats, not i64[1]")
  }
}
