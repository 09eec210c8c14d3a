/* Memory refused at each place that asks the library's allocator, once: a status each time, nothing leaked, and what failed works
 * afterwards. Needs ck_fail_after, which only libraries without the version script show (.build-asan); else nothing is tried. */
#define _XOPEN_SOURCE 700
#include <camber.h>
#include <stdlib.h>

#include "check.h"

extern void ck_fail_after(int64_t k) __attribute__((weak));
extern int64_t ck_live_bytes(void) __attribute__((weak));

static int failures;          /* calls of one session that were refused something */
static double results[64];
static int result_count;

static void note(double v) { if (result_count < 64) results[result_count++] = v; }

/* What goes wrong leaves a status and a sentence; the session then goes on from there. */
static int well(camber_tape *t) {
  camber_status s = camber_tape_status(t);
  if (s == CAMBER_OK) return 1;
  failures++;
  CHECK(s == CAMBER_ENOMEM && *camber_tape_message(t));
  if (s != CAMBER_ENOMEM) fprintf(stderr, "  %d %s\n", s, camber_tape_message(t));
  camber_tape_clear(t);
  return 0;
}

static int compiled(camber_tape *t, const camber_node *in, size_t n, const camber_node *out, size_t m, const void *const *x, void *const *y) {
  camber_program *p = camber_program_new(t, in, n, out, m);
  if (!p) return well(t) ? CHECK(!"no program and no error"), 0 : 0;
  camber_workspace *w = camber_workspace_new(p);
  int ok = w != NULL;
  if (!w) failures++;
  else {
    camber_status s = camber_run(p, w, x, y);
    if (s < 0) { failures++, ok = 0; CHECK(*camber_workspace_message(w)); }
  }
  camber_workspace_free(w), camber_program_free(p);
  return ok;
}

/* A status that is good, or a refusal with a sentence. */
static int fine(camber_status s, const char *sentence) {
  if (s == CAMBER_OK) return 1;
  failures++;
  CHECK(s == CAMBER_ENOMEM && *sentence);
  if (s != CAMBER_ENOMEM) fprintf(stderr, "  %d %s\n", s, sentence);
  return 0;
}

/* Outputs of `t` saved, in a file and in memory, loaded, run, and applied to another tape's nodes. */
static void saved(camber_tape *t, camber_node x, const camber_node *y, const char *path, const double *at) {
  camber_archive *a = camber_archive_new(), *b = camber_archive_new(), *c = camber_archive_new();
  const void *bytes;
  size_t size;
  double out[2][9];
  int ok = fine(camber_archive_add(a, "f", t, &x, (const char *const[]){"x"}, 1, y, NULL, 2), camber_archive_message(a)) &&
           fine(camber_archive_set(a, "f", "threads", 1), camber_archive_message(a)) && fine(camber_archive_set_note(a, "key", "text"), camber_archive_message(a));
  well(t);
  if (ok && fine(camber_archive_save(a, path), camber_archive_message(a)) && fine(camber_archive_load(b, path), camber_archive_message(b))) {
    camber_program *p = camber_archive_program(b, "f");
    if (!p) failures++, CHECK(*camber_archive_message(b));
    camber_workspace *w = p ? camber_workspace_new(p) : NULL;
    if (p && !w) failures++;
    if (w && camber_run(p, w, (const void *const[]){at}, (void *const[]){out[0], out[1]}) == CAMBER_OK) note(out[0][0]), note(out[1][4]);
    camber_workspace_free(w), camber_program_free(p);
  }
  if (ok && fine(camber_archive_pack(a, &bytes, &size), camber_archive_message(a)) && fine(camber_archive_unpack(c, bytes, size), camber_archive_message(c))) {
    camber_tape *u = camber_tape_new();
    camber_node z = u ? camber_input(u, CAMBER_F64, (const int64_t[]){3, 3}, 2) : CAMBER_NONE, again[2];
    if (u && well(u) && camber_archive_apply(c, "f", u, &z, 1, again) == CAMBER_OK) note((double)camber_tape_node_count(u));
    if (u) well(u);
    camber_tape_free(u);
  }
  camber_archive_free(a), camber_archive_free(b), camber_archive_free(c);
}

