import CKernels
import Tape

/// The elementwise operators on nodes. `Node.apply` reaches every row of the table; the names below are for reading.
extension Node {
  /// A row of the operator table by its name, operands broadcast to each other; nil operands are none.
  public static func apply(_ name: String, _ operands: [Node]) -> Node {
    guard let first = operands.first else { return empty() }
    let core = first.tape.core
    guard let row = (0 ..< Int32(CK_ROW_COUNT)).first(where: { String(cString: ck_row_name($0)) == name }) else {
      return first.tape.node(core.fail(.invalid, "apply: no elementwise operator \"\(name)\""))
    }
    guard operands.count == Int(ck_row_arity(row)) else {
      return first.tape.node(core.fail(.invalid, "\(name): takes \(ck_row_arity(row)) operands, not \(operands.count)"))
    }
    return apply(OpCode(raw: UInt16(row)), operands)
  }

  private static func empty() -> Node { Tape().node(.none) }

  /// The names of all rows, in the table's order.
  public static var operatorNames: [String] { (0 ..< Int32(CK_ROW_COUNT)).map { String(cString: ck_row_name($0)) } }

  /// The innermost tape of the operands: a body's operators take the outer tapes' nodes.
  static func home(_ operands: [Node]) -> Tape {
    var best = operands[0].tape
    for o in operands.dropFirst() {
      var t: CoreTape? = o.tape.core
      while let here = t, here !== best.core { t = here.parent }
      if t != nil { best = o.tape }
    }
    return best
  }

  static func apply(_ op: OpCode, _ operands: [Node]) -> Node {
    let tape = home(operands), core = tape.core
    var ids = operands.map(tape.id)
    guard core.failure == nil else { return tape.node(.none) }
    var shape: [Int] = []
    for n in ids {
      guard core.contains(n) else { return tape.node(core.fail(.node, "\(op.name): an operand is not a node of this tape")) }
      guard let s = broadcastShapes(shape, core.shape(n)) else {
        return tape.node(core.fail(.shape, "\(op.name): shapes \(text(shape)) and \(text(core.shape(n))) do not broadcast"))
      }
      shape = s
    }
    ids = ids.map { core.broadcast($0, to: shape) }
    return tape.node(core.elementwise(op, ids[0], ids.count > 1 ? ids[1] : .none, ids.count > 2 ? ids[2] : .none))
  }

  public func like(_ v: Double) -> Node { tape.core.contains(id) ? tape.node(tape.core.constant(tape.core.dtype(id), v)) : self }

  public static func + (a: Node, b: Node) -> Node { apply(OpCode(Binary.add), [a, b]) }
  public static func - (a: Node, b: Node) -> Node { apply(OpCode(Binary.sub), [a, b]) }
  public static func * (a: Node, b: Node) -> Node { apply(OpCode(Binary.mul), [a, b]) }
  public static func / (a: Node, b: Node) -> Node { apply(OpCode(Binary.div), [a, b]) }
  public static func + (a: Node, b: Double) -> Node { a + a.like(b) }
  public static func - (a: Node, b: Double) -> Node { a - a.like(b) }
  public static func * (a: Node, b: Double) -> Node { a * a.like(b) }
  public static func / (a: Node, b: Double) -> Node { a / a.like(b) }
  public static func + (a: Double, b: Node) -> Node { b.like(a) + b }
  public static func - (a: Double, b: Node) -> Node { b.like(a) - b }
  public static func * (a: Double, b: Node) -> Node { b.like(a) * b }
  public static func / (a: Double, b: Node) -> Node { b.like(a) / b }
  public static prefix func - (a: Node) -> Node { apply(OpCode(Unary.neg), [a]) }
  public static func += (a: inout Node, b: Node) { a = a + b }
  public static func -= (a: inout Node, b: Node) { a = a - b }
  public static func *= (a: inout Node, b: Node) { a = a * b }
  public static func /= (a: inout Node, b: Node) { a = a / b }

  // Comparisons give nodes; .== and the like, so that Equatable's stay free.
  public static func .== (a: Node, b: Node) -> Node { apply(OpCode(Binary.eq), [a, b]) }
  public static func .!= (a: Node, b: Node) -> Node { apply(OpCode(Binary.ne), [a, b]) }
  public static func .< (a: Node, b: Node) -> Node { apply(OpCode(Binary.lt), [a, b]) }
  public static func .<= (a: Node, b: Node) -> Node { apply(OpCode(Binary.le), [a, b]) }
  public static func .> (a: Node, b: Node) -> Node { apply(OpCode(Binary.gt), [a, b]) }
  public static func .>= (a: Node, b: Node) -> Node { apply(OpCode(Binary.ge), [a, b]) }
  public static func .== (a: Node, b: Double) -> Node { a .== a.like(b) }
  public static func .< (a: Node, b: Double) -> Node { a .< a.like(b) }
  public static func .<= (a: Node, b: Double) -> Node { a .<= a.like(b) }
  public static func .> (a: Node, b: Double) -> Node { a .> a.like(b) }
  public static func .>= (a: Node, b: Double) -> Node { a .>= a.like(b) }
  public static func .& (a: Node, b: Node) -> Node { apply(OpCode(Binary.logical_and), [a, b]) }
  public static func .| (a: Node, b: Node) -> Node { apply(OpCode(Binary.logical_or), [a, b]) }
}

