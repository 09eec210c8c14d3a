import CKernels

/// The partial of an elementwise row in operand `slot`; nil where it does not exist. Written stably: each formula's own derivatives,
/// taken by the same rules, lose no digits either (tanh' is not 1 - y^2).
extension Tape {
  func partial(_ y: NodeID, _ slot: Int) -> Partial? {
    let r = record(y)
    let a = NodeID(r.a), b = NodeID(r.b), c = NodeID(r.c)
    switch OpCode(raw: r.op).elementwise {
    case .unary(let op): return partial(op, a, y)
    case .binary(let op): return partial(op, slot, a, b, y)
    case .ternary(let op): return partial(op, slot, a, b, c)
    }
  }

  private func partial(_ op: Unary, _ x: NodeID, _ y: NodeID) -> Partial? {
    switch op {
    case .neg: .minusOne
    case .abs: .factor(unary(.sign, x))
    case .sign, .floor, .ceil, .round, .trunc, .stop_gradient, .isnan, .isfinite, .logical_not: .zero
    case .square: .factor(scale(x, 2))
    case .reciprocal: .factor(neg(unary(.square, y)))
    case .sqrt: .factor(div(like(y, 0.5), y))
    case .cbrt: .factor(div(like(y, 1.0 / 3), unary(.square, y)))
    case .exp: .factor(y)
    case .exp2: .factor(scale(y, 0.6931471805599453))
    case .expm1: .factor(unary(.exp, x))
    case .log: .factor(unary(.reciprocal, x))
    case .log2: .factor(div(like(x, 1.4426950408889634), x))
    case .log10: .factor(div(like(x, 0.4342944819032518), x))
    case .log1p: .factor(unary(.reciprocal, add(like(x, 1), x)))
    case .sin: .factor(unary(.cos, x))
    case .cos: .factor(neg(unary(.sin, x)))
    case .tan: .factor(add(like(y, 1), unary(.square, y)))
    case .asin: .factor(unary(.reciprocal, unary(.sqrt, oneMinusSquare(x))))
    case .acos: .factor(neg(unary(.reciprocal, unary(.sqrt, oneMinusSquare(x)))))
    case .atan: .factor(unary(.reciprocal, add(like(x, 1), unary(.square, x))))
    case .sinh: .factor(unary(.cosh, x))
    case .cosh: .factor(unary(.sinh, x))
    case .tanh: .factor(unary(.sech_squared, x))
    case .asinh: .factor(unary(.reciprocal, binary(.hypot, x, like(x, 1))))
    case .acosh: .factor(unary(.reciprocal, mul(unary(.sqrt, sub(x, like(x, 1))), unary(.sqrt, add(x, like(x, 1))))))
    case .atanh: .factor(unary(.reciprocal, oneMinusSquare(x)))
    case .sigmoid: .factor(unary(.logistic_density, x))
    case .softplus: .factor(unary(.sigmoid, x))
    case .relu: .route(binary(.gt, x, like(x, 0)))
    case .gelu: .factor(add(normalCdf(x), mul(x, normalPdf(x))))
    case .silu: .factor(add(unary(.sigmoid, x), mul(x, unary(.logistic_density, x))))
    case .erf: .factor(scale(unary(.exp, neg(unary(.square, x))), 1.1283791670955126))
    case .erfc: .factor(scale(unary(.exp, neg(unary(.square, x))), -1.1283791670955126))
    case .lgamma: .factor(unary(.digamma, x))
    case .digamma: .factor(binary(.polygamma, like(x, 1), x))
    case .sech_squared: .factor(scale(mul(unary(.tanh, x), y), -2))
    case .logistic_density: .factor(neg(mul(y, unary(.tanh, scale(x, 0.5)))))
    }
  }

  private func oneMinusSquare(_ x: NodeID) -> NodeID { sub(like(x, 1), unary(.square, x)) }
  private func normalCdf(_ x: NodeID) -> NodeID { scale(unary(.erfc, scale(x, -0.7071067811865476)), 0.5) }
  private func normalPdf(_ x: NodeID) -> NodeID { scale(unary(.exp, scale(unary(.square, x), -0.5)), 0.3989422804014327) }

