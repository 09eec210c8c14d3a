import Glibc
import CKernels
package import Tape

/// Remedies that are part of the flow's program: of inputs, of layers, of the loss.
extension Flow {
  var hasTreatments: Bool { !normalized.isEmpty || hasScaledResiduals }

  // MARK: inputs

  /// Inputs of the tape's with (x - mean) / deviation in their places from now on: those of that name ("data 0"), or all that feed layers. Whitened: their
  /// features decorrelated, too, by the inverse Cholesky factor of their correlation, drawn to the identity by the square of features over examples seen.
  package func standardize(_ place: String, whiten: Bool) throws(Failure) -> String {
    var done: [Int] = []
    for (k, s) in inputs.enumerated() where s.isWatched && s.count >= 4 && (place.hasPrefix("data ") ? place == "data \(k)" : true) {
      let (mean, variance) = s.moments(), root = variance.map { $0.squareRoot() }, typical = middle(root.filter { $0 > 0 })
      // A feature that hardly varies in what was seen may do so later.
      let factor = root.map { 1 / max($0, (whiten ? 1e-3 : 0.3) * typical, 1e-30) }
      if whiten, s.features > 1024 { throw Failure(.invalid, "prescribe: data \(k) has \(s.features) features; at most 1024 are whitened") }
      standards[k] = (mean, factor, whiten ? s.whitener(mean, factor) : [])
      done.append(k)
    }
    guard !done.isEmpty else { throw Failure(.invalid, "prescribe: no input has been seen that could be standardised") }
    unplan()
    return "the program takes (x - mean) / deviation of each feature of data \(done.map { "\($0)" }.joined(separator: ", "))" + (whiten ? ", decorrelated" : "")
  }
  func standardized(_ k: Int) -> NodeID {
    guard let s = standards[k] else { return data[k] }
    let t = tape, x = data[k], flat = TensorType(.f64, Array(t.shape(x).dropFirst())), n = s.mean.count
    func array(_ v: [Double], _ type: TensorType) -> NodeID { v.withUnsafeBytes { b in b.baseAddress.map { t.cast(t.array(type, $0), t.dtype(x)) } ?? .none } }
    func spread(_ v: [Double]) -> NodeID { t.broadcast(t.reshape(array(v, TensorType(.f64, [n])), [1] + flat.shape), to: t.shape(x)) }
    let z = t.mul(t.sub(x, spread(s.mean)), spread(s.factor))
    if s.matrix.isEmpty { return z }
    return t.reshape(t.matmul(t.reshape(z, [t.shape(x)[0], n]), array(s.matrix, TensorType(.f64, [n, n]))), t.shape(x))
  }

  // MARK: layers

  /// Layer normalisation (Ba, Kiros & Hinton 2016) before the activation of a place and of those as wrong; of all, where none is named.
  package func normalize(_ place: String) throws(Failure) -> String {
    let more = try chosen(place).filter { places[$0].type.rank >= (places[$0].steps ? 3 : 2) }
    guard !more.isEmpty else { throw Failure(.invalid, "prescribe: no layer of a batch is called \(place)") }
    normalized.formUnion(more)
    unplan()
    return "\(more.count) layers are normalised over their units before the activation"
  }
  /// Branches that are added to what they began with, times 1 / sqrt(2 L) for L of them.
  package func scaleResiduals() throws(Failure) -> String {
    try plan()
    let n = residuals().count
    guard n > 0 else { throw Failure(.invalid, "prescribe: the tape adds no branch with parameters to what the branch began with") }
    hasScaledResiduals = true
    unplan()
    return "\(n) residual branches are scaled by \(short(1 / Double(2 * n).squareRoot()))"
  }
  /// The loss plus a multiple of half the squared norm of its gradient by the float data.
  package func penalize(_ factor: Double) throws(Failure) -> String {
    guard data.contains(where: { tape.dtype($0).isFloat }) else { throw Failure(.invalid, "prescribe: there are no float data by which the loss could be differentiated") }
    penalty = factor
    unplan()
    return "the loss has \(short(factor)) times half the squared norm of its gradient by the data added"
  }

