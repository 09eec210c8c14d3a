/* AC optimal power flow solved by IPOPT, which is handed sparse Jacobians and Hessians of the Lagrangian by Camber. Each case's cost is printed
 * beside the published one, and IPOPT's own derivative checker is asked about every entry first.
 *   cc main.c $(pkg-config --cflags --libs camber ipopt) -lm && ./a.out shared/data/opf
 * With a second argument k: the grids tiled until they have some 1,100 variables, and the times of preparing and evaluating. */
#define _POSIX_C_SOURCE 199309L
#include "network.h"
#include <stdio.h>
#include <time.h>
#if __has_include(<coin-or/IpStdCInterface.h>)
#include <coin-or/IpStdCInterface.h>
#else
#include <coin/IpStdCInterface.h>
#endif

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What callbacks read. Nothing is kept from one point to the next: any callback may be the first at a new point, whatever new_x says. */
typedef struct {
  const problem *p;
  camber_program *value, *rows;
  camber_workspace *in_value, *in_rows;
  camber_sparse *jacobian, *hessian;
  camber_sparse_workspace *in_jacobian, *in_hessian;
  double cost, *gradient;
} derivatives;

static int complain(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  return 0;
}

static int prepare(derivatives *d, const problem *p) {
  camber_tape *t = p->tape;
  camber_node gradient, out[2] = {p->cost, p->rows}, x = p->x;
  memset(d, 0, sizeof *d);
  d->p = p, d->gradient = (double *)room(p->variables, sizeof(double));
  camber_grad(t, p->cost, &x, 1, &gradient);
  camber_node both[2] = {p->cost, gradient};
  d->value = camber_program_new(t, &x, 1, both, 2), d->rows = camber_program_new(t, &x, 1, &p->rows, 1);
  d->jacobian = camber_sparse_jacobian(t, &p->rows, 1, &x, 1, NULL, 0);
  d->hessian = camber_sparse_lagrangian(t, out, 2, &x, 1, NULL, 0);
  if (!d->value || !d->rows || !d->jacobian || !d->hessian) return complain("tape", camber_tape_message(t));
  camber_sparse_set(d->jacobian, "format", CAMBER_SPARSE_COO);
  camber_sparse_set(d->hessian, "format", CAMBER_SPARSE_COO), camber_sparse_set(d->hessian, "triangle", CAMBER_SPARSE_LOWER);
  if (camber_sparse_prepare(d->jacobian)) return complain("jacobian", camber_sparse_message(d->jacobian));
  if (camber_sparse_prepare(d->hessian)) return complain("hessian", camber_sparse_message(d->hessian));
  d->in_value = camber_workspace_new(d->value), d->in_rows = camber_workspace_new(d->rows);
  d->in_jacobian = camber_sparse_workspace_new(d->jacobian), d->in_hessian = camber_sparse_workspace_new(d->hessian);
  return d->in_value && d->in_rows && d->in_jacobian && d->in_hessian;
}

static void release(derivatives *d) {
  camber_workspace_free(d->in_value), camber_workspace_free(d->in_rows), camber_program_free(d->value), camber_program_free(d->rows);
  camber_sparse_workspace_free(d->in_jacobian), camber_sparse_workspace_free(d->in_hessian), camber_sparse_free(d->jacobian), camber_sparse_free(d->hessian);
  free(d->gradient);
}

/* ---- What IPOPT calls. A status > 0 says that the numbers failed: FALSE, and IPOPT takes a shorter step ----------------------------- */

