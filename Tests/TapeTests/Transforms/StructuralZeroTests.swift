import Tape
import XCTest

/// A masked, sliced or unselected branch contributes no gradient, to any order, whatever its partials are there.
final class StructuralZeroTests: XCTestCase {
  static let inf = Double.infinity
  static let nan = Double.nan

  /// y = build(x) at `at` has gradient `first` (of the sum of y) and, elementwise or as a Hessian's diagonal, `second`.
  struct Zero {
    var name: String, at: Doubles, first: Doubles, second: Doubles?
    var build: (Tape, NodeID) -> NodeID
    init(_ name: String, _ at: Doubles, _ first: Doubles, _ second: Doubles? = nil, _ build: @escaping (Tape, NodeID) -> NodeID) {
      self.name = name
      self.at = at
      self.first = first
      self.second = second
      self.build = build
    }
  }

  private static func positive(_ t: Tape, _ x: NodeID) -> NodeID { t.binary(.gt, x, t.zeros(x)) }

  static let masked: [Zero] = [
    Zero("where(x > 0, log x, 0)", [0, -1, 2], [0, 0, 0.5], [0, 0, -0.25]) { t, x in t.select(positive(t, x), t.unary(.log, x), t.zeros(x)) },
    Zero("where(x > 0, sqrt x, 0)", [0, -1, 4], [0, 0, 0.25], [0, 0, -0.03125]) { t, x in t.select(positive(t, x), t.unary(.sqrt, x), t.zeros(x)) },
    Zero("where(x != 0, 1/x, x)", [0, 2], [1, -0.25], [0, 0.25]) { t, x in t.select(t.binary(.ne, x, t.zeros(x)), t.unary(.reciprocal, x), x) },
    Zero("where(x != 0, sin x / x, 1)", [0, .pi], [0, -1 / .pi], [0, 2 / (.pi * .pi)]) { t, x in
      t.select(t.binary(.ne, x, t.zeros(x)), t.div(t.unary(.sin, x), x), t.like(x, 1))
    },
    Zero("where(x > 0, x log x, 0)", [0, 1], [0, 1], [0, 1]) { t, x in t.select(positive(t, x), t.mul(x, t.unary(.log, x)), t.zeros(x)) },
    Zero("where(x < 5, exp x, x)", [0, 1e3], [1, 1], [1, 0]) { t, x in t.select(t.binary(.lt, x, t.like(x, 5)), t.unary(.exp, x), x) },
    Zero("where(x > 0, x^x, 0)", [-1, 1], [0, 1], [0, 2]) { t, x in t.select(positive(t, x), t.binary(.pow, x, x), t.zeros(x)) },
    Zero("where(|x| < 1, asin x, x)", [1, 0, 2], [1, 1, 1], [0, 0, 0]) { t, x in t.select(t.binary(.lt, t.unary(.abs, x), t.like(x, 1)), t.unary(.asin, x), x) },
    Zero("NaN behind the mask", [-1, 4], [0, 1], [0, 0]) { t, x in
      t.select(positive(t, x), t.mul(t.unary(.sqrt, x), t.unary(.sqrt, t.unary(.square, t.unary(.sqrt, x)))), t.zeros(x))
    },
    Zero("nested masks", [0, -1, 2], [0, 0, 0.5], [0, 0, -0.25]) { t, x in
      t.select(positive(t, x), t.select(positive(t, x), t.unary(.log, x), t.unary(.exp, t.unary(.reciprocal, x))), t.zeros(x))
    },
    Zero("a masked sum", [0, 4], [0, 0.25]) { t, x in t.total(t.select(positive(t, x), t.unary(.sqrt, x), t.zeros(x))) },
    Zero("a masked part of a sum of branches", [0, 4], [1, 1.25], [0, -0.03125]) { t, x in t.add(x, t.select(positive(t, x), t.unary(.sqrt, x), t.zeros(x))) },
    Zero("sqrt at 0 sliced away", [0, 4], [0, 0.25], [0, -0.03125]) { t, x in t.slice(t.unary(.sqrt, x), axis: -1, start: 1, count: 1) },
    Zero("log at 0 not gathered", [0, 4], [0, 0.5], [0, -0.125]) { t, x in t.gather(t.unary(.log, x), t.indices([1, 1]), axis: -1) },
    Zero("sliced backwards with a stride", [4, 0, 1], [0.25, 0, 0.5], [-0.03125, 0, -0.25]) { t, x in t.apply(.slice, [t.unary(.sqrt, x)], [2, 2, -2]) },
    Zero("sliced after a reshape and a transpose", [0, 0, 4, 1], [0, 0, 0.25, 0]) { t, x in
      t.slice(t.reshape(t.transpose(t.reshape(t.unary(.sqrt, x), [2, 2]), [1, 0]), [4]), axis: -1, start: 1, count: 1)
    },
    Zero("clamp", [0, 0.25, 9], [0, 1, 0], [0, -2, 0]) { t, x in
      let r = t.unary(.sqrt, x)
      return t.ternary(.clamp, r, t.like(x, 0.1), t.like(x, 2))
    },
    Zero("max over the other", [0, 4], [0, 0.25]) { t, x in t.reduce(.max, t.unary(.sqrt, x), axes: [-1], keep: false) },
    Zero("maximum with a constant", [0, 4], [0, 0.25], [0, -0.03125]) { t, x in t.binary(.maximum, t.unary(.sqrt, x), t.like(x, 1)) },
    Zero("relu behind a log", [1, 4], [0, 0.25]) { t, x in t.unary(.relu, t.sub(t.unary(.log, x), t.like(x, 1e-9))) },
    Zero("relu of sqrt at 0", [0, 4], [0, 0.25], [0, -0.03125]) { t, x in t.unary(.relu, t.unary(.sqrt, x)) },
    Zero("masked softmax", [1, 1, 0], [0, 0, 0]) { t, x in
      t.apply(.softmax, [t.select(positive(t, x), t.add(x, t.scale(t.unary(.log, x), 0)), t.like(x, -inf))], [-1])
    },
    Zero("cumsum of a sliced part", [4, 1, 0], [0.5, 0.5, 0]) { t, x in t.slice(t.apply(.cumsum, [t.unary(.sqrt, x)], [-1, 0]), axis: -1, start: 0, count: 2) },
    Zero("a concatenation cut again", [4, 0], [0.25, 0], [-0.03125, 0]) { t, x in
      let r = t.unary(.sqrt, x)
      return t.slice(t.concat([t.neg(r), r], axis: -1), axis: -1, start: 2, count: 1)
    },
    Zero("a pad cut again", [4, 0], [0.25, 0], [-0.03125, 0]) { t, x in t.slice(t.apply(.pad, [t.unary(.sqrt, x)], [2, 1, 0]), axis: -1, start: 0, count: 3) },
    Zero("stop_gradient of an infinite derivative", [0, 4], [1, 1], [0, 0]) { t, x in t.add(x, t.unary(.stop_gradient, t.unary(.sqrt, x))) },
    Zero("a comparison's operands", [0, 4], [1, 1], [0, 0]) { t, x in t.select(t.binary(.lt, t.unary(.sqrt, x), t.like(x, 9)), x, t.neg(x)) },
    Zero("a product with a masked factor", [0, 4], [0, 3], [0, 0.375]) { t, x in t.mul(x, t.select(positive(t, x), t.unary(.sqrt, x), t.zeros(x))) },
    Zero("dropped by dropout", [0, 0, 0, 0], [0, 0, 0, 0]) { t, x in
      let kept = t.dropout(t.like(x, 1), t.constant(.i64, integer: 5), rate: 0.5)
      return t.select(t.binary(.lt, kept, t.zeros(x)), t.unary(.sqrt, x), t.zeros(x))
    },
    Zero("logsumexp over a masked entry", [0, 2], [0, 0.5], [0, -0.25]) { t, x in
      t.reduce(.logsumexp, t.select(positive(t, x), t.unary(.log, x), t.like(x, -inf)), axes: [-1], keep: false)
    },
    Zero("norm over a masked entry", [0, 4], [0, 0.25]) { t, x in t.reduce(.norm, t.select(positive(t, x), t.unary(.sqrt, x), t.zeros(x)), axes: [-1], keep: false) },
    Zero("prod over a sliced part", [0, 4, 1], [0, 0.25, 1]) { t, x in t.reduce(.prod, t.slice(t.unary(.sqrt, x), axis: -1, start: 1, count: 2), axes: [-1], keep: false) },
    Zero("a broadcast cut again", [0, 4], [0, 0.5], [0, -0.0625]) { t, x in t.slice(t.broadcast(t.unary(.sqrt, x), to: [2, 2]), axis: -1, start: 1, count: 1) },
    Zero("scattered, then cut", [0, 4], [0, 0.25], [0, -0.03125]) { t, x in
      t.slice(t.apply(.scatterAdd, [t.indices([0, 2]), t.unary(.sqrt, x)], [-1, 0, 3]), axis: -1, start: 1, count: 2)
    },
    Zero("through a cast", [0, 4], [0, 0.25], [0, -0.03125]) { t, x in
      t.cast(t.select(positive(t, x), t.cast(t.unary(.sqrt, x), .f32), t.zeros(t.cast(x, .f32))), .f64)
    },
    Zero("a loop's masked step", [0, 4, 1], [0, 0.25, 0.5], [0, -0.03125, -0.25]) { t, x in
      let b = Tape(parent: t), c = b.input(TensorType(.f64, [])), s = b.input(TensorType(.f64, []))
      let y = b.select(b.binary(.gt, s, b.zeros(s)), b.unary(.sqrt, s), b.zeros(s))
      return t.parts(t.scan(body: b, inputs: [c, s], outputs: [b.add(c, y)], init: [t.constant(.f64, 0)], xs: [x], ys: 0, length: 3, reverse: false))[0]
    },
  ]

