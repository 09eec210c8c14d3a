/* Running products, extremes, sums of exponentials and linear recurrences along an axis: in order, f32 for the 16-bit formats. Columns
 * side by side (or lines, a few at a time) go together; a column's bits do not depend on its neighbours. */
#include "private.h"
#pragma clang fp contract(off)

enum { STRIP = 256, LINES = 16 };
typedef union strip { double f64[STRIP]; float f32[STRIP]; int64_t i64[STRIP]; int32_t i32[STRIP]; uint8_t b[STRIP]; uint64_t u64[STRIP]; } strip;

static int accumulator(int dtype) { return dtype == CK_F16 || dtype == CK_BF16 ? CK_F32 : dtype; }
static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static size_t strips(size_t n, size_t width) { return n / width + (n % width != 0); }
size_t ck_running_count(size_t outer, size_t inner) { return inner == 1 ? strips(outer, LINES) : outer * strips(inner, STRIP); }

/* `width` columns of n elements: element (j, l) lies at at + j * step + l * apart. */
typedef struct ck_columns { size_t at, width, step, apart; } ck_columns;
static ck_columns columns_of(size_t k, size_t outer, size_t n, size_t inner) {
  if (inner == 1) return (ck_columns){k * LINES * n, least(outer - k * LINES, LINES), 1, n};
  const size_t a_row = strips(inner, STRIP), o = k / a_row, c = k % a_row * STRIP;
  return (ck_columns){o * n * inner + c, least(inner - c, STRIP), inner, 1};
}

#define EACH_LANE(U, to, from, stride_to, stride_from) \
  for (size_t l = 0; l < c.width; l++) ((U *)(to))[l * (stride_to)] = ((const U *)(from))[l * (stride_from)]
#define BY_SIZE(size, to, from, stride_to, stride_from)              \
  switch (size) {                                                    \
  case 8: EACH_LANE(uint64_t, to, from, stride_to, stride_from); break; \
  case 4: EACH_LANE(uint32_t, to, from, stride_to, stride_from); break; \
  case 2: EACH_LANE(uint16_t, to, from, stride_to, stride_from); break; \
  default: EACH_LANE(uint8_t, to, from, stride_to, stride_from);     \
  }
/* Row j of the columns, side by side in the accumulator's format: where it lies, or in `wide`. */
static const void *row_in(const ck_table *t, int dtype, const void *x, ck_columns c, size_t j, strip *narrow, strip *wide) {
  const size_t size = ck_sizes[dtype];
  const void *p = (const char *)x + (c.at + j * c.step) * size;
  if (c.apart != 1) {
    BY_SIZE(size, narrow, p, 1, c.apart)
    p = narrow;
  }
  const int as = accumulator(dtype);
  if (as == dtype) return p;
  t->casts[dtype][as](p, NULL, NULL, wide, c.width);
  return wide;
}
static void row_out(const ck_table *t, int as, int dtype, const void *v, void *out, ck_columns c, size_t j) {
  const size_t size = ck_sizes[dtype];
  strip narrow;
  void *const p = (char *)out + (c.at + j * c.step) * size;
  if (as != dtype) {
    t->casts[as][dtype](v, NULL, NULL, c.apart == 1 ? p : &narrow, c.width);
    if (c.apart == 1) return;
    v = &narrow;
  }
  BY_SIZE(size, p, v, c.apart, 1)
}

/* The first of equals stays; a NaN beats every number and is never beaten. */
#define BETTER(v, s) ((s) == (s) && ((v) != (v) || (smaller ? (v) < (s) : (v) > (s))))
#define STEP(E, U)                                                                       \
  {                                                                                      \
    const E *v = x;                                                                      \
    E *s = (E *)state;                                                                   \
    if (j == 0) {                                                                        \
      memcpy(s, v, c.width * sizeof(E));                                                 \
      for (size_t l = 0; l < c.width; l++) index[l] = (int64_t)at;                       \
    } else if (op == Running_prod) {                                                     \
      for (size_t l = 0; l < c.width; l++) s[l] = (E)((U)s[l] * (U)v[l]);                \
    } else {                                                                             \
      const bool smaller = op == Running_min || op == Running_argmin;                    \
      for (size_t l = 0; l < c.width; l++) {                                             \
        const bool better = BETTER(v[l], s[l]);                                          \
        s[l] = better ? v[l] : s[l];                                                     \
        index[l] = better ? (int64_t)at : index[l];                                      \
      }                                                                                  \
    }                                                                                    \
  }