/* Each part of a session has its sites tried by itself: their numbers add up, not their products. ALL: the parts one after the other. */
enum { PRODUCTS, DERIVED, SAVED, LOOPS, MARKED, TRAINED, SPARSE, PARTS, ALL = PARTS };
static int part = ALL;
static int in_part(int p) { return part == ALL || part == p; }

/* Entries of a sparse Jacobian and Hessian, and how far a value may be off. */
static void sparsely(void) {
  const int64_t six[1] = {6};
  double at[6] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}, values[36];
  camber_tape *t = camber_tape_new();
  if (!t) { failures++; return; }
  camber_node x = camber_input(t, CAMBER_F64, six, 1), y = camber_mul(t, camber_sin(t, x), camber_roll(t, x, 1, 0)), s = camber_sum(t, y, NULL, 0, 0);
  if (!well(t)) { camber_tape_free(t); return; }
  for (int kind = 0; kind < 2; kind++) {
    camber_sparse *p = kind ? camber_sparse_hessian(t, s, &x, 1, NULL, 0) : camber_sparse_jacobian(t, &y, 1, &x, 1, NULL, 0);
    if (!p) { if (well(t)) CHECK(!"no sparse derivative and no error"); continue; }
    if (fine(camber_sparse_prepare(p), camber_sparse_message(p))) {
      camber_sparse_workspace *w = camber_sparse_workspace_new(p);
      if (!w) failures++;
      else if (fine(camber_sparse_values(w, (const void *[]){at}, values), camber_sparse_workspace_message(w))) note(values[0]), note(values[5]);
      camber_sparse_workspace_free(w);
    }
    camber_sparse_free(p);
    well(t);
  }
  camber_rounding *r = camber_rounding_new(t, &s, 1, &x, 1);
  if (!r) { if (well(t)) CHECK(!"no rounding and no error"); }
  else if (fine(camber_rounding_run(r, (const void *[]){at}), camber_rounding_message(r))) note(1);
  camber_rounding_free(r);
  well(t);
  camber_tape_free(t);
}

