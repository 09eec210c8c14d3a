/* What the files of CKernels share: the table of one instruction set, and conversions of single 16-bit numbers. */
#ifndef CK_PRIVATE_H
#define CK_PRIVATE_H
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#endif
#include "include/ckernels.h"

enum { CK_DTYPES = 7 };
static const size_t ck_sizes[CK_DTYPES] = {8, 4, 2, 2, 8, 4, 1};

/* One reduction of rows: element (r, c) lies at x + (r * stride + c) * size. Each of the `width` columns gives one
 * result in the dtype of the fold. `widen` (NULL: none) turns the stored elements into those of the fold. */
typedef struct ck_span {
  const void *x;
  size_t size, n, stride, width;
  ck_kernel widen;
  const void *shift; /* [width] in the dtype of the fold, or NULL; its meaning is the fold's */
  void *out;         /* [width] in the dtype of the fold */
  void *parts;       /* not NULL: one long line in groups. Group `part` leaves its subtree there; SIZE_MAX joins them */
  size_t part;
} ck_span;
enum { CK_GROUP = 64 * 32 };   /* rows of a group: a power of two of the tree's blocks */
typedef void (*ck_fold)(const ck_span *);

typedef enum ck_fold_name {
  CK_FOLD_SUM, CK_FOLD_PROD, CK_FOLD_MAX, CK_FOLD_MIN,
  CK_FOLD_SQUARES,  /* sum of (x * shift)^2; f64 only, the others widen */
  CK_FOLD_LARGEST,  /* max of |x|; f64 only */
  CK_FOLD_EXPS,     /* sum of exp(x - shift) over the x that differ from shift */
  CK_FOLD_EQUALS,   /* count of the x that equal shift */
  CK_FOLDS
} ck_fold_name;

/* Integers: c[m, n] += a[m, k] b[k, n]; the strides of op(A) and op(B) are given. */
typedef void (*ck_integer_gemm)(size_t m, size_t n, size_t k, const void *a, size_t a_row, size_t a_column,
                                const void *b, size_t b_row, size_t b_column, void *c, size_t c_row);

/* A product as the tiles run it. 16-bit operands are widened as they are packed, and c is summed in f32 before it is rounded. */
enum {
  CK_DEPTH = 256,        /* a panel of k: what is summed before it is added to c */
  CK_DIRECT = 128,       /* as few rows read b where it lies */
  CK_PANEL_ROW = 192,    /* bytes of a row of b's panel: the widest tile */
  CK_NEAR = 1 << 20      /* bytes of operands and result that need no prefetching */
};
typedef struct ck_product {
  bool ta, tb;
  bool turned;           /* b^T a^T instead, of few rows; c is written transposed */
  size_t m, n, k;
  const void *a, *b;
  void *c, *scratch;
  const void *plus;      /* is added to the product, NULL: none; c's elements with rows `plus_row` apart, 0 for one row that all have */
  size_t plus_row;
  ck_kernel widen, narrow;
  size_t height, length; /* a block of c */
  /* In scratch: a panel of b, a block of a, both before they are packed, a block of c in f32 or turned. 0: not needed. */
  size_t panel, left, wide_a, wide_b, sums, bytes;
} ck_product;

/* A convolution as the loops run it; all in elements. x[i] w[k] is added to y[p] where b i = s p + d k - low, along each of three axes. */
typedef struct ck_conv_axis { int64_t i, k, p, s, d, b, low; } ck_conv_axis;
typedef struct ck_conv {
  int64_t batch, groups, n, o, c;                      /* the last three of one group */
  int64_t x_batch, x_group, x_n, x_c, w_batch, w_group, w_o, w_c, y_batch, y_group, y_n, y_o;
  ck_conv_axis axis[3];
  /* Not in the geometry that the host gives: */
  int half;                                            /* CK_F16, CK_BF16, or 0 */
  enum { CK_CONV_TILES, CK_CONV_LINES, CK_CONV_DOTS, CK_CONV_ONES } way;
} ck_conv;
enum { CK_CONV_GEOMETRY = 17 + 3 * 7 };
/* Where tap t of the output `at` reads in its channel of x: false outside. */
static inline bool ck_conv_place(const ck_conv *g, int64_t at, int64_t t, int64_t *place) {
  const ck_conv_axis *B = &g->axis[1], *C = &g->axis[2];
  const int64_t p[3] = {at / C->p / B->p, at / C->p % B->p, at % C->p}, tap[3] = {t / C->k / B->k, t / C->k % B->k, t % C->k};
  int64_t i = 0;
  for (int a = 0; a < 3; a++) {
    const ck_conv_axis *v = &g->axis[a];
    const int64_t d = v->s * p[a] + v->d * tap[a] - v->low;
    if (d < 0 || d % v->b || d / v->b >= v->i) return false;
    i = i * v->i + d / v->b;
  }
  *place = i;
  return true;
}
/* Where b > 1, outputs of one remainder, p = p_first + q p_step, and the taps that reach them, k = k_first + t k_step: i = q s + t d + at. */
typedef struct ck_conv_part {
  int64_t p_first[3], p_step[3], p[3], k_first[3], k_step[3], k[3], s[3], d[3], at[3];
  bool along_taps;                                     /* runs of taps are longer than runs of places */
} ck_conv_part;
/* `count` places along the last axis: where their x begins without taps, the first of them, and where their y begins. */
typedef struct ck_run { int64_t x, i0, i1, q2, y, count; } ck_run;
void ck_conv_run(const ck_conv *g, const ck_conv_part *q, size_t column, size_t most, ck_run *run);
size_t ck_conv_runs(const ck_conv *g, const ck_conv_part *q, size_t column, size_t width, ck_run *runs);
void ck_conv_depth(const ck_conv_part *q, int64_t p, int64_t *c, int64_t t[3]);

