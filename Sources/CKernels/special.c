/* Scalar functions of the rows, for one number at a time, in 80-bit arithmetic: the conditions of these functions (up to 2^11
 * in their tails) fit into its 11 spare bits. */
#include <math.h>
#include "private.h"

typedef long double wide;

/* B(2j) / (2j)!, j = 1 ... */
static const wide bernoulli_over_factorial[] = {
  0xAAAAAAAAAAAAAAABp-67L, -0xB60B60B60B60B60Bp-73L, 0x8AB355E008AB355Ep-78L,
  -0xDDEBBC99A7785563p-84L, 0xB354795FB875ED15p-89L, -0x91402EB22133F7BAp-94L,
  0xEB6D9627048B0FDCp-100L, -0xBED270FBCCAAE260p-105L, 0x9AAC38EB2974ECEEp-110L,
  -0xFABECB4655678664p-116L, 0xCB3F0F84E1BB77D8p-121L, -0xA4BEC819D15AE371p-126L,
  0x858996BE35683204p-131L, -0xD87B96ACF8E0B3E6p-137L};
/* B(2j) / (2j), j = 1 ... */
static const wide bernoulli_over_index[] = {
  0xAAAAAAAAAAAAAAABp-67L, -0x8888888888888889p-70L, 0x8208208208208208p-71L,
  -0x8888888888888889p-71L, 0xF83E0F83E0F83E10p-71L, -0xACCACCACCACCACCBp-69L,
  0xAAAAAAAAAAAAAAABp-67L, -0xE2F2F2F2F2F2F2F3p-65L, 0xC373FCDCFF373FCEp-62L,
  -0xD3A6528A6528A653p-59L, 0x8CBAE6076B981DAEp-55L, -0xE1782B32B32B32B3p-52L};
/* psi at its positive root: the root in two parts, and the Taylor coefficients there from the first power on. */
static const wide root = 0xBB16C31AB5F1F800p-63L, root_rest = 0xDC353910CBC149E1p-117L;
static const wide at_root[] = {
  0xF7B95E4771C55D8Fp-64L, -0xE2B1DAA550D1AB8Fp-65L, 0x845A14A6A81C05D6p-65L,
  -0xA7E098B92BED4187p-66L, 0xDCD2DB1B879D54BFp-67L, -0x93DD5D130E615E39p-67L,
  0xC7E701591CE534BEp-68L, -0x87D3F61B53EC74F8p-68L, 0xB91EB403F6E601F3p-69L,
  -0xFCB828470DB50E3Cp-70L, 0xACAAE5554B1799D3p-70L, -0xEC1403C94175BC27p-71L,
  0xA170D67C0EC6E1A3p-71L, -0xDCD7E3E774509DBCp-72L, 0x97119A2FBCD575A1p-72L,
  -0xCEB137B8E8FBD21Fp-73L, 0x8D675DEBB08444B7p-73L, -0xC17B1A2E32D9A67Dp-74L,
  0x845ED70D130EA396p-74L, -0xB51FEEF50898212Dp-75L, 0xF7D655B7DC4C2743p-76L,
  -0xA98FAEE2F5AB1930p-76L, 0xE80407C087D5AB71p-77L, -0x9EBCB934457B3719p-77L,
  0xD93488C162E19F3Ep-78L, -0x949ABFBEB65C3335p-78L};
static const wide pi = 0xC90FDAA22168C235p-62L;
enum { COUNT_FACTORIAL = 14, COUNT_INDEX = 12, COUNT_ROOT = 26 };

double ck_gelu_tail(double x) {
  if (x < -40) return -0.0;
  return (double)(0.5L * (wide)x * erfcl(-(wide)x * sqrtl(0.5L)));
}

/* Stirling's formula where all but its first term are far below an ulp. */
double ck_lgamma_far(double x) { return (double)((wide)x * (logl(x) - 1)); }

double ck_pow(double x, double y) { return pow(x, y); }

/* Remainders with the sign of the dividend (C's) and of the divisor (Python's), and the quotient that goes with the second. */
double ck_fmod(double x, double y) { return fmod(x, y); }
double ck_mod(double x, double y) {
  const double r = fmod(x, y);
  if (y == 0 || r != r) return r;
  return r == 0 ? copysign(0, y) : (r < 0) != (y < 0) ? r + y : r;
}
double ck_floor_divide(double x, double y) {
  const double r = fmod(x, y);
  if (y == 0) return x / y;
  const double q = (x - r) / y - (r != 0 && (r < 0) != (y < 0) ? 1 : 0), whole = floor(q);
  return q == 0 ? copysign(0, x / y) : whole + (q - whole > 0.5 ? 1 : 0);
}

/* ---- digamma ------------------------------------------------------------------------------------------------------ */
static wide digamma_positive(wide x) {
  if (x > 1.25L && x < 1.7L) {
    const wide d = (x - root) - root_rest;
    wide sum = 0;
    for (int k = COUNT_ROOT; k-- > 0;) sum = (sum + at_root[k]) * d;
    return sum;
  }
  wide below = 0;
  for (; x < 16; x += 1) below += 1 / x;
  const wide w = 1 / (x * x);
  wide series = 0;
  for (int j = COUNT_INDEX; j-- > 0;) series = (series + bernoulli_over_index[j]) * w;
  return logl(x) - 0.5L / x - series - below;
}

double ck_digamma(double x) {
  if (x != x || x == INFINITY) return x;
  if (x == 0) return -copysign(INFINITY, x);
  if (x > 0) return (double)digamma_positive(x);
  if (x == floor(x)) return NAN;    /* poles, where the sides differ, and -inf */
  const wide r = (wide)x - rintl(x);
  return (double)(digamma_positive(1 - (wide)x) - pi / tanl(pi * r));
}

