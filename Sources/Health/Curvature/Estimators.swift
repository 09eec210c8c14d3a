import Runtime
import Glibc
import Tape

/// The spread of each estimator's interval beyond Student's, chosen over nine families of random Hessians and held against eight others so that nominal 95 % cover
/// 93-98 % (Benchmarks/health/curvature.py). Few forms are skew, and those that missed what is large scatter too little: so the variance is the larger of the samples'
/// and of the one that theory gives for the norms of the same products, which scatter less. Leave-one-out estimates share their other probes.
enum Inflation {
  static let hutchinson = 1.0, hutchpp = 0.92, xtrace = 1.22, xdiag = 1.45, frobenius = 1.2, density = 0.95
}
/// Of d gᵀ B g over unit vectors g in d dimensions, whose squared norm d |B g|² is on average `squares`.
private func sphereVariance(_ d: Double, _ squares: Double, _ mean: Double) -> Double { d > 0 ? max(2 * d / (d + 2) * (squares - mean * mean / d), 0) : 0 }

/// Which numbers are drawn for what.
private enum Purpose { static let hutchinson = 1, sketch = 2, rest = 3, xtrace = 4, diagonal = 5, sphere = 6 }

/// Q, A Q of a sketch, and the probes that are left.
private struct Sketch {
  let q: Lines, z: Lines, k: Int
  init(_ a: Operator, _ k: Int, _ probes: Probes) throws(Failure) {
    let s = try Lines(k, a.n), y = try Lines(k, a.n), r = try Lines(k, k)
    for i in 0 ..< k { probes.normal(s[i], a.n, Purpose.sketch, i) }
    try a.apply(s, y, k)
    orthonormalize(y, k, r: r.p)
    try a.apply(y, s, k)
    (q, z, self.k) = (y, s, k)
  }
  var rank: Int {
    var c = 0
    for i in 0 ..< k where dot(q[i], q[i], q.n) > 0.5 { c += 1 }
    return c
  }
  /// Unit vectors uniform in what Q leaves out, and A times them.
  func rest(_ a: Operator, _ probes: Probes) throws(Failure) -> (Lines, Lines) {
    let g = try Lines(k, a.n), ag = try Lines(k, a.n)
    for i in 0 ..< k {
      probes.normal(g[i], a.n, Purpose.rest, i)
      for _ in 0 ..< 2 { for j in 0 ..< k { add(-dot(q[j], g[i], a.n), q[j], to: g[i], a.n) } }
      let s = norm(g[i], a.n)
      scale(g[i], s > 0 ? 1 / s : 0, a.n)
    }
    try a.apply(g, ag, k)
    return (g, ag)
  }
}

extension Operator {
  /// Hutchinson (1989): the mean of zᵀ A z over signs z.
  func traceHutchinson(_ m: Int, _ probes: Probes, _ level: Double) throws(Failure) -> Figure {
    let z = try Lines(m, n), az = try Lines(m, n)
    for i in 0 ..< m { probes.rademacher(z[i], n, Purpose.hutchinson, i) }
    try apply(z, az, m)
    // Var = 2 (||A||_F² - |diag|²); the diagonal by products of different probes.
    var found: [Double] = [], squares = 0.0, own = 0.0
    let total = try Lines(1, n)
    for i in 0 ..< m {
      found.append(dot(z[i], az[i], n))
      squares += dot(az[i], az[i], n)
      for j in 0 ..< n {
        let y = z[i][j] * az[i][j]
        own += y * y
        total.p[j] += y
      }
    }
    let k = Double(m), diagonal = m > 1 ? max((dot(total.p, total.p, n) - own) / (k * (k - 1)), 0) : 0
    return meanInterval(found, level, inflation: Inflation.hutchinson, variance: max(2 * (squares / k - diagonal), 0))
  }