/* Records, differentiates, batches, loops, compiles, runs, trains and saves; every handle is freed on every path. */
static void session(const char *path) {
  const int64_t shape[2] = {3, 3}, three[1] = {3}, wide[3] = {2, 3, 3}, many[1] = {300};
  double a[9] = {4, 1, 0.5, 1, 5, 1, 0.5, 1, 6}, b[18], big[300], out[90], g[90], h[900];
  for (int i = 0; i < 18; i++) b[i] = 0.25 * i;
  for (int i = 0; i < 300; i++) big[i] = 0.01 * i;
  result_count = failures = 0;
  camber_tape *t = camber_tape_new();
  if (!t) { failures++; return; }
  camber_node x = camber_input(t, CAMBER_F64, shape, 2), v = camber_input(t, CAMBER_F64, three, 1), c = camber_array(t, CAMBER_F64, shape, 2, a);
  camber_node l = camber_input(t, CAMBER_F64, many, 1), key = camber_integer(t, CAMBER_I64, 7);
  if (!well(t)) { camber_tape_free(t); return; }
  camber_node y = camber_sum(t, camber_mul(t, camber_tanh(t, camber_matmul(t, x, c)), camber_dropout(t, x, key, 0.5)), NULL, 0, 0), gx, hx, jx[1], sx, bx, by;
  if (well(t) && camber_grad(t, y, &x, 1, &gx) == CAMBER_OK) {
    camber_node s = camber_solve(t, camber_add(t, x, c), camber_broadcast(t, camber_reshape(t, v, (int64_t[]){3, 1}, 2), shape, 2));
    camber_node d = camber_sum(t, camber_cholesky(t, camber_matmul(t, x, camber_transpose(t, x, NULL, 0))), NULL, 0, 0);
    camber_node outs[3] = {y, gx, s};
    const void *in[3] = {a, b, big};
    void *to[3] = {out, g, h};
    camber_node ins[3] = {x, v, l};
    camber_node gd, parts[2] = {l, l}, both, gl;
    if (!well(t) || !in_part(PRODUCTS)) goto derived;
    if (compiled(t, ins, 3, outs, 3, in, to)) note(out[0]), note(g[4]), note(h[8]);
    if (camber_grad(t, d, &x, 1, &gd) == CAMBER_OK && compiled(t, ins, 3, &gd, 1, in, to)) note(out[3]);
    well(t);
    both = camber_sum(t, camber_exp(t, camber_cumsum(t, camber_concat(t, parts, 2, 0), 0, 0)), NULL, 0, 0);
    if (well(t) && camber_grad(t, both, &l, 1, &gl) == CAMBER_OK && compiled(t, ins, 3, &gl, 1, in, (void *[]){h})) note(h[299]);
    well(t);
  derived:
    if (!in_part(DERIVED)) goto saving;
    if (camber_hessian(t, y, &x, 1, &hx) == CAMBER_OK && camber_simplify(t, &hx, 1, &sx) == CAMBER_OK && compiled(t, ins, 3, &sx, 1, in, to)) note(out[80]);
    well(t);
    camber_node xb = camber_input(t, CAMBER_F64, wide, 3), xin[2];
    if (well(t) && camber_batch(t, &gx, 1, &x, &xb, 1, 2, &bx) == CAMBER_OK) {
      xin[0] = xb;
      if (compiled(t, xin, 1, &bx, 1, (const void *[]){b}, to)) note(out[17]);
    }
    well(t);
    if (camber_jacobian(t, &gx, 1, &x, 1, CAMBER_REVERSE, jx) == CAMBER_OK) (void)camber_tape_hash(t, &x, 1, jx, 1);
    well(t);
    if (camber_precision(t, &y, 1, &x, 1, CAMBER_BF16, CAMBER_F32, &by) == CAMBER_OK && compiled(t, ins, 3, &by, 1, in, to)) { float f; memcpy(&f, out, 4), note(f); }
    well(t);
    camber_linear *f = camber_linear_new(t, &x, 1, &gx, 1);
    if (f) {
      if (camber_linear_at(f, in, NULL) == CAMBER_OK && camber_linear_vjp(f, in, to) == CAMBER_OK) note(out[5]);
      camber_linear_free(f);
    } else if (well(t)) CHECK(!"no linear and no error");
  saving:
    well(t);
    camber_node pair[2] = {y, gx};
    if (in_part(SAVED)) saved(t, x, pair, path, a);
  }
  well(t);
  camber_tape *body = in_part(LOOPS) || in_part(MARKED) ? camber_tape_sub(t) : NULL;
  if (body) {
    camber_node carry = camber_input(body, CAMBER_F64, three, 1), slice = camber_input(body, CAMBER_F64, three, 1), loop[2], gl;
    camber_node next = camber_sin(body, camber_add(body, camber_mul(body, carry, slice), v)), ends[2] = {next, camber_sum(body, next, NULL, 0, 0)};
    camber_node begin[2] = {carry, slice};
    const int recorded = well(body);
    if (recorded && in_part(LOOPS) && camber_scan(t, body, begin, ends, 1, &v, 1, &x, 1, 3, 0, loop) == CAMBER_OK) {
      camber_node total = camber_add(t, camber_sum(t, loop[0], NULL, 0, 0), camber_sum(t, loop[1], NULL, 0, 0)), two[2], hv;
      camber_node ins[2] = {x, v};
      if (well(t) && camber_grad(t, total, &x, 1, &gl) == CAMBER_OK) {
        two[0] = total, two[1] = gl;
        if (compiled(t, ins, 2, two, 2, (const void *[]){a, b}, (void *[]){out, g})) note(out[0]), note(g[3]);
        well(t);
        if (camber_hvp(t, total, &v, &v, 1, &hv) == CAMBER_OK && compiled(t, ins, 2, &hv, 1, (const void *[]){a, b}, (void *[]){out})) note(out[2]);
        well(t);
        camber_node xb = camber_input(t, CAMBER_F64, wide, 3), bl;
        if (well(t) && camber_batch(t, &gl, 1, &x, &xb, 1, 2, &bl) == CAMBER_OK) {
          ins[0] = xb;
          if (compiled(t, ins, 2, &bl, 1, (const void *[]){b, a}, (void *[]){out})) note(out[11]);
        }
      }
    }
    well(body);
    well(t);
    camber_node few, marked, gm;
    if (recorded && in_part(MARKED) && camber_scan_slots(t, body, begin, ends, 1, &v, 1, &x, 0, 3, 0, 2, &few) == CAMBER_OK &&
        camber_checkpoint(t, &few, 1, &v, 1, 0, &marked) == CAMBER_OK && camber_grad(t, camber_sum(t, marked, NULL, 0, 0), &v, 1, &gm) == CAMBER_OK) {
      camber_node ins[2] = {x, v};
      if (compiled(t, ins, 2, &gm, 1, (const void *[]){a, b}, (void *[]){out})) note(out[1]);
    }
    well(body);
    camber_tape_free(body);
  }
  well(t);
  camber_tape_free(t);

  if (in_part(SPARSE)) sparsely();
  if (!in_part(TRAINED)) return;
  camber_optimizer *o = camber_optimizer_new("adamw");
  if (camber_optimizer_set(o, "clip_global_norm", 1) < 0 || camber_optimizer_add(o, "w", CAMBER_BF16, many, 1) < 0 || camber_optimizer_add(o, "u", CAMBER_F64, three, 1) < 0) failures++;
  uint16_t w[300] = {0}, dw[300];
  for (int i = 0; i < 300; i++) dw[i] = 0x3F80;
  double u[3] = {1, 2, 3}, du[3] = {1, 1, 1};
  for (int i = 0; i < 2; i++) {
    camber_status s = camber_optimizer_step(o, (void *[]){w, u}, (const void *[]){dw, du});
    if (s != CAMBER_OK) { failures++; CHECK(s == CAMBER_ENOMEM && *camber_optimizer_message(o)); }
  }
  if (camber_optimizer_state_count(o) == 0) failures++;
  if (camber_optimizer_steps(o) == 2) note(u[2]);
  camber_optimizer_free(o);

  camber_status s = camber_tensors_save(path, 1, (const char *const[]){"u"}, (const camber_dtype[]){CAMBER_F64}, (const size_t[]){1}, three, (const void *const[]){du});
  if (s != CAMBER_OK) { failures++; CHECK(s == CAMBER_ENOMEM || s == CAMBER_EIO); }
  camber_tensors *file = camber_tensors_open(path, &s);
  if (!file) { failures++; CHECK(s == CAMBER_ENOMEM); }
  camber_tensors_free(file);
}

