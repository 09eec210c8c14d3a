/* Camber: sparse derivatives, colourings and the choice of method. Part of camber.h, which includes it: its rules on errors, memory and
 * threads hold here. */
#ifndef CAMBER_SPARSE_H
#define CAMBER_SPARSE_H

#include "camber.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Sparse derivatives ---------------------------------------------------------------------------------------------------------
 * A camber_sparse is a Jacobian or Hessian whose zeros are known: its pattern is found once, its values are computed as often as wanted, into
 * the host's buffer, in the order of the format, without allocation, by any number of threads with a workspace each.
 *
 * Rows are the elements of the outputs, one output after the other, each in row-major order; columns are those of the variables likewise.
 * Variables and data are inputs of the tape, all different; variables and outputs are f64 or f32. Values are f32 where all of them are, f64 otherwise.
 *
 * The pattern is what the operators' structure tells: a superset of the entries that can ever be other than zero (both branches of every
 * choice). Products with constants that are zero, x - x and masked places leave no entries. */
typedef struct camber_sparse camber_sparse;
/* Memory of one thread that computes values. It outlives neither its camber_sparse nor needs to be freed before it. */
typedef struct camber_sparse_workspace camber_sparse_workspace;

/* How values are ordered, and how patterns are read. */
enum {
  CAMBER_SPARSE_CSR = 0, /* row by row, columns ascending */
  CAMBER_SPARSE_CSC = 1, /* column by column, rows ascending */
  CAMBER_SPARSE_COO = 2, /* pairs, ordered as in CSR */
  CAMBER_SPARSE_BLOCKS = 3 /* dense blocks: camber_sparse_use_blocks */
};
/* Which part of a symmetric matrix. */
enum { CAMBER_SPARSE_FULL = 0, CAMBER_SPARSE_LOWER = 1, CAMBER_SPARSE_UPPER = 2 };
/* How values are computed. */
enum {
  CAMBER_SPARSE_AUTO = 0,
  CAMBER_SPARSE_ACCUMULATE = 1, /* no colours: the entries of every value, carried through the tape as arrays */
  CAMBER_SPARSE_FORWARD = 2,    /* products with a seed for each colour of the columns */
  CAMBER_SPARSE_REVERSE = 3,    /* the same of the rows */
  CAMBER_SPARSE_STAR = 4,       /* Hessians: products for each colour of a star colouring, entries read off directly */
  CAMBER_SPARSE_ACYCLIC = 5,    /* Hessians: fewer colours, entries by substitution, which adds up rounding along paths */
  CAMBER_SPARSE_STAR_BICOLORING = 6,   /* Jacobians: some rows by reverse, some columns by forward products, read off directly */
  CAMBER_SPARSE_ACYCLIC_BICOLORING = 7, /* the same by substitution */
  CAMBER_SPARSE_ELIMINATION = 8, /* vertex elimination of a straight-line program of up to some thousand scalars: see camber_elimination */
  CAMBER_SPARSE_EDGE_PUSHING = 9 /* Hessians of such programs: see camber_edge_pushing_cost */
};
/* How a pattern is found where it is not read off the entries themselves. */
enum {
  CAMBER_DETECT_AUTO = 0,         /* sets, until they have cost what words would; then the cheaper direction of words */
  CAMBER_DETECT_SETS = 1,         /* one pass, a set of columns for each element; equal sets are one */
  CAMBER_DETECT_WORDS = 2,        /* passes with 64 columns as the bits of a word; groups of columns that share no row are split together */
  CAMBER_DETECT_REVERSE_WORDS = 3 /* the same backwards, with rows */
};
/* Orders in which vertices are coloured. */
enum {
  CAMBER_ORDER_PORTFOLIO = 0, /* all of them, the fewest colours kept, then iterated greedy */
  CAMBER_ORDER_NATURAL = 1,
  CAMBER_ORDER_LARGEST_FIRST = 2,
  CAMBER_ORDER_SMALLEST_LAST = 3,
  CAMBER_ORDER_INCIDENCE_DEGREE = 4,
  CAMBER_ORDER_DYNAMIC_LARGEST_FIRST = 5
};

