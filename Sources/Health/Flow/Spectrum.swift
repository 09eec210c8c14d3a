import CKernels
import Glibc
package import Runtime
package import Tape

/// Products with the Jacobian of a map at a point: forward along a tangent, or back. The input is one float array; data are other inputs.
package final class JacobianProducts {
  package let n: Int, m: Int
  private let input: TensorType, output: TensorType
  private let workspace: Workspace
  private let x: Block, y: Block, v: Block, w: Block

  package init(_ t: Tape, _ output: NodeID, _ input: NodeID, _ data: [NodeID]) throws(Failure) {
    guard t.contains(input), t.contains(output), !t.isTuple(output), t.structural(input) == .input else { throw Failure(.node, "spectrum: the input or output is none of this tape") }
    guard t.dtype(input).isFloat, t.dtype(output).isFloat, t.type(input).count > 0, t.type(output).count > 0 else { throw Failure(.dtype, "spectrum: input and output are floats, and not empty") }
    for d in data where !t.contains(d) || t.structural(d) != .input || d == input { throw Failure(.node, "spectrum: data are other inputs of this tape") }
    (self.input, self.output) = (t.type(input), t.type(output))
    (n, m) = (self.input.count, self.output.count)
    let tangent = t.input(self.input), cotangent = t.input(self.output)
    let forward = t.jvp([output], [input], [tangent]), back = t.vjp([output], [cotangent], [input])
    if let f = t.failure { throw f }
    workspace = try Workspace(try Program(t, stages: [([input] + data, [output]), ([tangent], forward), ([cotangent], back)]))
    x = try Block(self.input.bytes)
    y = try Block(self.output.bytes)
    v = try Block(self.input.bytes)
    w = try Block(self.output.bytes)
  }

  private func write(_ a: [Double], _ d: DType, _ p: UnsafeMutableRawPointer) { for (i, e) in a.enumerated() { put(e, d, p, i) } }
  private func read(_ n: Int, _ d: DType, _ p: UnsafeMutableRawPointer) -> [Double] { (0 ..< n).map { element(p, d, $0) } }
  private func run(_ stage: Int, _ inputs: [UnsafeRawPointer?], _ out: UnsafeMutableRawPointer) throws(Failure) {
    let outputs: [UnsafeMutableRawPointer?] = [out]
    let code = inputs.withUnsafeBufferPointer { a in
      outputs.withUnsafeBufferPointer { b in a.baseAddress.flatMap { p in b.baseAddress.map { workspace.run(stage: stage, inputs: p, outputs: $0) } } ?? .invalid }
    }
    if code.rawValue < 0 { throw Failure(code, workspace.message) }
  }

  /// The value at `point`, where products are taken from then on.
  package func at(_ point: [Double], _ data: [UnsafeRawPointer?]) throws(Failure) -> [Double] {
    write(point, input.dtype, x.p)
    try run(0, [UnsafeRawPointer(x.p)] + data, y.p)
    return read(m, output.dtype, y.p)
  }
  package func forward(_ a: [Double]) throws(Failure) -> [Double] {
    write(a, input.dtype, v.p)
    try run(1, [UnsafeRawPointer(v.p)], w.p)
    return read(m, output.dtype, w.p)
  }
  package func back(_ a: [Double]) throws(Failure) -> [Double] {
    write(a, output.dtype, w.p)
    try run(2, [UnsafeRawPointer(w.p)], v.p)
    return read(n, input.dtype, v.p)
  }
  package func load(_ p: UnsafeRawPointer) -> [Double] { (0 ..< n).map { element(p, input.dtype, $0) } }
}

private func dot(_ a: [Double], _ b: [Double]) -> Double {
  var s = 0.0
  for i in a.indices { s += a[i] * b[i] }
  return s
}
private func subtract(_ a: inout [Double], _ f: Double, _ b: [Double]) { for i in a.indices { a[i] -= f * b[i] } }

/// A direction that is no axis, the same everywhere.
private func direction(_ n: Int, _ k: Int) -> [Double] {
  var u = [Double](repeating: 0, count: 2 * n)
  u.withUnsafeMutableBufferPointer { p in if let b = p.baseAddress { ck_random_uniform_part(DType.f64.rawValue, Int64(k + 1), b, 0, 2 * n) } }
  return (0 ..< n).map { u[2 * $0] - u[2 * $0 + 1] }
}

