/* What stands at the door of every run, inline because a run may take less time than a call: the floating-point environment,
 * and one thread at a time. */
#ifndef CK_GATE_H
#define CK_GATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Floating-point environment -------------------------------------------------------------------------------------- */
/* Enter sets round-to-nearest, no flush to zero, all exceptions masked on this thread, and returns what stood there; leave puts it back, flags too.
 * Measured: to read MXCSR costs 5 ns, to write it less than one. */
#if defined(__x86_64__)
enum { CK_MXCSR_DEFAULT = 0x1F80, CK_MXCSR_FLAGS = 0x3F, CK_X87_DEFAULT = 0x37F };
static inline uint64_t ck_fenv_enter(void) {
  uint32_t vector;
  uint16_t x87;
  __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(vector), "=m"(x87) : : "memory");
  if (__builtin_expect((vector & ~(uint32_t)CK_MXCSR_FLAGS) != CK_MXCSR_DEFAULT, 0)) {
    const uint32_t standard = CK_MXCSR_DEFAULT;
    __asm__ volatile("ldmxcsr %0" : : "m"(standard) : "memory");
  }
  if (__builtin_expect(x87 != CK_X87_DEFAULT, 0)) {       /* the scalar functions use 80-bit numbers */
    const uint16_t standard = CK_X87_DEFAULT;
    __asm__ volatile("fldcw %0" : : "m"(standard) : "memory");
  }
  return (uint64_t)x87 << 32 | vector;
}
static inline void ck_fenv_leave(uint64_t saved) {
  const uint32_t vector = (uint32_t)saved;
  const uint16_t x87 = (uint16_t)(saved >> 32);
  __asm__ volatile("ldmxcsr %0" : : "m"(vector) : "memory");
  if (__builtin_expect(x87 != CK_X87_DEFAULT, 0)) __asm__ volatile("fldcw %0" : : "m"(x87) : "memory");
}
#elif defined __aarch64__
/* FPCR 0: to nearest, nothing flushed, no alternative f16, NaNs kept, no trap. */
static inline uint64_t ck_fenv_enter(void) {
  uint64_t saved;
  __asm__ volatile("mrs %0, fpcr" : "=r"(saved) : : "memory");
  if (saved != 0) __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0) : "memory");
  return saved;
}
static inline void ck_fenv_leave(uint64_t saved) {
  if (saved != 0) __asm__ volatile("msr fpcr, %0" : : "r"(saved) : "memory");
}
#else
#error "Camber runs on x86-64 and arm64"
#endif

/* Whether numbers below the normal ones are kept: all that code with its rounding in its instructions asks of the environment. Only where ck_level() is 2. Leaves no
 * flag, and takes a tenth of what reading MXCSR does. */
static inline bool ck_gradual(void) {
#if defined(__x86_64__)
  uint64_t least = 1;
  __asm__ volatile("vmovq %0, %%xmm0\n\tvaddsd %{rn-sae%}, %%xmm0, %%xmm0, %%xmm0\n\tvmovq %%xmm0, %0" : "+r"(least) : : "xmm0");
  return least == 2;
#else
  return false;
#endif
}

/* ---- One thread at a time ---------------------------------------------------------------------------------------------- */
/* Nearly every workspace has one thread for life, and a locked instruction costs as much as ten numbers. So the first thread owns the gate and
 * enters by plain stores; the first other one takes that privilege away, for which membarrier(2) orders the owner's stores, and from then on all
 * enter by compare-and-swap on another word. All zeros is a gate. */
typedef struct ck_gate {
  uintptr_t owner;     /* 0, a thread, CK_GATE_REVOKING or CK_GATE_SHARED: only ever in this order */
  int32_t active;      /* the owner is inside: written by no other thread */
  int32_t locked;      /* someone is inside, of those who share */
} ck_gate;
enum { CK_GATE_REVOKING = 1, CK_GATE_SHARED = 2 };

