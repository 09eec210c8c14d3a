import CKernels
import Tape
import XCTest
@testable import Runtime

final class ScanTests: XCTestCase {
  private func loop(_ n: Int, reverse: Bool) throws -> (Runner, [NodeID]) {
    let t = Tape(), c0 = t.input(TensorType(.f64, [3])), s0 = t.input(TensorType(.f64, [])), xs = t.input(TensorType(.f64, [n, 3])), k = t.input(TensorType(.f64, []))
    let b = Tape(parent: t), c = b.input(TensorType(.f64, [3])), s = b.input(TensorType(.f64, [])), x = b.input(TensorType(.f64, [3]))
    let kk = b.resolve(serial: t.serial, index: k.index)
    let c1 = b.add(b.mul(c, b.broadcast(kk, to: [3])), x), s1 = b.add(s, b.sum(c1, axes: [-1], keep: false))
    let y = t.scan(body: b, inputs: [c, s, x], outputs: [c1, s1, b.mul(c1, c1), s], init: [c0, s0], xs: [xs], ys: 2, length: n, reverse: reverse)
    if let f = t.failure { throw f }
    return (try Runner(t, [c0, s0, xs, k], t.parts(y)), t.parts(y))
  }

  func testForwardReverseAndEmpty() throws {
    for n in [0, 1, 2, 5, 8] {
      for reverse in [false, true] {
        let (r, _) = try loop(n, reverse: reverse)
        var c = [1.0, 2, 3], s = 0.5, g = Random(state: UInt64(n))
        let xs = (0 ..< n * 3).map { _ in Double.random(in: -1 ... 1, using: &g) }
        var squares = [Double](repeating: 0, count: 3 * n), sums = [Double](repeating: 0, count: n)
        for _ in 0 ..< 2 {
          let out = r.run([bytes(c), bytes([s]), bytes(xs), bytes([0.9])])
          var cc = c, ss = s
          for step in 0 ..< n {
            let i = reverse ? n - 1 - step : step
            sums[i] = ss
            for k in 0 ..< 3 { cc[k] = cc[k] * 0.9 + xs[3 * i + k]; squares[3 * i + k] = cc[k] * cc[k] }
            ss = ss + values(sum3(cc), Double.self)[0]
          }
          XCTAssertEqual(values(out[0], Double.self), cc)
          XCTAssertEqual(values(out[1], Double.self), [ss])
          XCTAssertEqual(values(out[2], Double.self), squares)
          XCTAssertEqual(values(out[3], Double.self), sums)
          c[0] += 1; s += 1
        }
      }
    }
  }

  private func sum3(_ c: [Double]) -> Bytes {
    var y = 0.0
    ck_reduce(.sum, 0, c, &y, 1, 3, 1)
    return bytes([y])
  }

  func testNested() throws {
    let t = Tape(), a = t.input(TensorType(.f32, [])), xs = t.input(TensorType(.f32, [4, 5]))
    let outer = Tape(parent: t), c = outer.input(TensorType(.f32, [])), row = outer.input(TensorType(.f32, [5]))
    let inner = Tape(parent: outer), d = inner.input(TensorType(.f32, [])), x = inner.input(TensorType(.f32, []))
    let up = inner.resolve(serial: t.serial, index: a.index)
    let next = inner.add(inner.mul(d, up), inner.add(x, inner.constant(.f32, 0.25)))
    let i = outer.scan(body: inner, inputs: [d, x], outputs: [next, inner.neg(next)], init: [c], xs: [row], ys: 1, length: 5, reverse: true)
    let p = outer.parts(i)
    let o = t.scan(body: outer, inputs: [c, row], outputs: [outer.unary(.tanh, p[0]), p[1]], init: [a], xs: [xs], ys: 1, length: 4, reverse: false)
    if let f = t.failure { throw f }
    var g = Random(state: 4)
    let v = (0 ..< 20).map { _ in Float.random(in: -1 ... 1, using: &g) }
    let out = try Runner(t, [a, xs], t.parts(o)).run([bytes([Float(0.7)]), bytes(v)])
    var carry = Float(0.7), ys = [Float](repeating: 0, count: 20)
    for r in 0 ..< 4 {
      for k in (0 ..< 5).reversed() { carry = carry * 0.7 + (v[5 * r + k] + 0.25); ys[5 * r + k] = -carry }
      var y: Float = 0
      ck_row_kernel(Int32(OpCode(Unary.tanh).raw), 1)?(&carry, nil, nil, &y, 1)
      carry = y
    }
    XCTAssertEqual(values(out[1], Float.self), ys)
    XCTAssertEqual(values(out[0], Float.self), [carry])
  }

