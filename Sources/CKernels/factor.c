/* Factorisations by LAPACK in both precisions, each batch member on its own. What fails gives NaN throughout and a return value that
 * is not 0. Workspaces are asked for once, by ck_*_scratch: a run allocates nothing. */
#include <math.h>
#include "private.h"
#include "../COpenBLAS/shim.h"

#define E double
#define LA(name) d##name##_
#define OWN(name) name##_f64
#include "factor.h"
#undef E
#undef LA
#undef OWN
#define E float
#define LA(name) s##name##_
#define OWN(name) name##_f32
#include "factor.h"
#undef E
#undef LA
#undef OWN

static int checked(int failed, int dtype, void *out, size_t n) {
  const double d = NAN;
  const float f = NAN;
  if (failed) ck_fill(ck_sizes[dtype], dtype == CK_F64 ? (const void *)&d : &f, out, n);
  return failed;
}
static size_t least(size_t m, size_t n) { return m < n ? m : n; }
static void *after(void *p, size_t n, int dtype) { return (char *)p + n * ck_sizes[dtype]; }
static const void *after_const(const void *p, size_t n, int dtype) { return (const char *)p + n * ck_sizes[dtype]; }

size_t ck_lu_scratch(int dtype, size_t m, size_t n) { return m * n * ck_sizes[dtype] + (least(m, n) + 2) * sizeof(int32_t); }
void ck_lu(int dtype, size_t count, size_t m, size_t n, const void *a, void *out, void *scratch) {
  const size_t size = m * n + m;
  for (size_t i = 0; i < count; i++, a = after_const(a, m * n, dtype), out = after(out, size, dtype))
    checked(dtype == CK_F64 ? lu_f64(m, n, a, out, scratch) : lu_f32(m, n, a, out, scratch), dtype, out, size);
}

static size_t qr_work(int dtype, size_t m, size_t n, size_t q) { return dtype == CK_F64 ? qr_work_f64(m, n, q) : qr_work_f32(m, n, q); }
size_t ck_qr_scratch(int dtype, size_t m, size_t n, bool full) {
  return (m * n + least(m, n) + qr_work(dtype, m, n, full ? m : least(m, n))) * ck_sizes[dtype];
}
void ck_qr(int dtype, size_t count, size_t m, size_t n, bool full, const void *a, void *out, void *scratch) {
  const size_t q = full ? m : least(m, n), size = m * q + q * n, work = qr_work(dtype, m, n, q);
  for (size_t i = 0; i < count; i++, a = after_const(a, m * n, dtype), out = after(out, size, dtype))
    checked(dtype == CK_F64 ? qr_f64(m, n, q, a, out, scratch, work) : qr_f32(m, n, q, a, out, scratch, work), dtype, out, size);
}

static void eigh_work(int dtype, size_t n, bool vectors, size_t *work, size_t *integers) {
  if (dtype == CK_F64) eigh_work_f64(n > 0 ? n : 1, vectors, work, integers);
  else eigh_work_f32(n > 0 ? n : 1, vectors, work, integers);
}
size_t ck_eigh_scratch(int dtype, size_t n, bool vectors) {
  size_t work, integers;
  eigh_work(dtype, n, vectors, &work, &integers);
  return (work + 2 + (vectors ? 0 : n * n)) * ck_sizes[dtype] + (integers + 2) * sizeof(int);
}
void ck_eigh(int dtype, size_t count, size_t n, bool vectors, bool lower, const void *a, void *out, void *scratch) {
  size_t work, integers;
  eigh_work(dtype, n, vectors, &work, &integers);
  const size_t size = n + (vectors ? n * n : 0);
  int *list = scratch;
  void *x = (char *)scratch + (integers + 1) / 2 * 2 * sizeof(int), *t = after(x, work, dtype);
  for (size_t i = 0; i < count; i++, a = after_const(a, n * n, dtype), out = after(out, size, dtype)) {
    void *v = vectors ? after(out, n, dtype) : t;
    checked(dtype == CK_F64 ? eigh_f64(n, vectors, lower, a, out, v, x, work, list, integers) : eigh_f32(n, vectors, lower, a, out, v, x, work, list, integers),
            dtype, out, size);
  }
}

