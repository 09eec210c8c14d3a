/* Operators and derivatives of the host's own: values, both modes to second order, batches, loops, failures, lifetimes.
 * One file, longer than others: its operators and the account of their lives are shared by all parts. */
#define _POSIX_C_SOURCE 200809L
#include <camber_easy.h>
#include <fenv.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"

static int calls, instances, retained, last_batch, flag0, flag1;
static pthread_t runner;
static int elsewhere;

static void keep(void *p) { (void)p, retained++; }
static void let_go(void *p) { (void)p, retained--; }

/* ---- sin, in every way ---- */

static camber_status sin_value(void *payload, camber_call *call, const void *const *x, void *const *y) {
  (void)payload, calls++;
  if (!pthread_equal(pthread_self(), runner)) elsewhere++;
  const double *a = x[0];
  double *b = y[0];
  size_t n = camber_call_size(call, 0);
  for (size_t i = 0; i < n; i++) b[i] = sin(a[i]);
  instances += (int)n;
  return CAMBER_OK;
}
static camber_status sin_batch(void *payload, camber_call *call, const void *const *x, void *const *y) {
  last_batch = (int)camber_call_batch(call);
  flag0 = camber_call_is_batched(call, 0);
  return sin_value(payload, call, x, y);
}
static camber_status sin_jvp(void *payload, camber_tape *t, const camber_node *x, const camber_node *y, const camber_node *dx, camber_node *dy) {
  (void)payload, (void)y;
  dy[0] = camber_mul(t, camber_cos(t, x[0]), dx[0]);
  return CAMBER_OK;
}
static camber_status sin_jvp_numbers(void *payload, camber_call *call, const void *const *x, const void *const *y, const void *const *dx, void *const *dy) {
  (void)payload, (void)y;
  for (size_t i = 0; i < camber_call_size(call, 3); i++) ((double *)dy[0])[i] = cos(((const double *)x[0])[i]) * ((const double *)dx[0])[i];
  return CAMBER_OK;
}
static camber_operator sine(void) {
  camber_operator o = {sizeof o, "sine", 1, 1, 0, NULL, keep, let_go, NULL, sin_value, NULL, NULL, NULL, NULL, NULL, NULL};
  return o;
}

static double run1(camber_tape *t, const camber_node *in, size_t n, camber_node y, const void *const *at, double *out, int count) {
  camber_program *p = camber_program_new(t, in, n, &y, 1);
  if (!CHECK(p != NULL)) { camber_easy_check(stderr, t); return NAN; }
  camber_workspace *w = camber_workspace_new(p);
  double room[64];
  void *to[1] = {out ? out : room};
  runner = pthread_self();
  int s = camber_run(p, w, at, to);
  if (!STATUS(s, CAMBER_OK)) fprintf(stderr, "  %s\n", camber_workspace_message(w));
  camber_workspace_free(w), camber_program_free(p);
  (void)count;
  return ((double *)to[0])[0];
}

static camber_node apply(camber_tape *t, const camber_operator *o, camber_node x) {
  camber_node y;
  camber_host_call(t, o, &x, 1, &y, 1);
  return y;
}

/* Everything of `o` applied to x against camber_sin. */
static void compare(const camber_operator *o, const char *what, int second) {
  const int64_t shape[1] = {3}, wide[2] = {4, 3};
  double at[3] = {0.3, -1.2, 2.5}, v[3] = {1, -2, 0.5}, many[12], a[64], b[64];
  for (int i = 0; i < 12; i++) many[i] = 0.25 * i - 1;
  const void *in[3] = {at, v, many};
  camber_tape *t = camber_tape_new();
  camber_node x[3] = {camber_input(t, CAMBER_F64, shape, 1), camber_input(t, CAMBER_F64, shape, 1), camber_input(t, CAMBER_F64, wide, 2)};
  camber_node y[2] = {apply(t, o, x[0]), camber_sin(t, x[0])};
  for (int order = 0; order < 6; order++) {
    camber_node r[2];
    int n = 3;
    for (int k = 0; k < 2; k++) {
      camber_node loss = camber_sum(t, camber_mul(t, camber_square(t, y[k]), y[k]), NULL, 0, 0), g;
      switch (order) {
        case 0: r[k] = y[k]; break;
        case 1: camber_jvp(t, &y[k], 1, x, &x[1], 1, &r[k]); break;
        case 2: camber_grad(t, loss, x, 1, &r[k]); break;
        case 3: camber_jacobian(t, &y[k], 1, x, 1, CAMBER_REVERSE, &r[k]), n = 9; break;
        case 4: camber_batch(t, &y[k], 1, x, &x[2], 1, 4, &r[k]), n = 12; break;
        default:
          camber_grad(t, loss, x, 1, &g);
          camber_batch(t, &g, 1, x, &x[2], 1, 4, &r[k]), n = 12;
      }
    }
    run1(t, x, 3, r[0], in, a, n), run1(t, x, 3, r[1], in, b, n);
    int good = 1;
    for (int i = 0; i < n; i++) good &= fabs(a[i] - b[i]) <= 1e-13 * (1 + fabs(b[i]));
    if (!CHECK(good)) fprintf(stderr, "  %s, order %d\n", what, order);
  }
  for (int order = 0; second && order < 6; order++) {
    camber_node r[2];
    int n = 9;
    for (int k = 0; k < 2; k++) {
      camber_node loss = camber_sum(t, camber_mul(t, camber_square(t, y[k]), y[k]), NULL, 0, 0), g, h, s;
      camber_grad(t, loss, x, 1, &g);
      s = camber_sum(t, camber_square(t, g), NULL, 0, 0);
      switch (order) {
        case 0: camber_hessian(t, loss, x, 1, &r[k]); break;
        case 1: camber_hvp(t, loss, x, &x[1], 1, &r[k]), n = 3; break;
        case 2: camber_grad(t, s, x, 1, &r[k]), n = 3; break;
        case 3: camber_jvp(t, &y[k], 1, x, &x[1], 1, &h), camber_jvp(t, &h, 1, x, &x[1], 1, &r[k]), n = 3; break;
        case 4: camber_hessian(t, loss, x, 1, &h), camber_batch(t, &h, 1, x, &x[2], 1, 4, &r[k]), n = 36; break;
        default: /* the derivative of a batch */
          camber_batch(t, &loss, 1, x, &x[2], 1, 4, &h);
          camber_hessian(t, camber_sum(t, h, NULL, 0, 0), &x[2], 1, &s);
          { int64_t axes[2] = {0, 1}; r[k] = camber_sum(t, s, axes, 2, 0); } n = 12;
      }
    }
    run1(t, x, 3, r[0], in, a, n), run1(t, x, 3, r[1], in, b, n);
    int good = 1;
    for (int i = 0; i < n; i++) good &= fabs(a[i] - b[i]) <= 1e-12 * (1 + fabs(b[i]));
    if (!CHECK(good)) fprintf(stderr, "  %s, second order %d\n", what, order);
  }
  camber_tape_free(t);
}

