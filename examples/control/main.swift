// A ball that falls through air and bounces: a while loop whose steps adapt to their error, a cond for the ground, and derivatives of where it ends.
import Camber
import Glibc

func fall(_ v: Node, _ drag: Node) -> Node { -9.81 - drag * (v * abs(v)) }

let tape = Tape()
let height = tape.input(), bounce = tape.input(), drag = tape.input()

func step(_ c: [Node]) -> [Node] {
  let (dt, h, v) = (c[2], c[3], c[4])
  let v1 = v + dt * fall(v, drag)   // Euler's step, and Heun's
  let half = dt * 0.5
  let v2 = v + half * (fall(v, drag) + fall(v1, drag))
  let h2 = h + half * (v + v2)
  // Accepted, it may have passed the ground; refused, it is tried again at half its length.
  let next = v.tape.cond(abs(v2 - v1) .< 1e-3, [c[1], dt, h, v, h2, v2, bounce], then: { x in
    let end = x[4].tape.cond(x[4] .< 0, [x[4], x[5], x[6]], then: { [-($0[2] * $0[0]), -($0[2] * $0[1])] }, else: { [$0[0], $0[1]] })
    return [x[0] + x[1], x[1] * 1.1, end[0], end[1]]
  }, else: { x in [x[0], x[1] * 0.5, x[2], x[3]] })
  return [c[0] + 1] + next
}

let start = [tape.integer(0), tape.constant(0), tape.constant(0.1), height, tape.constant(0)]
let end = tape.loop(start, while: { $0[1] .< 2 }, slots: 16, step)
let f = try Program(tape, inputs: [height, bounce, drag], outputs: [end[3], end[0]] + tape.grad(end[3], [height, bounce, drag]))
let r = try f([[1], [0.8], [0.05]]).map { $0[0] }

func text(_ x: Double) -> String {
  withVaList([x]) { list in
    var line = [CChar](repeating: 0, count: 64)
    vsnprintf(&line, line.count, "%.8f", list)
    return String(cString: line)
  }
}
print("after 2 s: \(text(r[0])) m, \(Int(r[1])) steps")
print("by height, bounce, drag: \(text(r[2])) \(text(r[3])) \(text(r[4]))")