static size_t svd_work(int dtype, size_t m, size_t n, char job) { return dtype == CK_F64 ? svd_work_f64(m, n, job) : svd_work_f32(m, n, job); }
size_t ck_svd_scratch(int dtype, size_t m, size_t n, bool vectors, bool full) {
  return (m * n + 2 + svd_work(dtype, m, n, vectors ? (full ? 'A' : 'S') : 'N')) * ck_sizes[dtype] + (8 * least(m, n) + 2) * sizeof(int);
}
void ck_svd(int dtype, size_t count, size_t m, size_t n, bool vectors, bool full, const void *a, void *out, void *scratch) {
  const size_t k = least(m, n), p = full ? m : k, q = full ? n : k, size = vectors ? m * p + k + q * n : k;
  const char job = vectors ? (full ? 'A' : 'S') : 'N';
  const size_t work = svd_work(dtype, m, n, job);
  int *list = scratch;
  void *t = (char *)scratch + 8 * k * sizeof(int), *x = after(t, m * n, dtype);
  for (size_t i = 0; i < count; i++, a = after_const(a, m * n, dtype), out = after(out, size, dtype)) {
    void *u = out, *s = vectors ? after(u, m * p, dtype) : out, *vt = vectors ? after(s, k, dtype) : out;
    checked(dtype == CK_F64 ? svd_f64(m, n, job, a, u, s, vt, t, x, work, list) : svd_f32(m, n, job, a, u, s, vt, t, x, work, list), dtype, out, size);
  }
}

size_t ck_banded_scratch(int dtype, size_t n, size_t m, size_t l, size_t u) { return ((2 * l + u + 1) * n + n * m) * ck_sizes[dtype] + (n + 2) * sizeof(int32_t); }
void ck_banded(int dtype, size_t count, bool transposed, size_t n, size_t m, size_t l, size_t u, const void *ab, const void *b, void *x, void *scratch) {
  if (n == 0 || m == 0) return;
  for (size_t i = 0; i < count; i++, ab = after_const(ab, (l + u + 1) * n, dtype), b = after_const(b, n * m, dtype), x = after(x, n * m, dtype))
    checked(dtype == CK_F64 ? banded_f64(transposed, n, m, l, u, ab, b, x, scratch) : banded_f32(transposed, n, m, l, u, ab, b, x, scratch), dtype, x, n * m);
}

/* ---- Of one matrix in f64 or f32, worked in f64 ------------------------------------------------------------------------ */

static void load(int dtype, size_t n, const void *x, double *y) {
  if (dtype == CK_F64) memcpy(y, x, n * sizeof(double));
  else for (size_t i = 0; i < n; i++) y[i] = ((const float *)x)[i];
}
static void store(int dtype, size_t n, const double *x, void *y) {
  if (dtype == CK_F64) memcpy(y, x, n * sizeof(double));
  else for (size_t i = 0; i < n; i++) ((float *)y)[i] = (float)x[i];
}

/* det = sign * mantissa * 2^exponent: the product of pivots neither overflows nor underflows on the way. */
static void determinant(size_t n, double *a, int32_t *pivots, double *sign, double *mantissa, double *exponent) {
  const int N = (int)n;
  int info = 0;
  *sign = 1;
  *mantissa = 1;
  *exponent = 0;
  if (n == 0) return;
  dgetrf_(&N, &N, a, &N, pivots, &info);
  for (size_t i = 0; i < n; i++) {
    const double u = a[i * n + i];
    int e = 0;
    if (pivots[i] != (int32_t)i + 1) *sign = -*sign;
    if (u < 0) *sign = -*sign;
    *mantissa = frexp(*mantissa * fabs(u), &e);
    *exponent += e;
  }
  if (*mantissa == 0) *sign = 0;
  if (isnan(*mantissa)) *sign = NAN;
}

