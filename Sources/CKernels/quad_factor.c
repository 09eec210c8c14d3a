/* Convolutions, factorisations and functions of one row-major matrix in binary128. Choices that are not the numbers' own (pivots, signs, the order of
 * what is equal) are those of LAPACK's result in f64, from which the iterations start. False: they did not settle. */
#include <math.h>
#include "quad.h"
#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)   /* its arithmetic is calls */

/* geometry: as of ck_convolve. */
void ck_quad_conv(const int64_t *geometry, const void *px, const uint8_t *mx, const void *pw, const uint8_t *mw, void *py) {
  const quad *x = px, *w = pw;
  quad *y = py;
  ck_conv g;
  memcpy(&g, geometry, CK_CONV_GEOMETRY * sizeof(int64_t));
  const ck_conv_axis *A = &g.axis[0], *B = &g.axis[1], *C = &g.axis[2];
  for (int64_t u = 0; u < g.batch * g.groups * g.n * g.o; u++) {
    const int64_t o = u % g.o, n = u / g.o % g.n, k = u / g.o / g.n % g.groups, b = u / g.o / g.n / g.groups;
    const int64_t xo = b * g.x_batch + k * g.x_group + n * g.x_n, wo = b * g.w_batch + k * g.w_group + o * g.w_o;
    for (int64_t at = 0; at < A->p * B->p * C->p; at++) {
      quad sum = 0;
      for (int64_t t = 0, i; t < A->k * B->k * C->k; t++) {
        if (!ck_conv_place(&g, at, t, &i)) continue;
        for (int64_t c = 0; c < g.c; c++) {
          const int64_t ix = xo + c * g.x_c + i, iw = wo + c * g.w_c + t;
          if ((!mx || mx[ix]) && (!mw || mw[iw])) sum += x[ix] * w[iw];
        }
      }
      y[b * g.y_batch + k * g.y_group + n * g.y_n + o * g.y_o + at] = sum;
    }
  }
}

/* out: L below, U on and above the diagonal; rows in the order given. */
void ck_quad_lu(size_t m, size_t n, const void *pa, const double *order, void *out) {
  const quad *a = pa;
  quad *t = out;
  for (size_t i = 0; i < m; i++) memcpy(t + i * n, a + (size_t)order[i] * n, n * sizeof(quad));
  for (size_t k = 0; k < m && k < n; k++)
    for (size_t i = k + 1; i < m; i++) {
      if (t[i * n + k] == 0) continue;
      const quad f = t[i * n + k] /= t[k * n + k];
      for (size_t j = k + 1; j < n; j++) t[i * n + j] -= f * t[k * n + j];
    }
}

/* Householder's, with LAPACK's signs. out: Q [m, q], R [q, n]; scratch: m n + m. */
void ck_quad_qr(size_t m, size_t n, size_t q, const void *a, void *out, void *scratch) {
  const size_t k = m < n ? m : n;
  quad *Q_ = out, *R = Q_ + m * q, *t = scratch, *tau = t + m * n;
  memcpy(t, a, m * n * sizeof(quad));
  for (size_t c = 0; c < k; c++) {
    quad sum = 0, head = t[c * n + c];
    for (size_t i = c + 1; i < m; i++) sum += t[i * n + c] * t[i * n + c];
    tau[c] = 0;
    if (sum == 0) continue;
    const quad size = sqrtf128(head * head + sum), beta = head > 0 ? -size : size;
    tau[c] = (beta - head) / beta;
    for (size_t i = c + 1; i < m; i++) t[i * n + c] /= head - beta;
    t[c * n + c] = beta;
    for (size_t j = c + 1; j < n; j++) {
      quad s = t[c * n + j];
      for (size_t i = c + 1; i < m; i++) s += t[i * n + c] * t[i * n + j];
      s *= tau[c];
      t[c * n + j] -= s;
      for (size_t i = c + 1; i < m; i++) t[i * n + j] -= s * t[i * n + c];
    }
  }
  for (size_t i = 0; i < q; i++) for (size_t j = 0; j < n; j++) R[i * n + j] = i < k && j >= i ? t[i * n + j] : Q(0);
  for (size_t i = 0; i < m; i++) for (size_t j = 0; j < q; j++) Q_[i * q + j] = i == j;
  for (size_t c = k; c-- > 0;)
    for (size_t j = 0; j < q && tau[c] != 0; j++) {
      quad s = Q_[c * q + j];
      for (size_t i = c + 1; i < m; i++) s += t[i * n + c] * Q_[i * q + j];
      s *= tau[c];
      Q_[c * q + j] -= s;
      for (size_t i = c + 1; i < m; i++) Q_[i * q + j] -= s * t[i * n + c];
    }
}

