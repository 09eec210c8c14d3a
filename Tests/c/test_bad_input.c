/* Bad input of every kind to every function of camber.h: a status and a sentence, never a crash, and the host's data as it was.
 * One file, longer than others: every check takes the same good handles and looks at the same things afterwards. */
#define _POSIX_C_SOURCE 200809L
#include <camber.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"

/* Good things, to be given where they do not belong. */
static camber_tape *t, *other;
static camber_program *program;
static camber_workspace *workspace;
static camber_linear *linear;
static camber_optimizer *optimizer;
static camber_schedule *schedule;
static camber_scaler *scaler;
static camber_tensors *tensors;
static camber_node x, y, m, k, w, foreign;   /* f64 [2, 3], f64 [4], bool [2, 3], i64 scalar, f32 [2, 3]; f64 [2, 3] of `other` */
static char path[64];

enum { HANDLES = 9 };
static void *handle(int i) {
  void *const all[HANDLES] = {NULL, t, program, workspace, linear, optimizer, schedule, scaler, tensors};
  return all[i];
}
/* Every handle but the right kind: 0 is NULL, then 1 tape, 2 program, 3 workspace, 4 linear, 5 optimizer, 6 schedule, 7 scaler, 8 tensors. */
#define WRONG(kind, type, H, ...)                    \
  for (int i_ = 0; i_ < HANDLES; i_++) {             \
    type *H = (type *)handle(i_);                    \
    if (i_ == (kind)) continue;                      \
    __VA_ARGS__;                                     \
  }

/* The sentence has one of the words, which stand between bars: "grad|vjp". */
static int said(const char *sentence, const char *words) {
  char word[64];
  int ok = 0;
  for (const char *from = words; sentence && *sentence && from && !ok; from = strchr(from, '|'), from = from ? from + 1 : from) {
    snprintf(word, sizeof word, "%.*s", (int)strcspn(from, "|"), from);
    ok = strstr(sentence, word) != NULL;
  }
  if (!ok && check_failed < 40) fprintf(stderr, "  the sentence is '%s', without '%s'\n", sentence ? sentence : "(null)", words);
  return ok;
}

/* A building call fails: NONE, the tape's status (want 0: any error), a sentence that names the operator. Then the tape is cleared. */
static void refused(camber_node got, camber_status want, const char *word, const char *text, int line) {
  camber_status s = camber_tape_status(t);
  check_that(got == CAMBER_NONE, text, __FILE__, line);
  check_that(want ? s == want : s < 0, want ? "the status" : "a negative status", __FILE__, line);
  if (want && s != want && check_failed < 40) fprintf(stderr, "  status %d, not %d: %s\n", s, want, text);
  check_that(said(camber_tape_message(t), word), text, __FILE__, line);
  camber_tape_clear(t);
}
#define REFUSED(word, want, call) refused((call), (want), (word), #call, __LINE__)

/* A builder in every wrong way that they share. T: the tape, X: a node. */
#define BUILDER(word, call)                                                                      \
  do {                                                                                           \
    camber_tape *T;                                                                              \
    camber_node X = x;                                                                           \
    WRONG(1, camber_tape, H, T = H; CHECK((call) == CAMBER_NONE))                                \
    T = t;                                                                                       \
    const camber_node bad[6] = {CAMBER_NONE, foreign, -2, INT64_MIN, x + 1000000, INT64_MAX};     \
    for (int b_ = 0; b_ < 6; b_++) X = bad[b_], REFUSED(word, CAMBER_ENODE, call);               \
    (void)X;                                                                                     \
  } while (0)

static void leaves(void) {
  const int64_t huge[3] = {INT64_C(1) << 40, INT64_C(1) << 40, INT64_C(1) << 40}, minus[2] = {2, -3}, fine[2] = {2, 3}, most[1] = {INT64_MAX};
  double data[6] = {1, 2, 3, 4, 5, 6};
  WRONG(1, camber_tape, T,
        CHECK(camber_input(T, CAMBER_F64, fine, 2) == CAMBER_NONE); CHECK(camber_constant(T, CAMBER_F64, 1) == CAMBER_NONE);
        CHECK(camber_integer(T, CAMBER_I64, 1) == CAMBER_NONE); CHECK(camber_array(T, CAMBER_F64, fine, 2, data) == CAMBER_NONE);
        CHECK(camber_iota(T, CAMBER_F64, fine, 2, 0) == CAMBER_NONE); CHECK(camber_tape_status(T) == CAMBER_EHANDLE);
        CHECK(camber_tape_message(T) != NULL); CHECK(camber_tape_clear(T) == CAMBER_EHANDLE); CHECK(camber_tape_node_count(T) == 0);
        CHECK(camber_tape_bytes(T) == 0); CHECK(camber_tape_hash(T, &x, 1, &x, 1) == 0); CHECK(camber_tape_sub(T) == NULL);
        CHECK(camber_node_dtype(T, x) == -1); CHECK(camber_node_rank(T, x) == -1); CHECK(camber_node_dim(T, x, 0) == -1);
        CHECK(!strcmp(camber_node_op(T, x), "?")); int64_t s[2] = {7, 8}; CHECK(camber_node_shape(T, x, s) < 0 && s[0] == 7))
  REFUSED("input", CAMBER_ESHAPE, camber_input(t, CAMBER_F64, minus, 2));
  REFUSED("input", 0, camber_input(t, CAMBER_F64, huge, 3));
  REFUSED("input", 0, camber_input(t, CAMBER_F64, most, 1));
  REFUSED("input", CAMBER_EDTYPE, camber_input(t, 7, fine, 2));
  REFUSED("input", CAMBER_EDTYPE, camber_input(t, -1, fine, 2));
  REFUSED("input", 0, camber_input(t, CAMBER_F64, NULL, 2));
  REFUSED("input", 0, camber_input(t, CAMBER_F64, fine, SIZE_MAX));
  REFUSED("constant", CAMBER_EDTYPE, camber_constant(t, 99, 1));
  REFUSED("integer", CAMBER_EDTYPE, camber_integer(t, -7, 1));
  REFUSED("array", 0, camber_array(t, CAMBER_F64, fine, 2, NULL));
  REFUSED("array", CAMBER_ESHAPE, camber_array(t, CAMBER_F64, minus, 2, data));
  REFUSED("array", 0, camber_array(t, CAMBER_F64, huge, 3, data));
  REFUSED("array", CAMBER_EDTYPE, camber_array(t, 12, fine, 2, data));
  REFUSED("array", 0, camber_array(t, CAMBER_F64, NULL, 1, data));
  REFUSED("iota", 0, camber_iota(t, CAMBER_F64, fine, 2, 2));
  REFUSED("iota", 0, camber_iota(t, CAMBER_F64, fine, 2, INT64_MIN));
  REFUSED("iota", 0, camber_iota(t, CAMBER_F64, NULL, 0, 0));
  REFUSED("iota", CAMBER_EDTYPE, camber_iota(t, 50, fine, 2, 0));
  int64_t s[2] = {7, 8};
  CHECK(camber_node_shape(t, foreign, s) == CAMBER_ENODE && s[0] == 7 && camber_node_shape(t, x, NULL) < 0);
  CHECK(camber_node_dtype(t, CAMBER_NONE) == -1 && camber_node_rank(t, foreign) == -1 && camber_node_dim(t, x, 2) == -1 && camber_node_dim(t, x, -3) == -1);
  CHECK(camber_node_dim(t, x, INT64_MIN) == -1 && !strcmp(camber_node_op(t, -9), "?") && camber_tape_status(t) == CAMBER_OK);
  CHECK(camber_tape_hash(t, &foreign, 1, &y, 1) == 0 && camber_tape_status(t) < 0);
  camber_tape_clear(t);
  CHECK(camber_tape_hash(t, NULL, 3, NULL, 3) == 0);
  camber_tape_clear(t);
  CHECK(camber_dtype_size(INT32_MIN) == 0 && !strcmp(camber_dtype_name(INT32_MAX), "?") && *camber_status_message(INT32_MIN));
}

