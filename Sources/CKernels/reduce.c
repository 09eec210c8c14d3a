/* Reductions: the folds of folds.h, put together by operator, dtype and shape. Columns go in strips of STRIP, which bounds the
 * scratch on the stack; a column's bits do not depend on its strip.
 *
 * Rows of a contiguous axis no longer than SHORT are transposed into columns first, STRIP rows at a time, whatever their count:
 * such an axis is added in sequence. */
#include <math.h>
#include "private.h"
#pragma clang fp contract(off)

enum { STRIP = 256, SHORT = 16 };
typedef union strip { double f64[STRIP]; float f32[STRIP]; int64_t i64[STRIP]; int32_t i32[STRIP]; uint8_t b[STRIP]; } strip;

static bool is_half(int dtype) { return dtype == CK_F16 || dtype == CK_BF16; }
static int accumulator(int dtype) { return is_half(dtype) ? CK_F32 : dtype; }

typedef union short_rows { uint64_t aligned; char bytes[8 * SHORT * STRIP]; } short_rows;
static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Short contiguous axes: strips of rows. Otherwise strips of columns, those of one outer row after the other. */
static bool turned(size_t n, size_t inner) { return inner == 1 && n <= SHORT; }
static size_t strips_a_row(size_t inner) { return inner / STRIP + (inner % STRIP != 0); }
size_t ck_strips(size_t outer, size_t n, size_t inner) {
  return turned(n, inner) ? strips_a_row(outer) : outer * strips_a_row(inner);
}
/* Runs BODY for the strips [first, last) with o and c, where the strip begins. */
#define EACH_STRIP(BODY)                                          \
  const size_t a_row = strips_a_row(inner);                       \
  for (size_t k = first; k < last; k++) {                         \
    const size_t o = k / a_row, c = k % a_row * STRIP;            \
    BODY                                                          \
  }

/* `rows` rows of n elements as n rows of `pitch`, or back. Never 1 column apart: folds read a step of 1 as one line. */
static size_t pitch_of(size_t rows) { return rows > 1 ? rows : 2; }
static void turn(bool forth, size_t size, size_t rows, size_t n, const void *from, void *to) {
  if (forth) ck_turn(size, rows, n, from, n, to, pitch_of(rows));
  else ck_turn(size, n, rows, from, pitch_of(rows), to, n);
}

/* `width` columns of n rows `stride` apart, to be folded in `as`. */
static ck_span span_of(const ck_table *t, int dtype, int as, const void *x, size_t n, size_t stride, size_t width) {
  return (ck_span){x, ck_sizes[dtype], n, stride, width, dtype == as ? NULL : t->casts[dtype][as], NULL, NULL, NULL, 0};
}
static void fold(const ck_table *t, ck_fold_name name, int as, ck_span s, const void *shift, void *out) {
  s.shift = shift;
  s.out = out;
  t->folds[name][as](&s);
}

static void neutral(Reduction op, int dtype, void *out, size_t n) {
  double d = op == Reduction_prod ? 1 : op == Reduction_max || op == Reduction_logsumexp ? -INFINITY : op == Reduction_min ? INFINITY : 0;
  if (dtype == CK_BOOL && (op == Reduction_max || op == Reduction_min)) d = op == Reduction_min;
  uint64_t value = 0;              /* integers saturate, so an empty max is their least number */
  ck_current()->casts[CK_F64][dtype](&d, NULL, NULL, &value, 1);
  ck_fill(ck_sizes[dtype], &value, out, n);
}

/* ---- Norm ------------------------------------------------------------------------------------------------------------ */
/* The plain sum of squares is kept where no square can have over- or underflowed to any effect; elsewhere the column is
 * scaled by the power of two of its largest element. Narrower formats never leave that range in f64. */
