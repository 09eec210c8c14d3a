#include "private.h"
#include <math.h>

enum { BLOCK = 512, LANES = 8 };

static void tally(const double *x, size_t n, double low, double edge, double floor, ck_tally *s) {
  double squares[LANES] = {0}, largest[LANES] = {0}, zeros[LANES] = {0}, lows[LANES] = {0}, edges[LANES] = {0}, bad[LANES] = {0};
  for (size_t i = 0; i + LANES <= n; i += LANES)
    for (int l = 0; l < LANES; l++) {
      double v = x[i + l], a = fabs(v), f = a <= 0x1.fffffffffffffp1023 ? a : 0;
      squares[l] += f * f;
      largest[l] = f > largest[l] ? f : largest[l];
      zeros[l] += a == 0 ? 1 : 0;
      lows[l] += a < low ? 1 : 0;
      edges[l] += v <= floor ? 1 : a >= edge ? 1 : 0;
      bad[l] += a <= 0x1.fffffffffffffp1023 ? 0 : 1;
    }
  for (size_t i = n - n % LANES; i < n; i++) {
    double v = x[i], a = fabs(v), f = isfinite(v) ? a : 0;
    squares[0] += f * f;
    largest[0] = f > largest[0] ? f : largest[0];
    zeros[0] += a == 0;
    lows[0] += a < low;
    edges[0] += v <= floor || a >= edge;
    bad[0] += !isfinite(v);
  }
  double z = 0, w = 0, e = 0, b = 0;
  for (int l = 0; l < LANES; l++) {
    s->squares += squares[l];
    if (largest[l] > s->largest) s->largest = largest[l];
    z += zeros[l], w += lows[l], e += edges[l], b += bad[l];
  }
  s->zeros += (uint64_t)z, s->lows += (uint64_t)(w - z), s->edges += (uint64_t)e, s->bad += (uint64_t)b;
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