static camber_status sin_vjp(void *payload, camber_tape *t, const camber_node *x, const camber_node *y, const camber_node *w, camber_node *g) {
  return sin_jvp(payload, t, x, y, w, g);
}

static void test_ways(void) {
  camber_operator o = sine();
  o.jvp_nodes = sin_jvp;
  compare(&o, "jvp as nodes", 1);
  o.batch = sin_batch;
  compare(&o, "jvp as nodes, batches", 1);
  CHECK(last_batch == 12 || last_batch == 4);
  CHECK(flag0 == 1);
  o = sine(), o.vjp_nodes = sin_vjp;
  compare(&o, "vjp as nodes", 1);
  o.pure = 1;
  compare(&o, "vjp as nodes, pure", 1);
  o = sine(), o.jvp_nodes = sin_jvp, o.vjp = sin_jvp_numbers;
  compare(&o, "jvp as nodes, vjp as numbers", 0);
  o = sine(), o.jvp = sin_jvp_numbers, o.vjp = sin_jvp_numbers;
  compare(&o, "numbers", 0);
  CHECK(retained == 0);
  CHECK(elsewhere == 0);
}

static void says(camber_tape *t, camber_status want, const char *a, const char *b) {
  STATUS(camber_tape_status(t), want);
  const char *m = camber_tape_message(t);
  if (!CHECK(strstr(m, a) && strstr(m, b))) fprintf(stderr, "  \"%s\" lacks \"%s\" or \"%s\"\n", m, a, b);
  camber_tape_clear(t);
}

/* ---- Derivatives that are not given ---- */

static void test_missing(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), v = camber_input(t, CAMBER_F64, NULL, 0), g, h;
  camber_operator o = sine();
  camber_node y = apply(t, &o, x);
  STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_EDERIV);
  says(t, CAMBER_EDERIV, "sine", "neither a jvp nor a vjp");
  STATUS(camber_jvp(t, &y, 1, &x, &v, 1, &g), CAMBER_EDERIV);
  says(t, CAMBER_EDERIV, "sine", "neither a jvp nor a vjp");
  /* Behind a stop it is not asked for. */
  camber_node stopped = camber_mul(t, x, camber_stop_gradient(t, y));
  STATUS(camber_grad(t, stopped, &x, 1, &g), CAMBER_OK);
  double at[2] = {0.7, 2};
  const void *in[2] = {&at[0], &at[1]};
  NEAR(run1(t, &x, 1, g, in, NULL, 1), sin(0.7), 1e-15);

  o.jvp = sin_jvp_numbers;
  y = apply(t, &o, x);
  STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_EDERIV);
  says(t, CAMBER_EDERIV, "sine", "only a jvp is given as numbers; reverse mode needs a vjp");
  STATUS(camber_jvp(t, &y, 1, &x, &v, 1, &g), CAMBER_OK);
  camber_node both[2] = {x, v};
  NEAR(run1(t, both, 2, g, in, NULL, 1), 2 * cos(0.7), 1e-15);
  STATUS(camber_jvp(t, &g, 1, &x, &v, 1, &h), CAMBER_EDERIV);
  says(t, CAMBER_EDERIV, "sine.jvp", "no derivative in the point");
  /* It is linear in its tangent, and says so. */
  STATUS(camber_jvp(t, &g, 1, &v, &x, 1, &h), CAMBER_OK);
  NEAR(run1(t, both, 2, h, in, NULL, 1), 0.7 * cos(0.7), 1e-15);
  camber_node one = camber_constant(t, CAMBER_F64, 1);
  STATUS(camber_linear_transpose(t, &g, &one, 1, &v, 1, &h), CAMBER_EDERIV);
  says(t, CAMBER_EDERIV, "sine", "reverse mode needs a vjp");

  o.jvp = NULL, o.vjp = sin_jvp_numbers;
  y = apply(t, &o, x);
  STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_OK);
  NEAR(run1(t, both, 2, g, in, NULL, 1), cos(0.7), 1e-15);
  STATUS(camber_jvp(t, &y, 1, &x, &v, 1, &h), CAMBER_EDERIV);
  says(t, CAMBER_EDERIV, "sine", "only a vjp is given as numbers; forward mode needs a jvp");
  camber_node hess;
  STATUS(camber_hessian(t, y, &x, 1, &hess), CAMBER_EDERIV);
  says(t, CAMBER_EDERIV, "sine", "forward mode needs a jvp");

  o.jvp = sin_jvp_numbers;
  y = apply(t, &o, x);
  camber_jvp(t, &y, 1, &x, &v, 1, &g);
  STATUS(camber_linear_transpose(t, &g, &one, 1, &v, 1, &h), CAMBER_OK);
  NEAR(run1(t, both, 2, h, in, NULL, 1), cos(0.7), 1e-15);
  STATUS(camber_linear_transpose(t, &y, &one, 1, &x, 1, &h), CAMBER_EINVAL);
  says(t, CAMBER_EINVAL, "sine", "not linear");
  camber_tape_free(t);
  CHECK(retained == 0);
}

/* ---- Several operands and results of several types ---- */

