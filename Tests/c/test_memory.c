/* Memory refused at each place that asks the library's allocator, once: a status each time, nothing leaked, and what failed works
 * afterwards. Needs ck_fail_after, which only libraries without the version script show (.build-asan); else nothing is tried. */
#define _XOPEN_SOURCE 700
#include <camber.h>
#include <math.h>
#include <stdlib.h>

#include "check.h"

extern void ck_fail_after(int64_t k) __attribute__((weak));
extern int64_t ck_live_bytes(void) __attribute__((weak));

static int failures;          /* calls of one session that were refused something */
static double results[64];
static int result_count;

static void note(double v) { if (result_count < 64) results[result_count++] = v; }

/* What goes wrong leaves a status and a sentence; the session then goes on from there. */
static int well(camber_tape *t) {
  camber_status s = camber_tape_status(t);
  if (s == CAMBER_OK) return 1;
  failures++;
  CHECK(s == CAMBER_ENOMEM && *camber_tape_message(t));
  if (s != CAMBER_ENOMEM) fprintf(stderr, "  %d %s\n", s, camber_tape_message(t));
  camber_tape_clear(t);
  return 0;
}

static int compiled(camber_tape *t, const camber_node *in, size_t n, const camber_node *out, size_t m, const void *const *x, void *const *y) {
  camber_program *p = camber_program_new(t, in, n, out, m);
  if (!p) return well(t) ? CHECK(!"no program and no error"), 0 : 0;
  camber_workspace *w = camber_workspace_new(p);
  int ok = w != NULL;
  if (!w) failures++;
  else {
    camber_status s = camber_run(p, w, x, y);
    if (s < 0) { failures++, ok = 0; CHECK(*camber_workspace_message(w)); }
  }
  camber_workspace_free(w), camber_program_free(p);
  return ok;
}

/* A status that is good, or a refusal with a sentence. */
static int fine(camber_status s, const char *sentence) {
  if (s == CAMBER_OK) return 1;
  failures++;
  CHECK(s == CAMBER_ENOMEM && *sentence);
  if (s != CAMBER_ENOMEM) fprintf(stderr, "  %d %s\n", s, sentence);
  return 0;
}

/* Outputs of `t` saved, in a file and in memory, loaded, run, and applied to another tape's nodes. */
static void saved(camber_tape *t, camber_node x, const camber_node *y, const char *path, const double *at) {
  camber_archive *a = camber_archive_new(), *b = camber_archive_new(), *c = camber_archive_new();
  const void *bytes;
  size_t size;
  double out[2][9];
  int ok = fine(camber_archive_add(a, "f", t, &x, (const char *const[]){"x"}, 1, y, NULL, 2), camber_archive_message(a)) &&
           fine(camber_archive_set(a, "f", "threads", 1), camber_archive_message(a)) && fine(camber_archive_set_note(a, "key", "text"), camber_archive_message(a));
  well(t);
  if (ok && fine(camber_archive_save(a, path), camber_archive_message(a)) && fine(camber_archive_load(b, path), camber_archive_message(b))) {
    camber_program *p = camber_archive_program(b, "f");
    if (!p) failures++, CHECK(*camber_archive_message(b));
    camber_workspace *w = p ? camber_workspace_new(p) : NULL;
    if (p && !w) failures++;
    if (w && camber_run(p, w, (const void *const[]){at}, (void *const[]){out[0], out[1]}) == CAMBER_OK) note(out[0][0]), note(out[1][4]);
    camber_workspace_free(w), camber_program_free(p);
  }
  if (ok && fine(camber_archive_pack(a, &bytes, &size), camber_archive_message(a)) && fine(camber_archive_unpack(c, bytes, size), camber_archive_message(c))) {
    camber_tape *u = camber_tape_new();
    camber_node z = u ? camber_input(u, CAMBER_F64, (const int64_t[]){3, 3}, 2) : CAMBER_NONE, again[2];
    if (u && well(u) && camber_archive_apply(c, "f", u, &z, 1, again) == CAMBER_OK) note((double)camber_tape_node_count(u));
    if (u) well(u);
    camber_tape_free(u);
  }
  camber_archive_free(a), camber_archive_free(b), camber_archive_free(c);
}

