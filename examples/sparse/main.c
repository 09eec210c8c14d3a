/* Newton's method with a sparse Jacobian: the steady flame of Bratu, u'' + exp(u) = 0 between two cold walls.
 *   cc main.c $(pkg-config --cflags --libs camber) -lm && ./a.out */
#include <camber.h>
#include <stdio.h>

enum { N = 31, ENTRIES = 3 * N - 2 };

static camber_node times(camber_tape *t, double factor, camber_node x) {
  const int64_t shape[1] = {N};
  return camber_mul(t, camber_broadcast(t, camber_constant(t, CAMBER_F64, factor), shape, 1), x);
}

int main(void) {
  const int64_t shape[1] = {N}, zero = 0, one = 1, last = N - 1, all = N;
  const double h2 = 1.0 / ((N + 1) * (N + 1));
  camber_tape *t = camber_tape_new();
  camber_node u = camber_input(t, CAMBER_F64, shape, 1);
  camber_node left = camber_pad(t, camber_slice(t, u, &zero, &last, &one, 1), &one, &zero, &zero, 1);
  camber_node right = camber_pad(t, camber_slice(t, u, &one, &all, &one, 1), &zero, &one, &zero, 1);
  camber_node f = camber_add(t, camber_add(t, camber_add(t, left, times(t, -2, u)), right), times(t, h2, camber_exp(t, u)));

  camber_sparse *jacobian = camber_sparse_jacobian(t, &f, 1, &u, 1, NULL, 0);
  camber_program *residual = camber_program_new(t, &u, 1, &f, 1);
  if (!jacobian || !residual || camber_sparse_prepare(jacobian) || camber_sparse_value_count(jacobian) != ENTRIES) {
    fprintf(stderr, "%s %s\n", camber_tape_message(t), camber_sparse_message(jacobian));
    return 1;
  }
  int32_t starts[N + 1], columns[ENTRIES], colors;
  camber_sparse_pattern(jacobian, CAMBER_SPARSE_CSR, 32, 0, starts, columns);
  camber_sparse_colors(jacobian, NULL, NULL, NULL, &colors);
  camber_sparse_workspace *own = camber_sparse_workspace_new(jacobian);
  camber_workspace *space = camber_workspace_new(residual);

  double x[N] = {0}, r[N], j[ENTRIES];
  const void *inputs[1] = {x};
  void *outputs[1] = {r};
  for (int step = 0; step < 5; step++) {
    if (camber_sparse_values(own, inputs, j) || camber_run(residual, space, inputs, outputs)) return 1;
    if (step == 0) {
      printf("entries %d\ncolors %d\nrow 1", ENTRIES, (int)colors);
      for (int e = starts[1]; e < starts[2]; e++) printf(" %.6f", j[e]);
      printf(" at");
      for (int e = starts[1]; e < starts[2]; e++) printf(" %d", (int)columns[e]);
      printf("\n");
    }
    /* Three diagonals: elimination without pivots. Row i begins one left of the diagonal, but the first. */
    double d[N], high[N];
    for (int i = 0; i < N; i++) {
      const double *row = j + starts[i] + (i > 0);
      d[i] = row[0], high[i] = i < N - 1 ? row[1] : 0, r[i] = -r[i];
      if (i > 0) {
        double w = row[-1] / d[i - 1];
        d[i] -= w * high[i - 1], r[i] -= w * r[i - 1];
      }
    }
    for (int i = N - 1; i >= 0; i--) {
      r[i] = (r[i] - (i < N - 1 ? high[i] * r[i + 1] : 0)) / d[i];
      x[i] += r[i];
    }
  }
  printf("middle %.8f\n", x[N / 2]);
  camber_sparse_workspace_free(own);
  camber_sparse_free(jacobian);
  camber_workspace_free(space);
  camber_program_free(residual);
  camber_tape_free(t);
  return 0;
}
