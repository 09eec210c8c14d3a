/* CKernels: loops over contiguous memory, compiled for several instruction sets and chosen once at run time.
 * Knows no tapes, shapes only as counts; allocates nothing except where a function says so; never traps.
 *
 * dtypes are numbered as in camber.h. f16 and bf16 live in memory as 16 bits; arithmetic on them is done in f32.
 * bool is one byte, 0 or 1. Every function gives the same bits on every instruction set that has FMA, at any thread
 * count, and wherever a block begins: element i depends on the elements i of its inputs alone; reductions run in
 * 64 bytes of virtual lanes, then a fixed tree. */
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../../../include/camber_ops.h"
#include "gate.h"

#define CK_CLOSED __attribute__((enum_extensibility(closed)))
#define X(name, class, value) Unary_##name,
typedef enum CK_CLOSED Unary { CAMBER_UNARY_OPS(X) } Unary;
#undef X
#define X(name, class, value) Binary_##name,
typedef enum CK_CLOSED Binary { CAMBER_BINARY_OPS(X) } Binary;
#undef X
#define X(name, class, value) Ternary_##name,
typedef enum CK_CLOSED Ternary { CAMBER_TERNARY_OPS(X) } Ternary;
#undef X
typedef enum CK_CLOSED OpClass {
  OpClass_FLOAT, OpClass_NUMBER, OpClass_INTEGER, OpClass_TEST, OpClass_COMPARE, OpClass_LOGIC, OpClass_SELECT, OpClass_GATE
} OpClass;
enum { CK_F64, CK_F32, CK_F16, CK_BF16, CK_I64, CK_I32, CK_BOOL };

/* ---- The rows ------------------------------------------------------------------------------------------------- */
/* A row's number over all three lists: unary first, then binary, then ternary. */
enum { CK_UNARY_COUNT = 0
#define X(name, class, value) +1
  CAMBER_UNARY_OPS(X), CK_BINARY_COUNT = 0 CAMBER_BINARY_OPS(X), CK_TERNARY_COUNT = 0 CAMBER_TERNARY_OPS(X)
#undef X
};
enum { CK_ROW_COUNT = CK_UNARY_COUNT + CK_BINARY_COUNT + CK_TERNARY_COUNT };
const char *ck_row_name(int row);  /* "neg", ...; NULL out of range */
OpClass ck_row_class(int row);
int ck_row_arity(int row);

/* out[i] = f(x[i], y[i], z[i]) for i < n; unused operands are NULL. out may equal an operand. The dtype is that of the
 * float or integer operands (for LOGIC: CK_BOOL; for SELECT of bools: CK_BOOL). COMPARE and TEST write bool bytes.
 * dtype is one of f64 f32 i64 i32 bool: the 16-bit formats are run as f32 and rounded by ck_round.
 * No operand needs alignment beyond its element's; nothing outside [0, n) is read or written. */
typedef void (*ck_kernel)(const void *x, const void *y, const void *z, void *out, size_t n);
ck_kernel ck_row_kernel(int row, int dtype);   /* NULL where the row does not take the dtype */
ck_kernel ck_cast_kernel(int from, int to);    /* every pair of the 7 dtypes. float->int truncates and saturates, NaN -> 0;
                                                  anything -> bool is x != 0; f64 -> f16/bf16 rounds once, to nearest even */
ck_kernel ck_round_kernel(int dtype);          /* f32 -> f32, rounded to f16's or bf16's precision and range (inf past it) */

/* ---- Programs of single numbers -------------------------------------------------------------------------------- */
/* Slots are 8 bytes; a value of any dtype lies at the start of its slot (16-bit formats lie there as f32). A function of one f64 may
 * be called for pad + 1 numbers at once, in slots from x and out on; pad is 0 elsewhere. */
typedef struct ck_instr { uint16_t code; uint16_t pad; int32_t x, y, z, out; } ck_instr;
/* The code of a row, a cast or a rounding, -1 where there is none; `ck_scalar_run` gives the kernels' bits for n = 1. */
int ck_scalar_code_row(int row, int dtype);
int ck_scalar_code_cast(int from, int to);   /* 16-bit formats: pass CK_F32 and add a rounding */
int ck_scalar_code_round(int dtype);
ck_kernel ck_scalar_kernel(int code);        /* that of such a code, NULL where there is none */
/* A number in memory: `offset` bytes from slot 0 (base 0), from inputs[host] (base 1) or from outputs[host] (base 2). A load takes transfer x
 * to slot `out`, a store slot x to transfer y, a fill slot x to z numbers from transfer y on, a pair slot x to transfer y and slot z behind it. */
