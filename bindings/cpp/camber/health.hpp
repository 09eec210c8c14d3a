/* Flow: a training that is watched, what is found, and remedies. */
#ifndef CAMBER_HEALTH_HPP
#define CAMBER_HEALTH_HPP

#include "solver.hpp"
#include "training.hpp"

namespace camber {

/* One row of a diagnosis; fields stand in camber_health.h. */
struct Finding {
  std::string kind, place, evidence, remedy, advice;
  int severity = 0;
  std::int64_t step = -1;
  double confidence = 0;
  std::vector<std::pair<std::string, double>> numbers;
};

namespace detail {
/* Takes a handle over. */
inline std::vector<Finding> rows(camber_findings *handle) {
  Handle<camber_findings, camber_findings_free> held(handle);
  if (!held) throw error(CAMBER_ENOMEM, "findings: memory was refused");
  std::vector<Finding> out(camber_findings_count(handle));
  for (std::size_t i = 0; i < out.size(); i++) {
    Finding &f = out[i];
    f.kind = camber_findings_text(handle, i, "kind"), f.place = camber_findings_text(handle, i, "place");
    f.evidence = camber_findings_text(handle, i, "evidence"), f.remedy = camber_findings_text(handle, i, "remedy");
    f.advice = camber_findings_text(handle, i, "advice");
    f.severity = static_cast<int>(camber_findings_number(handle, i, "severity"));
    f.step = static_cast<std::int64_t>(camber_findings_number(handle, i, "step"));
    f.confidence = camber_findings_number(handle, i, "confidence");
    const char *name = nullptr;
    double value = 0;
    for (std::size_t k = 0; camber_findings_evidence(handle, i, k, &name, &value) == CAMBER_OK; k++) f.numbers.emplace_back(name, value);
  }
  return out;
}
}  // namespace detail

/* What a solver's last run shows. */
inline std::vector<Finding> findings(const Solver &solver) { return detail::rows(camber_solver_findings(solver.handle())); }

/* The loss and its gradients, with statistics of layers, parameters and updates; options and remedies stand in camber_health.h. */
class Flow {
 public:
  Flow(const Node &loss, const Nodes &params, const Nodes &data = {}, const Options &options = {}) {
    detail::TapeRef *tape = detail::inner(detail::inner({loss}), detail::inner(params));
    if (!tape) throw error(CAMBER_EINVAL, "flow: no parameters");
    auto p = detail::ids(params), d = detail::ids(data);
    handle_.reset(camber_flow_new(tape->handle.get(), detail::ids({loss})[0], p.data(), p.size(), d.data(), d.size()));
    if (!handle_) detail::fail(tape);
    for (const auto &o : options) set(o.first, o.second);
  }
  Flow &set(const char *option, double value) {
    check(camber_flow_set(handle(), option, value));
    return *this;
  }
  Flow &layer(const char *name, const Node &node) {
    check(camber_flow_layer(handle(), name, node.id()));
    return *this;
  }
  /* Each index of the first axis is a level: a time step. */
  Flow &steps(const char *name, const Node &node) {
    check(camber_flow_steps(handle(), name, node.id()));
    return *this;
  }
  Flow &name(std::size_t i, const char *name) {
    check(camber_flow_name(handle(), i, name));
    return *this;
  }
  /* CAMBER_NONFINITE where the loss or a gradient is not finite; all is written. */
  camber_status run(const Inputs &params, const Inputs &data, void *loss, const Outputs &gradients) {
    return check(camber_flow_run(handle(), params.data(), data.empty() ? nullptr : data.data(), loss, gradients.empty() ? nullptr : gradients.data()));
  }
  std::vector<Finding> findings() { return detail::rows(camber_flow_findings(handle())); }
  std::vector<std::string> levels() const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < camber_flow_levels(handle()); i++) out.emplace_back(camber_flow_level(handle(), i));
    return out;
  }
  /* `count`: of levels, or of parameters. */
  std::vector<double> statistic(const char *name, std::size_t count) {
    std::vector<double> out(count);
    check(camber_flow_statistic(handle(), name, out.data(), count));
    return out;
  }
  double slope() { return camber_flow_slope(handle()); }
  double loss_scale() const { return camber_flow_scale(handle()); }
  /* What was done, as a sentence. */
  std::string prescribe(const Finding &f, const Outputs &params, const Inputs &data = {}, Optimizer *optimizer = nullptr, Scaler *scaler = nullptr) {
    return prescribe(f.remedy.c_str(), f.place.c_str(), params, data, optimizer, scaler);
  }
  std::string prescribe(const char *remedy, const char *place, const Outputs &params, const Inputs &data = {}, Optimizer *optimizer = nullptr,
                        Scaler *scaler = nullptr) {
    check(camber_flow_prescribe(handle(), remedy, place, optimizer ? optimizer->handle() : nullptr, scaler ? scaler->handle() : nullptr, params.data(),
                                data.empty() ? nullptr : data.data()));
    return camber_flow_message(handle());
  }
  /* Re-runs: training steps on copies of parameters and optimizer; what is then found. See camber_flow_verify. */
  std::vector<Finding> verify(const Outputs &params, const Inputs &data = {}, Optimizer *optimizer = nullptr, std::size_t steps = 24) {
    camber_findings *found = camber_flow_verify(handle(), params.data(), data.empty() ? nullptr : data.data(), optimizer ? optimizer->handle() : nullptr, steps);
    if (!found) throw error(CAMBER_EINVAL, camber_flow_message(handle()));
    return detail::rows(found);
  }
  /* Nodes with what remedies put into the program, for the one that uses the trained network. */
  Nodes treat(const Nodes &nodes) {
    detail::TapeRef *tape = detail::inner(nodes);
    auto n = detail::ids(nodes);
    std::vector<camber_node> out(n.size());
    check(camber_flow_treat(handle(), n.data(), n.size(), out.data()));
    Nodes made;
    for (camber_node m : out) made.push_back(detail::made(tape, m));
    return made;
  }
  /* The gradient's noise scale, |G|^2 and tr(S): see camber_flow_noise. */
  struct Noise {
    double scale, gradient, variance;
  };
  Noise noise(const Outputs &params) {
    double v[3];
    check(camber_flow_noise(handle(), params.data(), v));
    return {v[0], v[1], v[2]};
  }
  camber_flow *handle() const noexcept { return handle_.get(); }

 private:
  camber_status check(camber_status s) const { return s < 0 ? detail::check(s, camber_flow_message(handle())) : s; }
  detail::Handle<camber_flow, camber_flow_free> handle_;
};

