import CKernels
import Tape

/// Roundings that the wide format hides: 1 + 1e-100 is 1 in f64 and in binary128. Where own and wide result agree and nothing proves it exact,
/// they are taken to lie one error of the wide operator apart.
extension Rounding {
  /// Changes zeros of `d`, the differences of node n; `low` are its operands, `v` its result, `e` its bounds.
  func unhide(_ trace: Unrolled, _ n: NodeID, _ low: [UnsafeRawPointer], _ v: UnsafePointer<Double>, _ e: UnsafePointer<Double>?, _ d: UnsafeMutableRawPointer) {
    let t = trace.tape, op = t.op(n), count = t.type(n).count, unit = Format(t.dtype(n))?.unit ?? 0x1p-53, bits = trace.quad ? 113 : 53, size = trace.quad ? 16 : 8
    let inputs = t.inputs(n), floats = inputs.indices.filter { t.dtype(inputs[$0]).isFloat }
    let x = floats.map { low[$0].assumingMemoryBound(to: Double.self) }, counts = floats.map { t.type(inputs[$0]).count }
    func at(_ k: Int, _ i: Int) -> Double { k < x.count ? x[k][counts[k] == count ? i : 0] : 0 }
    var whole: Bool?
    for i in 0 ..< count where v[i].isFinite && isZero(d + i * size, 1, trace.quad) {
      if op.isElementwise {
        if proven(op.elementwise, at(0, i), at(1, i), at(2, i), bits) { continue }
      } else {
        whole = whole ?? proven(op.structural, x, counts, bits)
        if whole == true { continue }
      }
      var least = wideUnit(op, trace.quad) / unit * (e?[i] ?? abs(v[i]) * unit)
      trace.wide.convert(.f64, &least, .f64, d + i * size, 1)
    }
  }

  /// Exponents of the highest and the lowest bit that is set, of a finite number that is not 0.
  private func span(_ x: Double) -> (high: Int, low: Int) { (Int(x.exponent), Int(x.exponent) - (x.significandWidth)) }
  private func span(_ x: UnsafePointer<Double>, _ n: Int) -> (high: Int, low: Int)? {
    var s: (high: Int, low: Int)?
    for i in 0 ..< n where x[i] != 0 {
      guard x[i].isFinite else { return nil }
      let k = span(x[i])
      s = s.map { (max($0.high, k.high), min($0.low, k.low)) } ?? k
    }
    return s ?? (0, 0)
  }
  private func isWhole(_ x: Double, _ most: Double) -> Bool { abs(x) <= most && 2 * x == (2 * x).rounded() }

  /// Whether a result that was not rounded away in the wide format is exact. Sums: all bits fit; quotients and roots of numbers of p bits cannot lie nearer to one of p bits than
  /// 2^-2p of it and not be it; other functions reach such numbers at small whole operands only, or in a limit.
  private func proven(_ op: Elementwise, _ x: Double, _ y: Double, _ z: Double, _ bits: Int) -> Bool {
    guard x.isFinite, y.isFinite, z.isFinite else { return true }
    func fits(_ a: (high: Int, low: Int), _ b: (high: Int, low: Int)) -> Bool { max(a.high, b.high) + 2 - min(a.low, b.low) <= bits }
    let isSmall = isWhole(x, 4) && isWhole(y, 4) && isWhole(z, 4), isInteger = isWhole(x, 0x1p20) && isWhole(y, 0x1p20)
    switch op {
    case .unary(let u):
      switch u {
      case .square, .reciprocal, .sqrt: return true
      case .rsqrt, .cbrt, .exp2: return isInteger
      default: return isSmall
      }
    case .binary(let b):
      switch b {
      case .add, .sub: return x == 0 || y == 0 || fits(span(x), span(y))
      case .mul, .div, .fmod: return true
      // A remainder of the other sign has y added to it.
      case .mod: return x == 0 || y == 0 || (x < 0) == (y < 0) || fits(span(x), span(y))
      case .hypot, .pow: return isInteger
      default: return isSmall
      }
    case .ternary(let q):
      guard q == .fma, x != 0, y != 0, z != 0 else { return q == .fma || isSmall }
      let a = span(x), b = span(y)
      return fits((a.high + b.high + 1, a.low + b.low), span(z))
    }
  }
  private func proven(_ op: Structural?, _ x: [UnsafePointer<Double>], _ counts: [Int], _ bits: Int) -> Bool {
    let spans = x.indices.map { span(x[$0], counts[$0]) }, most = counts.max() ?? 1
    let carry = Int.bitWidth - most.leadingZeroBitCount
    guard let a = spans.first, let a else { return false }
    switch op {
    case .sum, .cumsum, .scatterAdd: return a.high + 1 + carry - a.low <= bits
    case .matmul, .conv:
      guard let b = spans.last, let b else { return false }
      return a.high + b.high + 2 + carry - a.low - b.low <= bits
    case .prod, .cumprod: return most <= bits && (a.high + 1 - a.low) * most <= bits
    case .max, .min, .sort: return true
    default: return false
    }
  }
}
