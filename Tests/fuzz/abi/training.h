/* Optimizers, schedules, loss scaling, files. A part of abi.c. */
/* ---- Training --------------------------------------------------------------------------------------------------------------------- */
static void train(void) {
  int k = (int)below(FEW);
  static const char *const methods[] = {"sgd", "adam", "adamw", "x", "", NULL};
  static const char *const options[] = {"learning_rate", "momentum", "nesterov", "weight_decay", "beta1", "beta2", "epsilon", "l1", "l2", "clip_value", "clip_norm", "clip_global_norm", "zclip", "agc", "spectral_norm", "compensate", "", NULL, "warmup", "steps", "final", "every", "factor",
                                        "initial", "growth", "backoff", "interval", "minimum", "maximum", "hysteresis", "guarded"};
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
    (void)camber_scaler_skipped(s), (void)camber_scaler_fault(s);
    HOLDS(r != CAMBER_NONFINITE || (camber_scaler_tensor(s) >= 0 && camber_scaler_tensor(s) < (int64_t)n));
    if (one_in(2)) {
      const void *again[3] = {g[0], g[1], one_in(32) ? NULL : g[2]};
      r = camber_scaler_classify(s, n, one_in(48) ? NULL : again, d, sizes);
      if (known(r)) sentence(camber_scaler_message(s), "camber_scaler_classify");
      HOLDS(r != CAMBER_NONFINITE || camber_scaler_fault(s) == 1);
    }
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
