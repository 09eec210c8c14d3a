/* Branches, loops of unknown length, map and guards through the C interface: values, derivatives, what runs, and what is refused in which words. */
#include <camber_easy.h>
#include <stdint.h>

#include "check.h"

static camber_tape *t;

static camber_node scalar(camber_tape *tape) { return camber_input(tape, CAMBER_F64, NULL, 0); }
static camber_node number(camber_tape *tape, double v) { return camber_constant(tape, CAMBER_F64, v); }

/* The results of `out` at scalars; the status. */
static camber_status at(const camber_node *in, size_t ins, const camber_node *out, size_t outs, const double *x, double *y) {
  const void *from[8];
  void *to[8];
  for (size_t i = 0; i < ins; i++) from[i] = &x[i];
  for (size_t i = 0; i < outs; i++) to[i] = &y[i];
  camber_program *p = camber_program_new(t, in, ins, out, outs);
  if (!CHECK(p != NULL)) { camber_easy_check(stderr, t); return CAMBER_EINVAL; }
  camber_workspace *w = camber_workspace_new(p);
  camber_status s = camber_run(p, w, from, to);
  camber_workspace_free(w), camber_program_free(p);
  return s;
}

static void refused(camber_status got, camber_status want, const char *words) {
  STATUS(got, want);
  if (!CHECK(strstr(camber_tape_message(t), words) != NULL)) fprintf(stderr, "  said: %s\n", camber_tape_message(t));
  camber_tape_clear(t);
}

/* x > 0 ? x^3 : table[9], which is outside: an error if it ever ran. */
static void taken(void) {
  camber_node x = scalar(t), p = camber_gt(t, x, number(t, 0)), out[3];
  camber_tape *yes = camber_tape_sub(t), *no = camber_tape_sub(t);
  double three[3] = {1, 2, 3};
  int64_t shape[1] = {3};
  camber_node inside = camber_capture(yes, x), a = camber_mul(yes, camber_square(yes, inside), x);
  camber_node table = camber_array(no, CAMBER_F64, shape, 1, three), nine = camber_cast(no, camber_mul(no, x, number(no, -9)), CAMBER_I64);
  camber_node b = camber_gather(no, table, nine, 0);
  STATUS(camber_cond(t, p, yes, &a, no, &b, 1, out), CAMBER_OK);
  STATUS(camber_grad(t, out[0], &x, 1, &out[1]), CAMBER_OK);
  STATUS(camber_hessian(t, out[0], &x, 1, &out[2]), CAMBER_OK);
  double y[3], v = 2;
  STATUS(at(&x, 1, out, 3, &v, y), CAMBER_OK);
  NEAR(y[0], 8, 0); NEAR(y[1], 12, 1e-15); NEAR(y[2], 12, 1e-15);
  v = -1;
  STATUS(at(&x, 1, out, 1, &v, y), CAMBER_EINVAL);   /* the other branch does run where it is taken */
  camber_tape *three_ways[3] = {yes, no, yes};
  camber_node of[3] = {a, b, x}, k = camber_cast(t, x, CAMBER_I64), r;
  STATUS(camber_switch(t, k, 3, three_ways, of, 1, &r), CAMBER_OK);
  for (v = -1; v < 5; v += 1) {
    double got = 0;
    STATUS(at(&x, 1, &r, 1, &v, &got), v == 1 ? CAMBER_EINVAL : CAMBER_OK);
    if (v != 1) NEAR(got, v >= 2 ? v : v * v * v, 0);
  }

  camber_node wrong = number(no, 1), f = camber_constant(no, CAMBER_F32, 1);
  refused(camber_cond(t, x, yes, &a, no, &b, 1, &r), CAMBER_EDTYPE, "cond: the predicate is f64[], not a single bool");
  refused(camber_cond(t, p, yes, &a, no, &f, 1, &r), CAMBER_EDTYPE, "cond: result 0 is f64[] in the true branch and f32[] in the false branch");
  refused(camber_cond(t, p, NULL, &a, no, &b, 1, &r), CAMBER_EHANDLE, "cond: the true branch is NULL");
  refused(camber_cond(t, p, yes, &a, t, &x, 1, &r), CAMBER_ENODE, "cond: the false branch is not a sub-tape of this tape");
  refused(camber_cond(t, p, yes, NULL, no, &b, 1, &r), CAMBER_EINVAL, "cond: an array of 1 nodes is NULL");
  refused(camber_cond(t, p, yes, &wrong, no, &b, 1, &r), CAMBER_ENODE, "cond: output 0 of the true branch is not a node of it");
  refused(camber_switch(t, x, 3, three_ways, of, 1, &r), CAMBER_EDTYPE, "switch: the index is f64[]");
  refused(camber_switch(t, k, 0, three_ways, of, 1, &r), CAMBER_EINVAL, "switch: 0 branches; 1 to 1024");
  refused(camber_switch(t, k, 3, NULL, of, 1, &r), CAMBER_EINVAL, "switch: the array of 3 branches is NULL");
  CHECK(r == CAMBER_NONE);
  camber_tape *stranger = camber_tape_new();
  CHECK(camber_capture(stranger, x) == CAMBER_NONE && camber_tape_status(stranger) == CAMBER_ENODE);
  camber_tape_free(stranger), camber_tape_free(yes), camber_tape_free(no);
}

