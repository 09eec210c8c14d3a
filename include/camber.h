/* Camber: exact derivatives of numerical programs, to embed.
 *
 * A host records a program on a *tape*, asks for derivatives (nodes on the same tape), compiles the outputs it wants
 * into a *program* and runs it on its own arrays. This header is the whole interface and its manual; a function that
 * does not stand here is not published.
 *
 *     camber_tape *t = camber_tape_new();
 *     camber_node x = camber_input(t, CAMBER_F64, NULL, 0);                      // a scalar
 *     camber_node y = camber_mul(t, camber_sin(t, x), camber_exp(t, x)), g;
 *     camber_grad(t, y, &x, 1, &g);
 *     camber_node out[2] = {y, g};
 *     camber_program *p = camber_program_new(t, &x, 1, out, 2);
 *     camber_workspace *w = camber_workspace_new(p);
 *     double at = 1.5, value, slope;
 *     const void *in[1] = {&at};
 *     void *results[2] = {&value, &slope};
 *     camber_status s = camber_run(p, w, in, results);
 *
 * ERRORS. Building returns a node. The first thing that goes wrong on a tape is kept with its sentence (operator, shapes,
 * argument); the call returns CAMBER_NONE and so does everything built from it, until `camber_program_new` or
 * `camber_tape_status` tells. Running returns a status: 0; positive for a recoverable outcome; negative for an error, its
 * sentence on the mutable handle of the call. No function aborts, exits, prints, throws or changes the host's data on
 * failure. NULL or a handle of another kind where a handle belongs is CAMBER_EHANDLE (or NULL, CAMBER_NONE, 0).
 *
 * MEMORY. `_new` makes, `_free` frees; free(NULL) is a no-op and the order of frees does not matter: a program outlives
 * its tape. Arrays given to a function are borrowed for the call. Strings returned live as long as their handle and until
 * the next call on it. Arrays are dense, row-major, in the host's byte order.
 *
 * THREADS. A const handle may be used by many threads at once, a non-const one by one thread at a time. There is no global
 * state that a host can see: no signal handlers, no locale, no thread-local error; the floating-point environment is set
 * for the length of a run and put back.
 *
 * SHAPES are arrays of int64_t, first axis outermost. A scalar has rank 0 (shape may then be NULL). Axes count from the
 * front, or from the end when negative. Elementwise operators want equal shapes and dtypes and say so otherwise: broadcast
 * and cast are explicit here; camber_easy.h, C++, Python and Swift insert them.
 */
#ifndef CAMBER_H
#define CAMBER_H

#include <stddef.h>
#include <stdint.h>

#include "camber_ops.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CAMBER_VERSION_MAJOR 0
#define CAMBER_VERSION_MINOR 1
#define CAMBER_VERSION_PATCH 0

/* ---- Status ------------------------------------------------------------------------------------------------------ */

typedef int32_t camber_status;
enum {
  CAMBER_OK = 0,
  CAMBER_NONFINITE = 1,   /* an output is NaN or infinite and the option "check_finite" asked; outputs are written */
  CAMBER_FLIPPED = 2,     /* a guard (camber_guard) is not as it was when recorded; outputs are written, for the recorded branch */
  CAMBER_EINVAL = -1,     /* an argument outside what the call takes */
  CAMBER_ESHAPE = -2,     /* shapes do not fit */
  CAMBER_EDTYPE = -3,     /* a dtype that the operator does not take, or dtypes that differ */
  CAMBER_ENODE = -4,      /* a node of another tape, or none */
  CAMBER_ENOMEM = -5,     /* memory was refused, or a size that cannot exist */
  CAMBER_EHANDLE = -6,    /* NULL, a freed handle or one of another kind */
  CAMBER_EDERIV = -7,     /* this derivative does not exist */
  CAMBER_EBUSY = -8,      /* the workspace is running in another thread */
  CAMBER_EIO = -9,        /* a file could not be read or written, or is not what it claims */
  CAMBER_ECALLBACK = -10  /* a function of the host's own failed; the sentence is the operator's name and what it said */
};

/* A sentence for a status, for where there is no handle to ask. Never NULL; static. */
const char *camber_status_message(camber_status status);

/* MAJOR * 10000 + MINOR * 100 + PATCH of the library that is loaded. */
uint32_t camber_version(void);

/* FNV-1a 64 over the bytes of camber.h, camber_ops.h, camber_sparse.h and camber_health.h that the library was built with, as 16 hex digits. A binding that
 * reads the header compares it at import. Static. */
const char *camber_header_digest(void);

/* ---- Types ------------------------------------------------------------------------------------------------------- */

typedef int32_t camber_dtype;
enum {
  CAMBER_F64 = 0,
  CAMBER_F32 = 1,
  CAMBER_F16 = 2,   /* IEEE binary16: stored in 16 bits, computed in f32, rounded to nearest even after every operator */
  CAMBER_BF16 = 3,  /* bfloat16, likewise */
  CAMBER_I64 = 4,
  CAMBER_I32 = 5,
  CAMBER_BOOL = 6   /* one byte, 0 or 1; the Boolean semiring: sum is "any", prod is "all" */
};

size_t camber_dtype_size(camber_dtype dtype);        /* bytes an element; 0 for no dtype */
const char *camber_dtype_name(camber_dtype dtype);   /* "f64", ...; "?" for no dtype. Static */

typedef struct camber_tape camber_tape;
typedef struct camber_program camber_program;
typedef struct camber_workspace camber_workspace;
typedef struct camber_linear camber_linear;
typedef struct camber_optimizer camber_optimizer;
typedef struct camber_schedule camber_schedule;
typedef struct camber_scaler camber_scaler;
typedef struct camber_solver camber_solver;
typedef struct camber_tensors camber_tensors;
typedef struct camber_archive camber_archive;

/* The tape's serial number in the upper half, the index on it in the lower. Cheap to copy, never freed. */
typedef int64_t camber_node;
#define CAMBER_NONE ((camber_node)-1)

/* ---- Tapes ------------------------------------------------------------------------------------------------------- */

/* An empty tape, or NULL when memory is refused. */
camber_tape *camber_tape_new(void);
void camber_tape_free(camber_tape *tape);

/* A tape for the body of a loop or for a branch (camber_scan, camber_while, camber_map, camber_cond, camber_switch). Nodes of the outer tapes may be used on it as they are. NULL on error
 * (the outer tape says). Free it like any tape; the outer one keeps what it needs. */
camber_tape *camber_tape_sub(camber_tape *outer);

/* The node of a sub-tape that stands for a node of a tape around it (there is no need to ask: every builder does). */
camber_node camber_capture(camber_tape *tape, camber_node outer);

/* The first error on this tape, or CAMBER_OK; and its sentence, "" when there is none. */
camber_status camber_tape_status(const camber_tape *tape);
const char *camber_tape_message(const camber_tape *tape);

/* Makes it fail, unless it has: for callbacks that build. `status` is negative; returns the tape's. */
camber_status camber_tape_fail(camber_tape *tape, camber_status status, const char *sentence);

/* Forgets the error; what was built before it still stands. */
camber_status camber_tape_clear(camber_tape *tape);

size_t camber_tape_node_count(const camber_tape *tape);
size_t camber_tape_bytes(const camber_tape *tape);   /* memory held by nodes, types and constants */

/* A fingerprint of the programs behind `outputs`: operators, types, constants and structure in depth-first order; not of the
 * order in which statements were recorded. Inputs are numbered by their place in `inputs`. Equal tapes hash equally on
 * every host and compiler. 0 on error (see camber_tape_message). */
uint64_t camber_tape_hash(camber_tape *tape, const camber_node *inputs, size_t input_count,
                          const camber_node *outputs, size_t output_count);

/* ---- Leaves ------------------------------------------------------------------------------------------------------ */

/* A value that the host supplies at each run. */
camber_node camber_input(camber_tape *tape, camber_dtype dtype, const int64_t *shape, size_t rank);

/* Scalars. `value` is rounded once to the dtype; camber_integer is exact for i64. */
camber_node camber_constant(camber_tape *tape, camber_dtype dtype, double value);
camber_node camber_integer(camber_tape *tape, camber_dtype dtype, int64_t value);

/* A copy of the host's array. */
camber_node camber_array(camber_tape *tape, camber_dtype dtype, const int64_t *shape, size_t rank, const void *data);

/* 0, 1, 2, ... along `axis`, constant along the others. */
camber_node camber_iota(camber_tape *tape, camber_dtype dtype, const int64_t *shape, size_t rank, int64_t axis);

/* What a node is. -1 (dtype, rank, dim) or CAMBER_ENODE where it is none of this tape's; the tape's error is untouched. */
camber_dtype camber_node_dtype(const camber_tape *tape, camber_node node);
int64_t camber_node_rank(const camber_tape *tape, camber_node node);
int64_t camber_node_dim(const camber_tape *tape, camber_node node, int64_t axis);
camber_status camber_node_shape(const camber_tape *tape, camber_node node, int64_t *shape /* rank entries */);
/* The operator's name, "?" for none. Static. */
const char *camber_node_op(const camber_tape *tape, camber_node node);

/* ---- Elementwise operators: one function a row of camber_ops.h ------------------------------------------------------- */

