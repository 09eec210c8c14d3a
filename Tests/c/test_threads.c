/* One program, two threads, two workspaces: the bits of one thread. One workspace in two threads: CAMBER_EBUSY or success. */
#define _POSIX_C_SOURCE 200809L
#include <camber_easy.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"

enum { ROWS = 64, IN = 96, HIDDEN = 48, POINTS = 40, THREADS = 2 };

static camber_program *program;
static camber_workspace *shared;
static double w1[IN * HIDDEN], w2[HIDDEN], data[ROWS * IN];
static double want[POINTS][1 + IN * HIDDEN + HIDDEN], got[THREADS][POINTS][1 + IN * HIDDEN + HIDDEN];
static int busy[THREADS], fine[THREADS], odd[THREADS];

/* Value and gradients of sum(tanh(x w1) w2)^2 at x + point / 100. */
static camber_status run_point(camber_workspace *w, int point, double *out) {
  double x[ROWS * IN];
  for (int i = 0; i < ROWS * IN; i++) x[i] = data[i] + point / 100.0;
  const void *in[3] = {w1, w2, x};
  void *results[3] = {out, out + 1, out + 1 + IN * HIDDEN};
  return camber_run(program, w, in, results);
}

static void *own_workspace(void *arg) {
  size_t me = (size_t)arg;
  camber_workspace *w = camber_workspace_new(program);
  for (int p = 0; p < POINTS; p++)
    if (run_point(w, p, got[me][p]) != CAMBER_OK) odd[me]++;
  camber_workspace_free(w);
  return NULL;
}

static void *one_workspace(void *arg) {
  size_t me = (size_t)arg;
  for (int p = 0; p < POINTS; p++) {
    camber_status s = run_point(shared, p, got[me][p]);
    if (s == CAMBER_EBUSY) busy[me]++;
    else if (s != CAMBER_OK) odd[me]++;
    else if (memcmp(got[me][p], want[p], sizeof want[p])) odd[me]++;
    else fine[me]++;
  }
  return NULL;
}

/* Tapes are not shared: each thread records, differentiates and compiles its own. */
static void *own_tape(void *arg) {
  size_t me = (size_t)arg;
  for (int i = 0; i < 50; i++) {
    camber_tape *t = camber_tape_new();
    camber_node x = camber_input(t, CAMBER_F64, NULL, 0), y = x, g;
    for (int k = 0; k < 20; k++) y = camber_sin(t, camber_mul(t, y, x));
    camber_grad(t, y, &x, 1, &g);
    camber_node out[2] = {y, g};
    double at = 0.9, r[2];
    const void *in[1] = {&at};
    void *results[2] = {&r[0], &r[1]};
    if (camber_easy_evaluate(t, &x, 1, out, 2, in, results, stderr) != CAMBER_OK) odd[me]++;
    got[me][i % POINTS][0] = r[0], got[me][i % POINTS][1] = r[1];
    camber_tape_free(t);
  }
  return NULL;
}

/* Single numbers, more of them alive at once than a machine has registers: what two threads inside one workspace would spoil. */
enum { LIVE = 48, ROUNDS = 400, TURNS = 20 };
static camber_program *numbers;
static camber_workspace *volatile fresh[ROUNDS];
static double expected[THREADS];
static pthread_barrier_t start;

static camber_status run_numbers(camber_workspace *w, size_t me, double *y) {
  double x = 0.5 + (double)me;
  const void *in[1] = {&x};
  void *results[1] = {y};
  return camber_run(numbers, w, in, results);
}

/* The first thread of a workspace may own its door until another comes: they meet there in every order. */
static void *handed_over(void *arg) {
  size_t me = (size_t)arg;
  for (int r = 0; r < ROUNDS; r++) {
    pthread_barrier_wait(&start);
    for (int i = 0; i < TURNS; i++) {
      double y = 0;
      camber_status s = run_numbers(fresh[r], me, &y);
      if (s == CAMBER_EBUSY) busy[me]++;
      else if (s != CAMBER_OK || y != expected[me]) odd[me]++;
      else fine[me]++;
    }
  }
  return NULL;
}

