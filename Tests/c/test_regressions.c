/* What fuzzing and reading once found to crash, hang or leak. */
#define _POSIX_C_SOURCE 200809L
#include <camber.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A loop's tuple has a number between the nodes, but is no node of the host's. */
static void tuples(void) {
  const int64_t three[1] = {3};
  camber_tape *t = camber_tape_new(), *b = camber_tape_sub(t);
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), s = camber_input(t, CAMBER_F64, three, 1);
  camber_node in[2] = {camber_input(b, CAMBER_F64, NULL, 0), camber_input(b, CAMBER_F64, NULL, 0)}, next = camber_mul(b, in[0], in[1]), out, g;
  STATUS(camber_scan(t, b, in, &next, 1, &x, 1, &s, 0, 3, 0, &out), CAMBER_OK);
  camber_tape *inner = camber_tape_sub(t);
  size_t none = 0;
  for (camber_node n = x; n <= out; n++) {
    if (camber_node_dtype(t, n) >= 0) continue;
    none++;
    CHECK(camber_node_rank(t, n) == -1 && !strcmp(camber_node_op(t, n), "?"));
    CHECK(camber_sum(t, n, NULL, 0, 0) == CAMBER_NONE && camber_tape_status(t) == CAMBER_ENODE), camber_tape_clear(t);
    CHECK(camber_transpose(t, n, NULL, 0) == CAMBER_NONE && camber_tape_status(t) == CAMBER_ENODE), camber_tape_clear(t);
    CHECK(camber_matmul(t, n, n) == CAMBER_NONE && camber_einsum(t, "i", &n, 1) == CAMBER_NONE), camber_tape_clear(t);
    CHECK(camber_grad(t, n, &x, 1, &g) == CAMBER_ENODE), camber_tape_clear(t);
    CHECK(camber_stack(t, &n, 1, 0) == CAMBER_NONE && camber_tape_status(t) == CAMBER_ENODE), camber_tape_clear(t);
    CHECK(camber_sin(inner, n) == CAMBER_NONE && camber_tape_status(inner) == CAMBER_ENODE), camber_tape_clear(inner);
    CHECK(camber_program_new(t, &x, 1, &n, 1) == NULL && camber_tape_status(t) == CAMBER_ENODE), camber_tape_clear(t);
  }
  CHECK(none == 1);
  camber_tape_free(inner), camber_tape_free(b), camber_tape_free(t);
}

/* Steps and gaps whose products with a stride do not fit into 64 bits. */
static void strides(void) {
  const int64_t wide[2] = {1, INT64_C(1) << 38}, zero[2] = {0, 0}, one[2] = {1, 2}, two[2] = {1, 1}, step[2] = {INT64_C(1) << 39, 1};
  const int64_t gap[2] = {(INT64_C(1) << 40) - 1, 0}, gaps[2] = {INT64_MAX, 0};
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, wide, 2), y = camber_slice(t, x, zero, one, step, 2), z = camber_pad(t, x, zero, zero, gap, 2), g;
  camber_program *p = camber_program_new(t, &x, 1, &y, 1);
  CHECK(p != NULL), camber_program_free(p);
  p = camber_program_new(t, &x, 1, &z, 1);
  CHECK(p != NULL), camber_program_free(p);
  STATUS(camber_grad(t, camber_sum(t, y, NULL, 0, 0), &x, 1, &g), CAMBER_OK);
  STATUS(camber_grad(t, camber_sum(t, z, NULL, 0, 0), &x, 1, &g), CAMBER_OK);
  CHECK(camber_pad(t, x, zero, zero, gaps, 2) == CAMBER_NONE && camber_tape_status(t) < 0), camber_tape_clear(t);
  (void)two;
  camber_tape_free(t);
}

