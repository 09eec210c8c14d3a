import Runtime
import Tape

/// Householder's factors of a Jacobian, with columns exchanged so that R's diagonal falls (Businger & Golub 1965), and the damped problems that only need R.
final class OrthogonalFactor {
  private let m: Int, n: Int, k: Int
  private let vectors = Vectors()
  /// Norms of the columns as they came.
  let norms: Vector
  private let a: Vector, left: Vector, s: Vector, b: Vector, w: Vector, z: Vector
  private var order: [Int]

  init(_ m: Int, _ n: Int) throws(Failure) {
    (self.m, self.n, k) = (m, n, min(m, n))
    norms = try vectors.make(n)
    left = try vectors.make(n)
    a = try vectors.make(m * n)
    s = try vectors.make((n + 1) * n)
    b = try vectors.make(n)
    w = try vectors.make(n)
    z = try vectors.make(n)
    order = Array(0 ..< n)
  }

  /// Factors j (rows of n), and turns q into Qᵀq.
  func set(_ j: Vector, _ q: Vector) {
    // Columns one after the other.
    for c in 0 ..< n {
      order[c] = c
      for i in 0 ..< m { a[c * m + i] = j[i * n + c] }
      norms[c] = norm(a + c * m, m)
      left[c] = norms[c]
    }
    for c in 0 ..< k {
      var best = c
      for d in c ..< n where left[d] > left[best] { best = d }
      if best != c {
        for i in 0 ..< m { swap(&a[c * m + i], &a[best * m + i]) }
        left.swapAt(c, best)
        order.swapAt(c, best)
      }
      let v = a + c * m + c, rest = m - c, length = norm(v, rest)
      if length == 0 || !length.isFinite { continue }
      let head = v[0] > 0 ? -length : length
      // The reflection is 1 - v vᵀ / (v·v / 2); R's diagonal waits in `left`.
      v[0] -= head
      let half = -head * v[0]
      for d in c + 1 ..< n {
        let u = a + d * m + c
        add(-dot(v, u, rest) / half, v, to: u, rest)
        left[d] = norm(a + d * m + c + 1, max(rest - 1, 0))
      }
      add(-dot(v, q + c, rest) / half, v, to: q + c, rest)
      left[c] = head
    }
  }

  private func r(_ i: Int, _ c: Int) -> Double { i == c ? (i < k ? left[i] : 0) : a[c * m + i] }

  /// |J p|.
  func image(_ p: Vector) -> Double {
    for i in 0 ..< k {
      var t = 0.0
      for c in i ..< n { t += r(i, c) * p[order[c]] }
      z[i] = t
    }
    return norm(z, k)
  }

  /// p minimises |J p - q|² + λ |D p|², where λ (returned) is such that |D p| is within a tenth of the radius, or 0 where the undamped p lies inside. (Moré 1978, §5.)
  func solve(_ q: Vector, _ d: Vector, _ radius: Double, _ guess: Double, _ p: Vector) -> Double {
    var rank = 0
    while rank < k, abs(left[rank]) > 1e-15 * abs(left[0]) * Double(max(m, n)) { rank += 1 }
    for i in 0 ..< n { b[i] = i < rank ? q[i] : 0 }
    for i in (0 ..< rank).reversed() {
      for c in i + 1 ..< max(rank, i + 1) { b[i] -= r(i, c) * b[c] }
      b[i] /= left[i]
    }
    for c in 0 ..< n { p[order[c]] = b[c] }
    let length = scaled(p, d)
    if rank > 0 || n == 0, length <= 1.1 * radius { return 0 }
    var low = 0.0, high = 0.0
    if rank == n {
      let (value, slope) = newton(p, d, length, radius, 0)
      low = -value / slope
    }
    for c in 0 ..< n {
      var t = 0.0
      for i in 0 ... min(c, k - 1) where k > 0 { t += r(i, c) * q[i] }
      w[c] = t / d[order[c]]
    }
    high = norm(w, n) / radius
    if !(high > 0) { high = .leastNormalMagnitude / min(radius, 0.1) }
    var lambda = min(max(guess, low), high)
    if lambda == 0 { lambda = norm(w, n) / max(length, .leastNormalMagnitude) }
    for _ in 0 ..< 30 {
      if !(lambda > 0) { lambda = max(1e-3 * high, .leastNormalMagnitude) }
      damped(q, d, lambda, p)
      let now = scaled(p, d)
      if abs(now - radius) <= 0.1 * radius || low == 0 && now < radius && lambda <= .leastNormalMagnitude { break }
      let (value, slope) = newton(p, d, now, radius, lambda)
      if value > 0 { low = max(low, lambda) } else { high = min(high, lambda) }
      let next = lambda - (now / radius) * (value / slope)
      lambda = next.isFinite ? max(low, next) : 0.5 * (low + high)
      if lambda > high || !(lambda > low) { lambda = max(0.001 * high, (low * high).squareRoot()) }
    }
    return lambda
  }

  private func scaled(_ p: Vector, _ d: Vector) -> Double {
    for c in 0 ..< n { w[c] = d[c] * p[c] }
    return norm(w, n)
  }

  /// φ(λ) = |D p(λ)| - radius and its derivative, by the triangle that p came from (R, or the damped one in `s`).
  private func newton(_ p: Vector, _ d: Vector, _ length: Double, _ radius: Double, _ lambda: Double) -> (Double, Double) {
    for c in 0 ..< n { z[c] = d[order[c]] * (d[order[c]] * p[order[c]] / length) }
    for i in 0 ..< n {
      for c in 0 ..< i { z[i] -= (lambda > 0 ? s[i * n + c] : r(c, i)) * z[c] }
      z[i] /= lambda > 0 ? s[i * n + i] : left[i]
    }
    return (length - radius, -length * dot(z, z, n))
  }

  /// The triangle of [R; √λ D] by Givens rotations, column i of it in row i of `s`, and its solution.
  private func damped(_ q: Vector, _ d: Vector, _ lambda: Double, _ p: Vector) {
    for c in 0 ..< n {
      for i in 0 ... c { s[c * n + i] = i < k ? r(i, c) : 0 }
      b[c] = c < k ? q[c] : 0
    }
    let root = lambda.squareRoot(), row = s + n * n
    for l in 0 ..< n {
      for c in l ..< n { row[c] = 0 }
      row[l] = root * d[order[l]]
      var rest = 0.0
      for c in l ..< n where row[c] != 0 {
        let e = s[c * n + c], h = (e * e + row[c] * row[c]).squareRoot(), cosine = e / h, sine = row[c] / h
        for f in c ..< n { (s[f * n + c], row[f]) = (cosine * s[f * n + c] + sine * row[f], -sine * s[f * n + c] + cosine * row[f]) }
        (b[c], rest) = (cosine * b[c] + sine * rest, -sine * b[c] + cosine * rest)
      }
    }
    for i in (0 ..< n).reversed() {
      for c in i + 1 ..< max(n, i + 1) { b[i] -= s[c * n + i] * b[c] }
      b[i] /= s[i * n + i]
    }
    for c in 0 ..< n { p[order[c]] = b[c] }
  }
}

private extension UnsafeMutablePointer<Double> {
  func swapAt(_ i: Int, _ j: Int) { (self[i], self[j]) = (self[j], self[i]) }
}
