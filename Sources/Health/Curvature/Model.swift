import Runtime
import Tape

/// Distributions of a model's outputs z: what the Fisher information of each example is in z.
enum Family: String {
  case gaussian, bernoulli, categorical, poisson
  static let names = "gaussian, bernoulli, categorical, poisson"

  /// F_z u, at z; the last axis are classes (categorical).
  func information(_ t: Tape, _ z: NodeID, _ u: NodeID) -> NodeID {
    switch self {
    case .gaussian: return u
    case .poisson: return t.mul(t.unary(.exp, z), u)
    case .bernoulli:
      let p = t.unary(.sigmoid, z)
      return t.mul(t.sub(p, t.mul(p, p)), u)
    case .categorical:
      let p = t.unary(.exp, t.logSoftmax(z, axis: -1)), pu = t.mul(p, u)
      return t.sub(pu, t.mul(p, t.spread(t.reduce(.sum, pu, axes: [-1], keep: false), over: z, [-1])))
    }
  }
  /// Column `unit` (one over the last axis of a categorical z; ones elsewhere) of a factor of F_z.
  func factor(_ t: Tape, _ z: NodeID, _ unit: NodeID) -> NodeID {
    switch self {
    case .gaussian: return unit
    case .poisson: return t.mul(t.unary(.exp, t.scale(z, 0.5)), unit)
    case .bernoulli:
      let p = t.unary(.sigmoid, z)
      return t.mul(t.unary(.sqrt, t.sub(p, t.mul(p, p))), unit)
    case .categorical:
      let p = t.unary(.exp, t.logSoftmax(z, axis: -1)), pu = t.mul(p, unit), root = t.unary(.sqrt, t.reduce(.sum, pu, axes: [-1], keep: false))
      return t.mul(t.spread(root, over: z, [-1]), t.sub(unit, p))
    }
  }
}

/// Products that are nodes: Jᵀ (...) J v. Gauss-Newton J_zᵀ H_z J_z with H_z the output's own Hessian in z; the Fisher information; the empirical one of per-example losses.
final class ModelApproximation: Approximation {
  private let workspace: Workspace
  private var isReady = false
  /// kind: "gauss-newton", "fisher", "empirical-fisher".
  init(_ name: String, _ c: Curvature, _ kind: String, _ z: [NodeID], _ family: Family?, scale: Double) throws(Failure) {
    let t = c.tape, v = t.input(TensorType(.f64, [c.n])), dx = pieces(t, v, c.variables)
    let dz = t.jvp(z, c.x, dx), u: [NodeID]
    if let f = t.failure { throw f }
    switch kind {
    case "gauss-newton": u = t.hvp(c.output, z, dz)
    case "empirical-fisher":
      let w = t.grad(c.output, z)
      if let f = t.failure { throw f }
      u = zip(w, dz).map { t.mul($0, $1) }
    default:
      let examples = z.isEmpty || t.shape(z[0]).isEmpty ? 1 : t.shape(z[0])[0]
      u = zip(z, dz).map { t.scale(family.unsafelyUnwrapped.information(t, $0, $1), scale > 0 ? scale : 1 / Double(max(examples, 1))) }
    }
    if let f = t.failure { throw f }
    let h = t.vjp(z, u, c.x)
    if let f = t.failure { throw f }
    let out = t.simplify([flat(t, h)])
    if let f = t.failure { throw f }
    workspace = try Workspace(try Program(t, stages: [(c.x + c.known, []), ([v], out)]))
    super.init(name, c)
  }
  override func forget() {
    super.forget()
    isReady = false
  }
  override func prepare() throws(Failure) {
    if isReady { return }
    try run(workspace, 0, c.held.map { UnsafeRawPointer($0) }, [nil])
    isReady = true
  }
  override func apply(_ v: Vector, _ w: Vector) throws(Failure) {
    try prepare()
    try run(workspace, 1, [UnsafeRawPointer(v)], [UnsafeMutableRawPointer(w)])
  }
}

/// Kronecker factors of the Fisher information of dense layers s = a W + b (Martens & Grosse 2015): A = mean of a aᵀ (a with a 1 where there is a bias), G = sum of weighted g gᵀ
/// over examples, of the model's own distribution, or of the losses as they are (empirical).
final class KroneckerApproximation: Approximation {
  struct Layer { var weight: Int, bias: Int, input: NodeID, output: NodeID }
  private let layers: [Layer]
  private let workspace: Workspace
  private let a: [Lines], g: [Lines]
  private var isReady = false
  private let starts: [Int]
  private let work: Lines

