// A Gaussian process: the log-likelihood of data in the logarithms of amplitude, length and noise, its gradient and Hessian, and Newton's
// way to the maximum.
import Camber
import Glibc

let n = 16
let tape = Tape()
let xs = (0 ..< n).map { 0.4 * Double($0) }, ys = (0 ..< n).map { sin(0.4 * Double($0)) + 0.1 * cos(17 * Double($0)) }
let theta = tape.input(.f64, [3]), x = tape.array(xs, [n]), y = tape.array(ys, [n, 1])
let gaps = square(x.reshaped([n, 1]) - x), scales = exp(2 * theta)
let unit = (tape.iota([n, n], axis: 0) .== tape.iota([n, n], axis: 1)).cast(.f64)
let k = scales[0] * exp(-0.5 * gaps / scales[1]) + scales[2] * unit
let fit = (y * k.cholesky().choleskySolve(y)).sum()
let value = -0.5 * fit - 0.5 * k.slogdet().logabs - 0.5 * Double(n) * log(2 * Double.pi)
let g = try tape.grad(value, [theta])[0], h = try tape.hessian(value, [theta])[0][0]
// Curvatures that are no maximum's are turned over, so that a step always climbs.
let (w, v) = h.eigh()
let ascent = v.matmul(v.transposed().matmul(g) / abs(w))
let f = try Program(tape, inputs: [theta], outputs: [value, g, h, h.eigvalsh(), ascent])

func show(_ name: String, _ values: [Double]) {
  let text = values.map { value in
    withVaList([value]) { list in
      var line = [CChar](repeating: 0, count: 64)
      vsnprintf(&line, line.count, "%.8f", list)
      return String(cString: line)
    }
  }
  print(name, text.joined(separator: " "))
}
var at = [0.0, 0, -2], last = 0.0
for step in 0 ..< 12 {
  let r = try f([at])
  if step == 0 { for (name, values) in zip(["value", "gradient", "hessian", "curvatures"], r) { show(name, values) } }
  last = r[0][0]
  let length = r[4].reduce(0) { $0 + $1 * $1 }.squareRoot()
  for i in 0 ..< 3 { at[i] += r[4][i] / max(1, 2 * length) }
}
show("maximum", at + [last])
