import Tape
import XCTest

/// Products by their definition: einsum and NumPy's matmul against loops over all indices.
final class MatmulTests: XCTestCase {
  /// sum over all letters that the result does not name, by brute force.
  private func reference(_ subscripts: String, _ shapes: [[Int]], _ data: [Doubles]) -> Doubles {
    let sides = subscripts.split(separator: ">", omittingEmptySubsequences: false).map { $0.filter { $0 != "-" } }
    let terms = sides[0].split(separator: ",").map(Array.init), out = Array(sides[1])
    var extent: [Character: Int] = [:]
    for (t, s) in zip(terms, shapes) { for (c, n) in zip(t, s) { extent[c] = n } }
    let letters = out + extent.keys.filter { !out.contains($0) }.sorted(), total = letters.reduce(1) { $0 * (extent[$1] ?? 1) }
    var result = Doubles(repeating: 0, count: out.reduce(1) { $0 * (extent[$1] ?? 1) })
    for flat in 0 ..< total {
      var rest = flat, at: [Character: Int] = [:]
      for c in letters.reversed() {
        at[c] = rest % (extent[c] ?? 1)
        rest /= extent[c] ?? 1
      }
      func offset(_ t: [Character], _ s: [Int]) -> Int { zip(t, s).reduce(0) { $0 * $1.1 + (at[$1.0] ?? 0) } }
      let product = zip(zip(terms, shapes), data).reduce(1.0) { $0 * $1.1[offset($1.0.0, $1.0.1)] }
      result[offset(out, out.map { extent[$0] ?? 1 })] += product
    }
    return result
  }

  func testEinsum() throws {
    let cases: [(String, [[Int]])] = [
      ("ij,jk->ik", [[2, 3], [3, 4]]), ("ij,jk->ki", [[2, 3], [3, 4]]), ("bij,bjk->bik", [[2, 2, 3], [2, 3, 2]]), ("bij,jk->bik", [[2, 2, 3], [3, 2]]), ("i,j->ij", [[2], [3]]),
      ("i,i->", [[4], [4]]), ("ij->", [[2, 3]]), ("ij->i", [[2, 3]]), ("ii->i", [[3, 3]]), ("ii->", [[3, 3]]), ("iij->j", [[2, 2, 3]]), ("ijk->kji", [[2, 3, 4]]), ("ij,kl->il", [[2, 3], [2, 2]]),
      ("ijk,jl,km->ilm", [[2, 3, 2], [3, 2], [2, 3]]), ("bhqd,bhkd->bhqk", [[2, 2, 3, 2], [2, 2, 2, 2]]), ("ij,ij->ij", [[2, 3], [2, 3]]), ("ab,bc,cd->ad", [[2, 2], [2, 3], [3, 2]]),
      (",i->i", [[], [3]]), ("i,ij,j->", [[2], [2, 3], [3]]), ("ij,jk->ik", [[2, 0], [0, 2]]), ("iji,jk->ik", [[2, 3, 2], [3, 2]]),
    ]
    var g = Random(11)
    for (s, shapes) in cases {
      let t = Tape(), x = shapes.map { t.input(TensorType(.f64, $0)) }, y = t.einsum(s, x), data = x.map { g.values(t.type($0).count) }
      if let f = t.failure { XCTFail("\(s): \(f.message)"); continue }
      let parts = t.shape(y), want: Doubles
      // An empty first term confuses split: written out here.
      if s == ",i->i" { want = data[1].map { $0 * data[0][0] } } else { want = reference(s, shapes, data) }
      XCTAssertEqual(parts.reduce(1, *), want.count, s)
      XCTAssertLessThan(distance(try evaluate(t, [y], Array(zip(x, data))), [want]), 1e-14, s)
      t.typecheck()
    }
  }

  func testNumpyRule() throws {
    let cases: [([Int], [Int], [Int], String)] = [
      ([3], [3], [], "i,i->"), ([2, 3], [3], [2], "ij,j->i"), ([3], [3, 2], [2], "j,jk->k"), ([2, 3], [3, 2], [2, 2], "ij,jk->ik"), ([4, 2, 3], [3, 2], [4, 2, 2], "bij,jk->bik"),
      ([2, 3], [4, 3, 2], [4, 2, 2], "ij,bjk->bik"), ([4, 2, 3], [4, 3, 2], [4, 2, 2], "bij,bjk->bik"), ([3], [4, 3, 2], [4, 2], "j,bjk->bk"), ([4, 2, 3], [3], [4, 2], "bij,j->bi"),
      ([2, 1, 2, 3], [4, 3, 2], [2, 4, 2, 2], ""),
    ]
    var g = Random(12)
    for (a, b, shape, s) in cases {
      let t = Tape(), x = t.input(TensorType(.f64, a)), y = t.input(TensorType(.f64, b)), z = t.matmul(numpy: x, y), data = [g.values(t.type(x).count), g.values(t.type(y).count)]
      XCTAssertEqual(t.shape(z), shape, "\(a) \(b)")
      let r = try evaluate(t, [z], [(x, data[0]), (y, data[1])])
      let want = s.isEmpty ? reference("abij,cbjk->abik", [[2, 4, 2, 3], [1, 4, 3, 2]], [(0 ..< 2).flatMap { k in (0 ..< 4).flatMap { _ in Array(data[0][(6 * k) ..< (6 * k + 6)]) } }, data[1]]) : reference(s, [a, b], data)
      XCTAssertLessThan(distance(r, [want]), 1e-14, "\(a) \(b)")
    }
  }

  /// L L^T = A; A X = B; triangles ignore the other half.
  func testFactorisationsAndSolves() throws {
    var g = Random(13)
    let t = Tape(), a = t.f64(2, 3, 3), b = t.f64(2, 3, 2), L = t.apply(.cholesky, [a]), x = t.apply(.solve, [a, b], [0])
    let low = t.apply(.triangularSolve, [a, b], [1, 0, 0]), up = t.apply(.triangularSolve, [a, b], [0, 1, 1])
    let A = matrices(&g, 2, 3, symmetric: true), B = g.values(12)
    func triangle(_ m: Doubles, lower: Bool, unit: Bool) -> Doubles {
      m.indices.map { i in
        let r = i % 9 / 3, c = i % 3
        return r == c ? (unit ? 1 : m[i]) : (lower ? r > c : r < c) ? m[i] : 0
      }
    }
    let r = try evaluate(t, [t.matmul(L, L, false, true), t.matmul(a, x), L, low, up], [(a, A), (b, B)])
    XCTAssertLessThan(distance(Array(r[..<2]), [A, B]), 1e-14)
    XCTAssertTrue([1, 2, 5, 10, 11, 14].allSatisfy { r[2][$0] == 0 })
    let s = [[2, 3, 3], [2, 3, 2]]
    XCTAssertLessThan(distance([reference("bij,bjk->bik", s, [triangle(A, lower: true, unit: false), r[3]])], [B]), 1e-14)
    XCTAssertLessThan(distance([reference("bji,bjk->bik", s, [triangle(A, lower: false, unit: true), r[4]])], [B]), 1e-14)
    let bad = try evaluate(t, [L, x], [(a, Doubles(repeating: -1, count: 18)), (b, B)])
    XCTAssertTrue(bad[0].contains { $0.isNaN }, "not positive definite")
    XCTAssertTrue(bad[1].allSatisfy { $0.isNaN || $0.isInfinite }, "singular")
  }
}
