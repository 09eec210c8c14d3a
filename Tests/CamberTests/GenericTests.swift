import Camber
import XCTest

/// Functions generic over numbers, with Double and with nodes.
private func rosenbrock<T: CamberReal>(_ x: [T]) -> T {
  var sum = x[0].like(0)
  for i in 0 ..< x.count - 1 {
    let a = 1 - x[i], b = x[i + 1] - x[i] * x[i]
    sum += a * a + 100 * b * b
  }
  return sum
}

private func everything<T: CamberReal>(_ x: [T]) -> T {
  let a = x[0], b = x[1]
  let d = a * a
  let c = d + 1.5
  let e = 3 * a
  var r = a.like(0)
  r += sin(a)
  r += cos(b)
  r += tan(a)
  r += asin(a)
  r += acos(b)
  r += atan(a)
  r += sinh(a)
  r += cosh(b)
  r += tanh(a)
  r += asinh(b)
  r += acosh(c)
  r += atanh(b)
  r += exp(b)
  r += exp2(b)
  r += expm1(a)
  r += log(c)
  r += log2(c)
  r += log10(c)
  r += log1p(d)
  r += sqrt(c)
  r += cbrt(b)
  r += erf(a)
  r += erfc(b)
  r += lgamma(c)
  r += pow(c, 3)
  r += pow(c, b)
  r += atan2(a, b)
  r += hypot(a, b)
  r += maximum(a, b)
  r += minimum(a, b)
  r += abs(b)
  r += floor(e)
  r += ceil(e)
  r += trunc(e)
  r += round(e)
  r *= b
  r /= c
  r -= 2
  r *= 3
  r /= 4
  r += select(a .> b, a, b)
  r += select(a .< 0.1, a, b)
  r += select(a .<= b, -a, b)
  return r + select(a .>= b, a / 2, 1 - b)
}

final class GenericTests: XCTestCase {
  private func agree(_ f: ([Double]) -> Double, _ g: ([Node]) -> Node, _ at: [Double], line: UInt = #line) throws {
    let t = Tape(), x = at.map { _ in t.input() }, y = g(x)
    let r = try evaluate(t, zip(x, at).map { ($0, [$1]) }, [y] + t.grad(y, x))
    XCTAssertEqual(r[0][0], f(at), accuracy: 1e-13 * max(1, abs(f(at))), line: line)
    for i in at.indices {
      var up = at, down = at
      up[i] += 1e-6
      down[i] -= 1e-6
      XCTAssertEqual(r[1 + i][0], (f(up) - f(down)) / 2e-6, accuracy: 1e-6 * max(1, abs(r[1 + i][0])), line: line)
    }
  }

  func testTheSameTextRunsWithBoth() throws {
    try agree(rosenbrock, rosenbrock, [0.7, -1.1, 1.3])
    try agree(everything, everything, [0.37, -0.61])
    try agree(everything, everything, [-0.2, 0.45])
  }

  func testDoublesAreTheirLibrarys() {
    XCTAssertEqual(Double.binary(.maximum, .nan, 1).isNaN, true)
    XCTAssertEqual(Double.binary(.maximum, 1, .nan).isNaN, true)
    XCTAssertEqual(Double.unary(.round, 2.5), 2)
    let t = Tape(), x = t.input(), every = ElementaryFunction.allCases
    XCTAssertNoThrow(try evaluate(t, [(x, [0.5])], every.filter { $0 != .acosh }.map { Node.unary($0, x) }).enumerated().forEach { i, v in
      XCTAssertEqual(v[0], Double.unary(every.filter { $0 != .acosh }[i], 0.5), accuracy: 1e-15, "\(i)")
    })
  }
}
