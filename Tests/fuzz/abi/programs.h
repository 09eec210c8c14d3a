/* Calls that compile, run, minimize. A part of abi.c. */
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
    else for (int j = 0; j < PROGRAMS; j++) if (p == programs[j]) alias_of[j][o] = (int)i;
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