size_t ck_det_scratch(size_t n) { return n * n * sizeof(double) + (n + 2) * sizeof(int32_t); }
void ck_det(int dtype, size_t count, size_t n, bool logarithm, const void *a, void *out, void *scratch) {
  double *t = scratch;
  for (size_t i = 0; i < count; i++, a = after_const(a, n * n, dtype), out = after(out, logarithm ? 2 : 1, dtype)) {
    double sign, m, e, y[2];
    load(dtype, n * n, a, t);
    determinant(n, t, (int32_t *)(t + n * n), &sign, &m, &e);
    y[0] = logarithm ? sign : m == 0 ? 0 : sign * ldexp(m, e > 3000 ? 3000 : e < -3000 ? -3000 : (int)e);
    y[1] = log(m) + e * 0.6931471805599453;
    /* Near 1 the two terms would cancel. */
    if (e >= -60 && e <= 60) y[1] = log(ldexp(m, (int)e));
    store(dtype, logarithm ? 2 : 1, y, out);
  }
}

/* Cofactors by singular values: det(A) A^-T without the division, right where A is singular too. */
size_t ck_cofactor_scratch(size_t n) {
  return (4 * n * n + 2 * n + 2) * sizeof(double) + (9 * n + 4) * sizeof(int) + svd_work_f64(n, n, 'S') * sizeof(double);
}
void ck_cofactor(int dtype, size_t count, size_t n, const void *a, void *out, void *scratch) {
  if (n == 0) return;
  double *A = scratch, *u = A + n * n, *vt = u + n * n, *t = vt + n * n, *s = t + n * n, *c = s + n;
  int *list = (int *)(c + n);
  double *x = c + n + (9 * n + 3) / 2;
  const size_t work = svd_work_f64(n, n, 'S');
  const int N = (int)n;
  for (size_t i = 0; i < count; i++, a = after_const(a, n * n, dtype), out = after(out, n * n, dtype)) {
    load(dtype, n * n, a, A);
    int failed = svd_f64(n, n, 'S', A, u, s, vt, t, x, work, list);
    if (!failed) {
      double sign, m, e;
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, u, N, vt, N, 0, t, N);
      determinant(n, t, list, &sign, &m, &e);
      double before = 1;
      for (size_t j = 0; j < n; before *= s[j++]) c[j] = before;
      double behind = sign;
      for (size_t j = n; j-- > 0; behind *= s[j]) c[j] *= behind;
      for (size_t p = 0; p < n; p++)
        for (size_t j = 0; j < n; j++) u[p * n + j] *= c[j];
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, u, N, vt, N, 0, t, N);
      store(dtype, n * n, t, out);
    }
    checked(failed, dtype, out, n * n);
  }
}

/* The pseudo-inverse; singular values up to `cut` times the largest count as 0 (cut < 0: max(m, n) roundings of the dtype). */
size_t ck_pinv_scratch(size_t m, size_t n) {
  const size_t k = least(m, n);
  return (2 * m * n + m * k + k * n + k + 2 + svd_work_f64(m, n, 'S')) * sizeof(double) + (8 * k + 4) * sizeof(int);
}
void ck_pinv(int dtype, size_t count, size_t m, size_t n, double cut, const void *a, void *out, void *scratch) {
  if (m == 0 || n == 0) return;
  const size_t k = least(m, n), work = svd_work_f64(m, n, 'S');
  double *A = scratch, *t = A + m * n, *u = t + m * n, *vt = u + m * k, *s = vt + k * n, *x = s + k;
  int *list = (int *)(x + work);
  if (!(cut >= 0)) cut = (double)(m > n ? m : n) * (dtype == CK_F64 ? 0x1p-52 : 0x1p-23);
  for (size_t i = 0; i < count; i++, a = after_const(a, m * n, dtype), out = after(out, m * n, dtype)) {
    load(dtype, m * n, a, A);
    int failed = svd_f64(m, n, 'S', A, u, s, vt, t, x, work, list);
    if (!failed) {
      for (size_t j = 0; j < k; j++)
        for (size_t p = 0; p < m; p++) u[p * k + j] = s[j] > cut * s[0] ? u[p * k + j] / s[j] : 0;
      cblas_dgemm(CblasRowMajor, CblasTrans, CblasTrans, (int)n, (int)m, (int)k, 1, vt, (int)n, u, (int)k, 0, t, (int)m);
      store(dtype, m * n, t, out);
    }
    checked(failed, dtype, out, m * n);
  }
}

