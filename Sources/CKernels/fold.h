/* One fold: NAME, OP(a, b), TERM(x, shift), PAD (whose term OP ignores), E, W, LANES; with SINGLES, f32 is widened in registers. Undefines the first four. */
#define SUB(f) PASTE(NAME, f)

/* `rows` rows at distance `step` bytes, each of K vectors of which the first `live` elements exist, then one row more
 * from `last` (NULL: none). At least one row. */
INLINE void SUB(_tree)(const ck_span *s, const int K, const char *x, size_t rows, size_t step, size_t live, const E *last,
                       const W *shift, W *result) {
  W stack[48 * 8];               /* 2^48 blocks are more than memory holds */
  E row[8 * LANES] __attribute__((aligned(64)));
  W acc[8];
  const bool whole = live == (size_t)(K * LANES);
  /* A narrow row is read with what follows it, whose lanes are dropped, up to the last rows, where nothing may follow. */
  const char *const safe = x + (rows ? (rows - 1) * step : 0) + live * sizeof(E);
  if (!whole || s->widen) for (int l = 0; l < K * LANES; l++) row[l] = PAD;
#ifdef SINGLES
  const bool singles = s->widen && whole && s->size == sizeof(float);
#endif
  size_t blocks = 0;
  const size_t all = rows + (last != NULL);
  for (size_t r = 0; r < all;) {
    const size_t end = r + 32 < all ? r + 32 : all;
    for (bool first = true; r < end; r++, first = false) {
      const char *p = x + r * step;
#ifdef SINGLES
      if (singles && r != rows) {
        for (int k = 0; k < K; k++) {
          SINGLES half;
          memcpy(&half, p + 32 * k, 32);
          const W v = TERM(__builtin_convertvector(half, W), shift[k]);
          acc[k] = first ? v : OP(acc[k], v);
        }
        continue;
      }
#endif
      if (r == rows) p = (const char *)last;
      else if (s->widen) { s->widen(p, NULL, NULL, row, live); p = (const char *)row; }
      else if (!whole && safe - p < 64 * K) { memcpy(row, p, live * sizeof(E)); p = (const char *)row; }
      for (int k = 0; k < K; k++) {
        W v;
        memcpy(&v, p + 64 * k, 64);
        v = TERM(v, shift[k]);
        acc[k] = first ? v : OP(acc[k], v);
      }
    }
    int top = __builtin_popcountll(blocks);
    for (size_t b = blocks++; b & 1; b >>= 1) {
      top--;
      for (int k = 0; k < K; k++) acc[k] = OP(stack[top * K + k], acc[k]);
    }
    for (int k = 0; k < K; k++) stack[top * K + k] = acc[k];
  }
  int top = __builtin_popcountll(blocks) - 1;
  for (int k = 0; k < K; k++) acc[k] = stack[top * K + k];
  while (top-- > 0)
    for (int k = 0; k < K; k++) acc[k] = OP(stack[top * K + k], acc[k]);
  for (int k = 0; k < K; k++) result[k] = acc[k];
}

/* The four vectors of a line, then the lanes. */
static void SUB(_across)(const W *v, void *out) {
  W r = OP(OP(v[0], v[1]), OP(v[2], v[3]));
  for (int half = LANES / 2; half; half /= 2) {
    W other = r;
    for (int l = 0; l < half; l++) other[l] = r[l + half];
    r = OP(r, other);
  }
  *(E *)out = r[0];
}

/* Rows [first, end) of a line, of which the last may be incomplete. */
static void SUB(_rows)(const ck_span *s, size_t first, size_t end, W *v) {
  const E given = s->shift ? *(const E *)s->shift : (E)0;
  const W shift[4] = {(W)given, (W)given, (W)given, (W)given};
  enum { ROW = 4 * LANES };
  const size_t rows = s->n / ROW, rest = s->n % ROW, step = ROW * s->size;
  const bool broken = rest && end > rows;
  E last[ROW] __attribute__((aligned(64)));
  if (broken) {
    const char *p = (const char *)s->x + rows * step;
    if (s->widen) s->widen(p, NULL, NULL, last, rest);
    else memcpy(last, p, rest * sizeof(E));
    for (size_t l = rest; l < ROW; l++) last[l] = PAD;
  }
  SUB(_tree)(s, 4, (const char *)s->x + first * step, end - first - broken, step, ROW, broken ? last : NULL, shift, v);
}

static void SUB(_line)(const ck_span *s) {
  const size_t rows = (s->n + 4 * LANES - 1) / (4 * LANES);
  W v[4];
  if (!s->parts) {
    SUB(_rows)(s, 0, rows, v);
    SUB(_across)(v, s->out);
    return;
  }
  char *parts = s->parts;
  if (s->part != SIZE_MAX) {
    const size_t first = s->part * CK_GROUP, end = rows - first < CK_GROUP ? rows : first + CK_GROUP;
    SUB(_rows)(s, first, end, v);
    memcpy(parts + s->part * sizeof v, v, sizeof v);
    return;
  }
  /* A group is a subtree of the whole: joined as blocks are. */
  W stack[48 * 4];
  const size_t groups = (rows + CK_GROUP - 1) / CK_GROUP;
  for (size_t g = 0; g < groups; g++) {
    memcpy(v, parts + g * sizeof v, sizeof v);
    int top = __builtin_popcountll(g);
    for (size_t b = g; b & 1; b >>= 1) {
      top--;
      for (int k = 0; k < 4; k++) v[k] = OP(stack[top * 4 + k], v[k]);
    }
    for (int k = 0; k < 4; k++) stack[top * 4 + k] = v[k];
  }
  for (int top = __builtin_popcountll(groups) - 2; top >= 0; top--)
    for (int k = 0; k < 4; k++) v[k] = OP(stack[top * 4 + k], v[k]);
  SUB(_across)(v, s->out);
}

static void NAME(const ck_span *s) {
  if (s->n == 0) return;
  if (s->stride == 1 && s->width == 1) { SUB(_line)(s); return; }
  size_t c = 0;
  while (c < s->width) {
    const size_t left = s->width - c;
    const int K = left > 6 * LANES ? 8 : left > 2 * LANES ? 4 : left > LANES ? 2 : 1;
    const size_t live = left < (size_t)(K * LANES) ? left : (size_t)(K * LANES);
    const char *x = (const char *)s->x + c * s->size;
    W shift[8] = {0}, v[8];
    if (s->shift) memcpy(shift, (const E *)s->shift + c, live * sizeof(E));
    if (K == 8) SUB(_tree)(s, 8, x, s->n, s->stride * s->size, live, NULL, shift, v);
    else if (K == 4) SUB(_tree)(s, 4, x, s->n, s->stride * s->size, live, NULL, shift, v);
    else if (K == 2) SUB(_tree)(s, 2, x, s->n, s->stride * s->size, live, NULL, shift, v);
    else SUB(_tree)(s, 1, x, s->n, s->stride * s->size, live, NULL, shift, v);
    memcpy((E *)s->out + c, v, live * sizeof(E));
    c += live;
  }
}
#undef SUB
#undef NAME
#undef OP
#undef TERM
#undef PAD
