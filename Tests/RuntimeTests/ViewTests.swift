import CKernels
import Tape
import XCTest
@testable import Runtime

/// Views that clusters read in place, and concats that they store.
final class ViewTests: XCTestCase {
  /// An operator that each dtype takes.
  private func twist(_ t: Tape, _ x: NodeID) -> NodeID { t.dtype(x) == .bool ? t.not(x) : t.neg(x) }
  private func join(_ t: Tape, _ x: NodeID, _ y: NodeID) -> NodeID { t.dtype(x) == .bool ? t.binary(.logical_xor, x, y) : t.add(x, y) }

  /// A random view: a slice with any step, a transpose, a broadcast, a reshape.
  private func view(_ t: Tape, _ x: NodeID, _ r: inout Random) -> NodeID {
    let s = t.shape(x)
    switch r.below(4) {
    case 0 where !s.isEmpty:
      var a: [Int] = []
      for n in s {
        let step = [1, 1, 2, -1, -2, 3][r.below(6)], most = n == 0 ? 0 : (n - 1) / abs(step) + 1, count = most == 0 ? 0 : 1 + r.below(most)
        let span = max(count - 1, 0) * abs(step), low = n == 0 ? 0 : r.below(n - span)
        a += [step > 0 ? low : low + span, count, step]
      }
      return t.apply(.slice, [x], a)
    case 1 where s.count > 1: return t.transpose(x, Array(s.indices).shuffled(using: &r))
    case 2 where t.type(x).count < 5000: return t.broadcast(x, to: [1 + r.below(3)] + s.map { $0 == 1 ? 1 + r.below(4) : $0 })
    default:
      let n = t.type(x).count
      for d in [7, 5, 4, 3, 2] where n % d == 0 && n > 0 { return t.reshape(x, r.below(2) == 0 ? [d, n / d] : [n / d, d]) }
      return t.reshape(x, [1, n])
    }
  }

  func testChainsOfViews() throws {
    for d in DType.allCases {
      for seed in 0 ..< 25 {
        var r = Random(state: UInt64(seed)), shape: [Int] = []
        for _ in 0 ..< 1 + r.below(3) { shape.append([1, 2, 3, 6, 30][r.below(5)]) }
        let t = Tape(), x = t.input(TensorType(d, shape)), made = twist(t, x)
        var outputs: [NodeID] = []
        for root in [x, made] {
          var v = root
          for _ in 0 ..< 1 + r.below(4) { v = view(t, v, &r) }
          outputs += [join(t, twist(t, v), v), v]
          if t.shape(v).count > 1 { outputs.append(join(t, v, t.broadcast(t.slice(v, axis: -1, start: 0, count: 1), to: t.shape(v)))) }
        }
        try check(t, [x: r.array(t.type(x))], outputs)
      }
    }
  }

  /// Columns of a matrix in, columns of another out: one step that moves every number once.
  func testColumns() throws {
    for (n, threads) in [(1, 1.0), (2, 1), (37, 1), (1000, 1), (40_001, 2), (40_001, 7)] {
      let t = Tape(), x = t.input(TensorType(.f64, [n, 5])), c = (0 ..< 5).map { t.slice(x, axis: -1, start: $0, count: 1) }
      let one = t.broadcast(t.constant(.f64, 1), to: [n, 1]), zero = t.broadcast(t.constant(.f64, 0), to: [n, 1])
      var y = (0 ..< 40).map { k in k % 3 == 0 ? zero : t.mul(t.unary(.sin, c[k % 5]), t.add(c[(k + k / 7) % 5], k % 2 == 0 ? one : c[k % 4])) }
      y += [one, c[3], y[1], y[1]]
      var r = Random(state: UInt64(n))
      let v = [x: r.array(t.type(x))], outputs = [t.concat(y, axis: -1), t.concat([y[2], c[0], y[4]], axis: -1), y[4]]
      let p = try check(t, v, outputs)
      if n > 1 { XCTAssertEqual(p.explanation.split(separator: "\n").count, 1, p.explanation) }
      let shared = try Program(t, inputs: [x], outputs: outputs)
      XCTAssertNil(shared.set("threads", threads))
      if threads > 1 { XCTAssertTrue(try shared.plan().steps[0].lanes > 1, shared.explanation) }
      XCTAssertEqual(try Runner(shared).run([v[x] ?? []]), try oneByOne(t, v, outputs))
    }
  }

