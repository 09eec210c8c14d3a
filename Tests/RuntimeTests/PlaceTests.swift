import CKernels
import Tape
import XCTest
@testable import Runtime

/// Pieces of arrays read where they lie, parts of joined arrays made where they belong.
final class PlaceTests: XCTestCase {
  private func steps(_ p: Program) -> [String] { p.explanation.split(separator: "\n").map { String($0.split(separator: ":")[0]) } }

  /// What shows consecutive elements is no step.
  func testPieces() throws {
    var r = Random(state: 41)
    for d in DType.allCases {
      let t = Tape(), x = t.input(TensorType(d, [3, 4, 5])), i = t.constant(.i64, integer: 2)
      let row = t.apply(.slice, [x], [1, 1, 1, 2, 1, 1, 0, 5, 1]), rows = t.apply(.slice, [x], [1, 1, 1, 1, 2, 1, 0, 5, 1])
      let element = t.reshape(t.apply(.slice, [row], [0, 1, 1, 0, 1, 1, 3, 1, 1]), [])
      let plane = t.gather(x, i, axis: -3), last = t.gather(t.gather(plane, t.constant(.i64, integer: 3), axis: -2), t.constant(.i64, integer: 4), axis: -1)
      let turned = t.transpose(t.reshape(row, [1, 5]), [1, 0])
      XCTAssertFalse(steps(try check(t, [x: r.array(t.type(x))], [row, rows, element, plane, last, turned])).contains { $0 != "" })
      let strided = t.apply(.slice, [x], [0, 3, 1, 0, 4, 1, 0, 2, 2]), up = t.reverse(x, axes: [-1])
      XCTAssertEqual(steps(try check(t, [x: r.array(t.type(x))], [strided, up])), ["slice", "slice"])
      let y = d == .bool ? t.not(element) : t.neg(element), ys = d == .bool ? t.not(rows) : t.neg(rows)
      let wide = d == .bool ? t.and(t.broadcast(row, to: [1, 2, 5]), ys) : t.mul(t.broadcast(row, to: [1, 2, 5]), ys)
      let wider = d == .bool ? t.and(t.broadcast(t.reshape(element, [1, 1, 1]), to: [1, 2, 5]), wide) : t.add(t.broadcast(t.reshape(element, [1, 1, 1]), to: [1, 2, 5]), wide)
      XCTAssertEqual(steps(try check(t, [x: r.array(t.type(x))], [y, wider])).count, 2)
    }
  }

  /// Pieces of what programs make: read at another offset than they were written, so that nothing is overwritten too early.
  func testPiecesOfResults() throws {
    var r = Random(state: 43)
    for n in [3, 100, 5000] {
      let t = Tape(), x = t.input(TensorType(.f64, [n])), y = t.input(TensorType(.f64, [n]))
      let a = t.unary(.sin, t.add(x, y)), low = t.slice(a, axis: -1, start: 0, count: n - 1), high = t.slice(a, axis: -1, start: 1, count: n - 1)
      let b = t.sub(high, low), c = t.mul(a, t.concat([t.slice(a, axis: -1, start: 1, count: n - 1), t.slice(a, axis: -1, start: 0, count: 1)], axis: -1))
      let first = t.reshape(t.slice(b, axis: -1, start: 0, count: 1), []), d = t.add(c, t.broadcast(first, to: [n]))
      let all = t.sum(t.mul(b, b), axes: [-1], keep: false), q = t.unary(.exp, t.add(all, first))
      try check(t, [x: r.array(t.type(x)), y: r.array(t.type(y))], [d, q])
      try check(t, [x: r.array(t.type(x)), y: r.array(t.type(y))], [a, low, d, high, q, first])
    }
  }

  /// A result and what shows pieces of it, shifted over itself in place.
  func testOverwriting() throws {
    var r = Random(state: 44)
    for n in [4, 700, 3000] {
      let t = Tape(), x = t.input(TensorType(.f64, [n]))
      let a = t.unary(.tanh, x), s = t.slice(a, axis: -1, start: 0, count: 2)
      let b = t.add(t.mul(a, a), t.reshape(t.broadcast(t.reshape(s, [1, 2]), to: [n / 2, 2]), [n]))
      let c = t.unary(.sin, b), h = t.slice(c, axis: -1, start: n / 2, count: n / 2)
      try check(t, [x: r.array(t.type(x))], [t.mul(t.concat([h, h], axis: -1), c), t.sum(b, axes: [-1], keep: false)])
    }
  }

