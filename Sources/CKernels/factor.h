/* Factorisations of one row-major matrix in one precision; included for f64 and for f32 with E (the element) and LA(name) (LAPACK's
 * name with its letter) and OWN(name) defined. Every function checks its input for numbers that are not finite, on which LAPACK
 * may iterate without end, and returns 0 or a failure, after which the caller fills the result with NaN. */

static bool OWN(finite)(size_t n, const E *x) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(x[i])) return false;
  return true;
}

static void OWN(turn)(size_t rows, size_t columns, const E *x, E *y) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) y[j * rows + i] = x[i * columns + j];
}

static void OWN(identity)(size_t rows, size_t columns, E *x) {
  memset(x, 0, rows * columns * sizeof(E));
  for (size_t i = 0; i < rows && i < columns; i++) x[i * columns + i] = 1;
}

/* out: L below and U on and above the diagonal [m, n], then the permutation [m]: row i of L U is row p[i] of A. */
static int OWN(lu)(size_t m, size_t n, const E *a, E *out, void *scratch) {
  E *t = scratch, *order = out + m * n;
  int32_t *pivots = (int32_t *)(t + m * n);
  const int M = (int)m, N = (int)n;
  int info = 0;
  for (size_t i = 0; i < m; i++) order[i] = (E)i;
  if (m == 0 || n == 0) return 0;
  OWN(turn)(m, n, a, t);
  LA(getrf)(&M, &N, t, &M, pivots, &info);
  if (info < 0) return 1;
  OWN(turn)(n, m, t, out);
  for (size_t i = 0; i < m && i < n; i++) {
    const size_t p = (size_t)pivots[i] - 1;
    if (p >= m) return 1;
    const E moved = order[i];
    order[i] = order[p];
    order[p] = moved;
  }
  return 0;
}

/* What LAPACK asks for, rounded up: an f32 may not hold the count. */
static size_t OWN(asked)(E work) { return work > 0 ? (size_t)((double)work * 1.0000002) + 1 : 1; }

static size_t OWN(qr_work)(size_t m, size_t n, size_t q) {
  const int M = (int)m, N = (int)n, Q = (int)q, K = M < N ? M : N, LD = N > 1 ? N : 1, LQ = Q > 1 ? Q : 1, ask = -1;
  int info = 0;
  E a = 0, tau = 0, w = 0, v = 0;
  LA(gelqf)(&N, &M, &a, &LD, &tau, &w, &ask, &info);
  LA(orglq)(&Q, &M, &K, &a, &LQ, &tau, &v, &ask, &info);
  const size_t x = OWN(asked)(w), y = OWN(asked)(v), least = n > q ? n : q;
  return x > y ? (x > least ? x : least) : (y > least ? y : least);
}

/* out: Q [m, q], R [q, n]; q = m (full) or min(m, n). Read as column-major A is A^T = L Q^T: LQ of it is QR of A. */
static int OWN(qr)(size_t m, size_t n, size_t q, const E *a, E *out, void *scratch, size_t work) {
  const size_t k = m < n ? m : n;
  E *Q = out, *R = out + m * q, *t = scratch, *tau = t + m * n, *w = tau + k;
  if (k == 0) {
    OWN(identity)(m, q, Q);
    memset(R, 0, q * n * sizeof(E));
    return 0;
  }
  if (!OWN(finite)(m * n, a)) return 1;
  const int M = (int)m, N = (int)n, P = (int)q, K = (int)k, W = (int)work;
  int info = 0;
  memcpy(t, a, m * n * sizeof(E));
  LA(gelqf)(&N, &M, t, &N, tau, w, &W, &info);
  if (info) return 1;
  for (size_t i = 0; i < q; i++)
    for (size_t j = 0; j < n; j++) R[i * n + j] = i < k && j >= i ? t[i * n + j] : 0;
  for (size_t j = 0; j < m; j++)
    for (size_t i = 0; i < q; i++) Q[j * q + i] = i < k ? t[j * n + i] : 0;
  LA(orglq)(&P, &M, &K, Q, &P, tau, w, &W, &info);
  return info;
}

