import Runtime
import Tape
import XCTest

/// Branches and loops of unknown length against the same statements written out, values to the bit, derivatives to second order and beyond.
final class ControlTests: XCTestCase {
  typealias Step = (_ t: Tape, _ c: [NodeID], _ k: NodeID) -> [NodeID]

  /// The scalar (or vector) program's derivatives of every kind, and those of its derivatives.
  private func everything(_ t: Tape, _ y: [NodeID], _ x: [NodeID], _ v: [NodeID]) -> [NodeID] {
    let loss = y.map { t.total(t.unary(.square, $0)) }.reduce(t.constant(.f64, 0)) { t.add($0, $1) }
    let g = t.grad(loss, x), h = t.hvp(loss, x, v)
    let again = t.total(t.mul(h[0], h[0]))   // third order, reverse over forward over reverse
    return y + g + h + t.hessian(loss, x) + t.jvp(y, x, v) + t.jacobian(y, x, mode: .forward) + t.jacobian(y, x, mode: .reverse)
      + t.grad(t.total(t.mul(g[0], v[0])), x) + t.grad(again, x) + t.jvp(t.jvp(y, x, v), x, v)
  }

  private func compare(_ types: [TensorType], _ data: [Doubles], tolerance: Double = 2e-13, _ what: String, exact: Int = 1, file: StaticString = #filePath, line: UInt = #line,
                       _ build: (_ t: Tape, _ x: [NodeID], _ written: Bool) -> [NodeID]) throws {
    var g = Random(7), results: [[Doubles]] = []
    let floats = types.indices.filter { types[$0].dtype.isFloat }, dirs = floats.map { g.signed(types[$0].count) }
    for written in [false, true] {
      let t = Tape(), x = types.map { t.input($0) }, y = build(t, x, written), active = floats.map { x[$0] }, v = active.map { t.input(t.type($0)) }
      if let f = t.failure { return XCTFail("\(what): \(f.message)", file: file, line: line) }
      let all = everything(t, y, active, v)
      t.typecheck(file: file, line: line)
      if t.failure != nil { return }
      results.append(try evaluate(t, all, Array(zip(x, data)) + Array(zip(v, dirs))))
    }
    XCTAssertTrue(sameBits(Array(results[0].prefix(exact)), Array(results[1].prefix(exact))), "\(what): values \(results[0].prefix(exact)) \(results[1].prefix(exact))", file: file, line: line)
    let d = distance(results[0], results[1])
    if d > tolerance {
      let worst = results[0].indices.first { distance([results[0][$0]], [results[1][$0]]) > tolerance } ?? 0
      XCTFail("\(what): result \(worst): \(results[0][worst]) instead of \(results[1][worst])", file: file, line: line)
    }
  }

  private func outer(_ b: Tape, _ t: Tape, _ n: NodeID) -> NodeID { b.resolve(serial: t.serial, index: n.index) }

  func testCondAgainstTheBranchTaken() throws {
    let v = TensorType(.f64, [3]), s = TensorType(.f64, [])
    func yes(_ t: Tape, _ x: NodeID, _ k: NodeID) -> [NodeID] { [t.mul(t.unary(.sin, x), t.splat(k, [3])), t.unary(.exp, k)] }
    func no(_ t: Tape, _ x: NodeID, _ k: NodeID) -> [NodeID] { [t.mul(x, t.mul(x, x)), t.constant(.f64, 2)] }   // k takes no part
    for p in [0.0, 1] {
      try compare([TensorType(.bool, []), v, s], [[p], [0.3, -0.8, 1.1], [0.7]], "cond \(p)", exact: 2) { t, x, written in
        if written { return p == 1 ? yes(t, x[1], x[2]) : no(t, x[1], x[2]) }
        let a = Tape(parent: t), b = Tape(parent: t)
        return t.parts(t.cond("cond", choice: x[0], branches: [(b, no(b, outer(b, t, x[1]), outer(b, t, x[2]))), (a, yes(a, outer(a, t, x[1]), outer(a, t, x[2])))]))
      }
    }
  }

  func testSwitchTakesTheNearestBranch() throws {
    let branches: [(Tape, NodeID) -> NodeID] = [{ $0.unary(.sin, $1) }, { t, x in t.mul(x, x) }, { t, x in t.unary(.exp, x) }]
    for dtype in [DType.i32, .i64] {
      for i in -2 ... 4 {
        try compare([TensorType(dtype, []), TensorType(.f64, [2])], [[Double(i)], [0.4, -0.9]], "switch \(i)") { t, x, written in
          if written { return [branches[max(0, min(i, 2))](t, x[1])] }
          return t.parts(t.cond("switch", choice: x[0], branches: branches.map { f in let b = Tape(parent: t); return (b, [f(b, outer(b, t, x[1]))]) }))
        }
      }
    }
  }

