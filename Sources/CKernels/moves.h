/* Movement in one instruction set: the planes of strided copies, gathered and scattered elements, words as uniform numbers. Elements
 * are moved as unsigned integers of their size. */
#define LOAD_AS(T, p) ({ T v_; __builtin_memcpy(&v_, (p), sizeof v_); v_; })
#define STORE_AS(p, value) ({ const __typeof__(value) v_ = (value); __builtin_memcpy((p), &v_, sizeof v_); })
typedef uint64_t quad_u64 __attribute__((ext_vector_type(4)));
typedef uint32_t oct_u32 __attribute__((ext_vector_type(8)));
typedef uint16_t oct_u16 __attribute__((ext_vector_type(8)));
typedef uint8_t oct_u8 __attribute__((ext_vector_type(8)));
typedef uint64_t pair_u64 __attribute__((ext_vector_type(2)));

/* ---- Tiles ------------------------------------------------------------------------------------------------------------ */
/* A square of rows `from` apart, turned into rows `to` apart: in stages that exchange halves, quarters, ... of pairs of rows. */
#define MIX __builtin_shufflevector
INLINE void tile_u64(const uint64_t *s, int64_t from, uint64_t *d, int64_t to) {
  quad_u64 r[4];
  for (int k = 0; k < 4; k++) r[k] = LOAD_AS(quad_u64, s + k * from);
  const quad_u64 a = MIX(r[0], r[1], 0, 4, 2, 6), b = MIX(r[0], r[1], 1, 5, 3, 7), c = MIX(r[2], r[3], 0, 4, 2, 6), e = MIX(r[2], r[3], 1, 5, 3, 7);
  STORE_AS(d, MIX(a, c, 0, 1, 4, 5));
  STORE_AS(d + to, MIX(b, e, 0, 1, 4, 5));
  STORE_AS(d + 2 * to, MIX(a, c, 2, 3, 6, 7));
  STORE_AS(d + 3 * to, MIX(b, e, 2, 3, 6, 7));
}
/* Rows of two or three side by side, taken apart into as many lines `to` apart, and the way back; the count of rows done. */
INLINE int64_t apart_u64(const uint64_t *s, int64_t width, uint64_t *d, int64_t to, int64_t n) {
  int64_t j = 0;
  if (width == 2)
    for (; j + 4 <= n; j += 4) {
      const quad_u64 u = LOAD_AS(quad_u64, s + 2 * j), v = LOAD_AS(quad_u64, s + 2 * j + 4);
      STORE_AS(d + j, MIX(u, v, 0, 2, 4, 6));
      STORE_AS(d + to + j, MIX(u, v, 1, 3, 5, 7));
    }
  else
    for (; j + 4 <= n; j += 4) {
      const quad_u64 u = LOAD_AS(quad_u64, s + 3 * j), v = LOAD_AS(quad_u64, s + 3 * j + 4), w = LOAD_AS(quad_u64, s + 3 * j + 8);
      STORE_AS(d + j, MIX(MIX(u, v, 0, 3, 6, -1), w, 0, 1, 2, 5));
      STORE_AS(d + to + j, MIX(MIX(u, v, 1, 4, 7, -1), w, 0, 1, 2, 6));
      STORE_AS(d + 2 * to + j, MIX(MIX(u, v, 2, 5, -1, -1), w, 0, 1, 4, 7));
    }
  return j;
}
INLINE int64_t together_u64(const uint64_t *s, int64_t from, uint64_t *d, int64_t width, int64_t n) {
  int64_t i = 0;
  if (width == 2)
    for (; i + 4 <= n; i += 4) {
      const quad_u64 x = LOAD_AS(quad_u64, s + i), y = LOAD_AS(quad_u64, s + from + i);
      STORE_AS(d + 2 * i, MIX(x, y, 0, 4, 1, 5));
      STORE_AS(d + 2 * i + 4, MIX(x, y, 2, 6, 3, 7));
    }
  else
    for (; i + 4 <= n; i += 4) {
      const quad_u64 x = LOAD_AS(quad_u64, s + i), y = LOAD_AS(quad_u64, s + from + i), z = LOAD_AS(quad_u64, s + 2 * from + i);
      STORE_AS(d + 3 * i, MIX(MIX(x, y, 0, 4, 1, -1), z, 0, 1, 4, 2));
      STORE_AS(d + 3 * i + 4, MIX(MIX(x, y, 5, 2, 6, -1), z, 0, 5, 1, 2));
      STORE_AS(d + 3 * i + 8, MIX(MIX(x, y, 3, 7, -1, -1), z, 6, 0, 1, 7));
    }
  return i;
}
#define STAGE(V, h, ...)                                           \
  for (int k = 0; k < 8; k++)                                      \
    if (!(k & h)) {                                                \
      const V a = r[k], b = r[k + h];                              \
      r[k] = HALVES_##h(a, b, 0), r[k + h] = HALVES_##h(a, b, h);  \
    }
