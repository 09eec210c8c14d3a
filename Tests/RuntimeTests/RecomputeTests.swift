import CKernels
import Tape
import XCTest
@testable import Runtime

/// Parts of a tape that derivatives compute again.
final class RecomputeTests: XCTestCase {
  private struct Net { let t: Tape, inputs: [NodeID], outputs: [NodeID] }

  /// tanh layers of width `n`, in segments of `each` that are computed again; 0: none.
  private func net(layers: Int, _ n: Int, each: Int, keeping: Keeping = .nothing, hvp: Bool = false) throws -> Net {
    let v = TensorType(.f64, [n, n]), t = Tape(), x = t.input(v), w = (0 ..< layers).map { _ in t.input(v) }
    var h = x, start = x
    for (i, wi) in w.enumerated() {
      h = t.unary(.tanh, t.matmul(h, wi))
      if each > 0, (i + 1) % each == 0 {
        h = t.checkpoint([h], [start], keeping: keeping)[0]
        start = h
      }
    }
    let loss = t.sum(t.mul(h, h), axes: [-2, -1], keep: false)
    var out = [loss] + t.grad(loss, [x] + w)
    if hvp { out += t.hvp(loss, [x], [w[0]]) }
    if let f = t.failure { throw f }
    return Net(t: t, inputs: [x] + w, outputs: out)
  }

  private func arguments(_ l: Net) -> [Bytes] {
    var g = Random(state: 3)
    return l.inputs.map { bytes((0 ..< l.t.type($0).count).map { _ in Double.random(in: -0.3 ... 0.3, using: &g) }) }
  }

  func testSameBits() throws {
    let plain = try net(layers: 6, 8, each: 0, hvp: true), x = arguments(plain), want = try Runner(plain.t, plain.inputs, plain.outputs).run(x)
    for (each, keeping) in [(1, Keeping.nothing), (2, .nothing), (3, .products), (6, .nothing), (4, .nothing), (1, .products)] {
      let l = try net(layers: 6, 8, each: each, keeping: keeping, hvp: true)
      let y = try Runner(l.t, l.inputs, l.outputs).run(x)
      XCTAssertEqual(Array(y.dropLast()), Array(want.dropLast()), "\(each)")
      zip(values(y.last ?? [], Double.self), values(want.last ?? [], Double.self)).forEach { XCTAssertEqual($0, $1, accuracy: 1e-13 * (1 + abs($1))) }
      // Neither rewriting nor sharing brings the copies back to what they are copies of.
      let s = l.t.simplify(l.outputs), r = try Runner(l.t, l.inputs, s)
      XCTAssertEqual(r.run(x), y)
      XCTAssertEqual(r.program.memory, try Program(l.t, inputs: l.inputs, outputs: l.outputs).memory)
    }
  }

  /// The activations that are kept are those between segments, and those of one segment.
  func testMemoryFalls() throws {
    let n = 64, one = n * n * 8, layers = 16
    func memory(_ each: Int, _ keeping: Keeping = .nothing) throws -> Double {
      let l = try net(layers: layers, n, each: each, keeping: keeping), p = try Program(l.t, inputs: l.inputs, outputs: l.outputs)
      XCTAssertNil(p.set("threads", 1))
      return Double(p.memory) / Double(one)
    }
    // Two arrays a layer are kept, what tanh reads and what it gives; or one for each segment and those of one segment.
    for (each, arrays) in [(0, 32), (1, 16), (2, 12), (4, 12), (8, 18), (16, 33)] {
      let m = try memory(each)
      XCTAssertGreaterThanOrEqual(m, Double(arrays), "\(each)")
      XCTAssertLessThanOrEqual(m, Double(arrays) + 2, "\(each)")
    }
    // With the products kept, only what tanh gives is made again: a product a layer, a result a segment, and those of one segment.
    let products = try memory(4, .products)
    XCTAssertGreaterThanOrEqual(products, 16 + 4 + 4)
    XCTAssertLessThanOrEqual(products, 16 + 4 + 4 + 3)
  }