/* ---- Matrix functions and equations by the complex Schur form ------------------------------------------------------------ */

typedef struct complex_number { double re, im; } complex_number;

static size_t schur_work(size_t n) {
  const int N = n > 0 ? (int)n : 1, ask = -1;
  int sdim = 0, info = 0;
  double a[2] = {0}, w[2] = {0}, v[2] = {0}, x[2] = {0}, r = 0;
  zgees_("V", "N", NULL, &N, a, &N, &sdim, w, v, &N, x, &ask, &r, NULL, &info);
  const size_t asked = x[0] > 0 ? (size_t)x[0] : 1;
  return asked > 2 * n ? asked : 2 * n + 1;
}
/* T and U of op(a) = U T U^H, column-major. w: n, x: work, r: n. */
static int schur(size_t n, bool transposed, const double *a, complex_number *t, complex_number *u, complex_number *w, complex_number *x, size_t work, double *r) {
  if (n == 0) return 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      const double e = transposed ? a[j * n + i] : a[i * n + j];
      if (!isfinite(e)) return 1;
      t[j * n + i] = (complex_number){e, 0};
    }
  const int N = (int)n, W = (int)work;
  int sdim = 0, info = 0;
  zgees_("V", "N", NULL, &N, (double *)t, &N, &sdim, (double *)w, (double *)u, &N, (double *)x, &W, r, NULL, &info);
  return info;
}
static void product(CBLAS_TRANSPOSE a, CBLAS_TRANSPOSE b, size_t m, size_t n, size_t k, const complex_number *x, size_t xs, const complex_number *y, size_t ys, complex_number *z) {
  const double one[] = {1, 0}, none[] = {0, 0};
  cblas_zgemm(CblasColMajor, a, b, (int)m, (int)n, (int)k, one, x, (int)xs, y, (int)ys, none, z, (int)m);
}
static complex_number times(complex_number x, complex_number y) { return (complex_number){x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re}; }
static complex_number over(complex_number x, complex_number y) {
  const double size = fabs(y.re) > fabs(y.im) ? fabs(y.re) : fabs(y.im);
  if (size == 0) return (complex_number){x.re / size, x.im / size};
  const double c = y.re / size, d = y.im / size, q = c * c + d * d;
  return (complex_number){(x.re * c + x.im * d) / q / size, (x.im * c - x.re * d) / q / size};
}

