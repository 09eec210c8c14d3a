/* Rounding errors and checked derivatives over the C interface. */
#include <math.h>
#include "camber.h"
#include "check.h"

static void cancellation(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), one = camber_constant(t, CAMBER_F64, 1);
  CHECK(camber_label_from(t, NULL, "roots.c", 7) == CAMBER_OK);
  camber_node y = camber_sub(t, camber_sqrt(t, camber_add(t, x, one)), camber_sqrt(t, x)), g;
  CHECK(camber_grad(t, y, &x, 1, &g) == CAMBER_OK);
  camber_node out[2] = {y, g};
  camber_rounding *r = camber_rounding_new(t, out, 2, &x, 1);
  CHECK(r != NULL);
  CHECK(camber_rounding_at(r, 0, 0) == CAMBER_EINVAL);   /* nothing was run */
  CHECK(isnan(camber_rounding_figure(r, "value")) && camber_rounding_level(r) == CAMBER_UNBOUNDED_ERROR);
  const double at = 1e12;
  const void *data[1] = {&at};
  CHECK(camber_rounding_run(r, data) == CAMBER_OK);
  camber_tape_free(t);   /* an analysis outlives its tape's handle */
  const double exact[2] = {1 / (sqrt(at + 1) + sqrt(at)), -0.5 / (sqrt(at + 1) * sqrt(at) * (sqrt(at + 1) + sqrt(at)))};
  for (size_t k = 0; k < 2; k++) {
    CHECK(camber_rounding_at(r, k, 0) == CAMBER_OK);
    const double v = camber_rounding_figure(r, "value"), b = camber_rounding_figure(r, "bound"), e = camber_rounding_figure(r, "estimate");
    const double slack = fabs(exact[k]) * 1e-15, miss = v - exact[k];
    CHECK(fabs(miss) <= b + slack && fabs(miss - e) <= camber_rounding_figure(r, "remainder") + slack);
    CHECK(fabs(camber_rounding_figure(r, "corrected") - exact[k]) <= slack);
    CHECK(camber_rounding_figure(r, "weighted_bound") * (1 + 1e-9) >= fabs(e));
    CHECK(camber_rounding_figure(r, "bits_lost") > 10 && camber_rounding_figure(r, "digits") < 14);
    const char *op = NULL;
    double error, bound, share, condition;
    CHECK(camber_rounding_contributions(r) > 0 && camber_rounding_contribution(r, 0, NULL, &op, &error, &bound, &share, &condition) == CAMBER_OK);
    CHECK(op && strcmp(op, k == 0 ? "sqrt" : op) == 0 && fabs(error) <= bound && share > 0 && share <= 1);
    CHECK(strlen(camber_rounding_report(r)) > 40);
    const char *text, *file;
    int32_t line = -1;
    double part = 0, all = 0;
    size_t members = 0;
    for (; camber_rounding_member(r, 0, members, NULL, &op, &part, &text, &file, &line) == CAMBER_OK; members++) all += part;
    CHECK(members >= 1 && fabs(all - error) <= 1e-12 * fabs(error));
    CHECK(k > 0 || (strcmp(file, "roots.c") == 0 && line == 7 && strstr(camber_rounding_report(r), "roots.c:7")));
    CHECK(camber_rounding_member(r, 0, members, NULL, NULL, NULL, NULL, NULL, NULL) == CAMBER_EINVAL && camber_rounding_member(r, 99, 0, NULL, NULL, NULL, NULL, NULL, NULL) == CAMBER_EINVAL);
  }
  CHECK(camber_rounding_at(r, 2, 0) == CAMBER_EINVAL && camber_rounding_at(r, 0, 1) == CAMBER_EINVAL);
  CHECK(camber_rounding_contribution(r, 99, NULL, NULL, NULL, NULL, NULL, NULL) == CAMBER_EINVAL && strstr(camber_rounding_message(r), "99"));
  CHECK(camber_rounding_set(r, "nonsense", 1) == CAMBER_EINVAL && strstr(camber_rounding_message(r), "node_limit"));
  const double w0 = 1, w1 = 0;
  const double *weights[2] = {&w0, &w1};
  CHECK(camber_rounding_along(r, weights) == CAMBER_OK);
  CHECK(fabs(camber_rounding_figure(r, "corrected") - exact[0]) <= fabs(exact[0]) * 1e-15);
  camber_rounding_free(r);
  camber_rounding_free(NULL);
}

static void comparison(void) {
  camber_tape *t = camber_tape_new();
  camber_node in[3], out[1];
  for (int i = 0; i < 3; i++) in[i] = camber_input(t, CAMBER_F64, NULL, 0);
  camber_node s = camber_sub(t, camber_add(t, in[0], in[1]), in[2]), zero = camber_constant(t, CAMBER_F64, 0);
  out[0] = camber_select(t, camber_eq(t, s, zero), camber_constant(t, CAMBER_F64, 1), camber_constant(t, CAMBER_F64, 2));
  camber_rounding *r = camber_rounding_new(t, out, 1, in, 3);
  const double big = 1e16, one = 1, same = 1e16;   /* (1e16 + 1) - 1e16 is 0 in f64 and 1 exactly */
  const void *data[3] = {&big, &one, &same};
  CHECK(camber_rounding_run(r, data) == CAMBER_OK && camber_rounding_at(r, 0, 0) == CAMBER_OK);
  CHECK(camber_rounding_figure(r, "value") == 1 && camber_rounding_figure(r, "bound") >= 1 && camber_rounding_figure(r, "corrected") == 2);
  int32_t turns = 0;
  double other = 0;
  const char *op = "";
  CHECK(camber_rounding_unstables(r) == 1 && camber_rounding_unstable(r, 0, NULL, &op, NULL, &turns, &other) == CAMBER_OK);
  CHECK(turns == 1 && other == 2 && strcmp(op, "eq") == 0);
  camber_rounding_free(r);
  camber_tape_free(t);
}

