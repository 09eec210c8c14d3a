/* Solver: minima and least squares. */
#ifndef CAMBER_SOLVER_HPP
#define CAMBER_SOLVER_HPP

#include "training.hpp"

namespace camber {

enum class Outcome : std::int32_t {
  converged = CAMBER_CONVERGED, small_step = CAMBER_SMALL_STEP, out_of_steps = CAMBER_OUT_OF_STEPS, stalled = CAMBER_STALLED,
  undefined = CAMBER_UNDEFINED, unbounded = CAMBER_UNBOUNDED
};

/* One problem, compiled once; methods and options stand in camber.h at camber_minimize. */
class Solver {
 public:
  struct Step {
    double value, gradient, step, control;
    std::size_t evaluations, products;
  };
  static Solver minimize(const Node &output, const Nodes &variables, const Nodes &data = {}, const char *method = "lbfgs", const Options &options = {}) {
    detail::TapeRef *tape = detail::inner(detail::inner({output}), detail::inner(variables));
    if (!tape) throw error(CAMBER_EINVAL, "minimize: no variables");
    auto x = detail::ids(variables), d = detail::ids(data);
    return Solver(camber_minimize(tape->handle.get(), detail::ids({output})[0], x.data(), x.size(), d.data(), d.size(), method), tape, options);
  }
  static Solver least_squares(const Nodes &residuals, const Nodes &variables, const Nodes &data = {}, const char *method = "levenberg-marquardt",
                              const Options &options = {}) {
    detail::TapeRef *tape = detail::inner(detail::inner(residuals), detail::inner(variables));
    if (!tape) throw error(CAMBER_EINVAL, "least_squares: no variables");
    auto r = detail::ids(residuals), x = detail::ids(variables), d = detail::ids(data);
    return Solver(camber_least_squares(tape->handle.get(), r.data(), r.size(), x.data(), x.size(), d.data(), d.size(), method), tape, options);
  }

  Solver &set(const char *name, double value) {
    check(camber_solver_set(handle(), name, value));
    return *this;
  }
  /* From the arrays in x, one a variable, to the best that were found, left there. */
  Outcome run(const Outputs &x, const Inputs &data = {}) {
    check(camber_solver_run(handle(), data.empty() ? nullptr : data.data(), x.data()));
    return static_cast<Outcome>(camber_solver_outcome(handle()));
  }
  double value() const noexcept { return camber_solver_value(handle()); }
  std::string message() const { return camber_solver_message(handle()); }
  std::size_t iterations() const noexcept { return camber_solver_iterations(handle()); }
  Step journal(std::size_t i) const {
    Step s{};
    check(camber_solver_journal(handle(), i, &s.value, &s.gradient, &s.step, &s.control, &s.evaluations, &s.products));
    return s;
  }
  /* A remedy of camber_solver_prescribe for the next run; what was done, as a sentence. */
  std::string prescribe(const char *remedy) {
    check(camber_solver_prescribe(handle(), remedy));
    return message();
  }
  camber_solver *handle() const noexcept { return handle_.get(); }

 private:
  Solver(camber_solver *s, detail::TapeRef *tape, const Options &options) : handle_(s) {
    if (!handle_) detail::fail(tape);
    for (const auto &o : options) set(o.first, o.second);
  }
  camber_status check(camber_status s) const { return detail::check(s, camber_solver_message(handle())); }
  detail::Handle<camber_solver, camber_solver_free> handle_;
};

}  // namespace camber
#endif
