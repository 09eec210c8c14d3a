/* Curvature and reports as a C host uses them: figures of a quadratic, approximations, errors as sentences, a report in every format. */
#include <camber.h>
#include <stdlib.h>

#include "check.h"

enum { N = 3 };
static const double matrix[N * N] = {4, 1, 0, 1, 3, 0.5, 0, 0.5, 2};

static camber_status twice(void *payload, size_t n, const double *v, double *product) {
  for (size_t i = 0; i < n; i++) {
    product[i] = 0;
    for (size_t j = 0; j < n; j++) product[i] += 2 * matrix[i * n + j] * v[j];
  }
  return *(camber_status *)payload;
}

int main(void) {
  const int64_t n[1] = {N}, nn[2] = {N, N}, one[2] = {1, N}, column[2] = {N, 1};
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, n, 1), a = camber_array(t, CAMBER_F64, nn, 2, matrix);
  camber_node q = camber_matmul(t, camber_reshape(t, x, one, 2), camber_matmul(t, a, camber_reshape(t, x, column, 2)));
  camber_node y = camber_mul(t, camber_constant(t, CAMBER_F64, 0.5), camber_reshape(t, q, NULL, 0));
  camber_curvature *c = camber_curvature_new(t, y, &x, 1, NULL, 0);
  CHECK(c != NULL);
  double f[3], g[N], h[N];
  STATUS(camber_curvature_figure(c, "trace", f, f + 1, f + 2), CAMBER_EINVAL);
  CHECK(strstr(camber_curvature_message(c), "no point") != NULL && isnan(f[0]));
  const double point[N] = {1, -1, 2};
  const void *at[1] = {point};
  STATUS(camber_curvature_at(c, at, NULL), CAMBER_OK);
  STATUS(camber_curvature_figure(c, "trace", f, f + 1, f + 2), CAMBER_OK);
  NEAR(f[0], 9, 1e-14);
  CHECK(f[1] <= 9 && 9 <= f[2] && f[2] - f[1] < 1e-12);
  STATUS(camber_curvature_figure(c, "trace", NULL, NULL, NULL), CAMBER_OK);
  STATUS(camber_curvature_gradient(c, g), CAMBER_OK);
  NEAR(g[0], 3, 1e-15);
  STATUS(camber_curvature_product(c, point, h), CAMBER_OK);
  for (int i = 0; i < N; i++) NEAR(h[i], g[i], 1e-15);
  STATUS(camber_curvature_diagonal(c, g, h), CAMBER_OK);
  for (int i = 0; i < N; i++) NEAR(g[i], matrix[i * N + i], 1e-14);
  size_t count = 0;
  STATUS(camber_curvature_eigenvalues(c, g, h, 2, &count), CAMBER_OK);
  CHECK(count == N && g[0] < g[1]);
  camber_status gives = CAMBER_OK;
  STATUS(camber_curvature_add_product(c, "twice", twice, &gives), CAMBER_OK);
  STATUS(camber_curvature_error(c, "twice", "operator", f, NULL, NULL), CAMBER_OK);
  NEAR(f[0], 1, 1e-14);
  STATUS(camber_curvature_error(c, "twice", "newton_step", f, NULL, NULL), CAMBER_OK);
  NEAR(f[0], 0.5, 1e-13);
  STATUS(camber_curvature_error(c, "twice", "trace_ratio", f, NULL, NULL), CAMBER_OK);
  NEAR(f[0], 2, 1e-14);
  gives = CAMBER_NONFINITE;
  STATUS(camber_curvature_at(c, at, NULL), CAMBER_OK);
  STATUS(camber_curvature_error(c, "twice", "operator", f, NULL, NULL), CAMBER_ECALLBACK);
  CHECK(strstr(camber_curvature_message(c), "twice") != NULL);
  gives = CAMBER_OK;
  STATUS(camber_curvature_add_matrix(c, "twice", matrix), CAMBER_EINVAL);
  STATUS(camber_curvature_add_gauss_newton(c, "g", &y, 1), CAMBER_OK);
  STATUS(camber_curvature_error(c, "g", "frobenius", f, NULL, NULL), CAMBER_OK);
  const camber_node none = CAMBER_NONE;
  STATUS(camber_curvature_add_gauss_newton(c, "h", &none, 1), CAMBER_ENODE);
  STATUS(camber_tape_status(t), CAMBER_OK);
  STATUS(camber_curvature_set(c, "probes", 0.0 / 0.0), CAMBER_EINVAL);
  STATUS(camber_curvature_set(NULL, "probes", 10), CAMBER_EHANDLE);

  camber_solver *s = camber_minimize(t, y, &x, 1, NULL, 0, "lbfgs");
  double place[N] = {1, -1, 2};
  void *places[1] = {place};
  STATUS(camber_solver_run(s, NULL, places), CAMBER_OK);
  camber_program *p = camber_program_new(t, &x, 1, &y, 1);
  camber_report *r = camber_report_new("A <small> quadratic");
  STATUS(camber_report_add_curvature(r, c), CAMBER_OK);
  STATUS(camber_report_add_solver(r, s), CAMBER_OK);
  STATUS(camber_report_add_program(r, p), CAMBER_OK);
  STATUS(camber_report_add_finding(r, "note", 1, NULL, "for the test", NULL), CAMBER_OK);
  STATUS(camber_report_add_finding(r, "note", 4, "", "", ""), CAMBER_EINVAL);
  CHECK(strstr(camber_report_message(r), "severity 4") != NULL);
  STATUS(camber_report_add_solver(r, (const camber_solver *)(const void *)c), CAMBER_EHANDLE);
  const char *page = camber_report_render(r, "html");
  CHECK(page && strncmp(page, "<!DOCTYPE html>", 15) == 0 && strstr(page, "A &lt;small&gt; quadratic") && !strstr(page, "<script"));
  CHECK(strstr(camber_report_render(r, "text"), "Spectrum of the Hessian") != NULL);
  CHECK(camber_report_render(r, "json")[0] == '{');
  CHECK(camber_report_render(r, "pdf") == NULL && strstr(camber_report_message(r), "pdf"));
  STATUS(camber_report_save(r, "html", "/nowhere/x.html"), CAMBER_EIO);
  camber_report_free(r);
  camber_program_free(p);
  camber_solver_free(s);
  camber_tape_free(t);
  STATUS(camber_curvature_figure(c, "norm", f, NULL, NULL), CAMBER_OK);
  camber_curvature_free(c);
  camber_curvature_free(NULL);
  return check_done();
}