#define CAMBER_X(name, class, value) camber_node camber_##name(camber_tape *tape, camber_node x);
CAMBER_UNARY_OPS(CAMBER_X)
#undef CAMBER_X
#define CAMBER_X(name, class, value) camber_node camber_##name(camber_tape *tape, camber_node x, camber_node y);
CAMBER_BINARY_OPS(CAMBER_X)
#undef CAMBER_X
#define CAMBER_X(name, class, value) camber_node camber_##name(camber_tape *tape, camber_node x, camber_node y, camber_node z);
CAMBER_TERNARY_OPS(CAMBER_X)
#undef CAMBER_X

/* A row by its name. */
camber_node camber_apply(camber_tape *tape, const char *name, const camber_node *inputs, size_t count);

/* The rows themselves, for hosts that loop over them (tests, bindings). i < camber_op_count(). */
size_t camber_op_count(void);
const char *camber_op_name(size_t i);    /* NULL out of range */
int32_t camber_op_arity(size_t i);       /* 1, 2, 3; -1 out of range */
const char *camber_op_class(size_t i);   /* "FLOAT", ...: see camber_ops.h */
/* Operand `slot`'s domain, ends included where finite; the error bound of a value, in ulp. */
camber_status camber_op_domain(size_t i, size_t slot, double *low, double *high);
double camber_op_ulp(size_t i);

/* ---- Types and shapes ---------------------------------------------------------------------------------------------- */

/* float -> integer truncates and saturates, NaN -> 0; anything -> bool is x != 0; to 16 bits rounds once. Linear between
 * floats; the derivative to or from integers and bool is zero. */
camber_node camber_cast(camber_tape *tape, camber_node x, camber_dtype dtype);

/* Same elements, row-major. One entry may be -1: what is left. */
camber_node camber_reshape(camber_tape *tape, camber_node x, const int64_t *shape, size_t rank);
/* NumPy's rule: axes are aligned at the end, 1 stretches. */
camber_node camber_broadcast(camber_tape *tape, camber_node x, const int64_t *shape, size_t rank);
/* out axis i is x's axis order[i]; NULL reverses all. */
camber_node camber_transpose(camber_tape *tape, camber_node x, const int64_t *order, size_t rank);
/* start, stop, step an axis as Python's slices with the ends already clipped: 0 <= start, stop <= n; step < 0 goes down,
 * and then stop = -1 means "past the first element". */
camber_node camber_slice(camber_tape *tape, camber_node x, const int64_t *start, const int64_t *stop, const int64_t *step, size_t rank);
/* Zeros around (low, high >= 0) and `interior` zeros between the elements of each axis. */
camber_node camber_pad(camber_tape *tape, camber_node x, const int64_t *low, const int64_t *high, const int64_t *interior, size_t rank);
/* Elements moved on by `shift` along `axis` (back where it is negative); what leaves one end comes in at the other. */
camber_node camber_roll(camber_tape *tape, camber_node x, int64_t shift, int64_t axis);
/* The elements along these axes in reverse; axes NULL: all. */
camber_node camber_reverse(camber_tape *tape, camber_node x, const int64_t *axes, size_t count);
/* x cut along `axis` into `count` parts of these sizes, which add up to its length. */
camber_status camber_split(camber_tape *tape, camber_node x, const int64_t *sizes, size_t count, int64_t axis, camber_node *parts);
/* x beside itself counts[i] times along axis i. Axes and counts are aligned at the end; the shorter list is filled up with 1. */
camber_node camber_tile(camber_tape *tape, camber_node x, const int64_t *counts, size_t rank);
/* Each slice along `axis` counts[i] times in a row; count = 1: all as often. */
camber_node camber_repeat(camber_tape *tape, camber_node x, const int64_t *counts, size_t count, int64_t axis);
/* The last two axes are matrices: what lies on diagonal k (0 the main one, positive above it) and below (tril) or above (triu), zeros
 * elsewhere; diagonal k itself; and matrices with the last axis of v on diagonal k. */
camber_node camber_tril(camber_tape *tape, camber_node x, int64_t k);
camber_node camber_triu(camber_tape *tape, camber_node x, int64_t k);
camber_node camber_diagonal(camber_tape *tape, camber_node x, int64_t k);
camber_node camber_diag(camber_tape *tape, camber_node v, int64_t k);
camber_node camber_concat(camber_tape *tape, const camber_node *parts, size_t count, int64_t axis);
camber_node camber_stack(camber_tape *tape, const camber_node *parts, size_t count, int64_t axis);   /* along a new axis */

/* x's slices along `axis` at integer `indices` (any shape, which takes the axis' place). Negative indices count from the
 * end; one outside is an error of the run. The gradient adds up where indices repeat. */
camber_node camber_gather(camber_tape *tape, camber_node x, camber_node indices, int64_t axis);
/* x with updates added at indices along axis; updates has gather(x, indices, axis)'s shape. Sums in ascending order. */
camber_node camber_scatter_add(camber_tape *tape, camber_node x, camber_node indices, camber_node updates, int64_t axis);
/* x with updates in place of what stood at indices along axis; where indices repeat the last update stays (and has the gradient). */
camber_node camber_scatter_set(camber_tape *tape, camber_node x, camber_node indices, camber_node updates, int64_t axis);
/* x times, or the larger or smaller of x and, every update at its index. Products have the right derivative where factors are 0; a
 * maximum shares its gradient between equal updates, and then with x. */
camber_node camber_scatter_mul(camber_tape *tape, camber_node x, camber_node indices, camber_node updates, int64_t axis);
camber_node camber_scatter_max(camber_tape *tape, camber_node x, camber_node indices, camber_node updates, int64_t axis);
camber_node camber_scatter_min(camber_tape *tape, camber_node x, camber_node indices, camber_node updates, int64_t axis);
/* Element by element: out[.., j, ..] = x[.., indices[.., j, ..], ..]; shapes agree but for `axis`. */
camber_node camber_take_along(camber_tape *tape, camber_node x, camber_node indices, int64_t axis);
/* The block of these sizes that begins at `start`, an integer node of shape [rank]; and x with `update`, a block, written there. A
 * negative start counts from the end of its axis; then a block that would stick out is moved inside (as jax.lax does): no run fails. */
camber_node camber_dynamic_slice(camber_tape *tape, camber_node x, camber_node start, const int64_t *sizes, size_t rank);
camber_node camber_dynamic_update(camber_tape *tape, camber_node x, camber_node update, camber_node start);
/* Of data [m.., ...] and integer segments [m..]: sums, products, maxima, minima of the rows of each of `count` segments, in ascending
 * order: [count, ...]. Negative segments count from the end, one outside is an error of the run. Of no row: 0, 1, -inf, inf (integers:
 * their least, their largest). Equal extrema share the gradient. */
camber_node camber_segment_sum(camber_tape *tape, camber_node data, camber_node segments, int64_t count);
camber_node camber_segment_prod(camber_tape *tape, camber_node data, camber_node segments, int64_t count);
camber_node camber_segment_max(camber_tape *tape, camber_node data, camber_node segments, int64_t count);
camber_node camber_segment_min(camber_tape *tape, camber_node data, camber_node segments, int64_t count);
/* How often 0, 1, ... length - 1 stand in x (i64); with weights (x's shape; CAMBER_NONE: none) the sum of theirs. */
camber_node camber_bincount(camber_tape *tape, camber_node x, camber_node weights, int64_t length);
/* 1 where iota == index along a new last axis of length depth, else 0. */
camber_node camber_one_hot(camber_tape *tape, camber_node indices, int64_t depth, camber_dtype dtype);

/* ---- Reductions and scans along axes --------------------------------------------------------------------------------- */
/* axes NULL: all. keep != 0 leaves reduced axes with length 1. Fixed summation tree: same bits on every machine with FMA
 * and for any number of threads. Sums in 16-bit dtypes are accumulated in f32. */

camber_node camber_sum(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, int32_t keep);
camber_node camber_mean(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, int32_t keep);
/* Two passes: the mean, then the mean of the squared distances from it, over the count less ddof (not below 0: then NaN or inf). std
 * is its root by a scaled norm, without over- or underflow; its gradient where all are equal is 0. */
camber_node camber_var(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, double ddof, int32_t keep);
camber_node camber_std(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, double ddof, int32_t keep);
/* The derivative of a product with zeros in it is right: the product of the others. */
camber_node camber_prod(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, int32_t keep);
/* NaN wins. At ties the gradient is shared equally. */
camber_node camber_max(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, int32_t keep);
camber_node camber_min(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, int32_t keep);
camber_node camber_any(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, int32_t keep);   /* bool */
camber_node camber_all(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, int32_t keep);   /* bool */
/* log sum exp, shifted by the maximum. All -inf: -inf, with gradient 0. */
camber_node camber_logsumexp(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, int32_t keep);
/* Euclidean, scaled against overflow. The gradient at 0 is 0. */
camber_node camber_norm(camber_tape *tape, camber_node x, const int64_t *axes, size_t count, int32_t keep);
/* First index of the largest element along one axis, i64; NaN wins. Derivative zero. */
camber_node camber_argmax(camber_tape *tape, camber_node x, int64_t axis);
camber_node camber_argmin(camber_tape *tape, camber_node x, int64_t axis);
/* A row that is -inf throughout gives 0. */
camber_node camber_softmax(camber_tape *tape, camber_node x, int64_t axis);
camber_node camber_log_softmax(camber_tape *tape, camber_node x, int64_t axis);
/* Running sum from the front (or, reverse != 0, from the end). */
camber_node camber_cumsum(camber_tape *tape, camber_node x, int64_t axis, int32_t reverse);

