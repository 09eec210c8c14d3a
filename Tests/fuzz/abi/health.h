/* Calls of what watches: gradient flow, births of NaN, rewritings, rounding, checked derivatives. A part of abi.c. */
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
