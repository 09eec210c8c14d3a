/* The elementwise operators of Camber: X(name, class, value).
 *
 * This list is the only place an elementwise operator is named. The C builders `camber_<name>`, the C++, Python and
 * Swift functions, the vector kernels and the closed Swift enums all come from it. Outside the process a row goes by its
 * name: its number changes when rows are added.
 *
 * The class says which dtypes a row takes and gives:
 *   FLOAT    f64, f32 (and f16, bf16 through f32)      -> the same
 *   NUMBER   FLOAT and i64, i32                        -> the same
 *   INTEGER  i64                                       -> i64
 *   TEST     FLOAT                                     -> bool
 *   COMPARE  NUMBER                                    -> bool
 *   LOGIC    bool                                      -> bool
 *   SELECT   bool, then any dtype twice                -> that dtype
 *   GATE     bool, then FLOAT twice                    -> that dtype
 *
 * `value` is the text of the kernel: arithmetic, the functions of <math.h>, K(c) for a constant c that a double holds
 * exactly, SEL(condition, a, b), ABS, MIN, MAX, SQRT, and EACH1(f, x) / EACH2(f, x, y) / EACH3(f, x, y, z) for a scalar
 * function applied lane by lane. The same text is expanded over vectors of every width and over single numbers; all give the same bits.
 * What the names do not say: mod and floor_divide go together and take the sign of the divisor (Python's %), fmod that of the dividend
 * (C's); of integers a divisor 0 gives 0. log1mexp(x) = log(1 - e^x), x <= 0. normal_quantile inverts normal_cdf. gammainc(a, x),
 * gammaincc(a, x), betainc(a, b, x) are regularised and have derivatives in x alone: gamma_density(a, x) and beta_density(a, b, x), which
 * have them in all operands. zeta(s, q) is Hurwitz's, differentiable in q. Of whole order n <= 60 (NaN otherwise) and differentiable in
 * x: iv(n, x); spherical_jn(n, x); ierfcx(n, x) = e^(x^2) times the n-fold integral of erfc; i0e_slope(n, x), x >= 0: (-1)^n times the n-th
 * derivative of i0e; polygamma_drop(n, a, b) = polygamma(n, a) - polygamma(n, a + b) without the loss of digits. xlogy and xlog1py are 0
 * where x is 0. fma rounds once.
 *
 * The derivative of a row, its domain and its error bound stand in Sources/Tape/Ops/Elementwise.swift.
 */
#ifndef CAMBER_OPS_H
#define CAMBER_OPS_H

#define CAMBER_UNARY_OPS(X)                                            \
  X(neg, NUMBER, -x)                                                   \
  X(abs, NUMBER, ABS(x))                                               \
  X(sign, NUMBER, SIGN(x))                                             \
  X(floor, FLOAT, FLOOR(x))                                            \
  X(ceil, FLOAT, CEIL(x))                                              \
  X(round, FLOAT, RINT(x))                                             \
  X(trunc, FLOAT, TRUNC(x))                                            \
  X(square, NUMBER, x *x)                                              \
  X(reciprocal, FLOAT, K(1) / x)                                       \
  X(sqrt, FLOAT, SQRT(x))                                              \
  X(rsqrt, FLOAT, K(1) / SQRT(x))                                      \
  X(cbrt, FLOAT, cbrt(x))                                              \
  X(exp, FLOAT, exp(x))                                                \
  X(exp2, FLOAT, exp2(x))                                              \
  X(expm1, FLOAT, expm1(x))                                            \
  X(log, FLOAT, log(x))                                                \
  X(log2, FLOAT, log2(x))                                              \
  X(log10, FLOAT, log10(x))                                            \
  X(log1p, FLOAT, log1p(x))                                            \
  X(sin, FLOAT, sin(x))                                                \
  X(cos, FLOAT, cos(x))                                                \
  X(tan, FLOAT, tan(x))                                                \
  X(asin, FLOAT, asin(x))                                              \
  X(acos, FLOAT, acos(x))                                              \
  X(atan, FLOAT, atan(x))                                              \
  X(sinh, FLOAT, sinh(x))                                              \
  X(cosh, FLOAT, cosh(x))                                              \
  X(tanh, FLOAT, tanh(x))                                              \
  X(asinh, FLOAT, asinh(x))                                            \
  X(acosh, FLOAT, acosh(x))                                            \
  X(atanh, FLOAT, atanh(x))                                            \
  X(sigmoid, FLOAT, SIGMOID(x))                                        \
  X(softplus, FLOAT, SOFTPLUS(x))                                      \
  X(log_sigmoid, FLOAT, -SOFTPLUS(-x))                                 \
  X(logit, FLOAT, EACH1(logit, x))                                     \
  X(log1mexp, FLOAT, LOG1MEXP(x))                                      \
  X(relu, NUMBER, RELU(x))                                             \
  X(gelu, FLOAT, gelu(x))                                              \
  X(silu, FLOAT, SILU(x))                                              \
  X(erf, FLOAT, erf(x))                                                \
  X(erfc, FLOAT, erfc(x))                                              \
  X(erfcx, FLOAT, EACH1(erfcx, x))                                     \
  X(erfinv, FLOAT, EACH1(erfinv, x))                                   \
  X(erfcinv, FLOAT, EACH1(erfcinv, x))                                 \
  X(normal_cdf, FLOAT, NORMAL_CDF(x))                                  \
  X(log_normal_cdf, FLOAT, EACH1(log_normal_cdf, x))                   \
  X(normal_quantile, FLOAT, EACH1(normal_quantile, x))                 \
  X(gamma, FLOAT, EACH1(gamma, x))                                     \
  X(lgamma, FLOAT, lgamma(x))                                          \
  X(digamma, FLOAT, EACH1(digamma, x))                                 \
  X(i0, FLOAT, EACH1(i0, x))                                           \
  X(i1, FLOAT, EACH1(i1, x))                                           \
  X(i0e, FLOAT, EACH1(i0e, x))                                         \
  X(i1e, FLOAT, EACH1(i1e, x))                                         \
  X(sinc, FLOAT, EACH1(sinc, x))                                       \
  X(sech_squared, FLOAT, SECH_SQUARED(x))                              \
  X(logistic_density, FLOAT, LOGISTIC_DENSITY(x))                      \
  X(stop_gradient, NUMBER, x)                                          \
  X(isnan, TEST, x != x)                                               \
  X(isfinite, TEST, x - x == K(0))                                     \
  X(logical_not, LOGIC, !x)