/* Running products, maxima, minima (NaN wins, and stays), log sum exp; the place, i64, of the maximum and minimum so far (the first of
 * equals, which has the gradient too). The derivative of a product is right where factors are 0. */
camber_node camber_cumprod(camber_tape *tape, camber_node x, int64_t axis, int32_t reverse);
camber_node camber_cummax(camber_tape *tape, camber_node x, int64_t axis, int32_t reverse);
camber_node camber_cummin(camber_tape *tape, camber_node x, int64_t axis, int32_t reverse);
camber_node camber_cumargmax(camber_tape *tape, camber_node x, int64_t axis, int32_t reverse);
camber_node camber_cumargmin(camber_tape *tape, camber_node x, int64_t axis, int32_t reverse);
camber_node camber_cumlogsumexp(camber_tape *tape, camber_node x, int64_t axis, int32_t reverse);
/* h[0] = b[0], h[i] = a[i] h[i-1] + b[i] along `axis` (reverse != 0: from the end). Where a[i] is 0 it begins anew: h[i] = b[i] whatever
 * stood before, infinite or NaN. */
camber_node camber_linear_recurrence(camber_tape *tape, camber_node a, camber_node b, int64_t axis, int32_t reverse);
/* Running results of any associative operation, each level of a tree at once: some 2 log2 n levels (Blelloch 1990). `body` (a
 * camber_tape_sub) has body_inputs = `count` elements so far, then as many that come next (reverse != 0: from the end, the later ones first), and
 * body_outputs = what they make, without the scanned axis; elements have it, all of one length. out[i] has elements[i]'s type. */
camber_status camber_associative_scan(camber_tape *tape, camber_tape *body, const camber_node *body_inputs, const camber_node *body_outputs,
                                      const camber_node *elements, size_t count, int64_t axis, int32_t reverse, camber_node *out);

/* ---- Order ------------------------------------------------------------------------------------------------------------- */
/* As NumPy sorts: NaN last, -0 equal to 0; equal elements keep their order in argsort. Descending is the exact reverse (NaN first), but
 * equal elements keep their order. Derivative of the values: those of the elements that they are. */

camber_node camber_sort(camber_tape *tape, camber_node x, int64_t axis, int32_t descending);
camber_node camber_argsort(camber_tape *tape, camber_node x, int64_t axis, int32_t descending);   /* i64 */
/* The k largest (largest == 0: smallest), best first, and their places (i64). Either result may be NULL. */
camber_status camber_top_k(camber_tape *tape, camber_node x, int64_t k, int64_t axis, int32_t largest, camber_node *values, camber_node *indices);
/* bool: which elements of x equal one of set's; which equal an earlier one along `axis`. NaN equals nothing. */
camber_node camber_isin(camber_tape *tape, camber_node x, camber_node set);
camber_node camber_duplicated(camber_tape *tape, camber_node x, int64_t axis);
/* ---- Convolutions and pooling ------------------------------------------------------------------------------------------ */
/* One to three spatial axes, the last ones; each array has an entry a spatial axis. NULL: strides and dilations of 1, no padding (negative
 * padding cuts). f64, f32, integers; 16-bit dtypes sum in f32 and round once. Same bits for any number of threads. Padding adds zeros: a weight
 * that is infinite makes NaN there, as it does in other libraries; derivatives never multiply by structural zeros. */

/* y[b, o, p] = sum of x[b, c, p stride + k dilation - low] w[o, c, k]: the cross-correlation that networks call convolution. x [batch, channels,
 * spatial...], w [outputs, channels / groups, spatial...] -> [batch, outputs, (n - 1) input_dilation + 1 + low + high, less the window's span,
 * by stride, plus 1]. Output channels and channels are divided into `groups`; as many as channels: depthwise. input_dilation - 1 zeros stand
 * between elements of x. */
camber_node camber_conv(camber_tape *tape, camber_node x, camber_node w, const int64_t *stride, const int64_t *low, const int64_t *high,
                        const int64_t *dilation, const int64_t *input_dilation, int64_t groups);
/* The transpose of camber_conv in x, with the same stride, padding, dilation and groups: x [batch, channels, spatial...], w [channels,
 * outputs / groups, spatial...] -> [batch, outputs, (n - 1) stride - low - high + (k - 1) dilation + extra + 1]. `extra` chooses among the
 * extents that a stride maps to one: 0 <= extra < stride or dilation. */
camber_node camber_conv_transpose(camber_tape *tape, camber_node x, camber_node w, const int64_t *stride, const int64_t *low, const int64_t *high,
                                  const int64_t *extra, const int64_t *dilation, int64_t groups);
/* The largest element of each window over the last `rank` axes. NaN wins; of equals the first one has the derivative; padding, below the
 * window's span, is never chosen. stride NULL: the window. */
camber_node camber_max_pool(camber_tape *tape, camber_node x, const int64_t *window, const int64_t *stride, const int64_t *low, const int64_t *high,
                            const int64_t *dilation, size_t rank);
/* Where that element stands: its place in the last `rank` axes taken as one, i32 (i64 where they have 2^31 elements). */
camber_node camber_max_pool_index(camber_tape *tape, camber_node x, const int64_t *window, const int64_t *stride, const int64_t *low, const int64_t *high,
                                  const int64_t *dilation, size_t rank);
/* The mean of each window. count_padding != 0: padding counts as zeros; 0: the mean of what is there. */
camber_node camber_avg_pool(camber_tape *tape, camber_node x, const int64_t *window, const int64_t *stride, const int64_t *low, const int64_t *high,
                            const int64_t *dilation, size_t rank, int32_t count_padding);

/* ---- Interpolation ------------------------------------------------------------------------------------------------------------ */

/* How many of the ascending knots (one axis) lie below each x (right != 0: or are equal to it), i64; a NaN lies above all. */
camber_node camber_searchsorted(camber_tape *tape, camber_node knots, camber_node x, int32_t right);

enum { CAMBER_NEAREST = 0, CAMBER_LINEAR = 1, CAMBER_CUBIC = 3 };
/* Ends of cubic splines: third derivative continuous at the second knot; second derivative 0; first derivative 0; all as of a period (the last
 * value is taken to be the first one). */
enum { CAMBER_NOT_A_KNOT = 0, CAMBER_NATURAL = 1, CAMBER_CLAMPED = 2, CAMBER_PERIODIC = 3 };
/* Outside the knots: the value at the nearest end; the outermost piece continued; NaN; an error of the run; the knots repeated as a period. */
enum { CAMBER_CLAMP = 0, CAMBER_EXTRAPOLATE = 1, CAMBER_NAN = 2, CAMBER_ERROR = 3, CAMBER_WRAP = 4 };
/* Values [n, any...] at ascending knots [n], at x (any shape) -> x.shape + any. Floats; derivatives in x (of the piece at the right of a knot),
 * values and knots, of any order. Linear wants 2 knots, not-a-knot ends make a parabola of 3 and a line of 2. Knots that are constants are
 * checked when this is built. 16-bit dtypes compute in f32. */
camber_node camber_interp(camber_tape *tape, camber_node x, camber_node knots, camber_node values, int32_t method, int32_t ends, int32_t outside);
/* The same on a rectilinear grid of up to 6 axes: values [n0, n1, ..., any...] at knots[i] [ni], at x [points..., axes] -> points + any. Cubic: the tensor product of
 * splines, up to 3 axes. */
camber_node camber_interpn(camber_tape *tape, camber_node x, const camber_node *knots, size_t axes, camber_node values, int32_t method, int32_t ends, int32_t outside);

/* ---- Linear algebra --------------------------------------------------------------------------------------------------- */

/* NumPy's rule: the last two axes are the matrices, leading ones broadcast; rank 1 is a row on the left, a column on the
 * right. */
camber_node camber_matmul(camber_tape *tape, camber_node a, camber_node b);
/* "bij,bjk->bik", letters only, without repeats inside one operand's result; "..." is not taken. */
camber_node camber_einsum(camber_tape *tape, const char *subscripts, const camber_node *operands, size_t count);
/* Lower factor L of A = L L^T; only the lower triangle of the symmetric A is read, the gradient is symmetrised. Leading axes
 * are a batch. Not positive definite: NaN. Derivative: Murray, arXiv:1602.07527, eq. 8. */
camber_node camber_cholesky(camber_tape *tape, camber_node a);
/* X with op(A) X = B; A [.., n, n], B [.., n, m]. `transposed` uses A^T; `unit` takes a unit diagonal. Singular: inf or NaN. */
camber_node camber_triangular_solve(camber_tape *tape, camber_node a, camber_node b, int32_t lower, int32_t transposed, int32_t unit);
/* X with A X = B by LU with partial pivoting; A [.., n, n], B [.., n, m]. Singular: NaN. */
camber_node camber_solve(camber_tape *tape, camber_node a, camber_node b);

/* The rest of this section: LAPACK in f64 or f32 (other dtypes are an error; cast first), leading axes are a batch and broadcast between
 * operands, sizes of 0 are taken, every derivative to any order unless it says otherwise. A member of a batch that fails (singular, no
 * convergence, NaN in it, infinity where an iteration reads it) is NaN throughout; a run never fails for it. `out` gets that many nodes,
 * CAMBER_NONE on error. */

