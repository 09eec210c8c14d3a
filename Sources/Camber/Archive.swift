import Runtime
import Tape

/// Functions of tapes by name, in files: what was recorded, with its derivatives, to be run elsewhere.
public final class Archive {
  private var core: CoreArchive

  /// An empty one.
  public init() { core = CoreArchive() }
  /// Reads a file.
  public init(path: String) throws { core = try translated { try CoreArchive.load(path) } }
  /// Reads bytes in memory.
  public init(bytes: [UInt8]) throws { core = try translated { try bytes.withUnsafeBytes { p throws(Failure) in try CoreArchive.unpack(p) } } }

  /// Adds outputs of a tape as a function of inputs; no names, or one each.
  public func add(_ function: String, _ tape: Tape, inputs: [Node], outputs: [Node], inputNames: [String]? = nil, outputNames: [String]? = nil) throws {
    try translated {
      try core.add(function, tape.core, inputs: inputs.map(tape.id), names: inputNames ?? inputs.map { _ in "" }, outputs: outputs.map(tape.id), outputNames ?? outputs.map { _ in "" })
    }
  }
  /// An option of the program made of a function.
  public func set(_ function: String, _ option: String, _ value: Double) throws { try translated { try core.set(function, option, value) } }
  /// Lets an output of the program be written over an input.
  public func alias(_ function: String, output: Int, input: Int) throws { try translated { try core.alias(function, output: output, input: input) } }
  /// Text by key; an empty one takes it away.
  public func setNote(_ key: String, _ text: String) throws { try translated { try core.note(key, text) } }
  public func note(_ key: String) -> String? { core.notes.first { $0.key == key }?.text }

  /// Written aside and renamed: the file is whole or untouched.
  public func save(_ path: String) throws { try translated { try core.save(path) } }
  public func bytes() throws -> [UInt8] {
    let b = try translated { try core.packed() }
    return b
  }

  public var functions: [String] { core.functions.map(\.name) }
  public func inputNames(_ function: String) -> [String] { core.index(function).map { core.functions[$0].inputNames } ?? [] }
  public func outputNames(_ function: String) -> [String] { core.index(function).map { core.functions[$0].outputNames } ?? [] }

  /// A function as a program, its options set.
  public func program(_ function: String) throws -> Program { try Program(try translated { try core.program(function) }) }
  /// A function's outputs on a tape, of its nodes: to be differentiated and built on.
  public func callAsFunction(_ function: String, on tape: Tape, _ inputs: [Node]) throws -> [Node] {
    let y = try translated { try core.apply(function, on: tape.core, inputs.map(tape.id)) }
    return y.map(tape.node)
  }
}
