/* Plan: what every method of differentiating would take, and the one that suits. */
#ifndef CAMBER_PLAN_HPP
#define CAMBER_PLAN_HPP

#include "program.hpp"

namespace camber {

/* A table and a choice for one derivative; see camber_plan_new in camber_sparse.h. */
class Plan {
 public:
  struct Entry {
    std::string method;
    bool applies;
    double flops, bytes, colors, passes, memory, predicted, measured, error;
  };
  /* kind: "jacobian", "hessian", "sparse_jacobian" or "sparse_hessian". */
  Plan(const char *kind, const Nodes &outputs, const Nodes &variables, const Nodes &data = {}) {
    detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(variables));
    if (!tape) throw camber::error(CAMBER_EINVAL, "plan: no variables");
    auto y = detail::ids(outputs), x = detail::ids(variables), d = detail::ids(data);
    handle_.reset(camber_plan_new(tape->handle.get(), kind, y.data(), y.size(), x.data(), x.size(), d.data(), d.size()));
    if (!handle_) detail::fail(tape);
  }
  /* "taste", "accurate", "rounding", "evaluations". */
  Plan &set(const char *name, double value) {
    check(camber_plan_set(handle(), name, value));
    return *this;
  }
  /* Chooses by prediction; or at a point: an array for each variable, then for each data. */
  std::string run() {
    check(camber_plan_run(handle(), nullptr));
    return method();
  }
  std::string run(const Inputs &point) {
    check(camber_plan_run(handle(), point.data()));
    return method();
  }
  std::string method() const { return camber_plan_method(handle()); }
  std::vector<Entry> table() {
    std::vector<Entry> all(camber_plan_count(handle()));
    for (std::size_t i = 0; i < all.size(); i++) {
      const char *name = nullptr;
      double v[9];
      check(camber_plan_entry(handle(), i, &name, v));
      all[i] = Entry{name, v[0] != 0, v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]};
    }
    return all;
  }
  std::string explain() { return camber_plan_explain(handle(), 0); }
  std::string json() { return camber_plan_explain(handle(), 1); }
  camber_plan *handle() const noexcept { return handle_.get(); }

 private:
  void check(camber_status s) const { detail::check(s, camber_plan_message(handle())); }
  detail::Handle<camber_plan, camber_plan_free> handle_;
};

/* Dense blocks of a Jacobian, or of a scalar's Hessian, by a method by name. */
inline Blocks jacobian_by(const char *method, const Nodes &outputs, const Nodes &inputs) {
  auto y = detail::ids(outputs), x = detail::ids(inputs);
  detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
  return {detail::collect(tape, y.size() * x.size(), [&](camber_tape *t, camber_node *out) {
            return camber_plan_blocks(t, "jacobian", method, y.data(), y.size(), x.data(), x.size(), out);
          }), x.size()};
}
inline Blocks hessian_by(const char *method, const Node &output, const Nodes &inputs) {
  auto y = detail::ids({output}), x = detail::ids(inputs);
  detail::TapeRef *tape = detail::inner(output.tape_ref(), detail::inner(inputs));
  return {detail::collect(tape, x.size() * x.size(), [&](camber_tape *t, camber_node *out) {
            return camber_plan_blocks(t, "hessian", method, y.data(), 1, x.data(), x.size(), out);
          }), x.size()};
}

}  // namespace camber
#endif
