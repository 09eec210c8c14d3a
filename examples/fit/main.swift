// A decay fitted by Levenberg-Marquardt, with the data as arguments; and a narrow valley by Newton's method. Derivatives are exact.
import Camber
import Glibc

func text(_ v: Double) -> String {
  withVaList([v]) { list in
    var line = [CChar](repeating: 0, count: 64)
    vsnprintf(&line, line.count, "%.8f", list)
    return String(cString: line)
  }
}
func solve(_ name: String, _ s: Solver, _ start: [Double], _ data: [UnsafeRawPointer?] = []) throws {
  var x = [start]
  _ = try s.run(&x, data: data)
  print(name, x[0].map(text).joined(separator: " "))
  print(s.explanation)
}

let points = 40
let tape = Tape()
let p = tape.input(.f64, [3]), time = tape.input(.f64, [points]), seen = tape.input(.f64, [points])
let r = p[0] * exp(-(p[1] * time)) + p[2] - seen
let at = (0 ..< points).map { 0.1 * Double($0) }
let values = at.indices.map { 2.5 * Glibc.exp(-1.3 * at[$0]) + 0.5 + ($0 % 2 == 1 ? 0.01 : -0.01) }
try at.withUnsafeBytes { a in
  try values.withUnsafeBytes { v in try solve("decay", .leastSquares(tape, [r], [p], data: [time, seen]), [1, 1, 0], [a.baseAddress, v.baseAddress]) }
}

let x = tape.input(.f64, [2])
try solve("valley", .minimize(tape, 100 * square(x[1] - square(x[0])) + square(x[0] - 1), [x], method: "newton-cg"), [-1.2, 1])
