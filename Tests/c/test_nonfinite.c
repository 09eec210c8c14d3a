/* Births of NaNs and infinities, labels and stable rewritings, through the C interface. */
#include <camber.h>

#include "check.h"

#include <math.h>
#include <string.h>

static void labels(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0);
  CHECK(camber_label_from(t, NULL, "model.c", 7) == CAMBER_OK);
  camber_node y = camber_log(t, x), z = camber_square(t, y);
  CHECK(camber_label_from(t, NULL, NULL, 0) == CAMBER_OK);
  camber_node g;
  CHECK(camber_label(t, z, "layer1", NULL, 0) == CAMBER_OK);
  CHECK(camber_grad(t, z, &x, 1, &g) == CAMBER_OK);
  camber_node from;
  int32_t sweep, line;
  const char *text, *file;
  CHECK(camber_node_origin(t, g, &from, &sweep) == CAMBER_OK && sweep == CAMBER_SWEEP_REVERSE && from == y);
  CHECK(camber_label_count(t, z) == 2 && camber_label_count(t, g) == 1 && camber_label_count(t, x) == 0);
  CHECK(camber_label_get(t, z, 0, &text, &file, &line) == CAMBER_OK && !strcmp(text, "layer1") && !*file && line == 0);
  CHECK(camber_label_get(t, g, 0, &text, &file, &line) == CAMBER_OK && !*text && !strcmp(file, "model.c") && line == 7);
  CHECK(camber_label_get(t, g, 1, &text, &file, &line) == CAMBER_EINVAL && camber_label_get(t, 3, 0, &text, &file, &line) == CAMBER_ENODE);
  CHECK(camber_tape_status(t) == CAMBER_OK);
  CHECK(camber_label(t, z, NULL, "", 0) == CAMBER_EINVAL);
  camber_tape_clear(t);
  CHECK(camber_label(t, z, "a", NULL, -1) == CAMBER_EINVAL);
  camber_tape_clear(t);
  CHECK(camber_label(t, CAMBER_NONE, "a", NULL, 1) == CAMBER_ENODE);
  CHECK(camber_label(NULL, z, "a", NULL, 1) == CAMBER_EHANDLE && camber_label_from(NULL, "a", NULL, 1) == CAMBER_EHANDLE);
  camber_tape_free(t);
}

static void births(void) {
  camber_tape *t = camber_tape_new();
  const int64_t two[1] = {2};
  camber_node x = camber_input(t, CAMBER_F64, two, 1), y = camber_mul(t, x, camber_log(t, x));
  camber_nonfinite *p = camber_nonfinite_new(t, &x, 1, &y, 1);
  CHECK(p && camber_nonfinite_count(p) == 0);
  camber_tape_free(t); /* it keeps what it needs */
  double a[2] = {1, 2};
  const void *in[1] = {a};
  CHECK(camber_nonfinite_run(p, in) == CAMBER_OK && camber_nonfinite_count(p) == 0);
  a[1] = 0;
  CHECK(camber_nonfinite_run(p, in) == CAMBER_NONFINITE && camber_nonfinite_count(p) == 1 && camber_nonfinite_total(p) == 2);
  camber_node node;
  const char *op, *kind, *text, *file;
  int64_t element, behind, input;
  int32_t sweep, line;
  CHECK(camber_nonfinite_finding(p, 0, &node, &op, &kind, &element, &behind, &input) == CAMBER_OK);
  CHECK(node == y && !strcmp(op, "mul") && !strcmp(kind, "0 * inf") && element == 1 && behind == 1 && input == -1);
  CHECK(isnan(camber_nonfinite_value(p, 0)) && camber_nonfinite_operand_count(p, 0) == 2);
  double v;
  CHECK(camber_nonfinite_operand(p, 0, 0, &v, &element, &input) == CAMBER_OK && v == 0 && element == 1 && input == 0);
  CHECK(camber_nonfinite_operand(p, 0, 2, &v, NULL, NULL) == CAMBER_EINVAL);
  CHECK(camber_nonfinite_finding(p, 1, NULL, &op, &kind, NULL, NULL, NULL) == CAMBER_OK && !strcmp(op, "log") && !strcmp(kind, "log of zero"));
  CHECK(camber_nonfinite_origin(p, 1, &sweep, &op, &text, &file, &line) == CAMBER_OK && sweep == CAMBER_SWEEP_NONE && !*text);
  CHECK(camber_nonfinite_finding(p, 2, NULL, NULL, NULL, NULL, NULL, NULL) == CAMBER_EINVAL && camber_nonfinite_steps(p, 0, NULL, 0) == 0);
  CHECK(strstr(camber_nonfinite_message(p), "the infinity behind it: log(0)") && strstr(camber_nonfinite_sentence(p, 0), "mul(0, -inf)") && *camber_nonfinite_remedy(p, 0));
  CHECK(camber_poison(CAMBER_F64, a, 1) == CAMBER_OK && camber_nonfinite_run(p, in) == CAMBER_NONFINITE);
  CHECK(camber_nonfinite_finding(p, 0, NULL, NULL, &kind, &element, NULL, &input) == CAMBER_OK && !strcmp(kind, "uninitialised memory in an input") && element == 0 && input == 0);
  size_t kills, suppressed;
  CHECK(camber_nonfinite_tally(p, &kills, &suppressed) == CAMBER_OK);
  CHECK(camber_nonfinite_run(p, NULL) == CAMBER_EINVAL && *camber_nonfinite_message(p));
  in[0] = NULL;
  CHECK(camber_nonfinite_run(p, in) == CAMBER_EINVAL);
  CHECK(camber_nonfinite_set(p, "limit", 0) == CAMBER_EINVAL && camber_nonfinite_set(p, "mask", 1) == CAMBER_EINVAL && camber_nonfinite_set(p, "x", 1) == CAMBER_EINVAL);
  CHECK(camber_nonfinite_set(p, NULL, 1) == CAMBER_EINVAL && camber_nonfinite_set(p, "mask", 0) == CAMBER_OK);
  CHECK(camber_nonfinite_run(NULL, in) == CAMBER_EHANDLE && camber_poison(99, a, 1) == CAMBER_EDTYPE && camber_poison(CAMBER_F64, NULL, 1) == CAMBER_EINVAL);
  camber_nonfinite_free(p);
  camber_nonfinite_free(NULL);
}