static inline uintptr_t ck_thread(void) {
  uintptr_t self;
#if defined(__x86_64__)
  __asm__("mov %%fs:0, %0" : "=r"(self));
#else
  __asm__("mrs %0, tpidr_el0" : "=r"(self));
#endif
  return self;
}
int32_t ck_gate_enter_slowly(ck_gate *gate);
/* 0: someone is inside. Else what ck_gate_leave wants. */
static inline int32_t ck_gate_enter(ck_gate *gate) {
  const uintptr_t self = ck_thread();
  if (__builtin_expect(__atomic_load_n(&gate->owner, __ATOMIC_RELAXED) != self, 0)) return ck_gate_enter_slowly(gate);
  if (__atomic_load_n(&gate->active, __ATOMIC_RELAXED)) return 0;
  __atomic_store_n(&gate->active, 1, __ATOMIC_RELAXED);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (__builtin_expect(__atomic_load_n(&gate->owner, __ATOMIC_RELAXED) == self, 1)) return 1;
  __atomic_store_n(&gate->active, 0, __ATOMIC_RELEASE);
  return ck_gate_enter_slowly(gate);
}
static inline void ck_gate_leave(ck_gate *gate, int32_t way) {
  __atomic_store_n(way == 1 ? &gate->active : &gate->locked, 0, __ATOMIC_RELEASE);
}

/* ---- A run that is one call of generated code ---------------------------------------------------------------------------- */
typedef void (*ck_direct)(uint64_t *slots, const void *const *inputs, void *const *outputs);
typedef struct ck_lane {
  ck_gate gate;
  ck_direct direct;        /* NULL: there is no such code, and the gate is all that is used */
  bool silent;             /* it needs no environment but ck_gradual */
  uint64_t *slots;
  const void *program;
  const size_t *bytes;     /* of the inputs, then of the outputs */
  uint32_t inputs, outputs;
} ck_lane;
/* No pointer is null, and no output overlaps an input or another output: each against each, for few arrays. */
static inline bool ck_lane_apart(const ck_lane *lane, const void *const *inputs, void *const *outputs) {
  const size_t *in = lane->bytes, *out = in + lane->inputs;
  if ((size_t)lane->outputs * (lane->inputs + lane->outputs) > 64) return false;
  bool apart = true;
  for (uint32_t j = 0; j < lane->inputs; j++) apart &= inputs[j] != NULL;
  for (uint32_t i = 0; i < lane->outputs; i++) {
    const uintptr_t a = (uintptr_t)outputs[i], e = a + out[i];
    apart &= a > 0;
    for (uint32_t j = 0; j < lane->inputs; j++) apart &= (e <= (uintptr_t)inputs[j]) | ((uintptr_t)inputs[j] + in[j] <= a);
    for (uint32_t j = 0; j < i; j++) apart &= (e <= (uintptr_t)outputs[j]) | ((uintptr_t)outputs[j] + out[j] <= a);
  }
  return apart;
}
/* No pointer is null, outputs lie one behind the other in memory, and inputs all before or all behind them: what most hosts pass, told in one look. */
static inline bool ck_lane_plain(const ck_lane *lane, const void *const *inputs, void *const *outputs) {
  const size_t *bytes = lane->bytes;
  uintptr_t low = UINTPTR_MAX, high = 0, end = 0;
  bool sorted = true;
  for (uint32_t i = 0; i < lane->inputs; i++) {
    const uintptr_t a = (uintptr_t)inputs[i], e = a + bytes[i];
    low = a < low ? a : low;
    high = e > high ? e : high;
  }
  bytes += lane->inputs;
  for (uint32_t i = 0; i < lane->outputs; i++) {
    const uintptr_t a = (uintptr_t)outputs[i];
    sorted &= (a >= end) & (a > 0);
    end = a + bytes[i];
  }
  const uintptr_t first = lane->outputs ? (uintptr_t)outputs[0] : UINTPTR_MAX;
  return (sorted && low > 0 && (high <= first || end <= low)) || ck_lane_apart(lane, inputs, outputs);
}
/* Runs plain arrays. False: nothing was done; the long way tells what is wrong, if anything is. */
static inline bool ck_lane_run(ck_lane *lane, const void *program, const void *const *inputs, void *const *outputs) {
  if (lane->direct == NULL || lane->program != program || inputs == NULL || outputs == NULL || !ck_lane_plain(lane, inputs, outputs)) return false;
  const int32_t way = ck_gate_enter(&lane->gate);
  if (way == 0) return false;
  if (lane->silent && __builtin_expect(ck_gradual(), 1)) {
    lane->direct(lane->slots, inputs, outputs);
  } else {
    const uint64_t environment = ck_fenv_enter();
    lane->direct(lane->slots, inputs, outputs);
    ck_fenv_leave(environment);
  }
  ck_gate_leave(&lane->gate, way);
  return true;
}
#endif
