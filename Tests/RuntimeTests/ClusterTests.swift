import CKernels
import Tape
import XCTest
@testable import Runtime

final class ClusterTests: XCTestCase {
  func testChain() throws {
    for d in [DType.f64, .f32, .f16, .bf16] {
      for n in [0, 1, 7, 100, 1000, 4097] {
        let t = Tape(), x = t.input(TensorType(d, [n])), y = t.input(TensorType(d, [n]))
        let a = t.add(t.unary(.sin, x), t.mul(x, y)), b = t.div(a, t.like(a, 3)), c = t.unary(.exp, t.sub(b, y))
        var r = Random(state: 1)
        let p = try check(t, [x: r.array(t.type(x)), y: r.array(t.type(y))], [c, a])
        XCTAssertEqual(p.explanation.split(separator: "\n").count, 1, p.explanation)
      }
    }
  }

  func testStretchedOperands() throws {
    for d in [DType.f64, .f32, .bf16, .i32, .bool] {
      for (m, n) in [(3, 5), (1, 4), (700, 3), (3, 700), (40, 50), (5, 1)] {
        let t = Tape(), x = t.input(TensorType(d, [m, n])), row = t.input(TensorType(d, [n])), column = t.input(TensorType(d, [m, 1])), s = t.input(TensorType(d, []))
        let op: (NodeID, NodeID) -> NodeID = { d == .bool ? t.binary(.logical_xor, $0, $1) : t.add($0, $1) }
        let y = op(op(op(x, t.broadcast(row, to: [m, n])), t.broadcast(column, to: [m, n])), t.broadcast(s, to: [m, n]))
        let z = op(t.broadcast(y, to: [2, m, n]), t.broadcast(column, to: [2, m, n]))
        var r = Random(state: UInt64(m * n))
        try check(t, [x: r.array(t.type(x)), row: r.array(t.type(row)), column: r.array(t.type(column)), s: r.array(t.type(s))], [z, y])
        // What no view can show is written out.
        let q = t.input(TensorType(d, [1, m, 1, n])), w = op(t.broadcast(q, to: [2, m, 3, n]), t.broadcast(q, to: [2, m, 3, n]))
        try check(t, [q: r.array(t.type(q))], [w])
      }
    }
  }

  func testCasts() throws {
    let t = Tape()
    var inputs: [NodeID: Bytes] = [:], outputs: [NodeID] = []
    var r = Random(state: 5)
    for n in [1, 300] {
      for from in DType.allCases {
        let x = t.input(TensorType(from, [n]))
        inputs[x] = r.array(t.type(x))
        for to in DType.allCases {
          let y = t.cast(x, to)
          outputs.append(y)
          let op: (NodeID) -> NodeID = { t.dtype($0) == .bool ? t.not($0) : t.neg($0) }
          outputs.append(op(t.cast(op(y), from)))
          if to.isFloat { outputs.append(t.unary(.sqrt, t.unary(.exp, y))) }
        }
      }
    }
    try check(t, inputs, outputs)
  }

  /// f64 to 16 bits rounds once, in clusters of arrays and of single numbers.
  func testRoundsOnce() throws {
    for d in [DType.f16, .bf16] {
      let ulp = d == .f16 ? 0x1p-10 : 0x1p-7
      let v = 1 + ulp / 2 + 0x1p-40   // through f32 this ties to even, to 1
      for n in [1, 100] {
        let t = Tape(), x = t.input(TensorType(.f64, [n]))
        let y = t.cast(t.cast(t.add(x, t.like(x, 0)), d), .f64)
        let out = values(try Runner(t, [x], [y]).run([bytes([Double](repeating: v, count: n))])[0], Double.self)
        XCTAssertEqual(out, [Double](repeating: 1 + ulp, count: n))
      }
    }
  }

  func testScalarsEqualVectors() throws {
    var r = Random(state: 3)
    for d in [DType.f64, .f32, .f16, .bf16] {
      let t = Tape(), n = 20
      let xs = t.input(TensorType(d, [n])), ys = t.input(TensorType(d, [n]))
      let x = t.input(TensorType(d, [])), y = t.input(TensorType(d, []))
      func f(_ x: NodeID, _ y: NodeID) -> [NodeID] {
        let a = t.unary(.tanh, t.mul(x, y)), b = t.binary(.pow, t.unary(.abs, x), y), c = t.select(t.binary(.lt, x, y), a, b)
        return [a, b, c, t.unary(.sigmoid, c), t.gate(t.binary(.ge, x, y), a, c), t.unary(.erf, t.div(c, t.add(a, b)))]
      }
      let vx = r.array(t.type(xs)), vy = r.array(t.type(ys))
      let wide = try Runner(t, [xs, ys], f(xs, ys)).run([vx, vy]), narrow = try Runner(t, [x, y], f(x, y))
      for i in 0 ..< n {
        let s = d.size
        let got = narrow.run([Bytes(vx[i * s ..< (i + 1) * s]), Bytes(vy[i * s ..< (i + 1) * s])])
        for k in got.indices { XCTAssertEqual(got[k], Bytes(wide[k][i * s ..< (i + 1) * s]), "\(d) \(k)") }
      }
    }
  }

