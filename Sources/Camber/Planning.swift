import Health
import Sparse
import Tape

/// What every method of differentiating would take, and the one that suits; see camber_plan_new in camber_sparse.h.
public final class Plan {
  public enum Kind: Int32, Sendable { case jacobian, hessian, sparseJacobian, sparseHessian }
  public struct Entry: Sendable {
    public let method: String, reason: String
    public let flops, bytes: Double, colors, passes: Int, memory, predicted, measured, error: Double
    public var applies: Bool { reason.isEmpty }
  }
  private let core: MethodPlan
  private let types: [TensorType]

  /// Variables and data are inputs of the tape, all that the outputs depend on. rounding: errors are bounded at the point; evaluations: how many
  /// are expected, of whose time planning takes a tenth at most, as far as it can stop (0: it goes to its end).
  public init(_ tape: Tape, _ kind: Kind, _ outputs: [Node], _ variables: [Node], data: [Node] = [], accurate: Bool = false, taste: Bool = true,
              rounding: Bool = false, evaluations: Double = 0) throws {
    try tape.check()
    let x = variables.map(tape.id), d = data.map(tape.id)
    core = try translated { try MethodPlan(tape.core, MethodPlan.Kind(rawValue: kind.rawValue) ?? .jacobian, outputs.map(tape.id), x, d) }
    types = (x + d).map { tape.core.type($0) }
    core.accurate = accurate
    core.taste = taste
    core.rounding = rounding
    core.weigh = derivativeError
    guard evaluations >= 0, evaluations.isFinite else { throw CamberError(Failure(.invalid, "plan: \(evaluations) evaluations")) }
    core.evaluations = evaluations
  }
  /// Chooses by prediction; or at a point: an array for each variable, then for each data, of their own types.
  @discardableResult
  public func run(_ point: [UnsafeRawPointer?]? = nil) throws -> String {
    if let point, point.count != types.count { throw CamberError(Failure(.shape, "plan: \(point.count) arrays for \(types.count) variables and data")) }
    if let point, let i = point.indices.first(where: { point[$0] == nil && types[$0].bytes > 0 }) { throw CamberError(Failure(.invalid, "plan: array \(i) is nil")) }
    try translated { try core.run(point: point?.map { $0 ?? UnsafeRawPointer(bitPattern: 64) }) }
    return method
  }
  public var method: String { core.chosen?.name ?? "" }
  public var table: [Entry] {
    core.table.map {
      Entry(method: $0.method.name, reason: $0.reason, flops: $0.flops, bytes: $0.bytes, colors: $0.colours, passes: $0.passes, memory: $0.memory,
            predicted: $0.predicted, measured: $0.measured, error: $0.error)
    }
  }
  public var explanation: String { core.text }
  public var json: String { core.json }
}

extension Tape {
  /// Dense blocks [output][input] of a Jacobian, or of the Hessian of one scalar, by a method by name: what a plan chose, say.
  public func planBlocks(_ kind: Plan.Kind, method: String, _ outputs: [Node], _ inputs: [Node]) throws -> [[Node]] {
    guard kind == .jacobian || kind == .hessian, let way = PlanMethod.allCases.first(where: { $0.name == method }) else {
      throw CamberError(Failure(.invalid, "planBlocks: \(kind) by \(method); kinds are jacobian and hessian, methods those of a plan's table"))
    }
    let b = try made(core.blocks(by: way, hessian: kind == .hessian, outputs.map(id), inputs.map(id), name: "plan_blocks"))
    return inputs.isEmpty ? [] : stride(from: 0, to: b.count, by: inputs.count).map { Array(b[$0 ..< $0 + inputs.count]) }
  }
}