/* (x: f64[n], k: i64) -> (k * sum x^2: f64, sign of x: i32[n]) */
static camber_status mixed_types(void *payload, camber_tape *t, const camber_node *x, size_t n, camber_node *y) {
  (void)payload;
  if (n != 2) return camber_tape_fail(t, CAMBER_EINVAL, "wants an array and a number");
  int64_t shape[1] = {camber_node_dim(t, x[0], 0)};
  y[0] = camber_mul(t, camber_sum(t, x[0], NULL, 0, 0), camber_cast(t, x[1], CAMBER_F64));   /* any expression of that type */
  y[1] = camber_input(t, CAMBER_I32, shape, 1);
  return CAMBER_OK;
}
static camber_status mixed_value(void *payload, camber_call *call, const void *const *x, void *const *y) {
  (void)payload, calls++;
  const double *a = x[0];
  double sum = 0;
  CHECK(camber_call_dtype(call, 1) == CAMBER_I64);
  CHECK(camber_call_rank(call, 0) == 1 && camber_call_rank(call, 2) == 0 && camber_call_dim(call, 3, -1) == camber_call_dim(call, 0, 0));
  CHECK(camber_call_dtype(call, 4) == -1 && camber_call_size(call, 9) == 0 && camber_call_dim(call, 0, 1) == -1);
  CHECK(camber_call_batch(call) == -1 && camber_call_is_batched(call, 0) == 0);
  for (int64_t i = 0; i < camber_call_dim(call, 0, 0); i++) sum += a[i] * a[i], ((int32_t *)y[1])[i] = a[i] < 0 ? -1 : 1;
  *(double *)y[0] = sum * (double)*(const int64_t *)x[1];
  return CAMBER_OK;
}
static camber_status mixed_vjp(void *payload, camber_call *call, const void *const *x, const void *const *y, const void *const *w, void *const *g) {
  (void)payload;
  CHECK(camber_call_dtype(call, 4) == CAMBER_F64 && camber_call_dtype(call, 5) == -1);   /* cotangents */
  CHECK(camber_call_size(call, 6) == camber_call_size(call, 0) && camber_call_dtype(call, 7) == -1);
  CHECK(w[1] == NULL && g[1] == NULL && y[1] != NULL);
  for (size_t i = 0; i < camber_call_size(call, 0); i++)
    ((double *)g[0])[i] = 2 * *(const double *)w[0] * (double)*(const int64_t *)x[1] * ((const double *)x[0])[i];
  return CAMBER_OK;
}

static void test_mixed(void) {
  camber_operator o = {sizeof o, "mixed", CAMBER_ANY_COUNT, 2, 0, NULL, NULL, NULL, mixed_types, mixed_value, NULL, NULL, NULL, NULL, mixed_vjp, NULL};
  camber_tape *t = camber_tape_new();
  const int64_t shape[1] = {3}, wide[2] = {2, 3};
  camber_node x[2] = {camber_input(t, CAMBER_F64, shape, 1), camber_input(t, CAMBER_I64, NULL, 0)}, y[2], g, many = camber_input(t, CAMBER_F64, wide, 2), b[3];
  STATUS(camber_host_call(t, &o, x, 2, y, 2), CAMBER_OK);
  CHECK(camber_node_dtype(t, y[1]) == CAMBER_I32 && camber_node_dim(t, y[1], 0) == 3 && camber_node_rank(t, y[0]) == 0);
  STATUS(camber_grad(t, y[0], x, 1, &g), CAMBER_OK);
  camber_node out[3] = {y[0], y[1], g}, in[3] = {x[0], x[1], many};
  double a[3] = {1, -2, 3}, value = 0, slope[3], m[6] = {1, 2, 3, -1, -2, -4}, values[2], slopes[6];
  int32_t sign[3], signs[6];
  int64_t k = 5;
  const void *at[3] = {a, &k, m};
  void *to[3] = {&value, sign, slope}, *wides[3] = {values, signs, slopes};
  camber_program *p = camber_program_new(t, x, 2, out, 3);
  camber_workspace *w = camber_workspace_new(p);
  STATUS(camber_run(p, w, at, to), CAMBER_OK);
  NEAR(value, 70, 1e-15);
  CHECK(sign[0] == 1 && sign[1] == -1 && slope[1] == -20);
  camber_workspace_free(w), camber_program_free(p);
  /* One batched operand, one shared. */
  STATUS(camber_batch(t, out, 3, x, &many, 1, 2, b), CAMBER_OK);
  p = camber_program_new(t, in, 3, b, 3), w = camber_workspace_new(p);
  CHECK(strstr(camber_program_explain(p), "host call: mixed: f64[2, 3], i64[] -> f64[2], i32[2, 3], 2 instances") != NULL);
  STATUS(camber_run(p, w, at, wides), CAMBER_OK);
  CHECK(values[0] == 70 && values[1] == 105 && signs[3] == -1 && signs[0] == 1 && slopes[5] == -40);
  camber_workspace_free(w), camber_program_free(p);
  camber_node three[3] = {x[0], x[1], x[1]};
  STATUS(camber_host_call(t, &o, three, 3, y, 2), CAMBER_EINVAL);
  says(t, CAMBER_EINVAL, "mixed", "wants an array and a number");
  camber_tape_free(t);
}

/* ---- Failures ---- */

struct limit { double above; int how; };
static camber_status limited(void *payload, camber_call *call, const void *const *x, void *const *y) {
  const struct limit *l = payload;
  double a = *(const double *)x[0];
  *(double *)y[0] = a * 2;
  if (a <= l->above) return CAMBER_OK;
  char text[80];
  snprintf(text, sizeof text, "%g is above %g", a, l->above);
  switch (l->how) {
    case 0: return camber_call_fail(call, text);
    case 1: camber_call_fail(call, text); return CAMBER_NONFINITE;
    case 2: return -77;
    default: camber_call_fail(call, NULL); return CAMBER_NONFINITE;
  }
}

