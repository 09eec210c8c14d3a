// The gradient through a long loop, and through a deep network, in little memory.
import Camber
import Glibc

let n = 40, steps = 5000, layers = 16, width = 32

/// Lorenz 96: dx[i]/dt = (x[i+1] - x[i-2]) x[i-1] - x[i] + 8.
func rate(_ x: Node) -> Node { (x.rolled(by: -1) - x.rolled(by: 2)) * x.rolled(by: 1) - x + 8 }

/// One step of Runge and Kutta.
func step(_ x: Node) -> Node {
  let h = 0.001
  let a = rate(x), b = rate(x + a * (h / 2)), c = rate(x + b * (h / 2)), d = rate(x + c * h)
  let slopes = (a + b * 2) + (c * 2 + d)
  return x + slopes * (h / 6)
}

/// The squared norm of the last state and its gradient, keeping so many states; 0: all.
func loop(slots: Int = 0, options: KeyValuePairs<String, Double> = [:]) throws -> Program {
  let tape = Tape(), x = tape.input(.f64, [n])
  let last = tape.scan(carry: [x], length: steps, slots: slots) { _, c, _ in ([step(c[0])], []) }.carry[0]
  let value = square(last).sum()
  return try Program(tape, inputs: [x], outputs: [value] + tape.grad(value, [x]), options: options)
}

/// Bytes for a network's gradient, its layers computed again in parts of so many; 0: kept.
func network(part: Int) throws -> Int {
  let tape = Tape(), inputs = (0 ... layers).map { _ in tape.input(.f64, [width, width]) }
  var h = inputs[layers], start = h
  for i in 0 ..< layers {
    h = tanh(h.matmul(inputs[i]))
    if part > 0, (i + 1) % part == 0 {
      h = try tape.checkpoint([h], [start])[0]
      start = h
    }
  }
  return try Program(tape, inputs: inputs, outputs: tape.grad(h.sum(), inputs)).memory
}

func fixed(_ v: Double) -> String {
  withVaList([v]) { list in
    var line = [CChar](repeating: 0, count: 64)
    vsnprintf(&line, line.count, "%.6f", list)
    return String(cString: line)
  }
}

let x = (0 ..< n).map { 8 + 0.01 * Double($0) }
let stored = try loop(), slots = try loop(slots: 20)
let all = try stored([x]), few = try slots([x])
print("value \(fixed(all[0][0])), gradient \(fixed(all[1].reduce(0) { $0 + $1 * $1 }.squareRoot()))")
print("20 states kept:", all == few ? "the same bits" : "others")
print("memory:", slots.memory * 50 < stored.memory ? "less than a fiftieth" : "more")

// The library chooses how many fit, or says what would be needed.
let limited = try loop(options: ["memory_limit": 100_000])
print("in 100000 bytes:", try limited.memory <= 100_000 && limited([x]) == all ? "the same bits" : "others")
do {
  _ = try loop(options: ["memory_limit": 1000])
  print("in 1000 bytes: taken")
} catch let e as CamberError {
  print("in 1000 bytes:", e.status == -5 ? "refused" : e.description)
}

print("a network in parts of 4:", try network(part: 4) * 2 < network(part: 0) ? "less than half the memory" : "more")
