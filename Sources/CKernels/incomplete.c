/* Gamma, beta and their incomplete functions, for one number at a time in 80-bit arithmetic (see special.c). */
#define _DEFAULT_SOURCE            /* lgammal_r: lgammal writes a global */
#include <math.h>
#include "private.h"

typedef long double wide;
static const wide half_log_two_pi = 0xEB3F8E4325F5A535p-64L, two_pi = 0xC90FDAA22168C235p-61L;
/* B(2j) / (2j (2j - 1)), j = 1 ... */
static const wide stirling_series[] = {
  1 / 12.0L, -1 / 360.0L, 1 / 1260.0L, -1 / 1680.0L, 1 / 1188.0L, -691 / 360360.0L, 1 / 156.0L, -3617 / 122400.0L,
  43867 / 244188.0L, -174611 / 125400.0L, 77683 / 5796.0L, -236364091 / 1506960.0L};
enum { COUNT = 12 };
static const wide enough = 16, done = 0x1p-68L;

static wide lgamma_of(wide x, int *sign) { return lgammal_r(x, sign); }
/* log Gamma(a) less Stirling's formula, a >= 16. */
static wide correction(wide a) {
  const wide w = 1 / (a * a);
  wide sum = 0;
  for (int j = COUNT; j-- > 0;) sum = sum * w + stirling_series[j];
  return sum / a;
}
/* correction(b) - correction(a + b), relatively right for small a. */
static wide correction_drop(wide a, wide b) {
  const wide h = a / b;
  if (fabsl(h) > 0x1p-8L) return correction(b) - correction(a + b);
  const wide l = log1pl(h), w = 1 / (b * b);
  wide sum = 0, p = 1 / b;
  for (int j = 0; j < COUNT; j++, p *= w) sum += stirling_series[j] * p * -expm1l(-(wide)(2 * j + 1) * l);
  return sum;
}
/* log(1 + h) - h. */
static wide log1pmx(wide h) {
  if (fabsl(h) > 0.5L) return log1pl(h) - h;
  const wide r = h / (2 + h), s = r * r;
  wide sum = 0;
  for (int k = 22; k >= 0; k--) sum = sum * s + 1 / (wide)(2 * k + 3);
  return r * (2 * s * sum - h);
}
/* log(Gamma(b) / Gamma(a + b)), b >= 16. */
static wide log_gamma_drop(wide a, wide b) {
  const wide h = a / b;
  return -b * log1pmx(h) + 0.5L * log1pl(h) - a * logl(a + b) + correction_drop(a, b);
}
/* log Gamma(1 + a), relatively right for small a. */
static wide log_gamma_1p(wide a) {
  wide sum = -log_gamma_drop(a, enough);
  for (int k = 1; k < 16; k++) sum -= log1pl(a / (wide)k);
  return sum;
}

/* ---- Gamma and beta --------------------------------------------------------------------------------------------------- */
double ck_gamma(double x) {
  if (x == 0) return copysign(INFINITY, x);
  if (x < 0 && x == floor(x)) return NAN;
  return (double)tgammal((wide)x);
}

static wide log_beta(wide a, wide b, int *sign) {
  int s, t, u;
  const wide low = a < b ? a : b, high = a < b ? b : a;
  *sign = 1;
  if (low > 0 && high >= enough) {
    if (low < enough) return lgamma_of(low, &s) + log_gamma_drop(low, high);
    const wide h = low / high, delta = correction(low) + correction(high) - correction(low + high);
    return half_log_two_pi - 0.5L * logl(high) + delta + (low - 0.5L) * logl(h / (1 + h)) - high * log1pl(h);
  }
  const wide sum = lgamma_of(low, &s) + lgamma_of(high, &t) - lgamma_of(low + high, &u);
  *sign = s * t * u;
  return sum;
}
static bool beyond_beta(double a, double b) { return a != a || b != b || isinf(a) || isinf(b); }
double ck_betaln(double a, double b) {
  int sign;
  if (beyond_beta(a, b)) return a > 0 && b > 0 ? -INFINITY : NAN;
  return (double)log_beta((wide)a, (wide)b, &sign);
}
double ck_beta(double a, double b) {
  int sign;
  if (beyond_beta(a, b)) return a > 0 && b > 0 ? 0 : NAN;
  const wide l = log_beta((wide)a, (wide)b, &sign);
  return (double)(sign * expl(l));
}

