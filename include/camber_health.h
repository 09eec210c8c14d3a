/* Camber: how far a number is to be trusted, what went wrong and what to do. Part of camber.h, which includes it: its rules on errors, memory and
 * threads hold here. */
#ifndef CAMBER_HEALTH_H
#define CAMBER_HEALTH_H

#include "camber.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Findings ---------------------------------------------------------------------------------------------------- */

/* What an observer found, as rows, gravest first; the reports are made of them. A row has texts: "kind" (a word or two that programs may test: "explode",
 * "vanish", "dead", ...), "place" (the host's name of a layer, parameter or input; "" for the whole), "evidence" (a sentence with its numbers), "remedy"
 * (an id that can be applied, "" for none) and "advice" (the remedy as a sentence); and numbers: "severity" (1 worth knowing, 2 results or training suffer,
 * 3 they are lost), "confidence" (0 to 1), "step" (the run at which it was first seen, from 0; -1: none), and those of the evidence by their own names. */
typedef struct camber_findings camber_findings;

void camber_findings_free(camber_findings *findings);
size_t camber_findings_count(const camber_findings *findings);
/* A text of row i: "" where there is no such row or field. Lives as long as the handle. */
const char *camber_findings_text(const camber_findings *findings, size_t i, const char *field);
/* A number of row i, by name; NaN where there is none. */
double camber_findings_number(const camber_findings *findings, size_t i, const char *name);
/* The k-th number of row i's evidence with its name; CAMBER_EINVAL past the last one. */
camber_status camber_findings_evidence(const camber_findings *findings, size_t i, size_t k, const char **name, double *value);

/* ---- Gradient flow ------------------------------------------------------------------------------------------------ */

/* Watches a training: one program that gives the loss and its gradients (to the last bit those of camber_grad) and, at each run, statistics of every named
 * layer's values and adjoints and of every parameter and its update. From them come findings: "explode", "vanish", "dead", "stalled", "saturated",
 * "learning rate", "f16 underflow", "f16 overflow", "bf16 stall", "inputs" (ill-conditioned), "nonfinite"; each names the layer (or the time step) where it
 * starts. Thresholds: NUMERICS-style medians over a window; sources: He et al. 2015 and Glorot & Bengio 2010 (scales of weights), Poole et al. 2016 and
 * Schoenholz et al. 2017 (mean field), Zhang et al. 2021, "AutoTrainer" (symptoms).
 *
 *     camber_flow *f = camber_flow_new(t, loss, params, 4, data, 2);
 *     camber_flow_layer(f, "hidden", h);                     // in the order from input to output; none: they are found by themselves
 *     for (...) camber_flow_run(f, params, data, &loss, gradients), camber_optimizer_step(o, params, gradients);
 *     camber_findings *found = camber_flow_findings(f);
 *
 * `loss` is a scalar; `params` are float inputs of the tape by which it is differentiated, `data` the other inputs. NULL on error (the tape says). Options,
 * before the first run: "window" (steps whose median counts, 64), "warmup" (first steps that learning-rate findings leave out, 0), "loss_scale" (a
 * factor of the gradients, also later; 1), "compute" (also later; a dtype, -1 for as recorded: the precision in which the tape runs, as in camber_precision, layers
 * included), "compensated" (1: the optimizer keeps what 16-bit parameters cannot hold, so that one that stands still is not stalled; also later), "every" (statistics at every so many runs, 1), "unit_axis" (of units and channels, counted from the front; -1000: the last, of images the second).
 * The tape may be freed. Memory: the layers' values and adjoints once more, and up to 4,096 sampled elements a parameter. */
typedef struct camber_flow camber_flow;
camber_flow *camber_flow_new(camber_tape *tape, camber_node loss, const camber_node *params, size_t param_count, const camber_node *data, size_t data_count);
void camber_flow_free(camber_flow *flow);
const char *camber_flow_message(const camber_flow *flow);
camber_status camber_flow_set(camber_flow *flow, const char *option, double value);
/* Names a layer, by its result; with `steps`, each index of the node's first axis is a level of its own: a time step. Before the first run. A node through
 * which the loss does not go in the chosen precision is an error of the first run. */
