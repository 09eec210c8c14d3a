import Tape
import XCTest
@testable import Runtime

/// Parts recorded many times, number by number: the same bits whether they are re-rolled or not.
final class RerollTests: XCTestCase {
  /// Outputs with and without; the text says whether anything was re-rolled.
  private func both(_ t: Tape, _ stages: [(inputs: [NodeID], outputs: [NodeID])], rolled: Bool, seed: UInt64, file: StaticString = #filePath, line: UInt = #line) throws {
    XCTAssertNil(t.failure, "\(String(describing: t.failure))", file: file, line: line)
    let a = try Program(t, stages: stages, reroll: rolled ? .always : .auto), b = try Program(t, stages: stages, reroll: .off)
    XCTAssertEqual(a.explanation.hasPrefix("re-rolled: "), rolled, String(a.explanation.prefix(500)), file: file, line: line)
    XCTAssertFalse(b.explanation.hasPrefix("re-rolled: "), file: file, line: line)
    let x = try Runner(a), y = try Runner(b)
    var g = Random(state: seed)
    for _ in 0 ..< 2 {
      for (k, s) in stages.enumerated() {
        let v = s.inputs.map { g.array(t.type($0)) }
        let p = x.run(v, stage: k, file: file, line: line), q = y.run(v, stage: k, file: file, line: line)
        for i in q.indices { XCTAssertEqual(p[i], q[i], "stage \(k), output \(i)", file: file, line: line) }
      }
    }
  }

  private func at(_ t: Tape, _ x: NodeID, _ i: Int) -> NodeID { t.reshape(t.slice(x, axis: -1, start: i, count: 1), []) }
  private func stack(_ t: Tape, _ x: [NodeID]) -> NodeID { t.concat(x.map { t.reshape($0, [1]) }, axis: -1) }

  /// Residuals of cameras and points, as a host records them: their sum, its gradient, the residuals' Jacobian by entries.
  private func residuals(_ d: DType, _ n: Int, measured: (Int) -> Double) -> (Tape, [NodeID], [NodeID]) {
    let t = Tape(), cameras = t.input(TensorType(d, [7])), points = t.input(TensorType(d, [n])), w = t.input(TensorType(d, []))
    let c = (0 ..< 7).map { at(t, cameras, $0) }, p = (0 ..< n).map { at(t, points, $0) }
    var all: [NodeID] = [], entries: [NodeID] = [], sum = t.constant(d, 0.0)
    for i in 0 ..< 3 * n {
      let a = c[i % 7], b = p[i / 3], m = t.constant(d, measured(i))
      let e = t.sub(t.mul(t.unary(.sin, a), b), m)
      let r = t.mul(t.select(t.binary(.gt, e, t.constant(d, 0.5)), t.unary(.sqrt, t.unary(.abs, e)), t.mul(e, e)), w)
      all.append(r)
      sum = t.add(sum, r)
      entries += t.vjp([r], [t.constant(d, 1.0)], [a, b]) + [t.constant(d, 2.5)]
    }
    let gradient = t.vjp([sum], [t.constant(d, 1.0)], [w] + c + p)
    return (t, [cameras, points, w], [sum, stack(t, all), stack(t, gradient), t.reshape(stack(t, entries), [3 * n, 3]), all[5], stack(t, [all[9], all[4], sum])])
  }

  func testResiduals() throws {
    for d in [DType.f64, .f32, .bf16] {
      for same in [true, false] {
        let (t, x, y) = residuals(d, 150) { same ? 0.25 : Double($0 % 17) / 8 }
        try both(t, [(x, y)], rolled: true, seed: 1)
      }
    }
  }

  /// Numbers that do not stand in an array: inputs of their own, results of kernels, which depend on other copies.
  func testNumbersOfTheirOwn() throws {
    let t = Tape(), n = 400
    let x = (0 ..< n).map { _ in t.input(TensorType(.f64, [])) }
    func copy(_ v: NodeID, _ s: NodeID) -> NodeID { t.add(t.mul(t.unary(.tanh, t.mul(v, s)), v), t.unary(.exp, t.sub(v, s))) }
    let first = x.map { copy($0, x[0]) }
    let total = t.sum(stack(t, first), axes: [-1], keep: false)   // between the copies: those behind it are of another class
    let second = x.map { copy($0, total) }, third = zip(first, second.reversed()).map { copy($0, $1) }
    try both(t, [(x, [stack(t, third), total, third[7], x[3], stack(t, first + second)])], rolled: true, seed: 2)
  }

  /// Large enough to be worth it by itself, small enough not to be.
  func testWhereItPays() throws {
    for (n, rolled) in [(3000, true), (40, false)] {
      let t = Tape(), x = t.input(TensorType(.f64, [n])), s = t.input(TensorType(.f64, []))
      let y = (0 ..< n).map { i in
        let v = at(t, x, i), w = t.mul(t.unary(.sin, t.mul(v, s)), t.sub(v, s)), u = t.add(t.mul(w, w), t.unary(.sqrt, t.mul(v, v)))
        return t.mul(t.add(u, v), t.sub(u, t.mul(w, t.add(w, s))))
      }
      let text = try Program(t, inputs: [x, s], outputs: [stack(t, y)]).explanation
      XCTAssertEqual(text.hasPrefix("re-rolled: "), rolled, String(text.prefix(2000)))
    }
  }

