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
 * starts. Thresholds are on medians over a window; sources: He et al. 2015 and Glorot & Bengio 2010 (scales of weights), Poole et al. 2016 and
 * Schoenholz et al. 2017 (mean field), Zhang et al. 2021, "AutoTrainer" (symptoms).
 *
 *     camber_flow *f = camber_flow_new(t, loss, params, 4, data, 2);
 *     camber_flow_layer(f, "hidden", h);                     // in the order from input to output; none: what camber_label names, or else what is found
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
 * weights change by more than a quarter between the rounded and the exact point and the wide run does not help, or an operator has no wide result
 * (functions of the host; in f64 singular matrices whose root or equation is asked for) and its own error is not known.
 *
 * This is not for inner loops: some microseconds an operator and element. camber_rounding_bound is: it records the weighted bound as nodes.
 *
 * camber_rounding_new: the functions are outputs (floats) of inputs; all inputs that the outputs depend on are listed. NULL on error, the sentence
 * is the tape's. The tape is read by each run and not changed; it must not be added to meanwhile by another thread.
 * Options: "memory_limit", bytes (4 GiB), and "node_limit" (2^24 nodes unrolled), past which a run is refused with CAMBER_ENOMEM; "wide", 0 by the
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
 * |x f'(x) / f(x)| in one operand (NaN: none; 64 and more is noteworthy). Any pointer may be NULL. The first is to blame: without its rounding the error would be half or
 * less. Where roundings meet in a cancellation and no single one is, it stands for several, counted as one: all that one operator and its derivatives make, all
 * operators of one kind, or two of these. */
size_t camber_rounding_contributions(const camber_rounding *rounding);
camber_status camber_rounding_contribution(camber_rounding *rounding, size_t i, camber_node *node, const char **op, double *error, double *bound, double *share,
                                           double *condition);
/* Member k of contribution i, the largest first (most have one): node, operator, its part of the error, and the label of the node or of the one that it was derived from
 * (camber_label; "" and 0 where there is none; texts live until the next question). CAMBER_EINVAL past the last. Any pointer may be NULL. */
camber_status camber_rounding_member(const camber_rounding *rounding, size_t i, size_t k, camber_node *node, const char **op, double *error, const char **text,
                                     const char **file, int32_t *line);
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
 * branches and LAPACK's rows are refused (CAMBER_EDERIV): camber_rounding_new unrolls those. For a gradient's error give a component of it, or a weighted sum. */
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
 * wrong as it. "lsuv": the same, then scaled until each layer's results, before tanh or relu, have unit variance on `data` (Mishkin & Matas 2016). "learning_rate": the optimizer's,
 * lowered until 48 steps of copies of optimizer and parameters go down, on the first eight batches that were run. "loss_scale": the largest power of two that keeps gradients 16 times below
 * 65504, given to the scaler too. "standardize": the flow's program takes (x - mean) / deviation of its inputs from now on: see camber_flow_standard; "whiten": decorrelated as
 * well (at most 1,024 features). "normalize": layers of the place and of those as wrong are normalised over their units before the activation (Ba, Kiros & Hinton 2016). "residual": branches
 * with parameters that are added to what they began with are scaled by 1 / sqrt(2 L), L of them (Zhang, Dauphin & Ma 2019). "gradient_penalty": the program's loss has 0.01 times half the
 * squared norm of its gradient by the float data added. camber_flow_treat gives what of these concerns the trained network. "precision":
 * it computes in bf16. Options of the optimizer: "compensate", "clip" (ZClip), "agc", "clip_norm", "clip_value", "weight_decay", "l1", "l2", "spectral_norm" (1.5), "damping" (adam's epsilon,
 * at least 1e-4 of a typical entry of the gradient). */
camber_status camber_flow_prescribe(camber_flow *flow, const char *remedy, const char *place, camber_optimizer *optimizer, camber_scaler *scaler,
                                    void *const *params, const void *const *data);
