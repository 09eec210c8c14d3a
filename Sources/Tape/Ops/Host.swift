import CKernels
import Synchronization

/// The host's own: functions that it computes (`host`), and derivatives that it gives (`custom`). Both are tuples read by `part`.
///
/// `host`: operands, then results of any types. attrs: [function, token, batch, a flag an operand]. The token keeps calls apart that
/// are not pure. batch >= 0: so many instances; operands with a flag have one each along a leading axis, and so have all results.
///
/// `custom`: operands are the inputs x, what a recorded function captured, and the outputs y that it computed from both. Member k has
/// the value of y[k] and the derivatives of the rule. attrs: [rule, x's, captured, then for each batching: size, a flag an x].
func hostRow(_ s: Structural) -> Row {
  s == .host
    ? Row(name: "host_call", infer: { _, _ in .fail(.invalid, "is built by camber_host_call") }, derivative: .loop) { _ in "host_call: has no kernel" }
    : Row(name: "custom", infer: { _, _ in .fail(.invalid, "is built by camber_custom") }, derivative: .loop) { _ in "custom: has no kernel" }
}

/// What a host's function said when it failed; `thrown` is the error of a host that throws.
package struct HostFailure: Error {
  package let code: Code
  package let message: String
  package let thrown: (any Error)?
  package init(_ code: Code, _ message: String, thrown: (any Error)? = nil) {
    self.code = code
    self.message = message
    self.thrown = thrown
  }
}

package typealias HostInputs = UnsafePointer<UnsafeRawPointer?>
package typealias HostOutputs = UnsafePointer<UnsafeMutableRawPointer?>

/// A function that the host computes.
package final class HostFunction: @unchecked Sendable {
  package let name: String
  /// Equal calls are one.
  package let isPure: Bool
  /// A batch is one call, not one an instance.
  package let takesBatches: Bool
  /// What the calls of one step of a workspace need, so that a call allocates nothing; its last two: instances in a batch (-1: none),
  /// and the operands that have one each.
  package let prepare: (_ x: [TensorType], _ y: [TensorType], _ batch: Int, _ flags: [Bool]) -> AnyObject?
  package let call: (_ context: AnyObject?, _ x: HostInputs, _ y: HostOutputs) -> HostFailure?

  package init(_ name: String, pure: Bool = false, takesBatches: Bool = false, prepare: @escaping ([TensorType], [TensorType], Int, [Bool]) -> AnyObject? = { _, _, _, _ in nil },
               call: @escaping (AnyObject?, HostInputs, HostOutputs) -> HostFailure?) {
    self.name = name
    isPure = pure
    self.takesBatches = takesBatches
    self.prepare = prepare
    self.call = call
  }
}

/// Places that may be nonzero in the derivative of an output (row: its element) in an input (column).
package struct HostPattern {
  package var rows: [Int64], columns: [Int64]
  package init(rows: [Int64], columns: [Int64]) {
    self.rows = rows
    self.columns = columns
  }
}

/// A call as a step of one workspace.
package final class HostStep {
  private let function: HostFunction
  private let context: AnyObject?
  /// Instances to loop over, -1: one call.
  private let count: Int
  private let pointers: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let steps: [Int], inputs: Int

  package init(_ f: HostFunction, _ x: [TensorType], _ y: [TensorType], batch: Int, _ flags: [Bool]) {
    function = f
    inputs = x.count
    count = f.takesBatches ? -1 : batch
    func each(_ t: TensorType) -> TensorType { TensorType(t.dtype, Array(t.shape.dropFirst())) }
    let one = count < 0 ? (x, y) : (zip(x, flags).map { $1 ? each($0) : $0 }, y.map(each))
    steps = zip(one.0, flags).map { $1 ? $0.bytes : 0 } + one.1.map(\.bytes)
    context = f.prepare(one.0, one.1, f.takesBatches ? batch : -1, flags)
    pointers = .allocate(capacity: x.count + y.count + 1)
    pointers.initialize(repeating: nil, count: x.count + y.count + 1)
  }
  deinit { pointers.deallocate() }

  package func run(_ x: HostInputs, _ y: HostOutputs) -> HostFailure? {
    if count < 0 { return function.call(context, x, y) }
    for k in 0 ..< inputs { pointers[k] = UnsafeMutableRawPointer(mutating: x[k]) }
    for k in inputs ..< steps.count { pointers[k] = y[k - inputs] }
    for i in 0 ..< count {
      if let f = function.call(context, UnsafeRawPointer(pointers).assumingMemoryBound(to: UnsafeRawPointer?.self), UnsafePointer(pointers + inputs)) {
        return HostFailure(f.code, "instance \(i): \(f.message)", thrown: f.thrown)
      }
      for k in 0 ..< steps.count { pointers[k] = pointers[k].map { $0 + steps[k] } }
    }
    return nil
  }
}

