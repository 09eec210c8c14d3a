/* Calls of the planner and of sparse derivatives. A part of abi.c. */
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
  /* What is given below is no longer. */
  if (camber_node_rank(t, x[1]) > 1 || (camber_node_rank(t, x[1]) == 1 && camber_node_dim(t, x[1], 0) > 3)) return;
  static const char *const kinds[] = {"jacobian", "hessian", "sparse_jacobian", "sparse_hessian", "x", NULL};
  size_t n = one_in(32) ? (size_t)odd_number() | (size_t)1 << 40 : 1 + below(2);
  if (camber_tape_status(t) != CAMBER_OK) return;
  enter(t);
  camber_plan *p = camber_plan_new(t, kinds[one_in(8) ? below(6) : below(4)], &y, one_in(32) ? 0 : 1, x, n, x + 1, n == 1);
  leave(t, p == NULL, "camber_plan_new");
  if (!p) return;
  if (one_in(4)) known(camber_plan_set(p, one_in(8) ? NULL : one_in(2) ? "taste" : one_in(8) ? "x" : "accurate", one_in(8) ? number() : (double)below(2)));
  if (one_in(3)) known(camber_plan_set(p, one_in(2) ? "evaluations" : "rounding", one_in(4) ? number() : (double)below(2)));
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
