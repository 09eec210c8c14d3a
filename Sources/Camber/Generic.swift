import Glibc

/// What a function generic over numbers needs to run with Double and with Node alike:
///
///     func energy<T: CamberReal>(_ q: T, _ v: T) -> T { 0.5 * v * v + 9.81 * (1 - cos(q)) }
///
/// Numbers beside a T are Doubles; a sum begins with `x.like(0)`. Comparisons (.<, .> and the like) give a T.Condition for `select`.
public protocol CamberReal {
  associatedtype Condition
  static func + (a: Self, b: Self) -> Self
  static func - (a: Self, b: Self) -> Self
  static func * (a: Self, b: Self) -> Self
  static func / (a: Self, b: Self) -> Self
  static func + (a: Self, b: Double) -> Self
  static func - (a: Self, b: Double) -> Self
  static func * (a: Self, b: Double) -> Self
  static func / (a: Self, b: Double) -> Self
  static func + (a: Double, b: Self) -> Self
  static func - (a: Double, b: Self) -> Self
  static func * (a: Double, b: Self) -> Self
  static func / (a: Double, b: Self) -> Self
  static prefix func - (a: Self) -> Self
  static func .< (a: Self, b: Self) -> Condition
  static func .<= (a: Self, b: Self) -> Condition
  static func .> (a: Self, b: Self) -> Condition
  static func .>= (a: Self, b: Self) -> Condition
  static func .< (a: Self, b: Double) -> Condition
  static func .> (a: Self, b: Double) -> Condition
  /// A number of this kind: of a node its dtype, on its tape.
  func like(_ v: Double) -> Self
  static func select(_ condition: Condition, _ a: Self, _ b: Self) -> Self
  /// A function of <math.h> by its row, one operand or two.
  static func unary(_ f: ElementaryFunction, _ x: Self) -> Self
  static func binary(_ f: ElementaryFunction2, _ x: Self, _ y: Self) -> Self
}

public enum ElementaryFunction: String, CaseIterable, Sendable {
  case abs, floor, ceil, round, trunc, sqrt, cbrt, exp, exp2, expm1, log, log2, log10, log1p, sin, cos, tan, asin, acos, atan
  case sinh, cosh, tanh, asinh, acosh, atanh, erf, erfc, lgamma
}
public enum ElementaryFunction2: String, CaseIterable, Sendable { case pow, atan2, hypot, maximum, minimum }

extension CamberReal {
  public static func += (a: inout Self, b: Self) { a = a + b }
  public static func -= (a: inout Self, b: Self) { a = a - b }
  public static func *= (a: inout Self, b: Self) { a = a * b }
  public static func /= (a: inout Self, b: Self) { a = a / b }
  public static func += (a: inout Self, b: Double) { a = a + b }
  public static func -= (a: inout Self, b: Double) { a = a - b }
  public static func *= (a: inout Self, b: Double) { a = a * b }
  public static func /= (a: inout Self, b: Double) { a = a / b }
}

extension Node: CamberReal {
  public static func select(_ condition: Node, _ a: Node, _ b: Node) -> Node { Camber.select(condition, a, b) }
  public static func unary(_ f: ElementaryFunction, _ x: Node) -> Node { apply(f.rawValue, [x]) }
  public static func binary(_ f: ElementaryFunction2, _ x: Node, _ y: Node) -> Node { apply(f.rawValue, [x, y]) }

  // A traced value has no order that Swift could branch on: the compiler says so at the line.
  @available(*, unavailable, message: "a traced value has no value until its program runs: use .< with select, cond, or a loop of the tape")
  public static func < (a: Node, b: Node) -> Bool { false }
  @available(*, unavailable, message: "a traced value has no value until its program runs: use .> with select, cond, or a loop of the tape")
  public static func > (a: Node, b: Node) -> Bool { false }
  @available(*, unavailable, message: "a traced value has no value until its program runs: use .<= with select, cond, or a loop of the tape")
  public static func <= (a: Node, b: Node) -> Bool { false }
  @available(*, unavailable, message: "a traced value has no value until its program runs: use .>= with select, cond, or a loop of the tape")
  public static func >= (a: Node, b: Node) -> Bool { false }
  @available(*, unavailable, message: "a traced value has no value until its program runs: use .< with select, cond, or a loop of the tape")
  public static func < (a: Node, b: Double) -> Bool { false }
  @available(*, unavailable, message: "a traced value has no value until its program runs: use .> with select, cond, or a loop of the tape")
  public static func > (a: Node, b: Double) -> Bool { false }
}