  /// Constants with computed numbers between them, and one number many times: wide stores may run over what is stored later, and over nothing else.
  func testStoresThatOverlap() throws {
    var r = Random(state: 46)
    for d in [DType.f64, .f32, .i64, .i32, .f16] {
      for _ in 0 ..< 40 {
        let t = Tape(), x = t.input(TensorType(d, [3])), own = t.input(TensorType(d, [3]))
        let e = (0 ..< 3).map { t.reshape(t.slice(x, axis: -1, start: $0, count: 1), []) }
        let pool = [t.constant(d, 0), t.constant(d, 1), t.mul(e[0], e[1]), t.add(e[1], e[2]), e[2], t.reshape(t.slice(own, axis: -1, start: 1, count: 1), [])]
        var parts: [NodeID] = []
        while parts.count < 60 {
          let k = [0, 0, 0, 1, 2, 3, 2, 4, 5][Int(r.next() % 9)], n = [1, 1, 2, 3, 4, 5, 9][Int(r.next() % 7)]
          for _ in 0 ..< n { parts.append(pool[k]) }
        }
        let a = t.concat(parts.map { t.reshape($0, [1]) }, axis: -1), b = t.concat((parts.reversed() + parts).map { t.reshape($0, [1]) }, axis: -1)
        try check(t, [x: r.array(t.type(x)), own: r.array(t.type(own))], [a, t.neg(pool[2]), b])
      }
    }
  }

  /// Numbers stacked: the program stores them and does nothing else.
  func testStacks() throws {
    var r = Random(state: 45)
    for d in DType.allCases {
      let t = Tape(), x = t.input(TensorType(d, [4])), w = t.input(TensorType(d, []))
      let e = (0 ..< 4).map { t.reshape(t.slice(x, axis: -1, start: $0, count: 1), []) }
      let op: (NodeID, NodeID) -> NodeID = { d == .bool ? t.binary(.logical_xor, $0, $1) : t.add(t.mul($0, $1), $0) }
      let a = op(e[0], e[1]), b = op(a, e[2]), c = op(b, e[3]), zero = t.constant(d, 0), one = t.constant(d, 1)
      let one1 = t.array(TensorType(d, [1]), [Double](repeating: 0, count: 1))
      func stack(_ x: [NodeID]) -> NodeID { t.concat(x.map { t.reshape($0, [1]) }, axis: -1) }
      let s = stack([a, zero, b, a, e[3], one, w, c, zero]), m = t.reshape(t.concat([t.reshape(s, [1, 9]), t.reshape(stack([zero, c, c, b, a, e[0], w, one1, a]), [1, 9])], axis: -2), [18])
      let inputs = [x: r.array(t.type(x)), w: r.array(t.type(w))]
      let p = try check(t, inputs, [m])
      XCTAssertEqual(steps(p), ["scalar"], p.explanation)
      // Pieces that are outputs too, read again, read as a whole.
      try check(t, inputs, [s, a, m, c, t.slice(m, axis: -1, start: 3, count: 4), e[1]])
      if d != .bool { try check(t, inputs, [t.mul(m, m), t.add(s, s), t.sum(s, axes: [-1], keep: false), op(t.reshape(t.slice(s, axis: -1, start: 2, count: 1), []), c)]) }
    }
  }

  /// Arrays joined from what blocks, kernels, inputs and constants give.
  func testJoins() throws {
    var r = Random(state: 46)
    for d in [DType.f64, .f32, .f16, .bf16] {
      for n in [1, 5, 300, 5000] {
        let t = Tape(), x = t.input(TensorType(d, [n])), y = t.input(TensorType(d, [3, n]))
        let a = t.unary(.sin, x), b = t.mul(a, x), s = t.sum(y, axes: [-2], keep: false), top = t.sum(a, axes: [-1], keep: true)
        let inner = t.concat([b, s], axis: -1), all = t.concat([inner, a, x, a, t.like(x, 0), top, t.full(TensorType(d, [2]), 3), inner], axis: -1)
        let inputs = [x: r.array(t.type(x)), y: r.array(t.type(y))]
        try check(t, inputs, [all])
        try check(t, inputs, [all, b, t.unary(.exp, inner), a])
        try check(t, inputs, [t.add(all, all), t.concat([t.reshape(b, [1, n]), y], axis: -2), t.concat([t.reshape(x, [n, 1]), t.reshape(b, [n, 1])], axis: -1)])
      }
    }
  }

