import CKernels
package import Tape

/// A function linearised: one program of three stages. The point stage leaves what the products read in the workspace.
package final class Linear {
  package enum Stage: Int { case point, jvp, vjp }

  private let program: Program
  private let workspace: Workspace
  private var atPoint = false
  /// Outputs of the point stage where the host wants none.
  private let spare: UnsafeMutableRawPointer
  private let sparePointers: [UnsafeMutableRawPointer?]
  package private(set) var message = ""
  package var inputTypes: [TensorType] { program.inputTypes[0] }
  package var outputTypes: [TensorType] { program.outputTypes[0] }

  package init(_ t: Tape, inputs: [NodeID], outputs: [NodeID]) throws(Failure) {
    let tangents = inputs.map { t.contains($0) ? t.input(t.type($0)) : .none }, cotangents = outputs.map { t.contains($0) ? t.input(t.type($0)) : .none }
    let dy = t.jvp(outputs, inputs, tangents), dx = t.vjp(outputs, cotangents, inputs)
    let simple = t.simplify(outputs + dy + dx)
    if let f = t.failure { throw f }
    let m = outputs.count
    program = try Program(t, stages: [(inputs, Array(simple[..<m])), (tangents, Array(simple[m ..< 2 * m])), (cotangents, Array(simple[(2 * m)...]))])
    workspace = try Workspace(program)
    var offsets: [Int] = [], bytes = 0
    for o in program.outputTypes[0] {
      offsets.append(bytes)
      bytes = bytes &+ (o.bytes + 63) / 64 * 64
      guard bytes < 1 << 56 else { throw Failure(.memory, "linear: the outputs are too large") }
    }
    guard let p = ck_alloc(max(bytes, 64)) else { throw Failure(.memory, "linear: memory was refused") }
    spare = p
    sparePointers = offsets.map { p + $0 }
  }

  deinit { ck_free(spare) }

  /// The error that a function of the host threw in the last run.
  package func takeThrown() -> (any Error)? { workspace.takeThrown() }

  package func run(_ stage: Stage, _ inputs: UnsafePointer<UnsafeRawPointer?>?, _ outputs: UnsafePointer<UnsafeMutableRawPointer?>?) -> Code {
    guard stage == .point || atPoint else { return fail("linear: no point yet; camber_linear_at first") }
    guard let inputs = inputs ?? (program.inputTypes[stage.rawValue].isEmpty ? UnsafePointer(bitPattern: 8) : nil) else { return fail("linear: the array of inputs is NULL") }
    let code: Code
    if let outputs {
      code = workspace.run(stage: stage.rawValue, inputs: inputs, outputs: outputs)
    } else {
      guard stage == .point else { return fail("linear: the array of outputs is NULL") }
      code = sparePointers.withUnsafeBufferPointer { p in
        p.baseAddress.map { workspace.run(stage: 0, inputs: inputs, outputs: $0) } ?? workspace.run(stage: 0, inputs: inputs, outputs: UnsafePointer(bitPattern: 8).unsafelyUnwrapped)
      }
    }
    if stage == .point { atPoint = code.rawValue >= 0 }
    if code != .ok { message = workspace.message }
    return code
  }

  private func fail(_ s: String) -> Code {
    message = s
    return .invalid
  }
}