extension Double: CamberReal {
  public static func .< (a: Double, b: Double) -> Bool { a < b }
  public static func .<= (a: Double, b: Double) -> Bool { a <= b }
  public static func .> (a: Double, b: Double) -> Bool { a > b }
  public static func .>= (a: Double, b: Double) -> Bool { a >= b }
  public func like(_ v: Double) -> Double { v }
  public static func select(_ condition: Bool, _ a: Double, _ b: Double) -> Double { condition ? a : b }
  public static func unary(_ f: ElementaryFunction, _ x: Double) -> Double {
    switch f {
    case .abs: Swift.abs(x)
    case .floor: x.rounded(.down)
    case .ceil: x.rounded(.up)
    case .round: x.rounded(.toNearestOrEven)
    case .trunc: x.rounded(.towardZero)
    case .sqrt: x.squareRoot()
    case .cbrt: Glibc.cbrt(x)
    case .exp: Glibc.exp(x)
    case .exp2: Glibc.exp2(x)
    case .expm1: Glibc.expm1(x)
    case .log: Glibc.log(x)
    case .log2: Glibc.log2(x)
    case .log10: Glibc.log10(x)
    case .log1p: Glibc.log1p(x)
    case .sin: Glibc.sin(x)
    case .cos: Glibc.cos(x)
    case .tan: Glibc.tan(x)
    case .asin: Glibc.asin(x)
    case .acos: Glibc.acos(x)
    case .atan: Glibc.atan(x)
    case .sinh: Glibc.sinh(x)
    case .cosh: Glibc.cosh(x)
    case .tanh: Glibc.tanh(x)
    case .asinh: Glibc.asinh(x)
    case .acosh: Glibc.acosh(x)
    case .atanh: Glibc.atanh(x)
    case .erf: Glibc.erf(x)
    case .erfc: Glibc.erfc(x)
    case .lgamma: Glibc.lgamma(x)
    }
  }
  public static func binary(_ f: ElementaryFunction2, _ x: Double, _ y: Double) -> Double {
    switch f {
    case .pow: Glibc.pow(x, y)
    case .atan2: Glibc.atan2(x, y)
    case .hypot: Glibc.hypot(x, y)
    case .maximum: x.isNaN || x > y ? x : y
    case .minimum: x.isNaN || x < y ? x : y
    }
  }
}

@_disfavoredOverload public func abs<T: CamberReal>(_ x: T) -> T { T.unary(.abs, x) }
@_disfavoredOverload public func floor<T: CamberReal>(_ x: T) -> T { T.unary(.floor, x) }
@_disfavoredOverload public func ceil<T: CamberReal>(_ x: T) -> T { T.unary(.ceil, x) }
@_disfavoredOverload public func round<T: CamberReal>(_ x: T) -> T { T.unary(.round, x) }
@_disfavoredOverload public func trunc<T: CamberReal>(_ x: T) -> T { T.unary(.trunc, x) }
@_disfavoredOverload public func sqrt<T: CamberReal>(_ x: T) -> T { T.unary(.sqrt, x) }
@_disfavoredOverload public func cbrt<T: CamberReal>(_ x: T) -> T { T.unary(.cbrt, x) }
@_disfavoredOverload public func exp<T: CamberReal>(_ x: T) -> T { T.unary(.exp, x) }
@_disfavoredOverload public func exp2<T: CamberReal>(_ x: T) -> T { T.unary(.exp2, x) }
@_disfavoredOverload public func expm1<T: CamberReal>(_ x: T) -> T { T.unary(.expm1, x) }
@_disfavoredOverload public func log<T: CamberReal>(_ x: T) -> T { T.unary(.log, x) }
@_disfavoredOverload public func log2<T: CamberReal>(_ x: T) -> T { T.unary(.log2, x) }
@_disfavoredOverload public func log10<T: CamberReal>(_ x: T) -> T { T.unary(.log10, x) }
@_disfavoredOverload public func log1p<T: CamberReal>(_ x: T) -> T { T.unary(.log1p, x) }
@_disfavoredOverload public func sin<T: CamberReal>(_ x: T) -> T { T.unary(.sin, x) }
@_disfavoredOverload public func cos<T: CamberReal>(_ x: T) -> T { T.unary(.cos, x) }
@_disfavoredOverload public func tan<T: CamberReal>(_ x: T) -> T { T.unary(.tan, x) }
@_disfavoredOverload public func asin<T: CamberReal>(_ x: T) -> T { T.unary(.asin, x) }
@_disfavoredOverload public func acos<T: CamberReal>(_ x: T) -> T { T.unary(.acos, x) }
@_disfavoredOverload public func atan<T: CamberReal>(_ x: T) -> T { T.unary(.atan, x) }
@_disfavoredOverload public func sinh<T: CamberReal>(_ x: T) -> T { T.unary(.sinh, x) }
@_disfavoredOverload public func cosh<T: CamberReal>(_ x: T) -> T { T.unary(.cosh, x) }
@_disfavoredOverload public func tanh<T: CamberReal>(_ x: T) -> T { T.unary(.tanh, x) }
@_disfavoredOverload public func asinh<T: CamberReal>(_ x: T) -> T { T.unary(.asinh, x) }
@_disfavoredOverload public func acosh<T: CamberReal>(_ x: T) -> T { T.unary(.acosh, x) }
@_disfavoredOverload public func atanh<T: CamberReal>(_ x: T) -> T { T.unary(.atanh, x) }
@_disfavoredOverload public func erf<T: CamberReal>(_ x: T) -> T { T.unary(.erf, x) }
@_disfavoredOverload public func erfc<T: CamberReal>(_ x: T) -> T { T.unary(.erfc, x) }
@_disfavoredOverload public func lgamma<T: CamberReal>(_ x: T) -> T { T.unary(.lgamma, x) }
@_disfavoredOverload public func pow<T: CamberReal>(_ x: T, _ y: T) -> T { T.binary(.pow, x, y) }
@_disfavoredOverload public func pow<T: CamberReal>(_ x: T, _ y: Double) -> T { T.binary(.pow, x, x.like(y)) }
@_disfavoredOverload public func atan2<T: CamberReal>(_ x: T, _ y: T) -> T { T.binary(.atan2, x, y) }
@_disfavoredOverload public func hypot<T: CamberReal>(_ x: T, _ y: T) -> T { T.binary(.hypot, x, y) }
@_disfavoredOverload public func maximum<T: CamberReal>(_ x: T, _ y: T) -> T { T.binary(.maximum, x, y) }
@_disfavoredOverload public func minimum<T: CamberReal>(_ x: T, _ y: T) -> T { T.binary(.minimum, x, y) }
@_disfavoredOverload public func select<T: CamberReal>(_ c: T.Condition, _ x: T, _ y: T) -> T { T.select(c, x, y) }
