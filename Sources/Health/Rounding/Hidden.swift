import CKernels
import Tape

/// Roundings that the wide format hides: 1 + 1e-100 is 1 in f64 and in binary128. Where own and wide result agree and nothing proves it exact,
/// they are taken to lie one error of the wide operator apart.
extension Rounding {
  /// Changes zeros of `d`, the differences of node n; `low` are its operands, `v` its result, `e` its bounds.
  func unhide(_ t: Tape, _ n: NodeID, _ low: [UnsafeRawPointer], _ v: UnsafePointer<Double>, _ e: UnsafePointer<Double>?, _ d: UnsafeMutableRawPointer, quad: Bool) {
    let op = t.op(n), count = t.type(n).count, unit = Format(t.dtype(n))?.unit ?? 0x1p-53
    let ratio = quad ? (isSummed(op) ? 0x1p-88 : 0x1p-110) / unit : 0x1p-51 / unit, size = quad ? 16 : 8
    let inputs = t.inputs(n), floats = inputs.indices.filter { t.dtype(inputs[$0]).isFloat }
    let x = floats.map { low[$0].assumingMemoryBound(to: Double.self) }, counts = floats.map { t.type(inputs[$0]).count }
    var whole: Bool?
    for i in 0 ..< count where v[i].isFinite && isZero(d + i * size, 1, quad) {
      let exact: Bool
      if op.isElementwise {
        exact = proven(op.elementwise, x.indices.map { x[$0][counts[$0] == count ? i : 0] }, quad ? 113 : 53)
      } else {
        if whole == nil { whole = proven(op.structural, x, counts, quad ? 113 : 53) }
        exact = whole == true
      }
      if exact { continue }
      var least = ratio * (e?[i] ?? abs(v[i]) * unit)
      convert(&least, d + i * size, quad)
    }
  }
  private func convert(_ a: inout Double, _ out: UnsafeMutableRawPointer, _ quad: Bool) {
    if quad { ck_quad_from(DType.f64.rawValue, &a, out, 1) } else { out.storeBytes(of: a, as: Double.self) }
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
  private func proven(_ op: Elementwise, _ x: [Double], _ bits: Int) -> Bool {
    guard x.allSatisfy(\.isFinite) else { return true }
    func fits(_ a: (high: Int, low: Int), _ b: (high: Int, low: Int)) -> Bool { max(a.high, b.high) + 2 - min(a.low, b.low) <= bits }
    switch op {
    case .unary(let u):
      switch u {
      case .square, .reciprocal, .sqrt: return true
      case .rsqrt, .cbrt, .exp2: return isWhole(x[0], 0x1p20)
      default: return isWhole(x[0], 4)
      }
    case .binary(let b):
      switch b {
      case .add, .sub: return x[0] == 0 || x[1] == 0 || fits(span(x[0]), span(x[1]))
      case .mul, .div, .fmod, .mod: return true
      case .hypot, .pow: return isWhole(x[0], 0x1p20) && isWhole(x[1], 0x1p20)
      default: return isWhole(x[0], 4) && isWhole(x[1], 4)
      }
    case .ternary(let q):
      guard q == .fma else { return x.allSatisfy { isWhole($0, 4) } }
      if x[2] == 0 || x[0] == 0 || x[1] == 0 { return true }
      let a = span(x[0]), b = span(x[1])
      return fits((a.high + b.high + 1, a.low + b.low), span(x[2]))
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
    case .prod, .cumprod: return (a.high + 1 - a.low).multipliedReportingOverflow(by: most).partialValue <= bits && most <= bits
    case .max, .min, .sort: return true
    default: return false
    }
  }
}