static void in_threads(void *(*body)(void *)) {
  pthread_t threads[THREADS];
  memset(odd, 0, sizeof odd), memset(busy, 0, sizeof busy), memset(fine, 0, sizeof fine);
  for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, body, (void *)i);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

int main(void) {
  camber_tape *t = camber_tape_new();
  camber_node in[3] = {camber_easy_matrix(t, CAMBER_F64, IN, HIDDEN), camber_easy_vector(t, CAMBER_F64, HIDDEN), camber_easy_matrix(t, CAMBER_F64, ROWS, IN)}, out[3];
  camber_node y = camber_matmul(t, camber_tanh(t, camber_matmul(t, in[2], in[0])), in[1]);
  out[0] = camber_easy_sum(t, camber_square(t, y));
  STATUS(camber_grad(t, out[0], in, 2, out + 1), CAMBER_OK);
  program = camber_program_new(t, in, 3, out, 3);
  camber_easy_check(stderr, t);
  camber_tape_free(t);
  if (!CHECK(program != NULL)) return check_done();
  srand(1);
  for (int i = 0; i < IN * HIDDEN; i++) w1[i] = rand() / (double)RAND_MAX - 0.5;
  for (int i = 0; i < HIDDEN; i++) w2[i] = rand() / (double)RAND_MAX - 0.5;
  for (int i = 0; i < ROWS * IN; i++) data[i] = rand() / (double)RAND_MAX - 0.5;

  shared = camber_workspace_new(program);
  for (int p = 0; p < POINTS; p++) STATUS(run_point(shared, p, want[p]), CAMBER_OK);
  CHECK(want[0][0] > 0 && want[0][0] != want[1][0]);

  in_threads(own_workspace);
  for (int i = 0; i < THREADS; i++) CHECK(odd[i] == 0 && !memcmp(got[i], want, sizeof want));

  in_threads(one_workspace);
  for (int i = 0; i < THREADS; i++) CHECK(odd[i] == 0 && busy[i] + fine[i] == POINTS);
  printf("one workspace, two threads: %d runs done, %d busy\n", fine[0] + fine[1], busy[0] + busy[1]);
  STATUS(run_point(shared, 3, got[0][3]), CAMBER_OK);   /* and it is not left busy */
  CHECK(!memcmp(got[0][3], want[3], sizeof want[3]));

  in_threads(own_tape);
  for (int i = 0; i < THREADS; i++) CHECK(odd[i] == 0 && got[i][0][0] == got[0][0][0] && got[i][0][1] == got[0][0][1]);
  camber_workspace_free(shared), camber_program_free(program);

  t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), part[LIVE], total = camber_constant(t, CAMBER_F64, 0);
  for (int i = 0; i < LIVE; i++) part[i] = camber_mul(t, camber_add(t, i ? part[i - 1] : x, camber_constant(t, CAMBER_F64, i)), x);
  for (int i = LIVE - 1; i >= 0; i--) total = camber_div(t, camber_add(t, total, part[i]), camber_constant(t, CAMBER_F64, 3 + i));
  numbers = camber_program_new(t, &x, 1, &total, 1);
  camber_easy_check(stderr, t);
  camber_tape_free(t);
  for (int r = 0; r < ROUNDS; r++) fresh[r] = camber_workspace_new(numbers);
  for (size_t i = 0; i < THREADS; i++) {
    camber_workspace *w = camber_workspace_new(numbers);
    STATUS(run_numbers(w, i, &expected[i]), CAMBER_OK);
    camber_workspace_free(w);
  }
  CHECK(expected[0] > 0 && expected[0] != expected[1]);
  pthread_barrier_init(&start, NULL, THREADS);
  in_threads(handed_over);
  for (int i = 0; i < THREADS; i++) CHECK(odd[i] == 0 && busy[i] + fine[i] == ROUNDS * TURNS && fine[i] > 0);
  printf("%d workspaces handed over: %d runs done, %d busy\n", ROUNDS, fine[0] + fine[1], busy[0] + busy[1]);
  for (int r = 0; r < ROUNDS; r++) {
    double y = 0;
    STATUS(run_numbers(fresh[r], 1, &y), CAMBER_OK);
    camber_workspace_free(fresh[r]);
  }
  pthread_barrier_destroy(&start);
  camber_program_free(numbers);
  return check_done();
}
