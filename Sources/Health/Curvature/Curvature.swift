import CKernels
import Runtime
package import Tape

/// A symmetric matrix by its products.
class Operator {
  let n: Int
  init(_ n: Int) { self.n = n }
  func apply(_ v: Vector, _ w: Vector) throws(Failure) { throw Failure(.invalid, "curvature: no product") }
  /// w[i] = A v[i] for `count` rows.
  func apply(_ v: Lines, _ w: Lines, _ count: Int) throws(Failure) { for i in 0 ..< count { try apply(v[i], w[i]) } }
}

/// The Hessian of a scalar at a point by its exact products, and figures of it with intervals. NUMERICS: forward over reverse; probes run as a batch.
package final class Curvature {
  package let variables: [TensorType], data: [TensorType], n: Int
  package let tape: Tape
  let output: NodeID, x: [NodeID], known: [NodeID]
  package private(set) var value = Double.nan
  private(set) var isSet = false
  package private(set) var products = 0
  private let workspace: Workspace
  private let width: Int
  private let wide: Lines, wideOut: Lines
  let gradient: Lines, point: Lines
  /// The host's arrays of the point, copied.
  private(set) var held: [UnsafeMutableRawPointer] = []
  private let heldBytes: [Int]
  package private(set) var options: [(name: String, value: Double)] = [("seed", 0), ("probes", 60), ("steps", 60), ("confidence", 0.95), ("dense", 256), ("damping", 0), ("top", 3), ("smoothing", 0.02)]
  /// Figures of this point, as they were asked for.
  var cache: [(name: String, figure: Figure)] = []
  var dense: Dense?
  private(set) var approximations: [Approximation] = []
  private var mover: Mover?

  package init(_ t: Tape, _ output: NodeID, _ variables: [NodeID], _ data: [NodeID]) throws(Failure) {
    func refuse(_ code: Code, _ s: String) -> Failure { Failure(code, "curvature: \(s)") }
    guard !variables.isEmpty else { throw refuse(.invalid, "there are no variables") }
    guard t.contains(output) else { throw refuse(.node, "the output is no node of this tape") }
    for (i, v) in (variables + data).enumerated() where !t.contains(v) {
      throw refuse(.node, i < variables.count ? "variable \(i) is no node of this tape" : "data \(i - variables.count) is no node of this tape")
    }
    guard t.dtype(output).isFloat, t.shape(output).isEmpty else { throw refuse(.shape, "the output is \(t.type(output).description), not a float scalar; sum it") }
    for (i, v) in variables.enumerated() where !t.dtype(v).isFloat { throw refuse(.dtype, "variable \(i) is \(t.type(v).description); a float is wanted") }
    (tape, self.output, x, known) = (t, output, variables, data)
    self.variables = variables.map { t.type($0) }
    self.data = data.map { t.type($0) }
    n = self.variables.reduce(0) { $0 &+ $1.count }
    width = n == 0 ? 1 : n > 1 << 18 ? 1 : min(8, n)
    let g = t.grad(output, variables), v = t.input(TensorType(.f64, [n])), many = t.input(TensorType(.f64, [width, n]))
    let h = flat(t, t.hvp(output, variables, pieces(t, v, self.variables)))
    if let f = t.failure { throw f }
    let hs = width == 1 ? t.reshape(h, [1, n]) : t.batch([h], [v], [many], size: width)[0]
    let first = [t.cast(output, .f64), flat(t, g), flat(t, variables)]
    if let f = t.failure { throw f }
    let simple = t.simplify(first + [h, hs])
    if let f = t.failure { throw f }
    let program = try Program(t, stages: [(variables + data, Array(simple[..<3])), ([v], [simple[3]])] + (width == 1 ? [] : [([many], [simple[4]])]))
    workspace = try Workspace(program)
    wide = try Lines(width, n)
    wideOut = try Lines(width, n)
    gradient = try Lines(1, n)
    point = try Lines(1, n)
    heldBytes = (self.variables + self.data).map { $0.count * $0.dtype.size }
    for b in heldBytes {
      guard let p = ck_alloc(max(b, 8)) else { throw refuse(.memory, "\(b) bytes for the point were refused") }
      held.append(p)
    }
  }
  deinit { for p in held { ck_free(p) } }

  package func set(_ option: String, _ value: Double) -> Failure? {
    guard let i = options.firstIndex(where: { $0.name == option }) else {
      return Failure(.invalid, "curvature: no option \"\(option)\"; it has \(options.map(\.name).joined(separator: ", "))")
    }
    guard value.isFinite, value >= 0, value < 1e15 else { return Failure(.invalid, "curvature: \(option) = \(value) is not a finite number >= 0") }
    if option == "confidence", value <= 0 || value >= 1 { return Failure(.invalid, "curvature: confidence \(value) does not lie between 0 and 1") }
    if option == "probes" || option == "steps" || option == "top", value < (option == "probes" ? 6 : option == "steps" ? 2 : 1) || value > 1e6 {
      return Failure(.invalid, "curvature: \(option) = \(value); at least \(option == "probes" ? 6 : option == "steps" ? 2 : 1) and at most 1000000 are taken")
    }
    if option == "dense", value > 4096 { return Failure(.invalid, "curvature: dense = \(value); matrices of at most 4096 rows are formed") }
    options[i].value = value
    forget()
    return nil
  }
  func option(_ name: String) -> Double { options.first { $0.name == name }?.value ?? 0 }
  var seed: Probes { Probes(seed: Int(option("seed"))) }
  var level: Double { option("confidence") }
  /// Whether figures come from the whole matrix.
  var isDense: Bool { n <= Int(option("dense")) }
  /// The working precision of the products: the narrowest variable's.
  var unit: Double { variables.reduce(0x1p-53) { max($0, Format($1.dtype)?.unit ?? 0x1p-53) } }

  private func forget() {
    cache = []
    dense = nil
    for a in approximations { a.forget() }
  }

  /// The point: an array a variable and a data; copied. What is asked afterwards is asked there.
  package func at(_ arrays: [UnsafeRawPointer?]) throws(Failure) {
    for (i, p) in arrays.enumerated() where p == nil && heldBytes[i] > 0 {
      throw Failure(.invalid, i < variables.count ? "curvature: variable \(i) is NULL" : "curvature: data \(i - variables.count) is NULL")
    }
    isSet = false
    forget()
    products = 0
    for (i, p) in arrays.enumerated() { if let p { held[i].copyMemory(from: p, byteCount: heldBytes[i]) } }
    var y = 0.0
    try withUnsafeMutablePointer(to: &y) { (y) throws(Failure) in
      try run(workspace, 0, held.map { UnsafeRawPointer($0) }, [UnsafeMutableRawPointer(y), UnsafeMutableRawPointer(gradient.p), UnsafeMutableRawPointer(point.p)])
    }
    value = y
    isSet = true
  }
  package func copyGradient(_ g: UnsafeMutablePointer<Double>) throws(Failure) {
    try ready()
    g.update(from: gradient.p, count: n)
  }
  func ready() throws(Failure) { if !isSet { throw Failure(.invalid, "curvature: no point was set; camber_curvature_at does") } }

  /// w = H v, exact up to rounding.
  package func product(_ v: UnsafeMutablePointer<Double>, _ w: UnsafeMutablePointer<Double>) throws(Failure) {
    try ready()
    products += 1
    try run(workspace, 1, [UnsafeRawPointer(v)], [UnsafeMutableRawPointer(w)])
  }
  func product(_ v: Lines, _ w: Lines, _ count: Int) throws(Failure) {
    try ready()
    var k = 0
    while k < count {
      let m = min(width, count - k)
      if m == 1 || width == 1 { try product(v[k], w[k]) } else {
        wide.p.update(repeating: 0, count: width * n)
        copy(v[k], wide.p, m * n)
        try run(workspace, 2, [UnsafeRawPointer(wide.p)], [UnsafeMutableRawPointer(wideOut.p)])
        copy(wideOut.p, w[k], m * n)
        products += m
      }
      k += width == 1 ? 1 : m
    }
  }
  /// The Hessian as an operator.
  final class Exact: Operator {
    unowned let c: Curvature
    init(_ c: Curvature) {
      self.c = c
      super.init(c.n)
    }
    override func apply(_ v: Vector, _ w: Vector) throws(Failure) { try c.product(v, w) }
    override func apply(_ v: Lines, _ w: Lines, _ count: Int) throws(Failure) { try c.product(v, w, count) }
  }
  var hessian: Operator { Exact(self) }

  func keep(_ a: Approximation) throws(Failure) {
    guard !a.name.isEmpty else { throw Failure(.invalid, "curvature: an approximation without a name") }
    guard !approximations.contains(where: { $0.name == a.name }) else { throw Failure(.invalid, "curvature: there is an approximation \"\(a.name)\" already") }
    approximations.append(a)
  }
  package var approximationNames: [String] { approximations.map(\.name) }
  func approximation(_ name: String) throws(Failure) -> Approximation {
    guard let a = approximations.first(where: { $0.name == name }) else {
      throw Failure(.invalid, "curvature: no approximation \"\(name)\"; there \(approximations.isEmpty ? "are none" : "are " + approximations.map(\.name).joined(separator: ", "))")
    }
    return a
  }

  /// Value and gradient at another point (f64; rounded to the variables' dtypes).
  func moved(_ x: Vector, _ g: Vector?) throws(Failure) -> Double {
    if mover == nil { mover = try Mover(self) }
    return try mover.unsafelyUnwrapped.run(x, g, held.dropFirst(variables.count).map { UnsafeRawPointer($0) })
  }
}

