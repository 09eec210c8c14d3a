import CKernels
import Tape

/// Numbers that constants stand for, where their rounding shows what was meant: irrational ones (the derivatives' own among them), to some 160 bits
/// in three parts; and decimals of at most 15 digits.
private let irrationals: [(Double, Double, Double)] = [
  (0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56, 0x1.7b57a079a1934p-111),    // ln 2
  (0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56, -0x1.60bb8a5442ab9p-110),   // log2 e
  (0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57, 0x1.ee191f71a3012p-112),    // log10 e
  (0x1.20dd750429b6dp+0, 0x1.1ae3a914fed80p-56, -0x1.3cbbebf65f145p-111),   // 2 / sqrt pi
  (0x1.c5bf891b4ef6bp-1, -0x1.618f13eb7ca89p-55, -0x1.b1f0071b7aae4p-111),  // sqrt(pi) / 2
  (0x1.6a09e667f3bcdp-1, -0x1.bdd3413b26456p-55, 0x1.57d3e3adec175p-109),   // 1 / sqrt 2
  (0x1.40d931ff62706p+0, -0x1.a6a0d6f814637p-54, -0x1.311d073060acep-108),  // sqrt(pi / 2)
  (0x1.9884533d43651p-1, -0x1.cbc0d30ebfd15p-55, -0x1.c7402c7d60cfbp-111),  // sqrt(2 / pi)
  (0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53, -0x1.f1976b7ed8fbcp-109),   // pi
  (0x1.5555555555555p-2, 0x1.5555555555555p-56, 0x1.5555555555555p-110),    // 1/3
  (0x1.5bf0a8b145769p+1, 0x1.4d57ee2b1013ap-53, -0x1.618713a31d3e2p-109),   // e
  (0x1.26bb1bbb55516p+1, -0x1.f48ad494ea3e9p-53, -0x1.9ebae3ae0260cp-107),  // ln 10
  (0x1.1df46a2529d39p-6, 0x1.5c1d8becdd291p-62, -0x1.1d937fa428858p-116),   // pi / 180
  (0x1.ca5dc1a63c1f8p+5, -0x1.1e7ab456405f9p-49, -0x1.b505196fabb41p-103),  // 180 / pi
  (0x1.d67f1c864beb5p-1, -0x1.65b5a1b7ff5dfp-55, -0x1.b7f70c13dc1ccp-110),  // ln(2 pi) / 2
]

/// What a constant may stand for: parts whose sum (divided by `over`) it is, and whether it is irrational.
struct Meant {
  let parts: (Double, Double, Double), over: Double
  let irrational: Bool

  /// nil where the number is what it says: a short binary fraction, or nothing known.
  init?(_ v: Double, _ d: DType) {
    guard v.isFinite, v != 0, v.magnitude >= 0x1p-900, v.magnitude < 0x1p900 else { return nil }
    let bits = d == .f64 ? 53 : d == .f32 ? 24 : d == .f16 ? 11 : 8
    let m = v.significand
    if (m * 0x1p6).rounded() == m * 0x1p6 { return nil }
    for c in irrationals where rounded(c.0.significand, to: d) == m {
      let s = Double(sign: v.sign, exponent: v.exponent - c.0.exponent, significand: 1)
      parts = (c.0 * s, c.1 * s, c.2 * s)
      over = 1
      irrational = true
      return
    }
    guard let (n, k) = Meant.decimal(d == .f64 ? "\(v)" : d == .f32 ? "\(Float(v))" : "", most: bits > 24 ? 15 : 6) else { return nil }
    guard k > 0 else { return nil }
    parts = (n, 0, 0)
    over = Meant.power(k)
    irrational = false
  }

  private static func power(_ k: Int) -> Double {
    var p = 1.0
    for _ in 0 ..< k { p *= 10 }
    return p
  }

  /// digits and a number of places behind the point, as the shortest text of a number has them.
  private static func decimal(_ s: String, most: Int) -> (Double, Int)? {
    var n = 0, digits = 0, places = 0, exponent = 0, behind = false, inExponent = false, minus = false, down = false
    for c in s.utf8 {
      switch c {
      case 0x2D: if inExponent { down = true } else { minus = true }
      case 0x2B: break
      case 0x2E: behind = true
      case 0x65: inExponent = true
      case 0x30 ... 0x39:
        let k = Int(c - 0x30)
        if inExponent {
          exponent = exponent * 10 + k
        } else {
          if n > 0 || k > 0 { digits += 1 }
          if digits > 17 { return nil }
          n = n * 10 + k
          if behind { places += 1 }
        }
      default: return nil
      }
    }
    while n > 0, n % 10 == 0, places > 0 {
      n /= 10
      places -= 1
      digits -= 1
    }
    places -= down ? -exponent : exponent
    guard digits > 0, digits <= most, places <= 22 else { return nil }
    return (minus ? -Double(n) : Double(n), places)
  }

  /// The number wide, to `out`; and how far the constant lies from it.
  func write(_ v: Double, _ quad: Bool, _ out: UnsafeMutableRawPointer, _ scratch: Pool) -> Double? {
    guard quad else {
      let x = parts.0 / over + parts.1
      out.storeBytes(of: x, as: Double.self)
      return abs(v - x)
    }
    guard let p = scratch.take(64) else { return nil }
    func put(_ x: Double, _ at: Int) {
      var y = x
      ck_quad_from(DType.f64.rawValue, &y, p + at, 1)
    }
    put(parts.0, 0)
    put(parts.1, 16)
    put(parts.2, 32)
    let add = Int32(OpCode(Binary.add).raw)
    _ = ck_quad_row(add, p + 16, p + 32, nil, p + 16, 1)
    _ = ck_quad_row(add, p, p + 16, nil, p, 1)
    put(over, 16)
    _ = ck_quad_row(Int32(OpCode(Binary.div).raw), p, p + 16, nil, out, 1)
    put(v, 16)
    ck_quad_sub(p + 16, out, p + 32, 1)
    var e = 0.0
    ck_quad_to(p + 32, &e, 1)
    return abs(e)
  }
}