static void step(Running op, int as, ck_columns c, size_t j, size_t at, const void *x, strip *state, int64_t *index) {
  switch (as) {
  case CK_F64: STEP(double, double) break;
  case CK_F32: STEP(float, float) break;
  case CK_I64: STEP(int64_t, uint64_t) break;
  case CK_I32: STEP(int32_t, uint32_t) break;
  default: STEP(uint8_t, unsigned) break;
  }
}

/* largest + log1p(rest), rest = the sum of exp(x - largest) over all but the one that is largest: exact in its small part. */
#define EXPONENTIALS(E, ABS)                                                              \
  {                                                                                       \
    const E *v = x;                                                                       \
    E *m = (E *)&state, *r = (E *)&rest, *e = (E *)&work;                                 \
    if (j == 0) {                                                                         \
      for (size_t l = 0; l < c.width; l++) m[l] = v[l], r[l] = 0;                         \
    } else {                                                                              \
      for (size_t l = 0; l < c.width; l++) e[l] = v[l] == m[l] ? 0 : -ABS(v[l] - m[l]);   \
      t->rows[Unary_exp][as](e, NULL, NULL, e, c.width);                                  \
      for (size_t l = 0; l < c.width; l++) {                                              \
        const bool larger = v[l] > m[l];                                                  \
        r[l] = larger ? (r[l] + 1) * e[l] : r[l] + e[l];                                  \
        m[l] = larger ? v[l] : m[l];                                                      \
      }                                                                                   \
    }                                                                                     \
    t->rows[Unary_log1p][as](r, NULL, NULL, e, c.width);                                  \
    for (size_t l = 0; l < c.width; l++) e[l] += m[l];                                    \
  }

void ck_running_strips(Running op, int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner, bool reverse, size_t first, size_t last) {
  const ck_table *t = ck_current();
  const int as = accumulator(dtype);
  const bool places = op == Running_argmax || op == Running_argmin;
  if (op == Running_logsumexp && dtype > CK_BF16) return;
  strip state, rest, work, narrow, wide;
  int64_t index[STRIP];
  for (size_t k = first; k < last; k++) {
    const ck_columns c = columns_of(k, outer, n, inner);
    for (size_t j = 0; j < n; j++) {
      const size_t at = reverse ? n - 1 - j : j;
      const void *const row = row_in(t, dtype, x, c, at, &narrow, &wide);
      if (op == Running_logsumexp) {
        const void *const x = row;
        if (as == CK_F64) EXPONENTIALS(double, __builtin_fabs) else EXPONENTIALS(float, __builtin_fabsf)
        row_out(t, as, dtype, &work, out, c, at);
        continue;
      }
      step(op, as, c, j, at, row, &state, index);
      if (places) row_out(t, CK_I64, CK_I64, index, out, c, at);
      else row_out(t, as, dtype, &state, out, c, at);
    }
  }
}
void ck_running(Running op, int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner, bool reverse) {
  ck_running_strips(op, dtype, x, out, outer, n, inner, reverse, 0, ck_running_count(outer, inner));
}

#define RECUR(E, EXPRESSION)                                          \
  {                                                                   \
    const E *u = pa, *v = pb;                                         \
    E *h = (E *)&state;                                               \
    if (j == 0) memcpy(h, v, c.width * sizeof(E));                    \
    else for (size_t l = 0; l < c.width; l++) h[l] = (E)(EXPRESSION); \
  }
void ck_recurrence_strips(int dtype, const void *a, const void *b, void *out, size_t outer, size_t n, size_t inner, bool reverse, size_t first, size_t last) {
  const ck_table *t = ck_current();
  const int as = accumulator(dtype);
  strip state, narrow_a, narrow_b, wide_a, wide_b;
  for (size_t k = first; k < last; k++) {
    const ck_columns c = columns_of(k, outer, n, inner);
    for (size_t j = 0; j < n; j++) {
      const size_t at = reverse ? n - 1 - j : j;
      const void *const pa = row_in(t, dtype, a, c, at, &narrow_a, &wide_a), *const pb = row_in(t, dtype, b, c, at, &narrow_b, &wide_b);
      switch (as) {
      case CK_F64: RECUR(double, u[l] == 0 ? v[l] : u[l] * h[l] + v[l]) break;
      case CK_F32: RECUR(float, u[l] == 0 ? v[l] : u[l] * h[l] + v[l]) break;
      case CK_I64: RECUR(int64_t, (uint64_t)u[l] * (uint64_t)h[l] + (uint64_t)v[l]) break;
      case CK_I32: RECUR(int32_t, (uint32_t)u[l] * (uint32_t)h[l] + (uint32_t)v[l]) break;
      default: RECUR(uint8_t, (u[l] & h[l]) | v[l]) break;
      }
      row_out(t, as, dtype, &state, out, c, at);
    }
  }
}
