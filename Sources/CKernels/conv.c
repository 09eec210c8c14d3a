/* Convolutions: parts, units and the plain loops; pooling's choice of elements; knots. The fast loops stand in conv.inc. */
#include <math.h>
#include "private.h"
#pragma clang fp contract(off)

static int64_t common(int64_t a, int64_t b) {
  if (a < 0) a = -a;
  for (int64_t r; b; a = b, b = r) r = a % b;
  return a;
}
static bool is_half(int dtype) { return dtype == CK_F16 || dtype == CK_BF16; }

/* The way depends on the shape alone. Groups of few output channels are not worth packing. */
static void prepare(int dtype, const int64_t *geometry, ck_conv *g) {
  memcpy(g, geometry, CK_CONV_GEOMETRY * sizeof(int64_t));
  g->half = is_half(dtype) ? dtype : 0;
  const ck_conv_axis *last = &g->axis[2];
  g->way = CK_CONV_TILES;
  if (dtype > CK_BF16) g->way = CK_CONV_ONES;
  else if (!g->half && g->o < 4) {
    if (last->p >= 8 && last->p >= last->k / 8) g->way = CK_CONV_LINES;
    else if (last->k >= 8 && last->b == 1 && last->d == 1 && g->axis[0].b == 1 && g->axis[1].b == 1) g->way = CK_CONV_DOTS;
  }
}

/* Parts along one axis: remainders of p. */
static int64_t parts_of(const ck_conv_axis *a) {
  const int64_t step = a->b / common(a->s, a->b);
  return step < a->p ? step : a->p;
}

static void part_of(const ck_conv *g, size_t number, ck_conv_part *q) {
  for (int a = 2; a >= 0; a--) {
    const ck_conv_axis *x = &g->axis[a];
    const int64_t count = parts_of(x), r = (int64_t)(number % (size_t)count), again = x->b / common(x->d, x->b);
    number /= (size_t)count;
    q->p_first[a] = r, q->p_step[a] = x->b / common(x->s, x->b);
    q->p[a] = (x->p - r + q->p_step[a] - 1) / q->p_step[a];
    q->k_first[a] = 0, q->k_step[a] = again, q->k[a] = 0;
    for (int64_t k = 0; k < again && k < x->k; k++)
      if ((r * x->s + k * x->d - x->low) % x->b == 0) {
        q->k_first[a] = k, q->k[a] = (x->k - k + again - 1) / again;
        break;
      }
    q->s[a] = q->p_step[a] * x->s / x->b, q->d[a] = again * x->d / x->b;
    q->at[a] = q->k[a] > 0 ? (r * x->s + q->k_first[a] * x->d - x->low) / x->b : 0;
  }
  q->along_taps = q->p[2] < 16 && q->k[2] > q->p[2];
}

void ck_conv_depth(const ck_conv_part *q, int64_t p, int64_t *c, int64_t t[3]) {
  for (int a = 2; a >= 0; a--) t[a] = p % q->k[a], p /= q->k[a];
  *c = p;
}
void ck_conv_run(const ck_conv *g, const ck_conv_part *q, size_t column, size_t most, ck_run *run) {
  const int64_t j = (int64_t)column, q2 = j % q->p[2], row = j / q->p[2], q1 = row % q->p[1], plane = row / q->p[1], q0 = plane % q->p[0], n = plane / q->p[0];
  run->x = n * g->x_n;
  run->i0 = q0 * q->s[0] + q->at[0], run->i1 = q1 * q->s[1] + q->at[1], run->q2 = q2;
  run->y = n * g->y_n + ((q->p_first[0] + q0 * q->p_step[0]) * g->axis[1].p + q->p_first[1] + q1 * q->p_step[1]) * g->axis[2].p + q->p_first[2] + q2 * q->p_step[2];
  run->count = q->p[2] - q2 < (int64_t)most ? q->p[2] - q2 : (int64_t)most;
}
size_t ck_conv_runs(const ck_conv *g, const ck_conv_part *q, size_t column, size_t width, ck_run *runs) {
  size_t count = 0;
  for (size_t done = 0; done < width; done += (size_t)runs[count++].count) ck_conv_run(g, q, column + done, width - done, runs + count);
  return count;
}

