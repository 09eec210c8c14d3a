/* camber doctor in C: a saved function, run on saved inputs, and what there is to say about it.
 *
 *     doctor function.camber inputs.safetensors [report.html]
 *
 * `python -m camber doctor` does the same and more; this is what a C host would write into its own program. */
#include <camber.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what, const char *why) {
  fprintf(stderr, "doctor: %s: %s\n", what, why);
  return 64;
}

/* The array of an input: by its name, or by its place where no name fits. */
static const void *find(const camber_tensors *file, const char *name, size_t i) {
  const char *own;
  const void *data = NULL;
  for (size_t k = 0; k < camber_tensors_count(file); k++)
    if (camber_tensors_get(file, k, &own, NULL, NULL, NULL, &data) == CAMBER_OK && strcmp(own, name) == 0) return data;
  return camber_tensors_get(file, i, NULL, NULL, NULL, NULL, &data) == CAMBER_OK ? data : NULL;
}

int main(int argc, char **argv) {
  if (argc < 3) return fail("use", "doctor function.camber inputs.safetensors [report.html]");
  camber_archive *saved = camber_archive_new();
  if (camber_archive_load(saved, argv[1]) != CAMBER_OK) return fail(argv[1], camber_archive_message(saved));
  camber_status status = CAMBER_OK;
  camber_tensors *file = camber_tensors_open(argv[2], &status);
  if (!file) return fail(argv[2], camber_status_message(status));

  const char *name = camber_archive_function(saved, 0);
  size_t in = 0, out = 0;
  if (!name || camber_archive_arity(saved, name, &in, &out) != CAMBER_OK || in == 0 || in > 64 || out == 0 || out > 64) return fail(argv[1], "no function that could be examined");
  camber_node inputs[64], outputs[64];
  camber_tape *tape = camber_archive_tape(saved, name, inputs, outputs);
  if (!tape) return fail(name, camber_archive_message(saved));
  camber_program *program = camber_program_new(tape, inputs, in, outputs, out);
  camber_workspace *space = camber_workspace_new(program);
  const void *data[64], *variables[64], *rest[64];
  void *results[64];
  for (size_t i = 0; i < in; i++)
    if (!(data[i] = find(file, camber_archive_input_name(saved, name, i), i))) return fail(argv[2], "holds too few arrays");
  for (size_t i = 0; i < out; i++) {
    camber_dtype dtype;
    size_t rank, size;
    int64_t shape[32];
    camber_program_output_type(program, i, &dtype, &rank, shape, 32);
    size = camber_dtype_size(dtype);
    for (size_t k = 0; k < rank; k++) size *= (size_t)shape[k];
    results[i] = calloc(size + 1, 1);
  }
  camber_program_set(program, "check_finite", 1);
  status = camber_run(program, space, data, results);
  if (status < 0) return fail(name, camber_workspace_message(space));

  camber_report *report = camber_report_new(name);
  /* Where NaNs were born; of finite results what rounding did to them, and whether the derivatives are right. */
  camber_nonfinite *births = camber_nonfinite_new(tape, inputs, in, outputs, out);
  if (!births || camber_nonfinite_run(births, data) < 0) return fail(name, births ? camber_nonfinite_message(births) : camber_tape_message(tape));
  camber_report_add_nonfinite(report, births);
  camber_nonfinite_free(births);
  if (status == CAMBER_OK && camber_node_dtype(tape, outputs[0]) <= CAMBER_BF16) {
    camber_rounding *rounding = camber_rounding_new(tape, outputs, 1, inputs, in);
    if (!rounding || camber_rounding_run(rounding, data) < 0 || camber_rounding_at(rounding, 0, 0) < 0 || camber_report_add_rounding(report, rounding) < 0)
      camber_report_add_text(report, rounding ? camber_rounding_message(rounding) : camber_tape_message(tape));
    camber_rounding_free(rounding);
    camber_tape_clear(tape);
    camber_check *check = camber_check_new(tape, outputs, 1, inputs, in);
    if (!check || camber_check_run(check, data) < 0 || camber_report_add_check(report, check) < 0)
      camber_report_add_text(report, check ? camber_check_message(check) : camber_tape_message(tape));
    camber_check_free(check);
    camber_tape_clear(tape);
  }

  /* A scalar of floats: its curvature. */
  camber_node x[64], d[64];
  size_t count = 0, others = 0;
  for (size_t i = 0; i < in; i++) {
    if (camber_node_dtype(tape, inputs[i]) <= CAMBER_BF16) variables[count] = data[i], x[count++] = inputs[i];
    else rest[others] = data[i], d[others++] = inputs[i];
  }
  if (status == CAMBER_OK && count > 0 && out == 1 && camber_node_rank(tape, outputs[0]) == 0) {
    camber_curvature *curvature = camber_curvature_new(tape, outputs[0], x, count, d, others);
    if (!curvature) return fail(name, camber_tape_message(tape));
    if (camber_curvature_at(curvature, variables, rest) != CAMBER_OK || camber_report_add_curvature(report, curvature) < 0) return fail(name, camber_curvature_message(curvature));
    camber_curvature_free(curvature);
  }
  camber_report_add_program(report, program);
  fputs(camber_report_render(report, "text"), stdout);
  if (argc > 3 && camber_report_save(report, "html", argv[3]) != CAMBER_OK) return fail(argv[3], camber_report_message(report));

  camber_report_free(report);
  for (size_t i = 0; i < out; i++) free(results[i]);
  camber_workspace_free(space), camber_program_free(program), camber_tape_free(tape), camber_tensors_free(file), camber_archive_free(saved);
  return status == CAMBER_NONFINITE ? 2 : 0;
}
