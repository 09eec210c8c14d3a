/* Camber for C with less writing: arithmetic that broadcasts and casts, a layer, two losses, one-call gradients.
 *
 * This header uses only the public interface of camber.h: everything here could stand in your own program. It is C99, and
 * C++; all functions are static inline; there is nothing to link but the library.
 *
 *     camber_node y = camber_easy_add(t, camber_matmul(t, x, w), b);                 // b is stretched to the rows
 *     camber_node loss = camber_easy_cross_entropy(t, y, labels);
 *     camber_status s = camber_easy_gradient(t, loss, params, 2, at, &value, gradients, stderr);
 *
 * Errors stay where camber.h puts them: a call that fails returns CAMBER_NONE and the tape says why.
 */
#ifndef CAMBER_EASY_H
#define CAMBER_EASY_H

#include <stdio.h>

#include "camber.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Nodes of more axes are handed on as they are. */
#define CAMBER_EASY_RANK 32

/* ---- Types --------------------------------------------------------------------------------------------------------- */

static inline int camber_easy_is_float(camber_dtype d) { return d >= CAMBER_F64 && d <= CAMBER_BF16; }

/* NumPy's promotion of two dtypes; f16 with bf16 gives f32. */
static inline camber_dtype camber_easy_promote(camber_dtype a, camber_dtype b) {
  if (a == b || b == CAMBER_BOOL) return a;
  if (a == CAMBER_BOOL) return b;
  if (camber_easy_is_float(a) != camber_easy_is_float(b)) return CAMBER_F64;
  if (!camber_easy_is_float(a)) return CAMBER_I64;
  return a == CAMBER_F64 || b == CAMBER_F64 ? CAMBER_F64 : CAMBER_F32;
}

/* Elements of a node; -1 where it is none of this tape's. */
static inline int64_t camber_easy_elements(const camber_tape *tape, camber_node x) {
  int64_t n = 1, rank = camber_node_rank(tape, x), axis;
  if (rank < 0) return -1;
  for (axis = 0; axis < rank; axis++) n *= camber_node_dim(tape, x, axis);
  return n;
}

/* x in a dtype: itself where it has it. */
static inline camber_node camber_easy_cast(camber_tape *tape, camber_node x, camber_dtype dtype) {
  return camber_node_dtype(tape, x) == dtype ? x : camber_cast(tape, x, dtype);
}

/* A number in the dtype of `like`. */
static inline camber_node camber_easy_number(camber_tape *tape, camber_node like, double value) {
  return camber_constant(tape, camber_node_dtype(tape, like), value);
}

/* ---- Elementwise operators that broadcast and cast: camber_easy_<row> ---------------------------------------------------- */

enum {
  CAMBER_EASY_FLOAT, CAMBER_EASY_NUMBER, CAMBER_EASY_INTEGER, CAMBER_EASY_TEST, CAMBER_EASY_COMPARE, CAMBER_EASY_LOGIC,
  CAMBER_EASY_SELECT, CAMBER_EASY_GATE
};

/* The dtype in which a class of rows computes on operands that promote to `d`. */
static inline camber_dtype camber_easy_computes(int takes, camber_dtype d) {
  switch (takes) {
    case CAMBER_EASY_FLOAT: case CAMBER_EASY_TEST: case CAMBER_EASY_GATE: return camber_easy_is_float(d) ? d : CAMBER_F64;
    case CAMBER_EASY_NUMBER: case CAMBER_EASY_COMPARE: return d == CAMBER_BOOL ? CAMBER_I64 : d;
    case CAMBER_EASY_INTEGER: return CAMBER_I64;
    case CAMBER_EASY_LOGIC: return CAMBER_BOOL;
    default: return d;
  }
}

/* Stretches nodes to one shape by NumPy's rule. Where they do not fit they are left, and the operator says so. */
static inline void camber_easy_stretch(camber_tape *tape, camber_node *nodes, size_t count) {
  int64_t all[CAMBER_EASY_RANK], rank = 0, i, axis, r, d;
  size_t k;
  int stretched = 0;
  for (k = 0; k < count; k++) {
    r = camber_node_rank(tape, nodes[k]);
    if (r < 0 || r > CAMBER_EASY_RANK) return;
    rank = r > rank ? r : rank;
  }
  for (i = 0; i < rank; i++) all[i] = 1;
  for (k = 0; k < count; k++) {
    r = camber_node_rank(tape, nodes[k]);
    for (axis = 0; axis < r; axis++) {
      d = camber_node_dim(tape, nodes[k], axis);
      i = rank - r + axis;
      if (all[i] == 1) all[i] = d;
      else if (d != 1 && d != all[i]) return;
    }
  }
  for (k = 0; k < count; k++) {
    r = camber_node_rank(tape, nodes[k]);
    stretched = r != rank;
    for (axis = 0; axis < r && !stretched; axis++) stretched = camber_node_dim(tape, nodes[k], axis) != all[axis];
    if (stretched) nodes[k] = camber_broadcast(tape, nodes[k], all, (size_t)rank);
  }
}

