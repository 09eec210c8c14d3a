/* Strided copies. The axes are put in order and merged first, so that a copy ends in one of four loops: a run of bytes, a
 * broadcast, a blocked transpose, or plain steps (moves.h). */
#include "private.h"

/* 2^40 elements have no more axes longer than 1. */
enum { RANKS = 42 };

/* Drops axes of length 1, sorts by the stride of the destination (largest first), merges neighbours that are one run in both.
 * Returns the count of axes left; 0 when there is one element. */
static size_t simplify(size_t rank, const int64_t *shape, const int64_t *src, const int64_t *dst, ck_axis *axes) {
  size_t count = 0;
  for (size_t k = 0; k < rank; k++) {
    if (shape[k] == 1) continue;
    size_t at = count++;
    for (; at > 0 && axes[at - 1].dst < dst[k]; at--) axes[at] = axes[at - 1];
    axes[at] = (ck_axis){shape[k], src[k], dst[k]};
  }
  size_t kept = 0;
  for (size_t k = 0; k < count; k++) {
    ck_axis *a = kept ? &axes[kept - 1] : NULL;
    if (a && a->src == axes[k].src * axes[k].n && a->dst == axes[k].dst * axes[k].n)
      *a = (ck_axis){a->n * axes[k].n, axes[k].src, axes[k].dst};
    else axes[kept++] = axes[k];
  }
  return kept;
}

void ck_copy_strided(size_t element_size, size_t rank, const int64_t *shape, const void *src, const int64_t *src_strides,
                     void *dst, const int64_t *dst_strides) {
  for (size_t k = 0; k < rank; k++)
    if (shape[k] <= 0) return;
  ck_axis axes[RANKS];
  size_t count = simplify(rank, shape, src_strides, dst_strides, axes);
  if (count == 0) axes[count++] = (ck_axis){1, 1, 1};
  if (count == 1) {                          /* a plane has two axes */
    axes[1] = axes[0];
    axes[0] = (ck_axis){1, 0, 0};
    count = 2;
  }
  /* A transpose of more than two axes: bring the axis that runs along the source next to the one along the destination. */
  const ck_axis inner = axes[count - 1];
  if (inner.dst == 1 && inner.src != 1)
    for (size_t k = 0; k + 2 < count; k++)
      if (axes[k].src == 1) {
        const ck_axis moved = axes[k];
        for (size_t l = k; l + 2 < count; l++) axes[l] = axes[l + 1];
        axes[count - 2] = moved;
        break;
      }
  void (*const plane)(const void *, void *, ck_axis, ck_axis) = ck_current()->plane[ck_log2_size(element_size)];
  const size_t outer = count - 2;
  int64_t at[RANKS] = {0};
  const char *s = src;
  char *d = dst;
  const int64_t size = (int64_t)element_size;
  for (;;) {
    plane(s, d, axes[count - 2], axes[count - 1]);
    size_t k = outer;
    for (; k > 0; k--) {
      const ck_axis a = axes[k - 1];
      s += a.src * size, d += a.dst * size;
      if (++at[k - 1] < a.n) break;
      s -= a.n * a.src * size, d -= a.n * a.dst * size;
      at[k - 1] = 0;
    }
    if (k == 0) return;
  }
}
