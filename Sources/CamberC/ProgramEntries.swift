public import CCamber
import CKernels
import Glibc
import Runtime
import Tape

final class ProgramHandle: Handled {
  let program: Program
  /// Every text that was given out, the last one last: each lives as long as the program.
  private let explanations = Guarded<[UnsafeMutablePointer<CChar>]>([])
  /// Bytes of each argument, and the input that each output may overlap (-1: none).
  private let inputBytes: [Int], outputBytes: [Int]
  private(set) var aliases: [Int]
  let identity: UnsafeRawPointer
  let takesNothing: Bool, givesNothing: Bool
  /// Bytes of the inputs, then of the outputs.
  private let bytes: UnsafeMutablePointer<Int>
  /// Outputs need no look after a run.
  private(set) var isDirect = true
  init(_ p: Program) {
    program = p
    identity = UnsafeRawPointer(Unmanaged.passUnretained(p).toOpaque())
    takesNothing = p.inputTypes[0].isEmpty
    givesNothing = p.outputTypes[0].isEmpty
    bytes = .allocate(capacity: p.inputTypes[0].count + p.outputTypes[0].count + 1)
    for (i, t) in (p.inputTypes[0] + p.outputTypes[0]).enumerated() { (bytes + i).initialize(to: t.bytes) }
    inputBytes = p.inputTypes[0].map(\.bytes)
    outputBytes = p.outputTypes[0].map(\.bytes)
    aliases = p.outputTypes[0].map { _ in -1 }
  }
  deinit {
    explanations.withLock { for p in $0 { free(p) } }
    bytes.deallocate()
  }

  /// Made when it is asked for: explaining translates to machine code, which otherwise the first workspace does, after options and aliases.
  func explanation() -> UnsafePointer<CChar>? {
    let text = program.explanation
    return explanations.withLock { known in
      if let last = known.last, strcmp(last, text) == 0 { return UnsafePointer(last) }
      guard let copy = strdup(text) else { return nil }
      known.append(copy)
      return UnsafePointer(copy)
    }
  }

  func set(_ name: String, _ value: Double) -> Failure? {
    let f = program.set(name, value)
    isDirect = !program.checkFinite
    return f
  }

  func lane(_ w: Workspace) -> ck_lane {
    ck_lane(gate: ck_gate(), direct: w.direct, silent: w.silent, slots: w.slots, program: identity,
            bytes: bytes, inputs: UInt32(inputBytes.count), outputs: UInt32(outputBytes.count))
  }

  func alias(output: Int, input: Int) -> Failure? {
    if let f = program.alias(output: output, input: input) { return f }
    aliases[output] = input
    return nil
  }

  /// An output whose memory overlaps an input's or another output's, in programs of few arguments (the check costs their product).
  /// `aliases` are the workspace's: those that stood when it was planned.
  func overlap(_ inputs: UnsafePointer<UnsafeRawPointer?>, _ outputs: UnsafePointer<UnsafeMutableRawPointer?>, _ aliases: [Int]) -> (output: Int, other: Int, isInput: Bool)? {
    let n = inputBytes.count, m = outputBytes.count
    guard m * (n + m) <= 4096 else { return nil }
    for i in 0 ..< m where outputBytes[i] > 0 {
      let a = UInt(bitPattern: outputs[i]), e = a &+ UInt(outputBytes[i])
      if a == 0 { continue }
      for j in 0 ..< n {
        let b = UInt(bitPattern: inputs[j])
        if a < b &+ UInt(inputBytes[j]), b < e, !(aliases[i] == j && a == b) { return (i, j, true) }
      }
      for j in 0 ..< i {
        let b = UInt(bitPattern: outputs[j])
        if a < b &+ UInt(outputBytes[j]), b < e { return (i, j, false) }
      }
    }
    return nil
  }
}

final class WorkspaceHandle: Handled {
  let workspace: Workspace
  /// Held for a whole call, so that its sentence is one thread's, too.
  let lane: UnsafeMutablePointer<ck_lane>
  /// The same, uncounted.
  let running: Unmanaged<Workspace>
  let aliases: [Int]
  /// The program's lane has the lengths of its arrays, which live as long as it does.
  private let program: ProgramHandle
  init(_ w: Workspace, _ p: ProgramHandle) {
    workspace = w
    program = p
    aliases = p.aliases
    running = .passUnretained(w)
    lane = .allocate(capacity: 1)
    lane.initialize(to: p.lane(w))
  }
  deinit { lane.deallocate() }
}

final class LinearHandle: Handled {
  let linear: Linear
  init(_ l: Linear) { linear = l }
}

/// Compiles what the nodes say; the tape gets the failure.
func compiled<T>(_ tape: OpaquePointer?, _ inputs: Nodes?, _ n: Int, _ outputs: Nodes?, _ m: Int, _ name: StaticString,
                 _ body: (Tape, [NodeID], [NodeID]) throws(Failure) -> T) -> T? {
  guard let h = tapeHandle(tape) else { return nil }
  defer { h.settle() }
  guard h.tape.failure == nil, let x = h.nodes(inputs, n, name), let y = h.nodes(outputs, m, name) else { return nil }
  do { return try body(h.tape, x, y) } catch {
    h.tape.fail(error.code, error.message)
    return nil
  }
}