camber_status camber_flow_layer(camber_flow *flow, const char *name, camber_node node);
camber_status camber_flow_steps(camber_flow *flow, const char *name, camber_node node);
/* Names parameter i ("parameter i" until then). */
camber_status camber_flow_name(camber_flow *flow, size_t i, const char *name);
/* One run on the host's arrays: the loss (of its own dtype) and gradients (scaled by loss_scale), NULL where one is not wanted. What the host did to the
 * parameters since the last run is the update whose size is judged. CAMBER_NONFINITE: the loss or a gradient is not finite (all is written). */
camber_status camber_flow_run(camber_flow *flow, const void *const *params, const void *const *data, void *loss, void *const *gradients);
/* What the runs so far show. NULL when memory is refused. Free it. */
camber_findings *camber_flow_findings(camber_flow *flow);
/* Levels: layers, each time step for itself; their names. */
size_t camber_flow_levels(const camber_flow *flow);
const char *camber_flow_level(const camber_flow *flow, size_t i);
/* A statistic of all levels, medians over the window: "value_rms", "value_max", "value_zeros" (share), "saturated" (share of tanh and sigmoid behind it near
 * their ends; NaN: none), "gradient_rms", "gradient_max", "gradient_zeros", "gradient_low" (share of nonzero ones below the smallest normal number of
 * the format that they are in), "dead" (share of units at zero in all runs of the last 100); or of all parameters: "weight_rms", "weight_gradient_rms", "update_ratio" (rms of
 * the update over rms of the weights), "stalled" (share of weights with a gradient that a step did not move), "weight_gain" (rms times the square root of the inputs). NaN where it is
 * not known. `values` has room for `count`; CAMBER_EINVAL where that is not the number of levels or parameters. */
camber_status camber_flow_statistic(camber_flow *flow, const char *name, double *values, size_t count);
/* The Theil-Sen slope of log(gradient_rms) over the levels, counted from the loss: > 0 grows on the way back. NaN for fewer than three. */
double camber_flow_slope(camber_flow *flow);
/* ---- Rounding error ------------------------------------------------------------------------------------------------ */

/* How far outputs lie from what exact arithmetic would give from the same inputs. Inputs are the numbers that they hold. Constants on the tape may stand for
 * another number than they hold: pi, ln 2 (derivatives bring such ones with them), a decimal like 0.1; a bound covers both readings. Derivatives are nodes like others, so a gradient's error is asked for like a value's.
 *
 * A run unrolls the tape at one point (loops step by step, branches as taken), evaluates every node as programs do and wide beside it (binary128
 * where any float is f64, else f64), and a question about one output element then takes a reverse sweep over the nodes, evaluated wide: the weight
 * w_i = dy/dv_i of every intermediate result v_i. With e_i, the bound on the rounding of operator i from the table of operators, and d_i, the
 * rounding that it did commit:
 *     weighted bound   1.01 sum |w_i| e_i, over the i that rounded        (Bauer, SIAM J. Numer. Anal. 11, 1974; Miller, ACM TOMS 1, 1975)
 *     first order      sum w_i d_i                                       (Linnainmaa's linearised error, BIT 16, 1976)
 *     estimate         y - the wide run's y, off by at most the remainder: the same weighted sum over the roundings of the wide run
 *     statistical      3 sqrt(sum (w_i e_i)^2): roundings as if independent; no bound
 * `bound` is the smallest of these that holds: never below the error. CAMBER_UNBOUNDED_ERROR says that none can be given: the result is no number, the
 * weights change by more than a quarter between the rounded and the exact point and the wide run does not help, or an operator has no wide form
 * (LAPACK's factorisations other than Cholesky and solving, in f64; functions of the host) and its own error is not known.
 *
 * This is not for inner loops: some microseconds an operator and element. camber_rounding_bound is: it records the weighted bound as nodes.
 *
 * camber_rounding_new: the functions are outputs (floats) of inputs; all inputs that the outputs depend on are listed. NULL on error, the sentence
 * is the tape's. The tape is read by each run and not changed; it must not be added to meanwhile by another thread.
 * Options: "memory_limit", bytes (4 GiB), and "node_limit" (2^24 nodes unrolled), past which a run is refused with CAMBER_EMEMORY; "wide", 0 by the
 * dtypes, 1 f64, 2 binary128; "literals", 0 constants are what they hold, 1 (as said above), 2 they are what they stand for: known irrational
 * numbers, and decimals of at most 15 digits; "top", how many operators are ranked (16); "branches", for how many unstable comparisons the other side is computed (8). */
