import CKernels
import Tape
import XCTest
@testable import Runtime

/// Sums of a product and something: the bits of the two steps one after the other.
final class AdditionTests: XCTestCase {
  func testKernel() {
    let level = ck_level()
    defer { _ = ck_set_level(level) }
    var g = Random(state: 3)
    for l in 0 ... ck_level_max() where ck_set_level(l) {
      for d in [DType.f64, .f32] {
        for (m, n, k) in [(1, 70, 300), (70, 1, 40), (3, 4, 2), (37, 29, 600), (130, 60, 11), (50, 11, 125), (40, 300, 70), (260, 49, 257)] {
          let a = g.array(TensorType(d, [m, k])), b = g.array(TensorType(d, [k, n])), plus = g.array(TensorType(d, [m, n + 3]))
          for how in 0 ..< 4 {
            let ta = how & 1 == 1, tb = how & 2 == 2, none = ck_mask(p: nil, first: 0, bits: false)
            var work = [UInt64](repeating: 0, count: ck_gemm_scratch(d.rawValue, ta, tb, m, n, k) / 8 + 8)
            for row in [0, n, n + 3] {
              var want = Bytes(repeating: 0, count: m * n * d.size), got = want
              ck_gemm(d.rawValue, ta, tb, m, n, k, a, b, &want, &work)
              for i in 0 ..< m {
                want.withUnsafeMutableBytes { w in plus.withUnsafeBytes { p in
                  guard let w = w.baseAddress, let p = p.baseAddress else { return }
                  ck_row_kernel(Int32(OpCode(Binary.add).raw), d.rawValue)?(w + i * n * d.size, p + i * row * d.size, nil, w + i * n * d.size, n)
                } }
              }
              let i = g.below(m + 1), j = g.below(n + 1)
              for r in [ck_range(i: 0, i_end: i, j: 0, j_end: n), ck_range(i: i, i_end: m, j: 0, j_end: j), ck_range(i: i, i_end: m, j: j, j_end: n)] {
                ck_gemm_sum(d.rawValue, ta, tb, m, n, k, a, none, b, none, plus, row, &got, r, &work)
              }
              XCTAssertTrue(got == want, "\(d.name) \(ta) \(tb) \(m) x \(n) x \(k), rows \(row) apart, level \(l)")
            }
          }
        }
      }
    }
  }

  /// A program whose product is not seen, and one that shows it, too.
  func testPrograms() throws {
    var g = Random(state: 4)
    for d in [DType.f64, .f32] {
      for (m, n, k) in [(20, 30, 40), (200, 11, 64), (130, 140, 300), (64, 512, 20)] {
        let t = Tape(), a = t.input(TensorType(d, [m, k])), b = t.input(TensorType(d, [k, n])), c = t.input(TensorType(d, [m, n])), e = t.input(TensorType(d, [n]))
        let mask = t.input(TensorType(.bool, [m, k])), kept = t.gate(mask, a, t.broadcast(t.constant(d, 0), to: [m, k]))
        let products = [t.matmul(a, b), t.matmul(a, b), t.matmul(kept, b, false, false, maskA: mask)]
        let sums = [t.add(c, products[0]), t.add(products[1], t.broadcast(e, to: [m, n])), t.add(products[2], c)]
        var v = [a, b, c, e, mask].map { g.array(t.type($0)) }
        for round in 0 ..< 2 {
          if round == 1 {   // not finite where the mask hides it
            v[0].replaceSubrange(0 ..< d.size, with: d == .f64 ? bytes([Double.infinity]) : bytes([Float.infinity]))
            v[4][0] = 0
          }
          for s in 0 ..< 3 {
            let want = try Runner(t, [a, b, c, e, mask], [products[s], sums[s]]).run(v)[1]
            for threads in [1, 3] {
              let p = try Program(t, inputs: [a, b, c, e, mask], outputs: [sums[s]])
              XCTAssertNil(p.set("threads", Double(threads)))
              XCTAssertFalse(p.explanation.contains(": add"), p.explanation)
              XCTAssertTrue(try Runner(p).run(v)[0] == want, "\(d.name) \(m) x \(n) x \(k), sum \(s), round \(round), \(threads) threads")
            }
          }
        }
      }
    }
  }

  /// Steps add their product to what they carry, stages keep products apart from what comes later, and a product that is read twice stays.
  func testWhereProductsLie() throws {
    let t = Tape(), a = t.input(TensorType(.f64, [30, 40])), b = t.input(TensorType(.f64, [40, 50])), c = t.input(TensorType(.f64, [30, 50]))
    let y = t.matmul(a, b), z = t.add(y, c), both = t.mul(z, y)
    var g = Random(state: 5)
    let v = [a, b, c].map { g.array(t.type($0)) }
    let one = try oneByOne(t, [a: v[0], b: v[1], c: v[2]], [z, both])
    XCTAssertEqual(try Runner(t, [a, b, c], [z, both]).run(v), one)
    let p = try Program(t, stages: [([a, b], [t.unary(.sin, a)]), ([c], [z])]), r = try Runner(p)
    _ = r.run([v[0], v[1]])
    XCTAssertEqual(r.run([v[2]], stage: 1)[0], one[0])
    XCTAssertTrue(p.explanation.contains(": add"), p.explanation)
  }

  /// Rows whose columns are read from memory and stored to memory larger than the caches.
  func testColumns() throws {
    let level = ck_level(), cache = VectorBlocks.cache
    VectorBlocks.cache = 4096
    defer {
      _ = ck_set_level(level)
      VectorBlocks.cache = cache
    }
    let n = 100_003
    for l in 1 ... max(level, 1) where ck_set_level(l) {
      for (d, wide, made) in [(DType.f64, 11, 13), (.f32, 6, 5), (.f64, 5, 18), (.f64, 4, 2)] {
        let t = Tape(), x = t.input(TensorType(d, [n, wide])), columns = (0 ..< wide).map { t.slice(x, axis: -1, start: $0, count: 1) }
        let results = (0 ..< made).map { k in t.mul(t.add(columns[k % wide], columns[(k + 2) % wide]), columns[(3 * k + 1) % wide]) }
        let out = t.concat(results, axis: -1)
        var g = Random(state: 6)
        let piece = g.array(TensorType(d, [997]))
        var v: Bytes = []
        while v.count < n * wide * d.size { v += piece }
        v.removeLast(v.count - n * wide * d.size)
        var want: Bytes?
        for (backend, threads) in [(1, 1), (0, 1), (0, 3), (2, 1)] {
          let p = try Program(t, inputs: [x], outputs: [out])
          XCTAssertNil(p.set("backend", Double(backend)))
          XCTAssertNil(p.set("threads", Double(threads)))
          let got = try Runner(p).run([v])[0]
          if let want { XCTAssertTrue(got == want, "\(d.name) \(wide) to \(made), level \(l), back end \(backend), \(threads) threads") } else { want = got }
        }
      }
    }
  }
}
