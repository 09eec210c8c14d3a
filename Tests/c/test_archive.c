/* Functions in files, from C: saved, loaded, run, differentiated further; every way to be told of a wrong argument or file. */
#define _POSIX_C_SOURCE 200809L
#include <camber.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

static char path[64];
static const char *message;
/* A call on an archive fails with this status and a sentence that has the word. */
#define REFUSED(archive, want, word, call)                                                                                        \
  (STATUS(call, want), message = camber_archive_message(archive),                                                                 \
   CHECK(strstr(message, word)) ? (void)0 : (void)fprintf(stderr, "  the sentence is '%s', without '%s'\n", message, word))

/* sum over a loop of tanh(w x + c): value, gradient, Hessian's product. */
static camber_archive *recorded(camber_tape *t) {
  const int64_t three[1] = {3}, square[2] = {3, 3};
  const double weights[9] = {0.5, -1, 2, 1, 0.25, -0.5, 0, 1, 1}, steps[3] = {1, -1, 0.5};
  camber_node x = camber_input(t, CAMBER_F64, three, 1), v = camber_input(t, CAMBER_F64, three, 1);
  camber_node w = camber_array(t, CAMBER_F64, square, 2, weights), s = camber_array(t, CAMBER_F64, three, 1, steps);
  camber_tape *body = camber_tape_sub(t);
  camber_node in[2] = {camber_input(body, CAMBER_F64, three, 1), camber_input(body, CAMBER_F64, NULL, 0)};
  camber_node next = camber_tanh(body, camber_add(body, camber_matmul(body, w, in[0]), camber_broadcast(body, in[1], three, 1))), end;
  STATUS(camber_scan(t, body, in, &next, 1, &x, 1, &s, 0, 3, 0, &end), CAMBER_OK);
  camber_tape_free(body);
  camber_node y = camber_sum(t, camber_square(t, end), NULL, 0, 0), g[2], h;
  STATUS(camber_grad(t, y, &x, 1, &g[1]), CAMBER_OK);
  STATUS(camber_hvp(t, y, &x, &v, 1, &h), CAMBER_OK);
  g[0] = y;
  camber_archive *a = camber_archive_new();
  const camber_node both[2] = {x, v};
  STATUS(camber_archive_add(a, "value", t, &x, (const char *const[]){"x"}, 1, &y, NULL, 1), CAMBER_OK);
  STATUS(camber_archive_add(a, "grad", t, &x, (const char *const[]){"x"}, 1, g, (const char *const[]){NULL, "slope"}, 2), CAMBER_OK);
  STATUS(camber_archive_add(a, "hvp", t, both, (const char *const[]){"x", "v"}, 2, &h, NULL, 1), CAMBER_OK);
  STATUS(camber_archive_set(a, "grad", "threads", 1), CAMBER_OK);
  STATUS(camber_archive_set_note(a, "author", "test"), CAMBER_OK);
  return a;
}

static void run(camber_archive *a, const char *function, const double *x, const double *v, double *y, double *g) {
  camber_program *p = camber_archive_program(a, function);
  if (!CHECK(p)) { fprintf(stderr, "  %s\n", camber_archive_message(a)); return; }
  camber_workspace *w = camber_workspace_new(p);
  STATUS(camber_run(p, w, (const void *const[]){x, v}, (void *const[]){y, g}), CAMBER_OK);
  camber_workspace_free(w), camber_program_free(p);
}

