/* Every function of camber.h, used as it is meant to be. argv[1]: the folder of camber.h, for the digest.
 * One file, longer than others: a section a part of the header, over one tape. */
#define _POSIX_C_SOURCE 200809L
#include <camber.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

static camber_tape *t;

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define LIST(...) ((const double[]){__VA_ARGS__})

/* A constant array of doubles. */
static camber_node array(const double *v, int64_t rows, int64_t columns) {
  int64_t shape[2] = {rows, columns};
  return columns ? camber_array(t, CAMBER_F64, shape, 2, v) : camber_array(t, CAMBER_F64, shape, 1, v);
}
static camber_node scalar(double v) { return camber_constant(t, CAMBER_F64, v); }

/* Evaluates a node without inputs, of any dtype, and compares. */
static void expect_at(camber_node y, const double *want, size_t n, double tolerance, int line) {
  double got[64];
  size_t size = 1;
  for (int64_t a = 0; a < camber_node_rank(t, y); a++) size *= (size_t)camber_node_dim(t, y, a);
  if (!check_that(y != CAMBER_NONE && size == n && n <= 64, y == CAMBER_NONE ? camber_tape_message(t) : "its size", __FILE__, line)) {
    camber_tape_clear(t);
    return;
  }
  if (camber_node_dtype(t, y) != CAMBER_F64) y = camber_cast(t, y, CAMBER_F64);
  camber_program *p = camber_program_new(t, NULL, 0, &y, 1);
  if (!check_that(p != NULL, camber_tape_message(t), __FILE__, line)) {
    camber_tape_clear(t);
    return;
  }
  camber_workspace *w = camber_workspace_new(p);
  void *out[1] = {got};
  check_status(camber_run(p, w, NULL, out), CAMBER_OK, camber_workspace_message(w), __FILE__, line);
  for (size_t i = 0; i < n; i++) check_near(got[i], want[i], tolerance, "value", __FILE__, line);
  camber_workspace_free(w);
  camber_program_free(p);
}
#define EXPECT(node, ...) expect_at(node, LIST(__VA_ARGS__), COUNT(LIST(__VA_ARGS__)), 1e-14, __LINE__)
#define ABOUT(node, ...) expect_at(node, LIST(__VA_ARGS__), COUNT(LIST(__VA_ARGS__)), 1e-12, __LINE__)

static void library(const char *include) {
  CHECK(camber_version() == CAMBER_VERSION_MAJOR * 10000 + CAMBER_VERSION_MINOR * 100 + CAMBER_VERSION_PATCH);
  for (camber_status s = -12; s < 5; s++) CHECK(camber_status_message(s) && *camber_status_message(s));
  const size_t sizes[7] = {8, 4, 2, 2, 8, 4, 1};
  const char *const names[7] = {"f64", "f32", "f16", "bf16", "i64", "i32", "bool"};
  for (int d = 0; d < 7; d++) CHECK(camber_dtype_size(d) == sizes[d] && !strcmp(camber_dtype_name(d), names[d]));
  CHECK(camber_dtype_size(7) == 0 && camber_dtype_size(-1) == 0 && !strcmp(camber_dtype_name(99), "?"));

  uint64_t hash = 0xcbf29ce484222325u;   /* FNV-1a over the headers in use */
  const char *const files[4] = {"camber.h", "camber_ops.h", "camber_sparse.h", "camber_health.h"};
  for (int i = 0; i < 4; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", include, files[i]);
    FILE *f = fopen(path, "rb");
    if (!CHECK(f != NULL)) return;
    for (int c; (c = fgetc(f)) != EOF;) hash = (hash ^ (uint64_t)c) * 0x100000001b3u;
    fclose(f);
  }
  char digest[17];
  snprintf(digest, sizeof digest, "%016llx", (unsigned long long)hash);
  CHECK(!strcmp(camber_header_digest(), digest));
}

static void tapes_and_leaves(void) {
  size_t before = camber_tape_node_count(t);
  int64_t shape[2] = {2, 3}, read[2];
  camber_node x = camber_input(t, CAMBER_F32, shape, 2), s = camber_input(t, CAMBER_F64, NULL, 0);
  CHECK(camber_tape_node_count(t) == before + 2 && camber_tape_bytes(t) > 0);
  CHECK(camber_node_dtype(t, x) == CAMBER_F32 && camber_node_rank(t, x) == 2 && camber_node_rank(t, s) == 0);
  CHECK(camber_node_dim(t, x, 0) == 2 && camber_node_dim(t, x, -1) == 3);
  STATUS(camber_node_shape(t, x, read), CAMBER_OK);
  CHECK(read[0] == 2 && read[1] == 3);
  CHECK(!strcmp(camber_node_op(t, camber_sin(t, x)), "sin"));
  STATUS(camber_tape_status(t), CAMBER_OK);
  CHECK(!*camber_tape_message(t));

  EXPECT(scalar(2.5), 2.5);
  EXPECT(camber_constant(t, CAMBER_F32, 0.1), (double)0.1f);
  EXPECT(camber_integer(t, CAMBER_I64, 7), 7);
  EXPECT(array(LIST(1, 2, 3, 4, 5, 6), 2, 3), 1, 2, 3, 4, 5, 6);
  EXPECT(camber_iota(t, CAMBER_I32, shape, 2, 1), 0, 1, 2, 0, 1, 2);
  EXPECT(camber_iota(t, CAMBER_F64, shape, 2, 0), 0, 0, 0, 1, 1, 1);

  camber_node a = camber_mul(t, s, camber_sin(t, s)), b = camber_mul(t, s, camber_cos(t, s));
  uint64_t h = camber_tape_hash(t, &s, 1, &a, 1);
  CHECK(h != 0 && h == camber_tape_hash(t, &s, 1, &a, 1) && h != camber_tape_hash(t, &s, 1, &b, 1));

  camber_tape *other = camber_tape_new();   /* the same program among other statements, in another order */
  camber_cos(other, camber_constant(other, CAMBER_F64, 9));
  camber_node u = camber_input(other, CAMBER_F64, NULL, 0);
  camber_exp(other, u);
  camber_node c = camber_mul(other, u, camber_sin(other, u));
  CHECK(camber_tape_hash(other, &u, 1, &c, 1) == h);
  camber_tape_free(other);
  camber_tape_free(NULL);

  CHECK(camber_add(t, x, s) == CAMBER_NONE);   /* the first error stays until it is cleared */
  CHECK(camber_tape_status(t) < 0 && strstr(camber_tape_message(t), "add"));
  CHECK(camber_sin(t, x) == CAMBER_NONE || camber_tape_status(t) < 0);
  STATUS(camber_tape_clear(t), CAMBER_OK);
  STATUS(camber_tape_status(t), CAMBER_OK);
  CHECK(camber_sin(t, x) != CAMBER_NONE);
}

static int32_t arity_of(const char *name) {
  for (size_t i = 0; i < camber_op_count(); i++)
    if (!strcmp(camber_op_name(i), name)) return camber_op_arity(i);
  return -1;
}

