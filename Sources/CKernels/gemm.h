/* Products in floating dtypes: what gemm.inc needs of one instruction set. */
#define UNROLL _Pragma("clang loop unroll(full)")
#define I64_PART(n) ({ v_i64 m_; for (int l_ = 0; l_ < WIDTH / 8; l_++) m_[l_] = l_; m_ < (int64_t)(n); })
#define I32_PART(n) ({ v_i32 m_; for (int l_ = 0; l_ < WIDTH / 4; l_++) m_[l_] = l_; m_ < (int32_t)(n); })

/* Interleaves the first halves, and the second ones. */
#define LOW_2(x, y) __builtin_shufflevector(x, y, 0, 2)
#define HIGH_2(x, y) __builtin_shufflevector(x, y, 1, 3)
#define LOW_4(x, y) __builtin_shufflevector(x, y, 0, 4, 1, 5)
#define HIGH_4(x, y) __builtin_shufflevector(x, y, 2, 6, 3, 7)
#define LOW_8(x, y) __builtin_shufflevector(x, y, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_8(x, y) __builtin_shufflevector(x, y, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW_16(x, y) __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_16(x, y) __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define EVEN_2(x, y) __builtin_shufflevector(x, y, 0, 2)
#define EVEN_4(x, y) __builtin_shufflevector(x, y, 0, 2, 4, 6)
#define EVEN_8(x, y) __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14)
#define EVEN_16(x, y) __builtin_shufflevector(x, y, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
/* Each round is a perfect shuffle of all elements; as many as a lane's number has bits make y[j][i] = x[i][j]. */
#define SHUFFLE(n, x, y) UNROLL for (int i_ = 0; i_ < n / 2; i_++) y[2 * i_] = LOW_##n(x[i_], x[i_ + n / 2]), y[2 * i_ + 1] = HIGH_##n(x[i_], x[i_ + n / 2]);
#define TRANSPOSE_2(x, y) SHUFFLE(2, x, y)
#define TRANSPOSE_4(x, y) { SHUFFLE(4, x, y) SHUFFLE(4, y, x) UNROLL for (int i_ = 0; i_ < 4; i_++) y[i_] = x[i_]; }
#define TRANSPOSE_8(x, y) { SHUFFLE(8, x, y) SHUFFLE(8, y, x) SHUFFLE(8, x, y) }
#define TRANSPOSE_16(x, y) { SHUFFLE(16, x, y) SHUFFLE(16, y, x) SHUFFLE(16, x, y) SHUFFLE(16, y, x) UNROLL for (int i_ = 0; i_ < 16; i_++) y[i_] = x[i_]; }
/* AVX-512 has 32 registers, the others 16; a product that is rounded before it is added takes one more. */
#if LEVEL == 2
#define ROWS 8
#define VECTORS 3
#define PART_F64_AT(p, n) ((v_f64)_mm512_maskz_loadu_pd((__mmask8)((1u << (n)) - 1), (p)))
#define PART_F64_TO(p, v, n) _mm512_mask_storeu_pd((p), (__mmask8)((1u << (n)) - 1), (__m512d)(v))
#define PART_F32_AT(p, n) ((v_f32)_mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), (p)))
#define PART_F32_TO(p, v, n) _mm512_mask_storeu_ps((p), (__mmask16)((1u << (n)) - 1), (__m512)(v))
#define SPAN_F64_AT(p, low, high) ((v_f64)_mm512_maskz_loadu_pd((__mmask8)((1u << (high)) - (1u << (low))), (p)))
#define SPAN_F64_OF(x, y, low, high) ((v_f64)_mm512_mask_blend_pd((__mmask8)((1u << (high)) - (1u << (low))), (__m512d)(y), (__m512d)(x)))
#define SPAN_F32_AT(p, low, high) ((v_f32)_mm512_maskz_loadu_ps((__mmask16)((1u << (high)) - (1u << (low))), (p)))
#define SPAN_F32_OF(x, y, low, high) ((v_f32)_mm512_mask_blend_ps((__mmask16)((1u << (high)) - (1u << (low))), (__m512)(y), (__m512)(x)))
#elif LEVEL == 1 && WIDTH == 32
#define ROWS 4
#define VECTORS 3
#define PART_F64_AT(p, n) ((v_f64)_mm256_maskload_pd((p), (__m256i)I64_PART(n)))
#define PART_F64_TO(p, v, n) _mm256_maskstore_pd((p), (__m256i)I64_PART(n), (__m256d)(v))
#define PART_F32_AT(p, n) ((v_f32)_mm256_maskload_ps((p), (__m256i)I32_PART(n)))
#define PART_F32_TO(p, v, n) _mm256_maskstore_ps((p), (__m256i)I32_PART(n), (__m256)(v))
#define SPAN_F64_AT(p, low, high) ((v_f64)_mm256_maskload_pd((p), (__m256i)(I64_PART(high) & ~I64_PART(low))))
#define SPAN_F64_OF(x, y, low, high) ((v_f64)_mm256_blendv_pd((__m256d)(y), (__m256d)(x), (__m256d)(I64_PART(high) & ~I64_PART(low))))
#define SPAN_F32_AT(p, low, high) ((v_f32)_mm256_maskload_ps((p), (__m256i)(I32_PART(high) & ~I32_PART(low))))
#define SPAN_F32_OF(x, y, low, high) ((v_f32)_mm256_blendv_ps((__m256)(y), (__m256)(x), (__m256)(I32_PART(high) & ~I32_PART(low))))
#else
#if defined __aarch64__
#define ROWS 8   /* 32 registers */
#else
#define ROWS 4
#endif
#define VECTORS 3
#define PART_AT_(V, L, p, n) ({ V v_ = (V)0; for (size_t l_ = 0; l_ < (n); l_++) v_[l_] = (p)[l_]; v_; })
#define PART_TO_(V, L, p, v, n) ({ const V v_ = (v); for (size_t l_ = 0; l_ < (n); l_++) (p)[l_] = v_[l_]; })
#define PART_F64_AT(p, n) PART_AT_(v_f64, 2, p, n)
#define PART_F64_TO(p, v, n) PART_TO_(v_f64, 2, p, v, n)
#define PART_F32_AT(p, n) PART_AT_(v_f32, 4, p, n)
#define PART_F32_TO(p, v, n) PART_TO_(v_f32, 4, p, v, n)
#define SPAN_AT_(V, p, low, high) ({ V v_ = (V)0; for (int64_t l_ = (low); l_ < (high); l_++) v_[l_] = (p)[l_]; v_; })
#define SPAN_OF_(V, x, y, low, high) ({ const V x_ = (x); V v_ = (y); for (int64_t l_ = (low); l_ < (high); l_++) v_[l_] = x_[l_]; v_; })
#define SPAN_F64_AT(p, low, high) SPAN_AT_(v_f64, p, low, high)
#define SPAN_F64_OF(x, y, low, high) SPAN_OF_(v_f64, x, y, low, high)
#define SPAN_F32_AT(p, low, high) SPAN_AT_(v_f32, p, low, high)
#define SPAN_F32_OF(x, y, low, high) SPAN_OF_(v_f32, x, y, low, high)
#endif

