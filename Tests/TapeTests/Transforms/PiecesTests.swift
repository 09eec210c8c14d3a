import Tape
import XCTest

/// Cotangents of slices: joined where they do not overlap, structural zeros where nothing comes back.
final class PiecesTests: XCTestCase {
  private func nodes(_ t: Tape, _ s: Structural) -> Int { (0 ..< t.count).filter { t.structural(NodeID($0)) == s }.count }

  func testElementsOneByOne() throws {
    let n = 300, t = Tape(), x = t.f64(n)
    var y = t.constant(.f64, 0)
    for i in 0 ..< n { y = t.add(y, t.unary(.square, t.reshape(t.slice(x, axis: -1, start: i, count: 1), []))) }
    let g = t.grad(y, [x]), h = t.jvp(g, [x], [x])
    XCTAssertEqual(nodes(t, .pad), 0)
    let v = (0 ..< n).map { Double($0) - 7.5 }, r = try evaluate(t, g + h, [(x, v)])
    XCTAssertEqual(r, [v.map { 2 * $0 }, v.map { 2 * $0 }])
  }

  /// Overlaps, gaps, steps, several axes, an operand also read whole: against sums of pads.
  func testAgainstPads() throws {
    let cuts: [[[Int]]] = [[[0, 2, 1, 0, 5, 1], [2, 2, 1, 0, 5, 1]], [[0, 3, 1, 0, 5, 1], [1, 3, 1, 0, 5, 1], [3, 1, 1, 0, 5, 1]],
                           [[0, 4, 1, 0, 1, 1], [0, 4, 1, 3, 2, 1]], [[1, 2, 1, 1, 2, 1], [0, 4, 1, 4, 1, 1], [0, 1, 1, 0, 5, 1]],
                           [[0, 2, 2, 0, 5, 1], [1, 1, 1, 0, 5, 1], [3, 1, -1, 0, 5, 1]], [[3, 4, -1, 0, 5, 1], [0, 0, 1, 0, 5, 1]], [[0, 4, 1, 0, 5, 1], [2, 1, 1, 0, 5, 1]]]
    for (k, list) in cuts.enumerated() {
      for whole in [false, true] {
        var g = Random(UInt64(k)), t = Tape(), x = t.f64(4, 5)
        let weights = list.map { g.values($0[1] * $0[4]) }, v = g.values(20)
        func loss(_ t: Tape, _ x: NodeID) -> NodeID {
          var y = whole ? t.total(t.unary(.sin, x)) : t.constant(.f64, 0)
          for (a, w) in zip(list, weights) { y = t.add(y, t.total(t.mul(t.unary(.square, t.apply(.slice, [x], a)), t.literal(w, [a[1], a[4]])))) }
          return y
        }
        let l = loss(t, x), d = t.grad(l, [x])
        let got = try evaluate(t, d + t.jvp(d, [x], [x]), [(x, v)])
        var want = [whole ? v.map(cos) : v.map { _ in 0 }, whole ? v.map { -sin($0) * $0 } : v.map { _ in 0 }]
        for (a, w) in zip(list, weights) {
          for i in 0 ..< a[1] {
            for j in 0 ..< a[4] {
              let at = (a[0] + i * a[2]) * 5 + a[3] + j * a[5], s = 2 * w[i * a[4] + j]
              want[0][at] += s * v[at]
              want[1][at] += s * v[at]
            }
          }
        }
        XCTAssertLessThan(distance(got, want), 1e-14, "\\(list)")
        t = Tape()
        x = t.f64(4, 5)
      }
    }
  }

  /// Elements that no slice takes have none of an infinite factor: not 0 * inf.
  func testGapsAreStructuralZeros() throws {
    let t = Tape(), x = t.f64(4), y = t.unary(.log, x)
    let l = t.add(t.total(t.slice(y, axis: -1, start: 1, count: 1)), t.total(t.slice(y, axis: -1, start: 3, count: 1)))
    let d = t.grad(l, [x])
    XCTAssertEqual(try evaluate(t, d + t.hessian(l, [x]), [(x, [0, 2, 0, 4])]), [[0, 0.5, 0, 0.25], [0, 0, 0, 0, 0, -0.25, 0, 0, 0, 0, 0, 0, 0, 0, 0, -0.0625]])
  }
}