/// One vector of f64 as the variables, and back.
func pieces(_ t: Tape, _ v: NodeID, _ types: [TensorType]) -> [NodeID] {
  var start = 0
  return types.map { type in
    defer { start += type.count }
    return t.cast(t.reshape(t.slice(v, axis: -1, start: start, count: type.count), type.shape), type.dtype)
  }
}
func flat(_ t: Tape, _ v: [NodeID]) -> NodeID { t.chained(v.map { t.reshape(t.cast($0, .f64), [t.contains($0) ? t.type($0).count : 0]) }, axis: -1) }

func run(_ w: Workspace, _ stage: Int, _ x: [UnsafeRawPointer?], _ y: [UnsafeMutableRawPointer?]) throws(Failure) {
  let code = x.withUnsafeBufferPointer { x in
    y.withUnsafeBufferPointer { y in x.baseAddress.flatMap { a in y.baseAddress.map { w.run(stage: stage, inputs: a, outputs: $0) } } ?? .invalid }
  }
  if code.rawValue < 0 { throw Failure(code, w.message) }
}

/// The function as one of a flat point.
private final class Mover {
  private let workspace: Workspace, n: Int, scratch: Lines
  init(_ c: Curvature) throws(Failure) {
    let t = c.tape, v = t.input(TensorType(.f64, [c.n])), own = pieces(t, v, c.variables)
    let y = t.substitute([c.output], c.x, own)[0]
    // Differences of the gradient are those of what runs, rounding of the point to its dtype included: by the pieces, not by v.
    let g = t.failure == nil ? flat(t, t.grad(y, own)) : .none
    let out = t.failure == nil ? t.simplify([t.cast(y, .f64), g]) : []
    if let f = t.failure { throw f }
    workspace = try Workspace(try Program(t, inputs: [v] + c.known, outputs: out))
    n = c.n
    scratch = try Lines(1, n)
  }
  func run(_ x: Vector, _ g: Vector?, _ data: [UnsafeRawPointer?]) throws(Failure) -> Double {
    var y = 0.0
    let out = g ?? scratch.p
    try withUnsafeMutablePointer(to: &y) { (y) throws(Failure) in
      try Health.run(workspace, 0, [UnsafeRawPointer(x)] + data, [UnsafeMutableRawPointer(y), UnsafeMutableRawPointer(out)])
    }
    return y
  }
}