/* Makes operands fit a class of rows: dtypes first, then shapes. */
static inline void camber_easy_fit(camber_tape *tape, int takes, camber_node *nodes, size_t count) {
  size_t first = takes == CAMBER_EASY_SELECT || takes == CAMBER_EASY_GATE, k;   /* a mask has its own dtype */
  camber_dtype d;
  for (k = 0; k < count; k++)
    if (camber_node_dtype(tape, nodes[k]) < 0) return;
  d = camber_node_dtype(tape, nodes[first]);
  for (k = first + 1; k < count; k++) d = camber_easy_promote(d, camber_node_dtype(tape, nodes[k]));
  d = camber_easy_computes(takes, d);
  if (first) nodes[0] = camber_easy_cast(tape, nodes[0], CAMBER_BOOL);
  for (k = first; k < count; k++) nodes[k] = camber_easy_cast(tape, nodes[k], d);
  camber_easy_stretch(tape, nodes, count);
}

#define CAMBER_X(name, takes, value)                                                            \
  static inline camber_node camber_easy_##name(camber_tape *tape, camber_node x) {              \
    camber_easy_fit(tape, CAMBER_EASY_##takes, &x, 1);                                          \
    return camber_##name(tape, x);                                                              \
  }
CAMBER_UNARY_OPS(CAMBER_X)
#undef CAMBER_X
#define CAMBER_X(name, takes, value)                                                            \
  static inline camber_node camber_easy_##name(camber_tape *tape, camber_node x, camber_node y) { \
    camber_node n[2];                                                                           \
    n[0] = x, n[1] = y;                                                                         \
    camber_easy_fit(tape, CAMBER_EASY_##takes, n, 2);                                           \
    return camber_##name(tape, n[0], n[1]);                                                     \
  }
CAMBER_BINARY_OPS(CAMBER_X)
#undef CAMBER_X
#define CAMBER_X(name, takes, value)                                                            \
  static inline camber_node camber_easy_##name(camber_tape *tape, camber_node x, camber_node y, camber_node z) { \
    camber_node n[3];                                                                           \
    n[0] = x, n[1] = y, n[2] = z;                                                               \
    camber_easy_fit(tape, CAMBER_EASY_##takes, n, 3);                                           \
    return camber_##name(tape, n[0], n[1], n[2]);                                               \
  }
CAMBER_TERNARY_OPS(CAMBER_X)
#undef CAMBER_X

/* A node and a number: x + v, x * v, x ^ v. */
static inline camber_node camber_easy_add_number(camber_tape *tape, camber_node x, double v) {
  return camber_easy_add(tape, x, camber_easy_number(tape, x, v));
}
static inline camber_node camber_easy_mul_number(camber_tape *tape, camber_node x, double v) {
  return camber_easy_mul(tape, x, camber_easy_number(tape, x, v));
}
static inline camber_node camber_easy_pow_number(camber_tape *tape, camber_node x, double v) {
  return camber_easy_pow(tape, x, camber_easy_number(tape, x, v));
}

/* ---- Shapes and reductions of the common kind ------------------------------------------------------------------------------- */

/* Over all axes, and over one that goes away. */
static inline camber_node camber_easy_sum(camber_tape *tape, camber_node x) { return camber_sum(tape, x, NULL, 0, 0); }
static inline camber_node camber_easy_mean(camber_tape *tape, camber_node x) { return camber_mean(tape, x, NULL, 0, 0); }
static inline camber_node camber_easy_norm(camber_tape *tape, camber_node x) { return camber_norm(tape, x, NULL, 0, 0); }
static inline camber_node camber_easy_sum_axis(camber_tape *tape, camber_node x, int64_t axis) {
  return camber_sum(tape, x, &axis, 1, 0);
}
static inline camber_node camber_easy_mean_axis(camber_tape *tape, camber_node x, int64_t axis) {
  return camber_mean(tape, x, &axis, 1, 0);
}