typedef struct ck_transfer { int64_t offset; int32_t host, base; } ck_transfer;
int ck_scalar_code_load(int dtype);
int ck_scalar_code_store(int dtype);
int ck_scalar_code_fill(int dtype);
int ck_scalar_code_pair(int dtype);
void ck_scalar_run(const ck_instr *code, size_t count, uint64_t *slots, const ck_transfer *transfers, const void *const *inputs, void *const *outputs);
/* Instructions were written into [begin, end): before they run. */
void ck_code_written(void *begin, void *end);

/* ---- Instruction sets -------------------------------------------------------------------------------------------- */
/* 0 = baseline (sse2), 1 = avx2 + fma + f16c, 2 = avx512 (f, dq, bw, vl). */
int ck_level(void);
int ck_level_max(void);
bool ck_set_level(int level);    /* for tests; false above ck_level_max(). Not while anything runs */
const char *ck_level_name(int level);

/* ---- Reductions over the middle axis of [outer, n, inner] ---------------------------------------------------------- */
/* 16-bit formats are read as they lie in memory, accumulated in f32, rounded once. Sum of bool is "any", product "all".
 * max and min propagate NaN; empty: sum 0, product 1, max -inf, min +inf. */
typedef enum CK_CLOSED Reduction { Reduction_sum, Reduction_prod, Reduction_max, Reduction_min, Reduction_logsumexp, Reduction_norm } Reduction;
void ck_reduce(Reduction op, int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner);
/* First index of the largest (smallest) element; the first NaN wins. */
void ck_argmax(int dtype, bool minimum, const void *x, int64_t *out, size_t outer, size_t n, size_t inner);
void ck_softmax(int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner);  /* a row of -inf gives 0 */
void ck_cumsum(int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner, bool reverse); /* bool: running "or" */
/* The same in parts for several threads. Strips [first, last) of the ck_strips (cumsum: ck_cumsum_count) there are; any cut, in any
 * order, gives the same bits. n > 0. */
size_t ck_strips(size_t outer, size_t n, size_t inner);
size_t ck_cumsum_count(size_t outer, size_t inner);
void ck_reduce_strips(Reduction op, int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner, size_t first, size_t last);
void ck_argmax_strips(int dtype, bool minimum, const void *x, int64_t *out, size_t outer, size_t n, size_t inner, size_t first, size_t last);
void ck_softmax_strips(int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner, size_t first, size_t last);
void ck_cumsum_strips(int dtype, const void *x, void *out, size_t n, size_t inner, bool reverse, size_t first, size_t last);
/* One line of n (sum, prod, max, min): part p of ck_line_parts leaves the subtree of its elements in 256 bytes of `parts`; the join
 * puts them together in the order of the whole tree. */
enum { CK_LINE_PART = 256 };
size_t ck_line_parts(int dtype, size_t n);
void ck_reduce_part(Reduction op, int dtype, const void *x, size_t n, size_t part, void *parts);
void ck_reduce_join(Reduction op, int dtype, size_t n, void *parts, void *out);
bool ck_all_finite(int dtype, const void *x, size_t n);
bool ck_all_finite_shared(int dtype, const void *x, size_t n, size_t threads);   /* the same, by threads */
double ck_sum_squares(int dtype, const void *x, size_t n);   /* f64 accumulation in the fixed tree */
/* What one pass over an array tells, in f64: sum of squares and largest magnitude of the finite elements; counts of zeros, of magnitudes in (0, low) and of those in
 * [edge, inf) or, where `lower` is set, also of values <= 1 - edge; of elements that are not finite. Adds to `s`. */
typedef struct { double squares, largest; uint64_t zeros, lows, edges, bad; } ck_tally;
void ck_tally_array(int dtype, const void *x, size_t n, double low, double edge, bool lower, ck_tally *s);
/* live[u] = now for every unit u of [outer, units, inner] with an element that is not zero. */
void ck_live_units(int dtype, const void *x, size_t outer, size_t units, size_t inner, int64_t now, int64_t *live);

