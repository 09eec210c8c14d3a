import Glibc
import Tape
import XCTest

/// Random numbers are functions of their key: repeatable, in range, of the right moments.
final class RandomTests: XCTestCase {
  func testUniformAndNormal() throws {
    let n = 20_000
    for d in [DType.f64, .f32, .f16, .bf16] {
      let t = Tape(), key = t.input(TensorType(.i64, [])), u = t.randomUniform(key, d, [n]), z = t.randomNormal(key, d, [n])
      let r = try evaluate(t, [u, z], [(key, [42])]), again = try evaluate(t, [u, z], [(key, [42])]), other = try evaluate(t, [u, z], [(key, [43])])
      XCTAssertTrue(sameBits(r, again))
      XCTAssertFalse(sameBits(r, other))
      XCTAssertTrue(r[0].allSatisfy { $0 >= 0 && $0 < 1 }, d.name)
      func moments(_ v: Doubles) -> (Double, Double) {
        let m = v.reduce(0, +) / Double(v.count)
        return (m, v.reduce(0) { $0 + ($1 - m) * ($1 - m) } / Double(v.count))
      }
      // Five standard errors.
      let (m, v) = moments(r[0]), (m1, v1) = moments(r[1]), slack = 5 / sqrt(Double(n)), grain = d == .bf16 ? 0.004 : 0.0005
      XCTAssertLessThan(abs(m - 0.5), 0.29 * slack + grain, d.name)
      XCTAssertLessThan(abs(v - 1 / 12.0), 0.075 * slack + grain)
      XCTAssertLessThan(abs(m1), slack + grain)
      XCTAssertLessThan(abs(v1 - 1), 1.42 * slack + grain)
      XCTAssertTrue(r[1].allSatisfy(\.isFinite))
    }
  }

  func testKeys() throws {
    let t = Tape(), key = t.constant(.i64, integer: 1), a = t.binary(.fold_key, key, t.constant(.i64, integer: 1)), b = t.binary(.fold_key, key, t.constant(.i64, integer: 2))
    let keys = t.indices([1, 2, 1])
    let r = try evaluate(t, [t.randomUniform(a, .f64, [4]), t.randomUniform(b, .f64, [4]), t.randomUniform(keys, .f64, [4]), t.randomUniform(key, .f64, [4])], [])
    XCTAssertNotEqual(r[0], r[1])
    XCTAssertEqual(Array(r[2][..<4]), r[3], "a batch of keys is a loop over them")
    XCTAssertEqual(Array(r[2][..<4]), Array(r[2][8...]))
  }

  func testDropout() throws {
    let t = Tape(), x = t.f64(10_000), key = t.input(TensorType(.i64, [])), y = t.dropout(x, key, rate: 0.25), g = t.grad(t.total(y), [x])[0]
    let r = try evaluate(t, [y, g], [(x, Doubles(repeating: 3, count: 10_000)), (key, [9])])
    XCTAssertTrue(r[0].allSatisfy { $0 == 0 || $0 == 4 })
    XCTAssertEqual(r[1], r[0].map { $0 / 3 })
    XCTAssertLessThan(abs(Double(r[0].filter { $0 == 0 }.count) - 2500), 5 * (10_000 * 0.25 * 0.75).squareRoot())
    XCTAssertEqual(t.dropout(x, key, rate: 0), x)
  }
}