static void test_failures(void) {
  struct limit l = {1, 0};
  camber_operator o = {sizeof o, "limited", 1, 1, 0, &l, keep, let_go, NULL, limited, NULL, NULL, NULL, NULL, NULL, NULL};
  camber_tape *t = camber_tape_new(), *body;
  const int64_t four[1] = {4};
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), xs = camber_input(t, CAMBER_F64, four, 1), y = apply(t, &o, x), b, out[2], in[2], made[2];
  camber_node more = camber_exp(t, y);
  camber_program *p = camber_program_new(t, &x, 1, &more, 1);
  camber_workspace *w = camber_workspace_new(p);
  double a = 0.5, r;
  const void *at[1] = {&a};
  void *to[1] = {&r};
  STATUS(camber_run(p, w, at, to), CAMBER_OK);
  NEAR(r, exp(1), 1e-15);
  a = 3;
  STATUS(camber_run(p, w, at, to), CAMBER_ECALLBACK);
  CHECK(strcmp(camber_workspace_message(w), "limited: 3 is above 1") == 0);
  l.how = 1;
  STATUS(camber_run(p, w, at, to), CAMBER_NONFINITE);
  CHECK(strcmp(camber_workspace_message(w), "limited: 3 is above 1") == 0);
  l.how = 2;
  STATUS(camber_run(p, w, at, to), CAMBER_ECALLBACK);
  CHECK(strcmp(camber_workspace_message(w), "limited: its callback returned -77") == 0);
  l.how = 3;
  STATUS(camber_run(p, w, at, to), CAMBER_NONFINITE);
  CHECK(strcmp(camber_workspace_message(w), "limited: the numbers failed") == 0);
  a = 1, l.how = 0;
  STATUS(camber_run(p, w, at, to), CAMBER_OK);
  NEAR(r, exp(2), 1e-15);
  camber_workspace_free(w), camber_program_free(p);

  STATUS(camber_batch(t, &y, 1, &x, &xs, 1, 4, &b), CAMBER_OK);
  double many[4] = {0, 1, 7, 9}, results[4];
  const void *wide[1] = {many};
  void *there[1] = {results};
  p = camber_program_new(t, &xs, 1, &b, 1), w = camber_workspace_new(p);
  STATUS(camber_run(p, w, wide, there), CAMBER_ECALLBACK);
  CHECK(strcmp(camber_workspace_message(w), "limited: instance 2: 7 is above 1") == 0);
  many[2] = 0.5, many[3] = 1;
  STATUS(camber_run(p, w, wide, there), CAMBER_OK);
  CHECK(results[2] == 1 && results[3] == 2);
  camber_workspace_free(w), camber_program_free(p);

  body = camber_tape_sub(t);
  in[0] = camber_input(body, CAMBER_F64, NULL, 0), in[1] = camber_input(body, CAMBER_F64, NULL, 0);
  out[0] = camber_add(body, in[0], apply(body, &o, in[1])), out[1] = out[0];
  STATUS(camber_scan(t, body, in, out, 1, &x, 1, &xs, 0, 4, 0, made), CAMBER_OK);
  camber_tape_free(body);
  camber_node both[2] = {x, xs};
  p = camber_program_new(t, both, 2, made, 1), w = camber_workspace_new(p);
  const void *looped[2] = {&a, many};
  STATUS(camber_run(p, w, looped, to), CAMBER_OK);
  NEAR(r, 1 + 2 * (0 + 1 + 0.5 + 1), 1e-15);
  many[1] = 2;
  STATUS(camber_run(p, w, looped, to), CAMBER_ECALLBACK);
  CHECK(strcmp(camber_workspace_message(w), "limited: 2 is above 1") == 0);
  camber_tape_free(t);
  CHECK(retained > 0);   /* the program keeps the payload */
  many[1] = 0;
  STATUS(camber_run(p, w, looped, to), CAMBER_OK);
  camber_workspace_free(w), camber_program_free(p);
  CHECK(retained == 0);
}

/* ---- Loops: the value is computed once a step, whatever the derivative ---- */

static void test_loops(void) {
  camber_operator o = sine(), pure = sine();
  o.jvp_nodes = sin_jvp, pure.jvp_nodes = sin_jvp, pure.pure = 1;
  for (int round = 0; round < 2; round++) {
    camber_tape *t = camber_tape_new(), *body = camber_tape_sub(t);
    camber_node x = camber_input(t, CAMBER_F64, NULL, 0), in = camber_input(body, CAMBER_F64, NULL, 0), last, g[2], h;
    camber_node out = camber_mul(body, apply(body, round ? &pure : &o, camber_mul(body, in, in)), apply(body, round ? &pure : &o, x));
    STATUS(camber_scan(t, body, &in, &out, 1, &x, 0, NULL, 0, 5, 0, &last), CAMBER_OK);
    STATUS(camber_grad(t, last, &x, 1, g), CAMBER_OK);
    STATUS(camber_hessian(t, last, &x, 1, &h), CAMBER_OK);
    double a = 1.1, v = a, d = 1, dd = 0, r[3];
    for (int i = 0; i < 5; i++) { /* v' = sin(v^2) sin(a) */
      double s = sin(v * v), c = cos(v * v), s1 = 2 * v * c * d, s2 = 2 * (d * d + v * dd) * c - 4 * v * v * d * d * s;
      double sa = sin(a), ca = cos(a);
      dd = s2 * sa + 2 * s1 * ca - s * sa, d = s1 * sa + s * ca, v = s * sa;
    }
    camber_node all[3] = {last, g[0], h};
    const void *at[1] = {&a};
    void *to[3] = {&r[0], &r[1], &r[2]};
    camber_program *p = camber_program_new(t, &x, 1, all, 2);
    camber_workspace *w = camber_workspace_new(p);
    calls = 0, runner = pthread_self();
    STATUS(camber_run(p, w, at, to), CAMBER_OK);
    NEAR(r[0], v, 1e-14), NEAR(r[1], d, 1e-13);
    if (!CHECK(round ? calls == 6 : calls == 10)) fprintf(stderr, "  %d calls\n%s", calls, camber_program_explain(p));   /* a pure call of what does not change leaves the loop */
    camber_workspace_free(w), camber_program_free(p);
    p = camber_program_new(t, &x, 1, all, 3), w = camber_workspace_new(p);
    STATUS(camber_run(p, w, at, to), CAMBER_OK);
    NEAR(r[2], dd, 1e-12);
    camber_workspace_free(w), camber_program_free(p);
    camber_tape_free(body), camber_tape_free(t);
  }
  CHECK(retained == 0);
}