size_t ck_sylvester_scratch(size_t m, size_t n) {
  const size_t k = m > n ? m : n;
  return (3 * m * m + 2 * n * n + 3 * m * n + 2 * k + schur_work(k)) * sizeof(complex_number) + (m * m + n * n + m * n + k + 2) * sizeof(double);
}
/* op(A) X + X op(B) = C, or (discrete) X - op(A) X op(B) = C, after Bartels and Stewart, column by column of the second Schur form. */
void ck_sylvester(int dtype, size_t count, bool discrete, bool ta, bool tb, size_t m, size_t n, const void *a, const void *b, const void *c, void *out, void *scratch) {
  if (m == 0 || n == 0) return;
  const size_t k = m > n ? m : n, work = schur_work(k);
  complex_number *T = scratch, *U = T + m * m, *M = U + m * m, *S = M + m * m, *W = S + n * n, *F = W + n * n, *Y = F + m * n, *G = Y + m * n,
                 *w = G + m * n, *v = w + k, *x = v + k;
  double *A = (double *)(x + work), *B = A + m * m, *C = B + n * n, *r = C + m * n;
  const double one[] = {1, 0}, minus[] = {-1, 0}, none[] = {0, 0};
  for (size_t i = 0; i < count; i++, a = after_const(a, m * m, dtype), b = after_const(b, n * n, dtype), c = after_const(c, m * n, dtype), out = after(out, m * n, dtype)) {
    load(dtype, m * m, a, A);
    load(dtype, n * n, b, B);
    load(dtype, m * n, c, C);
    int failed = schur(m, ta, A, T, U, w, x, work, r) || schur(n, tb, B, S, W, w, x, work, r);
    for (size_t p = 0; p < m; p++)
      for (size_t q = 0; q < n; q++) F[q * m + p] = (complex_number){C[p * n + q], 0};
    if (!failed) {
      product(CblasConjTrans, CblasNoTrans, m, n, m, U, m, F, m, G);
      product(CblasNoTrans, CblasNoTrans, m, n, n, G, m, W, n, F);
    }
    if (!discrete) memcpy(M, T, m * m * sizeof *T);
    for (size_t j = 0; !failed && j < n; j++) {
      complex_number *f = F + j * m, *y = Y + j * m;
      const complex_number s = S[j * n + j];
      /* The columns before, then the triangular matrix of this one. */
      if (discrete) {
        cblas_zgemv(CblasColMajor, CblasNoTrans, (int)m, (int)j, one, Y, (int)m, S + j * n, 1, none, v, 1);
        if (j == 0) memset(v, 0, m * sizeof *v);
        cblas_zgemv(CblasColMajor, CblasNoTrans, (int)m, (int)m, one, T, (int)m, v, 1, one, f, 1);
        for (size_t q = 0; q < m; q++)
          for (size_t p = 0; p <= q; p++) {
            const complex_number e = times(s, T[q * m + p]);
            M[q * m + p] = (complex_number){(p == q) - e.re, -e.im};
          }
      } else {
        if (j > 0) cblas_zgemv(CblasColMajor, CblasNoTrans, (int)m, (int)j, minus, Y, (int)m, S + j * n, 1, one, f, 1);
        for (size_t q = 0; q < m; q++) M[q * m + q] = (complex_number){T[q * m + q].re + s.re, T[q * m + q].im + s.im};
      }
      for (size_t q = 0; q < m; q++) failed |= M[q * m + q].re == 0 && M[q * m + q].im == 0;
      memcpy(y, f, m * sizeof *y);
      if (!failed) cblas_ztrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, (int)m, M, (int)m, y, 1);
    }
    if (!failed) {
      product(CblasNoTrans, CblasNoTrans, m, n, m, U, m, Y, m, F);
      product(CblasNoTrans, CblasConjTrans, m, n, n, F, m, W, n, G);
      for (size_t p = 0; p < m; p++)
        for (size_t q = 0; q < n; q++) C[p * n + q] = G[q * m + p].re;
      store(dtype, m * n, C, out);
    }
    checked(failed, dtype, out, m * n);
  }
}

size_t ck_sqrtm_scratch(size_t n) { return (4 * n * n + n + schur_work(n)) * sizeof(complex_number) + (n * n + n + 2) * sizeof(double); }
/* The principal square root (Bjorck and Hammarling). NaN where it is not real. */
void ck_sqrtm(int dtype, size_t count, size_t n, const void *a, void *out, void *scratch) {
  if (n == 0) return;
  const size_t work = schur_work(n);
  complex_number *T = scratch, *U = T + n * n, *R = U + n * n, *G = R + n * n, *w = G + n * n, *x = w + n;
  double *A = (double *)(x + work), *r = A + n * n;
  for (size_t i = 0; i < count; i++, a = after_const(a, n * n, dtype), out = after(out, n * n, dtype)) {
    load(dtype, n * n, a, A);
    int failed = schur(n, false, A, T, U, w, x, work, r);
    double scale = 0, imaginary = 0, real = 0;
    for (size_t j = 0; !failed && j < n; j++) scale = fmax(scale, hypot(T[j * n + j].re, T[j * n + j].im));
    memset(R, 0, n * n * sizeof *R);
    for (size_t j = 0; !failed && j < n; j++) {
      complex_number t = T[j * n + j];
      /* A rounding below 0 is 0. */
      if (t.re < 0 && hypot(t.re, t.im) <= (double)n * 0x1p-52 * scale) t = (complex_number){0, 0};
      const double size = hypot(t.re, t.im);
      complex_number q = {sqrt(0.5 * (size + fabs(t.re))), 0};
      if (q.re > 0) q.im = 0.5 * t.im / q.re;
      if (t.re < 0) q = (complex_number){fabs(q.im), t.im < 0 ? -q.re : q.re};
      R[j * n + j] = q;
      for (size_t p = j; p-- > 0;) {
        complex_number e = T[j * n + p];
        for (size_t k = p + 1; k < j; k++) {
          const complex_number o = times(R[k * n + p], R[j * n + k]);
          e = (complex_number){e.re - o.re, e.im - o.im};
        }
        const complex_number d = {R[p * n + p].re + q.re, R[p * n + p].im + q.im};
        /* Two zero roots: of a diagonalisable matrix nothing stands there but rounding. */
        if (d.re == 0 && d.im == 0 && hypot(e.re, e.im) <= (double)n * 0x1p-52 * scale) e = (complex_number){0, 0};
        R[j * n + p] = e.re == 0 && e.im == 0 ? e : over(e, d);
      }
    }
    if (!failed) {
      product(CblasNoTrans, CblasNoTrans, n, n, n, U, n, R, n, G);
      product(CblasNoTrans, CblasConjTrans, n, n, n, G, n, U, n, R);
      for (size_t p = 0; p < n * n; p++) {
        real = fmax(real, fabs(R[p].re));
        imaginary = fmax(imaginary, fabs(R[p].im));
      }
      failed = !(imaginary <= 1e-7 * real) && real + imaginary > 0;
      for (size_t p = 0; p < n; p++)
        for (size_t q = 0; q < n; q++) A[p * n + q] = R[q * n + p].re;
      store(dtype, n * n, A, out);
    }
    checked(failed, dtype, out, n * n);
  }
}

