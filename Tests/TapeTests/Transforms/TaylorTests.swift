import CKernels
import Tape
import XCTest

/// Taylor coefficients against derivatives of derivatives, for every row of both tables; what they cost.
final class TaylorTests: XCTestCase {
  /// The k-th derivative along x + v t + w t^2 by nested jvp, against k! times the coefficient. Returns the number of comparisons.
  private func check(_ c: Case, _ d: DType, seed: UInt64, order: Int = 3) throws -> Int {
    let t = Tape(), x = c.types.map { t.input($0.dtype == .f64 ? $0.with(d) : $0) }, y = c.build(t, x)
    let ys = y.filter { t.contains($0) && t.dtype($0).isFloat }, on = c.active.map { x[$0] }
    guard t.failure == nil, !ys.isEmpty, !on.isEmpty else { return 0 }
    let v = on.map { t.input(t.type($0)) }, w = on.map { t.input(t.type($0)) }
    let a = t.taylor(ys, on, zip(v, w).flatMap { [$0, $1] + [NodeID](repeating: .none, count: order - 2) }, order: order)
    // The curve's own parameter as an input of the function.
    let s = t.input(TensorType(d, []))
    let moved = zip(zip(on, v), w).map { xv, w in
      let (x, v) = xv, at = t.splat(s, t.shape(x))
      return t.add(x, t.add(t.mul(v, at), t.mul(w, t.mul(at, at))))
    }
    var nested = t.substitute(ys, on, moved), want: [NodeID] = []
    for k in 1 ... order {
      nested = t.jvp(nested, [s], [t.constant(d, 1)])
      want += nested.map { t.scale($0, 1 / (1 ... k).reduce(1.0) { $0 * Double($1) }) }
    }
    if let f = t.failure { XCTFail("\(c.name) \(d.name): \(f.message)"); return 0 }
    t.typecheck()
    var g = Random(seed)
    let values = zip(c.sample(&g), c.types).map { $1.dtype == .f64 ? stored($0, d) : $0 }
    let dirs = (v + w).map { stored(g.values(t.type($0).count), d) }
    let got = try evaluate(t, a + want, Array(zip(x, values)) + Array(zip(v + w, dirs)) + [(s, [0])])
    var made = 0
    for o in ys.indices {
      for k in 1 ... order {
        let p = got[o * order + k - 1], q = got[a.count + (k - 1) * ys.count + o]
        let limit = 2048 * gamma(16, d) * c.slack, e = distance([p], [q])
        XCTAssertLessThanOrEqual(e, limit, "\(c.name) \(d.name) output \(o), order \(k): \(p) \(q)")
        made += 1
      }
    }
    return made
  }

  func testEveryElementwiseRow() throws {
    var made = 0
    for row in 0 ..< Int(CK_ROW_COUNT) {
      let op = OpCode(raw: UInt16(row))
      for d in ElementwiseTests.dtypes(op) where d == .f64 || d == .f32 { made += try check(ElementwiseTests.rowCase(op), d, seed: UInt64(row)) }
    }
    XCTAssertGreaterThan(made, 400)
    print("taylor: \(made) comparisons of elementwise rows")
  }

  func testEveryOtherRow() throws {
    var made = 0
    for s in Structural.allCases where ![.checkpoint, .host].contains(s) {   // cannot be substituted into; has no derivative
      for (i, c) in cases(s).enumerated() where c.dtypes.contains(.f64) && !c.stops { made += try check(c, .f64, seed: UInt64(i)) }
    }
    XCTAssertGreaterThan(made, 100)
    print("taylor: \(made) comparisons of other rows")
  }

  /// Nodes at twice the order: four times as many, and a few.
  func testCostIsQuadratic() {
    func nodes(_ order: Int, _ build: (Tape, NodeID) -> NodeID) -> Int {
      let t = Tape(), x = t.f64(4), y = build(t, x), c = (0 ..< order).map { _ in t.f64(4) }, before = t.count
      _ = t.taylor([y], [x], c, order: order)
      XCTAssertNil(t.failure)
      return t.count - before
    }
    let functions: [(String, (Tape, NodeID) -> NodeID)] = [
      ("exp", { $0.unary(.exp, $1) }), ("log", { $0.unary(.log, $1) }), ("sin", { $0.unary(.sin, $1) }), ("tanh", { $0.unary(.tanh, $1) }), ("sqrt", { $0.unary(.sqrt, $1) }),
      ("pow", { $0.binary(.pow, $1, $0.like($1, 0.3)) }), ("x^x", { $0.binary(.pow, $1, $1) }), ("square", { $0.unary(.square, $1) }), ("asin", { $0.unary(.asin, $1) }),
      ("erf", { $0.unary(.erf, $1) }), ("gelu", { $0.unary(.gelu, $1) }), ("sigmoid", { $0.unary(.sigmoid, $1) }), ("x / (1 + x^2)", { $0.div($1, $0.add($0.like($1, 1), $0.unary(.square, $1))) }),
      ("logsumexp", { $0.reduce(.logsumexp, $1, axes: [-1], keep: false) }), ("softmax", { $0.apply(.softmax, [$1], [-1]) }), ("norm", { $0.reduce(.norm, $1, axes: [-1], keep: false) }),
    ]
    for (name, f) in functions {
      let low = nodes(10, f), high = nodes(20, f), top = nodes(40, f)
      XCTAssertLessThan(Double(high), 4.5 * Double(low), name)
      XCTAssertLessThan(Double(top), 4.5 * Double(high), name)
      XCTAssertLessThan(low, 800, name)
    }
  }

