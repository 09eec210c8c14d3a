// f(x) = sum(sin x) exp(-sum x^2): value, gradient, products and Hessian in one program.
import Camber
import Glibc

let tape = Tape()
let x = tape.input(.f64, [3]), v = tape.input(.f64, [3])
let y = sin(x).sum() * exp(-square(x).sum())
let f = try Program(
  tape, inputs: [x, v],
  outputs: [
    y, try tape.grad(y, [x])[0], try tape.jvp([y], [x], [v])[0], try tape.hvp(y, [x], [v])[0],
    try tape.hessian(y, [x])[0][0],
  ])

let results = try f([[0.1, 0.2, 0.3], [1, -1, 2]])
for (name, values) in zip(["value", "gradient", "jvp", "hvp", "hessian"], results) {
  let text = values.map { value in
    withVaList([value]) { list in
      var line = [CChar](repeating: 0, count: 64)
      vsnprintf(&line, line.count, "%.10f", list)
      return String(cString: line)
    }
  }
  print(name, text.joined(separator: " "))
}