/* ---- Exponential ---------------------------------------------------------------------------------------------------------- */

/* A matrix with `order` directions: the numbers A + sum e_i E_i with e_i^2 = 0, kept as one matrix a subset of the directions.
 * z += factor x y. An x that is `linear` has only the subsets of at most one. */
static void multiply(size_t n, unsigned sets, bool linear, double factor, const double *x, const double *y, double *z) {
  const int N = (int)n;
  for (unsigned s = 0; s < sets; s++)
    for (unsigned t = s;; t = (t - 1) & s) {
      if (!linear || (t & (t - 1)) == 0)
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, N, N, N, factor, x + t * n * n, N, y + (s ^ t) * n * n, N, 1, z + s * n * n, N);
      if (t == 0) break;
    }
}
static void mix(size_t all, double *z, double p, const double *x, double q, const double *y, double r, const double *w) {
  for (size_t i = 0; i < all; i++) z[i] += (p != 0 ? p * x[i] : 0) + (q != 0 ? q * y[i] : 0) + (r != 0 ? r * w[i] : 0);
}
static void unit(size_t n, double c, double *z) {
  for (size_t i = 0; i < n; i++) z[i * n + i] += c;
}

static const double pade[5][14] = {
  {120, 60, 12, 1},
  {30240, 15120, 3360, 420, 30, 1},
  {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1},
  {17643225600, 8821612800, 2075673600, 302702400, 30270240, 2162160, 110880, 3960, 90, 1},
  {64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600, 670442572800, 33522128640,
   1323241920, 40840800, 960960, 16380, 182, 1},
};
static const int degrees[5] = {3, 5, 7, 9, 13};
/* Largest 1-norms: of the value (Higham, SIAM J. Matrix Anal. 26, 2005), of the derivative (Al-Mohy and Higham, SIAM J. Matrix Anal. 30, 2009). */
static const double limits[2][5] = {{1.495585217958292e-2, 2.539398330063230e-1, 9.504178996162932e-1, 2.097847961257068, 5.371920351148152},
                                    {1.08e-2, 2.00e-1, 7.83e-1, 1.78, 4.74}};