static void test_merging(void) {
  camber_operator o = sine();
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0);
  double a = 0.4;
  const void *at[1] = {&a};
  camber_node sum = camber_add(t, apply(t, &o, x), apply(t, &o, x)), simple;
  STATUS(camber_simplify(t, &sum, 1, &simple), CAMBER_OK);
  calls = 0;
  NEAR(run1(t, &x, 1, simple, at, NULL, 1), 2 * sin(0.4), 1e-15);
  CHECK(calls == 2);
  o.pure = 1;
  sum = camber_add(t, apply(t, &o, x), apply(t, &o, x));
  calls = 0;
  NEAR(run1(t, &x, 1, sum, at, NULL, 1), 2 * sin(0.4), 1e-15);
  CHECK(calls == 1);
  /* The same program has the same fingerprint, whatever its tape went through. */
  camber_tape *u = camber_tape_new();
  camber_node z = camber_input(u, CAMBER_F64, NULL, 0), s2 = camber_add(u, apply(u, &o, z), apply(u, &o, z));
  CHECK(camber_tape_hash(t, &x, 1, &sum, 1) == camber_tape_hash(u, &z, 1, &s2, 1));
  CHECK(camber_tape_hash(t, &x, 1, &sum, 1) != camber_tape_hash(t, &x, 1, &simple, 1));
  camber_tape_free(t), camber_tape_free(u);
}

/* ---- Runs inside runs, the environment, threads ---- */

struct inner { const camber_program *program, *own; camber_workspace *workspace, *busy; int turned; };
static camber_status nested(void *payload, camber_call *call, const void *const *x, void *const *y) {
  struct inner *n = payload;
  (void)call;
  double value, dummy;
  void *to[1] = {&value}, *again[1] = {&dummy};
  if (fegetround() != FE_TONEAREST) n->turned = -100;
  if (n->busy) STATUS(camber_run(n->own, n->busy, x, again), CAMBER_EBUSY);
  camber_status s = camber_run(n->program, n->workspace, x, to);
  *(double *)y[0] = value;
  fesetround(FE_UPWARD);
  n->turned++;
  return s;
}

static void test_nested(void) {
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), inside = camber_exp(t, x);
  struct inner n = {0};
  n.program = camber_program_new(t, &x, 1, &inside, 1), n.workspace = camber_workspace_new(n.program);
  camber_operator o = {sizeof o, "nested", 1, 1, 0, &n, NULL, NULL, NULL, nested, NULL, NULL, NULL, NULL, NULL, NULL};
  camber_node third = camber_div(t, apply(t, &o, x), camber_constant(t, CAMBER_F64, 3));
  camber_program *p = camber_program_new(t, &x, 1, &third, 1);
  camber_workspace *w = camber_workspace_new(p);
  n.own = p, n.busy = w;
  double a = 1, r;
  const void *at[1] = {&a};
  void *to[1] = {&r};
  volatile double one = exp(1), three = 3;
  fesetround(FE_DOWNWARD);
  STATUS(camber_run(p, w, at, to), CAMBER_OK);
  int left = fegetround();
  fesetround(FE_TONEAREST);
  CHECK(left == FE_DOWNWARD);
  CHECK(n.turned == 1);
  CHECK(r == one / three);
  camber_workspace_free(w), camber_program_free(p);
  camber_workspace_free(n.workspace), camber_program_free((camber_program *)n.program);
  camber_tape_free(t);
}

static camber_program *shared;
static void *many_runs(void *arg) {
  camber_workspace *w = camber_workspace_new(shared);
  long bad = 0;
  for (int i = 0; i < 200; i++) {
    double a[3] = {0.01 * i, 1, -0.02 * i}, r[3];
    const void *at[1] = {a};
    void *to[1] = {r};
    bad += camber_run(shared, w, at, to) != CAMBER_OK;
    for (int k = 0; k < 3; k++) bad += r[k] != sin(a[k]) * 2;
  }
  camber_workspace_free(w);
  return (void *)(bad + (long)(size_t)arg);
}
static camber_status quiet_sin(void *payload, camber_call *call, const void *const *x, void *const *y) {
  (void)payload;
  for (size_t i = 0; i < camber_call_size(call, 0); i++) ((double *)y[0])[i] = sin(((const double *)x[0])[i]);
  return CAMBER_OK;
}
static void test_threads(void) {
  camber_operator o = {sizeof o, "sine", 1, 1, 0, NULL, NULL, NULL, NULL, quiet_sin, NULL, NULL, NULL, NULL, NULL, NULL};
  camber_tape *t = camber_tape_new();
  const int64_t shape[1] = {3};
  camber_node x = camber_input(t, CAMBER_F64, shape, 1), y = apply(t, &o, x), two = camber_add(t, y, y);
  shared = camber_program_new(t, &x, 1, &two, 1);
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, many_runs, NULL);
  for (int i = 0; i < 3; i++) {
    void *bad;
    pthread_join(threads[i], &bad);
    CHECK(bad == NULL);
  }
  camber_program_free(shared), camber_tape_free(t);
}

/* ---- Derivatives for recorded functions ---- */

static camber_status clipped_vjp(void *payload, camber_tape *t, const camber_node *x, const camber_node *y, const camber_node *w, camber_node *g) {
  (void)payload, (void)x, (void)y;
  camber_node c = camber_constant(t, CAMBER_F64, 1);
  g[0] = camber_clamp(t, w[0], camber_neg(t, c), c);
  return CAMBER_OK;
}
static camber_status softplus_jvp(void *payload, camber_tape *t, const camber_node *x, const camber_node *y, const camber_node *dx, camber_node *dy) {
  (void)payload;
  dy[0] = camber_mul(t, camber_exp(t, camber_sub(t, x[0], y[0])), dx[0]);   /* by the result: e^(x - y), whose derivative asks again */
  return CAMBER_OK;
}
static camber_status foreign(void *payload, camber_tape *t, const camber_node *x, const camber_node *y, const camber_node *dx, camber_node *dy) {
  (void)t, (void)x, (void)y, (void)dx;
  dy[0] = *(camber_node *)payload;
  return CAMBER_OK;
}
static camber_status wrong(void *payload, camber_tape *t, const camber_node *x, const camber_node *y, const camber_node *dx, camber_node *dy) {
  (void)x, (void)y;
  switch (*(int *)payload) {
    case 0: dy[0] = camber_cast(t, dx[0], CAMBER_F32); return CAMBER_OK;
    case 1: return camber_tape_fail(t, CAMBER_EDERIV, "it has a kink at zero");
    case 2: return -5;
    case 3: dy[0] = camber_add(t, dx[0], camber_cast(t, dx[0], CAMBER_F32)); return CAMBER_OK;
    default: return CAMBER_OK;   /* structurally zero */
  }
}