  /// while i < n: (i, a, b) = (i + 1, sin(a) k + b, a b)
  private func looped(_ t: Tape, _ x: [NodeID], limit: Int, slots: Int) -> [NodeID] {
    let b = Tape(parent: t), i = b.input(TensorType(.i64, [])), p = b.input(t.type(x[1])), q = b.input(t.type(x[2]))
    let y = t.whileLoop(body: b, inputs: [i, p, q], go: b.binary(.lt, i, outer(b, t, x[0])), outputs: [b.add(i, b.constant(.i64, integer: 1))] + step(b, p, q, outer(b, t, x[3])),
                        init: [t.constant(.i64, integer: 0), x[1], x[2]], limit: limit, slots: slots)
    return Array(t.parts(y).dropFirst())
  }
  private func step(_ t: Tape, _ p: NodeID, _ q: NodeID, _ k: NodeID) -> [NodeID] { [t.add(t.mul(t.unary(.sin, p), k), q), t.mul(p, q)] }

  func testWhileAgainstUnrolled() throws {
    let v = TensorType(.f64, [2])
    for (n, limit, slots) in [(0, -1, 0), (1, -1, 1), (3, -1, 1), (6, -1, 2), (5, 3, 0), (5, 0, 0)] {
      try compare([TensorType(.i64, []), v, v, v], [[Double(n)], [0.3, -0.8], [0.5, 0.2], [1.1, 0.9]], tolerance: 1e-11, "\(n) steps, limit \(limit), slots \(slots)", exact: 2) { t, x, written in
        if !written { return looped(t, x, limit: limit, slots: slots) }
        var c = [x[1], x[2]]
        for _ in 0 ..< (limit < 0 ? n : min(n, limit)) { c = step(t, c[0], c[1], x[3]) }
        return c
      }
    }
  }

  /// The reversal's schedule takes the fewest steps there can be: the recurrence t(l, s) = min k + t(k, s) + t(l - k, s - 1).
  func testRevolveIsOptimal() {
    var best: [[Int]] = [[Int]](repeating: [0, 0], count: 10), ours = best
    for s in 1 ..< 10 {
      for l in 2 ..< 150 {
        if s == 1 { best[s].append(l * (l - 1) / 2); ours[s].append(l * (l - 1) / 2); continue }
        best[s].append((1 ..< l).map { $0 + best[s][$0] + best[s - 1][l - $0] }.min() ?? 0)
        let k = revolveAdvance(steps: l, slots: s)
        ours[s].append(k + ours[s][k] + ours[s - 1][l - k])
      }
    }
    XCTAssertEqual(ours, best)
    for l in [Int.min, -1, 0, 1, 2, 1 << 41, .max] {
      for s in [Int.min, -1, 0, 1, 2, 64, 1 << 40, .max] {
        let k = revolveAdvance(steps: l, slots: s)
        XCTAssertTrue(l <= 1 ? k == 0 : k >= 1 && k < l, "\(l) steps, \(s) slots: \(k)")
      }
    }
  }