  func testConcats() throws {
    for d in DType.allCases {
      for (shape, axis) in [([3, 4], -1), ([3, 4], -2), ([50, 1, 3], -2), ([50, 1, 3], -1), ([300, 2], -1), ([1, 5], -1), ([2, 3, 4], -3), ([700, 1], -1), ([3, 0], -2)] {
        let t = Tape(), x = t.input(TensorType(d, shape)), y = t.input(TensorType(d, shape)), a = join(t, x, y), b = twist(t, a)
        let number = t.input(TensorType(d, [])), same = t.broadcast(number, to: shape), reversed = t.reverse(x, axes: [-1])
        let first = t.concat([a, b, x, reversed, same, a], axis: axis)
        // What is read as a whole, in part, and together with what came before it.
        let again = t.concat([twist(t, first), first], axis: axis), part = twist(t, t.slice(first, axis: axis, start: 0, count: t.shape(first)[t.shape(first).count + axis] / 2))
        var r = Random(state: 4)
        try check(t, [x: r.array(t.type(x)), y: r.array(t.type(y)), number: r.array(t.type(number))], [first, again, part, b])
      }
    }
  }

  /// An output may lie over an input that is read in place only if it is read element by element.
  func testAliases() throws {
    for n in [2, 5, 40] {
      let t = Tape(), x = t.input(TensorType(.f64, [n, n])), y = t.add(t.transpose(x, [1, 0]), t.neg(x))
      let z = t.concat((0 ..< n).map { t.unary(.exp, t.slice(x, axis: -1, start: n - 1 - $0, count: 1)) }, axis: -1)
      var r = Random(state: 1)
      let v = r.array(t.type(x))
      for out in [y, z] {
        let p = try Program(t, inputs: [x], outputs: [out]), want = try Runner(t, [x], [out]).run([v])[0]
        XCTAssertNil(p.alias(output: 0, input: 0))
        var a = v
        let w = try Workspace(p)
        a.withUnsafeMutableBytes { a in XCTAssertEqual(w.run(inputs: [UnsafeRawPointer(a.baseAddress)], outputs: [a.baseAddress]), .ok) }
        XCTAssertEqual(a, want, p.explanation)
      }
    }
  }

  /// A large transpose is copied in tiles, a small one read in place.
  func testLargeTransposes() throws {
    for (n, steps) in [(16, 1), (2000, 2)] {
      let t = Tape(), x = t.input(TensorType(.f32, [n, n])), y = t.unary(.exp, t.transpose(x, [1, 0]))
      let p = try Program(t, inputs: [x], outputs: [y])
      XCTAssertEqual(p.explanation.split(separator: "\n").count, steps, p.explanation)
    }
  }

  /// An array turned twice is itself, where the array turned once is needed in memory too.
  func testTurnedTwiceBesideTurnedOnce() throws {
    let t = Tape(), x = t.input(TensorType(.f64, [2, 2])), once = t.matrixTranspose(x), twice = t.matrixTranspose(once), v = [1.0, 2, 3, 4]
    let r = try Runner(t, [x], [twice, t.apply(.cumsum, [twice], [-1, 0]), t.apply(.cumsum, [once], [-1, 0]), once]).run([bytes(v)])
    XCTAssertEqual(r.map { values($0, Double.self) }, [v, [1, 3, 3, 7], [1, 4, 2, 6], [1, 3, 2, 4]])
  }
}
