package import Tape

/// How far outputs lie from exact at a point by the adjoint-weighted bound, the most of up to 16 elements that are not zero, relative to
/// the largest element of all: what tells apart methods that compute the same matrix. nil where that cannot be told.
package func derivativeError(_ t: Tape, _ inputs: [NodeID], _ outputs: [NodeID], _ point: [UnsafeRawPointer?]) -> Double? {
  do throws(Failure) {
    let r = try Rounding(t, outputs: outputs.filter { t.dtype($0).isFloat }, inputs: inputs)
    for (name, value) in [("node_limit", 65536.0), ("memory_limit", 268_435_456), ("top", 0), ("branches", 0), ("literals", 0)] { if let f = r.set(name, value) { throw f } }
    try r.run { point[$0] }
    guard let trace = r.trace else { return nil }
    var largest = 0.0, places: [(output: Int, element: Int)] = []
    let narrow = Evaluator(width: .f64, scratch: Pool(limit: 1 << 16))
    for (k, n) in r.roots.enumerated() {
      guard let v = trace.values[n.i] else { return nil }
      let d = trace.tape.dtype(n), count = trace.tape.type(n).count
      for i in 0 ..< count {
        var x = 0.0
        withUnsafeMutableBytes(of: &x) { if let p = $0.baseAddress { narrow.convert(d, UnsafeRawPointer(v) + i * d.size, .f64, p, 1) } }
        if x == 0 || x.isNaN { continue }
        largest = max(largest, abs(x))
        places.append((k, i))
      }
    }
    guard largest > 0, largest.isFinite else { return places.isEmpty ? 0 : nil }
    var most = 0.0
    for k in stride(from: 0, to: places.count, by: max(1, (places.count + 15) / 16)) {
      try r.at(output: places[k].output, element: places[k].element)
      let e = r.figures.adjoint.isFinite ? r.figures.adjoint : r.figures.bound
      guard e.isFinite else { return nil }
      most = max(most, e / largest)
    }
    return most
  } catch { return nil }
}
