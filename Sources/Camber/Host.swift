import Glibc
import Runtime
package import Tape

/// The arrays of one call of a function of the host's own, lent for the call.
public struct HostCall {
  let x: HostInputs, y: HostOutputs
  let types: Known

  final class Known {
    let inputs: [TensorType], outputs: [TensorType]
    init(_ x: [TensorType], _ y: [TensorType]) { (inputs, outputs) = (x, y) }
  }

  public var inputShapes: [[Int]] { types.inputs.map(\.shape) }
  public var outputShapes: [[Int]] { types.outputs.map(\.shape) }
  /// An operand's elements. `T` has the size of its dtype.
  public func input<T: BitwiseCopyable>(_ i: Int, as: T.Type = Double.self) throws -> UnsafeBufferPointer<T> {
    try fits("input", i, types.inputs, MemoryLayout<T>.size)
    return UnsafeBufferPointer(start: x[i]?.assumingMemoryBound(to: T.self), count: x[i] == nil ? 0 : types.inputs[i].count)
  }
  /// A result's elements, all to be written.
  public func output<T: BitwiseCopyable>(_ k: Int, as: T.Type = Double.self) throws -> UnsafeMutableBufferPointer<T> {
    try fits("output", k, types.outputs, MemoryLayout<T>.size)
    return UnsafeMutableBufferPointer(start: y[k]?.assumingMemoryBound(to: T.self), count: y[k] == nil ? 0 : types.outputs[k].count)
  }
  private func fits(_ what: String, _ i: Int, _ all: [TensorType], _ size: Int) throws {
    guard all.indices.contains(i) else { throw CamberError(Failure(.invalid, "\(what) \(i) of \(all.count)")) }
    guard all[i].dtype.size == size else { throw CamberError(Failure(.dtype, "\(what) \(i) is \(all[i].description), whose elements have \(all[i].dtype.size) bytes, not \(size)")) }
  }
}

/// A derivative as nodes: from inputs, outputs and directions (those of floats; nil else) the results, nil where structurally zero. It may be
/// asked on another tape than the function was recorded on: it builds from the nodes that it is given.
public typealias DerivativeRule = (_ inputs: [Node], _ outputs: [Node], _ directions: [Node?]) throws -> [Node?]

/// A derivative as numbers: of first order. Its inputs are the function's inputs, its outputs there, then the directions of floats (jvp: of the
/// inputs, vjp: of the outputs); its outputs those of the other's floats.
public typealias DirectionFunction = (HostCall) throws -> Void

/// What closures throw on the way through the core, by thread.
private let thrown = Guarded<[UInt: any Error]>([:])
private var thread: UInt { UInt(pthread_self()) }

/// The error that a closure threw in this thread, once.
func takeThrown() -> (any Error)? { thrown.withLock { $0.removeValue(forKey: thread) } }

extension Tape {
  /// A function that Swift computes when a program runs, on the thread that runs it. What it throws, the run throws.
  /// - Parameters:
  ///   - pure: gives the same for the same inputs and does nothing else; equal calls may then be one.
  ///   - jvp, vjp: its derivatives as nodes; of one the other follows. `jvpNumbers`, `vjpNumbers`: as numbers.
  public func hostCall(_ name: String, _ inputs: [Node], results: [(DType, [Int])], pure: Bool = false, jvp: DerivativeRule? = nil, vjp: DerivativeRule? = nil,
                       jvpNumbers: DirectionFunction? = nil, vjpNumbers: DirectionFunction? = nil,
                       sparsity: ((_ output: Int, _ input: Int) -> [(row: Int, column: Int)])? = nil, _ value: @escaping (HostCall) throws -> Void) -> [Node] {
    var types: [TensorType] = []
    for (d, s) in results {
      guard let t = TensorType(d.core, checking: s) else { return failed(.shape, "\(name): a result of shape \(s) cannot exist", results.count) }
      types.append(t)
    }
    let x = inputs.map(id)
    guard !x.contains(where: { !core.contains($0) }) else { return failed(.node, "\(name): an operand is not a node of this tape", results.count) }
    func function(_ suffix: String, _ f: DirectionFunction?) -> HostFunction? { f.map { Tape.function(name + suffix, pure, $0) } }
    let rule = HostDerivatives(jvp: function(".jvp", jvpNumbers), vjp: function(".vjp", vjpNumbers)).rule(name, jvp: Tape.forward(name, jvp), vjp: Tape.backward(name, vjp), pattern: sparsity.map { f in { output, input in
      let places = f(output, input)
      return HostPattern(rows: places.map { Int64($0.row) }, columns: places.map { Int64($0.column) })
    } })
    return core.custom(rule, x, core.hostCall(Tape.function(name, pure, value), x, types)).map(node)
  }