/* ---- polygamma ---------------------------------------------------------------------------------------------------- */
/* base^s for s >= 1, base in (0, 1]. */
static wide power(wide base, double s) {
  if (s > 40 || s != floor(s)) return powl(base, s);
  wide r = 1;
  for (unsigned e = (unsigned)s; e; e >>= 1, base *= base)
    if (e & 1) r *= base;
  return r;
}

/* a^s zeta(s, a) for a > 0 and s > 1: the first terms, then Euler and Maclaurin's formula from where it converges. */
static wide scaled_zeta(double s, wide a) {
  wide sum = 0, b = a, term = 1;
  if (a > 0x1p40L && a < (wide)s + 20) return -1 / expm1l(-(wide)s / a);   /* steps of 1 are far below a: a geometric series */
  for (const wide start = (wide)s + 20; b < start; b += 1) {
    term = power(a / b, s);
    sum += term;
    if (term < sum * 0x1p-70L) return sum;
  }
  term = power(a / b, s);
  sum += term * (b / ((wide)s - 1) + 0.5L);
  wide factor = term * (wide)s / b;       /* a^s s (s+1) ... (s+2j-2) b^(-s-2j+1) */
  for (int j = 1; j <= COUNT_FACTORIAL; j++) {
    const wide t = factor * bernoulli_over_factorial[j - 1];
    sum += t;
    if (fabsl(t) < sum * 0x1p-70L) break;
    factor *= ((wide)s + 2 * j - 1) * ((wide)s + 2 * j) / (b * b);
  }
  return sum;
}

/* n! a^(-n-1), where a 64-bit exponent range does not suffice through logarithms (then only to some 40 ulp). */
static wide leading(double n, wide a) {
  if (n <= 1600) return tgammal((wide)n + 1) * (n < 40 ? 1 / power(a, n + 1) : powl(a, -(wide)n - 1));
  return expl(lgammal((wide)n + 1) - ((wide)n + 1) * logl(a));
}
static wide term(double n, wide a) { return leading(n, a) * scaled_zeta(n + 1, a); }

/* psi^(n)(x) = (-1)^(n+1) n! zeta(n + 1, x). Left of 0 the sum of (x + k)^-s falls into its negative and positive bases. */
double ck_polygamma(double n, double x) {
  if (n != n || x != x) return n + x;
  if (n < 0 || n != floor(n) || n == INFINITY || x == -INFINITY) return NAN;
  if (n == 0) return ck_digamma(x);
  const bool odd = fmod(n, 2) == 1;
  const double sign = odd ? 1 : -1;
  if (x == INFINITY) return sign * 0.0;
  if (x == 0) return odd ? INFINITY : -copysign(INFINITY, x);
  if (x > 0) return (double)(sign * term(n, x));
  if (x == floor(x)) return odd ? INFINITY : NAN;
  const wide a = -(wide)x, f = a - floorl(a);
  const wide negative = term(n, f) - term(n, a + 1);
  return (double)(sign * ((odd ? negative : -negative) + term(n, 1 - f)));
}

/* The Hurwitz zeta function, the sum of (q + k)^-s. */
double ck_zeta(double s, double q) {
  if (s != s || q != q) return s + q;
  if (s == 1) return INFINITY;
  if (s < 1 || q <= 0) return NAN;
  if (q == INFINITY) return 0;
  if (s == INFINITY) return q < 1 ? INFINITY : q == 1 ? 1 : 0;
  return (double)(scaled_zeta(s, (wide)q) * powl((wide)q, -(wide)s));
}

/* ---- Differences of polygamma -------------------------------------------------------------------------------------- */
/* a^-p - (a + b)^-p. */
static wide power_drop(wide a, wide log_ratio, wide p) { return powl(a, -p) * -expm1l(-p * log_ratio); }

/* psi^(n)(a) - psi^(n)(a + b), from the differences of the terms of their sums: no digit is lost where b is far below a. */
double ck_polygamma_drop(double n, double given_a, double given_b) {
  wide a = (wide)given_a, sum = 0;
  const wide b = (wide)given_b;
  if (!(n >= 0 && n <= 60 && n == floor(n)) || given_a != given_a || given_b != given_b) return NAN;
  if (!(a > 0 && a + b > 0) || isinf(given_a) || isinf(given_b)) return ck_polygamma(n, given_a) - ck_polygamma(n, given_a + given_b);
  const wide start = (wide)n + 20;
  if (n == 0) {
    for (; a < start || a + b < start; a += 1) sum += b / (a * (a + b));
    const wide l = log1pl(b / a);
    sum += l + 0.5L * b / (a * (a + b));
    for (int j = 1; j <= COUNT_INDEX; j++) sum += bernoulli_over_index[j - 1] * power_drop(a, l, 2 * (wide)j);
    return (double)-sum;
  }
  const wide s = (wide)n + 1;
  for (; a < start || a + b < start; a += 1) sum += power_drop(a, log1pl(b / a), s);
  const wide l = log1pl(b / a);
  sum += power_drop(a, l, s - 1) / (s - 1) + 0.5L * power_drop(a, l, s);
  wide factor = s;
  for (int j = 1; j <= COUNT_FACTORIAL; j++) {
    sum += factor * bernoulli_over_factorial[j - 1] * power_drop(a, l, s + (wide)(2 * j - 1));
    factor *= (s + 2 * j - 1) * (s + 2 * j);
  }
  return (double)((fmod(n, 2) == 1 ? 1 : -1) * tgammal((wide)n + 1) * sum);
}