/* No elements, in 2^36 rows. */
static void nothing(void) {
  const int64_t much = INT64_C(1) << 36, a[3] = {much, 0, 3}, b[3] = {much, 3, 0}, square[3] = {much, 0, 0};
  const double start = seconds();
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, a, 3), y = camber_input(t, CAMBER_F64, b, 3), s = camber_input(t, CAMBER_F64, square, 3), in[3] = {x, y, s}, parts[2] = {x, x};
  camber_node out[7] = {camber_matmul(t, x, y), camber_cumsum(t, x, 0, 0), camber_softmax(t, y, 1), camber_cholesky(t, s), camber_solve(t, s, s), camber_concat(t, parts, 2, 2),
                        camber_transpose(t, x, NULL, 0)};
  camber_program *p = camber_program_new(t, in, 3, out, 7);
  camber_workspace *w = camber_workspace_new(p);
  double place[1];
  const void *from[3] = {place, NULL, place};
  void *to[7] = {NULL};
  if (!CHECK(p && w)) fprintf(stderr, "  %p: %s\n", (void *)p, camber_tape_message(t));
  STATUS(camber_run(p, w, from, to), CAMBER_OK);
  CHECK(seconds() - start < 20);
  camber_workspace_free(w), camber_program_free(p), camber_tape_free(t);
}

static void freed(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), y = camber_sin(t, x);
  camber_program *p = camber_program_new(t, &x, 1, &y, 1);
  camber_workspace *w = camber_workspace_new(p);
  double at = 1, to;
  camber_tape_free(t), camber_tape_free(t);
  CHECK(camber_tape_status(t) == CAMBER_EHANDLE && camber_sin(t, x) == CAMBER_NONE && camber_program_new(t, &x, 1, &y, 1) == NULL);
  STATUS(camber_run(p, w, (const void *[]){&at}, (void *[]){&to}), CAMBER_OK);
  camber_workspace_free(w), camber_workspace_free(w), camber_program_free(p), camber_program_free(p);
  CHECK(camber_run(p, w, (const void *[]){&at}, (void *[]){&to}) == CAMBER_EHANDLE && camber_program_memory(p) == 0 && camber_workspace_new(p) == NULL);
}

/* Sub-tapes of sub-tapes end somewhere, with a sentence; freed from the outside in. */
static void depth(void) {
  enum { MOST = 5000 };
  static camber_tape *t[MOST];
  int n = 1;
  for (t[0] = camber_tape_new(); n < MOST && (t[n] = camber_tape_sub(t[n - 1])) != NULL; n++) {}
  CHECK(n > 16 && n < MOST && camber_tape_status(t[n - 1]) == CAMBER_EINVAL && *camber_tape_message(t[n - 1]));
  camber_node x = camber_input(t[0], CAMBER_F64, NULL, 0);
  if (n > 1) CHECK(camber_sin(t[n - 2], x) != CAMBER_NONE);
  for (int i = 0; i < n; i++) camber_tape_free(t[i]);
}

static void training(void) {
  const int64_t shape[1] = {1};
  static const char *const methods[] = {"sgd", "adam", "adamw"};
  for (int m = 0; m < 3; m++) {
    double p = 1, g = 1;
    const char *name;
    void *data;
    camber_optimizer *o = camber_optimizer_new(methods[m]);
    STATUS(camber_optimizer_add(o, "p", CAMBER_F64, shape, 1), CAMBER_OK);
    STATUS(camber_optimizer_state(o, 0, &name, NULL, NULL, &data), CAMBER_OK);
    CHECK(!strcmp(name, "step"));
    for (int64_t k = 0, step = INT64_MAX; k < 2; k++, step = INT64_MIN) {
      memcpy(data, &step, sizeof step);
      CHECK(camber_optimizer_step(o, (void *[]){&p}, (const void *[]){&g}) >= 0 && isfinite(p) && camber_optimizer_steps(o) >= 0);
    }
    camber_optimizer_free(o);
  }
}

