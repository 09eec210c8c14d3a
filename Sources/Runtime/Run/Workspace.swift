package import CKernels
package import Machine
package import Tape

/// The memory of one running thread. Its runs allocate nothing.
package final class Workspace {
  package let program: Program
  /// What went wrong in the last run that failed.
  package private(set) var message = ""
  private let arena: UnsafeMutableRawPointer
  let instance: Instance
  private let gate: UnsafeMutablePointer<ck_gate>
  /// Stages that have run, as bits; then by stage: inputs, outputs, and the stages it needs.
  private let done: UnsafeMutablePointer<UInt64>
  private let counts: UnsafeMutablePointer<(inputs: Int, outputs: Int, needs: UInt64)>
  private let stages: Int
  /// Of a program that is one step of single numbers in machine code: that code, and the slots it wants.
  package let direct: MachineCode.Function?
  package var slots: UnsafeMutablePointer<UInt64> { arena.assumingMemoryBound(to: UInt64.self) }

  package init(_ program: Program) throws(Failure) {
    self.program = program
    let plan = try program.plan()
    guard let a = ck_alloc(plan.memory) else { throw Failure(.memory, "workspace: \(plan.memory) bytes were refused") }
    arena = a
    let s = program.structure
    stages = s.stages
    done = .allocate(capacity: 1)
    done.initialize(to: 0)
    gate = .allocate(capacity: 1)
    gate.initialize(to: ck_gate())
    counts = .allocate(capacity: s.stages)
    for k in 0 ..< s.stages { (counts + k).initialize(to: (s.inputCount[k], s.outputCount[k], s.values.needs[k])) }
    do throws(Failure) {
      instance = try Instance(plan, arena: a, program.backend)
      direct = instance.direct
    } catch {
      ck_free(a)
      done.deallocate()
      gate.deallocate()
      counts.deallocate()
      throw error
    }
  }

  deinit {
    ck_free(arena)
    done.deallocate()
    gate.deallocate()
    counts.deallocate()
  }

  /// inputs[i] and outputs[i] are the stage's arrays, borrowed for the call.
  package func run(stage: Int = 0, inputs: UnsafePointer<UnsafeRawPointer?>, outputs: UnsafePointer<UnsafeMutableRawPointer?>) -> Code {
    let way = ck_gate_enter(gate)
    guard way != 0 else { return .busy }
    defer { ck_gate_leave(gate, way) }
    return runAlone(stage: stage, inputs: inputs, outputs: outputs)
  }

  /// The same by a caller that sees to it that no two threads run the workspace.
  package func runAlone(stage: Int = 0, inputs: UnsafePointer<UnsafeRawPointer?>, outputs: UnsafePointer<UnsafeMutableRawPointer?>) -> Code {
    guard stage >= 0, stage < stages else { return fail(.invalid, "run: stage \(stage) of \(stages)") }
    let (inCount, outCount, needs) = counts[stage], missing = needs & ~done.pointee
    guard missing == 0 else { return fail(.invalid, "run: stage \(stage) needs what stage \(missing.trailingZeroBitCount) keeps; run that first") }
    for i in 0 ..< inCount where inputs[i] == nil {
      if program.inputTypes[stage][i].count > 0 { return fail(.invalid, "run: input \(i) is NULL") }
    }
    for i in 0 ..< outCount where outputs[i] == nil {
      if program.outputTypes[stage][i].count > 0 { return fail(.invalid, "run: output \(i) is NULL") }
    }
    let saved = ck_fenv_enter()
    let ok = instance.execute(stage, inputs, outputs)
    let bad = ok && program.checkFinite ? firstNonfinite(stage, outputs) : -1
    ck_fenv_leave(saved)
    guard ok else {
      done.pointee &= ~(1 << UInt64(stage))
      return fail(.invalid, instance.message)
    }
    done.pointee |= 1 << UInt64(stage)
    if bad >= 0 { return fail(.nonfinite, "run: output \(bad) has a NaN or an infinity") }
    return .ok
  }

  private func fail(_ code: Code, _ sentence: String) -> Code {
    message = sentence
    return code
  }

  private func firstNonfinite(_ stage: Int, _ outputs: UnsafePointer<UnsafeMutableRawPointer?>) -> Int {
    let types = program.outputTypes[stage]
    for i in 0 ..< types.count where types[i].dtype.isFloat {
      if let p = outputs[i], !ck_all_finite(types[i].dtype.rawValue, p, types[i].count) { return i }
    }
    return -1
  }
}