/* Each part of a session has its sites tried by itself: their numbers add up, not their products. ALL: the parts one after the other. */
enum { PRODUCTS, DERIVED, SAVED, LOOPS, MARKED, TRAINED, SPARSE, SOLVED, WATCHED, CURVED, HOSTED, TREATED, PLANNED, PARTS, ALL = PARTS };
static int part = ALL;
static int in_part(int p) { return part == ALL || part == p; }

/* Entries of a sparse Jacobian and Hessian, and how far a value may be off. */
static void sparsely(void) {
  const int64_t six[1] = {6};
  double at[6] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}, values[36];
  camber_tape *t = camber_tape_new();
  if (!t) { failures++; return; }
  camber_node x = camber_input(t, CAMBER_F64, six, 1), y = camber_mul(t, camber_sin(t, x), camber_roll(t, x, 1, 0)), s = camber_sum(t, y, NULL, 0, 0);
  if (!well(t)) { camber_tape_free(t); return; }
  for (int kind = 0; kind < 2; kind++) {
    camber_sparse *p = kind ? camber_sparse_hessian(t, s, &x, 1, NULL, 0) : camber_sparse_jacobian(t, &y, 1, &x, 1, NULL, 0);
    if (!p) { if (well(t)) CHECK(!"no sparse derivative and no error"); continue; }
    if (fine(camber_sparse_prepare(p), camber_sparse_message(p))) {
      camber_sparse_workspace *w = camber_sparse_workspace_new(p);
      if (!w) failures++;
      else if (fine(camber_sparse_values(w, (const void *[]){at}, values), camber_sparse_workspace_message(w))) note(values[0]), note(values[5]);
      camber_sparse_workspace_free(w);
    }
    camber_sparse_free(p);
    well(t);
  }
  camber_rounding *r = camber_rounding_new(t, &s, 1, &x, 1);
  if (!r) { if (well(t)) CHECK(!"no rounding and no error"); }
  else if (fine(camber_rounding_run(r, (const void *[]){at}), camber_rounding_message(r))) note(1);
  camber_rounding_free(r);
  well(t);
  camber_tape_free(t);
}

/* Minima and a fit; what a refused run was given stays finite. */
static void solved(void) {
  const int64_t two[1] = {2};
  camber_tape *t = camber_tape_new();
  if (!t) { failures++; return; }
  camber_node x = camber_input(t, CAMBER_F64, two, 1), r[2];
  r[0] = camber_sub(t, camber_exp(t, x), camber_add(t, x, camber_roll(t, x, 1, 0))), r[1] = camber_square(t, x);
  camber_node y = camber_sum(t, camber_add(t, camber_square(t, r[0]), r[1]), NULL, 0, 0);
  static const char *const methods[] = {"lbfgs", "newton-cg", "levenberg-marquardt", "gauss-newton-cg"};
  for (int i = 0; i < 4 && well(t); i++) {
    double at[2] = {1.0, -0.5};
    camber_solver *s = i < 2 ? camber_minimize(t, y, &x, 1, NULL, 0, methods[i]) : camber_least_squares(t, r, 2, &x, 1, NULL, 0, methods[i]);
    if (!s) { if (well(t)) CHECK(!"no solver and no error"); break; }
    if (fine(camber_solver_set(s, "steps", 3), camber_solver_message(s)) && fine(camber_solver_run(s, NULL, (void *[]){at}), camber_solver_message(s))) {
      camber_findings *f = camber_solver_findings(s);
      if (f) note(camber_solver_value(s)), note((double)camber_findings_count(f));
      else failures++;
      camber_findings_free(f);
    }
    CHECK(isfinite(at[0]) && isfinite(at[1]));
    camber_solver_free(s);
  }
  well(t);
  camber_tape_free(t);
}