/* Re-runs, to see whether a remedy helped: `steps` training steps on copies of parameters and optimizer (NULL: of the parameters as they are), through the first eight batches that were run
 * (`data`, where none was), and what is then found. Parameters, optimizer and later findings are left alone; the flow forgets its runs. 20 steps or more tell dead units. NULL: camber_flow_message. */
camber_findings *camber_flow_verify(camber_flow *flow, void *const *params, const void *const *data, camber_optimizer *optimizer, size_t steps);
/* Nodes of the flow's tape as its program has them after remedies: inputs standardised or whitened, layers normalised, residual branches scaled (the precision stays as recorded). For the
 * program that uses the trained network. The tape must still be there. */
camber_status camber_flow_treat(camber_flow *flow, const camber_node *nodes, size_t count, camber_node *results);
/* The gradient's noise scale at the parameters (McCandlish et al. 2018), from the first eight batches that were run, of which two are needed: values[0] the noise scale tr(S) / |G|^2, the size of a
 * batch beyond which larger ones help little; [1] |G|^2 and [2] tr(S), the trace of the covariance of one example's gradient, both unbiased (so that |G|^2 may come out below 0: the scale is infinite then). */
camber_status camber_flow_noise(camber_flow *flow, void *const *params, double *values);
/* The factor of the gradients now. */
double camber_flow_scale(const camber_flow *flow);
/* Of input i after "standardize": means and factors of its `count` features (all but the first axis), to be applied wherever the trained network is used. Either may be NULL. */
camber_status camber_flow_standard(camber_flow *flow, size_t i, double *mean, double *factor, size_t count);

/* What a solver's last run shows: nothing where it converged, else "out of steps", "stalled", "nonfinite" or "unbounded". NULL when memory is refused. Free it. */
camber_findings *camber_solver_findings(const camber_solver *solver);
/* Its remedies, for the next camber_solver_run; what was done is camber_solver_message. "steps": ten times as many. "damping": a tenth of the first radius, which is a larger multiple of the identity
 * added to the Hessian or J'J (Levenberg and Marquardt's damping as More, 1978, has it); CAMBER_EINVAL of "lbfgs", which has none. */
camber_status camber_solver_prescribe(camber_solver *solver, const char *remedy);

/* Fills a float array with initial weights, [inputs, units] or [units, channels, window...], from the generator of camber_random_normal's kind (Philox), keyed by `seed`:
 * "he" (normal, variance gain^2 / inputs, gain by itself the root of 2; He et al. 2015), "lecun" (the same with gain 1), "xavier" (variance 2 gain^2 / (inputs + units); Glorot & Bengio
 * 2010), "orthogonal" (orthonormal rows or columns, scaled to entries of variance gain^2 / inputs; Saxe et al. 2014; sides above 1024 stay normal), "zeros". gain 0: the method's own.
 * CAMBER_EINVAL for an unknown method, dtype or shape. */
camber_status camber_initialize(const char *method, camber_dtype dtype, const int64_t *shape, size_t rank, double gain, int64_t seed, void *data);

/* ---- Places -------------------------------------------------------------------------------------------------------------------------
 * What a node is called and where it stands in the host's program, for every sentence that names a node. Nodes that transforms make know the node
 * they were made from, and have its labels. Labels change no result and no fingerprint. Archives keep the text that is shown of each node (not file and line, which are of the machine that wrote them). A flow takes them for its layers. */

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
 * inputs (or its value or derivative becomes a number), some always; none where it would lose more than "slack" bits at any sample. Rules with reductions are
 * measured by camber_rounding's weighted bound at the first four samples. Bodies of loops and branches are rewritten, too, at the points that reach them. Before
 * derivatives are taken: those of what is put in are stable, too. Results change in their last digits: that is what it is for. */
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
/* The journal of the last run: what was found, made or not. Entry i: the rule's number, the node (of the loop or branch that it is within), the bits lost before and after (the worst sample; NaN: not
 * measured, infinite: no number or no derivative), whether it was made. Any place may be NULL. */