typedef struct camber_rounding camber_rounding;
enum { CAMBER_EXACT_RESULT = 0, CAMBER_WEIGHTED_BOUND = 1, CAMBER_MEASURED_ERROR = 2, CAMBER_UNBOUNDED_ERROR = 3 };
camber_rounding *camber_rounding_new(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *inputs, size_t input_count);
void camber_rounding_free(camber_rounding *rounding);
camber_status camber_rounding_set(camber_rounding *rounding, const char *name, double value);
/* At the inputs' data, arrays as for camber_run. Copies them. */
camber_status camber_rounding_run(camber_rounding *rounding, const void *const *data);
/* Asks about one element of an output, or about the sum of all outputs' elements with weights (an array of f64 for each output): a directional derivative's
 * error from its gradient's nodes, say. What stands below then answers for it. After camber_rounding_run. */
camber_status camber_rounding_at(camber_rounding *rounding, size_t output, size_t element);
camber_status camber_rounding_along(camber_rounding *rounding, const double *const *weights);
/* What the bound comes from: one of the four above. */
int32_t camber_rounding_level(const camber_rounding *rounding);
/* A number by name, NaN where there is none of that name or nothing was asked: "value", "bound", "weighted_bound", "statistical", "estimate", "remainder",
 * "corrected" (the value without its error, rounded once to f64), "first_order", "change" (of the weights), "condition" (sum |w_j x_j / y| over inputs),
 * "input_sensitivity" (sum |w_j| u |x_j|: what rounding the inputs once would cost; no part of the bound), "bits_lost" (log2 of the error in units of u |y|),
 * "digits" (decimal digits that the bound leaves sure), "unit" (u), "nodes" (of the unrolled tape). */
double camber_rounding_figure(const camber_rounding *rounding, const char *name);
/* The operators that contribute, those first without which the error would be smallest: the node (of a loop or branch where it lies in one), the operator's
 * name, its signed part of the first-order error, its part of the weighted bound, that part's share of all, and the largest condition number
 * |x f'(x) / f(x)| in one operand (NaN: none; 64 and more is noteworthy). Any pointer may be NULL. */
size_t camber_rounding_contributions(const camber_rounding *rounding);
camber_status camber_rounding_contribution(camber_rounding *rounding, size_t i, camber_node *node, const char **op, double *error, double *bound, double *share,
                                           double *condition);
/* Comparisons whose outcome rounding turns (`turns` is 1) or may turn: the difference of the operands is within twice its error. `other`: the result if they
 * went the other way, NaN where it was not computed. */
size_t camber_rounding_unstables(const camber_rounding *rounding);
camber_status camber_rounding_unstable(camber_rounding *rounding, size_t i, camber_node *node, const char **op, size_t *elements, int32_t *turns, double *other);
/* All of it in a few lines for a terminal; and the sentence of the last failure, which the report replaces. */
const char *camber_rounding_report(camber_rounding *rounding);
const char *camber_rounding_message(const camber_rounding *rounding);

/* The weighted bound of a float scalar as a node, an f64 scalar: for programs that run often, to be compiled beside the value or gradient (whose nodes it
 * shares), batched, even differentiated. Only to first order, without a look at comparisons, at the operators' constants alone: a product of matrices counts
 * by norms of rows and columns (gamma_k |w_ij| ||a_i|| ||b_j||), a sum by the true depth of its tree. What lies behind the inputs counts as exact. Loops,
 * branches and LAPACK's rows are refused (CAMBER_EDERIVATIVE): camber_rounding_new unrolls those. For a gradient's error give a component of it, or a weighted sum. */
camber_node camber_rounding_bound(camber_tape *tape, camber_node output, const camber_node *inputs, size_t input_count);
/* The same, and the signed estimate: results[0] the bound, [1] the sum of weight * rounding over + - * / and roots, whose rounding TwoSum (Knuth, The Art of
 * Computer Programming 2, 4.2.2) and fma give exactly, [2] the bound on what the other operators add: to first order the error is [1] up to [2]. */
