import CKernels

/// The partial of an elementwise row in operand `slot`; nil where it does not exist. Written stably: each formula's own derivatives,
/// taken by the same rules, lose no digits either (tanh' is not 1 - y^2).
extension Tape {
  package func partial(_ y: NodeID, _ slot: Int) -> Partial? {
    let r = record(y)
    let a = NodeID(r.a), b = NodeID(r.b), c = NodeID(r.c)
    switch OpCode(raw: r.op).elementwise {
    case .unary(let op): return partial(op, a, y)
    case .binary(let op): return partial(op, slot, a, b, y)
    case .ternary(let op): return partial(op, slot, a, b, c, y)
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
    case .rsqrt: .factor(div(scale(y, -0.5), x))
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
    case .log_sigmoid: .factor(unary(.sigmoid, neg(x)))
    case .logit: .factor(unary(.reciprocal, mul(x, sub(like(x, 1), x))))
    case .log1mexp: .factor(div(unary(.exp, x), unary(.expm1, x)))
    case .relu: .route(binary(.gt, x, like(x, 0)))
    case .gelu: .factor(add(unary(.normal_cdf, x), mul(x, normalPdf(x))))
    case .silu: .factor(add(unary(.sigmoid, x), mul(x, unary(.logistic_density, x))))
    case .erf: .factor(scale(unary(.exp, neg(unary(.square, x))), 1.1283791670955126))
    case .erfc: .factor(scale(unary(.exp, neg(unary(.square, x))), -1.1283791670955126))
    case .erfcx: .factor(scale(binary(.ierfcx, like(x, 1), x), -2))
    case .erfinv: .factor(scale(unary(.exp, unary(.square, y)), 0.886226925452758))
    // e^(y^2) = erfcx(y) / erfc(y), which loses no digits far out.
    case .erfcinv: .factor(scale(div(unary(.erfcx, y), x), -0.886226925452758))
    case .normal_cdf: .factor(normalPdf(x))
    case .normal_quantile: .factor(scale(div(unary(.erfcx, scale(y, -0.7071067811865476)), x), 1.2533141373155003))
    case .log_normal_cdf: .factor(hazard(x))
    case .gamma: .factor(mul(y, unary(.digamma, x)))
    case .lgamma: .factor(unary(.digamma, x))
    case .digamma: .factor(binary(.polygamma, like(x, 1), x))
    case .i0: .factor(unary(.i1, x))
    case .i1: .factor(scale(add(unary(.i0, x), binary(.iv, like(x, 2), x)), 0.5))
    case .i0e: .factor(neg(mul(unary(.sign, x), binary(.i0e_slope, like(x, 1), x))))
    case .i1e: .factor(sub(binary(.i0e_slope, like(x, 2), x), binary(.i0e_slope, like(x, 1), x)))
    case .sinc: .factor(scale(binary(.spherical_jn, like(x, 1), scale(x, .pi)), -.pi))
    case .sech_squared: .factor(scale(mul(unary(.tanh, x), y), -2))
    case .logistic_density: .factor(neg(mul(y, unary(.tanh, scale(x, 0.5)))))
    }
  }

  private func oneMinusSquare(_ x: NodeID) -> NodeID { sub(like(x, 1), unary(.square, x)) }
  private func normalPdf(_ x: NodeID) -> NodeID { scale(unary(.exp, scale(unary(.square, x), -0.5)), 0.3989422804014327) }

  /// The density of the normal distribution over the distribution: on the left by erfcx, which neither under- nor overflows there.
  private func hazard(_ x: NodeID) -> NodeID {
    let zero = like(x, 0), left = binary(.minimum, x, zero), right = binary(.maximum, x, zero)
    return select(binary(.lt, x, zero), div(like(x, 0.7978845608028654), unary(.erfcx, scale(left, -0.7071067811865476))),
                  div(normalPdf(right), unary(.normal_cdf, right)))
  }
  private func up(_ n: NodeID, by k: Double = 1) -> NodeID { add(n, like(n, k)) }

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
    case .fmod, .mod: return first ? .one : .factor(neg(unary(.round, div(sub(a, y), b))))
    case .floor_divide: return .zero
    case .logaddexp: return .gated(or(binary(.ne, a, b), unary(.isfinite, a)), unary(.sigmoid, first ? sub(a, b) : sub(b, a)))
    case .logaddexp2:
      return .gated(or(binary(.ne, a, b), unary(.isfinite, a)), unary(.sigmoid, scale(first ? sub(a, b) : sub(b, a), 0.6931471805599453)))
    case .xlogy, .xlog1py:
      let argument = op == .xlogy ? b : up(b)
      let zero = binary(.eq, a, like(a, 0))
      if !first { return .gated(not(zero), div(a, argument)) }
      return .gated(not(and(zero, binary(.eq, argument, like(b, 0)))), unary(op == .xlogy ? .log : .log1p, b))
    case .beta, .betaln:
      let drop = ternary(.polygamma_drop, like(a, 0), first ? a : b, first ? b : a)
      return .factor(op == .beta ? mul(y, drop) : drop)
    case .gammainc: return first ? nil : .factor(binary(.gamma_density, a, b))
    case .gammaincc: return first ? nil : .factor(neg(binary(.gamma_density, a, b)))
    case .gamma_density: return .factor(mul(y, first ? sub(unary(.log, b), unary(.digamma, a)) : div(sub(up(a, by: -1), b), b)))
    case .zeta: return first ? nil : .factor(neg(mul(a, binary(.zeta, up(a), b))))
    case .iv: return first ? nil : .factor(scale(add(binary(.iv, unary(.abs, up(a, by: -1)), b), binary(.iv, up(a), b)), 0.5))
    case .i0e_slope: return first ? nil : .factor(neg(mul(unary(.sign, b), binary(.i0e_slope, up(a), b))))
    case .spherical_jn:
      if first { return nil }
      let below = mul(a, binary(.spherical_jn, unary(.abs, up(a, by: -1)), b)), above = mul(up(a), binary(.spherical_jn, up(a), b))
      return .factor(div(sub(below, above), up(scale(a, 2))))
    case .ierfcx: return first ? nil : .factor(mul(scale(up(a), -2), binary(.ierfcx, up(a), b)))
    case .polygamma: return first ? nil : .factor(binary(.polygamma, up(a), b))
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

