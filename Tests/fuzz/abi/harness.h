/* The input as numbers, live handles, what every call must keep to, nodes by chance. A part of abi.c. */
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
