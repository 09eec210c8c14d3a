import Runtime
import Tape

/// A function linearised: the point part once, any number of products after it.
public final class Linearized {
  private let core: Linear
  private let inputs: [TensorType], outputs: [TensorType]

  public init(_ tape: Tape, inputs: [Node], outputs: [Node]) throws {
    core = try translated { try Linear(tape.core, inputs: inputs.map(tape.id), outputs: outputs.map(tape.id)) }
    self.inputs = core.inputTypes
    self.outputs = core.outputTypes
  }

  private func run(_ stage: Linear.Stage, _ x: [[Double]], _ from: [TensorType], _ to: [TensorType]) throws -> [[Double]] {
    guard x.count == from.count, zip(x, from).allSatisfy({ $0.count == $1.count }) else {
      throw CamberError(Failure(.shape, "linear: \(x.map(\.count)) elements given, \(from.map(\.count)) taken"))
    }
    let ins = zip(x, from).map { Stored($0, $1) }, outs = to.map { Stored([Double](repeating: 0, count: $0.count), $0) }
    let a = ins.map { UnsafeRawPointer($0.memory) as UnsafeRawPointer? }, b = outs.map { $0.memory as UnsafeMutableRawPointer? }
    defer { withExtendedLifetime(ins) {} }
    let code = a.withUnsafeBufferPointer { p in b.withUnsafeBufferPointer { q in core.run(stage, p.baseAddress, q.baseAddress) } }
    if let error = core.takeThrown() { throw error }
    if code.rawValue < 0 { throw CamberError(Failure(code, core.message)) }
    return outs.map(\.values)
  }

  /// The outputs at a point, where products are then taken.
  public func at(_ x: [[Double]]) throws -> [[Double]] { try run(.point, x, inputs, outputs) }
  public func jvp(_ tangents: [[Double]]) throws -> [[Double]] { try run(.jvp, tangents, inputs, outputs) }
  public func vjp(_ cotangents: [[Double]]) throws -> [[Double]] { try run(.vjp, cotangents, outputs, inputs) }
}
