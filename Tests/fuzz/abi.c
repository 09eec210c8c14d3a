/* libFuzzer target over the whole C ABI: bytes become calls, valid and invalid, on several tapes, sub-tapes, programs and the rest.
 * Checked after every call: the status is one of the header's, a failure has a sentence, errors stick to their tape, the host's
 * inputs and the guards around its outputs are as they were. Crashes, sanitizer reports, hangs and leaks are libFuzzer's part.
 * FUZZ_TRACE=1 prints the calls of an input. One file, longer than others: the tables of live handles are shared by all callers, and
 * libFuzzer links one target. */
#define _POSIX_C_SOURCE 200809L
#include <camber.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAIL(...) (fprintf(stderr, "abi.c:%d: ", __LINE__), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort())
#define HOLDS(condition) ((condition) ? (void)0 : FAIL("does not hold: %s", #condition))
#define TRACE(...) (trace ? (void)(fprintf(stderr, __VA_ARGS__), fputc('\n', stderr)) : (void)0)
static int trace;
static char directory[] = "/tmp/camber-fuzz-XXXXXX", path[64];

/* ---- Bytes ----------------------------------------------------------------------------------------------------------- */
/* The input, then numbers made from it, `left` in all; then zeros. Turned about, so that a mutator's favourites are ordinary choices. */
static const uint8_t *at, *end;
static size_t left;
static uint64_t made;
static uint32_t byte(void) {
  if (left == 0) return 0;
  left--;
  if (at < end) return (*at++ * 73u + 41u) & 255;
  made ^= made << 13, made ^= made >> 7, made ^= made << 17;
  return made >> 32 & 255;
}
static uint32_t below(uint32_t n) { return n < 2 ? 0 : byte() % n; }
static int one_in(uint32_t n) { return left && byte() % n == n - 1; }
static int64_t odd_number(void) {
  static const int64_t odd[] = {0, 1, -1, 2, -2, 3, 7, 64, INT64_MAX, INT64_MIN, INT64_C(1) << 31, INT64_C(1) << 32, INT64_C(1) << 40, INT64_C(1) << 20,
                                INT64_MAX - 1, INT64_C(1) << 39, (INT64_C(1) << 40) + 1, -64, 33, 255, INT64_C(1) << 62, INT32_MAX, INT32_MIN, INT64_MIN + 1};
  return odd[below(sizeof odd / sizeof *odd)];
}
static double number(void) {
  static const double some[] = {0, 1, -1, 0.5, 2, 3, -0.0, 1e-300, 1e300, 1e-8, 0.9, 65536, 1e40, -3.5};
  uint32_t k = below(20);
  return k < 14 ? some[k] : k == 14 ? 1.0 / 0.0 : k == 15 ? -1.0 / 0.0 : k == 16 ? 0.0 / 0.0 : (double)(int8_t)byte() / 8;
}
static camber_dtype dtype(void) {
  uint32_t k = below(32);
  return k < 14 ? CAMBER_F64 : k < 20 ? CAMBER_F32 : k < 31 ? (camber_dtype)(k - 20) % 7 : (camber_dtype)odd_number();
}
static int64_t axis(int rank) { return one_in(24) ? odd_number() : rank > 0 ? (int64_t)below(2 * (uint32_t)rank) - rank : 0; }

enum { RANKS = 40 };
typedef struct { int64_t n[RANKS]; size_t rank; } shape_t;
static shape_t shape(void) {
  shape_t s = {{0}, 0};
  s.rank = below(8) < 7 ? below(4) : below(RANKS);
  for (size_t i = 0; i < s.rank; i++) {
    uint32_t k = below(20);
    s.n[i] = k < 18 ? 1 + k % 3 : k == 18 ? 0 : odd_number();
  }
  return s;
}
#define P(s) (one_in(64) ? NULL : (s).n)
static size_t rank_of(const shape_t *s) { return one_in(128) ? (size_t)odd_number() : s->rank; }
/* A wrong rank goes with few entries: only ranks that are refused unread are given. */
static size_t claimed(const shape_t *s) {
  size_t r = rank_of(s);
  return r <= RANKS ? s->rank : r;
}

/* ---- Handles ---------------------------------------------------------------------------------------------------------- */
enum { TAPES = 5, PROGRAMS = 3, SPACES = 3, LINEARS = 2, FEW = 2, STALE = 16, NODES = 96, BUFFERS = 24, ROOM = 1 << 14 };
static camber_tape *tapes[TAPES];
static int depth[TAPES];
static camber_program *programs[PROGRAMS];
static camber_workspace *spaces[SPACES];
static int space_of[SPACES], space_old[SPACES];   /* old: its program was replaced */
static camber_linear *linears[LINEARS];
static struct { size_t in, out; size_t in_bytes[BUFFERS], out_bytes[BUFFERS]; } linear_size[LINEARS];
static camber_optimizer *optimizers[FEW];
static size_t parameters[FEW], parameter_bytes[FEW][4];
static camber_schedule *schedules[FEW];
static camber_scaler *scalers[FEW];
static camber_tensors *files[FEW];
static camber_archive *archives[FEW];
static camber_solver *solvers[FEW];
static camber_flow *flows[FEW];
static camber_findings *found[FEW];
static camber_nonfinite *nonfinites[FEW];
static camber_stabilizer *stabilizers[FEW];
static camber_rounding *roundings[FEW];
static camber_check *checks[FEW];
static void *stale[STALE];
static size_t stale_count;
static camber_node nodes[NODES];
static size_t node_count;

static void touch(const char *text);
static void retire(void *p) { if (p) stale[stale_count++ % STALE] = p; }
/* Any pointer that is a handle or was one. */
static void *any_handle(void) {
  switch (below(17)) {
  case 16: return nonfinites[below(FEW)];
  case 13: return flows[below(FEW)];
  case 12: return found[below(FEW)];
  case 15: return roundings[below(FEW)];
  case 14: return checks[below(FEW)];
  case 11: return solvers[below(FEW)];
  case 10: return archives[below(FEW)];
  case 0: return tapes[below(TAPES)];
  case 1: return programs[below(PROGRAMS)];
  case 2: return spaces[below(SPACES)];
  case 3: return linears[below(LINEARS)];
  case 4: return optimizers[below(FEW)];
  case 5: return schedules[below(FEW)];
  case 6: return scalers[below(FEW)];
  case 7: return files[below(FEW)];
  case 8: return stale[below(STALE)];
  default: return NULL;
  }
}
#define PICK(list, count) (one_in(32) ? any_handle() : (void *)(list)[below(count)])

/* ---- What every call must keep to ---------------------------------------------------------------------------------------- */
static unsigned long long calls;   /* of functions that give a status or a node */
static camber_status known(camber_status s) {
  calls++;
  if (s < -16 || s > 8 || !strcmp(camber_status_message(s), "no status of this library")) FAIL("status %d is none of the header's", s);
  return s;
}
static void sentence(const char *text, const char *call) { if (!text || !*text) FAIL("%s failed without a sentence", call); }

