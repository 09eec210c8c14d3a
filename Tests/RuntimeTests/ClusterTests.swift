import CKernels
import Tape
import XCTest
@testable import Runtime

final class ClusterTests: XCTestCase {
  /// On AVX2, where parts end beside their memory.
  func testNarrowVectors() throws {
    let level = ck_level()
    if level < 2 { throw XCTSkip("the narrow vectors are this machine's") }
    XCTAssertTrue(ck_set_level(1))
    defer { _ = ck_set_level(level) }
    try testChain()
    try testStretchedOperands()
    try testCasts()
    try testRandomTapes()
    try testParts()
  }

  /// What runs as machine code: simple operators around functions, masks and dtypes mixed, results read again, at lengths around
  /// those of vectors and blocks.
  func testParts() throws {
    for seed in 0 ..< 60 {
      var r = Random(state: UInt64(1000 + seed))
      let t = Tape(), n = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 100, 500, 4096, 4099][r.below(19)]
      var inputs: [NodeID: Bytes] = [:], floats: [NodeID] = [], masks: [NodeID] = []
      for d in [DType.f64, .f32, .f64, .bool, .i32, .i64] {
        let x = t.input(TensorType(d, [n]))
        inputs[x] = r.array(t.type(x))
        if d == .bool { masks.append(x) } else { floats.append(t.cast(x, [.f64, .f32][r.below(2)])) }
      }
      for shape in [[], [1]] {
        let s = t.input(TensorType(.f64, shape))
        inputs[s] = r.array(t.type(s))
        floats.append(t.broadcast(s, to: [n]))
      }
      for _ in 0 ..< 10 + r.below(150) {
        let a = floats[r.below(floats.count)], same = floats.filter { t.dtype($0) == t.dtype(a) }, b = same[r.below(same.count)], m = masks[r.below(masks.count)]
        switch r.below(16) {
        case 0: floats.append(t.unary(.sin, a))
        case 1: floats.append(t.unary([.exp, .tanh][r.below(2)], a))
        case 2: masks.append(t.binary([.lt, .le, .eq, .ne, .gt, .ge][r.below(6)], a, b))
        case 3: masks.append(t.binary([.logical_and, .logical_or, .logical_xor][r.below(3)], m, masks[r.below(masks.count)]))
        case 4: floats.append(t.select(m, a, b))
        case 5: floats.append(t.gate(m, a, b))
        case 6: floats.append(t.cast(a, [.f64, .f32][r.below(2)]))
        case 7: floats.append(t.cast(m, [.f64, .f32][r.below(2)]))
        case 8: floats.append(t.unary([.neg, .abs, .sign, .floor, .relu, .square, .reciprocal][r.below(7)], a))
        case 9: masks.append(t.unary([.isnan, .isfinite][r.below(2)], a))
        case 10: floats.append(t.binary([.maximum, .minimum, .fmax, .fmin][r.below(4)], a, b))
        default: floats.append([t.add(a, b), t.mul(a, b), t.sub(a, b)][r.below(3)])
        }
      }
      let all = floats + masks
      try check(t, inputs, (0 ..< 4).map { _ in all[r.below(all.count)] } + [floats[floats.count - 1], masks[masks.count - 1]])
    }
  }

  /// Results larger than the caches are stored past them, from a vector's boundary on; arrays of hosts may stand anywhere.
  func testPastTheCaches() throws {
    let level = ck_level(), cache = VectorBlocks.cache
    VectorBlocks.cache = 4096
    defer {
      _ = ck_set_level(level)
      VectorBlocks.cache = cache
    }
    for l in 1 ... max(level, 1) where ck_set_level(l) {
      for d in [DType.f64, .f32] {
        let n = 100_003, t = Tape(), x = t.input(TensorType(d, [n])), y = t.input(TensorType(d, [n]))
        let a = t.add(t.mul(x, y), x), b = t.select(t.binary(.lt, x, y), t.unary(.tanh, x), a), c = t.sub(b, y)
        var r = Random(state: UInt64(l)), v: [Bytes] = []
        for _ in 0 ..< 2 {
          let piece = r.array(TensorType(d, [997]))
          v.append(Bytes((0 ..< n * d.size).map { piece[$0 % piece.count] }))
        }
        var want: [Bytes] = []
        for (backend, offsets) in [(1, [0, 0]), (0, [0, 0]), (0, [16, 16]), (0, [8, 40]), (2, [4, 4]), (0, [60, 32])] {
          let p = try Program(t, inputs: [x, y], outputs: [a, c])
          XCTAssertNil(p.set("backend", Double(backend)))
          let w = try Workspace(p), out = offsets.map { _ in UnsafeMutableRawPointer.allocate(byteCount: n * d.size + 128, alignment: 64) }
          defer { out.forEach { $0.deallocate() } }
          for o in out { memset(o, 0xAB, n * d.size + 128) }
          let code = v[0].withUnsafeBytes { x in v[1].withUnsafeBytes { y in
            w.run(inputs: [x.baseAddress, y.baseAddress], outputs: [out[0] + offsets[0], out[1] + offsets[1]])
          } }
          XCTAssertEqual(code, .ok)
          let got = out.indices.map { Bytes(UnsafeRawBufferPointer(start: out[$0] + offsets[$0], count: n * d.size)) }
          if want.isEmpty { want = got }
          for k in got.indices {
            XCTAssertTrue(got[k] == want[k], "\(d), level \(l), back end \(backend), output \(k) at \(offsets[k])")
            for i in 0 ..< offsets[k] { XCTAssertEqual(out[k].load(fromByteOffset: i, as: UInt8.self), 0xAB) }
            for i in offsets[k] + n * d.size ..< n * d.size + 128 { XCTAssertEqual(out[k].load(fromByteOffset: i, as: UInt8.self), 0xAB) }
          }
        }
      }
    }
  }

  /// The plan says what runs as machine code.
  func testExplanation() throws {
    if ck_level() == 0 { throw XCTSkip("no AVX2") }
    let t = Tape(), x = t.input(TensorType(.f64, [100])), y = t.add(t.mul(x, x), t.unary(.sin, x))
    let p = try Program(t, inputs: [x], outputs: [y])
    XCTAssertTrue(p.explanation.contains("registers: sin mul add (2 of 3 in machine code, \(ck_level() == 2 ? 8 : 4) lanes)"), p.explanation)
    XCTAssertNil(p.set("backend", 1))
    XCTAssertTrue(p.explanation.contains("(kernels: by option)"), p.explanation)
  }

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
