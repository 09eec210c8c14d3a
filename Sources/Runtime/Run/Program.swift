import CKernels
package import Tape

/// Chosen outputs of a tape as functions of chosen inputs, planned: a list of steps with places for their results. Programs do
/// not change once made, options apart, and may be shared between threads; each running thread has a `Workspace`.
///
/// With stages, what depends on the inputs of stage 0 alone is computed by its run and kept for later ones, and so on.
package final class Program {
  package let inputTypes: [[TensorType]], outputTypes: [[TensorType]]
  let structure: Structure
  private(set) var checkFinite = false
  private(set) var backend = Backend.auto
  private var threads = 0
  private var aliases: [Alias] = []
  private let planned: Guarded<Plan?>

  package convenience init(_ tape: Tape, inputs: [NodeID], outputs: [NodeID]) throws(Failure) {
    try self.init(tape, stages: [(inputs, outputs)])
  }

  package convenience init(_ tape: Tape, stages: [(inputs: [NodeID], outputs: [NodeID])]) throws(Failure) {
    try self.init(tape, stages: stages, reroll: .auto)
  }

  init(_ tape: Tape, stages: [Stage], reroll: Reroll.Mode) throws(Failure) {
    structure = try Structure(tape, stages, reroll: reroll)
    inputTypes = structure.inputTypes
    outputTypes = structure.outputTypes
    planned = Guarded(try Plan(structure, aliases: [], threads: Threads.available, .auto))
  }

  package var stageCount: Int { structure.stages }

  /// Bytes of a workspace's arena, exactly; 0 where planning is refused memory.
  package var memory: Int { (try? plan())?.memory ?? 0 }

  package func set(_ option: String, _ value: Double) -> Failure? {
    switch option {
    case "check_finite":
      guard value == 0 || value == 1 else { return Failure(.invalid, "program: check_finite is 0 or 1, not \(value)") }
      checkFinite = value == 1
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
    default: return Failure(.invalid, "program: no option is called \(option); there are backend, check_finite, threads")
    }
    return nil
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
        let p = try Plan(structure, aliases: aliases, threads: threads == 0 ? Threads.available : threads, backend)
        known = p
        return .success(p)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// What runs, one line a step.
  package var explanation: String { (try? plan()).map { explain($0, backend) } ?? "" }
}