/* Labels' texts go with their nodes, into loops too; files and lines stay at home, and what has no labels has a file as before. */
static void labels(void) {
  const int64_t three[1] = {3};
  camber_tape *t = camber_tape_new(), *body = camber_tape_sub(t);
  camber_node x = camber_input(t, CAMBER_F64, three, 1), h = camber_input(body, CAMBER_F64, three, 1), next = camber_tanh(body, h), end, s, y, g;
  STATUS(camber_label(body, next, "cell", NULL, 0), CAMBER_OK);
  STATUS(camber_scan(t, body, &h, &next, 1, &x, 0, NULL, 0, 4, 0, &end), CAMBER_OK);
  camber_tape_free(body);
  STATUS(camber_label_from(t, "head", "here.c", 7), CAMBER_OK);
  s = camber_square(t, end), y = camber_sum(t, s, NULL, 0, 0);
  STATUS(camber_label_from(t, NULL, NULL, 0), CAMBER_OK);
  STATUS(camber_label(t, y, "loss", "here.c", 9), CAMBER_OK);
  STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_OK);
  camber_archive *a = camber_archive_new(), *b = camber_archive_new(), *c = camber_archive_new();
  camber_node out[3] = {y, s, g}, in, from[3];
  STATUS(camber_archive_add(a, "f", t, &x, NULL, 1, out, NULL, 3), CAMBER_OK);
  const void *bytes, *again;
  size_t size, size_again;
  STATUS(camber_archive_pack(a, &bytes, &size), CAMBER_OK);
  CHECK(((const unsigned char *)bytes)[8] == 2);
  STATUS(camber_archive_unpack(b, bytes, size), CAMBER_OK);
  STATUS(camber_archive_pack(b, &again, &size_again), CAMBER_OK);
  CHECK(size == size_again && !memcmp(bytes, again, size));
  camber_tape *u = camber_archive_tape(b, "f", &in, from);
  const char *text = NULL, *file = NULL;
  int32_t line = 5;
  STATUS(camber_label_get(u, from[0], 0, &text, &file, &line), CAMBER_OK);
  CHECK(text && !strcmp(text, "loss") && !*file && line == 0);
  STATUS(camber_label_get(u, from[1], 0, &text, &file, &line), CAMBER_OK);
  CHECK(text && !strcmp(text, "head"));
  CHECK(camber_label_count(u, in) == 0 && camber_tape_hash(u, &in, 1, from, 3) == camber_tape_hash(t, &x, 1, out, 3));
  /* Every word of the section counts. */
  unsigned char *copy = malloc(size);
  size_t refused = 0, tried = 0;
  for (size_t i = size - 96; i < size; i += 4, tried++) {
    memcpy(copy, bytes, size), copy[i] ^= 1;
    refused += camber_archive_unpack(c, copy, size) == CAMBER_EIO;
  }
  CHECK(refused == tried);
  /* Without labels, a file of the first version. */
  camber_tape *plain = camber_tape_new();
  camber_node z = camber_input(plain, CAMBER_F64, NULL, 0), w = camber_square(plain, z);
  STATUS(camber_archive_add(c, "g", plain, &z, NULL, 1, &w, NULL, 1), CAMBER_OK);
  STATUS(camber_archive_pack(c, &again, &size_again), CAMBER_OK);
  CHECK(((const unsigned char *)again)[8] == 1);
  free(copy), camber_tape_free(plain), camber_tape_free(t), camber_tape_free(u), camber_archive_free(a), camber_archive_free(b), camber_archive_free(c);
}