static camber_node custom1(camber_tape *t, const camber_rule *rule, camber_node x, camber_node extra) {
  camber_tape *body = camber_tape_sub(t);
  camber_node in = camber_input(body, CAMBER_F64, NULL, 0), out, y;
  out = camber_log(body, camber_add(body, camber_exp(body, in), camber_constant(body, CAMBER_F64, 1)));   /* overflows; its rule does not */
  if (extra != CAMBER_NONE) out = camber_mul(body, out, extra);
  camber_custom(t, body, &in, &out, &x, 1, rule, &y, 1);
  camber_tape_free(body);
  return y;
}

static void test_custom(void) {
  camber_rule rule = {sizeof rule, "softplus1", NULL, keep, let_go, softplus_jvp, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), v = camber_input(t, CAMBER_F64, NULL, 0), g, h, y = custom1(t, &rule, x, CAMBER_NONE);
  STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_OK);
  STATUS(camber_grad(t, g, &x, 1, &h), CAMBER_OK);
  double a[2] = {0.8, 3}, s = 1 / (1 + exp(-0.8));
  const void *at[2] = {&a[0], &a[1]};
  NEAR(run1(t, &x, 1, y, at, NULL, 1), log1p(exp(0.8)), 1e-14);
  NEAR(run1(t, &x, 1, g, at, NULL, 1), s, 1e-14);
  NEAR(run1(t, &x, 1, h, at, NULL, 1), s * (1 - s), 1e-14);
  CHECK(retained == 1);

  /* What is captured has no derivative, and is fine where none is asked for. */
  y = custom1(t, &rule, x, v);
  STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_OK);
  STATUS(camber_grad(t, y, &v, 1, &g), CAMBER_EDERIV);
  says(t, CAMBER_EDERIV, "softplus1", "beside its arguments");
  STATUS(camber_jvp(t, &y, 1, &v, &x, 1, &g), CAMBER_EDERIV);
  says(t, CAMBER_EDERIV, "softplus1", "beside its arguments");

  /* A vjp alone: forward mode transposes it where it is linear. */
  rule.jvp = NULL, rule.vjp = softplus_jvp;
  y = custom1(t, &rule, x, CAMBER_NONE);
  STATUS(camber_jvp(t, &y, 1, &x, &v, 1, &g), CAMBER_OK);
  STATUS(camber_hvp(t, y, &x, &v, 1, &h), CAMBER_OK);
  camber_node both[2] = {x, v};
  NEAR(run1(t, both, 2, g, at, NULL, 1), 3 * s, 1e-14);
  NEAR(run1(t, both, 2, h, at, NULL, 1), 3 * s * (1 - s), 1e-14);
  rule.vjp = clipped_vjp;
  y = custom1(t, &rule, x, CAMBER_NONE);
  camber_node nine = camber_mul(t, y, camber_constant(t, CAMBER_F64, 9));
  STATUS(camber_grad(t, nine, &x, 1, &g), CAMBER_OK);
  CHECK(run1(t, both, 2, g, at, NULL, 1) == 1);
  STATUS(camber_jvp(t, &y, 1, &x, &v, 1, &g), CAMBER_EDERIV);
  says(t, CAMBER_EDERIV, "softplus1: has a vjp alone; forward mode transposes it", "clamp is not linear");

  /* Rules that are wrong. */
  camber_tape *other = camber_tape_new();
  camber_node far = camber_input(other, CAMBER_F64, NULL, 0);
  int how;
  rule.vjp = NULL, rule.jvp = foreign, rule.payload = &far, rule.retain = NULL, rule.release = NULL;
  y = custom1(t, &rule, x, CAMBER_NONE);
  STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_ENODE);
  says(t, CAMBER_ENODE, "softplus1", "not of the tape it was given");
  rule.jvp = wrong, rule.payload = &how;
  y = custom1(t, &rule, x, CAMBER_NONE);
  how = 0, STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_EDTYPE), says(t, CAMBER_EDTYPE, "tangent 0 of the rule is f32[]", "f64[]");
  how = 1, STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_EDERIV), says(t, CAMBER_EDERIV, "softplus1: its jvp: it has a kink at zero", "");
  how = 2, STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_ECALLBACK), says(t, CAMBER_ECALLBACK, "softplus1", "returned -5");
  how = 3, STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_EDTYPE), says(t, CAMBER_EDTYPE, "softplus1: its jvp: add", "f32");
  how = 4, STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_OK);
  CHECK(run1(t, both, 2, g, at, NULL, 1) == 0);
  camber_tape_free(other), camber_tape_free(t);
  CHECK(retained == 0);
}