  func testCarriesExchanged() throws {
    let t = Tape(), a = t.input(TensorType(.f64, [2])), b = t.input(TensorType(.f64, [2]))
    let s = Tape(parent: t), p = s.input(TensorType(.f64, [2])), q = s.input(TensorType(.f64, [2]))
    let y = t.scan(body: s, inputs: [p, q], outputs: [q, p, p], init: [a, b], xs: [], ys: 1, length: 3, reverse: false)
    let out = try Runner(t, [a, b], t.parts(y)).run([bytes([1.0, 2]), bytes([3.0, 4])])
    XCTAssertEqual(out.map { values($0, Double.self) }, [[3, 4], [1, 2], [1, 2, 3, 4, 1, 2]])
  }

  /// A loop's members that nothing reads take no memory and no steps, unless others depend on them; constants stand in the body.
  func testUnreadMembers() throws {
    let n = 1000, t = Tape(), a = t.input(TensorType(.f64, [4])), b = t.input(TensorType(.f64, [4])), xs = t.input(TensorType(.f64, [n, 4])), k = t.full(TensorType(.f64, [4]), 0.5)
    let s = Tape(parent: t), p = s.input(TensorType(.f64, [4])), q = s.input(TensorType(.f64, [4])), r = s.input(TensorType(.f64, [4])), x = s.input(TensorType(.f64, [4]))
    let half = s.resolve(serial: t.serial, index: k.index), slow = s.mul(s.unary(.tanh, q), half)
    // p reads q, q itself alone, nothing reads r but r; the y's are long.
    let y = t.scan(body: s, inputs: [p, q, r, x], outputs: [s.add(p, slow), s.add(q, x), s.unary(.exp, r), s.unary(.sin, x), s.mul(p, q)],
                   init: [a, b, a], xs: [xs], ys: 2, length: n, reverse: false)
    let m = t.parts(y)
    if let f = t.failure { throw f }
    var g = Random(state: 5)
    let input = [a, b, xs].map { g.array(t.type($0)) }
    let whole = try Runner(t, [a, b, xs], m), want = whole.run(input)
    for chosen in [[0], [1], [2], [3], [4], [1, 3], [0, 4], [2, 0]] {
      let r = try Runner(t, [a, b, xs], chosen.map { m[$0] })
      XCTAssertEqual(r.run(input), chosen.map { want[$0] }, "members \(chosen)")
      XCTAssertLessThan(r.program.memory, 4096)
      XCTAssertEqual(r.program.explanation.contains("1 carries"), chosen == [1] || chosen == [2] || chosen == [1, 3], r.program.explanation)
    }
  }

  /// The gradient's extended loop is the only one that runs.
  func testExtension() throws {
    let t = Tape(), c0 = t.input(TensorType(.f64, [])), xs = t.input(TensorType(.f64, [6]))
    let b = Tape(parent: t), c = b.input(TensorType(.f64, [])), x = b.input(TensorType(.f64, []))
    let y = t.scan(body: b, inputs: [c, x], outputs: [b.unary(.sin, b.mul(c, x)), c], init: [c0], xs: [xs], ys: 1, length: 6, reverse: false)
    let parts = t.parts(y), loss = t.add(parts[0], t.sum(parts[1], axes: [-1], keep: false))
    let g = t.grad(loss, [c0, xs])
    if let f = t.failure { throw f }
    let r = try Runner(t, [c0, xs], [loss] + g + parts)
    XCTAssertEqual(r.program.explanation.components(separatedBy: "scan:").count - 1, 2, r.program.explanation)
    let v = [0.3, 0.8, 1.2, -0.5, 0.9, 1.4]
    let out = r.run([bytes([0.7]), bytes(v)])
    func f(_ c: Double, _ x: [Double]) -> Double { var c = c, l = 0.0; for i in x { l += c; c = sin(c * i) }; return c + l }
    XCTAssertEqual(values(out[0], Double.self)[0], f(0.7, v), accuracy: 1e-14)
    XCTAssertEqual(values(out[1], Double.self)[0], (f(0.7 + 1e-6, v) - f(0.7 - 1e-6, v)) / 2e-6, accuracy: 1e-8)
    let plain = try Runner(t, [c0, xs], [loss] + parts).run([bytes([0.7]), bytes(v)])
    XCTAssertEqual([out[0]] + out[3...], plain)
  }
}
