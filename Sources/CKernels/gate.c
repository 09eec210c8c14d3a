/* The gate's way for all but its owner. */
#define _GNU_SOURCE
#include "private.h"
#ifdef __linux__
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
static bool membarrier(int command) { return syscall(__NR_membarrier, command, 0) == 0; }
static bool allowed(void) { return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }
/* Every thread of the process has passed a full barrier. A child of fork may have to register anew. */
static bool all_threads(void) {
  return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) || (allowed() && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
}
#else
static bool allowed(void) { return false; }
static bool all_threads(void) { return false; }
#endif

int32_t ck_gate_enter_slowly(ck_gate *gate) {
  static int32_t can = -1;    /* whether the system orders other threads' stores */
  uintptr_t owner = __atomic_load_n(&gate->owner, __ATOMIC_ACQUIRE);
  if (owner == 0) {
    int32_t c = __atomic_load_n(&can, __ATOMIC_RELAXED);
    if (c < 0) __atomic_store_n(&can, c = allowed(), __ATOMIC_RELAXED);
    const uintptr_t self = ck_thread(), next = c ? self : CK_GATE_SHARED;
    if (__atomic_compare_exchange_n(&gate->owner, &owner, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) owner = next;
    if (owner == self) return ck_gate_enter(gate);
  }
  if (owner != CK_GATE_SHARED) {
    if (owner != CK_GATE_REVOKING) __atomic_compare_exchange_n(&gate->owner, &owner, CK_GATE_REVOKING, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    if (!all_threads()) return 0;
    /* Now the owner either stands in `active`, or will find that it owns nothing. */
    __atomic_store_n(&gate->owner, CK_GATE_SHARED, __ATOMIC_RELEASE);
  }
  int32_t open = 0;
  if (!__atomic_compare_exchange_n(&gate->locked, &open, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return 0;
  if (__atomic_load_n(&gate->active, __ATOMIC_ACQUIRE) == 0) return 2;
  __atomic_store_n(&gate->locked, 0, __ATOMIC_RELEASE);
  return 0;
}