/* The same, recorded: (x, k: i64) -> (x^k by a loop, k), with both rules on tapes. */
static void test_recorded(void) {
  camber_tape *t = camber_tape_new(), *body = camber_tape_sub(t), *jvp = camber_tape_new(), *vjp = camber_tape_new();
  camber_node in[2] = {camber_input(body, CAMBER_F64, NULL, 0), camber_input(body, CAMBER_I64, NULL, 0)}, out[2];
  out[0] = camber_exp(body, camber_mul(body, camber_log(body, in[0]), camber_cast(body, in[1], CAMBER_F64))), out[1] = in[1];
  camber_node ins[2][5], outs[2];
  camber_tape *tapes[2] = {jvp, vjp};
  for (int m = 0; m < 2; m++) { /* x, k, y, k, direction */
    camber_tape *r = tapes[m];
    ins[m][0] = camber_input(r, CAMBER_F64, NULL, 0), ins[m][1] = camber_input(r, CAMBER_I64, NULL, 0);
    ins[m][2] = camber_input(r, CAMBER_F64, NULL, 0), ins[m][3] = camber_input(r, CAMBER_I64, NULL, 0), ins[m][4] = camber_input(r, CAMBER_F64, NULL, 0);
    outs[m] = camber_mul(r, ins[m][4], camber_div(r, camber_mul(r, ins[m][2], camber_cast(r, ins[m][1], CAMBER_F64)), ins[m][0]));
  }
  camber_rule rule = {sizeof rule, "power", NULL, NULL, NULL, NULL, NULL, jvp, ins[0], &outs[0], vjp, ins[1], &outs[1]};
  camber_node x[2] = {camber_input(t, CAMBER_F64, NULL, 0), camber_input(t, CAMBER_I64, NULL, 0)}, y[2], g, h, v = camber_input(t, CAMBER_F64, NULL, 0);
  STATUS(camber_custom(t, body, in, out, x, 2, &rule, y, 2), CAMBER_OK);
  STATUS(camber_grad(t, y[0], x, 1, &g), CAMBER_OK);
  STATUS(camber_hvp(t, y[0], x, &v, 1, &h), CAMBER_OK);
  double a = 1.5, d = 2;
  int64_t k = 4;
  const void *at[3] = {&a, &k, &d};
  camber_node all[3] = {x[0], x[1], v};
  NEAR(run1(t, all, 3, g, at, NULL, 1), 4 * a * a * a, 1e-14);
  NEAR(run1(t, all, 3, h, at, NULL, 1), 24 * a * a, 1e-13);
  rule.vjp_tape = NULL, rule.vjp_inputs = rule.vjp_outputs = NULL;
  STATUS(camber_custom(t, body, in, out, x, 2, &rule, y, 2), CAMBER_OK);
  STATUS(camber_hessian(t, y[0], x, 1, &h), CAMBER_OK);
  NEAR(run1(t, all, 3, h, at, NULL, 1), 12 * a * a, 1e-13);
  /* Bad ones. */
  camber_node few[5] = {ins[0][0], ins[0][1], ins[0][2], ins[0][3], ins[0][3]};
  rule.jvp_inputs = few;
  STATUS(camber_custom(t, body, in, out, x, 2, &rule, y, 2), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "power", "given twice");
  few[4] = ins[0][4], few[3] = ins[0][0], few[0] = ins[0][3];
  STATUS(camber_custom(t, body, in, out, x, 2, &rule, y, 2), CAMBER_ESHAPE), says(t, CAMBER_ESHAPE, "power: input 0 of a recorded rule is i64[]", "f64[]");
  rule.jvp_inputs = ins[0], rule.jvp = softplus_jvp;
  STATUS(camber_custom(t, body, in, out, x, 2, &rule, y, 2), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "power", "not both");
  rule.jvp = NULL, rule.jvp_tape = NULL;
  STATUS(camber_custom(t, body, in, out, x, 2, &rule, y, 2), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "power", "neither");
  rule.jvp_tape = t;
  STATUS(camber_custom(t, body, in, out, x, 2, &rule, y, 2), CAMBER_ENODE), says(t, CAMBER_ENODE, "power", "");
  rule.jvp_tape = jvp;
  camber_node bad = camber_add(jvp, outs[0], camber_input(jvp, CAMBER_F64, NULL, 0));
  rule.jvp_outputs = &bad;
  STATUS(camber_custom(t, body, in, out, x, 2, &rule, y, 2), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "power", "not among its parameters");
  rule.jvp_outputs = &outs[0];
  STATUS(camber_custom(t, body, in, out, x, 1, &rule, y, 2), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "power", "");
  STATUS(camber_custom(t, jvp, in, out, x, 2, &rule, y, 2), CAMBER_ENODE), camber_tape_clear(t);
  STATUS(camber_custom(t, NULL, in, out, x, 2, &rule, y, 2), CAMBER_EHANDLE), camber_tape_clear(t);
  camber_node swapped[2] = {x[1], x[0]};
  STATUS(camber_custom(t, body, in, out, swapped, 2, &rule, y, 2), CAMBER_EDTYPE), says(t, CAMBER_EDTYPE, "argument 0 is i64[]", "takes f64[]");
  camber_tape_free(jvp), camber_tape_free(vjp), camber_tape_free(body), camber_tape_free(t);
}

/* ---- Patterns, bad tables ---- */

static camber_status diagonal(void *payload, size_t output, size_t input, int64_t *rows, int64_t *columns, size_t capacity, size_t *count) {
  (void)output, (void)input;
  *count = 3;
  for (size_t i = 0; i < 3 && i < capacity; i++) rows[i] = (int64_t)i, columns[i] = payload ? 9 : (int64_t)i;
  return CAMBER_OK;
}

static void test_patterns(void) {
  camber_operator o = sine();
  camber_tape *t = camber_tape_new();
  const int64_t shape[1] = {3}, wide[2] = {2, 3};
  camber_node x = camber_input(t, CAMBER_F64, shape, 1), xs = camber_input(t, CAMBER_F64, wide, 2), y = apply(t, &o, x), b;
  int64_t rows[9], columns[9];
  size_t n = 0;
  STATUS(camber_node_sparsity(t, y, 0, rows, columns, 9, &n), CAMBER_OK);
  CHECK(n == 9 && rows[5] == 1 && columns[5] == 2);
  o.sparsity = diagonal, o.payload = NULL;
  y = apply(t, &o, x);
  STATUS(camber_node_sparsity(t, y, 0, NULL, NULL, 0, &n), CAMBER_OK);
  CHECK(n == 3);
  STATUS(camber_node_sparsity(t, y, 0, rows, columns, 2, &n), CAMBER_OK);
  CHECK(n == 3 && rows[1] == 1 && columns[1] == 1 && rows[2] == 0);
  STATUS(camber_batch(t, &y, 1, &x, &xs, 1, 2, &b), CAMBER_OK);
  STATUS(camber_node_sparsity(t, b, 0, NULL, NULL, 0, &n), CAMBER_OK);
  CHECK(n == 36);
  STATUS(camber_node_sparsity(t, y, 1, NULL, NULL, 0, &n), CAMBER_EINVAL);
  STATUS(camber_node_sparsity(t, x, 0, NULL, NULL, 0, &n), CAMBER_EINVAL);
  STATUS(camber_node_sparsity(t, 12345, 0, NULL, NULL, 0, &n), CAMBER_ENODE);
  STATUS(camber_node_sparsity(NULL, y, 0, NULL, NULL, 0, &n), CAMBER_EHANDLE);
  STATUS(camber_node_sparsity(t, y, 0, NULL, NULL, 4, &n), CAMBER_EINVAL);
  STATUS(camber_node_sparsity(t, y, 0, rows, columns, 4, NULL), CAMBER_EINVAL);
  int lies;
  o.payload = &lies;
  y = apply(t, &o, x);
  STATUS(camber_node_sparsity(t, y, 0, rows, columns, 9, &n), CAMBER_ECALLBACK);
  camber_tape_free(t);
}

