/* The allocator that may fail. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "private.h"

/* ---- Memory ------------------------------------------------------------------------------------------------------- */
/* A block begins with a line that holds its size. */
enum { LINE = 64 };
static _Atomic(int64_t) live_bytes, alloc_count, fail_after = -1;

/* Counts a call; true when it is the one that has to fail. */
static bool must_fail(void) {
  atomic_fetch_add_explicit(&alloc_count, 1, memory_order_relaxed);
  int64_t left = atomic_load_explicit(&fail_after, memory_order_relaxed);
  while (left >= 0)
    if (atomic_compare_exchange_weak_explicit(&fail_after, &left, left - 1, memory_order_relaxed, memory_order_relaxed))
      return left == 0;
  return false;
}

/* From here on a block has pages of its own, which grow without being copied. */
#define OWN_PAGES ((size_t)1 << 20)

void *ck_alloc(size_t bytes) {
  void *p = NULL;
  if (must_fail() || bytes > SIZE_MAX / 2) return NULL;
  if (bytes >= OWN_PAGES) {
    p = mmap(NULL, bytes + LINE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    madvise(p, bytes + LINE, MADV_HUGEPAGE);
  } else if (posix_memalign(&p, LINE, bytes + LINE) != 0) {
    return NULL;
  }
  *(size_t *)p = bytes;
  atomic_fetch_add_explicit(&live_bytes, (int64_t)bytes, memory_order_relaxed);
  return (char *)p + LINE;
}
void ck_free(void *p) {
  if (!p) return;
  void *block = (char *)p - LINE;
  const size_t bytes = *(size_t *)block;
  atomic_fetch_sub_explicit(&live_bytes, (int64_t)bytes, memory_order_relaxed);
  if (bytes >= OWN_PAGES) munmap(block, bytes + LINE);
  else free(block);
}
/* On failure the old block stays. */
void *ck_realloc(void *p, size_t old_bytes, size_t bytes) {
  if (p && bytes >= OWN_PAGES && bytes <= SIZE_MAX / 2) {
    void *block = (char *)p - LINE;
    const size_t held = *(size_t *)block;
    if (held >= OWN_PAGES) {
      if (must_fail()) return NULL;
      void *q = mremap(block, held + LINE, bytes + LINE, MREMAP_MAYMOVE);
      if (q == MAP_FAILED) return NULL;
      *(size_t *)q = bytes;
      atomic_fetch_add_explicit(&live_bytes, (int64_t)bytes - (int64_t)held, memory_order_relaxed);
      return (char *)q + LINE;
    }
  }
  void *q = ck_alloc(bytes);
  if (!q) return NULL;
  if (p) memcpy(q, p, old_bytes < bytes ? old_bytes : bytes);
  ck_free(p);
  return q;
}
int64_t ck_live_bytes(void) { return atomic_load_explicit(&live_bytes, memory_order_relaxed); }
int64_t ck_alloc_count(void) { return atomic_load_explicit(&alloc_count, memory_order_relaxed); }
/* k = 0: the next call fails. */
void ck_fail_after(int64_t k) { atomic_store_explicit(&fail_after, k, memory_order_relaxed); }
