/* Products of matrices: which loop a shape takes. The loops stand in gemm.inc. */
#include <math.h>
#include "private.h"
#pragma clang fp contract(off)

static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static bool is_half(int dtype) { return dtype == CK_F16 || dtype == CK_BF16; }
static size_t up(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* The way depends on the whole product's shape, never on a cut: all but `DOTS` sum in the same order, see gemm.inc. */
typedef enum way { FEW, DOTS, ROW, TILES } way;
static way way_of(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k) {
  if (is_half(dtype)) return TILES;
  const bool dots = (n == 1 && (!ta || m == 1)) || (m == 1 && (tb || n == 1));
  if (k <= (dots ? 8 : 64) && (dots || m * n <= 64 / k)) return FEW;
  return dots ? DOTS : m == 1 || n == 1 ? ROW : TILES;
}

static ck_product product_of(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k) {
  const size_t size = is_half(dtype) ? 4 : ck_sizes[dtype];
  ck_product q = {.ta = ta, .tb = tb, .m = m, .n = n, .k = k};
  /* Fewer columns than a vector has lanes: turned, they are rows, unless that meant to transpose a long left matrix for more than one in f64. Few rows times a large transposed matrix: turned, that is read as it lies. */
  if ((n <= 16 && m > n && (ta || n <= 8 || dtype != CK_F64)) || (!ta && tb && m > 16 && m <= 64 && n >= 4 * m && k >= 64)) q = (ck_product){.ta = !tb, .tb = !ta, .m = n, .n = m, .k = k, .turned = true};
  if (is_half(dtype)) q.widen = ck_current()->casts[dtype][CK_F32], q.narrow = ck_current()->casts[CK_F32][dtype];
  q.height = least(q.m, q.narrow ? 128 : 1024 / size);
  q.length = q.narrow ? 512 : q.turned && q.m <= 16 ? 2048 : q.n;
  if (q.length > q.n) q.length = q.n;
  const size_t depth = least(k, CK_DEPTH), row = least(up(q.n * size), CK_PANEL_ROW);
  size_t at = 0;
#define PLACE(field, size_of) q.field = at, at += up(size_of)
  PLACE(panel, row * depth);
  if (q.ta && q.n * size > CK_PANEL_ROW / 2) PLACE(left, q.height * depth * size);
  if (q.widen) PLACE(wide_a, q.height * depth * size);
  if (q.widen && q.tb) PLACE(wide_b, row * depth);
  if (q.narrow || q.turned) PLACE(sums, q.height * q.length * size);
#undef PLACE
  q.bytes = at;
  return q;
}

size_t ck_gemm_scratch(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k) {
  if (dtype > CK_BF16 || m == 0 || n == 0 || k == 0 || way_of(dtype, ta, tb, m, n, k) != TILES) return 0;
  return product_of(dtype, ta, tb, m, n, k).bytes;
}

/* r of a product plus `plus`, which the tiles' loops add themselves. */
static void add_rows(int dtype, size_t n, const void *plus, size_t plus_row, void *c, ck_range r) {
  const ck_kernel add = ck_current()->rows[CK_UNARY_COUNT + Binary_add][dtype];
  const size_t size = ck_sizes[dtype], width = r.j_end - r.j;
  for (size_t i = r.i; i < r.i_end; i++) {
    char *row = (char *)c + (i * n + r.j) * size;
    add(row, (const char *)plus + (i * plus_row + r.j) * size, NULL, row, width);
  }
}

static void products(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, size_t next_a, const void *b, size_t next_b,
                     const void *plus, size_t plus_row, void *c, size_t next_c, size_t count, ck_range r, void *scratch) {
  const ck_table *t = ck_current();
  if (dtype > CK_I32 || r.i >= r.i_end || r.j >= r.j_end) return;
  const size_t size = ck_sizes[dtype], a_row = ta ? 1 : k, a_step = ta ? m : 1, b_step = tb ? 1 : n, b_column = tb ? k : 1;
  const size_t rows = r.i_end - r.i, width = r.j_end - r.j;
  const size_t first_a = r.i * a_row * size, first_b = r.j * b_column * size, first_c = (r.i * n + r.j) * size;
  const bool loop = k == 0 || dtype > CK_BF16;
  const way w = loop ? FEW : way_of(dtype, ta, tb, m, n, k);
  const ck_products *loops = &t->products[dtype == CK_F64 ? 0 : 1];
  ck_product q;
  if (w == TILES) q = product_of(dtype, ta, tb, m, n, k), q.scratch = scratch, q.plus = plus, q.plus_row = plus_row;
  for (size_t u = 0; u < count; u++) {
    const char *x = (const char *)a + u * next_a * size, *y = (const char *)b + u * next_b * size, *pa = x + first_a, *pb = y + first_b;
    char *z = (char *)c + u * next_c * size, *pc = z + first_c;
    if (loop) {
      for (size_t i = 0; i < rows; i++) memset(pc + i * n * size, 0, width * size);
      if (k > 0) t->gemm[dtype](rows, width, k, pa, a_row, a_step, pb, b_step, b_column, pc, n);
      continue;
    }
    switch (w) {
    case FEW: loops->few(rows, width, k, pa, a_row, a_step, pb, b_step, b_column, pc, n); break;
    case DOTS:
      if (n == 1) loops->dots(rows, k, pa, k, y, pc);
      else loops->dots(width, k, pb, k, x, pc);
      break;
    case ROW:
      if (m == 1) loops->row(width, k, x, pb, n, pc);
      else loops->row(rows, k, y, pa, m, pc);
      break;
    case TILES:
      q.a = q.turned ? y : x, q.b = q.turned ? x : y, q.c = z;
      loops->product(&q, q.turned ? (ck_range){r.j, r.j_end, r.i, r.i_end} : r);
    }
  }
  if (plus && w != TILES) add_rows(dtype, n, plus, plus_row, c, r);
}

void ck_gemm_batch(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, size_t next_a, const void *b, size_t next_b,
                   void *c, size_t next_c, size_t count, ck_range r, void *scratch) {
  products(dtype, ta, tb, m, n, k, a, next_a, b, next_b, NULL, 0, c, next_c, count, r, scratch);
}

void ck_gemm_range(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, const void *b, void *c, ck_range r, void *scratch) {
  ck_gemm_batch(dtype, ta, tb, m, n, k, a, 0, b, 0, c, 0, 1, r, scratch);
}
void ck_gemm(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, const void *b, void *c, void *scratch) {
  ck_gemm_range(dtype, ta, tb, m, n, k, a, b, c, (ck_range){0, m, 0, n}, scratch);
}

/* ---- With structural zeros ---------------------------------------------------------------------------------------------- */
static double number(int dtype, const void *x, size_t i) {
  if (dtype == CK_F64) return ((const double *)x)[i];
  if (dtype == CK_F32) return ((const float *)x)[i];
  double v;
  ck_cast_kernel(dtype, CK_F64)((const char *)x + i * ck_sizes[dtype], NULL, NULL, &v, 1);
  return v;
}

static bool is_set(ck_mask m, size_t i) {
  if (!m.p) return true;
  i += m.first;
  return m.bits ? m.p[i / 8] >> (i % 8) & 1 : m.p[i];
}

void ck_gemm_mend(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, ck_mask mask_a,
                  const void *b, ck_mask mask_b, void *c, size_t i0, size_t i1) {
  const size_t size = ck_sizes[dtype];
  if (dtype > CK_BF16 || (!mask_a.p && !mask_b.p) || ck_all_finite(dtype, (const char *)c + i0 * n * size, (i1 - i0) * n)) return;
  for (size_t i = i0; i < i1; i++)
    for (size_t j = 0; j < n; j++) {
      char *element = (char *)c + (i * n + j) * size;
      if (ck_all_finite(dtype, element, 1)) continue;
      double sum = 0;
      for (size_t p = 0; p < k; p++) {
        const size_t at = ta ? p * m + i : i * k + p, bt = tb ? j * k + p : p * n + j;
        if (is_set(mask_a, at) && is_set(mask_b, bt)) sum += number(dtype, a, at) * number(dtype, b, bt);
      }
      ck_cast_kernel(CK_F64, dtype)(&sum, NULL, NULL, element, 1);
    }
}

void ck_gemm_masked(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, ck_mask mask_a,
                    const void *b, ck_mask mask_b, void *c, void *scratch) {
  ck_gemm(dtype, ta, tb, m, n, k, a, b, c, scratch);
  ck_gemm_mend(dtype, ta, tb, m, n, k, a, mask_a, b, mask_b, c, 0, m);
}

/* Where all is finite, so was the product: no mask had anything to mend. */
void ck_gemm_sum(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, ck_mask mask_a, const void *b, ck_mask mask_b,
                 const void *plus, size_t plus_row, void *c, ck_range r, void *scratch) {
  products(dtype, ta, tb, m, n, k, a, 0, b, 0, plus, plus_row, c, 0, 1, r, scratch);
  if ((!mask_a.p && !mask_b.p) || ck_all_finite(dtype, (const char *)c + r.i * n * ck_sizes[dtype], (r.i_end - r.i) * n)) return;
  products(dtype, ta, tb, m, n, k, a, 0, b, 0, NULL, 0, c, 0, 1, r, scratch);
  ck_gemm_mend(dtype, ta, tb, m, n, k, a, mask_a, b, mask_b, c, r.i, r.i_end);
  add_rows(dtype, n, plus, plus_row, c, r);
}