/* A^-1 by LU. Singular: NaN. */
camber_node camber_inv(camber_tape *tape, camber_node a);
/* det A: to 3 x 3 by cofactors, whose derivatives are right wherever A is; above by LU, with a gradient (the cofactors, by singular
 * values) that is right for singular A too, while further derivatives are those of det(A) A^-T and NaN there. */
camber_node camber_det(camber_tape *tape, camber_node a);
/* out[0] the sign of det A, out[1] log |det A|: 0 and -inf where A is singular. Gradient A^-T. */
camber_status camber_slogdet(camber_tape *tape, camber_node a, camber_node *out /* 2 */);
/* A [.., m, n] with partial pivoting, k = min(m, n): out = L [.., m, k] with ones on its diagonal, U [.., k, n], and p [.., m], i64: row i of L U
 * is row p[i] of A. The derivative needs the first k columns independent. */
camber_status camber_lu(camber_tape *tape, camber_node a, camber_node *out /* 3 */);
/* A = Q R by Householder reflections: out = Q [.., m, q], R [.., q, n], q = min(m, n), or m with `full`. R's diagonal has either sign. The
 * derivative needs the first min(m, n) columns independent; what a full Q adds to them turns as little as it can, so that functions of
 * the space it spans have their derivative. */
camber_status camber_qr(camber_tape *tape, camber_node a, int32_t full, camber_node *out /* 2 */);
/* Symmetric A = V diag(w) V^T: out = w [.., n] ascending, V [.., n, n] with a vector in each column. Only the lower triangle (lower == 0: the
 * upper) is read; tangents are symmetrised. Where eigenvalues differ by at most 32 sqrt(n) roundings of the largest they count as one, and vectors do
 * not turn into each other within it: first derivatives are right for functions of w that treat them alike (traces, sums of a whole cluster)
 * and of the space that they span (projectors). Second derivatives, and sums like V f(w) V^T, miss the part within the cluster: use
 * camber_expm, camber_sqrtm, camber_matrix_power, camber_slogdet, camber_solve, which do not. */
camber_status camber_eigh(camber_tape *tape, camber_node a, int32_t lower, camber_node *out /* 2 */);
camber_node camber_eigvalsh(camber_tape *tape, camber_node a, int32_t lower);
/* A v = w B v, B positive definite, V^T B V = 1; both are symmetrised. Through Cholesky's B = L L^T. */
camber_status camber_eigh_generalized(camber_tape *tape, camber_node a, camber_node b, camber_node *out /* 2 */);
/* A = U diag(s) V^T, k = min(m, n), s descending: out = U [.., m, k], s [.., k], V^T [.., k, n]; with `full` U [.., m, m], V^T [.., n, n]. Singular
 * values that differ by at most 32 sqrt(max(m, n)) roundings of the largest count as one, and those as small as that as 0, with the rules of
 * camber_eigh; U V^T, the orthogonal factor, has its first derivative at equal singular values too. */
camber_status camber_svd(camber_tape *tape, camber_node a, int32_t full, camber_node *out /* 3 */);
camber_node camber_svdvals(camber_tape *tape, camber_node a);
/* argmin |A X - B|_F for A [.., m, n] of full rank, B [.., m, c], by QR; m < n: the X of least norm. Not of full rank: NaN, or large
 * numbers as from camber_solve; pinv(A) B serves there. */
camber_node camber_lstsq(camber_tape *tape, camber_node a, camber_node b);
/* Moore-Penrose inverse [.., n, m]; singular values up to `cut` times the largest count as 0; cut < 0: max(m, n) roundings. The derivative is
 * that at a fixed rank (Golub and Pereyra 1973). */
camber_node camber_pinv(camber_tape *tape, camber_node a, double cut);
/* X with A X = B, A = L L^T, from the factor that camber_cholesky gives. */
camber_node camber_cholesky_solve(camber_tape *tape, camber_node l, camber_node b);
/* exp(A): Pade approximants with scaling and squaring (Higham 2005). Its derivatives, to order 8, are those of the same algorithm (Al-Mohy and
 * Higham 2009): right at repeated eigenvalues. */
camber_node camber_expm(camber_tape *tape, camber_node a);
/* The principal square root by Schur's form. NaN where it is not real. The derivative solves X dX + dX X = dA. */
camber_node camber_sqrtm(camber_tape *tape, camber_node a);
/* A multiplied by itself n times; n < 0: the inverse's power; 0: the identity. */
camber_node camber_matrix_power(camber_tape *tape, camber_node a, int64_t n);
/* NumPy's Kronecker product, of any ranks and number dtype. */
camber_node camber_kron(camber_tape *tape, camber_node a, camber_node b);
/* A X + X B = C (Bartels and Stewart, by complex Schur forms). Singular where A and -B share an eigenvalue. */
camber_node camber_sylvester(camber_tape *tape, camber_node a, camber_node b, camber_node c);
/* A X + X A^T = Q; discrete != 0: X - A X A^T = Q. */
camber_node camber_lyapunov(camber_tape *tape, camber_node a, camber_node q, int32_t discrete);
/* A X = B for A with `below` diagonals under its own and `above` over it, in time linear in n, and so its derivatives.
 * ab [.., below + above + 1, n]: A[i, j] = ab[above + i - j, j]; entries outside A are not read. B [.., n, c]. */
camber_node camber_solve_banded(camber_tape *tape, camber_node ab, camber_node b, int64_t below, int64_t above);
/* The same with dl[i], d[i], du[i] in row i: A[i, i - 1], A[i, i], A[i, i + 1]; dl[0] and du[n - 1] are not read. */
camber_node camber_solve_tridiagonal(camber_tape *tape, camber_node dl, camber_node d, camber_node du, camber_node b);
/* ord: "fro", "nuc" (sum of singular values), "2", "-2" (largest, smallest), "1", "-1" (columns' sums), "inf", "-inf" (rows'). */
camber_node camber_matrix_norm(camber_tape *tape, camber_node a, const char *ord);
/* norm(A) norm(A^-1); of "2" and "-2" the quotient of singular values, where A may be of any shape. */
camber_node camber_matrix_cond(camber_tape *tape, camber_node a, const char *ord);
/* How many singular values are above `tolerance` (< 0: largest times max(m, n) roundings), i64. Derivative zero. */
camber_node camber_matrix_rank(camber_tape *tape, camber_node a, double tolerance);

/* ---- Random numbers ---------------------------------------------------------------------------------------------------- */
/* A pure function of an i64 scalar `key` (Philox 4x32-10): the same key gives the same numbers on every host. camber_fold_key
 * (a row) makes new keys: fold_key(key, step). Derivative zero. */

camber_node camber_random_uniform(camber_tape *tape, camber_node key, camber_dtype dtype, const int64_t *shape, size_t rank);   /* [0, 1) */
camber_node camber_random_normal(camber_tape *tape, camber_node key, camber_dtype dtype, const int64_t *shape, size_t rank);    /* Box-Muller */
/* x / (1 - rate) where a uniform number is >= rate, else 0. 0 <= rate < 1. */
camber_node camber_dropout(camber_tape *tape, camber_node x, camber_node key, double rate);

/* ---- Loops --------------------------------------------------------------------------------------------------------------- */

/* for i in 0 ..< length:  carry, y[i] = body(carry, x[i]).
 * `body` (a camber_tape_sub of `tape`) has body_inputs = carries then one slice of every x (its leading axis taken off), and
 * body_outputs = new carries (types of the carries) then the y's. `init`: carry_count nodes; `xs`: x_count nodes with leading
 * axis `length`. `out`: carry_count final carries, then y_count stacked y's. reverse != 0 runs from the last to the first
 * (slices and y's keep their places). On error every out is CAMBER_NONE. */
camber_status camber_scan(camber_tape *tape, camber_tape *body,
                          const camber_node *body_inputs, const camber_node *body_outputs,
                          size_t carry_count, const camber_node *init, size_t x_count, const camber_node *xs, size_t y_count,
                          int64_t length, int32_t reverse, camber_node *out);
/* The same in bounded memory. Derivatives in reverse read the carries of every step, last first. camber_scan stacks them all; here
 * `slots` >= 1 of them are kept (the first is always one) and the others computed again from the nearest kept one before, by the optimal
 * binomial schedule (Griewank & Walther 2000, "revolve"): with r the least number for which C(slots + r, slots) >= length, no step runs more than
 * r times again, and r * length - C(slots + r, slots + 1) steps run again in all. The results are the same to the bit for any number of slots;
 * slots >= length, or 0, keep all. (Without slots a loop may keep products too, and sums the gradient of a captured matrix in one product after
 * the loop; with slots that sum is made step by step.) y's and the x's are the host's: they are stored. The program option "scan_slots"
 * sets the slots of all loops, "memory_limit" chooses them. */
camber_status camber_scan_slots(camber_tape *tape, camber_tape *body,
                                const camber_node *body_inputs, const camber_node *body_outputs,
                                size_t carry_count, const camber_node *init, size_t x_count, const camber_node *xs, size_t y_count,
                                int64_t length, int32_t reverse, int64_t slots, camber_node *out);