/* The square root of a by Newton's steps from a, until they change nothing: its derivative is 1 / (2 sqrt a). */
static void loops(void) {
  camber_node a = scalar(t), out[4];
  for (int64_t slots = 0; slots < 4; slots++) {
    camber_tape *b = camber_tape_sub(t);
    camber_node x = scalar(b), next = camber_mul(b, camber_add(b, x, camber_div(b, a, x)), number(b, 0.5));
    camber_node go = camber_gt(b, camber_abs(b, camber_sub(b, camber_mul(b, x, x), a)), number(b, 1e-13));
    STATUS(camber_while(t, b, &x, go, &next, 1, &a, -1, slots, out), CAMBER_OK);
    STATUS(camber_while(t, b, &x, go, &next, 1, &a, 1, slots, &out[3]), CAMBER_OK);
    STATUS(camber_grad(t, out[0], &a, 1, &out[1]), CAMBER_OK);
    STATUS(camber_hessian(t, out[0], &a, 1, &out[2]), CAMBER_OK);
    double y[4], v = 9;
    STATUS(at(&a, 1, out, 4, &v, y), CAMBER_OK);
    NEAR(y[0], 3, 1e-15); NEAR(y[1], 1.0 / 6, 1e-12); NEAR(y[2], -1.0 / 108, 1e-11); NEAR(y[3], 5, 0);
    if (slots == 2) {
      /* What goes wrong on a body after it was taken is that tape's own affair. */
      CHECK(camber_add(b, x, CAMBER_NONE) == CAMBER_NONE);
      camber_node again;
      STATUS(camber_grad(t, out[0], &a, 1, &again), CAMBER_OK);
      STATUS(camber_jvp(t, &out[3], 1, &a, &a, 1, &again), CAMBER_OK);
      STATUS(camber_tape_status(b), CAMBER_ENODE);
      CHECK(strstr(camber_tape_message(b), "add: an operand is not a node of this tape") != NULL);
    }
    if (slots == 3) {
      camber_node low = camber_cast(b, next, CAMBER_F32);
      refused(camber_while(t, b, &x, go, &low, 1, &a, -1, 0, out), CAMBER_EDTYPE, "while: carry 0 is f64[], the body gives f32[]; a carry keeps its type");
      refused(camber_while(t, b, &x, next, &next, 1, &a, -1, 0, out), CAMBER_EDTYPE, "while: the predicate is f64[], not a single bool");
      refused(camber_while(t, b, &x, go, &next, 0, &a, -1, 0, out), CAMBER_EINVAL, "while: needs at least one carry");
      refused(camber_while(t, b, &next, go, &next, 1, &a, -1, 0, out), CAMBER_ENODE, "while: body input 0 is not an input of the body");
      refused(camber_while(t, b, &x, go, &next, 1, &a, -2, 0, out), CAMBER_EINVAL, "while: at most -2 steps");
      refused(camber_while(t, b, &x, go, &next, 1, &a, -1, -1, out), CAMBER_EINVAL, "while: -1 slots");
      refused(camber_while(t, NULL, &x, go, &next, 1, &a, -1, 0, out), CAMBER_EHANDLE, "while: the body is NULL");
      refused(camber_while(t, b, &x, go, &next, 1, NULL, -1, 0, out), CAMBER_EINVAL, "while: an array of 1 nodes is NULL");
    }
    camber_tape_free(b);
  }
}

