import Health
import Runtime
import Tape

/// The Hessian of a scalar at a point: figures with intervals, and the errors of what stands in for it. Options, figures and errors are told in camber_health.h at camber_curvature_new.
public final class Curvature {
  /// A number and the interval that holds it.
  public struct Figure: Sendable {
    public let value, low, high: Double
    init(_ f: Health.Figure) { (value, low, high) = (f.value, f.low, f.high) }
  }
  /// What became of a pair; state 0 kept, 1 damped, 2 left out for its curvature, 3 for its noise.
  public struct Pair: Sendable { public let residual, secant, noise, damping: Double, state: Int }
  public struct Layer {
    public let weight: Int, bias: Int?, input: Node, preactivations: Node
    public init(weight: Int, bias: Int? = nil, input: Node, preactivations: Node) { (self.weight, self.bias, self.input, self.preactivations) = (weight, bias, input, preactivations) }
  }
  let core: Health.Curvature
  private let tape: Tape
  private var thrown: (any Error)?

  public init(_ tape: Tape, _ output: Node, _ variables: [Node], data: [Node] = [], options: KeyValuePairs<String, Double> = [:]) throws {
    try tape.check()
    self.tape = tape
    core = try translated { try Health.Curvature(tape.core, tape.id(output), variables.map(tape.id), data.map(tape.id)) }
    for (name, value) in options { try set(name, value) }
  }
  public func set(_ name: String, _ value: Double) throws { if let f = core.set(name, value) { throw CamberError(f) } }
  public var dimension: Int { core.n }
  public var products: Int { core.products }

  /// Arrays of f64 variables; copied. `data`: arrays of the data's own types.
  public func at(_ x: [[Double]], data: [UnsafeRawPointer?] = []) throws {
    guard x.count == core.variables.count, zip(x, core.variables).allSatisfy({ $0.count == $1.count }), data.count == core.data.count else {
      throw CamberError(Failure(.shape, "curvature: the counts of arrays or of their elements are not those of the variables and data"))
    }
    let room = zip(x, core.variables).map { values, type -> UnsafeMutableRawPointer in
      let p = UnsafeMutableRawPointer.allocate(byteCount: max(values.count, 1) * 8, alignment: 8)
      for (i, v) in values.enumerated() { if type.dtype == .f32 { p.storeBytes(of: Float(v), toByteOffset: i * 4, as: Float.self) } else { p.storeBytes(of: v, toByteOffset: i * 8, as: Double.self) } }
      return p
    }
    defer { for p in room { p.deallocate() } }
    guard core.variables.allSatisfy({ $0.dtype == .f64 || $0.dtype == .f32 }) else { throw CamberError(Failure(.dtype, "curvature: at(_:) takes f64 and f32 variables; at(raw:) takes any")) }
    try at(raw: room.map { UnsafeRawPointer($0) }, data: data)
  }
  /// Arrays of the variables' own types.
  public func at(raw x: [UnsafeRawPointer?], data: [UnsafeRawPointer?] = []) throws {
    guard x.count == core.variables.count, data.count == core.data.count else { throw CamberError(Failure(.shape, "curvature: \(x.count) arrays of \(core.variables.count) variables, \(data.count) of \(core.data.count) data")) }
    try translated { try core.at(x + data) }
  }
  private func vector(_ f: (UnsafeMutablePointer<Double>) throws -> Void) throws -> [Double] {
    var v = [Double](repeating: 0, count: core.n)
    try translated { try v.withUnsafeMutableBufferPointer { if let p = $0.baseAddress { try f(p) } } }
    return v
  }
  public func gradient() throws -> [Double] { try vector { try core.copyGradient($0) } }
  public func product(_ v: [Double]) throws -> [Double] {
    guard v.count == core.n else { throw CamberError(Failure(.shape, "curvature: a vector of \(v.count) numbers; \(core.n) are wanted")) }
    var given = v
    return try vector { w in try given.withUnsafeMutableBufferPointer { if let p = $0.baseAddress { try core.product(p, w) } } }
  }
  public func figure(_ name: String) throws -> Figure { Figure(try translated { try core.figure(name) }) }
  public static var figureNames: [String] { Health.Curvature.figureNames }
  /// The diagonal, and the variances of Laplace's posterior, each with half widths of their intervals.
  public func diagonal() throws -> (values: [Double], half: [Double]) { try two { try core.diagonal($0, $1) } }
  public func posterior() throws -> (values: [Double], half: [Double]) { try two { try core.posterior($0, $1) } }
  private func two(_ f: (UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>) throws -> Void) throws -> ([Double], [Double]) {
    var half: [Double] = []
    let values = try vector { d in half = try vector { try f(d, $0) } }
    return (values, half)
  }
  public func eigenvalues() throws -> (values: [Double], residuals: [Double]) { try translated { try core.eigenvalues() } }
  public func density(_ count: Int = 200) throws -> (places: [Double], density: [Double], low: [Double], high: [Double]) {
    let n = max(count, 0)
    var a = [Double](repeating: 0, count: n), b = a, c = a, d = a
    try translated { try core.density(count, &a, &b, &c, &d) }
    return (a, b, c, d)
  }