  /// Gradients reverse and forward, Jacobians both ways, Hessians both ways; to a few ulp.
  func check(_ z: Zero, file: StaticString = #filePath, line: UInt = #line) throws {
    let t = Tape(), x = t.input(TensorType(.f64, [z.at.count])), y = z.build(t, x), s = t.total(y), n = z.at.count
    let g = t.grad(s, [x]), J = t.jacobian([y], [x], mode: .forward), R = t.jacobian([y], [x], mode: .reverse), H = t.hessian(s, [x]), H2 = t.jacobian(g, [x], mode: .reverse)
    if let f = t.failure { return XCTFail("\(z.name): \(f.message)", file: file, line: line) }
    t.typecheck()
    let r = try evaluate(t, g + J + R + H + H2 + t.simplify(g), [(x, z.at)])
    func columns(_ j: Doubles) -> Doubles { (0 ..< n).map { i in stride(from: i, to: j.count, by: n).reduce(0) { $0 + j[$1] } } }
    for (name, got) in [("gradient", r[0]), ("forward", columns(r[1])), ("reverse", columns(r[2])), ("simplified", r[5])] {
      XCTAssertLessThan(distance([got], [z.first]), 1e-14, "\(z.name), \(name): \(got), not \(z.first)", file: file, line: line)
    }
    for (name, h) in [("Hessian", r[3]), ("Hessian in reverse", r[4])] {
      XCTAssertTrue(h.allSatisfy(\.isFinite), "\(z.name), \(name): \(h)", file: file, line: line)
      if let second = z.second {
        let d = (0 ..< n).map { h[$0 * n + $0] }
        XCTAssertLessThan(distance([d], [second]), 1e-14, "\(z.name), \(name): \(d), not \(second)", file: file, line: line)
      }
    }
  }