static camber_status before;
static char before_text[256];
static void count(void) { fprintf(stderr, "calls: %llu\n", calls); }
static void enter(camber_tape *t) {
  before = camber_tape_status(t);
  snprintf(before_text, sizeof before_text, "%s", camber_tape_message(t));
}
/* After a call that builds on `t`: failed or not, and what it says of it. */
static void leave(camber_tape *t, int failed, const char *call) {
  camber_status s = known(camber_tape_status(t));
  const char *text = camber_tape_message(t);
  if (before && (s != before || strncmp(text, before_text, sizeof before_text - 1))) FAIL("%s: the first error did not stick: %d %s, now %d %s", call, before, before_text, s, text);
  if (before && !failed) FAIL("%s: built on a tape with an error", call);
  if (failed && !s) FAIL("%s: failed and the tape has no error", call);
  if (!failed && s) FAIL("%s: succeeded and the tape says %d %s", call, s, text);
  if (s) sentence(text, call); else if (*text) FAIL("%s: a sentence without an error: %s", call, text);
  if (failed) TRACE("    -> %d %s", s, text);
}
static void keep(camber_tape *t, camber_node n, const char *call) {
  if (n == CAMBER_NONE) return;
  if (camber_node_dtype(t, n) < 0 || camber_node_rank(t, n) < 0 || !strcmp(camber_node_op(t, n), "?")) FAIL("%s: gave %lld, which is no node", call, (long long)n);
  nodes[node_count++ % NODES] = n;
}
#define BUILD(t, call)                                         \
  do {                                                         \
    enter(t);                                                  \
    TRACE("  %s", #call);                                      \
    camber_node built_ = (call);                               \
    leave(t, built_ == CAMBER_NONE, #call);                    \
    keep(t, built_, #call);                                    \
    last = built_;                                             \
  } while (0)
static camber_node last;

static void results(camber_tape *t, camber_status s, const camber_node *out, size_t count, const char *call) {
  known(s);
  if (s == CAMBER_EHANDLE && camber_tape_status(t) == CAMBER_EHANDLE) return;
  leave(t, s != CAMBER_OK, call);
  if (s != camber_tape_status(t)) FAIL("%s: %d is not the tape's status", call, s);
  for (size_t i = 0; out && count <= 16 && i < count; i++) {   /* an absurd count is refused unread and unwritten */
    if ((out[i] == CAMBER_NONE) != (s != CAMBER_OK)) FAIL("%s: status %d and result %zu is %lld", call, s, i, (long long)out[i]);
    keep(t, out[i], call);
  }
}
#define TRANSFORM(t, out, count, call)                         \
  do {                                                         \
    enter(t);                                                  \
    TRACE("  %s", #call);                                      \
    camber_status s_ = (call);                                 \
    results(t, s_, out, count, #call);                         \
  } while (0)

/* ---- Nodes ---------------------------------------------------------------------------------------------------------------- */
static camber_node any(camber_tape *t) {
  uint32_t k = below(128);
  if (k == 0) return CAMBER_NONE;
  if (k == 1) return nodes[below(NODES)] - 1;      /* may be a loop's tuple */
  if (k == 2) return nodes[below(NODES)] ^ (INT64_C(1) << below(63));
  if (k == 3) return odd_number();
  size_t have = node_count < NODES ? node_count : NODES, from = have ? below(256) % have : 0;
  if (k < 8) return have ? nodes[from] : CAMBER_NONE;
  for (size_t i = 0; i < have; i++) if (camber_node_dtype(t, nodes[(from + i) % have]) >= 0) return nodes[(from + i) % have];
  return CAMBER_NONE;
}
static int same_type(camber_tape *t, camber_node a, camber_node b) {
  if (camber_node_dtype(t, a) != camber_node_dtype(t, b) || camber_node_rank(t, a) != camber_node_rank(t, b)) return 0;
  for (int64_t i = 0; i < camber_node_rank(t, a); i++) if (camber_node_dim(t, a, i) != camber_node_dim(t, b, i)) return 0;
  return 1;
}
/* Another node of the type of `a`, most of the time. */
static camber_node like(camber_tape *t, camber_node a) {
  size_t have = node_count < NODES ? node_count : NODES, from = have ? below(256) % have : 0;
  if (one_in(16)) return any(t);
  for (size_t i = 0; i < have; i++) {
    camber_node b = nodes[(from + i) % have];
    if (camber_node_dtype(t, b) >= 0 && same_type(t, a, b)) return b;
  }
  return a;
}
static camber_node of_dtype(camber_tape *t, camber_dtype d, int scalar) {
  size_t have = node_count < NODES ? node_count : NODES, from = have ? below(256) % have : 0;
  for (size_t i = 0; i < have; i++) {
    camber_node b = nodes[(from + i) % have];
    if (camber_node_dtype(t, b) == d && (!scalar || camber_node_rank(t, b) == 0)) return b;
  }
  return any(t);
}
static double elements(const camber_tape *t, camber_node n) {
  double count = 1;
  for (int64_t i = 0; i < camber_node_rank(t, n); i++) count *= (double)camber_node_dim(t, n, i);
  return count;
}
/* Elements of all nodes of a tape, as far as a run may visit them. */
static double work(camber_tape *t) {
  double sum = 0;
  camber_node some = CAMBER_NONE;
  for (size_t i = 0; i < NODES && some < 0; i++) if (camber_node_dtype(t, nodes[i]) >= 0) some = nodes[i];
  size_t have = node_count < NODES ? node_count : NODES;
  for (size_t i = 0; i < have; i++) {
    if (camber_node_dtype(t, nodes[i]) < 0) continue;
    /* every serial number seen: this tape's and its outer ones' */
    sum += elements(t, nodes[i]);
  }
  if (some >= 0)
    for (size_t i = 0; i < camber_tape_node_count(t); i++) {
      camber_node n = (some >> 32 << 32) | (camber_node)i;
      if (camber_node_dtype(t, n) >= 0) sum += elements(t, n);
    }
  return sum;
}
static int is_small(camber_tape *t) { return camber_tape_node_count(t) < 1200; }
/* For what runs at once whatever the tape holds: loops of 2^30 steps are sound, and take their time. */
static int is_light(camber_tape *t) { return is_small(t) && work(t) < 1e5; }

typedef camber_node (*unary_t)(camber_tape *, camber_node);
typedef camber_node (*binary_t)(camber_tape *, camber_node, camber_node);
typedef camber_node (*ternary_t)(camber_tape *, camber_node, camber_node, camber_node);
#define X(name, class, value) camber_##name,
static const unary_t unaries[] = {CAMBER_UNARY_OPS(X)};
static const binary_t binaries[] = {CAMBER_BINARY_OPS(X)};
static const ternary_t ternaries[] = {CAMBER_TERNARY_OPS(X)};
#undef X
#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof *(list)))

static uint8_t data[4096];
static void fill(void *p, size_t bytes, camber_dtype d) {
  static const double good[] = {0.5, -1.25, 2, 0, 1, 3.5, -0.0, 1e-3, 0.25, -2};
  static const double bad[] = {0.0 / 0.0, 1.0 / 0.0, -1e300, 1e-310};
  size_t size = camber_dtype_size(d);
  for (size_t i = 0; i < bytes / (size ? size : 1); i++) {
    double v = one_in(12) ? bad[below(4)] : good[left ? below(10) : i % 10];
    char *q = (char *)p + i * size;
    switch (d) {
    case CAMBER_F64: memcpy(q, &v, 8); break;
    case CAMBER_F32: { float f = (float)v; memcpy(q, &f, 4); } break;
    case CAMBER_I64: { int64_t n = (int64_t)below(6) - 1; memcpy(q, &n, 8); } break;
    case CAMBER_I32: { int32_t n = (int32_t)below(6) - 1; memcpy(q, &n, 4); } break;
    case CAMBER_BOOL: *q = (char)(below(2)); break;
    default: { uint16_t h = (uint16_t)(0x3C00 + 64 * i); memcpy(q, &h, 2); } break;
    }
  }
}

/* ---- Builders --------------------------------------------------------------------------------------------------------------- */
static void scan(int k);
static void control(int k);
static int64_t some_integer(void);

/* What most programs begin with. */
static void furnish(camber_tape *t) {
  static const struct { camber_dtype d; int64_t n[3]; size_t rank; } some[] = {
    {CAMBER_F64, {0}, 0}, {CAMBER_F64, {3}, 1}, {CAMBER_F64, {2, 3}, 2}, {CAMBER_F64, {3, 3}, 2}, {CAMBER_F32, {2, 3}, 2}, {CAMBER_I64, {0}, 0}, {CAMBER_I64, {2}, 1},
    {CAMBER_BOOL, {2, 3}, 2}, {CAMBER_F64, {2, 3, 3}, 3}, {CAMBER_BF16, {3}, 1}, {CAMBER_F16, {2, 3}, 2}, {CAMBER_F64, {2, 0}, 2},
    {CAMBER_F64, {40, 50}, 2}, {CAMBER_F32, {4000}, 1}};
  for (uint32_t i = 0, n = below(5); i < n; i++) {
    uint32_t k = below(16) % 14;
    keep(t, camber_input(t, some[k].d, some[k].n, some[k].rank), "input");
  }
}

static void leaf(camber_tape *t) {
  shape_t s = shape();
  camber_dtype d = dtype();
  int64_t axis_ = axis((int)s.rank);
  switch (below(8)) {
  case 0: case 1: case 2: { const int64_t *p = P(s); size_t r = claimed(&s); BUILD(t, camber_input(t, d, p, r)); } break;
  case 3: { double v = number(); BUILD(t, camber_constant(t, d, v)); } break;
  case 4: { int64_t v = one_in(2) ? odd_number() : (int64_t)below(5); BUILD(t, camber_integer(t, d, v)); } break;
  case 5: {
    const int64_t *p = P(s);
    double count = (double)camber_dtype_size(d);
    for (size_t i = 0; i < s.rank; i++) count *= (double)(s.n[i] < 0 ? 1 : s.n[i]);
    const void *from = count > sizeof data || one_in(32) ? NULL : data;
    if (from) fill(data, (size_t)count, d);
    BUILD(t, camber_array(t, d, p, s.rank, from));
  } break;
  default: { const int64_t *p = P(s); BUILD(t, camber_iota(t, d, p, s.rank, axis_)); } break;
  }
}

static void elementwise(camber_tape *t) {
  camber_node x = any(t), y = like(t, x), z = like(t, x);
  switch (below(8)) {
  case 0: case 1: case 2: { unary_t f = unaries[below(COUNT(unaries))]; BUILD(t, f(t, x)); } break;
  case 3: case 4: case 5: { binary_t f = binaries[below(COUNT(binaries))]; BUILD(t, f(t, x, y)); } break;
  case 6: {
    ternary_t f = ternaries[below(COUNT(ternaries))];
    if (one_in(2)) { BUILD(t, camber_lt(t, x, y)); x = last >= 0 ? last : x; }
    BUILD(t, f(t, x, y, z));
  } break;
  default: {
    camber_node in[3] = {x, y, z};
    const char *name = one_in(16) ? NULL : one_in(16) ? "no such row" : camber_op_name(below(80));
    size_t count = below(5);
    const camber_node *p = one_in(32) ? NULL : in;
    if (count == 4) count = p ? 2 : (size_t)odd_number();
    if (count > 3) count = 3;
    BUILD(t, camber_apply(t, name, p, count));
  } break;
  }
}

static void move(camber_tape *t) {
  camber_node x = any(t), y = any(t);
  int rank = (int)camber_node_rank(t, x);
  shape_t s = shape();
  if (rank < 0) rank = 0;
  if (rank > RANKS) return;
  int64_t a = axis(rank);
  switch (below(14)) {
  case 0: { camber_dtype d = dtype(); BUILD(t, camber_cast(t, x, d)); } break;
  case 1: {
    if (one_in(2)) s.rank = 1, s.n[0] = -1;
    else if (s.rank) s.n[below((uint32_t)s.rank)] = -1;
    const int64_t *p = P(s);
    size_t r = claimed(&s);
    BUILD(t, camber_reshape(t, x, p, r));
  } break;
  case 2: {
    if (!one_in(8) && rank + 1 < RANKS) {
      s.rank = (size_t)rank + below(2);
      for (size_t i = 0; i < s.rank; i++) {
        int64_t from = (int64_t)i - (int64_t)s.rank + rank, n = from >= 0 ? camber_node_dim(t, x, from) : 2;
        s.n[i] = n == 1 ? 1 + (int64_t)below(3) : n;
      }
    }
    const int64_t *p = P(s);
    BUILD(t, camber_broadcast(t, x, p, s.rank));
  } break;
  case 3: {
    for (int i = 0; i < rank; i++) s.n[i] = i;
    if (rank > 1) { int i = (int)below((uint32_t)rank), j = (int)below((uint32_t)rank); int64_t n = s.n[i]; s.n[i] = s.n[j], s.n[j] = n; }
    if (one_in(12)) s.n[0] = odd_number();
    const int64_t *p = one_in(4) ? NULL : s.n;
    BUILD(t, camber_transpose(t, x, p, (size_t)rank));
  } break;
  case 4: case 5: {
    int64_t start[RANKS], stop[RANKS], step[RANKS];
    for (int i = 0; i < rank; i++) {
      int64_t n = camber_node_dim(t, x, i);
      start[i] = one_in(24) ? odd_number() : below((uint32_t)(n < 4 ? n + 1 : 4)), stop[i] = one_in(24) ? odd_number() : n - (int64_t)below(2);
      step[i] = one_in(8) ? odd_number() : 1 + below(2);
      if (one_in(6)) step[i] = step[i] == INT64_MIN ? -1 : -step[i] | 1, stop[i] = -1, start[i] = n - 1;
    }
    const int64_t *p = one_in(64) ? NULL : start;
    BUILD(t, camber_slice(t, x, p, stop, step, (size_t)rank));
  } break;
  case 6: {
    int64_t low[RANKS], high[RANKS], inside[RANKS];
    for (int i = 0; i < rank; i++) low[i] = one_in(24) ? odd_number() : below(3), high[i] = one_in(24) ? odd_number() : below(3), inside[i] = one_in(8) ? odd_number() : below(2);
    BUILD(t, camber_pad(t, x, low, high, inside, (size_t)rank));
  } break;
  case 7: case 8: {
    camber_node parts[4] = {x, like(t, x), like(t, x), y};
    size_t count = below(5);
    int stacked = (int)below(2);
    const camber_node *p = one_in(32) ? NULL : parts;
    if (stacked) BUILD(t, camber_stack(t, p, count, a)); else BUILD(t, camber_concat(t, p, count, a));
  } break;
  case 9: { y = of_dtype(t, CAMBER_I64, 0); BUILD(t, camber_gather(t, x, y, a)); } break;
  case 10: {
    y = of_dtype(t, CAMBER_I64, 0);
    camber_node g = camber_gather(t, x, y, a);
    if (g == CAMBER_NONE) return;
    BUILD(t, camber_scatter_add(t, x, y, g, a));
  } break;
  case 11: { camber_node z = any(t); BUILD(t, camber_scatter_add(t, x, y, z, a)); } break;
  default: { int64_t n = one_in(8) ? odd_number() : below(5); camber_dtype d = dtype(); y = of_dtype(t, CAMBER_I64, 0); BUILD(t, camber_one_hot(t, y, n, d)); } break;
  }
}

static void reduce(camber_tape *t) {
  camber_node x = any(t);
  int rank = (int)camber_node_rank(t, x);
  int64_t axes[4] = {axis(rank), axis(rank), axis(rank), 0}, a = axes[0];
  size_t count = one_in(32) ? (size_t)odd_number() : rank > 0 ? below(3) : 0;
  const int64_t *p = one_in(3) ? NULL : axes;
  if (p && count > 4 && count <= 32) count = 4;
  int32_t keep_ = (int32_t)below(2);
  typedef camber_node (*fold_t)(camber_tape *, camber_node, const int64_t *, size_t, int32_t);
  static const fold_t folds[] = {camber_sum, camber_mean, camber_prod, camber_max, camber_min, camber_any, camber_all, camber_logsumexp, camber_norm};
  typedef camber_node (*along_t)(camber_tape *, camber_node, int64_t);
  static const along_t alongs[] = {camber_argmax, camber_argmin, camber_softmax, camber_log_softmax};
  uint32_t k = below(14);
  if (k < COUNT(folds)) BUILD(t, folds[k](t, x, p, count, keep_));
  else if (k == 13) BUILD(t, camber_cumsum(t, x, a, keep_));
  else BUILD(t, alongs[k - COUNT(folds)](t, x, a));
}

static void factors(camber_tape *t, camber_node x, camber_node y, camber_node z, int32_t f) {
  typedef camber_node (*one_t)(camber_tape *, camber_node);
  static const one_t ones[] = {camber_inv, camber_det, camber_svdvals, camber_expm, camber_sqrtm};
  static const char *const orders[] = {"fro", "nuc", "2", "-2", "1", "-1", "inf", "-inf", "", "3", NULL};
  camber_node out[3] = {CAMBER_NONE, CAMBER_NONE, CAMBER_NONE};
  const char *ord = orders[below(COUNT(orders))];
  int64_t n = one_in(8) ? odd_number() : below(4) - 1, m = below(3);
  double c = one_in(2) ? -1 : number();
  camber_status s = CAMBER_OK;
  enter(t);
  switch (below(18)) {
  case 0: s = camber_slogdet(t, x, one_in(32) ? NULL : out); break;
  case 1: s = camber_lu(t, x, out); break;
  case 2: s = camber_qr(t, x, f & 1, out); break;
  case 3: s = camber_eigh(t, x, f & 1, out); break;
  case 4: s = camber_eigh_generalized(t, x, y, out); break;
  case 5: s = camber_svd(t, x, f & 1, out); break;
  case 6: BUILD(t, camber_eigvalsh(t, x, f & 1)); return;
  case 7: BUILD(t, camber_lstsq(t, x, y)); return;
  case 8: BUILD(t, camber_pinv(t, x, c)); return;
  case 9: BUILD(t, camber_cholesky_solve(t, x, y)); return;
  case 10: BUILD(t, camber_matrix_power(t, x, n)); return;
  case 11: BUILD(t, camber_kron(t, x, y)); return;
  case 12: if (f & 1) BUILD(t, camber_sylvester(t, x, y, z)); else BUILD(t, camber_lyapunov(t, x, y, f & 2)); return;
  case 13: if (f & 1) BUILD(t, camber_solve_banded(t, x, y, n, m)); else BUILD(t, camber_solve_tridiagonal(t, x, y, z, x)); return;
  case 14: BUILD(t, camber_matrix_norm(t, x, ord)); return;
  case 15: BUILD(t, camber_matrix_cond(t, x, ord)); return;
  case 16: BUILD(t, camber_matrix_rank(t, x, c)); return;
  default: BUILD(t, ones[below(COUNT(ones))](t, x)); return;
  }
  if (known(s) != CAMBER_EHANDLE) leave(t, s != CAMBER_OK, "factors");
  for (int i = 0; i < 3; i++) {
    if (s != CAMBER_OK && out[i] != CAMBER_NONE) FAIL("factors: status %d and result %d is %lld", s, i, (long long)out[i]);
    keep(t, out[i], "factors");
  }
}

static void algebra(camber_tape *t) {
  camber_node x = any(t), y = one_in(2) ? like(t, x) : any(t), z = like(t, y);
  int32_t f = (int32_t)byte();
  switch (below(12)) {
  case 7: case 8: case 9: factors(t, x, y, z, f); break;
  case 0: case 1: BUILD(t, camber_matmul(t, x, y)); break;
  case 2: {
    static const char *const some[] = {"ij,jk->ik", "i,i", "ij->ji", "ii->i", "bij,bjk->bik", "ij", "i->", ",->", "", "...", "ij,jk,kl->il", "i,j->ij", "->", "iij->j", "é", "i->ii", "a->b", "ij->ij->i"};
    char text[24];
    const char *p = some[below(COUNT(some))];
    if (one_in(3)) {
      for (int i = 0; i < 23; i++) text[i] = "ijk,->zA. "[below(10)];
      text[below(24)] = 0, text[23] = 0, p = text;
    }
    if (one_in(32)) p = NULL;
    camber_node in[3] = {x, y, z};
    size_t count = below(4);
    BUILD(t, camber_einsum(t, p, in, count));
  } break;
  case 3: BUILD(t, camber_cholesky(t, x)); break;
  case 4: BUILD(t, camber_triangular_solve(t, x, y, f & 1, f & 2, f & 4)); break;
  case 5: BUILD(t, camber_solve(t, x, y)); break;
  case 6: {
    camber_node key = of_dtype(t, CAMBER_I64, 1);
    shape_t s = shape();
    camber_dtype d = dtype();
    const int64_t *p = P(s);
    if (f & 1) BUILD(t, camber_random_uniform(t, key, d, p, s.rank)); else BUILD(t, camber_random_normal(t, key, d, p, s.rank));
  } break;
  default: { camber_node key = of_dtype(t, CAMBER_I64, 1); double r = one_in(2) ? 0.5 : number(); BUILD(t, camber_dropout(t, x, key, r)); } break;
  }
}

static void derive(camber_tape *t) {
  if (!is_small(t)) return;
  camber_node y[3], x[3], v[3], out[16];
  size_t m = 1 + below(2), n = 1 + below(2);
  if (one_in(24)) m = 0;
  if (one_in(24)) n = 0;
  for (int i = 0; i < 3; i++) y[i] = any(t), x[i] = any(t);
  if (one_in(2)) {
    BUILD(t, camber_sum(t, y[0], NULL, 0, 0));
    y[0] = last >= 0 ? last : y[0];
  }
  for (int i = 0; i < 16; i++) out[i] = 12345;
  camber_node *o = one_in(48) ? NULL : out;
  const camber_node *px = one_in(64) ? NULL : x, *py = one_in(64) ? NULL : y;
  double limit = number();
  uint32_t k = below(16);
  size_t count = one_in(64) ? ((size_t)1 << 28) + 1 + below(3) : 0;   /* absurd counts: refused before they are read */
  if (count) m = n = count;
  for (int i = 0; i < 3; i++) v[i] = like(t, k == 0 || k == 4 || k == 8 ? x[i] : y[i]);
  switch (k) {
  case 0: TRANSFORM(t, o, m, camber_jvp(t, py, m, px, v, n, o)); break;
  case 1: TRANSFORM(t, o, n, camber_vjp(t, py, v, m, px, n, o)); break;
  case 2: TRANSFORM(t, o, n, camber_linear_transpose(t, py, v, m, px, n, o)); break;
  case 3: TRANSFORM(t, o, n, camber_grad(t, y[0], px, n, o)); break;
  case 4: TRANSFORM(t, o, n, camber_hvp(t, y[0], px, v, n, o)); break;
  case 5: { int32_t mode = one_in(24) ? 7 : (int32_t)below(3); TRANSFORM(t, o, m * n, camber_jacobian(t, py, m, px, n, mode, o)); } break;
  case 6: TRANSFORM(t, o, n * n, camber_hessian(t, y[0], px, n, o)); break;
  case 7: {
    int64_t size = one_in(16) ? odd_number() : below(4);
    for (size_t i = 0; i < n && i < 3; i++) {
      int64_t s[RANKS + 1];
      int64_t r = camber_node_rank(t, x[i]);
      if (r < 0 || r >= RANKS) continue;
      s[0] = size;
      for (int64_t j = 0; j < r; j++) s[j + 1] = camber_node_dim(t, x[i], j);
      if (one_in(8)) continue;
      BUILD(t, camber_input(t, camber_node_dtype(t, x[i]), s, (size_t)r + 1));
      v[i] = last;
      if (last == CAMBER_NONE) camber_tape_clear(t);
    }
    TRANSFORM(t, o, m, camber_batch(t, py, m, px, v, n, size, o));
  } break;
  case 8: TRANSFORM(t, o, m, camber_substitute(t, py, m, px, v, n, o)); break;
  case 9: case 10: TRANSFORM(t, o, m, camber_simplify(t, py, m, o)); break;
  case 11: { camber_dtype c = dtype(), d = dtype(); TRANSFORM(t, o, m, camber_precision(t, py, m, px, n, c, d, o)); } break;
  case 12: if (m & 1) BUILD(t, camber_l1_penalty(t, py, m)); else BUILD(t, camber_l2_penalty(t, py, m)); break;
  case 13: TRANSFORM(t, o, m, camber_clip_by_global_norm(t, py, m, limit, o)); break;
  case 14: TRANSFORM(t, o, m, camber_clip_by_value(t, py, m, limit, o)); break;
  default: TRANSFORM(t, o, m, camber_clip_by_norm(t, py, m, limit, o)); break;
  }
}

/* One call on tape k. */
static void call(int k) {
  camber_tape *t = tapes[k];
  if (one_in(48)) t = any_handle();
  if (camber_tape_status(t) != CAMBER_OK && camber_tape_status(t) != CAMBER_EHANDLE && !one_in(6))
    HOLDS(camber_tape_clear(t) == CAMBER_OK && camber_tape_status(t) == CAMBER_OK && !*camber_tape_message(t));
  switch (below(24)) {
  case 0: case 1: case 2: case 3: leaf(t); break;
  case 4: case 5: case 6: case 7: case 8: elementwise(t); break;
  case 9: case 10: case 11: case 12: move(t); break;
  case 13: case 14: case 15: reduce(t); break;
  case 16: case 17: algebra(t); break;
  case 18: case 19: case 20: derive(t); break;
  case 21: if (one_in(2)) scan(k); else control(k); break;
  case 22: {
    camber_node x[2] = {any(t), any(t)}, y[2] = {any(t), any(t)};
    enter(t);
    uint64_t h = camber_tape_hash(t, x, 2, y, below(3));
    leave(t, h == 0, "camber_tape_hash");
  } break;
  default: {
    camber_node n = any(t);
    int64_t s[64], r = camber_node_rank(t, n);
    if (r > 64) break;
    camber_status got = known(camber_node_shape(t, n, one_in(16) ? NULL : s));
    HOLDS(got != CAMBER_OK || r >= 0);
    HOLDS(camber_node_dim(t, n, odd_number()) >= -1);
    (void)camber_tape_bytes(t), (void)camber_node_op(t, n);
    size_t i = one_in(3) ? (size_t)odd_number() : below(90);
    double low, high;
    HOLDS((camber_op_name(i) != NULL) == (i < camber_op_count()) && (camber_op_class(i) != NULL) == (i < camber_op_count()));
    HOLDS(camber_op_arity(i) <= 3 && known(camber_op_domain(i, below(4), &low, &high)) <= 0 && *camber_status_message((camber_status)odd_number()));
    (void)camber_op_ulp(i), (void)camber_dtype_name((camber_dtype)odd_number());
  } break;
  }
}

/* ---- Loops ---------------------------------------------------------------------------------------------------------------------- */
static int open_depth;
static void scan(int k) {
  camber_tape *t = tapes[k];
  int b = (int)below(TAPES);
  if (!t || !is_small(t) || open_depth > 2) return;
  if (one_in(6)) {   /* any arguments */
    camber_node x[4] = {any(t), any(t), any(t), any(t)}, y[4] = {any(t), any(t), any(t), any(t)}, out[4] = {1, 1, 1, 1};
    size_t c = below(3), n = below(3), m = below(2);
    if (one_in(8)) c = (size_t)odd_number();
    if (c > 2) c = SIZE_MAX - c % 8;
    int64_t length = one_in(2) ? odd_number() : 2;
    camber_tape *body = PICK(tapes, TAPES);
    if (length > 64 && length < INT64_C(1) << 40) return;
    enter(t);
    camber_status s = camber_scan(t, body, x, y, c, y, n, x, m, length, (int32_t)below(2), one_in(32) ? NULL : out);
    known(s);
    leave(t, s != CAMBER_OK, "camber_scan");
    return;
  }
  if (b == k) return;
  if (camber_tape_status(t)) return;
  camber_tape *body = camber_tape_sub(t);
  HOLDS(body);
  retire(tapes[b]), camber_tape_free(tapes[b]);
  tapes[b] = body, depth[b] = depth[k] + 1;
  size_t carries = below(3), xs = below(2), ys = below(2), length = below(4);
  camber_node init[3], x[2], in[5], out[5], result[5];
  int64_t s[RANKS + 1];
  for (size_t i = 0; i < carries; i++) {
    init[i] = any(t);
    int64_t r = camber_node_rank(t, init[i]);
    if (r < 0 || r > RANKS) return;
    for (int64_t j = 0; j < r; j++) s[j] = camber_node_dim(t, init[i], j);
    in[i] = camber_input(body, camber_node_dtype(t, init[i]), s, (size_t)r);
    keep(body, in[i], "body input");
  }
  for (size_t i = 0; i < xs; i++) {
    x[i] = any(t);
    int64_t r = camber_node_rank(t, x[i]);
    if (r < 1 || r > RANKS) { xs = i; break; }
    int64_t n = camber_node_dim(t, x[i], 0);
    if (n > 8) { xs = i; break; }
    if (i > 0 && (size_t)n != length) { xs = i; break; }
    length = (size_t)n;
    for (int64_t j = 1; j < r; j++) s[j - 1] = camber_node_dim(t, x[i], j);
    in[carries + i] = camber_input(body, camber_node_dtype(t, x[i]), s, (size_t)r - 1);
    keep(body, in[carries + i], "body input");
  }
  open_depth++;
  for (uint32_t i = 0, n = below(8); i < n; i++) call(b);
  open_depth--;
  if (tapes[b] != body || tapes[k] != t) return;
  for (size_t i = 0; i < carries; i++) out[i] = one_in(16) ? any(body) : like(body, in[i]);
  for (size_t i = 0; i < ys; i++) out[carries + i] = any(body);
  TRACE("scan of %zu carries, %zu xs, %zu ys, length %zu", carries, xs, ys, length);
  int64_t slots = one_in(16) ? odd_number() : (int64_t)below(4);
  if (one_in(2)) TRANSFORM(t, result, carries + ys, camber_scan_slots(t, body, in, out, carries, init, xs, x, ys, (int64_t)length, (int32_t)below(2), slots, result));
  else TRANSFORM(t, result, carries + ys, camber_scan(t, body, in, out, carries, init, xs, x, ys, (int64_t)length, (int32_t)below(2), result));
}

/* A sub-tape of `t` in place of tape b, with a few calls on it; NULL where another took its place. */
static camber_tape *branch(int k, int b, camber_node like_, camber_node *result) {
  camber_tape *t = tapes[k], *body = camber_tape_sub(t);
  if (!body) return NULL;
  retire(tapes[b]), camber_tape_free(tapes[b]);
  tapes[b] = body, depth[b] = depth[k] + 1;
  open_depth++;
  for (uint32_t i = 0, n = below(5); i < n; i++) call(b);
  open_depth--;
  if (tapes[b] != body || tapes[k] != t) return NULL;
  if (!one_in(12)) camber_tape_clear(body);
  *result = one_in(12) ? any(body) : like(body, like_);
  return body;
}

/* cond, switch, while and map over sub-tapes; loops end by their number of steps. */
static void control(int k) {
  camber_tape *t = tapes[k];
  if (!t || !is_small(t) || open_depth > 2 || camber_tape_status(t)) return;
  camber_node x = any(t), y[3], in, out[3];
  int b = (k + 1) % TAPES, c = (k + 2) % TAPES;
  int64_t s[RANKS + 1], r = camber_node_rank(t, x);
  if (r < 0 || r > RANKS) return;
  for (int64_t j = 0; j < r; j++) s[j] = camber_node_dim(t, x, j);
  uint32_t kind = below(4);
  if (kind < 2) {
    camber_tape *first = branch(k, b, x, &y[0]), *second = first ? branch(k, c, x, &y[1]) : NULL;
    if (!second || tapes[b] != first) return;
    camber_node choice = one_in(16) ? any(t) : of_dtype(t, kind ? CAMBER_I64 : CAMBER_BOOL, 1);
    if (kind && one_in(2)) { BUILD(t, camber_integer(t, CAMBER_I64, some_integer())); choice = last >= 0 ? last : choice; }
    if (!kind && one_in(2)) { BUILD(t, camber_integer(t, CAMBER_BOOL, below(2))); choice = last >= 0 ? last : choice; }
    if (kind) {
      camber_tape *const list[3] = {first, second, one_in(8) ? any_handle() : first};
      y[2] = y[0];
      size_t n = one_in(24) ? SIZE_MAX : below(4);
      TRANSFORM(t, out, 1, camber_switch(t, choice, n, one_in(24) ? NULL : list, one_in(24) ? NULL : y, 1, out));
    } else TRANSFORM(t, out, 1, camber_cond(t, choice, first, y, second, y + 1, 1, out));
    return;
  }
  camber_tape *body = camber_tape_sub(t);
  if (!body) return;
  retire(tapes[b]), camber_tape_free(tapes[b]);
  tapes[b] = body, depth[b] = depth[k] + 1;
  if (kind == 3 && (r == 0 || s[0] > 8)) return;
  in = camber_input(body, camber_node_dtype(t, x), kind == 3 ? s + 1 : s, (size_t)(kind == 3 ? r - 1 : r));
  keep(body, in, "body input");
  open_depth++;
  for (uint32_t i = 0, n = below(6); i < n; i++) call(b);
  open_depth--;
  if (tapes[b] != body || tapes[k] != t) return;
  if (!one_in(12)) camber_tape_clear(body);
  y[0] = one_in(12) ? any(body) : like(body, in);
  if (kind == 3) { TRANSFORM(t, out, 1, camber_map(t, body, &in, y, 1, &x, 1, one_in(8) ? odd_number() : (int64_t)below(4), out)); return; }
  camber_node go = one_in(8) ? any(body) : of_dtype(body, CAMBER_BOOL, 1);
  if (one_in(2)) go = camber_integer(body, CAMBER_BOOL, below(2));
  TRANSFORM(t, out, 1, camber_while(t, body, &in, go, y, 1, &x, one_in(12) ? INT64_MIN : (int64_t)below(4), one_in(12) ? odd_number() : (int64_t)below(4), out));
}

#ifdef CAMBER_ANY_COUNT
/* The host's own: functions that fail at times, derivatives as numbers or as nodes. What is retained is let go. */
typedef struct { size_t in, out; uint32_t fails; } host_t;
static host_t hosts[4];
static int held;
static void hold(void *p) { (void)p, held++; }
static void let_go(void *p) { (void)p, held--; }
static void write_zeros(camber_call *c, size_t first, size_t n, void *const *y) {
  for (size_t k = 0; k < n; k++) if (y[k]) memset(y[k], 0, camber_call_size(c, first + k) * camber_dtype_size(camber_call_dtype(c, first + k)));
}
static camber_status host_value(void *payload, camber_call *c, const void *const *x, void *const *y) {
  const host_t *h = payload;
  HOLDS(x && camber_call_dtype(c, h->in) >= 0 && camber_call_rank(c, h->in) >= 0 && camber_call_dtype(c, SIZE_MAX) == -1 && camber_call_dim(c, 0, 77) == -1);
  HOLDS(camber_call_batch(c) >= -1 && (camber_call_batch(c) >= 0 || !camber_call_is_batched(c, 0)));
  write_zeros(c, h->in, h->out, y);
  return h->fails == 1 ? camber_call_fail(c, "refused") : h->fails == 2 ? CAMBER_NONFINITE : h->fails == 3 ? CAMBER_EINVAL : CAMBER_OK;
}
static camber_status host_jvp(void *payload, camber_call *c, const void *const *x, const void *const *y, const void *const *dx, void *const *dy) {
  const host_t *h = payload;
  (void)x, (void)y, (void)dx;
  write_zeros(c, 2 * h->in + h->out, h->out, dy);
  return CAMBER_OK;
}
static camber_status host_vjp(void *payload, camber_call *c, const void *const *x, const void *const *y, const void *const *dy, void *const *dx) {
  const host_t *h = payload;
  (void)x, (void)y, (void)dy;
  write_zeros(c, h->in + 2 * h->out, h->in, dx);
  return CAMBER_OK;
}
static camber_status host_nodes(void *payload, camber_tape *t, const camber_node *x, const camber_node *y, const camber_node *d, camber_node *results) {
  const host_t *h = payload;
  (void)x, (void)y;
  results[0] = h->fails == 4 ? CAMBER_NONE : camber_sin(t, d[0]);
  return h->fails == 5 ? CAMBER_EINVAL : CAMBER_OK;
}
static void host(camber_tape *t) {
  if (!is_small(t)) return;
  size_t m = 1 + below(2), n = 1 + below(2);
  host_t *h = &hosts[2 * m + n - 3];   /* one for all of these numbers: it outlives this call */
  camber_node x[2] = {any(t), CAMBER_NONE}, y[2] = {0, 0};
  x[1] = like(t, x[0]);
  h->in = m, h->out = n, h->fails = below(12);
  struct { camber_operator op; unsigned char newer[200]; } table = {0};   /* room for any size that it may claim */
  table.op = (camber_operator){sizeof table.op, one_in(16) ? NULL : "mine", h->in, h->out, (int32_t)below(2), h, hold, let_go, NULL, one_in(16) ? NULL : host_value, NULL, NULL, NULL, NULL, NULL, NULL};
  switch (below(6)) {
  case 0: table.op.jvp_nodes = host_nodes; break;
  case 1: table.op.vjp_nodes = host_nodes; break;
  case 2: table.op.jvp = host_jvp; break;
  case 3: table.op.vjp = host_vjp; break;
  case 4: table.op.batch = host_value; break;
  default: break;
  }
  if (one_in(24)) {
    table.op.size = below(200);
    table.newer[below(200)] = (unsigned char)below(2);
  }
  if (one_in(3)) {
    camber_tape *body = camber_tape_sub(t);
    if (!body) return;
    int64_t s[RANKS], r = camber_node_rank(t, x[0]);
    for (int64_t j = 0; j < r && j < RANKS; j++) s[j] = camber_node_dim(t, x[0], j);
    camber_node in = r >= 0 && r <= RANKS ? camber_input(body, camber_node_dtype(t, x[0]), s, (size_t)r) : CAMBER_NONE, out = camber_square(body, in);
    camber_rule rule = {sizeof rule, "rule", h, hold, let_go, one_in(2) ? host_nodes : NULL, one_in(2) ? host_nodes : NULL, NULL, NULL, NULL, NULL, NULL, NULL};
    TRANSFORM(t, y, 1, camber_custom(t, body, &in, &out, x, 1, one_in(24) ? NULL : &rule, y, 1));
    camber_tape_free(body);
    return;
  }
  TRANSFORM(t, y, h->out, camber_host_call(t, one_in(24) ? NULL : &table.op, x, h->in, y, h->out));
}
#else
static void host(camber_tape *t) { (void)t; }
static int held;
#endif

/* ---- Programs ------------------------------------------------------------------------------------------------------------------ */
enum { GUARD = 64 };
static uint8_t memory[2 * BUFFERS][ROOM + 2 * GUARD], copy_[BUFFERS][ROOM];
static uint8_t *guarded(size_t k, size_t bytes, size_t shift) {
  memset(memory[k], 0xA5, GUARD + shift);
  memset(memory[k] + GUARD + shift + bytes, 0xA5, GUARD);
  return memory[k] + GUARD + shift;
}
static void check_guard(size_t k, size_t bytes, size_t shift) {
  for (size_t i = 0; i < GUARD + shift; i++) HOLDS(memory[k][i] == 0xA5);
  for (size_t i = 0; i < GUARD; i++) HOLDS(memory[k][GUARD + shift + bytes + i] == 0xA5);
}

static int small_enough[PROGRAMS];
static int alias_of[PROGRAMS][BUFFERS];

static void compile(int k) {
  if (!tapes[k]) k = (int)below(2);
  camber_tape *t = tapes[k];
  if (!t) return;
  if (!one_in(12)) camber_tape_clear(t);
  camber_node in[BUFFERS], out[4];
  size_t n = 0, m = 1 + below(3), have = node_count < NODES ? node_count : NODES;
  for (size_t i = 0; i < m; i++) out[i] = any(t);
  if (one_in(32)) m = 0;
  if (one_in(8)) n = below(3), in[0] = any(t), in[1] = any(t);
  else for (size_t i = 0; i < have && n < BUFFERS - 1; i++) {
    if (camber_node_dtype(t, nodes[i]) < 0 || strcmp(camber_node_op(t, nodes[i]), "input")) continue;
    int twice = 0;
    for (size_t j = 0; j < n; j++) twice |= in[j] == nodes[i];
    if (!twice) in[n++] = nodes[i];
  }
  int p = (int)below(PROGRAMS);
  double w = work(t);
  size_t bytes = 0;
  for (size_t i = 0; i < n; i++) if (elements(t, in[i]) * 8 > ROOM - 64) bytes = 1;
  for (size_t i = 0; i < m; i++) if (elements(t, out[i]) * 8 > ROOM - 64) bytes = 1;
  if (one_in(3) && is_small(t)) {
    if (!(w < 1e5) || bytes) return;   /* a linearised function has a workspace at once */
    int l = (int)below(LINEARS);
    enter(t);
    camber_linear *f = camber_linear_new(t, in, n > 4 ? 4 : n, out, m);
    leave(t, !f, "camber_linear_new");
    if (!f) return;
    retire(linears[l]), camber_linear_free(linears[l]);
    linears[l] = f;
    linear_size[l].in = n > 4 ? 4 : n, linear_size[l].out = m;
    for (size_t i = 0; i < linear_size[l].in; i++) linear_size[l].in_bytes[i] = (size_t)elements(t, in[i]) * camber_dtype_size(camber_node_dtype(t, in[i]));
    for (size_t i = 0; i < m; i++) linear_size[l].out_bytes[i] = (size_t)elements(t, out[i]) * camber_dtype_size(camber_node_dtype(t, out[i]));
    return;
  }
  enter(t);
  camber_program *made = camber_program_new(t, in, n, out, m);
  leave(t, !made, "camber_program_new");
  if (!made) return;
  retire(programs[p]), camber_program_free(programs[p]);
  programs[p] = made;
  for (int i = 0; i < SPACES; i++) if (space_of[i] == p) space_old[i] = 1;
  small_enough[p] = w < 2e5 && !bytes && camber_program_memory(made) < 1 << 24;
  for (int i = 0; i < BUFFERS; i++) alias_of[p][i] = -1;
  HOLDS(camber_program_input_count(made) == n && camber_program_output_count(made) == m);
  HOLDS(camber_program_explain(made));
}

static void space(int w) {
  int p = (int)below(PROGRAMS);
  for (int i = 0; i < PROGRAMS && !programs[p]; i++) p = (p + 1) % PROGRAMS;
  if (programs[p] && !small_enough[p]) return;
  retire(spaces[w]), camber_workspace_free(spaces[w]);
  spaces[w] = camber_workspace_new(programs[p]), space_of[w] = p, space_old[w] = 0;
  HOLDS((spaces[w] != NULL) == (programs[p] != NULL));
}

static void option(void) {
  int k = (int)below(PROGRAMS);
  camber_program *p = programs[k];
  if (one_in(16)) p = any_handle();
  if (one_in(2)) {
    static const char *const names[] = {"check_finite", "", "threads", NULL, "backend"};
    const char *name = names[below(5)];
    camber_status s = known(camber_program_set(p, name, one_in(2) ? number() : below(4)));
    if (s) sentence(camber_program_message(p), "camber_program_set");
  } else {
    size_t o = one_in(8) ? (size_t)odd_number() : below(4), i = one_in(8) ? (size_t)odd_number() : below(6);
    camber_status s = known(camber_program_alias(p, o, i));
    if (s) sentence(camber_program_message(p), "camber_program_alias");
    else if (p == programs[k]) alias_of[k][o] = (int)i;
  }
  camber_dtype d;
  size_t r, i = one_in(8) ? (size_t)odd_number() : below(4);
  int64_t s[64];
  known(camber_program_input_type(p, i, &d, &r, s, 64)), known(camber_program_output_type(p, i, one_in(4) ? NULL : &d, &r, s, one_in(4) ? 0 : 64));
}

static void run(void) {
  int k = (int)below(SPACES);
  if ((!spaces[k] || space_old[k]) && !one_in(8)) space(k);
  for (int i = 0; i < SPACES && !spaces[k]; i++) k = (k + 1) % SPACES;
  int p = space_of[k];
  camber_program *prog = programs[p];
  camber_workspace *w = spaces[k];
  const void *in[BUFFERS];
  void *out[BUFFERS];
  size_t n = camber_program_input_count(prog), m = camber_program_output_count(prog), in_bytes[BUFFERS], out_bytes[BUFFERS], shift = 8 * below(4);
  if (n > BUFFERS || m > BUFFERS || (prog && !small_enough[p])) return;
  for (size_t i = 0; i < n; i++) {
    camber_dtype d;
    size_t r;
    int64_t s[64];
    HOLDS(camber_program_input_type(prog, i, &d, &r, s, 64) == CAMBER_OK);
    in_bytes[i] = camber_dtype_size(d);
    for (size_t j = 0; j < r; j++) in_bytes[i] *= (size_t)s[j];
    HOLDS(in_bytes[i] <= ROOM - 64);
    uint8_t *q = guarded(i, in_bytes[i], shift);
    fill(q, in_bytes[i], d);
    memcpy(copy_[i], q, in_bytes[i]);
    in[i] = q;
  }
  for (size_t i = 0; i < m; i++) {
    camber_dtype d;
    size_t r;
    int64_t s[64];
    HOLDS(camber_program_output_type(prog, i, &d, &r, s, 64) == CAMBER_OK);
    out_bytes[i] = camber_dtype_size(d);
    for (size_t j = 0; j < r; j++) out_bytes[i] *= (size_t)s[j];
    out[i] = guarded(BUFFERS + i, out_bytes[i], shift);
  }
  int over[BUFFERS], bad = 0;
  for (size_t i = 0; i < n; i++) over[i] = 0;
  for (size_t i = 0; i < m; i++) if (alias_of[p][i] >= 0 && (size_t)alias_of[p][i] < n && one_in(2)) out[i] = (void *)in[alias_of[p][i]], over[alias_of[p][i]] = 1;
  if (one_in(16) && m && n && out_bytes[0] && in_bytes[0]) {
    if (below(2)) out[0] = (void *)in[0], bad = alias_of[p][0] != 0, over[0] |= !bad; else in[below((uint32_t)n)] = NULL;
  }
  const void *const *pi = one_in(64) ? NULL : in;
  void *const *po = one_in(64) ? NULL : out;
  camber_program *q = one_in(32) ? any_handle() : prog;
  TRACE("run\n%s", q == prog && prog ? camber_program_explain(prog) : "");
  for (size_t i = 0; i < n; i++) TRACE("  input %zu: %p, %zu bytes%s", i, in[i], in_bytes[i], over[i] ? ", written over" : "");
  for (size_t i = 0; i < m; i++) TRACE("  output %zu: %p, %zu bytes, alias %d", i, out[i], out_bytes[i], alias_of[p][i]);
  camber_status s = known(camber_run(q, w, pi, po));
  if (s < 0 || s > 0) TRACE("    -> %d %s", s, w ? camber_workspace_message(w) : "");
  if (s && s != CAMBER_EHANDLE) sentence(camber_workspace_message(w), "camber_run");
  HOLDS(!bad || s < 0);
  for (size_t i = 0; i < n; i++) {
    check_guard(i, in_bytes[i], shift);
    if (!over[i]) HOLDS(!memcmp(memory[i] + GUARD + shift, copy_[i], in_bytes[i]));
  }
  for (size_t i = 0; i < m; i++) check_guard(BUFFERS + i, out_bytes[i], shift);
}

static void linear(void) {
  int l = (int)below(LINEARS);
  for (int i = 0; i < LINEARS && !linears[l]; i++) l = (l + 1) % LINEARS;
  camber_linear *f = linears[l];
  const void *a[BUFFERS], *b[BUFFERS];
  void *c[BUFFERS], *d[BUFFERS];
  size_t n = f ? linear_size[l].in : 0, m = f ? linear_size[l].out : 0;
  for (size_t i = 0; i < n; i++) c[i] = guarded(i, linear_size[l].in_bytes[i], 0), a[i] = data;
  for (size_t i = 0; i < m; i++) d[i] = guarded(BUFFERS + i, linear_size[l].out_bytes[i], 0), b[i] = data;
  for (size_t i = 0; i < n; i++) if (linear_size[l].in_bytes[i] > sizeof data) return;
  for (size_t i = 0; i < m; i++) if (linear_size[l].out_bytes[i] > sizeof data) return;
  memset(data, 0, sizeof data);
  fill(data, 256, CAMBER_F32);
  if (one_in(24)) f = any_handle();
  if (f != linears[l]) n = m = 0;
  if (f && f != linears[l]) return;
  int null = one_in(16);
  camber_status s = CAMBER_OK;
  switch (below(3)) {
  case 0: s = camber_linear_at(f, null ? NULL : a, one_in(3) ? NULL : d); break;
  case 1: s = camber_linear_jvp(f, a, null ? NULL : d); break;
  default: s = camber_linear_vjp(f, b, null ? NULL : c); break;
  }
  if (known(s) && f) sentence(camber_linear_message(f), "camber_linear");
  for (size_t i = 0; i < n; i++) check_guard(i, linear_size[l].in_bytes[i], 0);
  for (size_t i = 0; i < m; i++) check_guard(BUFFERS + i, linear_size[l].out_bytes[i], 0);
}

/* ---- Minima ------------------------------------------------------------------------------------------------------------------------- */
/* Solvers of two variables, so that their arrays are known; what is minimised may be any node. */
static void solve(void) {
  static const char *const methods[] = {"lbfgs", "newton-cg", "levenberg-marquardt", "gauss-newton-cg", "x", NULL};
  int k = (int)below(FEW);
  camber_tape *t = PICK(tapes, TAPES);
  if (!solvers[k] && is_small(t)) {
    const int64_t two[1] = {2};
    camber_node x = camber_input(t, CAMBER_F64, two, 1), y = one_in(3) ? any(t) : camber_sum(t, one_in(2) ? camber_square(t, x) : camber_exp(t, x), NULL, 0, 0);
    if (one_in(16)) x = any(t);
    if (camber_tape_status(t) != CAMBER_OK || camber_node_rank(t, x) != 1 || camber_node_dim(t, x, 0) != 2 || camber_node_dtype(t, x) != CAMBER_F64) return;
    enter(t);
    solvers[k] = one_in(2) ? camber_minimize(t, y, &x, one_in(32) ? 0 : 1, NULL, one_in(32) ? (size_t)odd_number() | (size_t)1 << 40 : 0, methods[below(6)])
                           : camber_least_squares(t, &y, 1, &x, 1, NULL, 0, methods[below(6)]);
    leave(t, solvers[k] == NULL, "camber_minimize");
    if (solvers[k]) HOLDS(camber_solver_set(solvers[k], "steps", 1 + below(8)) == CAMBER_OK);
  }
  camber_solver *s = PICK(solvers, FEW);
  double *p = (double *)guarded(0, 16, 0);
  p[0] = number(), p[1] = one_in(4) ? number() : 1;
  void *x[1] = {one_in(32) ? NULL : p};
  camber_status r = camber_solver_run(s, NULL, one_in(32) ? NULL : x);
  if (known(r)) sentence(camber_solver_message(s), "camber_solver_run");
  check_guard(0, 16, 0);
}

/* ---- The planner ------------------------------------------------------------------------------------------------------------------- */
static void plan(void) {
  camber_tape *t = PICK(tapes, TAPES);
  if (!is_light(t)) return;
  const int64_t three[1] = {3};
  camber_node x[2] = {camber_input(t, CAMBER_F64, three, 1), camber_input(t, CAMBER_F64, three, 1)};
  camber_node y = one_in(16) ? any(t) : camber_mul(t, camber_sin(t, x[0]), one_in(2) ? x[1] : camber_square(t, x[0]));
  if (camber_node_dtype(t, y) >= 0 && camber_node_rank(t, y) > 3) return;
  for (int64_t i = 0, c = 1; i < camber_node_rank(t, y); i++) { c *= camber_node_dim(t, y, (int32_t)i); if (c > 64) return; }
  if (one_in(2)) y = camber_sum(t, y, NULL, 0, 0);
  if (one_in(16)) x[1] = any(t);
  static const char *const kinds[] = {"jacobian", "hessian", "sparse_jacobian", "sparse_hessian", "x", NULL};
  size_t n = one_in(32) ? (size_t)odd_number() | (size_t)1 << 40 : 1 + below(2);
  if (camber_tape_status(t) != CAMBER_OK) return;
  enter(t);
  camber_plan *p = camber_plan_new(t, kinds[one_in(8) ? below(6) : below(4)], &y, one_in(32) ? 0 : 1, x, n, x + 1, n == 1);
  leave(t, p == NULL, "camber_plan_new");
  if (!p) return;
  if (one_in(4)) known(camber_plan_set(p, one_in(8) ? NULL : one_in(2) ? "taste" : one_in(8) ? "x" : "accurate", one_in(8) ? number() : (double)below(2)));
  const double at[3] = {0.5, 1, number()};
  const void *given[2] = {at, one_in(16) ? NULL : at};
  HOLDS(camber_plan_method(p)[0] == 0);
  camber_status r = camber_plan_run(p, one_in(4) ? NULL : given);
  if (known(r) < 0) sentence(camber_plan_message(p), "camber_plan_run");
  else HOLDS(camber_plan_method(p)[0] != 0);
  size_t count = camber_plan_count(p);
  HOLDS(count <= 13);
  for (size_t i = 0; i <= count; i++) {
    const char *name = NULL;
    double numbers[9];
    known(camber_plan_entry(p, one_in(16) ? (size_t)odd_number() : i, one_in(8) ? NULL : &name, one_in(8) ? NULL : numbers));
    if (name) HOLDS(name[0] != 0);
  }
  HOLDS(camber_plan_explain(p, (int32_t)below(2))[0] != 0);
  camber_plan_free(p);
}

/* ---- Sparse derivatives ------------------------------------------------------------------------------------------------------------- */
/* Of two or four variables, made, asked everything and freed at once; what is differentiated may be any node. */
static void sparse(void) {
  camber_tape *t = PICK(tapes, TAPES);
  if (!is_light(t)) return;
  const int64_t two[1] = {2};
  camber_dtype d = one_in(3) ? CAMBER_F32 : CAMBER_F64;
  camber_node x[2] = {camber_input(t, d, two, 1), camber_input(t, d, two, 1)};
  camber_node y = one_in(3) ? any(t) : one_in(2) ? camber_mul(t, camber_exp(t, x[0]), x[1]) : camber_sum(t, camber_mul(t, x[0], camber_square(t, x[1])), NULL, 0, 0);
  if (one_in(16)) x[1] = any(t);
  size_t n = one_in(32) ? (size_t)odd_number() | (size_t)1 << 40 : 1 + below(2);
  if (camber_tape_status(t) != CAMBER_OK) return;
  if (camber_node_rank(t, x[1]) > 1 || (camber_node_rank(t, x[1]) == 1 && camber_node_dim(t, x[1], 0) > 2)) return;
  if (camber_node_dtype(t, y) >= 0 && camber_node_rank(t, y) > 3) return;
  double weights[256] = {1, 0.5};
  for (int i = 2; i < 256; i++) weights[i] = (double)i;
  for (int64_t i = 0, c = 1; i < camber_node_rank(t, y); i++) { c *= camber_node_dim(t, y, (int32_t)i); if (c > 64) return; }
  enter(t);
  camber_sparse *s = NULL;
  int inputs = n == 2 ? 2 : 1;
  switch (below(5)) {
  case 0: s = camber_sparse_jacobian(t, &y, one_in(32) ? 0 : 1, x, n, x + 1, n == 1); inputs = 2; break;
  case 1: s = camber_sparse_hessian(t, y, x, n, x + 1, n == 1); inputs = 2; break;
  case 2: s = camber_sparse_lagrangian(t, &y, 1, x, n, x + 1, n == 1); inputs = 3; break;
  case 3: s = camber_sparse_combination(t, &y, 1, x, x + 1, 1, NULL, 0); inputs = 4; break;
  default: s = camber_sparse_normal(t, &y, 1, x, n, x + 1, n == 1, (int32_t)below(2)); inputs = 3; break;
  }
  leave(t, s == NULL, "camber_sparse");
  if (!s) return;
  static const char *const options[] = {"format", "triangle", "method", "order", "threads", "detection", "x"};
  while (one_in(2)) if (known(camber_sparse_set(s, one_in(32) ? NULL : options[below(7)], one_in(8) ? number() : (double)below(10)))) sentence(camber_sparse_message(s), "camber_sparse_set");
  const int64_t rows[4] = {0, 1, 0, one_in(4) ? odd_number() : 0}, columns[4] = {0, 1, 1, 1};
  const int32_t colors[4] = {1, 2, (int32_t)below(5), one_in(8) ? -1 : 1};
  if (one_in(8)) known(camber_sparse_use_pattern(s, one_in(16) ? NULL : rows, columns, one_in(16) ? (size_t)odd_number() | (size_t)1 << 40 : below(5)));
  if (one_in(8)) known(camber_sparse_use_colors(s, one_in(2) ? NULL : colors, below(5), one_in(2) ? NULL : colors, below(5)));
  const void *given[5] = {weights, weights, weights, weights, one_in(32) ? NULL : weights};
  HOLDS(inputs <= 4);
  const int64_t sizes[2] = {1 + below(2), one_in(8) ? odd_number() : 1 + below(2)};
  if (one_in(8)) known(camber_sparse_use_blocks(s, one_in(16) ? NULL : sizes, 1 + below(2), sizes, 1 + below(2)));
  if (one_in(16)) known(camber_sparse_use_point(s, one_in(16) ? NULL : given));
  camber_sparse *any_sparse = one_in(32) ? any_handle() : s;
  known(camber_sparse_prepare(any_sparse == (void *)s ? s : any_sparse));
  size_t m = camber_sparse_row_count(s), k = camber_sparse_column_count(s), c = camber_sparse_value_count(s);
  HOLDS(m <= 64 && k <= 4 && c <= 256);
  camber_dtype e = camber_sparse_value_dtype(s);
  HOLDS((e == CAMBER_F64 || e == CAMBER_F32) && camber_sparse_method(s) >= 0 && camber_sparse_method(s) <= 9);
  HOLDS(camber_sparse_detection(s) >= 0 && camber_sparse_detection(s) <= 3);
  int64_t first[257], second[257];
  int32_t own[300], other[300], counts[2];
  known(camber_sparse_pattern(s, (int32_t)below(5), one_in(8) ? 8 : one_in(2) ? 32 : 64, (int32_t)below(3), one_in(8) ? NULL : first, one_in(8) ? NULL : second));
  known(camber_sparse_colors(s, one_in(8) ? NULL : own, one_in(8) ? NULL : other, counts, one_in(8) ? NULL : counts + 1));
  camber_sparse_workspace *w = camber_sparse_workspace_new(s);
  double values[257];
  if (w) {
    camber_status r = camber_sparse_values(one_in(32) ? NULL : w, one_in(32) ? NULL : given, one_in(32) ? NULL : values);
    if (known(r) < 0 && r != CAMBER_EHANDLE) sentence(camber_sparse_workspace_message(w), "camber_sparse_values");
  }
  if (one_in(8)) known(camber_sparse_check(s, one_in(16) ? NULL : given, (int32_t)below(3), 1e-6));
  if (one_in(2)) camber_sparse_workspace_free(w), camber_sparse_free(s);
  else camber_sparse_free(s), camber_sparse_workspace_free(w);
  static const char *const kinds[] = {"column", "row", "star", "acyclic", "star_bicoloring", "acyclic_bicoloring", "x", NULL};
  char message[40];
  camber_status r = camber_color(kinds[below(8)], (int32_t)below(8), 1 + below(3), 2, rows, columns, below(5), one_in(8) ? NULL : own, one_in(8) ? NULL : other, counts,
                                 one_in(8) ? NULL : message, one_in(8) ? below(2) : sizeof message);
  (void)known(r);
}

/* ---- Watching ---------------------------------------------------------------------------------------------------------------------- */
/* A training of two numbers; what is watched may be any node. */
static void watch(void) {
  static const char *const options[] = {"window", "warmup", "every", "unit_axis", "loss_scale", "compute", "x", NULL};
  int k = (int)below(FEW);
  camber_tape *t = PICK(tapes, TAPES);
  if (!flows[k] && is_light(t)) {
    const int64_t two[1] = {2};
    camber_node x = camber_input(t, CAMBER_F64, two, 1), h = camber_tanh(t, x), y = one_in(4) ? any(t) : camber_sum(t, one_in(2) ? h : camber_exp(t, h), NULL, 0, 0);
    if (one_in(16)) x = any(t);
    if (camber_tape_status(t) != CAMBER_OK || camber_node_rank(t, x) != 1 || camber_node_dim(t, x, 0) != 2 || camber_node_dtype(t, x) != CAMBER_F64) return;
    enter(t);
    flows[k] = camber_flow_new(t, y, &x, one_in(32) ? 0 : 1, NULL, one_in(32) ? (size_t)odd_number() | (size_t)1 << 40 : 0);
    leave(t, flows[k] == NULL, "camber_flow_new");
    if (flows[k] && one_in(2)) known(camber_flow_layer(flows[k], one_in(16) ? NULL : "layer", one_in(2) ? h : any(t)));
    if (flows[k] && one_in(4)) known(camber_flow_set(flows[k], options[below(8)], number()));
  }
  camber_flow *f = PICK(flows, FEW);
  double *p = (double *)guarded(0, 16, 0), *g = (double *)guarded(1, 16, 0), loss = 0;
  p[0] = number(), p[1] = one_in(4) ? number() : 1;
  const void *x[1] = {one_in(32) ? NULL : p};
  void *slopes[1] = {one_in(32) ? NULL : g};
  camber_status r = camber_flow_run(f, x, NULL, one_in(32) ? NULL : &loss, one_in(32) ? NULL : slopes);
  if (known(r)) sentence(camber_flow_message(f), "camber_flow_run");
  check_guard(0, 16, 0);
  check_guard(1, 16, 0);
  int i = (int)below(FEW);
  if (!found[i]) found[i] = camber_flow_findings(f);
  static const char *const remedies[] = {"rescale", "reinitialize", "lsuv", "loss_scale", "precision", "standardize", "compensate", "clip", "whiten", "normalize", "residual", "gradient_penalty", "spectral_norm", "damping", "x", NULL};
  void *weights[1] = {one_in(32) ? NULL : p};
  if (one_in(3) && known(camber_flow_prescribe(f, remedies[below(16)], one_in(2) ? NULL : "layer", one_in(8) ? PICK(optimizers, FEW) : NULL, one_in(4) ? PICK(scalers, FEW) : NULL, one_in(32) ? NULL : weights, NULL)) &&
      !*camber_flow_message(f)) FAIL("%s failed without a sentence", "camber_flow_prescribe");
  if (one_in(4)) {
    camber_findings *again = camber_flow_verify(f, one_in(32) ? NULL : weights, NULL, one_in(8) ? PICK(optimizers, FEW) : NULL, one_in(8) ? (size_t)odd_number() | (size_t)1 << 40 : below(4));
    if (!again && f && camber_flow_levels(f) && !*camber_flow_message(f)) FAIL("%s failed without a sentence", "camber_flow_verify");
    camber_findings_free(again);
    camber_node some[2] = {any(t), any(t)}, made[2];
    if (known(camber_flow_treat(f, one_in(32) ? NULL : some, one_in(32) ? (size_t)1 << 40 : below(3), made)) && !*camber_flow_message(f)) FAIL("%s failed without a sentence", "camber_flow_treat");
    double three[3];
    known(camber_flow_noise(f, one_in(32) ? NULL : weights, one_in(32) ? NULL : three));
    camber_findings_free(camber_solver_findings(PICK(solvers, FEW)));
    known(camber_solver_prescribe(PICK(solvers, FEW), one_in(3) ? "steps" : one_in(2) ? "damping" : one_in(2) ? "x" : NULL));
  }
  static const char *const ways[] = {"he", "xavier", "lecun", "orthogonal", "zeros", "x", NULL};
  const int64_t sizes[2] = {one_in(8) ? odd_number() : 1, one_in(8) ? 0 : 2};
  double means[2], factors[2];
  if (sizes[0] <= 1) known(camber_initialize(ways[below(7)], one_in(8) ? dtype() : CAMBER_F64, one_in(16) ? NULL : sizes, 2, number(), odd_number(), one_in(16) ? NULL : p));
  if (one_in(4) && is_light(t)) {
    double four[4];
    camber_node z = any(t), y = any(t);
    if (camber_node_rank(t, z) == 1 && camber_node_dim(t, z, 0) == 2 && camber_node_dtype(t, z) == CAMBER_F64) {
      known(camber_lyapunov_exponents(t, y, z, NULL, 0, p, NULL, below(4), (int32_t)below(2), four, below(4)));
      known(camber_singular_values(t, y, z, NULL, 0, p, NULL, below(4), four));
    }
  }
  known(camber_flow_standard(f, below(2), one_in(4) ? NULL : means, factors, below(3)));
  const char *name;
  double value;
  known(camber_findings_evidence(PICK(found, FEW), below(4), below(4), one_in(8) ? NULL : &name, one_in(8) ? NULL : &value));
}

static void touch(const char *text) { if (text) TRACE("    \"%s\", %zu bytes", text, strlen(text)); }
/* ---- Births ------------------------------------------------------------------------------------------------------------------------- */
/* Of any node, run at two numbers. */
static void births(void) {
  int k = (int)below(FEW);
  camber_tape *t = PICK(tapes, TAPES);
  if (!nonfinites[k] && is_light(t)) {
    const int64_t two[1] = {2};
    camber_node x = camber_input(t, CAMBER_F64, two, 1), y = one_in(3) ? any(t) : camber_div(t, camber_log(t, x), camber_sin(t, x));
    if (camber_tape_status(t) != CAMBER_OK || camber_node_rank(t, x) != 1 || camber_node_dim(t, x, 0) != 2 || camber_node_dtype(t, x) != CAMBER_F64) return;
    enter(t);
    nonfinites[k] = camber_nonfinite_new(t, &x, one_in(32) ? (size_t)1 << 40 : 1, &y, 1);
    leave(t, nonfinites[k] == NULL, "camber_nonfinite_new");
  }
  camber_nonfinite *s = PICK(nonfinites, FEW);
  double *p = (double *)guarded(0, 16, 0);
  p[0] = number(), p[1] = one_in(4) ? 0 : number();
  if (one_in(8)) HOLDS(camber_poison(CAMBER_F64, p, 1) == CAMBER_OK);
  const void *x[1] = {one_in(32) ? NULL : p};
  camber_status r = camber_nonfinite_run(s, one_in(32) ? NULL : x);
  if (known(r)) sentence(camber_nonfinite_message(s), "camber_nonfinite_run");
  size_t i = below(4);
  camber_node node;
  const char *op, *kind, *text, *file;
  int64_t element, behind, input;
  int32_t sweep, line;
  if (camber_nonfinite_finding(s, i, &node, &op, &kind, &element, &behind, one_in(4) ? NULL : &input) == CAMBER_OK) touch(op), touch(kind);
  if (camber_nonfinite_origin(s, i, &sweep, &op, &text, &file, &line) == CAMBER_OK) touch(op), touch(text), touch(file);
  if (camber_label_get(t, any(t), below(2), &text, &file, &line) == CAMBER_OK) touch(text), touch(file);
  if (r >= 0) HOLDS((camber_nonfinite_count(s) > 0) == (r == CAMBER_NONFINITE));
  check_guard(0, 16, 0);
}

/* ---- Rewritings ----------------------------------------------------------------------------------------------------------------------- */
static void stabilize(void) {
  int k = (int)below(FEW);
  camber_tape *t = PICK(tapes, TAPES);
  if (!is_light(t)) return;
  if (!stabilizers[k]) {
    const int64_t two[1] = {2};
    camber_node x = camber_input(t, CAMBER_F64, two, 1), e = camber_exp(t, x);
    camber_node y = one_in(3) ? any(t) : one_in(2) ? camber_log(t, camber_add(t, e, e)) : camber_div(t, camber_sub(t, e, camber_exp(t, camber_neg(t, x))), camber_mul(t, x, e));
    if (camber_tape_status(t) != CAMBER_OK || camber_node_rank(t, x) != 1 || camber_node_dim(t, x, 0) != 2 || camber_node_dtype(t, x) != CAMBER_F64) return;
    enter(t);
    stabilizers[k] = camber_stabilizer_new(t, &x, one_in(32) ? (size_t)1 << 40 : 1, &y, 1);
    leave(t, stabilizers[k] == NULL, "camber_stabilizer_new");
  }
  camber_stabilizer *s = PICK(stabilizers, FEW);
  double *p = (double *)guarded(0, 16, 0);
  p[0] = number(), p[1] = number();
  const void *x[1] = {one_in(32) ? NULL : p};
  camber_status r = camber_stabilizer_sample(s, one_in(32) ? NULL : x);
  if (known(r)) sentence(camber_stabilizer_message(s), "camber_stabilizer_sample");
  camber_node out[1] = {CAMBER_NONE};
  r = camber_stabilizer_run(s, one_in(32) ? NULL : out);
  if (known(r) < 0 && r != CAMBER_EHANDLE) sentence(camber_stabilizer_message(s), "camber_stabilizer_run");
  for (int i = 0; i < TAPES; i++) if (tapes[i] && camber_tape_status(tapes[i]) != CAMBER_OK) camber_tape_clear(tapes[i]);
  check_guard(0, 16, 0);
  if (one_in(2)) for (int i = 0; i < FEW; i++) camber_stabilizer_free(stabilizers[i]), stabilizers[i] = NULL;
}

/* ---- Rounding, checked derivatives -------------------------------------------------------------------------------------------------- */
/* Functions of two numbers; what is asked about may be any node, so loops are cut short. */
static void diagnose(void) {
  int k = (int)below(FEW);
  camber_tape *t = PICK(tapes, TAPES);
  if (is_light(t) && (!roundings[k] || !checks[k])) {
    const int64_t two[1] = {2};
    camber_node x = camber_input(t, CAMBER_F64, two, 1), y = one_in(3) ? any(t) : camber_sum(t, one_in(2) ? camber_log1p(t, x) : camber_square(t, x), NULL, 0, 0);
    if (one_in(16)) x = any(t);
    if (camber_tape_status(t) != CAMBER_OK || camber_node_rank(t, x) != 1 || camber_node_dim(t, x, 0) != 2 || camber_node_dtype(t, x) != CAMBER_F64) return;
    size_t count = one_in(32) ? (size_t)odd_number() | (size_t)1 << 40 : 1;
    enter(t);
    if (!roundings[k]) {
      roundings[k] = camber_rounding_new(t, &y, count, &x, one_in(32) ? 0 : 1);
      leave(t, roundings[k] == NULL, "camber_rounding_new");
      if (roundings[k]) HOLDS(camber_rounding_set(roundings[k], "node_limit", 500) == CAMBER_OK && camber_rounding_set(roundings[k], "memory_limit", 1 << 22) == CAMBER_OK);
    } else {
      checks[k] = camber_check_new(t, &y, count, &x, one_in(32) ? 0 : 1);
      leave(t, checks[k] == NULL, "camber_check_new");
      if (checks[k]) HOLDS(camber_check_set(checks[k], "directions", 1) == CAMBER_OK && camber_check_set(checks[k], "locate", below(8)) == CAMBER_OK);
    }
  }
  double *p = (double *)guarded(0, 16, 0);
  p[0] = number(), p[1] = one_in(4) ? number() : 1;
  const void *x[1] = {one_in(32) ? NULL : p};
  if (one_in(2)) {
    camber_rounding *r = PICK(roundings, FEW);
    camber_status s = camber_rounding_run(r, one_in(32) ? NULL : x);
    if (known(s) < 0 && s != CAMBER_EHANDLE) sentence(camber_rounding_message(r), "camber_rounding_run");
    if (camber_rounding_at(r, below(3), below(3)) == CAMBER_OK) touch(camber_rounding_report(r));
    if (one_in(4)) (void)camber_rounding_along(r, NULL);
    camber_node n;
    const char *op = "";
    double a, b, c, d;
    size_t elements;
    int32_t turns;
    if (camber_rounding_contribution(r, below(4), &n, &op, &a, &b, &c, &d) == CAMBER_OK) touch(op);
    const char *text = "", *file = "";
    int32_t line;
    if (camber_rounding_member(r, below(4), below(3), &n, &op, &a, &text, &file, &line) == CAMBER_OK) touch(op), touch(text), touch(file);
    if (camber_rounding_unstable(r, below(2), &n, &op, &elements, &turns, &a) == CAMBER_OK) touch(op);
  } else {
    camber_check *c = PICK(checks, FEW);
    camber_status s = camber_check_run(c, one_in(32) ? NULL : x);
    if (known(s) < 0 && s != CAMBER_EHANDLE) sentence(camber_check_message(c), "camber_check_run");
    double steps[4], rest[4];
    (void)camber_check_remainders(c, below(4), below(5), steps, rest);
  }
  check_guard(0, 16, 0);
}

/* ---- Training --------------------------------------------------------------------------------------------------------------------- */
static void train(void) {
  int k = (int)below(FEW);
  static const char *const methods[] = {"sgd", "adam", "adamw", "x", "", NULL};
  static const char *const options[] = {"learning_rate", "momentum", "nesterov", "weight_decay", "beta1", "beta2", "epsilon", "l1", "l2", "clip_value", "clip_norm", "clip_global_norm", "zclip", "agc", "spectral_norm", "compensate", "", NULL, "warmup", "steps", "final", "every", "factor",
                                        "initial", "growth", "backoff", "interval", "minimum", "maximum"};
  static const char *const kinds[] = {"constant", "cosine", "step", "x", NULL};
  if (!optimizers[k] && !one_in(8)) {
    optimizers[k] = camber_optimizer_new(methods[below(3)]), parameters[k] = 1, parameter_bytes[k][0] = 24;
    HOLDS(camber_optimizer_add(optimizers[k], "w", CAMBER_F64, (int64_t[]){3}, 1) == CAMBER_OK);
  }
  if (!schedules[k] && !one_in(8)) schedules[k] = camber_schedule_new(kinds[below(3)]);
  if (!scalers[k] && !one_in(8)) scalers[k] = camber_scaler_new();
  camber_optimizer *o = PICK(optimizers, FEW);
  camber_schedule *c = PICK(schedules, FEW);
  camber_scaler *s = PICK(scalers, FEW);
  camber_status r = CAMBER_OK;
  switch (below(12)) {
  case 0: if (o == optimizers[k]) retire(o), camber_optimizer_free(o), parameters[k] = 0, optimizers[k] = camber_optimizer_new(methods[below(6)]); break;
  case 1: if (c == schedules[k]) retire(c), camber_schedule_free(c), schedules[k] = camber_schedule_new(kinds[below(5)]); break;
  case 2: if (s == scalers[k]) retire(s), camber_scaler_free(s), scalers[k] = camber_scaler_new(); break;
  case 3: r = camber_optimizer_set(o, options[below(COUNT(options))], number()); if (known(r)) sentence(camber_optimizer_message(o), "camber_optimizer_set"); break;
  case 4: r = camber_schedule_set(c, options[below(COUNT(options))], number()); if (known(r)) sentence(camber_schedule_message(c), "camber_schedule_set"); break;
  case 5: r = camber_scaler_set(s, options[below(COUNT(options))], number()); if (known(r)) sentence(camber_scaler_message(s), "camber_scaler_set"); break;
  case 6: r = camber_optimizer_set_schedule(o, c); if (known(r)) sentence(camber_optimizer_message(o), "camber_optimizer_set_schedule"); break;
  case 7: {
    static const char *const names[] = {"a", "b", "c", "\xff", "", NULL};
    shape_t sh = shape();
    camber_dtype d = dtype();
    double count = (double)camber_dtype_size(d);
    for (size_t i = 0; i < sh.rank; i++) count *= (double)sh.n[i];
    if (count > ROOM - 64) break;
    r = camber_optimizer_add(o, names[below(6)], d, P(sh), sh.rank);
    if (known(r)) sentence(camber_optimizer_message(o), "camber_optimizer_add");
    else for (int i = 0; i < FEW; i++) if (o == optimizers[i]) parameter_bytes[i][parameters[i]++ & 3] = (size_t)count;
  } break;
  case 8: case 9: {
    for (int i = 0; i < FEW; i++) if (o && o == optimizers[i]) k = i;
    if (o && o != optimizers[k]) break;
    void *p[4] = {0};
    const void *g[4] = {0};
    if (parameters[k] > 4) break;
    for (size_t i = 0; i < parameters[k]; i++) {
      uint8_t *q = guarded(i, parameter_bytes[k][i], 0), *h = guarded(BUFFERS + i, parameter_bytes[k][i], 0);
      fill(q, parameter_bytes[k][i] & ~(size_t)7, CAMBER_F32), memset(h, one_in(4) ? 0x7F : 0x3C, parameter_bytes[k][i]);
      p[i] = q, g[i] = one_in(32) ? NULL : h;
    }
    camber_nonfinite *looked = camber_optimizer_nonfinite(o, p, g);
    if (looked) sentence(camber_nonfinite_message(looked), "camber_optimizer_nonfinite");
    camber_nonfinite_free(looked);
    r = camber_optimizer_step(o, p, g);
    if (known(r)) sentence(camber_optimizer_message(o), "camber_optimizer_step");
    TRACE("step of %zu: %d %s", parameters[k], r, r ? camber_optimizer_message(o) : "");
    for (size_t i = 0; i < parameters[k]; i++) check_guard(i, parameter_bytes[k][i], 0), check_guard(BUFFERS + i, parameter_bytes[k][i], 0);
  } break;
  case 10: {
    const char *name;
    camber_dtype d;
    size_t count, n = camber_optimizer_state_count(o);
    void *q;
    for (size_t i = 0; i < n; i++) {
      HOLDS(camber_optimizer_state(o, i, &name, &d, &count, &q) == CAMBER_OK && name && q);
      if (one_in(8)) memset(q, (int)byte(), count * camber_dtype_size(d));
    }
    known(camber_optimizer_state(o, one_in(2) ? n : (size_t)odd_number(), &name, &d, &count, NULL));
    (void)camber_optimizer_steps(o), (void)camber_optimizer_gradient_norm(o), (void)camber_schedule_value(c, odd_number());
  } break;
  default: {
    void *g[3];
    camber_dtype d[3];
    size_t sizes[3], n = one_in(24) ? (size_t)odd_number() : below(4);
    if (n > 3 && n < 1 << 28) n = 3;
    for (size_t i = 0; i < 3; i++) d[i] = dtype(), sizes[i] = 1 + below(40), g[i] = guarded(i, sizes[i] * 8, 0), memset(g[i], one_in(4) ? 0x7F : 0x3D, sizes[i] * 8);
    if (one_in(32)) sizes[0] = SIZE_MAX;
    r = camber_scaler_unscale(s, n, one_in(48) ? NULL : g, d, sizes);
    if (known(r) < 0 || r > 0) (void)camber_scaler_message(s);
    if (r < 0) sentence(camber_scaler_message(s), "camber_scaler_unscale");
    for (size_t i = 0; i < 3; i++) if (sizes[i] < 100) check_guard(i, sizes[i] * 8, 0);
    double v = camber_scaler_scale(s);
    HOLDS(!(v <= 0));
    (void)camber_scaler_skipped(s);
  } break;
  }
}

static void file(void) {
  int k = (int)below(FEW);
  if (one_in(2)) {
    static const char *const names[] = {"a", "b", "", "\"\\\n\x01", "\xff", "a", NULL};
    const char *n[3];
    camber_dtype d[3];
    size_t ranks[3], count = below(4);
    int64_t shapes[12];
    const void *p[3];
    for (int i = 0; i < 3; i++) n[i] = names[below(7)], d[i] = dtype(), ranks[i] = below(4), p[i] = one_in(32) ? NULL : data;
    for (int i = 0; i < 12; i++) shapes[i] = one_in(24) ? -1 : (int64_t)below(4);
    camber_status s = known(camber_tensors_save(one_in(32) ? NULL : one_in(32) ? "/nowhere/x" : path, count, n, d, ranks, one_in(32) ? NULL : shapes, p));
    if (s == CAMBER_OK) {
      camber_tensors *f = camber_tensors_open(path, &s);
      HOLDS(f && s == CAMBER_OK && camber_tensors_count(f) == count);
      camber_tensors_free(f);
    }
    return;
  }
  camber_status s = 77;
  retire(files[k]), camber_tensors_free(files[k]);
  files[k] = camber_tensors_open(one_in(16) ? directory : path, one_in(4) ? NULL : &s);
  HOLDS(s == 77 || (s == CAMBER_OK) == (files[k] != NULL));
  for (size_t i = 0; i < camber_tensors_count(files[k]); i++) {
    const char *name;
    camber_dtype d;
    size_t rank;
    const int64_t *sh;
    const void *p;
    HOLDS(camber_tensors_get(files[k], i, &name, &d, &rank, &sh, &p) == CAMBER_OK && name);
    size_t bytes = camber_dtype_size(d);
    for (size_t j = 0; j < rank; j++) bytes *= (size_t)sh[j];
    volatile uint8_t sum = 0;
    for (size_t j = 0; j < bytes; j++) sum = (uint8_t)(sum + ((const uint8_t *)p)[j]);
  }
  known(camber_tensors_get(files[k], (size_t)odd_number(), NULL, NULL, NULL, NULL, NULL));
}

/* Functions of the tapes there are, packed, altered at times, and read again. */
static void archive(void) {
  int k = (int)below(FEW);
  camber_archive *a = archives[k];
  if (!a && !one_in(8)) a = archives[k] = camber_archive_new();
  const void *bytes = NULL;
  size_t size = 0;
  switch (below(8)) {
  case 0: retire(archives[k]), camber_archive_free(archives[k]), archives[k] = one_in(4) ? NULL : camber_archive_new(); break;
  case 1: case 2: case 3: {
    static const char *const names[] = {"f", "value", "g", "\xff", ""};
    camber_tape *t = tapes[below(TAPES)];
    camber_node in[BUFFERS], y[2] = {any(t), any(t)};
    size_t n = 0, have = node_count < NODES ? node_count : NODES;
    for (size_t i = 0; i < have && n < BUFFERS - 1; i++) {
      if (camber_node_dtype(t, nodes[i]) < 0 || strcmp(camber_node_op(t, nodes[i]), "input")) continue;
      int twice = 0;
      for (size_t j = 0; j < n; j++) twice |= in[j] == nodes[i];
      if (!twice) in[n++] = nodes[i];
    }
    camber_status s = known(camber_archive_add(a, names[below(5)], t, in, NULL, n, y, NULL, 1 + below(2)));
    TRACE("archive_add -> %d %s", s, a ? camber_archive_message(a) : "");
    if (s < 0 && s != CAMBER_EHANDLE) sentence(camber_archive_message(a), "camber_archive_add");
  } break;
  default: {
    camber_status s = known(camber_archive_pack(a, &bytes, &size));
    TRACE("archive_pack -> %d %s", s, a ? camber_archive_message(a) : "");
    if (s) { if (a) sentence(camber_archive_message(a), "camber_archive_pack"); break; }
    uint8_t *copy = malloc(size);
    memcpy(copy, bytes, size);
    int altered = one_in(4);
    if (altered) copy[odd_number() % (int64_t)size < 0 ? 0 : (size_t)odd_number() % size] ^= (uint8_t)(1 + below(255));
    camber_archive *b = camber_archive_new();
    s = known(camber_archive_unpack(b, copy, one_in(16) ? size - 1 : size));
    HOLDS(!altered || s == CAMBER_EIO);
    if (s) sentence(camber_archive_message(b), "camber_archive_unpack");
    else {
      const void *again;
      size_t n;
      HOLDS(camber_archive_count(b) == camber_archive_count(a) && camber_archive_pack(b, &again, &n) == CAMBER_OK && n == size && !memcmp(again, copy, n));
      retire(archives[k]), camber_archive_free(archives[k]);
      archives[k] = b, b = NULL;
    }
    camber_archive_free(b);
    free(copy);
  } break;
  }
}

/* ---- Calls made from the header ----------------------------------------------------------------------------------------------------- */
enum { ENTRIES = 64, UNTOUCHED = -7 };
static camber_node out_nodes[4 * ENTRIES * ENTRIES];
static size_t out_sizes[ENTRIES];
static double out_doubles[ENTRIES];
static int32_t out_dtypes[ENTRIES];
static int64_t out_integers[ENTRIES];
static __attribute__((unused)) const char *out_texts[ENTRIES];
static __attribute__((unused)) const void *out_datas[ENTRIES];
static __attribute__((unused)) const int64_t *out_shapes[ENTRIES];
static __attribute__((unused)) void *out_places[ENTRIES];
/* Few, or so many that nobody may look at the arrays. */
static size_t some_count(void) {
  static const size_t absurd[] = {SIZE_MAX, ((size_t)1 << 28) + 1, (size_t)1 << 40, (size_t)INT64_MAX + 1, (size_t)1 << 62};
  return one_in(48) ? absurd[below(5)] : below(4);
}
static int64_t some_integer(void) { return one_in(24) ? odd_number() : one_in(3) ? -1 - (int64_t)below(3) : (int64_t)below(4); }
static const int64_t *some_integers(void) {
  static int64_t list[4][ENTRIES];
  static uint32_t turn;
  int64_t *p = list[turn++ & 3];
  for (int i = 0; i < ENTRIES; i++) p[i] = i < 6 ? some_integer() : 1;
  return one_in(32) ? NULL : p;
}
static __attribute__((unused)) const int32_t *some_orders(void) {
  static int32_t list[ENTRIES];
  for (int i = 0; i < ENTRIES; i++) list[i] = one_in(24) ? (int32_t)odd_number() : (int32_t)below(3);
  return one_in(32) ? NULL : list;
}
static const camber_node *some_nodes(camber_tape *t) {
  static camber_node list[4][ENTRIES];
  static uint32_t turn;
  camber_node *p = list[turn++ & 3], a = any(t);
  for (int i = 0; i < ENTRIES; i++) p[i] = i == 0 ? a : i >= 4 ? p[i - 1] : one_in(2) ? like(t, a) : any(t);
  return one_in(32) ? NULL : p;
}
static const char *some_text(void) {
  static const char *const some[] = {"f", "value", "g", "threads", "backend", "check_finite", "memory_limit", "", "\xff", "ij,jk->ik", "i->", "ij->ji", "add", "sin", "x", "sgd", "adam", "cosine", "step",
                                     "learning_rate", "warmup", "initial", "é", "zeros", "constant", "nearest", "full", "same", "valid"};
  return one_in(16) ? NULL : some[below(COUNT(some))];
}
static const char *const *some_texts(void) {
  static const char *list[ENTRIES];
  for (int i = 0; i < ENTRIES; i++) list[i] = i < 4 ? some_text() : NULL;
  return one_in(3) ? NULL : list;
}
/* Results of an unknown number: written ones are nodes, or none of them is. */
static void collect(camber_tape *t, camber_status s, const char *call) {
  for (int i = 0; i < 16 && out_nodes[i] != UNTOUCHED; i++) {
    if (s != CAMBER_OK && out_nodes[i] != CAMBER_NONE) FAIL("%s: status %d and result %d is %lld", call, s, i, (long long)out_nodes[i]);
    if (t && s == CAMBER_OK) keep(t, out_nodes[i], call);
  }
}
#include "calls.h"

/* ---- Curvature and reports ------------------------------------------------------------------------------------------------------------- */
/* Of two variables, made, asked everything and freed at once; the output may be any node. */
static camber_status fuzz_product(void *payload, size_t n, const double *v, double *product) {
  for (size_t i = 0; i < n; i++) product[i] = 2 * v[i];
  return *(int *)payload;
}
#define OR_NULL(p) (one_in(32) ? NULL : (p))
static void curve(void) {
  static const char *const figures[] = {"trace", "trace_hutchinson", "trace_hutch++", "trace_xtrace", "frobenius", "norm", "condition", "negative", "log_determinant", "evidence", "asymmetry", "x", "value"};
  static const char *const errors[] = {"operator", "frobenius", "trace", "diagonal", "spectrum", "newton_step", "decrease_ratio", "preconditioner", "angle", "covariance", "evidence", "predicted", "residual", "x"};
  static const char *const options[] = {"seed", "probes", "steps", "confidence", "dense", "damping", "top", "smoothing", "x"};
  static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", ""}, *const kinds[] = {"bfgs", "lbfgs", "sr1", "forward", "central", "x"}, *const families[] = {"gaussian", "bernoulli", "categorical", "poisson", "empirical", "x"};
  camber_tape *t = PICK(tapes, TAPES);
  if (!is_light(t)) return;
  const int64_t two[1] = {2};
  camber_dtype d = one_in(3) ? CAMBER_F32 : CAMBER_F64;
  camber_node x = camber_input(t, d, two, 1), z = camber_mul(t, x, camber_exp(t, x)), y = one_in(4) ? any(t) : camber_sum(t, camber_mul(t, z, x), NULL, 0, 0);
  if (one_in(16)) x = any(t);
  if (camber_tape_status(t) != CAMBER_OK || camber_node_rank(t, x) != 1 || camber_node_dim(t, x, 0) != 2) return;
  enter(t);
  camber_curvature *c = camber_curvature_new(t, y, OR_NULL(&x), one_in(32) ? (size_t)odd_number() | (size_t)1 << 40 : 1, NULL, 0);
  leave(t, c == NULL, "camber_curvature_new");
  if (!c) return;
  HOLDS(camber_curvature_dimension(c) == 2);
#define DID(call) do { if (known(call)) sentence(camber_curvature_message(c), #call); } while (0)
  DID(camber_curvature_set(c, "dense", one_in(2) ? 0 : 8));
  DID(camber_curvature_set(c, "probes", 6));
  while (one_in(2)) DID(camber_curvature_set(c, OR_NULL(options[below(9)]), one_in(3) ? number() : (double)below(16)));
  DID(camber_curvature_set(c, "probes", 6 + below(8)));
  DID(camber_curvature_set(c, "steps", 2 + below(8)));
  double point[2] = {number(), 0.5}, a[64] = {0}, b[64] = {0}, v[8] = {1, -1, number(), 2, 0.5, 1, 1, number()}, f[3];
  const void *at_point[1] = {OR_NULL(point)};
  if (!one_in(16)) DID(camber_curvature_at(c, OR_NULL(at_point), NULL));
  int gives = one_in(8) ? -1 : 0;
  int64_t weights[2] = {0, (int64_t)below(3)}, biases[2] = {-1, (int64_t)below(2)};
  camber_node two_nodes[2] = {z, any(t)}, others[2] = {any(t), z};
  for (int i = 0; i < 10 && left; i++) {
    size_t odd = one_in(32) ? (size_t)odd_number() | (size_t)1 << 40 : 1 + below(2);
    const char *name = OR_NULL(names[below(9)]);
    switch (below(20)) {
    case 0: DID(camber_curvature_add_diagonal(c, name, one_in(2) ? NULL : v)); break;
    case 1: DID(camber_curvature_add_matrix(c, name, OR_NULL(v))); break;
    case 2: DID(camber_curvature_add_product(c, name, OR_NULL(fuzz_product), &gives)); break;
    case 3: DID(camber_curvature_add_pairs(c, name, OR_NULL(kinds[below(6)]), OR_NULL(v), OR_NULL(v + 4), odd, below(3), one_in(2) ? -1 : number())); break;
    case 4: DID(camber_curvature_add_differences(c, name, OR_NULL(kinds[below(6)]))); break;
    case 5: if (is_small(t)) DID(camber_curvature_add_gauss_newton(c, name, OR_NULL(two_nodes), odd)); break;
    case 6: if (is_small(t)) DID(camber_curvature_add_fisher(c, name, OR_NULL(two_nodes), odd, OR_NULL(families[below(6)]), number())); break;
    case 7: if (is_small(t)) DID(camber_curvature_add_kfac(c, name, odd, OR_NULL(weights), OR_NULL(biases), OR_NULL(others), OR_NULL(two_nodes), any(t), OR_NULL(families[below(6)]), number())); break;
    case 8: DID(camber_curvature_gradient(c, OR_NULL(a))); break;
    case 9: DID(camber_curvature_product(c, OR_NULL(v), OR_NULL(a))); break;
    case 10: DID(camber_curvature_diagonal(c, OR_NULL(a), b)); break;
    case 11: DID(camber_curvature_posterior(c, a, OR_NULL(b))); break;
    case 12: { size_t count = 0; DID(camber_curvature_eigenvalues(c, OR_NULL(a), OR_NULL(b), below(3), one_in(8) ? NULL : &count)); } break;
    case 13: DID(camber_curvature_density(c, one_in(16) ? (size_t)odd_number() | (size_t)1 << 40 : below(9), OR_NULL(a), a + 16, b, b + 16)); break;
    case 14: { double r; int32_t state; DID(camber_curvature_pair(c, name, below(3), &r, NULL, &r, NULL, OR_NULL(&state))); } break;
    case 15: touch(camber_curvature_approximation(c, below(4))), touch(camber_curvature_error_name(c, name, below(20))), touch(camber_curvature_figure_name(below(20))); break;
    case 16: case 17: DID(camber_curvature_error(c, name, OR_NULL(errors[below(14)]), f, OR_NULL(f + 1), f + 2)); break;
    default: DID(camber_curvature_figure(c, OR_NULL(figures[below(13)]), OR_NULL(f), f + 1, f + 2)); break;
    }
  }
  (void)camber_curvature_products(c), (void)camber_curvature_approximation_count(c);
#undef DID
  camber_report *r = camber_report_new(some_text()), *other = camber_report_new("other");
  HOLDS(r && other);
#define DID(call) do { if (known(call)) sentence(camber_report_message(r), #call); } while (0)
  if (one_in(2)) DID(camber_report_add_curvature(r, one_in(16) ? any_handle() : (void *)c));
  camber_curvature_free(c);
  const char *texts[4] = {some_text(), some_text(), some_text(), "x"};
  int64_t ends[8] = {0, 1, 1, (int64_t)below(3), below(4) ? 2 : -1, 0, 1, 1};
  for (int i = 0; i < 12 && left; i++) {
    size_t n = one_in(32) ? (size_t)odd_number() | (size_t)1 << 40 : below(5);
    switch (below(20)) {
    case 0: DID(camber_report_add_finding(r, some_text(), (int32_t)below(5), some_text(), some_text(), some_text())); break;
    case 1: DID(camber_report_add_section(r, some_text(), some_text())); break;
    case 2: DID(camber_report_add_text(r, some_text())); break;
    case 3: DID(camber_report_add_table(r, some_text(), OR_NULL(texts), below(3), one_in(2) ? NULL : texts, n, OR_NULL(v))); break;
    case 4: DID(camber_report_add_series(r, some_text(), some_text(), n, one_in(3) ? NULL : v, OR_NULL(v + 3), one_in(2) ? NULL : v, v + 1)); break;
    case 5: DID(camber_report_set_axes(r, some_text(), some_text(), some_text(), (int32_t)below(2), (int32_t)below(2), (int32_t)below(5) - 1)); break;
    case 6: DID(camber_report_add_bars(r, some_text(), some_text(), n == 4 ? 3 : n, OR_NULL(texts), OR_NULL(v))); break;
    case 7: DID(camber_report_add_histogram(r, some_text(), n, OR_NULL(v))); break;
    case 8: DID(camber_report_add_graph(r, some_text(), n, OR_NULL(texts), one_in(2) ? NULL : texts, n > 4 ? n : below(5), OR_NULL(ends), odd_number())); break;
    case 9: DID(camber_report_add_pattern(r, some_text(), one_in(8) ? odd_number() : 3, one_in(8) ? odd_number() : 2, n, OR_NULL(ends), OR_NULL(ends + 1))); break;
    case 10: DID(camber_report_add_solver(r, PICK(solvers, FEW))); break;
    case 11: DID(camber_report_add_program(r, PICK(programs, PROGRAMS))); break;
    case 12: DID(camber_report_add_findings(r, PICK(found, FEW))); break;
    case 13: DID(camber_report_add_flow(r, PICK(flows, FEW))); break;
    case 16: DID(camber_report_add_rounding(r, PICK(roundings, FEW))); break;
    case 17: DID(camber_report_add_check(r, PICK(checks, FEW))); break;
    case 18: DID(camber_report_add_nonfinite(r, PICK(nonfinites, FEW))); break;
    case 19: DID(camber_report_add_stabilizer(r, PICK(stabilizers, FEW))); break;
    case 14: DID(camber_report_compare(r, one_in(8) ? any_handle() : (void *)(one_in(2) ? r : other), some_text(), some_text())); break;
    default: DID(camber_report_save(r, one_in(2) ? "tensorboard" : some_text(), one_in(16) ? NULL : one_in(8) ? "/nowhere/x" : path)); break;
    }
  }
  static const char *const formats[] = {"text", "json", "html", "x"};
  for (int i = 0; i < 4; i++) {
    const char *said = camber_report_render(r, formats[i]);
    HOLDS((said != NULL) == (i < 3));
    touch(said);
  }
  HOLDS(camber_report_render(r, NULL) == NULL);
#undef DID
  camber_report_free(r), camber_report_free(other), retire(other);
  camber_events *e = camber_events_new(number());
  HOLDS(e);
#define DID(call) do { if (known(call)) sentence(camber_events_message(e), #call); } while (0)
  DID(camber_events_scalar(e, some_text(), odd_number(), number(), number()));
  DID(camber_events_histogram(e, some_text(), odd_number(), one_in(16) ? (size_t)odd_number() | (size_t)1 << 40 : below(8), OR_NULL(v), 0));
  DID(camber_events_save(e, one_in(16) ? NULL : path));
#undef DID
  camber_events_free(e);
}

/* ---- One input ---------------------------------------------------------------------------------------------------------------------- */
static void release(uint32_t k, int i) {
  switch (k) {
  case 0: camber_tape_free(tapes[i % TAPES]), retire(tapes[i % TAPES]), tapes[i % TAPES] = NULL; break;
  case 1: camber_program_free(programs[i % PROGRAMS]), retire(programs[i % PROGRAMS]), programs[i % PROGRAMS] = NULL; break;
  case 2: camber_workspace_free(spaces[i % SPACES]), retire(spaces[i % SPACES]), spaces[i % SPACES] = NULL; break;
  case 3: camber_linear_free(linears[i % LINEARS]), retire(linears[i % LINEARS]), linears[i % LINEARS] = NULL; break;
  case 4: camber_optimizer_free(optimizers[i % FEW]), retire(optimizers[i % FEW]), optimizers[i % FEW] = NULL, parameters[i % FEW] = 0; break;
  case 5: camber_schedule_free(schedules[i % FEW]), retire(schedules[i % FEW]), schedules[i % FEW] = NULL; break;
  case 6: camber_scaler_free(scalers[i % FEW]), retire(scalers[i % FEW]), scalers[i % FEW] = NULL; break;
  case 9: camber_nonfinite_free(nonfinites[i % FEW]), retire(nonfinites[i % FEW]), nonfinites[i % FEW] = NULL; break;
  case 13: camber_rounding_free(roundings[i % FEW]), retire(roundings[i % FEW]), roundings[i % FEW] = NULL; break;
  case 12: camber_check_free(checks[i % FEW]), retire(checks[i % FEW]), checks[i % FEW] = NULL; break;
  case 8: camber_solver_free(solvers[i % FEW]), retire(solvers[i % FEW]), solvers[i % FEW] = NULL; break;
  case 10: camber_flow_free(flows[i % FEW]), retire(flows[i % FEW]), flows[i % FEW] = NULL; break;
  case 11: camber_findings_free(found[i % FEW]), retire(found[i % FEW]), found[i % FEW] = NULL; break;
  case 7: camber_archive_free(archives[i % FEW]), retire(archives[i % FEW]), archives[i % FEW] = NULL; break;
  default: camber_tensors_free(files[i % FEW]), retire(files[i % FEW]), files[i % FEW] = NULL; break;
  }
}

static void act(void) {
  int k = (int)below(TAPES);
  switch (below(32)) {
  case 0: case 1:
    if (tapes[k]) { release(0, k); break; }
    tapes[k] = camber_tape_new(), depth[k] = 0;
    HOLDS(tapes[k]);
    furnish(tapes[k]);
    break;
  case 2: {
    int b = (int)below(TAPES);
    if (tapes[b]) break;
    tapes[b] = camber_tape_sub(tapes[k]);
    HOLDS((tapes[b] == NULL) == (camber_tape_status(tapes[k]) != CAMBER_OK));
  } break;
  case 3: release(below(15), (int)byte()); break;
  case 4: {   /* free of what is no such handle */
    void *p = any_handle();
    switch (below(4)) {
    case 0: if (p != tapes[0]) camber_tape_free(p == tapes[1] || p == tapes[2] || p == tapes[3] || p == tapes[4] ? NULL : p); break;
    case 1: if (p != programs[0] && p != programs[1] && p != programs[2]) camber_program_free(p); break;
    case 2: if (p != spaces[0] && p != spaces[1] && p != spaces[2]) camber_workspace_free(p); break;
    default: if (p != files[0] && p != files[1]) camber_tensors_free(p); break;
    }
  } break;
  case 5: case 6: case 7: compile(k); break;
  case 8: case 9: space((int)below(SPACES)); break;
  case 10: option(); break;
  case 11: case 12: case 13: run(); break;
  case 14: linear(); break;
  case 15: case 16: if (one_in(4)) solve(); else if (one_in(6)) curve(); else if (one_in(3)) sparse(); else if (one_in(16)) plan(); else if (one_in(3)) watch(); else if (one_in(2)) diagnose(); else train(); break;
  case 17: if (one_in(4)) file(); else if (one_in(2)) births(); else stabilize(); break;
  case 18: archive(); break;
  case 23: if (tapes[k]) host(tapes[k]); break;
  case 19: case 20: case 21: case 22: {
    camber_tape *t = tapes[k] ? tapes[k] : tapes[0];
    if (one_in(48)) t = any_handle();
    if (camber_tape_status(t) != CAMBER_OK && !one_in(6)) camber_tape_clear(t);
    generated[(byte() * 256 + byte()) % COUNT(generated)](t);
  } break;
  default:
    if (!tapes[k]) k = 0;
    if (tapes[k]) call(k);
    break;
  }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  trace = getenv("FUZZ_TRACE") != NULL;
  atexit(count);
  if (!mkdtemp(directory)) FAIL("no temporary directory");
  snprintf(path, sizeof path, "%s/t", directory);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  at = bytes, end = bytes + size, made = 0x9E3779B97F4A7C15;
  for (size_t i = 0; i < size; i++) made = (made ^ bytes[i]) * 0x100000001B3;
  made |= 1, left = size + (size ? (bytes[size - 1] & 15) * 128u : 0);
  node_count = 0, stale_count = 0, open_depth = 0;
  memset(nodes, 0xFF, sizeof nodes), memset(stale, 0, sizeof stale), memset(parameters, 0, sizeof parameters);
  for (int i = 0; i < TAPES; i++) tapes[i] = i < 2 ? camber_tape_new() : NULL, depth[i] = 0;
  furnish(tapes[0]), furnish(tapes[1]);
  for (int i = 0; i < 300 && left; i++) act();
  uint32_t from = byte();
  for (uint32_t i = 0; i < 15; i++) for (int j = 0; j < TAPES; j++) release((i + from) % 15, j);
  for (int i = 0; i < FEW; i++) camber_stabilizer_free(stabilizers[i]), stabilizers[i] = NULL;
  HOLDS(held == 0);
  unlink(path);
  return 0;
}
