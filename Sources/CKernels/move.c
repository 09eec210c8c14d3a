/* Movement by index: fill, iota, gather, scatter. Elements are moved as unsigned integers of their size. */
#include "private.h"

void ck_fill(size_t element_size, const void *value, void *dst, size_t n) { ck_current()->fill[ck_log2_size(element_size)](value, dst, n); }

void ck_stretch(size_t element_size, const void *x, void *y, size_t start, size_t n, size_t rep, size_t period) {
  if (period == 1) ck_fill(element_size, x, y, n);
  else if (rep > 1) ck_current()->stretch[ck_log2_size(element_size)](x, y, start, n, rep, period);
  else {
    /* One period, then all there is again, twice as much each time. */
    char *const out = y;
    const size_t bytes = n * element_size, turn = start % period * element_size, first = period * element_size - turn;
    size_t done = first < bytes ? first : bytes;
    memcpy(out, (const char *)x + turn, done);
    const size_t rest = turn < bytes - done ? turn : bytes - done;
    memcpy(out + done, x, rest);
    done += rest;
    while (done < bytes) {
      const size_t more = done < bytes - done ? done : bytes - done;
      memcpy(out + done, out, more);
      done += more;
    }
  }
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
/* The position of the first index outside [-n, n), or -1. */
static int64_t first_outside(int index_dtype, const void *index, size_t count, size_t n) {
  if (ck_current()->inside[index_dtype != CK_I64](index, count, n)) return -1;
  for (size_t j = 0; j < count; j++) {
    const int64_t i = index_dtype == CK_I64 ? ((const int64_t *)index)[j] : (int64_t)((const int32_t *)index)[j];
    if (i < -(int64_t)n || i >= (int64_t)n) return (int64_t)j;
  }
  return -1;
}
static size_t index_bytes(int index_dtype) { return index_dtype == CK_I64 ? 8 : 4; }

int64_t ck_gather(size_t element_size, const void *x, int index_dtype, const void *index, void *out, size_t batch,
                  size_t outer, size_t n, size_t m, size_t inner) {
  const int64_t bad = first_outside(index_dtype, index, batch * m, n);
  if (bad >= 0) return bad;
  const size_t row = inner * element_size;
  const ck_table *t = ck_current();
  for (size_t b = 0; b < batch; b++)
    for (size_t o = 0; o < outer; o++)
      t->gather[index_dtype != CK_I64]((const char *)x + (b * outer + o) * n * row, (const char *)index + b * m * index_bytes(index_dtype),
                                       (char *)out + (b * outer + o) * m * row, n, m, row);
  return -1;
}

int64_t ck_scatter_add_part(int dtype, int index_dtype, const void *index, const void *updates, void *out, float *scratch,
                            size_t batch, size_t outer, size_t n, size_t m, size_t inner, const ck_scatter_part *part) {
  const int64_t bad = first_outside(index_dtype, index, batch * m, n);
  if (bad >= 0) return bad;
  if (part->inner == part->inner_end) return -1;
  const ck_table *t = ck_current();
  const bool half = dtype == CK_F16 || dtype == CK_BF16;
  const size_t size = half ? 4 : ck_sizes[dtype], stored = ck_sizes[dtype], columns = part->inner_end - part->inner;
  const bool lines = columns == inner;            /* the window's rows are one run */
  const size_t runs = lines ? 1 : part->row_end - part->row, run = lines ? (part->row_end - part->row) * inner : columns;
  const ck_window window = {n, m, inner, part->row, part->row_end, part->inner, part->inner_end, index_dtype == CK_I64};
  for (size_t b = 0; b < batch; b++)
    for (size_t o = 0; o < outer; o++) {
      const size_t table = (b * outer + o) * n * inner, first = table + part->row * inner + part->inner;
      char *const sums = half ? (char *)scratch : (char *)out;
      for (size_t r = 0; r < runs; r++) memset(sums + (first + r * inner) * size, 0, run * size);
      t->scatter[dtype](&window, (const char *)index + b * m * index_bytes(index_dtype), (const char *)updates + (b * outer + o) * m * inner * stored,
                        sums + table * size);
      for (size_t r = 0; half && r < runs; r++)
        t->casts[CK_F32][dtype](sums + (first + r * inner) * size, NULL, NULL, (char *)out + (first + r * inner) * stored, run);
    }
  return -1;
}
int64_t ck_scatter_add(int dtype, int index_dtype, const void *index, const void *updates, void *out, float *scratch,
                       size_t batch, size_t outer, size_t n, size_t m, size_t inner) {
  const ck_scatter_part all = {0, n, 0, inner};
  return ck_scatter_add_part(dtype, index_dtype, index, updates, out, scratch, batch, outer, n, m, inner, &all);
}

static int64_t index_at(int index_dtype, const void *index, size_t j, size_t n) {
  const int64_t i = index_dtype == CK_I64 ? ((const int64_t *)index)[j] : (int64_t)((const int32_t *)index)[j];
  return i < 0 ? i + (int64_t)n : i;
}

int64_t ck_scatter_set(size_t element_size, int index_dtype, const void *index, const void *updates, void *out,
                       size_t batch, size_t outer, size_t n, size_t m, size_t inner) {
  const int64_t bad = first_outside(index_dtype, index, batch * m, n);
  if (bad >= 0) return bad;
  const size_t row = inner * element_size;
  for (size_t b = 0; b < batch; b++)
    for (size_t o = 0; o < outer; o++) {
      const char *u = (const char *)updates + (b * outer + o) * m * row;
      char *const to = (char *)out + (b * outer + o) * n * row;
      for (size_t j = 0; j < m; j++, u += row) {
        const size_t at = (size_t)index_at(index_dtype, index, b * m + j, n);
        if (row == 8) memcpy(to + at * 8, u, 8);
        else memcpy(to + at * row, u, row);
      }
    }
  return -1;
}

#define SEGMENT_ROW(E, U)                                                                                              \
  {                                                                                                                    \
    E *s = sums;                                                                                                       \
    const E *v = u;                                                                                                    \
    if (op == Reduction_prod) for (size_t i = 0; i < inner; i++) s[i] = (E)((U)s[i] * (U)v[i]);                        \
    else if (op == Reduction_max) for (size_t i = 0; i < inner; i++) s[i] = s[i] == s[i] && !(v[i] <= s[i]) ? v[i] : s[i]; \
    else for (size_t i = 0; i < inner; i++) s[i] = s[i] == s[i] && !(v[i] >= s[i]) ? v[i] : s[i];                      \
  }
static void segment_row(Reduction op, int as, const void *u, void *sums, size_t inner) {
  switch (as) {
  case CK_F64: SEGMENT_ROW(double, double) break;
  case CK_F32: SEGMENT_ROW(float, float) break;
  case CK_I64: SEGMENT_ROW(int64_t, uint64_t) break;
  case CK_I32: SEGMENT_ROW(int32_t, uint32_t) break;
  default: SEGMENT_ROW(uint8_t, unsigned) break;
  }
}

int64_t ck_segment(Reduction op, int dtype, int index_dtype, const void *index, const void *updates, void *out, float *scratch,
                   size_t batch, size_t outer, size_t n, size_t m, size_t inner) {
  const int64_t bad = first_outside(index_dtype, index, batch * m, n);
  if (bad >= 0) return bad;
  enum { PART = 256 };
  float wide[PART];
  const ck_table *t = ck_current();
  const bool half = dtype == CK_F16 || dtype == CK_BF16;
  const int as = half ? CK_F32 : dtype;
  const size_t size = ck_sizes[as], stored = ck_sizes[dtype], total = batch * outer * n * inner;
  char *const sums = half ? (char *)scratch : (char *)out;
  ck_reduce(op, as, NULL, sums, 1, 0, total);   /* of nothing: the neutral element */
  for (size_t b = 0; b < batch; b++)
    for (size_t o = 0; o < outer; o++)
      for (size_t j = 0; j < m; j++) {
        const char *u = (const char *)updates + ((b * outer + o) * m + j) * inner * stored;
        char *to = sums + ((b * outer + o) * n + (size_t)index_at(index_dtype, index, b * m + j, n)) * inner * size;
        if (!half) { segment_row(op, as, u, to, inner); continue; }
        for (size_t i = 0; i < inner; i += PART) {
          const size_t count = inner - i < PART ? inner - i : PART;
          t->casts[dtype][CK_F32](u + i * stored, NULL, NULL, wide, count);
          segment_row(op, as, wide, to + i * size, count);
        }
      }
  if (half) t->casts[CK_F32][dtype](sums, NULL, NULL, out, total);
  return -1;
}
