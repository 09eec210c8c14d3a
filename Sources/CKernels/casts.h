/* The 49 casts of one instruction set. Every element is converted by itself; the compiler widens the loops. */
#if LEVEL > 0
INLINE uint16_t to_f16(float x) { const _Float16 h = (_Float16)x; uint16_t u; __builtin_memcpy(&u, &h, 2); return u; }
INLINE float of_f16(uint16_t u) { _Float16 h; __builtin_memcpy(&h, &u, 2); return (float)h; }
#else
INLINE uint16_t to_f16(float x) { return ck_f16_of_f32(x); }
INLINE float of_f16(uint16_t u) { return ck_f32_of_f16(u); }
#endif
/* Truncation, saturated; NaN gives 0. The bounds are exact in each format. */
INLINE int64_t to_i64(double x) {
  return x >= 0x1p63 ? INT64_MAX : x >= -0x1p63 ? (int64_t)x : x < 0 ? INT64_MIN : 0;
}
INLINE int32_t to_i32(double x) {
  return x >= 0x1p31 ? INT32_MAX : x > -0x1p31 - 1 ? (int32_t)x : x < 0 ? INT32_MIN : 0;
}

#define CAST(from, A, to, Z, value)                                                                      \
  static void from##_to_##to(const void *px, const void *py, const void *pz, void *pout, size_t n) {     \
    const A *xs = px;                                                                                    \
    Z *out = pout;                                                                                       \
    (void)py, (void)pz;                                                                                  \
    for (size_t i = 0; i < n; i++) {                                                                     \
      const A x = xs[i];                                                                                 \
      out[i] = (Z)(value);                                                                               \
    }                                                                                                    \
  }
CAST(f64, double, f64, double, x)
CAST(f64, double, f32, float, x)
CAST(f64, double, f16, uint16_t, to_f16(ck_odd_f32_of_f64(x)))
CAST(f64, double, bf16, uint16_t, ck_bf16_of_f32(ck_odd_f32_of_f64(x)))
CAST(f64, double, i64, int64_t, to_i64(x))
CAST(f64, double, i32, int32_t, to_i32(x))
CAST(f64, double, bool, uint8_t, x != 0)
CAST(f32, float, f64, double, x)
CAST(f32, float, f32, float, x)
CAST(f32, float, f16, uint16_t, to_f16(x))
CAST(f32, float, bf16, uint16_t, ck_bf16_of_f32(x))
CAST(f32, float, i64, int64_t, to_i64(x))
CAST(f32, float, i32, int32_t, to_i32(x))
CAST(f32, float, bool, uint8_t, x != 0)
CAST(f16, uint16_t, f64, double, of_f16(x))
CAST(f16, uint16_t, f32, float, of_f16(x))
CAST(f16, uint16_t, f16, uint16_t, x)
CAST(f16, uint16_t, bf16, uint16_t, ck_bf16_of_f32(of_f16(x)))
CAST(f16, uint16_t, i64, int64_t, to_i64(of_f16(x)))
CAST(f16, uint16_t, i32, int32_t, to_i32(of_f16(x)))
CAST(f16, uint16_t, bool, uint8_t, (x & 0x7FFF) != 0)
CAST(bf16, uint16_t, f64, double, ck_f32_of_bf16(x))
CAST(bf16, uint16_t, f32, float, ck_f32_of_bf16(x))
CAST(bf16, uint16_t, f16, uint16_t, to_f16(ck_f32_of_bf16(x)))
CAST(bf16, uint16_t, bf16, uint16_t, x)
CAST(bf16, uint16_t, i64, int64_t, to_i64(ck_f32_of_bf16(x)))
CAST(bf16, uint16_t, i32, int32_t, to_i32(ck_f32_of_bf16(x)))
CAST(bf16, uint16_t, bool, uint8_t, (x & 0x7FFF) != 0)
CAST(i64, int64_t, f64, double, x)
CAST(i64, int64_t, f32, float, x)
CAST(i64, int64_t, f16, uint16_t, to_f16((float)x))   /* past 2^24 it is infinite whatever the rounding */
CAST(i64, int64_t, bf16, uint16_t, ck_bf16_of_f32(ck_odd_f32_of_f64(ck_odd_f64_of_i64(x))))
CAST(i64, int64_t, i64, int64_t, x)
CAST(i64, int64_t, i32, int32_t, x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x)
CAST(i64, int64_t, bool, uint8_t, x != 0)
CAST(i32, int32_t, f64, double, x)
CAST(i32, int32_t, f32, float, x)
CAST(i32, int32_t, f16, uint16_t, to_f16((float)x))
CAST(i32, int32_t, bf16, uint16_t, ck_bf16_of_f32(ck_odd_f32_of_f64((double)x)))
CAST(i32, int32_t, i64, int64_t, x)
CAST(i32, int32_t, i32, int32_t, x)
CAST(i32, int32_t, bool, uint8_t, x != 0)
CAST(bool, uint8_t, f64, double, x)
CAST(bool, uint8_t, f32, float, x)
CAST(bool, uint8_t, f16, uint16_t, x ? 0x3C00 : 0)
CAST(bool, uint8_t, bf16, uint16_t, x ? 0x3F80 : 0)
CAST(bool, uint8_t, i64, int64_t, x)
CAST(bool, uint8_t, i32, int32_t, x)
CAST(bool, uint8_t, bool, uint8_t, x)
#undef CAST

#define CASTS_FROM(from) {from##_to_f64, from##_to_f32, from##_to_f16, from##_to_bf16, from##_to_i64, from##_to_i32, from##_to_bool}
#define CASTS {CASTS_FROM(f64), CASTS_FROM(f32), CASTS_FROM(f16), CASTS_FROM(bf16), CASTS_FROM(i64), CASTS_FROM(i32), CASTS_FROM(bool)}

#define ROUND(name, value)                                                                          \
  static void name(const void *px, const void *py, const void *pz, void *pout, size_t n) {          \
    const float *xs = px;                                                                           \
    float *out = pout;                                                                              \
    (void)py, (void)pz;                                                                             \
    for (size_t i = 0; i < n; i++) {                                                                \
      const float x = xs[i];                                                                        \
      out[i] = value;                                                                               \
    }                                                                                               \
  }
ROUND(round_f16, of_f16(to_f16(x)))
ROUND(round_bf16, ck_f32_of_bf16(ck_bf16_of_f32(x)))
#undef ROUND