size_t camber_stabilizer_count(const camber_stabilizer *stabilizer);
camber_status camber_stabilizer_entry(const camber_stabilizer *stabilizer, size_t i, int32_t *rule, camber_node *node, double *before, double *after, int32_t *made);
/* Entry i in a sentence, and all of them (or the last error). Live until the next run. */
const char *camber_stabilizer_sentence(const camber_stabilizer *stabilizer, size_t i);
const char *camber_stabilizer_message(const camber_stabilizer *stabilizer);
/* ---- Curvature --------------------------------------------------------------------------------------------------------------------- */

/* The Hessian of a scalar at a point, n x n over the elements of all variables (in order, row-major), by its exact products (forward over
 * reverse, compiled once, probes as a batch): figures of it with intervals that hold, and the error of every approximation that stands in
 * for it. Nothing is approximated but by random probes, and those are in the interval. Figures are computed when they are asked for and kept
 * until the next point; they are pure functions of the point and of the options. Memory: "probes" or "steps" vectors of n numbers.
 *
 * `output` is a float scalar; `variables` are float nodes, `data` inputs of any type that it also needs. NULL on error (the tape says). */
typedef struct camber_curvature camber_curvature;
camber_curvature *camber_curvature_new(camber_tape *tape, camber_node output, const camber_node *variables, size_t variable_count,
                                       const camber_node *data, size_t data_count);
void camber_curvature_free(camber_curvature *curvature);
/* The sentence of the last call on it that failed. Lives until the next one. */
const char *camber_curvature_message(const camber_curvature *curvature);
/* Options: "seed" (0) of the probes, which are counted (Philox); "probes" (60): products spent on an estimate, >= 6; "steps" (60) of Lanczos, >= 2; "confidence" (0.95) of
 * the intervals; "dense" (256, at most 4096): up to so many numbers the whole matrix is formed by n products, and figures are exact, their
 * intervals rounding alone; 0: never. "damping" (0): the multiple of the identity (or the precision of a Gaussian prior round 0) that is added to H and B where they are inverted;
 * "top" (3): the eigenvectors that "angle" compares; "smoothing" (0.02): the width of a density's Gaussian, of the spread. */
camber_status camber_curvature_set(camber_curvature *curvature, const char *name, double value);
size_t camber_curvature_dimension(const camber_curvature *curvature);   /* n */
size_t camber_curvature_products(const camber_curvature *curvature);    /* with the Hessian, spent at this point so far */
/* Sets the point: an array a variable and a data, copied. */
camber_status camber_curvature_at(camber_curvature *curvature, const void *const *variables, const void *const *data);
/* At the point: the gradient, and H v (n numbers each). */
camber_status camber_curvature_gradient(camber_curvature *curvature, double *gradient);
camber_status camber_curvature_product(camber_curvature *curvature, const double *v, double *product);

/* A figure by name, and the interval that holds it with the probability "confidence": "value", "gradient_norm"; "trace" by XTrace (Epperly, Tropp & Webber, SIAM J. Matrix
 * Anal. Appl. 45, 2024), or by name "trace_hutchinson" (Hutchinson 1989), "trace_hutch++" (Meyer, Musco, Musco & Woodruff 2021), "trace_xtrace"; "frobenius": ||H||_F;
 * "largest", "smallest" eigenvalue and "norm" ||H||_2 by Lanczos with full re-orthogonalisation: they are no less extreme than given, and the outer end is
 * Kuczynski & Wozniakowski's (SIAM J. Matrix Anal. Appl. 13, 1992); "condition" (of an indefinite matrix beyond "dense": no upper end); "negative": the share of eigenvalues
 * below 0, and "log_determinant": log |det(H + damping)|, by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017); "evidence": the log of the integral of exp(-output) by
 * Laplace's approximation, where "damping" is the prior's precision if it is not 0; "asymmetry": |u.Hv - v.Hu| of two probes, which is rounding.
 * Any out pointer may be NULL. Where nothing can be said the value is NaN and the interval infinite; CAMBER_NONFINITE where
 * a product with the Hessian is not finite. */
