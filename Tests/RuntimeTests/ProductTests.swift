import CKernels
import Tape
import XCTest

#if arch(x86_64)
private typealias Wide = Float80
#else
private typealias Wide = Double
#endif

/// The kernel of products: values against sums in extended precision, and the same bits for any cut, on any instruction set with FMA.
final class ProductTests: XCTestCase {
  private struct Case {
    var dtype: DType, ta: Bool, tb: Bool, m: Int, n: Int, k: Int
    var name: String { "\(dtype.name) \(ta ? "T" : "N")\(tb ? "T" : "N") \(m) x \(n) x \(k)" }
    var whole: ck_range { ck_range(i: 0, i_end: m, j: 0, j_end: n) }
  }

  /// Runs ranges of a product; what lies around the result and behind the scratch keeps its bytes.
  private func run(_ c: Case, _ a: Bytes, _ b: Bytes, _ ranges: [ck_range], file: StaticString = #filePath, line: UInt = #line) -> Bytes {
    let d = c.dtype.rawValue, guarded = 64, size = c.m * c.n * c.dtype.size, scratch = ck_gemm_scratch(d, c.ta, c.tb, c.m, c.n, c.k)
    XCTAssertLessThan(scratch, 1 << 20, c.name, file: file, line: line)
    let out = UnsafeMutableRawPointer.allocate(byteCount: size + 2 * guarded, alignment: 64), work = UnsafeMutableRawPointer.allocate(byteCount: scratch + guarded, alignment: 64)
    defer { out.deallocate(); work.deallocate() }
    memset(out, 0xFF, size + 2 * guarded)
    memset(work, 0xFF, scratch + guarded)   // NaNs: nothing is read that was not written
    for r in ranges { ck_gemm_range(d, c.ta, c.tb, c.m, c.n, c.k, a, b, out + guarded, r, work) }
    for i in 0 ..< guarded {
      XCTAssertTrue([out + i, out + guarded + size + i, work + scratch + i].allSatisfy { $0.load(as: UInt8.self) == 0xFF }, "\(c.name): written outside", file: file, line: line)
    }
    return Bytes(UnsafeRawBufferPointer(start: out + guarded, count: size))
  }

  private func doubles(_ b: Bytes, _ d: DType) -> [Double] {
    var x = [Double](repeating: 0, count: b.count / d.size)
    ck_cast_kernel(d.rawValue, 0)?(b, nil, nil, &x, x.count)
    return x
  }

  /// By definition, in extended precision, with the sum of absolute products.
  private func reference(_ c: Case, _ a: [Double], _ b: [Double]) -> [(Wide, Wide)] {
    var r: [(Wide, Wide)] = []
    for i in 0 ..< c.m {
      for j in 0 ..< c.n {
        var sum: Wide = 0, size: Wide = 0
        for p in 0 ..< c.k {
          let x = Wide(a[c.ta ? p * c.m + i : i * c.k + p]) * Wide(b[c.tb ? j * c.k + p : p * c.n + j])
          sum += x
          size += abs(x)
        }
        r.append((sum, size))
      }
    }
    return r
  }

  private func check(_ c: Case, _ g: inout Random) {
    let a = g.array(TensorType(c.dtype, [c.m, c.k])), b = g.array(TensorType(c.dtype, [c.k, c.n]))
    let want = reference(c, doubles(a, c.dtype), doubles(b, c.dtype)), now = ck_level()
    defer { _ = ck_set_level(now) }
    let i = g.below(c.m + 1), j = g.below(c.n + 1)
    let cut = [ck_range(i: i, i_end: c.m, j: j, j_end: c.n), ck_range(i: 0, i_end: i, j: 0, j_end: j), ck_range(i: i, i_end: c.m, j: 0, j_end: j), ck_range(i: 0, i_end: i, j: j, j_end: c.n)]
    var best: Bytes?
    for level in (0 ... ck_level_max()).reversed() {
      XCTAssertTrue(ck_set_level(level))
      let r = run(c, a, b, [c.whole]), x = doubles(r, c.dtype), name = "\(c.name) \(String(cString: ck_level_name(level)))"
      let unit: Wide = c.dtype == .f64 ? 0x1p-53 : c.dtype.isFloat ? 0x1p-24 : 0, last: Wide = c.dtype == .f16 ? 0x1p-11 : c.dtype == .bf16 ? 0x1p-8 : 0
      for e in want.indices {
        let bound = Wide(min(c.k, 260) + c.k / 256 + 1) * unit * want[e].1 + last * abs(want[e].0) * 1.01 + (last > 0 ? 0x1p-25 : 0)
        if !(abs(Wide(x[e]) - want[e].0) <= bound) { return XCTFail("\(name): element \(e) is \(x[e]), not \(want[e].0)") }
      }
      XCTAssertEqual(run(c, a, b, cut), r, "\(name) cut at \(i), \(j)")
      if level > 0 {
        if let best { XCTAssertEqual(r, best, name) }
        best = r
      }
    }
  }

