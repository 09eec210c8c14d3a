package import Tape

/// Element types.
public enum DType: Int32, CaseIterable, Sendable {
  case f64, f32, f16, bf16, i64, i32, bool
  var core: Tape_DType { Tape_DType(rawValue: rawValue) ?? .f64 }
  init(_ d: Tape_DType) { self = DType(rawValue: d.rawValue) ?? .f64 }
}

/// What went wrong, in a sentence that names the operator and the shapes. `status` is camber.h's number.
public struct CamberError: Error, CustomStringConvertible, Sendable {
  public let status: Int32
  public let description: String
  init(_ f: Failure) {
    status = f.code.rawValue
    description = f.message
  }
}

/// A recording of a numerical program. Building never throws: the first error sticks to the tape and surfaces when a derivative or a
/// program is asked for. Use a tape from one thread at a time.
public final class Tape {
  package let core: CoreTape
  public init() { core = CoreTape() }
  init(_ core: CoreTape) { self.core = core }

  /// A value that is supplied at each run.
  public func input(_ dtype: DType = .f64, _ shape: [Int] = []) -> Node {
    guard let t = TensorType(dtype.core, checking: shape) else { return node(core.fail(.shape, "input: a value of shape \(shape) cannot exist")) }
    return node(core.input(t))
  }
  public func constant(_ value: Double, _ dtype: DType = .f64) -> Node { node(core.constant(dtype.core, value)) }
  public func integer(_ value: Int64, _ dtype: DType = .i64) -> Node { node(core.constant(dtype.core, integer: value)) }
  /// A constant array, row-major; `values.count` is the shape's element count.
  public func array(_ values: [Double], _ shape: [Int], _ dtype: DType = .f64) -> Node {
    guard let t = TensorType(.f64, checking: shape), t.count == values.count else {
      return node(core.fail(.shape, "array: \(values.count) values for shape \(shape)"))
    }
    let n = values.withUnsafeBytes { p in p.baseAddress.map { core.array(t, $0) } ?? core.full(t, 0) }
    return node(core.cast(n, dtype.core))
  }
  public func iota(_ shape: [Int], axis: Int, _ dtype: DType = .i64) -> Node {
    guard let t = TensorType(dtype.core, checking: shape), axis >= -shape.count, axis < shape.count else { return node(core.fail(.shape, "iota: axis \(axis) of shape \(shape)")) }
    return node(core.iota(t, axis: axis < 0 ? axis : axis - shape.count))
  }

  func node(_ id: NodeID) -> Node { Node(tape: self, id: id) }

  /// The first error, if there is one.
  public var error: CamberError? { core.failure.map(CamberError.init) }
  public func clearError() { core.failure = nil }
  public var nodeCount: Int { core.count }
  public var bytes: Int { core.bytes }

  /// A fingerprint of the programs behind `outputs`, independent of the order of recording.
  public func hash(_ inputs: [Node], _ outputs: [Node]) throws -> UInt64 {
    let h = core.fingerprint(inputs.map(id), outputs.map(id))
    try check()
    return h ?? 0
  }

  /// The first error, as what a closure threw where it was that.
  func check() throws {
    guard let e = error else { return }
    if core.failure?.code == .callback, let t = takeThrown() { throw t }
    throw e
  }

  /// This tape's index of a node; a node of an enclosing tape is captured.
  func id(_ n: Node) -> NodeID { n.id.isNone ? .none : core.resolve(serial: n.tape.core.serial, index: n.id.index) }
}

/// An index into its tape. Operators broadcast as NumPy does; numbers take the other operand's dtype.
public struct Node {
  public let tape: Tape
  let id: NodeID

  public var shape: [Int] { tape.core.contains(id) ? tape.core.shape(id) : [] }
  public var dtype: DType { tape.core.contains(id) ? DType(tape.core.dtype(id)) : .f64 }
  public var rank: Int { shape.count }
  /// False where building has failed; the tape says why.
  public var isValid: Bool { tape.core.contains(id) }
}