camber_status camber_curvature_figure(camber_curvature *curvature, const char *name, double *value, double *low, double *high);
const char *camber_curvature_figure_name(size_t i);   /* the names, one by one; NULL past the last. Static */
/* The diagonal (n numbers), each within `half` of its own with the probability "confidence": XDiag. Then the variances of Laplace's posterior: the diagonal of (H + damping)^-1. */
camber_status camber_curvature_diagonal(camber_curvature *curvature, double *values, double *half);
camber_status camber_curvature_posterior(camber_curvature *curvature, double *variances, double *half);
/* Eigenvalues, ascending: all of a matrix within "dense", else the Ritz values of "steps" of Lanczos. Each has an eigenvalue of H within its residual: a bound, not a
 * probability. *count of them; the first `capacity` are written. */
camber_status camber_curvature_eigenvalues(camber_curvature *curvature, double *values, double *residuals, size_t capacity, size_t *count);
/* The density of eigenvalues (its integral is 1), smoothed by a Gaussian, at `count` places evenly over the spectrum (2 to 2^20), with pointwise intervals. */
camber_status camber_curvature_density(camber_curvature *curvature, size_t count, double *places, double *density, double *low, double *high);

/* Approximations B of the Hessian, by a name of the host's choice. All arrays are copied. On failure nothing is added, and the sentence is the curvature's. */
/* A diagonal of n numbers; NULL: the Hessian's own. A symmetric matrix of n x n. */
camber_status camber_curvature_add_diagonal(camber_curvature *curvature, const char *name, const double *values);
camber_status camber_curvature_add_matrix(camber_curvature *curvature, const char *name, const double *rows);
/* Any symmetric matrix by its products: reads v, writes product, n numbers each; a status other than CAMBER_OK ends the call with CAMBER_ECALLBACK. Asymmetry is looked for. */
typedef camber_status (*camber_product_callback)(void *payload, size_t n, const double *v, double *product);
camber_status camber_curvature_add_product(camber_curvature *curvature, const char *name, camber_product_callback product, void *payload);
/* Secant approximations from `count` pairs, oldest first: steps s and changes y of the gradient (count x n each), from an optimizer's history or made for the purpose. `kind`:
 * "bfgs" (from y.y / s.y of the first pair), "lbfgs" (of the last, over the latest `memory` pairs; 0: all), "sr1". A pair is damped where s.y < 0.2 s.Bs (Powell 1978), left out
 * where it has no curvature (SR1: |s.r| < 1e-8 |s| |r|), and where the gradients' `noise` (a norm; negative: measured at the point, More & Wild 2011) exceeds 10 % of |y|. */
camber_status camber_curvature_add_pairs(camber_curvature *curvature, const char *name, const char *kind, const double *steps, const double *changes, size_t count, size_t memory, double noise);
/* What became of pair i (oldest first, of those within memory): |Bs - y| / |y| before the update; |y - Hs| / |y| with the exact Hessian here; the noise beside |y|; theta of the
 * damping; state 0 kept, 1 damped, 2 left out for its curvature, 3 for its noise. CAMBER_EINVAL past the last. Any out pointer may be NULL. */
camber_status camber_curvature_pair(camber_curvature *curvature, const char *name, size_t i, double *residual, double *secant, double *noise, double *damping, int32_t *state);
/* Differences of exact gradients, "forward" or "central", with a step chosen from the measured noise: figures "noise", "step", "predicted" (relative error). */
camber_status camber_curvature_add_differences(camber_curvature *curvature, const char *name, const char *kind);
/* Generalized Gauss-Newton (Schraudolph 2002): J' H_z J over the nodes z = `outputs` between variables and output (residuals, logits); H_z is the exact Hessian of the output in z. */
camber_status camber_curvature_add_gauss_newton(camber_curvature *curvature, const char *name, const camber_node *outputs, size_t output_count);
/* The Fisher information of models with natural parameters z = `outputs`: "gaussian" (unit variance), "bernoulli", "categorical" (classes along the last axis), "poisson", summed over all
 * elements times `scale` (0: 1 over the first axis' length, as of a mean of losses); or "empirical": z are losses (any shape) of which the output is a function, and each one's squared
 * gradient counts with the output's derivative in it. */