static void norms(const ck_table *t, int dtype, const ck_span *s, double *out) {
  double one[STRIP], largest[STRIP];
  for (size_t c = 0; c < s->width; c++) one[c] = 1;
  fold(t, CK_FOLD_SQUARES, CK_F64, *s, one, out);
  for (size_t c = 0; c < s->width; c++) {
    const bool safe = dtype != CK_F64 || (out[c] > 0x1p-900 && out[c] < INFINITY);
    if (safe) { out[c] = sqrt(out[c]); continue; }
    ck_span column = *s;
    column.x = (const char *)s->x + c * s->size;
    column.width = 1;
    fold(t, CK_FOLD_LARGEST, CK_F64, column, NULL, &largest[c]);
    if (!(largest[c] > 0) || largest[c] == INFINITY) { out[c] = largest[c]; continue; }
    int exponent = ilogb(largest[c]);
    if (exponent < -1022) exponent = -1022;
    const double scale = ldexp(1, -exponent);
    fold(t, CK_FOLD_SQUARES, CK_F64, column, &scale, &out[c]);
    out[c] = ldexp(sqrt(out[c]), exponent);
  }
}

/* ---- Sums of exponentials -------------------------------------------------------------------------------------------- */
/* largest = max x; rest = sum of exp(x - largest) over the x below the maximum; count = how many reach it. Then
 * logsumexp = largest + log1p(rest + (count - 1)), exact in its small part when one element dominates. */
#define EXPONENTIALS(E, DT, code)                                                                                         \
  static void exponentials_##DT(const ck_table *t, const ck_span *s, E *largest, E *rest, E *count) {                     \
    fold(t, CK_FOLD_MAX, code, *s, NULL, largest);                                                                        \
    fold(t, CK_FOLD_EXPS, code, *s, largest, rest);                                                                       \
    fold(t, CK_FOLD_EQUALS, code, *s, largest, count);                                                                    \
  }                                                                                                                       \
  static void logarithms_##DT(const ck_table *t, const E *largest, E *rest, const E *count, E *out, size_t n) {           \
    for (size_t c = 0; c < n; c++) rest[c] += count[c] - 1;                                                               \
    t->rows[Unary_log1p][code](rest, NULL, NULL, rest, n);                                                                \
    for (size_t c = 0; c < n; c++) out[c] = isfinite(largest[c]) ? largest[c] + rest[c] : largest[c];                     \
  }                                                                                                                       \
  static void logsumexps_##DT(const ck_table *t, const ck_span *s, E *out) {                                              \
    E largest[STRIP], rest[STRIP], count[STRIP];                                                                          \
    exponentials_##DT(t, s, largest, rest, count);                                                                        \
    logarithms_##DT(t, largest, rest, count, out, s->width);                                                              \
  }                                                                                                                       \
  /* Lines, one after the other, their logarithms together. */                                                            \
  static void logsumexp_lines_##DT(const ck_table *t, ck_span s, size_t lines, E *out) {                                  \
    E largest[STRIP], rest[STRIP], count[STRIP];                                                                          \
    for (size_t r = 0; r < lines; r++, s.x = (const char *)s.x + s.n * s.size)                                            \
      exponentials_##DT(t, &s, largest + r, rest + r, count + r);                                                         \
    logarithms_##DT(t, largest, rest, count, out, lines);                                                                 \
  }                                                                                                                       \
  /* The shift and the divisor of softmax; a column of -inf gets 0 and 1, which make it 0. */                             \
  static void softmax_parts_##DT(const ck_table *t, const ck_span *s, E *largest, E *sum) {                               \
    E count[STRIP];                                                                                                       \
    fold(t, CK_FOLD_MAX, code, *s, NULL, largest);                                                                        \
    fold(t, CK_FOLD_EXPS, code, *s, largest, sum);                                                                        \
    fold(t, CK_FOLD_EQUALS, code, *s, largest, count);                                                                    \
    for (size_t c = 0; c < s->width; c++) {                                                                               \
      const bool empty = largest[c] == -INFINITY;                                                                         \
      sum[c] = empty ? 1 : sum[c] + count[c];                                                                             \
      largest[c] = empty ? 0 : largest[c];                                                                                \
    }                                                                                                                     \
  }
EXPONENTIALS(double, f64, CK_F64)
EXPONENTIALS(float, f32, CK_F32)

