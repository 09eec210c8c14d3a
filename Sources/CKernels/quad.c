/* The rows of camber_ops.h, folds, products and solutions in binary128 (113 bits, exponents to 2^16383): what a run in f64 is held against. IEEE quad
 * arithmetic comes from the compiler's support library, functions from libm's f128 family. Slow: some 50 ns an operation, 1 us a function.
 * The rows' own text is expanded once more, over this type. Functions that libm lacks are summed here, to some 95 bits or better. */
#include <math.h>
#include "quad.h"
#pragma clang fp contract(off)
#pragma clang attribute push(__attribute__((minsize)), apply_to = function)   /* its arithmetic is calls */
#pragma clang diagnostic ignored "-Wunused-parameter"

quad expf128(quad), exp2f128(quad), expm1f128(quad), logf128(quad), log2f128(quad), log10f128(quad), log1pf128(quad), sinf128(quad), cosf128(quad), tanf128(quad),
  asinf128(quad), acosf128(quad), atanf128(quad), sinhf128(quad), coshf128(quad), tanhf128(quad), asinhf128(quad), acoshf128(quad), atanhf128(quad), cbrtf128(quad),
  erff128(quad), erfcf128(quad), tgammaf128(quad), floorf128(quad), ceilf128(quad), rintf128(quad), truncf128(quad), fmodf128(quad, quad),
  powf128(quad, quad), atan2f128(quad, quad), hypotf128(quad, quad), fmaf128(quad, quad, quad), ldexpf128(quad, int), lgammaf128_r(quad, int *);

