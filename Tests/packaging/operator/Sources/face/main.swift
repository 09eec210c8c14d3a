import Camber

let tape = Tape()
let x = tape.input(), y = Node.apply("softsign", [x])
let slope = try tape.grad(y, [x])[0], bend = try tape.grad(slope, [x])[0]
let f = try Program(tape, inputs: [x], outputs: [y, slope, bend])
for at in [0.5, -2.0, 3.0] {
  let s = 1 / (1 + Swift.abs(at))
  let wanted = [at * s, s * s, (at > 0 ? -2 : 2) * s * s * s]
  for (got, want) in zip(try f([[at]]).map { $0[0] }, wanted) { precondition(Swift.abs(got - want) <= 1e-15, "\(got) is not \(want)") }
}