/// The largest Lyapunov exponents of iterating the map from `point`: Q R = J Q at each step, by the mean of log |R_kk| (Benettin et al. 1980). With `back`, of the
/// transposed products along the same orbit, the way gradients take.
package func lyapunov(_ j: JacobianProducts, _ point: [Double], _ data: [UnsafeRawPointer?], steps: Int, count: Int, back: Bool) throws(Failure) -> [Double] {
  guard j.n == j.m else { throw Failure(.shape, "lyapunov: the map has \(j.n) inputs and \(j.m) outputs; it is to be iterated") }
  guard count >= 1, count <= j.n, steps >= 1 else { throw Failure(.invalid, "lyapunov: \(count) exponents of \(j.n) dimensions over \(steps) steps") }
  var q = (0 ..< count).map { direction(j.n, $0) }, sums = [Double](repeating: 0, count: count), x = point
  _ = orthonormalize(&q)
  var orbit = [x]
  if back { for _ in 1 ..< max(steps, 1) { x = try j.at(x, data); orbit.append(x) } }
  for s in 0 ..< steps {
    let here = back ? orbit[steps - 1 - s] : x, next = try j.at(here, data)
    for k in 0 ..< count { q[k] = back ? try j.back(q[k]) : try j.forward(q[k]) }
    let r = orthonormalize(&q)
    for k in 0 ..< count { sums[k] += log(r[k]) }
    if !back { x = next }
  }
  return sums.map { $0 / Double(steps) }
}

/// Gram and Schmidt twice; the diagonal of R.
private func orthonormalize(_ q: inout [[Double]]) -> [Double] {
  var r: [Double] = []
  for k in q.indices {
    for _ in 0 ..< 2 { for l in 0 ..< k { subtract(&q[k], dot(q[k], q[l]), q[l]) } }
    let n = dot(q[k], q[k]).squareRoot()
    r.append(n)
    if n > 0 { for i in q[k].indices { q[k][i] /= n } }
  }
  return r
}

package struct SingularValues { package var largest = 0.0, largestError = 0.0, smallest = 0.0, smallestError = 0.0, products = 0 }

/// The extreme singular values of the Jacobian at `point`: Golub, Kahan and Lanczos' bidiagonalisation with full orthogonalisation. The errors are the residuals
/// of the Ritz triplets: a singular value lies within them.
package func singularValues(_ j: JacobianProducts, _ point: [Double], _ data: [UnsafeRawPointer?], steps: Int) throws(Failure) -> SingularValues {
  guard steps >= 1 else { throw Failure(.invalid, "singular_values: \(steps) steps") }
  _ = try j.at(point, data)
  // On the shorter side, so that a smallest value of 0 is one of the matrix and not of its shape.
  let turned = j.m < j.n, n = min(j.n, j.m), most = min(steps, n)
  var vs: [[Double]] = [], us: [[Double]] = [], alpha: [Double] = [], beta: [Double] = [], out = SingularValues()
  var v = direction(n, 0), last = 0.0
  let norm = dot(v, v).squareRoot()
  for i in v.indices { v[i] /= norm }
  for k in 0 ..< most {
    vs.append(v)
    var u = turned ? try j.back(v) : try j.forward(v)
    for _ in 0 ..< 2 { for w in us { subtract(&u, dot(u, w), w) } }
    let a = dot(u, u).squareRoot()
    alpha.append(a)
    if a > 0 { for i in u.indices { u[i] /= a } }
    us.append(u)
    var w = turned ? try j.forward(u) : try j.back(u)
    for _ in 0 ..< 2 { for x in vs { subtract(&w, dot(w, x), x) } }
    last = dot(w, w).squareRoot()
    out.products += 2
    guard k + 1 < most, last > 1e-14 * (alpha.max() ?? 1), a > 0 else { break }
    beta.append(last)
    for i in w.indices { w[i] /= last }
    v = w
  }
  // The tridiagonal BᵀB: its eigenpairs by Jacobi's rotations.
  let k = alpha.count
  var t = [[Double]](repeating: [Double](repeating: 0, count: k), count: k)
  for i in 0 ..< k {
    t[i][i] = alpha[i] * alpha[i] + (i > 0 ? beta[i - 1] * beta[i - 1] : 0)
    if i + 1 < k { (t[i][i + 1], t[i + 1][i]) = (alpha[i] * beta[i], alpha[i] * beta[i]) }
  }
  let (values, ends) = jacobi(&t)
  guard let hi = values.indices.max(by: { values[$0] < values[$1] }), let lo = values.indices.min(by: { values[$0] < values[$1] }) else { return out }
  // |JᵀJ x - s² x| = alpha_k beta_k |last component|; s itself is known to that over s.
  let rest = k == n ? 0 : alpha[k - 1] * last, round = 1e-14 * values[hi]
  func figures(_ i: Int) -> (Double, Double) {
    let s = max(values[i], 0).squareRoot(), r = rest * abs(ends[i]) + round
    return (s, min(s > 0 ? r / s : r.squareRoot(), r.squareRoot()))
  }
  (out.largest, out.largestError) = figures(hi)
  (out.smallest, out.smallestError) = figures(lo)
  return out
}