camber_status camber_curvature_add_fisher(camber_curvature *curvature, const char *name, const camber_node *outputs, size_t output_count, const char *family, double scale);
/* K-FAC (Martens & Grosse 2015) of dense layers s = a W + b: weights[l] and biases[l] (-1: none) count the variables, inputs[l] is a [examples, in], preactivations[l] s [examples, out]. G comes from the
 * family of `output` ([examples, ...], exactly, over all classes), or of "empirical" from the output's own gradients. Variables of no layer are left zero. scale as above. */
camber_status camber_curvature_add_kfac(camber_curvature *curvature, const char *name, size_t layer_count, const int64_t *weights, const int64_t *biases,
                                        const camber_node *inputs, const camber_node *preactivations, camber_node output, const char *family, double scale);
size_t camber_curvature_approximation_count(const camber_curvature *curvature);
const char *camber_curvature_approximation(camber_curvature *curvature, size_t i);   /* its name; NULL out of range. Lives until the next call */

/* An error of an approximation against the exact Hessian, with its interval: "operator" ||B - H||_2 / ||H||_2; "frobenius"; "trace" |tr B - tr H| / |tr H|; "diagonal" (2-norm, relative);
 * "spectrum": the largest distance of eigenvalues in order (beyond "dense": of the two ends) over ||H||_2; "newton_step" |B^-1 g - H^-1 g| / |H^-1 g|; "decrease_ratio" (f(x) - f(x+p)) /
 * (-g.p - p.Bp/2) at B's Newton step p; "preconditioner": the condition of B^-1/2 H B^-1/2 (B positive definite); "angle" between the leading eigenspaces, radians; "covariance" ||B^-1 - H^-1||_F /
 * ||H^-1||_F of Laplace's posterior; "evidence": the difference of Laplace's log evidence; "trace_ratio" tr B / tr H. Inverses are those of B + damping and H + damping. Then figures of its own kind: of pairs
 * "residual", "secant", "noise" (of the last pair), "damped", "skipped", "noisy" (how many); of differences "noise", "step", "predicted". */
camber_status camber_curvature_error(camber_curvature *curvature, const char *approximation, const char *error, double *value, double *low, double *high);
const char *camber_curvature_error_name(camber_curvature *curvature, const char *approximation, size_t i);   /* NULL past the last. Lives until the next call */

/* ---- Reports ----------------------------------------------------------------------------------------------------------------------- */

/* A diagnosis as data: findings on top, then sections of sentences, tables, charts and graphs. Observers fill it (camber_report_add_...), and hosts may add their own; it is
 * written as text for a terminal, as JSON with every digit, or as one HTML file that needs neither scripts nor a network (at most a megabyte: long series are drawn
 * and tabled by their extremes). Names are any bytes: they are escaped. */
typedef struct camber_report camber_report;
camber_report *camber_report_new(const char *title);
void camber_report_free(camber_report *report);
const char *camber_report_message(const camber_report *report);   /* of the last call on it that failed */