static void rows(void) {
  size_t listed = 0;
  camber_node f = scalar(0.5), key = camber_integer(t, CAMBER_I64, 3), m = camber_constant(t, CAMBER_BOOL, 1);
  const int LOGIC = 1, INTEGER = 2;
#define FIRST(takes) (!strcmp(takes, "LOGIC") || !strcmp(takes, "SELECT") || !strcmp(takes, "GATE") ? LOGIC : !strcmp(takes, "INTEGER") ? INTEGER : 0)
#define OPERAND(k) ((k) == LOGIC ? m : (k) == INTEGER ? key : f)
#define X(name, takes, value)                                                                     \
  {                                                                                               \
    camber_node in[1] = {OPERAND(FIRST(#takes))};                                                 \
    CHECK(!strcmp(camber_op_name(listed), #name) && !strcmp(camber_op_class(listed++), #takes));   \
    CHECK(arity_of(#name) == 1 && camber_##name(t, in[0]) != CAMBER_NONE);                        \
    CHECK(camber_##name(t, in[0]) == camber_apply(t, #name, in, 1));                              \
  }
  CAMBER_UNARY_OPS(X)
#undef X
#define X(name, takes, value)                                                                     \
  {                                                                                               \
    camber_node in[2] = {OPERAND(FIRST(#takes)), OPERAND(FIRST(#takes))};                         \
    CHECK(!strcmp(camber_op_name(listed), #name) && !strcmp(camber_op_class(listed++), #takes));   \
    CHECK(arity_of(#name) == 2 && camber_##name(t, in[0], in[1]) != CAMBER_NONE);                 \
    CHECK(camber_##name(t, in[0], in[1]) == camber_apply(t, #name, in, 2));                       \
  }
  CAMBER_BINARY_OPS(X)
#undef X
#define X(name, takes, value)                                                                     \
  {                                                                                               \
    camber_node in[3] = {OPERAND(FIRST(#takes)), f, f};                                           \
    CHECK(!strcmp(camber_op_name(listed), #name) && !strcmp(camber_op_class(listed++), #takes));   \
    CHECK(arity_of(#name) == 3 && camber_##name(t, in[0], in[1], in[2]) != CAMBER_NONE);          \
    CHECK(camber_##name(t, in[0], in[1], in[2]) == camber_apply(t, #name, in, 3));                \
  }
  CAMBER_TERNARY_OPS(X)
#undef X
  CHECK(listed == camber_op_count());
  for (size_t i = 0; i < listed; i++) {
    for (int32_t slot = 0; slot < camber_op_arity(i); slot++) {
      double low = NAN, high = NAN;
      STATUS(camber_op_domain(i, (size_t)slot, &low, &high), CAMBER_OK);
      CHECK(low <= high);
    }
    CHECK(camber_op_ulp(i) >= 0 && camber_op_ulp(i) < 1e6);
  }
  STATUS(camber_tape_status(t), CAMBER_OK);

  double v = 0.7, w = 1.3;
  camber_node x = scalar(v), y = scalar(w);
  EXPECT(camber_neg(t, x), -v); EXPECT(camber_abs(t, camber_neg(t, x)), v); EXPECT(camber_sign(t, camber_neg(t, x)), -1);
  EXPECT(camber_floor(t, x), 0); EXPECT(camber_ceil(t, x), 1); EXPECT(camber_round(t, scalar(2.5)), 2); EXPECT(camber_trunc(t, scalar(-2.5)), -2);
  EXPECT(camber_square(t, x), v * v); EXPECT(camber_reciprocal(t, x), 1 / v); EXPECT(camber_sqrt(t, x), sqrt(v)); EXPECT(camber_cbrt(t, x), cbrt(v));
  EXPECT(camber_exp(t, x), exp(v)); EXPECT(camber_exp2(t, x), exp2(v)); EXPECT(camber_expm1(t, x), expm1(v));
  EXPECT(camber_log(t, x), log(v)); EXPECT(camber_log2(t, x), log2(v)); EXPECT(camber_log10(t, x), log10(v)); EXPECT(camber_log1p(t, x), log1p(v));
  EXPECT(camber_sin(t, x), sin(v)); EXPECT(camber_cos(t, x), cos(v)); EXPECT(camber_tan(t, x), tan(v));
  EXPECT(camber_asin(t, x), asin(v)); EXPECT(camber_acos(t, x), acos(v)); EXPECT(camber_atan(t, x), atan(v));
  EXPECT(camber_sinh(t, x), sinh(v)); EXPECT(camber_cosh(t, x), cosh(v)); EXPECT(camber_tanh(t, x), tanh(v));
  EXPECT(camber_asinh(t, x), asinh(v)); EXPECT(camber_acosh(t, y), acosh(w)); EXPECT(camber_atanh(t, x), atanh(v));
  EXPECT(camber_sigmoid(t, x), 1 / (1 + exp(-v))); EXPECT(camber_softplus(t, x), log1p(exp(v)));
  EXPECT(camber_relu(t, x), v); EXPECT(camber_relu(t, scalar(-1)), 0); EXPECT(camber_silu(t, x), v / (1 + exp(-v)));
  EXPECT(camber_gelu(t, x), v * 0.5 * erfc(-v / sqrt(2))); EXPECT(camber_erf(t, x), erf(v)); EXPECT(camber_erfc(t, x), erfc(v));
  EXPECT(camber_sech_squared(t, x), 1 / (cosh(v) * cosh(v))); EXPECT(camber_logistic_density(t, x), 1 / (1 + exp(-v)) / (1 + exp(v)));
  EXPECT(camber_lgamma(t, x), lgamma(v)); EXPECT(camber_digamma(t, scalar(1)), -0.57721566490153286);
  EXPECT(camber_polygamma(t, scalar(1), scalar(1)), 1.6449340668482264);
  EXPECT(camber_rsqrt(t, x), 1 / sqrt(v)); EXPECT(camber_log_sigmoid(t, x), -log1p(exp(-v))); EXPECT(camber_logit(t, x), log(v / (1 - v)));
  EXPECT(camber_log1mexp(t, camber_neg(t, x)), log(1 - exp(-v))); EXPECT(camber_erfcx(t, x), exp(v * v) * erfc(v));
  EXPECT(camber_erfinv(t, camber_erf(t, x)), v); EXPECT(camber_erfcinv(t, camber_erfc(t, x)), v); EXPECT(camber_normal_cdf(t, x), 0.5 * erfc(-v / sqrt(2)));
  EXPECT(camber_log_normal_cdf(t, x), log(0.5 * erfc(-v / sqrt(2)))); EXPECT(camber_normal_quantile(t, camber_normal_cdf(t, x)), v);
  EXPECT(camber_gamma(t, x), tgamma(v)); EXPECT(camber_gamma(t, scalar(-1.5)), 2.3632718012073544);
  EXPECT(camber_i0(t, scalar(1)), 1.2660658777520082); EXPECT(camber_i1(t, scalar(1)), 0.5651591039924851);
  EXPECT(camber_i0e(t, scalar(1)), 0.46575960759364043); EXPECT(camber_i1e(t, scalar(1)), 0.20791041534970847); EXPECT(camber_sinc(t, scalar(0.5)), 2 / 3.14159265358979324);
  EXPECT(camber_fmod(t, scalar(-7), scalar(3)), -1); EXPECT(camber_mod(t, scalar(-7), scalar(3)), 2); EXPECT(camber_floor_divide(t, scalar(-7), scalar(3)), -3);
  EXPECT(camber_logaddexp(t, x, y), log(exp(v) + exp(w))); EXPECT(camber_logaddexp2(t, x, y), log2(exp2(v) + exp2(w)));
  EXPECT(camber_logaddexp(t, scalar(-INFINITY), scalar(-INFINITY)), -INFINITY);
  EXPECT(camber_xlogy(t, x, y), v * log(w)); EXPECT(camber_xlogy(t, scalar(0), scalar(0)), 0); EXPECT(camber_xlog1py(t, x, y), v * log1p(w));
  EXPECT(camber_beta(t, scalar(2), scalar(3)), 1 / 12.0); EXPECT(camber_betaln(t, scalar(2), scalar(3)), -log(12));
  EXPECT(camber_gammainc(t, scalar(1), x), 1 - exp(-v)); EXPECT(camber_gammaincc(t, scalar(1), x), exp(-v)); EXPECT(camber_gamma_density(t, scalar(1), x), exp(-v));
  EXPECT(camber_betainc(t, scalar(2), scalar(3), scalar(0.5)), 0.6875); EXPECT(camber_beta_density(t, scalar(2), scalar(3), scalar(0.5)), 1.5);
  EXPECT(camber_zeta(t, scalar(2), scalar(1)), 1.6449340668482264); EXPECT(camber_polygamma_drop(t, scalar(0), scalar(1), scalar(1)), -1);
  EXPECT(camber_iv(t, scalar(1), scalar(1)), 0.5651591039924851); EXPECT(camber_i0e_slope(t, scalar(0), scalar(1)), 0.46575960759364043);
  EXPECT(camber_spherical_jn(t, scalar(0), x), sin(v) / v); EXPECT(camber_ierfcx(t, scalar(0), x), exp(v * v) * erfc(v)); EXPECT(camber_fma(t, x, y, x), v * w + v);
  EXPECT(camber_stop_gradient(t, x), v); EXPECT(camber_isnan(t, scalar(NAN)), 1); EXPECT(camber_isfinite(t, scalar(INFINITY)), 0);
  EXPECT(camber_add(t, x, y), v + w); EXPECT(camber_sub(t, x, y), v - w); EXPECT(camber_mul(t, x, y), v * w); EXPECT(camber_div(t, x, y), v / w);
  EXPECT(camber_pow(t, x, y), pow(v, w)); EXPECT(camber_maximum(t, x, y), w); EXPECT(camber_minimum(t, x, y), v);
  EXPECT(camber_maximum(t, x, scalar(NAN)), NAN); EXPECT(camber_fmax(t, x, scalar(NAN)), v); EXPECT(camber_fmin(t, scalar(NAN), x), v);
  EXPECT(camber_atan2(t, x, y), atan2(v, w)); EXPECT(camber_hypot(t, x, y), hypot(v, w));
  EXPECT(camber_eq(t, x, y), 0); EXPECT(camber_ne(t, x, y), 1); EXPECT(camber_lt(t, x, y), 1); EXPECT(camber_le(t, x, x), 1);
  EXPECT(camber_gt(t, x, y), 0); EXPECT(camber_ge(t, x, x), 1);
  camber_node no = camber_logical_not(t, m);
  EXPECT(no, 0); EXPECT(camber_logical_and(t, m, no), 0); EXPECT(camber_logical_or(t, m, no), 1); EXPECT(camber_logical_xor(t, m, m), 0);
  EXPECT(camber_select(t, no, x, y), w); EXPECT(camber_gate(t, m, x, y), v * w); EXPECT(camber_gate(t, no, scalar(0), scalar(INFINITY)), 0);
  EXPECT(camber_clamp(t, scalar(5), x, y), w);
}

static void shapes(void) {
  camber_node x = array(LIST(1, 2, 3, 4, 5, 6), 2, 3);
  int64_t six[1] = {-1}, to[3] = {2, 2, 3}, order[2] = {1, 0}, start[2] = {0, 2}, stop[2] = {2, -1}, step[2] = {1, -2};
  int64_t low[2] = {1, 0}, high[2] = {0, 1}, interior[2] = {0, 1};
  EXPECT(camber_cast(t, scalar(2.9), CAMBER_I64), 2); EXPECT(camber_cast(t, scalar(NAN), CAMBER_I32), 0);
  EXPECT(camber_cast(t, scalar(1e300), CAMBER_I32), 2147483647); EXPECT(camber_cast(t, scalar(-3), CAMBER_BOOL), 1);
  EXPECT(camber_cast(t, scalar(1.0 + 1.0 / 4096), CAMBER_F16), 1); EXPECT(camber_cast(t, scalar(257.0), CAMBER_BF16), 256);
  EXPECT(camber_reshape(t, x, six, 1), 1, 2, 3, 4, 5, 6);
  CHECK(camber_node_rank(t, camber_reshape(t, x, six, 1)) == 1);
  EXPECT(camber_broadcast(t, x, to, 3), 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6);
  EXPECT(camber_transpose(t, x, order, 2), 1, 4, 2, 5, 3, 6); EXPECT(camber_transpose(t, x, NULL, 2), 1, 4, 2, 5, 3, 6);
  EXPECT(camber_slice(t, x, start, stop, step, 2), 3, 1, 6, 4);
  EXPECT(camber_pad(t, x, low, high, interior, 2), 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0);
  camber_node a = array(LIST(1, 2), 2, 0), b = array(LIST(3, 4), 2, 0), both[2] = {a, b};
  EXPECT(camber_concat(t, both, 2, 0), 1, 2, 3, 4); EXPECT(camber_stack(t, both, 2, 1), 1, 3, 2, 4); EXPECT(camber_stack(t, both, 2, 0), 1, 2, 3, 4);
  int64_t three[1] = {3}, at[3] = {2, 0, -1};
  camber_node k = camber_array(t, CAMBER_I64, three, 1, at);
  EXPECT(camber_gather(t, x, k, 1), 3, 1, 3, 6, 4, 6);
  EXPECT(camber_scatter_add(t, array(LIST(0, 0, 0), 3, 0), k, array(LIST(1, 2, 4), 3, 0), 0), 2, 0, 5);
  EXPECT(camber_one_hot(t, camber_integer(t, CAMBER_I64, 1), 3, CAMBER_F32), 0, 1, 0);
}

static void windows(void) {
  int64_t s[3] = {1, 2, 3}, f[3] = {1, 2, 2}, one[1] = {1}, two[1] = {2}, zero[1] = {0}, five[1] = {5};
  double v[6] = {1, 2, 3, 4, 5, 6};
  camber_node x = camber_array(t, CAMBER_F64, s, 3, v), w = camber_array(t, CAMBER_F64, f, 3, LIST(1, 0, -1, 2));
  EXPECT(camber_conv(t, x, w, NULL, NULL, NULL, NULL, NULL, 1), 7, 9);
  EXPECT(camber_conv(t, x, w, two, one, one, NULL, NULL, 1), 8, 9);
  EXPECT(camber_conv(t, x, w, NULL, zero, zero, two, NULL, 1), 9);
  EXPECT(camber_conv(t, x, w, NULL, NULL, NULL, NULL, two, 1), -3, 10, -3, 12);
  s[1] = 1, s[2] = 2, f[1] = 1;
  camber_node y = camber_array(t, CAMBER_F64, s, 3, v), u = camber_array(t, CAMBER_F64, f, 3, LIST(1, 10));
  EXPECT(camber_conv_transpose(t, y, u, two, NULL, NULL, one, NULL, 1), 1, 10, 2, 20, 0);
  EXPECT(camber_max_pool(t, x, two, one, NULL, NULL, NULL, 1), 2, 3, 5, 6);
  EXPECT(camber_max_pool_index(t, x, two, NULL, NULL, NULL, NULL, 1), 1, 1);
  EXPECT(camber_avg_pool(t, x, two, one, one, zero, NULL, 1, 0), 1, 1.5, 2.5, 4, 4.5, 5.5);
  EXPECT(camber_avg_pool(t, x, two, one, one, zero, NULL, 1, 1), 0.5, 1.5, 2.5, 2, 4.5, 5.5);
  camber_node k = array(LIST(0, 1, 3, 4), 4, 0), z = array(LIST(0, 1, 27, 64), 4, 0), at = array(LIST(-1, 0.5, 2, 9), 4, 0);
  EXPECT(camber_searchsorted(t, k, at, 0), 0, 1, 2, 4); EXPECT(camber_searchsorted(t, k, k, 1), 1, 2, 3, 4);
  EXPECT(camber_interp(t, at, k, z, CAMBER_LINEAR, CAMBER_NOT_A_KNOT, CAMBER_CLAMP), 0, 0.5, 14, 64);
  EXPECT(camber_interp(t, at, k, z, CAMBER_NEAREST, CAMBER_NOT_A_KNOT, CAMBER_CLAMP), 0, 0, 1, 64);
  ABOUT(camber_interp(t, at, k, z, CAMBER_CUBIC, CAMBER_NOT_A_KNOT, CAMBER_EXTRAPOLATE), -1, 0.125, 8, 729);
  camber_node axes[2] = {array(LIST(0, 1), 2, 0), array(LIST(0, 2), 2, 0)};
  EXPECT(camber_interpn(t, array(LIST(0.5, 0.5, 1, 2), 2, 2), axes, 2, array(LIST(0, 4, 2, 6), 2, 2), CAMBER_LINEAR, CAMBER_NATURAL, CAMBER_ERROR), 2, 6);
#define REFUSED(node, status, word)                                                  \
  CHECK((node) == CAMBER_NONE && camber_tape_status(t) == (status) && strstr(camber_tape_message(t), (word))); \
  camber_tape_clear(t)
  REFUSED(camber_conv(t, x, y, NULL, NULL, NULL, NULL, NULL, 1), CAMBER_ESHAPE, "2 channels");
  REFUSED(camber_conv(t, x, w, NULL, NULL, NULL, five, NULL, 1), CAMBER_ESHAPE, "window of 6");
  REFUSED(camber_conv(t, x, w, NULL, NULL, NULL, NULL, NULL, INT64_MIN), CAMBER_EINVAL, "groups");
  REFUSED(camber_conv(t, at, w, NULL, NULL, NULL, NULL, NULL, 1), CAMBER_ESHAPE, "spatial");
  REFUSED(camber_conv_transpose(t, y, u, NULL, NULL, NULL, one, NULL, 1), CAMBER_EINVAL, "more places");
  REFUSED(camber_max_pool(t, x, NULL, NULL, NULL, NULL, NULL, 1), CAMBER_EINVAL, "NULL");
  REFUSED(camber_max_pool(t, x, two, NULL, NULL, NULL, NULL, 4), CAMBER_EINVAL, "4 axes");
  REFUSED(camber_avg_pool(t, camber_cast(t, x, CAMBER_I64), two, NULL, NULL, NULL, NULL, 1, 0), CAMBER_EDTYPE, "i64");
  REFUSED(camber_interp(t, at, k, z, 2, 0, 0), CAMBER_EINVAL, "method 2");
  REFUSED(camber_interp(t, at, z, at, CAMBER_LINEAR, 0, 9), CAMBER_EINVAL, "outside 9");
  REFUSED(camber_interp(t, at, array(LIST(0, 2, 1, 3), 4, 0), z, CAMBER_LINEAR, 0, 0), CAMBER_EINVAL, "knot 2");
  REFUSED(camber_interpn(t, at, axes, 2, z, CAMBER_LINEAR, 0, 0), CAMBER_ESHAPE, "2 axes");
}

static void reductions(void) {
  camber_node x = array(LIST(1, 2, 3, 4, 5, 6), 2, 3), z = array(LIST(0, 2, 3), 3, 0), m = camber_gt(t, x, array(LIST(2, 2, 2, 2, 2, 9), 2, 3));
  int64_t first[1] = {0}, last[1] = {-1};
  EXPECT(camber_sum(t, x, NULL, 0, 0), 21); EXPECT(camber_sum(t, x, first, 1, 0), 5, 7, 9);
  CHECK(camber_node_rank(t, camber_sum(t, x, last, 1, 1)) == 2 && camber_node_dim(t, camber_sum(t, x, last, 1, 1), 1) == 1);
  EXPECT(camber_mean(t, x, last, 1, 0), 2, 5); EXPECT(camber_prod(t, x, last, 1, 0), 6, 120); EXPECT(camber_prod(t, z, NULL, 0, 0), 0);
  EXPECT(camber_max(t, x, first, 1, 0), 4, 5, 6); EXPECT(camber_min(t, x, NULL, 0, 0), 1);
  EXPECT(camber_any(t, m, last, 1, 0), 1, 1); EXPECT(camber_all(t, m, last, 1, 0), 0, 0);
  EXPECT(camber_logsumexp(t, z, NULL, 0, 0), log(1 + exp(2) + exp(3))); EXPECT(camber_norm(t, array(LIST(3e200, 4e200), 2, 0), NULL, 0, 0), 5e200);
  EXPECT(camber_argmax(t, x, 1), 2, 2); EXPECT(camber_argmin(t, x, 0), 0, 0, 0);
  double s = 1 + exp(2) + exp(3);
  EXPECT(camber_softmax(t, z, -1), 1 / s, exp(2) / s, exp(3) / s); EXPECT(camber_log_softmax(t, z, 0), -log(s), 2 - log(s), 3 - log(s));
  EXPECT(camber_softmax(t, array(LIST(-INFINITY, -INFINITY), 2, 0), 0), 0, 0);
  EXPECT(camber_cumsum(t, x, 1, 0), 1, 3, 6, 4, 9, 15); EXPECT(camber_cumsum(t, x, 1, 1), 6, 5, 3, 15, 11, 6);
  EXPECT(camber_var(t, x, last, 1, 0, 0), 2.0 / 3, 2.0 / 3); EXPECT(camber_var(t, x, last, 1, 1, 0), 1, 1); EXPECT(camber_std(t, x, NULL, 0, 1, 0), sqrt(3.5));
  EXPECT(camber_std(t, array(LIST(3e200, -3e200), 2, 0), NULL, 0, 0, 0), 3e200); EXPECT(camber_cumprod(t, x, 1, 0), 1, 2, 6, 4, 20, 120);
  camber_node w = array(LIST(2, 5, NAN, 1), 4, 0), u = array(LIST(3, 1, 2, 1), 4, 0);
  EXPECT(camber_cumprod(t, u, 0, 1), 6, 2, 2, 1); EXPECT(camber_cummax(t, u, 0, 1), 3, 2, 2, 1); EXPECT(camber_cummin(t, u, 0, 0), 3, 1, 1, 1);
  EXPECT(camber_cast(t, camber_isnan(t, camber_cummax(t, w, 0, 0)), CAMBER_F64), 0, 0, 1, 1);
  EXPECT(camber_cumargmax(t, u, 0, 0), 0, 0, 0, 0); EXPECT(camber_cumargmin(t, u, 0, 0), 0, 1, 1, 1);
  EXPECT(camber_cumlogsumexp(t, z, 0, 0), 0, log(1 + exp(2)), log(1 + exp(2) + exp(3)));
  EXPECT(camber_linear_recurrence(t, array(LIST(9, 2, 0, 3), 4, 0), array(LIST(1, 1, 1, 1), 4, 0), 0, 0), 1, 3, 1, 4);
}

static void order(void) {
  camber_node u = array(LIST(3, NAN, 1, 2, 1), 5, 0), x = array(LIST(1, 2, 3, 4, 5, 6), 2, 3), v = array(LIST(1, 2, 2.5), 3, 0), top[2];
  EXPECT(camber_argsort(t, u, 0, 0), 2, 4, 3, 0, 1); EXPECT(camber_argsort(t, u, 0, 1), 1, 0, 3, 2, 4);
  EXPECT(camber_sort(t, x, 0, 1), 4, 5, 6, 1, 2, 3); EXPECT(camber_sort(t, array(LIST(3, -1, -0.5, 2), 4, 0), -1, 0), -1, -0.5, 2, 3);
  CHECK(camber_top_k(t, x, 2, 1, 1, &top[0], &top[1]) == CAMBER_OK); EXPECT(top[0], 3, 2, 6, 5); EXPECT(top[1], 2, 1, 2, 1);
  CHECK(camber_top_k(t, x, 1, 1, 0, NULL, &top[1]) == CAMBER_OK); EXPECT(top[1], 0, 0);
  EXPECT(camber_searchsorted(t, v, x, 0), 0, 1, 3, 3, 3, 3); EXPECT(camber_searchsorted(t, v, x, 1), 1, 2, 3, 3, 3, 3);
  EXPECT(camber_cast(t, camber_isin(t, x, v), CAMBER_F64), 1, 1, 0, 0, 0, 0); EXPECT(camber_cast(t, camber_duplicated(t, u, 0), CAMBER_F64), 0, 0, 0, 0, 1);
}

static void scatters(void) {
  const int64_t down[1] = {1}, sizes[2] = {1, 2}, block[2] = {1, 2}, twice[2] = {2, 1}, thrice[1] = {2}, some[3] = {2, 0, 1};
  const int64_t at[3] = {1, 1, -1}, pair[1] = {3}, start[2] = {-1, 5}, two[1] = {2};
  camber_node x = array(LIST(1, 2, 3, 4, 5, 6), 2, 3), v = array(LIST(1, 2, 3), 3, 0), i = camber_array(t, CAMBER_I64, pair, 1, at), parts[2];
  camber_node u = array(LIST(10, -20, 30), 3, 0), s = camber_array(t, CAMBER_I64, two, 1, start);
  EXPECT(camber_scatter_set(t, v, i, u, 0), 1, -20, 30); EXPECT(camber_scatter_mul(t, v, i, u, 0), 1, -400, 90);
  EXPECT(camber_scatter_max(t, v, i, u, 0), 1, 10, 30); EXPECT(camber_scatter_min(t, v, i, u, 0), 1, -20, 3);
  EXPECT(camber_take_along(t, x, camber_argsort(t, camber_neg(t, x), 1, 0), 1), 3, 2, 1, 6, 5, 4);
  EXPECT(camber_dynamic_slice(t, x, s, block, 2), 5, 6); EXPECT(camber_dynamic_update(t, x, array(LIST(8, 9), 1, 2), s), 1, 2, 3, 4, 8, 9);
  EXPECT(camber_segment_sum(t, u, i, 3), 0, -10, 30); EXPECT(camber_segment_prod(t, u, i, 3), 1, -200, 30);
  EXPECT(camber_segment_max(t, u, i, 3), -INFINITY, 10, 30); EXPECT(camber_segment_min(t, u, i, 3), INFINITY, -20, 30);
  EXPECT(camber_bincount(t, i, CAMBER_NONE, 3), 0, 2, 1); EXPECT(camber_bincount(t, i, u, 3), 0, -10, 30);
  EXPECT(camber_reverse(t, x, down, 1), 3, 2, 1, 6, 5, 4); EXPECT(camber_reverse(t, x, NULL, 0), 6, 5, 4, 3, 2, 1);
  CHECK(camber_split(t, x, sizes, 2, 1, parts) == CAMBER_OK); EXPECT(parts[0], 1, 4); EXPECT(parts[1], 2, 3, 5, 6);
  EXPECT(camber_tile(t, v, twice, 2), 1, 2, 3, 1, 2, 3); EXPECT(camber_repeat(t, v, thrice, 1, 0), 1, 1, 2, 2, 3, 3); EXPECT(camber_repeat(t, v, some, 3, 0), 1, 1, 3);
  EXPECT(camber_tril(t, x, 0), 1, 0, 0, 4, 5, 0); EXPECT(camber_triu(t, x, 1), 0, 2, 3, 0, 0, 6); EXPECT(camber_diagonal(t, x, 1), 2, 6); EXPECT(camber_diagonal(t, x, -1), 4);
  EXPECT(camber_diag(t, v, 0), 1, 0, 0, 0, 2, 0, 0, 0, 3); EXPECT(camber_diag(t, array(LIST(7), 1, 0), -1), 0, 0, 7, 0);
}

/* Running products of 2 x 2 matrices, and their derivative, against a scan in sequence. */
static void associative(void) {
  const int64_t many[3] = {7, 2, 2}, one[2] = {2, 2};
  camber_tape *h = camber_tape_new(), *body = camber_tape_sub(h), *step = camber_tape_sub(h);
  camber_node x = camber_input(h, CAMBER_F64, many, 3), out[2], in[2] = {camber_input(body, CAMBER_F64, one, 2), camber_input(body, CAMBER_F64, one, 2)};
  camber_node product = camber_matmul(body, in[0], in[1]), both[2], sides[2] = {camber_input(step, CAMBER_F64, one, 2), camber_input(step, CAMBER_F64, one, 2)};
  CHECK(camber_associative_scan(h, body, in, &product, &x, 1, 0, 0, &out[0]) == CAMBER_OK);
  const double eye[4] = {1, 0, 0, 1};
  camber_node init = camber_array(h, CAMBER_F64, one, 2, eye);
  both[0] = both[1] = camber_matmul(step, sides[0], sides[1]);
  camber_node results[2];
  CHECK(camber_scan(h, step, sides, both, 1, &init, 1, &x, 1, 7, 0, results) == CAMBER_OK);
  out[1] = results[1];
  camber_node gradients[2], sums[2];
  for (int i = 0; i < 2; i++) {
    sums[i] = camber_sum(h, camber_sin(h, out[i]), NULL, 0, 0);
    CHECK(camber_grad(h, sums[i], &x, 1, &gradients[i]) == CAMBER_OK);
  }
  camber_node all[4] = {out[0], out[1], gradients[0], gradients[1]};
  camber_program *p = camber_program_new(h, &x, 1, all, 4);
  camber_workspace *w = camber_workspace_new(p);
  double v[28], r[4][28];
  for (int i = 0; i < 28; i++) v[i] = sin(i * i + 1);
  const void *inputs[1] = {v};
  void *outputs[4] = {r[0], r[1], r[2], r[3]};
  CHECK(camber_run(p, w, inputs, outputs) == CAMBER_OK);
  for (int i = 0; i < 28; i++) CHECK(fabs(r[0][i] - r[1][i]) < 1e-13 && fabs(r[2][i] - r[3][i]) < 1e-12);
  camber_workspace_free(w);
  camber_program_free(p);
  camber_tape_free(step);
  camber_tape_free(body);
  camber_tape_free(h);
}

static void algebra(void) {
  camber_node a = array(LIST(4, 2, 2, 3), 2, 2), b = array(LIST(1, 2, 3, 4, 5, 6), 2, 3), v = array(LIST(1, 1), 2, 0), in[2] = {a, b};
  EXPECT(camber_matmul(t, a, b), 12, 18, 24, 14, 19, 24); EXPECT(camber_matmul(t, v, b), 5, 7, 9); EXPECT(camber_matmul(t, a, v), 6, 5);
  EXPECT(camber_einsum(t, "ij,jk->ki", in, 2), 12, 14, 18, 19, 24, 24); EXPECT(camber_einsum(t, "ij->", in, 1), 11);
  EXPECT(camber_cholesky(t, a), 2, 0, 1, sqrt(2));
  EXPECT(camber_triangular_solve(t, array(LIST(2, 0, 1, 1), 2, 2), array(LIST(2, 3), 2, 1), 1, 0, 0), 1, 2);
  EXPECT(camber_triangular_solve(t, array(LIST(2, 0, 1, 1), 2, 2), array(LIST(4, 2), 2, 1), 1, 1, 0), 1, 2);
  EXPECT(camber_solve(t, a, array(LIST(8, 8), 2, 1)), 1, 2);
  camber_node out[3], d = array(LIST(3, 0, 0, 2), 2, 2), up = array(LIST(2, 1, 0, 4), 2, 2), tall = array(LIST(3, 0, 4, 0, 0, 2), 3, 2);
  const char *const orders[8] = {"fro", "nuc", "2", "-2", "1", "-1", "inf", "-inf"};
  const double norms[8] = {sqrt(13), 5, 3, 2, 3, 2, 3, 2};
  EXPECT(camber_inv(t, a), 0.375, -0.25, -0.25, 0.5); EXPECT(camber_det(t, a), 8); EXPECT(camber_expm(t, array(LIST(0, 1, 0, 0), 2, 2)), 1, 1, 0, 1);
  CHECK(camber_slogdet(t, array(LIST(0, 2, 4, 0), 2, 2), out) == 0); EXPECT(out[0], -1); EXPECT(out[1], log(8));
  CHECK(camber_lu(t, array(LIST(2, 1, 4, 0), 2, 2), out) == 0); EXPECT(out[0], 1, 0, 0.5, 1); EXPECT(out[1], 4, 0, 0, 1); EXPECT(out[2], 1, 0);
  CHECK(camber_qr(t, tall, 0, out) == 0); EXPECT(camber_matmul(t, out[0], out[1]), 3, 0, 4, 0, 0, 2); EXPECT(camber_abs(t, out[1]), 5, 0, 0, 2);
  CHECK(camber_qr(t, tall, 1, out) == 0 && camber_node_dim(t, out[0], 1) == 3 && camber_node_dim(t, out[1], 0) == 3);
  CHECK(camber_eigh(t, array(LIST(2, 9, 1, 2), 2, 2), 1, out) == 0); EXPECT(out[0], 1, 3); EXPECT(camber_square(t, out[1]), 0.5, 0.5, 0.5, 0.5);
  EXPECT(camber_eigvalsh(t, array(LIST(2, 9, 1, 2), 2, 2), 0), -7, 11);
  CHECK(camber_eigh_generalized(t, d, array(LIST(1, 0, 0, 4), 2, 2), out) == 0); EXPECT(out[0], 0.5, 3); EXPECT(camber_square(t, out[1]), 0, 1, 0.25, 0);
  CHECK(camber_svd(t, tall, 0, out) == 0); EXPECT(out[1], 5, 2); EXPECT(camber_square(t, out[2]), 1, 0, 0, 1); EXPECT(camber_square(t, out[0]), 0.36, 0, 0.64, 0, 0, 1);
  EXPECT(camber_svdvals(t, d), 3, 2); EXPECT(camber_lstsq(t, tall, array(LIST(3, 4, 4), 3, 1)), 1, 2); EXPECT(camber_pinv(t, tall, -1), 0.12, 0.16, 0, 0, 0, 0.5);
  EXPECT(camber_cholesky_solve(t, camber_cholesky(t, a), array(LIST(8, 8), 2, 1)), 1, 2); EXPECT(camber_sqrtm(t, up), sqrt(2), 1 / (2 + sqrt(2)), 0, 2);
  EXPECT(camber_matrix_power(t, up, 3), 8, 28, 0, 64); EXPECT(camber_matrix_power(t, up, -1), 0.5, -0.125, 0, 0.25); EXPECT(camber_matrix_power(t, up, 0), 1, 0, 0, 1);
  EXPECT(camber_kron(t, v, up), 2, 1, 2, 1, 0, 4, 0, 4); EXPECT(camber_sylvester(t, d, d, array(LIST(6, 5, 5, 4), 2, 2)), 1, 1, 1, 1);
  EXPECT(camber_lyapunov(t, d, array(LIST(6, 5, 5, 4), 2, 2), 0), 1, 1, 1, 1); EXPECT(camber_lyapunov(t, d, array(LIST(-8, -5, -5, -3), 2, 2), 1), 1, 1, 1, 1);
  EXPECT(camber_solve_banded(t, array(LIST(9, 1, 2, 4), 2, 2), array(LIST(3, 4), 2, 1), 0, 1), 1, 1);
  EXPECT(camber_solve_tridiagonal(t, array(LIST(9, 1), 2, 0), array(LIST(2, 3), 2, 0), array(LIST(1, 9), 2, 0), array(LIST(3, 4), 2, 1)), 1, 1);
  for (int i = 0; i < 8; i++) EXPECT(camber_matrix_norm(t, d, orders[i]), norms[i]);
  EXPECT(camber_matrix_cond(t, d, "2"), 1.5); EXPECT(camber_matrix_cond(t, d, "1"), 1.5); EXPECT(camber_matrix_rank(t, tall, -1), 2); EXPECT(camber_matrix_rank(t, d, 2.5), 1);
}

static void randomness(void) {
  int64_t shape[1] = {1000};
  camber_node key = camber_integer(t, CAMBER_I64, 42), next = camber_fold_key(t, key, camber_integer(t, CAMBER_I64, 1));
  camber_node u = camber_random_uniform(t, key, CAMBER_F64, shape, 1), n = camber_random_normal(t, next, CAMBER_F64, shape, 1);
  EXPECT(camber_all(t, camber_logical_and(t, camber_ge(t, u, camber_broadcast(t, scalar(0), shape, 1)), camber_lt(t, u, camber_broadcast(t, scalar(1), shape, 1))), NULL, 0, 0), 1);
  expect_at(camber_mean(t, u, NULL, 0, 0), LIST(0.5), 1, 0.03, __LINE__);
  expect_at(camber_mean(t, n, NULL, 0, 0), LIST(0), 1, 0.15, __LINE__);
  expect_at(camber_mean(t, camber_square(t, n), NULL, 0, 0), LIST(1), 1, 0.1, __LINE__);
  camber_node one = camber_broadcast(t, scalar(1), shape, 1);
  expect_at(camber_mean(t, camber_dropout(t, one, key, 0.25), NULL, 0, 0), LIST(1), 1, 0.05, __LINE__);
  EXPECT(camber_max(t, camber_dropout(t, one, key, 0.5), NULL, 0, 0), 2); EXPECT(camber_min(t, camber_dropout(t, one, key, 0.0), NULL, 0, 0), 1);
}

static void loops(void) {
  int64_t four[1] = {4};
  camber_node init = scalar(1), xs = array(LIST(1, 2, 3, 4), 4, 0), k = scalar(10), out[2];
  camber_tape *body = camber_tape_sub(t);   /* carry = carry * x; y = carry + k */
  camber_node in[2] = {camber_input(body, CAMBER_F64, NULL, 0), camber_input(body, CAMBER_F64, NULL, 0)}, to[2];
  to[0] = camber_mul(body, in[0], in[1]);
  to[1] = camber_add(body, to[0], k);   /* a node of the outer tape */
  STATUS(camber_scan(t, body, in, to, 1, &init, 1, &xs, 1, 4, 0, out), CAMBER_OK);
  EXPECT(out[0], 24); EXPECT(out[1], 11, 12, 16, 34);
  camber_node back[2];
  STATUS(camber_scan(t, body, in, to, 1, &init, 1, &xs, 1, 4, 1, back), CAMBER_OK);
  EXPECT(back[1], 34, 34, 22, 14);
  camber_node g[3], from[3] = {xs, k, init}, y = camber_sum(t, out[1], NULL, 0, 0);
  STATUS(camber_grad(t, y, from, 3, g), CAMBER_OK);
  EXPECT(g[0], 33, 16, 10, 6); EXPECT(g[1], 4); EXPECT(g[2], 33);
  STATUS(camber_scan_slots(t, body, in, to, 1, &init, 1, &xs, 1, 4, 0, 2, out), CAMBER_OK);
  camber_tape_free(body);
  STATUS(camber_checkpoint(t, &out[1], 1, from, 3, CAMBER_KEEP_PRODUCTS, &y), CAMBER_OK);
  EXPECT(y, 11, 12, 16, 34);
  y = camber_sum(t, y, NULL, 0, 0);
  STATUS(camber_grad(t, y, from, 3, g), CAMBER_OK);
  EXPECT(g[0], 33, 16, 10, 6); EXPECT(g[1], 4); EXPECT(g[2], 33);
  (void)four;
}

static void derivatives(void) {
  camber_node x = array(LIST(1, 2), 2, 0), v = array(LIST(1, -1), 2, 0), x0[2];
  int64_t one[1] = {1}, zero[1] = {0}, two[1] = {2}, step[1] = {1};
  x0[0] = camber_reshape(t, camber_slice(t, x, zero, one, step, 1), NULL, 0);
  x0[1] = camber_reshape(t, camber_slice(t, x, one, two, step, 1), NULL, 0);
  camber_node y = camber_mul(t, camber_square(t, x0[0]), camber_mul(t, x0[1], camber_square(t, x0[1]))), g, w = scalar(2), r[4];   /* a^2 b^3 at (1, 2) */
  STATUS(camber_grad(t, y, &x, 1, &g), CAMBER_OK); EXPECT(g, 16, 12);
  STATUS(camber_jvp(t, &y, 1, &x, &v, 1, r), CAMBER_OK); EXPECT(r[0], 4);
  STATUS(camber_vjp(t, &y, &w, 1, &x, 1, r), CAMBER_OK); EXPECT(r[0], 32, 24);
  STATUS(camber_hvp(t, y, &x, &v, 1, r), CAMBER_OK); EXPECT(r[0], -8, 12);
  STATUS(camber_hessian(t, y, &x, 1, r), CAMBER_OK); EXPECT(r[0], 16, 24, 24, 12);
  /* (1 + t)^2 (2 - t)^3 = 8 + 4 t - 10 t^2 - t^3 + ...; the curve may bend */
  camber_node along[3] = {v, CAMBER_NONE, CAMBER_NONE}, bend[2] = {CAMBER_NONE, v}, taylor[3];
  STATUS(camber_taylor(t, &y, 1, &x, along, 1, 3, taylor), CAMBER_OK); EXPECT(taylor[0], 4); EXPECT(taylor[1], -10); EXPECT(taylor[2], -1);
  STATUS(camber_taylor(t, &y, 1, &x, bend, 1, 2, taylor), CAMBER_OK); EXPECT(taylor[0], 0); EXPECT(taylor[1], 4);
  camber_node e[2] = {array(LIST(1, 0), 2, 0), array(LIST(0, 1), 2, 0)};
  const int32_t orders[10] = {1, 0, 2, 0, 1, 1, 2, 1, 0, 0};
  camber_node mixed[5];
  STATUS(camber_directional(t, &y, 1, &x, 1, e, 2, orders, 5, mixed), CAMBER_OK);
  EXPECT(mixed[0], 16); EXPECT(mixed[1], 16); EXPECT(mixed[2], 24); EXPECT(mixed[3], 24); EXPECT(mixed[4], 8);
  for (int32_t mode = CAMBER_AUTO; mode <= CAMBER_REVERSE; mode++) {
    camber_node sq = camber_square(t, x), outs[2] = {sq, y};
    STATUS(camber_jacobian(t, outs, 2, &x, 1, mode, r), CAMBER_OK); EXPECT(r[0], 2, 0, 0, 4); EXPECT(r[1], 16, 12);
  }
  camber_node lin = camber_mul(t, x, array(LIST(3, 5), 2, 0));
  STATUS(camber_linear_transpose(t, &lin, &v, 1, &x, 1, r), CAMBER_OK); EXPECT(r[0], 3, -5);
  camber_node s = camber_input(t, CAMBER_F64, NULL, 0), third = camber_sin(t, s), at = scalar(0.5);
  for (int i = 0; i < 3; i++) STATUS(camber_grad(t, third, &s, 1, &third), CAMBER_OK);
  STATUS(camber_substitute(t, &third, 1, &s, &at, 1, r), CAMBER_OK); EXPECT(r[0], -cos(0.5));
  camber_node f = camber_mul(t, s, camber_exp(t, s));
  STATUS(camber_batch(t, &f, 1, &s, &x, 1, 2, r), CAMBER_OK); EXPECT(r[0], exp(1), 2 * exp(2));
  camber_node messy = camber_add(t, camber_mul(t, s, scalar(1)), camber_mul(t, s, scalar(1)));
  STATUS(camber_simplify(t, &messy, 1, r), CAMBER_OK);
  STATUS(camber_substitute(t, r, 1, &s, &at, 1, r + 1), CAMBER_OK); EXPECT(r[1], 1);
  camber_node p = camber_constant(t, CAMBER_F32, 1.0 + 1.0 / 1024), q = camber_mul(t, p, p);
  STATUS(camber_precision(t, &q, 1, &p, 1, CAMBER_BF16, CAMBER_F32, r), CAMBER_OK);
  CHECK(camber_node_dtype(t, r[0]) == CAMBER_F32); EXPECT(r[0], 1);
  camber_node both[2] = {x, v};
  EXPECT(camber_l1_penalty(t, both, 2), 5); EXPECT(camber_l2_penalty(t, both, 2), 3.5);
  STATUS(camber_clip_by_value(t, both, 2, 1, r), CAMBER_OK); EXPECT(r[0], 1, 1); EXPECT(r[1], 1, -1);
  STATUS(camber_clip_by_norm(t, both, 1, 1, r), CAMBER_OK); EXPECT(r[0], 1 / sqrt(5), 2 / sqrt(5));
  STATUS(camber_clip_by_global_norm(t, both, 2, sqrt(7) / 2, r), CAMBER_OK); EXPECT(r[0], 0.5, 1); EXPECT(r[1], 0.5, -0.5);
}

static void programs(void) {
  int64_t n[1] = {3};
  camber_node x = camber_input(t, CAMBER_F64, n, 1), y = camber_mul(t, camber_sin(t, x), x), z = camber_sum(t, y, NULL, 0, 0), out[2] = {y, z}, nan = camber_log(t, x);
  camber_program *p = camber_program_new(t, &x, 1, out, 2);
  CHECK(p != NULL);
  CHECK(camber_program_input_count(p) == 1 && camber_program_output_count(p) == 2 && camber_program_memory(p) < 1 << 20);
  camber_dtype dtype = -1;
  size_t rank = 99;
  int64_t shape[4] = {0};
  STATUS(camber_program_input_type(p, 0, &dtype, &rank, shape, 4), CAMBER_OK); CHECK(dtype == CAMBER_F64 && rank == 1 && shape[0] == 3);
  STATUS(camber_program_output_type(p, 1, &dtype, &rank, NULL, 0), CAMBER_OK); CHECK(dtype == CAMBER_F64 && rank == 0);
  CHECK(strlen(camber_program_explain(p)) > 0);
  double in[3] = {0.1, 0.2, 0.3}, got[3], total;
  const void *inputs[1] = {in};
  void *outputs[2] = {got, &total};
  camber_workspace *w = camber_workspace_new(p);
  for (int i = 0; i < 3; i++) {
    in[0] += 1;
    STATUS(camber_run(p, w, inputs, outputs), CAMBER_OK);
    NEAR(got[0], in[0] * sin(in[0]), 1e-15); NEAR(total, got[0] + got[1] + got[2], 1e-15);
  }
  CHECK(camber_workspace_message(w) != NULL && camber_program_message(p) != NULL);
  camber_program_free(p);   /* a workspace keeps its program alive, and holds its own */
  camber_workspace_free(w);
  camber_workspace_free(NULL), camber_program_free(NULL);

  p = camber_program_new(t, &x, 1, &nan, 1);
  STATUS(camber_program_set(p, "check_finite", 1), CAMBER_OK);
  w = camber_workspace_new(p);
  in[0] = -1;
  STATUS(camber_run(p, w, inputs, outputs), CAMBER_NONFINITE);
  CHECK(isnan(got[0])); NEAR(got[1], log(0.2), 1e-15);
  camber_workspace_free(w), camber_program_free(p);

  p = camber_program_new(t, &x, 1, &y, 1);
  STATUS(camber_program_alias(p, 0, 0), CAMBER_OK);
  w = camber_workspace_new(p);
  in[0] = 0.5, outputs[0] = in;
  STATUS(camber_run(p, w, inputs, outputs), CAMBER_OK); NEAR(in[0], 0.5 * sin(0.5), 1e-15); NEAR(in[1], 0.2 * sin(0.2), 1e-15);
  camber_workspace_free(w), camber_program_free(p);

  camber_linear *l = camber_linear_new(t, &x, 1, out, 2);
  double at[3] = {1, 2, 3}, v[3] = {1, 0, 0}, value[3], dy[3], dz, cy[3] = {0, 0, 0}, cz = 1, g[3];
  const void *points[1] = {at}, *tangents[1] = {v}, *cotangents[2] = {cy, &cz};
  void *values[2] = {value, &total}, *slopes[2] = {dy, &dz}, *gradients[1] = {g};
  STATUS(camber_linear_jvp(l, tangents, slopes), CAMBER_EINVAL);   /* no point yet */
  STATUS(camber_linear_at(l, points, values), CAMBER_OK); NEAR(value[1], 2 * sin(2), 1e-15);
  STATUS(camber_linear_jvp(l, tangents, slopes), CAMBER_OK); NEAR(dz, sin(1) + cos(1), 1e-15); NEAR(dy[1], 0, 0);
  STATUS(camber_linear_vjp(l, cotangents, gradients), CAMBER_OK); NEAR(g[2], sin(3) + 3 * cos(3), 1e-15);
  at[2] = 0;
  STATUS(camber_linear_at(l, points, NULL), CAMBER_OK); STATUS(camber_linear_vjp(l, cotangents, gradients), CAMBER_OK); NEAR(g[2], 0, 1e-15);
  CHECK(camber_linear_message(l) != NULL);
  camber_linear_free(l), camber_linear_free(NULL);
}

static void training(void) {
  int64_t shape[1] = {2};
  double p[2] = {1, -2}, g[2] = {0.5, 0.25};
  void *params[1] = {p};
  const void *gradients[1] = {g};
  const char *const methods[3] = {"sgd", "adam", "adamw"};
  for (int m = 0; m < 3; m++) {
    camber_optimizer *o = camber_optimizer_new(methods[m]);
    p[0] = 1, p[1] = -2, g[0] = 0.5;
    STATUS(camber_optimizer_set(o, "learning_rate", 0.1), CAMBER_OK); STATUS(camber_optimizer_add(o, "p", CAMBER_F64, shape, 1), CAMBER_OK);
    camber_schedule *s = camber_schedule_new("step");
    STATUS(camber_schedule_set(s, "every", 1), CAMBER_OK); STATUS(camber_optimizer_set_schedule(o, s), CAMBER_OK);
    camber_schedule_free(s);
    STATUS(camber_optimizer_step(o, params, gradients), CAMBER_OK);
    double step = m == 0 ? 0.05 : 0.1 + (m == 2 ? 0.1 * 1e-2 : 0);   /* Adam's first step is the learning rate */
    NEAR(p[0], 1 - step, 1e-7); CHECK(camber_optimizer_steps(o) == 1); NEAR(camber_optimizer_gradient_norm(o), hypot(0.5, 0.25), 1e-14);
    double kept = p[0];
    g[0] = NAN;
    STATUS(camber_optimizer_step(o, params, gradients), CAMBER_NONFINITE); CHECK(p[0] == kept && camber_optimizer_steps(o) == 1);
    size_t count = camber_optimizer_state_count(o);
    CHECK(count >= 1);
    for (size_t i = 0; i < count; i++) {
      const char *name = NULL;
      camber_dtype dtype;
      size_t n;
      void *data = NULL;
      STATUS(camber_optimizer_state(o, i, &name, &dtype, &n, &data), CAMBER_OK); CHECK(name && data && n >= 1);
    }
    CHECK(camber_optimizer_message(o) != NULL);
    camber_optimizer_free(o);
  }
  camber_optimizer_free(NULL), camber_schedule_free(NULL), camber_scaler_free(NULL);

  camber_schedule *s = camber_schedule_new("cosine");
  STATUS(camber_schedule_set(s, "steps", 100), CAMBER_OK); NEAR(camber_schedule_value(s, 0), 1, 0); NEAR(camber_schedule_value(s, 50), 0.5, 1e-15);
  NEAR(camber_schedule_value(s, 100), 0, 1e-15); NEAR(camber_schedule_value(s, 1000), 0, 1e-15);
  STATUS(camber_schedule_set(s, "warmup", 10), CAMBER_OK); NEAR(camber_schedule_value(s, 0), 0.1, 1e-15);
  CHECK(camber_schedule_message(s) != NULL);
  camber_schedule_free(s);
  s = camber_schedule_new("constant"); NEAR(camber_schedule_value(s, 7), 1, 0); camber_schedule_free(s);

  camber_scaler *k = camber_scaler_new();
  NEAR(camber_scaler_scale(k), 65536, 0);
  STATUS(camber_scaler_set(k, "interval", 2), CAMBER_OK); STATUS(camber_scaler_set(k, "initial", 4), CAMBER_OK); NEAR(camber_scaler_scale(k), 4, 0);
  camber_dtype dtypes[1] = {CAMBER_F64};
  size_t sizes[1] = {2};
  g[0] = 8, g[1] = 2;
  void *slopes[1] = {g};
  STATUS(camber_scaler_unscale(k, 1, slopes, dtypes, sizes), CAMBER_OK); CHECK(g[0] == 2 && g[1] == 0.5);
  STATUS(camber_scaler_unscale(k, 1, slopes, dtypes, sizes), CAMBER_OK); NEAR(camber_scaler_scale(k), 8, 0);
  g[1] = INFINITY;
  STATUS(camber_scaler_unscale(k, 1, slopes, dtypes, sizes), CAMBER_NONFINITE); NEAR(camber_scaler_scale(k), 4, 0);
  CHECK(camber_scaler_skipped(k) == 1 && isinf(g[1]) && camber_scaler_message(k) != NULL);
  for (int i = 0; i < 20; i++) camber_scaler_unscale(k, 1, slopes, dtypes, sizes);
  NEAR(camber_scaler_scale(k), 1, 0);   /* never below its minimum */
  const void *again[1] = {g};
  CHECK(camber_scaler_tensor(k) == 0 && camber_scaler_fault(k) == 0);
  STATUS(camber_scaler_set(k, "initial", 8), CAMBER_OK); STATUS(camber_scaler_unscale(k, 1, slopes, dtypes, sizes), CAMBER_NONFINITE); NEAR(camber_scaler_scale(k), 4, 0);
  STATUS(camber_scaler_classify(k, 0, again, dtypes, sizes), CAMBER_EINVAL);   /* others than were skipped */
  STATUS(camber_scaler_classify(k, 1, again, dtypes, sizes), CAMBER_NONFINITE); NEAR(camber_scaler_scale(k), 8, 0);   /* a NaN of its own */
  CHECK(camber_scaler_fault(k) == 1 && strstr(camber_scaler_message(k), "gradient 0") != NULL);
  STATUS(camber_scaler_classify(k, 1, again, dtypes, sizes), CAMBER_EINVAL);
  STATUS(camber_scaler_unscale(k, 1, slopes, dtypes, sizes), CAMBER_NONFINITE); g[1] = 1;
  STATUS(camber_scaler_classify(k, 1, again, dtypes, sizes), CAMBER_OK); NEAR(camber_scaler_scale(k), 4, 0);   /* an overflow */
  camber_scaler_free(k);
}

static void files(void) {
  char path[64];
  snprintf(path, sizeof path, "/tmp/camber-test-%d.safetensors", (int)getpid());
  const char *const names[3] = {"weights", "a \"quoted\" name", "scalar"};
  camber_dtype dtypes[3] = {CAMBER_F64, CAMBER_I32, CAMBER_BF16};
  size_t ranks[3] = {2, 1, 0};
  int64_t shapes[3] = {2, 3, 4};
  double a[6] = {1, 2, 3, 4, 5, NAN};
  int32_t b[4] = {1, -2, 3, -4};
  uint16_t c = 0x3f80;
  const void *data[3] = {a, b, &c};
  STATUS(camber_tensors_save(path, 3, names, dtypes, ranks, shapes, data), CAMBER_OK);
  camber_status status = 99;
  camber_tensors *f = camber_tensors_open(path, &status);
  if (CHECK(f != NULL) && STATUS(status, CAMBER_OK)) {
    CHECK(camber_tensors_count(f) == 3);
    for (size_t i = 0; i < 3; i++) {
      const char *name;
      camber_dtype dtype;
      size_t rank;
      const int64_t *shape;
      const void *read;
      STATUS(camber_tensors_get(f, i, &name, &dtype, &rank, &shape, &read), CAMBER_OK);
      size_t k = 0;
      while (k < 3 && strcmp(names[k], name)) k++;
      if (!CHECK(k < 3)) continue;
      CHECK(dtype == dtypes[k] && rank == ranks[k] && !memcmp(read, data[k], k == 0 ? sizeof a : k == 1 ? sizeof b : sizeof c));
      CHECK(k != 0 || (shape[0] == 2 && shape[1] == 3));
    }
  }
  camber_tensors_free(f), camber_tensors_free(NULL);
  f = camber_tensors_open(path, NULL);
  CHECK(f != NULL);
  camber_tensors_free(f);
  unlink(path);
  CHECK(camber_tensors_open(path, &status) == NULL && status == CAMBER_EIO);
}

/* ---- The floating-point environment ---- */

#if defined __x86_64__
#include <xmmintrin.h>
static unsigned environment(void) { return _mm_getcsr(); }
static void set_environment(unsigned v) { _mm_setcsr(v); }
#else
static unsigned environment(void) { return 0x1F80; }
static void set_environment(unsigned v) { (void)v; }
#endif

/* Whatever the host has set (rounding, small numbers flushed, exceptions that trap, flags), results are the same and it stays as it was: for arithmetic alone, with
 * comparisons, with calls of functions, and with kernels. */
static void environments(void) {
  for (int kind = 0; kind < 8; kind++) {
    camber_tape *tape = camber_tape_new();
    camber_node x[4], out[6];
    for (int i = 0; i < 4; i++) x[i] = camber_input(tape, CAMBER_F64, NULL, 0);
    camber_node product = camber_mul(tape, x[0], x[1]), third = camber_div(tape, x[2], x[3]);
    out[0] = camber_add(tape, product, third);
    out[1] = camber_sqrt(tape, camber_sub(tape, product, x[2]));
    out[2] = camber_mul(tape, camber_mul(tape, x[0], x[0]), camber_square(tape, x[1]));
    out[3] = camber_reciprocal(tape, camber_sub(tape, third, third));
    out[4] = kind & 1 ? camber_maximum(tape, product, third) : camber_neg(tape, product);
    out[5] = kind & 2 ? camber_exp(tape, third) : camber_div(tape, third, camber_add(tape, x[3], x[1]));
    camber_program *p = camber_program_new(tape, x, 4, out, 6);
    CHECK(p != NULL);
    STATUS(camber_program_set(p, "backend", kind & 4 ? 1 : 0), CAMBER_OK);
    camber_workspace *w = camber_workspace_new(p);
    const double points[4][4] = {{0.1, 0.3, 1, 3}, {1e-160, -3e-160, 1e-308, 7}, {1e200, 1e200, -1, 0}, {5e-324, 0.75, 5e-324, 3}};
    for (int k = 0; k < 4; k++) {
      double want[6], got[6];
      const void *in[4];
      void *to[6], *first[6];
      for (int i = 0; i < 4; i++) in[i] = &points[k][i];
      for (int i = 0; i < 6; i++) to[i] = &got[i], first[i] = &want[i];
      STATUS(camber_run(p, w, in, first), CAMBER_OK);
      const unsigned before = environment();
      int same = 1;
      for (unsigned e = 0; e < 64; e++) {   /* rounding, small results flushed, small operands as 0, exceptions that trap, a flag */
        const unsigned wanted = (e & 3) << 13 | (e & 4 ? 0x8000u : 0) | (e & 8 ? 0x40u : 0) | (e & 16 ? 0 : 0x1F80u) | (e & 32 ? 0x04u : 0);
        set_environment(wanted);
        if (environment() != wanted) { set_environment(before); continue; }   /* valgrind's processor has rounding alone */
        camber_status s = camber_run(p, w, in, to);
        const unsigned left = environment();
        set_environment(before);
        same &= s == CAMBER_OK && (left == wanted || before == left) && !memcmp(want, got, sizeof got);
      }
      CHECK(same);
    }
    camber_workspace_free(w), camber_program_free(p), camber_tape_free(tape);
  }
}

int main(int argc, char **argv) {
  t = camber_tape_new();
  library(argc > 1 ? argv[1] : "include");
  tapes_and_leaves(), rows(), shapes(), windows(), reductions(), order(), scatters(), associative(), algebra(), randomness(), loops(), derivatives(), programs(), training(), files(), environments();
  STATUS(camber_tape_status(t), CAMBER_OK);
  if (camber_tape_status(t) < 0) fprintf(stderr, "%s\n", camber_tape_message(t));
  camber_tape_free(t);
  return check_done();
}
