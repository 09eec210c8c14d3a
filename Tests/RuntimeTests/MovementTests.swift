import CKernels
import Tape
import XCTest
@testable import Runtime

/// Kernels that move: against plain loops, at every instruction set, with shapes around their tiles and runs.
final class MovementTests: XCTestCase {
  private func everyLevel(_ body: (Int32) -> Void) {
    let was = ck_level()
    for level in 0 ... ck_level_max() {
      XCTAssertTrue(ck_set_level(level))
      body(level)
    }
    _ = ck_set_level(was)
  }
  private func noise(_ n: Int, _ g: inout Random) -> Bytes { Bytes((0 ..< n).map { _ in UInt8(truncatingIfNeeded: g.next()) }) }

  func testStridedCopies() {
    everyLevel { level in
      var g = Random(state: 11)
      let x = noise(1 << 18, &g)
      for trial in 0 ..< 600 {
        let size = 1 << g.below(4), rank = 1 + g.below(4)
        var shape: [Int64] = [], to = [Int64](repeating: 0, count: rank), from = to
        for _ in 0 ..< rank { shape.append(Int64(1 + g.below(rank > 2 ? 9 : g.below(2) == 0 ? 70 : 5))) }
        if rank == 2, trial % 3 == 0 { shape = [Int64(1 + g.below(200)), Int64(2 + g.below(2))] }
        var order = Array(0 ..< rank), step: Int64 = 1
        order.shuffle(using: &g)
        for k in order { (from[k], step) = (g.below(9) == 0 ? 0 : step, step * (shape[k] + Int64(g.below(2)))) }
        let span = Int(step)
        step = 1
        for k in (0 ..< rank).reversed() { (to[k], step) = (step, step * (shape[k] + Int64(g.below(5) / 4))) }
        if trial % 3 == 0, g.below(2) == 0 { shape.reverse(); (from, to) = (from.reversed(), to.reversed()) }
        let out = shape.indices.map { (Int(shape[$0]) - 1) * Int(to[$0]) }.reduce(1, +)
        guard span * size <= x.count else { continue }
        var got = Bytes(repeating: 0xA5, count: out * size + 8), want = got
        x.withUnsafeBytes { x in got.withUnsafeMutableBytes { got in
          guard let a = x.baseAddress, let b = got.baseAddress else { return }
          ck_copy_strided(size, rank, shape, a, from, b, to)
        } }
        var at = [Int64](repeating: 0, count: rank)
        for _ in 0 ..< shape.reduce(1, *) {
          let s = Int(zip(at, from).map(*).reduce(0, +)) * size, d = Int(zip(at, to).map(*).reduce(0, +)) * size
          for b in 0 ..< size { want[d + b] = x[s + b] }
          for k in (0 ..< rank).reversed() { at[k] += 1; if at[k] < shape[k] { break }; at[k] = 0 }
        }
        if got != want { XCTFail("level \(level): \(size) bytes, \(shape) from \(from) to \(to)") }
      }
    }
  }

  func testFills() {
    everyLevel { level in
      for size in [1, 2, 4, 8] {
        for n in [0, 1, 3, 7, 8, 15, 31, 63, 64, 65, 257, 1000] {
          let value = Bytes((1 ... 8).map { UInt8($0) }), one = Bytes(value[..<size])
          var got = Bytes(repeating: 0, count: n * size + 8)
          ck_fill(size, value, &got, n)
          XCTAssertEqual(got, Bytes((0 ..< n).flatMap { _ in one }) + Bytes(repeating: 0, count: 8), "level \(level): \(n) of \(size)")
        }
      }
    }
  }

  func testStretches() {
    everyLevel { level in
      var g = Random(state: 14)
      for trial in 0 ..< 2000 {
        let size = 1 << g.below(4), rep = trial % 3 == 0 ? 1 : 1 + g.below(40), period = 1 + g.below(20), n = 1 + g.below(600), start = g.below(5000)
        let x = noise(period * size, &g)
        var got = Bytes(repeating: 7, count: n * size + 64), want: Bytes = []
        ck_stretch(size, x, &got, start, n, rep, period)
        for i in 0 ..< n {
          let k: Int = (start + i) / rep % period, from: Int = k * size
          want += x[from ..< from + size]
        }
        want += Bytes(repeating: 7, count: 64)
        if got != want { XCTFail("level \(level): \(n) of \(size) from \(start), \(rep) times \(period)") }
      }
    }
  }