typedef struct ck_products {
  void (*product)(const ck_product *q, ck_range r);
  void (*row)(size_t n, size_t k, const void *a, const void *b, size_t b_row, void *c);
  void (*dots)(size_t m, size_t k, const void *a, size_t a_row, const void *x, void *c);
  void (*few)(size_t m, size_t n, size_t k, const void *a, size_t a_row, size_t a_step, const void *b, size_t b_step, size_t b_column, void *c, size_t c_row);
  /* Rows [i0, i1), columns [j0, j1) of one part of one group. */
  void (*conv)(const ck_conv *g, const ck_conv_part *q, const void *x, const void *w, void *y, size_t i0, size_t i1, size_t j0, size_t j1, void *scratch);
} ck_products;

/* Of 1, 2, 4 or 8 bytes. */
static inline int ck_log2_size(size_t element_size) { return element_size < 4 ? (int)element_size - 1 : element_size == 4 ? 2 : 3; }

/* An axis of a strided copy, strides in elements. */
typedef struct ck_axis { int64_t n, src, dst; } ck_axis;

/* The rows [first, end) of n and the columns [inner_first, inner_end) of inner that a scatter of m rows writes; indices of 64 bits? */
typedef struct ck_window { size_t n, m, inner, first, end, inner_first, inner_end; bool wide; } ck_window;

typedef struct ck_table {
  ck_kernel rows[CK_ROW_COUNT][CK_DTYPES];
  ck_kernel casts[CK_DTYPES][CK_DTYPES];
  ck_kernel rounds[CK_DTYPES];
  ck_fold folds[CK_FOLDS][CK_DTYPES];
  ck_integer_gemm gemm[CK_DTYPES];
  ck_products products[2];   /* f64, f32 */
  bool (*finite[CK_DTYPES])(const void *x, size_t n);
  /* `blocks` blocks of four words of Philox4x32-10 for the counters first, first + 1, ... in `stream`. */
  void (*philox)(uint64_t key, uint64_t first, uint32_t stream, uint32_t *out, size_t blocks);
  void (*uniform[CK_DTYPES])(const uint32_t *words, void *out, size_t n);
  /* Movement. By the logarithm of the element's size; by the indices' width, 0 for i64. */
  void (*fill[4])(const void *value, void *dst, size_t n);
  void (*stretch[4])(const void *x, void *y, size_t start, size_t n, size_t rep, size_t period);
  void (*plane[4])(const void *src, void *dst, ck_axis outer, ck_axis inner);
  bool (*inside[2])(const void *index, size_t m, size_t n);
  void (*gather[2])(const void *x, const void *index, void *out, size_t n, size_t m, size_t bytes);
  void (*scatter[CK_DTYPES])(const ck_window *, const void *index, const void *updates, void *sums);
} ck_table;
extern const ck_table ck_table_sse2, ck_table_avx2, ck_table_avx512, ck_table_neon;
const ck_table *ck_current(void);
/* `rows` rows of n elements, from_pitch apart, as n rows of `rows`, to_pitch apart. */
void ck_turn(size_t element_size, size_t rows, size_t n, const void *from, size_t from_pitch, void *to, size_t to_pitch);

