import CKernels
import Tape

/// What the kernels know of elementwise rows, asked once: the walk over millions of scalars looks only here.
enum Rows {
  static let count: Int = {
    var n = 0
    while ck_row_name(Int32(n)) != nil { n += 1 }
    return n
  }()
  static let classes: [OpClass] = (0 ..< count).map { ck_row_class(Int32($0)) }
  /// By row * 7 + dtype: the code of scalar programs, -1 where the row does not take the dtype.
  static let codes: [Int32] = (0 ..< count * 7).map { ck_scalar_code_row(Int32($0 / 7), Int32($0 % 7)) }
  static let stopGradient = OpCode(Unary.stop_gradient).raw
  static let round: [Int32] = (0 ..< 7).map { ck_scalar_code_round(Int32($0)) }
  static let load: [Int32] = (0 ..< 7).map { ck_scalar_code_load(Int32($0)) }
  static let store: [Int32] = (0 ..< 7).map { ck_scalar_code_store(Int32($0)) }
  static let pair: [Int32] = (0 ..< 7).map { ck_scalar_code_pair(Int32($0)) }
  static let fill: [Int32] = (0 ..< 7).map { ck_scalar_code_fill(Int32($0)) }
  static let cast: [Int32] = (0 ..< 49).map { ck_scalar_code_cast(Int32($0 / 7), Int32($0 % 7)) }

  /// Nanoseconds for a byte of the result: what the vectorised kernels take in the first-level cache, roughly.
  static let cost: [Double] = {
    var c = [Double](repeating: 0.12, count: count)
    for u: Unary in [.neg, .abs, .sign, .square, .sqrt, .reciprocal, .relu, .stop_gradient, .logical_not] { c[Int(OpCode(u).raw)] = 0.02 }
    for b: Binary in [.add, .sub, .mul, .div, .maximum, .minimum, .fmax, .fmin, .eq, .ne, .lt, .le, .gt, .ge, .logical_and, .logical_or, .logical_xor] { c[Int(OpCode(b).raw)] = 0.02 }
    for t: Ternary in [.select, .clamp, .gate] { c[Int(OpCode(t).raw)] = 0.03 }
    return c
  }()

  /// That of an instruction by its code: 0.03 for what is no row.
  static func cost(code: Int32) -> Double { code >= 0 && Int(code) < 7 * count ? cost[Int(code) / 7] : 0.03 }

  /// Rows that give one of their operands, or its negative: nothing to round in 16 bits.
  static let exact: [Bool] = {
    var e = [Bool](repeating: false, count: count)
    for u: Unary in [.neg, .abs, .sign, .relu, .stop_gradient] { e[Int(OpCode(u).raw)] = true }
    for b: Binary in [.maximum, .minimum, .fmax, .fmin] { e[Int(OpCode(b).raw)] = true }
    e[Int(OpCode(Ternary.select).raw)] = true
    e[Int(OpCode(Ternary.clamp).raw)] = true
    return e
  }()
}
