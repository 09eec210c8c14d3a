/* Level 2: AVX-512 (F, DQ, BW, VL). */
#include "private.h"
#if defined __x86_64__
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl"))), apply_to = function)
#define LEVEL 2
#define WIDTH 64
#define TABLE ck_table_avx512
#define SLEEF__(f, t, n, u) Sleef_finz_##f##t##n##_##u##avx512f
#define SLEEF_(f, t, n, u) SLEEF__(f, t, n, u)
#define SLEEF(f, u) SLEEF_(f, T, N, u)

/* clang takes the calling convention of wide vectors from the flags of the file, not from the target of the function: without
 * -mavx512 it passes them in memory, where SLEEF does not look. So SLEEF is called with the vectors put into its registers by hand.
 * Below the stack pointer the caller may keep something: it is stepped over. */
#define CALL_(f, operands, ...)                                                                                          \
  __asm__("movq %%rsp, %%rbx\n\tsubq $128, %%rsp\n\tandq $-64, %%rsp\n\tcallq *%[to]\n\tmovq %%rbx, %%rsp"            \
          : operands : [to] "r"(f) : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", __VA_ARGS__)
#define LOST "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23", "zmm24", "zmm25", "zmm26", "zmm27", "zmm28", "zmm29", "zmm30", "zmm31", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#define CALL1(f, x) ({ register V x_ __asm__("zmm0") = (x); CALL_(f, "+v"(x_), "zmm1", LOST); x_; })
#define BOTH "+v"(x_), "+v"(y_)
#define CALL2(f, x, y) ({ register V x_ __asm__("zmm0") = (x), y_ __asm__("zmm1") = (y); CALL_(f, BOTH, LOST); x_; })
#include "isa.h"
#pragma clang attribute pop
#endif