  init(_ name: String, _ c: Curvature, _ layers: [Layer], _ z: NodeID, _ family: Family?, scale: Double) throws(Failure) {
    let t = c.tape
    var out: [NodeID] = [], a: [Lines] = [], g: [Lines] = [], most = 0
    for (i, l) in layers.enumerated() {
      func refuse(_ s: String) -> Failure { Failure(.shape, "kfac: layer \(i): \(s)") }
      guard c.variables.indices.contains(l.weight), l.bias == -1 || c.variables.indices.contains(l.bias) else { throw Failure(.invalid, "kfac: layer \(i): weight \(l.weight), bias \(l.bias) of \(c.variables.count) variables (bias -1: none)") }
      guard t.contains(l.input), t.contains(l.output) else { throw Failure(.node, "kfac: layer \(i): its input or output is no node of this tape") }
      let x = t.shape(l.input), s = t.shape(l.output), w = c.variables[l.weight].shape
      guard x.count == 2, s.count == 2, x[0] == s[0], w == [x[1], s[1]] else {
        throw refuse("input \(t.type(l.input).description), output \(t.type(l.output).description), weight \(c.variables[l.weight].description); [examples, in], [examples, out] and [in, out] are wanted")
      }
      if l.bias >= 0, c.variables[l.bias].shape != [s[1]] { throw refuse("bias \(c.variables[l.bias].description) of \(s[1]) outputs") }
      let dtype = t.dtype(l.output), n = Double(max(x[0], 1))
      var rows = t.cast(l.input, dtype)
      if l.bias >= 0 { rows = t.concat([rows, t.full(TensorType(dtype, [x[0], 1]), 1)], axis: -1) }
      let k = x[1] + (l.bias >= 0 ? 1 : 0)
      out.append(t.cast(t.scale(t.matmul(rows, rows, true, false), 1 / n), .f64))
      let gg: NodeID
      if let family {
        let shape = t.shape(z), classes = shape.count > 1 ? shape[shape.count - 1] : 1
        guard shape.count >= 1, shape[0] == x[0] else { throw refuse("the model's outputs are \(t.type(z).description); \(x[0]) examples are wanted first") }
        let ct = t.input(t.type(z)), back = t.vjp([z], [ct], [l.output])
        if let f = t.failure { throw f }
        let index = TensorType(.i64, [classes] + shape)
        let one = shape.count > 1 ? t.cast(t.binary(.eq, t.iota(index, axis: -index.rank), t.iota(index, axis: -1)), t.dtype(z)) : t.full(index.with(t.dtype(z)), 1)
        let unit = t.input(t.type(z)), column = family.factor(t, z, unit)
        if let f = t.failure { throw f }
        let columns = t.batch([column], [unit], [one], size: classes)
        if let f = t.failure { throw f }
        let d = t.batch(back, [ct], columns, size: classes)
        if let f = t.failure { throw f }
        let all = t.reshape(d[0], [classes * s[0], s[1]])
        gg = t.scale(t.matmul(all, all, true, false), scale > 0 ? scale : 1 / n)
      } else {
        let d = t.grad(c.output, [l.output])
        if let f = t.failure { throw f }
        gg = t.scale(t.matmul(d[0], d[0], true, false), scale > 0 ? 1 / scale : n)
      }
      out.append(t.cast(gg, .f64))
      a.append(try Lines(k, k))
      g.append(try Lines(s[1], s[1]))
      most = max(most, k * s[1])
    }
    if let f = t.failure { throw f }
    workspace = try Workspace(try Program(t, inputs: c.x + c.known, outputs: out))
    (self.layers, self.a, self.g) = (layers, a, g)
    var at = 0
    starts = c.variables.map { type in
      defer { at += type.count }
      return at
    }
    work = try Lines(2, most)
    super.init(name, c)
  }
  override func forget() {
    super.forget()
    isReady = false
  }
  override func prepare() throws(Failure) {
    if isReady { return }
    var out: [UnsafeMutableRawPointer?] = []
    for i in layers.indices { out += [UnsafeMutableRawPointer(a[i].p), UnsafeMutableRawPointer(g[i].p)] }
    try run(workspace, 0, c.held.map { UnsafeRawPointer($0) }, out)
    isReady = true
  }
  /// A V G, layer by layer; what no layer names is left zero.
  override func apply(_ v: Vector, _ w: Vector) throws(Failure) {
    try prepare()
    w.update(repeating: 0, count: n)
    for (i, l) in layers.enumerated() {
      let m = a[i].n, q = g[i].n, own = l.bias >= 0 ? m - 1 : m, at = starts[l.weight], x = work[0], y = work[1]
      for r in 0 ..< own * q { x[r] = v[at + r] }
      if l.bias >= 0 { for r in 0 ..< q { x[own * q + r] = v[starts[l.bias] + r] } }
      y.update(repeating: 0, count: m * q)
      for r in 0 ..< m { for k in 0 ..< m { add(a[i][r][k], x + k * q, to: y + r * q, q) } }
      x.update(repeating: 0, count: m * q)
      for r in 0 ..< m { for k in 0 ..< q { add(y[r * q + k], g[i][k], to: x + r * q, q) } }
      for r in 0 ..< own * q { w[at + r] += x[r] }
      if l.bias >= 0 { for r in 0 ..< q { w[starts[l.bias] + r] += x[own * q + r] } }
    }
  }
}