#define HALVES_1(a, b, o) MIX(a, b, o, 8 + o, 2 + o, 10 + o, 4 + o, 12 + o, 6 + o, 14 + o)
#define HALVES_2(a, b, o) MIX(a, b, o, 1 + o, 8 + o, 9 + o, 4 + o, 5 + o, 12 + o, 13 + o)
#define HALVES_4(a, b, o) MIX(a, b, o, 1 + o, 2 + o, 3 + o, 8 + o, 9 + o, 10 + o, 11 + o)
#define TILE_8(U, name)                                                                       \
  INLINE void tile_##name(const U *s, int64_t from, U *d, int64_t to) {                       \
    oct_##name r[8];                                                                          \
    for (int k = 0; k < 8; k++) r[k] = LOAD_AS(oct_##name, s + k * from);                     \
    STAGE(oct_##name, 1) STAGE(oct_##name, 2) STAGE(oct_##name, 4)                            \
    for (int k = 0; k < 8; k++) STORE_AS(d + k * to, r[k]);                                   \
  }
TILE_8(uint32_t, u32)
TILE_8(uint16_t, u16)
TILE_8(uint8_t, u8)
#undef TILE_8
#undef STAGE
#undef HALVES_1
#undef HALVES_2
#undef HALVES_4
#undef MIX

/* ---- Fills ---------------------------------------------------------------------------------------------------------------- */
typedef uint8_t fill_u8 __attribute__((ext_vector_type(WIDTH)));
typedef uint16_t fill_u16 __attribute__((ext_vector_type(WIDTH / 2)));
typedef uint32_t fill_u32 __attribute__((ext_vector_type(WIDTH / 4)));
typedef uint64_t fill_u64 __attribute__((ext_vector_type(WIDTH / 8)));
#define FILL(U, name)                                                                          \
  static void filled_##name(const void *value, void *dst, size_t n) {                          \
    enum { L = WIDTH / sizeof(U) };                                                            \
    const U one = LOAD_AS(U, value);                                                           \
    U *d = dst;                                                                                \
    const fill_##name v = (fill_##name)one;                                                    \
    if (n < L) {                                                                               \
      for (size_t i = 0; i < n; i++) d[i] = one;                                               \
      return;                                                                                  \
    }                                                                                          \
    size_t i = 0;                                                                              \
    for (; i + 4 * L <= n; i += 4 * L)                                                         \
      for (size_t k = 0; k < 4; k++) STORE_AS(d + i + k * L, v);                               \
    for (; i + L <= n; i += L) STORE_AS(d + i, v);                                             \
    if (i < n) STORE_AS(d + n - L, v);                                                         \
  }