/* A finding: what (a word or two), `severity` 1 to 3 (worth knowing; results suffer; results are lost), where ("" for the whole), the evidence as a sentence, what to do ("": nothing). The gravest come first. */
camber_status camber_report_add_finding(camber_report *report, const char *kind, int32_t severity, const char *place, const char *evidence, const char *action);
/* Begins a section; what is added goes into the last one. `note` may be NULL. */
camber_status camber_report_add_section(camber_report *report, const char *title, const char *note);
camber_status camber_report_add_text(camber_report *report, const char *text);
/* A table of rows x columns numbers (row-major), with a name before each row where `names` is given (then there is one more heading, the first). */
camber_status camber_report_add_table(camber_report *report, const char *caption, const char *const *headings, size_t columns, const char *const *names, size_t rows, const double *values);
/* A curve of the section's chart of that title, made where there is none: y over x (NULL: 0, 1, ...), with the interval low ... high (NULL: none). */
camber_status camber_report_add_series(camber_report *report, const char *chart, const char *name, size_t count, const double *x, const double *y, const double *low, const double *high);
/* The chart's axes in words (with units), whether they are logarithmic, and how it is drawn: 0 lines, 1 dots, 2 a histogram (x: left ends of bins of width 1). */
camber_status camber_report_set_axes(camber_report *report, const char *chart, const char *x, const char *y, int32_t log_x, int32_t log_y, int32_t kind);
/* Values by name, beneath each other; a second call for the same chart and names is a second series. */
camber_status camber_report_add_bars(camber_report *report, const char *chart, const char *series, size_t count, const char *const *names, const double *values);
/* A histogram of log2 |value| over the ranges of f16, bf16 and f32. */
camber_status camber_report_add_histogram(camber_report *report, const char *title, size_t count, const double *values);
/* A small graph: labels and details (may be NULL) of nodes, edges as pairs from, to; `origin` is the node at fault (-1: none). At most 200 nodes. */
camber_status camber_report_add_graph(camber_report *report, const char *title, size_t node_count, const char *const *labels, const char *const *details,
                                      size_t edge_count, const int64_t *edges, int64_t origin);
/* The pattern of a sparse matrix: entries (row_of[k], column_of[k]). */
camber_status camber_report_add_pattern(camber_report *report, const char *title, int64_t rows, int64_t columns, size_t count, const int64_t *row_of, const int64_t *column_of);

/* What Camber's observers found, each a section of its own (and findings on top). */
camber_status camber_report_add_curvature(camber_report *report, camber_curvature *curvature);   /* figures, spectrum with its band, errors of approximations */
camber_status camber_report_add_solver(camber_report *report, const camber_solver *solver);      /* the journal */
camber_status camber_report_add_program(camber_report *report, const camber_program *program);   /* bytes over a run, what runs */
camber_status camber_report_add_findings(camber_report *report, const camber_findings *findings);  /* on top, no section */
camber_status camber_report_add_flow(camber_report *report, camber_flow *flow);                  /* its findings; loss, layers, parameters and updates, magnitudes over the formats */
/* The answer to the last question: figures, digits lost by operator, comparisons that may turn. CAMBER_EINVAL before the first. */
camber_status camber_report_add_rounding(camber_report *report, const camber_rounding *rounding);
camber_status camber_report_add_check(camber_report *report, const camber_check *check);         /* verdicts, slopes of Taylor remainders; CAMBER_EINVAL before its run */
camber_status camber_report_add_nonfinite(camber_report *report, const camber_nonfinite *nonfinite);   /* births, the first as a graph */
camber_status camber_report_add_stabilizer(camber_report *report, const camber_stabilizer *stabilizer);   /* the journal: patterns, bits before and after */
/* A section that compares this report with another: charts of one title drawn together, findings of either. */
camber_status camber_report_compare(camber_report *report, const camber_report *other, const char *mine, const char *theirs);

/* The report as "text", "json" or "html"; NULL for another format. Lives until the next call on it. */
const char *camber_report_render(camber_report *report, const char *format);
/* Into a file, aside and renamed: "text", "json", "html", or "tensorboard": an event file whose scalars are the charts' series. */
camber_status camber_report_save(camber_report *report, const char *format, const char *path);

/* TensorBoard's event files (TFRecord frames of protobuf messages), for a host's own scalars and histograms. `time`, seconds since 1970, is written with every event and given by
 * the host, so that files can be made equal. camber_events_save writes all events so far; TensorBoard reads files whose names hold "tfevents". */
typedef struct camber_events camber_events;
camber_events *camber_events_new(double time);
void camber_events_free(camber_events *events);
const char *camber_events_message(const camber_events *events);
camber_status camber_events_scalar(camber_events *events, const char *tag, int64_t step, double value, double time);
camber_status camber_events_histogram(camber_events *events, const char *tag, int64_t step, size_t count, const double *values, double time);
camber_status camber_events_save(camber_events *events, const char *path);

#ifdef __cplusplus
}
#endif
#endif
