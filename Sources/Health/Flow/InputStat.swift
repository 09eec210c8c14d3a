import CKernels
import Tape

/// The conditioning of an input: rows of its first batches, in f64, [rows, features].
package final class InputStat {
  let features: Int, capacity: Int, batch: Int, dtype: DType
  let isWatched: Bool
  let rows: Block
  private(set) var count = 0, largest = 0.0
  private var squares = 0.0
  var rms: Double { count > 0 ? (squares / Double(count * features)).squareRoot() : .nan }

  init(_ t: TensorType, _ fed: Bool) throws(Failure) {
    dtype = t.dtype
    batch = t.shape.first ?? 0
    features = batch > 0 ? t.count / batch : 0
    isWatched = fed && t.dtype.isFloat && t.rank >= 2 && features > 1 && features <= 65536
    capacity = isWatched ? max(min((1 << 18) / features, 256), 8) : 0
    rows = try Block(capacity * features * 8)
  }

  func forget() { (count, largest, squares) = (0, 0, 0) }

  func add(_ x: UnsafeRawPointer?) {
    guard isWatched, let x else { return }
    let p = rows.p.assumingMemoryBound(to: Double.self)
    for r in 0 ..< batch where count < capacity {
      for f in 0 ..< features {
        let v = element(x, dtype, r * features + f)
        p[count * features + f] = v.isFinite ? v : 0
        squares += v.isFinite ? v * v : 0
        largest = max(largest, abs(v))
      }
      count += 1
    }
  }

  struct Figures { var top = Double.nan, typical = Double.nan, live = 0, offset = Double.nan, spread = Double.nan }

  /// Mean and variance of every feature.
  func moments() -> (mean: [Double], variance: [Double]) {
    let p = rows.p.assumingMemoryBound(to: Double.self)
    var mean = [Double](repeating: 0, count: features), variance = mean
    for r in 0 ..< count { for f in 0 ..< features { mean[f] += p[r * features + f] } }
    for f in 0 ..< features { mean[f] /= Double(max(count, 1)) }
    for r in 0 ..< count { for f in 0 ..< features { let d = p[r * features + f] - mean[f]; variance[f] += d * d } }
    for f in 0 ..< features { variance[f] /= Double(max(count, 1)) }
    return (mean, variance)
  }

  /// The largest eigenvalue of the second moment (by power iteration) against the typical variance of a feature that is not constant.
  func figures() -> Figures {
    var out = Figures()
    guard count >= 4 else { return out }
    let (mean, variance) = moments(), p = rows.p.assumingMemoryBound(to: Double.self)
    let varied = variance.indices.filter { variance[$0] > 1e-12 * (mean[$0] * mean[$0] + variance[$0]) && variance[$0] > 0 }
    guard varied.count >= 2 else { return out }
    var v = [Double](repeating: 1, count: features), top = 0.0
    for f in v.indices { v[f] += Double(f % 7) * 0.01 }
    for _ in 0 ..< 12 {
      var w = [Double](repeating: 0, count: features)
      for r in 0 ..< count {
        var s = 0.0
        for f in 0 ..< features { s += p[r * features + f] * v[f] }
        for f in 0 ..< features { w[f] += s * p[r * features + f] }
      }
      var n = 0.0, m = 0.0
      for f in 0 ..< features { n += w[f] * w[f]; m += v[f] * v[f] }
      top = m > 0 ? (n / m).squareRoot() / Double(count) : 0
      guard n > 0, n.isFinite else { break }
      for f in 0 ..< features { v[f] = w[f] / n.squareRoot() }
    }
    let sorted = varied.map { variance[$0] }.sorted()
    out.top = top
    out.live = varied.count
    out.typical = sorted[sorted.count / 2]
    out.offset = middle(varied.map { abs(mean[$0]) / variance[$0].squareRoot() })
    out.spread = (sorted[sorted.count - 1 - sorted.count / 20] / sorted[sorted.count / 20]).squareRoot()
    return out
  }
}