  /// Columns of a few numbers, constants among them, stored as whole rows.
  func testRowsOfColumns() throws {
    var r = Random(state: 48)
    for d in [DType.f64, .f32, .f16] {
      for (n, width) in [(5, 20), (130, 47), (301, 70), (64, 300)] {
        let t = Tape(), x = t.input(TensorType(d, [n, 1])), y = t.input(TensorType(d, [n, 1])), w = t.input(TensorType(d, [n, 3]))
        let a = t.mul(x, y), pool = [t.like(x, 0), t.like(x, 0), t.like(x, 1), a, t.add(a, x), t.sub(t.unary(.sin, a), y), y, t.slice(w, axis: -1, start: 1, count: 1), t.neg(a)]
        var parts: [NodeID] = []
        while parts.count < width {
          let k = r.below(pool.count)
          for _ in 0 ..< [1, 1, 2, 9, 17][r.below(5)] { parts.append(pool[k]) }
        }
        let all = t.concat(parts, axis: -1), back = t.concat(parts.reversed(), axis: -1)
        let inputs = [x: r.array(t.type(x)), y: r.array(t.type(y)), w: r.array(t.type(w))]
        try check(t, inputs, [all])
        try check(t, inputs, [back, t.reshape(t.concat([t.reshape(all, [n, 1, parts.count]), t.reshape(back, [n, 1, parts.count])], axis: -2), [n, 2 * parts.count]), a])
      }
    }
  }

  func testStages() throws {
    var r = Random(state: 47)
    let t = Tape(), x = t.input(TensorType(.f64, [4])), y = t.input(TensorType(.f64, []))
    let e = (0 ..< 4).map { t.reshape(t.slice(x, axis: -1, start: $0, count: 1), []) }
    func stack(_ x: [NodeID]) -> NodeID { t.concat(x.map { t.reshape($0, [1]) }, axis: -1) }
    let a = t.mul(e[0], e[1]), early = stack([a, e[2], t.sub(a, e[3])]), b = t.mul(a, y)
    let late = stack([b, a, e[0], t.constant(.f64, 2), t.reshape(t.slice(early, axis: -1, start: 2, count: 1), [])])
    let vx = r.array(t.type(x)), vy = r.array(t.type(y))
    let want = try oneByOne(t, [x: vx, y: vy], [early, late, t.add(late, late)])
    for backend in 0 ..< 3 {
      let p = try Program(t, stages: [([x], [early]), ([y], [late, t.add(late, late)])])
      XCTAssertNil(p.set("backend", Double(backend)))
      let w = try Runner(p)
      for _ in 0 ..< 2 {
        XCTAssertEqual(w.run([vx]), [want[0]])
        XCTAssertEqual(w.run([vy], stage: 1), Array(want[1...]))
        XCTAssertEqual(w.run([vy], stage: 1), Array(want[1...]))
      }
    }
  }

  /// Outputs over inputs: every number is read before it is overwritten.
  func testAliases() throws {
    for way in 0 ..< 3 {
      for backend in 0 ..< 3 {
        let t = Tape(), n = 5, x = t.input(TensorType(.f64, [n])), y = t.input(TensorType(.f64, [n]))
        let e = (0 ..< n).map { t.reshape(t.slice(x, axis: -1, start: $0, count: 1), []) }
        func stack(_ x: [NodeID]) -> NodeID { t.concat(x.map { t.reshape($0, [1]) }, axis: -1) }
        let square = t.mul(e[0], e[0])
        let back = switch way {
        case 0: stack((0 ..< n).map { t.mul(e[n - 1 - $0], e[n - 1 - $0]) })
        case 1: stack([square, e[3], e[2], e[1], e[0]])
        default: t.concat([t.unary(.neg, t.slice(x, axis: -1, start: 3, count: 2)), t.slice(x, axis: -1, start: 0, count: 3)], axis: -1)
        }
        let other = t.add(x, y)
        let p = try Program(t, inputs: [x, y], outputs: [back, other])
        XCTAssertNil(p.set("backend", Double(backend)))
        XCTAssertNil(p.alias(output: 0, input: 0))
        XCTAssertNil(p.alias(output: 1, input: 1))
        let w = try Workspace(p)
        var a = [1.0, 2, 3, 4, 5], b = [10.0, 20, 30, 40, 50]
        a.withUnsafeMutableBytes { pa in b.withUnsafeMutableBytes { pb in
          let ins = [UnsafeRawPointer(pa.baseAddress), UnsafeRawPointer(pb.baseAddress)], outs = [pa.baseAddress, pb.baseAddress]
          XCTAssertEqual(w.run(inputs: ins, outputs: outs), .ok)
        } }
        XCTAssertEqual(a, [[25, 16, 9, 4, 1], [1, 4, 3, 2, 1], [-4, -5, 1, 2, 3]][way])
        XCTAssertEqual(b, [11, 22, 33, 44, 55])
      }
    }
  }

