/* camber_run allocates nothing after a workspace's first run: every allocation of the process is counted. */
#define _GNU_SOURCE
#include <camber_easy.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"

/* These take the place of libc's for the library too. Memory comes from libc's own names. */
static atomic_long count;
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

void *malloc(size_t n) { count++; return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { count++; return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { count++; return __libc_realloc(p, n); }
void free(void *p) { if (p) count++; __libc_free(p); }
void *memalign(size_t a, size_t n) { count++; return __libc_memalign(a, n); }
void *aligned_alloc(size_t a, size_t n) { count++; return __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { count++; return (*p = __libc_memalign(a, n)) ? 0 : ENOMEM; }

/* Runs once to warm up, then wants no allocation in 100 runs. */
static void allocations(const char *what, camber_tape *t, const camber_node *in, size_t ins, const camber_node *out, size_t outs, const void *const *at, void *const *to) {
  camber_program *p = camber_program_new(t, in, ins, out, outs);
  if (!CHECK(p != NULL)) {
    camber_easy_check(stderr, t);
    return;
  }
  camber_workspace *w = camber_workspace_new(p);
  STATUS(camber_run(p, w, at, to), CAMBER_OK);
  long before = atomic_load(&count);
  int bad = 0;
  for (int i = 0; i < 100; i++) bad += camber_run(p, w, at, to) != CAMBER_OK;
  long made = atomic_load(&count) - before;
  if (!CHECK(bad == 0 && made == 0)) fprintf(stderr, "  %s: %ld calls of malloc and free in 100 runs\n", what, made);
  camber_workspace_free(w), camber_program_free(p);
}

/* The same of a sparse matrix's values, by a method. */
static void sparse_allocations(camber_tape *t, camber_node y, camber_node x, int method, const void *const *at, void *values, size_t room) {
  camber_sparse *s = method == CAMBER_SPARSE_STAR || method == CAMBER_SPARSE_ACYCLIC ? camber_sparse_hessian(t, camber_easy_sum(t, camber_square(t, y)), &x, 1, NULL, 0)
                                                                                     : camber_sparse_jacobian(t, &y, 1, &x, 1, NULL, 0);
  camber_sparse_set(s, "method", method);
  camber_sparse_workspace *w = camber_sparse_workspace_new(s);
  if (!CHECK(w != NULL && camber_sparse_value_count(s) <= room)) {
    fprintf(stderr, "%s\n", camber_sparse_message(s));
    return;
  }
  STATUS(camber_sparse_values(w, at, values), CAMBER_OK);
  long before = atomic_load(&count);
  int bad = 0;
  for (int i = 0; i < 100; i++) bad += camber_sparse_values(w, at, values) != CAMBER_OK;
  long made = atomic_load(&count) - before;
  if (!CHECK(bad == 0 && made == 0)) fprintf(stderr, "  sparse method %d: %ld calls of malloc and free in 100 runs\n", method, made);
  camber_sparse_workspace_free(w), camber_sparse_free(s);
}

static camber_status twice(void *payload, camber_call *call, const void *const *x, void *const *y) {
  (void)payload;
  for (size_t i = 0; i < camber_call_size(call, 0); i++) ((double *)y[0])[i] = 2 * ((const double *)x[0])[i];
  return CAMBER_OK;
}
static camber_status twice_vjp(void *payload, camber_call *call, const void *const *x, const void *const *y, const void *const *w, void *const *g) {
  (void)x, (void)y;
  return twice(payload, call, w, g);
}

static double a[512 * 512], b[512 * 512], r[3][512 * 512];

int main(void) {
  for (int i = 0; i < 512 * 512; i++) a[i] = (i % 17) / 17.0, b[i] = (i % 13) / 13.0;
  long probe = atomic_load(&count);
  void *volatile probed = malloc(8);
  free(probed);
  CHECK(atomic_load(&count) == probe + 2);

  const void *at[2] = {a, b};
  {
    const int64_t many[1] = {70000};   /* entries enough for threads */
    camber_tape *t = camber_tape_new();
    camber_node x = camber_input(t, CAMBER_F64, many, 1), y = camber_mul(t, camber_sin(t, x), camber_roll(t, x, 1, 0));
    for (int method = CAMBER_SPARSE_AUTO; method <= CAMBER_SPARSE_ACYCLIC; method++) sparse_allocations(t, y, x, method, at, r, sizeof r / 8);
    camber_tape_free(t);
  }
  void *to[3] = {r[0], r[1], r[2]};
  {   /* scalars */
    camber_tape *t = camber_tape_new();
    camber_node x = camber_input(t, CAMBER_F64, NULL, 0), out[2] = {camber_mul(t, camber_sin(t, x), camber_exp(t, x))};
    camber_grad(t, out[0], &x, 1, &out[1]);
    allocations("scalars", t, &x, 1, out, 2, at, to);
    camber_tape_free(t);
  }
  for (int64_t n = 4; n <= 512; n *= 4) {   /* products small and large, reductions, their gradients */
    camber_tape *t = camber_tape_new();
    camber_node in[2] = {camber_easy_matrix(t, CAMBER_F64, n, n), camber_easy_matrix(t, CAMBER_F64, n, n)}, out[3];
    out[0] = camber_easy_sum(t, camber_log_softmax(t, camber_tanh(t, camber_matmul(t, in[0], in[1])), -1));
    camber_grad(t, out[0], in, 2, out + 1);
    allocations("matmul tanh log_softmax sum", t, in, 2, out, 3, at, to);
    camber_tape_free(t);
  }
  {   /* a loop, gather, sort of everything that keeps memory */
    camber_tape *t = camber_tape_new();
    camber_node x = camber_easy_vector(t, CAMBER_F64, 1000), key = camber_integer(t, CAMBER_I64, 7), init = camber_constant(t, CAMBER_F64, 0), scanned[2], out[2];
    int64_t n = 1000;
    camber_tape *body = camber_tape_sub(t);
    camber_node bi[2] = {camber_input(body, CAMBER_F64, NULL, 0), camber_input(body, CAMBER_F64, NULL, 0)}, bo[2];
    bo[0] = bo[1] = camber_tanh(body, camber_add(body, bi[0], bi[1]));
    STATUS(camber_scan(t, body, bi, bo, 1, &init, 1, &x, 1, 1000, 0, scanned), CAMBER_OK);
    camber_node noisy = camber_add(t, scanned[1], camber_random_normal(t, key, CAMBER_F64, &n, 1));
    camber_node gathered = camber_gather(t, noisy, camber_iota(t, CAMBER_I64, &n, 1, 0), 0);
    out[0] = camber_easy_sum(t, camber_cumsum(t, gathered, 0, 0));
    camber_grad(t, out[0], &x, 1, &out[1]);
    allocations("scan random gather cumsum", t, &x, 1, out, 2, at, to);
    camber_tape_free(body), camber_tape_free(t);
  }
  {   /* a loop of unknown length with branches in it, run backwards; a guard that holds */
    camber_tape *t = camber_tape_new();
    camber_node x = camber_input(t, CAMBER_F64, NULL, 0), zero = camber_constant(t, CAMBER_F64, 0), hundred = camber_constant(t, CAMBER_F64, 100), out[3];
    camber_tape *body = camber_tape_sub(t), *odd, *even;
    camber_node in[2] = {camber_input(body, CAMBER_F64, NULL, 0), camber_input(body, CAMBER_F64, NULL, 0)}, next[2], one = camber_constant(body, CAMBER_F64, 1);
    odd = camber_tape_sub(body), even = camber_tape_sub(body);
    camber_node a = camber_sin(odd, in[1]), b = camber_mul(even, in[1], camber_exp(even, camber_neg(even, in[1])));
    STATUS(camber_cond(body, camber_gt(body, in[1], one), odd, &a, even, &b, 1, &next[1]), CAMBER_OK);
    next[0] = camber_add(body, in[0], one), next[1] = camber_add(body, next[1], x);
    camber_node init[2] = {zero, x}, ends[2];
    STATUS(camber_while(t, body, in, camber_lt(body, in[0], hundred), next, 2, init, -1, 4, ends), CAMBER_OK);
    out[0] = ends[1];
    camber_grad(t, out[0], &x, 1, &out[1]);
    camber_hessian(t, out[0], &x, 1, &out[2]);
    STATUS(camber_guard(t, camber_lt(t, x, hundred), 1, "small"), CAMBER_OK);
    allocations("while cond guard", t, &x, 1, out, 3, at, to);
    camber_tape_free(odd), camber_tape_free(even), camber_tape_free(body), camber_tape_free(t);
  }
  {   /* order, running results, scatters, segments, blocks that begin where a node says */
    camber_tape *t = camber_tape_new();
    const int64_t n = 4000, block = 100;
    camber_node x = camber_easy_vector(t, CAMBER_F64, n), out[2];
    camber_node y = camber_sort(t, camber_cumprod(t, camber_cummax(t, x, 0, 1), 0, 0), 0, 1), order = camber_argsort(t, x, 0, 0);
    y = camber_add(t, y, camber_add(t, camber_cumlogsumexp(t, x, 0, 0), camber_scatter_set(t, x, order, y, 0)));
    y = camber_add(t, y, camber_segment_max(t, y, camber_searchsorted(t, camber_sort(t, x, 0, 0), camber_mul(t, x, camber_broadcast(t, camber_constant(t, CAMBER_F64, 0.5), &n, 1)), 0), n));
    camber_node start = camber_reshape(t, camber_argmax(t, x, 0), (int64_t[]){1}, 1), z = camber_dynamic_slice(t, y, start, &block, 1);
    out[0] = camber_easy_sum(t, camber_dynamic_update(t, camber_linear_recurrence(t, x, x, 0, 0), z, start));
    camber_grad(t, out[0], &x, 1, &out[1]);
    allocations("sort argsort cumprod cummax scatter_set segment_max dynamic_slice", t, &x, 1, out, 2, at, to);
    camber_tape_free(t);
  }
  {   /* functions of the host's own: alone, for each of a batch, in a loop, with derivatives as numbers */
    camber_tape *t = camber_tape_new();
    camber_operator op = {0};
    op.size = sizeof op, op.name = "twice", op.input_count = op.output_count = 1, op.value = twice, op.vjp = twice_vjp;
    camber_node x = camber_easy_vector(t, CAMBER_F64, 100), y, s = camber_input(t, CAMBER_F64, NULL, 0), one, batch, out[3], last;
    camber_host_call(t, &op, &x, 1, &y, 1);
    camber_host_call(t, &op, &s, 1, &one, 1);
    STATUS(camber_batch(t, &one, 1, &s, &x, 1, 100, &batch), CAMBER_OK);
    camber_tape *body = camber_tape_sub(t);
    camber_node bi[2] = {camber_input(body, CAMBER_F64, NULL, 0), camber_input(body, CAMBER_F64, NULL, 0)}, bo, called;
    camber_host_call(body, &op, &bi[1], 1, &called, 1);
    bo = camber_tanh(body, camber_add(body, bi[0], called));
    camber_node init = camber_constant(t, CAMBER_F64, 0);
    STATUS(camber_scan(t, body, bi, &bo, 1, &init, 1, &x, 0, 100, 0, &last), CAMBER_OK);
    out[0] = camber_add(t, last, camber_easy_sum(t, camber_mul(t, y, batch))), out[1] = batch;
    STATUS(camber_grad(t, out[0], &x, 1, &out[2]), CAMBER_OK);
    allocations("host calls", t, &x, 1, out, 3, at, to);
    camber_tape_free(body), camber_tape_free(t);
  }
  {   /* factorisations */
    camber_tape *t = camber_tape_new();
    camber_node x = camber_easy_matrix(t, CAMBER_F64, 30, 30), out[2];
    int64_t shape[2] = {30, 30};
    double eye[900] = {0};
    for (int i = 0; i < 30; i++) eye[31 * i] = 60;
    camber_node spd = camber_add(t, camber_matmul(t, x, camber_transpose(t, x, NULL, 2)), camber_array(t, CAMBER_F64, shape, 2, eye));
    out[0] = camber_easy_sum(t, camber_solve(t, camber_cholesky(t, spd), x));
    camber_grad(t, out[0], &x, 1, &out[1]);
    allocations("cholesky solve", t, &x, 1, out, 2, at, to);
    camber_tape_free(t);
  }
  {   /* linearised, and an optimizer's step */
    camber_tape *t = camber_tape_new();
    camber_node x = camber_easy_vector(t, CAMBER_F64, 100), y = camber_sin(t, x);
    camber_linear *l = camber_linear_new(t, &x, 1, &y, 1);
    STATUS(camber_linear_at(l, at, to), CAMBER_OK); STATUS(camber_linear_jvp(l, at, to), CAMBER_OK); STATUS(camber_linear_vjp(l, at, to), CAMBER_OK);
    long before = atomic_load(&count), made;
    for (int i = 0; i < 100; i++) camber_linear_at(l, at, to), camber_linear_jvp(l, at, to), camber_linear_vjp(l, at, to);
    if (!CHECK((made = atomic_load(&count) - before) == 0)) fprintf(stderr, "  linear: %ld calls of malloc and free in 300 products\n", made);
    camber_linear_free(l), camber_tape_free(t);
    camber_optimizer *o = camber_optimizer_new("adamw");
    int64_t n = 100;
    STATUS(camber_optimizer_add(o, "p", CAMBER_F64, &n, 1), CAMBER_OK); STATUS(camber_optimizer_step(o, to, at), CAMBER_OK);
    before = atomic_load(&count);
    for (int i = 0; i < 100; i++) camber_optimizer_step(o, to, at);
    if (!CHECK((made = atomic_load(&count) - before) == 0)) fprintf(stderr, "  optimizer: %ld calls of malloc and free in 100 steps\n", made);
    camber_optimizer_free(o);
  }
  return check_done();
}