/* ---- Units: batches, groups, parts, panels of columns, panels of rows ---------------------------------------------------- */
typedef struct plan { size_t parts, columns, panels, rows, row; } plan;
static plan plan_of(int dtype, const ck_conv *g) {
  plan u = {.parts = 1, .columns = CK_PANEL_ROW / (dtype == CK_F64 ? 8 : 4), .rows = 1, .row = (size_t)g->o};
  size_t most = (size_t)g->n;
  for (int a = 0; a < 3; a++) {
    const ck_conv_axis *x = &g->axis[a];
    const int64_t step = x->b / common(x->s, x->b);
    u.parts *= (size_t)parts_of(x), most *= (size_t)((x->p + step - 1) / step);
  }
  u.panels = (most + u.columns - 1) / u.columns;
  if (u.panels * u.parts * (size_t)(g->batch * g->groups) < 16 && g->o > 32) u.row = 32, u.rows = ((size_t)g->o + 31) / 32;
  return u;
}

size_t ck_conv_units(int dtype, const int64_t *geometry) {
  ck_conv g;
  prepare(dtype, geometry, &g);
  const plan u = plan_of(dtype, &g);
  return (size_t)(g.batch * g.groups) * u.parts * u.panels * u.rows;
}
size_t ck_conv_scratch(int dtype, const int64_t *geometry) {
  ck_conv g;
  prepare(dtype, geometry, &g);
  if (g.way != CK_CONV_TILES) return 0;
  const size_t size = dtype == CK_F64 ? 8 : 4, height = 1024 / size, rows = (size_t)g.o < height ? (size_t)g.o : height;
  return (2 * CK_PANEL_ROW * CK_DEPTH + rows * CK_DEPTH * size + rows * 10 * CK_PANEL_ROW + 63) & ~(size_t)63;
}

/* One by one: integers, and "or" of "and". Integers wrap. */
#define ONES(T, U, each)                                                                                                              \
  for (size_t j = j0; j < j1; j++) {                                                                                                  \
    ck_run r;                                                                                                                         \
    ck_conv_run(g, q, j, 1, &r);                                                                                                      \
    for (size_t i = i0; i < i1; i++) {                                                                                                \
      U sum = 0;                                                                                                                      \
      for (int64_t c = 0; c < g->c; c++)                                                                                              \
        for (int64_t t0 = 0; t0 < q->k[0]; t0++)                                                                                      \
          for (int64_t t1 = 0; t1 < q->k[1]; t1++)                                                                                    \
            for (int64_t t2 = 0; t2 < q->k[2]; t2++) {                                                                                \
              const int64_t a = r.i0 + t0 * q->d[0], b = r.i1 + t1 * q->d[1], e = r.q2 * q->s[2] + t2 * q->d[2] + q->at[2];           \
              if (a < 0 || a >= g->axis[0].i || b < 0 || b >= g->axis[1].i || e < 0 || e >= g->axis[2].i) continue;                   \
              const U v = (U)((const T *)x)[r.x + c * g->x_c + (a * g->axis[1].i + b) * g->axis[2].i + e];                            \
              const U f = (U)((const T *)w)[(int64_t)i * g->w_o + c * g->w_c + ((q->k_first[0] + t0 * q->k_step[0]) * g->axis[1].k +   \
                                            q->k_first[1] + t1 * q->k_step[1]) * g->axis[2].k + q->k_first[2] + t2 * q->k_step[2]];   \
              each;                                                                                                                   \
            }                                                                                                                         \
      ((T *)y)[(int64_t)i * g->y_o + r.y] = (T)sum;                                                                                   \
    }                                                                                                                                 \
  }
static void ones(int dtype, const ck_conv *g, const ck_conv_part *q, const void *x, const void *w, void *y, size_t i0, size_t i1, size_t j0, size_t j1) {
  switch (dtype) {
  case CK_I64: ONES(int64_t, uint64_t, sum += v * f) break;
  case CK_I32: ONES(int32_t, uint32_t, sum += v * f) break;
  default: ONES(uint8_t, uint8_t, sum |= v & f)
  }
}