/* The Jacobian of the outputs by the variables. NULL on error (the tape has the sentence). The handle keeps the tape's nodes alive; options are set before
 * camber_sparse_prepare. A run is given the variables, then the data. */
camber_sparse *camber_sparse_jacobian(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *variables, size_t variable_count,
                                      const camber_node *data, size_t data_count);
/* The Hessian of a scalar. */
camber_sparse *camber_sparse_hessian(camber_tape *tape, camber_node output, const camber_node *variables, size_t variable_count, const camber_node *data,
                                     size_t data_count);
/* The Hessian of the sum of all elements of all outputs, each times a weight, in one sweep: sigma f + sum lambda_i g_i with outputs f and g. A run is given, behind
 * the data, the weights: an array of the type of each output. */
camber_sparse *camber_sparse_lagrangian(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *variables, size_t variable_count,
                                        const camber_node *data, size_t data_count);
/* alpha dF/dy + beta dF/dy', as implicit integrators want it, in one sweep: `rates` are as many variables, of the same types. A run is given
 * the variables, the rates, the data, then alpha and beta (f64 scalars). */
camber_sparse *camber_sparse_combination(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *variables, const camber_node *rates,
                                         size_t variable_count, const camber_node *data, size_t data_count);
/* J^T J of residuals, or, with weighted != 0, J^T diag(w) J: a run is then given, behind the data, w (an element a residual, of the values' dtype). Symmetric:
 * option triangle holds. */
camber_sparse *camber_sparse_normal(camber_tape *tape, const camber_node *residuals, size_t residual_count, const camber_node *variables, size_t variable_count,
                                    const camber_node *data, size_t data_count, int32_t weighted);
void camber_sparse_free(camber_sparse *sparse);

/* Options, by name, before preparing:
 *   format    CAMBER_SPARSE_CSR (as it begins), _CSC, _COO
 *   triangle  of symmetric matrices: CAMBER_SPARSE_FULL (as it begins), _LOWER, _UPPER
 *   method    CAMBER_SPARSE_AUTO (as it begins) or another
 *   order     CAMBER_ORDER_PORTFOLIO (as it begins) or another
 *   detection CAMBER_DETECT_AUTO (as it begins) or another
 *   threads   of a run; 0 (as it begins): all processors. The values' bits do not depend on it. */
camber_status camber_sparse_set(camber_sparse *sparse, const char *name, double value);
/* The host's own pattern instead of the one found: count entries (rows[k], columns[k]) of the Jacobian (the whole Hessian), counted from 0, in any order. What it
 * leaves out is taken for zero and falls onto other entries: camber_sparse_check finds out. */
camber_status camber_sparse_use_pattern(camber_sparse *sparse, const int64_t *rows, const int64_t *columns, size_t count);
/* The host's own colours, from 1; 0 is neutral: no product for it. NULL for a side that has none. Both together are a bicolouring. Preparing verifies that each entry can be
 * read off, and names one that cannot. */
camber_status camber_sparse_use_colors(camber_sparse *sparse, const int32_t *row_colors, size_t row_count, const int32_t *column_colors, size_t column_count);
/* Values as dense blocks instead, as hosts like Ceres take them: rows and columns are cut into groups of these sizes, one after the other (all of them in all), and each
 * pair of groups that has an entry gives a block, row-major, zeros written; by group of rows, then of columns. camber_sparse_pattern with format CAMBER_SPARSE_BLOCKS gives where
 * each group of rows begins among the blocks (row_groups + 1 numbers) and the blocks' groups of columns (the last of those many). */
camber_status camber_sparse_use_blocks(camber_sparse *sparse, const int64_t *row_sizes, size_t row_groups, const int64_t *column_sizes, size_t column_groups);
/* The pattern at a point instead of everywhere: the branches taken there, and no entry where a factor is zero there. inputs as in
 * camber_sparse_values; read by the next camber_sparse_prepare, until when they must stay. Values elsewhere may then lack entries. */