static void optimizer(void) {
  camber_optimizer *o = camber_optimizer_new("adam");
  const int64_t one[1] = {1};
  CHECK(camber_optimizer_set(o, "epsilon", 0) == CAMBER_OK && camber_optimizer_add(o, "w", CAMBER_F64, one, 1) == CAMBER_OK);
  double w = 1, g = 0;
  void *p[1] = {&w};
  const void *d[1] = {&g};
  camber_nonfinite *found = camber_optimizer_nonfinite(o, p, d);
  const char *op, *kind;
  CHECK(found && camber_nonfinite_count(found) == 1 && w == 1 && camber_optimizer_steps(o) == 0);
  CHECK(camber_nonfinite_finding(found, 0, NULL, &op, &kind, NULL, NULL, NULL) == CAMBER_OK && !strcmp(op, "div") && !strcmp(kind, "0/0"));
  camber_nonfinite_free(found);
  CHECK(camber_optimizer_nonfinite(o, NULL, d) == NULL && *camber_optimizer_message(o));
  camber_optimizer_free(o);
}

static void stabilized(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), one = camber_constant(t, CAMBER_F64, 1);
  camber_node y[2] = {camber_label(t, x, "x", NULL, 0) == CAMBER_OK ? camber_log(t, camber_add(t, camber_exp(t, x), one)) : x,
                      camber_sub(t, camber_sqrt(t, camber_add(t, x, one)), camber_sqrt(t, x))}, out[2];
  camber_stabilizer *s = camber_stabilizer_new(t, &x, 1, y, 2);
  CHECK(s && camber_stabilizer_run(s, out) == CAMBER_OK && out[1] == y[1] && !strcmp(camber_node_op(t, out[0]), "softplus")); /* without samples what is always made */
  double at = 1e10;
  const void *in[1] = {&at};
  CHECK(camber_stabilizer_sample(s, in) == CAMBER_OK && camber_stabilizer_run(s, out) == CAMBER_OK && out[1] != y[1] && camber_stabilizer_count(s) == 2);
  int32_t rule, made;
  camber_node node;
  double before, after;
  size_t k = 0;
  while (k < 2 && (camber_stabilizer_entry(s, k, &rule, &node, &before, &after, &made), rule != 17)) k++;
  CHECK(k < 2 && node == y[1] && before > 30 && after < 3 && made == 1 && strstr(camber_stabilizer_sentence(s, k), "rule 17"));
  CHECK(camber_stabilizer_entry(s, 9, NULL, NULL, NULL, NULL, NULL) == CAMBER_EINVAL && strstr(camber_stabilizer_message(s), "softplus"));
  camber_program *p = camber_program_new(t, &x, 1, out, 2);
  camber_workspace *w = camber_workspace_new(p);
  double got[2];
  void *to[2] = {&got[0], &got[1]};
  CHECK(camber_run(p, w, in, to) == CAMBER_OK && got[0] == 1e10 && fabs(got[1] - 5e-6) < 1e-15);
  CHECK(camber_stabilizer_set(s, "x", 1) == CAMBER_EINVAL && camber_stabilizer_set(s, "slack", -1) == CAMBER_EINVAL && camber_stabilizer_set(s, "threshold", 60) == CAMBER_OK);
  CHECK(camber_stabilizer_run(s, out) == CAMBER_OK && out[1] == y[1]);
  CHECK(camber_stabilizer_range(s, 1, 0, 1) == CAMBER_EINVAL && camber_stabilizer_range(s, 0, 1, 0) == CAMBER_EINVAL && camber_stabilizer_range(s, 0, 0, 1) == CAMBER_OK);
  CHECK(camber_stabilizer_sample(s, NULL) == CAMBER_EINVAL && camber_stabilizer_run(s, NULL) == CAMBER_EINVAL && camber_stabilizer_run(NULL, out) == CAMBER_EHANDLE);
  camber_workspace_free(w), camber_program_free(p), camber_stabilizer_free(s), camber_stabilizer_free(NULL), camber_tape_free(t);
}

int main(void) {
  labels();
  births();
  optimizer();
  stabilized();
  return check_done();
}