/* ---- Incomplete gamma --------------------------------------------------------------------------------------------------- */
/* x^a e^-x / Gamma(a + 1). */
static wide gamma_head(wide a, wide x) {
  if (a < enough) return powl(x, a) * expl(-x) / tgammal(a + 1);
  const wide m = (x - a) / a;
  const wide bend = m < -0.5L ? logl(x / a) - m : log1pmx(m);
  return expl(a * bend - correction(a)) / sqrtl(two_pi * a);
}
static wide gamma_series(wide a, wide x) {
  wide sum = 1, t = 1;
  for (int n = 1; n < 1 << 20; n++) {
    t *= x / (a + n);
    sum += t;
    if (t < sum * done) break;
  }
  return sum;
}
static wide gamma_fraction(wide a, wide x) {
  wide b = x + 1 - a, c = 0x1p1000L, d = 1 / b, h = d;
  for (int i = 1; i < 1 << 20; i++) {
    const wide an = -(wide)i * (i - a);
    b += 2;
    d = an * d + b, c = b + an / c;
    d = 1 / (d == 0 ? 0x1p-1000L : d);
    if (c == 0) c = 0x1p-1000L;
    const wide step = d * c;
    h *= step;
    if (fabsl(step - 1) < 0x1p-62L) break;
  }
  return h;
}
/* Temme's uniform expansion, for large a. */
static wide gamma_uniform(wide a, wide x, bool upper) {
  const wide m = (x - a) / a, bend = m > 1 || m < -0.5L ? -1 : log1pmx(m), square = -a * bend;
  const bool far = square > 12000;
  if (far) return (m > 0) == upper ? 0 : 1;
  const wide eta = copysignl(sqrtl(-2 * bend), m), z = copysignl(sqrtl(square), m);
  const wide c0 = -1 / 3.0L + eta * (1 / 12.0L + eta * (-2 / 135.0L + eta * (1 / 864.0L + eta * (1 / 2835.0L + eta * (-139 / 777600.0L + eta / 25515)))));
  const wide c1 = -1 / 540.0L + eta * (-1 / 288.0L + eta * (25 / 12096.0L - eta * (223 / 1088640.0L)));
  const wide rest = expl(-square) / sqrtl(two_pi * a) * (c0 + c1 / a);
  return upper ? 0.5L * erfcl(z) + rest : 0.5L * erfcl(-z) - rest;
}
static double gamma_share(double given_a, double given_x, bool upper) {
  const wide a = (wide)given_a, x = (wide)given_x;
  if (!(given_a >= 0 && given_x >= 0) || (given_a == 0 && given_x == 0) || (isinf(given_a) && isinf(given_x))) return NAN;
  if (given_x == 0 || isinf(given_a)) return upper;
  if (given_a == 0 || isinf(given_x)) return !upper;
  if (a >= 0x1p24L) return (double)gamma_uniform(a, x, upper);
  if (upper && a < 1 && x < 1.5L) {     /* 1 - P, without the difference: P = u (1 + a s), u = x^a / Gamma(a + 1) */
    const wide l = a * logl(x) - log_gamma_1p(a);
    wide s = 0, t = 1;
    for (int n = 1; n < 60; n++) {
      t *= -x / (wide)n;
      s += t / (a + n);
      if (fabsl(t) < done) break;
    }
    return (double)(-expm1l(l) - expl(l) * a * s);
  }
  if (x < a + 1) {
    const wide p = gamma_head(a, x) * gamma_series(a, x);
    return (double)(upper ? 1 - p : p);
  }
  const wide q = gamma_head(a, x) * a * gamma_fraction(a, x);
  return (double)(upper ? q : 1 - q);
}
double ck_gammainc(double a, double x) { return gamma_share(a, x, false); }
double ck_gammaincc(double a, double x) { return gamma_share(a, x, true); }
double ck_gamma_density(double a, double x) {
  if (!(a > 0 && x >= 0) || isinf(a)) return NAN;
  if (x == 0) return a < 1 ? INFINITY : a == 1 ? 1 : 0;
  if (isinf(x)) return 0;
  return (double)(gamma_head((wide)a, (wide)x) * ((wide)a / (wide)x));
}

