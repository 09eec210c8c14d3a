import CKernels
package import Tape

/// How a number that is not finite comes about, and what to do.
package enum BirthKind: Int32, CaseIterable, Sendable {
  case zeroOverZero = 0, infMinusInf, zeroTimesInf, infOverInf, logZero, logNegative, sqrtNegative, powZero, powNegative, divisionByZero, overflow, domain, pole, singular,
       inputNaN, inputInf, uninitialised, host, constant, empty

  package var name: StaticString {
    switch self {
    case .zeroOverZero: "0/0"
    case .infMinusInf: "inf - inf"
    case .zeroTimesInf: "0 * inf"
    case .infOverInf: "inf/inf"
    case .logZero: "log of zero"
    case .logNegative: "log of a negative number"
    case .sqrtNegative: "sqrt of a negative number"
    case .powZero: "negative power of zero"
    case .powNegative: "fractional power of a negative number"
    case .divisionByZero: "division by zero"
    case .overflow: "overflow"
    case .domain: "outside the domain"
    case .pole: "pole"
    case .singular: "singular matrix"
    case .inputNaN: "NaN in an input"
    case .inputInf: "infinity in an input"
    case .uninitialised: "uninitialised memory in an input"
    case .host: "the host's function"
    case .constant: "constant"
    case .empty: "reduction of nothing"
    }
  }

  package var remedy: StaticString {
    switch self {
    case .zeroOverZero: "keep the denominator away from zero where the numerator vanishes: add an epsilon inside, or select with where on the denominator before dividing"
    case .infMinusInf: "the infinities came first: remove the overflow behind them; for differences of logs or exponentials use logsumexp, log_softmax, logaddexp"
    case .zeroTimesInf: "where zero means \"absent\", select with where instead of multiplying by a mask; use xlogy(x, y) for x log y"
    case .infOverInf: "normalise before the exponential: softmax, or exp(x - logsumexp(x))"
    case .logZero: "keep the argument above zero (maximum with a tiny number, log1p, log_softmax, log_sigmoid), or xlogy where a factor is zero as well"
    case .logNegative: "the argument must be >= 0: clamp it, or find why it lost its sign (cancellation: stabilize rewrites what it can)"
    case .sqrtNegative: "the argument must be >= 0: cancellation made it negative; use hypot or norm, a two-pass variance, or maximum with zero"
    case .powZero: "keep the base away from zero, or the exponent >= 0"
    case .powNegative: "a fractional power wants a base >= 0: take abs first, or use an integer exponent"
    case .divisionByZero: "keep the denominator away from zero: add an epsilon inside a sqrt or beside the denominator, or select before dividing"
    case .overflow: "scale the operands, clip them, work with logarithms (logsumexp, log_softmax, softplus), or compute in a wider format"
    case .domain: "clamp the argument into the operator's domain"
    case .pole: "keep the argument away from the pole"
    case .singular: "add a ridge to the diagonal (Tikhonov), or use pinv, lstsq or a QR factorisation"
    case .inputNaN: "clean the data before the run"
    case .inputInf: "clean the data before the run, or declare the input a mask"
    case .uninitialised: "fill the buffer before the run"
    case .host: "mend the function that the host computes"
    case .constant: "a constant of the program is not a number"
    case .empty: "give the reduction an initial value, or skip it for empty arrays"
    }
  }
}

extension Tape {
  /// What made the element `v` of an elementwise row out of these, none of them a NaN.
  func kind(_ op: OpCode, _ x: [Double], _ v: Double) -> BirthKind {
    let a = x[0], b = x.count > 1 ? x[1] : 0, c = x.count > 2 ? x[2] : 0, nan = v.isNaN
    switch op.elementwise {
    case .unary(let u):
      switch u {
      case .reciprocal: return a == 0 ? .divisionByZero : .overflow
      case .sqrt: return .sqrtNegative
      case .rsqrt: return a == 0 ? .divisionByZero : a < 0 ? .sqrtNegative : .overflow
      case .log, .log2, .log10: return a == 0 ? .logZero : .logNegative
      case .log1p: return a == -1 ? .logZero : .logNegative
      case .log1mexp: return a == 0 ? .logZero : .logNegative
      case .logit: return a == 0 || a == 1 ? .logZero : .logNegative
      case .gamma, .lgamma, .digamma:
        return a <= 0 && a == a.rounded(.down) ? .pole : nan ? .domain : .overflow
      case .atanh, .erfinv, .erfcinv, .normal_quantile: return nan ? .domain : .pole
      default: return nan ? .domain : .overflow
      }
    case .binary(let o):
      switch o {
      case .add, .sub: return nan ? .infMinusInf : .overflow
      case .mul: return nan ? .zeroTimesInf : .overflow
      case .div:
        if nan { return a == 0 ? .zeroOverZero : .infOverInf }
        return b == 0 ? .divisionByZero : .overflow
      case .fmod, .mod, .floor_divide:
        if b == 0 { return nan && a == 0 ? .zeroOverZero : .divisionByZero }
        return nan ? .domain : .overflow
      case .pow:
        if a == 0, b < 0 { return .powZero }
        return nan && a < 0 ? .powNegative : nan ? .domain : .overflow
      case .xlogy: return b == 0 ? (nan ? .zeroTimesInf : .logZero) : b < 0 ? .logNegative : nan ? .zeroTimesInf : .overflow
      case .xlog1py: return b == -1 ? .logZero : b < -1 ? .logNegative : nan ? .zeroTimesInf : .overflow
      case .beta, .betaln, .zeta, .polygamma: return nan ? .domain : .pole
      default: return nan ? .domain : .overflow
      }
    case .ternary(let o):
      switch o {
      case .gate: return nan ? .zeroTimesInf : .overflow
      case .fma:
        if !nan { return .overflow }
        return (a == 0 && b.isInfinite) || (b == 0 && a.isInfinite) ? .zeroTimesInf : .infMinusInf
      default: return nan || c.isNaN ? .domain : .overflow
      }
    }
  }
}