  /// Each way a shape can take, at its borders, in all dtypes and transposes.
  func testShapes() {
    let shapes = [[1, 1, 1], [2, 3, 4], [4, 4, 4], [4, 5, 4], [1, 9, 300], [9, 1, 300], [1, 1, 1100], [1, 30, 7], [30, 1, 8], [1, 1100, 20], [1100, 1, 20], [2, 100, 30], [100, 2, 30], [3, 24, 257],
                  [8, 48, 16], [7, 47, 15], [9, 49, 17], [17, 16, 33], [16, 17, 33], [40, 10, 70], [12, 64, 256], [13, 65, 257], [33, 40, 520], [5, 96, 40], [260, 20, 12], [20, 2100, 5], [2100, 5, 5], [130, 70, 3]]
    var g = Random(state: 41)
    for s in shapes {
      for d in [DType.f64, .f32, .f16, .bf16, .i64, .i32] {
        for f in 0 ..< 4 { check(Case(dtype: d, ta: f & 1 != 0, tb: f & 2 != 0, m: s[0], n: s[1], k: s[2]), &g) }
      }
    }
  }

  func testRandomShapes() {
    var g = Random(state: 42)
    for _ in 0 ..< 200 {
      let d = [DType.f64, .f32, .f16, .bf16, .i64, .i32][g.below(6)], limit = [6, 20, 70][g.below(3)]
      check(Case(dtype: d, ta: g.below(2) > 0, tb: g.below(2) > 0, m: 1 + g.below(limit), n: 1 + g.below(limit), k: 1 + g.below(4 * limit)), &g)
    }
  }

  /// A row of a product, a product of one matrix of a batch: the order of a sum does not depend on the others.
  func testRowsAgree() {
    var g = Random(state: 43)
    for d in [DType.f64, .f32] {
      for tb in [false, true] {
        let c = Case(dtype: d, ta: false, tb: tb, m: 30, n: 40, k: 600), a = g.array(TensorType(d, [c.m, c.k])), b = g.array(TensorType(d, [c.k, c.n])), all = run(c, a, b, [c.whole])
        for rows in [2, 5, 16, 29] {
          let part = Case(dtype: d, ta: false, tb: tb, m: rows, n: 40, k: 600)
          XCTAssertEqual(run(part, Bytes(a[..<(rows * 600 * d.size)]), b, [part.whole]), Bytes(all[..<(rows * 40 * d.size)]))
        }
        if !tb {
          let one = Case(dtype: d, ta: false, tb: false, m: 1, n: 40, k: 600)
          XCTAssertEqual(run(one, Bytes(a[..<(600 * d.size)]), b, [one.whole]), Bytes(all[..<(40 * d.size)]))
        }
      }
    }
  }

  /// Infinities and NaNs reach the elements they belong to and no others; an empty sum is zero.
  func testSpecialValues() {
    for level in 0 ... ck_level_max() {
      let now = ck_level()
      defer { _ = ck_set_level(now) }
      XCTAssertTrue(ck_set_level(level))
      for (m, n, k) in [(20, 50, 30), (1, 50, 300), (50, 1, 300), (50, 3, 20), (3, 3, 3)] {
        for f in 0 ..< 4 {
          let c = Case(dtype: .f32, ta: f & 1 != 0, tb: f & 2 != 0, m: m, n: n, k: k)
          var a = [Float](repeating: 1, count: m * k), b = [Float](repeating: 1, count: k * n)
          let i = m / 2, j = n - 1, p = k - 1
          a[c.ta ? p * m + i : i * k + p] = .nan
          b[c.tb ? j * k + p : p * n + j] = .infinity
          let r = values(run(c, bytes(a), bytes(b), [c.whole]), Float.self)
          for u in 0 ..< m {
            for v in 0 ..< n {
              let x = r[u * n + v]
              XCTAssertTrue(u == i ? x.isNaN : v == j ? x == .infinity : x == Float(k), "\(c.name): \(u), \(v) is \(x)")
            }
          }
          XCTAssertEqual(values(run(Case(dtype: .f32, ta: c.ta, tb: c.tb, m: m, n: n, k: 0), [], [], [c.whole]), Float.self), [Float](repeating: 0, count: m * n))
        }
      }
    }
  }
}
