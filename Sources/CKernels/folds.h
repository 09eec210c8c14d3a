/* Folds over one axis: one tree per dtype, the same on every instruction set.
 *
 * A vector is 64 bytes on all of them (8 f64, 16 f32 lanes). Down each lane, 32 rows are combined in sequence; blocks
 * of 32 are combined pairwise in the manner of a binary counter. Depth of the sum of n numbers in one column:
 *   31 + ceil(log2(n / 32)).
 * A single contiguous axis is laid out as rows of 4 vectors: n / (4 lanes) rows as above, then 2 + log2(lanes)
 * further levels over the 4 vectors and the lanes. The last, incomplete row is padded with what the fold ignores. */
#define WIDE_VECTOR(E, name, L) typedef E name __attribute__((ext_vector_type(L)))
WIDE_VECTOR(double, w_f64, 8);
WIDE_VECTOR(float, w_f32, 16);
WIDE_VECTOR(float, eight_f32, 8);
WIDE_VECTOR(int64_t, w_i64, 8);
WIDE_VECTOR(int32_t, w_i32, 16);
WIDE_VECTOR(uint8_t, w_bool, 64);

/* Applies a function of native vectors to a wide one. */
#define WIDELY1(V, W, f, x)                                                        \
  ({ union { W w; V v[64 / WIDTH]; } u_ = {.w = (x)};                              \
     for (int p = 0; p < 64 / WIDTH; p++) u_.v[p] = f(u_.v[p]); u_.w; })
#define WIDELY2(V, W, f, x, y)                                                     \
  ({ union { W w; V v[64 / WIDTH]; } u_ = {.w = (x)}, s_ = {.w = (y)};             \
     for (int p = 0; p < 64 / WIDTH; p++) u_.v[p] = f(u_.v[p], s_.v[p]); u_.w; })

#define ADD(a, b) ((a) + (b))
#define MUL(a, b) ((a) * (b))
#define OR(a, b) ((a) | (b))
#define AND(a, b) ((a) & (b))
#define X_ITSELF(x, s) ((void)(s), (x))

#define E double
#define W w_f64
#define LANES 8
#define MAX_F64(a, b) WIDELY2(v_f64, w_f64, max_f64, a, b)
#define MIN_F64(a, b) WIDELY2(v_f64, w_f64, min_f64, a, b)
#define SCALED_SQUARE(x, s) (((x) * (s)) * ((x) * (s)))
#define MAGNITUDE(x, s) ((void)(s), __builtin_elementwise_abs(x))
#define SHIFTED_EXP(x, s) ((x) == (s) ? (w_f64)0.0 : WIDELY1(v_f64, w_f64, exp_f64, (x) - (s)))
#define EQUALS(x, s) ((x) == (s) ? (w_f64)1.0 : (w_f64)0.0)
#define NAME sum_fold_f64
#define OP ADD
#define TERM X_ITSELF
#define PAD -0.0
#include "fold.h"
#define NAME prod_fold_f64
#define OP MUL
#define TERM X_ITSELF
#define PAD 1.0
#include "fold.h"
#define NAME max_fold_f64
#define OP MAX_F64
#define TERM X_ITSELF
#define PAD -__builtin_inf()
#include "fold.h"
#define NAME min_fold_f64
#define OP MIN_F64
#define TERM X_ITSELF
#define PAD __builtin_inf()
#include "fold.h"
#define NAME squares_fold_f64
#define OP ADD
#define TERM SCALED_SQUARE
#define PAD 0.0
#define SINGLES eight_f32
#include "fold.h"
#undef SINGLES
#define NAME largest_fold_f64
#define OP MAX_F64
#define TERM MAGNITUDE
#define PAD 0.0
#include "fold.h"
#define NAME exps_fold_f64
#define OP ADD
#define TERM SHIFTED_EXP
#define PAD -__builtin_inf()
#include "fold.h"
#define NAME equals_fold_f64
#define OP ADD
#define TERM EQUALS
#define PAD __builtin_nan("")
#include "fold.h"
#undef E
#undef W
#undef LANES
#undef SHIFTED_EXP
#undef EQUALS

#define E float
#define W w_f32
#define LANES 16
#define MAX_F32(a, b) WIDELY2(v_f32, w_f32, max_f32, a, b)
#define MIN_F32(a, b) WIDELY2(v_f32, w_f32, min_f32, a, b)
#define SHIFTED_EXP(x, s) ((x) == (s) ? (w_f32)0.0f : WIDELY1(v_f32, w_f32, exp_f32, (x) - (s)))
#define EQUALS(x, s) ((x) == (s) ? (w_f32)1.0f : (w_f32)0.0f)
#define NAME sum_fold_f32
#define OP ADD
#define TERM X_ITSELF
#define PAD -0.0f
#include "fold.h"
#define NAME prod_fold_f32
#define OP MUL
#define TERM X_ITSELF
#define PAD 1.0f
#include "fold.h"
#define NAME max_fold_f32
#define OP MAX_F32
#define TERM X_ITSELF
#define PAD -__builtin_inff()
#include "fold.h"
#define NAME min_fold_f32
#define OP MIN_F32
#define TERM X_ITSELF
#define PAD __builtin_inff()
#include "fold.h"
#define NAME exps_fold_f32
#define OP ADD
#define TERM SHIFTED_EXP
#define PAD -__builtin_inff()
#include "fold.h"
#define NAME equals_fold_f32
#define OP ADD
#define TERM EQUALS
#define PAD __builtin_nanf("")
#include "fold.h"
#undef E
#undef W
#undef LANES

#define MAX_INT(a, b) ({ const W a_ = (a), b_ = (b); a_ > b_ ? a_ : b_; })
#define MIN_INT(a, b) ({ const W a_ = (a), b_ = (b); a_ < b_ ? a_ : b_; })
#define E int64_t
#define W w_i64
#define LANES 8
#define NAME sum_fold_i64
#define OP ADD
#define TERM X_ITSELF
#define PAD 0
#include "fold.h"
#define NAME prod_fold_i64
#define OP MUL
#define TERM X_ITSELF
#define PAD 1
#include "fold.h"
#define NAME max_fold_i64
#define OP MAX_INT
#define TERM X_ITSELF
#define PAD INT64_MIN
#include "fold.h"
#define NAME min_fold_i64
#define OP MIN_INT
#define TERM X_ITSELF
#define PAD INT64_MAX
#include "fold.h"
#undef E
#undef W
#undef LANES

#define E int32_t
#define W w_i32
#define LANES 16
#define NAME sum_fold_i32
#define OP ADD
#define TERM X_ITSELF
#define PAD 0
#include "fold.h"
#define NAME prod_fold_i32
#define OP MUL
#define TERM X_ITSELF
#define PAD 1
#include "fold.h"
#define NAME max_fold_i32
#define OP MAX_INT
#define TERM X_ITSELF
#define PAD INT32_MIN
#include "fold.h"
#define NAME min_fold_i32
#define OP MIN_INT
#define TERM X_ITSELF
#define PAD INT32_MAX
#include "fold.h"
#undef E
#undef W
#undef LANES

#define E uint8_t
#define W w_bool
#define LANES 64
#define NAME any_fold_bool
#define OP OR
#define TERM X_ITSELF
#define PAD 0
#include "fold.h"
#define NAME all_fold_bool
#define OP AND
#define TERM X_ITSELF
#define PAD 1
#include "fold.h"
#undef E
#undef W
#undef LANES