@_cdecl("camber_program_new") @implementation public func camber_program_new(
  _ tape: OpaquePointer!, _ inputs: Nodes!, _ input_count: Int, _ outputs: Nodes!, _ output_count: Int
) -> OpaquePointer! {
  let p = compiled(tape, inputs, input_count, outputs, output_count, "program") { t, x, y throws(Failure) in try Program(t, inputs: x, outputs: y) }
  return p.flatMap { makeHandle(.program, ProgramHandle($0)) }
}
@_cdecl("camber_program_free") @implementation public func camber_program_free(_ program: OpaquePointer!) { freeHandle(.program, program) }

@_cdecl("camber_program_set") @implementation public func camber_program_set(_ program: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ value: Double) -> camber_status {
  guard let h = programHandle(program) else { return CAMBER_EHANDLE.raw }
  guard let name else { return h.fail(Failure(.invalid, "program: the option's name is NULL")) }
  return h.set(String(cString: name), value).map(h.fail) ?? 0
}
@_cdecl("camber_program_alias") @implementation public func camber_program_alias(_ program: OpaquePointer!, _ output: Int, _ input: Int) -> camber_status {
  guard let h = programHandle(program) else { return CAMBER_EHANDLE.raw }
  return h.alias(output: output, input: input).map(h.fail) ?? 0
}
@_cdecl("camber_program_message") @implementation public func camber_program_message(_ program: OpaquePointer!) -> UnsafePointer<CChar>! {
  programHandle(program)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}
@_cdecl("camber_program_input_count") @implementation public func camber_program_input_count(_ program: OpaquePointer!) -> Int {
  programHandle(program)?.program.inputTypes[0].count ?? 0
}
@_cdecl("camber_program_output_count") @implementation public func camber_program_output_count(_ program: OpaquePointer!) -> Int {
  programHandle(program)?.program.outputTypes[0].count ?? 0
}

private func describe(_ types: [TensorType], _ i: Int, _ dtype: UnsafeMutablePointer<camber_dtype>?, _ rank: UnsafeMutablePointer<Int>?,
                      _ shape: UnsafeMutablePointer<Int64>?, _ capacity: Int) -> camber_status {
  guard types.indices.contains(i) else { return CAMBER_EINVAL.raw }
  dtype?.pointee = types[i].dtype.rawValue
  rank?.pointee = types[i].rank
  if let shape {
    guard UInt(bitPattern: capacity) >= UInt(types[i].rank) else { return CAMBER_EINVAL.raw }
    for (k, n) in types[i].shape.enumerated() { shape[k] = Int64(n) }
  }
  return 0
}
@_cdecl("camber_program_input_type") @implementation public func camber_program_input_type(
  _ program: OpaquePointer!, _ i: Int, _ dtype: UnsafeMutablePointer<camber_dtype>!, _ rank: UnsafeMutablePointer<Int>!, _ shape: UnsafeMutablePointer<Int64>!, _ capacity: Int
) -> camber_status {
  programHandle(program).map { describe($0.program.inputTypes[0], i, dtype, rank, shape, capacity) } ?? CAMBER_EHANDLE.raw
}
@_cdecl("camber_program_output_type") @implementation public func camber_program_output_type(
  _ program: OpaquePointer!, _ i: Int, _ dtype: UnsafeMutablePointer<camber_dtype>!, _ rank: UnsafeMutablePointer<Int>!, _ shape: UnsafeMutablePointer<Int64>!, _ capacity: Int
) -> camber_status {
  programHandle(program).map { describe($0.program.outputTypes[0], i, dtype, rank, shape, capacity) } ?? CAMBER_EHANDLE.raw
}
@_cdecl("camber_program_guard_count") @implementation public func camber_program_guard_count(_ program: OpaquePointer!) -> Int {
  programHandle(program)?.program.guardCount ?? 0
}
@_cdecl("camber_program_memory") @implementation public func camber_program_memory(_ program: OpaquePointer!) -> Int { programHandle(program)?.program.memory ?? 0 }
@_cdecl("camber_program_explain") @implementation public func camber_program_explain(_ program: OpaquePointer!) -> UnsafePointer<CChar>! {
  programHandle(program)?.explanation() ?? camber_status_message(CAMBER_EHANDLE.raw)
}

@_cdecl("camber_workspace_new") @implementation public func camber_workspace_new(_ program: OpaquePointer!) -> OpaquePointer! {
  guard let h = programHandle(program), let w = try? Workspace(h.program) else { return nil }
  return makeHandle(.workspace, WorkspaceHandle(w, h))
}
@_cdecl("camber_workspace_free") @implementation public func camber_workspace_free(_ workspace: OpaquePointer!) { freeHandle(.workspace, workspace) }
@_cdecl("camber_workspace_flipped") @implementation public func camber_workspace_flipped(_ workspace: OpaquePointer!) -> Int64 {
  workspaceHandle(workspace).map { Int64($0.workspace.flipped) } ?? -1
}
@_cdecl("camber_workspace_message") @implementation public func camber_workspace_message(_ workspace: OpaquePointer!) -> UnsafePointer<CChar>! {
  workspaceHandle(workspace)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}

