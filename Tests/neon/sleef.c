/* Debian has no SLEEF for arm64 beside that for x86-64: the test's arm64 kernels call libm, number by number, under SLEEF's names. */
#include <arm_neon.h>
#include <math.h>
#define F1(f, u) \
  float64x2_t Sleef_finz_##f##d2_##u##advsimd(float64x2_t x) { for (int i = 0; i < 2; i++) x[i] = f(x[i]); return x; } \
  float32x4_t Sleef_finz_##f##f4_##u##advsimd(float32x4_t x) { for (int i = 0; i < 4; i++) x[i] = (float)f((double)x[i]); return x; }
#define F2(f, u) \
  float64x2_t Sleef_finz_##f##d2_##u##advsimd(float64x2_t x, float64x2_t y) { for (int i = 0; i < 2; i++) x[i] = f(x[i], y[i]); return x; } \
  float32x4_t Sleef_finz_##f##f4_##u##advsimd(float32x4_t x, float32x4_t y) { for (int i = 0; i < 4; i++) x[i] = (float)f((double)x[i], (double)y[i]); return x; }
F1(exp, u10) F1(exp2, u10) F1(expm1, u10) F1(log, u10) F1(log2, u10) F1(log10, u10) F1(log1p, u10)
F1(sin, u10) F1(cos, u10) F1(tan, u10) F1(asin, u10) F1(acos, u10) F1(atan, u10)
F1(sinh, u10) F1(cosh, u10) F1(tanh, u10) F1(asinh, u10) F1(acosh, u10) F1(atanh, u10)
F1(cbrt, u10) F1(erf, u10) F1(erfc, u15) F1(lgamma, u10)
F2(pow, u10) F2(atan2, u10) F2(hypot, u05)
