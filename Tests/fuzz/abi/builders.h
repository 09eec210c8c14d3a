/* Calls that record: operators, structural nodes, transforms, loops, the host's own. A part of abi.c. */
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