camber_status camber_rounding_estimate(camber_tape *tape, camber_node output, const camber_node *inputs, size_t input_count, camber_node *results);

/* ---- Checking derivatives -------------------------------------------------------------------------------------------- */

/* Holds derivatives against differences: of phi, a weighted sum of all elements of the outputs, along random directions v in one float input at a time.
 * The jvp, the vjp and the Hessian product that Camber gives are compared with central differences over 24 steps, extrapolated (Ridders, Adv. Eng.
 * Software 4, 1982), the step chosen where truncation and noise balance; one-sided differences tell a kink, where there is no derivative, from a wrong
 * one; and the Taylor remainder phi(x + hv) - phi - h phi'v must shrink with slope 2 in h, with the second-order term taken off with slope 3. All
 * in f64 whatever the dtypes (functions of the host run in theirs). Where a derivative is wrong, each operator is checked by itself at the values that
 * reach it, the host's own first, and the first that fails is named.
 *
 * Options: "directions" in each input (2), "seed", "tolerance" (1e-6, relative), "order" (2; 1: no Hessian products), "locate", how many operators are
 * looked at for the fault (1000). NULL on error, the sentence is the tape's. Reads the tape as camber_rounding does. */
typedef struct camber_check camber_check;
enum { CAMBER_RIGHT = 0, CAMBER_WRONG = 1, CAMBER_KINK = 2, CAMBER_UNDECIDED = 3 };
enum { CAMBER_CHECK_JVP = 0, CAMBER_CHECK_VJP = 1, CAMBER_CHECK_HVP = 2 };
camber_check *camber_check_new(camber_tape *tape, const camber_node *outputs, size_t output_count, const camber_node *inputs, size_t input_count);
void camber_check_free(camber_check *check);
camber_status camber_check_set(camber_check *check, const char *name, double value);
/* At the inputs' data, arrays as for camber_run. The verdict is no status: a wrong derivative is a result. */
camber_status camber_check_run(camber_check *check, const void *const *data);
int32_t camber_check_verdict(const camber_check *check);   /* of all: wrong before kink before undecided (differences too noisy, or a value not finite) */
const char *camber_check_message(const camber_check *check); /* the verdict in words, with input and operator; or what failed */
/* One comparison: the input's number, which derivative, its verdict, the directional derivative, the difference, what that may be off by, and the
 * slope of the Taylor remainder (NaN where the remainder vanishes). Any pointer may be NULL. */
size_t camber_check_entries(const camber_check *check);
camber_status camber_check_entry(camber_check *check, size_t i, size_t *input, int32_t *kind, int32_t *verdict, double *derivative, double *difference,
                                 double *error, double *slope);
/* Steps h and Taylor remainders of an entry, at most `capacity`; how many there are. */
size_t camber_check_remainders(const camber_check *check, size_t i, size_t capacity, double *steps, double *remainders);

/* ---- Jacobians of steps ------------------------------------------------------------------------------------------- */

/* The `count` largest Lyapunov exponents of iterating `input` -> `output` (as many elements; a float input of the tape) from `point`, per step: Q R = J Q at each of `steps`
 * steps, the mean of log |R_kk| (Benettin et al. 1980), products by jvp, or with `transposed` by vjp back along the same orbit, as gradients go. `arrays`: the other inputs `data`, the same at each
 * step. Positive: perturbations (gradients) grow by e^exponent a step. The tape keeps the sentence of an error. */
camber_status camber_lyapunov_exponents(camber_tape *tape, camber_node output, camber_node input, const camber_node *data, size_t data_count, const void *point, const void *const *arrays,
                              size_t steps, int32_t transposed, double *exponents, size_t count);
/* The extreme singular values of d output / d input at `point`, by Golub, Kahan and Lanczos' bidiagonalisation of at most `steps` (1 to 512) steps with full orthogonalisation:
 * values[0] the largest, [1] its residual bound (a singular value lies within it), [2] the smallest found, [3] its bound. With steps at least the shorter side both are exact but for rounding. */
camber_status camber_singular_values(camber_tape *tape, camber_node output, camber_node input, const camber_node *data, size_t data_count, const void *point,
                                     const void *const *arrays, size_t steps, double *values);