/* ---- ck_reduce ------------------------------------------------------------------------------------------------------- */
static void reduce_strip(const ck_table *t, Reduction op, int dtype, const void *x, size_t n, size_t stride, size_t width, void *out) {
  static const ck_fold_name plain[] = {CK_FOLD_SUM, CK_FOLD_PROD, CK_FOLD_MAX, CK_FOLD_MIN};
  const int as = op == Reduction_norm ? CK_F64 : accumulator(dtype);
  const ck_span s = span_of(t, dtype, as, x, n, stride, width);
  strip wide;
  void *const to = as == dtype ? out : &wide;
  if (op == Reduction_norm) norms(t, dtype, &s, to);
  else if (op == Reduction_logsumexp && as == CK_F64) logsumexps_f64(t, &s, to);
  else if (op == Reduction_logsumexp) logsumexps_f32(t, &s, to);
  else fold(t, plain[op], as, s, NULL, to);
  if (as != dtype) t->casts[as][dtype](to, NULL, NULL, out, width);
}

/* Sums of lines that fill no more than one row of the tree: as columns, added in the order in which its lanes meet. What is missing
 * in the row would change no bit. */
static size_t lanes_of(int dtype) { return 64 / ck_sizes[dtype]; }
static bool short_sum(Reduction op, int dtype, size_t n, size_t inner) {
  return op == Reduction_sum && dtype <= CK_F32 && inner == 1 && n > SHORT && n <= 4 * lanes_of(dtype);
}
static void sum_short_lines(const ck_table *t, int dtype, const char *x, size_t n, size_t lines, char *out) {
  enum { TOGETHER = 64 };
  short_rows columns;
  const ck_kernel add = t->rows[CK_UNARY_COUNT + Binary_add][dtype];
  const size_t size = ck_sizes[dtype], lanes = lanes_of(dtype), pitch = TOGETHER * size;
  for (size_t o = 0; o < lines; o += TOGETHER) {
    const size_t count = least(lines - o, TOGETHER);
    ck_turn(size, count, n, x + o * n * size, n, &columns, TOGETHER);
#define MEET(a, b) do { if ((b) < n) add(columns.bytes + (a) * pitch, columns.bytes + (b) * pitch, NULL, columns.bytes + (a) * pitch, count); } while (0)
    for (size_t l = 0; l < lanes; l++) {
      MEET(l, l + lanes);
      MEET(l + 2 * lanes, l + 3 * lanes);
      MEET(l, l + 2 * lanes);
    }
    for (size_t half = lanes / 2; half; half /= 2)
      for (size_t l = 0; l < half; l++) MEET(l, l + half);
#undef MEET
    memcpy(out + o * size, columns.bytes, count * size);
  }
}

void ck_reduce_strips(Reduction op, int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner, size_t first, size_t last) {
  if ((op == Reduction_norm || op == Reduction_logsumexp) && dtype > CK_BF16) return;
  const ck_table *t = ck_current();
  const size_t size = ck_sizes[dtype];
  if (turned(n, inner)) {
    short_rows columns;
    for (size_t o = first * STRIP; o < least(last * STRIP, outer); o += STRIP) {
      const size_t rows = least(outer - o, STRIP);
      turn(true, size, rows, n, (const char *)x + o * n * size, &columns);
      reduce_strip(t, op, dtype, &columns, n, pitch_of(rows), rows, (char *)out + o * size);
    }
    return;
  }
  if (short_sum(op, dtype, n, inner)) {
    sum_short_lines(t, dtype, (const char *)x + first * n * size, n, last - first, (char *)out + first * size);
    return;
  }
  if (op == Reduction_logsumexp && inner == 1) {
    const int as = accumulator(dtype);
    for (size_t o = first; o < last; o += STRIP) {
      const size_t lines = least(last - o, STRIP);
      const ck_span s = span_of(t, dtype, as, (const char *)x + o * n * size, n, 1, 1);
      strip result;
      if (as == CK_F64) logsumexp_lines_f64(t, s, lines, result.f64);
      else logsumexp_lines_f32(t, s, lines, result.f32);
      t->casts[as][dtype](&result, NULL, NULL, (char *)out + o * size, lines);
    }
    return;
  }
  EACH_STRIP(reduce_strip(t, op, dtype, (const char *)x + (o * n * inner + c) * size, n, inner, least(inner - c, STRIP),
                          (char *)out + (o * inner + c) * size);)
}
void ck_reduce(Reduction op, int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner) {
  if (n == 0) neutral(op, dtype, out, outer * inner);
  else ck_reduce_strips(op, dtype, x, out, outer, n, inner, 0, ck_strips(outer, n, inner));
}

