/* The functions that the rows call, over vectors of one float dtype. Included for f64, then for f32, with E, V, I, DT as in
 * kernels.inc, and T (d or f), N (lanes in SLEEF's names), WIDE (64: f64, 32: f32). No include guard. */
#define S1(f, u) void SLEEF(f, u)(void); INLINE V PASTE(f, PASTE(_raw, DT))(V x) { return CALL1(SLEEF(f, u), x); }
#define S2(f, u) void SLEEF(f, u)(void); INLINE V PASTE(f, PASTE(_raw, DT))(V x, V y) { return CALL2(SLEEF(f, u), x, y); }
S1(exp, u10) S1(exp2, u10) S1(expm1, u10) S1(log, u10) S1(log2, u10) S1(log10, u10) S1(log1p, u10)
S1(sin, u10) S1(cos, u10) S1(tan, u10) S1(asin, u10) S1(acos, u10) S1(atan, u10)
S1(sinh, u10) S1(cosh, u10) S1(tanh, u10) S1(asinh, u10) S1(acosh, u10) S1(atanh, u10)
S1(cbrt, u10) S1(erf, u10) S1(erfc, u15) S1(lgamma, u10)
S2(pow, u10) S2(atan2, u10) S2(hypot, u05)
#undef S1
#undef S2

#define FN(f) PASTE(f, DT)
#define RAW(f) PASTE(f, PASTE(_raw, DT))
#define SEL(c, a, b) ((c) ? (V)(a) : (V)(b))
#define BITS(x) __builtin_bit_cast(I, (x))
#define SIGN_BIT BITS((V)(E)-0.0)
#define WITH_SIGN(x, s) __builtin_bit_cast(V, (BITS(x) & ~SIGN_BIT) | (BITS(s) & SIGN_BIT))
#define ABS_(x) __builtin_elementwise_abs(x)

INLINE V FN(max)(V x, V y) {
  const V equal = __builtin_bit_cast(V, BITS(x) & BITS(y));
  const V r = SEL(x > y, x, SEL(x == y, equal, y));
  return SEL(x != x, x, r);
}
INLINE V FN(min)(V x, V y) {
  const V equal = __builtin_bit_cast(V, BITS(x) | BITS(y));
  const V r = SEL(x < y, x, SEL(x == y, equal, y));
  return SEL(x != x, x, r);
}
INLINE V FN(fmax)(V x, V y) { return SEL(x != x, y, SEL(y != y, x, FN(max)(x, y))); }
INLINE V FN(fmin)(V x, V y) { return SEL(x != x, y, SEL(y != y, x, FN(min)(x, y))); }
INLINE V FN(sign)(V x) { return SEL(x > 0, (E)1, SEL(x < 0, (E)-1, x)); }
INLINE V FN(relu)(V x) { return SEL(x <= 0, (E)0, x); }

#if WIDE == 64
#define TINY 0x1p-28            /* below it f(x) = x + O(x^3) rounds to x */
#define TINIER 0x1p-54          /* below it f(x) = x + O(x^2) rounds to x */
#define HUGE_ 0x1p500           /* above it x^2 + 1 = x^2, well before x^2 overflows */
#define NEARLY_OVER 709.0
#define ENOUGH 115.0
#define GROWTH 0x1.e103201f299b3p+164   /* e^ENOUGH / 2, true to 0.005 ulp */
#define LN2 0x1.62e42fefa39efp-1
#else
#define TINY 0x1p-13f
#define TINIER 0x1p-25f
#define HUGE_ 0x1p60f
#define NEARLY_OVER 88.0f
#define LN2 0x1.62e43p-1f
#endif
#define SAME(f) INLINE V FN(f)(V x) { return RAW(f)(x); }
#define ODD(f) INLINE V FN(f)(V x) { return SEL(ABS_(x) < TINY, x, RAW(f)(x)); }
/* `value` where `condition` holds, which is rare: the test is on the whole vector, the choice lane by lane. */
#define RARELY(condition, value) do { const I c_ = (condition); if (ANY(c_)) r = SEL(c_, value, r); } while (0)

