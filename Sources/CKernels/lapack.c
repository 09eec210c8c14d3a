/* Factorisations of one row-major matrix. LAPACK reads it as column-major, that is, transposed: the lower factor of a row-major
 * matrix is the upper factor of what LAPACK sees, and a solve with A is one with the transpose of the factored matrix.
 * OpenBLAS may use several threads here; these rows are exempt from the promise of equal bits at any thread count. */
#include <cblas.h>
#include <math.h>
#include "private.h"
#include "../COpenBLAS/shim.h"

static int failed(int dtype, void *out, size_t n, size_t pivot) {
  const double d = NAN;
  const float f = NAN;
  ck_fill(ck_sizes[dtype], dtype == CK_F64 ? (const void *)&d : &f, out, n);
  return (int)pivot;
}

#define CHOLESKY(E, name, potrf)                                                                     \
  static int name(size_t n, const E *a, E *l) {                                                      \
    for (size_t i = 0; i < n; i++)                                                                   \
      for (size_t j = 0; j < n; j++) l[i * n + j] = j <= i ? a[i * n + j] : 0;                       \
    const int size = (int)n;                                                                         \
    int info = 0;                                                                                    \
    potrf("U", &size, l, &size, &info);                                                              \
    for (size_t i = 0; info == 0 && i < n; i++)   /* a NaN passes through OpenBLAS unnoticed */      \
      if (!(l[i * n + i] > 0)) info = (int)i + 1;                                                    \
    return info;                                                                                     \
  }
CHOLESKY(double, cholesky_f64, dpotrf_)
CHOLESKY(float, cholesky_f32, spotrf_)

int ck_cholesky(int dtype, size_t n, const void *a, void *l) {
  if (n == 0) return 0;
  const int pivot = dtype == CK_F64 ? cholesky_f64(n, a, l) : cholesky_f32(n, a, l);
  return pivot ? failed(dtype, l, n * n, (size_t)pivot) : 0;
}

int ck_triangular_solve(int dtype, bool lower, bool transpose, bool unit, size_t n, size_t m, const void *a, const void *b, void *x) {
  if (n == 0 || m == 0) return 0;
  for (size_t i = 0; !unit && i < n; i++)
    if (dtype == CK_F64 ? ((const double *)a)[i * n + i] == 0 : ((const float *)a)[i * n + i] == 0)
      return failed(dtype, x, n * m, i + 1);
  memmove(x, b, n * m * ck_sizes[dtype]);
  const CBLAS_UPLO half = lower ? CblasLower : CblasUpper;
  const CBLAS_TRANSPOSE op = transpose ? CblasTrans : CblasNoTrans;
  const CBLAS_DIAG diagonal = unit ? CblasUnit : CblasNonUnit;
  if (dtype == CK_F64)
    cblas_dtrsm(CblasRowMajor, CblasLeft, half, op, diagonal, (int)n, (int)m, 1, a, (int)n, x, (int)m);
  else
    cblas_strsm(CblasRowMajor, CblasLeft, half, op, diagonal, (int)n, (int)m, 1, a, (int)n, x, (int)m);
  return 0;
}

#define SOLVE(E, name, getrf, getrs)                                                                 \
  static int name(bool transpose, size_t n, size_t m, E *lu, int32_t *pivots, E *t) {                \
    const int size = (int)n, columns = (int)m;                                                       \
    int info = 0;                                                                                    \
    getrf(&size, &size, lu, &size, pivots, &info);                                                   \
    if (info == 0) getrs(transpose ? "N" : "T", &size, &columns, lu, &size, pivots, t, &size, &info); \
    return info;                                                                                     \
  }
SOLVE(double, solve_f64, dgetrf_, dgetrs_)
SOLVE(float, solve_f32, sgetrf_, sgetrs_)

int ck_solve(int dtype, bool transpose, size_t n, size_t m, const void *a, const void *b, void *x, void *lu, int32_t *pivots, void *t) {
  if (n == 0 || m == 0) return 0;
  const size_t size = ck_sizes[dtype];
  const int64_t columns[] = {(int64_t)m, (int64_t)n}, along[] = {1, (int64_t)m}, across[] = {(int64_t)n, 1};
  memcpy(lu, a, n * n * size);
  ck_copy_strided(size, 2, columns, b, along, t, across);
  const int pivot = dtype == CK_F64 ? solve_f64(transpose, n, m, lu, pivots, t) : solve_f32(transpose, n, m, lu, pivots, t);
  if (pivot) return failed(dtype, x, n * m, (size_t)pivot);
  ck_copy_strided(size, 2, columns, t, across, x, along);
  return 0;
}