#define E double
#define V v_f64
#define L (WIDTH / 8)
#define DT _f64
#define PART_AT(p, n) PART_F64_AT(p, n)
#define PART_TO(p, v, n) PART_F64_TO(p, v, n)
#define SPAN_AT(p, low, high) SPAN_F64_AT(p, low, high)
#define SPAN_OF(x, y, low, high) SPAN_F64_OF(x, y, low, high)
#if WIDTH == 16
#define TRANSPOSE(x, y) TRANSPOSE_2(x, y)
#define EVEN(x, y) EVEN_2(x, y)
#elif WIDTH == 32
#define TRANSPOSE(x, y) TRANSPOSE_4(x, y)
#define EVEN(x, y) EVEN_4(x, y)
#else
#define TRANSPOSE(x, y) TRANSPOSE_8(x, y)
#define EVEN(x, y) EVEN_8(x, y)
#endif
#include "gemm.inc"
#define E float
#define V v_f32
#define L (WIDTH / 4)
#define DT _f32
#define PART_AT(p, n) PART_F32_AT(p, n)
#define PART_TO(p, v, n) PART_F32_TO(p, v, n)
#define SPAN_AT(p, low, high) SPAN_F32_AT(p, low, high)
#define SPAN_OF(x, y, low, high) SPAN_F32_OF(x, y, low, high)
#if WIDTH == 16
#define TRANSPOSE(x, y) TRANSPOSE_4(x, y)
#define EVEN(x, y) EVEN_4(x, y)
#elif WIDTH == 32
#define TRANSPOSE(x, y) TRANSPOSE_8(x, y)
#define EVEN(x, y) EVEN_8(x, y)
#else
#define TRANSPOSE(x, y) TRANSPOSE_16(x, y)
#define EVEN(x, y) EVEN_16(x, y)
#endif
#include "gemm.inc"