SAME(exp) SAME(exp2) SAME(log) SAME(log2) SAME(log10) SAME(cos) SAME(acos) SAME(cbrt) SAME(erf) SAME(erfc)
ODD(sin) ODD(tan) ODD(asin) ODD(atan) ODD(tanh) ODD(atanh)
#undef SAME
#undef ODD
INLINE V FN(expm1)(V x) { return SEL(ABS_(x) < TINIER, x, RAW(expm1)(x)); }
INLINE V FN(log1p)(V x) {
  V r = SEL(ABS_(x) < TINIER, x, RAW(log1p)(x));
  RARELY(x > HUGE_, RAW(log)(x));
  return r;
}
#if WIDE == 64
#define SINH_FAR(x) WITH_SIGN(RAW(exp)(ABS_(x) - ENOUGH) * GROWTH, x)
#define COSH_FAR(x) (RAW(exp)(ABS_(x) - ENOUGH) * GROWTH)
#else
#define SINH_FAR(x) BY_HALVES(sinh_f64, x)
#define COSH_FAR(x) BY_HALVES(cosh_f64, x)
#endif
INLINE V FN(sinh)(V x) {
  V r = SEL(ABS_(x) < TINY, x, RAW(sinh)(x));
  RARELY(ABS_(x) > NEARLY_OVER, SINH_FAR(x));
  return r;
}
INLINE V FN(cosh)(V x) {
  V r = RAW(cosh)(x);
  RARELY(ABS_(x) > NEARLY_OVER, COSH_FAR(x));
  return r;
}
#undef SINH_FAR
#undef COSH_FAR
INLINE V FN(asinh)(V x) {
  V r = SEL(ABS_(x) < TINY, x, RAW(asinh)(x));
  RARELY(ABS_(x) > HUGE_, WITH_SIGN(RAW(log)(ABS_(x)) + LN2, x));
  return r;
}
INLINE V FN(acosh)(V x) {
  V r = RAW(acosh)(x);
  RARELY(x > HUGE_, RAW(log)(x) + LN2);
  return r;
}
/* SLEEF overflows a little early in lgamma and pow. */
#if WIDE == 64
INLINE V FN(lgamma)(V x) {
  V r = RAW(lgamma)(x);
  const I far = (x > 0x1p1000) & (x < (E)__builtin_inf());
  if (ANY(far))
    for (int l = 0; l < (int)(sizeof(V) / sizeof(E)); l++)
      if (far[l]) r[l] = ck_lgamma_far(x[l]);
  return r;
}
#else
INLINE V FN(lgamma)(V x) {
  V r = RAW(lgamma)(x);
  RARELY(x > 0x1p100f, BY_HALVES(lgamma_f64, x));
  return r;
}
#endif
#if WIDE == 64
INLINE V FN(pow)(V x, V y) {
  V r = RAW(pow)(x, y);
  const V huge = (E)__builtin_inf();
  const I doubtful = (ABS_(r) == huge) & (ABS_(x) < huge) & (ABS_(y) < huge) & (x != 0);
  if (ANY(doubtful))
    for (int l = 0; l < (int)(sizeof(V) / sizeof(E)); l++)
      if (doubtful[l]) r[l] = ck_pow(x[l], y[l]);
  return r;
}
#else
INLINE V FN(pow)(V x, V y) { return RAW(pow)(x, y); }
#endif
INLINE V FN(atan2)(V x, V y) { return RAW(atan2)(x, y); }
INLINE V FN(hypot)(V x, V y) { return RAW(hypot)(x, y); }

