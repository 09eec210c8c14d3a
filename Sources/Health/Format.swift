package import Tape

/// A floating-point format's constants (IEEE 754 binary64, binary32, binary16; bfloat16), exact in f64: round to nearest, subnormals kept.
package struct Format: Sendable, Equatable {
  /// Unit roundoff: half the distance from 1 to the next number.
  package let unit: Double
  /// The smallest subnormal and the smallest normal number.
  package let tiny: Double, normal: Double
  /// The largest finite number; what lies half a unit above it rounds to infinity.
  package let largest: Double

  package init?(_ dtype: DType) {
    switch dtype {
    case .f64: self.init(bits: 53, lowest: -1022, highest: 1023)
    case .f32: self.init(bits: 24, lowest: -126, highest: 127)
    case .bf16: self.init(bits: 8, lowest: -126, highest: 127)
    case .f16: self.init(bits: 11, lowest: -14, highest: 15)
    case .i64, .i32, .bool: return nil
    }
  }

  private init(bits: Int, lowest: Int, highest: Int) {
    func power(_ e: Int) -> Double { e >= -1022 ? Double(sign: .plus, exponent: e, significand: 1) : Double(bitPattern: 1 << UInt64(e + 1074)) }
    unit = power(-bits)
    normal = power(lowest)
    tiny = power(lowest - bits + 1)
    largest = (2 - 2 * power(-bits)) * power(highest)
  }
}