/* Columns from `from` on of x [m, n], orthonormal to all before them, twice. */
static void orthonormal(size_t m, size_t n, size_t from, quad *x) {
  for (size_t j = from; j < n; j++)
    for (int again = 0; again < 3; again++) {
      quad sum = 0;
      for (size_t k = 0; k < j && again < 2; k++) {
        quad s = 0;
        for (size_t i = 0; i < m; i++) s += x[i * n + k] * x[i * n + j];
        for (size_t i = 0; i < m; i++) x[i * n + j] -= s * x[i * n + k];
      }
      for (size_t i = 0; i < m; i++) sum += x[i * n + j] * x[i * n + j];
      sum = sqrtf128(sum);
      for (size_t i = 0; i < m; i++) x[i * n + j] /= sum;
    }
}
static quad norm(size_t n, const quad *x) {
  quad sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
  return sqrtf128(sum);
}
static void turn(size_t m, size_t n, quad *x, size_t p, size_t q, quad c, quad s) {
  for (size_t i = 0; i < m; i++) {
    const quad a = x[i * n + p], b = x[i * n + q];
    x[i * n + p] = c * a - s * b, x[i * n + q] = s * a + c * b;
  }
}
/* The smaller rotation that makes an off-diagonal `off` between `low` and `high` vanish. */
static void rotation(quad low, quad high, quad off, quad *c, quad *s) {
  const quad theta = (high - low) / (Q(2) * off), t = (theta < 0 ? Q(-1) : Q(1)) / (absolute(theta) + sqrtf128(theta * theta + Q(1)));
  *c = Q(1) / sqrtf128(t * t + Q(1)), *s = t * *c;
}

/* Jacobi's rotations from the vectors v [n, n] on, which become exact. scratch: 2 n n. */
bool ck_quad_eigh(size_t n, bool lower, const void *pa, void *pw, void *pv, void *scratch) {
  const quad *a = pa;
  quad *w = pw, *v = pv, *d = scratch, *t = d + n * n;
  orthonormal(n, n, 0, v);
#define A(i, j) a[((i) > (j)) == lower ? (i) * n + (j) : (j) * n + (i)]
  for (size_t i = 0; i < n; i++) for (size_t j = 0; j < n; j++) {
    quad sum = 0;
    for (size_t k = 0; k < n; k++) sum += A(i, k) * v[k * n + j];
    t[i * n + j] = sum;
  }
#undef A
  ck_quad_matmul(true, false, n, n, n, v, t, d, NULL, NULL);
  const quad small = norm(n * n, d) * Q(0x1p-108);
  bool moved = true;
  for (int sweep = 0; sweep < 30 && moved; sweep++) {
    moved = false;
    for (size_t p = 0; p < n; p++) for (size_t q = p + 1; q < n; q++) {
      const quad off = (d[p * n + q] + d[q * n + p]) / Q(2);
      if (!(absolute(off) > small)) continue;
      quad c, s;
      rotation(d[p * n + p], d[q * n + q], off, &c, &s);
      turn(n, n, d, p, q, c, s);
      for (size_t j = 0; j < n; j++) {
        const quad x = d[p * n + j], y = d[q * n + j];
        d[p * n + j] = c * x - s * y, d[q * n + j] = s * x + c * y;
      }
      turn(n, n, v, p, q, c, s);
      moved = true;
    }
  }
  for (size_t i = 0; i < n; i++) w[i] = d[i * n + i];
  return !moved && small == small;
}