static void checks(void) {
  camber_tape *t = camber_tape_new();
  const int64_t three[1] = {3};
  camber_node x = camber_input(t, CAMBER_F64, three, 1), y = camber_sum(t, camber_mul(t, camber_sin(t, x), camber_exp(t, x)), NULL, 0, 0);
  camber_check *c = camber_check_new(t, &y, 1, &x, 1);
  const double at[3] = {0.3, -1.2, 2.5};
  const void *data[1] = {at};
  CHECK(c && camber_check_run(c, data) == CAMBER_OK && camber_check_verdict(c) == CAMBER_RIGHT);
  size_t input = 9;
  int32_t kind = -1, verdict = -1;
  double derivative, difference, error, slope;
  CHECK(camber_check_entries(c) == 6);
  for (size_t i = 0; i < 6; i++) {
    CHECK(camber_check_entry(c, i, &input, &kind, &verdict, &derivative, &difference, &error, &slope) == CAMBER_OK && input == 0 && verdict == CAMBER_RIGHT);
    CHECK(fabs(derivative - difference) <= 1e-6 * fabs(difference));
    CHECK(fabs(slope - (kind == CAMBER_CHECK_HVP ? 3 : 2)) < 0.2);
  }
  double steps[8], rest[8];
  CHECK(camber_check_remainders(c, 0, 8, steps, rest) >= 8 && steps[0] > steps[7]);
  camber_check_free(c);
  /* A kink: |x| at 0. */
  camber_node k = camber_input(t, CAMBER_F64, NULL, 0), a = camber_abs(t, k);
  c = camber_check_new(t, &a, 1, &k, 1);
  const double zero = 0;
  data[0] = &zero;
  CHECK(camber_check_run(c, data) == CAMBER_OK && camber_check_verdict(c) == CAMBER_KINK && strstr(camber_check_message(c), "kink"));
  camber_check_free(c);
  camber_tape_free(t);
}

static void recorded(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), y = camber_sub(t, camber_mul(t, x, camber_mul(t, x, x)), camber_div(t, x, camber_sqrt(t, x))), g, three[3];
  CHECK(camber_grad(t, y, &x, 1, &g) == CAMBER_OK);
  camber_node of[2] = {y, g};
  for (int k = 0; k < 2; k++) {
    camber_node b = camber_rounding_bound(t, of[k], &x, 1);
    CHECK(b != CAMBER_NONE && camber_rounding_estimate(t, of[k], &x, 1, three) == CAMBER_OK);
    camber_node out[5] = {of[k], b, three[0], three[1], three[2]};
    camber_program *p = camber_program_new(t, &x, 1, out, 5);
    camber_workspace *w = camber_workspace_new(p);
    camber_rounding *r = camber_rounding_new(t, out, 1, &x, 1);
    for (int i = 0; i < 50; i++) {
      double at = 0.8 + 0.0123 * i, v[5];
      const void *in[1] = {&at};
      void *results[5] = {v, v + 1, v + 2, v + 3, v + 4};
      CHECK(camber_run(p, w, in, results) == CAMBER_OK && camber_rounding_run(r, in) == CAMBER_OK && camber_rounding_at(r, 0, 0) == CAMBER_OK);
      const double error = camber_rounding_figure(r, "estimate");
      CHECK(v[0] == camber_rounding_figure(r, "value") && fabs(error) <= v[1] && v[1] == v[2] && v[1] >= camber_rounding_figure(r, "weighted_bound") * 0.99);
      CHECK(fabs(error - v[3]) <= v[4] + 1e-6 * v[1]);   /* to first order */
    }
    camber_rounding_free(r), camber_workspace_free(w), camber_program_free(p);
  }
  CHECK(camber_rounding_bound(t, x, NULL, 0) != CAMBER_NONE);   /* nothing rounds: 0 */
  const int64_t two[1] = {2};
  CHECK(camber_rounding_bound(t, camber_input(t, CAMBER_F64, two, 1), NULL, 0) == CAMBER_NONE && camber_tape_status(t) == CAMBER_ESHAPE);
  camber_tape_free(t);
}

static void bad(void) {
  camber_tape *t = camber_tape_new();
  camber_node i = camber_input(t, CAMBER_I64, NULL, 0), x = camber_input(t, CAMBER_F64, NULL, 0), y = camber_add(t, x, x);
  CHECK(camber_rounding_new(t, &i, 1, &x, 1) == NULL && strstr(camber_tape_message(t), "i64"));
  camber_tape_clear(t);
  CHECK(camber_rounding_new(NULL, &y, 1, &x, 1) == NULL && camber_rounding_run(NULL, NULL) == CAMBER_EHANDLE && camber_check_run(NULL, NULL) == CAMBER_EHANDLE);
  camber_rounding *r = camber_rounding_new(t, &y, 1, NULL, 0);   /* the input is not listed */
  CHECK(r && camber_rounding_run(r, NULL) < 0 && strstr(camber_rounding_message(r), "not listed"));
  CHECK(camber_check_run((camber_check *)r, NULL) == CAMBER_EHANDLE);
  camber_rounding_free(r);
  CHECK(camber_check_new(t, &y, 1, NULL, 0) == NULL);
  camber_tape_free(t);
}

int main(void) {
  cancellation();
  comparison();
  checks();
  recorded();
  bad();
  return check_done();
}