  /// `f` with derivatives of its own, of which one is enough. What `f` reads beside its inputs has no derivative through it.
  public func custom(_ name: String, _ inputs: [Node], jvp: DerivativeRule? = nil, vjp: DerivativeRule? = nil, _ f: (_ inner: Tape, _ inputs: [Node]) -> [Node]) -> [Node] {
    let inner = Tape(CoreTape(parent: core)), parameters = inputs.map { inner.input($0.dtype, $0.shape) }
    let outputs = f(inner, parameters)
    guard jvp != nil || vjp != nil else { return failed(.invalid, "\(name): neither a jvp nor a vjp is given", outputs.count) }
    let rule = HostRule(name, jvp: Tape.forward(name, jvp), vjp: Tape.backward(name, vjp))
    return core.custom(rule, body: inner.core, inputs: parameters.map(\.id), outputs: outputs.map(inner.id), inputs.map(id)).map(node)
  }

  /// The places (elements, row-major) of the derivative of a host call's result, or of a custom function's, in its operand `input` that may be nonzero: as
  /// declared, else all. nil where `y` is no such result.
  public func sparsity(_ y: Node, input: Int) -> [(row: Int, column: Int)]? {
    let n = id(y)
    guard core.contains(n), let (rows, columns, pattern) = core.patternOf(n, input: input) else { return nil }
    guard let pattern else { return (0 ..< rows * columns).map { ($0 / columns, $0 % columns) } }
    return zip(pattern.rows, pattern.columns).map { (Int($0), Int($1)) }
  }

  private func failed(_ code: Code, _ message: String, _ count: Int) -> [Node] {
    core.fail(code, message)
    return (0 ..< count).map { _ in node(.none) }
  }

  private static func function(_ name: String, _ pure: Bool, _ f: @escaping (HostCall) throws -> Void) -> HostFunction {
    HostFunction(name, pure: pure, prepare: { x, y, _, _ in HostCall.Known(x, y) }, call: { context, x, y in
      guard let context else { return nil }
      do { try f(HostCall(x: x, y: y, types: unsafeDowncast(context, to: HostCall.Known.self))) } catch {
        return HostFailure(.callback, "\(error)", thrown: error)
      }
      return nil
    })
  }

  private static func forward(_ name: String, _ f: DerivativeRule?) -> HostRule.Forward? {
    f.map { f in { t, x, y, dx in ask(name, t, f, x, y, t.instantiated(dx, like: x), y.count) } }
  }
  private static func backward(_ name: String, _ f: DerivativeRule?) -> HostRule.Backward? {
    f.map { f in { t, x, y, ct, _ in ask(name, t, f, x, y, t.instantiated(ct, like: y), x.count) } }
  }
  private static func ask(_ name: String, _ t: CoreTape, _ f: DerivativeRule, _ x: [NodeID], _ y: [NodeID], _ d: [NodeID], _ count: Int) -> [NodeID?] {
    let tape = Tape(t), none = [NodeID?](repeating: nil, count: count)
    do {
      let r = try f(x.map(tape.node), y.map(tape.node), d.map { $0.isNone ? nil : tape.node($0) })
      guard r.count == count else {
        t.fail(.invalid, "\(name): its rule gives \(r.count) results, not \(count)")
        return none
      }
      return r.map { $0.map(tape.id) }
    } catch {
      thrown.withLock { $0[thread] = error }
      t.failure = Failure(.callback, "\(name): \(error)")
      return none
    }
  }
}