camber_status camber_sparse_use_point(camber_sparse *sparse, const void *const *inputs);
/* Finds the pattern, colours it and compiles. Once; later calls do nothing. Not while the tape is being used by another thread. */
camber_status camber_sparse_prepare(camber_sparse *sparse);
/* The sentence of the last failure of a call on this handle. */
const char *camber_sparse_message(const camber_sparse *sparse);

/* Of the prepared matrix; 0 before. `values` are the entries there are. */
size_t camber_sparse_row_count(const camber_sparse *sparse);
size_t camber_sparse_column_count(const camber_sparse *sparse);
size_t camber_sparse_value_count(const camber_sparse *sparse);
camber_dtype camber_sparse_value_dtype(const camber_sparse *sparse);
/* The pattern: of CSR `first` are row_count + 1 starts and `second` the columns; of CSC column_count + 1 starts and rows; of COO rows and columns, one a value. Entries of
 * `bits` 32 or 64, counted from `base` 0 or 1. COO fits the order of the values whatever the format; CSR and CSC only that format. A number that does not fit into 32 bits
 * is an error. Either pointer may be NULL. */
camber_status camber_sparse_pattern(camber_sparse *sparse, int32_t format, int32_t bits, int32_t base, void *first, void *second);
/* The colours of rows and columns (of the whole matrix behind a triangle), from 1, 0 neutral; NULL where not wanted. A side without colours is all 0. The method
 * CAMBER_SPARSE_ACCUMULATE has none until they are asked for: then these are those of the best compressed method. */
camber_status camber_sparse_colors(camber_sparse *sparse, int32_t *row_colors, int32_t *column_colors, int32_t *row_color_count, int32_t *column_color_count);
/* The method that was taken: CAMBER_SPARSE_FORWARD and so on; 0 before preparing. */
int32_t camber_sparse_method(const camber_sparse *sparse);
/* How its pattern was found: CAMBER_DETECT_SETS and so on; CAMBER_DETECT_AUTO where the entries themselves told, or the host. */
int32_t camber_sparse_detection(const camber_sparse *sparse);

camber_sparse_workspace *camber_sparse_workspace_new(camber_sparse *sparse);
void camber_sparse_workspace_free(camber_sparse_workspace *workspace);
const char *camber_sparse_workspace_message(const camber_sparse_workspace *workspace);
/* The values at a point. inputs: an array an input, in the order that the constructor says; values: value_count elements. CAMBER_EBUSY where another thread is at the workspace. */
camber_status camber_sparse_values(camber_sparse_workspace *workspace, const void *const *inputs, void *values);
/* Compares, at a point, products of the sparse matrix with those of the exact derivative along `probes` random directions. CAMBER_EINVAL with the entry (row and column) that the
 * pattern lacks, or whose value is wrong, in the sentence; 0 where all agree to `tolerance` (of the row's largest product). Of Jacobians and Hessians. */
camber_status camber_sparse_check(camber_sparse *sparse, const void *const *inputs, int32_t probes, double tolerance);

/* ---- Colourings --------------------------------------------------------------------------------------------------------------- */
/* Colours of any pattern of count entries (rows[k], columns[k]) counted from 0. kind: "column" (columns that share a row differ), "row", "star", "acyclic" (of symmetric patterns:
 * Gebremedhin, Tarafdar, Manne and Pothen, SIAM J. Sci. Comput. 29, 2007), "star_bicoloring", "acyclic_bicoloring". Deterministic. Colours count from 1, 0 is neutral: no
 * product is needed for it. Symmetric kinds give the columns' colours; rows' are 0. Arrays may be NULL. On error `message` (of `message_size` bytes, may be NULL) gets the sentence. */
camber_status camber_color(const char *kind, int32_t order, size_t row_count, size_t column_count, const int64_t *rows, const int64_t *columns, size_t count,
                           int32_t *row_colors, int32_t *column_colors, int32_t *color_count, char *message, size_t message_size);

