/* Blocks of elements between the memory of a view and a register of a block program, and back. */
#include "private.h"

/* Elements [start, start + n) of a view of x (see ckernels.h). */
#define STAGE(U)                                                                                            \
  static void run_##U(const U *x, int64_t stride, size_t n, U *out) {                                       \
    if (stride == 1) { memcpy(out, x, n * sizeof(U)); return; }                                             \
    if (stride == 0) { const U v = *x; for (size_t i = 0; i < n; i++) out[i] = v; return; }                 \
    size_t i = 0;                                                                                           \
    for (; i + 4 <= n; i += 4, x += 4 * stride) {                                                           \
      const U a = x[0], b = x[stride], c = x[2 * stride], d = x[3 * stride];                                \
      out[i] = a, out[i + 1] = b, out[i + 2] = c, out[i + 3] = d;                                           \
    }                                                                                                       \
    for (; i < n; i++, x += stride) out[i] = *x;                                                            \
  }                                                                                                         \
  static void stage_##U(const int64_t *map, const U *x, size_t start, size_t n, U *out) {                   \
    const int64_t rank = map[1], *axes = map + 2;                                                           \
    int64_t at[CK_MAP_RANKS];                                                                               \
    x += map[0];                                                                                            \
    for (int64_t k = rank - 1, rest = (int64_t)start; k >= 0; k--) {                                        \
      at[k] = k ? rest % axes[2 * k] : rest;                                                                \
      rest = k ? rest / axes[2 * k] : 0;                                                                    \
      x += at[k] * axes[2 * k + 1];                                                                         \
    }                                                                                                       \
    const int64_t last = rank - 1, extent = axes[2 * last], stride = axes[2 * last + 1];                    \
    for (;;) {                                                                                              \
      const size_t left = (size_t)(extent - at[last]), m = left < n ? left : n;                             \
      run_##U(x, stride, m, out);                                                                           \
      if (m == n) return;                                                                                   \
      out += m, n -= m;                                                                                     \
      x -= at[last] * stride;                                                                               \
      at[last] = 0;                                                                                         \
      for (int64_t k = last - 1; k >= 0; k--) {                                                             \
        x += axes[2 * k + 1];                                                                               \
        if (++at[k] < axes[2 * k]) break;                                                                   \
        x -= axes[2 * k] * axes[2 * k + 1];                                                                 \
        at[k] = 0;                                                                                          \
      }                                                                                                     \
    }                                                                                                       \
  }
STAGE(uint8_t)
STAGE(uint16_t)
STAGE(uint32_t)
STAGE(uint64_t)

void ck_stage(size_t element_size, const int64_t *map, const void *x, size_t start, size_t n, void *out) {
  if (n == 0) return;
  switch (element_size) {
  case 1: stage_uint8_t(map, x, start, n, out); break;
  case 2: stage_uint16_t(map, x, start, n, out); break;
  case 4: stage_uint32_t(map, x, start, n, out); break;
  default: stage_uint64_t(map, x, start, n, out); break;
  }
}

/* ---- Columns into rows ---------------------------------------------------------------------------------------------------- */
enum { WIDEST = 256, NARROW = 16 };
/* Tiles of L x L, all columns of a few rows before the next rows, so that a line of memory is written at once. Where rows are written in parts, the lines
 * that the next block will write are asked for ahead: their order is none that the processor would guess. A column that stands L times side by side
 * (the zeros of a Jacobian) is not turned. */
#define INTERLEAVE(name, U, V, L, TARGET, TURN)                                                             \
  TARGET static void weave_##name(size_t columns, const U *const *x, size_t n, U *out, size_t pitch, bool ahead) {    \
    bool same[WIDEST / L];                                                                                  \
    for (size_t c = 0; c + L <= columns; c += L) {                                                          \
      same[c / L] = true;                                                                                   \
      for (size_t k = 1; k < L; k++) same[c / L] &= x[c + k] == x[c];                                       \
    }                                                                                                       \
    size_t i = 0;                                                                                           \
    for (; i + L <= n; i += L) {                                                                            \
      U *const to = out + i * pitch;                                                                        \
      for (size_t r = 0; ahead && r < L; r++)                                                               \
        for (size_t c = 0; c < columns; c += 64 / sizeof(U)) __builtin_prefetch(to + (n + r) * pitch + c, 1);       \
      size_t c = 0;                                                                                         \
      /* The last tile begins earlier where too few columns are left. */                                    \
      for (; columns >= L && c < columns; c += L) {                                                         \
        const size_t first = c + L <= columns ? c : columns - L;                                            \
        V v[L];                                                                                             \
        if (c + L <= columns && same[c / L]) {                                                                 \
          for (size_t r = 0; r < L; r++) { const V all = (V)x[c][i + r]; memcpy(to + r * pitch + c, &all, sizeof(V)); }   \
          continue;                                                                                         \
        }                                                                                                   \
        for (int k = 0; k < L; k++) memcpy(&v[k], x[first + (size_t)k] + i, sizeof(V));                     \
        TURN                                                                                                \
        for (int r = 0; r < L; r++) memcpy(to + (size_t)r * pitch + first, &v[r], sizeof(V));               \
      }                                                                                                     \
      for (; c < columns; c++)                                                                              \
        for (size_t r = 0; r < L; r++) to[r * pitch + c] = x[c][i + r];                                     \
    }                                                                                                       \
    for (; i < n; i++)                                                                                      \
      for (size_t c = 0; c < columns; c++) out[i * pitch + c] = x[c][i];                                    \
  }
