/* Sorting along an axis, the order that sorts, and the first k of it. Numbers become unsigned keys whose order is
 * theirs, NaN last; equal ones keep their order. Short lines are merged, long ones sorted digit by digit. */
#include "private.h"

enum { RUN = 16, MERGED = 384, FEW = 32 };

static inline uint64_t key_of_f64(uint64_t u) {
  if ((u & 0x7FFFFFFFFFFFFFFFu) > 0x7FF0000000000000u) return UINT64_MAX;
  return u >> 63 ? ~u : u | 1ull << 63;
}
static inline uint32_t key_of_f32(uint32_t u) {
  if ((u & 0x7FFFFFFFu) > 0x7F800000u) return UINT32_MAX;
  return u >> 31 ? ~u : u | 1u << 31;
}
static inline uint32_t key_of_16(uint16_t u, uint16_t infinite) {
  if ((u & 0x7FFFu) > infinite) return 0xFFFFu;
  return (uint16_t)(u >> 15 ? ~u : u | 0x8000u);
}
static const uint16_t infinite_16[2] = {0x7C00u, 0x7F80u};

/* The key of element i; `zeros` makes the two zeros one. */
static inline uint64_t wide_key(int dtype, const char *p, bool zeros) {
  uint64_t u;
  memcpy(&u, p, 8);
  if (dtype == CK_I64) return u ^ 1ull << 63;
  return key_of_f64(zeros && u == 1ull << 63 ? 0 : u);
}
static inline uint32_t near_key(int dtype, const char *p, bool zeros) {
  uint32_t u = 0;
  switch (dtype) {
  case CK_F32: memcpy(&u, p, 4); return key_of_f32(zeros && u == 1u << 31 ? 0 : u);
  case CK_I32: memcpy(&u, p, 4); return u ^ 1u << 31;
  case CK_BOOL: return *(const uint8_t *)p;
  default: memcpy(&u, p, 2); return key_of_16((uint16_t)(zeros && u == 0x8000u ? 0 : u), infinite_16[dtype - CK_F16]);
  }
}
static inline void wide_value(int dtype, uint64_t k, char *p) {
  const uint64_t u = dtype == CK_I64 ? k ^ 1ull << 63 : k == UINT64_MAX ? 0x7FF8000000000000u : k >> 63 ? k ^ 1ull << 63 : ~k;
  memcpy(p, &u, 8);
}
static inline void near_value(int dtype, uint32_t k, char *p) {
  if (dtype == CK_BOOL) *(uint8_t *)p = (uint8_t)k;
  else if (dtype == CK_F32 || dtype == CK_I32) {
    const uint32_t u = dtype == CK_I32 ? k ^ 1u << 31 : k == UINT32_MAX ? 0x7FC00000u : k >> 31 ? k ^ 1u << 31 : ~k;
    memcpy(p, &u, 4);
  } else {
    const uint16_t u = (uint16_t)(k == 0xFFFFu ? infinite_16[dtype - CK_F16] | (dtype == CK_F16 ? 0x200u : 0x40u) : k >> 15 ? k ^ 0x8000u : ~k);
    memcpy(p, &u, 2);
  }
}

typedef struct wide_pair { uint64_t key; uint32_t at; } wide_pair;
typedef struct near_pair { uint32_t key, at; } near_pair;
#define OWN(e) (e)
#define PAIRED(e) ((e).key)

/* Sorts a[0 .. n), stable; the result lies in a or in b, which is told. */
#define SORT(name, T, KEY, BYTES)                                                             \
  static T *sort_##name(T *a, T *b, size_t n) {                                               \
    if (n < MERGED) {                                                                         \
      for (size_t r = 0; r < n; r += RUN) {                                                   \
        const size_t end = r + RUN < n ? r + RUN : n;                                         \
        for (size_t i = r + 1; i < end; i++) {                                                \
          const T v = a[i];                                                                   \
          size_t j = i;                                                                       \
          for (; j > r && KEY(a[j - 1]) > KEY(v); j--) a[j] = a[j - 1];                       \
          a[j] = v;                                                                           \
        }                                                                                     \
      }                                                                                       \
      for (size_t w = RUN; w < n; w *= 2) {                                                   \
        for (size_t r = 0; r < n; r += 2 * w) {                                               \
          size_t i = r, j = r + w < n ? r + w : n;                                            \
          const size_t i_end = j, j_end = r + 2 * w < n ? r + 2 * w : n;                      \
          for (size_t k = r; k < j_end; k++) {                                                \
            const bool left = i < i_end && (j >= j_end || KEY(a[i]) <= KEY(a[j]));            \
            b[k] = left ? a[i++] : a[j++];                                                    \
          }                                                                                   \
        }                                                                                     \
        T *const swapped = a;                                                                 \
        a = b;                                                                                \
        b = swapped;                                                                          \
      }                                                                                       \
      return a;                                                                               \
    }                                                                                         \
    uint32_t counts[BYTES][256];                                                              \
    memset(counts, 0, sizeof counts);                                                         \
    for (size_t i = 0; i < n; i++)                                                            \
      for (int d = 0; d < BYTES; d++) counts[d][KEY(a[i]) >> 8 * d & 255]++;                  \
    for (int d = 0; d < BYTES; d++) {                                                         \
      if (counts[d][KEY(a[0]) >> 8 * d & 255] == n) continue;                                 \
      uint32_t sum = 0;                                                                       \
      for (int v = 0; v < 256; v++) {                                                         \
        const uint32_t c = counts[d][v];                                                      \
        counts[d][v] = sum;                                                                   \
        sum += c;                                                                             \
      }                                                                                       \
      for (size_t i = 0; i < n; i++) b[counts[d][KEY(a[i]) >> 8 * d & 255]++] = a[i];         \
      T *const swapped = a;                                                                   \
      a = b;                                                                                  \
      b = swapped;                                                                            \
    }                                                                                         \
    return a;                                                                                 \
  }