  /// Hutch++ (Meyer, Musco, Musco & Woodruff 2021) with 3 k products; the probes of the rest are unit vectors in the complement of the sketch, which scatter less.
  func tracePlus(_ m: Int, _ probes: Probes, _ level: Double) throws(Failure) -> Figure {
    let k = max(m / 3, 2), s = try Sketch(self, k, probes), (g, ag) = try s.rest(self, probes)
    var top = 0.0
    for i in 0 ..< k { top += dot(s.q[i], s.z[i], n) }
    let room = Double(n - s.rank), found = (0 ..< k).map { room * dot(g[$0], ag[$0], n) }
    var squares = 0.0
    for i in 0 ..< k {
      for j in 0 ..< k { add(-dot(s.q[j], ag[i], n), s.q[j], to: ag[i], n) }
      squares += room * dot(ag[i], ag[i], n) / Double(k)
    }
    let f = meanInterval(found, level, inflation: Inflation.hutchpp, variance: sphereVariance(room, squares, found.reduce(0, +) / Double(k)))
    return Figure(top + f.value, top + f.low, top + f.high)
  }

  /// XTrace (Epperly, Tropp & Webber 2024) with 2 k products: each probe estimates what the sketch of the others leaves out.
  func traceExchange(_ m: Int, _ probes: Probes, _ level: Double) throws(Failure) -> Figure {
    let k = max(m / 2, 3), w = try Lines(k, n)
    guard let e = try exchange(k, w, normal: true, probes) else { return try tracePlus(m, probes, level) }
    let (y, q, z, s) = (e.y, e.q, e.z, e.s), c = try Lines(2, k), mu = try Lines(2, n)
    var top = 0.0
    for i in 0 ..< k { top += dot(q[i], z[i], n) }
    var found: [Double] = [], variance = 0.0
    let d = Double(n - k + 1)
    for i in 0 ..< k {
      // c = (I - s sᵀ) Qᵀ w: what the sketch without probe i holds of it.
      for j in 0 ..< k { c[0][j] = dot(q[j], w[i], n) }
      add(-dot(s[i], c[0], k), s[i], to: c[0], k)
      copy(w[i], mu[0], n)
      copy(y[i], mu[1], n)
      for j in 0 ..< k {
        add(-c[0][j], q[j], to: mu[0], n)
        add(-c[0][j], z[j], to: mu[1], n)
      }
      var left = 0.0
      for a in 0 ..< k {
        var t = 0.0
        for b in 0 ..< k { t += s[i][b] * e.h.p[a * k + b] }
        left += s[i][a] * t
      }
      let size = dot(mu[0], mu[0], n)
      let form = size > 0 ? d * dot(mu[0], mu[1], n) / size : 0
      found.append(top - left + form)
      // What of the product lies where the probe did: outside the sketch of the others.
      for j in 0 ..< k { c[0][j] = dot(q[j], mu[1], n) }
      add(-dot(s[i], c[0], k), s[i], to: c[0], k)
      for j in 0 ..< k { add(-c[0][j], q[j], to: mu[1], n) }
      variance += sphereVariance(d, size > 0 ? d * dot(mu[1], mu[1], n) / size : 0, form) / Double(k)
    }
    return meanInterval(found, level, inflation: Inflation.xtrace, variance: variance)
  }

