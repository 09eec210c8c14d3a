/* Uniform numbers: a pure function of key and position. Stream 0 draws numbers, stream 1 folds keys. */
#include "private.h"

enum { BLOCKS = 256 };

#define CONVERT(E, PER_BLOCK, value)                                                    \
  for (size_t i = 0; i < n; i += PER_BLOCK * BLOCKS) {                                  \
    const size_t count = n - i < PER_BLOCK * BLOCKS ? n - i : PER_BLOCK * BLOCKS;       \
    table->philox(key, i / PER_BLOCK, 0, words, (count + PER_BLOCK - 1) / PER_BLOCK);   \
    E *o = (E *)out + b * n + i;                                                        \
    for (size_t j = 0; j < count; j++) o[j] = (E)(value);                               \
  }

void ck_random_uniform(int dtype, const int64_t *keys, void *out, size_t batch, size_t n) {
  const ck_table *table = ck_current();
  uint32_t words[4 * BLOCKS];
  for (size_t b = 0; b < batch; b++) {
    const uint64_t key = (uint64_t)keys[b];
    switch (dtype) {
    case CK_F64: CONVERT(double, 2, (double)(int64_t)(((uint64_t)words[2 * j + 1] << 32 | words[2 * j]) >> 11) * 0x1p-53) break;
    case CK_F32: CONVERT(float, 4, (float)(int32_t)(words[j] >> 8) * 0x1p-24f) break;
    case CK_F16: CONVERT(uint16_t, 4, ck_f16_of_f32((float)(int32_t)(words[j] >> 21) * 0x1p-11f)) break;
    case CK_BF16: CONVERT(uint16_t, 4, ck_bf16_of_f32((float)(int32_t)(words[j] >> 24) * 0x1p-8f)) break;
    default: break;
    }
  }
}

int64_t ck_fold_key(int64_t key, int64_t data) {
  uint32_t words[4];
  ck_current()->philox((uint64_t)key, (uint64_t)data, 1, words, 1);
  return (int64_t)((uint64_t)words[1] << 32 | words[0]);
}
