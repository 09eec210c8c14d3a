/* Kepler's equation E - e sin E = M, solved by the host, as an operator: its derivative is one line of nodes (the implicit function
 * theorem), and everything else follows: gradient, Hessian, batches.
 *   cc main.c $(pkg-config --cflags --libs camber) -lm && ./a.out */
#include <camber_easy.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static camber_status solve(void *payload, camber_call *call, const void *const *x, void *const *y) {
  double m = *(const double *)x[0], e = *(const double *)x[1], E = m;
  (void)payload;
  if (!(e >= 0 && e < 1)) return camber_call_fail(call, "the orbit is not closed");
  for (int i = 0; i < 50; i++) {
    double step = (E - e * sin(E) - m) / (1 - e * cos(E));
    E -= step;
    if (fabs(step) < 1e-15) break;
  }
  *(double *)y[0] = E;
  return CAMBER_OK;
}

/* dE = (dM + sin E de) / (1 - e cos E) */
static camber_status rule(void *payload, camber_tape *t, const camber_node *x, const camber_node *y, const camber_node *dx, camber_node *dy) {
  camber_node above = camber_add(t, dx[0], camber_mul(t, camber_sin(t, y[0]), dx[1]));
  camber_node below = camber_sub(t, camber_constant(t, CAMBER_F64, 1), camber_mul(t, x[1], camber_cos(t, y[0])));
  (void)payload;
  dy[0] = camber_div(t, above, below);
  return CAMBER_OK;
}

static void print(const char *name, const double *v, int n) {
  printf("%s", name);
  for (int i = 0; i < n; i++) printf(" %.10f", v[i]);
  printf("\n");
}

int main(void) {
  camber_operator kepler = {0};
  kepler.size = sizeof kepler;
  kepler.name = "kepler";
  kepler.input_count = 2;
  kepler.output_count = 1;
  kepler.value = solve;
  kepler.jvp_nodes = rule;

  camber_tape *t = camber_tape_new();
  camber_node x[3] = {camber_input(t, CAMBER_F64, NULL, 0), camber_input(t, CAMBER_F64, NULL, 0), camber_easy_vector(t, CAMBER_F64, 3)}, out[8];
  camber_host_call(t, &kepler, x, 2, &out[0], 1);
  camber_grad(t, out[0], x, 2, &out[1]);
  camber_hessian(t, out[0], x, 2, &out[3]);
  camber_batch(t, &out[0], 1, &x[0], &x[2], 1, 3, &out[7]);

  camber_program *p = camber_program_new(t, x, 3, out, 8);
  if (!p) return fprintf(stderr, "%s\n", camber_tape_message(t)), 1;
  camber_workspace *w = camber_workspace_new(p);
  double m = 1, e = 0.3, many[3] = {0.5, 1, 2}, r[7], batch[3];
  const void *inputs[3] = {&m, &e, many};
  void *outputs[8] = {&r[0], &r[1], &r[2], &r[3], &r[4], &r[5], &r[6], batch};
  if (camber_run(p, w, inputs, outputs)) return fprintf(stderr, "%s\n", camber_workspace_message(w)), 1;
  print("E", r, 1);
  print("gradient", &r[1], 2);
  print("hessian", &r[3], 4);
  print("batch", batch, 3);

  e = 1.2;
  if (camber_run(p, w, inputs, outputs) != CAMBER_ECALLBACK) return 1;
  printf("failed: %s\n", strchr(camber_workspace_message(w), ' ') + 1);   /* behind "kepler:" */
  camber_workspace_free(w);
  camber_program_free(p);
  camber_tape_free(t);
  return 0;
}