private func run(_ p: ProgramHandle, _ w: WorkspaceHandle, _ inputs: UnsafePointer<UnsafeRawPointer?>?,
                                   _ outputs: UnsafePointer<UnsafeMutableRawPointer?>?) -> camber_status {
  let way = ck_gate_enter(&w.lane.pointee.gate)
  guard way != 0 else { return CAMBER_EBUSY.raw }
  defer { ck_gate_leave(&w.lane.pointee.gate, way) }
  guard w.lane.pointee.program == p.identity else { return w.fail(Failure(.handle, "run: the workspace belongs to another program")) }
  guard let inputs = inputs ?? (p.takesNothing ? UnsafePointer(bitPattern: 8) : nil),
        let outputs = outputs ?? (p.givesNothing ? UnsafePointer(bitPattern: 8) : nil) else {
    return w.fail(Failure(.invalid, "run: the array of inputs or outputs is NULL"))
  }
  if !ck_lane_plain(w.lane, inputs, outputs), let o = p.overlap(inputs, outputs, w.aliases) { return refuse(w, o) }
  let code = w.running._withUnsafeGuaranteedRef { $0.runAlone(inputs: inputs, outputs: outputs) }
  if case .ok = code { return 0 }
  w.say(w.workspace.message)
  return code.rawValue
}
@inline(never) private func refuse(_ w: WorkspaceHandle, _ o: (output: Int, other: Int, isInput: Bool)) -> camber_status {
  w.fail(Failure(.invalid, "run: output \(o.output) overlaps \(o.isInput ? "input" : "output") \(o.other)\(o.isInput ? "; camber_program_alias allows it" : "")"))
}

@_cdecl("camber_run") @implementation public func camber_run(
  _ program: OpaquePointer!, _ workspace: OpaquePointer!, _ inputs: UnsafePointer<UnsafeRawPointer?>!, _ outputs: UnsafePointer<UnsafeMutableRawPointer?>!
) -> camber_status {
  // Nothing here is counted: a run of ten numbers takes less time than a few counts.
  let status = lend(program, .program, as: ProgramHandle.self) { p in
    lend(workspace, .workspace, as: WorkspaceHandle.self) { w in
      p.isDirect && ck_lane_run(w.lane, p.identity, inputs, outputs) ? 0 : run(p, w, inputs, outputs)
    } ?? CAMBER_EHANDLE.raw
  }
  return status ?? CAMBER_EHANDLE.raw
}

// MARK: linearised functions

@_cdecl("camber_linear_new") @implementation public func camber_linear_new(
  _ tape: OpaquePointer!, _ inputs: Nodes!, _ input_count: Int, _ outputs: Nodes!, _ output_count: Int
) -> OpaquePointer! {
  let l = compiled(tape, inputs, input_count, outputs, output_count, "linear") { t, x, y throws(Failure) in try Linear(t, inputs: x, outputs: y) }
  return l.flatMap { makeHandle(.linear, LinearHandle($0)) }
}
@_cdecl("camber_linear_free") @implementation public func camber_linear_free(_ linear: OpaquePointer!) { freeHandle(.linear, linear) }
@_cdecl("camber_linear_message") @implementation public func camber_linear_message(_ linear: OpaquePointer!) -> UnsafePointer<CChar>! {
  linearHandle(linear)?.text ?? camber_status_message(CAMBER_EHANDLE.raw)
}

private func run(_ linear: OpaquePointer?, _ stage: Linear.Stage, _ inputs: UnsafePointer<UnsafeRawPointer?>?, _ outputs: UnsafePointer<UnsafeMutableRawPointer?>?) -> camber_status {
  guard let h = linearHandle(linear) else { return CAMBER_EHANDLE.raw }
  let code = h.linear.run(stage, inputs, outputs)
  if code != .ok { h.say(h.linear.message) }
  return code.rawValue
}
@_cdecl("camber_linear_at") @implementation public func camber_linear_at(
  _ linear: OpaquePointer!, _ inputs: UnsafePointer<UnsafeRawPointer?>!, _ outputs: UnsafePointer<UnsafeMutableRawPointer?>!
) -> camber_status { run(linear, .point, inputs, outputs) }
@_cdecl("camber_linear_jvp") @implementation public func camber_linear_jvp(
  _ linear: OpaquePointer!, _ tangents: UnsafePointer<UnsafeRawPointer?>!, _ out_tangents: UnsafePointer<UnsafeMutableRawPointer?>!
) -> camber_status { run(linear, .jvp, tangents, out_tangents) }
@_cdecl("camber_linear_vjp") @implementation public func camber_linear_vjp(
  _ linear: OpaquePointer!, _ cotangents: UnsafePointer<UnsafeRawPointer?>!, _ gradients: UnsafePointer<UnsafeMutableRawPointer?>!
) -> camber_status { run(linear, .vjp, cotangents, gradients) }