static quad pi_(void) { return Q(0x1.921fb54442d18p+1) + Q(0x1.1a62633145c07p-53) + Q(-0x1.f1976b7ed8fbcp-109); }
static quad infinity_(void) { return Q(__builtin_inf()); }
static quad nan_(void) { return Q(__builtin_nan("")); }
static quad larger(quad x, quad y) { return x != x ? x : x != y ? (x > y ? x : y) : x; }
static quad smaller(quad x, quad y) { return x != x ? x : x != y ? (x < y ? x : y) : x; }
static quad fmax_(quad x, quad y) { return x != x ? y : y != y ? x : x > y ? x : y; }
static quad fmin_(quad x, quad y) { return x != x ? y : y != y ? x : x < y ? x : y; }
static quad sign_(quad x) { return x > 0 ? Q(1) : x < 0 ? Q(-1) : x; }
static quad mod_(quad x, quad y) {
  const quad r = fmodf128(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
static quad floor_divide_(quad x, quad y) { return floorf128((x - mod_(x, y)) / y + Q(0.25)); }
static quad lgamma_(quad x) { int s; return lgammaf128_r(x, &s); }
static quad sigmoid_(quad x) {
  const quad t = expf128(-absolute(x));
  return (x < 0 ? t : Q(1)) / (Q(1) + t);
}
static quad softplus_(quad x) { return larger(x, Q(0)) + log1pf128(expf128(-absolute(x))); }
static quad log1mexp_(quad x) { return x > Q(-0.6931471805599453) ? logf128(-expm1f128(x)) : log1pf128(-expf128(x)); }
static quad silu_(quad x) { return x == -infinity_() ? Q(0) : x * sigmoid_(x); }
static quad sech_squared_(quad x) {
  const quad t = expf128(Q(-2) * absolute(x)), s = Q(1) + t;
  return Q(4) * t / s / s;
}
static quad logistic_density_(quad x) {
  const quad t = expf128(-absolute(x)), s = Q(1) + t;
  return t / s / s;
}
static quad normal_cdf_(quad x) { return Q(0.5) * erfcf128(-x / sqrtf128(Q(2))); }
static quad gelu_(quad x) { return x == -infinity_() ? Q(0) : x * normal_cdf_(x); }
static quad logaddexp_(quad x, quad y) {
  if (x == y) return x + log1pf128(Q(1));
  const quad m = larger(x, y);
  return m != m || m == infinity_() ? m : m + log1pf128(expf128(smaller(x, y) - m));
}
static quad logaddexp2_(quad x, quad y) {
  if (x == y) return x + Q(1);
  const quad m = larger(x, y), ln2 = logf128(Q(2));
  return m != m || m == infinity_() ? m : m + log1pf128(exp2f128(smaller(x, y) - m)) / ln2;
}
static quad quad_logit(quad x) { return logf128(x / (Q(1) - x)); }
static quad quad_sinc(quad x) { return x == 0 ? Q(1) : sinf128(pi_() * x) / (pi_() * x); }
static quad quad_erfcx(quad x) {
  if (x < Q(90)) return expf128(x * x) * erfcf128(x);
  quad term = 1, sum = 1;
  for (int k = 1; k < 30; k++) { term *= -(Q(2 * k - 1)) / (Q(2) * x * x); sum += term; }
  return sum / (x * sqrtf128(pi_()));
}
static quad quad_log_normal_cdf(quad x) {
  if (x > Q(-1)) return log1pf128(Q(-0.5) * erfcf128(x / sqrtf128(Q(2))));
  return logf128(quad_erfcx(-x / sqrtf128(Q(2))) * Q(0.5)) - x * x * Q(0.5);
}
static double start(int row, quad x) {
  double a = (double)x, r;
  ck_row_kernel(row, CK_F64)(&a, NULL, NULL, &r, 1);
  return r;
}
/* Halley's steps for erf(y) = x, or erfc(y) = x. */
static quad inverse(quad x, double from, bool complement) {
  quad y = from;
  if (!isfinite(from)) return y;
  for (int k = 0; k < 3; k++) {
    const quad f = complement ? x - erfcf128(y) : erff128(y) - x, step = f / (Q(2) / sqrtf128(pi_()) * expf128(-y * y));
    if (step != step || absolute(step) == infinity_()) break;
    y -= step / (Q(1) + y * step);
  }
  return y;
}
static quad quad_erfinv(quad x) { return inverse(x, start(Unary_erfinv, x), false); }
static quad quad_erfcinv(quad x) { return inverse(x, start(Unary_erfcinv, x), true); }
static quad quad_normal_quantile(quad p) { return p < Q(0.5) ? -sqrtf128(Q(2)) * quad_erfcinv(Q(2) * p) : sqrtf128(Q(2)) * quad_erfinv(Q(2) * p - Q(1)); }
static quad quad_gamma(quad x) { return tgammaf128(x); }

/* B[2k], numerator over denominator: exact in f64. */
static const double bernoulli[][2] = {{1, 6}, {-1, 30}, {1, 42}, {-1, 30}, {5, 66}, {-691, 2730}, {7, 6}, {-3617, 510}, {43867, 798}, {-174611, 330},
  {854513, 138}, {-236364091, 2730}, {8553103, 6}, {-23749461029, 870}, {8615841276005, 14322}};
enum { BERNOULLI = sizeof bernoulli / sizeof bernoulli[0] };
static quad quad_digamma(quad x) {
  if (!(x > 0)) return x == floorf128(x) ? nan_() : quad_digamma(Q(1) - x) - pi_() / tanf128(pi_() * x);
  quad sum = 0;
  for (; x < Q(60); x += Q(1)) sum -= Q(1) / x;
  const quad r = Q(1) / (x * x);
  quad power = 1;
  sum += logf128(x) - Q(0.5) / x;
  for (int k = 0; k < BERNOULLI; k++) { power *= r; sum -= Q(bernoulli[k][0]) / Q(bernoulli[k][1]) / Q(2 * k + 2) * power; }
  return sum;
}
static quad quad_zeta(quad s, quad q) {
  if (!(s > Q(1)) || !(q > 0)) return s == Q(1) ? infinity_() : nan_();
  quad sum = 0;
  for (int k = 0; k < 4000 && q < Q(60) + s; k++, q += Q(1)) sum += powf128(q, -s);
  quad term = powf128(q, -s);
  sum += term * q / (s - Q(1)) + Q(0.5) * term;
  term *= s / q;
  quad factorial = 2;
  for (int k = 0; k < BERNOULLI; k++) {
    sum += Q(bernoulli[k][0]) / Q(bernoulli[k][1]) / factorial * term;
    term *= (s + Q(2 * k + 1)) * (s + Q(2 * k + 2)) / (q * q);
    factorial *= Q(2 * k + 3) * Q(2 * k + 4);
  }
  return sum;
}
static quad quad_polygamma(quad n, quad x) {
  if (n == 0) return quad_digamma(x);
  return (fmodf128(n, Q(2)) == 0 ? Q(-1) : Q(1)) * tgammaf128(n + Q(1)) * quad_zeta(n + Q(1), x);
}
static quad quad_polygamma_drop(quad n, quad a, quad b) { return quad_polygamma(n, a) - quad_polygamma(n, a + b); }
static quad quad_betaln(quad a, quad b) { return lgamma_(a) + lgamma_(b) - lgamma_(a + b); }
static quad quad_beta(quad a, quad b) { return expf128(quad_betaln(a, b)); }
static quad quad_gamma_density(quad a, quad x) { return x == 0 ? (a == Q(1) ? Q(1) : a > Q(1) ? Q(0) : infinity_()) : expf128((a - Q(1)) * logf128(x) - x - lgamma_(a)); }
static quad quad_beta_density(quad a, quad b, quad x) {
  return expf128((a == Q(1) ? Q(0) : (a - Q(1)) * logf128(x)) + (b == Q(1) ? Q(0) : (b - Q(1)) * log1pf128(-x)) - quad_betaln(a, b));
}
enum { TERMS = 200000 };
static const double TINY = 0x1p-1000;
/* P(a, x) by its series for x < a + 1, Q(a, x) by Lentz's continued fraction beyond. */
static quad incomplete(quad a, quad x, bool upper) {
  if (!(a > 0) || !(x >= 0)) return nan_();
  if (x == 0) return Q(upper);
  if (x == infinity_()) return Q(!upper);
  const quad front = expf128(a * logf128(x) - x - lgamma_(a));
  if (x < a + Q(1)) {
    quad term = Q(1) / a, sum = term;
    for (int k = 1; k < TERMS && term > sum * Q(0x1p-118); k++) { term *= x / (a + Q(k)); sum += term; }
    return upper ? Q(1) - front * sum : front * sum;
  }
  quad b = x + Q(1) - a, c = Q(1) / Q(TINY), d = Q(1) / b, h = d;
  for (int k = 1; k < TERMS; k++) {
    const quad an = -Q(k) * (Q(k) - a);
    b += Q(2);
    d = an * d + b; if (d == 0) d = TINY;
    c = b + an / c; if (c == 0) c = TINY;
    d = Q(1) / d;
    const quad step = d * c;
    h *= step;
    if (absolute(step - Q(1)) < Q(0x1p-112)) break;
  }
  return upper ? front * h : Q(1) - front * h;
}
static quad quad_gammainc(quad a, quad x) { return incomplete(a, x, false); }
static quad quad_gammaincc(quad a, quad x) { return incomplete(a, x, true); }
static quad beta_fraction(quad a, quad b, quad x) {
  quad c = 1, d = Q(1) - (a + b) * x / (a + Q(1));
  if (d == 0) d = TINY;
  d = Q(1) / d;
  quad h = d;
  for (int m = 1; m < TERMS; m++) {
    const quad k = m, e = k * (b - k) * x / ((a + Q(2) * k - Q(1)) * (a + Q(2) * k)), f = -(a + k) * (a + b + k) * x / ((a + Q(2) * k) * (a + Q(2) * k + Q(1)));
    d = Q(1) + e * d; if (d == 0) d = TINY;
    c = Q(1) + e / c; if (c == 0) c = TINY;
    d = Q(1) / d;
    h *= d * c;
    d = Q(1) + f * d; if (d == 0) d = TINY;
    c = Q(1) + f / c; if (c == 0) c = TINY;
    d = Q(1) / d;
    const quad step = d * c;
    h *= step;
    if (absolute(step - Q(1)) < Q(0x1p-112)) break;
  }
  return h;
}
static quad quad_betainc(quad a, quad b, quad x) {
  if (!(x >= 0) || x > Q(1)) return nan_();
  if (x == 0 || x == Q(1)) return x;
  const quad front = expf128(a * logf128(x) + b * log1pf128(-x) - quad_betaln(a, b));
  return x < (a + Q(1)) / (a + b + Q(2)) ? front * beta_fraction(a, b, x) / a : Q(1) - front * beta_fraction(b, a, Q(1) - x) / b;
}

/* e^-x I_n(x), x >= 0: the series' terms are all positive; far out the asymptotic one. */
static quad bessel_i(quad n, quad x, bool scaled) {
  if (x > Q(100) + n * n) {
    quad term = 1, sum = 1;
    for (int k = 1; k < 80; k++) {
      const quad next = -term * (Q(4) * n * n - Q(2 * k - 1) * Q(2 * k - 1)) / (Q(8 * k) * x);
      if (absolute(next) > absolute(term)) break;
      term = next;
      sum += term;
    }
    sum /= sqrtf128(Q(2) * pi_() * x);
    return scaled ? sum : sum * expf128(x);
  }
  quad term = 1, h = x * x * Q(0.25);
  for (quad k = 1; k <= n; k += Q(1)) term *= x * Q(0.5) / k;
  quad sum = term;
  for (quad k = 1; k < Q(20000) && term > sum * Q(0x1p-120); k += Q(1)) { term *= h / (k * (k + n)); sum += term; }
  return scaled ? sum * expf128(-x) : sum;
}
static quad odd(quad n, quad x, quad v) { return x < 0 && fmodf128(n, Q(2)) != 0 ? -v : v; }
static quad quad_iv(quad n, quad x) { return odd(n, x, bessel_i(n, absolute(x), false)); }
static quad quad_i0(quad x) { return bessel_i(Q(0), absolute(x), false); }
static quad quad_i1(quad x) { return quad_iv(Q(1), x); }
static quad quad_i0e(quad x) { return bessel_i(Q(0), absolute(x), true); }
static quad quad_i1e(quad x) { return odd(Q(1), x, bessel_i(Q(1), absolute(x), true)); }
/* (1/pi) times the integral of e^-x(1-cos t) (1-cos t)^n over [0, pi]: the trapezoidal rule converges at once. */
static quad quad_i0e_slope(quad n, quad x) {
  x = absolute(x);
  if (!(x < Q(1e6))) return nan_();
  const int points = 80 + (int)(14 * sqrt((double)x)) + 2 * (int)(double)n;
  quad sum = 0;
  for (int k = 0; k <= points; k++) {
    const quad s = sinf128(pi_() * Q(k) / Q(2 * points)), w = Q(2) * s * s;
    const quad v = expf128(-x * w) * (n == 0 ? Q(1) : powf128(w, n));
    sum += k == 0 || k == points ? v * Q(0.5) : v;
  }
  return sum / Q(points);
}
static quad quad_spherical_jn(quad n, quad x) {
  const quad a = absolute(x);
  if (a == infinity_()) return Q(0);
  if (a > n + Q(1)) {
    quad below = sinf128(a) / a, j = below / a - cosf128(a) / a;
    if (n == 0) return below;
    for (quad k = 1; k < n; k += Q(1)) { const quad next = (Q(2) * k + Q(1)) / a * j - below; below = j; j = next; }
    return odd(n, x, j);
  }
  quad term = 1;
  for (quad k = 1; k <= n; k += Q(1)) term *= a / (Q(2) * k + Q(1));
  quad sum = term;
  for (quad k = 1; k < Q(400); k += Q(1)) { term *= -a * a * Q(0.5) / (k * (Q(2) * n + Q(2) * k + Q(1))); sum += term; }
  return odd(n, x, sum);
}
/* e^(x^2) i^n erfc(x) = 2 / (sqrt(pi) n!) times the integral of t^n e^(-t^2 - 2xt) over t > 0: the exp-sinh rule. */
static quad quad_ierfcx(quad n, quad x) {
  if (n == 0) return quad_erfcx(x);
  quad sum = 0;
  const quad h = Q(1.0 / 48), half = pi_() * Q(0.5);
  for (int k = -48 * 5; k <= 48 * 5; k++) {
    const quad u = Q(k) * h, t = expf128(half * sinhf128(u)), v = n * logf128(t) - t * t - Q(2) * x * t;
    if (v > Q(-300)) sum += expf128(v) * t * half * coshf128(u);
  }
  return Q(2) * h * sum / (sqrtf128(pi_()) * tgammaf128(n + Q(1)));
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------ */
#define K(c) Q(c)
#define SEL(c, a, b) ((c) ? (quad)(a) : (quad)(b))
#define ABS absolute
#define MIN smaller
#define MAX larger
#define FMAX fmax_
#define FMIN fmin_
#define SIGN sign_
#define SQRT sqrtf128
#define FLOOR floorf128
#define CEIL ceilf128
#define RINT rintf128
#define TRUNC truncf128
#define FMOD fmodf128
#define MOD mod_
#define FLOOR_DIVIDE floor_divide_
#define FUSED fmaf128
#define RELU(x) ((x) <= 0 ? Q(0) : (x))
#define SIGMOID sigmoid_
#define SOFTPLUS softplus_
#define SILU silu_
#define SECH_SQUARED sech_squared_
#define LOGISTIC_DENSITY logistic_density_
#define LOG1MEXP log1mexp_
#define NORMAL_CDF normal_cdf_
#define LOGADDEXP logaddexp_
#define LOGADDEXP2 logaddexp2_
#define EACH1(f, x) quad_##f(x)
#define EACH2(f, x, y) quad_##f(x, y)
#define EACH3(f, x, y, z) quad_##f(x, y, z)
#define VALUES1(value) for (size_t i = 0; i < n; i++) { const quad x = xs[i]; out[i] = (value); } return true;
#define VALUES2(value) for (size_t i = 0; i < n; i++) { const quad x = xs[i], y = ys[i]; out[i] = (value); } return true;
#define VALUES3(value) for (size_t i = 0; i < n; i++) { const quad x = xs[i], y = ys[i], z = zs[i]; out[i] = (value); } return true;
#define CHOICES(value) for (size_t i = 0; i < n; i++) { const bool x = mask[i]; const quad y = ys[i], z = zs[i]; out[i] = (value); } return true;
#define TRUTHS1(value) for (size_t i = 0; i < n; i++) { const quad x = xs[i]; truth[i] = (value); } return true;
#define TRUTHS2(value) for (size_t i = 0; i < n; i++) { const quad x = xs[i], y = ys[i]; truth[i] = (value); } return true;
#define ROW_FLOAT(id, arity, value) case id: VALUES##arity(value)
#define ROW_NUMBER(id, arity, value) case id: VALUES##arity(value)
#define ROW_TEST(id, arity, value) case id: TRUTHS##arity(value)
#define ROW_COMPARE(id, arity, value) case id: TRUTHS##arity(value)
#define ROW_SELECT(id, arity, value) case id: CHOICES(value)
#define ROW_GATE(id, arity, value) case id: CHOICES(value)
#define ROW_LOGIC(id, arity, value)
#define ROW_INTEGER(id, arity, value)
#define exp expf128
#define exp2 exp2f128
#define expm1 expm1f128
#define log logf128
#define log2 log2f128
#define log10 log10f128
#define log1p log1pf128
#define sin sinf128
#define cos cosf128
#define tan tanf128
#define asin asinf128
#define acos acosf128
#define atan atanf128
#define sinh sinhf128
#define cosh coshf128
#define tanh tanhf128
#define asinh asinhf128
#define acosh acoshf128
#define atanh atanhf128
#define cbrt cbrtf128
#define erf erff128
#define erfc erfcf128
#define lgamma lgamma_
#define gelu gelu_
#define pow powf128
#define atan2 atan2f128
#define hypot hypotf128

bool ck_quad_row(int row, const void *px, const void *py, const void *pz, void *pout, size_t n) {
  const quad *xs = px, *ys = py, *zs = pz;
  const uint8_t *mask = px;
  quad *out = pout;
  uint8_t *truth = pout;
  switch (row) {
#define X(name, class, value) ROW_##class(Unary_##name, 1, value)
    CAMBER_UNARY_OPS(X)
#undef X
#define X(name, class, value) ROW_##class(CK_UNARY_COUNT + Binary_##name, 2, value)
    CAMBER_BINARY_OPS(X)
#undef X
#define X(name, class, value) ROW_##class(CK_UNARY_COUNT + CK_BINARY_COUNT + Ternary_##name, 3, value)
    CAMBER_TERNARY_OPS(X)
#undef X
    default: return false;
  }
}
#undef exp
#undef log
#undef log1p
#undef sqrt

/* ---- Conversions ------------------------------------------------------------------------------------------------------- */
void ck_quad_from(int dtype, const void *x, void *q, size_t n) {
  quad *out = q;
  for (size_t i = 0; i < n; i++) switch (dtype) {
    case CK_F64: out[i] = ((const double *)x)[i]; break;
    case CK_F32: out[i] = ((const float *)x)[i]; break;
    case CK_I64: out[i] = ((const int64_t *)x)[i]; break;
    case CK_I32: out[i] = ((const int32_t *)x)[i]; break;
    case CK_BOOL: out[i] = ((const uint8_t *)x)[i]; break;
    default: { float f; ck_cast_kernel(dtype, CK_F32)((const uint16_t *)x + i, NULL, NULL, &f, 1); out[i] = f; }
  }
}
void ck_quad_to(const void *q, double *out, size_t n) { for (size_t i = 0; i < n; i++) out[i] = (double)((const quad *)q)[i]; }
void ck_quad_sub(const void *a, const void *b, void *out, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const quad x = ((const quad *)a)[i], y = ((const quad *)b)[i];
    ((quad *)out)[i] = x == y ? Q(0) : x - y;      /* equal infinities: no error */
  }
}
void ck_quad_weigh(const void *pw, const void *pd, const double *e, size_t n, double *sums) {
  const quad *w = pw, *d = pd;
  quad first = 0, total = 0, squares = 0, seen = 0, all = 0;
  for (size_t i = 0; i < n; i++) {
    if (w[i] == 0 || (e[i] == 0 && (!d || d[i] == 0))) continue;
    const quad a = absolute(w[i]), b = a * Q(e[i]);
    all += b;
    if (d && d[i] == 0) continue;
    if (d) { first += w[i] * d[i]; seen += absolute(w[i] * d[i]); }
    total += b;
    squares += b * b;
  }
  sums[0] = (double)first, sums[1] = (double)total, sums[2] = (double)squares, sums[3] = (double)seen, sums[4] = (double)all;
}
size_t ck_quad_close(const void *pa, const void *pb, const void *px, const void *py, uint8_t *flags, size_t n) {
  const quad *a = pa, *b = pb, *x = px, *y = py;
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    const quad near = a[i] - b[i], c = x[i] - y[i], error = near == c ? Q(0) : absolute(near - c);
    flags[i] = error > 0 && !(absolute(c) > Q(2) * error);
    count += flags[i];
  }
  return count;
}
double ck_quad_condition(int row, int slot, const void *px, const void *py, const void *pz, size_t n) {
  const void *at[3] = {px, py, pz};
  double most = NAN;
  for (size_t i = 0; i < n; i++) {
    quad v, w, x[3] = {0, 0, 0};
    for (int k = 0; k < 3; k++) if (at[k]) x[k] = ((const quad *)at[k])[i];
    if (!ck_quad_row(row, x, x + 1, x + 2, &v, 1)) return NAN;
    x[slot] *= Q(1) + Q(0x1p-40);
    ck_quad_row(row, x, x + 1, x + 2, &w, 1);
    const double k = (double)(absolute((w - v) / v) * Q(0x1p40));
    if (!(k <= most)) most = k == k ? k : most;
  }
  return most;
}
double ck_quad_dot(const void *pa, const void *pb, size_t n) {
  quad sum = 0;
  for (size_t i = 0; i < n; i++) { const quad t = absolute(((const quad *)pa)[i] * ((const quad *)pb)[i]); if (t == t) sum += t; }
  return (double)sum;
}

/* ---- Folds, products, solutions -------------------------------------------------------------------------------------------- */
void ck_quad_gather(const int64_t *from, const void *x, void *out, size_t n) {
  for (size_t i = 0; i < n; i++) ((quad *)out)[i] = from[i] < 0 ? Q(0) : ((const quad *)x)[from[i]];
}
void ck_quad_fold(int op, size_t outer, size_t n, size_t inner, const void *px, void *pout) {
  const quad *x = px;
  quad *out = pout;
  for (size_t o = 0; o < outer; o++) for (size_t i = 0; i < inner; i++) {
    const quad *p = x + o * n * inner + i;
    quad r = op == Reduction_prod ? Q(1) : op == Reduction_max || op == Reduction_logsumexp ? -infinity_() : op == Reduction_min ? infinity_() : Q(0);
    for (size_t k = 0; k < n; k++) {
      const quad v = p[k * inner];
      if (op == Reduction_sum) r += v;
      else if (op == Reduction_prod) r *= v;
      else if (op == Reduction_min) r = smaller(v, r);
      else if (op == Reduction_norm) r += v * v;
      else r = larger(v, r);
    }
    if (op == Reduction_norm) r = sqrtf128(r);
    if (op == Reduction_logsumexp && r - r == 0) {
      quad sum = 0;
      for (size_t k = 0; k < n; k++) sum += expf128(p[k * inner] - r);
      r += logf128(sum);
    }
    out[o * inner + i] = r;
  }
}
void ck_quad_softmax(size_t outer, size_t n, size_t inner, const void *px, void *pout) {
  const quad *x = px;
  quad *out = pout;
  for (size_t o = 0; o < outer; o++) for (size_t i = 0; i < inner; i++) {
    const size_t at = o * n * inner + i;
    quad m = -infinity_(), sum = 0;
    for (size_t k = 0; k < n; k++) m = larger(x[at + k * inner], m);
    for (size_t k = 0; k < n; k++) sum += out[at + k * inner] = m == -infinity_() ? Q(0) : expf128(x[at + k * inner] - m);
    for (size_t k = 0; k < n && m != -infinity_(); k++) out[at + k * inner] /= sum;
  }
}
void ck_quad_scatter(int op, const int64_t *index, size_t batch, size_t outer, size_t n, size_t m, size_t inner, const void *pu, void *pout) {
  const quad *u = pu;
  quad *out = pout;
  const quad begin = op == Reduction_prod ? Q(1) : op == Reduction_max ? -infinity_() : op == Reduction_min ? infinity_() : Q(0);
  for (size_t i = 0; i < batch * outer * n * inner; i++) out[i] = begin;
  for (size_t b = 0; b < batch; b++) for (size_t o = 0; o < outer; o++) for (size_t k = 0; k < m; k++) {
    const int64_t at = index[b * m + k], j = at < 0 ? at + (int64_t)n : at;
    if (j < 0 || j >= (int64_t)n) continue;
    for (size_t i = 0; i < inner; i++) {
      quad *const to = out + ((b * outer + o) * n + (size_t)j) * inner + i;
      const quad v = u[((b * outer + o) * m + k) * inner + i];
      *to = op == Reduction_prod ? *to * v : op == Reduction_max ? larger(*to, v) : op == Reduction_min ? smaller(*to, v) : *to + v;
    }
  }
}
/* 0 sum, 1 product, 2 max, 3 min, 4 logsumexp; 5: h = a h + b. */
void ck_quad_running(int op, size_t outer, size_t n, size_t inner, bool reverse, const void *pa, const void *px, void *pout) {
  const quad *x = px, *a = pa;
  quad *out = pout;
  for (size_t o = 0; o < outer; o++) for (size_t i = 0; i < inner; i++) {
    quad h = 0;
    for (size_t k = 0; k < n; k++) {
      const size_t at = (o * n + (reverse ? n - 1 - k : k)) * inner + i;
      const quad v = x[at];
      if (op == 5) h = k == 0 || a[at] == 0 ? v : a[at] * h + v;
      else if (k == 0) h = v;
      else if (op == 0) h += v;
      else if (op == 1) h *= v;
      else if (op == 2) h = larger(h, v);
      else if (op == 3) h = smaller(h, v);
      else h = logaddexp_(h, v);
      out[at] = h;
    }
  }
}
void ck_quad_matmul(bool ta, bool tb, size_t m, size_t n, size_t k, const void *pa, const void *pb, void *pc, const uint8_t *ma, const uint8_t *mb) {
  const quad *a = pa, *b = pb;
  quad *c = pc;
  for (size_t i = 0; i < m; i++) for (size_t j = 0; j < n; j++) {
    quad sum = 0;
    for (size_t p = 0; p < k; p++) {
      const size_t ia = ta ? p * m + i : i * k + p, ib = tb ? j * k + p : p * n + j;
      if ((ma && !ma[ia]) || (mb && !mb[ib])) continue;
      if (a[ia] != 0 && b[ib] != 0) sum += a[ia] * b[ib];
      else if (a[ia] != a[ia] || b[ib] != b[ib]) sum = nan_();
    }
    c[i * n + j] = sum;
  }
}
/* LU with partial pivoting in place; the sign of the permutation, 0 where a pivot is. */
int ck_quad_factor(size_t n, quad *a, quad *b, size_t m) {
  int sign = 1;
  for (size_t k = 0; k < n; k++) {
    size_t p = k;
    for (size_t i = k + 1; i < n; i++) if (absolute(a[i * n + k]) > absolute(a[p * n + k])) p = i;
    if (a[p * n + k] == 0) sign = 0;
    if (p != k) {
      sign = -sign;
      for (size_t j = 0; j < n; j++) { const quad t = a[k * n + j]; a[k * n + j] = a[p * n + j]; a[p * n + j] = t; }
      for (size_t j = 0; j < m; j++) { const quad t = b[k * m + j]; b[k * m + j] = b[p * m + j]; b[p * m + j] = t; }
    }
    for (size_t i = k + 1; i < n; i++) {
      const quad f = a[i * n + k] == 0 ? Q(0) : a[i * n + k] / a[k * n + k];
      a[i * n + k] = f;
      if (f == 0) continue;
      for (size_t j = k + 1; j < n; j++) a[i * n + j] -= f * a[k * n + j];
      for (size_t j = 0; j < m; j++) b[i * m + j] -= f * b[k * m + j];
    }
  }
  return sign;
}
static void back(bool lower, bool transposed, bool unit, size_t n, size_t m, const quad *a, quad *x) {
  const bool down = lower != transposed;
  for (size_t s = 0; s < n; s++) {
    const size_t i = down ? s : n - 1 - s;
    for (size_t j = 0; j < m; j++) {
      quad v = x[i * m + j];
      for (size_t q = 0; q < s; q++) { const size_t p = down ? q : n - 1 - q; v -= (transposed ? a[p * n + i] : a[i * n + p]) * x[p * m + j]; }
      x[i * m + j] = unit ? v : v / a[i * n + i];
    }
  }
}
/* op(A) X = B; scratch: n * n. */
void ck_quad_solve(bool transposed, size_t n, size_t m, const void *a, const void *b, void *x, void *scratch) {
  quad *lu = scratch;
  for (size_t i = 0; i < n; i++) for (size_t j = 0; j < n; j++) lu[i * n + j] = ((const quad *)a)[transposed ? j * n + i : i * n + j];
  memcpy(x, b, n * m * sizeof(quad));
  ck_quad_factor(n, lu, x, m);
  back(false, false, false, n, m, lu, x);
}
void ck_quad_triangular(bool lower, bool transposed, bool unit, size_t n, size_t m, const void *a, const void *b, void *x) {
  memcpy(x, b, n * m * sizeof(quad));
  back(lower, transposed, unit, n, m, a, x);
}
void ck_quad_cholesky(bool lower, size_t n, const void *pa, void *pl) {
  const quad *a = pa;
  quad *l = pl;
#define L(i, j) l[lower ? (i) * n + (j) : (j) * n + (i)]
  for (size_t i = 0; i < n; i++) for (size_t j = 0; j < n; j++) {
    if (j > i) { L(i, j) = 0; continue; }
    quad v = a[lower ? i * n + j : j * n + i];
    for (size_t p = 0; p < j; p++) v -= L(i, p) * L(j, p);
    L(i, j) = i == j ? sqrtf128(v) : v / L(j, j);
  }
#undef L
}
/* det, or sign and log|det|; scratch: n * n. */
void ck_quad_det(size_t n, bool logarithm, const void *a, void *out, void *scratch) {
  quad *lu = scratch, *r = out;
  memcpy(lu, a, n * n * sizeof(quad));
  quad sign = ck_quad_factor(n, lu, NULL, 0), sum = 0, product = sign;
  for (size_t i = 0; i < n; i++) {
    product *= lu[i * n + i];
    if (lu[i * n + i] < 0) sign = -sign;
    sum += logf128(absolute(lu[i * n + i]));
  }
  if (logarithm) r[0] = sign, r[1] = sum;
  else r[0] = product;
}
#pragma clang attribute pop