/* The largest Lyapunov exponents of iterating input -> output, per step; `arrays`: of the other inputs `data`. camber_lyapunov_exponents says how. */
inline std::vector<double> lyapunov_exponents(const Node &output, const Node &input, const void *point, std::size_t steps, std::size_t count = 1, bool transposed = false,
                                              const Nodes &data = {}, const Inputs &arrays = {}) {
  detail::TapeRef *tape = detail::inner(output, input);
  if (!tape || data.size() != arrays.size()) throw error(CAMBER_EINVAL, "lyapunov_exponents: no tape, or not an array for each input");
  auto d = detail::ids(data);
  std::vector<double> out(count);
  if (camber_lyapunov_exponents(tape->handle.get(), output.id(), input.id(), d.data(), d.size(), point, arrays.empty() ? nullptr : arrays.data(), steps, transposed, out.data(), count))
    detail::fail(tape);
  return out;
}

/* Extreme singular values of a Jacobian, each within its bound of one. */
struct SingularValues {
  double largest, largest_error, smallest, smallest_error;
};
inline SingularValues singular_values(const Node &output, const Node &input, const void *point, std::size_t steps = 40, const Nodes &data = {}, const Inputs &arrays = {}) {
  detail::TapeRef *tape = detail::inner(output, input);
  if (!tape || data.size() != arrays.size()) throw error(CAMBER_EINVAL, "singular_values: no tape, or not an array for each input");
  auto d = detail::ids(data);
  double v[4];
  if (camber_singular_values(tape->handle.get(), output.id(), input.id(), d.data(), d.size(), point, arrays.empty() ? nullptr : arrays.data(), steps, v)) detail::fail(tape);
  return {v[0], v[1], v[2], v[3]};
}

/* Mean field of a wide network of "tanh", "relu", "erf" or "linear": see camber_mean_field. */
struct MeanField {
  double q, chi, depth;
};
inline MeanField mean_field(const char *activation, double weight, double bias = 0) {
  MeanField m{};
  camber_status s = camber_mean_field(activation, weight, bias, &m.q, &m.chi, &m.depth);
  if (s < 0) throw error(s, "mean_field: takes tanh, relu, erf or linear, and finite numbers");
  return m;
}

/* Initial weights in place: "he", "lecun", "xavier", "orthogonal", "zeros". */
inline void initialize(const char *method, DType dtype, const Shape &shape, void *data, double gain = 0, std::int64_t seed = 0) {
  camber_status s = camber_initialize(method, raw(dtype), shape.data(), shape.size(), gain, seed, data);
  if (s < 0) throw error(s, std::string("initialize: ") + (method ? method : "(null)") + " of these sizes; there are he, lecun, orthogonal, xavier, zeros");
}

}  // namespace camber
#endif
