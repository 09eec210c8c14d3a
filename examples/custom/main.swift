// Kepler's equation E - e sin E = M, solved by the host, as an operator with its own derivative.
import Camber
import Glibc

struct Open: Error, CustomStringConvertible { let description = "the orbit is not closed" }

func print(_ name: String, _ values: [Double]) {
  let text = values.map { value in
    withVaList([value]) { list in
      var line = [CChar](repeating: 0, count: 64)
      vsnprintf(&line, line.count, "%.10f", list)
      return String(cString: line)
    }
  }
  print(name, text.joined(separator: " "))
}

let tape = Tape()
let m = tape.input(), e = tape.input(), many = tape.input(.f64, [3])
let E = tape.hostCall("kepler", [m, e], results: [(.f64, [])], jvp: { x, y, d in
  guard let dm = d[0], let de = d[1] else { return [nil] }
  return [(dm + sin(y[0]) * de) / (1 - x[1] * cos(y[0]))]
}) { call in
  let m = try call.input(0)[0], e = try call.input(1)[0]
  guard e >= 0, e < 1 else { throw Open() }
  var E = m
  for _ in 0 ..< 50 {
    let step = (E - e * Glibc.sin(E) - m) / (1 - e * Glibc.cos(E))
    E -= step
    if abs(step) < 1e-15 { break }
  }
  try call.output(0)[0] = E
}[0]
let g = try tape.grad(E, [m, e]), h = try tape.hessian(E, [m, e]).flatMap { $0 }
let f = try Program(tape, inputs: [m, e, many], outputs: [E] + g + h + (try tape.batch([E], [m], [many], size: 3)))

let r = try f([[1], [0.3], [0.5, 1, 2]])
print("E", r[0])
print("gradient", r[1] + r[2])
print("hessian", r[3] + r[4] + r[5] + r[6])
print("batch", r[7])
do {
  _ = try f([[1], [1.2], [0.5, 1, 2]])
} catch let problem as Open {
  print("failed: \(problem)")
}
