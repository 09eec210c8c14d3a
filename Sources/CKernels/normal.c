/* The error function's relatives and the normal distribution, for one number at a time in 80-bit arithmetic (see special.c). */
#include <math.h>
#include "private.h"

typedef long double wide;
static const wide root_half = 0xB504F333F9DE6484p-64L, root_two = 0xB504F333F9DE6484p-63L;
static const wide two_over_root_pi = 0x906EBA8214DB688Dp-63L, one_over_root_pi = 0x906EBA8214DB688Dp-64L;

/* ---- e^(x^2) times the repeated integrals of erfc ------------------------------------------------------------------- */
/* E_n(x) = e^(x^2) i^n erfc(x): E_n' = -2 (n + 1) E_(n+1), E_(n-2) = 2 x E_(n-1) + 2 n E_n, E_(-1) = 2 / sqrt(pi). All are positive. */
static wide scaled_erfc(wide x) {
  if (x < 9) return expl(x * x) * erfcl(x);
  wide r = x;
  for (int k = 24; k > 0; k--) r = x + 0.5L * (wide)k / r;
  return one_over_root_pi / r;
}

/* E_n / E_(n-1) by the continued fraction of the recurrence, x > 0; m terms leave an error of exp(-2 x sqrt(2) (sqrt(m) - sqrt(n))). */
static wide ratio(int n, wide x) {
  const wide terms = sqrtl((wide)n) + 17 / x;
  wide r = 0;
  for (int m = (int)(terms * terms) + 8; m >= n; m--) r = 1 / (2 * x + 2 * (wide)(m + 1) * r);
  return r;
}

double ck_erfcx(double x) { return x != x ? x : (double)scaled_erfc((wide)x); }

double ck_ierfcx(double order, double given) {
  if (order != order || given != given) return order + given;
  if (order < 0 || order > 60 || order != floor(order)) return NAN;
  const int n = (int)order;
  const wide x = (wide)given;
  if (given == INFINITY) return 0;
  if (given < -200) return INFINITY;
  wide e = scaled_erfc(x);
  if (x <= 0 || (x < 1 && n <= 6)) {      /* upwards: all terms are positive, or few digits are lost */
    wide before = two_over_root_pi;
    for (int k = 1; k <= n; k++) {
      const wide next = (before - 2 * x * e) / (2 * (wide)k);
      before = e, e = next;
    }
    return (double)e;
  }
  if (x < 0.25L) {                        /* sum of (-2 x)^k C(n + k, k) E_(n+k)(0), E_m(0) = 1 / (2^m Gamma(m / 2 + 1)) */
    wide sum = 0, factor = 1;
    for (int k = 0; k < 100; k++) {
      const wide t = factor / (exp2l((wide)(n + k)) * tgammal((wide)(n + k) / 2 + 1));
      sum += t;
      if (fabsl(t) < fabsl(sum) * 0x1p-68L && k > n) break;
      factor *= -2 * x * (wide)(n + k + 1) / (wide)(k + 1);
    }
    return (double)sum;
  }
  wide r = ratio(n, x);                   /* E_n / E_(n-1), then one after the other down to E_1 / E_0 */
  for (int m = n; m >= 1; m--) {
    e *= r;
    r = 1 / (2 * x + 2 * (wide)m * r);
  }
  return (double)e;
}

/* ---- Inverses -------------------------------------------------------------------------------------------------------- */
static wide erfinv_middle(wide x) {       /* |x| <= 1/2: Newton's method with the second derivative */
  const wide s = x * x;
  wide y = x * (0.886226925452758L + s * (0.232013666534654L + s * (0.127556175305597L + s * 0.0865521292415476L)));
  for (int k = 0; k < 3; k++) {
    const wide step = (erfl(y) - x) * expl(y * y) / two_over_root_pi;
    y -= step / (1 + y * step);
  }
  return y;
}
/* erfc(y) = q, 0 < q <= 1/2: Newton's method on the logarithm. */
static wide erfcinv_tail(wide q) {
  const wide goal = logl(q), t = sqrtl(-2 * (goal - 0.6931471805599453L));
  wide y = root_half * (t - (2.515517L + t * (0.802853L + t * 0.010328L)) / (1 + t * (1.432788L + t * (0.189269L + t * 0.001308L))));
  for (int k = 0; k < 4; k++) {
    const wide e = scaled_erfc(y);
    y += (logl(e) - y * y - goal) * e / two_over_root_pi;
  }
  return y;
}
static wide erfcinv(wide q) { return q < 0.5L ? erfcinv_tail(q) : q <= 1.5L ? erfinv_middle(1 - q) : -erfcinv_tail(2 - q); }

double ck_erfinv(double x) {
  if (!(x >= -1 && x <= 1)) return NAN;
  if (fabs(x) == 1) return x * INFINITY;
  if (x == 0) return x;
  return (double)(fabs(x) <= 0.5 ? erfinv_middle((wide)x) : copysignl(erfcinv_tail(1 - fabsl((wide)x)), (wide)x));
}
double ck_erfcinv(double q) {
  if (!(q >= 0 && q <= 2)) return NAN;
  return q == 0 ? INFINITY : q == 2 ? -INFINITY : (double)erfcinv((wide)q);
}
double ck_normal_quantile(double p) {
  if (!(p >= 0 && p <= 1)) return NAN;
  return p == 0 ? -INFINITY : p == 1 ? INFINITY : p == 0.5 ? 0 : (double)(-root_two * erfcinv(2 * (wide)p));
}

/* ---- The distribution ------------------------------------------------------------------------------------------------ */
double ck_normal_cdf_tail(double x) { return x < -40 ? 0 : (double)(0.5L * erfcl(-(wide)x * root_half)); }

double ck_log_normal_cdf(double given) {
  const wide x = (wide)given;
  if (given != given || given == -INFINITY) return given;
  if (x < -1) return (double)(logl(0.5L * scaled_erfc(-x * root_half)) - 0.5L * x * x);
  return (double)log1pl(-0.5L * erfcl(x * root_half));
}

/* ---- Logistic and others ------------------------------------------------------------------------------------------- */
double ck_logit(double p) {
  const wide x = (wide)p;
  if (!(p >= 0 && p <= 1)) return NAN;
  return (double)(p > 0.25 && p < 0.75 ? log1pl((2 * x - 1) / (1 - x)) : logl(x / (1 - x)));
}
/* Where the sum of logarithms has all but cancelled: log1p(e^x - 1 + e^y). */
double ck_logaddexp_near(double x, double y) {
  const wide a = (wide)fmax(x, y), b = (wide)fmin(x, y);
  return (double)log1pl(expm1l(a) + expl(b));
}
double ck_logaddexp2_near(double x, double y) {
  const wide ln2 = 0xB17217F7D1CF79ACp-64L, a = ln2 * (wide)fmax(x, y), b = ln2 * (wide)fmin(x, y);
  return (double)(log1pl(expm1l(a) + expl(b)) / ln2);
}
/* sin(pi x) / (pi x); the angle is reduced exactly. */
double ck_sinc(double given) {
  static const wide pi = 0xC90FDAA22168C235p-62L;
  if (given != given) return given;
  if (given == 0) return 1;
  if (fabs(given) == INFINITY) return 0;
  const wide x = (wide)given;
  wide r = x - 2 * rintl(x / 2);
  if (fabsl(r) > 0.5L) r = copysignl(1, r) - r;
  return (double)(sinl(pi * r) / (pi * x));
}
