/* A Gaussian process: the log-likelihood of data in the logarithms of amplitude, length and noise, its gradient and Hessian, and
 * Newton's way to the maximum.
 *   cc main.c $(pkg-config --cflags --libs camber) -lm && ./a.out */
#include <camber_easy.h>
#include <math.h>
#include <stdio.h>

enum { N = 16 };

static void print(const char *name, const double *v, int n) {
  printf("%s", name);
  for (int i = 0; i < n; i++) printf(" %.8f", v[i]);
  printf("\n");
}

/* exp(2 theta[i]), spread over the shape. */
static camber_node scale(camber_tape *t, camber_node theta, int64_t i, const int64_t *shape) {
  int64_t stop = i + 1, step = 1, one[2] = {1, 1};
  camber_node part = camber_slice(t, theta, &i, &stop, &step, 1), two = camber_constant(t, CAMBER_F64, 2);
  return camber_broadcast(t, camber_reshape(t, camber_exp(t, camber_mul(t, camber_broadcast(t, two, one, 1), part)), one, 2), shape, 2);
}

int main(void) {
  double gaps[N][N], eye[N][N], y[N];
  for (int i = 0; i < N; i++) {
    y[i] = sin(0.4 * i) + 0.1 * cos(17.0 * i);
    for (int j = 0; j < N; j++) {
      gaps[i][j] = (0.4 * i - 0.4 * j) * (0.4 * i - 0.4 * j);
      eye[i][j] = i == j;
    }
  }
  const int64_t square[2] = {N, N}, column[2] = {N, 1}, three[1] = {3}, stand[2] = {3, 1};
  camber_tape *t = camber_tape_new();
  camber_node theta = camber_input(t, CAMBER_F64, three, 1), d = camber_array(t, CAMBER_F64, square, 2, gaps), data = camber_array(t, CAMBER_F64, column, 2, y);
  camber_node half = camber_broadcast(t, camber_constant(t, CAMBER_F64, -0.5), square, 2);
  camber_node k = camber_mul(t, scale(t, theta, 0, square), camber_exp(t, camber_div(t, camber_mul(t, half, d), scale(t, theta, 1, square))));
  k = camber_add(t, k, camber_mul(t, scale(t, theta, 2, square), camber_array(t, CAMBER_F64, square, 2, eye)));

  camber_node solved = camber_cholesky_solve(t, camber_cholesky(t, k), data), det[2], out[5], eig[2];
  camber_slogdet(t, k, det);
  camber_node sum = camber_add(t, camber_easy_sum(t, camber_mul(t, data, solved)), det[1]);
  out[0] = camber_sub(t, camber_mul(t, camber_constant(t, CAMBER_F64, -0.5), sum), camber_constant(t, CAMBER_F64, 0.5 * N * log(2 * 3.14159265358979323846)));
  camber_grad(t, out[0], &theta, 1, &out[1]);
  camber_hessian(t, out[0], &theta, 1, &out[2]);
  out[3] = camber_eigvalsh(t, out[2], 1);
  /* Curvatures that are no maximum's are turned over, so that a step always climbs. */
  camber_eigh(t, out[2], 1, eig);
  camber_node along = camber_matmul(t, camber_transpose(t, eig[1], NULL, 0), camber_reshape(t, out[1], stand, 2));
  out[4] = camber_matmul(t, eig[1], camber_div(t, along, camber_reshape(t, camber_abs(t, eig[0]), stand, 2)));

  camber_program *p = camber_program_new(t, &theta, 1, out, 5);
  camber_workspace *w = p ? camber_workspace_new(p) : NULL;
  if (!w) return fprintf(stderr, "%s\n", camber_tape_message(t)), 1;
  double at[3] = {0, 0, -2}, value = 0, gradient[3], hessian[9], curvatures[3], ascent[3];
  const void *inputs[1] = {at};
  void *outputs[5] = {&value, gradient, hessian, curvatures, ascent};
  for (int step = 0; step < 12; step++) {
    if (camber_run(p, w, inputs, outputs) < 0) return fprintf(stderr, "%s\n", camber_workspace_message(w)), 1;
    if (step == 0) {
      print("value", &value, 1);
      print("gradient", gradient, 3);
      print("hessian", hessian, 9);
      print("curvatures", curvatures, 3);
    }
    const double length = sqrt(ascent[0] * ascent[0] + ascent[1] * ascent[1] + ascent[2] * ascent[2]);
    for (int i = 0; i < 3; i++) at[i] += ascent[i] / fmax(1, 2 * length);
  }
  const double last[4] = {at[0], at[1], at[2], value};
  print("maximum", last, 4);
  camber_workspace_free(w);
  camber_program_free(p);
  camber_tape_free(t);
  return 0;
}