/* ---- Incomplete beta -------------------------------------------------------------------------------------------------- */
/* x^a y^b / B(a, b), y = 1 - x; x is a double. `turned`: a, b and x, y have changed places. */
static wide beta_head(wide a, wide b, wide x, wide y) {
  int sign;
  if (a >= enough && b >= enough) {
    /* t = x (a + b) - a without rounding it twice; x - a / (a + b) = t / (a + b) */
    const wide s = a + b, lost = (a > b ? (a - s) + b : (b - s) + a), p = x * s;
    const wide t = (p - a) + fmal(x, s, -p) + x * lost;
    const wide m = t / a, n = -t / b;
    const wide left = m < -0.5L ? logl(x * s / a) - m : log1pmx(m), right = n < -0.5L ? logl(y * s / b) - n : log1pmx(n);
    return expl(a * left + b * right + correction(s) - correction(a) - correction(b)) * sqrtl(a / s * b / two_pi);
  }
  return expl(a * logl(x) + b * (y > 0.5L ? log1pl(-x) : logl(y)) - log_beta(a, b, &sign));
}
static wide beta_fraction(wide a, wide b, wide x) {
  const wide tiny = 0x1p-1000L, s = a + b;
  wide c = 1, d = 1 - s * x / (a + 1);
  d = 1 / (d == 0 ? tiny : d);
  wide h = d;
  for (int m = 1; m < 1 << 19; m++) {
    const wide k = (wide)m, even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k));
    d = 1 + even * d, c = 1 + even / c;
    d = 1 / (d == 0 ? tiny : d), c = c == 0 ? tiny : c;
    h *= d * c;
    const wide odd = -(a + k) * (s + k) * x / ((a + 2 * k) * (a + 2 * k + 1));
    d = 1 + odd * d, c = 1 + odd / c;
    d = 1 / (d == 0 ? tiny : d), c = c == 0 ? tiny : c;
    const wide step = d * c;
    h *= step;
    if (fabsl(step - 1) < 0x1p-62L) return h;
  }
  return NAN;
}
double ck_betainc(double given_a, double given_b, double given_x) {
  const wide a = (wide)given_a, b = (wide)given_b, x = (wide)given_x, y = 1 - x;
  if (!(given_a > 0 && given_b > 0 && given_x >= 0 && given_x <= 1) || isinf(given_a) || isinf(given_b)) return NAN;
  if (given_x == 0 || given_x == 1) return given_x;
  const wide head = beta_head(a, b, x, y);
  if (x <= (a + 1) / (a + b + 2)) return (double)(head == 0 ? 0 : head / a * beta_fraction(a, b, x));
  return (double)(head == 0 ? 1 : 1 - head / b * beta_fraction(b, a, y));
}
double ck_beta_density(double a, double b, double x) {
  if (!(a > 0 && b > 0 && x >= 0 && x <= 1) || isinf(a) || isinf(b)) return NAN;
  if (x == 0) return a < 1 ? INFINITY : a == 1 ? b : 0;
  if (x == 1) return b < 1 ? INFINITY : b == 1 ? a : 0;
  const wide y = 1 - (wide)x;
  return (double)(beta_head((wide)a, (wide)b, (wide)x, y) / ((wide)x * y));
}
