/* Products of matrices. OpenBLAS's bits depend on its count of threads once m n k passes 262144, so the product is cut into tiles
 * below that; the cut depends on the sizes alone. Panels of k follow each other in ascending order, each added to C. */
#include <cblas.h>
#include <limits.h>
#include <math.h>
#include "private.h"
#pragma clang fp contract(off)

/* Measured: 108 GFLOP/s in f32 where one untiled call with two threads gives 104; other shapes of this volume give less. */
enum { TILE_M = 64, TILE_N = 64, TILE_K = 64 };
enum { TINY = 4 };   /* with so few rows or columns packing costs more than the product */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

#define TILES(E, name, gemm)                                                                                            \
  static void name(bool ta, bool tb, size_t m, size_t n, size_t k, const E *a, const E *b, E *c, ck_range r) {          \
    const size_t lda = ta ? m : k, ldb = tb ? k : n;                                                                    \
    for (size_t i = r.i; i < r.i_end; i += TILE_M)                                                                      \
      for (size_t j = r.j; j < r.j_end; j += TILE_N)                                                                    \
        for (size_t p = 0; p < k; p += TILE_K)                                                                          \
          gemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)least(TILE_M, r.i_end - i),  \
               (int)least(TILE_N, r.j_end - j), (int)least(TILE_K, k - p), 1, a + (ta ? p * m + i : i * k + p), (int)lda,      \
               b + (tb ? j * k + p : p * n + j), (int)ldb, p ? 1 : 0, c + i * n + j, (int)n);                            \
  }
TILES(double, tiles_f64, cblas_dgemm)
TILES(float, tiles_f32, cblas_sgemm)

static bool is_half(int dtype) { return dtype == CK_F16 || dtype == CK_BF16; }

size_t ck_gemm_scratch(int dtype, size_t m, size_t n, size_t k) {
  return is_half(dtype) ? (m * k + k * n + m * n) * sizeof(float) : 0;
}

void ck_gemm_range(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, const void *b, void *c, ck_range r) {
  const ck_table *t = ck_current();
  if (!t->gemm[dtype] || r.i >= r.i_end || r.j >= r.j_end) return;
  const bool blas = (dtype == CK_F64 || dtype == CK_F32) && m > TINY && n > TINY && k > 0 && m < INT_MAX && n < INT_MAX && k < INT_MAX;
  if (blas && dtype == CK_F64) { tiles_f64(ta, tb, m, n, k, a, b, c, r); return; }
  if (blas) { tiles_f32(ta, tb, m, n, k, a, b, c, r); return; }
  const size_t size = ck_sizes[dtype], a_row = ta ? 1 : k, b_column = tb ? k : 1, width = r.j_end - r.j;
  char *first = (char *)c + (r.i * n + r.j) * size;
  if (width == n) memset(first, 0, (r.i_end - r.i) * n * size);
  else for (size_t i = 0; i < r.i_end - r.i; i++) memset(first + i * n * size, 0, width * size);
  t->gemm[dtype](r.i_end - r.i, width, k, (const char *)a + r.i * a_row * size, a_row, ta ? m : 1,
                 (const char *)b + r.j * b_column * size, tb ? 1 : n, b_column, first, n);
}

void ck_gemm(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, const void *b, void *c, void *scratch) {
  const ck_table *t = ck_current();
  if (m == 0 || n == 0) return;
  if (is_half(dtype)) {
    float *fa = scratch, *fb = fa + m * k, *fc = fb + k * n;
    t->casts[dtype][CK_F32](a, NULL, NULL, fa, m * k);
    t->casts[dtype][CK_F32](b, NULL, NULL, fb, k * n);
    ck_gemm(CK_F32, ta, tb, m, n, k, fa, fb, fc, NULL);
    t->casts[CK_F32][dtype](fc, NULL, NULL, c, m * n);
    return;
  }
  ck_gemm_range(dtype, ta, tb, m, n, k, a, b, c, (ck_range){0, m, 0, n});
}

/* ---- With structural zeros ---------------------------------------------------------------------------------------------- */
static double number(int dtype, const void *x, size_t i) {
  if (dtype == CK_F64) return ((const double *)x)[i];
  if (dtype == CK_F32) return ((const float *)x)[i];
  double v;
  ck_cast_kernel(dtype, CK_F64)((const char *)x + i * ck_sizes[dtype], NULL, NULL, &v, 1);
  return v;
}

void ck_gemm_mend(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, const uint8_t *mask_a,
                  const void *b, const uint8_t *mask_b, void *c, size_t i0, size_t i1) {
  const size_t size = ck_sizes[dtype];
  if (dtype > CK_BF16 || (!mask_a && !mask_b) || ck_all_finite(dtype, (const char *)c + i0 * n * size, (i1 - i0) * n)) return;
  for (size_t i = i0; i < i1; i++)
    for (size_t j = 0; j < n; j++) {
      char *element = (char *)c + (i * n + j) * size;
      if (ck_all_finite(dtype, element, 1)) continue;
      double sum = 0;
      for (size_t p = 0; p < k; p++) {
        const size_t at = ta ? p * m + i : i * k + p, bt = tb ? j * k + p : p * n + j;
        if ((!mask_a || mask_a[at]) && (!mask_b || mask_b[bt])) sum += number(dtype, a, at) * number(dtype, b, bt);
      }
      ck_cast_kernel(CK_F64, dtype)(&sum, NULL, NULL, element, 1);
    }
}

void ck_gemm_masked(int dtype, bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, const uint8_t *mask_a,
                    const void *b, const uint8_t *mask_b, void *c, void *scratch) {
  ck_gemm(dtype, ta, tb, m, n, k, a, b, c, scratch);
  ck_gemm_mend(dtype, ta, tb, m, n, k, a, mask_a, b, mask_b, c, 0, m);
}
