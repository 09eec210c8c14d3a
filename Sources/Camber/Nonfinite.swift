import Health
import Tape

extension Tape {
  /// Calls a node `text`, and says where it stands.
  @discardableResult
  public func label(_ node: Node, _ text: String, file: String = "", line: Int = 0) -> Node {
    core.label(id(node), Label(text: text, file: file, line: Int32(clamping: line)))
    return node
  }
  /// What is recorded from now on stands there; none where both are empty.
  public func label(from text: String, file: String = #fileID, line: Int = #line) {
    core.label(from: Label(text: text, file: file, line: Int32(clamping: line)))
  }
  /// Text, file and line of all labels of a node, its own first, then those of the node that it was derived from.
  public func labels(_ node: Node) -> [(text: String, file: String, line: Int)] { core.allLabels(id(node)).map { ($0.text, $0.file, Int($0.line)) } }
  /// The node that this one was derived from, and by what: 0 nothing, 1 forward, 2 reverse mode.
  public func origin(_ n: Node) -> (node: Node, sweep: Int) {
    let o = core.origin(id(n))
    return (node(o.node), Int(o.sweep.rawValue))
  }
}

/// Where the numbers of some outputs that are not finite were born: see camber_nonfinite_new in camber_health.h.
public final class Nonfinite {
  public struct Birth: Sendable {
    public let op, kind, of, label, file, sentence, remedy: String
    public let element, line: Int
    public let value: Double
    public let operands: [Double]
    public let steps: [Int]
    /// 0: none, 1: forward, 2: reverse.
    public let sweep: Int
    /// The input that it lies in; the infinity behind it, among all births. nil where there is none.
    public let input, behind: Int?
  }
  let trace: Trace

  public init(_ tape: Tape, inputs: [Node], outputs: [Node]) throws {
    try tape.check()
    trace = try translated { try Trace(tape.core, inputs: inputs.map(tape.id), outputs: outputs.map(tape.id)) }
  }
  /// Infinities in these inputs are meant.
  public var masks: Set<Int> {
    get { trace.masks }
    set { trace.masks = newValue }
  }
  /// True where an output has a number that is not finite.
  public func run(_ inputs: [UnsafeRawPointer?]) throws -> Bool {
    guard inputs.count == trace.inputs.count else { throw CamberError(Failure(.invalid, "nonfinite: \(inputs.count) arrays for \(trace.inputs.count) inputs")) }
    return try translated { try trace.run(inputs) }
  }
  public var count: Int { trace.findings }
  public var report: String { trace.report }
  public var births: [Birth] {
    trace.births.map { b in
      Birth(op: b.op.name, kind: "\(b.kind.name)", of: b.origin.op.name, label: b.origin.label?.text ?? "", file: b.origin.label?.file ?? "", sentence: b.sentence(trace.births), remedy: "\(b.kind.remedy)",
            element: b.element, line: Int(b.origin.label?.line ?? 0), value: b.value, operands: b.operands.map(\.value), steps: b.steps, sweep: Int(b.origin.sweep.rawValue),
            input: b.input < 0 ? nil : b.input, behind: b.behind < 0 ? nil : b.behind)
    }
  }
}