infix operator .==: ComparisonPrecedence
infix operator .!=: ComparisonPrecedence
infix operator .<: ComparisonPrecedence
infix operator .<=: ComparisonPrecedence
infix operator .>: ComparisonPrecedence
infix operator .>=: ComparisonPrecedence
infix operator .&: LogicalConjunctionPrecedence
infix operator .|: LogicalDisjunctionPrecedence

private func unary(_ op: Unary, _ x: Node) -> Node { Node.apply(OpCode(op), [x]) }
private func binary(_ op: Binary, _ x: Node, _ y: Node) -> Node { Node.apply(OpCode(op), [x, y]) }

public func abs(_ x: Node) -> Node { unary(.abs, x) }
public func sign(_ x: Node) -> Node { unary(.sign, x) }
public func floor(_ x: Node) -> Node { unary(.floor, x) }
public func ceil(_ x: Node) -> Node { unary(.ceil, x) }
public func round(_ x: Node) -> Node { unary(.round, x) }
public func trunc(_ x: Node) -> Node { unary(.trunc, x) }
public func square(_ x: Node) -> Node { unary(.square, x) }
public func reciprocal(_ x: Node) -> Node { unary(.reciprocal, x) }
public func sqrt(_ x: Node) -> Node { unary(.sqrt, x) }
public func rsqrt(_ x: Node) -> Node { unary(.rsqrt, x) }
public func cbrt(_ x: Node) -> Node { unary(.cbrt, x) }
public func exp(_ x: Node) -> Node { unary(.exp, x) }
public func exp2(_ x: Node) -> Node { unary(.exp2, x) }
public func expm1(_ x: Node) -> Node { unary(.expm1, x) }
public func log(_ x: Node) -> Node { unary(.log, x) }
public func log2(_ x: Node) -> Node { unary(.log2, x) }
public func log10(_ x: Node) -> Node { unary(.log10, x) }
public func log1p(_ x: Node) -> Node { unary(.log1p, x) }
public func sin(_ x: Node) -> Node { unary(.sin, x) }
public func cos(_ x: Node) -> Node { unary(.cos, x) }
public func tan(_ x: Node) -> Node { unary(.tan, x) }
public func asin(_ x: Node) -> Node { unary(.asin, x) }
public func acos(_ x: Node) -> Node { unary(.acos, x) }
public func atan(_ x: Node) -> Node { unary(.atan, x) }
public func sinh(_ x: Node) -> Node { unary(.sinh, x) }
public func cosh(_ x: Node) -> Node { unary(.cosh, x) }
public func tanh(_ x: Node) -> Node { unary(.tanh, x) }
public func asinh(_ x: Node) -> Node { unary(.asinh, x) }
public func acosh(_ x: Node) -> Node { unary(.acosh, x) }
public func atanh(_ x: Node) -> Node { unary(.atanh, x) }
public func sigmoid(_ x: Node) -> Node { unary(.sigmoid, x) }
public func softplus(_ x: Node) -> Node { unary(.softplus, x) }
public func logSigmoid(_ x: Node) -> Node { unary(.log_sigmoid, x) }
public func logit(_ x: Node) -> Node { unary(.logit, x) }
public func log1mexp(_ x: Node) -> Node { unary(.log1mexp, x) }
public func relu(_ x: Node) -> Node { unary(.relu, x) }
public func gelu(_ x: Node) -> Node { unary(.gelu, x) }
public func silu(_ x: Node) -> Node { unary(.silu, x) }
public func erf(_ x: Node) -> Node { unary(.erf, x) }
public func erfc(_ x: Node) -> Node { unary(.erfc, x) }
public func erfcx(_ x: Node) -> Node { unary(.erfcx, x) }
public func erfinv(_ x: Node) -> Node { unary(.erfinv, x) }
public func erfcinv(_ x: Node) -> Node { unary(.erfcinv, x) }
public func normalCdf(_ x: Node) -> Node { unary(.normal_cdf, x) }
public func logNormalCdf(_ x: Node) -> Node { unary(.log_normal_cdf, x) }
public func normalQuantile(_ x: Node) -> Node { unary(.normal_quantile, x) }
public func gamma(_ x: Node) -> Node { unary(.gamma, x) }
public func lgamma(_ x: Node) -> Node { unary(.lgamma, x) }
public func digamma(_ x: Node) -> Node { unary(.digamma, x) }
public func i0(_ x: Node) -> Node { unary(.i0, x) }
public func i1(_ x: Node) -> Node { unary(.i1, x) }
public func i0e(_ x: Node) -> Node { unary(.i0e, x) }
public func i1e(_ x: Node) -> Node { unary(.i1e, x) }
public func sinc(_ x: Node) -> Node { unary(.sinc, x) }
public func sechSquared(_ x: Node) -> Node { unary(.sech_squared, x) }
public func logisticDensity(_ x: Node) -> Node { unary(.logistic_density, x) }
public func stopGradient(_ x: Node) -> Node { unary(.stop_gradient, x) }
public func isnan(_ x: Node) -> Node { unary(.isnan, x) }
public func isfinite(_ x: Node) -> Node { unary(.isfinite, x) }
public func logicalNot(_ x: Node) -> Node { unary(.logical_not, x) }
public func pow(_ x: Node, _ y: Node) -> Node { binary(.pow, x, y) }
public func pow(_ x: Node, _ y: Double) -> Node { binary(.pow, x, x.like(y)) }
public func maximum(_ x: Node, _ y: Node) -> Node { binary(.maximum, x, y) }
public func minimum(_ x: Node, _ y: Node) -> Node { binary(.minimum, x, y) }
public func fmax(_ x: Node, _ y: Node) -> Node { binary(.fmax, x, y) }
public func fmin(_ x: Node, _ y: Node) -> Node { binary(.fmin, x, y) }
public func atan2(_ x: Node, _ y: Node) -> Node { binary(.atan2, x, y) }
public func hypot(_ x: Node, _ y: Node) -> Node { binary(.hypot, x, y) }
public func fmod(_ x: Node, _ y: Node) -> Node { binary(.fmod, x, y) }
public func mod(_ x: Node, _ y: Node) -> Node { binary(.mod, x, y) }
public func floorDivide(_ x: Node, _ y: Node) -> Node { binary(.floor_divide, x, y) }
public func logaddexp(_ x: Node, _ y: Node) -> Node { binary(.logaddexp, x, y) }
public func logaddexp2(_ x: Node, _ y: Node) -> Node { binary(.logaddexp2, x, y) }
public func xlogy(_ x: Node, _ y: Node) -> Node { binary(.xlogy, x, y) }
public func xlog1py(_ x: Node, _ y: Node) -> Node { binary(.xlog1py, x, y) }
public func beta(_ a: Node, _ b: Node) -> Node { binary(.beta, a, b) }
public func betaln(_ a: Node, _ b: Node) -> Node { binary(.betaln, a, b) }
public func gammainc(_ a: Node, _ x: Node) -> Node { binary(.gammainc, a, x) }
public func gammaincc(_ a: Node, _ x: Node) -> Node { binary(.gammaincc, a, x) }
public func gammaDensity(_ a: Node, _ x: Node) -> Node { binary(.gamma_density, a, x) }
public func zeta(_ s: Node, _ q: Node) -> Node { binary(.zeta, s, q) }
public func iv(_ n: Node, _ x: Node) -> Node { binary(.iv, n, x) }
public func i0eSlope(_ n: Node, _ x: Node) -> Node { binary(.i0e_slope, n, x) }
public func sphericalJn(_ n: Node, _ x: Node) -> Node { binary(.spherical_jn, n, x) }
public func ierfcx(_ n: Node, _ x: Node) -> Node { binary(.ierfcx, n, x) }
public func polygamma(_ n: Node, _ x: Node) -> Node { binary(.polygamma, n, x) }
public func foldKey(_ key: Node, _ data: Node) -> Node { binary(.fold_key, key, data) }
public func logicalXor(_ x: Node, _ y: Node) -> Node { binary(.logical_xor, x, y) }
public func select(_ condition: Node, _ x: Node, _ y: Node) -> Node { Node.apply(OpCode(Ternary.select), [condition, x, y]) }
public func gate(_ mask: Node, _ x: Node, _ y: Node) -> Node { Node.apply(OpCode(Ternary.gate), [mask, x, y]) }
public func clamp(_ x: Node, _ low: Node, _ high: Node) -> Node { Node.apply(OpCode(Ternary.clamp), [x, low, high]) }
public func fma(_ x: Node, _ y: Node, _ z: Node) -> Node { Node.apply(OpCode(Ternary.fma), [x, y, z]) }
public func betainc(_ a: Node, _ b: Node, _ x: Node) -> Node { Node.apply(OpCode(Ternary.betainc), [a, b, x]) }
public func betaDensity(_ a: Node, _ b: Node, _ x: Node) -> Node { Node.apply(OpCode(Ternary.beta_density), [a, b, x]) }
public func polygammaDrop(_ n: Node, _ a: Node, _ b: Node) -> Node { Node.apply(OpCode(Ternary.polygamma_drop), [n, a, b]) }