/* n / (d + rest) in two parts, the second far below the first: with it a quotient of sums costs half an ulp, not two. */
typedef struct FN(parts) { V high, low; } FN(parts);
INLINE FN(parts) FN(quotient)(V n, V d, V rest) {
  const V inverse = (E)1 / d, q = n * inverse;
  return (FN(parts)){q, -(FN(product_error)(q, d, n) + q * rest) * inverse};
}
/* e^-|x| never overflows, and the quotient keeps the relative accuracy of both tails. e = e^-|x| <= 1. */
INLINE FN(parts) FN(logistic)(V x, V e) {
  const V one = (E)1 + e, rest = ((E)1 - one) + e;
  return FN(quotient)(SEL(x < 0, e, (E)1), one, rest);
}
INLINE V FN(sigmoid)(V x) {
  const FN(parts) s = FN(logistic)(x, FN(exp)(-ABS_(x)));
  return s.high + s.low;
}
INLINE V FN(softplus)(V x) { return FN(relu)(x) + FN(log1p)(FN(exp)(-ABS_(x))); }

INLINE V FN(log1mexp)(V x) { return SEL(x > -LN2, FN(log)(-FN(expm1)(x)), FN(log1p)(-FN(exp)(x))); }

/* Lane by lane where a condition holds, which is rare. */
#define RARELY_EACH(condition, f, x, y)                                                        \
  do {                                                                                         \
    const I c_ = (condition);                                                                  \
    if (ANY(c_))                                                                               \
      for (int l = 0; l < (int)(sizeof(V) / sizeof(E)); l++)                                   \
        if (c_[l]) r[l] = (E)f((double)(x)[l], (double)(y)[l]);                                \
  } while (0)
INLINE V FN(logaddexp)(V x, V y) {
  const V high = FN(max)(x, y), low = FN(min)(x, y), apart = SEL(high == low, (E)0, low - high);
  V r = high + FN(log1p)(FN(exp)(apart));
  RARELY_EACH((high < 0) & (ABS_(r) < (E)-0.5 * high), ck_logaddexp_near, x, y);
  return r;
}
INLINE V FN(logaddexp2)(V x, V y) {
  const V high = FN(max)(x, y), low = FN(min)(x, y), apart = SEL(high == low, (E)0, low - high);
  V r = high + FN(log1p)(FN(exp2)(apart)) * (E)1.4426950408889634;
  RARELY_EACH((high < 0) & (ABS_(r) < (E)-0.5 * high), ck_logaddexp2_near, x, y);
  return r;
}

#define EACH_LANE(f, x, y) ({ V r_ = (x); for (int l = 0; l < (int)(sizeof(V) / sizeof(E)); l++) r_[l] = (E)f((double)(x)[l], (double)(y)[l]); r_; })
INLINE V FN(fmod)(V x, V y) { return EACH_LANE(ck_fmod, x, y); }
INLINE V FN(mod)(V x, V y) { return EACH_LANE(ck_mod, x, y); }
INLINE V FN(floor_divide)(V x, V y) { return EACH_LANE(ck_floor_divide, x, y); }
#undef EACH_LANE
#undef RARELY_EACH

/* Below TAIL e^x would be subnormal before it is multiplied by x: e^(x + STEP) is used, where x + STEP is exact;
 * f32 goes through f64 there. */
#if WIDE == 64
#define TAIL -708.0
#define STEP 117.0
#define DOWN 0x1.2705b5b153fb8p-169  /* e^-117, true to 0.02 ulp */
#else
#define TAIL -87.0f
#endif
INLINE V FN(silu)(V x) {
  const V c = SEL(x < (E)-2000, (E)-2000, x);
  const FN(parts) s = FN(logistic)(c, FN(exp)(-ABS_(c)));
  const V p = c * s.high, near = p + (FN(product_error)(c, s.high, p) + c * s.low);
  V r = SEL((x == 0) | (x > 100), x, near);   /* no correction of a zero or an infinity */
#if WIDE == 64
  RARELY(x < TAIL, c * FN(exp)(c + STEP) * DOWN);
#else
  RARELY(x < TAIL, BY_HALVES(silu_f64, x));
#endif
  return r;
}