/* Mean field of a wide network (Poole et al. 2016, Schoenholz et al. 2017) of "tanh", "relu", "erf" or "linear": weights of variance weight^2 / inputs, biases of variance bias^2. `q`: the fixed point of the
 * variance before the activation; `chi`: weight^2 E[phi'(sqrt(q) z)^2], above 1 gradients explode, below they vanish; `depth` = 1 / |log chi|, the layers that a signal crosses. Each may be NULL.
 * CAMBER_EINVAL for another activation or numbers that are not finite. */
camber_status camber_mean_field(const char *activation, double weight, double bias, double *q, double *chi, double *depth);

/* ---- Remedies ----------------------------------------------------------------------------------------------------- */

/* Applies a remedy, as findings name it, at a place ("" or NULL: everywhere) in one call; what was done is then camber_flow_message. The flow forgets its
 * runs, so that the next ones show whether it helped. `optimizer` (of the same parameters), `scaler` and `data` may be NULL where a remedy does not need them.
 * "rescale": the host's weights of the place, and of the layers as wrong as it, times what brings them to the size that keeps variances (1 / inputs; 2 / inputs before
 * relu), biases above 3 to zero. "reinitialize": weights anew, orthogonal with the gain that keeps variances (1; the root of 2 before relu), biases zero, of the place and of the layers as
 * wrong as it. "lsuv": the same, then scaled until each layer's results have unit variance on `data` (Mishkin & Matas 2016). "learning_rate": the optimizer's,
 * lowered until 48 steps of copies of optimizer and parameters go down, on the first eight batches that were run. "loss_scale": the largest power of two that keeps gradients 16 times below
 * 65504, given to the scaler too. "standardize": the flow's program takes (x - mean) / deviation of its inputs from now on: see camber_flow_standard. "precision":
 * it computes in bf16. Options of the optimizer: "compensate", "clip" (ZClip), "agc", "clip_norm", "clip_value", "weight_decay", "l1", "l2". */
camber_status camber_flow_prescribe(camber_flow *flow, const char *remedy, const char *place, camber_optimizer *optimizer, camber_scaler *scaler,
                                    void *const *params, const void *const *data);
/* The factor of the gradients now. */
double camber_flow_scale(const camber_flow *flow);
/* Of input i after "standardize": means and factors of its `count` features (all but the first axis), to be applied wherever the trained network is used. Either may be NULL. */
camber_status camber_flow_standard(camber_flow *flow, size_t i, double *mean, double *factor, size_t count);

/* Fills a float array with initial weights, [inputs, units] or [units, channels, window...], from the generator of camber_random_normal's kind (Philox), keyed by `seed`:
 * "he" (normal, variance gain^2 / inputs, gain by itself the root of 2; He et al. 2015), "lecun" (the same with gain 1), "xavier" (variance 2 gain^2 / (inputs + units); Glorot & Bengio
 * 2010), "orthogonal" (orthonormal rows or columns, scaled to entries of variance gain^2 / inputs; Saxe et al. 2014; sides above 1024 stay normal), "zeros". gain 0: the method's own.
 * CAMBER_EINVAL for an unknown method, dtype or shape. */
camber_status camber_initialize(const char *method, camber_dtype dtype, const int64_t *shape, size_t rank, double gain, int64_t seed, void *data);

/* ---- Places -------------------------------------------------------------------------------------------------------------------------
 * What a node is called and where it stands in the host's program, for every sentence that names a node. Nodes that transforms make know the node
 * they were made from, and have its labels. Labels change no result and no fingerprint, and are not written to files. */

/* Adds a label to a node: `text` ("layer3/conv"), a file and a line (from 1), each NULL or 0 where there is none. A node may have several;
 * the last one is shown. CAMBER_EINVAL where all three are empty or the line is negative. */
camber_status camber_label(camber_tape *tape, camber_node node, const char *text, const char *file, int32_t line);
/* The same for all nodes recorded on the tape from now on, until the next call; with all three empty: none. (Costs nothing while recording;
 * a node that was recorded before keeps its place.) */