/* A training watched, births of what is not finite, derivatives checked, and all of it in a report. */
static void watched(void) {
  const int64_t square[2] = {3, 3};
  double w[9] = {0.5, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9}, at[9] = {1, 2, 3, -1, 5, 6, 7, 8, 9}, loss, gradient[9];
  camber_tape *t = camber_tape_new();
  if (!t) { failures++; return; }
  camber_node p = camber_input(t, CAMBER_F64, square, 2), x = camber_input(t, CAMBER_F64, square, 2), in[2] = {p, x};
  camber_node h = camber_tanh(t, camber_matmul(t, x, p)), y = camber_sum(t, camber_square(t, h), NULL, 0, 0), bad = camber_sum(t, camber_log(t, x), NULL, 0, 0);
  if (!well(t)) { camber_tape_free(t); return; }
  camber_report *report = camber_report_new("memory");
  if (!report) failures++;
  camber_flow *f = camber_flow_new(t, y, &p, 1, &x, 1);
  if (!f) { if (well(t)) CHECK(!"no flow and no error"); }
  else if (fine(camber_flow_layer(f, "hidden", h), camber_flow_message(f)) &&
           fine(camber_flow_run(f, (const void *[]){w}, (const void *[]){at}, &loss, (void *[]){gradient}), camber_flow_message(f))) {
    camber_findings *found = camber_flow_findings(f);
    if (found) note(loss), note(gradient[4]), note((double)camber_findings_count(found));
    else failures++;
    camber_findings_free(found);
    if (report) fine(camber_report_add_flow(report, f), camber_report_message(report));
  }
  camber_flow_free(f);
  well(t);
  camber_nonfinite *n = camber_nonfinite_new(t, in, 2, &bad, 1);
  if (!n) { if (well(t)) CHECK(!"no births and no error"); }
  else {
    camber_status s = camber_nonfinite_run(n, (const void *[]){w, at});
    if (s == CAMBER_ENOMEM) fine(s, camber_nonfinite_message(n));
    else if (CHECK(s == CAMBER_OK || s == CAMBER_NONFINITE)) note((double)camber_nonfinite_count(n));
    if (report && s != CAMBER_ENOMEM) fine(camber_report_add_nonfinite(report, n), camber_report_message(report));
  }
  camber_nonfinite_free(n);
  well(t);
  camber_check *c = camber_check_new(t, &y, 1, in, 2);
  if (!c) { if (well(t)) CHECK(!"no check and no error"); }
  else if (fine(camber_check_run(c, (const void *[]){w, at}), camber_check_message(c))) {
    note(camber_check_verdict(c));
    if (report) fine(camber_report_add_check(report, c), camber_report_message(report));
  }
  camber_check_free(c);
  well(t);
  if (report && !failures) {
    const char *text = camber_report_render(report, "html");
    if (text) note(1);
    else failures++, CHECK(*camber_report_message(report));
  }
  camber_report_free(report);
  camber_tape_free(t);
}

