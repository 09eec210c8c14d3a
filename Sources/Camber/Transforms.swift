package import Runtime
import Sparse
import Tape

/// The derivative transforms, nodes to nodes. Errors of building surface here.
extension Tape {
  func made(_ nodes: [NodeID]) throws -> [Node] {
    try check()
    return nodes.map(node)
  }
  public func grad(_ y: Node, _ inputs: [Node]) throws -> [Node] { try made(core.grad(id(y), inputs.map(id))) }
  public func jvp(_ outputs: [Node], _ inputs: [Node], _ tangents: [Node]) throws -> [Node] { try made(core.jvp(outputs.map(id), inputs.map(id), tangents.map(id))) }
  public func vjp(_ outputs: [Node], _ cotangents: [Node], _ inputs: [Node]) throws -> [Node] { try made(core.vjp(outputs.map(id), cotangents.map(id), inputs.map(id))) }
  public func linearTranspose(_ outputs: [Node], _ cotangents: [Node], _ inputs: [Node]) throws -> [Node] {
    try made(core.vjp(outputs.map(id), cotangents.map(id), inputs.map(id), linear: true))
  }
  public func hvp(_ y: Node, _ inputs: [Node], _ vectors: [Node]) throws -> [Node] { try made(core.hvp(id(y), inputs.map(id), vectors.map(id))) }

  public enum Sweep: Sendable { case auto, forward, reverse, elimination, stagewise }
  /// [output][input], each of shape output.shape + input.shape.
  public func jacobian(_ outputs: [Node], _ inputs: [Node], sweep: Sweep = .auto) throws -> [[Node]] {
    let m: JacobianMode = switch sweep {
    case .auto: .auto
    case .forward: .forward
    case .reverse: .reverse
    case .elimination, .stagewise: .auto
    }
    if sweep == .stagewise { return rows(try made(core.stagedBlocks(outputs.map(id), inputs.map(id))), inputs.count) }
    if sweep == .elimination { return rows(try made(core.eliminatedBlocks(outputs.map(id), inputs.map(id))), inputs.count) }
    return rows(try made(core.jacobian(outputs.map(id), inputs.map(id), mode: m)), inputs.count)
  }
  /// What an order of elimination costs; see camber_elimination_cost in camber_sparse.h.
  public struct EliminationCost: Sendable, Equatable { public let vertices, edges, products, sums: Int }
  /// What edge pushing costs for the Hessian of a scalar; see camber_edge_pushing_cost in camber_sparse.h.
  public func edgePushingCost(_ output: Node, _ inputs: [Node]) throws -> EliminationCost {
    let e = core.edgePushingCost(id(output), inputs.map(id))
    try check()
    return EliminationCost(vertices: e?.vertices ?? 0, edges: e?.edges ?? 0, products: e?.cost.products ?? 0, sums: e?.cost.sums ?? 0)
  }
  public enum Elimination: Int, Sendable { case best, forward, reverse, markowitz, relativeMarkowitz, minFill, annealing }
  public func eliminationCost(_ outputs: [Node], _ inputs: [Node], order: Elimination = .best, every: Bool = false) throws -> EliminationCost {
    let e = core.eliminationCosts(outputs.map(id), inputs.map(id), EliminationOrder(rawValue: order.rawValue) ?? .best, every: every, name: "elimination_cost")
    try check()
    return EliminationCost(vertices: e?.vertices ?? 0, edges: e?.edges ?? 0, products: e?.cost.products ?? 0, sums: e?.cost.sums ?? 0)
  }
  /// The same values, whose derivatives multiply by the local Jacobian, accumulated once.
  public func preaccumulate(_ outputs: [Node], _ inputs: [Node]) throws -> [Node] { try made(core.preaccumulate(outputs.map(id), inputs.map(id))) }
  public func hessian(_ y: Node, _ inputs: [Node]) throws -> [[Node]] { rows(try made(core.hessian(id(y), inputs.map(id))), inputs.count) }
  private func rows(_ b: [Node], _ n: Int) -> [[Node]] { n == 0 ? [] : stride(from: 0, to: b.count, by: n).map { Array(b[$0 ..< $0 + n]) } }

  /// Coefficients [output][k - 1] of t^k along inputs[i] + sum of coefficients[i][k - 1] t^k, k = 1 ... order; missing ones are zero.
  public func taylor(_ outputs: [Node], _ inputs: [Node], _ coefficients: [[Node]], order: Int) throws -> [[Node]] {
    guard coefficients.count == inputs.count, coefficients.allSatisfy({ $0.count <= order }) else {
      throw CamberError(Failure(.invalid, "taylor: coefficients of \(coefficients.count) inputs for \(inputs.count), at most \(order) of each"))
    }
    let given = coefficients.flatMap { c in c.map(id) + [NodeID](repeating: .none, count: order - c.count) }
    return rows(try made(core.taylor(outputs.map(id), inputs.map(id), given, order: order)), order)
  }
  /// [derivative][output]: the derivative of order orders[derivative][d] along directions[d], each one node an input.
  public func directional(_ outputs: [Node], _ inputs: [Node], directions: [[Node]], orders: [[Int]]) throws -> [[Node]] {
    guard directions.allSatisfy({ $0.count == inputs.count }), orders.allSatisfy({ $0.count == directions.count }) else {
      throw CamberError(Failure(.invalid, "directional: a direction has \(inputs.count) nodes, a derivative \(directions.count) orders"))
    }
    return rows(try made(core.mixed(outputs.map(id), inputs.map(id), directions.flatMap { $0.map(id) }, orders.flatMap { $0 }, directionCount: directions.count)), outputs.count)
  }