/* 1 / cosh^2 x = 4 t / (1 + t)^2, t = e^-2|x|, and the density of the logistic distribution t / (1 + t)^2, t = e^-|x|. */
INLINE V FN(ratio)(V n, V t) {  /* n / (1 + t)^2, 0 <= t <= 1 */
  const V one = (E)1 + t, rest = ((E)1 - one) + t, square = one * one;
  const FN(parts) q = FN(quotient)(n, square, FN(product_error)(one, one, square) + (E)2 * one * rest);
  return q.high + q.low;
}
INLINE V FN(sech_squared)(V x) {
  const V c = (E)-2 * ABS_(x), t = FN(exp)(c);
  V r = FN(ratio)((E)4 * t, t);
#if WIDE == 64
  RARELY(c < TAIL, (E)4 * FN(exp)(c + STEP) * DOWN);
#else
  RARELY(c < TAIL, BY_HALVES(sech_squared_f64, x));
#endif
  return r;
}
INLINE V FN(logistic_density)(V x) {
  const V t = FN(exp)(-ABS_(x));
  return FN(ratio)(t, t);
}
#undef TAIL
#if WIDE == 64
#undef STEP
#undef DOWN
#endif

/* x Phi(x) = x erfc(t) / 2, t = -x / sqrt(2) in two parts: far out a relative error of t counts 2 t^2 times. The low part
 * enters through erfc'(t) / erfc(t) = -2 / (sqrt(pi) erfcx(t)), of which three digits suffice. For x > 0 it is x plus the
 * value at -x. Below LOW erfc(t) is subnormal. */
#if WIDE == 64
#define LOW -37.0
#define ROOT_HALF 0x1.6a09e667f3bcdp-1
#define ROOT_HALF_REST -0x1.bdd3413b26456p-55
#else
#define LOW -12.5f
#define ROOT_HALF 0x1.6a09e6p-1f
#define ROOT_HALF_REST 0x1.9fcef4p-27f
#endif
INLINE V FN(gelu)(V x) {
  const V m = -ABS_(x), c = SEL(m < LOW, LOW, m), t = c * -ROOT_HALF;
  const V rest = FN(product_error)(c, (V)-ROOT_HALF, t) - c * ROOT_HALF_REST;
  const V slope = t + __builtin_elementwise_sqrt(t * t + (E)1.2732395447351628);
  const V tail = RAW(erfc)(t), half = (E)0.5 * c, p = half * tail;
  const V g = p + (FN(product_error)(half, tail, p) - half * tail * slope * rest);
  V r = SEL(x > 0, x + g, SEL(x == 0, x, g));   /* a corrected zero has lost its sign */
#if WIDE == 64
  const I far = x < LOW;
  if (ANY(far))
    for (int l = 0; l < (int)(sizeof(V) / sizeof(E)); l++)
      if (far[l]) r[l] = ck_gelu_tail(x[l]);
#else
  RARELY(x < LOW, BY_HALVES(gelu_f64, x));
#endif
  return r;
}
/* Phi(x) = erfc(t) / 2, in the same way; right of 0 it is 1 less the value at -x. */
INLINE V FN(normal_cdf)(V x) {
  const V m = -ABS_(x), c = SEL(m < LOW, LOW, m), t = c * -ROOT_HALF;
  const V rest = FN(product_error)(c, (V)-ROOT_HALF, t) - c * ROOT_HALF_REST;
  const V slope = t + __builtin_elementwise_sqrt(t * t + (E)1.2732395447351628), half = (E)0.5 * RAW(erfc)(t);
  const V p = half - half * slope * rest;
  V r = SEL(x > 0, (E)1 - p, SEL(x == x, p, x));
#if WIDE == 64
  const I far = x < LOW;
  if (ANY(far))
    for (int l = 0; l < (int)(sizeof(V) / sizeof(E)); l++)
      if (far[l]) r[l] = ck_normal_cdf_tail(x[l]);
#else
  RARELY(x < LOW, BY_HALVES(normal_cdf_f64, x));
#endif
  return r;
}
#undef LOW
#undef ROOT_HALF
#undef ROOT_HALF_REST

#if WIDE == 64
#undef ENOUGH
#undef GROWTH
#endif
#undef TINY
#undef TINIER
#undef HUGE_
#undef NEARLY_OVER
#undef LN2
#undef RARELY
#undef FN
#undef RAW
#undef SEL
#undef BITS
#undef SIGN_BIT
#undef WITH_SIGN
#undef ABS_
