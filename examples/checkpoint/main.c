/* The gradient through a long loop, and through a deep network, in little memory.
 *   cc main.c $(pkg-config --cflags --libs camber) -lm && ./a.out */
#include <camber_easy.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 40, STEPS = 5000, LAYERS = 16, WIDTH = 32 };

/* Lorenz 96: dx[i]/dt = (x[i+1] - x[i-2]) x[i-1] - x[i] + 8. */
static camber_node rate(camber_tape *t, camber_node x) {
  camber_node wind = camber_mul(t, camber_sub(t, camber_roll(t, x, -1, 0), camber_roll(t, x, 2, 0)), camber_roll(t, x, 1, 0));
  return camber_easy_add_number(t, camber_sub(t, wind, x), 8);
}
static camber_node on(camber_tape *t, camber_node x, camber_node k, double h) { return camber_add(t, x, camber_easy_mul_number(t, k, h)); }

/* One step of Runge and Kutta. */
static camber_node step(camber_tape *t, camber_node x) {
  const double h = 0.001;
  camber_node a = rate(t, x), b = rate(t, on(t, x, a, h / 2)), c = rate(t, on(t, x, b, h / 2)), d = rate(t, on(t, x, c, h));
  camber_node sum = camber_add(t, camber_add(t, a, camber_easy_mul_number(t, b, 2)), camber_add(t, camber_easy_mul_number(t, c, 2), d));
  return on(t, x, sum, h / 6);
}

/* The squared norm of the last state and its gradient, keeping so many states; 0: all. */
static camber_program *loop(int64_t slots) {
  camber_tape *t = camber_tape_new(), *body = camber_tape_sub(t);
  camber_node x = camber_easy_vector(t, CAMBER_F64, N), in = camber_easy_vector(body, CAMBER_F64, N), next = step(body, in), last, out[2];
  camber_scan_slots(t, body, &in, &next, 1, &x, 0, NULL, 0, STEPS, 0, slots, &last);
  out[0] = camber_easy_sum(t, camber_square(t, last));
  camber_grad(t, out[0], &x, 1, &out[1]);
  camber_program *p = camber_program_new(t, &x, 1, out, 2);
  if (!p) fprintf(stderr, "%s\n", camber_tape_message(t));
  camber_tape_free(body);
  camber_tape_free(t);
  return p;
}

/* A network's gradient, its layers computed again in parts of so many; 0: kept. */
static size_t network(int part) {
  const int64_t shape[2] = {WIDTH, WIDTH};
  camber_tape *t = camber_tape_new();
  camber_node in[LAYERS + 1], h, start, out[LAYERS + 1];
  for (int i = 0; i <= LAYERS; i++) in[i] = camber_input(t, CAMBER_F64, shape, 2);
  h = start = in[LAYERS];
  for (int i = 0; i < LAYERS; i++) {
    h = camber_tanh(t, camber_matmul(t, h, in[i]));
    if (part && (i + 1) % part == 0) {
      camber_checkpoint(t, &h, 1, &start, 1, CAMBER_KEEP_NOTHING, &h);
      start = h;
    }
  }
  camber_grad(t, camber_easy_sum(t, h), in, LAYERS + 1, out);
  camber_program *p = camber_program_new(t, in, LAYERS + 1, out, LAYERS + 1);
  if (!p) fprintf(stderr, "%s\n", camber_tape_message(t));
  size_t bytes = p ? camber_program_memory(p) : 0;
  camber_program_free(p);
  camber_tape_free(t);
  return bytes;
}

static int run(camber_program *p, const double *x, double *value, double *gradient) {
  camber_workspace *w = camber_workspace_new(p);
  const void *in[1] = {x};
  void *out[2] = {value, gradient};
  int status = w ? camber_run(p, w, in, out) : CAMBER_ENOMEM;
  camber_workspace_free(w);
  return status;
}

int main(void) {
  double x[N], all, few, gradient[N], other[N], norm = 0;
  for (int i = 0; i < N; i++) x[i] = 8 + 0.01 * i;
  camber_program *stored = loop(0), *slots = loop(20);
  if (!stored || !slots || run(stored, x, &all, gradient) || run(slots, x, &few, other)) return 1;
  for (int i = 0; i < N; i++) norm += gradient[i] * gradient[i];
  printf("value %.6f, gradient %.6f\n", all, sqrt(norm));
  printf("20 states kept: %s\n", all == few && !memcmp(gradient, other, sizeof gradient) ? "the same bits" : "others");
  printf("memory: %s\n", camber_program_memory(slots) * 50 < camber_program_memory(stored) ? "less than a fiftieth" : "more");

  /* The library chooses how many fit, or says what would be needed. */
  if (camber_program_set(stored, "memory_limit", 100000) || run(stored, x, &few, other)) return 1;
  printf("in 100000 bytes: %s\n", camber_program_memory(stored) <= 100000 && !memcmp(gradient, other, sizeof gradient) ? "the same bits" : "others");
  printf("in 1000 bytes: %s\n", camber_program_set(stored, "memory_limit", 1000) == CAMBER_ENOMEM ? "refused" : "taken");

  printf("a network in parts of 4: %s\n", network(4) * 2 < network(0) ? "less than half the memory" : "more");
  camber_program_free(stored);
  camber_program_free(slots);
  return 0;
}