  /// x + f(x): the sum, and the slot of f.
  func residuals() -> [NodeID: Int] {
    let t = tape
    var found: [NodeID: Int] = [:]
    guard let order = t.order([loss]) else { return [:] }
    for k in 0 ..< order.count {
      let n = order[k]
      guard !t.isTuple(n), OpCode(raw: t.record(n).op) == OpCode(Binary.add) else { continue }
      let a = t.input(n, 0), b = t.input(n, 1)
      guard a != b, t.type(a) == t.type(b), t.dtype(n).isFloat else { continue }
      // What a node depends on was recorded before it.
      let (x, f) = a.index < b.index ? (a, b) : (b, a)
      var stack = [f], known: Set<NodeID> = [f], reaches = false, learns = false
      while let m = stack.popLast(), known.count < 5000 {
        if params.contains(m) { learns = true }
        for i in t.inputs(m) {
          if i == x { reaches = true } else if i.index > x.index || params.contains(i), known.insert(i).inserted { stack.append(i) }
        }
      }
      if reaches, learns { found[n] = f == a ? 0 : 1 }
    }
    return found
  }

  /// Nodes of the tape with layers' treatments.
  func treated(_ list: [NodeID]) -> [NodeID] {
    let t = tape
    var before: [NodeID: Int] = [:]
    for i in normalized where origins.indices.contains(i) { before[preactivation(origins[i])] = i }
    let sums = hasScaledResiduals ? residuals() : [:], factor = 1 / Double(max(2 * sums.count, 1)).squareRoot()
    return t.rewrite(t, list, [:]) { n, x in
      let same = x.indices.allSatisfy { x[$0] == t.input(n, $0) }
      if let slot = sums[n] {
        var y = x
        y[slot] = t.scale(x[slot], factor)
        return t.again(n, from: t, y)
      }
      guard let i = before[n] else { return same ? n : nil }
      return normal(same ? n : t.again(n, from: t, x), i)
    }
  }
  /// What a layer's elementwise operators of one operand, and those with constants, begin with.
  private func preactivation(_ n: NodeID) -> NodeID {
    let t = tape
    var n = n
    while OpCode(raw: t.record(n).op).isElementwise {
      let x = t.inputs(n).filter { !isConstant($0) }
      guard x.count == 1, t.type(x[0]) == t.type(n), !params.contains(x[0]), !data.contains(x[0]) else { break }
      n = x[0]
    }
    return n
  }
  private func isConstant(_ n: NodeID) -> Bool {
    var n = n
    while let s = tape.structural(n), s == .broadcast || s == .reshape || s == .cast { n = tape.input(n, 0) }
    return tape.structural(n) == .constant
  }
  private func normal(_ z: NodeID, _ i: Int) -> NodeID {
    let t = tape, s = t.shape(z), axes = places[i].isConv && !places[i].steps ? Array(1 - s.count ..< 0) : [-1]
    let d = t.sub(z, t.broadcast(t.mean(z, axes: axes, keep: true), to: s)), n = Double(axes.reduce(1) { $0 * s[s.count + $1] })
    let size = t.scale(t.reduce(.norm, d, axes: axes, keep: true), 1 / max(n, 1).squareRoot())
    return t.div(d, t.broadcast(t.binary(.maximum, size, t.like(size, 1e-5)), to: s))
  }