/* One-sided rotations (Hestenes) of the taller of A and its transpose, from u [m, p] and vt [q, n] on. scratch: m n + k k + max(m p, q n). */
bool ck_quad_svd(size_t m, size_t n, size_t p, size_t q, const void *pa, void *pu, void *ps, void *pvt, void *scratch) {
  const quad *a = pa;
  const bool tall = m >= n;
  const size_t M = tall ? m : n, k = tall ? n : m, P = tall ? p : q;
  quad *u = pu, *sigma = ps, *vt = pvt, *W = scratch, *Y = W + M * k, *X = Y + k * k;
  for (size_t i = 0; i < k; i++) for (size_t j = 0; j < k; j++) Y[i * k + j] = tall ? vt[j * n + i] : u[i * p + j];
  for (size_t i = 0; i < M; i++) for (size_t j = 0; j < P; j++) X[i * P + j] = tall ? u[i * p + j] : vt[j * n + i];
  orthonormal(k, k, 0, Y);
  for (size_t i = 0; i < M; i++) for (size_t j = 0; j < k; j++) {
    quad sum = 0;
    for (size_t r = 0; r < k; r++) sum += (tall ? a[i * n + r] : a[r * n + i]) * Y[r * k + j];
    W[i * k + j] = sum;
  }
  const quad small = norm(M * k, W) * Q(0x1p-104);
  bool moved = true;
  for (int sweep = 0; sweep < 30 && moved; sweep++) {
    moved = false;
    for (size_t b = 0; b < k; b++) for (size_t e = b + 1; e < k; e++) {
      quad low = 0, high = 0, off = 0;
      for (size_t i = 0; i < M; i++) low += W[i * k + b] * W[i * k + b], high += W[i * k + e] * W[i * k + e], off += W[i * k + b] * W[i * k + e];
      const quad size = sqrtf128(low) * sqrtf128(high);
      if (!(absolute(off) > size * Q(0x1p-104)) || !(sqrtf128(low) > small && sqrtf128(high) > small)) continue;
      quad c, s;
      rotation(low, high, off, &c, &s);
      turn(M, k, W, b, e, c, s);
      turn(k, k, Y, b, e, c, s);
      moved = true;
    }
  }
  size_t rank = 0;
  for (size_t j = 0; j < k; j++) {
    quad sum = 0;
    for (size_t i = 0; i < M; i++) sum += W[i * k + j] * W[i * k + j];
    sigma[j] = sqrtf128(sum);
    if (!(sigma[j] > small) || rank < j) continue;
    rank = j + 1;
    for (size_t i = 0; i < M; i++) X[i * P + j] = W[i * k + j] / sigma[j];
  }
  orthonormal(M, P, rank, X);
  for (size_t i = 0; i < k; i++) for (size_t j = 0; j < k; j++) if (tall) vt[j * n + i] = Y[i * k + j]; else u[i * p + j] = Y[i * k + j];
  for (size_t i = 0; i < M; i++) for (size_t j = 0; j < P; j++) if (tall) u[i * p + j] = X[i * P + j]; else vt[j * n + i] = X[i * P + j];
  return !moved && small == small;
}

/* From A = U s V^T, k = min(m, n): the pseudo-inverse [n, m], or det(A) A^-T (square). */
void ck_quad_pinv(size_t m, size_t n, double cut, const void *pu, const void *ps, const void *pvt, void *out) {
  const size_t k = m < n ? m : n;
  const quad *u = pu, *s = ps, *vt = pvt;
  quad *y = out;
  if (!(cut >= 0)) cut = (double)(m > n ? m : n) * 0x1p-52;
  for (size_t i = 0; i < n; i++) for (size_t j = 0; j < m; j++) {
    quad sum = 0;
    for (size_t r = 0; r < k; r++) if (s[r] > Q(cut) * s[0]) sum += vt[r * n + i] * u[j * k + r] / s[r];
    y[i * m + j] = sum;
  }
}
void ck_quad_cofactor(size_t n, const void *pu, const void *ps, const void *pvt, void *out, void *scratch) {
  const quad *u = pu, *s = ps, *vt = pvt;
  quad *y = out, *t = scratch, *c = t + n * n, sign;
  ck_quad_matmul(false, false, n, n, n, u, vt, t, NULL, NULL);
  sign = ck_quad_factor(n, t, NULL, 0);
  for (size_t i = 0; i < n; i++) if (t[i * n + i] < 0) sign = -sign;
  quad before = 1, behind = sign;
  for (size_t j = 0; j < n; before *= s[j++]) c[j] = before;
  for (size_t j = n; j-- > 0; behind *= s[j]) c[j] *= behind;
  for (size_t i = 0; i < n; i++) for (size_t j = 0; j < n; j++) {
    quad sum = 0;
    for (size_t r = 0; r < n; r++) sum += u[i * n + r] * c[r] * vt[r * n + j];
    y[i * n + j] = sum;
  }
}

