// How far a number is to be trusted: the rounding error of a value, the origin of a NaN, an expression rewritten so that it keeps its digits, and a report of
// all three. main.c, main.cpp and main.py are the same program.
//
//   swift run --package-path examples -c release health
import Camber
import Glibc

func text(_ format: String, _ values: CVarArg...) -> String {
  withVaList(values) { list in
    var line = [CChar](repeating: 0, count: 256)
    vsnprintf(&line, line.count, format, list)
    return String(cString: line)
  }
}

func run() throws {
  let tape = Tape(), report = Report("health")

  // (1 - cos x) / x² is nearly 1/2 at a small x; as it stands, most of its digits are lost.
  let x = tape.input(), drop = 1 - cos(x), y = drop / square(x)
  tape.label(drop, "drop")
  let at = 1e-7, rounding = try Rounding(tape, [y], [x])
  try rounding.run([[at]])
  try rounding.at()
  print(text("value %.6f, at most %.3g off, %.0f bits lost; without rounding %.6f", rounding.value, rounding.bound, rounding.bitsLost, rounding.corrected))
  print("lost by: \(rounding.contributions[0].op)")
  try report.add(rounding)

  // The same expression, rewritten where this point says that it pays.
  let stabilizer = try Stabilizer(tape, inputs: [x], outputs: [y])
  try withUnsafePointer(to: at) { try stabilizer.sample([UnsafeRawPointer($0)]) }
  let stable = try stabilizer.run()[0], rule = stabilizer.journal[0]
  print(text("rule %d ", rule.rule) + (rule.made ? "made" : "left") + text(": %.0f bits lost before, %.0f after", rule.before, rule.after))
  print(text("rewritten: %.6f", try Program(tape, inputs: [x], outputs: [stable]).makeRun()([[at]])[0][0]))
  report.add(stabilizer)

  // Entropy of (1, 0): 0 log 0 is a NaN. Where was it born?
  let p = tape.input(.f64, [2]), logs = log(p), entropy = (p * logs).sum()
  tape.label(logs, "entropy")
  let births = try Nonfinite(tape, inputs: [p], outputs: [entropy])
  _ = try [1.0, 0.0].withUnsafeBytes { try births.run([$0.baseAddress]) }
  let all = births.births, first = all[0], behind = all[first.behind ?? 0]
  print("\(births.count) found: \(first.kind) in \(first.op), behind it \(behind.kind) at element \(behind.element) of \(behind.label)")
  report.add(births)

  let page = Array(report.render(.html).utf8), mark = Array("<section".utf8)
  var sections = 0
  for i in page.indices where page[i] == mark[0] && page[i...].starts(with: mark) { sections += 1 }
  print("report: \(sections) sections")
  if CommandLine.arguments.count > 1 { try report.save(CommandLine.arguments[1], .html) }
}

do { try run() } catch {
  fputs("health: \(error)\n", stderr)
  exit(1)
}
