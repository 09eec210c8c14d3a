/* Gradient flow from C: statistics, findings, remedies, initial weights; bad input. */
#include <camber_easy.h>
#include <math.h>
#include <stdlib.h>

#include "check.h"

enum { N = 8, DEPTH = 6, BATCH = 16 };

int main(void) {
  camber_tape *t = camber_tape_new();
  camber_node p[DEPTH], layers[DEPTH], x = camber_easy_matrix(t, CAMBER_F64, BATCH, N), h = x, g[DEPTH];
  static double w[DEPTH][N * N], slopes[DEPTH][N * N], plain[DEPTH][N * N], data[BATCH * N];
  const int64_t shape[2] = {N, N};
  for (int i = 0; i < DEPTH; i++) {
    p[i] = camber_easy_matrix(t, CAMBER_F64, N, N);
    h = layers[i] = camber_tanh(t, camber_matmul(t, h, p[i]));
    CHECK(camber_initialize("orthogonal", CAMBER_F64, shape, 2, i == 3 ? 100 : 1, i, w[i]) == CAMBER_OK);
  }
  for (int i = 0; i < BATCH * N; i++) data[i] = sin(i * i);
  camber_node loss = camber_easy_mean(t, camber_square(t, h)), out[DEPTH + 1] = {loss}, in[DEPTH + 1];
  CHECK(camber_grad(t, loss, p, DEPTH, g) == CAMBER_OK);
  camber_flow *f = camber_flow_new(t, loss, p, DEPTH, &x, 1);
  if (!CHECK(f != NULL)) return check_done();
  for (int i = 0; i < DEPTH; i++) out[i + 1] = g[i], in[i] = p[i];
  in[DEPTH] = x;
  camber_program *program = camber_program_new(t, in, DEPTH + 1, out, DEPTH + 1);
  camber_workspace *space = camber_workspace_new(program);

  /* Bad input is a status and a sentence. */
  CHECK(camber_flow_set(f, "x", 1) == CAMBER_EINVAL && strstr(camber_flow_message(f), "no option is called x"));
  CHECK(camber_flow_set(f, NULL, 1) == CAMBER_EINVAL && camber_flow_set(f, "window", 2.5) == CAMBER_EINVAL && camber_flow_set(f, "compute", 6) == CAMBER_EINVAL);
  CHECK(camber_flow_layer(f, NULL, h) == CAMBER_EINVAL && camber_flow_layer(f, "l", CAMBER_NONE) == CAMBER_ENODE && camber_flow_steps(f, "l", loss) == CAMBER_ESHAPE);
  CHECK(camber_flow_name(f, DEPTH, "x") == CAMBER_EINVAL && camber_flow_name(f, 3, "w3") == CAMBER_OK);
  CHECK(camber_flow_run(f, NULL, NULL, NULL, NULL) == CAMBER_EINVAL && camber_flow_run(NULL, NULL, NULL, NULL, NULL) == CAMBER_EHANDLE);
  CHECK(camber_flow_new(t, h, p, DEPTH, &x, 1) == NULL && camber_tape_status(t) == CAMBER_ESHAPE && strstr(camber_tape_message(t), "not a float scalar"));
  camber_tape_clear(t);
  CHECK(camber_flow_new(t, loss, &h, 1, &x, 1) == NULL && camber_tape_status(t) == CAMBER_ENODE);
  camber_tape_clear(t);
  CHECK(camber_flow_new(t, loss, NULL, 0, &x, 1) == NULL && camber_tape_status(t) == CAMBER_EINVAL);
  camber_tape_clear(t);

  const char *names[DEPTH] = {"a", "b", "c", "d", "e", "f"};
  for (int i = 0; i < DEPTH; i++) CHECK(camber_flow_layer(f, names[i], layers[i]) == CAMBER_OK);
  { double early[DEPTH]; CHECK(camber_flow_levels(f) != DEPTH || (camber_flow_statistic(f, "dead", early, DEPTH) == CAMBER_OK && isnan(early[0]))); }   /* before the first run */
  camber_tape_free(t);
  const void *params[DEPTH], *given[DEPTH + 1], *inputs[1] = {data};
  void *written[DEPTH], *results[DEPTH + 1], *weights[DEPTH];
  double value, expected;
  for (int i = 0; i < DEPTH; i++) params[i] = given[i] = weights[i] = w[i], written[i] = slopes[i], results[i + 1] = plain[i];
  given[DEPTH] = data, results[0] = &expected;
  CHECK(camber_flow_run(f, params, NULL, &value, written) == CAMBER_EINVAL);
  CHECK(camber_flow_run(f, params, inputs, &value, written) == CAMBER_OK && camber_run(program, space, given, results) == CAMBER_OK);
  CHECK(memcmp(&value, &expected, sizeof value) == 0 && memcmp(slopes, plain, sizeof plain) == 0);
  CHECK(camber_flow_levels(f) == DEPTH && !strcmp(camber_flow_level(f, 3), "d") && !*camber_flow_level(f, 99));
  double rms[DEPTH];
  CHECK(camber_flow_statistic(f, "gradient_rms", rms, DEPTH) == CAMBER_OK && rms[0] > 0 && camber_flow_statistic(f, "gradient_rms", rms, 2) == CAMBER_ESHAPE);
  CHECK(camber_flow_statistic(f, "early_weight_gain", rms, DEPTH) == CAMBER_OK && fabs(rms[3] - 100) < 1e-9 && fabs(rms[0] - 1) < 1e-12);

  camber_findings *found = camber_flow_findings(f);
  CHECK(camber_findings_count(found) >= 1 && !strcmp(camber_findings_text(found, 0, "kind"), "explode") && !strcmp(camber_findings_text(found, 0, "place"), "d"));
  CHECK(camber_findings_number(found, 0, "severity") == 3 && isnan(camber_findings_number(found, 0, "x")) && isnan(camber_findings_number(found, 9, "step")));
  CHECK(!*camber_findings_text(found, 0, "x") && !*camber_findings_text(found, 9, "kind") && !*camber_findings_text(NULL, 0, "kind"));
  const char *name;
  CHECK(camber_findings_evidence(found, 0, 0, &name, &value) == CAMBER_OK && !strcmp(name, "factor") && fabs(value - 100) < 1e-9);
  CHECK(camber_findings_evidence(found, 0, 99, &name, &value) == CAMBER_EINVAL);
  CHECK(camber_flow_prescribe(f, "prayer", "", NULL, NULL, weights, inputs) == CAMBER_EINVAL && strstr(camber_flow_message(f), "no remedy"));
  CHECK(camber_flow_prescribe(f, "agc", "", NULL, NULL, weights, inputs) == CAMBER_EINVAL && camber_flow_prescribe(f, "rescale", "nowhere", NULL, NULL, weights, inputs) == CAMBER_EINVAL);
  CHECK(camber_flow_prescribe(f, "clip", "", (camber_optimizer *)f, NULL, weights, inputs) == CAMBER_EHANDLE && strstr(camber_flow_message(f), "another kind"));
  CHECK(camber_flow_prescribe(f, camber_findings_text(found, 0, "remedy"), camber_findings_text(found, 0, "place"), NULL, NULL, weights, inputs) == CAMBER_OK);
  camber_findings_free(found);
  CHECK(camber_flow_run(f, params, inputs, &value, NULL) == CAMBER_OK);
  found = camber_flow_findings(f);
  CHECK(camber_findings_count(found) == 0);
  camber_findings_free(found);

  /* Re-running on copies; nodes with remedies; noise; a report of all of it. */
  CHECK(camber_flow_verify(f, NULL, inputs, NULL, 3) == NULL && strstr(camber_flow_message(f), "is NULL"));
  CHECK(camber_flow_verify(f, (void *const[8]){NULL}, inputs, NULL, 3) == NULL && strstr(camber_flow_message(f), "parameter 0 is NULL"));
  CHECK(camber_flow_verify(f, weights, inputs, NULL, 0) == NULL && camber_flow_verify(f, weights, inputs, (camber_optimizer *)f, 3) == NULL && camber_flow_verify(NULL, weights, inputs, NULL, 3) == NULL);
  double before = w[3][5];
  found = camber_flow_verify(f, weights, inputs, NULL, 3);
  CHECK(found && camber_findings_count(found) == 0 && w[3][5] == before);
  camber_findings_free(found);
  double noise[3];
  CHECK(camber_flow_noise(f, weights, noise) == CAMBER_OK && noise[2] < 1e-20 && camber_flow_noise(f, NULL, noise) == CAMBER_EINVAL && camber_flow_noise(f, weights, NULL) == CAMBER_EINVAL);
  CHECK(camber_flow_prescribe(f, "residual", "", NULL, NULL, weights, inputs) == CAMBER_EINVAL && camber_flow_prescribe(f, "damping", "", NULL, NULL, weights, inputs) == CAMBER_EINVAL);
  CHECK(camber_flow_prescribe(f, "normalize", "", NULL, NULL, weights, inputs) == CAMBER_OK && strstr(camber_flow_message(f), "6 layers"));
  CHECK(camber_flow_run(f, params, inputs, &value, NULL) == CAMBER_OK && fabs(value - expected) > 1e-3);
  CHECK(camber_flow_treat(f, NULL, 1, NULL) == CAMBER_EINVAL && camber_flow_treat(f, NULL, 0, NULL) == CAMBER_OK && camber_flow_treat(NULL, NULL, 0, NULL) == CAMBER_EHANDLE);
  camber_node nothing = CAMBER_NONE, treated;
  CHECK(camber_flow_treat(f, &nothing, 1, &treated) == CAMBER_ENODE);
  camber_report *r = camber_report_new("health");
  CHECK(camber_report_add_flow(r, f) == CAMBER_OK && strstr(camber_report_render(r, "text"), "Gradient and value by layer"));
  CHECK(camber_report_add_rounding(r, NULL) == CAMBER_EHANDLE && camber_report_add_check(r, NULL) == CAMBER_EHANDLE && camber_report_add_nonfinite(r, NULL) == CAMBER_EHANDLE);
  CHECK(camber_report_add_stabilizer(r, (camber_stabilizer *)f) == CAMBER_EHANDLE && strstr(camber_report_message(r), "stabilizer"));
  camber_report_free(r);

  double one;
  CHECK(camber_initialize("x", CAMBER_F64, shape, 2, 0, 0, w[0]) == CAMBER_EINVAL && camber_initialize("he", CAMBER_I64, shape, 2, 0, 0, w[0]) < 0);
  CHECK(camber_initialize("he", CAMBER_F64, NULL, 2, 0, 0, w[0]) == CAMBER_EINVAL && camber_initialize("zeros", CAMBER_F64, NULL, 0, 0, 0, &one) == CAMBER_OK && one == 0);
  camber_flow_free(f), camber_flow_free(NULL), camber_findings_free(NULL), camber_workspace_free(space), camber_program_free(program);
  return check_done();
}
