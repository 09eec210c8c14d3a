import CKernels
import Tape
import XCTest
@testable import Runtime

/// Rolls in programs: read in place, as slices of an array with its ends repeated round it.
final class TurnedTests: XCTestCase {
  private func rolled(_ v: [Double], _ shape: [Int], axis: Int, by k: Int) -> [Double] {
    let (outer, n, inner) = around(shape, axis: axis)
    return (0 ..< v.count).map { e in
      let o = e / (n * inner), i = e / inner % n, r = e % inner
      return v[(o * n + ((i + k) % n + n) % n) * inner + r]
    }
  }

  /// Every turn of every axis, alone and together, of inputs and of what a cluster makes; the fused program has no rolls where that pays.
  func testRolls() throws {
    var g = Random(state: 11)
    for (shape, axis) in [([1], -1), ([2], -1), ([7], -1), ([40], -1), ([1000], -1), ([5, 3], -2), ([4, 9], -1), ([2, 6, 5], -2), ([0], -1), ([3, 0], -2)] {
      let n = shape[shape.count + axis], turns = Array(Set([0, 1, -1, 2, n / 2, n / 2 + 1, n - 1])).sorted()
      for computed in [false, true] {
        for chosen in turns.map({ [$0] }) + [turns] {
          let t = Tape(), x = t.input(TensorType(.f64, shape)), y = computed ? t.unary(.neg, x) : x
          var sum = y
          for k in chosen { sum = t.add(t.mul(sum, t.like(y, 0.5)), t.roll(y, axis: axis, by: k)) }
          if let f = t.failure { throw f }
          let v = values(g.array(t.type(x)), Double.self), w = computed ? v.map { -$0 } : v
          var want = w
          for k in chosen { want = zip(want, rolled(w, shape, axis: axis, by: k)).map { $0 * 0.5 + $1 } }
          let r = try Runner(t, [x], [sum, y])
          XCTAssertEqual(r.run([bytes(v)]).map { values($0, Double.self) }, [want, w], "\\(shape) axis \\(axis) by \\(chosen)\\n\\(r.program.explanation)")
          if shape.count == 1 { XCTAssertFalse(r.program.explanation.contains("roll:"), r.program.explanation) }
        }
      }
    }
  }

  /// As outputs, as operands of kernels, of inputs, over stages and in a loop whose carry turns.
  func testRollsElsewhere() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [6])), y = t.input(TensorType(.f64, [6])), v = (0 ..< 6).map(Double.init)
    let a = t.roll(x, axis: -1, by: 2), b = t.roll(t.mul(a, y), axis: -1, by: -1)
    let p = try Program(t, stages: [([x], [a, t.sum(t.roll(a, axis: -1, by: 1), axes: [-1], keep: false)]), ([y], [b, t.roll(a, axis: -1, by: 4)])])
    let r = try Runner(p)
    XCTAssertEqual(r.run([bytes(v)]).map { values($0, Double.self) }, [[2, 3, 4, 5, 0, 1], [15]])
    XCTAssertEqual(r.run([bytes(v.map { $0 + 1 })], stage: 1).map { values($0, Double.self) }, [[6, 2, 6, 12, 20, 0], v])
    let s = Tape(parent: t), c = s.input(TensorType(.f64, [6])), d = s.input(TensorType(.f64, []))
    let l = t.scan(body: s, inputs: [c, d], outputs: [s.roll(c, axis: -1, by: 1), s.mul(s.roll(c, axis: -1, by: -2), s.broadcast(d, to: [6]))], init: [x], xs: [y], ys: 1, length: 6, reverse: false)
    if let f = t.failure { throw f }
    let out = try Runner(t, [x, y], t.parts(l)).run([bytes(v), bytes([1.0, 2, 3, 4, 5, 6])]).map { values($0, Double.self) }
    XCTAssertEqual(out[0], v)
    var want: [Double] = []
    for step in 0 ..< 6 { for i in 0 ..< 6 { want.append(Double((step + i + 4) % 6 * (step + 1))) } }
    XCTAssertEqual(out[1], want)
  }
}
