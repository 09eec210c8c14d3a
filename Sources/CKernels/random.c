/* Uniform numbers: a pure function of key and position. Stream 0 draws numbers, stream 1 folds keys. */
#include "private.h"

enum { BLOCKS = 256 };

void ck_random_uniform_part(int dtype, int64_t key, void *out, size_t first, size_t count) {
  const ck_table *t = ck_current();
  if (!t->uniform[dtype]) return;
  uint32_t words[4 * BLOCKS];
  const size_t a_block = dtype == CK_F64 ? 2 : 4, most = BLOCKS * a_block;
  for (size_t i = 0; i < count; i += most) {
    const size_t n = count - i < most ? count - i : most;
    t->philox((uint64_t)key, (first + i) / a_block, 0, words, (n + a_block - 1) / a_block);
    t->uniform[dtype](words, (char *)out + i * ck_sizes[dtype], n);
  }
}
void ck_random_uniform(int dtype, const int64_t *keys, void *out, size_t batch, size_t n) {
  for (size_t b = 0; b < batch; b++) ck_random_uniform_part(dtype, keys[b], (char *)out + b * n * ck_sizes[dtype], 0, n);
}

int64_t ck_fold_key(int64_t key, int64_t data) {
  uint32_t words[4];
  ck_current()->philox((uint64_t)key, (uint64_t)data, 1, words, 1);
  return (int64_t)((uint64_t)words[1] << 32 | words[0]);
}
