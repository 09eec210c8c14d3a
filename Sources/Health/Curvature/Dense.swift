import Runtime
import Glibc
import Tape

/// Eigenvalues, ascending, and eigenvectors (rows of `v`) of the symmetric a (row-major, overwritten): Householder's reduction, then implicit QR with Wilkinson's shift
/// (Golub & Van Loan, Matrix Computations, 8.3).
func symmetricEigen(_ a: Vector, _ n: Int, _ values: Vector, _ v: Vector?) throws(Failure) {
  guard n > 0 else { return }
  let work = try Lines(3, n), e = work[0], h = work[1], q = work[2]
  if let v { for i in 0 ..< n { for j in 0 ..< n { v[i * n + j] = i == j ? 1 : 0 } } }
  for k in 0 ..< max(n - 2, 0) {
    var s = 0.0
    for i in k + 1 ..< n {
      h[i] = a[i * n + k]
      s = hypot(s, h[i])
    }
    e[k] = a[(k + 1) * n + k]
    var below = 0.0
    for i in k + 2 ..< n { below = max(below, abs(h[i])) }
    if below == 0 { continue }
    let alpha = h[k + 1] > 0 ? -s : s
    h[k + 1] -= alpha
    e[k] = alpha
    var hh = 0.0
    for i in k + 1 ..< n { hh += (h[i] / s) * (h[i] / s) }
    let beta = 2 / hh / s / s
    guard beta.isFinite else { continue }
    let m = n - k - 1
    for i in k + 1 ..< n { q[i] = beta * dot(a + i * n + k + 1, h + k + 1, m) }
    let c = beta / 2 * dot(q + k + 1, h + k + 1, m)
    for i in k + 1 ..< n { q[i] -= c * h[i] }
    for i in k + 1 ..< n {
      let row = a + i * n, x = h[i], y = q[i]
      for j in k + 1 ..< n { row[j] -= x * q[j] + y * h[j] }
    }
    if let v {
      for j in 0 ..< n { q[j] = 0 }
      for i in k + 1 ..< n { add(h[i], v + i * n, to: q, n) }
      for i in k + 1 ..< n { add(-beta * h[i], q, to: v + i * n, n) }
    }
  }
  if n > 1 { e[n - 2] = a[(n - 1) * n + n - 2] }
  for i in 0 ..< n { values[i] = a[i * n + i] }
  try tridiagonalEigen(values, e, n, v, columns: n)
}

/// Of the tridiagonal matrix with diagonal d and e beside it (both overwritten); d ends ascending. The rows of `v` (n of `columns` numbers) are rotated along: from the
/// identity they end as the eigenvectors.
func tridiagonalEigen(_ d: Vector, _ e: Vector, _ n: Int, _ v: Vector?, columns: Int) throws(Failure) {
  var high = n - 1, left = 60 * n + 100
  while high > 0 {
    for i in 0 ..< high where abs(e[i]) <= 0x1p-53 * (abs(d[i]) + abs(d[i + 1])) || abs(e[i]) < 1e-300 { e[i] = 0 }
    if e[high - 1] == 0 {
      high -= 1
      continue
    }
    var low = high - 1
    while low > 0, e[low - 1] != 0 { low -= 1 }
    left -= 1
    guard left > 0, (d[high] + e[high - 1]).isFinite else { throw Failure(.nonfinite, "curvature: the eigenvalues of a matrix that is not finite") }
    let half = (d[high - 1] - d[high]) / 2, f = e[high - 1]
    let shift = d[high] - f / (half + (half < 0 ? -hypot(half, f) : hypot(half, f))) * f
    var x = d[low] - shift, z = e[low]
    for k in low ..< high {
      let r = hypot(x, z), c = r == 0 ? 1 : x / r, s = r == 0 ? 0 : z / r
      if k > low { e[k - 1] = r }
      let a = d[k], b = d[k + 1], o = e[k]
      d[k] = c * c * a + 2 * c * s * o + s * s * b
      d[k + 1] = s * s * a - 2 * c * s * o + c * c * b
      e[k] = (c * c - s * s) * o + c * s * (b - a)
      if k + 1 < high {
        x = e[k]
        z = s * e[k + 1]
        e[k + 1] *= c
      }
      guard let v else { continue }
      let p = v + k * columns, q = p + columns
      for j in 0 ..< columns {
        let u = p[j], w = q[j]
        p[j] = c * u + s * w
        q[j] = c * w - s * u
      }
    }
  }
  for i in 0 ..< n {
    var least = i
    for j in i ..< n where d[j] < d[least] { least = j }
    guard least != i else { continue }
    (d[i], d[least]) = (d[least], d[i])
    if let v { for j in 0 ..< columns { (v[i * columns + j], v[least * columns + j]) = (v[least * columns + j], v[i * columns + j]) } }
  }
}

/// The lower Cholesky factor in place; false where a is not positive definite.
func cholesky(_ a: Vector, _ n: Int) -> Bool {
  for j in 0 ..< n {
    let d = a[j * n + j] - dot(a + j * n, a + j * n, j)
    guard d > 0, d.isFinite else { return false }
    let root = d.squareRoot()
    a[j * n + j] = root
    for i in j + 1 ..< max(n, j + 1) { a[i * n + j] = (a[i * n + j] - dot(a + i * n, a + j * n, j)) / root }
  }
  return true
}
/// b = L⁻¹ b.
func forwardSolve(_ l: Vector, _ n: Int, _ b: Vector) { for i in 0 ..< n { b[i] = (b[i] - dot(l + i * n, b, i)) / l[i * n + i] } }
