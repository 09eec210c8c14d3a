import CKernels
import Runtime
package import Tape

/// What is solved, compiled once: the variables are one flat vector of f64 on the tape, so that there is one gradient, one Jacobian and no conversion at run time.
final class Problem {
  /// Programs of a solve: the point (value and gradient, or residuals), then products at it.
  enum Wanted { case gradient, hessian, jacobian, gaussNewton }

  let variables: [TensorType], data: [TensorType]
  /// Numbers of all variables, and of the residuals (1 of a value).
  let n: Int, m: Int
  private(set) var evaluations = 0, products = 0
  private let workspace: Workspace
  private var inputs: [UnsafeRawPointer?]

  init(_ t: Tape, _ name: String, _ outputs: [NodeID], _ variables: [NodeID], _ data: [NodeID], _ wanted: Wanted) throws(Failure) {
    func refuse(_ code: Code, _ s: String) -> Failure { Failure(code, "\(name): \(s)") }
    guard !variables.isEmpty else { throw refuse(.invalid, "there are no variables") }
    guard !outputs.isEmpty else { throw refuse(.invalid, "there are no residuals") }
    for (i, v) in (variables + data + outputs).enumerated() where !t.contains(v) {
      let k = i - variables.count, o = k - data.count
      throw refuse(.node, "\(k < 0 ? "variable \(i)" : o < 0 ? "data \(k)" : "output \(o)") is no node of this tape")
    }
    for (i, v) in variables.enumerated() where t.dtype(v) != .f64 && t.dtype(v) != .f32 {
      throw refuse(.dtype, "variable \(i) is \(t.type(v).description); variables are f64 or f32")
    }
    for (i, y) in outputs.enumerated() where !t.dtype(y).isFloat { throw refuse(.dtype, "output \(i) is \(t.type(y).description); a float is wanted") }
    if wanted == .gradient || wanted == .hessian {
      guard outputs.count == 1, t.shape(outputs[0]).isEmpty else { throw refuse(.shape, "the output is \(t.type(outputs[0]).description), not a scalar; sum it, or use least_squares") }
    }
    self.variables = variables.map { t.type($0) }
    self.data = data.map { t.type($0) }
    n = self.variables.reduce(0) { $0 &+ $1.count }
    m = outputs.reduce(0) { $0 &+ t.type($1).count }
    let flat = t.input(TensorType(.f64, [n]))
    var start = 0, own: [NodeID] = []
    for v in self.variables {
      own.append(t.cast(t.reshape(t.slice(flat, axis: -1, start: start, count: v.count), v.shape), v.dtype))
      start += v.count
    }
    let seen = t.substitute(outputs, variables, own).map { t.cast($0, .f64) }
    let y = wanted == .gradient || wanted == .hessian ? seen[0] : t.concat(seen.map { t.reshape($0, [t.type($0).count]) }, axis: -1)
    if let f = t.failure { throw f }
    var stages: [(inputs: [NodeID], outputs: [NodeID])] = [([flat] + data, [y])]
    switch wanted {
    case .gradient: stages[0].outputs += t.grad(y, [flat])
    case .hessian:
      let v = t.input(t.type(flat))
      stages[0].outputs += t.grad(y, [flat])
      stages.append(([v], t.hvp(y, [flat], [v])))
    case .jacobian: stages.append(([], t.jacobian([y], [flat], mode: .auto)))
    case .gaussNewton:
      let v = t.input(t.type(flat)), u = t.input(t.type(y))
      stages.append(([v], t.jvp([y], [flat], [v])))
      stages.append(([u], t.vjp([y], [u], [flat])))
    }
    if let f = t.failure { throw f }
    let simple = t.simplify(stages.flatMap(\.outputs))
    if let f = t.failure { throw f }
    var k = 0
    for s in stages.indices {
      let count = stages[s].outputs.count
      stages[s].outputs = Array(simple[k ..< k + count])
      k += count
    }
    workspace = try Workspace(try Program(t, stages: stages))
    inputs = [UnsafeRawPointer?](repeating: nil, count: 1 + data.count)
  }

  func begin(_ data: [UnsafeRawPointer?]) {
    for (i, p) in data.enumerated() { inputs[1 + i] = p }
    (evaluations, products) = (0, 0)
  }

  /// Value and gradient, or the residuals, at x.
  func evaluate(_ x: Vector, _ y: Vector, _ gradient: Vector? = nil) throws(Failure) {
    evaluations += 1
    inputs[0] = UnsafeRawPointer(x)
    var out: [UnsafeMutableRawPointer?] = [UnsafeMutableRawPointer(y)]
    if let gradient { out.append(UnsafeMutableRawPointer(gradient)) }
    try run(0, inputs, out)
  }
  /// At the point of the last evaluation: H v, J v; then Jᵀ u; or J itself.
  func product(_ v: Vector, _ w: Vector) throws(Failure) {
    products += 1
    try run(1, [UnsafeRawPointer(v)], [UnsafeMutableRawPointer(w)])
  }
  func transposed(_ u: Vector, _ w: Vector) throws(Failure) { try run(2, [UnsafeRawPointer(u)], [UnsafeMutableRawPointer(w)]) }
  func jacobian(_ j: Vector) throws(Failure) { try run(1, [nil], [UnsafeMutableRawPointer(j)]) }

  private func run(_ stage: Int, _ x: [UnsafeRawPointer?], _ y: [UnsafeMutableRawPointer?]) throws(Failure) {
    let code = x.withUnsafeBufferPointer { x in
      y.withUnsafeBufferPointer { y in
        x.baseAddress.flatMap { a in y.baseAddress.map { workspace.run(stage: stage, inputs: a, outputs: $0) } } ?? .invalid
      }
    }
    if code.rawValue < 0 { throw Failure(code, workspace.message) }
  }
}