/* A run of one number is stored in whole vectors, and the next run over what stands too much. */
#define STRETCH(U, name)                                                                       \
  static void stretch_##name(const void *px, void *py, size_t start, size_t n, size_t rep, size_t period) { \
    enum { L = WIDTH / sizeof(U) };                                                            \
    const U *x = px;                                                                           \
    U *y = py;                                                                                 \
    size_t k = start / rep % period, done = 0, run = rep - start % rep;                        \
    const size_t whole = (rep + L - 1) / L * L;                                                \
    while (done < n) {                                                                         \
      if (run == rep && n - done >= whole) {                                                   \
        const fill_##name v = (fill_##name)x[k];                                               \
        for (size_t i = 0; i < rep; i += L) STORE_AS(y + done + i, v);                         \
      } else {                                                                                 \
        if (run > n - done) run = n - done;                                                    \
        filled_##name(x + k, y + done, run);                                                   \
      }                                                                                        \
      done += run;                                                                             \
      run = rep;                                                                               \
      if (++k == period) k = 0;                                                                \
    }                                                                                          \
  }
FILL(uint8_t, u8) STRETCH(uint8_t, u8)
FILL(uint16_t, u16) STRETCH(uint16_t, u16)
FILL(uint32_t, u32) STRETCH(uint32_t, u32)
FILL(uint64_t, u64) STRETCH(uint64_t, u64)
#undef FILL
#undef STRETCH

/* ---- Runs of bytes ------------------------------------------------------------------------------------------------------ */
/* BODY with RUN(to, from), which copies `bytes` bytes: by two moves that may overlap, or a loop of them; chosen outside BODY's loop. */
#define TWICE(T, to, from) ({ const T a_ = LOAD_AS(T, from), b_ = LOAD_AS(T, (from) + bytes - sizeof(T)); STORE_AS(to, a_); STORE_AS((to) + bytes - sizeof(T), b_); })
typedef uint8_t line_u8 __attribute__((ext_vector_type(32)));
INLINE void run_lines(char *to, const char *from, size_t bytes) {
  for (size_t i = 0; i + 32 < bytes; i += 32) STORE_AS(to + i, LOAD_AS(line_u8, from + i));
  STORE_AS(to + bytes - 32, LOAD_AS(line_u8, from + bytes - 32));
}
#define RUNS(BODY)                                                                                   \
  switch (bytes < 4 ? bytes : bytes < 8 ? 4 : bytes == 8 ? 8 : bytes <= 16 ? 9 : bytes <= 32 ? 16 : bytes <= 512 ? 32 : 512) { \
  case 0: break;                                                                                     \
  case 1: { BODY(*to_ = *from_) } break;                                                             \
  case 2: { BODY(STORE_AS(to_, LOAD_AS(uint16_t, from_))) } break;                                   \
  case 3: { BODY((to_[0] = from_[0], to_[1] = from_[1], to_[2] = from_[2])) } break;                 \
  case 4: { BODY(TWICE(uint32_t, to_, from_)) } break;                                               \
  case 8: { BODY(STORE_AS(to_, LOAD_AS(uint64_t, from_))) } break;                                   \
  case 9: { BODY(TWICE(uint64_t, to_, from_)) } break;                                               \
  case 16: { BODY(TWICE(pair_u64, to_, from_)) } break;                                              \
  case 32: { BODY(run_lines(to_, from_, bytes)) } break;                                             \
  default: { BODY(memcpy(to_, from_, bytes)) } break;                                                \
  }