  func testGatherAndScatter() {
    everyLevel { level in
      var g = Random(state: 12)
      for trial in 0 ..< 150 {
        let batch = 1 + g.below(3), outer = 1 + g.below(3), n = 1 + g.below(40), m = g.below(60), inner = g.below(3) == 0 ? 1 : 1 + g.below(80), wide = g.below(2) == 0
        var index = (0 ..< batch * m).map { _ in g.below(2 * n) - n }
        var bad: Int64 = -1
        if trial % 5 == 0, !index.isEmpty {
          let at = g.below(index.count)
          index[at] = wide ? [n, -n - 1, Int.max, Int.min][g.below(4)] : [n, -n - 1, Int(Int32.max), Int(Int32.min)][g.below(4)]
          bad = Int64(at)
        }
        let i = wide ? bytes(index.map(Int64.init)) : bytes(index.map(Int32.init)), kind: Int32 = wide ? 4 : 5
        let row = { (b: Int, j: Int) in let v = index[b * m + j]; return v < 0 ? v + n : v }
        for size in [1, 2, 4, 8] {
          let x = noise(batch * outer * n * inner * size, &g)
          var got = Bytes(repeating: 3, count: batch * outer * m * inner * size + 8)
          XCTAssertEqual(ck_gather(size, x, kind, i, &got, batch, outer, n, m, inner), bad)
          if bad >= 0 { continue }
          var want: Bytes = []
          for b in 0 ..< batch { for o in 0 ..< outer { for j in 0 ..< m {
            let from = ((b * outer + o) * n + row(b, j)) * inner * size
            want += x[from ..< from + inner * size]
          } } }
          XCTAssertEqual(got, want + Bytes(repeating: 3, count: 8), "level \(level)")
        }
        // Sums whose order shows, whole and in parts.
        let u = (0 ..< batch * outer * m * inner).map { _ in Float(g.below(1000)) * 0.37 - 100 }
        var want = [Float](repeating: 0, count: batch * outer * n * inner)
        if bad < 0 { for b in 0 ..< batch { for o in 0 ..< outer { for j in 0 ..< m { for k in 0 ..< inner {
          want[((b * outer + o) * n + row(b, j)) * inner + k] += u[((b * outer + o) * m + j) * inner + k]
        } } } } }
        var got = [Float](repeating: 9, count: want.count)
        XCTAssertEqual(ck_scatter_add(1, kind, i, u, &got, nil, batch, outer, n, m, inner), bad)
        if bad >= 0 { continue }
        XCTAssertEqual(got, want, "level \(level)")
        got = [Float](repeating: 9, count: want.count)
        let cut = g.below(n + 1), column = g.below(inner + 1)
        for (r, c) in [(0 ..< cut, 0 ..< column), (0 ..< cut, column ..< inner), (cut ..< n, 0 ..< column), (cut ..< n, column ..< inner)] {
          var part = ck_scatter_part(row: r.lowerBound, row_end: r.upperBound, inner: c.lowerBound, inner_end: c.upperBound)
          XCTAssertEqual(ck_scatter_add_part(1, kind, i, u, &got, nil, batch, outer, n, m, inner, &part), -1)
        }
        XCTAssertEqual(got, want, "level \(level), cut at \(cut), \(column)")
      }
    }
  }

  /// A column's sum has the bits of that column alone, whatever stands beside it and however it lies.
  func testNarrowColumns() {
    everyLevel { level in
      var g = Random(state: 13)
      for width in [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 25, 31, 40, 48, 63, 64, 70, 100] {
        for n in [1, 2, 31, 33, 100, 130] {
          let x = (0 ..< n * width).map { _ in Double(g.below(100_000)) * 0.013 - 500 }, f = x.map(Float.init)
          for op in [Reduction.sum, .prod, .max, .min, .logsumexp, .norm] {
            var all = [Double](repeating: 0, count: width), alls = [Float](repeating: 0, count: width)
            ck_reduce(op, 0, x, &all, 1, n, width)
            ck_reduce(op, 1, f, &alls, 1, n, width)
            for c in 0 ..< width {
              // Two equal columns: a lone one is a line, which has another tree.
              let pair = (0 ..< n).flatMap { [x[$0 * width + c], x[$0 * width + c]] }, pairs = pair.map(Float.init)
              var two = [0.0, 0], twos: [Float] = [0, 0]
              ck_reduce(op, 0, pair, &two, 1, n, 2)
              ck_reduce(op, 1, pairs, &twos, 1, n, 2)
              if width > 1, all[c].bitPattern != two[1].bitPattern || alls[c].bitPattern != twos[0].bitPattern { XCTFail("level \(level): \(op.rawValue) of column \(c) of [\(n), \(width)]") }
            }
          }
        }
      }
    }
  }

  func testRandomInParts() {
    everyLevel { level in
      for (d, size) in [(0, 8), (1, 4), (2, 2), (3, 2)] as [(Int32, Int)] {
        for (n, cut) in [(1, 0), (8, 4), (1001, 404), (5000, 4096)] {
          var key: Int64 = -77, whole = Bytes(repeating: 1, count: n * size), parts = whole
          ck_random_uniform(d, &key, &whole, 1, n)
          parts.withUnsafeMutableBytes { p in
            guard let b = p.baseAddress else { return }
            ck_random_uniform_part(d, key, b, 0, cut)
            ck_random_uniform_part(d, key, b + cut * size, cut, n - cut)
          }
          XCTAssertEqual(whole, parts, "level \(level)")
        }
      }
    }
    // Philox4x32-10 of counter 0 and key 0, as published with it: 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
    everyLevel { _ in
      var key: Int64 = 0, f = [Float](repeating: 0, count: 4), d = [0.0, 0]
      ck_random_uniform(1, &key, &f, 1, 4)
      XCTAssertEqual(f, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8].map { (w: UInt32) in Float(w >> 8) * 0x1p-24 })
      ck_random_uniform(0, &key, &d, 1, 2)
      XCTAssertEqual(d, [0xe169c58d_6627e8d5, 0x9b00dbd8_bc57ac4c].map { (w: UInt64) in Double(w >> 11) * 0x1p-53 })
    }
  }
}