  /// A while that ends by its value, a cond inside, in a scan, in a cond; with a while inside the while.
  private func nested(_ t: Tape, _ x: NodeID, _ k: NodeID, _ p: NodeID, written: Double?) -> [NodeID] {
    func halve(_ t: Tape, _ x: NodeID, _ k: NodeID) -> NodeID { t.mul(t.unary(.sin, x), k) }
    func grow(_ t: Tape, _ x: NodeID, _ k: NodeID) -> NodeID { t.add(t.mul(x, x), k) }
    if let start = written {
      var v = start, y = x
      if v > 0 {
        for _ in 0 ..< 3 {
          var steps = 0
          while v < 2, steps < 4 {
            if v > 0.5 { v = v * v + 0.8; y = grow(t, y, k) } else { v = sin(v) * 0.8; y = halve(t, y, k) }
            steps += 1
          }
          v = sin(v); y = t.unary(.sin, y)
        }
      } else {
        y = t.neg(y)
      }
      return [y]
    }
    let yes = Tape(parent: t), no = Tape(parent: t)
    let scan = Tape(parent: yes), c = scan.input(TensorType(.f64, []))
    let loop = Tape(parent: scan), v = loop.input(TensorType(.f64, [])), i = loop.input(TensorType(.i64, []))
    let big = Tape(parent: loop), small = Tape(parent: loop)
    let kb = outer(big, t, k), ks = outer(small, t, k)
    let chosen = loop.parts(loop.cond("cond", choice: loop.binary(.gt, v, loop.constant(.f64, 0.5)), branches: [(small, [halve(small, outer(small, loop, v), ks)]), (big, [grow(big, outer(big, loop, v), kb)])]))
    let go = loop.and(loop.binary(.lt, v, loop.constant(.f64, 2)), loop.binary(.lt, i, loop.constant(.i64, integer: 4)))
    let done = scan.parts(scan.whileLoop(body: loop, inputs: [v, i], go: go, outputs: [chosen[0], loop.add(i, loop.constant(.i64, integer: 1))], init: [c, scan.constant(.i64, integer: 0)], limit: -1, slots: 2))
    let all = yes.parts(yes.scan(body: scan, inputs: [c], outputs: [scan.unary(.sin, done[0])], init: [outer(yes, t, x)], xs: [], ys: 0, length: 3, reverse: false))
    return t.parts(t.cond("cond", choice: p, branches: [(no, [no.neg(outer(no, t, x))]), (yes, [all[0]])]))
  }

  func testNested() throws {
    for start in [0.9, -0.4] {
      let s = TensorType(.f64, [])
      try compare([s, s], [[start], [0.8]], tolerance: 1e-10, "from \(start)") { t, x, written in
        nested(t, x[0], x[1], t.binary(.gt, x[0], t.constant(.f64, 0)), written: written ? start : nil)
      }
    }
  }

  /// A batch over any operands, the predicate among them: each row as it is alone.
  func testBatched() throws {
    var g = Random(3)
    for mask in [1, 2, 4, 7] {
      let t = Tape(), types = [TensorType(.f64, []), TensorType(.f64, []), TensorType(.i64, [])], x = types.map { t.input($0) }
      let n = nested(t, x[0], x[1], t.binary(.gt, x[0], t.constant(.f64, 0)), written: nil)
      let w = looped(t, [x[2], t.reshape(x[0], [1]), t.reshape(x[1], [1]), t.full(TensorType(.f64, [1]), 0.9)], limit: -1, slots: 2)
      let b = [Tape(parent: t), Tape(parent: t), Tape(parent: t)]
      let sw = t.parts(t.cond("switch", choice: x[2], branches: [(b[0], [outer(b[0], t, x[0])]), (b[1], [b[1].unary(.exp, outer(b[1], t, x[1]))]), (b[2], [b[2].constant(.f64, 3)])]))
      let y = [n[0], t.total(w[0]), t.total(w[1]), sw[0]]
      let loss = y.reduce(t.constant(.f64, 0)) { t.add($0, t.unary(.square, $1)) }
      let outs = y + t.grad(loss, [x[0], x[1]]) + t.hvp(loss, [x[0], x[1]], [x[1], x[0]])
      let chosen = x.indices.filter { mask >> $0 & 1 == 1 }, wide = chosen.map { t.input(TensorType(types[$0].dtype, [5])) }
      let many = t.batch(outs, chosen.map { x[$0] }, wide, size: 5)
      t.typecheck()
      let base: [Doubles] = [[0.9], [0.8], [3]]
      let rows: [[Doubles]] = (0 ..< 5).map { r in [[g.between(-1, 1.5)], [g.between(0.3, 0.9)], [Double(r)]] }
      let rest = x.indices.filter { !chosen.contains($0) }
      let got = try evaluate(t, many, chosen.enumerated().map { k, i in (wide[k], rows.flatMap { $0[i] }) } + rest.map { (x[$0], base[$0]) })
      let one = try rows.map { r in try evaluate(t, outs, x.indices.map { (x[$0], chosen.contains($0) ? r[$0] : base[$0]) }) }
      XCTAssertTrue(sameBits(Array(got.prefix(4)), (0 ..< 4).map { k in one.flatMap { $0[k] } }), "operands \(chosen): values")
      XCTAssertLessThan(distance(got, outs.indices.map { k in one.flatMap { $0[k] } }), 1e-11, "operands \(chosen)")
    }
  }