/// Eigenvalues of a small symmetric matrix and the last components of its eigenvectors.
private func jacobi(_ a: inout [[Double]]) -> ([Double], [Double]) {
  let n = a.count
  var e = [Double](repeating: 0, count: n)
  if n > 0 { e[n - 1] = 1 }
  for _ in 0 ..< 60 {
    var off = 0.0, all = 0.0
    for p in 0 ..< n { for q in 0 ..< n { all += a[p][q] * a[p][q]; if p != q { off += a[p][q] * a[p][q] } } }
    if off <= 1e-32 * all { break }
    for p in 0 ..< n {
      for q in p + 1 ..< max(n, p + 1) where a[p][q] != 0 {
        let h = (a[q][q] - a[p][p]) / (2 * a[p][q]), t = (h >= 0 ? 1.0 : -1.0) / (abs(h) + (h * h + 1).squareRoot()), c = 1 / (t * t + 1).squareRoot(), s = t * c
        for i in 0 ..< n { let (x, y) = (a[i][p], a[i][q]); a[i][p] = c * x - s * y; a[i][q] = s * x + c * y }
        for i in 0 ..< n { let (x, y) = (a[p][i], a[q][i]); a[p][i] = c * x - s * y; a[q][i] = s * x + c * y }
        let (x, y) = (e[p], e[q])
        e[p] = c * x - s * y
        e[q] = s * x + c * y
      }
    }
  }
  return ((0 ..< n).map { a[$0][$0] }, e)
}

/// Mean field of a wide network of one nonlinearity (Poole et al. 2016): the fixed point q* of the variance, chi_1 there, and the depth to which signals reach.
package func meanField(_ f: (Double) -> (value: Double, slope: Double), weight: Double, bias: Double) -> (q: Double, chi: Double, depth: Double) {
  func mean(_ q: Double, _ g: (Double) -> Double) -> Double {
    var s = 0.0, w = 0.0
    for i in -400 ... 400 {
      let z = Double(i) / 50, p = exp(-z * z / 2)
      s += p * g(q.squareRoot() * z)
      w += p
    }
    return s / w
  }
  var q = 1.0
  for _ in 0 ..< 2000 {
    let next = weight * weight * mean(q) { f($0).value * f($0).value } + bias * bias
    if abs(next - q) <= 1e-13 * max(q, 1e-300) || next > 1e30 || next < 1e-30 { q = next; break }
    q = next
  }
  let chi = weight * weight * mean(q) { f($0).slope * f($0).slope }
  return (q, chi, chi == 1 ? .infinity : 1 / abs(log(chi)))
}

/// Of tanh, relu, erf or linear; nil for another, or numbers that are not finite.
package func meanField(named name: String, weight w: Double, bias b: Double) -> (q: Double, chi: Double, depth: Double)? {
  guard w.isFinite, b.isFinite else { return nil }
  switch name {
  case "tanh": return meanField({ x in let y = tanh(x); return (y, 1 - y * y) }, weight: w, bias: b)
  case "relu": return meanField({ x in x > 0 ? (x, 1) : (0, x == 0 ? 0.5.squareRoot() : 0) }, weight: w, bias: b)
  case "erf": return meanField({ x in (erf(x), 1.1283791670955126 * exp(-x * x)) }, weight: w, bias: b)
  case "linear": return meanField({ x in (x, 1) }, weight: w, bias: b)
  default: return nil
  }
}