  /// Bodies of loops are planned alike: as what they stand for, written out.
  func testLoops() throws {
    var r = Random(state: 48)
    let t = Tape(), x = t.input(TensorType(.f64, [3])), xs = t.input(TensorType(.f64, [7, 2]))
    func stack(_ t: Tape, _ x: [NodeID]) -> NodeID { t.concat(x.map { t.reshape($0, [1]) }, axis: -1) }
    func step(_ t: Tape, _ c: NodeID, _ v: NodeID) -> (NodeID, NodeID) {
      let e = (0 ..< 3).map { t.reshape(t.slice(c, axis: -1, start: $0, count: 1), []) }, f = (0 ..< 2).map { t.reshape(t.slice(v, axis: -1, start: $0, count: 1), []) }
      return (stack(t, [t.mul(e[1], f[0]), e[0], t.add(e[2], f[1])]), stack(t, [e[2], f[0], e[2]]))
    }
    let inner = Tape(parent: t), c = inner.input(TensorType(.f64, [3])), v = inner.input(TensorType(.f64, [2])), (next, y) = step(inner, c, v)
    let loop = t.parts(t.scan(body: inner, inputs: [c, v], outputs: [next, y], init: [x], xs: [xs], ys: 1, length: 7, reverse: false))
    var carry = x, ys: [NodeID] = []
    for k in 0 ..< 7 {
      let (c, y) = step(t, carry, t.reshape(t.slice(xs, axis: -2, start: k, count: 1), [2]))
      carry = c
      ys.append(t.reshape(y, [1, 3]))
    }
    let all = t.concat(ys, axis: -2), inputs = [r.array(t.type(x)), r.array(t.type(xs))]
    let want = try Runner(t, [x, xs], [carry, all, t.slice(all, axis: -2, start: 2, count: 3)]).run(inputs)
    for backend in 0 ..< 3 {
      let p = try Program(t, inputs: [x, xs], outputs: [loop[0], loop[1], t.slice(loop[1], axis: -2, start: 2, count: 3)])
      XCTAssertNil(p.set("backend", Double(backend)))
      XCTAssertEqual(try Runner(p).run(inputs), want)
    }
  }

  /// Random tapes of slices, stacks and arithmetic on single numbers and short arrays.
  func testRandomPieces() throws {
    for seed in 0 ..< 300 {
      var r = Random(state: UInt64(seed) &+ 1000)
      let t = Tape(), d = [DType.f64, .f32, .f16, .bf16, .i64, .i32][r.below(6)]
      var inputs: [NodeID: Bytes] = [:], numbers: [NodeID] = [t.constant(d, 0), t.constant(d, 1)], arrays: [NodeID] = []
      for k in 0 ..< 3 {
        let x = t.input(TensorType(d, k == 0 ? [] : [2 + r.below(9)]))
        inputs[x] = r.array(t.type(x))
        if k == 0 { numbers.append(x) } else { arrays.append(x) }
      }
      for _ in 0 ..< 30 {
        let a = arrays[r.below(arrays.count)], n = t.shape(a)[0]
        switch r.below(7) {
        case 0, 1: numbers.append(t.reshape(t.slice(a, axis: -1, start: r.below(n), count: 1), []))
        case 2:
          let at = r.below(n)
          arrays.append(t.slice(a, axis: -1, start: at, count: 1 + r.below(n - at)))
        case 3: arrays.append(t.concat((0 ..< 1 + r.below(6)).map { _ in t.reshape(numbers[r.below(numbers.count)], [1]) }, axis: -1))
        case 4: if n < 100 { arrays.append(t.concat((0 ..< 1 + r.below(3)).map { _ in arrays[r.below(arrays.count)] }, axis: -1)) }
        case 5: arrays.append([t.mul(a, a), t.sum(a, axes: [-1], keep: true), t.add(a, t.broadcast(numbers[r.below(numbers.count)], to: [n]))][r.below(3)])
        default: numbers.append([t.add, t.mul, t.sub][r.below(3)](numbers[r.below(numbers.count)], numbers[r.below(numbers.count)]))
        }
        if t.type(arrays[arrays.count - 1]).count > 300 { arrays.removeLast() }
      }
      var outputs = (0 ..< 3).map { _ in arrays[r.below(arrays.count)] } + (0 ..< 2).map { _ in numbers[r.below(numbers.count)] }
      outputs.append(arrays[arrays.count - 1])
      try check(t, inputs, outputs)
    }
  }
}