  /// Deep tapes are walked without recursion, at a cost linear in their size.
  func testDeep() throws {
    let t = Tape(), x = t.f64()
    var y = x
    for i in 0 ..< 20_000 { y = i % 3 == 0 ? t.unary(.sin, y) : i % 3 == 1 ? t.scale(y, 1.01) : t.add(y, x) }
    let c = t.taylor([y], [x], [t.constant(.f64, 1), .none, .none], order: 3)
    XCTAssertNil(t.failure)
    XCTAssertEqual(t.jvp([y], [x], [t.constant(.f64, 1)]).count, 1)
    XCTAssertLessThan(t.count, 800_000)
    let r = try evaluate(t, c + t.jvp([y], [x], [t.constant(.f64, 1)]), [(x, [0.3])])
    XCTAssertEqual(r[0][0], r[3][0], accuracy: 1e-9 * abs(r[3][0]))
  }

  func testFunctionsOfNothing() {
    let t = Tape(), x = t.f64(3), y = t.unary(.sin, x)
    XCTAssertEqual(t.mixed([y], [], [], [0, 2], directionCount: 1), [y, t.zeros(y)])
    XCTAssertEqual(t.taylor([y], [], [], order: 2), [t.zeros(y), t.zeros(y)])
    XCTAssertNil(t.failure)
  }

  func testErrors() {
    func expect(_ code: Code, _ message: String, _ f: (Tape, NodeID, NodeID) -> Void) {
      let t = Tape(), x = t.f64(3)
      f(t, x, t.unary(.sin, x))
      XCTAssertEqual(t.failure?.code, code)
      XCTAssertEqual(t.failure?.message, message)
    }
    expect(.invalid, "taylor: order 0; 1 to 64 are taken") { t, x, y in _ = t.taylor([y], [x], [], order: 0) }
    expect(.invalid, "taylor: order 65; 1 to 64 are taken") { t, x, y in _ = t.taylor([y], [x], [], order: 65) }
    expect(.invalid, "taylor: 1 coefficients for 1 inputs and order 2") { t, x, y in _ = t.taylor([y], [x], [x], order: 2) }
    expect(.shape, "taylor: coefficient 2 of input 0 is f64[], not f64[3]") { t, x, y in _ = t.taylor([y], [x], [x, t.constant(.f64, 1)], order: 2) }
    expect(.node, "taylor: coefficient 0 is not a node of this tape") { t, x, y in _ = t.taylor([y], [x], [NodeID(Int32(99))], order: 1) }
    expect(.invalid, "taylor: an input is given twice") { t, x, y in _ = t.taylor([y], [x, x], [x, x], order: 1) }
    expect(.dtype, "taylor: output 0 is bool[3]; derivatives need a float") { t, x, y in _ = t.taylor([t.binary(.lt, x, y)], [x], [x], order: 1) }
    expect(.derivative, "zeta: has no derivative in operand 0") { t, x, y in _ = t.taylor([t.binary(.zeta, x, t.like(x, 1))], [x], [x, x], order: 2) }
    expect(.invalid, "directional: orders [9, 9]; 0 or more are taken, 16 together") { t, x, y in _ = t.mixed([y], [x], [x, y], [9, 9], directionCount: 2) }
    expect(.invalid, "directional: orders [-1, 1]; 0 or more are taken, 16 together") { t, x, y in _ = t.mixed([y], [x], [x, y], [-1, 1], directionCount: 2) }
    expect(.shape, "directional: direction 0 is f64[], not f64[3]") { t, x, y in _ = t.mixed([y], [x], [t.constant(.f64, 1)], [1], directionCount: 1) }
    expect(.invalid, "directional: 1 directions of 1 inputs and 3 orders for 2") { t, x, y in _ = t.mixed([y], [x], [x], [1, 1, 1], directionCount: 2) }
  }
}
