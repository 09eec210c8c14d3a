/* Level 1: AVX2, FMA and F16C. */
#include "private.h"
#if defined __x86_64__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define LEVEL 1
#define WIDTH 32
#define TABLE ck_table_avx2
#define SLEEF__(f, t, n, u) Sleef_finz_##f##t##n##_##u##avx2
#define SLEEF_(f, t, n, u) SLEEF__(f, t, n, u)
#define SLEEF(f, u) SLEEF_(f, T, N, u)

/* clang takes the calling convention of wide vectors from the flags of the file, not from the target of the function: without
 * -mavx2 it passes them in memory, where SLEEF does not look. So SLEEF is called with the vectors put into its registers by hand.
 * Below the stack pointer the caller may keep something: it is stepped over. */
#define CALL_(f, operands, ...)                                                                                          \
  __asm__("movq %%rsp, %%rbx\n\tsubq $128, %%rsp\n\tandq $-64, %%rsp\n\tcallq *%[to]\n\tmovq %%rbx, %%rsp"            \
          : operands : [to] "r"(f) : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", __VA_ARGS__)
#define LOST "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8", "ymm9", "ymm10", "ymm11", "ymm12", "ymm13", "ymm14", "ymm15"
#define CALL1(f, x) ({ register V x_ __asm__("ymm0") = (x); CALL_(f, "+v"(x_), "ymm1", LOST); x_; })
#define BOTH "+v"(x_), "+v"(y_)
#define CALL2(f, x, y) ({ register V x_ __asm__("ymm0") = (x), y_ __asm__("ymm1") = (y); CALL_(f, BOTH, LOST); x_; })
#include "isa.h"
#pragma clang attribute pop
#endif