static void round_trip(void) {
  camber_tape *t = camber_tape_new();
  camber_archive *a = recorded(t), *b = camber_archive_new(), *c = camber_archive_new();
  camber_tape_free(t);   /* the archive keeps it */
  STATUS(camber_archive_save(a, path), CAMBER_OK);
  STATUS(camber_archive_load(b, path), CAMBER_OK);
  CHECK(camber_archive_count(b) == 3 && !strcmp(camber_archive_function(b, 2), "hvp") && !camber_archive_function(b, 3));
  size_t in = 9, out = 9;
  STATUS(camber_archive_arity(b, "hvp", &in, &out), CAMBER_OK);
  CHECK(in == 2 && out == 1 && !strcmp(camber_archive_input_name(b, "hvp", 1), "v") && !camber_archive_input_name(b, "hvp", 2));
  CHECK(!strcmp(camber_archive_output_name(b, "grad", 0), "") && !strcmp(camber_archive_output_name(b, "grad", 1), "slope"));
  CHECK(!strcmp(camber_archive_note(b, "author"), "test") && !camber_archive_note(b, "nobody"));
  const void *bytes, *again;
  size_t size, size_again;
  STATUS(camber_archive_pack(a, &bytes, &size), CAMBER_OK);
  STATUS(camber_archive_pack(b, &again, &size_again), CAMBER_OK);
  CHECK(size == size_again && !memcmp(bytes, again, size));
  STATUS(camber_archive_unpack(c, bytes, size), CAMBER_OK);
  const double x[3] = {0.25, -0.5, 1}, v[3] = {1, 2, -1};
  double y[3], g[3][3], h[3][3];
  camber_archive *const all[3] = {a, b, c};
  for (int i = 0; i < 3; i++) run(all[i], "grad", x, NULL, &y[i], g[i]), run(all[i], "hvp", x, v, h[i], NULL);
  CHECK(!memcmp(g[0], g[1], sizeof g[0]) && !memcmp(g[0], g[2], sizeof g[0]) && !memcmp(h[0], h[1], sizeof h[0]) && y[0] == y[1] && y[1] == y[2]);

  /* The loaded nodes are nodes as any: the same hash, and derivatives of them. */
  camber_node gi, go[2], vi, vo, again_g, hi[2], ho, h2;
  camber_tape *tg = camber_archive_tape(b, "grad", &gi, go), *tv = camber_archive_tape(b, "value", &vi, &vo), *ta = camber_archive_tape(a, "grad", NULL, NULL);
  CHECK(tg && tv && gi == vi && go[0] == vo && camber_tape_node_count(tg) > 0);
  STATUS(camber_grad(tv, vo, &vi, 1, &again_g), CAMBER_OK);
  camber_program *derived = camber_program_new(tv, &vi, 1, &again_g, 1);
  camber_workspace *space = camber_workspace_new(derived);
  double slopes[3];
  STATUS(camber_run(derived, space, (const void *const[]){x}, (void *const[]){slopes}), CAMBER_OK);
  CHECK(!memcmp(slopes, g[0], sizeof slopes));
  camber_workspace_free(space), camber_program_free(derived);
  camber_node ai, ao[2];
  camber_tape_free(ta), ta = camber_archive_tape(a, "grad", &ai, ao);
  CHECK(camber_tape_hash(ta, &ai, 1, ao, 2) == camber_tape_hash(tg, &gi, 1, go, 2) && camber_tape_hash(ta, &ai, 1, ao, 2) != 0);
  camber_tape *th = camber_archive_tape(b, "hvp", hi, &ho);
  STATUS(camber_hvp(th, vo, &hi[0], &hi[1], 1, &h2), CAMBER_OK);
  camber_tape_free(tg), camber_tape_free(tv), camber_tape_free(ta), camber_tape_free(th);

  /* On another tape: a function of its own nodes. */
  camber_tape *u = camber_tape_new();
  camber_node z = camber_input(u, CAMBER_F64, (const int64_t[]){3}, 1), twice = camber_add(u, z, z), value, slope;
  STATUS(camber_archive_apply(b, "value", u, &twice, 1, &value), CAMBER_OK);
  STATUS(camber_grad(u, value, &z, 1, &slope), CAMBER_OK);
  camber_program *p = camber_program_new(u, &z, 1, &slope, 1);
  camber_workspace *w = camber_workspace_new(p);
  double half[3] = {x[0] / 2, x[1] / 2, x[2] / 2}, got[3];
  STATUS(camber_run(p, w, (const void *const[]){half}, (void *const[]){got}), CAMBER_OK);
  for (int i = 0; i < 3; i++) NEAR(got[i], 2 * g[0][i], 1e-15);
  camber_workspace_free(w), camber_program_free(p);
  camber_node two[2] = {twice, twice};
  CHECK(camber_archive_apply(b, "value", u, two, 2, &value) == CAMBER_EINVAL && value == CAMBER_NONE && strstr(camber_tape_message(u), "takes 1 inputs"));
  camber_tape_clear(u);
  camber_node scalar = camber_constant(u, CAMBER_F64, 1);
  CHECK(camber_archive_apply(b, "value", u, &scalar, 1, &value) == CAMBER_ESHAPE && strstr(camber_tape_message(u), "f64[3]"));
  camber_tape_clear(u);
  CHECK(camber_archive_apply(b, "nothing", u, &scalar, 1, &value) == CAMBER_EINVAL);
  camber_tape_free(u);
  camber_archive_free(a), camber_archive_free(b), camber_archive_free(c);
}

