/* Milliseconds until a library named by argv[1] is loaded and has answered its first call. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  double begin = now();
  void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
  uint32_t (*version)(void) = library ? (uint32_t (*)(void))dlsym(library, "camber_version") : NULL;
  if (!version) return 1;
  version();
  printf("%.4f\n", now() - begin);
  return 0;
}