  func testMaskedPlaces() throws {
    XCTAssertGreaterThanOrEqual(Self.masked.count, 30)
    for z in Self.masked { try check(z) }
  }

  /// Rows of X with NaN and infinities, masked after the product: the gradient of W comes from the valid rows alone.
  func testMaskedRowsOfMatmul() throws {
    for batched in [false, true] {
      let t = Tape(), lead = batched ? [1] : [], X = t.input(TensorType(.f64, lead + [3, 2])), W = t.f64(2, 2)
      let valid = t.broadcast(t.cast(t.literal([1, 0, 0], lead + [3, 1]), .bool), to: lead + [3, 2])
      let y = t.matmul(X, W), loss = t.total(t.unary(.square, t.select(valid, y, t.zeros(y)))), g = t.grad(loss, [W, X]), H = t.hessian(loss, [W])
      let r = try evaluate(t, [loss] + g + H, [(X, [1, 2, Self.nan, 1, Self.inf, -Self.inf]), (W, [1, 2, 3, 4])])
      XCTAssertEqual(r[0], [149])
      XCTAssertEqual(r[1], [14, 20, 28, 40])
      XCTAssertEqual(r[2], [54, 122, 0, 0, 0, 0])
      XCTAssertEqual(r[3], [2, 0, 4, 0, 0, 2, 0, 4, 4, 0, 8, 0, 0, 4, 0, 8])
    }
  }