/* ---- One long line --------------------------------------------------------------------------------------------------- */
static const ck_fold_name plain_folds[] = {CK_FOLD_SUM, CK_FOLD_PROD, CK_FOLD_MAX, CK_FOLD_MIN};
static ck_span line_of(const ck_table *t, int dtype, const void *x, size_t n, size_t part, void *parts, void *out) {
  ck_span s = span_of(t, dtype, accumulator(dtype), x, n, 1, 1);
  s.part = part, s.parts = parts, s.out = out;
  return s;
}
size_t ck_line_parts(int dtype, size_t n) {
  const size_t group = CK_GROUP * (256 / ck_sizes[accumulator(dtype)]);
  return n > group ? n / group + (n % group != 0) : 1;
}
void ck_reduce_part(Reduction op, int dtype, const void *x, size_t n, size_t part, void *parts) {
  const ck_table *t = ck_current();
  const ck_span s = line_of(t, dtype, x, n, part, parts, NULL);
  t->folds[plain_folds[op]][accumulator(dtype)](&s);
}
void ck_reduce_join(Reduction op, int dtype, size_t n, void *parts, void *out) {
  const ck_table *t = ck_current();
  const int as = accumulator(dtype);
  uint64_t result;
  const ck_span s = line_of(t, dtype, NULL, n, SIZE_MAX, parts, &result);
  t->folds[plain_folds[op]][as](&s);
  t->casts[as][dtype](&result, NULL, NULL, out, 1);
}

double ck_sum_squares(int dtype, const void *x, size_t n) {
  const ck_table *t = ck_current();
  const double one = 1;
  double sum = 0;
  fold(t, CK_FOLD_SQUARES, CK_F64, span_of(t, dtype, CK_F64, x, n, 1, 1), &one, &sum);
  return sum;
}
bool ck_all_finite(int dtype, const void *x, size_t n) {
  return dtype > CK_BF16 || ck_current()->finite[dtype](x, n);
}

typedef struct look { int dtype; const char *x; size_t n, pieces; bool bad; } look;
static void look_at(void *context, size_t i) {
  look *l = context;
  const size_t from = l->n * i / l->pieces, to = l->n * (i + 1) / l->pieces;
  if (!ck_all_finite(l->dtype, l->x + from * ck_sizes[l->dtype], to - from)) __atomic_store_n(&l->bad, true, __ATOMIC_RELAXED);
}
bool ck_all_finite_shared(int dtype, const void *x, size_t n, size_t threads) {
  if (threads < 2 || dtype > CK_BF16) return ck_all_finite(dtype, x, n);
  look l = {dtype, x, n, threads, false};
  ck_parallel(threads, threads, look_at, &l);
  return !l.bad;
}

/* ---- Softmax --------------------------------------------------------------------------------------------------------- */
/* out[i] = exp(x[i] - largest[i]) / sum[i] over at most STRIP elements. */
static void normalise(const ck_table *t, int dtype, int as, const void *x, const void *largest, const void *sum, void *out, size_t n) {
  strip wide;
  t->casts[dtype][as](x, NULL, NULL, &wide, n);
  t->rows[CK_UNARY_COUNT + Binary_sub][as](&wide, largest, NULL, &wide, n);
  t->rows[Unary_exp][as](&wide, NULL, NULL, &wide, n);
  t->rows[CK_UNARY_COUNT + Binary_div][as](&wide, sum, NULL, &wide, n);
  t->casts[as][dtype](&wide, NULL, NULL, out, n);
}

