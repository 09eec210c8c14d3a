import CKernels
import Tape
import XCTest
@testable import Runtime

/// Masks that are kept for the way back, eight elements to a byte.
final class BitMaskTests: XCTestCase {
  private struct Net { let t: Tape, inputs: [NodeID], outputs: [NodeID] }

  override func tearDown() { Values.least = 4096 }

  func testBits() {
    for n in [0, 1, 7, 8, 9, 31, 32, 33, 64, 100, 1001] {
      var g = Random(state: UInt64(n)), x = (0 ..< n).map { _ in UInt8(g.below(2)) }, y = [UInt8](repeating: 9, count: n + 1)
      var bits = [UInt8](repeating: 0xEE, count: n / 8 + 2)
      ck_pack_bits(&x, n, &bits)
      for i in 0 ..< (n + 7) / 8 * 8 { XCTAssertEqual(bits[i / 8] >> (i % 8) & 1, i < n ? x[i] : 0) }
      XCTAssertEqual(bits[(n + 7) / 8], 0xEE)
      ck_unpack_bits(&bits, n, &y)
      XCTAssertEqual(Array(y.prefix(n)), x)
      XCTAssertEqual(y[n], 9)
    }
  }

  /// Layers of each kind with masks, of `rows` x `n` numbers in `dtype`.
  private func net(_ kind: Int, rows: Int, _ n: Int, layers: Int, _ dtype: DType = .f32) throws -> Net {
    let t = Tape(), x = t.input(TensorType(dtype, [rows, n])), key = t.input(TensorType(.i64, [])), w = (0 ..< layers).map { _ in t.input(TensorType(dtype, [n, n])) }
    var h = x
    for (i, wi) in w.enumerated() {
      let z = t.matmul(h, wi)
      switch kind {
      case 0: h = t.unary(.relu, z)
      case 1: h = t.binary(.maximum, z, t.zeros(z))
      case 2: h = t.select(t.binary(.gt, z, t.like(z, 0.1)), t.unary(.sin, z), t.scale(z, 0.2))
      case 3: h = t.dropout(z, t.binary(.add, key, t.constant(.i64, Double(i))), rate: 0.25)
      case 4: h = t.mul(z, t.broadcast(t.reduce(.max, z, axes: [-1], keep: true), to: [rows, n]))
      default: h = t.unary(.relu, t.dropout(t.binary(.maximum, z, h), key, rate: 0.5))
      }
    }
    let loss = t.sum(t.mul(h, h), axes: [-2, -1], keep: false), g = t.grad(loss, [x] + w)
    if let f = t.failure { throw f }
    return Net(t: t, inputs: [x, key] + w, outputs: [loss] + g)
  }

  private func arguments(_ l: Net) -> [Bytes] {
    var g = Random(state: 17)
    return l.inputs.map { l.t.dtype($0) == .i64 ? bytes([Int64(5)]) : g.array(l.t.type($0)) }
  }

  func testSameBits() throws {
    var packed = 0
    for kind in 0 ..< 6 {
      for (rows, n, dtype) in [(33, 21, DType.f32), (64, 64, .f64), (40, 30, .bf16)] {
        let l = try net(kind, rows: rows, n, layers: 4, dtype), x = arguments(l)
        Values.least = Int.max
        let plain = try Program(l.t, inputs: l.inputs, outputs: l.outputs), want = try Runner(plain).run(x)
        Values.least = 16
        for (threads, backend) in [(1, 0), (3, 0), (1, 1), (1, 2)] {
          let p = try Program(l.t, inputs: l.inputs, outputs: l.outputs)
          XCTAssertNil(p.set("threads", Double(threads)))
          XCTAssertNil(p.set("backend", Double(backend)))
          let r = try Runner(p)
          for _ in 0 ..< 2 { XCTAssertEqual(r.run(x), want, "kind \(kind), \(rows) x \(n) \(dtype)") }
          packed += p.structure.values.hasBits ? 1 : 0
        }
      }
    }
    XCTAssertGreaterThan(packed, 40)
  }

  /// Infinities: products that are not finite read their masks by the bit.
  func testNotFinite() throws {
    let l = try net(0, rows: 32, 32, layers: 3, .f64)
    var x = arguments(l), v = values(x[0], Double.self)
    for i in stride(from: 0, to: v.count, by: 37) { v[i] = i % 2 == 0 ? .infinity : -1e308 }
    x[0] = bytes(v)
    Values.least = Int.max
    let want = try Runner(l.t, l.inputs, l.outputs).run(x)
    Values.least = 16
    for threads in [1, 4] {
      let p = try Program(l.t, inputs: l.inputs, outputs: l.outputs)
      XCTAssertNil(p.set("threads", Double(threads)))
      XCTAssertTrue(p.structure.values.hasBits)
      XCTAssertEqual(try Runner(p).run(x), want)
    }
  }

  /// Between the ways there and back a relu layer leaves its result and an eighth of a byte an element.
  func testMemory() throws {
    let n = 128, one = n * n * 4
    func memory(_ kind: Int, _ layers: Int, bits: Bool) throws -> Int {
      Values.least = bits ? 4096 : Int.max
      let l = try net(kind, rows: n, n, layers: layers), p = try Program(l.t, inputs: l.inputs, outputs: l.outputs)
      XCTAssertNil(p.set("threads", 1))
      return p.memory
    }
    // Masks of the layers' own, and of what of their cotangents is there. Dropout's layers have a key each, beside.
    for (kind, masks, more) in [(0, 2, 0), (1, 3, 0), (3, 2, 64)] {
      let bytes = try memory(kind, 12, bits: false) - memory(kind, 8, bits: false), bits = try memory(kind, 12, bits: true) - memory(kind, 8, bits: true)
      XCTAssertEqual(bits, 4 * (one + masks * one / 32) + more, "kind \(kind)")
      XCTAssertEqual(bytes, 4 * (one + masks * one / 4) + more, "kind \(kind)")
    }
  }
}
