import Tape
import XCTest

/// Two thousand random programs: direct, simplified, batched and recorded in another order.
final class RandomTapeTests: XCTestCase {
  func testRandomTapes() throws {
    var good = 0, all = 0, exact = 0
    for k in 0 ..< 2000 {
      var g = Random(UInt64(k) &* 7919 &+ 1)
      let r = Recipe(&g, elementwise: k % 4 == 0), t = Tape()
      let (x, loss, ends) = r.record(t, order: Array(r.lines.indices)), grads = t.grad(loss, x)
      let data = x.map { g.signed(t.type($0).count, 0.05, 1.5) }
      if let f = t.failure { XCTFail("\(k): \(f.message)"); continue }
      let direct = try Runner(t, x, ends + [loss] + grads)(data), values = ends.count + 1
      for v in direct.prefix(values) { XCTAssertTrue(v.allSatisfy(\.isFinite), "program \(k)") }
      for v in direct.dropFirst(values) { for e in v { all += 1; if e.isFinite, e != 0 { good += 1 } } }

      let simple = t.simplify(ends + [loss] + grads), s = try Runner(t, x, simple)(data)
      if r.isElementwise {
        XCTAssertTrue(sameBits(Array(direct.prefix(ends.count)), Array(s.prefix(ends.count))), "program \(k): simplify changed a bit")
        exact += 1
      }
      XCTAssertLessThan(distance(direct, s), 1e-12, "program \(k) simplified")

      // A batch of two, the second row other numbers.
      let more = x.map { g.signed(t.type($0).count, 0.05, 1.5) }
      let wide = x.map { t.input(TensorType(.f64, [2] + t.shape($0))) }, many = t.batch([loss] + grads, x, wide, size: 2)
      if let f = t.failure { XCTFail("\(k): \(f.message)"); continue }
      let second = try Runner(t, x, [loss] + grads)(more), b = try Runner(t, wide, many)(zip(data, more).map { $0 + $1 })
      let want = zip(direct.dropFirst(ends.count), second).map { $0 + $1 }
      XCTAssertLessThan(distance(b, want), 1e-11, "program \(k) batched")

      // The same statements in another order: the same program.
      let t2 = Tape(), (x2, loss2, ends2) = r.record(t2, order: r.shuffled(&g)), grads2 = t2.grad(loss2, x2)
      let again = try Runner(t2, x2, ends2 + [loss2] + grads2)(data)
      XCTAssertTrue(sameBits(direct, again), "program \(k) in another order")
      XCTAssertEqual(t.fingerprint(x, ends + [loss] + grads), t2.fingerprint(x2, ends2 + [loss2] + grads2), "program \(k)")
      if k % 20 == 0 { t.typecheck() }
    }
    print("random tapes: 2000, gradients finite and nonzero: \(good) of \(all) (\(100 * good / max(all, 1)) %), bit-exact simplified: \(exact)")
    XCTAssertGreaterThanOrEqual(Double(good), 0.9 * Double(all))
    XCTAssertGreaterThan(all, 20_000)
  }
}
