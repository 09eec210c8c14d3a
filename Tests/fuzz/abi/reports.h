/* Calls of curvature and of reports. A part of abi.c. */
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
