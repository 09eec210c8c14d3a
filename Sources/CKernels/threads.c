/* How many processors this process may use. */
#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>
#include "private.h"

int ck_processors(void) {
#ifdef __linux__
  cpu_set_t sets[8];                      /* one holds 1024 processors */
  memset(sets, 0, sizeof sets);
  if (sched_getaffinity(0, sizeof sets, sets) == 0) {
    const int count = CPU_COUNT_S(sizeof sets, sets);
    return count > 0 ? count : 1;
  }
#endif
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}
