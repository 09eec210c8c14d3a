/* What the core costs, as lines "name value": recording, differentiating and running scalar tapes through the C ABI. Not a test of
 * time: verify.sh records the figures. */
#define _POSIX_C_SOURCE 200809L
#include <camber.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}
static int order(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

/* The median of `rounds` runs, in seconds. */
static double timed(const camber_program *p, const void *const *in, void *const *out, int rounds, int repeats) {
  camber_workspace *w = camber_workspace_new(p);
  double t[64];
  if (camber_run(p, w, in, out) != CAMBER_OK) exit(1);
  for (int k = 0; k < rounds; k++) {
    double begin = now();
    for (int i = 0; i < repeats; i++) camber_run(p, w, in, out);
    t[k] = (now() - begin) / repeats;
  }
  camber_workspace_free(w);
  qsort(t, (size_t)rounds, sizeof *t, order);
  return t[rounds / 2];
}

static camber_program *compiled(camber_tape *t, camber_node *in, size_t n, camber_node *out, size_t m) {
  camber_program *p = camber_program_new(t, in, n, out, m);
  if (!p) fprintf(stderr, "%s\n", camber_tape_message(t)), exit(1);
  return p;
}

int main(void) {
  enum { NODES = 5000000 };
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), c = camber_constant(t, CAMBER_F64, 0.999), y = x, g;
  double begin = now();
  for (int i = 0; i < NODES / 2; i++) y = camber_add(t, camber_mul(t, y, c), x);
  printf("record_ns_per_node %.1f\n", (now() - begin) / NODES * 1e9);
  printf("record_bytes_per_node %.1f\n", (double)camber_tape_bytes(t) / (double)camber_tape_node_count(t));
  begin = now();
  camber_grad(t, y, &x, 1, &g);
  printf("gradient_of_5e6_nodes_s %.2f\n", now() - begin);
  begin = now();
  camber_node both[2] = {y, g};
  camber_program *value = compiled(t, &x, 1, &y, 1), *slope = compiled(t, &x, 1, both, 2);
  printf("plan_5e6_and_1e7_nodes_s %.2f\n", now() - begin);
  double at = 1.5, r0, r1;
  const void *in[1] = {&at};
  void *out[2] = {&r0, &r1};
  double a = timed(value, in, out, 7, 1), b = timed(slope, in, out, 7, 1);
  /* y = sum of 0.999^k x over k <= n: its slope is y / x. */
  if (!(fabs(r1 - r0 / at) < 1e-9 * fabs(r1))) return 1;
  printf("run_5e6_nodes_ms %.1f\nvalue_and_gradient_over_value %.2f\n", a * 1e3, b / a);
  camber_program_free(value), camber_program_free(slope), camber_tape_free(t);

  t = camber_tape_new();
  x = camber_input(t, CAMBER_F64, NULL, 0), y = x;
  for (int i = 0; i < 5; i++) y = camber_add(t, camber_mul(t, y, x), x);
  camber_program *ten = compiled(t, &x, 1, &y, 1);
  printf("run_10_nodes_ns %.1f\n", timed(ten, in, out, 15, 200000) * 1e9);
  camber_program_free(ten), camber_tape_free(t);
  printf("1 passed, 0 failed\n");
  return 0;
}