static void test_bad(void) {
  camber_operator o = sine();
  camber_tape *t = camber_tape_new();
  camber_node x = camber_input(t, CAMBER_F64, NULL, 0), y = 0, two[2] = {x, x};
  STATUS(camber_host_call(t, NULL, &x, 1, &y, 1), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "host_call", "NULL");
  CHECK(y == CAMBER_NONE);
  o.size = 0, STATUS(camber_host_call(t, &o, &x, 1, &y, 1), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "size is 0", "sizeof");
  struct { camber_operator o; void *later; } newer = {sine(), NULL};
  newer.o.size = sizeof newer;
  STATUS(camber_host_call(t, &newer.o, &x, 1, &y, 1), CAMBER_OK);
  newer.later = &x;
  STATUS(camber_host_call(t, &newer.o, &x, 1, &y, 1), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "newer", "");
  o = sine(), o.size = offsetof(camber_operator, batch);   /* an older one: no batch, no derivatives */
  STATUS(camber_host_call(t, &o, &x, 1, &y, 1), CAMBER_OK);
  /* Without any derivative both modes say so. */
  o = sine(), o.jvp_nodes = o.vjp_nodes = NULL, o.jvp = o.vjp = NULL;
  STATUS(camber_host_call(t, &o, &x, 1, &y, 1), CAMBER_OK);
  camber_node slope = CAMBER_NONE;
  STATUS(camber_jvp(t, &y, 1, &x, &x, 1, &slope), CAMBER_EDERIV), says(t, CAMBER_EDERIV, "sine", "no derivative");
  STATUS(camber_grad(t, y, &x, 1, &slope), CAMBER_EDERIV), says(t, CAMBER_EDERIV, "sine", "no derivative");
  CHECK(camber_linear_new(t, &x, 1, &y, 1) == NULL), says(t, CAMBER_EDERIV, "sine", "no derivative");
  /* A size that cuts a callback in two: it is not there, and what there is of it is not called. */
  o = sine(), o.types = NULL, o.batch = quiet_sin, o.size = offsetof(camber_operator, batch) + 2;
  STATUS(camber_host_call(t, &o, &x, 1, &y, 1), CAMBER_OK);
  {
    camber_node many = camber_input(t, CAMBER_F64, (int64_t[]){3}, 1), each;
    STATUS(camber_batch(t, &y, 1, &x, &many, 1, 3, &each), CAMBER_OK);
    camber_program *p = camber_program_new(t, &many, 1, &each, 1);
    camber_workspace *w = camber_workspace_new(p);
    double in[3] = {0.25, 0.5, 1}, to[3];
    STATUS(camber_run(p, w, (const void *[]){in}, (void *[]){to}), CAMBER_OK);
    for (int i = 0; i < 3; i++) CHECK(to[i] == sin(in[i]));
    camber_workspace_free(w), camber_program_free(p);
  }
  o = sine(), o.value = NULL, STATUS(camber_host_call(t, &o, &x, 1, &y, 1), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "sine", "no callback");
  o = sine();
  STATUS(camber_host_call(t, &o, two, 2, &y, 1), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "sine", "takes 1 operands, not 2");
  STATUS(camber_host_call(t, &o, &x, 1, two, 2), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "sine", "has 1 results");
  two[0] = CAMBER_NONE;
  STATUS(camber_host_call(t, &o, two, 1, &y, 1), CAMBER_ENODE), says(t, CAMBER_ENODE, "sine: operand 0", "");
  STATUS(camber_host_call(t, &o, NULL, 1, &y, 1), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "NULL", "");
  o.input_count = 0, STATUS(camber_host_call(t, &o, NULL, 0, &y, 1), CAMBER_EINVAL), says(t, CAMBER_EINVAL, "sine", "types");
  STATUS(camber_host_call(NULL, &o, &x, 1, &y, 1), CAMBER_EHANDLE);
  CHECK(camber_call_dtype(NULL, 0) == -1 && camber_call_rank(NULL, 0) == -1 && camber_call_size(NULL, 0) == 0 && camber_call_batch(NULL) == -1);
  STATUS(camber_call_fail(NULL, "x"), CAMBER_EHANDLE);
  STATUS(camber_tape_fail(NULL, -1, "x"), CAMBER_EHANDLE);
  STATUS(camber_tape_fail(t, 7, "not an error's number"), CAMBER_ECALLBACK), camber_tape_clear(t);
  /* Where the table lies is not looked at again, and no name is none. */
  { camber_operator gone = sine(); gone.name = NULL; gone.jvp_nodes = sin_jvp; STATUS(camber_host_call(t, &gone, &x, 1, &y, 1), CAMBER_OK); memset(&gone, 0xEE, sizeof gone); }
  double a = 0.3;
  const void *at[1] = {&a};
  NEAR(run1(t, &x, 1, y, at, NULL, 1), sin(0.3), 1e-15);
  /* Empty arrays: nothing to compute, called all the same; batches of none are not. */
  const int64_t none[1] = {0};
  o = sine();
  camber_node e = camber_input(t, CAMBER_F64, none, 1), ey = apply(t, &o, e), b;
  calls = 0;
  const void *null[1] = {NULL};
  run1(t, &e, 1, ey, null, NULL, 0);
  CHECK(calls == 1);
  y = apply(t, &o, x);
  STATUS(camber_batch(t, &y, 1, &x, &e, 1, 0, &b), CAMBER_OK);
  run1(t, &e, 1, b, null, NULL, 0);
  CHECK(calls == 1);
  camber_tape_free(t);
  CHECK(retained == 0);
}

int main(void) {
  test_ways();
  test_missing();
  test_mixed();
  test_failures();
  test_loops();
  test_merging();
  test_nested();
  test_threads();
  test_custom();
  test_recorded();
  test_patterns();
  test_bad();
  (void)flag1;
  return check_done();
}
