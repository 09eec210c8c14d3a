/* A pendulum by Taylor series: the solution's coefficients one after the other, steps of order 16; the map's mixed derivatives.
 *   cc main.c $(pkg-config --cflags --libs camber) -lm && ./a.out */
#include <camber_easy.h>
#include <math.h>
#include <stdio.h>

enum { ORDER = 16 };
static const double H = 0.25;

static double energy(const double *x) { return 0.5 * x[1] * x[1] - cos(x[0]); }

int main(void) {
  camber_tape *t = camber_tape_new();
  camber_node x[2], f[2], c[2][ORDER + 1], y[2];
  for (int i = 0; i < 2; i++) c[i][0] = x[i] = camber_input(t, CAMBER_F64, NULL, 0);
  f[0] = x[1];
  f[1] = camber_neg(t, camber_sin(t, x[0]));
  for (int k = 0; k < ORDER; k++) {
    camber_node given[2 * ORDER], rate[2 * ORDER];
    for (int i = 0; i < 2; i++)
      for (int j = 0; j < k; j++) given[i * k + j] = c[i][j + 1];
    if (k > 0) camber_taylor(t, f, 2, x, given, 2, (size_t)k, rate);
    for (int i = 0; i < 2; i++) c[i][k + 1] = camber_easy_mul_number(t, k > 0 ? rate[i * k + k - 1] : f[i], 1.0 / (k + 1));
  }
  for (int i = 0; i < 2; i++) {
    y[i] = c[i][ORDER];
    for (int k = ORDER; k-- > 0;) y[i] = camber_add(t, camber_easy_mul_number(t, y[i], H), c[i][k]);
  }
  camber_node zero = camber_constant(t, CAMBER_F64, 0), one = camber_constant(t, CAMBER_F64, 1), along[4] = {one, zero, zero, one}, third;
  const int32_t orders[2] = {2, 1};
  camber_directional(t, y, 1, x, 2, along, 2, orders, 1, &third);

  camber_program *p = camber_program_new(t, x, 2, y, 2), *q = camber_program_new(t, x, 2, &third, 1);
  camber_workspace *w = camber_workspace_new(p), *v = camber_workspace_new(q);
  if (camber_easy_check(stderr, t)) return 1;
  double at[2] = {1, 0.5}, start[2] = {1, 0.5}, derivative;
  const void *in[2] = {&at[0], &at[1]}, *begin[2] = {&start[0], &start[1]};
  double next[2];
  void *out[2] = {&next[0], &next[1]}, *result[1] = {&derivative};
  for (int k = 1; k <= 40; k++) {
    if (camber_run(p, w, in, out)) return 1;
    at[0] = next[0], at[1] = next[1];
    if (k % 10 == 0) printf("t = %4.1f  angle %.9f  speed %.9f\n", H * k, at[0], at[1]);
  }
  printf("energy kept to 1e-13: %s\n", fabs(energy(at) - energy(start)) < 1e-13 ? "yes" : "no");
  if (camber_run(q, v, begin, result)) return 1;
  printf("third derivative of one step, twice by angle, once by speed: %.9f\n", derivative);
  camber_workspace_free(w), camber_workspace_free(v);
  camber_program_free(p), camber_program_free(q);
  camber_tape_free(t);
  return 0;
}