/* ---- Recomputing ----------------------------------------------------------------------------------------------------------- */

/* Which intermediate values a marked part keeps for its derivatives. */
enum {
  CAMBER_KEEP_NOTHING = 0,    /* all are computed again */
  CAMBER_KEEP_PRODUCTS = 1,   /* results of camber_matmul are kept, the rest is computed again */
};

/* results[i] has the value of outputs[i]. Derivatives in reverse that reach them do not keep what lies between `inputs` and `outputs` but compute
 * it again from the inputs, once their own way back has come so far. Nodes that do not depend on the inputs are kept as usual. Marks nest, and
 * hold at every order of differentiation, in loops and batches; nothing that rewrites or shares nodes brings the copies back together with
 * what they are copies of. Cut a deep network of n layers into sqrt(n) parts: it keeps 2 sqrt(n) layers instead of n, for one more forward
 * computation. */
camber_status camber_checkpoint(camber_tape *tape, const camber_node *outputs, size_t output_count,
                                const camber_node *inputs, size_t input_count, int32_t keep, camber_node *results);

/* f of each slice of `xs` along their leading axis (x_count arrays that agree in it), results stacked likewise. `body` (a sub-tape) has
 * body_inputs = a slice of each x, body_outputs = output_count results; it may read outer nodes. `block` slices go at once: as a
 * batch where that is all of them, as a scan where it is 1, as a scan of batches in between; 0 chooses: a batch, in blocks whose
 * intermediate results take some 4 MB, but a scan where the body has branches or loops of unknown length. */
camber_status camber_map(camber_tape *tape, camber_tape *body, const camber_node *body_inputs, const camber_node *body_outputs,
                         size_t x_count, const camber_node *xs, size_t output_count, int64_t block, camber_node *out);

/* ---- Branches and loops of unknown length ------------------------------------------------------------------------------------ */
/* Their bodies are sub-tapes (camber_tape_sub) which read nodes of the tapes around them as they are; all nest in each other and have
 * derivatives of any order, forward and reverse. */

/* One of two branches, by a bool scalar: the outputs of true_branch where it holds, else those of false_branch. Both give
 * output_count results, of the same types in the same order; branches have no inputs of their own. Only the branch taken runs, and
 * the arena has room for the larger. A batch in which predicates differ computes both and selects; nothing of the other is seen, in
 * values or derivatives, be it NaN. */
camber_status camber_cond(camber_tape *tape, camber_node predicate, camber_tape *true_branch, const camber_node *true_outputs,
                          camber_tape *false_branch, const camber_node *false_outputs, size_t output_count, camber_node *out);
/* One of branch_count (1 to 1024) branches by its number, an i32 or i64 scalar; the first where it is negative, the last where it is
 * too large. `outputs`: output_count nodes of each branch, branch after branch. */
camber_status camber_switch(camber_tape *tape, camber_node index, size_t branch_count, camber_tape *const *branches,
                            const camber_node *outputs, size_t output_count, camber_node *out);

/* while go(carry): carry = body(carry). `body` has body_inputs = the carries (at least one); `go`, a bool scalar on it, and
 * body_outputs = new carries of the same types are functions of them and of outer nodes. `out`: the final carries.
 * max_steps >= 0 ends the loop after so many steps whatever `go` says; -1: it ends when `go` does, if ever. In a batch whose
 * elements end apart, those that have ended stay as they are until all have.
 * Reverse mode counts the steps, then goes back over them from states kept in `slots` slots (0: 8 to 64, more for smaller carries,
 * max_steps at most), steps between them run again by the binomial schedule (Griewank and Walther 2000, Algorithm 799: revolve), so its
 * memory does not depend on the number of steps: with s slots and up to C(s + r, s) steps, fewer than r extra runs of each. */
camber_status camber_while(camber_tape *tape, camber_tape *body, const camber_node *body_inputs, camber_node go,
                           const camber_node *body_outputs, size_t carry_count, const camber_node *init,
                           int64_t max_steps, int64_t slots, camber_node *out);

/* For a host that branches while it records, as `if (x > 0)` on a value that it knows: says that `condition` (bool; all its elements)
 * had the value `expected`. Programs made from this tape afterwards check it in each run, where it depends on their inputs alone, and
 * runs where it is otherwise return CAMBER_FLIPPED with a sentence that names the node, `label` (may be NULL), operator and values:
 * record anew there. camber_batch and camber_substitute carry guards over; archives do not keep them. On the outermost tape only. */
camber_status camber_guard(camber_tape *tape, camber_node condition, int32_t expected, const char *label);

/* ---- The host's own: operators and derivatives -------------------------------------------------------------------------------- */
/* An operator of the host's is a table of callbacks. Its value is computed by the host when a program runs; its derivatives are
 * given as *nodes* (a callback that is asked once, when a derivative is taken, and builds the derivative on a tape; so it has
 * derivatives of any order) or as *numbers* (a callback at each run; first derivatives only, and what is linear in them).
 *
 *     static camber_status value(void *payload, camber_call *call, const void *const *x, void *const *y) {
 *       if (!lookup(payload, *(const double *)x[0], (double *)y[0])) return camber_call_fail(call, "outside the table");
 *       return CAMBER_OK;
 *     }
 *     static camber_status jvp(void *payload, camber_tape *t, const camber_node *x, const camber_node *y, const camber_node *dx, camber_node *dy) {
 *       dy[0] = camber_mul(t, slope(t, x[0]), dx[0]);
 *       return CAMBER_OK;
 *     }
 *     camber_operator table = {sizeof table, "table"};
 *     table.input_count = table.output_count = 1;
 *     table.value = value;
 *     table.jvp_nodes = jvp;
 *     camber_host_call(t, &table, &x, 1, &y, 1);
 *
 * CALLBACKS run on the thread that called camber_run, never on others, one at a time within a run, in loops and batches too; runs
 * of other threads may call at the same time. They run between the program's segments, in the default floating-point environment
 * (what they change of it is undone): an exception or longjmp must not leave one. They may build tapes, make and run programs; a run of the
 * workspace that is running gets CAMBER_EBUSY, and that workspace and its program may not be freed. The order of calls
 * that do not depend on each other is not defined, and what no output needs is not called. Nothing is allocated around a call.
 *
 * FAILING. A callback returns CAMBER_OK, or what it wants the run to return: CAMBER_NONFINITE for another point to be tried, or
 * any negative status, which becomes CAMBER_ECALLBACK. camber_call_fail gives a sentence; camber_workspace_message then reads
 * "<operator>: <sentence>". Outputs of such a run are undefined. */

/* One call: what a callback may ask and say. Borrowed for the callback. */
typedef struct camber_call camber_call;
/* Keeps the sentence (copied) and returns CAMBER_ECALLBACK, to be returned. */
camber_status camber_call_fail(camber_call *call, const char *sentence);
/* Types of the arrays: inputs, then outputs, then tangents or cotangents, then what is written for them. -1 out of range, and for the
 * directions of integers and bools. camber_call_size: the number of elements, 0 there. */
camber_dtype camber_call_dtype(const camber_call *call, size_t i);
int64_t camber_call_rank(const camber_call *call, size_t i);
int64_t camber_call_dim(const camber_call *call, size_t i, int64_t axis);
size_t camber_call_size(const camber_call *call, size_t i);
/* In `batch` callbacks: the number of instances, and whether array i has one each along a leading axis. Elsewhere -1 and 0. */
int64_t camber_call_batch(const camber_call *call);
int32_t camber_call_is_batched(const camber_call *call, size_t i);

/* inputs[i], outputs[k]: dense arrays of the operands and of the results. */
typedef camber_status (*camber_value_callback)(void *payload, camber_call *call, const void *const *inputs, void *const *outputs);
/* The derivative as numbers, at a point (inputs, and the outputs there): directions are tangents[i] (jvp: of the inputs) or
 * cotangents[k] (vjp: of the outputs), results the other. NULL for integers and bools; zeros where nothing depends. */
typedef camber_status (*camber_direction_callback)(void *payload, camber_call *call, const void *const *inputs, const void *const *outputs,
                                                   const void *const *directions, void *const *results);
/* The derivative as nodes of `tape`, which may be another one than the function was called on: results[k] (jvp: of the outputs'
 * types) or results[i] (vjp: of the inputs') from inputs, outputs and directions, linear in the directions. Directions of
 * integers are CAMBER_NONE. A result left as CAMBER_NONE is structurally zero. An error of building need not be looked at;
 * camber_tape_fail says why there is no derivative. */
typedef camber_status (*camber_rule_callback)(void *payload, camber_tape *tape, const camber_node *inputs, const camber_node *outputs,
                                              const camber_node *directions, camber_node *results);
/* Results of the types that the operator gives for such operands: any nodes of those types. An operand itself, camber_input, or an
 * expression, which is not computed. */
typedef camber_status (*camber_types_callback)(void *payload, camber_tape *tape, const camber_node *inputs, size_t input_count, camber_node *results);
/* The places of output `output`'s derivative in input `input` that may be nonzero: elements (rows[n], columns[n]), numbered row-major.
 * Sparse derivatives take their pattern from it. *count of them; only the first `capacity` are written. */
typedef camber_status (*camber_sparsity_callback)(void *payload, size_t output, size_t input, int64_t *rows, int64_t *columns, size_t capacity, size_t *count);

