/* Movement by index: fill, iota, gather, scatter. Elements are moved as unsigned integers of their size. */
#include "private.h"

void ck_fill(size_t element_size, const void *value, void *dst, size_t n) {
#define FILL(U) { U v; memcpy(&v, value, sizeof v); U *d = dst; for (size_t i = 0; i < n; i++) d[i] = v; }
  switch (element_size) {
  case 1: memset(dst, *(const uint8_t *)value, n); break;
  case 2: FILL(uint16_t) break;
  case 4: FILL(uint32_t) break;
  default: FILL(uint64_t) break;
  }
#undef FILL
}

void ck_iota(int dtype, void *out, size_t outer, size_t n, size_t inner) {
  const size_t size = ck_sizes[dtype];
  const ck_kernel cast = ck_cast_kernel(CK_I64, dtype);
  if (outer == 0 || inner == 0) return;
  for (size_t i = 0; i < n; i++) {
    const int64_t index = (int64_t)i;
    uint64_t value = 0;
    cast(&index, NULL, NULL, &value, 1);
    ck_fill(size, &value, (char *)out + i * inner * size, inner);
  }
  for (size_t o = 1; o < outer; o++) memcpy((char *)out + o * n * inner * size, out, n * inner * size);
}

/* ---- Indices ------------------------------------------------------------------------------------------------------------ */
/* The row that position j of `index` names, or -1. */
static inline int64_t row_at(int index_dtype, const void *index, size_t j, size_t n) {
  int64_t i = index_dtype == CK_I64 ? ((const int64_t *)index)[j] : (int64_t)((const int32_t *)index)[j];
  if (i < 0) i += (int64_t)n;
  return i >= 0 && i < (int64_t)n ? i : -1;
}
static int64_t first_outside(int index_dtype, const void *index, size_t count, size_t n) {
  for (size_t j = 0; j < count; j++)
    if (row_at(index_dtype, index, j, n) < 0) return (int64_t)j;
  return -1;
}

int64_t ck_gather(size_t element_size, const void *x, int index_dtype, const void *index, void *out, size_t batch,
                  size_t outer, size_t n, size_t m, size_t inner) {
  const int64_t bad = first_outside(index_dtype, index, batch * m, n);
  if (bad >= 0) return bad;
  const size_t row = inner * element_size;
  for (size_t b = 0; b < batch; b++)
    for (size_t o = 0; o < outer; o++) {
      const char *from = (const char *)x + (b * outer + o) * n * row;
      char *to = (char *)out + (b * outer + o) * m * row;
#define ROWS(bytes)                                                                             \
  for (size_t j = 0; j < m; j++)                                                                \
    memcpy(to + j * (bytes), from + (size_t)row_at(index_dtype, index, b * m + j, n) * (bytes), (bytes))
      switch (row) {
      case 1: ROWS(1); break;
      case 2: ROWS(2); break;
      case 4: ROWS(4); break;
      case 8: ROWS(8); break;
      default: ROWS(row); break;
      }
#undef ROWS
    }
  return -1;
}

int64_t ck_scatter_add(int dtype, int index_dtype, const void *index, const void *updates, void *out, float *scratch,
                       size_t batch, size_t outer, size_t n, size_t m, size_t inner) {
  const int64_t bad = first_outside(index_dtype, index, batch * m, n);
  if (bad >= 0) return bad;
  const bool half = dtype == CK_F16 || dtype == CK_BF16;
  void *const sums = half ? (void *)scratch : out;
  const size_t size = half ? 4 : ck_sizes[dtype], total = batch * outer * n * inner;
  memset(sums, 0, total * size);
  for (size_t b = 0; b < batch; b++)
    for (size_t o = 0; o < outer; o++)
      for (size_t j = 0; j < m; j++) {
        const size_t to = ((b * outer + o) * n + (size_t)row_at(index_dtype, index, b * m + j, n)) * inner;
        const size_t from = ((b * outer + o) * m + j) * inner;
#define ADD(S, U, value, op)                                                                    \
  { S *s = (S *)sums + to; const U *u = (const U *)updates + from;                              \
    for (size_t i = 0; i < inner; i++) s[i] = (S)(s[i] op (value)); }
        switch (dtype) {
        case CK_F64: ADD(double, double, u[i], +) break;
        case CK_F32: ADD(float, float, u[i], +) break;
        case CK_F16: ADD(float, uint16_t, ck_f32_of_f16(u[i]), +) break;
        case CK_BF16: ADD(float, uint16_t, ck_f32_of_bf16(u[i]), +) break;
        case CK_I64: ADD(uint64_t, uint64_t, u[i], +) break;
        case CK_I32: ADD(uint32_t, uint32_t, u[i], +) break;
        default: ADD(uint8_t, uint8_t, u[i], |) break;
        }
#undef ADD
      }
  if (half) ck_cast_kernel(CK_F32, dtype)(scratch, NULL, NULL, out, total);
  return -1;
}