  /// Seeds of Jacobians are masks: a unit tangent does not meet the infinite derivatives of other places.
  func testJacobianSeeds() throws {
    let t = Tape(), x = t.f64(3), y = t.mul(t.unary(.sqrt, x), t.like(x, 2))
    for mode in [JacobianMode.forward, .reverse] {
      let J = try evaluate(t, t.jacobian([y], [x], mode: mode), [(x, [4, 0, 1])])[0]
      XCTAssertEqual(J, [0.5, 0, 0, 0, Self.inf, 0, 0, 0, 1])
    }
    let m = t.f64(2, 2), p = t.matmul(t.unary(.sqrt, m), t.literal([1, 2, 3, 4], [2, 2]))
    for mode in [JacobianMode.forward, .reverse] {
      let J = try evaluate(t, t.jacobian([p], [m], mode: mode), [(m, [1, 0, 4, 1])])[0]
      XCTAssertEqual(Array(J[0 ..< 4]), [0.5, Self.inf, 0, 0], "\(mode)")
      XCTAssertEqual(Array(J[8 ..< 12]), [0, 0, 0.25, 1.5], "\(mode)")
    }
  }

  /// Steps of a loop whose results are cut off contribute nothing, though their partials are infinite.
  func testSlicedResultsOfLoops() throws {
    let t = Tape(), x = t.f64(3), k = t.f64()
    let b = Tape(parent: t), c = b.input(TensorType(.f64, [])), s = b.input(TensorType(.f64, []))
    let y = b.mul(b.unary(.sqrt, s), b.resolve(serial: t.serial, index: k.index))
    let r = t.parts(t.scan(body: b, inputs: [c, s], outputs: [b.add(c, s), y], init: [t.constant(.f64, 0)], xs: [x], ys: 1, length: 3, reverse: false))
    let loss = t.total(t.slice(r[1], axis: -1, start: 1, count: 2)), g = t.grad(loss, [x, k]), H = t.hessian(loss, [x])
    let v = try evaluate(t, g + H, [(x, [0, 4, 1]), (k, [2])])
    XCTAssertEqual(v[0], [0, 0.5, 1])
    XCTAssertEqual(v[1], [3])
    XCTAssertEqual(v[2], [0, 0, 0, 0, -0.0625, 0, 0, 0, -0.5])
  }

  /// The unit tangents of a Jacobian stay apart in a loop: each step meets only its own infinite derivative.
  func testJacobiansOfLoops() throws {
    let t = Tape(), x = t.f64(3), z = t.f64()
    let b = Tape(parent: t), c = b.input(TensorType(.f64, [])), s = b.input(TensorType(.f64, []))
    let r = t.parts(t.scan(body: b, inputs: [c, s], outputs: [b.mul(c, b.like(c, 2)), b.add(b.unary(.sqrt, s), c)], init: [z], xs: [t.unary(.sqrt, x)], ys: 1, length: 3, reverse: false))
    for mode in [JacobianMode.forward, .reverse] {
      let v = try evaluate(t, t.jacobian([r[1], r[0]], [x, z], mode: mode), [(x, [0, 16, 1]), (z, [1])])
      XCTAssertEqual(v[0], [Self.inf, 0, 0, 0, 0.03125, 0, 0, 0, 0.25], "\(mode)")
      XCTAssertEqual(v[1], [1, 2, 4], "\(mode)")
      XCTAssertEqual(v[2], [0, 0, 0], "\(mode)")
      XCTAssertEqual(v[3], [8], "\(mode)")
    }
    t.typecheck()
  }

  /// Carries that nothing reads afterwards contribute nothing.
  func testUnreadCarries() throws {
    let t = Tape(), x = t.f64(3), z = t.f64(), k = t.f64()
    let b = Tape(parent: t), c = b.input(TensorType(.f64, [])), d = b.input(TensorType(.f64, [])), s = b.input(TensorType(.f64, []))
    let root = b.mul(b.unary(.sqrt, s), b.resolve(serial: t.serial, index: k.index))
    let r = t.parts(t.scan(body: b, inputs: [c, d, s], outputs: [b.mul(c, s), b.add(b.unary(.sqrt, d), root)], init: [z, z], xs: [x], ys: 0, length: 3, reverse: false))
    let v = try evaluate(t, t.grad(r[0], [x, z, k]) + t.hessian(r[0], [x]), [(x, [0, 4, 1]), (z, [0]), (k, [1])])
    XCTAssertEqual(v, [[0, 0, 0], [0], [0], [0, 0, 0, 0, 0, 0, 0, 0, 0]])
    let w = try evaluate(t, t.grad(r[1], [x]), [(x, [1, 4, 1]), (z, [1]), (k, [1])])[0]
    XCTAssertTrue(w.allSatisfy { $0.isFinite && $0 > 0 })
  }

  // MARK: singular points (NUMERICS, section 5)