static int cost_and_gradient(derivatives *d, const double *x) {
  const void *in[1] = {x};
  void *out[2] = {&d->cost, d->gradient};
  return camber_run(d->value, d->in_value, in, out) == CAMBER_OK;
}
static Bool eval_f(Index n, Number *x, Bool new_x, Number *f, UserDataPtr user) {
  derivatives *d = (derivatives *)user;
  (void)n, (void)new_x;
  if (!cost_and_gradient(d, x)) return FALSE;
  *f = d->cost;
  return TRUE;
}
static Bool eval_grad_f(Index n, Number *x, Bool new_x, Number *g, UserDataPtr user) {
  derivatives *d = (derivatives *)user;
  (void)new_x;
  if (!cost_and_gradient(d, x)) return FALSE;
  memcpy(g, d->gradient, (size_t)n * sizeof *g);
  return TRUE;
}
static Bool eval_g(Index n, Number *x, Bool new_x, Index m, Number *g, UserDataPtr user) {
  derivatives *d = (derivatives *)user;
  const void *in[1] = {x};
  void *out[1] = {g};
  (void)n, (void)new_x, (void)m;
  return camber_run(d->rows, d->in_rows, in, out) == CAMBER_OK;
}
/* The pattern where no values are asked for; entries in its order after that. */
static Bool eval_jac_g(Index n, Number *x, Bool new_x, Index m, Index count, Index *row, Index *col, Number *values, UserDataPtr user) {
  derivatives *d = (derivatives *)user;
  const void *in[1] = {x};
  (void)n, (void)new_x, (void)m, (void)count;
  if (values == NULL) return camber_sparse_pattern(d->jacobian, CAMBER_SPARSE_COO, 32, 0, row, col) == CAMBER_OK;
  return camber_sparse_values(d->in_jacobian, in, values) == CAMBER_OK;
}
/* factor * cost + sum of lambda[i] * row i, the lower triangle: one sweep with these weights. */
static Bool eval_h(Index n, Number *x, Bool new_x, Number factor, Index m, Number *lambda, Bool new_lambda, Index count, Index *row, Index *col, Number *values, UserDataPtr user) {
  derivatives *d = (derivatives *)user;
  const void *in[3] = {x, &factor, lambda};
  (void)n, (void)new_x, (void)m, (void)new_lambda, (void)count;
  if (values == NULL) return camber_sparse_pattern(d->hessian, CAMBER_SPARSE_COO, 32, 0, row, col) == CAMBER_OK;
  return camber_sparse_values(d->in_hessian, in, values) == CAMBER_OK;
}

/* ---- Solving ------------------------------------------------------------------------------------------------------------------- */

/* The largest difference of the sparse matrices from dense ones, relative to the largest entry, away from the start. */
static double dense_difference(const derivatives *d, const problem *p) {
  camber_tape *t = p->tape;
  size_t n = p->variables, m = p->constraints, nj = camber_sparse_value_count(d->jacobian), nh = camber_sparse_value_count(d->hessian);
  camber_node x = p->x, weights[2] = {camber_easy_vector(t, CAMBER_F64, (int64_t)m), camber_input(t, CAMBER_F64, NULL, 0)}, dense[2], in[3] = {x, weights[1], weights[0]};
  camber_node sum = camber_add(t, camber_mul(t, weights[1], p->cost), camber_easy_sum(t, camber_mul(t, weights[0], p->rows)));
  camber_jacobian(t, &p->rows, 1, &x, 1, CAMBER_FORWARD, &dense[0]), camber_hessian(t, sum, &x, 1, &dense[1]);
  camber_program *program = camber_program_new(t, in, 3, dense, 2);
  camber_workspace *w = program ? camber_workspace_new(program) : NULL;
  double *at = (double *)room(n, 8), *lambda = (double *)room(m, 8), factor = 0.75, *j = (double *)room(n * m, 8), *h = (double *)room(n * n, 8), worst = w ? 0 : INFINITY, scale = 0;
  double *values = (double *)room(nj + nh, 8);
  int32_t *row = (int32_t *)room(nj + nh, 4), *col = (int32_t *)room(nj + nh, 4);
  for (size_t i = 0; i < n; i++) at[i] = p->start[i] + 0.1 * sin((double)i);
  for (size_t i = 0; i < m; i++) lambda[i] = cos((double)i);
  const void *given[3] = {at, &factor, lambda};
  void *out[2] = {j, h};
  if (w == NULL || camber_run(program, w, given, out) || camber_sparse_values(d->in_jacobian, given, values) || camber_sparse_values(d->in_hessian, given, values + nj)) worst = INFINITY;
  camber_sparse_pattern(d->jacobian, CAMBER_SPARSE_COO, 32, 0, row, col), camber_sparse_pattern(d->hessian, CAMBER_SPARSE_COO, 32, 0, row + nj, col + nj);
  for (size_t i = 0; i < n * m; i++) scale = fmax(scale, fabs(j[i]));
  for (size_t i = 0; i < n * n; i++) scale = fmax(scale, fabs(h[i]));
  /* What the pattern holds is taken off; nothing may be left, above the Hessian's diagonal neither. */
  for (size_t k = 0; k < nj; k++) j[(size_t)row[k] * n + (size_t)col[k]] -= values[k];
  for (size_t k = nj; k < nj + nh; k++) {
    h[(size_t)row[k] * n + (size_t)col[k]] -= values[k];
    if (row[k] != col[k]) h[(size_t)col[k] * n + (size_t)row[k]] -= values[k];
  }
  for (size_t i = 0; i < n * m; i++) worst = fmax(worst, fabs(j[i]) / scale);
  for (size_t i = 0; i < n * n; i++) worst = fmax(worst, fabs(h[i]) / scale);
  free(at), free(lambda), free(j), free(h), free(values), free(row), free(col);
  camber_workspace_free(w), camber_program_free(program);
  return worst;
}