  /// Where a branch that is not taken would give NaN, nothing of it is seen, nor where a batch computes both.
  func testOtherBranchIsNotSeen() throws {
    let t = Tape(), x = t.f64(), yes = Tape(parent: t), no = Tape(parent: t)
    let y = t.parts(t.cond("cond", choice: t.binary(.gt, x, t.zeros(x)), branches: [(no, [no.constant(.f64, 0)]), (yes, [yes.unary(.log, outer(yes, t, x))])]))
    let g = t.grad(y[0], [x]), h = t.hessian(y[0], [x]), wide = t.f64(3)
    let b = t.batch(y + g + h, [x], [wide], size: 3)
    let got = try evaluate(t, y + g + h + b, [(x, [-1]), (wide, [-1, 0, 2])])
    XCTAssertEqual(Array(got.prefix(3)), [[0], [0], [0]])
    XCTAssertEqual(got[3], [0, 0, log(2)])
    XCTAssertEqual(got[4], [0, 0, 0.5])
    XCTAssertEqual(got[5], [0, 0, -0.25])
  }

  /// A masked tangent stays masked through a branch that has none.
  func testStructuralZerosPassThroughBranches() throws {
    let t = Tape(), x = t.f64(), p = t.input(TensorType(.bool, [])), yes = Tape(parent: t), no = Tape(parent: t)
    let z = t.parts(t.cond("cond", choice: p, branches: [(no, [no.constant(.f64, 0)]), (yes, [outer(yes, t, x)])]))[0]
    let y = t.unary(.sqrt, z)   // infinite slope at 0
    XCTAssertEqual(try evaluate(t, [y] + t.grad(y, [x]) + t.jvp([y], [x], [t.constant(.f64, 1)]), [(x, [4]), (p, [0])]), [[0], [0], [0]])
    XCTAssertEqual(try evaluate(t, [y] + t.grad(y, [x]) + t.jvp([y], [x], [t.constant(.f64, 1)]), [(x, [4]), (p, [1])]), [[2], [0.25], [0.25]])
  }

  func testWords() {
    func said(_ build: (Tape) -> Void) -> String { let t = Tape(); build(t); return t.failure?.message ?? "" }
    func cond(_ t: Tape, _ p: NodeID, _ a: TensorType, _ b: TensorType, _ name: String = "cond") {
      let yes = Tape(parent: t), no = Tape(parent: t)
      _ = t.cond(name, choice: p, branches: [(no, [no.full(a, 0), no.full(a, 0)]), (yes, [yes.full(a, 1), yes.full(b, 1)])])
    }
    let s = TensorType(.f64, []), v = TensorType(.f64, [2]), f = TensorType(.f32, [])
    XCTAssertEqual(said { cond($0, $0.input(TensorType(.bool, [])), s, v) }, "cond: result 1 is f64[2] in the true branch and f64[] in the false branch; they must be of one type")
    XCTAssertEqual(said { cond($0, $0.input(TensorType(.bool, [])), s, f) }, "cond: result 1 is f32[] in the true branch and f64[] in the false branch; they must be of one type")
    XCTAssertEqual(said { cond($0, $0.input(TensorType(.i64, [])), s, f, "switch") }, "switch: result 1 is f32[] in branch 1 and f64[] in branch 0; they must be of one type")
    XCTAssertEqual(said { cond($0, $0.input(s), s, s) }, "cond: the predicate is f64[], not a single bool; compare, or reduce with any or all (select chooses element by element)")
    XCTAssertEqual(said { cond($0, $0.input(s), s, s, "switch") }, "switch: the index is f64[], not a single i32 or i64")
    XCTAssertEqual(said { t in
      let b = Tape(parent: t), c = b.input(s)
      _ = t.whileLoop(body: b, inputs: [c], go: b.binary(.lt, c, b.zeros(c)), outputs: [b.cast(c, .f32)], init: [t.f64()], limit: -1, slots: 0)
    }, "while: carry 0 is f64[], the body gives f32[]; a carry keeps its type")
    XCTAssertEqual(said { t in
      let b = Tape(parent: t), c = b.input(v)
      _ = t.whileLoop(body: b, inputs: [c], go: b.binary(.lt, c, b.zeros(c)), outputs: [c], init: [t.f64(2)], limit: -1, slots: 0)
    }, "while: the predicate is bool[2], not a single bool; compare, or reduce with any or all")
    XCTAssertEqual(said { t in _ = t.cond("cond", choice: t.input(TensorType(.bool, [])), branches: [(Tape(), []), (Tape(), [])]) }, "cond: the false branch is not a sub-tape of this tape")
  }
}