#define CAMBER_ANY_COUNT ((size_t)-1)

/* Set `size` to sizeof(camber_operator) and what is not used to zero. The table is copied; `payload` is kept by `retain` (may be
 * NULL) for as long as a tape or a program needs it, and let go by `release` as many times. */
typedef struct camber_operator {
  size_t size;
  const char *name;               /* in messages, in camber_program_explain */
  size_t input_count;             /* CAMBER_ANY_COUNT: `types` looks */
  size_t output_count;
  int32_t pure;                   /* not 0: equal calls may be one, and calls may leave loops. 0: calls are never merged */
  void *payload;
  void (*retain)(void *payload);
  void (*release)(void *payload);
  camber_types_callback types;    /* NULL: all results are of the first operand's type */
  camber_value_callback value;
  camber_value_callback batch;    /* a batch in one call; NULL: `value` is called for each instance */
  camber_rule_callback jvp_nodes; /* one of these four gives derivatives; of jvp_nodes and vjp_nodes one gives both modes, */
  camber_rule_callback vjp_nodes; /* the other being its transpose */
  camber_direction_callback jvp;  /* forward mode */
  camber_direction_callback vjp;  /* reverse mode */
  camber_sparsity_callback sparsity;   /* NULL: dense */
} camber_operator;

/* The operator applied; without any derivative callback, a derivative is CAMBER_EDERIV when it is asked for. */
camber_status camber_host_call(camber_tape *tape, const camber_operator *op, const camber_node *inputs, size_t input_count,
                               camber_node *outputs, size_t output_count);

/* Derivatives for a recorded function: by callbacks, or recorded themselves (each on a tape of its own or a sub-tape that reads no
 * nodes of others). A recorded jvp takes the inputs, the outputs, and tangents of those inputs that are floats, and gives tangents of
 * the float outputs; a vjp takes cotangents of the float outputs and gives those of the float inputs. What is recorded can be saved.
 * One of the two modes is enough. `size` and `payload` as above. */
typedef struct camber_rule {
  size_t size;
  const char *name;
  void *payload;
  void (*retain)(void *payload);
  void (*release)(void *payload);
  camber_rule_callback jvp, vjp;
  camber_tape *jvp_tape;
  const camber_node *jvp_inputs, *jvp_outputs;
  camber_tape *vjp_tape;
  const camber_node *vjp_inputs, *vjp_outputs;
} camber_rule;

/* outputs = body(inputs), with the rule's derivatives in place of its own. `body` is a camber_tape_sub of `tape`. What it reads of
 * outer tapes beside the inputs has no derivative through it: asking is CAMBER_EDERIV. */
camber_status camber_custom(camber_tape *tape, camber_tape *body, const camber_node *body_inputs, const camber_node *body_outputs,
                            const camber_node *inputs, size_t input_count, const camber_rule *rule,
                            camber_node *outputs, size_t output_count);

/* The pattern of such an output in operand `input`, as its operator says; dense where it says nothing, and of batches. Each of rows
 * and columns has `capacity` entries (NULL where that is 0); *count is how many places there are. */
camber_status camber_node_sparsity(camber_tape *tape, camber_node output, size_t input, int64_t *rows, int64_t *columns, size_t capacity, size_t *count);

/* ---- Derivatives: nodes in, nodes on the same tape out --------------------------------------------------------------------- */
/* All compose with each other and nest to any order. An input that no output depends on gets zeros. Places masked by select,
 * slice, max and the like are structural zeros: they contribute nothing, whatever their partials are. On error the status is
 * the tape's and every out is CAMBER_NONE. `inputs` may be any nodes of the tape, distinct. */

/* out_tangents[i] = d outputs[i] along the tangents. */
camber_status camber_jvp(camber_tape *tape, const camber_node *outputs, size_t output_count,
                         const camber_node *inputs, const camber_node *tangents, size_t input_count, camber_node *out_tangents);
/* gradients[j] = sum_i cotangents[i] . d outputs[i] / d inputs[j]. */
camber_status camber_vjp(camber_tape *tape, const camber_node *outputs, const camber_node *cotangents, size_t output_count,
                         const camber_node *inputs, size_t input_count, camber_node *gradients);
/* The same of outputs that are linear in the inputs; an error names the operator where they are not. */
camber_status camber_linear_transpose(camber_tape *tape, const camber_node *outputs, const camber_node *cotangents, size_t output_count,
                                      const camber_node *inputs, size_t input_count, camber_node *gradients);
/* The gradient of a scalar. */
camber_status camber_grad(camber_tape *tape, camber_node output, const camber_node *inputs, size_t input_count, camber_node *gradients);
/* products = Hessian of the scalar output times the vectors (one a input, of its shape): forward over reverse. */
camber_status camber_hvp(camber_tape *tape, camber_node output, const camber_node *inputs, const camber_node *vectors,
                         size_t input_count, camber_node *products);

/* How a dense Jacobian is made: a forward sweep a column, a reverse sweep a row, or whichever are fewer; or by eliminating the vertices of
 * the program's graph in the cheapest order found (camber_elimination in camber_sparse.h), for straight-line programs of a few thousand
 * scalars at most; or stage by stage: the program is cut where few values cross, each stage takes its cheaper direction, and the stages'
 * Jacobians are multiplied in the cheapest order (there a zero of one stage times an infinity of another is NaN: structural zeros do not
 * outlive a stage). */
enum { CAMBER_AUTO = 0, CAMBER_FORWARD = 1, CAMBER_REVERSE = 2, CAMBER_ELIMINATION = 3, CAMBER_STAGEWISE = 4 };
/* blocks[i * input_count + j]: d outputs[i] / d inputs[j], of shape outputs[i].shape + inputs[j].shape. */
camber_status camber_jacobian(camber_tape *tape, const camber_node *outputs, size_t output_count,
                              const camber_node *inputs, size_t input_count, int32_t mode, camber_node *blocks);
/* blocks[i * input_count + j] of a scalar's Hessian, of shape inputs[i].shape + inputs[j].shape: forward over reverse. */
camber_status camber_hessian(camber_tape *tape, camber_node output, const camber_node *inputs, size_t input_count, camber_node *blocks);

/* Taylor mode: the outputs along the curve inputs[j] + sum over k of coefficients[j * order + k - 1] t^k, k = 1 ... order <= 64; a
 * coefficient has its input's type, or is CAMBER_NONE: zero. results[i * order + k - 1] is the coefficient of t^k of outputs[i], its k-th
 * derivative along the curve over k!. All orders come at once, loops included, at a cost that is quadratic in the order: recurrences for
 * products, quotients, roots, powers and logarithms, y' = p x' for every other row (Griewank and Walther, Evaluating Derivatives, chapter
 * 13); only functions whose derivatives never close, such as lgamma, cost its cube. Asked for one order more, the same nodes are found
 * again: a solution of x' = f(x) is built coefficient by coefficient (examples/taylor). Results may be differentiated and batched. */
camber_status camber_taylor(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *inputs,
                            const camber_node *coefficients, size_t input_count, size_t order, camber_node *results);
/* Derivatives of mixed order along directions v_d = directions[d * input_count ...], d < direction_count, one node an input:
 * results[w * output_count + i] is the derivative of outputs[i], orders[w * direction_count + d] times along v_d, at most 16 in all. They
 * are sums of Taylor coefficients along sums of the directions (Griewank, Utke and Walther, Mathematics of Computation 69, 2000), one
 * batch a total order; the sums cost up to a digit for each order above two. */
camber_status camber_directional(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *inputs, size_t input_count,
                                 const camber_node *directions, size_t direction_count, const int32_t *orders, size_t derivative_count,
                                 camber_node *results);

/* outputs computed for a whole batch: inputs[j] is replaced by batched[j], which has one more, leading, axis. Every result has
 * that axis, of length `size`. */
camber_status camber_batch(camber_tape *tape, const camber_node *outputs, size_t output_count,
                           const camber_node *inputs, const camber_node *batched, size_t input_count, int64_t size, camber_node *results);
/* outputs with inputs[j] replaced by replacements[j] (same type). */
camber_status camber_substitute(camber_tape *tape, const camber_node *outputs, size_t output_count,
                                const camber_node *inputs, const camber_node *replacements, size_t input_count, camber_node *results);
/* The same values from fewer nodes: constants folded, common parts shared, identities that change no bit. */
camber_status camber_simplify(camber_tape *tape, const camber_node *outputs, size_t output_count, camber_node *results);
/* A precision policy: float inputs stay in the dtype they have (`inputs[j]`: the nodes counted as parameters and data), every
 * float operator behind them computes in `compute`, results are cast to `output`. */
camber_status camber_precision(camber_tape *tape, const camber_node *outputs, size_t output_count,
                               const camber_node *inputs, size_t input_count, camber_dtype compute, camber_dtype output, camber_node *results);

