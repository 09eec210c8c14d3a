import CKernels
import Runtime
import Tape
import XCTest

/// What the loop over the table does not see of sorting, scattering and running results.
final class OrderTests: XCTestCase {
  /// Products with zeros among the factors: first and second derivatives are those of the products of the others.
  func testProductsWithZeros() throws {
    let t = Tape(), x = t.f64(4), ids = t.indices([0, 1, 0, 0])
    let w = t.literal([1, 10, 100, 1000])
    let y = t.total(t.mul(t.apply(.cumprod, [x], [-1, 0]), w)), g = t.grad(y, [x])[0], h = t.hessian(y, [x])[0]
    let s = t.total(t.mul(t.segment(.segmentProd, x, ids, count: 2), t.literal([1, 10]))), gs = t.grad(s, [x])[0], hs = t.hessian(s, [x])[0]
    t.typecheck()
    let r = try evaluate(t, [g, h, gs, hs], [(x, [2, 0, 3, 0])])
    // y = a + 10 ab + 100 abc + 1000 abcd; s = acd + 10 b.
    XCTAssertEqual(r[0], [1, 10 * 2 + 100 * 6, 0, 0])
    XCTAssertEqual(r[1], [0, 310, 0, 0, 310, 0, 200, 6000, 0, 200, 0, 0, 0, 6000, 0, 0])
    XCTAssertEqual(r[2], [0, 10, 0, 6])
    XCTAssertEqual(r[3], [0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 2, 0])
  }

  /// What an operator leaves out gives no 0 * inf: the root's slope at 0 does not get through.
  func testStructuralZeros() throws {
    let t = Tape(), x = t.f64(3), root = t.unary(.sqrt, x), at = t.input(TensorType(.i64, [1])), u = t.f64(1)
    let first = { (n: NodeID) in t.total(t.slice(n, axis: -1, start: 0, count: 1)) }
    let outputs = [
      first(t.apply(.cumprod, [root], [-1, 0])), first(t.apply(.cummax, [root], [-1, 0])), first(t.apply(.recurrence, [t.ones3(), root], [-1, 0])),
      first(t.apply(.cumlogsumexp, [root], [-1, 0])), first(t.apply(.sort, [root], [-1, 1])), t.total(t.dynamicSlice(root, at, [1])), t.total(t.topK(root, 1, axis: -1, largest: true).values),
      t.total(t.dynamicUpdate(t.slice(root, axis: -1, start: 0, count: 1), u, at)), t.total(t.apply(.scatterSet, [root, t.indices([1, 2]), t.literal([5, 6])], [-1, 0])),
      t.total(t.segment(.segmentMax, root, t.indices([0, 0, 0]), count: 1)),
    ]
    let g = outputs.map { t.grad($0, [x])[0] }, h = outputs.map { t.hessian($0, [x])[0] }
    t.typecheck()
    let r = try evaluate(t, g + h, [(x, [4, 0, 0]), (at, [0]), (u, [1])])
    for k in g.indices { XCTAssertTrue(r[k].allSatisfy(\.isFinite), "\(k): \(r[k])") }
    for k in h.indices { XCTAssertTrue(r[g.count + k].allSatisfy(\.isFinite), "second \(k): \(r[g.count + k])") }
    for k in [0, 1, 2, 3, 4, 5, 6, 8, 9] { XCTAssertEqual(r[k], [0.25, 0, 0], "\(k)") }
  }

  /// A recurrence begins anew where its factor is 0, whatever stood before.
  func testRecurrenceBeginsAnew() throws {
    let t = Tape(), a = t.f64(4), b = t.f64(4), h = t.apply(.recurrence, [a, b], [-1, 0]), g = t.grad(t.total(t.slice(h, axis: -1, start: 2, count: 2)), [b])[0]
    let r = try evaluate(t, [h, g], [(a, [1, 2, 0, 3]), (b, [.infinity, 1, 1, .nan])])
    XCTAssertEqual(Array(r[0][..<3]), [.infinity, .infinity, 1])
    XCTAssertEqual(r[1], [0, 0, 4, 1])
  }

