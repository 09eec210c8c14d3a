#include <camber_easy.h>
#include <math.h>

/* flip: value, and the gradient of sum(w * flip(x)), which is flip(w). */
static int flips(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_easy_vector(t, CAMBER_F64, 3), w = camber_easy_vector(t, CAMBER_F64, 3), in[2] = {x, w}, out[2];
  double at[3] = {1, 2, 3}, weights[3] = {5, 6, 7}, flipped[3], gradient[3];
  const void *inputs[2] = {at, weights};
  void *results[2] = {flipped, gradient};
  int wrong;
  out[0] = camber_flip(t, x, 0);
  camber_grad(t, camber_easy_sum(t, camber_mul(t, w, out[0])), &x, 1, &out[1]);
  if (camber_easy_evaluate(t, in, 2, out, 2, inputs, results, stderr)) return 1;
  wrong = flipped[0] != 3 || flipped[2] != 1 || gradient[0] != 7 || gradient[2] != 5;
  wrong |= camber_flip(t, x, 1) != CAMBER_NONE;
  camber_tape_free(t);
  return wrong;
}

int main(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), out[3];
  const double points[3] = {0.5, -2, 3};
  int i, k;
  out[0] = camber_softsign(t, x);
  camber_grad(t, out[0], &x, 1, &out[1]);
  camber_grad(t, out[1], &x, 1, &out[2]);
  for (i = 0; i < 3; i++) {
    double at = points[i], s = 1 / (1 + fabs(at)), got[3], want[3];
    const void *in[1] = {&at};
    void *results[3] = {&got[0], &got[1], &got[2]};
    want[0] = at * s, want[1] = s * s, want[2] = (at > 0 ? -2 : 2) * s * s * s;
    if (camber_easy_evaluate(t, &x, 1, out, 3, in, results, stderr)) return 1;
    for (k = 0; k < 3; k++) if (!(fabs(got[k] - want[k]) <= 1e-15)) return fprintf(stderr, "%.17g is not %.17g\n", got[k], want[k]), 1;
  }
  camber_tape_free(t);
  return flips();
}
