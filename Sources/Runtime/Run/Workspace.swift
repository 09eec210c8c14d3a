package import CKernels
package import Machine
package import Tape

/// The memory of one running thread. Its runs allocate nothing.
package final class Workspace {
  package let program: Program
  /// What went wrong in the last run that failed.
  package private(set) var message = ""
  /// The error that a function of the host threw in it.
  package private(set) var thrown: (any Error)?
  private let arena: UnsafeMutableRawPointer
  let instance: Instance
  private let gate: UnsafeMutablePointer<ck_gate>
  /// Stages that have run, as bits; then by stage: inputs, outputs, and the stages it needs.
  private let done: UnsafeMutablePointer<UInt64>
  private let counts: UnsafeMutablePointer<(inputs: Int, outputs: Int, needs: UInt64)>
  private let stages: Int
  /// Of a program that is one step of single numbers in machine code: that code, and the slots it wants.
  package let direct: MachineCode.Function?
  /// Whether that code is silent.
  package let silent: Bool
  /// Of a program with guards: by stage where its outputs lie, the host's and, behind them, those that it does not see, in memory of their own.
  private let seen: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  private let hidden: UnsafeMutableRawPointer?
  private let starts: [Int]
  /// The node of the guard that the last run found flipped, -1: none.
  package private(set) var flipped = -1
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
    for k in 0 ..< s.stages { (counts + k).initialize(to: (s.inputCount[k], program.outputTypes[k].count, s.values.needs[k])) }
    do throws(Failure) {
      (seen, hidden, starts) = try Workspace.unseen(program)
    } catch {
      ck_free(a)
      done.deallocate()
      gate.deallocate()
      counts.deallocate()
      throw error
    }
    do throws(Failure) {
      instance = try Instance(plan, arena: a, program.backend)
      direct = program.watch.isEmpty ? instance.direct : nil
      silent = instance.silent
    } catch {
      ck_free(a)
      done.deallocate()
      gate.deallocate()
      counts.deallocate()
      if let hidden { ck_free(hidden) }
      seen?.deallocate()
      throw error
    }
  }

  /// Where the outputs go that the host does not see.
  private static func unseen(_ p: Program) throws(Failure) -> (UnsafeMutablePointer<UnsafeMutableRawPointer?>?, UnsafeMutableRawPointer?, [Int]) {
    if p.watch.isEmpty { return (nil, nil, []) }
    var starts: [Int] = [], n = 0, bytes = 0
    for (types, more) in zip(p.outputTypes, p.watch.hidden) {
      starts.append(n)
      n += types.count + more.count
      bytes = more.reduce(bytes) { $0 &+ up($1.bytes, 64) }
    }
    guard let memory = ck_alloc(max(bytes, 64)) else { throw Failure(.memory, "workspace: \(bytes) bytes were refused") }
    let list = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: n)
    list.initialize(repeating: nil, count: n)
    var at = 0
    for (k, more) in p.watch.hidden.enumerated() {
      for (i, t) in more.enumerated() {
        list[starts[k] + p.outputTypes[k].count + i] = memory + at
        at += up(t.bytes, 64)
      }
    }
    return (list, memory, starts)
  }

  deinit {
    ck_free(arena)
    done.deallocate()
    gate.deallocate()
    counts.deallocate()
    if let hidden { ck_free(hidden) }
    seen?.deallocate()
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
    var written = outputs
    if let seen {
      for i in 0 ..< outCount { seen[starts[stage] + i] = outputs[i] }
      written = UnsafePointer(seen + starts[stage])
      flipped = -1
    }
    let saved = ck_fenv_enter()
    let ok = instance.execute(stage, inputs, written)
    let bad = ok && program.checkFinite ? firstNonfinite(stage, outputs) : -1
    ck_fenv_leave(saved)
    guard ok else {
      done.pointee &= ~(1 << UInt64(stage))
      return fail()
    }
    done.pointee |= 1 << UInt64(stage)
    if seen != nil, program.checkGuards {
      for i in program.watch.looks.indices where program.watch.looks[i].stage == stage {
        guard let said = program.watch.flipped(program.watch.looks[i], written) else { continue }
        flipped = program.watch.looks[i].node
        return fail(.flipped, said)
      }
    }
    if bad >= 0 { return fail(.nonfinite, "run: output \(bad) has a NaN or an infinity") }
    return .ok
  }

  @inline(never) private func fail() -> Code {
    thrown = instance.problem?.thrown
    defer { instance.forget() }
    return fail(instance.problem?.code ?? .invalid, instance.message)
  }

  package func takeThrown() -> (any Error)? {
    defer { thrown = nil }
    return thrown
  }

  private func fail(_ code: Code, _ sentence: String) -> Code {
    message = sentence
    return code
  }

  private func firstNonfinite(_ stage: Int, _ outputs: UnsafePointer<UnsafeMutableRawPointer?>) -> Int {
    let types = program.outputTypes[stage], most = program.threads == 0 ? Threads.available : program.threads
    for i in 0 ..< types.count where types[i].dtype.isFloat {
      // Bound by memory: some 12 bytes a nanosecond and thread.
      let lanes = Threads.lanes(Double(types[i].bytes) / 12, pieces: most, threads: most)
      if let p = outputs[i], !ck_all_finite_shared(types[i].dtype.rawValue, p, types[i].count, lanes) { return i }
    }
    return -1
  }
}
