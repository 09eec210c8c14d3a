/* Arguments for the calls that calls.py makes from the headers. A part of abi.c. */
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