/* ---- Running results along the middle axis of [outer, n, inner] --------------------------------------------------------- */
/* In order, from the front or the end; f32 for the 16-bit formats. Places are i64, of the first of equals; NaN wins, and stays. bool:
 * products are "and". Units [first, last) of the ck_running_count there are; n > 0. */
typedef enum CK_CLOSED Running { Running_prod, Running_max, Running_min, Running_argmax, Running_argmin, Running_logsumexp } Running;
size_t ck_running_count(size_t outer, size_t inner);
void ck_running_strips(Running op, int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner, bool reverse, size_t first, size_t last);
void ck_running(Running op, int dtype, const void *x, void *out, size_t outer, size_t n, size_t inner, bool reverse);
/* h[0] = b[0], h[i] = a[i] h[i-1] + b[i], product and sum rounded apart, and b[i] where a[i] is 0, whatever h[i-1] is; bool:
 * (a and h) or b. */
void ck_recurrence_strips(int dtype, const void *a, const void *b, void *out, size_t outer, size_t n, size_t inner, bool reverse, size_t first, size_t last);

/* ---- Order -------------------------------------------------------------------------------------------------------------- */
/* Lines [first, last) of the outer * inner there are, n < 2^32. NaN comes last (descending: first); equal elements keep their order.
 * scratch: ck_sort_scratch bytes, aligned to 8. */
size_t ck_sort_scratch(int dtype, bool places, size_t n);
void ck_sort(int dtype, bool descending, const void *x, void *out, size_t n, size_t inner, void *scratch, size_t first, size_t last);
/* The first `count` <= n places of the order: out is [outer, count, inner]. */
void ck_argsort(int dtype, bool descending, const void *x, int64_t *out, size_t n, size_t count, size_t inner, void *scratch, size_t first, size_t last);

/* ---- Movement ------------------------------------------------------------------------------------------------------ */
/* A view: element i of it is x[map[0] + sum over k of j[k] * stride[k]], j being the digits of i to the radices extent[k].
 * map: offset, rank (1 to CK_MAP_RANKS), then extent and stride of each axis, outermost first. */
enum { CK_MAP_RANKS = 32 };
/* Elements [start, start + n) of a view, packed. */
void ck_stage(size_t element_size, const int64_t *map, const void *x, size_t start, size_t n, void *out);
/* out[i * pitch + c] = column c's element i; column c stands at table[entries[c]]. `ahead`: the next n rows are asked for, too. */
void ck_interleave(size_t element_size, size_t columns, void *const *table, const int32_t *entries, size_t n, void *out, size_t pitch, bool ahead);
/* The other way: column c of rows `pitch` elements of 4 or 8 bytes apart goes to table[entries[c]]. 4 to 64 columns. */
void ck_unweave(size_t element_size, size_t columns, const void *x, size_t pitch, size_t n, void *const *table, const int32_t *entries, bool ahead);
/* Copies past the caches. */
void ck_stream(void *to, const void *from, size_t bytes);
/* Each of n elements `rep` times. */
void ck_repeat(size_t element_size, const void *x, size_t rep, size_t n, void *out);
/* Elements [start, start + n) of rows of `width`, packed in x, to rows `pitch` elements apart. */
void ck_spread(size_t element_size, size_t width, size_t pitch, const void *x, size_t start, size_t n, void *out);
/* dst[i . dst_strides] = src[i . src_strides] over shape; strides in elements, may be 0 or negative in src. rank <= 32. */
void ck_copy_strided(size_t element_size, size_t rank, const int64_t *shape, const void *src, const int64_t *src_strides,
                     void *dst, const int64_t *dst_strides);
void ck_fill(size_t element_size, const void *value, void *dst, size_t n);
/* y[i] = x[(start + i) / rep % period] for i < n. */
void ck_stretch(size_t element_size, const void *x, void *y, size_t start, size_t n, size_t rep, size_t period);
void ck_iota(int dtype, void *out, size_t outer, size_t n, size_t inner);   /* index along the middle axis */
/* out[b,o,j,i] = x[b,o,index[b,j],i]. Indices count from the end when negative. Returns -1, or the position of the first
 * index outside [-n, n). index_dtype is CK_I64 or CK_I32. */
int64_t ck_gather(size_t element_size, const void *x, int index_dtype, const void *index, void *out,
                  size_t batch, size_t outer, size_t n, size_t m, size_t inner);
