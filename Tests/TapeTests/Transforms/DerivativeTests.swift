import Tape
import XCTest

/// Jacobians and Hessians of several inputs and outputs, against closed forms and each other.
final class DerivativeTests: XCTestCase {
  /// f(a, b) = (a b sin a, sum b^2): closed Jacobian blocks.
  func testJacobianBlocks() throws {
    let t = Tape(), a = t.f64(), b = t.f64(2), y = t.mul(t.broadcast(t.mul(a, t.unary(.sin, a)), to: [2]), b), z = t.total(t.unary(.square, b))
    let A = 0.7, B: Doubles = [2, -3], s = A * sin(A), ds = sin(A) + A * cos(A)
    for mode in [JacobianMode.forward, .reverse, .auto] {
      let J = t.jacobian([y, z], [a, b], mode: mode)
      XCTAssertEqual(J.map(t.shape), [[2], [2, 2], [], [2]])
      let r = try evaluate(t, J, [(a, [A]), (b, B)])
      XCTAssertLessThan(distance(r, [B.map { $0 * ds }, [s, 0, 0, s], [0], B.map { 2 * $0 }]), 1e-15)
    }
    t.typecheck()
  }

  func testHessianBlocksAndProducts() throws {
    // f = x^T M x / 2 + s exp(sum x); its Hessian is sym(M) + s e 11^T, mixed e 1.
    let t = Tape(), x = t.f64(3), s = t.f64(), M: Doubles = [1, 2, 3, 4, 5, 6, 7, 8, 9], v = t.f64(3), u = t.f64()
    let q = t.scale(t.total(t.mul(x, t.reshape(t.matmul(t.literal(M, [3, 3]), t.reshape(x, [3, 1])), [3]))), 0.5)
    let f = t.add(q, t.mul(s, t.unary(.exp, t.total(x)))), H = t.hessian(f, [x, s]), p = t.hvp(f, [x, s], [v, u])
    XCTAssertEqual(H.map(t.shape), [[3, 3], [3], [3], []])
    let X: Doubles = [0.1, -0.2, 0.3], e = exp(0.1 - 0.2 + 0.3), V: Doubles = [1, -2, 0.5], U = 0.25
    let r = try evaluate(t, H + p, [(x, X), (s, [2]), (v, V), (u, [U])])
    let want = (0 ..< 9).map { i in 0.5 * (M[i] + M[i % 3 * 3 + i / 3]) + 2 * e }
    XCTAssertLessThan(distance(Array(r[..<4]), [want, [e, e, e], [e, e, e], [0]]), 1e-14)
    let hv = (0 ..< 3).map { i in (0 ..< 3).reduce(U * e) { $0 + want[i * 3 + $1] * V[$1] } }
    XCTAssertLessThan(distance(Array(r[4...]), [hv, [e * V.reduce(0, +)]]), 1e-14)
  }

  /// Hessians of programs: symmetric, equal to reverse over reverse, and to Hessian-vector products.
  func testHessiansOfPrograms() throws {
    for (k, c) in programs.enumerated() {
      var g = Random(UInt64(900 + k))
      let t = Tape(), x = c.types.map { t.input($0) }, y = c.build(t, x), on = c.active.map { x[$0] }
      let loss = y.reduce(t.constant(.f64, 0)) { t.add($0, t.total(t.unary(.sin, $1))) }
      let H = t.hessian(loss, on), R = t.jacobian(t.grad(loss, on), on, mode: .reverse), v = on.map { t.input(t.type($0)) }, p = t.hvp(loss, on, v)
      if let f = t.failure { XCTFail("\(c.name): \(f.message)"); continue }
      let dirs = v.map { g.values(t.type($0).count) }
      let r = try evaluate(t, H + R + p, Array(zip(x, c.sample(&g))) + Array(zip(v, dirs)))
      let n = on.count, h = Array(r[..<(n * n)]), limit = 1e-12 * c.slack
      XCTAssertLessThan(distance(h, Array(r[(n * n) ..< (2 * n * n)])), limit, c.name)
      for i in 0 ..< n {
        let rows = dirs[i].count
        var product = Doubles(repeating: 0, count: rows)
        for j in 0 ..< n {
          let columns = dirs[j].count
          for a in 0 ..< rows {
            for b in 0 ..< columns {
              product[a] += h[i * n + j][a * columns + b] * dirs[j][b]
              let other = h[j * n + i][b * rows + a], own = h[i * n + j][a * columns + b]
              XCTAssertLessThanOrEqual(abs(own - other), limit * max(1, abs(own)), "\(c.name): not symmetric")
            }
          }
        }
        XCTAssertLessThan(distance([product], [r[2 * n * n + i]]), limit * 10, "\(c.name): hvp")
      }
    }
  }