camber_status camber_label_from(camber_tape *tape, const char *text, const char *file, int32_t line);
/* The labels of a node, its own first, then those of the node that it was derived from; texts are "" where empty, and live as long as the tape. */
size_t camber_label_count(const camber_tape *tape, camber_node node);
camber_status camber_label_get(camber_tape *tape, camber_node node, size_t i, const char **text, const char **file, int32_t *line);
/* The node of the host's that `node` was derived from (itself where it is one), and by what. */
enum { CAMBER_SWEEP_NONE = 0, CAMBER_SWEEP_FORWARD = 1, CAMBER_SWEEP_REVERSE = 2 };
camber_status camber_node_origin(camber_tape *tape, camber_node node, camber_node *origin, int32_t *sweep);

/* ---- Where a NaN or an infinity was born --------------------------------------------------------------------------------------------
 * Runs what `outputs` say node by node at given inputs, in the order in which they depend on each other, and follows every element that is not
 * finite back to the operator that made it of finite ones, through loops, branches, calls of the host and derivatives. A NaN made of infinities
 * goes back to the infinity as well. What does not reach an output is no finding; an infinite constant, or an infinity in an input declared a mask, is
 * none as long as no NaN comes of it (attention masks, the start of a maximum). Kernels give the bits of compiled programs, host functions are called
 * again (up to four times). Works beside programs: it costs them nothing and changes no result. */
typedef struct camber_nonfinite camber_nonfinite;

/* NULL on failure, with the tape's message. The tape may be freed afterwards. */
camber_nonfinite *camber_nonfinite_new(camber_tape *tape, const camber_node *inputs, size_t input_count, const camber_node *outputs, size_t output_count);
void camber_nonfinite_free(camber_nonfinite *nonfinite);
/* Options: "limit", how many findings are kept (16); "mask", the number of an input whose infinities are meant. */
camber_status camber_nonfinite_set(camber_nonfinite *nonfinite, const char *name, double value);
/* CAMBER_OK where all outputs are finite or meant to be as they are, CAMBER_NONFINITE with findings, or an error. inputs[i] as in camber_run. */
camber_status camber_nonfinite_run(camber_nonfinite *nonfinite, const void *const *inputs);
/* Findings of the last run, the earliest first: one for each operator (in loops: and step) whose element reaches an output. Behind them, up to
 * camber_nonfinite_total, the infinities that they were made of. */
size_t camber_nonfinite_count(const camber_nonfinite *nonfinite);
size_t camber_nonfinite_total(const camber_nonfinite *nonfinite);
/* Finding i: its node (that of the loop or branch around it, where it is within one; CAMBER_NONE is never given), the operator's name, the kind
 * ("0/0", "inf - inf", "0 * inf", "inf/inf", "log of zero", "log of a negative number", "sqrt of a negative number", "negative power of zero", "fractional power of
 * a negative number", "division by zero", "overflow", "outside the domain", "pole", "singular matrix", "NaN in an input", "infinity in an input",
 * "uninitialised memory in an input": a NaN with a payload, as camber_poison writes and no arithmetic makes, "the host's function", "constant",
 * "reduction of nothing"), the element (of the node's value, row by row), the finding that is the infinity behind it or -1, the input that it lies in or -1.
 * Any place may be NULL. Texts live as long as the library. */
camber_status camber_nonfinite_finding(const camber_nonfinite *nonfinite, size_t i, camber_node *node, const char **op, const char **kind, int64_t *element,
                                       int64_t *behind, int64_t *input);
/* Its value and its operands' (those elements that matter: of sums and products the infinite or largest one of each operand), as doubles. */
double camber_nonfinite_value(const camber_nonfinite *nonfinite, size_t i);
size_t camber_nonfinite_operand_count(const camber_nonfinite *nonfinite, size_t i);
camber_status camber_nonfinite_operand(const camber_nonfinite *nonfinite, size_t i, size_t k, double *value, int64_t *element, int64_t *input);
/* Where it comes from: the sweep, the operator that was differentiated (or its own), and the label. Texts live until the next run. */
camber_status camber_nonfinite_origin(const camber_nonfinite *nonfinite, size_t i, int32_t *sweep, const char **op, const char **text, const char **file, int32_t *line);
/* The steps of the loops around it, outermost first; their number is returned, at most `capacity` are written. */
size_t camber_nonfinite_steps(const camber_nonfinite *nonfinite, size_t i, int64_t *steps, size_t capacity);
/* Finding i in a sentence, and what to do; "" where there is none. Live until the next run. */
const char *camber_nonfinite_sentence(const camber_nonfinite *nonfinite, size_t i);
const char *camber_nonfinite_remedy(const camber_nonfinite *nonfinite, size_t i);
/* The whole report, or the last error. */
const char *camber_nonfinite_message(const camber_nonfinite *nonfinite);
/* How many operators took a number that was not finite and gave finite ones, and how many products with one were left out since their other side was
 * structurally zero (a masked gradient), in the last run. */