/* Penalties for a loss: sum |x|, and sum x^2 / 2, over all nodes. */
camber_node camber_l1_penalty(camber_tape *tape, const camber_node *nodes, size_t count);
camber_node camber_l2_penalty(camber_tape *tape, const camber_node *nodes, size_t count);
/* Half the sum of squares of d loss / d nodes, to be added to a loss (a float scalar) times a factor: of data or of parameters (Drucker & LeCun 1992). */
camber_node camber_gradient_penalty(camber_tape *tape, camber_node loss, const camber_node *nodes, size_t count);
/* Nodes scaled by min(1, limit / their joint norm); clipped to [-limit, limit]; or each by its own norm. */
camber_status camber_clip_by_global_norm(camber_tape *tape, const camber_node *nodes, size_t count, double limit, camber_node *results);
camber_status camber_clip_by_value(camber_tape *tape, const camber_node *nodes, size_t count, double limit, camber_node *results);
camber_status camber_clip_by_norm(camber_tape *tape, const camber_node *nodes, size_t count, double limit, camber_node *results);

/* ---- Programs -------------------------------------------------------------------------------------------------------------- */

/* Plans `outputs` as a function of `inputs`; immutable but for its options. NULL when the tape has an error, an output depends
 * on an input that is not listed, or memory is refused: the tape then says why. */
camber_program *camber_program_new(camber_tape *tape, const camber_node *inputs, size_t input_count,
                                   const camber_node *outputs, size_t output_count);
void camber_program_free(camber_program *program);

/* Options by name: "check_finite" (0): runs return CAMBER_NONFINITE when a float output is not finite. "backend" (0): what runs
 * steps of single numbers and the simple operators on arrays; 1: the kernels, 2: machine code where the host allows it, 0: the faster;
 * the results are the same.
 * "check_guards" (1): runs return CAMBER_FLIPPED when a guard is not as it was; 0: they do not look.
 * "threads" (0: as many as the process may use, at most 64; 1: none beside the caller's) share long steps; same bits, any count.
 * "memory_limit" (0: none): bytes that a workspace's arena may take. A program that needs more computes the stacked carries of its loops again,
 * with as many slots as fit (see camber_scan_slots; explain says how many); where that is not enough, the call is refused with CAMBER_ENOMEM
 * and a sentence that says how much is needed, what the largest arrays are, and what would help. "scan_slots" (0: as recorded): slots of every loop.
 * Both read the tape again: no other thread may be recording on it.
 * An unknown name is an error that lists the known ones. Set options before the first workspace is made. */
camber_status camber_program_set(camber_program *program, const char *name, double value);
/* Lets output `output` be written over input `input` (same type): the host may then pass one pointer for both,
 * in workspaces made from now on. */
camber_status camber_program_alias(camber_program *program, size_t output, size_t input);
const char *camber_program_message(const camber_program *program);

size_t camber_program_input_count(const camber_program *program);
size_t camber_program_output_count(const camber_program *program);
/* Types of inputs and outputs: dtype and rank, then `shape` (may be NULL) of `capacity` entries. */
camber_status camber_program_input_type(const camber_program *program, size_t i, camber_dtype *dtype, size_t *rank, int64_t *shape, size_t capacity);
camber_status camber_program_output_type(const camber_program *program, size_t i, camber_dtype *dtype, size_t *rank, int64_t *shape, size_t capacity);
/* How many guards its runs check. */
size_t camber_program_guard_count(const camber_program *program);
/* Bytes of a workspace: the arena of all buffers a run needs, exactly, known before anything runs. */
size_t camber_program_memory(const camber_program *program);
/* What runs, step by step, one line each, under the options set so far. Lives as long as the program. */
const char *camber_program_explain(const camber_program *program);

/* The memory of one running thread. NULL when memory is refused. A workspace keeps its program alive. */
camber_workspace *camber_workspace_new(const camber_program *program);
void camber_workspace_free(camber_workspace *workspace);
const char *camber_workspace_message(const camber_workspace *workspace);
/* The index on its tape (the lower half of its camber_node) of the guard's condition that the last run found flipped; -1: none. */
int64_t camber_workspace_flipped(const camber_workspace *workspace);

/* Runs. inputs[i], outputs[i]: the host's arrays; outputs may not overlap inputs or each other (but see alias; checked
 * in programs of up to some sixty arguments). Allocates
 * nothing after a workspace's first run. A second thread on the same workspace gets CAMBER_EBUSY. */
camber_status camber_run(const camber_program *program, camber_workspace *workspace, const void *const *inputs, void *const *outputs);

/* ---- A function linearised: the point part once, any number of products after it --------------------------------------------- */

/* outputs as a function of inputs, with its derivative products. NULL on error (the tape says). */
camber_linear *camber_linear_new(camber_tape *tape, const camber_node *inputs, size_t input_count,
                                 const camber_node *outputs, size_t output_count);
void camber_linear_free(camber_linear *linear);
const char *camber_linear_message(const camber_linear *linear);
/* Evaluates at a point: outputs (may be NULL) and what the products need, kept inside the handle. */
camber_status camber_linear_at(camber_linear *linear, const void *const *inputs, void *const *outputs);
/* Products at that point. CAMBER_EINVAL before the first camber_linear_at. */
camber_status camber_linear_jvp(camber_linear *linear, const void *const *tangents, void *const *out_tangents);
camber_status camber_linear_vjp(camber_linear *linear, const void *const *cotangents, void *const *gradients);

/* ---- Training ------------------------------------------------------------------------------------------------------------------ */

/* "sgd" (learning_rate 1e-2, momentum 0, nesterov 0, weight_decay 0), "adam" and "adamw" (learning_rate 1e-3, beta1 0.9, beta2
 * 0.999, epsilon 1e-8, weight_decay 0, adamw: 1e-2), each with l1 0, l2 0, clip_value 0, clip_norm 0, clip_global_norm 0 (0 = off),
 * agc 0 (adaptive clipping: a unit's gradient at most so many times its weights' norm, 0.01; Brock et al. 2021), zclip 0 (outliers of the global norm, in standard
 * deviations, 2.5; ZClip, Kumar et al. 2025, started from medians), compensate 0 (1: what a 16-bit parameter cannot hold is kept in f32 beside it, as state
 * "<param>.rest", so that no update is lost), spectral_norm 0 (matrices and windows of weights, [units, ...] as a matrix, are scaled after each step to a largest singular
 * value of at most so much, Gouk et al. 2021; one step of the power method a step follows it, Miyato et al. 2018, state "<param>.direction"). What ZClip has seen is state "zclip".
 * These, epsilon, the penalties and clips may change between steps; the state stays.
 * sgd and adam add weight_decay * p to the gradient; adamw decays the parameter apart from it (Loshchilov & Hutter 2019).
 * NULL for an unknown method. */
camber_optimizer *camber_optimizer_new(const char *method);
void camber_optimizer_free(camber_optimizer *optimizer);
const char *camber_optimizer_message(const camber_optimizer *optimizer);
camber_status camber_optimizer_set(camber_optimizer *optimizer, const char *name, double value);
/* Scales the learning rate by the schedule's value at each step; NULL: none. The schedule is copied. */
camber_status camber_optimizer_set_schedule(camber_optimizer *optimizer, const camber_schedule *schedule);
/* Adds a parameter (float); gradients have its dtype and shape. All before the first step. */
camber_status camber_optimizer_add(camber_optimizer *optimizer, const char *name, camber_dtype dtype, const int64_t *shape, size_t rank);
/* One step: params[i] updated in place. Non-finite gradients leave everything as it was and return CAMBER_NONFINITE. */
camber_status camber_optimizer_step(camber_optimizer *optimizer, void *const *params, const void *const *gradients);
int64_t camber_optimizer_steps(const camber_optimizer *optimizer);
double camber_optimizer_gradient_norm(const camber_optimizer *optimizer);   /* of the last step, before clipping */
/* The state as named arrays, to save and to put back: "step", "<param>.m", "<param>.v", ... Pointers live until the optimizer is
 * freed; writing through them sets the state. Ready after the last camber_optimizer_add. */
size_t camber_optimizer_state_count(camber_optimizer *optimizer);
camber_status camber_optimizer_state(camber_optimizer *optimizer, size_t i, const char **name, camber_dtype *dtype, size_t *count, void **data);

/* "constant", "cosine" (steps, final 0), "step" (every, factor 0.1), each with warmup 0: a factor of the learning rate, as a
 * function of the step 0, 1, ...; warm-up rises linearly from 1/warmup. */
camber_schedule *camber_schedule_new(const char *kind);
void camber_schedule_free(camber_schedule *schedule);
const char *camber_schedule_message(const camber_schedule *schedule);
camber_status camber_schedule_set(camber_schedule *schedule, const char *name, double value);
double camber_schedule_value(const camber_schedule *schedule, int64_t step);

/* Dynamic loss scaling: initial 65536, growth 2, backoff 0.5, interval 2000, minimum 1, maximum 16777216; all but the interval powers of two. hysteresis (1): so many
 * overflows before it backs off. guarded (0): 1: it does not grow where the scaled gradients would come within a factor of two of 65504, and eight overflows on end at the
 * minimum are a fault. */
camber_scaler *camber_scaler_new(void);
void camber_scaler_free(camber_scaler *scaler);
const char *camber_scaler_message(const camber_scaler *scaler);
camber_status camber_scaler_set(camber_scaler *scaler, const char *name, double value);
double camber_scaler_scale(const camber_scaler *scaler);    /* multiply the loss by it */
/* After a backward pass: if every gradient is finite, divides them by the scale in place (exact) and returns CAMBER_OK; else
 * leaves them, backs the scale off, counts a skipped step and returns CAMBER_NONFINITE. */