/* ---- Elimination: Jacobians of straight-line programs ------------------------------------------------------------------------ */
/* The program is taken apart into a graph: a vertex for each scalar that is computed, an edge for each partial derivative. Eliminating a
 * vertex multiplies the partials on each path through it and adds them to the edge across; when all are gone, the edges that are left are
 * the Jacobian (Griewank and Walther, Evaluating Derivatives, chapter 10). The order decides the number of products: forward and reverse
 * mode are two of them. Products with +-1 and of two constants are free, moved elements (slices, transposes, concats) make no vertices, and
 * structural zeros stay zeros. Loops, solves, factorisations and calls of the host come in by their own Jacobians.
 * Orders by name: "forward", "reverse", "markowitz" (the vertex with the fewest paths first; ties to the highest index),
 * "relative_markowitz" (less what its inputs and outputs will need anyway), "min_fill" (fewest new edges), "annealing" (single vertices
 * moved, from the best of those on; deterministic, some tenths of a second at most), and "best", which NULL means: the least exact count
 * of all. At most 4096 scalars: more is CAMBER_EINVAL. */

/* blocks[i * input_count + j]: d outputs[i] / d inputs[j], of shape outputs[i].shape + inputs[j].shape, as straight-line nodes, which
 * compile to machine code and have derivatives themselves. Values are those of camber_jacobian but for rounding: sums are in another order. */
camber_status camber_elimination(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *inputs,
                                 size_t input_count, const char *order, camber_node *blocks);
/* What an order costs, without making anything: costs[0 ... 3] are the vertices between inputs and outputs, the edges, and the products
 * and sums of the elimination. With `every` not 0, products with +-1 and of constants count like others, as in figures that are published
 * for such graphs (and "best" is the least such count). */
camber_status camber_elimination_cost(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *inputs,
                                      size_t input_count, const char *order, int32_t every, int64_t *costs);

/* The Hessian of a scalar by edge pushing (Gower and Mello, A new framework for the computation of Hessians, Optimization Methods and Software 27, 2012, algorithm
 * edge_pushing): backwards over the same graph goes a symmetric matrix of what is alive; each vertex pushes its row on to its operands and adds its own second
 * derivatives times its adjoint. Symmetric entries are made once, a sum couples nothing, so the elements of a partially separable function stay apart.
 * CAMBER_SPARSE_EDGE_PUSHING and the planner's "edge_pushing" do it, under the limits of elimination; this says what it costs: costs[0 ... 3] are the vertices
 * between inputs and output, the edges, and the products and sums, counted as above. */
camber_status camber_edge_pushing_cost(camber_tape *tape, camber_node output, const camber_node *inputs, size_t input_count, int64_t *costs);

/* results[i] has the value of outputs[i]; derivatives through it multiply by the Jacobian of the outputs by the inputs, which is
 * accumulated once by elimination, instead of going through every operator. Where a scan, while loop or branch lies between, its body is
 * treated so instead, step by step, when its Jacobian has fewer entries than the body has partials. It pays where a body of many
 * operators reads and gives few numbers and many directions or orders of derivatives go through; nodes that elimination does not take
 * stay as they are. All inputs and outputs of a body are of one float dtype, or it stays too. */
camber_status camber_preaccumulate(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *inputs,
                                   size_t input_count, camber_node *results);