/* Scalar functions, applied lane by lane. Compiled once, so the same bits everywhere. */
double ck_gelu_tail(double x);
double ck_lgamma_far(double x);
double ck_pow(double x, double y);
double ck_digamma(double x);
double ck_polygamma(double n, double x);
double ck_polygamma_drop(double n, double a, double b);
double ck_zeta(double s, double q);
double ck_gamma(double x);
double ck_beta(double a, double b);
double ck_betaln(double a, double b);
double ck_gammainc(double a, double x);
double ck_gammaincc(double a, double x);
double ck_gamma_density(double a, double x);
double ck_betainc(double a, double b, double x);
double ck_beta_density(double a, double b, double x);
double ck_erfcx(double x);
double ck_ierfcx(double n, double x);
double ck_erfinv(double x);
double ck_erfcinv(double q);
double ck_normal_quantile(double p);
double ck_normal_cdf_tail(double x);
double ck_log_normal_cdf(double x);
double ck_logit(double p);
double ck_logaddexp_near(double x, double y);
double ck_logaddexp2_near(double x, double y);
double ck_sinc(double x);
double ck_i0(double x);
double ck_i1(double x);
double ck_i0e(double x);
double ck_i1e(double x);
double ck_i0e_slope(double n, double x);
double ck_iv(double n, double x);
double ck_spherical_jn(double n, double x);
double ck_fmod(double x, double y);
double ck_mod(double x, double y);
double ck_floor_divide(double x, double y);

/* ---- Bits and 16-bit formats ------------------------------------------------------------------------------------ */
static inline uint32_t ck_bits32(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
static inline float ck_float32(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }

/* Nearest even; a NaN stays a quiet NaN with the top of its payload. */
static inline uint16_t ck_bf16_of_f32(float x) {
  const uint32_t u = ck_bits32(x);
  const uint32_t rounded = (u + 0x7FFFu + (u >> 16 & 1u)) >> 16;
  return (uint16_t)((u & 0x7FFFFFFFu) > 0x7F800000u ? (u >> 16 | 0x40u) : rounded);
}
static inline float ck_f32_of_bf16(uint16_t h) { return ck_float32((uint32_t)h << 16); }

/* The bits of vcvtps2ph: subnormals are rounded by adding a power of two whose ulp is 2^-24. */
static inline uint16_t ck_f16_of_f32(float x) {
  const uint32_t u = ck_bits32(x), sign = u >> 16 & 0x8000u, a = u & 0x7FFFFFFFu;
  const uint32_t normal = (a - 0x38000000u + 0xFFFu + (a >> 13 & 1u)) >> 13;
  const uint32_t small = ck_bits32(ck_float32(a < 0x38800000u ? a : 0u) + 0.5f) - 0x3F000000u;
  uint32_t h = a < 0x38800000u ? small : normal;
  h = a >= 0x477FF000u ? 0x7C00u : h;                                    /* 65520 and above */
  h = a > 0x7F800000u ? (0x7E00u | (a >> 13 & 0x3FFu)) : h;
  return (uint16_t)(sign | h);
}
static inline float ck_f32_of_f16(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, a = h & 0x7FFFu;
  const uint32_t normal = (a << 13) + 0x38000000u;
  const uint32_t small = ck_bits32((float)(int32_t)a * 0x1p-24f);
  uint32_t u = a < 0x0400u ? small : normal;
  u = a >= 0x7C00u ? ((a << 13) | 0x7F800000u | (a > 0x7C00u ? 0x400000u : 0u)) : u;
  return ck_float32(sign | u);
}

static inline float ck_half(int dtype, const uint16_t *h) { return dtype == CK_F16 ? ck_f32_of_f16(*h) : ck_f32_of_bf16(*h); }

/* To f32 by rounding to odd: a later rounding to 22 bits or fewer is then as if done once. */
static inline float ck_odd_f32_of_f64(double x) {
  const float f = (float)x;
  const uint32_t u = ck_bits32(f);
  const double back = (double)f;
  const double a = back < 0 ? -back : back, b = x < 0 ? -x : x;
  const uint32_t step = a < b ? 1u : 0xFFFFFFFFu;
  return ck_float32((u & 1u) == 0 && (a < b || a > b) ? u + step : u);
}
/* Exact up to 2^40; above it the 16 low bits are folded into one sticky bit, which 8 or 11 bits cannot see. */
static inline double ck_odd_f64_of_i64(int64_t v) {
  const uint64_t u = v < 0 ? 0u - (uint64_t)v : (uint64_t)v;
  const uint64_t folded = u >= 1ull << 40 ? (u >> 16 | ((u & 0xFFFFu) != 0)) << 16 : u;
  const double d = (double)folded;
  return v < 0 ? -d : d;
}
#endif