#define TURN4(V) \
  for (int k = 0; k < 4; k += 2) { \
    const V a = v[k], b = v[k + 1]; \
    v[k] = __builtin_shufflevector(a, b, 0, 4, 2, 6), v[k + 1] = __builtin_shufflevector(a, b, 1, 5, 3, 7); \
  } \
  for (int k = 0; k < 2; k++) { \
    const V a = v[k], b = v[k + 2]; \
    v[k] = __builtin_shufflevector(a, b, 0, 1, 4, 5), v[k + 2] = __builtin_shufflevector(a, b, 2, 3, 6, 7); \
  }
#define TURN8(V) \
  for (int k = 0; k < 8; k += 2) { \
    const V a = v[k], b = v[k + 1]; \
    v[k] = __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14), v[k + 1] = __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15); \
  } \
  for (int k = 0; k < 8; k += k % 4 == 1 ? 3 : 1) { \
    const V a = v[k], b = v[k + 2]; \
    v[k] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13), v[k + 2] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15); \
  } \
  for (int k = 0; k < 4; k++) { \
    const V a = v[k], b = v[k + 4]; \
    v[k] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11), v[k + 4] = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15); \
  }
typedef uint64_t four_64 __attribute__((ext_vector_type(4)));
typedef uint64_t eight_64 __attribute__((ext_vector_type(8)));
typedef uint32_t four_32 __attribute__((ext_vector_type(4)));
/* The other way: `columns` >= L elements of rows `pitch` apart. */
#define UNWEAVE(name, U, V, L, TARGET, TURN)                                                                \
  TARGET static void unweave_##name(size_t columns, const U *x, size_t pitch, size_t n, U *const *out, bool ahead) { \
    size_t i = 0;                                                                                           \
    for (; i + L <= n; i += L) {                                                                            \
      const U *const from = x + i * pitch;                                                                  \
      for (size_t c = 0; ahead && c < L * pitch; c += 64 / sizeof(U)) __builtin_prefetch(from + n * pitch + c); \
      for (size_t c = 0; c < columns; c += L) {                                                             \
        const size_t first = c + L <= columns ? c : columns - L;                                            \
        V v[L];                                                                                             \
        for (int r = 0; r < L; r++) memcpy(&v[r], from + (size_t)r * pitch + first, sizeof(V));             \
        TURN                                                                                                \
        for (int k = 0; k < L; k++) memcpy(out[first + (size_t)k] + i, &v[k], sizeof(V));                   \
      }                                                                                                     \
    }                                                                                                       \
    for (; i < n; i++)                                                                                      \
      for (size_t c = 0; c < columns; c++) out[c][i] = x[i * pitch + c];                                    \
  }
INTERLEAVE(32, uint32_t, four_32, 4, , TURN4(four_32))
INTERLEAVE(64_sse2, uint64_t, four_64, 4, , TURN4(four_64))
#if defined __x86_64__
#define FOR(set) __attribute__((target(set)))
#else
#define FOR(set)
#endif
INTERLEAVE(64_avx2, uint64_t, four_64, 4, FOR("avx2"), TURN4(four_64))
INTERLEAVE(64_avx512, uint64_t, eight_64, 8, FOR("avx512f,avx512dq,avx512vl"), TURN8(eight_64))

UNWEAVE(32, uint32_t, four_32, 4, , TURN4(four_32))
UNWEAVE(64_sse2, uint64_t, four_64, 4, , TURN4(four_64))
UNWEAVE(64_avx2, uint64_t, four_64, 4, FOR("avx2"), TURN4(four_64))
UNWEAVE(64_avx512, uint64_t, eight_64, 8, FOR("avx512f,avx512dq,avx512vl"), TURN8(eight_64))

#define PLAIN(U)                                                                                            \
  static void weave_##U(size_t columns, const U *const *x, size_t n, U *out, size_t pitch) {                \
    for (size_t i = 0; i < n; i++)                                                                          \
      for (size_t c = 0; c < columns; c++) out[i * pitch + c] = x[c][i];                                    \
  }
PLAIN(uint8_t)
PLAIN(uint16_t)