SORT(wide, uint64_t, OWN, 8)
SORT(near, uint32_t, OWN, 4)
SORT(wide_pairs, wide_pair, PAIRED, 8)
SORT(near_pairs, near_pair, PAIRED, 4)

static bool is_wide(int dtype) { return ck_sizes[dtype] == 8; }
size_t ck_sort_scratch(int dtype, bool places, size_t n) { return 2 * n * (is_wide(dtype) ? places ? sizeof(wide_pair) : 8 : places ? sizeof(near_pair) : 4); }

/* Line k of [outer, n, inner]. */
#define LINE(k) ((k) / inner * n * inner + (k) % inner)

#define SORT_LINE(K, kind)                                                                             \
  {                                                                                                    \
    K *a = scratch, *const b = a + n;                                                                  \
    for (size_t i = 0; i < n; i++) {                                                                   \
      const K key = kind##_key(dtype, p + i * inner * size, false);                                    \
      a[i] = descending ? (K)~key : key;                                                               \
    }                                                                                                  \
    a = sort_##kind(a, b, n);                                                                          \
    for (size_t i = 0; i < n; i++) kind##_value(dtype, descending ? (K)~a[i] : a[i], q + i * inner * size); \
  }
void ck_sort(int dtype, bool descending, const void *x, void *out, size_t n, size_t inner, void *scratch, size_t first, size_t last) {
  const size_t size = ck_sizes[dtype];
  for (size_t k = first; k < last; k++) {
    const char *const p = (const char *)x + LINE(k) * size;
    char *const q = (char *)out + LINE(k) * size;
    if (is_wide(dtype)) SORT_LINE(uint64_t, wide) else SORT_LINE(uint32_t, near)
  }
}

/* The first `count` places of the order. Few of many are kept sorted as the line goes by. */
#define ARGSORT_LINE(T, K, kind)                                                                       \
  {                                                                                                    \
    T *a = scratch, *const b = a + n;                                                                  \
    if (count <= FEW && count < n) {                                                                   \
      size_t kept = 0;                                                                                 \
      for (size_t i = 0; count && i < n; i++) {                                                        \
        const K raw = kind##_key(dtype, p + i * inner * size, true), key = descending ? (K)~raw : raw; \
        if (kept == count && key >= a[kept - 1].key) continue;                                         \
        size_t j = kept < count ? kept++ : count - 1;                                                  \
        for (; j > 0 && a[j - 1].key > key; j--) a[j] = a[j - 1];                                      \
        a[j] = (T){key, (uint32_t)i};                                                                  \
      }                                                                                                \
    } else {                                                                                           \
      for (size_t i = 0; i < n; i++) {                                                                 \
        const K key = kind##_key(dtype, p + i * inner * size, true);                                   \
        a[i] = (T){descending ? (K)~key : key, (uint32_t)i};                                           \
      }                                                                                                \
      a = sort_##kind##_pairs(a, b, n);                                                                \
    }                                                                                                  \
    for (size_t i = 0; i < count; i++) q[i * inner] = a[i].at;                                         \
  }
void ck_argsort(int dtype, bool descending, const void *x, int64_t *out, size_t n, size_t count, size_t inner, void *scratch, size_t first, size_t last) {
  const size_t size = ck_sizes[dtype];
  for (size_t k = first; k < last; k++) {
    const char *const p = (const char *)x + LINE(k) * size;
    int64_t *const q = out + k / inner * count * inner + k % inner;
    if (is_wide(dtype)) ARGSORT_LINE(wide_pair, uint64_t, wide) else ARGSORT_LINE(near_pair, uint32_t, near)
  }
}