/* out = zeros of [b,o,n,i]; out[b,o,index[b,j],i] += updates[b,o,j,i], j ascending; bool: "or". 16-bit: each sum is
 * accumulated in f32 by the caller's giving `scratch` of batch*outer*n*inner floats (NULL for other dtypes). */
int64_t ck_scatter_add(int dtype, int index_dtype, const void *index, const void *updates, void *out, float *scratch,
                       size_t batch, size_t outer, size_t n, size_t m, size_t inner);
/* The same within rows [row, row_end) and columns [inner, inner_end) of each [n, inner]: parts that cover it give the bits of the whole. */
typedef struct ck_scatter_part { size_t row, row_end, inner, inner_end; } ck_scatter_part;
int64_t ck_scatter_add_part(int dtype, int index_dtype, const void *index, const void *updates, void *out, float *scratch,
                            size_t batch, size_t outer, size_t n, size_t m, size_t inner, const ck_scatter_part *part);

/* Rows of updates put at indices of out, which holds what they replace: out[b,o,index[b,j],i] = updates[b,o,j,i], j ascending. Returns as
 * ck_gather does. */
int64_t ck_scatter_set(size_t element_size, int index_dtype, const void *index, const void *updates, void *out,
                       size_t batch, size_t outer, size_t n, size_t m, size_t inner);
/* out[b,o,s,i] = product, maximum or minimum of the updates[b,o,j,i] with index[b,j] == s, j ascending; the reduction's neutral element
 * where there is none. scratch as for ck_scatter_add. */
int64_t ck_segment(Reduction op, int dtype, int index_dtype, const void *index, const void *updates, void *out, float *scratch,
                   size_t batch, size_t outer, size_t n, size_t m, size_t inner);

/* ---- Random numbers -------------------------------------------------------------------------------------------------- */
/* Philox4x32-10 (Salmon et al., SC 2011), counter = element / 4 (f64: / 2), key = 64 bits: uniform on [0, 1) with 53, 24, 11, 8 bits
 * for f64, f32, f16, bf16. keys: [batch]; out: [batch, n]. */
void ck_random_uniform(int dtype, const int64_t *keys, void *out, size_t batch, size_t n);
/* Numbers [first, first + count) of one key; first is a multiple of 4. */
void ck_random_uniform_part(int dtype, int64_t key, void *out, size_t first, size_t count);
int64_t ck_fold_key(int64_t key, int64_t data);   /* the FOLD_KEY of the operator list */

/* ---- Products and factorisations ------------------------------------------------------------------------------------ */
/* C[m,n] = op(A) op(B), row-major, op(A) is m x k. dtype f64 f32 f16 bf16 (products and sums in f32, rounded once) i64 i32.
 * An element is a chain of multiply-adds over k, ascending, in panels of 256 added in order; a matrix times a vector along rows is a sum in
 * 4 x 64 bytes of lanes. Bits depend on the shape alone, and are the same on every instruction set that has FMA.
 * scratch: ck_gemm_scratch bytes, at most about 0.8 MB. */
size_t ck_gemm_scratch(int dtype, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k);
void ck_gemm(int dtype, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
             const void *a, const void *b, void *c, void *scratch);
/* Bools as bits: element i is bit i % 8 of byte i / 8. `x` holds 0 and 1; n elements, the last byte filled up with zeros. */
void ck_pack_bits(const uint8_t *x, size_t n, uint8_t *out);
void ck_unpack_bits(const uint8_t *x, size_t n, uint8_t *out);
/* A mask of an operand, laid out as it: bytes, or bits; from element `first` on. p NULL: all are set. */
typedef struct ck_mask { const uint8_t *p; size_t first; bool bits; } ck_mask;
/* The same with structural zeros: the product of a[i,p] and b[p,j] counts only where both masks are set. Runs ck_gemm and repeats element by element in f64 only the elements that are not finite. The caller
 * guarantees that an operand is 0 where its mask is not set. */