  func testStages() throws {
    let t = Tape(), n = 300, a = t.input(TensorType(.f64, [n])), b = t.input(TensorType(.f64, [n])), s = t.input(TensorType(.f64, []))
    let u = (0 ..< n).map { t.unary(.sin, t.mul(at(t, a, $0), s)) }
    let v = (0 ..< n).map { t.mul(t.add(u[$0], at(t, b, n - 1 - $0)), t.mul(u[($0 * 7) % n], u[$0])) }
    let w = v.map { t.mul($0, t.unary(.neg, $0)) }
    try both(t, [([a, s], [stack(t, u)]), ([b], [stack(t, v), stack(t, w), v[2]])], rolled: true, seed: 3)
  }

  func testBodies() throws {
    let n = 300, t = Tape(), x = t.input(TensorType(.f64, [n])), s = t.input(TensorType(.f64, [])), inner = Tape(parent: t)
    let c = inner.input(TensorType(.f64, [n])), k = inner.resolve(serial: t.serial, index: s.index), e = (0 ..< n).map { at(inner, c, $0) }
    let f = (0 ..< n).map { i in inner.mul(inner.sub(e[(i + 1) % n], inner.mul(e[i], k)), inner.unary(.cos, inner.add(inner.mul(e[i], e[i]), inner.mul(inner.unary(.sin, e[i]), k)))) }
    let y = t.scan(body: inner, inputs: [c], outputs: [stack(inner, f)], init: [x], xs: [], ys: 0, length: 5, reverse: false)
    let a = try Program(t, stages: [([x, s], t.parts(y))], reroll: .always), b = try Program(t, stages: [([x, s], t.parts(y))], reroll: .off)
    XCTAssertTrue(a.explanation.contains("re-rolled"), a.explanation)
    XCTAssertFalse(b.explanation.contains("re-rolled"), b.explanation)
    var g = Random(state: 4)
    let v = [x, s].map { g.array(t.type($0)) }
    XCTAssertEqual(try Runner(a).run(v), try Runner(b).run(v))
  }

  /// Long chains and parts that differ: nothing to be found, and nothing changes.
  func testNothingToFind() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [8])), e = (0 ..< 8).map { at(t, x, $0) }
    var v = e[0], g = Random(state: 5)
    for _ in 0 ..< 6000 { v = t.add(t.mul(v, t.constant(.f64, 0.5)), g.below(2) == 0 ? t.unary(.sin, v) : e[g.below(8)]) }
    try both(t, [([x], [v])], rolled: false, seed: 5)
  }

  /// Random parts with random sharing between the copies, of several dtypes.
  func testRandom() throws {
    for seed in 0 ..< 40 as Range<UInt64> {
      var g = Random(state: 100 + seed)
      let t = Tape(), n = 40 + g.below(60), d: DType = [.f64, .f32, .f64, .f16][g.below(4)]
      let x = t.input(TensorType(d, [2, n])), flat = t.reshape(x, [2 * n]), s = t.input(TensorType(d, [])), z = t.input(TensorType(.i64, [n]))
      // A part: operations on what stands before, leaves at fixed or scattered places.
      let length = 30 + g.below(40)
      let plan = (0 ..< length).map { _ in (g.below(9), g.below(1000), g.below(1000), g.below(3)) }
      var all: [[NodeID]] = []
      for i in 0 ..< n {
        var v = [at(t, flat, i), at(t, flat, 2 * n - 1 - i), s, t.constant(d, Double(i) / 16), at(t, flat, (i * 5) % n), t.cast(at(t, z, i), d)]
        if i > 0, plan[0].3 == 0 { v.append(at(t, flat, i - 1)) } else { v.append(v[0]) }
        for (op, a, b, _) in plan {
          let p = v[a % v.count], q = v[b % v.count]
          switch op {
          case 0: v.append(t.add(p, q))
          case 1: v.append(t.mul(p, q))
          case 2: v.append(t.sub(p, q))
          case 3: v.append(t.unary(.sin, p))
          case 4: v.append(t.unary(.tanh, q))
          case 5: v.append(t.select(t.binary(.lt, p, q), p, t.neg(q)))
          case 6: v.append(t.binary(.maximum, p, q))
          case 7: v.append(t.cast(t.cast(p, .f32), d))
          default: v.append(t.gate(t.binary(.ge, p, s), q, p))
          }
        }
        all.append(Array(v.suffix(3)))
      }
      let outputs = [stack(t, all.map { $0[0] }), stack(t, all.flatMap { $0 }), stack(t, all.reversed().map { $0[1] }), all[n / 2][2], stack(t, Array(all.flatMap { $0 }.shuffled(using: &g)))]
      let loss = t.sum(t.cast(outputs[1], .f64), axes: [-1], keep: false)
      try both(t, [([x, s, z], outputs + t.vjp([loss], [t.constant(.f64, 1.0)], [x, s]))], rolled: true, seed: seed)
    }
  }
}
