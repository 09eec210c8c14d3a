import CKernels
package import Tape

/// Chosen outputs of a tape as functions of chosen inputs, planned: a list of steps with places for their results. Programs do
/// not change once made, options apart, and may be shared between threads; each running thread has a `Workspace`.
///
/// With stages, what depends on the inputs of stage 0 alone is computed by its run and kept for later ones, and so on.
package final class Program {
  package let inputTypes: [[TensorType]], outputTypes: [[TensorType]]
  private(set) var structure: Structure
  /// What it was made from, kept where there are loops, whose stacks options may change.
  private let recorded: (tape: Tape, stages: [Stage])?
  let watch: Watch
  package private(set) var checkFinite = false, checkGuards = true
  private(set) var backend = Backend.auto
  private(set) var threads = 0
  private var aliases: [Alias] = []
  /// Options: slots of all loops (0: as recorded), and bytes of the arena at most (0: any); and the slots that were chosen to keep to that.
  private var slots = 0, limit = 0
  private(set) var chosen = 0
  private let planned: Guarded<Plan?>

  package convenience init(_ tape: Tape, inputs: [NodeID], outputs: [NodeID]) throws(Failure) {
    try self.init(tape, stages: [(inputs, outputs)])
  }

  package convenience init(_ tape: Tape, stages: [(inputs: [NodeID], outputs: [NodeID])]) throws(Failure) {
    try self.init(tape, stages: stages, reroll: .auto)
  }

  init(_ tape: Tape, stages: [Stage], reroll: Reroll.Mode) throws(Failure) {
    var seen = stages
    watch = Watch(tape, &seen)
    structure = try Structure(tape, seen, reroll: reroll)
    recorded = structure.scans.isEmpty ? nil : (tape, seen)
    inputTypes = structure.inputTypes
    outputTypes = zip(structure.outputTypes, stages).map { Array($0.prefix($1.outputs.count)) }
    planned = Guarded(try Plan(structure, aliases: [], threads: Threads.available, .auto))
  }

  package var stageCount: Int { structure.stages }
  /// How many branches of the host's its runs check.
  package var guardCount: Int { watch.looks.count }

  /// Bytes of a workspace's arena, exactly; 0 where planning is refused memory.
  package var memory: Int { (try? plan())?.memory ?? 0 }

  package func set(_ option: String, _ value: Double) -> Failure? {
    switch option {
    case "check_finite":
      guard value == 0 || value == 1 else { return Failure(.invalid, "program: check_finite is 0 or 1, not \(value)") }
      checkFinite = value == 1
    case "check_guards":
      guard value == 0 || value == 1 else { return Failure(.invalid, "program: check_guards is 0 or 1, not \(value)") }
      checkGuards = value == 1
    case "backend":
      guard let b = Int(exactly: value).flatMap(Backend.init(rawValue:)) else {
        return Failure(.invalid, "program: backend is 0 (auto), 1 (kernels) or 2 (machine), not \(value)")
      }
      backend = b
      planned.withLock { $0 = nil }
    case "threads":
      guard let n = Int(exactly: value), n >= 0 else { return Failure(.invalid, "program: threads is a whole number, 0 for all processors, not \(value)") }
      threads = min(n, Threads.most)
      planned.withLock { $0 = nil }
    case "scan_slots":
      guard let n = Int(exactly: value), n >= 0, n <= TensorType.countLimit else { return Failure(.invalid, "program: scan_slots is a whole number, 0 for what each loop was recorded with, not \(value)") }
      let before = slots
      slots = n
      return remade { self.slots = before }
    case "memory_limit":
      guard let n = Int(exactly: value.rounded(.down)), n >= 0 else { return Failure(.invalid, "program: memory_limit is a number of bytes, 0 for none, not \(value)") }
      let before = limit
      limit = n
      return remade { self.limit = before }
    default: return Failure(.invalid, "program: no option is called \(option); there are backend, check_finite, check_guards, memory_limit, scan_slots, threads")
    }
    return nil
  }

  /// Plans anew at once; with what was before where that fails.
  private func remade(_ undo: () -> Void) -> Failure? {
    func forget() -> Failure? {
      planned.withLock { $0 = nil }
      do throws(Failure) { structure = try made(slots) } catch { return error }
      return nil
    }
    chosen = 0
    if let f = forget() {
      undo()
      return f
    }
    do throws(Failure) { _ = try plan() } catch {
      undo()
      _ = forget()
      return error
    }
    return nil
  }

  /// The structure with so many slots in every loop; 0: as recorded.
  private func made(_ slots: Int) throws(Failure) -> Structure {
    guard let (tape, stages) = recorded else { return structure }
    // What went wrong on the tape since has nothing to do with these nodes.
    let since = tape.failure
    tape.failure = nil
    defer { tape.failure = since }
    return try Structure(tape, stages, slots: slots == 0 ? nil : slots)
  }

  /// Lets a run write `output` over `input`, numbered over all stages. Before the first workspace is made.
  package func alias(output: Int, input: Int) -> Failure? {
    guard let (s, o) = Program.locate(output, outputTypes), let (s2, i) = Program.locate(input, inputTypes) else {
      return Failure(.invalid, "program: output \(output) and input \(input) of \(outputTypes.reduce(0) { $0 + $1.count }) and \(inputTypes.reduce(0) { $0 + $1.count })")
    }
    guard s == s2 else { return Failure(.invalid, "program: output \(output) and input \(input) are of different stages") }
    guard outputTypes[s][o] == inputTypes[s][i] else {
      return Failure(.shape, "program: output \(output) is \(outputTypes[s][o].description), input \(input) is \(inputTypes[s][i].description); one cannot lie over the other")
    }
    let a = Alias(stage: s, output: o, input: i)
    for b in aliases where b.stage == s && (b.output == o || b.input == i) {
      if b.output == o && b.input == i { return nil }
      return Failure(.invalid, "program: output \(b.output) lies over input \(b.input) already")
    }
    aliases.append(a)
    planned.withLock { $0 = nil }
    return nil
  }

  private static func locate(_ n: Int, _ lists: [[TensorType]]) -> (Int, Int)? {
    var k = n
    if k < 0 { return nil }
    for (s, l) in lists.enumerated() {
      if k < l.count { return (s, k) }
      k -= l.count
    }
    return nil
  }

  /// The places, made anew after an alias.
  func plan() throws(Failure) -> Plan {
    let result: Result<Plan, Failure> = planned.withLock { known in
      if let known { return .success(known) }
      do throws(Failure) {
        var p = try places(structure)
        if limit > 0, p.memory > limit { (structure, p, chosen) = try fitted(p) }
        known = p
        return .success(p)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private func places(_ s: Structure) throws(Failure) -> Plan {
    try Plan(s, aliases: aliases, threads: threads == 0 ? Threads.available : threads, backend)
  }

  /// As many slots in every loop as the limit allows; the memory is nearly linear in them.
  private func fitted(_ whole: Plan) throws(Failure) -> (Structure, Plan, Int) {
    func attempt(_ n: Int) throws(Failure) -> (Structure, Plan, Int) {
      let s = try made(n)
      return (s, try places(s), n)
    }
    var high = whole.structure.longest, most = whole.memory
    guard slots == 0, recorded != nil, high > 1 else { throw whole.refusal(limit, least: nil) }
    var best = try attempt(1)
    guard best.1.memory <= limit else { throw best.1.refusal(limit, least: whole.memory) }
    for _ in 0 ..< 8 where high - best.2 > max(best.2 / 32, 1) {
      let slope = Double(most - best.1.memory) / Double(high - best.2), low = best.2
      let next = try attempt(min(max(low + Int(Double(limit - best.1.memory) / max(slope, 1e-9)), low + 1), high - 1))
      if next.1.memory <= limit { best = next } else { (high, most) = (next.2, next.1.memory) }
    }
    return best
  }

  /// What runs, one line a step.
  package var explanation: String {
    guard let p = try? plan() else { return "" }
    let kept = chosen == 0 ? "" : "memory_limit \(limit): loops keep \(chosen) carries, \(p.memory) bytes in all\n"
    return kept + explain(p, backend)
  }
}
