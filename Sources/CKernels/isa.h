/* Everything that is compiled once per instruction set. A file kernels_<set>.c defines LEVEL, WIDTH (bytes of a vector), TABLE,
 * SLEEF(f, u), CALL1, CALL2 and opens the target region before it includes this. */
#pragma clang fp contract(off)
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define INLINE static inline __attribute__((always_inline))
#define VECTOR(E, name, L) typedef E name __attribute__((ext_vector_type(L)))

VECTOR(double, v_f64, WIDTH / 8);
VECTOR(int64_t, v_i64, WIDTH / 8);
VECTOR(uint8_t, b_64, WIDTH / 8);
VECTOR(float, v_f32, WIDTH / 4);
VECTOR(int32_t, v_i32, WIDTH / 4);
VECTOR(uint8_t, b_32, WIDTH / 4);
VECTOR(uint8_t, v_bool, WIDTH);
VECTOR(int8_t, i_bool, WIDTH);

#if LEVEL == 2
/* The first `live` elements, the others as the first; and as many stored. A single number is most of what scalar programs ask for. */
#define TAILS(V, E, DT, M, MOVE)                                                                                                     \
  INLINE V tail##DT(const E *p, int live) { const V first = p[0]; return (V)_mm512_mask_loadu_##MOVE((__m512i)first, (M)((1u << live) - 1), p); } \
  INLINE void store_tail##DT(E *p, int live, V v) { _mm512_mask_storeu_##MOVE(p, (M)((1u << live) - 1), (__m512i)v); }
TAILS(v_f64, double, _f64, __mmask8, epi64)
TAILS(v_i64, int64_t, _i64, __mmask8, epi64)
TAILS(v_f32, float, _f32, __mmask16, epi32)
TAILS(v_i32, int32_t, _i32, __mmask16, epi32)
#undef TAILS
#endif

/* a b - p exactly, for p near a b (not near overflow or underflow); Dekker's product where there is no FMA. */
INLINE v_f64 product_error_f64(v_f64 a, v_f64 b, v_f64 p) {
#if LEVEL > 0
  return __builtin_elementwise_fma(a, b, -p);
#else
  const v_f64 ta = a * 134217729.0, tb = b * 134217729.0;
  const v_f64 ah = ta - (ta - a), bh = tb - (tb - b), al = a - ah, bl = b - bh;
  return ((ah * bh - p) + ah * bl + al * bh) + al * bl;
#endif
}
INLINE v_f32 product_error_f32(v_f32 a, v_f32 b, v_f32 p) {
#if LEVEL > 0
  return __builtin_elementwise_fma(a, b, -p);
#else
  VECTOR(double, exact, WIDTH / 4);
#define EXACT(x) __builtin_convertvector(x, exact)
  return __builtin_convertvector(EXACT(a) * EXACT(b) - EXACT(p), v_f32);
#undef EXACT
#endif
}
INLINE bool any_f64(v_i64 m) { return __builtin_reduce_or(m) != 0; }
INLINE bool any_f32(v_i32 m) { return __builtin_reduce_or(m) != 0; }
#define ANY(m) PASTE(any, DT)(m)
typedef float h_f32 __attribute__((ext_vector_type(WIDTH / 8)));
/* A function of f64 applied to f32: rounded once. */
#define BY_HALVES(f, x)                                                    \
  ({ v_f32 r_ = (x);                                                       \
     r_.lo = __builtin_convertvector(f(__builtin_convertvector(r_.lo, v_f64)), h_f32); \
     r_.hi = __builtin_convertvector(f(__builtin_convertvector(r_.hi, v_f64)), h_f32); r_; })

#define E double
#define V v_f64
#define I v_i64
#define DT _f64
#define T d
#define WIDE 64
#if WIDTH == 16
#define N 2
#elif WIDTH == 32
#define N 4
#else
#define N 8
#endif
#include "functions.h"
#undef E
#undef V
#undef I
#undef DT
#undef T
#undef N
#undef WIDE
#define E float
#define V v_f32
#define I v_i32
#define DT _f32
#define T f
#define WIDE 32
#if WIDTH == 16
#define N 4
#elif WIDTH == 32
#define N 8
#else
#define N 16
#endif
#include "functions.h"
#undef E
#undef V
#undef I
#undef DT
#undef T
#undef N
#undef WIDE

#define INTEGERS(V, E, DT)                                                          \
  INLINE V PASTE(max, DT)(V x, V y) { return x > y ? x : y; }                       \
  INLINE V PASTE(min, DT)(V x, V y) { return x < y ? x : y; }                       \
  INLINE V PASTE(sign, DT)(V x) { return x > 0 ? (V)1 : (x < 0 ? (V)-1 : (V)0); }   \
  INLINE V PASTE(relu, DT)(V x) { return x > 0 ? x : (V)0; }                        \
  /* 0 where the divisor is 0, as numpy has it; -1 is kept from the division, which would trap at the lowest number. */ \
  INLINE V PASTE(fmod, DT)(V x, V y) {                                              \
    const V odd = (y == 0) | (y == -1), r = x % (odd ? (V)1 : y);                   \
    return odd ? (V)0 : r;                                                          \
  }                                                                                 \
  INLINE V PASTE(mod, DT)(V x, V y) {                                               \
    const V r = PASTE(fmod, DT)(x, y);                                              \
    return ((r != 0) & ((r ^ y) < 0)) ? r + y : r;                                  \
  }                                                                                 \
  INLINE V PASTE(floor_divide, DT)(V x, V y) {                                      \
    const V odd = (y == 0) | (y == -1), d = odd ? (V)1 : y, q = x / d, r = x % d;   \
    const V down = ((r != 0) & ((r ^ y) < 0)) ? q - 1 : q;                          \
    return y == 0 ? (V)0 : y == -1 ? -x : down;                                     \
  }