  /// Of every length, both ways, of an operation that does not commute: (a, b) then (c, d) is (ac, bc + d). Captured nodes count too.
  func testAssociativeScans() throws {
    for n in [1, 2, 3, 4, 5, 8, 13, 32] {
      for reverse in [false, true] {
        let t = Tape(), a = t.f64(2, n), b = t.f64(2, n), k = t.f64(), body = Tape(parent: t)
        let p = (0 ..< 4).map { _ in body.f64(2) }, c = body.broadcast(body.reshape(body.resolve(serial: t.serial, index: k.index), [1]), to: [2])
        let outs = [body.mul(p[0], p[2]), body.add(body.mul(p[1], p[2]), p[3])]
        let y = t.associativeScan(body: body, inputs: p, outputs: [outs[0], body.mul(outs[1], c)], [a, b], axis: 1, reverse: reverse)
        // With k = 1 this is the recurrence b' = a b + b.
        let z = t.apply(.recurrence, [a, b], [-1, reverse ? 1 : 0]), q = t.apply(.cumprod, [a], [-1, reverse ? 1 : 0])
        guard y.count == 2 else { return XCTFail(t.failure?.message ?? "") }
        let gy = t.grad(t.total(t.unary(.sin, y[1])), [a, b]), gz = t.grad(t.total(t.unary(.sin, z)), [a, b])
        t.typecheck()
        var rng = Random(UInt64(n))
        let r = try evaluate(t, y + [q, z] + gy + gz, [(a, rng.signed(2 * n)), (b, rng.signed(2 * n)), (k, [1])])
        XCTAssertLessThan(distance(Array(r[0 ..< 2]), Array(r[2 ..< 4])), 1e-14, "\(n) \(reverse)")
        XCTAssertLessThan(distance(Array(r[4 ..< 6]), Array(r[6 ..< 8])), 1e-13, "\(n) \(reverse)")
      }
    }
    let t = Tape(), x = t.f64(64), body = Tape(parent: t), p = [body.f64(), body.f64()]
    let before = t.count
    _ = t.associativeScan(body: body, inputs: p, outputs: [body.add(p[0], p[1])], [x], axis: 0, reverse: false)
    XCTAssertLessThan(t.count - before, 160, "a tree of log n levels")
    XCTAssertEqual(t.associativeScan(body: body, inputs: p, outputs: [body.add(p[0], p[1])], [t.f64(0)], axis: 0, reverse: false).map(t.shape), [[0]])
  }

  /// Sorted by several threads and by one, in every dtype, long lines and short: the same bits, in order, NaN last.
  func testThreadsAndLengths() throws {
    for d in DType.allCases {
      for (outer, n, inner) in [(24, 700, 1), (3, 50, 20), (1, 9000, 1), (8, 1000, 3)] {
        let t = Tape(), x = t.input(TensorType(d, [outer, n, inner])), a = [-2, 0], f = d.isFloat
        var outputs = [t.apply(.sort, [x], a), t.argsort(x, axis: -2, descending: true), t.apply(.cummax, [x], a), t.apply(.cumargmin, [x], [-2, 1]), t.topK(x, 3, axis: -2, largest: true).values]
        if f { outputs += [t.apply(.cumlogsumexp, [x], a), t.apply(.recurrence, [t.scale(x, 0.25), x], a), t.apply(.cumprod, [x], [-2, 1])] }
        var rng = Random(7)
        // One zero only: sorted values keep -0 before 0, which equal each other.
        var v = (0 ..< outer * n * inner).map { _ in (rng.between(-3, 3) * (d == .bool ? 0 : 4)).rounded() / 4 + 0 }
        if d == .bool { v = v.map { _ in Double(rng.below(2)) } }
        if f { for k in stride(from: 5, to: v.count, by: 997) { v[k] = k % 2 == 0 ? .nan : -.infinity } }
        var results: [[Doubles]] = []
        for threads in [1.0, 4.0] {
          let p = try Program(t, inputs: [x], outputs: outputs)
          XCTAssertNil(p.set("threads", threads))
          let w = try Workspace(p), ins = Cells(v, t.type(x)), outs = outputs.map { Cells([], t.type($0)) }
          let code = withExtendedLifetime((ins, outs)) {
            w.run(inputs: [UnsafeRawPointer(ins.memory), nil], outputs: outs.map { $0.memory as UnsafeMutableRawPointer? } + [nil])
          }
          XCTAssertEqual(code, .ok, w.message)
          results.append(outs.map(\.values))
        }
        XCTAssertTrue(sameBits(results[0], results[1]), "\(d.name) \(outer) \(n) \(inner)")
        let s = results[0][0], order = results[0][1]
        for o in 0 ..< outer {
          for i in 0 ..< inner {
            let line = (0 ..< n).map { s[(o * n + $0) * inner + i] }, own = (0 ..< n).map { v[(o * n + $0) * inner + i] }
            let wanted = own.sorted { $1.isNaN && !$0.isNaN || $0 < $1 }
            XCTAssertTrue(sameBits(line, stored(wanted, d)), "\(d.name) \(outer) \(n) \(inner)")
            let places = (0 ..< n).map { Int(order[(o * n + $0) * inner + i]) }, key = stored(own, d)
            XCTAssertEqual(Set(places).count, n)
            for k in 1 ..< n {
              let (p, q) = (key[places[k - 1]], key[places[k]])
              XCTAssertTrue(p > q || p.isNaN && !q.isNaN || (p == q || p.isNaN && q.isNaN) && places[k - 1] < places[k], "\(d.name): stable, NaN first when descending")
            }
          }
        }
      }
    }
  }
}

extension Tape {
  fileprivate func ones3() -> NodeID { literal([1, 1, 1]) }
}