static void rows(void) {
  const camber_node dtypes_x[3] = {m, k, x};
  (void)dtypes_x;
#define R(name, takes, value)                                                                   \
  BUILDER(#name, camber_##name(T, X));                                                          \
  if (!strcmp(#takes, "LOGIC")) REFUSED(#name, CAMBER_EDTYPE, camber_##name(t, x));             \
  else REFUSED(#name, CAMBER_EDTYPE, camber_##name(t, m));
  CAMBER_UNARY_OPS(R)
#undef R
#define R(name, takes, value)                                                                   \
  BUILDER(#name, camber_##name(T, X, x));                                                       \
  BUILDER(#name, camber_##name(T, x, X));                                                       \
  if (!strcmp(#takes, "FLOAT") || !strcmp(#takes, "NUMBER") || !strcmp(#takes, "COMPARE")) {    \
    REFUSED(#name, CAMBER_ESHAPE, camber_##name(t, x, y));                                      \
    (void)camber_##name(t, x, y);                                                               \
    CHECK(said(camber_tape_message(t), "[2, 3]") && said(camber_tape_message(t), "[4]"));       \
    camber_tape_clear(t);                                                                       \
    REFUSED(#name, CAMBER_EDTYPE, camber_##name(t, x, w));                                      \
    REFUSED(#name, CAMBER_EDTYPE, camber_##name(t, m, m));                                      \
  } else REFUSED(#name, CAMBER_EDTYPE, camber_##name(t, x, x));
  CAMBER_BINARY_OPS(R)
#undef R
#define R(name, takes, value)                                                                   \
  {                                                                                             \
    camber_node a = strcmp(#takes, "NUMBER") && strcmp(#takes, "FLOAT") ? m : x;                \
    BUILDER(#name, camber_##name(T, X, x, x));                                                  \
    BUILDER(#name, camber_##name(T, a, X, x));                                                  \
    BUILDER(#name, camber_##name(T, a, x, X));                                                  \
    REFUSED(#name, CAMBER_ESHAPE, camber_##name(t, a, x, y));                                   \
    REFUSED(#name, CAMBER_EDTYPE, camber_##name(t, a, x, w));                                   \
    REFUSED(#name, CAMBER_EDTYPE, camber_##name(t, a == m ? x : m, x, x));                      \
  }
  CAMBER_TERNARY_OPS(R)
#undef R
  camber_node two[2] = {x, x};
  BUILDER("sin", camber_apply(T, "sin", &X, 1));
  REFUSED("sin", CAMBER_EINVAL, camber_apply(t, "sin", two, 2));
  REFUSED("sinus", CAMBER_EINVAL, camber_apply(t, "sinus", two, 1));
  REFUSED("apply", CAMBER_EINVAL, camber_apply(t, NULL, two, 1));
  REFUSED("apply", CAMBER_EINVAL, camber_apply(t, "sin", NULL, 1));
  REFUSED("apply", CAMBER_EINVAL, camber_apply(t, "add", two, SIZE_MAX));
  double low = 7, high = 8;
  CHECK(camber_op_name(camber_op_count()) == NULL && camber_op_name(SIZE_MAX) == NULL && camber_op_arity(SIZE_MAX) == -1 && camber_op_class(SIZE_MAX) == NULL);
  CHECK(camber_op_domain(SIZE_MAX, 0, &low, &high) < 0 && camber_op_domain(0, 1, &low, &high) < 0 && low == 7 && high == 8);
  CHECK(camber_op_domain(0, 0, NULL, NULL) <= 0);
  (void)camber_op_ulp(SIZE_MAX);
}

static void shapes(void) {
  const int64_t two[2] = {2, 3}, five[1] = {5}, minus[2] = {-1, -1}, low[2] = {0, 0}, high[2] = {2, 9}, ones[2] = {1, 1}, zeros[2] = {0, 0},
                same[2] = {1, 1}, out[2] = {0, 5}, big[2] = {INT64_C(1) << 31, INT64_C(1) << 31}, minimum[2] = {INT64_MIN, INT64_MIN}, negative[2] = {-1, 0};
  camber_node parts[3] = {x, y, x}, mixed[2] = {x, w};
  BUILDER("cast", camber_cast(T, X, CAMBER_F32)); REFUSED("cast", CAMBER_EDTYPE, camber_cast(t, x, 77));
  BUILDER("reshape", camber_reshape(T, X, two, 2)); REFUSED("reshape", CAMBER_ESHAPE, camber_reshape(t, x, five, 1));
  REFUSED("reshape", 0, camber_reshape(t, x, minus, 2)); REFUSED("reshape", 0, camber_reshape(t, x, NULL, 2)); REFUSED("reshape", 0, camber_reshape(t, x, big, 2));
  REFUSED("reshape", 0, camber_reshape(t, x, minimum, 2));
  BUILDER("broadcast", camber_broadcast(T, X, two, 2)); REFUSED("broadcast", CAMBER_ESHAPE, camber_broadcast(t, x, five, 1));
  REFUSED("broadcast", 0, camber_broadcast(t, k, big, 2)); REFUSED("broadcast", 0, camber_broadcast(t, k, minus, 2)); REFUSED("broadcast", 0, camber_broadcast(t, k, NULL, 1));
  BUILDER("transpose", camber_transpose(T, X, NULL, 2)); REFUSED("transpose", 0, camber_transpose(t, x, same, 2)); REFUSED("transpose", 0, camber_transpose(t, x, out, 2));
  REFUSED("transpose", 0, camber_transpose(t, x, low, 1)); REFUSED("transpose", 0, camber_transpose(t, x, low, SIZE_MAX));
  BUILDER("slice", camber_slice(T, X, low, two, ones, 2)); REFUSED("slice", 0, camber_slice(t, x, low, high, ones, 2)); REFUSED("slice", 0, camber_slice(t, x, low, two, zeros, 2));
  REFUSED("slice", 0, camber_slice(t, x, negative, two, ones, 2)); REFUSED("slice", 0, camber_slice(t, x, NULL, two, ones, 2));
  REFUSED("slice", 0, camber_slice(t, x, low, two, ones, 1)); REFUSED("slice", 0, camber_slice(t, x, minimum, minimum, minimum, 2));
  BUILDER("pad", camber_pad(T, X, low, ones, zeros, 2)); REFUSED("pad", 0, camber_pad(t, x, minus, ones, zeros, 2)); REFUSED("pad", 0, camber_pad(t, x, big, big, zeros, 2));
  REFUSED("pad", 0, camber_pad(t, x, low, ones, big, 2)); REFUSED("pad", 0, camber_pad(t, x, low, NULL, zeros, 2)); REFUSED("pad", 0, camber_pad(t, x, low, ones, zeros, 3));
  BUILDER("concat", camber_concat(T, (const camber_node[]){x, X}, 2, 0)); REFUSED("concat", CAMBER_ESHAPE, camber_concat(t, parts, 3, 0));
  REFUSED("concat", CAMBER_EDTYPE, camber_concat(t, mixed, 2, 0)); REFUSED("concat", 0, camber_concat(t, parts, 1, 2)); REFUSED("concat", 0, camber_concat(t, NULL, 2, 0));
  REFUSED("concat", 0, camber_concat(t, parts, 0, 0)); REFUSED("concat", 0, camber_concat(t, parts, SIZE_MAX, 0));
  BUILDER("stack", camber_stack(T, (const camber_node[]){x, X}, 2, 0)); REFUSED("stack", CAMBER_ESHAPE, camber_stack(t, parts, 3, 0));
  REFUSED("stack", CAMBER_EDTYPE, camber_stack(t, mixed, 2, 0)); REFUSED("stack", 0, camber_stack(t, parts, 1, 5)); REFUSED("stack", 0, camber_stack(t, NULL, 2, 0));
  REFUSED("stack", 0, camber_stack(t, parts, 0, 0));
  BUILDER("gather", camber_gather(T, X, k, 0)); BUILDER("gather", camber_gather(T, x, X, 0)); REFUSED("gather", CAMBER_EDTYPE, camber_gather(t, x, x, 0));
  REFUSED("gather", 0, camber_gather(t, x, k, 2)); REFUSED("gather", 0, camber_gather(t, k, k, 0));
  BUILDER("scatter_add", camber_scatter_add(T, X, k, y, 0)); BUILDER("scatter_add", camber_scatter_add(T, x, X, y, 0)); BUILDER("scatter_add", camber_scatter_add(T, x, k, X, 0));
  REFUSED("scatter_add", CAMBER_ESHAPE, camber_scatter_add(t, x, k, y, 0)); REFUSED("scatter_add", CAMBER_EDTYPE, camber_scatter_add(t, x, x, x, 0));
  REFUSED("scatter_add", 0, camber_scatter_add(t, x, k, y, -7));
  BUILDER("one_hot", camber_one_hot(T, X, 3, CAMBER_F64)); REFUSED("one_hot", CAMBER_EDTYPE, camber_one_hot(t, x, 3, CAMBER_F64));
  REFUSED("one_hot", 0, camber_one_hot(t, k, -1, CAMBER_F64)); REFUSED("one_hot", 0, camber_one_hot(t, k, INT64_MAX, CAMBER_F64)); REFUSED("one_hot", CAMBER_EDTYPE, camber_one_hot(t, k, 3, 9));
}

static void reductions(void) {
  const int64_t zero[1] = {0}, twice[2] = {1, -1}, out[1] = {2}, least[1] = {INT64_MIN};
#define REDUCTION(name, good)                                                              \
  BUILDER(#name, camber_##name(T, X, zero, 1, 0));                                         \
  REFUSED(#name, 0, camber_##name(t, good, twice, 2, 0));                                  \
  REFUSED(#name, 0, camber_##name(t, good, out, 1, 0));                                    \
  REFUSED(#name, 0, camber_##name(t, good, least, 1, 1));                                  \
  REFUSED(#name, 0, camber_##name(t, good, zero, SIZE_MAX, 1));
#define REDUCED(name)                                                       \
  BUILDER(#name, camber_##name(T, X, NULL, 0, 0, 0));                      \
  REFUSED(#name, 0, camber_##name(t, x, out, 1, 0, 0));                    \
  REFUSED(#name, 0, camber_##name(t, x, zero, SIZE_MAX, 0, 1));            \
  REFUSED("takes a", CAMBER_EDTYPE, camber_##name(t, m, NULL, 0, 0, 0));
  REDUCTION(sum, x) REDUCTION(mean, x) REDUCTION(prod, x) REDUCTION(max, x) REDUCTION(min, x) REDUCTION(any, m) REDUCTION(all, m) REDUCTION(logsumexp, x) REDUCTION(norm, x)
  REFUSED("mean", CAMBER_EDTYPE, camber_mean(t, m, NULL, 0, 0)); REFUSED("any", CAMBER_EDTYPE, camber_any(t, x, NULL, 0, 0)); REFUSED("all", CAMBER_EDTYPE, camber_all(t, x, NULL, 0, 0));
  REFUSED("logsumexp", CAMBER_EDTYPE, camber_logsumexp(t, k, NULL, 0, 0)); REFUSED("norm", CAMBER_EDTYPE, camber_norm(t, m, NULL, 0, 0));
#define AXIS(name)                                     \
  BUILDER(#name, camber_##name(T, X, 0));              \
  REFUSED(#name, 0, camber_##name(t, x, 2));           \
  REFUSED(#name, 0, camber_##name(t, x, INT64_MIN));   \
  REFUSED(#name, 0, camber_##name(t, k, 0));
  AXIS(argmax) AXIS(argmin) AXIS(softmax) AXIS(log_softmax)
  REFUSED("softmax", CAMBER_EDTYPE, camber_softmax(t, m, 0)); REFUSED("log_softmax", CAMBER_EDTYPE, camber_log_softmax(t, m, 0));
  BUILDER("cumsum", camber_cumsum(T, X, 0, 0)); REFUSED("cumsum", 0, camber_cumsum(t, x, 2, 0)); REFUSED("cumsum", 0, camber_cumsum(t, x, -9, 1));
#define RUNNING(name)                                          \
  BUILDER(#name, camber_##name(T, X, 0, 0));                   \
  REFUSED(#name, 0, camber_##name(t, x, 2, 0));                \
  REFUSED(#name, 0, camber_##name(t, x, INT64_MIN, 1));
  RUNNING(cumprod) RUNNING(cummax) RUNNING(cummin) RUNNING(cumargmax) RUNNING(cumargmin) RUNNING(cumlogsumexp) RUNNING(sort) RUNNING(argsort)
  REFUSED("cumprod", CAMBER_EDTYPE, camber_cumprod(t, m, 0, 0)); REFUSED("cumlogsumexp", CAMBER_EDTYPE, camber_cumlogsumexp(t, camber_cast(t, x, CAMBER_I32), 0, 0));
  REDUCED(var) REDUCED(std)
}

/* Sorting, scattering, segments, shapes; `i` is a vector of indices. */
static void order(void) {
  const int64_t three[1] = {3}, at[3] = {0, 1, 0}, sizes[2] = {2, 1}, far[2] = {3, 3}, minus[2] = {-1, 3}, most[2] = {INT64_MAX, INT64_MAX};
  camber_node i = camber_array(t, CAMBER_I64, three, 1, at), u = camber_input(t, CAMBER_F64, three, 1), f = camber_input(t, CAMBER_F32, three, 1), out[4];
  BUILDER("linear_recurrence", camber_linear_recurrence(T, X, x, 0, 0)); BUILDER("linear_recurrence", camber_linear_recurrence(T, x, X, 0, 0));
  REFUSED("linear_recurrence", CAMBER_ESHAPE, camber_linear_recurrence(t, u, x, 0, 0)); REFUSED("linear_recurrence", CAMBER_EDTYPE, camber_linear_recurrence(t, f, u, 0, 0));
  BUILDER("searchsorted", camber_searchsorted(T, X, u, 0)); BUILDER("searchsorted", camber_searchsorted(T, u, X, 0)); REFUSED("searchsorted", CAMBER_ESHAPE, camber_searchsorted(t, x, u, 0));
  REFUSED("searchsorted", CAMBER_EDTYPE, camber_searchsorted(t, u, f, 0));
  BUILDER("isin", camber_isin(T, X, u)); BUILDER("isin", camber_isin(T, u, X)); REFUSED("isin", CAMBER_EDTYPE, camber_isin(t, u, f));
  BUILDER("duplicated", camber_duplicated(T, X, 0)); REFUSED("duplicated", 0, camber_duplicated(t, x, 3));
  BUILDER("take_along", camber_take_along(T, X, i, 0)); BUILDER("take_along", camber_take_along(T, u, X, 0)); REFUSED("take_along", CAMBER_ESHAPE, camber_take_along(t, x, i, 0));
  REFUSED("take_along", CAMBER_EDTYPE, camber_take_along(t, u, u, 0));
#define SCATTER(name)                                                                                                       \
  BUILDER(#name, camber_##name(T, X, i, u, 0)); BUILDER(#name, camber_##name(T, u, X, u, 0));                               \
  BUILDER(#name, camber_##name(T, u, i, X, 0)); REFUSED(#name, CAMBER_EDTYPE, camber_##name(t, u, u, u, 0));                \
  REFUSED(#name, CAMBER_EDTYPE, camber_##name(t, u, i, f, 0)); REFUSED(#name, CAMBER_ESHAPE, camber_##name(t, x, i, u, 0)); \
  REFUSED(#name, CAMBER_ESHAPE, camber_##name(t, u, i, u, 1));
  SCATTER(scatter_set) SCATTER(scatter_mul) SCATTER(scatter_max) SCATTER(scatter_min)
#define SEGMENT(name)                                                                                                       \
  BUILDER(#name, camber_##name(T, X, i, 2)); BUILDER(#name, camber_##name(T, u, X, 2));                                     \
  REFUSED(#name, CAMBER_ESHAPE, camber_##name(t, x, i, 2)); REFUSED(#name, CAMBER_ESHAPE, camber_##name(t, u, i, -1));      \
  REFUSED(#name, 0, camber_##name(t, u, i, INT64_MAX)); REFUSED(#name, CAMBER_EDTYPE, camber_##name(t, u, u, 2));
  SEGMENT(segment_sum) SEGMENT(segment_prod) SEGMENT(segment_max) SEGMENT(segment_min)
  BUILDER("bincount", camber_bincount(T, X, CAMBER_NONE, 3)); REFUSED("bincount", CAMBER_EDTYPE, camber_bincount(t, u, CAMBER_NONE, 3));
  REFUSED("bincount", CAMBER_ENODE, camber_bincount(t, i, -7, 3)); REFUSED("bincount", CAMBER_ESHAPE, camber_bincount(t, i, x, 3));
  BUILDER("dynamic_slice", camber_dynamic_slice(T, X, i, sizes, 2)); BUILDER("dynamic_slice", camber_dynamic_slice(T, x, X, sizes, 2));
  REFUSED("dynamic_slice", CAMBER_ESHAPE, camber_dynamic_slice(t, x, i, sizes, 2)); REFUSED("dynamic_slice", 0, camber_dynamic_slice(t, u, i, NULL, 1));
  REFUSED("dynamic_slice", CAMBER_ESHAPE, camber_dynamic_slice(t, u, i, sizes, 2)); REFUSED("dynamic_slice", 0, camber_dynamic_slice(t, x, i, most, 2));
  BUILDER("dynamic_update", camber_dynamic_update(T, X, x, i)); BUILDER("dynamic_update", camber_dynamic_update(T, x, X, i)); BUILDER("dynamic_update", camber_dynamic_update(T, x, x, X));
  REFUSED("dynamic_update", CAMBER_ESHAPE, camber_dynamic_update(t, x, x, i));
  BUILDER("reverse", camber_reverse(T, X, NULL, 0)); REFUSED("reverse", 0, camber_reverse(t, x, far, 2));
  BUILDER("tile", camber_tile(T, X, sizes, 2)); REFUSED("tile", 0, camber_tile(t, x, minus, 2)); REFUSED("tile", 0, camber_tile(t, x, most, 2)); REFUSED("tile", 0, camber_tile(t, x, NULL, 2));
  BUILDER("repeat", camber_repeat(T, X, three, 1, 0)); REFUSED("repeat", 0, camber_repeat(t, x, minus, 2, 0)); REFUSED("repeat", 0, camber_repeat(t, x, most, 1, 0));
  REFUSED("repeat", 0, camber_repeat(t, x, most, 2, 0)); REFUSED("repeat", 0, camber_repeat(t, x, NULL, 2, 0)); REFUSED("repeat", 0, camber_repeat(t, u, sizes, 2, 0));
#define MATRIX(name) BUILDER(#name, camber_##name(T, X, 0)); REFUSED(#name, 0, camber_##name(t, x, INT64_MAX)); REFUSED(#name, 0, camber_##name(t, x, INT64_MIN));
  MATRIX(tril) MATRIX(triu) MATRIX(diagonal) MATRIX(diag)
  REFUSED("tril", CAMBER_ESHAPE, camber_tril(t, u, 0)); REFUSED("diagonal", CAMBER_ESHAPE, camber_diagonal(t, u, 0)); REFUSED("diag", 0, camber_diag(t, u, INT64_C(1) << 39));
  /* With results through pointers. */
  camber_node values, places;
  CHECK(camber_top_k(NULL, x, 1, 0, 1, &values, &places) == CAMBER_EHANDLE);
  CHECK(camber_top_k(t, x, 9, 0, 1, &values, &places) == CAMBER_ESHAPE && values == CAMBER_NONE && places == CAMBER_NONE); camber_tape_clear(t);
  CHECK(camber_top_k(t, x, -1, 0, 1, &values, &places) == CAMBER_ESHAPE); camber_tape_clear(t);
  CHECK(camber_top_k(t, x, 1, 7, 1, &values, &places) == CAMBER_ESHAPE); camber_tape_clear(t);
  CHECK(camber_top_k(t, CAMBER_NONE, 1, 0, 1, &values, &places) == CAMBER_ENODE); camber_tape_clear(t);
  CHECK(camber_top_k(t, x, 1, 0, 1, NULL, NULL) == CAMBER_EINVAL); camber_tape_clear(t);
  CHECK(camber_split(t, u, sizes, 2, 0, out) == CAMBER_OK && out[0] != CAMBER_NONE);
  CHECK(camber_split(t, u, far, 2, 0, out) == CAMBER_ESHAPE && out[0] == CAMBER_NONE); camber_tape_clear(t);
  CHECK(camber_split(t, u, minus, 2, 0, out) == CAMBER_ESHAPE); camber_tape_clear(t);
  CHECK(camber_split(t, u, NULL, 2, 0, out) == CAMBER_EINVAL); camber_tape_clear(t);
  CHECK(camber_split(t, u, sizes, 2, 0, NULL) == CAMBER_EINVAL); camber_tape_clear(t);
  CHECK(camber_split(t, u, sizes, SIZE_MAX, 0, out) == CAMBER_EINVAL); camber_tape_clear(t);
  camber_tape *body = camber_tape_sub(t);
  camber_node in[2] = {camber_input(body, CAMBER_F64, NULL, 0), camber_input(body, CAMBER_F64, NULL, 0)}, same[2] = {in[0], in[0]}, sum = camber_add(body, in[0], in[1]), wrong[2] = {in[0], sum};
#define SCAN(word, ins, outs, elements, count, axis) \
  CHECK(camber_associative_scan(t, body, ins, outs, elements, count, axis, 0, out) != CAMBER_OK && out[0] == CAMBER_NONE && said(camber_tape_message(t), word)); camber_tape_clear(t);
  CHECK(camber_associative_scan(t, body, in, &sum, &u, 1, 0, 0, out) == CAMBER_OK);
  CHECK(camber_associative_scan(t, NULL, in, &sum, &u, 1, 0, 0, out) == CAMBER_EHANDLE); camber_tape_clear(t);
  CHECK(camber_associative_scan(NULL, body, in, &sum, &u, 1, 0, 0, out) == CAMBER_EHANDLE);
  CHECK(camber_associative_scan(t, t, in, &sum, &u, 1, 0, 0, out) == CAMBER_ENODE); camber_tape_clear(t);
  SCAN("axis 1", in, &sum, &u, 1, 1) SCAN("twice", same, &sum, &u, 1, 0) SCAN("not an input", wrong, &sum, &u, 1, 0) SCAN("NULL", NULL, &sum, &u, 1, 0) SCAN("f64", in, &sum, &f, 1, 0)
  SCAN("associative_scan", in, &u, &u, 1, 0)
  camber_tape_free(body);
}

/* Several results: the status is the tape's, and every one is NONE. */
#define SEVERAL(word, n, call)                                                                  \
  do {                                                                                          \
    camber_node out[3] = {x, x, x};                                                             \
    camber_status s_ = (call);                                                                  \
    CHECK(s_ < 0 && s_ == camber_tape_status(t) && said(camber_tape_message(t), word));         \
    for (int i_ = 0; i_ < (n); i_++) CHECK(out[i_] == CAMBER_NONE);                             \
    camber_tape_clear(t);                                                                       \
  } while (0)
static void factors(camber_node a, camber_node b, camber_node f) {
  const int64_t none[2] = {0, 0}, big[2] = {40000, 40000};
  camber_node empty = camber_input(t, CAMBER_F64, none, 2), large = camber_input(t, CAMBER_F64, big, 2), half = camber_cast(t, a, CAMBER_F16);
#undef MATRIX
#define MATRIX(name) BUILDER(#name, camber_##name(T, X)); REFUSED(#name, 0, camber_##name(t, y)); REFUSED(#name, 0, camber_##name(t, k)); REFUSED(#name, CAMBER_ENOMEM, camber_##name(t, large));
#define SQUARE(name) MATRIX(name) REFUSED(#name, CAMBER_ESHAPE, camber_##name(t, b));
  SQUARE(inv) SQUARE(expm) SQUARE(sqrtm) SQUARE(det) MATRIX(svdvals) REFUSED("expm", CAMBER_EDTYPE, camber_expm(t, half)); REFUSED("svdvals", CAMBER_EDTYPE, camber_svdvals(t, half));
  BUILDER("eigvalsh", camber_eigvalsh(T, X, 1)); REFUSED("eigvalsh", CAMBER_ESHAPE, camber_eigvalsh(t, b, 1)); REFUSED("eigvalsh", CAMBER_EDTYPE, camber_eigvalsh(t, half, 0));
  SEVERAL("slogdet", 2, camber_slogdet(t, b, out)); SEVERAL("slogdet", 0, camber_slogdet(t, a, NULL)); SEVERAL("lu", 3, camber_lu(t, y, out)); SEVERAL("lu", 3, camber_lu(t, half, out));
  SEVERAL("qr", 2, camber_qr(t, foreign, 0, out)); SEVERAL("qr", 2, camber_qr(t, y, 1, out)); SEVERAL("eigh", 2, camber_eigh(t, b, 1, out)); SEVERAL("eigh", 2, camber_eigh(t, CAMBER_NONE, 1, out));
  SEVERAL("svd", 3, camber_svd(t, k, 0, out)); SEVERAL("svd", 0, camber_svd(t, a, 0, NULL)); SEVERAL("svd", 3, camber_svd(t, large, 1, out));
  SEVERAL("eigh", 2, camber_eigh_generalized(t, a, b, out)); SEVERAL("eigh", 2, camber_eigh_generalized(t, a, empty, out)); SEVERAL("eigh", 2, camber_eigh_generalized(t, foreign, a, out));
  CHECK(camber_qr(NULL, a, 0, NULL) == CAMBER_EHANDLE); CHECK(camber_lu((camber_tape *)&t, a, NULL) == CAMBER_EHANDLE); CHECK(camber_eigh(NULL, a, 0, NULL) == CAMBER_EHANDLE);
  CHECK(camber_svd(NULL, a, 0, NULL) == CAMBER_EHANDLE); CHECK(camber_slogdet(NULL, a, NULL) == CAMBER_EHANDLE); CHECK(camber_eigh_generalized(NULL, a, a, NULL) == CAMBER_EHANDLE);
  BUILDER("lstsq", camber_lstsq(T, X, b)); BUILDER("lstsq", camber_lstsq(T, a, X)); REFUSED("lstsq", CAMBER_ESHAPE, camber_lstsq(t, a, y)); REFUSED("lstsq", CAMBER_ESHAPE, camber_lstsq(t, a, f)); REFUSED("lstsq", CAMBER_ESHAPE, camber_lstsq(t, a, empty));
  BUILDER("pinv", camber_pinv(T, X, -1)); REFUSED("pinv", CAMBER_EINVAL, camber_pinv(t, a, NAN)); REFUSED("pinv", CAMBER_ESHAPE, camber_pinv(t, y, 0)); REFUSED("pinv", CAMBER_EDTYPE, camber_pinv(t, half, 0));
  BUILDER("triangular_solve", camber_cholesky_solve(T, X, b)); REFUSED("triangular_solve", CAMBER_EDTYPE, camber_cholesky_solve(t, a, f));
  BUILDER("matrix_power", camber_matrix_power(T, X, 3)); REFUSED("matrix_power", CAMBER_ESHAPE, camber_matrix_power(t, b, 2)); REFUSED("matrix_power", CAMBER_ESHAPE, camber_matrix_power(t, y, 0));
  CHECK(camber_matrix_power(t, a, INT64_MIN) >= 0); CHECK(camber_matrix_power(t, a, INT64_MAX) >= 0);
  BUILDER("kron", camber_kron(T, X, b)); BUILDER("kron", camber_kron(T, b, X)); REFUSED("kron", CAMBER_EDTYPE, camber_kron(t, a, f)); REFUSED("kron", CAMBER_EDTYPE, camber_kron(t, m, m)); REFUSED("kron", CAMBER_ENOMEM, camber_kron(t, large, large));
  BUILDER("sylvester", camber_sylvester(T, X, a, a)); BUILDER("sylvester", camber_sylvester(T, a, a, X)); REFUSED("sylvester", CAMBER_ESHAPE, camber_sylvester(t, a, a, b)); REFUSED("sylvester", CAMBER_ESHAPE, camber_sylvester(t, a, b, b));
  REFUSED("sylvester", CAMBER_ESHAPE, camber_sylvester(t, y, a, a));
  BUILDER("lyapunov", camber_lyapunov(T, X, a, 0)); REFUSED("sylvester", CAMBER_ESHAPE, camber_lyapunov(t, a, b, 1));
  BUILDER("solve_banded", camber_solve_banded(T, X, b, 1, 1)); BUILDER("solve_banded", camber_solve_banded(T, a, X, 1, 1)); REFUSED("solve_banded", CAMBER_ESHAPE, camber_solve_banded(t, a, b, 1, 2)); REFUSED("solve_banded", CAMBER_ESHAPE, camber_solve_banded(t, a, b, -1, 3));
  REFUSED("solve_banded", CAMBER_ESHAPE, camber_solve_banded(t, a, b, INT64_MAX, INT64_MAX)); REFUSED("solve_banded", CAMBER_ESHAPE, camber_solve_banded(t, a, x, 1, 1)); REFUSED("solve_banded", 0, camber_solve_banded(t, a, f, 1, 1));
  BUILDER("solve_tridiagonal", camber_solve_tridiagonal(T, X, y, y, b)); REFUSED("solve_tridiagonal", CAMBER_ESHAPE, camber_solve_tridiagonal(t, y, a, y, b)); REFUSED("solve_banded", CAMBER_ESHAPE, camber_solve_tridiagonal(t, y, y, y, b));
  BUILDER("matrix_norm", camber_matrix_norm(T, X, "nuc")); REFUSED("matrix_norm", CAMBER_EINVAL, camber_matrix_norm(t, a, NULL)); REFUSED("matrix_norm", CAMBER_EINVAL, camber_matrix_norm(t, a, "3")); REFUSED("matrix_norm", CAMBER_ESHAPE, camber_matrix_norm(t, y, "1"));
  REFUSED("svdvals", CAMBER_EDTYPE, camber_matrix_norm(t, half, "2")); REFUSED("matrix_norm", CAMBER_ESHAPE, camber_matrix_norm(t, k, "fro"));
  BUILDER("matrix_cond", camber_matrix_cond(T, X, "2")); REFUSED("matrix_cond", CAMBER_EINVAL, camber_matrix_cond(t, a, "")); REFUSED("matrix_cond", CAMBER_ESHAPE, camber_matrix_cond(t, b, "1"));
  BUILDER("matrix_rank", camber_matrix_rank(T, X, -1)); REFUSED("matrix_rank", CAMBER_ESHAPE, camber_matrix_rank(t, y, -1)); REFUSED("matrix_rank", CAMBER_EDTYPE, camber_matrix_rank(t, half, 0));
}

static void algebra(void) {
  const int64_t square[2] = {3, 3}, wide[2] = {3, 2};
  camber_node a = camber_input(t, CAMBER_F64, square, 2), b = camber_input(t, CAMBER_F64, wide, 2), pair[2] = {x, y}, f = camber_input(t, CAMBER_F32, wide, 2);
  BUILDER("matmul", camber_matmul(T, X, b)); BUILDER("matmul", camber_matmul(T, x, X)); REFUSED("matmul", CAMBER_ESHAPE, camber_matmul(t, x, x));
  REFUSED("matmul", CAMBER_EDTYPE, camber_matmul(t, x, f)); REFUSED("matmul", 0, camber_matmul(t, x, k));
  (void)camber_matmul(t, x, y);
  CHECK(said(camber_tape_message(t), "[2, 3]") && said(camber_tape_message(t), "[4]"));
  camber_tape_clear(t);
  BUILDER("einsum", camber_einsum(T, "ij->ji", &X, 1));
  const char *const wrong[10] = {"", "ij", "ij->k", "i->i", "ijk->i", "ij,jk->ik", "i1->i", "...j->j", "ij->ii", "ij->ij->"};
  for (int i = 0; i < 10; i++)
    if (i != 1) REFUSED("einsum", 0, camber_einsum(t, wrong[i], pair, 1));
  camber_tape_clear(t);
  REFUSED("einsum", 0, camber_einsum(t, NULL, pair, 1)); REFUSED("einsum", 0, camber_einsum(t, "ij,i->j", pair, 2)); REFUSED("einsum", 0, camber_einsum(t, "ij->ji", NULL, 1));
  REFUSED("einsum", 0, camber_einsum(t, "ij->ji", pair, SIZE_MAX)); REFUSED("einsum", 0, camber_einsum(t, "ij->ji", pair, 0));
  BUILDER("cholesky", camber_cholesky(T, X)); REFUSED("cholesky", CAMBER_ESHAPE, camber_cholesky(t, x)); REFUSED("cholesky", CAMBER_ESHAPE, camber_cholesky(t, y));
  BUILDER("triangular_solve", camber_triangular_solve(T, X, b, 1, 0, 0)); BUILDER("triangular_solve", camber_triangular_solve(T, a, X, 1, 0, 0));
  REFUSED("triangular_solve", CAMBER_ESHAPE, camber_triangular_solve(t, a, x, 1, 0, 0)); REFUSED("triangular_solve", CAMBER_ESHAPE, camber_triangular_solve(t, b, b, 1, 0, 0));
  REFUSED("triangular_solve", CAMBER_EDTYPE, camber_triangular_solve(t, a, f, 1, 0, 0));
  BUILDER("solve", camber_solve(T, X, b)); BUILDER("solve", camber_solve(T, a, X)); REFUSED("solve", CAMBER_ESHAPE, camber_solve(t, a, x)); REFUSED("solve", CAMBER_EDTYPE, camber_solve(t, a, f));
  REFUSED("solve", 0, camber_solve(t, a, k));

  factors(a, b, f);
  const int64_t shape[1] = {3}, minus[1] = {-3}, huge[2] = {INT64_C(1) << 40, INT64_C(1) << 40};
  BUILDER("random_uniform", camber_random_uniform(T, X, CAMBER_F64, shape, 1)); REFUSED("random_uniform", CAMBER_EDTYPE, camber_random_uniform(t, x, CAMBER_F64, shape, 1));
  REFUSED("random_uniform", CAMBER_EDTYPE, camber_random_uniform(t, k, CAMBER_I64, shape, 1)); REFUSED("random_uniform", 0, camber_random_uniform(t, k, CAMBER_F64, minus, 1));
  REFUSED("random_uniform", 0, camber_random_uniform(t, k, CAMBER_F64, huge, 2)); REFUSED("random_uniform", 0, camber_random_uniform(t, k, CAMBER_F64, NULL, 1));
  BUILDER("random_normal", camber_random_normal(T, X, CAMBER_F64, shape, 1)); REFUSED("random_normal", CAMBER_EDTYPE, camber_random_normal(t, k, CAMBER_BOOL, shape, 1));
  REFUSED("random_normal", 0, camber_random_normal(t, k, CAMBER_F64, minus, 1));
  BUILDER("dropout", camber_dropout(T, X, k, 0.5)); BUILDER("dropout", camber_dropout(T, x, X, 0.5)); REFUSED("dropout", 0, camber_dropout(t, x, k, 1)); REFUSED("dropout", 0, camber_dropout(t, x, k, -0.1));
  REFUSED("dropout", 0, camber_dropout(t, x, k, NAN)); REFUSED("dropout", CAMBER_EDTYPE, camber_dropout(t, m, k, 0.5));
}

/* A transform fails: its status is the tape's, and every result is NONE. */
static void transform_refused(camber_status got, camber_status want, const char *word, const camber_node *out, size_t n, const char *text, int line) {
  check_that(want ? got == want : got < 0, text, __FILE__, line);
  if (want && got != want && check_failed < 40) fprintf(stderr, "  status %d, not %d: %s\n", got, want, text);
  check_that(got == camber_tape_status(t), "the tape's status", __FILE__, line);
  check_that(said(camber_tape_message(t), word), text, __FILE__, line);
  for (size_t i = 0; i < n; i++) check_that(out[i] == CAMBER_NONE, "an out is NONE", __FILE__, line);
  camber_tape_clear(t);
}
#define NOT(word, want, n, call)                                                     \
  do {                                                                               \
    camber_node r[4] = {x, x, x, x};                                                 \
    camber_status s_ = (call);                                                       \
    transform_refused(s_, (want), (word), r, (n), #call, __LINE__);                  \
  } while (0)

static void transforms(void) {
  camber_node s = camber_sum(t, camber_square(t, x), NULL, 0, 0), two[2] = {x, x}, cube = camber_mul(t, s, s), idx = camber_cast(t, x, CAMBER_I64);
  camber_node none = CAMBER_NONE;
  const int64_t batched[3] = {4, 2, 3};
  camber_node bx = camber_input(t, CAMBER_F64, batched, 3), r[4];
  WRONG(1, camber_tape, T,
        CHECK(camber_jvp(T, &s, 1, &x, &x, 1, r) == CAMBER_EHANDLE); CHECK(camber_vjp(T, &s, &s, 1, &x, 1, r) == CAMBER_EHANDLE);
        CHECK(camber_linear_transpose(T, &s, &s, 1, &x, 1, r) == CAMBER_EHANDLE); CHECK(camber_grad(T, s, &x, 1, r) == CAMBER_EHANDLE);
        CHECK(camber_hvp(T, s, &x, &x, 1, r) == CAMBER_EHANDLE); CHECK(camber_jacobian(T, &s, 1, &x, 1, 0, r) == CAMBER_EHANDLE);
        CHECK(camber_hessian(T, s, &x, 1, r) == CAMBER_EHANDLE); CHECK(camber_batch(T, &s, 1, &x, &bx, 1, 4, r) == CAMBER_EHANDLE);
        CHECK(camber_substitute(T, &s, 1, &x, &x, 1, r) == CAMBER_EHANDLE); CHECK(camber_simplify(T, &s, 1, r) == CAMBER_EHANDLE);
        CHECK(camber_precision(T, &s, 1, &x, 1, CAMBER_F32, CAMBER_F64, r) == CAMBER_EHANDLE);
        CHECK(camber_l1_penalty(T, &x, 1) == CAMBER_NONE); CHECK(camber_l2_penalty(T, &x, 1) == CAMBER_NONE);
        CHECK(camber_clip_by_global_norm(T, &x, 1, 1, r) == CAMBER_EHANDLE); CHECK(camber_clip_by_value(T, &x, 1, 1, r) == CAMBER_EHANDLE);
        CHECK(camber_clip_by_norm(T, &x, 1, 1, r) == CAMBER_EHANDLE))
  const camber_node bad[3] = {CAMBER_NONE, foreign, INT64_MAX};
  for (int i = 0; i < 3; i++) {
    camber_node b = bad[i];
    NOT("jvp", CAMBER_ENODE, 1, camber_jvp(t, &b, 1, &x, &x, 1, r)); NOT("jvp", CAMBER_ENODE, 1, camber_jvp(t, &s, 1, &b, &x, 1, r)); NOT("jvp", CAMBER_ENODE, 1, camber_jvp(t, &s, 1, &x, &b, 1, r));
    NOT("vjp", CAMBER_ENODE, 1, camber_vjp(t, &b, &s, 1, &x, 1, r)); NOT("vjp", CAMBER_ENODE, 1, camber_vjp(t, &s, &b, 1, &x, 1, r)); NOT("vjp", CAMBER_ENODE, 1, camber_vjp(t, &s, &s, 1, &b, 1, r));
    NOT("linear_transpose|transpose", CAMBER_ENODE, 1, camber_linear_transpose(t, &b, &s, 1, &x, 1, r));
    NOT("grad|vjp", CAMBER_ENODE, 1, camber_grad(t, b, &x, 1, r)); NOT("grad|vjp", CAMBER_ENODE, 1, camber_grad(t, s, &b, 1, r));
    NOT("hvp|jvp|vjp", CAMBER_ENODE, 1, camber_hvp(t, b, &x, &x, 1, r)); NOT("hvp|jvp|vjp", CAMBER_ENODE, 1, camber_hvp(t, s, &x, &b, 1, r));
    NOT("jacobian", CAMBER_ENODE, 1, camber_jacobian(t, &b, 1, &x, 1, 0, r)); NOT("hessian|vjp|jvp", CAMBER_ENODE, 1, camber_hessian(t, s, &b, 1, r));
    NOT("batch", CAMBER_ENODE, 1, camber_batch(t, &s, 1, &x, &b, 1, 4, r)); NOT("substitute", CAMBER_ENODE, 1, camber_substitute(t, &s, 1, &b, &x, 1, r));
    NOT("simplify", CAMBER_ENODE, 1, camber_simplify(t, &b, 1, r)); NOT("precision", CAMBER_ENODE, 1, camber_precision(t, &b, 1, &x, 1, CAMBER_F32, CAMBER_F64, r));
    REFUSED("l1_penalty", CAMBER_ENODE, camber_l1_penalty(t, &b, 1)); REFUSED("l2_penalty", CAMBER_ENODE, camber_l2_penalty(t, &b, 1));
    NOT("clip_by_global_norm", CAMBER_ENODE, 1, camber_clip_by_global_norm(t, &b, 1, 1, r)); NOT("clip_by_value", CAMBER_ENODE, 1, camber_clip_by_value(t, &b, 1, 1, r));
    NOT("clip_by_norm", CAMBER_ENODE, 1, camber_clip_by_norm(t, &b, 1, 1, r));
  }
  const int32_t first[2] = {1, 1}, negative[1] = {-1}, high[1] = {17};
  NOT("taylor", CAMBER_EINVAL, 0, camber_taylor(t, &s, 1, &x, &x, 1, 0, r)); NOT("taylor", CAMBER_EINVAL, 0, camber_taylor(t, &s, 1, &x, &x, 1, SIZE_MAX, r));
  NOT("taylor", CAMBER_ENODE, 1, camber_taylor(t, &s, 1, &x, &foreign, 1, 1, r)); NOT("taylor", CAMBER_ENODE, 1, camber_taylor(t, &s, 1, &foreign, &x, 1, 1, r));
  NOT("taylor", 0, 1, camber_taylor(t, &s, 1, &x, NULL, 1, 1, r)); NOT("taylor", 0, 1, camber_taylor(t, &s, 1, &x, &y, 1, 1, r)); NOT("taylor", 0, 0, camber_taylor(t, &s, 1, &x, &x, 1, 1, NULL));
  NOT("directional", CAMBER_EINVAL, 1, camber_directional(t, &s, 1, &x, 1, &x, 1, negative, 1, r)); NOT("directional", CAMBER_EINVAL, 1, camber_directional(t, &s, 1, &x, 1, &x, 1, high, 1, r));
  NOT("directional", CAMBER_EINVAL, 1, camber_directional(t, &s, 1, &x, 1, &x, 1, NULL, 1, r)); NOT("directional", CAMBER_EINVAL, 0, camber_directional(t, &s, 1, &x, 1, &x, 0, first, 1, r));
  NOT("directional", CAMBER_ENODE, 1, camber_directional(t, &s, 1, &x, 1, &foreign, 1, first, 1, r)); NOT("directional", CAMBER_EINVAL, 0, camber_directional(t, &s, 1, &x, 1, &x, SIZE_MAX, first, 1, r));
  NOT("jvp", 0, 1, camber_jvp(t, &s, 1, &x, &y, 1, r)); NOT("jvp", 0, 1, camber_jvp(t, &s, 1, &x, &w, 1, r)); NOT("jvp", 0, 1, camber_jvp(t, &s, 1, NULL, &x, 1, r));
  NOT("jvp", 0, 1, camber_jvp(t, NULL, 1, &x, &x, 1, r)); NOT("jvp", 0, 1, camber_jvp(t, &s, 1, two, two, 2, r)); NOT("jvp", 0, 0, camber_jvp(t, &s, 1, &x, &x, 1, NULL));
  NOT("vjp", 0, 1, camber_vjp(t, &s, &x, 1, &x, 1, r)); NOT("vjp", 0, 1, camber_vjp(t, &s, NULL, 1, &x, 1, r)); NOT("vjp", 0, 0, camber_vjp(t, &s, &s, SIZE_MAX, &x, 1, r));
  NOT("linear_transpose|transpose", 0, 1, camber_linear_transpose(t, &s, &s, 1, &x, 1, r)); NOT("linear_transpose|transpose", 0, 1, camber_linear_transpose(t, &cube, &s, 1, &x, 1, r));
  NOT("grad|vjp", CAMBER_ESHAPE, 1, camber_grad(t, x, &x, 1, r)); NOT("grad|vjp", 0, 1, camber_grad(t, s, NULL, 1, r)); NOT("grad|vjp", 0, 2, camber_grad(t, s, two, 2, r));
  NOT("grad|vjp", 0, 1, camber_grad(t, camber_sum(t, idx, NULL, 0, 0), &x, 1, r)); NOT("grad|vjp", 0, 0, camber_grad(t, s, &x, 1, NULL)); NOT("grad|vjp", 0, 0, camber_grad(t, s, &x, SIZE_MAX, r));
  NOT("hvp|jvp|vjp", CAMBER_ESHAPE, 1, camber_hvp(t, x, &x, &x, 1, r)); NOT("hvp|jvp|vjp", 0, 1, camber_hvp(t, s, &x, &y, 1, r)); NOT("hvp|jvp|vjp", 0, 1, camber_hvp(t, s, &x, NULL, 1, r));
  NOT("jacobian", 0, 1, camber_jacobian(t, &s, 1, &x, 1, 5, r)); NOT("jacobian", 0, 1, camber_jacobian(t, &s, 1, &x, 1, -1, r)); NOT("jacobian", 0, 0, camber_jacobian(t, &s, 1, &x, 1, 0, NULL));
  NOT("hessian|vjp|jvp", CAMBER_ESHAPE, 1, camber_hessian(t, x, &x, 1, r)); NOT("hessian|vjp|jvp", 0, 1, camber_hessian(t, s, NULL, 1, r));
  NOT("batch", 0, 1, camber_batch(t, &s, 1, &x, &x, 1, 4, r)); NOT("batch", 0, 1, camber_batch(t, &s, 1, &x, &bx, 1, 5, r)); NOT("batch", 0, 1, camber_batch(t, &s, 1, &x, &bx, 1, -4, r));
  NOT("batch", 0, 1, camber_batch(t, &s, 1, &x, &bx, 1, INT64_MAX, r)); NOT("batch", 0, 1, camber_batch(t, &s, 1, &x, NULL, 1, 4, r));
  NOT("substitute", 0, 1, camber_substitute(t, &s, 1, &x, &y, 1, r)); NOT("substitute", 0, 1, camber_substitute(t, &s, 1, &x, &w, 1, r)); NOT("substitute", 0, 1, camber_substitute(t, NULL, 1, &x, &x, 1, r));
  NOT("simplify", 0, 1, camber_simplify(t, NULL, 1, r)); NOT("simplify", 0, 0, camber_simplify(t, &s, 1, NULL));
  NOT("precision", CAMBER_EDTYPE, 1, camber_precision(t, &s, 1, &x, 1, CAMBER_I64, CAMBER_F64, r)); NOT("precision", CAMBER_EDTYPE, 1, camber_precision(t, &s, 1, &x, 1, CAMBER_F16, 40, r));
  REFUSED("l1_penalty", 0, camber_l1_penalty(t, NULL, 1)); REFUSED("l2_penalty", 0, camber_l2_penalty(t, NULL, 1)); REFUSED("l1_penalty", 0, camber_l1_penalty(t, &m, 1));
  NOT("clip_by_value", 0, 1, camber_clip_by_value(t, &x, 1, -1, r)); NOT("clip_by_value", 0, 1, camber_clip_by_value(t, &x, 1, NAN, r)); NOT("clip_by_norm", 0, 1, camber_clip_by_norm(t, &x, 1, -1, r));
  NOT("clip_by_global_norm", 0, 1, camber_clip_by_global_norm(t, NULL, 1, 1, r)); NOT("clip_by_global_norm", 0, 1, camber_clip_by_global_norm(t, &x, 1, -2, r));
  (void)none;

  const int64_t five[2] = {5, 2};
  camber_tape *body = camber_tape_sub(t);
  camber_node c = camber_input(body, CAMBER_F64, NULL, 0), sl = camber_input(body, CAMBER_F64, five + 1, 1), in[2] = {c, sl}, out[2] = {camber_sin(body, c), sl};
  camber_node init = camber_constant(t, CAMBER_F64, 1), xs = camber_input(t, CAMBER_F64, five, 2), vector_out[2] = {sl, sl};
  WRONG(1, camber_tape, T, CHECK(camber_scan(T, body, in, out, 1, &init, 1, &xs, 1, 5, 0, r) == CAMBER_EHANDLE); NOT("scan", 0, 2, camber_scan(t, T, in, out, 1, &init, 1, &xs, 1, 5, 0, r)))
  NOT("scan", 0, 2, camber_scan(t, t, in, out, 1, &init, 1, &xs, 1, 5, 0, r)); NOT("scan", 0, 2, camber_scan(t, other, in, out, 1, &init, 1, &xs, 1, 5, 0, r));
  NOT("scan", 0, 2, camber_scan(t, body, in, out, 1, &init, 1, &xs, 1, 6, 0, r)); NOT("scan", 0, 2, camber_scan(t, body, in, out, 1, &init, 1, &xs, 1, -1, 0, r));
  NOT("scan", 0, 2, camber_scan(t, body, in, vector_out, 1, &init, 1, &xs, 1, 5, 0, r)); NOT("scan", 0, 2, camber_scan(t, body, in, out, 1, &xs, 1, &xs, 1, 5, 0, r));
  NOT("scan", 0, 2, camber_scan(t, body, in, out, 1, &init, 1, &x, 1, 5, 0, r)); NOT("scan", 0, 2, camber_scan(t, body, NULL, out, 1, &init, 1, &xs, 1, 5, 0, r));
  NOT("scan", 0, 2, camber_scan(t, body, in, NULL, 1, &init, 1, &xs, 1, 5, 0, r)); NOT("scan", 0, 2, camber_scan(t, body, in, out, 1, NULL, 1, &xs, 1, 5, 0, r));
  NOT("scan", 0, 2, camber_scan(t, body, in, out, 1, &init, 1, NULL, 1, 5, 0, r)); NOT("scan", CAMBER_ENODE, 2, camber_scan(t, body, in, out, 1, &foreign, 1, &xs, 1, 5, 0, r));
  NOT("scan", 0, 0, camber_scan(t, body, in, out, SIZE_MAX, &init, 1, &xs, 1, 5, 0, r)); NOT("scan", 0, 0, camber_scan(t, body, in, out, 1, &init, 1, &xs, 1, 5, 0, NULL));
  NOT("scan", 0, 2, camber_scan_slots(t, body, in, out, 1, &init, 1, &xs, 1, 5, 0, -1, r)); NOT("scan", 0, 2, camber_scan_slots(t, body, in, out, 1, &init, 1, &xs, 1, 5, 0, INT64_MAX, r));
  NOT("scan", 0, 2, camber_scan_slots(t, body, in, out, 1, &init, 1, &xs, 1, 6, 0, 2, r));
  NOT("checkpoint", 0, 1, camber_checkpoint(t, &x, 1, &x, 1, 2, r)); NOT("checkpoint", 0, 1, camber_checkpoint(t, NULL, 1, &x, 1, 0, r));
  NOT("checkpoint", 0, 1, camber_checkpoint(t, &x, 1, NULL, 1, 0, r)); NOT("checkpoint", CAMBER_ENODE, 1, camber_checkpoint(t, &x, 1, &foreign, 1, 0, r)); NOT("checkpoint", 0, 0, camber_checkpoint(t, &x, 1, &x, 1, 0, NULL));
  CHECK(camber_sin(t, c) == CAMBER_NONE);   /* a body's node does not belong to the tape around it */
  CHECK(said(camber_tape_message(t), "sin"));
  camber_tape_clear(t), camber_tape_free(body);
}

static void running(void) {
  camber_node in[1] = {x}, out[1] = {camber_sin(t, x)}, r[1], free_input = camber_add(t, camber_sin(t, x), camber_broadcast(t, camber_input(t, CAMBER_F64, NULL, 0), (const int64_t[]){2, 3}, 2));
  double a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {7, 7, 7, 7, 7, 7};
  double lapped[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const void *inputs[1] = {a}, *no_input[1] = {NULL}, *lapping[1] = {lapped};
  void *outputs[1] = {b}, *no_output[1] = {NULL}, *over[1] = {lapped}, *half[1] = {lapped + 3};
  camber_dtype dtype = 99;
  size_t rank = 99;
  int64_t shape[2] = {9, 9};
  WRONG(1, camber_tape, T, CHECK(camber_program_new(T, in, 1, out, 1) == NULL); CHECK(camber_linear_new(T, in, 1, out, 1) == NULL))
#define NULL_PROGRAM(call) CHECK((call) == NULL && camber_tape_status(t) < 0 && *camber_tape_message(t)); camber_tape_clear(t)
  NULL_PROGRAM(camber_program_new(t, NULL, 0, &free_input, 1)); NULL_PROGRAM(camber_program_new(t, in, 1, &free_input, 1)); NULL_PROGRAM(camber_program_new(t, in, 1, &foreign, 1));
  NULL_PROGRAM(camber_program_new(t, &foreign, 1, out, 1)); NULL_PROGRAM(camber_program_new(t, in, 1, NULL, 1)); NULL_PROGRAM(camber_program_new(t, NULL, 1, out, 1));
  NULL_PROGRAM(camber_program_new(t, in, SIZE_MAX, out, 1));
  NULL_PROGRAM(camber_linear_new(t, NULL, 0, &free_input, 1)); NULL_PROGRAM(camber_linear_new(t, in, 1, &foreign, 1)); NULL_PROGRAM(camber_linear_new(t, NULL, 1, out, 1));
  CHECK(camber_add(t, x, y) == CAMBER_NONE);   /* a tape in error makes no program and keeps its sentence */
  CHECK(camber_program_new(t, in, 1, out, 1) == NULL && said(camber_tape_message(t), "add"));
  camber_tape_clear(t);

  WRONG(2, camber_program, P,
        CHECK(camber_program_set(P, "check_finite", 1) == CAMBER_EHANDLE); CHECK(camber_program_alias(P, 0, 0) == CAMBER_EHANDLE); CHECK(camber_program_message(P) != NULL);
        CHECK(camber_program_input_count(P) == 0); CHECK(camber_program_output_count(P) == 0); CHECK(camber_program_input_type(P, 0, &dtype, &rank, shape, 2) == CAMBER_EHANDLE);
        CHECK(camber_program_output_type(P, 0, &dtype, &rank, shape, 2) == CAMBER_EHANDLE); CHECK(camber_program_memory(P) == 0); (void)camber_program_explain(P);
        CHECK(camber_workspace_new(P) == NULL); CHECK(camber_run(P, workspace, inputs, outputs) == CAMBER_EHANDLE))
  CHECK(dtype == 99 && rank == 99 && shape[0] == 9);
  WRONG(3, camber_workspace, W, CHECK(camber_run(program, W, inputs, outputs) == CAMBER_EHANDLE); CHECK(camber_workspace_message(W) != NULL))
  CHECK(camber_program_set(program, "threds", 1) == CAMBER_EINVAL && said(camber_program_message(program), "check_finite"));
  CHECK(camber_program_set(program, "memory_limit", 1) == CAMBER_ENOMEM && said(camber_program_message(program), "memory_limit is 1 bytes"));
  CHECK(camber_program_set(program, "memory_limit", -1) == CAMBER_EINVAL && camber_program_set(program, "memory_limit", NAN) == CAMBER_EINVAL);
  CHECK(camber_program_set(program, "scan_slots", -1) == CAMBER_EINVAL && camber_program_set(program, "scan_slots", INFINITY) == CAMBER_EINVAL);
  CHECK(camber_program_set(program, NULL, 1) < 0 && camber_program_set(program, "check_finite", NAN) <= 0);
  CHECK(camber_program_alias(program, 1, 0) < 0 && camber_program_alias(program, 0, SIZE_MAX) < 0);
  CHECK(camber_program_input_type(program, 1, &dtype, &rank, shape, 2) < 0 && camber_program_output_type(program, SIZE_MAX, &dtype, &rank, shape, 2) < 0 && dtype == 99);
  CHECK(camber_program_input_type(program, 0, &dtype, &rank, shape, 1) < 0 || shape[1] == 9);   /* never beyond the capacity */
  CHECK(camber_program_input_type(program, 0, NULL, NULL, NULL, 0) <= 0);

  camber_node s = camber_sum(t, x, NULL, 0, 0);
  camber_program *q = camber_program_new(t, in, 1, &s, 1);
  CHECK(q && camber_program_alias(q, 0, 0) < 0 && said(camber_program_message(q), "alias|program"));   /* another type */
  CHECK(camber_run(q, workspace, inputs, outputs) < 0 && said(camber_workspace_message(workspace), "program"));   /* another program's workspace */
  camber_program_free(q);
  CHECK(camber_run(program, workspace, NULL, outputs) == CAMBER_EINVAL && *camber_workspace_message(workspace));
  CHECK(camber_run(program, workspace, inputs, NULL) == CAMBER_EINVAL && camber_run(program, workspace, no_input, outputs) == CAMBER_EINVAL);
  CHECK(camber_run(program, workspace, inputs, no_output) == CAMBER_EINVAL);
  CHECK(camber_run(program, workspace, lapping, over) == CAMBER_EINVAL && camber_run(program, workspace, lapping, half) == CAMBER_EINVAL && lapped[3] == 4);
  for (int i = 0; i < 6; i++) CHECK(a[i] == i + 1 && b[i] == 7);
  STATUS(camber_run(program, workspace, inputs, outputs), CAMBER_OK);   /* and it still works */
  NEAR(b[1], sin(2), 1e-15);

  const int64_t one[1] = {1};
  int64_t index[1] = {5};
  double got[3] = {7, 7, 7};
  camber_node i = camber_input(t, CAMBER_I64, one, 1), g = camber_gather(t, x, i, 0), gi[2] = {x, i};
  camber_program *p = camber_program_new(t, gi, 2, &g, 1);
  camber_workspace *ws = camber_workspace_new(p);
  const void *gin[2] = {a, index};
  void *gout[1] = {got};
  CHECK(camber_run(p, ws, gin, gout) == CAMBER_EINVAL && said(camber_workspace_message(ws), "gather"));
  CHECK(got[0] == 7 && got[2] == 7);
  index[0] = INT64_MIN;
  CHECK(camber_run(p, ws, gin, gout) == CAMBER_EINVAL);
  index[0] = -1;
  STATUS(camber_run(p, ws, gin, gout), CAMBER_OK);
  NEAR(got[0], 4, 0);
  camber_program_free(p), camber_workspace_free(ws);

  const void *v[1] = {a};
  void *o[1] = {b};
  WRONG(4, camber_linear, L,
        CHECK(camber_linear_at(L, inputs, outputs) == CAMBER_EHANDLE); CHECK(camber_linear_jvp(L, v, o) == CAMBER_EHANDLE); CHECK(camber_linear_vjp(L, v, o) == CAMBER_EHANDLE);
        CHECK(camber_linear_message(L) != NULL))
  CHECK(camber_linear_jvp(linear, v, o) == CAMBER_EINVAL && camber_linear_vjp(linear, v, o) == CAMBER_EINVAL && *camber_linear_message(linear));
  CHECK(camber_linear_at(linear, NULL, o) == CAMBER_EINVAL && camber_linear_at(linear, no_input, o) == CAMBER_EINVAL);
  STATUS(camber_linear_at(linear, inputs, NULL), CAMBER_OK);
  CHECK(camber_linear_jvp(linear, NULL, o) == CAMBER_EINVAL && camber_linear_jvp(linear, v, NULL) == CAMBER_EINVAL && camber_linear_vjp(linear, NULL, NULL) == CAMBER_EINVAL);
  (void)r;
}

static void training(void) {
  const int64_t shape[1] = {2}, minus[1] = {-2}, huge[2] = {INT64_C(1) << 40, INT64_C(1) << 40};
  double p[2] = {1, 2}, g[2] = {3, 4};
  void *params[1] = {p}, *no_param[1] = {NULL};
  const void *slopes[1] = {g}, *no_slope[1] = {NULL};
  CHECK(camber_optimizer_new(NULL) == NULL && camber_optimizer_new("adamax") == NULL && camber_optimizer_new("") == NULL);
  const char *name = "kept";
  camber_dtype dtype = 99;
  size_t count = 99;
  void *data = p;
  WRONG(5, camber_optimizer, O,
        CHECK(camber_optimizer_set(O, "learning_rate", 1) == CAMBER_EHANDLE); CHECK(camber_optimizer_set_schedule(O, schedule) == CAMBER_EHANDLE);
        CHECK(camber_optimizer_add(O, "p", CAMBER_F64, shape, 1) == CAMBER_EHANDLE); CHECK(camber_optimizer_step(O, params, slopes) == CAMBER_EHANDLE);
        CHECK(camber_optimizer_message(O) != NULL); (void)camber_optimizer_steps(O); (void)camber_optimizer_gradient_norm(O); CHECK(camber_optimizer_state_count(O) == 0);
        CHECK(camber_optimizer_state(O, 0, &name, &dtype, &count, &data) == CAMBER_EHANDLE))
  CHECK(camber_optimizer_set(optimizer, "momentum", 0.9) == CAMBER_EINVAL && said(camber_optimizer_message(optimizer), "beta1"));   /* adam has none */
  CHECK(camber_optimizer_set(optimizer, NULL, 1) < 0 && camber_optimizer_set(optimizer, "learning_rate", NAN) < 0 && camber_optimizer_set(optimizer, "beta1", 1.5) < 0);
  WRONG(6, camber_schedule, S, if (S) CHECK(camber_optimizer_set_schedule(optimizer, S) == CAMBER_EHANDLE))
  CHECK(camber_optimizer_add(optimizer, "i", CAMBER_I64, shape, 1) == CAMBER_EDTYPE && said(camber_optimizer_message(optimizer), "i"));
  CHECK(camber_optimizer_add(optimizer, "p", CAMBER_F64, minus, 1) < 0 && camber_optimizer_add(optimizer, "p", CAMBER_F64, huge, 2) < 0 && camber_optimizer_add(optimizer, NULL, CAMBER_F64, shape, 1) < 0);
  CHECK(camber_optimizer_add(optimizer, "p", CAMBER_F64, NULL, 1) < 0 && camber_optimizer_add(optimizer, "p", 70, shape, 1) < 0);
  STATUS(camber_optimizer_add(optimizer, "p", CAMBER_F64, shape, 1), CAMBER_OK);
  CHECK(camber_optimizer_add(optimizer, "p", CAMBER_F64, shape, 1) < 0);   /* the name is taken */
  CHECK(camber_optimizer_step(optimizer, NULL, slopes) < 0 && camber_optimizer_step(optimizer, params, NULL) < 0 && camber_optimizer_step(optimizer, no_param, slopes) < 0);
  CHECK(camber_optimizer_step(optimizer, params, no_slope) < 0 && p[0] == 1 && p[1] == 2 && camber_optimizer_steps(optimizer) == 0);
  STATUS(camber_optimizer_step(optimizer, params, slopes), CAMBER_OK);
  CHECK(camber_optimizer_add(optimizer, "q", CAMBER_F64, shape, 1) < 0);   /* after the first step */
  CHECK(camber_optimizer_state(optimizer, SIZE_MAX, &name, &dtype, &count, &data) < 0 && !strcmp(name, "kept") && dtype == 99 && count == 99 && data == p);
  CHECK(camber_optimizer_state(optimizer, 0, NULL, NULL, NULL, NULL) <= 0);

  CHECK(camber_schedule_new(NULL) == NULL && camber_schedule_new("sawtooth") == NULL);
  WRONG(6, camber_schedule, S, CHECK(camber_schedule_set(S, "steps", 1) == CAMBER_EHANDLE); (void)camber_schedule_value(S, 1); CHECK(camber_schedule_message(S) != NULL))
  CHECK(camber_schedule_set(schedule, "stepps", 1) == CAMBER_EINVAL && said(camber_schedule_message(schedule), "steps"));
  CHECK(camber_schedule_set(schedule, NULL, 1) < 0 && camber_schedule_set(schedule, "steps", -1) < 0 && camber_schedule_set(schedule, "steps", NAN) < 0);
  CHECK(isfinite(camber_schedule_value(schedule, -5)) && isfinite(camber_schedule_value(schedule, INT64_MAX)) && isfinite(camber_schedule_value(schedule, INT64_MIN)));

  camber_dtype dtypes[1] = {CAMBER_F64}, ints[1] = {CAMBER_I32};
  size_t sizes[1] = {2};
  void *gradients[1] = {g};
  g[0] = 3, g[1] = 4;
  WRONG(7, camber_scaler, S,
        CHECK(camber_scaler_set(S, "initial", 1) == CAMBER_EHANDLE); (void)camber_scaler_scale(S); CHECK(camber_scaler_unscale(S, 1, gradients, dtypes, sizes) == CAMBER_EHANDLE);
        CHECK(camber_scaler_classify(S, 1, (const void *const *)gradients, dtypes, sizes) == CAMBER_EHANDLE);
        (void)camber_scaler_skipped(S); CHECK(camber_scaler_fault(S) == -1 && camber_scaler_tensor(S) == -1 && camber_scaler_message(S) != NULL))
  CHECK(camber_scaler_classify(scaler, 1, NULL, dtypes, sizes) < 0 && camber_scaler_classify(scaler, 1, (const void *const *)gradients, dtypes, sizes) == CAMBER_EINVAL &&
        said(camber_scaler_message(scaler), "classified"));
  CHECK(camber_scaler_set(scaler, "initially", 1) == CAMBER_EINVAL && said(camber_scaler_message(scaler), "initial"));
  CHECK(camber_scaler_set(scaler, "growth", -1) < 0 && camber_scaler_set(scaler, "backoff", 2) < 0 && camber_scaler_set(scaler, "initial", 3) < 0 && camber_scaler_set(scaler, NULL, 3) < 0);
  CHECK(camber_scaler_unscale(scaler, 1, NULL, dtypes, sizes) < 0 && camber_scaler_unscale(scaler, 1, gradients, NULL, sizes) < 0 && camber_scaler_unscale(scaler, 1, gradients, dtypes, NULL) < 0);
  CHECK(camber_scaler_unscale(scaler, 1, no_param, dtypes, sizes) < 0 && camber_scaler_unscale(scaler, 1, gradients, ints, sizes) < 0 && g[0] == 3 && g[1] == 4);
}

static void files(void) {
  const char *const names[1] = {"a"}, *const no_name[1] = {NULL};
  const camber_dtype dtypes[1] = {CAMBER_F64}, wrong[1] = {40};
  const size_t ranks[1] = {1};
  const int64_t shapes[1] = {2}, minus[1] = {-2}, huge[1] = {INT64_MAX};
  const double a[2] = {1, 2};
  const void *const data[1] = {a}, *const no_data[1] = {NULL};
  CHECK(camber_tensors_save(NULL, 1, names, dtypes, ranks, shapes, data) < 0 && camber_tensors_save("/nowhere/x", 1, names, dtypes, ranks, shapes, data) == CAMBER_EIO);
  CHECK(camber_tensors_save(path, 1, NULL, dtypes, ranks, shapes, data) < 0 && camber_tensors_save(path, 1, no_name, dtypes, ranks, shapes, data) < 0);
  CHECK(camber_tensors_save(path, 1, names, NULL, ranks, shapes, data) < 0 && camber_tensors_save(path, 1, names, wrong, ranks, shapes, data) < 0);
  CHECK(camber_tensors_save(path, 1, names, dtypes, NULL, shapes, data) < 0 && camber_tensors_save(path, 1, names, dtypes, ranks, NULL, data) < 0);
  CHECK(camber_tensors_save(path, 1, names, dtypes, ranks, minus, data) < 0 && camber_tensors_save(path, 1, names, dtypes, ranks, huge, data) < 0);
  CHECK(camber_tensors_save(path, 1, names, dtypes, ranks, shapes, NULL) < 0 && camber_tensors_save(path, 1, names, dtypes, ranks, shapes, no_data) < 0);
  CHECK(camber_tensors_count(tensors) == 1);   /* the file and what was read are as they were */
  camber_status s = 99;
  const char *name = "kept";
  WRONG(8, camber_tensors, F, CHECK(camber_tensors_count(F) == 0); CHECK(camber_tensors_get(F, 0, &name, NULL, NULL, NULL, NULL) == CAMBER_EHANDLE))
  CHECK(camber_tensors_get(tensors, 1, &name, NULL, NULL, NULL, NULL) < 0 && camber_tensors_get(tensors, SIZE_MAX, &name, NULL, NULL, NULL, NULL) < 0 && !strcmp(name, "kept"));
  CHECK(camber_tensors_get(tensors, 0, NULL, NULL, NULL, NULL, NULL) <= 0);
  CHECK(camber_tensors_open(NULL, &s) == NULL && s < 0 && camber_tensors_open("/nowhere/x", &s) == NULL && s == CAMBER_EIO && camber_tensors_open("/tmp", &s) == NULL && camber_tensors_open("/nowhere", NULL) == NULL);

  static const struct { const char *text; unsigned long long length; } broken[] = {
    {"", 0}, {"{}", 0}, {"{}", 1000000}, {"{}", ~0ull}, {"{", 1}, {"[]", 2}, {"{\"a\":1}", 7}, {"{\"a\":{}}", 8}, {"\xff\xfe{}", 4},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 54},                          /* no data behind */
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,16]}}0123456789abcdef", 54},          /* shape and offsets differ */
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[-1],\"data_offsets\":[0,8]}}01234567", 54},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 73},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[8,0]}}01234567", 53},
    {"{\"a\":{\"dtype\":\"X9\",\"shape\":[1],\"data_offsets\":[0,8]}}01234567", 52},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[99999999999999999999,8]}}01234567", 72},
    {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 80},
  };
  char bad[80];
  snprintf(bad, sizeof bad, "%s.bad", path);
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    FILE *f = fopen(bad, "wb");
    for (int b = 0; b < 8; b++) fputc((int)(broken[i].length >> 8 * b & 255), f);
    fputs(broken[i].text, f), fclose(f);
    s = 99;
    camber_tensors *read = camber_tensors_open(bad, &s);
    if (!CHECK(read == NULL && s == CAMBER_EIO)) fprintf(stderr, "  broken file %zu\n", i);
    camber_tensors_free(read);
  }
  unlink(bad);
}

#if defined __has_feature /* clang's way of saying it */
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#elif defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED
#endif
/* Sizes that may exist but do not fit into the memory that this process may have: a sanitizer's own does not either. */
static void huge(void) {
  struct rlimit old, limit;
  getrlimit(RLIMIT_AS, &old);
  limit = old, limit.rlim_cur = INT64_C(4) << 30;
#ifndef SANITIZED
  setrlimit(RLIMIT_AS, &limit);
#else
  return;
#endif
  const int64_t shape[1] = {INT64_C(1) << 31};
  camber_node a = camber_input(t, CAMBER_F64, shape, 1), c = camber_cumsum(t, camber_sin(t, a), 0, 0), r = camber_sum(t, camber_mul(t, c, camber_cumsum(t, c, 0, 1)), NULL, 0, 0);
  CHECK(a != CAMBER_NONE && r != CAMBER_NONE);
  camber_program *p = camber_program_new(t, &a, 1, &r, 1);
  if (p) {
    CHECK(camber_program_memory(p) >= (size_t)1 << 33);
    CHECK(camber_workspace_new(p) == NULL);
    camber_program_free(p);
  } else CHECK(camber_tape_status(t) == CAMBER_ENOMEM);
  camber_tape_clear(t);
  camber_node h;
  camber_status s = camber_hessian(t, r, &a, 1, &h);   /* 2^62 elements */
  CHECK(s < 0 && h == CAMBER_NONE && *camber_tape_message(t));
  camber_tape_clear(t);
  camber_node u = camber_random_uniform(t, k, CAMBER_F64, shape, 1), key_in[1] = {k};
  p = camber_program_new(t, key_in, 1, &u, 1);
  camber_program_free(p);
  camber_tape_clear(t);
  double folded = 0;   /* what is constant is not to be unfolded */
  camber_node z = camber_broadcast(t, camber_constant(t, CAMBER_F64, 1), shape, 1), zs;
  CHECK(camber_simplify(t, &z, 1, &zs) == CAMBER_OK && camber_tape_bytes(t) < (size_t)1 << 30);
  (void)folded;
  setrlimit(RLIMIT_AS, &old);
}

int main(void) {
  const int64_t two[2] = {2, 3}, four[1] = {4}, one[1] = {2};
  t = camber_tape_new(), other = camber_tape_new();
  x = camber_input(t, CAMBER_F64, two, 2), y = camber_input(t, CAMBER_F64, four, 1), m = camber_input(t, CAMBER_BOOL, two, 2), k = camber_input(t, CAMBER_I64, NULL, 0);
  w = camber_input(t, CAMBER_F32, two, 2), foreign = camber_input(other, CAMBER_F64, two, 2);
  camber_node s = camber_sin(t, x);
  program = camber_program_new(t, &x, 1, &s, 1), workspace = camber_workspace_new(program), linear = camber_linear_new(t, &x, 1, &s, 1);
  optimizer = camber_optimizer_new("adam"), schedule = camber_schedule_new("cosine"), scaler = camber_scaler_new();
  snprintf(path, sizeof path, "/tmp/camber-bad-%d.safetensors", (int)getpid());
  STATUS(camber_tensors_save(path, 1, (const char *const[]){"a"}, (const camber_dtype[]){CAMBER_F64}, (const size_t[]){1}, one, (const void *const[]){(const double[]){1, 2}}), CAMBER_OK);
  tensors = camber_tensors_open(path, NULL);
  for (int i = 1; i < HANDLES; i++) if (!CHECK(handle(i) != NULL)) return check_done();

  leaves(), rows(), shapes(), reductions(), order(), algebra(), transforms(), running(), training(), files(), huge();
  STATUS(camber_tape_status(t), CAMBER_OK);

  camber_tape_free(t), camber_tape_free(other);   /* everything outlives its tape, and goes in any order */
  double a[6] = {1, 2, 3, 4, 5, 6}, b[6];
  const void *in[1] = {a};
  void *out[1] = {b};
  STATUS(camber_run(program, workspace, in, out), CAMBER_OK);
  NEAR(b[5], sin(6), 1e-15);
  camber_program_free(program), camber_workspace_free(workspace), camber_linear_free(linear);
  camber_schedule_free(schedule), camber_optimizer_free(optimizer), camber_scaler_free(scaler), camber_tensors_free(tensors);
  for (int order = 0; order < 6; order++) {   /* tape, program and workspace in all six orders */
    camber_tape *tape = camber_tape_new();
    camber_node n = camber_input(tape, CAMBER_F64, NULL, 0), e = camber_exp(tape, n);
    camber_program *p = camber_program_new(tape, &n, 1, &e, 1);
    camber_workspace *ws = camber_workspace_new(p);
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int i = 0; i < 3; i++) orders[order][i] == 0 ? camber_tape_free(tape) : orders[order][i] == 1 ? camber_program_free(p) : camber_workspace_free(ws);
    CHECK(1);
  }
  /* free of another kind does nothing */
  camber_tape *tape = camber_tape_new();
  camber_program_free((camber_program *)tape), camber_workspace_free((camber_workspace *)tape), camber_optimizer_free((camber_optimizer *)tape);
  camber_linear_free((camber_linear *)tape), camber_schedule_free((camber_schedule *)tape), camber_scaler_free((camber_scaler *)tape), camber_tensors_free((camber_tensors *)tape);
  CHECK(camber_constant(tape, CAMBER_F64, 1) != CAMBER_NONE);
  camber_tape_free(tape);
  unlink(path);
  return check_done();
}
