import CKernels
package import Tape

/// One first-order method: its options, the arrays it keeps for a parameter, and the update as nodes. (init / step / state: a second-order
/// method keeps other arrays and adds inputs.)
package protocol Method {
  var name: String { get }
  var defaults: [(String, Double)] { get }
  /// Names of the state arrays of one parameter, of its shape.
  func state(_ options: Options) -> [String]
  /// Scalars that change with the step (1, 2, …), in the order `update` reads them.
  func scalars(_ options: Options, step: Int64, rate: Double, into s: UnsafePointer<UnsafeMutablePointer<Double>>)
  func scalarCount(_ options: Options) -> Int
  /// New parameter and new state from parameter, gradient, state and the scalars (already of the parameter's type).
  func update(_ t: Tape, _ o: Options, p: NodeID, g: NodeID, state: [NodeID], scalars: [NodeID]) -> (NodeID, [NodeID])
}

package struct Options {
  package private(set) var values: [(name: String, value: Double)]
  package init(_ v: [(String, Double)]) { values = v.map { (name: $0.0, value: $0.1) } }
  package subscript(_ name: String) -> Double { values.first { $0.name == name }?.value ?? 0 }
  package mutating func set(_ name: String, _ value: Double) -> Bool {
    guard let i = values.firstIndex(where: { $0.name == name }) else { return false }
    values[i].value = value
    return true
  }
  package var names: String { values.map(\.name).joined(separator: ", ") }
}

package let methods: [any Method] = [SGD(), Adam(decoupled: false), Adam(decoupled: true)]

/// Gradient descent with momentum as PyTorch writes it: b = momentum b + g; p -= rate b, or with Nesterov rate (g + momentum b).
struct SGD: Method {
  let name = "sgd"
  let defaults = [("learning_rate", 1e-2), ("momentum", 0), ("nesterov", 0), ("weight_decay", 0)]
  func state(_ o: Options) -> [String] { o["momentum"] == 0 ? [] : ["momentum"] }
  func scalarCount(_ o: Options) -> Int { 1 }
  func scalars(_ o: Options, step: Int64, rate: Double, into s: UnsafePointer<UnsafeMutablePointer<Double>>) { s[0].pointee = rate }

  func update(_ t: Tape, _ o: Options, p: NodeID, g: NodeID, state: [NodeID], scalars: [NodeID]) -> (NodeID, [NodeID]) {
    let d = o["weight_decay"] == 0 ? g : t.add(g, t.scale(p, o["weight_decay"]))
    guard let b = state.first else { return (t.sub(p, t.mul(scalars[0], d)), []) }
    let m = t.add(t.scale(b, o["momentum"]), d)
    let direction = o["nesterov"] != 0 ? t.add(d, t.scale(m, o["momentum"])) : m
    return (t.sub(p, t.mul(scalars[0], direction)), [m])
  }
}

/// Adam (Kingma & Ba 2015, alg. 1) and AdamW (Loshchilov & Hutter 2019, alg. 2, with the decay scaled by the rate).
struct Adam: Method {
  let decoupled: Bool
  var name: String { decoupled ? "adamw" : "adam" }
  var defaults: [(String, Double)] {
    [("learning_rate", 1e-3), ("beta1", 0.9), ("beta2", 0.999), ("epsilon", 1e-8), ("weight_decay", decoupled ? 1e-2 : 0)]
  }
  func state(_ o: Options) -> [String] { ["m", "v"] }
  func scalarCount(_ o: Options) -> Int { 3 }
  /// rate / (1 - beta1^t), 1 / sqrt(1 - beta2^t), 1 - rate * decay.
  func scalars(_ o: Options, step: Int64, rate: Double, into s: UnsafePointer<UnsafeMutablePointer<Double>>) {
    var b1 = 1.0, b2 = 1.0, x1 = o["beta1"], x2 = o["beta2"], k = step
    while k > 0 {
      if k & 1 == 1 { b1 *= x1; b2 *= x2 }
      x1 *= x1
      x2 *= x2
      k >>= 1
    }
    s[0].pointee = rate / (1 - b1)
    s[1].pointee = 1 / (1 - b2).squareRoot()
    s[2].pointee = 1 - rate * o["weight_decay"]
  }

  func update(_ t: Tape, _ o: Options, p: NodeID, g: NodeID, state: [NodeID], scalars: [NodeID]) -> (NodeID, [NodeID]) {
    let d = decoupled || o["weight_decay"] == 0 ? g : t.add(g, t.scale(p, o["weight_decay"]))
    let m = t.add(t.scale(state[0], o["beta1"]), t.scale(d, 1 - o["beta1"]))
    let v = t.add(t.scale(state[1], o["beta2"]), t.scale(t.unary(.square, d), 1 - o["beta2"]))
    let spread = t.add(t.mul(t.unary(.sqrt, v), scalars[1]), t.like(v, o["epsilon"]))
    let move = t.mul(scalars[0], t.div(m, spread))
    let kept = decoupled ? t.mul(p, scalars[2]) : p
    return (t.sub(kept, move), [m, v])
  }
}
