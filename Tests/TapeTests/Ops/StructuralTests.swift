import Tape
import XCTest

/// The table of the other rows, row after row, in every dtype.
final class StructuralTests: XCTestCase {
  private func check(_ rows: [Structural]) throws {
    var checks = 0, seed: UInt64 = 1
    for s in rows {
      let all = cases(s)
      XCTAssertFalse(all.isEmpty, row(s).name)
      for c in all {
        for d in c.dtypes {
          seed += 1
          checks += try DerivativeCheck(c, d, seed: seed).all()
        }
      }
    }
    print("structural rows: \(rows.count), checks: \(checks)")
  }

  /// A gather at constants that run on round the end is a roll, in a loop's body too; its values are those of the gather.
  func testGatherThatTurnsIsARoll() throws {
    let v = (0 ..< 10).map { 0.5 - Double($0) }
    for k in -4 ..< 8 {
      for d in [DType.i64, .i32] {
        let t = Tape(), x = t.f64(2, 5), at = t.input(TensorType(d, [5]))
        let list = (0 ..< 5).map { i in Int64((i + k + 10) % 5) - (i & 1 == 0 ? 0 : 5) }
        let y = d == .i64 ? t.gather(x, t.indices(list), axis: -1) : t.gather(x, t.array(TensorType(.i32, [5]), list.map(Int32.init)), axis: -1)
        XCTAssertEqual(t.op(y), k % 5 == 0 ? t.op(x) : OpCode(.roll))
        let out = try evaluate(t, [y, t.gather(x, at, axis: -1)], [(x, v), (at, list.map(Double.init))])
        XCTAssertEqual(out[0], out[1])
      }
    }
    let t = Tape(), x = t.f64(3), turn = t.indices([1, 2, 0]), b = Tape(parent: t), c = b.f64(3)
    XCTAssertEqual(b.op(b.gather(c, b.resolve(serial: t.serial, index: turn.index), axis: -1)), OpCode(.roll))
    for list in [[1, 2, 1], [2, 1, 0], [0, 1], [0, 1, 2, 3], [1, 2, 3], [3, 0, 1]] as [[Int64]] {
      XCTAssertEqual(t.op(t.gather(x, t.indices(list), axis: -1)), OpCode(.gather), "\(list)")
    }
    let turned = t.simplify([t.roll(t.roll(x, axis: -1, by: 1), axis: -1, by: 2), t.roll(t.roll(x, axis: -1, by: 4), axis: -1, by: -2)])
    XCTAssertEqual(turned, [x, t.roll(x, axis: -1, by: 2)])
  }

  func testEveryRow() throws { try check(Structural.allCases.filter { ![.scan, .part, .cond, .whileLoop, .checkpoint, .cholesky].contains($0) }) }
  func testScans() throws { try check([.scan]) }
  func testBranches() throws { try check([.cond]) }

  /// The gradient of cholesky is symmetrised, so its tangents have to be.
  func testCholesky() throws {
    try check([.cholesky])
    for b in [1, 2] {
      let types = [TensorType(.f64, b == 1 ? [3, 3] : [2, 3, 3])]
      let c = Case(name: "cholesky of a symmetric matrix", types: types, active: [0], slack: 8, dtypes: [.f64, .f32], sample: { g in [matrices(&g, b, 3)] }) { t, x in
        [t.apply(.cholesky, [t.add(x[0], t.matrixTranspose(x[0]))])]
      }
      for d in c.dtypes { _ = try DerivativeCheck(c, d, seed: 77).all() }
    }
  }

  /// Rows that refuse 16 bits say so; no other row does.
  func testRefusedDTypes() {
    for s in Structural.allCases {
      for c in cases(s).prefix(1) {
        for d in [DType.f16, .bf16] where !c.dtypes.contains(d) {
          let t = Tape(), x = c.types.map { t.input($0.dtype == .f64 ? $0.with(d) : $0) }
          _ = c.build(t, x)
          XCTAssertEqual(t.failure?.code, .dtype, c.name)
          XCTAssertEqual(t.failure?.message, "\(row(s).name): takes f64 or f32, not \(d.name)")
        }
      }
    }
  }

  /// Values against their definition in doubles.
  func testValues() throws {
    let t = Tape(), x = t.f64(2, 3), v: Doubles = [1, -2, 3, 0.5, 4, -1]
    let i = t.indices([2, -1, 0])
    let out = try evaluate(t, [
      t.apply(.slice, [x], [2, 2, -2]), t.apply(.pad, [x], [1, 0, 1]), t.gather(x, i, axis: -1), t.apply(.scatterAdd, [i, x], [-1, 0, 4]),
      t.reduce(.max, x, axes: [-2], keep: false), t.apply(.cumsum, [x], [-1, 1]), t.reduce(.prod, x, axes: [-1], keep: true),
      t.matmul(x, x, false, true), t.apply(.argmax, [x], [-1]), t.concat([x, x], axis: -2), t.oneHot(i, depth: 3, .f64), t.matmul(x, t.transpose(x, [1, 0])),
      t.einsum("ij->ji", [x]), t.einsum("ij,kj->ik", [x, x]), t.einsum("ij,ij->", [x, x]), t.einsum("ii->i", [t.matmul(x, x, false, true)]),
      t.reduce(.norm, x, axes: [-1], keep: false), t.einsum("ij,kj", [x, x]), t.einsum("ba", [x]), t.mean(x, axes: [-1], keep: false),
    ], [(x, v)])
    XCTAssertEqual(out[0], [3, 1, -1, 0.5])
    XCTAssertEqual(out[1], [0, 1, 0, -2, 0, 3, 0, 0.5, 0, 4, 0, -1])
    XCTAssertEqual(out[2], [3, 3, 1, -1, -1, 0.5])
    XCTAssertEqual(out[3], [3, 0, 1, -2, -1, 0, 0.5, 4])
    XCTAssertEqual(out[4], [1, 4, 3])
    XCTAssertEqual(out[5], [2, 1, 3, 3.5, 3, -1])
    XCTAssertEqual(out[6], [-6, -2])
    XCTAssertEqual(out[7], [14, -10.5, -10.5, 17.25])
    XCTAssertEqual(out[8], [2, 1])
    XCTAssertEqual(out[9], v + v)
    XCTAssertEqual(out[10], [0, 0, 1, 0, 0, 0, 1, 0, 0])
    XCTAssertEqual(out[11], out[7])
    XCTAssertEqual(out[12], [1, 0.5, -2, 4, 3, -1])
    XCTAssertEqual(out[13], out[7])
    XCTAssertEqual(out[14], [31.25])
    XCTAssertEqual(out[15], [14, 17.25])
    XCTAssertEqual(out[16], [(14.0).squareRoot(), (17.25).squareRoot()])
    XCTAssertEqual(out[17], out[7])
    XCTAssertEqual(out[18], [1, 0.5, -2, 4, 3, -1])
    XCTAssertLessThan(distance([out[19]], [[2.0 / 3, 3.5 / 3]]), 1e-15)
  }
}