  public func batch(_ outputs: [Node], _ inputs: [Node], _ wide: [Node], size: Int) throws -> [Node] {
    try made(core.batch(outputs.map(id), inputs.map(id), wide.map(id), size: size))
  }
  public func substitute(_ outputs: [Node], _ inputs: [Node], _ replacements: [Node]) throws -> [Node] {
    try made(core.substitute(outputs.map(id), inputs.map(id), replacements.map(id)))
  }
  public func simplify(_ outputs: [Node]) throws -> [Node] { try made(core.simplify(outputs.map(id))) }
  /// What derivatives keep of a part that is computed again.
  public enum Keep: Sendable { case nothing, products }
  /// Nodes of the same values as `outputs`, whose derivatives compute what lies between the inputs and them again, once their own way back has come so far.
  public func checkpoint(_ outputs: [Node], _ inputs: [Node], keep: Keep = .nothing) throws -> [Node] {
    try made(core.checkpoint(outputs.map(id), inputs.map(id), keeping: keep == .products ? .products : .nothing))
  }
  public func precision(_ outputs: [Node], _ inputs: [Node], compute: DType, output: DType) throws -> [Node] {
    try made(core.precision(outputs.map(id), inputs.map(id), compute: compute.core, output: output.core))
  }
}

/// Outputs of a tape as a function of inputs, planned. Immutable: many threads may run it, each with a `Run` of its own.
public final class Program {
  package let core: Runtime.Program
  private let first: Run

  /// `options`: by name and value, as camber.h lists them at camber_program_set; the first that is refused is thrown.
  public init(_ tape: Tape, inputs: [Node], outputs: [Node], options: KeyValuePairs<String, Double> = [:]) throws {
    let made = try translated { try Runtime.Program(tape.core, inputs: inputs.map(tape.id), outputs: outputs.map(tape.id)) }
    for (name, value) in options { if let f = made.set(name, value) { throw CamberError(f) } }
    core = made
    first = Run(try translated { try Workspace(made) })
  }
  init(_ made: Runtime.Program) throws {
    core = made
    first = Run(try translated { try Workspace(made) })
  }
  public var memory: Int { core.memory }
  public var explanation: String { core.explanation }
  public func makeRun() throws -> Run {
    Run(try translated { try Workspace(core) })
  }

  /// Runs on arrays of doubles, whatever the dtypes: values are converted on the way in and out. One thread at a time.
  public func callAsFunction(_ inputs: [[Double]]) throws -> [[Double]] { try first(inputs) }
}

/// The memory of one running thread.
public final class Run {
  private let workspace: Workspace
  init(_ w: Workspace) { workspace = w }

  /// Runs on the host's memory, in the programs' dtypes, allocating nothing.
  public func callAsFunction(inputs: [UnsafeRawPointer?], outputs: [UnsafeMutableRawPointer?]) throws {
    let p = workspace.program
    guard inputs.count == p.inputTypes[0].count, outputs.count == p.outputTypes[0].count else {
      throw CamberError(Failure(.invalid, "run: \(inputs.count) inputs and \(outputs.count) outputs for \(p.inputTypes[0].count) and \(p.outputTypes[0].count)"))
    }
    let code = inputs.withUnsafeBufferPointer { x in
      outputs.withUnsafeBufferPointer { y in
        workspace.run(inputs: x.baseAddress ?? UnsafePointer(bitPattern: 8).unsafelyUnwrapped, outputs: y.baseAddress ?? UnsafePointer(bitPattern: 8).unsafelyUnwrapped)
      }
    }
    if let error = workspace.takeThrown() { throw error }
    if code.rawValue < 0 || code == .flipped { throw CamberError(Failure(code, workspace.message)) }
  }

  public func callAsFunction(_ inputs: [[Double]]) throws -> [[Double]] {
    let p = workspace.program
    let wanted = p.inputTypes[0], given = p.outputTypes[0]
    guard inputs.count == wanted.count else { throw CamberError(Failure(.invalid, "run: \(inputs.count) inputs for \(wanted.count)")) }
    for (i, (x, t)) in zip(inputs, wanted).enumerated() where x.count != t.count {
      throw CamberError(Failure(.shape, "run: input \(i) has \(x.count) elements, the program takes \(t.description)"))
    }
    let ins = zip(inputs, wanted).map { Stored($0, $1) }, outs = given.map { Stored([Double](repeating: 0, count: $0.count), $0) }
    try withExtendedLifetime(ins) { try self(inputs: ins.map { UnsafeRawPointer($0.memory) }, outputs: outs.map(\.memory)) }
    return withExtendedLifetime(outs) { outs.map(\.values) }
  }
}

/// The core's failures as the product's errors.
func translated<T>(_ body: () throws -> T) throws -> T {
  do { return try body() } catch let f as Failure {
    if f.code == .callback, let t = takeThrown() { throw t }
    throw CamberError(f)
  }
}
