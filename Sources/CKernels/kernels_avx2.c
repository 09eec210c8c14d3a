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
 * -mavx2 it passes them in memory, where SLEEF does not look. So SLEEF is called with the vectors put into its registers by hand. */
__attribute__((naked, noinline)) static void call1(void (*f)(void), const void *x, void *out) {
  __asm__("pushq %rbx\n\tmovq %rdx, %rbx\n\tvmovups (%rsi), %ymm0\n\tcallq *%rdi\n\t"
          "vmovups %ymm0, (%rbx)\n\tpopq %rbx\n\tretq");
}
__attribute__((naked, noinline)) static void call2(void (*f)(void), const void *x, const void *y, void *out) {
  __asm__("pushq %rbx\n\tmovq %rcx, %rbx\n\tvmovups (%rsi), %ymm0\n\tvmovups (%rdx), %ymm1\n\tcallq *%rdi\n\t"
          "vmovups %ymm0, (%rbx)\n\tpopq %rbx\n\tretq");
}
#define CALL1(f, x) ({ const V x_ = (x); V r_; call1(f, &x_, &r_); r_; })
#define CALL2(f, x, y) ({ const V x_ = (x), y_ = (y); V r_; call2(f, &x_, &y_, &r_); r_; })
#include "isa.h"
#pragma clang attribute pop
#endif