void ck_gemm_masked(int dtype, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                    const void *a, ck_mask mask_a, const void *b, ck_mask mask_b, void *c, void *scratch);
/* Rows [i, i_end), columns [j, j_end) of the product, any cut: the bits of the whole. scratch: as for the whole, not shared. */
typedef struct ck_range { size_t i, i_end, j, j_end; } ck_range;
void ck_gemm_range(int dtype, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                   const void *a, const void *b, void *c, ck_range range, void *scratch);
/* The same range of `count` products whose matrices lie next_a, next_b (0: one for all) and next_c elements apart. */
void ck_gemm_batch(int dtype, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const void *a, size_t next_a,
                   const void *b, size_t next_b, void *c, size_t next_c, size_t count, ck_range range, void *scratch);
/* The range of the product, masked where masks are given (then of whole rows), plus c-shaped `plus` in rows `plus_row` apart (0: one row for all), which c does not
 * overlap: the bits of product and addition one after the other. */
void ck_gemm_sum(int dtype, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const void *a, ck_mask mask_a, const void *b, ck_mask mask_b,
                 const void *plus, size_t plus_row, void *c, ck_range range, void *scratch);
/* What ck_gemm_masked does after the product, in rows [i0, i1). */
void ck_gemm_mend(int dtype, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const void *a, ck_mask mask_a,
                  const void *b, ck_mask mask_b, void *c, size_t i0, size_t i1);
/* Convolutions. geometry (38 numbers): batch, groups, then n, o, c of one group; strides in elements of x by batch, group, n, c, of w by batch,
 * group, o, c, of y by batch, group, n, o; then of each of three spatial axes, innermost last, i k p s d b low: the extents of x, w, y, and
 * x[i] w[k] is added to y[p] where b i = s p + d k - low, b > 0. Spatial axes are dense and innermost. f64 f32 f16 bf16 (sums in f32,
 * rounded once) i64 i32 bool ("or" of "and"). Units are independent; any cut gives the bits of the whole. scratch: ck_conv_scratch bytes a thread. */
size_t ck_conv_scratch(int dtype, const int64_t *geometry);
size_t ck_conv_units(int dtype, const int64_t *geometry);
void ck_convolve(int dtype, const int64_t *geometry, const void *x, const void *w, void *y, size_t from, size_t to, void *scratch);
/* Repeats in f64 the results that are not finite, counting products only where both masks (bytes as their operand; NULL = all) are set. */
void ck_conv_mend(int dtype, const int64_t *geometry, const void *x, const uint8_t *mask_x, const void *w, const uint8_t *mask_w, void *y);
/* The place in its plane of the first largest element of each window (NaN wins), planes [from, to). geometry (18 numbers), of each of three
 * axes: i p window step dilation low. out: i32, or i64 where `wide`. */
void ck_pool_index(int dtype, const int64_t *geometry, const void *x, bool wide, void *out, size_t from, size_t to);
/* How many of the n ascending knots lie below x (right: or equal it); NaN above all. out: i64. */
void ck_searchsorted(int dtype, const void *knots, size_t n, const void *x, int64_t *out, size_t count, bool right);
/* The first x that is not between the first and the last knot, -1 where there is none; NaN lies outside. f64 and f32. */
int64_t ck_outside(int dtype, const void *knots, size_t n, const void *x, size_t count);
/* LAPACK (OpenBLAS's) on one row-major matrix, dtype f64 or f32. Return 0, or the 1-based pivot that failed (then out is all NaN). */
int ck_cholesky(int dtype, size_t n, const void *a, void *l);      /* lower factor, zeros above */
/* Solve op(A) X = B, A triangular n x n, B and X n x m. */
int ck_triangular_solve(int dtype, bool lower, bool transpose, bool unit, size_t n, size_t m, const void *a, const void *b, void *x);
/* Solve op(A) X = B by LU with partial pivoting. lu: n*n elements of scratch; pivots: n of them; t: n*m elements. */
int ck_solve(int dtype, bool transpose, size_t n, size_t m, const void *a, const void *b, void *x, void *lu, int32_t *pivots, void *t);
/* The same of `count` matrices one after another; what fails is NaN throughout. scratch: as many bytes as ck_*_scratch says, aligned to 16.
 * lu: L and U in one [m, n], then the permutation [m]. qr: Q [m, q], R [q, n]. eigh: w [n], V [n, n]. svd: U, s, V^T. */
