/* Programs of single numbers, walked by direct threading. A code is a place in the tables of kernels; the cheap ones have a
 * step here, with the same bits, every other runs its kernel on one element. */
#include "private.h"
#pragma clang fp contract(off)
#pragma clang diagnostic ignored "-Winitializer-overrides"   /* the table of steps */

enum { CODE_CASTS = CK_ROW_COUNT * CK_DTYPES, CODE_ROUNDS = CODE_CASTS + CK_DTYPES * CK_DTYPES,
       CODE_LOADS = CODE_ROUNDS + CK_DTYPES, CODE_STORES = CODE_LOADS + CK_DTYPES, CODE_FILLS = CODE_STORES + CK_DTYPES,
       CODE_PAIRS = CODE_FILLS + CK_DTYPES, CODES = CODE_PAIRS + CK_DTYPES };

int ck_scalar_code_row(int row, int dtype) { return ck_row_kernel(row, dtype) ? row * CK_DTYPES + dtype : -1; }
int ck_scalar_code_cast(int from, int to) { return ck_cast_kernel(from, to) ? CODE_CASTS + from * CK_DTYPES + to : -1; }
int ck_scalar_code_round(int dtype) { return ck_round_kernel(dtype) ? CODE_ROUNDS + dtype : -1; }

int ck_scalar_code_load(int dtype) { return dtype >= 0 && dtype < CK_DTYPES ? CODE_LOADS + dtype : -1; }
int ck_scalar_code_store(int dtype) { return dtype >= 0 && dtype < CK_DTYPES ? CODE_STORES + dtype : -1; }

static inline ck_kernel kernel_of(const ck_table *table, int c) {
  return c < CODE_CASTS ? table->rows[c / CK_DTYPES][c % CK_DTYPES]
         : c < CODE_ROUNDS ? table->casts[(c - CODE_CASTS) / CK_DTYPES][(c - CODE_CASTS) % CK_DTYPES]
                           : table->rounds[c - CODE_ROUNDS];
}
ck_kernel ck_scalar_kernel(int code) { return code >= 0 && code < CODE_LOADS ? kernel_of(ck_current(), code) : NULL; }
int ck_scalar_code_fill(int dtype) { return dtype >= 0 && dtype < CK_DTYPES && dtype != CK_F16 && dtype != CK_BF16 ? CODE_FILLS + dtype : -1; }
int ck_scalar_code_pair(int dtype) { return dtype == CK_F64 || dtype == CK_F32 || dtype == CK_I64 || dtype == CK_I32 ? CODE_PAIRS + dtype : -1; }

#define UNARY(name, dtype) (Unary_##name * CK_DTYPES + dtype)
#define BINARY(name, dtype) ((CK_UNARY_COUNT + Binary_##name) * CK_DTYPES + dtype)
#define TERNARY(name, dtype) ((CK_UNARY_COUNT + CK_BINARY_COUNT + Ternary_##name) * CK_DTYPES + dtype)
#define CONVERSION(from, to) (CODE_CASTS + (from) * CK_DTYPES + (to))

#define FLOATS(E, DT, U)                                                                                              \
  static inline E max_##DT(E x, E y) {                                                                                \
    U a, b;                                                                                                           \
    E r;                                                                                                              \
    if (x != x) return x;                                                                                             \
    if (x != y) return x > y ? x : y;                                                                                 \
    memcpy(&a, &x, sizeof a), memcpy(&b, &y, sizeof b), a &= b;                                                       \
    memcpy(&r, &a, sizeof r);                                                                                         \
    return r;                                                                                                         \
  }                                                                                                                   \
  static inline E min_##DT(E x, E y) {                                                                                \
    U a, b;                                                                                                           \
    E r;                                                                                                              \
    if (x != x) return x;                                                                                             \
    if (x != y) return x < y ? x : y;                                                                                 \
    memcpy(&a, &x, sizeof a), memcpy(&b, &y, sizeof b), a |= b;                                                       \
    memcpy(&r, &a, sizeof r);                                                                                         \
    return r;                                                                                                         \
  }
FLOATS(double, f64, uint64_t)
FLOATS(float, f32, uint32_t)

