/* Strided copies. The axes are put in order and merged first, so that a copy ends in one of four loops: a run of bytes, a
 * broadcast, a blocked transpose, or plain steps. */
#include "private.h"

/* 2^40 elements have no more axes longer than 1. */
enum { RANKS = 42 };

typedef struct axis { int64_t n, src, dst; } axis;

/* Drops axes of length 1, sorts by the stride of the destination (largest first), merges neighbours that are one run in both.
 * Returns the count of axes left; 0 when there is one element. */
static size_t simplify(size_t rank, const int64_t *shape, const int64_t *src, const int64_t *dst, axis *axes) {
  size_t count = 0;
  for (size_t k = 0; k < rank; k++) {
    if (shape[k] == 1) continue;
    size_t at = count++;
    for (; at > 0 && axes[at - 1].dst < dst[k]; at--) axes[at] = axes[at - 1];
    axes[at] = (axis){shape[k], src[k], dst[k]};
  }
  size_t kept = 0;
  for (size_t k = 0; k < count; k++) {
    axis *a = kept ? &axes[kept - 1] : NULL;
    if (a && a->src == axes[k].src * axes[k].n && a->dst == axes[k].dst * axes[k].n)
      *a = (axis){a->n * axes[k].n, axes[k].src, axes[k].dst};
    else axes[kept++] = axes[k];
  }
  return kept;
}

/* The two innermost axes; tiles of 16 x 16 keep both sides of a transpose in L1. */
#define PLANE(U)                                                                                                \
  static void plane_##U(const void *ps, void *pd, axis a, axis b) {                                             \
    const U *s = ps;                                                                                            \
    U *d = pd;                                                                                                  \
    if (b.dst == 1 && b.src == 1)                                                                               \
      for (int64_t i = 0; i < a.n; i++) memcpy(d + i * a.dst, s + i * a.src, (size_t)b.n * sizeof(U));          \
    else if (b.dst == 1 && b.src == 0)                                                                          \
      for (int64_t i = 0; i < a.n; i++) {                                                                       \
        const U v = s[i * a.src];                                                                               \
        for (int64_t j = 0; j < b.n; j++) d[i * a.dst + j] = v;                                                 \
      }                                                                                                         \
    else if (b.dst == 1 && a.src == 1)                                                                          \
      for (int64_t i0 = 0; i0 < a.n; i0 += 16)                                                                  \
        for (int64_t j0 = 0; j0 < b.n; j0 += 16) {                                                              \
          const int64_t i1 = a.n - i0 < 16 ? a.n : i0 + 16, j1 = b.n - j0 < 16 ? b.n : j0 + 16;                 \
          for (int64_t i = i0; i < i1; i++)                                                                     \
            for (int64_t j = j0; j < j1; j++) d[i * a.dst + j] = s[i + j * b.src];                              \
        }                                                                                                       \
    else                                                                                                        \
      for (int64_t i = 0; i < a.n; i++)                                                                         \
        for (int64_t j = 0; j < b.n; j++) d[i * a.dst + j * b.dst] = s[i * a.src + j * b.src];                  \
  }
PLANE(uint8_t)
PLANE(uint16_t)
PLANE(uint32_t)
PLANE(uint64_t)

void ck_copy_strided(size_t element_size, size_t rank, const int64_t *shape, const void *src, const int64_t *src_strides,
                     void *dst, const int64_t *dst_strides) {
  for (size_t k = 0; k < rank; k++)
    if (shape[k] <= 0) return;
  axis axes[RANKS];
  size_t count = simplify(rank, shape, src_strides, dst_strides, axes);
  if (count == 0) axes[count++] = (axis){1, 1, 1};
  if (count == 1) {                          /* a plane has two axes */
    axes[1] = axes[0];
    axes[0] = (axis){1, 0, 0};
    count = 2;
  }
  /* A transpose of more than two axes: bring the axis that runs along the source next to the one along the destination. */
  const axis inner = axes[count - 1];
  if (inner.dst == 1 && inner.src != 1)
    for (size_t k = 0; k + 2 < count; k++)
      if (axes[k].src == 1) {
        const axis moved = axes[k];
        for (size_t l = k; l + 2 < count; l++) axes[l] = axes[l + 1];
        axes[count - 2] = moved;
        break;
      }
  void (*const plane)(const void *, void *, axis, axis) =
    element_size == 1 ? plane_uint8_t : element_size == 2 ? plane_uint16_t : element_size == 4 ? plane_uint32_t : plane_uint64_t;
  const size_t outer = count - 2;
  int64_t at[RANKS] = {0};
  const char *s = src;
  char *d = dst;
  const int64_t size = (int64_t)element_size;
  for (;;) {
    plane(s, d, axes[count - 2], axes[count - 1]);
    size_t k = outer;
    for (; k > 0; k--) {
      const axis a = axes[k - 1];
      s += a.src * size, d += a.dst * size;
      if (++at[k - 1] < a.n) break;
      s -= a.n * a.src * size, d -= a.n * a.dst * size;
      at[k - 1] = 0;
    }
    if (k == 0) return;
  }
}
