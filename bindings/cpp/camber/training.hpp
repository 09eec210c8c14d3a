/* Optimizer, Schedule and Scaler. */
#ifndef CAMBER_TRAINING_HPP
#define CAMBER_TRAINING_HPP

#include "program.hpp"

namespace camber {

/* Names and values: {{"learning_rate", 1e-3}, {"weight_decay", 1e-2}}. */
using Options = std::vector<std::pair<const char *, double>>;

/* "constant", "cosine" or "step": a factor of the learning rate as a function of the step. */
class Schedule {
 public:
  explicit Schedule(const char *kind, const Options &options = {}) : handle_(camber_schedule_new(kind)) {
    if (!handle_) throw error(CAMBER_EINVAL, std::string("schedule: no kind ") + (kind ? kind : "(null)"));
    for (const auto &o : options) set(o.first, o.second);
  }
  Schedule &set(const char *name, double value) {
    detail::check(camber_schedule_set(handle(), name, value), camber_schedule_message(handle()));
    return *this;
  }
  double operator()(std::int64_t step) const noexcept { return camber_schedule_value(handle(), step); }
  camber_schedule *handle() const noexcept { return handle_.get(); }

 private:
  detail::Handle<camber_schedule, camber_schedule_free> handle_;
};

/* "sgd", "adam" or "adamw", on the host's own arrays. */
class Optimizer {
 public:
  explicit Optimizer(const char *method, const Options &options = {}) : handle_(camber_optimizer_new(method)) {
    if (!handle_) throw error(CAMBER_EINVAL, std::string("optimizer: no method ") + (method ? method : "(null)"));
    for (const auto &o : options) set(o.first, o.second);
  }
  Optimizer &set(const char *name, double value) {
    check(camber_optimizer_set(handle(), name, value));
    return *this;
  }
  Optimizer &schedule(const Schedule &s) {
    check(camber_optimizer_set_schedule(handle(), s.handle()));
    return *this;
  }
  Optimizer &add(const char *name, DType dtype, const Shape &shape) {
    check(camber_optimizer_add(handle(), name, raw(dtype), shape.data(), shape.size()));
    return *this;
  }
  /* One step in place; CAMBER_NONFINITE where a gradient is not finite, and then nothing has changed. */
  camber_status step(const Outputs &params, const Inputs &gradients) {
    return check(camber_optimizer_step(handle(), params.data(), gradients.data()));
  }
  std::int64_t steps() const noexcept { return camber_optimizer_steps(handle()); }
  double gradient_norm() const noexcept { return camber_optimizer_gradient_norm(handle()); }

  /* The state as arrays that can be saved and put back. */
  struct State {
    const char *name;
    DType dtype;
    std::size_t count;
    void *data;
  };
  std::vector<State> state() {
    std::vector<State> out(camber_optimizer_state_count(handle()));
    for (std::size_t i = 0; i < out.size(); i++) {
      camber_dtype dtype = 0;
      check(camber_optimizer_state(handle(), i, &out[i].name, &dtype, &out[i].count, &out[i].data));
      out[i].dtype = static_cast<DType>(dtype);
    }
    return out;
  }
  camber_optimizer *handle() const noexcept { return handle_.get(); }

 private:
  camber_status check(camber_status s) const { return s < 0 ? detail::check(s, camber_optimizer_message(handle())) : s; }
  detail::Handle<camber_optimizer, camber_optimizer_free> handle_;
};

/* Dynamic loss scaling by powers of two. */
class Scaler {
 public:
  explicit Scaler(const Options &options = {}) : handle_(camber_scaler_new()) {
    if (!handle_) throw error(CAMBER_ENOMEM, "scaler: memory was refused");
    for (const auto &o : options) set(o.first, o.second);
  }
  Scaler &set(const char *name, double value) {
    detail::check(camber_scaler_set(handle(), name, value), camber_scaler_message(handle()));
    return *this;
  }
  double scale() const noexcept { return camber_scaler_scale(handle()); }
  std::int64_t skipped() const noexcept { return camber_scaler_skipped(handle()); }
  /* CAMBER_NONFINITE: the step is to be skipped. */
  camber_status unscale(const Outputs &gradients, const std::vector<DType> &dtypes, const std::vector<std::size_t> &sizes) {
    const std::vector<camber_dtype> kinds = checked(gradients.size(), dtypes, sizes);
    camber_status s = camber_scaler_unscale(handle(), gradients.size(), gradients.data(), kinds.data(), sizes.data());
    return s < 0 ? detail::check(s, camber_scaler_message(handle())) : s;
  }
  /* After CAMBER_NONFINITE, the gradients computed anew of the loss times 1: true: it was an overflow. False: the function's own NaN or infinity; fault() is 1. */
  bool classify(const Inputs &gradients, const std::vector<DType> &dtypes, const std::vector<std::size_t> &sizes) {
    const std::vector<camber_dtype> kinds = checked(gradients.size(), dtypes, sizes);
    camber_status s = camber_scaler_classify(handle(), gradients.size(), gradients.data(), kinds.data(), sizes.data());
    if (s < 0) detail::check(s, camber_scaler_message(handle()));
    return s == CAMBER_OK;
  }
  std::int32_t fault() const noexcept { return camber_scaler_fault(handle()); }
  std::int64_t tensor() const noexcept { return camber_scaler_tensor(handle()); }
  camber_scaler *handle() const noexcept { return handle_.get(); }

 private:
  static std::vector<camber_dtype> checked(std::size_t count, const std::vector<DType> &dtypes, const std::vector<std::size_t> &sizes) {
    detail::same(count, dtypes.size(), "scaler: the counts of gradients and dtypes");
    detail::same(count, sizes.size(), "scaler: the counts of gradients and sizes");
    std::vector<camber_dtype> kinds;
    for (DType d : dtypes) kinds.push_back(raw(d));
    return kinds;
  }
  detail::Handle<camber_scaler, camber_scaler_free> handle_;
};

}  // namespace camber
#endif
