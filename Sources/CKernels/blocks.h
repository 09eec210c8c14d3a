/* The remaining loops of one instruction set: small products, finiteness, random words. */
#define GEMM_INTEGER(DT, U)                                                                                             \
  static void PASTE(gemm, DT)(size_t m, size_t n, size_t k, const void *pa, size_t a_row, size_t a_column,              \
                              const void *pb, size_t b_row, size_t b_column, void *pc, size_t c_row) {                  \
    const U *a = pa, *b = pb;                                                                                           \
    U *c = pc;                                                                                                          \
    for (size_t i = 0; i < m; i++)                                                                                      \
      for (size_t p = 0; p < k; p++) {                                                                                  \
        const U f = a[i * a_row + p * a_column];                                                                        \
        for (size_t j = 0; j < n; j++) c[i * c_row + j] += f * b[p * b_row + j * b_column];                             \
      }                                                                                                                 \
  }
GEMM_INTEGER(_i64, uint64_t)
GEMM_INTEGER(_i32, uint32_t)
#undef GEMM_INTEGER

/* An exponent of all ones is an infinity or a NaN. Blocks, so that the loop inside has no exit. */
#define FINITE(DT, U, MASK)                                                          \
  static bool PASTE(finite, DT)(const void *px, size_t n) {                          \
    const U *x = px;                                                                 \
    for (size_t i = 0; i < n; i += 1024) {                                           \
      const size_t end = n - i < 1024 ? n : i + 1024;                                \
      U bad = 0;                                                                     \
      for (size_t j = i; j < end; j++) bad |= (x[j] & (U)MASK) == (U)MASK;           \
      if (bad) return false;                                                         \
    }                                                                                \
    return true;                                                                     \
  }
FINITE(_f64, uint64_t, 0x7FF0000000000000ull)
FINITE(_f32, uint32_t, 0x7F800000u)
FINITE(_f16, uint16_t, 0x7C00u)
FINITE(_bf16, uint16_t, 0x7F80u)
#undef FINITE

/* Philox4x32-10 over 8 counters side by side. */
typedef uint64_t u64x8 __attribute__((ext_vector_type(8)));
static void philox(uint64_t key, uint64_t first, uint32_t stream, uint32_t *out, size_t blocks) {
  const u64x8 low = (u64x8)0xFFFFFFFFull;
  for (size_t i = 0; i < blocks; i += 8) {
    u64x8 counter = (u64x8)(first + i);
    for (int l = 0; l < 8; l++) counter[l] += (uint64_t)l;
    u64x8 c0 = counter & low, c1 = counter >> 32, c2 = (u64x8)(uint64_t)stream, c3 = (u64x8)0ull;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
      const u64x8 p0 = c0 * 0xD2511F53ull, p1 = c2 * 0xCD9E8D57ull;
      c0 = (p1 >> 32) ^ c1 ^ (u64x8)(uint64_t)k0;
      c1 = p1 & low;
      c2 = (p0 >> 32) ^ c3 ^ (u64x8)(uint64_t)k1;
      c3 = p0 & low;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    const u64x8 x = c1 << 32 | c0, y = c3 << 32 | c2;
    const u64x8 words[2] = {__builtin_shufflevector(x, y, 0, 8, 1, 9, 2, 10, 3, 11), __builtin_shufflevector(x, y, 4, 12, 5, 13, 6, 14, 7, 15)};
    if (blocks - i >= 8) memcpy(out + 4 * i, words, sizeof words);
    else memcpy(out + 4 * i, words, (blocks - i) * 16);
  }
}