/* The Hessian's figures and the errors of what stands in for it. */
static void curved(void) {
  const int64_t three[1] = {3};
  double at[3] = {0.3, -0.2, 0.5}, steps[6] = {0.1, 0, 0, 0, 0.1, 0}, changes[6] = {0.2, 0.01, 0, 0.01, 0.3, 0}, v, low, high;
  camber_tape *t = camber_tape_new();
  if (!t) { failures++; return; }
  camber_node x = camber_input(t, CAMBER_F64, three, 1), y = camber_sum(t, camber_mul(t, camber_exp(t, x), camber_roll(t, x, 1, 0)), NULL, 0, 0);
  if (!well(t)) { camber_tape_free(t); return; }
  camber_curvature *c = camber_curvature_new(t, y, &x, 1, NULL, 0);
  if (!c) { if (well(t)) CHECK(!"no curvature and no error"); }
  else if (fine(camber_curvature_set(c, "steps", 2), camber_curvature_message(c)) && fine(camber_curvature_set(c, "probes", 6), camber_curvature_message(c)) &&
           fine(camber_curvature_at(c, (const void *[]){at}, NULL), camber_curvature_message(c))) {
    static const char *const figures[] = {"trace_hutchinson", "trace", "largest", "condition"};
    for (int i = 0; i < 4; i++)
      if (fine(camber_curvature_figure(c, figures[i], &v, &low, &high), camber_curvature_message(c))) note(v);
    if (fine(camber_curvature_add_diagonal(c, "diagonal", NULL), camber_curvature_message(c)) &&
        fine(camber_curvature_add_pairs(c, "pairs", "bfgs", steps, changes, 2, 0, 0), camber_curvature_message(c)))
      for (int i = 0; i < 2; i++)
        if (fine(camber_curvature_error(c, i ? "pairs" : "diagonal", i ? "newton_step" : "operator", &v, &low, &high), camber_curvature_message(c))) note(v);
  }
  camber_curvature_free(c);
  well(t);
  camber_tape_free(t);
}

static int held;   /* payloads kept by the library */
static void keep(void *p) { (void)p, held++; }
static void drop(void *p) { (void)p, held--; }
static camber_status doubled(void *p, camber_call *call, const void *const *in, void *const *out) {
  (void)p;
  for (size_t i = 0; i < camber_call_size(call, 0); i++) ((double *)out[0])[i] = 2 * ((const double *)in[0])[i];
  return CAMBER_OK;
}
static camber_status doubling(void *p, camber_tape *t, const camber_node *x, const camber_node *y, const camber_node *dx, camber_node *dy) {
  (void)p, (void)x, (void)y;
  dy[0] = camber_add(t, dx[0], dx[0]);
  return CAMBER_OK;
}

/* The host's operator and its own derivative of a recorded function: payloads are let go as often as they are kept. */
static void hosted(void) {
  const int64_t three[1] = {3};
  double at[3] = {0.3, -0.2, 0.5}, out[3];
  camber_tape *t = camber_tape_new();
  if (!t) { failures++; return; }
  const camber_operator table = {.size = sizeof table, .name = "doubled", .input_count = 1, .output_count = 1, .pure = 1, .payload = out, .retain = keep, .release = drop,
                                 .value = doubled, .jvp_nodes = doubling};
  const camber_rule rule = {.size = sizeof rule, .name = "doubling", .payload = out, .retain = keep, .release = drop, .jvp = doubling};
  camber_node x = camber_input(t, CAMBER_F64, three, 1), y, z, g;
  if (well(t) && fine(camber_host_call(t, &table, &x, 1, &y, 1), camber_tape_message(t))) {
    camber_tape *body = camber_tape_sub(t);
    if (body) {
      camber_node in = camber_input(body, CAMBER_F64, three, 1), to = camber_sin(body, in);
      if (well(body) && fine(camber_custom(t, body, &in, &to, &y, 1, &rule, &z, 1), camber_tape_message(t)) && well(t) &&
          camber_grad(t, camber_sum(t, z, NULL, 0, 0), &x, 1, &g) == CAMBER_OK && compiled(t, &x, 1, &g, 1, (const void *[]){at}, (void *[]){out})) note(out[1]);
      camber_tape_free(body);
    }
  }
  well(t);
  camber_tape_free(t);
  CHECK(held == 0);
}

