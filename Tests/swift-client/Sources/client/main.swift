// Camber as a Swift package depends on it: values, derivatives, errors, training, files.
import Camber
import Glibc

var passed = 0, failed = 0
func check(_ condition: Bool, _ what: String) {
  if condition { passed += 1 } else { failed += 1; print("FAILED \(what)") }
}
func near(_ a: Double, _ b: Double, _ what: String) { check(Swift.abs(a - b) <= 1e-12 * (1 + Swift.abs(b)), "\(what): \(a) is not \(b)") }

func derivatives() throws {
  let t = Tape()
  let x = t.input(.f64, [3]), v = t.input(.f64, [3])
  let y = (x * sin(x)).sum()
  let f = try Program(t, inputs: [x, v], outputs: [y, try t.grad(y, [x])[0], try t.hvp(y, [x], [v])[0]])
  let at = [0.5, -1.0, 2.0], along = [1.0, 2.0, -1.0]
  let r = try f([at, along])
  near(r[0][0], at.map { $0 * Glibc.sin($0) }.reduce(0, +), "value")
  for i in 0 ..< 3 {
    near(r[1][i], Glibc.sin(at[i]) + at[i] * Glibc.cos(at[i]), "gradient \(i)")
    near(r[2][i], (2 * Glibc.cos(at[i]) - at[i] * Glibc.sin(at[i])) * along[i], "hvp \(i)")
  }
}

func errors() {
  let t = Tape()
  let y = t.input(.f64, [2]) + t.input(.f64, [3])
  check(!y.isValid, "shapes that differ give no node")
  check(t.error?.status == -2, "the tape keeps the status")
  check(t.error?.description.contains("[2] and [3]") == true, "the sentence names the shapes")
  check((try? Program(t, inputs: [], outputs: [y])) == nil, "no program from a tape with an error")
}

func training() throws {
  let t = Tape()
  let w = t.input(.f64, [2]), loss = square(w - t.array([3, -1], [2])).sum()
  let run = try Program(t, inputs: [w], outputs: [loss, try t.grad(loss, [w])[0]]).makeRun()
  let optimizer = try Optimizer("sgd", ["learning_rate": 0.1, "momentum": 0.5])
  try optimizer.add("w", .f64, [2])
  let memory = UnsafeMutablePointer<Double>.allocate(capacity: 5)
  defer { memory.deallocate() }
  memory.initialize(repeating: 0, count: 5)
  for _ in 0 ..< 200 {
    try run(inputs: [UnsafeRawPointer(memory)], outputs: [UnsafeMutableRawPointer(memory + 2), UnsafeMutableRawPointer(memory + 3)])
    try optimizer.step([UnsafeMutableRawPointer(memory)], [UnsafeRawPointer(memory + 3)])
  }
  near(memory[0], 3, "minimum 0")
  near(memory[1], -1, "minimum 1")
  check(optimizer.steps == 200, "steps")
}

try derivatives()
errors()
try training()
print("\(passed) passed, \(failed) failed")
exit(failed == 0 ? 0 : 1)