static void softmax_strip(const ck_table *t, int dtype, const char *x, char *out, size_t n, size_t stride, size_t width) {
  const int as = accumulator(dtype);
  const size_t size = ck_sizes[dtype];
  const ck_span s = span_of(t, dtype, as, x, n, stride, width);
  strip largest, sum;
  if (as == CK_F64) softmax_parts_f64(t, &s, largest.f64, sum.f64);
  else softmax_parts_f32(t, &s, largest.f32, sum.f32);
  if (stride > 1) {
    for (size_t i = 0; i < n; i++)
      normalise(t, dtype, as, x + i * stride * size, &largest, &sum, out + i * stride * size, width);
    return;
  }
  ck_fill(ck_sizes[as], &largest, &largest, least(n, STRIP));
  ck_fill(ck_sizes[as], &sum, &sum, least(n, STRIP));
  for (size_t i = 0; i < n; i += STRIP)
    normalise(t, dtype, as, x + i * size, &largest, &sum, out + i * size, least(n - i, STRIP));
}

void ck_softmax_strips(int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner, size_t first, size_t last) {
  if (dtype > CK_BF16 || n == 0) return;
  const ck_table *t = ck_current();
  const size_t size = ck_sizes[dtype];
  if (turned(n, inner)) {
    short_rows columns;
    for (size_t o = first * STRIP; o < least(last * STRIP, outer); o += STRIP) {
      const size_t rows = least(outer - o, STRIP);
      turn(true, size, rows, n, (const char *)x + o * n * size, &columns);
      softmax_strip(t, dtype, columns.bytes, columns.bytes, n, pitch_of(rows), rows);
      turn(false, size, rows, n, &columns, (char *)out + o * n * size);
    }
    return;
  }
  EACH_STRIP(const size_t at = (o * n * inner + c) * size;
             softmax_strip(t, dtype, (const char *)x + at, (char *)out + at, n, inner, least(inner - c, STRIP));)
}
void ck_softmax(int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner) {
  ck_softmax_strips(dtype, x, out, outer, n, inner, 0, ck_strips(outer, n, inner));
}

/* ---- Running sums: in order, f32 for the 16-bit formats, so an error bound grows with n ---------------------------------- */
void ck_cumsum_strips(int dtype, const void *x, void *out, size_t n, size_t inner, bool reverse, size_t first, size_t last) {
  const ck_table *t = ck_current();
  const int as = accumulator(dtype);
  const size_t size = ck_sizes[dtype];
  const ck_kernel add = dtype == CK_BOOL ? t->rows[CK_UNARY_COUNT + Binary_logical_or][CK_BOOL]
                                         : t->rows[CK_UNARY_COUNT + Binary_add][as];
  const size_t a_row = strips_a_row(inner);
  strip sum, wide;
  for (size_t strip_number = first; strip_number < last; strip_number++) {
      const size_t o = strip_number / a_row, c = strip_number % a_row * STRIP, width = least(inner - c, STRIP);
#define ONE_COLUMN(E)                                                                      \
  if (inner == 1) {                                                                        \
    E running = 0;                                                                         \
    for (size_t j = 0; j < n; j++) {                                                       \
      const size_t at = o * n + (reverse ? n - 1 - j : j);                                 \
      running = j ? running + ((const E *)x)[at] : ((const E *)x)[at];                     \
      ((E *)out)[at] = running;                                                            \
    }                                                                                      \
    continue;                                                                              \
  }
      if (dtype == CK_F64) { ONE_COLUMN(double) }
      if (dtype == CK_F32) { ONE_COLUMN(float) }
      if (dtype == CK_I64) { ONE_COLUMN(uint64_t) }
      for (size_t j = 0; j < n; j++) {
        const size_t at = ((o * n + (reverse ? n - 1 - j : j)) * inner + c) * size;
        t->casts[dtype][as]((const char *)x + at, NULL, NULL, j ? &wide : &sum, width);
        if (j) add(&sum, &wide, NULL, &sum, width);
        t->casts[as][dtype](&sum, NULL, NULL, (char *)out + at, width);
      }
    }
}
size_t ck_cumsum_count(size_t outer, size_t inner) { return outer * strips_a_row(inner); }
void ck_cumsum(int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner, bool reverse) {
  ck_cumsum_strips(dtype, x, out, n, inner, reverse, 0, ck_cumsum_count(outer, inner));
}

