import Tape
import XCTest

/// Cotangents of slices that lie side by side are concatenated; what no slice covers stays structurally zero.
final class JoinTests: XCTestCase {
  private func uses(_ t: Tape, _ outputs: [NodeID], _ ops: [Structural]) -> Int {
    guard let nodes = t.order(outputs) else { return -1 }
    return (0 ..< nodes.count).filter { k in ops.contains { t.op(nodes[k]) == OpCode($0) } }.count
  }
  private func masks(_ t: Tape, _ outputs: [NodeID]) -> Int {
    guard let nodes = t.order(outputs) else { return -1 }
    return (0 ..< nodes.count).filter { t.dtype(nodes[$0]) == .bool }.count
  }
  private func mix(_ t: Tape, _ pieces: [NodeID]) -> NodeID {
    pieces.enumerated().reduce(t.constant(.f64, 0)) { s, p in t.add(s, t.total(t.unary(p.offset % 2 == 0 ? .sin : .exp, p.element))) }
  }
  private func derivatives(_ values: Doubles, _ even: [Bool]) -> Doubles { zip(values, even).map { x, e in e ? cos(x) : exp(x) } }

  /// Four gates, read in every order, of unequal lengths, along either axis: no pad is left, nor a mask.
  func testWholes() throws {
    var g = Random(7)
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 2, 3], [1, 3, 0, 2], [2, 0, 3, 1]], starts = [0, 2, 3, 6, 8]
    for order in orders {
      for axis in [-1, -2] {
        let t = Tape(), x = axis == -1 ? t.f64(3, 8) : t.f64(8, 3)
        let pieces = order.map { t.slice(x, axis: axis, start: starts[$0], count: starts[$0 + 1] - starts[$0]) }
        let loss = mix(t, pieces), d = t.grad(loss, [x]), v = g.values(24)
        XCTAssertEqual(uses(t, d, [.pad]), 0, "\(order)")
        XCTAssertEqual(masks(t, d), 0, "\(order)")
        let even = (0 ..< 24).map { i in order.firstIndex { let at = axis == -1 ? i % 8 : i / 3; return at >= starts[$0] && at < starts[$0 + 1] }.map { $0 % 2 == 0 } ?? false }
        XCTAssertLessThan(distance([try evaluate(t, d, [(x, v)])[0]], [derivatives(v, even)]), 1e-15, "\(order)")
        t.typecheck()
      }
    }
  }

  /// A gap stays a structural zero under an infinite partial; slices that overlap or stride are added as before.
  func testParts() throws {
    let t = Tape(), x = t.f64(6), r = t.unary(.sqrt, x)
    let loss = t.add(t.total(t.slice(r, axis: -1, start: 1, count: 2)), t.total(t.slice(r, axis: -1, start: 3, count: 2)))
    let d = t.grad(loss, [x])
    XCTAssertLessThanOrEqual(uses(t, d, [.pad]), 2, "one pad of the values, one of the mask")
    XCTAssertEqual(try evaluate(t, d, [(x, [0, 1, 4, 16, 64, 0])])[0], [0, 0.5, 0.25, 0.125, 0.0625, 0])
    let u = Tape(), y = u.f64(6), cuts = [u.slice(y, axis: -1, start: 0, count: 4), u.slice(y, axis: -1, start: 3, count: 3), u.slice(y, axis: -1, start: 0, count: 3, step: 2), u.slice(y, axis: -1, start: 1, count: 3, step: 2)]
    let e = u.grad(cuts.reduce(u.constant(.f64, 0)) { u.add($0, u.total(u.unary(.square, $1))) }, [y])
    XCTAssertEqual(try evaluate(u, e, [(y, [1, 2, 3, 4, 5, 6])])[0], [4, 8, 12, 24, 20, 24])
  }

  /// Rows taken one by one: nodes grow linearly.
  func testManyRows() throws {
    for n in [100, 1000] {
      let t = Tape(), x = t.f64(n, 2), loss = (0 ..< n).reduce(t.constant(.f64, 0)) { t.add($0, t.total(t.scale(t.slice(x, axis: -2, start: $1, count: 1), Double($1 + 1)))) }
      let before = t.count, d = t.grad(loss, [x])
      XCTAssertLessThan(t.count - before, 12 * n)
      XCTAssertEqual(uses(t, d, [.pad]), 0)
      XCTAssertEqual(try evaluate(t, d, [(x, Doubles(repeating: 1, count: 2 * n))])[0], (0 ..< 2 * n).map { Double($0 / 2 + 1) })
    }
  }

  /// A transposed operand of a product is a flag, in batches too, and its gradient does without the transpose.
  func testTransposedOperands() throws {
    var g = Random(8)
    for lead in [[], [3], [2, 2]] {
      let t = Tape(), a = t.input(TensorType(.f64, lead + [4, 5])), b = t.input(TensorType(.f64, lead + [6, 5])), swap = lead.indices + [lead.count + 1, lead.count]
      let y = t.matmul(a, t.transpose(b, Array(swap))), z = t.matmul(a, b, false, true), w = t.matmul(t.transpose(t.matmul(b, a, false, true), Array(swap)), b)
      XCTAssertEqual(y, z)
      XCTAssertEqual(uses(t, [w] + t.grad(t.total(t.unary(.sin, y)), [a, b]), [.transpose]), 0)
      let data = [g.values(t.type(a).count), g.values(t.type(b).count)], r = try evaluate(t, [w, t.matmul(z, b)], [(a, data[0]), (b, data[1])])
      XCTAssertEqual(r[0], r[1])
    }
  }
}
