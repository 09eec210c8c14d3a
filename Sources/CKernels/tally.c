#include "private.h"
#include <math.h>

enum { BLOCK = 512, LANES = 8 };

#pragma clang fp contract(off)
typedef double lanes __attribute__((ext_vector_type(LANES)));
typedef long masks __attribute__((ext_vector_type(LANES)));
typedef double loose __attribute__((ext_vector_type(LANES), aligned(8)));

/* Masks are 0 and -1: subtracting counts. The same lanes on every instruction set. */
static inline __attribute__((always_inline)) void body(const double *x, size_t n, double low, double edge, double floor, ck_tally *s) {
  lanes squares = 0, largest = 0;
  masks zeros = 0, lows = 0, edges = 0, bad = 0;
  for (size_t i = 0; i + LANES <= n; i += LANES) {
    lanes v = *(const loose *)(x + i), a = __builtin_elementwise_abs(v);
    masks fine = a <= 0x1.fffffffffffffp1023;
    lanes f = (lanes)((masks)a & fine);
    squares += f * f;
    largest = __builtin_elementwise_max(largest, f);
    zeros -= a == 0;
    lows -= a < low;
    edges -= (v <= floor) | (a >= edge);
    bad -= ~fine;
  }
  for (size_t i = n - n % LANES; i < n; i++) {
    double v = x[i], a = fabs(v), f = isfinite(v) ? a : 0;
    squares[0] += f * f;
    if (f > largest[0]) largest[0] = f;
    zeros[0] += a == 0;
    lows[0] += a < low;
    edges[0] += v <= floor || a >= edge;
    bad[0] += !isfinite(v);
  }
  for (int l = 0; l < LANES; l++) {
    s->squares += squares[l];
    if (largest[l] > s->largest) s->largest = largest[l];
    s->zeros += (uint64_t)zeros[l], s->lows += (uint64_t)(lows[l] - zeros[l]), s->edges += (uint64_t)edges[l], s->bad += (uint64_t)bad[l];
  }
}
#if defined(__x86_64__)
__attribute__((target("avx2"))) static void tally_avx2(const double *x, size_t n, double low, double edge, double floor, ck_tally *s) { body(x, n, low, edge, floor, s); }
#endif
static void tally(const double *x, size_t n, double low, double edge, double floor, ck_tally *s) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    tally_avx2(x, n, low, edge, floor, s);
    return;
  }
#endif
  body(x, n, low, edge, floor, s);
}

void ck_tally_array(int dtype, const void *x, size_t n, double low, double edge, bool lower, ck_tally *s) {
  double block[BLOCK], floor = lower ? 1 - edge : -INFINITY;
  ck_kernel widen = dtype == CK_F64 ? NULL : ck_cast_kernel(dtype, CK_F64);
  size_t size = dtype == CK_F32 ? 4 : 2;
  if (!widen) {
    tally(x, n, low, edge, floor, s);
    return;
  }
  for (size_t i = 0; i < n; i += BLOCK) {
    size_t m = n - i < BLOCK ? n - i : BLOCK;
    widen((const char *)x + i * size, NULL, NULL, block, m);
    tally(block, m, low, edge, floor, s);
  }
}

#define LIVE(T, MASK) for (size_t o = 0; o < outer; o++) for (size_t u = 0; u < units; u++) { \
    const T *p = (const T *)x + (o * units + u) * inner; \
    T any = 0; \
    for (size_t i = 0; i < inner; i++) any |= p[i] & (T)MASK; \
    live[u] = any ? now : live[u]; \
  }

void ck_live_units(int dtype, const void *x, size_t outer, size_t units, size_t inner, int64_t now, int64_t *live) {
  switch (dtype) {
  case CK_F64: LIVE(uint64_t, 0x7FFFFFFFFFFFFFFF) break;
  case CK_F32: LIVE(uint32_t, 0x7FFFFFFF) break;
  default: LIVE(uint16_t, 0x7FFF) break;
  }
}