  /// Nodes of the tape as the flow's program has them, but for the precision: inputs standardised, layers normalised, residual branches scaled.
  package func treat(_ list: [NodeID]) throws(Failure) -> [NodeID] {
    let t = tape, since = t.failure
    t.failure = nil
    defer { t.failure = since }
    for (i, n) in list.enumerated() where !t.contains(n) || t.isTuple(n) { throw Failure(.node, "treat: node \(i) is none of the flow's tape") }
    var y = hasTreatments ? treated(list) : list
    for (k, _) in standards.sorted(by: { $0.key < $1.key }) where t.failure == nil {
      let z = t.input(t.type(data[k]))
      y = t.substitute(y, [data[k]], [z])
      if t.failure == nil { y = t.substitute(y, [z], [standardized(k)]) }
    }
    if let f = t.failure { throw f }
    return y
  }

  // MARK: noise

  /// The gradient's noise scale (McCandlish et al. 2018) from the batches seen: |G|² and the trace of the covariance of one example's gradient, unbiased from the
  /// norms of each batch's gradient and of their mean; and their quotient, the size of a batch beyond which larger ones help little.
  package func noise(_ p: UnsafePointer<UnsafeMutableRawPointer?>) throws(Failure) -> (scale: Double, gradient: Double, variance: Double) {
    let n = batches.count, size = Double(dataTypes.first { $0.rank > 0 }?.shape[0] ?? 0)
    guard n >= 2, size > 0 else { throw Failure(.invalid, "noise: \(n) batches were seen; two are needed") }
    let total = parameters.reduce(0) { $0 + $1.type.count }, mean = try Block(total * 8), m = mean.p.assumingMemoryBound(to: Double.self)
    for k in 0 ..< total { m[k] = 0 }
    var small = 0.0, large = 0.0
    for b in 0 ..< n {
      guard try probe(p, batch: b).isFinite else { throw Failure(.nonfinite, "noise: the gradient of batch \(b) is not finite") }
      var at = 0
      for (i, q) in parameters.enumerated() {
        for k in 0 ..< q.type.count {
          let g = element(own[i].p, q.type.dtype, k) / scale
          small += g * g / Double(n)
          m[at] += g / Double(n)
          at += 1
        }
      }
    }
    for k in 0 ..< total { large += m[k] * m[k] }
    let all = size * Double(n), g = (all * large - size * small) / (all - size), s = (small - large) / (1 / size - 1 / all)
    return (g > 0 ? s / g : .infinity, g, s)
  }
}

extension InputStat {
  /// The inverse transposed Cholesky factor of the correlation of the features, row by row: standardised rows times it are uncorrelated.
  func whitener(_ mean: [Double], _ factor: [Double]) -> [Double] {
    let n = features, p = rows.p.assumingMemoryBound(to: Double.self)
    var c = [Double](repeating: 0, count: n * n), z = [Double](repeating: 0, count: n)
    for r in 0 ..< count {
      for i in 0 ..< n { z[i] = (p[r * n + i] - mean[i]) * factor[i] }
      for i in 0 ..< n where z[i] != 0 { for j in 0 ... i { c[i * n + j] += z[i] * z[j] } }
    }
    let ratio = Double(n) / Double(max(count, 1)), pull = min(ratio * ratio + 1e-9, 0.9)
    for i in 0 ..< n { for j in 0 ... i { c[i * n + j] = (1 - pull) * c[i * n + j] / Double(max(count, 1)) + (i == j ? pull : 0) } }
    // L, then its inverse in place: both are lower triangles.
    for j in 0 ..< n {
      for i in j ..< n {
        var s = c[i * n + j]
        for k in 0 ..< j { s -= c[i * n + k] * c[j * n + k] }
        c[i * n + j] = i == j ? max(s, 1e-12).squareRoot() : s / c[j * n + j]
      }
    }
    var w = [Double](repeating: 0, count: n * n)
    for j in 0 ..< n {
      w[j * n + j] = 1 / c[j * n + j]
      for i in j + 1 ..< max(n, j + 1) {
        var s = 0.0
        for k in j ..< i { s -= c[i * n + k] * w[j * n + k] }
        w[j * n + i] = s / c[i * n + i]
      }
    }
    return w
  }
}