static void files(void) {
  char folder[] = "/tmp/camber-regressions-XXXXXX", path[96], other[96];
  const int64_t two[1] = {2};
  const double a[2] = {1, 2};
  CHECK(mkdtemp(folder) != NULL);
  camber_status s = 99;
  CHECK(camber_tensors_open(folder, &s) == NULL && s == CAMBER_EIO);
  snprintf(path, sizeof path, "%s/pipe", folder);
  CHECK(mkfifo(path, 0600) == 0 && camber_tensors_open(path, &s) == NULL && s == CAMBER_EIO);   /* nobody writes: not waited for */
  unlink(path);
  CHECK(camber_tensors_open("/dev/zero", &s) == NULL && s == CAMBER_EIO);
  snprintf(path, sizeof path, "%s/\xFF\xFE", folder);   /* names of files are bytes */
  STATUS(camber_tensors_save(path, 1, (const char *const[]){"a"}, (const camber_dtype[]){CAMBER_F64}, (const size_t[]){1}, two, (const void *const[]){a}), CAMBER_OK);
  CHECK(access(path, R_OK) == 0);
  camber_tensors *f = camber_tensors_open(path, &s);
  CHECK(f != NULL), camber_tensors_free(f);
  unlink(path);
  enum { COUNT = 8300 };   /* of 2^43 bytes each */
  static char names[COUNT][8];
  static const char *name[COUNT];
  static camber_dtype dtypes[COUNT];
  static size_t ranks[COUNT];
  static int64_t shapes[COUNT];
  static const void *data[COUNT];
  for (int i = 0; i < COUNT; i++) snprintf(names[i], sizeof names[i], "n%d", i), name[i] = names[i], dtypes[i] = CAMBER_F64, ranks[i] = 1, shapes[i] = INT64_C(1) << 40, data[i] = a;
  snprintf(other, sizeof other, "%s/large", folder);
  CHECK(camber_tensors_save(other, COUNT, name, dtypes, ranks, shapes, data) < 0 && access(other, F_OK) != 0);
  rmdir(folder);
}

/* Time that grows with the square, or without end. */
static void time_taken(void) {
  enum { MANY = 65535 };
  static camber_node parts[MANY + 1];
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), one = camber_reshape(t, x, (int64_t[]){1}, 1), g;
  for (int i = 0; i <= MANY; i++) parts[i] = one;
  double start = seconds();
  camber_node all = camber_concat(t, parts, MANY, 0);
  STATUS(camber_grad(t, camber_sum(t, camber_sin(t, all), NULL, 0, 0), &x, 1, &g), CAMBER_OK);
  CHECK(seconds() - start < 20);
  CHECK(camber_concat(t, parts, MANY + 1, 0) == CAMBER_NONE && camber_tape_status(t) == CAMBER_EINVAL);
  camber_tape_clear(t);
  start = seconds();
  camber_node n = camber_input(t, CAMBER_F64, NULL, 0), p = camber_polygamma(t, n, x), in[2] = {n, x};
  camber_program *program = camber_program_new(t, in, 2, &p, 1);
  camber_workspace *w = camber_workspace_new(program);
  static const double hard[][2] = {{1e305, 1e300}, {1e20, 1e19}, {1e19, 1e19}, {1e300, -1e300}, {3, 1e300}, {1e18, 5}, {1e15, 1e15}, {1e13, 1e12}};
  for (size_t i = 0; i < sizeof hard / sizeof *hard; i++) {
    double to;
    STATUS(camber_run(program, w, (const void *[]){&hard[i][0], &hard[i][1]}, (void *[]){&to}), CAMBER_OK);
  }
  CHECK(seconds() - start < 20);
  camber_workspace_free(w), camber_program_free(program), camber_tape_free(t);
}