  func testEmptyAndUnrelated() throws {
    let t = Tape(), e = t.f64(0), x = t.f64(2), y = t.unary(.sin, e)
    for mode in [JacobianMode.forward, .reverse] {
      let J = t.jacobian([y, x], [e, x], mode: mode)
      XCTAssertEqual(J.map(t.shape), [[0, 0], [0, 2], [2, 0], [2, 2]])
      XCTAssertEqual(try evaluate(t, J, [(e, []), (x, [1, 2])])[3], [1, 0, 0, 1])
    }
    let H = t.hessian(t.add(t.total(y), t.total(x)), [e, x])
    XCTAssertEqual(H.map(t.shape), [[0, 0], [0, 2], [2, 0], [2, 2]])
    XCTAssertEqual(try evaluate(t, H, [(e, []), (x, [1, 2])])[3], [0, 0, 0, 0])
    XCTAssertEqual(try evaluate(t, t.grad(t.total(y), [e, x]), [(e, []), (x, [1, 2])]), [[], [0, 0]])
    XCTAssertEqual(t.jacobian([], [x], mode: .auto), [])
    XCTAssertEqual(t.vjp([], [], [x]).map { t.isUniform($0, 0) }, [true])
    t.typecheck()
  }

  /// Blocks have the type of a derivative even where nothing depends: every mode the same one.
  func testBlockTypesOfMixedPrecision() {
    let t = Tape(), x = t.f64(2), h = t.input(TensorType(.f32, [3])), y = t.cast(x, .f32)
    let forward = t.jacobian([y, h], [x, h], mode: .forward)
    XCTAssertEqual(forward.map { t.dtype($0) }, [.f32, .f32, .f32, .f32])
    let reverse = t.jacobian([y, h], [x, h], mode: .reverse)
    XCTAssertEqual(reverse.map { t.dtype($0) }, [.f64, .f32, .f64, .f32])
    XCTAssertNil(t.failure)
  }

  /// Inputs that are inner nodes are cut off from what they depend on; outputs may be inputs.
  func testInnerNodesAsInputs() throws {
    let t = Tape(), x = t.f64(), y = t.unary(.sin, x), z = t.mul(y, x)
    let g = t.grad(z, [y, x])
    XCTAssertEqual(g, [x, y])
    XCTAssertTrue(t.isUniform(t.grad(x, [x])[0], 1))
    let d = t.jvp([y, z], [y], [t.constant(.f64, 1)])
    XCTAssertTrue(t.isUniform(d[0], 1))
    XCTAssertEqual(d[1], x)
  }

  /// Fifth derivative of a chain, forward and reverse mixed.
  func testHighOrders() throws {
    let t = Tape(), x = t.f64()
    var f = t.mul(t.unary(.sin, x), t.unary(.exp, x))
    for k in 0 ..< 5 { f = k % 2 == 0 ? t.grad(f, [x])[0] : t.jvp([f], [x], [t.constant(.f64, 1)])[0] }
    let r = try evaluate(t, [f], [(x, [0.3])])[0][0]
    XCTAssertLessThan(abs(r - -4 * exp(0.3) * (sin(0.3) + cos(0.3))), 1e-13)
  }
}