/* ---- The planner: the method that suits the problem ------------------------------------------------------------------------------ */
/* A plan holds, for one Jacobian or Hessian, what every method would take: operations, bytes, colors, passes, memory, predicted time and
 * rounding error; and the choice. Counts are exact: a method's nodes are made (on a copy of the function) and counted, nothing is run; with fewer trials
 * of orders than the method itself makes later. A method whose passes, or whose elimination's count, leave it 2.5 times behind already is not made
 * and stands with these bounds.
 * Times are predicted with figures of this machine, measured once a process in some milliseconds. Where methods are near each other, and a
 * point is given, they are compiled and run there, in turns; medians decide. Runs take no more than ten evaluations of the method
 * that is chosen, or 60 microseconds where that is more, beside one first run of each. The verdict is remembered by the function's fingerprint and the machine.
 * Methods by name, for kind "jacobian" and "hessian" (dense results): "forward", "reverse", "compressed_forward", "compressed_reverse",
 * "star_bicoloring", "star" (Hessians), "elimination", "edge_pushing" (Hessians), "stagewise", "preaccumulate" (where there are loops or branches: camber_preaccumulate); for "sparse_jacobian" and "sparse_hessian": "compressed_forward",
 * "compressed_reverse", "star_bicoloring", "acyclic_bicoloring", "star", "acyclic", "accumulate", "elimination", "edge_pushing". "finite_differences" stands
 * in each table for comparison and is never chosen. */
typedef struct camber_plan camber_plan;

/* Of the Jacobian of the outputs by the variables, or the Hessian of one scalar output. Variables and data are inputs of the tape, all that the
 * outputs depend on. NULL on error: the tape has the sentence. The tape is not changed, and may be freed before the plan. Where a verdict is
 * remembered, the plan copies nothing: its table is made from the tape when it is asked for, not while another thread records on it. */
camber_plan *camber_plan_new(camber_tape *tape, const char *kind, const camber_node *outputs, size_t output_count, const camber_node *variables,
                             size_t variable_count, const camber_node *data, size_t data_count);
void camber_plan_free(camber_plan *plan);
/* Options: taste (1 as it begins: near methods are run; 0: the prediction alone decides), accurate (1: the method with the least predicted
 * rounding error, the faster of equal ones; 0 as it begins: the fastest), rounding (1, and accurate: errors in the table are those of
 * camber_rounding at the point, of up to 16 entries, relative to the largest entry; 0 as it begins: counted roundings), evaluations (how often
 * the derivative will be evaluated, about: planning stops when it has taken a tenth of that time, as predicted, and takes the best method seen till
 * then, without counting any where not even that pays; 0 as it begins: it goes to its end). */
camber_status camber_plan_set(camber_plan *plan, const char *name, double value);
/* Chooses. inputs: an array for each variable, then for each data, read during the call; NULL: by prediction. */
camber_status camber_plan_run(camber_plan *plan, const void *const *inputs);
const char *camber_plan_message(const camber_plan *plan);
/* The name of the method chosen; "" before a run. It lives as long as the process. */
const char *camber_plan_method(const camber_plan *plan);
/* The table. numbers[0 ... 8]: 1 where the method applies, operations (in additions), bytes moved, colors, passes, bytes of memory at once
 * (exact where it was run), nanoseconds predicted and measured (0: not run), and a bound on the relative rounding error as far as nothing
 * cancels: roundings on the longest way, times the unit roundoff; with rounding or accurate, and a point, the adjoint-weighted bound there. Either pointer may be NULL. */
size_t camber_plan_count(const camber_plan *plan);
camber_status camber_plan_entry(camber_plan *plan, size_t i, const char **method, double *numbers);
/* The table in words, or as JSON with json != 0. The text is the plan's, until the next such call. */
const char *camber_plan_explain(camber_plan *plan, int32_t json);
/* Dense blocks as camber_jacobian (kind "jacobian") or camber_hessian ("hessian") gives them, by a method by name: what a plan chose, say. */
camber_status camber_plan_blocks(camber_tape *tape, const char *kind, const char *method, const camber_node *outputs, size_t output_count,
                                 const camber_node *inputs, size_t input_count, camber_node *blocks);
/* Verdicts of this process to a file, and a file's verdicts to this process (those of another machine are left out): CAMBER_EIO where the
 * file cannot be written or read or is none. Forgetting makes the next run taste again. */
camber_status camber_plan_save(const char *path);
camber_status camber_plan_load(const char *path);
void camber_plan_forget(void);

#ifdef __cplusplus
}
#endif
#endif