size_t ck_expm_scratch(size_t n, size_t order) { return (8 * (n * n << order) + 2) * sizeof(double) + (n + 2) * sizeof(int32_t); }
/* x[0] = A, x[1 ...] = directions; out: d/de_1 ... d/de_order exp(A + sum e_i E_i), which is symmetric and linear in each. */
void ck_expm(int dtype, size_t count, size_t n, size_t order, const void *const *operands, void *out, void *scratch) {
  const size_t one = n * n, all = one << order;
  const unsigned sets = 1u << order;
  const int N = (int)n;
  double *A = scratch, *A2 = A + all, *A4 = A2 + all, *A6 = A4 + all, *A8 = A6 + all, *P = A8 + all, *Q = P + all, *X = Q + all;
  int32_t *pivots = (int32_t *)(X + all);
  if (n == 0) return;
  for (size_t i = 0; i < count; i++, out = after(out, one, dtype)) {
    memset(A, 0, all * sizeof *A);
    bool finite = true;
    for (size_t k = 0; k <= order; k++) {
      double *to = A + (k == 0 ? 0 : one << (k - 1));
      load(dtype, one, after_const(operands[k], i * one, dtype), to);
      finite = finite && finite_f64(one, to);
    }
    if (!finite) {
      checked(1, dtype, out, one);
      continue;
    }
    double norm = 0;
    for (size_t j = 0; j < n; j++) {
      double sum = 0;
      for (size_t p = 0; p < n; p++) sum += fabs(A[j * n + p]);
      norm = fmax(norm, sum);
    }
    int way = 0, halvings = 0;
    const double *limit = limits[order > 0], tighter = order > 1 ? (double)order : 1;
    while (way < 4 && norm * tighter > limit[way]) way++;
    if (way == 4 && norm * tighter > limit[4]) {
      frexp(norm * tighter / limit[4], &halvings);
      for (size_t p = 0; p < all; p++) A[p] = ldexp(A[p], -halvings);
    }
    const double *c = pade[way];
    const int m = degrees[way];
    memset(A2, 0, 7 * all * sizeof *A2);
    multiply(n, sets, true, 1, A, A, A2);
    if (m >= 5) multiply(n, sets, false, 1, A2, A2, A4);
    if (m >= 7) multiply(n, sets, false, 1, A2, A4, A6);
    /* Q: the odd part before its factor A; X: the even part. */
    if (m == 13) {
      mix(all, P, c[13], A6, c[11], A4, c[9], A2);
      multiply(n, sets, false, 1, A6, P, Q);
      mix(all, Q, c[7], A6, c[5], A4, c[3], A2);
      memset(P, 0, all * sizeof *P);
      mix(all, P, c[12], A6, c[10], A4, c[8], A2);
      multiply(n, sets, false, 1, A6, P, X);
      mix(all, X, c[6], A6, c[4], A4, c[2], A2);
    } else {
      if (m == 9) multiply(n, sets, false, 1, A4, A4, A8);
      mix(all, Q, c[3], A2, m >= 5 ? c[5] : 0, A4, m >= 7 ? c[7] : 0, A6);
      mix(all, X, c[2], A2, m >= 5 ? c[4] : 0, A4, m >= 7 ? c[6] : 0, A6);
      if (m == 9) {
        mix(all, Q, c[9], A8, 0, A8, 0, A8);
        mix(all, X, c[8], A8, 0, A8, 0, A8);
      }
    }
    unit(n, c[1], Q);
    unit(n, c[0], X);
    memset(P, 0, all * sizeof *P);
    multiply(n, sets, true, 1, A, Q, P);
    /* (X - P) exp = X + P. */
    for (size_t p = 0; p < all; p++) {
      const double u = P[p], v = X[p];
      Q[p] = v - u;
      X[p] = v + u;
    }
    memcpy(A2, Q, one * sizeof *Q);
    int info = 0;
    dgetrf_(&N, &N, A2, &N, pivots, &info);
    for (unsigned s = 0; info == 0 && s < sets; s++) {
      for (unsigned t = s; t != 0; t = (t - 1) & s)
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, N, N, N, -1, Q + t * one, N, X + (s ^ t) * one, N, 1, X + s * one, N);
      dgetrs_("N", &N, &N, A2, &N, pivots, X + s * one, &N, &info);
    }
    for (int k = 0; k < halvings; k++) {
      memset(P, 0, all * sizeof *P);
      multiply(n, sets, false, 1, X, X, P);
      double *other = X;
      X = P;
      P = other;
    }
    store(dtype, one, X + (sets - 1) * one, out);
    if (halvings & 1) {
      double *other = X;
      X = P;
      P = other;
    }
    checked(info != 0, dtype, out, one);
  }
}