void ck_convolve(int dtype, const int64_t *geometry, const void *x, const void *w, void *y, size_t from, size_t to, void *scratch) {
  ck_conv g;
  prepare(dtype, geometry, &g);
  const plan p = plan_of(dtype, &g);
  const int64_t size = (int64_t)ck_sizes[dtype];
  const ck_products *loops = &ck_current()->products[dtype == CK_F64 ? 0 : 1];
  ck_conv_part q;
  size_t known = SIZE_MAX;
  for (size_t u = from, count; u < to; u += count) {
    const size_t row = u % p.rows, panel = u / p.rows % p.panels, part = u / p.rows / p.panels % p.parts, one = u / p.rows / p.panels / p.parts;
    /* Panels that follow each other are one. */
    count = 1;
    while (p.rows == 1 && u + count < to && panel + count < p.panels && count < 10) count++;
    if (part != known) part_of(&g, part, &q), known = part;
    const size_t all = (size_t)(g.n * q.p[0] * q.p[1] * q.p[2]), j0 = panel * p.columns, end = (panel + count) * p.columns, j1 = end < all ? end : all;
    const size_t i0 = row * p.row, i1 = row + 1 == p.rows ? (size_t)g.o : (row + 1) * p.row;
    if (j0 >= j1 || i0 >= i1) continue;
    const int64_t b = (int64_t)one / g.groups, k = (int64_t)one % g.groups;
    const char *px = (const char *)x + (b * g.x_batch + k * g.x_group) * size, *pw = (const char *)w + (b * g.w_batch + k * g.w_group) * size;
    char *py = (char *)y + (b * g.y_batch + k * g.y_group) * size;
    if (g.way == CK_CONV_ONES) ones(dtype, &g, &q, px, pw, py, i0, i1, j0, j1);
    else loops->conv(&g, &q, px, pw, py, i0, i1, j0, j1, scratch);
  }
}

static double number(int dtype, const void *x, int64_t i) {
  if (dtype == CK_F64) return ((const double *)x)[i];
  if (dtype == CK_F32) return ((const float *)x)[i];
  return ck_half(dtype, (const uint16_t *)x + i);
}

void ck_conv_mend(int dtype, const int64_t *geometry, const void *x, const uint8_t *mask_x, const void *w, const uint8_t *mask_w, void *y) {
  ck_conv g;
  prepare(dtype, geometry, &g);
  if (dtype > CK_BF16 || (!mask_x && !mask_w)) return;
  const ck_conv_axis *A = &g.axis[0], *B = &g.axis[1], *C = &g.axis[2];
  for (int64_t u = 0; u < g.batch * g.groups * g.n * g.o; u++) {
    const int64_t o = u % g.o, n = u / g.o % g.n, k = u / g.o / g.n % g.groups, b = u / g.o / g.n / g.groups;
    const int64_t yo = b * g.y_batch + k * g.y_group + n * g.y_n + o * g.y_o, xo = b * g.x_batch + k * g.x_group + n * g.x_n, wo = b * g.w_batch + k * g.w_group + o * g.w_o;
    char *plane = (char *)y + yo * (int64_t)ck_sizes[dtype];
    if (ck_all_finite(dtype, plane, (size_t)(A->p * B->p * C->p))) continue;
    for (int64_t at = 0; at < A->p * B->p * C->p; at++) {
      char *element = plane + at * (int64_t)ck_sizes[dtype];
      if (ck_all_finite(dtype, element, 1)) continue;
      double sum = 0;
      for (int64_t c = 0; c < g.c; c++)
        for (int64_t t = 0, i; t < A->k * B->k * C->k; t++) {
          if (!ck_conv_place(&g, at, t, &i)) continue;
          const int64_t xi = xo + c * g.x_c + i, wi = wo + c * g.w_c + t;
          if ((!mask_x || mask_x[xi]) && (!mask_w || mask_w[wi])) sum += number(dtype, x, xi) * number(dtype, w, wi);
        }
      ck_cast_kernel(CK_F64, dtype)(&sum, NULL, NULL, element, 1);
    }
  }
}