/* Remedies of a flow, applied and verified on copies: the host's weights are as they were, or as the remedy leaves them. */
static void treated(void) {
  const int64_t square[2] = {3, 3};
  static const char *const remedies[] = {"lsuv", "learning_rate", "standardize", "normalize", "damping"};
  double w[9] = {0.5, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9}, at[9] = {1, 2, 3, -1, 5, 6, 7, 8, 9}, loss, singular[4];
  camber_tape *t = camber_tape_new();
  if (!t) { failures++; return; }
  camber_node p = camber_input(t, CAMBER_F64, square, 2), x = camber_input(t, CAMBER_F64, square, 2), other;
  camber_node h = camber_tanh(t, camber_matmul(t, x, p)), y = camber_sum(t, camber_square(t, h), NULL, 0, 0);
  if (!well(t)) { camber_tape_free(t); return; }
  camber_optimizer *o = camber_optimizer_new("adam");
  camber_flow *f = camber_flow_new(t, y, &p, 1, &x, 1);
  if (!f) { if (well(t)) CHECK(!"no flow and no error"); }
  else if (fine(camber_flow_layer(f, "hidden", h), camber_flow_message(f)) && fine(camber_optimizer_add(o, "w", CAMBER_F64, square, 2), camber_optimizer_message(o)) &&
           fine(camber_flow_run(f, (const void *[]){w}, (const void *[]){at}, &loss, NULL), camber_flow_message(f))) {
    for (int i = 0; i < 5 && !failures && fine(camber_flow_run(f, (const void *[]){w}, (const void *[]){at}, &loss, NULL), camber_flow_message(f)); i++)
      if (fine(camber_flow_prescribe(f, remedies[i], "", o, NULL, (void *[]){w}, (const void *[]){at}), camber_flow_message(f)) &&
          fine(camber_flow_run(f, (const void *[]){w}, (const void *[]){at}, &loss, NULL), camber_flow_message(f))) note(loss);
    camber_findings *found = camber_flow_verify(f, (void *[]){w}, (const void *[]){at}, o, 3);
    if (found) note((double)camber_findings_count(found));
    else failures++, CHECK(*camber_flow_message(f));
    camber_findings_free(found);
    if (fine(camber_flow_treat(f, &h, 1, &other), camber_flow_message(f))) note(1);
  }
  for (int i = 0; i < 9; i++) CHECK(isfinite(w[i]));
  camber_flow_free(f);
  camber_optimizer_free(o);
  well(t);
  if (camber_singular_values(t, h, x, &p, 1, at, (const void *[]){w}, 3, singular) == CAMBER_OK) note(singular[0]);
  well(t);
  camber_status s = camber_initialize("orthogonal", CAMBER_F64, square, 2, 0, 7, w);
  if (s == CAMBER_OK) note(w[4]);
  else { failures++; CHECK(s == CAMBER_ENOMEM); }
  camber_tape_free(t);
}

/* Methods counted, eliminations, and what stands for naive expressions. */
static void planned(void) {
  const int64_t three[1] = {3};
  double at[3] = {1e-9, 2e-9, 3e-9}, out[9];
  camber_tape *t = camber_tape_new();
  if (!t) { failures++; return; }
  camber_node x = camber_input(t, CAMBER_F64, three, 1), y = camber_mul(t, camber_sin(t, x), camber_roll(t, x, 1, 0)), j, z;
  camber_node one = camber_broadcast(t, camber_constant(t, CAMBER_F64, 1), three, 1), naive = camber_log(t, camber_add(t, one, x));
  if (!well(t)) { camber_tape_free(t); return; }
  for (int i = 0; i < 2; i++) {
    camber_plan *p = camber_plan_new(t, i ? "sparse_jacobian" : "jacobian", &y, 1, &x, 1, NULL, 0);
    if (!p) { if (well(t)) CHECK(!"no plan and no error"); }
    else if (fine(camber_plan_set(p, "taste", 0), camber_plan_message(p)) && fine(camber_plan_run(p, NULL), camber_plan_message(p))) {
      const char *words = camber_plan_explain(p, 0);
      CHECK(words && *words), note((double)camber_plan_count(p));
    }
    camber_plan_free(p);
    well(t);
  }
  camber_plan_forget();
  if (camber_elimination(t, &y, 1, &x, 1, NULL, &j) == CAMBER_OK && compiled(t, &x, 1, &j, 1, (const void *[]){at}, (void *[]){out})) note(out[0]), note(out[4]);
  well(t);
  camber_stabilizer *s = camber_stabilizer_new(t, &x, 1, &naive, 1);
  if (!s) { if (well(t)) CHECK(!"no stabilizer and no error"); }
  else if (fine(camber_stabilizer_sample(s, (const void *[]){at}), camber_stabilizer_message(s)) && fine(camber_stabilizer_run(s, &z), camber_stabilizer_message(s)))
    if (compiled(t, &x, 1, &z, 1, (const void *[]){at}, (void *[]){out})) note(out[1]), CHECK(out[1] == log1p(at[1]) || fabs(out[1] / log1p(at[1]) - 1) < 1e-15);
  camber_stabilizer_free(s);
  well(t);
  camber_tape_free(t);
}