/* The operators that f64 and f32 share. */
#define CHEAP(OP)                                                                                                    \
  OP(UNARY, neg, -x) OP(UNARY, abs, __builtin_elementwise_abs(x)) OP(UNARY, sqrt, __builtin_elementwise_sqrt(x))     \
  OP(UNARY, square, x *x) OP(UNARY, reciprocal, 1 / x) OP(UNARY, relu, x <= 0 ? 0 : x)                               \
  OP(UNARY, sign, x > 0 ? 1 : x < 0 ? -1 : x) OP(UNARY, stop_gradient, x)                                            \
  OP(BINARY, add, x + y) OP(BINARY, sub, x - y) OP(BINARY, mul, x *y) OP(BINARY, div, x / y)                         \
  OP(BINARY, maximum, LARGER(x, y)) OP(BINARY, minimum, SMALLER(x, y))
#define COMPARISONS(OP)                                                                                              \
  OP(BINARY, eq, x == y) OP(BINARY, ne, x != y) OP(BINARY, lt, x < y) OP(BINARY, le, x <= y)                         \
  OP(BINARY, gt, x > y) OP(BINARY, ge, x >= y)
#define LOGIC(OP)                                                                                                    \
  OP(UNARY, logical_not, x == 0) OP(BINARY, logical_and, x & y) OP(BINARY, logical_or, x | y) OP(BINARY, logical_xor, x ^ y)

/* One function per operator, each of which ends in a call of the next one: clang merges the jumps of a `goto *` into one, which
 * the branch predictor then cannot tell apart; a tail call that must be a jump stays one. */
struct outside {
  const ck_table *table;
  const ck_transfer *transfers;
  void *const *bases[3];
};
typedef void step_function(const ck_instr *p, uint64_t *slots, const ck_instr *end, const struct outside *outside);
typedef step_function *step;
static const step steps[CODES];

#define AT(E, field) ({ E v_; memcpy(&v_, slots + p->field, sizeof v_); v_; })
#define PUT(E, value) ({ const E v_ = (E)(value); memcpy(slots + p->out, &v_, sizeof v_); })
#define NEXT do { if (++p == end) return; __attribute__((musttail)) return steps[p->code](p, slots, end, outside); } while (0)
#define STEP(name) static void name(const ck_instr *p, uint64_t *slots, const ck_instr *end, const struct outside *outside)