  private func adding(_ f: () throws -> Void) throws {
    try tape.check()
    defer { tape.core.failure = nil }
    try translated(f)
  }
  /// A diagonal; nil: the Hessian's own.
  public func addDiagonal(_ name: String, _ values: [Double]? = nil) throws {
    guard values == nil || values?.count == core.n else { throw CamberError(Failure(.shape, "curvature: a diagonal of \(values?.count ?? 0) numbers; \(core.n) are wanted")) }
    try adding { try core.addDiagonal(name, values) }
  }
  public func addMatrix(_ name: String, _ rows: [Double]) throws {
    guard rows.count == core.n * core.n else { throw CamberError(Failure(.shape, "curvature: a matrix of \(rows.count) numbers; \(core.n) x \(core.n) are wanted")) }
    try adding { try core.addMatrix(name, rows) }
  }
  public func addProduct(_ name: String, _ f: @escaping ([Double]) -> [Double]) throws {
    let n = core.n
    try adding {
      try core.addProduct(name) { v, w in
        let y = f((0 ..< n).map { v[$0] })
        guard y.count == n else { return Failure(.shape, "\(name): a product of \(y.count) numbers; \(n) are wanted") }
        for i in 0 ..< n { w[i] = y[i] }
        return nil
      }
    }
  }
  /// `kind`: bfgs, lbfgs, sr1; steps and changes of the gradient, oldest first.
  public func addPairs(_ name: String, _ kind: String = "lbfgs", steps: [[Double]], changes: [[Double]], memory: Int = 0, noise: Double = -1) throws {
    guard !steps.isEmpty, steps.count == changes.count, (steps + changes).allSatisfy({ $0.count == core.n }) else { throw CamberError(Failure(.shape, "curvature: pairs of vectors of \(core.n) numbers are wanted")) }
    try adding { try core.addPairs(name, kind, steps.flatMap { $0 }, changes.flatMap { $0 }, steps.count, memory: memory, noise: noise) }
  }
  public func pair(_ name: String, _ i: Int) throws -> Pair? {
    try translated { try core.pair(name, i).map { Pair(residual: $0.residual, secant: $0.secant, noise: $0.noise, damping: $0.damping, state: Int($0.state)) } }
  }
  public func addDifferences(_ name: String, _ kind: String = "central") throws { try adding { try core.addDifferences(name, kind) } }
  public func addGaussNewton(_ name: String, _ outputs: [Node]) throws { try adding { try core.addGaussNewton(name, outputs.map(tape.id)) } }
  public func addFisher(_ name: String, _ outputs: [Node], family: String, scale: Double = 0) throws { try adding { try core.addFisher(name, outputs.map(tape.id), family, scale: scale) } }
  public func addKFAC(_ name: String, _ layers: [Layer], output: Node? = nil, family: String = "empirical", scale: Double = 0) throws {
    try adding {
      try core.addKFAC(name, weights: layers.map(\.weight), biases: layers.map { $0.bias ?? -1 }, inputs: layers.map { tape.id($0.input) }, outputs: layers.map { tape.id($0.preactivations) },
                       output.map(tape.id) ?? .none, family, scale: scale)
    }
  }
  public var approximations: [String] { core.approximationNames }
  public func error(_ approximation: String, _ name: String) throws -> Figure { Figure(try translated { try core.error(approximation, name) }) }
  public func errorNames(_ approximation: String) throws -> [String] { try translated { try core.errorNames(of: approximation) } }
}
