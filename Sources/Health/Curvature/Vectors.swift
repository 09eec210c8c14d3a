import CKernels
import Glibc
import Runtime
import Tape

/// Rows of n numbers from the allocator that may refuse, zero at first.
final class Lines {
  let p: Vector
  let rows: Int, n: Int
  init(_ rows: Int, _ n: Int) throws(Failure) {
    let (size, over) = max(rows, 1).multipliedReportingOverflow(by: max(n, 1))
    guard !over, size < 1 << 58, let raw = ck_alloc(size * 8) else { throw Failure(.memory, "curvature: \(rows) vectors of \(n) numbers were refused") }
    p = raw.bindMemory(to: Double.self, capacity: size)
    p.initialize(repeating: 0, count: size)
    (self.rows, self.n) = (rows, n)
  }
  deinit { ck_free(p) }
  @inline(__always) subscript(_ r: Int) -> Vector { p + r * n }
}

/// Orthonormal rows from the rows of `y` by Gram and Schmidt, twice; R (k x k, upper: y_j = sum_i r[i k + j] q_i). Rows that depend on those before are left zero.
func orthonormalize(_ y: Lines, _ k: Int, r: Vector) {
  let n = y.n
  for i in 0 ..< k * k { r[i] = 0 }
  for j in 0 ..< k {
    let v = y[j], whole = norm(v, n)
    for _ in 0 ..< 2 {
      for i in 0 ..< j {
        let c = dot(y[i], v, n)
        r[i * k + j] += c
        add(-c, y[i], to: v, n)
      }
    }
    let rest = norm(v, n)
    r[j * k + j] = rest > 1e-13 * whole ? rest : 0
    scale(v, rest > 1e-13 * whole ? 1 / rest : 0, n)
  }
}

/// Probes: pure functions of seed, purpose and number (Philox), so that figures do not depend on the order in which they are asked for.
struct Probes {
  var seed = 0
  func uniform(_ v: Vector, _ n: Int, _ purpose: Int, _ i: Int) {
    var key = ck_fold_key(ck_fold_key(Int64(seed), Int64(purpose)), Int64(i))
    ck_random_uniform(DType.f64.rawValue, &key, v, 1, n)
  }
  /// Signs.
  func rademacher(_ v: Vector, _ n: Int, _ purpose: Int, _ i: Int) {
    uniform(v, n, purpose, i)
    for j in 0 ..< n { v[j] = v[j] < 0.5 ? -1 : 1 }
  }
  /// Normal, by Box and Muller.
  func normal(_ v: Vector, _ n: Int, _ purpose: Int, _ i: Int) {
    uniform(v, n, purpose, 2 * i)
    var a = (0.0, 0.0), j = 0
    while j < n {
      if j + 1 < n { a = (v[j], v[j + 1]) } else {
        var one = 0.0
        uniform(&one, 1, purpose, 2 * i + 1)
        (a.0, a.1) = (v[j], one)
      }
      let r = (-2 * log(1 - a.0)).squareRoot(), angle = 2 * Double.pi * a.1
      v[j] = r * cos(angle)
      if j + 1 < n { v[j + 1] = r * sin(angle) }
      j += 2
    }
  }
}

/// A number and the interval that holds it.
package struct Figure: BitwiseCopyable, Sendable {
  package var value: Double, low: Double, high: Double
  package init(_ v: Double, _ l: Double, _ h: Double) { (value, low, high) = (v, l, h) }
  init(_ v: Double, _ half: Double) { (value, low, high) = (v, v - half, v + half) }
  package static let unknown = Figure(.nan, -.infinity, .infinity)
  var half: Double { (high - low) / 2 }
  func scaled(_ a: Double) -> Figure { Figure(value * a, a < 0 ? high * a : low * a, a < 0 ? low * a : high * a) }
}

/// P(|T| <= t) of Student's distribution by its finite sums (Abramowitz and Stegun 26.7.3 and 4).
private func within(_ t: Double, _ dof: Int) -> Double {
  let angle = atan(t / Double(dof).squareRoot()), s = sin(angle), c = cos(angle)
  if dof % 2 == 1 {
    var term = c, sum = dof > 1 ? c : 0, k = 3
    while k <= dof - 2 {
      term *= c * c * Double(k - 1) / Double(k)
      sum += term
      k += 2
    }
    return 2 / Double.pi * (angle + s * sum)
  }
  var term = 1.0, sum = 1.0, k = 2
  while k <= dof - 2 {
    term *= c * c * Double(k - 1) / Double(k)
    sum += term
    k += 2
  }
  return s * sum
}
/// The t with P(|T| <= t) = level.
func studentCritical(_ level: Double, _ dof: Int) -> Double {
  guard dof > 0 else { return .infinity }
  // By the angle: t = sqrt(dof) tan(angle).
  var low = 0.0, high = Double.pi / 2
  let n = min(dof, 2000)
  for _ in 0 ..< 60 {
    let angle = (low + high) / 2
    if within(Double(n).squareRoot() * tan(angle), n) < level { low = angle } else { high = angle }
  }
  return Double(n).squareRoot() * tan(high)
}
/// The mean with Student's interval, as wide as `inflation` says.
func meanInterval(_ x: [Double], _ level: Double, inflation: Double = 1, variance: Double = 0) -> Figure {
  let k = Double(x.count), m = x.reduce(0, +) / k
  guard x.count > 1 else { return Figure(m, -.infinity, .infinity) }
  var s = 0.0
  for v in x { s += (v - m) * (v - m) }
  return Figure(m, inflation * studentCritical(level, x.count - 1) * (max(s / (k - 1), variance) / k).squareRoot())
}
