/* Loads what main.py saved, a trained network with its derivatives, and runs it. */
#include <camber.h>
#include <stdio.h>

static int failed(camber_archive *file) {
  fprintf(stderr, "%s\n", camber_archive_message(file));
  camber_archive_free(file);
  return 1;
}

int main(int argc, char **argv) {
  camber_archive *file = camber_archive_new();
  if (camber_archive_load(file, argc > 1 ? argv[1] : "saved.camber") != CAMBER_OK) return failed(file);
  printf("functions");
  for (size_t i = 0; i < camber_archive_count(file); i++) printf(" %s", camber_archive_function(file, i));
  printf("\nabout %s\n", camber_archive_note(file, "about"));

  const char *const names[3] = {"value", "grad", "hessian"};
  camber_program *programs[3];
  camber_workspace *spaces[3];
  for (int k = 0; k < 3; k++) {
    programs[k] = camber_archive_program(file, names[k]);
    if (!programs[k]) return failed(file);
    spaces[k] = camber_workspace_new(programs[k]);
  }
  const double points[3] = {-0.5, 0.0, 0.75};
  for (int i = 0; i < 3; i++) {
    double result[3] = {0};
    for (int k = 0; k < 3; k++) {
      const void *in[1] = {&points[i]};
      void *out[1] = {&result[k]};
      if (camber_run(programs[k], spaces[k], in, out) != CAMBER_OK) return 1;
    }
    printf("%.2f %a %a %a\n", points[i], result[0], result[1], result[2]);
  }
  for (int k = 0; k < 3; k++) camber_workspace_free(spaces[k]), camber_program_free(programs[k]);
  camber_archive_free(file);
  return 0;
}