INTEGERS(v_i64, int64_t, _i64)
INTEGERS(v_i32, int32_t, _i32)
#undef INTEGERS

/* The names that the rows use. */
#define MAX(x, y) PASTE(max, DT)(x, y)
#define MIN(x, y) PASTE(min, DT)(x, y)
#define FMAX(x, y) PASTE(fmax, DT)(x, y)
#define FMIN(x, y) PASTE(fmin, DT)(x, y)
#define SIGN(x) PASTE(sign, DT)(x)
#define RELU(x) PASTE(relu, DT)(x)
#define SIGMOID(x) PASTE(sigmoid, DT)(x)
#define SOFTPLUS(x) PASTE(softplus, DT)(x)
#define SILU(x) PASTE(silu, DT)(x)
#define SECH_SQUARED(x) PASTE(sech_squared, DT)(x)
#define LOGISTIC_DENSITY(x) PASTE(logistic_density, DT)(x)
#define LOG1MEXP(x) PASTE(log1mexp, DT)(x)
#define NORMAL_CDF(x) PASTE(normal_cdf, DT)(x)
#define LOGADDEXP(x, y) PASTE(logaddexp, DT)(x, y)
#define LOGADDEXP2(x, y) PASTE(logaddexp2, DT)(x, y)
#define FMOD(x, y) PASTE(fmod, DT)(x, y)
#define MOD(x, y) PASTE(mod, DT)(x, y)
#define FLOOR_DIVIDE(x, y) PASTE(floor_divide, DT)(x, y)
#define FUSED(x, y, z) __builtin_elementwise_fma(x, y, z)
#define ABS(x) __builtin_elementwise_abs(x)
#define SQRT(x) __builtin_elementwise_sqrt(x)
#define FLOOR(x) __builtin_elementwise_floor(x)
#define CEIL(x) __builtin_elementwise_ceil(x)
#define TRUNC(x) __builtin_elementwise_trunc(x)
#define RINT(x) __builtin_elementwise_roundeven(x)
#define EACH1(f, x) ({ V r_ = (x); for (int l = 0; l < live; l++) r_[l] = (E)ck_##f((double)(x)[l]); r_; })
#define EACH2(f, x, y) \
  ({ V r_ = (x); for (int l = 0; l < live; l++) r_[l] = (E)ck_##f((double)(x)[l], (double)(y)[l]); r_; })
#define EACH3(f, x, y, z) \
  ({ V r_ = (x); for (int l = 0; l < live; l++) r_[l] = (E)ck_##f((double)(x)[l], (double)(y)[l], (double)(z)[l]); r_; })
#define FOLD_KEY(x, y) ({ V r_ = (x); for (int l = 0; l < live; l++) r_[l] = ck_fold_key((x)[l], (y)[l]); r_; })
#define cbrt(x) PASTE(cbrt, DT)(x)
#define exp(x) PASTE(exp, DT)(x)
#define exp2(x) PASTE(exp2, DT)(x)
#define expm1(x) PASTE(expm1, DT)(x)
#define log(x) PASTE(log, DT)(x)
#define log2(x) PASTE(log2, DT)(x)
#define log10(x) PASTE(log10, DT)(x)
#define log1p(x) PASTE(log1p, DT)(x)
#define sin(x) PASTE(sin, DT)(x)
#define cos(x) PASTE(cos, DT)(x)
#define tan(x) PASTE(tan, DT)(x)
#define asin(x) PASTE(asin, DT)(x)
#define acos(x) PASTE(acos, DT)(x)
#define atan(x) PASTE(atan, DT)(x)
#define sinh(x) PASTE(sinh, DT)(x)
#define cosh(x) PASTE(cosh, DT)(x)
#define tanh(x) PASTE(tanh, DT)(x)
#define asinh(x) PASTE(asinh, DT)(x)
#define acosh(x) PASTE(acosh, DT)(x)
#define atanh(x) PASTE(atanh, DT)(x)
#define erf(x) PASTE(erf, DT)(x)
#define erfc(x) PASTE(erfc, DT)(x)
#define lgamma(x) PASTE(lgamma, DT)(x)
#define gelu(x) PASTE(gelu, DT)(x)
#define pow(x, y) PASTE(pow, DT)(x, y)
#define atan2(x, y) PASTE(atan2, DT)(x, y)
#define hypot(x, y) PASTE(hypot, DT)(x, y)

#define E double
#define V v_f64
#define I v_i64
#define B b_64
#define L (WIDTH / 8)
#define DT _f64
#define ROWS_FLOAT
#include "kernels.inc"

#define E float
#define V v_f32
#define I v_i32
#define B b_32
#define L (WIDTH / 4)
#define DT _f32
#define ROWS_FLOAT
#include "kernels.inc"

#define E int64_t
#define V v_i64
#define I v_i64
#define B b_64
#define L (WIDTH / 8)
#define DT _i64
#define ROWS_I64
#include "kernels.inc"

#define E int32_t
#define V v_i32
#define I v_i32
#define B b_32
#define L (WIDTH / 4)
#define DT _i32
#define ROWS_I32
#include "kernels.inc"

#define E uint8_t
#define V v_bool
#define I i_bool
#define B v_bool
#define L WIDTH
#define DT _bool
#define ROWS_BOOL
#include "kernels.inc"

#include "casts.h"
#include "folds.h"
#include "blocks.h"
#include "gemm.h"
#include "moves.h"

/* ---- The table ----------------------------------------------------------------------------------------------------- */
#define OF(name, dtype, DT) [dtype] = PASTE(row_##name, DT)
#define ENTRIES_FLOAT(n) OF(n, CK_F64, _f64), OF(n, CK_F32, _f32)
#define ENTRIES_NUMBER(n) ENTRIES_FLOAT(n), OF(n, CK_I64, _i64), OF(n, CK_I32, _i32)
#define ENTRIES_INTEGER(n) OF(n, CK_I64, _i64)
#define ENTRIES_TEST(n) ENTRIES_FLOAT(n)
#define ENTRIES_COMPARE(n) ENTRIES_NUMBER(n)
#define ENTRIES_LOGIC(n) OF(n, CK_BOOL, _bool)
#define ENTRIES_SELECT(n) ENTRIES_NUMBER(n), ENTRIES_LOGIC(n)
#define ENTRIES_GATE(n) ENTRIES_FLOAT(n)
#define X(name, class, value) {ENTRIES_##class(name)},
const ck_table TABLE = {
  .rows = {CAMBER_UNARY_OPS(X) CAMBER_BINARY_OPS(X) CAMBER_TERNARY_OPS(X)},
  .casts = CASTS,
  .rounds = {[CK_F16] = round_f16, [CK_BF16] = round_bf16},
  .folds = {
    [CK_FOLD_SUM] = {[CK_F64] = sum_fold_f64, [CK_F32] = sum_fold_f32, [CK_I64] = sum_fold_i64, [CK_I32] = sum_fold_i32, [CK_BOOL] = any_fold_bool},
    [CK_FOLD_PROD] = {[CK_F64] = prod_fold_f64, [CK_F32] = prod_fold_f32, [CK_I64] = prod_fold_i64, [CK_I32] = prod_fold_i32, [CK_BOOL] = all_fold_bool},
    [CK_FOLD_MAX] = {[CK_F64] = max_fold_f64, [CK_F32] = max_fold_f32, [CK_I64] = max_fold_i64, [CK_I32] = max_fold_i32, [CK_BOOL] = any_fold_bool},
    [CK_FOLD_MIN] = {[CK_F64] = min_fold_f64, [CK_F32] = min_fold_f32, [CK_I64] = min_fold_i64, [CK_I32] = min_fold_i32, [CK_BOOL] = all_fold_bool},
    [CK_FOLD_SQUARES] = {[CK_F64] = squares_fold_f64},
    [CK_FOLD_LARGEST] = {[CK_F64] = largest_fold_f64},
    [CK_FOLD_EXPS] = {[CK_F64] = exps_fold_f64, [CK_F32] = exps_fold_f32},
    [CK_FOLD_EQUALS] = {[CK_F64] = equals_fold_f64, [CK_F32] = equals_fold_f32},
  },
  .gemm = {[CK_I64] = gemm_i64, [CK_I32] = gemm_i32},
  .products = {{product_f64, product_row_f64, product_dots_f64, product_few_f64, convolve_f64}, {product_f32, product_row_f32, product_dots_f32, product_few_f32, convolve_f32}},
  .finite = {[CK_F64] = finite_f64, [CK_F32] = finite_f32, [CK_F16] = finite_f16, [CK_BF16] = finite_bf16},
  .philox = philox,
  .uniform = {[CK_F64] = uniform_f64, [CK_F32] = uniform_f32, [CK_F16] = uniform_f16, [CK_BF16] = uniform_bf16},
  .fill = {filled_u8, filled_u16, filled_u32, filled_u64},
  .stretch = {stretch_u8, stretch_u16, stretch_u32, stretch_u64},
  .plane = {plane_u8, plane_u16, plane_u32, plane_u64},
  .inside = {inside_i64, inside_i32},
  .gather = {gather_i64, gather_i32},
  .scatter = {[CK_F64] = scatter_f64, [CK_F32] = scatter_f32, [CK_F16] = scatter_f16, [CK_BF16] = scatter_bf16, [CK_I64] = scatter_i64, [CK_I32] = scatter_i32, [CK_BOOL] = scatter_bool},
};
#undef X