/* ---- Pooling ------------------------------------------------------------------------------------------------------------------- */
typedef struct pool_axis { int64_t i, p, window, step, dilation, low; } pool_axis;
/* A row of windows at a time: tap after tap, each window keeps its best. */
#define POOL(T, V, load)                                                                                                   \
  for (size_t plane = from; plane < to; plane++) {                                                                         \
    const T *x = (const T *)px + (int64_t)plane * A.i * B.i * C.i;                                                          \
    for (int64_t p0 = 0; p0 < A.p; p0++)                                                                                   \
      for (int64_t p1 = 0; p1 < B.p; p1++)                                                                                 \
        for (int64_t start = 0; start < C.p; start += RUN) {                                                               \
          const int64_t n = C.p - start < RUN ? C.p - start : RUN;                                                         \
          V best[RUN];                                                                                                     \
          int64_t where[RUN];                                                                                              \
          for (int64_t u = 0; u < n; u++) best[u] = 0, where[u] = -1;                                                      \
          for (int64_t t0 = 0; t0 < A.window; t0++) {                                                                      \
            const int64_t i0 = p0 * A.step + t0 * A.dilation - A.low;                                                      \
            if (i0 < 0 || i0 >= A.i) continue;                                                                             \
            for (int64_t t1 = 0; t1 < B.window; t1++) {                                                                    \
              const int64_t i1 = p1 * B.step + t1 * B.dilation - B.low;                                                    \
              if (i1 < 0 || i1 >= B.i) continue;                                                                           \
              const int64_t line = (i0 * B.i + i1) * C.i;                                                                  \
              for (int64_t t2 = 0; t2 < C.window; t2++)                                                                    \
                for (int64_t u = 0, i2 = start * C.step + t2 * C.dilation - C.low; u < n; u++, i2 += C.step) {             \
                  if (i2 < 0 || i2 >= C.i) continue;                                                                       \
                  const V v = load(x[line + i2]);                                                                          \
                  if (where[u] < 0 || v > best[u] || (v != v && best[u] == best[u])) best[u] = v, where[u] = line + i2;    \
                }                                                                                                          \
            }                                                                                                              \
          }                                                                                                                \
          const int64_t at = (((int64_t)plane * A.p + p0) * B.p + p1) * C.p + start;                                       \
          if (wide) for (int64_t u = 0; u < n; u++) ((int64_t *)out)[at + u] = where[u];                                   \
          else for (int64_t u = 0; u < n; u++) ((int32_t *)out)[at + u] = (int32_t)where[u];                               \
        }                                                                                                                  \
  }
void ck_pool_index(int dtype, const int64_t *geometry, const void *px, bool wide, void *out, size_t from, size_t to) {
  enum { RUN = 64 };
  pool_axis axes[3];
  memcpy(axes, geometry, sizeof axes);
  const pool_axis A = axes[0], B = axes[1], C = axes[2];
#define SELF(v) (v)
  switch (dtype) {
  case CK_F64: POOL(double, double, SELF) break;
  case CK_F32: POOL(float, float, SELF) break;
  case CK_F16: POOL(uint16_t, float, ck_f32_of_f16) break;
  case CK_BF16: POOL(uint16_t, float, ck_f32_of_bf16) break;
  case CK_I64: POOL(int64_t, int64_t, SELF) break;
  case CK_I32: POOL(int32_t, int32_t, SELF) break;
  default: POOL(uint8_t, int, SELF)
  }
}

/* ---- Knots ---------------------------------------------------------------------------------------------------------------------- */
#define SEARCH(T, V, load)                                                                         \
  for (size_t i = 0; i < count; i++) {                                                             \
    const V v = load(((const T *)px)[i]);                                                          \
    size_t low = 0, high = n;                                                                      \
    while (low < high) {                                                                           \
      const size_t middle = low + (high - low) / 2;                                                \
      const V k = load(((const T *)knots)[middle]);                                                \
      if (k < v || (right && k == v) || (v != v && (right || k == k))) low = middle + 1;           \
      else high = middle;                                                                          \
    }                                                                                              \
    out[i] = (int64_t)low;                                                                         \
  }
void ck_searchsorted(int dtype, const void *knots, size_t n, const void *px, int64_t *out, size_t count, bool right) {
  switch (dtype) {
  case CK_F64: SEARCH(double, double, SELF) break;
  case CK_F32: SEARCH(float, float, SELF) break;
  case CK_F16: SEARCH(uint16_t, float, ck_f32_of_f16) break;
  case CK_BF16: SEARCH(uint16_t, float, ck_f32_of_bf16) break;
  case CK_I64: SEARCH(int64_t, int64_t, SELF) break;
  case CK_I32: SEARCH(int32_t, int32_t, SELF) break;
  default: SEARCH(uint8_t, int, SELF)
  }
}

int64_t ck_outside(int dtype, const void *knots, size_t n, const void *x, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const double v = number(dtype, x, (int64_t)i);
    if (n == 0 || !(v >= number(dtype, knots, 0) && v <= number(dtype, knots, (int64_t)n - 1))) return (int64_t)i;
  }
  return -1;
}
