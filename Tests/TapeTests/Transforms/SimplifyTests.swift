import CKernels
import Tape
import XCTest

/// Identities and folding keep every bit, signed zeros included, in every dtype.
final class SimplifyTests: XCTestCase {
  static let edges: Doubles = [0, -0.0, 1, -1, 0.5, -2.5, 1e-320, -1e-320, 65504, 1e300, -1e300, .infinity, -.infinity, .nan]

  /// Each row on the constants 0, -0 and 1 on either side, against itself.
  func testRowsWithConstantsKeepBits() throws {
    let constants: Doubles = [0, -0.0, 1, -1, .infinity, .nan]
    var checked = 0
    for row in 0 ..< Int(CK_ROW_COUNT) {
      let op = OpCode(raw: UInt16(row)), c = ck_row_class(Int32(row)), arity = Int(ck_row_arity(Int32(row)))
      for d in ElementwiseTests.dtypes(op) where d != .f16 {
        let t = Tape(), n = Self.edges.count
        let first: DType = c == .SELECT || c == .GATE ? .bool : d
        let x = (0 ..< arity).map { t.input(TensorType($0 == 0 ? first : d, [n])) }
        var nodes: [NodeID] = []
        for k in constants {
          for slot in 0 ..< arity {
            var y = x
            y[slot] = t.like(x[slot], k)
            nodes.append(t.elementwise(op, y[0], y.count > 1 ? y[1] : .none, y.count > 2 ? y[2] : .none))
          }
          let all = x.map { t.like($0, k) }
          nodes.append(t.elementwise(op, all[0], all.count > 1 ? all[1] : .none, all.count > 2 ? all[2] : .none))
        }
        nodes.append(t.elementwise(op, x[0], x.count > 1 && t.dtype(x[1]) == first ? x[0] : x.count > 1 ? x[1] : .none, x.count > 2 ? x[2] : .none))
        let s = t.simplify(nodes), data = x.map { _ in Self.edges }
        if let f = t.failure { XCTFail("\(op.name) \(d.name): \(f.message)"); continue }
        let r = try evaluate(t, nodes + s, Array(zip(x, data)))
        for i in nodes.indices {
          XCTAssertTrue(sameBits(r[i], r[nodes.count + i]), "\(op.name) \(d.name) \(i)\n\(r[i])\n\(r[nodes.count + i])")
          checked += 1
        }
        t.typecheck()
      }
    }
    print("simplified rows with constants: \(checked)")
  }

  func testIdentities() {
    let t = Tape(), x = t.f64(2, 3), b = t.binary(.gt, x, t.zeros(x)), one = t.like(x, 1)
    func simple(_ n: NodeID) -> NodeID { t.simplify([n])[0] }
    for same in [t.neg(t.neg(x)), t.binary(.mul, x, one), t.binary(.mul, one, x), t.div(x, one), t.sub(x, t.zeros(x)), t.add(x, t.like(x, -0.0)), t.binary(.pow, x, one),
                 t.binary(.maximum, x, x), t.ternary(.select, b, x, x), t.apply(.reshape, [t.apply(.reshape, [x], [2, 6])], [1, 2, 3]), t.transpose(t.transpose(x, [1, 0]), [1, 0]),
                 t.apply(.slice, [x], [0, 2, 1, 0, 3, 1]), t.apply(.pad, [x], [0, 0, 0]), t.apply(.broadcast, [x], [2, 3]), t.apply(.cast, [x], [0])] {
      XCTAssertEqual(simple(same), x, t.op(same).name)
    }
    for other in [t.add(x, t.zeros(x)), t.mul(x, t.zeros(x)), t.sub(x, x), t.div(x, x), t.sub(x, t.like(x, -0.0))] { XCTAssertEqual(simple(other), other, t.op(other).name) }
    XCTAssertEqual(simple(t.gate(t.ones(mask: x), x, x)), t.mul(x, x))
    XCTAssertEqual(simple(t.unary(.abs, t.neg(x))), t.unary(.abs, x))
    XCTAssertEqual(simple(t.matmul(t.matrixTranspose(x), x)), t.matmul(x, x, true, false))
    XCTAssertTrue(t.isUniform(simple(t.unary(.cos, t.zeros(x))), 1))
    XCTAssertNil(t.failure)
  }

  func testSharing() {
    let t = Tape(), x = t.f64()
    let y = t.add(t.mul(x, t.constant(.f64, 1)), x), s = t.simplify([y, t.add(x, x)])
    XCTAssertEqual(s[0], s[1])
  }
}