camber_status camber_nonfinite_tally(const camber_nonfinite *nonfinite, size_t *kills, size_t *suppressed);

/* Fills `count` elements with signalling NaNs of a payload of their own (floats) or the most negative number (integers), bools with 0: memory that is
 * never filled is then told from numbers by camber_nonfinite_run. CAMBER_EDTYPE, CAMBER_EINVAL. */
camber_status camber_poison(camber_dtype dtype, void *data, size_t count);

/* What the next step of an optimizer would do with these parameters and gradients, and its state: as camber_nonfinite_run, over the update as recorded
 * (a state that the host overwrote, epsilon = 0, a rate that overflows). Inputs are parameters, state, gradients, then the step's scalars; outputs parameters, then state. Nothing is
 * changed. The result is NULL where it cannot be made, with camber_optimizer_message; its run has been made: its message says what was found, its count is 0 where
 * all is well. */
camber_nonfinite *camber_optimizer_nonfinite(camber_optimizer *optimizer, void *const *parameters, const void *const *gradients);

/* ---- Stable rewritings ----------------------------------------------------------------------------------------------------------------
 * Replaces expressions that lose digits, overflow or have wrong derivatives by others that do not: log(1 + x) by log1p, the log of a sum of exponentials
 * by logsumexp, differences of square roots by a quotient, ... (57 patterns: docs/health.md; after Herbie's, Panchekha et al. 2015, and the literature
 * named there). Patterns are found as they were recorded: commuted, associated otherwise, with differences for sums, quotients for products,
 * through broadcasts. A rule is made where the first-order bound of its expression's own rounding loses more than "threshold" bits less at a sample of the
 * inputs (or its value or derivative becomes a number), some always; none where it would lose more than "slack" bits at any sample. Bodies of loops and branches stay as
 * they are. Before derivatives are taken: those of what is put in are stable, too. Results change in their last digits: that is what it is for. */
typedef struct camber_stabilizer camber_stabilizer;
/* NULL on failure, with the tape's message. */
camber_stabilizer *camber_stabilizer_new(camber_tape *tape, const camber_node *inputs, size_t input_count, const camber_node *outputs, size_t output_count);
void camber_stabilizer_free(camber_stabilizer *stabilizer);
/* Options: "threshold" (bits, 4), "slack" (bits, 1), "rounds" (how often what was put in is looked at again, 4). */
camber_status camber_stabilizer_set(camber_stabilizer *stabilizer, const char *name, double value);
/* A point at which the outputs will be wanted, copied; inputs as in camber_run. Up to 256. Without any, and without ranges, only what is always made is. */
camber_status camber_stabilizer_sample(camber_stabilizer *stabilizer, const void *const *inputs);
/* Where an input of floats will lie: samples are drawn out of it, where none were given. Inputs without a range are 1 then. */
camber_status camber_stabilizer_range(camber_stabilizer *stabilizer, size_t input, double low, double high);
/* The outputs with what was put in: nodes of the tape; the old ones stand. */
camber_status camber_stabilizer_run(camber_stabilizer *stabilizer, camber_node *outputs);
/* The journal of the last run: what was found, made or not. Entry i: the rule's number, the node, the bits lost before and after (the worst sample; NaN: not
 * measured, infinite: no number or no derivative), whether it was made. Any place may be NULL. */
size_t camber_stabilizer_count(const camber_stabilizer *stabilizer);
camber_status camber_stabilizer_entry(const camber_stabilizer *stabilizer, size_t i, int32_t *rule, camber_node *node, double *before, double *after, int32_t *made);
/* Entry i in a sentence, and all of them (or the last error). Live until the next run. */
const char *camber_stabilizer_sentence(const camber_stabilizer *stabilizer, size_t i);
const char *camber_stabilizer_message(const camber_stabilizer *stabilizer);

#ifdef __cplusplus
}
#endif
#endif
