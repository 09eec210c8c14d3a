/* The kernels' results on fixed inputs, for another instruction set to be held against:
 *     kernels write FILE         every kernel of the present instruction set
 *     kernels compare FILE FILE  bit for bit; rows of vector functions to a few ulp, since arm64 runs with stand-ins for SLEEF */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ckernels.h"
#include "../c/check.h"

enum { MOST = 70 };
static const size_t sizes[] = {8, 4, 2, 2, 8, 4, 1};
static FILE *file;

/* name, dtype, whether each bit counts, then the elements */
static void put(const char *name, int dtype, int exact, const void *data, size_t n) {
  char head[40] = {0};
  snprintf(head, 32, "%s", name);
  head[32] = (char)dtype;
  head[33] = (char)exact;
  const uint64_t count = n;
  fwrite(head, 1, sizeof head, file);
  fwrite(&count, 8, 1, file);
  fwrite(data, sizes[dtype], n, file);
}

static uint64_t state = 7;
static uint64_t next(void) {
  state ^= state << 13, state ^= state >> 7;
  return state ^= state << 17;
}
static void fill(int dtype, void *p, size_t n, int awkward) {
  static const double special[] = {0, -0.0, 1, -1, 0.5, INFINITY, -INFINITY, NAN, 5e-324, 1e-40, 65504, 1e-8, 88.8, -103.5, 2.5, -2.5};
  for (size_t i = 0; i < n; i++) {
    double v = (double)(int64_t)next() * 0x1p-61;
    if (awkward && next() % 3 == 0) v = special[next() % 16];
    switch (dtype) {
      case CK_F64: ((double *)p)[i] = v; break;
      case CK_F32: ((float *)p)[i] = (float)v; break;
      case CK_F16:
      case CK_BF16: ck_cast_kernel(CK_F64, dtype)(&v, NULL, NULL, (uint16_t *)p + i, 1); break;
      case CK_I64: ((int64_t *)p)[i] = (int64_t)next() >> (next() % 60); break;
      case CK_I32: ((int32_t *)p)[i] = (int32_t)next() >> (next() % 28); break;
      default: ((uint8_t *)p)[i] = next() & 1;
    }
  }
}

/* Rows without a vector function. */
static int exact(const char *name) {
  static const char *const list = " neg abs sign floor ceil round trunc square reciprocal sqrt relu stop_gradient isnan isfinite logical_not add sub mul div maximum"
                                  " minimum fmax fmin fold_key eq ne lt le gt ge logical_and logical_or logical_xor select gate clamp ";
  char padded[64];
  snprintf(padded, sizeof padded, " %s ", name);
  return strstr(list, padded) != NULL;
}

static void rows(void) {
  static const size_t counts[] = {1, 2, 3, 5, 16, 33, MOST};
  for (int row = 0; ck_row_name(row); row++)
    for (int dtype = 0; dtype < 7; dtype++) {
      const ck_kernel k = ck_row_kernel(row, dtype);
      if (!k) continue;
      const OpClass class = ck_row_class(row);
      const int first = class == OpClass_SELECT || class == OpClass_GATE ? CK_BOOL : dtype;
      const int out = class == OpClass_TEST || class == OpClass_COMPARE ? CK_BOOL : dtype;
      for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        double x[MOST], y[MOST], z[MOST], r[MOST];
        const int is_exact = exact(ck_row_name(row));
        fill(first, x, MOST, is_exact), fill(dtype, y, MOST, is_exact), fill(dtype, z, MOST, is_exact);
        k(x, ck_row_arity(row) > 1 ? y : NULL, ck_row_arity(row) > 2 ? z : NULL, r, counts[c]);
        put(ck_row_name(row), out, is_exact, r, counts[c]);
      }
    }
  for (int from = 0; from < 7; from++)
    for (int to = 0; to < 7; to++) {
      double x[MOST], r[MOST];
      fill(from, x, MOST, 1);
      ck_cast_kernel(from, to)(x, NULL, NULL, r, MOST);
      put("cast", to, 1, r, MOST);
    }
  for (int dtype = CK_F16; dtype <= CK_BF16; dtype++) {
    float x[MOST], r[MOST];
    fill(CK_F32, x, MOST, 1);
    ck_round_kernel(dtype)(x, NULL, NULL, r, MOST);
    put("round to", CK_F32, 1, r, MOST);
  }
}

static void *some(int dtype, size_t n, int awkward) {
  void *p = malloc(n * 8 + 64);
  fill(dtype, p, n, awkward);
  return p;
}

static void reductions(void) {
  static const size_t shapes[][3] = {{1, 1000, 1}, {3, 257, 1}, {1, 300, 5}, {4, 65, 16}, {2, 3, 40}, {1, 5000, 1}};
  for (size_t s = 0; s < 6; s++)
    for (int dtype = 0; dtype < 7; dtype++) {
      const size_t o = shapes[s][0], n = shapes[s][1], i = shapes[s][2];
      void *x = some(dtype, o * n * i, 0), *r = malloc(o * n * i * 8);
      for (int op = 0; op < 6; op++) {
        if (op >= Reduction_logsumexp && dtype > CK_BF16) continue;
        ck_reduce((Reduction)op, dtype, x, r, o, n, i);
        put("reduce", dtype, op != Reduction_logsumexp, r, o * i);
      }
      if (dtype != CK_BOOL) ck_argmax(dtype, s & 1, x, r, o, n, i), put("argmax", CK_I64, 1, r, o * i);
      if (dtype <= CK_BF16) ck_softmax(dtype, x, r, o, n, i), put("softmax", dtype, 0, r, o * n * i);
      ck_cumsum(dtype, x, r, o, n, i, s & 1);
      put("cumsum", dtype, 1, r, o * n * i);
      free(x), free(r);
    }
}