  static let singular: [Zero] = [
    Zero("norm at 0", [0, 0], [0, 0], [0, 0]) { t, x in t.reduce(.norm, x, axes: [-1], keep: false) },
    Zero("hypot at 0", [0, 0], [0, 0], [0, 0]) { t, x in t.binary(.hypot, x, x) },
    Zero("abs at 0", [0, -2], [0, -1], [0, 0]) { t, x in t.unary(.abs, x) },
    Zero("pow(x, 2) at 0", [0, 3], [0, 6], [2, 2]) { t, x in t.binary(.pow, x, t.like(x, 2)) },
    Zero("pow(x, 3) at 0", [0, 1], [0, 3], [0, 6]) { t, x in t.binary(.pow, x, t.like(x, 3)) },
    Zero("pow(x, 1) at 0", [0, 3], [1, 1], [0, 0]) { t, x in t.binary(.pow, x, t.like(x, 1)) },
    Zero("pow(x, 0) at 0", [0, 3], [0, 0], [0, 0]) { t, x in t.binary(.pow, x, t.like(x, 0)) },
    Zero("pow(0, y)", [2, 0.5], [0, 0], [0, 0]) { t, y in t.binary(.pow, t.zeros(y), y) },
    Zero("prod with one zero", [2, 0, 3], [0, 6, 0], [0, 0, 0]) { t, x in t.reduce(.prod, x, axes: [-1], keep: false) },
    Zero("prod with two zeros", [2, 0, 0], [0, 0, 0], [0, 0, 0]) { t, x in t.reduce(.prod, x, axes: [-1], keep: false) },
    Zero("logsumexp of -inf", [-inf, -inf], [0, 0], [0, 0]) { t, x in t.reduce(.logsumexp, x, axes: [-1], keep: false) },
    Zero("softmax of -inf", [-inf, -inf], [0, 0], [0, 0]) { t, x in t.apply(.softmax, [x], [-1]) },
    Zero("atan2 at the origin", [0, 0], [0, 0], [0, 0]) { t, x in t.binary(.atan2, x, x) },
    Zero("max of ties", [1, 3, 3, 3], [0, 1 / 3.0, 1 / 3.0, 1 / 3.0], [0, 0, 0, 0]) { t, x in t.reduce(.max, x, axes: [-1], keep: false) },
    Zero("min of ties", [1, 1, 3], [0.5, 0.5, 0], [0, 0, 0]) { t, x in t.reduce(.min, x, axes: [-1], keep: false) },
    Zero("maximum of ties", [2], [1], [0]) { t, x in t.binary(.maximum, x, x) },
    Zero("maximum at a tie with a constant", [2], [0.5], [0]) { t, x in t.binary(.maximum, x, t.like(x, 2)) },
    Zero("relu at 0", [0], [0], [0]) { t, x in t.unary(.relu, x) },
    Zero("sigmoid far out", [800, -800], [0, 0], [0, 0]) { t, x in t.unary(.sigmoid, x) },
    Zero("tanh far out", [400, -400], [0, 0], [0, 0]) { t, x in t.unary(.tanh, x) },
    Zero("softplus far out", [800, -800], [1, 0], [0, 0]) { t, x in t.unary(.softplus, x) },
    Zero("gelu far out", [60, -60], [1, 0], [0, 0]) { t, x in t.unary(.gelu, x) },
    Zero("silu far out", [800, -800], [1, 0], [0, 0]) { t, x in t.unary(.silu, x) },
  ]

  func testSingularPoints() throws { for z in Self.singular { try check(z) } }

  func testInfiniteDerivativesStay() throws {
    let t = Tape(), x = t.f64(), half = t.binary(.pow, x, t.constant(.f64, 0.5))
    let r = try evaluate(t, t.grad(t.unary(.sqrt, x), [x]) + t.grad(half, [x]) + t.grad(t.unary(.log, x), [x]), [(x, [0])])
    XCTAssertEqual(r, [[Self.inf], [Self.inf], [Self.inf]])
  }

  /// pow(0, y) in the base, where the exponent is no constant.
  func testPowerOfZeroWithAnyExponent() throws {
    let t = Tape(), x = t.f64(4), y = t.f64(4), g = t.grad(t.total(t.binary(.pow, x, y)), [x, y])
    let r = try evaluate(t, g, [(x, [0, 0, 0, 0]), (y, [2, 1, 0, 0.5])])
    XCTAssertEqual(r[0], [0, 1, 0, Self.inf])
    XCTAssertEqual([r[1][0], r[1][1], r[1][3]], [0, 0, 0])
  }
}