  struct Exchange { let y: Lines, q: Lines, z: Lines, s: Lines, h: Lines, r: Lines }
  /// Q R = Y = A W, Z = A Q, H = Qᵀ Z, and s_i: the direction of span(Q) that the sketch without probe i lacks. nil where Y has not full rank.
  private func exchange(_ k: Int, _ w: Lines, normal: Bool, _ probes: Probes) throws(Failure) -> Exchange? {
    let y = try Lines(k, n), q = try Lines(k, n), z = try Lines(k, n), r = try Lines(k, k), s = try Lines(k, k), h = try Lines(k, k)
    for i in 0 ..< k { if normal { probes.normal(w[i], n, Purpose.xtrace, i) } else { probes.rademacher(w[i], n, Purpose.diagonal, i) } }
    try apply(w, y, k)
    copy(y.p, q.p, k * n)
    orthonormalize(q, k, r: r.p)
    var largest = 0.0
    for i in 0 ..< k { largest = max(largest, abs(r[i][i])) }
    for i in 0 ..< k where !(abs(r[i][i]) > 1e-11 * largest) { return nil }
    try apply(q, z, k)
    for i in 0 ..< k { for j in 0 ..< k { h[i][j] = dot(q[i], z[j], n) } }
    // Row i of R⁻¹, normed: orthogonal to every column of R but i.
    for i in 0 ..< k {
      for j in i ..< k {
        var t = i == j ? 1.0 : 0
        for a in i ..< max(j, i) { t -= s[i][a] * r[a][j] }
        s[i][j] = t / r[j][j]
      }
      let size = norm(s[i], k)
      scale(s[i], 1 / size, k)
    }
    return Exchange(y: y, q: q, z: z, s: s, h: h, r: r)
  }

  /// The diagonal and its intervals' half widths: XDiag, or Hutchinson's where products leave no full sketch.
  func diagonal(_ m: Int, _ probes: Probes, _ level: Double, _ d: Vector, _ half: Vector) throws(Failure) {
    let k = max(m / 2, 3), w = try Lines(k, n), e = try exchange(k, w, normal: false, probes)
    let count = e == nil ? max(m, 3) : k, rows = try Lines(count, n)
    if let e {
      let qs = try Lines(1, n), zs = try Lines(1, n), base = try Lines(1, n)
      for j in 0 ..< k { for a in 0 ..< n { base.p[a] += e.q[j][a] * e.z[j][a] } }
      for i in 0 ..< k {
        qs.p.update(repeating: 0, count: n)
        zs.p.update(repeating: 0, count: n)
        var c = 0.0
        for j in 0 ..< k {
          add(e.s[i][j], e.q[j], to: qs.p, n)
          add(e.s[i][j], e.z[j], to: zs.p, n)
          c += e.s[i][j] * e.r[j][i]
        }
        for a in 0 ..< n { rows[i][a] = base.p[a] - qs.p[a] * zs.p[a] + w[i][a] * qs.p[a] * c }
      }
    } else {
      let z = try Lines(count, n)
      for i in 0 ..< count { probes.rademacher(z[i], n, Purpose.diagonal, i) }
      try apply(z, rows, count)
      for i in 0 ..< count * n { rows.p[i] *= z.p[i] }
    }
    let t = (e == nil ? 1.02 : Inflation.xdiag) * studentCritical(level, count - 1)
    for a in 0 ..< n {
      var mean = 0.0, s = 0.0
      for i in 0 ..< count { mean += rows[i][a] }
      mean /= Double(count)
      for i in 0 ..< count { s += (rows[i][a] - mean) * (rows[i][a] - mean) }
      d[a] = mean
      half[a] = t * (s / Double(count - 1) / Double(count)).squareRoot()
    }
  }

  /// ||A||_F: what a sketch holds, exactly, and the rest by probes; an interval of the logarithm, since squares are skew.
  func frobenius(_ m: Int, _ probes: Probes, _ level: Double) throws(Failure) -> Figure {
    let k = max(m / 3, 2), s = try Sketch(self, k, probes), (_, ag) = try s.rest(self, probes)
    var top = 0.0
    for i in 0 ..< k { top += dot(s.z[i], s.z[i], n) }
    let room = Double(n - s.rank), f = meanInterval((0 ..< k).map { room * dot(ag[$0], ag[$0], n) }, level, inflation: Inflation.frobenius)
    guard f.value > 0 else { return Figure(top.squareRoot(), 0) }
    let ratio = exp(f.half / f.value)
    return Figure((top + f.value).squareRoot(), (top + f.value / ratio).squareRoot(), (top + f.value * ratio).squareRoot())
  }
}