size_t ck_lu_scratch(int dtype, size_t m, size_t n);
void ck_lu(int dtype, size_t count, size_t m, size_t n, const void *a, void *out, void *scratch);
size_t ck_qr_scratch(int dtype, size_t m, size_t n, bool full);
void ck_qr(int dtype, size_t count, size_t m, size_t n, bool full, const void *a, void *out, void *scratch);
size_t ck_eigh_scratch(int dtype, size_t n, bool vectors);
void ck_eigh(int dtype, size_t count, size_t n, bool vectors, bool lower, const void *a, void *out, void *scratch);
size_t ck_svd_scratch(int dtype, size_t m, size_t n, bool vectors, bool full);
void ck_svd(int dtype, size_t count, size_t m, size_t n, bool vectors, bool full, const void *a, void *out, void *scratch);
/* op(A) X = B of A with l diagonals below and u above: ab [l + u + 1, n], A[i, j] = ab[u + i - j, j]. */
size_t ck_banded_scratch(int dtype, size_t n, size_t m, size_t l, size_t u);
void ck_banded(int dtype, size_t count, bool transposed, size_t n, size_t m, size_t l, size_t u, const void *ab, const void *b, void *x, void *scratch);
/* det [1], or sign and log |det| [2]; det(A) A^-T; the pseudo-inverse [n, m]. */
size_t ck_det_scratch(size_t n);
void ck_det(int dtype, size_t count, size_t n, bool logarithm, const void *a, void *out, void *scratch);
size_t ck_cofactor_scratch(size_t n);
void ck_cofactor(int dtype, size_t count, size_t n, const void *a, void *out, void *scratch);
size_t ck_pinv_scratch(size_t m, size_t n);
void ck_pinv(int dtype, size_t count, size_t m, size_t n, double cut, const void *a, void *out, void *scratch);
/* op(A) X + X op(B) = C, or X - op(A) X op(B) = C. */
size_t ck_sylvester_scratch(size_t m, size_t n);
void ck_sylvester(int dtype, size_t count, bool discrete, bool ta, bool tb, size_t m, size_t n, const void *a, const void *b, const void *c, void *out, void *scratch);
size_t ck_sqrtm_scratch(size_t n);
void ck_sqrtm(int dtype, size_t count, size_t n, const void *a, void *out, void *scratch);
/* exp(A), or its derivative along each of `order` directions. */
size_t ck_expm_scratch(size_t n, size_t order);
void ck_expm(int dtype, size_t count, size_t n, size_t order, const void *const *operands, void *out, void *scratch);