static void maps(void) {
  int64_t shape[1] = {5};
  camber_node xs = camber_input(t, CAMBER_F64, shape, 1), k = scalar(t), in[2] = {xs, k}, out[3];
  double x[5] = {1, 2, 3, 4, 5}, two = 2, y[5], g[5], gk;
  for (int64_t block = 0; block <= 6; block++) {
    camber_tape *b = camber_tape_sub(t);
    camber_node s = scalar(b), r = camber_mul(b, camber_square(b, s), k);
    STATUS(camber_map(t, b, &s, &r, 1, &xs, 1, block, out), CAMBER_OK);
    STATUS(camber_grad(t, camber_sum(t, out[0], NULL, 0, 0), in, 2, &out[1]), CAMBER_OK);
    const void *from[2] = {x, &two};
    void *to[3] = {y, g, &gk};
    if (!CHECK(!camber_easy_evaluate(t, in, 2, out, 3, from, to, stderr))) return;
    for (int i = 0; i < 5; i++) { NEAR(y[i], 2 * x[i] * x[i], 0); NEAR(g[i], 4 * x[i], 0); }
    NEAR(gk, 55, 0);
    if (block == 6) {
      refused(camber_map(t, b, &s, &r, 1, &k, 1, 0, out), CAMBER_ESHAPE, "map: array 0 is f64[], which has no leading axis");
      refused(camber_map(t, b, &s, &r, 0, &xs, 1, 0, out), CAMBER_EINVAL, "map: needs at least one array");
      refused(camber_map(t, b, &s, &r, 1, &xs, 1, -1, out), CAMBER_EINVAL, "map: blocks of -1");
    }
    camber_tape_free(b);
  }
}

/* A branch of the host's, recorded where x > 1. */
static void guards(void) {
  camber_tape *before = t;
  t = camber_tape_new();
  camber_node x = scalar(t), y = scalar(t), in[2] = {x, y}, p = camber_gt(t, x, number(t, 1)), out[2] = {camber_mul(t, x, y)};
  STATUS(camber_guard(t, p, 1, "control.c:7"), CAMBER_OK);
  STATUS(camber_grad(t, out[0], &x, 1, &out[1]), CAMBER_OK);
  camber_program *f = camber_program_new(t, in, 2, out, 2), *h = camber_program_new(t, &y, 1, &y, 1);
  camber_workspace *w = camber_workspace_new(f);
  CHECK(camber_program_guard_count(f) == 1 && camber_program_guard_count(h) == 0 && camber_program_output_count(f) == 2);
  double a[2] = {2, 5}, r[2] = {0, 0};
  const void *from[2] = {&a[0], &a[1]};
  void *to[2] = {&r[0], &r[1]};
  STATUS(camber_run(f, w, from, to), CAMBER_OK);
  CHECK(r[0] == 10 && r[1] == 5 && camber_workspace_flipped(w) == -1);
  a[0] = 0.5;
  STATUS(camber_run(f, w, from, to), CAMBER_FLIPPED);
  CHECK(r[0] == 2.5 && camber_workspace_flipped(w) == (p & 0xFFFFFFFF));
  const char *said = camber_workspace_message(w);
  if (!CHECK(strstr(said, "control.c:7") && strstr(said, "gt(0.5, 1.0)") && strstr(said, "is false here and was true"))) fprintf(stderr, "  said: %s\n", said);
  a[0] = 3;
  STATUS(camber_run(f, w, from, to), CAMBER_OK);
  CHECK(camber_workspace_flipped(w) == -1);
  STATUS(camber_program_set(f, "check_guards", 0), CAMBER_OK);
  a[0] = 0;
  STATUS(camber_run(f, w, from, to), CAMBER_OK);
  STATUS(camber_program_set(f, "check_guards", 2), CAMBER_EINVAL);
  camber_tape *b = camber_tape_sub(t);
  STATUS(camber_guard(b, camber_gt(b, x, number(b, 0)), 1, NULL), CAMBER_EINVAL);
  CHECK(strstr(camber_tape_message(b), "guard: a loop's body has no branches of the host's") != NULL);
  refused(camber_guard(t, x, 1, NULL), CAMBER_EDTYPE, "guard: the condition is f64[], not bool");
  STATUS(camber_guard(NULL, p, 1, NULL), CAMBER_EHANDLE);
  CHECK(camber_program_guard_count(NULL) == 0 && camber_workspace_flipped(NULL) == -1);
  camber_tape_free(b), camber_workspace_free(w), camber_program_free(f), camber_program_free(h), camber_tape_free(t);
  t = before;
}

int main(void) {
  t = camber_tape_new();
  taken();
  loops();
  maps();
  guards();
  camber_tape_free(t);
  return check_done();
}