static void weave(size_t element_size, size_t columns, const void *const *x, size_t n, void *out, size_t pitch, bool ahead) {
  switch (element_size) {
  case 1: weave_uint8_t(columns, (const uint8_t *const *)x, n, out, pitch); return;
  case 2: weave_uint16_t(columns, (const uint16_t *const *)x, n, out, pitch); return;
  case 4: weave_32(columns, (const uint32_t *const *)x, n, out, pitch, ahead); return;
  default: break;
  }
  switch (columns < 8 && ck_level() > 0 ? 1 : ck_level()) {
  case 0: weave_64_sse2(columns, (const uint64_t *const *)x, n, out, pitch, ahead); break;
  case 1: weave_64_avx2(columns, (const uint64_t *const *)x, n, out, pitch, ahead); break;
  default: weave_64_avx512(columns, (const uint64_t *const *)x, n, out, pitch, ahead); break;
  }
}

void ck_interleave(size_t element_size, size_t columns, void *const *table, const int32_t *entries, size_t n, void *out, size_t pitch, bool ahead) {
  const void *x[WIDEST];
  for (size_t first = 0; first < columns; first += WIDEST) {
    const size_t count = columns - first < WIDEST ? columns - first : WIDEST;
    for (size_t c = 0; c < count; c++) x[c] = table[entries[first + c]];
    weave(element_size, count, x, n, (char *)out + first * element_size, pitch, ahead && count <= NARROW);
  }
}

void ck_stream(void *to, const void *from, size_t bytes) {
  typedef uint64_t line __attribute__((ext_vector_type(8)));
  const size_t beyond = (size_t)((uintptr_t)to & 63), head = beyond ? (64 - beyond < bytes ? 64 - beyond : bytes) : 0;
  memcpy(to, from, head);
  char *y = (char *)to + head;
  const char *x = (const char *)from + head;
  for (bytes -= head; bytes >= 64; bytes -= 64, x += 64, y += 64) {
    line v;
    memcpy(&v, x, 64);
    __builtin_nontemporal_store(v, (line *)(void *)y);
  }
  memcpy(y, x, bytes);
#if defined __x86_64__
  _mm_sfence();
#endif
}

void ck_unweave(size_t element_size, size_t columns, const void *x, size_t pitch, size_t n, void *const *table, const int32_t *entries, bool ahead) {
  void *to[64];
  for (size_t c = 0; c < columns; c++) to[c] = table[entries[c]];
  if (element_size == 4) unweave_32(columns, x, pitch, n, (uint32_t *const *)to, ahead);
  else if (ck_level() == 0) unweave_64_sse2(columns, x, pitch, n, (uint64_t *const *)to, ahead);
  else if (ck_level() == 1 || columns < 8) unweave_64_avx2(columns, x, pitch, n, (uint64_t *const *)to, ahead);
  else unweave_64_avx512(columns, x, pitch, n, (uint64_t *const *)to, ahead);
}

void ck_turn(size_t element_size, size_t rows, size_t n, const void *from, size_t from_pitch, void *to, size_t to_pitch) {
  const void *x[WIDEST];
  for (size_t first = 0; first < rows; first += WIDEST) {
    const size_t count = rows - first < WIDEST ? rows - first : WIDEST;
    for (size_t r = 0; r < count; r++) x[r] = (const char *)from + (first + r) * from_pitch * element_size;
    weave(element_size, count, x, n, (char *)to + first * element_size, to_pitch, false);
  }
}

/* Whole vectors, which may reach over what the next elements fill; exact at the end. */
#define REPEAT(U, V, L)                                                                                     \
  static void repeat_##U(const U *x, size_t rep, size_t n, U *out) {                                        \
    const size_t over = (rep + L - 1) / L * L, all = rep * n;                                               \
    size_t i = 0;                                                                                           \
    for (size_t at = 0; i < n && at + over <= all; i++, at += rep) {                                        \
      const V v = (V)x[i];                                                                                  \
      for (size_t k = 0; k < over; k += L) memcpy(out + at + k, &v, sizeof v);                              \
    }                                                                                                       \
    for (; i < n; i++)                                                                                      \
      for (size_t k = 0; k < rep; k++) { const U v = x[i]; memcpy(out + i * rep + k, &v, sizeof v); }       \
  }
typedef uint8_t sixteen_8 __attribute__((ext_vector_type(16)));
typedef uint16_t eight_16 __attribute__((ext_vector_type(8)));
REPEAT(uint8_t, sixteen_8, 16)
REPEAT(uint16_t, eight_16, 8)
REPEAT(uint32_t, four_32, 4)
REPEAT(uint64_t, four_64, 4)
void ck_repeat(size_t element_size, const void *x, size_t rep, size_t n, void *out) {
  switch (element_size) {
  case 1: repeat_uint8_t(x, rep, n, out); break;
  case 2: repeat_uint16_t(x, rep, n, out); break;
  case 4: repeat_uint32_t(x, rep, n, out); break;
  default: repeat_uint64_t(x, rep, n, out); break;
  }
}

void ck_spread(size_t element_size, size_t width, size_t pitch, const void *x, size_t start, size_t n, void *out) {
  const char *from = x;
  size_t within = start % width;
  char *row = (char *)out + start / width * pitch * element_size;
  while (n > 0) {
    const size_t m = width - within < n ? width - within : n;
    memcpy(row + within * element_size, from, m * element_size);
    from += m * element_size, n -= m, row += pitch * element_size;
    within = 0;
  }
}