/* ---- binary128 ----------------------------------------------------------------------------------------------------------- */
/* What runs are held against: 113 bits, 16 bytes an element, aligned to 16. Conditions, truths and indices stay what they are. Not fast. */
bool ck_quad_row(int row, const void *x, const void *y, const void *z, void *out, size_t n);   /* false: a row of integers or truths */
void ck_quad_from(int dtype, const void *x, void *q, size_t n);
void ck_quad_to(const void *q, double *out, size_t n);
void ck_quad_sub(const void *a, const void *b, void *out, size_t n);                          /* equal operands, infinities too, give 0 */
/* Weights w, errors d (NULL: none) and their bounds e: sums[0] of w d, [1] of |w| e where d is not 0, [2] of (w e)^2 there, [3] of |w d|, [4] of |w| e. */
void ck_quad_weigh(const void *w, const void *d, const double *e, size_t n, double *sums);
double ck_quad_dot(const void *a, const void *b, size_t n);                                    /* of |a b| */
/* Comparisons of x with y, known as x_near and y_near: flags where the outcome turns or lies within twice the error of the difference; how many. */
size_t ck_quad_close(const void *x_near, const void *y_near, const void *x, const void *y, uint8_t *flags, size_t n);
double ck_quad_condition(int row, int slot, const void *x, const void *y, const void *z, size_t n);   /* the largest |x f'(x) / f(x)| in one operand; NaN: none */
void ck_quad_gather(const int64_t *from, const void *x, void *out, size_t n);                  /* -1: 0 */
void ck_quad_fold(int op, size_t outer, size_t n, size_t inner, const void *x, void *out);
void ck_quad_softmax(size_t outer, size_t n, size_t inner, const void *x, void *out);
void ck_quad_running(int op, size_t outer, size_t n, size_t inner, bool reverse, const void *a, const void *x, void *out);
void ck_quad_scatter(int op, const int64_t *index, size_t batch, size_t outer, size_t n, size_t m, size_t inner, const void *u, void *out);
void ck_quad_matmul(bool ta, bool tb, size_t m, size_t n, size_t k, const void *a, const void *b, void *c, const uint8_t *mask_a, const uint8_t *mask_b);
void ck_quad_solve(bool transposed, size_t n, size_t m, const void *a, const void *b, void *x, void *scratch);   /* scratch: n * n */
void ck_quad_triangular(bool lower, bool transposed, bool unit, size_t n, size_t m, const void *a, const void *b, void *x);
void ck_quad_cholesky(bool lower, size_t n, const void *a, void *l);
void ck_quad_det(size_t n, bool logarithm, const void *a, void *out, void *scratch);           /* scratch: n * n */
void ck_quad_conv(const int64_t *geometry, const void *x, const uint8_t *mask_x, const void *w, const uint8_t *mask_w, void *y);
/* Factorisations and functions of one matrix; what LAPACK chose in f64 (an order, vectors) is given and becomes exact. False: it did not settle. Scratch in numbers. */
void ck_quad_lu(size_t m, size_t n, const void *a, const double *order, void *out);
void ck_quad_qr(size_t m, size_t n, size_t q, const void *a, void *out, void *scratch);        /* m n + m */
bool ck_quad_eigh(size_t n, bool lower, const void *a, void *w, void *v, void *scratch);        /* 2 n n */
bool ck_quad_svd(size_t m, size_t n, size_t p, size_t q, const void *a, void *u, void *s, void *vt, void *scratch);   /* m n + k k + max(m p, q n), k = min(m, n) */
void ck_quad_pinv(size_t m, size_t n, double cut, const void *u, const void *s, const void *vt, void *out);
void ck_quad_cofactor(size_t n, const void *u, const void *s, const void *vt, void *out, void *scratch);   /* n n + n */
bool ck_quad_expm(size_t n, size_t order, const void *const *x, void *out, void *scratch);      /* (3 2^order + 1) n n */
bool ck_quad_sqrtm(size_t n, const void *a, void *out, void *scratch);                          /* 5 n n */
void ck_quad_banded(bool transposed, size_t n, size_t m, size_t l, size_t u, const void *ab, const void *x, const void *b, void *out);   /* b - op(A) x */

/* ---- Threads ------------------------------------------------------------------------------------------------------------ */
int ck_processors(void);   /* those that this process may use (its affinity); at least 1 */

/* ---- Threads ------------------------------------------------------------------------------------------------------------ */
/* task(context, i) for each i < count, on the calling thread and up to threads - 1 of the library's own; returns when all are done.
 * Allocates nothing after its first use with as many threads. Nested or concurrent calls, and calls in a child of fork, run serially. */
typedef void (*ck_task)(void *context, size_t index);
void ck_parallel(size_t count, size_t threads, ck_task task, void *context);

/* ---- Sparse matrices (elements of size 8 or 4: double, float) ------------------------------------------------------------ */
/* out[k] = buffer[index[k]]. */
void ck_sparse_read(size_t size, const void *buffer, const int32_t *index, void *out, size_t n);
/* out[p] += buffer[q] for pairs (p, q). */
void ck_sparse_add(size_t size, const void *buffer, const int32_t *pairs, void *out, size_t n);
/* steps (source, leaf, to, ends): buffer[first + k] = v = buffer[source] - sums[leaf]; sums[leaf] = 0; sums[to] += v, or = 0 where a tree ends. */
void ck_sparse_substitute(size_t size, void *buffer, size_t first, const int32_t *steps, void *sums, size_t n);
/* out[k] = sum over its triples (p, q, r) of weights[r] values[p] values[q]; without weights where they are NULL. */
void ck_sparse_normal(size_t size, const void *values, const void *weights, const int64_t *starts, const int32_t *triples, void *out, size_t entries);

/* ---- Memory that grows with the host's input --------------------------------------------------------------------------- */
/* 64-byte aligned, NULL when there is none. ck_live_bytes counts what is allocated now (tests), ck_alloc_count all calls ever;
 * ck_fail_after(k) makes the k-th call from now fail once (tests; k < 0: never). */
void *ck_alloc(size_t bytes);
void *ck_realloc(void *p, size_t old_bytes, size_t bytes);
void ck_free(void *p);
int64_t ck_live_bytes(void);
int64_t ck_alloc_count(void);
void ck_fail_after(int64_t k);
#endif
