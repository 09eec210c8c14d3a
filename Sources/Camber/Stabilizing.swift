import Health
import Tape

/// Replaces expressions that lose digits by others that do not: see camber_stabilizer_new in camber_health.h.
public final class Stabilizer {
  public struct Entry: Sendable {
    public let rule: Int, before, after: Double, made: Bool, reason: String
  }
  let core: Health.Stabilizer
  private let tape: Tape
  public init(_ tape: Tape, inputs: [Node], outputs: [Node]) throws {
    try tape.check()
    self.tape = tape
    core = try translated { try Health.Stabilizer(tape.core, inputs: inputs.map(tape.id), outputs: outputs.map(tape.id)) }
  }
  /// Bits that must be gained; bits that may be lost anywhere.
  public var threshold: Double { get { core.threshold } set { core.threshold = newValue } }
  public var slack: Double { get { core.slack } set { core.slack = newValue } }
  /// A point at which the outputs will be wanted; copied.
  public func sample(_ inputs: [UnsafeRawPointer?]) throws {
    guard inputs.count == core.inputs.count else { throw CamberError(Failure(.invalid, "stabilize: \(inputs.count) arrays for \(core.inputs.count) inputs")) }
    try translated { try core.sample(inputs) }
  }
  /// Where an input will lie.
  public func range(_ input: Int, _ low: Double, _ high: Double) throws { try translated { try core.range(input, low, high) } }
  /// The outputs with what was put in.
  public func run() throws -> [Node] { try translated { try core.run() }.map { tape.node($0) } }
  public var journal: [Entry] { core.journal.map { Entry(rule: $0.number, before: $0.before, after: $0.after, made: $0.isMade, reason: $0.reason) } }
}