static void products(void) {
  static const size_t shapes[][3] = {{1, 1, 9}, {5, 7, 3}, {33, 65, 300}, {128, 20, 64}, {1, 200, 70}, {64, 1, 129}, {16, 16, 16}, {70, 300, 500}};
  for (size_t s = 0; s < 8; s++)
    for (int dtype = 0; dtype < 6; dtype++)
      for (int turned = 0; turned < 4; turned++) {
        const size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        void *a = some(dtype, m * k, 0), *b = some(dtype, k * n, 0), *c = malloc(m * n * 8);
        void *scratch = malloc(ck_gemm_scratch(dtype, turned & 1, turned & 2, m, n, k) + 64);
        ck_gemm(dtype, turned & 1, turned & 2, m, n, k, a, b, c, scratch);
        put("gemm", dtype, 1, c, m * n);
        free(a), free(b), free(c), free(scratch);
      }
}

static void movement(void) {
  int64_t keys[3] = {1, -5, INT64_MAX}, index[] = {3, 0, -1, 2, 2, -4};
  double r[600];
  for (int dtype = 0; dtype < 4; dtype++) ck_random_uniform(dtype, keys, r, 3, 101), put("random", dtype, 1, r, 303);
  for (int dtype = 0; dtype < 7; dtype++) {
    double x[120], u[180];
    float scratch[120];
    fill(dtype, x, 120, 0), fill(dtype, u, 180, 0);
    ck_gather(sizes[dtype], x, CK_I64, index, r, 1, 2, 4, 6, 15);
    put("gather", dtype, 1, r, 180);
    ck_scatter_add(dtype, CK_I64, index, u, r, scratch, 1, 2, 4, 6, 15);
    put("scatter", dtype, 1, r, 120);
    const int64_t shape[] = {4, 5, 6}, from[] = {1, 4, 20}, to[] = {30, 6, 1};
    ck_copy_strided(sizes[dtype], 3, shape, x, from, r, to);
    put("copy", dtype, 1, r, 120);
  }
}

static double number(int dtype, const void *p, size_t i) {
  switch (dtype) {
    case CK_F64: return ((const double *)p)[i];
    case CK_F32: return ((const float *)p)[i];
    case CK_F16:
    case CK_BF16: {
      double v;
      ck_cast_kernel(dtype, CK_F64)((const uint16_t *)p + i, NULL, NULL, &v, 1);
      return v;
    }
    default: return 0;
  }
}

static void compare(const char *one, const char *two) {
  FILE *a = fopen(one, "rb"), *b = fopen(two, "rb");
  static const double ulp[] = {0x1p-52, 0x1p-23, 0x1p-10, 0x1p-7};
  char head[40], other[40];
  uint64_t n, m;
  if (!CHECK(a && b)) return;
  while (fread(head, 1, sizeof head, a) == sizeof head && fread(&n, 8, 1, a) == 1) {
    if (!CHECK(fread(other, 1, sizeof other, b) == sizeof other && fread(&m, 8, 1, b) == 1 && memcmp(head, other, sizeof head) == 0 && n == m)) return;
    const int dtype = head[32];
    void *x = malloc(n * 8 + 8), *y = malloc(n * 8 + 8);
    if (!CHECK(fread(x, sizes[dtype], n, a) == n && fread(y, sizes[dtype], n, b) == n)) return;
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
      if (memcmp((char *)x + i * sizes[dtype], (char *)y + i * sizes[dtype], sizes[dtype]) == 0) continue;
      const double p = number(dtype, x, i), q = number(dtype, y, i);
      if (dtype <= CK_BF16 && isnan(p) && isnan(q)) continue;   /* signs and payloads of NaNs are the machine's */
      const double least = strncmp(head, "reduce", 6) == 0 ? 1 : 0;   /* a logsumexp near 0 has lost what its terms had */
      if (!head[33] && dtype <= CK_BF16 && fabs(p - q) <= 8 * ulp[dtype] * fmax(least, fmax(fabs(p), fabs(q))) + 1e-30) continue;
      if (!head[33] && dtype == CK_BOOL) continue;
      if (!wrong++) fprintf(stderr, "%s, dtype %d, element %zu of %zu: %.17g %.17g\n", head, dtype, i, (size_t)n, p, q);
    }
    CHECK(wrong == 0);
    free(x), free(y);
  }
  CHECK(fread(other, 1, 1, b) == 0);
  fclose(a), fclose(b);
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "compare") == 0) {
    compare(argv[2], argv[3]);
    return check_done();
  }
  if (argc != 3 || strcmp(argv[1], "write") != 0 || !(file = fopen(argv[2], "wb"))) return 2;
  if (ck_level_max() > 0) ck_set_level(1);
  const uint64_t environment = ck_fenv_enter();
  rows(), reductions(), products(), movement();
  ck_fenv_leave(environment);
  fprintf(stderr, "%s\n", ck_level_name(ck_level()));
  return fclose(file) != 0;
}