/* Records, differentiates, batches, loops, compiles, runs, trains and saves; every handle is freed on every path. */
static void session(const char *path) {
  const int64_t shape[2] = {3, 3}, three[1] = {3}, wide[3] = {2, 3, 3}, many[1] = {300};
  double a[9] = {4, 1, 0.5, 1, 5, 1, 0.5, 1, 6}, b[18], big[300], out[90], g[90], h[900];
  for (int i = 0; i < 18; i++) b[i] = 0.25 * i;
  for (int i = 0; i < 300; i++) big[i] = 0.01 * i;
  result_count = failures = 0;
  camber_tape *t = camber_tape_new();
  if (!t) { failures++; return; }
  camber_node x = camber_input(t, CAMBER_F64, shape, 2), v = camber_input(t, CAMBER_F64, three, 1), c = camber_array(t, CAMBER_F64, shape, 2, a);
  camber_node l = camber_input(t, CAMBER_F64, many, 1), key = camber_integer(t, CAMBER_I64, 7);
  if (!well(t)) { camber_tape_free(t); return; }
  camber_node y = camber_sum(t, camber_mul(t, camber_tanh(t, camber_matmul(t, x, c)), camber_dropout(t, x, key, 0.5)), NULL, 0, 0), gx, hx, jx[1], sx, bx, by;
  if (well(t) && camber_grad(t, y, &x, 1, &gx) == CAMBER_OK) {
    camber_node s = camber_solve(t, camber_add(t, x, c), camber_broadcast(t, camber_reshape(t, v, (int64_t[]){3, 1}, 2), shape, 2));
    camber_node d = camber_sum(t, camber_cholesky(t, camber_matmul(t, x, camber_transpose(t, x, NULL, 0))), NULL, 0, 0);
    camber_node outs[3] = {y, gx, s};
    const void *in[3] = {a, b, big};
    void *to[3] = {out, g, h};
    camber_node ins[3] = {x, v, l};
    camber_node gd, parts[2] = {l, l}, both, gl;
    if (!well(t) || !in_part(PRODUCTS)) goto derived;
    if (compiled(t, ins, 3, outs, 3, in, to)) note(out[0]), note(g[4]), note(h[8]);
    if (camber_grad(t, d, &x, 1, &gd) == CAMBER_OK && compiled(t, ins, 3, &gd, 1, in, to)) note(out[3]);
    well(t);
    both = camber_sum(t, camber_exp(t, camber_cumsum(t, camber_concat(t, parts, 2, 0), 0, 0)), NULL, 0, 0);
    if (well(t) && camber_grad(t, both, &l, 1, &gl) == CAMBER_OK && compiled(t, ins, 3, &gl, 1, in, (void *[]){h})) note(h[299]);
    well(t);
  derived:
    if (!in_part(DERIVED)) goto saving;
    if (camber_hessian(t, y, &x, 1, &hx) == CAMBER_OK && camber_simplify(t, &hx, 1, &sx) == CAMBER_OK && compiled(t, ins, 3, &sx, 1, in, to)) note(out[80]);
    well(t);
    camber_node xb = camber_input(t, CAMBER_F64, wide, 3), xin[2];
    if (well(t) && camber_batch(t, &gx, 1, &x, &xb, 1, 2, &bx) == CAMBER_OK) {
      xin[0] = xb;
      if (compiled(t, xin, 1, &bx, 1, (const void *[]){b}, to)) note(out[17]);
    }
    well(t);
    if (camber_jacobian(t, &gx, 1, &x, 1, CAMBER_REVERSE, jx) == CAMBER_OK) (void)camber_tape_hash(t, &x, 1, jx, 1);
    well(t);
    if (camber_precision(t, &y, 1, &x, 1, CAMBER_BF16, CAMBER_F32, &by) == CAMBER_OK && compiled(t, ins, 3, &by, 1, in, to)) { float f; memcpy(&f, out, 4), note(f); }
    well(t);
    camber_linear *f = camber_linear_new(t, &x, 1, &gx, 1);
    if (f) {
      if (camber_linear_at(f, in, NULL) == CAMBER_OK && camber_linear_vjp(f, in, to) == CAMBER_OK) note(out[5]);
      camber_linear_free(f);
    } else if (well(t)) CHECK(!"no linear and no error");
  saving:
    well(t);
    camber_node pair[2] = {y, gx};
    if (in_part(SAVED)) saved(t, x, pair, path, a);
  }
  well(t);
  camber_tape *body = in_part(LOOPS) || in_part(MARKED) ? camber_tape_sub(t) : NULL;
  if (body) {
    camber_node carry = camber_input(body, CAMBER_F64, three, 1), slice = camber_input(body, CAMBER_F64, three, 1), loop[2], gl;
    camber_node next = camber_sin(body, camber_add(body, camber_mul(body, carry, slice), v)), ends[2] = {next, camber_sum(body, next, NULL, 0, 0)};
    camber_node begin[2] = {carry, slice};
    const int recorded = well(body);
    if (recorded && in_part(LOOPS) && camber_scan(t, body, begin, ends, 1, &v, 1, &x, 1, 3, 0, loop) == CAMBER_OK) {
      camber_node total = camber_add(t, camber_sum(t, loop[0], NULL, 0, 0), camber_sum(t, loop[1], NULL, 0, 0)), two[2], hv;
      camber_node ins[2] = {x, v};
      if (well(t) && camber_grad(t, total, &x, 1, &gl) == CAMBER_OK) {
        two[0] = total, two[1] = gl;
        if (compiled(t, ins, 2, two, 2, (const void *[]){a, b}, (void *[]){out, g})) note(out[0]), note(g[3]);
        well(t);
        if (camber_hvp(t, total, &v, &v, 1, &hv) == CAMBER_OK && compiled(t, ins, 2, &hv, 1, (const void *[]){a, b}, (void *[]){out})) note(out[2]);
        well(t);
        camber_node xb = camber_input(t, CAMBER_F64, wide, 3), bl;
        if (well(t) && camber_batch(t, &gl, 1, &x, &xb, 1, 2, &bl) == CAMBER_OK) {
          ins[0] = xb;
          if (compiled(t, ins, 2, &bl, 1, (const void *[]){b, a}, (void *[]){out})) note(out[11]);
        }
      }
    }
    well(body);
    well(t);
    camber_node few, marked, gm;
    if (recorded && in_part(MARKED) && camber_scan_slots(t, body, begin, ends, 1, &v, 1, &x, 0, 3, 0, 2, &few) == CAMBER_OK &&
        camber_checkpoint(t, &few, 1, &v, 1, 0, &marked) == CAMBER_OK && camber_grad(t, camber_sum(t, marked, NULL, 0, 0), &v, 1, &gm) == CAMBER_OK) {
      camber_node ins[2] = {x, v};
      if (compiled(t, ins, 2, &gm, 1, (const void *[]){a, b}, (void *[]){out})) note(out[1]);
    }
    well(body);
    camber_tape_free(body);
  }
  well(t);
  camber_tape_free(t);

  if (in_part(SPARSE)) sparsely();
  if (in_part(SOLVED)) solved();
  if (in_part(WATCHED)) watched();
  if (in_part(CURVED)) curved();
  if (in_part(HOSTED)) hosted();
  if (in_part(TREATED)) treated();
  if (in_part(PLANNED)) planned();
  if (!in_part(TRAINED)) return;
  camber_optimizer *o = camber_optimizer_new("adamw");
  if (camber_optimizer_set(o, "clip_global_norm", 1) < 0 || camber_optimizer_add(o, "w", CAMBER_BF16, many, 1) < 0 || camber_optimizer_add(o, "u", CAMBER_F64, three, 1) < 0) failures++;
  uint16_t w[300] = {0}, dw[300];
  for (int i = 0; i < 300; i++) dw[i] = 0x3F80;
  double u[3] = {1, 2, 3}, du[3] = {1, 1, 1};
  for (int i = 0; i < 2; i++) {
    camber_status s = camber_optimizer_step(o, (void *[]){w, u}, (const void *[]){dw, du});
    if (s != CAMBER_OK) { failures++; CHECK(s == CAMBER_ENOMEM && *camber_optimizer_message(o)); }
  }
  if (camber_optimizer_state_count(o) == 0) failures++;
  if (camber_optimizer_steps(o) == 2) note(u[2]);
  camber_optimizer_free(o);

  camber_status s = camber_tensors_save(path, 1, (const char *const[]){"u"}, (const camber_dtype[]){CAMBER_F64}, (const size_t[]){1}, three, (const void *const[]){du});
  if (s != CAMBER_OK) { failures++; CHECK(s == CAMBER_ENOMEM || s == CAMBER_EIO); }
  camber_tensors *file = camber_tensors_open(path, &s);
  if (!file) { failures++; CHECK(s == CAMBER_ENOMEM); }
  camber_tensors_free(file);
}