  /// Random tapes of many shapes and dtypes, kernels between clusters.
  func testRandomTapes() throws {
    for seed in 0 ..< 150 {
      var r = Random(state: UInt64(seed))
      let t = Tape(), d = [DType.f64, .f32, .f16, .bf16][r.below(4)], m = 1 + r.below(6), n = [1, 3, 50, 300][r.below(4)]
      var inputs: [NodeID: Bytes] = [:], nodes: [NodeID] = []
      for shape in [[m, n], [n], [m, 1], [], [m, n]] {
        let x = t.input(TensorType(d, shape))
        inputs[x] = r.array(t.type(x))
        nodes.append(x)
      }
      for _ in 0 ..< 40 {
        let a = nodes[r.below(nodes.count)], b = nodes[r.below(nodes.count)]
        switch r.below(14) {
        case 0: nodes.append(t.unary(.tanh, a))
        case 1: nodes.append(t.unary(.exp, t.unary(.sin, a)))
        case 2 where !t.shape(a).isEmpty: nodes.append(t.sum(a, axes: [-1], keep: true))
        case 3 where !t.shape(a).isEmpty: nodes.append(t.apply(.softmax, [a], [-1]))
        case 4 where t.shape(a).count == 2: nodes.append(t.matmul(a, a, false, true))
        case 5 where t.shape(a).count == 2: nodes.append(t.transpose(a, [1, 0]))
        case 6: nodes.append(t.reshape(a, [t.type(a).count]))
        case 7: nodes.append(t.cast(t.cast(a, .f32), d))
        case 8 where t.shape(a).count > 0: nodes.append(t.reverse(a, axes: [-1]))
        case 9: nodes.append(t.unary(.stop_gradient, a))
        default:
          guard let s = broadcastShapes(t.shape(a), t.shape(b)) else { continue }
          let x = t.broadcast(a, to: s), y = t.broadcast(b, to: s)
          nodes.append([t.add(x, y), t.mul(x, y), t.binary(.maximum, x, y), t.select(t.binary(.lt, x, y), x, y)][r.below(4)])
        }
      }
      var outputs = (0 ..< 5).map { _ in nodes[r.below(nodes.count)] }
      outputs.append(nodes[nodes.count - 1])
      try check(t, inputs, outputs)
    }
  }

  /// The same program recorded in another order: the same bits and the same plan.
  func testOrderOfRecording() throws {
    func make(_ swapped: Bool) -> (Tape, [NodeID], [NodeID]) {
      let t = Tape()
      var x = NodeID.none, w = NodeID.none
      if swapped { w = t.input(TensorType(.f32, [20, 20])); x = t.input(TensorType(.f32, [20, 20])) } else { x = t.input(TensorType(.f32, [20, 20])); w = t.input(TensorType(.f32, [20, 20])) }
      var a = NodeID.none, b = NodeID.none
      if swapped { b = t.matmul(w, x); a = t.unary(.sin, t.matmul(x, w)) } else { a = t.unary(.sin, t.matmul(x, w)); b = t.matmul(w, x) }
      let y = t.add(a, t.unary(.cos, b))
      return (t, [x, w], [t.sum(y, axes: [-1], keep: false), y])
    }
    var r = Random(state: 9)
    let v = [r.array(TensorType(.f32, [20, 20])), r.array(TensorType(.f32, [20, 20]))]
    let (t, x, y) = make(false), (t2, x2, y2) = make(true)
    let a = try Runner(t, x, y), b = try Runner(t2, x2, y2)
    XCTAssertEqual(a.program.explanation, b.program.explanation)
    XCTAssertEqual(a.run(v), b.run(v))
  }

  func testUnlistedInput() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [2])), y = t.input(TensorType(.f32, [3]))
    XCTAssertThrowsError(try Program(t, inputs: [x], outputs: [t.neg(y)])) {
      XCTAssertEqual(($0 as? Failure)?.message, "program: an output depends on an input of type f32[3] that is not among the inputs")
    }
    _ = t.add(x, y)
    XCTAssertThrowsError(try Program(t, inputs: [x], outputs: [x])) { XCTAssertEqual(($0 as? Failure)?.code, .shape) }
  }
}
