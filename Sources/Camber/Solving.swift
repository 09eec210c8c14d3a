import Optimize
import Runtime
import Tape

/// A minimum of a scalar, or of half the sum of squares of residuals; compiled once. Methods and options stand in camber.h at camber_minimize.
public final class Solver {
  public enum Outcome: Int32, Sendable { case converged, smallStep, outOfSteps, stalled, undefined, unbounded }
  public struct Step: Sendable { public let value, gradient, step, control: Double, evaluations, products: Int }
  let core: Optimize.Solver
  private let types: [(DType, Int)]

  private init(_ s: Optimize.Solver, _ options: KeyValuePairs<String, Double>) throws {
    core = s
    types = s.variables.map { (DType($0.dtype), $0.count) }
    for (name, value) in options { if let f = s.set(name, value) { throw CamberError(f) } }
  }
  public static func minimize(_ tape: Tape, _ output: Node, _ variables: [Node], data: [Node] = [], method: String = "lbfgs", options: KeyValuePairs<String, Double> = [:]) throws -> Solver {
    try tape.check()
    return try Solver(try translated { try Optimize.Solver.minimize(tape.core, tape.id(output), variables.map(tape.id), data.map(tape.id), method: method) }, options)
  }
  public static func leastSquares(_ tape: Tape, _ residuals: [Node], _ variables: [Node], data: [Node] = [], method: String = "levenberg-marquardt",
                                  options: KeyValuePairs<String, Double> = [:]) throws -> Solver {
    try tape.check()
    return try Solver(try translated { try Optimize.Solver.leastSquares(tape.core, residuals.map(tape.id), variables.map(tape.id), data.map(tape.id), method: method) }, options)
  }

  /// From the arrays given, one a variable, to the best that were found. `data`: arrays of the data's own types.
  public func run(_ x: inout [[Double]], data: [UnsafeRawPointer?] = []) throws -> Outcome {
    guard x.count == types.count, zip(x, types).allSatisfy({ $0.count == $1.1 }), data.count == core.data.count else {
      throw CamberError(Failure(.shape, "solver: the counts of arrays or of their elements are not those of the variables and data"))
    }
    let room = zip(x, types).map { values, type -> UnsafeMutableRawPointer in
      let p = UnsafeMutableRawPointer.allocate(byteCount: max(values.count, 1) * 8, alignment: 8)
      for (i, v) in values.enumerated() { if type.0 == .f32 { p.storeBytes(of: Float(v), toByteOffset: i * 4, as: Float.self) } else { p.storeBytes(of: v, toByteOffset: i * 8, as: Double.self) } }
      return p
    }
    defer { for p in room { p.deallocate() } }
    let end = try translated { try core.run(data: data, room) }
    for (k, p) in room.enumerated() {
      for i in x[k].indices { x[k][i] = types[k].0 == .f32 ? Double(p.load(fromByteOffset: i * 4, as: Float.self)) : p.load(fromByteOffset: i * 8, as: Double.self) }
    }
    return Outcome(rawValue: end.rawValue) ?? .stalled
  }
  public var value: Double { core.value }
  public var explanation: String { core.explanation }
  /// What the last run shows, and a remedy for the next: see camber_solver_prescribe.
  public var findings: [Finding] { core.findings.map { Finding($0) } }
  public func prescribe(_ remedy: String) throws -> String { try translated { try core.prescribe(remedy) } }
  public var journal: [Step] { core.journal.map { Step(value: $0.value, gradient: $0.gradient, step: $0.step, control: $0.control, evaluations: $0.evaluations, products: $0.products) } }
}