/* Vectors and matrices that the host supplies. */
static inline camber_node camber_easy_vector(camber_tape *tape, camber_dtype dtype, int64_t n) {
  return camber_input(tape, dtype, &n, 1);
}
static inline camber_node camber_easy_matrix(camber_tape *tape, camber_dtype dtype, int64_t rows, int64_t columns) {
  int64_t shape[2];
  shape[0] = rows, shape[1] = columns;
  return camber_input(tape, dtype, shape, 2);
}

/* ---- Layers and losses ---------------------------------------------------------------------------------------------------------- */

/* x w + b. x [n, i], w [i, o], b [o]. */
static inline camber_node camber_easy_dense(camber_tape *tape, camber_node x, camber_node w, camber_node b) {
  return camber_easy_add(tape, camber_matmul(tape, x, w), b);
}

/* The mean over n rows of -log softmax(logits)[label]. logits [n, classes], labels [n] (integer). */
static inline camber_node camber_easy_cross_entropy(camber_tape *tape, camber_node logits, camber_node labels) {
  camber_dtype dtype = camber_node_dtype(tape, logits);
  camber_node chosen = camber_one_hot(tape, labels, camber_node_dim(tape, logits, -1), dtype);
  camber_node each = camber_easy_sum_axis(tape, camber_mul(tape, chosen, camber_log_softmax(tape, logits, -1)), -1);
  return camber_neg(tape, camber_easy_mean(tape, each));
}

/* The mean over all elements of (prediction - target)^2. */
static inline camber_node camber_easy_mean_squared_error(camber_tape *tape, camber_node prediction, camber_node target) {
  return camber_easy_mean(tape, camber_square(tape, camber_easy_sub(tape, prediction, target)));
}

/* ---- One call ---------------------------------------------------------------------------------------------------------------------- */

/* Prints "camber: sentence" to `complain` (may be NULL) when a status is an error, and returns it. */
static inline camber_status camber_easy_report(FILE *complain, camber_status status, const char *sentence) {
  if (status < 0 && complain)
    fprintf(complain, "camber: %s\n", sentence && *sentence ? sentence : camber_status_message(status));
  return status;
}

/* The tape's error, printed if there is one. */
static inline camber_status camber_easy_check(FILE *complain, const camber_tape *tape) {
  return camber_easy_report(complain, camber_tape_status(tape), camber_tape_message(tape));
}

/* Compiles outputs as a function of inputs, runs it once at the host's arrays, and frees what it made. */
static inline camber_status camber_easy_evaluate(camber_tape *tape, const camber_node *inputs, size_t input_count,
                                                 const camber_node *outputs, size_t output_count,
                                                 const void *const *at, void *const *results, FILE *complain) {
  camber_program *program = camber_program_new(tape, inputs, input_count, outputs, output_count);
  camber_workspace *workspace;
  camber_status status;
  if (!program) {
    status = camber_tape_status(tape);
    return camber_easy_report(complain, status < 0 ? status : CAMBER_EHANDLE, camber_tape_message(tape));
  }
  workspace = camber_workspace_new(program);
  if (!workspace) status = camber_easy_report(complain, CAMBER_ENOMEM, NULL);
  else status = camber_easy_report(complain, camber_run(program, workspace, at, results), camber_workspace_message(workspace));
  camber_workspace_free(workspace);
  camber_program_free(program);
  return status;
}

/* The value of a scalar `output` and its gradients at the host's arrays, one an input, in one call. `value` and `gradients`
 * have the dtypes and sizes of output and inputs. At most 64 inputs. */
static inline camber_status camber_easy_gradient(camber_tape *tape, camber_node output, const camber_node *inputs, size_t input_count,
                                                 const void *const *at, void *value, void *const *gradients, FILE *complain) {
  camber_node outputs[65];
  void *results[65];
  camber_status status;
  size_t i;
  if (input_count > 64) return camber_easy_report(complain, CAMBER_EINVAL, "camber_easy_gradient: more than 64 inputs");
  if (!value || !gradients) return camber_easy_report(complain, CAMBER_EINVAL, "camber_easy_gradient: NULL results");
  status = camber_grad(tape, output, inputs, input_count, outputs + 1);
  if (status < 0) return camber_easy_report(complain, status, camber_tape_message(tape));
  outputs[0] = output;
  results[0] = value;
  for (i = 0; i < input_count; i++) results[i + 1] = gradients[i];
  return camber_easy_evaluate(tape, inputs, input_count, outputs, input_count + 1, at, results, complain);
}

#ifdef __cplusplus
}
#endif
#endif