  private func partial(_ op: Binary, _ slot: Int, _ a: NodeID, _ b: NodeID, _ y: NodeID) -> Partial? {
    let first = slot == 0
    switch op {
    case .add: return .one
    case .sub: return first ? .one : .minusOne
    case .mul: return .factor(first ? b : a)
    case .div: return .factor(first ? unary(.reciprocal, b) : neg(div(y, b)))
    case .pow:
      // pow(0, b): in the base 0 for b > 1, 1 for b = 1, 0 for b = 0; in the exponent 0 for b > 0.
      let zero = like(a, 0)
      if first {
        let factor = mul(b, binary(.pow, a, sub(b, like(b, 1))))
        if let k = uniformConstant(b), constantBits(k) != 0 { return .factor(factor) }
        return .gated(binary(.ne, b, zero), factor)
      }
      return .gated(not(and(binary(.eq, a, zero), binary(.gt, b, zero))), mul(y, unary(.log, a)))
    case .maximum, .fmax: return extremum(first ? a : b, first ? b : a, larger: true, skipsNaN: op == .fmax)
    case .minimum, .fmin: return extremum(first ? a : b, first ? b : a, larger: false, skipsNaN: op == .fmin)
    case .atan2:
      // (b, -a) / (a^2 + b^2), by the hypotenuse twice: no overflow; 0 at the origin.
      let h = binary(.hypot, a, b)
      return .gated(binary(.ne, h, like(h, 0)), div(div(first ? b : neg(a), h), h))
    case .hypot: return .gated(binary(.ne, y, like(y, 0)), cosine(first ? a : b, first ? b : a, y))
    case .polygamma: return first ? nil : .factor(binary(.polygamma, add(a, like(a, 1)), b))
    case .fold_key, .eq, .ne, .lt, .le, .gt, .ge, .logical_and, .logical_or, .logical_xor: return .zero
    }
  }

  /// x / hypot(x, z), in the form of the larger of the two: x / h differentiates to (1 - (x/h)^2) / h, which cancels for large x.
  private func cosine(_ x: NodeID, _ z: NodeID, _ h: NodeID) -> NodeID {
    let large = mul(unary(.sign, x), unary(.reciprocal, binary(.hypot, like(x, 1), div(z, x))))
    return select(binary(.gt, unary(.abs, x), unary(.abs, z)), large, div(x, h))
  }

  /// Where x is the extremum of x and other; shared at ties.
  private func extremum(_ x: NodeID, _ other: NodeID, larger: Bool, skipsNaN: Bool) -> Partial {
    var wins = binary(larger ? .ge : .le, x, other)
    if skipsNaN { wins = or(wins, unary(.isnan, other)) }
    return .gated(wins, select(binary(.eq, x, other), like(x, 0.5), like(x, 1)))
  }

  private func partial(_ op: Ternary, _ slot: Int, _ a: NodeID, _ b: NodeID, _ c: NodeID) -> Partial? {
    switch (op, slot) {
    case (.select, 1): .route(a)
    case (.select, 2): .route(not(a))
    case (.gate, 1): .gated(a, c)
    case (.gate, 2): .gated(a, b)
    case (.clamp, 0): .route(and(binary(.ge, a, b), binary(.le, a, c)))
    case (.clamp, 1): .route(binary(.lt, a, b))
    case (.clamp, 2): .route(binary(.gt, a, c))
    default: .zero
    }
  }
}

/// Where a row is defined: all numbers, unless it says so here.
package struct Domain {
  package var low: Double, high: Double
  package init(_ low: Double, _ high: Double) {
    self.low = low
    self.high = high
  }
  static let all = Domain(-.infinity, .infinity)
}

package func domain(_ op: OpCode, slot: Int) -> Domain {
  switch op.elementwise {
  case .unary(let u):
    switch u {
    case .sqrt: Domain(0, .infinity)
    case .log, .log2, .log10: Domain(0, .infinity)
    case .log1p: Domain(-1, .infinity)
    case .asin, .acos, .atanh: Domain(-1, 1)
    case .acosh: Domain(1, .infinity)
    // Left of 0, near the roots between the poles, the error is bounded absolutely: by 2 ulp of 1.
    case .lgamma, .digamma: Domain(0, .infinity)
    case .logical_not: Domain(0, 1)
    default: .all
    }
  case .binary(let b):
    switch b {
    case .pow: slot == 0 ? Domain(0, .infinity) : .all
    case .polygamma: slot == 0 ? Domain(0, 30) : Domain(0, .infinity)
    case .logical_and, .logical_or, .logical_xor: Domain(0, 1)
    default: .all
    }
  case .ternary(let t):
    switch t {
    case .select, .gate: slot == 0 ? Domain(0, 1) : .all
    default: .all
    }
  }
}

/// A bound on |computed - exact| in units of the last place of the exact value: 0 exact, 0.5 correctly rounded; 2 where nothing else is said.
package func ulpBound(_ op: OpCode) -> Double {
  switch op.elementwise {
  case .unary(let u):
    switch u {
    case .neg, .abs, .sign, .floor, .ceil, .round, .trunc, .relu, .stop_gradient, .isnan, .isfinite, .logical_not: 0
    case .square, .reciprocal, .sqrt: 0.5
    default: 2
    }
  case .binary(let b):
    switch b {
    case .add, .sub, .mul, .div: 0.5
    case .pow, .atan2, .hypot, .polygamma: 2
    default: 0
    }
  case .ternary(let t): t == .gate ? 0.5 : 0
  }
}
