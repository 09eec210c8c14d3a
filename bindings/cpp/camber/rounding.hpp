/* Rounding: how far results lie from exact arithmetic. Check: derivatives held against differences. Both are explained in camber_health.h. */
#ifndef CAMBER_ROUNDING_HPP
#define CAMBER_ROUNDING_HPP

#include "solver.hpp"

namespace camber {

enum class Level : std::int32_t { exact = CAMBER_EXACT_RESULT, weighted_bound = CAMBER_WEIGHTED_BOUND, measured = CAMBER_MEASURED_ERROR, unbounded = CAMBER_UNBOUNDED_ERROR };
enum class Verdict : std::int32_t { right = CAMBER_RIGHT, wrong = CAMBER_WRONG, kink = CAMBER_KINK, undecided = CAMBER_UNDECIDED };

class Rounding {
 public:
  struct Member {
    camber_node node;
    std::string op;
    double error;
    std::string text, file;
    std::int32_t line;
  };
  struct Contribution {
    camber_node node;
    std::string op;
    double error, bound, share, condition;
    std::vector<Member> members;   /* one; more where only together they are to blame */
  };
  struct Unstable {
    camber_node node;
    std::string op;
    std::size_t elements;
    bool turns;
    double other;
  };
  Rounding(const Nodes &outputs, const Nodes &inputs, const Options &options = {}) {
    detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
    if (!tape) throw error(CAMBER_EINVAL, "rounding: no outputs");
    auto y = detail::ids(outputs), x = detail::ids(inputs);
    handle_ = detail::Handle<camber_rounding, camber_rounding_free>(camber_rounding_new(tape->handle.get(), y.data(), y.size(), x.data(), x.size()));
    if (!handle_) detail::fail(tape);
    for (const auto &o : options) set(o.first, o.second);
  }
  Rounding &set(const char *name, double value) {
    check(camber_rounding_set(handle(), name, value));
    return *this;
  }
  /* At the inputs' arrays; then `at` or `along` asks. */
  Rounding &run(const Inputs &data) {
    check(camber_rounding_run(handle(), data.data()));
    return *this;
  }
  Rounding &at(std::size_t output = 0, std::size_t element = 0) {
    check(camber_rounding_at(handle(), output, element));
    return *this;
  }
  Rounding &along(const std::vector<const double *> &weights) {
    check(camber_rounding_along(handle(), weights.data()));
    return *this;
  }
  double figure(const char *name) const noexcept { return camber_rounding_figure(handle(), name); }
  double bound() const noexcept { return figure("bound"); }
  double estimate() const noexcept { return figure("estimate"); }
  double corrected() const noexcept { return figure("corrected"); }
  Level level() const noexcept { return static_cast<Level>(camber_rounding_level(handle())); }
  std::vector<Contribution> contributions() const {
    std::vector<Contribution> list(camber_rounding_contributions(handle()));
    for (std::size_t i = 0; i < list.size(); i++) {
      const char *op = "";
      check(camber_rounding_contribution(handle(), i, &list[i].node, &op, &list[i].error, &list[i].bound, &list[i].share, &list[i].condition));
      list[i].op = op;
      Member m{};
      const char *text = "", *file = "";
      for (std::size_t k = 0; camber_rounding_member(handle(), i, k, &m.node, &op, &m.error, &text, &file, &m.line) == CAMBER_OK; k++) {
        m.op = op, m.text = text, m.file = file;
        list[i].members.push_back(m);
      }
    }
    return list;
  }
  std::vector<Unstable> unstable() const {
    std::vector<Unstable> list(camber_rounding_unstables(handle()));
    for (std::size_t i = 0; i < list.size(); i++) {
      const char *op = "";
      std::int32_t turns = 0;
      check(camber_rounding_unstable(handle(), i, &list[i].node, &op, &list[i].elements, &turns, &list[i].other));
      list[i].op = op, list[i].turns = turns == 1;
    }
    return list;
  }
  std::string report() const { return camber_rounding_report(handle()); }
  camber_rounding *handle() const noexcept { return handle_.get(); }

 private:
  void check(camber_status s) const { detail::check(s, camber_rounding_message(handle())); }
  detail::Handle<camber_rounding, camber_rounding_free> handle_{nullptr};
};

class DerivativeCheck {
 public:
  struct Entry {
    std::size_t input;
    std::int32_t kind;     /* CAMBER_CHECK_JVP, ... */
    Verdict verdict;
    double derivative, difference, error, slope;
  };
  DerivativeCheck(const Nodes &outputs, const Nodes &inputs, const Options &options = {}) {
    detail::TapeRef *tape = detail::inner(detail::inner(outputs), detail::inner(inputs));
    if (!tape) throw error(CAMBER_EINVAL, "check: no outputs");
    auto y = detail::ids(outputs), x = detail::ids(inputs);
    handle_ = detail::Handle<camber_check, camber_check_free>(camber_check_new(tape->handle.get(), y.data(), y.size(), x.data(), x.size()));
    if (!handle_) detail::fail(tape);
    for (const auto &o : options) set(o.first, o.second);
  }
  DerivativeCheck &set(const char *name, double value) {
    check(camber_check_set(handle(), name, value));
    return *this;
  }
  Verdict run(const Inputs &data) {
    check(camber_check_run(handle(), data.data()));
    return verdict();
  }
  Verdict verdict() const noexcept { return static_cast<Verdict>(camber_check_verdict(handle())); }
  std::string message() const { return camber_check_message(handle()); }
  std::vector<Entry> entries() const {
    std::vector<Entry> list(camber_check_entries(handle()));
    for (std::size_t i = 0; i < list.size(); i++) {
      std::int32_t verdict = 0;
      check(camber_check_entry(handle(), i, &list[i].input, &list[i].kind, &verdict, &list[i].derivative, &list[i].difference, &list[i].error, &list[i].slope));
      list[i].verdict = static_cast<Verdict>(verdict);
    }
    return list;
  }
  camber_check *handle() const noexcept { return handle_.get(); }

 private:
  void check(camber_status s) const { detail::check(s, camber_check_message(handle())); }
  detail::Handle<camber_check, camber_check_free> handle_{nullptr};
};

/* The weighted bound of a scalar's rounding error as a node; with the signed estimate and the rest's bound behind it. */
inline Node rounding_bound(const Node &y, const Nodes &inputs) {
  detail::TapeRef *tape = detail::inner(detail::inner({y}), detail::inner(inputs));
  if (!tape) throw error(CAMBER_EINVAL, "rounding_bound: no output");
  auto x = detail::ids(inputs);
  return detail::made(tape, camber_rounding_bound(tape->handle.get(), detail::ids({y})[0], x.data(), x.size()));
}
inline Nodes rounding_estimate(const Node &y, const Nodes &inputs) {
  detail::TapeRef *tape = detail::inner(detail::inner({y}), detail::inner(inputs));
  if (!tape) throw error(CAMBER_EINVAL, "rounding_estimate: no output");
  auto x = detail::ids(inputs);
  camber_node out[3];
  if (camber_rounding_estimate(tape->handle.get(), detail::ids({y})[0], x.data(), x.size(), out) != CAMBER_OK) detail::fail(tape);
  Nodes list;
  for (camber_node n : out) list.push_back(detail::made(tape, n));
  return list;
}

}  // namespace camber
#endif