/// Approximations as hosts add them. Arrays are copied.
extension Curvature {
  package func addDiagonal(_ name: String, _ d: UnsafePointer<Double>?) throws(Failure) { try keep(try DiagonalApproximation(name, self, d)) }
  package func addMatrix(_ name: String, _ b: UnsafePointer<Double>) throws(Failure) { try keep(try MatrixApproximation(name, self, b)) }
  package func addProduct(_ name: String, _ f: @escaping (UnsafePointer<Double>, UnsafeMutablePointer<Double>) -> Failure?) throws(Failure) { try keep(CallbackApproximation(name, self, f)) }
  package func addDifferences(_ name: String, _ kind: String) throws(Failure) {
    guard kind == "forward" || kind == "central" else { throw Failure(.invalid, "curvature: differences \"\(kind)\"; there are forward, central") }
    try keep(try DifferencesApproximation(name, self, central: kind == "central"))
  }
  package func addPairs(_ name: String, _ kind: String, _ s: UnsafePointer<Double>, _ y: UnsafePointer<Double>, _ count: Int, memory: Int, noise: Double) throws(Failure) {
    let k: SecantApproximation.Kind
    switch kind {
    case "bfgs": k = .bfgs
    case "lbfgs": k = .lbfgs
    case "sr1": k = .sr1
    default: throw Failure(.invalid, "curvature: secant \"\(kind)\"; there are bfgs, lbfgs, sr1")
    }
    try keep(try SecantApproximation(name, self, k, s, y, count, memory: memory, noise: noise))
  }
  /// `family` of the Fisher kinds; nil: empirical.
  private func family(_ name: String) throws(Failure) -> Family? {
    if name == "empirical" { return nil }
    guard let f = Family(rawValue: name) else { throw Failure(.invalid, "curvature: no family \"\(name)\"; there are \(Family.names), empirical") }
    return f
  }
  private func usable(_ nodes: [NodeID]) throws(Failure) {
    guard !nodes.isEmpty else { throw Failure(.invalid, "curvature: a model without outputs") }
    for (i, z) in nodes.enumerated() {
      guard tape.contains(z) else { throw Failure(.node, "curvature: model output \(i) is no node of this tape") }
      guard tape.dtype(z).isFloat else { throw Failure(.dtype, "curvature: model output \(i) is \(tape.type(z).description); a float is wanted") }
    }
  }
  package func addGaussNewton(_ name: String, _ z: [NodeID]) throws(Failure) {
    try usable(z)
    try keep(try ModelApproximation(name, self, "gauss-newton", z, nil, scale: 0))
  }
  package func addFisher(_ name: String, _ z: [NodeID], _ familyName: String, scale: Double) throws(Failure) {
    try usable(z)
    let f = try family(familyName)
    if f == .categorical, let i = z.indices.first(where: { tape.shape(z[$0]).isEmpty }) { throw Failure(.shape, "curvature: model output \(i) is a scalar; categorical needs classes along the last axis") }
    try keep(try ModelApproximation(name, self, f == nil ? "empirical-fisher" : "fisher", z, f, scale: scale))
  }
  package func addKFAC(_ name: String, weights: [Int], biases: [Int], inputs: [NodeID], outputs: [NodeID], _ z: NodeID, _ familyName: String, scale: Double) throws(Failure) {
    let f = try family(familyName)
    if f != nil { try usable([z]) }
    guard !weights.isEmpty else { throw Failure(.invalid, "kfac: there are no layers") }
    try keep(try KroneckerApproximation(name, self, weights.indices.map { .init(weight: weights[$0], bias: biases[$0], input: inputs[$0], output: outputs[$0]) }, z, f, scale: scale))
  }
}