/* Two threads whose runs on one workspace fail: one of them at a time has the sentence. */
static camber_program *shared;
static camber_workspace *space;
static void *failing(void *unused) {
  const double x[3] = {1, 2, 3};
  const int64_t index = 7;
  double to;
  (void)unused;
  for (int i = 0; i < 5000; i++) {
    camber_status s = camber_run(shared, space, (const void *[]){x, &index}, (void *[]){&to});
    if (s != CAMBER_EINVAL && s != CAMBER_EBUSY) return shared;
  }
  return NULL;
}
static void threads(void) {
  camber_tape *t = camber_tape_new();
  camber_node in[2] = {camber_input(t, CAMBER_F64, (int64_t[]){3}, 1), camber_input(t, CAMBER_I64, NULL, 0)}, y = camber_gather(t, in[0], in[1], 0);
  shared = camber_program_new(t, in, 2, &y, 1), space = camber_workspace_new(shared);
  pthread_t other;
  void *wrong = NULL;
  CHECK(pthread_create(&other, NULL, failing, NULL) == 0);
  CHECK(failing(NULL) == NULL);
  pthread_join(other, &wrong);
  CHECK(wrong == NULL && strstr(camber_workspace_message(space), "gather"));
  camber_workspace_free(space), camber_program_free(shared), camber_tape_free(t);
}

static void capacity(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, (int64_t[]){3, 4}, 2);
  camber_program *p = camber_program_new(t, &x, 1, &x, 1);
  int64_t shape[2] = {0, 0};
  CHECK(camber_program_input_type(p, 0, NULL, NULL, shape, SIZE_MAX) == CAMBER_OK && shape[0] == 3 && shape[1] == 4);
  camber_program_free(p), camber_tape_free(t);
}

/* An alias given after a workspace was made is not that workspace's: it went on to read what it had overwritten. */
static void late_alias(void) {
  const int64_t n[1] = {4};
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, n, 1), out[2] = {camber_sin(t, x), camber_cos(t, x)};
  camber_program *p = camber_program_new(t, &x, 1, out, 2);
  camber_workspace *before = camber_workspace_new(p);
  CHECK(camber_program_alias(p, 0, 0) == CAMBER_OK);
  camber_workspace *after = camber_workspace_new(p);
  double a[4] = {1, 2, 3, 4}, b[4] = {0};
  const void *in[1] = {a};
  void *to[2] = {a, b};
  CHECK(camber_run(p, before, in, to) == CAMBER_EINVAL && *camber_workspace_message(before) && a[0] == 1);
  CHECK(camber_run(p, after, in, to) == CAMBER_OK && a[0] > 0.84 && a[0] < 0.85 && b[0] > 0.54 && b[0] < 0.55);
  camber_workspace_free(before), camber_workspace_free(after), camber_program_free(p), camber_tape_free(t);
}

/* Values that no memory holds are compiled and explained all the same: rows of more than 2^31 elements, and of 2^39. */
static void vast(void) {
  const int64_t shapes[2][3] = {{6, 8, 4294967301}, {2, 1, (int64_t)1 << 38}};
  for (int i = 0; i < 2; i++) {
    camber_tape *t = camber_tape_new();
    camber_node x = camber_input(t, CAMBER_F64, shapes[i], 3), parts[2] = {camber_add(t, x, x), camber_tanh(t, x)}, y = camber_stack(t, parts, 2, 1), z = camber_stack(t, parts, 2, 3);
    camber_node g, s = camber_sum(t, camber_mul(t, y, y), NULL, 0, 0), out[3] = {y, z, 0};
    if (CHECK(camber_grad(t, s, &x, 1, &g) == CAMBER_OK)) {
      out[2] = g;
      camber_program *p = camber_program_new(t, &x, 1, out, 3);
      CHECK(p != NULL && *camber_program_explain(p));
      camber_workspace *w = camber_workspace_new(p);
      CHECK(w == NULL);
      camber_workspace_free(w), camber_program_free(p);
    }
    camber_tape_free(t);
  }
}

int main(void) {
  late_alias(), tuples(), strides(), nothing(), freed(), depth(), training(), files(), time_taken(), threads(), capacity(), vast();
  return check_done();
}
