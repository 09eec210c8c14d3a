// A pendulum by Taylor series: the solution's coefficients one after the other, steps of order 16; the map's mixed derivatives.
import Camber
import Glibc

let order = 16, h = 0.25
func energy(_ x: [Double]) -> Double { 0.5 * x[1] * x[1] - cos(x[0]) }
func digits(_ v: Double, _ format: String) -> String {
  withVaList([v]) { list in
    var line = [CChar](repeating: 0, count: 64)
    vsnprintf(&line, line.count, format, list)
    return String(cString: line)
  }
}

let tape = Tape()
let angle = tape.input(), speed = tape.input()
let x = [angle, speed], f = [speed, -sin(angle)]
var c: [[Node]] = [[], []]  // the coefficients of t, t^2, ...
for k in 0 ..< order {
  let rate = k > 0 ? try tape.taylor(f, x, c, order: k) : f.map { [$0] }
  for i in 0 ..< 2 { c[i].append(rate[i][max(k - 1, 0)] * (1 / Double(k + 1))) }
}
var y: [Node] = []
for i in 0 ..< 2 {
  var sum = c[i][order - 1]
  for k in (0 ..< order - 1).reversed() { sum = sum * h + c[i][k] }
  y.append(sum * h + x[i])
}
let zero = tape.constant(0), one = tape.constant(1)
let third = try tape.directional([y[0]], x, directions: [[one, zero], [zero, one]], orders: [[2, 1]])
let walk = try Program(tape, inputs: x, outputs: y), derivative = try Program(tape, inputs: x, outputs: third[0])

let start = [1.0, 0.5]
var at = start
for k in 1 ... 40 {
  at = try walk(at.map { [$0] }).map { $0[0] }
  if k % 10 == 0 { print("t = \(digits(h * Double(k), "%4.1f"))  angle \(digits(at[0], "%.9f"))  speed \(digits(at[1], "%.9f"))") }
}
print("energy kept to 1e-13:", abs(energy(at) - energy(start)) < 1e-13 ? "yes" : "no")
print("third derivative of one step, twice by angle, once by speed: \(digits(try derivative(start.map { [$0] })[0][0], "%.9f"))")
