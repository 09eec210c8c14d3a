/* How far a number is to be trusted: the rounding error of a value, the origin of a NaN, an expression rewritten so that it keeps its digits, and a report of
 * all three. main.cpp, main.py and main.swift are the same program.
 *
 *   cc main.c $(pkg-config --cflags --libs camber) -lm -o health && ./health
 */
#include <camber_easy.h>
#include <stdlib.h>
#include <string.h>

static void must(camber_status s, const char *why) {
  if (s < 0) fprintf(stderr, "health: %s\n", why && *why ? why : camber_status_message(s)), exit(1);
}

int main(int argc, char **argv) {
  camber_tape *t = camber_tape_new();
  camber_report *report = camber_report_new("health");

  /* (1 - cos x) / x^2 is nearly 1/2 at a small x; as it stands, most of its digits are lost. */
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), drop = camber_sub(t, camber_constant(t, CAMBER_F64, 1), camber_cos(t, x));
  camber_node y = camber_div(t, drop, camber_square(t, x));
  must(camber_label(t, drop, "drop", NULL, 0), camber_tape_message(t));
  const double at = 1e-7;
  const void *point[1] = {&at};
  camber_rounding *rounding = camber_rounding_new(t, &y, 1, &x, 1);
  if (!rounding) must(CAMBER_EINVAL, camber_tape_message(t));
  must(camber_rounding_run(rounding, point), camber_rounding_message(rounding));
  must(camber_rounding_at(rounding, 0, 0), camber_rounding_message(rounding));
  printf("value %.6f, at most %.3g off, %.0f bits lost; without rounding %.6f\n", camber_rounding_figure(rounding, "value"), camber_rounding_figure(rounding, "bound"),
         camber_rounding_figure(rounding, "bits_lost"), camber_rounding_figure(rounding, "corrected"));
  const char *op;
  must(camber_rounding_contribution(rounding, 0, NULL, &op, NULL, NULL, NULL, NULL), camber_rounding_message(rounding));
  printf("lost by: %s\n", op);
  must(camber_report_add_rounding(report, rounding), camber_report_message(report));

  /* The same expression, rewritten where this point says that it pays. */
  camber_stabilizer *stabilizer = camber_stabilizer_new(t, &x, 1, &y, 1);
  if (!stabilizer) must(CAMBER_EINVAL, camber_tape_message(t));
  camber_node stable;
  must(camber_stabilizer_sample(stabilizer, point), camber_stabilizer_message(stabilizer));
  must(camber_stabilizer_run(stabilizer, &stable), camber_stabilizer_message(stabilizer));
  int32_t rule, made;
  double before, after;
  must(camber_stabilizer_entry(stabilizer, 0, &rule, NULL, &before, &after, &made), camber_stabilizer_message(stabilizer));
  printf("rule %d %s: %.0f bits lost before, %.0f after\n", (int)rule, made ? "made" : "left", before, after);
  camber_program *program = camber_program_new(t, &x, 1, &stable, 1);
  camber_workspace *space = camber_workspace_new(program);
  double value;
  void *out[1] = {&value};
  if (!space) must(CAMBER_EINVAL, camber_tape_message(t));
  must(camber_run(program, space, point, out), camber_workspace_message(space));
  printf("rewritten: %.6f\n", value);
  must(camber_report_add_stabilizer(report, stabilizer), camber_report_message(report));

  /* Entropy of (1, 0): 0 log 0 is a NaN. Where was it born? */
  camber_node p = camber_easy_vector(t, CAMBER_F64, 2), logs = camber_log(t, p), entropy = camber_sum(t, camber_mul(t, p, logs), NULL, 0, 0);
  must(camber_label(t, logs, "entropy", NULL, 0), camber_tape_message(t));
  const double shares[2] = {1, 0};
  const void *given[1] = {shares};
  camber_nonfinite *births = camber_nonfinite_new(t, &p, 1, &entropy, 1);
  if (!births) must(CAMBER_EINVAL, camber_tape_message(t));
  must(camber_nonfinite_run(births, given), camber_nonfinite_message(births));
  const char *kind, *label;
  int64_t element, behind;
  must(camber_nonfinite_finding(births, 0, NULL, &op, &kind, NULL, &behind, NULL), camber_nonfinite_message(births));
  printf("%d found: %s in %s", (int)camber_nonfinite_count(births), kind, op);
  must(camber_nonfinite_finding(births, (size_t)behind, NULL, &op, &kind, &element, NULL, NULL), camber_nonfinite_message(births));
  must(camber_nonfinite_origin(births, (size_t)behind, NULL, NULL, &label, NULL, NULL), camber_nonfinite_message(births));
  printf(", behind it %s at element %d of %s\n", kind, (int)element, label);
  must(camber_report_add_nonfinite(report, births), camber_report_message(report));

  const char *page = camber_report_render(report, "html");
  int sections = 0;
  for (const char *s = page; s && (s = strstr(s, "<section")); s++) sections++;
  printf("report: %d sections\n", sections);
  if (argc > 1) must(camber_report_save(report, "html", argv[1]), camber_report_message(report));

  camber_nonfinite_free(births), camber_stabilizer_free(stabilizer), camber_rounding_free(rounding), camber_report_free(report);
  camber_workspace_free(space), camber_program_free(program), camber_tape_free(t);
  return 0;
}