/* ---- Position of the largest ------------------------------------------------------------------------------------------ */
/* Column by column. `better` is strict, so the first of equals stays; a NaN beats every number and is never beaten. */
#define ARGMAX_COLUMNS(E)                                                                            \
  for (size_t i = 0; i < n; i++) {                                                                   \
    const E *v = (const E *)(x + i * stride * size);                                                 \
    if (dtype != as) { t->casts[dtype][as](v, NULL, NULL, &wide, width); v = (const E *)&wide; }     \
    E *best = (E *)&kept;                                                                            \
    for (size_t l = 0; l < width; l++) {                                                             \
      const bool better = i == 0 || (best[l] == best[l] && (v[l] != v[l] || (minimum ? v[l] < best[l] : v[l] > best[l]))); \
      best[l] = better ? v[l] : best[l];                                                             \
      out[l] = better ? (int64_t)i : out[l];                                                         \
    }                                                                                                \
  }
/* A line: its extreme by a fold, then the first place where that stands. */
#define ARGMAX_LINE(E)                                                                               \
  {                                                                                                  \
    E extreme;                                                                                       \
    fold(t, minimum ? CK_FOLD_MIN : CK_FOLD_MAX, as, span_of(t, dtype, as, x, n, 1, 1), NULL, &extreme); \
    for (size_t i = 0; i < n; i += STRIP) {                                                          \
      const size_t count = least(n - i, STRIP);                                                      \
      const E *v = (const E *)(x + i * size);                                                        \
      if (dtype != as) { t->casts[dtype][as](v, NULL, NULL, &wide, count); v = (const E *)&wide; }   \
      unsigned found = 0;                                                                            \
      for (size_t l = 0; l < count; l++) found |= (v[l] == extreme) | ((v[l] != v[l]) & (extreme != extreme)); \
      for (size_t l = 0; found && l < count; l++)                                                    \
        if (v[l] == extreme || (v[l] != v[l] && extreme != extreme)) { *out = (int64_t)(i + l); return; } \
    }                                                                                                \
  }
#define ARGMAX(E) do { if (stride == 1) ARGMAX_LINE(E) else ARGMAX_COLUMNS(E) } while (0)
static void argmax_strip(const ck_table *t, int dtype, bool minimum, const char *x, int64_t *out, size_t n, size_t stride, size_t width) {
  const int as = accumulator(dtype);
  const size_t size = ck_sizes[dtype];
  strip wide, kept;
  switch (as) {
  case CK_F64: ARGMAX(double); break;
  case CK_F32: ARGMAX(float); break;
  case CK_I64: ARGMAX(int64_t); break;
  case CK_I32: ARGMAX(int32_t); break;
  default: ARGMAX(uint8_t); break;
  }
}

void ck_argmax_strips(int dtype, bool minimum, const void *x, int64_t *out, size_t outer, size_t n, size_t inner, size_t first, size_t last) {
  if (n == 0) return;
  const ck_table *t = ck_current();
  const size_t size = ck_sizes[dtype];
  if (turned(n, inner)) {
    short_rows columns;
    for (size_t o = first * STRIP; o < least(last * STRIP, outer); o += STRIP) {
      const size_t rows = least(outer - o, STRIP);
      turn(true, size, rows, n, (const char *)x + o * n * size, &columns);
      argmax_strip(t, dtype, minimum, columns.bytes, out + o, n, pitch_of(rows), rows);
    }
    return;
  }
  EACH_STRIP(argmax_strip(t, dtype, minimum, (const char *)x + (o * n * inner + c) * size, out + o * inner + c, n, inner, least(inner - c, STRIP));)
}
void ck_argmax(int dtype, bool minimum, const void *x, int64_t *out, size_t outer, size_t n, size_t inner) {
  ck_argmax_strips(dtype, minimum, x, out, outer, n, inner, 0, ck_strips(outer, n, inner));
}
