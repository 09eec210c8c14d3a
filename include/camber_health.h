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

#ifdef __cplusplus
}
#endif
#endif