package struct HostShape {
  package let function: HostFunction
  package let batch: Int
  package let flags: [Bool]
}

private let tokens = Atomic<Int>(1)

extension Tape {
  /// The name of what a node computes: the host's own by the host's name.
  package func name(of n: NodeID) -> String {
    switch structural(n) {
    case .host: hostShape(n).function.name
    case .custom: rules[attrs(n)[0]].name
    default: op(n).name
    }
  }
  package func hostShape(_ n: NodeID) -> HostShape {
    let a = attrs(n)
    return HostShape(function: functions[a[0]], batch: a[2], flags: a[3...].map { $0 != 0 })
  }

  /// A call of the host's function; its results. The operands are nodes.
  package func hostCall(_ f: HostFunction, _ x: [NodeID], _ results: [TensorType]) -> [NodeID] {
    let token = f.isPure ? 0 : tokens.wrappingAdd(1, ordering: .relaxed).oldValue
    return parts(hostCall(f, x, results, [token, -1] + x.map { _ in 0 }), results.count)
  }

  func hostCall(_ f: HostFunction, _ x: [NodeID], _ results: [TensorType], _ rest: [Int]) -> NodeID {
    guard failure == nil else { return .none }
    return add(OpCode(.host), x, type: tupleType(results.map { intern($0) }), attrs: [number(f)] + rest)
  }

  /// The members of a tuple, or as many times none.
  func parts(_ tuple: NodeID, _ count: Int) -> [NodeID] { contains(tuple) ? parts(tuple) : [NodeID](repeating: .none, count: count) }

  private func number(_ f: HostFunction) -> Int {
    if let i = functionIndex[ObjectIdentifier(f)] { return i }
    functionIndex[ObjectIdentifier(f)] = functions.count
    functions.append(f)
    return functions.count - 1
  }

  /// A call for a batch; batches of batches are one long batch. Members of the result, or nil where memory was refused.
  func hostBatch(_ n: NodeID, _ operands: [NodeID?], size: Int) -> [NodeID]? {
    let a = attrs(n), x = inputs(n), h = hostShape(n), had = h.batch >= 0, old = had ? h.batch : 1
    guard let total = TensorType(.bool, checking: [size, old])?.count else {
      fail(.memory, "\(h.function.name): a batch of \(size) times \(old) is too large")
      return nil
    }
    var given: [NodeID] = [], flags: [Int] = []
    for (i, o) in operands.enumerated() {
      let inner = had && h.flags[i], shape = Array(self.shape(x[i]).dropFirst(inner ? 1 : 0))
      guard inner || o != nil else {
        given.append(x[i])
        flags.append(0)
        continue
      }
      var w = o ?? x[i]
      if had {
        let lead = [o == nil ? 1 : size, inner ? old : 1]
        w = reshape(broadcast(reshape(w, lead + shape), to: [size, old] + shape), [total] + shape)
      }
      given.append(w)
      flags.append(1)
    }
    var wide: [TensorType] = []
    for m in tupleMembers(n) {
      guard let t = TensorType(m.dtype, checking: [total] + m.shape.dropFirst(had ? 1 : 0)) else {
        fail(.memory, "\(h.function.name): a batch of \(total) results \(m.description) is too large")
        return nil
      }
      wide.append(t)
    }
    let y = hostCall(h.function, given, wide, [a[1], total] + flags)
    guard contains(y) else { return nil }
    return parts(y).map { had ? reshape($0, [size, old] + shape($0).dropFirst()) : $0 }
  }

  /// The first of what `outputs` need that is the host's own and no file can hold: a sentence; nil where there is none. (What a loop's
  /// body holds is asked of its tape.)
  package func hostsOwn(_ outputs: [NodeID]) -> String? {
    guard !functions.isEmpty || !rules.isEmpty || !bodies.isEmpty, let nodes = order(outputs) else { return nil }
    for k in 0 ..< nodes.count {
      let n = nodes[k]
      switch structural(n) {
      case .host: return "\(hostShape(n).function.name) is a function of the host's own"
      case .custom: if !rules[attrs(n)[0]].isPortable { return "\(rules[attrs(n)[0]].name) has a derivative that is a function of the host's own" }
      default: for b in bodies(of: n) { if let s = b.tape.hostsOwn(b.outputs) { return s } }
      }
    }
    return nil
  }
}