camber_status camber_scaler_unscale(camber_scaler *scaler, size_t count, void *const *gradients, const camber_dtype *dtypes, const size_t *sizes);
int64_t camber_scaler_skipped(const camber_scaler *scaler);
/* Tells an overflow from a NaN or an infinity of the function's own, after CAMBER_NONFINITE: given the same step's gradients computed anew, of the loss times 1, in f64, f32
 * or bf16. CAMBER_OK: all are finite, the scale was too large and stays backed off. CAMBER_NONFINITE: the scale is again what it was before the step, since no scale helps; the fault is 1
 * (camber_nonfinite says where it was born). An error where no skipped step waits for it. The gradients are only read. */
camber_status camber_scaler_classify(camber_scaler *scaler, size_t count, const void *const *gradients, const camber_dtype *dtypes, const size_t *sizes);
/* Of the last step: 0: none; 1: not finite at a scale of 1 either; 2: eight overflows on end at the minimum (guarded). -1: no scaler. */
int32_t camber_scaler_fault(const camber_scaler *scaler);
/* The first gradient that was not finite in the last step; -1: all were. */
int64_t camber_scaler_tensor(const camber_scaler *scaler);

/* ---- Minima and least squares ----------------------------------------------------------------------------------------------------- */

/* A solver of one problem, compiled once and run from any number of points. `variables` are nodes of the tape (inputs as a rule), f64 or f32;
 * `data` are inputs that stay what they are during a run. NULL on error (the tape says).
 *
 * camber_minimize: a minimum of the scalar `output`. Methods: "lbfgs", limited-memory BFGS (memory 10) along lines that satisfy the strong Wolfe conditions
 * (decrease 1e-4, curvature 0.9, evaluations_a_step 40); "newton-cg", Newton steps by conjugate gradients within a trust region (radius 0: from the first point;
 * largest_radius 1e10, products_a_step 0: twice the number of variables), on exact Hessian products and no matrix.
 * camber_least_squares: a minimum of half the sum of squares of all elements of `residuals`. Methods: "levenberg-marquardt", Moré's form with
 * orthogonal factors of the dense Jacobian (radius_factor 100, value_tolerance 1e-24: the decrease that the model still promises, relative); "gauss-newton-cg", the
 * trust region on products with the Jacobian and its transpose, no matrix.
 * All: steps 1000; gradient_tolerance 1e-8, of the gradient's largest entry relative to max(1, |value|) (levenberg-marquardt: 1e-4 of it bounds the cosine between
 * residuals and columns); step_tolerance 1e-14, relative to the variables. Options are finite numbers >= 0. */
camber_solver *camber_minimize(camber_tape *tape, camber_node output, const camber_node *variables, size_t variable_count,
                               const camber_node *data, size_t data_count, const char *method);
camber_solver *camber_least_squares(camber_tape *tape, const camber_node *residuals, size_t residual_count,
                                    const camber_node *variables, size_t variable_count, const camber_node *data, size_t data_count, const char *method);
void camber_solver_free(camber_solver *solver);
camber_status camber_solver_set(camber_solver *solver, const char *name, double value);
/* From the point in x (an array a variable) to the best that was found, left there. CAMBER_OK whatever the outcome; CAMBER_NONFINITE, and x as it was, where
 * the function is not finite at the first point. */
camber_status camber_solver_run(camber_solver *solver, const void *const *data, void *const *x);

/* Why the last run ended. */
enum {
  CAMBER_CONVERGED = 0,     /* the gradient is within its tolerance */
  CAMBER_SMALL_STEP = 1,    /* further steps are, or the gradient is below 1e-7 of the first one and rounding errors hide the rest */
  CAMBER_OUT_OF_STEPS = 2,
  CAMBER_STALLED = 3,       /* rounding errors hide any further descent */
  CAMBER_UNDEFINED = 4,     /* not finite at the first point */
  CAMBER_UNBOUNDED = 5      /* the value fell below -1e300 */
};
int32_t camber_solver_outcome(const camber_solver *solver);       /* -1 before the first run */
/* The outcome, or the last error, in words. Lives until the next call on the solver. */
const char *camber_solver_message(const camber_solver *solver);
double camber_solver_value(const camber_solver *solver);          /* at x; of residuals half the sum of squares. NaN before the first run */
size_t camber_solver_iterations(const camber_solver *solver);
/* The journal: entry 0 is the first point, entry i the point after iteration i. Any out pointer may be NULL. `gradient`: its largest entry; `step`: its length, 0 where
 * the trial was refused; `control`: the step along the line, the radius, or the damping; `evaluations`, `products`: so far. */
camber_status camber_solver_journal(const camber_solver *solver, size_t i, double *value, double *gradient, double *step, double *control,
                                    size_t *evaluations, size_t *products);

/* ---- Tensors in files: the safetensors format ------------------------------------------------------------------------------------ */

/* Writes named arrays; shapes are concatenated in `shapes`, `ranks` says how many entries each has. Written aside and renamed, so
 * that the file is whole or untouched. */
camber_status camber_tensors_save(const char *path, size_t count, const char *const *names, const camber_dtype *dtypes,
                                  const size_t *ranks, const int64_t *shapes, const void *const *data);
/* Reads one; NULL and *status (may be NULL) when it cannot. */
camber_tensors *camber_tensors_open(const char *path, camber_status *status);
void camber_tensors_free(camber_tensors *tensors);
size_t camber_tensors_count(const camber_tensors *tensors);
camber_status camber_tensors_get(const camber_tensors *tensors, size_t i, const char **name, camber_dtype *dtype, size_t *rank,
                                 const int64_t **shape, const void **data);

/* ---- Functions in files ------------------------------------------------------------------------------------------------------------ */
/* An archive holds functions by name ("value", "grad", ...), each some outputs of a tape as a function of some inputs, with the
 * constants and loops behind them. Functions of one tape share their nodes. What is computed decides the bytes: programs of one
 * camber_tape_hash make one file, however they were recorded and in whatever language; what is loaded hashes as what was saved and
 * gives the same bits. Files are little-endian, name operators (not numbers), carry a version and checksums: one that is cut short
 * or altered is CAMBER_EIO with a sentence that says where. Nothing in a file is believed: sizes are checked against the file, types
 * by the operators' own rules. (What a function computes, and how long that takes, is its author's affair.) The format:
 * docs/archive.md. */

camber_archive *camber_archive_new(void);
void camber_archive_free(camber_archive *archive);
/* The sentence of the last call on it that failed. */
const char *camber_archive_message(const camber_archive *archive);

/* Adds outputs of a tape as a function of inputs. Names of inputs and of outputs may be NULL, each or all. The archive keeps the
 * tape; what is recorded on it later changes nothing. */
camber_status camber_archive_add(camber_archive *archive, const char *function, camber_tape *tape,
                                 const camber_node *inputs, const char *const *input_names, size_t input_count,
                                 const camber_node *outputs, const char *const *output_names, size_t output_count);
/* What camber_program_set and camber_program_alias will say to the program made of a function. */
camber_status camber_archive_set(camber_archive *archive, const char *function, const char *option, double value);
camber_status camber_archive_alias(camber_archive *archive, const char *function, size_t output, size_t input);
/* Text by key, for whatever the host wants to know again; an empty text takes it away. NULL where there is none. */
camber_status camber_archive_set_note(camber_archive *archive, const char *key, const char *text);
const char *camber_archive_note(const camber_archive *archive, const char *key);

/* Writes the file: aside, then renamed, so that it is whole or untouched. */
camber_status camber_archive_save(camber_archive *archive, const char *path);
/* The same bytes in memory: they live until the archive's next pack or load, or its end. */
camber_status camber_archive_pack(camber_archive *archive, const void **data, size_t *size);
/* Reads a file, or bytes in memory, into an empty archive. On failure it stays empty. */
camber_status camber_archive_load(camber_archive *archive, const char *path);
camber_status camber_archive_unpack(camber_archive *archive, const void *data, size_t size);

size_t camber_archive_count(const camber_archive *archive);
const char *camber_archive_function(const camber_archive *archive, size_t i);   /* its name; NULL out of range */
/* Counts of a function's inputs and outputs, and their names: "" for none, NULL out of range. */
camber_status camber_archive_arity(const camber_archive *archive, const char *function, size_t *input_count, size_t *output_count);
const char *camber_archive_input_name(const camber_archive *archive, const char *function, size_t i);
const char *camber_archive_output_name(const camber_archive *archive, const char *function, size_t i);
/* A function as a program, its options set. NULL on error. */
camber_program *camber_archive_program(camber_archive *archive, const char *function);
/* A function's tape, as a handle to be freed, and its nodes (arrays as long as its arity, or NULL): to differentiate, batch or build on. Functions
 * that were added from one tape give the same nodes. NULL on error. */
camber_tape *camber_archive_tape(camber_archive *archive, const char *function, camber_node *inputs, camber_node *outputs);
/* A function called while another is recorded: its outputs on `tape`, of nodes of that tape (of its inputs' types). An error is the
 * tape's; every output is then CAMBER_NONE. */
camber_status camber_archive_apply(camber_archive *archive, const char *function, camber_tape *tape,
                                   const camber_node *inputs, size_t input_count, camber_node *outputs);

#ifdef __cplusplus
}
#endif

#include "camber_sparse.h"
#include "camber_health.h"
#endif