int main(void) {
  char path[] = "/tmp/camber-memory-XXXXXX";
  if (!CHECK(mkstemp(path) >= 0)) return check_done();
  session(path);
  CHECK(failures == 0 && result_count == 58);
  if (failures || result_count != 58) fprintf(stderr, "  %d refused, %d results without any failure\n", failures, result_count);
  if (ck_fail_after && ck_live_bytes) {
    const int64_t live = ck_live_bytes();
    int64_t sites = 0;
    for (part = 0; part < PARTS; part++) {
      double want[64];
      session(path);
      CHECK(failures == 0 && result_count > 0 && ck_live_bytes() == live);
      int count = result_count;
      memcpy(want, results, sizeof want);
      for (int64_t k = 0, quiet = 0, last = 0; k < 1000000; k++) {
        ck_fail_after(k);
        session(path);
        ck_fail_after(-1);
        if (!CHECK(ck_live_bytes() == live)) fprintf(stderr, "  %lld bytes are left after site %lld of part %d\n", (long long)(ck_live_bytes() - live), (long long)k, part);
        /* Past the last site nothing fails any more. A refusal that the library can do without is no failure. */
        quiet = failures ? 0 : quiet + 1;
        if (!failures) CHECK(result_count == count && !memcmp(results, want, sizeof *want * (size_t)count));
        else sites += k + 1 - last, last = k + 1;
        if (quiet > 100) break;
      }
    }
    fprintf(stderr, "memory: %lld sites\n", (long long)sites);
    CHECK(sites > 500);
    part = ALL;
    session(path);
    CHECK(failures == 0 && result_count == 58);
  }
  remove(path);
  return check_done();
}