/* ---- Planes: the two innermost axes of a strided copy ----------------------------------------------------------------------- */
#define PLANE(U, name, T)                                                                                       \
  static void plane_##name(const void *ps, void *pd, ck_axis a, ck_axis b) {                                    \
    const U *s = ps;                                                                                            \
    U *d = pd;                                                                                                  \
    if (b.dst == 1 && b.src == 1) {                                                                             \
      const size_t bytes = (size_t)b.n * sizeof(U);                                                             \
      const int64_t s_row = a.src * (int64_t)sizeof(U), d_row = a.dst * (int64_t)sizeof(U);                     \
      RUNS(ROWS_OF_RUNS)                                                                                        \
    } else if (b.dst == 1 && b.src == 0) {                                                                      \
      for (int64_t i = 0; i < a.n; i++) {                                                                       \
        const U v = s[i * a.src];                                                                               \
        for (int64_t j = 0; j < b.n; j++) d[i * a.dst + j] = v;                                                 \
      }                                                                                                         \
    } else if (b.dst == 1 && a.src == 1) {                                                                      \
      int64_t i_done = 0, j_done = 0;                                                                           \
      if (sizeof(U) == 8 && (a.n == 2 || a.n == 3) && b.src == a.n) j_done = apart_u64(ps, a.n, pd, a.dst, b.n); \
      else if (sizeof(U) == 8 && (b.n == 2 || b.n == 3) && a.dst == b.n) i_done = together_u64(ps, b.src, pd, b.n, a.n); \
      const int64_t side = sizeof(U) == 8 ? 8 : 16, i_side = b.n < T ? 64 : side, j_side = a.n < T ? 64 : side; \
      for (int64_t i0 = i_done; i0 < a.n; i0 += i_side)                                                         \
        for (int64_t j0 = j_done; j0 < b.n; j0 += j_side) {                                                     \
          const int64_t i1 = a.n - i0 < i_side ? a.n : i0 + i_side, j1 = b.n - j0 < j_side ? b.n : j0 + j_side; \
          const int64_t it = i0 + ((i1 - i0) & ~(int64_t)(T - 1)), jt = j0 + ((j1 - j0) & ~(int64_t)(T - 1));   \
          for (int64_t i = i0; i < it; i += T)                                                                  \
            for (int64_t j = j0; j < jt; j += T) tile_##name(s + i + j * b.src, b.src, d + i * a.dst + j, a.dst); \
          for (int64_t i = i0; i < i1; i++)                                                                     \
            for (int64_t j = i < it ? jt : j0; j < j1; j++) d[i * a.dst + j] = s[i + j * b.src];                \
        }                                                                                                       \
    } else {                                                                                                    \
      for (int64_t i = 0; i < a.n; i++)                                                                         \
        for (int64_t j = 0; j < b.n; j++) d[i * a.dst + j * b.dst] = s[i * a.src + j * b.src];                  \
    }                                                                                                           \
  }
#define ROWS_OF_RUNS(RUN)                                                                                       \
  for (int64_t i = 0; i < a.n; i++) {                                                                           \
    char *to_ = (char *)d + i * d_row;                                                                          \
    const char *from_ = (const char *)s + i * s_row;                                                            \
    RUN;                                                                                                        \
  }
PLANE(uint8_t, u8, 8)
PLANE(uint16_t, u16, 8)
PLANE(uint32_t, u32, 8)
PLANE(uint64_t, u64, 4)
#undef PLANE
#undef ROWS_OF_RUNS

/* ---- Indices -------------------------------------------------------------------------------------------------------------- */
/* The row that index j names; it was found to lie inside. */
#define ROW_AT(I, j) ({ const int64_t i_ = (int64_t)((const I *)index)[j]; (size_t)(i_ < 0 ? i_ + (int64_t)n : i_); })
/* Unsigned differences, whose top bit is set where an index lies outside: they wrap for such indices alone. */
#define INSIDE(I, name)                                                                              \
  static bool inside_##name(const void *index, size_t m, size_t n) {                                 \
    const I *p = index;                                                                              \
    uint64_t out = 0;                                                                                \
    for (size_t j = 0; j < m; j++) out |= ((uint64_t)n - 1 - (uint64_t)(int64_t)p[j]) | ((uint64_t)(int64_t)p[j] + (uint64_t)n); \
    return out >> 63 == 0;                                                                           \
  }
INSIDE(int64_t, i64)
INSIDE(int32_t, i32)
#undef INSIDE

/* m rows of `bytes` bytes, those that the indices name. */
#define GATHER(I, name)                                                                              \
  static void gather_##name(const void *x, const void *index, void *out, size_t n, size_t m, size_t bytes) { \
    RUNS(NAMED_ROWS_##name)                                                                          \
  }