  private func partial(_ op: Ternary, _ slot: Int, _ a: NodeID, _ b: NodeID, _ c: NodeID, _ y: NodeID) -> Partial? {
    switch (op, slot) {
    case (.select, 1): .route(a)
    case (.select, 2): .route(not(a))
    case (.gate, 1): .gated(a, c)
    case (.gate, 2): .gated(a, b)
    case (.fma, 0): .factor(b)
    case (.fma, 1): .factor(a)
    case (.fma, 2): .one
    case (.betainc, 2): .factor(ternary(.beta_density, a, b, c))
    case (.beta_density, 0): .factor(mul(y, sub(unary(.log, c), ternary(.polygamma_drop, like(a, 0), a, b))))
    case (.beta_density, 1): .factor(mul(y, sub(unary(.log1p, neg(c)), ternary(.polygamma_drop, like(a, 0), b, a))))
    case (.beta_density, 2): .factor(mul(y, sub(div(up(a, by: -1), c), div(up(b, by: -1), sub(like(c, 1), c)))))
    case (.polygamma_drop, 1): .factor(ternary(.polygamma_drop, up(a), b, c))
    case (.polygamma_drop, 2): .factor(neg(binary(.polygamma, up(a), add(b, c))))
    case (.betainc, _), (.polygamma_drop, _): nil
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
    case .sqrt, .rsqrt: Domain(0, .infinity)
    case .log, .log2, .log10: Domain(0, .infinity)
    case .log1mexp: Domain(-.infinity, 0)
    case .logit, .normal_quantile: Domain(0, 1)
    case .erfcinv: Domain(0, 2)
    case .log1p: Domain(-1, .infinity)
    case .asin, .acos, .atanh, .erfinv: Domain(-1, 1)
    case .acosh: Domain(1, .infinity)
    // Left of 0, near the roots between the poles, the error is bounded absolutely: by 2 ulp of 1.
    case .lgamma, .digamma, .gamma: Domain(0, .infinity)
    case .logical_not: Domain(0, 1)
    default: .all
    }
  case .binary(let b):
    switch b {
    case .pow: slot == 0 ? Domain(0, .infinity) : .all
    case .xlogy: slot == 0 ? .all : Domain(0, .infinity)
    case .xlog1py: slot == 0 ? .all : Domain(-1, .infinity)
    case .polygamma: slot == 0 ? Domain(0, 30) : Domain(0, .infinity)
    case .beta, .betaln, .gammainc, .gammaincc, .gamma_density: Domain(0, .infinity)
    case .zeta: Domain(slot == 0 ? 1 : 0, .infinity)
    case .iv, .i0e_slope, .spherical_jn, .ierfcx: slot == 0 ? Domain(0, 30) : .all
    case .logical_and, .logical_or, .logical_xor: Domain(0, 1)
    default: .all
    }
  case .ternary(let t):
    switch t {
    case .select, .gate: slot == 0 ? Domain(0, 1) : .all
    case .betainc, .beta_density: slot == 2 ? Domain(0, 1) : Domain(0, .infinity)
    case .polygamma_drop: slot == 0 ? Domain(0, 30) : Domain(0, .infinity)
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
    case .floor_divide, .xlogy, .xlog1py, .beta, .betaln, .zeta, .iv, .i0e_slope, .spherical_jn, .ierfcx: 2
    case .mod: 0.5
    // Where they pass through 0 the error is bounded absolutely, by 2^-62.
    case .logaddexp, .logaddexp2: 3
    case .gammainc, .gammaincc, .gamma_density: 4
    default: 0
    }
  case .ternary(let t):
    switch t {
    case .gate, .fma: 0.5
    case .polygamma_drop: 2
    case .betainc, .beta_density: 4
    default: 0
    }
  }
}
