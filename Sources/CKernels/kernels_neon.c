/* arm64, in place of levels 0 and 1: NEON has FMA, so it gives the bits of AVX2 and AVX-512. */
#include "private.h"
#if defined __aarch64__
#define LEVEL 1
#define WIDTH 16
#define TABLE ck_table_neon
#define SLEEF__(f, t, n, u) Sleef_finz_##f##t##n##_##u##advsimd
#define SLEEF_(f, t, n, u) SLEEF__(f, t, n, u)
#define SLEEF(f, u) SLEEF_(f, T, N, u)
#define CALL1(f, x) ((V (*)(V))(f))(x)
#define CALL2(f, x, y) ((V (*)(V, V))(f))((x), (y))
#include "isa.h"
#endif
