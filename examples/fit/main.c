/* A decay fitted by Levenberg-Marquardt, with the data as arguments; and a narrow valley by Newton's method. Derivatives are exact.
 *   cc main.c $(pkg-config --cflags --libs camber) -lm && ./a.out */
#include <camber_easy.h>
#include <math.h>
#include <stdio.h>

enum { POINTS = 40 };

static int solve(const char *name, camber_tape *t, camber_solver *s, const void *const *data, double *x, int n) {
  void *at[1] = {x};
  if (s == NULL) return camber_easy_check(stderr, t), 1;
  if (camber_solver_run(s, data, at) != CAMBER_OK) return fprintf(stderr, "%s\n", camber_solver_message(s)), 1;
  printf("%s", name);
  for (int i = 0; i < n; i++) printf(" %.8f", x[i]);
  printf("\n%s\n", camber_solver_message(s));
  camber_solver_free(s);
  return 0;
}

int main(void) {
  camber_tape *t = camber_tape_new();
  camber_node p = camber_easy_vector(t, CAMBER_F64, 3), known[2];
  known[0] = camber_easy_vector(t, CAMBER_F64, POINTS), known[1] = camber_easy_vector(t, CAMBER_F64, POINTS);
  camber_node part[3];
  for (int i = 0; i < 3; i++) part[i] = camber_gather(t, p, camber_integer(t, CAMBER_I64, i), 0);
  /* a exp(-b time) + c - seen */
  camber_node decay = camber_exp(t, camber_neg(t, camber_easy_mul(t, part[1], known[0])));
  camber_node r = camber_sub(t, camber_easy_add(t, camber_easy_mul(t, part[0], decay), part[2]), known[1]);
  double time[POINTS], seen[POINTS], start[3] = {1, 1, 0};
  for (int i = 0; i < POINTS; i++) time[i] = 0.1 * i, seen[i] = 2.5 * exp(-1.3 * time[i]) + 0.5 + (i % 2 ? 0.01 : -0.01);
  const void *data[2] = {time, seen};
  if (solve("decay", t, camber_least_squares(t, &r, 1, &p, 1, known, 2, "levenberg-marquardt"), data, start, 3)) return 1;

  camber_node x = camber_easy_vector(t, CAMBER_F64, 2), a = camber_gather(t, x, camber_integer(t, CAMBER_I64, 0), 0), b = camber_gather(t, x, camber_integer(t, CAMBER_I64, 1), 0);
  camber_node bend = camber_sub(t, b, camber_square(t, a)), valley = camber_add(t, camber_easy_mul_number(t, camber_square(t, bend), 100), camber_square(t, camber_easy_add_number(t, a, -1)));
  double at[2] = {-1.2, 1};
  if (solve("valley", t, camber_minimize(t, valley, &x, 1, NULL, 0, "newton-cg"), NULL, at, 2)) return 1;
  camber_tape_free(t);
  return 0;
}
