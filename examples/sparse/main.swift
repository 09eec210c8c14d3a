// Newton's method with a sparse Jacobian: the steady flame of Bratu, u'' + exp(u) = 0 between two cold walls.
import Camber
import Glibc

let n = 31, h2 = 1 / Double((n + 1) * (n + 1))
let tape = Tape()
let u = tape.input(.f64, [n])
let left = u[0 ..< n - 1].padded(low: [1], high: [0]), right = u[1 ..< n].padded(low: [0], high: [1])
let f = left - 2 * u + right + h2 * exp(u)
let jacobian = try SparseDerivative.jacobian(tape, [f], [u])
let residual = try Program(tape, inputs: [u], outputs: [f])

func text(_ v: Double, _ digits: Int32) -> String {
  withVaList([digits, v]) { list in
    var line = [CChar](repeating: 0, count: 64)
    vsnprintf(&line, line.count, "%.*f", list)
    return String(cString: line)
  }
}

let starts = jacobian.starts, entries = jacobian.entries
var x = [Double](repeating: 0, count: n)
for step in 0 ..< 5 {
  let j = try jacobian.values([x])
  var r = try residual([x])[0].map { -$0 }, d = r, high = r
  if step == 0 {
    print("entries", jacobian.count)
    print("colors", try jacobian.colors.columns.max() ?? 0)
    let row = starts[1] ..< starts[2]
    print("row 1", row.map { text(j[$0], 6) }.joined(separator: " "), "at", row.map { String(entries[$0].column) }.joined(separator: " "))
  }
  // Three diagonals: elimination without pivots. Row i begins one left of the diagonal, but the first.
  for i in 0 ..< n {
    let at = starts[i] + (i > 0 ? 1 : 0)
    d[i] = j[at]
    high[i] = i < n - 1 ? j[at + 1] : 0
    if i > 0 {
      let w = j[at - 1] / d[i - 1]
      d[i] -= w * high[i - 1]
      r[i] -= w * r[i - 1]
    }
  }
  for i in stride(from: n - 1, through: 0, by: -1) {
    r[i] = (r[i] - (i < n - 1 ? high[i] * r[i + 1] : 0)) / d[i]
    x[i] += r[i]
  }
}
print("middle", text(x[n / 2], 8))