#define NAMED_ROWS(I, RUN)                                                                           \
  for (size_t j = 0; j < m; j++) {                                                                   \
    char *to_ = (char *)out + j * bytes;                                                             \
    const char *from_ = (const char *)x + ROW_AT(I, j) * bytes;                                      \
    RUN;                                                                                             \
  }
#define NAMED_ROWS_i64(RUN) NAMED_ROWS(int64_t, RUN)
#define NAMED_ROWS_i32(RUN) NAMED_ROWS(int32_t, RUN)
GATHER(int64_t, i64)
GATHER(int32_t, i32)
#undef GATHER
#undef NAMED_ROWS
#undef NAMED_ROWS_i64
#undef NAMED_ROWS_i32

/* Rows of updates added where the indices say, j ascending, within a window of rows and columns: an element of the result gets the same
 * sum in any window that holds it. */
#define SCATTER(name, S, U, value, op)                                                               \
  static void scatter_##name(const ck_window *w, const void *index, const void *updates, void *sums) { \
    const size_t n = w->n, inner = w->inner, columns = w->inner_end - w->inner_first;                \
    const bool whole = w->first == 0 && w->end == n;                                                 \
    if (w->wide) SCATTER_ROWS(int64_t, S, U, value, op)                                              \
    else SCATTER_ROWS(int32_t, S, U, value, op)                                                      \
  }
#define SCATTER_ROWS(I, S, U, value, op) {                                                           \
    const U *u = updates;                                                                            \
    S *s = sums;                                                                                     \
    if (inner == 1 && whole)                                                                         \
      for (size_t j = 0; j < w->m; j++, u++) { const size_t r = ROW_AT(I, j); s[r] = (S)(s[r] op (value)); } \
    else if (inner == 1)                                                                             \
      for (size_t j = 0; j < w->m; j++, u++) {                                                       \
        const size_t r = ROW_AT(I, j);                                                               \
        if (r - w->first < w->end - w->first) s[r] = (S)(s[r] op (value));                           \
      }                                                                                              \
    else                                                                                             \
      for (size_t j = 0; j < w->m; j++) {                                                            \
        const size_t r = ROW_AT(I, j);                                                               \
        if (r - w->first >= w->end - w->first) continue;                                             \
        S *const row = s + r * inner + w->inner_first;                                               \
        const U *u = (const U *)updates + j * inner + w->inner_first;                                \
        for (size_t i = 0; i < columns; i++, u++) row[i] = (S)(row[i] op (value));                   \
      }                                                                                              \
  }
SCATTER(f64, double, double, *u, +)
SCATTER(f32, float, float, *u, +)
SCATTER(f16, float, uint16_t, ck_f32_of_f16(*u), +)
SCATTER(bf16, float, uint16_t, ck_f32_of_bf16(*u), +)
SCATTER(i64, uint64_t, uint64_t, *u, +)
SCATTER(i32, uint32_t, uint32_t, *u, +)
SCATTER(bool, uint8_t, uint8_t, *u, |)
#undef SCATTER
#undef SCATTER_ROWS
#undef ROW_AT

/* ---- Random words as uniform numbers ------------------------------------------------------------------------------------------ */
#define UNIFORM(name, E, value)                                                                      \
  static void uniform_##name(const uint32_t *words, void *out, size_t n) {                           \
    E *o = out;                                                                                      \
    for (size_t j = 0; j < n; j++) o[j] = (E)(value);                                                \
  }
UNIFORM(f64, double, (double)(int64_t)(((uint64_t)words[2 * j + 1] << 32 | words[2 * j]) >> 11) * 0x1p-53)
UNIFORM(f32, float, (float)(int32_t)(words[j] >> 8) * 0x1p-24f)
UNIFORM(f16, uint16_t, ck_f16_of_f32((float)(int32_t)(words[j] >> 21) * 0x1p-11f))
UNIFORM(bf16, uint16_t, ck_bf16_of_f32((float)(int32_t)(words[j] >> 24) * 0x1p-8f))
#undef UNIFORM
#undef RUNS
#undef TWICE
#undef LOAD_AS
#undef STORE_AS