#define CAMBER_BINARY_OPS(X)                                           \
  X(add, NUMBER, x + y)                                                \
  X(sub, NUMBER, x - y)                                                \
  X(mul, NUMBER, x * y)                                                \
  X(div, FLOAT, x / y)                                                 \
  X(fmod, NUMBER, FMOD(x, y))                                          \
  X(mod, NUMBER, MOD(x, y))                                            \
  X(floor_divide, NUMBER, FLOOR_DIVIDE(x, y))                          \
  X(pow, FLOAT, pow(x, y))                                             \
  X(maximum, NUMBER, MAX(x, y))                                        \
  X(minimum, NUMBER, MIN(x, y))                                        \
  X(fmax, FLOAT, FMAX(x, y))                                           \
  X(fmin, FLOAT, FMIN(x, y))                                           \
  X(atan2, FLOAT, atan2(x, y))                                         \
  X(hypot, FLOAT, hypot(x, y))                                         \
  X(logaddexp, FLOAT, LOGADDEXP(x, y))                                 \
  X(logaddexp2, FLOAT, LOGADDEXP2(x, y))                               \
  X(xlogy, FLOAT, SEL((x == K(0)) & (y == y), K(0), x *log(y)))        \
  X(xlog1py, FLOAT, SEL((x == K(0)) & (y == y), K(0), x *log1p(y)))    \
  X(beta, FLOAT, EACH2(beta, x, y))                                    \
  X(betaln, FLOAT, EACH2(betaln, x, y))                                \
  X(gammainc, FLOAT, EACH2(gammainc, x, y))                            \
  X(gammaincc, FLOAT, EACH2(gammaincc, x, y))                          \
  X(gamma_density, FLOAT, EACH2(gamma_density, x, y))                  \
  X(zeta, FLOAT, EACH2(zeta, x, y))                                    \
  X(iv, FLOAT, EACH2(iv, x, y))                                        \
  X(i0e_slope, FLOAT, EACH2(i0e_slope, x, y))                          \
  X(spherical_jn, FLOAT, EACH2(spherical_jn, x, y))                    \
  X(ierfcx, FLOAT, EACH2(ierfcx, x, y))                                \
  X(polygamma, FLOAT, EACH2(polygamma, x, y))                          \
  X(fold_key, INTEGER, FOLD_KEY(x, y))                                 \
  X(eq, COMPARE, x == y)                                               \
  X(ne, COMPARE, x != y)                                               \
  X(lt, COMPARE, x < y)                                                \
  X(le, COMPARE, x <= y)                                               \
  X(gt, COMPARE, x > y)                                                \
  X(ge, COMPARE, x >= y)                                               \
  X(logical_and, LOGIC, x & y)                                                 \
  X(logical_or, LOGIC, x | y)                                                  \
  X(logical_xor, LOGIC, x ^ y)

#define CAMBER_TERNARY_OPS(X)                                          \
  X(select, SELECT, SEL(x, y, z))                                      \
  X(gate, GATE, SEL(x, y *z, K(0)))                                    \
  X(fma, FLOAT, FUSED(x, y, z))                                         \
  X(betainc, FLOAT, EACH3(betainc, x, y, z))                           \
  X(beta_density, FLOAT, EACH3(beta_density, x, y, z))                 \
  X(polygamma_drop, FLOAT, EACH3(polygamma_drop, x, y, z))             \
  X(clamp, NUMBER, MIN(MAX(x, y), z))

#endif
