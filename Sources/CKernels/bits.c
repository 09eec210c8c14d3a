/* Bools that are kept for long: eight to a byte, element i in bit i % 8 of byte i / 8. */
#include "private.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__x86_64__)
__attribute__((target("avx2"))) static size_t pack_avx2(const uint8_t *x, size_t n, uint8_t *out) {
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const uint32_t m = (uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(_mm256_loadu_si256((const __m256i *)(x + i)), 7));
    memcpy(out + i / 8, &m, 4);
  }
  return i;
}
__attribute__((target("avx2"))) static size_t unpack_avx2(const uint8_t *x, size_t n, uint8_t *out) {
  const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201ull), one = _mm256_set1_epi8(1);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    int32_t m;
    memcpy(&m, x + i / 8, 4);
    const __m256i b = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(m), spread), bit);
    _mm256_storeu_si256((__m256i *)(out + i), _mm256_and_si256(_mm256_cmpeq_epi8(b, bit), one));
  }
  return i;
}
#endif

void ck_pack_bits(const uint8_t *x, size_t n, uint8_t *out) {
  size_t i = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) i = pack_avx2(x, n, out);
#endif
  for (; i < n; i += 8) {
    uint8_t b = 0;
    for (size_t k = 0; k < 8 && i + k < n; k++) b |= (uint8_t)((x[i + k] & 1) << k);
    out[i / 8] = b;
  }
}

void ck_unpack_bits(const uint8_t *x, size_t n, uint8_t *out) {
  size_t i = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) i = unpack_avx2(x, n, out);
#endif
  for (; i < n; i++) out[i] = x[i / 8] >> (i % 8) & 1;
}
