import Health
import Tape

/// How far outputs lie from what exact arithmetic would give from the same inputs. Figures and options stand in camber_health.h at camber_rounding_new.
public final class Rounding {
  public enum Level: Int32, Sendable { case exact, weightedBound, measured, unbounded }
  public struct Contribution: Sendable { public let node: Int, op: String, error, bound, share, condition: Double, members: [Member] }
  /// One operator of a contribution, with the host's label; several where only together they are to blame.
  public struct Member: Sendable { public let node: Int, op: String, error: Double, text: String, file: String, line: Int }
  public struct Unstable: Sendable { public let node: Int, op: String, elements: Int, turns: Bool, other: Double }
  let core: Health.Rounding

  public init(_ tape: Tape, _ outputs: [Node], _ inputs: [Node], options: KeyValuePairs<String, Double> = [:]) throws {
    try tape.check()
    core = try translated { try Health.Rounding(tape.core, outputs: outputs.map(tape.id), inputs: inputs.map(tape.id)) }
    for (name, value) in options { if let f = core.set(name, value) { throw CamberError(f) } }
  }
  /// At the inputs' data: arrays of their own dtypes.
  public func run(_ data: [UnsafeRawPointer?]) throws {
    guard data.count == core.inputTypes.count else { throw CamberError(Failure(.invalid, "rounding: \(data.count) arrays for \(core.inputTypes.count) inputs")) }
    try translated { try core.run { data[$0] } }
  }
  public func run(_ data: [[Double]]) throws {
    guard data.count == core.inputTypes.count, zip(data, core.inputTypes).allSatisfy({ $0.count == $1.count && $1.dtype == .f64 }) else {
      throw CamberError(Failure(.shape, "rounding: the arrays are not those of the inputs, or these are not f64"))
    }
    let room = data.map { list -> UnsafeMutablePointer<Double> in
      let p = UnsafeMutablePointer<Double>.allocate(capacity: max(list.count, 1))
      p.initialize(from: list, count: list.count)
      return p
    }
    defer { for p in room { p.deallocate() } }
    try run(room.map { UnsafeRawPointer($0) })
  }
  /// Asks about one element of an output.
  public func at(output: Int = 0, element: Int = 0) throws { try translated { try core.at(output: output, element: element) } }
  public var level: Level { Level(rawValue: core.figures.level.rawValue) ?? .unbounded }
  public var value: Double { core.figures.value }
  public var bound: Double { core.figures.bound }
  public var estimate: Double { core.figures.estimate }
  public var remainder: Double { core.figures.remainder }
  public var corrected: Double { core.figures.corrected }
  public var bitsLost: Double { core.figures.bitsLost }
  /// By the names of camber_rounding_figure.
  public subscript(_ name: String) -> Double { core.figure(name) }
  public var contributions: [Contribution] {
    core.contributions.map { Contribution(node: $0.node.i, op: $0.op.name, error: $0.error, bound: $0.bound, share: $0.share, condition: $0.condition, members: $0.members.map {
      Member(node: $0.node.i, op: $0.op.name, error: $0.error, text: $0.label?.text ?? "", file: $0.label?.file ?? "", line: Int($0.label?.line ?? 0))
    }) }
  }
  public var unstable: [Unstable] { core.unstable.map { Unstable(node: $0.node.i, op: $0.op.name, elements: $0.elements, turns: $0.turns, other: $0.other) } }
  public var report: String { core.report { "node \($0.index)" } }
}

/// Derivatives held against differences. Options stand in camber_health.h at camber_check_new.
public final class DerivativeCheck {
  public enum Verdict: Int32, Sendable { case right, wrong, kink, undecided }
  public enum Kind: Int32, Sendable { case jvp, vjp, hvp }
  public struct Entry: Sendable { public let input: Int, kind: Kind, verdict: Verdict, derivative, difference, error, slope: Double }
  let core: Health.DerivativeCheck

  public init(_ tape: Tape, _ outputs: [Node], _ inputs: [Node], options: KeyValuePairs<String, Double> = [:]) throws {
    try tape.check()
    core = try translated { try Health.DerivativeCheck(tape.core, outputs: outputs.map(tape.id), inputs: inputs.map(tape.id)) }
    for (name, value) in options { if let f = core.set(name, value) { throw CamberError(f) } }
  }
  public func run(_ data: [UnsafeRawPointer?]) throws -> Verdict {
    guard data.count == core.inputTypes.count else { throw CamberError(Failure(.invalid, "check: \(data.count) arrays for \(core.inputTypes.count) inputs")) }
    try translated { try core.run { data[$0] } }
    return verdict
  }
  public var verdict: Verdict { Verdict(rawValue: core.verdict.rawValue) ?? .undecided }
  public var message: String { core.sentence }
  public var entries: [Entry] {
    core.entries.map { Entry(input: $0.input, kind: Kind(rawValue: $0.kind.rawValue) ?? .jvp, verdict: Verdict(rawValue: $0.verdict.rawValue) ?? .undecided,
                             derivative: $0.derivative, difference: $0.difference, error: $0.error, slope: $0.slope) }
  }
}

extension Tape {
  /// The weighted bound of a float scalar as a node; see camber_rounding_bound in camber_health.h.
  public func roundingBound(_ output: Node, _ inputs: [Node]) throws -> Node { try made(core.roundingBound(id(output), inputs.map(id), estimate: false))[0] }
  /// The bound, the signed estimate and the bound on what that leaves out.
  public func roundingEstimate(_ output: Node, _ inputs: [Node]) throws -> (bound: Node, estimate: Node, remainder: Node) {
    let r = try made(core.roundingBound(id(output), inputs.map(id), estimate: true))
    return (r[0], r[1], r[2])
  }
}
