/* Level 0: SSE2, which every x86-64 has. */
#include "private.h"
#if defined __x86_64__
#define LEVEL 0
#define WIDTH 16
#define TABLE ck_table_sse2
#define SLEEF__(f, t, n, u) Sleef_cinz_##f##t##n##_##u##sse2
#define SLEEF_(f, t, n, u) SLEEF__(f, t, n, u)
#define SLEEF(f, u) SLEEF_(f, T, N, u)
#define CALL1(f, x) ((V (*)(V))(f))(x)
#define CALL2(f, x, y) ((V (*)(V, V))(f))((x), (y))
#include "isa.h"
#endif