static void OWN(eigh_work)(size_t n, bool vectors, size_t *work, size_t *integers) {
  const int N = (int)n, ask = -1;
  int info = 0, i = 0;
  E a = 0, w = 0, x = 0;
  LA(syevd)(vectors ? "V" : "N", "L", &N, &a, &N, &w, &x, &ask, &i, &ask, &info);
  *work = OWN(asked)(x);
  *integers = i > 0 ? (size_t)i : 1;
}

/* w [n] ascending, and with vectors V [n, n], one a column. v: n * n elements, V itself or scratch. Reads one triangle. */
static int OWN(eigh)(size_t n, bool vectors, bool lower, const E *a, E *w, E *v, E *x, size_t work, int *integers, size_t count) {
  if (n == 0) return 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      const E e = lower ? a[i * n + j] : a[j * n + i];
      if (!isfinite(e)) return 1;
      v[j * n + i] = v[i * n + j] = e;
    }
  const int N = (int)n, W = (int)work, whole = (int)count;
  int info = 0;
  LA(syevd)(vectors ? "V" : "N", "L", &N, v, &N, w, x, &W, integers, &whole, &info);
  if (info) return 1;
  for (size_t i = 0; vectors && i < n; i++)
    for (size_t j = 0; j < i; j++) {
      const E e = v[i * n + j];
      v[i * n + j] = v[j * n + i];
      v[j * n + i] = e;
    }
  return 0;
}

static size_t OWN(svd_work)(size_t m, size_t n, char job) {
  const int M = (int)m, N = (int)n, K = M < N ? M : N, ask = -1;
  const int P = job == 'A' ? M : K, LD = N > 1 ? N : 1, LP = P > 1 ? P : 1;
  int info = 0, i = 0;
  E a = 0, s = 0, u = 0, v = 0, x = 0;
  const char name[] = {job, 0};
  LA(gesdd)(name, &N, &M, &a, &LD, &s, &u, &LD, &v, &LP, &x, &ask, &i, &info);
  return OWN(asked)(x);
}

/* job 'N': s [k]; 'S': u [m, k], s, v^T [k, n]; 'A': u [m, m], s, v^T [n, n]. Read as column-major A is A^T = V S U^T, whose factors
 * column-major are those wanted row-major. t: m * n elements; integers: 8 k. */
static int OWN(svd)(size_t m, size_t n, char job, const E *a, E *u, E *s, E *vt, E *t, E *x, size_t work, int *integers) {
  const size_t k = m < n ? m : n;
  if (k == 0) {
    if (job == 'A') {
      OWN(identity)(m, m, u);
      OWN(identity)(n, n, vt);
    }
    return 0;
  }
  if (!OWN(finite)(m * n, a)) return 1;
  const int M = (int)m, N = (int)n, P = job == 'A' ? (int)m : (int)k, W = (int)work;
  int info = 0;
  const char name[] = {job, 0};
  memcpy(t, a, m * n * sizeof(E));
  LA(gesdd)(name, &N, &M, t, &N, s, vt, &N, u, &P, x, &W, integers, &info);
  return info;
}

/* op(A) X = B; ab [l + u + 1, n] with A[i, j] = ab[u + i - j, j]; entries that lie outside A are not read. */
static int OWN(banded)(bool transposed, size_t n, size_t m, size_t l, size_t u, const E *ab, const E *b, E *x, void *scratch) {
  const size_t high = 2 * l + u + 1;
  E *band = scratch, *t = band + high * n;
  int32_t *pivots = (int32_t *)(t + n * m);
  memset(band, 0, high * n * sizeof(E));
  for (size_t r = 0; r <= l + u; r++)
    for (size_t j = r < u ? u - r : 0; j < n && j + r < n + u; j++) band[j * high + l + r] = ab[r * n + j];
  OWN(turn)(n, m, b, t);
  const int N = (int)n, M = (int)m, L = (int)l, U = (int)u, H = (int)high;
  int info = 0;
  LA(gbtrf)(&N, &N, &L, &U, band, &H, pivots, &info);
  if (info) return 1;
  LA(gbtrs)(transposed ? "T" : "N", &N, &L, &U, &M, band, &H, pivots, t, &N, &info);
  OWN(turn)(m, n, t, x);
  return info;
}