/* Products of polynomials in nilpotent e_1 ... e_order, a matrix for each subset. */
static void multiply(size_t n, unsigned sets, const quad *a, const quad *b, quad *c, quad *t) {
  const size_t one = n * n;
  for (unsigned s = 0; s < sets; s++) {
    memset(c + s * one, 0, one * sizeof(quad));
    for (unsigned r = s;; r = (r - 1) & s) {
      ck_quad_matmul(false, false, n, n, n, a + r * one, b + (s ^ r) * one, t, NULL, NULL);
      for (size_t i = 0; i < one; i++) c[s * one + i] += t[i];
      if (r == 0) break;
    }
  }
}
/* exp(A) or its derivative along the directions, by halving, Taylor's series and squaring. scratch: (3 2^order + 1) n n. */
bool ck_quad_expm(size_t n, size_t order, const void *const *x, void *out, void *scratch) {
  const size_t one = n * n, all = one << order;
  const unsigned sets = 1u << order;
  quad *A = scratch, *P = A + all, *R = P + all, *t = R + all, most = 0;
  memset(A, 0, all * sizeof(quad));
  for (size_t k = 0; k <= order; k++) memcpy(A + (k == 0 ? 0 : one << (k - 1)), x[k], one * sizeof(quad));
  for (size_t i = 0; i < n; i++) {
    quad sum = 0;
    for (size_t j = 0; j < n; j++) sum += absolute(A[i * n + j]);
    if (!(sum <= most)) most = sum;
  }
  int halvings = 0;
  for (; most > Q(0.25) && halvings < 64; halvings++) most /= Q(2);
  if (!(most <= Q(0.25))) return false;
  const quad f = Q(1) / Q((double)(1ull << (halvings & 63)));
  for (size_t i = 0; i < all; i++) A[i] *= f;
  memset(P, 0, all * sizeof(quad));
  for (size_t i = 0; i < n; i++) P[i * n + i] = 1;
  for (int k = 24; k > 0; k--) {
    multiply(n, sets, A, P, R, t);
    for (size_t i = 0; i < all; i++) P[i] = R[i] / Q(k);
    for (size_t i = 0; i < n; i++) P[i * n + i] += Q(1);
  }
  for (int k = 0; k < halvings; k++) {
    multiply(n, sets, P, P, R, t);
    memcpy(P, R, all * sizeof(quad));
  }
  memcpy(out, P + (sets - 1) * one, one * sizeof(quad));
  return true;
}

/* Denman and Beavers' iteration: Y -> A^1/2, Z -> A^-1/2. scratch: 5 n n. */
bool ck_quad_sqrtm(size_t n, const void *pa, void *out, void *scratch) {
  const size_t one = n * n;
  quad *y = out, *z = scratch, *p = z + one, *q = p + one, *t = q + one, *unit = t + one;
  memcpy(y, pa, one * sizeof(quad));
  for (size_t i = 0; i < one; i++) unit[i] = z[i] = i % (n + 1) == 0;
  for (int step = 0; step < 60; step++) {
    ck_quad_solve(false, n, n, z, unit, p, t);
    ck_quad_solve(false, n, n, y, unit, q, t);
    quad move = 0;
    for (size_t i = 0; i < one; i++) {
      const quad v = (y[i] + p[i]) / Q(2);
      move += (v - y[i]) * (v - y[i]);
      y[i] = v, z[i] = (z[i] + q[i]) / Q(2);
    }
    if (sqrtf128(move) <= norm(one, y) * Q(0x1p-90)) {
      ck_quad_matmul(false, false, n, n, n, y, y, t, NULL, NULL);
      for (size_t i = 0; i < one; i++) t[i] -= ((const quad *)pa)[i];
      return norm(one, t) <= norm(one, y) * norm(one, y) * Q(0x1p-96);
    }
    if (!(move == move)) return false;
  }
  return false;
}

/* out = rhs - op(A) X of a banded A. */
void ck_quad_banded(bool transposed, size_t n, size_t m, size_t l, size_t u, const void *pab, const void *px, const void *pb, void *out) {
  const quad *ab = pab, *x = px, *b = pb;
  quad *y = out;
  for (size_t i = 0; i < n; i++) for (size_t j = 0; j < m; j++) {
    quad sum = b[i * m + j];
    for (size_t r = 0; r <= l + u; r++) {
      /* A[row, column] = ab[u + row - column, column] */
      const size_t k = transposed ? i + r - u : i + u - r;
      if (k >= n) continue;
      sum -= ab[r * n + (transposed ? i : k)] * x[k * m + j];
    }
    y[i * m + j] = sum;
  }
}
#pragma clang attribute pop