static int says(const char *path, const char *sentence) {
  char line[1024];
  int found = 0;
  FILE *f = fopen(path, "r");
  while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) found = strstr(line, sentence) != NULL;
  if (f != NULL) fclose(f);
  return found;
}

static int solve(const char *name, const problem *p, double published) {
  derivatives d;
  if (!prepare(&d, p)) return 0;
  char log[64];
  snprintf(log, sizeof log, "opf-%ld.log", (long)(seconds() * 1e6));
  IpoptProblem ipopt = CreateIpoptProblem((Index)p->variables, p->low, p->high, (Index)p->constraints, p->row_low, p->row_high, (Index)camber_sparse_value_count(d.jacobian),
                                          (Index)camber_sparse_value_count(d.hessian), 0, eval_f, eval_g, eval_grad_f, eval_jac_g, eval_h);
  AddIpoptStrOption(ipopt, "output_file", log), AddIpoptIntOption(ipopt, "print_level", 0), AddIpoptIntOption(ipopt, "file_print_level", 5);
  AddIpoptStrOption(ipopt, "sb", "yes"), AddIpoptStrOption(ipopt, "derivative_test", "second-order"), AddIpoptNumOption(ipopt, "derivative_test_tol", 1e-5);
  AddIpoptNumOption(ipopt, "tol", 1e-8);
  double *x = (double *)room(p->variables, sizeof *x), cost = 0;
  memcpy(x, p->start, p->variables * sizeof *x);
  enum ApplicationReturnStatus status = IpoptSolve(ipopt, x, NULL, &cost, NULL, NULL, NULL, &d);
  FreeIpoptProblem(ipopt);
  int content = says(log, "No errors detected by derivative checker.");
  remove(log);
  double difference = dense_difference(&d, p);
  int right = status == Solve_Succeeded && content && fabs(cost - published) <= 5e-5 * published && difference <= 1e-14;
  printf("%-6s %zu variables, %zu constraints, cost %.4e $/h (published %.4e), derivative checker %s, %s dense matrices%s\n", name, p->variables, p->constraints, cost, published,
         content ? "content" : "NOT content", difference <= 1e-14 ? "equal to" : "DIFFERENT from", status == Solve_Succeeded ? "" : ", NOT solved");
  free(x), release(&d);
  return right;
}

/* The tiled grids: times of preparing both matrices, and of one evaluation of each. */
static int measure(const char *name, const problem *p) {
  derivatives d;
  double begin = seconds(), best[2] = {1e9, 1e9};
  if (!prepare(&d, p)) return 0;
  double prepared = seconds() - begin, factor = 1;
  size_t nj = camber_sparse_value_count(d.jacobian), nh = camber_sparse_value_count(d.hessian);
  double *values = (double *)room(nj + nh, sizeof *values), *lambda = (double *)room(p->constraints, sizeof *lambda);
  for (size_t i = 0; i < p->constraints; i++) lambda[i] = 1 + (double)(i % 7);
  for (int k = 0; k < 200; k++) {
    const void *in[3] = {p->start, &factor, lambda};
    double a = seconds();
    if (camber_sparse_values(d.in_jacobian, in, values)) return 0;
    double b = seconds();
    if (camber_sparse_values(d.in_hessian, in, values + nj)) return 0;
    double c = seconds();
    best[0] = fmin(best[0], b - a), best[1] = fmin(best[1], c - b);
  }
  printf("%-6s tiled: %zu variables, %zu constraints, %zu + %zu entries, prepared in %.3f s, Jacobian %.1f us, Hessian %.1f us\n", name, p->variables, p->constraints, nj, nh, prepared,
         1e6 * best[0], 1e6 * best[1]);
  free(values), free(lambda), release(&d);
  return prepared <= 1 && best[0] + best[1] <= 1e-3;
}

int main(int argc, char **argv) {
  static const struct { const char *name, *file; double published; size_t tiles; } cases[] = {
      {"case5", "pglib_opf_case5_pjm.m", 1.7552e4, 26}, {"case14", "pglib_opf_case14_ieee.m", 2.1781e3, 9}};
  if (argc < 2) return fprintf(stderr, "usage: %s FOLDER [measure]\n", argv[0]), 2;
  int right = 1;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[1024];
    network n;
    problem p;
    snprintf(path, sizeof path, "%s/%s", argv[1], cases[i].file);
    const char *wrong = network_read(&n, path);
    if (wrong) return fprintf(stderr, "%s %s\n", path, wrong), 2;
    if (argc > 2) network_tile(&n, cases[i].tiles);
    problem_make(&p, &n);
    right &= argc > 2 ? measure(cases[i].name, &p) : solve(cases[i].name, &p, cases[i].published);
    problem_free(&p), network_free(&n);
  }
  return right ? 0 : 1;
}