int main(void) {
  char path[] = "/tmp/camber-memory-XXXXXX";
  if (!CHECK(mkstemp(path) >= 0)) return check_done();
  session(path);
  CHECK(failures == 0 && result_count == 23);
  if (failures || result_count != 23) fprintf(stderr, "  %d refused, %d results without any failure\n", failures, result_count);
  if (ck_fail_after && ck_live_bytes) {
    const int64_t live = ck_live_bytes();
    int64_t sites = 0;
    for (part = 0; part < PARTS; part++) {
      double want[64];
      session(path);
      CHECK(failures == 0 && result_count > 0 && ck_live_bytes() == live);
      int count = result_count;
      memcpy(want, results, sizeof want);
      for (int64_t k = 0, quiet = 0, last = 0; k < 1000000; k++) {
        ck_fail_after(k);
        session(path);
        ck_fail_after(-1);
        if (!CHECK(ck_live_bytes() == live)) fprintf(stderr, "  %lld bytes are left after site %lld of part %d\n", (long long)(ck_live_bytes() - live), (long long)k, part);
        /* Past the last site nothing fails any more. A refusal that the library can do without is no failure. */
        quiet = failures ? 0 : quiet + 1;
        if (!failures) CHECK(result_count == count && !memcmp(results, want, sizeof *want * (size_t)count));
        else sites += k + 1 - last, last = k + 1;
        if (quiet > 100) break;
      }
    }
    fprintf(stderr, "memory: %lld sites\n", (long long)sites);
    CHECK(sites > 500);
    part = ALL;
    session(path);
    CHECK(failures == 0 && result_count == 23);
  }
  remove(path);
  return check_done();
}