#define READ_UNARY(E) const E x = AT(E, x)
#define READ_BINARY(E) const E x = AT(E, x), y = AT(E, y)
#define BODY(DT, E, Z, arity, name, value) STEP(name##_##DT) { READ_##arity(E); PUT(Z, value); NEXT; }
#define CHOICES(DT, E)                                                                       \
  STEP(select_##DT) { PUT(E, AT(uint8_t, x) ? AT(E, y) : AT(E, z)); NEXT; }                  \
  STEP(gate_##DT) { PUT(E, AT(uint8_t, x) ? AT(E, y) * AT(E, z) : 0); NEXT; }

#define OP(arity, name, value) BODY(CK_F64, double, double, arity, name, value)
#define LARGER max_f64
#define SMALLER min_f64
CHEAP(OP)
#undef OP
#undef LARGER
#undef SMALLER
#define OP(arity, name, value) BODY(CK_F32, float, float, arity, name, value)
#define LARGER max_f32
#define SMALLER min_f32
CHEAP(OP)
#undef OP
#define OP(arity, name, value) BODY(CK_F64, double, uint8_t, arity, name, value) BODY(CK_F32, float, uint8_t, arity, name, value)
COMPARISONS(OP)
#undef OP
#define OP(arity, name, value) BODY(CK_BOOL, uint8_t, uint8_t, arity, name, value)
LOGIC(OP)
#undef OP
CHOICES(CK_F64, double)
CHOICES(CK_F32, float)
STEP(f64_to_f32) { PUT(float, AT(double, x)); NEXT; }
STEP(f32_to_f64) { PUT(double, AT(float, x)); NEXT; }
STEP(bool_to_f64) { PUT(double, AT(uint8_t, x)); NEXT; }
STEP(bool_to_f32) { PUT(float, AT(uint8_t, x)); NEXT; }

/* The three tables lie one after the other in the numbering of codes. */
STEP(other) {
  const ck_kernel f = kernel_of(outside->table, p->code);
  f(slots + p->x, slots + p->y, slots + p->z, slots + p->out, p->pad + 1u);
  NEXT;
}

/* Numbers of one dtype come and go in runs. */
static inline void *place(const struct outside *o, int32_t number) {
  const ck_transfer t = o->transfers[number];
  return (char *)o->bases[t.base][t.host] + t.offset;
}
#define TRANSFERS(DT, E)                                                                                                \
  STEP(load_##DT) {                                                                                                     \
    do { E v; memcpy(&v, place(outside, p->x), sizeof v); slots[p->out] = v; } while (++p != end && p->code == p[-1].code); \
    if (p == end) return;                                                                                               \
    __attribute__((musttail)) return steps[p->code](p, slots, end, outside);                                            \
  }                                                                                                                     \
  STEP(store_##DT) {                                                                                                    \
    do { const E v = (E)slots[p->x]; memcpy(place(outside, p->y), &v, sizeof v); } while (++p != end && p->code == p[-1].code); \
    if (p == end) return;                                                                                               \
    __attribute__((musttail)) return steps[p->code](p, slots, end, outside);                                            \
  }
TRANSFERS(8, uint64_t)
TRANSFERS(4, uint32_t)
TRANSFERS(1, uint8_t)
#define FILL(DT, E)                                                                             \
  STEP(fill_##DT) {                                                                             \
    const E v = (E)slots[p->x];                                                                 \
    char *to = place(outside, p->y);                                                            \
    for (int32_t i = 0; i < p->z; i++) memcpy(to + i * sizeof v, &v, sizeof v);                 \
    NEXT;                                                                                       \
  }
FILL(8, uint64_t)
FILL(4, uint32_t)
FILL(1, uint8_t)
#define PAIR(DT, E)                                                                             \
  STEP(pair_##DT) {                                                                             \
    const E v[2] = {(E)slots[p->x], (E)slots[p->z]};                                            \
    memcpy(place(outside, p->y), v, sizeof v);                                                  \
    NEXT;                                                                                       \
  }
PAIR(8, uint64_t)
PAIR(4, uint32_t)
STEP(load_half) { outside->table->casts[p->code - CODE_LOADS][CK_F32](place(outside, p->x), 0, 0, slots + p->out, 1); NEXT; }
STEP(store_half) { outside->table->casts[CK_F32][p->code - CODE_STORES](slots + p->x, 0, 0, place(outside, p->y), 1); NEXT; }

static const step steps[CODES] = {
  [0 ... CODES - 1] = other,
#define ADDRESS(DT, arity, name) [arity(name, DT)] = name##_##DT,
#define OP(arity, name, value) ADDRESS(CK_F64, arity, name) ADDRESS(CK_F32, arity, name)
  CHEAP(OP) COMPARISONS(OP)
#undef OP
#define OP(arity, name, value) ADDRESS(CK_BOOL, arity, name)
  LOGIC(OP)
#undef OP
  [TERNARY(select, CK_F64)] = select_CK_F64, [TERNARY(select, CK_F32)] = select_CK_F32,
  [TERNARY(gate, CK_F64)] = gate_CK_F64, [TERNARY(gate, CK_F32)] = gate_CK_F32,
  [CONVERSION(CK_F64, CK_F32)] = f64_to_f32, [CONVERSION(CK_F32, CK_F64)] = f32_to_f64,
  [CONVERSION(CK_BOOL, CK_F64)] = bool_to_f64, [CONVERSION(CK_BOOL, CK_F32)] = bool_to_f32,
#define MOVES(what, code)                                                                                     \
  [code + CK_F64] = what##_8, [code + CK_I64] = what##_8, [code + CK_F32] = what##_4, [code + CK_I32] = what##_4, \
  [code + CK_BOOL] = what##_1, [code + CK_F16] = what##_half, [code + CK_BF16] = what##_half,
  [CODE_FILLS + CK_F64] = fill_8, [CODE_FILLS + CK_I64] = fill_8, [CODE_FILLS + CK_F32] = fill_4, [CODE_FILLS + CK_I32] = fill_4,
  [CODE_FILLS + CK_BOOL] = fill_1,
  [CODE_PAIRS + CK_F64] = pair_8, [CODE_PAIRS + CK_I64] = pair_8, [CODE_PAIRS + CK_F32] = pair_4, [CODE_PAIRS + CK_I32] = pair_4,
  MOVES(load, CODE_LOADS) MOVES(store, CODE_STORES)
};

void ck_scalar_run(const ck_instr *code, size_t count, uint64_t *slots, const ck_transfer *transfers, const void *const *inputs, void *const *outputs) {
  void *own = slots;
  const struct outside outside = {ck_current(), transfers, {&own, (void *const *)inputs, outputs}};
  if (count) steps[code->code](code, slots, code + count, &outside);
}

void ck_code_written(void *begin, void *end) { __builtin___clear_cache(begin, end); }