static void wrong_arguments(void) {
  camber_tape *t = camber_tape_new();
  camber_archive *a = recorded(t), *b = camber_archive_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), y = camber_sin(t, x), none = CAMBER_NONE;
  const void *bytes;
  size_t size;
  REFUSED(a, CAMBER_EINVAL, "already", camber_archive_add(a, "value", t, &x, NULL, 1, &y, NULL, 1));
  REFUSED(a, CAMBER_EINVAL, "not listed", camber_archive_add(a, "f", t, NULL, NULL, 0, &y, NULL, 1));
  REFUSED(a, CAMBER_EINVAL, "NULL", camber_archive_add(a, NULL, t, &x, NULL, 1, &y, NULL, 1));
  REFUSED(a, CAMBER_EINVAL, "NULL", camber_archive_add(a, "f", t, NULL, NULL, 1, &y, NULL, 1));
  REFUSED(a, CAMBER_EINVAL, "no name", camber_archive_add(a, "", t, &x, NULL, 1, &y, NULL, 1));
  REFUSED(a, CAMBER_EINVAL, "UTF-8", camber_archive_add(a, "\xff", t, &x, NULL, 1, &y, NULL, 1));
  REFUSED(a, CAMBER_EINVAL, "count", camber_archive_add(a, "f", t, &x, NULL, SIZE_MAX, &y, NULL, 1));
  REFUSED(a, CAMBER_ENODE, "output 0", camber_archive_add(a, "f", t, &x, NULL, 1, &none, NULL, 1));
  REFUSED(a, CAMBER_EHANDLE, "tape", camber_archive_add(a, "f", (camber_tape *)a, &x, NULL, 1, &y, NULL, 1));
  REFUSED(a, CAMBER_EINVAL, "there are backend", camber_archive_set(a, "value", "thread", 1));
  REFUSED(a, CAMBER_EINVAL, "there are value, grad, hvp", camber_archive_set(a, "nothing", "threads", 1));
  REFUSED(a, CAMBER_EINVAL, "of 2 and 1", camber_archive_alias(a, "grad", 7, 0));
  REFUSED(a, CAMBER_EINVAL, "key", camber_archive_set_note(a, NULL, "x"));
  REFUSED(a, CAMBER_EIO, "/nowhere/x", camber_archive_save(a, "/nowhere/x"));
  REFUSED(a, CAMBER_EINVAL, "NULL", camber_archive_save(a, NULL));
  REFUSED(a, CAMBER_EINVAL, "NULL", camber_archive_pack(a, NULL, &size));
  REFUSED(a, CAMBER_EINVAL, "already", camber_archive_load(a, path));
  REFUSED(b, CAMBER_EIO, "/nowhere/x", camber_archive_load(b, "/nowhere/x"));
  REFUSED(b, CAMBER_EIO, "no regular file", camber_archive_load(b, "/tmp"));
  REFUSED(b, CAMBER_EINVAL, "NULL", camber_archive_unpack(b, NULL, 3));
  CHECK(!camber_archive_program(a, "nothing") && strstr(camber_archive_message(a), "nothing"));
  CHECK(!camber_archive_tape(a, "nothing", NULL, NULL) && strstr(camber_archive_message(a), "nothing"));
  CHECK(!camber_archive_program(a, NULL) && camber_archive_arity(a, NULL, NULL, NULL) == CAMBER_EINVAL && camber_archive_arity(a, "x", NULL, NULL) == CAMBER_EINVAL);
  CHECK(camber_archive_count((camber_archive *)t) == 0 && camber_archive_save((camber_archive *)t, path) == CAMBER_EHANDLE && camber_archive_count(NULL) == 0);
  CHECK(!camber_archive_note((camber_archive *)t, "author") && !camber_archive_input_name(NULL, "f", 0) && camber_archive_pack(NULL, &bytes, &size) == CAMBER_EHANDLE);
  CHECK(camber_tape_status(t) == CAMBER_OK);
  /* A tape with an error says it. */
  (void)camber_add(t, x, camber_input(t, CAMBER_F32, NULL, 0));
  REFUSED(a, CAMBER_EDTYPE, "add", camber_archive_add(a, "f", t, &x, NULL, 1, &x, NULL, 1));
  camber_archive_free(a), camber_archive_free(b), camber_tape_free(t), camber_archive_free(NULL);
}

/* The bytes of version 1: a file of today is read by every later library, and means the same. */
static void wrong_files(void) {
  camber_tape *t = camber_tape_new();
  camber_archive *a = recorded(t), *b = camber_archive_new();
  const void *bytes;
  size_t size;
  STATUS(camber_archive_pack(a, &bytes, &size), CAMBER_OK);
  unsigned char *copy = malloc(size + 1);
  memcpy(copy, bytes, size), copy[size] = 0;
  REFUSED(b, CAMBER_EIO, "truncated", camber_archive_unpack(b, copy, 0));
  REFUSED(b, CAMBER_EIO, "truncated", camber_archive_unpack(b, copy, 31));
  REFUSED(b, CAMBER_EIO, "truncated", camber_archive_unpack(b, copy, size - 1));
  REFUSED(b, CAMBER_EIO, "announces", camber_archive_unpack(b, copy, size + 1));
  copy[size - 1] ^= 16;
  REFUSED(b, CAMBER_EIO, "altered: the checksum of section", camber_archive_unpack(b, copy, size));
  FILE *f = fopen(path, "wb");
  CHECK(f && fwrite(copy, 1, size, f) == size && fclose(f) == 0);
  REFUSED(b, CAMBER_EIO, path, camber_archive_load(b, path));
  copy[size - 1] ^= 16, copy[8] = 9;
  REFUSED(b, CAMBER_EIO, "version 9", camber_archive_unpack(b, copy, size));
  copy[8] = 1, copy[0] = 'x';
  REFUSED(b, CAMBER_EIO, "no archive", camber_archive_unpack(b, copy, size));
  copy[0] = 0x89;
  STATUS(camber_archive_unpack(b, copy, size), CAMBER_OK);   /* it stayed empty */
  CHECK(camber_archive_count(b) == 3);
  free(copy), camber_archive_free(a), camber_archive_free(b), camber_tape_free(t);
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/camber-archive-%d", (int)getpid());
  labels();
  round_trip();
  wrong_arguments();
  wrong_files();
  unlink(path);
  return check_done();
}