  /// Several results, some that depend on nothing listed; captured values; integers; masks; second order both ways; a batch; loops inside and outside.
  func testKinds() throws {
    func build(_ mark: Bool) throws -> Net {
      let v = TensorType(.f64, [6]), t = Tape(), x = t.input(v), w = t.input(v), d = t.input(v), i = t.iota(TensorType(.i64, [6]), axis: -1)
      func part(_ t: Tape, _ f: (NodeID, NodeID) -> [NodeID], _ a: NodeID, _ b: NodeID) -> [NodeID] { mark ? t.checkpoint(f(a, b), [a, b]) : f(a, b) }
      let p = part(t, { a, b in
        let s = t.unary(.sin, t.mul(a, w)), m = t.binary(.gt, a, t.zeros(a))
        return [t.select(m, s, t.unary(.exp, a)), t.sum(t.mul(s, b), axes: [-1], keep: false), t.cast(t.binary(.gt, s, b), .i64), t.unary(.cos, w), a]
      }, x, t.unary(.tanh, w))
      let q = t.mul(p[0], t.add(t.broadcast(p[1], to: [6]), p[3]))
      let b = Tape(parent: t), c = b.input(v), ww = b.resolve(serial: t.serial, index: w.index)
      let e = part(b, { a, w in [b.unary(.sin, b.mul(a, b.unary(.cos, w))), b.mul(a, w)] }, c, ww)
      let loop = t.parts(t.scan(body: b, inputs: [c], outputs: [b.add(e[0], e[1])], init: [q], xs: [], ys: 0, length: 3, reverse: false))[0]
      let inner = part(t, { a, b in part(t, { c, d in [t.mul(t.unary(.sin, c), d)] }, t.mul(a, a), b) }, loop, t.add(p[4], t.cast(t.add(i, p[2]), .f64)))[0]
      let loss = t.sum(inner, axes: [-1], keep: false), g = t.grad(loss, [x, w])
      let gd = t.sum(t.mul(g[0], d), axes: [-1], keep: false)
      let tangent = t.jvp([inner], [x], [d])[0]
      let mixed = t.grad(t.sum(t.mul(tangent, tangent), axes: [-1], keep: false), [x, w])
      let wide = t.input(TensorType(.f64, [3, 6])), batched = t.batch([g[0], inner, p[2]], [x], [wide], size: 3)
      let out = [loss] + g + t.hvp(loss, [x, w], [d, x]) + t.grad(gd, [x, w]) + [tangent] + mixed + t.jacobian([inner], [x], mode: .reverse) + t.jacobian([inner], [x], mode: .forward) + batched
      if let f = t.failure { throw f }
      return Net(t: t, inputs: [x, w, d, wide], outputs: out)
    }
    let a = try build(false), b = try build(true), x = arguments(a)
    let y = try Runner(a.t, a.inputs, a.outputs).run(x), z = try Runner(b.t, b.inputs, b.outputs).run(x)
    for (i, n) in a.outputs.enumerated() {
      if a.t.dtype(n) == .i64 { XCTAssertEqual(y[i], z[i]); continue }
      for (u, v) in zip(values(y[i], Double.self), values(z[i], Double.self)) { XCTAssertEqual(u, v, accuracy: 1e-11 * (1 + abs(u)), "output \(i)") }
    }
  }

  func testWithSlots() throws {
    func build(_ slots: Int, _ mark: Bool) throws -> Net {
      let v = TensorType(.f64, [4]), t = Tape(), x = t.input(v), k = t.input(v), b = Tape(parent: t), c = b.input(v), kk = b.resolve(serial: t.serial, index: k.index)
      let next = b.unary(.sin, b.mul(c, kk)), y = t.parts(t.scan(body: b, inputs: [c], outputs: [mark ? b.checkpoint([next], [c])[0] : next], init: [x], xs: [], ys: 0, length: 11, reverse: false, slots: slots))[0]
      let z = mark ? t.checkpoint([y], [x])[0] : y, loss = t.sum(t.mul(z, z), axes: [-1], keep: false), out = [loss] + t.grad(loss, [x, k])
      if let f = t.failure { throw f }
      return Net(t: t, inputs: [x, k], outputs: out)
    }
    let plain = try build(0, false), x = arguments(plain), want = try Runner(plain.t, plain.inputs, plain.outputs).run(x)
    for (s, m) in [(3, false), (0, true), (3, true)] {
      let l = try build(s, m)
      XCTAssertEqual(try Runner(l.t, l.inputs, l.outputs).run(x), want)
    }
  }

  func testScalars() throws {
    func build(_ mark: Bool) throws -> Net {
      let s = TensorType(.f64, []), t = Tape(), x = t.input(s), w = t.input(s)
      var h = x
      for k in 0 ..< 40 {
        let y = t.unary(.sin, t.add(t.mul(h, w), t.constant(.f64, Double(k))))
        h = mark ? t.checkpoint([y], [h])[0] : y
      }
      return Net(t: t, inputs: [x, w], outputs: [h] + t.grad(h, [x, w]))
    }
    let a = try build(false), b = try build(true), x = [bytes([0.3]), bytes([0.8])]
    XCTAssertEqual(try Runner(a.t, a.inputs, a.outputs).run(x), try Runner(b.t, b.inputs, b.outputs).run(x))
    XCTAssertEqual(try Runner(a.t, a.inputs, a.outputs).run(x), try Runner(Program(b.t, stages: [(b.inputs, b.outputs)], reroll: .always)).run(x))
  }

  func testMisuse() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [2])), y = t.unary(.sin, x)
    XCTAssertEqual(t.checkpoint([y], []), [y])
    XCTAssertEqual(t.checkpoint([], [x]), [])
    XCTAssertEqual(t.checkpoint([NodeID(99)], [x]), [.none])
    XCTAssertEqual(t.failure?.code, .node)
  }
}
