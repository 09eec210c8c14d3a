/* Bessel functions of whole order, for one number at a time in 80-bit arithmetic (see special.c). Orders end at 60. */
#include <math.h>
#include "private.h"

typedef long double wide;
static const wide two_pi = 0xC90FDAA22168C235p-61L;
enum { MOST = 60 };

static bool no_order(double n) { return !(n >= 0 && n <= MOST && n == floor(n)); }

/* e^-x I_n(x), x >= 0: the power series, all of one sign, then Hankel's expansion. */
static wide scaled_i(int n, wide x) {
  wide sum = 1, t = 1;
  if (x > 40 + (wide)n * n) {
    const wide m = 4 * (wide)n * n;
    for (int k = 1; k < 200; k++) {
      const wide next = -t * (m - (wide)(2 * k - 1) * (2 * k - 1)) / ((wide)k * 8 * x);
      if (fabsl(next) >= fabsl(t)) break;
      sum += t = next;
      if (fabsl(t) < fabsl(sum) * 0x1p-68L) break;
    }
    return sum / sqrtl(two_pi * x);
  }
  const wide q = 0.25L * x * x;
  for (int k = 1; k < 8000; k++) {
    t *= q / ((wide)k * (n + k));
    sum += t;
    if (t < sum * 0x1p-68L) break;
  }
  wide head = 1;
  for (int k = 1; k <= n; k++) head *= 0.5L * x / (wide)k;
  return head * (sum * expl(-x));
}
static wide of_sign(int n, double x, wide v) { return x < 0 && n % 2 == 1 ? -v : v; }

double ck_i0e(double x) { return x != x ? x : fabs(x) == INFINITY ? 0 : (double)scaled_i(0, fabsl((wide)x)); }
double ck_i1e(double x) { return x != x ? x : fabs(x) == INFINITY ? copysign(0, x) : (double)of_sign(1, x, scaled_i(1, fabsl((wide)x))); }

double ck_iv(double n, double x) {
  if (n != n || x != x) return n + x;
  if (no_order(n)) return NAN;
  const wide a = fabsl((wide)x);
  if (a > 4000) return (double)of_sign((int)n, x, INFINITY);
  return (double)of_sign((int)n, x, scaled_i((int)n, a) * expl(a));
}
double ck_i0(double x) { return ck_iv(0, x); }
double ck_i1(double x) { return x == 0 ? x : ck_iv(1, x); }

/* J_n(x) = (1 / pi) times the integral of (1 - cos t)^n e^(-x (1 - cos t)) over [0, pi], of |x|: J_0 is i0e, J_n' = -J_(n+1) right of 0.
 * By Kummer's function, c e^(-2x) 1F1(1/2; n + 1; 2x), c = 2^n (1/2)_n / n!. */
double ck_i0e_slope(double order, double given) {
  if (order != order || given != given) return order + given;
  if (no_order(order)) return NAN;
  const int n = (int)order;
  const wide z = 2 * fabsl((wide)given);
  if (isinf(given)) return 0;
  wide c = 1, sum = 1, t = 1;
  for (int k = 0; k < n; k++) c *= (wide)(2 * k + 1) / (wide)(k + 1);
  if (z > 60 + 8 * (wide)n) {
    for (int k = 0; k < 400; k++) {
      const wide next = t * ((wide)n + 0.5L + k) * (0.5L + k) / ((wide)(k + 1) * z);
      if (next >= t && k > n) break;
      sum += t = next;
      if (t < sum * 0x1p-68L) break;
    }
    /* c n! / sqrt(pi) z^(-n - 1/2), a factor at a time: neither end overflows first */
    wide head = 2 / sqrtl(2 * two_pi * z);
    for (int k = 0; k < n; k++) head *= (wide)(2 * k + 1) / z;
    return (double)(head * sum);
  }
  for (int k = 0; k < 4000; k++) {
    t *= (0.5L + k) * z / (((wide)n + 1 + k) * (wide)(k + 1));
    sum += t;
    if (t < sum * 0x1p-68L) break;
  }
  return (double)(c * (sum * expl(-z)));
}

/* The spherical Bessel function of the first kind. */
double ck_spherical_jn(double order, double given) {
  if (order != order || given != given) return order + given;
  if (no_order(order)) return NAN;
  const int n = (int)order;
  const wide x = fabsl((wide)given);
  if (isinf(given)) return 0;
  if (x <= 1) {
    wide head = 1, sum = 1, t = 1;
    for (int k = 1; k <= n; k++) head *= x / (wide)(2 * k + 1);
    for (int k = 1; k < 40; k++) {
      t *= -0.5L * x * x / ((wide)k * (2 * (n + k) + 1));
      sum += t;
      if (fabsl(t) < 0x1p-68L) break;
    }
    return (double)of_sign(n, given, head * sum);
  }
  wide j0 = sinl(x) / x, j1 = (j0 - cosl(x)) / x;
  if (n < 2) return (double)of_sign(n, given, n ? j1 : j0);
  if (x > n) {
    for (int k = 1; k < n; k++) {
      const wide next = (wide)(2 * k + 1) / x * j1 - j0;
      j0 = j1, j1 = next;
    }
    return (double)of_sign(n, given, j1);
  }
  wide above = 0, f = 0x1p-300L, mine = 0;   /* downwards from far above, then scaled by the larger of the first two */
  for (int k = n + 64; k > 0; k--) {
    if (k == n) mine = f;
    const wide next = (wide)(2 * k + 1) / x * f - above;
    above = f, f = next;
  }
  return (double)of_sign(n, given, mine * (fabsl(j0) > fabsl(j1) ? j0 / f : j1 / above));
}
