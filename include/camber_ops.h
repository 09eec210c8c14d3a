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
 * exactly, SEL(condition, a, b), ABS, MIN, MAX, SQRT, and EACH1(f, x) / EACH2(f, x, y) for a scalar function applied
 * lane by lane. The same text is expanded over vectors of every width and over single numbers; all give the same bits.
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
  X(relu, NUMBER, RELU(x))                                             \
  X(gelu, FLOAT, gelu(x))                                              \
  X(silu, FLOAT, SILU(x))                                              \
  X(erf, FLOAT, erf(x))                                                \
  X(erfc, FLOAT, erfc(x))                                              \
  X(lgamma, FLOAT, lgamma(x))                                          \
  X(digamma, FLOAT, EACH1(digamma, x))                                 \
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
  X(pow, FLOAT, pow(x, y))                                             \
  X(maximum, NUMBER, MAX(x, y))                                        \
  X(minimum, NUMBER, MIN(x, y))                                        \
  X(fmax, FLOAT, FMAX(x, y))                                           \
  X(fmin, FLOAT, FMIN(x, y))                                           \
  X(atan2, FLOAT, atan2(x, y))                                         \
  X(hypot, FLOAT, hypot(x, y))                                         \
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
  X(clamp, NUMBER, MIN(MAX(x, y), z))

#endif
