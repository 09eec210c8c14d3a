/* Camber: sparse derivatives, colourings and the choice of method. Part of camber.h, which includes it: its rules on errors, memory and
 * threads hold here. */
#ifndef CAMBER_SPARSE_H
#define CAMBER_SPARSE_H

#include "camber.h"

#ifdef __cplusplus
extern "C" {
#endif

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

/* results[i] has the value of outputs[i]; derivatives through it multiply by the Jacobian of the outputs by the inputs, which is
 * accumulated once by elimination, instead of going through every operator. Where a scan, while loop or branch lies between, its body is
 * treated so instead, step by step, when its Jacobian has fewer entries than the body has partials. It pays where a body of many
 * operators reads and gives few numbers and many directions or orders of derivatives go through; nodes that elimination does not take
 * stay as they are. All inputs and outputs of a body are of one float dtype, or it stays too. */
camber_status camber_preaccumulate(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *inputs,
                                   size_t input_count, camber_node *results);

#ifdef __cplusplus
}
#endif
#endif
