/* Which instruction set runs, and the questions that are answered from its table. */
#include <stdatomic.h>
#include "private.h"

#if defined __aarch64__
/* NEON alone, which has FMA: there is no level 0. */
static const ck_table *const tables[] = {NULL, &ck_table_neon};
static const char *const names[] = {NULL, "neon"};
enum { LOWEST = 1 };
int ck_level_max(void) { return 1; }
#else
static const ck_table *const tables[] = {&ck_table_sse2, &ck_table_avx2, &ck_table_avx512};
static const char *const names[] = {"sse2", "avx2", "avx512"};
enum { LOWEST = 0 };
int ck_level_max(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c")) return 0;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl"))
    return 1;
  return 2;
}
#endif
static _Atomic(int) level = -1;

int ck_level(void) {
  int now = atomic_load_explicit(&level, memory_order_relaxed);
  if (now < 0) {
    now = ck_level_max();
    atomic_store_explicit(&level, now, memory_order_relaxed);
  }
  return now;
}
bool ck_set_level(int wanted) {
  if (wanted < LOWEST || wanted > ck_level_max()) return false;
  atomic_store_explicit(&level, wanted, memory_order_relaxed);
  return true;
}
const char *ck_level_name(int which) {
  return which >= 0 && which < (int)(sizeof names / sizeof *names) ? names[which] : NULL;
}
const ck_table *ck_current(void) { return tables[ck_level()]; }

/* ---- Rows --------------------------------------------------------------------------------------------------------- */
static const struct { const char *name; OpClass class; } rows[CK_ROW_COUNT] = {
#define X(name, class, value) {#name, OpClass_##class},
  CAMBER_UNARY_OPS(X) CAMBER_BINARY_OPS(X) CAMBER_TERNARY_OPS(X)
#undef X
};
static bool is_row(int row) { return row >= 0 && row < CK_ROW_COUNT; }
static bool is_dtype(int dtype) { return dtype >= 0 && dtype < CK_DTYPES; }

const char *ck_row_name(int row) { return is_row(row) ? rows[row].name : NULL; }
OpClass ck_row_class(int row) { return is_row(row) ? rows[row].class : OpClass_FLOAT; }
int ck_row_arity(int row) {
  return !is_row(row) ? 0 : row < CK_UNARY_COUNT ? 1 : row < CK_UNARY_COUNT + CK_BINARY_COUNT ? 2 : 3;
}
ck_kernel ck_row_kernel(int row, int dtype) {
  return is_row(row) && is_dtype(dtype) ? ck_current()->rows[row][dtype] : NULL;
}
ck_kernel ck_cast_kernel(int from, int to) {
  return is_dtype(from) && is_dtype(to) ? ck_current()->casts[from][to] : NULL;
}
ck_kernel ck_round_kernel(int dtype) { return is_dtype(dtype) ? ck_current()->rounds[dtype] : NULL; }
