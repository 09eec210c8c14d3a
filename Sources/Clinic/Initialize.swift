import CKernels
import Glibc
import Health
package import Tape

/// Initial weights, drawn from Camber's counter-based generator: the same seed gives the same numbers everywhere.
/// Units of a matrix [inputs, units] are its columns, of a convolution's weights [units, channels, window...] the first axis.
package enum Initializer: String, CaseIterable {
  case he, xavier, lecun, orthogonal, zeros

  package static func named(_ s: String) -> Initializer? { Initializer(rawValue: s) }
}

/// Fills an array. `gain` multiplies; 0 stands for the method's own: the root of 2 for he, else 1.
package func initialize(_ how: Initializer, _ t: TensorType, _ p: UnsafeMutableRawPointer, gain: Double, seed: Int64) throws(Failure) {
  guard t.dtype.isFloat else { throw Failure(.dtype, "initialize: takes floats, not \(t.description)") }
  guard gain.isFinite, gain >= 0 else { throw Failure(.invalid, "initialize: gain \(gain) is not a finite number >= 0") }
  let n = t.count
  guard n > 0 else { return }
  let first = t.rank == 2, units = t.rank == 0 ? 1 : first ? t.shape[1] : t.shape[0], fan = max(n / max(units, 1), 1)
  guard let raw = ck_alloc(n * 8) else { throw Failure(.memory, "initialize: \(n * 8) bytes were refused") }
  defer { ck_free(raw) }
  let w = raw.bindMemory(to: Double.self, capacity: n)
  if how == .zeros { w.initialize(repeating: 0, count: n) } else { normals(w, n, seed) }
  let own = gain > 0 ? gain : how == .he ? 2.0.squareRoot() : 1
  switch how {
  case .zeros: break
  case .he, .lecun: for i in 0 ..< n { w[i] *= own / Double(fan).squareRoot() }
  // Glorot & Bengio 2010: variance 2 / (inputs + units); of a window both count its places.
  case .xavier:
    let window = t.rank > 2 ? t.shape[2...].reduce(1, &*) : 1
    for i in 0 ..< n { w[i] *= own * (2 / Double(fan + units * window)).squareRoot() }
  case .orthogonal:
    let rows = first ? fan : units, columns = first ? units : fan
    // Entries of variance gain² / inputs: rows or columns that are orthogonal have this length.
    orthonormalize(w, rows, columns)
    let length = min(rows, columns) == columns ? rows : columns
    for i in 0 ..< n { w[i] *= own * (Double(length) / Double(fan)).squareRoot() }
  }
  if t.dtype == .f64 { p.copyMemory(from: raw, byteCount: n * 8) } else { ck_cast_kernel(DType.f64.rawValue, t.dtype.rawValue)?(w, nil, nil, p, n) }
}

/// Box and Muller's normals from uniforms of the generator.
private func normals(_ w: UnsafeMutablePointer<Double>, _ n: Int, _ seed: Int64) {
  withUnsafeTemporaryAllocation(of: Double.self, capacity: 512) { u in
    guard let b = u.baseAddress else { return }
    var i = 0
    while i < n {
      ck_random_uniform_part(DType.f64.rawValue, seed, b, 2 * i, 512)
      for k in 0 ..< min(256, n - i) { w[i + k] = (-2 * log(1 - b[2 * k])).squareRoot() * cos(2 * Double.pi * b[2 * k + 1]) }
      i += 256
    }
  }
}

/// The shorter side's vectors made orthonormal, by Gram and Schmidt twice; very large ones stay normal, of the same length on average.
private func orthonormalize(_ w: UnsafeMutablePointer<Double>, _ rows: Int, _ columns: Int) {
  let vectors = min(rows, columns), length = max(rows, columns)
  let (across, along) = columns <= rows ? (1, columns) : (columns, 1)
  if vectors > 1024 {
    for i in 0 ..< rows * columns { w[i] /= Double(length).squareRoot() }
    return
  }
  for v in 0 ..< vectors {
    let x = w + v * across
    for _ in 0 ..< 2 {
      for u in 0 ..< v {
        let y = w + u * across
        var s = 0.0
        for k in 0 ..< length { s += x[k * along] * y[k * along] }
        for k in 0 ..< length { x[k * along] -= s * y[k * along] }
      }
    }
    var s = 0.0
    for k in 0 ..< length { s += x[k * along] * x[k * along] }
    s = s > 0 ? 1 / s.squareRoot() : 0
    for k in 0 ..< length { x[k * along] *= s }
  }
}
